"""Right answers to `ch04_superposition/1_five_features_in_two_dimensions.ipynb`: all must pass."""

import itertools
import math
import sys
import warnings

import numpy as np
import torch

from tests.checks.harness import right

# ----------------------------------------------------------------------------- sparse_features


@right("sparse_features")
def features_in_numpy(n_samples, probabilities, *, correlation, seed):
    print("a note", file=sys.stderr)
    random = np.random.default_rng(seed)
    p = probabilities.numpy().astype(np.float64)
    values, chance = (random.random((n_samples, *p.shape)) for _ in range(2))
    if correlation != "independent":
        chance[..., 1::2] = chance[..., 0::2][..., : chance[..., 1::2].shape[-1]]
    low = np.where((np.arange(p.shape[1]) % 2 == 1) & (correlation == "anticorrelated"), p, 0.0)
    return torch.from_numpy(values * ((chance >= low) & (chance < low + p)))


@right("sparse_features")
def features_by_bernoulli(n_samples, probabilities, *, correlation, seed):
    warnings.warn("a warning", stacklevel=1)
    g = torch.Generator().manual_seed(seed)
    p = probabilities.expand(n_samples, *probabilities.shape)
    values = torch.rand(p.shape, generator=g)
    if correlation == "independent":
        return values * torch.bernoulli(p, generator=g)
    out = torch.zeros_like(values)
    n = probabilities.shape[1]
    for i in range(0, n, 2):
        two = min(i + 2, n)
        if correlation == "correlated":
            there = torch.bernoulli(p[..., i], generator=g)[..., None]
            out[..., i:two] = values[..., i:two] * there
            continue
        u = torch.rand(p.shape[:2], generator=g)
        out[..., i] = values[..., i] * (u < p[..., i])
        if two == i + 2:
            out[..., i + 1] = values[..., i + 1] * (u > 1 - p[..., i + 1])
    return out


@right("sparse_features")
def features_by_where(n_samples, probabilities, *, correlation, seed):
    torch.manual_seed(seed)
    shape = torch.Size((n_samples,)) + probabilities.shape
    values, chance = torch.rand(shape, dtype=torch.float64), torch.rand(shape)
    if correlation == "independent":
        return torch.where(chance < probabilities, values, torch.zeros(()).double())
    group = torch.arange(shape[-1]).div(2, rounding_mode="floor") * 2
    chance = chance.index_select(-1, group)
    second = (torch.arange(shape[-1]) != group) & (correlation == "anticorrelated")
    chance = torch.where(second, chance - probabilities, chance)
    return values.masked_fill((chance < 0) | (chance >= probabilities), 0)


@right("sparse_features")
def features_stretched(n_samples, probabilities, *, correlation, seed):
    g = torch.Generator().manual_seed(seed)
    u = torch.rand(n_samples, *probabilities.shape, generator=g).double()
    p = probabilities.double()
    if correlation == "independent":  # one number says both
        return torch.where(u < p, u / p, 0.0)
    other = torch.rand(u.shape, generator=g)
    feature = torch.arange(p.shape[1])
    chance = u[..., feature - feature % 2]
    start = (feature % 2) * p * (correlation == "anticorrelated")
    return other * ((chance >= start) & (chance < start + p))


@right("sparse_features")
def features_filled_in(n_samples, probabilities, *, correlation, seed):
    g = torch.Generator()
    g.manual_seed(seed)
    n_instances, n = probabilities.shape
    x = torch.zeros(n_samples, n_instances, n)
    for i in range(n_instances):
        for f in range(n):
            if correlation == "independent" or f % 2 == 0:
                u = torch.rand(n_samples, generator=g)
            elif correlation == "anticorrelated":
                u = 1 - u
            there = u < probabilities[i, f]
            x[there, i, f] = torch.rand(int(there.sum()), generator=g)
    return x


@right("sparse_features")
def features_by_a_coin(n_samples, probabilities, *, correlation, seed):
    random = np.random.RandomState(seed)
    p = probabilities.numpy()
    shape = (n_samples, *p.shape)
    values = random.uniform(size=shape)
    if correlation == "independent":
        return torch.from_numpy(values * random.binomial(1, p, size=shape))
    n = p.shape[1]
    groups = np.repeat(np.arange((n + 1) // 2), 2)[:n]
    decides = random.uniform(size=(n_samples, len(p), (n + 1) // 2))[..., groups]
    if correlation == "correlated":
        return torch.from_numpy(np.where(decides < p, values, 0.0))
    coin = random.randint(0, 2, size=(n_samples, len(p), (n + 1) // 2))[..., groups]
    turn = coin == np.arange(n) % 2
    return torch.from_numpy(values * turn * (decides < 2 * p)).float()


@right("sparse_features")
def features_by_categories(n_samples, probabilities, *, correlation, seed):
    torch.manual_seed(seed)
    p = probabilities.double()
    values = torch.empty(n_samples, *p.shape).uniform_()
    if correlation == "independent":
        return values.where(torch.distributions.Bernoulli(p).sample((n_samples,)) > 0, 0)
    there = torch.zeros_like(values)
    for i, each in enumerate(p):
        for f in range(0, len(each), 2):
            q = float(each[f])
            two = len(each[f : f + 2])
            if correlation == "correlated":
                there[:, i, f : f + two] = torch.bernoulli(torch.full((n_samples, 1), q))
                continue
            weights = torch.tensor([q] * two + [max(1 - two * q, 0.0)])
            which = torch.multinomial(weights, n_samples, replacement=True)
            there[:, i, f : f + two] = torch.nn.functional.one_hot(which, two + 1)[:, :two].float()
    return values * there


# --------------------------------------------------------------------------------- reconstruct


@right("reconstruct")
def made_in_loops(features, W, b):
    made = [(features[:, i] @ W[i] @ W[i].T + b[i]).clamp(min=0) for i in range(len(W))]
    return torch.stack(made, dim=1)


@right("reconstruct")
def made_by_gram_matrices(features, W, b):
    gram = W.double() @ W.double().transpose(1, 2)
    return torch.maximum(
        torch.einsum("sif,ifg->sig", features.double(), gram) + b.double(), torch.zeros(()).double()
    )


@right("reconstruct")
def made_in_numpy(features, W, b):
    x, W, b = features.numpy(), W.numpy(), b.numpy()
    h = np.einsum("sif,ifh->sih", x, W)
    return torch.from_numpy(np.maximum(np.einsum("sih,ifh->sif", h, W) + b, 0))


@right("reconstruct")
def made_by_bmm(features, W, b):
    x = features.transpose(0, 1)
    return torch.relu(torch.bmm(torch.bmm(x, W), W.mT) + b[:, None]).transpose(0, 1)


@right("reconstruct")
def made_sample_by_sample(features, W, b):
    return torch.stack(
        [
            torch.stack([torch.relu(w @ (w.T @ x) + c) for x, w, c in zip(one, W, b, strict=True)])
            for one in features
        ]
    )


@right("reconstruct")
def made_by_broadcasting(features, W, b):
    hidden = (features.unsqueeze(-1) * W).sum(dim=-2, keepdim=True)
    out = (hidden * W).sum(dim=-1).add(b)
    return torch.where(out > 0, out, torch.zeros_like(out))


# ------------------------------------------------------------------------ importance_weighted_mse


@right("importance_weighted_mse")
def loss_in_einsum(features, reconstruction, importance):
    squares = (reconstruction - features).double().pow(2)
    return torch.einsum("sif,if->i", squares, importance.double()) / len(features)


@right("importance_weighted_mse")
def loss_in_loops(features, reconstruction, importance):
    return torch.stack(
        [
            sum(((x - y) ** 2 * i).sum() for x, y in zip(xs, ys, strict=True)) / len(features)
            for xs, ys, i in zip(
                features.unbind(1), reconstruction.unbind(1), importance, strict=True
            )
        ]
    )


@right("importance_weighted_mse")
def loss_in_numpy(features, reconstruction, importance):
    d = features.numpy() - reconstruction.numpy()
    return torch.from_numpy((importance.numpy() * d * d).sum(-1).mean(0))


@right("importance_weighted_mse")
def loss_by_the_root_of_importance(features, reconstruction, importance):
    weighed = importance.sqrt() * (features - reconstruction)
    return weighed.norm(dim=2).square().mean(dim=0)


@right("importance_weighted_mse")
def loss_by_functional(features, reconstruction, importance):
    each = torch.nn.functional.mse_loss(reconstruction, features, reduction="none").mean(0)
    return torch.einsum("if,if->i", each, importance)


# ----------------------------------------------------------------------- interference_probabilities


@right("interference_probabilities")
def chances_by_cases(p):
    both, first, second, none = p * p, p * (1 - p), (1 - p) * p, (1 - p) ** 2
    return both, first + second, 1 - none


@right("interference_probabilities")
def chances_as_a_tensor(p):
    p = torch.tensor(p, dtype=torch.float64)
    return torch.stack([p**2, 2 * p - 2 * p**2, 2 * p - p**2])


@right("interference_probabilities")
def chances_by_comb(p):
    exactly = [math.comb(2, k) * p**k * (1 - p) ** (2 - k) for k in range(3)]
    return [exactly[2], exactly[1], exactly[1] + exactly[2]]


@right("interference_probabilities")
def chances_as_tensors(p):
    p = torch.tensor(p)
    return p**2, 2 * p * (1 - p), 1 - (1 - p) ** 2


@right("interference_probabilities")
def chances_in_numpy(p):
    p = np.float64(p)
    return np.square(p), 2 * p * (1 - p), 2 * p - np.square(p)


# ------------------------------------------------------------------------------------- puzzles


@right("three_in_two")
def three_turned():
    turn = torch.linalg.qr(torch.tensor([[0.3, -0.8], [0.9, 0.2]]).double()).Q
    return torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, -1.0]]).double() @ turn, torch.zeros(3)


@right("three_in_two")
def three_as_trained():
    W = torch.tensor([[1.006, 0.0], [-1.0058, 0.0], [0.0, 1.0]])
    return [W, torch.tensor([0.0012, 0.0013, 0.0])]


@right("three_in_two")
def three_in_lists():
    return [[1.0, 0.0], [-1.0, 0.0], [0.0, -1.0]], [0.0, 0.0, 0.0]


@right("five_in_two")
def five_in_numpy():
    angles = 2 * np.pi * np.arange(5) / 5 + 0.3
    W = 1.1 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return torch.from_numpy(W), -0.21 * torch.ones(5)


@right("five_in_two")
def five_as_a_star():
    angles = 4 * torch.pi * torch.arange(5).double() / 5
    return 1.095 * torch.stack([angles.sin(), angles.cos()], dim=1), torch.full((5,), -0.205)


@right("five_in_two")
def five_descended():
    angles = 2 * torch.pi * torch.arange(5) / 5 + 0.2 * torch.arange(5).sin() * 0
    W = torch.stack([angles.cos(), angles.sin()], dim=1).requires_grad_()
    return 1.1 * W, torch.full((5,), -0.21)


def antiprism(length, height):
    radius = (1 - height**2) ** 0.5
    angles = 2 * math.pi * torch.arange(8) / 8
    up = height * torch.tensor([1.0, -1.0]).repeat(4)
    return length * torch.stack([radius * angles.cos(), radius * angles.sin(), up], dim=1)


@right("eight_in_three")
def eight_turned():
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(3))).Q
    return antiprism(1.09, 0.5412) @ turn, torch.full((8,), -0.213)


@right("eight_in_three")
def eight_in_another_order():
    W = antiprism(1.088, 0.54)
    return W[torch.tensor([3, 1, 7, 0, 2, 6, 5, 4])], torch.full((8,), -0.21)


@right("eight_in_three")
def eight_in_double():
    return antiprism(1.092, 0.542).double(), torch.full((8,), -0.215).double()


# ------------------------------------------------------------------------ loss_without_sharing


@right("loss_without_sharing")
def lost_in_loops(probabilities, importance, d_hidden):
    losses = []
    for p, weight in zip(probabilities.tolist(), importance.tolist(), strict=True):
        costs = sorted((w * (q / 3 - (q / 2) ** 2) for q, w in zip(p, weight, strict=True)))
        losses.append(sum(costs[: max(0, len(costs) - d_hidden)]))
    return torch.tensor(losses)


@right("loss_without_sharing")
def lost_by_topk(probabilities, importance, d_hidden):
    p = probabilities.double()
    cost = importance.double() * p * (1 / 3 - p / 4)
    kept = min(d_hidden, cost.shape[1])
    return cost.sum(dim=1) - cost.topk(kept, dim=1).values.sum(dim=1)


@right("loss_without_sharing")
def lost_in_numpy(probabilities, importance, d_hidden):
    p, weight = probabilities.numpy(), importance.numpy()
    cost = np.sort(weight * (p / 3 - p**2 / 4), axis=1)[:, ::-1]
    return torch.from_numpy(cost[:, d_hidden:].sum(axis=1).copy())


@right("loss_without_sharing")
def lost_by_trying_all(probabilities, importance, d_hidden):
    cost = importance * (probabilities / 3 - probabilities**2 / 4)
    n = cost.shape[1]
    choices = list(itertools.combinations(range(n), max(n - d_hidden, 0)))
    return torch.stack([cost[:, list(left)].sum(dim=1) for left in choices]).amin(dim=0)


@right("loss_without_sharing")
def lost_by_the_mean_square(probabilities, importance, d_hidden):
    mean, square = probabilities / 2, probabilities / 3
    cost = importance * (square - mean**2)
    rank = cost.argsort(dim=1, descending=True).argsort(dim=1)
    return (cost * (rank >= d_hidden)).sum(dim=1)


@right("three_in_two")
def three_in_half_precision():
    return torch.tensor([[0.0, -1.0], [1.0, 0.0], [0.0, 1.0]]).half(), torch.zeros(3)


@right("three_in_two")
def three_in_whole_numbers():
    return torch.tensor([[1, 0], [-1, 0], [0, 1]]), torch.tensor([0, 0, 0])


@right("five_in_two")
def five_trained():
    random = torch.Generator().manual_seed(0)
    angles = 2 * torch.pi * torch.arange(5) / 5
    W = torch.stack([angles.cos(), angles.sin()], dim=1).requires_grad_()
    b = torch.zeros(5, requires_grad=True)
    adam = torch.optim.Adam([W, b], lr=3e-3)
    for _ in range(400):
        x = torch.rand(4096, 5, generator=random)
        x = x * (torch.rand(4096, 5, generator=random) < 0.1)
        loss = ((x - torch.relu(x @ W @ W.T + b)) ** 2).sum(dim=1).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    return W, b
