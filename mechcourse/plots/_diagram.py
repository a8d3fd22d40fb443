"""A circuit as a drawing: heads by layer, and an edge for every path with a measured effect."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from torch import Tensor

from mechcourse.plots._composition import OTHER, STYLES
from mechcourse.plots._diagram_layout import (
    LEFT,
    RIGHT,
    SIDE,
    Drawing,
    Edge,
    Node,
    inside,
    place,
    rank_of,
    route,
)
from mechcourse.plots._style import INK, MUTED, NEGATIVE, POSITIVE, figure, label

Number = float | int | Tensor

TOP, BOTTOM, END = 142, 20, 30  # margins, and room beyond the last row
WIDEST = 13.0
NAMES = {"Q": "into queries", "K": "into keys", "V": "into values"}


def circuit_diagram(
    edges: Mapping[Edge, Number],
    nodes: Mapping[str, Number] | None = None,
    *,
    threshold: float | int,
    title: str = "The circuit, drawn from what was measured",
    unit: str = "",
    full: float | int | None = None,
    n_values: int = 10,
) -> go.Figure:
    """Inputs below, heads by layer, logits above, and an edge for every effect large enough.

    An edge's width is proportional to the size of its effect (but never less than a pixel), and its
    colour grows stronger with it; which colour it is says how the receiver reads it. Dotted edges
    have effects below zero. A head that no edge meets is pale. Nothing in the drawing is assumed:
    what was not measured has no edge.

    Args:
        edges: the effect of each path by (sender, receiver, kind): ("0.3", "1.3", "K"). "1.3" is a
            head, "1.mlp" an MLP, "logits" the end; any other name is an input. A kind is "Q", "K",
            "V" or a word of your own, "direct" say.
        nodes: what each node does by itself; written into it, blue above zero, orange below.
        threshold: sizes of effects below this have no edge. The subtitle says how many they are.
        unit: of the effects, "nats" say.
        full: the size of effect that has the widest edge, the largest of all unless given; give the
            same to several figures to compare them.
        n_values: how many of the strongest edges have their value written on them, where there is
            room. Hovering tells every one.

    Raises:
        ValueError: there is no edge, one does not lead upwards, or a number is not finite.
    """
    effects = _read(edges)
    own = {name: _finite(value, f"node {name!r}") for name, value in (nodes or {}).items()}
    if not (math.isfinite(threshold) and threshold >= 0):
        raise ValueError(f"threshold must be a size, at least 0, got {threshold}")
    if full is not None and full <= 0:
        raise ValueError(f"full must be above 0, got {full}")
    drawn = {edge: x for edge, x in effects.items() if x and abs(x) >= threshold}
    drawn = dict(sorted(drawn.items(), key=lambda item: -abs(item[1])))
    largest = max(map(abs, effects.values())) or 1.0
    places = min(3, max(0, 2 - math.floor(math.log10(largest))))
    drawing, left_out = place([*effects], [*drawn], own)
    fig = figure(title, _subtitle(effects, drawn, threshold, unit, places))
    colours = _colours([kind for _, _, kind in effects])
    _add_legend(fig, effects, drawn, colours)
    for edge, effect in drawn.items():
        share = min(1.0, abs(effect) / (full or largest))
        _draw_edge(fig, drawing, edge, effect, share, colours[edge[2]], f"{places}f", unit)
    for edge in list(drawn)[:n_values]:
        text = f"{edge[2]} {_signed(drawn[edge], places)}"
        _name_edge(fig, drawing, edge, text, colours[edge[2]])
    busy = {name for sender, receiver, _ in drawn for name in (sender, receiver)}
    biggest = max(map(abs, own.values()), default=0.0) or 1.0
    for node in drawing.nodes.values():
        _draw_node(fig, node, own.get(node.name), biggest, node.name in busy, unit)
    _lay_out(fig, drawing, left_out)
    return fig


def _read(edges: Mapping[Any, Number]) -> dict[Edge, float]:
    """The effects as floats, once every edge is known to lead upwards."""
    if not edges:
        raise ValueError("edges is empty: give the effect of at least one path")
    found = {}
    for edge, value in edges.items():
        if not (isinstance(edge, tuple) and len(edge) == 3 and all(map(_is_text, edge))):
            raise ValueError(f"an edge is (sender, receiver, kind), three texts, not {edge!r}")
        sender, receiver, kind = edge
        if not rank_of(sender) < rank_of(receiver):
            raise ValueError(
                f"{sender!r} can't send to {receiver!r}: an edge leads from an input or a head to "
                "a later layer or the logits"
            )
        found[edge] = _finite(value, f"{kind}, {sender} → {receiver}")
    return found


def _is_text(part: object) -> bool:
    return isinstance(part, str)


def _finite(value: Number, what: str) -> float:
    if not math.isfinite(amount := float(value)):
        raise ValueError(f"the effect of {what} is {amount}; every effect must be a finite number")
    return amount


def _colours(kinds: Sequence[str]) -> dict[str, str]:
    others = dict.fromkeys(kind for kind in kinds if kind not in STYLES)
    chosen = {kind: OTHER[i % len(OTHER)][0] for i, kind in enumerate(others)}
    return {kind: style[0] for kind, style in STYLES.items()} | chosen


def _subtitle(
    effects: Mapping[Edge, float],
    drawn: Mapping[Edge, float],
    threshold: float | int,
    unit: str,
    places: int,
) -> str:
    said = f"{len(drawn)} of {len(effects)} paths drawn; the wider, the larger the effect"
    rest = [abs(x) for edge, x in effects.items() if edge not in drawn]
    if not rest:
        return f"{said} · none left out"
    limit = f"{threshold:g} {unit}".strip() if threshold else "any effect"
    return f"{said} · {len(rest)} below {limit} left out, their sizes sum to {sum(rest):.{places}f}"


def _add_legend(
    fig: go.Figure,
    effects: Mapping[Edge, float],
    drawn: Mapping[Edge, float],
    colours: Mapping[str, str],
) -> None:
    kinds = dict.fromkeys(kind for _, _, kind in effects)
    for kind in sorted(kinds, key=lambda kind: [*colours].index(kind)):
        n_all, n_drawn = (sum(edge[2] == kind for edge in some) for some in (effects, drawn))
        name = f"{kind}, {NAMES[kind]}" if kind in NAMES else kind
        _add_key(fig, f"{name}: {n_drawn} of {n_all}", {"color": colours[kind], "width": 5})
    if any(x < 0 for x in drawn.values()):
        _add_key(fig, "dotted: below zero", {"color": MUTED, "width": 3, "dash": "dot"})


def _add_key(fig: go.Figure, name: str, line: dict[str, str | int]) -> None:
    empty = {"x": [None], "y": [None], "mode": "lines", "hoverinfo": "skip"}
    fig.add_scatter(**empty, name=label(name), line=line)


def _draw_edge(
    fig: go.Figure,
    drawing: Drawing,
    edge: Edge,
    effect: float,
    share: float,
    colour: str,
    digits: str,
    unit: str,
) -> None:
    sender, receiver, kind = edge
    path = route(drawing, drawing.nodes[sender], drawing.nodes[receiver], kind)
    drawing.paths[edge] = path
    told = f"{kind}, {sender} → {receiver}: {_signed(effect, int(digits[:-1]) + 1)} {unit}".strip()
    fig.add_scatter(
        x=path[:, 0].tolist(),
        y=path[:, 1].tolist(),
        mode="lines",
        line={
            "color": colour,
            "width": max(1.0, WIDEST * share),
            "dash": "dot" if effect < 0 else "solid",
        },
        opacity=0.4 + 0.5 * share,
        showlegend=False,
        hovertemplate=f"{label(told)}<extra></extra>",
    )


def _name_edge(fig: go.Figure, drawing: Drawing, edge: Edge, text: str, colour: str) -> None:
    """Write an edge's kind and value on it, where it hides least; nowhere if there is no room."""
    wide, path = 7.4 * len(text) + 8, drawing.paths[edge]
    others = np.concatenate(
        [np.zeros((0, 2)), *(each for other, each in drawing.paths.items() if other != edge)]
    )
    free = []
    for step in (21, 17, 25, 14, 28, 11, 31, 8, 34):
        x, y = float(path[step][0]), float(path[step][1])
        box = Node("", 0, min(max(x, wide / 2), SIDE - wide / 2), y, wide, 19)
        if not any(_touch(box, other) for other in (*drawing.nodes.values(), *drawing.labels)):
            free.append((int(inside(others, box, 2).sum()), box))
    if not free:
        return
    _, box = min(free, key=lambda found: found[0])
    drawing.labels.append(box)
    fig.add_annotation(
        x=box.x,
        y=box.y,
        text=f"<b>{label(text)}</b>",
        font={"color": colour, "size": 12},
        bgcolor="rgba(255,255,255,0.9)",
        borderpad=1,
        showarrow=False,
    )


def _touch(one: Node, other: Node) -> bool:
    sides = abs(one.x - other.x) < (one.wide + other.wide) / 2 + 3
    return sides and abs(one.y - other.y) < (one.high + other.high) / 2 + 3


def _draw_node(
    fig: go.Figure, node: Node, effect: float | None, biggest: float, busy: bool, unit: str
) -> None:
    """A circle, or a bar, with its name and its own effect."""
    shade = 0.0 if effect is None else 0.85 * abs(effect) / biggest
    fill = _mix(NEGATIVE if (effect or 0) < 0 else POSITIVE, shade)
    edge = {"color": INK if busy else "#d0d7de", "width": 1.5}
    ink = "white" if shade > 0.5 else INK if busy or effect is not None else "#8c959f"
    name = f"<b>{label(node.name)}</b>" if busy else label(node.name)
    told = label(node.name)
    if effect is not None:
        amount = _signed(effect, 2)
        name += f"  {amount}" if node.bar else f"<br><span style='font-size:10px'>{amount}</span>"
        told += label(f", by itself: {_signed(effect, 3)} {unit}".rstrip())
    half_x, half_y = node.wide / 2, node.high / 2
    fig.add_shape(
        type="rect" if node.bar else "circle",
        **{"x0": node.x - half_x, "x1": node.x + half_x},
        **{"y0": node.y - half_y, "y1": node.y + half_y},
        fillcolor=fill,
        line=edge,
    )
    fig.add_annotation(
        x=node.x,
        y=node.y,
        text=name,
        hovertext=told,
        font={"size": 13 if node.wide >= 40 else 10, "color": ink},
        showarrow=False,
    )


def _lay_out(fig: go.Figure, drawing: Drawing, left_out: int) -> None:
    ranks = {node.y: node.rank for node in drawing.nodes.values() if not node.bar}
    for y, rank in ranks.items():
        text = f"layer {int(rank)}" + ("<br>MLP" if rank % 1 else "")
        aside = {"x": 0, "xref": "paper", "xshift": 20 - LEFT, "xanchor": "left"}
        fig.add_annotation(y=y, text=text, font_color=MUTED, showarrow=False, **aside)
    tops = [node.y for node in drawing.nodes.values()]
    low, high = min(tops) - END - 22 * (left_out > 0), max(tops) + END
    if left_out:
        fig.add_annotation(
            **{"x": SIDE, "y": low + 8, "xanchor": "right", "showarrow": False},
            text=f"{left_out} nodes that no edge meets are not shown",
            font_color=MUTED,
        )
    hidden = {"visible": False, "fixedrange": True}
    fig.update_layout(
        height=high - low + TOP + BOTTOM,
        margin={"l": LEFT, "r": RIGHT, "t": TOP, "b": BOTTOM},
        showlegend=True,
        legend={"itemclick": False, "itemdoubleclick": False},
        hovermode="closest",
        xaxis={**hidden, "range": [0, SIDE]},
        yaxis={**hidden, "range": [low, high]},
    )


def _mix(colour: str, share: float) -> str:
    """A colour so far from white."""
    parts = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{round(255 + (part - 255) * share):02x}" for part in parts)


def _signed(amount: float, places: int) -> str:
    return f"{amount:+.{places}f}".replace("-", "\N{MINUS SIGN}")
