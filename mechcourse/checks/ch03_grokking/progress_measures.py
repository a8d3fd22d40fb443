"""Checks of `ch03_grokking/4_progress_measures.ipynb`."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from mechcourse.checks import Answer, CheckFailed, check
from mechcourse.checks import _inputs as inputs
from mechcourse.checks.ch03_grokking import _progress_measures as known
from mechcourse.checks.ch03_grokking import _progress_measures_curves as curves
from mechcourse.checks.ch03_grokking import _progress_measures_models as planted

TEACHES = (
    "mechcourse.fourier.sum_waves",
    "mechcourse.fourier.sum_part",
    "mechcourse.fourier.restricted_logits",
    "mechcourse.fourier.excluded_logits",
    "mechcourse.fourier.restricted_loss",
    "mechcourse.fourier.excluded_loss",
)

IN_FLOAT32 = (
    "this is what float32 gives: a log-probability there comes in steps of 6e-8 or 1.2e-7, and is "
    "0 below. Take the losses in float64."
)
LARGEST_SEED = 2**22  # a thousand times as much is still a seed for NumPy
TOO_UNEVEN = 8.0  # standard deviations of a chi-squared
N_DRAWS = 2500


@check
def check_project_onto_key_directions(answer: Answer, *, seed: int = 0) -> None:
    """The part on rough logits, and on logits whose waves are known; nothing for no frequency."""
    random = inputs.generator(seed)
    for p, ks in ((11, [4, 2]), (17, [7, 2, 5]), (7, [3]), (9, [3, 1]), (15, [5, 7]), (3, [1])):
        logits = known.rough_logits(random, p)
        got = _part(answer, logits, ks)
        answer.expect_close(
            got,
            known.part(logits, ks),
            property="for each number c, the logit's projection over all pairs on cos and sin of "
            "2πk(a + b)/p is kept, for each k in `frequencies`",
            dims="a b c",
            misconceptions=known.wrong_parts(logits, ks) if p in (11, 17) else {},
            atol=1e-4,
        )
        answer.expect(
            got.dtype == torch.float64,
            property="it is in float64",
            misconception="losses of this chapter go down to 1e-8, which float32 does not hold: "
            "begin with logits.double(), and make the waves in float64, too.",
            expected="float64",
            got=str(got.dtype).removeprefix("torch."),
        )
    for p, ks, others in ((13, [6, 2], [1, 5]), (7, [2], [1, 3]), (9, [4, 1, 3, 2], [])):
        wanted = _waves(random, p, ks, "sum")
        for kinds, among, about in (
            (("sum",), others, "waves of a + b of other frequencies"),
            (("difference",), ks, "waves of a - b"),
            (("a", "b"), ks, "waves of a alone and of b alone"),
            ((), [], "the numbers' mean logits"),
        ):
            rest = 3 * _waves(random, p, among, *kinds) + 4 * inputs.normal(random, p)
            answer.expect_close(
                _part(answer, (wanted + rest).float(), ks),
                wanted,
                property="waves of a + b of these frequencies come back as they were put in, "
                "whatever their phase, and nothing of other waves and of the mean",
                otherwise=f"beside them there were only {about}.",
                dims="a b c",
                atol=2e-4,
            )
    _hold_no_frequency(answer, known.rough_logits(random, 7))


@check
def check_restricted_loss(answer: Answer, *, seed: int = 0) -> None:
    """The loss of rough logits, and of circuits so sure that float64 is needed."""
    random = inputs.generator(seed)
    for p, ks in ((11, [4, 2]), (9, [3, 1]), (13, [5, 2, 6]), (7, [3]), (7, [1, 3, 2])):
        named = p in (11, 9, 13)
        while True:
            logits = known.rough_logits(random, p)
            right = known.restricted(logits, ks)
            wrong = known.wrong_restricted(logits, ks) if named else {}
            if _apart(right, wrong):
                break
        _hold_loss(
            answer,
            (logits, ks),
            right,
            property="the mean cross-entropy over all pairs, in nats, of the mean logits and the "
            "waves of the key frequencies",
            misconceptions=wrong,
        )
    for p, ks, low in ((11, [2, 5], 1.5e-8), (17, [8, 3, 1], 3e-9), (9, [4], 1.2e-7)):
        logits = planted.sure_circuit(random, p, ks, low)
        kept = known.mean_logits(logits) + known.part(logits, ks)
        _hold_tiny_loss(answer, (logits, ks), kept, torch.ones(p, p, dtype=torch.bool))
    for p, ks in ((7, [3, 1]), (11, [5])):
        logits = 30 * planted.circuit(p, ks, turned=1) + known.rough_logits(random, p)
        _hold_loss(
            answer,
            (logits.float(), ks),
            known.restricted(logits.float(), ks),
            property="it is right where the circuit is sure and wrong",
            misconceptions={},
            otherwise=_cut_off,
        )


@check
def check_excluded_loss(answer: Answer, *, seed: int = 0) -> None:
    """The loss of rough logits over masks of many kinds, and of memories so sure, right or wrong.

    It may be far below what float32 holds, as any loss of this chapter.
    """
    random = inputs.generator(seed)
    for p, ks, share in ((11, [4, 2], 0.4), (9, [3, 1], 0.63), (13, [5, 2, 6], 0.3)):
        while True:
            logits, is_train = known.rough_logits(random, p), known.mask(random, p, share)
            right = known.excluded(logits, ks, is_train)
            wrong = known.wrong_excluded(logits, ks, is_train)
            if _apart(right, wrong):
                break
        _hold_loss(
            answer,
            (logits, ks, is_train),
            right,
            property="the mean cross-entropy over the pairs that were trained on, in nats, of the "
            "logits less the waves of the key frequencies, which are fitted over all pairs",
            misconceptions=wrong,
        )
    for p, ks, n, about in (
        (7, [2], 1, "one pair alone was trained on"),
        (7, [3, 1], 49, "all pairs were trained on"),
        (9, [4, 3, 2, 1], 20, "all frequencies are key"),
    ):
        logits, is_train = known.rough_logits(random, p), known.mask(random, p, n / p**2)
        _hold_loss(
            answer,
            (logits, ks, is_train),
            known.excluded(logits, ks, is_train),
            property="it is so for one pair, for all pairs, and with all frequencies",
            misconceptions={},
            otherwise=lambda got, right, about=about: f"here {about}.",
        )
    for p, ks, low in ((11, [2, 5], 1.5e-8), (13, [6], 3e-9)):
        is_train = known.mask(random, p, 0.35)
        logits = planted.sure_memory(random, ks, is_train, low)
        left = logits.double() - known.part(logits, ks)
        _hold_tiny_loss(answer, (logits, ks, is_train), left, is_train)
    is_train = known.mask(random, 9, 0.45)
    logits = known.rough_logits(random, 9) + 50 * planted.circuit(9, [2])
    logits = (logits - 40 * planted.remembered(is_train)).float()
    _hold_loss(
        answer,
        (logits, [2], is_train),
        known.excluded(logits, [2], is_train),
        property="it is right where the model, without its circuit, is sure and wrong",
        misconceptions={},
        otherwise=_cut_off,
    )


@check
def check_three_phases(answer: Answer, *, seed: int = 0) -> None:
    """The three steps on made-up curves: rough ones, and ones in which something never falls."""
    told, wrong = curves.telling_curves(seed)
    said = [_ends(answer, made, fallen) for fallen, made in told]
    why = next((words for words, value in wrong.items() if value == said), "")
    for (fallen, made), got in zip(told, said, strict=True):
        _hold_ends(answer, got, curves.phases(made, fallen), property=WHERE_THEY_END, why=why)
    answer.expect(True, property=WHERE_THEY_END)
    steps, down = [0, 10, 25, 45, 50, 80, 90], [8.0, 7.0, 6.0, 4.0, 2.0, 1.0, 0.5]
    flat, up = [4.0] * 7, down[::-1]
    for excluded, restricted, test, fallen, about in (
        (down, down, down, 0.5, "where all three fall from the first look on"),
        (up, down, up, 0.5, "where the test loss only rises"),
        (up, up, down, 0.25, "where the restricted loss only rises"),
        (flat, flat, flat, 0.75, "where nothing ever changes"),
        (down, [4.0, 8.0, 7.0, 6.0, 5.0, 4.5, 4.0], down, 0.5, "where a loss stops just at it"),
        (down, [0.5, 0.5, 8.0, 7.0, 6.0, 5.0, 5.0], down, 0.5, "where a loss is low before alone"),
        (up, [1.0, 8.0, 1.0, 8.0, 8.0, 8.0, 8.0], up, 0.5, "where a loss falls and rises again"),
        (up, [5.0, 5.0, 5.0, 8.0, 5.0, 5.0, 0.5], down, 0.125, "where a loss falls at the end"),
        (down, down, [0.0, 0.0, 0.0, 0.0, 0.0, 4.0, 2.0], 0.75, "where the test loss peaks late"),
        (down, [64 * x for x in down], [64 * x for x in up], 0.25, "where losses are large"),
        ([x / 256 for x in up], [x / 256 for x in down], down, 0.25, "where losses are small"),
        (flat, down, [8.0, 8.0, 8.0, 0.9, 0.7, 0.7, 0.7], 0.1, "where `fallen` is 0.1"),
        (down, flat, [8.0, 8.0, 7.9, 7.7, 7.5, 6.0, 6.0], 0.95, "where `fallen` is 0.95"),
    ):
        made = curves.Curves(steps, excluded, restricted, test)
        right = curves.phases(made, fallen)
        property = f"the phases end where they should {about}"
        _hold_ends(answer, _ends(answer, made, fallen), right, property=property)
    got = _ends(answer, curves.Curves([30], [1.0], [2.0], [3.0]), 0.5)
    property = "the phases end where they should for a single look"
    _hold_ends(answer, got, (30.0, math.inf, math.inf), property=property)
    answer.expect(
        True,
        property="so also where a loss never falls, falls and rises again or ties, for large and "
        "small losses and for a single look",
    )


@check
def check_random_frequencies(answer: Answer, *, seed: int = 0) -> None:
    """What a set may hold, what the seed decides, and how evenly sets are drawn."""
    random = inputs.generator(seed)
    for p, keys, n_draws in (
        (13, [5, 2], 6),
        (17, [8, 1, 4], 4),
        (59, [14, 3, 29, 22], 3),
        (11, [5], 5),
        (5, [1], 2),
        (13, [3, 6, 1], 3),
        (9, [2, 4], 1),
    ):
        _sets(answer, random, p, keys, n_draws)
    for p, keys, n_draws, property in (
        (13, [3, 6], 0, "for no draw at all, it returns an empty list"),
        (11, [], 3, "for no key at all, each set is an empty list"),
    ):
        with _about(answer, property, expected=str([[]] * n_draws)):
            _sets(answer, random, p, keys, n_draws)
    _hold_seed(answer, random)
    for p, keys in ((13, [3, 5]), (17, [2, 6, 7]), (11, [1])):
        drawn = _sets(answer, random, p, keys, N_DRAWS)
        _hold_spread(answer, p, keys, drawn, f"among {N_DRAWS} draws of one seed")
    p, keys, first = 13, [6, 1], int(inputs.integers(random, LARGEST_SEED))
    drawn = [_sets(answer, random, p, keys, 2, seed=first + i) for i in range(150)]
    _hold_spread(answer, p, keys, [sets[0] for sets in drawn], "among first draws of 150 seeds")


@check
def check_carried_by(answer: Answer, *, seed: int = 0) -> None:
    """What is said of models whose nature is known."""
    models, wrong = planted.planted_models(seed)
    said = []
    for given in models:
        got = answer(given.logits, given.frequencies, given.is_train, low=given.low)
        answer.expect(
            isinstance(got, str) and got in planted.NAMES.values(),
            property="it returns one of four words",
            misconception="spell it as the docstring does."
            if isinstance(got, str) and got.strip().lower() in planted.NAMES.values()
            else "",
            expected='"circuit", "memory", "both" or "neither"',
            got=repr(got)[:60] if isinstance(got, str) else f"a {type(got).__name__}",
        )
        said.append(got)
    missed = [given for given, got in zip(models, said, strict=True) if got != given.wanted]
    why = next((words for words, value in wrong.items() if value == said), "")
    if not why and len(set(said)) == 1:
        why = f'every model was called "{said[0]}".'
    got = said[models.index(missed[0])] if missed else ""
    answer.expect(
        not missed,
        property=f"it says so of {missed[0].about}"
        if missed
        else "models whose nature is known, "
        "with circuits, memories, both and neither, are all told rightly",
        misconception=why,
        expected=f'"{missed[0].wanted}"' if missed else "",
        got=f'"{got}", and {len(models) - len(missed)} of {len(models)} models told rightly',
    )


@contextmanager
def _about(
    answer: Answer, property: str, misconception: str = "", *, expected: str
) -> Iterator[None]:
    """Say what an answer was called with where it raises: what is empty can't be seen."""
    try:
        yield
    except CheckFailed as finding:
        if finding.result.status != "error":
            raise
        answer.fail(
            property=property,
            misconception=misconception,
            expected=expected,
            got=finding.result.got,
        )


# --------------------------------------------------------------------------------------- parts


def _part(answer: Answer, logits: Tensor, frequencies: list[int]) -> Tensor:
    """Call the answer, and hold that it gives logits."""
    p = len(logits)
    got = answer(logits, frequencies)
    if isinstance(got, Tensor) and got.shape == (2 * len(frequencies), p) and p > 3:
        answer.fail(
            property="it returns logits, for all a, b and c",
            misconception="these are coefficients; put the waves back, each as much as it is in.",
            expected=f"shape [a b c] = {[p, p, p]}",
            got=f"shape {list(got.shape)}",
        )
    if isinstance(got, Tensor) and got.shape == (p * p, p):
        answer.fail(
            property="it returns logits, for all a, b and c",
            misconception="the axis of pairs is to be a and b again: view(logits.shape).",
            expected=f"shape [a b c] = {[p, p, p]}",
            got=f"shape {list(got.shape)}",
        )
    return answer.tensor(got, shape=(p, p, p), dims="a b c", of="logits for all a, b and c")


def _waves(random: torch.Generator, p: int, frequencies: list[int], *kinds: str) -> Tensor:
    """Waves of some kinds with a size and a phase of their own for each number."""
    found = torch.zeros(p, p, p, dtype=torch.float64)
    for wave in known.waves(p, frequencies, *kinds):
        found += wave * inputs.normal(random, p, dtype=torch.float64)
    return found


def _hold_no_frequency(answer: Answer, logits: Tensor) -> None:
    """Hold that nothing is left for an empty list."""
    property = "no frequency at all leaves nothing: zeros for all a, b and c"
    why = "an empty list has to be let through; torch.stack and torch.cat need at least one tensor."
    with _about(answer, property, why, expected="zeros"):
        got = _part(answer, logits, [])
    answer.expect_close(got, torch.zeros(logits.shape), property=property, dims="a b c")


# -------------------------------------------------------------------------------------- losses


def _apart(right: float, wrong: Mapping[str, float]) -> bool:
    """Whether none of these wrong losses is the right one by accident."""
    return all(abs(value / right - 1) > 0.012 for value in wrong.values())


def _hold_loss(
    answer: Answer,
    given: Sequence[Any],
    right: float,
    *,
    property: str,
    misconceptions: Mapping[str, float],
    otherwise: Callable[[float, float], str] = lambda got, right: "",
) -> None:
    """Hold a loss to a thousandth of itself."""
    p, got = len(given[0]), answer(*given)
    if isinstance(got, Tensor) and got.ndim and got.numel() > 1:
        answer.fail(
            property="it returns one number",
            misconception="these are losses of single pairs; take their mean."
            if got.numel() in (p * p, int(given[-1].sum()) if len(given) > 2 else p * p)
            else "",
            expected="a single number",
            got=f"shape {list(got.shape)}",
        )
    value = answer.tensor(got, shape=(), of="the loss").double()
    answer.expect_close(
        value,
        right,
        property=property,
        misconceptions=dict(sorted(misconceptions.items(), key=lambda item: abs(item[1] - value))),
        otherwise=otherwise(float(value), right),
        atol=0.0,
        rtol=1e-3,
    )


def _hold_tiny_loss(answer: Answer, given: Sequence[Any], logits: Tensor, pairs: Tensor) -> None:
    """Hold a loss that float32 does not hold."""
    labels = known.answers(len(logits))[pairs]
    single = torch.nn.functional.cross_entropy(
        logits.float()[pairs], labels, reduction="none"
    ).double()
    right = known.mean_loss(logits, pairs)
    _hold_loss(
        answer,
        given,
        right,
        property="it is right to a thousandth of itself where it is as small as 1e-8",
        misconceptions={IN_FLOAT32: float(single.mean())},
        otherwise=_far_below,
    )


def _far_below(got: float, right: float) -> str:
    """What a loss far below 1e-7 that is not right means."""
    if got < 0:
        return "a loss below 0: a small number was added to the probability, for the log's sake."
    if got == 0:
        return IN_FLOAT32
    if got > 1e-5:
        return "it is far too large: something is kept, or taken away, that should not be."
    if abs(got / right - 1) < 0.5:
        return "it is close, but float64 is needed from the beginning."
    return "the loss is held away from 0, or is of other pairs."


def _cut_off(got: float, right: float) -> str:
    """What a large loss that is not right means."""
    if not math.isfinite(got):
        return "a probability was 0 before its logarithm was taken; log_softmax does both at once."
    return "the loss is cut off." if got < right else ""


# -------------------------------------------------------------------------------------- phases

ENDS = ("memorisation", "circuit formation", "clean-up")
WHERE_THEY_END = (
    "memorisation ends where the excluded loss is lowest, circuit formation and clean-up where, "
    "after its peak, a loss is first below `fallen` times it"
)


def _ends(answer: Answer, made: curves.Curves, fallen: float) -> curves.Phases:
    """Call the answer, and hold that three numbers come back."""
    losses = (torch.tensor(x) for x in (made.excluded, made.restricted, made.test))
    try:
        got = answer(torch.tensor(made.steps), *losses, fallen=fallen)
    except CheckFailed as finding:
        if finding.result.got != "None":
            raise
        answer.fail(
            property="it returns three numbers",
            misconception="a fall that does not come is at infinity: math.inf, not None. (If it is "
            "not that, a `return` is missing.)",
            expected="three steps, or infinity",
            got="None",
        )
    if isinstance(got, Tensor) and got.shape == (3,):
        got = got.tolist()
    names = ("memorisation", "circuit", "clean_up")
    values = zip(ENDS, answer.expect_tuple(got, names), strict=True)
    one, two, three = (
        float(answer.tensor(value, shape=(), of=f"the step at which {name} ends"))
        for name, value in values
    )
    return one, two, three


def _hold_ends(
    answer: Answer, got: curves.Phases, right: curves.Phases, *, property: str, why: str = ""
) -> None:
    if got == right:
        return
    off = [name for name, a, b in zip(ENDS, got, right, strict=True) if a != b]
    answer.fail(
        property=property,
        misconception=why
        or _of_never(got, right)
        or f"the end of {' and of '.join(off)} is not right.",
        expected=_steps(right),
        got=_steps(got),
    )


def _steps(values: Sequence[float]) -> str:
    return f"({', '.join(f'{value:g}' for value in values)})"


def _of_never(values: Sequence[float], right: Sequence[float]) -> str:
    for got, wanted in zip(values, right, strict=True):
        if math.isinf(wanted) and got != wanted:
            if math.isnan(got) or got == -math.inf or got < 0:
                return "a fall that does not come is at infinity: math.inf."
            return "the loss does not fall below that after its peak: infinity."
    return ""


# --------------------------------------------------------------------------------------- draws


def _sets(
    answer: Answer,
    random: torch.Generator,
    p: int,
    keys: list[int],
    n_draws: int,
    *,
    seed: int | None = None,
) -> list[list[int]]:
    """Call the answer, and hold all that each single set has to be."""
    if seed is None:
        seed = int(inputs.integers(random, LARGEST_SEED))
    with torch.random.fork_rng(devices=[]):  # nothing may hang on the state it finds
        torch.manual_seed(int(inputs.integers(random, LARGEST_SEED)))
        got = answer(p, keys, n_draws=n_draws, seed=seed)
    got = got.tolist() if isinstance(got, Tensor) else got
    if not isinstance(got, list | tuple):
        answer.fail(
            property="it returns a list of sets",
            got=f"a {type(got).__name__}",
        )
    answer.expect(
        len(got) == n_draws,
        property="there are `n_draws` sets",
        misconception="this is one set, or all in one list; each draw is a list of its own."
        if got and not isinstance(got[0], list | tuple | Tensor)
        else "",
        expected=f"{n_draws} of them for p = {p} and {len(keys)} keys",
        got=str(len(got)),
    )
    sets = [one.tolist() if isinstance(one, Tensor) else one for one in got]
    for one in sets:
        _hold_one(answer, p, keys, n_draws, one)
    return [[int(k) for k in one] for one in sets]


def _hold_one(answer: Answer, p: int, keys: list[int], n_draws: int, one: Any) -> None:
    """Hold that one set may be drawn."""
    if not isinstance(one, list | tuple) or not all(
        isinstance(k, int | float) and not isinstance(k, bool) and k == int(k) for k in one
    ):
        answer.fail(
            property="each set is a list of frequencies",
            misconception="draw `n_draws` sets, each a list." if isinstance(one, int) else "",
            got=str(one)[:60],
        )
    shown, highest = str(list(one))[:80], (p - 1) // 2
    answer.expect(
        all(1 <= k <= highest for k in one),
        property="frequencies are from 1 to (p - 1) / 2",
        misconception="0 is the constant, no frequency."
        if 0 in one
        else "frequencies above (p - 1) / 2 are those below once more.",
        expected=f"from 1 to {highest} for p = {p}",
        got=shown,
    )
    answer.expect(
        not set(one) & set(keys),
        property="no key frequency is in a set",
        misconception="draw from the frequencies that are left without `keys`.",
        expected=f"none of {keys}",
        got=shown,
    )
    answer.expect(
        len(set(one)) == len(one),
        property="the frequencies of a set are different",
        misconception="one that was drawn was put back.",
        got=shown,
    )
    answer.expect(
        len(one) == len(keys),
        property="there are as many frequencies in a set as in `keys`",
        misconception="`n_draws` is how many sets there are."
        if len(one) == n_draws
        else "there were too few to draw from. Is the highest, (p - 1) / 2, among them? A range "
        "ends before its last number."
        if len(one) < len(keys)
        else "",
        expected=f"{len(keys)}, for keys {keys}",
        got=f"{len(one)}: {shown}",
    )
    answer.expect(
        list(one) == sorted(one),
        property="the frequencies of a set are ascending",
        misconception="sort each set.",
        got=shown,
    )


def _hold_seed(answer: Answer, random: torch.Generator) -> None:
    """Hold that the seed decides, and nothing else does."""
    p, keys = 61, [3, 17, 8, 29]
    seeds = [int(inputs.integers(random, LARGEST_SEED)) for _ in range(4)]
    drawn = [_sets(answer, random, p, keys, 3, seed=seed) for seed in seeds]
    again = [_sets(answer, random, p, keys, 3, seed=seed) for seed in seeds]
    answer.expect(
        drawn == again,
        property="the same seed gives the same sets, whatever was drawn before",
        misconception="something random does not come from the seed: make a generator of it.",
        expected=str(drawn[0])[:80],
        got=str(next((b for a, b in zip(drawn, again, strict=True) if a != b), ""))[:80],
    )
    answer.expect(
        len({str(sets) for sets in drawn}) == len(drawn),
        property="another seed gives other sets",
        misconception="what is drawn does not come from the seed.",
        got=f"{str(drawn[0])[:80]} for more than one of 4 seeds",
    )
    answer.expect(
        all(len({str(one) for one in sets}) > 1 for sets in drawn),
        property="each draw is a new one",
        misconception="the same set comes every time: seed a generator once, before the loop, not "
        "at each draw.",
        got=str(drawn[0])[:80],
    )


def _hold_spread(
    answer: Answer, p: int, keys: list[int], drawn: list[list[int]], about: str
) -> None:
    """Hold that every possible set comes about as often as any other."""
    found = curves.spread(p, keys, drawn)
    others = curves.may_be_drawn(p, keys)
    if found.never == others[-1:]:
        why = f"{found.never[0]} is never drawn: the highest that may be is among them, too. "
        why += "(A range ends before its last number.)"
    elif found.never == others[:1]:
        why = f"{found.never[0]} is never drawn: the lowest that may be is among them."
    elif found.never:
        which = ", ".join(map(str, found.never))
        why = f"{which} {'is' if len(found.never) == 1 else 'are'} never drawn."
    elif found.n_kinds == len(others) < math.comb(len(others), len(keys)):
        why = "only some sets come up, as of frequencies that are neighbours."
    else:
        why = "some are drawn more often than others."
    answer.expect(
        found.z < TOO_UNEVEN,
        property="every set that may be drawn is as likely as any other",
        misconception=why,
        expected=f"{math.comb(len(others), len(keys))} sets alike, for p = {p} and keys {keys}",
        got=f"{found.n_kinds} sets {about}, {found.z:.0f} standard deviations more uneven than "
        "even draws",
    )
