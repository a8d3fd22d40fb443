"""Sweeps of how long grokking takes."""

import pytest

from mechcourse import delays
from mechcourse.grokking import GrokkingConfig
from mechcourse.modular import ModularTransformerConfig

SMALL = ModularTransformerConfig(p=7, d_model=32, d_head=8, d_mlp=64)
QUICK = GrokkingConfig(n_steps=300, fraction=0.9, learning_rate=3e-3, look_every=10)


def test_every_setting_once() -> None:
    what = delays.Sweep(SMALL, QUICK, (0.0, 1.0), (0.4, 0.6), (5, 6))
    tried = [(s.weight_decay, s.fraction, s.seed) for s in what.settings()]
    assert tried[:3] == [(0.0, 0.4, 5), (0.0, 0.4, 6), (0.0, 0.6, 5)] and len(set(tried)) == 8


def test_a_training_ends_when_it_has_grokked(monkeypatch: pytest.MonkeyPatch) -> None:
    accuracies = iter([0.2, 0.8, 0.995, 1.0])

    def look(self: delays.Watcher, step: int) -> dict[str, float] | None:
        if step % 10:
            return None
        test = next(accuracies)
        seen = {"train_accuracy": 1.0 if step > 10 else 0.5, "test_accuracy": test}
        self.seen.append(seen)
        return seen

    monkeypatch.setattr(delays.Watcher, "look", look)
    found = delays.delay(SMALL, QUICK)
    assert (found["memorised"], found["grokked"], found["test_accuracy"]) == (20, 30, 0.995)
    assert (found["weight_decay"], found["fraction"], found["n_steps"]) == (1.0, 0.9, 300)


def test_giving_up(capsys: pytest.CaptureFixture[str]) -> None:
    short = GrokkingConfig(n_steps=20, fraction=0.3, look_every=10)
    (row,) = delays.sweep(delays.Sweep(SMALL, short, (1.0,), (0.3,), (0,)))
    assert row["grokked"] is None and row["test_accuracy"] < 0.99
    assert "fraction 0.3" in capsys.readouterr().out
