"""What grading found: of a check cell, of an exercise, of a notebook; as JSON and as text."""

import json
import os
import shutil
import textwrap
from dataclasses import asdict, dataclass
from pathlib import Path

from mechcourse.grading.notebooks import Cell, Released, Script
from mechcourse.grading.submissions import Submission

_MARKS = {"correct": "+", "partly correct": "~", "not attempted": "."}


@dataclass(frozen=True)
class Outcome:
    """What one check cell was given, and why. An exercise's row is made of these."""

    points: float
    status: str
    message: str
    seconds: float = 0.0


@dataclass(frozen=True)
class Row:
    """What one exercise of one learner's was given, and why.

    Attributes:
        seconds: wall-clock time of its checks.
    """

    learner: str
    chapter: str
    notebook: str
    exercise: str
    score: float
    max_score: float
    status: str
    message: str
    seconds: float


@dataclass(frozen=True)
class Graded:
    """One notebook's grades.

    Attributes:
        outcomes: by check cell.
        script: the learner's cells as they were run; None where the file could not be read.
    """

    submission: Submission
    released: Released
    outcomes: dict[str, Outcome]
    script: Script | None

    @property
    def rows(self) -> list[Row]:
        """A row for each exercise, in the notebook's order."""
        return [self._row(name, parts) for name, parts in self.released.checks.items()]

    def _row(self, exercise: str, parts: list[Cell]) -> Row:
        outcomes = [self.outcomes[cell.name] for cell in parts]
        failed = [outcome for outcome in outcomes if outcome.status != "correct"]
        status = failed[0].status if failed else "correct"
        if 0 < len(failed) < len(outcomes):
            status = "partly correct"
        messages = dict.fromkeys(outcome.message for outcome in failed or outcomes[:1])
        return Row(
            learner=self.submission.learner,
            chapter=self.submission.chapter,
            notebook=self.submission.notebook,
            exercise=exercise,
            score=sum(outcome.points for outcome in outcomes),
            max_score=sum(cell.points for cell in parts),
            status=status,
            message=" ".join(messages),
            seconds=round(sum(outcome.seconds for outcome in outcomes), 3),
        )


def write_json(rows: list[Row], file: Path) -> None:
    """Write the rows to a file, which holds either all of them or what it held before.

    Raises:
        OSError: it can't be written.
    """
    partial = file.with_name(f".{file.name}.{os.getpid()}.part")
    text = json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=True)
    try:
        partial.write_text(text + "\n", encoding="utf-8")
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def table(rows: list[Row]) -> str:
    """One notebook's rows: its total, then a line for each exercise, and why points are missing."""
    if not rows:
        return ""
    width = max(60, min(shutil.get_terminal_size((100, 20)).columns, 120))
    indent = " " * 6
    names = max(len(row.exercise) for row in rows)
    first = rows[0]
    got, most = sum(row.score for row in rows), sum(row.max_score for row in rows)
    lines = [f"{first.learner}: {first.chapter}/{first.notebook}, {got:g} of {most:g} points"]
    for row in rows:
        score = f"{row.score:g}/{row.max_score:g}"
        mark = _MARKS.get(row.status, "-")
        lines.append(f"  {mark} {row.exercise:<{names}}  {score:>7}  {row.status}")
        if row.status not in ("correct", "not attempted"):
            lines += textwrap.wrap(
                row.message, width, initial_indent=indent, subsequent_indent=indent
            )
    return "\n".join(lines)
