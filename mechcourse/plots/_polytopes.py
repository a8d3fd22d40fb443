"""Features of a toy model in three dimensions, with the edges between neighbours; it turns."""

import math

import plotly.graph_objects as go
import torch
from jaxtyping import Float
from torch import Tensor

from mechcourse.plots._style import COLOURS, INK, MUTED, figure

DEAD = 1e-2  # a shorter row has no direction
LEVEL = 0.25  # of a cosine: corners as near as the nearest, give or take this, are joined
FRAMES, PLAY, EYE, UP = 72, 70, 1.75, 0.75  # frames of a turn; milliseconds; where one looks from
HEIGHT = 560


def polytope(W: Float[Tensor, "feature dimension"], title: str) -> go.Figure:
    """Each feature as a numbered corner, joined to its nearest neighbours; "turn" turns it once.

    A corner is joined to those whose cosine with it is within 0.25 of the largest that it has with
    any: in a cube three, in an octahedron four. Antipodes are joined through 0 where they are all
    that a feature has. Dead features are left out, and said.

    Raises:
        ValueError: W is not [feature, 3], not finite, or all of it is dead.
    """
    if W.ndim != 2 or W.shape[1] != 3:
        raise ValueError(f"a polytope needs [feature, 3], got shape {list(W.shape)}")
    if not torch.isfinite(W).all():
        raise ValueError("the weights are not all finite numbers")
    rows = W.detach().double()
    alive = (rows.norm(dim=1) >= DEAD).nonzero()[:, 0].tolist()
    if not alive:
        raise ValueError("all features are dead: there is nothing to draw")
    n_dead = len(rows) - len(alive)
    said = "drag to turn" + (f" · {n_dead} dead features left out" if n_dead else "")
    fig = figure(title, said, height=HEIGHT)
    fig.add_trace(_edges(rows, alive))
    fig.add_trace(_spokes(rows, alive))
    fig.add_trace(_corners(rows, alive))
    reach = 1.15 * float(rows.abs().max())
    axis = {"visible": False, "range": [-reach, reach]}
    fig.update_layout(
        scene={"xaxis": axis, "yaxis": axis, "zaxis": axis, "aspectmode": "cube"},
        scene_camera=_camera(0.6),
        showlegend=False,
        updatemenus=[_turn()],
        margin={"l": 20, "r": 20, "t": 84, "b": 20},
    )
    fig.frames = [
        go.Frame(layout={"scene": {"camera": _camera(0.6 + 2 * math.pi * i / FRAMES)}}, name=str(i))
        for i in range(FRAMES + 1)
    ]
    return fig


def joined(W: Float[Tensor, "feature 3"]) -> list[tuple[int, int]]:
    """Which features are neighbours, each pair once.

    >>> joined(torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [-1, 0, 0]]))
    [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)]
    """
    unit = torch.nn.functional.normalize(W.double(), dim=1)
    cosines = unit @ unit.T
    cosines.fill_diagonal_(-math.inf)
    near = cosines >= cosines.amax(dim=1, keepdim=True) - LEVEL
    near &= cosines > -math.inf
    return [(i, j) for i, j in (near | near.T).nonzero().tolist() if i < j]


def _edges(rows: Tensor, alive: list[int]) -> go.Scatter3d:
    points: list[list[float] | list[None]] = []
    for i, j in joined(rows[alive]) if len(alive) > 1 else []:
        points += [rows[alive[i]].tolist(), rows[alive[j]].tolist(), [None] * 3]
    x, y, z = zip(*points, strict=True) if points else ((), (), ())
    line = {"color": MUTED, "width": 4}
    return go.Scatter3d(x=x, y=y, z=z, mode="lines", line=line, hoverinfo="skip", name="edges")


def _spokes(rows: Tensor, alive: list[int]) -> go.Scatter3d:
    points: list[list[float] | list[None]] = []
    for i in alive:
        points += [[0.0] * 3, rows[i].tolist(), [None] * 3]
    x, y, z = zip(*points, strict=True)
    line = {"color": "#d5dae0", "width": 2}
    return go.Scatter3d(x=x, y=y, z=z, mode="lines", line=line, hoverinfo="skip", name="features")


def _corners(rows: Tensor, alive: list[int]) -> go.Scatter3d:
    x, y, z = rows[alive].T.tolist()
    corners = go.Scatter3d(x=x, y=y, z=z, mode="markers+text", name="corners")
    corners.update(
        text=[str(i) for i in alive],
        textfont={"size": 13, "color": INK},
        textposition="top center",
        marker={"size": 7, "color": [COLOURS[i % len(COLOURS)] for i in alive]},
        customdata=rows[alive].norm(dim=1).tolist(),
        hovertemplate="feature %{text}, length %{customdata:.3f}<extra></extra>",
    )
    return corners


def _camera(angle: float) -> dict[str, dict[str, float]]:
    return {"eye": {"x": EYE * math.cos(angle), "y": EYE * math.sin(angle), "z": UP}}


def _turn() -> dict[str, object]:
    frame = {"frame": {"duration": PLAY, "redraw": True}, "transition": {"duration": 0}}
    return {
        "type": "buttons",
        "showactive": False,
        **{"x": 0, "xanchor": "left", "y": 0, "yanchor": "bottom"},
        "buttons": [{"label": "turn", "method": "animate", "args": [None, frame]}],
    }
