"""The numbers 0 to p - 1 as points in the plane: do they lie on a circle, and in what order?"""

from collections.abc import Iterator, Mapping
from math import gcd

import plotly.graph_objects as go
import torch
from jaxtyping import Float
from torch import Tensor

from mechcourse.plots._grid import Room, head, square_panels
from mechcourse.plots._style import INK, MUTED, label

# Round the wheel and back to where it began; its neighbours differ in lightness as well.
CYCLE = ["#2a4d8f", "#2e93a8", "#5aa469", "#d9a520", "#c9562f", "#8f3a78", "#2a4d8f"]
WRITTEN = 6  # numbers that are written beside their points
# Where a name may stand, in units of the points' reach from its point outwards; and what is near.
BESIDE, APART, NEAR = (0.14, -0.14, 0.28, -0.28, 0.42, -0.42), 0.13, 0.2
PALE_LINE = "#ccd3da"
ROOM = Room(left=24, right=66, top=112, bottom=28, across=18, down=52, largest=400)


def number_circles(
    points: Mapping[str, Float[Tensor, "p 2"]],
    title: str,
    *,
    steps: Mapping[str, int] | None = None,
) -> go.Figure:
    """Each number's point in one plane or more, coloured by the number, 0 to 5 written.

    A pale line joins each number x to x + step mod p. On a circle of frequency k, neighbours
    differ by the inverse of k mod p: with that step the line goes once round; with another it is a
    star, or a tangle where there is no circle. Each panel has a scale of its own, the same for x
    and y.

    Args:
        steps: by panel; 1 where none is given.

    Raises:
        ValueError: there is no panel, one is not [p, 2] or not finite, or a step is for no panel or
            a multiple of p.
    """
    steps = dict(steps or {})
    if strangers := [name for name in steps if name not in points]:
        raise ValueError(f"steps for {strangers}, which are no panels; there are {list(points)}")
    steps = {name: steps.get(name, 1) for name in points}
    for name, each in points.items():
        _checked(name, each, steps[name])
    heads = [f"{head(name)}<br>line: x to x + {step}" for name, step in steps.items()]
    parts = ["each panel has its own scale"] * (len(points) > 1) + ["pale cross: 0"]
    grid = square_panels(heads, 3, title, " · ".join(parts), ROOM)
    for (name, each), (row, col) in zip(points.items(), grid.places, strict=True):
        for trace in circle_traces(name, each, steps[name]):
            grid.fig.add_trace(trace, row=row, col=col)
        centre, reach = middle(each)
        plane(grid.fig, row, col, centre, reach)
    p = max(map(len, points.values()))
    grid.fig.update_layout(coloraxis=wheel(p))
    return grid.fig


def circle_traces(
    name: str, points: Float[Tensor, "p 2"], step: int, reach: float | None = None
) -> list[go.Scatter]:
    """The pale line, the points, and the first few numbers written, in this order.

    Args:
        reach: how far the axes go from the middle, where that is not as far as the points.
    """
    x, y = round_trip(points, step)
    line = go.Scatter(x=x, y=y, mode="lines", line={"color": PALE_LINE, "width": 1})
    line.update(hoverinfo="skip", name=label(name))
    x, y = points.detach().double().T.tolist()
    dots = go.Scatter(x=x, y=y, mode="markers", name=label(name))
    dots.update(
        marker={"color": list(range(len(points))), "coloraxis": "coloraxis", "size": 6},
        hovertemplate=f"{label(name)}: number %{{pointNumber}} at "
        "(%{x:.3f}, %{y:.3f})<extra></extra>",
    )
    x, y, text = written(points, reach)
    names = go.Scatter(x=x, y=y, text=text, mode="lines+text", line={"color": MUTED, "width": 1})
    names.update(
        textfont={"size": 12, "color": INK, "shadow": ", ".join(["0 0 2px white"] * 4)},
        **{"hoverinfo": "skip", "cliponaxis": False, "name": label(name)},
    )
    return [line, dots, names]


def round_trip(
    points: Float[Tensor, "p 2"], step: int
) -> tuple[list[float | None], list[float | None]]:
    """x and y of the line that joins each number to the one a step on, a gap between two loops."""
    xs: list[float | None] = []
    ys: list[float | None] = []
    values = points.detach().double().tolist()
    for loop in _loops(len(points), step):
        xs += [values[number][0] for number in loop] + [None]
        ys += [values[number][1] for number in loop] + [None]
    return xs[:-1], ys[:-1]


def _loops(p: int, step: int) -> Iterator[list[int]]:
    """Closed walks through all numbers; one if the step has no divisor in common with p.

    >>> list(_loops(4, 2)), list(_loops(3, 2))
    ([[0, 2, 0], [1, 3, 1]], [[0, 2, 1, 0]])
    """
    apart = gcd(p, step)
    for start in range(apart):
        yield [(start + turn * step) % p for turn in range(p // apart + 1)]


def written(
    points: Float[Tensor, "p 2"], reach: float | None = None
) -> tuple[list[float | None], list[float | None], list[str]]:
    """x, y and text of the first numbers, each beside its point, with a line where it is far.

    A name stands a little further from the middle than its point, or a little nearer to it where
    another name would be touched.
    """
    values = points.detach().double()
    centre, furthest = middle(values)
    reach = reach or furthest
    xs: list[float | None] = []
    ys: list[float | None] = []
    texts: list[str] = []
    taken: list[Tensor] = []
    for number, point in enumerate(values[:WRITTEN]):
        away = point - centre
        away = reach * away / away.norm() if away.norm() > 0 else reach * away.new_tensor([1, 0])
        spots = [point + far * away for far in BESIDE]
        free = [s for s in spots if all((s - t).norm() > APART * reach for t in taken)]
        spot = (free or spots)[0]
        taken.append(spot)
        if (spot - point).norm() > NEAR * reach:
            end = point + 0.65 * (spot - point)
            for values_of, begin_end in ((xs, (point[0], end[0])), (ys, (point[1], end[1]))):
                values_of += [*map(float, begin_end), None]
            texts += ["", "", ""]
        xs += [float(spot[0]), None]
        ys += [float(spot[1]), None]
        texts += [str(number), ""]
    return xs, ys, texts


def middle(points: Float[Tensor, "p 2"]) -> tuple[Float[Tensor, "2"], float]:
    """The mean of the points, and how far the furthest is from it along an axis."""
    points = points.detach().double()
    centre = points.mean(dim=0)
    return centre, float((points - centre).abs().max()) or 1.0


def plane(fig: go.Figure, row: int, col: int, centre: Float[Tensor, "2"], reach: float) -> None:
    """Axes of one scale, without ticks, for points at most so far from their centre."""
    (x, y), room = centre.tolist(), 1.34 * reach
    bare = {"showticklabels": False, "ticks": "", "showgrid": False, "automargin": False}
    bare |= {"showline": False, "zeroline": True, "zerolinecolor": "#e7eaee"}
    fig.update_xaxes(**bare, range=[x - room, x + room], row=row, col=col)
    fig.update_yaxes(**bare, range=[y - room, y + room], row=row, col=col)
    anchor = next(fig.select_xaxes(row=row, col=col)).plotly_name.replace("axis", "")
    fig.update_yaxes(scaleanchor=anchor, constrain="domain", row=row, col=col)


def wheel(p: int) -> dict[str, object]:
    """The colour axis of the numbers, on which p - 1 is beside 0, with a bar at the right."""
    bar = {"title": {"text": "number", "side": "right", "font": {"size": 12, "color": MUTED}}}
    bar |= {"thickness": 8, "outlinewidth": 0, "nticks": 6}
    return {"colorscale": CYCLE, "cmin": 0, "cmax": p, "colorbar": bar}


def _checked(name: str, points: Tensor, step: int) -> None:
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ValueError(
            f"the points of {name!r} have shape {list(points.shape)}; a number's x and y make a "
            "row, so give [p, 2]"
        )
    if not torch.isfinite(points).all():
        raise ValueError(f"the points of {name!r} are not all finite numbers")
    if step % len(points) == 0:
        raise ValueError(
            f"the step of {name!r} is {step}, a multiple of p = {len(points)}: the line would join "
            "each number to itself"
        )
