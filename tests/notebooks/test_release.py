"""`course/` is what nbgrader makes of `solutions/`, byte for byte, and holds no answer."""

import ast
from pathlib import Path

import nbformat
import pytest

from mechcourse import release
from mechcourse.release import ReleaseProblem
from tests.scratch import CHAPTER, NOTEBOOK, REPOSITORY, notebook

SOURCES = sorted((REPOSITORY / "solutions").glob("*/*.ipynb"))
RELEASED = sorted((REPOSITORY / "course").glob("*/*.ipynb"))
STUB = "raise NotImplementedError"


def label(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def answers(path: Path) -> dict[str, str]:
    """The source of each answer cell, by its grade_id."""
    cells = nbformat.read(path, as_version=4).cells
    marked = [(cell, cell.metadata.get("nbgrader", {})) for cell in cells]
    return {mark["grade_id"]: cell.source for cell, mark in marked if mark.get("solution")}


def solution_lines(source: str) -> list[str]:
    """The lines between BEGIN SOLUTION and END SOLUTION, without their indentation."""
    lines, inside = [], False
    for line in source.splitlines():
        inside = (inside or "### BEGIN SOLUTION" in line) and "### END SOLUTION" not in line
        lines += [line.strip()] if inside and "### BEGIN SOLUTION" not in line else []
    return [line for line in lines if line]


@pytest.mark.notebooks
def test_course_is_the_release_of_solutions() -> None:
    if not SOURCES and not RELEASED:
        pytest.skip("there is no notebook yet")
    differences = release.drift(REPOSITORY)
    assert not differences, "run: make release\n" + "\n".join(differences)


@pytest.mark.parametrize("path", RELEASED, ids=label)
def test_released_answers_are_stubs(path: Path) -> None:
    """Every function of an answer cell is its docstring and the stub, and nothing else."""
    for name, source in answers(path).items():
        functions = [n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)]
        asked = [function for function in functions if function.name == name]
        assert asked, f"{name}: its answer cell defines no such function"
        body = asked[0].body[1:] if ast.get_docstring(asked[0]) else asked[0].body
        assert [ast.unparse(line) for line in body] == [STUB], f"{name} is released with a body"


@pytest.mark.parametrize("path", RELEASED, ids=label)
def test_released_notebooks_hold_no_solution(path: Path) -> None:
    """No marker is left, and no cell holds a solution whole, hints included."""
    text = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
    for marker in ("BEGIN SOLUTION", "END SOLUTION", "BEGIN HIDDEN", "BEGIN MARK"):
        assert marker not in text
    given = {line.strip() for line in text.splitlines()}
    source = REPOSITORY / "solutions" / path.parent.name / path.name
    for name, answer in answers(source).items():
        lines = solution_lines(answer)
        assert lines, f"{name}: no solution between the markers"
        assert not set(lines) <= given, f"{name}: its whole solution can be read in the release"


@pytest.mark.parametrize("path", RELEASED, ids=label)
def test_released_notebooks_have_no_outputs(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None


def test_course_holds_notebooks_and_declared_assets_only() -> None:
    for path in (REPOSITORY / "course").rglob("*"):
        if path.is_file() and not {".ipynb_checkpoints", "__pycache__"} & set(path.parts):
            assert path.suffix not in {".py", ".md", ".txt"}, f"{path} may hold answers"


# --- the machinery, on a scratch course ---


@pytest.mark.notebooks
def test_a_release_again_and_with_the_gradebook_gives_the_same_bytes(scratch_course: Path) -> None:
    path = f"{CHAPTER}/{NOTEBOOK}.ipynb"
    released = scratch_course / "course" / path
    assert release.release(scratch_course) == [f"new: {path}"]
    assert not (scratch_course / "gradebook.db").exists()
    first = released.read_bytes()
    assert b"raise NotImplementedError" in first and b"secret_total" not in first

    assert release.release(scratch_course, register=True) == []
    assert released.read_bytes() == first
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{scratch_course / 'gradebook.db'}", "mechcourse") as gradebook:
        assert [chapter.name for chapter in gradebook.assignments] == [CHAPTER]
        assert gradebook.find_notebook(NOTEBOOK, CHAPTER).max_score == 2

    released.write_bytes(first + b"\n")
    released.with_name("stray.ipynb").write_bytes(first)
    assert release.drift(scratch_course) == [f"gone: {CHAPTER}/stray.ipynb", f"changed: {path}"]


@pytest.mark.notebooks
def test_a_release_that_fails_leaves_the_course_as_it_was(scratch_course: Path) -> None:
    released = scratch_course / "course" / CHAPTER / f"{NOTEBOOK}.ipynb"
    released.parent.mkdir(parents=True)
    released.write_text("as it was")
    book = notebook()
    del book.cells[2].metadata["nbgrader"]  # a solution in a cell that is not an answer
    nbformat.write(book, scratch_course / "solutions" / CHAPTER / released.name)
    with pytest.raises(ReleaseProblem, match="could not release"):
        release.release(scratch_course)
    assert released.read_text() == "as it was"
