"""Right answers to `ch04_superposition/5_sparse_autoencoders.ipynb` in other styles."""

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from tests.checks.harness import right

# --------------------------------------------------------------------------------- sae_forward


@right("sae_forward")
def forward_by_einsum(h, W_enc, b_enc, W_dec, b_dec):
    z = torch.clamp(torch.einsum("sh,hl->sl", h - b_dec, W_enc) + b_enc, min=0)
    return z, torch.einsum("sl,lh->sh", z, W_dec) + b_dec


@right("sae_forward")
def forward_in_numpy(h, W_enc, b_enc, W_dec, b_dec):
    h, W_enc, b_enc, W_dec, b_dec = (x.numpy() for x in (h, W_enc, b_enc, W_dec, b_dec))
    z = np.maximum((h - b_dec) @ W_enc + b_enc, 0)
    return z, z @ W_dec + b_dec


@right("sae_forward")
def forward_by_sample(h, W_enc, b_enc, W_dec, b_dec):
    codes = [torch.relu(W_enc.T @ (row - b_dec) + b_enc) for row in h]
    return [torch.stack(codes), torch.stack([code @ W_dec + b_dec for code in codes])]


@right("sae_forward")
def forward_with_the_bias_folded_in(h, W_enc, b_enc, W_dec, b_dec):
    z = torch.nn.functional.linear(h.double(), W_enc.double().T, (b_enc - b_dec @ W_enc).double())
    z = z.relu()
    return z, torch.addmm(b_dec.double(), z, W_dec.double())


# ------------------------------------------------------------------------------------ sae_loss


@right("sae_loss")
def loss_by_norms(h, reconstruction, z, *, l1):
    return (torch.linalg.norm(h - reconstruction, dim=1) ** 2 + l1 * z.norm(p=1, dim=1)).mean()


@right("sae_loss")
def loss_as_a_float(h, reconstruction, z, *, l1):
    total = ((h - reconstruction) ** 2).sum() + l1 * z.abs().sum()
    return float(total) / len(h)


@right("sae_loss")
def loss_by_sample(h, reconstruction, z, *, l1):
    total = 0.0
    for x, y, code in zip(h.tolist(), reconstruction.tolist(), z.tolist(), strict=True):
        total += sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) + l1 * sum(map(abs, code))
    return total / len(h)


@right("sae_loss")
def loss_by_mse(h, reconstruction, z, *, l1):
    errors = torch.nn.functional.mse_loss(reconstruction, h) * h.shape[1]
    return errors + l1 * z.abs().mean() * z.shape[1]


# --------------------------------------------------------------------------------- l0_and_dead


@right("l0_and_dead")
def l0_by_counts(z):
    times = (z > 0).sum(dim=0)
    return times.sum().item() / len(z), times == 0


@right("l0_and_dead")
def l0_in_numpy(z):
    active = z.numpy() > 0
    return float(active.sum(axis=1).mean()), ~active.any(axis=0)


@right("l0_and_dead")
def l0_by_clamping(z):
    return [torch.count_nonzero(z.clamp(min=0), dim=1).float().mean(), (z <= 0).all(dim=0)]


@right("l0_and_dead")
def l0_by_the_largest(z):
    l0 = sum(sum(value > 0 for value in row) for row in z.tolist()) / len(z)
    return l0, (z.max(dim=0).values <= 0).tolist()


# ---------------------------------------------------------------------------- matched_recovery


@right("matched_recovery")
def recovery_in_numpy(W, dictionary):
    W, D = W.numpy().astype(float), dictionary.numpy().astype(float)
    lengths = np.linalg.norm(W, axis=1)
    W = W[lengths >= 0.1] / lengths[lengths >= 0.1, None]
    if len(W) == 0:
        return 0.0
    sizes = np.linalg.norm(D, axis=1, keepdims=True)
    D = np.divide(D, sizes, out=np.zeros_like(D), where=sizes > 0)
    table = W @ D.T
    rows, columns = linear_sum_assignment(-table)
    return float(np.maximum(table[rows, columns], 0).sum() / len(W))


@right("matched_recovery")
def recovery_with_missing_latents(W, dictionary):
    W = W[W.norm(dim=1) >= 0.1]
    if W.shape[0] == 0:
        return 0.0
    lack = max(len(W) - len(dictionary), 0)
    dictionary = torch.cat([dictionary, torch.zeros(lack, W.shape[1], dtype=dictionary.dtype)])
    table = torch.nn.functional.cosine_similarity(W[:, None], dictionary[None], dim=2, eps=1e-12)
    rows, columns = linear_sum_assignment(table.numpy(), maximize=True)
    return table[rows, columns].clamp(min=0).mean()


@right("matched_recovery")
def recovery_by_trying(W, dictionary):
    """Every matching by a table over sets of latents that are taken."""
    rows = [row / row.norm() for row in W.double() if row.norm() >= 0.1]
    if not rows:
        return 0.0
    latents = torch.nn.functional.normalize(dictionary.double(), dim=1)
    table = (torch.stack(rows) @ latents.T).tolist()
    if len(table) > len(latents):
        table = [list(column) for column in zip(*table, strict=True)]
    best = {frozenset(): (0.0, 0.0)}
    for values in table:
        grown = {}
        for taken, (total, counted) in best.items():
            for j, value in enumerate(values):
                if j in taken:
                    continue
                now = (total + value, counted + max(value, 0.0))
                key = taken | {j}
                if key not in grown or now[0] > grown[key][0]:
                    grown[key] = now
        best = grown
    return max(best.values())[1] / len(rows)


# ------------------------------------------------------------------------------ loss_recovered


@right("loss_recovered")
def recovered_from_one_batch(W, b, features, reconstruction):
    h = torch.stack([torch.zeros_like(reconstruction), reconstruction, features @ W])
    made = torch.nn.functional.relu(torch.einsum("ksh,fh->ksf", h, W) + b)
    nothing, given, own = ((made - features) ** 2).mean(dim=(1, 2)).tolist()
    return (nothing - given) / (nothing - own)


@right("loss_recovered")
def recovered_as_a_tensor(W, b, features, reconstruction):
    def loss(h):
        return (torch.relu(h.double() @ W.double().T + b.double()) - features).pow(2).sum()

    own = loss(features.double() @ W.double())
    nothing = loss(0 * reconstruction)
    return 1 - (loss(reconstruction) - own) / (nothing - own)


@right("loss_recovered")
def recovered_in_numpy(W, b, features, reconstruction):
    W, b, x, made = (value.numpy().astype(float) for value in (W, b, features, reconstruction))
    nothing = ((np.maximum(b, 0) - x) ** 2).sum(axis=1).mean()
    own = ((np.maximum(x @ W @ W.T + b, 0) - x) ** 2).sum(axis=1).mean()
    given = ((np.maximum(made @ W.T + b, 0) - x) ** 2).sum(axis=1).mean()
    return (nothing - given) / (nothing - own)


# ------------------------------------------------------------------------------- recovery_null


def own_recovery(W, dictionary):
    W = W[W.norm(dim=1) >= 0.1].double()
    dictionary = dictionary.double()
    table = (W / W.norm(dim=1, keepdim=True)) @ (
        dictionary / dictionary.norm(dim=1, keepdim=True)
    ).T
    rows, columns = linear_sum_assignment(table.numpy(), maximize=True)
    return table[rows, columns].clamp(min=0).sum().item() / len(W)


@right("recovery_null")
def null_at_once(W, n_latents, *, n_draws, seed):
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(n_draws, n_latents, W.shape[1], generator=generator, dtype=torch.float64)
    drawn = drawn / drawn.norm(dim=2, keepdim=True)
    return [own_recovery(W, dictionary) for dictionary in drawn]


@right("recovery_null")
def null_in_numpy(W, n_latents, *, n_draws, seed):
    random = np.random.default_rng(seed)
    return np.array(
        [
            own_recovery(W, torch.from_numpy(random.normal(size=(n_latents, W.shape[1]))))
            for _ in range(n_draws)
        ]
    )


@right("recovery_null")
def null_with_seeds_of_its_own(W, n_latents, *, n_draws, seed):
    found = []
    for i in range(n_draws):
        torch.manual_seed(seed * 100_003 + i)
        found.append(torch.tensor(own_recovery(W, torch.randn(n_latents, W.shape[1]))))
    return found


# -------------------------------------------------------------------------- explained_variance


@right("explained_variance")
def explained_by_variances(h, reconstruction):
    errors = (h - reconstruction).square().mean(dim=0).sum()
    return 1 - errors / h.var(dim=0, unbiased=False).sum()


@right("explained_variance")
def explained_in_numpy(h, reconstruction):
    h, made = h.numpy().astype(float), reconstruction.numpy().astype(float)
    return 1 - ((h - made) ** 2).sum() / ((h - h.mean(axis=0, keepdims=True)) ** 2).sum()


@right("explained_variance")
def explained_by_norms(h, reconstruction):
    centred = h - h.mean(dim=0, keepdim=True)
    ratio = torch.linalg.norm(h - reconstruction) / torch.linalg.norm(centred)
    return 1 - float(ratio) ** 2


@right("explained_variance")
def explained_by_the_trace(h, reconstruction):
    h, made = h.double(), reconstruction.double()
    errors = h - made
    variance = torch.cov(h.T).diagonal().sum() if h.shape[1] > 1 else h.var()
    return (1 - (errors * errors).sum() / (variance * (len(h) - 1))).item()


# --------------------------------------------------------------------------------------- top_k


@right("top_k")
def top_k_by_sorting(z, k):
    order = z.argsort(dim=1, descending=True)
    rank = order.argsort(dim=1)
    return torch.where(rank < k, z, torch.zeros_like(z))


@right("top_k")
def top_k_by_threshold(z, k):
    return z * (z >= z.topk(k, dim=1).values[:, -1:])


@right("top_k")
def top_k_in_numpy(z, k):
    values = z.numpy()
    kept = np.zeros_like(values)
    places = np.argsort(-values, axis=1, kind="stable")[:, :k]
    np.put_along_axis(kept, places, np.take_along_axis(values, places, axis=1), axis=1)
    return kept


@right("top_k")
def top_k_by_sample(z, k):
    out = torch.zeros_like(z)
    for row, kept in zip(z, out, strict=True):
        for i in row.topk(k).indices.tolist():
            kept[i] = row[i]
    return out


# ----------------------------------------------------------------------- resample_dead_latents


@right("resample_dead_latents")
def resampled_one_by_one(h, errors, dead, W_enc, b_enc, W_dec, b_dec, *, seed):
    W_enc, b_enc, W_dec = W_enc.clone(), b_enc.clone(), W_dec.clone()
    if dead.all() or not dead.any() or errors.sum() == 0:
        return W_enc, b_enc, W_dec
    generator = torch.Generator().manual_seed(seed)
    length = W_enc[:, ~dead].norm(dim=0).mean() / 5
    chances = errors**2 / (errors**2).sum()
    for latent in dead.nonzero()[:, 0].tolist():
        sample = int(torch.multinomial(chances, 1, generator=generator))
        direction = h[sample] - b_dec
        direction = direction / direction.norm()
        W_dec[latent] = direction
        W_enc[:, latent] = length * direction
        b_enc[latent] = 0
    return W_enc, b_enc, W_dec


@right("resample_dead_latents")
def resampled_by_where(h, errors, dead, W_enc, b_enc, W_dec, b_dec, *, seed):
    if dead.all() or not dead.any() or not (errors > 0).any():
        return W_enc.clone(), b_enc.clone(), W_dec.clone()
    generator = torch.Generator().manual_seed(seed)
    edges = (errors.double() ** 2).cumsum(0)
    at = torch.rand(len(dead), generator=generator, dtype=torch.float64) * edges[-1]
    towards = torch.nn.functional.normalize((h - b_dec)[torch.searchsorted(edges, at)], dim=1)
    length = W_enc.norm(dim=0)[~dead].mean() * 0.2
    return [
        torch.where(dead, length * towards.T, W_enc),
        torch.where(dead, 0.0, b_enc),
        torch.where(dead[:, None], towards, W_dec),
    ]


@right("resample_dead_latents")
def resampled_in_numpy(h, errors, dead, W_enc, b_enc, W_dec, b_dec, *, seed):
    h, errors, W_enc, b_enc, W_dec, b_dec = (
        x.numpy().astype(float) for x in (h, errors, W_enc, b_enc, W_dec, b_dec)
    )
    gone = dead.numpy()
    if gone.all() or not gone.any() or not errors.any():
        return W_enc, b_enc, W_dec
    chances = errors**2 / (errors**2).sum()
    chosen = np.random.default_rng(seed).choice(len(h), size=gone.sum(), p=chances)
    towards = h[chosen] - b_dec
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    W_dec[gone] = towards
    W_enc[:, gone] = 0.2 * np.linalg.norm(W_enc[:, ~gone], axis=0).mean() * towards.T
    b_enc[gone] = 0
    return W_enc, b_enc, W_dec
