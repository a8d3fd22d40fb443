"""Scores in nbgrader's gradebook equal ours, and what stock `nbgrader autograde` gives."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.grading, pytest.mark.filterwarnings("ignore")]  # nbgrader's own
PROGRAMS = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
CHAPTER, NOTEBOOK = "ch09_toy", "1_sums"


def submit(course: Any, learner: str, answers: dict[str, str], change: Any = None) -> Path:
    content = course.notebook(answers)
    if change:
        change(content["cells"])
    path = course.root / "submitted" / learner / CHAPTER / f"{NOTEBOOK}.ipynb"
    return course.write(content, path)


def grade(course: Any, *paths: Path) -> dict[str, float]:
    """Grade into the gradebook; returns each learner's total by our rows."""
    from mechcourse.grading.gradebook import record

    totals = {}
    for graded in course.graded(*paths):
        record(graded)
        totals[graded.submission.learner] = sum(row.score for row in graded.rows)
    return totals


def in_gradebook(course: Any) -> dict[str, float]:
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course.root}/gradebook.db", "toy") as gradebook:
        return {s.student.id: s.score for s in gradebook.assignment_submissions(CHAPTER)}


def nbgrader(course: Any, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=course.root,
        capture_output=True,
        text=True,
        env=os.environ | PROGRAMS | {"PYTHONPATH": str(course.checks), "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_scores_and_what_a_grader_adds(course: Any) -> None:
    from nbgrader.api import Gradebook

    submit(course, "solved", course.answers)
    submit(course, "half", course.answers | course.starters("total", "logits"))
    broken = submit(course, "broken", course.answers)
    broken.write_text("{")
    submitted = course.root / "submitted"
    assert grade(course, submitted) == in_gradebook(course)
    assert in_gradebook(course) == {"solved": 9, "half": 3, "broken": 0}

    where = (NOTEBOOK, CHAPTER, "half")
    with Gradebook(f"sqlite:///{course.root}/gradebook.db", "toy") as gradebook:
        gradebook.find_grade("check_total", *where).manual_score = 0.5
        gradebook.find_grade("check_double", *where).extra_credit = 4
        gradebook.find_comment("total", *where).manual_comment = "Nearly."
        gradebook.db.commit()
    submit(course, "half", course.answers | course.starters("total"))
    assert grade(course, submitted)["half"] == 6
    with Gradebook(f"sqlite:///{course.root}/gradebook.db", "toy") as gradebook:
        grade_ = gradebook.find_grade("check_total", *where)
        assert (grade_.manual_score, grade_.auto_score, grade_.score) == (0.5, 0, 0.5)
        assert grade_.needs_manual_grade
        assert gradebook.find_comment("total", *where).comment == "Nearly."
        assert gradebook.find_comment("shout", *where).comment is None
        assert gradebook.find_submission(CHAPTER, "half").score == 6 + 0.5 + 4


def test_the_autograded_notebook_is_harmless_and_makes_feedback(course: Any) -> None:
    evil = "<script>alert(1)</script>"

    def plant(cells: list[dict[str, Any]]) -> None:
        for cell in cells:
            cell["metadata"]["evil"] = evil
            if cell["cell_type"] == "code":
                html = {"text/html": evil, "application/javascript": "alert(1)"}
                cell["outputs"] = [{"output_type": "display_data", "data": html, "metadata": {}}]
            else:
                cell["source"] = evil
        cells.insert(2, course.added("helper = 1"))
        cells.append({"cell_type": "markdown", "id": "e", "metadata": {}, "source": evil})

    loud = f"def shout(text, times=1):\n    print('{evil}')\n    raise ValueError('{evil}')"
    submit(course, "eve", course.answers | {"shout": loud}, plant)
    grade(course, course.root / "submitted" / "eve")
    made = course.root / "autograded" / "eve" / CHAPTER / f"{NOTEBOOK}.ipynb"
    text = made.read_text()
    assert "text/html" not in text and "javascript" not in text and '"evil"' not in text
    assert "helper = 1" in text and "every number is doubled" in text
    nbgrader(course, "generate_feedback", CHAPTER, "--student=eve")
    page = (course.root / "feedback" / "eve" / CHAPTER / f"{NOTEBOOK}.html").read_text()
    assert "alert(1)" in page and evil not in page
    assert "8.0" in page or "8/9" in page


def test_stock_autograde_gives_the_same(course: Any) -> None:
    submit(course, "solved", course.answers)
    submit(course, "empty", course.starters())
    submit(course, "half", course.answers | course.starters("double", "shout"))
    ours = grade(course, course.root / "submitted")
    assert ours == in_gradebook(course) == {"solved": 9, "empty": 0, "half": 5}
    nbgrader(course, "autograde", CHAPTER, "--force")  # over what we registered and wrote
    assert in_gradebook(course) == ours
    assert grade(course, course.root / "submitted") == in_gradebook(course) == ours
    (course.root / "gradebook.db").unlink()
    nbgrader(course, "generate_assignment", CHAPTER, "--force")  # nbgrader alone
    assert grade(course, course.root / "submitted") == in_gradebook(course) == ours


def test_without_solutions_the_release_is_registered(course: Any) -> None:
    shutil.rmtree(course.root / "solutions")
    submit(course, "solved", course.answers)
    assert grade(course, course.root / "submitted") == in_gradebook(course) == {"solved": 9}


def test_nbgrader_is_imported_for_submitted_only() -> None:
    code = (
        "import sys\nfrom mechcourse.grading import grade, running\n"
        "print([m for m in ('nbgrader', 'plotly', 'ipywidgets', 'nbformat') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
