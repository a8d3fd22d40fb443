"""Right answers to `ch03_grokking/2_fourier_on_a_circle.ipynb` in other styles: all must pass."""

import cmath
import math
import sys
import warnings

import numpy as np
import torch
from einops import einsum

from tests.checks.harness import right

# ------------------------------------------------------------------------------- fourier_basis


@right("fourier_basis")
def basis_in_float32(p):
    print("a note", file=sys.stderr)
    if p % 2 == 0 or p < 3:
        raise ValueError("p is odd")
    k = torch.arange(1, (p + 1) // 2)[:, None]
    angles = 2 * torch.pi * k * torch.arange(p) / p
    rows = torch.stack([torch.cos(angles), torch.sin(angles)], dim=1).reshape(-1, p)
    return torch.cat([torch.ones(1, p) / p**0.5, rows * (2 / p) ** 0.5])


@right("fourier_basis")
def basis_of_minus_sines(p):
    if p in (1, 2) or not p % 2:
        raise ValueError
    eye = np.fft.fft(np.eye(p)) / np.sqrt(p)  # minus: e^(-i)
    basis = np.empty((p, p))
    basis[0] = -eye[0].real
    basis[1::2] = np.sqrt(2) * eye[1 : p // 2 + 1].real
    basis[2::2] = np.sqrt(2) * eye[1 : p // 2 + 1].imag
    return basis


@right("fourier_basis")
def basis_in_plain_python(p):
    warnings.warn("a warning is no mistake", stacklevel=1)
    if p < 3 or p % 2 == 0:
        raise ValueError(p)
    turn = [cmath.exp(2j * math.pi * x / p) for x in range(p)]
    rows = [[1 / math.sqrt(p)] * p]
    for k in range(1, p // 2 + 1):
        wave = [turn[k * x % p] * math.sqrt(2 / p) for x in range(p)]
        rows += [[z.real for z in wave], [z.imag for z in wave]]
    return rows


@right("fourier_basis")
def basis_by_place(p):
    if p % 2 != 1 or p == 1:
        raise ValueError("no")
    i, x = torch.arange(p, dtype=torch.float64)[:, None], torch.arange(p, dtype=torch.float64)
    angles = torch.div(i + 1, 2, rounding_mode="floor") * x * (2 * math.pi / p)
    basis = torch.where(i % 2 == 1, angles.cos(), angles.sin())
    basis[0] = 1
    return torch.nn.functional.normalize(basis, dim=1).requires_grad_()


# ------------------------------------------------------------------------------- fourier_norms


@right("fourier_norms")
def norms_by_a_transform(table):
    print("a note", file=sys.stderr)
    waves = torch.fft.rfft(table.double(), dim=0, norm="ortho")
    twice = torch.full((len(waves), 1), 2.0).double()
    twice[0] = 1
    return (twice * waves.abs().square()).sum(1).sqrt()


@right("fourier_norms")
def norms_in_loops(table):
    basis = fourier_basis(len(table))
    rows = table.T.double()
    found = [float((rows @ basis[0].double()).norm())]
    for k in range(1, len(table) // 2 + 1):
        pair = basis[2 * k - 1 : 2 * k + 1].double()
        found.append(float((rows @ pair.T).norm()))
    return found


@right("fourier_norms")
def norms_by_index_add(table):
    coefficients = einsum(
        fourier_basis(len(table)).float(),
        table.float(),
        "component number, number column -> component column",
    )
    freq = (torch.arange(len(table)) + 1) // 2
    energies = torch.zeros(len(table) // 2 + 1).index_add(0, freq, coefficients.pow(2).sum(1))
    return energies.clamp(min=0).sqrt().requires_grad_()


@right("fourier_norms")
def norms_in_numpy(table):
    waves = np.fft.fft(table.numpy().astype(np.float64), axis=0, norm="ortho")
    energies = (np.abs(waves) ** 2).sum(axis=1)
    n = len(table) // 2
    both = energies[1 : n + 1] + energies[: -n - 1 : -1]
    return np.sqrt(np.concatenate([energies[:1], both]))


# ----------------------------------------------------------------------------- key_frequencies


@right("key_frequencies")
def keys_by_nonzero(norms, *, threshold):
    waves = norms[1:]
    if not waves.any():
        return []
    return (1 + (waves / waves.max() >= threshold).nonzero().flatten()).tolist()


@right("key_frequencies")
def keys_as_a_tensor(norms, *, threshold):
    print("a note", file=sys.stderr)
    cut = threshold * norms[1:].max()
    reached = (norms >= cut) & (norms > 0)
    reached[0] = False
    return torch.where(reached)[0]


@right("key_frequencies")
def keys_in_numpy(norms, *, threshold):
    waves = norms.numpy().copy()
    waves[0] = 0
    top = waves.max()
    return tuple(int(k) for k in np.flatnonzero((waves >= threshold * top) & (top > 0)) if k)


# --------------------------------------------------------------------- two_dimensional_fourier


@right("two_dimensional_fourier")
def coefficients_by_einsum(table):
    print("a note", file=sys.stderr)
    basis = fourier_basis(len(table)).double()
    return torch.einsum("ia,jb,ab->ij", basis, basis, table.double())


@right("two_dimensional_fourier")
def coefficients_with_other_signs(table):
    basis = -fourier_basis(len(table)).double()
    basis[2::2] *= -1
    basis[3:4] *= -1
    return basis @ table.double() @ basis.T


@right("two_dimensional_fourier")
def coefficients_by_kronecker(table):
    p = len(table)
    basis = fourier_basis(p).float()
    return (torch.kron(basis, basis) @ table.reshape(-1)).view(p, p)


@right("two_dimensional_fourier")
def coefficients_by_a_transform(table):
    def over_rows(x):
        p = x.shape[-1]
        z = np.fft.fft(x, axis=-1, norm="ortho")
        out = np.empty((len(x), p))
        out[:, 0] = z[:, 0].real
        out[:, 1::2] = np.sqrt(2) * z[:, 1 : p // 2 + 1].real
        out[:, 2::2] = -np.sqrt(2) * z[:, 1 : p // 2 + 1].imag
        return out

    return over_rows(over_rows(table.numpy().astype(np.float64)).T).T


# --------------------------------------------------------------------------- is_fourier_sparse


@right("is_fourier_sparse")
def sparse_by_a_transform(W_E):
    print("a note", file=sys.stderr)
    waves = torch.fft.rfft(W_E - W_E.mean(0), dim=0).abs().square().sum(1)
    return waves.topk(6).values.sum() / waves.sum() > 0.92


@right("is_fourier_sparse")
def sparse_by_what_is_left(W_E):
    x = W_E.double() - W_E.double().mean(0)
    basis = fourier_basis(len(x)).double()
    energy = (basis @ x).square().sum(1)[1:].view(-1, 2).sum(1)
    best = energy.argsort(descending=True)[:6]
    for k in (best + 1).tolist():
        rows = basis[2 * k - 1 : 2 * k + 1]
        x = x - rows.T @ (rows @ x)
    return float(x.norm() / (W_E.double() - W_E.double().mean(0)).norm()) < math.sqrt(0.1)


@right("is_fourier_sparse")
def sparse_in_numpy(W_E):
    energies = fourier_norms(W_E).detach().numpy()[1:] ** 2
    ordered = np.sort(energies)[::-1] / energies.sum()
    return np.int64(np.cumsum(ordered)[5] > 0.88)
