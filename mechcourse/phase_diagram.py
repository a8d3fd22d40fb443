"""Which way of using too few dimensions costs least: the closed forms behind the phase diagrams.

The last feature's importance is I, the others' is 1; each is present with probability p,
independently, and is then uniform between 0 and 1. Losses are sums over features of importance
times squared error, means over inputs. Two features in one dimension, or three in two. Source:
Elhage et al., Toy Models of Superposition (2022), "Superposition as a phase change"; the closed
forms are worked out here, the paper draws them only.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

Number = float | Float[Tensor, "..."]
IGNORED, ANTIPODAL, DEDICATED = "ignored", "antipodal", "dedicated"  # what becomes of the last one


@dataclass(frozen=True)
class Candidate:
    """A simple model: what each feature gets, the last one last.

    Attributes:
        rows: W, unit rows and zero rows.
        phase: what becomes of the last feature: it is ignored, shares a dimension, or has its own.
    """

    rows: tuple[tuple[float, ...], ...]
    phase: str

    @property
    def W(self) -> Float[Tensor, "feature hidden"]:
        """The rows as a tensor, in float64."""
        return torch.tensor(self.rows, dtype=torch.float64)


# By the number of features. With three, 1 and 2 are equally important: which of them is left out,
# or shares with 3, makes no difference, so both are here.
CANDIDATES: dict[int, tuple[Candidate, ...]] = {
    2: (
        Candidate(((1,), (0,)), IGNORED),
        Candidate(((1,), (-1,)), ANTIPODAL),
        Candidate(((0,), (1,)), DEDICATED),
    ),
    3: (
        Candidate(((1, 0), (0, 1), (0, 0)), IGNORED),
        Candidate(((1, 0), (0, 1), (0, -1)), ANTIPODAL),
        Candidate(((0, 1), (1, 0), (0, -1)), ANTIPODAL),
        Candidate(((0, 0), (1, 0), (0, 1)), DEDICATED),
        Candidate(((1, 0), (0, 0), (0, 1)), DEDICATED),
        Candidate(((1, 0), (-1, 0), (0, 1)), DEDICATED),
    ),
}


def loss_of_ignoring(p: Number, importance: Number = 1.0) -> Number:
    """What it costs to leave a feature out: I times its variance, with the bias at its mean, p/2.

    Exact, and the least that is possible with a row of zeros.

    >>> round(loss_of_ignoring(1.0), 4)  # the variance of a uniform number: 1/12
    0.0833
    """
    return importance * (p / 3 - p**2 / 4)


def loss_of_antipodes(p: Number, first: Number = 1.0, second: Number = 1.0) -> Number:
    """What two features of these importances lose that share a dimension as 1 and -1, biases 0.

    Where both are present, each comes out wrong by the smaller of the two, the square of which has
    the mean 1/6. Exact for these rows and biases only: longer or shorter rows, and biases above 0,
    lose less, 10% and more near the boundary (`exact_loss.optimum`).

    >>> round(loss_of_antipodes(1.0), 4)
    0.3333
    """
    return p**2 * (first + second) / 6


def phase_boundary(importance: Number, n_features: int = 2) -> Number:
    """The p below which two features in one dimension are best as antipodes, by the closed forms.

    Of three features in two dimensions, whose others have importance 1, it is the p below which the
    two least important ones share.

    It is where p²(1 + I)/6 meets the cheaper of I(p/3 - p²/4) and p/3 - p²/4. The best models that
    there are go over to ignoring a feature later, since antipodes can be bettered and a feature
    cannot be ignored more cheaply: at p = 0.18 for I = 0.1, where this gives 0.16, at 0.48 (0.44)
    for I = 0.5, at 0.68 (0.53) for I = 0.8; and at I = 1 not at all.

    >>> round(phase_boundary(1.0), 3), round(phase_boundary(0.1), 3), round(phase_boundary(10.0), 3)
    (0.571, 0.16, 0.16)
    """
    if n_features == 3:
        importance = _least(importance, 1.0 + 0 * importance)
    over_second = 2 * importance / (1 + 2.5 * importance)
    over_first = 2 / (2.5 + importance)
    if isinstance(over_second, Tensor):
        return torch.minimum(over_second, torch.as_tensor(over_first, dtype=over_second.dtype))
    return min(over_second, over_first)


def candidate_losses(p: Number, importance: Number, n_features: int = 2) -> dict[str, Number]:
    """The least loss of a candidate for each phase of the last feature, by the closed forms.

    >>> sorted(candidate_losses(0.1, 1.0), key=candidate_losses(0.1, 1.0).get)[0]
    'antipodal'
    """
    ignoring_another = loss_of_ignoring(p, 1.0 + 0 * importance)
    if n_features == 3:
        others_share = loss_of_antipodes(p, 1.0, 1.0 + 0 * importance)
        ignoring_another = _least(ignoring_another, others_share)
    return {
        IGNORED: loss_of_ignoring(p, importance),
        ANTIPODAL: loss_of_antipodes(p, 1.0, importance),
        DEDICATED: ignoring_another,
    }


def predicted_phase(p: float, importance: float, n_features: int = 2) -> str:
    """The phase of the cheapest candidate. A tie, as at I = 1, goes to the first named.

    >>> predicted_phase(0.9, 0.5), predicted_phase(0.9, 2.0), predicted_phase(0.1, 1.0)
    ('ignored', 'dedicated', 'antipodal')
    """
    losses = candidate_losses(p, importance, n_features)
    return min(losses, key=losses.__getitem__)


def phase_of(W: Float[Tensor, "feature hidden"]) -> str:
    """What becomes of a trained model's last feature: the phase of the closest candidate.

    Closest by the products of rows with each other, W Wᵀ, which no rotation changes.

    Raises:
        ValueError: there are no candidates for so many features.

    >>> phase_of(torch.tensor([[0.9], [-1.1]])), phase_of(torch.tensor([[-1.0], [0.1]]))
    ('antipodal', 'ignored')
    """
    if len(W) not in CANDIDATES:
        raise ValueError(f"candidates are for 2 or 3 features, not {len(W)}")
    products = (W @ W.T).double()
    return min(CANDIDATES[len(W)], key=lambda at: float((products - at.W @ at.W.T).norm())).phase


def monte_carlo_loss(
    W: Float[Tensor, "feature hidden"],
    b: Float[Tensor, "feature"],
    p: float,
    importance: Float[Tensor, "feature"],
    *,
    n_samples: int = 100_000,
    seed: int = 0,
) -> tuple[float, float]:
    """A model's loss on random inputs, and that estimate's standard error."""
    generator = torch.Generator().manual_seed(seed)
    values, chance = torch.rand(2, n_samples, len(W), generator=generator, dtype=W.dtype)
    x = values * (chance < p)
    losses = ((x @ W @ W.T + b).relu() - x).square() @ importance
    return float(losses.mean()), float(losses.std() / n_samples**0.5)


def _least(a: Number, b: Number) -> Number:
    return torch.minimum(a, b) if isinstance(a, Tensor) else min(a, b)
