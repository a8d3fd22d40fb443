"""Checks of `ch03_grokking/1_watch_it_grok.ipynb`."""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from mechcourse.checks import Answer, check
from mechcourse.checks import _inputs as inputs
from mechcourse.checks.ch03_grokking import _watch_it_grok as known

TEACHES = (
    "mechcourse.modular.all_pairs",
    "mechcourse.modular.tokens_of",
    "mechcourse.modular.sums",
    "mechcourse.modular.split",
    "mechcourse.modular.exact_cross_entropy",
    "mechcourse.modular_tasks.task",
)

Curves = tuple[list[int], list[float], list[float]]  # steps, training and test accuracy
LARGEST_SEED = 2**22  # a thousand times as much is still a seed for NumPy
N_CURVES = 15  # of which the most telling are shown
N_DRAWS = 150  # splits from which it is read how evenly they are drawn
TOO_UNEVEN = 8.0  # standard deviations of a chi-squared
IN_FLOAT32 = (
    "this is what float32 gives: a log-probability there comes in steps of 6e-8 or 1.2e-7, and is "
    "0 below. Make the logits float64 before anything else."
)


@check
def check_modular_addition_dataset(answer: Answer, *, seed: int = 0) -> None:
    """All pairs in order, their sums, and an even draw of an exact number of them."""
    random = inputs.generator(seed)
    for p, fraction in ((7, 0.4), (4, 0.5), (11, 0.35), (9, 0.7), (5, 0.9), (3, 0.25)):
        tokens, labels, is_train = _dataset(answer, random, p, fraction)
        answer.expect_close(
            tokens,
            torch.tensor([[a, b, p] for a, b in known.pairs(p)]),
            property='the tokens are a, b and "=", for all pairs in the order of a, then of b',
            dims="pair token",
            misconceptions=known.wrong_tokens(p) if p > 4 else {},
        )
        answer.expect_close(
            labels,
            torch.tensor([(a + b) % p for a, b in known.pairs(p)]),
            property="the labels are (a + b) mod p",
            dims="pair",
            misconceptions=known.wrong_labels(p) if p > 4 else {},
        )
        _hold_count(answer, is_train, int(fraction * p * p), fraction * p * p, p * p)
    for p, fraction in ((6, 0.0), (6, 1.0), (3, 0.05)):
        _, _, is_train = _dataset(answer, random, p, fraction)
        _hold_count(answer, is_train, int(fraction * p * p), fraction * p * p, p * p)
    _hold_seeds(answer, random, lambda drawn: _dataset(answer, random, 8, 0.45, seed=drawn)[2])
    p = 11
    first = int(inputs.integers(random, LARGEST_SEED))
    drawn = torch.stack(
        [_dataset(answer, random, p, 0.35, seed=first + i)[2] for i in range(N_DRAWS)]
    )
    groups = {
        "pairs of one a hang together": lambda pair: pair[0],
        "pairs of one b hang together": lambda pair: pair[1],
        "pairs of one sum hang together": lambda pair: sum(pair) % p,
        "pairs of one difference hang together": lambda pair: (pair[0] - pair[1]) % p,
    }
    together = known.Evenness(
        "a pair and its mirror (b, a) are drawn together", known.mirrors_together(drawn, p)
    )
    found = [*known.evenness(drawn, known.pairs(p), groups), together]
    _hold_evenness(answer, drawn, found)


@check
def check_cross_entropy_float64(answer: Answer, *, seed: int = 0) -> None:
    """The mean loss: of ordinary size, far below what float32 holds, and where it is huge."""
    random = inputs.generator(seed)
    for n, p in ((5, 7), (1, 4), (8, 3), (2, 113)):
        logits, labels = _ordinary(random, n, p)
        _hold_loss(
            answer,
            logits,
            labels,
            property="the mean over all pairs of minus the log-probability of the label, in nats",
            misconceptions=known.wrong_losses(logits, labels) if n == 5 else {},
            rtol=1e-4,
        )
    for n, p, lowest, highest in ((6, 9, 18.5, 40.0), (4, 7, 22.0, 30.0), (1, 5, 24.0, 25.0)):
        logits, labels = known.sure_logits(random, n, p, lowest, highest)
        _hold_loss(
            answer,
            logits,
            labels,
            property="it is right to a thousandth of itself where it is far below 1e-7",
            misconceptions={IN_FLOAT32: torch.tensor(0.0)},
            otherwise=lambda got: _far_below(got),
        )
    logits, labels = known.sure_logits(random, 5, 8, 15.2, 16.5)
    single = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    _hold_loss(
        answer,
        logits,
        labels,
        property="it is right to a thousandth of itself near 1e-7",
        misconceptions={},
        otherwise=lambda got: (
            IN_FLOAT32 if abs(got - float(single.double().mean())) < 2**-23 else _far_below(got)
        ),
    )
    for rows, labels, why in (
        ([[0.0, 900.0, -300.0], [0.0, 0.0, 2000.0]], [0, 2], "a model may be sure and wrong"),
        ([[5000.0, 5000.0]], [1], "logits may be huge"),
        ([[-4000.0, -4000.0, -4100.0], [-90.0, 60.0, 0.0]], [0, 0], "logits may be far below 0"),
    ):
        logits = torch.tensor(rows)
        _hold_loss(
            answer,
            logits,
            torch.tensor(labels),
            property=f"it is finite and right for logits of any size: {why}",
            misconceptions={},
            otherwise=_of_any_size,
            rtol=1e-4,
        )


@check
def check_grokking_delay(answer: Answer, *, seed: int = 0) -> None:
    """The delay on made-up curves: noisy ones, and ones that never get there."""
    random = inputs.generator(seed)
    for threshold, hold, curves, wrong in _telling_curves(seed):
        _hold_delay(answer, *curves, threshold=threshold, hold=hold, misconceptions=wrong)
    for threshold, hold, n_looks in ((0.75, 1, 15), (0.5, 5, 25), (0.3, 2, 12)):
        while True:
            curves = known.curves(random, n_looks)
            if math.isfinite(known.delay(*curves, threshold, hold)):
                break
        _hold_delay(answer, *curves, threshold=threshold, hold=hold)
    steps, one = [0, 10, 25, 45, 50, 80, 90], [0.0, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0]
    by_hand = (  # test accuracy, threshold, hold, what it is about, what is wrong where it fails
        (
            [0.0, 0.0, 0.125, 0.25, 0.5, 0.5, 0.5],
            0.75,
            2,
            "a test accuracy that is never reached",
            "",
        ),
        ([0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0], 0.75, 3, "a run that the end cuts short", ""),
        (
            [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0],
            0.75,
            3,
            "a run that ends with the curve",
            "`hold` looks in a row may be the last ones: a run can begin at place len - hold.",
        ),
        (
            [0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0],
            0.75,
            2,
            "single looks above the threshold",
            "a single look is not enough here: `hold` looks in a row.",
        ),
        (
            [0.0, 0.0, 0.0, 1.0, 1.0, 0.25, 0.0],
            0.75,
            2,
            "an accuracy that falls again later",
            "it need not stay there for ever: `hold` looks in a row are enough.",
        ),
        (
            [0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0],
            0.75,
            2,
            "both reached at the same look",
            "the delay is then 0.",
        ),
        (
            [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
            0.75,
            2,
            "a test accuracy reached from the start",
            "the test accuracy is first here, so that the delay is below 0.",
        ),
        (
            [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.75],
            0.75,
            1,
            "the last look, just at the threshold",
            "with `hold` = 1 the last look counts, and at the threshold is enough.",
        ),
        (
            [0.0, 0.0, 0.0, 0.7499, 0.0, 0.0, 1.0],
            0.75,
            1,
            "a look just below the threshold",
            "an accuracy just below the threshold has not reached it.",
        ),
    )
    for test, threshold, hold, about, why in by_hand:
        _hold_delay(answer, steps, one, test, threshold=threshold, hold=hold, about=about, why=why)
    _hold_delay(answer, [30], [1.0], [1.0], threshold=0.5, hold=1, about="a single look")
    for train, threshold, hold in (
        ([0.0, 0.25, 0.5, 0.5, 0.25, 0.5, 0.5], 0.75, 1),
        ([0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0], 0.75, 2),
        ([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0], 0.75, 8),
    ):
        answer.expect_error(
            "ValueError",
            *(torch.tensor(steps), torch.tensor(train), torch.tensor(one)),
            threshold=threshold,
            hold=hold,
            property="it raises ValueError where the training accuracy is never reached",
            misconception="there is nothing to count from then"
            + (", though the test accuracy is reached." if hold < 3 else ": no run is that long."),
        )


@check
def check_accuracy_by_mirror(answer: Answer, *, seed: int = 0) -> None:
    """Test accuracy with and without a mirror trained on, for models whose kind is known."""
    random = inputs.generator(seed)
    for p, fraction, n_given in ((9, 0.4, 66), (11, 0.3, 105), (7, 0.55, 44)):
        while True:
            given = known.answered(random, p, fraction, (0.9, 0.75, 0.3), n_given)
            right, wrong = known.accuracies(*given), known.wrong_accuracies(*given)
            if known.told_apart(right, wrong) and not right.isnan().any():
                break
        _hold_accuracies(
            answer,
            given,
            property="it gives the share of test pairs whose mirror was trained on, the accuracy "
            "on these, and that on the other test pairs",
            misconceptions=wrong,
        )
    kinds = (
        ("knows only its own pairs", (1.0, 0.0, 0.0)),
        ("also knows that a + b = b + a", (1.0, 1.0, 0.0)),
        ("knows all sums", (1.0, 1.0, 1.0)),
        ("knows nothing", (0.0, 0.0, 0.0)),
        ("knows all sums but those", (0.0, 0.0, 1.0)),
    )
    for i in torch.randperm(len(kinds), generator=random).tolist():
        words, shares = kinds[i]
        p = (5, 8, 13)[int(inputs.integers(random, 3))]
        while True:
            given = known.answered(random, p, 0.6, shares, p * p)
            if not known.accuracies(*given).isnan().any():
                break
        _hold_accuracies(
            answer, given, property=f"it is so for a model that {words}", misconceptions={}
        )
    p = 9
    while True:  # the largest number is asked about in no pair
        logits, tokens, is_train = known.answered(random, p, 0.4, (0.9, 0.75, 0.3), p * p)
        kept = (tokens[:, :2] < p - 1).all(dim=1)
        given = logits[kept], tokens[kept], is_train[kept]
        if not known.accuracies(*given).isnan().any():
            break
    _hold_accuracies(
        answer,
        given,
        property="it is so where the largest number is in none of the pairs",
        misconceptions={},
    )
    _hold_empty_groups(answer, random)


@check
def check_mirror_proof_split(answer: Answer, *, seed: int = 0) -> None:
    """A split that is symmetric, of an exact number of pairs, evenly drawn."""
    random = inputs.generator(seed)
    for p, fraction in ((7, 0.4), (4, 0.55), (9, 0.3), (10, 0.71), (6, 0.0), (6, 1.0), (2, 0.4)):
        table = _symmetric(answer, random, p, fraction)
        wanted = int(fraction * p * (p + 1) / 2)
        got = int(table.triu().sum())
        all_ordered = int(fraction * p * p)
        answer.expect(
            got == wanted,
            property="exactly int(fraction * p * (p + 1) / 2) pairs that differ in more than "
            "their order are trained on",
            misconception=_of_unordered(got, fraction, p, int(table.sum()) == all_ordered),
            expected=f"{wanted} of {p * (p + 1) // 2} with p = {p} and fraction = {fraction}",
            got=str(got),
        )
    _hold_seeds(
        answer, random, lambda drawn: _symmetric(answer, random, 8, 0.45, seed=drawn).flatten()
    )
    p = 10
    first = int(inputs.integers(random, LARGEST_SEED))
    above = torch.ones(p, p, dtype=torch.bool).triu()
    drawn = torch.stack(
        [_symmetric(answer, random, p, 0.4, seed=first + i)[above] for i in range(N_DRAWS)]
    )
    items = [(a, b) for a, b in known.pairs(p) if a <= b]
    groups: dict[str, Callable[[known.Pair], int]] = {
        "pairs (a, a) are drawn more or less often than others": lambda pair: pair[0] == pair[1],
        "pairs of one smaller number hang together": lambda pair: pair[0],
        "pairs of one larger number hang together": lambda pair: pair[1],
        "pairs of one sum hang together": lambda pair: sum(pair) % p,
    }
    _hold_evenness(answer, drawn, known.evenness(drawn, items, groups))


# --------------------------------------------------------------------------------------- splits


def _dataset(
    answer: Answer, random: torch.Generator, p: int, fraction: float, *, seed: int | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Call the answer, and hold that tokens, labels and a mask come back."""
    names = ("tokens", "labels", "is_train")
    got = answer.expect_tuple(_seeded(answer, random, p, fraction, seed), names)
    shapes = {"tokens": (p * p, 3), "labels": (p * p,), "is_train": (p * p,)}
    tokens, labels, is_train = (
        answer.tensor(
            value, shape=shapes[name], dims="pair token" if name == "tokens" else "pair", of=name
        )
        for name, value in zip(names, got, strict=True)
    )
    for name, value in (("tokens", tokens), ("labels", labels)):
        if value.is_floating_point() or value.dtype == torch.bool:
            answer.fail(
                property=f"{name} are whole numbers",
                misconception="embeddings are looked up, and losses taken, by whole numbers.",
                got=f"dtype {value.dtype}",
            )
    return tokens.long(), labels.long(), _mask(answer, is_train)


def _symmetric(
    answer: Answer, random: torch.Generator, p: int, fraction: float, *, seed: int | None = None
) -> Tensor:
    """Call the answer, and hold that a symmetric mask comes back; as a table [p p]."""
    got = _seeded(answer, random, p, fraction, seed)
    if isinstance(got, Tensor) and got.shape == (p, p):
        answer.fail(
            property="it returns one truth value for each pair",
            misconception="this is a table; flatten() puts the pairs in the order of a, then b.",
            expected=f"shape [pair] = {[p * p]}",
            got=f"shape {[p, p]}",
        )
    value = answer.tensor(got, shape=(p * p,), dims="pair", of="one truth value for each pair")
    table = _mask(answer, value).view(p, p)
    uneven = int((table != table.T).sum()) // 2
    answer.expect(
        not uneven,
        property="a pair and its mirror are always on the same side",
        misconception="only pairs with a at most b are marked; each comes with its mirror."
        if not table.tril(-1).any()
        else "only pairs with a at least b are marked; each comes with its mirror."
        if not table.triu(1).any()
        else "this is a split like any other."
        if uneven > p * p * fraction * (1 - fraction) / 3
        else "some mirrors were forgotten.",
        got=f"{uneven} pairs apart from their mirror, with p = {p}",
    )
    return table


def _seeded(
    answer: Answer, random: torch.Generator, p: int, fraction: float, seed: int | None
) -> Any:
    if seed is None:
        seed = int(inputs.integers(random, LARGEST_SEED))
    with torch.random.fork_rng(devices=[]):  # nothing may hang on the state it finds
        torch.manual_seed(int(inputs.integers(random, LARGEST_SEED)))
        return answer(p, fraction, seed=seed)


def _mask(answer: Answer, value: Tensor) -> Tensor:
    answer.expect(
        value.dtype == torch.bool,
        property="`is_train` is True or False for each pair",
        misconception="these are numbers, which index places; a mask is made of True and False."
        if bool(((value == 0) | (value == 1)).all())
        else "these may be the places of the pairs; a mask is asked for.",
        expected="dtype torch.bool",
        got=f"dtype {value.dtype}, from {float(value.min()):.3g} to {float(value.max()):.3g}",
    )
    return value.bool()


def _hold_count(answer: Answer, is_train: Tensor, wanted: int, exact: float, size: int) -> None:
    """Hold the number of pairs trained on."""
    got = int(is_train.sum())
    if got == size - wanted and got != wanted:
        why = "True and False are in each other's place."
    elif got == math.ceil(exact) or got == round(exact):
        why = (
            "cut off what comes after the point, as int() does: neither round nor ceil. (A mask "
            "drawn pair by pair can come as near, and holds another number each time: draw so many "
            "places.)"
        )
    else:
        why = "a mask drawn pair by pair holds another number each time; draw so many places."
    answer.expect(
        got == wanted,
        property="exactly int(fraction * p * p) pairs are trained on",
        misconception=why,
        expected=f"{wanted} of {size}",
        got=str(got),
    )


def _of_unordered(got: int, fraction: float, p: int, as_many_in_order: bool) -> str:
    exact = fraction * p * (p + 1) / 2
    if as_many_in_order or got == int(fraction * p * p):
        return "the fraction is of all pairs that differ in more than their order, not of all p²."
    if got == int(fraction * p * (p - 1) / 2) + p or got == int(fraction * p * (p - 1) / 2):
        return "pairs (a, a) are drawn like all others."
    if got in (math.ceil(exact), round(exact)):
        return "cut off what comes after the point, as int() does: neither round nor ceil."
    return "draw so many of the pairs with a at most b; each then comes with its mirror."


def _hold_seeds(answer: Answer, random: torch.Generator, drawn: Callable[[int], Tensor]) -> None:
    """Hold that the seed decides, and nothing else does."""
    seeds = [int(inputs.integers(random, LARGEST_SEED)) for _ in range(4)]
    first = [drawn(seed) for seed in seeds]
    answer.expect(
        torch.equal(first[0], drawn(seeds[0])),
        property="the same seed gives the same pairs to train on, whatever was drawn before",
        misconception="something random does not come from the seed: make a generator of it.",
        got="other pairs at the second call",
    )
    answer.expect(
        len(torch.stack(first).unique(dim=0)) == len(first),
        property="another seed gives other pairs to train on",
        misconception="what is drawn does not come from the seed.",
        got=f"{len(torch.stack(first).unique(dim=0))} different splits from {len(first)} seeds",
    )


def _hold_evenness(answer: Answer, drawn: Tensor, found: list[known.Evenness]) -> None:
    """Hold that many splits together show no pattern; tell the clearest if they do."""
    worst = max(found, key=lambda one: abs(one.z))
    answer.expect(
        abs(worst.z) < TOO_UNEVEN,
        property="the pairs to train on are drawn evenly, each by itself",
        misconception=f"{worst.what}." if worst.z > 0 else "they are spread out on purpose.",
        got=f"in {len(drawn)} splits {abs(worst.z):.0f} standard deviations "
        f"{'more' if worst.z > 0 else 'less'} variation than even draws have",
    )


# ----------------------------------------------------------------------------------------- loss


def _ordinary(random: torch.Generator, n: int, p: int) -> tuple[Tensor, Tensor]:
    """Logits and labels that expose each named mistake."""
    while True:
        logits = 2 * inputs.normal(random, n, p) + 1
        labels = inputs.integers(random, p, n)
        right = torch.tensor(known.loss(logits, labels), dtype=torch.float64)
        if n != 5 or known.told_apart(right, known.wrong_losses(logits, labels), 0.02):
            return logits, labels


def _hold_loss(
    answer: Answer,
    logits: Tensor,
    labels: Tensor,
    *,
    property: str,
    misconceptions: dict[str, Tensor],
    rtol: float = 1e-3,
    otherwise: Callable[[float], str] = lambda got: "",
) -> None:
    got = answer(logits, labels)
    if isinstance(got, Tensor) and got.shape == labels.shape and len(labels) > 1:
        answer.fail(
            property="it returns one number",
            misconception="this is each pair's own loss; take their mean.",
            expected="a single number",
            got=f"shape {list(got.shape)}",
        )
    value = answer.tensor(got, shape=(), of=property).double()
    answer.expect_close(
        value,
        known.loss(logits, labels),
        property=property,
        misconceptions=misconceptions,
        otherwise=otherwise(float(value)),
        atol=0.0,
        rtol=rtol,
    )


def _far_below(got: float) -> str:
    """What a loss far below 1e-7 that is not right means."""
    if got < 0:
        return "a loss below 0: a small number was added to the probability, for the log's sake."
    quanta = got / 2**-24
    if got > 1e-5:
        return "it is far too large: are labels or axes mixed up where the model is sure?"
    if abs(quanta - round(quanta)) < 1e-3 and quanta > 0.5:
        return IN_FLOAT32
    return "the loss is held away from 0: something is clamped or rounded."


def _of_any_size(got: float) -> str:
    if math.isnan(got):
        return "exp() of such a logit is infinite, and infinity over infinity is NaN: log_softmax."
    if math.isinf(got):
        return "a probability was 0 before its logarithm was taken; log_softmax does both at once."
    return "the loss is cut off, or rounded, where the model is sure and wrong."


# ---------------------------------------------------------------------------------------- delay


@lru_cache(maxsize=16)  # whoever checks again has them at once, with a few seeds as well
def _telling_curves(seed: int) -> list[tuple[float, int, Curves, dict[str, float]]]:
    """Thresholds, numbers of looks, and curves that tell what is done wrong with them."""
    random = inputs.generator(seed, salt=1)
    cases = ((0.75, 3, 40), (0.625, 4, 30), (0.5, 3, 26), (0.875, 2, 40))
    return [
        (threshold, hold, *_told_apart_curves(random, n_looks, threshold, hold, sign))
        for threshold, hold, n_looks in cases
        for sign in (1, -1)
    ]


def _told_apart_curves(
    random: torch.Generator, n_looks: int, threshold: float, hold: int, sign: int
) -> tuple[Curves, dict[str, float]]:
    """Curves with a delay of that sign, and what mistakes make of them, as different as may be.

    One pair of curves can't expose all mistakes: some show only where the delay is negative.
    """
    best, most = None, 0
    tried = 0
    while tried < N_CURVES:
        curves = known.curves(random, n_looks)
        right = known.delay(*curves, threshold, hold)
        if not math.isfinite(right) or right * sign <= 0:
            continue
        wrong = known.wrong_delays(*curves, threshold, hold)
        wrong = {words: value for words, value in wrong.items() if _can_show(words, sign)}
        if right in wrong.values() or not all(map(math.isfinite, wrong.values())):
            continue
        tried += 1
        if len(set(wrong.values())) > most:
            best, most = (curves, wrong), len(set(wrong.values()))
    return best


def _can_show(words: str, sign: int) -> bool:
    """Whether a mistake makes a difference of its own for delays of that sign."""
    if sign > 0:
        return not words.startswith(("the test accuracy was looked at", "the sign was lost"))
    return not words.startswith("the sign is the wrong way round")


def _hold_delay(
    answer: Answer,
    steps: list[int],
    train: list[float],
    test: list[float],
    *,
    threshold: float,
    hold: int,
    about: str = "",
    why: str = "",
    misconceptions: dict[str, float] | None = None,
) -> None:
    got = answer(
        torch.tensor(steps),
        torch.tensor(train),
        torch.tensor(test),
        threshold=threshold,
        hold=hold,
    )
    right = known.delay(steps, train, test, threshold, hold)
    if isinstance(got, list | tuple):
        answer.fail(
            property="it returns one number, the delay",
            misconception="the two steps are to be subtracted.",
            got=f"a {type(got).__name__} of {len(got)}",
        )
    value = answer.tensor(got, shape=(), of="the delay").double()
    answer.expect_close(
        value,
        right,
        property="the delay is right for " + about
        if about
        else "the step at which the test accuracy is at or above the threshold for `hold` looks in "
        "a row, less that of the training accuracy",
        misconceptions={
            words: torch.tensor(wrong, dtype=torch.float64)
            for words, wrong in (misconceptions or {}).items()
        },
        otherwise=_of_never(float(value)) if math.isinf(right) else why,
        rtol=1e-6,
    )


def _of_never(got: float) -> str:
    if math.isnan(got):
        return "NaN is no delay; one that has not ended is infinite."
    if got == -math.inf:
        return "it never ends: it is plus infinity."
    return "the test accuracy is never at or above the threshold for that many looks in a row."


# -------------------------------------------------------------------------------------- mirrors


def _hold_accuracies(
    answer: Answer,
    given: tuple[Tensor, Tensor, Tensor],
    *,
    property: str,
    misconceptions: dict[str, Tensor],
) -> None:
    """Hold share and accuracies, all at once."""
    names = ("share", "accuracy_mirrored", "accuracy_others")
    got = answer(*given)
    if isinstance(got, Tensor) and got.shape == (3,):
        got = got.tolist()
    values = [
        answer.tensor(value, shape=(), of=name).double()
        for name, value in zip(names, answer.expect_tuple(got, names), strict=True)
    ]
    value, right = torch.stack(values), known.accuracies(*given)
    off = [n for n, a, b in zip(names, value, right, strict=True) if not _near(a, b)]
    answer.expect_close(
        value,
        right,
        property=property,
        dims="number",
        misconceptions=misconceptions,
        otherwise=_of_share(float(value[0]), float(right[0]))
        or f"{' and '.join(off)} {'is' if len(off) == 1 else 'are'} not right." * bool(off),
    )


def _of_share(got: float, right: float) -> str:
    """What a share of none or of all means, where it should be something between."""
    if got == 0 < right:
        return (
            "no mirror was found: look up (b, a). (A test pair (a, b) itself was never trained on.)"
        )
    if got == 1 > right:
        return "every mirror was taken for trained on: `is_train` says which pairs were."
    return ""


def _near(a: Tensor, b: Tensor) -> bool:
    return bool(torch.isclose(a, b, atol=1e-5, equal_nan=True))


def _hold_empty_groups(answer: Answer, random: torch.Generator) -> None:
    """Hold that an accuracy over no pairs is NaN, and the other one right."""
    p = 5
    tokens = torch.tensor([[a, b, p] for a, b in known.pairs(p)])
    a, b = tokens[:, 0], tokens[:, 1]
    for is_train, why in (
        ((a + b) % 2 == 0, "no test pair has a mirror that was trained on"),
        (a <= b, "every test pair has one"),
        (torch.zeros(p * p, dtype=torch.bool), "nothing was trained on"),
    ):
        given = inputs.normal(random, p * p, p), tokens, is_train
        _hold_accuracies(
            answer,
            given,
            property=f"an accuracy over no pairs is NaN: here {why}",
            misconceptions={},
        )
