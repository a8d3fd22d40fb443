"""Widgets of toy models from Python; `tests/browser/test_superposition_widget.py` has a browser."""

import html

import pytest
import torch

from mechcourse.superposition_zoo import PhaseGrid
from mechcourse.widgets import LivePolygons, superposition_explorer
from mechcourse.widgets import _polygons as live
from mechcourse.widgets._superposition import SuperpositionExplorer

IGNORED, SHARED = [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]


def a_grid() -> PhaseGrid:
    """Sparse cells share, dense ones ignore; one of two models of the last cell disagrees."""
    rows = [[[IGNORED, IGNORED]] * 3, [[SHARED, SHARED]] * 2 + [[SHARED, IGNORED]]]
    W = torch.tensor(rows)
    losses = torch.tensor([[[0.2, 0.1]] * 3, [[0.01, 0.02]] * 3])
    return PhaseGrid(
        torch.tensor([1.0, 0.1]),
        torch.tensor([0.1, 1.0, 10.0]),
        W,
        torch.zeros(W.shape[:-1]),
        losses,
    )


@pytest.fixture
def explorer() -> SuperpositionExplorer:
    return superposition_explorer(a_grid())


def said(explorer: SuperpositionExplorer) -> str:
    return html.unescape(explorer.said.value)


def test_the_sentence_reads_the_cell(explorer: SuperpositionExplorer) -> None:
    explorer.importance.index, explorer.probability.index = 0, 0
    assert "Importance 0.1, present with probability 1:" in said(explorer)
    assert "is ignored, at a loss of 0.1; 2 of the 2 models agree" in said(explorer)
    explorer.importance.index, explorer.probability.index = 2, 1
    assert "shares a dimension with another, at a loss of 0.01; 1 of the 2" in said(explorer)


def test_mark_and_arrows_move(explorer: SuperpositionExplorer) -> None:
    explorer.importance.index, explorer.probability.index = 0, 0
    *_, last = explorer.figure.data
    assert max(map(abs, last.y[:2])) == 0
    explorer.importance.index, explorer.probability.index = 1, 1
    assert (explorer.figure.data[2].x, explorer.figure.data[2].y) == ((1.0,), (pytest.approx(0.1),))
    assert abs(explorer.figure.data[-1].y[1]) == pytest.approx(1.0)


def test_one_dimension_lies_across() -> None:
    grid = a_grid()
    flat = PhaseGrid(
        grid.probabilities, grid.importances, grid.W[..., :2, :1], grid.b[..., :2], grid.losses
    )
    explorer = superposition_explorer(flat)
    assert explorer.figure.data[-1].y[:2] == (0, 0)


def test_polygons_do_nothing_where_there_is_no_notebook(capsys: pytest.CaptureFixture[str]) -> None:
    watch = LivePolygons("Nothing", {"one": 0}, 10)
    watch(0, torch.ones(1, 3, 2), torch.zeros(1, 3))
    assert capsys.readouterr().out == ""


def test_polygons_are_drawn_now_and_then_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[object] = []

    class Handle:
        def update(self, output: object, raw: bool) -> None:
            shown.append(output)

    def display(figure: object, display_id: bool) -> Handle:
        shown.append(figure)
        return Handle()

    monkeypatch.setattr(live, "_in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", display)
    watch = LivePolygons("Three features", {"one": 0, "two": 2}, 100)
    W = torch.rand(3, 3, 2)
    for step in range(0, 101, 10):
        watch(step, W * (step + 1), torch.zeros(3, 3))
    assert len(shown) == 2, "one live figure, and one that is left"
    drawn = shown[1]["application/vnd.plotly.v1+json"]
    assert drawn["data"][5]["x"][1] == pytest.approx(101 * float(W[2, 0, 0]), rel=1e-5)
    assert "step 100 of 100" in drawn["layout"]["title"]["subtitle"]["text"]


def test_too_many_polygons_are_refused() -> None:
    with pytest.raises(ValueError, match="13 models to show; give 1 to 12"):
        LivePolygons("Many", {str(i): i for i in range(13)}, 10)
