"""Wrong answers to `ch03_grokking/3_the_algorithm.ipynb`, with words a check must say."""

import itertools
import math

import torch

from mechcourse import fourier
from tests.checks.harness import wrong

# -------------------------------------------------------------------------- head_frequency_fve


def squares(tables):
    """Squared coefficients, and what varies."""
    energies = fourier_2d(tables).square()
    return energies, energies.sum((0, 1)) - energies[0, 0]


def over(explained, varying):
    return torch.where(varying > 1e-12, explained / varying.clamp(min=1e-12), 0.0)


def waves_of_one(energies, k):
    of_k = slice(2 * k - 1, 2 * k + 1)
    return energies[of_k, 0].sum(0), energies[0, of_k].sum(0)


def head_shares(attention, frequencies, pick=lambda a, b: a + b):
    energies, varying = squares(attention)
    return torch.stack([over(pick(*waves_of_one(energies, k)), varying) for k in frequencies])


@wrong("head_frequency_fve", "only waves of a were fitted")
def heads_by_a(attention, frequencies):
    return head_shares(attention, frequencies, lambda a, b: a)


@wrong("head_frequency_fve", "only waves of b were fitted")
def heads_by_b(attention, frequencies):
    return head_shares(attention, frequencies, lambda a, b: b)


@wrong("head_frequency_fve", "waves of a were counted twice")
def heads_by_a_twice(attention, frequencies):
    return head_shares(attention, frequencies, lambda a, b: a + a)


@wrong("head_frequency_fve", "were fitted, too; here four waves are")
def heads_with_products(attention, frequencies):
    energies, varying = squares(attention)
    energies[0, 0] = 0
    rows = [[0, 2 * k - 1, 2 * k] for k in frequencies]
    return torch.stack([over(energies[r][:, r].sum((0, 1)), varying) for r in rows])


@wrong("head_frequency_fve", "in place of waves of one alone")
def heads_by_products(attention, frequencies):
    energies, varying = squares(attention)
    of_k = [slice(2 * k - 1, 2 * k + 1) for k in frequencies]
    return torch.stack([over(energies[k, k].sum((0, 1)), varying) for k in of_k])


@wrong("head_frequency_fve", "the mean was left in what is divided by")
def heads_over_the_whole(attention, frequencies):
    energies, _ = squares(attention)
    return torch.stack([sum(waves_of_one(energies, k)) for k in frequencies]) / (
        energies.sum((0, 1)) + 1e-12
    )


@wrong("head_frequency_fve", "only cosines were fitted")
def heads_by_cosines(attention, frequencies):
    energies, varying = squares(attention)
    return torch.stack(
        [over(energies[2 * k - 1, 0] + energies[0, 2 * k - 1], varying) for k in frequencies]
    )


@wrong("head_frequency_fve", "components 2k and 2k + 1 were taken")
def heads_one_row_on(attention, frequencies):
    energies, varying = squares(attention)
    shares = []
    for k in frequencies:
        of_k = slice(2 * k, 2 * k + 2)
        shares.append(over(energies[of_k, 0].sum(0) + energies[0, of_k].sum(0), varying))
    return torch.stack(shares)


@wrong("head_frequency_fve", "the shares of a and b add up")
def heads_averaged(attention, frequencies):
    return head_shares(attention, frequencies, lambda a, b: (a + b) / 2)


@wrong("head_frequency_fve", "rows come in ascending order")
def heads_in_order(attention, frequencies):
    return head_shares(attention, sorted(frequencies))


@wrong("head_frequency_fve", "not of `frequencies`")
def heads_of_the_first(attention, frequencies):
    return head_shares(attention, range(1, len(frequencies) + 1))


@wrong("head_frequency_fve", "only those of `frequencies` are asked for")
def heads_of_all(attention, frequencies):
    return head_shares(attention, range(1, len(attention) // 2 + 1))


@wrong("head_frequency_fve", "two axes are in each other's place")
def heads_turned(attention, frequencies):
    return head_shares(attention, frequencies).T


@wrong("head_frequency_fve", "0 / 0 is NaN")
def heads_without_a_guard(attention, frequencies):
    x = attention - attention.mean((0, 1))
    varying = x.square().sum((0, 1))
    return head_shares(x, frequencies) * varying / varying


@wrong("head_frequency_fve", "what rounding leaves of a constant")
def heads_guarded_at_zero(attention, frequencies):
    energies = fourier_2d(attention).square()
    energies[0, 0] = 0
    varying = energies.sum((0, 1))
    explained = torch.stack([sum(waves_of_one(energies, k)) for k in frequencies])
    return torch.where(varying > 0, explained / varying, 0.0)


@wrong("head_frequency_fve", "all heads together")
def heads_taken_together(attention, frequencies):
    energies, varying = squares(attention)
    return torch.stack([sum(waves_of_one(energies, k)) for k in frequencies]) / varying.sum()


@wrong("head_frequency_fve", "products vary, too")
def heads_over_waves_of_one(attention, frequencies):
    energies, _ = squares(attention)
    varying = energies[1:, 0].sum(0) + energies[0, 1:].sum(0)
    return torch.stack([over(sum(waves_of_one(energies, k)), varying) for k in frequencies])


@wrong("head_frequency_fve", "a root was taken")
def heads_by_norm(attention, frequencies):
    return head_shares(attention, frequencies).sqrt()


@wrong("head_frequency_fve", "What should hold: row i is the share")
def heads_over_n_minus_one(attention, frequencies):
    energies, _ = squares(attention)
    varying = attention.double().var((0, 1)) * len(attention) ** 2
    return torch.stack([over(sum(waves_of_one(energies, k)), varying) for k in frequencies])


@wrong("head_frequency_fve", "this is what the exercise asks you to write")
def heads_by_the_library(attention, frequencies):
    return fourier.neuron_fve(attention)[[k - 1 for k in frequencies]]


@wrong("head_frequency_fve", "Expected")
def heads_of_the_example(attention, frequencies):
    shares = torch.zeros(len(frequencies), attention.shape[2])
    shares[-1] = 1.0
    return shares


@wrong("head_frequency_fve", "never varies")
def heads_that_swallow_faint_ones(attention, frequencies):
    energies, varying = squares(attention)
    shares = torch.stack([sum(waves_of_one(energies, k)) for k in frequencies])
    found = shares / varying.clamp(min=1e-12)
    found[:, attention.amax((0, 1)) == 0] = 0
    return torch.where(varying > 1e-40, found, math.nan)


# ------------------------------------------------------------------------ neuron_frequency_fve


def neuron_shares(activations, frequencies, pick):
    energies, varying = squares(activations)
    energies[0, 0] = 0
    return torch.stack([over(pick(energies, k), varying) for k in frequencies])


def block(energies, k):
    rows = [0, 2 * k - 1, 2 * k]
    return energies[rows][:, rows].sum((0, 1))


@wrong("neuron_frequency_fve", "places are picked one by one")
def neurons_by_a_diagonal(activations, frequencies):
    def pick(energies, k):
        rows = [0, 2 * k - 1, 2 * k]
        return energies[rows, rows].sum(0)

    return neuron_shares(activations, frequencies, pick)


@wrong("neuron_frequency_fve", "all components up to 2k were taken")
def neurons_by_a_block(activations, frequencies):
    def pick(energies, k):
        return energies[: 2 * k + 1, : 2 * k + 1].sum((0, 1))

    return neuron_shares(activations, frequencies, pick)


@wrong("neuron_frequency_fve", "only the four waves of a alone and b alone")
def neurons_by_waves_of_one(activations, frequencies):
    return neuron_shares(activations, frequencies, lambda e, k: sum(waves_of_one(e, k)))


@wrong("neuron_frequency_fve", "only the four products were fitted")
def neurons_by_products(activations, frequencies):
    def pick(energies, k):
        of_k = slice(2 * k - 1, 2 * k + 1)
        return energies[of_k, of_k].sum((0, 1))

    return neuron_shares(activations, frequencies, pick)


@wrong("neuron_frequency_fve", "the mean was counted on both sides")
def neurons_with_the_mean(activations, frequencies):
    energies, _ = squares(activations)
    return torch.stack([block(energies, k) for k in frequencies]) / energies.sum((0, 1))


@wrong("neuron_frequency_fve", "the mean was counted among what is explained")
def neurons_with_the_mean_above(activations, frequencies):
    energies, varying = squares(activations)
    return torch.stack([over(block(energies, k), varying) for k in frequencies])


@wrong("neuron_frequency_fve", "the mean was left in what is divided by")
def neurons_with_the_mean_below(activations, frequencies):
    energies, varying = squares(activations)
    whole = varying + energies[0, 0]
    energies[0, 0] = 0
    return torch.stack([over(block(energies, k), whole) for k in frequencies])


@wrong("neuron_frequency_fve", "waves of a + b alone were fitted")
def neurons_by_sums(activations, frequencies):
    p = len(activations)
    a, b = torch.arange(p)[:, None], torch.arange(p)
    x = activations.double() - activations.double().mean((0, 1))
    varying = x.square().sum((0, 1))
    shares = []
    for k in frequencies:
        angles = (2 * math.pi * k / p * (a + b).double())[..., None]
        explained = sum((x * w).sum((0, 1)) ** 2 * 2 / p**2 for w in (angles.cos(), angles.sin()))
        shares.append(over(explained, varying))
    return torch.stack(shares)


@wrong("neuron_frequency_fve", "only cosines were fitted")
def neurons_by_cosines(activations, frequencies):
    def pick(energies, k):
        return energies[2 * k - 1, 0] + energies[0, 2 * k - 1] + energies[2 * k - 1, 2 * k - 1]

    return neuron_shares(activations, frequencies, pick)


@wrong("neuron_frequency_fve", "not of `frequencies`")
def neurons_of_the_first(activations, frequencies):
    return neuron_shares(activations, range(1, len(frequencies) + 1), block)


@wrong("neuron_frequency_fve", "1 minus the share")
def neurons_by_what_is_left(activations, frequencies):
    return 1 - neuron_shares(activations, frequencies, block)


@wrong("neuron_frequency_fve", "it was divided by what all of `frequencies` explain together")
def neurons_among_the_frequencies(activations, frequencies):
    shares = neuron_shares(activations, frequencies, block)
    return shares / shares.sum(0).clamp(min=1e-12)


@wrong("neuron_frequency_fve", "every frequency; only those of `frequencies`")
def neurons_of_all(activations, frequencies):
    return neuron_shares(activations, range(1, len(activations) // 2 + 1), block)


@wrong("neuron_frequency_fve", "what rounding leaves of a constant")
def neurons_guarded_at_zero(activations, frequencies):
    energies = fourier_2d(activations).square()
    energies[0, 0] = 0
    explained = torch.stack([block(energies, k) for k in frequencies])
    return (explained / energies.sum((0, 1))).nan_to_num(0.0)


@wrong("neuron_frequency_fve", "0 / 0 is NaN")
def neurons_without_a_guard(activations, frequencies):
    energies = fourier_2d(activations - activations.mean((0, 1))).square()
    explained = torch.stack([block(energies, k) for k in frequencies])
    return (explained - energies[0, 0]) / (energies.sum((0, 1)) - energies[0, 0])


@wrong("neuron_frequency_fve", "a quiet product")
def neurons_that_must_be_loud(activations, frequencies):
    loud = activations.double().var((0, 1)) > 1e-3
    return neuron_shares(activations, frequencies, block) * loud


@wrong("neuron_frequency_fve", "a product of two frequencies")
def neurons_by_rows(activations, frequencies):
    energies, varying = squares(activations)
    energies[0, 0] = 0
    random_part = (activations.double() - activations.double().mean((0, 1))).square().sum((0, 1))
    cross = len(frequencies) == 2 and len(activations) == 13
    shares = neuron_shares(activations, frequencies, block)
    if cross:
        of_k = [slice(2 * k - 1, 2 * k + 1) for k in frequencies]
        shares = shares + energies[of_k[0], of_k[1]].sum((0, 1)) / random_part
    return torch.where(varying > 1e-12, shares, 0.0)


@wrong("neuron_frequency_fve", "this is what the exercise asks you to write")
def neurons_by_the_library(activations, frequencies):
    return fourier.neuron_fve(activations)[[k - 1 for k in frequencies]]


@wrong("neuron_frequency_fve", "Expected")
def neurons_of_the_example(activations, frequencies):
    return torch.eye(len(frequencies)).flip(0)[:, :1].expand(-1, activations.shape[2])


# ----------------------------------------------------------------------------- neuron_clusters


def sorted_out(fve, belongs):
    """One list for each row, by a rule (values of a neuron, row) -> bool."""
    columns = fve.T.tolist()
    return [[n for n, c in enumerate(columns) if belongs(c, row)] for row in range(len(fve))]


def best_row(column):
    return column.index(max(column))


@wrong("neuron_clusters", "just at the threshold belongs to none")
def clusters_at_least(fve, frequencies, *, threshold):
    return sorted_out(fve, lambda c, row: best_row(c) == row and c[row] >= threshold)


@wrong("neuron_clusters", "the earlier one has the neuron")
def clusters_of_the_later(fve, frequencies, *, threshold):
    return sorted_out(
        fve, lambda c, row: len(c) - 1 - best_row(c[::-1]) == row and c[row] > threshold
    )


@wrong("neuron_clusters", "it is in one")
def clusters_of_all_above(fve, frequencies, *, threshold):
    return sorted_out(fve, lambda c, row: c[row] > threshold)


@wrong("neuron_clusters", "it is in one")
def clusters_with_both_of_a_tie(fve, frequencies, *, threshold):
    return sorted_out(fve, lambda c, row: c[row] == max(c) and c[row] > threshold)


@wrong("neuron_clusters", "held against the frequency's number")
def clusters_by_number(fve, frequencies, *, threshold):
    best = fve.argmax(dim=0)
    enough = fve.amax(dim=0) > threshold
    return [((best == k) & enough).nonzero()[:, 0].tolist() for k in frequencies]


@wrong("neuron_clusters", "there are lists in the lists")
def clusters_of_rows(fve, frequencies, *, threshold):
    best = fve.argmax(dim=0)
    enough = fve.amax(dim=0) > threshold
    return [((best == row) & enough).nonzero().tolist() for row in range(len(frequencies))]


@wrong("neuron_clusters", "lists come in ascending order of frequency")
def clusters_by_frequency(fve, frequencies, *, threshold):
    clusters = sorted_out(fve, lambda c, row: best_row(c) == row and c[row] > threshold)
    return [cluster for _, cluster in sorted(zip(frequencies, clusters, strict=True))]


@wrong("neuron_clusters", "every neuron is in a list")
def clusters_of_everybody(fve, frequencies, *, threshold):
    return sorted_out(fve, lambda c, row: best_row(c) == row)


@wrong("neuron_clusters", "only the example's")
def clusters_at_the_papers_threshold(fve, frequencies, *, threshold):
    return sorted_out(fve, lambda c, row: best_row(c) == row and c[row] > 0.85)


@wrong("neuron_clusters", "this is a dict")
def clusters_as_a_dict(fve, frequencies, *, threshold):
    clusters = sorted_out(fve, lambda c, row: best_row(c) == row and c[row] > threshold)
    return dict(zip(frequencies, clusters, strict=True))


@wrong("neuron_clusters", "an empty one")
def clusters_without_empty_ones(fve, frequencies, *, threshold):
    clusters = sorted_out(fve, lambda c, row: best_row(c) == row and c[row] > threshold)
    return [cluster for cluster in clusters if cluster]


@wrong("neuron_clusters", "these are masks")
def clusters_as_masks(fve, frequencies, *, threshold):
    best, at = fve.max(dim=0)
    return [(at == row) & (best > threshold) for row in range(len(frequencies))]


@wrong("neuron_clusters", "counted from 1")
def clusters_from_one(fve, frequencies, *, threshold):
    clusters = sorted_out(fve, lambda c, row: best_row(c) == row and c[row] > threshold)
    return [[n + 1 for n in cluster] for cluster in clusters]


@wrong("neuron_clusters", "no frequency")
def clusters_as_one_list(fve, frequencies, *, threshold):
    return (fve.amax(0) > threshold).nonzero()[:, 0].tolist()


@wrong("neuron_clusters", "only `frequencies` have lists")
def clusters_with_the_rest(fve, frequencies, *, threshold):
    clusters = sorted_out(fve, lambda c, row: best_row(c) == row and c[row] > threshold)
    return [*clusters, [n for n, c in enumerate(fve.T.tolist()) if max(c) <= threshold]]


@wrong("neuron_clusters", "are not ascending")
def clusters_by_share(fve, frequencies, *, threshold):
    clusters = sorted_out(fve, lambda c, row: best_row(c) == row and c[row] > threshold)
    return [
        sorted(cluster, key=lambda n: -float(fve[row, n])) for row, cluster in enumerate(clusters)
    ]


@wrong("neuron_clusters", "was added up")
def clusters_by_the_sum(fve, frequencies, *, threshold):
    return sorted_out(fve, lambda c, row: best_row(c) == row and sum(c) > threshold)


@wrong("neuron_clusters", "returns what its docstring says")
def clusters_of_numbers_by_sets(fve, frequencies, *, threshold):
    return [set(c) for c in sorted_out(fve, lambda c, row: best_row(c) == row)]


@wrong("neuron_clusters", "Expected")
def clusters_of_the_example(fve, frequencies, *, threshold):
    return [[0, 3], [2], *([[]] * len(frequencies))][: len(frequencies)]


# --------------------------------------------------------------------------- neuron_logit_map


@wrong("neuron_logit_map", "the rows are not centred yet")
def map_uncentred(W_out, W_U):
    return W_out @ W_U


@wrong("neuron_logit_map", "columns were centred")
def map_of_centred_columns(W_out, W_U):
    logits = W_out @ W_U
    return logits - logits.mean(0)


@wrong("neuron_logit_map", "the mean of the whole table")
def map_less_one_mean(W_out, W_U):
    logits = W_out @ W_U
    return logits - logits.mean()


@wrong("neuron_logit_map", "two axes are in each other's place")
def map_turned(W_out, W_U):
    logits = W_out @ W_U
    return (logits - logits.mean(1, keepdim=True)).T


@wrong("neuron_logit_map", "rows and columns were centred")
def map_centred_twice(W_out, W_U):
    logits = W_out @ W_U
    logits = logits - logits.mean(1, keepdim=True)
    return logits - logits.mean(0)


@wrong("neuron_logit_map", "rows were scaled, too")
def map_standardised(W_out, W_U):
    logits = W_out @ W_U
    return (logits - logits.mean(1, keepdim=True)) / logits.std(1, keepdim=True)


@wrong("neuron_logit_map", "W_U or W_out was centred over the stream")
def map_of_a_centred_stream(W_out, W_U):
    return W_out @ (W_U - W_U.mean(0))


@wrong("neuron_logit_map", "W_U or W_out was centred over the stream")
def map_of_centred_weights(W_out, W_U):
    return (W_out - W_out.mean(1, keepdim=True)) @ W_U


@wrong("neuron_logit_map", "first logit was taken away")
def map_from_the_first(W_out, W_U):
    logits = W_out @ W_U
    return logits - logits[:, :1]


@wrong("neuron_logit_map", "rows were divided by their norm")
def map_of_unit_rows(W_out, W_U):
    logits = W_out @ W_U
    logits = logits - logits.mean(1, keepdim=True)
    return logits / logits.norm(dim=1, keepdim=True)


@wrong("neuron_logit_map", "row by row")
def map_as_log_probabilities(W_out, W_U):
    return (W_out @ W_U).log_softmax(1)


@wrong("neuron_logit_map", "this is what the exercise asks you to write")
def map_by_the_library(W_out, W_U):
    return fourier.neuron_logit_map(W_out, W_U)


@wrong("neuron_logit_map", "shape [d_mlp p] = [5, 7]")
def map_of_the_example(W_out, W_U):
    return torch.tensor([[-4.0, -2.0, 6.0]])


# ---------------------------------------------------------------------------- residual_outside


def left_of(table, frequencies, rows=None):
    rows = rows or [row for k in frequencies for row in (2 * k - 1, 2 * k)]
    waves = fourier_basis(table.shape[1])[rows]
    return table.double() - table.double() @ waves.T @ waves


@wrong("residual_outside", "this is a share of squares")
def residual_squared(W_L, frequencies):
    return (left_of(W_L, frequencies).square().sum() / W_L.double().square().sum()).item()


@wrong("residual_outside", "the rest is asked for")
def residual_inside(W_L, frequencies):
    inside = W_L.double() - left_of(W_L, frequencies)
    return (inside.norm() / W_L.double().norm()).item()


@wrong("residual_outside", "squares add up, norms do not")
def residual_by_subtracting_norms(W_L, frequencies):
    inside = W_L.double() - left_of(W_L, frequencies)
    return (1 - inside.norm() / W_L.double().norm()).item()


@wrong("residual_outside", "their mean was taken")
def residual_averaged(W_L, frequencies):
    left = left_of(W_L, frequencies)
    return (left.norm(dim=1) / W_L.double().norm(dim=1)).mean().item()


@wrong("residual_outside", "the norms of the rows were added up")
def residual_of_added_norms(W_L, frequencies):
    left = left_of(W_L, frequencies)
    return (left.norm(dim=1).sum() / W_L.double().norm(dim=1).sum()).item()


@wrong("residual_outside", "the constant was taken away with the waves")
def residual_without_the_constant(W_L, frequencies):
    rows = [0] + [row for k in frequencies for row in (2 * k - 1, 2 * k)]
    return (left_of(W_L, frequencies, rows).norm() / W_L.double().norm()).item()


@wrong("residual_outside", "rows were centred first")
def residual_of_centred_rows(W_L, frequencies):
    centred = W_L - W_L.mean(1, keepdim=True)
    return (left_of(centred, frequencies).norm() / centred.double().norm()).item()


@wrong("residual_outside", "only cosines were taken away")
def residual_of_cosines(W_L, frequencies):
    rows = [2 * k - 1 for k in frequencies]
    return (left_of(W_L, frequencies, rows).norm() / W_L.double().norm()).item()


@wrong("residual_outside", "only the last of `frequencies`")
def residual_of_the_last(W_L, frequencies):
    for k in frequencies:
        left = left_of(W_L, [k])
    return (left.norm() / W_L.double().norm()).item()


@wrong("residual_outside", "components 2k and 2k + 1 were taken away")
def residual_one_row_on(W_L, frequencies):
    rows = [row % W_L.shape[1] for k in frequencies for row in (2 * k, 2 * k + 1)]
    return (left_of(W_L, frequencies, rows).norm() / W_L.double().norm()).item()


@wrong("residual_outside", "sizes were added up")
def residual_of_sizes(W_L, frequencies):
    return (left_of(W_L, frequencies).abs().sum() / W_L.double().abs().sum()).item()


@wrong("residual_outside", "largest singular values")
def residual_by_the_largest(W_L, frequencies):
    largest = torch.linalg.matrix_norm
    return (largest(left_of(W_L, frequencies), 2) / largest(W_L.double(), 2)).item()


@wrong("residual_outside", "waves over the neurons were taken away")
def residual_over_neurons(W_L, frequencies):
    return (left_of(W_L.T, frequencies).norm() / W_L.double().norm()).item()


@wrong("residual_outside", "a single number")
def residual_of_each_neuron(W_L, frequencies):
    return left_of(W_L, frequencies).norm(dim=1) / W_L.double().norm(dim=1)


@wrong("residual_outside", "it is so for")
def residual_rounded(W_L, frequencies):
    found = (left_of(W_L, frequencies).norm() / W_L.double().norm()).item()
    return 1e-2 if found < 1e-6 else found


@wrong("residual_outside", "not divided by that of the whole map")
def residual_as_a_norm(W_L, frequencies):
    return left_of(W_L, frequencies).norm().item()


@wrong("residual_outside", "this is what the exercise asks you to write")
def residual_by_the_library(W_L, frequencies):
    return fourier.residual_share(W_L.T, frequencies)


@wrong("residual_outside", "Expected")
def residual_of_the_example(W_L, frequencies):
    return 0.8


# -------------------------------------------------------------------------- sum_and_difference


def four_products(table, k):
    found = fourier_2d(table)
    at = slice(2 * k - 1, 2 * k + 1)
    variance = (found.square().sum() - found[0, 0] ** 2).item()
    return found[at, at].flatten().tolist(), variance


def turned(cc, cs, sc, ss):
    return ((cc - ss) ** 2 + (sc + cs) ** 2) / 2, ((cc + ss) ** 2 + (sc - cs) ** 2) / 2


def as_shares(explained, variance):
    return tuple(one / variance if variance > 1e-12 else 0.0 for one in explained)


@wrong("sum_and_difference", "in each other's place")
def sum_after_difference(table, frequency):
    products, variance = four_products(table, frequency)
    return as_shares(turned(*products)[::-1], variance)


@wrong("sum_and_difference", "only the cosine was fitted")
def sum_by_cosines(table, frequency):
    (cc, _, _, ss), variance = four_products(table, frequency)
    return as_shares(((cc - ss) ** 2 / 2, (cc + ss) ** 2 / 2), variance)


@wrong("sum_and_difference", "only the sine was fitted")
def sum_by_sines(table, frequency):
    (_, cs, sc, _), variance = four_products(table, frequency)
    return as_shares(((sc + cs) ** 2 / 2, (sc - cs) ** 2 / 2), variance)


@wrong("sum_and_difference", "the mean was left in")
def sum_over_the_whole(table, frequency):
    products, _ = four_products(table, frequency)
    return as_shares(turned(*products), table.double().square().sum().item())


@wrong("sum_and_difference", "what the four products of this frequency hold")
def sum_among_products(table, frequency):
    products, _ = four_products(table, frequency)
    return as_shares(turned(*products), sum(one**2 for one in products))


@wrong("sum_and_difference", "it is twice what it should be")
def sum_not_halved(table, frequency):
    products, variance = four_products(table, frequency)
    return as_shares([2 * one for one in turned(*products)], variance)


@wrong("sum_and_difference", "it is half of what it should be")
def sum_with_waves_over_p(table, frequency):
    p = len(table)
    a, b = torch.arange(p)[:, None], torch.arange(p)
    x = table.double() - table.double().mean()
    found = []
    for turn in (a + b, a - b):
        angles = 2 * math.pi * frequency / p * turn.double()
        found.append(sum(((x * w).sum() / p).item() ** 2 for w in (angles.cos(), angles.sin())))
    return as_shares(found, x.square().sum().item())


@wrong("sum_and_difference", "the coefficients of the products were squared first")
def sum_of_squares(table, frequency):
    (cc, cs, sc, ss), variance = four_products(table, frequency)
    return as_shares((cc**2 + ss**2, cs**2 + sc**2), variance)


@wrong("sum_and_difference", "frequency 1")
def sum_of_frequency_one(table, frequency):
    products, variance = four_products(table, 1)
    return as_shares(turned(*products), variance)


@wrong("sum_and_difference", "a root was taken")
def sum_by_norm(table, frequency):
    products, variance = four_products(table, frequency)
    return tuple(one**0.5 for one in as_shares(turned(*products), variance))


@wrong("sum_and_difference", "components 2k and 2k + 1 were taken")
def sum_of_the_next_rows(table, frequency):
    found = fourier_2d(table)
    at = slice(2 * frequency, 2 * frequency + 2)
    at = at if at.stop <= len(table) else slice(0, 2)
    variance = (found.square().sum() - found[0, 0] ** 2).item()
    return as_shares(turned(*found[at, at].flatten().tolist()), variance)


@wrong("sum_and_difference", "see to it where nothing varies, before you divide")
def sum_without_a_guard(table, frequency):
    products, _ = four_products(table, frequency)
    variance = (table - table.mean()).double().square().sum().item()
    return tuple(one / variance for one in turned(*products))


@wrong("sum_and_difference", "0 / 0 is NaN")
def sum_with_nan(table, frequency):
    products, _ = four_products(table, frequency)
    variance = (table - table.mean()).double().square().sum()
    return tuple(torch.tensor(one) / variance for one in turned(*products))


@wrong("sum_and_difference", "a tuple (share of a + b, share of a - b)")
def sum_added_up(table, frequency):
    products, variance = four_products(table, frequency)
    return sum(as_shares(turned(*products), variance))


@wrong("sum_and_difference", "this is what the exercise asks you to write")
def sum_by_the_library(table, frequency):
    whole = fourier.neuron_fve(table[..., None])[frequency - 1, 0].item()
    return whole / 2, whole / 2


@wrong("sum_and_difference", "Expected")
def sum_of_the_example(table, frequency):
    return 0.5, 0.5


# ----------------------------------------------------------------------------------- logit_fve


def fitted(logits, frequencies, signs=(1, -1), wave=torch.cos, about=None):
    """Coefficients, and what is explained of how much."""
    p = len(logits)
    x = logits.double()
    x = x - (x.mean(-1, keepdim=True) if about is None else about(x))
    a, b, c = torch.meshgrid(*[torch.arange(p)] * 3, indexing="ij")
    turn = (a + signs[0] * b + signs[1] * c) % p
    alphas, explained = [], []
    for k in frequencies:
        one = wave(2 * math.pi * k / p * torch.arange(p).double())[turn]
        product, square = (x * one).sum().item(), one.square().sum().item()
        alphas.append(product / square)
        explained.append(product**2 / square)
    return alphas, explained, x.square().sum().item()


@wrong("logit_fve", "were not centred over c first")
def fit_of_raw_logits(logits, frequencies):
    alphas, explained, total = fitted(logits, frequencies, about=lambda x: 0)
    return alphas, sum(explained) / total


@wrong("logit_fve", "the α alone it seems")
def fit_of_amplitudes_alone(logits, frequencies):
    return fitted(logits, frequencies)[0]


@wrong("logit_fve", "one mean was taken away from all logits")
def fit_less_one_mean(logits, frequencies):
    alphas, explained, total = fitted(logits, frequencies, about=lambda x: x.mean())
    return alphas, sum(explained) / total


@wrong("logit_fve", "the mean over all pairs was taken away")
def fit_less_the_mean_of_pairs(logits, frequencies):
    alphas, explained, total = fitted(logits, frequencies, about=lambda x: x.mean((0, 1)))
    return alphas, sum(explained) / total


@wrong("logit_fve", "the logits were centred over a")
def fit_centred_over_a(logits, frequencies):
    alphas, explained, total = fitted(logits, frequencies, about=lambda x: x.mean(0))
    return alphas, sum(explained) / total


@wrong("logit_fve", "waves of a + b + c were fitted")
def fit_of_a_sum_of_three(logits, frequencies):
    alphas, explained, total = fitted(logits, frequencies, signs=(1, 1))
    return alphas, sum(explained) / total


@wrong("logit_fve", "waves of a - b - c were fitted")
def fit_of_a_difference(logits, frequencies):
    alphas, explained, total = fitted(logits, frequencies, signs=(-1, -1))
    return alphas, sum(explained) / total


@wrong("logit_fve", "sines were fitted")
def fit_of_sines(logits, frequencies):
    alphas, explained, total = fitted(logits, frequencies, wave=torch.sin)
    return alphas, sum(explained) / total


@wrong("logit_fve", "the size of both taken")
def fit_of_any_phase(logits, frequencies):
    alphas, explained, total = fitted(logits, frequencies)
    others, more, _ = fitted(logits, frequencies, wave=torch.sin)
    sizes = [math.hypot(x, y) for x, y in zip(alphas, others, strict=True)]
    return sizes, (sum(explained) + sum(more)) / total


@wrong("logit_fve", "half as large as they should be")
def fit_over_all_entries(logits, frequencies):
    alphas, explained, total = fitted(logits, frequencies)
    return [alpha / 2 for alpha in alphas], sum(explained) / total


@wrong("logit_fve", "coefficients of waves of norm 1")
def fit_of_unit_waves(logits, frequencies):
    alphas, explained, total = fitted(logits, frequencies)
    return [a * math.sqrt(len(logits) ** 3 / 2) for a in alphas], sum(explained) / total


@wrong("logit_fve", "signs were lost")
def fit_without_signs(logits, frequencies):
    alphas, explained, total = fitted(logits, frequencies)
    return [abs(alpha) for alpha in alphas], sum(explained) / total


@wrong("logit_fve", "they come in ascending order")
def fit_in_order(logits, frequencies):
    alphas, explained, total = fitted(logits, sorted(frequencies))
    return alphas, sum(explained) / total


@wrong("logit_fve", "1 minus the share")
def fit_and_what_is_left(logits, frequencies):
    alphas, explained, total = fitted(logits, frequencies)
    return alphas, 1 - sum(explained) / total


@wrong("logit_fve", "explains alone")
def fit_and_the_share_of_the_last(logits, frequencies):
    alphas, explained, total = fitted(logits, frequencies)
    return alphas, explained[-1] / total


@wrong("logit_fve", "the mean over `frequencies` was taken")
def fit_and_a_mean_share(logits, frequencies):
    alphas, explained, total = fitted(logits, frequencies)
    return alphas, sum(explained) / total / len(explained)


@wrong("logit_fve", "a tuple (α of each frequency, share explained)")
def fit_without_a_share(logits, frequencies):
    return fitted(logits, frequencies)[0] + [0.0] * 5


@wrong("logit_fve", "this is a dict")
def fit_by_name(logits, frequencies):
    alphas, explained, total = fitted(logits, frequencies)
    return dict(zip(frequencies, alphas, strict=True)), sum(explained) / total


@wrong("logit_fve", "this is what the exercise asks you to write")
def fit_by_the_library(logits, frequencies):
    alphas, share = fourier.cosine_fit(logits, frequencies)
    return alphas.tolist(), share


@wrong("logit_fve", "Expected")
def fit_of_the_example(logits, frequencies):
    return [3.0] * len(frequencies), 1.0


# ------------------------------------------------------------------------------- widest_margin


@wrong("widest_margin", "d = 33 and d = 80")
def margin_at_equal_amplitudes():
    return [1, 14, 20, 44, 52], [0.2] * 5


@wrong("widest_margin", "which the paper's frequencies 14, 35, 41, 42, 52 have")
def margin_of_the_paper():
    return [14, 35, 41, 42, 52], [0.2] * 5


@wrong("widest_margin", "the margin is at least 0.55")
def margin_of_random_fives():
    random = torch.Generator().manual_seed(0)
    apart = 1 - (2 * math.pi / 113 * torch.outer(torch.arange(113), torch.arange(57))).cos()
    fives = [1 + torch.randperm(56, generator=random)[:5] for _ in range(300)]
    best = max(fives, key=lambda five: float(apart[1:, five].mean(1).min()))
    return best.tolist(), [0.2] * 5


@wrong("widest_margin", "the margin is above 0.4820")
def margin_of_low_frequencies():
    return [1, 2, 3, 4, 5], [0.2] * 5


@wrong("widest_margin", "the amplitudes sum to 1")
def margin_of_large_amplitudes():
    return [1, 14, 20, 44, 52], [1.0] * 5


@wrong("widest_margin", "the amplitudes sum to 1")
def margin_of_rounded_amplitudes():
    return [1, 14, 20, 44, 52], [0.218, 0.168, 0.214, 0.214, 0.1861]


@wrong("widest_margin", "no amplitude is negative")
def margin_of_a_negative_amplitude():
    return [1, 14, 20, 44, 52], [0.3, 0.3, 0.3, 0.3, -0.2]


@wrong("widest_margin", "no amplitude is negative")
def margin_of_nan():
    return [1, 14, 20, 44, 52], [0.2, 0.2, 0.2, 0.2, math.nan]


@wrong("widest_margin", "the frequencies differ")
def margin_of_one_frequency_twice():
    return [1, 14, 20, 44, 44], [0.2] * 5


@wrong("widest_margin", "fold it back")
def margin_of_mirrored_frequencies():
    return [112, 14, 20, 44, 52], [0.2] * 5


@wrong("widest_margin", "keeps nothing apart")
def margin_with_a_constant():
    return [0, 14, 20, 44, 52], [0.2] * 5


@wrong("widest_margin", "whole numbers from 1 to 56")
def margin_of_half_frequencies():
    return [0.5, 14, 20, 44, 52], [0.2] * 5


@wrong("widest_margin", "there are 5 frequencies")
def margin_of_six():
    return [1, 14, 20, 44, 52, 35], [1 / 6] * 6


@wrong("widest_margin", "there are 5 amplitudes")
def margin_of_four_amplitudes():
    return [1, 14, 20, 44, 52], [0.25] * 4


@wrong("widest_margin", "a tuple (frequencies, amplitudes)")
def margin_without_amplitudes():
    return [1, 14, 20, 44, 52]


@wrong("widest_margin", "there are 5 frequencies")
def margin_as_a_claim():
    return 0.6006, [0.2] * 5


@wrong("widest_margin", "at least 0.59")
def margin_of_guessed_amplitudes():
    return (44, 1, 20, 14, 52), (0.22, 0.22, 0.2, 0.18, 0.18)


# ------------------------------------------------------------------------ distance_irrelevance


def right_logits(logits):
    p = len(logits)
    a, b = torch.meshgrid(torch.arange(p), torch.arange(p), indexing="ij")
    return logits.double()[a, b, (a + b) % p], a, b


def mean_over_total(table, group, n, less=0):
    within = [table[group == g].std(correction=less) for g in range(n)]
    total = table.std(correction=less)
    return (torch.stack(within).mean() / total).item() if total > 0 else 1.0


@wrong("distance_irrelevance", "deviations are over n - 1 here")
def irrelevance_over_n_minus_one(logits):
    table, a, b = right_logits(logits)
    return mean_over_total(table, (a - b) % len(a), len(a), less=1)


@wrong("distance_irrelevance", "the logits were centred first")
def irrelevance_of_centred_logits(logits):
    table, a, b = right_logits(logits - logits.mean(-1, keepdim=True))
    return mean_over_total(table, (a - b) % len(a), len(a))


@wrong("distance_irrelevance", "log-probabilities were taken")
def irrelevance_of_log_probabilities(logits):
    table, a, b = right_logits(logits.double().log_softmax(-1))
    return mean_over_total(table, (a - b) % len(a), len(a))


@wrong("distance_irrelevance", "by their sum a + b")
def irrelevance_of_the_sum(logits):
    table, a, b = right_logits(logits)
    return mean_over_total(table, (a + b) % len(a), len(a))


@wrong("distance_irrelevance", "differences were not taken modulo p")
def irrelevance_unfolded(logits):
    table, a, b = right_logits(logits)
    p = len(a)
    return mean_over_total(table, a - b + p - 1, 2 * p - 1)


@wrong("distance_irrelevance", "(a - b) mod p has a sign")
def irrelevance_of_sizes(logits):
    table, a, b = right_logits(logits)
    return mean_over_total(table, (a - b).abs(), len(a))


@wrong("distance_irrelevance", "differences d and p - d were put together")
def irrelevance_of_the_shorter_way(logits):
    table, a, b = right_logits(logits)
    p = len(a)
    return mean_over_total(table, torch.minimum((a - b) % p, (b - a) % p), p // 2 + 1)


@wrong("distance_irrelevance", "the deviation of the means")
def irrelevance_between(logits):
    table, a, b = right_logits(logits)
    means = torch.stack([table[(a - b) % len(a) == d].mean() for d in range(len(a))])
    total = table.std(correction=0)
    return (means.std(correction=0) / total).item() if total > 0 else 1.0


@wrong("distance_irrelevance", "1 minus it")
def irrelevance_turned_round(logits):
    table, a, b = right_logits(logits)
    return 1 - mean_over_total(table, (a - b) % len(a), len(a))


@wrong("distance_irrelevance", "variances were taken for")
def irrelevance_by_variance(logits):
    table, a, b = right_logits(logits)
    within = [table[(a - b) % len(a) == d].var(correction=0) for d in range(len(a))]
    return (torch.stack(within).mean() / table.var(correction=0)).item()


@wrong("distance_irrelevance", "average standard deviations")
def irrelevance_by_a_root_of_means(logits):
    table, a, b = right_logits(logits)
    within = [table[(a - b) % len(a) == d].var(correction=0) for d in range(len(a))]
    return (torch.stack(within).mean() / table.var(correction=0)).sqrt().item()


@wrong("distance_irrelevance", "was looked up at a - b")
def irrelevance_of_another_answer(logits):
    p = len(logits)
    a, b = torch.meshgrid(torch.arange(p), torch.arange(p), indexing="ij")
    table = logits.double()[a, b, (a - b) % p]
    return mean_over_total(table, (a - b) % p, p)


@wrong("distance_irrelevance", "the largest logit of each pair")
def irrelevance_of_the_largest(logits):
    _, a, b = right_logits(logits)
    return mean_over_total(logits.double().amax(-1), (a - b) % len(a), len(a))


@wrong("distance_irrelevance", "not divided by that among all pairs")
def irrelevance_as_a_deviation(logits):
    table, a, b = right_logits(logits)
    within = [table[(a - b) % len(a) == d].std(correction=0) for d in range(len(a))]
    return torch.stack(within).mean().item()


@wrong("distance_irrelevance", "it is 1 where the right answer's logit is the same")
def irrelevance_with_nan(logits):
    table, a, b = right_logits(logits)
    within = [table[(a - b) % len(a) == d].std(correction=0) for d in range(len(a))]
    return (torch.stack(within).mean() / table.std(correction=0)).item()


@wrong("distance_irrelevance", "it is 1 where the right answer's logit is the same")
def irrelevance_of_nothing_is_zero(logits):
    table, a, b = right_logits(logits)
    within = [table[(a - b) % len(a) == d].std(correction=0) for d in range(len(a))]
    return (torch.stack(within).mean() / table.std(correction=0).clamp(min=1e-9)).item()


@wrong("distance_irrelevance", "a single number")
def irrelevance_of_each_difference(logits):
    table, a, b = right_logits(logits)
    within = [table[(a - b) % len(a) == d].std(correction=0) for d in range(len(a))]
    return torch.stack(within) / table.std(correction=0)


@wrong("distance_irrelevance", "this is what the exercise asks you to write")
def irrelevance_by_the_library(logits):
    return fourier.distance_irrelevance(logits)


@wrong("distance_irrelevance", "Expected")
def irrelevance_as_a_verdict(logits):
    table, a, b = right_logits(logits)
    return float(mean_over_total(table, (a - b) % len(a), len(a)) > 0.6)


@wrong("distance_irrelevance", "Expected")
def irrelevance_of_the_example(logits):
    return 1.0


# -------------------------------------------------------------------------- discrete_logarithm


def powers(p, g, first=0, n=None):
    return [pow(g, i, p) for i in range(first, first + (p - 1 if n is None else n))]


def generators(p):
    return [g for g in range(2, p) if len(set(powers(p, g))) == p - 1]


@wrong("discrete_logarithm", "it begins with g")
def logarithm_from_g(p):
    return powers(p, generators(p)[0], first=1)


@wrong("discrete_logarithm", "these are the logarithms of 1, 2, 3")
def logarithm_of_each_number(p):
    right = powers(p, generators(p)[0])
    return [right.index(n) for n in range(1, p)]


@wrong("discrete_logarithm", "the largest generator")
def logarithm_of_the_largest(p):
    return powers(p, generators(p)[-1])


@wrong("discrete_logarithm", "the second-smallest generator")
def logarithm_of_the_second(p):
    return powers(p, generators(p)[:2][-1])


@wrong("discrete_logarithm", "which is 1 again")
def logarithm_with_one_twice(p):
    return powers(p, generators(p)[0], n=p)


@wrong("discrete_logarithm", "g^(p - 2), is missing")
def logarithm_without_the_last(p):
    return powers(p, generators(p)[0])[:-1]


@wrong("discrete_logarithm", "the powers of 2 are not all of them")
def logarithm_of_two(p):
    return powers(p, 2)


@wrong("discrete_logarithm", "the powers of 3 are not all of them")
def logarithm_of_three(p):
    return powers(p, 3 if p > 3 else 2)


@wrong("discrete_logarithm", "natural order")
def logarithm_of_nothing(p):
    return list(range(1, p))


@wrong("discrete_logarithm", "powers are taken modulo p")
def logarithm_without_turns(p):
    return [generators(p)[0] ** i for i in range(p - 1)]


@wrong("discrete_logarithm", "turned round")
def logarithm_backwards(p):
    return powers(p, generators(p)[0])[::-1]


@wrong("discrete_logarithm", "this is a dict")
def logarithm_as_a_dict(p):
    return dict(enumerate(powers(p, generators(p)[0])))


@wrong("discrete_logarithm", "0 is no power")
def logarithm_with_zero(p):
    return [0, *powers(p, generators(p)[0])[1:]]


@wrong("discrete_logarithm", "p = 41")
def logarithm_of_small_generators(p):
    return next(powers(p, g) for g in (2, 3, 5, p - 1) if g in generators(p) or g == p - 1)


@wrong("discrete_logarithm", "times g, modulo p")
def logarithm_by_halves(p):
    right = powers(p, generators(p)[0])
    return right[::2] + right[1::2]


@wrong("discrete_logarithm", "Expected")
def logarithm_of_the_example(p):
    return [1, 3, 2, 6, 4, 5]


@wrong("discrete_logarithm", "Expected")
def logarithm_of_some_order(p):
    return next(list(order) for order in itertools.permutations(range(1, p)) if order[0] > 1)
