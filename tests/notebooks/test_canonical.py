"""Source notebooks are in canonical form and built as every notebook of the course is."""

import ast
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nbformat
import pytest

from mechcourse.canonical import canonical_bytes, readable
from tests.scratch import REPOSITORY

SOURCES = sorted((REPOSITORY / "solutions").glob("*/*.ipynb"))
PREDICTIONS, HINTS = 3, 3
SHORT = 60  # lines; longer code belongs into the package
LINE = 100  # characters, as the linter has it

pytestmark = pytest.mark.parametrize(
    "source", SOURCES, ids=lambda path: f"{path.parent.name}/{path.stem}"
)


@dataclass(frozen=True)
class Source:
    """A source notebook, with its cells by what they are for."""

    path: Path

    @cached_property
    def cells(self) -> list[nbformat.NotebookNode]:
        return nbformat.read(self.path, as_version=4).cells

    @cached_property
    def code(self) -> list[nbformat.NotebookNode]:
        return [cell for cell in self.cells if cell.cell_type == "code"]

    @cached_property
    def prose(self) -> str:
        return "\n\n".join(cell.source for cell in self.cells if cell.cell_type == "markdown")

    @cached_property
    def answers(self) -> dict[str, int]:
        """Where each exercise's answer cell is."""
        return {marks(c)["grade_id"]: i for i, c in enumerate(self.cells) if is_answer(c)}

    @property
    def check_module(self) -> str:
        name = re.sub(r"^\d+_", "", self.path.stem)
        return f"mechcourse.checks.{self.path.parent.name}.{name}"


def marks(cell: nbformat.NotebookNode) -> dict:
    return cell.metadata.get("nbgrader", {})


def is_answer(cell: nbformat.NotebookNode) -> bool:
    return bool(marks(cell).get("solution"))


def is_check(cell: nbformat.NotebookNode) -> bool:
    return bool(marks(cell).get("grade"))


@pytest.fixture
def book(source: Path) -> Source:
    return Source(source)


def test_canonical_form(source: Path) -> None:
    content = source.read_bytes()
    assert content == canonical_bytes(content), f"{source.name}: run: make release"


def test_code_is_clean(source: Path) -> None:
    for arguments in (["check", "--quiet"], ["format", "--check", "--quiet"]):
        ruff = [sys.executable, "-m", "ruff", *arguments, str(source)]
        done = subprocess.run(ruff, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"ruff {arguments[0]}:\n{done.stdout}{done.stderr}"


def test_names(book: Source) -> None:
    assert re.fullmatch(r"ch\d\d_[a-z_]+", book.path.parent.name)
    assert re.fullmatch(r"\d_[a-z0-9_]+", book.path.stem)
    ids = [cell.id for cell in book.cells]
    assert len(set(ids)) == len(ids), "two cells have the same id"
    for cell in book.cells:
        assert readable(cell.id.replace("__", "_")), f"{cell.id} says nothing"
        assert cell.id == marks(cell).get("grade_id", cell.id)


def test_every_code_cell_has_one_job(book: Source) -> None:
    """Set-up, demo, answer or check; set-up is locked, and only nbgrader's cells are marked."""
    for cell in book.code:
        tags = set(cell.metadata.get("tags", []))
        jobs = [job for job in ("setup", "demo") if job in tags]
        jobs += ["answer"] * is_answer(cell) + ["check"] * is_check(cell)
        assert len(jobs) == 1, f"{cell.id} is {jobs or 'nothing'}"
        if jobs == ["setup"]:
            assert marks(cell).get("locked") and not is_answer(cell), f"{cell.id} is not locked"
        if jobs == ["demo"]:
            assert not marks(cell), f"{cell.id}: a demo is none of nbgrader's cells"


def test_graded_cells(book: Source) -> None:
    exercises = set(book.answers)
    for cell in filter(is_check, book.code):
        name = marks(cell)["grade_id"]
        exercise = name.removeprefix("check_").partition("__")[0]
        assert name.startswith("check_") and exercise in exercises, f"{name} checks no exercise"
        imported = f"from {book.check_module} import {name}"
        if len(imported) > LINE:  # as ruff wraps it
            imported = f"from {book.check_module} import (\n    {name},\n)"
        assert cell.source == f"{imported}\n\n{name}({exercise})"
        assert marks(cell)["points"] > 0 and marks(cell)["locked"]
        assert not marks(cell)["solution"] and not marks(cell)["task"]


def test_answer_cells(book: Source) -> None:
    for name, index in book.answers.items():
        cell, mark = book.cells[index], marks(book.cells[index])
        assert not (mark["grade"] or mark["locked"] or mark["task"])
        assert cell.source.count("### BEGIN SOLUTION") == 1
        functions = [n for n in ast.parse(cell.source).body if isinstance(n, ast.FunctionDef)]
        asked = [function for function in functions if function.name == name]
        assert asked, f"the answer cell {name} defines no function {name}"
        documented = ast.get_docstring(asked[0]) or ""
        assert ">>> " in documented, f"{name}: its docstring has no worked example"
        assert asked[0].returns is not None, f"{name}: what it returns has no type"


def test_each_answer_is_followed_by_hints_and_its_check(book: Source) -> None:
    for name, index in book.answers.items():
        hints, check = book.cells[index + 1], book.cells[index + 2]
        assert hints.cell_type == "markdown", f"{name}: no hints under it"
        found = len(re.findall(r"<details>", hints.source))
        assert found == hints.source.count("</details>") == HINTS, f"{name}: {found} hints"
        # Without an empty line after it, Markdown inside <details> is shown as it is written.
        assert len(re.findall(r"</summary>\n\n", hints.source)) == HINTS, f"{name}: no empty line"
        assert is_check(check) and check.source.endswith(f"({name})"), f"{name}: no check"


def test_each_exercise_is_introduced(book: Source) -> None:
    """Above the answer: difficulty and importance out of 5, and minutes."""
    rated = r"[Dd]ifficulty [1-5]/5 · importance [1-5]/5 · \d+ minutes"
    for name, index in book.answers.items():
        above = book.cells[index - 1]
        assert above.cell_type == "markdown", f"{name}: nothing says what it is"
        assert re.search(rated, above.source), f"{name}: not rated"


def test_opening(book: Source) -> None:
    """Title, what the learner can do afterwards, what they need, how long it takes, its paper."""
    opening = book.cells[0].source
    assert re.match(r"# \S", opening)
    assert 3 <= len(re.findall(r"^- ", opening, re.MULTILINE)) <= 5, "3 to 5 things one can do"
    assert re.search(r"minutes|hours?", opening)
    assert "**You need**" in opening
    prose = re.sub(r"^```.*?^```", "", book.prose, flags=re.DOTALL | re.MULTILINE)
    assert len(re.findall(r"^# ", prose, re.MULTILINE)) == 1, "one title"


def test_predictions(book: Source) -> None:
    """At least three, each made before the cell that reveals it, and with nothing filled in."""
    order: list[tuple[str, str]] = []
    for cell in book.code:
        for node in ast.walk(ast.parse(cell.source)):
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            if called and node.func.id in ("predict", "reveal"):
                order.append((node.func.id, ast.literal_eval(node.args[0])))
                given = {k.arg: ast.unparse(k.value) for k in node.keywords}
                if node.func.id == "predict":
                    assert (given["guess"], given["confidence"]) == ("None", "None")
    asked = [name for kind, name in order if kind == "predict"]
    assert len(asked) >= PREDICTIONS and len(set(asked)) == len(asked)
    for name in asked:
        assert ("reveal", name) in order, f"{name} is never revealed"
        assert order.index(("predict", name)) < order.index(("reveal", name))


def test_red_team_section_with_a_graded_exercise(book: Source) -> None:
    headings = [
        i
        for i, cell in enumerate(book.cells)
        if cell.cell_type == "markdown" and re.search(r"^## .*Red-team", cell.source, re.MULTILINE)
    ]
    assert headings, "no section Red-team it"
    assert any(index > headings[0] for index in book.answers.values()), "nothing graded in it"


def test_cells_are_short(book: Source) -> None:
    for cell in book.code:
        lines = len(cell.source.splitlines())
        assert lines <= SHORT, f"{cell.id} has {lines} lines"


def test_no_input_and_no_network(book: Source) -> None:
    for cell in book.code:
        assert not re.search(r"\binput\(|requests\.|urlopen|!pip|%pip", cell.source), cell.id
