"""Square panels in rows: where each stands, and room for its own scale beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mechcourse.plots._style import MUTED, WIDTH, card, label, scale

BAR = 58  # pixels that a panel's own colour bar takes at its right


@dataclass(frozen=True)
class Room:
    """Pixels around square panels.

    Attributes:
        left, right, top, bottom: around all of them.
        across: between two side by side.
        down: between two over one another, what stands over a panel included.
        largest: the side of a panel that has its row to itself.
    """

    left: float
    right: float
    top: float
    bottom: float
    across: float
    down: float
    largest: float = 560.0


@dataclass(frozen=True)
class Grid:
    """An empty figure with square panels.

    Attributes:
        side: of a panel, in pixels.
        places: the row and column of each panel, from 1.
    """

    fig: go.Figure
    side: float
    places: list[tuple[int, int]]


def square_panels(
    heads: Sequence[str], most_cols: int, title: str, subtitle: str, room: Room, **titles: str
) -> Grid:
    """As many square panels as heads, wrapped into rows, as wide together as a figure may be.

    Args:
        heads: what stands over each panel, as HTML.
        titles: `x_title` and `y_title`, of all panels.

    Raises:
        ValueError: there is no panel.
    """
    if not heads:
        raise ValueError("there is no panel to draw: give at least one")
    cols = min(most_cols, len(heads))
    rows = -(-len(heads) // cols)
    inside = WIDTH - room.left - room.right
    side = min(room.largest, (inside - room.across * (cols - 1)) / cols)
    wide, high = cols * side + room.across * (cols - 1), rows * side + room.down * (rows - 1)
    fig = make_subplots(
        rows,
        cols,
        subplot_titles=heads,
        horizontal_spacing=room.across / wide,
        vertical_spacing=room.down / high,
        **titles,
    )
    fig.update_annotations(font={"size": 13, "color": MUTED})
    fig.update_layout(card(title, subtitle))
    # Margins are set by hand, not by plotly, so that the panels come out square.
    fig.update_layout(
        height=high + room.top + room.bottom,
        margin={
            **{"l": room.left, "r": WIDTH - room.left - wide},
            **{"t": room.top, "b": room.bottom},
        },
        showlegend=False,
    )
    return Grid(fig, side, [(i // cols + 1, i % cols + 1) for i in range(len(heads))])


def own_scale(
    grid: Grid, index: int, colours: Sequence[Any], low: float, high: float
) -> dict[str, str]:
    """Give a panel a colour axis with a bar at its right; what a heat map needs to use it."""
    row, col = grid.places[index]
    axes = grid.fig.get_subplot(row, col)
    bar = {
        **{"x": axes.xaxis.domain[1], "xanchor": "left", "xpad": 5},
        **{"y": sum(axes.yaxis.domain) / 2, "ypad": 0},
        **{"lenmode": "pixels", "len": grid.side, "thickness": 8, "nticks": 5},
        **{"tickfont": {"size": 10}, "tickformat": "~g", "ticklen": 2},
    }
    name = f"coloraxis{index + 1 if index else ''}"
    grid.fig.update_layout({name: scale(colours, low, high, "")})
    grid.fig.layout[name].colorbar.update(bar)
    return {"coloraxis": name}


def head(name: str) -> str:
    """A panel's name as its head."""
    return f"<b>{label(name)}</b>"
