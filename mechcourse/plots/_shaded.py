"""Curves over training in panels, with the phases of it shaded over all of them."""

import math
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mechcourse.plots._style import (
    COLOURS,
    INK,
    MUTED,
    TEXT_COLOURS,
    WIDTH,
    Numbers,
    card,
    label,
    numbers,
    same_length,
    spread,
)

PANEL, GAP, LEFT, TOP, BOTTOM = 190, 26, 84, 64, 56  # pixels
ROW = 19  # pixels of a row of names of regions
LETTER = 6.8  # pixels, about
TINTS = ("#eaf2fb", "#fdf1e3", "#e8f5ee", "#f7ecf3", "#f1f3f5")


def shaded_curves(
    steps: Numbers,
    panels: Mapping[str, Mapping[str, Numbers]],
    title: str,
    *,
    regions: Mapping[str, tuple[float | int, float | int]] | None = None,
    log_y: Collection[str] = (),
) -> go.Figure:
    """Panels over one another with a common axis of steps, each curve named at its right end.

    A name has one colour in all panels. Regions are shaded over all panels and named once, over the
    first; what of one lies beyond the steps is cut off, and `math.inf` goes to the end.

    Args:
        panels: by what the panel's y axis says, values by name, one for each step.
        regions: from where to where, in steps, by name.
        log_y: the panels with a logarithmic axis; it leaves out what is not above 0.

    Raises:
        ValueError: there is no panel or no step, a curve has not one value for each step, a region
            does not end after it begins, or `log_y` names no panel.
    """
    at, regions = numbers(steps), dict(regions or {})
    curves = {panel: {n: numbers(y) for n, y in each.items()} for panel, each in panels.items()}
    _check(at, curves, regions, log_y)
    right = _right(curves)
    places = _places(regions, at, right)
    top = TOP + ROW * len({row for row, _ in places.values()})
    high = PANEL * len(curves) + GAP * (len(curves) - 1)
    fig = make_subplots(
        len(curves),
        1,
        shared_xaxes=True,
        vertical_spacing=GAP / high if len(curves) > 1 else None,
    )
    fig.update_layout(card(title))
    fig.update_layout(
        **{"showlegend": False, "height": high + top + BOTTOM},
        margin={"l": LEFT, "r": right, "t": top, "b": BOTTOM},
    )
    names = list(dict.fromkeys(name for each in curves.values() for name in each))
    hues = {name: index % len(COLOURS) for index, name in enumerate(names)}
    for row, (panel, each) in enumerate(curves.items(), start=1):
        _panel(fig, row, at, panel, each, hues, log=panel in log_y)
    _shade(fig, at, regions, places)
    fig.update_xaxes(range=_ends(at), showgrid=False)
    fig.update_xaxes(title_text="step", row=len(curves), col=1)
    return fig


def _check(
    at: Sequence[float],
    curves: Mapping[str, Mapping[str, Sequence[float]]],
    regions: Mapping[str, tuple[float | int, float | int]],
    log_y: Collection[str],
) -> None:
    if not curves:
        raise ValueError("there is no panel to draw: give at least one")
    if not at:
        raise ValueError("there is no step: give at least one")
    for panel, each in curves.items():
        for name, values in each.items():
            same_length(f"values of {name!r} in {panel!r}", values, "steps", len(at))
    for name, (begin, end) in regions.items():
        if not begin < end:
            raise ValueError(f"the region {name!r} goes from {begin} to {end}: it must end later")
    if strangers := [panel for panel in log_y if panel not in curves]:
        raise ValueError(f"log_y names {strangers}, which are no panels; there are {list(curves)}")


def _ends(at: Sequence[float]) -> list[float]:
    """Where the axis of steps begins and ends."""
    low, high = min(at), max(at)
    return [low, high] if low < high else [low - 0.5, high + 0.5]


def _right(curves: Mapping[str, Mapping[str, Sequence[float]]]) -> float:
    """The room that the longest name of a curve takes, in pixels."""
    return 36 + LETTER * max((len(name) for each in curves.values() for name in each), default=0)


def _panel(
    fig: go.Figure,
    row: int,
    at: list[float],
    panel: str,
    curves: Mapping[str, Sequence[float]],
    hues: Mapping[str, int],
    *,
    log: bool,
) -> None:
    """One panel's curves, with its axis and their names."""
    shown = {
        name: [y if math.isfinite(y) and (y > 0 or not log) else None for y in values]
        for name, values in curves.items()
    }
    for name, values in shown.items():
        fig.add_scatter(
            **{"x": at, "y": values, "row": row, "col": 1, "name": label(name), "mode": "lines"},
            line={"color": COLOURS[hues[name]], "width": 1.8},
            hovertemplate=f"{label(name)}: %{{y:.4~g}} at step %{{x}}<extra></extra>",
        )
    scaled = {
        name: [math.log10(y) if log else y for y in values if y is not None]
        for name, values in shown.items()
    }
    every = [y for values in scaled.values() for y in values] or [0.0, 1.0]
    room = 0.06 * ((max(every) - min(every)) or 1.0)
    low, high = min(every) - room, max(every) + room
    style = {"type": "log", "exponentformat": "power", "dtick": _decades(high - low)} if log else {}
    fig.update_yaxes(title_text=label(panel), range=[low, high], **style, row=row, col=1)
    ends = {name: values[-1] for name, values in scaled.items() if values}
    wanted = [(y - low) / (high - low) * PANEL for y in ends.values()]
    spots = spread(wanted, gap=16, low=6, high=PANEL - 6)
    for (name, y), want, spot in zip(ends.items(), wanted, spots, strict=True):
        fig.add_annotation(
            **{"x": 1, "xref": "x domain", "y": y, "row": row, "col": 1, "text": label(name)},
            font={"color": TEXT_COLOURS[hues[name]], "size": 12},
            **{"xanchor": "left", "ax": 16, "ay": want - spot},
            **{"arrowhead": 0, "arrowwidth": 1, "arrowcolor": COLOURS[hues[name]]},
        )


def _decades(reach: float) -> int:
    """Powers of ten between two ticks, so that there are at most about six."""
    return max(1, math.ceil(reach / 6))


def _cut(region: tuple[float | int, float | int], at: Sequence[float]) -> tuple[float, float]:
    """What of a region lies within the axis; nothing where its end is not after its beginning."""
    low, high = _ends(at)
    return max(float(region[0]), low), min(float(region[1]), high)


def _places(
    regions: Mapping[str, tuple[float | int, float | int]], at: Sequence[float], right: float
) -> dict[str, tuple[int, float]]:
    """Where each region's name stands: its row, from the panels up, and its shift to the right.

    The shift is in pixels and from the region's middle to the name's. All names stand centred in
    one row where they have room. Else a name begins at its region, and one further left stands
    higher, so that no name's line crosses another name.
    """
    low, high = _ends(at)
    pixels = (WIDTH - LEFT - right) / (high - low)
    seen = {name: _cut(region, at) for name, region in regions.items()}
    seen = {name: (begin, end) for name, (begin, end) in seen.items() if begin < end}
    middles = {name: (sum(ends) / 2 - low) * pixels for name, ends in seen.items()}
    order = sorted(middles, key=middles.__getitem__)
    wide = {name: LETTER * len(name) + 10 for name in order}
    if all(middles[b] - middles[a] > (wide[a] + wide[b]) / 2 for a, b in pairwise(order)):
        return dict.fromkeys(order, (0, 0.0))
    begins: list[float] = []  # of the leftmost name in each row
    places = {}
    for name in reversed(order):
        begin = min(middles[name] - 6, WIDTH - LEFT - wide[name])
        # Left of all names in this row, and of the lines that come down through it.
        fits = (i for i in range(len(begins)) if begin + wide[name] < min(begins[i:]))
        row = next(fits, len(begins))
        begins[row : row + 1] = [begin]
        places[name] = (row, begin + wide[name] / 2 - middles[name])
    return places


def _shade(
    fig: go.Figure,
    at: Sequence[float],
    regions: Mapping[str, tuple[float | int, float | int]],
    places: Mapping[str, tuple[int, float]],
) -> None:
    """Shade each region that has a place, and write its name over the first panel."""
    staggered = any(shift for _, shift in places.values())
    for index, (name, region) in enumerate(regions.items()):
        if name not in places:
            continue
        begin, end = _cut(region, at)
        fig.add_vrect(
            **{"x0": begin, "x1": end, "fillcolor": TINTS[index % len(TINTS)]},
            **{"layer": "below", "line": {"color": MUTED, "width": 0.5, "dash": "dot"}},
        )
        row, shift = places[name]
        middle = {"x": (begin + end) / 2, "xref": "x", "y": 1, "yref": "y domain"}
        if staggered:
            line = {"color": MUTED, "width": 0.8}
            ends = {"y0": 1, "y1": 1 + (4 + ROW * row) / PANEL, "yref": "y domain", "xref": "x"}
            fig.add_shape(type="line", x0=middle["x"], x1=middle["x"], **ends, line=line)
        fig.add_annotation(
            **{**middle, "text": label(name), "font": {"color": INK, "size": 12}},
            **{"yanchor": "bottom", "yshift": 2 + ROW * row, "xshift": shift, "showarrow": False},
        )
