"""Grade submissions one after another; whatever one of them is, the next is graded too."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from mechcourse.grading.masking import MaskingError
from mechcourse.grading.notebooks import (
    CourseProblem,
    Released,
    Script,
    Unreadable,
    make_script,
    read_cells,
)
from mechcourse.grading.process import Limits, Worker, WorkerProblem
from mechcourse.grading.results import Graded, Outcome, Row, table, write_json
from mechcourse.grading.submissions import InputProblem, Submission, find_submissions

CHECKS = "mechcourse.checks"
NO_SANDBOX = (
    "Not graded: this version has no sandbox to run other people's code in. "
    "For your own work add --trust: it runs the notebooks' code with all your rights."
)


def grade_paths(
    paths: list[Path],
    trust: bool,
    json_file: Path | None,
    *,
    checks: str = CHECKS,
    limits: Limits | None = None,
) -> int:
    """See `mechcourse.grading.grade_paths`.

    Args:
        checks: the package that holds each chapter's checks.
    """
    if not trust:
        print(NO_SANDBOX, file=sys.stderr)
        return 2
    submissions, problems = _find_all(paths)
    rows: list[Row] = []
    threads = torch.get_num_threads()
    # The checks' inputs are small: more threads would only wait for each other.
    torch.set_num_threads(1)
    try:
        for item in grade(submissions, checks=checks, limits=limits):
            if isinstance(item, Graded):
                rows += item.rows
                print(table(item.rows), flush=True)
                problems += _record(item)
            else:
                problems.append(str(item))
    except WorkerProblem as problem:
        problems.append(str(problem))
    finally:
        torch.set_num_threads(threads)
    if json_file:
        try:
            write_json(rows, json_file)
        except OSError as error:
            problems.append(f"{json_file} can't be written: {error.strerror}")
    for problem in problems:
        print(f"mechcourse grade: {problem}", file=sys.stderr)
    return 2 if problems else 0


def grade(
    submissions: list[Submission],
    *,
    checks: str = CHECKS,
    limits: Limits | None = None,
    seed: int = 0,
) -> Iterator[Graded | CourseProblem]:
    """Grade submissions, each as soon as the caller asks for the next.

    Args:
        checks: the package that holds each chapter's checks.
        seed: of the checks' inputs.

    Raises:
        WorkerProblem: no worker starts on this machine.
    """
    waiting: list[_Prepared] = []
    rest = list(submissions)
    try:
        while rest or waiting:
            while rest and len(waiting) < 2:  # the next worker loads PyTorch while one is busy
                waiting.append(_prepare(rest.pop(0)))
            prepared = waiting[0]
            try:
                yield prepared.graded(checks, limits or Limits(), seed)
            except CourseProblem as problem:
                yield problem
            prepared.close()
            waiting.pop(0)
    finally:
        for prepared in waiting:
            prepared.close()


@dataclass
class _Prepared:
    """A submission as far as it can be taken without PyTorch: read, and its worker starting."""

    submission: Submission
    problem: CourseProblem | None = None
    released: Released | None = None
    unread: str = ""
    script: Script | None = None
    worker: Worker | None = None

    def graded(self, checks: str, limits: Limits, seed: int) -> Graded:
        if self.problem:
            raise self.problem
        if self.worker is None:
            reason = f"{self.submission.path.name} could not be graded: {self.unread}."
            parts = [cell for parts in self.released.checks.values() for cell in parts]
            outcomes = {cell.name: Outcome(0.0, "error", reason) for cell in parts}
            return Graded(self.submission, self.released, outcomes, None)
        from mechcourse.grading.running import Run

        module = self.submission.notebook.lstrip("0123456789_")
        with Run(self.script, self.released.teaches, self.worker, limits) as run:
            outcomes = run.judge(f"{checks}.{self.submission.chapter}.{module}", seed)
        return Graded(self.submission, self.released, outcomes, self.script)

    def close(self) -> None:
        if self.worker:
            self.worker.close()


def _prepare(submission: Submission) -> _Prepared:
    prepared = _Prepared(submission)
    try:
        prepared.released = submission.course.released(submission.chapter, submission.notebook)
        prepared.script = make_script(prepared.released, read_cells(submission.checked_path))
        prepared.worker = Worker(prepared.released.teaches)
    except Unreadable as error:
        prepared.unread = str(error)
    except CourseProblem as problem:
        prepared.problem = problem
    except MaskingError as error:
        name = f"{submission.chapter}/{submission.notebook}"
        prepared.problem = CourseProblem(f"{name}, in its list of what it teaches: {error}")
    return prepared


def _record(graded: Graded) -> list[str]:
    """Write a submission's scores into the gradebook; returns what went wrong."""
    if not graded.submission.for_gradebook:
        return []
    from mechcourse.grading.gradebook import GradebookProblem, record

    try:
        record(graded)
    except GradebookProblem as problem:
        return [str(problem)]
    return []


def _find_all(paths: list[Path]) -> tuple[list[Submission], list[str]]:
    """Each submission once, in the order given, and what could not be found."""
    found: dict[Path, Submission] = {}
    problems = []
    for path in paths:
        try:
            for item in find_submissions(path):
                if isinstance(item, Submission):
                    found.setdefault(item.path, item)
                else:
                    problems.append(str(item))
        except (InputProblem, OSError) as problem:
            problems.append(str(problem))
    return list(found.values()), problems
