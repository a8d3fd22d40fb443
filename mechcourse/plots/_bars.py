"""Bars in groups and in stacks."""

import math
from collections.abc import Iterable, Mapping, Sequence

import plotly.graph_objects as go

from mechcourse.plots._style import (
    COLOURS,
    INK,
    MUTED,
    WIDTH,
    Numbers,
    figure,
    label,
    numbers,
    same_length,
    spread,
)

# By order; none of them the blue and orange that stand for signs.
ORDER_COLOURS = ("#5b5b66", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
PATHS = ("the direct path", "through one head", "through two heads")
HEIGHT, TOP, BOTTOM = 420, 112, 64
STACKED = 500
HALO = ", ".join(["0 0 2px white"] * 4)  # keeps a number readable across a line


def grouped_bars(
    values: Mapping[str, Numbers],
    groups: Sequence[str],
    title: str,
    y_title: str,
    reference: Mapping[str, float | int] | None = None,
) -> go.Figure:
    """Bars side by side in groups, every one with its value, and named horizontal lines.

    Args:
        values: for each name, which has a colour of its own, a value in each group.
        reference: heights of dashed lines by name, a null's say.

    Raises:
        ValueError: a name has not one value for each group.
    """
    heights = {name: numbers(each) for name, each in values.items()}
    for name, each in heights.items():
        same_length(f"values of {name!r}", each, "groups", len(groups))
    every = [0.0, *(y for each in heights.values() for y in each if math.isfinite(y))]
    places = min(3, max(0, 2 - math.floor(math.log10(max(map(abs, every)) or 1.0))))
    lines = {f"{name} {fixed(y, places)}": float(y) for name, y in (reference or {}).items()}
    how = " · dashed lines are named at the right" if lines else ""
    fig = figure(title, f"each bar with its value{how}", height=HEIGHT)
    fig.update_layout(
        barmode="group",
        showlegend=len(heights) > 1,
        margin={
            **{"l": 20, "r": 24 + (18 + 6.5 * max(map(len, lines)) if lines else 0)},
            **{"t": TOP if len(heights) > 1 else 84, "b": BOTTOM},
        },
        xaxis={
            **{"tickvals": list(range(len(groups))), "ticktext": [label(g) for g in groups]},
            **{"ticks": "", "showgrid": False},
        },
        yaxis={
            **{"title_text": label(y_title), "tickformat": "~g"},
            **{"zeroline": True, "zerolinecolor": MUTED},
        },
    )
    room = _add_bars(fig, heights, groups, places)
    _add_lines(fig, lines, [*every, *lines.values()], room)
    return fig


def _add_bars(
    fig: go.Figure, heights: Mapping[str, list[float]], groups: Sequence[str], places: int
) -> float:
    """Draw the bars with their values, and return how many pixels a value needs above its bar."""
    bar = 0.8 * (WIDTH - 80 - fig.layout.margin.r) / max(1, len(groups) * len(heights))
    texts = {name: [fixed(y, places) for y in each] for name, each in heights.items()}
    longest = max((len(text) for each in texts.values() for text in each), default=0)
    upright = 6.5 * longest > bar
    for index, (name, each) in enumerate(heights.items()):
        fig.add_bar(
            x=list(range(len(groups))),
            y=each,
            name=label(name),
            marker_color=COLOURS[index % len(COLOURS)],
            text=texts[name] if bar >= 11 else None,  # else values would lie on each other
            textposition="outside",
            textangle=-90 if upright else 0,
            textfont={"size": 11, "shadow": HALO},
            constraintext="none",
            cliponaxis=False,
            customdata=[label(group) for group in groups],
            hovertemplate=f"{label(name)}, %{{customdata}}: %{{y:.4~g}}<extra></extra>",
        )
    return 7.0 * longest + 8 if upright else 20.0


def fixed(amount: float, places: int) -> str:
    """A number with so many digits after the point, and a true minus.

    >>> fixed(-0.0312, 2)
    '−0.03'
    """
    return f"{amount:.{places}f}".replace("-", "\N{MINUS SIGN}")


def _add_lines(
    fig: go.Figure, lines: Mapping[str, float], every: Sequence[float], room: float
) -> None:
    """Draw dashed lines, named at the right, where names that would touch are moved apart.

    Args:
        every: all heights that the axis must reach.
        room: pixels to leave beyond the bars' ends.
    """
    pixels = HEIGHT - fig.layout.margin.t - fig.layout.margin.b
    low, high = min(every), max(every)
    extra = ((high - low) or 1.0) * room / (pixels - (1 + (low < 0)) * room)
    low, high = low - extra * (low < 0), high + extra
    fig.update_yaxes(range=[low, high])
    wanted = [(y - low) / (high - low) * pixels for y in lines.values()]
    places = spread(wanted, gap=17, low=4, high=pixels - 4)
    for (name, y), want, place in zip(lines.items(), wanted, places, strict=True):
        fig.add_hline(y, line={"color": MUTED, "width": 1.5, "dash": "dash"}, layer="below")
        fig.add_annotation(
            x=1,
            xref="x domain",
            y=y,
            text=label(name),
            font={"color": INK, "size": 12},
            xanchor="left",
            ax=14,
            ay=want - place,
            arrowhead=0,
            arrowwidth=1,
            arrowcolor=MUTED,
        )


def term_importance(
    ours: Numbers, paper: Numbers | None = None, title: str = "What paths of each order are worth"
) -> go.Figure:
    """How far the loss falls, in nats, with the paths of each order, as a stack.

    A share is a term's part of the sum of all. A term that raises the loss hangs below zero and its
    share is negative; then the others' shares are together more than the whole.

    Args:
        ours: the fall that paths through 0, 1, 2 … heads bring.
        paper: the same as the paper reports it.

    Raises:
        ValueError: there is no term, or the paper's are not as many as ours.
    """
    stacks = {"this model": numbers(ours)}
    if not len(ours):
        raise ValueError("ours is empty: give at least one term")
    if paper is not None:
        stacks["the paper's model"] = numbers(paper)
        same_length("terms of the paper", numbers(paper), "terms of ours", len(ours))
    lowest, highest = _ends(stacks.values())
    how = " · below zero: terms that raise the loss · dotted: the total" if lowest < 0 else ""
    fig = figure(
        title,
        f"in brackets: share of the total{how}",
        width=690 if paper is None else 800,
        height=STACKED,
    )
    for order in range(len(ours)):
        name = PATHS[order] if order < len(PATHS) else f"through {order} heads"
        fig.add_bar(
            x=list(range(len(stacks))),
            y=[stack[order] for stack in stacks.values()],
            name=f"order {order}, {name}",
            width=0.4,
            marker={
                "color": ORDER_COLOURS[order % len(ORDER_COLOURS)],
                "line": {"color": "white", "width": 1},
            },
            customdata=list(stacks),
            hovertemplate=f"%{{customdata}}, order {order}: %{{y:.3f}} nats<extra></extra>",
        )
    room = 0.1 * ((highest - lowest) or 1.0)
    low, high = lowest - room * (lowest < 0), highest + room
    right = 0.8 if paper is None else -0.2  # room for names beside the last stack
    fig.update_layout(
        barmode="relative",
        margin={"l": 20, "r": 30, "t": 132, "b": 40},
        xaxis={
            **{"tickvals": list(range(len(stacks))), "ticktext": list(stacks), "ticks": ""},
            **{"range": [-0.6, len(stacks) + right], "showgrid": False, "tickfont_size": 13},
        },
        yaxis={
            **{"title_text": "fall of the loss (nats per token)", "range": [low, high]},
            **{"zeroline": True, "zerolinecolor": INK},
        },
    )
    for place, stack in enumerate(stacks.values()):
        _name_terms(fig, stack, place, (STACKED - 172) / (high - low))
        _name_total(fig, stack, place)
    return fig


def _ends(stacks: Iterable[Sequence[float]]) -> tuple[float, float]:
    """How far the stacks reach down and up."""
    downs, ups = zip(
        *((sum(min(y, 0.0) for y in s), sum(max(y, 0.0) for y in s)) for s in stacks), strict=True
    )
    return min(downs), max(ups)


def _name_total(fig: go.Figure, stack: Sequence[float], place: int) -> None:
    """Write the sum over a stack; where a term hangs below zero, mark its height too."""
    total, (down, up) = sum(stack), _ends([stack])
    text = f"<b>total {fixed(total, 2)} nats</b>"
    fig.add_annotation(x=place, y=up, text=text, showarrow=False, yanchor="bottom")
    if down < 0:
        net = {"x0": place - 0.25, "x1": place + 0.25, "y0": total, "y1": total}
        fig.add_shape(**net, line={"color": INK, "width": 2, "dash": "dot"})


def _name_terms(fig: go.Figure, stack: Sequence[float], place: int, scale: float) -> None:
    """Write each segment's value and share into it, or beside it where it is too low.

    Args:
        scale: pixels to a nat.
    """
    total, above, below = sum(stack), 0.0, 0.0
    beside = []
    for order, amount in enumerate(stack):
        middle = (above if amount >= 0 else below) + amount / 2
        above, below = above + max(amount, 0.0), below + min(amount, 0.0)
        share = f" ({amount / total:.0%})" if total > 0 else ""
        text = fixed(amount, 2) + share.replace("-", "\N{MINUS SIGN}")
        if abs(amount) * scale < 18:
            beside.append((middle, text))
            continue
        dark = ORDER_COLOURS[order % len(ORDER_COLOURS)] in ORDER_COLOURS[:2]
        colour = "white" if dark else INK
        fig.add_annotation(x=place, y=middle, text=text, font_color=colour, showarrow=False)
    places = spread([middle * scale for middle, _ in beside], gap=17, low=-1e4, high=1e4)
    for (middle, text), height in zip(beside, places, strict=True):
        fig.add_annotation(
            x=place + 0.2,
            y=middle,
            text=text,
            xanchor="left",
            bgcolor="white",
            borderpad=1,
            ax=18,
            ay=middle * scale - height,
            arrowhead=0,
            arrowwidth=1,
            arrowcolor=MUTED,
        )
