"""Drawn features: probabilities to draw with, how far chance may stray, and what is not as it was.

Every comparison of a mean leaves room by Bernstein's inequality, and of a distribution by that of
Dvoretzky, Kiefer, Wolfowitz and Massart, whatever is rare: an honest answer is outside a single one
at most twice in 10^13 times.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

KINDS = ("independent", "correlated", "anticorrelated")
N_SAMPLES = 6000  # few enough for an answer in loops
UNLIKELY = 30.0  # nats
EXACT_ZEROS = 4  # torch.rand is 0 once in 16 million times, and then looks absent
DISTINCT = 0.95  # of values drawn as float32 some dozens of 45,000 are alike by chance


def room(n: Tensor | float, variance: Tensor | float, largest: Tensor | float) -> Tensor:
    """How far a mean of n independent numbers may be from its expectation.

    Args:
        largest: that a single number may be from it.
    """
    n, variance, largest = (torch.as_tensor(x, dtype=torch.float64) for x in (n, variance, largest))
    n = n.clamp(min=1)
    third = UNLIKELY * largest / 3
    return (third + (third.square() + 2 * UNLIKELY * n * variance).sqrt()) / n


def probabilities(kind: str, random: torch.Generator) -> Tensor:
    """[3 5] or [2 7]: rare and common features, a certain one, and a last one without a partner."""

    def between(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(*shape, generator=random)

    if kind == "independent":
        p = between(0.15, 0.85, 3, 5)
        p[0, 2], p[1, 3], p[2, 0], p[2, 4] = between(0.03, 0.05, 1), 1.0, 0.5, 0.97
        return p
    common = 0.85 if kind == "correlated" else 0.45
    pairs = between(0.15, common, 2, 4)
    pairs[0, 2] = between(0.03, 0.05, 1)
    pairs[1, 1] = 1.0 if kind == "correlated" else 0.5
    # Correlated ones come in float64: an answer takes either.
    pairs = pairs.double() if kind == "correlated" else pairs
    return pairs.repeat_interleave(2, dim=1)[:, :7].contiguous()


def _of_seconds(change: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """What the probabilities are if the second of each pair has another."""

    def changed(p: Tensor) -> Tensor:
        second = torch.arange(p.shape[1]) % 2 == 1
        return torch.where(second, change(p), p)

    return changed


WRONG_SHARES: Mapping[str, Callable[[Tensor], Tensor]] = {
    "this is how often a feature is absent; `probabilities` are those of being present.": (
        lambda p: 1 - p
    ),
    "a feature is present half as often as it should be; each of a pair has its own probability.": (
        lambda p: p / 2
    ),
    "features are never absent.": torch.ones_like,
    "features are never present.": torch.zeros_like,
    "the first instance's probabilities were used for all.": lambda p: p[:1].expand_as(p),
    "the first feature's probability was used for all.": lambda p: p[:, :1].expand_as(p),
    "one probability was used for all.": lambda p: p.mean().expand_as(p),
    "a feature had two chances to be absent: it was drawn twice.": torch.square,
    "a feature had two chances to be present: it was drawn twice.": lambda p: 2 * p - p.square(),
    "the second gives way where the first is present, and so is there too seldom.": _of_seconds(
        lambda p: p * (1 - p)
    ),
    "both give way where they would meet, and so are there too seldom.": lambda p: p * (1 - p),
    "one of the two gives way where they would meet, and so they are there too seldom.": lambda p: (
        p * (1 - p / 2)
    ),
    "the second is there whenever the first is not.": _of_seconds(lambda p: 1 - p),
    "the second's stretch was taken up to p and not up to 2p: it is never there.": _of_seconds(
        torch.zeros_like
    ),
}


@dataclass(frozen=True)
class Drawn:
    """Samples [sample instance feature] as float64, and the probabilities they were drawn with."""

    x: Tensor
    p: Tensor
    kind: str

    @property
    def n(self) -> int:
        return len(self.x)

    @cached_property
    def there(self) -> Tensor:
        """1 where a feature is present, and else 0."""
        return (self.x > 0).double()

    @cached_property
    def shares(self) -> Tensor:
        return self.there.mean(dim=0)

    def strays(self, from_: Tensor) -> float:
        """How far shares are from these, over the room there is: at most 1 for an honest draw."""
        allowed = room(self.n, from_ * (1 - from_), 1.0) + EXACT_ZEROS / self.n
        return float(((self.shares - from_).abs() / allowed).max())

    def why_shares(self) -> str:
        """The mistake that fits the shares best, in words; empty where none does."""
        if set(self.shares.flatten().tolist()) == {0.0, 1.0}:
            return "which features are present was drawn once for all samples."
        wrong = {words: self._fit(change(self.p)) for words, change in WRONG_SHARES.items()}
        words = min(wrong, key=lambda name: wrong[name])
        return words if wrong[words] <= 1 else ""

    def _fit(self, from_: Tensor) -> float:
        """How far shares are from these, with or without the last feature where it is alone."""
        alone = self.p.clone()
        paired = self.p.shape[1] // 2 * 2
        alone[:, :paired] = from_[:, :paired]
        return min(self.strays(from_), self.strays(alone))

    # ------------------------------------------------------------------------------- columns

    @cached_property
    def instance(self) -> Tensor:
        """The instance of each column, where instances and features are one axis."""
        return torch.arange(self.x.shape[1]).repeat_interleave(self.x.shape[2])

    @cached_property
    def pair(self) -> Tensor:
        """The number of each column's pair, in its instance."""
        return (torch.arange(self.x.shape[2]) // 2).repeat(self.x.shape[1])

    @cached_property
    def alike(self) -> Tensor:
        """[column other]: whether one's being present may say something of the other's."""
        same = self.instance[:, None] == self.instance[None]
        same &= self.pair[:, None] == self.pair[None]
        itself = torch.eye(len(same), dtype=torch.bool)
        return itself if self.kind == "independent" else same

    @cached_property
    def presence(self) -> Tensor:
        """[sample column] Whether present, less its mean, over its standard deviation."""
        return ((self.there - self.p) / self._spread).flatten(1)

    @cached_property
    def _spread(self) -> Tensor:
        return torch.where(self.p < 1, self.p * (1 - self.p), 1.0).sqrt()

    @cached_property
    def reach(self) -> Tensor:
        """The largest number that a column of `presence` may hold."""
        return (torch.maximum(self.p, 1 - self.p) / self._spread).flatten()

    @cached_property
    def values(self) -> Tensor:
        """[sample column] Values, less their mean, over their deviation; 0 where absent."""
        return ((self.x - 0.5) * self.there).flatten(1) * 12**0.5

    def strange_presence(self) -> tuple[Tensor, Tensor]:
        """Correlations [column other] of being present, and which of them are no accident."""
        table = self.presence.T @ self.presence / self.n
        allowed = room(self.n, 1.0, self.reach[:, None] * self.reach[None])
        return table, (table.abs() > allowed) & ~self.alike

    def strange_values(self) -> tuple[Tensor, Tensor]:
        """The same of the values, in samples where both are present."""
        there = self.there.flatten(1)
        n = there.T @ there
        table = self.values.T @ self.values / n.clamp(min=1)
        return table, (table.abs() > room(n, 1.0, 3.0)) & ~torch.eye(len(table), dtype=torch.bool)

    def strange_mixed(self) -> tuple[Tensor, Tensor]:
        """The same of a column's values, where it is present, and another's being present."""
        n = self.there.flatten(1).sum(dim=0)[:, None]
        table = self.values.T @ self.presence / n.clamp(min=1)
        allowed = room(n, 1.0, 3**0.5 * self.reach[None])
        same = self.instance[:, None] == self.instance[None]
        same &= self.pair[:, None] == self.pair[None]
        return table, (table.abs() > allowed) & ~same

    def strange_steps(self) -> tuple[float, bool]:
        """The largest correlation of one sample with the next, and whether it is no accident."""
        found, strange = 0.0, False
        for start in (0, 1):  # pairs of samples that don't overlap are independent
            now, after = self.presence[start:-1:2], self.presence[start + 1 :: 2]
            n = min(len(now), len(after))
            table = (now[:n] * after[:n]).mean(dim=0).abs()
            found = max(found, float(table.max()))
            strange = strange or bool((table > room(n, 1.0, self.reach.square())).any())
        return found, strange

    # -------------------------------------------------------------------------------- values

    def uneven(self) -> Iterator[tuple[str, Tensor]]:
        """Where values are not uniform, in words, and the values; all together come first."""
        for name, values in self._heaps():
            ordered = values.sort().values
            n = len(ordered)
            steps = torch.arange(n + 1, dtype=torch.float64) / n
            gap = torch.maximum((steps[1:] - ordered).max(), (ordered - steps[:-1]).max())
            if float(gap) > (UNLIKELY / 2 / n) ** 0.5:
                yield name, values

    def _heaps(self) -> Iterator[tuple[str, Tensor]]:
        yield "", self.x[self.x > 0]
        for i in range(self.x.shape[1]):
            for f in range(self.x.shape[2]):
                column = self.x[:, i, f]
                if (column > 0).any():
                    yield f" of feature {f} in instance {i}", column[column > 0]

    def below_probability(self) -> bool:
        """Whether no value is above its feature's probability, as those that decide are."""
        return bool((self.x <= self.p + 1e-6).all()) and bool((self.p < 1).any())

    def distinct(self) -> float:
        """How many of the values there are but once, as a share of all."""
        values = self.x[self.x > 0]
        return len(values.unique()) / max(len(values), 1)

    def same_as(self, other: "Drawn") -> float:
        """Of the features that are present here and there, how many have the same value."""
        both = (self.x > 0) & (other.x > 0)
        return float((self.x[both] == other.x[both]).double().mean()) if both.any() else 0.0
