"""An attention-only transformer run from its weights alone, with everything inside it to be had.

In float64, and what an experiment changes is changed in this very code: nothing depends on the
library's forward pass or its hooks.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from mechcourse.models import Transformer

Head = tuple[int, int]  # layer and head
# What becomes of an activation in a layer: (layer, activation) to the activation that is used.
Edit = Callable[[int, Tensor], Tensor]
PLACES = ("stream", "q", "k", "v", "pattern", "z", "written")


@dataclass
class Run:
    """What happened in a run; lists go by layer.

    Attributes:
        logits: [batch pos d_vocab].
        streams: before each layer, [batch pos d_model].
        q, k, v, z: [batch pos head d_head].
        patterns: [batch head query key].
        written: to the stream, [batch pos head d_model].
    """

    logits: Tensor
    streams: list[Tensor]
    q: list[Tensor]
    k: list[Tensor]
    v: list[Tensor]
    patterns: list[Tensor]
    z: list[Tensor]
    written: list[Tensor]


def run(model: Transformer, tokens: Tensor, **edits: Edit) -> Run:
    """Run a model, with edits of any of `PLACES`; "stream" is that before a layer."""
    weights = {name: weight.double() for name, weight in model.state_dict().items()}
    n_pos = tokens.shape[1]
    future = torch.ones(n_pos, n_pos, dtype=torch.bool).triu(1)
    kept: dict[str, list[Tensor]] = {name: [] for name in PLACES}
    keep = partial(_keep, kept, edits)
    stream = weights["embed.W_E"][tokens]
    for layer in range(model.config.n_layers):
        W_Q, W_K, W_V, W_O = (weights[f"blocks.{layer}.attn.W_{x}"] for x in "QKVO")
        stream = keep("stream", layer, stream)
        placed = stream + weights["pos_embed.W_pos"][:n_pos]
        q = keep("q", layer, torch.einsum("bim,hmd->bihd", placed, W_Q))
        k = keep("k", layer, torch.einsum("bim,hmd->bihd", placed, W_K))
        v = keep("v", layer, torch.einsum("bim,hmd->bihd", stream, W_V))
        scores = torch.einsum("bihd,bjhd->bhij", q, k) / math.sqrt(q.shape[-1])
        pattern = keep("pattern", layer, scores.masked_fill(future, -torch.inf).softmax(-1))
        z = keep("z", layer, torch.einsum("bhij,bjhd->bihd", pattern, v))
        stream = stream + keep("written", layer, torch.einsum("bihd,hdm->bihm", z, W_O)).sum(2)
    return Run(stream @ weights["unembed.W_U"], *(kept[name] for name in PLACES))


def _keep(
    kept: dict[str, list[Tensor]], edits: Mapping[str, Edit], name: str, layer: int, now: Tensor
) -> Tensor:
    """An activation, edited where an edit is given, and kept."""
    kept[name].append(edits[name](layer, now) if name in edits else now)
    return kept[name][-1]


def heads_of(model: Transformer) -> list[Head]:
    """All heads, as (layer, head)."""
    config = model.config
    return [(layer, head) for layer in range(config.n_layers) for head in range(config.n_heads)]


def by_head(kept: list[Tensor], axis: int) -> dict[Head, Tensor]:
    """One of a run's lists, taken apart along the axis of the heads."""
    return {
        (layer, head): part
        for layer, whole in enumerate(kept)
        for head, part in enumerate(whole.unbind(axis))
    }


def replacing(values: Mapping[Head, Tensor], axis: int) -> Edit:
    """An edit that gives some heads other values, whatever they would have."""

    def edit(layer: int, now: Tensor) -> Tensor:
        now = now.clone()
        for (where, head), value in values.items():
            if where == layer:
                now.select(axis, head).copy_(value)
        return now

    return edit
