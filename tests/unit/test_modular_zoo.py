"""The shipped models of sums: what guards them, and how they are made again."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mechcourse import modular_zoo, zoo
from mechcourse.data import ASSETS
from mechcourse.grokking import GrokkingConfig, begin
from mechcourse.modular import ModularTransformerConfig

SMALL = ModularTransformerConfig(p=11, d_model=12, n_heads=3, d_head=5, d_mlp=20)
SHORT = GrokkingConfig(n_steps=6, fraction=0.4, look_every=2, keep=(0, 4), seed=4)
SHIPPED = [name for name in modular_zoo.RECIPES if (ASSETS / f"{name}.safetensors").exists()]


@pytest.fixture
def own_zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A zoo in a folder of its own, whose two models train in no time."""
    shutil.copy(ASSETS / "zoo.json", tmp_path / "zoo.json")
    for module in (zoo, modular_zoo):
        monkeypatch.setattr(module, "ASSETS", tmp_path)
    monkeypatch.setattr(zoo, "TABLE", tmp_path / "zoo.json")
    monkeypatch.chdir(tmp_path)
    recipes = {
        "whole": modular_zoo.ModularRecipe(SMALL, SHORT, 0.1, "a small one", 4, whole=True),
        "end": modular_zoo.ModularRecipe(SMALL, SHORT, 0.1, "only its end", 4),
    }
    monkeypatch.setattr(modular_zoo, "RECIPES", recipes)
    zoo.figures.cache_clear()
    yield tmp_path
    zoo.figures.cache_clear()


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(KeyError, match=r"no model 'modular-4'.*there are modular-59, plenty-59"):
        modular_zoo.load("modular-4")


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_runs_load_with_their_recipes_sizes_and_curves(name: str) -> None:
    how, run = modular_zoo.recipe(name), modular_zoo.load_run(name)
    assert run.model.config == how.model and run.config == how.training
    assert run.curves.steps[0] == 0 and run.curves.steps[-1] == how.training.n_steps
    assert set(run.weights) == set(how.training.keep if how.whole else ())
    assert all(weight.dtype == torch.float32 for weight in run.model.parameters())


def test_grading_loads_and_does_not_train(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modular_zoo, "grok", lambda *_, **__: pytest.fail("it trained"))
    assert modular_zoo.grok_or_load("modular-59", live=False).model.config.p == 59
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert modular_zoo.grok_or_load("modular-59").model.config.p == 59


def test_training_here_follows_the_recipe(own_zoo: Path) -> None:
    heard: list[tuple[int, int]] = []
    run = modular_zoo.grok_or_load("whole", progress=lambda step, n, _: heard.append((step, n)))
    assert heard[-1] == (4, 4), "so many steps as a live training has"
    assert run.config == replace(SHORT, n_steps=4) and list(run.weights) == [0, 4]
    assert torch.equal(run.model_at(0).embed.W_E, begin(SMALL, 4).embed.W_E.half().float())
    other = modular_zoo.grok_or_load("whole", seed=5, n_steps=3)
    assert other.config.seed == 5 and other.curves.steps.tolist() == [0, 2, 3]


def test_shipping_writes_files_and_table_and_a_changed_file_is_refused(own_zoo: Path) -> None:
    modular_zoo.retrain("whole", ship=True)
    run = modular_zoo.load_run("whole")
    assert run.curves.steps.tolist() == [0, 2, 4, 6] and list(run.weights) == [0, 4]
    said = zoo.figures("whole")
    assert said["seed"] == 4 and "code-0l" in json.loads((own_zoo / "zoo.json").read_text())
    measured = modular_zoo.measure_run(run)
    assert measured == {key: said[key] for key in measured}
    path = own_zoo / "whole.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"is not the file that zoo\.json describes"):
        modular_zoo.load("whole")


def test_only_the_end_ships_where_it_says_so_and_is_measured_as_it_loads(own_zoo: Path) -> None:
    modular_zoo.retrain("end", ship=True)
    modular_zoo.retrain("whole", ship=True)
    ends = [own_zoo / f"{name}.safetensors" for name in ("end", "whole")]
    assert ends[0].stat().st_size < 0.7 * ends[1].stat().st_size
    assert not (own_zoo / "end.weights.safetensors").exists()
    run = modular_zoo.load_run("end")
    assert run.weights == {} and run.model.embed.W_E.dtype == torch.float32
    rounded = modular_zoo.load("whole").embed.W_E.half().float()
    assert torch.equal(run.model.embed.W_E, rounded)


def test_retraining_writes_beside_the_learner(own_zoo: Path, capsys) -> None:
    before = (own_zoo / "zoo.json").read_bytes()
    modular_zoo.retrain("end", seed=8)
    assert (own_zoo / "end.safetensors").exists() and "test_loss" in capsys.readouterr().out
    assert (own_zoo / "zoo.json").read_bytes() == before
    with pytest.raises(FileExistsError, match="is there already"):
        modular_zoo.retrain("end")


def test_an_interrupted_retraining_writes_nothing(own_zoo: Path, monkeypatch, capsys) -> None:
    def interrupted(model, training, *, progress):
        progress(1, 6, {})
        return real(model, replace(training, n_steps=3))

    real = modular_zoo.grok
    monkeypatch.setattr(modular_zoo, "grok", interrupted)
    modular_zoo.retrain("whole", ship=True)
    assert "Nothing was written" in capsys.readouterr().out
    assert {path.name for path in own_zoo.iterdir()} == {"zoo.json"}


def test_delays_are_made_and_read(own_zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"weight_decay": 1.0, "grokked": None}, {"weight_decay": 3.0, "grokked": 40}]
    monkeypatch.setattr(modular_zoo, "sweep", lambda _: rows)
    modular_zoo.retrain(modular_zoo.SWEEP_NAME, ship=True)
    assert modular_zoo.load_delays() == rows
    with pytest.raises(FileExistsError, match="is there already"):
        modular_zoo.retrain(modular_zoo.SWEEP_NAME)
