"""Planted inputs and drawn numbers behind `ch04_superposition/5_sparse_autoencoders`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from mechcourse.checks import _inputs as inputs
from mechcourse.checks.ch04_superposition import _sparse_autoencoders as known

TOO_FAR = 7.0  # standard deviations: a right answer is further off once in 10^11 times

# ------------------------------------------------------------------------------------ matching


def matching(
    random: torch.Generator, n_features: int, d: int, n_latents: int
) -> tuple[Tensor, Tensor, dict[str, float]]:
    """Features, latents, and what mistakes make of them, as different as may be.

    One feature is not represented where there are three or more, and one latent has no length where
    there are four. No matter whether pairs below 0 are matched before or after they count 0.
    """
    while True:
        W = inputs.normal(random, n_features, d)
        dictionary = (0.5 + torch.rand(n_latents, 1, generator=random)) * (
            W[torch.randint(n_features, (n_latents,), generator=random)]
            + 0.6 * inputs.normal(random, n_latents, d)
        )
        if n_features > 2:
            W[n_features // 2] *= 0.06 / W[n_features // 2].norm()
        if n_latents > 3:
            dictionary[1] = 0
        short = (W.norm(dim=1) < 0.2) & (W.norm(dim=1) > 0.07)
        table = known.cosines(W, dictionary)
        if short.any() or abs(known.matched(table) - known.matched(table.clamp(min=0))) > 1e-9:
            continue
        if n_features != 6:
            return W, dictionary, {}
        right, wrong = known.recovery(W, dictionary), known.wrong_recoveries(W, dictionary)
        values = sorted([right, *wrong.values()])
        if min(b - a for a, b in pairwise(values)) > 3e-3:  # each mistake has a value of its own
            return W, dictionary, wrong


def toy(random: torch.Generator, n: int, n_features: int, d: int) -> tuple[Tensor, Tensor, Tensor]:
    """A toy model that copies more or less, with biases of both signs, and sparse features."""
    W = inputs.normal(random, n_features, d)
    W = W / W.norm(dim=1, keepdim=True) * (0.7 + 0.5 * torch.rand(n_features, 1, generator=random))
    x = torch.rand(n, n_features, generator=random) * (
        torch.rand(n, n_features, generator=random) < 0.5
    )
    return W, 0.15 * inputs.normal(random, n_features), 2 * x


# ---------------------------------------------------------------------------------------- nulls

AXES = torch.cat([torch.eye(4), -torch.eye(4)])  # where uniform numbers in a cube seldom point
CROWD = torch.tensor([[1.0, 0.2, 0.1], [1.0, 0.3, -0.1], [0.9, 0.1, 0.2], [1.1, -0.1, 0.1]])
ONE = torch.tensor([[2.0, 0.0]])
NULLS = (
    (AXES, 16, "where features lie along axes"),
    (ONE, 2, "each by itself, where two latents are drawn for one feature"),
    (CROWD, 5, "where all features lie to one side"),
)
N_DRAWS, N_OWN = 700, 4000
KINDS = {
    "corner": "numbers from 0 to 1 point to one corner only: draw normal numbers.",
    "cube": "numbers from -1 to 1 prefer the corners of a cube: draw normal numbers.",
    "orthogonal": "directions at right angles were drawn, as those of a random rotation; each "
    "direction is to be drawn by itself.",
    "unmatched": "each feature took its best latent; they are to be matched, as by "
    "`matched_recovery`.",
}


@lru_cache(maxsize=8)
def _own(which: int, kind: str) -> tuple[float, float]:
    """Mean and standard deviation of a null of one's own, by kind of dictionary."""
    W, n_latents, _ = NULLS[which]
    random = torch.Generator().manual_seed(20240229)
    found = []
    for _ in range(N_OWN if kind == "normal" else N_OWN // 4):
        shape = (n_latents, W.shape[1])
        if kind in ("normal", "unmatched"):
            drawn = torch.randn(shape, generator=random)
        elif kind == "cube":
            drawn = 2 * torch.rand(shape, generator=random) - 1
        elif kind == "orthogonal":
            n, d = shape
            drawn = torch.linalg.qr(torch.randn(max(n, d), d, generator=random)).Q[:n]
        else:
            drawn = torch.rand(shape, generator=random)
        unit = torch.nn.functional.normalize(drawn.double(), dim=1)
        cosines = torch.nn.functional.normalize(W.double(), dim=1) @ unit.T
        if kind == "unmatched":
            found.append(float(cosines.amax(dim=1).clamp(min=0).sum()))
            continue
        pairs = linear_sum_assignment(cosines.numpy(), maximize=True)
        found.append(float(cosines[pairs].clamp(min=0).sum()))
    values = torch.tensor(found) / len(W)
    return float(values.mean()), float(values.std())


def _which(W: Tensor, n_latents: int) -> int:
    return next(
        i for i, (given, n, _) in enumerate(NULLS) if n == n_latents and torch.equal(given, W)
    )


def null_of(W: Tensor, n_latents: int) -> tuple[float, float]:
    """What random dictionaries recover, and how much that varies."""
    return _own(_which(W, n_latents), "normal")


def why_off(W: Tensor, n_latents: int, mean: float, room: float) -> str:
    """What a null that is off by too much was probably drawn from."""
    away = {kind: abs(mean - _own(_which(W, n_latents), kind)[0]) for kind in KINDS}
    nearest = min(away, key=lambda kind: away[kind])
    if away[nearest] < 2 * room:
        return KINDS[nearest]
    if mean > 0.95:
        return "the features' own directions were used."
    return "is the number of latents `n_latents`, and each direction drawn by itself, from all?"


# ----------------------------------------------------------------------------------- resampling

NAMES = ("W_enc", "b_enc", "W_dec")
MANY, REPEATS = 400, 5  # dead latents, and calls, to see chances by


@dataclass(frozen=True)
class Patient:
    """An autoencoder with dead latents, and the samples that it was looked at with."""

    h: Tensor
    errors: Tensor
    dead: Tensor
    W_enc: Tensor
    b_enc: Tensor
    W_dec: Tensor
    b_dec: Tensor

    @property
    def arguments(self) -> tuple[Tensor, ...]:
        return self.h, self.errors, self.dead, self.W_enc, self.b_enc, self.W_dec, self.b_dec

    @property
    def changeable(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.W_enc, self.b_enc, self.W_dec

    def with_dead(self, which: Iterable[int]) -> "Patient":
        dead = torch.zeros(len(self.dead), dtype=torch.bool)
        dead[list(which)] = True
        return replace(self, dead=dead)

    def with_errors(self, errors: Tensor) -> "Patient":
        return replace(self, errors=errors)


def patient(random: torch.Generator, n: int, d: int, n_latents: int, n_dead: int) -> Patient:
    """Samples far from each other in direction, some of them without an error."""
    W_enc, b_enc, W_dec, b_dec = known.weights(random, d, n_latents)
    while True:
        h = b_dec + (0.5 + 2 * torch.rand(n, 1, generator=random)) * inputs.normal(random, n, d)
        unit = torch.nn.functional.normalize(h - b_dec, dim=1)
        if float((unit @ unit.T - 2 * torch.eye(n)).max()) < 0.97:
            break
    errors = 0.3 + 2 * torch.rand(n, generator=random)
    errors[n // 2] = 0
    dead = torch.zeros(n_latents, dtype=torch.bool)
    dead[torch.randperm(n_latents, generator=random)[:n_dead]] = True
    W_enc[:, dead] *= 3  # so that a mean over all columns is another
    return Patient(h, errors, dead, W_enc, b_enc, W_dec, b_dec)


def nearest(rows: Tensor, towards: Tensor) -> Tensor:
    """The largest cosine of each row with any of some vectors."""
    unit = torch.nn.functional.normalize(rows, dim=1)
    return (unit @ torch.nn.functional.normalize(towards.double(), dim=1).T).amax(dim=1)


def why_elsewhere(rows: Tensor, given: Patient) -> str:
    """What rows that point to no sample with an error probably point to."""
    h, b_dec = given.h.double(), given.b_dec.double()
    for towards, words in (
        (h, "the decoder's bias was not taken away."),
        (b_dec - h, "they point the other way."),
        (h + b_dec, "the decoder's bias was added; it is taken away."),
        (h - b_dec, "a sample without an error was drawn."),
        (given.W_dec.double()[given.dead], "dead latents were left as they were."),
        (given.W_dec.double()[~given.dead], "these are live latents' directions."),
    ):
        if float(nearest(rows, towards).min()) > 1 - 1e-5:
            return words
    return "these are mixtures, or random directions; each is to be that of one sample."


def wrong_lengths(given: Patient, right: Tensor) -> dict[str, Tensor]:
    """The dead latents' columns with one mistake each."""
    n, W_enc = int(given.dead.sum()), given.W_enc.double()
    every = W_enc.norm(dim=0)
    made = {
        "they have length 1; a fifth of the live ones' mean length is asked for.": torch.ones(()),
        "they have the mean length of the live ones; a fifth of it is asked for.": 5 * right,
        "the mean was taken over all latents; it is over the live ones.": 0.2 * every.mean(),
        "the mean was taken over the dead ones; it is over the live ones.": 0.2
        * every[given.dead].mean(),
        "they have length 0.2; that is a factor.": torch.tensor(0.2),
        "the rows of W_dec were measured; it is the columns of W_enc.": 0.2
        * given.W_dec.double()[~given.dead].norm(dim=1).mean(),
        "rows of W_enc were measured; a latent has a column.": 0.2
        * W_enc[:, ~given.dead].norm(dim=1).mean(),
    }
    return {
        words: length.expand(n)
        for words, length in made.items()
        if abs(float(length) - float(right)) > 1e-2
    }


def why_uneven(share: Tensor, errors: Tensor) -> str:
    """What shares of the draws, by errors, say of how samples were drawn."""
    by: Sequence[tuple[Tensor, str]] = (
        (errors, "they are in proportion to the errors; the squares are asked for."),
        ((errors > 0).float(), "all samples with an error are alike likely."),
        (torch.ones(len(errors)), "all samples are alike likely; the errors say nothing."),
        (errors**4, "they are in proportion to the fourth power: errors were squared twice."),
        (errors.softmax(dim=0), "a softmax was taken of the errors."),
        ((errors**2).softmax(dim=0), "a softmax was taken of the squared errors."),
    )
    for weights, words in by:
        if float((share - weights / weights.sum()).abs().max()) < 0.04:
            return words
    if float(share.max()) > 0.99:
        return "it is always the sample with the largest error; samples are to be drawn."
    return "is each draw by itself, with putting back, and the chance the squared error?"
