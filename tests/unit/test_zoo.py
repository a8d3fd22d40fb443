"""The shipped models: what guards them, and the measure of induction."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mechcourse import zoo
from mechcourse.data import ASSETS
from mechcourse.models import Transformer, TransformerConfig
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
    assert zoo.load(name).config == zoo.RECIPES[name].model


def test_grading_loads_and_does_not_train(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo, "make", lambda *args, **kwargs: pytest.fail("it trained"))
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert zoo.train_or_load("code-0l").config.n_layers == 0
    monkeypatch.delenv("NBGRADER_EXECUTION")
    assert zoo.train_or_load("code-0l", live=False).config.n_layers == 0


def test_training_here_follows_the_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    def note(model: Transformer, tokens: Tensor, training: object, progress: object) -> Transformer:
        asked.update(tokens=len(tokens), training=training)
        return model

    monkeypatch.setattr(zoo, "train", note)
    monkeypatch.setattr(zoo, "code_tokens", lambda split: torch.arange(len(split)))
    state = torch.random.get_rng_state()
    first, again = zoo.train_or_load("code-0l"), zoo.train_or_load("code-0l")
    assert asked == {"tokens": len("train"), "training": zoo.RECIPES["code-0l"].training}
    assert torch.equal(first.embed.W_E, again.embed.W_E)
    other = zoo.train_or_load("code-0l", seed=5)
    assert asked["training"].seed == 5 and not torch.equal(first.embed.W_E, other.embed.W_E)
    assert torch.equal(state, torch.random.get_rng_state())


class Patterns(Transformer):
    """A model of one layer whose heads' patterns are given by a rule on the tokens.

    In a text of period P, query i stands on the token last seen at i - P.
    """

    def __init__(self, period: int, n_ctx: int) -> None:
        super().__init__(TransformerConfig(1, 4, 5, 2, 50, n_ctx))
        self.period = period

    def forward(self, tokens: Tensor) -> Tensor:
        n = tokens.shape[1]
        i, j = torch.arange(n)[:, None], torch.arange(n)[None]
        followed = (j > 0) & (j <= i) & (tokens[:, None, :].roll(1, -1) == tokens[:, :, None])
        rules = [
            followed.double(),  # induction: all that followed a copy, the newest to the oldest
            ((tokens[:, :, None] == tokens[:, None, :]) & (j < i)).double(),  # duplicate token
            (j == i - 1).double().expand_as(followed),  # previous token
            (j <= i).double().expand_as(followed),  # spread evenly
            ((j == i - self.period + 1) & (j >= 0))
            .double()
            .expand_as(followed),  # newest copy only
        ]
        pattern = torch.stack(rules, dim=1)
        first = torch.zeros(n, dtype=torch.float64)
        first[0] = 1  # a head with nothing to look for rests on the first token
        pattern = torch.where(pattern.sum(-1, keepdim=True) > 0, pattern, first)
        self.blocks[0].attn.hook_pattern(pattern / pattern.sum(-1, keepdim=True))
        return torch.zeros(*tokens.shape, self.config.d_vocab)


def test_induction_scores_of_known_heads() -> None:
    period, n_ctx = 16, 64
    scores = zoo.induction_scores(Patterns(period, n_ctx), period=period, n_sequences=3)
    assert scores.shape == (1, 5)
    induction, duplicate, previous, even, newest = scores[0].tolist()
    assert induction == pytest.approx(1)
    assert newest == pytest.approx(1)
    assert duplicate == previous == 0
    copies = [i // period / (i + 1) for i in range(period, n_ctx)]  # of i + 1 keys
    assert even == pytest.approx(sum(copies) / len(copies))
    assert even == pytest.approx(1 / period, rel=0.4)


def test_induction_scores_of_a_model_with_nothing_learnt() -> None:
    torch.manual_seed(0)
    model = Transformer(TransformerConfig(2, 16, 3, 8, 40, 64))
    scores = zoo.induction_scores(model, period=16, n_sequences=4)
    assert scores.shape == (2, 3)
    assert scores.max() < 0.2
    assert torch.equal(scores, zoo.induction_scores(model, period=16, n_sequences=4))


@pytest.fixture
def own_zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A zoo in a folder of its own, whose zero-layer model trains in no time."""
    for name in ("zoo.json", "code-0l.safetensors"):
        shutil.copy(ASSETS / name, tmp_path / name)
    monkeypatch.setattr(zoo, "ASSETS", tmp_path)
    monkeypatch.setattr(zoo, "TABLE", tmp_path / "zoo.json")
    short = replace(zoo.RECIPES["code-0l"], training=TrainingConfig(n_steps=3, batch=2))
    monkeypatch.setitem(zoo.RECIPES, "code-0l", short)
    monkeypatch.setattr(zoo, "measure", lambda model: {"held_out_loss": 6.0})
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
