"""Several kinds of curves over the same steps, one panel for each kind."""

import math
from collections.abc import Collection, Mapping

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mechcourse.plots._style import COLOURS, MUTED, TEXT_COLOURS, Numbers, card, label, numbers

PANEL = 210  # pixels high


def curve_panels(
    panels: Mapping[str, Mapping[str, tuple[Numbers, Numbers]]],
    title: str = "While training",
    x_title: str = "step",
    log_y: Collection[str] = (),
) -> go.Figure:
    """Panels over one another, with a common x axis.

    Curves whose names begin with the same word, "repeats-2l 1.0" and "repeats-2l 1.1", have one
    colour in every panel, and the word is written once, at the end of the highest of them.

    Args:
        panels: by what the panel's y axis says, (steps, values) by name.
        log_y: the panels with a logarithmic axis; it leaves out what is not above 0.

    Raises:
        ValueError: there is no panel.
    """
    if not panels:
        raise ValueError("there is no panel to draw: give at least one")
    groups = dict.fromkeys(_group(name) for curves in panels.values() for name in curves)
    hues = {group: i % len(COLOURS) for i, group in enumerate(groups)}
    fig = make_subplots(len(panels), 1, shared_xaxes=True, vertical_spacing=0.07)
    for row, (y_title, curves) in enumerate(panels.items(), start=1):
        log = y_title in log_y
        digits = ".2e" if log else ".3f"
        for name, (x, y) in curves.items():
            fig.add_scatter(
                **{"x": numbers(x), "y": numbers(y), "row": row, "col": 1, "name": name},
                mode="lines",
                line={"color": COLOURS[hues[_group(name)]], "width": 1.6},
                hovertemplate=f"{label(name)}: %{{y:{digits}}} at step %{{x}}<extra></extra>",
            )
        fig.update_yaxes(title_text=label(y_title), row=row, col=1)
        if log:
            fig.update_yaxes(type="log", exponentformat="power", row=row, col=1)
        _name_groups(fig, curves, hues, row, log)
    fig.update_layout(card(title))
    longest = max(map(len, groups), default=0)
    fig.update_layout(
        showlegend=False,
        height=PANEL * len(panels) + 130,
        margin={"l": 70, "r": 36 + 7 * longest, "t": 84, "b": 56},
    )
    fig.update_xaxes(title_text=x_title, row=len(panels), col=1)
    return fig


def _group(name: str) -> str:
    return name.split(" ")[0]


def _name_groups(
    fig: go.Figure,
    curves: Mapping[str, tuple[Numbers, Numbers]],
    hues: Mapping[str, int],
    row: int,
    log: bool,
) -> None:
    """Write each group's name at the right end of its highest curve."""
    ends: dict[str, float] = {}  # where it ends; on a logarithmic axis a power of ten
    for name, (_, y) in curves.items():
        values = numbers(y)
        if log:
            values = [math.log10(value) for value in values if value > 0]
        if values:
            ends[_group(name)] = max(ends.get(_group(name), values[-1]), values[-1])
    ordered = sorted(ends, key=lambda group: ends[group])
    for place, group in enumerate(ordered):
        crowded = place and ends[group] - ends[ordered[place - 1]] < 0.08 * max(
            1e-9, abs(ends[ordered[-1]])
        )
        fig.add_annotation(
            **{"x": 1, "xref": "x domain", "y": ends[group], "row": row, "col": 1},
            text=label(group),
            font={"color": TEXT_COLOURS[hues[group]], "size": 12},
            **{"xanchor": "left", "ax": 16, "ay": -16 if crowded else 0},
            **{"arrowhead": 0, "arrowwidth": 1, "arrowcolor": MUTED},
        )
