"""What is right in `ch02_induction_heads/5_in_real_models.ipynb`, and what is wrong in known ways.

The forward pass is written out from a model's weights, in float64 and one head at a time, so that
nothing here resembles the library's models.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mechcourse.checks import _inputs as inputs

EPS = 1e-5

# ------------------------------------------------------------------------------------- models


@dataclass(frozen=True)
class Sizes:
    """What a random model is made of.

    Attributes:
        mlps: the layers that have an MLP, and so a second LayerNorm.
        rotary: queries and keys are turned by their position, and no position is embedded.
    """

    n_layers: int
    d_model: int
    n_heads: int
    d_head: int
    d_mlp: int
    d_vocab: int
    mlps: frozenset[int] = frozenset()
    rotary: bool = False
    dtype: torch.dtype = torch.float64


@dataclass(frozen=True)
class Reader:
    """A weight and a bias that read the stream through a LayerNorm, by their names."""

    norm: str
    weight: str
    offset: str


def random_weights(random: torch.Generator, sizes: Sizes) -> inputs.Weights:
    """Weights by TransformerLens's names, no gain or bias of which is like another."""

    def normal(*shape: int) -> Tensor:
        return inputs.normal(random, *shape, dtype=torch.float64)

    def norm(name: str) -> inputs.Weights:
        gain = 0.5 + normal(m).abs()
        negative, zero, *_ = torch.randperm(m, generator=random).tolist()
        gain[negative] *= -1
        gain[zero] = 0  # a dimension that nobody reads
        return {f"{name}.w": gain, f"{name}.b": normal(m)}

    m, h, d = sizes.d_model, sizes.n_heads, sizes.d_head
    weights = {"embed.W_E": normal(sizes.d_vocab, m)}
    if not sizes.rotary:
        weights["pos_embed.W_pos"] = normal(9, m)
    for layer in range(sizes.n_layers):
        block = f"blocks.{layer}"
        weights |= norm(f"{block}.ln1")
        for kind in "QKV":
            weights[f"{block}.attn.W_{kind}"] = normal(h, m, d) / math.sqrt(m)
            weights[f"{block}.attn.b_{kind}"] = normal(h, d)
        weights[f"{block}.attn.W_O"] = normal(h, d, m) / math.sqrt(h * d)
        weights[f"{block}.attn.b_O"] = normal(m)
        if layer % 2 == 0:
            weights[f"{block}.attn.alpha"] = normal(h)  # a name that no answer can know
        if layer in sizes.mlps:
            weights |= norm(f"{block}.ln2")
            weights[f"{block}.mlp.W_in"] = normal(m, sizes.d_mlp) / math.sqrt(m)
            weights[f"{block}.mlp.b_in"] = normal(sizes.d_mlp)
            weights[f"{block}.mlp.W_out"] = normal(sizes.d_mlp, m) / math.sqrt(sizes.d_mlp)
            weights[f"{block}.mlp.b_out"] = normal(m)
    weights["unembed.W_U"] = normal(m, sizes.d_vocab) / math.sqrt(m)
    weights["unembed.b_U"] = normal(sizes.d_vocab)
    weights |= norm("ln_final")
    return {name: weight.to(sizes.dtype) for name, weight in weights.items()}


def readers(sizes: Sizes) -> Iterator[Reader]:
    """All that reads through a LayerNorm, from the embedding to the logits."""
    for layer in range(sizes.n_layers):
        block = f"blocks.{layer}"
        for kind in "QKV":
            yield Reader(f"{block}.ln1", f"{block}.attn.W_{kind}", f"{block}.attn.b_{kind}")
        if layer in sizes.mlps:
            yield Reader(f"{block}.ln2", f"{block}.mlp.W_in", f"{block}.mlp.b_in")
    yield Reader("ln_final", "unembed.W_U", "unembed.b_U")


def logits(
    weights: inputs.Weights, tokens: Int[Tensor, "batch pos"], sizes: Sizes
) -> Float[Tensor, "batch pos d_vocab"]:
    """What a model with LayerNorm, biases and MLPs says, written out."""
    table = {name: weight.double() for name, weight in weights.items()}
    stream = table["embed.W_E"][tokens]
    if not sizes.rotary:
        stream = stream + table["pos_embed.W_pos"][: tokens.shape[1]]
    for layer in range(sizes.n_layers):
        block = f"blocks.{layer}"
        stream = stream + _attention(_norm(stream, table, f"{block}.ln1"), table, block, sizes)
        if layer in sizes.mlps:
            normal = _norm(stream, table, f"{block}.ln2")
            before = normal @ table[f"{block}.mlp.W_in"] + table[f"{block}.mlp.b_in"]
            after = before * (1 + torch.erf(before / math.sqrt(2))) / 2  # GELU
            stream = stream + after @ table[f"{block}.mlp.W_out"] + table[f"{block}.mlp.b_out"]
    return _norm(stream, table, "ln_final") @ table["unembed.W_U"] + table["unembed.b_U"]


def normalised(stream: Tensor) -> Tensor:
    """Mean 0 and variance 1, but for `EPS`."""
    centred = stream - stream.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + EPS).sqrt()


def _norm(stream: Tensor, table: inputs.Weights, name: str) -> Tensor:
    return normalised(stream) * table[f"{name}.w"] + table[f"{name}.b"]


def _attention(normal: Tensor, table: inputs.Weights, block: str, sizes: Sizes) -> Tensor:
    written = table[f"{block}.attn.b_O"].expand_as(normal)
    past = torch.ones(normal.shape[1], normal.shape[1], dtype=torch.bool).tril()
    for head in range(sizes.n_heads):
        q, k, v = (
            normal @ table[f"{block}.attn.W_{kind}"][head] + table[f"{block}.attn.b_{kind}"][head]
            for kind in "QKV"
        )
        if sizes.rotary:
            q, k = _turned(q), _turned(k)
        scores = (q @ k.transpose(1, 2)) / math.sqrt(sizes.d_head)
        pattern = scores.masked_fill(~past, -math.inf).softmax(-1)
        written = written + pattern @ v @ table[f"{block}.attn.W_O"][head]
    return written


def _turned(vectors: Tensor) -> Tensor:
    """Each pair of neighbouring dimensions turned by an angle that grows with the position."""
    turned = vectors.clone()
    for i in range(0, vectors.shape[-1] - 1, 2):
        angles = torch.arange(vectors.shape[1], dtype=torch.float64) * 10 ** (-i / 4)
        first, second = vectors[..., i], vectors[..., i + 1]
        turned[..., i] = first * angles.cos() - second * angles.sin()
        turned[..., i + 1] = second * angles.cos() + first * angles.sin()
    return turned


# ---------------------------------------------------------------------------- what is read


def read(
    vectors: Float[Tensor, "vector d_model"], weights: inputs.Weights, reader: Reader
) -> Float[Tensor, "*head vector read"]:
    """What a reader makes of vectors that it is given."""
    return _through(vectors, weights[reader.weight], weights[reader.offset])


def read_through_norm(
    normal: Float[Tensor, "vector d_model"], weights: inputs.Weights, reader: Reader
) -> Float[Tensor, "*head vector read"]:
    """What a reader makes of normalised vectors, its LayerNorm's gain and bias applied to them."""
    gain, bias = _gain_and_bias(weights, reader.norm)
    return read(normal * gain + bias, weights, reader)


def wrong_reads(
    normal: Float[Tensor, "vector d_model"], weights: inputs.Weights, reader: Reader
) -> dict[str, Callable[[], Tensor]]:
    """What it reads if it was folded wrongly, by what went wrong."""
    gain, bias = _gain_and_bias(weights, reader.norm)
    W, b = weights[reader.weight].double(), weights[reader.offset].double()
    name, offset, norm = reader.weight, reader.offset, reader.norm
    wrong = {
        f"nothing was moved into {name} and {offset}, and they read through {norm}.": (
            lambda: _through(normal, W, b)
        ),
        f"the gain of {norm} was not multiplied into {name}.": (
            lambda: _through(normal + bias, W, b)
        ),
        f"the bias of {norm} was lost: what {name} reads of it is to be added to {offset}.": (
            lambda: _through(normal * gain, W, b)
        ),
        f"the bias of {norm} went through the new {name}, and so met the gain; it is added after "
        "the gain, and goes through W as it was.": lambda: _through((normal + bias) * gain, W, b),
        f"{offset} was replaced: what it was before is to be kept, and added to.": (
            lambda: _through(normal * gain + bias, W, 0 * b)
        ),
        f"what {name} reads of the bias was subtracted from {offset}.": (
            lambda: _through(normal * gain - bias, W, b)
        ),
        f"the gain was multiplied into {name} twice.": (
            lambda: _through(normal * gain**2 + bias, W, b)
        ),
        f"the gain's sign was lost in {name}: a gain may be below 0.": (
            lambda: _through(normal * gain.abs() + bias, W, b)
        ),
        f"the gain in {name} was never 0: a gain may be 0, and then nothing is read there.": (
            lambda: _through(normal * torch.where(gain == 0, 1.0, gain) + bias, W, b)
        ),
    }
    if W.ndim == 3 and len(W) > 1:
        wrong[f"every head's {offset} got what all heads together read of the bias."] = lambda: (
            _through(normal * gain, W, b + (bias @ W).sum(0))
        )
        wrong[f"every head's {offset} got what head 0 reads of the bias."] = lambda: _through(
            normal * gain, W, b + (bias @ W)[0]
        )
    for other in _norms(weights):
        if other != norm:
            wrong[f"{name} was folded with {other}, and it reads through {norm}."] = (
                lambda other=other: _read_with(normal, weights, other, W, b)
            )
    return wrong | _wrong_axes(normal, weights, reader)


def _wrong_axes(
    normal: Tensor, weights: inputs.Weights, reader: Reader
) -> dict[str, Callable[[], Tensor]]:
    """Gain or bias on the axis that comes out, where that has the size of the one that goes in."""
    gain, bias = _gain_and_bias(weights, reader.norm)
    W, b = weights[reader.weight].double(), weights[reader.offset].double()
    if W.shape[-1] != W.shape[-2]:
        return {}
    out = f"the gain was multiplied into {reader.weight} on the axis that comes out"
    return {
        f"{out}; it belongs to its d_model axis, which goes in.": (
            lambda: _through(normal, W * gain, b + bias @ W)
        ),
        f"{out}, and the bias met it there; it belongs to its d_model axis, which goes in.": (
            lambda: _through(normal + bias, W * gain, b)
        ),
        f"the bias of {reader.norm} was added to {reader.offset} as it is; it has to go through "
        f"{reader.weight}.": lambda: _through(normal * gain, W, b + bias),
        f"the bias met {reader.weight} on the axis that comes out: bias @ W, not W @ bias.": (
            lambda: _through(normal * gain, W, b + W @ bias)
        ),
    }


def _through(vectors: Tensor, W: Tensor, b: Tensor) -> Tensor:
    return vectors @ W.double() + b.double().unsqueeze(-2)


def _read_with(normal: Tensor, weights: inputs.Weights, norm: str, W: Tensor, b: Tensor) -> Tensor:
    gain, bias = _gain_and_bias(weights, norm)
    return _through(normal * gain + bias, W, b)


def _gain_and_bias(weights: inputs.Weights, norm: str) -> tuple[Tensor, Tensor]:
    return weights[f"{norm}.w"].double(), weights[f"{norm}.b"].double()


def _norms(weights: inputs.Weights) -> list[str]:
    return [name.removesuffix(".w") for name in weights if name.endswith(".w")]


# ------------------------------------------------------------------------------ heads by depth


def shares(scores: Tensor, threshold: float, n_parts: int) -> Float[Tensor, "part"]:
    """The share of heads at or above the threshold, counted head by head."""
    return _shares((scores >= threshold).double(), parts_of(len(scores), n_parts), n_parts)


def parts_of(n_layers: int, n_parts: int) -> list[int]:
    """The part of each layer: the last one whose lower border, p / n_parts, is not above it."""
    return [
        max(p for p in range(n_parts) if 2 * n_layers * p <= (2 * layer + 1) * n_parts)
        for layer in range(n_layers)
    ]


def wrong_shares(scores: Tensor, threshold: float, n_parts: int) -> dict[str, Tensor]:
    """Other shares, by what is wrong with them; those that agree here by construction left out."""
    n, right = len(scores), parts_of(len(scores), n_parts)
    found = (scores >= threshold).double()
    share = shares(scores, threshold, n_parts)
    found_by_part = torch.tensor(
        [float(found[[part == p for part in right]].sum()) for p in range(n_parts)]
    )
    wrong = {}
    if share.isnan().any():
        wrong["a part without layers has no share: it is nan, and not 0."] = share.nan_to_num(0)
    wrong |= {
        words: _shares(found, parts, n_parts)
        for words, parts in _wrong_parts(n, n_parts).items()
        if parts != right
    }
    wrong |= {
        "a score that is just the threshold counts.": (
            _shares((scores > threshold).double(), right, n_parts)
        ),
        "the signs of the scores were lost.": shares(scores.abs(), threshold, n_parts),
        "these are the heads below the threshold.": 1 - share,
        "this is the mean score, with no threshold.": _shares(scores.double(), right, n_parts),
        "layers were counted that have such a head; count the heads.": (
            _shares(found.amax(1, keepdim=True), right, n_parts)
        ),
        "this is a count; divide by the number of heads in the part.": found_by_part,
    }
    if n_parts > 1:
        wrong |= {
            "the parts run from the embedding to the logits, and not back.": share.flip(0),
            "this was divided by all heads of the model; divide by those of the part.": (
                found_by_part / found.numel()
            ),
            "this is how the heads found are spread over the parts; divide by the heads that each "
            "part has.": found_by_part / found.sum(),
        }
    return wrong


def _shares(found: Tensor, parts: list[int], n_parts: int) -> Tensor:
    values = []
    for p in range(n_parts):
        rows = [row for row, part in zip(found.tolist(), parts, strict=True) if part == p]
        heads = [head for row in rows for head in row]
        values.append(sum(heads) / len(heads) if heads else math.nan)
    return torch.tensor(values, dtype=torch.float64)


def _wrong_parts(n: int, n_parts: int) -> dict[str, list[int]]:
    """The part of each layer by other rules."""
    layers, last = range(n), n_parts - 1
    size, rest = divmod(n, n_parts)
    ends = [(p + 1) * size + min(p + 1, rest) for p in range(n_parts)]
    rules = {
        "a layer on a border belongs to the upper part, not to the lower one.": [
            -(-(2 * layer + 1) * n_parts // (2 * n)) - 1 for layer in layers
        ],
        "a layer lies at its middle, (l + 1/2) / n, and not at l / n.": [
            layer * n_parts // n for layer in layers
        ],
        "a layer lies at its middle, (l + 1/2) / n, and not at (l + 1) / n.": [
            min((layer + 1) * n_parts // n, last) for layer in layers
        ],
        "layers were spread from 0 to 1, both ends included; a layer lies at (l + 1/2) / n.": [
            min(layer * n_parts // max(n - 1, 1), last) for layer in layers
        ],
        "the part was rounded to the nearest; a part begins at its lower border.": [
            min(round((2 * layer + 1) * n_parts / (2 * n)), last) for layer in layers
        ],
        "layers were dealt out in groups, the first ones larger; the parts have equal heights.": [
            next(p for p in range(n_parts) if layer < ends[p]) for layer in layers
        ],
        "layers were dealt out in groups of one size, the last one smaller; the parts have equal "
        "heights.": [layer // -(-n // n_parts) for layer in layers],
    }
    if size:
        rules[
            "what the division left over went to the last part; the parts have equal heights."
        ] = [min(layer // size, last) for layer in layers]
    return rules
