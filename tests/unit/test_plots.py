"""Figures are held by what they show: data, labels, ranges, words."""

from collections.abc import Callable

import numpy as np
import plotly.graph_objects as go
import pytest
import torch

from mechcourse import plots
from mechcourse.plots._style import spread

TOKENS = ["def", " f", "(", "\n    ", "f"]


def causal(n: int, seed: int = 0) -> torch.Tensor:
    scores = torch.randn(n, n, generator=torch.Generator().manual_seed(seed))
    future = torch.ones(n, n, dtype=torch.bool).triu(1)
    return scores.masked_fill(future, -torch.inf).softmax(dim=-1)


def words(fig: go.Figure) -> str:
    """The texts that stand in a figure."""
    title = fig.layout.title
    notes = [note.text for note in fig.layout.annotations]
    return "\n".join([title.text, title.subtitle.text or "", *notes])


ALL: dict[str, Callable[[], go.Figure]] = {
    "attention_pattern": lambda: plots.attention_pattern(causal(5), TOKENS),
    "attention_pattern, long": lambda: plots.attention_pattern(causal(128), ["x"] * 128),
    "attention_heads": lambda: plots.attention_heads(torch.stack([causal(5)] * 8), TOKENS),
    "attribution_bars": lambda: plots.attribution_bars(torch.tensor([1.0, -2.0]), ["a", "b"]),
    "attribution_comparison": lambda: plots.attribution_comparison(
        torch.tensor([1.0, -2.0]), torch.tensor([1.0, 2.0]), ["a", "b"]
    ),
    "token_heatmap": lambda: plots.token_heatmap(torch.randn(3, 5), ["a", "b", "c"], TOKENS),
    "loss_curves": lambda: plots.loss_curves({"m": ([1, 2], [3.0, 2.0])}, {"uniform": 6.0}),
    "update_norms": lambda: plots.update_norms(torch.rand(2, 5), TOKENS),
    "line": lambda: plots.line([1, 2], {"a": [3, 4]}, "Title", "x", "y"),
    "histogram_with_null": lambda: plots.histogram_with_null(0.5, torch.rand(50), "score"),
    "calibration_curve": lambda: plots.calibration_curve([0.6], [0.5], [4], 0.5),
}


@pytest.mark.parametrize("name", ALL)
def test_every_figure_fits_a_notebook_and_says_what_it_shows(name: str) -> None:
    fig = ALL[name]()
    assert 400 <= fig.layout.width <= 850
    assert fig.layout.height <= 850
    assert len(fig.layout.title.text) >= 5
    assert fig.layout.template == plots.TEMPLATE
    titles = [axis.title.text for axis in (*fig.select_xaxes(), *fig.select_yaxes())]
    assert any(titles) or "key" in words(fig), "no axis says what it measures"
    assert all(trace.hovertemplate or trace.hoverinfo == "skip" for trace in fig.data)
    assert "nan" not in fig.to_json().lower().replace("finance", "")


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        (" self", "·self"),
        ("\n    ", "↵····"),
        ("\t", "⇥"),
        ("\r\n", "↵"),
        ("", "∅"),
        ("a" * 30, "a" * 15 + "…"),
    ],
)
def test_blanks_are_visible_and_long_tokens_are_cut(token: str, shown: str) -> None:
    assert plots.visible(token) == shown


def test_the_future_is_blank_and_the_past_is_the_pattern() -> None:
    pattern = causal(5)
    shown = plots.attention_pattern(pattern, TOKENS).data[0].z
    for query in range(5):
        for key in range(5):
            if key > query:
                assert shown[query][key] is None
            else:
                assert shown[query][key] == pytest.approx(pattern[query, key].item(), abs=1e-4)


def test_repeated_tokens_have_places_of_their_own_and_html_is_no_markup() -> None:
    fig = plots.attention_pattern(causal(3), ["<b>", "x", "x"])
    aliases = {"0": "&lt;b&gt;", "1": "x", "2": "x"}
    assert fig.layout.xaxis.labelalias == fig.layout.yaxis.labelalias == aliases
    assert fig.layout.xaxis.dtick == 1
    assert fig.layout.yaxis.autorange == "reversed"
    assert "query token" in fig.data[0].hovertemplate
    assert (fig.layout.coloraxis.cmin, fig.layout.coloraxis.cmax) == (0, 1)


def test_cells_are_square_and_a_long_text_leaves_labels_out() -> None:
    for n_tokens in (5, 60, 200):
        layout = plots.attention_pattern(causal(n_tokens), ["tok"] * n_tokens).layout
        wide = layout.width - layout.margin.l - layout.margin.r
        high = layout.height - layout.margin.t - layout.margin.b
        assert n_tokens < 20 or wide == pytest.approx(high, rel=0.1)
        assert wide / n_tokens * layout.xaxis.dtick >= 8, "labels would lie on each other"


def test_heads_share_one_colour_scale_and_keep_their_order() -> None:
    heads = torch.stack([causal(5, seed) for seed in range(6)])
    fig = plots.attention_heads(heads, TOKENS)
    assert {trace.coloraxis for trace in fig.data} == {"coloraxis"}
    assert [trace.z[4][0] for trace in fig.data] == pytest.approx(heads[:, 4, 0].tolist(), abs=1e-4)
    notes = [note.text for note in fig.layout.annotations]
    assert notes[:6] == [f"head {head}" for head in range(6)]
    named = plots.attention_heads(heads[:2], TOKENS, names=["previous token", "other"])
    assert "previous token" in words(named)


def test_bars_end_in_their_total() -> None:
    fig = plots.attribution_bars(torch.tensor([1.0, -2.5, 0.25]), ["embedding", "head 0", "head 1"])
    bars = fig.data[0]
    assert list(bars.x) == [1.0, -2.5, 0.25, -1.25]
    assert list(fig.layout.yaxis.ticktext) == ["embedding", "head 0", "head 1", "<b>total</b>"]
    assert fig.layout.yaxis.range[0] > fig.layout.yaxis.range[1], "the first stands on top"
    assert len(set(bars.marker.color)) == 3
    assert bars.marker.color[0] == bars.marker.color[2] != bars.marker.color[1]
    assert bars.text[1] == "\N{MINUS SIGN}2.50"


def test_a_comparison_names_what_the_two_disagree_on() -> None:
    raw = torch.tensor([1.0, 3.0, 0.5, 0.01])
    centred = torch.tensor([1.2, 0.2, -0.6, -0.01])
    fig = plots.attribution_comparison(raw, centred, ["embedding", "h0", "h1", "h2"])
    assert "h0 by raw, embedding by centred" in words(fig)
    stars = [[i for i, text in enumerate(trace.text) if "★" in text] for trace in fig.data]
    assert stars == [[1], [0]]
    assert [(s.y0, s.y1) for s in fig.layout.shapes] == [(1.5, 2.5)], "h2's sign is negligible"
    assert [trace.name for trace in fig.data] == ["raw", "centred"]
    same = plots.attribution_comparison(raw, 2 * raw, ["embedding", "h0", "h1", "h2"])
    assert "both rank h0 first" in words(same)
    assert not same.layout.shapes


def test_attributions_by_token_are_white_at_zero() -> None:
    values = torch.tensor([[0.5, -3.0], [1.0, 0.0]])
    fig = plots.token_heatmap(values, ["a", "b"], ["x", " y"])
    assert (fig.layout.coloraxis.cmin, fig.layout.coloraxis.cmax) == (-3, 3)
    assert np.asarray(fig.data[0].z).tolist() == values.tolist()
    assert list(fig.data[0].y) == ["a", "b"]
    assert plots.token_heatmap(torch.zeros(1, 1), ["a"], ["x"]).layout.coloraxis.cmax > 0


@pytest.mark.parametrize("log_y", [False, True])
def test_loss_labels_stand_apart_beside_their_lines(log_y: bool) -> None:
    curves = {"1 layer": ([0, 100], [6.0, 3.0]), "2 layers": ([0, 100], [6.0, 2.99])}
    fig = plots.loss_curves(curves, {"bigram": 3.01, "uniform": 6.24}, log_y=log_y)
    notes = fig.layout.annotations
    assert [n.text for n in notes] == [
        "1 layer 3.00",
        "2 layers 2.99",
        "bigram 3.01",
        "uniform 6.24",
    ]
    low, high = fig.layout.yaxis.range
    pixels = fig.layout.height - fig.layout.margin.t - fig.layout.margin.b
    # Where each label stands: its point's height in pixels, moved by its arrow (down is positive).
    heights = sorted((note.y - low) / (high - low) * pixels - note.ay for note in notes)
    assert min(np.diff(heights)) >= 16.9
    assert heights[0] >= 0 and heights[-1] <= pixels
    assert sorted(shape.y0 for shape in fig.layout.shapes) == [3.01, 6.24]
    assert fig.layout.yaxis.type == ("log" if log_y else "linear")


def test_a_loss_that_blew_up_does_not_decide_the_axis() -> None:
    fig = plots.loss_curves({"m": ([0, 1, 2], [5.0, 4.0, float("inf")])}, {"uniform": 6.0})
    assert fig.layout.yaxis.range[1] < 7
    zero = plots.loss_curves({"m": ([0, 1], [5.0, 0.0])}, log_y=True)
    assert np.isfinite(zero.layout.yaxis.range or [0]).all()
    assert plots.loss_curves({"m": ([], [])}).data[0].x == ()


def test_places_are_spread_in_order_and_within_bounds() -> None:
    places = spread([5.0, 5.0, 0.0, 99.0], gap=10, low=0, high=100)
    assert places[2] < places[0] < places[1] < places[3]
    assert min(np.diff(sorted(places))) >= 10
    assert min(places) >= 0 and max(places) <= 100
    assert spread([], gap=1, low=0, high=1) == []


def test_update_norms_show_each_position_and_the_reference() -> None:
    ratios = torch.tensor([[0.5, 0.7, 0.6], [1.5, 1.2, 1.0]])
    fig = plots.update_norms(ratios, ["a", " b", "a"], reference=1.0)
    assert [list(trace.y) for trace in fig.data] == [pytest.approx(row) for row in ratios.tolist()]
    assert fig.data[0].text[1] == "'·b' at position 1"
    assert fig.layout.shapes[0].y0 == 1
    assert "layer 0 0.60, layer 1 1.20" in words(fig)
    assert "as large as the stream" in words(fig)


def test_curves_over_anything() -> None:
    curves = {"a": torch.tensor([1.0, 2.0]), "b": np.array([3, 4])}
    fig = plots.line(range(2), curves, "T it le", "x", "y")
    assert [list(trace.y) for trace in fig.data] == [[1, 2], [3, 4]]
    assert fig.layout.showlegend
    assert fig.layout.xaxis.title.text == "x"


def test_a_null_is_counted_whole_and_each_score_says_where_it_stands() -> None:
    null = torch.arange(100.0)
    fig = plots.histogram_with_null({"h0": 50.0, "h1": 400.0, "h2": -3.0}, null, "score (nats)")
    assert sum(fig.data[0].y) == 100
    said = words(fig)
    assert "100 values, median 49.5" in said
    assert "<b>h0 50</b> above 50 of 100" in said
    assert "<b>h1 400</b> above all 100" in said
    assert "<b>h2 -3</b> above none of the 100" in said
    assert {shape.x0 for shape in fig.layout.shapes} == {50, 400, -3}
    low, high = fig.layout.xaxis.range
    assert low < -3 and high > 400
    heights = [note.y for note in fig.layout.annotations]
    assert min(np.diff(sorted(heights))) > 0.1 * max(fig.data[0].y), "labels lie on each other"
    assert max(heights) <= fig.layout.yaxis.range[1]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.attention_pattern(causal(3), ["a"]),
        lambda: plots.attention_heads(causal(3)[None], ["a"] * 3, names=["a", "b"]),
        lambda: plots.attribution_bars(torch.ones(2), ["a"]),
        lambda: plots.attribution_comparison(torch.ones(2), torch.ones(2), ["a"]),
        lambda: plots.token_heatmap(torch.ones(2, 3), ["a", "b"], ["x"]),
        lambda: plots.update_norms(torch.ones(2, 3), ["x"]),
        lambda: plots.histogram_with_null(1.0, [], "score"),
        lambda: plots.histogram_with_null(1.0, [float("nan")], "score"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(draw: Callable[[], go.Figure]) -> None:
    with pytest.raises(ValueError, match=r"give one for each|at least one"):
        draw()
