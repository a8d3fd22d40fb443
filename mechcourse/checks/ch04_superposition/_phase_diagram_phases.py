"""Trained models, ideal ones and wrong ways to compare them, for `phase_of`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

Rows = np.ndarray
NAMES = ("square", "ignored", "tent", "antipodal", "alone", "line", "digons", "kite")
CLEAR = 0.03  # by this part the closest candidate is closer than any other
ALIKE = 1e-4
N_DRAWS = 20_000


@dataclass(frozen=True)
class Case:
    """A trained model and ideal ones, by name and in an order."""

    W: Tensor
    candidates: dict[str, Tensor]
    wanted: str


def products(rows: Rows) -> Rows:
    """W Wᵀ, row by row."""
    return np.array([[float(np.dot(a, b)) for b in rows] for a in rows])


def away(W: Rows, ideal: Rows) -> float:
    """The root of the summed squared differences of the products."""
    gap = products(W) - products(ideal)
    return float(sum(x * x for row in gap for x in row)) ** 0.5


def _unit(rows: Rows) -> Rows:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.maximum(lengths, 1e-12)


def _whole(rows: Rows) -> Rows:
    return rows / max(np.linalg.norm(rows), 1e-12)


def _gap(W: Rows, C: Rows) -> Rows:
    return W @ W.T - C @ C.T


# The smallest is the answer.
Score = Callable[[Rows, Rows], float]
WRONG_SCORES: dict[str, Score] = {
    "W was compared with the candidates as it is; a rotation or a mirror image changes W, but not "
    "W Wᵀ.": lambda W, C: float(np.linalg.norm(W - C)),
    "W was compared with the candidates up to its signs; a rotation changes W as well, but not "
    "W Wᵀ.": lambda W, C: float(np.linalg.norm(abs(W) - abs(C))),
    "this is WᵀW, hidden by hidden; W Wᵀ has a row for each feature.": lambda W, C: float(
        np.linalg.norm(W.T @ W - C.T @ C)
    ),
    "only the diagonal of W Wᵀ was compared: lengths, not how features lie to each other.": (
        lambda W, C: float(np.linalg.norm(np.diag(_gap(W, C))))
    ),
    "lengths of rows were compared, not how features lie to each other.": lambda W, C: float(
        np.linalg.norm(np.linalg.norm(W, axis=1) - np.linalg.norm(C, axis=1))
    ),
    "the diagonal of W Wᵀ was left out: lengths count as well.": lambda W, C: float(
        np.linalg.norm(_gap(W, C) - np.diag(np.diag(_gap(W, C))))
    ),
    "only half of the table was compared, which counts the diagonal twice as much.": (
        lambda W, C: float(np.linalg.norm(np.triu(_gap(W, C))))
    ),
    "rows were given length 1 first; how long they are counts as well.": lambda W, C: away(
        _unit(W), _unit(C)
    ),
    "W and the candidates were given norm 1 first; how large they are counts as well.": (
        lambda W, C: away(_whole(W), _whole(C))
    ),
    "this is the largest difference; the Frobenius norm is the root of all squares, summed.": (
        lambda W, C: float(abs(_gap(W, C)).max())
    ),
    "absolute differences were added up; the Frobenius norm adds up squares.": lambda W, C: float(
        abs(_gap(W, C)).sum()
    ),
    "this is the spectral norm (ord=2 of a matrix); the Frobenius norm is meant.": (
        lambda W, C: float(np.linalg.norm(_gap(W, C), 2))
    ),
    "this is the nuclear norm, a sum of singular values; the Frobenius norm is meant.": (
        lambda W, C: float(np.linalg.norm(_gap(W, C), "nuc"))
    ),
    "signs of the products were dropped: opposite and equal features look alike then.": (
        lambda W, C: float(np.linalg.norm(abs(W @ W.T) - abs(C @ C.T)))
    ),
    "the candidate that is furthest away was taken.": lambda W, C: -away(W, C),
    "differences were added up with their signs, so that they cancel.": lambda W, C: abs(
        float(_gap(W, C).sum())
    ),
    "differences were added up with their signs; the smallest sum is not the closest.": (
        lambda W, C: float(_gap(W, C).sum())
    ),
    "the norms of the two tables were compared, not the tables.": lambda W, C: abs(
        float(np.linalg.norm(W @ W.T) - np.linalg.norm(C @ C.T))
    ),
    "this is the candidate of the largest overlap, which favours large ones.": lambda W, C: (
        -float(((W @ W.T) * (C @ C.T)).sum())
    ),
    "this is the candidate of the largest cosine; the norm of the difference is meant.": (
        lambda W, C: -float(((W @ W.T) * (C @ C.T)).sum() / max(np.linalg.norm(C @ C.T), 1e-12))
    ),
    "W was multiplied with the candidate: W Cᵀ is neither table.": lambda W, C: float(
        np.linalg.norm(W @ C.T - C @ C.T)
    ),
    "singular values were compared, which do not know which feature is which.": lambda W, C: float(
        np.linalg.norm(np.linalg.svd(W, compute_uv=False) - np.linalg.svd(C, compute_uv=False))
    ),
    "the rows of a candidate may not be exchanged: features keep their places.": lambda W, C: float(
        np.linalg.norm(np.sort((W @ W.T).ravel()) - np.sort((C @ C.T).ravel()))
    ),
}
Choice = Callable[[Case], set[str]]


def by_score(score: Score) -> Choice:
    """The candidates of the least score: more than one where rounding decides between them."""

    def choose(case: Case) -> set[str]:
        W = case.W.double().numpy()
        scores = {name: score(W, C.double().numpy()) for name, C in case.candidates.items()}
        least = min(scores.values())
        return {name for name, value in scores.items() if value < least + ALIKE}

    return choose


WRONG_CHOICES: Mapping[str, Choice] = {
    **{words: by_score(score) for words, score in WRONG_SCORES.items()},
    "it is always the first candidate.": lambda case: {next(iter(case.candidates))},
    "it is always the last candidate.": lambda case: {list(case.candidates)[-1]},
}


@lru_cache(maxsize=16)
def telling_cases(seed: int) -> list[Case]:
    """Models that are clearly closest to one candidate; each wrong way is wrong on two or more."""
    random = np.random.default_rng(seed + 43)
    right = by_score(away)
    cases: list[Case] = []
    missed = dict.fromkeys(WRONG_CHOICES, 0)
    for draw in range(N_DRAWS):
        n, m = ((3, 2), (2, 1), (5, 2), (4, 3), (6, 4))[draw % 5]
        made = _drawn(random, n, m, double=bool(draw % 2))
        gaps = sorted(
            away(made.W.double().numpy(), C.double().numpy()) for C in made.candidates.values()
        )
        if gaps[1] < (1 + CLEAR) * gaps[0] + CLEAR:
            continue
        (wanted,) = right(made)
        case = Case(made.W, made.candidates, wanted)
        asked = [words for words in missed if len(cases) < 6 or missed[words] < 2]
        wrong = [words for words in asked if case.wanted not in WRONG_CHOICES[words](case)]
        if not wrong:
            continue
        cases.append(case)
        for words in wrong:
            missed[words] += 1
        if min(missed.values()) >= 2 and len(cases) >= 10:
            return cases
    raise RuntimeError(f"no models tell these apart: {[w for w, k in missed.items() if k < 2]}")


def _drawn(random: np.random.Generator, n: int, m: int, *, double: bool) -> Case:
    """Some ideal models, and one near one of them, turned and of another size."""
    kinds = int(random.integers(4, 8))
    names = [NAMES[i] for i in random.permutation(len(NAMES))[:kinds]]
    ideals = [_ideal(random, n, m) for _ in names]
    near = ideals[int(random.integers(kinds))]
    noise = random.normal(0, 0.55, (n, m))
    turned = (random.uniform(0.8, 1.2) * near + noise) @ np.linalg.qr(random.normal(size=(m, m)))[0]
    dtype = torch.float64 if double else torch.float32
    tensors = [torch.from_numpy(x).to(dtype) for x in (turned, *ideals)]
    return Case(tensors[0], dict(zip(names, tensors[1:], strict=True)), "")


def _ideal(random: np.random.Generator, n: int, m: int) -> Rows:
    """Rows along axes, either way, some of them 0 and some of another length."""
    rows = np.zeros((n, m))
    for row in rows:
        if random.random() < 0.75:
            row[int(random.integers(m))] = random.choice([-1.0, 1.0]) * random.choice([1, 1, 1.5])
    return rows


def ties(seed: int) -> list[Case]:
    """Candidates that are exactly equally close: mirror images, and whole numbers.

    The first of them is neither the first nor the last by its name, and never the first in the
    dict.
    """
    random = np.random.default_rng(seed + 44)
    found = []
    for n, m in ((3, 2), (2, 1), (4, 2)):
        close = torch.zeros(n, m)
        close[0, 0], close[1, 0] = 1.0, -1.0
        far = 3 * torch.ones(n, m)
        W = close * torch.tensor(random.choice([1.0, -1.0]))
        found.append(Case(W, {"b": far, "m": close, "a": -close, "z": close.flip(1).clone()}, "m"))
    # Two candidates that are nothing alike, each with one product that is off by 1.
    W = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
    first, second = W.clone(), W.clone()
    first[2, 1] = second[0, 0] = 0.0
    found.append(Case(W, {"x": 2 * W, "t": first, "c": second, "v": 3 * W}, "t"))
    return found
