"""Checks of `ch03_grokking/2_fourier_on_a_circle.ipynb`."""

from collections.abc import Mapping

import torch
from torch import Tensor

from mechcourse.checks import Answer, check
from mechcourse.checks import _inputs as inputs
from mechcourse.checks.ch03_grokking import _fourier_on_a_circle as known

TEACHES = (
    "mechcourse.fourier.fourier_basis",
    "mechcourse.fourier.fourier_norms",
    "mechcourse.fourier.frequency_shares",
    "mechcourse.fourier.key_frequencies",
    "mechcourse.fourier.fourier_2d",
    "mechcourse.fourier.wave_rows",
)

IN_ORDER = "the rows are the constant, cos 1, sin 1, cos 2, sin 2 and so on, each with norm 1"


@check
def check_fourier_basis(answer: Answer, *, seed: int = 0) -> None:
    """Rows in order, up to their signs, and orthonormal; no basis for even p."""
    for p in (7, 3, 5, 13, 113):
        got = answer.tensor(
            answer(p), shape=(p, p), dims="component p", of="a row for each component"
        ).double()
        want = known.basis(p)
        wrong = known.wrong_bases(p) if p == 7 else {}
        answer.expect_close(
            got,
            want * known.signs_of(got, want),
            property=IN_ORDER,
            dims="component number",
            misconceptions={
                words: rows * known.signs_of(got, rows) for words, rows in wrong.items()
            },
            otherwise=_of_one_row(got, want),
            atol=3e-5,
            rtol=0.0,
        )
        answer.expect_close(
            got @ got.T,
            torch.eye(p),
            property="the rows are orthonormal",
            dims="component component",
            atol=1e-4,
        )
    for p in (4, 2, 1, 114):
        answer.expect_error(
            "ValueError",
            p,
            property="it raises ValueError for p that is even, or less than 3",
            misconception="the waves of even p do not come in pairs: its highest has no sine."
            if p > 2
            else "there is no wave to be had then.",
        )


@check
def check_fourier_norms(answer: Answer, *, seed: int = 0) -> None:
    """Norms by frequency, on random tables and on waves of any phase."""
    random = inputs.generator(seed)
    for p, n_columns in ((9, 4), (5, 7), (3, 2), (31, 1), (113, 6)):
        table = 2 * inputs.normal(random, p, n_columns) + inputs.normal(random, 1, n_columns)
        answer.expect_close(
            _norms(answer, table),
            known.norms(table),
            property="entry k is the root of the sum of squares of the coefficients of cos k and "
            "sin k in all columns, and entry 0 that of the constant's",
            dims="freq",
            misconceptions=known.wrong_norms(table) if p == 9 else {},
            atol=1e-4,
        )
    for p, k in ((11, 2), (7, 3), (59, 17)):
        x = torch.arange(p)[:, None]
        phases = 6.3 * torch.rand(3, generator=random)
        sizes = torch.tensor([1.0, 3.0, 0.5])
        table = sizes * (2 * torch.pi * k / p * x + phases).cos() + torch.tensor([0.0, 2.0, -1.0])
        right = torch.zeros((p + 1) // 2)
        right[0], right[k] = (5 * p) ** 0.5, (p / 2 * sizes.square().sum()) ** 0.5
        answer.expect_close(
            _norms(answer, table),
            right,
            property="a wave of one frequency has all its norm there, whatever its phase in each "
            "column, and the constant apart",
            dims="freq",
            atol=1e-3,
        )
    table = torch.full((5, 3), -2.0)
    answer.expect_close(
        _norms(answer, table),
        torch.tensor([60.0**0.5, 0, 0]),
        property="a constant table has a constant, and it is a norm, never below 0",
        dims="freq",
        atol=1e-3,
    )


@check
def check_key_frequencies(answer: Answer, *, seed: int = 0) -> None:
    """Which norms reach a share of the largest, the constant apart."""
    random = inputs.generator(seed)
    for n, threshold in ((14, 0.25), (12, 0.5), (16, 0.125), (20, 0.75)):
        while True:
            norms = _sixteenths(random, n, threshold)
            wrong = known.wrong_keys(norms, threshold)
            right = known.keys(norms, threshold)
            if 2 < len(right) < n - 3 and right not in wrong.values():
                break
        _hold_keys(answer, norms, threshold, wrong)
    for norms, threshold, about in (
        ([0.0, 0.5, 0.25, 0.0, 1.0], 0.25, "no constant at all"),
        ([64.0, 0.5, 0.25, 0.0, 1.0], 0.25, "a constant larger than all else"),
        ([0.0, 0.0, 0.0], 0.5, "nothing at all"),
        ([3.0, 0.0, 0.0, 0.0], 0.25, "nothing but the constant"),
        ([1.0, 0.5], 1.0, "a single frequency"),
        ([1.0, 0.5, 0.5, 0.25], 1.0, "a threshold of 1, which the largest alone reach"),
        ([1.0, 2e-3, 4e-3, 1e-3, 0.0], 0.25, "norms that are all small"),
        ([1.0, 512.0, 64.0, 256.0, 128.0], 0.25, "norms that are all large"),
    ):
        _hold_keys(answer, norms, threshold, {}, about)
    answer.expect(
        True, property="so also without a constant, with a large one, and where there is nothing"
    )


@check
def check_two_dimensional_fourier(answer: Answer, *, seed: int = 0) -> None:
    """Coefficients of random tables and of single products; energies, and the way back."""
    random = inputs.generator(seed)
    for p in (7, 5, 3, 11):
        table = inputs.normal(random, p, p) + 0.7
        got = _coefficients(answer, table)
        want = known.coefficients(table)
        wrong = known.wrong_coefficients(table) if p == 7 else {}
        answer.expect_close(
            got,
            known.aligned(want, got),
            property="entry [i, j] is the sum of the table times row i of the basis at a and row j "
            "at b",
            dims="of_a of_b",
            misconceptions={words: known.aligned(value, got) for words, value in wrong.items()},
            otherwise=_of_signs(got, want),
            atol=1e-4,
        )
    p = 13
    x = torch.arange(p)
    a, b = 2 * torch.pi * x[:, None] / p, 2 * torch.pi * x / p
    for table, places, about in (
        ((3 * a).cos().expand(p, p), {(5, 0)}, "a wave of a alone"),
        ((2 * b).sin().expand(p, p), {(0, 4)}, "a wave of b alone"),
        ((4 * a).sin() * b.cos(), {(8, 1)}, "a product of two waves"),
        ((5 * (a + b)).cos(), {(9, 9), (10, 10)}, "the cosine of a sum, two products"),
        ((6 * (a + b)).sin(), {(11, 12), (12, 11)}, "the sine of a sum, two products"),
        (torch.full((p, p), 2.0), {(0, 0)}, "a constant"),
    ):
        got = _coefficients(answer, table.contiguous())
        found = {tuple(place) for place in (got.abs() > 1e-3).nonzero().tolist()}
        if found != places:
            answer.fail(
                property=f"for {about} all other entries are 0",
                misconception="a and b are in each other's place."
                if {(j, i) for i, j in found} == places
                else "",
                expected=f"something at {sorted(places)} only",
                got=f"at {sorted(found)[:6]}{', …' * (len(found) > 6)}",
            )
        answer.expect_close(
            got.square().sum(),
            table.double().square().sum(),
            property="squares of coefficients add up to the squares of the table",
        )
    answer.expect(
        True, property="single waves and products are at their places, and all other entries 0"
    )


@check
def check_is_fourier_sparse(answer: Answer, *, seed: int = 0) -> None:
    """Accuracy on embeddings whose nature is known, kind by kind."""
    judged: dict[known.Kind, list[bool]] = {}
    for hidden in known.hidden_embeddings(seed):
        got = answer.tensor(answer(hidden.W_E), shape=(), of="one truth value")
        answer.expect(
            got.dtype == torch.bool or bool((got == 0) | (got == 1)),
            property="it returns True or False",
            misconception="this is a score; say from where on an embedding counts as sparse.",
            got=f"{float(got):.3g}",
        )
        judged.setdefault(hidden.kind, []).append(bool(got) == hidden.sparse)
    _hold_judgements(answer, judged)


# --------------------------------------------------------------------------------- properties


def _of_one_row(got: Tensor, want: Tensor) -> str:
    """Which rows are wrong, where it is only a few."""
    off = ((got - want * known.signs_of(got, want)).abs() > 3e-5).any(dim=1).nonzero().flatten()
    rows = off.tolist()
    if not rows or len(rows) == len(got):
        return ""
    if len(rows) > 6:
        return "some rows are as they should be, and most are not."
    return f"only row{'s' * (len(rows) > 1)} {', '.join(map(str, rows))} differ" + (
        "s." if len(rows) == 1 else "."
    )


def _norms(answer: Answer, table: Tensor) -> Tensor:
    """Call the answer, and hold that it gives norms for the constant and all frequencies."""
    got = answer(table)
    p = len(table)
    shape = tuple(got.shape) if isinstance(got, Tensor) else None
    meant = known.wrong_shapes_of_norms(p)
    if p > 5 and shape in meant:
        answer.fail(
            property="there is an entry for the constant and one for each frequency",
            misconception=meant[shape],
            expected=f"shape [freq] = {[(p + 1) // 2]}",
            got=f"shape {list(shape)}",
        )
    return answer.tensor(got, shape=((p + 1) // 2,), dims="freq", of="a norm for each frequency")


def _sixteenths(random: torch.Generator, n: int, threshold: float) -> list[float]:
    """Norms in exact parts, the constant's largest, one of them just at the threshold."""
    norms = inputs.integers(random, 128, n).double() / 16
    norms[1 + int(inputs.integers(random, n - 1))] = 8.0
    free = [i for i in range(1, n) if norms[i] != 8.0]
    norms[free[int(inputs.integers(random, len(free)))]] = 8.0 * threshold
    norms[0] = 12.0
    return norms.tolist()


def _hold_keys(
    answer: Answer,
    norms: list[float],
    threshold: float,
    wrong: Mapping[str, list[int]],
    about: str = "",
) -> None:
    property = "the frequencies whose norm is at least `threshold` times the largest one's"
    got = answer(torch.tensor(norms), threshold=threshold)
    right = known.keys(norms, threshold)
    found = got.tolist() if isinstance(got, Tensor) else got
    if not isinstance(found, list | tuple) or not all(
        isinstance(k, int | float) and k == int(k) for k in found
    ):
        answer.fail(
            property="it returns a list of frequencies",
            misconception="these are norms, or a mask; their places are asked for."
            if isinstance(found, list)
            else "",
            expected="whole numbers from 1 on",
            got=str(found)[:60],
        )
    if any(isinstance(k, bool) for k in found):
        answer.fail(
            property="it returns a list of frequencies",
            misconception="this is a mask; the places where it is True are asked for.",
            got=f"{len(found)} truth values",
        )
    found = [int(k) for k in found]
    why = next((words for words, value in wrong.items() if value == found), "")
    if not why and sorted(found) == right:
        why = "they are not ascending."
    if not why and not any(norms[1:]):
        why = "where all norms are 0 each of them reaches the threshold, which is 0: there is none."
    if found != right:
        answer.fail(
            property=f"{property}, ascending" + f", and so for {about}" * bool(about),
            misconception=why,
            expected=str(right),
            got=str(found)[:100],
        )
    if not about:
        answer.expect(True, property=f"{property}, ascending")


def _coefficients(answer: Answer, table: Tensor) -> Tensor:
    p = len(table)
    return answer.tensor(
        answer(table), shape=(p, p), dims="component component", of="all coefficients"
    ).double()


def _of_signs(got: Tensor, want: Tensor) -> str:
    """What is to be said where only signs differ, in no way that a basis could explain."""
    if got.shape == want.shape and torch.allclose(got.abs(), want.abs(), atol=1e-4):
        return "sizes are right, but not signs: a and b need the same basis."
    return ""


def _hold_judgements(answer: Answer, judged: Mapping[known.Kind, list[bool]]) -> None:
    """Hold the accuracy on each kind of embedding, and name the one misjudged most."""
    kind, missed, total = known.misjudged(judged)
    sparse = [right for name in known.SPARSE for right in judged[name]]
    others = [
        right for name, rights in judged.items() if name not in known.SPARSE for right in rights
    ]
    called = "not called" if kind in known.SPARSE else "called"
    answer.expect(
        all(rights.count(False) <= known.allowed(len(rights)) for rights in judged.values()),
        property="at least 95 % of each kind of embedding are told rightly",
        misconception=f"of {total} embeddings {known.KINDS[kind]}, {missed} were {called} sparse.",
        expected="95 % or more of every kind",
        got=f"{sparse.count(True) / len(sparse):.0%} of {len(sparse)} that are sparse and "
        f"{others.count(True) / len(others):.0%} of {len(others)} that are not",
    )
