"""What is learnt modulo p, and from which pairs."""

from types import SimpleNamespace

import pytest
import torch

from mechcourse.modular import all_pairs, split
from mechcourse.modular_tasks import Task, task


def test_sums_are_split_as_ever() -> None:
    (train, answers), (test, _) = task("sums", 11, 0.4, seed=3).parts()
    expected = split(11, 0.4, 3)
    assert torch.equal(train, expected[0]) and torch.equal(test, expected[1])
    assert torch.equal(answers, train.sum(dim=1) % 11)


@pytest.mark.parametrize("fraction", [0.1, 0.35, 0.8])
def test_a_mirror_proof_split_keeps_a_pair_and_its_mirror_together(fraction: float) -> None:
    is_train = task("mirror-proof sums", 11, fraction, seed=1).is_train.view(11, 11)
    assert torch.equal(is_train, is_train.T)
    assert is_train.triu().sum() == int(fraction * 66)
    again, other = (task("mirror-proof sums", 11, fraction, seed=seed) for seed in (1, 2))
    assert torch.equal(again.is_train.view(11, 11), is_train)
    assert not torch.equal(other.is_train.view(11, 11), is_train)


def test_products_are_of_numbers_that_are_not_zero() -> None:
    products = task("products", 7, 0.5, seed=0)
    assert products.pairs.tolist() == [[a, b] for a in range(1, 7) for b in range(1, 7)]
    assert products.answers.tolist() == [a * b % 7 for a, b in products.pairs.tolist()]
    assert products.is_train.sum() == 18 and products.answers.min() == 1


def test_what_is_no_task_is_refused() -> None:
    pairs = all_pairs(3)
    uneven = SimpleNamespace(pairs=pairs, answers=torch.zeros(8), is_train=torch.arange(9) < 4)
    with pytest.raises(ValueError, match="9 pairs, 8 answers and 9 entries"):
        Task.__post_init__(uneven)  # in tests the shapes are checked even before that
    with pytest.raises(ValueError, match="0 of 9 pairs are trained on"):
        Task(pairs, torch.zeros(9).long(), torch.zeros(9).bool())
