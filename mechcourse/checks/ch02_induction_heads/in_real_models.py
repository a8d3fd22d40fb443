"""Checks of `ch02_induction_heads/5_in_real_models.ipynb`."""

from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from mechcourse.checks import Answer, check
from mechcourse.checks import _inputs as inputs
from mechcourse.checks.ch02_induction_heads import _in_real_models as known

TEACHES = ()

MOST_LISTED = 6  # names in a message
APART = 0.02  # at least so far lies each named mistake from the truth
TWO_DIGITS = " Here are layers above 9: what begins with blocks.1 may be blocks.10 or blocks.11."
MODELS = (
    # All of one size first: there a mistaken axis raises nothing, and has a name.
    known.Sizes(1, 5, 5, 5, 5, 5, frozenset({0})),
    known.Sizes(3, 6, 3, 4, 10, 8, frozenset({0, 1, 2})),
    known.Sizes(2, 7, 2, 4, 1, 5, rotary=True),
    known.Sizes(0, 6, 1, 1, 1, 9),
    known.Sizes(3, 5, 1, 3, 4, 7, frozenset({1}), dtype=torch.float32),
    known.Sizes(13, 4, 2, 3, 5, 6, frozenset(range(13))),
)


@check
def check_fold_layer_norm(answer: Answer, *, seed: int = 0) -> None:
    """Names, gains, biases, readers and logits of models with and without MLPs, deep and empty."""
    random = inputs.generator(seed)
    for sizes in MODELS:
        weights = known.random_weights(random, sizes)
        hint = TWO_DIGITS if sizes.n_layers > 10 else ""
        folded = _as_weights(answer, answer(weights), weights)
        _hold_norms(answer, folded, weights, sizes, hint)
        _hold_others(answer, folded, weights, sizes, hint)
        normal = known.normalised(inputs.normal(random, 6, sizes.d_model, dtype=torch.float64))
        for reader in known.readers(sizes):
            wrong = known.wrong_reads(normal, weights, reader)
            answer.expect_close(
                known.read(normal, folded, reader),
                known.read_through_norm(normal, weights, reader),
                property="each folded W and b makes of a normalised vector what gain, bias, W and "
                "b made of it together",
                misconceptions={words + hint: value for words, value in wrong.items()},
                otherwise=f"look at {reader.weight} and {reader.offset}, which read through "
                f"{reader.norm}.{hint}",
            )
        tokens = inputs.integers(random, sizes.d_vocab, 2, 7)
        answer.expect_close(
            known.logits(folded, tokens, sizes),
            known.logits(weights, tokens, sizes),
            property="the logits are the same: with and without MLPs, of rotary models too, for 0 "
            "to 13 layers",
            dims="batch pos d_vocab",
        )


@check
def check_heads_by_depth(answer: Answer, *, seed: int = 0) -> None:
    """Shares of heads, by parts that are even, uneven, empty, or bordered by a layer's middle."""
    random = inputs.generator(seed)
    layouts = (  # layers, heads, parts: in the first, no two rules for the parts agree
        *((11, 3, 8), (7, 4, 3), (5, 3, 2), (3, 4, 2), (2, 3, 5)),
        *((6, 2, 3), (12, 12, 4), (4, 5, 1), (1, 3, 1), (1, 5, 2), (5, 2, 5)),
        *((3, 2, 6), (2, 3, 4), (4, 3, 9), (1, 2, 7), (9, 2, 6), (10, 1, 4)),
        *((6, 2, 12), (11, 3, 22)),
    )
    for i, (n_layers, n_heads, n_parts) in enumerate(layouts):
        case = n_layers, n_heads, n_parts
        scores, threshold = _told_apart_scores(random, *case, named=i < 5, by_name=i == 0)
        right = known.shares(scores, threshold, n_parts)
        wrong = known.wrong_shares(scores, threshold, n_parts)
        got = answer(scores, threshold, n_parts)
        _hold_every_part(answer, got, n_parts, int((~right.isnan()).sum()))
        answer.expect_close(
            got,
            right,
            property=_property(n_layers, n_parts),
            dims="part",
            misconceptions={words: v for words, v in wrong.items() if _apart(v, right)},
            otherwise=_rounding(n_layers, n_parts),
        )
    scores = torch.tensor([[0.25, 0.5], [0.75, 1.0], [0.5, 0.5]])
    for threshold, share in ((0.25, 1.0), (1.25, 0.0)):
        answer.expect_close(
            answer(scores, threshold, 4),
            torch.tensor([share, torch.nan, share, share]),
            property=f"the share is {share:g} where {'all' if share else 'no'} heads count, and "
            "nan stays nan",
            dims="part",
        )


# ------------------------------------------------------------------------------- fold_layer_norm


def _as_weights(answer: Answer, got: Any, weights: inputs.Weights) -> inputs.Weights:
    """The dict that came back, with every name and shape that it had."""
    if isinstance(got, dict) and (missing := [name for name in weights if name not in got]):
        answer.fail(
            property="the same names come back, folded or not",
            misconception="a copy of the whole dict is a good beginning: dict(weights).",
            expected=f"{len(weights)} names",
            got=f"none called {_listed(missing)}",
        )
    folded = answer.expect_dict(got, list(weights))
    return {
        name: answer.tensor(
            folded[name], shape=tuple(weight.shape), of=f"{name} keeps its shape"
        ).double()
        for name, weight in weights.items()
    }


def _hold_norms(
    answer: Answer,
    folded: inputs.Weights,
    weights: inputs.Weights,
    sizes: known.Sizes,
    hint: str,
) -> None:
    """Hold that LayerNorms do nothing any more but normalise."""
    for norm in dict.fromkeys(reader.norm for reader in known.readers(sizes)):
        read_by = [reader for reader in known.readers(sizes) if reader.norm == norm]
        names = [name for reader in read_by for name in (reader.weight, reader.offset)]
        moved = any(not torch.allclose(folded[n], weights[n].double()) for n in names)
        for kind, name, value in (("gain", f"{norm}.w", 1.0), ("bias", f"{norm}.b", 0.0)):
            if moved:
                why = f"{name} is still what it was: what is moved and kept acts twice."
            else:
                why = f"nothing was moved out of {norm}; {_listed(names)} read through it."
            answer.expect_close(
                folded[name],
                torch.full_like(folded[name], value),
                property=f"every LayerNorm's {kind} is {value:g}",
                dims="d_model",
                misconceptions={why + hint: weights[name]},
                otherwise=f"{name} is to leave the normalised vector as it is.{hint}",
            )


def _hold_others(
    answer: Answer,
    folded: inputs.Weights,
    weights: inputs.Weights,
    sizes: known.Sizes,
    hint: str,
) -> None:
    """Hold that nothing else was touched."""
    touched = {name for reader in known.readers(sizes) for name in (reader.weight, reader.offset)}
    for name, weight in weights.items():
        if name in touched or name.endswith((".w", ".b")):
            continue
        answer.expect_close(
            folded[name],
            weight,
            property="what nobody reads through a LayerNorm is as it was",
            otherwise=f"{name} was changed, and it reads through no LayerNorm.{hint}",
        )


def _listed(names: list[str]) -> str:
    """Some of the names, in words."""
    if len(names) > MOST_LISTED:
        return f"{', '.join(names[: MOST_LISTED - 1])} and {len(names) - MOST_LISTED + 1} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


# -------------------------------------------------------------------------------- heads_by_depth


def _told_apart_scores(
    random: torch.Generator,
    n_layers: int,
    n_heads: int,
    n_parts: int,
    *,
    named: bool,
    by_name: bool,
) -> tuple[Tensor, float]:
    """Scores in eighths, so that some are just the threshold, and a threshold.

    Where `named`, every mistake shows that could show in so many layers and parts; where `by_name`,
    no two of them give the same.
    """
    while True:
        scores = inputs.normal(random, n_layers, n_heads).mul(4).round() / 8
        threshold = (int(inputs.integers(random, 4)) - 1) / 8
        right = known.shares(scores, threshold, n_parts)
        wrong = list(known.wrong_shares(scores, threshold, n_parts).values())
        pairs = combinations([right, *wrong], 2) if by_name else ((right, w) for w in wrong)
        if not named or all(_apart(a, b) for a, b in pairs):
            return scores, threshold


def _apart(value: Tensor, right: Tensor) -> bool:
    if not torch.equal(value.isnan(), right.isnan()):
        return True
    return bool((value - right).abs().nan_to_num(0).max() > APART)


def _hold_every_part(answer: Answer, got: Any, n_parts: int, n_filled: int) -> None:
    if isinstance(got, Tensor) and got.ndim == 1 and len(got) == n_filled < n_parts:
        answer.fail(
            property="there is a share for each part",
            misconception="parts in which no layer lies have their place too: nan.",
            expected=f"shape [part] = [{n_parts}]",
            got=f"shape [{n_filled}]",
        )


def _property(n_layers: int, n_parts: int) -> str:
    share = "the share among the heads of the layers whose middles lie in the part"
    if n_parts > n_layers:
        return f"{share}, and nan where none does"
    on_border = any((2 * layer + 1) * n_parts % (2 * n_layers) == 0 for layer in range(n_layers))
    return share + ", a border counting to the upper part" * (on_border and n_parts > 1)


def _rounding(n_layers: int, n_parts: int) -> str:
    """What is said of wrong values with no name, where every layer lies on a border."""
    if (n_layers, n_parts) not in ((6, 12), (11, 22)):
        return ""
    return (
        "every layer lies on a border here, and decimals that are rounded may land just below it. "
        "In whole numbers, layer l is in part (2 * l + 1) * n_parts // (2 * n)."
    )
