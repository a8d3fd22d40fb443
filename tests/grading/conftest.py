"""A small course in a temporary folder: one notebook with four exercises, and its checks."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mechcourse.grading.grade import grade
from mechcourse.grading.process import Limits
from mechcourse.grading.results import Graded, Row
from mechcourse.grading.submissions import Submission, find_submissions

CHAPTER, NOTEBOOK = "ch09_toy", "1_sums"
CHECKS = "toychecks"
CONFIG = """
c = get_config()
c.CourseDirectory.course_id = "toy"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "course"
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}
"""
CHECK_MODULE = '''
import torch
from mechcourse.checks import check
from mechcourse.models import Transformer, TransformerConfig

TEACHES = ("mechcourse.models.Transformer.forward",)


@check
def check_double(answer, *, seed=0):
    for x in (torch.arange(3.0), torch.ones(2, 3).double()):
        answer.expect_close(answer(x), 2 * x, property="every number is doubled")


@check
def check_total(answer, *, seed=0):
    answer.expect_close(answer([1, 2.5]), 7.0, property="the doubles are added")


@check
def check_total__empty(answer, *, seed=0):
    answer.expect_close(answer([]), 0.0, property="nothing adds up to 0")


@check
def check_shout(answer, *, seed=0):
    got = answer("a", times=3)
    answer.expect(got == "AAA", property="it is loud", expected="AAA", got=str(got))


def __getattr__(name):
    """check_shout_0, check_shout_1 and so on: one exercise for each of a test's answers."""
    if not name.startswith("check_shout_"):
        raise AttributeError(name)

    def body(answer, *, seed=0):
        got = answer("a", times=3)
        answer.expect(got == "AAA", property="it is loud", expected="AAA", got=str(got))

    body.__name__ = name
    return check(body)


@check
def check_logits(answer, *, seed=0):
    model = Transformer(TransformerConfig(0, 4, 1, 4, 5, 6))
    tokens = torch.tensor([[1, 4, 2]])
    want = (model.embed.W_E[tokens] @ model.unembed.W_U).detach()
    answer.expect_close(answer(model, tokens), want, property="logits are read off the weights")
'''

SETUP = "import torch\nfrom mechcourse import plots\nfrom mechcourse import models\nscale = 2"
ANSWERS = {
    "double": "def double(x):\n    return scale * x",
    "total": "def total(numbers):\n    return sum(double(x) for x in numbers)",
    "shout": "def shout(text, times=1):\n    return text.upper() * times",
    "logits": "def logits(model, tokens):\n    return model.embed.W_E[tokens] @ model.unembed.W_U",
}
POINTS = {
    "check_double": 2,
    "check_total": 1,
    "check_total__empty": 2,
    "check_shout": 1,
    "check_logits": 3,
}


def cell(name: str, source: str, kind: str = "code", tags: tuple[str, ...] = (), **grading: Any):
    """A notebook cell as JSON; `grading` is what differs from nbgrader's locked, ungraded cell."""
    made: dict[str, Any] = {"cell_type": kind, "id": name, "metadata": {}, "source": source}
    if kind == "code":
        made |= {"execution_count": None, "outputs": []}
    if tags:
        made["metadata"]["tags"] = list(tags)
    if grading:
        made["metadata"]["nbgrader"] = {
            "grade": False,
            "grade_id": name,
            "locked": True,
            "schema_version": 3,
            "solution": False,
            "task": False,
        } | grading
    return made


def added(source: str, name: str = "mine") -> dict[str, Any]:
    return cell(name, source)


def answer_cell(name: str, source: str) -> dict[str, Any]:
    return cell(name, source, solution=True, locked=False)


def notebook(answers: dict[str, str]) -> dict[str, Any]:
    """The notebook with these sources in its answer cells."""
    cells = [
        cell("title", "# Sums", "markdown"),
        cell("setup", SETUP, tags=("setup",), grade=False),
    ]
    for name, source in answers.items():
        cells.append(cell(f"{name}_text", f"## {name}", "markdown"))
        cells.append(answer_cell(name, source))
        for check, points in (POINTS | {f"check_{name}": POINTS.get(f"check_{name}", 1)}).items():
            if check.removeprefix("check_").partition("__")[0] == name:
                text = f"from {CHECKS}.{CHAPTER}.sums import {check}\n\n{check}({name})"
                cells.append(cell(check, text, grade=True, points=points))
        cells.append(cell(f"{name}_plot", f"plots.show({name}, 1 / 0)", tags=("demo",)))
    metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "mechcourse": {"teaches": ["mechcourse.models.Transformer.forward"]},
    }
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def starter(answer: str) -> str:
    return answer.split("\n")[0] + "\n    raise NotImplementedError"


def solution(answer: str) -> str:
    head, body = answer.split("\n")
    return f"{head}\n    ### BEGIN SOLUTION\n{body}\n    ### END SOLUTION"


@dataclass
class ToyCourse:
    """The toy course, and how to submit to it; tests can't import from here, so all hangs on it."""

    root: Path
    checks: Path
    limits: Limits = field(default_factory=lambda: Limits(cell=5.0, exercise=5.0))

    answers = ANSWERS
    notebook = staticmethod(notebook)
    added = staticmethod(added)
    answer_cell = staticmethod(answer_cell)

    def starters(self, *names: str) -> dict[str, str]:
        """The starters of these exercises, or of all."""
        return {name: starter(ANSWERS[name]) for name in names or ANSWERS}

    @staticmethod
    def place(cells: list[dict[str, Any]], name: str) -> int:
        """Where a cell is among others."""
        return next(i for i, cell in enumerate(cells) if cell["id"] == name)

    @property
    def mine(self) -> Path:
        return self.root / "work" / CHAPTER / f"{NOTEBOOK}.ipynb"

    def write(self, content: dict[str, Any], path: Path | None = None) -> Path:
        path = path or self.mine
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    def graded(self, *paths: Path) -> list[Graded]:
        found = [item for path in paths for item in find_submissions(path)]
        submissions = [item for item in found if isinstance(item, Submission)]
        return list(grade(submissions, checks=CHECKS, limits=self.limits))

    def each(self, sources: list[str]) -> list[Row]:
        """The rows of many answers to `shout` in one notebook, each its own exercise."""
        names = [f"shout_{number}" for number in range(len(sources))]
        answers = {
            name: re.sub(r"\bshout\b", name, source)
            for name, source in zip(names, sources, strict=True)
        }
        blank = notebook(dict.fromkeys(names, "raise NotImplementedError"))
        self.write(blank, self.root / "course" / CHAPTER / f"{NOTEBOOK}.ipynb")
        [graded] = self.graded(self.write(notebook(answers)))
        return graded.rows

    def rows(
        self,
        answers: dict[str, str] | None = None,
        change: Callable[[list[dict[str, Any]]], None] = lambda cells: None,
    ) -> dict[str, Row]:
        """Grade the solved notebook with some answers replaced and its cells changed."""
        content = notebook(ANSWERS | (answers or {}))
        change(content["cells"])
        [graded] = self.graded(self.write(content))
        return {row.exercise: row for row in graded.rows}


@pytest.fixture(scope="session")
def _checks_on_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("checks")
    package = folder / CHECKS / CHAPTER
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package.parent / "__init__.py").touch()
    (package / "sums.py").write_text(CHECK_MODULE)
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))


@pytest.fixture
def course(tmp_path: Path, _checks_on_path: Path) -> ToyCourse:
    toy = ToyCourse(tmp_path / "toy", _checks_on_path)
    toy.root.mkdir()
    (toy.root / "nbgrader_config.py").write_text(CONFIG)
    for folder, form in (("course", starter), ("solutions", solution)):
        content = notebook({name: form(source) for name, source in ANSWERS.items()})
        toy.write(content, toy.root / folder / CHAPTER / f"{NOTEBOOK}.ipynb")
    return toy
