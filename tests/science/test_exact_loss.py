"""Shipped models beside the least loss there is, and the shapes that they fall into.

Training finds the exact optimum, so where the trained models leave the closed forms it is the
closed forms that are rough.
"""

import pytest
import torch

from mechcourse import superposition_zoo as toys
from mechcourse.exact_loss import expected_loss, optimum
from mechcourse.geometry import random_directions
from mechcourse.phase_diagram import candidate_losses, phase_boundary, phase_of
from mechcourse.polytopes import factors

pytestmark = pytest.mark.science


@pytest.mark.parametrize(("name", "every"), [("phases-2x1", 29), ("phases-3x2", 97)])
def test_the_best_of_ten_is_the_best_there_is(name: str, every: int) -> None:
    grid = toys.phase_grid(toys.load(name))
    best, which = grid.best(), grid.losses.argmin(dim=2)
    n_features = best.shape[2]
    for cell in range(0, which.numel(), every):
        row, column = divmod(cell, which.shape[1])
        p, importance = grid.probabilities[row].item(), grid.importances[column].item()
        if not 0.05 < p < 0.97:
            continue
        weights = torch.ones(n_features).double()
        weights[-1] = importance
        W, b = best[row, column].double(), grid.b[row, column, which[row, column]].double()
        least = optimum(p, importance, n_features, n_starts=2).loss
        loss = expected_loss(W, b, p, weights).item()
        assert least * 0.9995 <= loss <= least * 1.001
        assert loss <= min(candidate_losses(p, importance, n_features).values()) * 1.001


def test_past_the_closed_form_s_boundary_trained_models_are_antipodes_still() -> None:
    grid = toys.phase_grid(toys.load("phases-2x1"))
    best = grid.best()
    between = [
        phase_of(best[row, column])
        for row, p in enumerate(grid.probabilities.tolist())
        for column, importance in enumerate(grid.importances.tolist())
        if 1 < p / phase_boundary(importance) < 1.08
    ]
    assert len(between) >= 8
    assert between.count("antipodal") >= 0.8 * len(between)


def test_a_model_of_twenty_dimensions_falls_into_pentagons_and_digons() -> None:
    """At 1 - S = 0.24 all of it has names. At 0.18 nothing has: one cluster, all 20 dimensions."""
    run = toys.load("geometry-200")
    found = {i: factors(run.W[i], tolerance=0.12) for i in (9, 11)}
    names = [name for name, _ in found[9]]
    assert names.count("pentagon") >= 4 and names.count("digon") >= 9
    assert names.count(None) <= 1
    assert [name for name, _ in found[11]] == [None]
    null = factors(random_directions(run.W[9], 0), tolerance=0.12)
    assert [name for name, _ in null] == [None], "none of it in random directions"
