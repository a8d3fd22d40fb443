"""The pictures of chapter 3: spectra, circles, tables over pairs, logits by sum, shaded phases."""

import math
from collections.abc import Callable

import numpy as np
import plotly.graph_objects as go
import pytest
import torch
from jaxtyping import TypeCheckError

from mechcourse import fourier, plots
from mechcourse.plots._circles import circle_traces, round_trip, written
from mechcourse.plots._pairs import square
from mechcourse.plots._spectra import in_range

P = 11
WIDE = 820


def circle(frequency: int, p: int = P, radius: float = 1.0) -> torch.Tensor:
    angles = 2 * math.pi * frequency * torch.arange(p).double() / p
    return radius * torch.stack([angles.cos(), angles.sin()], dim=1)


def texts(fig: go.Figure) -> list[str]:
    return [note.text for note in fig.layout.annotations]


def heatmaps(fig: go.Figure) -> list[go.Heatmap]:
    return [trace for trace in fig.data if trace.type == "heatmap"]


# Spectra over frequencies


def test_a_bar_for_each_frequency_and_none_for_the_constant() -> None:
    norms = torch.tensor([99.0, 1.0, 5.0, 2.0, 4.0, 3.0])
    fig = plots.fourier_spectrum({"W <E>": norms}, "a & b", keys=[4, 2])
    (bars,) = fig.data
    assert list(bars.x) == [1, 2, 3, 4, 5]
    assert list(bars.y) == [1, 5, 2, 4, 3]
    assert list(bars.text) == ["", "2", "", "4", ""]
    colours = list(bars.marker.color)
    assert colours[0] == colours[2] == colours[4]
    assert len({colours[0], colours[1], colours[3]}) == 3
    assert fig.layout.title.text == "a &amp; b"
    assert "key frequencies" in fig.layout.title.subtitle.text
    assert "scale" not in fig.layout.title.subtitle.text, "one panel has nothing to share"
    assert "<b>W &lt;E&gt;</b>" in texts(fig)
    assert fig.layout.width == WIDE
    assert "frequency %{x}" in bars.hovertemplate


@pytest.mark.parametrize(("times", "own"), [(4.9, False), (5.1, True)])
def test_panels_have_their_own_scale_where_sizes_differ(times: float, own: bool) -> None:
    small = torch.tensor([0.0, 1.0, 0.5])
    fig = plots.fourier_spectrum({"small": small, "large": times * small}, "")
    tops = [fig.layout.yaxis.range[1], fig.layout.yaxis2.range[1]]
    assert (tops[0] != tops[1]) is own
    assert tops[1] > times
    says = "each panel has its own scale" if own else "one scale for all panels"
    assert fig.layout.title.subtitle.text == says
    assert fig.layout.xaxis.range == fig.layout.xaxis2.range, "one frequency axis"


def test_a_panel_of_zeros_and_one_of_fewer_frequencies_are_drawn() -> None:
    norms = {"nothing": torch.zeros(4), "more": torch.arange(7.0)}
    fig = plots.fourier_spectrum(norms, "", keys=[6])
    assert [len(bars.x) for bars in fig.data] == [3, 6]
    assert all(axis.range[1] > 0 for axis in (fig.layout.yaxis, fig.layout.yaxis2))
    assert list(fig.data[1].text)[-1] == "6"


def test_too_many_keys_are_coloured_and_not_named() -> None:
    fig = plots.fourier_spectrum({"noise": torch.ones(41)}, "", keys=range(1, 41))
    assert not any(fig.data[0].text)
    assert len(set(fig.data[0].marker.color)) > 1


# Circles


def test_a_circle_has_its_points_the_first_numbers_and_a_line_that_goes_round() -> None:
    points, k = circle(4, radius=3), 4
    fig = plots.number_circles({"k = 4": points}, "t", steps={"k = 4": pow(k, -1, P)})
    line, dots, names = fig.data
    assert np.column_stack([dots.x, dots.y]) == pytest.approx(points.numpy())
    assert list(dots.marker.color) == list(range(P))
    assert [text for text in names.text if text] == ["0", "1", "2", "3", "4", "5"]
    walk = np.column_stack([line.x, line.y]).astype(float)
    assert len(walk) == P + 1
    assert walk[0] == pytest.approx(walk[-1]), "closed"
    lengths = np.linalg.norm(np.diff(walk, axis=0), axis=1)
    side = 2 * 3 * math.sin(math.pi / P)
    assert lengths == pytest.approx(np.full(P, side)), "from neighbour to neighbour"
    assert "x to x + 3" in texts(fig)[0]
    assert "number %{pointNumber}" in dots.hovertemplate


def test_without_a_step_the_line_goes_to_the_next_number() -> None:
    x, y = round_trip(circle(2), 1)
    assert np.column_stack([x, y])[:P] == pytest.approx(circle(2).numpy())


def test_a_step_that_divides_p_makes_several_loops() -> None:
    x, _ = round_trip(circle(1, p=6), 2)
    assert x.count(None) == 1
    assert len(x) == 2 * 4 + 1


def test_panels_wrap_after_three_and_keep_one_scale_for_x_and_y() -> None:
    fig = plots.number_circles({str(k): circle(k, radius=k) for k in range(1, 6)}, "")
    assert fig.layout.width == WIDE
    assert fig.layout.xaxis4.domain == fig.layout.xaxis.domain, "the fourth is below the first"
    for number in ("", "2", "3", "4", "5"):
        across, up = fig.layout[f"xaxis{number}"], fig.layout[f"yaxis{number}"]
        assert up.scaleanchor == f"x{number}"
        ends = [axis.range[1] - axis.range[0] for axis in (across, up)]
        assert ends[0] == pytest.approx(ends[1])
    assert fig.layout.xaxis5.range[1] == pytest.approx(5 * fig.layout.xaxis.range[1], rel=0.1)
    assert "own scale" in fig.layout.title.subtitle.text
    alone = plots.number_circles({"one": circle(1)}, "")
    assert "own scale" not in alone.layout.title.subtitle.text


def test_names_of_close_numbers_keep_apart() -> None:
    x, y, text = written(circle(1, p=113))
    places = [(a, b) for a, b, t in zip(x, y, text, strict=True) if t]
    assert len(places) == 6
    for i, one in enumerate(places):
        assert all(math.dist(one, other) > 0.12 for other in places[:i])


def test_all_points_in_one_place_are_drawn() -> None:
    fig = plots.number_circles({"nothing": torch.zeros(P, 2)}, "")
    assert fig.layout.xaxis.range[0] < 0 < fig.layout.xaxis.range[1]


# Spectra over pairs of components


def test_the_map_shows_sizes_by_components_and_tells_signs() -> None:
    coefficients = torch.zeros(P, P).double()
    coefficients[0, 0], coefficients[3, 4], coefficients[4, 3] = -1000.0, -2.0, 1.5
    fig = plots.two_dimensional_spectrum(coefficients, "one", keys=[2])
    (heat,) = heatmaps(fig)
    assert np.asarray(heat.z) == pytest.approx(coefficients.abs().numpy())
    assert np.asarray(heat.customdata) == pytest.approx(coefficients.numpy())
    assert fig.layout.coloraxis.cmin == 0
    assert fig.layout.coloraxis.cmax == pytest.approx(2.0), "the mean does not set the scale"
    assert fig.layout.yaxis.range[0] > fig.layout.yaxis.range[1], "rows from the top"
    for axis in (fig.layout.xaxis, fig.layout.yaxis):
        assert axis.labelalias["0"] == "constant"
        assert (axis.labelalias["3"], axis.labelalias["4"]) == ("cos 2", "sin 2")
    named = [text for text in texts(fig) if text in {"constant", "cos 2", "sin 2"}]
    assert sorted(named) == sorted(["constant", "cos 2", "sin 2"] * 2), "on either side"
    assert not [text for text in texts(fig) if text in {"cos 1", "sin 3"}]
    assert "%{y} of a" in heat.hovertemplate
    assert "%{x} of b" in heat.hovertemplate


def test_the_order_is_that_of_the_library() -> None:
    basis = fourier.fourier_basis(P)
    found = fourier.fourier_2d(torch.outer(basis[5], basis[0]))  # cos 3 of a
    fig = plots.two_dimensional_spectrum(found, "")
    row, col = np.unravel_index(np.asarray(heatmaps(fig)[0].z).argmax(), (P, P))
    assert fig.layout.yaxis.labelalias[str(row)] == "cos 3"
    assert fig.layout.xaxis.labelalias[str(col)] == "constant"


def test_several_spectra_stand_two_in_a_row_each_with_its_scale() -> None:
    tables = {name: size * torch.ones(P, P) for name, size in (("a", 1.0), ("b", 9.0), ("c", 4.0))}
    fig = plots.two_dimensional_spectrum(tables, "", keys=[1])
    axes = (fig.layout.coloraxis, fig.layout.coloraxis2, fig.layout.coloraxis3)
    assert [axis.cmax for axis in axes] == [1, 9, 4]
    assert [heat.coloraxis for heat in heatmaps(fig)] == ["coloraxis", "coloraxis2", "coloraxis3"]
    assert fig.layout.xaxis3.domain == fig.layout.xaxis.domain
    assert fig.layout.width == WIDE


@pytest.mark.parametrize(("n_keys", "shown"), [(20, "cos 20"), (40, "cos, sin 40"), (56, None)])
def test_names_that_have_no_room_are_fewer(n_keys: int, shown: str | None) -> None:
    fig = plots.two_dimensional_spectrum(torch.ones(113, 113), "", keys=range(1, n_keys + 1))
    waves = [text for text in texts(fig) if text.startswith(("cos ", "cos, sin"))]
    assert (shown in waves) if shown else not waves
    assert texts(fig).count("constant") == 2


# Tables over pairs


def test_tables_over_pairs_have_a_down_and_b_across_and_colours_by_their_signs() -> None:
    both = torch.arange(9.0).view(3, 3) - 2
    tables = {"both": both, "above": both + 2, "far": both + 100, "below": both - 6}
    fig = plots.over_pairs(tables, "t")
    for heat, table in zip(heatmaps(fig), tables.values(), strict=True):
        assert np.asarray(heat.z) == pytest.approx(table.numpy())
    scales = [fig.layout[heat.coloraxis] for heat in heatmaps(fig)]
    ends = [(scale.cmin, scale.cmax) for scale in scales]
    assert ends == [(-6, 6), (0, 8), (98, 106), (-8, 0)]
    middles = [scale.colorscale[len(scale.colorscale) // 2][1] for scale in scales]
    assert middles[0] == "#ffffff", "white at 0"
    assert scales[1].colorscale[0][1] == "#ffffff"
    assert scales[3].colorscale[-1][1] == "#ffffff"
    assert fig.layout.yaxis.autorange == "reversed"
    assert {"a", "b"} <= set(texts(fig))
    assert fig.layout.xaxis4.domain == fig.layout.xaxis.domain, "three in a row"
    assert "a = %{y}, b = %{x}" in heatmaps(fig)[0].hovertemplate
    assert fig.layout.width == WIDE


def test_tables_of_one_value_and_of_booleans_are_drawn() -> None:
    tables = {"0": torch.zeros(3, 3), "5": torch.full((3, 3), 5), "half": torch.eye(3).bool()}
    fig = plots.over_pairs(tables, "")
    scales = [fig.layout[heat.coloraxis] for heat in heatmaps(fig)]
    assert all(scale.cmin < scale.cmax for scale in scales)
    assert [(scale.cmin, scale.cmax) for scale in scales[1:]] == [(0, 5), (0, 1)]


# Logits by sum


def test_a_frame_for_each_sum_marks_the_right_answer() -> None:
    logits = torch.eye(5) * torch.tensor([3.0, 3.0, -1.0, 3.0, 3.0])
    fig = plots.animated_logits(logits, "t")
    assert [frame.name for frame in fig.frames] == ["0", "1", "2", "3", "4"]
    for right, frame in enumerate(fig.frames):
        line, dot = frame.data
        assert list(line.y) == pytest.approx(logits[right].tolist())
        assert (list(dot.x), list(dot.y)) == ([right], [logits[right, right]])
        assert f"right: {right}" in dot.text[0]
        assert ("4 larger" if right == 2 else "largest") in dot.text[0]
    slider = fig.layout.sliders[0]
    assert slider.active == 2
    assert fig.data[1].x == fig.frames[2].data[1].x, "it opens where the slider is"
    assert slider.currentvalue.prefix == "(a + b) mod p = "
    assert [button.label for button in fig.layout.updatemenus[0].buttons] == ["play", "stop"]
    low, high = fig.layout.yaxis.range
    assert low < -1
    assert high > 3
    even = plots.animated_logits(torch.zeros(3, 3), "").data[1].text[0]
    assert "one of the largest" in even


# Curves with phases


def shaded(**changed: object) -> go.Figure:
    given: dict = {
        "steps": torch.tensor([0, 10, 20]),
        "panels": {
            "loss": {"train": [4.0, 1e-3, 0.0], "test": torch.tensor([4.0, 5.0, 1e-4])},
            "norm": {"all": [1.0, 3.0, 2.0]},
        },
        "title": "t <",
        "regions": {"first": (0, 8), "last": (12, math.inf)},
        "log_y": ["loss"],
    }
    return plots.shaded_curves(**given | changed)


def test_panels_share_steps_and_name_their_curves_at_the_right() -> None:
    fig = shaded()
    assert [trace.name for trace in fig.data] == ["train", "test", "all"]
    assert list(fig.data[0].y) == [4.0, 1e-3, None], "a logarithm leaves out 0"
    assert (fig.layout.yaxis.type, fig.layout.yaxis2.type) == ("log", None)
    assert [fig.layout.yaxis.title.text, fig.layout.yaxis2.title.text] == ["loss", "norm"]
    assert list(fig.layout.xaxis.range) == list(fig.layout.xaxis2.range) == [0, 20]
    assert {"train", "test", "all"} <= set(texts(fig))
    assert fig.layout.title.text == "t &lt;"
    assert fig.layout.width == WIDE


def test_regions_are_shaded_in_every_panel_and_named_once() -> None:
    fig = shaded()
    boxes = [shape for shape in fig.layout.shapes if shape.type == "rect"]
    assert [(box.x0, box.x1) for box in boxes] == [(0, 8), (0, 8), (12, 20), (12, 20)]
    assert all(box.layer == "below" for box in boxes)
    assert [texts(fig).count(name) for name in ("first", "last")] == [1, 1]


def test_names_of_narrow_regions_stand_over_one_another() -> None:
    narrow = {f"region number {i}": (float(i), i + 1.0) for i in range(3)}
    fig = shaded(regions=narrow)
    lifts = [note.yshift for note in fig.layout.annotations if note.text in narrow]
    assert len(set(lifts)) == 3
    assert lifts == sorted(lifts, reverse=True), "the first stands highest"
    assert fig.layout.margin.t > shaded().layout.margin.t


def test_a_region_outside_the_steps_is_left_out_and_none_is_fine() -> None:
    assert "later" not in texts(shaded(regions={"later": (30, 40)}))
    assert not shaded(regions=None).layout.shapes
    assert not plots.shaded_curves([1, 2], {"y": {}}, "").data
    assert plots.shaded_curves([5], {"y": {"one": [1.0]}}, "").layout.xaxis.range[0] < 5


# What does not fit

BAD: list[tuple[Callable[[], object], str]] = [
    (lambda: plots.fourier_spectrum({}, ""), "no panel"),
    (lambda: plots.fourier_spectrum({"a": torch.ones(1)}, ""), "no frequency"),
    (lambda: plots.fourier_spectrum({"a": torch.ones(4)}, "", keys=[4]), r"\[4\].*from 1 to 3"),
    (lambda: in_range([0], 3), r"\[0\].*from 1 to 3"),
    (lambda: plots.number_circles({}, ""), "no panel"),
    (lambda: plots.number_circles({"a": circle(1)}, "", steps={"b": 2}), "no panels"),
    (lambda: plots.number_circles({"a": circle(1)}, "", steps={"a": 22}), "multiple of p = 11"),
    (lambda: plots.number_circles({"a": circle(1) * math.nan}, ""), "finite"),
    (lambda: plots.two_dimensional_spectrum({}, ""), "no panel"),
    (lambda: plots.two_dimensional_spectrum(torch.ones(4, 4), ""), "odd number"),
    (lambda: plots.two_dimensional_spectrum(torch.ones(5, 5), "", keys=[3]), "from 1 to 2"),
    (lambda: plots.over_pairs({}, ""), "no panel"),
    (lambda: square("W", torch.ones(3, 4)), r"'W' has shape \[3, 4\]"),
    (lambda: shaded(panels={}), "no panel"),
    (lambda: shaded(steps=[]), "no step"),
    (lambda: shaded(steps=[1, 2]), "3 values of 'train' in 'loss' for 2 steps"),
    (lambda: shaded(regions={"r": (3, 3)}), "'r' goes from 3 to 3"),
    (lambda: shaded(log_y=["gini"]), r"\['gini'\].*no panels"),
]


@pytest.mark.parametrize(("draw", "words"), BAD, ids=[words for _, words in BAD])
def test_what_does_not_fit_is_refused_in_words(draw: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        draw()


# Shapes are checked twice where types are checked, as here.
WRONG_SHAPE: list[Callable[[], object]] = [
    lambda: plots.number_circles({"a": torch.ones(3, 3)}, ""),
    lambda: plots.over_pairs({"a": torch.ones(3, 4)}, ""),
    lambda: plots.two_dimensional_spectrum(torch.ones(3, 5), ""),
    lambda: plots.animated_logits(torch.ones(3, 4), ""),
]


@pytest.mark.parametrize("draw", WRONG_SHAPE)
def test_a_wrong_shape_is_refused(draw: Callable[[], object]) -> None:
    with pytest.raises((ValueError, TypeCheckError)):
        draw()


def test_names_are_written_in_the_scale_asked_for() -> None:
    near, far = (circle_traces("c", 0.01 * circle(1), 1, reach)[2] for reach in (None, 1.0))
    spread_out = [max(map(abs, (x for x in trace.x if x is not None))) for trace in (near, far)]
    assert spread_out[0] < 0.02 < 0.1 < spread_out[1]
