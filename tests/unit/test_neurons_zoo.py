"""Shipped models with neurons: how they load, train and are written."""

import doctest
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mechcourse import absolute_value, neurons_zoo, zoo
from mechcourse.data import ASSETS
from mechcourse.neurons_zoo import RECIPES

SHORT = replace(neurons_zoo.SPLIT, n_steps=3, batch=16)
KILOBYTES = 450


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECIPES, "neurons-3x6", replace(RECIPES["neurons-3x6"], config=SHORT))


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(neurons_zoo).failed == 0


@pytest.mark.parametrize("name", RECIPES)
def test_shipped_ones_load_as_their_recipes_say(name: str) -> None:
    run, config = neurons_zoo.load(name), RECIPES[name].config
    n = len(config.probabilities)
    assert run.model.W_in.shape == (n, config.n_features, config.d_hidden)
    assert run.model.W_out.shape == (n, config.d_hidden, config.n_features)
    assert run.model.hidden == config.hidden and run.losses.shape == (n,)
    assert all(part.dtype == torch.float32 for part in run.model[:3])
    assert torch.equal(run.model.W_in.mT, run.model.W_out) == config.tied


@pytest.mark.parametrize("name", RECIPES)
def test_the_table_says_what_is_measured_now(name: str) -> None:
    measured, said = neurons_zoo.measure(neurons_zoo.load(name)), zoo.figures(name)
    assert measured == pytest.approx({key: said[key] for key in measured}, rel=0.03, abs=1e-6)


def test_what_ships_is_small() -> None:
    sizes = [(ASSETS / f"{name}.safetensors").stat().st_size for name in RECIPES]
    assert sum(sizes) <= KILOBYTES * 1000


def test_what_is_done_to_a_loaded_model_does_not_stay() -> None:
    spoilt = neurons_zoo.load("neurons-3x6")
    spoilt.model.W_in.zero_()
    assert neurons_zoo.load("neurons-3x6").model.W_in.abs().sum() > 0


def test_the_best_of_a_probability() -> None:
    run = neurons_zoo.load("neurons-3x6")
    assert run.at(0.1) == list(range(10, 20))
    assert run.best(0.1) in run.at(0.1) and run.losses[run.best(0.1)] == run.losses[10:].min()
    with pytest.raises(KeyError, match=r"no model with p = 0\.5; there are 1, 0\.1"):
        run.best(0.5)


def test_under_grading_they_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    shipped = neurons_zoo.load("neurons-3x6")
    again = neurons_zoo.train_or_load("neurons-3x6", live=True)
    assert torch.equal(again.model.W_in, shipped.model.W_in)


def test_training_here_follows_the_recipe(short: None) -> None:
    heard: list[int] = []
    run = neurons_zoo.train_or_load("neurons-3x6", progress=lambda step, _n, _m: heard.append(step))
    assert heard == [1, 2, 3] and run.model.W_in.shape == (20, 3, 6)
    torch.testing.assert_close(run.losses, absolute_value.evaluate(run.model, SHORT))


@pytest.mark.parametrize("name", ["neurons-3x6", "neurons-10x5"])
def test_what_is_written_is_loaded_again_rounded(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tied model, whose read-out is not in the file, and one that has both."""
    config = replace(RECIPES[name].config, n_steps=2, batch=8)
    model, path = absolute_value.train(config), tmp_path / "some.safetensors"
    measured = neurons_zoo.write(name, model, config, path, ship=False)
    monkeypatch.setattr(zoo, "shipped_file", lambda _name: path)
    run = neurons_zoo.load(name)
    for kept, trained in zip(run.model[:3], model[:3], strict=True):
        assert torch.equal(kept, trained.half().float())
    assert neurons_zoo.measure(run) == measured


def test_retraining_writes_beside_the_learner(short: None, tmp_path: Path) -> None:
    out = tmp_path / "mine.safetensors"
    neurons_zoo.retrain("neurons-3x6", seed=5, out=out)
    assert out.exists()
    with pytest.raises(FileExistsError, match="is there already"):
        neurons_zoo.retrain("neurons-3x6", out=out)


def test_retraining_that_is_interrupted_writes_nothing(
    short: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_args: object, **_options: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(absolute_value, "losses", stopped)
    neurons_zoo.retrain("neurons-3x6", out=tmp_path / "mine.safetensors")
    assert "Nothing was written." in capsys.readouterr().out and not list(tmp_path.iterdir())


def test_shipping_renews_the_entry_in_the_table(
    short: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries: dict[str, dict] = {}
    monkeypatch.setattr(zoo, "renew", entries.__setitem__)
    monkeypatch.setattr(neurons_zoo, "ASSETS", tmp_path)
    neurons_zoo.retrain("neurons-3x6", ship=True)
    assert (tmp_path / "neurons-3x6.safetensors").exists()
    wanted = {
        f"{figure}_{p}" for figure in ("best", "median", "monosemantic") for p in ("1", "0.1")
    }
    assert set(entries["neurons-3x6"]) == {"sha256", "seed"} | wanted


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(KeyError, match="no models with neurons 'neurons-1'; there are neurons-3x6"):
        neurons_zoo.load("neurons-1")
