"""How the features of a toy model lie in its hidden space: how much room each has, and shares.

A row of W is the direction of a feature. Functions that take `*instance` work on one model or on
many at once. Source: Elhage et al., Toy Models of Superposition (2022), sections 2, 4 and 6.
"""

import torch
from jaxtyping import Float
from torch import Tensor

APART = 0x6E0  # keeps a null apart from weights that were drawn with the same seed
DEAD = 1e-2  # a feature with a shorter row is not represented at all


def gram(W: Float[Tensor, "*instance feature hidden"]) -> Float[Tensor, "*instance feature other"]:
    """Cosines between features: 1 on the diagonal, -1 between antipodes. Dead ones' are all 0.

    >>> gram(torch.tensor([[2.0, 0.0], [-3.0, 0.0], [0.0, 0.0]])).tolist()
    [[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    """
    directions = _directions(W)
    return directions @ directions.mT


def feature_dimensionality(
    W: Float[Tensor, "*instance feature hidden"],
) -> Float[Tensor, "*instance feature"]:
    """The share of a dimension that each feature has: ‖W_i‖² / Σ_j (Ŵ_i·W_j)², j = i included.

    1 for a feature with a dimension of its own, 1/2 for antipodes of equal length, 0 for a dead
    one. They never add up to more than the number of dimensions. Source: section 4.

    >>> feature_dimensionality(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.7], [0.0, 0.0]]))
    tensor([0.5000, 0.5000, 1.0000, 0.0000])
    """
    room = W.square().sum(dim=-1)
    taken = (_directions(W) @ W.mT).square().sum(dim=-1)
    return torch.where(_alive(W), room / taken.clamp(min=1e-30), 0.0)


def represented_and_superposed(
    W: Float[Tensor, "*instance feature hidden"],
) -> tuple[Float[Tensor, "*instance feature"], Float[Tensor, "*instance feature"]]:
    """How long each feature's row is, and how much the others' rows project onto its direction.

    A length near 1: represented. Σ_{j ≠ i} (Ŵ_i·W_j)²: 0 with a dimension of its own, 1 for one of
    two antipodes of length 1; 0 for a dead feature. Source: section 2.

    >>> represented_and_superposed(torch.tensor([[1.0], [-0.5]]))
    (tensor([1.0000, 0.5000]), tensor([0.2500, 1.0000]))
    """
    norms = W.norm(dim=-1)
    onto = (_directions(W) @ W.mT).square()
    onto.diagonal(dim1=-2, dim2=-1).zero_()
    return norms, onto.sum(dim=-1)


def dimensions_per_feature(
    W: Float[Tensor, "*instance feature hidden"],
) -> Float[Tensor, "*instance"]:
    """D* = m / ‖W‖²: the hidden dimensions over how many features are represented, as norms count.

    Infinite where nothing is represented. Source: section 4.

    >>> dimensions_per_feature(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]))
    tensor(0.5000)
    """
    return W.shape[-1] / W.square().sum(dim=(-2, -1))


def random_directions(
    W: Float[Tensor, "*instance feature hidden"], seed: int
) -> Float[Tensor, "*instance feature hidden"]:
    """The same norms with directions drawn uniformly: the null for anything said about directions.

    To permute the features would be none: it changes nothing about how they lie.
    """
    generator = torch.Generator().manual_seed(seed ^ APART)
    drawn = torch.randn(W.shape, generator=generator, dtype=W.dtype)
    return drawn * (W.norm(dim=-1) / drawn.norm(dim=-1))[..., None]


def adversarial_vulnerability(
    W: Float[Tensor, "feature hidden"],
    b: Float[Tensor, "feature"],
    features: Float[Tensor, "sample feature"],
    *,
    radius: float = 0.5,
    n_starts: int = 16,
    n_steps: int = 30,
    seed: int = 0,
) -> float:
    """How much a small push on the input can worsen the reconstruction, in units of `radius`².

    The mean over samples of the largest increase of Σ_i (x_i - x'_i)² among the pushes of length
    `radius`; the output is still asked for what the input was before. A model that gives each of
    its features a dimension of its own, and leaves out the rest, has 1 at most where it makes no
    error, for the push comes out as it went in. What errors there are before the push weigh more
    the smaller the radius is: their part falls with 1 / `radius` only. Source: the section on
    adversarial examples, which does not say how the push was found, nor how large it is.

    The push is climbed to from random starts: at each step it turns to where the gradient points.
    What is found is a lower bound of the largest increase, close to it where starts agree.
    """
    n_samples, n_features = features.shape
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(n_starts, n_samples, n_features, generator=generator).to(features.dtype)
    push = radius * drawn / drawn.norm(dim=-1, keepdim=True)
    through = W @ W.T

    def errors(push: Tensor) -> tuple[Tensor, Tensor]:
        z = (features + push) @ through + b
        return z.relu() - features, (z > 0).to(z.dtype)

    worst = torch.full((n_samples,), -torch.inf, dtype=features.dtype)
    for _ in range(n_steps):
        error, on = errors(push)
        worst = worst.maximum(error.square().sum(dim=-1).amax(dim=0))
        uphill = (error * on) @ through
        length = uphill.norm(dim=-1, keepdim=True)
        push = torch.where(length > 1e-12, radius * uphill / length.clamp(min=1e-12), push)
    before = errors(torch.zeros_like(features))[0].square().sum(dim=-1)
    return float((worst - before).mean()) / radius**2


def _alive(W: Float[Tensor, "*instance feature hidden"]) -> Tensor:
    return W.norm(dim=-1) >= DEAD


def _directions(
    W: Float[Tensor, "*instance feature hidden"],
) -> Float[Tensor, "*instance feature hidden"]:
    """Rows of length 1, and of 0 for what is dead."""
    norms = W.norm(dim=-1, keepdim=True)
    return torch.where(norms >= DEAD, W / norms.clamp(min=DEAD), 0.0)
