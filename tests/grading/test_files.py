"""Whatever file or path is given: a row for each exercise, or a message that says what to do."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from mechcourse.grading import grade_paths
from mechcourse.grading import notebooks as reading
from mechcourse.grading.grade import grade_paths as run
from mechcourse.grading.submissions import InputProblem, find_submissions


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(reading.MAX_BYTES + 1)


# What stands where the notebook should be, and words of the reason given.
UNREADABLE = {
    "cut off": (lambda path: path.write_text('{"cells": [{"cell_'), "perhaps cut off"),
    "empty": (lambda path: path.write_text(""), "not JSON"),
    "not UTF-8": (lambda path: path.write_bytes("{}".encode("utf-16")), "not UTF-8"),
    "format 3": (
        lambda path: path.write_text('{"nbformat": 3, "worksheets": []}'),
        "notebook format 3",
    ),
    "a list": (lambda path: path.write_text("[1]"), "no notebook"),
    "no cells": (lambda path: path.write_text('{"nbformat": 4, "cells": 5}'), "without cells"),
    "deep": (lambda path: path.write_text("[" * 100_000), "not JSON"),
    "a link": (lambda path: path.symlink_to("/etc/passwd"), "symbolic link"),
    "a folder": (lambda path: path.mkdir(), "not a file"),
    "a pipe": (os.mkfifo, "not a file"),
    "huge": (huge, "MB"),
    "missing": (lambda path: None, "there is no 1_sums.ipynb"),
}


@pytest.mark.parametrize("how", UNREADABLE)
def test_an_unreadable_notebook_gives_a_row_for_each_exercise(course: Any, how: str) -> None:
    make, words = UNREADABLE[how]
    course.mine.parent.mkdir(parents=True)
    make(course.mine)
    [graded] = course.graded(course.mine.parent)
    assert [row.exercise for row in graded.rows] == list(course.answers)
    for row in graded.rows:
        assert (row.score, row.status) == (0, "error")
        assert words in row.message


def test_odd_cells_are_left_out(course: Any) -> None:
    content = course.notebook(course.answers)
    content["cells"][1:1] = [5, None, {}, {"cell_type": "code", "source": 5, "metadata": []}]
    released = reading.read_released(course.root / "course" / "ch09_toy" / "1_sums.ipynb")
    script = reading.make_script(released, reading.read_cells(course.write(content)))
    assert [c.source for c in script.cells if c.kind == "answer"] == list(course.answers.values())
    assert not any(c.kind == "added" for c in script.cells)


def learners(*paths: Path) -> list[tuple[str, bool]]:
    return [(s.learner, s.for_gradebook) for path in paths for s in find_submissions(path)]


def test_what_a_path_stands_for(course: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    content = course.notebook(course.answers)
    course.write(content)
    for learner in ("ann", "bob"):
        course.write(content, course.root / "submitted" / learner / "ch09_toy" / "1_sums.ipynb")
    work, submitted = course.root / "work", course.root / "submitted"
    assert learners(work, work / "ch09_toy", course.mine) == [("work", False)] * 3
    assert learners(submitted) == [("ann", True), ("bob", True)]
    assert learners(submitted / "bob", submitted / "bob" / "ch09_toy") == [("bob", True)] * 2
    assert learners(course.root / "solutions") == [("solutions", False)]
    monkeypatch.chdir(course.mine.parent)
    assert learners(Path("1_sums.ipynb"), Path(), Path("../../course")) == [
        ("work", False),
        ("work", False),
        ("course", False),
    ]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nowhere", "does not exist"),
        ("work/ch77_none/1_x.ipynb", "no chapter ch77_none; it has ch09_toy"),
        ("work/ch09_toy/9_other.ipynb", "no notebook 9_other; it has 1_sums"),
        ("nbgrader_config.py", "is no notebook"),
    ],
)
def test_a_wrong_path_is_named_with_the_remedy(course: Any, path: str, words: str) -> None:
    target = course.root / path
    if target.suffix == ".ipynb":
        target.parent.mkdir(parents=True)
        target.touch()
    with pytest.raises(InputProblem, match=words):
        list(find_submissions(target))


def test_a_place_outside_any_course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputProblem, match="belongs to no course"):
        list(find_submissions(tmp_path))


def test_without_trust_nothing_is_run(
    course: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    course.write(course.notebook({"double": "1 / 0"}))
    assert grade_paths([course.mine], False, tmp_path / "out.json") == 2
    assert "--trust" in capsys.readouterr().err
    assert not (tmp_path / "out.json").exists()


@pytest.mark.grading
def test_the_rest_is_graded_and_written(
    course: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    course.write(course.notebook(course.answers | course.starters("shout")))
    out = tmp_path / "out.json"
    paths = [course.root / "nowhere", course.mine, course.mine.parent]
    assert run(paths, True, out, checks="toychecks") == 2
    printed = capsys.readouterr()
    assert "nowhere does not exist" in printed.err
    assert "work: ch09_toy/1_sums, 8 of 9 points" in printed.out
    rows = json.loads(out.read_text())
    assert len(rows) == 4  # given twice, graded once
    assert list(rows[0]) == (
        "learner chapter notebook exercise score max_score status message seconds".split()
    )
    assert [row["status"] for row in rows] == ["correct"] * 2 + ["not attempted", "correct"]
    assert [p.name for p in tmp_path.iterdir() if "out" in p.name] == ["out.json"]
    assert run([course.mine], True, None, checks="toychecks") == 0
    assert run([course.mine], True, None, checks="nochecks") == 2
    assert "nochecks" in capsys.readouterr().err
