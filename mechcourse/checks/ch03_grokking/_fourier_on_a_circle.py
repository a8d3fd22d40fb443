"""Definitions, named mistakes and planted embeddings behind `ch03_grokking/2_fourier_on_a_circle`.

What is sparse is decided here with PyTorch's own Fourier transform, not with a basis.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from mechcourse.checks import _inputs as inputs

# --------------------------------------------------------------------------------------- basis


def basis(p: int) -> Tensor:
    """The waves, number by number; whole turns are left out."""
    rows = [[1 / math.sqrt(p)] * p]
    for k in range(1, (p - 1) // 2 + 1):
        for wave in (math.cos, math.sin):
            rows.append([math.sqrt(2 / p) * wave(2 * math.pi * (k * x % p) / p) for x in range(p)])
    return torch.tensor(rows, dtype=torch.float64)


def wrong_bases(p: int) -> dict[str, Tensor]:
    """Bases with one mistake each, for p of at least 5."""
    right = basis(p)
    n = (p - 1) // 2
    x = torch.arange(p, dtype=torch.float64)
    k = torch.arange(1, n + 1, dtype=torch.float64)[:, None]

    def built(angles: Tensor, first: Tensor | None = None) -> Tensor:
        rows = torch.stack([angles.cos(), angles.sin()], dim=1).flatten(0, 1)
        whole = torch.cat([torch.ones(1, p, dtype=torch.float64), rows])
        return whole / whole.norm(dim=1, keepdim=True).clamp(min=1e-6)

    size = math.sqrt(p / 2)
    cosines, sines = right[1::2], right[2::2]
    ones = torch.ones(1, p, dtype=torch.float64)
    return {
        "rows have no norm of 1 yet.": torch.cat([ones, right[1:] * size]),
        "only the constant has norm 1; divide the waves by sqrt(p / 2).": torch.cat(
            [right[:1], right[1:] * size]
        ),
        "the waves were divided by sqrt(p); the squares of a cosine add up to p / 2.": torch.cat(
            [right[:1], right[1:] / math.sqrt(2)]
        ),
        "the constant has norm sqrt(2): each of its entries is 1 / sqrt(p).": torch.cat(
            [right[:1] * math.sqrt(2), right[1:]]
        ),
        "rows were divided by their squared norm.": torch.cat([ones / p, right[1:] / size]),
        "all cosines come first, and then all sines; each frequency's two belong together.": (
            torch.cat([right[:1], cosines, sines])
        ),
        "the sine comes before the cosine.": torch.cat(
            [right[:1], torch.stack([sines, cosines], dim=1).flatten(0, 1)]
        ),
        "the constant comes last; it is row 0.": right.roll(-1, 0),
        "frequencies come from the highest to the lowest.": torch.cat(
            [right[:1], right[1:].unflatten(0, (n, 2)).flip(0).flatten(0, 1)]
        ),
        "waves stand in the columns; they are the rows.": right.T,
        "the numbers begin at 1: x goes from 0 to p - 1.": built(2 * math.pi * k * (x + 1) / p),
        "2π is missing from the angles.": built(k * x / p),
        "it is 2πkx/p: the angles are half as large as they should be.": built(math.pi * k * x / p),
        "the angles go round once in p - 1 numbers, not in p: number p is number 0 again.": built(
            2 * math.pi * k * x / (p - 1)
        ),
        "the frequencies begin at 0, which is the constant again.": built(
            2 * math.pi * (k - 1) * x / p
        ),
        "the frequencies begin at 2.": built(2 * math.pi * (k + 1) * x / p),
        "the angles are in degrees: cos() wants radians.": built(360 * k * x / p),
    }


def signs_of(got: Tensor, want: Tensor) -> Tensor:
    """For each row 1, or -1 where minus the row is nearer to what came back."""
    return torch.where((got * want).sum(dim=-1, keepdim=True) < 0, -1.0, 1.0).double()


# --------------------------------------------------------------------------------------- norms


def energies(table: Tensor) -> Tensor:
    """Squared norms by frequency, the constant's first."""
    p = len(table)
    waves = torch.fft.rfft(table.double(), dim=0).abs().square().sum(dim=1) / p
    return torch.cat([waves[:1], 2 * waves[1:]])


def norms(table: Tensor) -> Tensor:
    """Norms by frequency, the constant's first."""
    return energies(table).sqrt()


def wrong_norms(table: Tensor) -> dict[str, Tensor]:
    """Norms with one mistake each, for several columns."""
    p = len(table)
    right = norms(table)
    coefficients = basis(p) @ table.double()
    by_component = coefficients.square().sum(dim=1).sqrt()

    def from_components(of: Tensor) -> Tensor:
        return torch.cat([by_component[:1], of])

    pairs = coefficients[1:].unflatten(0, (-1, 2))  # [freq cosine/sine column]
    whole = torch.fft.rfft(table.double(), dim=0)
    shifted = by_component[: p // 2 * 2].view(-1, 2).square().sum(dim=1).sqrt()
    return {
        "these are energies; take their root.": right.square(),
        "only the cosines were counted; the phase of a wave is anybody's choice.": from_components(
            by_component[1::2]
        ),
        "only the sines were counted; the phase of a wave is anybody's choice.": from_components(
            by_component[2::2]
        ),
        "the norms of cosine and sine were added; their squares add up.": from_components(
            by_component[1::2] + by_component[2::2]
        ),
        "the mean of the cosine's and the sine's norm was taken; their squares add up.": (
            from_components((by_component[1::2] + by_component[2::2]) / 2)
        ),
        "the larger of the cosine's and the sine's norm was taken; their squares add up.": (
            from_components(torch.maximum(by_component[1::2], by_component[2::2]))
        ),
        "energies were halved: the squares of cosine and sine add up, and a transform that stops "
        "at (p - 1) / 2 counts only one of k and p - k.": torch.cat(
            [right[:1], right[1:] / math.sqrt(2)]
        ),
        "the coefficients were added up over the columns, so that they cancel; square them "
        "first.": torch.cat(
            [
                coefficients[0].sum().abs()[None],
                pairs.sum(dim=2).square().sum(dim=1).sqrt(),
            ]
        ),
        "sizes were added up over the columns; squares add up.": torch.cat(
            [
                coefficients[0].abs().sum()[None],
                pairs.square().sum(dim=1).sqrt().sum(dim=1),
            ]
        ),
        "the mean over the columns was taken; squares add up.": right / math.sqrt(table.shape[1]),
        "this is the first column alone; squares add up over all of them.": norms(table[:, :1]),
        "the table was centred first: entry 0 is the constant's.": torch.cat(
            [torch.zeros(1, dtype=torch.float64), right[1:]]
        ),
        "the constant was paired with cos 1, sin 1 with cos 2 and so on.": torch.cat(
            [shifted, by_component[-1:]]
        ),
        "these come from a transform that is not orthonormal: frequency k has two waves of norm "
        "sqrt(p / 2).": whole.abs().square().sum(dim=1).sqrt(),
        "each norm was divided by the norm of the table.": right / table.double().norm(),
    }


def wrong_shapes_of_norms(p: int) -> dict[tuple[int, ...], str]:
    """What a shape other than [(p + 1) / 2] means."""
    n = (p - 1) // 2
    return {
        (p,): "these are norms for each component; put the cosine and the sine of a frequency "
        "together.",
        (n,): "the constant has an entry too, the first.",
        (p - 1,): "these are norms for each component, without the constant.",
    }


# ----------------------------------------------------------------------------- key frequencies


def keys(norms: list[float], threshold: float) -> list[int]:
    """Frequencies that reach the threshold."""
    largest = max(norms[1:])
    return [k for k in range(1, len(norms)) if norms[k] >= threshold * largest > 0]


def wrong_keys(norms: list[float], threshold: float) -> dict[str, list[int]]:
    """Key frequencies with one mistake each."""
    largest, waves = max(norms[1:]), norms[1:]

    def above(cut: float, start: int = 1) -> list[int]:
        return [k for k in range(start, len(norms)) if norms[k] >= cut]

    by_size = sorted(keys(norms, threshold), key=lambda k: -norms[k])
    middle = float(torch.tensor(waves).median())
    return {
        "a frequency just at the threshold counts.": [
            k for k in range(1, len(norms)) if norms[k] > threshold * largest
        ],
        "the constant was compared with: the largest is looked for among the others.": above(
            threshold * max(norms)
        ),
        "the constant was counted as a frequency.": above(threshold * max(norms), 0),
        "the constant was let in.": above(threshold * largest, 0),
        "frequencies were counted from 0; entry k of `norms` is frequency k.": [
            k - 1 for k in keys(norms, threshold)
        ],
        "frequencies are one too high; entry k of `norms` is frequency k.": [
            k + 1 for k in keys(norms, threshold)
        ],
        "`threshold` was taken as a norm; it is a share of the largest.": above(threshold),
        "energies were compared; the rule is about norms.": [
            k for k in range(1, len(norms)) if norms[k] ** 2 >= threshold * largest**2
        ],
        "they are in the order of size; ascending is asked for.": by_size,
        "they are descending.": keys(norms, threshold)[::-1],
        "`threshold` was taken as a share of all norms together.": above(threshold * sum(waves)),
        "`threshold` was taken as a share of the total energy.": [
            k
            for k in range(1, len(norms))
            if norms[k] ** 2 >= threshold * sum(norm**2 for norm in waves)
        ],
        "norms were held against their median, not against the largest.": above(threshold * middle),
        "norms were held against their mean, not against the largest.": above(
            threshold * sum(waves) / len(waves)
        ),
        "these are the frequencies that are not key.": [
            k for k in range(1, len(norms)) if k not in keys(norms, threshold)
        ],
        "only the largest was given.": [norms.index(largest, 1)],
    }


# ------------------------------------------------------------------------------ two dimensions


def coefficients(table: Tensor) -> Tensor:
    """Coefficients in products of waves, summed one product at a time."""
    p = len(table)
    waves = basis(p)
    by_a = torch.stack([(row[:, None] * table.double()).sum(dim=0) for row in waves])
    return torch.stack([(by_a * row).sum(dim=1) for row in waves], dim=1)


def wrong_coefficients(table: Tensor) -> dict[str, Tensor]:
    """Coefficients with one mistake each, for a table that is not symmetric."""
    p = len(table)
    waves, x, right = basis(p), table.double(), coefficients(table)
    return {
        "a and b are in each other's place: components of a come first.": right.T,
        "only a was transformed: the second axis still holds b.": waves @ x,
        "only b was transformed: the first axis still holds a.": x @ waves.T,
        "the basis was multiplied with its rows over components on the right: turn it, so that b "
        "meets b.": waves @ x @ waves,
        "the basis stands turned on the left: its columns are the numbers, and a has to meet "
        "them.": waves.T @ x @ waves.T,
        "this is the transform back: the basis stands turned on both sides.": waves.T @ x @ waves,
        "both transforms went over a.": waves @ waves @ x,
        "the mean of the table was taken away first: the constant counts, too.": coefficients(
            table - table.mean()
        ),
        "sizes were taken: the sign is part of a coefficient.": right.abs(),
        "these are energies: the coefficients themselves are asked for.": right.square(),
        "the sum was divided by p².": right / p**2,
        "the sum was divided by p.": right / p,
        "this is an outer product of two transforms of sums; a table need be no product.": (
            torch.outer(waves @ x.sum(dim=1), waves @ x.sum(dim=0))
        ),
    }


def aligned(want: Tensor, got: Tensor) -> Tensor:
    """Coefficients with the signs of rows of the basis that make them like those that came back.

    Flipping row j of the basis flips row j and column j; the first row says which are flipped.
    """
    flips = torch.where(want[0] * got[0] < 0, -1.0, 1.0).double()
    flips = flips * flips[0]
    return want * torch.outer(flips, flips)


# ------------------------------------------------------------------ embeddings to look through

Kind = Literal[
    "circles",
    "folded",
    "relabelled",
    "one circle",
    "many circles",
    "random",
    "low rank",
    "turned",
    "shuffled",
    "products",
    "single numbers",
    "line",
    "smooth",
    "digits",
    "memorised",
    "overtones",
    "seven circles",
    "faint",
    "columns",
]
KINDS: dict[Kind, str] = {
    "circles": "of a few circles, each of another frequency",
    "folded": "of a few waves that are a cosine or a sine alone",
    "relabelled": "of a few circles whose numbers were all multiplied modulo p and moved on",
    "one circle": "of one circle and noise",
    "many circles": "of ten circles or more",
    "random": "of random numbers",
    "low rank": "of random numbers in few directions",
    "turned": "with the singular values of a few circles, in random directions",
    "shuffled": "of a few circles with the numbers in random order",
    "products": "of circles on which products, not sums, are turns",
    "single numbers": "in which a few single numbers stand out",
    "line": "of a line, or a bend, and noise",
    "smooth": "that are smooth, with more of a frequency the lower it is",
    "digits": "of digits, each with a vector of its own",
    "memorised": "of random numbers and a little of a few frequencies",
    "overtones": "of a few large circles and many small ones, as trained models have them",
    "seven circles": "of seven circles",
    "faint": "of one large circle and all others, each of them faint",
    "columns": "in which four columns hold waves and the others noise",
}
SPARSE: tuple[Kind, ...] = ("circles", "folded", "relabelled", "one circle", "overtones")
FEW, NEARLY_ALL, NOT_NEARLY = 6, 0.95, 0.85
MARGIN = 0.005  # kept from both bounds
N_OF_EACH = 10
MODULI = (31, 33, 37, 41, 43, 45, 53, 59, 61, 67, 75, 83, 89, 97, 101, 105, 109, 113)
PRIMES = (31, 37, 41, 43, 53, 59, 61, 67, 83, 89, 97, 101, 109, 113)


@dataclass
class Hidden:
    """An embedding whose kind is known."""

    W_E: Tensor
    kind: Kind

    @property
    def sparse(self) -> bool:
        return self.kind in SPARSE


def share_of_few(W_E: Tensor) -> float:
    """The share of the energy in the six frequencies that have most, the constant left out."""
    waves = energies(W_E)[1:]
    return float(waves.topk(FEW).values.sum() / waves.sum())


@lru_cache(maxsize=16)  # whoever checks again has them at once, with a few seeds as well
def hidden_embeddings(seed: int) -> list[Hidden]:
    """Embeddings of every kind and many sizes, in no order."""
    random = inputs.generator(seed, salt=1)
    made = [Hidden(_of_kind(random, kind), kind) for kind in KINDS for _ in range(N_OF_EACH)]
    return [made[i] for i in torch.randperm(len(made), generator=random).tolist()]


def _of_kind(random: torch.Generator, kind: Kind) -> Tensor:
    """One embedding, drawn again until it is on the side of the bounds where it belongs."""
    while True:
        p = _one_of(random, PRIMES if kind == "products" else MODULI)
        W_E = PLANTED[kind](random, p)
        share = share_of_few(W_E)
        if share > NEARLY_ALL + MARGIN if kind in SPARSE else share < NOT_NEARLY - MARGIN:
            break
    away = inputs.normal(random, 1, W_E.shape[1], dtype=torch.float64)
    spread = (W_E - W_E.mean(dim=0)).square().sum(dim=1).mean().sqrt()
    offset = _one_of(random, (0.0, 0.3, 8.0)) * spread * away / away.norm()
    return ((W_E + offset) * 10 ** between(random, -2.5, 2.5)).float()


def between(random: torch.Generator, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand((), generator=random))


def _one_of(random: torch.Generator, values: tuple) -> int | float:
    return values[int(inputs.integers(random, len(values)))]


def _normal(random: torch.Generator, *shape: int) -> Tensor:
    return inputs.normal(random, *shape, dtype=torch.float64)


def _width(random: torch.Generator) -> int:
    return int(_one_of(random, (4, 7, 12, 16, 24, 32, 64, 128)))


def _noisy(random: torch.Generator, W_E: Tensor, share: float) -> Tensor:
    """The embedding with noise that makes up a share of the energy, the constant left out."""
    noise = _normal(random, *W_E.shape)
    noise = noise - noise.mean(dim=0)
    size = (W_E - W_E.mean(dim=0)).norm()
    return W_E + noise / noise.norm() * size * math.sqrt(share / (1 - share))


def _waves(
    random: torch.Generator, p: int, d_model: int, n: int, *, folded: bool = False
) -> Tensor:
    """Circles of n frequencies, no rounder than the two directions of each happen to be."""
    chosen = torch.randperm((p - 1) // 2, generator=random)[:n] + 1
    W_E = torch.zeros(p, d_model, dtype=torch.float64)
    for k in chosen.tolist():
        angles = 2 * math.pi * k * torch.arange(p, dtype=torch.float64) / p
        pair = torch.stack([angles.cos(), angles.sin()], dim=1)
        if folded:
            pair = pair[:, int(inputs.integers(random, 2)), None]
        plane = _normal(random, pair.shape[1], d_model)
        W_E += between(random, 0.5, 1.0) * pair @ (plane / plane.norm(dim=1, keepdim=True))
    return W_E


def _circles(random: torch.Generator, p: int, n: int | None = None) -> Tensor:
    n = n or 2 + int(inputs.integers(random, FEW - 1))
    return _noisy(random, _waves(random, p, _width(random), n), between(random, 0.002, 0.04))


def _folded(random: torch.Generator, p: int) -> Tensor:
    n = 1 + int(inputs.integers(random, 4))
    waves = _waves(random, p, _width(random), n, folded=True)
    return _noisy(random, waves, between(random, 0.002, 0.04))


def _relabelled(random: torch.Generator, p: int) -> Tensor:
    factors = [m for m in range(2, p) if math.gcd(m, p) == 1]
    places = torch.arange(p) * _one_of(random, tuple(factors)) + int(inputs.integers(random, p))
    return _circles(random, p)[places % p]


def _many_circles(random: torch.Generator, p: int) -> Tensor:
    """So few of all frequencies that the spectrum is uneven, and yet too many."""
    return _circles(random, p, min(10 + int(inputs.integers(random, 5)), p // 3))


def _low_rank(random: torch.Generator, p: int) -> Tensor:
    d_model = _width(random)
    rank = 2 + int(inputs.integers(random, min(d_model, 12) - 1))
    return _normal(random, p, rank) @ _normal(random, rank, d_model)


def _turned(random: torch.Generator, p: int) -> Tensor:
    """A rotation of the numbers' space that keeps the constant where it is."""
    W_E = _circles(random, p)
    some = torch.cat([torch.ones(p, 1, dtype=torch.float64), _normal(random, p, p - 1)], dim=1)
    rest = torch.linalg.qr(some).Q[:, 1:]
    turn = inputs.rotation(random, p - 1).double()
    return rest @ turn @ (rest.T @ W_E)


def _shuffled(random: torch.Generator, p: int) -> Tensor:
    return _circles(random, p)[torch.randperm(p, generator=random)]


def _products(random: torch.Generator, p: int) -> Tensor:
    """Numbers at the place of their logarithm: multiplying is a turn; 0 stands apart."""
    root = next(g for g in range(2, p) if len({pow(g, i, p) for i in range(p - 1)}) == p - 1)
    d_model, n = _width(random), 1 + int(inputs.integers(random, 4))
    around = _waves(random, p - 1, d_model, n)
    W_E = _normal(random, p, d_model) / math.sqrt(d_model)
    W_E[[pow(root, i, p) for i in range(p - 1)]] = around
    return _noisy(random, W_E, between(random, 0.0, 0.03))


def _single_numbers(random: torch.Generator, p: int) -> Tensor:
    W_E = 0.1 * _normal(random, p, _width(random))
    W_E[torch.randperm(p, generator=random)[: 1 + int(inputs.integers(random, 5))]] *= 30
    return W_E


def _line(random: torch.Generator, p: int) -> Tensor:
    d_model = _width(random)
    x = torch.linspace(-1, 1, p, dtype=torch.float64)[:, None]
    W_E = x @ _normal(random, 1, d_model)
    if int(inputs.integers(random, 2)):
        W_E = W_E + (x**2) @ _normal(random, 1, d_model)
    return _noisy(random, W_E, between(random, 0.12, 0.25))


def _smooth(random: torch.Generator, p: int) -> Tensor:
    d_model = _width(random)
    k = torch.arange(1, (p - 1) // 2 + 1).repeat_interleave(2).double()
    falls = k ** -between(random, 0.4, 0.6)
    return basis(p)[1:].T @ (falls[:, None] * _normal(random, p - 1, d_model))


def _digits(random: torch.Generator, p: int) -> Tensor:
    d_model, base = _width(random), int(_one_of(random, (7, 8, 10, 12)))
    units, tens = (_normal(random, size, d_model) for size in (base, p // base + 1))
    x = torch.arange(p)
    return _noisy(random, units[x % base] + tens[x // base], 0.02)


def _memorised(random: torch.Generator, p: int) -> Tensor:
    d_model = _width(random)
    n = 3 + int(inputs.integers(random, 4))
    return _noisy(random, _waves(random, p, d_model, n), between(random, 0.5, 0.95))


def _overtones(random: torch.Generator, p: int) -> Tensor:
    """Three to five large circles, and five small ones: more than six that stand out."""
    d_model, n = _width(random), 3 + int(inputs.integers(random, 3))
    small = between(random, 0.12, 0.17)
    return _waves(random, p, d_model, n) + small * _waves(random, p, d_model, 5)


def _faint(random: torch.Generator, p: int) -> Tensor:
    d_model = _width(random)
    chosen, n = 1 + int(inputs.integers(random, (p - 1) // 2)), (p - 1) // 2
    size = torch.full((n,), between(random, 0.08, 0.095), dtype=torch.float64)
    size[chosen - 1] = 1
    rows = _normal(random, p - 1, d_model)
    rows = rows / rows.norm(dim=1, keepdim=True)
    return basis(p)[1:].T @ (size.repeat_interleave(2)[:, None] * rows)


def _columns(random: torch.Generator, p: int) -> Tensor:
    n = 1 + int(inputs.integers(random, 4))
    others = 4 + int(inputs.integers(random, 40))
    waves = _noisy(random, _waves(random, p, 4, n), 0.01)
    return torch.cat([waves, between(random, 0.15, 0.5) * _normal(random, p, others)], dim=1)


# Another kind, say of embeddings that were trained, is one more line here and in KINDS.
PLANTED: Mapping[Kind, Callable[[torch.Generator, int], Tensor]] = {
    "circles": _circles,
    "folded": _folded,
    "relabelled": _relabelled,
    "one circle": lambda random, p: _circles(random, p, 1),
    "many circles": _many_circles,
    "random": lambda random, p: _normal(random, p, _width(random)),
    "low rank": _low_rank,
    "turned": _turned,
    "shuffled": _shuffled,
    "products": _products,
    "single numbers": _single_numbers,
    "line": _line,
    "smooth": _smooth,
    "digits": _digits,
    "memorised": _memorised,
    "overtones": _overtones,
    "seven circles": lambda random, p: _noisy(random, _waves(random, p, _width(random), 7), 0.05),
    "faint": _faint,
    "columns": _columns,
}


def misjudged(judged: Mapping[Kind, list[bool]]) -> tuple[Kind, int, int]:
    """The kind of which the largest share was told wrongly, how many were, and of how many."""
    kinds = [kind for kind in KINDS if kind in judged]  # of two as bad, the simpler one
    worst = max(kinds, key=lambda kind: judged[kind].count(False) / len(judged[kind]))
    return worst, judged[worst].count(False), len(judged[worst])


def allowed(n: int) -> int:
    """How many of n may be told wrongly if at least 95 % are to be right."""
    return n - math.ceil(0.95 * n - 1e-9)
