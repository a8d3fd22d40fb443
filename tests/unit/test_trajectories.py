"""Models watched while they train, side by side."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mechcourse import zoo
from mechcourse.models import Transformer, TransformerConfig
from mechcourse.trajectories import EVERY, Trajectory, Watcher

SMALL = TransformerConfig(2, 8, 3, 4, 50, 40)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recipes of a few steps."""
    for name in ("repeats-1l", "repeats-2l"):
        how = zoo.RECIPES[name]
        monkeypatch.setitem(
            zoo.RECIPES, name, replace(how, training=replace(how.training, n_steps=25, batch=3))
        )


def test_a_watcher_looks_before_training_and_every_few_steps() -> None:
    torch.manual_seed(0)
    watcher = Watcher(Transformer(SMALL))
    assert [watcher(step) is not None for step in (1, EVERY, EVERY + 1)] == [False, True, False]
    seen = watcher.trajectory()
    assert seen.steps.tolist() == [0, EVERY]
    assert seen.loss.shape == (2,) and seen.induction.shape == seen.previous.shape == (2, 2, 3)
    assert torch.equal(seen.loss[0], seen.loss[1]), "the same texts at every look"


def test_a_trajectory_comes_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    seen = Watcher(Transformer(SMALL)).trajectory()
    seen.save(tmp_path / "seen.safetensors")
    back = Trajectory.load(tmp_path / "seen.safetensors")
    assert all(torch.equal(value, getattr(back, name)) for name, value in vars(seen).items())
    with pytest.raises(FileNotFoundError, match="no trajectory at"):
        Trajectory.load(tmp_path / "none.safetensors")


def test_side_by_side_is_what_each_would_have_become_alone(short: None) -> None:
    reports: list[dict[str, float]] = []
    note = lambda _step, n_steps, metrics: reports.append(metrics)  # noqa: E731
    both = zoo.watch_or_load("repeats-1l", "repeats-2l", progress=note)
    alone = zoo.make("repeats-2l")
    for name, value in alone.state_dict().items():
        assert torch.equal(value, both["repeats-2l"][0].state_dict()[name])
    assert len(reports) == 25 and set(reports[1]) == {"loss/repeats-1l", "loss/repeats-2l"}
    assert len(reports[0]) == 2 + 4 + 8, "every head, so that all panels are there at once"
    assert {"induction/repeats-1l 0.3", "induction/repeats-2l 1.0"} <= set(reports[EVERY - 1])
    assert both["repeats-1l"][1].steps.tolist() == [0, 10, 20]


def test_an_interrupt_keeps_what_was_seen(short: None, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(step: int, _n_steps: int, _metrics: dict[str, float]) -> None:
        if step == 12:
            raise KeyboardInterrupt

    ((_, seen),) = zoo.watch_or_load("repeats-1l", progress=interrupt).values()
    assert seen.steps.tolist() == [0, 10]
    assert "keep what they learnt" in capsys.readouterr().out


def test_under_grading_the_shipped_ones_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    monkeypatch.setattr(zoo, "training_steps", lambda *_: pytest.fail("it trained"))
    for model, seen in zoo.watch_or_load("repeats-1l", "repeats-2l", "impostor-1l").values():
        assert seen.induction.shape[1] == model.config.n_layers
        assert seen.steps[-1] == zoo.RECIPES["repeats-1l"].training.n_steps
