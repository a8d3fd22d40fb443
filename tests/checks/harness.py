"""Prove a notebook's checks: which answers pass, which fail, and in which words.

A notebook needs two files here, `mutants/CHAPTER/NOTEBOOK.py` (wrong answers) and
`alternatives/CHAPTER/NOTEBOOK.py` (right ones in other styles); `test_answers.py` finds them. Each
is read as text and run behind the notebook's own set-up and answer cells, here and in a grading
worker, so that a case may call the notebook's other answers just as a learner's cell would:

    @wrong("attention_pattern", "were not divided by sqrt(d_head)")
    def unscaled(q, k): ...

    @right("attention_pattern")
    def by_rows(q, k): ...

What is not decorated (imports, helpers) is run before the cases.
"""

import ast
import linecache
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from mechcourse.grading.notebooks import Cell, Released, Script, read_released
from mechcourse.grading.process import Limits, Worker
from mechcourse.grading.running import Run

HERE = Path(__file__).parent
SOLUTIONS = HERE.parents[1] / "solutions"
STUB = "raise NotImplementedError"
CALL_LIMIT = 30.0  # seconds

Where = Literal["both", "worker"]
Kind = Literal["mutants", "alternatives"]


def wrong(_exercise: str, _expects: str, *, where: Where = "both") -> Callable[[Any], Any]:
    """Mark a wrong answer, with words that its message must hold.

    Args:
        where: "worker" for what only the process boundary stops: code that tampers with whoever
            judges it. A learner's own notebook can't be kept from that, and need not be.
    """
    raise RuntimeError("cases are read as text, never imported")


def right(_exercise: str) -> Callable[[Any], Any]:
    """Mark a right answer in another style."""
    raise RuntimeError("cases are read as text, never imported")


@dataclass(frozen=True)
class Case:
    """One answer: the function `name`, for an exercise, and what its message must say."""

    exercise: str
    name: str
    source: str
    expects: str = ""
    where: Where = "both"

    def __str__(self) -> str:
        return f"{self.exercise}-{self.name}"


@dataclass(frozen=True)
class Notebook:
    """A source notebook, its checks and its cases.

    Attributes:
        chapter, stem: "ch01_attention" and "residual_stream".
    """

    chapter: str
    stem: str

    def __str__(self) -> str:
        return f"{self.chapter}/{self.stem}"

    @cached_property
    def path(self) -> Path:
        """The source notebook; its name begins with its number."""
        (found,) = (SOLUTIONS / self.chapter).glob(f"[0-9]*_{self.stem}.ipynb")
        return found

    @cached_property
    def released(self) -> Released:
        return read_released(self.path)

    @property
    def module(self) -> Any:
        """The module of its checks."""
        return import_module(f"mechcourse.checks.{self.chapter}.{self.stem}")

    @property
    def exercises(self) -> dict[str, list[Callable[..., None]]]:
        """The checks of each exercise: more than one where parts carry points of their own."""
        return {
            exercise: [getattr(self.module, cell.name) for cell in cells]
            for exercise, cells in self.released.checks.items()
        }

    @cached_property
    def cells(self) -> list[Cell]:
        """Set-up and answers: all that an answer may build on."""
        return [cell for cell in self.released.cells if cell.kind in ("setup", "answer")]

    @property
    def stubs(self) -> list[Case]:
        """The released starters, each under a name of its own."""
        return [
            Case(cell.name, cell.name, released_stub(cell.source))
            for cell in self.cells
            if cell.kind == "answer"
        ]

    def cases(self, kind: Kind) -> tuple[str, list[Case]]:
        """What runs before the cases, and the cases themselves."""
        return read_cases(HERE / kind / self.chapter / f"{self.stem}.py")


def notebooks() -> list[Notebook]:
    """Every notebook that has a file of wrong answers."""
    files = sorted((HERE / "mutants").rglob("*.py"))
    return [Notebook(file.parent.name, file.stem) for file in files]


@lru_cache
def read_cases(path: Path) -> tuple[str, list[Case]]:
    """Split a file into what all its cases share and the cases; decorators are read, not run."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    shared, cases = [], []
    for node in ast.parse(text).body:
        source = "\n".join(lines[node.lineno - 1 : node.end_lineno])  # without the decorators
        marks = [mark for mark in getattr(node, "decorator_list", []) if _is_mark(mark)]
        if isinstance(node, ast.FunctionDef) and marks:
            args = [ast.literal_eval(arg) for arg in marks[0].args]
            named = {word.arg: ast.literal_eval(word.value) for word in marks[0].keywords}
            expects = args[1] if len(args) > 1 else ""
            cases.append(Case(args[0], node.name, source, expects, **named))
        elif not (isinstance(node, ast.ImportFrom) and node.module == "tests.checks.harness"):
            shared.append(source)
    names = [case.name for case in cases]
    twice = {name for name in names if names.count(name) > 1}
    assert not twice, f"{path} defines more than once: {twice}"
    # Cases that tamper with the worker come last, when nobody else minds.
    return "\n\n".join(shared), sorted(cases, key=lambda case: case.where == "worker")


def _is_mark(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("wrong", "right")
    )


def released_stub(source: str) -> str:
    """The cell as nbgrader releases it."""
    return re.sub(
        r"([ \t]*)### BEGIN SOLUTION.*?### END SOLUTION", rf"\1{STUB}", source, flags=re.S
    )


class Here:
    """Answers that run in this process, as in a learner's notebook."""

    def __init__(self, cells: list[Cell]) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__"}
        for cell in cells:
            filename = f"<cell {cell.name}>"
            lines = cell.source.splitlines(keepends=True)
            linecache.cache[filename] = (len(cell.source), None, lines, filename)
            exec(compile(cell.source, filename, "exec", dont_inherit=True), self.names)

    def answer(self, name: str) -> Callable[..., Any]:
        return self.names[name]

    def close(self) -> None:
        pass


class Elsewhere:
    """Answers that run in a grading worker; a check gets proxies for them."""

    def __init__(self, cells: list[Cell], teaches: tuple[str, ...]) -> None:
        self.run = Run(Script(cells), teaches, Worker(teaches), Limits())
        self.run.judge("no.checks")  # there is no check among the cells
        assert not self.run.failures, {name: str(f) for name, f in self.run.failures.items()}

    def answer(self, name: str) -> Callable[..., Any]:
        return lambda *args, **kwargs: self.run.call(name, args, kwargs, CALL_LIMIT)

    def close(self) -> None:
        self.run.__exit__()


def bench(notebook: Notebook, kind: Kind | Literal["stubs"], place: str) -> Here | Elsewhere:
    """A namespace with the notebook's answers and all cases of a kind.

    Args:
        place: "here" or "elsewhere".
    """
    cells = list(notebook.cells)
    if kind == "stubs":
        shared, cases = "", notebook.stubs
    else:
        shared, cases = notebook.cases(kind)
    cells.append(Cell("added", "shared", shared))
    cells += [Cell("added", case.name, case.source) for case in cases]
    return Here(cells) if place == "here" else Elsewhere(cells, notebook.released.teaches)
