"""The canonical form of source notebooks: what is kept in them, and nothing that a run leaves.

JupyterLab writes outputs, execution counts and its own metadata into whatever it saves. `make
release` puts the sources in canonical form first, so that a diff shows what an author changed.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
MARKS = (
    "cell_type", "grade", "grade_id", "locked", "points", "schema_version", "solution", "task",
)  # fmt: skip


def tidy(notebook: Path) -> bool:
    """Put a notebook file in canonical form, its code formatted by ruff; whether it changed.

    Raises:
        subprocess.CalledProcessError: ruff can't read the code.
    """
    before = notebook.read_bytes()
    notebook.write_bytes(canonical_bytes(before))
    ruff = [sys.executable, "-m", "ruff", "format", "--quiet", str(notebook)]
    subprocess.run(ruff, check=True, cwd=notebook.parent)
    notebook.write_bytes(canonical_bytes(notebook.read_bytes()))
    return notebook.read_bytes() != before


def canonical_bytes(content: bytes) -> bytes:
    """A notebook's bytes in canonical form, its code as it stands."""
    book = nbformat.reads(content.decode(), as_version=4)
    return (nbformat.writes(canonical(book), indent=1).rstrip("\n") + "\n").encode()


def canonical(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The same notebook without outputs and counts, with minimal metadata and readable cell ids.

    A cell that nbgrader knows is called by its `grade_id`; another keeps an id that reads like a
    name and otherwise gets one made from its first words.
    """
    ours = notebook.metadata.get("mechcourse")
    metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    taken: set[str] = set()
    cells = [_cell(cell, taken) for cell in notebook.cells]
    return nbformat.from_dict(
        {
            "cells": cells,
            "metadata": metadata | ({"mechcourse": ours} if ours else {}),
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )


def _cell(cell: nbformat.NotebookNode, taken: set[str]) -> dict[str, Any]:
    marks = {name: cell.metadata.nbgrader[name] for name in MARKS if name in _marks(cell)}
    tags = sorted(set(cell.metadata.get("tags", [])))
    kept = ({"nbgrader": marks} if marks else {}) | ({"tags": tags} if tags else {})
    made = {
        "cell_type": cell.cell_type,
        "id": _name(cell, marks, taken),
        "metadata": kept,
        "source": "\n".join(line.rstrip() for line in cell.source.strip("\n").split("\n")),
    }
    if cell.cell_type == "code":
        made |= {"execution_count": None, "outputs": []}
    return made


def _marks(cell: nbformat.NotebookNode) -> dict[str, Any]:
    return cell.metadata.get("nbgrader", {})


def _name(cell: nbformat.NotebookNode, marks: dict[str, Any], taken: set[str]) -> str:
    name = marks.get("grade_id") or cell.get("id", "")
    one_of_several = name.replace("__", "_")  # check_puzzle__harder: a part with points of its own
    if not readable(one_of_several) or (name in taken and not marks):
        words = re.findall(r"[a-z][a-z0-9]+", cell.source.lower())[:4]
        name = "_".join(words) or cell.cell_type
        name = name if readable(name) else f"cell_{name}"
        number = 2
        stem = name
        while name in taken:
            name, number = f"{stem}_{number}", number + 1
    taken.add(name)
    return name


def readable(name: str) -> bool:
    """Whether a cell id is words, not the eight random digits that JupyterLab gives.

    >>> readable("why_two_heads"), readable("3f2a9c01"), readable("deadbeef")
    (True, False, False)
    """
    words = re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name)
    return bool(words) and not re.fullmatch(r"[0-9a-f]{8}", name) and len(name) <= 64
