"""Pictures of toy models: what they draw, and what they refuse."""

import math

import pytest
import torch

from mechcourse import plots
from mechcourse.plots._polytopes import joined
from mechcourse.polytopes import POLYTOPES

ARROWS = torch.tensor([[1.0, 0.0], [-0.5, 0.0], [0.0, 0.02]])


def test_arrows_end_at_the_rows_and_are_numbered() -> None:
    fig = plots.feature_polygons({"one": ARROWS, "two": 2 * ARROWS}, "Two models")
    names = [trace.name for trace in fig.data]
    assert names == ["length 1", "feature 0", "feature 1", "feature 2"] * 2
    assert (fig.data[1].x[:2], fig.data[1].y[:2]) == ((0, 1.0), (0, 0.0))
    assert [trace.text[-1] for trace in fig.data[1:4]] == ["0", "1", ""], "too short to be named"
    assert fig.layout.xaxis.range == fig.layout.xaxis2.range, "one scale"


def test_less_important_features_are_paler() -> None:
    importance = torch.tensor([1.0, 0.5, 0.1])
    fig = plots.feature_polygons({"one": ARROWS}, "One", importance=importance)
    faint = [trace.opacity for trace in fig.data[1:]]
    assert faint == sorted(faint, reverse=True) and faint[0] == 1
    with pytest.raises(ValueError, match="2 importances for the 3 features"):
        plots.feature_polygons({"one": ARROWS}, "One", importance=torch.ones(2))


def test_bars_are_lengths_and_their_colour_is_what_others_lie_along() -> None:
    W = torch.tensor([[1.0, 0.0, 0.0], [-0.5, 0.0, 0.0], [0.0, 0.0, 0.8], [0.0, 0.0, 0.0]])
    fig = plots.feature_bars(W, "One model")
    torch.testing.assert_close(torch.tensor(fig.data[0].x), torch.tensor([1.0, 0.5, 0.8, 0.0]))
    assert [round(c, 4) for c in fig.data[0].customdata] == [0.25, 1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("name", "degree"),
    [("cube", 3), ("octahedron", 4), ("tetrahedron", 3), ("square antiprism", 4)],
)
def test_edges_of_known_polytopes(name: str, degree: int) -> None:
    corners = POLYTOPES[name].float()
    edges = joined(corners)
    assert len(edges) == len(corners) * degree / 2
    fig = plots.polytope(corners, name)
    assert len(fig.data[0].x) == 3 * len(edges)
    assert fig.frames[0].layout.scene.camera.eye.x != fig.frames[18].layout.scene.camera.eye.x


def test_dead_features_are_left_out_of_a_polytope_and_said() -> None:
    W = torch.cat([torch.eye(3), torch.zeros(2, 3)])
    fig = plots.polytope(W, "Three alive")
    assert fig.data[2].text == ("0", "1", "2")
    assert "2 dead features left out" in fig.layout.title.subtitle.text


def test_strips_leave_out_the_dead_and_name_fractions() -> None:
    levels = {"dense": torch.tensor([1.0, 0.0, 1.0]), "sparse": torch.full((4,), 0.5)}
    fig = plots.dimensionality_strips(levels, "Two levels", fractions={"digon": 0.5})
    assert [list(trace.y) for trace in fig.data] == [[1.0, 1.0], [0.5] * 4]
    assert len(set(fig.data[1].x)) == 4, "dots don't hide each other"
    assert "2 of 3 features" in fig.data[0].hovertemplate
    assert fig.layout.annotations[0].text == "digon"


def test_a_phase_map_has_a_colour_for_each_phase_and_a_boundary() -> None:
    fig = plots.phase_map(
        [1.0, 0.1], [0.1, 1.0, 10.0], [["a", "a", "b"], ["c", "c", "c"]], "Map", boundary=[0.2] * 3
    )
    assert fig.data[0].z == ([0, 0, 1], [2, 2, 2]) or [list(r) for r in fig.data[0].z] == [
        [0, 0, 1],
        [2, 2, 2],
    ]
    assert [trace.name for trace in fig.data[1:]] == ["a", "b", "c", "boundary, by theory"]
    assert fig.layout.xaxis.type == fig.layout.yaxis.type == "log"


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda: plots.feature_polygons({}, "None"), "there is no model"),
        (lambda: plots.feature_polygons({"x": torch.ones(3, 3)}, "3-D"), r"give \[feature, 2\]"),
        (lambda: plots.feature_bars(torch.tensor([[math.nan]]), "NaN"), "not all finite"),
        (lambda: plots.polytope(torch.ones(3, 2), "2-D"), r"needs \[feature, 3\]"),
        (lambda: plots.polytope(torch.zeros(3, 3), "dead"), "all features are dead"),
        (lambda: plots.dimensionality_strips({}, "None"), "there is no strip"),
        (lambda: plots.phase_map([1.0], [1.0, 2.0], [["a"]], "Map"), "1 phases in a row for 2"),
        (lambda: plots.phase_map([1.0], list(range(1, 7)), [list("abcdef")], "Map"), "at most 5"),
    ],
)
def test_bad_input_is_named(draw: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        draw()


def test_arrows_that_end_together_have_one_number_between_them() -> None:
    W = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.05], [0.0, 0.02]])
    texts = [trace.text[-1] for trace in plots.feature_polygons({"two": W}, "Pairs").data[1:]]
    assert texts == ["0, 2", "1", "", ""]
