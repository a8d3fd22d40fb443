"""Hand-built attention-only transformers whose heads' nature is known: the truth for detectors.

A model's stream has a part for the token, a slot for the token before it, which a previous-token
head of layer 0 fills, and a part that only the unembedding reads. Position vectors have a part of
their own. All weights are then turned together by a random orthogonal matrix, each head's inner
space by another, and a little noise is added, so that no basis tells what is what.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from mechcourse.checks import _inputs as inputs
from mechcourse.models import Transformer, TransformerConfig

Kind = Literal[
    "induction",
    "other",
    "duplicate",
    "early",
    "positional",
    "previous",
    "current",
    "first",
    "noise",
]
Writing = Literal["copies", "lowers", "random", "nothing"]
Part = Literal["token", "another", "slot"]

# What a head compares, of the query and of the key, and which earlier key it would find for that
# reason alone, and so has to be kept from: itself, or the token before it.
MATCHES: dict[str, tuple[Part, Part, int | None]] = {
    "induction": ("token", "slot", None),
    "other": ("another", "slot", None),
    "duplicate": ("token", "token", 0),
    "duplicate by context": ("slot", "slot", 0),
    "early": ("slot", "token", 1),
}
MOST_AVOIDING = 12  # frequencies that a head may spend on what it has to avoid
CROSSTALK = 1.0  # nats more, because codes and waves that differ are not quite orthogonal


@dataclass(frozen=True)
class Head:
    """What a head is to be.

    Attributes:
        kind: "induction": at what followed earlier copies of the query's token; "other": at what
            followed another token, each token's own; "duplicate": at the earlier copies; "early":
            at what came before a copy; "positional": `period` - 1 back, whatever the tokens;
            "previous", "current" and "first": at those positions; "noise": random weights.
        strength: attention on a single wanted key among a whole context of others, between 0 and 1;
            for noise, the standard deviation of its scores in nats.
        period: of a positional head.
        by_context: a duplicate-token head that compares the tokens before, not the tokens.
        favours: how many nats more the last position of a context gets than the first, by which
            an induction head favours later copies (or, where negative, earlier ones).
        writes: what it adds to the logits, of the tokens that it looks at.
        fills_slot: it writes the token that it looks at to the slot of the token before.
    """

    kind: Kind
    strength: float = 0.9
    period: int = 0
    by_context: bool = False
    favours: float = 0.0
    writes: Writing = "random"
    fills_slot: bool = False

    def __post_init__(self) -> None:
        if (self.kind == "positional") != (self.period > 0):
            raise ValueError("a positional head, and no other, has a period")

    @property
    def reads_slot(self) -> bool:
        """Whether another head has to fill the slot first."""
        return self.kind in ("induction", "other", "early") or self.by_context


@dataclass(frozen=True)
class Plan:
    """The parts of a stream before it is turned, and the codes in them, in float64.

    Attributes:
        token, slot, out, place: the indices of each part.
        code: what of a token's embedding is compared, [token code].
        another: the code of the token that "other" heads look for, as far as it can be read from
            the embedding, [token code].
        freqs: of the waves that positions are told by, in radians a token.
    """

    n_ctx: int
    d_head: int
    token: slice
    slot: slice
    out: slice
    place: slice
    code: Tensor
    another: Tensor
    freqs: Tensor
    random: torch.Generator

    @property
    def d_model(self) -> int:
        return self.place.stop

    def normal(self, *shape: int) -> Tensor:
        return inputs.normal(self.random, *shape, dtype=torch.float64)


def planted(
    random: torch.Generator,
    layers: Sequence[Sequence[Head]],
    *,
    n_ctx: int,
    d_vocab: int,
    d_code: int = 24,
    noise: float = 0.05,
) -> Transformer:
    """A transformer with the heads asked for.

    Args:
        layers: as many heads in each.
        d_code: how many dimensions a token's code has; the fewer, the more others it resembles.
        noise: on each weight, in parts of the root mean square of its matrix.

    Raises:
        ValueError: a head reads the slot and none in an earlier layer fills it, or layers differ
            in size.
    """
    _hold_composition(layers)
    plan, W_E = _plan(random, n_ctx, d_vocab, d_code)
    weights = {"embed.W_E": W_E, "pos_embed.W_pos": _positions(plan)}
    sharing = sum(head.fills_slot for head in layers[0])
    for layer, heads in enumerate(layers):
        built = [_head(plan, head, W_E, sharing) for head in heads]
        for i, name in enumerate(("W_Q", "W_K", "W_V", "W_O")):
            weights[f"blocks.{layer}.attn.{name}"] = torch.stack([factors[i] for factors in built])
    weights["unembed.W_U"] = _unembedding(plan, W_E)
    turned = _turned(plan, weights)
    for name, weight in turned.items():
        rms = weight.square().mean().sqrt()
        turned[name] = weight + noise * rms * plan.normal(*weight.shape)
    sizes = (len(layers), plan.d_model, len(layers[0]), plan.d_head, d_vocab, n_ctx)
    with torch.random.fork_rng(devices=[]):
        model = Transformer(TransformerConfig(*sizes))
    model.load_state_dict({name: weight.float() for name, weight in turned.items()})
    return model


def _hold_composition(layers: Sequence[Sequence[Head]]) -> None:
    if len({len(heads) for heads in layers}) != 1:
        raise ValueError("every layer has as many heads")
    filled = any(head.fills_slot for head in layers[0])
    for layer, heads in enumerate(layers):
        if any(head.fills_slot and (layer or head.kind != "previous") for head in heads):
            raise ValueError("only a previous-token head of layer 0 fills the slot")
        if any(head.reads_slot for head in heads) and not (layer and filled):
            raise ValueError("a head reads the slot, and none in an earlier layer fills it")


def _plan(random: torch.Generator, n_ctx: int, d_vocab: int, d_code: int) -> tuple[Plan, Tensor]:
    """The parts of the stream, and W_E."""
    d_token = max(d_code, min(d_vocab, 40))
    n_freqs = n_ctx // 4 + 4
    ends = torch.tensor([d_token, d_code, d_code, 2 * n_freqs + 3]).cumsum(0).tolist()
    token, slot, out, place = (slice(a, b) for a, b in zip([0, *ends[:-1]], ends, strict=True))
    # Tokens as unit vectors, as nearly orthogonal as their number allows.
    basis = _orthogonal(random, d_vocab)[:, :d_token]
    tokens = basis / basis.norm(dim=1, keepdim=True)
    code = math.sqrt(d_token / d_code) * _orthogonal(random, d_token)[:, :d_code]
    order = torch.randperm(d_vocab, generator=random)
    following = torch.empty_like(order)
    following[order] = order.roll(-1)
    another = torch.linalg.pinv(tokens) @ (tokens @ code)[following]
    # Evenly spread but for a part of the spacing, lest they meet again at half a context.
    parts = (torch.randperm(n_freqs, generator=random) + 0.5) / n_freqs
    freqs = math.pi * (torch.arange(n_freqs, dtype=torch.float64) + parts) / n_freqs
    d_head = max(2 * n_freqs, d_code + 2 * min(n_freqs, MOST_AVOIDING) + 2)
    W_E = torch.nn.functional.pad(tokens, (0, place.stop - d_token))
    return Plan(n_ctx, d_head, token, slot, out, place, code, another, freqs, random), W_E


def _orthogonal(random: torch.Generator, size: int) -> Tensor:
    return torch.linalg.qr(inputs.normal(random, size, size, dtype=torch.float64))[0]


def _positions(plan: Plan) -> Tensor:
    """Waves; then 1 everywhere, 1 at the first position alone, and how far on it is (0 to 1)."""
    places = torch.arange(plan.n_ctx, dtype=torch.float64)
    angles = places[:, None] * plan.freqs
    waves = torch.cat([angles.cos(), angles.sin()], dim=1) / math.sqrt(len(plan.freqs))
    rest = torch.stack([torch.ones_like(places), places == 0, places / plan.n_ctx], dim=1)
    W_pos = torch.zeros(plan.n_ctx, plan.d_model, dtype=torch.float64)
    W_pos[:, plan.place] = torch.cat([waves, rest], dim=1)
    return W_pos


def _unembedding(plan: Plan, W_E: Tensor) -> Tensor:
    """Reads the part for it by the codes that are written there, and a little of everything."""
    W_U = 0.1 * plan.normal(plan.d_model, len(W_E))
    W_U[plan.out] += 3 * (W_E[:, plan.token] @ plan.code).T
    return W_U


# --------------------------------------------------------------------------------------- heads


def _head(plan: Plan, head: Head, W_E: Tensor, sharing: int) -> tuple[Tensor, ...]:
    """W_Q, W_K, W_V and W_O of one head."""
    if head.kind == "noise":
        W_Q, W_K = _noise(plan, head.strength, W_E)
    else:
        W_Q, W_K = _looks(plan, head)
    W_V, W_O = _writes(plan, head, sharing)
    inner, value = (inputs.rotation(plan.random, plan.d_head).double() for _ in range(2))
    return W_Q @ inner, W_K @ inner, W_V @ value, value.T @ W_O


def _looks(plan: Plan, head: Head) -> tuple[Tensor, Tensor]:
    """W_Q and W_K by which scores are, in nats, the terms that the head's kind calls for."""
    odds = math.log(plan.n_ctx * head.strength / (1 - head.strength)) + CROSSTALK
    terms: list[tuple[Tensor, Tensor, float]] = []  # of query and key, [d_model term], and size
    if head.kind in ("positional", "previous", "current"):
        back = {"positional": head.period - 1, "previous": 1, "current": 0}[head.kind]
        terms.append((*_at_distance(plan, back, len(plan.freqs)), odds))
    elif head.kind == "first":
        terms.append((_one(plan, 0), _one(plan, 1), odds))
    else:
        terms += _matching(plan, head, odds + abs(head.favours) / 2)
    W_Q, W_K = (torch.zeros(plan.d_model, plan.d_head, dtype=torch.float64) for _ in range(2))
    end = 0
    for query, key, size in terms:
        columns = slice(end, end := end + query.shape[1])
        W_Q[:, columns], W_K[:, columns] = query, key * size * math.sqrt(plan.d_head)
    # As large on one side as on the other, as weight decay would have it.
    even = (W_K.norm() / W_Q.norm()).sqrt()
    return W_Q * even, W_K / even


def _matching(plan: Plan, head: Head, size: float) -> list[tuple[Tensor, Tensor, float]]:
    """Terms of a head that looks for a token's code."""
    name = "duplicate by context" if head.by_context else head.kind
    query, key, avoided = MATCHES[name]
    if avoided is not None:
        size += CROSSTALK * (1 + (query == "slot"))  # for what is avoided, and for a slot's haze
    terms = [(_reading(plan, query), _reading(plan, key), size)]
    if avoided is not None:
        n_freqs = min(len(plan.freqs), MOST_AVOIDING)
        terms.append((*_at_distance(plan, avoided, n_freqs), -0.8 * size))
    if "slot" in (query, key):
        # The first position has nothing before it: what stands in its slot is its own token.
        terms.append((_one(plan, 0), _one(plan, 1), -size))
    if head.favours:
        terms.append((_one(plan, 0), _one(plan, 2), head.favours))
    return terms


def _reading(plan: Plan, part: Part) -> Tensor:
    """What reads a token's code from a part of the stream."""
    reads = torch.zeros(plan.d_model, plan.code.shape[1], dtype=torch.float64)
    if part == "token":
        reads[plan.token] = plan.code
    elif part == "another":
        reads[plan.token] = plan.another
    else:
        reads[plan.slot] = torch.eye(plan.code.shape[1], dtype=torch.float64)
    return reads


def _at_distance(plan: Plan, back: int, n_freqs: int) -> tuple[Tensor, Tensor]:
    """What reads waves of query and key so that their product is 1 at this distance."""
    n, start = len(plan.freqs), plan.place.start
    chosen = torch.randperm(n, generator=plan.random)[:n_freqs]
    cosines, sines = start + chosen, start + n + chosen
    first, second = torch.arange(n_freqs), n_freqs + torch.arange(n_freqs)
    query, key = (torch.zeros(plan.d_model, 2 * n_freqs, dtype=torch.float64) for _ in range(2))
    key[cosines, first] = key[sines, second] = 1.0
    angles = plan.freqs[chosen] * back  # turns a query's waves to those of the position sought
    query[cosines, first], query[sines, first] = angles.cos(), angles.sin()
    query[cosines, second], query[sines, second] = -angles.sin(), angles.cos()
    scale = math.sqrt(n / n_freqs)
    return query * scale, key * scale


def _one(plan: Plan, which: int) -> Tensor:
    """What reads one of the last three entries of a position vector."""
    reads = torch.zeros(plan.d_model, 1, dtype=torch.float64)
    reads[plan.place.stop - 3 + which] = 1.0
    return reads


def _noise(plan: Plan, size: float, W_E: Tensor) -> tuple[Tensor, Tensor]:
    """Random W_Q and W_K by which scores differ by about `size` nats."""
    W_Q, W_K = (plan.normal(plan.d_model, plan.d_head) for _ in range(2))
    n = min(len(W_E), plan.n_ctx)
    placed = W_E[:n] + _positions(plan)[:n]
    scores = (placed @ W_Q) @ (placed @ W_K).T / math.sqrt(plan.d_head)
    scale = (size / scores.std()).sqrt()
    return W_Q * scale, W_K * scale


def _writes(plan: Plan, head: Head, sharing: int) -> tuple[Tensor, Tensor]:
    """W_V and W_O: to the slot, or what the unembedding reads, or anywhere if it is noise."""
    d_code = plan.code.shape[1]
    W_V = torch.zeros(plan.d_model, plan.d_head, dtype=torch.float64)
    W_O = torch.zeros(plan.d_head, plan.d_model, dtype=torch.float64)
    if head.kind == "noise":
        W_V, W_O = plan.normal(*W_V.shape), plan.normal(*W_O.shape)
        return W_V / math.sqrt(plan.d_head), 0.3 * W_O / math.sqrt(plan.d_model)
    W_V[plan.token, :d_code] = plan.code
    if head.fills_slot:
        W_O[:d_code, plan.slot] = torch.eye(d_code, dtype=torch.float64) / sharing
    else:
        size = 0.5 + float(torch.rand((), generator=plan.random))
        says = {
            "copies": torch.eye(d_code, dtype=torch.float64),
            "lowers": -torch.eye(d_code, dtype=torch.float64),
            "random": plan.normal(d_code, d_code) / math.sqrt(d_code),
            "nothing": torch.zeros(d_code, d_code, dtype=torch.float64),
        }
        W_O[:d_code, plan.out] = size * says[head.writes]
    return W_V, W_O


def _turned(plan: Plan, weights: inputs.Weights) -> inputs.Weights:
    """The same model with its stream in another orthonormal basis."""
    turn = _orthogonal(plan.random, plan.d_model)
    reads = ("W_Q", "W_K", "W_V", "W_U")
    return {
        name: turn.T @ weight if name.rpartition(".")[2] in reads else weight @ turn
        for name, weight in weights.items()
    }
