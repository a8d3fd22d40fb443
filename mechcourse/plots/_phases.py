"""Which phase a model is in, over how rare its features are and how important one of them is."""

from collections.abc import Sequence

import plotly.graph_objects as go

from mechcourse.plots._style import INK, Numbers, figure, label, numbers, same_length

HEIGHT = 520
PALE = ("#bcd7ea", "#f3c9a8", "#b5dccd", "#e6c6d8", "#f2dfae")


def phase_map(
    probabilities: Numbers,
    importances: Numbers,
    phases: Sequence[Sequence[str]],
    title: str,
    *,
    boundary: Numbers | None = None,
) -> go.Figure:
    """A colour for each phase, over the probability of a feature (up) and an importance (across).

    Both axes are logarithmic; dense is at the top.

    Args:
        phases: a row for each probability, a column for each importance.
        boundary: by importance, the probability at which a theory has the change; a black line.

    Raises:
        ValueError: rows or columns don't fit the axes, or there are more than five phases.
    """
    up, across = numbers(probabilities), numbers(importances)
    same_length("rows of phases", phases, "probabilities", len(up))
    for row in phases:
        same_length("phases in a row", row, "importances", len(across))
    names = list(dict.fromkeys(name for row in phases for name in row))
    if len(names) > len(PALE):
        raise ValueError(f"there are {len(names)} phases; at most {len(PALE)} can be told apart")
    colours = {name: PALE[i] for i, name in enumerate(names)}
    fig = figure(title, "dense above, sparse below", height=HEIGHT)
    steps = max(len(names) - 1, 1)
    shades = [(i / steps, colours[name]) for i, name in enumerate(names)]
    cells = go.Heatmap(x=across, y=up, z=[[names.index(name) for name in row] for row in phases])
    cells.update(
        colorscale=shades if len(names) > 1 else [(0, PALE[0]), (1, PALE[0])],
        **{"zmin": 0, "zmax": steps, "showscale": False, "xgap": 1, "ygap": 1},
        customdata=[list(row) for row in phases],
        hovertemplate="importance %{x:.3g}, probability %{y:.3g}: %{customdata}<extra></extra>",
        name="models",
    )
    fig.add_trace(cells)
    for name, colour in colours.items():  # the legend: a heat map has none
        fig.add_scatter(x=[None], y=[None], mode="markers", name=label(name))
        fig.data[-1].marker.update(symbol="square", size=14, color=colour)
    if boundary is not None:
        at = numbers(boundary)
        same_length("points of the boundary", at, "importances", len(across))
        line = {"color": INK, "width": 2.4}
        fig.add_scatter(x=across, y=at, mode="lines", line=line, name="boundary, by theory")
        fig.data[-1].hovertemplate = "boundary at %{y:.3f}, importance %{x:.3g}<extra></extra>"
    fig.update_layout(
        showlegend=True,
        margin={"l": 70, "r": 30, "t": 112, "b": 60},
        xaxis={"type": "log", "title_text": "importance of the last feature, others 1"},
        yaxis={"type": "log", "title_text": "probability that a feature is present, 1 - S"},
    )
    fig.update_xaxes(tickformat="~g", dtick="D2", showgrid=False)
    fig.update_yaxes(tickformat="~g", dtick="D2", showgrid=False)
    return fig
