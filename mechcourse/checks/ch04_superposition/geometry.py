"""Checks of `ch04_superposition/2_geometry.ipynb`."""

import math
from typing import Any

import torch
from torch import Tensor

from mechcourse.checks import Answer, check
from mechcourse.checks import _inputs as inputs
from mechcourse.checks.ch04_superposition import _geometry as known

TEACHES = (
    "mechcourse.geometry.gram",
    "mechcourse.geometry.feature_dimensionality",
    "mechcourse.geometry.represented_and_superposed",
    "mechcourse.geometry.dimensions_per_feature",
    "mechcourse.geometry.adversarial_vulnerability",
    "mechcourse.geometry.random_directions",
    "mechcourse.polytopes.name_polytope",
    "mechcourse.polytopes.factors",
)

FRACTIONS = [1.0, 0.75, 2 / 3, 0.5, 0.4, 0.375]


def _weights(random: torch.Generator, n: int, m: int, *, dead: bool = True) -> Tensor:
    """Rows of very different lengths; two of them dead, one of which is not quite 0."""
    W = inputs.normal(random, n, m) * (0.4 + 1.6 * torch.rand(n, 1, generator=random))
    if dead:
        W[1] = 0
        W[-2] *= 0.006 / W[-2].norm()
    return W


def _of_living(wrong: dict[str, Any], dead: bool) -> dict[str, Any]:
    """Mistakes that show where no feature is dead."""
    return {words: made for words, made in wrong.items() if dead or "dead" not in words}


def _of_the_dead(got: Any, right: Tensor, W: Tensor) -> str:
    """Whether an answer is right for all but the dead features."""
    alive = W.norm(dim=1) >= 0.01
    if not isinstance(got, Tensor) or got.shape != right.shape:
        return ""
    fine = torch.allclose(got.double()[alive], right[alive], rtol=1e-3)
    return "a feature shorter than 0.01 is dead, and has an overlap of 0." if fine else ""


@check
def check_represented_and_superposed(answer: Answer, *, seed: int = 0) -> None:
    """Rows of other lengths than 1, dead ones, and by hand two antipodes."""
    random = inputs.generator(seed)
    # First without dead rows, which are treated in more than one way by those who go wrong.
    for n, m, dead in ((5, 3, False), (7, 4, True), (3, 6, False), (4, 1, True)):
        W = _weights(random, n, m, dead=dead)
        norms, overlap = known.overlaps(W)
        got = _pair(answer, answer(W))
        answer.expect_close(
            got[0],
            norms,
            property="the first is the norm of each row of W",
            dims="feature",
            misconceptions={"norms were squared.": norms**2} if n in (5, 7) else None,
        )
        answer.expect_close(
            got[1],
            overlap,
            property="the second is the sum over all other rows of (Ŵ_i · W_j)², 0 for a dead one",
            dims="feature",
            misconceptions=_of_living(known.wrong_overlaps(W), dead) if n in (5, 7) else None,
            otherwise=_of_the_dead(got[1], overlap, W) if dead else "",
        )


def _pair(answer: Answer, got: object) -> tuple:
    answer.expect(
        isinstance(got, list | tuple) and len(got) == 2,
        property="it returns norms and overlaps",
        expected="two tensors",
        got=f"{len(got)} of them" if isinstance(got, list | tuple) else f"a {type(got).__name__}",
    )
    return tuple(got)


@check
def check_feature_dimensionality(answer: Answer, *, seed: int = 0) -> None:
    """Rows of other lengths than 1, dead ones, and shapes whose shares are known."""
    random = inputs.generator(seed)
    for n, m, dead in ((6, 3, False), (7, 4, True), (5, 1, True)):
        W = _weights(random, n, m, dead=dead)
        answer.expect_close(
            answer(W),
            known.dimensionality(W),
            property="the squared norm over the sum of (Ŵ_i · W_j)² over all j, 0 for a dead one",
            dims="feature",
            misconceptions=_of_living(known.wrong_shares(W), dead) if n in (6, 7) else None,
            otherwise="a dead feature, shorter than 0.01, has 0." if dead and n == 5 else "",
        )
    for name, share in (("pentagon", 0.4), ("tetrahedron", 0.75), ("cube", 0.375)):
        corners = 1.3 * known.SHAPES[name] / known.SHAPES[name].norm(dim=1, keepdim=True)
        answer.expect_close(
            answer(corners.float()),
            torch.full((len(corners),), share),
            property=f"each corner of a {name} has {share:g} of a dimension",
            dims="feature",
        )
    answer.expect_close(
        answer(torch.tensor([[0.005, 0.0], [0.0, 1.0]])),
        torch.tensor([0.0, 1.0]),
        property="a row shorter than 0.01 has 0, whatever its direction",
        dims="feature",
        otherwise="a dead feature is shorter than 0.01, not only exactly 0.",
    )


@check
def check_dimensions_per_feature(answer: Answer, *, seed: int = 0) -> None:
    """More features than dimensions and fewer, dead ones, and nothing at all."""
    random = inputs.generator(seed)
    for n, m in ((9, 4), (3, 5), (6, 1)):
        W = _weights(random, n, m, dead=n > 3)
        total = sum(x * x for row in W.double().tolist() for x in row)
        alive = int((W.norm(dim=1) >= 0.01).sum())
        wrong = {
            "the number of features was taken; it is that of dimensions.": n / total,
            "the norm was not squared.": m / math.sqrt(total),
            "the ratio is upside down.": total / m,
            "features were counted; each counts by the square of its norm.": m / alive,
            "norms were added up, not their squares.": m / float(W.norm(dim=1).sum()),
            "the mean of the squares was taken; their sum is asked for.": m / (total / (n * m)),
        }
        answer.expect_close(
            answer(W),
            m / total,
            property="the number of dimensions over the squared Frobenius norm of W",
            misconceptions=wrong if n == 9 else None,
        )
    got = answer(torch.zeros(4, 3))
    value = answer.tensor(got, shape=(), of="a single number")
    answer.expect(
        bool(torch.isinf(value)) and float(value) > 0,
        property="it is infinite where all of W is 0",
        expected="inf",
        got=f"{float(value):g}",
    )


@check
def check_name_polytope(answer: Answer, *, seed: int = 0) -> None:
    """Planted shapes, shaken within the tolerance and beyond it, and others that have no name."""
    random = inputs.generator(seed)
    cases = known.shapes(random)
    said = [_name(answer, case) for case in cases]
    missed = [(case, got) for case, got in zip(cases, said, strict=True) if got != case.wanted]
    case, got = missed[0] if missed else (cases[0], said[0])
    answer.expect(
        not missed,
        property="each of the named polytopes is told from all others, and from what has no name",
        misconception=_why_missed(missed),
        expected=f'"{case.wanted}" for {case.about}, turned and shuffled, at a tolerance of '
        f"{case.tolerance:g}",
        got=f'"{got}", and {len(cases) - len(missed)} of {len(cases)} told rightly',
    )


def _name(answer: Answer, case: known.Shape) -> str:
    got = answer(case.W, tolerance=case.tolerance)
    answer.expect(
        isinstance(got, str),
        property="it returns a name",
        expected="a text",
        got=f"a {type(got).__name__}",
    )
    return got


def _why_missed(missed: list) -> str:
    wanted = {case.wanted for case, _ in missed}
    if {"cube", "square antiprism"} & wanted and len(wanted) == 1:
        return (
            "a cube and a square antiprism have the same dimensionalities, and nearly the same "
            "number of everything; their cosines differ."
        )
    nameless = [case.about for case, _ in missed if case.wanted == "none"]
    if nameless and all("tolerance" in about for about in nameless):
        return "`tolerance` was not used, or not for every two features."
    if nameless:
        return (
            "something was named by the number of its features, or by a mean; every cosine counts."
        )
    if all(case.tolerance > 0.05 for case, _ in missed):
        return "cosines were asked to agree exactly; `tolerance` says how near."
    return "compare all cosines, in some order of the features, lengths and rotation left aside."


@check
def check_adversarial_vulnerability(answer: Answer, *, seed: int = 0) -> None:
    """Several numbers of steps, outputs that are off, and a model without sharing."""
    random = inputs.generator(seed)
    for n, m, n_samples, n_steps in ((6, 3, 9, 5), (4, 2, 3, 1), (5, 2, 6, 0)):
        while True:
            W = 0.8 * inputs.normal(random, n, m)
            b = 0.15 * inputs.normal(random, n)
            x = torch.rand(n_samples, n, generator=random)
            push = inputs.normal(random, n_samples, n)
            push = 0.4 * push / push.norm(dim=1, keepdim=True)
            wrong = known.wrong_vulnerabilities(W, b, x, push, n_steps)
            right = known.vulnerability(W, b, x, push, n_steps)
            if n_steps < 5 or all(abs(w() - right) > 0.02 * abs(right) for w in wrong.values()):
                break
        answer.expect_close(
            answer(W, b, x, push, n_steps=n_steps),
            right,
            property="the mean increase of the error under climbed pushes, over their squared "
            f"length, after {n_steps} step{'s' * (n_steps != 1)}",
            misconceptions=wrong if n_steps == 5 else None,
            rtol=1e-3,
            atol=1e-4,
        )
    W, b = torch.eye(3, 2), torch.tensor([0.0, 0.0, -9.0])
    x = torch.zeros(2, 3)
    push = torch.tensor([[0.0, 0.0, 0.5], [-0.3, -0.4, 0.0]])
    answer.expect_close(
        answer(W, b, x, push, n_steps=4),
        known.vulnerability(W, b, x, push, 4),
        property="where the gradient is 0 the push stays as it is",
        otherwise="a gradient of 0 has no direction: 0 over 0.",
    )
    one = torch.ones(1, 1)
    answer.expect_close(
        answer(one, torch.zeros(1), 0.5 * one, -one, n_steps=1),
        0.25,
        property="a push without a gradient counts as it is, with the error that it makes",
        otherwise="where the gradient is 0 the push is kept, not set to 0.",
    )


@check
def check_random_directions(answer: Answer, *, seed: int = 0) -> None:
    """Norms, seeds, and directions that prefer none."""
    random = inputs.generator(seed)
    W = _weights(random, 30_000, 3)
    one, other = (1 + inputs.integers(random, 2**20, 2)).tolist()
    drawn = answer.tensor(answer(W, seed=one), shape=(30_000, 3), dims="feature hidden")
    answer.expect_close(
        drawn.double().norm(dim=1)[:50],
        W.double().norm(dim=1)[:50],
        property="each row has the norm of that row of W",
        dims="feature",
        otherwise="bring each drawn row to the length that W's row has.",
    )
    again = answer.tensor(answer(W, seed=one), shape=(30_000, 3))
    second = answer.tensor(answer(W, seed=one + other), shape=(30_000, 3))
    answer.expect(
        torch.equal(drawn, again),
        property="the same seed gives the same directions, whatever was drawn before",
        misconception="draw from torch.Generator().manual_seed(seed).",
        expected="the same twice",
        got="different ones",
    )
    answer.expect(
        not torch.equal(drawn, second),
        property="another seed gives other directions",
        misconception="`seed` was not used.",
        expected="other directions",
        got="the same ones",
    )
    unit = torch.nn.functional.normalize(drawn.double(), dim=1)[W.norm(dim=1) >= 0.01]
    n = len(unit)
    far = float(unit.mean(dim=0).abs().max()) * math.sqrt(3 * n)
    answer.expect(
        far < known.TOO_FAR,
        property="directions point to all sides alike",
        misconception="numbers from 0 to 1 point to one corner only.",
        expected="a mean near 0",
        got=f"a mean of {float(unit.mean(dim=0).abs().max()):.3f}",
    )
    fourth = unit.pow(4).mean(dim=0)
    room = known.TOO_FAR * math.sqrt((1 / 9 - 1 / 25) / n)
    answer.expect(
        bool(((fourth - 0.2).abs() < room).all()),
        property="no direction is preferred: not the axes, and not the corners of a cube",
        misconception="normal numbers are alike in all directions; numbers from -1 to 1 are not.",
        expected="a mean fourth power of 0.2",
        got=", ".join(f"{value:.3f}" for value in fourth.tolist()),
    )
    own = torch.nn.functional.normalize(W.double(), dim=1)[W.norm(dim=1) >= 0.01]
    pairs = ((unit * own).sum(dim=1), (unit[1:] * unit[:-1]).sum(dim=1))
    answer.expect(
        all(abs(float(c.mean())) * math.sqrt(3 * len(c)) < known.TOO_FAR for c in pairs),
        property="each direction is drawn for itself, and has nothing to do with W's",
        misconception="a direction was used for several features, or W's own were kept.",
        expected="cosines near 0, on average",
        got=", ".join(f"{float(c.mean()):.3f}" for c in pairs),
    )
    here, there = ((rows[1:] * rows[:-1]).sum(dim=1) for rows in (unit, own))
    alike = float((here * there).sum() / (there.square().sum() / 3).sqrt())  # normal if unrelated
    answer.expect(
        abs(alike) < known.TOO_FAR,
        property="two rows lie to each other as chance has it, not as they do in W",
        misconception="all of W was turned at once, which changes nothing between its rows: draw a "
        "direction for each.",
        expected="cosines that have nothing to do with those of W's rows",
        got=f"a correlation of {float(torch.corrcoef(torch.stack([here, there]))[0, 1]):.2f}",
    )


@check
def check_sticky_share(answer: Answer, *, seed: int = 0) -> None:
    """Shares by hand and by loops, dead features, and a null with W's lengths."""
    random = inputs.generator(seed)
    pieces = torch.block_diag(
        *(known.SHAPES[name] for name in ("digon", "pentagon", "digon")), torch.ones(1, 1)
    ).float()
    pieces = pieces * (0.3 + torch.rand(len(pieces), 1, generator=random)) ** 0.02
    W = torch.cat([pieces, torch.zeros(3, pieces.shape[1]), _tilted(random, pieces.shape[1])])
    for fractions, tolerance in (([0.5], 0.02), ([0.4, 1.0], 0.03), (FRACTIONS, 0.02)):
        share, null = _shares(answer, W, fractions, tolerance, 4, 3)
        alive = W[W.norm(dim=1) >= 0.01]
        right = known.near(W, fractions, tolerance)
        shares = known.dimensionality(alive)
        table = (shares[:, None] - torch.tensor(fractions).double()).abs() <= tolerance
        wrong = {
            "dead features were counted among all.": right * len(alive) / len(W),
            "a feature that is near two fractions was counted twice.": float(table.sum())
            / len(alive),
            "this is a number of features; their share is asked for.": right * len(alive),
            "this is the share of features that are near none.": 1 - right,
        }
        wrong = {words: v for words, v in wrong.items() if abs(v - right) > 0.01}
        answer.expect_close(
            share,
            right,
            property="the share of living features whose dimensionality is within the tolerance of "
            "a fraction",
            misconceptions=wrong,
        )
    W = _uneven(random)
    share, null = _shares(answer, W, [0.3, 0.6], 0.06, 200, 11)
    answer.expect(
        len(set(null)) > 3,
        property="each draw has directions of its own",
        misconception="all draws gave the same: every draw had the same seed, or all of W was "
        "turned at once, which changes nothing.",
        expected="shares that differ from draw to draw",
        got=f"{len(set(null))} different ones among {len(null)}",
    )
    mean, spread = known.null_of(W, [0.3, 0.6], 0.06, seed)
    room = known.TOO_FAR * spread * math.sqrt(1 / 200 + 1 / known.N_OWN) + 1e-6
    got = sum(null) / len(null)
    even, _ = known.null_of(torch.nn.functional.normalize(W, dim=1), [0.3, 0.6], 0.06, seed)
    answer.expect(
        abs(got - mean) < room,
        property="the null has W's norms and directions of its own",
        misconception="rows of one length were drawn; each keeps the length of W's."
        if abs(got - even) < room
        else "draw a direction for each feature, at W's norms.",
        expected=f"a mean of about {mean:.3f}",
        got=f"{got:.3f}",
    )
    _, again = _shares(answer, W, [0.3, 0.6], 0.06, 200, 11)
    answer.expect(
        again == null,
        property="the same seed gives the same null",
        misconception="something random does not come from the seed.",
        expected="the same shares",
        got="different ones",
    )
    _, other = _shares(answer, W, [0.3, 0.6], 0.06, 200, 12)
    answer.expect(
        other != null,
        property="another seed gives another null",
        misconception="`seed` was not used.",
        got="the same shares for two seeds",
    )
    share, _ = _shares(answer, torch.zeros(3, 2), [0.5], 0.1, 2, 0)
    answer.expect(
        math.isnan(share),
        property="the share is NaN where all features are dead",
        expected="nan",
        got=f"{share:g}",
    )


def _tilted(random: torch.Generator, m: int) -> Tensor:
    """Two features in directions of no shape, short enough to leave the others' shares alone."""
    return 0.02 * inputs.normal(random, 2, m)


def _uneven(random: torch.Generator) -> Tensor:
    lengths = torch.tensor([2.0, 1.6, 1.0, 0.5, 0.4, 0.3, 0.2, 1.8, 0.25, 0.6])[:, None]
    drawn = inputs.normal(random, 10, 3)
    return lengths * drawn / drawn.norm(dim=1, keepdim=True)


def _shares(
    answer: Answer, W: Tensor, fractions: list[float], tolerance: float, n_draws: int, seed: int
) -> tuple[float, list[float]]:
    got = answer(W, fractions, tolerance=tolerance, n_draws=n_draws, seed=seed)
    answer.expect(
        isinstance(got, list | tuple) and len(got) == 2,
        property="it returns a share and a list of shares",
        expected="two things",
        got=f"a {type(got).__name__}",
    )
    share = float(answer.tensor(got[0], shape=(), of="the first is a share"))
    null = answer.tensor(got[1], shape=(n_draws,), of="the null has a share for each draw")
    return share, null.tolist()
