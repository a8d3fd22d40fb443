"""The real notebooks: solutions get full marks, starters none, and stock nbgrader agrees."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mechcourse.grading.grade import grade
from mechcourse.grading.gradebook import record
from mechcourse.grading.results import Row
from mechcourse.grading.submissions import Submission, find_submissions

REPOSITORY = Path(__file__).resolve().parents[2]
CHAPTERS = sorted({path.parent.name for path in (REPOSITORY / "course").glob("ch*/*.ipynb")})
pytestmark = [pytest.mark.grading, pytest.mark.filterwarnings("ignore")]  # nbgrader's own


def rows(path: Path) -> list[Row]:
    found = list(find_submissions(path))
    assert all(isinstance(item, Submission) for item in found)
    graded = list(grade(found))
    for item in graded:
        if item.submission.for_gradebook:
            record(item)
    return [row for item in graded for row in item.rows]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_solutions_are_right_and_starters_not_attempted(chapter: str) -> None:
    for row in rows(REPOSITORY / "solutions" / chapter):
        assert (row.status, row.score) == ("correct", row.max_score), row
    for row in rows(REPOSITORY / "course" / chapter):
        assert (row.status, row.score) == ("not attempted", 0), row


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_stock_autograde_agrees(chapter: str, tmp_path: Path) -> None:
    from nbgrader.api import Gradebook

    for name in ("course", "solutions", "nbgrader_config.py"):
        copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy
        copy(REPOSITORY / name, tmp_path / name)
    submitted = tmp_path / "submitted"
    for learner, source in (("solved", "solutions"), ("empty", "course"), ("half", "course")):
        shutil.copytree(tmp_path / source / chapter, submitted / learner / chapter)
    for path in submitted.glob("*/*/*.ipynb"):
        _remove_demos(path)
    for path in (submitted / "half" / chapter).glob("*.ipynb"):
        _answer_every_other(path, submitted / "solved" / chapter / path.name)
    ours: dict[str, float] = {}
    for row in rows(submitted):
        ours[row.learner] = ours.get(row.learner, 0) + row.score
    assert ours["solved"] > ours["half"] > ours["empty"] == 0
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-m", "nbgrader", "autograde", chapter, "--force"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | {"PATH": programs, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with Gradebook(f"sqlite:///{tmp_path}/gradebook.db", "mechcourse") as gradebook:
        stock = {s.student.id: s.score for s in gradebook.assignment_submissions(chapter)}
    assert stock == ours


def _remove_demos(path: Path) -> None:
    """Leave the plots and training out: nbgrader would run them, and no exercise needs them."""
    content = json.loads(path.read_text(encoding="utf-8"))
    content["cells"] = [
        cell for cell in content["cells"] if "demo" not in cell["metadata"].get("tags", ())
    ]
    path.write_text(json.dumps(content), encoding="utf-8")


def _answer_every_other(starter: Path, solved: Path) -> None:
    """Put every other answer of a solved notebook into a starter."""
    content, right = (json.loads(path.read_text(encoding="utf-8")) for path in (starter, solved))
    answers = [
        number
        for number, cell in enumerate(content["cells"])
        if cell["metadata"].get("nbgrader", {}).get("solution")
    ]
    for number in answers[::2]:
        content["cells"][number]["source"] = right["cells"][number]["source"]
    starter.write_text(json.dumps(content), encoding="utf-8")
