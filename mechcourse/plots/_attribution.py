"""Attributions: how much each component adds to a logit."""

from collections.abc import Sequence

import plotly.graph_objects as go
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mechcourse.plots._style import (
    DIVERGING,
    INK,
    MARK,
    MUTED,
    NEGATIVE,
    PAIR,
    POSITIVE,
    figure,
    label,
    same_length,
    scale,
    signed,
    token_axis,
)


def attribution_bars(
    values: Float[Tensor, " component"],
    names: Sequence[str],
    title: str = "What each component adds to the logit",
    unit: str = "logits",
) -> go.Figure:
    """Signed bars, one for each component, from the top in the order given, and their total.

    Raises:
        ValueError: there is not one name for each value.
    """
    same_length("names", names, "values", len(values))
    amounts = [*values.tolist(), values.sum().item()]
    labels = [*(label(name) for name in names), "<b>total</b>"]
    colours = [POSITIVE if amount >= 0 else NEGATIVE for amount in amounts[:-1]] + [INK]
    fig = figure(title, "blue adds, orange takes away", height=26 * len(amounts) + 150)
    fig.add_trace(
        go.Bar(
            x=amounts,
            y=list(range(len(amounts))),
            orientation="h",
            marker_color=colours,
            text=[signed(amount) for amount in amounts],
            textposition="outside",
            cliponaxis=False,
            customdata=labels,
            hovertemplate=f"%{{customdata}}: %{{x:+.3f}} {unit}<extra></extra>",
        )
    )
    _component_axis(fig, labels, amounts, unit)
    fig.add_hline(len(amounts) - 1.5, line={"color": MUTED, "width": 1, "dash": "dot"})
    return fig


def attribution_comparison(
    first: Float[Tensor, " component"],
    second: Float[Tensor, " component"],
    names: Sequence[str],
    labels: tuple[str, str] = ("raw", "centred"),
    title: str = "Two attributions of the same logit",
    unit: str = "logits",
    negligible: float = 0.05,
) -> go.Figure:
    """Two attributions side by side, with what they disagree on made plain.

    A star marks the component that each attribution ranks first, by size; a yellow band lies
    behind each component to which the two give opposite signs.

    Args:
        negligible: an attribution below this fraction of the largest one has no sign to speak of.

    Raises:
        ValueError: there is not one name for each value.
    """
    same_length("names", names, "values", len(first))
    same_length("names", names, "values", len(second))
    both = torch.stack([first, second]).detach().double()
    rows = [label(name) for name in names]
    clear = both.abs().amin(dim=0) > negligible * both.abs().max()
    flips = (both[0].sign() != both[1].sign()) & clear
    tops = both.abs().argmax(dim=1).tolist()
    fig = figure(title, _verdict(tops, flips, rows, labels), height=40 * len(rows) + 170)
    for row in flips.nonzero().flatten().tolist():
        fig.add_hrect(row - 0.5, row + 0.5, fillcolor=MARK, line_width=0, layer="below")
    for kind, amounts, top, colour in zip(labels, both.tolist(), tops, PAIR, strict=True):
        fig.add_trace(
            go.Bar(
                x=amounts,
                y=list(range(len(rows))),
                orientation="h",
                name=label(kind),
                marker_color=colour,
                text=[signed(x) + (" ★" if row == top else "") for row, x in enumerate(amounts)],
                textposition="outside",
                cliponaxis=False,
                customdata=rows,
                hovertemplate=f"%{{customdata}}, {label(kind)}: %{{x:+.3f}} {unit}<extra></extra>",
            )
        )
    _component_axis(fig, rows, both.flatten().tolist(), unit)
    fig.update_layout(bargap=0.25, margin_t=112)
    return fig


def token_heatmap(
    values: Float[Tensor, "component pos"],
    names: Sequence[str],
    tokens: Sequence[str],
    title: str = "What each component adds, token by token",
    unit: str = "logits",
) -> go.Figure:
    """Signed values by component and position, white at zero, blue above and orange below.

    Raises:
        ValueError: there is not one name for each row and one token for each column.
    """
    same_length("names", names, "rows", values.shape[0])
    same_length("tokens", tokens, "columns", values.shape[1])
    pixels = min(30.0, 620 / len(tokens))
    extreme = values.abs().max().item() or 1.0
    rows = [label(name) for name in names]
    fig = figure(title, "blue adds, orange takes away", height=26 * len(rows) + 220)
    fig.add_trace(
        go.Heatmap(
            z=values.detach().tolist(),
            y=rows,
            coloraxis="coloraxis",
            xgap=1,
            ygap=1,
            hovertemplate=f"%{{y}} at token '%{{x}}': %{{z:+.3f}} {unit}<extra></extra>",
        )
    )
    fig.update_layout(
        xaxis={**token_axis(tokens, pixels), "tickangle": -90, "title_text": "position"},
        yaxis={"autorange": "reversed", "showgrid": False, "title_text": "component"},
        coloraxis=scale(DIVERGING, -extreme, extreme, unit),
    )
    return fig


def _component_axis(
    fig: go.Figure, rows: Sequence[str], amounts: Sequence[float], unit: str
) -> None:
    """Name the rows, from the top down, and leave room for the numbers at the bars' ends."""
    low, high = min(0.0, *amounts), max(0.0, *amounts)
    room = 0.14 * ((high - low) or 1.0)
    fig.update_layout(
        xaxis={
            "title_text": unit,
            "range": [low - room * (low < 0), high + room],
            "zeroline": True,
            "zerolinecolor": MUTED,
        },
        yaxis={
            "tickvals": list(range(len(rows))),
            "ticktext": list(rows),
            "ticks": "",
            "showgrid": False,
            "showline": False,
            "range": [len(rows) - 0.5, -0.5],
        },
        showlegend=len(fig.data) > 1,
    )


def _verdict(
    tops: Sequence[int],
    flips: Bool[Tensor, " component"],
    rows: Sequence[str],
    labels: tuple[str, str],
) -> str:
    """In one line, where two attributions disagree."""
    if tops[0] == tops[1]:
        said = f"★ both rank {rows[tops[0]]} first"
    else:
        said = "★ largest: " + ", ".join(
            f"{rows[top]} by {name}" for top, name in zip(tops, labels, strict=True)
        )
    n_flips = int(flips.sum())
    return said + (f" · yellow: opposite signs ({n_flips})" if n_flips else "")
