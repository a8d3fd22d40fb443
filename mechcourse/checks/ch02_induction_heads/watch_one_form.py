"""Checks of `ch02_induction_heads/1_watch_one_form.ipynb`."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor

from mechcourse.checks import Answer, check
from mechcourse.checks import _inputs as inputs
from mechcourse.checks.ch02_induction_heads import _watch_one_form as known

TEACHES = (
    "mechcourse.data.repeated_sequences",
    "mechcourse.training.next_token_losses",
    "mechcourse.measures.induction_score",
)

LARGEST_SEED = 2**22  # a thousand times as much is still a seed for NumPy
TOO_RARE = 1e-11  # what chance gives less often than this is held against the answer
MANY = 3000  # sequences from which frequencies are read
N_SINGLE = 20  # calls for one sequence each
SOME_PERIODS, SOME_OFFSETS, SOME_TOKENS = (3, 7), (2, 5), 13
EVEN = "period and offset are drawn evenly, both ends included, for each sequence by itself"
DIFFERENT = "the tokens of the offset and of the block are all different"


@check
def check_repeated_sequences(answer: Answer, *, seed: int = 0) -> None:
    """Structure, mask, evenness and seeds of random tokens that repeat."""
    random = inputs.generator(seed)
    fixed = (  # period, offset, n_pos, d_vocab
        (5, 3, 19, 23),
        (4, 0, 12, 9),
        (6, 4, 27, 10),  # the block and the offset take the whole vocabulary
        (7, 2, 10, 15),  # one token is a copy, and none is predictable
        (7, 2, 11, 15),
        (7, 2, 9, 15),  # no token is a copy
        (8, 3, 6, 20),  # shorter than one period
        (3, 9, 5, 30),  # shorter than the offset
        (1, 2, 7, 11),
        (6, 0, 1, 8),
    )
    for period, offset, n_pos, d_vocab in fixed:
        sizes = (7, n_pos, d_vocab)
        tokens, mask = _sequences(answer, random, sizes, (period, period), (offset, offset))
        _hold_block(answer, tokens.tolist(), period, offset)
        _hold_mask(answer, tokens.tolist(), mask, period + offset)
    _hold_seeds(answer, random)
    tokens, _ = _sequences(answer, random, (16, 14, 40), SOME_PERIODS, SOME_OFFSETS)
    answer.expect(
        len(tokens.unique(dim=0)) == len(tokens),  # by chance but once in ten thousand millions
        property="no two sequences are alike",
        misconception="some sequences are copies of others, or all hold the same tokens: draw "
        "each by itself.",
        got=f"{len(tokens.unique(dim=0))} different sequences of {len(tokens)}",
    )
    _hold_frequencies(answer, random)
    for sizes in ((9, 8, 21), (1, 40, 16)):  # some sequences are shorter than their first copy
        tokens, mask = _sequences(answer, random, sizes, (2, 9), (0, 4))
        _hold_ranges(answer, tokens.tolist(), (2, 9), (0, 4))
        _hold_mask(answer, tokens.tolist(), mask, 13)
    for periods, offsets, d_vocab, why in (
        ((2, 9), (0, 4), 12, "the tokens of the longest period and of the longest offset count"),
        ((8, 8), (0, 0), 7, "the longest period counts"),
    ):
        answer.expect_error(
            "ValueError",
            *(1, 20, d_vocab),
            periods=periods,
            offsets=offsets,
            seed=int(inputs.integers(random, 999)),
            property="it raises ValueError where the vocabulary holds fewer tokens than the "
            "longest period and offset together",
            misconception=f"{why}, whatever is drawn.",
        )


@check
def check_per_token_loss(answer: Answer, *, seed: int = 0) -> None:
    """The loss of each token, given the logits one position before it."""
    random = inputs.generator(seed)
    for n_batch, n_pos, d_vocab in ((3, 6, 8), (1, 2, 5), (2, 9, 3)):
        logits = 2 * inputs.normal(random, n_batch, n_pos, d_vocab) + 1
        tokens = inputs.integers(random, d_vocab, n_batch, n_pos)
        named = n_batch == 3
        while named and not known.told_apart(
            known.losses(logits, tokens), known.wrong_losses(logits, tokens)
        ):
            tokens = inputs.integers(random, d_vocab, n_batch, n_pos)
        got = answer(logits, tokens)
        _hold_each_loss(answer, got, n_batch, n_pos)
        answer.expect_close(
            got,
            known.losses(logits, tokens),
            property="column i holds the loss of the token at position i + 1, given the logits at "
            "position i, in nats",
            dims="batch predicted",
            misconceptions=known.wrong_losses(logits, tokens) if named else {},
        )
    logits = torch.tensor([[[0.0, 220.0, -30.0], [150.0, -90.0, 0.0], [7.0, 7.0, 7.0]]])
    answer.expect_close(
        answer(logits, torch.tensor([[0, 2, 0]])),
        torch.tensor([[250.0, 0.0]]),
        property="it is exact where the model is sure of itself, right or wrong",
        dims="batch predicted",
        misconceptions={
            "a probability that small is 0 in float32, and the logarithm of 0 is infinite; "
            "log_softmax does both at once.": torch.tensor([[torch.inf, 0.0]])
        },
    )


@check
def check_in_context_learning_score(answer: Answer, *, seed: int = 0) -> None:
    """The mean loss at one position less that at another."""
    random = inputs.generator(seed)
    for n_batch, n_predicted, early, late in (
        (5, 9, 2, 7),
        (4, 11, 3, 9),
        (4, 8, 6, 3),  # early is later than late
        (3, 7, 1, 7),  # the first column and the last
        (1, 6, 4, 5),
        (2, 5, 3, 3),
    ):
        losses = _losses(random, n_batch, n_predicted)
        named = early in (2, 3) and n_batch > 3
        while named and not known.told_apart(
            torch.tensor(known.late_minus_early(losses, early, late)),
            known.wrong_late_minus_early(losses, early, late),
        ):
            losses = _losses(random, n_batch, n_predicted)
        wrong = known.wrong_late_minus_early(losses, early, late) if named else {}
        right = known.late_minus_early(losses, early, late)
        got = answer(losses, early, late)
        if isinstance(got, Tensor) and got.shape == (n_batch,) and n_batch > 1:
            answer.fail(
                property="the mean over all texts is taken",
                misconception="this is each text's own difference; take their mean.",
                expected="a single number",
                got=f"shape {list(got.shape)}",
            )
        answer.expect_close(
            got,
            right,
            property="the mean loss of the token at position `late` less that of the token at "
            "position `early`" + (", which may be later" if early > late else ""),
            misconceptions=wrong,
            otherwise=_edge_of_columns(losses, early, late, got),
        )
    answer.expect_close(  # worked by hand: (1 - 4 + 2 - 3) / 2, which falls, and the rise back
        answer(torch.tensor([[4.0, 9.0, 1.0], [3.0, 7.0, 2.0]]), 3, 1),
        2.0,
        property="it is above 0 where the loss is higher at `late`",
        misconceptions={"the sign is lost or the wrong way round.": -2.0},
    )


@check
def check_induction_score(answer: Answer, *, seed: int = 0) -> None:
    """Attention on what followed earlier copies, over the queries that have one."""
    random = inputs.generator(seed)
    cases = (  # texts, heads, positions, vocabulary, causal
        (3, 4, 10, 5, True),
        (4, 3, 9, 6, False),
        (1, 2, 8, 3, True),
        (2, 1, 5, 2, True),
        (2, 3, 1, 4, True),
    )
    for n_batch, n_heads, n_pos, d_vocab, causal in cases:
        tokens, pattern = _told_apart_texts(random, n_batch, n_heads, n_pos, d_vocab, causal=causal)
        wrong = known.wrong_scores(pattern, tokens) if n_batch > 2 else {}
        answer.expect_close(
            _without_nan(answer, answer(pattern, tokens), tokens),
            known.scores(pattern, tokens),
            property="the attention summed over all keys right after an earlier copy of the "
            "query's token, averaged over the queries of all texts that have such a copy",
            dims="head",
            misconceptions=_exposed(wrong, causal=causal),
        )
    _hold_planted_scores(answer, random)
    tokens = torch.stack([torch.randperm(7, generator=random) for _ in range(3)])
    answer.expect_close(
        _without_nan(answer, answer(known.attention(random, 3, 2, 7, 7), tokens), tokens),
        torch.zeros(2),
        property="it is 0 where no token comes twice",
        dims="head",
    )


@check
def check_phase_change_window(answer: Answer, *, seed: int = 0) -> None:
    """Start and end of the change in curves made up for it."""
    random = inputs.generator(seed)
    for (lower, upper), (first, last) in product(
        ((0.2, 0.65), (0.35, 0.55), (0.25, 0.6)), ((4.25, 0.5), (0.0625, 0.75), (-1.5, 2.0))
    ):
        steps, values = known.curve(random, lower, upper, first, last)
        _hold_window(answer, steps, values, lower, upper, named=True)
    by_hand = (  # values at the steps 3, 4, 8, 8.5, 20, with exact shares of the way
        ([0.0, 1, 2, 3, 4], 0.25, 0.75, "a step that is just at `lower` or `upper` counts"),
        ([8.0, 6, 4, 2, 0], 0.25, 0.75, "a step that is just at `lower` or `upper` counts"),
        ([5.0, 5, 5, 5, 1], 0.1, 0.9, "a curve may change at its last step"),
        ([0.0, 3, 3, 3, 3], 0.1, 0.9, "a curve may change at its first step"),
        ([1.0, 9, 0, 0, 2], 0.5, 0.9, "a curve may leave at once and come back"),
        ([2.0, -6, 3, 4, 6], 0.25, 0.5, "a curve may first go the other way"),
    )
    for values, lower, upper, property in by_hand:
        steps = torch.tensor([3.0, 4, 8, 8.5, 20])
        _hold_window(answer, steps, torch.tensor(values), lower, upper, property=property)
    two = torch.tensor([2.0, 5.5])
    _hold_window(answer, two, two.flip(0), 0.3, 0.4, property="a curve may have two points")
    for values in ([2.0, 2, 2, 2], [1.0, 3, -2, 1]):
        answer.expect_error(
            "ValueError",
            *(torch.tensor([0.0, 10, 20, 30]), torch.tensor(values)),
            lower=0.1,
            upper=0.9,
            property="it raises ValueError where the last value is the first",
            misconception="there is no way to go then, and a share of it is 0 / 0.",
        )


@check
def check_unmask_positional_impostor(answer: Answer, *, seed: int = 0) -> None:
    """Attention at a fixed distance where that is wrong, above chance."""
    random = inputs.generator(seed)
    property = (
        "the attention on the key at i - period + 1, less 1 / (i + 1), averaged over those queries "
        "from i = period on, of all texts, for which that key is wrong"
    )
    cases = ((3, 4, 11, 3, 4), (4, 3, 10, 5, 3), (2, 2, 6, 1, 4), (1, 3, 7, 6, 5), (2, 1, 4, 2, 3))
    for n_batch, n_heads, n_pos, period, d_vocab in cases:
        named = n_batch > 2
        while True:
            tokens = known.texts(random, n_batch, n_pos, d_vocab, twice=named)
            if named:
                tokens = known.partly_right(random, tokens, period)
            pattern = known.attention(random, n_batch, n_heads, n_pos, n_pos, causal=False)
            right = known.excess(pattern, tokens, period)
            wrong = known.wrong_excesses(pattern, tokens, period) if named else {}
            if known.told_apart(right, wrong) and (not named or (right < -0.02).any()):
                break
        answer.expect_close(
            _without_nan(answer, answer(pattern, tokens, period), tokens),
            right,
            property=property,
            dims="head",
            misconceptions=wrong,
        )
    _hold_planted_impostors(answer, random)
    repeats = known.repeating(random, 13, ((4, 0), (4, 0)))
    for tokens, period, why in (
        (known.texts(random, 2, 5, 9, twice=False), 5, "all texts are no longer than the period"),
        (repeats, 4, "that key is right everywhere"),
        (known.texts(random, 2, 5, 9, twice=False), 8, "all texts are shorter than the period"),
    ):
        n_pos = tokens.shape[1]
        answer.expect_close(
            _without_nan(
                answer, answer(known.attention(random, 2, 3, n_pos, n_pos), tokens, period), tokens
            ),
            torch.zeros(3),
            property="it is 0 where there is no such query",
            dims="head",
            misconceptions={},
            otherwise=f"here {why}, so that nothing is left to average.",
        )


# ------------------------------------------------------------------------------ repeated sequences


def _sequences(
    answer: Answer,
    random: torch.Generator,
    sizes: tuple[int, int, int],
    periods: tuple[int, int],
    offsets: tuple[int, int],
    *,
    seed: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Call the answer, and hold that tokens of the vocabulary and a mask come back."""
    if seed is None:
        seed = int(inputs.integers(random, LARGEST_SEED))
    with torch.random.fork_rng(devices=[]):  # nothing may hang on the state it finds
        torch.manual_seed(int(inputs.integers(random, LARGEST_SEED)))
        got = answer(*sizes, periods=periods, offsets=offsets, seed=seed)
    names = ("tokens", "predictable")
    tokens, mask = answer.expect_tuple(got, names)
    n_sequences, n_pos, d_vocab = sizes
    if isinstance(mask, Tensor) and mask.shape == (n_sequences, n_pos - 1) and n_pos > 1:
        answer.fail(
            property="`predictable` says of each token whether it is determined",
            misconception="the first token has a place here, too: it is False.",
            expected=f"shape [sequence pos] = {[n_sequences, n_pos]}",
            got=f"shape {list(mask.shape)}",
        )
    tokens, mask = (
        answer.tensor(value, shape=(n_sequences, n_pos), dims="sequence pos", of=name)
        for name, value in zip(names, (tokens, mask), strict=True)
    )
    if tokens.is_floating_point() or tokens.dtype == torch.bool:
        answer.fail(
            property="tokens are whole numbers",
            misconception="embeddings are looked up by whole numbers: tokens.long() makes them.",
            got=f"dtype {tokens.dtype}",
        )
    tokens = tokens.long()
    answer.expect(
        ((tokens >= 0) & (tokens < d_vocab)).all(),
        property="tokens are of the vocabulary",
        expected=f"numbers from 0 to {d_vocab - 1}",
        got=f"numbers from {int(tokens.min())} to {int(tokens.max())}",
    )
    answer.expect(
        mask.dtype == torch.bool or ((mask == 0) | (mask == 1)).all(),
        property="`predictable` is True or False for each token",
        got=f"values from {float(mask.min()):.3g} to {float(mask.max()):.3g}",
    )
    return tokens, mask.bool()


def _hold_block(answer: Answer, rows: list[known.Row], period: int, offset: int) -> None:
    """Hold that sequences of a known period and offset are different tokens, then copies."""
    size = period + offset
    sizes = f"with period {period} and offset {offset}"
    for row in rows:
        start = row[:size]
        if len(set(start)) < len(start):
            answer.fail(
                property=DIFFERENT,
                misconception=_why_not_different(row, period, offset),
                expected=f"{len(start)} different tokens at the beginning, {sizes}",
                got=_listed(row),
            )
        if any(row[i] != row[i - period] for i in range(size, len(row))):
            answer.fail(
                property="after the offset the same block comes over and over, to the end",
                misconception=_why_no_copy(row, period, offset),
                expected=f"that each token from position {size} on is the one {period} before "
                f"it, {sizes}",
                got=_listed(row),
            )
    answer.expect(True, property=DIFFERENT)
    answer.expect(True, property="after the offset the same block comes over and over, to the end")


def _why_not_different(row: known.Row, period: int, offset: int) -> str:
    size = period + offset
    before, block = row[:offset], row[offset:size]
    if offset and all(row[i] == row[i - period] for i in range(period, len(row))):
        return (
            "the copies begin at the first token: the tokens of the offset belong to the block, "
            "or there is no offset."
        )
    if len(set(block)) < len(block) and len(block) == period:
        if all(row[i] == row[i - period] for i in range(size, len(row))):
            return "a token comes twice within the block: draw without replacement."
        return "the copies begin too early, or the block repeats a token."
    if set(before) & set(block):
        return "tokens of the offset come in the block as well: draw all of them together."
    return "a token comes twice within the offset: draw without replacement."


def _why_no_copy(row: known.Row, period: int, offset: int) -> str:
    size, repeat = period + offset, known.first_repeat(row)
    block, second = row[offset:size], row[size : size + period]
    if repeat is None:
        return "nothing repeats."
    if offset and all(row[i] == row[i - size] for i in range(size, len(row))):
        return "the offset's tokens come again before each copy; they come once."
    if len(second) == period and sorted(second) == sorted(block) and second != block:
        if second == block[::-1]:
            return "every other copy is the wrong way round."
        return "the copies hold the same tokens in another order; keep the order."
    if repeat.position == size and repeat.period == period:
        return "the copies stop before the end: the last one may be incomplete."
    return f"the first copy begins {repeat.period} tokens after what it copies."


def _hold_mask(answer: Answer, rows: list[known.Row], mask: Tensor, largest: int) -> None:
    """Hold which tokens are marked, as the tokens themselves tell."""
    repeats = [known.first_repeat(row) for row in rows]
    right = torch.tensor([known.predictable(row) for row in rows])
    wrong = {}
    if all(repeats) and right.any():
        wrong = {
            words: value
            for words, value in known.wrong_masks(rows, largest).items()
            if not torch.equal(value, right)  # without an offset some are no mistake
        }
    answer.expect_close(
        mask,
        right,
        property="`predictable` is True for each token after the first of the second copy, and "
        "for no other",
        dims="sequence pos",
        misconceptions=wrong,
        otherwise="" if right.any() else "nothing is predictable in sequences this short.",
    )


def _hold_ranges(
    answer: Answer,
    rows: list[known.Row],
    periods: tuple[int, int],
    offsets: tuple[int, int],
) -> list[known.Repeat]:
    """Hold that each sequence repeats with a period and an offset within bounds."""
    repeats = []
    for row in rows:
        repeat = known.first_repeat(row)
        if repeat is None:
            answer.expect(
                len(row) <= periods[1] + offsets[1],
                property="every sequence repeats",
                misconception="a period or an offset is larger than the largest.",
                expected=f"a copy at position {periods[1] + offsets[1]} at the latest",
                got=_listed(row),
            )
            continue
        answer.expect(
            all(row[i] == row[i - repeat.period] for i in range(repeat.position, len(row))),
            property="each sequence keeps one period to its end",
            expected=f"that each token from position {repeat.position} on is the one "
            f"{repeat.period} before it",
            got=_listed(row),
        )
        for name, value, (least, most) in (
            ("period", repeat.period, periods),
            ("offset", repeat.offset, offsets),
        ):
            answer.expect(
                least <= value <= most,
                property=f"every {name} is from the smallest to the largest",
                misconception="one too many: torch.randint leaves its upper end out, "
                "random.randint does not." * (value == most + 1),
                expected=f"{least} to {most}",
                got=f"{name} {value}: {_listed(row)}",
            )
        repeats.append(repeat)
    return repeats


def _hold_seeds(answer: Answer, random: torch.Generator) -> None:
    """Hold that the seed decides everything."""
    seed, other = inputs.integers(random, LARGEST_SEED, 2).tolist()
    other += seed == other
    sizes = (16, 14, 40)

    def draw(seed: int, sizes: tuple[int, int, int] = sizes) -> tuple[Tensor, list[known.Repeat]]:
        tokens, _ = _sequences(answer, random, sizes, SOME_PERIODS, SOME_OFFSETS, seed=seed)
        rows = tokens.tolist()
        return tokens, _hold_ranges(answer, rows, SOME_PERIODS, SOME_OFFSETS)

    first, again, different = (draw(one) for one in (seed, seed, other))
    answer.expect(
        torch.equal(first[0], again[0]),
        property="the same seed gives the same sequences",
        misconception="something is drawn without the seed.",
        got=f"{_listed(first[0][0].tolist())} at first and then {_listed(again[0][0].tolist())}",
    )
    for name, is_same in (
        ("tokens", torch.equal(first[0][:, 0], different[0][:, 0])),
        ("periods", [r.period for r in first[1]] == [r.period for r in different[1]]),
        ("offsets", [r.offset for r in first[1]] == [r.offset for r in different[1]]),
    ):
        # By chance once in four to the sixteenth, or less often.
        answer.expect(
            not is_same or (name != "tokens" and _all_alike(first[1], name)),
            property="another seed gives other tokens, periods and offsets",
            misconception=f"the {name} are drawn without the seed.",
            got=f"the same {name} for both seeds",
        )
    seeds = inputs.integers(random, LARGEST_SEED, N_SINGLE).tolist()
    singles = [draw(one, (1, 14, 40)) for one in seeds]
    for name, values in (
        ("token", {int(tokens[0, 0]) for tokens, _ in singles}),
        ("period", {repeats[0].period for _, repeats in singles}),
        ("offset", {repeats[0].offset for _, repeats in singles}),
    ):
        answer.expect(
            len(values) > 1,
            property="another seed gives other tokens, periods and offsets",
            misconception=f"a single sequence always has the same {name}, whatever the seed.",
            got=f"{name} {min(values)} for each of {N_SINGLE} seeds",
        )


def _all_alike(repeats: list[known.Repeat], name: str) -> bool:
    """Whether one value stands everywhere, which is told where frequencies are held."""
    return len({getattr(repeat, name.removesuffix("s")) for repeat in repeats}) == 1


def _hold_frequencies(answer: Answer, random: torch.Generator) -> None:
    """Hold that everything is drawn evenly, and nothing hangs on anything else."""
    sizes = (MANY, 16, SOME_TOKENS)
    tokens, mask = _sequences(answer, random, sizes, SOME_PERIODS, SOME_OFFSETS)
    rows = tokens.tolist()
    repeats = _hold_ranges(answer, rows, SOME_PERIODS, SOME_OFFSETS)
    periods = [repeat.period - SOME_PERIODS[0] for repeat in repeats]
    offsets = [repeat.offset - SOME_OFFSETS[0] for repeat in repeats]
    for name, found, bounds in (
        ("period", periods, SOME_PERIODS),
        ("offset", offsets, SOME_OFFSETS),
    ):
        _hold_even(answer, name, found, bounds)
    _hold_mask(answer, rows[:40], mask[:40], SOME_PERIODS[1] + SOME_OFFSETS[1])
    n_periods, n_offsets = (high - low + 1 for low, high in (SOME_PERIODS, SOME_OFFSETS))
    first = [row[r.offset] for row, r in zip(rows, repeats, strict=True)]  # of the block
    pairs = (
        ("period and offset of a sequence", known.coded(periods, offsets, sizes=(5, 4))),
        ("periods of sequences that follow each other", _lagged(periods, n_periods)),
        ("offsets of sequences that follow each other", _lagged(offsets, n_offsets)),
    )
    for which, (codes, n_codes) in pairs:
        answer.expect(
            known.surprise(codes, n_codes) > TOO_RARE,
            property=EVEN,
            misconception=f"{which} hang together: draw each by itself.",
            got=_most_often(codes, n_codes),
        )
    _hold_even_tokens(answer, rows, repeats, first)
    for which, (codes, n_codes) in (
        ("period", known.coded(periods, first, sizes=(n_periods, SOME_TOKENS))),
        ("offset", known.coded(offsets, first, sizes=(n_offsets, SOME_TOKENS))),
    ):
        answer.expect(
            known.surprise(codes, n_codes) > TOO_RARE,
            property="tokens are drawn evenly from the vocabulary",
            misconception=f"tokens hang on the {which}: are both drawn with one seed anew?",
            got=_most_often(codes, n_codes),
        )


def _hold_even(answer: Answer, name: str, found: list[int], bounds: tuple[int, int]) -> None:
    """Hold that periods, or offsets, are drawn evenly.

    Args:
        found: counted from the smallest.
    """
    least, most = bounds
    counts = [found.count(value) for value in range(most - least + 1)]
    said = ", ".join(f"{least + i}: {n}" for i, n in enumerate(counts))
    if max(counts) == len(found):
        why = f"all sequences share one {name}; draw it for each by itself."
    elif not counts[-1]:
        why = f"the largest {name} never comes: torch.randint leaves its upper end out."
    elif not counts[0]:
        why = f"the smallest {name} never comes; it is included."
    else:
        why = f"some {name}s come more often than others."
    answer.expect(
        known.surprise(found, len(counts)) > TOO_RARE,
        property=EVEN,
        misconception=why,
        expected=f"each {name} about {len(found) / len(counts):.0f} times of {len(found)}",
        got=f"how often each {name} came: {said}",
    )


def _hold_even_tokens(
    answer: Answer, rows: list[known.Row], repeats: list[known.Repeat], first: list[int]
) -> None:
    """Hold that tokens are drawn evenly, in any order, for each sequence by itself."""
    property = "tokens are drawn evenly from the vocabulary"
    start = [row[0] for row in rows]
    for which, values in (("offset", start), ("block", first)):
        counts = torch.bincount(torch.tensor(values), minlength=SOME_TOKENS)
        if int(counts.max()) == len(values):
            why = "all sequences hold the same tokens; draw them for each by itself."
        elif _rising(start, [row[1] for row in rows]) in (0, 1):
            why = "tokens are sorted."
        elif not counts.min():
            why = "not the whole vocabulary is drawn from."
        else:
            why = f"some tokens begin the {which} more often than others."
        answer.expect(
            known.surprise(values, SOME_TOKENS) > TOO_RARE,
            property=property,
            misconception=why,
            expected=f"each token first in the {which} about {len(values) / SOME_TOKENS:.0f} times "
            f"in {len(values)} sequences",
            got=f"from {int(counts.min())} to {int(counts.max())} times",
        )
    second, last, before = (
        [row[at(r)] for row, r in zip(rows, repeats, strict=True)]
        for at in (
            lambda r: r.offset + 1,
            lambda r: r.position - 1,
            lambda r: r.offset - 1,
        )
    )
    for which, one, other in (
        ("the first two tokens", start, [row[1] for row in rows]),
        ("the block's first two tokens", first, second),
        ("the block's first and last token", first, last),
        ("the last token of the offset and the first of the block", before, first),
    ):
        rising = _rising(one, other)
        why = "tokens are sorted." if rising in (0, 1) else f"{which} hang together."
        answer.expect(
            known.surprise(*known.coded_pairs(one, other, SOME_TOKENS)) > TOO_RARE,
            property=property,
            misconception=why,
            got=f"{which} rise in {rising:.0%} of all sequences",
        )
    answer.expect(
        known.surprise(*_lagged(first, SOME_TOKENS)) > TOO_RARE,
        property=property,
        misconception="tokens of sequences that follow each other hang together.",
        got=_most_often(*_lagged(first, SOME_TOKENS)),
    )


def _rising(one: Sequence[int], other: Sequence[int]) -> float:
    return sum(a < b for a, b in zip(one, other, strict=True)) / len(one)


def _lagged(values: Sequence[int], size: int) -> tuple[list[int], int]:
    """Each second value with the one after it; no value is in two pairs."""
    n = len(values) // 2 * 2
    return known.coded(values[:n:2], values[1:n:2], sizes=(size, size))


def _most_often(codes: list[int], n_codes: int) -> str:
    counts = torch.bincount(torch.tensor(codes), minlength=n_codes)
    return (
        f"pairs of values that come from {int(counts.min())} to {int(counts.max())} times, where "
        f"each should come about {len(codes) / n_codes:.0f} times"
    )


def _listed(row: known.Row) -> str:
    return f"[{', '.join(map(str, row[:24]))}{', …' * (len(row) > 24)}]"


# ------------------------------------------------------------------------------------------ losses


def _hold_each_loss(answer: Answer, got: Any, n_batch: int, n_pos: int) -> None:
    """Tell a shape that means something."""
    shape = tuple(got.shape) if isinstance(got, Tensor) else None
    said = {
        (): "this is one mean; nothing is averaged.",
        (n_batch,): "this is one mean for each text; nothing is averaged.",
        (n_pos - 1,): "this is one mean for each position; nothing is averaged.",
        (n_batch * (n_pos - 1),): "texts and positions were made one axis; keep them apart.",
        (n_batch, n_pos): "no token follows the last position, so that its logits are left out; "
        "and nothing predicts the first token.",
    }
    if n_pos > 2 and n_batch > 1 and shape in said:
        answer.fail(
            property="there is a loss for each token but the first, in each text",
            misconception=said[shape],
            expected=f"shape [batch predicted] = {[n_batch, n_pos - 1]}",
            got=f"shape {list(shape)}",
        )


def _losses(random: torch.Generator, n_batch: int, n_predicted: int) -> Tensor:
    return 0.3 + 4 * torch.rand(n_batch, n_predicted, generator=random)


def _edge_of_columns(losses: Tensor, early: int, late: int, got: Any) -> str:
    """What is told by an index below 0, which counts from the end."""
    whole = isinstance(got, Tensor | float) and torch.as_tensor(got).numel() == 1
    if early != 1 or not whole or torch.as_tensor(got).is_complex():
        return ""
    wrapped = float((losses[:, late - 2] - losses[:, early - 2]).mean())
    if abs(float(got) - wrapped) < 1e-4:
        return "the columns are one early: the token at position i has its loss in column i - 1."
    return ""


# ----------------------------------------------------------------------------------------- patterns


def _told_apart_texts(
    random: torch.Generator,
    n_batch: int,
    n_heads: int,
    n_pos: int,
    d_vocab: int,
    *,
    causal: bool,
) -> tuple[Tensor, Tensor]:
    """Tokens and patterns for which each named mistake gives other scores than the right ones."""
    while True:
        tokens = known.texts(random, n_batch, n_pos, d_vocab, twice=n_batch > 2)
        if n_batch > 2:
            tokens[1] = torch.arange(n_pos)  # nothing repeats in this one
            tokens[0] = tokens[0].where(tokens[0] > 0, n_pos - 1)
        pattern = known.attention(random, n_batch, n_heads, n_pos, n_pos, causal=causal)
        if n_batch < 3:
            return tokens, pattern
        wrong = _exposed(known.wrong_scores(pattern, tokens), causal=causal)
        if known.told_apart(known.scores(pattern, tokens), wrong):
            return tokens, pattern


def _exposed(wrong: dict[str, Tensor], *, causal: bool) -> dict[str, Tensor]:
    """Mistakes that show: where no query looks ahead, keys after it make no difference."""
    ahead = ("the key right after the query", "keys after later", "keys after other")
    return {
        words: value for words, value in wrong.items() if not (causal and words.startswith(ahead))
    }


def _without_nan(answer: Answer, got: Any, tokens: Tensor) -> Any:
    """What came back; a mean of nothing is told."""
    if isinstance(got, Tensor) and got.is_floating_point() and got.isnan().any():
        answer.fail(
            property="every score is a number, 0 where no query counts",
            misconception="a mean over no queries is 0 / 0; here it is 0. Divide by at least 1, or "
            "take one mean over all texts.",
            expected="no NaN",
            got=f"{int(got.isnan().sum())} of {got.numel()} scores that are NaN",
        )
    return got


def _hold_planted_scores(answer: Answer, random: torch.Generator) -> None:
    """Hold the scores of heads built to look somewhere, in texts of all kinds of periods."""
    tokens = known.repeating(random, 17, ((5, 2), (7, 0), (4, 5), (6, 3)))
    rules = {
        "looks at what followed all earlier copies": known.followers,
        "looks at what followed the first copy": lambda row, i: known.followers(row, i)[:1],
        "looks at the copy itself": lambda row, i: [j for j in range(i) if row[j] == row[i]][-1:],
        "looks at the token before": lambda row, i: [i - 1] if i else [0],
        "looks at itself": lambda row, i: [i],
    }
    order = torch.randperm(len(rules), generator=random).tolist()
    heads = [(list(rules.items())[i], [1.0, 1.0, 0.0, 0.0, 0.0][i]) for i in order]
    pattern = torch.stack([known.looking(tokens, rule) for (_, rule), _ in heads], dim=1)
    right = torch.tensor([score for _, score in heads])
    got = answer.tensor(answer(pattern, tokens), shape=(len(heads),), dims="head").double()
    worst = int((got - right).abs().argmax())
    answer.expect_close(
        got,
        right,
        property="induction heads score 1, and heads that look at the copy itself, at the token "
        "before or at themselves score 0",
        dims="head",
        otherwise=f"this head {heads[worst][0][0]}.",
    )


def _hold_planted_impostors(answer: Answer, random: torch.Generator) -> None:
    """Hold that a head that reads the text is near 0, and one that counts positions is large."""
    tokens = known.repeating(random, 29, ((6, 2), (9, 0), (5, 4), (7, 0), (8, 3)))
    for period in (7, 8):
        wrong = [
            1 / (i + 1)
            for row in tokens.tolist()
            for i in range(period, len(row))
            if row[i] != row[i - period]
        ]
        chance = sum(wrong) / len(wrong)
        heads = [
            ("reads the text", known.followers, -chance),
            ("counts positions", lambda row, i, back=period - 1: [max(i - back, 0)], 1 - chance),
            (
                "counts positions, but half as strongly",
                lambda row, i, back=period - 1: [max(i - back, 0), i] if i else [0],
                0.5 - chance,
            ),
            ("spreads its attention evenly", lambda row, i: list(range(i + 1)), 0.0),
            (
                "looks at the copy by position, one early",
                lambda row, i, back=period: [max(i - back, 0)],
                -chance,
            ),
        ]
        heads = [heads[i] for i in torch.randperm(len(heads), generator=random).tolist()]
        pattern = torch.stack([known.looking(tokens, rule) for _, rule, _ in heads], dim=1)
        right = torch.tensor([score for *_, score in heads])
        got = answer(pattern, tokens, period)
        value = answer.tensor(got, shape=(len(heads),), dims="head").double()
        worst = int((value - right).abs().nan_to_num(torch.inf).argmax())
        answer.expect_close(
            value,
            right,
            property="a head that reads the text is just below 0, one that counts positions near "
            "1, and one that spreads its attention evenly at 0",
            dims="head",
            otherwise=f"this head {heads[worst][0]}.",
        )


# -------------------------------------------------------------------------------------- the window


def _hold_window(
    answer: Answer,
    steps: Tensor,
    values: Tensor,
    lower: float,
    upper: float,
    *,
    named: bool = False,
    property: str = "`end` is the first step at which the curve has come `upper` of its way, and "
    "`start` the last before that at which it has come at most `lower`",
) -> None:
    """Hold start and end, both at once."""
    got = answer.expect_tuple(answer(steps, values, lower=lower, upper=upper), ("start", "end"))
    numbers = [
        answer.tensor(value, shape=(), of=name).double()
        for name, value in zip(("start", "end"), got, strict=True)
    ]
    listed = steps.tolist(), values.tolist()
    right = torch.tensor(known.window(*listed, lower, upper), dtype=torch.float64)
    wrong = known.wrong_windows(*listed, lower, upper) if named else {}
    words = "start end"
    answer.expect_close(
        torch.stack(numbers),
        right,
        property=property,
        dims="start/end",
        misconceptions={text: torch.tensor(value) for text, value in wrong.items()},
        otherwise=_which_is_wrong(torch.stack(numbers), right, words.split()),
        atol=1e-4,
        rtol=1e-6,
    )


def _which_is_wrong(value: Tensor, right: Tensor, names: list[str]) -> str:
    close = torch.isclose(value, right, atol=1e-4)
    if close.all():
        return ""
    wrong = [name for name, is_close in zip(names, close.tolist(), strict=True) if not is_close]
    came = ", ".join(f"{number:.4g}" for number in value.tolist())
    wanted = ", ".join(f"{number:.4g}" for number in right.tolist())
    return f"{' and '.join(wrong)} differ{'s' * (len(wrong) == 1)}: ({came}) for ({wanted})."
