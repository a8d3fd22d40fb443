"""Points by name: hover over one to read it; the most extreme are named where they stand."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from mechcourse.plots._circuits import named
from mechcourse.plots._style import (
    COLOURS,
    MUTED,
    TEXT_COLOURS,
    WIDTH,
    Numbers,
    figure,
    label,
    numbers,
    same_length,
)

HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 480, 76, 24, 84, 60
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "x", "star")
NAMED = 12  # points named in the figure, at most
FONT = 11
# Where a name may stand beside its point, best first.
PLACES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))


def scatter(
    x: Numbers,
    y: Numbers,
    labels: Sequence[str],
    title: str,
    x_title: str,
    y_title: str,
    groups: Sequence[str] | None = None,
) -> go.Figure:
    """Points, each named on hovering; the most extreme are named in the figure too.

    Args:
        labels: a name for each point. One that begins or ends with a blank is shown as a token.
        groups: what each point belongs to; a colour and a sign for each, named in a legend.

    Raises:
        ValueError: there is not one name, or group, for each point, or a coordinate is not finite.
    """
    points = np.array([numbers(x), numbers(y)]) if len(x) == len(y) else np.empty((2, 0))
    same_length("y values", y, "x values", len(x))
    same_length("labels", labels, "points", len(x))
    belongs = list(groups) if groups is not None else [""] * len(x)
    same_length("groups", belongs, "points", len(x))
    if not np.isfinite(points).all():
        raise ValueError("x and y must be finite numbers; leave out, or count, what is not")
    names = [named(each) for each in labels]
    kinds = list(dict.fromkeys(belongs))
    top = TOP + 28 * (groups is not None)
    fig = figure(title, "hover over a point to read its name", height=HEIGHT + top - TOP)
    for index, kind in enumerate(kinds):
        of = [point for point, each in enumerate(belongs) if each == kind]
        fig.add_scatter(
            x=points[0, of].tolist(),
            y=points[1, of].tolist(),
            mode="markers",
            name=label(kind),
            text=[label(names[point]) for point in of],
            marker={
                **{"color": COLOURS[index % len(COLOURS)], "symbol": SYMBOLS[index % len(SYMBOLS)]},
                **{"size": 9 if len(x) <= 100 else 7, "opacity": 0.75},
                "line": {"width": 0.5, "color": "white"},
            },
            hovertemplate=f"%{{text}}: {label(x_title)} %{{x:.4~g}}, "
            f"{label(y_title)} %{{y:.4~g}}<extra></extra>",
        )
    low, high = _ranges(points)
    axis = {"zeroline": True, "zerolinecolor": MUTED, "tickformat": "~g", "automargin": False}
    fig.update_layout(
        showlegend=groups is not None,
        margin={"l": LEFT, "r": RIGHT, "t": top, "b": BOTTOM},
        xaxis={**axis, "title_text": label(x_title), "range": [low[0], high[0]]},
        yaxis={**axis, "title_text": label(y_title), "range": [low[1], high[1]]},
    )
    sides = np.array([WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM])
    pixels = (points - low[:, None]) / (high - low)[:, None] * sides[:, None]
    hues = [TEXT_COLOURS[kinds.index(kind) % len(TEXT_COLOURS)] for kind in belongs]
    for point, side in _places(pixels, names, sides).items():
        _name_point(fig, points[:, point], label(names[point]), hues[point], side)
    return fig


def _name_point(
    fig: go.Figure, at: np.ndarray, name: str, colour: str, side: tuple[int, int]
) -> None:
    right, up = side
    fig.add_annotation(
        x=at[0],
        y=at[1],
        text=name,
        font={"size": FONT, "color": colour},
        bgcolor="rgba(255,255,255,0.7)",
        borderpad=0,
        showarrow=False,
        xanchor=("center", "left", "right")[right],
        yanchor=("middle", "bottom", "top")[up],
        xshift=(7 if up == 0 else 4) * right,
        yshift=(7 if right == 0 else 4) * up,
    )


def _ranges(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lower and upper ends of both axes."""
    if not points.size:
        return np.zeros(2), np.ones(2)
    low, high = points.min(axis=1), points.max(axis=1)
    room = 0.07 * np.where(high > low, high - low, 1.0)
    return low - room, high + room


def _places(
    pixels: np.ndarray, names: Sequence[str], sides: np.ndarray
) -> dict[int, tuple[int, int]]:
    """Beside which points a name fits, the most extreme first, and on which side."""
    middle = np.median(pixels, axis=1, keepdims=True) if pixels.size else 0
    spread = pixels.std(axis=1, keepdims=True) if pixels.size else 0
    away = (((pixels - middle) / np.where(spread, spread, 1)) ** 2).sum(axis=0)
    taken: list[np.ndarray] = []  # (left, right, bottom, top) of each name that stands
    found: dict[int, tuple[int, int]] = {}
    for point in np.argsort(-away, kind="stable").tolist():
        if len(found) == NAMED:
            break
        if "\ufffd" in names[point] or not names[point].isprintable():  # can't be read
            continue
        for right, up in PLACES:
            wide, tall = 0.6 * FONT * len(names[point]) + 4, FONT + 5
            centre = pixels[:, point] + [right * (wide / 2 + 6), up * (tall / 2 + 5)]
            box = np.array([*(centre[0] + [-wide / 2, wide / 2]), *(centre[1] + [-8, 8])])
            if _free(box, taken, pixels, sides):
                taken.append(box)
                found[point] = (right, up)
                break
    return found


def _free(
    box: np.ndarray, taken: Sequence[np.ndarray], pixels: np.ndarray, sides: np.ndarray
) -> bool:
    """Whether a name in this box would lie in the figure, on no other name and no point."""
    left, right, bottom, top = box
    if left < 0 or bottom < 0 or right > sides[0] or top > sides[1]:
        return False
    across = (pixels[0] > left - 3) & (pixels[0] < right + 3)
    if (across & (pixels[1] > bottom - 2) & (pixels[1] < top + 2)).any():
        return False
    return all(
        right < other[0] or left > other[1] or top < other[2] or bottom > other[3]
        for other in taken
    )
