"""Truths and named mistakes behind `ch04_superposition/3_phase_diagram`, samples left out.

Expected losses are Gauss sums over the model as it is written, not closed forms; a boundary is
found from differences of these; and the best of k models by going through every choice there is.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import combinations

import torch
from torch import Tensor

from mechcourse.checks import _inputs as inputs

# ------------------------------------------------------------------------------ two features

ROOT = math.sqrt(0.6)
# Exact for polynomials of degree 5 between 0 and 1: points and weights.
GAUSS = ((0.5 - ROOT / 2, 5 / 18), (0.5, 8 / 18), (0.5 + ROOT / 2, 5 / 18))


def ignoring(p: float, importance: float) -> float:
    """The least expected loss of a constant output, at the lowest point of a parabola."""

    def cost(constant: float) -> float:
        present = sum(w * (u - constant) ** 2 for u, w in GAUSS)
        return (1 - p) * constant**2 + p * present

    at_0, at_half, at_1 = cost(0.0), cost(0.5), cost(1.0)
    curve, slope = 2 * (at_0 - 2 * at_half + at_1), 4 * at_half - 3 * at_0 - at_1
    return importance * cost(-slope / (2 * curve))


def sharing(p: float, first: float, second: float) -> float:
    """The expected loss of [1, -1] without biases: that of none, one or both being present."""

    def loss(x: float, y: float) -> float:
        hidden = x - y
        return first * (x - max(hidden, 0.0)) ** 2 + second * (y - max(-hidden, 0.0)) ** 2

    one = sum(w * (loss(u, 0.0) + loss(0.0, u)) for u, w in GAUSS)
    # Over each half of the square apart, where nothing has a kink: y = t x, or x = t y.
    both = sum(w * v * u * (loss(u, u * t) + loss(u * t, u)) for u, w in GAUSS for t, v in GAUSS)
    return p * (1 - p) * one + p * p * both


@lru_cache(maxsize=256)
def boundary(importance: float) -> float:
    """Where sharing stops being cheaper than leaving out one of the two, whichever comes first.

    Losses are quadratic in p and 0 at p = 0, so that the difference of two of them over p is a
    straight line: two points give where it crosses 0.
    """
    roots = []
    for left_out in (1.0, importance):
        at_half, at_1 = (
            (sharing(p, 1.0, importance) - ignoring(p, left_out)) / p for p in (0.5, 1.0)
        )
        roots.append(0.5 - at_half / (2 * (at_1 - at_half)))
    return min(roots)


IGNORING_MISTAKES: dict[str, Callable[[float, float], float]] = {
    "this is what a bias of 0 costs, or of p; another is better, but which?": lambda p, i: (
        i * p / 3
    ),
    "this is p/12, the variance of a feature that is present, times p; where it is absent, "
    "the constant output is wrong as well, and the mean is p/2, its square p²/4.": lambda p, i: (
        i * p / 12
    ),
    "this is the variance of a feature that is always present.": lambda p, i: i / 12,
    "the constant is 1/2, the mean where the feature is present; where it is absent that costs as "
    "well: take the mean over both.": lambda p, i: i * (p / 12 + (1 - p) / 4),
    "the mean is p/2, and its square p²/4: the 2 is squared as well.": lambda p, i: (
        i * (p / 3 - p * p / 2)
    ),
    "the mean is p/2, not p: a feature that is present is 1/2 on average.": lambda p, i: (
        i * (p / 3 - p * p)
    ),
    "the mean of x² is p/3, not p²/3: one feature is present with probability p.": lambda p, i: (
        i * p * p / 12
    ),
    "features are uniform, not 0 or 1.": lambda p, i: i * (p - p * p),
    "the mean was not squared.": lambda p, i: i * (p / 3 - p / 2),
    "1 - p was taken for p.": lambda p, i: i * ((1 - p) / 3 - (1 - p) ** 2 / 4),
    "the importance is ignored.": lambda p, i: p / 3 - p * p / 4,
    "the importance was squared: it is outside the square.": lambda p, i: (
        i * i * (p / 3 - p * p / 4)
    ),
    "p is ignored.": lambda p, i: i / 12,
    "this is the standard deviation, times the importance; the loss is the square.": lambda p, i: (
        i * math.sqrt(p / 3 - p * p / 4)
    ),
    "this is the example's result.": lambda p, i: 0.1667,
}

SHARING_MISTAKES: dict[str, Callable[[float, float, float], float]] = {
    "only one of the two outputs is counted; where both are present, both are too small.": (
        lambda p, f, s: p * p * f / 6
    ),
    "only the second of the two outputs is counted; where both are present, both are too small.": (
        lambda p, f, s: p * p * s / 6
    ),
    "it is half of what it should be: the loss is the sum over the two features, not their mean, "
    "and both are wrong where both are present, not one of them.": lambda p, f, s: (
        p * p * (f + s) / 12
    ),
    "p is not squared: only where both are present is there an error.": lambda p, f, s: (
        p * (f + s) / 6
    ),
    "these are the errors where exactly one is present, but then there is none: interference below "
    "0 is cut off by the ReLU.": lambda p, f, s: 2 * p * (1 - p) * (f + s) / 6,
    "at least one being present is not enough: an error needs both.": lambda p, f, s: (
        (2 * p - p * p) * (f + s) / 6
    ),
    "this is what it costs without the ReLU, which cuts off interference below 0.": (
        lambda p, f, s: p * (f + s) / 3
    ),
    "each error is the smaller of the two values; this is the mean of a value squared, or of the "
    "smaller without the square: 1/3 in place of 1/6.": lambda p, f, s: p * p * (f + s) / 3,
    "the smaller was averaged first and squared after: 1/9; the mean of its square is 1/6.": (
        lambda p, f, s: p * p * (f + s) / 9
    ),
    "each error is the smaller of the two values; this is of the larger.": lambda p, f, s: (
        p * p * (f + s) / 2
    ),
    "the mean of the smaller value's square is 1/6; this has 1/4, the square of a half.": (
        lambda p, f, s: p * p * (f + s) / 4
    ),
    "the importances are ignored.": lambda p, f, s: p * p / 3,
    "importances were multiplied with each other: each weighs the error of its own feature.": (
        lambda p, f, s: p * p * f * s / 3
    ),
    "the larger importance was counted for both.": lambda p, f, s: p * p * max(f, s) / 3,
    "the smaller importance was counted for both.": lambda p, f, s: p * p * min(f, s) / 3,
    "1 - p was taken for p.": lambda p, f, s: (1 - p) ** 2 * (f + s) / 6,
    "p is ignored.": lambda p, f, s: (f + s) / 6,
    "importances were squared: they are outside the square.": lambda p, f, s: (
        p * p * (f * f + s * s) / 6
    ),
    "this is the example's result.": lambda p, f, s: 0.3333,
}

BOUNDARY_MISTAKES: dict[str, Callable[[float], float]] = {
    "this is where sharing meets ignoring the second feature; if that one is the more important, "
    "ignoring the first is cheaper.": lambda i: 2 * i / (1 + 2.5 * i),
    "this is where sharing meets ignoring the first feature; if the second is the less important, "
    "ignoring that one is cheaper.": lambda i: 2 / (2.5 + i),
    "it is the larger of the two; sharing has to be below both others.": lambda i: max(
        2 * i / (1 + 2.5 * i), 2 / (2.5 + i)
    ),
    "this is where sharing meets ignoring both features at once.": lambda i: 0.8,
    "a feature that is ignored costs p/3 - p²/4 times its importance; this leaves its bias at 0.": (
        lambda i: min(2 * i / (1 + i), 2 / (1 + i))
    ),
    "sharing costs p²(1 + I)/6; here both importances count as 1.": lambda i: min(
        4 * i / (4 + 3 * i), 4 / 7
    ),
    "sharing costs p²(1 + I)/6, the sum over both features; this is half of it.": lambda i: min(
        4 * i / (1 + 4 * i), 4 / (4 + i)
    ),
    "the importance is ignored.": lambda i: 4 / 7,
    "this is the example's result.": lambda i: 0.5714,
    "these are importances above 1 turned round once too often: the first feature's is 1, the "
    "second's is `importance`.": lambda i: 2 * max(i, 1 / i) / (1 + 2.5 * max(i, 1 / i)),
    "it is the mean of the two; sharing has to be below both others.": lambda i: (
        i / (1 + 2.5 * i) + 1 / (2.5 + i)
    ),
    "1 minus the boundary: a probability of being absent.": lambda i: (
        1 - min(2 * i / (1 + 2.5 * i), 2 / (2.5 + i))
    ),
}

# ------------------------------------------------------------------------------ best of k

Odds = dict[str, float]
Draw = tuple[Sequence[float], Sequence[str], int]


def best_of(losses: Sequence[float], phases: Sequence[str], k: int) -> Odds:
    """How often each phase is the best model's, over every choice of k models."""
    counts = dict.fromkeys(phases, 0)
    choices = list(combinations(range(len(losses)), k))
    for drawn in choices:
        best = drawn[0]
        for model in drawn:
            best = model if losses[model] < losses[best] else best
        counts[phases[best]] += 1
    return {phase: float(Fraction(count, len(choices))) for phase, count in counts.items()}


def _by_rank(chance: Callable[[int, int, int], float]) -> Callable[..., Odds]:
    """Odds that go by a model's place among n by loss, from 0."""

    def odds(losses: Sequence[float], phases: Sequence[str], k: int) -> Odds:
        n = len(losses)
        order = sorted(range(n), key=lambda model: losses[model])
        found = dict.fromkeys(phases, 0.0)
        for rank, model in enumerate(order):
            found[phases[model]] += chance(rank, n, k)
        return found

    return odds


def _chance(rank: int, n: int, k: int) -> float:
    return math.comb(n - 1 - rank, k - 1) / math.comb(n, k)


def _as_listed(_losses: Sequence[float], phases: Sequence[str], k: int) -> Odds:
    return best_of(range(len(phases)), phases, k)


def _by_places(losses: Sequence[float], phases: Sequence[str], k: int) -> Odds:
    """The number of the model at a place was taken for the place of the model."""
    order = sorted(range(len(losses)), key=lambda model: losses[model])
    return best_of(order, phases, k)


def _among(_losses: Sequence[float], phases: Sequence[str], k: int) -> Odds:
    n = len(phases)
    return {phase: 1 - math.comb(n - phases.count(phase), k) / math.comb(n, k) for phase in phases}


def _first_drawn(losses: Sequence[float], phases: Sequence[str], k: int) -> Odds:
    return dict.fromkeys(phases, 0.0) | best_of(losses[:k], phases[:k], k)


def _lone(losses: Sequence[float], phases: Sequence[str], k: int) -> Odds:
    """Each phase's best model against all others, as if that one alone could win for it."""
    found: Odds = {}
    order = sorted(range(len(losses)), key=lambda model: losses[model])
    for rank, model in enumerate(order):
        found.setdefault(phases[model], _chance(rank, len(losses), k))
    return found


def _commonest(losses: Sequence[float], phases: Sequence[str], k: int) -> Odds:
    """How often each phase is the commonest of those drawn; of two, the one that comes first."""
    counts = dict.fromkeys(phases, 0)
    choices = list(combinations(range(len(losses)), k))
    for drawn in choices:
        counts[Counter(phases[model] for model in drawn).most_common(1)[0][0]] += 1
    return {phase: count / len(choices) for phase, count in counts.items()}


BEST_MISTAKES: dict[str, Callable[..., Odds]] = {
    "models were put back after each draw; k different ones are drawn.": _by_rank(
        lambda rank, n, k: ((n - rank) ** k - (n - 1 - rank) ** k) / n**k
    ),
    "this is each phase's share of all models: the losses and k are ignored.": _by_rank(
        lambda rank, n, k: 1 / n
    ),
    "this is the phase of the best of all models; only k of them are drawn.": _by_rank(
        lambda rank, n, k: float(rank == 0)
    ),
    "the best model is the one with the least loss; this takes the largest.": _by_rank(
        lambda rank, n, k: math.comb(rank, k - 1) / math.comb(n, k)
    ),
    "these are the phases of the k best models; a draw takes any k.": _by_rank(
        lambda rank, n, k: (rank < k) / k
    ),
    "these are odds of the best of k - 1 models.": _by_rank(
        lambda rank, n, k: _chance(rank, n, k - 1)
    ),
    "these are odds of the best of k + 1 models: beside the best one, k - 1 are drawn, not k.": (
        _by_rank(lambda rank, n, k: _chance(rank, n, k + 1))
    ),
    "the others of the draw come from the worse models only, n - 1 - rank; here they come from one "
    "more.": _by_rank(lambda rank, n, k: math.comb(n - rank, k - 1) / math.comb(n, k)),
    "the models were taken in the order in which they are listed, not by their losses.": _as_listed,
    "argsort gives the model at each place, not the place of each model.": _by_places,
    "these are odds that the phase is drawn at all; the best of those drawn counts.": _among,
    "this is the best of the first k models in the list; any k may be drawn.": _first_drawn,
    "this is how often a phase is the commonest of those drawn; only the best of them counts.": (
        _commonest
    ),
    "only one model of each phase is counted; add up the odds of all that have it.": _lone,
}


def draws(seed: int) -> list[Draw]:
    """Models whose order is another than that of the list, and no order of its own inverse."""
    random = inputs.generator(seed, 5)
    made: list[Draw] = []
    for n, k, names in (
        (7, 3, ("pentagon", "digons", "other")),
        (9, 2, ("b", "a", "d", "c")),
        (8, 5, ("ignored", "antipodal")),
        (10, 4, ("2", "1", "3")),
        (6, 2, ("square", "line", "none")),
    ):
        while True:
            order = torch.randperm(n, generator=random).tolist()
            phases = [names[int(i)] for i in inputs.integers(random, len(names), n)]
            losses = [0.02 * (1.0 + 0.15 * place) for place in order]
            told = best_of(losses, phases, k)
            wrong = [rule(losses, phases, k) for rule in BEST_MISTAKES.values()]
            if set(phases) == set(names) and all(apart(told, odds) for odds in wrong):
                break
        made.append((losses, phases, k))
    return made


def apart(right: Mapping[str, float], wrong: Mapping[str, float], by: float = 1e-2) -> bool:
    """Whether two sets of odds differ so much that no rounding hides it; NaN differs from all."""
    return not all(abs(right[phase] - wrong[phase]) <= by for phase in right)


# ------------------------------------------------------------------------------ tensors of losses


def as_tensor(losses: Sequence[float], dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.tensor(list(losses), dtype=dtype)
