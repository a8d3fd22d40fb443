"""The closed forms, held against exact integrals and Monte Carlo, and how models are classified."""

import doctest

import pytest
import torch
from torch import Tensor

from mechcourse import phase_diagram as phases
from mechcourse.exact_loss import expected_loss

CASES = [(n, i) for n, of_n in phases.CANDIDATES.items() for i in range(len(of_n))]
GRID = [(p, importance) for p in (0.02, 0.3, 0.571, 1.0) for importance in (0.1, 0.7, 1.0, 10.0)]


def of_last(importance: float, n_features: int) -> Tensor:
    return torch.tensor([1.0] * (n_features - 1) + [importance]).double()


def at_its_bias(candidate: phases.Candidate, p: float) -> tuple[Tensor, Tensor]:
    """A candidate's weights, with its bias at the mean of what it ignores."""
    W = candidate.W
    return W, p / 2 * (W.norm(dim=1) == 0).double()


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(phases).failed == 0


@pytest.mark.parametrize(("p", "importance"), GRID)
@pytest.mark.parametrize("n", [2, 3])
def test_the_closed_forms_are_the_exact_losses_of_the_candidates(
    p: float, importance: float, n: int
) -> None:
    exact: dict[str, float] = {}
    for candidate in phases.CANDIDATES[n]:
        loss = expected_loss(*at_its_bias(candidate, p), p, of_last(importance, n)).item()
        exact[candidate.phase] = min(loss, exact.get(candidate.phase, loss))
    assert phases.candidate_losses(p, importance, n) == pytest.approx(exact, abs=1e-7)


@pytest.mark.parametrize(("n", "i"), CASES)
def test_monte_carlo_agrees(n: int, i: int) -> None:
    candidate = phases.CANDIDATES[n][i]
    weights, importance = at_its_bias(candidate, 0.3), of_last(0.7, n)
    exact = expected_loss(*weights, 0.3, importance).item()
    loss, error = phases.monte_carlo_loss(*weights, 0.3, importance, seed=n + i)
    assert abs(loss - exact) <= 4 * error and error < 0.02 * exact


def test_the_mean_is_the_best_bias_of_a_feature_that_is_ignored() -> None:
    W, importance = phases.CANDIDATES[2][0].W, of_last(1.0, 2)
    losses = {
        off: expected_loss(W, torch.tensor([0.0, 0.2 + off]).double(), 0.4, importance).item()
        for off in (-0.05, 0.0, 0.05)
    }
    assert min(losses, key=losses.__getitem__) == 0
    assert losses[0.0] == pytest.approx(phases.loss_of_ignoring(0.4))


def test_antipodes_of_these_rows_and_biases_are_not_the_best_there_are() -> None:
    """The closed form is right for [1, -1] and no bias; at p = 0.57 it is 14% above what can be."""
    importance = of_last(1.0, 2)
    better = torch.tensor([[0.91], [-0.91]]).double(), torch.tensor([0.17, 0.17]).double()
    loss = expected_loss(*better, 0.57, importance).item()
    assert loss < 0.87 * phases.loss_of_antipodes(0.57)


def test_losses_of_antipodes_add_up_by_importance() -> None:
    assert phases.loss_of_antipodes(0.2, 3.0, 5.0) == pytest.approx(
        3 * phases.loss_of_antipodes(0.2, 1.0, 0.0) + 5 * phases.loss_of_antipodes(0.2, 0.0, 1.0)
    )


@pytest.mark.parametrize("importance", [0.1, 0.35, 0.99, 1.0, 1.5, 10.0])
def test_at_the_boundary_both_cost_the_same(importance: float) -> None:
    at = phases.phase_boundary(importance)
    losses = phases.candidate_losses(at, importance)
    others = min(losses[phases.IGNORED], losses[phases.DEDICATED])
    assert losses[phases.ANTIPODAL] == pytest.approx(others)
    assert phases.predicted_phase(0.999 * at, importance) == phases.ANTIPODAL
    assert phases.predicted_phase(1.001 * at, importance) != phases.ANTIPODAL
    assert at == pytest.approx(phases.phase_boundary(1 / importance)), "the same, seen from 2"


def test_tensors_go_through_all_of_it() -> None:
    p, importance = torch.meshgrid(
        torch.tensor([0.05, 0.5, 1.0]), torch.tensor([0.1, 1.0, 10.0]), indexing="ij"
    )
    for n in (2, 3):
        losses = phases.candidate_losses(p, importance, n)
        for i in range(3):
            for j in range(3):
                alone = phases.candidate_losses(p[i, j].item(), importance[i, j].item(), n)
                for phase, loss in losses.items():
                    assert loss.broadcast_to(3, 3)[i, j].item() == pytest.approx(alone[phase])
    boundary = phases.phase_boundary(importance[0])
    assert boundary.tolist() == pytest.approx([0.16, 4 / 7, 0.16])


def test_with_three_features_the_last_is_dedicated_as_soon_as_it_counts_more() -> None:
    assert phases.predicted_phase(0.1, 0.9, 3) == phases.ANTIPODAL
    assert phases.predicted_phase(0.1, 1.1, 3) == phases.DEDICATED  # 1 and 2 share then
    assert phases.predicted_phase(0.9, 0.9, 3) == phases.IGNORED
    assert phases.predicted_phase(0.9, 1.1, 3) == phases.DEDICATED


@pytest.mark.parametrize(("n", "i"), CASES)
def test_a_model_near_a_candidate_is_of_its_phase_however_it_is_turned(n: int, i: int) -> None:
    candidate = phases.CANDIDATES[n][i]
    for seed in range(10):
        random = torch.Generator().manual_seed(seed)
        size = candidate.W.shape[1]
        turn = torch.linalg.qr(torch.randn(size, size, generator=random).double()).Q
        noise = 0.1 * torch.randn(candidate.W.shape, generator=random).double()
        assert phases.phase_of((candidate.W + noise) @ turn) == candidate.phase
        assert phases.phase_of((candidate.W + noise).float() @ turn.float()) == candidate.phase


def test_other_sizes_have_no_candidates() -> None:
    with pytest.raises(ValueError, match="candidates are for 2 or 3 features, not 5"):
        phases.phase_of(torch.zeros(5, 2))


def test_of_three_features_the_two_least_important_share_below_the_boundary() -> None:
    for importance in (0.2, 1.0, 5.0):
        at = phases.phase_boundary(importance, 3)
        lesser = min(importance, 1.0)
        share = phases.loss_of_antipodes(at, 1.0, lesser)
        assert share == pytest.approx(phases.loss_of_ignoring(at, lesser))
    grid = torch.tensor([0.2, 1.0, 5.0])
    one_by_one = [phases.phase_boundary(value, 3) for value in grid.tolist()]
    assert phases.phase_boundary(grid, 3).tolist() == pytest.approx(one_by_one)
