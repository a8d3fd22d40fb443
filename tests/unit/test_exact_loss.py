"""Exact losses against Monte Carlo and finer sums; optima against closed forms and grids."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from mechcourse.exact_loss import expected_loss, optimum, with_second_row
from mechcourse.phase_diagram import (
    candidate_losses,
    loss_of_antipodes,
    loss_of_ignoring,
    monte_carlo_loss,
    phase_boundary,
    phase_of,
)


def model(n: int, m: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Any weights, biases and importances."""
    random = torch.Generator().manual_seed(seed)
    W, b = torch.randn(n, m + 1, generator=random).double().split([m, 1], dim=1)
    return W, 0.3 * b[:, 0], torch.rand(n, generator=random).double()


@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 1), (3, 1), (3, 2), (3, 4)])
def test_it_is_what_samples_give(n: int, m: int) -> None:
    for seed in range(3):
        W, b, importance = model(n, m, seed)
        for p in (0.1, 0.6, 1.0):
            exact = expected_loss(W, b, p, importance).item()
            sampled, error = monte_carlo_loss(W, b, p, importance, n_samples=50_000)
            assert abs(exact - sampled) <= 4.5 * error
            finer = expected_loss(W, b, p, importance, nodes=100).item()
            assert exact == pytest.approx(finer, abs=2e-6)


def test_a_single_feature_by_hand() -> None:
    """ReLU(x/2 + 1/4) misses x by x/2 - 1/4: a mean square of 1/48, and 1/16 where x is absent."""
    W, b = torch.tensor([[0.5**0.5]]).double(), torch.tensor([0.25]).double()
    one = torch.ones(1).double()
    assert expected_loss(W, b, 1.0, one).item() == pytest.approx(1 / 48)
    assert expected_loss(W, b, 0.3, one).item() == pytest.approx(0.3 / 48 + 0.7 / 16)


def test_nearly_level_lines_lose_no_digits() -> None:
    b, importance = torch.tensor([0.1, 0.2]).double(), torch.ones(2).double()
    found = [
        expected_loss(torch.tensor([[size], [0.01 * size]]).double(), b, 0.7, importance).item()
        for size in (0.0, 1e-4, 0.0099, 0.0101)
    ]
    assert all(abs(a - b) < 2e-4 for a, b in pairwise(found))


def test_its_gradient_is_that_of_finite_differences() -> None:
    W, b, importance = model(3, 2, 5)
    W.requires_grad_()
    b.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda W, b: expected_loss(W, b, 0.4, importance, nodes=64), (W, b), atol=1e-4, rtol=1e-3
    )


@pytest.mark.parametrize(
    ("n", "p", "importance"), [(2, 0.3, 0.5), (2, 0.05, 1.0), (3, 0.2, 0.5), (3, 0.1, 3.0)]
)
def test_the_optimum_beats_the_closed_forms(n: int, p: float, importance: float) -> None:
    found = optimum(p, importance, n, n_starts=0)
    least = min(candidate_losses(p, importance, n).values())
    assert 0.9 * least <= found.loss <= least + 1e-7
    weights = torch.ones(n).double()
    weights[-1] = importance
    again = expected_loss(found.W, found.b, p, weights).item()
    assert again == pytest.approx(found.loss, abs=1e-6)


def test_the_optimum_ends_at_the_closed_form_as_p_falls() -> None:
    tiny = optimum(0.01, 1.0, n_starts=0)
    assert tiny.loss == pytest.approx(loss_of_antipodes(0.01), rel=1e-3)


def test_a_feature_that_is_ignored_cannot_be_more_cheaply() -> None:
    found = optimum(0.8, 0.3, n_starts=2)
    assert found.loss == pytest.approx(loss_of_ignoring(0.8, 0.3), abs=1e-7)
    assert phase_of(found.W) == "ignored"


@pytest.mark.parametrize(
    ("importance", "moved"), [(0.1, 0.180), (0.5, 0.484), (0.7, 0.592), (2.0, 0.484)]
)
def test_the_real_boundary_lies_further_out(importance: float, moved: float) -> None:
    """Between the closed form's boundary and the real one, antipodes are still the best."""
    assert moved > 1.08 * phase_boundary(importance)
    before, after = (optimum(p, importance, n_starts=4) for p in (0.97 * moved, 1.03 * moved))
    assert before.W.norm(dim=1).min() > 0.2 > after.W.norm(dim=1).min()
    assert (before.W[0] * before.W[1]).item() < 0


def test_near_equal_importance_there_is_no_jump() -> None:
    """At I = 0.8 the less important antipode shrinks step by step as p grows, and is then gone."""
    shorter = [optimum(p, 0.8, n_starts=4).W.norm(dim=1).min().item() for p in (0.64, 0.68, 0.7)]
    assert shorter == pytest.approx([0.286, 0.202, 0.147], abs=0.02)
    assert optimum(0.75, 0.8, n_starts=4).W.norm(dim=1).min() < 0.01


def test_equal_features_are_both_kept() -> None:
    """At I = 1 the exact optimum keeps both, at any p below 1: as antipodes with biases above 0."""
    for p, gain in ((0.6, 0.1), (0.7, 0.024), (0.9, 0.004)):
        found = optimum(p, 1.0, n_starts=4)
        assert found.loss == pytest.approx((1 - gain) * loss_of_ignoring(p), rel=2e-3)
        assert (found.W[0] * found.W[1]).item() < -0.3 and (found.b > 0.1).all()


def test_three_equal_features_end_as_a_triangle() -> None:
    """A shape that is none of the candidates, with biases above 0."""
    triangle = optimum(0.7, 1.0, 3, n_starts=1)
    cosines = torch.cosine_similarity(triangle.W, triangle.W.roll(1, dims=0))
    assert cosines.tolist() == pytest.approx([-0.5] * 3, abs=0.01)
    assert triangle.loss < 0.93 * min(candidate_losses(0.7, 1.0, 3).values())


def test_a_path_of_second_rows_ends_in_the_best_antipodes_and_has_a_hill_between_the_signs() -> (
    None
):
    best = optimum(0.2, 0.9)
    rows = (0.4, 0.2, 0.0, -0.2, -0.6, -float(best.W[1].abs()))
    losses = with_second_row(0.2, 0.9, rows)
    assert losses[-1] == pytest.approx(best.loss, rel=1e-4)
    assert losses[0] < losses[1] < losses[2] > losses[3] > losses[4] > losses[5]


def test_a_dead_second_feature_has_no_slope() -> None:
    losses = with_second_row(0.05, 0.4, (0.0, -0.05, -0.1), bias=-1.5)
    assert max(losses) - min(losses) < 1e-5
    assert losses[0] > with_second_row(0.05, 0.4, (0.0,))[0]
