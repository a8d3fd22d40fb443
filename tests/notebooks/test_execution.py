"""Every notebook runs from start to end: sources without an error, releases up to their checks."""

import os
from pathlib import Path
from time import perf_counter

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.notebooks

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "solutions").glob("ch*/*.ipynb"))
RELEASES = sorted((ROOT / "course").glob("ch*/*.ipynb"))
LIMIT = 30  # seconds a cell: nbgrader's own


def exercises(path: Path) -> list[str]:
    """The cells that a learner fills in."""
    cells = nbformat.read(path, as_version=4).cells
    return [cell.id for cell in cells if cell.metadata.get("nbgrader", {}).get("solution", False)]


def executed(
    path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, *, left_out: str | None = None
) -> nbformat.NotebookNode:
    """The notebook with its outputs, run as nbgrader runs it: checkpoints are loaded.

    Args:
        left_out: an exercise that is as it was released.
    """
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    notebook = nbformat.read(path, as_version=4)
    if left_out:
        released = nbformat.read(ROOT / "course" / path.relative_to(ROOT / "solutions"), 4).cells
        starter = next(cell.source for cell in released if cell.id == left_out)
        next(cell for cell in notebook.cells if cell.id == left_out).source = starter
    times: dict[str, float] = {}
    client = NotebookClient(
        notebook,
        timeout=LIMIT,
        allow_errors=True,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        on_cell_start=lambda cell, cell_index: times.update({cell.id: perf_counter()}),
        on_cell_executed=lambda cell, cell_index, execute_reply: times.update(
            {cell.id: perf_counter() - times[cell.id]}
        ),
    )
    client.execute()
    notebook.metadata["seconds"] = times
    return notebook


def errors(notebook: nbformat.NotebookNode) -> dict[str, str]:
    """By cell, what was raised."""
    return {
        cell.id: f"{output.ename}: {output.evalue}"
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "error"
    }


def to_stderr(notebook: nbformat.NotebookNode) -> dict[str, str]:
    """By cell, what was written to stderr: in a check cell nbgrader gives no marks for it."""
    return {
        cell.id: output.text
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "stream" and output.name == "stderr"
    }


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_source_runs_without_an_error(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = executed(path, tmp_path, monkeypatch)
    assert errors(notebook) == {}
    assert to_stderr(notebook) == {}
    assert list(tmp_path.iterdir()) == [], "a notebook leaves no file behind"


@pytest.mark.parametrize("path", RELEASES, ids=lambda path: path.stem)
def test_a_release_fails_in_its_checks_and_nowhere_else(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = executed(path, tmp_path, monkeypatch)
    raised = errors(notebook)
    checks = {
        cell.id for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade", False)
    }
    assert set(raised) == checks
    assert all(text.startswith("NotAttempted") for text in raised.values()), raised


@pytest.mark.every
@pytest.mark.parametrize(
    ("path", "exercise"),
    [(path, exercise) for path in SOURCES for exercise in exercises(path)],
    ids=lambda value: value if isinstance(value, str) else value.stem,
)
def test_an_exercise_that_is_left_out_fails_in_checks_and_nowhere_else(
    path: Path, exercise: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A learner who skips one exercise loses the pictures that need it, and meets no traceback."""
    notebook = executed(path, tmp_path, monkeypatch, left_out=exercise)
    checks = {
        cell.id for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade", False)
    }
    raised = errors(notebook)
    assert f"check_{exercise}" in raised
    assert set(raised) <= checks


def test_there_are_notebooks_and_each_is_released() -> None:
    named = [f"{path.parent.name}/{path.name}" for path in SOURCES]
    assert named
    assert named == [f"{path.parent.name}/{path.name}" for path in RELEASES]
    assert os.environ.get("NBGRADER_EXECUTION") is None
