"""Toy models of superposition against Elhage et al. 2022, closed forms, and what has none.

The ranges are what several seeds gave, with room; where ours differ from the paper it says so.
"""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from mechcourse import superposition_zoo as toys
from mechcourse import zoo
from mechcourse.data import ASSETS
from mechcourse.geometry import (
    dimensions_per_feature,
    feature_dimensionality,
    gram,
    random_directions,
    represented_and_superposed,
)
from mechcourse.measures_superposition import compare_with_closed_forms, measure_toys, near
from mechcourse.superposition_training import ToyRun, alike, best_of, final_losses, train

pytestmark = pytest.mark.science

MEGABYTES = 4
FRACTIONS = (1, 3 / 4, 2 / 3, 1 / 2, 2 / 5, 3 / 8)  # that polytopes give, in the paper


def within_pairs(W: Tensor) -> Tensor:
    """The cosine of each feature with its partner, one for each pair."""
    return gram(W)[..., 0::2, 1::2].diagonal(dim1=-2, dim2=-1)


@pytest.mark.parametrize("name", toys.RECIPES)
def test_the_table_says_what_is_measured_now(name: str) -> None:
    run, said = toys.load(name), zoo.figures(name)
    measured: dict[str, Any] = measure_toys(run)
    assert {key: said[key] for key in measured} == {
        key: pytest.approx(value, rel=0.02, abs=1e-8) for key, value in measured.items()
    }
    again = final_losses(run.W, run.b, run.config)
    torch.testing.assert_close(run.final_losses, again, rtol=0.01, atol=1e-7)


@pytest.mark.parametrize("name", toys.RECIPES)
def test_features_never_have_more_room_than_there_is(name: str) -> None:
    run = toys.load(name)
    assert (feature_dimensionality(run.W).sum(dim=1) <= run.config.d_hidden * (1 + 1e-4)).all()


def hold_pentagons(run: ToyRun) -> None:
    shares = feature_dimensionality(run.W)
    assert ((shares[best_of(run)] - 0.4).abs() <= 0.03).all()
    assert ((shares - 0.4).abs() <= 0.03).all(dim=1).sum() >= 15  # of 20; here 20 with four seeds
    # Rows are longer than 1, 1.134, and biases below 0, -0.246.
    best = best_of(run)[0]
    assert run.W[best].norm(dim=1).tolist() == pytest.approx([1.134] * 5, abs=0.02)
    assert run.b[best].tolist() == pytest.approx([-0.246] * 5, abs=0.02)
    assert run.final_losses[best].item() == pytest.approx(0.008904, rel=0.002)


@pytest.mark.parametrize("seed", [1, 2])
def test_five_features_in_two_dimensions_train_to_a_pentagon_live(seed: int) -> None:
    hold_pentagons(toys.train_or_load("pentagons", seed=seed))


def test_the_shipped_pentagons() -> None:
    hold_pentagons(toys.load("pentagons"))


def test_at_the_paper_s_own_hyper_parameters_it_is_a_pentagon_too() -> None:
    """AdamW, 1e-3 throughout: a few of 20 models are stuck at twice the loss (0 to 2 here)."""
    paper = replace(toys.recipe("pentagons").config, n_steps=6000, learning_rate=1e-3)
    run = train(replace(paper, schedule="constant"))
    shares = feature_dimensionality(run.W)
    assert ((shares[best_of(run)] - 0.4).abs() <= 0.03).all()
    assert ((shares - 0.4).abs() <= 0.05).all(dim=1).sum() >= 14


@pytest.mark.parametrize("name", ["phases-2x1", "phases-3x2"])
def test_the_phases_are_those_of_the_closed_forms(name: str) -> None:
    run = toys.load(name)
    agrees, far, ratio = compare_with_closed_forms(run)
    assert len(agrees) == toys.GRID**2 and far.sum() >= 500
    assert agrees[far].float().mean() >= 0.97 and agrees.float().mean() >= 0.9
    # Weights and biases are free, where the closed forms fix them: losses are lower, not higher.
    assert ratio.max() <= 1.01 and 0.97 <= ratio.mean() < 1


@pytest.mark.parametrize(("name", "least"), [("phases-2x1", 0.7), ("phases-3x2", 0.55)])
def test_one_model_for_a_cell_is_not_enough_and_ten_are_plenty(name: str, least: float) -> None:
    """Some models are stuck elsewhere: the first of each cell against the best of ten."""
    grid = toys.phase_grid(toys.load(name))
    best = grid.losses.amin(dim=2)
    good = grid.losses <= 1.01 * best[..., None]
    assert least <= good.float().mean() <= least + 0.2
    assert (good.sum(dim=2) >= 2).float().mean() >= 0.95, "found more than once"
    first_five = grid.losses[..., :5].amin(dim=2)
    assert (first_five <= 1.01 * best).float().mean() >= 0.97


def test_what_is_always_present_is_not_put_into_superposition() -> None:
    """The control: two features have a dimension each, the others none, in the best of 20."""
    run = toys.load("dense-control")
    norms, shared = represented_and_superposed(run.W[best_of(run)[0]])
    assert norms[:2].tolist() == pytest.approx([1, 1], abs=0.02) and norms[2:].max() <= 0.1
    assert shared[:2].max() <= 0.01
    # Some of the 20 (1 to 6 with four seeds) keep three at once: the optimiser, not a phase. They
    # lose more than the best.
    stuck = (represented_and_superposed(run.W)[0] > 0.5).sum(dim=1) > 2
    assert stuck.sum() <= 8
    assert (run.final_losses[stuck] > 1.001 * run.final_losses.min()).all()


@pytest.mark.parametrize("name", ["five-in-two", "five-in-two-equal"])
def test_rarer_features_share_more(name: str) -> None:
    run = toys.load(name)
    best = best_of(run)
    stars = dimensions_per_feature(run.W[best])
    assert stars[0] >= 0.95 and stars[-1] <= 0.33
    assert (stars[1:] <= stars[:-1] + 0.01).all()


@pytest.mark.parametrize("seed", [0, 1])
def test_pairs_lie_as_their_features_come(seed: int) -> None:
    """Correlated features are orthogonal, anticorrelated ones antipodal; independent ones either.

    Of the anticorrelated, the best are, without any loss. But more than half of the models are
    antipodal across pairs, a minimum they do not leave, as often as if the features were
    independent: the paper's picture shows where the loss is least, not what training finds.
    """
    runs = {
        kind: toys.train_or_load(f"{kind}-pairs", seed=seed)
        for kind in ("independent", "correlated", "anticorrelated")
    }
    cosines = {kind: within_pairs(run.W) for kind, run in runs.items()}
    best = {kind: cosines[kind][best_of(run)[0]] for kind, run in runs.items()}
    assert (best["correlated"].abs() <= 0.05).all()
    assert (best["anticorrelated"] <= -0.95).all()
    assert runs["anticorrelated"].final_losses.min() <= 1e-6
    antipodal = {kind: (c <= -0.95).all(dim=1).sum() for kind, c in cosines.items()}
    assert antipodal["correlated"] == 0
    assert 2 <= antipodal["independent"] <= 13 and 2 <= antipodal["anticorrelated"] <= 13
    assert (cosines["correlated"].abs() <= 0.1).all(dim=1).sum() >= 14


def test_correlated_pairs_without_room_lie_side_by_side() -> None:
    """Three pairs in two dimensions, by 1-S: all pairs collapsed, then fewer, then none."""
    run = toys.load("correlated-six")
    best = best_of(run)
    collapsed = (within_pairs(run.W[best]) >= 0.9).sum(dim=1)
    p = run.config.presence[best, 0]
    assert (collapsed[(p > 0.35) & (p < 0.7)] == 3).all()
    assert (collapsed[(p > 0.15) & (p < 0.3)] == 2).all()
    assert (collapsed[(p > 0.06) & (p < 0.12)] == 1).all()
    assert collapsed[(p < 0.06)].max() <= 1  # 0 is best, and not always among 8 models


def hold_plateau(W: Tensor) -> None:
    stars, shares = dimensions_per_feature(W), feature_dimensionality(W)
    level = (stars - 0.5).abs() <= 0.03
    assert level.sum() >= 3 and (stars[:2] - 1).abs().max() <= 0.03
    assert (near(shares, 0.5)[level] >= 30).all(), "nearly all of the 36 to 40 that are represented"
    beside = (near(shares, 0.4875) + near(shares, 0.5125)) / 2
    assert (near(shares, 0.5)[level] >= 2 * beside[level] + 8).all()
    null = feature_dimensionality(random_directions(W, seed=0))
    assert near(null, 0.5)[level].max() <= 2


def test_the_plateau_at_one_half() -> None:
    hold_plateau(toys.load("geometry-200").W)


def test_few_features_have_a_named_fraction() -> None:
    """A quarter of those that are represented, as in the paper's own run (26%), nearly all at 1/2.

    Past the plateau it is 2%. Directions at random, with the same norms, give 9% in all.
    """
    W = toys.load("geometry-200").W
    alive, rare = W.norm(dim=2) > 0.5, dimensions_per_feature(W) < 0.4

    def named(shares: Tensor) -> float:
        off = torch.stack([(shares - fraction).abs() for fraction in FRACTIONS]).amin(dim=0)
        return (off <= 0.02).float().mean().item()

    shares, null = (feature_dimensionality(w) for w in (W, random_directions(W, seed=0)))
    assert 0.15 <= named(shares[alive]) <= 0.35 and named(null[alive]) <= 0.12
    assert rare.sum() >= 8 and named(shares[rare][alive[rare]]) <= 0.1


def test_what_ships_is_small() -> None:
    sizes = [(ASSETS / f"{name}.safetensors").stat().st_size for name in toys.RECIPES]
    assert sum(sizes) <= MEGABYTES * 10**6


@pytest.mark.verify
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", toys.RECIPES)
def test_another_seed_lands_in_the_stated_range(name: str) -> None:
    run = train(replace(toys.recipe(name).config, seed=1))
    measured = measure_toys(run)
    zoo.record_seed(name, 1, measured)
    shipped = toys.load(name)
    if name.startswith("phases"):
        assert measured["agreement_off_boundary"] >= 0.97
    elif name == "geometry-200":
        hold_plateau(run.W)
    else:
        losses = torch.stack([run.final_losses[group].min() for group in alike(run.config)])
        wanted = shipped.final_losses[best_of(shipped)]
        assert ((losses / wanted).log().abs() <= 0.1).float().mean() >= 0.7 or losses.max() < 1e-6
