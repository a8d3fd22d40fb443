"""Truths, named mistakes and margins for a loss that is estimated on random inputs.

The truth is a sum over which features are present; over their values it is the mean at points
that fill a cube evenly. Wrong ways to draw are drawn, and only where an answer has failed.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import torch
from torch import Tensor

from mechcourse.checks import _inputs as inputs

N_POINTS = 4096  # in a cube; losses are then right to about a thousandth of their deviation
TOO_FAR = 7.5  # standard errors: an honest estimate is further off once in 10^13 times
N_SIMULATED = 50_000


@dataclass(frozen=True, eq=False)  # told apart as objects, so that a cache may hold them
class Model:
    """A model to be estimated, and what single samples of its loss are like.

    Attributes:
        mean, deviation, tail: of single losses: the mean, the standard deviation, and the mean
            fourth power of the distance from the mean, in units of the deviation.
    """

    W: Tensor
    b: Tensor
    importance: Tensor
    p: float
    n_samples: int
    mean: float = 0.0
    deviation: float = 1.0
    tail: float = 3.0


def loss_of(model: Model, x: Tensor) -> Tensor:
    """The loss of each input, feature by feature."""
    rows, x = model.W.double(), x.double()
    total = torch.zeros(len(x), dtype=torch.float64)
    for i in range(len(rows)):
        made = sum(x[:, j] * (rows[i] * rows[j]).sum() for j in range(len(rows)))
        made = (made + model.b[i].double()).clamp(min=0)
        total += model.importance[i].double() * (x[:, i] - made) ** 2
    return total


def measured(model: Model) -> Model:
    """The same model with its mean, deviation and tail."""
    n = len(model.b)
    losses, weights = [], []
    for present in product((0, 1), repeat=n):
        k = sum(present)
        points = torch.zeros(N_POINTS, n, dtype=torch.float64)
        if k:
            engine = torch.quasirandom.SobolEngine(k)
            cube = engine.draw(N_POINTS, dtype=torch.float64) + 0.5 / N_POINTS
            points[:, [i for i in range(n) if present[i]]] = cube
        losses.append(loss_of(model, points))
        chance = model.p**k * (1 - model.p) ** (n - k)
        weights.append(torch.full((N_POINTS,), chance / N_POINTS, dtype=torch.float64))
    loss, weight = torch.cat(losses), torch.cat(weights)
    mean = float((weight * loss).sum())
    variance = float((weight * (loss - mean) ** 2).sum())
    tail = float((weight * (loss - mean) ** 4).sum()) / variance**2
    return Model(
        model.W,
        model.b,
        model.importance,
        model.p,
        model.n_samples,
        mean,
        math.sqrt(variance),
        tail,
    )


@lru_cache(maxsize=16)
def models(seed: int) -> list[Model]:
    """Three models whose features meet: five in two, three in one and four in three dimensions."""
    random = inputs.generator(seed, 1)
    lengths = torch.tensor([1.15, 0.8, 1.3, 0.95, 1.05])
    angles = 2 * math.pi / 5 * torch.arange(5)
    pentagon = lengths[:, None] * torch.stack([angles.cos(), angles.sin()], dim=1)
    line = torch.tensor([[1.1], [-0.8], [0.5]])
    pairs = torch.tensor([[1.1, 0, 0], [-0.9, 0, 0], [0.0, 0, 0], [0.7, 0.5, 0.4]])
    return [
        measured(Model(_turned(random, W), torch.tensor(b), torch.tensor(importance), p, n))
        for W, b, importance, p, n in (
            (pentagon, [-0.1, 0.1, -0.25, 0.05, 0.2], [1.0, 2.5, 0.6, 1.7, 0.4], 0.4, 2000),
            (line, [0.1, -0.1, 0.3], [0.7, 3.0, 1.4], 0.9, 2500),
            (pairs, [0.0, -0.02, 0.15, 0.03], [2.0, 1.0, 4.0, 0.5], 0.08, 4000),
        )
    ]


def _turned(random: torch.Generator, W: Tensor) -> Tensor:
    """A few percent longer or shorter, and turned: nothing that could be known by heart."""
    scale = 0.97 + 0.06 * torch.rand(1, generator=random)
    size = W.shape[1]
    return scale * W @ inputs.rotation(random, size) if size > 1 else scale * W


# -------------------------------------------------------------------------------- ways to draw

Draw = Callable[[torch.Generator, int, int, float], Tensor]


def right_draw(random: torch.Generator, m: int, n: int, p: float) -> Tensor:
    return _value(random, m, n) * (_value(random, m, n) < p)


def _value(random: torch.Generator, m: int, n: int) -> Tensor:
    return torch.rand(m, n, generator=random)


def _chance(random: torch.Generator, m: int, n: int, p: float) -> Tensor:
    return _value(random, m, n) < p


def _in_value(random: torch.Generator, m: int, n: int, p: float) -> Tensor:
    value = _value(random, m, n)
    return value * (value < p)


def _rescaled(random: torch.Generator, m: int, n: int, p: float) -> Tensor:
    value = _value(random, m, n)
    return value * (value > 1 - p)


def _something(random: torch.Generator, m: int, n: int, p: float) -> Tensor:
    x = right_draw(random, 40 * m if p < 0.1 else 2 * m, n, p)
    return x[x.any(dim=1)][:m]


def _one_at_most(random: torch.Generator, m: int, n: int, p: float) -> Tensor:
    which = torch.randint(n, (m, 1), generator=random) == torch.arange(n)
    return _value(random, m, n) * which * _chance(random, m, 1, p)


def _exactly(random: torch.Generator, m: int, n: int, p: float) -> Tensor:
    places = _value(random, m, n).argsort(dim=1).argsort(dim=1)
    return _value(random, m, n) * (places < max(round(p * n), 1))


WRONG_DRAWS: dict[str, Draw] = {
    "one chance was drawn for each sample; each feature has its own.": lambda g, m, n, p: (
        _value(g, m, n) * _chance(g, m, 1, p)
    ),
    "one value was drawn for each sample; each feature has its own.": lambda g, m, n, p: (
        _value(g, m, 1) * _chance(g, m, n, p)
    ),
    "one value and one chance were drawn for each sample; each feature has its own.": (
        lambda g, m, n, p: (_value(g, m, 1) * _chance(g, m, 1, p)).expand(m, n)
    ),
    "one number is both the value and what decides whether the feature is present, so that no "
    "value is above p: draw two.": _in_value,
    "one number is both the value and what decides whether the feature is present, so that no "
    "value is below 1 - p: draw two.": _rescaled,
    "features are present with probability 1 - p.": lambda g, m, n, p: right_draw(g, m, n, 1 - p),
    "values are normal; they should be uniform between 0 and 1.": lambda g, m, n, p: (
        torch.randn(m, n, generator=g) * _chance(g, m, n, p)
    ),
    "values are sizes of normal numbers; they should be uniform between 0 and 1.": (
        lambda g, m, n, p: torch.randn(m, n, generator=g).abs() * _chance(g, m, n, p)
    ),
    "features are 0 or 1; those that are present should be uniform between 0 and 1.": (
        lambda g, m, n, p: _chance(g, m, n, p).double()
    ),
    "values are uniform between -1 and 1; they should be between 0 and 1.": lambda g, m, n, p: (
        (2 * _value(g, m, n) - 1) * _chance(g, m, n, p)
    ),
    "all features are always present: p is ignored.": lambda g, m, n, p: _value(g, m, n),
    "values were multiplied by p; a feature that is present keeps its value.": lambda g, m, n, p: (
        p * _value(g, m, n)
    ),
    "samples in which no feature is present were left out; they count as well.": _something,
    "at most one feature is present in a sample; they are independent.": _one_at_most,
    "the same number of features is present in each sample; they are independent.": _exactly,
    "a feature is present with probability p², as if two chances were needed.": lambda g, m, n, p: (
        right_draw(g, m, n, p * p)
    ),
    "p is halved: a feature is present with probability p.": lambda g, m, n, p: right_draw(
        g, m, n, p / 2
    ),
    "features are there with a probability of 1 - (1 - p)²: p is that of a feature, not that one "
    "of a pair is.": lambda g, m, n, p: right_draw(g, m, n, 1 - (1 - p) ** 2),
}

WRONG_LOSSES: dict[str, Callable[[Model, Tensor], Tensor]] = {
    "the ReLU was taken of the hidden values; it belongs to the output.": lambda model, x: _weighed(
        model, x - ((x @ model.W).relu() @ model.W.T + model.b)
    ),
    "the ReLU was taken before the bias was added.": lambda model, x: _weighed(
        model, x - ((x @ model.W @ model.W.T).relu() + model.b)
    ),
    "the bias was added to x, before W.": lambda model, x: _weighed(
        model, x - ((x + model.b) @ model.W @ model.W.T).relu()
    ),
    "x was weighed, not its error.": lambda model, x: (
        (model.importance * x - (x @ model.W @ model.W.T + model.b).relu()).square().sum(dim=1)
    ),
    "errors were counted only where a feature is present; where it is absent, the output should be "
    "0.": lambda model, x: _weighed(
        model, (x - (x @ model.W @ model.W.T + model.b).relu()) * (x > 0)
    ),
}


def _weighed(model: Model, errors: Tensor) -> Tensor:
    return (model.importance * errors.square()).sum(dim=1)


@lru_cache(maxsize=48)
def wrong_means(model: Model) -> dict[str, tuple[float, float]]:
    """The mean loss under each mistake, and the error that it has here."""
    found = {}
    n = len(model.b)
    for words, draw in WRONG_DRAWS.items():
        x = draw(torch.Generator().manual_seed(1), N_SIMULATED, n, model.p)
        found[words] = loss_of(model, x)
    x = right_draw(torch.Generator().manual_seed(2), N_SIMULATED, n, model.p)
    for words, loss in WRONG_LOSSES.items():
        found[words] = loss(model, x)
    return {words: (float(losses.mean()), float(losses.std())) for words, losses in found.items()}


def standard_errors_off(of: Sequence[Model], means: Sequence[float], k: int) -> list[float]:
    """How far the pooled means of k estimates are from the truth; infinite for no number."""
    off = [
        abs(mean - model.mean) / (model.deviation / math.sqrt(k * model.n_samples))
        for model, mean in zip(of, means, strict=True)
    ]
    return [z if math.isfinite(z) else math.inf for z in off]


def distance(
    of: Sequence[Model], means: Sequence[float], wrong: Sequence[tuple[float, float]], k: int
) -> float:
    """How far pooled means of k estimates are from wrong ones, in standard errors at the most."""
    return max(
        abs(mean - value) / (deviation * math.sqrt(1 / (k * model.n_samples) + 1 / N_SIMULATED))
        for model, mean, (value, deviation) in zip(of, means, wrong, strict=True)
    )


def name_of(of: Sequence[Model], means: Sequence[float], k: int) -> str:
    """The mistake that gives such means on all models; empty where none does."""
    by_model = [wrong_means(model) for model in of]
    away = {
        words: distance(of, means, [wrong[words] for wrong in by_model], k) for words in by_model[0]
    }
    best = min(away, key=away.__getitem__)
    return best if away[best] < 6 else ""


# ------------------------------------------------------------------------------ no feature at all


def empty_losses(b: Tensor, importance: Tensor, n_samples: int) -> tuple[float, dict[str, float]]:
    """The loss of an input without any feature, and what mistakes make of it."""
    bias, weight = b.double(), importance.double()
    out = bias.clamp(min=0)
    right = float((weight * out**2).sum())
    wrong: Mapping[str, Tensor | float] = {
        "it is the mean over features; the loss is their sum.": right / len(b),
        "the importance is ignored.": (out**2).sum(),
        "the importance was squared: it is outside the square.": (weight**2 * out**2).sum(),
        "importances were made to add up to 1.": right / weight.sum(),
        "importances were made to be 1 on average.": right / weight.mean(),
        "the ReLU is missing.": (weight * bias**2).sum(),
        "the bias is missing.": 0.0,
        "errors were not squared.": (weight * out).sum(),
        "errors were summed before they were squared.": float((weight * out).sum()) ** 2,
        "the root was taken; the loss is the sum of squares.": math.sqrt(right),
        "it is the sum over samples; the first result is their mean.": right * n_samples,
        "half the square was taken.": right / 2,
    }
    return right, {words: float(value) for words, value in wrong.items()}
