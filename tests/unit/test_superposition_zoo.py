"""The shipped toy models: what guards them, and how they are made again."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mechcourse import superposition_zoo, zoo
from mechcourse.data import ASSETS
from mechcourse.measures_superposition import (
    compare_with_closed_forms,
    measure_toys,
    phase_figures,
)
from mechcourse.superposition import ToyConfig
from mechcourse.superposition_training import ToyRun, alike, best_of, train

SHORT = ToyConfig(
    *(4, 2, (0.5, 0.5, 0.1, 0.1, 0.1)),
    **{"importance": (1.0, 0.9, 0.8, 0.7), "n_steps": 30, "batch": 64, "look_every": 20, "seed": 2},
)
SHIPPED = [name for name in superposition_zoo.RECIPES if (ASSETS / f"{name}.safetensors").exists()]


@pytest.fixture
def own_zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A zoo in a folder of its own, whose sweep trains in no time."""
    shutil.copy(ASSETS / "zoo.json", tmp_path / "zoo.json")
    for module in (zoo, superposition_zoo):
        monkeypatch.setattr(module, "ASSETS", tmp_path)
    monkeypatch.setattr(zoo, "TABLE", tmp_path / "zoo.json")
    monkeypatch.chdir(tmp_path)
    recipes = {"short": superposition_zoo.ToyRecipe(SHORT, 0.1, "a small one")}
    monkeypatch.setattr(superposition_zoo, "RECIPES", recipes)
    zoo.figures.cache_clear()
    yield tmp_path
    zoo.figures.cache_clear()


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(KeyError, match=r"no toy models 'five-in-one'; there are five-in-two, "):
        superposition_zoo.load("five-in-one")


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_sweeps_load_with_their_recipes_sizes(name: str) -> None:
    how, run = superposition_zoo.recipe(name).config, superposition_zoo.load(name)
    assert run.W.shape == (how.n_instances, how.n_features, how.d_hidden)
    assert run.b.shape == run.W.shape[:2] and run.W.dtype == run.b.dtype == torch.float32
    assert run.config == how and run.steps[-1] == how.n_steps
    assert run.losses.shape == (len(run.steps), how.n_instances)
    assert run.final_losses.shape == (how.n_instances,)


def test_grading_loads_and_does_not_train(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(superposition_zoo, "train", lambda *_, **__: pytest.fail("it trained"))
    shipped = superposition_zoo.load("pentagons")
    assert torch.equal(superposition_zoo.train_or_load("pentagons", live=False).W, shipped.W)
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert torch.equal(superposition_zoo.train_or_load("pentagons").W, shipped.W)


def test_training_here_follows_the_recipe(own_zoo: Path) -> None:
    heard, seen = [], []
    run = superposition_zoo.train_or_load(
        "short",
        progress=lambda step, n, _: heard.append((step, n)),
        watch=lambda step, W, b: seen.append(step),
    )
    assert heard == [(20, 30), (30, 30)] and seen == [0, 20, 30]
    assert torch.equal(run.W, train(SHORT).W)
    other = superposition_zoo.train_or_load("short", seed=5)
    assert other.config == replace(SHORT, seed=5) and not torch.equal(other.W, run.W)


def test_shipping_writes_file_and_table_and_a_changed_file_is_refused(own_zoo: Path) -> None:
    superposition_zoo.retrain("short", ship=True)
    run = superposition_zoo.load("short")
    assert torch.equal(run.W, train(SHORT).W.half().float()) and run.steps.tolist() == [20, 30]
    said = zoo.figures("short")
    assert said["seed"] == 2 and "code-0l" in json.loads((own_zoo / "zoo.json").read_text())
    measured = measure_toys(run)
    assert measured == {key: said[key] for key in measured}
    assert len(said["loss"]) == len(said["d_star"]) == 2, "of each sparsity's best"
    path = own_zoo / "short.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"is not the file that zoo\.json describes"):
        superposition_zoo.load("short")


def test_retraining_writes_beside_the_learner(own_zoo: Path, capsys) -> None:
    before = (own_zoo / "zoo.json").read_bytes()
    superposition_zoo.retrain("short", seed=8)
    assert (own_zoo / "short.safetensors").exists() and "d_star" in capsys.readouterr().out
    assert (own_zoo / "zoo.json").read_bytes() == before
    with pytest.raises(FileExistsError, match="is there already"):
        superposition_zoo.retrain("short")


def test_an_interrupted_retraining_writes_nothing(own_zoo: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(
        superposition_zoo, "train", lambda config, **_: train(replace(config, n_steps=20))
    )
    superposition_zoo.retrain("short", ship=True)
    assert "Nothing was written" in capsys.readouterr().out
    assert {path.name for path in own_zoo.iterdir()} == {"zoo.json"}


def test_models_alike_are_found_and_the_best_of_them() -> None:
    assert [group.tolist() for group in alike(SHORT)] == [[0, 1], [2, 3, 4]]
    mixed = replace(SHORT, probabilities=(0.1, 0.5, 0.1))
    assert [group.tolist() for group in alike(mixed)] == [[0, 2], [1]]
    run = replace(train(SHORT), final_losses=torch.tensor([2.0, 1.0, 5.0, 6.0, 4.0]))
    assert best_of(run).tolist() == [1, 4]
    measured = measure_toys(run)
    assert measured["loss"] == [1.0, 4.0] and measured["as_good_as_best"] == 0.4


def planted(d_hidden: int, n_cells: int = 4) -> ToyRun:
    """A phase diagram whose models are drawn, but for the last of each cell: that is antipodal."""
    how = superposition_zoo.phase_config(d_hidden + 1, d_hidden, n_cells)
    n, models = how.n_instances, superposition_zoo.MODELS
    W = torch.randn(n, d_hidden + 1, d_hidden, generator=torch.Generator().manual_seed(0))
    last = W.unflatten(0, (-1, models))[:, -1]
    last[:] = torch.eye(d_hidden + 1)[:, :d_hidden]
    last[:, -1] = -last[:, -2]
    losses = torch.ones(n).unflatten(0, (-1, models)).clone()
    losses[:, -1] = 0.5
    empty = torch.zeros(0, dtype=torch.int64), torch.zeros(0, n)
    return ToyRun(how, W, torch.zeros(n, d_hidden + 1), *empty, losses.flatten())


@pytest.mark.parametrize("d_hidden", [1, 2])
def test_a_phase_grid_has_a_cell_for_each_setting(d_hidden: int) -> None:
    run = planted(d_hidden)
    grid = superposition_zoo.phase_grid(run)
    assert grid.probabilities.tolist() == pytest.approx([1, 0.01 ** (1 / 3), 0.01 ** (2 / 3), 0.01])
    assert grid.importances.tolist() == pytest.approx([0.1, 10 ** (-1 / 3), 10 ** (1 / 3), 10])
    place = (2 * 4 + 1) * superposition_zoo.MODELS + 3  # third density, second importance
    assert torch.equal(grid.W[2, 1, 3], run.W[place]) and torch.equal(grid.b[2, 1, 3], run.b[place])
    assert run.config.presence[place].tolist() == [grid.probabilities[2].item()] * (d_hidden + 1)
    assert run.config.importances[place].tolist() == [1.0] * d_hidden + [grid.importances[1].item()]
    assert torch.equal(grid.best(), grid.W[:, :, -1])
    with pytest.raises(ValueError, match="not a grid"):
        superposition_zoo.phase_grid(replace(run, config=SHORT))


@pytest.mark.parametrize(("d_hidden", "antipodal"), [(1, 10), (2, 5)])
def test_the_comparison_with_the_closed_forms(d_hidden: int, antipodal: int) -> None:
    """All are antipodal: below 0.571 for I = 1 and 0.16 for 0.1 and 10 that is right.

    With three features it is right below these for I < 1 only: else 3 has a dimension of its own.
    """
    run = planted(d_hidden)
    agrees, far, ratio = compare_with_closed_forms(run)
    table = agrees.view(4, 4)
    assert not table[0].any(), "always present: one is left out"
    assert table[3, :2].all() and agrees.sum() == antipodal
    assert far.sum() >= 14 and (ratio > 0).all()
    measured = phase_figures(run)
    assert measured["agreement"] == pytest.approx(agrees.float().mean().item(), abs=1e-4)
    assert measured["off_boundary"] == far.sum()
