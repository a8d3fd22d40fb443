"""Right answers to `ch04_superposition/3_phase_diagram.ipynb` in other styles: all must pass."""

import collections
import fractions
import itertools
import math
import random as python_random
import statistics
import sys
import warnings

import numpy as np
import torch
from scipy.integrate import dblquad, quad
from scipy.optimize import brentq, minimize_scalar

from mechcourse.superposition import reconstruct, sparse_features
from tests.checks.harness import right

# ---------------------------------------------------------------------------- monte_carlo_loss


@right("monte_carlo_loss")
def loss_in_numpy(W, b, p, importance, *, n_samples, seed):
    print("a note", file=sys.stderr)
    random = np.random.default_rng(seed)
    W, b, importance = (x.numpy().astype(np.float64) for x in (W, b, importance))
    x = np.where(random.random((n_samples, len(b))) < p, random.random((n_samples, len(b))), 0)
    losses = (importance * np.square(x - np.maximum(x @ W @ W.T + b, 0))).sum(axis=1)
    return losses.mean(), losses.std(ddof=1) / np.sqrt(n_samples)


@right("monte_carlo_loss")
def loss_with_the_global_generator_seeded(W, b, p, importance, *, n_samples, seed):
    torch.manual_seed(seed)
    x = torch.rand(n_samples, W.shape[0])
    x = x.masked_fill(torch.rand_like(x) >= p, 0.0)
    hidden = torch.einsum("sf,fh->sh", x, W)
    made = torch.relu(torch.einsum("sh,fh->sf", hidden, W) + b)
    losses = (x - made).pow(2) @ importance
    return losses.mean(), losses.std(unbiased=True) / torch.tensor(n_samples).sqrt()


@right("monte_carlo_loss")
def loss_by_bernoulli(W, b, p, importance, *, n_samples, seed):
    warnings.warn("a warning", stacklevel=1)
    g = torch.Generator()
    g.manual_seed(seed)
    there = torch.bernoulli(torch.full((len(W), n_samples), p), generator=g)
    x = (there * torch.empty(len(W), n_samples).uniform_(generator=g)).T.double()
    W, b = W.double().requires_grad_(), b.double()
    losses = (importance * (x - (x @ (W @ W.T) + b).clamp(min=0)).square()).sum(-1)
    return [losses.mean(), losses.var().div(n_samples).sqrt()]


@right("monte_carlo_loss")
def loss_by_one_number_used_twice(W, b, p, importance, *, n_samples, seed):
    u = torch.rand(n_samples, len(W), generator=torch.Generator().manual_seed(seed)).double()
    x = torch.where(u < p, u / p, 0.0)  # below p, and so uniform once more
    losses = (importance * (x - (x @ W.double() @ W.double().T + b).relu()) ** 2).sum(1)
    return losses.mean().item(), losses.std().item() / n_samples**0.5


@right("monte_carlo_loss")
def loss_in_loops(W, b, p, importance, *, n_samples, seed):
    random = python_random.Random(seed)
    table, bias, weight = (W @ W.T).tolist(), b.tolist(), importance.tolist()
    places, losses = range(len(bias)), []
    for _ in range(n_samples):
        x = [random.random() if random.random() < p else 0.0 for _ in places]
        total = 0.0
        for i in places:
            made = max(0.0, bias[i] + sum(x[j] * table[i][j] for j in places if x[j]))
            total += weight[i] * (x[i] - made) ** 2
        losses.append(total)
    return statistics.fmean(losses), statistics.stdev(losses) / math.sqrt(n_samples)


@right("monte_carlo_loss")
def loss_in_batches(W, b, p, importance, *, n_samples, seed):
    g, losses = torch.Generator().manual_seed(seed + 10**6), []
    for start in range(0, n_samples, 1000):
        size = min(1000, n_samples - start), len(W)
        x = torch.rand(size, generator=g) * torch.rand(size, generator=g).le(p)
        losses.append((importance * (x - (x @ W @ W.T + b).relu()) ** 2).sum(1))
    losses = torch.cat(losses)
    return float(losses.mean()), float(losses.std(correction=1) * n_samples**-0.5)


@right("monte_carlo_loss")
def loss_of_one_instance(W, b, p, importance, *, n_samples, seed):
    x = sparse_features(n_samples, torch.full((1, len(W)), p), seed=seed)
    errors = x - reconstruct(x, W[None], b[None])
    losses = (importance * errors**2).sum(dim=(1, 2))
    return losses.mean(), losses.std() / n_samples**0.5


@right("monte_carlo_loss")
def loss_from_sums(W, b, p, importance, *, n_samples, seed):
    g = torch.Generator().manual_seed(seed)
    u = torch.rand(2, n_samples, len(W), generator=g, dtype=torch.float64)
    x = u[0] * (u[1] > 1 - p)
    losses = ((x - (x @ W.double() @ W.T.double() + b).relu()).square() * importance).sum(1)
    mean = losses.sum() / n_samples
    square = (losses - mean).square().sum() / (n_samples - 1)
    return mean, (square / n_samples) ** 0.5


# ---------------------------------------------------------------------------- loss_of_ignoring


@right("loss_of_ignoring")
def ignoring_factored(p, importance):
    print("a note", file=sys.stderr)
    return importance * p * (4 - 3 * p) / 12


@right("loss_of_ignoring")
def ignoring_in_float32(p, importance):
    p = torch.tensor(p)
    return importance * (p / 3 - (p / 2) ** 2)


@right("loss_of_ignoring")
def ignoring_as_within_and_between(p, importance):
    within, between = p / 12, p * (1 - p) / 4
    return np.float64(importance) * (within + between)


@right("loss_of_ignoring")
def ignoring_with_the_bias_put_in(p, importance):
    c = torch.tensor(p / 2, dtype=torch.float64)
    return importance * ((1 - p) * c**2 + p * ((1 - c) ** 3 + c**3) / 3)


@right("loss_of_ignoring")
def ignoring_by_integrals(p, importance):
    c = p / 2
    return importance * ((1 - p) * c**2 + p * quad(lambda u: (u - c) ** 2, 0, 1)[0])


@right("loss_of_ignoring")
def ignoring_by_the_best_bias(p, importance):
    found = minimize_scalar(
        lambda c: (1 - p) * c**2 + p * (1 / 3 - c + c**2), bounds=(0, 1), options={"xatol": 1e-9}
    )
    return importance * float(found.fun)


# ---------------------------------------------------------------------------- loss_of_antipodes


@right("loss_of_antipodes")
def sharing_feature_by_feature(p, first, second):
    warnings.warn("a warning", stacklevel=1)
    return sum(p**2 / 6 * importance for importance in (first, second))


@right("loss_of_antipodes")
def sharing_in_float32(p, first, second):
    return torch.tensor([first, second]).sum() * torch.tensor(p).square() / 6


@right("loss_of_antipodes")
def sharing_by_an_integral(p, first, second):
    square, _ = quad(lambda t: t**2 * 2 * (1 - t), 0, 1)
    return np.float32(p * p * (first + second) * square)


@right("loss_of_antipodes")
def sharing_by_double_integrals(p, first, second):
    def half(importance):
        return (
            dblquad(lambda y, x: importance * y * y, 0, 1, 0, lambda x: x)[0]
            + dblquad(lambda y, x: importance * x * x, 0, 1, lambda x: x, 1)[0]
        )

    return p**2 * (half(first) + half(second))


@right("loss_of_antipodes")
def sharing_by_nodes(p, first, second):
    at, weights = np.polynomial.legendre.leggauss(8)
    u, w = torch.tensor((at + 1) / 2), torch.tensor(weights / 2)
    least = 2 * torch.einsum("i,j,ij->", w * u, w, (u[:, None] * u) ** 2)  # y = t x
    return (p**2 * (first + second) * least)[None].sum()


# ------------------------------------------------------------------------------ phase_boundary


@right("phase_boundary")
def boundary_by_cases(importance):
    if importance <= 1:
        return 4 * importance / (2 + 5 * importance)
    return 4 / (5 + 2 * importance)


@right("phase_boundary")
def boundary_by_the_cheaper(importance):
    print("a note", file=sys.stderr)
    cheaper = torch.tensor(min(importance, 1.0))
    return cheaper / 3 / ((1 + importance) / 6 + cheaper / 4)


@right("phase_boundary")
def boundary_by_symmetry(importance):
    small = np.minimum(importance, 1 / importance)
    return 2 * small / (1 + 2.5 * small)


@right("phase_boundary")
def boundary_by_halving(importance):
    low, high = 0.0, 1.0
    while high - low > 1e-12:
        p = (low + high) / 2
        shared = loss_of_antipodes(p, 1.0, importance)
        alone = min(loss_of_ignoring(p, importance), loss_of_ignoring(p, 1.0))
        low, high = (p, high) if shared < alone else (low, p)
    return (low + high) / 2


@right("phase_boundary")
def boundary_by_a_root(importance):
    def gap(p):
        alone = min(loss_of_ignoring(p, importance), loss_of_ignoring(p, 1.0))
        return (loss_of_antipodes(p, 1.0, importance) - alone) / p

    return brentq(gap, 1e-9, 1.0, xtol=1e-14)


# ------------------------------------------------------------------------------------ phase_of


@right("phase_of")
def phase_by_a_loop(W, candidates):
    print("a note", file=sys.stderr)
    best, nearest = None, math.inf
    for name, C in candidates.items():
        away = torch.linalg.matrix_norm(W @ W.T - C @ C.T)
        if away < nearest:
            best, nearest = name, away
    return best


@right("phase_of")
def phase_by_argmin(W, candidates):
    warnings.warn("a warning", stacklevel=1)
    tables = torch.stack([C @ C.mT for C in candidates.values()])
    away = (tables - W @ W.mT).flatten(1).square().sum(1)
    return list(candidates)[int(away.argmin())]


@right("phase_of")
def phase_in_numpy(W, candidates):
    W = W.numpy().astype(np.float64)
    away = [np.linalg.norm(W @ W.T - C.numpy() @ C.numpy().T, "fro") for C in candidates.values()]
    return np.array(list(candidates))[np.argmin(away)].item()


@right("phase_of")
def phase_by_einsum_in_float32(W, candidates):
    def table(V):
        return torch.einsum("ih,jh->ij", V.float(), V.float())

    return min(candidates.items(), key=lambda item: torch.dist(table(W), table(item[1])))[0]


@right("phase_of")
def phase_by_sorting(W, candidates):
    gram = (W @ W.T).double()
    away = [
        (math.sqrt(sum(x * x for row in (gram - C @ C.T).tolist() for x in row)), place)
        for place, C in enumerate(candidates.values())
    ]
    return list(candidates)[sorted(away)[0][1]]


# ------------------------------------------------------------------------------- phases_of_best


@right("phases_of_best")
def best_over_all_choices(losses, phases, k):
    print("a note", file=sys.stderr)
    choices = list(itertools.combinations(range(len(phases)), k))
    counts = collections.Counter(dict.fromkeys(phases, 0))
    for drawn in choices:
        counts[phases[min(drawn, key=lambda model: losses[model].item())]] += 1
    return {phase: count / len(choices) for phase, count in counts.items()}


@right("phases_of_best")
def best_model_by_model(losses, phases, k):
    n, found = len(losses), {}
    for loss, phase in zip(losses, phases, strict=True):
        worse = int((losses > loss).sum())
        found.setdefault(phase, []).append(math.comb(worse, k - 1))
    return {phase: torch.tensor(sum(c) / math.comb(n, k)) for phase, c in found.items()}


@right("phases_of_best")
def best_one_by_one(losses, phases, k):
    order = np.argsort(losses.numpy())
    n, left = len(order), 1.0
    odds = dict.fromkeys(sorted(set(phases)), 0.0)
    for rank, model in enumerate(order):
        drawn = min(k / (n - rank), 1.0)  # given that no better one was
        odds[phases[model]] += np.float64(left * drawn)
        left *= 1 - drawn
    return odds


@right("phases_of_best")
def best_in_fractions(losses, phases, k):
    warnings.warn("a warning", stacklevel=1)
    n = len(phases)
    pairs = sorted(zip(losses.tolist(), phases, strict=True))
    odds = collections.defaultdict(fractions.Fraction)
    for rank, (_, phase) in enumerate(pairs):
        odds[phase] += fractions.Fraction(math.comb(n - rank - 1, k - 1), math.comb(n, k))
    return {phase: float(odds[phase]) for phase in set(phases)}


@right("phases_of_best")
def best_by_tensors(losses, phases, k):
    n = len(phases)
    choices = torch.combinations(torch.arange(n), k)
    best = choices.gather(1, losses[choices].argmin(dim=1, keepdim=True)).flatten()
    names = list(dict.fromkeys(phases))
    which = torch.tensor([names.index(phase) for phase in phases])[best]
    return dict(zip(names, torch.bincount(which, minlength=len(names)) / len(choices), strict=True))


@right("phases_of_best")
def best_by_permutations_of_few(losses, phases, k):
    ranks = losses.argsort().argsort().tolist()
    odds = dict.fromkeys(phases, 0.0)
    total = math.comb(len(phases), k)
    for drawn in itertools.combinations(ranks, k):
        odds[phases[ranks.index(min(drawn))]] += 1 / total
    return odds
