"""The circuit explorer in a real browser."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.browser

EXPLORER = """
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from mechcourse.models import Transformer, TransformerConfig
from mechcourse.widgets import circuit_explorer

text = "def area(self):\\n    return self.width * self.height\\n"
tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
alphabet = pre_tokenizers.ByteLevel.alphabet()
trainer = trainers.BpeTrainer(vocab_size=280, initial_alphabet=alphabet, show_progress=False)
tokenizer.train_from_iterator([text], trainer)
torch.manual_seed(0)
model = Transformer(TransformerConfig(2, 32, 4, 8, tokenizer.get_vocab_size(), 64))
explorer = circuit_explorer(model, tokenizer, " self")
explorer
"""
STATE = "print(explorer.layer.value, explorer.head.value, explorer.chosen)"


@pytest.fixture(scope="module")
def folder(notebook_of: Callable[..., Path]) -> Path:
    return notebook_of("circuits", EXPLORER, STATE)


@pytest.fixture
def notebook(
    lab: Callable[[Path], str], open_notebook: Callable[[str, str], Any], folder: Path
) -> Any:
    return open_notebook(lab(folder), "circuits.ipynb")


def bar(cell: Locator, panel: int, row: int) -> Locator:
    """A bar as plotly has drawn it; the rows of the first panel come first."""
    return cell.locator(".bars").nth(panel).locator(".point path").nth(row)


def drawn(cell: Locator) -> list[str | None]:
    """The shapes of all bars."""
    return cell.locator(".bars .point path").evaluate_all(
        "bars => bars.map(bar => bar.getAttribute('d'))"
    )


def choose(cell: Locator, label: str, option: str) -> None:
    cell.get_by_label(label, exact=True).select_option(label=option)


def test_the_explorer_follows_its_controls_the_keyboard_and_the_mouse(notebook: Any) -> None:
    notebook.run("import torch")
    cell = notebook.cell("import torch")
    title, status = cell.locator(".gtitle").first, cell.get_by_role("status").first
    note = cell.get_by_role("status").last
    expect(title).to_have_text("Layer 0, head 0, token '·self'")
    expect(cell.locator(".bars .point path")).to_have_count(16 + 8 + 16)
    expect(note).to_contain_text("Positions are left out")
    plot = cell.locator(".js-plotly-plot").element_handle()
    pictures = [drawn(cell)]

    for label, option, said in (("Layer", "1", "Layer 1, head 0"), ("Head", "head 2", "head 2")):
        choose(cell, label, option)
        expect(title).to_contain_text(said)
        pictures.append(drawn(cell))
    expect(note).to_contain_text("what earlier heads wrote is not in it")

    box = cell.get_by_label("Token", exact=True)
    box.fill("return self")
    expect(title).to_contain_text("'·self'")
    box.press("Enter")
    expect(status).to_contain_text("the first is shown")
    first = re.search(r"These are \d+ tokens, '([^']+)'", status.inner_text())
    assert first
    expect(title).to_contain_text(f"token '{first[1]}'")
    pictures.append(drawn(cell))
    assert len(set(map(tuple, pictures))) == 4, "a control moved and the figure did not change"
    assert notebook.run("print(explorer").split()[:2] == ["1", "2"]

    label = cell.locator(".y2tick text").nth(5).text_content()  # of those that look for it
    assert label
    place = bar(cell, 1, 5).bounding_box()
    assert place
    notebook.page.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    expect(box).to_have_value(label)
    expect(title).to_contain_text(f"token '{label}'")

    box.fill("")
    box.press("Tab")
    expect(status).to_contain_text("There is no token. Type one")
    expect(title).to_contain_text(f"token '{label}'")
    notebook.page.keyboard.press("Shift+Tab")
    notebook.page.keyboard.type("<é")
    notebook.page.keyboard.press("Tab")
    notebook.page.keyboard.press("Space")  # on the button
    expect(title).to_contain_text("token '<'")
    expect(status).to_contain_text("3 tokens, '<', 'byte C3', 'byte A9'")
    assert plot.is_visible(), "the figure was made anew, which flickers"
