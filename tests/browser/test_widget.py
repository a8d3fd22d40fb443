"""The attention explorer and the live curves in a real browser."""

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
from mechcourse.widgets import attention_explorer

text = "def area(self):\\n    return self.width * self.height\\n"
tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
alphabet = pre_tokenizers.ByteLevel.alphabet()
trainer = trainers.BpeTrainer(vocab_size=280, initial_alphabet=alphabet, show_progress=False)
tokenizer.train_from_iterator([text], trainer)
torch.manual_seed(0)
model = Transformer(TransformerConfig(2, 32, 4, 8, tokenizer.get_vocab_size(), 64))
for block in model.blocks:
    block.attn.W_Q.data *= 4
explorer = attention_explorer(model, tokenizer, {"a method": text, "a loop": "for i in x: f(i)"})
explorer
"""
LIVE = """
import time
from pathlib import Path

from mechcourse.widgets import LiveCurves

progress = LiveCurves(baselines={"uniform": 5.55})
for step in range(1, 61):
    time.sleep(0.1)
    while step == 30 and not Path("seen").exists():
        time.sleep(0.1)
    progress(step, 60, {"loss": 5.5 - step / 20})
"""
STATE = "print(explorer.layer.value, explorer.head.value, explorer.strip.selected)"


@pytest.fixture(scope="module")
def folder(notebook_of: Callable[..., Path]) -> Path:
    return notebook_of("widgets", EXPLORER, LIVE, STATE)


@pytest.fixture
def notebook(
    lab: Callable[[Path], str], open_notebook: Callable[[str, str], Any], folder: Path
) -> Any:
    return open_notebook(lab(folder), "widgets.ipynb")


def choose(cell: Locator, label: str, option: str) -> None:
    cell.get_by_label(label, exact=True).select_option(label=option)


def drawn(cell: Locator) -> str | None:
    """The picture of the first heat map, as plotly has drawn it."""
    image = cell.locator(".heatmaplayer image").first
    return image.evaluate("image => image.href.baseVal")


def shades(cell: Locator) -> list[str]:
    return cell.locator(".mechcourse-tokens span").evaluate_all(
        "tokens => tokens.map(token => token.style.backgroundColor)"
    )


def test_the_explorer_follows_its_controls_the_mouse_and_the_keyboard(notebook: Any) -> None:
    notebook.run("import torch")
    cell = notebook.cell("import torch")
    tokens = cell.locator(".mechcourse-tokens span")
    expect(cell.locator(".heatmaplayer image")).to_have_count(1)
    assert re.sub("↵\n", "↵", "".join(tokens.all_text_contents())).startswith("def·area(self):↵")

    pictures = [drawn(cell)]
    shaded = [shades(cell)]
    for label, option in (("Layer", "1"), ("Head", "head 2")):
        choose(cell, label, option)
        expect(cell.locator(".gtitle").first).to_contain_text(
            "Layer 1, head 2" if label == "Head" else "Layer 1, head 0"
        )
        pictures.append(drawn(cell))
        shaded.append(shades(cell))
    assert len(set(pictures)) == 3, "a control moved and the figure did not change"
    assert len(set(map(tuple, shaded))) == 3, "a control moved and the shades did not change"
    assert notebook.run("print(explorer").split()[:2] == ["1", "2"]

    tokens.nth(8).hover()
    expect(tokens.nth(8)).to_have_class(re.compile("chosen"))
    hovered = shades(cell)
    assert hovered != shaded[-1]
    note = cell.locator(".mechcourse-note")
    expect(note).to_contain_text("at 8 looks at")
    cell.get_by_role("button", name="who looks at it").click()
    expect(note).to_contain_text("at 8 is looked at by")
    assert shades(cell) != hovered
    expect(cell.locator(".shapelayer path")).to_have_count(1)

    tokens.nth(8).click()  # hold it, so that the mouse no longer chooses
    cell.locator(".mechcourse-tokens").press("ArrowRight")
    expect(tokens.nth(9)).to_have_class(re.compile("chosen"))
    tokens.nth(2).hover()
    expect(tokens.nth(9)).to_have_class(re.compile("chosen"))

    choose(cell, "Head", "all heads, side by side")
    expect(cell.locator(".heatmaplayer image")).to_have_count(4)
    choose(cell, "Head", "mean of all heads")
    expect(cell.locator(".heatmaplayer image")).to_have_count(1)


def test_a_typed_text_is_read_when_asked(notebook: Any) -> None:
    notebook.run("import torch")
    cell = notebook.cell("import torch")
    tokens, status = cell.locator(".mechcourse-tokens span"), cell.get_by_role("status")
    box, look = cell.get_by_label("Your text"), cell.get_by_role("button", name="Look", exact=True)
    choose(cell, "Text", "a loop")
    expect(tokens.first).to_have_text("f")
    box.fill("return <b>é")
    expect(tokens.first).to_have_text("f")
    look.click()
    expect(tokens.last).to_have_text("é[2/2]")
    assert "<b>" in "".join(tokens.all_text_contents())
    box.fill("")
    look.click()
    expect(status).to_contain_text("There is no text")
    box.fill("x = 1; " * 40)
    look.click()
    expect(status).to_contain_text("reads at most 64 tokens")
    expect(tokens).to_have_count(64)


def test_curves_grow_while_a_model_trains_and_end_as_a_plain_figure(
    notebook: Any, folder: Path
) -> None:
    notebook.start("progress = LiveCurves")
    cell = notebook.cell("progress = LiveCurves")
    expect(cell.get_by_text("elapsed").first).to_contain_text("left")
    early = cell.locator(".scatterlayer .js-line").first.get_attribute("d")
    (folder / "seen").touch()
    notebook.wait_until_idle()
    expect(cell.locator(".gsubtitle, .gtitle-subtitle").first).to_contain_text("step 60 of 60")
    assert cell.locator(".scatterlayer .js-line").first.get_attribute("d") != early
    expect(cell.locator(".widget-hprogress, .jupyter-widgets progress")).to_have_count(0)
