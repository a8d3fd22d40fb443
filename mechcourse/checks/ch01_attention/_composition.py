"""Definitions and named mistakes behind the checks of `ch01_attention/3_composition.ipynb`."""

import math
import statistics
from collections.abc import Callable, Sequence
from itertools import chain, pairwise
from typing import Any

import torch
from einops import einsum
from torch import Tensor

from mechcourse.checks import _inputs as inputs
from mechcourse.checks import _slow as slow

Layer = dict[str, Tensor]
Weights = inputs.Weights
READS = {"Q": ("W_Q", "W_K"), "K": ("W_K", "W_Q"), "V": ("W_V", "W_O")}  # what reads, what follows
DIMS = {
    "W_E": "d_vocab d_model",
    "W_pos": "n_ctx d_model",
    "W_U": "d_model d_vocab",
    **dict.fromkeys(("W_Q", "W_K", "W_V"), "head d_model d_head"),
    "W_O": "head d_head d_model",
}
INPUT = {"Q": "queries", "K": "keys", "V": "values"}
POSITIONS_IN_STREAM = "positions were added to the stream; queries and keys alone read them."
Path = tuple[int, int, str]  # a head of layer 0, a head of layer 1, the input that is cut


def layer(random: torch.Generator, n_heads: int, d_model: int, d_head: int) -> Layer:
    """A layer's weights: heads of different sizes, and no circuit that is symmetric."""
    weights = {name: inputs.normal(random, n_heads, d_model, d_head) for name in "QKV"}
    weights["O"] = inputs.normal(random, n_heads, d_head, d_model)
    sizes = 0.5 + 2 * torch.rand(4, n_heads, 1, 1, generator=random)
    return {f"W_{name}": w * size for (name, w), size in zip(weights.items(), sizes, strict=True)}


# ------------------------------------------------------------------------------ scores and circuits


def composition_scores(earlier: Layer, later: Layer, kind: str) -> Tensor:
    """The definition, a pair of heads at a time."""
    rows = []
    for writer in range(len(earlier["W_O"])):
        written = _product(earlier["W_V"][writer], earlier["W_O"][writer])
        row = []
        for reader in range(len(later["W_O"])):
            first, then = (later[name][reader] for name in READS[kind])
            read = _product(first, then if kind == "V" else then.T)
            whole = _length(written) * _length(read)
            row.append(_length(_times(written, read)) / whole if whole else 0.0)
        rows.append(row)
    return torch.tensor(rows, dtype=torch.float64)


def virtual_circuits(earlier: Layer, later: Layer) -> Tensor:
    """What moves through two heads, a pair at a time, [earlier later d_model d_model]."""
    one, other = (
        [_product(W_V, W_O) for W_V, W_O in zip(weights["W_V"], weights["W_O"], strict=True)]
        for weights in (earlier, later)
    )
    return torch.tensor([[_times(a, b) for b in other] for a in one], dtype=torch.float64)


def _product(a: Tensor, b: Tensor) -> slow.Matrix:
    return _times(a.double().tolist(), b.double().tolist())


def _times(a: slow.Matrix, b: slow.Matrix) -> slow.Matrix:
    return [slow.vector_times_matrix(row, b) for row in a]


def _length(a: slow.Matrix) -> float:
    return math.hypot(*chain.from_iterable(a))


def ov(weights: Layer) -> Tensor:
    """Each head's W_V @ W_O, [head d_model d_model]."""
    return weights["W_V"].double() @ weights["W_O"].double()


def reading(weights: Layer, kind: str) -> Tensor:
    """By what each head reads the stream, [head d_model d_model]."""
    first, then = (weights[name].double() for name in READS[kind])
    return first @ (then if kind == "V" else then.mT)


def ratio(a: Tensor, b: Tensor, norm: str | int = "fro") -> Tensor:
    """A norm of each product over the product of the norms, [earlier later]."""
    a, b = a[:, None], b[None]
    sizes = [torch.linalg.matrix_norm(x, norm) for x in (a @ b, a, b)]
    return sizes[0] / (sizes[1] * sizes[2])


def wrong_scores(earlier: Layer, later: Layer, kind: str) -> dict[str, Tensor]:
    """Composition scores with one mistake each."""
    a, b = ov(earlier), reading(later, kind)
    right = ratio(a, b)
    joined = (a[:, None] @ b[None]).norm(dim=(-2, -1))
    sizes = [x.norm(dim=(-2, -1)) for x in (a, b)]
    inner = einsum(a, b, "e m n, l m n -> e l") / (sizes[0][:, None] * sizes[1])
    first = later[READS[kind][0]].double()
    wrong = {
        f'this is the score for "{other}"; kind was "{kind}".': ratio(a, reading(later, other))
        for other in "QKV"
        if other != kind
    }
    wrong |= {
        "the norm of the product was not divided by the product of the norms.": joined,
        "it was divided by the earlier head's norm alone.": joined / sizes[0][:, None],
        "it was divided by the later head's norm alone.": joined / sizes[1],
        "one norm was taken over all heads of a layer; each head has its own.": joined
        / (a.norm() * b.norm()),
        "these are largest singular values; the Frobenius norm is asked for.": ratio(a, b, 2),
        "these are sums of singular values; the Frobenius norm is asked for.": ratio(a, b, "nuc"),
        "the score was squared; take the norm itself.": right**2,
        "the earlier head's W_V @ W_O was transposed: rows are states, so what it writes comes "
        "out on the right.": ratio(a.mT, b),
        "the product is the wrong way round: A @ B, the earlier head comes first.": ratio(b, a).mT,
        "this multiplies the two entry by entry, a cosine; their matrix product is asked for.": (
            inner.abs()
        ),
        "this is a cosine, with its sign, of the two matrices' entries; the norm of their matrix "
        "product is asked for.": inner,
        "W_O met the later head's first weight alone; the whole circuits are asked for.": ratio(
            earlier["W_O"].double(), first
        ),
        "the later head's first weight was used alone; its two belong together.": ratio(a, first),
        "what chance gives was subtracted; the score itself is asked for.": right
        - 1 / math.sqrt(a.shape[-1]),
    }
    if len(a) == len(b):
        swapped = ratio(ov(later), reading(earlier, kind))
        wrong |= {
            "rows are the earlier heads and columns the later ones.": right.mT,
            "the layers are in each other's place.": swapped,
            "the layers are in each other's place, and so are rows and columns.": swapped.mT,
            "both heads were taken from the earlier layer.": ratio(a, reading(earlier, kind)),
            "both heads were taken from the later layer.": ratio(ov(later), b),
        }
    return wrong


def wrong_circuits(earlier: Layer, later: Layer) -> dict[str, Tensor]:
    """Virtual heads' OV circuits with one mistake each."""
    a, b = ov(earlier)[:, None], ov(later)[None]
    right, shape = a @ b, (len(a), b.shape[1], *a.shape[-2:])
    wrong = {
        "the product is the wrong way round: states are rows, so the earlier head comes first.": b
        @ a,
        "it is transposed: a state x meets it as x @ result.": right.mT,
        "each circuit was transposed; states are rows, and meet W_V before W_O.": a.mT @ b.mT,
        "this is the earlier head's own circuit.": a.expand(shape),
        "this is the later head's own circuit.": b.expand(shape),
        "the later head's circuit was transposed.": a @ b.mT,
        "the earlier head's circuit was transposed.": a.mT @ b,
        "what both write on their own was added; only what passes through both counts.": a
        + b
        + right,
        "the direct path was added; only what passes through both heads counts.": right
        + torch.eye(a.shape[-1]),
        "the two circuits were multiplied entry by entry.": a * b,
        "this holds the later head's QK circuit; a virtual head moves by two OV circuits.": a
        @ reading(later, "Q")[None],
    }
    if shape[0] == shape[1]:
        wrong |= {
            "the first axis is the earlier head, the second the later.": right.transpose(0, 1),
            "both heads were taken from the earlier layer.": a @ ov(earlier)[None],
            "the layers are in each other's place.": b.transpose(0, 1) @ a.transpose(0, 1),
        }
    return wrong


# -------------------------------------------------------------------------- what chance would give


def spiky_layers(random: torch.Generator, d_model: int) -> tuple[Layer, Layer]:
    """Two layers whose null depends on each head's singular values, and on nothing else.

    Of the earlier heads, with d_head = d_model, 0 writes along the stream's first axis alone, 1 in
    all directions alike, 2 mostly along one. Of the later ones 0 reads by the first axis alone; 1
    scores by mostly one direction, but moves several alike.
    """
    d_head = max(1, d_model - 2)
    even, fall = torch.ones(d_model), 4.0 ** -torch.arange(d_model)
    alone = torch.zeros(d_model).index_fill(0, torch.tensor([0]), 1.0)
    uneven = 0.5 + torch.rand(d_model, generator=random)
    first = _stacked(
        _factors(random, d_model, alone, alone, on_axes=True),
        _factors(random, d_model, even, even),
        _factors(random, d_model, uneven, fall),
    )
    scores = _stacked(
        _factors(random, d_model, alone[:d_head], alone[:d_head], on_axes=True),
        _factors(random, d_model, even[:d_head], fall[:d_head]),
    )
    moves = _stacked(
        _factors(random, d_model, alone[:d_head], even[:d_head], on_axes=True),
        _factors(random, d_model, even[:d_head], even[:d_head]),
    )
    unused = layer(random, 3, d_model, d_model)
    return (
        {"W_Q": unused["W_Q"], "W_K": unused["W_K"], "W_V": first[0], "W_O": first[1]},
        {"W_Q": scores[0], "W_K": scores[1].mT, "W_V": moves[0], "W_O": moves[1]},
    )


def _factors(
    random: torch.Generator, d_model: int, before: Tensor, after: Tensor, *, on_axes: bool = False
) -> tuple[Tensor, Tensor]:
    """Factors [d_model d_head], [d_head d_model] with the singular values `before` and `after`.

    Args:
        on_axes: whether the first of their directions in the stream is its first axis.
    """
    inside, *sides = (inputs.rotation(random, size) for size in (len(before), d_model, d_model))
    if on_axes:
        sides = [torch.eye(d_model)] * 2
    reads, writes = (side[:, : len(before)] for side in sides)
    return 1.3 * (reads * before) @ inside.T, 0.6 * (inside * after) @ writes.T


def _stacked(*heads: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    one, other = (torch.stack(factor) for factor in zip(*heads, strict=True))
    return one, other


def uniform_rotations(random: torch.Generator, n: int, size: int) -> Tensor:
    """Orthogonal matrices, uniform: each row drawn at random at right angles to those before."""
    rows: list[Tensor] = []
    for _ in range(size):
        row = inputs.normal(random, n, size, dtype=torch.float64)
        for _twice in range(2):  # once would leave rounding where little of the row is left
            for other in rows:
                row = row - (row * other).sum(-1, keepdim=True) * other
            row = row / row.norm(dim=-1, keepdim=True)
        rows.append(row)
    return torch.stack(rows, dim=1)


def turned_scores(a: Tensor, b: Tensor, turns: Tensor) -> Tensor:
    """The norm of a @ turn @ b over the norms of a and b, [sample earlier later].

    Args:
        a, b: circuits, [head d_model d_model].
        turns: [sample d_model d_model].
    """
    written = einsum(turns, a.mT @ a, turns, "n i j, e i k, n k l -> n e j l")
    joined = einsum(written, b @ b.mT, "n e j l, h l j -> n e h").clamp(min=0).sqrt()
    return joined / einsum(a.norm(dim=(1, 2)), b.norm(dim=(1, 2)), "e, h -> e h")


def null_sample(random: torch.Generator, earlier: Layer, later: Layer, kind: str, n: int) -> Tensor:
    """Scores under rotations that are uniform by construction, [sample earlier later]."""
    turns = uniform_rotations(random, n, earlier["W_O"].shape[-1])
    return turned_scores(ov(earlier), reading(later, kind), turns)


def distance(sample: Tensor, other: Tensor) -> Tensor:
    """Kolmogorov's distance of two samples, pair by pair, [earlier later]."""
    # Rounded, since a law may have atoms, which float32 and float64 put in different places.
    columns = [x.double().round(decimals=3).flatten(1).T.contiguous() for x in (sample, other)]
    ordered = [x.sort().values for x in columns]
    places = torch.cat(ordered, dim=1)
    below = [torch.searchsorted(x, places, right=True) / x.shape[1] for x in ordered]
    return (below[0] - below[1]).abs().amax(1).view(sample.shape[1:])


def wrong_nulls(
    random: torch.Generator, earlier: Layer, later: Layer, kind: str, n: int
) -> dict[str, Callable[[], Tensor]]:
    """Samples of nulls with one mistake each, [sample earlier later]."""
    a, b = ov(earlier), reading(later, kind)
    W_V, W_O = (earlier[name].double() for name in ("W_V", "W_O"))
    d_model, d_head = a.shape[-1], W_O.shape[1]
    eye = torch.eye(d_model, dtype=torch.float64)

    def normal(*shape: int) -> Tensor:
        return inputs.normal(random, *shape, dtype=torch.float64)

    def drawn(weights: Layer, kind: str) -> Tensor:
        first, then = (weights[name] for name in READS[kind])
        return normal(n, *first.shape) @ normal(n, *(then if kind == "V" else then.mT).shape)

    def order(*shape: int) -> Tensor:
        return torch.rand(n, *shape, generator=random).argsort(-1)

    def haar() -> Tensor:
        return turned_scores(a, b, uniform_rotations(random, n, d_model))

    def shuffled() -> Tensor:
        flat = W_O.flatten(1).expand(n, -1, -1)
        return flat.gather(2, order(*flat.shape[1:])).unflatten(2, W_O.shape[1:])

    def squared() -> Tensor:
        turns = uniform_rotations(random, n, d_model)
        return turned_scores(a, b, turns @ turns)

    def lopsided() -> Tensor:
        entries = torch.rand(n, d_model, d_model, generator=random, dtype=torch.float64)
        q, r = torch.linalg.qr(entries)
        return turned_scores(a, b, q * r.diagonal(dim1=-2, dim2=-1).sign()[:, None])

    anew = "from a normal distribution, which forgets its singular values; turn the trained ones."
    few = "which is a few rotations out of all of them."
    return {
        f"both heads' weights were drawn anew {anew}": lambda: _each(
            drawn(earlier, "V"), drawn(later, kind)
        ),
        f"the earlier head's weights were drawn anew {anew}": lambda: _each(drawn(earlier, "V"), b),
        f"the earlier head's W_O was drawn anew {anew}": lambda: _each(
            W_V @ normal(n, *W_O.shape), b
        ),
        f"the later head's weights were drawn anew {anew}": lambda: _each(a, drawn(later, kind)),
        f"the stream's axes were permuted, {few}": lambda: turned_scores(a, b, eye[order(d_model)]),
        f"the signs of the stream's axes were flipped, {few}": lambda: turned_scores(
            a, b, eye * normal(n, 1, d_model).sign()
        ),
        "the entries of W_O were shuffled, which changes the head's singular values.": (
            lambda: _each(W_V @ shuffled(), b)
        ),
        "R holds normal numbers and is not orthogonal: it changes lengths. Take Q of its QR "
        "decomposition.": lambda: _each(a @ normal(n, 1, d_model, d_model), b),
        "R holds normal numbers and is not orthogonal: it changes lengths, and the score's "
        "denominator does not know.": lambda: turned_scores(
            a, b, normal(n, d_model, d_model) / math.sqrt(d_model)
        ),
        "the rotation is inside the head, over d_head, so that what it writes keeps its "
        "directions; turn the stream, over d_model.": lambda: _each(
            W_V @ uniform_rotations(random, n, d_head)[:, None] @ W_O, b
        ),
        "Q comes of numbers from 0 to 1 (torch.rand), which all point one way; draw them from a "
        "normal distribution (torch.randn).": lopsided,
        "rotations that change little come too often: R may stand there twice, or come of "
        "something else than the QR decomposition of normal numbers.": squared,
        "these are scores of another kind than was asked for.": lambda: turned_scores(
            a, reading(later, "Q" if kind == "V" else "V"), uniform_rotations(random, n, d_model)
        ),
        "these are squares of scores.": lambda: haar().square(),
        "the heads were dealt to each other anew; turn the stream between them.": lambda: ratio(
            a, b
        )[order(len(a))],
    }


def _each(a: Tensor, b: Tensor) -> Tensor:
    """Scores of circuits of which either may have an axis of samples in front."""
    a, b = a.unsqueeze(-3), b.unsqueeze(-4)
    sizes = (x.norm(dim=(-2, -1)) for x in (a, b))
    return (a @ b).norm(dim=(-2, -1)) / math.prod(sizes)


def wrong_z_scores(scores: Tensor, null: Tensor) -> dict[str, Tensor]:
    """z-scores with one mistake each."""
    mean, sd = null.mean(0), null.std(0)
    above = scores - mean
    return {
        "the standard deviation has n in its denominator; n - 1 is asked for.": above
        / null.std(0, correction=0),
        "it has lost its sign: a score below its null is negative.": above.abs() / sd,
        "one standard deviation was taken over all pairs; each pair has its own.": above
        / null.std(),
        "one null of all pairs was taken; each pair has its own.": (scores - null.mean())
        / null.std(),
        "one mean was taken over all pairs; each pair has its own.": (scores - null.mean()) / sd,
        "the standard deviations were averaged over the pairs; each pair has its own.": above
        / sd.mean(),
        "the median was subtracted; take the mean.": (scores - null.median(0).values) / sd,
        "it was divided by the variance; take its root.": above / null.var(0),
        "it was divided by the mean's standard error; a score is one draw, so take the standard "
        "deviation.": above / (sd / math.sqrt(len(null))),
        "it was not divided by the standard deviation.": above,
        "nothing was subtracted.": scores / sd,
        "it was divided by the null's mean.": above / mean,
        "it was divided by the mean distance from the mean; take the standard deviation.": above
        / (null - mean).abs().mean(0),
        "it was divided by the null's range; take the standard deviation.": above
        / (null.amax(0) - null.amin(0)),
        "this is the share of the null that the score exceeds.": (scores > null).double().mean(0),
    }


def z_scores(scores: Tensor, null: Tensor) -> Tensor:
    """The definition, a pair at a time; 0 where the null does not vary."""
    out = torch.zeros(scores.shape, dtype=torch.float64)
    for i, row in enumerate(scores.double().tolist()):
        for j, score in enumerate(row):
            values = null[:, i, j].double().tolist()
            spread = statistics.stdev(values)
            out[i, j] = (score - statistics.fmean(values)) / spread if spread else 0.0
    return out


# ----------------------------------------------------------------------- paths with patterns held


def virtual_patterns(earlier: Tensor, later: Tensor) -> Tensor:
    """From where what arrives at each query by way of both heads came, one number at a time."""
    (n, one, n_pos, _), other = earlier.shape, later.shape[1]
    out = torch.zeros(n, one, other, n_pos, n_pos, dtype=torch.float64)
    first, second = earlier.double().tolist(), later.double().tolist()
    for text in range(n):
        for i in range(one):
            for j in range(other):
                out[text, i, j] = torch.tensor(_times(second[text][j], first[text][i]))
    return out


def wrong_patterns(earlier: Tensor, later: Tensor) -> dict[str, Tensor]:
    """Virtual heads' patterns with one mistake each."""
    a, b = earlier.double()[:, :, None], later.double()[:, None]
    right, entries = b @ a, a * b
    wrong = {
        "the product is the wrong way round: a query finds the later head's pattern first.": a @ b,
        "the patterns were multiplied entry by entry; sum over the position between.": entries,
        "the patterns were multiplied entry by entry and made to sum to 1.": entries
        / entries.sum(-1, keepdim=True),
        "queries and keys are in each other's place.": right.mT,
        "the earlier pattern was transposed.": b @ a.mT,
        "the later pattern was transposed.": b.mT @ a,
        "these are the two patterns' means.": (a + b) / 2,
        "this is the later head's pattern alone.": b.expand_as(right),
        "this is the earlier head's pattern alone.": a.expand_as(right),
        "a softmax was taken once more; the product of two patterns is one already.": right.softmax(
            -1
        ),
    }
    if earlier.shape[1] == later.shape[1]:
        wrong["the axis of the earlier heads comes before that of the later ones."] = (
            right.transpose(1, 2)
        )
    return wrong


def run_patterns(tokens: Tensor, weights: Weights) -> Tensor:
    """Where each head looks in a normal run, [layer batch head query key], slowly."""
    states = slow.stream(tokens, weights)
    placed = states + weights["pos_embed.W_pos"][: tokens.shape[1]]
    patterns = []
    for number, state in enumerate(placed[:-1]):
        reads = (weights[f"blocks.{number}.attn.{name}"].double() for name in ("W_Q", "W_K"))
        q, k = (einsum(state, read, "b p m, h m d -> b p h d") for read in reads)
        patterns.append(slow.attention_pattern(q, k))
    return torch.stack(patterns)


def logits_by_order(tokens: Tensor, patterns: Tensor, weights: Weights) -> Tensor:
    """The definition: every path walked on its own, and added to its order and all above."""
    w = {name: value.double() for name, value in weights.items()}
    embedded, patterns = w["embed.W_E"][tokens], patterns.double()
    total = torch.zeros(len(patterns) + 1, *embedded.shape, dtype=torch.float64)

    def walk(number: int, moved: Tensor, order: int) -> None:
        if number == len(patterns):
            total[order:] += moved
            return
        walk(number + 1, moved, order)
        W_V, W_O = (w[f"blocks.{number}.attn.{name}"] for name in ("W_V", "W_O"))
        for head in range(len(W_O)):
            through = patterns[number][:, head] @ (moved @ W_V[head]) @ W_O[head]
            walk(number + 1, through, order + 1)

    walk(0, embedded, 0)
    return total @ w["unembed.W_U"]


def frozen(
    embedded: Tensor,
    patterns: Tensor,
    weights: Weights,
    layers: Sequence[int],
    *,
    in_parallel: bool = False,
) -> Tensor:
    """The stream after these layers alone, patterns held, in float64."""
    state = embedded
    for number in layers:
        W_V, W_O = (weights[f"blocks.{number}.attn.{name}"].double() for name in ("W_V", "W_O"))
        source = embedded if in_parallel else state
        state = state + (patterns[number].double() @ (source[:, None] @ W_V) @ W_O).sum(1)
    return state


def _by_terms(
    embedded: Tensor,
    patterns: Tensor,
    weights: Weights,
    *,
    in_turn: bool = False,
    replaced: bool = False,
    same_source: bool = False,
    shared: bool = False,
) -> Tensor:
    """States up to each order, from one term an order, with a mistake to choose, in float64.

    Args:
        in_turn: a layer's terms are renewed one after another, so that it reads its own.
        replaced: what comes of a term takes the next one's place.
        same_source: the embedding is moved at every order.
        shared: one tensor serves all orders above 0.
    """
    terms = [embedded, *(torch.zeros_like(embedded) for _ in patterns)]
    for number in range(len(patterns)):
        before = list(terms)
        for n in range(len(patterns)):
            source = embedded if same_source else terms[n] if in_turn else before[n]
            moved = frozen(source, patterns, weights, [number]) - source
            new = moved if replaced else terms[n + 1] + moved
            terms = [embedded] + [new] * len(patterns) if shared else [*terms]
            terms[n + 1] = new
    return torch.stack(terms).cumsum(0)


def with_positions(tokens: Tensor, patterns: Tensor, weights: Weights) -> Tensor:
    """Logits by order where positions were added to the stream."""
    right = logits_by_order(tokens, patterns, weights)
    return right + _of_positions(patterns, weights, tokens.shape[1])


def wrong_orders(
    tokens: Tensor, patterns: Tensor, weights: Weights, *, from_run: bool
) -> dict[str, Tensor]:
    """Logits by order with one mistake each, for one layer or more.

    Args:
        from_run: whether the patterns are those of a normal run of these weights.
    """
    right = logits_by_order(tokens, patterns, weights)
    W_E, W_U = (weights[name].double() for name in ("embed.W_E", "unembed.W_U"))
    n, embedded, direct, every = len(patterns), W_E[tokens], right[0], right[-1]
    numbers, of_positions = list(range(n)), _of_positions(patterns, weights, tokens.shape[1])

    def first(*layers: int, in_parallel: bool = True) -> Tensor:
        """The right logits but for order 1, which has these layers alone."""
        state = frozen(embedded, patterns, weights, layers, in_parallel=in_parallel)
        return torch.stack([direct, state @ W_U, *right[2:]])

    def with_patterns(other: Tensor) -> Tensor:
        return logits_by_order(tokens, other, weights)

    upto = [frozen(embedded, patterns, weights, numbers[:layers]) for layers in range(n + 1)]
    own = "each layer's heads make paths of their own."
    wrong = {
        "these are the orders' own parts; each order holds those before it too.": torch.cat(
            [right[:1], right.diff(dim=0)]
        ),
        POSITIONS_IN_STREAM: right + of_positions,
        "positions reached the values; queries and keys alone read them.": right
        + of_positions
        - of_positions[:1],
        "these are log-probabilities; the logits are asked for.": right.log_softmax(-1),
        "the orders run downwards.": right.flip(0),
        "the patterns were used the wrong way round: a query sums over keys.": with_patterns(
            patterns.mT
        ),
    }
    if n > 1:

        def by_terms(**how: bool) -> Tensor:
            return _by_terms(embedded, patterns, weights, **how) @ W_U

        wrong |= {
            "a layer read terms that it had just renewed, so that a path goes through one layer "
            "twice; add to each order what came of the terms as they were before the layer.": (
                by_terms(in_turn=True)
            ),
            "a layer's term takes the place of what earlier layers gave that order; add to it.": (
                by_terms(replaced=True)
            ),
            "a layer's term takes the place of what earlier layers gave that order, and a layer "
            "read terms that it had just renewed; add what comes of those before the layer.": (
                by_terms(replaced=True, in_turn=True)
            ),
            "the embedding was moved at every order; order n + 1 comes of the term of order n.": (
                by_terms(same_source=True)
            ),
            "all orders above 0 share one tensor: [x] * n holds the same x in n places, and += "
            "writes into all of them.": by_terms(shared=True, in_turn=True),
            "all orders above 0 share one tensor, into which += wrote each order's part: [x] * n "
            "holds the same x in n places.": by_terms(shared=True),
            "this counts layers: entry n is what the first n layers give. An order counts the "
            "heads on a path, of whichever layers.": torch.stack(upto) @ W_U,
            "a head read what others had written in the same run, so that all orders came at once; "
            "for order n it reads what they wrote for order n - 1.": torch.stack(
                [direct] + n * [every]
            ),
            f"order 1 lacks the last layer: {own}": first(*numbers[:-1]),
            f"order 1 lacks the first layer: {own}": first(*numbers[1:]),
            "order 1 lets layers read what earlier ones wrote: those paths have two heads.": (
                first(*numbers, in_parallel=False)
            ),
            "only the last order is right; the others are 0.": torch.cat(
                [0 * right[:-1], right[-1:]]
            ),
            "only order 0 and the last are right; those between are mixtures of the two.": (
                torch.stack([direct + i / n * (every - direct) for i in range(n + 1)])
            ),
            "every layer had the first layer's patterns.": with_patterns(
                patterns[:1].expand_as(patterns)
            ),
            "the layers ran in the wrong order.": logits_by_order(
                tokens, patterns.flip(0), with_layers(weights, numbers[::-1])
            ),
        }
    if patterns.shape[2] > 1:
        wrong |= {
            "what heads wrote was averaged over a layer's heads; add it up.": with_patterns(
                patterns / patterns.shape[2]
            ),
            "every head had the first head's pattern.": with_patterns(
                patterns[:, :, :1].expand_as(patterns)
            ),
        }
    if from_run and n > 1:
        wrong["the patterns were worked out anew from what is left of the stream; they stay."] = (
            _thawed(tokens, weights, n)
        )
    return wrong


def with_layers(weights: Weights, order: Sequence[int]) -> Weights:
    """The same weights with the layers in another order."""
    attn = {
        f"blocks.{new}.attn.{name}": weights[f"blocks.{old}.attn.{name}"]
        for new, old in enumerate(order)
        for name in ("W_Q", "W_K", "W_V", "W_O")
    }
    return weights | attn


def _of_positions(patterns: Tensor, weights: Weights, n_pos: int) -> Tensor:
    """What positions in the stream would add to the logits by order: every step is linear."""
    rows = torch.arange(n_pos).expand(patterns.shape[1], -1)
    return logits_by_order(rows, patterns, weights | {"embed.W_E": weights["pos_embed.W_pos"]})


def _thawed(tokens: Tensor, weights: Weights, n_layers: int) -> Tensor:
    """Orders as runs with stored writes, but with the pattern of what each run's stream holds."""
    w = {name: value.double() for name, value in weights.items()}
    embedded, states = w["embed.W_E"][tokens], []
    stored = [torch.zeros_like(embedded)] * n_layers
    for _ in range(n_layers + 1):
        state, now = embedded, []
        for number in range(n_layers):
            now.append(_written(w, number, _sources(w, number, state)).sum(2))
            state = state + stored[number]
        states.append(state)
        stored = now
    return torch.stack(states) @ w["unembed.W_U"]


# ------------------------------------------------------------------------- what orders are worth


def mean_surprise(logits: Tensor, tokens: Tensor) -> float:
    """The mean next-token loss in nats, one prediction at a time."""
    losses = []
    for rows, text in zip(logits.double().tolist(), tokens.tolist(), strict=True):
        losses += [surprise(row, token) for row, token in zip(rows[:-1], text[1:], strict=True)]
    return statistics.fmean(losses)


def surprise(row: slow.Vector, token: int) -> float:
    """How many nats one prediction costs where this token comes."""
    largest = max(row)
    return largest + math.log(sum(math.exp(x - largest) for x in row)) - row[token]


def importance(logits: Tensor, tokens: Tensor) -> Tensor:
    """The definition: falls of the loss, from a uniform guess on."""
    losses = [math.log(logits.shape[-1])] + [mean_surprise(order, tokens) for order in logits]
    falls = [before - after for before, after in pairwise(losses)]
    return torch.tensor(falls, dtype=torch.float64)


def wrong_importance(logits: Tensor, tokens: Tensor) -> dict[str, Tensor]:
    """Importances with one mistake each, for two orders or more and texts of three tokens."""
    right, logits = importance(logits, tokens), logits.double()
    d_vocab, n_pos = logits.shape[-1], logits.shape[2]
    every = logits.log_softmax(-1)

    def falls(losses: Tensor, start: float = math.log(d_vocab)) -> Tensor:
        return -torch.cat([torch.tensor([start]).double(), losses]).diff()

    def losses_of(log_probs: Tensor, targets: Tensor) -> Tensor:
        found = log_probs.gather(-1, targets[None, ..., None].expand(len(logits), -1, -1, 1))
        return -found.mean((1, 2, 3))

    losses = losses_of(every[:, :, :-1], tokens[:, 1:])
    likely = every.exp()[:, :, :-1].gather(
        -1, tokens[None, :, 1:, None].expand(len(logits), -1, -1, 1)
    )
    n_off = " position i predicts the token at i + 1."
    return {
        "this is in bits; give nats.": right / math.log(2),
        "these are falls below the uniform guess; each order is held against the one before.": (
            right.cumsum(0)
        ),
        "order 0 has its own loss, or none, where it should have its fall below the loss of a "
        "uniform guess.": torch.cat([losses[:1], right[1:]]),
        "order 0 has its own loss, negative, where it should have its fall below the loss of a "
        "uniform guess.": torch.cat([-losses[:1], right[1:]]),
        "order 0 is held against nothing; hold it against a uniform guess.": torch.cat(
            [0 * right[:1], right[1:]]
        ),
        "these are the losses themselves; falls are asked for.": losses,
        "an order that raises the loss comes out negative; a sign was lost.": right.abs(),
        "an order that raises the loss comes out negative, not as 0.": right.clamp(min=0),
        f"a position's own token was taken as what it predicts;{n_off}": falls(
            losses_of(every, tokens)
        ),
        f"the token before was taken as what is predicted;{n_off}": falls(
            losses_of(every[:, :, 1:], tokens[:, :-1])
        ),
        "the last position was counted too, with the first token as what it predicts.": (
            falls(losses_of(every, tokens.roll(-1, 1)))
        ),
        "losses were added up over the positions; take their mean.": falls(
            losses * (n_pos - 1), math.log(d_vocab) * (n_pos - 1)
        ),
        "losses were added up over the positions, the uniform guess's were not.": falls(
            losses * (n_pos - 1)
        ),
        "the sum over predictions was divided by the number of positions; there is one prediction "
        "fewer.": falls(losses * (n_pos - 1) / n_pos),
        "these are rises of the right tokens' probability; losses are in nats.": (
            likely.mean((1, 2, 3)).diff(prepend=torch.tensor([1 / d_vocab]).double())
        ),
        "the logarithm was taken of the mean probability; take the mean of the logarithms.": falls(
            -likely.mean((1, 2, 3)).log()
        ),
        "the logits were taken for log-probabilities.": falls(
            losses_of(logits[:, :, :-1], tokens[:, 1:])
        ),
        "these are shares of the whole fall; give nats.": right / right.sum(),
        "each order was held against the last one.": losses - losses[-1],
        "each order was held against the one after it.": right.roll(-1),
        "the first text alone was counted.": importance(logits[:, :1], tokens[:1]),
        "the last prediction alone was counted.": importance(logits[:, :, -2:], tokens[:, -2:]),
    }


# --------------------------------------------------------------------------------- single paths


def two_layers(
    random: torch.Generator,
    heads: tuple[int, int],
    d_heads: tuple[int, int],
    d_model: int = 7,
    n_ctx: int = 9,
) -> Weights:
    """Weights of a two-layer model whose layers differ, and whose heads do not look evenly."""
    first, second = (
        inputs.transformer_weights(
            random, n_layers=1, d_model=d_model, n_heads=n, d_head=d, n_ctx=n_ctx
        )
        for n, d in zip(heads, d_heads, strict=True)
    )
    attn = {name.replace("blocks.0", "blocks.1"): w for name, w in second.items() if "attn" in name}
    return {name: 2 * w if "W_Q" in name else w for name, w in (first | attn).items()}


def path_effects(
    tokens: Tensor, weights: Weights, paths: Sequence[Path], counted: Tensor
) -> Tensor:
    """The definition, one number at a time, for each path."""
    table = {name: value.double().tolist() for name, value in weights.items()}
    rises: list[list[float]] = [[] for _ in paths]
    for text in tokens.tolist():
        whole = _text_logits(text, table, None)
        for path, found in zip(paths, rises, strict=True):
            cut = _text_logits(text, table, path)
            found += [
                surprise(cut[i], text[i + 1]) - surprise(whole[i], text[i + 1])
                for i, counts in enumerate(counted.tolist())
                if counts
            ]
    return torch.tensor([statistics.fmean(found) for found in rises], dtype=torch.float64)


def _text_logits(text: list[int], table: dict[str, list], cut: Path | None) -> slow.Matrix:
    """The logits of one text, perhaps without a path (earlier head, later head, kind)."""
    embedded = [table["embed.W_E"][token] for token in text]
    first = [
        _head_writes(table, 0, head, dict.fromkeys("QKV", embedded))
        for head in range(len(table["blocks.0.attn.W_O"]))
    ]
    stream = embedded
    for written in first:
        stream = _added(stream, written)
    after = stream
    for head in range(len(table["blocks.1.attn.W_O"])):
        sources = dict.fromkeys("QKV", stream)
        if cut and head == cut[1]:
            sources[cut[2]] = _added(stream, first[cut[0]], -1.0)
        after = _added(after, _head_writes(table, 1, head, sources))
    return _times(after, table["unembed.W_U"])


def _head_writes(
    table: dict[str, list], number: int, head: int, sources: dict[str, slow.Matrix]
) -> slow.Matrix:
    """What a head writes at each position where its three inputs may differ."""
    W_Q, W_K, W_V, W_O = (table[f"blocks.{number}.attn.W_{name}"][head] for name in "QKVO")
    places = table["pos_embed.W_pos"][: len(sources["Q"])]
    queries = _times(_added(sources["Q"], places), W_Q)
    keys = _times(_added(sources["K"], places), W_K)
    values = _times(sources["V"], W_V)
    rows = [slow.attention_row(query, keys[: i + 1]) for i, query in enumerate(queries)]
    return _times([slow.vector_times_matrix(r, values[: len(r)]) for r in rows], W_O)


def _added(a: slow.Matrix, b: slow.Matrix, times: float = 1.0) -> slow.Matrix:
    rows = zip(a, b, strict=True)
    return [[x + times * y for x, y in zip(*pair, strict=True)] for pair in rows]


def without_path(
    tokens: Tensor,
    weights: Weights,
    kinds: str = "",
    earlier: Sequence[int] = (),
    later: Sequence[int] = (),
    *,
    dropped: bool = False,
    held: bool = False,
    unplaced: bool = False,
    emptied: bool = False,
    averaged: bool = False,
    in_stream: bool = False,
    placed: tuple[str, str] = ("QK", "QK"),
    **mistakes: Any,
) -> Tensor:
    """Logits of a two-layer model without some paths, with a mistake to choose, in float64.

    Args:
        kinds: the inputs of the later heads that go without what the earlier ones wrote.
        dropped: the earlier heads' writes leave the stream too.
        held: the pattern stays that of the normal run.
        unplaced: the input that is cut goes without positions as well.
        emptied: all of the stream is taken from that input.
        averaged: it gets the earlier heads' mean write instead.
        in_stream: positions are added to the stream.
        placed: the inputs that positions are added to, for each layer.
    """
    w = {name: value.double() for name, value in weights.items()}
    embedded = w["embed.W_E"][tokens]
    places = w["pos_embed.W_pos"][: tokens.shape[1], None]
    if in_stream:
        embedded = embedded + places[:, 0]
    first = _written(w, 0, _sources(w, 0, embedded, placed[0]), **mistakes)
    stream = embedded + first.sum(2)
    lost = first[:, :, list(earlier)].sum(2)
    whole, cut = (_sources(w, 1, stream, placed[1]) for _ in "wc")
    for kind in kinds:
        for head in later:
            gone = stream if emptied else lost - lost.mean((0, 1)) if averaged else lost
            cut[kind][:, :, head] -= gone
            if unplaced and kind != "V":
                cut[kind][:, :, head] -= places[:, 0]
    looks = whole if held else cut
    written = _written(w, 1, {"Q": looks["Q"], "K": looks["K"], "V": cut["V"]}, **mistakes)
    return (stream - dropped * lost + written.sum(2)) @ w["unembed.W_U"]


def _sources(w: Weights, number: int, stream: Tensor, placed: str = "QK") -> dict[str, Tensor]:
    """What each head of a layer reads from, by input, [batch pos head d_model]."""
    each = stream[:, :, None].repeat(1, 1, len(w[f"blocks.{number}.attn.W_O"]), 1)
    places = w["pos_embed.W_pos"][: stream.shape[1], None]
    return {name: each + places if name in placed else each.clone() for name in "QKV"}


def _written(
    w: Weights,
    number: int,
    sources: dict[str, Tensor],
    *,
    unmasked: bool = False,
    scale: float = 0.0,
) -> Tensor:
    """What each head of a layer writes, [batch pos head d_model]; scale 0 is the right one."""
    read = "b p h m, h m d -> b p h d"
    q, k, v = (einsum(sources[x], w[f"blocks.{number}.attn.W_{x}"], read) for x in "QKV")
    pattern = einsum(q, k, "b i h d, b j h d -> b h i j") / (scale or math.sqrt(q.shape[-1]))
    if not unmasked:
        future = torch.ones(q.shape[1], q.shape[1], dtype=torch.bool).triu(1)
        pattern = pattern.masked_fill(future, -torch.inf)
    moved = einsum(pattern.softmax(-1), v, "b h i j, b j h d -> b i h d")
    return einsum(moved, w[f"blocks.{number}.attn.W_O"], "b p h d, h d m -> b p h m")


def wrong_effects(
    tokens: Tensor, weights: Weights, paths: Sequence[Path], counted: Tensor
) -> dict[str, Tensor]:
    """Effects of these paths with one mistake each, for texts of more than two tokens.

    Position 0 looks at itself alone: what it predicts tells too few mistakes apart.
    """
    if len(counted) == 1:
        return {}
    n_heads = [len(weights[f"blocks.{number}.attn.W_O"]) for number in (0, 1)]
    every = [list(range(n)) for n in n_heads]
    d_model = weights["embed.W_E"].shape[1]
    d_heads = [weights[f"blocks.{number}.attn.W_O"].shape[1] for number in (0, 1)]

    def losses(logits: Tensor, targets: Tensor = tokens[:, 1:]) -> Tensor:
        return -logits[:, : targets.shape[1]].log_softmax(-1).gather(-1, targets[..., None])[..., 0]

    def cut(path: Path, **how: Any) -> Tensor:
        """Logits without a path; `how` may name other kinds, earlier or later heads."""
        earlier, later, kind = path
        args = {"kinds": kind, "earlier": (earlier,), "later": (later,)} | how
        return without_path(tokens, weights, **args)

    def each(logits: Callable[[Path], Tensor], base: Tensor) -> Tensor:
        """The rises of the counted losses, path by path."""
        return torch.stack([(losses(logits(p)) - losses(base))[:, counted].mean() for p in paths])

    def paths_as(change: Callable[[Path], dict[str, Any]]) -> Tensor:
        """Effects where something else than the path was cut."""
        return each(lambda path: cut(path, **change(path)), whole)

    def otherwise(**mistake: Any) -> Tensor:
        """Effects of the right paths, with a mistake in both runs."""
        return each(lambda path: cut(path, **mistake), without_path(tokens, weights, **mistake))

    whole = without_path(tokens, weights)
    without = torch.stack([cut(path) for path in paths])
    cut_losses = torch.stack([losses(logits) for logits in without])
    rises = cut_losses - losses(whole)  # [path batch predicted]
    right = rises[..., counted].mean((1, 2))
    wrong = {
        f'"{a}" and "{b}" are in each other\'s place: for kind "{a}" the path to the later head\'s '
        f"{INPUT[b]} was cut.": paths_as(lambda p, ab=a + b: {"kinds": _exchanged(p[2], ab)})
        for a, b in ("QK", "QV", "KV")
    }
    wrong |= {
        f"this is the effect on the later head's {INPUT[kind]}, whatever `kind` says.": paths_as(
            lambda p, kind=kind: {"kinds": kind}
        )
        for kind in "QKV"
    }
    wrong |= {
        "the path was cut for all three inputs of the later head at once.": paths_as(
            lambda p: {"kinds": "QKV"}
        ),
        "the earlier head's write was kept from all heads of layer 1, and taken out of the stream "
        "as well; cut the one path.": paths_as(
            lambda p: {"kinds": "QKV", "later": every[1], "dropped": True}
        ),
        "the earlier head's write was taken out of the stream as well: it still adds there.": (
            paths_as(lambda p: {"dropped": True})
        ),
        "the earlier head's write was kept from all inputs of all heads; cut the one path.": (
            paths_as(lambda p: {"kinds": "QKV", "later": every[1]})
        ),
        "the later head goes without all of the stream in this input.": paths_as(
            lambda p: {"emptied": True}
        ),
        "the input got the earlier head's mean write in place of its own; it goes without.": (
            paths_as(lambda p: {"averaged": True})
        ),
        "nothing was cut that reaches the logits.": 0 * right,
        "the later head's pattern was held as it was; work it out anew.": paths_as(
            lambda p: {"held": True}
        ),
        "the input goes without its positions as well.": paths_as(lambda p: {"unplaced": True}),
        "the sign is the wrong way round: this is how far the loss falls.": -right,
        "this is in bits; give nats.": right / math.log(2),
        "this is the loss without the path; how far it rises is asked for.": cut_losses[
            ..., counted
        ].mean((1, 2)),
        "this is the loss of a normal run; how far it rises is asked for.": losses(whole)[
            :, counted
        ]
        .mean()
        .expand_as(right),
        "this is the fall of the right tokens' logits; the rise of the loss is asked for.": (
            torch.stack([_picked(whole - x, tokens)[:, counted].mean() for x in without])
        ),
        "a position's own token was taken as what it predicts.": torch.stack(
            [
                (losses(x, tokens[:, :-1]) - losses(whole, tokens[:, :-1]))[:, counted].mean()
                for x in without
            ]
        ),
        "the scores were not divided by sqrt(d_head).": otherwise(scale=1.0),
        "the scores were divided by sqrt(d_model); divide by sqrt(d_head).": otherwise(
            scale=math.sqrt(d_model)
        ),
        "nothing keeps a query from looking at later keys.": otherwise(unmasked=True),
        "positions reached the values; queries and keys alone read them.": otherwise(
            placed=("QKV", "QKV")
        ),
        "positions were added to the stream, where values and logits read them too; add them where "
        "queries and keys are read.": otherwise(in_stream=True, placed=("", "")),
        "positions were added to the stream, and once more where queries and keys are read.": (
            otherwise(in_stream=True)
        ),
        "the queries are read without positions; add them there as for the keys.": otherwise(
            placed=("K", "K")
        ),
        "the keys are read without positions; add them there as for the queries.": otherwise(
            placed=("Q", "Q")
        ),
        "neither queries nor keys are read with positions; add them to what both read.": otherwise(
            placed=("", "")
        ),
        "layer 1 reads no positions; they are not in the stream, so each layer adds them anew.": (
            otherwise(placed=("QK", ""))
        ),
    }
    if d_heads[0] != d_heads[1]:
        wrong["layer 1's scores were divided by layer 0's sqrt(d_head); another than its own."] = (
            otherwise(scale=math.sqrt(d_heads[0]))
        )
    if all(max(path[:2]) < min(n_heads) for path in paths):
        wrong[
            "`earlier` and `later` are in each other's place: the first is a head of layer 0."
        ] = paths_as(lambda p: {"earlier": (p[1],), "later": (p[0],)})
    if n_heads[1] > 1:
        wrong |= {
            "the path was cut for every head of layer 1, not the one.": paths_as(
                lambda p: {"later": every[1]}
            ),
            "the path was cut to another head of layer 1 than the one asked for.": paths_as(
                lambda p: {"later": ((p[1] + 1) % n_heads[1],)}
            ),
            "the path was cut to head 0 of layer 1, whatever `later` says.": paths_as(
                lambda p: {"later": (0,)}
            ),
        }
    if n_heads[0] > 1:
        wrong |= {
            "what every head of layer 0 wrote was taken away, not the one's.": paths_as(
                lambda p: {"earlier": every[0]}
            ),
            "what another head of layer 0 wrote was taken away than the one asked for.": paths_as(
                lambda p: {"earlier": ((p[0] + 1) % n_heads[0],)}
            ),
            "what head 0 of layer 0 wrote was taken away, whatever `earlier` says.": paths_as(
                lambda p: {"earlier": (0,)}
            ),
        }
    if counted.sum() > 1:
        wrong["losses were added up over the counted predictions; take their mean."] = (
            right * float(counted.sum())
        )
    if not counted.all():
        wrong |= {
            "all predictions were counted; `counted` says which.": rises.mean((1, 2)),
            "the sum over counted predictions was divided by the number of all.": (
                (rises * counted).mean((1, 2))
            ),
            "the predictions that do not count were counted.": rises[..., ~counted].mean((1, 2)),
            "`counted` was read one place off: True at i is for the prediction that position i "
            "makes.": rises[..., counted.roll(1)].mean((1, 2)),
            "`counted` was read one place off: True at i is for the token at position i + 1.": (
                rises[..., counted.roll(-1)].mean((1, 2))
            ),
        }
    if len(tokens) > 1:
        wrong["the first text alone was counted."] = rises[:, :1, counted].mean((1, 2))
    return wrong


def _exchanged(kind: str, pair: str) -> str:
    """The kind, or the other one of a pair that it belongs to."""
    return pair.replace(kind, "") if kind in pair else kind


def _picked(logits: Tensor, tokens: Tensor) -> Tensor:
    """The right tokens' logits."""
    return logits[:, :-1].gather(-1, tokens[:, 1:, None])[..., 0]


def model_names() -> list[str]:
    """The names in a two-layer model's `state_dict`."""
    attn = [f"blocks.{number}.attn.W_{name}" for number in (0, 1) for name in "QKVO"]
    return ["embed.W_E", "pos_embed.W_pos", *attn, "unembed.W_U"]


def writes_and_reads(weights: Weights) -> tuple[Tensor, Tensor]:
    """What layer 0's heads write, and what the keys of layer 1's read, [head d_model d_model]."""
    layers = (
        {name: weights[f"blocks.{number}.attn.{name}"] for name in ("W_Q", "W_K", "W_V", "W_O")}
        for number in (0, 1)
    )
    first, second = layers
    return ov(first), reading(second, "K")


def paths_case(
    random: torch.Generator,
    heads: tuple[int, int],
    d_heads: tuple[int, int],
    paths: Sequence[Path],
    counted: Tensor,
    n_texts: int,
) -> tuple[Tensor, Weights, Tensor, dict[str, Tensor]]:
    """Texts and weights for which no known mistake gives the right numbers by accident.

    Returns:
        Texts, weights, the right effects, and the wrong ones.
    """
    while True:
        weights = two_layers(random, heads, d_heads)
        tokens = inputs.integers(random, len(weights["embed.W_E"]), n_texts, len(counted) + 1)
        wrong = wrong_effects(tokens, weights, paths, counted)
        values = list(wrong.values())
        if any(_alike(a, b) for i, a in enumerate(values) for b in values[:i]):
            continue
        right = path_effects(tokens, weights, paths, counted)
        if not any(_alike(value, right) for value in values):
            return tokens, weights, right, wrong


def _alike(a: Tensor, b: Tensor) -> bool:
    """Whether effects are too near each other to be told apart."""
    return bool(((a - b).abs() < 1e-3 + 2e-3 * b.abs()).all())
