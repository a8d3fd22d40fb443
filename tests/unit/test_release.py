"""What may lie beside a source notebook, and what a cohort's bundle holds."""

import json
import zipfile
from pathlib import Path

import nbformat
import pytest

from mechcourse import canonical, release
from mechcourse.release import ReleaseProblem, refuse_leaks
from tests.scratch import CHAPTER, NOTEBOOK, REPOSITORY, notebook


def test_notebooks_alone_may_be_released(scratch_course: Path) -> None:
    refuse_leaks(scratch_course)
    assert release.chapters(scratch_course) == [CHAPTER]


@pytest.mark.parametrize("name", [f"{NOTEBOOK}.py", f"{NOTEBOOK}.md", "data.csv", "more/answers"])
def test_another_file_is_refused(scratch_course: Path, name: str) -> None:
    beside = scratch_course / "solutions" / CHAPTER / name
    beside.parent.mkdir(exist_ok=True)
    beside.write_text("the answers")
    with pytest.raises(ReleaseProblem, match=f"solutions/{CHAPTER}/{name} would be released"):
        refuse_leaks(scratch_course)


def test_what_jupyter_leaves_is_no_leak(scratch_course: Path) -> None:
    checkpoints = scratch_course / "solutions" / CHAPTER / ".ipynb_checkpoints"
    checkpoints.mkdir()
    (checkpoints / f"{NOTEBOOK}-checkpoint.ipynb").write_text("{}")
    refuse_leaks(scratch_course)


def declare(course: Path, asset: str) -> None:
    book = notebook()
    book.metadata["mechcourse"] = {"assets": [asset]}
    nbformat.write(book, course / "solutions" / CHAPTER / f"{NOTEBOOK}.ipynb")
    (course / "solutions" / CHAPTER / asset).write_text("0, 1")


def test_a_declared_asset_is_released(scratch_course: Path) -> None:
    declare(scratch_course, "data.csv")
    refuse_leaks(scratch_course)


def test_code_can_be_no_asset(scratch_course: Path) -> None:
    declare(scratch_course, f"{NOTEBOOK}.py")
    with pytest.raises(ReleaseProblem, match="answers included"):
        refuse_leaks(scratch_course)


def test_without_sources_nothing_is_touched(tmp_path: Path) -> None:
    (tmp_path / "course" / CHAPTER).mkdir(parents=True)
    with pytest.raises(ReleaseProblem, match="no notebooks"):
        release.release(tmp_path)
    assert (tmp_path / "course" / CHAPTER).exists()


def test_a_cohorts_bundle_holds_no_solutions_and_no_tests(tmp_path: Path) -> None:
    first, second = tmp_path / "a.zip", tmp_path / "b.zip"
    release.bundle(first)
    release.bundle(second)
    assert first.read_bytes() == second.read_bytes()
    names = zipfile.ZipFile(first).namelist()
    tops = {name.split("/")[1] for name in names}
    assert tops <= set(release.BUNDLE) | {"docs"}
    assert {"Makefile", "pins.txt", "pyproject.toml", "README.md", "mechcourse"} <= tops
    assert not [name for name in names if name.endswith((".pyc", ".db", ".jsonl"))]


def test_canonical_form_drops_what_a_run_leaves() -> None:
    book = notebook()
    book.metadata["language_info"] = {"name": "python", "version": "3.11.7"}
    book.metadata["mechcourse"] = {"teaches": []} | {"assets": ["a.csv"]}
    cell = book.cells[1]
    cell.execution_count = 7
    cell.outputs = [nbformat.v4.new_output("stream", text="hello")]
    cell.metadata["execution"] = {"iopub.status.busy": "now"}
    cell.metadata["collapsed"] = True
    tidied = json.loads(canonical.canonical_bytes(nbformat.writes(book).encode()))
    made = tidied["cells"][1]
    assert (made["execution_count"], made["outputs"]) == (None, [])
    assert set(made["metadata"]) == {"nbgrader", "tags"}
    assert tidied["metadata"]["language_info"] == {"name": "python"}
    assert tidied["metadata"]["mechcourse"] == {"teaches": [], "assets": ["a.csv"]}


def test_canonical_form_names_cells() -> None:
    book = notebook()
    book.cells[0].id = "3f2a9c01"
    book.cells[2].id = "somethingelse"
    tidied = canonical.canonical(book)
    assert [cell.id for cell in tidied.cells] == ["adding_numbers_after_this", "setup", "add",
                                                  "check_add"]  # fmt: skip


def test_canonical_form_of_itself_is_itself() -> None:
    once = canonical.canonical_bytes(nbformat.writes(notebook()).encode())
    assert canonical.canonical_bytes(once) == once


def test_tidying_formats_code(tmp_path: Path) -> None:
    book = notebook()
    book.cells[1].source = "import   math"
    nbformat.write(book, tmp_path / "x.ipynb")
    assert canonical.tidy(tmp_path / "x.ipynb")
    assert "import math" in (tmp_path / "x.ipynb").read_text()
    assert not canonical.tidy(tmp_path / "x.ipynb")


def test_the_repository_itself_may_be_released() -> None:
    refuse_leaks(REPOSITORY)
