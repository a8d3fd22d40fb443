"""The superposition explorer in a real browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

EXPLORER = """
from mechcourse import superposition_zoo as zoo
from mechcourse.widgets import superposition_explorer

explorer = superposition_explorer(zoo.phase_grid(zoo.load("phases-3x2")))
explorer
"""
STATE = "print(explorer.importance.index, explorer.probability.index)"


@pytest.fixture(scope="module")
def folder(notebook_of: Callable[..., Path]) -> Path:
    return notebook_of("superposition", EXPLORER, STATE)


@pytest.fixture
def notebook(
    lab: Callable[[Path], str], open_notebook: Callable[[str, str], Any], folder: Path
) -> Any:
    return open_notebook(lab(folder), "superposition.ipynb")


def test_the_keyboard_moves_both_sliders(notebook: Any) -> None:
    notebook.run("import superposition_explorer")
    cell = notebook.cell("import superposition_explorer")
    said, sliders = cell.get_by_role("status").last, cell.get_by_role("slider")
    expect(sliders).to_have_count(2)
    expect(said).to_contain_text("of the 10 models agree")
    arrow = cell.locator(".scatterlayer .js-line").last
    importance, probability = sliders.first, sliders.last
    importance.press("Home")
    probability.press("Home")
    expect(said).to_contain_text("Importance 0.1, present with probability 1:")
    expect(said).to_contain_text("the last feature is ignored")
    before = arrow.get_attribute("d")
    probability.press("End")
    expect(said).to_contain_text("present with probability 0.01:")
    expect(said).to_contain_text("shares a dimension with another")
    expect(arrow).not_to_have_attribute("d", before)
    assert notebook.run("print(explorer.importance").split() == ["0", "23"]
