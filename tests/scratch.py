"""A tiny course in a temporary folder, for tests of the machinery around notebooks."""

import shutil
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

REPOSITORY = Path(__file__).resolve().parents[1]
CHAPTER, NOTEBOOK = "ch01_attention", "1_residual_stream"

INTRODUCTION = """# Adding numbers

After this notebook you can add. It takes 20 to 30 minutes."""

SOLUTION = '''def add(a: float, b: float) -> float:
    """The sum of two numbers.

    >>> add(1, 2)
    3
    """
    ### BEGIN SOLUTION
    secret_total = a + b
    return secret_total
    ### END SOLUTION'''


def nbgrader(grade_id: str, **marks: object) -> dict:
    """A cell's nbgrader metadata: locked and neither answer nor check, unless said otherwise."""
    plain = {"grade": False, "locked": True, "solution": False, "task": False}
    return {"nbgrader": plain | {"grade_id": grade_id, "schema_version": 3} | marks}


def notebook() -> nbformat.NotebookNode:
    """A source notebook with one exercise, `add`, and its check."""
    answer = nbgrader("add", solution=True, locked=False)
    check = nbgrader("check_add", grade=True, points=2)
    cells = [
        new_markdown_cell(INTRODUCTION, id="title"),
        new_code_cell("import math", id="setup", metadata=nbgrader("setup") | {"tags": ["setup"]}),
        new_code_cell(SOLUTION, id="add", metadata=answer),
        new_code_cell("assert add(1, 2) == 3", id="check_add", metadata=check),
    ]
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return new_notebook(cells=cells, metadata=kernel)


def make_course(root: Path) -> Path:
    """Fill a folder with the repository's configuration and one source chapter; returns it."""
    for name in ("pyproject.toml", "pins.txt", "nbgrader_config.py"):
        shutil.copy(REPOSITORY / name, root / name)
    chapter = root / "solutions" / CHAPTER
    chapter.mkdir(parents=True)
    nbformat.write(notebook(), chapter / f"{NOTEBOOK}.ipynb")
    return root
