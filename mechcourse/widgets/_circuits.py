"""The circuit explorer: a token, a head, and what the head does with this token."""

from html import escape
from typing import Any

import ipywidgets
import plotly.graph_objects as go
import torch
from jaxtyping import Float
from plotly.subplots import make_subplots
from tokenizers import Tokenizer
from torch import Tensor

from mechcourse import plots
from mechcourse.circuits import ov_circuit, qk_circuit
from mechcourse.models import Transformer
from mechcourse.widgets._tokens import as_text, token_names

SHOWN = 8  # tokens at each end of a list
SCORE, LOGIT = "score, less the mean over keys", "logit, less the mean of all"
PANELS = (  # heading, and what the bars measure
    ("Standing on it, looks for", SCORE),
    ("Who looks for it", SCORE),
    ("Looking at it, says", LOGIT),
)
# What a bar says on hovering: {0} is the chosen token, {1} the bar's.
TOLD = (
    "Standing on '{0}', it looks for '{1}'",
    "Standing on '{1}', it looks for '{0}'",
    "Looking at '{0}', it says '{1}'",
)
HELP = "Click on a row to take its token.<br>· blank · ↵ line break<br>·×7 seven blanks"
NO_POSITIONS = "Positions are left out: these are scores between tokens, wherever they stand."
DIRECT_ONLY = (
    "This is the token-to-token circuit of the direct embedding only: what earlier heads wrote is "
    "not in it."
)


class CircuitExplorer(ipywidgets.VBox):
    """See `mechcourse.widgets.circuit_explorer`; its controls are attributes."""

    def __init__(self, model: Transformer, tokenizer: Tokenizer, token: str = " def") -> None:
        d_vocab = model.config.d_vocab
        if not model.config.n_layers:
            raise ValueError("this model has 0 layers, so it has no head to look into")
        if tokenizer.get_vocab_size() > d_vocab:
            raise ValueError(
                f"this tokenizer has {tokenizer.get_vocab_size()} tokens and the model only "
                f"{d_vocab}: they don't belong together"
            )
        self.model, self.tokenizer = model, tokenizer
        self.names = token_names(tokenizer, d_vocab)
        self.chosen, self._remark = 0, ""
        self._shown: list[list[int]] = [[], [], []]  # the tokens of each panel's bars
        self._make_controls(token)
        self._make_figure()
        controls = [self.token, self.look, self.layer, self.head]
        super().__init__(
            [
                ipywidgets.HBox(controls, layout={"flex_flow": "wrap"}),
                self.status,
                self.figure,
                self.note,
            ]
        )
        self.token.observe(self.read, "value")
        self.look.on_click(self.read)
        self.layer.observe(self._redraw, "value")
        self.head.observe(self._redraw, "value")
        self.read()

    def _make_controls(self, token: str) -> None:
        config = self.model.config
        self.token = ipywidgets.Text(
            value=token,
            description="Token",
            placeholder="Type one, then press Enter",
            continuous_update=False,
        )
        self.look = ipywidgets.Button(
            description="Look", tooltip="Take the token on the left", layout={"width": "80px"}
        )
        self.layer = ipywidgets.Dropdown(options=range(config.n_layers), description="Layer")
        heads = {f"head {head}": head for head in range(config.n_heads)}
        self.head = ipywidgets.Dropdown(options=heads, description="Head")
        for control, width in ((self.token, "260px"), (self.layer, "150px"), (self.head, "190px")):
            control.layout.width = width
            control.style = {"description_width": "46px"}
        # Room for two lines, so that the figure stays where it is when the words get longer.
        self.status = ipywidgets.HTML(layout={"min_height": "56px"})
        self.note = ipywidgets.HTML()

    def _make_figure(self) -> None:
        """The three panels, without bars yet."""
        n_rows = 2 * self._each_end() + 1
        bars = go.Bar(
            orientation="h",
            textposition="outside",
            textfont_size=10,
            cliponaxis=False,
            hovertemplate="%{customdata}<extra></extra>",
        )
        headings = [f"<b>{heading}</b>" for heading, _ in PANELS]
        fig = make_subplots(1, 3, subplot_titles=headings, horizontal_spacing=0.13)
        for panel, (_, measure) in enumerate(PANELS, start=1):
            fig.add_trace(bars, row=1, col=panel)
            fig.update_xaxes(title_text=measure, title_font_size=11, row=1, col=panel)
        fig.update_annotations(font_size=13, xanchor="center")
        fig.add_annotation(
            text=HELP,
            **{"x": 0, "xref": "x2 domain", "y": n_rows - 1, "yref": "y2"},  # where no bar is
            align="left",
            font={"size": 11, "color": "#656d76"},
            bgcolor="white",
            showarrow=False,
            xanchor="left",
            yanchor="bottom",
        )
        fig.update_xaxes(zeroline=True, zerolinecolor="#656d76", tickfont_size=10, nticks=5)
        fig.update_yaxes(
            range=[n_rows - 0.4, -0.6],
            ticks="",
            showgrid=False,
            showline=False,
            automargin=False,
            ticklabelstandoff=4,
            tickfont={"family": "monospace", "size": 11},
        )
        fig.update_layout(
            template=plots.TEMPLATE,
            width=820,
            height=20 * n_rows + 140,
            margin={"l": 96, "r": 20, "t": 80, "b": 56},
            showlegend=False,
            bargap=0.25,
            hovermode="y",
        )
        self.figure = go.FigureWidget(fig)
        for panel, trace in enumerate(self.figure.data):
            trace.on_click(lambda _, points, __, panel=panel: self._clicked(points, panel))

    def _each_end(self) -> int:
        return max(1, min(SHOWN, self.model.config.d_vocab // 2))

    def read(self, _: Any = None) -> None:
        """Take the token that stands in the box, or the first of several."""
        typed, self._remark = self.token.value, ""
        if typed in self.names:
            if typed != self.names[self.chosen]:
                self.chosen = self.names.index(typed)
            self._redraw()
            return
        ids = self.tokenizer.encode(as_text(typed), add_special_tokens=False).ids
        if len(ids) > 1:
            parts = ", ".join(f"'{self.names[part]}'" for part in ids[:4])
            more = " …" if len(ids) > 4 else ""
            self._remark = f"These are {len(ids)} tokens, {parts}{more}; the first is shown."
        elif not ids:
            what = f"The tokenizer has no token for '{typed}'." if typed else "There is no token."
            self._remark = f"{what} Type one, then press Enter; '{self.names[self.chosen]}' stays."
        self.chosen = ids[0] if ids else self.chosen
        self._redraw()

    @torch.no_grad()
    def _circuits(self) -> tuple[Float[Tensor, " d_vocab"], ...]:
        """The chosen head's scores with the token as query and as key, and what it raises."""
        W_E, W_U = self.model.embed.W_E, self.model.unembed.W_U
        attn, head = self.model.blocks[self.layer.value].attn, self.head.value
        W_Q, W_K, W_V, W_O = (
            weight[head : head + 1] for weight in (attn.W_Q, attn.W_K, attn.W_V, attn.W_O)
        )
        (queries,), (keys,) = qk_circuit(W_E, W_Q, W_K)
        (sources,), (outputs,) = ov_circuit(W_E, W_V, W_O, W_U)
        # The softmax takes no notice of what a query gives all keys alike.
        keys = keys - keys.mean(dim=-1, keepdim=True)
        token = self.chosen
        return queries[token] @ keys, queries @ keys[:, token], sources[token] @ outputs

    def _redraw(self, _: Any = None) -> None:
        """Show the chosen token in the chosen head, in the bars that stand there already."""
        looks_for, looked_for, says = self._circuits()
        each, name = self._each_end(), self.names[self.chosen]
        ends = [_ends(looks_for, each), looked_for.topk(each).indices.tolist(), _ends(says, each)]
        with self.figure.batch_update():
            where = f"Layer {self.layer.value}, head {self.head.value}"
            self.figure.layout.title.text = f"{where}, token '{escape(name, quote=False)}'"
            for panel, values in enumerate((looks_for, looked_for, says)):
                self._fill(panel, ends[panel], values, TOLD[panel])
        rank = 1 + int((says > says[self.chosen]).sum())
        lowered = " (it is lowered)" if says[self.chosen] < 0 else ""
        self._say(
            self.status,
            f"{self._remark} Standing on '{name}', the head looks most for "
            f"'{self.names[ends[0][0]]}'. Looking at it, the head raises "
            f"'{self.names[ends[2][0]]}' most; its own logit is the {ordinal(rank)} of "
            f"{len(says)} raised most{lowered}.",
        )
        self._say(self.note, f"{NO_POSITIONS} {DIRECT_ONLY if self.layer.value else ''}")

    def _fill(
        self, panel: int, tokens: list[int], values: Float[Tensor, " d_vocab"], told: str
    ) -> None:
        """Give one panel its bars: first the largest, below a gap the smallest."""
        each = self._each_end()
        rows = [row + (row >= each) for row in range(len(tokens))]
        amounts = values[tokens].tolist()
        names = [self.names[token] for token in tokens]
        chosen = escape(self.names[self.chosen], quote=False)
        trace, axis = self.figure.data[panel], f"axis{panel + 1 if panel else ''}"
        trace.update(
            x=amounts,
            y=rows,
            text=[signed(amount) for amount in amounts],
            marker={"color": [plots.POSITIVE if x >= 0 else plots.NEGATIVE for x in amounts]},
            customdata=[
                f"{told.format(chosen, escape(name, quote=False))}: {signed(amount)}"
                for name, amount in zip(names, amounts, strict=True)
            ],
        )
        low, high = min(0.0, *amounts), max(0.0, *amounts)
        room = 0.36 * ((high - low) or 1.0)
        self.figure.layout[f"x{axis}"].range = [low - room * (low < 0), high + room * (high > 0)]
        short = [name if len(name) <= 12 else name[:11] + "…" for name in names]
        labels = [escape(name, quote=False) for name in short]
        labels = [
            f"<b>{text}</b>" if token == self.chosen else text
            for text, token in zip(labels, tokens, strict=True)
        ]
        self.figure.layout[f"y{axis}"].update(tickvals=rows, ticktext=labels)
        self._shown[panel] = tokens

    def _say(self, line: ipywidgets.HTML, text: str) -> None:
        line.value = f'<span role="status">{escape(text.strip(), quote=False)}</span>'

    def _clicked(self, points: Any, panel: int) -> None:
        """A click on a bar takes its token."""
        if not points.point_inds:
            return
        self.chosen = self._shown[panel][points.point_inds[0]]
        if self.token.value == self.names[self.chosen]:
            self.read()  # the box changes nothing and so calls nobody
        self.token.value = self.names[self.chosen]


def _ends(values: Float[Tensor, " d_vocab"], each: int) -> list[int]:
    """The numbers of the largest values, falling, then of the smallest, the very smallest last."""
    order = values.argsort(descending=True).tolist()
    return order[:each] + order[-each:]


def ordinal(rank: int) -> str:
    """A place in words.

    >>> ordinal(1), ordinal(12), ordinal(23)
    ('1st', '12th', '23rd')
    """
    ending = {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th")
    return f"{rank}{'th' if rank % 100 in (11, 12, 13) else ending}"


def signed(amount: float) -> str:
    """A number with its sign, a true minus, to two places."""
    return f"{amount:+.2f}".replace("-", "\N{MINUS SIGN}")
