"""Definitions and named mistakes behind the checks of `ch03_grokking/1_watch_it_grok`."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import torch
from torch import Tensor

from mechcourse.checks import _inputs as inputs

Pair = tuple[int, int]


def told_apart(right: Tensor, wrong: Mapping[str, Tensor], gap: float = 0.005) -> bool:
    """Whether none of these wrong values is the right one by accident."""
    return not any(
        value.shape == right.shape
        and torch.allclose(value.double(), right.double(), rtol=gap, atol=gap, equal_nan=True)
        for value in wrong.values()
    )


# --------------------------------------------------------------------------------------- pairs


def pairs(p: int) -> list[Pair]:
    """All (a, b), in the order of a, then of b."""
    return list(product(range(p), repeat=2))


def wrong_tokens(p: int) -> dict[str, Tensor]:
    """Tokens [pair 3] with one mistake each, for p of at least 3."""

    def of(make: Callable[[int, int], tuple[int, int, int]]) -> Tensor:
        return torch.tensor([make(a, b) for a, b in pairs(p)])

    return {
        "a changes fastest; the pairs come in the order of a, then of b.": of(
            lambda a, b: (b, a, p)
        ),
        'the token 0 stands for "=", and is a number; "=" is the token p.': of(
            lambda a, b: (a, b, 0)
        ),
        'the last number stands for "="; "=" is the token p.': of(lambda a, b: (a, b, p - 1)),
        '"=" is the token p, the first that is no number.': of(lambda a, b: (a, b, p + 1)),
        'the sum stands where "=" belongs: the model would be told the answer.': of(
            lambda a, b: (a, b, (a + b) % p)
        ),
        '"=" stands between a and b; it comes last.': of(lambda a, b: (a, p, b)),
        '"=" stands before a and b; it comes last.': of(lambda a, b: (p, a, b)),
        "the numbers begin at 1; they are 0 to p - 1.": of(lambda a, b: (a + 1, b + 1, p)),
    }


def wrong_labels(p: int) -> dict[str, Tensor]:
    """Labels [pair] with one mistake each, for p of at least 4."""

    def of(make: Callable[[int, int], int]) -> Tensor:
        return torch.tensor([make(a, b) for a, b in pairs(p)])

    return {
        "the sum was not taken modulo p.": of(lambda a, b: a + b),
        'the sum was taken modulo p + 1, the number of tokens with "=".': of(
            lambda a, b: (a + b) % (p + 1)
        ),
        "this is the difference.": of(lambda a, b: (a - b) % p),
        "this is the product.": of(lambda a, b: a * b % p),
        'the token "=" was added as well.': of(lambda a, b: a + b + p),
        "this is the sum less 1.": of(lambda a, b: (a + b - 1) % p),
    }


@dataclass(frozen=True)
class Evenness:
    """How far draws are from even ones.

    Attributes:
        what: is uneven, in words.
        z: standard deviations above what even draws would give; far below: too regular.
    """

    what: str
    z: float


def evenness(
    drawn: Tensor, items: Sequence[Pair], groups: Mapping[str, Callable[[Pair], int]]
) -> list[Evenness]:
    """Of draws [draw item] of the same number of items: by item, and by group of items.

    Within a draw the number from a group is hypergeometric; over draws that of an item binomial.
    """
    n_draws, size = drawn.shape
    share = float(drawn[0].double().mean())
    often = drawn.double().sum(dim=0)
    spread = (often - n_draws * share).square().sum() / (n_draws * share * (1 - share))
    found = [Evenness("some pairs are drawn more often than others", _z(spread, size))]
    for words, key in groups.items():
        keys = torch.tensor([key(item) for item in items])
        total, n = 0.0, 0
        different = keys.unique()
        for group in different[: 1 if len(different) == 2 else None]:  # the second says the same
            inside = keys == group
            m = int(inside.sum())
            variance = m * share * (1 - share) * (size - m) / (size - 1)
            if m < 2 or not variance:
                continue
            counts = drawn[:, inside].double().sum(dim=1)
            total += float((counts - m * share).square().sum() / variance)
            n += n_draws
        found.append(Evenness(words, _z(total, n)))
    return found


def _z(chi_squared: Tensor | float, freedom: int) -> float:
    return (float(chi_squared) - freedom) / math.sqrt(2 * freedom)


def mirrors_together(drawn: Tensor, p: int) -> float:
    """How many standard deviations more often than by chance both (a, b) and (b, a) are drawn."""
    table = drawn.view(-1, p, p)
    above = torch.ones(p, p, dtype=torch.bool).triu(1)
    both = (table & table.mT)[:, above].double().sum()
    n, size = int(drawn[0].sum()), p * p
    chance = n * (n - 1) / (size * (size - 1))
    trials = len(drawn) * int(above.sum())
    return float((both - trials * chance) / math.sqrt(trials * chance * (1 - chance)))


# ---------------------------------------------------------------------------------------- loss


def loss(logits: Tensor, labels: Tensor) -> float:
    """The mean of ln(1 + the others' odds), pair by pair: nothing cancels, however small it is."""
    return sum(losses(logits, labels)) / len(labels)


def losses(logits: Tensor, labels: Tensor) -> list[float]:
    """Each pair's loss."""
    found = []
    for row, label in zip(logits.double().tolist(), labels.tolist(), strict=True):
        others = [value - row[label] for value in row[:label] + row[label + 1 :]]
        top = max(others)
        if top > 0:  # sure and wrong
            found.append(top + math.log(sum(math.exp(v - top) for v in others) + math.exp(-top)))
        else:
            found.append(math.log1p(sum(map(math.exp, others))))
    return found


def wrong_losses(logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Mean losses with one mistake each, for several pairs of ordinary size."""
    x = logits.double()
    rows = torch.arange(len(labels))
    log_probs, right = x.log_softmax(-1), torch.tensor(loss(logits, labels), dtype=torch.float64)
    own = -log_probs[rows, labels]
    return {
        "the losses were added up; take their mean.": own.sum(),
        "this is in bits: the natural logarithm gives nats.": right / math.log(2),
        "the sign is missing: a loss is minus a log-probability.": -right,
        "this is a mean probability; the loss is minus the mean of its logarithm.": (
            (-own).exp().mean()
        ),
        "this is minus the log of the mean probability; take the log of each.": -(
            (-own).exp().mean().log()
        ),
        "no softmax was taken: these are logits.": -x[rows, labels].mean(),
        "the softmax was taken over pairs, not over the p numbers.": -x.log_softmax(0)[
            rows, labels
        ].mean(),
        "the softmax was taken twice.": -x.softmax(-1).log_softmax(-1)[rows, labels].mean(),
        "the largest logit was taken for the right one; `labels` says which it is.": (
            -log_probs.max(dim=-1).values.mean()
        ),
        "the mean was taken over all p numbers, not over the right ones.": -log_probs.mean(),
        "every pair's loss was taken for every label.": -log_probs[:, labels].mean(),
        "this is the mean entropy of the predictions.": (
            -(log_probs.exp() * log_probs).sum(-1).mean()
        ),
        "the median over pairs was taken; take their mean.": own.median(),
        "the last number was left out: the logits hold the p numbers only.": (
            -x[:, :-1].log_softmax(-1)[rows, labels.clamp(max=x.shape[1] - 2)].mean()
        ),
    }


def sure_logits(
    random: torch.Generator, n: int, p: int, lowest: float, highest: float
) -> tuple[Tensor, Tensor]:
    """Logits by which the right answer leads all others by at least so many nats, and labels."""
    labels = inputs.integers(random, p, n)
    rest = -2 * torch.rand(n, p, generator=random)
    rest.scatter_(1, ((labels + 1) % p)[:, None], 0.0)  # one of them is as large as may be
    lead = lowest + (highest - lowest) * torch.rand(n, generator=random)
    lead[0] = lowest
    logits = rest.scatter(1, labels[:, None], lead[:, None])
    return logits + 3 * inputs.normal(random, n, 1), labels


# --------------------------------------------------------------------------------------- delay


def reached(steps: Sequence[int], accuracy: Sequence[float], threshold: float, hold: int) -> float:
    """The step at which an accuracy is reached, or infinity."""
    run = 0
    for i, value in enumerate(accuracy):
        run = run + 1 if value >= threshold else 0
        if run == hold:
            return float(steps[i - hold + 1])
    return math.inf


def delay(
    steps: Sequence[int],
    train: Sequence[float],
    test: Sequence[float],
    threshold: float,
    hold: int,
) -> float:
    """The step at which the test accuracy is reached less that of the training accuracy."""
    return reached(steps, test, threshold, hold) - reached(steps, train, threshold, hold)


# Rules for when an accuracy is reached, each with one mistake. They stand by themselves because
# tests check types at run time, which is slow where functions are made at every call.


def _strictly(
    steps: Sequence[int], accuracy: Sequence[float], threshold: float, hold: int
) -> float:
    return reached(steps, [value > threshold for value in accuracy], 1, hold)


def _end_of_run(
    steps: Sequence[int], accuracy: Sequence[float], threshold: float, hold: int
) -> float:
    return _moved(steps, reached(steps, accuracy, threshold, hold), hold - 1)


def _one_before(
    steps: Sequence[int], accuracy: Sequence[float], threshold: float, hold: int
) -> float:
    return _moved(steps, reached(steps, accuracy, threshold, hold), -1)


def _moved(steps: Sequence[int], step: float, looks: int) -> float:
    """The step so many looks later."""
    if math.isinf(step):
        return step
    return float(steps[max(list(steps).index(int(step)) + looks, 0)])


def _first_of_so_many(
    steps: Sequence[int], accuracy: Sequence[float], threshold: float, hold: int
) -> float:
    above = [step for step, value in zip(steps, accuracy, strict=True) if value >= threshold]
    return float(above[0]) if len(above) >= hold else math.inf


def _last_of_so_many(
    steps: Sequence[int], accuracy: Sequence[float], threshold: float, hold: int
) -> float:
    above = [step for step, value in zip(steps, accuracy, strict=True) if value >= threshold]
    return float(above[hold - 1]) if len(above) >= hold else math.inf


def _for_the_rest(
    steps: Sequence[int], accuracy: Sequence[float], threshold: float, hold: int
) -> float:
    below = [i for i, value in enumerate(accuracy) if value < threshold]
    first = below[-1] + 1 if below else 0
    return float(steps[first]) if first < len(steps) else math.inf


def _on_average(
    steps: Sequence[int], accuracy: Sequence[float], threshold: float, hold: int
) -> float:
    means = [sum(accuracy[i : i + hold]) / hold for i in range(len(accuracy) - hold + 1)]
    return reached(steps, means, threshold, 1)


def _delay_by(
    steps: Sequence[int],
    train: Sequence[float],
    test: Sequence[float],
    threshold: float,
    rule: Callable[..., float],
    hold: int,
) -> float:
    """The delay by another rule."""
    return rule(steps, test, threshold, hold) - rule(steps, train, threshold, hold)


def wrong_delays(
    steps: Sequence[int],
    train: Sequence[float],
    test: Sequence[float],
    threshold: float,
    hold: int,
) -> dict[str, float]:
    """Delays with one mistake each, for `hold` of at least 2."""
    by = partial(_delay_by, steps, train, test, threshold)
    right = by(reached, hold)
    learnt, known = (reached(steps, x, threshold, hold) for x in (train, test))
    later = [i for i, step in enumerate(steps) if step >= learnt]
    late = reached([steps[i] for i in later], [test[i] for i in later], threshold, hold)
    return {
        "the sign is the wrong way round: the test accuracy's step less the training "
        "accuracy's.": -right,
        "looks were counted; steps are asked for, and looks are not evenly spaced.": delay(
            range(len(steps)), train, test, threshold, hold
        ),
        "a look just at the threshold counts.": by(_strictly, hold),
        "this is the step of the test accuracy alone; the training accuracy's is to be taken "
        "off.": known,
        "this is the step of the training accuracy alone.": learnt,
        "`hold` was ignored: the first look at or above the threshold was taken.": by(reached, 1),
        "`hold` was ignored for the training accuracy.": (
            known - reached(steps, train, threshold, 1)
        ),
        "`hold` was ignored for the test accuracy.": reached(steps, test, threshold, 1) - learnt,
        "one look too many was asked for: `hold` looks, the first included.": by(reached, hold + 1),
        "one look too few was asked for: `hold` looks, the first included.": by(reached, hold - 1),
        "the last look of the run was taken; its first is when it was reached.": by(
            _end_of_run, hold
        ),
        "`hold` looks above were counted from the start, in a row or not.": by(
            _first_of_so_many, hold
        ),
        "the look at which `hold` of them, in a row or not, were above was taken.": by(
            _last_of_so_many, hold
        ),
        "the accuracy was asked to stay for the whole rest of the curve; `hold` looks are "
        "enough.": by(_for_the_rest, hold),
        "the look before was taken.": by(_one_before, hold),
        "the mean over `hold` looks was held against the threshold; each of them has to reach "
        "it.": by(_on_average, hold),
        "the test accuracy was looked at only from where the training accuracy is reached; it may "
        "be reached before, and the delay be negative.": late - learnt,
        "the sign was lost: a delay is negative where the test accuracy is first.": abs(right),
    }


def curves(
    random: torch.Generator, n_looks: int, levels: int = 8
) -> tuple[list[int], list[float], list[float]]:
    """Steps, and two noisy accuracies that rise, all in exact parts."""
    steps = (1 + inputs.integers(random, 40, n_looks)).cumsum(0) - 1
    found = []
    for _ in range(2):
        slope = torch.arange(n_looks) / n_looks * 0.9
        noise = torch.rand(n_looks, generator=random) * 0.7 - 0.2
        found.append((((slope + noise).clamp(0, 1) * levels).round() / levels).tolist())
    return steps.tolist(), *found


# ------------------------------------------------------------------------------------- mirrors


@dataclass(frozen=True)
class Judged:
    """One pair: whether it is trained on, whether its mirror is, and whether the answer is right.

    Attributes:
        given: whether its mirror is there at all.
    """

    a: int
    b: int
    train: bool
    mirrored: bool
    given: bool
    right: bool


def judged(logits: Tensor, tokens: Tensor, is_train: Tensor) -> list[Judged]:
    """All pairs, one by one."""
    p = logits.shape[1]
    rows = list(zip(logits.tolist(), tokens.tolist(), is_train.tolist(), strict=True))
    trained = {(a, b) for _, (a, b, _), train in rows if train}
    there = {(a, b) for _, (a, b, _), _ in rows}
    return [
        Judged(
            a,
            b,
            train,
            (b, a) in trained,
            (b, a) in there,
            max(range(p), key=row.__getitem__) == (a + b) % p,
        )
        for row, (a, b, _), train in rows
    ]


def accuracies(logits: Tensor, tokens: Tensor, is_train: Tensor) -> Tensor:
    """Share of test pairs with a mirror trained on; accuracy on these; on the other test pairs."""
    rows = [row for row in judged(logits, tokens, is_train) if not row.train]
    return _by(rows, lambda row: row.mirrored)


def _by(rows: list[Judged], mirrored: Callable[[Judged], bool]) -> Tensor:
    groups = [[row for row in rows if mirrored(row) == wanted] for wanted in (True, False)]
    return torch.tensor(
        [
            len(groups[0]) / len(rows) if rows else math.nan,
            *[sum(r.right for r in group) / len(group) if group else math.nan for group in groups],
        ],
        dtype=torch.float64,
    )


def wrong_accuracies(logits: Tensor, tokens: Tensor, is_train: Tensor) -> dict[str, Tensor]:
    """The same with one mistake each, for pairs in no order, some of which are missing."""
    p = logits.shape[1]
    rows, right = judged(logits, tokens, is_train), accuracies(logits, tokens, is_train)
    tested = [row for row in rows if not row.train]
    n_mirrored = sum(row.mirrored for row in tested)

    def also(change: Callable[[Tensor], Tensor]) -> Tensor:
        return change(right.clone())

    def scored(answers: Tensor) -> Tensor:
        said = logits.argmax(dim=1) == answers
        again = [
            Judged(row.a, row.b, row.train, row.mirrored, row.given, bool(ok))
            for row, ok in zip(rows, said, strict=True)
        ]
        return _by([row for row in again if not row.train], lambda row: row.mirrored)

    def with_share(share: float) -> Tensor:
        return torch.cat([torch.tensor([share], dtype=torch.float64), right[1:]])

    a, b = tokens[:, 0], tokens[:, 1]
    in_groups = [sum(r.right for r in tested if r.mirrored == wanted) for wanted in (True, False)]
    return {
        "pairs that were trained on were counted as well.": _by(rows, lambda row: row.mirrored),
        "the pairs that were trained on were looked at, not the others.": _by(
            [row for row in rows if row.train], lambda row: row.mirrored
        ),
        "the two accuracies are in each other's place.": also(lambda x: x[[0, 2, 1]]),
        "the groups are in each other's place: the first has its mirror trained on.": torch.stack(
            [1 - right[0], right[2], right[1]]
        ),
        "pairs (a, a) were put with those whose mirror was trained on; they are their own mirror, "
        "and were not.": _by(tested, lambda row: row.mirrored or row.a == row.b),
        "pairs (a, a) were left out.": _by(
            [row for row in tested if row.a != row.b], lambda row: row.mirrored
        ),
        "a mirror that is not given was taken as trained on.": _by(
            tested, lambda row: row.mirrored or not row.given
        ),
        "pairs were told apart by a < b, not by whether the mirror was trained on.": _by(
            tested, lambda row: row.a < row.b
        ),
        "the mirror was looked up in the order in which pairs come.": _by(
            [row for i, row in enumerate(rows) if not row.train],
            _in_order(rows, is_train, p),
        ),
        "the share is of all pairs; it is of the test pairs.": with_share(n_mirrored / len(rows)),
        "the share is of the pairs trained on; it is of the test pairs.": with_share(
            n_mirrored / max(int(is_train.sum()), 1)
        ),
        "this is how many pairs have a mirror that was trained on; their share is asked for.": (
            with_share(float(n_mirrored))
        ),
        "this is the share of pairs trained on; how many test pairs have a mirror among them is "
        "asked for.": with_share(float(is_train.double().mean())),
        "the right answers were divided by the number of all test pairs, not of those in the "
        "group.": torch.tensor(
            [right[0].item(), *[n / len(tested) for n in in_groups]], dtype=torch.float64
        ),
        "the right answers were counted; take the fraction.": torch.tensor(
            [right[0].item(), *map(float, in_groups)], dtype=torch.float64
        ),
        "the sum was not taken modulo p, so that no larger one is ever right.": scored(a + b),
        '"=" was added as well, and the sum not taken modulo p.': scored(a + b + p),
        'the sum was taken modulo p + 1; "=" is no number.': scored((a + b) % (p + 1)),
    }


def _in_order(rows: list[Judged], is_train: Tensor, p: int) -> Callable[[Judged], bool]:
    """Whether the place b p + a of the list was trained on, as if all pairs came in order."""
    flags = is_train.tolist()

    def mirrored(row: Judged) -> bool:
        place = row.b * p + row.a
        return place < len(flags) and bool(flags[place])

    return mirrored


def answered(
    random: torch.Generator, p: int, fraction: float, shares: tuple[float, float, float], given: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, tokens and what was trained on, for so many pairs in no order.

    Args:
        shares: how often the answer is right of the pairs trained on, of those whose mirror was,
            and of the others.
    """
    listed = pairs(p)
    order = torch.randperm(p * p, generator=random)[:given].tolist()
    tokens = torch.tensor([[*listed[i], p] for i in order])
    is_train = torch.rand(given, generator=random) < fraction
    trained = {(a, b) for (a, b, _), train in zip(tokens.tolist(), is_train, strict=True) if train}
    logits = inputs.normal(random, given, p)
    for i, (a, b, _) in enumerate(tokens.tolist()):
        share = shares[0] if is_train[i] else shares[1] if (b, a) in trained else shares[2]
        right = (a + b) % p
        if torch.rand((), generator=random) < share:
            logits[i, right] = logits[i].max() + 1
        else:
            logits[i, right] = logits[i].min() - 1
    return logits, tokens, is_train
