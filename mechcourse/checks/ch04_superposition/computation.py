"""Checks of `ch04_superposition/4_computation.ipynb`."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from mechcourse.checks import Answer, check
from mechcourse.checks import _inputs as inputs
from mechcourse.checks.ch04_superposition import _computation as known
from mechcourse.checks.ch04_superposition import _computation_layers as planted

TEACHES = (
    "mechcourse.absolute_value.activations",
    "mechcourse.absolute_value.outputs",
    "mechcourse.absolute_value.rotated",
    "mechcourse.absolute_value.features_of_neurons",
    "mechcourse.absolute_value.axis_alignment",
)

EXACT = 2e-6  # of the largest input: what float32 leaves of a weight and its inverse

OF_BIAS = (
    "the bias is not 0, and any other shows: it is there without an input, or hides small ones."
)

Mistakes = Mapping[str, Callable[[], Tensor]]


# ----------------------------------------------------------------------------- a model's outputs


@check
def check_two_layer_outputs(answer: Answer, *, seed: int = 0) -> None:
    """More neurons than features and fewer, biases of both signs, one sample, one neuron."""
    random = inputs.generator(seed)
    for n, n_features, n_hidden, dtype in (
        (7, 4, 6, torch.float32),
        (3, 5, 2, torch.float64),
        (1, 2, 9, torch.float32),
        (5, 3, 1, torch.float64),
        (2, 1, 4, torch.float32),
    ):
        while True:
            given = _model(random, n, n_features, n_hidden, dtype)
            right = known.outputs(*given)
            wrong = known.wrong_outputs(*given) if n == 7 else {}
            if all(_apart(value(), right) for value in wrong.values()):
                break
        answer.expect_close(
            answer(*given),
            right,
            property="each output is ReLU(h W_out + b) with the neurons h = ReLU(x W_in)",
            dims="sample feature",
            misconceptions=wrong,
        )
    x = torch.tensor([[0.5, -2.0], [0.0, 0.0], [-1.0, 0.25]])
    W_in = torch.tensor([[1.0, -1.0, 2.0], [0.0, 0.5, 1.0]])
    W_out = torch.tensor([[1.0, 0.0], [-2.0, 4.0], [1.0, 1.0]])
    b = torch.tensor([0.25, -0.5])
    answer.expect_close(
        answer(x, W_in, W_out, b),
        torch.tensor([[0.75, 0.0], [0.25, 0.0], [0.0, 4.0]]),
        property="it gives outputs that were worked out by hand",
        dims="sample feature",
    )


def _model(
    random: torch.Generator, n: int, n_features: int, n_hidden: int, dtype: torch.dtype
) -> tuple[Tensor, ...]:
    """Inputs, both matrices and biases."""
    shapes = (n, n_features), (n_features, n_hidden), (n_hidden, n_features), (n_features,)
    x, W_in, W_out, b = (inputs.normal(random, *shape).to(dtype) for shape in shapes)
    return x, W_in, W_out, 0.7 * b


def _apart(a: Tensor, b: Tensor) -> bool:
    return not torch.allclose(a, b, atol=1e-3, rtol=1e-2)


# ------------------------------------------------------------------------------- absolute values


@check
def check_exact_absolute_value(answer: Answer, *, seed: int = 0) -> None:
    """Several n, inputs one at a time and together, small ones, large ones and none."""
    random = inputs.generator(seed)
    for n in (4, 1, 2, 7, 3, 9 + int(inputs.integers(random, 8))):
        W_in, W_out, b = _weights(answer, answer(n), n)

        def absolutes(x: Tensor, given: tuple = (W_in, W_out, b)) -> Tensor:
            into, out, bias = given
            return ((x @ into).clamp(min=0) @ out + bias).clamp(min=0)

        answer.expect_close(
            absolutes(torch.zeros(1, n).double()),
            torch.zeros(1, n),
            property="inputs of 0 give 0",
            dims="sample feature",
            otherwise=OF_BIAS,
            atol=1e-9,
        )
        of_bias = OF_BIAS if b.any() else ""
        _hold_absolutes(
            answer,
            absolutes,
            known.lone_inputs(n),
            "each output is |x| where one input is not 0",
            of_bias or _of_others(absolutes, n),
        )
        together = inputs.normal(random, 40, n, dtype=torch.float64)
        together = torch.cat([together, -together, together[:10].abs(), 100 * together[:10]])
        together[5, 0], together[6, -1] = 0, 0
        _hold_absolutes(
            answer,
            absolutes,
            together,
            "each output is |x| whatever the other inputs are",
            of_bias
            or "one input at a time was right, and many at once are not: somewhere a "
            "neuron or an output mixes inputs.",
        )
        _hold_absolutes(
            answer,
            absolutes,
            together[:20] / 1000,
            "small inputs have their absolute values, too",
            of_bias,
        )


def _of_others(absolutes: Callable[[Tensor], Tensor], n: int) -> str:
    """Whether an output answers to the input of another."""
    alone = torch.eye(n).double()
    others = (absolutes(alone) + absolutes(-alone)) * (1 - alone)
    if not others.any():
        return ""
    i, j = (others > 0).nonzero()[0].tolist()
    return f"with input {i} alone output {j} is not 0: it collects another input's neurons."


def _weights(answer: Answer, got: Any, n: int) -> tuple[Tensor, Tensor, Tensor]:
    """The three parts, of the shapes that 2n neurons have."""
    values = answer.expect_tuple(got, ("W_in", "W_out", "bias"))
    shapes = {
        "W_in": ((n, 2 * n), "feature hidden"),
        "W_out": ((2 * n, n), "hidden feature"),
        "the bias": ((n,), "feature"),
    }
    made = []
    for value, (name, (shape, dims)) in zip(values, shapes.items(), strict=True):
        of = f"{name} belongs to {n} input{'s' * (n > 1)} and {2 * n} neurons"
        made.append(answer.tensor(value, shape=shape, dims=dims, of=of).double())
        answer.expect(
            made[-1].isfinite().all(),
            property="all weights are finite",
            got=f"{name} with {int((~made[-1].isfinite()).sum())} values that are not",
        )
    return made[0], made[1], made[2]


def _hold_absolutes(
    answer: Answer,
    absolutes: Callable[[Tensor], Tensor],
    x: Tensor,
    property: str,
    otherwise: str,
) -> None:
    """Hold outputs in units of each sample's largest input, named mistakes first."""
    scale = x.abs().amax(dim=1, keepdim=True).clamp(min=1e-9)
    unit, n = x / scale, x.shape[1]
    answer.expect_close(
        absolutes(x) / scale,
        unit.abs(),
        property=property,
        dims="sample feature",
        misconceptions=known.wrong_absolutes(unit) if n == 4 else None,
        otherwise=otherwise,
        atol=EXACT,
        rtol=0,
    )


# --------------------------------------------------------------------------------- another basis


@check
def check_rotate_hidden(answer: Answer, *, seed: int = 0) -> None:
    """Turns, mirrors and a change of order; more neurons than features, and fewer."""
    random = inputs.generator(seed)
    for n_features, n_hidden, kind, dtype in (
        (2, 5, "turn", torch.float32),
        (7, 3, "turn", torch.float64),
        (6, 4, "mirror", torch.float32),
        (3, 6, "mirror", torch.float64),
        (5, 4, "order", torch.float32),
        (4, 1, "mirror", torch.float32),
        (1, 3, "turn", torch.float64),
    ):
        W_in = inputs.normal(random, n_features, n_hidden).to(dtype)
        W_out = inputs.normal(random, n_hidden, n_features).to(dtype)
        rotation = _orthogonal(random, n_hidden, kind).to(dtype)
        _hold_turned(answer, W_in, W_out, rotation, named=n_hidden in (3, 5) and n_features > 1)


def _orthogonal(random: torch.Generator, size: int, kind: str) -> Tensor:
    """An orthogonal matrix that differs from its inverse, where there is one of the size."""
    if kind == "order":
        return torch.eye(size)[:, torch.arange(size).roll(1)]
    turn = inputs.rotation(random, size)
    if kind == "mirror":
        turn[:, -1] *= -1
    return turn


def _hold_turned(
    answer: Answer, W_in: Tensor, W_out: Tensor, rotation: Tensor, *, named: bool
) -> None:
    """Hold both matrices, and what they do together."""
    into, out = answer.expect_tuple(answer(W_in, W_out, rotation), ("W_in", "W_out"))
    right_in, right_out = known.turned(W_in, W_out, rotation)
    mirrored = torch.det(rotation.double()) < 0
    got_in = answer.expect_close(
        into,
        right_in,
        property="W_in writes each hidden row h as h @ rotation",
        dims="feature hidden",
        misconceptions=known.wrong_read_ins(W_in, rotation) if named else None,
        otherwise="this `rotation` mirrors, and is to be taken as it is." if mirrored else "",
    )
    got_out = answer.expect_close(
        out,
        right_out,
        property="W_out is the old one, read in the new basis",
        dims="hidden feature",
        misconceptions=known.wrong_read_outs(W_in, W_out, rotation) if named else None,
        otherwise="this `rotation` mirrors; its inverse is still its transpose."
        if mirrored
        else "",
    )
    answer.expect_close(
        got_in @ got_out,
        known.product(W_in, W_out),
        property="without a ReLU the model's outputs stay as they were",
        dims="feature feature",
        atol=1e-4,
    )


# ------------------------------------------------------------------------------- polysemanticity


@check
def check_polysemanticity(answer: Answer, *, seed: int = 0) -> None:
    """A table counted by hand, with ties and dead neurons, and others with other rules."""
    random = inputs.generator(seed)
    while True:
        weights, right = _table(random)
        wrong = known.wrong_counts(weights, 0.5, 0.125)
        told = {tuple(value().tolist()) for value in wrong.values()} | {tuple(right.tolist())}
        if len(told) == len(wrong) + 1:  # each mistake gives counts of its own
            break
    _hold_counts(answer, weights, 0.5, 0.125, right, wrong)
    for n_features, n_neurons, cut, dead, dtype in (
        (5, 8, 0.25, 0.75, torch.float64),
        (9, 4, 0.3, 0.4, torch.float32),
        (4, 6, 1.0, 0.5, torch.float32),
        (12, 5, 0.0625, 1.5, torch.float64),
        (1, 7, 0.5, 0.75, torch.float32),
        (6, 1, 0.75, 0.01, torch.float32),
    ):
        weights = _rough(random, n_features, n_neurons, cut, dead).to(dtype)
        _hold_counts(answer, weights, cut, dead, known.counts(weights, cut, dead), {})


def _table(random: torch.Generator) -> tuple[Tensor, Tensor]:
    """The columns counted by hand, with rows, columns and their signs changed about."""
    table = torch.tensor([column for column, _ in known.BY_HAND.values()]).T
    right = torch.tensor([count for _, count in known.BY_HAND.values()])
    columns = torch.randperm(table.shape[1], generator=random)
    rows = torch.randperm(len(table), generator=random)
    signs = 1 - 2 * inputs.integers(random, 2, table.shape[1])
    return (table * signs)[rows][:, columns], right[columns]


def _rough(
    random: torch.Generator, n_features: int, n_neurons: int, cut: float, dead: float
) -> Tensor:
    """Neurons of very different sizes, without a weight so near a bound that rounding decides."""
    while True:
        sizes = 2.0 ** (inputs.integers(random, 5, n_neurons) - 2)
        weights = inputs.normal(random, n_features, n_neurons) * sizes
        largest = weights.abs().amax(dim=0)
        shares = weights.abs() / largest
        at_largest = weights.abs() == largest
        near_cut = ((shares - cut).abs() < 1e-3) & ~at_largest
        if not near_cut.any() and not ((largest - dead).abs() < 1e-3).any():
            return weights


def _hold_counts(
    answer: Answer, weights: Tensor, cut: float, dead: float, right: Tensor, wrong: Mistakes
) -> None:
    """Hold a number for each neuron."""
    n_features, n_neurons = weights.shape
    got = answer(weights, cut=cut, dead=dead)
    property = (
        "a neuron has the features whose weight is at least `cut` times the size of its largest, "
        "and none where that is below `dead`"
    )
    if isinstance(got, Tensor) and got.shape == (n_features,) != (n_neurons,):
        answer.fail(
            property=property,
            misconception="this is a number for each row, a feature; each column is a neuron.",
            expected=f"shape [neuron] = [{n_neurons}]",
            got=f"shape [{n_features}]",
        )
    answer.expect_close(
        got,
        right,
        property=property,
        dims="neuron",
        misconceptions=wrong,
        otherwise=f"this is with cut={cut:g} and dead={dead:g}: were both used?",
    )


# ----------------------------------------------------------------------- which basis is privileged


@check
def check_which_basis_is_privileged(answer: Answer, *, seed: int = 0) -> None:
    """Some seventy layers, linear ones and neurons; bases that are right, nearly right or not."""
    cases = planted.layers(inputs.generator(seed))
    said = [_basis(answer, case) for case in cases]
    missed = [(case, got) for case, got in zip(cases, said, strict=True) if got != case.wanted]
    if not missed:
        case, got, why = cases[0], said[0], ""
    else:
        why = planted.named(cases, said)
        if len(missed) > 1 and all(case.wanted == 0 and got is None for case, got in missed):
            why = "0 counts as False in Python, so that `... or None` makes None of basis 0."
        case, got = _told(missed)
    answer.expect(
        not missed,
        property=f"in all of {len(cases)} layers the neurons' basis is told from others, and None "
        "is said where it is not given or the layer was linear",
        misconception=why or (_why_missed(case, got) if missed else ""),
        expected=f"{_words(case.wanted)} for {case.about} ({len(case.bases)} given)",
        got=f"{_words(got)}, and {len(cases) - len(missed)} of {len(cases)} layers told rightly",
    )


def _words(verdict: int | None) -> str:
    return "None" if verdict is None else f"basis {verdict}"


def _basis(answer: Answer, case: planted.Layer) -> int | None:
    """The number that an answer says, or None, which is one of the right things to say here."""
    got = answer.or_none(case.hidden, case.bases)
    if got is None:
        return None
    property = "it returns the number of a basis, or None"
    if isinstance(got, bool) or (isinstance(got, Tensor) and got.dtype == torch.bool):
        answer.fail(
            property=property,
            misconception="whether there is one does not say which.",
            expected="a whole number or None",
            got=str(got) if isinstance(got, bool) else "a tensor of truth values",
        )
    if isinstance(got, str | list | tuple | dict):
        answer.fail(
            property=property,
            misconception="the number itself is asked for, or None itself, not in a text."
            if isinstance(got, str)
            else "one number is asked for, and where there is none, None itself.",
            expected="a whole number or None",
            got=f"a {type(got).__name__}",
        )
    number = float(answer.tensor(got, shape=(), of=property))
    if not number.is_integer() or not 0 <= number < len(case.bases):
        answer.fail(
            property=property,
            misconception="where there is none among those given, say None; no number stands for "
            "it."
            if number in (-1, len(case.bases))
            else "",
            expected=f"a whole number from 0 to {len(case.bases) - 1}, or None",
            got=f"{number:g}",
        )
    return int(number)


Missed = tuple[planted.Layer, int | None]


def _told(missed: list[Missed]) -> Missed:
    """The layer to tell of: one of the kind that was missed most often."""
    kinds = [_kind(*one) for one in missed]
    return missed[kinds.index(max(kinds, key=kinds.count))]


def _kind(case: planted.Layer, got: int | None) -> tuple[bool, bool, bool]:
    return case.linear, case.wanted is None, got is None


def _why_missed(case: planted.Layer, got: int | None) -> str:
    if case.wanted is not None and got is None:
        return (
            "nothing in this basis is below 0 but by rounding: is the test too strict, or is the "
            "layer written in the basis in another way than hidden @ bases[i]?"
        )
    lowest, below = _below(case, got)
    where = f"in basis {got}, {below} of {len(case.hidden)} samples go below 0, as far as {lowest}"
    if case.linear:
        return f"this layer was linear, and {where}: something else than a ReLU makes it look so."
    if case.wanted is None:
        return f"a ReLU was there, but {where}: the neurons' basis is not among those given."
    return f"a basis was taken for the neurons' that is not theirs: {where}."


def _below(case: planted.Layer, got: int | None) -> tuple[str, int]:
    """The lowest value in the basis that was named, and how many samples go clearly below 0."""
    z = case.hidden.double() @ case.bases[got or 0].double()
    clearly = -planted.CLEARLY * float(z.abs().max())
    return f"{float(z.min()):.3g}", int((z < clearly).any(dim=1).sum())
