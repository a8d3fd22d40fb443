"""The exact loss of a toy model of two or three features, and the least that one can have.

Training finds a low loss on samples; this finds the lowest of the expected loss itself, so what
remains between the two is the optimiser's doing. Features are independent, each present with
probability p and then uniform between 0 and 1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import product

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import minimize
from torch import Tensor

from mechcourse.phase_diagram import CANDIDATES

SMALL = 1e-4  # a slope over which a line counts as level


def expected_loss(
    W: Float[Tensor, "feature hidden"],
    b: Float[Tensor, "feature"],
    p: float,
    importance: Float[Tensor, "feature"],
    *,
    nodes: int = 32,
) -> Float[Tensor, ""]:
    """A model's exact loss: an integral for each set of features that may be present, not samples.

    Over one feature the integral is worked out, over the others it is a Gauss sum of so many nodes;
    with 32 it is right to about 1e-6. Can be differentiated. Meant for 3 features or fewer: the
    work grows as (1 + nodes) to the power of one less than their number.
    """
    products = W @ W.T
    total = torch.zeros((), dtype=W.dtype)
    for present in product((False, True), repeat=len(W)):
        among = [j for j, is_present in enumerate(present) if is_present]
        chance = p ** len(among) * (1 - p) ** (len(W) - len(among))
        for i in range(len(W) if chance else 0):
            error = _mean_error(
                products[i, among], b[i], among.index(i) if i in among else None, nodes
            )
            total = total + chance * importance[i] * error
    return total


def _mean_error(
    slopes: Float[Tensor, "present"], bias: Float[Tensor, ""], own: int | None, nodes: int
) -> Float[Tensor, ""]:
    """The mean of (t - ReLU(bias + slopes·u))² for u uniform in a cube; t is u[own], or 0."""
    if not len(slopes):
        return bias.relu().square()
    steep = int(slopes.abs().argmax())
    others = [j for j in range(len(slopes)) if j != steep]
    at, weights = _gauss(len(others), nodes)
    at, weights = at.to(slopes.dtype), weights.to(slopes.dtype)
    level = bias + at @ slopes[others]
    once, twice, times_u = _line_integrals(level, slopes[steep])
    if own is None:
        errors = twice
    elif own == steep:
        errors = 1 / 3 - 2 * times_u + twice
    else:
        target = at[:, others.index(own)]
        errors = target.square() - 2 * target * once + twice
    return (errors * weights).sum()


def _line_integrals(
    level: Float[Tensor, "node"], slope: Float[Tensor, ""]
) -> tuple[Float[Tensor, "node"], Float[Tensor, "node"], Float[Tensor, "node"]]:
    """With r = ReLU(level + slope u), the integrals over u from 0 to 1 of r, r² and u r."""
    if slope.abs() < SMALL:
        middle = (level + slope / 2).relu()
        return middle, middle.square(), middle / 2
    start, end = level.relu(), (level + slope).relu()
    squares, cubes = end**2 - start**2, end**3 - start**3
    return (
        squares / (2 * slope),
        cubes / (3 * slope),
        end**2 / (2 * slope) - cubes / (6 * slope**2),
    )


@lru_cache
def _gauss(dimensions: int, nodes: int) -> tuple[Tensor, Tensor]:
    """Gauss-Legendre points in a unit cube, and their weights; in no dimensions a single point."""
    at, weights = np.polynomial.legendre.leggauss(nodes)
    at, weights = torch.from_numpy((at + 1) / 2), torch.from_numpy(weights / 2)
    if not dimensions:
        return torch.zeros(1, 0, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    points = torch.cartesian_prod(*[at] * dimensions).view(-1, dimensions)
    return points, torch.cartesian_prod(*[weights] * dimensions).view(-1, dimensions).prod(dim=1)


@dataclass(frozen=True)
class Optimum:
    """The best model found for one probability and importance, and its exact loss."""

    W: Float[Tensor, "feature hidden"]
    b: Float[Tensor, "feature"]
    loss: float


def optimum(
    p: float, importance: float, n_features: int = 2, *, n_starts: int = 6, seed: int = 0
) -> Optimum:
    """The weights and biases of least expected loss, as far as many descents find them.

    One descent begins near each candidate of the phase diagram, and some at random. All losses are
    exact, so of two ends the better is the better model; but that there is no better still, no
    search can say.

    Args:
        importance: the last feature's, the others' is 1.
        n_starts: descents from random starts.
    """
    of_each = torch.ones(n_features, dtype=torch.float64)
    of_each[-1] = importance
    random = np.random.default_rng(seed)
    shape = CANDIDATES[n_features][0].W.shape
    starts = [
        (at.W.numpy() + random.normal(0, 0.03, shape), p / 2 * (at.W.norm(dim=1) == 0).numpy())
        for at in CANDIDATES[n_features]
    ]
    starts += [
        (random.normal(0, 0.7, shape), random.normal(0, 0.1, n_features)) for _ in range(n_starts)
    ]
    return min((_descend(*start, p, of_each) for start in starts), key=lambda found: found.loss)


def with_second_row(
    p: float, importance: float, rows: Sequence[float], *, bias: float | None = None
) -> list[float]:
    """The least loss of two features in one dimension while the second's row is held, one by one.

    The first feature's row and both biases are free: they start from 1 and from what is best where
    the second is ignored, and then from where the last row left them. So this follows a path, as a
    training would, and not the best that there may be at each row.

    Args:
        importance: the second feature's, the first's is 1.
        rows: the values at which the second's row is held, in the order of the path.
        bias: of the second feature, where the path starts; its mean p/2, if not given.
    """
    weights = torch.tensor([1.0, importance], dtype=torch.float64)
    free, losses = np.array([1.0, 0.0, p / 2 if bias is None else bias]), []
    for row in rows:
        free, loss = _least(partial(_beside, row), free, p, weights, tolerance=1e-14)
        losses.append(loss)
    return losses


def _beside(second: float, free: Float[Tensor, "3"]) -> tuple[Tensor, Tensor]:
    """W and b of two features in one dimension, of which all but the second row is given."""
    return torch.stack([free[0], free.new_tensor(second)])[:, None], free[1:]


def _descend(
    W: np.ndarray, b: np.ndarray, p: float, importance: Float[Tensor, "feature"]
) -> Optimum:
    """Where a descent of the exact loss ends."""

    def model(flat: Float[Tensor, "weight"]) -> tuple[Tensor, Tensor]:
        return flat[: W.size].view(W.shape), flat[W.size :]

    start = np.concatenate([W.ravel(), b])
    end, loss = _least(model, start, p, importance, tolerance=1e-13)
    return Optimum(*model(torch.from_numpy(end)), loss)


def _least(
    model: Callable[[Tensor], tuple[Tensor, Tensor]],
    start: np.ndarray,
    p: float,
    importance: Float[Tensor, "feature"],
    *,
    tolerance: float,
) -> tuple[np.ndarray, float]:
    """A quasi-Newton descent of the exact loss over what W and b are made of: its end, and loss."""

    def loss_and_gradient(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = torch.tensor(flat, dtype=torch.float64, requires_grad=True)
        loss = expected_loss(*model(weights), p, importance, nodes=16)
        (gradient,) = torch.autograd.grad(loss, weights)
        return loss.item(), gradient.numpy()

    how = {"method": "L-BFGS-B", "options": {"ftol": tolerance}}
    end = minimize(loss_and_gradient, start, jac=True, **how)
    return end.x, float(end.fun)
