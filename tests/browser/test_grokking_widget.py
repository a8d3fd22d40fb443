"""The grokking explorer in a real browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.browser

EXPLORER = """
from mechcourse.modular_zoo import load_run
from mechcourse.widgets import grokking_explorer

explorer = grokking_explorer(load_run("modular-113"))
explorer
"""
STATE = "print(explorer.step.value, explorer.play.value)"


@pytest.fixture(scope="module")
def folder(notebook_of: Callable[..., Path]) -> Path:
    return notebook_of("grokking", EXPLORER, STATE)


@pytest.fixture
def notebook(
    lab: Callable[[Path], str], open_notebook: Callable[[str, str], Any], folder: Path
) -> Any:
    return open_notebook(lab(folder), "grokking.ipynb")


def height(bar: Locator) -> float:
    """How high a bar is drawn, in pixels."""
    box = bar.bounding_box()
    return box["height"] if box else 0.0


def test_the_keyboard_moves_sentence_and_pictures(notebook: Any) -> None:
    notebook.run("import grokking_explorer")
    cell = notebook.cell("import grokking_explorer")
    said, slider = cell.get_by_role("status").last, cell.get_by_role("slider")
    bars = cell.locator(".bars .point path")
    expect(bars).to_have_count(56)
    expect(said).to_contain_text("After step 0 of 20,000")
    expect(said).to_contain_text("where an even spread would put 5.4%")
    key, other = bars.nth(20), bars.nth(30)
    circle = cell.locator(".scatterlayer .point").first
    line = cell.locator(".scatterlayer .js-line").last
    before = height(key), circle.get_attribute("transform"), line.get_attribute("d")

    slider.press("ArrowRight")
    expect(said).to_contain_text("After step 50 of")
    slider.press("End")
    expect(said).to_contain_text("After step 15,000 of")
    expect(said).to_contain_text("and 100.0% of the others")
    expect(circle).not_to_have_attribute("transform", before[1])
    expect(line).not_to_have_attribute("d", before[2])
    assert height(key) > 3 * before[0] > 10 * height(other)
    assert notebook.run("print(explorer.step").split() == ["15000", "25"]

    slider.press("Home")
    expect(said).to_contain_text("After step 0 of")
    expect(circle).to_have_attribute("transform", before[1])
    cell.get_by_role("button", name="Play", exact=True).press("Enter")
    expect(said).to_contain_text("After step 100 of")
    cell.get_by_role("button", name="Stop", exact=True).press("Enter")
    expect(cell.get_by_role("button", name="Play", exact=True)).to_be_visible()
