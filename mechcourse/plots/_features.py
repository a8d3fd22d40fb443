"""Features of toy models: as arrows in the plane, and as bars that say how much each is shared."""

from collections.abc import Mapping

import plotly.graph_objects as go
import torch
from jaxtyping import Float
from torch import Tensor

from mechcourse.plots._grid import Grid, Room, head, square_panels
from mechcourse.plots._style import COLOURS, MUTED, SEQUENTIAL, TEXT_COLOURS, label, scale

COLS = 4
PALEST = 0.35  # the opacity of the least important feature
UNIT, BEYOND = "#dfe3e8", 1.16  # the circle's colour; where a number stands, in lengths
TOGETHER = 0.12  # arrows whose ends are nearer have one number between them
ROOM = Room(left=20, right=20, top=104, bottom=24, across=14, down=40, largest=320)
BARS = Room(left=44, right=76, top=104, bottom=44, across=34, down=56, largest=360)
Models = Mapping[str, Float[Tensor, "feature hidden"]]


def feature_polygons(
    models: Models, title: str, *, importance: Float[Tensor, "given"] | None = None
) -> go.Figure:
    """A panel for each model: every feature as an arrow from 0, numbered, in its own colour.

    The pale circle has radius 1, and all panels have one scale. Less important features are paler.

    Raises:
        ValueError: there is no model, one is not [feature, 2] or not finite, or importances are not
            one for each feature.
    """
    _checked(models, 2)
    said = "pale circle: length 1" + (" · paler: less important" if importance is not None else "")
    grid = square_panels([head(name) for name in models], COLS, title, said, ROOM)
    reach = 1.3 * max([1.0, *(float(W.detach().norm(dim=1).max()) for W in models.values())])
    for (name, W), (row, col) in zip(models.items(), grid.places, strict=True):
        if importance is not None and len(importance) != len(W):
            raise ValueError(f"{len(importance)} importances for the {len(W)} features of {name!r}")
        for trace in polygon_traces(name, W, importance):
            grid.fig.add_trace(trace, row=row, col=col)
        _plane(grid, row, col, reach)
    return grid.fig


def polygon_traces(
    name: str, W: Float[Tensor, "feature 2"], importance: Float[Tensor, "feature"] | None = None
) -> list[go.Scatter]:
    """The unit circle, then a line with its dot and number for each feature."""
    angles = torch.linspace(0, 2 * torch.pi, 91)
    circle = go.Scatter(x=angles.cos().tolist(), y=angles.sin().tolist(), mode="lines")
    circle.update(line={"color": UNIT, "width": 1.2}, hoverinfo="skip", name="length 1")
    traces, numbers = [circle], _numbers(W.detach().double())
    for i, (x, y) in enumerate(W.detach().double().tolist()):
        length = (x * x + y * y) ** 0.5
        colour = COLOURS[i % len(COLOURS)]
        one = go.Scatter(x=[0, x, BEYOND * x], y=[0, y, BEYOND * y], name=f"feature {i}")
        one.update(
            mode="lines+markers+text",
            text=["", "", numbers[i]],
            textfont={"size": 12, "color": TEXT_COLOURS[i % len(COLOURS)]},
            line={"color": colour, "width": 2.2},
            marker={"color": colour, "size": [0, 7, 0]},
            opacity=_opacity(importance, i),
            hovertemplate=f"{label(name)}: feature {i}, ({x:.3f}, {y:.3f}), "
            f"length {length:.3f}<extra></extra>",
        )
        # The line ends at the dot; only the number stands beyond it.
        one.update(x=[0, x, None, BEYOND * x], y=[0, y, None, BEYOND * y])
        one.update(text=["", "", "", one.text[2]], marker_size=[0, 7, 0, 0])
        traces.append(one)
    return traces


def _numbers(W: Float[Tensor, "feature 2"]) -> list[str]:
    """What stands beside each arrow: its number; where some end together, all on the first."""
    numbers: list[list[int]] = []
    for i in range(len(W)):
        numbers.append([])
        if float(W[i].norm()) > 0.1:
            near = (j for j in range(i) if numbers[j] and float((W[i] - W[j]).norm()) < TOGETHER)
            numbers[next(near, i)].append(i)
    return [", ".join(map(str, one)) for one in numbers]


def feature_bars(models: Models | Float[Tensor, "feature hidden"], title: str) -> go.Figure:
    """A bar for each feature: as long as its row of W, the darker the more others lie along it.

    The colour is Σ_{j ≠ i} (Ŵ_i·W_j)², 0 for a direction of its own; beyond 1 it is as at 1.
    Source: Elhage et al., Toy Models of Superposition (2022), section 3.

    Raises:
        ValueError: there is no model, or one is not [feature, hidden] or not finite.
    """
    models = {"": models} if isinstance(models, Tensor) else models
    _checked(models, None)
    grid = square_panels([head(name) for name in models], 3, title, "", BARS)
    for (name, W), (row, col) in zip(models.items(), grid.places, strict=True):
        W = W.detach().double()
        norms = W.norm(dim=1)
        onto = ((W / norms.clamp(min=1e-9)[:, None]) @ W.T).square()
        shared = torch.where(norms > 0.01, onto.sum(dim=1) - onto.diagonal(), 0.0)
        bars = go.Bar(x=norms.tolist(), y=list(range(len(W))), orientation="h", name=label(name))
        bars.update(
            marker={"color": shared.clamp(max=1).tolist(), "coloraxis": "coloraxis"},
            marker_line={"color": MUTED, "width": 0.6},
            customdata=shared.tolist(),
            hovertemplate="feature %{y}: length %{x:.3f}, overlap %{customdata:.3f}<extra></extra>",
        )
        grid.fig.add_trace(bars, row=row, col=col)
        grid.fig.update_yaxes(autorange="reversed", row=row, col=col, nticks=8, showgrid=False)
        grid.fig.update_xaxes(rangemode="tozero", row=row, col=col)
    grid.fig.update_xaxes(title_text="length of its row of W", row=grid.places[-1][0])
    grid.fig.update_yaxes(title_text="feature", col=1)
    grid.fig.update_layout(coloraxis=scale(SEQUENTIAL, 0, 1, "overlap with the others"), bargap=0.2)
    return grid.fig


def _opacity(importance: Tensor | None, feature: int) -> float:
    if importance is None:
        return 1.0
    share = float(importance[feature] / importance.max())
    return PALEST + (1 - PALEST) * share


def _plane(grid: Grid, row: int, col: int, reach: float) -> None:
    bare = {"showticklabels": False, "ticks": "", "showgrid": False, "automargin": False}
    bare |= {"showline": False, "zeroline": True, "zerolinecolor": "#eef0f3"}
    grid.fig.update_xaxes(**bare, range=[-reach, reach], row=row, col=col)
    grid.fig.update_yaxes(**bare, range=[-reach, reach], row=row, col=col)
    anchor = next(grid.fig.select_xaxes(row=row, col=col)).plotly_name.replace("axis", "")
    grid.fig.update_yaxes(scaleanchor=anchor, constrain="domain", row=row, col=col)


def _checked(models: Models, dimensions: int | None) -> None:
    if not models:
        raise ValueError("there is no model to draw: give at least one")
    for name, W in models.items():
        if W.ndim != 2 or (dimensions and W.shape[1] != dimensions):
            wanted = f"[feature, {dimensions or 'hidden'}]"
            raise ValueError(f"the weights of {name!r} have shape {list(W.shape)}; give {wanted}")
        if not torch.isfinite(W).all():
            raise ValueError(f"the weights of {name!r} are not all finite numbers")
