"""The attention explorer: a text, a layer, a head, and where each token looks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets
import numpy as np
import plotly.graph_objects as go
import torch
import traitlets
from jaxtyping import Float
from tokenizers import Tokenizer
from torch import Tensor

from mechcourse import plots
from mechcourse.models import Transformer

ASSETS = Path(__file__).parent.parent / "assets"
MEAN, ALL = "mean of all heads", "all heads, side by side"
MAP_PIXELS = 340  # leaves room for the text beside it in a notebook 850 pixels wide


class TokenStrip(anywidget.AnyWidget):
    """A text by tokens; the chosen one's attention shows as the shade of the others."""

    _esm = ASSETS / "token_strip.js"
    _css = ASSETS / "token_strip.css"
    texts = traitlets.List(traitlets.Unicode()).tag(sync=True)
    pattern = traitlets.Bytes().tag(sync=True)  # float32, query by key
    direction = traitlets.Unicode("out").tag(sync=True)
    selected = traitlets.Int(0).tag(sync=True)


class AttentionExplorer(ipywidgets.VBox):
    """See `mechcourse.widgets.attention_explorer`; its controls are attributes."""

    def __init__(
        self,
        model: Transformer,
        tokenizer: Tokenizer,
        texts: Mapping[str, str] | Sequence[str],
    ) -> None:
        if isinstance(texts, str):
            texts = [texts]
        if not isinstance(texts, Mapping):
            texts = {_short(text): text for text in texts}
        if not texts:
            raise ValueError("texts is empty: give the explorer at least one text to start from")
        if not model.config.n_layers:
            raise ValueError("this model has 0 layers, so it has no attention to explore")
        self.model, self.tokenizer = model, tokenizer
        self._make_controls(dict(texts))
        self.strip = TokenStrip(layout={"flex": "1 1 320px", "min_width": "280px"})
        self.shown = ipywidgets.Box(layout={"flex": "0 1 auto"})
        picture = ipywidgets.HBox(
            [self.strip, self.shown], layout={"flex_flow": "wrap", "align_items": "flex-start"}
        )
        picture.add_class("mechcourse-card")
        super().__init__(
            [
                ipywidgets.HBox(
                    [self.text, self.layer, self.head, self.direction], layout={"flex_flow": "wrap"}
                ),
                ipywidgets.HBox([self.typed, self.submit]),
                self.status,
                picture,
            ]
        )
        self.text.observe(self._choose_text, "value")
        self.submit.on_click(lambda _: self.read())
        self.layer.observe(self._redraw, "value")
        self.head.observe(self._redraw, "value")
        self.direction.observe(self._turn, "value")
        self.strip.observe(self._frame, "selected")
        self._choose_text()

    def _make_controls(self, texts: dict[str, str]) -> None:
        config = self.model.config
        heads: dict[str, int | str] = {f"head {head}": head for head in range(config.n_heads)}
        self.text = ipywidgets.Dropdown(options=texts, description="Text")
        self.layer = ipywidgets.Dropdown(options=range(config.n_layers), description="Layer")
        self.head = ipywidgets.Dropdown(options=heads | {MEAN: MEAN, ALL: ALL}, description="Head")
        for control, width in ((self.text, "230px"), (self.layer, "150px"), (self.head, "260px")):
            control.layout.width = width
            control.style = {"description_width": "46px"}
        self.direction = ipywidgets.ToggleButtons(
            options={"where it looks": "out", "who looks at it": "in"},
            tooltips=["darker: the chosen token looks here", "darker: looks at the chosen token"],
            style={"button_width": "118px"},
        )
        self.typed = ipywidgets.Textarea(
            description="Your text",
            placeholder="Type some Python, then press Look",
            rows=3,
            layout={"width": "560px"},
            style={"description_width": "66px"},
        )
        self.submit = ipywidgets.Button(
            description="Look", tooltip="Read the text on the left", layout={"width": "80px"}
        )
        self.status = ipywidgets.HTML()

    def _choose_text(self, _: Any = None) -> None:
        self.typed.value = self.text.value
        self.read()

    def read(self) -> None:
        """Run the model on the text that stands in the box."""
        text = self.typed.value
        encoding, n_ctx = self.tokenizer.encode(text), self.model.config.n_ctx
        if not encoding.ids:
            self._say("There is no text. Type some, then press Look.")
            return
        cut = len(encoding.ids) > n_ctx
        self._say(
            f"Cut: the model reads at most {n_ctx} tokens, and the text has {len(encoding.ids)}."
            if cut
            else f"{len(encoding.ids)} tokens."
        )
        ids = torch.tensor([encoding.ids[:n_ctx]])
        names = [f"blocks.{layer}.attn.hook_pattern" for layer in self.layer.options]
        with torch.no_grad():
            _, cache = self.model.run_with_cache(ids, names=names)
        self.patterns = torch.stack([cache[name][0] for name in names])
        self.tokens = token_texts(text, encoding.offsets[:n_ctx])
        self._new_figure()
        with self.strip.hold_sync():
            self.strip.texts = [_laid_out(token) for token in self.tokens]
            self.strip.pattern = self._bytes()
            self.strip.selected = len(self.tokens) - 1
        self._frame()

    def _say(self, text: str) -> None:
        self.status.value = f'<span role="status">{text}</span>'

    def pattern(self) -> Float[Tensor, "query key"]:
        """The pattern that the strip shows: one head's, or the mean of the layer's."""
        heads = self.patterns[self.layer.value]
        return heads[self.head.value] if isinstance(self.head.value, int) else heads.mean(dim=0)

    def _bytes(self) -> bytes:
        return self.pattern().numpy().astype(np.float32).tobytes()

    def _title(self) -> str:
        heads = {MEAN: "mean of all heads", ALL: "all heads"}
        which = heads.get(self.head.value, f"head {self.head.value}")
        return f"Layer {self.layer.value}, {which}"

    def _new_figure(self) -> None:
        self._grid = self.head.value == ALL
        if self._grid:
            heads = self.patterns[self.layer.value]
            fig = plots.attention_heads(heads, self.tokens, self._title())
        else:
            pattern, tokens = self.pattern(), self.tokens
            fig = plots.attention_pattern(pattern, tokens, self._title(), pixels=MAP_PIXELS)
        # A FigureWidget is drawn before it has a place on the page, and then plotly sets a
        # subtitle on top of its title.
        fig.layout.title.subtitle.text = ""
        self.figure = go.FigureWidget(fig)
        for head, trace in enumerate(self.figure.data):
            trace.on_click(lambda _, points, __, head=head: self._clicked(points, head))
        self._frame()
        self.shown.children = [self.figure]

    def _redraw(self, _: Any) -> None:
        self.strip.pattern = self._bytes()
        grid = self.head.value == ALL
        if grid != self._grid:
            self._new_figure()
            return
        patterns = self.patterns[self.layer.value] if grid else [self.pattern()]
        with self.figure.batch_update():
            for trace, pattern in zip(self.figure.data, patterns, strict=True):
                trace.z = plots.past_only(pattern)
            self.figure.layout.title.text = self._title()

    def _turn(self, _: Any) -> None:
        self.strip.direction = self.direction.value
        self._frame()

    def _frame(self, _: Any = None) -> None:
        """Frame the chosen token's row of the map, or its column."""
        chosen, n = self.strip.selected, len(self.tokens)
        row = {"y0": chosen - 0.5, "y1": chosen + 0.5, "x0": -0.5, "x1": chosen + 0.5}
        column = {"x0": chosen - 0.5, "x1": chosen + 0.5, "y0": chosen - 0.5, "y1": n - 0.5}
        place = row if self.direction.value == "out" else column
        line = {"color": plots.NEGATIVE, "width": 1.5}
        self.figure.layout.shapes = () if self.head.value == ALL else [{**place, "line": line}]

    def _clicked(self, points: Any, head: int) -> None:
        """A click in the map chooses its query (or key); in the grid it also opens the head."""
        if not points.point_inds:
            return
        query, key = points.point_inds[0]
        self.strip.selected = int(query if self.direction.value == "out" else key)
        if self.head.value == ALL:
            self.head.value = head


def token_texts(text: str, offsets: Sequence[tuple[int, int]]) -> list[str]:
    """The stretch of the text that each token stands for.

    A byte-level token may be a part of one character: those are numbered, "é[1/2]", "é[2/2]".
    """
    found: list[str] = []
    for index, span in enumerate(offsets):
        piece = text[slice(*span)]
        parts = [other for other, wanted in enumerate(offsets) if wanted == span]
        if len(parts) > 1:
            piece += f"[{parts.index(index) + 1}/{len(parts)}]"
        found.append(piece)
    return found


def _laid_out(token: str) -> str:
    """A token as the strip shows it: its blanks visible, its line breaks kept."""
    return plots.visible(token, longest=1000).replace("↵", "↵\n")


def _short(text: str) -> str:
    """A text's first words, to choose it by."""
    line = " ".join(text.split())
    return line if len(line) <= 28 else line[:27] + "…"
