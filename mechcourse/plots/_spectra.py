"""How much there is of each Fourier component: over frequencies, and over pairs of components."""

from collections.abc import Collection, Mapping, Sequence

import plotly.graph_objects as go
from jaxtyping import Float
from plotly.subplots import make_subplots
from torch import Tensor

from mechcourse.plots._grid import BAR, Room, head, own_scale, square_panels
from mechcourse.plots._pairs import square
from mechcourse.plots._style import (
    COLOURS,
    MUTED,
    SEQUENTIAL,
    TEXT_COLOURS,
    card,
    label,
    numbers,
    spread,
)

REST = "#cfd6dd"
PANEL, GAP, TOP, BOTTOM = 150, 44, 112, 56  # pixels of the spectra
MANY_TIMES = 5  # as large as another panel's: then each has its own scale
MOST_NAMED = 12  # key frequencies; of more the names would lie on each other
LINE = 12  # pixels that a label takes
AXIS_SHIFTS = ({"yshift": -80}, {"xshift": -88})  # of the axes' titles, beyond the labels


def fourier_spectrum(
    norms: Mapping[str, Float[Tensor, "freq"]], title: str, *, keys: Collection[int] = ()
) -> go.Figure:
    """A bar for each frequency, a panel for each name, the key frequencies coloured and named.

    The panels share the frequency axis, and the vertical one too unless the largest bar of one is
    over 5 times that of another; the subtitle says which.

    Args:
        norms: entry k is of frequency k; entry 0, the constant, is not drawn.

    Raises:
        ValueError: there is no panel, one has no frequency, or a key is no frequency.
    """
    bars = {name: numbers(each)[1:] for name, each in norms.items()}
    if not bars:
        raise ValueError("there is no panel to draw: give at least one")
    if empty := [name for name, each in bars.items() if not each]:
        raise ValueError(f"{empty} hold no frequency: entry 0 is the constant, entry k frequency k")
    keys = in_range(keys, max(map(len, bars.values())))
    own, reach = _scales(bars)
    how = "each panel has its own scale" if own else "one scale for all panels"
    parts = ["coloured: the key frequencies"] * bool(keys) + [how] * (len(bars) > 1)
    high = PANEL * len(bars) + GAP * (len(bars) - 1)
    fig = make_subplots(
        len(bars),
        1,
        shared_xaxes=True,
        subplot_titles=[head(name) for name in bars],
        vertical_spacing=GAP / high if len(bars) > 1 else None,
        y_title="norm",
    )
    fig.update_annotations(font={"size": 13, "color": MUTED})
    fig.update_layout(card(title, " · ".join(parts)))
    for row, (name, each) in enumerate(bars.items(), start=1):
        fig.add_trace(spectrum_bars(name, each, keys), row=row, col=1)
        top = 1.2 * (reach[name] or 1.0)  # room for the names over the bars
        fig.update_yaxes(range=[0, top], nticks=5, tickformat="~g", row=row, col=1)
    longest = max(map(len, bars.values()))
    fig.update_xaxes(range=[0.3, longest + 0.7], showgrid=False, ticks="")
    fig.update_xaxes(title_text="frequency", row=len(bars), col=1)
    fig.update_layout(
        **{"height": high + TOP + BOTTOM, "bargap": 0.25, "showlegend": False},
        margin={"l": 74, "r": 30, "t": TOP, "b": BOTTOM},
    )
    return fig


def in_range(keys: Collection[int], n_frequencies: int) -> list[int]:
    """The keys, ascending, each once; a `ValueError` where one is not from 1 to the number."""
    wrong = [k for k in keys if not 1 <= k <= n_frequencies]
    if wrong:
        raise ValueError(f"keys {wrong} are no frequencies; these go from 1 to {n_frequencies}")
    return sorted({int(k) for k in keys})


def _scales(bars: Mapping[str, list[float]]) -> tuple[bool, dict[str, float]]:
    """Whether each panel has its own scale, and how high its bars reach on it."""
    tops = {name: max(each) for name, each in bars.items()}
    above = [top for top in tops.values() if top > 0]
    own = bool(above) and max(above) > MANY_TIMES * min(above)
    return own, tops if own else dict.fromkeys(tops, max(tops.values()))


def spectrum_bars(name: str, norms: Sequence[float], keys: Sequence[int]) -> go.Bar:
    """Bars of frequency 1 and on; each key has a colour, the same wherever keys are the same."""
    hues = {k: i % len(COLOURS) for i, k in enumerate(keys)}
    frequencies = range(1, len(norms) + 1)
    named = hues if len(keys) <= MOST_NAMED else {}
    return go.Bar(
        x=list(frequencies),
        y=list(norms),
        name=label(name),
        marker_color=[COLOURS[hues[k]] if k in hues else REST for k in frequencies],
        marker_line_width=0,
        text=[str(k) if k in named else "" for k in frequencies],
        textposition="outside",
        textangle=0,
        textfont={
            "size": 10 if any(k + 1 in named for k in named) else 13,
            "color": [TEXT_COLOURS[hues[k]] if k in named else MUTED for k in frequencies],
        },
        constraintext="none",
        cliponaxis=False,
        hovertemplate=f"{label(name)}, frequency %{{x}}: %{{y:.4~g}}<extra></extra>",
    )


def two_dimensional_spectrum(
    coefficients: Float[Tensor, "component component"]
    | Mapping[str, Float[Tensor, "component component"]],
    title: str,
    *,
    keys: Collection[int] = (),
) -> go.Figure:
    """Sizes of the coefficients in products of a component of a (rows) and one of b (columns).

    Components are in the order constant, cos 1, sin 1, cos 2 and so on. Each table has a scale of
    its own, which leaves the product of the constants out: a large mean would hide all else, and
    what is beyond the scale has its darkest colour.

    Args:
        coefficients: one table, or several by name.
        keys: the frequencies whose components are named beside the map.

    Raises:
        ValueError: there is no table, one is not square with an odd side, or a key is no frequency.
    """
    tables = coefficients if isinstance(coefficients, Mapping) else {"": coefficients}
    for name, table in tables.items():
        square(name or "coefficients", table)
        if len(table) % 2 == 0 or len(table) < 3:
            raise ValueError(
                f"{name or 'coefficients'!r} has {len(table)} rows; a constant and pairs of cos "
                "and sin are an odd number, at least 3"
            )
    keys = in_range(keys, max((len(table) // 2 for table in tables.values()), default=0))
    alone = len(tables) == 1
    top = 84 if alone and "" in tables else 104
    room = Room(left=110, right=BAR, top=top, bottom=104, across=BAR + 76, down=110)
    about = "darker: larger · the mean (constant × constant) is left out of the scale"
    heads = ["" if alone and not name else head(name) for name in tables]
    axes = {"x_title": "component of b", "y_title": "component of a"}
    grid = square_panels(heads, 2, title, about, room, **axes)
    for note, shift in zip(grid.fig.layout.annotations[-2:], AXIS_SHIFTS, strict=True):
        note.update(shift)
    for index, table in enumerate(tables.values()):
        row, col = grid.places[index]
        values = table.detach().cpu().double()
        sizes = values.abs()
        rest = sizes.flatten()[1:]
        largest = float(rest[rest.isfinite()].max()) if rest.isfinite().any() else 0.0
        trace = go.Heatmap(
            z=sizes.float().numpy(),
            customdata=values.float().numpy(),
            **own_scale(grid, index, SEQUENTIAL, 0.0, largest or 1.0),
            hoverongaps=False,
            hovertemplate="%{y} of a × %{x} of b: %{customdata:+.4~g}<extra></extra>",
        )
        grid.fig.add_trace(trace, row=row, col=col)
        _name_components(grid.fig, row, col, len(table), keys, grid.side)
    return grid.fig


def component_names(n_components: int) -> list[str]:
    """What each component is called.

    >>> component_names(5)
    ['constant', 'cos 1', 'sin 1', 'cos 2', 'sin 2']
    """
    waves = range(1, n_components // 2 + 1)
    return ["constant", *(f"{wave} {k}" for k in waves for wave in ("cos", "sin"))]


def _name_components(
    fig: go.Figure, row: int, col: int, n_components: int, keys: Sequence[int], side: float
) -> None:
    """Name the constant and the key frequencies' components beside a map, kept apart.

    Where there is no room for cos and sin of each, a frequency has one name; where there is none
    for these either, only the constant has one.
    """
    names = component_names(n_components)
    inside = [k for k in keys if 2 * k < n_components]
    places = {0.0: "constant"} | {float(i): names[i] for k in inside for i in (2 * k - 1, 2 * k)}
    if LINE * len(places) > side:
        places = {0.0: "constant"} | {2 * k - 0.5: f"cos, sin {k}" for k in inside}
    if LINE * len(places) > side:
        places = {0.0: "constant"}
    cell = side / n_components
    wanted = [(place + 0.5) * cell for place in places]
    spots = spread(wanted, gap=LINE, low=LINE / 2, high=side - LINE / 2)
    common = {"showarrow": True, "arrowhead": 0, "arrowwidth": 1, "arrowcolor": MUTED}
    common |= {"font": {"size": 11, "color": MUTED}}
    for (place, text), want, spot in zip(places.items(), wanted, spots, strict=True):
        axes = fig.get_subplot(row, col)
        x, y = (axis.plotly_name.replace("axis", "") for axis in (axes.xaxis, axes.yaxis))
        fig.add_annotation(
            **{"x": 0, "xref": f"{x} domain", "xanchor": "right", "ax": -14},
            **{"y": place, "yref": y, "yanchor": "middle", "ay": spot - want, "text": text},
            **common,
        )
        fig.add_annotation(
            **{"x": place, "xref": x, "xanchor": "center", "ax": spot - want},
            # A turned text with an arrow hangs by its middle, whatever its anchor.
            **{"y": 0, "yref": f"{y} domain", "ay": 14 + 3.1 * len(text), "text": text},
            **{"textangle": -90, **common},
        )
    # An alias reaches the hover text of every component, with or without a name beside the map.
    alias = {str(i): name for i, name in enumerate(names)}
    axis = {
        **{"labelalias": alias, "tick0": 0, "dtick": 1, "showticklabels": False, "ticks": ""},
        **{"showgrid": False, "mirror": True, "automargin": False},
    }
    ends = [-0.5, n_components - 0.5]
    fig.update_xaxes(**axis, range=ends, row=row, col=col)
    fig.update_yaxes(**axis, range=ends[::-1], row=row, col=col)
