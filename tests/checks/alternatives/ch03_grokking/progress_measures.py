"""Right answers to `ch03_grokking/4_progress_measures.ipynb` in other styles: all must pass."""

import itertools
import math
import random as python_random
import sys
import warnings

import numpy as np
import torch

from tests.checks.harness import right

# ----------------------------------------------------------------- project_onto_key_directions


@right("project_onto_key_directions")
def part_by_a_transform(logits, frequencies):
    print("a note", file=sys.stderr)
    p = len(logits)
    whole = torch.fft.fft2(logits.double(), dim=(0, 1))
    keep = torch.zeros_like(whole)
    for k in frequencies:
        for i in (k, p - k):
            keep[i, i] = whole[i, i]
    return torch.fft.ifft2(keep, dim=(0, 1)).real


@right("project_onto_key_directions")
def part_by_means_of_sums(logits, frequencies):
    p = len(logits)
    a = torch.arange(p)
    sums = (a[:, None] + a) % p
    means = torch.stack([logits[sums == s].double().mean(0) for s in range(p)])
    rows = [row for k in frequencies for row in (2 * k - 1, 2 * k)]
    basis = fourier_basis(p)[rows]
    return (basis.T @ basis @ means)[sums]


@right("project_onto_key_directions")
def part_by_einsum(logits, frequencies):
    p = logits.shape[0]
    angle = 2 * torch.pi / p * (torch.arange(p)[:, None] + torch.arange(p)[None]).double()
    found = torch.zeros_like(logits, dtype=torch.double)
    for k in frequencies:
        for wave in (torch.cos(k * angle), torch.sin(k * angle)):
            found += 2 / p**2 * torch.einsum("ab,de,dec->abc", wave, wave, logits.double())
    return found.requires_grad_()


@right("project_onto_key_directions")
def part_by_two_products(logits, frequencies):
    p, x = len(logits), logits.to(torch.float64)
    basis = fourier_basis(p)
    out = torch.zeros_like(x)
    for k in frequencies:
        c, s = basis[2 * k - 1], basis[2 * k]
        u = (torch.outer(c, c) - torch.outer(s, s)) / 2**0.5
        v = (torch.outer(s, c) + torch.outer(c, s)) / 2**0.5
        for w in (u, v):
            out = out + w[:, :, None] * (w[:, :, None] * x).sum((0, 1))
    return out


@right("project_onto_key_directions")
def part_by_least_squares(logits, frequencies):
    p = len(logits)
    if len(frequencies) == 0:
        return np.zeros((p, p, p))
    a, b = np.divmod(np.arange(p * p), p)
    angles = 2 * np.pi * np.array(frequencies)[None] * (a + b)[:, None] / p
    design = np.concatenate([np.cos(angles), np.sin(angles), np.ones((p * p, 1))], axis=1)
    flat = logits.numpy().astype(float).reshape(p * p, p)
    fit = np.linalg.lstsq(design, flat, rcond=None)[0]
    return (design[:, :-1] @ fit[:-1]).reshape(p, p, p)


@right("project_onto_key_directions")
def part_by_complex_waves(logits, frequencies):
    p = len(logits)
    sums = torch.arange(p).repeat_interleave(p) + torch.arange(p).repeat(p)
    out = torch.zeros(p * p, p, dtype=torch.complex128)
    flat = logits.reshape(p * p, p).to(torch.complex128)
    for k in [*frequencies, *(-k for k in frequencies)]:
        wave = torch.exp(2j * torch.pi * k * sums.double() / p)
        out += wave[:, None] * (wave.conj() @ flat)[None] / p**2
    return out.real.reshape(p, p, p).transpose(0, 1)


# ----------------------------------------------------------------------------- restricted_loss


@right("restricted_loss")
def restricted_by_torch(logits, frequencies):
    print("a note", file=sys.stderr)
    p = len(logits)
    kept = project_onto_key_directions(logits, frequencies) + logits.double().mean((0, 1))
    a, b = torch.meshgrid(torch.arange(p), torch.arange(p), indexing="ij")
    labels = ((a + b) % p).flatten()
    return torch.nn.functional.cross_entropy(kept.double().flatten(0, 1), labels)


@right("restricted_loss")
def restricted_in_loops(logits, frequencies):
    p = len(logits)
    x = logits.double()
    mean = x.reshape(p * p, p).mean(0)
    part = project_onto_key_directions(logits, frequencies)
    total = 0.0
    for a in range(p):
        for b in range(p):
            row = (mean + part[a, b]).tolist()
            right = row.pop((a + b) % p)
            top = max([*row, right])
            others = sum(math.exp(value - top) for value in row)
            total += math.log1p(others / math.exp(right - top))
    return total / p**2


@right("restricted_loss")
def restricted_of_centred_logits(logits, frequencies):
    x = logits.double() - logits.double().mean(-1, keepdim=True)
    kept = x.mean(0).mean(0) + project_onto_key_directions(x, frequencies)
    p = len(x)
    own = torch.stack([kept.log_softmax(2)[a, b, (a + b) % p] for a in range(p) for b in range(p)])
    return -own.mean().requires_grad_()


@right("restricted_loss")
def restricted_in_numpy(logits, frequencies):
    warnings.warn("a warning is no mistake", stacklevel=1)
    p = len(logits)
    part = project_onto_key_directions(logits, frequencies).numpy()
    kept = logits.numpy().astype(np.float64).mean(axis=(0, 1)) + part
    a, b = np.indices((p, p))
    own = np.take_along_axis(kept, ((a + b) % p)[..., None], axis=2)
    return np.log(np.exp(kept - own).sum(axis=2)).mean()


@right("restricted_loss")
def restricted_from_a_float32_part(logits, frequencies):
    part = project_onto_key_directions(logits, frequencies).float()
    kept = (logits.mean(dim=(0, 1), keepdim=True) + part).double()
    a = torch.arange(len(kept))
    return exact_cross_entropy(kept, (a[:, None] + a[None]).remainder(len(a))).mean()


# ------------------------------------------------------------------------------- excluded_loss


@right("excluded_loss")
def excluded_by_torch(logits, frequencies, is_train):
    print("a note", file=sys.stderr)
    p = len(logits)
    left = logits - project_onto_key_directions(logits, frequencies)
    a, b = is_train.nonzero(as_tuple=True)
    return torch.nn.functional.cross_entropy(left[a, b].double(), (a + b) % p)


@right("excluded_loss")
def excluded_by_weights(logits, frequencies, is_train):
    p = len(logits)
    left = logits.to(torch.float64) - project_onto_key_directions(logits, frequencies)
    answers = torch.stack([torch.arange(p).roll(-a) for a in range(p)])
    own = exact_cross_entropy(left, answers)
    return (own * is_train).sum() / is_train.sum()


@right("excluded_loss")
def excluded_in_loops(logits, frequencies, is_train):
    p, left = len(logits), logits.double() - project_onto_key_directions(logits, frequencies)
    own = [
        float(torch.logsumexp(left[a, b] - left[a, b, (a + b) % p], dim=0))
        for a in range(p)
        for b in range(p)
        if is_train[a, b]
    ]
    return math.fsum(own) / len(own)


@right("excluded_loss")
def excluded_in_numpy(logits, frequencies, is_train):
    left = (logits.double() - project_onto_key_directions(logits, frequencies)).numpy()
    a, b = np.nonzero(is_train.numpy())
    rows = left[a, b]
    own = rows[np.arange(len(a)), (a + b) % len(left)]
    top = rows.max(axis=1)
    return np.mean(np.log(np.exp(rows - top[:, None]).sum(axis=1)) + top - own)


# -------------------------------------------------------------------------------- three_phases


@right("three_phases")
def phases_in_loops(steps, excluded, restricted, test, *, fallen):
    print("a note", file=sys.stderr)
    lowest = min(excluded.tolist())
    found = [steps[excluded.tolist().index(lowest)]]
    for curve in (restricted.tolist(), test.tolist()):
        at = curve.index(max(curve))
        end = math.inf
        for step, loss in zip(steps.tolist()[at:], curve[at:], strict=True):
            if loss < fallen * curve[at]:
                end = step
                break
        found.append(end)
    return found


@right("three_phases")
def phases_in_numpy(steps, excluded, restricted, test, *, fallen):
    steps = steps.numpy()

    def fall(losses):
        later = np.arange(len(losses)) > np.argmax(losses)
        where = np.flatnonzero(later & (losses < fallen * losses.max()))
        return steps[where[0]] if where.size else np.inf

    return steps[np.argmin(excluded.numpy())], fall(restricted.numpy()), fall(test.numpy())


@right("three_phases")
def phases_as_one_tensor(steps, excluded, restricted, test, *, fallen):
    both = torch.stack([restricted, test])
    top = both.argmax(1, keepdim=True)
    below = (both / both.gather(1, top) < fallen) & (torch.arange(len(steps)) >= top)
    ends = torch.where(below, steps.double(), math.inf).amin(1)
    return torch.cat([steps[excluded.argmin()].double().view(1), ends])


@right("three_phases")
def phases_by_next(steps, excluded, restricted, test, *, fallen):
    looks = range(len(steps))
    start = min(looks, key=lambda i: excluded[i])
    tops = [max(looks, key=lambda i, x=x: x[i]) for x in (restricted, test)]
    ends = (
        next((steps[i] for i in looks[t:] if x[i] < fallen * x[t]), torch.tensor(float("inf")))
        for t, x in zip(tops, (restricted, test), strict=True)
    )
    return steps[start], *ends


# -------------------------------------------------------------------------- random_frequencies


@right("random_frequencies")
def draws_in_plain_python(p, keys, *, n_draws, seed):
    print("a note", file=sys.stderr)
    rng = python_random.Random(seed)
    others = sorted(set(range(1, (p + 1) // 2)) - set(keys))
    return [sorted(rng.sample(others, len(keys))) for _ in range(n_draws)]


@right("random_frequencies")
def draws_in_numpy(p, keys, *, n_draws, seed):
    rng = np.random.default_rng(seed)
    others = np.setdiff1d(np.arange(1, p // 2 + 1), keys)
    return [np.sort(rng.choice(others, len(keys), replace=False)) for _ in range(n_draws)]


@right("random_frequencies")
def draws_of_possible_sets(p, keys, *, n_draws, seed):
    if math.comb(p // 2 - len(keys), len(keys)) > 10**5:
        return draws_in_plain_python(p, keys, n_draws=n_draws, seed=seed)
    others = [k for k in range(1, p // 2 + 1) if k not in keys]
    sets = list(itertools.combinations(others, len(keys)))
    torch.manual_seed(seed)
    return [sets[i] for i in torch.randint(len(sets), (n_draws,))]


@right("random_frequencies")
def draws_by_noise(p, keys, *, n_draws, seed):
    noise = torch.rand(n_draws, p // 2, generator=torch.Generator().manual_seed(seed))
    for k in keys:
        noise[:, k - 1] = 2.0
    return 1 + noise.argsort(1)[:, : len(keys)].sort(1).values


@right("random_frequencies")
def draws_until_they_fit(p, keys, *, n_draws, seed):
    found = []
    for i in range(n_draws):
        rng, one = python_random.Random(seed * 4000 + i), set()
        while len(one) < len(keys):
            k = rng.randint(1, p // 2)
            if k not in keys:
                one.add(k)
        found.append(sorted(one))
    return found


# ---------------------------------------------------------------------------------- carried_by


@right("carried_by")
def carried_by_comparing(logits, frequencies, is_train, *, low):
    print("a note", file=sys.stderr)
    part = project_onto_key_directions(logits, frequencies)
    a, b = torch.nonzero(is_train).T
    answers = (a + b) % len(logits)
    kept = (part + logits.double().mean((0, 1)))[a, b]
    alone = torch.nn.functional.cross_entropy(kept, answers) <= low
    without = excluded_loss(logits, frequencies, is_train) <= low
    if alone and without:
        return "both"
    if alone:
        return "circuit"
    return "memory" if without else "neither"


@right("carried_by")
def carried_by_index(logits, frequencies, is_train, *, low):
    p = len(logits)
    x = logits.double() - logits.double().mean(-1, keepdim=True)
    whole = torch.fft.fft2(x, dim=(0, 1))
    keep = torch.zeros_like(whole)
    for k in frequencies:
        keep[k, k], keep[-k, -k] = whole[k, k], whole[-k, -k]
    part = torch.fft.ifft2(keep, dim=(0, 1)).real
    answers = torch.arange(p).view(-1, 1).add(torch.arange(p)).fmod(p)
    high = 0
    for bit, kept in ((1, x.mean((0, 1)) + part), (2, x - part)):
        own = kept.logsumexp(-1) - kept.gather(-1, answers.unsqueeze(-1)).squeeze(-1)
        high += bit * bool(own[is_train].mean() > low)
    return ["both", "memory", "circuit", "neither"][high]


@right("carried_by")
def carried_by_the_other_answers(logits, frequencies, is_train, *, low):
    mean = logits.double().mean((0, 1))
    part = project_onto_key_directions(logits, frequencies)
    alone = excluded_loss(mean + part, [], is_train)
    rest = excluded_loss(logits, frequencies, is_train)
    match (alone <= low, rest <= low):
        case (True, True):
            return "both"
        case (True, False):
            return "circuit"
        case (False, True):
            return "memory"
    return "neither"


@right("carried_by")
def carried_in_numpy(logits, frequencies, is_train, *, low):
    p = len(logits)
    part = project_onto_key_directions(logits, frequencies).numpy()
    x = logits.numpy().astype(np.float64)
    a, b = np.nonzero(is_train.numpy())
    losses = []
    for kept in (x.mean(axis=(0, 1)) + part, x - part):
        rows = kept[a, b]
        gaps = rows - rows[np.arange(len(a)), (a + b) % p][:, None]
        losses.append(np.logaddexp.reduce(gaps, axis=1).mean())
    alone, without = (np.array(losses) <= low).tolist()
    return np.array([["neither", "memory"], ["circuit", "both"]])[int(alone), int(without)].item()
