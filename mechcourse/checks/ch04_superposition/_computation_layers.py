"""Hidden layers whose history is known: linear or after a ReLU, and bases that are right or not.

The right basis leaves nothing below 0 but rounding. A wrong one leaves at least a share `FEWEST` of
samples clearly below, so that no case can be argued about. Layers are neither large nor small, so
that a tolerance in absolute terms does as well as one in terms of the layer.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from mechcourse.checks import _inputs as inputs

LOWEST = 0.03  # a wrong basis has a value at least so far below 0, as a share of the largest size
CLEARLY, FEWEST = 0.01, 0.005  # and at least such a share of samples with a value beyond the first
ROUNDING = 6e-7  # the most that a right basis has below 0, so that a tolerance of 1e-6 will do
SCALES = (0.8, 2.5)  # of a layer's largest size
ZEROS = 0.15  # the least share of values that are 0 in a right basis

Detector = Callable[[Tensor, Tensor], int | None]


@dataclass(frozen=True)
class Layer:
    """A hidden layer, bases, and the truth.

    Attributes:
        wanted: the number of the neurons' basis, or None.
        linear: the layer has no ReLU.
        about: what it is, in words.
    """

    hidden: Tensor
    bases: Tensor
    wanted: int | None
    linear: bool
    about: str


class Drawn(NamedTuple):
    """Neurons, and the basis in which they are to be written."""

    z: Tensor
    basis: Tensor

    @property
    def hidden(self) -> Tensor:
        return self.z @ self.basis.T


# --------------------------------------------------------------------------------------- neurons


def _between(random: torch.Generator, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand(1, generator=random))


def _sizes(random: torch.Generator) -> tuple[int, int, int]:
    """Samples, features and dimensions."""
    d = 4 + int(inputs.integers(random, 9))
    return 2000 + int(inputs.integers(random, 1500)), 2 * d + 1 + int(inputs.integers(random, d)), d


def _sparse(random: torch.Generator, n: int, n_features: int, p: float, signed: bool) -> Tensor:
    """Features that are mostly 0; one of them never is anything else."""
    values = torch.rand(n, n_features, generator=random).double()
    values = 2 * values - 1 if signed else values
    present = torch.rand(n, n_features, generator=random) < p
    present[:, -1] = False
    return values * present


def _turn(random: torch.Generator, d: int) -> Tensor:
    """An orthogonal matrix; half of them mirror."""
    turn = inputs.rotation(random, d).double()
    turn[:, 0] *= 1 - 2 * int(inputs.integers(random, 2))
    return torch.linalg.qr(turn).Q * torch.linalg.qr(turn).R.diagonal().sign()


def _linear(random: torch.Generator, *, signed: bool = False) -> Drawn:
    n, n_features, d = _sizes(random)
    x = _sparse(random, n, n_features, _between(random, 0.05, 0.35), signed)
    return Drawn(x @ inputs.normal(random, n_features, d).double(), _turn(random, d))


def _after_relu(random: torch.Generator, *, signed: bool = False) -> Drawn:
    z, basis = _linear(random, signed=signed)
    return Drawn(z.clamp(min=0), basis)


def _antipodal(random: torch.Generator) -> Drawn:
    """A linear layer with two opposite features along each axis: sparse, and full of zeros."""
    n, _, d = _sizes(random)
    x = _sparse(random, n, 2 * d + 1, _between(random, 0.05, 0.2), False)
    lengths = 0.6 + torch.rand(2 * d, 1, generator=random).double()
    axes = torch.eye(d).double()
    return Drawn(x[:, :-1] @ (lengths * torch.cat([axes, -axes])), _turn(random, d))


def _partly_positive(random: torch.Generator, n_negative: int) -> Drawn:
    """A linear layer, of whose axes all but the last ones never go below 0."""
    n, n_features, d = _sizes(random)
    x = _sparse(random, n, n_features, _between(random, 0.1, 0.3), False)
    W = inputs.normal(random, n_features, d).double()
    keep = d - n_negative
    W[:, :keep] = (W[:, :keep] - 0.5).clamp(min=0)
    W[0] += 0.5  # no axis is empty
    return Drawn(x @ W, _turn(random, d))


def _busy(random: torch.Generator) -> Drawn:
    """Neurons after a ReLU of which the first is rarely 0."""
    n, _, d = _sizes(random)
    x = _sparse(random, n, 3 * d + 1, 0.35, False)
    W = inputs.normal(random, 3 * d + 1, d).double()
    W[:, 0] = W[:, 0] + 1
    return Drawn((x @ W).clamp(min=0), _turn(random, d))


# ----------------------------------------------------------------------------------------- bases


def _faced(basis: Tensor, hidden: Tensor) -> Tensor:
    """The same axes, with signs that make every mean positive."""
    return basis * torch.where((hidden @ basis).mean(dim=0) < 0, -1.0, 1.0)


def _pca(hidden: Tensor) -> Tensor:
    return _faced(torch.linalg.eigh(hidden.T @ hidden).eigenvectors.flip(1), hidden)


def _in_one_plane(drawn: Drawn, i: int, j: int, angle: float) -> Tensor:
    """The neurons' basis with two of its axes turned."""
    turn = torch.eye(drawn.z.shape[1]).double()
    turn[i, i] = turn[j, j] = math.cos(angle)
    turn[i, j], turn[j, i] = math.sin(angle), -math.sin(angle)
    return drawn.basis @ turn


def _near(random: torch.Generator, drawn: Drawn) -> Tensor:
    i, j = torch.randperm(drawn.z.shape[1], generator=random)[:2].tolist()
    angle = _between(random, 0.15, 0.5) * (1 - 2 * int(inputs.integers(random, 2)))
    return _in_one_plane(drawn, i, j, angle)


def _barely(random: torch.Generator, drawn: Drawn) -> Tensor:
    """Turned just so far that one or two samples in a hundred go below 0."""
    z = drawn.z
    j = 1 + int(inputs.integers(random, z.shape[1] - 1))
    ratios = torch.where(z[:, j] > 0, z[:, 0] / z[:, j].clamp(min=1e-9), torch.inf)
    tangent = float(ratios.kthvalue(int(_between(random, 0.012, 0.02) * len(z))).values)
    return _in_one_plane(drawn, 0, j, math.atan(tangent))


def _random(random: torch.Generator, drawn: Drawn) -> Tensor:
    """A turn with nothing to it, or one that has its signs, or its order, changed."""
    basis = _turn(random, drawn.z.shape[1])
    kind = int(inputs.integers(random, 3))
    if kind == 1:
        return _faced(basis, drawn.hidden)
    if kind == 2:
        return basis[:, torch.randperm(len(basis), generator=random)]
    return basis


def _of_another_order(random: torch.Generator, drawn: Drawn) -> Tensor:
    """The principal axes in another order."""
    basis = _pca(drawn.hidden)
    return basis[:, torch.randperm(len(basis), generator=random)]


def _turned_over(random: torch.Generator, drawn: Drawn) -> Tensor:
    """The neurons' basis with the sign of one axis changed: what was never below 0 always is."""
    signs = torch.ones(drawn.z.shape[1]).double()
    signs[int(inputs.integers(random, len(signs)))] = -1
    return drawn.basis * signs


WRONG: dict[str, Callable[[torch.Generator, Drawn], Tensor]] = {
    "random": _random,
    "faced": lambda random, drawn: _faced(_turn(random, drawn.z.shape[1]), drawn.hidden),
    "pca": lambda _, drawn: _pca(drawn.hidden),
    "shuffled": _of_another_order,
    "identity": lambda _, drawn: torch.eye(drawn.z.shape[1]).double(),
    "transpose": lambda _, drawn: drawn.basis.T,
    "near": _near,
    "barely": _barely,
    "over": _turned_over,
}


# ---------------------------------------------------------------------------------------- layers


@dataclass(frozen=True)
class Recipe:
    """How layers of a kind are made.

    Attributes:
        bases: their kinds, in order; "right" is that in which the layer was drawn.
        times: how many of them.
        upright: the layer is written as it was drawn.
    """

    about: str
    draw: Callable[[torch.Generator], Drawn]
    bases: str
    times: int = 1
    upright: bool = False


def _all_but(n: int) -> Callable[[torch.Generator], Drawn]:
    return lambda random: _partly_positive(random, n)


def _signed(of: Callable[..., Drawn]) -> Callable[[torch.Generator], Drawn]:
    return lambda random: of(random, signed=True)


# A linear layer has no right basis: that in which it was drawn is "right" here, and still a decoy.
LINEAR = (
    Recipe("a linear layer", _linear, "identity random random pca", 3),
    Recipe("a linear layer of features of both signs", _signed(_linear), "right identity pca", 3),
    Recipe("a linear layer, one basis", _linear, "random", 2),
    Recipe(
        "a linear layer, and bases in which every mean is positive", _linear, "faced pca faced", 3
    ),
    Recipe(
        "a linear layer with two opposite features along each axis of one of the bases",
        _antipodal,
        "random right pca",
        4,
    ),
    Recipe(
        "a linear layer with two opposite features along each axis",
        _antipodal,
        "right random",
        2,
        upright=True,
    ),
    Recipe(
        "a linear layer, and a basis of which only one axis goes below 0",
        _all_but(1),
        "faced right random",
        4,
    ),
    Recipe(
        "a linear layer, and a basis of which two axes go below 0", _all_but(2), "right random", 2
    ),
)
AFTER_RELU = (
    Recipe("neurons as they are", _after_relu, "random right pca", 3, upright=True),
    Recipe("neurons as they are", _after_relu, "right random faced", 2, upright=True),
    Recipe(
        "neurons as they are, their own basis not given",
        _after_relu,
        "random pca faced",
        3,
        upright=True,
    ),
    Recipe("turned neurons", _after_relu, "right random identity", 2),
    Recipe("turned neurons", _after_relu, "identity pca random right", 4),
    Recipe("turned neurons, one basis", _after_relu, "right", 2),
    Recipe(
        "turned neurons, and the transpose of their basis",
        _after_relu,
        "transpose faced right",
        3,
    ),
    Recipe(
        "turned neurons of features of both signs",
        _signed(_after_relu),
        "shuffled near right random identity",
        3,
    ),
    Recipe(
        "turned neurons, a basis turned in one plane before theirs", _after_relu, "near right", 3
    ),
    Recipe(
        "turned neurons, bases turned in one plane around theirs",
        _after_relu,
        "near near right near",
        3,
    ),
    Recipe(
        "turned neurons, and only bases that are turned in one plane", _after_relu, "near near", 4
    ),
    Recipe(
        "turned neurons, and others' bases", _after_relu, "identity near shuffled faced random", 4
    ),
    Recipe(
        "turned neurons, and before their basis the same with one axis turned over",
        _after_relu,
        "over random right",
        2,
    ),
    Recipe("turned neurons, and only the transpose of their basis", _after_relu, "transpose", 2),
    Recipe("turned neurons, one wrong basis", _after_relu, "faced", 2),
    Recipe(
        "turned neurons, and a basis in which few samples go below 0", _busy, "barely random", 4
    ),
    Recipe(
        "turned neurons, and before theirs a basis in which few samples go below 0",
        _busy,
        "barely pca right",
        3,
    ),
)


def layers(random: torch.Generator) -> list[Layer]:
    """Some seventy layers, linear ones and others, in a random order."""
    made = [
        _made(random, recipe, linear, k % 3 == 2)
        for linear, recipes in ((True, LINEAR), (False, AFTER_RELU))
        for recipe in recipes
        for k in range(recipe.times)
    ]
    return [made[i] for i in torch.randperm(len(made), generator=random)]


def _made(random: torch.Generator, recipe: Recipe, linear: bool, double: bool) -> Layer:
    kinds = recipe.bases.split()
    wanted = kinds.index("right") if "right" in kinds and not linear else None
    while True:
        drawn = recipe.draw(random)
        scale = _between(random, *SCALES) / float(drawn.z.abs().max())
        upright = torch.eye(drawn.z.shape[1]).double()
        drawn = Drawn(drawn.z * scale, upright if recipe.upright else drawn.basis)
        bases = [drawn.basis if k == "right" else WRONG[k](random, drawn) for k in kinds]
        dtype = torch.float64 if double else torch.float32
        hidden, stacked = drawn.hidden.to(dtype), torch.stack(bases).to(dtype)
        if all(beyond_doubt(hidden @ b, i == wanted) for i, b in enumerate(stacked)):
            return Layer(hidden, stacked, wanted, linear, recipe.about)


def beyond_doubt(z: Tensor, right: bool) -> bool:
    """Whether a layer written in a basis is clearly what it is: all neurons, or not."""
    largest = float(z.abs().max())
    if right:
        dead = bool((z.amax(dim=0) < 0.02 * largest).any())
        zeros = float((z.abs() < 1e-5 * largest).double().mean())
        return float(z.min()) > -ROUNDING * min(1, largest) and zeros > ZEROS and not dead
    below = float((z < -CLEARLY * largest).any(dim=1).double().mean())
    return float(z.min()) < -LOWEST * largest and below >= FEWEST


# --------------------------------------------------------------------------------- wrong detectors


def _first(accept: Callable[[Tensor], bool]) -> Detector:
    def detect(hidden: Tensor, bases: Tensor) -> int | None:
        return next((i for i, b in enumerate(bases) if accept(hidden @ b)), None)

    return detect


def _best(score: Callable[[Tensor], Tensor]) -> Detector:
    return lambda hidden, bases: int(torch.stack([score(hidden @ b) for b in bases]).argmax())


def _nothing_below(z: Tensor) -> bool:
    return bool(z.min() > -1e-3 * z.abs().max())


def _zeros(z: Tensor) -> Tensor:
    return (z.abs() < 1e-3 * z.abs().max()).double().mean()


def _kurtosis(z: Tensor) -> Tensor:
    about = z - z.mean(dim=0)
    return (about.pow(4).mean(dim=0) / about.square().mean(dim=0).square()).mean()


WRONG_DETECTORS: dict[str, Detector] = {
    "0 is said of every layer.": lambda hidden, bases: 0,
    "None is said of every layer: is a `return` missing?": lambda hidden, bases: None,
    "the last basis is always named.": lambda hidden, bases: len(bases) - 1,
    "rounding leaves a little below 0, so nothing turned is ever found: allow for it.": _first(
        lambda z: bool((z >= 0).all())
    ),
    "the layer was multiplied by the transpose of a basis; in basis i it is hidden @ bases[i].": (
        lambda hidden, bases: _first(_nothing_below)(hidden, bases.mT)
    ),
    "only the first neuron was looked at; none of them may go below 0.": _first(
        lambda z: _nothing_below(z[:, :1])
    ),
    "only the last neuron was looked at; none of them may go below 0.": _first(
        lambda z: _nothing_below(z[:, -1:])
    ),
    "means were held against 0; the basis may be turned until every mean is positive, and single "
    "samples still go below.": _first(lambda z: bool((z.mean(dim=0) > 0).all())),
    "the basis with the most zeros was named, also where none is that of the neurons.": _best(
        _zeros
    ),
    "the basis with the highest kurtosis was named, also where none is that of the neurons; and "
    "sparse features alone make it high.": _best(_kurtosis),
    "the basis with the fewest negative values was named, also where none is that of the "
    "neurons.": _best(lambda z: -(z < -1e-5).double().mean()),
    "the basis whose lowest value is highest was named, also where none is that of the neurons.": (
        _best(lambda z: z.min())
    ),
    "many zeros do not make a ReLU: a linear layer whose features lie along the axes has them, "
    "too, and goes below 0.": _first(lambda z: bool(_zeros(z) > 0.1)),
    "one value in a hundred below 0 was let pass; after a ReLU there is none.": _first(
        lambda z: bool((z < -1e-3 * z.abs().max()).double().mean() < 0.01)
    ),
    "the lowest value was held against the mean size; after a ReLU it is 0 but for rounding.": (
        _first(lambda z: bool(z.min() > -z.abs().mean()))
    ),
}


def named(cases: list[Layer], said: list[int | None]) -> str:
    """The wrong detector that says the same of all layers; empty where none does."""
    for words, detect in WRONG_DETECTORS.items():
        if all(
            detect(case.hidden, case.bases) == got for case, got in zip(cases, said, strict=True)
        ):
            return words
    return ""
