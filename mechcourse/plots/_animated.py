"""Every head's score while a model trains, one frame for each look."""

import plotly.graph_objects as go
from jaxtyping import Float
from torch import Tensor

from mechcourse.plots._frames import MARGIN, controls
from mechcourse.plots._style import COLOURS, Numbers, figure, numbers, same_length

HEIGHT = 460  # pixels
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
        margin=MARGIN,
        xaxis={"title_text": "head", "type": "category", "showgrid": False, "ticks": ""},
        yaxis={"title_text": "score", "range": [low, high + 0.05]},
        **controls(names, len(names) - 1, "step "),
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
