"""Slow, obviously right implementations: the truth that the checks of attention compare with.

Everything is written as loops over numbers and in float64, so that nothing here resembles what a
learner, or the library, writes.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

Vector = list[float]
Matrix = list[Vector]


def vector_times_matrix(vector: Vector, matrix: Matrix) -> Vector:
    """`vector @ matrix`, entry by entry."""
    columns = range(len(matrix[0]))
    return [sum(x * row[c] for x, row in zip(vector, matrix, strict=True)) for c in columns]


def attention_row(query: Vector, keys: list[Vector]) -> Vector:
    """How one query spreads its attention over the keys that it may see."""
    root = math.sqrt(len(query))
    scores = [sum(a * b for a, b in zip(query, key, strict=True)) / root for key in keys]
    largest = max(scores)
    weights = [math.exp(score - largest) for score in scores]
    return [weight / sum(weights) for weight in weights]


def attention_pattern(
    q: Float[Tensor, "batch pos head d_head"], k: Float[Tensor, "batch pos head d_head"]
) -> Float[Tensor, "batch head query key"]:
    """Causal attention, one query at a time."""
    n_batch, n_pos, n_heads, _ = q.shape
    pattern = torch.zeros(n_batch, n_heads, n_pos, n_pos, dtype=torch.float64)
    queries, keys = q.double().tolist(), k.double().tolist()
    for b in range(n_batch):
        for h in range(n_heads):
            for i in range(n_pos):
                row = attention_row(queries[b][i][h], [keys[b][j][h] for j in range(i + 1)])
                pattern[b, h, i, : i + 1] = torch.tensor(row, dtype=torch.float64)
    return pattern


def stream(
    tokens: Int[Tensor, "batch pos"], weights: dict[str, Tensor]
) -> Float[Tensor, "layer batch pos d_model"]:
    """The residual stream of an attention-only transformer: embeddings, then after each layer.

    One text, position and head at a time. Positions reach queries and keys only.
    """
    table = {name: value.double().tolist() for name, value in weights.items()}
    n_layers = sum(name.endswith("W_O") for name in table)
    states = [[table["embed.W_E"][t] for t in text] for text in tokens.tolist()]
    kept = [states]
    for layer in range(n_layers):
        states = [_layer(text, table, f"blocks.{layer}.attn.") for text in states]
        kept.append(states)
    return torch.tensor(kept, dtype=torch.float64)


def logits(
    tokens: Int[Tensor, "batch pos"], weights: dict[str, Tensor]
) -> Float[Tensor, "batch pos d_vocab"]:
    """The logits that the last state of the stream gives."""
    last = stream(tokens, weights)[-1].tolist()
    unembed = weights["unembed.W_U"].double().tolist()
    values = [[vector_times_matrix(state, unembed) for state in text] for text in last]
    return torch.tensor(values, dtype=torch.float64)


def _layer(states: list[Vector], table: dict[str, list], prefix: str) -> list[Vector]:
    positions = table["pos_embed.W_pos"]
    placed = [
        [x + p for x, p in zip(state, positions[i], strict=True)] for i, state in enumerate(states)
    ]
    after = [list(state) for state in states]
    for head in range(len(table[prefix + "W_O"])):
        w_q, w_k, w_v, w_o = (table[prefix + w][head] for w in ("W_Q", "W_K", "W_V", "W_O"))
        keys = [vector_times_matrix(state, w_k) for state in placed]
        values = [vector_times_matrix(state, w_v) for state in states]
        for i, state in enumerate(placed):
            row = attention_row(vector_times_matrix(state, w_q), keys[: i + 1])
            mixed = [
                sum(a * value[d] for a, value in zip(row, values, strict=False))
                for d in range(len(values[0]))
            ]
            written = vector_times_matrix(mixed, w_o)
            after[i] = [x + y for x, y in zip(after[i], written, strict=True)]
    return after
