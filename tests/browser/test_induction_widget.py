"""The induction explorer in a real browser."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

EXPLORER = '''
from mechcourse.data import code_tokenizer
from mechcourse.widgets import induction_explorer
from mechcourse.zoo import load

text = """class Box:
    def __init__(self, width, height):
        self.width = width
        self.height = height

    def area(self):
        return self.width * self.height
"""
explorer = induction_explorer(load("code-2l"), code_tokenizer(), text)
explorer
'''
STATE = "print(explorer.strip.selected, explorer.token.value)"


@pytest.fixture(scope="module")
def folder(notebook_of: Callable[..., Path]) -> Path:
    return notebook_of("induction", EXPLORER, STATE)


@pytest.fixture
def notebook(
    lab: Callable[[Path], str], open_notebook: Callable[[str, str], Any], folder: Path
) -> Any:
    return open_notebook(lab(folder), "induction.ipynb")


def test_a_click_marks_what_followed_and_the_keyboard_does_all_of_it(notebook: Any) -> None:
    notebook.run("import induction_explorer")
    cell = notebook.cell("import induction_explorer")
    strip, tokens = cell.locator(".mechcourse-tokens"), cell.locator(".mechcourse-tokens span")
    title, said = cell.locator(".gtitle").first, cell.get_by_role("status").last
    expect(cell.locator(".heatmaplayer image")).to_have_count(1)
    expect(said).to_contain_text("of its attention on")

    tokens.first.click()
    expect(said).to_contain_text("has no earlier copy here")
    expect(title).to_have_text("This token has no earlier copy")
    expect(cell.locator(".mechcourse-tokens .copy")).to_have_count(0)

    strip.press("n")
    expect(said).to_contain_text("even attention would put")
    expect(title).to_contain_text("even attention: ")
    assert cell.locator(".mechcourse-tokens .copy").count() >= 1
    expect(cell.locator(".mechcourse-tokens .last")).to_have_count(1)
    strip.press("End")
    expect(tokens.last).to_have_class(re.compile("chosen"))
    strip.press("ArrowLeft")
    slider = cell.get_by_role("slider")
    expect(slider).to_have_attribute("aria-valuenow", re.compile(f"^{tokens.count() - 2}"))
    slider.press("ArrowLeft")
    expect(tokens.nth(tokens.count() - 3)).to_have_class(re.compile("chosen"))
    chosen, shown = notebook.run("print(explorer.strip").split()
    assert chosen == shown == str(tokens.count() - 3)
    cell.get_by_label("Attention on", exact=True).select_option(label="the copies themselves")

    box, look = cell.get_by_label("Your text"), cell.get_by_role("button", name="Look", exact=True)
    box.fill("")
    look.click()
    expect(cell.get_by_role("status").first).to_contain_text("There is no text")
    box.fill("ab <b>é é" * 60)
    look.press("Enter")
    expect(cell.get_by_role("status").first).to_contain_text("Cut: the model reads at most 256")
    expect(tokens).to_have_count(256)
    assert "<b>" in re.sub("↵\n", "", "".join(tokens.all_text_contents()))
