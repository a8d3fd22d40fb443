"""Truths, named mistakes and planted shapes for the geometry of features: loops in float64."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import permutations

import torch
from torch import Tensor

from mechcourse.checks import _inputs as inputs

DEAD = 0.01
TOO_FAR = 7.5  # standard errors
N_OWN = 400  # draws of a null of one's own


def overlaps(W: Tensor) -> tuple[Tensor, Tensor]:
    """Norms, and how much the other rows lie along each row's direction, by loops."""
    W = W.double()
    norms = torch.tensor([math.sqrt(sum(x * x for x in row)) for row in W.tolist()]).double()
    found = []
    for i in range(len(W)):
        along = [float(W[i] @ W[j]) / float(norms[i]) for j in range(len(W)) if j != i and norms[i]]
        found.append(sum(x * x for x in along) if norms[i] >= DEAD else 0.0)
    return norms, torch.tensor(found).double()


def dimensionality(W: Tensor) -> Tensor:
    """Each feature's share of a dimension."""
    norms, overlap = overlaps(W)
    return torch.where(norms >= DEAD, norms**2 / (norms**2 + overlap).clamp(min=1e-12), 0.0)


def wrong_overlaps(W: Tensor) -> dict[str, Callable[[], Tensor]]:
    """One mistake each."""
    W = W.double()
    norms = W.norm(dim=1).clamp(min=1e-9)
    unit = W / norms[:, None]
    alive = W.norm(dim=1) >= DEAD
    right = (unit @ W.T).square()

    def less_own(table: Tensor) -> Tensor:
        return torch.where(alive, table.sum(dim=1) - table.diagonal(), 0.0)

    return {
        "the feature itself was counted with the others.": lambda: torch.where(
            alive, right.sum(dim=1), 0.0
        ),
        "both rows were brought to length 1; only the feature's own is.": lambda: less_own(
            (unit @ unit.T).square()
        ),
        "the others were brought to length 1, and not the feature's own row.": lambda: less_own(
            (W @ unit.T).square()
        ),
        "no row was brought to length 1; the feature's own is.": lambda: less_own(
            (W @ W.T).square()
        ),
        "the products were not squared.": lambda: less_own((unit @ W.T).abs()),
        "the products were added up before they were squared.": lambda: torch.where(
            alive, ((unit @ W.T).sum(dim=1) - norms).square(), 0.0
        ),
        "the mean was taken over the others; their sum is asked for.": lambda: (
            less_own(right) / (len(W) - 1)
        ),
        "a dead feature has no direction, and so no overlap.": lambda: (
            right.sum(dim=1) - right.diagonal()
        ),
        "this is a root; the squares are asked for.": lambda: less_own(right).sqrt(),
    }


def wrong_shares(W: Tensor) -> dict[str, Callable[[], Tensor]]:
    """One mistake each."""
    W = W.double()
    norms, overlap = overlaps(W)
    alive = norms >= DEAD
    unit = W / norms.clamp(min=1e-9)[:, None]
    cosines = (unit @ unit.T).square()

    def living(shares: Tensor) -> Tensor:
        return torch.where(alive, shares, 0.0)

    return {
        "the norm was not squared.": lambda: living(norms / (norms**2 + overlap)),
        "the feature itself is missing from the sum.": lambda: living(norms**2 / overlap),
        "all rows were brought to length 1; the others keep their lengths.": lambda: living(
            1 / cosines.sum(dim=1)
        ),
        "the row was not brought to length 1 in the sum.": lambda: living(
            norms**2 / (norms**2 * (norms**2 + overlap))
        ),
        "the sum is over the wrong axis: it is the others that are projected onto the feature's "
        "direction.": lambda: living(norms**2 / (W @ unit.T).square().sum(dim=1)),
        "the ratio is upside down.": lambda: living((norms**2 + overlap) / norms**2),
        "the sum's terms were not squared.": lambda: living(
            norms**2 / (unit @ W.T).abs().sum(dim=1)
        ),
        "the shares were made to add up to 1.": lambda: living(
            dimensionality(W) / dimensionality(W).sum()
        ),
    }


# --------------------------------------------------------------------------------------- shapes


def ring(n: int, turn: float = 0.0, height: float | None = None) -> Tensor:
    angles = 2 * math.pi * torch.arange(n).double() / n + turn
    flat = torch.stack([angles.cos(), angles.sin()], dim=1)
    return flat if height is None else torch.cat([flat, torch.full((n, 1), height).double()], 1)


SHAPES: Mapping[str, Tensor] = {
    "digon": torch.tensor([[1.0, 0.0], [-1.0, 0.0]]).double(),
    "triangle": ring(3),
    "pentagon": ring(5),
    "tetrahedron": torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]).double(),
    "octahedron": torch.cat([torch.eye(3), -torch.eye(3)]).double(),
    "square antiprism": torch.cat([ring(4, 0, 0.5**0.5), ring(4, math.pi / 4, -(0.5**0.5))]),
    "cube": torch.cat([ring(4, 0, 0.5**0.5), ring(4, 0, -(0.5**0.5))]),
}
OTHERS: Mapping[str, Tensor] = {
    "a square, which is two digons at right angles": ring(4),
    "a hexagon": ring(6),
    "a heptagon": ring(7),
    "two features at a right angle": torch.eye(2).double(),
    "two features side by side": torch.tensor([[1.0, 0.1], [1.0, -0.1]]).double(),
    "three features at right angles": torch.eye(3).double(),
    "four features in a half plane": torch.tensor(
        [[1.0, 0], [0.7, 0.7], [0, 1], [-0.7, 0.7]]
    ).double(),
    "a pentagon with a corner moved": ring(5) + torch.eye(5)[:, :2].double() * 0.7,
    "a triangular bipyramid": torch.cat(
        [ring(3, 0, 0.0), torch.tensor([[0.0, 0, 1], [0, 0, -1]]).double()]
    ),
    "a prism of triangles": torch.cat([ring(3, 0, 0.6), ring(3, 0, -0.6)]),
    "a low antiprism": torch.cat([ring(4, 0, 0.2), ring(4, math.pi / 4, -0.2)]),
    "a tall box": torch.cat([ring(4, 0, 2.0), ring(4, 0, -2.0)]),
    "an octagon": ring(8),
}
N_BY_NUMBER = sum(
    len(points) in {len(corners) for corners in SHAPES.values()} for points in OTHERS.values()
)
LINES = "four lines at equal angles in four dimensions, both ends of each"


def _four_lines() -> Tensor:
    """Eight features whose cosines, all or each one's, are those of a cube once sorted.

    A cube has four lines, too, with cosines of 1/3 up to sign; but one can't turn the lines so that
    all signs are equal, as they are here.
    """
    ends = torch.linalg.cholesky(2 / 3 * torch.eye(4).double() + 1 / 3)
    return torch.cat([ends, -ends])


@dataclass(frozen=True)
class Shape:
    """Features to be named.

    Attributes:
        wanted: the name, or "none".
        about: what it is, in words.
        group: "plain", or "shaken" where the tolerance decides, or "lines" for `LINES`.
    """

    W: Tensor
    tolerance: float
    wanted: str
    about: str
    group: str = "plain"


def cosines(W: Tensor) -> Tensor:
    """Between all rows."""
    return unit(W.double()) @ unit(W.double()).T


def shapes(random: torch.Generator) -> list[Shape]:
    """Named shapes and others: turned, shuffled, of other lengths, and shaken.

    Each named one is shaken until its worst cosine is off by 0.85 of the tolerance; and the same
    features have no name at a tolerance that is too small for them, whatever their order. Of what
    else has no name the sorted cosines are beyond the tolerance, but for `LINES`.
    """
    made = []
    for name, corners in SHAPES.items():
        made.append(_made(random, corners, 0.01, name, f"a {name}"))
        for tolerance in (0.1, 0.04):
            shaken, least = _shaken(random, corners, 0.85 * tolerance)
            about, small = f"a {name}, shaken", round(0.75 * least, 4)
            made.append(_made(random, shaken, tolerance, name, about, "shaken"))
            about = f"a {name} shaken beyond the tolerance"
            made.append(_made(random, shaken, small, "none", about, "shaken"))
        far = _far(random, corners, 0.12, 0.03)
        made.append(
            _made(random, far, 0.02, "none", f"a {name} shaken beyond the tolerance", "shaken")
        )
    for about, points in OTHERS.items():
        made.append(_made(random, _far(random, points, 0.01, 0.12), 0.08, "none", about))
    made.append(_made(random, _four_lines(), 0.05, "none", LINES, "lines"))
    return made


def _far(random: torch.Generator, corners: Tensor, noise: float, beyond: float) -> Tensor:
    """Shaken until the sorted cosines of no named shape are nearer than `beyond`."""
    while True:
        found = unit(corners) + noise * torch.randn(corners.shape, generator=random).double()
        if _beyond(cosines(found), beyond):
            return found


def _shaken(random: torch.Generator, corners: Tensor, off: float) -> tuple[Tensor, float]:
    """Shaken until the worst cosine is off by this much; and by how much it is once sorted."""
    corners, n = unit(corners), len(corners)
    upper = torch.triu_indices(n, n, 1)
    wanted = cosines(corners)[upper[0], upper[1]]
    while True:
        noise = torch.randn(corners.shape, generator=random).double()
        low, high = 0.0, 0.5
        for _ in range(30):
            middle = (low + high) / 2
            found = cosines(corners + middle * noise)[upper[0], upper[1]]
            low, high = (low, middle) if (found - wanted).abs().max() > off else (middle, high)
        shaken = corners + low * noise
        found = cosines(shaken)[upper[0], upper[1]]
        worst = float((found - wanted).abs().max())
        least = float((found.sort().values - wanted.sort().values).abs().max())
        if abs(worst - off) < 1e-3 * off and least > 0.6 * off:
            return shaken, least


def unit(rows: Tensor) -> Tensor:
    """Rows of length 1."""
    return rows / rows.norm(dim=1, keepdim=True)


def _made(
    random: torch.Generator,
    corners: Tensor,
    tolerance: float,
    name: str,
    about: str,
    group: str = "plain",
) -> Shape:
    """Some dimensions more, turned, shuffled and of other lengths."""
    n, size = len(corners), corners.shape[1] + int(inputs.integers(random, 3))
    wide = torch.cat([corners, torch.zeros(n, size - corners.shape[1]).double()], dim=1)
    wide = unit(wide @ inputs.rotation(random, size).double())
    lengths = 0.4 + 1.5 * torch.rand(n, 1, generator=random).double()
    order = torch.randperm(n, generator=random)
    return Shape((lengths * wide)[order].float(), tolerance, name, about, group)


def _beyond(found: Tensor, tolerance: float) -> bool:
    """Whether no order brings the cosines near any named shape's."""
    n = len(found)
    for corners in SHAPES.values():
        if len(corners) != n:
            continue
        wanted = cosines(corners)
        upper = torch.triu_indices(n, n, 1)
        ours, theirs = (t[upper[0], upper[1]].sort().values for t in (found, wanted))
        if float((ours - theirs).abs().max()) > tolerance:
            continue
        orders = permutations(range(n)) if n <= 5 else ()
        if any(
            float((found[list(o)][:, list(o)] - wanted).abs().max()) <= tolerance for o in orders
        ):
            return False
        if n > 5:
            return False
    return True


# --------------------------------------------------------------------------------------- pushes


ONE_STEP = "one step only was taken."
TOO_MANY = "a step too many was taken."
KEPT_BEST = "the worst push of all steps was kept; the error after the last step is asked for."
OF_STEPS = (TOO_MANY, KEPT_BEST)  # told where there are few steps: later ones change little


def vulnerability(W: Tensor, b: Tensor, x: Tensor, push: Tensor, n_steps: int) -> float:
    """By a gradient worked out by hand."""
    W, b, x, push = (t.double() for t in (W, b, x, push))
    radius, through = push.norm(dim=1, keepdim=True), W @ W.T
    for _ in range(n_steps):
        z = (x + push) @ through + b
        uphill = 2 * ((z.relu() - x) * (z > 0)) @ through
        length = uphill.norm(dim=1, keepdim=True)
        push = torch.where(length > 1e-12, radius * uphill / length.clamp(min=1e-12), push)
    worse = _error(W, b, x, push) - _error(W, b, x, torch.zeros_like(push))
    return float(worse.mean() / radius[0, 0] ** 2)


def _best_of(W: Tensor, b: Tensor, x: Tensor, push: Tensor, n_steps: int) -> float:
    """The largest increase on the way, for each sample."""
    single = [
        [vulnerability(W, b, x[i : i + 1], push[i : i + 1], n) for n in range(n_steps + 1)]
        for i in range(len(x))
    ]
    return sum(map(max, single)) / len(x)


def made_worse(W: Tensor, b: Tensor, x: Tensor, push: Tensor) -> list[float]:
    """How much more error each push makes, over its squared length."""
    W, b, x, push = (t.double() for t in (W, b, x, push))
    more = _error(W, b, x, push) - _error(W, b, x, torch.zeros_like(push))
    return (more / push.square().sum(dim=1)).tolist()


def _error(W: Tensor, b: Tensor, x: Tensor, push: Tensor) -> Tensor:
    return (x - ((x + push) @ W @ W.T + b).relu()).square().sum(dim=1)


def wrong_vulnerabilities(
    W: Tensor, b: Tensor, x: Tensor, push: Tensor, n_steps: int
) -> dict[str, Callable[[], float]]:
    """One mistake each."""
    W, b, x, start = (t.double() for t in (W, b, x, push))
    radius, through = start.norm(dim=1, keepdim=True), W @ W.T
    size = float(radius[0, 0])
    right = vulnerability(W, b, x, start, n_steps)
    before = float(_error(W, b, x, torch.zeros_like(start)).mean())

    def climbed(step: Callable[[Tensor, Tensor], Tensor]) -> float:
        push = start
        for _ in range(n_steps):
            z = (x + push) @ through + b
            uphill = 2 * ((z.relu() - x) * (z > 0)) @ through
            made = step(push, uphill)
            flat = uphill.norm(dim=1, keepdim=True) <= 1e-12
            push = torch.where(flat, push, made)
        return float((_error(W, b, x, push).mean() - before) / size**2)

    def onto(vector: Tensor) -> Tensor:
        return radius * vector / vector.norm(dim=1, keepdim=True).clamp(min=1e-12)

    return {
        "the error without a push was not taken away.": lambda: right + before / size**2,
        "the increase was divided by the length, not by its square.": lambda: right * size,
        "the increase was not divided by the squared length.": lambda: right * size**2,
        "it went downhill: along minus the gradient.": lambda: climbed(lambda p, g: onto(-g)),
        "the gradient was added to the push; the push becomes the gradient.": lambda: climbed(
            lambda p, g: onto(p + g)
        ),
        "the signs of the gradient were taken, not its direction.": lambda: climbed(
            lambda p, g: onto(g.sign())
        ),
        "the pushes were not climbed with.": lambda: vulnerability(W, b, x, start, 0),
        TOO_MANY: lambda: vulnerability(W, b, x, start, n_steps + 1),
        KEPT_BEST: lambda: _best_of(W, b, x, start, n_steps),
        ONE_STEP: lambda: vulnerability(W, b, x, start, 1),
        "the errors were averaged over features; they are summed.": lambda: right / x.shape[1],
    }


# --------------------------------------------------------------------------------------- sticky


def near(W: Tensor, fractions: list[float], tolerance: float) -> float:
    """The share of living features near one of the fractions."""
    shares = dimensionality(W)[W.double().norm(dim=1) >= DEAD].tolist()
    if not shares:
        return math.nan
    return sum(any(abs(s - f) <= tolerance for f in fractions) for s in shares) / len(shares)


def null_of(W: Tensor, fractions: list[float], tolerance: float, seed: int) -> tuple[float, float]:
    """The mean of the null and its spread, simulated: all draws at once, loops are too slow."""
    random = inputs.generator(seed, 5)
    norms = W.double().norm(dim=1)
    drawn = torch.randn(N_OWN, *W.shape, generator=random).double()
    drawn = drawn / drawn.norm(dim=2, keepdim=True)
    along = torch.einsum("sim,sjm->sij", drawn, drawn * norms[:, None]).square()
    shares = (norms.square() / along.sum(dim=2).clamp(min=1e-12))[:, norms >= DEAD]
    away = (shares[..., None] - torch.tensor(fractions).double()).abs().amin(dim=2)
    values = (away <= tolerance).double().mean(dim=1)
    return float(values.mean()), float(values.std())
