"""Checks of `ch02_induction_heads/2_find_them.ipynb`."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mechcourse.checks import Answer, check
from mechcourse.checks import _inputs as inputs
from mechcourse.checks.ch02_induction_heads import _find_them as known

TEACHES = ("mechcourse.measures.offset_attention", "mechcourse.measures.induction_score")

LARGEST_SEED = 2**22  # a thousand times as much is still a seed for NumPy
KIND_NAMES = ("previous token", "current token", "copying", "duplicate", "stripe", "one early")


@check
def check_offset_attention_score(answer: Answer, *, seed: int = 0) -> None:
    """The mean of one diagonal, by head."""
    random = inputs.generator(seed)
    for n_batch, n_heads, n_pos in ((3, 4, 7), (2, 5, 9), (1, 2, 4)):
        pattern = _pattern(random, n_batch, n_heads, n_pos)
        for offset in (3, 1, 0, n_pos - 1):
            answer.expect_close(
                answer(pattern, offset),
                known.offset_scores(pattern, offset),
                property="the mean attention on the key `offset` before, over texts and over the "
                f"queries that have it, for {_distance(offset, n_pos)}",
                dims="head",
                misconceptions=known.wrong_offset_scores(pattern, offset)
                if offset == 3 and n_batch > 1
                else {},
            )
    for n_pos, offset in ((4, 4), (3, 5), (1, 1), (1, 0)):
        pattern = _pattern(random, 2, 3, n_pos)
        answer.expect_close(
            answer(pattern, offset),
            known.offset_scores(pattern, offset),
            property="it is 0 where no query has such a key, and right for a text of one token",
            dims="head",
            otherwise="a mean over no query at all: say what it is." if offset else "",
        )


@check
def check_chance_level(answer: Answer, *, seed: int = 0) -> None:
    """The mean share of wanted keys among those that a query sees."""
    random = inputs.generator(seed)
    for n_batch, n_pos in ((5, 7), (3, 6), (2, 9)):
        wanted = _wanted(random, n_batch, n_pos)
        answer.expect_close(
            answer(wanted),
            known.chance(wanted),
            property="the share of wanted keys among the i + 1 that query i sees, averaged over "
            "the queries of all texts that have one",
            misconceptions=known.wrong_chances(wanted),
        )
    n_pos = 11
    before = torch.eye(n_pos).roll(1, 0).tril().bool()  # the token before
    itself = torch.eye(n_pos).bool()
    every = torch.ones(n_pos, n_pos).tril().bool()
    for words, wanted in (
        ("the token before", before),
        ("the position itself", itself),
        ("all keys that a query sees", every),
        ("a text of one token", torch.ones(1, 1).bool()),
    ):
        answer.expect_close(
            answer(wanted[None]), known.chance(wanted[None]), property=f"it is so for {words}"
        )
    for n_batch, n_pos in ((2, 5), (1, 1)):
        answer.expect_close(
            answer(torch.zeros(n_batch, n_pos, n_pos, dtype=torch.bool)),
            0.0,
            property="it is 0 where no query has a wanted key",
            otherwise="a mean over no query at all: say what it is.",
        )


@check
def check_copying_head_score(answer: Answer, *, seed: int = 0) -> None:
    """The paper's ratio, scaled; heads whose score is known; nothing raised."""
    random = inputs.generator(seed)
    sizes = ((3, 4, 6, 7, 11), (2, 2, 9, 5, 13), (1, 3, 2, 4, 8))
    for n_batch, n_heads, n_pos, d_model, d_vocab in sizes:
        given = _copying_case(random, (n_batch, n_heads, n_pos, d_model, d_vocab), n_pos > 2)
        answer.expect_close(
            answer(*given),
            known.copying_scores(known.raises(*given)),
            property="4 r - 1, where r is the attended part over attended and whole together, "
            "both added up over queries and texts",
            dims="head",
            misconceptions=known.wrong_copying_scores(*given) if n_pos > 2 else {},
            atol=1e-4,
        )
    given, scores = known.built_texts(random)
    answer.expect_close(
        answer(*given),
        scores,
        property="a head scores 1 where it raises just what it looks at, 1/3 where it raises "
        "another token as much, -1 where it lowers what it looks at, and -1 if it writes nothing",
        dims="head",
        atol=1e-4,
    )
    alone = (torch.ones(2, 3, 1, 1), inputs.normal(random, 2, 1, 3, 4))
    answer.expect_close(
        answer(*alone, inputs.normal(random, 4, 6), torch.tensor([[5], [2]])),
        -torch.ones(3),
        property="it is -1 in a text of one token, which is never above its own mean",
        dims="head",
    )


@check
def check_classify_heads(answer: Answer, *, seed: int = 0) -> None:
    """Names by thresholds and multiples of them."""
    random = inputs.generator(seed)
    for n_kinds, n_layers, n_heads in ((4, 3, 8), (3, 2, 12), (5, 4, 6)):
        _hold_names(answer, *_told_apart(random, n_kinds, n_layers, n_heads))
    for n_layers, n_heads in ((1, 3), (2, 1), (1, 1)):
        kinds = _kinds(random, 2)
        scores = {kind: torch.rand(n_layers, n_heads, generator=random) for kind in kinds}
        _hold_names(answer, scores, dict(zip(kinds[::-1], (0.25, 0.6), strict=True)))
    (kind,) = _kinds(random, 1)
    values = torch.tensor([[-0.5, 0.125, 0.25], [0.375, 0.0, 1.0]])
    _hold_names(answer, {kind: values}, {kind: 0.25})
    _hold_names(answer, {kind: values}, {kind: 8.0})


@check
def check_find_induction_heads(answer: Answer, *, seed: int = 0) -> None:
    """Accuracy on heads whose nature is known, kind by kind."""
    random = inputs.generator(seed)
    judged: dict[known.Kind, list[bool]] = {}
    for hidden in known.hidden_models(seed):
        drawn = int(inputs.integers(random, LARGEST_SEED))
        shape = (len(hidden.kinds), len(hidden.kinds[0]))
        got = answer(hidden.model, seed=drawn)
        got = answer.tensor(got, shape=shape, dims="layer head", of="one truth value for each head")
        answer.expect(
            got.dtype == torch.bool or ((got == 0) | (got == 1)).all(),
            property="one truth value for each head",
            misconception="this is a score; say from where on a head counts as an induction head.",
            got=f"values from {float(got.min()):.3g} to {float(got.max()):.3g}",
        )
        for kinds, row in zip(hidden.kinds, got.bool().tolist(), strict=True):
            for kind, called in zip(kinds, row, strict=True):
                judged.setdefault(kind, []).append(called == (kind == "induction"))
    _hold_judgements(answer, judged)


# ------------------------------------------------------------------------------------- inputs


def _pattern(random: torch.Generator, n_batch: int, n_heads: int, n_pos: int) -> Tensor:
    """Causal attention, sharper from head to head."""
    scores = 2 * inputs.normal(random, n_batch, n_heads, n_pos, n_pos)
    scores = scores * torch.linspace(0.5, 2, n_heads)[:, None, None]
    future = torch.ones(n_pos, n_pos, dtype=torch.bool).triu(1)
    return scores.masked_fill(future, -torch.inf).softmax(-1)


def _distance(offset: int, n_pos: int) -> str:
    words = {0: "the position itself", 1: "the position before", n_pos - 1: "the last query alone"}
    return words.get(offset, f"an offset of {offset}")


def _wanted(random: torch.Generator, n_batch: int, n_pos: int) -> Tensor:
    """Wanted keys that expose each named mistake: some queries, and one text, want none."""
    while True:
        often = torch.rand(n_batch, 1, 1, generator=random) * 0.6 + 0.2
        wanted = torch.rand(n_batch, n_pos, n_pos, generator=random) < often
        wanted &= torch.rand(n_batch, n_pos, 1, generator=random) < 0.6
        wanted = wanted.tril()
        wanted[-1] = False
        wanted[0, 0, 0] = True
        right = known.chance(wanted)
        if n_batch == 2:  # one text that wants something: no mean of means
            wanted[1, n_pos - 1, 2] = True
            right = known.chance(wanted)
        wrong = known.wrong_chances(wanted).values()
        if all(abs(value - right) > 0.01 for value in wrong):
            return wanted


def _copying_case(
    random: torch.Generator, sizes: tuple[int, ...], told_apart: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pattern, results, unembedding and tokens; heads that copy more or less, and the opposite."""
    n_batch, n_heads, n_pos, d_model, d_vocab = sizes
    while True:
        tokens = known.different_tokens(random, n_batch, n_pos, d_vocab)
        pattern = _pattern(random, n_batch, n_heads, n_pos)
        W_U = inputs.normal(random, d_model, d_vocab) + inputs.normal(random, d_model, 1)
        own = W_U.T[tokens] / d_model
        copied = torch.einsum("bhik,bkm->bihm", pattern, own)
        how = torch.linspace(3, -1, n_heads)[:, None]
        result = how * copied + inputs.normal(random, n_batch, n_pos, n_heads, d_model)
        # Texts and positions that say more than others, so that means of ratios are exposed.
        loud = 1 + 3 * torch.rand(n_batch, n_pos, 1, 1, generator=random)
        result = result * loud * torch.arange(1, n_batch + 1)[:, None, None, None]
        given = (pattern, result, W_U, tokens)
        right = known.copying_scores(known.raises(*given))
        wrong = known.wrong_copying_scores(*given)
        if not told_apart or all((w - right).abs().max() > 0.02 for w in wrong.values()):
            return given


def _kinds(random: torch.Generator, n: int) -> list[str]:
    """Names of kinds of heads, some of which nobody has heard of."""
    order = torch.randperm(len(KIND_NAMES), generator=random)[:n].tolist()
    return [f"{KIND_NAMES[i]} {int(inputs.integers(random, 90))}" for i in order]


def _told_apart(
    random: torch.Generator, n_kinds: int, n_layers: int, n_heads: int
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Scores and thresholds that know all mistakes apart; two scores just reach their threshold.

    The thresholds come in another order. No two multiples are so near that rounding decides.
    """
    while True:
        kinds = _kinds(random, n_kinds)
        values = (0.125, 0.25, 0.375, 0.5, 0.75)  # exact in any number of bits
        drawn = torch.randperm(len(values), generator=random)[:n_kinds].tolist()
        thresholds = {kind: values[i] for kind, i in zip(kinds, drawn, strict=True)}
        scores = {
            kind: 1.2 * torch.rand(n_layers, n_heads, generator=random) - 0.4 for kind in kinds
        }
        for i, kind in enumerate(kinds[:2]):
            scores[kind][i, i], others = thresholds[kind], [k for k in kinds if k != kind]
            for other in others:
                scores[other][i, i] = 0.5 * thresholds[other]
        shifted = kinds[1:] + kinds[:1]
        thresholds = {kind: thresholds[kind] for kind in shifted}
        multiples = torch.stack([scores[kind] / thresholds[kind] for kind in kinds])
        gaps = multiples.sort(dim=0).values.diff(dim=0)
        right = known.named(scores, thresholds, known.best_name)
        tables = [right, *known.wrong_names(scores, thresholds).values()]
        called = {name for row in right for name in row}
        apart = len(set(map(str, tables))) == len(tables) and len(called) == n_kinds + 1
        near = ((multiples - 1).abs() < 0.01).sum()  # the two that equal their threshold
        if apart and gaps[-1].min() > 0.01 and near == 2:
            return scores, thresholds


# --------------------------------------------------------------------------------- properties


def _hold_names(answer: Answer, scores: dict[str, Tensor], thresholds: dict[str, float]) -> None:
    """Hold the names of all heads."""
    right = known.named(scores, thresholds, known.best_name)
    got = answer(scores, thresholds)
    found = _listed(answer, got, right)
    several = len(scores) > 2
    wrong = known.wrong_names(scores, thresholds) if several else {}
    if found == right:
        answer.expect(
            True,
            property="each head has the kind that is the largest multiple of its threshold, if it "
            "reaches it, and none where it reaches no threshold",
        )
        return
    layer, head = next(
        (i, j) for i, row in enumerate(right) for j, name in enumerate(row) if found[i][j] != name
    )
    held = ", ".join(
        f"{float(scores[kind][layer, head]):.3g} of {thresholds[kind]:.3g} for {kind}"
        for kind in scores
    )
    allowed = {*scores, "none"}
    strange = found[layer][head] not in allowed
    answer.fail(
        property="each head has the kind that is the largest multiple of its threshold, if it "
        "reaches it, and none where it reaches no threshold",
        misconception=next(
            (words for words, names in wrong.items() if names == found),
            'the names are those of `scores`, and "none".' if strange else "",
        ),
        expected=f"{right[layer][head]!r} at layer {layer}, head {head}, with scores {held}",
        got=repr(found[layer][head])[:60],
    )


def _listed(answer: Answer, got: Any, right: known.Names) -> known.Names:
    """A list of lists of names, as many as there are layers and heads, or a finding."""
    n_layers, n_heads = len(right), len(right[0])
    wanted = f"{n_layers} lists of {n_heads} names"
    property = "it returns a list for each layer, with a name for each of its heads"
    rows = isinstance(got, list | tuple) and all(isinstance(row, list | tuple) for row in got)
    if not rows or not all(isinstance(name, str) for row in got for name in row):
        is_flat = isinstance(got, list | tuple) and all(isinstance(name, str) for name in got)
        answer.fail(
            property=property,
            misconception="all heads are in one list; each layer has its own." if is_flat else "",
            expected=wanted,
            got=f"a {type(got).__name__}, {str(got)[:50]}".replace("  ", " "),
        )
    found = [list(row) for row in got]
    lengths = [len(row) for row in found]
    if lengths != [n_heads] * n_layers:
        turned = lengths == [n_layers] * n_heads
        answer.fail(
            property=property,
            misconception="layers and heads are in each other's place." if turned else "",
            expected=wanted,
            got=f"lists of {', '.join(map(str, lengths)) or 'nothing'} names",
        )
    return found


def _hold_judgements(answer: Answer, judged: Mapping[known.Kind, list[bool]]) -> None:
    """Hold the accuracy on each kind of head, and name the one misjudged most."""
    kind, missed, total = known.misjudged(judged)
    every = {name: len(right) for name, right in judged.items()}
    others = [right for name, rights in judged.items() if name != "induction" for right in rights]
    called = "not called" if kind == "induction" else "called"
    answer.expect(
        all(rights.count(False) <= known.allowed(len(rights)) for rights in judged.values()),
        property="at least 95 % of the induction heads, and 95 % of each other kind, are told "
        "rightly",
        misconception=f"of {total} heads that {known.KINDS[kind]}, {missed} were {called} "
        "induction heads.",
        expected="95 % or more of every kind",
        got=f"{judged['induction'].count(True) / every['induction']:.0%} of "
        f"{every['induction']} induction heads and {others.count(True) / len(others):.0%} of "
        f"{len(others)} others",
    )
