"""What weights written by hand do on repeated texts, and what they do in place of induction."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mechcourse.models import Transformer, TransformerConfig

D_VOCAB, N_CTX, D_MODEL, D_HEAD, N_LAYERS = 16, 32, 64, 32, 2
MOST_HEADS = 4
PERIODS = range(4, 17)
N_TEXTS = 128  # of each period
ENOUGH = 0.99
CLEARLY = 0.6  # of the wrong answers, or of the attention, before it is called the reason

ATTENTION = ("W_Q", "W_K", "W_V", "W_O")


def shapes() -> dict[str, list[int | str]]:
    """The names of all weights, and their shapes; how many heads there are is left open."""
    reads, writes = ["head", D_MODEL, D_HEAD], ["head", D_HEAD, D_MODEL]
    wanted: dict[str, list[int | str]] = {
        "embed.W_E": [D_VOCAB, D_MODEL],
        "pos_embed.W_pos": [N_CTX, D_MODEL],
        "unembed.W_U": [D_MODEL, D_VOCAB],
    }
    for layer in range(N_LAYERS):
        for name in ATTENTION:
            wanted[f"blocks.{layer}.attn.{name}"] = writes if name == "W_O" else reads
    return wanted


def transformer(weights: dict[str, Tensor]) -> Transformer:
    """The library's own model, with these weights."""
    n_heads = len(weights["blocks.0.attn.W_Q"])
    with torch.random.fork_rng(devices=[]):
        model = Transformer(TransformerConfig(N_LAYERS, D_MODEL, n_heads, D_HEAD, D_VOCAB, N_CTX))
    model.load_state_dict({name: weight.float() for name, weight in weights.items()})
    return model


@dataclass
class Trial:
    """What a model says in the second copies of texts with blocks of one length.

    Attributes:
        tokens: [text pos].
        queries: the positions from which the second copy's tokens, all but its first, follow.
        logits: at these queries, [text query d_vocab].
        looks: the attention of all heads at these queries, [layer text head query key].
        before: the mean attention of each head of layer 0 on the position before, at all
            positions that have one.
    """

    period: int
    tokens: Tensor
    queries: Tensor
    logits: Tensor
    looks: Tensor
    before: Tensor

    @property
    def right(self) -> Tensor:
        """Whether the right token alone has the largest logit, [text query]."""
        return self.logits.ge(self._own).sum(dim=-1) == 1

    @property
    def tied(self) -> Tensor:
        """Whether the right token shares the largest logit."""
        return (self.logits.amax(dim=-1, keepdim=True) == self._own)[..., 0] & ~self.right

    @property
    def accuracy(self) -> float:
        return float(self.right.double().mean())

    @property
    def _own(self) -> Tensor:
        return self.logits.gather(-1, self.at(1)[..., None])

    def at(self, step: int) -> Tensor:
        """The tokens a step after the queries, as if the text went on for ever, [text query]."""
        return self.tokens[:, (self.queries + step) % self.period]

    def says(self, step: int) -> float:
        """How much of what is wrong is the token a step after the query."""
        called = self.logits.argmax(dim=-1) == self.at(step)
        return float(called[~self.right].double().mean())

    def attention(self, step: int) -> float:
        """The largest attention, of a head of layer 1, on the first copy a step after the query.

        For step 0, on the query's own position as well: both hold its token.
        """
        keys = (self.queries - self.period + step).clamp(min=0)
        places = torch.arange(len(keys))
        looked = self.looks[-1, :, :, places, keys]  # [text head query]
        if step == 0:
            looked = looked + self.looks[-1, :, :, places, self.queries]
        return float(looked.mean(dim=(0, 2)).max())

    @property
    def chance(self) -> float:
        """Attention on one key, spread evenly."""
        return float((1 / (self.queries + 1)).mean())


def trials(model: Transformer, random: torch.Generator) -> list[Trial]:
    """A trial for each length of the block."""
    found = []
    names = [f"blocks.{layer}.attn.hook_pattern" for layer in range(N_LAYERS)]
    for period in PERIODS:
        drawn = [torch.randperm(D_VOCAB, generator=random)[:period] for _ in range(N_TEXTS)]
        tokens = torch.stack(drawn).repeat(1, N_CTX // period + 1)[:, :N_CTX]
        queries = torch.arange(period, 2 * period - 1)
        with torch.no_grad():
            logits, cache = model.run_with_cache(tokens, names=names)
        looks = torch.stack([cache[name] for name in names])
        before = looks[0].diagonal(-1, -2, -1).mean(dim=(0, 2))
        found.append(
            Trial(period, tokens, queries, logits[:, queries], looks[:, :, :, queries], before)
        )
    return found


def diagnosis(tried: list[Trial]) -> str:
    """What goes wrong, in a sentence or two; the worst period says most."""
    worst = min(tried, key=lambda trial: trial.accuracy)
    if worst.tied.double().sum() > CLEARLY * (~worst.right).double().sum():
        return "the right token shares the largest logit with others, and a tie counts as wrong."
    back, attention = _distance(tried)
    if attention > CLEARLY:
        return (
            f"a head of layer 1 looks {back} back, whatever the text: it counts positions. Compare "
            "tokens, and the length of the block does not matter."
        )
    if worst.right[:, 1:].double().mean() >= ENOUGH:
        return _at_the_first_query(worst)
    return _by_what_it_says(worst)


def _distance(tried: list[Trial]) -> tuple[int, float]:
    """How far back, beyond the position before, a head of layer 1 looks most, and how much."""
    n_heads = tried[0].looks.shape[2]
    total, count = torch.zeros(N_CTX, n_heads), torch.zeros(N_CTX)
    for trial in tried:
        for i, query in enumerate(trial.queries.tolist()):
            seen = trial.looks[-1, :, :, i, : query + 1].mean(dim=0)  # [head key]
            total[: query + 1] += seen.flip(-1).T
            count[: query + 1] += 1
    mean = (total / count.clamp(min=1)[:, None]).amax(dim=1)
    mean[:2] = 0
    # Far back there are few queries, all of the longest blocks.
    mean[count < 20] = 0
    return int(mean.argmax()), float(mean.max())


def _at_the_first_query(trial: Trial) -> str:
    if trial.says(0) > CLEARLY:
        return (
            "only the first query of the second copy is wrong, and says its own token. The first "
            "position has nothing before it, so a previous-token head looks at that position "
            "itself: its token is written there as if it stood before. Keep the query from "
            "position 0, or its token from the logits."
        )
    return "only the first query of the second copy is wrong; what follows position 0 is not found."


def _by_what_it_says(trial: Trial) -> str:
    """From the wrong answers, and from where the heads of layer 1 look."""
    looks = {step: trial.attention(step) for step in (-1, 0, 1, 2)}
    most = max(looks, key=lambda step: looks[step])
    at_right = f"no head of layer 1 puts more than {looks[1]:.2f} on the right key"
    if most == 0 and looks[0] > CLEARLY:
        return (
            "a head of layer 1 looks where the query's own token stands: a duplicate-token head. "
            "Its keys have to hold the token before, not their own."
        )
    if most == 2 and looks[2] > CLEARLY:
        return "a head of layer 1 looks one position after the right key: one late."
    if most == -1 and looks[-1] > CLEARLY:
        return "a head of layer 1 looks at what came before the earlier copy: two early."
    if looks[1] > CLEARLY and trial.says(0) > CLEARLY:
        return (
            "a head of layer 1 looks at the right key, and yet the query's own token has the "
            "largest logit. Either the head brings what is written there of the token before, "
            "which is the query's own (follow W_V and W_O), or it brings the right one and is "
            "drowned: the query's own token is in the stream as well, and the head has to be "
            "louder."
        )
    if looks[1] > CLEARLY:
        return (
            f"a head of layer 1 looks at the right key ({looks[1]:.2f} of its attention), but the "
            "token there does not come out largest: follow it through W_V, W_O and W_U."
        )
    if float(trial.before.max()) < CLEARLY:
        return (
            f"{at_right}, and none of layer 0 more than {float(trial.before.max()):.2f} on the "
            "position before: if a previous-token head is meant, its scores are too small, or its "
            "positions are off."
        )
    if looks[1] > 2 * trial.chance and most == 1:
        return f"{at_right}: it is found, but the scores are too small for the softmax to choose."
    return (
        f"a head of layer 0 looks at the position before, but {at_right}: follow the token that "
        "it writes, through W_V and W_O, to what layer 1's W_K reads."
    )
