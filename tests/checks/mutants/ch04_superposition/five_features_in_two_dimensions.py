"""Wrong answers to `ch04_superposition/1_five_features_in_two_dimensions.ipynb`, and the words."""

import math

import torch

from mechcourse import phase_diagram, superposition
from tests.checks.harness import wrong

# ----------------------------------------------------------------------------- sparse_features


def drawn(n_samples, probabilities, seed, times=2):
    g = torch.Generator().manual_seed(seed)
    return [torch.rand(n_samples, *probabilities.shape, generator=g) for _ in range(times)]


def paired(chance):
    feature = torch.arange(chance.shape[-1])
    return chance[..., feature - feature % 2]


def present(chance, p, correlation):
    if correlation == "independent":
        return chance < p
    chance = paired(chance)
    if correlation == "correlated":
        return chance < p
    start = torch.arange(p.shape[-1]) % 2 * p
    return (chance >= start) & (chance < start + p)


@wrong("sparse_features", "this is what the exercise asks you to write")
def features_by_the_library(n_samples, probabilities, *, correlation, seed):
    return superposition.sparse_features(
        n_samples, probabilities, correlation=correlation, seed=seed
    )


@wrong("sparse_features", "those of being present")
def features_absent_with_p(n_samples, probabilities, *, correlation, seed):
    values, chance = drawn(n_samples, probabilities, seed)
    return values * present(chance, 1 - probabilities, correlation)


@wrong("sparse_features", "was taken for its value")
def features_by_one_number(n_samples, probabilities, *, correlation, seed):
    values, _ = drawn(n_samples, probabilities, seed)
    return values * present(values, probabilities, correlation)


@wrong("sparse_features", "features are 1 where present")
def features_of_one(n_samples, probabilities, *, correlation, seed):
    _, chance = drawn(n_samples, probabilities, seed)
    return present(chance, probabilities, correlation).float()


@wrong("sparse_features", "every value is from 0 to 1")
def features_with_normal_values(n_samples, probabilities, *, correlation, seed):
    g = torch.Generator().manual_seed(seed)
    chance = torch.rand(n_samples, *probabilities.shape, generator=g)
    values = torch.randn(chance.shape, generator=g).abs()
    return values * present(chance, probabilities, correlation)


@wrong("sparse_features", "`seed` was not used")
def features_of_no_seed(n_samples, probabilities, *, correlation, seed):
    values, chance = (torch.rand(n_samples, *probabilities.shape) for _ in range(2))
    return values * present(chance, probabilities, correlation)


@wrong("sparse_features", "`seed` was not used")
def features_of_a_fixed_seed(n_samples, probabilities, *, correlation, seed):
    values, chance = drawn(n_samples, probabilities, 0)
    return values * present(chance, probabilities, correlation)


@wrong("sparse_features", "instances share their draws")
def features_alike_in_all_instances(n_samples, probabilities, *, correlation, seed):
    values, chance = drawn(n_samples, probabilities[:1], seed)
    return values * present(chance.expand(-1, len(probabilities), -1), probabilities, correlation)


@wrong("sparse_features", "features share their draws")
def features_all_or_none(n_samples, probabilities, *, correlation, seed):
    values, chance = drawn(n_samples, probabilities, seed)
    if correlation == "independent":
        return values * (chance[..., :1] < probabilities)
    return values * present(chance, probabilities, correlation)


@wrong("sparse_features", "pairs share their draws")
def features_in_one_heap(n_samples, probabilities, *, correlation, seed):
    values, chance = drawn(n_samples, probabilities, seed)
    if correlation == "correlated":
        return values * (chance[..., :1] < probabilities)
    return values * present(chance, probabilities, correlation)


@wrong("sparse_features", "samples of a call share")
def features_of_one_sample(n_samples, probabilities, *, correlation, seed):
    values, chance = drawn(n_samples, probabilities, seed)
    # Blocks of samples alike, so that shares still come out.
    block = torch.arange(n_samples) // 2 * 2
    return values * present(chance[block], probabilities, correlation)


@wrong("sparse_features", "present half as often")
def features_of_a_pair_share_one_probability(n_samples, probabilities, *, correlation, seed):
    values, chance = drawn(n_samples, probabilities, seed)
    if correlation != "anticorrelated":
        return values * present(chance, probabilities, correlation)
    half = probabilities / 2
    return values * present(chance, half, correlation)


@wrong("sparse_features", "anticorrelated features of a pair are never both present")
def features_that_may_meet(n_samples, probabilities, *, correlation, seed):
    values, chance = drawn(n_samples, probabilities, seed)
    kind = "independent" if correlation == "anticorrelated" else correlation
    return values * present(chance, probabilities, kind)


@wrong("sparse_features", "correlated features of a pair are present together or not at all")
def features_that_are_never_correlated(n_samples, probabilities, *, correlation, seed):
    values, chance = drawn(n_samples, probabilities, seed)
    kind = "independent" if correlation == "correlated" else correlation
    return values * present(chance, probabilities, kind)


@wrong("sparse_features", "they share their value as well")
def features_with_one_value_for_two(n_samples, probabilities, *, correlation, seed):
    values, chance = drawn(n_samples, probabilities, seed)
    values = paired(values) if correlation == "correlated" else values
    return values * present(chance, probabilities, correlation)


@wrong("sparse_features", "correlated features of a pair are present together or not at all")
def features_paired_with_the_one_before(n_samples, probabilities, *, correlation, seed):
    values, chance = drawn(n_samples, probabilities, seed)
    feature = torch.arange(probabilities.shape[1])
    if correlation == "correlated":
        return values * (chance[..., (feature + 1) // 2] < probabilities)
    return values * present(chance, probabilities, correlation)


@wrong("sparse_features", "the second gives way where the first is present")
def features_of_which_the_first_wins(n_samples, probabilities, *, correlation, seed):
    values, chance = drawn(n_samples, probabilities, seed)
    there = present(chance, probabilities, correlation)
    if correlation == "anticorrelated":
        there = chance < probabilities
        n = probabilities.shape[1] // 2 * 2
        there[..., 1:n:2] &= ~there[..., 0:n:2]
    return values * there


@wrong("sparse_features", "two chances to be present")
def features_that_bring_each_other(n_samples, probabilities, *, correlation, seed):
    values, chance = drawn(n_samples, probabilities, seed)
    if correlation != "correlated":
        return values * present(chance, probabilities, correlation)
    there = chance < probabilities
    n = probabilities.shape[1] // 2 * 2
    there[..., :n] = (there[..., 0:n:2] | there[..., 1:n:2]).repeat_interleave(2, dim=-1)
    return values * there


@wrong("sparse_features", "it is never there")
def features_with_one_stretch(n_samples, probabilities, *, correlation, seed):
    values, chance = drawn(n_samples, probabilities, seed)
    if correlation != "anticorrelated":
        return values * present(chance, probabilities, correlation)
    start = torch.arange(probabilities.shape[1]) % 2 * probabilities
    chance = paired(chance)
    return values * ((chance >= start) & (chance < probabilities))


@wrong("sparse_features", "instances share their values")
def features_with_values_alike_in_all_instances(n_samples, probabilities, *, correlation, seed):
    values, chance = drawn(n_samples, probabilities, seed)
    return values[:, :1] * present(chance, probabilities, correlation)


@wrong("sparse_features", "features share their values")
def features_of_one_value_a_sample(n_samples, probabilities, *, correlation, seed):
    values, chance = drawn(n_samples, probabilities, seed)
    return values[..., :1] * present(chance, probabilities, correlation)


@wrong("sparse_features", "all samples were given the same value")
def features_with_values_alike_in_all_samples(n_samples, probabilities, *, correlation, seed):
    values, chance = drawn(n_samples, probabilities, seed)
    return values[:1] * present(chance, probabilities, correlation)


@wrong("sparse_features", "drawn once for all samples")
def features_of_one_draw_for_all_samples(n_samples, probabilities, *, correlation, seed):
    values, chance = drawn(n_samples, probabilities, seed)
    return values * present(chance[:1], probabilities, correlation)


@wrong("sparse_features", "features are never present")
def features_of_zeros(n_samples, probabilities, *, correlation, seed):
    return torch.zeros(n_samples, *probabilities.shape)


@wrong("sparse_features", "`seed` was not used")
def features_with_values_of_no_seed(n_samples, probabilities, *, correlation, seed):
    _, chance = drawn(n_samples, probabilities, seed)
    return torch.rand(chance.shape) * present(chance, probabilities, correlation)


@wrong("sparse_features", "`seed` was not used")
def features_present_by_no_seed(n_samples, probabilities, *, correlation, seed):
    values, _ = drawn(n_samples, probabilities, seed)
    return values * present(torch.rand(values.shape), probabilities, correlation)


@wrong("sparse_features", "no value twice")
def features_drawn_for_half_the_samples(n_samples, probabilities, *, correlation, seed):
    values, chance = drawn((n_samples + 1) // 2, probabilities, seed)
    x = values * present(chance, probabilities, correlation)
    return torch.cat([x, x])[:n_samples]


@wrong("sparse_features", "whatever the feature's probability")
def features_mostly_small(n_samples, probabilities, *, correlation, seed):
    values, chance = drawn(n_samples, probabilities, seed)
    return values**3 * present(chance, probabilities, correlation)


@wrong("sparse_features", "and a tenth above 0.9")
def features_in_the_middle(n_samples, probabilities, *, correlation, seed):
    values, chance, more = drawn(n_samples, probabilities, seed, times=3)
    return (values + more) / 2 * present(chance, probabilities, correlation)


@wrong("sparse_features", "correlated features of a pair are present together or not at all")
def features_paired_by_halves(n_samples, probabilities, *, correlation, seed):
    values, chance = drawn(n_samples, probabilities, seed)
    if correlation != "correlated":
        return values * present(chance, probabilities, correlation)
    feature = torch.arange(probabilities.shape[1])
    half = (len(feature) + 1) // 2
    return values * (chance[..., feature % half] < probabilities)


@wrong("sparse_features", 'where they are "independent" each is for itself')
def features_always_in_pairs(n_samples, probabilities, *, correlation, seed):
    values, chance = drawn(n_samples, probabilities, seed)
    if correlation == "independent":
        return values * (paired(chance) < probabilities)
    return values * present(chance, probabilities, correlation)


@wrong("sparse_features", "two axes are in each other's place")
def features_with_instances_first(n_samples, probabilities, *, correlation, seed):
    values, chance = drawn(n_samples, probabilities, seed)
    return (values * present(chance, probabilities, correlation)).transpose(0, 1)


@wrong("sparse_features", "one probability was used for all")
def features_of_a_mean_probability(n_samples, probabilities, *, correlation, seed):
    values, chance = drawn(n_samples, probabilities, seed)
    p = probabilities.mean().expand_as(probabilities)
    return values * present(chance, p, correlation)


@wrong("sparse_features", "one feature's value decides whether another is present")
def features_decided_by_the_neighbour_s_value(n_samples, probabilities, *, correlation, seed):
    values, _ = drawn(n_samples, probabilities, seed)
    return values * present(values.roll(2, dims=-1), probabilities, correlation)


# --------------------------------------------------------------------------------- reconstruct


@wrong("reconstruct", "this is what the exercise asks you to write")
def made_by_the_library(features, W, b):
    return superposition.reconstruct(features, W, b)


@wrong("reconstruct", "the ReLU is missing")
def made_without_relu(features, W, b):
    h = torch.einsum("sif,ifh->sih", features, W)
    return torch.einsum("sih,ifh->sif", h, W) + b


@wrong("reconstruct", "added after the ReLU")
def made_with_a_late_bias(features, W, b):
    h = torch.einsum("sif,ifh->sih", features, W)
    return torch.einsum("sih,ifh->sif", h, W).relu() + b


@wrong("reconstruct", "the bias is missing")
def made_without_bias(features, W, b):
    h = torch.einsum("sif,ifh->sih", features, W)
    return torch.einsum("sih,ifh->sif", h, W).relu()


@wrong("reconstruct", "the bias is added, not taken away")
def made_less_the_bias(features, W, b):
    h = torch.einsum("sif,ifh->sih", features, W)
    return (torch.einsum("sih,ifh->sif", h, W) - b).relu()


@wrong("reconstruct", "put through a ReLU; only the output is")
def made_of_hidden_neurons(features, W, b):
    h = torch.einsum("sif,ifh->sih", features, W).relu()
    return (torch.einsum("sih,ifh->sif", h, W) + b).relu()


@wrong("reconstruct", "the first one's W")
def made_by_one_instance(features, W, b):
    return (features @ W[0] @ W[0].T + b).relu()


@wrong("reconstruct", "brought to length 1")
def made_of_directions(features, W, b):
    W = W / W.norm(dim=2, keepdim=True)
    h = torch.einsum("sif,ifh->sih", features, W)
    return (torch.einsum("sih,ifh->sif", h, W) + b).relu()


@wrong("reconstruct", "added together on the way down")
def made_of_all_instances_hidden(features, W, b):
    h = torch.einsum("sif,ifh->sh", features, W)
    return (torch.einsum("sh,ifh->sif", h, W) + b).relu()


@wrong("reconstruct", "outputs above 1 were cut")
def made_to_stay_below_1(features, W, b):
    h = torch.einsum("sif,ifh->sih", features, W)
    return (torch.einsum("sih,ifh->sif", h, W) + b).clamp(0, 1)


@wrong("reconstruct", "signs were dropped")
def made_without_signs(features, W, b):
    h = torch.einsum("sif,ifh->sih", features, W)
    return (torch.einsum("sih,ifh->sif", h, W) + b).abs()


@wrong("reconstruct", "a feature was read by itself")
def made_of_each_alone(features, W, b):
    return (features * W.square().sum(dim=2) + b).relu()


@wrong("reconstruct", "kept at 0 where a feature is absent")
def made_where_present(features, W, b):
    h = torch.einsum("sif,ifh->sih", features, W)
    return (torch.einsum("sih,ifh->sif", h, W) + b).relu() * (features > 0)


@wrong("reconstruct", "the first one's bias")
def made_with_one_bias(features, W, b):
    h = torch.einsum("sif,ifh->sih", features, W)
    return (torch.einsum("sih,ifh->sif", h, W) + b[0]).relu()


@wrong("reconstruct", "the first one's samples")
def made_of_one_instance_s_samples(features, W, b):
    h = torch.einsum("sf,ifh->sih", features[:, 0], W)
    return (torch.einsum("sih,ifh->sif", h, W) + b).relu()


@wrong("reconstruct", "shape")
def made_half_way(features, W, b):
    return torch.einsum("sif,ifh->sih", features, W)


@wrong("reconstruct", "wrote into what was passed in")
def made_in_place(features, W, b):
    h = torch.einsum("sif,ifh->sih", features, W)
    features.zero_()
    features += torch.einsum("sih,ifh->sif", h, W) + b
    return features.relu()


# ------------------------------------------------------------------------ importance_weighted_mse


@wrong("importance_weighted_mse", "this is what the exercise asks you to write")
def loss_by_the_library(features, reconstruction, importance):
    return superposition.importance_weighted_mse(features, reconstruction, importance)


@wrong("importance_weighted_mse", "the mean was taken over features as well")
def loss_as_in_the_paper_s_notebook(features, reconstruction, importance):
    return (importance * (features - reconstruction) ** 2).mean(dim=(0, 2))


@wrong("importance_weighted_mse", "the sum was taken over samples as well")
def loss_summed(features, reconstruction, importance):
    return (importance * (features - reconstruction) ** 2).sum(dim=(0, 2))


@wrong("importance_weighted_mse", "shape")
def loss_of_all_instances(features, reconstruction, importance):
    return (importance * (features - reconstruction) ** 2).sum(dim=2).mean()


@wrong("importance_weighted_mse", "the importance is missing")
def loss_unweighed(features, reconstruction, importance):
    return (features - reconstruction).square().sum(dim=2).mean(dim=0)


@wrong("importance_weighted_mse", "squared with the error")
def loss_of_weighed_errors(features, reconstruction, importance):
    return (importance * (features - reconstruction)).square().sum(dim=2).mean(dim=0)


@wrong("importance_weighted_mse", "errors were not squared")
def loss_of_sizes(features, reconstruction, importance):
    return (importance * (features - reconstruction).abs()).sum(dim=2).mean(dim=0)


@wrong("importance_weighted_mse", "the first one's importances")
def loss_by_one_importance(features, reconstruction, importance):
    return (importance[0] * (features - reconstruction) ** 2).sum(dim=2).mean(dim=0)


@wrong("importance_weighted_mse", "divided by the sum of the importances")
def loss_as_a_weighted_mean(features, reconstruction, importance):
    total = (importance * (features - reconstruction) ** 2).sum(dim=2).mean(dim=0)
    return total / importance.sum(dim=1)


@wrong("importance_weighted_mse", "errors of absent features were left out")
def loss_where_present(features, reconstruction, importance):
    errors = (importance * (features - reconstruction) ** 2) * (features > 0)
    return errors.sum(dim=2).mean(dim=0)


@wrong("importance_weighted_mse", "samples without any feature were left out")
def loss_of_samples_with_something(features, reconstruction, importance):
    some = (features > 0).any(dim=2)
    errors = (importance * (features - reconstruction) ** 2).sum(dim=2) * some
    return errors.sum(dim=0) / some.sum(dim=0)


@wrong("importance_weighted_mse", "half the squares")
def loss_by_halves(features, reconstruction, importance):
    return (importance * (features - reconstruction) ** 2).sum(dim=2).mean(dim=0) / 2


@wrong("importance_weighted_mse", "this is a root")
def loss_as_a_root(features, reconstruction, importance):
    return (importance * (features - reconstruction) ** 2).sum(dim=2).mean(dim=0).sqrt()


@wrong("importance_weighted_mse", "added up before they were squared")
def loss_of_sums(features, reconstruction, importance):
    return (importance * (features - reconstruction)).sum(dim=2).square().mean(dim=0)


@wrong("importance_weighted_mse", "shape")
def loss_of_each_feature(features, reconstruction, importance):
    return (importance * (features - reconstruction) ** 2).mean(dim=0)


# ----------------------------------------------------------------------- interference_probabilities


@wrong("interference_probabilities", "only the first, only the second")
def chances_of_the_first_alone(p):
    return p * p, p * (1 - p), 2 * p - p * p


@wrong("interference_probabilities", "twice p less both")
def chances_that_count_both_twice(p):
    return p * p, 2 * p * (1 - p), 2 * p


@wrong("interference_probabilities", "at least one where exactly one is asked for")
def chances_as_in_the_interview(p):
    return p * p, 2 * p - p * p, 2 * p - p * p


@wrong("interference_probabilities", "exactly one where at least one is asked for")
def chances_of_exactly_one_twice(p):
    return p * p, 2 * p * (1 - p), 2 * p * (1 - p)


@wrong("interference_probabilities", "the order is both, exactly one, at least one")
def chances_in_another_order(p):
    return p * p, 2 * p - p * p, 2 * p * (1 - p)


@wrong("interference_probabilities", "chances of being absent")
def chances_of_absence(p):
    q = 1 - p
    return q * q, 2 * p * q, 1 - p * p


@wrong("interference_probabilities", "both are present with p squared")
def chances_added(p):
    return 2 * p, 2 * p * (1 - p), 2 * p - p * p


@wrong("interference_probabilities", "[case 2]")
def chances_of_the_example(p):
    return 0.25, 0.5, 0.75


@wrong("interference_probabilities", "not always present together")
def chances_of_inseparable_features(p):
    return p, 2 * p * (1 - p), 2 * p - p * p


@wrong("interference_probabilities", "not the other way round")
def chances_backwards(p):
    return 2 * p - p * p, 2 * p * (1 - p), p * p


@wrong("interference_probabilities", "neither was counted")
def chances_of_neither(p):
    return p * p, 2 * p * (1 - p), (1 - p) ** 2


@wrong("interference_probabilities", "2 values")
def chances_of_two(p):
    return p * p, 2 * p * (1 - p)


@wrong("interference_probabilities", "at [case 1]")
def chances_rounded(p):
    return tuple(round(x, 4) for x in (p * p, 2 * p * (1 - p), 2 * p - p * p))


@wrong("interference_probabilities", "the chances that both are present")
def chances_by_trying(p):
    there = torch.rand(100_000, 2, generator=torch.Generator().manual_seed(0)) < p
    n = there.sum(dim=1)
    return tuple(float(x.double().mean()) for x in (n == 2, n == 1, n > 0))


# ------------------------------------------------------------------------------------- puzzles


def ring(n, length):
    angles = 2 * math.pi * torch.arange(n) / n
    return length * torch.stack([angles.cos(), angles.sin()], dim=1)


@wrong("three_in_two", "Three at 120° are too dear at any length and bias")
def three_as_a_triangle():
    return ring(3, 1.02), torch.zeros(3)


@wrong("three_in_two", "a feature is left out")
def three_as_two():
    return torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]), torch.tensor([0.0, 0.0, 0.05])


@wrong("three_in_two", "features leak")
def three_in_one_quadrant():
    return torch.tensor([[1.0, 0.0], [0.7, 0.7], [0.0, 1.0]]), torch.zeros(3)


@wrong("three_in_two", "does not come out as it went in")
def three_too_short():
    return 0.8 * torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]]), torch.zeros(3)


@wrong("three_in_two", "W has a row for each feature")
def three_as_columns():
    return torch.tensor([[1.0, -1.0, 0.0], [0.0, 0.0, 1.0]]), torch.zeros(3)


@wrong("three_in_two", "returns a tuple (W, b)")
def three_without_bias():
    return torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])


@wrong("three_in_two", "finite numbers")
def three_unbounded():
    return torch.full((3, 2), math.inf), torch.zeros(3)


@wrong("three_in_two", "look at the lengths and the biases")
def three_with_a_bias_below_zero():
    return torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]]), torch.full((3,), -0.2)


@wrong("five_in_two", "features leak")
def five_as_a_plain_pentagon():
    return ring(5, 1.0), torch.zeros(5)


@wrong("five_in_two", "a feature is left out")
def five_as_digons():
    W = torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, -1], [0, 0]])
    return W, torch.tensor([0.0, 0, 0, 0, 0.05])


@wrong("five_in_two", "does not come out as it went in")
def five_with_a_bias_only():
    return ring(5, 1.0), torch.full((5,), -0.3)


@wrong("five_in_two", "The angles are a pentagon's, as they should be")
def five_long_without_bias():
    return ring(5, 1.1), torch.zeros(5)


@wrong("five_in_two", "Search length and bias together")
def five_a_little_too_long():
    return ring(5, 1.25), torch.full((5,), -0.21)


@wrong("five_in_two", "there is a bias for each feature")
def five_with_one_bias():
    return ring(5, 1.1), torch.tensor(-0.21)


@wrong("five_in_two", "features leak")
def five_in_half_a_turn():
    angles = math.pi * torch.arange(5) / 5
    return 1.1 * torch.stack([angles.cos(), angles.sin()], dim=1), torch.full((5,), -0.21)


@wrong("five_in_two", "features leak")
def five_in_degrees():
    angles = 72.0 * torch.arange(5)
    return 1.1 * torch.stack([angles.cos(), angles.sin()], dim=1), torch.full((5,), -0.21)


@wrong("five_in_two", "returns a tuple (W, b)")
def five_and_a_loss():
    return ring(5, 1.1), torch.full((5,), -0.21), 0.0263


def cube(turn, length=1.09):
    angles = 2 * math.pi * torch.arange(4) / 4
    top = torch.stack([angles.cos(), angles.sin(), torch.full((4,), 0.5**0.5)], 1)
    low = torch.stack(
        [(angles + turn).cos(), (angles + turn).sin(), torch.full((4,), -(0.5**0.5))], 1
    )
    W = torch.cat([top, low])
    return length * W / W.norm(dim=1, keepdim=True)


@wrong("eight_in_three", "The angles are those of a cube")
def eight_as_a_cube():
    return cube(0.0), torch.full((8,), -0.213)


@wrong("eight_in_three", "Search its height, its length and the bias together")
def eight_with_all_edges_alike():
    up, angles = 0.261**0.5, math.pi * torch.arange(8) / 4
    around = (1 - 0.261) ** 0.5 * torch.stack([angles.cos(), angles.sin()])
    W = torch.cat([around, torch.tensor([[up, -up]]).repeat(1, 4)]).T
    return 1.09 * W, torch.full((8,), -0.213)


@wrong("eight_in_three", "features leak")
def eight_without_bias():
    return cube(math.pi / 4, 1.0), torch.zeros(8)


@wrong("eight_in_three", "a feature is left out")
def eight_as_an_octahedron():
    W = torch.cat([torch.eye(3), -torch.eye(3), torch.zeros(2, 3)])
    return W, torch.tensor([0.0] * 6 + [0.05] * 2)


@wrong("eight_in_three", "features leak")
def eight_in_a_plane():
    return torch.cat([ring(8, 1.1), torch.zeros(8, 1)], 1), torch.full((8,), -0.21)


@wrong("eight_in_three", "W has a row for each feature")
def eight_in_two():
    return ring(8, 1.1), torch.full((8,), -0.21)


@wrong("eight_in_three", "does not come out as it went in")
def eight_with_too_much_bias():
    return cube(math.pi / 4), torch.full((8,), -0.5)


@wrong("eight_in_three", "returns a tuple (W, b)")
def eight_without_their_bias():
    return cube(math.pi / 4)


@wrong("eight_in_three", "it is where two features meet")
def eight_at_random():
    W = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    return 1.09 * W / W.norm(dim=1, keepdim=True), torch.full((8,), -0.213)


# ------------------------------------------------------------------------ loss_without_sharing


def costs(p, importance):
    return importance * (p / 3 - p**2 / 4)


@wrong("loss_without_sharing", "this is what the exercise asks you to write")
def lost_by_the_library(probabilities, importance, d_hidden):
    cost = phase_diagram.loss_of_ignoring(probabilities, importance)
    return cost.sort(dim=1).values[:, : max(cost.shape[1] - d_hidden, 0)].sum(dim=1)


@wrong("loss_without_sharing", "the largest importances were kept")
def lost_by_importance(probabilities, importance, d_hidden):
    order = importance.argsort(dim=1)
    left = max(importance.shape[1] - d_hidden, 0)
    return costs(probabilities, importance).gather(1, order)[:, :left].sum(dim=1)


@wrong("loss_without_sharing", "the first features were kept")
def lost_in_order(probabilities, importance, d_hidden):
    return costs(probabilities, importance)[:, d_hidden:].sum(dim=1)


@wrong("loss_without_sharing", "what the kept features would have cost")
def lost_of_the_kept(probabilities, importance, d_hidden):
    cost = costs(probabilities, importance).sort(dim=1, descending=True).values
    return cost[:, :d_hidden].sum(dim=1)


@wrong("loss_without_sharing", "was taken to be 0")
def lost_with_outputs_of_zero(probabilities, importance, d_hidden):
    cost = (importance * probabilities / 3).sort(dim=1).values
    return cost[:, : max(cost.shape[1] - d_hidden, 0)].sum(dim=1)


@wrong("loss_without_sharing", "an importance is missing")
def lost_unweighed(probabilities, importance, d_hidden):
    cost = costs(probabilities, 1.0).sort(dim=1).values
    return cost[:, : max(cost.shape[1] - d_hidden, 0)].sum(dim=1)


@wrong("loss_without_sharing", "uniform, not always 1")
def lost_of_coins(probabilities, importance, d_hidden):
    cost = (importance * probabilities * (1 - probabilities)).sort(dim=1).values
    return cost[:, : max(cost.shape[1] - d_hidden, 0)].sum(dim=1)


@wrong("loss_without_sharing", "the cheapest to leave out were kept")
def lost_at_most(probabilities, importance, d_hidden):
    cost = costs(probabilities, importance).sort(dim=1, descending=True).values
    return cost[:, : max(cost.shape[1] - d_hidden, 0)].sum(dim=1)


@wrong("loss_without_sharing", "below 0 must count as 0")
def lost_with_room_to_spare(probabilities, importance, d_hidden):
    cost = costs(probabilities, importance).sort(dim=1).values
    return cost[:, : cost.shape[1] - d_hidden].sum(dim=1)


@wrong("loss_without_sharing", "the mean of what is left out")
def lost_on_average(probabilities, importance, d_hidden):
    cost = costs(probabilities, importance).sort(dim=1).values
    left = max(cost.shape[1] - d_hidden, 0)
    return cost[:, :left].sum(dim=1) / max(left, 1)


@wrong("loss_without_sharing", "absent with probability 1 - p")
def lost_of_what_is_there(probabilities, importance, d_hidden):
    cost = (importance * probabilities / 12).sort(dim=1).values
    return cost[:, : max(cost.shape[1] - d_hidden, 0)].sum(dim=1)


@wrong("loss_without_sharing", "there most often were kept")
def lost_by_frequency(probabilities, importance, d_hidden):
    order = probabilities.argsort(dim=1)
    left = max(importance.shape[1] - d_hidden, 0)
    return costs(probabilities, importance).gather(1, order)[:, :left].sum(dim=1)


@wrong("loss_without_sharing", "what is best for the first one")
def lost_by_one_order(probabilities, importance, d_hidden):
    cost = costs(probabilities, importance)
    left = max(cost.shape[1] - d_hidden, 0)
    return cost[:, cost[0].argsort()[:left]].sum(dim=1)


@wrong("loss_without_sharing", "a half was taken for the output")
def lost_with_outputs_of_a_half(probabilities, importance, d_hidden):
    cost = (importance * (probabilities / 3 - probabilities / 2 + 1 / 4)).sort(dim=1).values
    return cost[:, : max(cost.shape[1] - d_hidden, 0)].sum(dim=1)


@wrong("loss_without_sharing", "one feature too few was left out")
def lost_with_one_dimension_more(probabilities, importance, d_hidden):
    cost = costs(probabilities, importance).sort(dim=1).values
    return cost[:, : max(cost.shape[1] - d_hidden - 1, 0)].sum(dim=1)


@wrong("loss_without_sharing", "a mean over features")
def lost_as_in_the_paper_s_notebook(probabilities, importance, d_hidden):
    cost = costs(probabilities, importance).sort(dim=1).values
    return cost[:, : max(cost.shape[1] - d_hidden, 0)].sum(dim=1) / cost.shape[1]


@wrong("loss_without_sharing", "shape")
def lost_of_each_feature(probabilities, importance, d_hidden):
    cost = costs(probabilities, importance).sort(dim=1).values
    return cost[:, : max(cost.shape[1] - d_hidden, 0)]


@wrong("loss_without_sharing", "every value is the same, 0.08333")
def lost_in_the_example(probabilities, importance, d_hidden):
    return torch.full((len(probabilities),), 1 / 12)


@wrong("three_in_two", "two axes are in each other's place")
def three_the_other_way_round():
    return torch.tensor([[1.0, -1.0, 0.0], [0.0, 0.0, 1.0]]), torch.zeros(3)


@wrong("five_in_two", "two axes are in each other's place")
def five_the_other_way_round():
    return ring(5, 1.1).T, torch.full((5,), -0.21)


@wrong("five_in_two", "W has a row for each feature")
def five_with_the_bias_first():
    return torch.full((5,), -0.21), ring(5, 1.1)


@wrong("five_in_two", "features leak")
def five_of_which_two_are_one():
    W = ring(5, 1.1)
    W[1] = W[0]
    return W, torch.full((5,), -0.21)


@wrong("three_in_two", "features leak")
def three_with_a_bias_above_zero():
    return torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]]), torch.full((3,), 0.1)
