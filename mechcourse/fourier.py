"""Fourier analysis of what a model of sums modulo p computes, as chapter 3 builds it.

The basis is real and orthonormal, so a squared coefficient is an energy and energies add up. p is
odd throughout. A table over the numbers has them on its first axis; one over pairs (a, b) has a on
the first and b on the second. Frequencies are named 1 to (p - 1) / 2: w_k = 2πk / p. Source: Nanda
et al., Progress Measures for Grokking via Mechanistic Interpretability (2023).
"""

import math
from collections.abc import Collection

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mechcourse.modular import exact_cross_entropy, sums

A_QUARTER = 0.25  # of the largest frequency's norm: the rule of TransformerLens's demonstration


def fourier_basis(p: int) -> Float[Tensor, "component p"]:
    """Orthonormal rows: the constant, cos 1, sin 1, cos 2, sin 2 and so on, in float64.

    Frequency k has rows 2k - 1 and 2k.

    Raises:
        ValueError: p is even or less than 3: then the rows would not come in pairs.

    >>> basis = fourier_basis(5)
    >>> bool(torch.allclose(basis @ basis.T, torch.eye(5).double()))
    True
    """
    if p < 3 or p % 2 == 0:
        raise ValueError(f"p must be odd and at least 3, got {p}")
    angles = _angles(range(1, p // 2 + 1), torch.arange(p), p)
    waves = torch.stack([angles.cos(), angles.sin()], dim=1).flatten(0, 1)
    return torch.cat([torch.full((1, p), p**-0.5, dtype=torch.float64), waves * (2 / p) ** 0.5])


def _angles(
    frequencies: Collection[int], numbers: Int[Tensor, "..."], p: int
) -> Float[Tensor, "freq ..."]:
    """w_k times each number, in radians, for each k; whole turns are left out, in integers."""
    ks = torch.tensor(list(frequencies), dtype=torch.long)
    return 2 * math.pi / p * (torch.tensordot(ks[:, None], numbers[None], dims=1) % p).double()


def fourier_norms(table: Float[Tensor, "p ..."]) -> Float[Tensor, "component"]:
    """The norm of each component of a table over the numbers, its other axes taken together.

    >>> fourier_norms(3 * fourier_basis(5)[2]).round(decimals=6).tolist()
    [0.0, 0.0, 3.0, 0.0, 0.0]
    """
    p = len(table)
    return (fourier_basis(p) @ table.reshape(p, -1).double()).norm(dim=1)


def frequency_shares(table: Float[Tensor, "p ..."]) -> Float[Tensor, "freq"]:
    """Each frequency's share of the energy that is not constant; entry 0 is of frequency 1.

    All zero for a constant table.

    >>> basis = fourier_basis(5)
    >>> frequency_shares(2 * basis[0] + 3 * basis[3] + basis[1]).round(decimals=6).tolist()
    [0.1, 0.9]
    """
    norms = fourier_norms(table)
    energies = norms[1:].square().unflatten(0, (-1, 2)).sum(dim=1)
    total = energies.sum()
    # What rounding leaves of a constant is no frequency.
    return energies / total if total > 1e-20 * norms[0] ** 2 else torch.zeros_like(energies)


def key_frequencies(table: Float[Tensor, "p ..."], threshold: float = A_QUARTER) -> list[int]:
    """The frequencies whose norm is at least a share of the largest one's, ascending.

    This course applies the rule to the final model's neuron-logit map (numbers first, so to its
    transpose). The paper uses three rules, and publishes no threshold. A table of noise has nearly
    all frequencies by this rule, and a constant one none.

    >>> basis = fourier_basis(7)
    >>> key_frequencies(basis[1] + 0.5 * basis[4] + 0.1 * basis[5])
    [1, 2]
    """
    norms = frequency_shares(table).sqrt()
    cut = threshold * norms.max()
    return [k for k, norm in enumerate(norms.tolist(), 1) if norm >= cut and norm > 0]


def fourier_2d(table: Float[Tensor, "p p ..."]) -> Float[Tensor, "component component ..."]:
    """Coefficients of a table over pairs in the products of two components: of a, and of b.

    >>> basis = fourier_basis(3)
    >>> fourier_2d(torch.outer(basis[1], basis[2])).round(decimals=6).abs().tolist()
    [[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    """
    basis = fourier_basis(len(table))
    over_a = torch.tensordot(basis, table.double(), dims=1)  # one axis after the other: the
    return torch.einsum("jb,ib...->ij...", basis, over_a)  # products of both are p times the work


def gini(sizes: Float[Tensor, "component"]) -> float:
    """How uneven sizes are: 0 if all are alike, near 1 if a single one is not zero.

    Source: Hurley and Rickard (2009). All zero gives 0.

    >>> gini(torch.ones(4)), round(gini(torch.tensor([0.0, 0.0, 0.0, 1.0])), 3)
    (0.0, 0.75)
    """
    ascending = sizes.double().sort().values
    total, n = ascending.sum(), len(ascending)
    if total == 0:
        return 0.0
    weights = (n - torch.arange(1, n + 1).double() + 0.5) / n
    return float(1 - 2 * (ascending / total * weights).sum())


def neuron_fve(
    activations: Float[Tensor, "p p neuron"],
) -> Float[Tensor, "freq neuron"]:
    """How much of each neuron's variance over all pairs each frequency explains, as a fraction.

    The energy in all products of 1, cos k and sin k of a with the same of b, the constant left out,
    over the energy of all but the constant. Entry 0 is of frequency 1. Zero for a neuron that
    always does the same. The fractions of a neuron need not add up to 1: products of different
    frequencies belong to none.
    """
    energies = fourier_2d(activations).square()
    waves = energies[1:, 1:].unflatten(0, (-1, 2)).unflatten(2, (-1, 2)).sum(dim=(1, 3))
    of_both = waves.diagonal().T  # [freq neuron]
    of_a = energies[1:, 0].unflatten(0, (-1, 2)).sum(dim=1)
    of_b = energies[0, 1:].unflatten(0, (-1, 2)).sum(dim=1)
    varying = energies.sum(dim=(0, 1)) - energies[0, 0]
    explained = of_both + of_a + of_b
    return torch.where(varying > 1e-12, explained / varying.clamp(min=1e-12), 0.0)


def neuron_logit_map(
    W_out: Float[Tensor, "d_mlp d_model"], W_U: Float[Tensor, "d_model p"]
) -> Float[Tensor, "d_mlp p"]:
    """What each neuron adds to each logit for 1 of activation: `W_out W_U`, rows centred.

    A common shift of all logits changes no prediction. The paper's W_L is its transpose.
    """
    logits = W_out @ W_U
    return logits - logits.mean(dim=1, keepdim=True)


def wave_rows(p: int, frequencies: Collection[int]) -> Float[Tensor, "component p"]:
    """The rows of the basis of some frequencies: cos, sin, cos, sin, in their order."""
    rows = [row for k in frequencies for row in (2 * k - 1, 2 * k)]
    return fourier_basis(p)[rows]


def residual_share(table: Float[Tensor, "p ..."], frequencies: Collection[int]) -> float:
    """What of a table some frequencies don't reach: a Frobenius norm over the whole table's."""
    flat = table.reshape(len(table), -1).double()
    waves = wave_rows(len(table), frequencies)
    return float((flat - waves.T @ (waves @ flat)).norm() / flat.norm())


def cosine_fit(
    logits: Float[Tensor, "p p p"], frequencies: Collection[int]
) -> tuple[Float[Tensor, "freq"], float]:
    """The logits as a sum of α_k cos(w_k (a + b - c)): the α_k, and the fraction explained.

    Axes are a, b and c. The logits of each pair are centred first: the softmax does not see their
    mean. α_k is in logits; over all pairs and c the waves are orthogonal, so each is fitted alone.
    """
    p = len(logits)
    centred = logits.double() - logits.double().mean(dim=-1, keepdim=True)
    turned = _by_offset(p)
    by_offset = centred.flatten()[turned].view(p * p, p).mean(dim=0)  # over pairs, by a + b - c
    amplitudes = 2 / p * _angles(frequencies, torch.arange(p), p).cos() @ by_offset
    explained = p**3 / 2 * amplitudes.square().sum() / centred.square().sum()
    return amplitudes, float(explained)


def _by_offset(p: int) -> Int[Tensor, "cell"]:
    """Where to find, for every pair in turn, the logits in the order of (a + b - c) mod p."""
    a, b, offset = torch.meshgrid(*[torch.arange(p)] * 3, indexing="ij")
    return ((a * p + b) * p + (a + b - offset) % p).flatten()


def sum_waves(p: int, frequencies: Collection[int]) -> Float[Tensor, "wave p p"]:
    """Unit-norm tables over pairs: cos and sin of w_k (a + b), for each frequency in turn."""
    angles = _angles(frequencies, torch.arange(p)[:, None] + torch.arange(p), p)
    return torch.stack([angles.cos(), angles.sin()], dim=1).flatten(0, 1) * 2**0.5 / p


def sum_part(
    logits: Float[Tensor, "p p p"], frequencies: Collection[int]
) -> Float[Tensor, "p p p"]:
    """What of the logits depends on (a, b) through cos and sin of w_k (a + b) only, k given.

    The projection over all pairs, those trained on and the others, of each number's logit.
    """
    waves = sum_waves(len(logits), frequencies).flatten(1)  # [wave pair]
    return (waves.T @ (waves @ logits.double().flatten(0, 1))).view(logits.shape)


def restricted_logits(
    logits: Float[Tensor, "p p p"], frequencies: Collection[int]
) -> Float[Tensor, "p p p"]:
    """Only what the key frequencies give, and the mean over all pairs of each number's logit."""
    return logits.double().mean(dim=(0, 1)) + sum_part(logits, frequencies)


def excluded_logits(
    logits: Float[Tensor, "p p p"], frequencies: Collection[int]
) -> Float[Tensor, "p p p"]:
    """All but what the key frequencies give."""
    return logits.double() - sum_part(logits, frequencies)


def loss_on(logits: Float[Tensor, "p p p"], pairs: Int[Tensor, "pair 2"] | None = None) -> float:
    """Mean cross-entropy in nats, in float64, over some pairs, or over all of them."""
    p = len(logits)
    if pairs is None:
        pairs = torch.cartesian_prod(torch.arange(p), torch.arange(p))
    picked = logits[pairs[:, 0], pairs[:, 1]]
    return float(exact_cross_entropy(picked, sums(pairs, p)).mean())


def restricted_loss(
    logits: Float[Tensor, "p p p"],
    frequencies: Collection[int],
    pairs: Int[Tensor, "pair 2"] | None = None,
) -> float:
    """Loss in nats with what the key frequencies give only.

    It falls while the circuit forms, long before the test loss does. The paper does not say over
    which pairs; its code takes all and the training pairs.
    """
    return loss_on(restricted_logits(logits, frequencies), pairs)


def excluded_loss(
    logits: Float[Tensor, "p p p"],
    frequencies: Collection[int],
    pairs: Int[Tensor, "pair 2"] | None = None,
) -> float:
    """Loss in nats without what the key frequencies give.

    The paper's is over the pairs trained on: it rises as the model comes to rely on the circuit
    for what it had memorised. What is taken away is fitted on all pairs, test pairs too.
    """
    return loss_on(excluded_logits(logits, frequencies), pairs)


def distance_irrelevance(logits: Float[Tensor, "p p p"]) -> float:
    """How little the right answer's logit has to do with a - b: near 1 Clock, near 0 Pizza.

    The standard deviation of the right logit among the pairs of one difference a - b, averaged over
    the differences, over its standard deviation among all pairs. 1 where it never varies. Source:
    Zhong et al., The Clock and the Pizza (2023), section 4.1.
    """
    a, b = torch.meshgrid(*[torch.arange(len(logits))] * 2, indexing="ij")
    right = logits.double()[a, b, (a + b) % len(logits)]
    by_difference = right[(a + b) % len(logits), b]  # the first axis is now a - b
    total = right.std(correction=0)
    return float(by_difference.std(dim=1, correction=0).mean() / total) if total > 0 else 1.0
