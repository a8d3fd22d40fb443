"""What figures share: the template, token axes, labels that keep out of each other's way."""

import math
from collections.abc import Sequence, Sized
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go
import torch
from torch import Tensor

Numbers = Sequence[float | int] | np.ndarray | Tensor

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#5b5b66")
# The same hues, dark enough to be read as text on white.
TEXT_COLOURS = ("#005a8e", "#b34700", "#00704f", "#a3487c", "#8f6100", "#1f77a8", "#44444d")
POSITIVE, NEGATIVE, INK, MUTED, PALE = "#2166ac", "#c2570c", "#24292f", "#656d76", "#f1f3f5"
MARK = "#fff3c4"
PAIR = ("#8c959f", "#009E73")  # two of a kind, where blue and orange would read as signs
# Leaves white quickly, so that a tenth of the attention can be seen.
SEQUENTIAL = [
    *((0.0, "#ffffff"), (0.08, "#dcebf7"), (0.25, "#a6cbe7")),
    *((0.5, "#5598cb"), (0.75, "#2166a8"), (1.0, "#0a2f5e")),
]
DIVERGING = ["#8c3d04", "#dd7a25", "#f9cfa2", "#ffffff", "#b3d3ec", "#4a8fca", "#0d4a8f"]
SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
MONO = "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace"
WIDTH = 820
# Dragging zooms and a double click goes back, so that saving and going home are enough.
BUTTONS_LEFT_OUT = (
    *("zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "autoScale2d", "lasso2d", "select2d"),
    *("hoverClosestCartesian", "hoverCompareCartesian", "toggleSpikelines", "sendChartToCloud"),
)

_axis = {
    "automargin": True,
    "gridcolor": "#e7eaee",
    "linecolor": "#c4cad1",
    "showline": True,
    "tickcolor": "#c4cad1",
    "ticks": "outside",
    "ticklen": 4,
    "title": {"font": {"size": 13, "color": MUTED}, "standoff": 10},
    "zeroline": False,
}
TEMPLATE = go.layout.Template(
    layout={
        "colorway": COLOURS,
        "font": {"family": SANS, "size": 12, "color": INK},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "title": {
            "font": {"size": 17},
            "subtitle": {"font": {"size": 13, "color": MUTED}},
            **{"x": 0, "xref": "container", "xanchor": "left", "pad": {"l": 20}},
            **{"y": 1, "yref": "container", "yanchor": "top", "pad": {"l": 20, "t": 18}},
        },
        "xaxis": _axis,
        "yaxis": _axis,
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
        "hoverlabel": {"font": {"family": SANS, "size": 13}, "align": "left"},
        # Two buttons, one over the other at the right edge: a row of them covers long titles.
        "modebar": {"orientation": "v", "remove": list(BUTTONS_LEFT_OUT)},
    }
)


def visible(token: str, longest: int = 16) -> str:
    """A token as a label: a space as `·`, a newline as `↵`, a tab as `⇥`; cut where too long.

    >>> visible("  return\\n")
    '··return↵'
    """
    shown = token.replace("\r\n", "\n")
    for blank, sign in {" ": "·", "\n": "↵", "\t": "⇥", "\r": "␍"}.items():
        shown = shown.replace(blank, sign)
    shown = shown or "∅"
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def label(text: str) -> str:
    """A text as plotly shows it as it stands: plotly reads `<` and `&` as HTML."""
    return escape(text, quote=False)


def figure(title: str, subtitle: str = "", **layout: Any) -> go.Figure:
    """An empty card; `layout` overrides its size and whatever else."""
    fig = go.Figure(layout=card(title, subtitle))
    fig.update_layout(**layout)
    return fig


def card(title: str, subtitle: str = "") -> dict[str, Any]:
    """The layout that makes a figure one of the course's."""
    return {
        "template": TEMPLATE,
        "title": {"text": label(title), "subtitle": {"text": label(subtitle)}},
        "width": WIDTH,
        "margin": {"l": 20, "r": 30, "t": 84, "b": 20},
    }


def scale(
    colours: Sequence[str | tuple[float, str]], low: float | int, high: float | int, title: str
) -> dict[str, Any]:
    """A colour axis with a slim bar at the right."""
    return {
        "colorscale": colours,
        "cmin": low,
        "cmax": high,
        "colorbar": {
            "title": {"text": title, "side": "right", "font": {"size": 12, "color": MUTED}},
            "thickness": 12,
            "outlinewidth": 0,
            "len": 1,
            "nticks": 6,
        },
    }


def token_axis(tokens: Sequence[str], pixels: float | int) -> dict[str, Any]:
    """An axis of positions that shows the tokens, which may repeat, in ticks and on hovering.

    Args:
        pixels: how much room one token has; where that is too little for every label, some are
            left out. 0 shows no labels at all.
    """
    # An alias, unlike a tick's text, also reaches the hover text of positions without a tick.
    alias = {str(pos): label(visible(token, 10)) for pos, token in enumerate(tokens)}
    return {
        "labelalias": alias,
        "tick0": 0,
        "dtick": 1 if pixels >= 8 or not pixels else math.ceil(8 / pixels),
        "showticklabels": pixels > 0,
        "ticks": "",
        "tickfont": {"family": MONO, "size": int(min(12, max(8, pixels - 2)))},
        "showgrid": False,
        "showline": False,
        "range": [-0.5, len(tokens) - 0.5],
    }


def spread(
    wanted: Sequence[float], gap: float | int, low: float | int, high: float | int
) -> list[float]:
    """Places as near as may be to those wanted, in the same order, at least `gap` apart.

    >>> spread([10.0, 11.0, 30.0], gap=4, low=0, high=40)
    [8.5, 12.5, 30.0]
    """
    order = np.argsort(wanted, kind="stable")
    # Once each place is shifted by its rank, "at least a gap apart" only asks for rising order,
    # and the nearest rising sequence is found by averaging neighbours that fall.
    blocks: list[list[float]] = []
    for rank, index in enumerate(order):
        blocks.append([wanted[index] - rank * gap])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            last = blocks.pop()
            blocks[-1] += last
    rising = [float(np.mean(block)) for block in blocks for _ in block]
    ceiling = max(low, high - (len(rising) - 1) * gap)
    places = [0.0] * len(rising)
    for rank, (index, place) in enumerate(zip(order, rising, strict=True)):
        places[index] = float(min(max(place, low), ceiling) + rank * gap)
    return places


def numbers(values: Numbers) -> list[float]:
    """A list of floats out of a list, an array or a tensor."""
    if isinstance(values, Tensor):
        values = values.detach().cpu()
    return torch.as_tensor(np.asarray(values, dtype=float)).flatten().tolist()


def same_length(what: str, given: Sized, of: str, wanted: int) -> None:
    """Raise a `ValueError` in words unless there is one thing given for each one wanted."""
    if len(given) != wanted:
        raise ValueError(f"there are {len(given)} {what} for {wanted} {of}; give one for each")


def signed(amount: float) -> str:
    """A number with its sign, a true minus, to two places."""
    return f"{amount:+.2f}".replace("-", "\N{MINUS SIGN}")
