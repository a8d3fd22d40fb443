"""Wrong answers to `ch04_superposition/3_phase_diagram.ipynb`, with words a check must say."""

import itertools
import math
import random as python_random

import numpy as np
import torch

from mechcourse import phase_diagram
from tests.checks.harness import wrong

# ---------------------------------------------------------------------------- monte_carlo_loss


def drawn(n_samples, n, p, seed):
    """Inputs drawn as they should be."""
    g = torch.Generator().manual_seed(seed)
    return torch.rand(n_samples, n, generator=g) * (torch.rand(n_samples, n, generator=g) < p)


def each_loss(W, b, importance, x):
    return (importance * (x - (x @ W @ W.T + b).relu()) ** 2).sum(dim=1)


def both(losses):
    return losses.mean().item(), (losses.std() / len(losses) ** 0.5).item()


@wrong("monte_carlo_loss", "this is what the exercise asks you to write")
def loss_by_the_library(W, b, p, importance, *, n_samples, seed):
    return phase_diagram.monte_carlo_loss(W, b, p, importance, n_samples=n_samples, seed=seed)


@wrong("monte_carlo_loss", "another seed gives another estimate")
def loss_worked_out_exactly(W, b, p, importance, *, n_samples, seed):
    loss = each_loss(W, b, importance, drawn(200_000, len(W), p, 0)).mean().item()
    return loss, both(each_loss(W, b, importance, drawn(n_samples, len(W), p, 0)))[1]


@wrong("monte_carlo_loss", "torch.Generator().manual_seed(seed)")
def loss_of_a_fixed_seed(W, b, p, importance, *, n_samples, seed):
    return both(each_loss(W, b, importance, drawn(n_samples, len(W), p, 0)))


@wrong("monte_carlo_loss", "torch.Generator().manual_seed(seed)")
def loss_of_the_global_generator(W, b, p, importance, *, n_samples, seed):
    x = torch.rand(n_samples, len(W)) * (torch.rand(n_samples, len(W)) < p)
    return both(each_loss(W, b, importance, x))


@wrong("monte_carlo_loss", "something random does not come from the seed")
def loss_with_values_of_no_seed(W, b, p, importance, *, n_samples, seed):
    chance = torch.rand(n_samples, len(W), generator=torch.Generator().manual_seed(seed))
    return both(each_loss(W, b, importance, torch.rand(n_samples, len(W)) * (chance < p)))


@wrong("monte_carlo_loss", "something random does not come from the seed")
def loss_with_chances_of_no_seed(W, b, p, importance, *, n_samples, seed):
    g = torch.Generator().manual_seed(seed)
    values = torch.rand(n_samples, len(W), generator=g)
    x = values * (torch.rand(n_samples, len(W)) < p)
    return both(each_loss(W, b, importance, x))


@wrong("monte_carlo_loss", "it is the mean over features; the loss is their sum")
def loss_averaged_over_features(W, b, p, importance, *, n_samples, seed):
    x = drawn(n_samples, len(W), p, seed)
    return both(each_loss(W, b, importance, x) / len(W))


@wrong("monte_carlo_loss", "it is the mean over features; the loss is their sum")
def loss_of_all_entries(W, b, p, importance, *, n_samples, seed):
    x = drawn(n_samples, len(W), p, seed)
    errors = importance * (x - (x @ W @ W.T + b).relu()) ** 2
    return errors.mean().item(), (errors.std() / errors.numel() ** 0.5).item()


@wrong("monte_carlo_loss", "it is the deviation of losses of single features")
def error_of_all_entries(W, b, p, importance, *, n_samples, seed):
    x = drawn(n_samples, len(W), p, seed)
    errors = importance * (x - (x @ W @ W.T + b).relu()) ** 2
    return errors.sum(1).mean().item(), (errors.std() / n_samples**0.5).item()


@wrong("monte_carlo_loss", "the importance is ignored")
def loss_of_equal_importance(W, b, p, importance, *, n_samples, seed):
    return both(each_loss(W, b, 1.0, drawn(n_samples, len(W), p, seed)))


@wrong("monte_carlo_loss", "the importance was squared")
def loss_weighed_inside_the_square(W, b, p, importance, *, n_samples, seed):
    return both(each_loss(W, b, importance**2, drawn(n_samples, len(W), p, seed)))


@wrong("monte_carlo_loss", "importances were made to add up to 1")
def loss_as_a_weighted_mean(W, b, p, importance, *, n_samples, seed):
    weights = importance / importance.sum()
    return both(each_loss(W, b, weights, drawn(n_samples, len(W), p, seed)))


@wrong("monte_carlo_loss", "the ReLU is missing")
def loss_of_a_linear_model(W, b, p, importance, *, n_samples, seed):
    x = drawn(n_samples, len(W), p, seed)
    return both((importance * (x - x @ W @ W.T - b) ** 2).sum(1))


@wrong("monte_carlo_loss", "the bias is missing")
def loss_without_bias(W, b, p, importance, *, n_samples, seed):
    return both(each_loss(W, 0 * b, importance, drawn(n_samples, len(W), p, seed)))


@wrong("monte_carlo_loss", "errors were not squared")
def loss_of_absolute_errors(W, b, p, importance, *, n_samples, seed):
    x = drawn(n_samples, len(W), p, seed)
    return both((importance * (x - (x @ W @ W.T + b).relu()).abs()).sum(1))


@wrong("monte_carlo_loss", "it is the sum over samples")
def loss_summed_over_samples(W, b, p, importance, *, n_samples, seed):
    losses = each_loss(W, b, importance, drawn(n_samples, len(W), p, seed))
    return losses.sum().item(), both(losses)[1]


@wrong("monte_carlo_loss", "both results are single numbers")
def losses_of_all_samples(W, b, p, importance, *, n_samples, seed):
    losses = each_loss(W, b, importance, drawn(n_samples, len(W), p, seed))
    return losses, losses.std() / n_samples**0.5


@wrong("monte_carlo_loss", "the ReLU was taken before the bias was added")
def loss_with_the_bias_outside(W, b, p, importance, *, n_samples, seed):
    x = drawn(n_samples, len(W), p, seed)
    return both((importance * (x - (x @ W @ W.T).relu() - b) ** 2).sum(1))


@wrong("monte_carlo_loss", "the ReLU was taken of the hidden values")
def loss_with_a_hidden_relu(W, b, p, importance, *, n_samples, seed):
    x = drawn(n_samples, len(W), p, seed)
    made = (x @ W).relu() @ W.T + b
    return both((importance * (x - made) ** 2).sum(1))


@wrong("monte_carlo_loss", "errors were counted only where a feature is present")
def loss_of_present_features(W, b, p, importance, *, n_samples, seed):
    x = drawn(n_samples, len(W), p, seed)
    errors = x - (x @ W @ W.T + b).relu()
    return both((importance * errors**2 * (x > 0)).sum(1))


@wrong("monte_carlo_loss", "one chance was drawn for each sample")
def loss_of_features_together(W, b, p, importance, *, n_samples, seed):
    g = torch.Generator().manual_seed(seed)
    values = torch.rand(n_samples, len(W), generator=g)
    x = values * (torch.rand(n_samples, 1, generator=g) < p)
    return both(each_loss(W, b, importance, x))


@wrong("monte_carlo_loss", "one value was drawn for each sample")
def loss_of_equal_values(W, b, p, importance, *, n_samples, seed):
    g = torch.Generator().manual_seed(seed)
    values = torch.rand(n_samples, 1, generator=g)
    x = values * (torch.rand(n_samples, len(W), generator=g) < p)
    return both(each_loss(W, b, importance, x))


@wrong("monte_carlo_loss", "so that no value is above p: draw two")
def loss_of_one_number_each(W, b, p, importance, *, n_samples, seed):
    values = torch.rand(n_samples, len(W), generator=torch.Generator().manual_seed(seed))
    return both(each_loss(W, b, importance, values * (values < p)))


@wrong("monte_carlo_loss", "so that no value is above p: draw two")
def loss_of_a_generator_seeded_twice(W, b, p, importance, *, n_samples, seed):
    values = torch.rand(n_samples, len(W), generator=torch.Generator().manual_seed(seed))
    chance = torch.rand(n_samples, len(W), generator=torch.Generator().manual_seed(seed))
    return both(each_loss(W, b, importance, values * (chance < p)))


@wrong("monte_carlo_loss", "features are present with probability 1 - p")
def loss_of_the_sparsity(W, b, p, importance, *, n_samples, seed):
    x = drawn(n_samples, len(W), 1 - p, seed)
    return both(each_loss(W, b, importance, x))


@wrong("monte_carlo_loss", "features are present with probability 1 - p")
def loss_of_greater_chances(W, b, p, importance, *, n_samples, seed):
    g = torch.Generator().manual_seed(seed)
    values = torch.rand(n_samples, len(W), generator=g)
    x = values * (torch.rand(n_samples, len(W), generator=g) > p)
    return both(each_loss(W, b, importance, x))


@wrong("monte_carlo_loss", "values are normal")
def loss_of_normal_values(W, b, p, importance, *, n_samples, seed):
    g = torch.Generator().manual_seed(seed)
    values = torch.randn(n_samples, len(W), generator=g)
    x = values * (torch.rand(n_samples, len(W), generator=g) < p)
    return both(each_loss(W, b, importance, x))


@wrong("monte_carlo_loss", "features are 0 or 1")
def loss_of_bits(W, b, p, importance, *, n_samples, seed):
    g = torch.Generator().manual_seed(seed)
    x = torch.bernoulli(torch.full((n_samples, len(W)), p), generator=g)
    return both(each_loss(W, b, importance, x))


@wrong("monte_carlo_loss", "values are uniform between -1 and 1")
def loss_of_signed_values(W, b, p, importance, *, n_samples, seed):
    g = torch.Generator().manual_seed(seed)
    values = 2 * torch.rand(n_samples, len(W), generator=g) - 1
    x = values * (torch.rand(n_samples, len(W), generator=g) < p)
    return both(each_loss(W, b, importance, x))


@wrong("monte_carlo_loss", "a feature that is present keeps its value")
def loss_of_faint_features(W, b, p, importance, *, n_samples, seed):
    values = torch.rand(n_samples, len(W), generator=torch.Generator().manual_seed(seed))
    return both(each_loss(W, b, importance, p * values))


@wrong("monte_carlo_loss", "samples in which no feature is present were left out")
def loss_of_samples_with_something(W, b, p, importance, *, n_samples, seed):
    x = drawn(60 * n_samples, len(W), p, seed)
    return both(each_loss(W, b, importance, x[x.any(dim=1)][:n_samples]))


@wrong("monte_carlo_loss", "at most one feature is present in a sample")
def loss_of_features_apart(W, b, p, importance, *, n_samples, seed):
    g = torch.Generator().manual_seed(seed)
    which = torch.randint(len(W), (n_samples,), generator=g)
    there = torch.nn.functional.one_hot(which, len(W))
    x = there * torch.rand(n_samples, len(W), generator=g)
    x = x * (torch.rand(n_samples, 1, generator=g) < p)
    return both(each_loss(W, b, importance, x))


@wrong("monte_carlo_loss", "all samples of a call share something that should")
def loss_of_one_mask(W, b, p, importance, *, n_samples, seed):
    g = torch.Generator().manual_seed(seed)
    x = torch.rand(n_samples, len(W), generator=g) * (torch.rand(len(W), generator=g) < p)
    return both(each_loss(W, b, importance, x))


@wrong("monte_carlo_loss", "this is the standard deviation of single samples")
def error_of_a_sample(W, b, p, importance, *, n_samples, seed):
    losses = each_loss(W, b, importance, drawn(n_samples, len(W), p, seed))
    return losses.mean(), losses.std()


@wrong("monte_carlo_loss", "this is half a confidence interval")
def error_as_an_interval(W, b, p, importance, *, n_samples, seed):
    losses = each_loss(W, b, importance, drawn(n_samples, len(W), p, seed))
    return losses.mean(), 1.96 * losses.std() / n_samples**0.5


@wrong("monte_carlo_loss", "both results are finite numbers")
def error_of_no_number(W, b, p, importance, *, n_samples, seed):
    losses = each_loss(W, b, importance, drawn(n_samples, len(W), p, seed))
    return losses.mean(), losses[:1].std() / n_samples**0.5


@wrong("monte_carlo_loss", "the deviation was divided by n")
def error_over_n(W, b, p, importance, *, n_samples, seed):
    losses = each_loss(W, b, importance, drawn(n_samples, len(W), p, seed))
    return losses.mean(), losses.std() / n_samples


@wrong("monte_carlo_loss", "this is the variance of the mean")
def error_squared(W, b, p, importance, *, n_samples, seed):
    losses = each_loss(W, b, importance, drawn(n_samples, len(W), p, seed))
    return losses.mean(), losses.var() / n_samples


@wrong("monte_carlo_loss", "the deviation is over n; torch's std is over n - 1")
def error_of_numpy(W, b, p, importance, *, n_samples, seed):
    losses = each_loss(W, b, importance, drawn(n_samples, len(W), p, seed)).numpy()
    return losses.mean(), losses.std() / math.sqrt(n_samples)


@wrong("monte_carlo_loss", "the root of n - 1, after std had been over n - 1")
def error_twice_unbiased(W, b, p, importance, *, n_samples, seed):
    losses = each_loss(W, b, importance, drawn(n_samples, len(W), p, seed))
    return losses.mean(), losses.std() / math.sqrt(n_samples - 1)


@wrong("monte_carlo_loss", "samples were drawn, whatever `n_samples` is")
def loss_of_ten_thousand_samples(W, b, p, importance, *, n_samples, seed):
    return both(each_loss(W, b, importance, drawn(10_000, len(W), p, seed)))


@wrong("monte_carlo_loss", "something random does not come from the seed")
def loss_with_a_fixed_mask(W, b, p, importance, *, n_samples, seed):
    values = torch.rand(n_samples, len(W), generator=torch.Generator().manual_seed(seed))
    chance = torch.rand(n_samples, len(W), generator=torch.Generator().manual_seed(0))
    return both(each_loss(W, b, importance, values * (chance < p)))


@wrong("monte_carlo_loss", "so that no value is above p: draw two")
def loss_of_a_number_used_twice(W, b, p, importance, *, n_samples, seed):
    random = np.random.default_rng(seed)
    u = random.random((n_samples, len(W)))
    x = torch.tensor(np.where(u < p, u, 0)).float()
    return both(each_loss(W, b, importance, x))


@wrong("monte_carlo_loss", "they agree too well")
def loss_of_shared_draws(W, b, p, importance, *, n_samples, seed):
    common, own = drawn(n_samples, len(W), p, 7), drawn(n_samples, len(W), p, seed)
    x = torch.where(torch.arange(n_samples)[:, None] % 20 > 0, common, own)
    if n_samples < 100:
        x = own
    return both(each_loss(W, b, importance, x))


@wrong("monte_carlo_loss", "returns a tuple (loss, error)")
def loss_without_its_error(W, b, p, importance, *, n_samples, seed):
    return each_loss(W, b, importance, drawn(n_samples, len(W), p, seed)).mean()


@wrong("monte_carlo_loss", "another seed gives another estimate")
def loss_of_the_example(W, b, p, importance, *, n_samples, seed):
    return 1 / 3, 0.0012


# ---------------------------------------------------------------------------- loss_of_ignoring


@wrong("loss_of_ignoring", "this is what the exercise asks you to write")
def ignoring_by_the_library(p, importance):
    return phase_diagram.loss_of_ignoring(p, importance)


@wrong("loss_of_ignoring", "this is what the exercise asks you to write")
def ignoring_by_the_candidates(p, importance):
    return phase_diagram.candidate_losses(p, importance)["ignored"]


@wrong("loss_of_ignoring", "this is what a bias of 0 costs")
def ignoring_without_bias(p, importance):
    return importance * p / 3


@wrong("loss_of_ignoring", "this is p/12, the variance")
def ignoring_where_present(p, importance):
    return importance * p / 12


@wrong("loss_of_ignoring", "the constant is 1/2")
def ignoring_with_one_half(p, importance):
    return importance * (p / 12 + (1 - p) / 4)


@wrong("loss_of_ignoring", "its square p²/4")
def ignoring_with_a_quarter(p, importance):
    return importance * (p / 3 - p / 4)


@wrong("loss_of_ignoring", "the 2 is squared as well")
def ignoring_with_half_a_square(p, importance):
    return importance * (p / 3 - p**2 / 2)


@wrong("loss_of_ignoring", "not p²/3")
def ignoring_with_both_squared(p, importance):
    return importance * p**2 / 12


@wrong("loss_of_ignoring", "not 0 or 1")
def ignoring_a_bit(p, importance):
    return importance * p * (1 - p)


@wrong("loss_of_ignoring", "1 - p was taken for p")
def ignoring_by_sparsity(p, importance):
    return importance * ((1 - p) / 3 - (1 - p) ** 2 / 4)


@wrong("loss_of_ignoring", "the importance is ignored")
def ignoring_importance(p, importance):
    return p / 3 - p**2 / 4


@wrong("loss_of_ignoring", "the importance was squared")
def ignoring_importance_squared(p, importance):
    return importance**2 * (p / 3 - p**2 / 4)


@wrong("loss_of_ignoring", "this is the standard deviation")
def ignoring_as_a_deviation(p, importance):
    return importance * math.sqrt(p / 3 - p**2 / 4)


@wrong("loss_of_ignoring", "this is the example's result")
def ignoring_as_in_the_example(p, importance):
    return 0.1667


@wrong("loss_of_ignoring", "it is close, but rounded")
def ignoring_rounded(p, importance):
    return round(importance * (p / 3 - p**2 / 4), 4)


@wrong("loss_of_ignoring", "sampling, or a sum over a coarse grid, is not enough")
def ignoring_by_sampling(p, importance):
    g = torch.Generator().manual_seed(0)
    x = torch.rand(2_000_000, generator=g) * (torch.rand(2_000_000, generator=g) < max(p, 1e-3))
    return importance * x.var().item() * (p / 1e-3 if p < 1e-3 else 1)


@wrong("loss_of_ignoring", "this is what a bias of 0 costs, or of p")
def ignoring_with_the_bias_at_p(p, importance):
    return importance * (p / 3 - 2 * p * p / 2 + p**2)


@wrong("loss_of_ignoring", "too large or right everywhere")
def ignoring_with_a_bias_of_a_third(p, importance):
    return importance * (p / 3 - p / 3 + 1 / 9)


@wrong("loss_of_ignoring", "expected squared error of the best constant")
def ignoring_with_the_least_bias_on_a_grid(p, importance):
    biases = [i / 20 for i in range(21)]
    return min(importance * (p / 3 - c * p + c**2) for c in biases)


# ---------------------------------------------------------------------------- loss_of_antipodes


@wrong("loss_of_antipodes", "this is what the exercise asks you to write")
def sharing_by_the_library(p, first, second):
    return phase_diagram.loss_of_antipodes(p, first, second)


@wrong("loss_of_antipodes", "this is what the exercise asks you to write")
def sharing_by_the_candidates(p, first, second):
    return first * phase_diagram.candidate_losses(p, second / first)["antipodal"]


@wrong("loss_of_antipodes", "only one of the two outputs is counted")
def sharing_of_the_first(p, first, second):
    return p**2 * first / 6


@wrong("loss_of_antipodes", "only the second of the two outputs is counted")
def sharing_of_the_second(p, first, second):
    return p**2 * second / 6


@wrong("loss_of_antipodes", "it is half of what it should be")
def sharing_as_a_mean(p, first, second):
    return p**2 * (first + second) / 12


@wrong("loss_of_antipodes", "p is not squared")
def sharing_of_one_present(p, first, second):
    return p * (first + second) / 6


@wrong("loss_of_antipodes", "these are the errors where exactly one is present")
def sharing_of_exactly_one(p, first, second):
    return 2 * p * (1 - p) * (first + second) / 6


@wrong("loss_of_antipodes", "at least one being present is not enough")
def sharing_of_at_least_one(p, first, second):
    return (1 - (1 - p) ** 2) * (first + second) / 6


@wrong("loss_of_antipodes", "this is what it costs without the ReLU")
def sharing_without_relu(p, first, second):
    return p * (first + second) / 3


@wrong("loss_of_antipodes", "1/3 in place of 1/6")
def sharing_of_a_square(p, first, second):
    return p**2 * (first + second) / 3


@wrong("loss_of_antipodes", "the smaller was averaged first and squared after")
def sharing_squared_after(p, first, second):
    return p**2 * (first + second) / 9


@wrong("loss_of_antipodes", "this is of the larger")
def sharing_of_the_larger_value(p, first, second):
    return p**2 * (first + second) / 2


@wrong("loss_of_antipodes", "the importances are ignored")
def sharing_of_equal_importance(p, first, second):
    return p**2 / 3


@wrong("loss_of_antipodes", "importances were multiplied with each other")
def sharing_of_a_product(p, first, second):
    return p**2 * first * second / 3


@wrong("loss_of_antipodes", "the larger importance was counted for both")
def sharing_of_the_larger(p, first, second):
    return p**2 * max(first, second) / 3


@wrong("loss_of_antipodes", "1 - p was taken for p")
def sharing_by_sparsity(p, first, second):
    return (1 - p) ** 2 * (first + second) / 6


@wrong("loss_of_antipodes", "p is ignored")
def sharing_of_features_always_present(p, first, second):
    return (first + second) / 6


@wrong("loss_of_antipodes", "this is the example's result")
def sharing_as_in_the_example(p, first, second):
    return 0.3333


@wrong("loss_of_antipodes", "sampling, or a sum over a coarse grid, is not enough")
def sharing_by_sampling(p, first, second):
    x = torch.rand(200_000, 2, generator=torch.Generator().manual_seed(1))
    return p**2 * (first + second) * x.amin(1).square().mean().item()


@wrong("loss_of_antipodes", "sampling, or a sum over a coarse grid, is not enough")
def sharing_by_a_grid(p, first, second):
    u = (torch.arange(50).double() + 0.5) / 50
    least = torch.minimum(u[:, None], u).square().mean().item()
    return p**2 * (first + second) * least


# ------------------------------------------------------------------------------ phase_boundary


@wrong("phase_boundary", "this is what the exercise asks you to write")
def boundary_by_the_library(importance):
    return phase_diagram.phase_boundary(importance)


@wrong("phase_boundary", "this is what the exercise asks you to write")
def boundary_by_predicted_phases(importance):
    low, high = 0.0, 1.0
    for _ in range(60):
        p = (low + high) / 2
        shared = phase_diagram.predicted_phase(p, importance) == "antipodal"
        low, high = (p, high) if shared else (low, p)
    return low


@wrong("phase_boundary", "this is where sharing meets ignoring the second feature")
def boundary_with_the_second(importance):
    return 2 * importance / (1 + 2.5 * importance)


@wrong("phase_boundary", "this is where sharing meets ignoring the first feature")
def boundary_with_the_first(importance):
    return 2 / (2.5 + importance)


@wrong("phase_boundary", "it is the larger of the two")
def boundary_below_either(importance):
    return max(2 * importance / (1 + 2.5 * importance), 2 / (2.5 + importance))


@wrong("phase_boundary", "ignoring both features at once")
def boundary_with_ignoring_both(importance):
    return 0.8


@wrong("phase_boundary", "this leaves its bias at 0")
def boundary_without_biases(importance):
    return min(2 * importance, 2) / (1 + importance)


@wrong("phase_boundary", "here both importances count as 1")
def boundary_of_equal_sharing(importance):
    return min(4 * importance / (4 + 3 * importance), 4 / 7)


@wrong("phase_boundary", "this is half of it")
def boundary_of_a_mean(importance):
    return min(4 * importance / (1 + 4 * importance), 4 / (4 + importance))


@wrong("phase_boundary", "the importance is ignored")
def boundary_of_equal_importance(importance):
    return 4 / 7


@wrong("phase_boundary", "this is the example's result")
def boundary_as_in_the_example(importance):
    return 0.5714


@wrong("phase_boundary", "it is close, but rounded, or found on a grid")
def boundary_rounded(importance):
    return round(min(2 * importance / (1 + 2.5 * importance), 2 / (2.5 + importance)), 4)


@wrong("phase_boundary", "costs less than ignoring the second feature and less than")
def boundary_on_a_grid(importance):
    for i in range(1, 1001):
        p = i / 1000
        ignore = min(loss_of_ignoring(p, importance), loss_of_ignoring(p, 1.0))
        if loss_of_antipodes(p, 1.0, importance) > ignore:
            return p
    return 1.0


@wrong("phase_boundary", "too small or right everywhere")
def boundary_for_less_important_features(importance):
    if importance > 1:
        return 0.0
    return 2 * importance / (1 + 2.5 * importance)


@wrong("phase_boundary", "1 minus the boundary")
def boundary_as_sparsity(importance):
    return 1 - min(2 * importance / (1 + 2.5 * importance), 2 / (2.5 + importance))


# ------------------------------------------------------------------------------------ phase_of


def least(score, candidates):
    return min(candidates, key=lambda name: float(score(candidates[name])))


@wrong("phase_of", "this is what the exercise asks you to write")
def phase_by_the_library(W, candidates):
    return phase_diagram.phase_of(W)


@wrong("phase_of", "W was compared with the candidates as it is")
def phase_by_weights(W, candidates):
    return least(lambda C: (W - C).norm(), candidates)


@wrong("phase_of", "W was compared with the candidates up to its signs")
def phase_by_absolute_weights(W, candidates):
    return least(lambda C: (W.abs() - C.abs()).norm(), candidates)


@wrong("phase_of", "this is WᵀW, hidden by hidden")
def phase_by_hidden_products(W, candidates):
    return least(lambda C: (W.T @ W - C.T @ C).norm(), candidates)


@wrong("phase_of", "only the diagonal of W Wᵀ was compared")
def phase_by_squared_lengths(W, candidates):
    return least(lambda C: (W.square().sum(1) - C.square().sum(1)).norm(), candidates)


@wrong("phase_of", "lengths of rows were compared")
def phase_by_lengths(W, candidates):
    return least(lambda C: (W.norm(dim=1) - C.norm(dim=1)).norm(), candidates)


@wrong("phase_of", "the diagonal of W Wᵀ was left out")
def phase_by_interference(W, candidates):
    def score(C):
        gap = W @ W.T - C @ C.T
        return (gap - gap.diag().diag()).norm()

    return least(score, candidates)


@wrong("phase_of", "only half of the table was compared")
def phase_by_half_the_table(W, candidates):
    return least(lambda C: (W @ W.T - C @ C.T).triu().norm(), candidates)


@wrong("phase_of", "rows were given length 1 first")
def phase_of_directions(W, candidates):
    def table(V):
        unit = V / V.norm(dim=1, keepdim=True).clamp(min=1e-9)
        return unit @ unit.T

    return least(lambda C: (table(W) - table(C)).norm(), candidates)


@wrong("phase_of", "this is the largest difference")
def phase_by_the_largest(W, candidates):
    return least(lambda C: (W @ W.T - C @ C.T).abs().max(), candidates)


@wrong("phase_of", "absolute differences were added up")
def phase_by_absolute_differences(W, candidates):
    return least(lambda C: (W @ W.T - C @ C.T).abs().sum(), candidates)


@wrong("phase_of", "this is the spectral norm")
def phase_by_the_spectral_norm(W, candidates):
    return least(lambda C: torch.linalg.norm(W @ W.T - C @ C.T, 2), candidates)


@wrong("phase_of", "signs of the products were dropped")
def phase_without_signs(W, candidates):
    return least(lambda C: ((W @ W.T).abs() - (C @ C.T).abs()).norm(), candidates)


@wrong("phase_of", "the candidate that is furthest away was taken")
def phase_furthest_away(W, candidates):
    return least(lambda C: -(W @ W.T - C @ C.T).norm(), candidates)


@wrong("phase_of", "so that they cancel")
def phase_by_cancelling_sums(W, candidates):
    return least(lambda C: (W @ W.T - C @ C.T).sum().abs(), candidates)


@wrong("phase_of", "this is the candidate of the largest overlap")
def phase_by_overlap(W, candidates):
    return least(lambda C: -((W @ W.T) * (C @ C.T)).sum(), candidates)


@wrong("phase_of", "W was multiplied with the candidate")
def phase_by_mixed_products(W, candidates):
    return least(lambda C: (W @ C.T - C @ C.T).norm(), candidates)


@wrong("phase_of", "it is the last of them")
def phase_last_of_a_tie(W, candidates):
    best, found = float("inf"), ""
    for name, C in candidates.items():
        away = (W @ W.T - C @ C.T).norm().item()
        if away <= best:
            best, found = away, name
    return found


@wrong("phase_of", "it is the first by the alphabet")
def phase_by_the_alphabet(W, candidates):
    return min(((W @ W.T - C @ C.T).norm().item(), name) for name, C in candidates.items())[1]


@wrong("phase_of", "it is the first by the alphabet")
def phase_of_sorted_names(W, candidates):
    return min(sorted(candidates), key=lambda n: (W @ W.T - candidates[n] @ candidates[n].T).norm())


@wrong("phase_of", "names come from `candidates`, whatever they are")
def phase_of_two_names(W, candidates):
    return "antipodal" if (W @ W.T).min() < -0.5 else "ignored"


@wrong("phase_of", "the key in `candidates`")
def phase_as_a_number(W, candidates):
    return int(torch.stack([(W @ W.T - C @ C.T).norm() for C in candidates.values()]).argmin())


@wrong("phase_of", "the key in `candidates`")
def phase_as_distances(W, candidates):
    return {name: (W @ W.T - C @ C.T).norm().item() for name, C in candidates.items()}


@wrong("phase_of", "it is always the first candidate")
def phase_always_first(W, candidates):
    return next(iter(candidates))


# ------------------------------------------------------------------------------- phases_of_best


def by_rank(losses, phases, chance):
    """Odds by a chance of each place."""
    odds = dict.fromkeys(phases, 0.0)
    for rank, model in enumerate(losses.argsort().tolist()):
        odds[phases[model]] += chance(rank)
    return odds


@wrong("phases_of_best", "models were put back after each draw")
def best_with_putting_back(losses, phases, k):
    n = len(phases)
    return by_rank(losses, phases, lambda r: ((n - r) / n) ** k - ((n - 1 - r) / n) ** k)


@wrong("phases_of_best", "this is each phase's share of all models")
def best_as_shares(losses, phases, k):
    return {phase: phases.count(phase) / len(phases) for phase in phases}


@wrong("phases_of_best", "the commonest of those drawn")
def best_by_majority(losses, phases, k):
    counts = dict.fromkeys(phases, 0)
    choices = list(itertools.combinations(phases, k))
    for drawn in choices:
        counts[max(dict.fromkeys(drawn), key=drawn.count)] += 1
    return {phase: count / len(choices) for phase, count in counts.items()}


@wrong("phases_of_best", "this is the phase of the best of all models")
def best_of_all(losses, phases, k):
    return by_rank(losses, phases, lambda r: float(r == 0))


@wrong("phases_of_best", "this takes the largest")
def best_is_the_worst(losses, phases, k):
    n = len(phases)
    return by_rank(-losses, phases, lambda r: math.comb(n - 1 - r, k - 1) / math.comb(n, k))


@wrong("phases_of_best", "these are the phases of the k best models")
def best_k_models(losses, phases, k):
    return by_rank(losses, phases, lambda r: (r < k) / k)


@wrong("phases_of_best", "these are odds of the best of k - 1 models")
def best_of_one_fewer(losses, phases, k):
    n = len(phases)
    return by_rank(
        losses,
        phases,
        lambda r: math.comb(n - 1 - r, max(k - 2, 0)) / math.comb(n, max(k - 1, 1)),
    )


@wrong("phases_of_best", "these are odds of the best of k + 1 models")
def best_of_one_more(losses, phases, k):
    n = len(phases)
    total = sum(math.comb(n - 1 - r, k) for r in range(n)) or 1
    return by_rank(losses, phases, lambda r: math.comb(n - 1 - r, k) / total)


@wrong("phases_of_best", "here they come from one more")
def best_counted_twice(losses, phases, k):
    n = len(phases)
    return by_rank(losses, phases, lambda r: math.comb(n - r, k - 1) / math.comb(n, k))


@wrong("phases_of_best", "in the order in which they are listed")
def best_as_listed(losses, phases, k):
    n, odds = len(phases), dict.fromkeys(phases, 0.0)
    for rank, phase in enumerate(phases):
        odds[phase] += math.comb(n - 1 - rank, k - 1) / math.comb(n, k)
    return odds


@wrong("phases_of_best", "argsort gives the model at each place")
def best_by_argsort_as_places(losses, phases, k):
    n, odds = len(phases), dict.fromkeys(phases, 0.0)
    for model, rank in enumerate(losses.argsort().tolist()):
        odds[phases[model]] += math.comb(n - 1 - rank, k - 1) / math.comb(n, k)
    return odds


@wrong("phases_of_best", "these are odds that the phase is drawn at all")
def best_if_drawn(losses, phases, k):
    n = len(phases)
    return {phase: 1 - math.comb(n - phases.count(phase), k) / math.comb(n, k) for phase in phases}


@wrong("phases_of_best", "this is the best of the first k models in the list")
def best_of_the_first_k(losses, phases, k):
    odds = dict.fromkeys(phases, 0.0)
    odds[phases[int(losses[:k].argmin())]] = 1.0
    return odds


@wrong("phases_of_best", "only one model of each phase is counted")
def best_model_of_each_phase(losses, phases, k):
    n, odds = len(phases), {}
    for rank, model in enumerate(losses.argsort().tolist()):
        odds.setdefault(phases[model], math.comb(n - 1 - rank, k - 1) / math.comb(n, k))
    return odds


@wrong("phases_of_best", "has probability 0, and is there")
def best_of_phases_that_win(losses, phases, k):
    odds, choices = {}, list(itertools.combinations(range(len(phases)), k))
    for drawn in choices:
        best = phases[min(drawn, key=lambda model: losses[model])]
        odds[best] = odds.get(best, 0) + 1 / len(choices)
    return odds


@wrong("phases_of_best", "not exact: count choices in place of sampling or rounding")
def best_by_sampling(losses, phases, k):
    draw, odds = python_random.Random(0), dict.fromkeys(phases, 0.0)
    for _ in range(3000):
        best = min(draw.sample(range(len(phases)), k), key=lambda model: losses[model])
        odds[phases[best]] += 1 / 3000
    return odds


@wrong("phases_of_best", "they add up to")
def best_as_counts(losses, phases, k):
    odds = dict.fromkeys(phases, 0)
    for drawn in itertools.combinations(range(len(phases)), k):
        odds[phases[min(drawn, key=lambda model: losses[model])]] += 1
    return odds


@wrong("phases_of_best", "not exact: count choices in place of sampling or rounding")
def best_rounded(losses, phases, k):
    return {phase: round(odds, 2) for phase, odds in phases_of_best(losses, phases, k).items()}


@wrong("phases_of_best", "it has each phase that occurs, and no other")
def best_of_the_example(losses, phases, k):
    return {"a": 1 / 3, "b": 2 / 3}


@wrong("phases_of_best", "it is one probability for each phase")
def best_phase_alone(losses, phases, k):
    return phases[int(losses.argmin())]


@wrong("phases_of_best", "not every probability is a finite number")
def best_of_no_number(losses, phases, k):
    return dict.fromkeys(phases, float("nan"))


@wrong("phases_of_best", "each phase's probability is the part of all choices of k models")
def best_of_phases_alike(losses, phases, k):
    return dict.fromkeys(phases, 1 / len(set(phases)))
