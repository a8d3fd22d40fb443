"""Wrong answers to `ch03_grokking/4_progress_measures.ipynb`, with words a check must say."""

import itertools
import math
import random as python_random

import torch
import torch.nn.functional as F

from mechcourse import fourier
from mechcourse.modular import all_pairs, exact_cross_entropy
from tests.checks.harness import wrong

# ----------------------------------------------------------------- project_onto_key_directions


def pairs_of(p):
    """a and b over all pairs, [p p] each."""
    return torch.meshgrid(torch.arange(p), torch.arange(p), indexing="ij")


def two_waves(p, frequencies, number):
    """Waves of a number that each pair has, each of norm 1, [wave pair]."""
    rows = [torch.zeros(0, p * p).double()]
    for k in frequencies:
        angles = 2 * math.pi * k / p * number.double().flatten()
        rows.append(torch.stack([angles.cos(), angles.sin()]))
    rows = torch.cat(rows)
    return rows / rows.norm(dim=1, keepdim=True).clamp(min=1e-9)


def projected(logits, rows):
    flat = logits.double().flatten(0, 1)
    return (rows.T @ (rows @ flat)).view(logits.shape)


def sum_rows(p, frequencies):
    a, b = pairs_of(p)
    return two_waves(p, frequencies, a + b)


def product_rows(p, frequencies):
    a, b = pairs_of(p)
    return torch.cat([two_waves(p, frequencies, a + b), two_waves(p, frequencies, a - b)])


@wrong("project_onto_key_directions", "waves of a - b were kept as well")
def part_of_all_products(logits, frequencies):
    return projected(logits, product_rows(len(logits), frequencies))


@wrong("project_onto_key_directions", "all eight waves of a frequency were kept; only")
def part_of_eight_waves(logits, frequencies):
    a, b = pairs_of(len(logits))
    rows = [two_waves(len(logits), frequencies, number) for number in (a + b, a - b, a, b)]
    return projected(logits, torch.cat(rows))


@wrong("project_onto_key_directions", "all eight waves of a frequency were kept, and the constant")
def part_of_a_block(logits, frequencies):
    p = len(logits)
    basis = fourier_basis(p)
    whole = torch.einsum("ia,jb,abc->ijc", basis, basis, logits.double())
    keep = torch.zeros_like(whole)
    for k in frequencies:
        for i, j in itertools.product([0, 2 * k - 1, 2 * k], repeat=2):
            keep[i, j] = whole[i, j]
    return torch.einsum("ia,jb,ijc->abc", basis, basis, keep)


@wrong("project_onto_key_directions", "these are waves of a alone and of b alone")
def part_of_single_numbers(logits, frequencies):
    a, b = pairs_of(len(logits))
    rows = [two_waves(len(logits), frequencies, number) for number in (a, b)]
    return projected(logits, torch.cat(rows))


@wrong("project_onto_key_directions", "these are waves of a alone.")
def part_of_a(logits, frequencies):
    p = len(logits)
    rows = fourier_basis(p)[[row for k in frequencies for row in (2 * k - 1, 2 * k)]]
    sums = logits.double().mean(dim=1)
    return (rows.T @ rows @ sums)[:, None].expand(p, p, p)


@wrong("project_onto_key_directions", "these are waves of a - b")
def part_of_differences(logits, frequencies):
    a, b = pairs_of(len(logits))
    return projected(logits, two_waves(len(logits), frequencies, a - b))


@wrong("project_onto_key_directions", "only cosines were kept")
def part_of_cosines(logits, frequencies):
    return projected(logits, sum_rows(len(logits), frequencies)[::2])


@wrong("project_onto_key_directions", "only sines were kept")
def part_of_sines(logits, frequencies):
    return projected(logits, sum_rows(len(logits), frequencies)[1::2])


@wrong("project_onto_key_directions", "these are waves of c")
def part_along_c(logits, frequencies):
    rows = fourier_basis(len(logits))[[r for k in frequencies for r in (2 * k - 1, 2 * k)]]
    return logits.double() @ rows.T @ rows


@wrong("project_onto_key_directions", "waves of a + b - c were fitted to all logits at once")
def part_of_the_diagonal(logits, frequencies):
    p, found = len(logits), torch.zeros(logits.shape).double()
    a, b, c = torch.meshgrid(*[torch.arange(p)] * 3, indexing="ij")
    for k in frequencies:
        angles = 2 * math.pi * k * (a + b - c).double() / p
        for wave in (angles.cos(), angles.sin()):
            found += wave * (wave * logits).sum() / wave.square().sum()
    return found


@wrong("project_onto_key_directions", "cos of a + b - c was fitted")
def part_of_the_diagonals_cosine(logits, frequencies):
    p, found = len(logits), torch.zeros(logits.shape).double()
    a, b, c = torch.meshgrid(*[torch.arange(p)] * 3, indexing="ij")
    for k in frequencies:
        wave = (2 * math.pi * k * (a + b - c).double() / p).cos()
        found += wave * (wave * logits).sum() * 2 / p**3
    return found


@wrong("project_onto_key_directions", "these are waves of b + c")
def part_with_axes_moved(logits, frequencies):
    turned = logits.permute(1, 2, 0)
    return projected(turned, sum_rows(len(logits), frequencies)).permute(2, 0, 1)


@wrong("project_onto_key_directions", "it is p² / 2 times too large")
def part_without_norms(logits, frequencies):
    p = len(logits)
    return projected(logits, sum_rows(p, frequencies) * p / math.sqrt(2))


@wrong("project_onto_key_directions", "it is p times too large")
def part_by_rows_of_the_basis(logits, frequencies):
    p = len(logits)
    return projected(logits, sum_rows(p, frequencies) * math.sqrt(p))


@wrong("project_onto_key_directions", "norm 1 is needed both where a wave is looked for")
def part_with_one_norm(logits, frequencies):
    p = len(logits)
    return projected(logits, sum_rows(p, frequencies)) * p / math.sqrt(2)


@wrong("project_onto_key_directions", "it is half as large as it should be")
def part_by_half(logits, frequencies):
    p = len(logits)
    rows = sum_rows(p, frequencies) * p / math.sqrt(2)
    return projected(logits, rows) / p**2


@wrong("project_onto_key_directions", "it is twice as large as it should be")
def part_by_two_products(logits, frequencies):
    p = len(logits)
    basis, x = fourier_basis(p), logits.double()
    found = torch.zeros_like(x)
    for k in frequencies:
        cos, sin = basis[2 * k - 1], basis[2 * k]
        for wave in (
            torch.outer(cos, cos) - torch.outer(sin, sin),
            torch.outer(sin, cos) + torch.outer(cos, sin),
        ):
            found += wave[..., None] * torch.einsum("ab,abc->c", wave, x)
    return found


@wrong("project_onto_key_directions", "it is p times too small")
def part_over_p(logits, frequencies):
    p = len(logits)
    return projected(logits, sum_rows(p, frequencies) / math.sqrt(p))


@wrong("project_onto_key_directions", "each pair's mean over c was taken away first")
def part_of_centred_logits(logits, frequencies):
    centred = logits - logits.mean(dim=-1, keepdim=True)
    return projected(centred, sum_rows(len(logits), frequencies))


@wrong("project_onto_key_directions", "the mean logits were kept as well")
def part_with_the_mean(logits, frequencies):
    mean = logits.double().mean(dim=(0, 1))
    return mean + projected(logits, sum_rows(len(logits), frequencies))


@wrong("project_onto_key_directions", "this is what is left")
def part_that_is_left(logits, frequencies):
    return logits - projected(logits, sum_rows(len(logits), frequencies))


@wrong("project_onto_key_directions", "all frequencies were kept, not `frequencies` alone")
def part_of_all_frequencies(logits, frequencies):
    if not frequencies:
        return torch.zeros(logits.shape)
    p = len(logits)
    return projected(logits, sum_rows(p, range(1, p // 2 + 1)))


@wrong("project_onto_key_directions", "all that depends on a + b was kept")
def part_of_the_sums(logits, frequencies):
    p = len(logits)
    a, b = pairs_of(p)
    means = torch.stack([logits[(a + b) % p == s].double().mean(dim=0) for s in range(p)])
    return means[(a + b) % p]


@wrong("project_onto_key_directions", "frequencies are one too high")
def part_one_too_high(logits, frequencies):
    return projected(logits, sum_rows(len(logits), [k + 1 for k in frequencies]))


@wrong("project_onto_key_directions", "sin k and cos (k + 1) were put together")
def part_of_neighbouring_rows(logits, frequencies):
    p = len(logits)
    a, b = pairs_of(p)
    rows = [r for k in frequencies for r in (2 * k, 2 * k + 1) if r < p]
    waves = fourier_basis(p)[rows][:, ((a + b) % p).flatten()] / p**0.5
    return projected(logits, waves)


@wrong("project_onto_key_directions", "these are frequencies 1, 2, 3 and so on")
def part_of_the_first_frequencies(logits, frequencies):
    return projected(logits, sum_rows(len(logits), range(1, len(frequencies) + 1)))


@wrong("project_onto_key_directions", "this is the last of `frequencies` alone")
def part_of_the_last(logits, frequencies):
    found = torch.zeros(logits.shape).double()
    for k in frequencies:
        found = projected(logits, sum_rows(len(logits), [k]))
    return found


@wrong("project_onto_key_directions", "no frequency at all leaves nothing")
def part_of_no_frequency_is_everything(logits, frequencies):
    if not frequencies:
        return logits
    return projected(logits, sum_rows(len(logits), frequencies))


@wrong("project_onto_key_directions", "an empty list has to be let through")
def part_by_stacking(logits, frequencies):
    a, b = pairs_of(len(logits))
    tables = [two_waves(len(logits), [k], a + b) for k in frequencies]
    return torch.stack([projected(logits, rows) for rows in tables]).sum(0)


@wrong("project_onto_key_directions", "these are coefficients")
def part_as_coefficients(logits, frequencies):
    return sum_rows(len(logits), frequencies) @ logits.double().flatten(0, 1)


@wrong("project_onto_key_directions", "the axis of pairs is to be a and b again")
def part_over_flat_pairs(logits, frequencies):
    return projected(logits, sum_rows(len(logits), frequencies)).flatten(0, 1)


@wrong("project_onto_key_directions", "What should hold: for each number c")
def part_of_the_mean_number(logits, frequencies):
    part = projected(logits, sum_rows(len(logits), frequencies))
    return part.mean(dim=2, keepdim=True).expand(logits.shape)


@wrong("project_onto_key_directions", "this is what the exercise asks you to write")
def part_by_the_library(logits, frequencies):
    return fourier.sum_part(logits, frequencies)


@wrong("project_onto_key_directions", "this is what the exercise asks you to write")
def part_by_the_librarys_waves(logits, frequencies):
    return projected(logits, fourier.sum_waves(len(logits), frequencies).flatten(1))


@wrong("project_onto_key_directions", "this is what the exercise asks you to write")
def part_by_what_the_library_leaves(logits, frequencies):
    return logits.double() - fourier.excluded_logits(logits, frequencies)


@wrong("project_onto_key_directions", "Expected")
def part_of_the_example(logits, frequencies):
    p = len(logits)
    a, b, c = torch.meshgrid(*[torch.arange(p)] * 3, indexing="ij")
    return (2 * math.pi * 2 * (a + b) / p).sin() * c


# ----------------------------------------------------------------------------- restricted_loss


def of_keys(logits, frequencies):
    return projected(logits, sum_rows(len(logits), frequencies))


def right_answers(p):
    a, b = pairs_of(p)
    return (a + b) % p


def own_losses(logits):
    return exact_cross_entropy(logits, right_answers(len(logits)))


def kept_of(logits, frequencies):
    return logits.double().mean(dim=(0, 1)) + of_keys(logits, frequencies)


@wrong("restricted_loss", "the mean logits were left out")
def restricted_without_the_mean(logits, frequencies):
    return own_losses(of_keys(logits, frequencies)).mean().item()


@wrong("restricted_loss", "the softmax does not see it")
def restricted_with_a_mean_over_c(logits, frequencies):
    mean = logits.double().mean(dim=-1, keepdim=True)
    return own_losses(mean + of_keys(logits, frequencies)).mean().item()


@wrong("restricted_loss", "the mean was taken over a alone")
def restricted_with_a_mean_over_a(logits, frequencies):
    return own_losses(logits.double().mean(0) + of_keys(logits, frequencies)).mean().item()


@wrong("restricted_loss", "the mean was taken over b alone; it")
def restricted_with_a_mean_over_b(logits, frequencies):
    mean = logits.double().mean(1, keepdim=True)
    return own_losses(mean + of_keys(logits, frequencies)).mean().item()


@wrong("restricted_loss", "everything but the waves: the excluded logits")
def restricted_swapped(logits, frequencies):
    return own_losses(logits - of_keys(logits, frequencies)).mean().item()


@wrong("restricted_loss", "the softmax was taken over b, not over c")
def restricted_over_the_wrong_axis(logits, frequencies):
    p = len(logits)
    a, b = pairs_of(p)
    kept = logits.double().mean(dim=(0, 1)) + of_keys(logits, frequencies)
    return F.cross_entropy(kept, (a + b) % p).item()


@wrong("restricted_loss", "this is the model's own loss")
def restricted_of_the_model(logits, frequencies):
    return own_losses(logits).mean().item()


@wrong("restricted_loss", "waves of a - b were kept as well")
def restricted_to_products(logits, frequencies):
    part = projected(logits, product_rows(len(logits), frequencies))
    return own_losses(logits.double().mean((0, 1)) + part).mean().item()


@wrong("restricted_loss", "only cosines were kept")
def restricted_to_cosines(logits, frequencies):
    part = projected(logits, sum_rows(len(logits), frequencies)[::2])
    return own_losses(logits.double().mean((0, 1)) + part).mean().item()


@wrong("restricted_loss", "all frequencies were kept")
def restricted_to_all(logits, frequencies):
    return own_losses(kept_of(logits, range(1, len(logits) // 2 + 1))).mean().item()


@wrong("restricted_loss", "losses were added up")
def restricted_summed(logits, frequencies):
    return own_losses(kept_of(logits, frequencies)).sum().item()


@wrong("restricted_loss", "these are losses of single pairs")
def restricted_of_each_pair(logits, frequencies):
    return own_losses(kept_of(logits, frequencies))


@wrong("restricted_loss", "it is in bits")
def restricted_in_bits(logits, frequencies):
    return own_losses(kept_of(logits, frequencies)).mean().item() / math.log(2)


@wrong("restricted_loss", "against a - b")
def restricted_to_differences(logits, frequencies):
    a, b = pairs_of(len(logits))
    kept = kept_of(logits, frequencies)
    return exact_cross_entropy(kept, (a - b) % len(logits)).mean().item()


@wrong("restricted_loss", "this is what float32 gives")
def restricted_in_float32(logits, frequencies):
    p = len(logits)
    kept = kept_of(logits, frequencies).float().view(p * p, p)
    return F.cross_entropy(kept, right_answers(p).flatten()).item()


@wrong("restricted_loss", "this is what float32 gives")
def restricted_in_float32_pair_by_pair(logits, frequencies):
    log_probs = kept_of(logits, frequencies).float().log_softmax(-1)
    own = log_probs.gather(2, right_answers(len(logits))[..., None])
    return float(-own.double().mean())


@wrong("restricted_loss", "a loss below 0")
def restricted_with_an_epsilon(logits, frequencies):
    probs = kept_of(logits, frequencies).softmax(-1)
    own = probs.gather(2, right_answers(len(logits))[..., None])
    return -(own + 1e-7).log().mean().item()


@wrong("restricted_loss", "sure and wrong")
def restricted_cut_off(logits, frequencies):
    probs = kept_of(logits, frequencies).softmax(-1)
    own = probs.gather(2, right_answers(len(logits))[..., None])
    return -own.clamp(min=1e-12).log().mean().item()


@wrong("restricted_loss", "the log of the mean probability")
def restricted_by_mean_probability(logits, frequencies):
    return -(-own_losses(kept_of(logits, frequencies))).exp().mean().log().item()


@wrong("restricted_loss", "this is what the exercise asks you to write")
def restricted_by_the_library(logits, frequencies):
    return fourier.restricted_loss(logits, frequencies)


@wrong("restricted_loss", "this is what the exercise asks you to write")
def restricted_by_the_librarys_logits(logits, frequencies):
    return fourier.loss_on(fourier.restricted_logits(logits, frequencies))


@wrong("restricted_loss", "Expected")
def restricted_of_the_example(logits, frequencies):
    return 1.87e-13


# ------------------------------------------------------------------------------- excluded_loss


def left_of(logits, frequencies):
    return logits.double() - of_keys(logits, frequencies)


@wrong("excluded_loss", "the loss is over all pairs")
def excluded_over_all(logits, frequencies, is_train):
    return own_losses(left_of(logits, frequencies)).mean().item()


@wrong("excluded_loss", "over the pairs that were not trained on")
def excluded_over_test(logits, frequencies, is_train):
    return own_losses(left_of(logits, frequencies))[~is_train].mean().item()


@wrong("excluded_loss", "the mean logits were taken away, too")
def excluded_without_the_mean(logits, frequencies, is_train):
    left = left_of(logits, frequencies) - logits.double().mean((0, 1))
    return own_losses(left)[is_train].mean().item()


@wrong("excluded_loss", "this is the loss of the waves and the mean")
def excluded_swapped(logits, frequencies, is_train):
    return own_losses(kept_of(logits, frequencies))[is_train].mean().item()


@wrong("excluded_loss", "the mean logits were added once more")
def excluded_with_the_mean_twice(logits, frequencies, is_train):
    left = logits.double() - of_keys(logits, frequencies) + logits.double().mean(dim=(0, 1))
    return own_losses(left)[is_train].mean().item()


@wrong("excluded_loss", "nothing was taken away")
def excluded_of_the_model(logits, frequencies, is_train):
    return own_losses(logits)[is_train].mean().item()


@wrong("excluded_loss", "the waves were fitted over the pairs trained on alone")
def excluded_fitted_on_train(logits, frequencies, is_train):
    rows = sum_rows(len(logits), frequencies)[:, is_train.flatten()].T
    x = logits.double()[is_train]
    left = x - rows @ torch.linalg.lstsq(rows, x).solution
    answers = right_answers(len(logits))[is_train]
    return exact_cross_entropy(left, answers).mean().item()


@wrong("excluded_loss", "logits of the other pairs were set to 0 before the projection")
def excluded_from_part_of_the_pairs(logits, frequencies, is_train):
    rows = sum_rows(len(logits), frequencies)[:, is_train.flatten()]
    x = logits.double()[is_train]
    answers = right_answers(len(logits))[is_train]
    return exact_cross_entropy(x - rows.T @ (rows @ x), answers).mean().item()


@wrong("excluded_loss", "a and b are in each other's place in `is_train`")
def excluded_turned(logits, frequencies, is_train):
    return own_losses(left_of(logits, frequencies)).T[is_train].mean().item()


@wrong("excluded_loss", "divided by the number of all pairs")
def excluded_by_a_masked_mean(logits, frequencies, is_train):
    return (own_losses(left_of(logits, frequencies)) * is_train).mean().item()


@wrong("excluded_loss", "the losses were added up")
def excluded_summed(logits, frequencies, is_train):
    return own_losses(left_of(logits, frequencies))[is_train].sum().item()


@wrong("excluded_loss", "it is in bits")
def excluded_in_bits(logits, frequencies, is_train):
    return own_losses(left_of(logits, frequencies))[is_train].mean().item() / math.log(2)


@wrong("excluded_loss", "waves of a - b were taken away as well")
def excluded_without_products(logits, frequencies, is_train):
    left = logits - projected(logits, product_rows(len(logits), frequencies))
    return own_losses(left)[is_train].mean().item()


@wrong("excluded_loss", "only cosines were taken away")
def excluded_without_cosines(logits, frequencies, is_train):
    left = logits - projected(logits, sum_rows(len(logits), frequencies)[::2])
    return own_losses(left)[is_train].mean().item()


@wrong("excluded_loss", "the median over pairs")
def excluded_by_the_median(logits, frequencies, is_train):
    return own_losses(left_of(logits, frequencies))[is_train].median().item()


@wrong("excluded_loss", "this is what float32 gives")
def excluded_in_float32(logits, frequencies, is_train):
    left = left_of(logits, frequencies).float()[is_train]
    return F.cross_entropy(left, right_answers(len(logits))[is_train]).item()


@wrong("excluded_loss", "the loss is cut off")
def excluded_cut_off(logits, frequencies, is_train):
    own = (-own_losses(left_of(logits, frequencies))[is_train]).exp()
    return -own.clamp(min=1e-12).log().mean().item()


@wrong("excluded_loss", "losses of single pairs")
def excluded_of_each_pair(logits, frequencies, is_train):
    return own_losses(left_of(logits, frequencies))[is_train]


@wrong("excluded_loss", "this is what the exercise asks you to write")
def excluded_by_the_library(logits, frequencies, is_train):
    return fourier.excluded_loss(logits, frequencies, all_pairs(len(logits))[is_train.flatten()])


@wrong("excluded_loss", "Expected")
def excluded_of_the_example(logits, frequencies, is_train):
    return math.log(len(logits))


# -------------------------------------------------------------------------------- three_phases


def ends(steps, excluded, restricted, test, rule, lowest=None):
    """The three steps, by a rule that gives a place, or None."""
    found = [float(steps[excluded.argmin() if lowest is None else lowest])]
    for losses in (restricted, test):
        place = rule(losses)
        found.append(math.inf if place is None else float(steps[place]))
    return tuple(found)


def first(where, start=0):
    """The first place from a start on, or None."""
    places = where[start:].nonzero().flatten()
    return None if not len(places) else start + int(places[0])


def after_peak(losses, cut):
    return first(losses < cut, int(losses.argmax()))


@wrong("three_phases", "the fall was looked for from the start")
def phases_from_the_start(steps, excluded, restricted, test, *, fallen):
    return ends(steps, excluded, restricted, test, lambda x: first(x < fallen * x.max()))


@wrong("three_phases", "`fallen` times their first value, not their peak")
def phases_of_the_first_value(steps, excluded, restricted, test, *, fallen):
    return ends(steps, excluded, restricted, test, lambda x: first(x < fallen * x[0]))


@wrong("three_phases", "after the peak, the losses were held against `fallen` times their first")
def phases_of_the_first_value_after_the_peak(steps, excluded, restricted, test, *, fallen):
    return ends(steps, excluded, restricted, test, lambda x: after_peak(x, fallen * x[0]))


@wrong("three_phases", "add the peak's place")
def phases_counted_from_the_peak(steps, excluded, restricted, test, *, fallen):
    ends = [float(steps[excluded.argmin()])]
    for losses in (restricted, test):
        peak = int(losses.argmax())
        below = (losses[peak:] < fallen * losses[peak]).nonzero()
        ends.append(float(steps[below[0, 0]]) if len(below) else math.inf)
    return tuple(ends)


@wrong("three_phases", "a look just at `fallen` times the peak does not count")
def phases_at_or_below(steps, excluded, restricted, test, *, fallen):
    def rule(x):
        return first(x <= fallen * x.max(), int(x.argmax()))

    return ends(steps, excluded, restricted, test, rule)


@wrong("three_phases", "the last of several largest values was taken for the peak")
def phases_from_the_last_peak(steps, excluded, restricted, test, *, fallen):
    def rule(x):
        return first(x < fallen * x.max(), int((x == x.max()).nonzero()[-1]))

    return ends(steps, excluded, restricted, test, rule)


@wrong("three_phases", "the last of several lowest excluded losses was taken")
def phases_from_the_last_lowest(steps, excluded, restricted, test, *, fallen):
    last = int((excluded == excluded.min()).nonzero()[-1])
    rule = lambda x: after_peak(x, fallen * x.max())  # noqa: E731
    return ends(steps, excluded, restricted, test, rule, last)


@wrong("three_phases", "looks were counted; steps are asked for")
def phases_in_looks(steps, excluded, restricted, test, *, fallen):
    rule = lambda x: after_peak(x, fallen * x.max())  # noqa: E731
    return ends(torch.arange(len(steps)), excluded, restricted, test, rule)


@wrong("three_phases", "`fallen` was ignored: half of the peak was taken")
def phases_by_half(steps, excluded, restricted, test, *, fallen):
    return ends(steps, excluded, restricted, test, lambda x: after_peak(x, 0.5 * x.max()))


@wrong("three_phases", "the loss was asked to fall by the share `fallen`")
def phases_by_what_is_gone(steps, excluded, restricted, test, *, fallen):
    return ends(steps, excluded, restricted, test, lambda x: after_peak(x, (1 - fallen) * x.max()))


@wrong("three_phases", "`fallen` was taken as a loss in nats")
def phases_in_nats(steps, excluded, restricted, test, *, fallen):
    return ends(steps, excluded, restricted, test, lambda x: after_peak(x, fallen))


@wrong("three_phases", "the loss was asked to stay below for the whole rest")
def phases_for_good(steps, excluded, restricted, test, *, fallen):
    def rule(x):
        last = int((x >= fallen * x.max()).nonzero()[-1])
        return last + 1 if last + 1 < len(x) else None

    return ends(steps, excluded, restricted, test, rule)


@wrong("three_phases", "of the way from the peak down to the lowest")
def phases_of_the_way_down(steps, excluded, restricted, test, *, fallen):
    def rule(x):
        return after_peak(x, x.min() + fallen * (x.max() - x.min()))

    return ends(steps, excluded, restricted, test, rule)


@wrong("three_phases", "a fall from an earlier, lower peak was taken")
def phases_from_any_peak(steps, excluded, restricted, test, *, fallen):
    def rule(x):
        return first(x < fallen * x.cummax(0).values)

    return ends(steps, excluded, restricted, test, rule)


@wrong("three_phases", "the look before was taken")
def phases_a_look_early(steps, excluded, restricted, test, *, fallen):
    def rule(x):
        place = after_peak(x, fallen * x.max())
        return None if place is None else place - 1

    return ends(steps, excluded, restricted, test, rule)


@wrong("three_phases", "restricted and test loss are in each other's place")
def phases_swapped(steps, excluded, restricted, test, *, fallen):
    return three_phases(steps, excluded, test, restricted, fallen=fallen)


@wrong("three_phases", "excluded and restricted loss are in each other's place")
def phases_of_other_losses(steps, excluded, restricted, test, *, fallen):
    return three_phases(steps, restricted, excluded, test, fallen=fallen)


@wrong("three_phases", "looked at where it is largest")
def phases_of_the_largest(steps, excluded, restricted, test, *, fallen):
    return three_phases(steps, -excluded, restricted, test, fallen=fallen)


@wrong("three_phases", "the first dip of the excluded loss")
def phases_of_the_first_dip(steps, excluded, restricted, test, *, fallen):
    rises = (excluded.diff() > 0).nonzero()
    dip = int(rises[0]) if len(rises) else len(steps) - 1
    rule = lambda x: after_peak(x, fallen * x.max())  # noqa: E731
    return ends(steps, excluded, restricted, test, rule, dip)


@wrong("three_phases", "only from the end of memorisation")
def phases_one_after_the_other(steps, excluded, restricted, test, *, fallen):
    down, top = int(excluded.argmin()), int(restricted.argmax())
    start = max(down, top)
    place = first(restricted < fallen * restricted.max(), start)
    right = three_phases(steps, excluded, restricted, test, fallen=fallen)
    return right[0], math.inf if place is None else float(steps[place]), right[2]


@wrong("three_phases", "these are the lengths of the phases")
def phases_as_lengths(steps, excluded, restricted, test, *, fallen):
    one, two, three = three_phases(steps, excluded, restricted, test, fallen=fallen)
    return one, two - one, three - two


@wrong("three_phases", "a fall that does not come is at infinity")
def phases_that_never_end_at_minus_one(steps, excluded, restricted, test, *, fallen):
    found = three_phases(steps, excluded, restricted, test, fallen=fallen)
    return tuple(-1.0 if math.isinf(step) else step for step in found)


@wrong("three_phases", "the loss does not fall below that after its peak: infinity")
def phases_that_end_with_the_run(steps, excluded, restricted, test, *, fallen):
    found = three_phases(steps, excluded, restricted, test, fallen=fallen)
    return tuple(float(steps[-1]) if math.isinf(step) else step for step in found)


@wrong("three_phases", "IndexError")
def phases_that_must_end(steps, excluded, restricted, test, *, fallen):
    found = [float(steps[excluded.argmin()])]
    for x in (restricted, test):
        top = int(x.argmax())
        found.append(float(steps[top + (x[top:] < fallen * x[top]).nonzero()[0, 0]]))
    return tuple(found)


@wrong("three_phases", "the loss does not fall below that after its peak")
def phases_by_argmax(steps, excluded, restricted, test, *, fallen):
    def rule(x):
        top = int(x.argmax())
        return top + int((x[top:] < fallen * x[top]).int().argmax())

    return ends(steps, excluded, restricted, test, rule)


@wrong("three_phases", "a tuple (memorisation, circuit, clean_up)")
def phases_but_two(steps, excluded, restricted, test, *, fallen):
    return three_phases(steps, excluded, restricted, test, fallen=fallen)[1:]


@wrong("three_phases", "Expected")
def phases_of_the_example(steps, excluded, restricted, test, *, fallen):
    return 100.0, 300.0, 400.0


# -------------------------------------------------------------------------- random_frequencies


def all_of(p):
    return list(range(1, (p - 1) // 2 + 1))


def drawn(p, others, size, n_draws, seed):
    random = python_random.Random(seed)
    return [sorted(random.sample(others, size)) for _ in range(n_draws)]


@wrong("random_frequencies", "a Python set has no order and")
def frequencies_in_python_sets(p, keys, *, n_draws, seed):
    draw = python_random.Random(seed)
    others = [k for k in range(1, p // 2 + 1) if k not in keys]
    return [set(draw.sample(others, len(keys))) for _ in range(n_draws)]


@wrong("random_frequencies", "no key frequency is in a set")
def draws_of_all(p, keys, *, n_draws, seed):
    return drawn(p, all_of(p), len(keys), n_draws, seed)


@wrong("random_frequencies", "the same set comes every time")
def draws_seeded_each_time(p, keys, *, n_draws, seed):
    others = [k for k in all_of(p) if k not in keys]
    return [drawn(p, others, len(keys), 1, seed)[0] for _ in range(n_draws)]


@wrong("random_frequencies", "one that was drawn was put back")
def draws_with_repeats(p, keys, *, n_draws, seed):
    others = [k for k in all_of(p) if k not in keys]
    random = python_random.Random(seed)
    return [sorted(random.choices(others, k=len(keys))) for _ in range(n_draws)]


@wrong("random_frequencies", "sort each set")
def draws_unsorted(p, keys, *, n_draws, seed):
    others = [k for k in all_of(p) if k not in keys]
    random = python_random.Random(seed)
    return [random.sample(others, len(keys)) for _ in range(n_draws)]


@wrong("random_frequencies", "is never drawn: the highest that may be is among them")
def draws_without_the_last(p, keys, *, n_draws, seed):
    others = [k for k in range(1, p // 2) if k not in keys]
    if len(others) < len(keys):
        others = [k for k in all_of(p) if k not in keys]
    return drawn(p, others, len(keys), n_draws, seed)


@wrong("random_frequencies", "is never drawn: the lowest that may be is among them")
def draws_without_the_first(p, keys, *, n_draws, seed):
    others = [k for k in all_of(p) if k not in keys]
    fewer = others[1:] if len(others) > len(keys) else others
    return drawn(p, fewer, len(keys), n_draws, seed)


@wrong("random_frequencies", "0 is the constant")
def draws_with_the_constant(p, keys, *, n_draws, seed):
    others = [k for k in range(p // 2 + 1) if k not in keys]
    return drawn(p, others, len(keys), n_draws, seed)


@wrong("random_frequencies", "frequencies above (p - 1) / 2")
def draws_beyond_the_half(p, keys, *, n_draws, seed):
    others = [k for k in range(1, p) if k not in keys]
    return drawn(p, others, len(keys), n_draws, seed)


@wrong("random_frequencies", "does not come from the seed")
def draws_without_a_seed(p, keys, *, n_draws, seed):
    others = torch.tensor([k for k in all_of(p) if k not in keys])
    sets = [others[torch.randperm(len(others))[: len(keys)]] for _ in range(n_draws)]
    return [one.sort().values.tolist() for one in sets]


LONG_LIVED = torch.Generator().manual_seed(0)


@wrong("random_frequencies", "whatever was drawn before")
def draws_of_one_generator(p, keys, *, n_draws, seed):
    others = torch.tensor([k for k in all_of(p) if k not in keys])
    order = [torch.randperm(len(others), generator=LONG_LIVED) for _ in range(n_draws)]
    return [sorted(others[one[: len(keys)]].tolist()) for one in order]


@wrong("random_frequencies", "another seed gives other sets")
def draws_of_a_fixed_seed(p, keys, *, n_draws, seed):
    return drawn(p, [k for k in all_of(p) if k not in keys], len(keys), n_draws, 0)


@wrong("random_frequencies", "the same set comes every time")
def draws_drawn_once(p, keys, *, n_draws, seed):
    return drawn(p, [k for k in all_of(p) if k not in keys], len(keys), 1, seed) * n_draws


@wrong("random_frequencies", "as of frequencies that are neighbours")
def draws_of_neighbours(p, keys, *, n_draws, seed):
    others = [k for k in all_of(p) if k not in keys]
    random, found = python_random.Random(seed), []
    for _ in range(n_draws):
        at = random.randrange(len(others))
        found.append(sorted((others + others)[at : at + len(keys)]))
    return found


@wrong("random_frequencies", "some are drawn more often than others")
def draws_with_collisions_moved_on(p, keys, *, n_draws, seed):
    others = [k for k in all_of(p) if k not in keys]
    random, found = python_random.Random(seed), []
    for _ in range(n_draws):
        places = []
        for _ in keys:
            at = random.randrange(len(others))
            while at in places:
                at = (at + 1) % len(others)
            places.append(at)
        found.append(sorted(others[at] for at in places))
    return found


@wrong("random_frequencies", "every set that may be drawn is as likely as any other")
def draws_one_after_the_other(p, keys, *, n_draws, seed):
    others = [k for k in all_of(p) if k not in keys]
    random, found = python_random.Random(seed), []
    for _ in range(n_draws):
        left, one = list(others), []
        for i in range(len(keys)):
            pick = random.choice(left[: len(left) - (len(keys) - 1 - i)])
            one.append(pick)
            left = [k for k in left if k > pick]
        found.append(one)
    return found


@wrong("random_frequencies", "there are as many frequencies in a set as in `keys`")
def draws_of_n_draws(p, keys, *, n_draws, seed):
    others = [k for k in all_of(p) if k not in keys]
    return drawn(p, others, min(n_draws, len(others)), n_draws, seed)


@wrong("random_frequencies", "each draw is a list of its own")
def draws_in_one_list(p, keys, *, n_draws, seed):
    others = [k for k in all_of(p) if k not in keys]
    return list(itertools.chain(*drawn(p, others, len(keys), n_draws, seed)))


@wrong("random_frequencies", "there are `n_draws` sets")
def draws_that_differ(p, keys, *, n_draws, seed):
    others = [k for k in all_of(p) if k not in keys]
    sets = drawn(p, others, len(keys), n_draws, seed)
    return [list(one) for one in dict.fromkeys(map(tuple, sets))]


@wrong("random_frequencies", "for no key at all, each set is an empty list")
def draws_by_multinomial(p, keys, *, n_draws, seed):
    random = torch.Generator().manual_seed(seed)
    weights = torch.ones(p // 2)
    for k in keys:
        weights[k - 1] = 0
    sets = [torch.multinomial(weights, len(keys), generator=random) for _ in range(n_draws)]
    return [sorted((1 + one).tolist()) for one in sets]


@wrong("random_frequencies", "What should hold")
def draws_of_the_example(p, keys, *, n_draws, seed):
    return [[1]] * n_draws


# ---------------------------------------------------------------------------------- carried_by

NAMED = {
    (True, False): "circuit",
    (False, True): "memory",
    (True, True): "both",
    (False, False): "neither",
}


def told(logits, frequencies, low, alone, without, rows=sum_rows, mean=(True, False)):
    """What it is called by the mean losses over some pairs each."""
    x, p = logits.double(), len(logits)
    part, average = projected(x, rows(p, frequencies)), x.mean((0, 1))
    kept = part + average if mean[0] else part
    left = x - part - average if mean[1] else x - part
    losses = own_losses(kept)[alone].mean(), own_losses(left)[without].mean()
    return NAMED[bool(losses[0] <= low), bool(losses[1] <= low)]


def two_losses(logits, frequencies, is_train):
    """Losses of each pair trained on, alone and without."""
    kept, left = kept_of(logits, frequencies), left_of(logits, frequencies)
    return own_losses(kept)[is_train], own_losses(left)[is_train]


@wrong("carried_by", "both losses were taken over all pairs")
def carried_over_all(logits, frequencies, is_train, *, low):
    every = torch.ones_like(is_train)
    return told(logits, frequencies, low, every, every)


@wrong("carried_by", "the loss of the circuit alone was taken over all pairs")
def carried_by_the_restricted_loss(logits, frequencies, is_train, *, low):
    alone = restricted_loss(logits, frequencies) <= low
    without = excluded_loss(logits, frequencies, is_train) <= low
    return NAMED[alone, without]


@wrong("carried_by", "the loss without the circuit was taken over all pairs")
def carried_without_over_all(logits, frequencies, is_train, *, low):
    return told(logits, frequencies, low, is_train, torch.ones_like(is_train))


@wrong("carried_by", "losses were taken over the pairs that were not trained on")
def carried_over_test(logits, frequencies, is_train, *, low):
    return told(logits, frequencies, low, ~is_train, ~is_train)


@wrong("carried_by", "a and b are in each other's place in `is_train`")
def carried_turned(logits, frequencies, is_train, *, low):
    return told(logits, frequencies, low, is_train.T, is_train.T)


@wrong("carried_by", "the mean logits were left out of the circuit's")
def carried_without_the_mean(logits, frequencies, is_train, *, low):
    return told(logits, frequencies, low, is_train, is_train, mean=(False, False))


@wrong("carried_by", "the mean logits were taken away with the circuit")
def carried_with_the_mean_gone(logits, frequencies, is_train, *, low):
    return told(logits, frequencies, low, is_train, is_train, mean=(True, True))


@wrong("carried_by", '"circuit" and "memory" are in each other\'s place')
def carried_swapped(logits, frequencies, is_train, *, low):
    right = carried_by(logits, frequencies, is_train, low=low)
    return {"circuit": "memory", "memory": "circuit"}.get(right, right)


@wrong("carried_by", '"both" and "neither" are in each other\'s place')
def carried_by_both_swapped(logits, frequencies, is_train, *, low):
    right = carried_by(logits, frequencies, is_train, low=low)
    return {"both": "neither", "neither": "both"}.get(right, right)


@wrong("carried_by", "each loss was called low where it is high")
def carried_by_high_losses(logits, frequencies, is_train, *, low):
    alone, without = two_losses(logits, frequencies, is_train)
    return NAMED[bool(alone.mean() > low), bool(without.mean() > low)]


@wrong("carried_by", "a loss just at `low` is low")
def carried_strictly(logits, frequencies, is_train, *, low):
    alone, without = two_losses(logits, frequencies, is_train)
    return NAMED[bool(alone.mean() < low), bool(without.mean() < low)]


@wrong("carried_by", "`low` was ignored: 0.01 was taken")
def carried_by_a_hundredth(logits, frequencies, is_train, *, low):
    return carried_by(logits, frequencies, is_train, low=0.01)


@wrong("carried_by", "`low` was ignored: 1 was taken")
def carried_by_a_nat(logits, frequencies, is_train, *, low):
    return carried_by(logits, frequencies, is_train, low=1.0)


@wrong("carried_by", "the smaller of the two losses was named")
def carried_by_the_smaller(logits, frequencies, is_train, *, low):
    alone, without = two_losses(logits, frequencies, is_train)
    return "circuit" if alone.mean() < without.mean() else "memory"


@wrong("carried_by", '"both" was never said')
def carried_by_the_first_that_is_low(logits, frequencies, is_train, *, low):
    right = carried_by(logits, frequencies, is_train, low=low)
    return "circuit" if right == "both" else right


@wrong("carried_by", '"neither" was never said')
def carried_by_memory_otherwise(logits, frequencies, is_train, *, low):
    right = carried_by(logits, frequencies, is_train, low=low)
    return "memory" if right == "neither" else right


@wrong("carried_by", "right answers were counted")
def carried_by_accuracy(logits, frequencies, is_train, *, low):
    answers = right_answers(len(logits))
    kept, left = kept_of(logits, frequencies), left_of(logits, frequencies)
    hits = [bool((x.argmax(-1) == answers)[is_train].all()) for x in (kept, left)]
    return NAMED[tuple(hits)]


@wrong("carried_by", "the medians of the losses were taken")
def carried_by_medians(logits, frequencies, is_train, *, low):
    alone, without = two_losses(logits, frequencies, is_train)
    return NAMED[bool(alone.median() <= low), bool(without.median() <= low)]


@wrong("carried_by", "the largest losses were taken")
def carried_by_the_largest(logits, frequencies, is_train, *, low):
    alone, without = two_losses(logits, frequencies, is_train)
    return NAMED[bool((alone <= low).all()), bool((without <= low).all())]


@wrong("carried_by", "the losses were added up")
def carried_by_sums(logits, frequencies, is_train, *, low):
    alone, without = two_losses(logits, frequencies, is_train)
    return NAMED[bool(alone.sum() <= low), bool(without.sum() <= low)]


@wrong("carried_by", "losses are in bits")
def carried_in_bits(logits, frequencies, is_train, *, low):
    return carried_by(logits, frequencies, is_train, low=low * math.log(2))


@wrong("carried_by", "losses were taken in float32")
def carried_in_float32(logits, frequencies, is_train, *, low):
    answers = right_answers(len(logits))[is_train]
    kept, left = kept_of(logits, frequencies), left_of(logits, frequencies)
    losses = [F.cross_entropy(x[is_train].float(), answers) for x in (kept, left)]
    return NAMED[bool(losses[0] <= low), bool(losses[1] <= low)]


@wrong("carried_by", "waves of a - b were counted to the circuit")
def carried_by_products(logits, frequencies, is_train, *, low):
    return told(logits, frequencies, low, is_train, is_train, rows=product_rows)


@wrong("carried_by", "only cosines were counted to the circuit")
def carried_by_cosines(logits, frequencies, is_train, *, low):
    def rows(p, frequencies):
        return sum_rows(p, frequencies)[::2]

    return told(logits, frequencies, low, is_train, is_train, rows=rows)


@wrong("carried_by", "all frequencies were counted to the circuit")
def carried_by_all_frequencies(logits, frequencies, is_train, *, low):
    every = range(1, len(logits) // 2 + 1)
    return told(logits, every, low, is_train, is_train)


@wrong("carried_by", "nothing was taken away for the second loss")
def carried_beside_the_model(logits, frequencies, is_train, *, low):
    alone, _ = two_losses(logits, frequencies, is_train)
    return NAMED[bool(alone.mean() <= low), bool(own_losses(logits)[is_train].mean() <= low)]


@wrong("carried_by", 'every model was called "circuit"')
def carried_by_the_circuit_always(logits, frequencies, is_train, *, low):
    return "circuit"


@wrong("carried_by", "it returns one of four words")
def carried_as_losses(logits, frequencies, is_train, *, low):
    alone, _ = two_losses(logits, frequencies, is_train)
    return bool(alone.mean() <= low)


@wrong("carried_by", "spell it as the docstring does")
def carried_in_capitals(logits, frequencies, is_train, *, low):
    return carried_by(logits, frequencies, is_train, low=low).capitalize()


@wrong("carried_by", "this is what the exercise asks you to write")
def carried_by_the_library(logits, frequencies, is_train, *, low):
    pairs = all_pairs(len(logits))[is_train.flatten()]
    alone = fourier.restricted_loss(logits, frequencies, pairs) <= low
    without = fourier.excluded_loss(logits, frequencies, pairs) <= low
    return NAMED[alone, without]


@wrong("carried_by", "taken over the pairs trained on; they are over all pairs")
def carried_with_the_mean_of_the_trained(logits, frequencies, is_train, *, low):
    part = projected(logits, sum_rows(len(logits), frequencies))
    answers = sum(pairs_of(len(logits))) % len(logits)
    kept = (logits.double()[is_train].mean(dim=0) + part, logits.double() - part)
    small = [
        float(exact_cross_entropy(one[is_train], answers[is_train]).mean()) <= low for one in kept
    ]
    return NAMED[small[0], small[1]]


@wrong("project_onto_key_directions", "make the waves in float64, too")
def part_rounded_to_float32(logits, frequencies):
    return projected(logits, sum_rows(len(logits), frequencies)).float()


@wrong("three_phases", "at infinity: math.inf, not None")
def phases_with_none_for_never(steps, excluded, restricted, test, *, fallen):
    ends = [float(steps[excluded.argmin()])]
    for losses in (restricted, test):
        top = int(losses.argmax())
        found = (losses[top:] < fallen * losses[top]).nonzero()
        ends.append(float(steps[top + found[0, 0]]) if len(found) else None)
    return tuple(ends)


@wrong("restricted_loss", "take them mod")
def restricted_against_plain_sums(logits, frequencies):
    kept = logits.double().mean(dim=(0, 1)) + projected(logits, sum_rows(len(logits), frequencies))
    return exact_cross_entropy(kept, sum(pairs_of(len(logits)))).mean().item()
