"""Circuits between tokens: heat maps of their entries, and their eigenvalues."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from jaxtyping import Complex, Float
from plotly.subplots import make_subplots
from torch import Tensor

from mechcourse.plots._style import (
    DIVERGING,
    MUTED,
    NEGATIVE,
    POSITIVE,
    SEQUENTIAL,
    WIDTH,
    card,
    figure,
    label,
    same_length,
    scale,
    signed,
    token_axis,
    visible,
)

MOST_PANELS = 8
WRITTEN = 48  # cells; of more the values aren't written in
LONGEST = 26  # characters of a label of a row or column


def circuit_heatmap(
    values: Float[Tensor, "row col"],
    rows: Sequence[str],
    cols: Sequence[str],
    title: str,
    row_title: str = "source token",
    col_title: str = "token raised",
    unit: str = "logits",
) -> go.Figure:
    """A part of a circuit between tokens: white at zero, blue above and orange below.

    Where no value is below 0, as with norms or attention, the whole scale is for what is above.
    The rows stand from the top in the order given. Up to 60 tokens a side keep all their labels,
    and in a map of at most 48 cells each has its value written in.

    Args:
        rows: a token, or any other name, for each row; `cols` the same for the columns.

    Raises:
        ValueError: there is not one token for each row and one for each column.
    """
    same_length("row tokens", rows, "rows", values.shape[0])
    same_length("column tokens", cols, "columns", values.shape[1])
    rows, cols = ([_cut(named(each)) for each in names] for names in (rows, cols))
    cell, left, bottom = _fit(rows, cols)
    shown = values.detach().double()
    finite = shown[shown.isfinite()]
    extreme = (finite.abs().max().item() if len(finite) else 0.0) or 1.0
    signed = bool((finite < 0).any())
    how = "blue: above 0, orange: below, white: 0" if signed else "white: 0, darker: more"
    fig = figure(title, f"{how} · hover to read a cell")
    places = 3 if extreme < 0.3 else 2 if extreme < 10 else 0
    room = shown.numel() <= WRITTEN and cell >= 32
    fig.add_trace(
        go.Heatmap(
            z=shown.tolist(),
            coloraxis="coloraxis",
            xgap=1 if cell > 8 else 0,
            ygap=1 if cell > 8 else 0,
            hoverongaps=False,
            texttemplate=f"%{{z:.{places}f}}" if room else None,
            textfont_size=10,
            hovertemplate=f"{label(row_title)} '%{{y}}', {label(col_title)} '%{{x}}': "
            f"%{{z:.3f}} {label(unit)}<extra></extra>",
        )
    )
    # Margins are set by hand, not by plotly, so that the cells come out square.
    wide, high = cell * len(cols), cell * len(rows)
    width = max(left + wide + 90, min(WIDTH, 60 + 8.6 * len(title)), 460)
    fig.update_layout(
        width=width,
        height=84 + max(high + bottom, 150),
        margin={"l": left, "r": width - left - wide, "t": 84, "b": max(bottom, 150 - high)},
        yaxis={**_axis(rows, cell), "title_text": label(row_title), "autorange": "reversed"},
        xaxis={**_axis(cols, cell), "title_text": label(col_title), "tickangle": -90},
        coloraxis=scale(DIVERGING, -extreme, extreme, label(unit))
        if signed
        else scale(SEQUENTIAL, 0, extreme, label(unit)),
    )
    bar = {"y": 1, "yanchor": "top", "lenmode": "pixels", "len": max(high, 130)}
    fig.update_layout(coloraxis_colorbar={**bar, "title_side": "top"})
    return fig


def _fit(rows: Sequence[str], cols: Sequence[str]) -> tuple[float, float, float]:
    """The side of a cell, and the room for the labels at the left and below, in pixels."""
    cell = min(36.0, 600 / max(len(rows), len(cols), 1))
    font = token_axis(rows, cell)["tickfont"]["size"]
    left, bottom = (
        0.63 * font * max((len(name) for name in names), default=0) + 52 for names in (rows, cols)
    )
    return min(cell, (WIDTH - left - 90) / max(len(cols), 1)), left, bottom


def _axis(names: Sequence[str], cell: float) -> dict[str, Any]:
    shown = {str(place): label(name) for place, name in enumerate(names)}
    return token_axis(names, cell) | {"labelalias": shown, "ticklabelstandoff": 3}


def _cut(name: str) -> str:
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def eigenvalues(
    values: Mapping[str, Complex[Tensor, "_"]], title: str = "Eigenvalues of each circuit"
) -> go.Figure:
    """Eigenvalues in the complex plane, a panel with a scale of its own for each name.

    Over each panel stands the sum of its eigenvalues over the sum of their moduli, from -1 (all on
    the negative real axis) to 1 (all on the positive one); 0 where all are 0.

    Raises:
        ValueError: there is no panel to draw, or there are more than 8.
    """
    if not 1 <= len(values) <= MOST_PANELS:
        raise ValueError(f"give at least one panel and at most {MOST_PANELS}, not {len(values)}")
    cols = min(4, len(values)) if len(values) not in (5, 6) else 3
    rows = -(-len(values) // cols)
    side, gap, between = min(250, (WIDTH - 100 - 40 * (cols - 1)) / cols), 74, 40
    wide, high = cols * side + between * (cols - 1), rows * side + gap * (rows - 1)
    fig = make_subplots(
        rows,
        cols,
        subplot_titles=[
            f"<b>{label(name)}</b><br>{signed(_score(each))}" for name, each in values.items()
        ],
        horizontal_spacing=between / wide,
        vertical_spacing=gap / high,
        x_title="real part",
        y_title="imaginary part",
    )
    for index, (name, each) in enumerate(values.items()):
        _complex_plane(fig, name, each.detach(), index // cols + 1, index % cols + 1)
    fig.update_annotations(font={"size": 13, "color": MUTED})
    fig.update_layout(
        card(
            title,
            "blue: real part above 0, orange: below · number: sum / sum of moduli · "
            "each panel has its own scale",
        )
    )
    fig.update_layout(
        width=max(720, wide + 100),
        height=high + 190,
        margin={"l": 70, "r": max(720, wide + 100) - 70 - wide, "t": 126, "b": 64},
        showlegend=False,
    )
    return fig


def _score(values: Complex[Tensor, "_"]) -> float:
    """The sum of eigenvalues over the sum of their moduli."""
    moduli = values.abs().sum().item()
    return values.sum().real.item() / moduli if moduli else 0.0


def _complex_plane(
    fig: go.Figure, name: str, values: Complex[Tensor, "_"], row: int, col: int
) -> None:
    real, imag = values.real.tolist(), values.imag.tolist()
    reach = 1.12 * max([abs(part) for part in real + imag], default=0.0) or 1.0
    fig.add_scatter(
        x=real,
        y=imag,
        mode="markers",
        marker={
            "color": [POSITIVE if part > 0 else NEGATIVE for part in real],
            "size": 7,
            "opacity": 0.75,
            "line": {"width": 0.5, "color": "white"},
        },
        hovertemplate=f"{label(name)}: %{{x:.3~g}} %{{y:+.3~g}}i<extra></extra>",
        cliponaxis=False,
        **{"row": row, "col": col},
    )
    axis = {
        **{"range": [-reach, reach], "nticks": 5, "tickfont": {"size": 10}, "tickformat": "~g"},
        **{"zeroline": True, "zerolinecolor": MUTED, "zerolinewidth": 1, "automargin": False},
    }
    fig.update_xaxes(**axis, row=row, col=col)
    anchor = next(fig.select_xaxes(row=row, col=col)).plotly_name.replace("axis", "")
    fig.update_yaxes(**axis, scaleanchor=anchor, constrain="domain", row=row, col=col)


def named(text: str) -> str:
    """A name as it stands; as a token, its blanks visible, where they would be lost."""
    return text if text and text == text.strip() else compact(text)


def compact(token: str) -> str:
    """A token as a label in which a long run of blanks is counted, so that it isn't cut.

    >>> compact("\\n" + 11 * " ")
    '↵·×11'
    """
    return re.sub("·{4,}", lambda run: f"·×{len(run[0])}", visible(token, longest=1000))
