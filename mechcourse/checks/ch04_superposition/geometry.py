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

SQUARED = "a feature is dead if its length is below 0.01, not the square of its length."
LARGEST = "a feature is dead if its length is below 0.01, not its largest entry."
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
    W = torch.cat([inputs.normal(random, 3, 4), _short_rows(random, 4)])
    norms, overlap = known.overlaps(W)
    answer.expect_close(
        _pair(answer, answer(W))[1],
        overlap,
        property="rows a little longer than 0.01 live, and have an overlap",
        dims="feature",
        misconceptions={
            SQUARED: torch.where(norms >= 0.1, overlap, 0.0),
            LARGEST: torch.where(W.abs().amax(dim=1) >= 0.01, overlap, 0.0),
        },
    )


def _short_rows(random: torch.Generator, m: int) -> Tensor:
    """Rows of length 0.05, of 0.014 with no entry of 0.01, and a dead one of 0.006."""
    rows = inputs.normal(random, 3, m)
    rows[1] = rows[1].sign()
    return torch.tensor([[0.05], [0.014], [0.006]]) * known.unit(rows)


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
    alone = torch.block_diag(torch.tensor([[0.05]]), 0.007 * torch.ones(1, 4), 2 * torch.eye(1))
    answer.expect_close(
        answer(alone),
        torch.ones(3),
        property="a row a little longer than 0.01 that is alone has a whole dimension",
        dims="feature",
        misconceptions={
            SQUARED: torch.tensor([0.0, 0.0, 1.0]),
            LARGEST: torch.tensor([1.0, 0.0, 1.0]),
        },
        otherwise="the lengths of short rows count as they are: something was added to them, or "
        "they were held above a floor that is too high.",
        atol=1e-3,
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
    short = _weights(random, 4, 3, dead=False)
    short = torch.tensor([[8e-5], [3e-5], [5e-5], [1e-5]]) * known.unit(short)
    answer.expect_close(
        answer(short),
        3 / float(short.double().square().sum()),
        property="it is finite where W is small, but not 0",
        misconceptions={"rows shorter than 0.01 were left out; here all rows count.": math.inf},
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
    # What is told by a table of cosines alone, then what asks for `tolerance`, then for an order.
    for group, property in (
        ("plain", "each of the named polytopes is told from all others, and from what has no name"),
        ("shaken", "cosines may be off by `tolerance`, every one of them, and by no more"),
        ("lines", "in some order of the features every cosine is in its place"),
    ):
        tried = [(case, _name(answer, case)) for case in cases if case.group == group]
        missed = [(case, got) for case, got in tried if got != case.wanted]
        case, got = missed[0] if missed else tried[0]
        answer.expect(
            not missed,
            property=property,
            misconception=_why_missed(missed, group) if missed else "",
            expected=f'"{case.wanted}" for {case.about}, turned and shuffled, at a tolerance of '
            f"{case.tolerance:g}",
            got=f'"{got}", and {len(tried) - len(missed)} of {len(tried)} told rightly',
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


def _why_missed(missed: list, group: str) -> str:
    wanted, said = ({case.wanted for case, _ in missed}, {got for _, got in missed})
    if said - {*known.SHAPES, "none"}:
        return 'the names are those of the docstring, in small letters, and "none".'
    if group == "lines":
        return (
            "its cosines are a cube's, sorted, and so are those of every feature: but no order of "
            "the features has each of them in its place."
        )
    if group == "shaken":
        return _why_shaken(wanted == {"none"}, "none" in wanted)
    if sum(case.wanted == "none" for case, _ in missed) == known.N_BY_NUMBER:
        return "something was named by the number of its features; their cosines count."
    if "none" in wanted:
        return "something was named by a mean, or by less than all of its cosines; each counts."
    if wanted == {"square antiprism"} and said == {"none"}:
        return (
            "a cube and a square antiprism have the same dimensionalities, and other cosines; this "
            "antiprism is the cube with its top turned by 45°, and the one with edges of one "
            "length is another."
        )
    if wanted <= {"cube", "square antiprism"}:
        return (
            "a cube and a square antiprism have the same dimensionalities, and nearly the same "
            "number of everything; their cosines differ."
        )
    return "compare all cosines, in some order of the features, lengths and rotation left aside."


def _why_shaken(only_nameless: bool, nameless: bool) -> str:
    if only_nameless:
        return "more than `tolerance` was allowed, or some cosines were left out, or averaged."
    if nameless:
        return "`tolerance` was not used: the same features have a name at one, at another none."
    return (
        "cosines were asked to agree exactly, or nearly so; they may be off by `tolerance`, and it "
        "is cosines that are compared, not angles."
    )


@check
def check_adversarial_vulnerability(answer: Answer, *, seed: int = 0) -> None:
    """Several numbers of steps, outputs that are off, and a model without sharing."""
    random = inputs.generator(seed)
    for n, m, n_samples, n_steps in ((4, 2, 3, 1), (6, 3, 9, 5), (5, 2, 6, 0)):
        while True:
            W = 0.8 * inputs.normal(random, n, m)
            b = 0.15 * inputs.normal(random, n)
            x = torch.rand(n_samples, n, generator=random)
            push = inputs.normal(random, n_samples, n)
            push = 0.4 * push / push.norm(dim=1, keepdim=True)
            wrong = known.wrong_vulnerabilities(W, b, x, push, n_steps)
            right = known.vulnerability(W, b, x, push, n_steps)
            hidden = (known.ONE_STEP,) if n_steps == 1 else known.OF_STEPS
            wrong = {words: value for words, value in wrong.items() if words not in hidden}
            if not n_steps or all(abs(w() - right) > 0.02 * abs(right) for w in wrong.values()):
                break
        answer.expect_close(
            answer(W, b, x, push, n_steps=n_steps),
            right,
            property="the mean increase of the error under climbed pushes, over their squared "
            f"length, after {n_steps} step{'s' * (n_steps != 1)}",
            misconceptions=wrong if n_steps else None,
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
    # The first sample has no gradient, the second has: neither decides for the other.
    given = (torch.diag(torch.tensor([1.0, 0.5])), torch.zeros(2), torch.full((2, 2), 0.5))
    push = torch.tensor([[-0.6, -0.8], [0.6, 0.8]])
    right = known.vulnerability(*given, push, 1)
    answer.expect_close(
        answer(*given, push, n_steps=1),
        right,
        property="each sample is asked for itself whether its gradient is 0",
        misconceptions={
            "where the gradient is 0 the push is kept, not set to 0, whatever the other samples' "
            "gradients.": right - known.made_worse(*given, push)[0] / 2,
            "one sample without a gradient stopped all of them.": known.vulnerability(
                *given, push, 0
            ),
        },
    )


@check
def check_random_directions(answer: Answer, *, seed: int = 0) -> None:
    """Norms, seeds, and directions that prefer none."""
    random = inputs.generator(seed)
    W = _weights(random, 30_000, 3) * torch.tensor([2.0, 1.0, 0.5])  # W prefers an axis
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
    wide = answer.tensor(
        answer(W[:60].reshape(36, 5), seed=one),
        shape=(36, 5),
        of="a direction in five dimensions for each of 36 features",
    )
    answer.expect_close(
        wide.double().norm(dim=1),
        W[:60].reshape(36, 5).double().norm(dim=1),
        property="each row has the norm of that row of W, in five dimensions, too",
        dims="feature",
    )
    alive = W.norm(dim=1) >= 0.01
    unit = torch.nn.functional.normalize(drawn.double(), dim=1)[alive]
    own = torch.nn.functional.normalize(W.double(), dim=1)[alive]
    n = len(unit)
    _not_ws_own(answer, unit, own)
    beside = (unit[1:] * unit[:-1]).sum(dim=1)
    answer.expect(
        float(beside.abs().mean()) < 0.99,
        property="each direction is drawn for itself",
        misconception="one direction was drawn for all features.",
        expected="cosines of all sizes between features",
        got=f"cosines of {float(beside.abs().mean()):.3f}, on average, whatever their signs",
    )
    here, there = ((rows[1:] * rows[:-1]).sum(dim=1) for rows in (unit, own))
    alike = float((here * there).sum() / (there.square().sum() / 3).sqrt())  # normal if unrelated
    answer.expect(
        abs(alike) < known.TOO_FAR,
        property="two rows lie to each other as chance has it, not as they do in W",
        misconception="all of W was turned at once, which changes nothing between its rows: draw a "
        "direction for each."
        if torch.allclose(here, there, atol=1e-4)
        else "W's own were kept, or something was added to them.",
        expected="cosines that have nothing to do with those of W's rows",
        got=f"a correlation of {float(torch.corrcoef(torch.stack([here, there]))[0, 1]):.2f}",
    )
    to_own = (unit * own).sum(dim=1)
    answer.expect(
        abs(float(to_own.mean())) * math.sqrt(3 * n) < known.TOO_FAR,
        property="directions have nothing to do with W's",
        misconception="W's own were kept, or something was added to them.",
        expected="a cosine near 0 between each and W's own, on average",
        got=f"{float(to_own.mean()):.3f}",
    )
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
    answer.expect(
        abs(float(beside.mean())) * math.sqrt(3 * len(beside)) < known.TOO_FAR,
        property="each direction is drawn for itself",
        misconception="a direction was used for several features.",
        expected="cosines near 0 between one feature and the next, on average",
        got=f"{float(beside.mean()):.3f}",
    )


def _not_ws_own(answer: Answer, unit: Tensor, own: Tensor) -> None:
    """Hold that directions are not W's, in another order or with other signs."""
    # Neither signs nor the order of entries and rows change the sums of sizes, sorted.
    drawn, given = (rows.abs().sum(dim=1).sort().values for rows in (unit, own))
    answer.expect(
        float((drawn - given).abs().mean()) > 0.005,
        property="the directions are new ones",
        misconception="they are W's own: shuffled, or with signs or entries in another place.",
        expected="directions that W does not have",
        got="W's, in another order or with other signs",
    )


@check
def check_sticky_share(answer: Answer, *, seed: int = 0) -> None:
    """Shares by hand and by loops, dead features, and a null with W's lengths."""
    random = inputs.generator(seed)
    pieces = torch.block_diag(
        *(known.SHAPES[name] for name in ("digon", "pentagon", "digon")), torch.ones(1, 1)
    ).float()
    pieces = pieces * (0.3 + torch.rand(len(pieces), 1, generator=random)) ** 0.02
    dead = torch.tensor([[0.0], [0.004], [0.008]]) * known.unit(
        inputs.normal(random, 3, len(pieces.T))
    )
    W = torch.cat([pieces, dead, _tilted(random, pieces.shape[1])])
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
    W, asked = _uneven(random), ([0.55, 0.03], 0.08)
    share, null = _shares(answer, W, *asked, 200, 11)
    answer.expect(
        len(set(null)) > 1,
        property="each draw has directions of its own",
        misconception="all draws gave the same: every draw had the same seed, or all of W was "
        "turned at once, which changes nothing.",
        expected="shares that differ from draw to draw",
        got=f"{len(set(null))} different ones among {len(null)}",
    )
    mean, spread = known.null_of(W, *asked, seed)
    room = known.TOO_FAR * spread * math.sqrt(1 / 200 + 1 / known.N_OWN) + 1e-6
    got = sum(null) / len(null)
    even, _ = known.null_of(torch.nn.functional.normalize(W, dim=1), *asked, seed)
    answer.expect(
        abs(got - mean) < room,
        property="the null has W's norms and directions of its own",
        misconception="rows of one length were drawn; each keeps the length of W's."
        if abs(got - even) < 0.5 * room
        else "draw a direction for each feature, at W's norms, leave out the dead, and ask for the "
        "same fractions within the same tolerance.",
        expected=f"a mean of about {mean:.3f}",
        got=f"{got:.3f}",
    )
    answer.expect(
        len(set(null)) > 3,
        property="each draw has directions of its own",
        misconception="a few seeds were used again and again.",
        expected="shares that differ from draw to draw",
        got=f"{len(set(null))} different ones among {len(null)}",
    )
    _, again = _shares(answer, W, *asked, 200, 11)
    answer.expect(
        again == null,
        property="the same seed gives the same null",
        misconception="something random does not come from the seed.",
        expected="the same shares",
        got="different ones",
    )
    _, other = _shares(answer, W, *asked, 200, 12)
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
    """Twelve pairs of antipodes of three lengths, turned, and six dead features.

    Of such pairs every feature has a half; other lengths, or the same ones given to other features,
    have other shares.
    """
    lengths = torch.tensor([1.5, 1.0, 0.2]).repeat_interleave(8)[:, None]
    pairs = torch.eye(12).repeat_interleave(2, dim=0) * torch.tensor([[1.0], [-1.0]]).repeat(12, 1)
    dead = torch.tensor([0.0, 0.0, 0.002, 0.004, 0.006, 0.008])[:, None]
    made = torch.cat([lengths * pairs, dead * known.unit(inputs.normal(random, 6, 12))])
    return made @ inputs.rotation(random, 12)


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
