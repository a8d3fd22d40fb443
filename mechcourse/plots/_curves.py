"""Curves over training or over anything else, and the sizes of updates."""

import math
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from jaxtyping import Float
from torch import Tensor

from mechcourse.plots._style import (
    COLOURS,
    INK,
    MUTED,
    TEXT_COLOURS,
    Numbers,
    figure,
    label,
    numbers,
    same_length,
    spread,
    visible,
)


def loss_curves(
    curves: Mapping[str, tuple[Numbers, Numbers]],
    baselines: Mapping[str, float | int] | None = None,
    log_y: bool = False,
    title: str = "Loss while training",
    y_title: str = "loss (nats per token)",
) -> go.Figure:
    """Losses by training step, with horizontal baselines; every line is named at its right end.

    Args:
        curves: (steps, losses) by name.
        baselines: the losses of simpler predictors, say of the unigram counts, by name.
    """
    points = {name: (numbers(x), numbers(y)) for name, (x, y) in curves.items()}
    ends = [
        (f"{name} {y[-1]:.2f}", y[-1], TEXT_COLOURS[i % len(COLOURS)])
        for i, (name, (_, y)) in enumerate(points.items())
        if y
    ]
    lines = [(f"{name} {y:.2f}", float(y), MUTED) for name, y in (baselines or {}).items()]
    fig = figure(title, height=420)
    for (name, (x, y)), colour in zip(points.items(), COLOURS * len(points), strict=False):
        hover = f"{label(name)}: %{{y:.3f}} at step %{{x}}<extra></extra>"
        fig.add_scatter(x=x, y=y, mode="lines", line_color=colour, name=name, hovertemplate=hover)
    for _, y, colour in lines:
        fig.add_hline(y, line={"color": colour, "width": 1.5, "dash": "dash"})
    heights = [h for _, y in points.values() for h in y] + [y for _, y, _ in lines]
    # A loss that has blown up, or that a logarithm can't show, must not decide the axis.
    heights = [h for h in heights if math.isfinite(h) and (h > 0 or not log_y)]
    fig.update_layout(showlegend=False, xaxis_title_text="step", yaxis_title_text=y_title)
    named = [end for end in ends + lines if end[1] in heights]
    if named:
        _label_right(fig, named, heights, log_y)
    return fig


def update_norms(
    ratios: Float[Tensor, "layer pos"],
    tokens: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    reference: float | int = 1.0,
    title: str = "How large each layer's update is",
    y_title: str = "norm of the update / norm of the stream",
    reference_label: str = "as large as the stream",
) -> go.Figure:
    """A box and its points for each layer, one point for each position, and a reference line.

    Args:
        tokens: one for each position, shown on hovering; several texts may be laid end to end.
        names: what to write under each box; by default "layer 0", "layer 1" and so on.
    """
    n_layers, n_pos = ratios.shape
    names = names or [f"layer {layer}" for layer in range(n_layers)]
    same_length("names", names, "rows", n_layers)
    tokens = tokens if tokens is not None else [""] * n_pos
    same_length("tokens", tokens, "positions", n_pos)
    where = [
        f"'{label(visible(token))}' at position {pos}" if token else f"position {pos}"
        for pos, token in enumerate(tokens)
    ]
    medians = ratios.detach().median(dim=1).values.tolist()
    seen = ", ".join(f"{name} {median:.2f}" for name, median in zip(names, medians, strict=True))
    fig = figure(title, f"medians: {seen}", width=720, height=420)
    for layer, (name, row) in enumerate(zip(names, ratios.tolist(), strict=True)):
        colour = COLOURS[layer % len(COLOURS)]
        fig.add_box(
            y=row,
            name=name,
            boxpoints="all" if n_pos <= 400 else "outliers",
            jitter=0.6,
            pointpos=0,
            marker={"color": colour, "size": 5, "opacity": 0.6},
            line_width=1.5,
            text=where,
            hovertemplate="%{text}: %{y:.2f}<extra></extra>",
        )
    fig.add_hline(
        reference,
        line={"color": INK, "width": 1.5, "dash": "dash"},
    )
    top = max(ratios.max().item(), reference) * 1.12
    at_right = {"x": 1, "xref": "x domain", "xanchor": "left", "xshift": 8, "showarrow": False}
    fig.add_annotation(y=reference, text=label(reference_label), **at_right)
    fig.update_layout(
        showlegend=False,
        margin_r=24 + 7 * len(reference_label),
        yaxis={"title_text": y_title, "range": [0, top]},
    )
    return fig


def line(
    x: Numbers,
    curves: Mapping[str, Numbers],
    title: str,
    x_title: str,
    y_title: str,
    markers: bool = False,
    log_y: bool = False,
) -> go.Figure:
    """Curves over one x axis, named in a legend where there is more than one."""
    fig = figure(title, height=380)
    for name, y in curves.items():
        fig.add_scatter(
            x=numbers(x),
            y=numbers(y),
            name=label(name),
            mode="lines+markers" if markers else "lines",
            hovertemplate=f"{label(name)}: %{{y:.4~g}} at %{{x}}<extra></extra>",
        )
    fig.update_layout(
        showlegend=len(curves) > 1,
        xaxis_title_text=x_title,
        yaxis={"title_text": y_title, "type": "log" if log_y else "linear", "tickformat": "~g"},
    )
    return fig


def calibration_curve(
    stated: Numbers, hit_rate: Numbers, counts: Sequence[int], chance: float | int
) -> go.Figure:
    """How often predictions came true, by the confidence stated, against perfect calibration.

    Args:
        stated: the mean confidence of each group of predictions, as a fraction.
        hit_rate: the fraction of the group that came true.
        counts: how many predictions are in the group.
        chance: the hit rate of guessing uniformly.
    """
    fig = figure(
        "Were you as right as you were sure?",
        "on the diagonal: exactly · below it: too sure · above it: not sure enough",
        width=560,
        height=480,
    )
    fig.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"color": MUTED, "dash": "dash"}, hoverinfo="skip"
    )
    fig.add_hline(
        chance,
        line={"color": MUTED, "width": 1, "dash": "dot"},
        annotation={"text": f"guessing uniformly {chance:.0%}", "font_color": MUTED},
        annotation_position="top left",
    )
    fig.add_scatter(
        x=numbers(stated),
        y=numbers(hit_rate),
        mode="markers+text",
        text=[str(n) for n in counts],
        textposition="middle center",
        textfont={"color": "white", "size": 12},
        marker={"size": [18 + 4 * math.sqrt(n) for n in counts], "color": COLOURS[0], "opacity": 1},
        cliponaxis=False,
        hovertemplate="%{text} predictions held with %{x:.0%} on average: "
        "%{y:.0%} came true<extra></extra>",
    )
    percent = {"tickformat": ".0%", "range": [-0.04, 1.04], "dtick": 0.2, "tick0": 0}
    fig.update_layout(
        showlegend=False,
        xaxis={**percent, "title_text": "how sure you were"},
        yaxis={**percent, "title_text": "how often you were right"},
    )
    return fig


def _label_right(
    fig: go.Figure,
    ends: Sequence[tuple[str, float, str]],
    heights: Sequence[float],
    log_y: bool,
) -> None:
    """Write (text, height, colour) labels at the right edge, moved apart where they would touch."""
    at = math.log10 if log_y else float
    low, high = at(min(heights)), at(max(heights))
    room = 0.06 * ((high - low) or 1.0)
    low, high = low - room, high + room
    pixels = 420 - 84 - 56
    wanted = [(at(y) - low) / (high - low) * pixels for _, y, _ in ends]
    places = spread(wanted, gap=17, low=6, high=pixels - 6)
    for (text, y, colour), want, place in zip(ends, wanted, places, strict=True):
        fig.add_annotation(
            x=1,
            xref="x domain",
            y=at(y),
            text=label(text),
            font={"color": colour, "size": 12},
            xanchor="left",
            ax=16,
            ay=want - place,
            arrowhead=0,
            arrowwidth=1,
            arrowcolor=colour,
        )
    fig.update_layout(
        yaxis={"type": "log" if log_y else "linear", "range": [low, high], "tickformat": "~g"},
        margin={"l": 70, "r": 36 + 7 * max(len(text) for text, _, _ in ends), "t": 84, "b": 56},
    )
