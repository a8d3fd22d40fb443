"""Truths and named mistakes for toy models: slow loops, and losses that are nearly exact.

Expected losses are sums over which features are present; over their values they are means at points
that fill a cube evenly. With 4096 points they are right to some parts in a hundred thousand.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from mechcourse.checks.ch04_superposition._geometry import SHAPES, cosines, ring

N_POINTS = 4096
# The least expected loss among 200 trained models of each size (10,000 steps, no weight decay).
BEST = {(3, 2): 0.0033194, (5, 2): 0.0263048, (8, 3): 0.0489439}
# What their losses are made of: leaks, shrunk outputs, interference; see `Parts`.
MADE_OF = {
    (3, 2): (0.0, 0.0, 0.00333),
    (5, 2): (0.00258, 0.00329, 0.02044),
    (8, 3): (0.00184, 0.00463, 0.04248),
}
P, ROOM = 0.1, 1.01
# Samples, instances, features and dimensions of models: no two of a size, and more than needed.
SIZES = ((7, 3, 5, 2), (1, 2, 4, 3), (4, 1, 3, 6), (3, 4, 1, 1))


# ---------------------------------------------------------------------------------------- model


def reconstruction(x: Tensor, W: Tensor, b: Tensor) -> Tensor:
    """ReLU(x W Wᵀ + b), sample by sample and instance by instance."""
    x, W, b = x.double(), W.double(), b.double()
    made = torch.zeros_like(x)
    for s in range(len(x)):
        for i in range(len(W)):
            h = sum(x[s, i, f] * W[i, f] for f in range(W.shape[1]))
            for f in range(W.shape[1]):
                made[s, i, f] = max(float((h * W[i, f]).sum() + b[i, f]), 0.0)
    return made


def wrong_reconstructions(x: Tensor, W: Tensor, b: Tensor) -> dict[str, Callable[[], Tensor]]:
    """One mistake each."""

    def through(x: Tensor, W: Tensor) -> Tensor:
        return torch.stack([x[:, i] @ W[i] @ W[i].T for i in range(len(W))], dim=1)

    unit = W / W.norm(dim=2, keepdim=True)
    return {
        "the ReLU is missing.": lambda: through(x, W) + b,
        "outputs above 1 were cut; a ReLU cuts below 0 only.": lambda: (through(x, W) + b).clamp(
            0, 1
        ),
        "signs were dropped; a ReLU gives 0 for what is below 0.": lambda: (
            through(x, W) + b
        ).abs(),
        "a feature was read without its own part: every feature's is added up.": lambda: (
            through(x, W) - x * W.square().sum(dim=2) + b
        ).relu(),
        "a feature was read by itself: what others write in its direction comes out as well.": (
            lambda: (x * W.square().sum(dim=2) + b).relu()
        ),
        "outputs were kept at 0 where a feature is absent; the model does not know that.": lambda: (
            (through(x, W) + b).relu() * (x > 0)
        ),
        "the bias is missing.": lambda: through(x, W).relu(),
        "the bias was added after the ReLU; it goes in before.": lambda: through(x, W).relu() + b,
        "the bias is added, not taken away.": lambda: (through(x, W) - b).relu(),
        "the hidden vector was put through a ReLU; only the output is.": lambda: torch.stack(
            [((x[:, i] @ W[i]).relu() @ W[i].T + b[i]).relu() for i in range(len(W))], dim=1
        ),
        "all instances used the first one's W.": lambda: (
            through(x, W[:1].expand_as(W).contiguous()) + b
        ).relu(),
        "all instances used the first one's bias.": lambda: (through(x, W) + b[:1]).relu(),
        "rows of W were brought to length 1; they are used as they are.": lambda: (
            through(x, unit) + b
        ).relu(),
        "all instances were given the first one's samples.": lambda: (
            through(x[:, :1].expand_as(x).contiguous(), W) + b
        ).relu(),
        "the samples of all instances were added together on the way down.": lambda: (
            torch.stack(
                [sum(x[:, k] @ W[k] for k in range(len(W))) @ W[i].T for i in range(len(W))], dim=1
            )
            + b
        ).relu(),
    }


def weighed(x: Tensor, made: Tensor, importance: Tensor) -> Tensor:
    """The loss of each instance, by loops."""
    n_samples, n_instances, n_features = x.shape
    losses = []
    for i in range(n_instances):
        total = 0.0
        for s in range(n_samples):
            for f in range(n_features):
                total += float(importance[i, f]) * float(x[s, i, f] - made[s, i, f]) ** 2
        losses.append(total / n_samples)
    return torch.tensor(losses)


def wrong_losses(x: Tensor, made: Tensor, importance: Tensor) -> dict[str, Callable[[], Tensor]]:
    """One mistake each."""
    errors = x - made
    there, some = x > 0, (x > 0).any(dim=2, keepdim=True)
    right = (importance * errors.square()).sum(dim=2).mean(dim=0)
    return {
        "the mean was taken over features as well; over them it is a sum.": lambda: (
            right / x.shape[2]
        ),
        "the sum was taken over samples as well; over them it is a mean.": lambda: right * len(x),
        "the importance is missing.": lambda: errors.square().sum(dim=2).mean(dim=0),
        "the importance was squared with the error.": lambda: (
            (importance * errors).square().sum(dim=2).mean(dim=0)
        ),
        "errors were not squared.": lambda: (importance * errors.abs()).sum(dim=2).mean(dim=0),
        "all instances used the first one's importances.": lambda: (
            (importance[:1] * errors.square()).sum(dim=2).mean(dim=0)
        ),
        "the errors were added up before they were squared.": lambda: (
            (importance * errors).sum(dim=2).square().mean(dim=0)
        ),
        "the loss was divided by the sum of the importances.": lambda: (
            right / importance.sum(dim=1)
        ),
        "this is a root; the loss is a mean of squares.": lambda: right.sqrt(),
        "errors of absent features were left out; an output that should be 0 counts as well.": (
            lambda: (importance * errors.square() * there).sum(dim=2).mean(dim=0)
        ),
        "samples without any feature were left out; they count as well.": lambda: (
            (importance * errors.square() * some).sum(dim=(0, 2)) / some.sum(dim=(0, 2))
        ),
        "half the squares were taken.": lambda: right / 2,
    }


def wrong_chances(p: float) -> dict[str, Tensor]:
    """One mistake each, for p below a half and above 0."""
    absent = 1 - p
    both, one, some = p * p, 2 * p * absent, 1 - absent * absent
    wrong = {
        "of one and not the other there are two cases: only the first, only the second.": [
            *(both, p * absent, some)
        ],
        "at least one is twice p less both, which were counted twice.": [both, one, 2 * p],
        "this is the chance of at least one where exactly one is asked for.": [both, some, some],
        "this is the chance of exactly one where at least one is asked for.": [both, one, one],
        "both are present with p squared.": [2 * p, one, some],
        "both are present with p squared; they are not always present together.": [p, one, some],
        "the order is both, exactly one, at least one.": [both, some, one],
        "the order is both, exactly one, at least one, and not the other way round.": [
            *(some, one, both)
        ],
        "these are the chances of being absent.": [absent**2, one, 1 - p * p],
        "neither was counted where at least one is asked for.": [both, one, absent**2],
    }
    return {words: torch.tensor(three, dtype=torch.float64) for words, three in wrong.items()}


# ------------------------------------------------------------------------------------- sharing


def to_share(random: torch.Generator) -> list[tuple[Tensor, Tensor, int]]:
    """Probabilities, importances and numbers of dimensions; the first are planted.

    The two that are best kept are neither the most important nor the most frequent, neither first
    nor last, not those with the largest variance, nor those whose squares are largest on average.
    """

    def near(values: list[float]) -> Tensor:
        rows = torch.stack([torch.tensor(values).roll(i) for i in range(3)])
        return rows * (0.99 + 0.02 * torch.rand(rows.shape, generator=random))

    p = near([0.97, 0.5, 0.08, 0.7, 0.3, 0.05])
    planted = p, near([0.9, 1.0, 3.0, 0.35, 1.2, 2.5]), 2

    def some(n_instances: int, n_features: int) -> tuple[Tensor, Tensor]:
        p = 0.05 + 0.9 * torch.rand(n_instances, n_features, generator=random)
        return p, 0.2 + 2 * torch.rand(n_instances, n_features, generator=random)

    certain, important = some(2, 5)
    certain[0, 1], certain[1, 3], important[0, 4], important[1, 0] = 1.0, 0.001, 0.0, 9.0
    return [
        planted,
        (*planted[:2], 1),
        (*planted[:2], 5),
        (*some(1, 4), 1),
        (certain.double(), important.double(), 3),
        (*some(2, 3), 0),
        (torch.full((4, 3), 0.2), torch.full((4, 3), 1.5), 1),
    ]


def without_sharing(presence: Tensor, importance: Tensor, d_hidden: int) -> Tensor:
    """The least loss without shared dimensions, by trying all choices of what to keep."""
    losses = []
    for p, weight in zip(presence.tolist(), importance.tolist(), strict=True):
        costs = sorted(i * (q / 3 - q * q / 4) for q, i in zip(p, weight, strict=True))
        losses.append(math.fsum(costs[: max(len(costs) - d_hidden, 0)]))
    return torch.tensor(losses, dtype=torch.float64)


def wrong_sharing(presence: Tensor, importance: Tensor, d: int) -> dict[str, Callable[[], Tensor]]:
    """One mistake each."""
    p, weight = presence.double(), importance.double()
    cost = weight * (p / 3 - p.square() / 4)
    left = max(p.shape[1] - d, 0)

    def least(costs: Tensor, by: Tensor | None = None) -> Tensor:
        order = (costs if by is None else by).argsort(dim=1)
        return costs.gather(1, order)[:, :left].sum(dim=1)

    return {
        "the features with the largest importances were kept; keep those that would cost most, "
        "which has to do with how often they are there as well.": lambda: least(cost, weight),
        "the features that are there most often were kept; keep those that would cost most.": (
            lambda: least(cost, p)
        ),
        "all instances kept what is best for the first one.": lambda: least(
            cost, cost[:1].expand_as(cost)
        ),
        "the first features were kept, whatever they cost.": lambda: cost[:, d:].sum(dim=1),
        "the cheapest to leave out were kept.": lambda: least(cost, -cost),
        "this is what the kept features would have cost.": lambda: cost.sum(dim=1) - least(cost),
        "the output of what is left out was taken to be 0; the best constant costs less.": lambda: (
            least(weight * p / 3)
        ),
        "a half was taken for the output of what is left out; its mean costs less, p/2.": lambda: (
            least(weight * (p / 3 - p / 2 + 1 / 4))
        ),
        "one feature too many was left out.": lambda: (
            cost.sort(dim=1).values[:, : left + 1].sum(dim=1)
        ),
        "one feature too few was left out.": lambda: (
            cost.sort(dim=1).values[:, : max(left - 1, 0)].sum(dim=1)
        ),
        "the loss of the paper's notebook, a mean over features, was taken; here it is a sum.": (
            lambda: least(cost) / p.shape[1]
        ),
        "an importance is missing.": lambda: least(p / 3 - p.square() / 4),
        "the features that are there often were kept.": lambda: least(cost, p),
        "a feature that is there is uniform, not always 1.": lambda: least(weight * p * (1 - p)),
        "this is the variance of a feature that is there; it is absent with probability 1 - p.": (
            lambda: least(weight * p / 12)
        ),
        "the mean of what is left out was taken; the sum is asked for.": lambda: (
            least(cost) / max(left, 1)
        ),
        "this is a standard deviation; the loss is a variance.": lambda: least(
            weight * (p / 3 - p.square() / 4).sqrt()
        ),
    }


# -------------------------------------------------------------------------------------- puzzles


@dataclass(frozen=True)
class Parts:
    """An expected loss, and what it is made of.

    Attributes:
        leaks: errors of absent features while one other is present, or none.
        shrunk: errors of a feature that is present alone.
        interference: errors where two or more are present.
    """

    loss: float
    leaks: float
    shrunk: float
    interference: float


def expected(W: Tensor, b: Tensor, p: float = P) -> Parts:
    """The expected loss of a model of equally important features."""
    W, b = W.double(), b.double()
    n = len(W)
    cube = torch.quasirandom.SobolEngine(n, scramble=True, seed=1).draw(N_POINTS).double()
    parts = {"leaks": 0.0, "shrunk": 0.0, "interference": 0.0}
    for present in product((0.0, 1.0), repeat=n):
        here = torch.tensor(present, dtype=torch.float64)
        x = cube * here
        errors = (x - (x @ W @ W.T + b).relu()).square().mean(dim=0)
        chance = p ** int(here.sum()) * (1 - p) ** int(n - here.sum())
        if here.sum() < 2:
            parts["shrunk"] += chance * float((errors * here).sum())
            parts["leaks"] += chance * float((errors * (1 - here)).sum())
        else:
            parts["interference"] += chance * float(errors.sum())
    return Parts(sum(parts.values()), **parts)


def why_so_much(parts: Parts, W: Tensor) -> str:
    """What is probably wrong with a model that costs too much."""
    if int((W.norm(dim=1) < 0.1).sum()) > 0:
        return "a feature is left out, and pays its whole variance."
    made = {name: getattr(parts, name) for name in ("leaks", "shrunk", "interference")}
    usual = dict(zip(made, MADE_OF[tuple(W.shape)], strict=True))
    most = max(made, key=lambda name: made[name] - usual[name])
    words = {
        "leaks": "features leak: where one is present, others come out above 0 that are absent.",
        "shrunk": "a feature that is present alone does not come out as it went in: its length and "
        "its bias don't make up for each other.",
        "interference": "it is where two features meet that the errors are: they lie too near to "
        "each other, or are pushed below 0 by each other.",
    }
    remedy = of_angles(W)
    if not remedy and most == "leaks":
        remedy = "Other angles, or a bias below 0, would keep them down."
    costs = f"(This part of the loss is {made[most]:.5f}; {usual[most]:.5f} would do.)"
    return " ".join(filter(None, (words[most], remedy, costs)))


def of_angles(W: Tensor) -> str:
    """What the angles between features say, where they are those of a well-known arrangement."""

    def are(corners: Tensor) -> bool:
        return len(corners) == len(W) and bool((flat(W) - flat(corners)).abs().max() < 0.03)

    if are(SHAPES["triangle"]):
        return (
            "Three at 120° are too dear at any length and bias: each two that meet disturb each "
            "other. What if only two of the three could?"
        )
    if are(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])):
        return "The angles are those of the best arrangement; look at the lengths and the biases."
    if are(SHAPES["pentagon"]):
        return (
            "The angles are a pentagon's, as they should be. Search length and bias together: a "
            "bias further below 0 goes with a greater length."
        )
    if are(SHAPES["cube"]):
        return (
            "The angles are those of a cube. Turn its top by an eighth of a circle: what happens?"
        )
    if any(are(antiprism((step / 100) ** 0.5)) for step in range(20, 41)):
        return (
            "The angles are about those of a square antiprism. Search its height, its length and "
            "the bias together; edges that are all alike are near the best, and not it."
        )
    return ""


def flat(W: Tensor) -> Tensor:
    """The cosines between features, sorted."""
    upper = torch.triu_indices(len(W), len(W), 1)
    return cosines(W)[upper[0], upper[1]].sort().values


def antiprism(height: float) -> Tensor:
    """Corners at length 1, so far above and below the middle."""
    out = (1 - height**2) ** 0.5
    return torch.cat([ring(4, 0, height / out), ring(4, math.pi / 4, -height / out)])
