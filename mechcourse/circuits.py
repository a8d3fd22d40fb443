"""Circuits of attention heads as chapter 1 has built them, for the notebooks that build on it.

Row vectors: `x @ W`. A circuit between tokens is kept as two thin factors, `left @ right`, and
never formed whole unless somebody looks at all of it. Source: A Mathematical Framework for
Transformer Circuits (2021).
"""

import math
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

Layer = dict[str, Tensor]  # W_Q, W_K, W_V: [head d_model d_head]; W_O: [head d_head d_model]
Kind = Literal["Q", "K", "V"]


def qk_circuit(
    W_E: Float[Tensor, "d_vocab d_model"],
    W_Q: Float[Tensor, "head d_model d_head"],
    W_K: Float[Tensor, "head d_model d_head"],
) -> tuple[Float[Tensor, "head d_vocab d_head"], Float[Tensor, "head d_head d_vocab"]]:
    """Factors of each head's QK circuit: attention scores, query token by key token.

    Scores are divided by sqrt(d_head); positions are left out.
    """
    return W_E @ W_Q / math.sqrt(W_Q.shape[-1]), (W_E @ W_K).mT


def ov_circuit(
    W_E: Float[Tensor, "d_vocab d_model"],
    W_V: Float[Tensor, "head d_model d_head"],
    W_O: Float[Tensor, "head d_head d_model"],
    W_U: Float[Tensor, "d_model d_vocab"],
) -> tuple[Float[Tensor, "head d_vocab d_head"], Float[Tensor, "head d_head d_vocab"]]:
    """Factors of each head's OV circuit: logits, token looked at by token raised, rows centred."""
    said = W_O @ W_U
    return W_E @ W_V, said - said.mean(dim=-1, keepdim=True)


def copying_score(
    W_E: Float[Tensor, "d_vocab d_model"],
    W_V: Float[Tensor, "head d_model d_head"],
    W_O: Float[Tensor, "head d_head d_model"],
    W_U: Float[Tensor, "d_model d_vocab"],
) -> Float[Tensor, "head"]:
    """Sum of the OV circuit's eigenvalues over the sum of their moduli, from -1 to 1.

    Computed from the d_head by d_head matrix that has the same non-zero eigenvalues; 0 for a head
    that writes nothing.
    """
    source, said = ov_circuit(W_E.double(), W_V.double(), W_O.double(), W_U.double())
    values = torch.linalg.eigvals(said @ source)
    return _ratio(values.sum(dim=-1).real, values.abs().sum(dim=-1)).to(W_E.dtype)


def top_k_copying_accuracy(
    W_E: Float[Tensor, "d_vocab d_model"],
    W_V: Float[Tensor, "head d_model d_head"],
    W_O: Float[Tensor, "head d_head d_model"],
    W_U: Float[Tensor, "d_model d_vocab"],
    k: int,
    weights: Float[Tensor, "d_vocab"] | None = None,
) -> Float[Tensor, "head"]:
    """The share of tokens that each head, looking at them, puts among the k it raises most.

    Args:
        weights: how much each token counts; by default all alike.
    """
    shares = torch.ones(len(W_E)) if weights is None else weights
    found = []
    for source, said in zip(*ov_circuit(W_E, W_V, W_O, W_U), strict=True):
        raised = source @ said  # one head at a time: the whole circuit is d_vocab squared
        rivals = (raised >= raised.diagonal()[:, None]).sum(dim=-1) - 1
        found.append(shares[rivals < k].sum() / shares.sum())
    return torch.stack(found)


def layer_weights(weights: dict[str, Tensor], layer: int) -> Layer:
    """One layer's attention weights, by their short names, out of a model's `state_dict`."""
    return {name: weights[f"blocks.{layer}.attn.{name}"] for name in ("W_Q", "W_K", "W_V", "W_O")}


def composition_score(earlier: Layer, later: Layer, kind: Kind) -> Float[Tensor, "earlier later"]:
    """How much of what each earlier head writes each later head reads, a fraction from 0 to 1.

    The Frobenius norm of W_OV @ B over the product of theirs, where B is the later head's W_QK
    ("Q"), its transpose ("K") or its W_OV ("V"); 0 where one of them is 0.
    """
    writes = _thin(earlier["W_V"], earlier["W_O"])
    reads = {
        "Q": _thin(later["W_Q"], later["W_K"].mT),
        "K": _thin(later["W_K"], later["W_Q"].mT),
        "V": _thin(later["W_V"], later["W_O"]),
    }[kind]
    return _overlap(writes, reads)


def composition_null(
    earlier: Layer, later: Layer, kind: Kind, n_samples: int, *, seed: int
) -> Float[Tensor, "sample earlier later"]:
    """Composition scores with the stream between the layers turned by random rotations.

    Every head keeps its singular values; only how the two lie to each other is left to chance.
    """
    random = torch.Generator().manual_seed(seed)
    W_O = earlier["W_O"]
    turns = (haar_rotation(W_O.shape[-1], random).to(W_O.dtype) for _ in range(n_samples))
    turned = ({**earlier, "W_O": W_O @ turn} for turn in turns)
    return torch.stack([composition_score(layer, later, kind) for layer in turned])


def composition_z_scores(
    scores: Float[Tensor, "earlier later"], null: Float[Tensor, "sample earlier later"]
) -> Float[Tensor, "earlier later"]:
    """Standard deviations of each pair's null by which its score exceeds the null's mean."""
    excess = scores - null.mean(dim=0)
    return torch.where(excess == 0, 0.0, excess / null.std(dim=0))


def haar_rotation(size: int, random: torch.Generator) -> Float[Tensor, "size size"]:
    """A random orthogonal matrix, uniform over all of them, in float64."""
    normal = torch.randn(size, size, generator=random, dtype=torch.float64)
    q, r = torch.linalg.qr(normal)
    return q * r.diagonal().sign()  # without this the signs would be LAPACK's, not chance's


def logits_by_order(
    tokens: Int[Tensor, "batch pos"],
    patterns: Float[Tensor, "layer batch head query key"],
    weights: dict[str, Tensor],
) -> Float[Tensor, "order batch pos d_vocab"]:
    """Logits of all paths through at most 0, 1, 2 … heads, every pattern held as given.

    The last of them are the model's own. A state of the stream is kept as its terms by order: a
    head raises the order of what it moves by one.
    """
    embedded = weights["embed.W_E"][tokens]
    terms = [embedded] + [torch.zeros_like(embedded)] * len(patterns)
    for layer, pattern in enumerate(patterns):
        attn = layer_weights(weights, layer)
        moved = [_moved(term, pattern, attn["W_V"], attn["W_O"]) for term in terms[:-1]]
        terms = [terms[0], *(term + new for term, new in zip(terms[1:], moved, strict=True))]
    return torch.stack(terms).cumsum(dim=0) @ weights["unembed.W_U"]


def _moved(
    stream: Float[Tensor, "batch pos d_model"],
    pattern: Float[Tensor, "batch head query key"],
    W_V: Float[Tensor, "head d_model d_head"],
    W_O: Float[Tensor, "head d_head d_model"],
) -> Float[Tensor, "batch pos d_model"]:
    """What a layer's heads together write of a stream, looking where the pattern says."""
    return (pattern @ (stream[:, None] @ W_V) @ W_O).sum(dim=1)


def _thin(
    left: Float[Tensor, "head d_model d_head"], right: Float[Tensor, "head d_head d_model"]
) -> tuple[Tensor, Tensor]:
    """Thinner factors of the same product's norms: (d_head by d_model core, its reading side)."""
    q, r = torch.linalg.qr(left)
    return q, r @ right


def _overlap(
    writes: tuple[Tensor, Tensor], reads: tuple[Tensor, Tensor]
) -> Float[Tensor, "earlier later"]:
    """The norm of each product over the product of the norms; an orthonormal factor adds none."""
    (_, written), (directions, core) = writes, reads
    joined = (written[:, None] @ directions[None]) @ core[None]
    apart = written.norm(dim=(-2, -1))[:, None] * core.norm(dim=(-2, -1))
    return _ratio(joined.norm(dim=(-2, -1)), apart)


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    """Their quotient, and 0 where the whole is 0."""
    return torch.where(whole > 0, part / whole.where(whole > 0, torch.ones_like(whole)), 0.0)
