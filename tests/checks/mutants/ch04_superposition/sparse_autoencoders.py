"""Wrong answers to `ch04_superposition/5_sparse_autoencoders.ipynb`, with words for each."""

import torch
from scipy.optimize import linear_sum_assignment

from mechcourse import sae
from tests.checks.harness import wrong

# --------------------------------------------------------------------------------- sae_forward


def coded(h, W_enc, b_enc, b_dec):
    return ((h - b_dec) @ W_enc + b_enc).relu()


@wrong("sae_forward", "the decoder's bias was not taken away before the encoder")
def forward_without_centring(h, W_enc, b_enc, W_dec, b_dec):
    z = (h @ W_enc + b_enc).relu()
    return z, z @ W_dec + b_dec


@wrong("sae_forward", "the decoder's bias was added before the encoder")
def forward_off_centre(h, W_enc, b_enc, W_dec, b_dec):
    z = ((h + b_dec) @ W_enc + b_enc).relu()
    return z, z @ W_dec + b_dec


@wrong("sae_forward", "the latents have no ReLU")
def forward_linear(h, W_enc, b_enc, W_dec, b_dec):
    z = (h - b_dec) @ W_enc + b_enc
    return z, z @ W_dec + b_dec


@wrong("sae_forward", "the encoder's bias was added after the ReLU")
def forward_bias_outside(h, W_enc, b_enc, W_dec, b_dec):
    z = ((h - b_dec) @ W_enc).relu() + b_enc
    return z, z @ W_dec + b_dec


@wrong("sae_forward", "the encoder's bias is missing")
def forward_without_b_enc(h, W_enc, b_enc, W_dec, b_dec):
    z = ((h - b_dec) @ W_enc).relu()
    return z, z @ W_dec + b_dec


@wrong("sae_forward", "the decoder's bias was not added at the end")
def forward_without_b_dec(h, W_enc, b_enc, W_dec, b_dec):
    z = coded(h, W_enc, b_enc, b_dec)
    return z, z @ W_dec


@wrong("sae_forward", "the two are not tied")
def forward_tied(h, W_enc, b_enc, W_dec, b_dec):
    z = coded(h, W_enc, b_enc, b_dec)
    return z, z @ W_enc.T + b_dec


@wrong("sae_forward", "the reconstruction went through a ReLU")
def forward_with_two_relus(h, W_enc, b_enc, W_dec, b_dec):
    z = coded(h, W_enc, b_enc, b_dec)
    return z, (z @ W_dec + b_dec).relu()


@wrong("sae_forward", "the two are in each other's place")
def forward_swapped(h, W_enc, b_enc, W_dec, b_dec):
    z = coded(h, W_enc, b_enc, b_dec)
    return z @ W_dec + b_dec, z


@wrong("sae_forward", "returns a tuple (latents, reconstruction)")
def forward_without_latents(h, W_enc, b_enc, W_dec, b_dec):
    return coded(h, W_enc, b_enc, b_dec) @ W_dec + b_dec


@wrong("sae_forward", "this is what the exercise asks you to write")
def forward_by_the_library(h, W_enc, b_enc, W_dec, b_dec):
    model = sae.SAE(W_enc, b_enc, W_dec, b_dec)
    z = sae.encode(h, model)
    return z, sae.decode(z, model)


# ------------------------------------------------------------------------------------ sae_loss


@wrong("sae_loss", "the errors were averaged over dimensions")
def loss_by_mse(h, reconstruction, z, *, l1):
    return (h - reconstruction).square().mean() + l1 * z.abs().sum(dim=1).mean()


@wrong("sae_loss", "the latents were averaged")
def loss_with_a_mean_penalty(h, reconstruction, z, *, l1):
    return (h - reconstruction).square().sum(dim=1).mean() + l1 * z.abs().mean()


@wrong("sae_loss", "both were averaged over everything")
def loss_of_means(h, reconstruction, z, *, l1):
    return (h - reconstruction).square().mean() + l1 * z.abs().mean()


@wrong("sae_loss", "the samples were added up")
def loss_summed(h, reconstruction, z, *, l1):
    return (h - reconstruction).square().sum() + l1 * z.abs().sum()


@wrong("sae_loss", "the penalty was added up over samples")
def loss_with_a_total_penalty(h, reconstruction, z, *, l1):
    return (h - reconstruction).square().sum(dim=1).mean() + l1 * z.abs().sum()


@wrong("sae_loss", "the errors were halved")
def loss_with_half_errors(h, reconstruction, z, *, l1):
    return (0.5 * (h - reconstruction).square().sum(dim=1) + l1 * z.abs().sum(dim=1)).mean()


@wrong("sae_loss", "this is what the exercise asks you to write")
def loss_by_the_library(h, reconstruction, z, *, l1):
    return sae.sae_loss(h, reconstruction, z, l1)


@wrong("sae_loss", "latents were squared")
def loss_with_l2(h, reconstruction, z, *, l1):
    return ((h - reconstruction).square().sum(dim=1) + l1 * z.square().sum(dim=1)).mean()


@wrong("sae_loss", "active latents were counted")
def loss_with_l0(h, reconstruction, z, *, l1):
    return ((h - reconstruction).square().sum(dim=1) + l1 * (z != 0).sum(dim=1)).mean()


@wrong("sae_loss", "a latent below 0 has a size as well")
def loss_without_abs(h, reconstruction, z, *, l1):
    return ((h - reconstruction).square().sum(dim=1) + l1 * z.sum(dim=1)).mean()


@wrong("sae_loss", "the penalty has no `l1`")
def loss_without_l1(h, reconstruction, z, *, l1):
    return ((h - reconstruction).square().sum(dim=1) + z.abs().sum(dim=1)).mean()


@wrong("sae_loss", "a root was taken of each sample's error")
def loss_of_norms(h, reconstruction, z, *, l1):
    return ((h - reconstruction).norm(dim=1) + l1 * z.abs().sum(dim=1)).mean()


@wrong("sae_loss", "a single number")
def loss_of_each_sample(h, reconstruction, z, *, l1):
    return (h - reconstruction).square().sum(dim=1) + l1 * z.abs().sum(dim=1)


@wrong("sae_loss", "Expected")
def loss_of_the_example(h, reconstruction, z, *, l1):
    return torch.tensor(0.11)


# --------------------------------------------------------------------------------- l0_and_dead


@wrong("l0_and_dead", "this is a share of all latents")
def l0_as_a_share(z):
    return (z > 0).double().mean().item(), ~(z > 0).any(dim=0)


@wrong("l0_and_dead", "counted over all samples; take the mean")
def l0_over_all_samples(z):
    return float((z > 0).sum()), ~(z > 0).any(dim=0)


@wrong("l0_and_dead", "a latent below 0 is not active; above 0 it is")
def l0_of_what_is_not_0(z):
    return (z != 0).double().sum(dim=1).mean().item(), (z == 0).all(dim=0)


@wrong("l0_and_dead", "small latents were left out")
def l0_of_large_ones(z):
    active = z > 0.001
    return active.double().sum(dim=1).mean().item(), ~active.any(dim=0)


@wrong("l0_and_dead", "these are the latents that are alive")
def l0_and_alive(z):
    return (z > 0).double().sum(dim=1).mean().item(), (z > 0).any(dim=0)


@wrong("l0_and_dead", "dead is silent on all")
def l0_and_sometimes_silent(z):
    return (z > 0).double().sum(dim=1).mean().item(), (z <= 0).any(dim=0)


@wrong("l0_and_dead", "samples were counted for each latent")
def l0_along_the_other_axis(z):
    return (z > 0).double().sum(dim=0).mean().item(), ~(z > 0).any(dim=0)


@wrong("l0_and_dead", "the latents' sizes were added up")
def l1_and_dead(z):
    return z.clamp(min=0).double().sum(dim=1).mean().item(), ~(z > 0).any(dim=0)


@wrong("l0_and_dead", "a latent below 0 is not active, either")
def l0_and_all_zero(z):
    return (z > 0).double().sum(dim=1).mean().item(), (z == 0).all(dim=0)


@wrong("l0_and_dead", "ever so little, on one sample, is alive")
def l0_and_nearly_dead(z):
    return (z > 0).double().sum(dim=1).mean().item(), z.amax(dim=0) < 1e-5


@wrong("l0_and_dead", "this has a value for each sample")
def l0_and_silent_samples(z):
    return (z > 0).double().sum(dim=1).mean().item(), ~(z > 0).any(dim=1)


@wrong("l0_and_dead", "this is what the exercise asks you to write")
def l0_by_the_library(z):
    return sae.l0(z), sae.dead_latents(z)


@wrong("l0_and_dead", "the mask of dead latents")
def l0_and_a_count(z):
    return (z > 0).double().sum(dim=1).mean().item(), int((~(z > 0).any(dim=0)).sum())


# ---------------------------------------------------------------------------- matched_recovery


def table_of(W, dictionary):
    """Cosines between represented features and latents."""
    rows = W[W.norm(dim=1) >= 0.1].double()
    latents = dictionary.double()
    rows = rows / rows.norm(dim=1, keepdim=True)
    return rows @ (latents / latents.norm(dim=1, keepdim=True).clamp(min=1e-12)).T


def assigned(table):
    return table[linear_sum_assignment(table.numpy(), maximize=True)].clamp(min=0)


@wrong("matched_recovery", "one latent serves several")
def recovery_of_the_best_latent(W, dictionary):
    return table_of(W, dictionary).amax(dim=1).clamp(min=0).mean().item()


@wrong("matched_recovery", "or the best pair first")
def recovery_of_the_best_pairs_first(W, dictionary):
    table = table_of(W, dictionary)
    left, total = table.clone(), 0.0
    for _ in range(min(table.shape)):
        i, j = divmod(int(left.argmax()), table.shape[1])
        total += max(float(table[i, j]), 0)
        left[i], left[:, j] = -2, -2
    return total / max(len(table), 1)


@wrong("matched_recovery", "each feature in turn took the best latent that was left")
def recovery_in_turn(W, dictionary):
    table = table_of(W, dictionary)
    left, total = table.clone(), 0.0
    for i in range(min(table.shape)):
        j = int(left[i].argmax())
        total += max(float(table[i, j]), 0)
        left[:, j] = -2
    return total / max(len(table), 1)


@wrong("matched_recovery", "features that are not represented were counted, too")
def recovery_of_all_features(W, dictionary):
    table = table_of(W / W.norm(dim=1, keepdim=True), dictionary)
    return assigned(table).sum().item() / len(W)


@wrong("matched_recovery", "divided by the number of all features")
def recovery_over_all_features(W, dictionary):
    return assigned(table_of(W, dictionary)).sum().item() / len(W)


@wrong("matched_recovery", "signs were lost")
def recovery_without_signs(W, dictionary):
    table = table_of(W, dictionary).abs()
    return assigned(table).sum().item() / max(len(table), 1)


@wrong("matched_recovery", "these are products, not cosines")
def recovery_of_products(W, dictionary):
    table = W[W.norm(dim=1) >= 0.1].double() @ dictionary.double().T
    return assigned(table).sum().item() / max(len(table), 1)


@wrong("matched_recovery", "only the features were brought to length 1")
def recovery_with_long_latents(W, dictionary):
    rows = W[W.norm(dim=1) >= 0.1].double()
    table = rows / rows.norm(dim=1, keepdim=True) @ dictionary.double().T
    return assigned(table).sum().item() / max(len(table), 1)


@wrong("matched_recovery", "divide by the number of features")
def recovery_over_pairs(W, dictionary):
    found = assigned(table_of(W, dictionary))
    return found.mean().item() if len(found) else 0.0


@wrong("matched_recovery", "a matched pair whose cosine is below 0 counts 0")
def recovery_with_pairs_below_0(W, dictionary):
    table = table_of(W, dictionary)
    pairs = linear_sum_assignment(table.numpy(), maximize=True)
    return table[pairs].sum().item() / max(len(table), 1)


def recovery_where(W, dictionary, there):
    rows = torch.nn.functional.normalize(W[there].double(), dim=1)
    latents = torch.nn.functional.normalize(dictionary.double(), dim=1)
    return assigned(rows @ latents.T).sum().item() / max(len(rows), 1)


@wrong("matched_recovery", "its length counts, not its square")
def recovery_by_squared_lengths(W, dictionary):
    return recovery_where(W, dictionary, W.square().sum(dim=1) >= 0.1)


@wrong("matched_recovery", "not its square or its largest weight")
def recovery_by_largest_weights(W, dictionary):
    return recovery_where(W, dictionary, W.abs().amax(dim=1) >= 0.1)


@wrong("matched_recovery", "a row of length 0.08 was counted")
def recovery_from_shorter_rows(W, dictionary):
    return recovery_where(W, dictionary, W.norm(dim=1) >= 0.07)


@wrong("matched_recovery", "pairs below 0 were then set to 0")
def recovery_of_the_least_matching(W, dictionary):
    table = table_of(W, dictionary)
    pairs = linear_sum_assignment(table.numpy())
    return table[pairs].clamp(min=0).sum().item() / len(table)


@wrong("l0_and_dead", "the two are in each other's place")
def dead_and_l0(z):
    return ~(z > 0).any(dim=0), (z > 0).sum(dim=1).double().mean().item()


@wrong("matched_recovery", "it is costs that are given")
def recovery_of_the_worst(W, dictionary):
    table = table_of(W, dictionary)
    pairs = linear_sum_assignment(table.numpy())
    return table[pairs].sum().item() / max(len(table), 1)


@wrong("matched_recovery", "ValueError")
def recovery_with_nan(W, dictionary):
    rows = W[W.norm(dim=1) >= 0.1]
    table = (rows / rows.norm(dim=1, keepdim=True)) @ (
        dictionary / dictionary.norm(dim=1, keepdim=True)
    ).T
    return assigned(table).sum().item() / max(len(table), 1)


@wrong("matched_recovery", "this is what the exercise asks you to write")
def recovery_by_the_library(W, dictionary):
    return sae.matched_recovery(W, dictionary)


# ------------------------------------------------------------------------------ loss_recovered


def loss_with(W, b, features, h):
    return ((h @ W.T + b).relu() - features).square().sum(dim=1).mean().item()


@wrong("loss_recovered", "this is what was lost: 1 minus the share")
def loss_that_was_lost(W, b, features, reconstruction):
    own, given, nothing = (
        loss_with(W, b, features, h) for h in (features @ W, reconstruction, 0 * reconstruction)
    )
    return (given - own) / (nothing - own)


@wrong("loss_recovered", "the ratio is upside down")
def loss_recovered_upside_down(W, b, features, reconstruction):
    own, given, nothing = (
        loss_with(W, b, features, h)
        for h in (features @ W, reconstruction + 1e-9, 0 * reconstruction)
    )
    return (nothing - own) / (nothing - given)


@wrong("loss_recovered", "the mean hidden layer was taken for nothing")
def loss_recovered_from_the_mean(W, b, features, reconstruction):
    mean = (features @ W).mean(dim=0).expand_as(reconstruction)
    own, given, nothing = (
        loss_with(W, b, features, h) for h in (features @ W, reconstruction, mean)
    )
    return (nothing - given) / (nothing - own)


@wrong("loss_recovered", "the outputs are ReLU(b), and not 0")
def loss_recovered_from_silence(W, b, features, reconstruction):
    own, given = (loss_with(W, b, features, h) for h in (features @ W, reconstruction))
    nothing = features.square().sum(dim=1).mean().item()
    return (nothing - given) / (nothing - own)


@wrong("loss_recovered", "hidden layers were compared")
def loss_recovered_in_the_hidden_layer(W, b, features, reconstruction):
    h = features @ W
    return 1 - ((h - reconstruction).square().sum() / h.square().sum()).item()


@wrong("loss_recovered", "the own loss was taken to be 0")
def loss_recovered_of_a_perfect_model(W, b, features, reconstruction):
    given, nothing = (loss_with(W, b, features, h) for h in (reconstruction, 0 * reconstruction))
    return (nothing - given) / nothing


@wrong("loss_recovered", "own by reconstruction's")
def loss_recovered_as_a_ratio(W, b, features, reconstruction):
    own, given = (loss_with(W, b, features, h) for h in (features @ W, reconstruction))
    return own / given


@wrong("loss_recovered", "the outputs have no ReLU")
def loss_recovered_without_relu(W, b, features, reconstruction):
    own, given, nothing = (
        (h @ W.T + b - features).square().sum(dim=1).mean().item()
        for h in (features @ W, reconstruction, 0 * reconstruction)
    )
    return (nothing - given) / (nothing - own)


@wrong("loss_recovered", "the toy model's bias is missing")
def loss_recovered_without_bias(W, b, features, reconstruction):
    own, given, nothing = (
        loss_with(W, 0 * b, features, h) for h in (features @ W, reconstruction, 0 * reconstruction)
    )
    return (nothing - given) / (nothing - own)


@wrong("loss_recovered", "this is what the exercise asks you to write")
def loss_recovered_by_the_library(W, b, features, reconstruction):
    return sae.loss_recovered(W, b, features, reconstruction)


# ------------------------------------------------------------------------------- recovery_null


def drawn_null(W, n_latents, n_draws, seed, draw=torch.randn):
    random = torch.Generator().manual_seed(seed)
    shape = n_latents, W.shape[1]
    found = []
    for _ in range(n_draws):
        table = table_of(W, draw(shape, generator=random))
        found.append(assigned(table).sum().item() / len(table))
    return found


@wrong("loss_recovered", "it was held at 0")
def recovered_at_least_zero(W, b, features, reconstruction):
    def loss(h):
        return ((h @ W.T + b).relu() - features).square().sum(dim=1).mean().item()

    h = features @ W
    nothing = loss(torch.zeros_like(h))
    return max((nothing - loss(reconstruction)) / (nothing - loss(h)), 0.0)


@wrong("recovery_null", "the same one came every time")
def null_seeded_each_time(W, n_latents, *, n_draws, seed):
    return [drawn_null(W, n_latents, 1, seed)[0] for _ in range(n_draws)]


@wrong("recovery_null", "draw from torch.Generator")
def null_from_outside(W, n_latents, *, n_draws, seed):
    return drawn_null(W, n_latents, n_draws, int(torch.randint(10**6, ())))


@wrong("recovery_null", "`seed` was not used")
def null_of_one_seed(W, n_latents, *, n_draws, seed):
    return drawn_null(W, n_latents, n_draws, 0)


@wrong("recovery_null", "point to one corner only")
def null_from_a_corner(W, n_latents, *, n_draws, seed):
    return drawn_null(W, n_latents, n_draws, seed, draw=torch.rand)


@wrong("recovery_null", "prefer the corners of a cube")
def null_from_a_cube(W, n_latents, *, n_draws, seed):
    def cube(shape, generator):
        return 2 * torch.rand(shape, generator=generator) - 1

    return drawn_null(W, n_latents, n_draws, seed, draw=cube)


@wrong("recovery_null", "is the number of latents `n_latents`")
def null_of_as_many_as_features(W, n_latents, *, n_draws, seed):
    return drawn_null(W, len(W), n_draws, seed)


@wrong("recovery_null", "so that neighbouring seeds share them")
def null_seeded_by_number(W, n_latents, *, n_draws, seed):
    return [drawn_null(W, n_latents, 1, seed + i)[0] for i in range(n_draws)]


@wrong("recovery_null", "each feature took its best latent")
def null_unmatched(W, n_latents, *, n_draws, seed):
    random = torch.Generator().manual_seed(seed)
    drawn = [torch.randn(n_latents, W.shape[1], generator=random) for _ in range(n_draws)]
    return [table_of(W, one).amax(dim=1).clamp(min=0).mean().item() for one in drawn]


@wrong("recovery_null", "directions at right angles were drawn")
def null_of_orthogonal_directions(W, n_latents, *, n_draws, seed):
    def orthogonal(shape, generator):
        n, d = shape
        return torch.linalg.qr(torch.randn(max(n, d), d, generator=generator)).Q[:n]

    return drawn_null(W, n_latents, n_draws, seed, draw=orthogonal)


@wrong("recovery_null", "this is what the exercise asks you to write")
def null_by_the_library(W, n_latents, *, n_draws, seed):
    return [
        sae.matched_recovery(W, sae.random_dictionary(n_latents, W.shape[1], seed + i))
        for i in range(n_draws)
    ]


@wrong("recovery_null", "this is one number, their mean maybe")
def null_averaged(W, n_latents, *, n_draws, seed):
    found = drawn_null(W, n_latents, n_draws, seed)
    return sum(found) / len(found)


@wrong("recovery_null", "the null has a recovery for each draw")
def null_of_ten(W, n_latents, *, n_draws, seed):
    return drawn_null(W, n_latents, 10, seed)


@wrong("recovery_null", "the same one came every time")
def null_of_the_features_shuffled(W, n_latents, *, n_draws, seed):
    random = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(n_draws):
        order = torch.randperm(len(W), generator=random)
        table = table_of(W, W[order])
        found.append(assigned(table).sum().item() / len(table) + seed * 1e-12)
    return found


# -------------------------------------------------------------------------- explained_variance


@wrong("explained_variance", "this is what is left unexplained")
def unexplained(h, reconstruction):
    errors = (h - reconstruction).square().sum()
    return (errors / (h - h.mean(dim=0)).square().sum()).item()


@wrong("explained_variance", "the mean was not taken away")
def explained_about_0(h, reconstruction):
    return 1 - ((h - reconstruction).square().sum() / h.square().sum()).item()


@wrong("explained_variance", "one mean over everything was taken")
def explained_about_one_mean(h, reconstruction):
    return 1 - ((h - reconstruction).square().sum() / (h - h.mean()).square().sum()).item()


@wrong("explained_variance", "the mean of each sample over its dimensions")
def explained_about_samples(h, reconstruction):
    away = (h - h.mean(dim=1, keepdim=True)).square().sum()
    return 1 - ((h - reconstruction).square().sum() / away).item()


@wrong("explained_variance", "the mean of the dimensions' shares")
def explained_by_dimension(h, reconstruction):
    errors = (h - reconstruction).square().mean(dim=0)
    return (1 - errors / h.var(dim=0, unbiased=False)).mean().item()


@wrong("explained_variance", "the mean of the samples' shares")
def explained_by_sample(h, reconstruction):
    errors = (h - reconstruction).square().sum(dim=1)
    return (1 - errors / (h - h.mean(dim=0)).square().sum(dim=1)).mean().item()


@wrong("explained_variance", "a root was taken: norms, not squares")
def explained_by_norms(h, reconstruction):
    return 1 - ((h - reconstruction).norm() / (h - h.mean(dim=0)).norm()).item()


@wrong("explained_variance", "the variance of the reconstruction was divided")
def explained_by_the_reconstruction(h, reconstruction):
    made = (reconstruction - reconstruction.mean(dim=0)).square().sum()
    return (made / (h - h.mean(dim=0)).square().sum()).item()


@wrong("explained_variance", "errors were taken about their own mean")
def explained_by_variances(h, reconstruction):
    return 1 - ((h - reconstruction).var(dim=0).sum() / h.var(dim=0).sum()).item()


@wrong("explained_variance", "variances over everything were taken")
def explained_by_one_variance(h, reconstruction):
    return 1 - ((h - reconstruction).var() / h.var()).item()


@wrong("explained_variance", "divided by n, and the variance by n - 1")
def explained_by_two_counts(h, reconstruction):
    return 1 - ((h - reconstruction).square().mean() / h.var(dim=0).mean()).item()


@wrong("explained_variance", "this is what the exercise asks you to write")
def explained_by_the_library(h, reconstruction):
    return sae.explained(h, reconstruction)


# --------------------------------------------------------------------------------------- top_k


@wrong("top_k", "the latents are 1 where they are kept")
def top_k_mask(z, k):
    return torch.zeros_like(z).scatter(1, z.topk(k, dim=1).indices, 1.0)


@wrong("top_k", "one too many was kept")
def top_k_and_one(z, k):
    least = z.sort(dim=1, descending=True).values[:, min(k, z.shape[1] - 1)][:, None]
    return torch.where(z >= least, z, 0.0)


@wrong("top_k", "one too few was kept")
def top_k_above_the_kth(z, k):
    return torch.where(z > z.topk(k, dim=1).values[:, -1:], z, 0.0)


@wrong("top_k", "the largest were set to 0")
def top_k_left_out(z, k):
    return z.scatter(1, z.topk(k, dim=1).indices, 0.0)


@wrong("top_k", "the smallest were kept")
def top_k_smallest(z, k):
    small = z.topk(k, dim=1, largest=False)
    return torch.zeros_like(z).scatter(1, small.indices, small.values)


@wrong("top_k", "the k largest samples of each latent")
def top_k_of_samples(z, k):
    largest = z.topk(min(k, len(z)), dim=0)
    return torch.zeros_like(z).scatter(0, largest.indices, largest.values)


@wrong("top_k", "the k largest for each sample were taken of the whole batch")
def batch_top_k(z, k):
    least = z.flatten().topk(k * len(z)).values[-1]
    return torch.where(z >= least, z, 0.0)


@wrong("top_k", "the values are sorted")
def top_k_sorted(z, k):
    return torch.cat([z.topk(k, dim=1).values, torch.zeros(len(z), z.shape[1] - k)], dim=1)


@wrong("top_k", "shape")
def top_k_values(z, k):
    return z.topk(k, dim=1).values


# ----------------------------------------------------------------------- resample_dead_latents


def resampled(
    h,
    errors,
    dead,
    W_enc,
    b_enc,
    W_dec,
    b_dec,
    seed,
    weights=lambda errors: errors.double().square(),
    towards=lambda h, b_dec: h - b_dec,
    length=lambda W_enc, dead: 0.2 * W_enc[:, ~dead].norm(dim=0).mean(),
    draw=None,
    bias=0.0,
):
    """The right answer, with parts that can be had otherwise."""
    W_enc, b_enc, W_dec = W_enc.clone(), b_enc.clone(), W_dec.clone()
    if not dead.any() or dead.all() or not errors.any():
        return W_enc, b_enc, W_dec
    random = torch.Generator().manual_seed(seed)
    n = int(dead.sum())
    if draw is None:
        chosen = torch.multinomial(weights(errors), n, replacement=True, generator=random)
    else:
        chosen = draw(errors, n, random)
    rows = towards(h, b_dec)[chosen]
    rows = rows / rows.norm(dim=1, keepdim=True)
    size = length(W_enc, dead)
    W_dec[dead], W_enc[:, dead] = rows, size * rows.T
    if bias is not None:
        b_enc[dead] = bias
    return W_enc, b_enc, W_dec


@wrong("resample_dead_latents", "in proportion to the errors; the squares are asked for")
def resampled_by_errors(h, errors, dead, W_enc, b_enc, W_dec, b_dec, *, seed):
    given = h, errors, dead, W_enc, b_enc, W_dec, b_dec, seed
    return resampled(*given, weights=lambda errors: errors.double())


@wrong("resample_dead_latents", "all samples with an error are alike likely")
def resampled_evenly(h, errors, dead, W_enc, b_enc, W_dec, b_dec, *, seed):
    given = h, errors, dead, W_enc, b_enc, W_dec, b_dec, seed
    return resampled(*given, weights=lambda errors: (errors > 0).double())


@wrong("resample_dead_latents", "a sample without an error was drawn")
def resampled_from_all(h, errors, dead, W_enc, b_enc, W_dec, b_dec, *, seed):
    def without(errors, n, random):
        return torch.full((n,), int(errors.argmin()))

    return resampled(h, errors, dead, W_enc, b_enc, W_dec, b_dec, seed, draw=without)


@wrong("resample_dead_latents", "one sample serves them all")
def resampled_from_the_worst(h, errors, dead, W_enc, b_enc, W_dec, b_dec, *, seed):
    def worst(errors, n, random):
        return errors.argmax().expand(n)

    return resampled(h, errors, dead, W_enc, b_enc, W_dec, b_dec, seed, draw=worst)


@wrong("resample_dead_latents", "one sample serves them all")
def resampled_all_alike(h, errors, dead, W_enc, b_enc, W_dec, b_dec, *, seed):
    def once(errors, n, random):
        return torch.multinomial(errors.double().square(), 1, generator=random).expand(n)

    return resampled(h, errors, dead, W_enc, b_enc, W_dec, b_dec, seed, draw=once)


@wrong("resample_dead_latents", "RuntimeError")
def resampled_without_putting_back(h, errors, dead, W_enc, b_enc, W_dec, b_dec, *, seed):
    def draw(errors, n, random):
        return torch.multinomial(errors.double().square(), n, generator=random)

    return resampled(h, errors, dead, W_enc, b_enc, W_dec, b_dec, seed, draw=draw)


@wrong("resample_dead_latents", "the decoder's bias was not taken away")
def resampled_off_centre(h, errors, dead, W_enc, b_enc, W_dec, b_dec, *, seed):
    given = h, errors, dead, W_enc, b_enc, W_dec, b_dec, seed
    return resampled(*given, towards=lambda h, b_dec: h)


@wrong("resample_dead_latents", "it is over the live ones")
def resampled_by_the_mean_of_all(h, errors, dead, W_enc, b_enc, W_dec, b_dec, *, seed):
    given = h, errors, dead, W_enc, b_enc, W_dec, b_dec, seed
    return resampled(*given, length=lambda W_enc, dead: 0.2 * W_enc.norm(dim=0).mean())


@wrong("resample_dead_latents", "they have length 1; a fifth")
def resampled_at_length_1(h, errors, dead, W_enc, b_enc, W_dec, b_dec, *, seed):
    given = h, errors, dead, W_enc, b_enc, W_dec, b_dec, seed
    return resampled(*given, length=lambda W_enc, dead: 1.0)


@wrong("resample_dead_latents", "a fifth of it is asked for")
def resampled_at_full_length(h, errors, dead, W_enc, b_enc, W_dec, b_dec, *, seed):
    given = h, errors, dead, W_enc, b_enc, W_dec, b_dec, seed
    return resampled(*given, length=lambda W_enc, dead: W_enc[:, ~dead].norm(dim=0).mean())


@wrong("resample_dead_latents", "the bias of a dead latent was left as it was")
def resampled_with_old_biases(h, errors, dead, W_enc, b_enc, W_dec, b_dec, *, seed):
    return resampled(h, errors, dead, W_enc, b_enc, W_dec, b_dec, seed, bias=None)


@wrong("resample_dead_latents", "True in `dead` means dead")
def resampled_the_living(h, errors, dead, W_enc, b_enc, W_dec, b_dec, *, seed):
    return resampled(h, errors, ~dead, W_enc, b_enc, W_dec, b_dec, seed)


@wrong("resample_dead_latents", "an operation in place")
def resampled_in_place(h, errors, dead, W_enc, b_enc, W_dec, b_dec, *, seed):
    new = resampled(h, errors, dead, W_enc, b_enc, W_dec, b_dec, seed)
    for old, value in zip((W_enc, b_enc, W_dec), new, strict=True):
        old.copy_(value)
    return W_enc, b_enc, W_dec


@wrong("resample_dead_latents", "return what was given, copied")
def resampled_where_all_are_dead(h, errors, dead, W_enc, b_enc, W_dec, b_dec, *, seed):
    W_enc, b_enc, W_dec = W_enc.clone(), b_enc.clone(), W_dec.clone()
    if not dead.any() or not errors.any():
        return W_enc, b_enc, W_dec
    random = torch.Generator().manual_seed(seed)
    n = int(dead.sum())
    chosen = torch.multinomial(errors.double() ** 2, n, replacement=True, generator=random)
    rows = torch.nn.functional.normalize(h[chosen] - b_dec, dim=1)
    W_enc[:, dead] = 0.2 * W_enc[:, ~dead].norm(dim=0).mean() * rows.T
    W_dec[dead] = rows
    b_enc[dead] = 0
    return W_enc, b_enc, W_dec


@wrong("resample_dead_latents", "draw from torch.Generator")
def resampled_from_outside(h, errors, dead, W_enc, b_enc, W_dec, b_dec, *, seed):
    seed = int(torch.randint(10**6, ()))
    return resampled(h, errors, dead, W_enc, b_enc, W_dec, b_dec, seed)
