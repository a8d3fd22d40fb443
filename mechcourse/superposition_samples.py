"""Samples to train toy models on, drawn quickly; `superposition.sparse_features` is to be read.

The distribution is the same. One random number t between 0 and 1 says both whether a feature is
present, t < p, and its value, 1 - t/p. Where most samples are empty, only how many there are is
drawn, and then those in which something is present.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mechcourse.superposition import ToyConfig

GRID = 2.0**-31  # of random numbers from 0 to 1: it has to be fine where probabilities are small
SPARSE = 0.5  # where fewer samples than this share are not empty, the empty ones are not drawn
ROUND = 32  # as many samples more or less: few sizes, so that memory can be used again


def one_of_first(presence: Float[Tensor, "instance feature"]) -> Float[Tensor, "instance feature"]:
    """The probability that at least one of the first so many features is present.

    >>> one_of_first(torch.tensor([[0.5, 0.5]])).tolist()
    [[0.5, 0.75]]
    """
    return -torch.log1p(-presence.double()).cumsum(dim=1).expm1()


def leaves_out(presence: Float[Tensor, "instance feature"], config: ToyConfig) -> bool:
    """Whether empty samples of these instances are so many that they are not drawn."""
    share = one_of_first(presence)[:, -1].max().item()
    return config.correlation == "independent" and share < SPARSE


class Samples:
    """Draws samples for some instances, features along the middle axis and samples along the last.

    Args:
        presence: the probability of each feature.
        n_samples: drawn at once, those included that are left out because they are empty.
    """

    def __init__(
        self,
        presence: Float[Tensor, "instance feature"],
        n_samples: int,
        config: ToyConfig,
        random: np.random.Generator,
    ) -> None:
        self.random, self.n_samples, self.shape = random, n_samples, tuple(presence.shape)
        self.group = config.group
        self.slope = 1 / presence[..., None]
        some = one_of_first(presence)
        self.share, self.first = some[:, -1].numpy(), (some / some[:, -1:]).float()
        self.order = torch.arange(presence.shape[1])[:, None]
        sparse = leaves_out(presence, config)
        self.memory = torch.empty(presence.numel() * n_samples)
        self.fill = self._not_empty if sparse else getattr(self, f"_{config.correlation}")

    def draw(self) -> Float[Tensor, "instance feature drawn"]:
        """New samples, in place of those drawn before; empty ones may be left out."""
        return self.fill()

    def _room(self, n_features: int, n_samples: int) -> Tensor:
        size = self.shape[0] * n_features * n_samples
        return self.memory[:size].view(self.shape[0], n_features, n_samples)

    def _uniform(self, into: Tensor) -> Tensor:
        """Numbers from 0 to 2^31, rounded as float32 has to; 64 random bits give two."""
        n = into.numel()
        bits = self.random.integers(0, 2**64 - 1, (n + 1) // 2, dtype=np.uint64, endpoint=True)
        signed = torch.from_numpy(bits.view(np.int32)[:n]).view(into.shape)
        return into.copy_(signed).abs_()

    def _independent(self) -> Tensor:
        x = self._uniform(self._room(self.shape[1], self.n_samples))
        return x.mul_(self.slope * -GRID).add_(1).relu_()

    def _correlated(self) -> Tensor:
        """The first of a group decides; the others take their values from numbers of their own."""
        x = self._uniform(self._room(self.shape[1], self.n_samples)).mul_(GRID)
        leaders = x[:, :: self.group]
        present = leaders.mul_(-self.slope[:, :: self.group]).add_(1).relu_().sign()
        for member in range(1, self.group):
            others = x[:, member :: self.group]
            others.mul_(present[:, : others.shape[1]])
        return x

    def _anticorrelated(self) -> Tensor:
        """A group has one number, and its members take turns along the unit interval."""
        x = self._room(self.shape[1], self.n_samples)
        slope = self.slope[:, :: self.group]
        turn = self._uniform(torch.empty(*slope.shape[:2], self.n_samples)).mul_(slope * GRID)
        for member in range(min(self.group, self.shape[1])):
            mine = x[:, member :: self.group]
            torch.sub(turn[:, : mine.shape[1]], member + 1, out=mine)  # from -1 to 0 if it is mine
            torch.threshold_(mine, -1, 0).neg_().relu_()
        return x

    def _not_empty(self) -> Tensor:
        """Samples with at least one feature; which is the first is drawn, the later ones are free.

        Instances with fewer such samples than others beside them are filled up with empty ones.
        """
        n_instances, n_features = self.shape
        counts = torch.from_numpy(self.random.binomial(self.n_samples, self.share))
        most = min(ROUND * (int(counts.max()) // ROUND + 1), self.n_samples)
        chance = self._uniform(torch.empty(n_instances, most)).mul_(GRID)
        first = torch.searchsorted(self.first, chance).clamp_(max=n_features - 1)
        first[torch.arange(most) >= counts[:, None]] = n_features
        first = first[:, None]
        x = self._uniform(self._room(n_features, most)).mul_(-GRID)
        values = (x + 1).mul_(self.order == first)
        return x.mul_(self.slope).add_(1).relu_().mul_(self.order > first).add_(values)
