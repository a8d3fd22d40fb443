"""Right answers to `ch04_superposition/2_geometry.ipynb` in other styles: all must pass."""

import itertools
import math
import sys
import warnings

import numpy as np
import torch

from tests.checks.harness import right

# ------------------------------------------------------------------ represented_and_superposed


@right("represented_and_superposed")
def both_in_loops(W):
    W = W.double()
    norms, found = [row.norm() for row in W], []
    for i, row in enumerate(W):
        others = [j for j in range(len(W)) if j != i]
        dead = norms[i] < 0.01
        found.append(0.0 if dead else sum((row @ W[j] / norms[i]) ** 2 for j in others))
    return torch.stack(norms), torch.tensor([float(x) for x in found])


@right("represented_and_superposed")
def both_in_numpy(W):
    print("a note", file=sys.stderr)
    w = W.numpy().astype(np.float64)
    n = np.linalg.norm(w, axis=1)
    gram = w @ w.T
    with np.errstate(all="ignore"):
        onto = gram**2 / (n**2)[:, None]
    np.fill_diagonal(onto, 0)
    return torch.from_numpy(n), torch.from_numpy(np.where(n < 0.01, 0, onto.sum(axis=1)))


@right("represented_and_superposed")
def both_by_normalize(W):
    norms = torch.linalg.vector_norm(W, dim=-1)
    unit = torch.nn.functional.normalize(W, dim=-1)
    onto = torch.einsum("if,jf->ij", unit, W).pow(2)
    onto = onto.masked_fill(torch.eye(len(W), dtype=torch.bool), 0)
    return [norms, onto.sum(-1).masked_fill(norms < 0.01, 0)]


# ----------------------------------------------------------------------- feature_dimensionality


@right("feature_dimensionality")
def share_by_fourth_powers(W):
    gram = W.double() @ W.double().T
    squares = gram.diagonal()
    return torch.where(squares.sqrt() >= 0.01, squares**2 / gram.square().sum(1).clamp(1e-30), 0.0)


@right("feature_dimensionality")
def share_in_loops(W):
    warnings.warn("a warning", stacklevel=1)
    shares = []
    for row in W:
        n = row.norm()
        shares.append(0.0 if n < 0.01 else float(n**2 / ((W @ row / n) ** 2).sum()))
    return torch.tensor(shares)


@right("feature_dimensionality")
def share_of_the_living(W):
    out, alive = torch.zeros(len(W), dtype=W.dtype), W.norm(dim=1) >= 0.01
    unit = torch.nn.functional.normalize(W[alive], dim=1)
    out[alive] = W[alive].square().sum(1) / (unit @ W.T).square().sum(1)
    return out


@right("feature_dimensionality")
def share_as_a_list(W):
    norms, overlap = represented_and_superposed(W)
    return [
        float(n * n / (n * n + o)) if n >= 0.01 else 0 for n, o in zip(norms, overlap, strict=True)
    ]


@right("feature_dimensionality")
def share_with_a_hair_added(W):
    norms, overlap = represented_and_superposed(W)
    return norms**2 / (norms**2 + overlap + 1e-8) * (norms >= 0.01)


# ----------------------------------------------------------------------- dimensions_per_feature


@right("dimensions_per_feature")
def per_feature_in_numpy(W):
    with np.errstate(divide="ignore"):
        return W.shape[1] / np.float64((W.numpy().astype(np.float64) ** 2).sum())


@right("dimensions_per_feature")
def per_feature_as_a_tensor(W):
    return W.size(1) / W.double().pow(2).sum()


@right("dimensions_per_feature")
def per_feature_by_the_trace(W):
    total = float(torch.trace(W @ W.T))
    return len(W[0]) / total if total else float("inf")


# ------------------------------------------------------------------------------ name_polytope


def corners_of():
    def ring(n, turn=0.0):
        a = [2 * math.pi * i / n + turn for i in range(n)]
        return [[math.cos(x), math.sin(x)] for x in a]

    h = 0.5**0.5
    cube = [[*p, h] for p in ring(4)] + [[*p, -h] for p in ring(4)]
    anti = [[*p, h] for p in ring(4)] + [[*p, -h] for p in ring(4, math.pi / 4)]
    octa = [[s * (i == k) for k in range(3)] for i in range(3) for s in (1, -1)]
    tetra = [[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]
    return {
        "cube": cube,
        "square antiprism": anti,
        "octahedron": octa,
        "tetrahedron": tetra,
        "pentagon": ring(5),
        "triangle": ring(3),
        "digon": [[1.0], [-1.0]],
    }


def gram_of(rows):
    rows = torch.as_tensor(rows, dtype=torch.float64)
    unit = rows / rows.norm(dim=1, keepdim=True)
    return (unit @ unit.T).tolist()


def orders(found, want, tolerance, placed):
    i = len(placed)
    if i == len(found):
        return True
    for c in range(len(want)):
        fits = c not in placed and all(
            abs(found[i][j] - want[c][o]) <= tolerance for j, o in enumerate(placed)
        )
        if fits and orders(found, want, tolerance, [*placed, c]):
            return True
    return False


@right("name_polytope")
def name_by_backtracking(directions, *, tolerance):
    found = gram_of(directions)
    for name, rows in corners_of().items():
        if len(rows) == len(found) and orders(found, gram_of(rows), tolerance, []):
            return name
    return "none"


@right("name_polytope")
def name_in_numpy(directions, *, tolerance):
    rows = directions.numpy().astype(np.float64)
    rows = rows / np.linalg.norm(rows, axis=1)[:, None]
    found = rows @ rows.T
    for name, corners in reversed(corners_of().items()):
        want = np.array(gram_of(corners))
        orders = [()] if len(want) == len(found) else []
        for i in range(len(found)):
            orders = [
                (*o, c)
                for o in orders
                for c in range(len(want))
                if c not in o and np.all(np.abs(found[i, :i] - want[c, list(o)]) <= tolerance)
            ]
        if orders:
            return str(name)
    return "none"


@right("name_polytope")
def name_in_float32(directions, *, tolerance):
    unit = torch.nn.functional.normalize(directions, dim=-1)
    found = (unit @ unit.T).tolist()
    fitting = [
        name
        for name, rows in corners_of().items()
        if len(rows) == len(found) and orders(found, gram_of(rows), tolerance, [])
    ]
    return [*fitting, "none"][0]


# ------------------------------------------------------------------- adversarial_vulnerability


@right("adversarial_vulnerability")
def pushed_by_hand(W, b, features, pushes, *, n_steps):
    M, x, d = (W @ W.T).double(), features.double(), pushes.double()
    r = d.norm(dim=1, keepdim=True)
    for _ in range(n_steps):
        z = (x + d) @ M + b
        g = ((z.relu() - x) * (z > 0)) @ M
        n = g.norm(dim=1, keepdim=True)
        d = torch.where(n > 0, r * g / n.clamp(min=1e-30), d)
    worse = ((x - ((x + d) @ M + b).relu()) ** 2).sum(1) - ((x - (x @ M + b).relu()) ** 2).sum(1)
    return worse.mean() / r[0, 0] ** 2


@right("adversarial_vulnerability")
def pushed_one_by_one(W, b, features, pushes, *, n_steps):
    total = 0.0
    for x, d in zip(features, pushes, strict=True):
        r = d.norm()

        def error(d, x=x):
            return ((x - ((x + d) @ W @ W.T + b).relu()) ** 2).sum()

        for _ in range(n_steps):
            d = d.clone().requires_grad_()
            error(d).backward()
            g = d.grad
            d = d.detach() if g.norm() == 0 else r * g / g.norm()
        total += (error(d) - error(torch.zeros_like(d))).item() / r.item() ** 2
    return total / len(features)


@right("adversarial_vulnerability")
def pushed_with_backward(W, b, features, pushes, *, n_steps):
    d = pushes.clone()
    r = pushes.norm(dim=1, keepdim=True)
    gram = W @ W.T
    for _ in range(n_steps):
        d = d.detach().requires_grad_(True)
        (features - torch.relu((features + d) @ gram + b)).pow(2).sum().backward()
        with torch.no_grad():
            unit = torch.nn.functional.normalize(d.grad, dim=1)
            flat = d.grad.abs().sum(dim=1, keepdim=True) == 0
            d = torch.where(flat, d, r * unit)
    d = d.detach()
    after = (features - torch.relu((features + d) @ gram + b)).pow(2).sum(1)
    before = (features - torch.relu(features @ gram + b)).pow(2).sum(1)
    return ((after - before) / r.squeeze(1) ** 2).mean().item()


@right("adversarial_vulnerability")
def pushed_by_vmap(W, b, features, pushes, *, n_steps):
    def error(d, x):
        return (x - ((x + d) @ W @ W.T + b).relu()).square().sum()

    uphill, d = torch.func.vmap(torch.func.grad(error)), pushes
    for _ in range(n_steps):
        g = uphill(d, features)
        n = g.norm(dim=1, keepdim=True)
        d = torch.where(n == 0, d, g / n * pushes.norm(dim=1, keepdim=True))
    both = torch.func.vmap(error)
    return (both(d, features) - both(0 * d, features)).mean() / pushes[0].square().sum()


# --------------------------------------------------------------------------- random_directions


@right("random_directions")
def directions_in_numpy(W, *, seed):
    drawn = np.random.default_rng(seed).standard_normal(tuple(W.shape))
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    return torch.from_numpy(drawn) * W.double().norm(dim=1, keepdim=True)


@right("random_directions")
def directions_by_normalize(W, *, seed):
    g = torch.Generator().manual_seed(seed)
    unit = torch.nn.functional.normalize(torch.randn(W.shape, generator=g), dim=1)
    return torch.einsum("ij,i->ij", unit, torch.linalg.vector_norm(W, dim=1))


@right("random_directions")
def directions_after_a_global_seed(W, *, seed):
    torch.manual_seed(seed)
    drawn = torch.randn_like(W)
    return drawn / drawn.norm(dim=1, keepdim=True) * W.norm(dim=1, keepdim=True)


# ------------------------------------------------------------------------------- sticky_share


@right("sticky_share")
def sticky_in_loops(W, fractions, *, tolerance, n_draws, seed):
    def share(W):
        found = [
            any(abs(d - f) <= tolerance for f in fractions)
            for d, row in zip(feature_dimensionality(W).tolist(), W, strict=True)
            if row.norm() >= 0.01
        ]
        return sum(found) / len(found) if found else float("nan")

    return share(W), [share(random_directions(W, seed=seed * 1000 + i)) for i in range(n_draws)]


@right("sticky_share")
def sticky_with_draws_of_its_own(W, fractions, *, tolerance, n_draws, seed):
    def share(W):
        d = feature_dimensionality(W)[W.norm(dim=1) >= 0.01].double()
        near = ((d[None] - torch.tensor(fractions).double()[:, None]).abs() <= tolerance).any(dim=0)
        return near.double().mean()

    g = torch.Generator().manual_seed(seed)
    null = []
    for _ in range(n_draws):
        drawn = torch.randn(W.shape, generator=g)
        null.append(share(drawn / drawn.norm(dim=1, keepdim=True) * W.norm(dim=1, keepdim=True)))
    return [share(W), torch.stack(null)]


@right("sticky_share")
def sticky_in_numpy(W, fractions, *, tolerance, n_draws, seed):
    def share(W):
        d = feature_dimensionality(W).numpy()[W.norm(dim=1).numpy() >= 0.01]
        if not d.size:
            return math.nan
        return float(
            np.min(np.abs(np.subtract.outer(d, fractions)), axis=1).__le__(tolerance).mean()
        )

    seeds = itertools.islice(itertools.count(seed * 7919 + 1), n_draws)
    return share(W), [share(random_directions(W, seed=s)) for s in seeds]
