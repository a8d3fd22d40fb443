"""A score beside its null: what the same measurement gives where nothing is to be found."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from mechcourse.plots._style import COLOURS, TEXT_COLOURS, Numbers, figure, label, numbers


def histogram_with_null(
    observed: Mapping[str, float | int] | float | int,
    null_values: Numbers,
    name: str,
    null_name: str = "null",
    title: str | None = None,
    n_bins: int = 30,
) -> go.Figure:
    """What chance alone gives, as a histogram, with what was observed marked on it.

    Args:
        observed: the measured value, or several by name.
        null_values: the same quantity measured where nothing is to be found.
        name: what the quantity is called, with its unit; the label of the x axis.
        null_name: how the null was made, "shuffled tokens" say.

    Raises:
        ValueError: there is no null value, or one that is not finite.
    """
    null = np.asarray(numbers(null_values))
    if null.size == 0 or not np.isfinite(null).all():
        raise ValueError(f"null_values must be finite numbers, at least one; got {null_values!r}")
    marks = observed if isinstance(observed, Mapping) else {"observed": observed}
    counts, edges = np.histogram(null, bins=n_bins)
    median, high = np.quantile(null, [0.5, 0.95])
    about = f"{null_name}: {null.size} values, median {median:.3g}, 95 % of them below {high:.3g}"
    fig = figure(title or f"{name}, held against chance", about, height=400)
    fig.add_bar(
        x=(edges[:-1] + edges[1:]) / 2,
        y=counts,
        width=np.diff(edges),
        marker={"color": "#aeb6bf", "line": {"color": "#87909a", "width": 0.5}},
        customdata=np.stack([edges[:-1], edges[1:]], axis=1),
        hovertemplate="%{y} of the null values lie between "
        "%{customdata[0]:.3g} and %{customdata[1]:.3g}<extra></extra>",
    )
    fig.update_layout(
        bargap=0, xaxis_title_text=name, yaxis_title_text="null values", showlegend=False
    )
    _mark_observed(fig, marks, null, int(counts.max()))
    return fig


def _mark_observed(
    fig: go.Figure, marks: Mapping[str, float | int], null: np.ndarray, tallest: int
) -> None:
    """A line for each observed value, and beside it how much of the null it exceeds."""
    ends = [*marks.values(), null.min(), null.max()]
    low, high = float(min(ends)), float(max(ends))
    room = 0.06 * ((high - low) or 1.0)
    fig.update_xaxes(range=[low - room, high + room])
    fig.update_yaxes(range=[0, tallest * (1.1 + 0.13 * len(marks))])
    # A flag for each, as high as no other, so that close values stay readable: the flags of the
    # left half fly to the right, the leftmost on top; those of the right half the other way.
    middle = (low + high) / 2
    ordered = sorted(marks.items(), key=lambda mark: (mark[1] > middle, abs(mark[1] - middle)))
    lefts = sum(value <= middle for value in marks.values())
    ordered = ordered[:lefts][::-1] + ordered[lefts:][::-1]
    for step, (name, value) in enumerate(ordered):
        hue = (step + 1) % len(COLOURS)
        top = tallest * (1.1 + 0.13 * (len(marks) - step - 0.3))
        fig.add_shape(
            **{"x0": value, "x1": value, "y0": 0, "y1": top},
            line={"color": COLOURS[hue], "width": 2},
        )
        fig.add_annotation(
            x=value,
            y=top,
            text=f"<b>{label(name)} {value:.3g}</b> {_standing(value, null)}",
            font={"color": TEXT_COLOURS[hue]},
            bgcolor="rgba(255,255,255,0.85)",
            showarrow=False,
            xanchor="left" if value <= middle else "right",
            yanchor="top",
            xshift=4 if value <= middle else -4,
        )


def _standing(value: float, null: np.ndarray) -> str:
    """Where a value stands among the null values, in words."""
    above = int((null < value).sum())
    if above == null.size:
        return f"above all {null.size} null values"
    if above == 0:
        return f"above none of the {null.size} null values"
    return f"above {above} of {null.size} null values"
