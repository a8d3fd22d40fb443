"""Which heads of one layer read what heads of an earlier one write."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float
from torch import Tensor

from mechcourse.plots._style import INK, MUTED, WIDTH, figure, label, same_length

# Colour and dash of each kind; none of them the blue and orange that stand for signs.
STYLES = {
    "Q": ("#a3487c", "dot"),
    "K": ("#00704f", "solid"),
    "V": ("#44444d", "dash"),
}
OTHER = (("#8f6100", "dashdot"), ("#1f77a8", "longdash"))
SIDE, TALL = WIDTH - 60, 270  # pixels, which are also the units of both axes
BOW = 32.0  # how far apart parallel edges are at their middle


def composition_graph(
    z: Mapping[str, Float[Tensor, "earlier later"]],
    earlier: Sequence[str],
    later: Sequence[str],
    title: str = "Which heads read which",
    threshold: float | int = 3.0,
) -> go.Figure:
    """Heads of two layers and, between them, an edge for every score far above its null.

    The wider an edge the larger its z-score, and the same width means the same score in every
    figure. A head without an edge is pale.

    Args:
        z: for each kind of composition ("Q", "K", "V") the z-scores of all pairs.
        earlier: the heads that write, below; `later` those that read, above.
        threshold: standard deviations of the null above which a pair gets an edge.

    Raises:
        ValueError: there is no kind, or not one name for each row and each column.
    """
    if not z:
        raise ValueError("z is empty: give at least one kind of composition")
    scores = {kind: each.detach().double().numpy() for kind, each in z.items()}
    for each in scores.values():
        same_length("earlier heads", earlier, "rows", each.shape[0])
        same_length("later heads", later, "columns", each.shape[1])
    every = np.concatenate([each.flatten() for each in scores.values()])
    above, below = int((every > threshold).sum()), int((every < -threshold).sum())
    fig = figure(
        title,
        f"{above} of {every.size} pairs lie above z = {threshold:g} and have an edge · "
        f"{below} lie below \N{MINUS SIGN}{threshold:g} and have none",
        height=TALL + 190,
    )
    styles = _styles(list(z))
    for kind, each in scores.items():
        color, dash = styles[kind]
        fig.add_scatter(
            **{"x": [None], "y": [None], "mode": "lines", "hoverinfo": "skip"},
            name=label(f"{kind}: {int((each > threshold).sum())} of {each.size} pairs"),
            line={"color": color, "dash": dash, "width": 3},
        )
    edges = _edges(scores, threshold)
    columns = _columns(len(earlier)), _columns(len(later))
    taken: list[np.ndarray] = []
    for score, kind, row, col, bow in edges:
        path = _path(columns[0][row], columns[1][col], bow)
        told = f"{kind}, {earlier[row]} → {later[col]}: z = {score:.1f}"
        _draw_edge(fig, path, score, styles[kind], label(told))
        _name_edge(fig, path, f"{kind} {score:.0f}", styles[kind][0], taken)
    busy = {row for _, _, row, _, _ in edges}, {col for _, _, _, col, _ in edges}
    for side, names in enumerate((earlier, later)):
        for place, (x, name) in enumerate(zip(columns[side], names, strict=True)):
            _draw_head(fig, x, side * TALL, label(name), pale=place not in busy[side])
    _lay_out(fig)
    return fig


def _lay_out(fig: go.Figure) -> None:
    for y, text in ((-36, "earlier: these write"), (TALL + 36, "later: these read")):
        fig.add_annotation(x=0, y=y, text=text, xanchor="left", font_color=MUTED, showarrow=False)
    hidden = {"visible": False, "fixedrange": True}
    fig.update_layout(
        showlegend=True,
        legend={"itemclick": False, "itemdoubleclick": False},
        margin={"l": 30, "r": 30, "t": 112, "b": 20},
        xaxis={**hidden, "range": [0, SIDE]},
        yaxis={**hidden, "range": [-48, TALL + 48]},
    )


def _styles(kinds: Sequence[str]) -> dict[str, tuple[str, str]]:
    others = [kind for kind in kinds if kind not in STYLES]
    return STYLES | {kind: OTHER[i % len(OTHER)] for i, kind in enumerate(others)}


def _columns(n_heads: int) -> list[float]:
    """Where the heads of a layer stand."""
    return [(head + 0.5) * SIDE / n_heads for head in range(n_heads)]


def _edges(
    scores: Mapping[str, np.ndarray], threshold: float | int
) -> list[tuple[float, str, int, int, float]]:
    """(z, kind, row, column, bow) of every edge, the largest score first."""
    found = []
    n_rows, n_cols = next(iter(scores.values())).shape
    for row, col in np.ndindex(n_rows, n_cols):
        kinds = [kind for kind, each in scores.items() if each[row, col] > threshold]
        for index, kind in enumerate(kinds):
            bow = (index - (len(kinds) - 1) / 2) * 2 * BOW
            found.append((float(scores[kind][row, col]), kind, row, col, bow))
    return sorted(found, key=lambda edge: -edge[0])


def _path(start: float, end: float, bow: float) -> np.ndarray:
    """Points along an edge from one row to the other, bent sideways where it has company."""
    t = np.linspace(0, 1, 41)
    x = (1 - t) * start + t * end + 4 * t * (1 - t) * bow / 2
    return np.stack([x, 18 + t * (TALL - 36)])


def _draw_edge(
    fig: go.Figure, path: np.ndarray, score: float, style: tuple[str, str], told: str
) -> None:
    fig.add_scatter(
        x=path[0].tolist(),
        y=path[1].tolist(),
        mode="lines",
        line={"color": style[0], "dash": style[1], "width": min(1.5 + score / 3, 11)},
        opacity=0.75,
        showlegend=False,
        hovertemplate=f"{told}<extra></extra>",
    )


def _name_edge(
    fig: go.Figure, path: np.ndarray, text: str, colour: str, taken: list[np.ndarray]
) -> None:
    """Write an edge's kind and score on it, where no other is written; hovering always tells."""
    for step in (20, 14, 26, 10, 30, 17, 23, 7, 33):
        at = path[:, step]
        if all(abs(at[0] - x) > 44 or abs(at[1] - y) > 20 for x, y in taken):
            taken.append(at)
            fig.add_annotation(
                x=at[0],
                y=at[1],
                text=f"<b>{label(text)}</b>",
                font={"color": colour, "size": 12},
                bgcolor="rgba(255,255,255,0.92)",
                borderpad=2,
                showarrow=False,
            )
            return


def _draw_head(fig: go.Figure, x: float, y: float, name: str, pale: bool) -> None:
    fig.add_annotation(
        x=x,
        y=y,
        text=name if pale else f"<b>{name}</b>",
        font={"size": 13, "color": "#8c959f" if pale else INK},
        bgcolor="white",
        bordercolor="#d0d7de" if pale else INK,
        borderwidth=1.5,
        borderpad=7,
        showarrow=False,
    )
