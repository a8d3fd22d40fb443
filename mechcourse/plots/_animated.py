"""Every head's score while a model trains, one frame for each look."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
from jaxtyping import Float
from torch import Tensor

from mechcourse.plots._style import COLOURS, Numbers, figure, numbers, same_length

HEIGHT, PLAY = 460, 60  # pixels; milliseconds that a frame stays when it plays
MOST_FRAMES = 160
MOST_NAMED = 16  # bars; of more the values aren't written over them


def animated_scores(
    steps: Numbers, scores: Float[Tensor, "point layer head"], title: str
) -> go.Figure:
    """A bar for each head, a colour for each layer, and a slider over the steps of training.

    It opens at the last step, which is also what a saved picture shows; "play" starts at the first.
    At most 160 frames are kept, evenly spread.

    Args:
        scores: fractions of attention, or anything else that hardly leaves 0 to 1.

    Raises:
        ValueError: there is no point, or not one step for each.
    """
    at = numbers(steps)
    same_length("steps", at, "points of the scores", len(scores))
    if not at:
        raise ValueError("there is no point to show: give at least one")
    stride = -(-len(at) // MOST_FRAMES)
    kept = list(range(len(at)))[::-stride][::-1]  # the last one among them
    fig = figure(title, "one bar for each head, by layer and head", height=HEIGHT)
    names = [f"{at[point]:g}" for point in kept]
    fig.frames = [
        go.Frame(data=_bars(scores[point]), name=name)
        for point, name in zip(kept, names, strict=True)
    ]
    fig.add_traces(_bars(scores[kept[-1]]))
    low, high = min(0.0, float(scores.min())), max(1.0, float(scores.max()))
    fig.update_layout(
        bargap=0.35,
        showlegend=scores.shape[1] > 1,
        margin={"l": 64, "r": 30, "t": 112, "b": 130},
        xaxis={"title_text": "head", "type": "category", "showgrid": False, "ticks": ""},
        yaxis={"title_text": "score", "range": [low, high + 0.05]},
        sliders=[_slider(names)],
        updatemenus=[_buttons()],
    )
    return fig


def _bars(scores: Float[Tensor, "layer head"]) -> list[go.Bar]:
    """One trace for each layer, so that layers have colours and names."""
    written = "%{y:.2f}" if scores.numel() <= MOST_NAMED else None
    return [
        go.Bar(
            x=[f"{layer}.{head}" for head in range(len(row))],
            y=[round(score, 4) for score in row.tolist()],
            name=f"layer {layer}",
            marker_color=COLOURS[layer % len(COLOURS)],
            texttemplate=written,
            textposition="outside",
            cliponaxis=False,
            hovertemplate="head %{x}: %{y:.3f}<extra></extra>",
        )
        for layer, row in enumerate(scores)
    ]


def _slider(names: Sequence[str]) -> dict[str, Any]:
    at_once = {"mode": "immediate", "frame": {"duration": 0}, "transition": {"duration": 0}}
    return {
        "active": len(names) - 1,
        "currentvalue": {"prefix": "step "},
        "steps": [
            {"label": name, "method": "animate", "args": [[name], at_once]} for name in names
        ],
        **{"x": 0.18, "len": 0.82, "y": 0, "pad": {"t": 48}},
        **{"ticklen": 0, "minorticklen": 0, "font": {"color": "rgba(0,0,0,0)"}},
        "currentvalue_font_color": "#24292f",
    }


def _buttons() -> dict[str, Any]:
    frame = {"duration": PLAY, "redraw": False}
    play = {"frame": frame, "transition": {"duration": 0}, "fromcurrent": False}
    stop = {"mode": "immediate", "frame": {"duration": 0}, "transition": {"duration": 0}}
    return {
        "type": "buttons",
        "direction": "left",
        "showactive": False,
        **{"x": 0, "xanchor": "left", "y": 0, "yanchor": "top", "pad": {"t": 56}},
        "buttons": [
            {"label": "play", "method": "animate", "args": [None, play]},
            {"label": "stop", "method": "animate", "args": [[None], stop]},
        ],
    }
