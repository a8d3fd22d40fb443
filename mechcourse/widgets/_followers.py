"""The induction explorer: a token, what followed its earlier copies, and which heads look there."""

from html import escape
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets
import plotly.graph_objects as go
import traitlets

from mechcourse import plots
from mechcourse.models import Transformer
from mechcourse.widgets._codec import Codec, Functions
from mechcourse.widgets._follower_scores import MEASURES, Reading, numbers_of

ASSETS = Path(__file__).parent.parent / "assets"
KEY = (
    '<div class="mechcourse-key"><span class="chosen">chosen</span>'
    '<span class="copy">earlier copy</span><span class="follower">followed a copy</span>'
    '<span class="follower last">followed the last copy</span>'
    '<span class="repeated">came before</span></div>'
)
WRITTEN = 12  # the most heads in a row whose cells have room for their values


class FollowerStrip(anywidget.AnyWidget):
    """A text by tokens; those marked are the chosen one's copies and what followed them."""

    _esm = ASSETS / "follower_strip.js"
    _css = "\n".join(
        (ASSETS / name).read_text(encoding="utf-8")
        for name in ("token_strip.css", "follower_strip.css")
    )
    texts = traitlets.List(traitlets.Unicode()).tag(sync=True)
    repeated = traitlets.List(traitlets.Int()).tag(sync=True)  # positions that have a copy
    copies = traitlets.List(traitlets.Int()).tag(sync=True)
    followers = traitlets.List(traitlets.Int()).tag(sync=True)
    selected = traitlets.Int(0).tag(sync=True)


class InductionExplorer(ipywidgets.VBox):
    """See `mechcourse.widgets.induction_explorer`; its controls are attributes."""

    def __init__(self, model: Transformer, tokenizer: Codec | Functions, text: str) -> None:
        if not model.config.n_layers:
            raise ValueError("this model has 0 layers, so it has no head to look into")
        self.model = model
        self.encode, self.decode = (
            tokenizer if isinstance(tokenizer, tuple) else (tokenizer.encode, tokenizer.decode)
        )
        self.reading: Reading | None = None  # until there is a text
        self._make_controls(text)
        self._make_figure()
        strip = ipywidgets.VBox(
            [self.strip, ipywidgets.HTML(KEY)], layout={"flex": "1 1 320px", "min_width": "280px"}
        )
        picture = ipywidgets.HBox(
            [strip, self.figure], layout={"flex_flow": "wrap", "align_items": "flex-start"}
        )
        picture.add_class("mechcourse-card")
        super().__init__(
            [
                ipywidgets.HBox([self.typed, self.submit], layout={"flex_flow": "wrap"}),
                self.status,
                ipywidgets.HBox([self.token, self.measure], layout={"flex_flow": "wrap"}),
                picture,
                self.said,
            ]
        )
        self.submit.on_click(lambda _: self.read())
        self.strip.observe(self._redraw, "selected")
        self.token.observe(self._slide, "value")
        self.measure.observe(self._redraw, "value")
        self.read()

    def _make_controls(self, text: str) -> None:
        self.typed = ipywidgets.Textarea(
            value=text,
            description="Your text",
            placeholder="Paste some code, then press Look",
            rows=6,
            layout={"width": "600px"},
            style={"description_width": "66px"},
        )
        self.submit = ipywidgets.Button(
            description="Look", tooltip="Read the text on the left", layout={"width": "80px"}
        )
        self.status = ipywidgets.HTML()
        self.token = ipywidgets.IntSlider(
            min=0,
            max=0,
            description="Position",
            layout={"width": "340px"},
            style={"description_width": "66px"},
        )
        self.measure = ipywidgets.Dropdown(
            options={what: measure for measure, what in MEASURES.items()},
            description="Attention on",
            layout={"width": "330px"},
            style={"description_width": "90px"},
        )
        self.strip = FollowerStrip()
        # Room for three lines, so that what stands below stays where it is.
        self.said = ipywidgets.HTML(layout={"min_height": "80px"})

    def _make_figure(self) -> None:
        """A row for each layer, the last one at the top, and a column for each head."""
        n_layers, n_heads = self.model.config.n_layers, self.model.config.n_heads
        cell = min(52.0, 300 / n_heads, 420 / n_layers)
        wide, high = cell * n_heads, cell * n_layers
        width = max(400.0, wide + 150)
        cells = go.Heatmap(
            zmin=0,
            zmax=1,
            colorscale=plots.SEQUENTIAL,
            colorbar={"thickness": 12, "outlinewidth": 0},
            hoverongaps=False,
            xgap=1,
            ygap=1,
            texttemplate="%{z:.2f}" if n_heads <= WRITTEN and cell >= 24 else None,
            textfont_size=11 if cell > 34 else 9,
            hovertemplate="%{customdata}<extra></extra>",
        )
        axis = {"showgrid": False, "showline": False, "ticks": "", "zeroline": False}
        fig = go.Figure(cells)
        fig.update_layout(
            template=plots.TEMPLATE,
            plot_bgcolor="#f1f3f5",  # seen only where there is nothing to show
            width=width,
            height=max(high, 120) + 130,
            margin={"l": 60, "r": width - wide - 60, "t": 72, "b": 58 + max(0, 120 - high)},
            title={"font": {"size": 14}, "pad": {"l": 20, "t": 14}},
            xaxis={**axis, "title_text": "head", "dtick": 1, "range": [-0.5, n_heads - 0.5]},
            yaxis={**axis, "title_text": "layer", "dtick": 1, "range": [-0.5, n_layers - 0.5]},
        )
        fig.data[0].colorbar.update(lenmode="pixels", len=max(high, 120), y=1, yanchor="top")
        self.figure = go.FigureWidget(fig)

    def read(self) -> None:
        """Run the model on the text that stands in the box."""
        ids, config = numbers_of(self.encode(self.typed.value)), self.model.config
        if not ids:
            stays = " What was shown stays." if self.reading else ""
            self._say(self.status, f"There is no text. Paste some code, then press Look.{stays}")
            return
        if (largest := max(ids)) >= config.d_vocab:
            self._say(
                self.status,
                f"The text holds token {largest}, and the model knows only {config.d_vocab} "
                "tokens: this tokenizer and this model don't belong together.",
            )
            return
        self.reading = Reading.of(self.model, ids[: config.n_ctx], self.decode)
        repeated, n_read = self.reading.repeated, len(self.reading.ids)
        self._say(self.status, _counted(len(ids), n_read, len(repeated)))
        self.token.max = n_read - 1
        with self.strip.hold_sync():
            self.strip.texts = [_laid_out(name) for name in self.reading.names]
            self.strip.repeated = repeated
            self.strip.selected = repeated[-1] if repeated else n_read - 1
        self._redraw()

    def _slide(self, _: Any) -> None:
        self.strip.selected = self.token.value

    def _redraw(self, _: Any = None) -> None:
        """Mark the chosen token's copies and what followed them; show and tell who looks there."""
        if self.reading is None:
            return
        chosen = min(max(self.strip.selected, 0), len(self.reading.ids) - 1)
        self.token.value = chosen
        copies, measure = self.reading.copies_of(chosen), self.measure.value
        with self.strip.hold_sync():
            self.strip.copies = copies
            self.strip.followers = [copy + 1 for copy in copies]
        title = "This token has no earlier copy"
        if copies:
            even = self.reading.even(chosen, measure)
            title = f"Attention on {MEASURES[measure]}<br><sub>even attention: {even:.3f}</sub>"
        with self.figure.batch_update():
            self.figure.layout.title.text = title
            self.figure.data[0].z = self._cells(chosen, measure) if copies else self._blank
            self.figure.data[0].customdata = self._told(chosen) if copies else self._blank
        self._say(self.said, self.reading.sentence(chosen))

    def _cells(self, chosen: int, measure: str) -> list[list[float]]:
        return self.reading.scores[measure][:, :, chosen].tolist()

    def _told(self, chosen: int) -> list[list[str]]:
        tables = {measure: self._cells(chosen, measure) for measure in MEASURES}
        return [
            [
                self.reading.told(
                    chosen,
                    f"{layer}.{head}",
                    {m: table[layer][head] for m, table in tables.items()},
                )
                for head in range(self.model.config.n_heads)
            ]
            for layer in range(self.model.config.n_layers)
        ]

    @property
    def _blank(self) -> list[list[None]]:
        return [[None] * self.model.config.n_heads] * self.model.config.n_layers

    def _say(self, line: ipywidgets.HTML, text: str) -> None:
        line.value = f'<span role="status">{escape(text, quote=False)}</span>'


def _laid_out(token: str) -> str:
    """A token as the strip shows it: its blanks visible, its line breaks kept."""
    return plots.visible(token, longest=1000).replace("↵", "↵\n")


def _counted(n_tokens: int, n_read: int, n_repeated: int) -> str:
    """How long the text is, what was cut, and what there is to choose."""
    cut = (
        f"Cut: the model reads at most {n_read} tokens, and the text has {n_tokens}; the last "
        f"{n_tokens - n_read} are left out. "
        if n_tokens > n_read
        else ""
    )
    many = "1 token" if n_read == 1 else f"{n_read} tokens"
    if not n_repeated:
        return f"{cut}{many}; none of them came before, so there is nothing to look up."
    return f"{cut}{many}; {n_repeated} of them came before (dotted). Click on one of these."
