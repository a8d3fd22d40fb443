"""What a model does on all pairs (a, b): heat maps over them, and the logits for each sum."""

from collections.abc import Mapping

import plotly.graph_objects as go
from jaxtyping import Float, Shaped
from torch import Tensor

from mechcourse.plots._frames import MARGIN, controls
from mechcourse.plots._grid import BAR, Room, head, own_scale, square_panels
from mechcourse.plots._style import COLOURS, DIVERGING, SEQUENTIAL, figure, label

ROOM = Room(left=66, right=BAR, top=100, bottom=58, across=BAR + 26, down=44)
HEIGHT, PLAY = 480, 160  # pixels; milliseconds that a sum stays when it plays
RIGHT = "#00704f"


def over_pairs(tables: Mapping[str, Shaped[Tensor, "p p"]], title: str) -> go.Figure:
    """Heat maps over all pairs, a downwards and b to the right, each with its own scale.

    A table that has values on both sides of 0 is blue above it and orange below, and white at 0;
    another is white at 0, or at its least value where all are far from 0.

    Raises:
        ValueError: there is no table, or one is not [p, p].
    """
    for name, table in tables.items():
        square(name, table)
    grid = square_panels(
        [head(name) for name in tables],
        3,
        title,
        "each panel has its own scale: read its bar" * (len(tables) > 1),
        ROOM,
        **{"x_title": "b", "y_title": "a"},
    )
    for index, (name, table) in enumerate(tables.items()):
        row, col = grid.places[index]
        values = table.detach().cpu().double()
        trace = go.Heatmap(
            z=values.float().numpy(),
            **own_scale(grid, index, *colours_for(values)),
            hoverongaps=False,
            hovertemplate=f"{label(name)}: %{{z:.4~g}}<br>a = %{{y}}, b = %{{x}}<extra></extra>",
        )
        grid.fig.add_trace(trace, row=row, col=col)
    axis = {"showgrid": False, "showline": False, "nticks": 5, "tickfont": {"size": 10}}
    grid.fig.update_xaxes(**axis, automargin=False)
    grid.fig.update_yaxes(**axis, automargin=False, autorange="reversed")
    return grid.fig


def colours_for(values: Tensor) -> tuple[list, float, float]:
    """Colours and ends: alike on both sides of 0 where there are values on both, else in order.

    >>> colours_for(Tensor([-1.0, 3.0]))[1:], colours_for(Tensor([0.0, 3.0]))[1:]
    ((-3.0, 3.0), (0.0, 3.0))
    >>> colours_for(Tensor([20.0, 30.0]))[1:]
    (20.0, 30.0)
    """
    finite = values[values.isfinite()]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    if low < 0 < high:
        reach = max(-low, high)
        return DIVERGING, -reach, reach
    if low == high:  # one value everywhere: in its colour, beside 0
        low, high = min(low, 0.0), max(high, 0.0) or float(low == 0)
    near, far = sorted((low, high), key=abs)
    if abs(near) < abs(far) / 2:
        near = 0.0
    if far > 0:
        return SEQUENTIAL, near, far
    return _below_zero(), far, near


def _below_zero() -> list[tuple[float, str]]:
    """White at the upper end, and darker orange the further below."""
    return [(place / 3, colour) for place, colour in enumerate(DIVERGING[:4])]


def animated_logits(by_sum: Float[Tensor, "sum p"], title: str) -> go.Figure:
    """The logits over all answers c, one frame for each sum (a + b) mod p, the right one marked.

    It opens at the sum in the middle; "play" starts at 0.

    Args:
        by_sum: row s holds the logits of a pair whose sum is s, or their mean over such pairs.

    Raises:
        ValueError: it is not [p, p].
    """
    square("by_sum", by_sum)
    values, p = by_sum.detach().cpu().double(), len(by_sum)
    names = [str(number) for number in range(p)]
    fig = figure(title, "one frame for each sum (a + b) mod p · green: the right answer")
    fig.frames = [go.Frame(data=_logits(values[s], s), name=names[s]) for s in range(p)]
    fig.add_traces(_logits(values[p // 2], p // 2))
    finite = values[values.isfinite()]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    room = 0.1 * ((high - low) or 1.0)
    fig.update_layout(
        height=HEIGHT,
        showlegend=False,
        margin=MARGIN | {"t": 84},
        xaxis={"title_text": "answer c", "range": [-0.03 * p, 1.03 * p - 1]},
        yaxis={"title_text": "logit", "range": [low - room, high + 1.6 * room]},
        **controls(names, p // 2, "(a + b) mod p = ", PLAY, redraw=True),
    )
    return fig


def _logits(logits: Float[Tensor, "p"], right: int) -> list[go.Scatter]:
    """The line of one sum's logits, and its right answer as a dot that says how it stands."""
    shown = [float(f"{logit:.4g}") for logit in logits.tolist()]
    line = go.Scatter(y=shown, mode="lines", line={"color": COLOURS[0], "width": 1.8})
    line.update(hovertemplate="answer %{x}: logit %{y:.4~g}<extra></extra>")
    above, as_high = (int(each.sum()) for each in (logits > logits[right], logits == logits[right]))
    stands = f"{above} larger" if above else "largest" if as_high == 1 else "one of the largest"
    dot = go.Scatter(x=[right], y=[shown[right]], mode="markers+text")
    far = right / max(1, len(shown) - 1)
    dot.update(
        text=[f"<b>right: {right}</b> ({stands})"],
        textposition=f"top {'right' if far < 0.15 else 'left' if far > 0.85 else 'center'}",
        textfont={"color": RIGHT, "size": 13},
        marker={"color": COLOURS[2], "size": 11, "line": {"color": "white", "width": 1.5}},
        cliponaxis=False,
        hovertemplate="the right answer %{x}: logit %{y:.4~g}<extra></extra>",
    )
    return [line, dot]


def square(name: str, table: Tensor) -> None:
    """Raise a `ValueError` unless a table has as many rows as columns, and at least one."""
    if table.ndim != 2 or table.shape[0] != table.shape[1] or not len(table):
        raise ValueError(
            f"{name!r} has shape {list(table.shape)}; give a square table, a row and a column for "
            "each number"
        )
