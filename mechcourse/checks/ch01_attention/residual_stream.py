"""Checks of `ch01_attention/1_residual_stream.ipynb`."""

import math

import torch
from einops import einsum
from torch import Tensor

from mechcourse.checks import Answer, check
from mechcourse.checks import _inputs as inputs
from mechcourse.checks import _slow as slow

TEACHES = (
    "mechcourse.models.Attention.forward",
    "mechcourse.models.Attention.fused",
    "mechcourse.models.Block.forward",
    "mechcourse.models.Transformer.forward",
)

QKV = "batch pos head d_head"
PATTERN = "batch head query key"


@check
def check_queries_keys_values(answer: Answer, *, seed: int = 0) -> None:
    """Each head reads its queries and keys from stream plus positions, values from the stream."""
    random = inputs.generator(seed)
    for n_batch, n_pos in ((2, 5), (3, 1)):
        residual = inputs.normal(random, n_batch, n_pos, 7)
        W_pos = inputs.normal(random, 9, 7)
        reads = [inputs.normal(random, 3, 7, 4) for _ in range(3)]
        got = answer.expect_tuple(answer(residual, W_pos, *reads), ("queries", "keys", "values"))
        placed = residual + W_pos[:n_pos]
        late = residual + W_pos[-n_pos:]
        for name, value, weight in zip(("queries", "keys"), got, reads, strict=False):
            answer.expect_close(
                value,
                _read(placed, weight),
                property=f"{name} are read from the residual stream plus the position vectors",
                dims=QKV,
                misconceptions={
                    f"the {name} were read from the stream without the positions.": _read(
                        residual, weight
                    ),
                    "the last rows of W_pos were added: position 0 has the first row.": _read(
                        late, weight
                    ),
                    "queries and keys are in each other's place.": _read(
                        placed, reads[1] if weight is reads[0] else reads[0]
                    ),
                },
            )
        answer.expect_close(
            got[2],
            _read(residual, reads[2]),
            property="values are read from the residual stream alone",
            dims=QKV,
            misconceptions={
                "positions were added to what the values are read from; in this model a head moves "
                "what is in the stream, and positions are not.": _read(placed, reads[2]),
                "values were read with W_K.": _read(residual, reads[1]),
            },
        )


@check
def check_attention_pattern(answer: Answer, *, seed: int = 0) -> None:
    """Scaled scores, a causal mask, a softmax over the keys."""
    random = inputs.generator(seed)
    for n_batch, n_pos, n_heads, d_head in ((2, 5, 3, 4), (1, 4, 2, 6), (3, 1, 2, 4)):
        q = 1.5 * inputs.normal(random, n_batch, n_pos, n_heads, d_head)
        k = 1.5 * inputs.normal(random, n_batch, n_pos, n_heads, d_head)
        answer.expect_close(
            answer(q, k),
            slow.attention_pattern(q, k),
            property="each query spreads an attention of 1 over the keys up to its own position, "
            "by a softmax of scores that are scaled by 1 / sqrt(d_head)",
            dims=PATTERN,
            misconceptions={} if n_pos == 1 else _wrong_patterns(q, k),
        )
    q, k = 20 * inputs.normal(random, 2, 6, 3, 4), 20 * inputs.normal(random, 2, 6, 3, 4)
    answer.expect_close(
        answer(q, k),
        slow.attention_pattern(q, k),
        property="scores in the hundreds give a pattern too",
        dims=PATTERN,
        misconceptions={},
    )


@check
def check_head_outputs(answer: Answer, *, seed: int = 0) -> None:
    """What each head writes to the residual stream, head by head."""
    random = inputs.generator(seed)
    for n_batch, n_pos in ((2, 5), (3, 1)):
        q, k = (inputs.normal(random, n_batch, n_pos, 3, 4) for _ in range(2))
        pattern = slow.attention_pattern(q, k).float()
        v, W_O = inputs.normal(random, n_batch, n_pos, 3, 4), inputs.normal(random, 3, 4, 7)
        got = answer(pattern, v, W_O)
        if isinstance(got, Tensor) and got.shape == (n_batch, n_pos, 7):
            answer.fail(
                property="each head's write is kept apart",
                misconception="the heads' writes were added up; keep the head axis.",
                expected=f"shape [batch pos head d_model] = {[n_batch, n_pos, 3, 7]}",
                got=f"shape {list(got.shape)}",
            )
        turned = pattern.transpose(-1, -2)
        answer.expect_close(
            got,
            _write(pattern, v, W_O),
            property="a head's write at a position is its attention-weighted mean of values, "
            "through its own W_O",
            dims="batch pos head d_model",
            misconceptions={}
            if n_pos == 1
            else {
                "the pattern was used the wrong way round: a query sums over keys.": _write(
                    turned, v, W_O
                ),
                "every head was written through the first head's W_O.": _write(
                    pattern, v, W_O[:1].expand(3, -1, -1)
                ),
                "the values were moved without attention.": _write(
                    torch.eye(n_pos).expand_as(pattern), v, W_O
                ),
                "the heads were averaged.": lambda p=pattern, v=v, w=W_O: _write(p, v, w) / 3,
            },
        )


@check
def check_attention_only_logits(answer: Answer, *, seed: int = 0) -> None:
    """The whole forward pass, for models of no, one, two and three layers."""
    random = inputs.generator(seed)
    for n_layers, n_batch, n_pos, n_heads in (
        (0, 2, 5, 3),
        (1, 2, 5, 3),
        (2, 3, 4, 2),
        (3, 1, 9, 3),
    ):
        weights = inputs.transformer_weights(random, n_layers=n_layers, n_heads=n_heads)
        tokens = inputs.integers(random, 11, n_batch, n_pos)
        answer.expect_close(
            answer(tokens, weights),
            slow.logits(tokens, weights),
            property=f"the logits of a model with {n_layers} layers",
            dims="batch pos d_vocab",
            misconceptions=_wrong_logits(tokens, weights, n_layers),
            atol=1e-4,
        )
    weights = inputs.transformer_weights(random, n_layers=2)
    tokens = inputs.integers(random, 11, 1, 1)
    answer.expect_close(
        answer(tokens, weights),
        slow.logits(tokens, weights),
        property="a text of one token works",
        dims="batch pos d_vocab",
        atol=1e-4,
    )


@check
def check_bigram_logits(answer: Answer, *, seed: int = 0) -> None:
    """The 0-layer model as a table: row by the current token, column by the next."""
    random = inputs.generator(seed)
    W_E, W_U = inputs.normal(random, 11, 7), inputs.normal(random, 7, 11)
    table = W_E.double() @ W_U.double()
    answer.expect_close(
        answer(W_E, W_U),
        table,
        property="row a holds the logits that the model gives after token a",
        dims="current next",
        misconceptions={
            "rows are the current token, columns the next.": table.T,
            "these are probabilities: leave the softmax out.": table.softmax(-1),
            "these are log-probabilities: leave the log-softmax out.": table.log_softmax(-1),
            "the rows were centred; give the logits as the model does.": table
            - table.mean(-1, keepdim=True),
        },
    )


@check
def check_kl_to_bigrams(answer: Answer, *, seed: int = 0) -> None:
    """A mean over current tokens of the divergence between counted and modelled next tokens."""
    random = inputs.generator(seed)
    logits = inputs.normal(random, 6, 6)
    counts = inputs.integers(random, 9, 6, 6).double()
    counts[2] *= 7  # some tokens are common,
    logits[2] *= 4  # and the model is wrong about those
    counts[4] = 0  # and one is never seen
    for direction in ("data_to_model", "model_to_data"):
        for smoothing in (0.5, 2.0):
            answer.expect_close(
                answer(logits, counts, direction=direction, smoothing=smoothing),
                _mean_kl(logits, counts, direction, smoothing),
                property=f'in the direction "{direction}" it is the mean divergence in nats, '
                "weighted by how often each token was seen",
                misconceptions=_wrong_kl(logits, counts, direction, smoothing),
            )
    answer.expect_close(
        answer(logits, counts, direction="data_to_model", smoothing=0.0),
        _mean_kl(logits, counts, "data_to_model", 0.0),
        property="without smoothing, pairs and tokens that never occur add nothing "
        "to the divergence from the data to the model",
    )
    exact = (counts + 1.0).log()
    exact[4] = inputs.normal(random, 6)
    seen = counts.clone()
    seen[seen.sum(1) > 0] += 1.0
    answer.expect_close(
        answer(exact, seen, direction="model_to_data", smoothing=0.0),
        0.0,
        property="it is 0 for a model that has the counted frequencies",
    )


@check
def check_logit_attribution(answer: Answer, *, seed: int = 0) -> None:
    """Each component's own part in the logit of the token in question."""
    random = inputs.generator(seed)
    for n_components, n_pos in ((4, 5), (6, 1)):
        components, W_U = (
            inputs.normal(random, n_components, n_pos, 7),
            inputs.normal(random, 7, 11),
        )
        targets = inputs.integers(random, 11, n_pos)
        every = components.double() @ W_U.double()
        right = _at_targets(every, targets)
        answer.expect_close(
            answer(components, W_U, targets),
            right,
            property="each component's write, through W_U, at the target token of its position",
            dims="component pos",
            misconceptions={
                "the target of another position was used.": _at_targets(every, targets.roll(1)),
                "this is a part of the log-probability; the logit is asked for.": _at_targets(
                    every.log_softmax(-1), targets
                ),
                "the components are in another order.": right.flip(0),
            }
            if n_pos > 1
            else {},
        )


@check
def check_update_norms(answer: Answer, *, seed: int = 0) -> None:
    """Each layer's update, measured against the stream that it joins."""
    random = inputs.generator(seed)
    stream = inputs.normal(random, 4, 2, 5, 7, dtype=torch.float64)
    stream *= 1 + 3 * torch.rand(1, 2, 5, 1, generator=random, dtype=torch.float64)
    stream[3] = stream[2]  # a layer that writes nothing
    got = answer.expect_tuple(answer(stream.float()), ("ratio", "cosine"))
    before, after = stream[:-1], stream[1:]
    update = after - before
    ratio = (update.norm(dim=-1) / before.norm(dim=-1)).mean((1, 2))
    answer.expect_close(
        got[0],
        ratio,
        property="the ratio is the update's length over the length of the stream before it, "
        "averaged over texts and positions",
        dims="layer",
        misconceptions={
            "the update was divided by the stream after it.": (
                update.norm(dim=-1) / after.norm(dim=-1)
            ).mean((1, 2)),
            "a ratio of means was taken; take the ratio at each position, then the mean.": (
                update.norm(dim=-1).mean((1, 2)) / before.norm(dim=-1).mean((1, 2))
            ),
            "lengths were squared.": (update.norm(dim=-1) / before.norm(dim=-1))
            .square()
            .mean((1, 2)),
            "this compares the stream after a layer with the stream before it.": (
                after.norm(dim=-1) / before.norm(dim=-1)
            ).mean((1, 2)),
            "one length was taken over all texts and positions.": (
                update.flatten(1).norm(dim=1) / before.flatten(1).norm(dim=1)
            ),
            "the ratio is upside down.": lambda: (before.norm(dim=-1) / update.norm(dim=-1)).mean(
                (1, 2)
            ),
        },
    )
    cosine = torch.cosine_similarity
    answer.expect_close(
        got[1],
        cosine(update, before, dim=-1).mean((1, 2)),
        property="the cosine is between the update and the stream before it, averaged likewise, "
        "and 0 where a layer writes nothing",
        dims="layer",
        misconceptions={
            "the cosine was taken with the stream after the update.": cosine(
                update, after, dim=-1
            ).mean((1, 2)),
            "the cosine was taken between the stream before and the stream after.": cosine(
                before, after, dim=-1
            ).mean((1, 2)),
            "the sign is the wrong way round.": -cosine(update, before, dim=-1).mean((1, 2)),
        },
    )


@check
def check_rotate_residual_stream(answer: Answer, *, seed: int = 0) -> None:
    """Every state of the stream is turned, and the logits do not notice."""
    random = inputs.generator(seed)
    for n_layers in (2, 0):
        weights = inputs.transformer_weights(random, n_layers=n_layers)
        turn = inputs.rotation(random, 7)
        tokens = inputs.integers(random, 11, 2, 5)
        new = answer.expect_dict(answer(weights, turn), list(weights))
        for name, old in weights.items():
            new[name] = answer.tensor(
                new[name], shape=tuple(old.shape), of=f"{name} keeps its shape"
            )
        states, turned = slow.stream(tokens, weights), slow.stream(tokens, new)
        answer.expect_close(
            turned[0],
            states[0] @ turn.double(),
            property="the embeddings are turned: each state x of the stream becomes x @ rotation",
            dims="batch pos d_model",
            misconceptions={
                "the stream was left as it was.": states[0],
                "the stream was turned the other way, by rotation.T.": states[0] @ turn.T.double(),
            },
        )
        answer.expect_close(
            turned,
            states @ turn.double(),
            property="after every layer the stream is the old one turned",
            dims="layer batch pos d_model",
            otherwise=_unlike(new, weights, turn),
            atol=1e-4,
        )
        answer.expect_close(
            slow.logits(tokens, new),
            slow.logits(tokens, weights),
            property="the logits stay as they were",
            dims="batch pos d_vocab",
            otherwise=_unlike(new, weights, turn),
            atol=1e-4,
        )


@check
def check_centred_logit_attribution(answer: Answer, *, seed: int = 0) -> None:
    """Attribution to a logit above the mean of all logits."""
    random = inputs.generator(seed)
    for n_components, n_pos in ((4, 5), (6, 1)):
        components = inputs.normal(random, n_components, n_pos, 7)
        W_U = inputs.normal(random, 7, 11) + 1.5 * inputs.normal(random, 7, 1)
        targets = inputs.integers(random, 11, n_pos)
        every = components.double() @ W_U.double()
        raw = _at_targets(every, targets)
        answer.expect_close(
            answer(components, W_U, targets),
            raw - every.mean(-1),
            property="a component's part in the target's logit, less the mean of its parts in "
            "all logits",
            dims="component pos",
            misconceptions={
                "nothing was subtracted.": raw,
                "the mean was taken over the components; take it over the vocabulary.": raw
                - raw.mean(0, keepdim=True),
                "the mean was taken over the other tokens; take it over the whole vocabulary.": raw
                - (every.sum(-1) - raw) / 10,
                "the mean over the vocabulary was added.": raw + every.mean(-1),
            }
            | (
                {
                    "the mean was taken over the positions; take it over the vocabulary.": raw
                    - raw.mean(1, keepdim=True)
                }
                if n_pos > 1
                else {}
            ),
        )


@check
def check_attribution_disagreement(answer: Answer, *, seed: int = 0) -> None:
    """A built case: raw attribution names a head that does not matter."""
    for n_heads, d_model, d_vocab in ((2, 4, 5), (5, 8, 12)):
        got = answer(n_heads, d_model, d_vocab)
        heads, W_U, target = answer.expect_tuple(got, ("head_writes", "W_U", "target"))
        heads = answer.tensor(
            heads, shape=(n_heads, d_model), dims="head d_model", of="head_writes"
        ).double()
        W_U = answer.tensor(
            W_U, shape=(d_model, d_vocab), dims="d_model d_vocab", of="W_U"
        ).double()
        target = answer.tensor(target, shape=(), of="target")
        answer.expect(
            not target.is_floating_point() and 0 <= int(target) < d_vocab,
            property="the target is a token of the vocabulary",
            expected=f"a whole number from 0 to {d_vocab - 1}",
            got=str(target.item()),
        )
        answer.expect(
            heads.isfinite().all() and W_U.isfinite().all(),
            property="all values are finite",
        )
        _hold_disagreement(answer, heads @ W_U, int(target))


def _hold_disagreement(answer: Answer, parts: Tensor, target: int) -> None:
    """Hold that raw and centred attribution disagree, and that the centred one is right.

    Args:
        parts: each head's part in each logit, [head d_vocab].
    """
    raw = parts[:, target]
    centred = raw - parts.mean(-1)
    for name, values in (("raw", raw), ("centred", centred)):
        best = values.topk(2).values
        answer.expect(
            best[0] - best[1] >= 0.5,
            property=f"{name} attribution has a clear first head, by at least 0.5 logits",
            got=f"{best[0]:.3g} and {best[1]:.3g} as the two largest",
        )
    first, second = int(raw.argmax()), int(centred.argmax())
    answer.expect(
        first != second,
        property="the two attributions put different heads first",
        got=f"head {first} first by both",
    )
    whole = parts.sum(0).log_softmax(-1)[target]
    without = [(parts.sum(0) - parts[h]).log_softmax(-1)[target] for h in (first, second)]
    lost = [float(whole - value) for value in without]
    answer.expect(
        abs(lost[0]) <= 0.05,
        property="removing the head that raw attribution puts first changes the target's "
        "log-probability by at most 0.05 nats",
        misconception="it raises the target more than it raises the other tokens.",
        got=f"head {first}, whose removal costs {lost[0]:.3g} nats",
    )
    answer.expect(
        lost[1] >= 0.5,
        property="removing the head that centred attribution puts first costs the target at least "
        "0.5 nats",
        misconception="the target is so likely, or so unlikely, that no head matters.",
        got=f"head {second}, whose removal costs {lost[1]:.3g} nats",
    )


@check
def check_attribution_percentile(answer: Answer, *, seed: int = 0) -> None:
    """The share of the other tokens that a component raises less than the target."""
    random = inputs.generator(seed)
    for n_components, n_pos in ((4, 5), (6, 1)):
        # Whole numbers, so that ties are exact in whatever order the products are summed.
        components = inputs.integers(random, 9, n_components, n_pos, 7).float() - 4
        W_U = inputs.integers(random, 9, 7, 11).float() - 4
        W_U[:, 3] = W_U[:, 8]  # two tokens that nothing tells apart
        components[1] = 0  # a component that writes nothing
        targets = inputs.integers(random, 11, n_pos)
        targets[0] = 8
        every = components.double() @ W_U.double()
        of_target = _at_targets(every, targets)[..., None]
        beaten = (every < of_target).double().sum(-1)
        ties = (every == of_target).double().sum(-1) - 1
        answer.expect_close(
            answer(components, W_U, targets),
            _share_beaten(every, targets),
            property="the share of the other tokens that get less than the target, ties counting "
            "one half",
            dims="component pos",
            misconceptions={
                "tokens that get as much as the target count one half; they were left out.": beaten
                / 10,
                "tokens that get as much as the target count one half; they were counted whole.": (
                    beaten + ties
                )
                / 10,
                "the target ties with itself; it is not among the other tokens.": (
                    beaten + (ties + 1) / 2
                )
                / 10,
                "the target is not among the other tokens: divide by d_vocab - 1.": (
                    beaten + ties / 2
                )
                / 11,
                "the share is upside down: it counts the tokens that get more.": 1
                - (beaten + ties / 2) / 10,
                "this is a count; divide it by d_vocab - 1.": beaten + ties / 2,
                "sizes were compared without their signs.": _share_beaten(every.abs(), targets),
            },
        )


def _share_beaten(every: Tensor, targets: Tensor) -> Tensor:
    """The definition as a loop over tokens.

    Args:
        every: each component's part in each logit, [component pos d_vocab].
    """
    shares = torch.zeros(every.shape[:2], dtype=torch.float64)
    for c, of_component in enumerate(every.tolist()):
        for i, (logits, target) in enumerate(zip(of_component, targets.tolist(), strict=True)):
            rivals = [x for token, x in enumerate(logits) if token != target]
            points = [1.0 if x < logits[target] else 0.5 * (x == logits[target]) for x in rivals]
            shares[c, i] = sum(points) / len(rivals)
    return shares


def _read(stream: Tensor, weight: Tensor) -> Tensor:
    return einsum(stream.double(), weight.double(), "b p m, h m d -> b p h d")


def _write(pattern: Tensor, v: Tensor, W_O: Tensor) -> Tensor:
    moved = einsum(pattern.double(), v.double(), "b h q k, b k h d -> b q h d")
    return einsum(moved, W_O.double(), "b q h d, h d m -> b q h m")


def _at_targets(values: Tensor, targets: Tensor) -> Tensor:
    return torch.stack([values[:, i, t] for i, t in enumerate(targets.tolist())], dim=1)


def _wrong_patterns(q: Tensor, k: Tensor) -> dict[str, Tensor]:
    """Patterns with one mistake each."""
    n_pos, d_head = q.shape[1], q.shape[-1]
    scores = einsum(q.double(), k.double(), "b i h d, b j h d -> b h i j")
    scaled = scores / math.sqrt(d_head)
    future = torch.ones(n_pos, n_pos, dtype=torch.bool).triu(1)
    hidden = scaled.masked_fill(future, -torch.inf)
    strict = scaled.masked_fill(future | torch.eye(n_pos, dtype=torch.bool), -torch.inf)
    return {
        "the scores were not divided by sqrt(d_head).": scores.masked_fill(
            future, -torch.inf
        ).softmax(-1),
        "the scores were divided by d_head, not by its square root.": (scores / d_head)
        .masked_fill(future, -torch.inf)
        .softmax(-1),
        "the scores were divided by the square root of the wrong axis's size.": (
            scores / math.sqrt(q.shape[-2] * d_head)
        )
        .masked_fill(future, -torch.inf)
        .softmax(-1),
        "nothing keeps a query from looking at later keys.": scaled.softmax(-1),
        "the softmax came before the mask, so the rows do not sum to 1.": scaled.softmax(
            -1
        ).masked_fill(future, 0),
        "scores of later keys were set to 0, which still attends to them.": scaled.masked_fill(
            future, 0
        ).softmax(-1),
        "a query may look at its own position too.": strict.softmax(-1).nan_to_num(0.0),
        "the mask hides earlier keys instead of later ones.": scaled.masked_fill(
            future.T, -torch.inf
        ).softmax(-1),
        "the softmax runs over the queries; it runs over the keys.": hidden.softmax(-2),
        "queries and keys are in each other's place.": scaled.mT.masked_fill(
            future, -torch.inf
        ).softmax(-1),
        "these are scores; the softmax is missing.": hidden,
    }


def _wrong_logits(tokens: Tensor, weights: dict[str, Tensor], n_layers: int) -> dict[str, Tensor]:
    """Logits of forward passes with one mistake each."""
    if n_layers == 0:
        states = slow.stream(tokens, weights)[0] + weights["pos_embed.W_pos"][: tokens.shape[1]]
        return {
            "positions were added to the residual stream; they reach queries and keys only.": (
                states @ weights["unembed.W_U"].double()
            )
        }
    wrong = {
        "positions were added to the residual stream; they reach queries and keys only.": _forward(
            tokens, weights, n_layers, positions_in_stream=True
        ),
        "the skip connection is missing: a layer adds to the stream.": _forward(
            tokens, weights, n_layers, skip=False
        ),
        "nothing keeps a query from looking at later keys.": _forward(
            tokens, weights, n_layers, causal=False
        ),
        "positions reach neither queries nor keys.": slow.logits(
            tokens, weights | {"pos_embed.W_pos": 0 * weights["pos_embed.W_pos"]}
        ),
        "the attention layers were left out.": slow.stream(tokens, weights)[0]
        @ weights["unembed.W_U"].double(),
    }
    if n_layers > 1:
        wrong |= {
            "every layer reads the embeddings; a layer reads what the one before it left.": (
                _forward(tokens, weights, n_layers, in_parallel=True)
            ),
            "only the first layer was run.": _forward(tokens, weights, 1),
            "the layers ran in the wrong order.": _forward(tokens, weights, n_layers, reverse=True),
            "every layer used the first layer's weights.": _forward(
                tokens, weights, n_layers, same=True
            ),
        }
    return wrong


def _forward(
    tokens: Tensor,
    weights: dict[str, Tensor],
    n_layers: int,
    *,
    positions_in_stream: bool = False,
    skip: bool = True,
    causal: bool = True,
    in_parallel: bool = False,
    reverse: bool = False,
    same: bool = False,
) -> Tensor:
    """A forward pass with a mistake to choose."""
    w = {name: value.double() for name, value in weights.items()}
    n_pos = tokens.shape[1]
    positions = w["pos_embed.W_pos"][:n_pos]
    states = embedded = w["embed.W_E"][tokens] + (positions if positions_in_stream else 0)
    order = reversed(range(n_layers)) if reverse else range(n_layers)
    for layer in order:
        prefix = f"blocks.{0 if same else layer}.attn."
        source = embedded if in_parallel else states
        placed = source if positions_in_stream else source + positions
        q, k = _read(placed, w[prefix + "W_Q"]), _read(placed, w[prefix + "W_K"])
        scores = einsum(q, k, "b i h d, b j h d -> b h i j") / math.sqrt(q.shape[-1])
        future = torch.ones(n_pos, n_pos, dtype=torch.bool).triu(1)
        scores = scores.masked_fill(future, -torch.inf) if causal else scores
        moved = _write(scores.softmax(-1), _read(source, w[prefix + "W_V"]), w[prefix + "W_O"])
        states = moved.sum(2) + (states if skip else 0)
    return states @ w["unembed.W_U"]


def _mean_kl(logits: Tensor, counts: Tensor, direction: str, smoothing: float) -> float:
    """The definition as a loop over pairs of tokens."""
    model, total = logits.double().softmax(-1).tolist(), float(counts.sum())
    mean = 0.0
    for row, predicted in zip(counts.tolist(), model, strict=True):
        seen, mass = sum(row), sum(row) + smoothing * len(row)
        for count, q in zip(row, predicted, strict=True):
            if not seen:
                continue
            p = (count + smoothing) / mass
            first, second = (p, q) if direction == "data_to_model" else (q, p)
            mean += seen / total * (first * math.log(first / second) if first else 0.0)
    return mean


def _wrong_kl(
    logits: Tensor, counts: Tensor, direction: str, smoothing: float
) -> dict[str, Tensor | float]:
    """Divergences with one mistake each."""
    right = _mean_kl(logits, counts, direction, smoothing)
    other = {"data_to_model": "model_to_data", "model_to_data": "data_to_model"}[direction]
    n = len(counts)
    p = (counts + smoothing) / (counts + smoothing).sum(-1, keepdim=True)
    q = logits.double().softmax(-1)
    rows = (p * (p / q).log() if direction == "data_to_model" else q * (q / p).log()).sum(-1)
    smooth_weight = (counts.sum(-1) + n * smoothing) / (counts.sum() + n * n * smoothing)
    wrong_smoothing = {
        f"another smoothing than the argument was used ({s:g}).": _mean_kl(
            logits, counts, direction, s
        )
        for s in (0.5, 1.0, 2.0)
        if s != smoothing
    }
    return {
        f'this is the direction "{other}".': _mean_kl(logits, counts, other, smoothing),
        "all tokens count alike; weight each by how often it was seen.": rows.mean(),
        "the weights were smoothed too; they are the counts as they are.": rows @ smooth_weight,
        "the tokens' divergences were added up; take their weighted mean.": rows.sum(),
        "this is in bits; give nats.": right / math.log(2),
        "the sign is the wrong way round.": -right,
        "counts were read with the next token as the row.": _mean_kl(
            logits, counts.T, direction, smoothing
        ),
        **wrong_smoothing,
    }


def _unlike(new: dict[str, Tensor], weights: dict[str, Tensor], turn: Tensor) -> str:
    """Which weight is not turned as it should be, in words."""
    turn = turn.double()
    for name, old in weights.items():
        reads = name.endswith(("W_Q", "W_K", "W_V", "W_U"))
        right = turn.T @ old.double() if reads else old.double() @ turn
        if not torch.allclose(new[name].double(), right, atol=1e-4):
            how = (
                "reads from the stream, so rotation.T @ it" if reads else "writes, so it @ rotation"
            )
            return f"{name} is not turned as it should be: it {how} is asked for."
    return "the weights do not fit each other."
