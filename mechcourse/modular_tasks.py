"""What a model of two numbers modulo p may learn, and from which pairs.

Sums of pairs drawn at random are the chapter's; the others are for its red-team and stretch parts.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from mechcourse.modular import all_pairs, split, sums

# Of a mirror-proof split, (a, b) and (b, a) are both trained on or both tested.
Kind = Literal["sums", "mirror-proof sums", "products"]
Train = tuple[Int[Tensor, "train 2"], Int[Tensor, "train"]]
Test = tuple[Int[Tensor, "test 2"], Int[Tensor, "test"]]


@dataclass(frozen=True)
class Task:
    """Pairs of numbers, what to say to each, and which are trained on.

    Raises:
        ValueError: the three are not of one length, or there is nothing to train on or to test.
    """

    pairs: Int[Tensor, "pair 2"]
    answers: Int[Tensor, "pair"]
    is_train: Bool[Tensor, "pair"]

    def __post_init__(self) -> None:
        n = len(self.pairs)
        if not len(self.answers) == len(self.is_train) == n:
            raise ValueError(
                f"{n} pairs, {len(self.answers)} answers and {len(self.is_train)} entries of "
                "is_train: give one of each for every pair"
            )
        if not 0 < int(self.is_train.sum()) < n:
            raise ValueError(f"{int(self.is_train.sum())} of {n} pairs are trained on: none or all")

    def parts(self) -> tuple[Train, Test]:
        """Pairs and answers of those that are trained on, and of the others."""
        one, other = ((self.pairs[of], self.answers[of]) for of in (self.is_train, ~self.is_train))
        return one, other


def task(kind: Kind, p: int, fraction: float, seed: int) -> Task:
    """One of the tasks, a share of its pairs to train on drawn with a seed."""
    return {"sums": _sums, "mirror-proof sums": _mirror_proof_sums, "products": _products}[kind](
        p, fraction, seed
    )


def _sums(p: int, fraction: float, seed: int) -> Task:
    train, _ = split(p, fraction, seed)
    is_train = torch.zeros(p, p, dtype=torch.bool)
    is_train[train[:, 0], train[:, 1]] = True
    return Task(all_pairs(p), sums(all_pairs(p), p), is_train.flatten())


def _mirror_proof_sums(p: int, fraction: float, seed: int) -> Task:
    above = torch.triu_indices(p, p).T
    drawn = above[_draw(len(above), fraction, seed)]
    is_train = torch.zeros(p, p, dtype=torch.bool)
    is_train[drawn[:, 0], drawn[:, 1]] = True
    is_train[drawn[:, 1], drawn[:, 0]] = True
    return Task(all_pairs(p), sums(all_pairs(p), p), is_train.flatten())


def _products(p: int, fraction: float, seed: int) -> Task:
    """Of the numbers from 1 to p - 1: a product with 0 says nothing of the other number."""
    pairs = all_pairs(p)
    pairs = pairs[(pairs > 0).all(dim=1)]
    is_train = torch.zeros(len(pairs), dtype=torch.bool)
    is_train[_draw(len(pairs), fraction, seed)] = True
    return Task(pairs, pairs.prod(dim=1) % p, is_train)


def _draw(n: int, fraction: float, seed: int) -> Int[Tensor, "drawn"]:
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    return order[: int(fraction * n)]
