"""code-2l's induction head by looking, by taking out and by cutting a path: the same head.

Held against In-context Learning and Induction Heads (2022), whose argument rests on patterns and
ablations, with path patching beside them. The ranges leave a margin around five draws of the texts.
"""

import pytest
import torch
from torch import Tensor

from mechcourse import zoo
from mechcourse.data import code_tokens, repeated_sequences
from mechcourse.measures import induction_score
from mechcourse.models import Transformer
from mechcourse.training import next_token_losses

pytestmark = pytest.mark.science

Head = tuple[int, int]
HEADS = [(layer, head) for layer in range(2) for head in range(4)]


@pytest.fixture(scope="module")
def model() -> Transformer:
    return zoo.load("code-2l")


@pytest.fixture(scope="module")
def frequent() -> Tensor:
    """Tokens that occur often: about others the model can't be asked."""
    return (torch.bincount(code_tokens("train"), minlength=512) >= 1000).nonzero()[:, 0]


def losses_without(model: Transformer, tokens: Tensor, mask: Tensor, heads: list[Head]) -> float:
    """Mean loss on a mask's tokens with heads' outputs replaced by their means, in nats."""

    def level(head: int):
        def hook(z: Tensor, _point: object) -> Tensor:
            z = z.clone()
            z[:, :, head] = z[:, :, head].mean(dim=(0, 1))
            return z

        return hook

    hooks = [(f"blocks.{layer}.attn.hook_z", level(head)) for layer, head in heads]
    with torch.no_grad():
        logits = model.run_with_hooks(tokens, fwd_hooks=hooks)
    return float(next_token_losses(logits, tokens)[mask[:, 1:]].mean())


def pairs_swapped(frequent: Tensor, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """`… A B … D C … A` and `… D B … A C … A`, among 64 different tokens, and B and C."""
    random = torch.Generator().manual_seed(seed)
    order = torch.stack([torch.randperm(len(frequent), generator=random) for _ in range(64)])
    clean, text = frequent[order[:, :64]], torch.arange(64)
    a, d = 2 * torch.stack([torch.randperm(31, generator=random)[:2] for _ in range(64)]).T
    clean[:, -1] = clean[text, a]
    swapped = clean.clone()
    swapped[text, a], swapped[text, d] = clean[text, d], clean[text, a]
    return clean, swapped, clean[text, a + 1], clean[text, d + 1]


def path_shares(
    model: Transformer, frequent: Tensor, seed: int
) -> dict[tuple[int, int, str], float]:
    """By layer-0 head, layer-1 head and way in, the share of the logit difference that is lost."""
    clean, swapped, right, wrong = pairs_swapped(frequent, seed)

    def difference(logits: Tensor) -> float:
        last = logits[:, -1]
        return float((last.gather(1, right[:, None]) - last.gather(1, wrong[:, None])).mean())

    result = "blocks.0.attn.hook_result"
    shares = {}
    with torch.no_grad():
        clean_logits, here = model.run_with_cache(clean, names=[result])
        swapped_logits, there = model.run_with_cache(swapped, names=[result])
        full, none = difference(clean_logits), difference(swapped_logits)
        for sender in range(4):
            change = (there[result] - here[result])[:, :, sender]
            for receiver in range(4):
                for kind in "QKV":
                    added = change @ getattr(model.blocks[1].attn, f"W_{kind}")[receiver]

                    def hook(x: Tensor, _point: object, h: int = receiver, more: Tensor = added):
                        x = x.clone()
                        x[:, :, h] += more
                        return x

                    name = f"blocks.1.attn.hook_{kind.lower()}"
                    patched = difference(model.run_with_hooks(clean, fwd_hooks=[(name, hook)]))
                    shares[sender, receiver, kind] = (full - patched) / (full - none)
    return shares


def test_three_measures_name_one_head(model: Transformer, frequent: Tensor) -> None:
    places, mask = repeated_sequences(
        16, 256, len(frequent), periods=(16, 64), offsets=(0, 15), seed=0
    )
    tokens = frequent[places]
    names = [f"blocks.{layer}.attn.hook_pattern" for layer in range(2)]
    with torch.no_grad():
        _, cache = model.run_with_cache(tokens, names=names)
    looking = torch.cat([induction_score(cache[name], tokens) for name in names])
    whole = losses_without(model, tokens, mask, [])
    missing = torch.tensor([losses_without(model, tokens, mask, [h]) - whole for h in HEADS])
    shares = path_shares(model, frequent, seed=0)
    cutting = torch.tensor([shares[3, receiver, "K"] for receiver in range(4)])

    induction = HEADS.index((1, 3))
    assert looking.argmax() == missing.argmax() == 4 + cutting.argmax() == induction
    assert looking[induction] >= 0.4 and looking.topk(2).values[1] <= 0.05
    assert missing[induction] >= 3 and missing[4:7].max() <= 0.1, "nats; the others of its layer"
    assert missing[3] >= 3, "and the head that looks one back"
    assert cutting[3] >= 0.75 and cutting[:3].abs().max() <= 0.05


@pytest.mark.parametrize("seed", [1, 2])
def test_the_path_is_by_keys(model: Transformer, frequent: Tensor, seed: int) -> None:
    shares = path_shares(model, frequent, seed)
    assert 0.75 <= shares.pop((3, 3, "K")) <= 0.95
    assert 0.05 <= shares.pop((0, 3, "K")) <= 0.3
    assert max(map(abs, shares.values())) <= 0.06, "all 46 other paths"


def test_taking_out_the_previous_token_head_takes_the_looking_away(
    model: Transformer, frequent: Tensor
) -> None:
    places, _ = repeated_sequences(
        16, 256, len(frequent), periods=(16, 64), offsets=(0, 15), seed=0
    )
    tokens, name = frequent[places], "blocks.1.attn.hook_pattern"
    seen: list[Tensor] = []

    def silence(z: Tensor, _point: object) -> Tensor:
        z = z.clone()
        z[:, :, 3] = 0
        return z

    for hooks in ([], [("blocks.0.attn.hook_z", silence)]):
        with torch.no_grad(), model.hooked(hooks):
            _, cache = model.run_with_cache(tokens, names=[name])
        seen.append(induction_score(cache[name], tokens)[3])
    assert seen[1] <= 0.2 * seen[0], "at least 80 % of the induction score is gone"
