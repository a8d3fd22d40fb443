"""Attention patterns, one head or many."""

from collections.abc import Sequence

import plotly.graph_objects as go
from jaxtyping import Float
from plotly.subplots import make_subplots
from torch import Tensor

from mechcourse.plots._style import (
    MUTED,
    PALE,
    SEQUENTIAL,
    WIDTH,
    card,
    figure,
    label,
    same_length,
    scale,
    token_axis,
    visible,
)


def attention_pattern(
    pattern: Float[Tensor, "query key"],
    tokens: Sequence[str],
    title: str = "Where each token looks",
    pixels: int = 600,
) -> go.Figure:
    """One head's attention, a row for each query token and a column for each key token.

    The future, which a causal head can't see, is left blank; what it could see and does not is
    white.

    Args:
        pixels: how wide and high the map may be, without its labels.

    Raises:
        ValueError: there is not one token for each position.
    """
    same_length("tokens", tokens, "positions", pattern.shape[0])
    n_tokens = len(tokens)
    cell = min(26.0, pixels / n_tokens)
    labels = [visible(token, 10) for token in tokens]
    axis = token_axis(tokens, pixels=cell)
    longest = 0.63 * axis["tickfont"]["size"] * max(map(len, labels))  # in pixels
    margin = longest + 44
    fig = figure(
        title,
        "darker: more attention · each row sums to 1",
        width=max(420, n_tokens * cell + margin + 84),
        height=n_tokens * cell + margin + 76,
    )
    fig.add_trace(attention_trace(pattern, gap=1 if cell > 8 else 0))
    # Margins are set by hand, not by plotly, so that the cells come out square.
    upright = cell < longest
    fig.update_layout(
        margin={"l": margin, "r": 84, "t": 76, "b": margin if upright else 64},
        xaxis={
            **axis,
            "title_text": "key: the token looked at",
            "tickangle": -90 if upright else 0,
        },
        yaxis={**axis, "title_text": "query: the token that looks", "autorange": "reversed"},
        plot_bgcolor=PALE,
        coloraxis=scale(SEQUENTIAL, 0, 1, "attention"),
    )
    return fig


def attention_heads(
    patterns: Float[Tensor, "head query key"],
    tokens: Sequence[str],
    title: str = "Where each head looks",
    names: Sequence[str] | None = None,
) -> go.Figure:
    """All heads of a layer side by side, on one colour scale; tokens show on hovering.

    Args:
        names: what to write over each head; by default "head 0", "head 1" and so on.

    Raises:
        ValueError: there is not one token for each position, or not one name for each head.
    """
    n_heads, n_tokens = patterns.shape[:2]
    names = names or [f"head {head}" for head in range(n_heads)]
    same_length("tokens", tokens, "positions", n_tokens)
    same_length("names", names, "heads", n_heads)
    cols = min(4, n_heads) if n_heads != 6 else 3
    rows = -(-n_heads // cols)
    side = min(240, (WIDTH - 140) / cols)
    fig = make_subplots(
        rows,
        cols,
        subplot_titles=[label(name) for name in names],
        horizontal_spacing=0.03,
        vertical_spacing=34 / (rows * side + 34 * (rows - 1)),
        x_title="key: the token looked at",
        y_title="query: the token that looks",
    )
    for head, pattern in enumerate(patterns):
        fig.add_trace(attention_trace(pattern), row=head // cols + 1, col=head % cols + 1)
    axis = {**token_axis(tokens, pixels=0), "title_text": ""}
    fig.update_xaxes(**axis, matches="x")
    fig.update_yaxes(**axis, matches="y", autorange="reversed")
    fig.update_annotations(font={"size": 13, "color": MUTED})
    fig.update_layout(card(title, "every panel has the same tokens · hover to read them"))
    fig.update_layout(
        width=cols * side + 140,
        height=rows * side + 34 * (rows - 1) + 164,
        margin={"l": 64, "r": 90, "t": 104, "b": 60},
        plot_bgcolor=PALE,
        coloraxis=scale(SEQUENTIAL, 0, 1, "attention"),
    )
    return fig


def attention_trace(pattern: Float[Tensor, "query key"], gap: int = 0) -> go.Heatmap:
    """The heat map of one pattern, the future left out."""
    return go.Heatmap(
        z=past_only(pattern),
        coloraxis="coloraxis",
        xgap=gap,
        ygap=gap,
        hoverongaps=False,
        hovertemplate="query token '%{y}' looks at key token '%{x}': %{z:.2f}<extra></extra>",
    )


def past_only(pattern: Float[Tensor, "query key"]) -> list[list[float | None]]:
    """The pattern's rows as plotly takes them, `None` for the future."""
    return [
        [round(weight, 4) if key <= query else None for key, weight in enumerate(row)]
        for query, row in enumerate(pattern.tolist())
    ]
