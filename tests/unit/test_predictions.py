"""Predictions: noted, locked when revealed, never in the way of grading."""

import json
from pathlib import Path

import pytest

from mechcourse import predictions
from mechcourse.predictions import PredictionError, calibration, predict, reveal

LAYERS = ["layer 0", "layer 1", "neither"]
Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def chapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A chapter folder in a learner's work folder, and a kernel that has just started."""
    folder = tmp_path / "work" / "ch01_attention"
    folder.mkdir(parents=True)
    (folder.parent / ".mechcourse").mkdir()
    monkeypatch.chdir(folder)
    restart(monkeypatch)
    return folder


def restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictions, "_this_kernel", [])


def record(chapter: Path) -> list[dict[str, object]]:
    file = chapter.parent / ".mechcourse" / "predictions.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_without_a_guess_it_says_what_to_do(chapter: Path, capsys: Captured) -> None:
    predict("which", LAYERS)
    said = capsys.readouterr().out
    assert all(repr(option) in said for option in LAYERS)
    assert "guess=" in said and "0.33" in said
    assert not record(chapter)


def test_a_guess_meets_its_answer(chapter: Path, capsys: Captured) -> None:
    predict("which", LAYERS, guess="layer 0", confidence=0.7)
    reveal("which", "layer 1")
    assert "You said 'layer 0' with 70%; the answer is 'layer 1'" in capsys.readouterr().out
    entry = record(chapter)[0]
    assert (entry["chapter"], entry["name"]) == ("ch01_attention", "which")
    assert (entry["guess"], entry["confidence"], entry["options"]) == ("layer 0", 0.7, LAYERS)
    reveal("nobody_guessed", "layer 1")
    assert "the answer is 'layer 1'. You made no" in capsys.readouterr().out.replace("The", "the")


def test_the_last_guess_before_the_reveal_counts_and_none_after(
    chapter: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict("which", LAYERS, "layer 0", 0.7)
    predict("which", LAYERS, "neither", 0.5)
    reveal("which", "neither")
    assert "You were right" in capsys.readouterr().out
    before = record(chapter)
    restart(monkeypatch)
    predict("which", LAYERS, "layer 1", 1)
    assert "stays as it was" in capsys.readouterr().out
    predict("which", LAYERS, "neither", 0.5)
    predict("which", LAYERS)
    reveal("which", "neither")
    assert record(chapter) == before, "re-running the cells wrote something"
    reveal("late", "layer 1")
    predict("late", LAYERS, "layer 1", 1)
    assert "isn't recorded" in capsys.readouterr().out


def test_it_works_without_a_record_folder(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    predict("which", LAYERS, "layer 0", 0.7)
    reveal("which", "layer 0")
    assert "You were right" in capsys.readouterr().out
    assert list(tmp_path.rglob("*.jsonl")) == []


@pytest.mark.parametrize(
    ("guess", "confidence", "named"),
    [
        ("layer 2", 0.5, "'layer 2' is none of the options: 'layer 0'"),
        ("layer 0", None, "how sure are you"),
        ("layer 0", 0.2, "0.2 must be a number from 0.33"),
        ("layer 0", 70, "Write 70 % as 0.7"),
        ("layer 0", -1, "-1 must be"),
        ("layer 0", float("nan"), "nan must be"),
        ("layer 0", True, "True is no number"),
    ],
)
def test_bad_input_is_named(
    chapter: Path, guess: str, confidence: float | None, named: str
) -> None:
    with pytest.raises(PredictionError, match=named) as raised:
        predict("which", LAYERS, guess, confidence)
    assert raised.value._render_traceback_() == [str(raised.value)]
    assert not record(chapter)


def test_friendly_spellings_are_taken(chapter: Path) -> None:
    predict("which", LAYERS, " Layer 0", 0.33)
    assert record(chapter)[0]["guess"] == "layer 0"
    assert record(chapter)[0]["confidence"] == pytest.approx(1 / 3)
    with pytest.raises(PredictionError, match="at least two"):
        predict("which", ["one"])


@pytest.mark.parametrize(
    ("answer", "option"),
    [(0.05, "below 0.1"), (0.1, "0.1 to 0.3"), (0.3, "above 0.3"), (7, "above 0.3")],
)
def test_a_number_falls_into_its_range(answer: float, option: str, capsys: Captured) -> None:
    predict("how much", ["below 0.1", "0.1 to 0.3", "above 0.3"], option, 0.5)
    reveal("how much", answer)
    assert f"the answer is {answer}, that is {option!r}. You were right" in capsys.readouterr().out


def test_calibration_is_held_against_guessing_uniformly(capsys: Captured) -> None:
    for name, options, guess, sure in [
        ("a", ["yes", "no"], "yes", 0.8),
        ("b", ["yes", "no"], "no", 0.6),
        ("c", ["yes", "no", "both", "none"], "yes", 1.0),
        ("never revealed", ["yes", "no"], "yes", 1.0),
    ]:
        predict(name, options, guess, sure)
    for name in "abc":
        reveal(name, "yes")
    capsys.readouterr()
    fig = calibration()
    said = capsys.readouterr().out
    brier = (0.2**2 + 0.6**2 + 0) / 3
    null = (0.25 + 0.25 + 0.25 * 0.75) / 3
    assert "3 predictions, 2 right" in said
    assert f"Brier score {brier:.3f}; guessing uniformly would score {null:.3f}" in said
    assert "sure above 70%, up to 90%: 1 of 1 right" in said
    assert "say little" in said
    dots = fig.data[-1]
    assert list(dots.x) == pytest.approx([0.6, 0.8, 1.0])
    assert list(dots.y) == [0, 1, 1]
    assert calibration("ch02_induction_heads") is None
    assert calibration("ch01_attention") is not None


def test_under_grading_nothing_happens(
    chapter: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    predict("which", LAYERS, "no option at all", 7)
    reveal("which", "layer 0")
    assert calibration() is None
    assert capsys.readouterr().out == ""
    assert not record(chapter)
