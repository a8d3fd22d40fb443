"""Curves in panels, and the live view that grows them."""

import pytest
import torch

from mechcourse import plots
from mechcourse.widgets import LiveCurves
from mechcourse.widgets import _live as live_module

STEPS = [1, 2, 3]


def test_one_panel_for_each_kind_and_one_colour_for_each_model() -> None:
    panels = {
        "loss": {"one": (STEPS, [3.0, 2.0, 1.0]), "two": (STEPS, torch.tensor([3.0, 1.0, 0.5]))},
        "score": {"two 0.0": (STEPS, [0.0, 0.1, 0.2]), "two 0.1": (STEPS, [0.0, 0.4, 0.8])},
    }
    fig = plots.curve_panels(panels, "A <race>")
    assert [trace.yaxis for trace in fig.data] == ["y", "y", "y2", "y2"]
    one, *two = [trace.line.color for trace in fig.data]
    assert set(two) == {two[0]} and one != two[0]
    assert fig.layout.title.text == "A &lt;race&gt;"
    named = [(note.text, note.y) for note in fig.layout.annotations]
    assert named == [("two", 0.5), ("one", 1.0), ("two", 0.8)], "at the end of its highest curve"
    with pytest.raises(ValueError, match="no panel"):
        plots.curve_panels({})


def test_a_panel_may_be_logarithmic() -> None:
    curves = {"train": (STEPS, [4.0, 1e-3, 1e-7]), "test": (STEPS, [4.0, 9.0, 0.0])}
    fig = plots.curve_panels({"loss": curves, "accuracy": curves}, log_y=["loss"])
    assert fig.layout.yaxis.type == "log" and fig.layout.yaxis2.type is None
    named = {note.text: note.y for note in fig.layout.annotations if note.yref == "y"}
    assert named == pytest.approx({"train": -7, "test": 0.9542}, abs=1e-3), "powers of ten"


def test_live_curves_have_the_panels_asked_for_on_a_logarithmic_axis() -> None:
    live = LiveCurves("Grokking", log_y=["loss"])
    live.curves = {"loss/train": ([1, 2], [4.0, 3.2e-7]), "accuracy/train": ([1, 2], [0.1, 1.0])}
    fig = live_module._Notebook._plain(type("View", (), {"live": live})())
    assert fig.layout.yaxis.type == "log" and fig.layout.yaxis2.type is None
    assert live.latest() == "loss/train 3.2e-07"


def test_live_curves_open_a_panel_when_a_kind_is_first_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_module, "_in_notebook", lambda: True)
    shown: list[dict] = []

    class Handle:
        def update(self, output: dict, raw: bool) -> None:
            shown.append(output)

    monkeypatch.setattr("IPython.display.display", lambda *_args, **_kwargs: Handle())
    live = LiveCurves("A race", redraws_per_second=10**6)
    live(1, 4, {"loss/two": 3.0})
    assert len(live._view.figure.data) == 1
    live._cost = 0.0
    live(2, 4, {"loss/two": 2.0, "induction/two 1.0": 0.1})
    figure = live._view.figure
    assert [trace.yaxis for trace in figure.data] == ["y", "y2"]
    assert figure.layout.yaxis2.title.text == "induction"
    assert list(figure.data[0].y) == [3.0, 2.0]
    assert live.latest() == "loss/two 2.000", "a dozen heads would not fit in a line"
    live(4, 4, {"loss/two": 1.0})
    [done] = shown
    assert len(done["application/vnd.plotly.v1+json"]["data"]) == 2
