"""Checks of `ch03_grokking/3_the_algorithm.ipynb`."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from mechcourse.checks import Answer, CheckFailed, check
from mechcourse.checks import _inputs as inputs
from mechcourse.checks.ch03_grokking import _the_algorithm as known
from mechcourse.checks.ch03_grokking import _the_algorithm_logits as logits_of
from mechcourse.checks.ch03_grokking import _the_algorithm_maps as maps

TEACHES = (
    "mechcourse.fourier.neuron_fve",
    "mechcourse.fourier.neuron_logit_map",
    "mechcourse.fourier.residual_share",
    "mechcourse.fourier.cosine_fit",
    "mechcourse.fourier.distance_irrelevance",
    "mechcourse.fourier.sum_waves",
)

CLOSE = 3e-4  # of a share: in float32, a mean far above what varies costs digits
OF_ROUNDING = (
    "what rounding leaves of a constant is divided by what rounding leaves: compare with a small "
    "number, not with 0."
)
OF_NOTHING = "0 / 0 is NaN: see to it where nothing varies."
N_OF_EACH = 3  # Clocks and Pizzas of each size


# --------------------------------------------------------------------- frequencies of activations


@check
def check_head_frequency_fve(answer: Answer, *, seed: int = 0) -> None:
    """Shares of four waves, on mixed attention and on waves whose share is known."""
    random = inputs.generator(seed)
    property = (
        "row i is the share of each head's variance over all pairs that the four waves of "
        "`frequencies[i]` explain, two of a and two of b"
    )
    for p, n_heads, frequencies, dtype in (
        (11, 4, [4, 1, 3], torch.float32),
        (7, 3, [2], torch.float64),
        (23, 2, [11, 2, 7, 5], torch.float32),
        (9, 1, [4, 3, 2, 1], torch.float64),
    ):
        while True:
            mixed = known.mixed(random, p, n_heads)
            attention = (0.5 + 0.45 * mixed / mixed.abs().amax(dim=(0, 1))).to(dtype)
            right = known.shares(attention, frequencies, known.OF_ONE)
            wrong = known.wrong_head_shares(attention, frequencies) if p == 11 else {}
            if known.told_apart(right, wrong):
                break
        _hold_shares(
            answer,
            attention,
            frequencies,
            right,
            property=property,
            what="head",
            misconceptions=wrong,
        )
    for about, table, right in known.attention_of_known_shares(random):
        _hold_shares(
            answer,
            table[..., None],
            [5, 2],
            torch.tensor(right)[:, None],
            property=f"it is so for attention that is {about}",
            what="head",
        )
    _hold_constants(answer, random, "head", "whose attention never varies", (0.0, 0.5))


@check
def check_neuron_frequency_fve(answer: Answer, *, seed: int = 0) -> None:
    """Shares of eight functions, on mixed activations and on those whose share is known."""
    random = inputs.generator(seed)
    property = (
        "row i is the share of each neuron's variance over all pairs that the eight functions of "
        "`frequencies[i]` explain: two waves of a, two of b, four products"
    )
    for p, n_neurons, frequencies, constant, dtype in (
        (11, 5, [4, 1, 3], 1.0, torch.float32),
        (7, 3, [2], 12.0, torch.float64),
        (23, 4, [11, 2, 7, 5], 12.0, torch.float32),
        (9, 1, [4, 3, 2, 1], 0.3, torch.float64),
    ):
        while True:
            activations = (constant + known.mixed(random, p, n_neurons)).relu().to(dtype)
            right = known.shares(activations, frequencies, known.ALL)
            wrong = known.wrong_neuron_shares(activations, frequencies) if p == 11 else {}
            if known.told_apart(right, wrong):
                break
        _hold_shares(
            answer,
            activations,
            frequencies,
            right,
            property=property,
            what="neuron",
            misconceptions=wrong,
        )
    for about, table, right in known.activations_of_known_shares(random):
        _hold_shares(
            answer,
            table[..., None],
            [5, 2],
            torch.tensor(right)[:, None],
            property=f"it is so for activations that are {about}",
            what="neuron",
        )
    _hold_constants(answer, random, "neuron", "that never varies", (0.0, 0.25))


@check
def check_neuron_clusters(answer: Answer, *, seed: int = 0) -> None:
    """Neurons by their best frequency: at the threshold, at a tie, with nothing to be had."""
    random = inputs.generator(seed)
    for n_neurons, frequencies, threshold in (
        (11, [7, 3, 5], 0.75),
        (9, [2, 9, 4, 1], 0.5),
        (6, [3], 0.25),
        (12, [6, 5], 0.875),
    ):
        while True:
            fve = maps.explained_by_few(random, len(frequencies), n_neurons, threshold)
            wrong = maps.wrong_clusters(fve, frequencies, threshold)
            right = maps.clusters(fve, threshold)
            if len(frequencies) < 3 or right not in wrong.values():
                break
        _hold_clusters(answer, fve, frequencies, threshold)
    for rows, frequencies, threshold, about in (
        ([[0.75, 0.25], [0.5, 0.25]], [4, 9], 0.875, "a threshold that nothing reaches"),
        ([[0.0, 0.5], [0.0, 0.0]], [4, 9], 0.0, "a threshold of 0, and a dead neuron"),
        ([[0.5], [0.5], [0.5]], [8, 2, 6], 0.25, "a neuron that three frequencies explain"),
        ([[0.1, 0.1], [0.2, 0.1], [0.9, 0.95]], [8, 2, 6], 0.85, "one frequency that has all"),
        ([[0.5, 0.25, 0.75, 1.0]], [1], 0.5, "a single frequency"),
    ):
        _hold_clusters(answer, torch.tensor(rows), frequencies, threshold, about)
    fve = torch.tensor([[0.96, 0.2, 0.94], [0.0, 0.3, 0.98]], dtype=torch.float64)
    for threshold in (0.1, 0.25, 0.95, 0.97):
        _hold_clusters(answer, fve, [5, 2], threshold, f"a threshold of {threshold}")


# ---------------------------------------------------------------------------- neurons to logits


@check
def check_neuron_logit_map(answer: Answer, *, seed: int = 0) -> None:
    """The product of two matrices, each row about its mean."""
    random = inputs.generator(seed)
    for n_neurons, d_model, p, dtype in (
        (5, 4, 7, torch.float32),
        (1, 3, 5, torch.float64),
        (4, 1, 9, torch.float32),
        (13, 6, 11, torch.float32),
        (3, 2, 23, torch.float64),
    ):
        W_out = inputs.normal(random, n_neurons, d_model) + 0.5
        # Each direction of the stream shifts all logits by as much; no prediction knows.
        W_U = inputs.normal(random, d_model, p) + 4 * inputs.normal(random, d_model, 1)
        W_out, W_U = W_out.to(dtype), W_U.to(dtype)
        got = answer.expect_close(
            answer(W_out, W_U),
            maps.logit_map(W_out, W_U),
            property="row by row, what a neuron adds to each logit for 1 of activation, less the "
            "row's mean over the numbers",
            dims="d_mlp p",
            misconceptions=maps.wrong_logit_maps(W_out, W_U) if n_neurons == 5 else {},
            atol=2e-4,
        )
        answer.expect_close(
            got.mean(dim=1),
            torch.zeros(n_neurons),
            property="each row has mean 0",
            dims="d_mlp",
            atol=2e-4,
        )


@check
def check_residual_outside(answer: Answer, *, seed: int = 0) -> None:
    """The norm outside some frequencies, on mixed maps and on those whose share is known."""
    random = inputs.generator(seed)
    for n_neurons, p, frequencies, dtype in (
        (9, 11, [4, 1], torch.float32),
        (3, 7, [2], torch.float64),
        (6, 23, [9, 2, 11], torch.float32),
        (8, 5, [2, 1], torch.float64),
    ):
        while True:
            table = maps.mixed_map(random, n_neurons, p, frequencies).to(dtype)
            right = maps.residual(table, frequencies)
            wrong = maps.wrong_residuals(table, frequencies) if p == 11 else {}
            if known.told_apart(right, wrong):
                break
        _hold_residual(
            answer,
            table,
            frequencies,
            right,
            property="the Frobenius norm of what is left of all rows without the waves of "
            "`frequencies`, over that of the whole map",
            misconceptions=wrong,
        )
    for about, table, right in maps.maps_of_known_residual(random):
        _hold_residual(answer, table, [5, 2], right, property=f"it is so for {about}")


# -------------------------------------------------------------------- the sum and the difference


@check
def check_sum_and_difference(answer: Answer, *, seed: int = 0) -> None:
    """Shares of waves of a + b and of a - b, on mixed tables and on those whose share is known."""
    random = inputs.generator(seed)
    for p, k, constant, dtype in (
        (7, 2, 0.5, torch.float32),
        (11, 5, 12.0, torch.float32),
        (9, 1, 12.0, torch.float64),
        (13, 4, -6.0, torch.float64),
        (23, 3, 0.0, torch.float32),
    ):
        while True:
            table = (constant + known.mixed_table(random, p, k)).to(dtype)
            right = known.sum_and_difference(table, k)
            wrong = known.wrong_sum_and_difference(table, k) if p == 7 else {}
            if known.told_apart(right, wrong):
                break
        _hold_sum_and_difference(
            answer,
            table,
            k,
            right,
            property="the shares of the variance over all pairs that waves of a + b, and waves of "
            "a - b, of this frequency explain",
            misconceptions=wrong,
        )
    for about, table, right in known.tables_of_known_shares(random):
        _hold_sum_and_difference(
            answer,
            table,
            5,
            torch.tensor(right),
            property=f"it is so for a table that is {about}",
        )
    for value in (0.0, 0.5):
        _hold_sum_and_difference(
            answer,
            torch.full((9, 9), value),
            2,
            torch.zeros(2),
            property="both are 0 for a table that never varies",
            otherwise=OF_ROUNDING if value else "",
        )


@check
def check_logit_fve(answer: Answer, *, seed: int = 0) -> None:
    """The fitted α_k and the share explained, on rough logits and on those made of cosines."""
    random = inputs.generator(seed)
    for p, frequencies, dtype in (
        (9, [4, 2], torch.float64),
        (7, [3, 1, 2], torch.float32),
        (11, [5], torch.float32),
    ):
        while True:
            logits = logits_of.rough_logits(random, p).to(dtype)
            alphas, share = logits_of.logit_fve(logits, frequencies)
            wrong = logits_of.wrong_alphas(logits, frequencies) if p == 9 else {}
            wrong_shares = logits_of.wrong_shares_of_fit(logits, frequencies) if p == 9 else {}
            if known.told_apart(alphas, wrong) and known.told_apart(share, wrong_shares):
                break
        fitted = logits_of.Fitted(logits, frequencies, alphas.tolist(), float(share))
        _hold_fit(answer, fitted, wrong_alphas=wrong, wrong_shares=wrong_shares)
    for p, alphas, sine, other, dtype, about in (
        (13, {4: 2.0, 1: -1.0}, 0.0, 0.0, torch.float32, "logits made of such cosines alone"),
        (11, {2: -1.5, 4: 3.0, 1: 0.5}, 0.0, 2.0, torch.float64, "logits with one more frequency"),
        (9, {3: 4.0, 1: 2.0}, 3.0, 0.0, torch.float32, "logits with a wave that is no cosine"),
        (7, {2: 1.0, 1: 0.0}, 0.0, 1.0, torch.float64, "a frequency that is not there"),
        (9, {2: 0.02}, 0.0, 0.01, torch.float64, "small logits"),
        (7, {1: 90.0, 2: 30.0}, 0.0, 0.0, torch.float32, "large logits"),
    ):
        fitted = logits_of.made_of(random, p, alphas, sine, other)
        fitted.logits = fitted.logits.to(dtype)
        _hold_fit(answer, fitted, about=f"{about}, with large offsets of the pairs")


# -------------------------------------------------------------------------------------- margins


@check
def check_widest_margin(answer: Answer, *, seed: int = 0) -> None:
    """Five waves that keep further apart than the paper's five do."""
    least = logits_of.papers_margin()
    _hold_margin(
        answer,
        least + 1e-6,  # by more than amplitudes may add up to above 1
        f"the margin is above {least:.4f}, which the paper's frequencies "
        f"{', '.join(map(str, logits_of.PAPERS))} have at equal amplitudes",
        "most sets of five frequencies do worse; hint 2 says how to look through many of them.",
    )


@check
def check_widest_margin__wider(answer: Answer, *, seed: int = 0) -> None:
    """A margin of 0.55 or more."""
    _hold_margin(
        answer,
        0.55,
        "the margin is at least 0.55",
        "few sets of five frequencies come near: look through more of them, and change amplitudes, "
        "too.",
    )


@check
def check_widest_margin__widest(answer: Answer, *, seed: int = 0) -> None:
    """A margin of 0.59 or more."""
    _hold_margin(
        answer,
        0.59,
        "the margin is at least 0.59",
        "no five frequencies reach it at equal amplitudes: take the best, and change amplitudes, "
        "too, a little at a time.",
    )


# ------------------------------------------------------------------------------- Clock or Pizza


@check
def check_distance_irrelevance(answer: Answer, *, seed: int = 0) -> None:
    """Values on random logits and hand-built models, and that they tell one kind from the other."""
    random = inputs.generator(seed)
    for p, dtype in (
        (7, torch.float32),
        (5, torch.float64),
        (11, torch.float32),
        (3, torch.float64),
    ):
        while True:
            logits = (2 * logits_of.rough_logits(random, p) + 5).to(dtype)
            right = logits_of.irrelevance(logits_of.rights(logits))
            wrong = logits_of.wrong_irrelevances(logits) if p == 7 else {}
            if known.told_apart(right, wrong):
                break
        _hold_irrelevance(
            answer,
            logits,
            right,
            property="the standard deviation of the right answer's logit among the pairs of one "
            "difference, averaged over the differences, over that among all pairs",
            misconceptions=wrong,
        )
    found: dict[str, list[float]] = {"Clock": [], "Pizza": []}
    for p in (7, 9, 13):
        for kind in ("Clock", "Pizza") * N_OF_EACH:
            model = logits_of.planted(random, kind, p)
            got = _hold_irrelevance(
                answer,
                model.logits,
                logits_of.irrelevance(logits_of.rights(model.logits)),
                property=f"it is so for a hand-built {kind}",
            )
            found[kind].append(got)
    answer.expect(
        min(found["Clock"]) > logits_of.LEAST_OF_A_CLOCK - 2 * CLOSE
        and max(found["Pizza"]) < logits_of.MOST_OF_A_PIZZA + 2 * CLOSE,
        property="it tells every hand-built Clock from every hand-built Pizza",
        expected=f"{logits_of.LEAST_OF_A_CLOCK} or more for a Clock, {logits_of.MOST_OF_A_PIZZA} "
        "or less for a Pizza",
        got=f"{min(found['Clock']):.3g} or more and {max(found['Pizza']):.3g} or less",
    )
    _hold_extremes(answer, random)


@check
def check_discrete_logarithm(answer: Answer, *, seed: int = 0) -> None:
    """Powers of the smallest generator, for primes whose smallest is anything from 2 to 19."""
    random = inputs.generator(seed)
    others = [p for p in logits_of.primes(13, 199) if p not in (23, 59, 113, 191)]
    drawn = [others[int(inputs.integers(random, len(others)))] for _ in range(3)]
    for p in (11, 7, 23, 3, 5, 41, 59, 113, 191, *drawn):
        _hold_order(answer, p)


# ----------------------------------------------------------------------------------- properties


def _hold_shares(
    answer: Answer,
    tables: Tensor,
    frequencies: list[int],
    want: Tensor,
    *,
    property: str,
    what: str,
    misconceptions: Mapping[str, Tensor] | None = None,
    otherwise: str = "",
) -> None:
    """Hold shares of the variance, [freq head] or [freq neuron]."""
    got = answer(tables, frequencies)
    n = tables.shape[2]
    shape = tuple(got.shape) if isinstance(got, Tensor) else None
    if shape == (len(tables) // 2, n) and shape != tuple(want.shape):
        answer.fail(
            property=property,
            misconception="there is a row for every frequency; only those of `frequencies` are "
            "asked for.",
            expected=f"shape [freq {what}] = {list(want.shape)}",
            got=f"shape {list(shape)}",
        )
    answer.expect_close(
        got,
        want,
        property=property,
        dims=f"freq {what}",
        misconceptions=misconceptions,
        otherwise=otherwise,
        atol=CLOSE,
    )


def _hold_constants(
    answer: Answer, random: torch.Generator, what: str, which: str, values: Sequence[float]
) -> None:
    """Hold that shares are 0 where nothing varies, and right beside it."""
    for p, frequencies, dtype in ((7, [3, 1], torch.float32), (9, [2], torch.float64)):
        for value in values:
            tables = (0.5 + 0.1 * known.mixed(random, p, 3)).to(dtype)
            tables[..., 1] = value
            names = known.OF_ONE if what == "head" else known.ALL
            want = torch.zeros(len(frequencies), 3, dtype=torch.float64)
            want[:, ::2] = known.shares(tables[..., ::2], frequencies, names)
            property = f"it is 0 for a {what} {which}, and right for the others"
            got = answer.tensor(
                _where_nothing_varies(answer, tables, frequencies, property=property),
                shape=tuple(want.shape),
                dims=f"freq {what}",
                of=property,
            ).double()
            if got[:, 1].isnan().any():
                why = OF_NOTHING
            elif got[:, 1].abs().amax() > CLOSE and value:
                why = OF_ROUNDING
            else:
                why = ""
            answer.expect_close(
                got,
                want,
                property=property,
                dims=f"freq {what}",
                otherwise=why,
                atol=CLOSE,
            )


def _where_nothing_varies(answer: Answer, *given: Any, property: str) -> Any:
    """Call the answer where it may divide by 0, and say so if it raises."""
    try:
        return answer(*given)
    except CheckFailed as finding:
        if finding.result.status == "error" and "ZeroDivisionError" in finding.result.got:
            answer.fail(
                property=property,
                misconception="see to it where nothing varies, before you divide.",
                got=finding.result.got,
            )
        raise


def _hold_clusters(
    answer: Answer, fve: Tensor, frequencies: list[int], threshold: float, about: str = ""
) -> None:
    """Hold one list of neurons for each frequency."""
    got = _lists(answer, answer(fve, frequencies, threshold=threshold), len(frequencies))
    rule = "each neuron is with the frequency that explains it best, if by more than `threshold`"
    right = maps.clusters(fve, threshold)
    wrong = maps.wrong_clusters(fve, frequencies, threshold)
    why = next((words for words, value in wrong.items() if value == got), "")
    if not why and [sorted(cluster) for cluster in got] == right:
        why = "neurons are not ascending."
    answer.expect(
        got == right,
        property=f"it is right for {about}" if about else rule,
        misconception=why if got != right else "",
        expected=f"{right} with threshold {threshold:g} and frequencies {frequencies}",
        got=_shown(got, 200),
    )


def _lists(answer: Answer, got: Any, n: int) -> list[list[int]]:
    """The answer as lists of whole numbers, one for each frequency."""
    property = "it returns one list of neurons for each of `frequencies`"
    if isinstance(got, dict):
        answer.fail(
            property=property,
            misconception="this is a dict; a list of lists in the order of `frequencies` is asked "
            "for.",
            got=f"a dict of {len(got)}",
        )
    if not isinstance(got, list | tuple | Tensor):
        answer.fail(property=property, expected=f"{n} lists", got=_kind(got))
    lists = _without_tensors(got)
    if not isinstance(lists, list | tuple) or not all(
        isinstance(one, list | tuple) for one in lists
    ):
        answer.fail(
            property=property,
            misconception="a list without lists in it says no frequency.",
            expected=f"{n} lists",
            got=_shown(got, 100),
        )
    if len(lists) != n:
        answer.fail(
            property=property,
            misconception="a frequency that has no neurons has a list, too: an empty one."
            if len(lists) < n
            else "only `frequencies` have lists: no other frequency, and no neurons that belong to "
            "none.",
            expected=f"{n} lists",
            got=f"{len(lists)}: {_shown(lists, 100)}",
        )
    members = [neuron for one in lists for neuron in one]
    if any(isinstance(neuron, bool) for neuron in members):
        answer.fail(
            property=property,
            misconception="these are masks; the places where they are True are asked for.",
            got=_shown(lists, 100),
        )
    if not all(_is_whole(neuron) for neuron in members):
        answer.fail(
            property=property,
            misconception="there are lists in the lists: nonzero() has a place as a row, and its "
            "column nonzero()[:, 0] is what is wanted."
            if any(isinstance(neuron, list | tuple) for neuron in members)
            else "these may be shares; neurons are named by their place.",
            got=_shown(lists, 100),
        )
    return [[int(neuron) for neuron in one] for one in lists]


def _hold_residual(
    answer: Answer,
    table: Tensor,
    frequencies: list[int],
    want: float,
    *,
    property: str,
    misconceptions: Mapping[str, float] | None = None,
) -> None:
    """Hold one number, the norm outside."""
    got = answer.tensor(answer(table, frequencies), shape=(), of="one number, a ratio of norms")
    why = ""
    if not want and 0 < float(got) < 0.1:
        why = "it is not exact: is something rounded, or is part of a wave left?"
    elif float(got) < 0:
        why = "a norm is never below 0."
    answer.expect_close(
        got,
        want,
        property=property,
        misconceptions=misconceptions,
        otherwise=why,
        # The root of 1 minus a share, in float32, is no better than this near 0.
        atol=CLOSE if want else 1e-3,
    )


def _hold_sum_and_difference(
    answer: Answer,
    table: Tensor,
    k: int,
    want: Tensor,
    *,
    property: str,
    misconceptions: Mapping[str, Tensor] | None = None,
    otherwise: str = "",
) -> None:
    """Hold the two shares at once."""
    got = _where_nothing_varies(answer, table, k, property=property)
    if isinstance(got, Tensor) and got.shape == (2,):
        got = got.tolist()
    names = ("share of a + b", "share of a - b")
    values = [
        answer.tensor(value, shape=(), of=name).double()
        for name, value in zip(names, answer.expect_tuple(got, names), strict=True)
    ]
    value = torch.stack(values)
    if value.isnan().any():
        otherwise = OF_NOTHING
    answer.expect_close(
        value,
        want,
        property=property,
        dims="share",
        misconceptions=misconceptions,
        otherwise=otherwise,
        atol=CLOSE,
    )


def _hold_fit(
    answer: Answer,
    fitted: logits_of.Fitted,
    *,
    about: str = "",
    wrong_alphas: Mapping[str, Tensor] | None = None,
    wrong_shares: Mapping[str, Tensor] | None = None,
) -> None:
    """Hold the amplitudes, and then the share explained."""
    names = ("α of each frequency", "share explained")
    got = answer(fitted.logits, fitted.frequencies)
    as_many = isinstance(got, list) and len(got) == len(fitted.frequencies)
    if as_many and not any(isinstance(one, list) or getattr(one, "ndim", 0) for one in got):
        answer.fail(
            property="it returns the α of each frequency, and the share explained",
            misconception="this is one list, the α alone it seems; return a tuple of two: the list "
            "and the share.",
            expected="(list of α, share)",
            got=f"a list of {len(got)}",
        )
    got = answer.expect_tuple(got, names)
    alphas = got[0]
    if isinstance(alphas, list | tuple):  # of tensors without axes, too
        alphas = [float(a) if isinstance(a, Tensor) and a.numel() == 1 else a for a in alphas]
    if isinstance(alphas, dict):
        answer.fail(
            property="it returns the α in the order of `frequencies`, and the share",
            misconception="this is a dict; a list in the order of `frequencies` is asked for.",
            got=f"a dict of {len(alphas)}",
        )
    size = max(abs(alpha) for alpha in fitted.alphas)
    answer.expect_close(
        alphas,
        torch.tensor(fitted.alphas, dtype=torch.float64),
        property=f"the α_k are right for {about}"
        if about
        else "the α_k, in the order of `frequencies`, leave the smallest sum of squares",
        dims="freq",
        misconceptions=wrong_alphas,
        atol=CLOSE * max(size, 0.02),
    )
    answer.expect_close(
        got[1],
        fitted.share,
        property=f"the share explained is right for {about}"
        if about
        else "the share is of the sum of squares about each pair's mean over c",
        misconceptions=wrong_shares,
        atol=CLOSE,
    )


def _hold_margin(answer: Answer, least: float, property: str, hint: str) -> None:
    """Hold five waves, and the margin that they have by their own numbers."""
    names = ("frequencies", "amplitudes")
    got = answer.expect_tuple(answer(), names)
    frequencies, amplitudes = (
        _five(answer, _without_tensors(values), name)
        for values, name in zip(got, names, strict=True)
    )
    _hold_frequencies(answer, frequencies)
    _hold_amplitudes(answer, amplitudes)
    reached, runner_up = logits_of.margin([int(k) for k in frequencies], amplitudes)
    answer.expect(
        reached >= least,
        property=property,
        misconception=f"at d = {runner_up} and d = {logits_of.P - runner_up} the sum is only "
        f"{reached:.4f} below its value at 0; {hint}",
        expected=f"a margin of {math.ceil(least * 1e4 - 1e-3) / 1e4:.4f} or more",
        got=f"{reached:.4f}",
    )


def _five(answer: Answer, values: Any, name: str) -> list[float]:
    n = logits_of.N_WAVES
    numbers = isinstance(values, list | tuple) and all(
        type(value) in (int, float) for value in values
    )
    answer.expect(
        numbers and len(values) == n,
        property=f"there are {n} {name}",
        expected=f"a list of {n} numbers",
        got=f"{len(values)} values" if numbers else f"{_kind(values)}: {_shown(values, 80)}",
    )
    return list(values)


def _hold_frequencies(answer: Answer, frequencies: list[float]) -> None:
    highest = logits_of.HIGHEST
    outside = [k for k in frequencies if not _is_whole(k) or not 1 <= k <= highest]
    why = ""
    if outside and all(_is_whole(k) and highest < k < logits_of.P for k in outside):
        why = f"frequency k is the same wave as {logits_of.P} - k: fold it back."
    elif 0 in outside:
        why = "frequency 0 is a constant, which keeps nothing apart."
    answer.expect(
        not outside,
        property=f"frequencies are whole numbers from 1 to {highest}",
        misconception=why,
        got=_shown(frequencies, 100),
    )
    answer.expect(
        len(set(frequencies)) == len(frequencies),
        property="the frequencies differ",
        misconception="one of them counts twice.",
        got=_shown(frequencies, 100),
    )


def _hold_amplitudes(answer: Answer, amplitudes: list[float]) -> None:
    answer.expect(
        all(amplitude >= logits_of.LEAST_BELOW_0 for amplitude in amplitudes),
        property="no amplitude is negative",
        misconception="a wave upside down is low at 0; the search left what is allowed.",
        got=_shown(amplitudes, 120),
    )
    total = math.fsum(min(amplitude, 1e9) for amplitude in amplitudes)  # what a float can hold
    answer.expect(
        abs(total - 1) <= 1e-6,
        property="the amplitudes sum to 1, to a millionth",
        misconception="divide them by their sum; a margin grows with it and says nothing else."
        if total
        else "",
        got=f"a sum of {total:.8g}",
    )


def _hold_irrelevance(
    answer: Answer,
    logits: Tensor,
    want: float,
    *,
    property: str,
    misconceptions: Mapping[str, float] | None = None,
    otherwise: str = "",
) -> float:
    """Hold one number, and return it."""
    got = _where_nothing_varies(answer, logits, property=property)
    got = answer.tensor(got, shape=(), of="one number, a ratio of deviations")
    return float(
        answer.expect_close(
            got,
            want,
            property=property,
            misconceptions=misconceptions,
            otherwise=otherwise,
            atol=CLOSE,
        )
    )


def _hold_extremes(answer: Answer, random: torch.Generator) -> None:
    """Hold logits of the right answer that are all alike, and that hang on one thing alone."""
    p = 7
    a, b, c = logits_of.numbers(p)
    right = (a + b - c) % p == 0
    others = inputs.normal(random, p, p, p, dtype=torch.float64)
    steps = torch.randperm(p, generator=random).double()

    def made(of_right: Tensor | float) -> Tensor:
        return torch.where(right, of_right, others)

    for about, of_right, want in (
        ("hangs on the difference a - b alone", steps[(a - b) % p], 0.0),
        ("hangs on the sum a + b alone", steps[(a + b) % p], 1.0),
        ("hangs on a alone", steps[a.expand(p, p, 1)], 1.0),
        ("hangs on b alone", steps[b.expand(p, p, 1)], 1.0),
    ):
        _hold_irrelevance(
            answer,
            made(of_right.expand(p, p, p)),
            want,
            property=f"it is {want:.0f} where the right answer's logit {about}",
        )
    for value in (2.5, 0.0):
        _hold_irrelevance(
            answer,
            made(torch.full((p, p, p), value, dtype=torch.float64)),
            1.0,
            property="it is 1 where the right answer's logit is the same for all pairs",
            otherwise="0 / 0: see to it where the right logit never varies; the difference says "
            "nothing about it then.",
        )


def _hold_order(answer: Answer, p: int) -> None:
    """Hold the powers of the smallest generator, one property after the other."""
    got = answer(p)
    found = _without_tensors(got)
    if not isinstance(found, list | tuple) or not all(_is_whole(n) for n in found):
        answer.fail(
            property="it returns a list of whole numbers",
            misconception="this is a dict; the numbers are asked for, in order."
            if isinstance(found, dict)
            else "",
            got=_kind(got),
        )
    found = [int(n) for n in found]
    g = logits_of.smallest_generator(p)
    right = logits_of.powers(p, g)
    why = next((w for w, wrong in logits_of.wrong_orders(p).items() if wrong == found), "")
    shown = f"{_shown(found)} for p = {p}"
    answer.expect(
        sorted(found) == list(range(1, p)),
        property="each of the numbers 1 to p - 1 is there once",
        misconception=why or _of_members(found, p),
        expected=f"{p - 1} numbers",
        got=shown,
    )
    follows = all(n * found[1] % p == after for n, after in pairwise(found))
    answer.expect(
        found[0] == 1 and follows,
        property="each number is the one before times g, modulo p, and the first is 1",
        misconception=why,
        expected=f"{_shown(right)}",
        got=shown,
    )
    answer.expect(
        found == right,
        property="g is the smallest number whose powers are all of 1 to p - 1",
        misconception=why,
        expected=f"g = {g} for p = {p}",
        got=f"g = {found[1]}",
    )


def _of_members(found: list[int], p: int) -> str:
    """What is wrong with the numbers of a list that is no order of 1 to p - 1."""
    if len(set(found)) < len(found):
        return (
            f"numbers come back before all were met: the powers of {found[1]} are not all of them, "
            "so it is not g."
            if len(found) > 1
            else ""
        )
    if 0 in found:
        return "0 is no power of anything modulo a prime."
    if any(n >= p for n in found):
        return "powers are taken modulo p."
    return "some numbers are missing: g must have all of them among its powers."


def _without_tensors(value: Any) -> Any:
    """Lists and numbers where there were tensors."""
    if isinstance(value, Tensor):
        return value.tolist()
    return [_without_tensors(one) for one in value] if isinstance(value, list | tuple) else value


def _shown(value: Any, limit: int = 80) -> str:
    """The beginning of a value's text."""
    text = str(value)
    return text if len(text) <= limit else f"{text[:limit]} …"


def _is_whole(value: Any) -> bool:
    return type(value) is int or (type(value) is float and value.is_integer())


def _kind(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {list(value.shape)}"
    return f"a {type(value).__name__}"
