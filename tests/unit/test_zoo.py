"""The shipped models: what guards them, and how they are made again."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mechcourse import recipes, zoo
from mechcourse.data import ASSETS
from mechcourse.models import Transformer
from mechcourse.training import TrainingConfig, load_checkpoint

SHIPPED = [name for name in zoo.RECIPES if (zoo.ASSETS / f"{name}.safetensors").exists()]


def test_an_unknown_name_lists_those_there_are() -> None:
    for ask in (zoo.load, zoo.recipe, zoo.make):
        with pytest.raises(KeyError, match=r"no model 'code-9l' in the zoo; there are code-0l, "):
            ask("code-9l")


def test_a_changed_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "code-0l.safetensors"
    shutil.copy(zoo.ASSETS / path.name, path)
    monkeypatch.setattr(zoo, "ASSETS", tmp_path)
    assert zoo.load("code-0l").config.n_layers == 0
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"is not the file that zoo\.json describes"):
        zoo.load("code-0l")


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_models_load_with_their_recipes_sizes(name: str) -> None:
    model, recipe = zoo.load(name), zoo.RECIPES[name]
    assert type(model) is recipe.architecture and model.config == recipe.model


def test_grading_loads_and_does_not_train(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo, "make", lambda *args, **kwargs: pytest.fail("it trained"))
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert zoo.train_or_load("code-0l").config.n_layers == 0
    monkeypatch.delenv("NBGRADER_EXECUTION")
    assert zoo.train_or_load("code-0l", live=False).config.n_layers == 0


def test_training_here_follows_the_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    def note(model: Transformer, sample: object, training: object, progress: object) -> Transformer:
        tokens, counted = sample(2, torch.Generator())
        asked.update(split=tokens.unique().tolist(), shape=tokens.shape, training=training)
        assert counted is None
        return model

    monkeypatch.setattr(zoo, "train", note)
    texts = {"train": torch.full((300,), 3), "held_out": torch.full((300,), 4)}
    monkeypatch.setattr(recipes, "code_tokens", texts.get)
    state = torch.random.get_rng_state()
    first, again = zoo.train_or_load("code-0l"), zoo.train_or_load("code-0l")
    recipe = zoo.RECIPES["code-0l"]
    assert asked == {"split": [3], "shape": (2, 256), "training": recipe.training}
    assert torch.equal(first.embed.W_E, again.embed.W_E)
    other = zoo.train_or_load("code-0l", seed=5)
    assert asked["training"].seed == 5 and not torch.equal(first.embed.W_E, other.embed.W_E)
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.fixture
def own_zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A zoo in a folder of its own, whose zero-layer model trains in no time."""
    for name in ("zoo.json", "code-0l.safetensors"):
        shutil.copy(ASSETS / name, tmp_path / name)
    monkeypatch.setattr(zoo, "ASSETS", tmp_path)
    monkeypatch.setattr(zoo, "TABLE", tmp_path / "zoo.json")
    short = replace(zoo.RECIPES["code-0l"], training=TrainingConfig(n_steps=3, batch=2))
    monkeypatch.setitem(zoo.RECIPES, "code-0l", short)
    monkeypatch.setattr(zoo, "measure", lambda model, data: {"held_out_loss": 6.0})
    monkeypatch.setattr(zoo, "baseline_losses", lambda: {"uniform": 6.2})
    monkeypatch.chdir(tmp_path)
    zoo.figures.cache_clear()
    yield tmp_path
    zoo.figures.cache_clear()


def test_retraining_writes_beside_the_learner_and_compares(own_zoo: Path, capsys) -> None:
    shipped = (own_zoo / "code-0l.safetensors").read_bytes()
    zoo.retrain("code-0l", seed=7, out=own_zoo / "mine.safetensors")
    assert load_checkpoint(own_zoo / "mine.safetensors").config.n_layers == 0
    assert (own_zoo / "code-0l.safetensors").read_bytes() == shipped
    said = capsys.readouterr().out
    assert "seed 7" in said and "shipped" in said and "uniform loss" in said


def test_retraining_refuses_before_it_trains(own_zoo: Path, monkeypatch) -> None:
    monkeypatch.setattr(zoo, "make", lambda *_, **__: pytest.fail("it trained"))
    with pytest.raises(FileExistsError, match="is there already"):
        zoo.retrain("code-0l", out=own_zoo / "code-0l.safetensors")


def test_an_interrupted_retraining_writes_nothing(own_zoo: Path, monkeypatch, capsys) -> None:
    before = {path: path.read_bytes() for path in own_zoo.iterdir()}

    def interrupted(name, seed, progress):
        progress(1, 3, {"loss": 6.0})
        return zoo.load(name)

    monkeypatch.setattr(zoo, "make", interrupted)
    zoo.retrain("code-0l", ship=True)
    assert "Nothing was written" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in own_zoo.iterdir()} == before


def test_shipping_renews_file_and_table(own_zoo: Path) -> None:
    zoo.retrain("code-0l", ship=True)
    assert zoo.figures("code-0l")["held_out_loss"] == 6.0
    assert zoo.load("code-0l").config.n_layers == 0, "the table has the new file's hash"


def test_other_seeds_are_kept_beside_the_shipped_figures(own_zoo: Path) -> None:
    before = zoo.figures("code-0l")
    zoo.record_seed("code-0l", 98, {"held_out_loss": 6.1})
    zoo.record_seed("code-0l", 99, {"held_out_loss": 6.2})
    after = zoo.figures("code-0l")
    assert {k: after[k] for k in before if k != "other_seeds"} == {
        k: before[k] for k in before if k != "other_seeds"
    }
    assert after["other_seeds"]["98"] == {"held_out_loss": 6.1}
    assert after["other_seeds"]["99"] == {"held_out_loss": 6.2}
