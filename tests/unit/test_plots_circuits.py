"""Figures of circuits and composition are held by what they show: data, labels, ranges, words."""

from collections.abc import Callable

import numpy as np
import plotly.graph_objects as go
import pytest
import torch

from mechcourse import plots

COMPLEX = torch.tensor([3 + 0j, 1 + 2j, 1 - 2j, -2 + 0j])
HEADS = ["0.0", "0.1"], ["1.0", "1.1", "1.2"]


def words(fig: go.Figure) -> str:
    """The texts that stand in a figure."""
    title = fig.layout.title
    notes = [note.text for note in fig.layout.annotations]
    return "\n".join([title.text, title.subtitle.text or "", *notes])


def z_scores(**pairs: float) -> dict[str, torch.Tensor]:
    """Scores of -1 but for those named by kind, row and column: K01=12."""
    z = {kind: torch.full((2, 3), -1.0) for kind in "QKV"}
    for pair, score in pairs.items():
        z[pair[0]][int(pair[1]), int(pair[2])] = score
    return z


def edges(fig: go.Figure) -> dict[str, go.Scatter]:
    """The drawn edges by what they say on hovering, without their scores."""
    drawn = [trace for trace in fig.data if trace.hovertemplate]
    return {trace.hovertemplate.split(": z")[0]: trace for trace in drawn}


def overlaps(notes: list[go.layout.Annotation], fig: go.Figure) -> int:
    """How many pairs of names of a scatter lie on each other, in pixels."""
    layout, boxes = fig.layout, []
    sides = (
        layout.width - layout.margin.l - layout.margin.r,
        layout.height - layout.margin.t - layout.margin.b,
    )
    for note in notes:
        (x0, x1), (y0, y1) = layout.xaxis.range, layout.yaxis.range
        x = (note.x - x0) / (x1 - x0) * sides[0] + note.xshift
        y = (note.y - y0) / (y1 - y0) * sides[1] + note.yshift
        wide = 0.6 * note.font.size * len(note.text)
        x -= {"left": 0, "center": wide / 2, "right": wide}[note.xanchor]
        y -= {"bottom": 0, "middle": 6, "top": 12}[note.yanchor]
        assert x >= -1 and x + wide <= sides[0] + 1
        boxes.append((x, x + wide, y, y + 12))
    return sum(
        a[0] < b[1] and b[0] < a[1] and a[2] < b[3] and b[2] < a[3]
        for i, a in enumerate(boxes)
        for b in boxes[:i]
    )


ALL: dict[str, Callable[[], go.Figure]] = {
    "circuit_heatmap": lambda: plots.circuit_heatmap(torch.randn(2, 3), "ab", "xyz", "A circuit"),
    "circuit_heatmap, 60 by 60": lambda: plots.circuit_heatmap(
        torch.randn(60, 60), ["tok"] * 60, ["tok"] * 60, "A circuit"
    ),
    "circuit_heatmap, 1 by 60": lambda: plots.circuit_heatmap(
        torch.randn(1, 60), ["tok"], ["a long token"] * 60, "A circuit"
    ),
    "eigenvalues": lambda: plots.eigenvalues({"head 0.1": COMPLEX}, "Eigenvalues"),
    "eigenvalues, 8": lambda: plots.eigenvalues(dict.fromkeys("abcdefgh", COMPLEX), "Eigenvalues"),
    "grouped_bars": lambda: plots.grouped_bars(
        {"a": [1, 2.5], "b": [-1.0, 0]}, ["x", "y"], "Some bars", "nats", {"null": 0.5}
    ),
    "composition_graph": lambda: plots.composition_graph(z_scores(K01=12), *HEADS, "Composition"),
    "term_importance": lambda: plots.term_importance([2.1, 1.6, 0.7], [1.8, 5.2, 0.3], "Terms"),
    "scatter": lambda: plots.scatter([1, 2], [3.0, 4.0], ["a", "b"], "Points", "x", "y"),
}


@pytest.mark.parametrize("name", ALL)
def test_every_figure_fits_a_notebook_and_says_what_it_shows(name: str) -> None:
    fig = ALL[name]()
    assert 400 <= fig.layout.width <= 820
    assert 200 <= fig.layout.height <= 850
    assert fig.layout.template == plots.TEMPLATE
    assert fig.layout.title.subtitle.text, "nothing says how to read it"
    assert all(trace.hovertemplate or trace.hoverinfo == "skip" for trace in fig.data)
    assert "nan" not in fig.to_json().lower()


def test_a_circuit_is_white_at_zero_and_its_rows_stand_from_the_top() -> None:
    values = torch.tensor([[0.5, -3.0, 0.0], [1.0, 2.0, 0.25]])
    fig = plots.circuit_heatmap(values, [" a", "<b>"], ["x", " ", "\n" + 11 * " "], "OV", unit="u")
    (cells,) = fig.data
    assert np.asarray(cells.z).tolist() == values.tolist()
    assert (fig.layout.coloraxis.cmin, fig.layout.coloraxis.cmax) == (-3, 3)
    assert fig.layout.yaxis.autorange == "reversed"
    assert fig.layout.yaxis.labelalias == {"0": "·a", "1": "&lt;b&gt;"}
    assert fig.layout.xaxis.labelalias == {"0": "x", "1": "·", "2": "↵·×11"}
    assert "source token '%{y}', token raised '%{x}'" in cells.hovertemplate
    assert "u<extra>" in cells.hovertemplate
    assert plots.circuit_heatmap(torch.zeros(1, 1), "a", "b", "0").layout.coloraxis.cmax > 0
    long = plots.circuit_heatmap(torch.zeros(1, 2), ["K 1.3"], ["a kind of text " * 3, "b"], "T")
    assert long.layout.yaxis.labelalias == {"0": "K 1.3"}, "a name is no token"
    assert long.layout.xaxis.labelalias["0"] == "a·kind·of·text·a·kind·of·…"


def test_cells_of_a_circuit_are_square_and_sixty_labels_have_room() -> None:
    for n_rows, n_cols in ((12, 12), (60, 60), (5, 40), (40, 5), (3, 60)):
        rows, cols = ["a name of 26 characters .."] * n_rows, ["token"] * n_cols
        layout = plots.circuit_heatmap(torch.zeros(n_rows, n_cols), rows, cols, "T").layout
        wide = (layout.width - layout.margin.l - layout.margin.r) / n_cols
        high = (layout.height - layout.margin.t - layout.margin.b) / n_rows
        assert wide == pytest.approx(high)
        assert wide >= 8 and layout.width <= 820
        assert layout.xaxis.dtick == layout.yaxis.dtick == 1


def test_values_are_written_into_a_map_of_few_cells() -> None:
    drawn = [
        plots.circuit_heatmap(scale * torch.ones(*size), *("t" * n for n in size), "T")
        for size, scale in [((4, 12), 0.1), ((4, 4), 1), ((2, 3), 20), ((9, 9), 1), ((1, 40), 1)]
    ]
    written = [fig.data[0].texttemplate for fig in drawn]
    assert written == ["%{z:.3f}", "%{z:.2f}", "%{z:.0f}", None, None]


def test_eigenvalues_have_panels_of_their_own_with_their_score_over_them() -> None:
    values = {"head <0>": COMPLEX, "zero": torch.zeros(2, dtype=torch.complex128)}
    fig = plots.eigenvalues(values, "Eigenvalues")
    first, second = fig.data
    assert (list(first.x), list(first.y)) == ([3, 1, 1, -2], [0, 2, -2, 0])
    assert list(first.marker.color) == [plots.POSITIVE] * 3 + [plots.NEGATIVE]
    score = (3 + 1 + 1 - 2) / (3 + 2 * 5**0.5 + 2)
    assert f"<b>head &lt;0&gt;</b><br>+{score:.2f}" in words(fig)
    assert "<b>zero</b><br>+0.00" in words(fig)
    for trace, axes in ((first, ("xaxis", "yaxis")), (second, ("xaxis2", "yaxis2"))):
        across, up = (fig.layout[name] for name in axes)
        assert across.range == up.range
        assert up.scaleanchor == trace.xaxis
        assert across.zeroline and up.zeroline
        assert max(map(abs, (*trace.x, *trace.y))) < across.range[1]
    assert fig.layout.xaxis.range != fig.layout.xaxis2.range
    with pytest.raises(ValueError, match="at most 8, not 9"):
        plots.eigenvalues(dict.fromkeys("abcdefghi", COMPLEX), "Eigenvalues")
    with pytest.raises(ValueError, match="at least one"):
        plots.eigenvalues({}, "Eigenvalues")


@pytest.mark.parametrize("n_panels", range(1, 9))
def test_panels_of_eigenvalues_are_square(n_panels: int) -> None:
    fig = plots.eigenvalues(dict.fromkeys("abcdefgh"[:n_panels], COMPLEX), "Eigenvalues")
    layout = fig.layout
    wide, high = (np.diff(axis.domain)[0] for axis in (layout.xaxis, layout.yaxis))
    wide *= layout.width - layout.margin.l - layout.margin.r
    high *= layout.height - layout.margin.t - layout.margin.b
    assert wide == pytest.approx(high)
    assert len({axis.domain for axis in fig.select_xaxes()}) <= 4


def test_bars_carry_their_values_and_lines_their_names() -> None:
    values = {"score": torch.tensor([0.9, -0.25]), "<accuracy>": [0.3, 0.002]}
    fig = plots.grouped_bars(values, ["h0", "<h1>"], "T", "share", {"null <99>": 0.26, "b": 0.27})
    assert [list(bars.y) for bars in fig.data] == [pytest.approx([0.9, -0.25]), [0.3, 0.002]]
    assert [list(bars.text) for bars in fig.data] == [
        ["0.900", "\N{MINUS SIGN}0.250"],
        ["0.300", "0.002"],
    ]
    assert [bars.name for bars in fig.data] == ["score", "&lt;accuracy&gt;"]
    assert fig.layout.barmode == "group" and fig.layout.showlegend
    assert list(fig.layout.xaxis.ticktext) == ["h0", "&lt;h1&gt;"]
    assert sorted(shape.y0 for shape in fig.layout.shapes) == [0.26, 0.27]
    assert all(shape.line.dash == "dash" for shape in fig.layout.shapes)
    assert "null &lt;99&gt; 0.260" in words(fig)
    low, high = fig.layout.yaxis.range
    assert low < -0.25 and high > 0.9
    pixels = fig.layout.height - fig.layout.margin.t - fig.layout.margin.b
    places = [(n.y - low) / (high - low) * pixels - n.ay for n in fig.layout.annotations]
    assert abs(np.diff(places)[0]) >= 16.9, "the names of the lines lie on each other"


def test_many_bars_turn_their_values_and_one_kind_needs_no_legend() -> None:
    many = plots.grouped_bars(dict.fromkeys("abc", [0.123] * 8), list("stuvwxyz"), "T", "y")
    assert {bars.textangle for bars in many.data} == {-90}
    few = plots.grouped_bars({"a": [3.8, 40]}, ["x", "y"], "T", "y")
    assert few.data[0].textangle == 0
    assert list(few.data[0].text) == ["3.8", "40.0"]
    assert not few.layout.showlegend
    zero = plots.grouped_bars({"a": [0, 0]}, ["x", "y"], "T", "y")
    assert zero.layout.yaxis.range[0] == 0 < zero.layout.yaxis.range[1]


def test_an_edge_is_a_score_above_the_threshold() -> None:
    z = z_scores(K01=12, K10=3, Q02=4, V00=-9, Q11=-3.5)
    fig = plots.composition_graph(z, *HEADS, "Composition")
    drawn = edges(fig)
    assert set(drawn) == {"K, 0.0 → 1.1", "Q, 0.0 → 1.2"}, "a score at the threshold is no edge"
    assert "2 of 18 pairs lie above z = 3" in words(fig)
    assert "2 lie below \N{MINUS SIGN}3" in words(fig)
    strong, weak = drawn["K, 0.0 → 1.1"], drawn["Q, 0.0 → 1.2"]
    assert strong.line.width > weak.line.width
    assert (strong.line.color, strong.line.dash) != (weak.line.color, weak.line.dash)
    assert strong.y[0] < strong.y[-1], "the earlier layer stands below"
    assert "<b>K 12</b>" in words(fig) and "<b>Q 4</b>" in words(fig)
    legend = [trace.name for trace in fig.data if trace.showlegend is not False]
    assert legend == ["Q: 1 of 6 pairs", "K: 1 of 6 pairs", "V: 0 of 6 pairs"]


def test_a_head_without_an_edge_stays_pale() -> None:
    fig = plots.composition_graph(z_scores(K01=12), *HEADS, "Composition")
    drawn = {note.text: note.font.color for note in fig.layout.annotations if note.bordercolor}
    assert set(drawn) == {"<b>0.0</b>", "0.1", "1.0", "<b>1.1</b>", "1.2"}
    assert drawn["0.1"] == drawn["1.2"] != drawn["<b>0.0</b>"]
    assert len(edges(plots.composition_graph(z_scores(), *HEADS, "None"))) == 0


def test_parallel_edges_are_kept_apart_and_no_two_names_lie_on_each_other() -> None:
    fig = plots.composition_graph(z_scores(Q01=12, K01=12, V01=12), *HEADS, "Composition")
    middles = sorted(trace.x[20] for trace in edges(fig).values())
    assert min(np.diff(middles)) > 12
    scores = {kind: torch.rand(8, 8, generator=torch.Generator().manual_seed(0)) for kind in "QKV"}
    names = [f"head {head}" for head in range(8)]
    crowded = plots.composition_graph(scores, names, names, "Crowded", threshold=0.5)
    at = [(n.x, n.y) for n in crowded.layout.annotations if n.bgcolor and not n.bordercolor]
    assert len(at) > 5
    for i, (x, y) in enumerate(at):
        assert all(abs(x - u) > 40 or abs(y - v) > 18 for u, v in at[:i])


def test_terms_are_stacked_with_their_values_and_shares() -> None:
    fig = plots.term_importance([2.0, 1.5, 0.5], [1.8, 5.2, 0.3], "Terms")
    assert [list(bars.y) for bars in fig.data] == [[2.0, 1.8], [1.5, 5.2], [0.5, 0.3]]
    assert fig.layout.barmode == "relative"
    assert {"2.00 (50%)", "1.50 (38%)", "0.50 (12%)", "5.20 (71%)", "0.30 (4%)"} <= set(
        words(fig).split("\n")
    )
    assert "total 4.00 nats" in words(fig) and "total 7.30 nats" in words(fig)
    assert "below zero" not in words(fig)
    alone = plots.term_importance(torch.tensor([2.0, 1.5]), None, "Terms")
    assert [len(bars.y) for bars in alone.data] == [1, 1]


def test_a_term_that_raises_the_loss_hangs_below_zero() -> None:
    fig = plots.term_importance([2.0, -0.5, 0.5], None, "Terms")
    said = words(fig).split("\n")
    assert {"2.00 (100%)", "\N{MINUS SIGN}0.50 (\N{MINUS SIGN}25%)", "0.50 (25%)"} <= set(said)
    assert "below zero: terms that raise the loss" in words(fig)
    assert fig.layout.shapes[0].y0 == 2.0, "the total is marked where it is, below the stack's top"
    assert fig.layout.yaxis.range[0] < -0.5
    worthless = plots.term_importance([0.5, -1.0], None, "Terms")
    assert "%" not in "".join(note.text for note in worthless.layout.annotations)


def test_points_are_named_on_hovering_and_grouped() -> None:
    labels = ["head 0.1", " def", "<b>"]
    fig = plots.scatter([1, 2, 3], [4.0, 5, 7], labels, "T", "a <x>", "y", groups=["p", "<q>", "p"])
    first, second = fig.data
    assert (list(first.x), list(first.y), list(first.text)) == (
        [1, 3],
        [4, 7],
        ["head 0.1", "&lt;b&gt;"],
    )
    assert (second.name, list(second.text)) == ("&lt;q&gt;", ["·def"])
    assert first.marker.color != second.marker.color
    assert first.marker.symbol != second.marker.symbol
    assert fig.layout.showlegend
    assert {note.text for note in fig.layout.annotations} == {"head 0.1", "·def", "&lt;b&gt;"}
    assert fig.layout.xaxis.title.text == "a &lt;x&gt;"


def test_the_most_extreme_points_are_named_without_overlap() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(2, 400))
    x[7], y[7], x[8], y[8] = 9, 9, 9.05, 9.05
    x[9], y[9] = -12, 0
    fig = plots.scatter(x, y, [f"token {i}" for i in range(400)], "T", "x", "y")
    notes = list(fig.layout.annotations)
    named = {note.text for note in notes}
    assert {"token 8", "token 9"} <= named
    assert 5 <= len(named) <= 12
    assert overlaps(notes, fig) == 0
    # Names of what can't be read are left to hovering.
    unread = plots.scatter([0, 1], [0, 1], ["\ufffd", "a"], "T", "x", "y")
    assert [note.text for note in unread.layout.annotations] == ["a"]
    same = plots.scatter([1, 1], [2, 2], ["a", "b"], "T", "x", "y")
    assert np.isfinite(same.layout.xaxis.range).all()
    assert not plots.scatter([], [], [], "T", "x", "y").layout.annotations


def test_a_long_run_of_blanks_is_counted() -> None:
    assert plots.compact(" def") == "·def"
    assert plots.compact("   ") == "···"
    assert plots.compact("\n" + 24 * " ") == "↵·×24"
    assert plots.compact("") == "∅"


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.circuit_heatmap(torch.ones(2, 3), ["a"], ["x", "y", "z"], "T"),
        lambda: plots.circuit_heatmap(torch.ones(2, 3), ["a", "b"], ["x"], "T"),
        lambda: plots.grouped_bars({"a": [1, 2], "b": [1]}, ["x", "y"], "T", "y"),
        lambda: plots.composition_graph({"Q": torch.ones(2, 3)}, ["a"], ["x", "y", "z"], "T"),
        lambda: plots.composition_graph({"Q": torch.ones(2, 3)}, ["a", "b"], ["x"], "T"),
        lambda: plots.composition_graph({}, ["a"], ["x"], "T"),
        lambda: plots.term_importance([1, 2], [1], "T"),
        lambda: plots.term_importance([], None, "T"),
        lambda: plots.scatter([1, 2], [1], ["a", "b"], "T", "x", "y"),
        lambda: plots.scatter([1, 2], [1, 2], ["a"], "T", "x", "y"),
        lambda: plots.scatter([1, 2], [1, 2], ["a", "b"], "T", "x", "y", groups=["g"]),
        lambda: plots.scatter([1, float("nan")], [1, 2], ["a", "b"], "T", "x", "y"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(draw: Callable[[], go.Figure]) -> None:
    with pytest.raises(ValueError, match=r"give one for each|at least one|must be finite"):
        draw()
