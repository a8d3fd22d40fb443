"""The learner's record: what each check said, what was predicted, kept beside their work.

`make lab` puts a folder `.mechcourse` into `work/`; the records are JSON lines in it, one appended
for each check or prediction, so that a kernel that dies loses nothing. Outside such a folder, and
while nbgrader executes a notebook, nothing is written.
"""

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # `checks` records here, so this module may not import it
    from mechcourse.checks import CheckResult

RECORD_FOLDER = ".mechcourse"


def being_graded() -> bool:
    """Whether nbgrader runs this notebook: it sets NBGRADER_EXECUTION for the kernel."""
    return bool(os.environ.get("NBGRADER_EXECUTION"))


def record_folder(start: Path | None = None) -> Path | None:
    """The nearest record folder at or above a place, by default the working directory's."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / RECORD_FOLDER).is_dir():
            return folder / RECORD_FOLDER
    return None


def append(kind: str, entry: dict[str, Any]) -> None:
    """Add one entry, stamped with the time, to `KIND.jsonl`; without a folder do nothing.

    A disk that is full or read-only must not turn a right answer into an error, so what can't be
    written is let go.
    """
    folder = None if being_graded() else record_folder()
    if folder is None:
        return
    stamped = {"time": datetime.now(UTC).isoformat(timespec="seconds")} | entry
    try:
        with (folder / f"{kind}.jsonl").open("ab+") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 1))
            torn = file.read() not in (b"", b"\n")  # a killed kernel was writing the last line
            file.write(b"\n" * torn + json.dumps(stamped).encode() + b"\n")
    except OSError:
        return


def entries(kind: str, start: Path | None = None) -> list[dict[str, Any]]:
    """Everything recorded of a kind, oldest first; lines that can't be read are left out."""
    folder = record_folder(start)
    if folder is None or not (folder / f"{kind}.jsonl").exists():
        return []
    found = []
    for line in (
        (folder / f"{kind}.jsonl").read_text(encoding="utf-8", errors="replace").splitlines()
    ):
        try:
            entry = json.loads(line)
        except ValueError:  # the line a killed kernel was writing
            continue
        if isinstance(entry, dict):
            found.append(entry)
    return found


# What the checks of this kernel found last: exercise and part, and whether it was right.
_found_here: dict[tuple[str, str], bool] = {}


def record_check(result: "CheckResult") -> None:
    """Record what a check found, under the chapter folder that the notebook runs in."""
    _found_here[result.exercise, result.part] = result.status == "correct"
    append("checks", {"chapter": Path.cwd().name, **asdict(result)})


def refused_here(exercise: str) -> bool:
    """Whether a check of the exercise, run in this kernel, did not pass when it was last run."""
    return any(name == exercise and not right for (name, _), right in _found_here.items())


@dataclass(frozen=True)
class ExerciseProgress:
    """How far an exercise has come: its best outcome, and the attempts until then."""

    solved: bool
    attempts: int
    last_message: str


def exercise_progress(start: Path | None = None) -> dict[tuple[str, str], ExerciseProgress]:
    """Progress by (chapter, exercise). Once solved an exercise stays solved.

    An exercise that is checked in parts is solved when each of them has been. An attempt is a check
    of something written: running the check of an untouched starter is none.
    """
    summary: dict[tuple[str, str], ExerciseProgress] = {}
    passed: dict[tuple[str, str], set[str]] = {}
    for entry in entries("checks", start):
        key = (str(entry.get("chapter")), str(entry.get("exercise")))
        before = summary.get(key, ExerciseProgress(False, 0, ""))
        if before.solved or entry.get("status") == "not attempted":
            continue
        correct, parts = entry.get("status") == "correct", entry.get("parts", 1)
        if correct:
            passed.setdefault(key, set()).add(str(entry.get("part", "")))
        solved = correct and len(passed[key]) >= (parts if isinstance(parts, int) else 1)
        message = "" if correct else str(entry.get("got") or entry.get("misconception") or "")
        summary[key] = ExerciseProgress(solved, before.attempts + 1, message)
    return summary
