"""Right answers to `ch03_grokking/1_watch_it_grok.ipynb` in other styles: all must pass."""

import math
import random as python_random
import sys
import warnings
from decimal import Decimal, getcontext

import numpy as np
import torch

from tests.checks.harness import right

# -------------------------------------------------------------------- modular_addition_dataset


@right("modular_addition_dataset")
def dataset_in_plain_python(p, fraction, *, seed):
    print("a note", file=sys.stderr)
    rows = [[a, b, p] for a in range(p) for b in range(p)]
    chosen = set(python_random.Random(seed).sample(range(p * p), int(fraction * p * p)))
    return rows, [(a + b) % p for a, b, _ in rows], [i in chosen for i in range(p * p)]


@right("modular_addition_dataset")
def dataset_in_numpy(p, fraction, *, seed):
    a, b = np.divmod(np.arange(p * p), p)
    is_train = np.zeros(p * p, dtype=bool)
    chosen = np.random.default_rng(seed).choice(p * p, int(fraction * p * p), replace=False)
    is_train[chosen] = True
    return np.stack([a, b, np.full_like(a, p)], axis=-1), np.mod(a + b, p), is_train


@right("modular_addition_dataset")
def dataset_by_noise(p, fraction, *, seed):
    warnings.warn("a warning is no mistake", stacklevel=1)
    torch.manual_seed(seed)
    a = torch.arange(p).repeat_interleave(p)
    b = torch.arange(p).repeat(p)
    rank = torch.rand(p * p).argsort().argsort()
    tokens = torch.stack([a, b, p * torch.ones_like(a)]).T
    return tokens.int(), torch.remainder(a + b, p), rank < math.floor(fraction * p * p)


@right("modular_addition_dataset")
def dataset_of_what_is_not_tested(p, fraction, *, seed):
    n = int(fraction * p * p)
    grid = torch.meshgrid(torch.arange(p), torch.arange(p), indexing="ij")
    a, b = (axis.reshape(-1) for axis in grid)
    random = torch.Generator()
    random.manual_seed(1000 * seed + 17)
    order = torch.randperm(p**2, generator=random)
    is_train = torch.ones(p**2, dtype=torch.bool)
    is_train[order[n:]] = False
    tokens = torch.empty(p**2, 3, dtype=torch.long)
    tokens[:, 0], tokens[:, 1], tokens[:, 2] = a, b, p
    return [tokens, torch.where(a + b >= p, a + b - p, a + b), is_train]


# ----------------------------------------------------------------------- cross_entropy_float64


@right("cross_entropy_float64")
def loss_by_torch(logits, labels):
    print("a note", file=sys.stderr)
    return torch.nn.functional.cross_entropy(logits.to(torch.float64), labels)


@right("cross_entropy_float64")
def loss_by_logsumexp(logits, labels):
    x = logits.double()
    x = x - x.max(dim=-1, keepdim=True).values
    return (x.logsumexp(-1) - x[torch.arange(len(x)), labels]).mean().requires_grad_()


@right("cross_entropy_float64")
def loss_by_a_bare_logsumexp(logits, labels):
    x = logits.double()
    return sum(torch.logsumexp(row, 0) - row[y] for row, y in zip(x, labels, strict=True)) / len(x)


@right("cross_entropy_float64")
def loss_in_numpy(logits, labels):
    x = logits.numpy().astype(np.float64)
    gaps = x - np.take_along_axis(x, labels.numpy()[:, None], axis=1)
    top = np.maximum(gaps.max(axis=1), 0)
    np.put_along_axis(gaps, labels.numpy()[:, None], -np.inf, axis=1)
    rest = np.exp(gaps - top[:, None]).sum(axis=1)
    return np.where(top > 0, top + np.log(rest + np.exp(-top)), np.log1p(rest)).mean()


@right("cross_entropy_float64")
def loss_in_decimals(logits, labels):
    getcontext().prec = 60
    total = Decimal(0)
    for row, label in zip(logits[:, :].tolist(), labels.tolist(), strict=True):
        top = max(row)
        weights = [Decimal(value - top).exp() for value in row]
        total -= Decimal(row[label] - top) - sum(weights).ln()
    return float(total / len(labels))


@right("cross_entropy_float64")
def loss_as_float32_at_the_end(logits, labels):
    picked = logits.double().log_softmax(-1).gather(1, labels.unsqueeze(1)).squeeze(1)
    return torch.neg(picked).mean().float()


@right("cross_entropy_float64")
def loss_by_one_hot(logits, labels):
    hot = torch.nn.functional.one_hot(labels, logits.shape[1]).double()
    log_probs = torch.log_softmax(logits, dim=1, dtype=torch.float64)
    return -(hot * log_probs).sum() / len(labels)


# ------------------------------------------------------------------------------ grokking_delay


@right("grokking_delay")
def delay_by_counting_runs(steps, train_accuracy, test_accuracy, *, threshold, hold):
    found = []
    for accuracy in (train_accuracy, test_accuracy):
        run, place = 0, None
        for i, value in enumerate(accuracy.tolist()):
            run = run + 1 if value >= threshold else 0
            if run >= hold and place is None:
                place = i - hold + 1
        found.append(place)
    if found[0] is None:
        raise ValueError("never")
    if found[1] is None:
        return math.inf
    return int(steps[found[1]]) - int(steps[found[0]])


@right("grokking_delay")
def delay_by_cumulative_sums(steps, train_accuracy, test_accuracy, *, threshold, hold):
    print("a note", file=sys.stderr)

    def reached(accuracy):
        total = torch.nn.functional.pad((accuracy >= threshold).long().cumsum(0), (1, 0))
        full = (total[hold:] - total[:-hold]) == hold
        return steps[full.nonzero()[0, 0]].double() if full.any() else torch.tensor(math.inf)

    first = reached(train_accuracy)
    if first == math.inf:
        raise ValueError
    return reached(test_accuracy) - first


@right("grokking_delay")
def delay_in_numpy(steps, train_accuracy, test_accuracy, *, threshold, hold):
    steps = steps.numpy()
    both = np.stack([train_accuracy.numpy(), test_accuracy.numpy()]) >= threshold
    ones = np.ones(hold)
    at = []
    for above in both:
        full = np.convolve(above, ones, mode="valid") == hold if hold <= len(steps) else [False]
        at.append(steps[np.argmax(full)] if np.any(full) else np.inf)
    if np.isinf(at[0]):
        raise ValueError(threshold, hold)
    return np.float64(at[1] - at[0])


@right("grokking_delay")
def delay_by_strings(steps, train_accuracy, test_accuracy, *, threshold, hold):
    places = []
    for accuracy in (train_accuracy, test_accuracy):
        marks = "".join("x" if value >= threshold else "." for value in accuracy)
        places.append(marks.find("x" * hold))
    if places[0] < 0:
        raise ValueError("nothing was memorised")
    return float("inf") if places[1] < 0 else steps[places[1]] - steps[places[0]]


# -------------------------------------------------------------------------- accuracy_by_mirror


@right("accuracy_by_mirror")
def mirrors_in_loops(logits, tokens, is_train):
    p = logits.shape[-1]
    trained = {(a, b) for (a, b, _), t in zip(tokens.tolist(), is_train.tolist(), strict=True) if t}
    groups = {True: [], False: []}
    for row, (a, b, _), t in zip(logits, tokens.tolist(), is_train.tolist(), strict=True):
        if not t:
            groups[(b, a) in trained].append(int(row.argmax()) == (a + b) % p)
    total = sum(map(len, groups.values()))
    means = [sum(g) / len(g) if g else math.nan for g in groups.values()]
    return [len(groups[True]) / total, *means]


@right("accuracy_by_mirror")
def mirrors_by_comparing_all_pairs(logits, tokens, is_train):
    print("a note", file=sys.stderr)
    pairs = tokens[:, :2]
    same = (pairs[:, None] == pairs.flip(1)[None]).all(-1)  # [pair mirror]
    mirrored = (same & is_train[None]).any(1)[~is_train]
    p = tokens[0, 2]
    right = (logits.argmax(-1) == pairs.sum(1) % p)[~is_train].float()
    return mirrored.float().mean(), right[mirrored].mean(), right[~mirrored].mean()


@right("accuracy_by_mirror")
def mirrors_by_codes_in_numpy(logits, tokens, is_train):
    p = logits.shape[1]
    a, b, _ = tokens.numpy().T
    train = is_train.numpy()
    mirrored = np.isin(b * p + a, (a * p + b)[train])
    right = logits.numpy().argmax(1) == np.mod(a + b, p)
    with np.errstate(all="ignore"):
        return (
            mirrored[~train].mean(),
            right[~train & mirrored].sum() / np.float64((~train & mirrored).sum()),
            right[~train & ~mirrored].sum() / np.float64((~train & ~mirrored).sum()),
        )


@right("accuracy_by_mirror")
def mirrors_as_one_tensor(logits, tokens, is_train):
    p = logits.shape[1]
    table = torch.zeros(p * p).index_put_((tokens[:, 0] * p + tokens[:, 1],), is_train.float())
    mirrored = table[tokens[:, 1] * p + tokens[:, 0]]
    tested = 1 - is_train.float()
    right = (logits.argmax(1) == (tokens[:, 0] + tokens[:, 1]).remainder(p)).float()
    weights = torch.stack([tested * mirrored, tested * (1 - mirrored)])
    return torch.cat([(weights[:1].sum(1) / tested.sum()), (weights @ right) / weights.sum(1)])


# -------------------------------------------------------------------------- mirror_proof_split


@right("mirror_proof_split")
def split_in_plain_python(p, fraction, *, seed):
    print("a note", file=sys.stderr)
    above = [(a, b) for a in range(p) for b in range(a, p)]
    chosen = set(python_random.Random(seed).sample(above, int(fraction * p * (p + 1) / 2)))
    return [(min(a, b), max(a, b)) in chosen for a in range(p) for b in range(p)]


@right("mirror_proof_split")
def split_by_symmetric_noise(p, fraction, *, seed):
    n = int(fraction * p * (p + 1) / 2)
    noise = torch.rand(p, p, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    noise = noise.tril() + noise.tril(-1).T
    below = noise[torch.ones(p, p).tril().bool()].sort().values
    cut = below[n - 1] if n else -1.0
    return (noise <= cut).reshape(-1)


@right("mirror_proof_split")
def split_in_numpy(p, fraction, *, seed):
    a, b = np.tril_indices(p)
    n = int(fraction * p * (p + 1) / 2)
    order = np.random.default_rng(seed).permutation(len(a))[:n]
    table = np.zeros((p, p), dtype=bool)
    table[a[order], b[order]] = table[b[order], a[order]] = 1
    return table.ravel()
