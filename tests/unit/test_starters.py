"""A starter is told from an answer, and an answer fetched from another notebook."""

import inspect
import traceback
from pathlib import Path

import nbformat
import pytest

from mechcourse import progress
from mechcourse.checks import CheckResult
from mechcourse.starters import answer_of, is_starter, written


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


def cell(kind: str, name: str, source: str) -> nbformat.NotebookNode:
    """A cell as a released notebook has it: of set-up, an answer, a check, a plot, or prose."""
    metadata = {} if kind == "added" else {"tags": [kind]}
    if kind in ("answer", "check", "setup", "written"):
        answers = kind in ("answer", "written")
        metadata["nbgrader"] = {"grade_id": name, "solution": answers, "grade": not answers}
    if kind == "written":
        return nbformat.v4.new_markdown_cell(source, metadata=metadata)
    return nbformat.v4.new_code_cell(source, metadata=metadata)


CELLS = (
    ("setup", "setup", "import math"),
    ("written", "thoughts", "Not *Python* at all."),
    ("demo", "plots", "raise RuntimeError('a plot was drawn')"),
    ("answer", "half", "def half(x):\n    return x / 2\n\nprint(half(3))"),
    ("check", "check_half", "raise AssertionError('a check was run')"),
    ("added", "", "half = None"),
    ("answer", "unwritten", "def unwritten(x):\n    raise NotImplementedError"),
    ("answer", "root", "def root(x):\n    return math.sqrt(half(x))"),
    ("answer", "misnamed", "def my_own(x):\n    return x"),
    ("setup", "more", "two = 2"),
    ("answer", "broken", "def broken(x):\n    return x\n\nbroken(0) / 0"),
    ("answer", "later", "def later(x):\n    return x"),
)


@pytest.fixture
def chapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A chapter's folder, as the working directory, with one notebook."""
    monkeypatch.chdir(tmp_path)
    notebook = nbformat.v4.new_notebook(cells=[cell(*each) for each in CELLS])
    nbformat.write(notebook, tmp_path / "2_find_them.ipynb")
    return tmp_path


@pytest.mark.parametrize("graded", ["", "1"])
def test_an_answer_comes_with_what_it_builds_on(
    chapter: Path, graded: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NBGRADER_EXECUTION", graded)
    root = answer_of("2_find_them", "root")
    assert root is not None and root(8) == 2
    assert not capsys.readouterr().out


def test_its_lines_show_in_a_traceback(chapter: Path) -> None:
    root = answer_of("2_find_them", "root")
    assert root is not None and "math.sqrt(half(x))" in inspect.getsource(root)
    with pytest.raises(TypeError) as raised:
        root("8")
    assert "return x / 2" in "".join(traceback.format_tb(raised.value.__traceback__))
    assert "<2_find_them: half>" in str(raised.traceback[-1].path)


@pytest.mark.parametrize(
    ("notebook", "exercise", "said"),
    [
        ("1_watch", "half", "1_watch.ipynb can't be read here"),
        ("2_find_them", "third", "has no answer cell called third"),
        ("2_find_them", "check_half", "has no answer cell called check_half"),
        ("2_find_them", "setup", "has no answer cell called setup"),
        ("2_find_them", "thoughts", "has no answer cell called thoughts"),
        ("2_find_them", "unwritten", "unwritten is still to be written, in 2_find_them.ipynb"),
        ("2_find_them", "misnamed", "misnamed of 2_find_them.ipynb defines no such function"),
        ("2_find_them", "broken", "The cell <2_find_them: broken> raised ZeroDivisionError"),
        ("2_find_them", "later", "The cell <2_find_them: broken> raised ZeroDivisionError"),
        ("torn", "half", "torn.ipynb is no notebook"),
        ("odd", "half", "odd.ipynb is no notebook"),
    ],
)
def test_one_line_says_why_there_is_no_answer(
    chapter: Path, notebook: str, exercise: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (chapter / "torn.ipynb").write_text('{"cells": [', encoding="utf-8")
    (chapter / "odd.ipynb").write_text("[1, 2]", encoding="utf-8")
    assert answer_of(notebook, exercise) is None
    out = capsys.readouterr().out
    assert said in out and out.count("\n") == 1


def test_a_cell_that_is_no_python_is_named(
    chapter: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = [cell("answer", "half", "def half(x)\n    return x")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), chapter / "3_more.ipynb")
    assert answer_of("3_more", "half") is None
    out = capsys.readouterr().out
    assert "The cell <3_more: half> raised SyntaxError" in out and out.count("\n") == 1
