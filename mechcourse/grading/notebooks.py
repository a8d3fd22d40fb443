"""Read notebooks: the released one, which is trusted, and a learner's, whatever its state.

The released notebook says which cells there are, in which order, and what they are worth. From the
learner's come the answers and the cells that they added; whatever else was changed there (set-up,
checks, points, order) has no effect.
"""

import json
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

MAX_BYTES = 50 * 2**20
Kind = Literal["setup", "answer", "check", "written", "added", "other"]


class Unreadable(Exception):
    """A file that holds no notebook; the text says why, and what to do."""


class CourseProblem(Exception):
    """The released notebook is not as it should be: nothing that a learner did."""


@dataclass(frozen=True)
class Cell:
    """A cell as grading sees it.

    Attributes:
        kind: `written` cells hold an answer that a person grades; like `other` cells (prose,
            plots, training) they are not run.
        name: its `grade_id` or cell id; for an added cell a made-up one.
        points: of a check cell.
    """

    kind: Kind
    name: str
    source: str
    points: float = 0.0

    @property
    def exercise(self) -> str:
        """The exercise that a check cell belongs to: `check_x` and `check_x__part` belong to x."""
        return self.name.removeprefix("check_").partition("__")[0]


@dataclass(frozen=True)
class Released:
    """A released notebook: its cells in order, and the library names that it teaches."""

    cells: tuple[Cell, ...]
    teaches: tuple[str, ...]

    @property
    def checks(self) -> dict[str, list[Cell]]:
        """The check cells of each exercise, in order."""
        found: dict[str, list[Cell]] = {}
        for cell in self.cells:
            if cell.kind == "check":
                found.setdefault(cell.exercise, []).append(cell)
        return found


@dataclass
class Script:
    """What is to be run of a learner's notebook.

    Attributes:
        cells: set-up cells, answers, added cells and checks, in order.
        notes: by exercise, what a learner should know about how their cells were read.
        missing: exercises whose answer cell is not there.
        written: by cell, what the learner wrote for a person to grade, where they changed it.
    """

    cells: list[Cell]
    notes: dict[str, str] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    written: dict[str, str] = field(default_factory=dict)


def read_cells(path: Path) -> list[dict[str, Any]]:
    """The cells of a notebook file; those that are no cells are left out.

    Raises:
        Unreadable: the file is anything but a notebook of format 4.
    """
    return [cell for cell in _read(path)["cells"] if isinstance(cell, dict)]


def read_released(path: Path) -> Released:
    """A released notebook.

    Raises:
        CourseProblem: it can't be read, or an exercise's cells don't belong together.
    """
    try:
        content = _read(path)
    except Unreadable as error:
        raise CourseProblem(f"{path}: {error}") from error
    metadata = content.get("metadata", {})
    cells = tuple(_released_cell(cell) for cell in content["cells"])
    for cell in cells:
        if cell.kind == "check" and not cell.name.startswith("check_"):
            raise CourseProblem(f"{path}: the check cell {cell.name} is not called check_…")
    return Released(cells, tuple(metadata.get("mechcourse", {}).get("teaches", ())))


def make_script(released: Released, cells: list[dict[str, Any]]) -> Script:
    """Put the learner's answers and added cells into the released notebook's order.

    An added cell runs after the released cell that it follows in the learner's notebook. Of
    several cells with one answer's id, the last that differs from the starter counts.
    """
    script = Script([])
    known = {cell.name: cell for cell in released.cells}
    by_source = {cell.source: cell.name for cell in released.cells if cell.kind != "answer"}
    answers: dict[str, list[str]] = {}
    added: dict[str, list[Cell]] = {}
    place, count = "", 0
    for cell in cells:
        source = _source(cell)
        name = next((n for n in _names(cell) if n in known), by_source.get(source))
        if name is not None:
            place = name
            if known[name].kind == "answer":
                answers.setdefault(name, []).append(source)
            elif known[name].kind == "written" and source.strip() != known[name].source.strip():
                script.written[name] = source
        elif cell.get("cell_type") == "code" and source.strip():
            count += 1
            added.setdefault(place, []).append(Cell("added", f"added cell {count}", source))
    script.cells += added.get("", [])
    for cell in released.cells:
        if cell.kind == "answer":
            if cell.name not in answers:
                script.missing.add(cell.name)
            elif len(answers[cell.name]) > 1:
                script.notes[cell.name] = (
                    f"The notebook has {len(answers[cell.name])} cells called {cell.name}; the "
                    "last one that differs from the starter was graded."
                )
            changed = [s for s in answers.get(cell.name, []) if s.strip() != cell.source.strip()]
            source = changed[-1] if changed else cell.source if cell.name in answers else ""
            script.cells.append(Cell("answer", cell.name, source))
        elif cell.kind in ("setup", "check"):
            script.cells.append(cell)
        script.cells += added.get(cell.name, [])
    return script


def _read(path: Path) -> dict[str, Any]:
    try:
        info = os.lstat(path)
        if stat.S_ISLNK(info.st_mode):
            raise Unreadable("it is a symbolic link; put the notebook itself there")
        if not stat.S_ISREG(info.st_mode):
            raise Unreadable("it is not a file; put the notebook there")
        if info.st_size > MAX_BYTES:
            raise Unreadable(
                f"it has {info.st_size / 2**20:.0f} MB, more than {MAX_BYTES // 2**20}: "
                "clear its outputs and save it again"
            )
        content = json.loads(path.read_bytes().decode("utf-8-sig"))  # with a mark or without
    except FileNotFoundError:
        raise Unreadable(f"there is no {path.name} in {path.parent.name}") from None
    except OSError as error:
        raise Unreadable(f"it can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Unreadable("it is not UTF-8 text, so no notebook: save it from Jupyter") from error
    except (ValueError, RecursionError) as error:
        raise Unreadable("it is not JSON, perhaps cut off: save it again from Jupyter") from error
    if not isinstance(content, dict) or not isinstance(content.get("nbformat"), int):
        raise Unreadable("it is JSON, but no notebook: save it from Jupyter")
    if content["nbformat"] != 4:
        raise Unreadable(
            f"it has notebook format {content['nbformat']}, not 4: open and save it in JupyterLab"
        )
    if not isinstance(content.get("cells"), list):
        raise Unreadable("it is a notebook without cells")
    return content


def _released_cell(cell: dict[str, Any]) -> Cell:
    metadata = cell["metadata"]
    grading = metadata.get("nbgrader", {})
    grade, solution = grading.get("grade"), grading.get("solution")
    name = grading.get("grade_id") or cell.get("id", "")
    kind: Kind = "other"
    if solution and (grade or cell["cell_type"] != "code"):
        kind = "written"
    elif cell["cell_type"] == "code":
        if solution:
            kind = "answer"
        elif grade:
            kind = "check"
        elif "setup" in metadata.get("tags", ()):
            kind = "setup"
    points = float(grading.get("points", 0)) if kind == "check" else 0.0
    return Cell(kind, name, _source(cell), points)


def _names(cell: dict[str, Any]) -> list[str]:
    """What a learner's cell may be known by: its `grade_id`, or its id if the metadata is lost."""
    metadata = cell.get("metadata")
    grading = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    names = [grading.get("grade_id") if isinstance(grading, dict) else None, cell.get("id")]
    return [name for name in names if isinstance(name, str)]


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    return source if isinstance(source, str) else ""
