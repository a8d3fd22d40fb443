"""The circuit diagram is held by what it shows: edges, widths, words, and that names keep apart."""

import itertools

import numpy as np
import plotly.graph_objects as go
import pytest
import torch

from mechcourse import plots

EDGES = {
    ("embed", "0.3", "V"): 1.2,
    ("embed", "1.3", "Q"): 0.6,
    ("0.3", "1.3", "K"): torch.tensor(2.0),
    ("0.0", "1.3", "K"): 1.0,
    ("0.2", "1.3", "V"): -0.5,
    ("0.1", "1.0", "V"): 0.05,
    ("1.3", "logits", "direct"): 1.6,
    ("1.0", "logits", "direct"): -0.03,
}


def drawn(fig: go.Figure) -> dict[str, go.Scatter]:
    """The edges by what they say on hovering, without their effects."""
    return {trace.hovertemplate.split(": ")[0]: trace for trace in fig.data if trace.hovertemplate}


def written(fig: go.Figure) -> list[str]:
    return [note.text for note in fig.layout.annotations]


def many(n_layers: int, n_heads: int, seed: int) -> dict[tuple[str, str, str], float]:
    """An effect for every path of a model, few of them large."""
    random = np.random.default_rng(seed)
    heads = [[f"{layer}.{head}" for head in range(n_heads)] for layer in range(n_layers)]
    edges = {}
    for early, late in itertools.combinations(range(n_layers), 2):
        for pair in itertools.product(heads[early], heads[late], "QKV"):
            edges[pair] = float(random.normal() ** 5)
    return edges


def test_edges_are_as_wide_as_their_effects_and_say_them() -> None:
    fig = plots.circuit_diagram(EDGES, threshold=0.1, unit="nats", title="A <circuit>")
    edges = drawn(fig)
    assert list(edges) == [
        "K, 0.3 → 1.3", "direct, 1.3 → logits", "V, embed → 0.3", "K, 0.0 → 1.3",
        "Q, embed → 1.3", "V, 0.2 → 1.3",
    ]  # fmt: skip
    widths = [trace.line.width for trace in edges.values()]
    sizes = [2.0, 1.6, 1.2, 1.0, 0.6, 0.5]
    assert np.divide(widths, sizes) == pytest.approx([widths[0] / 2] * 6)
    strengths = [trace.opacity for trace in edges.values()]
    assert strengths == sorted(strengths, reverse=True) and len(set(strengths)) == 6
    assert "+2.000 nats" in edges["K, 0.3 → 1.3"].hovertemplate
    assert "−0.500 nats" in edges["V, 0.2 → 1.3"].hovertemplate
    assert fig.layout.title.text == "A &lt;circuit&gt;"
    assert {"<b>K +2.00</b>", "<b>direct +1.60</b>", "<b>V −0.50</b>"} <= {*written(fig)}


def test_what_is_left_out_is_counted_and_said() -> None:
    fig = plots.circuit_diagram(EDGES, threshold=0.1, unit="nats")
    said = fig.layout.title.subtitle.text
    assert "6 of 8 paths drawn" in said
    assert "2 below 0.1 nats left out, their sizes sum to 0.08" in said
    every = plots.circuit_diagram(EDGES, threshold=0)
    assert "8 of 8 paths drawn" in every.layout.title.subtitle.text
    assert "none left out" in every.layout.title.subtitle.text
    none = plots.circuit_diagram(EDGES, threshold=9)
    assert not drawn(none) and "0 of 8 paths drawn" in none.layout.title.subtitle.text
    zero = plots.circuit_diagram({("0.0", "1.0", "K"): 0.0}, threshold=0)
    assert not drawn(zero) and "1 below any effect left out" in zero.layout.title.subtitle.text


def test_kinds_have_colours_and_stand_in_the_legend_and_signs_in_dashes() -> None:
    fig = plots.circuit_diagram(EDGES, threshold=0.1)
    keys = {trace.name: trace.line for trace in fig.data if trace.showlegend is not False}
    assert list(keys) == [
        "Q, into queries: 1 of 1", "K, into keys: 2 of 2", "V, into values: 2 of 3",
        "direct: 1 of 2", "dotted: below zero",
    ]  # fmt: skip
    colours = {name[0]: line.color for name, line in keys.items() if "dotted" not in name}
    assert len(set(colours.values())) == 4
    for said, trace in drawn(fig).items():
        assert trace.line.color == colours[said[0]]
        assert trace.line.dash == ("dot" if said == "V, 0.2 → 1.3" else "solid")
    plain = plots.circuit_diagram({("0.0", "1.0", "K"): 1.0}, threshold=0)
    assert not any("dotted" in (trace.name or "") for trace in plain.data)


def test_rows_rise_from_the_inputs_to_the_logits() -> None:
    extra = {("0.3", "0.mlp", "in"): 0.3, ("0.mlp", "1.3", "V"): 0.4, ("'a' at 3", "0.3", "K"): 1}
    fig = plots.circuit_diagram(EDGES | extra, threshold=0)
    height = {
        note.hovertext: note.y for note in fig.layout.annotations if note.hovertext is not None
    }
    assert height["embed"] == height["'a' at 3"] < height["0.3"] == height["0.0"]
    assert height["0.3"] < height["0.mlp"] < height["1.3"] == height["1.0"] < height["logits"]
    across = {note.hovertext: note.x for note in fig.layout.annotations}
    assert across["0.0"] < across["0.1"] < across["0.2"] < across["0.3"]
    assert {"layer 0", "layer 0<br>MLP", "layer 1"} <= {*written(fig)}
    for trace in drawn(fig).values():
        assert trace.y[0] < trace.y[-1], "edges lead upwards"


def test_nodes_show_their_own_effects_and_are_pale_without_an_edge() -> None:
    own = {"1.3": 4.0, "0.2": -1.0, "0.0": torch.tensor(0.0)}
    fig = plots.circuit_diagram(EDGES, own, threshold=0.1, unit="nats")
    told = [note.hovertext for note in fig.layout.annotations]
    assert "1.3, by itself: +4.000 nats" in told and "0.2, by itself: −1.000 nats" in told
    assert any("+4.00" in text for text in written(fig))
    nodes = [note.text for note in fig.layout.annotations if note.hovertext]
    assert "<b>0.3</b>" in nodes and "0.1" in nodes, "bold with an edge, plain without"
    fills = {
        note.hovertext.split(",")[0]: shape.fillcolor
        for note, shape in zip(
            (n for n in fig.layout.annotations if n.hovertext), fig.layout.shapes, strict=True
        )
    }
    assert fills["0.0"] == fills["0.3"] == "#ffffff"
    red, _, blue = (int(fills["1.3"][at : at + 2], 16) for at in (1, 3, 5))
    assert blue > red
    red, _, blue = (int(fills["0.2"][at : at + 2], 16) for at in (1, 3, 5))
    assert red > blue


def test_a_given_full_size_makes_figures_comparable() -> None:
    half = plots.circuit_diagram({("0.0", "1.0", "K"): 1.0}, threshold=0, full=2)
    whole = plots.circuit_diagram({("0.0", "1.0", "K"): 2.0}, threshold=0, full=2)
    [one], [two] = drawn(half).values(), drawn(whole).values()
    assert two.line.width == pytest.approx(2 * one.line.width)


@pytest.mark.parametrize(
    ("edges", "threshold"),
    [(EDGES, 0), (many(2, 4, 0), 2), (many(3, 8, 1), 25), (many(4, 16, 2), 200)],
)
def test_values_keep_clear_of_each_other_and_of_the_nodes(
    edges: dict[tuple[str, str, str], float], threshold: float | int
) -> None:
    fig = plots.circuit_diagram(edges, threshold=threshold)
    assert fig.layout.template == plots.TEMPLATE and 700 <= fig.layout.width <= 900
    low, high = fig.layout.xaxis.range
    inner = fig.layout.width - fig.layout.margin.l - fig.layout.margin.r
    assert high - low == inner, "an axis' unit is a pixel"
    boxes = [
        (note.x, note.y, 7.0 * len(note.text[3:-4]), 16)
        for note in fig.layout.annotations
        if note.text.startswith("<b>") and note.hovertext is None
    ]
    assert 3 <= len(boxes) <= 10
    nodes = [
        ((s.x0 + s.x1) / 2, (s.y0 + s.y1) / 2, s.x1 - s.x0, s.y1 - s.y0) for s in fig.layout.shapes
    ]
    for one, other in [*itertools.combinations(boxes, 2), *itertools.product(boxes, nodes)]:
        apart = [abs(one[i] - other[i]) - (one[i + 2] + other[i + 2]) / 2 for i in (0, 1)]
        assert max(apart) >= 0
    for one, other in itertools.combinations(nodes, 2):
        assert max(abs(one[i] - other[i]) - (one[i + 2] + other[i + 2]) / 2 for i in (0, 1)) >= 0
    for x, _, wide, _ in [*boxes, *nodes]:
        assert low <= x - wide / 2 and x + wide / 2 <= high


def test_no_edge_runs_through_a_node_where_there_is_room() -> None:
    fig = plots.circuit_diagram(many(3, 4, 0) | EDGES, threshold=3)
    nodes = {}
    for note, shape in zip(
        (n for n in fig.layout.annotations if n.hovertext), fig.layout.shapes, strict=True
    ):
        nodes[note.hovertext] = shape
    for said, trace in drawn(fig).items():
        ends = said.split(", ", 1)[1].split(" → ")
        for name, shape in nodes.items():
            if name in ends:
                continue
            x, y = np.array(trace.x), np.array(trace.y)
            within = (shape.x0 < x) & (x < shape.x1) & (shape.y0 < y) & (y < shape.y1)
            assert not within.any(), f"{said} runs through {name}"


def test_a_long_row_leaves_out_idle_heads_and_says_so() -> None:
    fig = plots.circuit_diagram(many(2, 16, 0), threshold=80)
    assert any("nodes that no edge meets are not shown" in text for text in written(fig))


@pytest.mark.parametrize(
    ("edges", "options", "words"),
    [
        ({}, {}, "edges is empty"),
        ({("0.0", "1.0"): 1.0}, {}, "three texts"),
        ({((0, 3), "1.0", "K"): 1.0}, {}, "three texts"),
        ({("1.0", "0.3", "K"): 1.0}, {}, "'1.0' can't send to '0.3'"),
        ({("0.0", "0.3", "K"): 1.0}, {}, "can't send"),
        ({("logits", "0.3", "K"): 1.0}, {}, "can't send"),
        ({("0.0", "embed", "K"): 1.0}, {}, "can't send"),
        ({("0.0", "1.0", "K"): float("nan")}, {}, "K, 0.0 → 1.0 is nan"),
        (EDGES, {"nodes": {"0.3": float("inf")}}, "node '0.3' is inf"),
        (EDGES, {"threshold": -1.0}, "at least 0"),
        (EDGES, {"full": 0.0}, "above 0"),
    ],
)
def test_bad_input_is_said_in_words(edges: dict, options: dict, words: str) -> None:
    # Past the shape checker, which tests alone have, to the words that a learner reads.
    draw = getattr(plots.circuit_diagram, "__wrapped__", plots.circuit_diagram)
    with pytest.raises(Exception, match=words):
        draw(edges, **{"threshold": 0, **options})
