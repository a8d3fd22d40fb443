"""Definitions, named mistakes and planted models behind `ch03_grokking/3_the_algorithm`: logits.

Fits of logits by cosines, margins of sums of cosines, hand-built Clocks and Pizzas, and generators
modulo a prime.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from mechcourse.checks import _inputs as inputs
from mechcourse.checks.ch03_grokking._the_algorithm import turns

# --------------------------------------------------------------------------- fits by cosines


def numbers(p: int) -> tuple[Tensor, Tensor, Tensor]:
    """a, b and c, each along its own axis."""
    x = torch.arange(p)
    return x[:, None, None], x[:, None], x


def cosine(p: int, k: int, signs: tuple[int, int] = (1, -1), phase: float = 0.0) -> Tensor:
    """cos(2πk(a ± b ± c)/p + phase), for all a, b and c."""
    a, b, c = numbers(p)
    return (turns(p, k, a + signs[0] * b + signs[1] * c) + phase).cos()


def fit(x: Tensor, waves: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Coefficients of waves that are orthogonal, and the sum of squares that each explains."""
    products = torch.stack([(x * wave).sum() for wave in waves])
    squares = torch.stack([wave.square().sum() for wave in waves])
    return products / squares, products.square() / squares


def centred(logits: Tensor) -> Tensor:
    return logits.double() - logits.double().mean(dim=-1, keepdim=True)


def logit_fve(logits: Tensor, frequencies: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The α_k, and the share explained."""
    x = centred(logits)
    alphas, explained = fit(x, [cosine(len(x), k) for k in frequencies])
    return alphas, explained.sum() / x.square().sum()


def wrong_alphas(logits: Tensor, frequencies: Sequence[int]) -> dict[str, Tensor]:
    """The α_k with one mistake each; frequencies are neither ascending nor all of them."""
    p, x = len(logits), centred(logits)
    right = logit_fve(logits, frequencies)[0]
    sines = fit(x, [cosine(p, k, phase=-math.pi / 2) for k in frequencies])[0]
    return {
        "they are half as large as they should be: the squares of a wave add up to p³ / 2.": (
            right / 2
        ),
        "the products with the waves were added up and not divided by the waves' squares.": (
            right * p**3 / 2
        ),
        "these are coefficients of waves of norm 1; α is in logits.": right * math.sqrt(p**3 / 2),
        "signs were lost: a wave may be upside down, and α below 0.": right.abs(),
        "a sine was fitted as well, and the size of both taken; cosines alone are fitted.": (
            right.square() + sines.square()
        ).sqrt(),
        "sines were fitted.": sines,
        "waves of a + b + c were fitted.": fit(x, [cosine(p, k, (1, 1)) for k in frequencies])[0],
        "waves of a - b - c were fitted.": fit(x, [cosine(p, k, (-1, -1)) for k in frequencies])[0],
        "they come in ascending order of frequency; they are in the order of `frequencies`.": (
            logit_fve(logits, sorted(frequencies))[0]
        ),
        "these are of frequencies 1, 2, 3 and so on, not of `frequencies`.": logit_fve(
            logits, range(1, len(frequencies) + 1)
        )[0],
        "these are squares of what they should be.": right.square(),
    }


def wrong_shares_of_fit(logits: Tensor, frequencies: Sequence[int]) -> dict[str, Tensor]:
    """The share explained with one mistake each; every pair has an offset of its own."""
    x, raw = centred(logits), logits.double()
    waves = [cosine(len(x), k) for k in frequencies]
    sines = [cosine(len(x), k, phase=-math.pi / 2) for k in frequencies]
    explained = fit(x, waves)[1]
    total, right = x.square().sum(), explained.sum() / x.square().sum()
    about = {
        "the logits of each pair were not centred over c first.": raw,
        "one mean was taken away from all logits; each pair has a mean of its own.": raw
        - raw.mean(),
        "the mean over all pairs was taken away from each number's logit; each pair's mean over c "
        "is meant.": raw - raw.mean(dim=(0, 1)),
        "the logits were centred over a; c is the last axis.": raw - raw.mean(dim=0),
        "the logits were centred over b; c is the last axis.": raw - raw.mean(dim=1, keepdim=True),
    }
    return {
        words: fit(other, waves)[1].sum() / other.square().sum() for words, other in about.items()
    } | {
        "what sines explain was added; cosines alone are fitted.": right
        + fit(x, sines)[1].sum() / total,
        "this is what is left: 1 minus the share.": 1 - right,
        "a root was taken: the share is one of squares.": right.sqrt(),
        "this is what the last of `frequencies` explains alone.": explained[-1] / total,
        "this is what the first of `frequencies` explains alone.": explained[0] / total,
        "the mean over `frequencies` was taken; what they explain adds up.": right
        / len(frequencies),
        "explained was divided by what is not explained.": right / (1 - right),
    }


@dataclass
class Fitted:
    """Logits and what they were made of: the α_k of `frequencies`, and the share they explain."""

    logits: Tensor
    frequencies: list[int]
    alphas: list[float]
    share: float


def rough_logits(random: torch.Generator, p: int) -> Tensor:
    """Waves of many kinds, noise, and for each pair an offset of its own; unlike in a and b."""
    out = inputs.normal(random, p, p, p, dtype=torch.float64)
    for k in range(1, p // 2 + 1):
        for signs, most in (((1, -1), 2.0), ((-1, -1), 0.8), ((1, 1), 0.6)):
            size, bend, side = torch.rand(3, generator=random, dtype=torch.float64).tolist()
            phase = 0.3 + 0.5 * bend + math.pi * (side < 0.5)
            out += most * (0.4 + size) * cosine(p, k, signs, phase)
    a, b, _ = numbers(p)
    offsets = 1.5 * inputs.normal(random, p, p, 1, dtype=torch.float64) + 0.3 * a - 0.2 * b + 2
    return out + offsets + 0.4 * inputs.normal(random, p, dtype=torch.float64)


def made_of(
    random: torch.Generator, p: int, alphas: dict[int, float], sine: float, other: float
) -> Fitted:
    """Logits of known cosines, one sine, one more frequency, and large offsets of the pairs.

    Args:
        alphas: by frequency, in the order in which they are asked for.
        sine: of the first of these frequencies.
        other: of the frequency (p - 1) / 2, which is not asked for.
    """
    first, rest = next(iter(alphas)), p // 2
    logits = sum(size * cosine(p, k) for k, size in alphas.items())
    logits = logits + sine * cosine(p, first, phase=-math.pi / 2) + other * cosine(p, rest)
    a, b, _ = numbers(p)
    logits = logits + 8.0 + a - 0.5 * b + inputs.normal(random, p, p, 1, dtype=torch.float64)
    asked = sum(size**2 for size in alphas.values())
    share = asked / (asked + sine**2 + other**2)
    return Fitted(logits, list(alphas), list(alphas.values()), share)


# ------------------------------------------------------------------------------------- margins

P, HIGHEST, N_WAVES = 113, 56, 5
PAPERS = (14, 35, 41, 42, 52)  # the frequencies of the paper's main model
LEAST_BELOW_0 = -1e-9  # what a solver may leave of an amplitude of 0


def margin(frequencies: Sequence[int], amplitudes: Sequence[float]) -> tuple[float, int]:
    """How far the sum of cosines at 0 is above all others, and at which d the highest other is."""
    apart = [
        math.fsum(
            amplitude * (1 - math.cos(2 * math.pi * (k * d % P) / P))
            for k, amplitude in zip(frequencies, amplitudes, strict=True)
        )
        for d in range(1, HIGHEST + 1)  # a cosine is the same at -d
    ]
    least = min(apart)
    return least, apart.index(least) + 1


def papers_margin() -> float:
    """The margin of the paper's frequencies, all of one amplitude."""
    return margin(PAPERS, [1 / N_WAVES] * N_WAVES)[0]


# ------------------------------------------------------------------------- Clock or Pizza


def rights(logits: Tensor) -> Tensor:
    """The right answer's logit of each pair."""
    p = len(logits)
    return torch.tensor(
        [[float(logits[a, b, (a + b) % p]) for b in range(p)] for a in range(p)],
        dtype=torch.float64,
    )


def deviation(values: Sequence[float], less: int = 0) -> float:
    """The standard deviation over n, or over n - 1."""
    n = len(values)
    mean = math.fsum(values) / n
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - less))


def groups(table: Tensor, sign: int = -1, fold: bool = True) -> list[list[float]]:
    """The values of the pairs of one a + sign b, modulo p or as it is."""
    p = len(table)
    found: dict[int, list[float]] = {}
    for a, row in enumerate(table.tolist()):
        for b, value in enumerate(row):
            found.setdefault((a + sign * b) % p if fold else a + sign * b, []).append(value)
    return list(found.values())


def irrelevance(table: Tensor) -> float:
    """Distance irrelevance from a table of right answers' logits, in which they vary."""
    within = [deviation(group) for group in groups(table)]
    return math.fsum(within) / len(within) / deviation(table.flatten().tolist())


def wrong_irrelevances(logits: Tensor) -> dict[str, float]:
    """Distance irrelevance with one mistake each."""
    p, table = len(logits), rights(logits)
    flat = table.flatten().tolist()
    total = deviation(flat)
    by_difference = groups(table)
    within = [deviation(group) for group in by_difference]
    between = deviation([math.fsum(group) / p for group in by_difference])
    a, b, _ = numbers(p)
    at_difference = logits.double().gather(2, (a - b) % p).squeeze(2)
    by_sum = [deviation(group) for group in groups(table, 1)]
    unfolded = [deviation(group) for group in groups(table, -1, fold=False)]
    sizes = [table[(a - b).abs()[..., 0] == d].tolist() for d in range(p)]
    folded = torch.minimum((a - b) % p, (b - a) % p)[..., 0]
    shortest = [table[folded == d].tolist() for d in range(p // 2 + 1)]
    return {
        "deviations are over n - 1 here; they are over n.": (
            math.fsum(deviation(group, 1) for group in by_difference) / p / deviation(flat, 1)
        ),
        "deviations within a difference are over n - 1; they are over n.": (
            math.fsum(deviation(group, 1) for group in by_difference) / p / total
        ),
        "the logits were centred first; the right answer's is taken as it is.": irrelevance(
            rights(centred(logits))
        ),
        "log-probabilities were taken; the right answer's logit is taken as it is.": irrelevance(
            rights(logits.double().log_softmax(dim=-1))
        ),
        "pairs were put together by their sum a + b, and not by their difference.": (
            math.fsum(by_sum) / p / total
        ),
        "differences were not taken modulo p: there are p, with p pairs each.": (
            math.fsum(unfolded) / len(unfolded) / total
        ),
        "differences d and -d were put together: (a - b) mod p has a sign.": (
            math.fsum(deviation(group) for group in sizes) / len(sizes) / total
        ),
        "differences d and p - d were put together; they are two.": (
            math.fsum(deviation(group) for group in shortest) / len(shortest) / total
        ),
        "the deviation of the means of the differences was taken; the deviation among the pairs of "
        "one difference is meant.": between / total,
        "this is 1 minus it: how relevant the difference is.": 1 - irrelevance(table),
        "variances were taken for standard deviations.": (
            math.fsum(size**2 for size in within) / p / total**2
        ),
        "variances were averaged, and a root taken in the end; average standard deviations.": (
            math.sqrt(math.fsum(size**2 for size in within) / p) / total
        ),
        "the mean deviation was not divided by that among all pairs.": math.fsum(within) / p,
        "the answer's logit was looked up at a - b; the right answer is a + b.": irrelevance(
            at_difference
        ),
        "the largest logit of each pair was taken, and not the right answer's.": irrelevance(
            logits.double().amax(dim=-1)
        ),
        "pairs of one a were put together; one difference a - b is meant.": (
            math.fsum(deviation(row) for row in table.tolist()) / p / total
        ),
        "pairs of one b were put together; one difference a - b is meant.": (
            math.fsum(deviation(row) for row in table.T.tolist()) / p / total
        ),
    }


Kind = Literal["Clock", "Pizza"]
LEAST_OF_A_CLOCK, MOST_OF_A_PIZZA = 0.85, 0.4


@dataclass
class Model:
    """The logits of a hand-built model, and which of the two it is."""

    kind: Kind
    logits: Tensor


def _drawn(random: torch.Generator, kind: Kind, p: int) -> Model:
    """Logits of a few frequencies, with phases and noise.

    A Clock turns waves of a and of b by each other: waves of a + b - c of one size for all pairs,
    but for what attention does to it, which hangs on a and on b. A Pizza adds them: its waves of
    a + b - c are as large as |cos(πk(a - b)/p)|.
    """
    a, b, _ = numbers(p)
    offset = torch.zeros(p, p, 1, dtype=torch.float64)
    noise = 0.1 + 0.4 * torch.rand((), generator=random, dtype=torch.float64)
    logits = noise * inputs.normal(random, p, p, p, dtype=torch.float64)
    for k in (1 + torch.randperm(p // 2, generator=random)[:3]).tolist():
        size, first, second, bend = torch.rand(4, generator=random, dtype=torch.float64).tolist()
        if kind == "Clock":
            swings = 0.2 * (turns(p, k, a) + 6.3 * first).cos()
            swings = swings + 0.35 * (turns(p, k, b) + 6.3 * second).cos()
            height, shift = 1.0 + swings, turns(p, k, a)
        else:
            height, shift = (turns(p, k, a - b) / 2).cos().abs(), turns(p, k, a - b)
        logits = logits + (2.0 + 2 * size) * height * cosine(p, k, phase=0.3 * (bend - 0.5))
        offset = offset + size * (shift + 6.3 * second).sin()
    return Model(kind, logits + offset + 3.0)


def planted(random: torch.Generator, kind: Kind, p: int) -> Model:
    """A hand-built model in which noise does not hide which of the two it is."""
    while True:
        model = _drawn(random, kind, p)
        value = irrelevance(rights(model.logits))
        if value > LEAST_OF_A_CLOCK if kind == "Clock" else value < MOST_OF_A_PIZZA:
            return model


# --------------------------------------------------------------------------- modulo a prime


def smallest_generator(p: int) -> int:
    """The smallest number whose powers are all of 1 to p - 1."""
    return next(g for g in range(2, p) if len({pow(g, i, p) for i in range(p)}) == p - 1)


def powers(p: int, g: int) -> list[int]:
    return [pow(g, i, p) for i in range(p - 1)]


def primes(lowest: int, highest: int) -> list[int]:
    """The primes of a range, both ends included."""
    return [n for n in range(lowest, highest + 1) if all(n % d for d in range(2, n))]


def wrong_orders(p: int) -> dict[str, list[int]]:
    """Orders of the numbers with one mistake each."""
    g = smallest_generator(p)
    right = powers(p, g)
    generators = [n for n in range(2, p) if len(set(powers(p, n))) == p - 1]
    return {
        "it begins with g; the powers begin with g⁰ = 1.": [*right[1:], 1],
        "these are the logarithms of 1, 2, 3 and so on; the numbers are asked for, in the order of "
        "their logarithms.": [right.index(n) for n in range(1, p)],
        "this is the largest generator; the smallest is asked for.": powers(p, generators[-1]),
        "these are the powers of the second-smallest generator; the smallest is asked for.": powers(
            p, generators[1] if len(generators) > 1 else g
        ),
        "the powers go on to g^(p - 1), which is 1 again; the last is g^(p - 2).": [*right, 1],
        "the last power, g^(p - 2), is missing.": right[:-1],
        "the order is turned round.": right[::-1],
        "the numbers are in their natural order: no powers.": list(range(1, p)),
    }
