"""Definitions and named mistakes behind `ch03_grokking/4_progress_measures`: curves and draws."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import torch

from mechcourse.checks import _inputs as inputs

Losses = Sequence[float]

# -------------------------------------------------------------------------------------- phases


def peak(values: Losses) -> int:
    """The first place of the largest."""
    return max(range(len(values)), key=lambda i: (values[i], -i))


def lowest(values: Losses) -> int:
    """The first place of the smallest."""
    return min(range(len(values)), key=lambda i: (values[i], i))


def below(steps: Sequence[int], values: Losses, cut: float, start: int = 0) -> float:
    """The step of the first look from a place on that is below a loss, or infinity."""
    return next(
        (float(steps[i]) for i in range(start, len(values)) if values[i] < cut), float("inf")
    )


def fall(steps: Sequence[int], values: Losses, fallen: float) -> float:
    """Where a loss is first below a fraction of its peak, after it."""
    top = peak(values)
    return below(steps, values, fallen * values[top], top)


@dataclass(frozen=True)
class Curves:
    """Three losses over training."""

    steps: list[int]
    excluded: list[float]
    restricted: list[float]
    test: list[float]

    def looks(self) -> "Curves":
        """The same with looks counted in place of steps."""
        return Curves(list(range(len(self.steps))), self.excluded, self.restricted, self.test)


Phases = tuple[float, float, float]
Rule = Callable[[Sequence[int], Losses, float], float]


def phases(curves: Curves, fallen: float, rule: Rule = fall) -> Phases:
    """Where the three phases end."""
    return (
        float(curves.steps[lowest(curves.excluded)]),
        rule(curves.steps, curves.restricted, fallen),
        rule(curves.steps, curves.test, fallen),
    )


# Rules for where a loss has fallen, each with one mistake. They stand by themselves because tests
# check types at run time, which is slow where functions are made at every call.


def _from_the_start(steps: Sequence[int], values: Losses, fallen: float) -> float:
    return below(steps, values, fallen * max(values))


def _of_the_first(steps: Sequence[int], values: Losses, fallen: float) -> float:
    return below(steps, values, fallen * values[0])


def _of_the_first_after_the_peak(steps: Sequence[int], values: Losses, fallen: float) -> float:
    return below(steps, values, fallen * values[0], peak(values))


def _at_or_below(steps: Sequence[int], values: Losses, fallen: float) -> float:
    top = peak(values)
    cut = fallen * values[top]
    return next((float(steps[i]) for i in range(top, len(values)) if values[i] <= cut), math.inf)


def _from_the_last_peak(steps: Sequence[int], values: Losses, fallen: float) -> float:
    last = len(values) - 1 - peak(values[::-1])
    return below(steps, values, fallen * values[last], last)


def _by_so_much(steps: Sequence[int], values: Losses, fallen: float) -> float:
    return fall(steps, values, 1 - fallen)


def _in_nats(steps: Sequence[int], values: Losses, fallen: float) -> float:
    return below(steps, values, fallen, peak(values))


def _half(steps: Sequence[int], values: Losses, fallen: float) -> float:
    return fall(steps, values, 0.5)


def _quarter(steps: Sequence[int], values: Losses, fallen: float) -> float:
    return fall(steps, values, 0.25)


def _for_good(steps: Sequence[int], values: Losses, fallen: float) -> float:
    cut = fallen * max(values)
    last = max(i for i in range(len(values)) if values[i] >= cut)
    return float(steps[last + 1]) if last + 1 < len(values) else math.inf


def _look_before(steps: Sequence[int], values: Losses, fallen: float) -> float:
    at = fall(range(len(values)), values, fallen)
    return at if math.isinf(at) else float(steps[int(at) - 1])


def _of_the_way_down(steps: Sequence[int], values: Losses, fallen: float) -> float:
    top, low = max(values), min(values)
    return below(steps, values, low + fallen * (top - low), peak(values))


def _from_any_peak(steps: Sequence[int], values: Losses, fallen: float) -> float:
    for i, value in enumerate(values):
        if value < fallen * max(values[: i + 1]):
            return float(steps[i])
    return math.inf


def _lowest_look(steps: Sequence[int], values: Losses, fallen: float) -> float:
    return float(steps[lowest(values)])


def _counted_from_the_peak(steps: Sequence[int], values: Losses, fallen: float) -> float:
    at = fall(range(len(values)), values, fallen)
    return at if math.isinf(at) else float(steps[int(at) - peak(values)])


def _peak_itself(steps: Sequence[int], values: Losses, fallen: float) -> float:
    return float(steps[peak(values)])


RULES: Mapping[str, Rule] = {
    "the fall was looked for from the start; a loss that is low before its peak has not fallen.": (
        _from_the_start
    ),
    "the losses were held against `fallen` times their first value, not their peak.": _of_the_first,
    "after the peak, the losses were held against `fallen` times their first value.": (
        _of_the_first_after_the_peak
    ),
    "a look just at `fallen` times the peak does not count: below is asked for.": _at_or_below,
    "the last of several largest values was taken for the peak; it is the first.": (
        _from_the_last_peak
    ),
    "the loss was asked to fall by the share `fallen`; it falls to that share of the peak.": (
        _by_so_much
    ),
    "`fallen` was taken as a loss in nats; it is a fraction of the peak.": _in_nats,
    "`fallen` was ignored: half of the peak was taken.": _half,
    "`fallen` was ignored: a quarter of the peak was taken.": _quarter,
    "the loss was asked to stay below for the whole rest; the first look below is enough.": (
        _for_good
    ),
    "the look before was taken; the first one below is meant.": _look_before,
    "`fallen` was taken of the way from the peak down to the lowest; it is of the peak.": (
        _of_the_way_down
    ),
    "a fall from an earlier, lower peak was taken; the peak is the largest value of all.": (
        _from_any_peak
    ),
    "the lowest look was taken, not the first that has fallen.": _lowest_look,
    "this is where the peaks are, not the falls.": _peak_itself,
    "a place counted from the peak was used as one from the start: add the peak's place.": (
        _counted_from_the_peak
    ),
}


def wrong_phases(curves: Curves, fallen: float) -> dict[str, Phases]:
    """The ends with one mistake each; some may by accident be right."""
    steps, right = curves.steps, phases(curves, fallen)
    n, tops = len(steps), (peak(curves.restricted), peak(curves.test))
    down = lowest(curves.excluded)
    last_down = max(i for i in range(n) if curves.excluded[i] == min(curves.excluded))
    dip = next(i for i in range(n) if i + 1 == n or curves.excluded[i + 1] > curves.excluded[i])
    first_end = steps.index(int(right[1])) if math.isfinite(right[1]) else n
    cuts = [fallen * max(values) for values in (curves.restricted, curves.test)]
    return {words: phases(curves, fallen, rule) for words, rule in RULES.items()} | {
        "looks were counted; steps are asked for.": phases(curves.looks(), fallen),
        "the last of several lowest excluded losses was taken; it is the first.": (
            float(steps[last_down]),
            *right[1:],
        ),
        "the first dip of the excluded loss was taken; its lowest look of all is meant.": (
            float(steps[dip]),
            *right[1:],
        ),
        "the excluded loss was looked at where it is largest; memorisation ends where it is "
        "lowest.": (float(steps[peak(curves.excluded)]), *right[1:]),
        "the fall of the excluded loss was taken; memorisation ends where it is lowest.": (
            fall(steps, curves.excluded, fallen),
            *right[1:],
        ),
        "restricted and test loss are in each other's place.": (right[0], right[2], right[1]),
        "excluded and restricted loss are in each other's place.": (
            float(steps[lowest(curves.restricted)]),
            fall(steps, curves.excluded, fallen),
            right[2],
        ),
        "the restricted loss was looked at only from the end of memorisation; its own peak is "
        "where to begin.": (
            right[0],
            below(steps, curves.restricted, cuts[0], max(down, tops[0])),
            right[2],
        ),
        "the restricted loss's peak was looked for only from the end of memorisation.": (
            right[0],
            fall(steps[down:], curves.restricted[down:], fallen),
            right[2],
        ),
        "the test loss was looked at only from the end of circuit formation; its own peak is where "
        "to begin.": (*right[:2], below(steps, curves.test, cuts[1], max(first_end, tops[1]))),
        "the test loss's peak was used for both.": (
            right[0],
            below(steps, curves.restricted, cuts[1], tops[1]),
            right[2],
        ),
        "the restricted loss's peak was used for both.": (
            *right[:2],
            below(steps, curves.test, cuts[0], tops[0]),
        ),
        "these are the lengths of the phases; the steps at which they end are asked for.": (
            right[0],
            right[1] - right[0],
            right[2] - right[1],
        ),
    }


def made_up(random: torch.Generator, n: int) -> Curves:
    """Steps, unevenly spaced, and three rough losses in exact halves, each with its extreme twice.

    They have no likeness to real ones, in which many mistakes would not show.
    """
    steps = (1 + inputs.integers(random, 40, n)).cumsum(0) + inputs.integers(random, 60)
    found = []
    for i in range(3):
        values = (3 + inputs.integers(random, 29, n)).double() / 2
        places = torch.randperm(n, generator=random)[:2]
        values[places] = 1.0 if i == 0 else 16.0
        found.append(values.tolist())
    return Curves(steps.tolist(), *found)


LOOKS = ((0.25, 14), (0.5, 12), (0.75, 16), (0.125, 20), (0.25, 18), (0.375, 15), (0.625, 13))
N_CURVES = 15  # of which the most telling are shown


@lru_cache(maxsize=16)  # whoever checks again has them at once, with a few seeds as well
def telling_curves(seed: int) -> tuple[list[tuple[float, Curves]], dict[str, list[Phases]]]:
    """Fractions and curves, and what each mistake makes of them, one after the other.

    No two mistakes make the same of all of them.
    """
    random = inputs.generator(seed, salt=1)
    while True:
        told = [_most_telling(random, fallen, n) for fallen, n in LOOKS]
        each = [wrong_phases(curves, fallen) for fallen, curves in told]
        wrong = {words: [one[words] for one in each] for words in each[0]}
        right = [phases(curves, fallen) for fallen, curves in told]
        if right not in wrong.values() and len(set(map(tuple, wrong.values()))) == len(wrong):
            return told, wrong


def _most_telling(random: torch.Generator, fallen: float, n: int) -> tuple[float, Curves]:
    """Of some curves in which all phases end, those of which mistakes make most."""
    best, most = None, -1
    for _ in range(N_CURVES):
        curves = made_up(random, n)
        right = phases(curves, fallen)
        wrong = set(wrong_phases(curves, fallen).values()) - {right}
        if math.isfinite(sum(right)) and len(wrong) > most:
            best, most = (fallen, curves), len(wrong)
    return best if best is not None else _most_telling(random, fallen, n)


# --------------------------------------------------------------------------------------- draws


@dataclass(frozen=True)
class Spread:
    """How evenly sets of frequencies were drawn.

    Attributes:
        z: standard deviations of a chi-squared above what even draws would give.
        never: frequencies in none of the sets.
        n_kinds: how many different sets there are among the draws.
    """

    z: float
    never: list[int]
    n_kinds: int


def may_be_drawn(p: int, keys: Sequence[int]) -> list[int]:
    return [k for k in range(1, (p - 1) // 2 + 1) if k not in keys]


def spread(p: int, keys: Sequence[int], drawn: Sequence[Sequence[int]]) -> Spread:
    """Count how often each possible set is among the draws, all of which are possible."""
    others = may_be_drawn(p, keys)
    count = dict.fromkeys(combinations(others, len(keys)), 0)
    for one in drawn:
        count[tuple(one)] += 1
    wanted, freedom = len(drawn) / len(count), len(count) - 1
    chi_squared = sum((n - wanted) ** 2 / wanted for n in count.values())
    seen = {k for one, n in count.items() if n for k in one}
    return Spread(
        (chi_squared - freedom) / math.sqrt(2 * freedom),
        [k for k in others if k not in seen],
        sum(n > 0 for n in count.values()),
    )
