"""Checks of `ch04_superposition/3_phase_diagram.ipynb`."""

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

import torch
from torch import Tensor

from mechcourse.checks import Answer, check
from mechcourse.checks import _inputs as inputs
from mechcourse.checks.ch04_superposition import _phase_diagram as known
from mechcourse.checks.ch04_superposition import _phase_diagram_phases as planted
from mechcourse.checks.ch04_superposition import _phase_diagram_samples as sampled

TEACHES = (
    "mechcourse.phase_diagram.loss_of_ignoring",
    "mechcourse.phase_diagram.loss_of_antipodes",
    "mechcourse.phase_diagram.phase_boundary",
    "mechcourse.phase_diagram.candidate_losses",
    "mechcourse.phase_diagram.predicted_phase",
    "mechcourse.phase_diagram.phase_of",
    "mechcourse.phase_diagram.monte_carlo_loss",
    "mechcourse.exact_loss.expected_loss",
)

LARGEST_SEED = 2**22  # a thousand times as much is still a seed for NumPy
EXACT = 1e-5  # of a number: what float32 can do, and no sampling
N_SEEDS = 12
N_SMALL = 64
FROM_SEED = "draw everything from torch.Generator().manual_seed(seed)."
SHARED = "all samples of a call share something that should be drawn for each of them."
Estimate = tuple[float, float]


@check
def check_monte_carlo_loss(answer: Answer, *, seed: int = 0) -> None:
    """What the seed does, the means, inputs without features, and the errors."""
    random = inputs.generator(seed)
    models = sampled.models(seed)
    steps = 1 + inputs.integers(random, LARGEST_SEED // N_SEEDS, N_SEEDS)
    seeds = steps.cumsum(0).tolist()  # no two alike
    estimates = [[_estimate(answer, random, model, one) for one in seeds] for model in models]
    _hold_seeds(answer, random, models, estimates, seeds)
    means = [fmean(loss for loss, _ in found) for found in estimates]
    words = _why_means(models, means)
    if not words:  # else the way to draw is what is wrong, and where nothing is drawn none is seen
        _hold_no_features(answer, random)
    words = words or SHARED * (max(map(_scatter, estimates)) > 4)
    _hold_means(answer, models, means, words)
    _hold_errors(answer, models, estimates)
    _hold_lone_samples(answer, random)
    _hold_agreement(answer, estimates)
    for n, m in ((3, 4), (1, 1)):
        W = torch.eye(n, m) @ inputs.rotation(random, m) if m > 1 else -torch.ones(1, 1)
        perfect = sampled.Model(W, torch.zeros(n), 1 + torch.rand(n, generator=random), 0.6, 5)
        got = _estimate(answer, random, perfect, seeds[0])
        answer.expect(
            max(map(abs, got)) < 1e-5,
            property="a model that gives back what it gets has no loss and no error",
            misconception="something other than x itself is what should come out, or x is below 0.",
            expected="(0, 0)",
            got=_pair(got),
        )


@check
def check_loss_of_ignoring(answer: Answer, *, seed: int = 0) -> None:
    """The least loss of a constant, over probabilities from 0 to 1 and importances."""
    random = inputs.generator(seed)
    cases = [(p, i * _about_1(random)) for p, i in _grid((0.013, 0.17, 0.5, 0.83), (0.3, 1.0, 7.0))]
    cases += [(_about_1(random) * 1e-4, 2.0), (1.0, 1.7), (1.0, 0.2), (0.31, 0.0), (0.0, 1.3)]
    _hold_numbers(
        answer,
        cases,
        known.ignoring,
        known.IGNORING_MISTAKES,
        property="the importance times the feature's variance: the expected squared error of the "
        "best constant, exactly",
        names=("p", "importance"),
    )


@check
def check_loss_of_antipodes(answer: Answer, *, seed: int = 0) -> None:
    """The loss of two features in one dimension, for unequal importances either way round."""
    random = inputs.generator(seed)
    cases = [
        (p, first * _about_1(random), second * _about_1(random))
        for p in (0.02, 0.3, 0.77, 1.0)
        for first, second in ((1.0, 0.4), (0.25, 1.6), (3.0, 5.0))
    ]
    cases += [(0.6, 0.0, 1.2), (0.6, 2.2, 0.0), (0.0, 1.0, 2.0), (1e-4, 1.0, 1.0)]
    _hold_numbers(
        answer,
        cases,
        known.sharing,
        known.SHARING_MISTAKES,
        property="the expected loss of both features together, each by its own importance, exactly",
        names=("p", "first", "second"),
    )


@check
def check_phase_boundary(answer: Answer, *, seed: int = 0) -> None:
    """The boundary, for a second feature that is less important, as important, and more."""
    random = inputs.generator(seed)
    cases = [(i * _about_1(random),) for i in (1e-4, 0.03, 0.1, 0.4, 0.8, 1.3, 2.5, 11.0, 400.0)]
    cases += [(1.0,), (0.999,), (1.001,)]
    _hold_numbers(
        answer,
        cases,
        known.boundary,
        known.BOUNDARY_MISTAKES,
        property="below the boundary sharing costs less than ignoring the second feature and less "
        "than ignoring the first, above it no longer",
        names=("importance",),
    )


@check
def check_phase_of(answer: Answer, *, seed: int = 0) -> None:
    """Models of several sizes near one of several candidates, then candidates equally close."""
    cases = planted.telling_cases(seed)
    said = [_name(answer, case) for case in cases]
    missed = [(case, got) for case, got in zip(cases, said, strict=True) if got != case.wanted]
    why = next(
        (
            words
            for words, choose in planted.WRONG_CHOICES.items()
            if missed and all(got in choose(case) for case, got in zip(cases, said, strict=True))
        ),
        "",
    )
    case, got = missed[0] if missed else (cases[0], "")
    answer.expect(
        not missed,
        property="the candidate is named for which the Frobenius norm of W Wᵀ less its own such "
        "table is least, whatever W's rotation",
        misconception=why,
        expected=f'"{case.wanted}" for {len(case.W)} features in {case.W.shape[1]} dimensions',
        got=f'"{got}", and {len(cases) - len(missed)} of {len(cases)} models told rightly',
    )
    for case in planted.ties(seed):
        got = _name(answer, case)
        names = list(case.candidates)
        close = [n for n, C in case.candidates.items() if _same_distance(case, C)]
        answer.expect(
            got == case.wanted,
            property="of candidates that are equally close it is the first in the dict",
            misconception="it is the first by the alphabet."
            if got == min(close)
            else "it is the last of them."
            if got == close[-1]
            else "it is not one of the closest.",
            expected=f'"{case.wanted}" of {", ".join(names)}, where {", ".join(close)} are alike',
            got=f'"{got}"',
        )
    ideal = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    for W, property in (
        (torch.zeros(3, 2), "a model of zeros alone has a closest candidate too"),
        (5 * ideal, "a single candidate is the closest, however far away"),
    ):
        got = _name(answer, planted.Case(W, {"only": ideal}, "only"))
        answer.expect(got == "only", property=property, expected='"only"', got=f'"{got}"')


@check
def check_phases_of_best(answer: Answer, *, seed: int = 0) -> None:
    """Odds against every choice there is; then k of 1 and of all, one phase, one model."""
    cases = known.draws(seed)
    said = [
        _odds(answer, losses, phases, k, double=bool(i % 2))
        for i, (losses, phases, k) in enumerate(cases)
    ]
    right = [known.best_of(*case) for case in cases]
    off = [i for i, got in enumerate(said) if known.apart(right[i], got, 1e-5)]
    odd = [j for j in off if not abs(sum(said[j].values()) - 1) < 0.05]
    i = next(iter(odd + off), 0)  # what does not add up to 1 is shown first: it is spoken of
    answer.expect(
        not off,
        property="each phase's probability is the part of all choices of k models whose best model "
        "is of that phase",
        misconception=_why_odds(said, right, cases) if off else "",
        expected=_shown(right[i]) + _of(cases[i]),
        got=_shown(said[i]),
    )
    losses, phases, _ = cases[0]
    best = phases[losses.index(min(losses))]
    for given, k, about in (
        ((losses, phases), 1, "for k = 1 each phase has its share of the models"),
        ((losses, phases), len(losses), f"for k = all the best model's phase, {best}, is certain"),
        (([0.3], ["lone"]), 1, "a single model's phase is certain"),
        ((losses, ["same"] * len(losses)), 3, "a phase that all models have is certain"),
        (([2e-4, 3e-5, 9e-5, 7e-5], list("xyxx")), 3, "losses of any size will do"),
        (([20.0, 31.0, 9.0, 70.0], list("uvwv")), 2, "losses of any size will do"),
    ):
        got = _odds(answer, *given, k)
        wanted = known.best_of(*given, k)
        answer.expect(
            not known.apart(wanted, got, 1e-5),
            property=about,
            expected=_shown(wanted),
            got=_shown(got),
        )


# ------------------------------------------------------------------------------ numbers


def _about_1(random: torch.Generator) -> float:
    """A number near 1 that nobody knows: between 0.9 and 1.1."""
    return 0.9 + 0.2 * float(torch.rand(1, generator=random))


def _grid(ps: Sequence[float], importances: Sequence[float]) -> list[tuple[float, float]]:
    return [(p, i) for p in ps for i in importances]


def _hold_numbers(
    answer: Answer,
    cases: Sequence[tuple[float, ...]],
    truth: Callable[..., float],
    mistakes: Mapping[str, Callable[..., float]],
    *,
    property: str,
    names: Sequence[str],
) -> None:
    """Hold the answer at all cases at once, so that a mistake is known by all of its values."""
    values = [answer.tensor(answer(*case), shape=(), of="one number") for case in cases]
    got, right = [float(value) for value in values], [truth(*case) for case in cases]
    wrong = {words: [mistake(*case) for case in cases] for words, mistake in mistakes.items()}
    if answer.audit:
        for words, mistaken in wrong.items():
            same = all(map(_near, mistaken, right, [10 * EXACT] * len(right)))
            assert not same, f"{answer.exercise}: these inputs do not expose: {words}"
    off = [i for i, (a, b) in enumerate(zip(got, right, strict=True)) if not _near(a, b)]
    worst = max(off, key=lambda i: abs(got[i] - right[i]) / (right[i] or 1.0), default=0)
    words = next((w for w, mistaken in wrong.items() if all(map(_near, got, mistaken))), "")
    at = ", ".join(f"{n} = {value:.4g}" for n, value in zip(names, cases[worst], strict=True))
    answer.expect(
        not off,
        property=property,
        misconception=words or (_about_numbers(got, right) if off else ""),
        expected=f"{right[worst]:.6g} for {at}",
        got=f"{got[worst]:.6g}",
    )


def _near(got: float, wanted: float, rtol: float = EXACT) -> bool:
    return abs(got - wanted) <= rtol * abs(wanted) + 1e-12


def _about_numbers(got: Sequence[float], right: Sequence[float]) -> str:
    """What can be said of numbers that no mistake explains."""
    if not all(map(math.isfinite, got)):
        return "not every result is a finite number."
    if max(got) - min(got) < 1e-9:
        return f"it is {got[0]:.4g} whatever the arguments are."
    if all(abs(a - b) <= 5.1e-5 for a, b in zip(got, right, strict=True)):
        return "it is close, but rounded, or found on a grid; it should be exact."
    if all(abs(a - b) <= 0.05 * b + 1e-6 for a, b in zip(got, right, strict=True)):
        return "it is close, but not exact: sampling, or a sum over a coarse grid, is not enough."
    ratios = [a / b for a, b in zip(got, right, strict=True) if b]
    if max(ratios) - min(ratios) < 1e-4 * abs(max(ratios)):
        return f"it is {ratios[0]:.4g} times what it should be, everywhere."
    off = [a - b for a, b in zip(got, right, strict=True) if not _near(a, b)]
    where = "too small" if max(off) < 0 else "too large" if min(off) > 0 else ""
    return f"it is {where} or right everywhere." if where else ""


# ------------------------------------------------------------------------------ estimates


def _estimate(answer: Answer, random: torch.Generator, model: sampled.Model, seed: int) -> Estimate:
    """Call the answer, and hold that two numbers come back."""
    with torch.random.fork_rng(devices=[]):  # nothing may hang on the state it finds
        torch.manual_seed(int(inputs.integers(random, LARGEST_SEED)))
        got = answer(
            model.W, model.b, model.p, model.importance, n_samples=model.n_samples, seed=seed
        )
    if isinstance(got, Tensor) and got.shape == (2,):
        got = got.tolist()
    loss, error = answer.expect_tuple(got, ("loss", "error"))
    for value in (loss, error):
        if isinstance(value, Tensor) and value.numel() > 1:
            answer.fail(
                property="both results are single numbers, over all samples",
                misconception="these are values of single samples, or of single features.",
                expected="a single number",
                got=f"shape {list(value.shape)}",
            )
    return (
        float(answer.tensor(loss, shape=(), of="the mean loss")),
        float(answer.tensor(error, shape=(), of="the standard error")),
    )


def _hold_no_features(answer: Answer, random: torch.Generator) -> None:
    """Hold what comes out where no feature is ever present: a loss that is known to the digit."""
    for n, m, n_samples in ((5, 2, 7), (3, 4, 2), (4, 1, 30)):
        b = torch.tensor([0.7, -0.6, 0.3, -0.2, 0.9])[:n] + 0.05 * inputs.normal(random, n)
        importance = torch.tensor([0.5, 2.0, 1.4, 0.8, 3.0])[:n]
        importance = importance * (0.9 + 0.2 * torch.rand(n, generator=random))
        # Not 0, which some samplers refuse. A float32 that should be below it is, 1 in 10^7 times:
        # it would have to happen in two calls of three.
        model = sampled.Model(inputs.normal(random, n, m), b, importance, 1e-9, n_samples)
        seeds = [int(inputs.integers(random, LARGEST_SEED)) for _ in range(3)]
        loss, error = sorted(_estimate(answer, random, model, one) for one in seeds)[1]
        right, wrong = sampled.empty_losses(b, importance, n_samples)
        answer.expect_close(
            loss,
            right,
            property="where no feature is ever present (p = 1e-9), the loss is the sum over "
            "features of importance times ReLU(b)²",
            misconceptions=wrong,
            atol=0.0,
        )
        answer.expect(
            abs(error) < 2e-3 * right / math.sqrt(n_samples),
            property="the error is 0 where all samples have the same loss (p = 1e-9)",
            misconception="a variance below 0, from rounding, has no root; use std."
            if math.isnan(error)
            else "it is the deviation of losses of single features; sum over features first."
            if error > 1e-2 * right / len(b) / math.sqrt(n * n_samples)
            else "",
            expected="0",
            got=f"{error:.4g}",
        )


def _hold_seeds(
    answer: Answer,
    random: torch.Generator,
    models: Sequence[sampled.Model],
    estimates: Sequence[Sequence[Estimate]],
    seeds: Sequence[int],
) -> None:
    """Hold that the seed decides, and nothing else does."""
    for model, found in zip(models, estimates, strict=True):
        broken = [pair for pair in found if not all(map(math.isfinite, pair))]
        answer.expect(
            not broken,
            property="both results are finite numbers",
            got=_pair(broken[0]) if broken else "",
        )
        answer.expect(
            len(set(found)) == len(found),
            property="another seed gives another estimate",
            misconception=f"what is drawn does not come from the seed, or nothing is drawn: "
            f"{FROM_SEED}"
            if all(len(set(of)) == 1 for of in estimates)
            else SHARED,
            got=f"{_pair(found[0])} for more than one seed",
        )
        for one, before in zip(seeds[:2], found, strict=False):
            again = _estimate(answer, random, model, one)
            answer.expect(
                all(math.isclose(a, b, rel_tol=1e-5) for a, b in zip(again, before, strict=True)),
                property="the same seed gives the same estimate, whatever was drawn before",
                misconception=f"something random does not come from the seed: {FROM_SEED}",
                expected=_pair(before),
                got=_pair(again),
            )


def _hold_means(
    answer: Answer, models: Sequence[sampled.Model], means: Sequence[float], words: str
) -> None:
    """Hold that estimates of all seeds together lie where the expected loss is."""
    if answer.audit:
        by_model = [sampled.wrong_means(model) for model in models]
        for mistake in by_model[0]:
            wrong = [of[mistake][0] for of in by_model]
            off = max(sampled.standard_errors_off(models, wrong, N_SEEDS))
            assert off > 2 * sampled.TOO_FAR, f"not exposed: {mistake} ({off:.1f})"
    off = sampled.standard_errors_off(models, means, N_SEEDS)
    worst = off.index(max(off))
    model = models[worst]
    answer.expect(
        off[worst] < sampled.TOO_FAR,
        property="estimates lie around the expected loss of features that are present with "
        "probability p, each by itself, and then uniform between 0 and 1",
        misconception=words,
        expected=f"about {model.mean:.4f} for {len(model.b)} features at p = {model.p:g}",
        got=f"{means[worst]:.4f} over {N_SEEDS} seeds, {off[worst]:.0f} standard errors away",
    )


def _why_means(models: Sequence[sampled.Model], means: Sequence[float]) -> str:
    """What explains means that are not right; empty where nothing does, or where they are."""
    if max(sampled.standard_errors_off(models, means, N_SEEDS)) < sampled.TOO_FAR:
        return ""
    return sampled.name_of(models, means, N_SEEDS)


def _scatter(found: Sequence[Estimate]) -> float:
    """How far estimates of different seeds lie apart, in terms of the errors that they state."""
    mean = fmean(loss for loss, _ in found)
    squares = [(loss - mean) ** 2 / max(error**2, 1e-12) for loss, error in found]
    return math.sqrt(sum(squares) / (len(found) - 1))


def _hold_errors(
    answer: Answer, models: Sequence[sampled.Model], estimates: Sequence[Sequence[Estimate]]
) -> None:
    """Hold that the errors, of all seeds together, are deviations over the root of n."""
    found = [math.sqrt(fmean(error**2 for _, error in of)) for of in estimates]
    right = [model.deviation / math.sqrt(model.n_samples) for model in models]
    margins = [
        sampled.TOO_FAR * math.sqrt((model.tail - 1) / (N_SEEDS * model.n_samples))
        for model in models
    ]
    off = [abs((a / b) ** 2 - 1) / m for a, b, m in zip(found, right, margins, strict=True)]
    worst = max(range(len(off)), key=lambda i: off[i] if math.isfinite(off[i]) else math.inf)
    fine = off[worst] < 1 and all(error >= 0 for of in estimates for _, error in of)
    answer.expect(
        fine,
        property="the standard error is the samples' standard deviation over the root of their "
        "number",
        misconception="" if fine else _why_errors(models, found),
        expected=f"about {right[worst]:.4g} for {models[worst].n_samples} samples",
        got=f"{found[worst]:.4g}",
    )


def _why_errors(models: Sequence[sampled.Model], found: Sequence[float]) -> str:
    """Which mistake makes all of these errors."""

    def are(wrong: Callable[[sampled.Model], float]) -> bool:
        return all(
            math.isclose(error, wrong(model), rel_tol=0.08)
            for error, model in zip(found, models, strict=True)
        )

    if are(lambda model: 1.96 * model.deviation / math.sqrt(model.n_samples)):
        return "this is half a confidence interval; the standard error is asked for, once."
    if are(lambda model: model.deviation):
        return "this is the standard deviation of single samples; divide by the root of n."
    if are(lambda model: model.deviation**2):
        return "this is the variance of single samples; take its root, over the root of n."
    if are(lambda model: model.deviation / model.n_samples):
        return "the deviation was divided by n; by the root of n is right."
    if are(lambda model: model.deviation**2 / model.n_samples):
        return "this is the variance of the mean; the error is its root."
    if are(lambda model: model.deviation**2 / math.sqrt(model.n_samples)):
        return "the variance was divided; the error is the deviation over the root of n."
    if are(lambda model: model.deviation / math.sqrt(model.n_samples * len(model.b))):
        return "it was divided by the root of the number of features as well."
    implied = [
        (model.deviation / max(error, 1e-9)) ** 2
        for error, model in zip(found, models, strict=True)
    ]
    if max(implied) < 1.2 * min(implied):
        return f"about {round(fmean(implied), -2):.0f} samples were drawn, whatever `n_samples` is."
    ratios = [n / model.n_samples for n, model in zip(implied, models, strict=True)]
    if max(ratios) < 1.2 * min(ratios):
        return f"it is as if {fmean(ratios):.2g} times `n_samples` had been drawn."
    return "what is it the deviation of? Of one loss for each sample, summed over features."


def _hold_lone_samples(answer: Answer, random: torch.Generator) -> None:
    """Hold that mean and error are the same where one sample alone has a loss, whatever it is.

    The losses are then l, 0, 0, …: the mean is l/n, the deviation over n - 1 is l/√n. Among so
    many seeds one such sample is certain, to 1 in 10^12.
    """
    shares = {}
    for n_samples, p in ((2, 0.15), (4, 0.08)):
        importance = 1 + torch.rand(3, generator=random)
        model = sampled.Model(torch.zeros(3, 2), torch.zeros(3), importance, p, n_samples)
        seeds = [int(inputs.integers(random, LARGEST_SEED)) for _ in range(N_SMALL)]
        found = [_estimate(answer, random, model, one) for one in seeds]
        losses = [loss for loss, _ in found if loss > 1e-12]
        answer.expect(
            0 < len(losses) < N_SMALL and len(set(losses)) > len(losses) / 2,
            property="which features are present and what their values are, both come from the "
            "seed",
            misconception=f"something random does not come from the seed: {FROM_SEED}",
            expected=f"a loss of 0 for some of {N_SMALL} seeds, and many losses for the others, "
            f"with {n_samples} samples at p = {p:g}",
            got=f"{len(set(losses))} different losses, and {N_SMALL - len(losses)} times 0",
        )
        shares[n_samples] = max(error / loss for loss, error in found if loss > 1e-12)
    off = [n for n, share in shares.items() if not abs(share - 1) < 1e-3]
    n = off[0] if off else 2
    answer.expect(
        not off,
        property="the standard deviation is over n - 1: where one sample alone has a loss, the "
        "error is as large as the mean",
        misconception=_why_shares(shares) if off else "",
        expected=f"at the most an error of 1 times the mean, for {n} samples",
        got=f"{shares[n]:.4f} times the mean",
    )


def _why_shares(shares: Mapping[int, float]) -> str:
    def are(wrong: Callable[[int], float]) -> bool:
        return all(abs(share - wrong(n)) < 1e-3 for n, share in shares.items())

    if are(lambda n: math.sqrt((n - 1) / n)):
        return "the deviation is over n; torch's std is over n - 1, NumPy's needs ddof=1."
    if are(lambda n: math.sqrt(n / (n - 1))):
        return "the deviation was divided by the root of n - 1, after std had been over n - 1."
    return "with so few samples it is not what the docstring says it is."


def _hold_agreement(answer: Answer, estimates: Sequence[Sequence[Estimate]]) -> None:
    """Hold that estimates scatter as their errors say; honest ones do, but for 1 in 10^10."""
    degrees = sum(len(found) - 1 for found in estimates)
    total = sum((len(found) - 1) * _scatter(found) ** 2 for found in estimates)
    apart = math.sqrt(total / degrees)
    answer.expect(
        0.35 < apart < 2.2,
        property="estimates of different seeds lie as far apart as their errors say",
        misconception="samples are not independent of each other."
        if apart > 1
        else "they agree too well: draws of different seeds have something in common, or the "
        "samples were made to be alike.",
        expected="about 1 error",
        got=f"{apart:.2f}",
    )


def _pair(estimate: Estimate) -> str:
    return f"({estimate[0]:.6g}, {estimate[1]:.6g})"


# ------------------------------------------------------------------------------ phases


def _name(answer: Answer, case: planted.Case) -> str:
    """Call the answer, and hold that it names a candidate."""
    got = answer(case.W, case.candidates)
    kind = "" if isinstance(got, str) else f"a {type(got).__name__}"
    answer.expect(
        isinstance(got, str) and got in case.candidates,
        property="it returns the name of a candidate",
        misconception="names come from `candidates`, whatever they are."
        if isinstance(got, str)
        else "it is the name that is asked for, the key in `candidates`.",
        expected=f"one of {', '.join(case.candidates)}",
        got=kind or repr(got)[:60],
    )
    return got


def _same_distance(case: planted.Case, candidate: Tensor) -> bool:
    first = case.candidates[case.wanted]
    return planted.away(case.W.numpy(), candidate.numpy()) == planted.away(
        case.W.numpy(), first.numpy()
    )


# ------------------------------------------------------------------------------ odds


def _odds(
    answer: Answer,
    losses: Sequence[float],
    phases: Sequence[str],
    k: int,
    *,
    double: bool = False,
) -> dict[str, float]:
    """Call the answer, and hold that it gives a probability for each phase that occurs."""
    dtype = torch.float64 if double else torch.float32
    got = answer(known.as_tensor(losses, dtype), list(phases), k)
    wanted = list(dict.fromkeys(phases))
    if not isinstance(got, dict):
        answer.fail(
            property="returns a dict",
            misconception="it is one probability for each phase." * isinstance(got, str | float),
            expected="a dict",
            got=f"a {type(got).__name__}",
        )
    missing = [phase for phase in wanted if phase not in got]
    extra = [str(phase) for phase in got if phase not in wanted]
    answer.expect(
        not missing and not extra,
        property="it has each phase that occurs, and no other",
        misconception="a phase that can't be the best model's has probability 0, and is there."
        if missing and not extra
        else "",
        expected=f"the keys {', '.join(wanted)}",
        got=f"the keys {', '.join(map(str, got)) or 'of an empty dict'}",
    )
    return {
        phase: float(answer.tensor(got[phase], shape=(), of="a probability")) for phase in wanted
    }


def _why_odds(
    said: Sequence[known.Odds], right: Sequence[known.Odds], cases: Sequence[known.Draw]
) -> str:
    for words, rule in known.BEST_MISTAKES.items():
        if not any(known.apart(rule(*c), got, 1e-4) for c, got in zip(cases, said, strict=True)):
            return words
    for (*_, k), odds in zip(cases, said, strict=True):
        total = sum(odds.values())
        if not math.isfinite(total):
            return "not every probability is a finite number."
        if not abs(total - 1) < 0.05:
            return f"they add up to {total:.4g}, not to 1, for k = {k}."
    if not any(known.apart(a, b, 0.06) for a, b in zip(right, said, strict=True)):
        return "it is close, but not exact: count choices in place of sampling or rounding."
    return ""


def _shown(odds: Mapping[str, float]) -> str:
    return "{" + ", ".join(f"{phase}: {chance:.4f}" for phase, chance in odds.items()) + "}"


def _of(case: known.Draw) -> str:
    losses, _, k = case
    return f" for k = {k} of {len(losses)} models"
