"""Right answers to `ch03_grokking/3_the_algorithm.ipynb` in other styles: all must pass."""

import itertools
import math
import sys
import warnings

import numpy as np
import torch
from einops import einsum, rearrange

from tests.checks.harness import right

# ------------------------------------------------------- head_frequency_fve, neuron_frequency_fve


def by_least_squares(tables, frequencies, columns):
    """Shares by a fit with an intercept, in NumPy; columns gives the functions of a and b."""
    p, _, n = tables.shape
    flat = tables.numpy().astype(np.float64).reshape(p * p, n)
    flat = flat - flat.mean(axis=0)
    a, b = np.divmod(np.arange(p * p), p)
    total = (flat**2).sum(axis=0)
    shares = np.zeros((len(frequencies), n))
    for row, k in enumerate(frequencies):
        design = np.stack(columns(2 * np.pi * k * a / p, 2 * np.pi * k * b / p), axis=1)
        left = flat - design @ np.linalg.lstsq(design, flat, rcond=None)[0]
        alive = total > 1e-10
        shares[row, alive] = 1 - (left[:, alive] ** 2).sum(axis=0) / total[alive]
    return shares


@right("head_frequency_fve")
def heads_by_least_squares(attention, frequencies):
    print("a note", file=sys.stderr)
    return by_least_squares(
        attention, frequencies, lambda x, y: [np.cos(x), np.sin(x), np.cos(y), np.sin(y)]
    )


@right("head_frequency_fve")
def heads_in_float32(attention, frequencies):
    x = attention.float() - attention.float().mean((0, 1))
    basis = fourier_basis(len(x)).float()
    p = len(x)
    by_a, by_b = basis @ x.sum(1) / p**0.5, basis @ x.sum(0) / p**0.5
    total = x.pow(2).sum((0, 1))
    rows = []
    for k in frequencies:
        found = sum(by[i].pow(2) for by in (by_a, by_b) for i in (2 * k - 1, 2 * k))
        rows.append(torch.where(total > 1e-6, found / total, torch.zeros_like(total)))
    return torch.stack(rows).requires_grad_()


@right("head_frequency_fve")
def heads_in_loops(attention, frequencies):
    p, _, n = attention.shape
    rows = []
    for k in frequencies:
        row = []
        for head in range(n):
            x = attention[:, :, head].double()
            x = x - x.mean()
            if x.abs().max() < 1e-8:
                row.append(0.0)
                continue
            angle = 2 * math.pi * k * torch.arange(p).double() / p
            found = 0.0
            for wave in (angle.cos(), angle.sin()):
                for table in (wave[:, None].expand(p, p), wave.expand(p, p)):
                    found += float((x * table).sum()) ** 2 / float((table**2).sum())
            row.append(found / float((x**2).sum()))
        rows.append(row)
    return rows


@right("head_frequency_fve")
def heads_by_a_transform(attention, frequencies):
    z = torch.fft.fft2(attention.double(), dim=(0, 1)).abs().square()
    z[0, 0] = 0
    total = z.sum((0, 1))
    k = torch.tensor(frequencies)
    return 2 * (z[k, 0] + z[0, k]) / torch.where(total > 1e-9, total, torch.inf)


@right("neuron_frequency_fve")
def neurons_by_least_squares(activations, frequencies):
    def columns(x, y):
        one = [np.ones_like(x), np.cos(x), np.sin(x)]
        other = [np.ones_like(y), np.cos(y), np.sin(y)]
        return [i * j for i in one for j in other][1:]

    return by_least_squares(activations, frequencies, columns)


@right("neuron_frequency_fve")
def neurons_by_a_transform(activations, frequencies):
    warnings.warn("a warning is no mistake", stacklevel=1)
    z = torch.fft.fft2(activations.double(), dim=(0, 1)).abs().square()
    z[0, 0] = 0
    rows = []
    for k in frequencies:
        at = torch.tensor([0, k, -k])
        rows.append(z[at][:, at].sum((0, 1)))
    total = z.sum((0, 1))
    shares = torch.stack(rows) / total
    shares[:, total < 1e-10] = 0
    return shares


@right("neuron_frequency_fve")
def neurons_in_float32(activations, frequencies):
    basis = fourier_basis(len(activations)).float()
    energies = einsum(
        *(basis, basis, activations.float()), "i a, j b, a b neuron -> i j neuron"
    ).pow(2)
    varying = activations.float() - activations.float().mean((0, 1))
    total = varying.pow(2).sum((0, 1))
    rows = []
    for k in frequencies:
        three = energies[[0, 2 * k - 1, 2 * k]][:, [0, 2 * k - 1, 2 * k]]
        found = rearrange(three, "i j neuron -> (i j) neuron")[1:].sum(0)
        rows.append(torch.where(total == 0, torch.zeros(()), found / total))
    return torch.stack(rows)


@right("neuron_frequency_fve")
def neurons_by_projection(activations, frequencies):
    p, _, n = activations.shape
    x = activations.double().reshape(p * p, n)
    x = x - x.mean(0)
    basis = fourier_basis(p)
    out = []
    for k in frequencies:
        three = basis[[0, 2 * k - 1, 2 * k]]
        products = torch.kron(three, three)[1:]
        size = (products @ x).norm(dim=0) / x.norm(dim=0)
        out.append(size.square().nan_to_num(0.0))
    return torch.stack(out)


# ----------------------------------------------------------------------------- neuron_clusters


@right("neuron_clusters")
def clusters_by_max(fve, frequencies, *, threshold):
    best, at = fve.max(dim=0)
    return [((at == i) & (best > threshold)).nonzero()[:, 0] for i in range(len(frequencies))]


@right("neuron_clusters")
def clusters_in_numpy(fve, frequencies, *, threshold):
    values = fve.numpy()
    at = values.argmax(axis=0)
    chosen = values.max(axis=0) > threshold
    return tuple(tuple(np.flatnonzero((at == i) & chosen)) for i in range(len(values)))


@right("neuron_clusters")
def clusters_in_a_dict_first(fve, frequencies, *, threshold):
    print("a note", file=sys.stderr)
    clusters = {k: [] for k in frequencies}
    for neuron in range(fve.shape[1]):
        best_k, best = None, threshold
        for k, value in zip(frequencies, fve[:, neuron], strict=True):
            if value > best:
                best_k, best = k, value
        if best_k is not None:
            clusters[best_k].append(neuron)
    return list(clusters.values())


# --------------------------------------------------------------------------- neuron_logit_map


@right("neuron_logit_map")
def map_of_centred_readers(W_out, W_U):
    print("a note", file=sys.stderr)
    return W_out @ (W_U - W_U.mean(dim=1, keepdim=True))


@right("neuron_logit_map")
def map_by_einsum(W_out, W_U):
    logits = torch.einsum("nd,dp->pn", W_out.double(), W_U.double())
    return (logits - logits.mean(0)).T


@right("neuron_logit_map")
def map_in_numpy(W_out, W_U):
    logits = W_out.numpy() @ W_U.numpy()
    return logits - logits.mean(axis=1)[:, None]


@right("neuron_logit_map")
def map_by_a_projection(W_out, W_U):
    p = W_U.shape[1]
    centring = torch.eye(p, dtype=W_U.dtype) - 1 / p
    return [row @ W_U @ centring for row in W_out] and torch.stack(
        [row @ W_U @ centring for row in W_out]
    )


# ---------------------------------------------------------------------------- residual_outside


@right("residual_outside")
def residual_from_what_is_held(W_L, frequencies):
    print("a note", file=sys.stderr)
    energies = (W_L.double() @ fourier_basis(W_L.shape[1]).T).square().sum(0)
    inside = sum(energies[2 * k - 1] + energies[2 * k] for k in frequencies)
    return (1 - inside / energies.sum()).clamp(min=0).sqrt()


@right("residual_outside")
def residual_by_a_transform(W_L, frequencies):
    z = np.fft.fft(W_L.numpy().astype(float), axis=1)
    whole = np.linalg.norm(z)
    for k in frequencies:
        z[:, [k, -k]] = 0
    return np.linalg.norm(z) / whole


@right("residual_outside")
def residual_in_float32(W_L, frequencies):
    left = W_L.float()
    basis = fourier_basis(W_L.shape[1]).float()
    for k in frequencies:
        for wave in basis[2 * k - 1 : 2 * k + 1]:
            left = left - (left @ wave)[:, None] * wave
    return torch.linalg.matrix_norm(left) / torch.linalg.matrix_norm(W_L.float())


@right("residual_outside")
def residual_of_the_other_rows(W_L, frequencies):
    p = W_L.shape[1]
    others = [i for i in range(p) if (i + 1) // 2 not in frequencies]
    coefficients = W_L.double() @ fourier_basis(p).T
    return math.hypot(*coefficients[:, others].flatten().tolist()) / float(W_L.double().norm())


# -------------------------------------------------------------------------- sum_and_difference


@right("sum_and_difference")
def sum_by_whole_waves(table, frequency):
    print("a note", file=sys.stderr)
    p = len(table)
    a, b = torch.arange(p)[:, None], torch.arange(p)
    x = table - table.mean()
    total = x.square().sum()
    shares = []
    for turn in (a + b, a - b):
        angle = 2 * math.pi * frequency / p * turn
        found = sum((x * w).sum() ** 2 / w.square().sum() for w in (angle.cos(), angle.sin()))
        shares.append(found / total if total > 0 else torch.tensor(0.0))
    return shares


@right("sum_and_difference")
def sum_by_a_transform(table, frequency):
    z = np.abs(np.fft.fft2(table.numpy().astype(np.float64))) ** 2
    total = z.sum() - z[0, 0]
    if total < 1e-9:
        return 0.0, 0.0
    return 2 * z[frequency, frequency] / total, 2 * z[frequency, -frequency] / total


@right("sum_and_difference")
def sum_as_one_tensor(table, frequency):
    p = len(table)
    x = table.double() - table.double().mean()
    if not x.any():
        return torch.zeros(2)
    number = torch.arange(p)
    both = []
    for sign in (1, -1):
        # The mean over pairs of one sum is a function of one number.
        by_turn = torch.stack([x[number, (sign * (s - number)) % p].mean() for s in range(p)])
        wave = torch.exp(-2j * math.pi * frequency / p * number.to(torch.complex128))
        both.append(2 * (by_turn * wave).sum().abs() ** 2 / x.square().sum())
    return torch.stack(both)


@right("sum_and_difference")
def sum_by_complex_coefficients(table, frequency):
    found = fourier_2d(table)
    at = slice(2 * frequency - 1, 2 * frequency + 1)
    cc, cs, sc, ss = (float(c) for c in found[at, at].reshape(-1))
    variance = float(table.double().var(correction=0)) * table.numel()
    if variance < 1e-9:
        return 0, 0
    return (
        abs(complex(cc - ss, sc + cs)) ** 2 / 2 / variance,
        abs(complex(cc + ss, sc - cs)) ** 2 / 2 / variance,
    )


# ----------------------------------------------------------------------------------- logit_fve


@right("logit_fve")
def fit_by_least_squares(logits, frequencies):
    print("a note", file=sys.stderr)
    p = len(logits)
    x = logits.numpy().astype(np.float64)
    x = (x - x.mean(axis=2, keepdims=True)).reshape(-1)
    a, b, c = np.indices((p, p, p)).reshape(3, -1)
    design = np.stack([np.cos(2 * np.pi * k * (a + b - c) / p) for k in frequencies], axis=1)
    alphas = np.linalg.lstsq(design, x, rcond=None)[0]
    return alphas, 1 - ((x - design @ alphas) ** 2).sum() / (x**2).sum()


@right("logit_fve")
def fit_by_offsets(logits, frequencies):
    p = len(logits)
    x = logits.double() - logits.double().mean(-1, keepdim=True)
    a, b, c = torch.meshgrid(*[torch.arange(p)] * 3, indexing="ij")
    mean = torch.zeros(p).double().index_add(0, ((a + b - c) % p).flatten(), x.flatten()) / p**2
    spectrum = torch.fft.fft(mean).real * 2 / p
    alphas = spectrum[frequencies]
    return alphas, (alphas**2).sum() * p**3 / 2 / (x**2).sum()


@right("logit_fve")
def fit_in_float32(logits, frequencies):
    p = len(logits)
    x = logits.float() - logits.float().mean(2, keepdim=True)
    number = torch.arange(p)
    turn = number[:, None, None] + number[None, :, None] - number
    fit = torch.zeros_like(x)
    alphas = []
    for k in frequencies:
        wave = (2 * torch.pi * k / p * turn).cos()
        alpha = (x * wave).mean() / (wave * wave).mean()
        alphas.append(alpha)
        fit = fit + alpha * wave
    return alphas, 1 - (x - fit).pow(2).sum() / x.pow(2).sum()


@right("logit_fve")
def fit_in_loops(logits, frequencies):
    p = len(logits)
    table = logits.double().tolist()
    offsets, total = [0.0] * p, 0.0
    for a, b in itertools.product(range(p), repeat=2):
        mean = math.fsum(table[a][b]) / p
        for c in range(p):
            value = table[a][b][c] - mean
            offsets[(a + b - c) % p] += value
            total += value * value
    alphas = [
        2 / p**3 * sum(o * math.cos(2 * math.pi * k * d / p) for d, o in enumerate(offsets))
        for k in frequencies
    ]
    return tuple(alphas), sum(alpha**2 for alpha in alphas) * p**3 / 2 / total


# ------------------------------------------------------------------------------- widest_margin


@right("widest_margin")
def margin_by_a_unit():
    # The same five times 3, folded back: the d are only in another order.
    times = [k * 3 % 113 for k in (1, 14, 20, 44, 52)]
    return [min(k, 113 - k) for k in times], [0.2181, 0.1679, 0.2142, 0.2139, 0.1859]


@right("widest_margin")
def margin_by_a_search():
    """All sets with frequency 1, at equal amplitudes; then amplitudes by small changes."""
    print("a note", file=sys.stderr)
    turns = torch.outer(torch.arange(1, 57), torch.arange(57)) % 113
    apart = (1 - (2 * math.pi / 113 * turns).cos()).float()
    best, chosen = 0.0, None
    for i, j in ((14, 20), (3, 8)):  # two of the 1540 pairs that a whole search goes through
        rest = torch.combinations(torch.arange(j + 1, 57), 2)
        sums = apart[:, [1, i, j]].sum(1, keepdim=True) + apart[:, rest].sum(2)
        least, at = (sums.amin(0) / 5).max(0)
        if least > best:
            best, chosen = float(least), [1, i, j, *rest[at].tolist()]
    amplitudes = np.full(5, 0.2)
    table = apart.double().numpy()[:, chosen]
    size = 0.05
    while size > 1e-5:
        moves = [
            moved
            for i, j in itertools.permutations(range(5), 2)
            if (moved := amplitudes + size * (np.eye(5)[i] - np.eye(5)[j])).min() >= 0
        ]
        top = max(moves, key=lambda tried: (table @ tried).min())
        if (table @ top).min() > (table @ amplitudes).min():
            amplitudes = top
        else:
            size /= 2
    return torch.tensor(chosen), amplitudes


@right("widest_margin")
def margin_in_another_order():
    amplitudes = torch.tensor([0.2142, 0.2181, 0.1859, 0.1679, 0.2139])
    return (20.0, 1, np.int64(52), 14, 44), list(amplitudes / amplitudes.sum())


# ------------------------------------------------------------------------ distance_irrelevance


@right("distance_irrelevance")
def irrelevance_by_rolling(logits):
    print("a note", file=sys.stderr)
    p = len(logits)
    index = torch.arange(p)
    table = logits.gather(2, ((index[:, None] + index) % p)[..., None]).squeeze(2)
    by_difference = torch.stack([table[(index + d) % p, index] for d in range(p)])
    within, total = by_difference.std(1, unbiased=False).mean(), table.std(unbiased=False)
    return torch.where(total == 0, torch.ones(()), within / total)


@right("distance_irrelevance")
def irrelevance_in_numpy(logits):
    x = logits.numpy()
    p = len(x)
    a, b = np.indices((p, p))
    table = x[a, b, (a + b) % p]
    if np.ptp(table) == 0:
        return 1
    return np.mean([table[(a - b) % p == d].std() for d in range(p)]) / table.std()


@right("distance_irrelevance")
def irrelevance_in_loops(logits):
    p = len(logits)
    groups = [[] for _ in range(p)]
    for a in range(p):
        for b in range(p):
            groups[(a - b) % p].append(float(logits[a, b, (a + b) % p]))

    def deviation(values):
        mean = sum(values) / len(values)
        return (sum((v - mean) ** 2 for v in values) / len(values)) ** 0.5

    total = deviation([value for group in groups for value in group])
    if total < 1e-12:
        return 1.0
    return sum(map(deviation, groups)) / p / total


# -------------------------------------------------------------------------- discrete_logarithm


@right("discrete_logarithm")
def logarithm_by_pow(p):
    print("a note", file=sys.stderr)
    g = next(g for g in range(2, p) if len({pow(g, i, p) for i in range(p - 1)}) == p - 1)
    return [pow(g, i, p) for i in range(p - 1)]


@right("discrete_logarithm")
def logarithm_as_a_tensor(p):
    for g in range(2, p):
        powers = torch.ones(p - 1, dtype=torch.long)
        for i in range(1, p - 1):
            powers[i] = powers[i - 1] * g % p
        if len(powers.unique()) == p - 1:
            return powers
    raise ValueError(p)


@right("discrete_logarithm")
def logarithm_by_factors(p):
    order = p - 1
    factors = [q for q in range(2, p) if order % q == 0 and all(q % d for d in range(2, q))]
    g = 2
    while any(pow(g, order // q, p) == 1 for q in factors):
        g += 1
    return tuple(itertools.accumulate(range(order - 1), lambda now, _: now * g % p, initial=1))
