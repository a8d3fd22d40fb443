"""A starter is told from an answer."""

import pytest

from mechcourse import progress
from mechcourse.checks import CheckResult
from mechcourse.starters import is_starter, written


def untouched(x: int) -> int:
    """A docstring."""
    raise NotImplementedError


def begun(x: int) -> int:
    if x > 0:
        return x
    raise NotImplementedError


def other_error(x: int) -> int:
    raise ValueError


def done(x: int) -> int:
    return x


def test_only_an_untouched_body_is_a_starter() -> None:
    assert is_starter(untouched)
    assert not any(map(is_starter, (begun, other_error, done, len)))


def test_a_waiting_cell_says_for_what(capsys: pytest.CaptureFixture[str]) -> None:
    assert not written(done, untouched)
    assert "waits for untouched" in capsys.readouterr().out


def test_nothing_is_said_when_all_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert written(done, begun)
    assert not capsys.readouterr().out


def test_what_its_check_refused_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_found_here", {})
    progress.record_check(CheckResult("done", "wrong", part="a"))
    progress.record_check(CheckResult("done", "correct", part="b"))
    assert not written(done, begun)
    assert "waits until done is right" in capsys.readouterr().out
    progress.record_check(CheckResult("done", "correct", part="a"))
    assert written(done, begun)
