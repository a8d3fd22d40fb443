"""Definitions and named mistakes behind the checks of `ch02_induction_heads/2_find_them.ipynb`."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product

import torch
from torch import Tensor

from mechcourse.checks import _inputs as inputs
from mechcourse.checks._planted import Head, Kind, planted
from mechcourse.models import Transformer

Names = list[list[str]]  # by layer and head
Rule = Callable[[list[tuple[str, float, float]]], str]  # of kinds with score and threshold

# --------------------------------------------------------------------------- where heads look


def offset_scores(pattern: Tensor, offset: int) -> Tensor:
    """Mean attention at a distance, one query at a time; 0 where no query has such a key."""
    scores = []
    for head in range(pattern.shape[1]):
        seen = [
            float(text[head, query, query - offset])
            for text in pattern.double()
            for query in range(pattern.shape[2])
            if 0 <= query - offset < pattern.shape[2]
        ]
        scores.append(sum(seen) / len(seen) if seen else 0.0)
    return torch.tensor(scores, dtype=torch.float64)


def wrong_offset_scores(pattern: Tensor, offset: int) -> dict[str, Tensor]:
    """Scores with one mistake each, for an offset of at least 3 that some queries have."""
    n_batch, _, n_pos, _ = pattern.shape
    right, n_having = offset_scores(pattern, offset), n_pos - offset
    return {
        "the attention was divided by the number of all queries; the first ones have no such key, "
        "so they do not count.": right * n_having / n_pos,
        "the attention was added up; take its mean.": right * n_having * n_batch,
        "the attention was added up within each text; take its mean.": right * n_having,
        "the attention was added up over texts; take its mean.": right * n_batch,
        "these are the keys after the query, which a causal head never sees: a negative offset "
        "of `diagonal` lies below the diagonal, where the keys before are.": torch.zeros_like(
            right
        ),
        "the offset was ignored: this is the attention on the position itself.": offset_scores(
            pattern, 0
        ),
        "the offset was ignored: this is the attention on the token before.": offset_scores(
            pattern, 1
        ),
        "it is the position one too early.": offset_scores(pattern, offset + 1),
        "it is the position one too late.": offset_scores(pattern, offset - 1),
        "this is the position `offset` counted from the text's start.": (
            pattern[..., offset].double().mean(dim=(0, 2))
        ),
        "only the first text was looked at.": offset_scores(pattern[:1], offset),
        "every head got the mean of all heads.": right.mean().expand_as(right),
    }


def chance(wanted: Tensor) -> float:
    """An even head's attention on wanted keys, one query at a time."""
    shares = [
        sum(row[: query + 1]) / (query + 1)
        for text in wanted.tolist()
        for query, row in enumerate(text)
        if any(row)
    ]
    return sum(shares) / len(shares) if shares else 0.0


def wrong_chances(wanted: Tensor) -> dict[str, float]:
    """Chance levels with one mistake each, for texts of which some queries want nothing."""
    n = wanted.shape[1]
    seen = torch.arange(1, n + 1).double()
    counts, some = wanted.double().sum(dim=-1), wanted.any(dim=-1)
    shares = counts / seen
    by_text = [float(row[row > 0].mean()) for row in shares if row.any()]
    later = some & (torch.arange(n) > 0)
    return {
        "the attention was spread over all positions of the text; query i sees i + 1 keys.": float(
            (counts / n)[some].mean()
        ),
        "query i was given i keys; it also sees itself, which makes i + 1.": float(
            (counts / (seen - 1).clamp(min=1))[some].mean()
        ),
        "query i was given i + 2 keys; it sees i + 1.": float((counts / (seen + 1))[some].mean()),
        "queries without a wanted key were averaged in; they do not count.": float(shares.mean()),
        "each text was averaged by itself and then the texts; average over all counted queries at "
        "once.": sum(by_text) / len(by_text),
        "each query counts one wanted key, however many it has.": float((some / seen)[some].mean()),
        "the wanted keys of all queries were divided by all the keys that they see; average the "
        "queries' shares.": float(counts[some].sum() / seen.expand_as(counts)[some].sum()),
        "the shares were added up; take their mean.": float(shares.sum()),
        "queries and keys are in each other's place: rows are queries.": float(
            (wanted.double().sum(dim=1) / seen)[wanted.any(dim=1)].mean()
        ),
        "the first position was left out.": float(shares[later].mean()),
        "this is the share of the queries that have a wanted key.": float(some.double().mean()),
        "this is in percent; give a fraction from 0 to 1.": 100 * chance(wanted),
        "this is the attention on the keys that are not wanted.": 1 - chance(wanted),
    }


# ------------------------------------------------------------------------------------ copying


@dataclass
class Raises:
    """How far each text's own tokens are raised, and where the heads look.

    Attributes:
        raised: what each key's token gains over the text's mean; nothing is cut off yet.
        pattern: attention on that key.
    """

    raised: Tensor  # [batch head query key]
    pattern: Tensor


def raises(pattern: Tensor, result: Tensor, W_U: Tensor, tokens: Tensor) -> Raises:
    """What is added to the logits of each text's own tokens, less their mean, in loops."""
    n_batch, n_heads, n_pos, _ = pattern.shape
    raised = torch.zeros(n_batch, n_heads, n_pos, n_pos, dtype=torch.float64)
    says = W_U.double()
    for b, h, i in product(range(n_batch), range(n_heads), range(n_pos)):
        written = result[b, i, h].double()
        gains = [float(written @ says[:, token]) for token in tokens[b].tolist()]
        mean = sum(gains) / len(gains)
        raised[b, h, i] = torch.tensor([gain - mean for gain in gains], dtype=torch.float64)
    return Raises(raised, pattern.double())


def copying_scores(one: Raises) -> Tensor:
    """The score of each head, by the formula; -1 where nothing is raised."""
    kept = one.raised.clamp(min=0)
    attended, whole = (kept * one.pattern).sum(dim=(0, 2, 3)), kept.sum(dim=(0, 2, 3))
    return torch.stack([_scaled(a, w) for a, w in zip(attended, whole, strict=True)])


def _scaled(attended: Tensor, whole: Tensor) -> Tensor:
    both = attended + whole
    return 4 * attended / both - 1 if both > 0 else -torch.ones_like(both)


def wrong_copying_scores(
    pattern: Tensor, result: Tensor, W_U: Tensor, tokens: Tensor
) -> dict[str, Tensor]:
    """Scores with one mistake each, of heads that all raise something."""
    one = raises(pattern, result, W_U, tokens)
    right = copying_scores(one)
    ratio = (right + 1) / 4
    kept, looks = one.raised.clamp(min=0), one.pattern
    attended, whole = (kept * looks).sum(dim=(2, 3)), kept.sum(dim=(2, 3))  # [batch head]
    by_query = (kept * looks).sum(-1), kept.sum(-1)
    shares = (by_query[0] / (by_query[0] + by_query[1]).clamp(min=1e-300)).mean(dim=(0, 2))
    said = torch.einsum("bihm,mt->bhit", result.double(), W_U.double())
    index = tokens[:, None, None, :].expand(*said.shape[:3], -1)
    own = said.gather(-1, index)
    n_pos = tokens.shape[1]
    chosen = torch.nn.functional.one_hot(looks.argmax(-1), n_pos).double()

    def scored(raised: Tensor, looks: Tensor = looks) -> Tensor:
        return copying_scores(Raises(raised, looks))

    return {
        "the mean over the whole vocabulary was subtracted; take it over the text's own tokens.": (
            scored(own - said.mean(-1, keepdim=True))
        ),
        "no mean was subtracted.": scored(own),
        "the mean was added.": scored(own + own.mean(-1, keepdim=True)),
        "what is below 0 was kept: a token that is lowered is not raised by a negative amount.": (
            torch.full_like(right, 3.0)
        ),
        "sizes were taken without their signs; keep only what is above 0.": scored(
            one.raised.abs()
        ),
        "what is lowered was kept; keep what is raised.": scored(-one.raised),
        "this is 2 r - 1: r is 1/2 at most, so the score is 4 r - 1.": 2 * ratio - 1,
        "this is 4 r; 1 is to be taken off.": 4 * ratio,
        "this is r; the score is 4 r - 1.": ratio,
        "this is 1 - 4 r, the wrong way round.": -right,
        "only the key that is attended to most was counted; weigh every key's token by the "
        "attention on it.": scored(one.raised, chosen),
        "the whole was left without the attended part: r = attended / (attended + whole).": (
            4 * attended.sum(0) / whole.sum(0) - 1
        ),
        "a ratio was taken at each query and then averaged; add both up first.": 4 * shares - 1,
        "a ratio was taken in each text and then averaged; add both up first.": (
            4 * (attended / (attended + whole)).mean(0) - 1
        ),
        "the tokens' order was lost: the raise at a key is that of the token at that key.": scored(
            (r := said.gather(-1, index.sort(-1).values)) - r.mean(-1, keepdim=True)
        ),
        "the first tokens of the vocabulary were taken in place of the text's.": scored(
            (r := said[..., :n_pos]) - r.mean(-1, keepdim=True)
        ),
        "this is the raise of the query's own token; take that of the token at each key.": scored(
            one.raised, torch.eye(n_pos).double().expand_as(looks)
        ),
        "the pattern was used the wrong way round: rows are queries.": scored(one.raised, looks.mT),
        "heads were put together with other heads' results.": scored(one.raised.flip(1)),
        "every head got what all of them say together.": scored(
            one.raised.sum(1, keepdim=True).expand_as(one.raised)
        ),
        "a softmax was taken: the raise is one of logits.": scored(
            (r := said.softmax(-1).gather(-1, index)) - r.mean(-1, keepdim=True)
        ),
        "only tokens that the query may see were counted; the mean and the whole are over all of "
        "the text's tokens.": scored(_of_seen(own)),
        "only the first text was looked at.": copying_scores(Raises(one.raised[:1], looks[:1])),
    }


def _of_seen(own: Tensor) -> Tensor:
    """Raises over the mean of the tokens up to the query, and 0 for those after it."""
    seen = torch.ones(own.shape[-1], own.shape[-1]).double().tril()
    mean = (own * seen).sum(-1, keepdim=True) / seen.sum(-1, keepdim=True)
    return (own - mean) * seen


def different_tokens(random: torch.Generator, n_batch: int, n_pos: int, d_vocab: int) -> Tensor:
    """Texts whose tokens are all different, [batch pos]."""
    drawn = [torch.randperm(d_vocab, generator=random)[:n_pos] for _ in range(n_batch)]
    return torch.stack(drawn)


def built_texts(random: torch.Generator) -> tuple[tuple[Tensor, ...], Tensor]:
    """What is given for heads whose score is known, and these scores.

    Every query looks at one key, or at two evenly. A head that raises just what it looks at
    scores 1, or 1/3 where only half of what is raised is looked at, weighed by a half. One that
    lowers it raises all others, and one that writes nothing raises nothing.
    """
    n_batch, n_pos, d_vocab = 3, 6, 17
    heads, scores = ("raises", "lowers", "raises", "writes nothing", "raises half"), []
    tokens = different_tokens(random, n_batch, n_pos, d_vocab)
    turn = inputs.rotation(random, d_vocab)
    pattern = torch.zeros(n_batch, len(heads), n_pos, n_pos)
    result = torch.zeros(n_batch, n_pos, len(heads), d_vocab)
    known = {"raises": 1.0, "lowers": -1.0, "writes nothing": -1.0, "raises half": 1 / 3}
    for h, does in enumerate(heads):
        scores.append(known[does])
        for b, i in product(range(n_batch), range(n_pos)):
            key = int(inputs.integers(random, i + 1))
            pattern[b, h, i, key] = 1.0
            size = float(1 + 3 * torch.rand((), generator=random))
            if does == "raises half":
                other = (key + 1) % n_pos  # raised as much, and not looked at
                result[b, i, h] = size * (turn[tokens[b, key]] + turn[tokens[b, other]])
            elif does != "writes nothing":
                sign = -1 if does == "lowers" else 1
                result[b, i, h] = sign * size * turn[tokens[b, key]]
    order = torch.randperm(len(heads), generator=random)
    given = (pattern[:, order], result[:, :, order], turn.T.contiguous(), tokens)
    return given, torch.tensor(scores, dtype=torch.float64)[order]


# -------------------------------------------------------------------------------------- names


def named(scores: Mapping[str, Tensor], thresholds: Mapping[str, float], rule: Rule) -> Names:
    """A name for each head by a rule that sees its scores and thresholds."""
    n_layers, n_heads = next(iter(scores.values())).shape
    return [
        [
            rule([(kind, float(scores[kind][layer, head]), thresholds[kind]) for kind in scores])
            for head in range(n_heads)
        ]
        for layer in range(n_layers)
    ]


def best_name(kinds: list[tuple[str, float, float]]) -> str:
    """The rule: of those at or above their threshold, the largest multiple of it."""
    reached = [one for one in kinds if one[1] >= one[2]]
    return max(reached, key=lambda one: one[1] / one[2])[0] if reached else "none"


def wrong_names(scores: Mapping[str, Tensor], thresholds: Mapping[str, float]) -> dict[str, Names]:
    """Names by rules with one mistake each."""
    in_order = dict(zip(scores, thresholds.values(), strict=True))  # as if the orders agreed
    alike = dict.fromkeys(scores, min(thresholds.values()))

    def by(key: Callable[[tuple[str, float, float]], float]) -> Names:
        def rule(kinds: list[tuple[str, float, float]]) -> str:
            reached = [one for one in kinds if one[1] >= one[2]]
            return max(reached, key=key)[0] if reached else "none"

        return named(scores, thresholds, rule)

    def above(kinds: list[tuple[str, float, float]]) -> str:
        return best_name([one for one in kinds if one[1] > one[2]])

    def largest_alone(kinds: list[tuple[str, float, float]]) -> str:
        kind, score, least = max(kinds, key=lambda one: one[1])
        return kind if score >= least else "none"

    def without_signs(kinds: list[tuple[str, float, float]]) -> str:
        return best_name([(kind, abs(score), least) for kind, score, least in kinds])

    return {
        "a score that equals its threshold was not let in; it counts.": named(
            scores, thresholds, above
        ),
        "of several kinds the one with the largest score was taken; take the largest multiple of "
        "its threshold.": by(lambda one: one[1]),
        "the kind with the largest score was taken, and only it held against its threshold: "
        "another may have reached its own.": named(scores, thresholds, largest_alone),
        "of several kinds the one furthest above its threshold was taken; divide, don't "
        "subtract.": by(lambda one: one[1] - one[2]),
        "of several kinds the first was taken.": by(lambda one: -list(scores).index(one[0])),
        "of several kinds the last was taken.": by(lambda one: list(scores).index(one[0])),
        "of several kinds the smallest multiple was taken.": by(lambda one: -one[1] / one[2]),
        "thresholds were ignored: a head that reaches none is called none.": named(
            scores, thresholds, lambda kinds: max(kinds, key=lambda one: one[1] / one[2])[0]
        ),
        "scores and thresholds were put together in the order of their dicts; go by their "
        "names.": named(scores, in_order, best_name),
        "one threshold was used for all kinds.": named(scores, alike, best_name),
        "scores were taken without their signs.": named(scores, thresholds, without_signs),
    }


# ------------------------------------------------------------------------ models to look through

KINDS: dict[Kind, str] = {
    "induction": "look at what followed earlier copies of the token",
    "other": "look at what followed another token",
    "duplicate": "look at the earlier copies themselves",
    "early": "look at what came before an earlier copy",
    "positional": "look back by a fixed distance",
    "previous": "look at the previous token",
    "current": "look at the token itself",
    "first": "look at the first token",
    "noise": "are random",
}


@dataclass(frozen=True)
class Recipe:
    """How many heads a hidden model has, and how many of some kinds; the rest is dealt out.

    Attributes:
        decoys: heads that compose with a previous-token head as induction heads do, but look
            elsewhere.
        fillers: previous-token heads that these build on.
    """

    n_layers: int
    n_heads: int
    induction: int
    decoys: int
    positional: int
    fillers: int = 1


RECIPES = (
    Recipe(3, 5, 3, 2, 5),
    Recipe(3, 5, 1, 2, 5, fillers=2),
    Recipe(3, 5, 4, 3, 5),
    Recipe(3, 5, 2, 2, 5, fillers=2),
    Recipe(3, 5, 0, 3, 5),
    Recipe(3, 5, 4, 2, 5),
    Recipe(3, 5, 1, 2, 4),
    Recipe(2, 5, 2, 2, 4),
    Recipe(2, 5, 1, 2, 4),
    Recipe(2, 5, 3, 1, 4),
    Recipe(2, 5, 0, 1, 4),
    Recipe(2, 5, 3, 0, 3, fillers=2),
    Recipe(2, 5, 1, 2, 4),
    Recipe(2, 4, 1, 1, 2),
    # The small ones come with short contexts.
    Recipe(3, 3, 2, 1, 1),
    Recipe(2, 3, 1, 0, 1),
    Recipe(2, 2, 1, 0, 1),
    Recipe(2, 1, 1, 0, 0),
    Recipe(2, 1, 0, 0, 1),
    Recipe(1, 4, 0, 0, 1, fillers=0),
)
N_LARGE = 14
# What is dealt out, over and over.
REST: tuple[Kind, ...] = (
    *("duplicate", "noise", "current", "duplicate", "first", "noise"),
    *("duplicate", "previous", "noise", "duplicate", "first", "current"),
)
DECOYS: tuple[Kind, ...] = ("early", "other")
# Impostors of these periods are there whatever the context, beside those of half of it and a third.
COMMON_PERIODS = (8, 12, 10, 9, 11, 16, 7, 20, 12)


@dataclass
class Hidden:
    """A model whose heads' nature is known.

    Attributes:
        kinds: keys of KINDS, by layer and head.
    """

    model: Transformer
    kinds: list[list[Kind]]


@lru_cache(maxsize=1)  # whoever checks again has them at once
def hidden_models(seed: int) -> list[Hidden]:
    """Models of many sizes with heads of every kind, in no order."""
    random = inputs.generator(seed, salt=1)
    return list(_hidden_models(random))


def _hidden_models(random: torch.Generator) -> Iterator[Hidden]:
    dealt = [_forever(random, cards) for cards in (REST, DECOYS, COMMON_PERIODS)]
    for number, recipe in enumerate(RECIPES):
        # Where most impostors are there is room for so many periods that each of them is rare.
        large = number < N_LARGE
        shortest, longest, fewest = (52, 64, 40) if large else (24, 44, 24)
        n_ctx = shortest + 4 * int(inputs.integers(random, 1 + (longest - shortest) // 4))
        layers = _layers(random, recipe, n_ctx, *dealt)
        model = planted(
            random,
            layers,
            n_ctx=n_ctx,
            d_vocab=fewest + int(inputs.integers(random, 61 - fewest)),
            d_code=20 + int(inputs.integers(random, 5)),
            noise=_between(random, 0.02, 0.08),
        )
        yield Hidden(model, [[head.kind for head in heads] for heads in layers])


def _forever(random: torch.Generator, items: tuple) -> Iterator:
    """All items in some order, then all in another, and so on."""
    while True:
        for i in torch.randperm(len(items), generator=random).tolist():
            yield items[i]


def _between(random: torch.Generator, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand((), generator=random))


def _layers(
    random: torch.Generator,
    recipe: Recipe,
    n_ctx: int,
    spare: Iterator[Kind],
    decoys: Iterator[Kind],
    periods: Iterator[int],
) -> list[list[Head]]:
    """Heads by layer: those that compose behind the first, all others anywhere."""
    composing: list[Kind] = ["induction"] * recipe.induction
    composing += [next(decoys) for _ in range(recipe.decoys)]
    size = recipe.n_layers * recipe.n_heads
    n_spare = size - recipe.fillers - len(composing) - recipe.positional
    places = [n_ctx // 2, n_ctx // 3][: 1 + recipe.positional % 2]
    places += [next(periods) for _ in range(recipe.positional - len(places))]
    free = [_one(random, "positional", period=p) for p in places[: recipe.positional]]
    free += [_one(random, next(spare)) for _ in range(n_spare)]
    free = _shuffled(random, free)
    fillers = [replace(_one(random, "previous"), fills_slot=True) for _ in range(recipe.fillers)]
    n_first = recipe.n_heads - recipe.fillers
    first = _shuffled(random, fillers + free[:n_first])
    behind = [_one(random, kind) for kind in composing]
    behind += [_by_context(random, head) if fillers else head for head in free[n_first:]]
    behind = _shuffled(random, behind)
    starts = range(0, len(behind), recipe.n_heads)
    return [first, *(behind[i : i + recipe.n_heads] for i in starts)]


def _shuffled(random: torch.Generator, items: list) -> list:
    return [items[i] for i in torch.randperm(len(items), generator=random).tolist()]


def _one(random: torch.Generator, kind: Kind, *, period: int = 0) -> Head:
    """A head of a kind, of some strength, that writes something or other."""
    strength = _between(random, 0.8, 0.97)
    if kind == "noise":
        strength = 10 ** _between(random, -0.5, 1.1)
    favours = (0.0, 0.0, 6.0, -6.0)[int(inputs.integers(random, 4))] if kind == "induction" else 0.0
    writes = ("copies", "copies", "lowers", "random", "nothing")[int(inputs.integers(random, 5))]
    return Head(kind, strength, period=period, favours=favours, writes=writes)


def _by_context(random: torch.Generator, head: Head) -> Head:
    """Some duplicate-token heads compare the tokens before, as an induction head reads a slot."""
    if head.kind == "duplicate" and int(inputs.integers(random, 2)) == 0:
        return replace(head, by_context=True)
    return head


def misjudged(judged: Mapping[Kind, list[bool]]) -> tuple[Kind, int, int]:
    """The kind of which the largest share was told wrongly, how many were, and of how many.

    Of two that are as bad, one that was taken for induction heads says more than these.
    """

    def badness(kind: Kind) -> tuple[float, bool, str]:
        return judged[kind].count(False) / len(judged[kind]), kind != "induction", kind

    worst = max(judged, key=badness)
    return worst, judged[worst].count(False), len(judged[worst])


def allowed(n: int) -> int:
    """How many of n heads may be told wrongly if at least 95 % are to be right."""
    return n - math.ceil(0.95 * n - 1e-9)
