"""Definitions and named mistakes behind the checks of `ch01_attention/1_residual_stream.ipynb`."""

import math
from itertools import pairwise

import torch
from einops import einsum
from torch import Tensor

from mechcourse.checks import _inputs as inputs

KL_SETTINGS = [(way, add) for way in ("data_to_model", "model_to_data") for add in (0.5, 2.0)]


def wrong_shares(every: Tensor, targets: Tensor) -> dict[str, Tensor]:
    """Shares with one mistake each, of parts in logits, [component pos d_vocab]."""
    parts, n = at_targets(every, targets), every.shape[-1] - 1
    beaten = (every < parts[..., None]).double().sum(-1)
    ties = (every == parts[..., None]).double().sum(-1) - 1
    above = (parts[:, None] > parts).double() + 0.5 * (parts[:, None] == parts)
    wrong = {
        "tokens that get as much as the target count one half; they were left out.": beaten / n,
        "tokens that get as much as the target count one half; they were counted whole.": (
            (beaten + ties) / n
        ),
        "the target ties with itself; it is not among the other tokens.": (
            (beaten + (ties + 1) / 2) / n
        ),
        "the target is not among the other tokens: divide by d_vocab - 1.": (
            (beaten + ties / 2) / (n + 1)
        ),
        "the share is upside down: it counts the tokens that get more.": 1
        - (beaten + ties / 2) / n,
        "this is a count; divide it by d_vocab - 1.": beaten + ties / 2,
        "this is in percent; give a fraction from 0 to 1.": 100 * (beaten + ties / 2) / n,
        "sizes were compared without their signs.": share_beaten(every.abs(), targets),
        "a component was ranked among the components; rank the target among the tokens.": (
            (above.sum(1) - 0.5) / (len(parts) - 1)
        ),
    }
    if len(targets) > 1:
        wrong["the target of the position before was used."] = share_beaten(every, targets.roll(1))
    return wrong


def share_beaten(every: Tensor, targets: Tensor) -> Tensor:
    """The definition as a loop over tokens.

    Args:
        every: each component's part in each logit, [component pos d_vocab].
    """
    shares = torch.zeros(every.shape[:2], dtype=torch.float64)
    for c, of_component in enumerate(every.tolist()):
        for i, (logits, target) in enumerate(zip(of_component, targets.tolist(), strict=True)):
            rivals = [x for token, x in enumerate(logits) if token != target]
            points = [1.0 if x < logits[target] else 0.5 * (x == logits[target]) for x in rivals]
            shares[c, i] = sum(points) / len(rivals)
    return shares


def read(stream: Tensor, weight: Tensor) -> Tensor:
    """What each head reads from a stream, [batch pos head d_head]."""
    return einsum(stream.double(), weight.double(), "b p m, h m d -> b p h d")


def write(pattern: Tensor, v: Tensor, W_O: Tensor) -> Tensor:
    """What each head writes to the stream, [batch pos head d_model]."""
    moved = einsum(pattern.double(), v.double(), "b h q k, b k h d -> b q h d")
    return einsum(moved, W_O.double(), "b q h d, h d m -> b q h m")


def wrong_positions(residual: Tensor, W_pos: Tensor, weight: Tensor) -> dict[str, Tensor]:
    """What a head reads where the positions joined in a wrong place."""
    n_pos, d_head = residual.shape[1], weight.shape[-1]
    wrong = {
        "the last rows of W_pos were added: position 0 has the first row.": read(
            residual + W_pos[-n_pos:], weight
        )
    }
    if n_pos > 1:
        wrong["the first row of W_pos was added at every position."] = read(
            residual + W_pos[0], weight
        )
    if d_head <= W_pos.shape[1]:
        wrong["W_pos was added to what was read; it joins before W_Q and W_K."] = (
            read(residual, weight) + W_pos[:n_pos, None, :d_head]
        )
    return wrong


def at_targets(values: Tensor, targets: Tensor) -> Tensor:
    """Of [component pos d_vocab], the entry of each position's target."""
    return torch.stack([values[:, i, t] for i, t in enumerate(targets.tolist())], dim=1)


def wrong_patterns(q: Tensor, k: Tensor) -> dict[str, Tensor]:
    """Patterns with one mistake each."""
    n_pos, d_head = q.shape[1], q.shape[-1]
    scores = einsum(q.double(), k.double(), "b i h d, b j h d -> b h i j")
    scaled = scores / math.sqrt(d_head)
    future = torch.ones(n_pos, n_pos, dtype=torch.bool).triu(1)
    hidden = scaled.masked_fill(future, -torch.inf)
    strict = scaled.masked_fill(future | torch.eye(n_pos, dtype=torch.bool), -torch.inf)
    return {
        "the scores were not divided by sqrt(d_head).": scores.masked_fill(
            future, -torch.inf
        ).softmax(-1),
        "the scores were divided by d_head, not by its square root.": (scores / d_head)
        .masked_fill(future, -torch.inf)
        .softmax(-1),
        "the scores were multiplied by sqrt(d_head); divide by it.": (scores * math.sqrt(d_head))
        .masked_fill(future, -torch.inf)
        .softmax(-1),
        "the scores were divided by the square root of the wrong axis's size.": (
            scores / math.sqrt(q.shape[-2] * d_head)
        )
        .masked_fill(future, -torch.inf)
        .softmax(-1),
        "nothing keeps a query from looking at later keys.": scaled.softmax(-1),
        "the softmax came before the mask, so the rows do not sum to 1.": scaled.softmax(
            -1
        ).masked_fill(future, 0),
        "scores of later keys were set to 0, which still attends to them.": scaled.masked_fill(
            future, 0
        ).softmax(-1),
        "a query was kept from its own position, which it may look at.": strict.softmax(
            -1
        ).nan_to_num(0.0),
        "a query was kept from its own position, which it may look at: position 0 then has no "
        "key left, and NaN is what remains.": strict.softmax(-1),
        "the scores were divided by the square root of the number of heads.": (
            scores / math.sqrt(q.shape[-2])
        )
        .masked_fill(future, -torch.inf)
        .softmax(-1),
        "the mask hides earlier keys instead of later ones.": scaled.masked_fill(
            future.T, -torch.inf
        ).softmax(-1),
        "the softmax runs over the queries; it runs over the keys.": hidden.softmax(-2),
        "queries and keys are in each other's place.": scaled.mT.masked_fill(
            future, -torch.inf
        ).softmax(-1),
        "these are scores; the softmax is missing.": hidden,
        "the softmax runs over the heads; it runs over the keys.": scaled.softmax(1).masked_fill(
            future, 0
        ),
        "attention is spread evenly, whatever the scores say.": (0 * scaled)
        .masked_fill(future, -torch.inf)
        .softmax(-1),
    } | (
        {}
        if d_head == 4
        else {
            "the scores were divided by 2 whatever d_head is.": (scores / 2)
            .masked_fill(future, -torch.inf)
            .softmax(-1)
        }
    )


def wrong_attributions(components: Tensor, W_U: Tensor, targets: Tensor) -> dict[str, Tensor]:
    """Parts in a logit with one mistake each."""
    every = components @ W_U
    right = at_targets(every, targets)
    wrong = {
        "this is a part of the log-probability; the logit is asked for.": at_targets(
            every.log_softmax(-1), targets
        ),
        "the mean over the vocabulary was subtracted; here the logit itself is asked for.": right
        - every.mean(-1),
        "the directions of W_U were made of length 1; take them as they are.": at_targets(
            components @ (W_U / W_U.norm(dim=0)), targets
        ),
    }
    if len(targets) > 1:
        wrong |= {
            "the target of the position before was used.": at_targets(every, targets.roll(1)),
            "the target of the next position was used.": at_targets(every, targets.roll(-1)),
        }
    return wrong


def update_sizes(stream: Tensor) -> tuple[Tensor, Tensor]:
    """Ratio and cosine by the definition, one vector at a time."""
    ratios, cosines = [], []
    for before, after in pairwise(stream):
        sizes, angles = [], []
        for old, new in zip(
            before.flatten(0, 1).tolist(), after.flatten(0, 1).tolist(), strict=True
        ):
            update = [b - a for a, b in zip(old, new, strict=True)]
            dot = sum(a * b for a, b in zip(old, update, strict=True))
            long, short = math.hypot(*old), math.hypot(*update)
            sizes.append(short / long)
            angles.append(dot / (long * short) if short else 0.0)
        ratios.append(sum(sizes) / len(sizes))
        cosines.append(sum(angles) / len(angles))
    return torch.tensor(ratios).double(), torch.tensor(cosines).double()


def wrong_ratios(stream: Tensor) -> dict[str, Tensor]:
    """Sizes of updates with one mistake each."""
    before, after = stream[:-1], stream[1:]
    update, x, y = (after - before).norm(dim=-1), before.norm(dim=-1), after.norm(dim=-1)
    return {
        "the update was divided by the stream after it.": (update / y).mean((1, 2)),
        "a ratio of means was taken; take the ratio at each position, then the mean.": (
            update.mean((1, 2)) / x.mean((1, 2))
        ),
        "lengths were squared.": (update / x).square().mean((1, 2)),
        "this compares the stream after a layer with the stream before it.": (y / x).mean((1, 2)),
        "the change of length was measured; the length of the change is asked for.": (
            ((y - x).abs() / x).mean((1, 2))
        ),
        "one length was taken over all texts and positions.": (
            (after - before).flatten(1).norm(dim=1) / before.flatten(1).norm(dim=1)
        ),
        "the ratio is upside down.": (x / update).mean((1, 2)),
        "every update was held against the first state, not the one that it joins.": (
            update / x[:1]
        ).mean((1, 2)),
    }


def wrong_cosines(stream: Tensor) -> dict[str, Tensor]:
    """Directions of updates with one mistake each."""
    before, after = stream[:-1], stream[1:]
    update, cosine = after - before, torch.cosine_similarity
    return {
        "the cosine was taken with the stream after the update.": cosine(
            update, after, dim=-1
        ).mean((1, 2)),
        "the cosine was taken between the stream before and the stream after.": cosine(
            before, after, dim=-1
        ).mean((1, 2)),
        "the sign is the wrong way round.": -cosine(update, before, dim=-1).mean((1, 2)),
        "the vectors were averaged before the cosine; take the cosine at each position.": cosine(
            update.mean((1, 2)), before.mean((1, 2)), dim=-1
        ),
        "the dot product was not divided by the lengths.": (update * before).sum(-1).mean((1, 2)),
    }


def wrong_centres(components: Tensor, W_U: Tensor, targets: Tensor) -> dict[str, Tensor]:
    """Centred parts with one mistake each."""
    every = components @ W_U
    raw = at_targets(every, targets)
    wrong = {
        "nothing was subtracted.": raw,
        "the mean was taken over the components; take it over the vocabulary.": raw
        - raw.mean(0, keepdim=True),
        "the mean was taken over the other tokens; take it over the whole vocabulary.": raw
        - (every.sum(-1) - raw) / (every.shape[-1] - 1),
        "the mean over the vocabulary was added.": raw + every.mean(-1),
        "this is the mean alone; it is to be subtracted.": every.mean(-1),
        "the mean was taken over the entries of the stream; take it over the vocabulary.": (
            at_targets(components @ (W_U - W_U.mean(0)), targets)
        ),
        "one mean of all components was subtracted; each component has its own.": raw
        - every.mean((0, 2)),
        "this is a log-softmax, which subtracts more than the mean.": at_targets(
            every.log_softmax(-1), targets
        ),
        "the median was subtracted; take the mean.": raw - every.median(-1).values,
    }
    if len(targets) > 1:
        wrong["the mean was taken over the positions; take it over the vocabulary."] = (
            raw - raw.mean(1, keepdim=True)
        )
    return wrong


def wrong_writes(pattern: Tensor, v: Tensor, W_O: Tensor) -> dict[str, Tensor]:
    """Heads' writes with one mistake each."""
    return {
        "the pattern was used the wrong way round: a query sums over keys.": write(
            pattern.mT, v, W_O
        ),
        "every head was written through the first head's W_O.": write(
            pattern, v, W_O[:1].expand_as(W_O)
        ),
        "every head has the first head's pattern.": write(
            pattern[:, :1].expand_as(pattern), v, W_O
        ),
        "the values were moved without attention.": write(
            torch.eye(v.shape[1]).expand_as(pattern), v, W_O
        ),
        "the heads were averaged.": write(pattern, v, W_O) / len(W_O),
    }


def wrong_logits(tokens: Tensor, weights: dict[str, Tensor], n_layers: int) -> dict[str, Tensor]:
    """Logits of forward passes with one mistake each."""
    layers = list(range(n_layers))
    placed = "positions were added to the residual stream; they reach queries and keys only."
    wrong = {
        placed: forward(tokens, weights, layers, positions_in_stream=True),
        "these are log-probabilities; the logits are asked for.": forward(
            tokens, weights, layers
        ).log_softmax(-1),
    }
    if n_layers:
        unplaced = weights | {"pos_embed.W_pos": 0 * weights["pos_embed.W_pos"]}
        wrong |= {
            "the skip connection is missing: a layer adds to the stream.": forward(
                tokens, weights, layers, skip=False
            ),
            "nothing keeps a query from looking at later keys.": forward(
                tokens, weights, layers, causal=False
            ),
            "the scores were not divided by sqrt(d_head).": forward(
                tokens, weights, layers, scale=1.0
            ),
            "positions reach neither queries nor keys.": forward(tokens, unplaced, layers),
            "the attention layers were left out.": forward(tokens, weights, []),
        }
    if n_layers > 1:
        wrong |= {
            "every layer reads the embeddings; a layer reads what the one before it left.": (
                forward(tokens, weights, layers, in_parallel=True)
            ),
            "only the first layer was run.": forward(tokens, weights, layers[:1]),
            "the last layer was left out.": forward(tokens, weights, layers[:-1]),
            "the layers ran in the wrong order.": forward(tokens, weights, layers[::-1]),
            "every layer used the first layer's weights.": forward(tokens, weights, [0] * n_layers),
        }
    return wrong


def forward(
    tokens: Tensor,
    weights: dict[str, Tensor],
    layers: list[int],
    *,
    positions_in_stream: bool = False,
    skip: bool = True,
    causal: bool = True,
    in_parallel: bool = False,
    scale: float | None = None,
) -> Tensor:
    """A forward pass through these layers, with a mistake to choose."""
    w = {name: value.double() for name, value in weights.items()}
    n_pos = tokens.shape[1]
    positions = w["pos_embed.W_pos"][:n_pos]
    states = embedded = w["embed.W_E"][tokens] + (positions if positions_in_stream else 0)
    for layer in layers:
        prefix = f"blocks.{layer}.attn."
        source = embedded if in_parallel else states
        placed = source if positions_in_stream else source + positions
        q, k = read(placed, w[prefix + "W_Q"]), read(placed, w[prefix + "W_K"])
        scores = einsum(q, k, "b i h d, b j h d -> b h i j")
        scores = scores * (scale or 1 / math.sqrt(q.shape[-1]))
        future = torch.ones(n_pos, n_pos, dtype=torch.bool).triu(1)
        scores = scores.masked_fill(future, -torch.inf) if causal else scores
        moved = write(scores.softmax(-1), read(source, w[prefix + "W_V"]), w[prefix + "W_O"])
        states = moved.sum(2) + (states if skip else 0)
    return states @ w["unembed.W_U"]


def kl_case(random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Logits and counts for which no known mistake gives the right number by accident."""
    while True:
        logits = inputs.normal(random, 6, 6)
        counts = inputs.integers(random, 9, 6, 6).double()
        counts[2] *= 7  # some tokens are common,
        logits[2] *= 4  # and the model is wrong about those
        counts[3], counts[3, 1] = 0, 1  # one is seen once,
        counts[4] = 0  # and one never
        if all(
            abs(float(wrong) / mean_kl(logits, counts, *setting) - 1) > 0.002
            for setting in KL_SETTINGS
            for wrong in wrong_kl(logits, counts, *setting).values()
        ):
            return logits, counts


def mean_kl(logits: Tensor, counts: Tensor, direction: str, smoothing: float) -> float:
    """The definition as a loop over pairs of tokens."""
    model, total = logits.double().softmax(-1).tolist(), float(counts.sum())
    mean = 0.0
    for row, predicted in zip(counts.tolist(), model, strict=True):
        seen, mass = sum(row), sum(row) + smoothing * len(row)
        for count, q in zip(row, predicted, strict=True):
            if not seen:
                continue
            p = (count + smoothing) / mass
            first, second = (p, q) if direction == "data_to_model" else (q, p)
            mean += seen / total * (first * math.log(first / second) if first else 0.0)
    return mean


def wrong_kl(
    logits: Tensor, counts: Tensor, direction: str, smoothing: float
) -> dict[str, Tensor | float]:
    """Divergences with one mistake each."""
    right = mean_kl(logits, counts, direction, smoothing)
    other = {"data_to_model": "model_to_data", "model_to_data": "data_to_model"}[direction]
    n = len(counts)
    p = (counts + smoothing) / (counts + smoothing).sum(-1, keepdim=True)
    q = logits.double().softmax(-1)
    first, second = (p, q) if direction == "data_to_model" else (q, p)
    rows = (first * (first / second).log()).sum(-1)
    seen = counts.sum(-1) / counts.sum()
    smooth_weight = (counts.sum(-1) + n * smoothing) / (counts.sum() + n * n * smoothing)
    wrong_smoothing = {
        f"another smoothing than the argument was used ({s:g}).": mean_kl(
            logits, counts, direction, s
        )
        for s in (0.5, 1.0, 2.0)
        if s != smoothing
    }
    if direction == "data_to_model":
        wrong_smoothing["no smoothing was used."] = mean_kl(logits, counts, direction, 0.0)
    return {
        f'this is the direction "{other}".': mean_kl(logits, counts, other, smoothing),
        "all tokens count alike; weight each by how often it was seen.": rows.mean(),
        "all tokens that were seen count alike; weight each by how often.": rows[seen > 0].mean(),
        "tokens were weighted by how often they came next; it is the current token that counts.": (
            rows @ counts.sum(0) / counts.sum()
        ),
        "this is the cross-entropy; the divergence is what it has beyond the entropy.": (
            -(first * second.log()).sum(-1) @ seen
        ),
        "the weights were smoothed too; they are the counts as they are.": rows @ smooth_weight,
        "the tokens' divergences were added up; take their weighted mean.": rows.sum(),
        "this is in bits; give nats.": right / math.log(2),
        "the sign is the wrong way round.": -right,
        "counts were read with the next token as the row.": mean_kl(
            logits, counts.T, direction, smoothing
        ),
        **wrong_smoothing,
    }
