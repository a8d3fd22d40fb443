"""The learner's record: written beside their work and nowhere else, and read back as progress."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mechcourse import progress
from mechcourse.checks import CheckResult

WRONG = CheckResult("add", "wrong", misconception="It subtracts.", got="-1")
RIGHT = CheckResult("add", "correct")
UNTOUCHED = CheckResult("add", "not attempted")


@pytest.fixture
def chapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A chapter folder inside a learner's work, made the working directory."""
    (tmp_path / progress.RECORD_FOLDER).mkdir()
    folder = tmp_path / "ch01_attention"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_the_record_lies_beside_the_work(chapter: Path) -> None:
    progress.record_check(WRONG)
    lines = (chapter.parent / ".mechcourse" / "checks.jsonl").read_text().splitlines()
    entry = json.loads(lines[0])
    assert (entry["chapter"], entry["exercise"], entry["status"]) == (
        "ch01_attention",
        "add",
        "wrong",
    )
    assert entry["time"].endswith("+00:00")


def test_progress_counts_attempts_until_solved(chapter: Path) -> None:
    for result in (UNTOUCHED, WRONG, WRONG, RIGHT, WRONG):
        progress.record_check(result)
    state = progress.exercise_progress()["ch01_attention", "add"]
    assert state == progress.ExerciseProgress(solved=True, attempts=3, last_message="")


def test_an_untouched_starter_is_no_attempt(chapter: Path) -> None:
    progress.record_check(UNTOUCHED)
    assert progress.exercise_progress() == {}


def test_an_unsolved_exercise_says_what_came_last(chapter: Path) -> None:
    progress.record_check(WRONG)
    state = progress.exercise_progress()["ch01_attention", "add"]
    assert state == progress.ExerciseProgress(solved=False, attempts=1, last_message="-1")


def test_nothing_is_written_outside_a_learners_work(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    progress.record_check(RIGHT)
    assert list(tmp_path.iterdir()) == []
    assert progress.exercise_progress() == {}


def test_nothing_is_written_while_nbgrader_grades(chapter: Path, monkeypatch) -> None:
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    progress.record_check(RIGHT)
    assert progress.entries("checks") == []


def test_lines_that_a_killed_kernel_left_are_skipped(chapter: Path) -> None:
    progress.record_check(RIGHT)
    with (chapter.parent / ".mechcourse" / "checks.jsonl").open("a") as file:
        file.write('{"exercise": "add", "sta\n[1, 2]\n')
    assert len(progress.entries("checks")) == 1


def test_a_record_that_cannot_be_written_is_let_go(chapter: Path) -> None:
    (chapter.parent / ".mechcourse" / "checks.jsonl").mkdir()  # opening it fails, as root too
    progress.record_check(RIGHT)


def test_an_exercise_in_parts_is_solved_when_all_its_parts_are(chapter: Path) -> None:
    for part, result in (("a", RIGHT), ("b", WRONG), ("a", RIGHT)):
        progress.record_check(replace(result, part=part, parts=2))
    assert not progress.exercise_progress()["ch01_attention", "add"].solved
    progress.record_check(replace(RIGHT, part="b", parts=2))
    assert progress.exercise_progress()["ch01_attention", "add"].solved


def test_a_torn_line_and_bad_bytes_cost_only_themselves(chapter: Path) -> None:
    progress.record_check(WRONG)
    with (chapter.parent / ".mechcourse" / "checks.jsonl").open("ab") as file:
        file.write(b'\xff\xfe\n{"chapter": "ch01_att')
    progress.record_check(RIGHT)
    assert progress.exercise_progress()["ch01_attention", "add"].solved
