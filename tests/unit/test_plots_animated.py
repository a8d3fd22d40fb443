"""Scores of every head, a frame for each look."""

import pytest
import torch

from mechcourse import plots


def test_a_frame_for_each_look_and_a_trace_for_each_layer() -> None:
    scores = torch.arange(24.0).view(3, 2, 4) / 24
    fig = plots.animated_scores([0, 10, 20], scores, "Heads <of> a model")
    assert fig.layout.title.text == "Heads &lt;of&gt; a model"
    assert [frame.name for frame in fig.frames] == ["0", "10", "20"]
    assert [step.label for step in fig.layout.sliders[0].steps] == ["0", "10", "20"]
    for point, frame in enumerate(fig.frames):
        assert [list(bar.x) for bar in frame.data] == [
            ["0.0", "0.1", "0.2", "0.3"],
            ["1.0", "1.1", "1.2", "1.3"],
        ]
        for layer, bar in enumerate(frame.data):
            assert list(bar.y) == pytest.approx(scores[point, layer].tolist(), abs=1e-4)
    shown = [list(bar.y) for bar in fig.data]
    assert shown == [list(bar.y) for bar in fig.frames[-1].data], "it opens at the last step"
    assert fig.layout.sliders[0].active == 2


def test_a_long_training_is_thinned_and_keeps_its_end() -> None:
    fig = plots.animated_scores(torch.arange(1001), torch.zeros(1001, 1, 2), "long")
    assert 100 <= len(fig.frames) <= 160
    assert fig.frames[-1].name == "1000"
    assert not fig.layout.showlegend, "one layer needs no legend"


def test_what_does_not_fit_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="2 steps for 3 points"):
        plots.animated_scores([0, 10], torch.zeros(3, 1, 2), "")
    with pytest.raises(ValueError, match="no point"):
        plots.animated_scores([], torch.zeros(0, 1, 2), "")
