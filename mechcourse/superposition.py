"""The toy model of superposition: sparse features squeezed through too few dimensions and back.

Many models are held at once, the instances: each has its own weights, and its own probabilities and
importances of features. Source: Elhage et al., Toy Models of Superposition (2022), section 2.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Correlation = Literal["independent", "correlated", "anticorrelated"]
Each = tuple[float, ...] | tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class ToyConfig:
    """Sizes, data and training of toy models that are trained together; by default the paper's.

    Attributes:
        probabilities: one for each instance, that a feature is present, 1 - S in the paper; or for
            each instance one for each feature.
        importance: of each feature, in all instances; or for each instance one for each feature.
            None: 1 for all.
        correlation: how features of one group come together, see `sparse_features`.
        group: how many features, one after the other, make a group.
        batch: samples in a step, drawn anew for every step and instance.
        schedule: of the learning rate: constant, or falling to a hundredth on a cosine.
        weight_decay: AdamW's, on weights and biases.
        seed: of the initial weights and of all samples.
        look_every: steps between two looks at the losses.
    """

    n_features: int
    d_hidden: int
    probabilities: Each
    importance: Each | None = None
    correlation: Correlation = "independent"
    group: int = 2
    n_steps: int = 10_000
    batch: int = 1024
    learning_rate: float = 1e-3
    schedule: Literal["constant", "cosine"] = "constant"
    weight_decay: float = 0.01
    seed: int = 0
    look_every: int = 100

    def __post_init__(self) -> None:
        _check_probabilities(self.presence, self.correlation, self.group)
        if self.importances.shape != self.presence.shape:
            raise ValueError("importance needs a number for each feature, or that per instance")

    @property
    def n_instances(self) -> int:
        """How many models there are."""
        return len(self.probabilities)

    @property
    def presence(self) -> Float[Tensor, "instance feature"]:
        """The probability of each feature in each instance.

        >>> ToyConfig(2, 1, probabilities=(1.0, 0.1)).presence.tolist()
        [[1.0, 1.0], [0.10000000149011612, 0.10000000149011612]]
        """
        given = torch.tensor(self.probabilities, dtype=torch.float32)
        wide = given if given.ndim == 2 else given[:, None]
        return wide.expand(-1, self.n_features).contiguous()

    @property
    def importances(self) -> Float[Tensor, "instance given"]:
        """The importance of each feature in each instance."""
        given = self.importance or (1.0,) * self.n_features
        return torch.tensor(given, dtype=torch.float32).expand(self.n_instances, -1).contiguous()

    def rate(self, step: int) -> float:
        """The learning rate at a step, counted from 0."""
        if self.schedule == "constant":
            return self.learning_rate
        phase = step / max(self.n_steps - 1, 1)
        return self.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * phase)) / 2)


def begin(
    config: ToyConfig,
) -> tuple[Float[Tensor, "instance feature hidden"], Float[Tensor, "instance feature"]]:
    """Untrained weights, Xavier normal within each instance, and biases of 0.

    The paper's notebook draws the joint tensor as one, which makes an instance's weights smaller
    the more instances there are beside it.
    """
    generator = torch.Generator().manual_seed(config.seed)
    shape = config.n_instances, config.n_features, config.d_hidden
    W = torch.randn(shape, generator=generator) * (2 / (shape[1] + shape[2])) ** 0.5
    return W, torch.zeros(shape[:2])


def sparse_features(
    n_samples: int,
    probabilities: Float[Tensor, "instance feature"],
    *,
    correlation: Correlation = "independent",
    group: int = 2,
    seed: int = 0,
) -> Float[Tensor, "sample instance feature"]:
    """Features that are mostly absent (0), and uniform between 0 and 1 where present.

    Args:
        probabilities: that a feature is present, above 0 and at most 1.
        correlation: "independent"; "correlated": the features of a group are present together or
            not at all, with values of their own; "anticorrelated": at most one of a group is. In
            all three, each feature's own probability is as given.
        group: how many features, one after the other, make a group; the last may be smaller.

    Raises:
        ValueError: a probability is out of range, or within a group they differ or, where at most
            one may be present, sum to more than 1.
    """
    _check_probabilities(probabilities, correlation, group)
    generator = torch.Generator().manual_seed(seed)
    shape = (n_samples, *probabilities.shape)
    values, chance = (torch.rand(shape, generator=generator) for _ in range(2))
    if correlation == "independent":
        return values * (chance < probabilities)
    feature = torch.arange(probabilities.shape[1])
    chance = chance[..., feature - feature % group]  # one chance for each group
    if correlation == "correlated":
        return values * (chance < probabilities)
    start = feature % group * probabilities  # the members take turns along the unit interval
    return values * ((chance >= start) & (chance < start + probabilities))


def reconstruct(
    features: Float[Tensor, "sample instance feature"],
    W: Float[Tensor, "instance feature hidden"],
    b: Float[Tensor, "instance feature"],
) -> Float[Tensor, "sample instance feature"]:
    """What each instance makes of its samples: ReLU(W Wᵀ x + b), where row i of W is feature i's.

    The paper writes its W the other way round, with a column for each feature: ReLU(Wᵀ W x + b).
    """
    hidden = torch.einsum("sif,ifh->sih", features, W)
    return (torch.einsum("sih,ifh->sif", hidden, W) + b).relu()


def importance_weighted_mse(
    features: Float[Tensor, "sample instance feature"],
    reconstruction: Float[Tensor, "sample instance feature"],
    importance: Float[Tensor, "instance feature"],
) -> Float[Tensor, "instance"]:
    """Each instance's loss: squared errors times importance, summed over features, mean of samples.

    The paper's text sums over features too; its notebook takes their mean, which makes losses
    smaller by the number of features and changes next to nothing in a training with Adam.
    """
    return (importance * (features - reconstruction) ** 2).sum(dim=2).mean(dim=0)


def _check_probabilities(
    probabilities: Float[Tensor, "instance feature"], correlation: Correlation, group: int
) -> None:
    if not ((probabilities > 0) & (probabilities <= 1)).all():
        raise ValueError("a probability is above 0 and at most 1")
    if correlation == "independent":
        return
    groups = probabilities.split(group, dim=1)
    if any((members != members[:, :1]).any() for members in groups):
        raise ValueError("the features of a group need the same probability")
    if correlation == "anticorrelated" and any(
        (part.sum(dim=1) > 1 + 1e-6).any() for part in groups
    ):
        raise ValueError("at most one of a group is present: their probabilities sum to 1 at most")
