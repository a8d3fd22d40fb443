"""Fractions of a dimension: a strip of dots for each of several models."""

from collections.abc import Mapping

import plotly.graph_objects as go
import torch
from jaxtyping import Float
from torch import Tensor

from mechcourse.plots._style import COLOURS, MUTED, figure, label, spread

HEIGHT, WIDE = 460, 0.36  # pixels; half of how far dots are strewn, in strips


def dimensionality_strips(
    levels: Mapping[str, Float[Tensor, "feature"]],
    title: str,
    *,
    fractions: Mapping[str, float] | None = None,
) -> go.Figure:
    """A strip for each model, with a dot for each living feature at its share of a dimension.

    Dots are strewn sideways by their place in the list, so that they don't hide each other; that
    says nothing. Features of dimensionality 0 are dead, are not drawn, and are counted on hovering
    over the strip's name.

    Args:
        fractions: named levels, drawn as lines, "digon": 1/2 say.

    Raises:
        ValueError: there is no strip, or one is not a list of finite numbers.
    """
    if not levels:
        raise ValueError("there is no strip to draw: give at least one")
    fig = figure(title, "a dot for each feature that is not dead", height=HEIGHT)
    for place, (name, values) in enumerate(levels.items()):
        if values.ndim != 1 or not torch.isfinite(values).all():
            raise ValueError(f"the dimensionalities of {name!r} are not a list of finite numbers")
        alive = values.detach().double()
        alive = alive[alive > 0]
        turn = torch.arange(len(alive)).double() * 0.618034 % 1  # evenly strewn, always the same
        dots = go.Scatter(x=(place + WIDE * (2 * turn - 1)).tolist(), y=alive.tolist())
        dots.update(mode="markers", name=label(name), marker={"size": 5, "opacity": 0.6})
        dots.update(
            marker_color=COLOURS[0],
            hovertemplate=f"{label(name)}: %{{y:.3f}}; {len(alive)} of {len(values)} features "
            "are not dead<extra></extra>",
        )
        fig.add_trace(dots)
    named = dict(fractions or {})
    places = spread(list(named.values()), 0.045, 0, 1.1)
    for (name, value), at in zip(named.items(), places, strict=True):
        fig.add_hline(y=value, line={"color": MUTED, "width": 1, "dash": "dot"})
        fig.add_annotation(text=label(name), x=1.01, y=at, xref="paper", showarrow=False)
        fig.layout.annotations[-1].update(xanchor="left", font={"size": 12, "color": MUTED})
    longest = max(map(len, named), default=0)
    ticks = {"tickvals": list(range(len(levels))), "ticktext": [label(name) for name in levels]}
    fig.update_layout(
        showlegend=False,
        margin={"l": 64, "r": 40 + 7 * longest, "t": 84, "b": 60},
        xaxis={**ticks, "showgrid": False, "range": [-0.6, len(levels) - 0.4]},
        yaxis={"title_text": "dimensions per feature", "range": [0, 1.08]},
    )
    return fig
