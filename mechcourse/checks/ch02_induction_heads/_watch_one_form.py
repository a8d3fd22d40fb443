"""Definitions and named mistakes behind the checks of `ch02_induction_heads/1_watch_one_form`."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from mechcourse.checks import _inputs as inputs

Row = list[int]
Keys = Callable[[Row, int], list[int]]  # which keys count for the query at i


def told_apart(right: Tensor, wrong: Mapping[str, Tensor], rtol: float = 0.005) -> bool:
    """Whether none of these wrong values is the right one by accident."""
    return not any(
        torch.as_tensor(value).shape == right.shape
        and torch.allclose(torch.as_tensor(value).double(), right.double(), rtol=rtol, atol=0.005)
        for value in wrong.values()
    )


# ------------------------------------------------------------------------------ repeated sequences


@dataclass(frozen=True)
class Repeat:
    """Where a sequence first repeats itself, and how far back that copy lies."""

    position: int
    period: int

    @property
    def offset(self) -> int:
        return self.position - self.period


def first_repeat(row: Row) -> Repeat | None:
    """Read period and offset off the tokens; None where all of them are different."""
    seen: dict[int, int] = {}
    for position, token in enumerate(row):
        if token in seen:
            return Repeat(position, position - seen[token])
        seen[token] = position
    return None


def predictable(row: Row) -> list[bool]:
    """Which tokens those before them determine: all after the first that came before."""
    repeat = first_repeat(row)
    return [repeat is not None and i > repeat.position for i in range(len(row))]


def wrong_masks(rows: list[Row], largest: int) -> dict[str, Tensor]:
    """Masks with one mistake each, for sequences that all repeat.

    Args:
        largest: the longest period and offset together.
    """
    repeats = [repeat for repeat in map(first_repeat, rows) if repeat]
    n_pos = range(len(rows[0]))

    def mask(of: Callable[[Repeat, int], bool]) -> Tensor:
        return torch.tensor([[of(repeat, i) for i in n_pos] for repeat in repeats])

    return {
        "the first token of the second copy is marked as well: until it comes, nothing says that "
        "the block is over.": mask(lambda r, i: i >= r.position),
        "the marks begin one position late: the second token of the second copy is the first "
        "that can be known.": mask(lambda r, i: i > r.position + 1),
        "only the second copy is marked; all later ones can be predicted, too.": mask(
            lambda r, i: r.position < i < r.position + r.period
        ),
        "only the second copy is marked, with its first token; all later ones can be predicted, "
        "too.": mask(lambda r, i: r.position <= i < r.position + r.period),
        "the first token of every copy is left out; only the second copy's is a surprise.": mask(
            lambda r, i: i > r.position and (i - r.position) % r.period != 0
        ),
        "the first block is marked as well; it is new.": mask(lambda r, i: i > r.offset),
        "the first block is marked as well, from its first token; it is new.": mask(
            lambda r, i: i >= r.offset
        ),
        "the offset was forgotten: the second copy begins at offset + period.": mask(
            lambda r, i: i > r.period
        ),
        "the offset was forgotten, and the first token of the second copy is marked as well.": mask(
            lambda r, i: i >= r.period
        ),
        "the offset was counted twice: the second copy begins at offset + period.": mask(
            lambda r, i: i > r.position + r.offset
        ),
        "True and False are in each other's place.": mask(lambda r, i: i <= r.position),
        "every token is marked.": mask(lambda r, i: True),
        "no token is marked.": mask(lambda r, i: False),
        "all sequences share one mask, that of the longest period and offset; each has its "
        "own.": mask(lambda r, i: i > largest),
        "all sequences share the first one's mask; each has its own.": mask(
            lambda r, i: i > repeats[0].position
        ),
    }


def surprise(values: Sequence[int], n_values: int) -> float:
    """How probable counts as uneven as these are, or more so, where all values are as likely.

    Args:
        values: from 0 to n_values, without it.
    """
    counts = torch.bincount(torch.tensor(values), minlength=n_values).double()
    even = len(values) / n_values
    chi_squared = ((counts - even) ** 2 / even).sum()
    half_freedom = torch.tensor((n_values - 1) / 2, dtype=torch.float64)
    return float(torch.special.gammaincc(half_freedom, chi_squared / 2))


def coded(*columns: Sequence[int], sizes: Sequence[int]) -> tuple[list[int], int]:
    """Several values of each sequence as one number, and how many such numbers there are."""
    codes = [0] * len(columns[0])
    for column, size in zip(columns, sizes, strict=True):
        codes = [code * size + value for code, value in zip(codes, column, strict=True)]
    return codes, math.prod(sizes)


def coded_pairs(first: Sequence[int], second: Sequence[int], size: int) -> tuple[list[int], int]:
    """Two different values of each sequence as one number: ordered pairs of different values."""
    codes = [a * (size - 1) + b - (b > a) for a, b in zip(first, second, strict=True)]
    return codes, size * (size - 1)


# ------------------------------------------------------------------------------------------ losses


def losses(logits: Tensor, tokens: Tensor) -> Tensor:
    """Loss of each token but the first, number by number, [batch predicted]."""
    return torch.tensor(
        [
            [_loss(scores, token) for scores, token in zip(rows, text[1:], strict=False)]
            for rows, text in zip(logits.double().tolist(), tokens.tolist(), strict=True)
        ],
        dtype=torch.float64,
    )


def _loss(scores: list[float], token: int) -> float:
    largest = max(scores)
    return largest + math.log(sum(math.exp(s - largest) for s in scores)) - scores[token]


def wrong_losses(logits: Tensor, tokens: Tensor) -> dict[str, Tensor]:
    """Losses with one mistake each, for several texts of several tokens."""
    right, scores = losses(logits, tokens), logits.double()
    n = tokens.shape[1] - 1

    def picked(values: Tensor, of: Tensor) -> Tensor:
        return values.gather(-1, of[..., None])[..., 0]

    log_probs = scores.log_softmax(-1)
    return {
        "the logits at a position were held against the token at that position, not the next "
        "one.": -picked(log_probs, tokens)[:, :n],
        "the logits at a position were held against the token at that position, not the next "
        "one; the first position was left out.": -picked(log_probs, tokens)[:, 1:],
        "the logits at a position were held against the token before it.": -picked(
            log_probs[:, 1:], tokens[:, :n]
        ),
        "this is in bits: the natural logarithm gives nats.": right / math.log(2),
        "this is in powers of ten: the natural logarithm gives nats.": right / math.log(10),
        "these are log-probabilities: a loss is minus that.": -right,
        "these are probabilities: the loss is minus their logarithm.": (-right).exp(),
        "these are probabilities of all other tokens.": 1 - (-right).exp(),
        "these are logits with a minus: no softmax was taken.": -picked(
            scores[:, :n], tokens[:, 1:]
        ),
        "the softmax was taken over positions, not over the vocabulary.": -picked(
            scores.log_softmax(1)[:, :n], tokens[:, 1:]
        ),
        "the softmax was taken over positions (the last one left out), not over the "
        "vocabulary.": -picked(scores[:, :n].log_softmax(1), tokens[:, 1:]),
        "the softmax was taken over texts, not over the vocabulary.": -picked(
            scores.log_softmax(0)[:, :n], tokens[:, 1:]
        ),
        "the softmax was taken twice: cross-entropy wants logits, not probabilities.": -picked(
            scores.softmax(-1)[:, :n].log_softmax(-1), tokens[:, 1:]
        ),
        "the mean over the vocabulary was subtracted in place of the log of the sum of "
        "exponentials.": scores[:, :n].mean(-1) - picked(scores[:, :n], tokens[:, 1:]),
        "this is the entropy of the prediction; the loss of the token that came is asked for.": (
            -(log_probs.exp() * log_probs).sum(-1)[:, :n]
        ),
        "each text's mean stands at every position.": right.mean(1, keepdim=True).expand_as(right),
        "each loss was divided by the number of tokens.": right / n,
        "the columns are in reverse order.": right.flip(1),
    }


def late_minus_early(losses: Tensor, early: int, late: int) -> float:
    """The mean difference, text by text."""
    rows = losses.double().tolist()
    return sum(row[late - 1] - row[early - 1] for row in rows) / len(rows)


def wrong_late_minus_early(losses: Tensor, early: int, late: int) -> dict[str, Tensor]:
    """The in-context learning score with one mistake, for several texts and late < n_pos - 1."""
    right, rows = late_minus_early(losses, early, late), losses.double()
    mean = rows.mean(dim=0)

    def between(i: int, j: int) -> float:
        return float(mean[j] - mean[i])

    by_text = rows[:, late - 1] - rows[:, early - 1]
    wrong = {
        "the sign is the wrong way round: late minus early, so that learning is negative.": -right,
        "positions were used as columns: the token at position i has its loss in column i - 1.": (
            between(early, late)
        ),
        "the columns are one early: the token at position i has its loss in column i - 1.": (
            between(early - 2, late - 2)
        ),
        "`late` was used as a column, and only `early` made one less.": between(early - 1, late),
        "`early` was used as a column, and only `late` made one less.": between(early, late - 1),
        "this is the loss at `late` alone.": float(mean[late - 1]),
        "this is the loss at `early` alone.": float(mean[early - 1]),
        "the two losses were added.": float(mean[late - 1] + mean[early - 1]),
        "this is a ratio; a difference is asked for.": float(mean[late - 1] / mean[early - 1]),
        "this is a mean ratio; a difference is asked for.": float(
            (rows[:, late - 1] / rows[:, early - 1]).mean()
        ),
        "the difference was divided by the early loss.": right / float(mean[early - 1]),
        "this is the difference of two logarithms.": float(
            mean[late - 1].log() - mean[early - 1].log()
        ),
        "the mean was taken over all positions up to each of the two; take the loss at each.": (
            float(mean[:late].mean() - mean[:early].mean())
        ),
        "the mean was taken over all positions before each of the two; take the loss at each.": (
            float(mean[: late - 1].mean() - mean[: early - 1].mean())
        ),
        "the mean was taken over all positions from each of the two on; take the loss at each.": (
            float(mean[late - 1 :].mean() - mean[early - 1 :].mean())
        ),
        "the mean from `late` on was held against the mean up to `early`; take the loss at "
        "each.": float(mean[late - 1 :].mean() - mean[:early].mean()),
        "the difference was divided by the number of tokens between the two.": right
        / (late - early),
        "the texts were added up; take their mean.": right * len(rows),
        "this is the first text alone; take the mean over all texts.": float(by_text[0]),
        "this is the median over texts; take their mean.": float(by_text.median()),
        "the first and the last column were used; `early` and `late` say which.": between(0, -1),
    }
    return {words: torch.tensor(value, dtype=torch.float64) for words, value in wrong.items()}


# --------------------------------------------------------------------------------- induction score


def followers(row: Row, i: int) -> list[int]:
    """Keys right after an earlier copy of the token at i."""
    return [j for j in range(1, i + 1) if row[j - 1] == row[i]]


def came_before(row: Row, i: int) -> bool:
    return row[i] in row[:i]


def attention_on(
    pattern: Tensor,
    tokens: Tensor,
    keys: Keys = followers,
    counts: Callable[[Row, int], bool] = came_before,
) -> list[list[list[float]]]:
    """Attention summed over the keys for each query that counts, by head, text and query."""
    n_heads, n_pos = pattern.shape[1:3]
    values, rows = pattern.double().tolist(), tokens.tolist()
    return [
        [
            [sum(values[b][h][i][j] for j in keys(row, i)) for i in range(n_pos) if counts(row, i)]
            for b, row in enumerate(rows)
        ]
        for h in range(n_heads)
    ]


def averaged(by_head: list[list[list[float]]]) -> Tensor:
    """The mean over all queries of all texts, 0 where there is none."""
    flat = [[value for text in texts for value in text] for texts in by_head]
    means = [sum(values) / len(values) if values else 0.0 for values in flat]
    return torch.tensor(means, dtype=torch.float64)


def scores(pattern: Tensor, tokens: Tensor) -> Tensor:
    """Every head's induction score."""
    return averaged(attention_on(pattern, tokens))


def _copies(row: Row, i: int) -> list[int]:
    return [j for j in range(i) if row[j] == row[i]]


def wrong_scores(pattern: Tensor, tokens: Tensor) -> dict[str, Tensor]:
    """Induction scores with one mistake each, for several texts, heads and copies."""
    n_heads, n_pos = pattern.shape[1:3]
    right, by_head = scores(pattern, tokens), attention_on(pattern, tokens)
    n_counted = len([value for text in by_head[0] for value in text])

    def score(
        keys: Keys, counts: Callable[[Row, int], bool] = came_before, of: Tensor = pattern
    ) -> Tensor:
        return averaged(attention_on(of, tokens, keys, counts))

    def per_text(of_text: Callable[[list[float]], float]) -> Tensor:
        return torch.tensor(
            [sum(map(of_text, texts)) / len(texts) for texts in by_head], dtype=torch.float64
        )

    def extreme(of: Callable[[list[float]], float]) -> Tensor:
        means = []
        for h in range(n_heads):
            found = [
                of([float(pattern[b, h, i, j]) for j in followers(row, i)])
                for b, row in enumerate(tokens.tolist())
                for i in range(n_pos)
                if came_before(row, i)
            ]
            means.append(sum(found) / len(found))
        return torch.tensor(means, dtype=torch.float64)

    n_keys = sum(len(followers(row, i)) for row in tokens.tolist() for i in range(n_pos))
    return {
        "attention on the earlier copy itself was counted, one key early: count the key right "
        "after it.": score(_copies),
        "the key two after the earlier copy was counted: count the one right after it.": score(
            lambda row, i: [j + 2 for j in _copies(row, i) if j + 2 <= i]
        ),
        "the key before the earlier copy was counted: count the one right after it.": score(
            lambda row, i: [j - 1 for j in _copies(row, i) if j]
        ),
        "only the latest earlier copy was followed; count all of them.": score(
            lambda row, i: followers(row, i)[-1:]
        ),
        "only the first copy was followed; count all of them.": score(
            lambda row, i: followers(row, i)[:1]
        ),
        "all queries were counted; leave out those whose token had not come before.": score(
            followers, lambda row, i: True
        ),
        "all queries but the first were counted; leave out those whose token had not come "
        "before.": score(followers, lambda row, i: i > 0),
        "only the second half of each text was counted.": score(
            followers, lambda row, i: came_before(row, i) and i >= n_pos // 2
        ),
        "each text's mean was taken, and then the mean of those; take one mean over all queries "
        "of all texts.": per_text(lambda text: sum(text) / len(text) if text else 0.0),
        "queries were added up; take their mean.": right * n_counted,
        "only texts were averaged over; the queries were added up.": per_text(sum),
        "the total was divided by the number of keys that count, not of queries.": right
        * n_counted
        / n_keys,
        "each query's attention was averaged over its keys; add it up.": extreme(
            lambda found: sum(found) / len(found)
        ),
        "each query's largest attention was taken; add all of it up.": extreme(max),
        "the key right after the query counts as following a copy: the query's token is no "
        "earlier copy of itself.": score(
            lambda row, i: [j for j in range(1, min(i + 2, n_pos)) if row[j - 1] == row[i]]
        ),
        "keys after later copies were counted: only what came before the query is a copy.": score(
            lambda row, i: [j for j in range(1, n_pos) if row[j - 1] == row[i]]
        ),
        "keys after other copies, later ones too, were counted: only what came before the query "
        "is a copy.": score(
            lambda row, i: [j for j in range(1, n_pos) if row[j - 1] == row[i] and j - 1 != i]
        ),
        "later copies count as well: only what came before the query is a copy.": score(
            lambda row, i: [j for j in range(1, n_pos) if row[j - 1] == row[i] and j - 1 != i],
            lambda row, i: row.count(row[i]) > 1,
        ),
        "the query's own position is left out of the keys: where a token stands twice in a row, "
        "the second copy follows the first and counts.": score(
            lambda row, i: [j for j in followers(row, i) if j < i]
        ),
        "queries whose token stands right before them were left out; they count.": score(
            followers, lambda row, i: row[i] in row[: max(i - 1, 0)]
        ),
        "keys that hold the token which comes next were counted, whatever stands before "
        "them.": score(
            lambda row, i: [j for j in range(i + 1) if i + 1 < n_pos and row[j] == row[i + 1]]
        ),
        "one distance was assumed, half of the text: copies may stand anywhere.": score(
            lambda row, i: [i - n_pos // 2 + 1] if i >= n_pos // 2 else []
        ),
        "one distance was assumed, that of the first text's first repeat: copies may stand "
        "anywhere.": score(lambda row, i: _at_distance(tokens[0].tolist(), i)),
        "queries and keys are in each other's place: rows are the queries.": score(
            followers, of=pattern.mT
        ),
        "all texts were given the first one's tokens.": averaged(
            attention_on(pattern, tokens[:1].expand_as(tokens))
        ),
        "the heads' mean was given to each.": right.mean().expand_as(right),
    }


def _at_distance(first: Row, i: int) -> list[int]:
    repeat = first_repeat(first)
    back = repeat.period - 1 if repeat else 0
    return [i - back] if i > back else []


# ------------------------------------------------------------------------------------ phase change

Window = tuple[float, float]


def window(steps: list[float], values: list[float], lower: float, upper: float) -> Window:
    """Start and end of the change, point by point."""
    come = [(value - values[0]) / (values[-1] - values[0]) for value in values]
    end = 0
    while come[end] < upper:
        end += 1
    start = end - 1
    while come[start] > lower:
        start -= 1
    return steps[start], steps[end]


def wrong_windows(
    steps: list[float], values: list[float], lower: float, upper: float
) -> dict[str, Window]:
    """Windows with one mistake each."""
    start, end = window(steps, values, lower, upper)
    at_start, at_end = steps.index(start), steps.index(end)
    way = values[-1] - values[0]
    come = [(value - values[0]) / way for value in values]
    points = range(len(steps))
    reached = max(come)  # beyond 1 where it overshoots
    lowest, highest = min(values), max(values)
    furthest = [(value - lowest) / (highest - lowest) for value in values]
    if way < 0:
        furthest = [1 - share for share in furthest]

    def between(shares: list[float], lower: float, upper: float) -> Window:
        last = next(i for i in points if shares[i] >= upper)
        before = [i for i in range(last) if shares[i] <= lower]
        return (steps[before[-1]] if before else steps[0]), steps[last]

    def crossing(level: float, i: int) -> float:
        share = (level - come[i - 1]) / (come[i] - come[i - 1])
        return steps[i - 1] + share * (steps[i] - steps[i - 1])

    first_above = next(i for i in points if come[i] > lower)
    last_low = max(i for i in points if come[i] <= lower)
    stays = max(i for i in points if come[i] < upper) + 1
    steepest = max(points[1:], key=lambda i: abs(come[i] - come[i - 1]) / (steps[i] - steps[i - 1]))
    fixed = {
        words: between(come, low, high)
        for words, low, high in (
            ("`lower` is not used as it is given: 0.1 was assumed.", 0.1, upper),
            ("`upper` is not used as it is given: 0.9 was assumed.", lower, 0.9),
            ("neither `lower` nor `upper` is used as given: 0.1 and 0.9 were assumed.", 0.1, 0.9),
            ("`upper` is not used: 1 less `lower` was.", lower, 1 - lower),
        )
    }
    return fixed | {
        "a way back counts as a way forth: keep the sign.": between(
            list(map(abs, come)), lower, upper
        ),
        "start is the first step that is beyond `lower`; the last one before `end` that is not "
        "is asked for.": (steps[first_above], end),
        "start is the last step before the curve first passes `lower`; it may come back, and the "
        "last time counts.": (steps[first_above - 1], end),
        "start is one step late: the last step that is at most `lower` is asked for.": (
            steps[at_start + 1],
            end,
        ),
        "the curve falls back after `end`, and that was taken for the start: only what is before "
        "`end` counts.": (steps[last_low], end),
        "end is where the curve passes `upper` for good; the first time is asked for.": (
            start,
            steps[stays],
        ),
        "end is where the curve passes `upper` for good, and start the last low step of all; the "
        "first time that it passes `upper` is asked for.": (steps[last_low], steps[stays]),
        "end is one step early: the first that has reached `upper` is asked for.": (
            start,
            steps[at_end - 1],
        ),
        "start is the first step of all.": (steps[0], end),
        "end is the last step of all.": (start, steps[-1]),
        "the steps were interpolated; give steps that were recorded.": (
            crossing(lower, at_start + 1),
            crossing(upper, at_end),
        ),
        "shares were taken of the way to the furthest value, which the curve overshoots: it ends "
        "at the last value.": between([share / reached for share in come], lower, upper),
        "shares were taken of the way from the lowest value to the highest: the way leads from "
        "the first value to the last.": between(furthest, lower, upper),
        "`lower` and `upper` were taken as values of the curve; they are shares of the way.": (
            _by_values(steps, values, lower, upper)
        ),
        "shares were taken of the last value; they are of the way there from the first.": (
            _by_values(steps, [value / values[-1] for value in values], lower, upper)
        ),
        "these are places in the list; the steps are asked for.": (
            float(at_start),
            float(at_end),
        ),
        "the steps were rounded.": (float(int(start)), float(int(end))),
        "start and end are in each other's place.": (end, start),
        "this is the single steepest stretch; `lower` and `upper` say how much counts.": (
            steps[steepest - 1],
            steps[steepest],
        ),
        "this is how long it took; the start and the end are asked for.": (start, end - start),
    }


def _by_values(steps: list[float], values: list[float], lower: float, upper: float) -> Window:
    """The window where shares are not counted from the first value."""
    high = [i for i, value in enumerate(values) if value >= upper]
    end = high[0] if high else len(values) - 1
    low = [i for i in range(end) if values[i] <= lower]
    return steps[low[-1]] if low else steps[0], steps[end]


def curve(
    random: torch.Generator, lower: float, upper: float, first: float, last: float
) -> tuple[Tensor, Tensor]:
    """A curve that dawdles, goes back, overshoots and falls back, at unequal steps.

    Each mistake gives another window than the right one, and nearly all than each other.
    """
    low, middle, beyond = (-1.2, lower - 0.03), (lower + 0.03, upper - 0.03), (1.1, 1.5)
    just_low, just_high = (0.12, lower - 0.02), (upper + 0.02, upper + 0.06)
    stretches = (low, low, middle, low, middle, middle, low, just_low, middle, middle, just_high)
    # A step for each wrong share that might stand for `upper`, then over the top and back.
    stretches += ((1 - lower + 0.01, 0.88), (0.92, 0.98), beyond, middle, low, middle, beyond)
    stretches += ((0.95, 0.99),)
    while True:
        come = [0.0]
        for least, most in stretches:
            come.append(least + float(torch.rand((), generator=random)) * (most - least))
        come.append(1.0)
        gaps = inputs.integers(random, 60, len(come)).double() * 0.25 + 0.5
        steps, values = gaps.cumsum(0) + 3.25, first + (last - first) * torch.tensor(come).double()
        listed = steps.float().tolist(), values.float().tolist()
        right = torch.tensor(window(*listed, lower, upper))
        wrong = {w: torch.tensor(v) for w, v in wrong_windows(*listed, lower, upper).items()}
        apart = len({tuple(value.tolist()) for value in wrong.values()}) >= len(wrong) - 1
        if apart and told_apart(right, wrong, rtol=1e-4):
            return steps.float(), values.float()


# -------------------------------------------------------------------------------------- unmasking


def misled(row: Row, i: int, period: int) -> bool:
    """Whether the query has such a key, and it is not the right one."""
    return i >= period and row[i - period] != row[i]


def excess(
    pattern: Tensor,
    tokens: Tensor,
    period: int,
    *,
    back: int = -1,
    counts: Callable[[Row, int], bool] | None = None,
    chance: Callable[[int], float] = lambda i: 1 / (i + 1),
) -> Tensor:
    """Attention on the key at i - period - back above chance, query by query, by head."""
    counted = counts or (lambda row, i: misled(row, i, period))
    n_pos = tokens.shape[1]

    def keys(row: Row, i: int) -> list[int]:
        key = i - period - back
        return [key % n_pos] if key < n_pos else []  # Python counts from the end below 0

    even = [chance(i) for row in tokens.tolist() for i in range(n_pos) if counted(row, i)]
    if not even:
        return torch.zeros(pattern.shape[1], dtype=torch.float64)
    return averaged(attention_on(pattern, tokens, keys, counted)) - sum(even) / len(even)


def wrong_excesses(pattern: Tensor, tokens: Tensor, period: int) -> dict[str, Tensor]:
    """The impostor's measure with one mistake each, for several texts and a period above 2."""
    n_batch, n_pos = tokens.shape
    right, raw = excess(pattern, tokens, period), excess(pattern, tokens, period, chance=_nothing)
    rows = tokens.tolist()
    wrong = [sum(misled(row, i, period) for i in range(n_pos)) for row in rows]
    all_queries = n_batch * (n_pos - period)
    texts = [excess(pattern[b : b + 1], tokens[b : b + 1], period) for b in range(n_batch)]
    everywhere = [1 / (i + 1) for i in range(n_pos)]

    def other(period: int) -> Tensor:
        return excess(pattern, tokens, period)

    def where(counts: Callable[[Row, int], bool], back: int = -1) -> Tensor:
        return excess(pattern, tokens, period, counts=counts, back=back)

    return {
        "the key at i - period was used, one early: the period's own copy stands there, and what "
        "followed it is at i - period + 1.": excess(pattern, tokens, period, back=0),
        "the key at i - period - 1 was used: it is at i - period + 1.": excess(
            pattern, tokens, period, back=1
        ),
        "the key at i - period - 1 was used, from i = period + 1 on: it is at i - period + 1, and "
        "the first query is at i = period.": where(
            lambda row, i: misled(row, i, period) and i > period, back=1
        ),
        "the key at i - period + 2 was used: it is at i - period + 1.": excess(
            pattern, tokens, period, back=-2
        ),
        "queries for which that key is right were counted as well; leave them out.": where(
            lambda row, i: i >= period
        ),
        "only the queries for which that key is right were counted; leave just them out.": where(
            lambda row, i: i >= period and not misled(row, i, period)
        ),
        "the total was divided by the number of all queries, also of those for which that key is "
        "right.": right * sum(wrong) / all_queries,
        "what chance gives was not subtracted.": raw,
        "what chance gives was added.": 2 * raw - right,
        "1 / i was subtracted: a query at i can look at i + 1 keys.": excess(
            pattern, tokens, period, chance=lambda i: 1 / i
        ),
        "1 / n_pos was subtracted: a query at i can look at i + 1 keys.": raw - 1 / n_pos,
        "1 / period was subtracted: a query at i can look at i + 1 keys.": raw - 1 / period,
        "chance was averaged over other queries than the attention: take the same ones.": raw
        - sum(everywhere[period:]) / (n_pos - period),
        "chance was averaged over all positions: take the same queries as for the attention.": raw
        - sum(everywhere) / n_pos,
        "attention was divided by chance; subtract it.": averaged(
            _over_chance(pattern, tokens, period)
        ),
        "each text's mean was taken, and then the mean of those; take one mean over all queries "
        "of all texts.": torch.stack(texts).mean(dim=0),
        "queries were added up; take their mean.": right * sum(wrong),
        "the query at period - 1 was counted: no token stands before its key.": where(
            lambda row, i: i == period - 1 or misled(row, i, period)
        ),
        "queries before the first period were counted, whose key would lie before the text: an "
        "index below 0 counts from the end.": _wrapped(pattern, tokens, period),
        "the query at i = period was left out; its key is at 1.": where(
            lambda row, i: i > period and misled(row, i, period)
        ),
        "the query's token was held against the one at the key; the one before the key says "
        "whether it is right.": where(lambda row, i: i >= period and row[i - period + 1] != row[i]),
        "the next token was held against the one at the key; the token before the key and the "
        "query's say whether it is right.": where(
            lambda row, i: i >= period and i + 1 < n_pos and row[i - period + 1] != row[i + 1]
        ),
        "queries whose token came before anywhere were left out; only those count as right whose "
        "token is the one before that key.": where(
            lambda row, i: i >= period and not came_before(row, i)
        ),
        "queries that never came before were left out; those are wrong places as well.": where(
            lambda row, i: misled(row, i, period) and came_before(row, i)
        ),
        "what is below chance was made 0.": right.clamp(min=0),
        "the distance is one too long: `period` was made one more.": other(period + 1),
        "queries and keys are in each other's place: rows are the queries.": excess(
            pattern.mT, tokens, period
        ),
        "the heads' mean was given to each.": right.mean().expand_as(right),
    }


def _nothing(_i: int) -> float:
    return 0.0


def _over_chance(pattern: Tensor, tokens: Tensor, period: int) -> list[list[list[float]]]:
    weighed = pattern.double() * torch.arange(1, tokens.shape[1] + 1)[:, None]
    return attention_on(
        weighed, tokens, lambda row, i: [i - period + 1], lambda row, i: misled(row, i, period)
    )


def _wrapped(pattern: Tensor, tokens: Tensor, period: int) -> Tensor:
    """All queries, with Python's reading of negative places."""
    n_pos = tokens.shape[1]
    counted = [[i for i in range(n_pos) if row[i - period] != row[i]] for row in tokens.tolist()]
    found = [
        pattern[b, :, i, i - period + 1].double() - 1 / (i + 1)
        for b, places in enumerate(counted)
        for i in places
    ]
    return torch.stack(found).mean(dim=0)


# ------------------------------------------------------------------------------------------ texts


def texts(
    random: torch.Generator, n_batch: int, n_pos: int, d_vocab: int, *, twice: bool = True
) -> Tensor:
    """Tokens of a small vocabulary: some come three times, and some twice in a row."""
    while True:
        tokens = inputs.integers(random, d_vocab, n_batch, n_pos)
        rows = tokens.tolist()
        thrice = any(row.count(token) > 2 for row in rows for token in row)
        in_a_row = any(a == b for row in rows for a, b in pairwise(row))
        if not twice or (thrice and in_a_row):
            return tokens


def partly_right(random: torch.Generator, tokens: Tensor, period: int) -> Tensor:
    """The same texts, but that all keep one period from somewhere on, and the first one always."""
    n_batch, n_pos = tokens.shape
    rows = tokens.tolist()
    for b, row in enumerate(rows):
        begin = period + b * (n_pos - period) // n_batch + int(inputs.integers(random, 2)) * (b > 0)
        for i in range(begin, n_pos):
            row[i] = row[i - period]
    rows[-1] = [token + 90 * (i % 3 == 0) for i, token in enumerate(tokens[-1].tolist())]
    return torch.tensor(rows)


def repeating(random: torch.Generator, n_pos: int, sizes: Sequence[tuple[int, int]]) -> Tensor:
    """Texts of different tokens that repeat, one for each period and offset."""
    rows = []
    for period, offset in sizes:
        drawn = torch.randperm(40, generator=random)[: period + offset].tolist()
        block = drawn[offset:]
        rows.append((drawn[:offset] + block * (n_pos // period + 1))[:n_pos])
    return torch.tensor(rows)


def looking(tokens: Tensor, at: Keys) -> Tensor:
    """A head's pattern: attention spread evenly over the keys that a rule gives, else on key 0."""
    n_batch, n_pos = tokens.shape
    pattern = torch.zeros(n_batch, n_pos, n_pos)
    for b, row in enumerate(tokens.tolist()):
        for i in range(n_pos):
            keys = at(row, i) or [0]
            for key in keys:
                pattern[b, i, key] += 1 / len(keys)
    return pattern


def attention(random: torch.Generator, *shape: int, causal: bool = True) -> Tensor:
    """Patterns at random, [batch head query key]; not causal ones look ahead as well."""
    raw = 2.5 * inputs.normal(random, *shape)
    if causal:
        later = torch.ones(shape[-2:], dtype=torch.bool).triu(1)
        raw = raw.masked_fill(later, -torch.inf)
    return raw.softmax(-1)
