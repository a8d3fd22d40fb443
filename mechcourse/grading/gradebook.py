"""Write scores where nbgrader's Formgrader, feedback and exports find them.

The only module that imports nbgrader. It makes the notebook that `nbgrader autograde` would have
made, with our findings as the check cells' outputs, and lets nbgrader's own steps read the scores
from that. So a grader's manual scores, comments and extra credit stay as nbgrader keeps them.
"""

import html
import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters.exporter import ResourcesDict
from nbformat.notebooknode import NotebookNode
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.preprocessors import (
    AssignLatePenalties,
    ClearSolutions,
    ComputeChecksums,
    LockCells,
    NbGraderPreprocessor,
    SaveAutoGrades,
    SaveCells,
)
from nbgrader.utils import parse_utc
from sqlalchemy.exc import SAWarning, SQLAlchemyError
from traitlets.config import Config, PyFileConfigLoader

from mechcourse.grading.notebooks import Script
from mechcourse.grading.results import Graded, Outcome
from mechcourse.grading.submissions import CONFIG, Course, Submission

TIMESTAMP = "timestamp.txt"


class GradebookProblem(Exception):
    """The gradebook can't take these scores; the text says why, and what to do."""


def record(graded: Graded) -> None:
    """Put one notebook's scores into the gradebook, and write the notebook that Formgrader shows.

    Raises:
        GradebookProblem: the database refused; the notebook's rows are right all the same.
    """
    submission = graded.submission
    course, chapter = submission.course, submission.chapter
    stamp = _timestamp(submission)
    when = {"timestamp": stamp} if stamp else {}
    try:
        register(course, chapter)
        with warnings.catch_warnings(), Gradebook(course.database, course.course_id) as gradebook:
            warnings.simplefilter("ignore", SAWarning)  # of nbgrader's way with new submissions
            gradebook.update_or_create_student(submission.learner)
            gradebook.update_or_create_submission(chapter, submission.learner, **when)
        content = autograded_notebook(graded)
        _run((SaveAutoGrades, AssignLatePenalties), content, course, submission=submission)
        _write(content, submission)
    except (SQLAlchemyError, MissingEntry, RuntimeError, OSError) as error:
        remedy = "Mend that and grade again."
        if isinstance(error, MissingEntry | RuntimeError):
            remedy = (
                "nbgrader takes no exercises added or removed after submissions were graded: "
                "move gradebook.db away and grade again."
            )
        raise GradebookProblem(
            f"{submission.learner}, {chapter}/{submission.notebook}: not in the gradebook "
            f"({error}). {remedy}"
        ) from error


@lru_cache
def register(course: Course, chapter: str) -> None:
    """See that the gradebook has a chapter's notebooks with the cells that they have now.

    The source is `solutions/`, or the release where that is all there is. Both give the same cells.
    """
    with _programs_on_path(), Gradebook(course.database, course.course_id) as gradebook:
        gradebook.update_or_create_assignment(chapter)
    for notebook in course.notebooks[chapter]:
        file = Path(chapter) / f"{notebook}.ipynb"
        source = course.root / course.source_directory / file
        released = course.root / course.release_directory / file
        steps = (LockCells, ComputeChecksums, SaveCells)
        if source.is_file():
            steps = (LockCells, ClearSolutions, ComputeChecksums, SaveCells)
        content = nbformat.read(source if source.is_file() else released, as_version=4)
        _run(steps, content, course, chapter=chapter, notebook=notebook)


def autograded_notebook(graded: Graded) -> NotebookNode:
    """The released notebook with the learner's code in it, and what the checks said as outputs.

    Nothing of the learner's can do anything in a page made of it: their outputs, metadata and
    added prose are left out, and prose that is to be graded is escaped.
    """
    submission, script = graded.submission, graded.script or Script([])
    course = submission.course
    path = course.root / course.release_directory / submission.chapter / submission.path.name
    content = nbformat.read(path, as_version=4)
    _run((ComputeChecksums,), content, course, submission=submission)
    answers = {cell.name: cell.source for cell in script.cells if cell.kind == "answer"}
    added = _added_cells(script)
    cells = added.pop("", [])
    for cell in content.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id") or cell.get("id", "")
        if name in answers:
            cell.source = answers[name]
        elif name in script.written:
            cell.source = (
                _inert(script.written[name])
                if cell.cell_type == "markdown"
                else (script.written[name])
            )
        if cell.cell_type == "code":
            outcome = graded.outcomes.get(name)
            cell.outputs = [_output(outcome)] if outcome else []
            cell.execution_count = None
        cells += [cell, *added.get(name, [])]
    content.cells = cells
    return content


def _added_cells(script: Script) -> dict[str, list[NotebookNode]]:
    """The learner's own cells by the name of the cell they are to be shown after."""
    found: dict[str, list[NotebookNode]] = {}
    place = ""
    for cell in script.cells:
        if cell.kind == "added":
            shown = nbformat.v4.new_code_cell(cell.source, id=cell.name.replace(" ", "-"))
            found.setdefault(place, []).append(shown)
        else:
            place = cell.name
    return found


def _output(outcome: Outcome) -> NotebookNode:
    if outcome.status == "correct":
        return nbformat.v4.new_output("stream", name="stdout", text=outcome.message + "\n")
    return nbformat.v4.new_output(
        "error", ename=outcome.status, evalue=outcome.message, traceback=[outcome.message]
    )


def _inert(markdown: str) -> str:
    """Prose in which HTML is text and no link runs a script."""
    escaped = html.escape(markdown, quote=False)
    return re.sub(r"(?i)(javascript|vbscript|data)\s*:", r"\1 ", escaped)


def _write(content: NotebookNode, submission: Submission) -> None:
    course = submission.course
    folder = course.root / course.autograded_directory / submission.learner / submission.chapter
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / submission.path.name
    partial = folder / f".{target.name}.part"
    partial.write_text(nbformat.writes(content), encoding="utf-8")
    partial.replace(target)
    stamp = _timestamp(submission)
    if stamp:
        (folder / TIMESTAMP).write_text(f"{stamp.isoformat()} UTC", encoding="utf-8")


@contextmanager
def _programs_on_path() -> Iterator[None]:
    """Let nbgrader find alembic, which stamps a new database, beside this Python."""
    before = os.environ.get("PATH", os.defpath)
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), before])
    try:
        yield
    finally:
        os.environ["PATH"] = before


def _timestamp(submission: Submission) -> Any:
    """When the chapter was handed in, as nbgrader noted beside it; None where that is unknown."""
    file = submission.path.parent / TIMESTAMP
    try:
        if file.is_symlink() or submission.path.parent.is_symlink():
            return None
        return parse_utc(file.read_text(encoding="utf-8")[:100].strip())
    except (OSError, ValueError, OverflowError):
        return None


def _run(
    steps: tuple[type[NbGraderPreprocessor], ...],
    content: NotebookNode,
    course: Course,
    *,
    submission: Submission | None = None,
    chapter: str = "",
    notebook: str = "",
) -> None:
    """Run nbgrader's own steps over a notebook, under the course's configuration."""
    about = {
        "assignment": submission.chapter if submission else chapter,
        "notebook": submission.notebook if submission else notebook,
        "student": submission.learner if submission else ".",
        "db_url": course.database,
    }
    resources = ResourcesDict(nbgrader=about)
    config = _configuration(course.root)
    for step in steps:
        step(config=config).preprocess(content, resources)


@lru_cache
def _configuration(root: Path) -> Config:
    return PyFileConfigLoader(str(root / CONFIG)).load_config()
