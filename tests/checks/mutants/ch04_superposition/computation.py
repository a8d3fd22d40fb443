"""Wrong answers to `ch04_superposition/4_computation.ipynb`, with words a check must say."""

import torch

from mechcourse import absolute_value
from tests.checks.harness import wrong

# --------------------------------------------------------------------------- two_layer_outputs


@wrong("two_layer_outputs", "the read-in's transpose was used to read out")
def tied_outputs(x, W_in, W_out, b):
    return ((x @ W_in).relu() @ W_in.T + b).relu()


@wrong("two_layer_outputs", "the neurons have no ReLU")
def linear_neurons(x, W_in, W_out, b):
    return (x @ W_in @ W_out + b).relu()


@wrong("two_layer_outputs", "the output has no ReLU")
def linear_outputs(x, W_in, W_out, b):
    return (x @ W_in).relu() @ W_out + b


@wrong("two_layer_outputs", "there is no ReLU at all")
def linear_model(x, W_in, W_out, b):
    return x @ W_in @ W_out + b


@wrong("two_layer_outputs", "the bias was added after the last ReLU")
def bias_outside(x, W_in, W_out, b):
    return ((x @ W_in).relu() @ W_out).relu() + b


@wrong("two_layer_outputs", "the bias was left out")
def no_bias(x, W_in, W_out, b):
    return ((x @ W_in).relu() @ W_out).relu()


@wrong("two_layer_outputs", "the bias was taken away")
def bias_subtracted(x, W_in, W_out, b):
    return ((x @ W_in).relu() @ W_out - b).relu()


@wrong("two_layer_outputs", "the bias was added to the inputs; it")
def bias_of_inputs(x, W_in, W_out, b):
    return (((x + b) @ W_in).relu() @ W_out).relu()


@wrong("two_layer_outputs", "the bias was added to the inputs, too")
def bias_twice(x, W_in, W_out, b):
    return (((x + b) @ W_in).relu() @ W_out + b).relu()


@wrong("two_layer_outputs", "absolute values of the neurons")
def absolute_neurons(x, W_in, W_out, b):
    return ((x @ W_in).abs() @ W_out + b).relu()


@wrong("two_layer_outputs", "the neurons' ReLU acts on the inputs")
def relu_of_inputs(x, W_in, W_out, b):
    return (x.relu() @ W_in @ W_out + b).relu()


@wrong("two_layer_outputs", "What should hold: each output is ReLU(h W_out + b)")
def smooth_neurons(x, W_in, W_out, b):
    return (torch.nn.functional.gelu(x @ W_in) @ W_out + b).relu()


@wrong("two_layer_outputs", "were divided by the number of neurons")
def mean_over_neurons(x, W_in, W_out, b):
    return ((x @ W_in).relu() @ W_out / len(W_out) + b).relu()


@wrong("two_layer_outputs", "every sample got what belongs to sample 0")
def first_sample_only(x, W_in, W_out, b):
    return ((x[:1] @ W_in).relu() @ W_out + b).relu().expand(len(x), -1)


@wrong("two_layer_outputs", "two axes are in each other's place")
def outputs_turned(x, W_in, W_out, b):
    return ((x @ W_in).relu() @ W_out + b).relu().T


@wrong("two_layer_outputs", "it gives an answer for inputs of shape [7, 4]")
def bias_of_neurons(x, W_in, W_out, b):
    return ((x @ W_in + b).relu() @ W_out + b).relu()


@wrong("two_layer_outputs", "an operation in place")
def bias_in_place(x, W_in, W_out, b):
    h = (x @ W_in).relu()
    b += h.new_zeros(1) + 1
    return (h @ W_out + b - 1).relu()


@wrong("two_layer_outputs", "this is what the exercise asks you to write")
def outputs_of_the_library(x, W_in, W_out, b):
    model = absolute_value.Neurons(W_in[None], W_out[None], b[None])
    return absolute_value.outputs(x[:, None], model)[:, 0]


@wrong("two_layer_outputs", "this is what the exercise asks you to write")
def neurons_of_the_library(x, W_in, W_out, b):
    model = absolute_value.Neurons(W_in[None], W_out[None], b[None])
    return (absolute_value.activations(x[:, None], model)[:, 0] @ W_out + b).relu()


@wrong("two_layer_outputs", "Expected shape")
def docstring_of_outputs(x, W_in, W_out, b):
    return torch.tensor([[2.0], [0.5]])


# ------------------------------------------------------------------------- exact_absolute_value


@wrong("exact_absolute_value", "it collects another input's neurons")
def absolutes_by_neighbours(n):
    W_in = torch.cat([torch.eye(n), -torch.eye(n)], dim=1)
    return W_in, torch.eye(n).repeat_interleave(2, dim=0), torch.zeros(n)


@wrong("exact_absolute_value", "ReLU(x) is there twice")
def absolutes_without_a_sign(n):
    W_in = torch.cat([torch.eye(n), torch.eye(n)], dim=1)
    return W_in, W_in.T, torch.zeros(n)


@wrong("exact_absolute_value", "only ReLU(x) is there")
def positive_only(n):
    W_in = torch.cat([torch.eye(n), torch.zeros(n, n)], dim=1)
    return W_in, W_in.T, torch.zeros(n)


@wrong("exact_absolute_value", "only ReLU(-x) is there")
def negative_only(n):
    W_in = torch.cat([torch.zeros(n, n), -torch.eye(n)], dim=1)
    return W_in, W_in.abs().T, torch.zeros(n)


@wrong("exact_absolute_value", "only ReLU(x) is there")
def transposed_with_its_signs(n):
    W_in = torch.cat([torch.eye(n), -torch.eye(n)], dim=1)
    return W_in, W_in.T, torch.zeros(n)


@wrong("exact_absolute_value", "it is half of |x|")
def averaged_pairs(n):
    W_in = torch.cat([torch.eye(n), -torch.eye(n)], dim=1)
    return W_in, W_in.abs().T / 2, torch.zeros(n)


@wrong("exact_absolute_value", "it is |x| twice")
def twice_as_much(n):
    W_in = torch.cat([torch.eye(n), -torch.eye(n)], dim=1)
    return 2 * W_in, W_in.abs().T, torch.zeros(n)


@wrong("exact_absolute_value", "the absolute values of all inputs")
def everything_summed(n):
    W_in = torch.cat([torch.eye(n), -torch.eye(n)], dim=1)
    return W_in, torch.ones(2 * n, n), torch.zeros(n)


@wrong("exact_absolute_value", "one input at a time was right")
def only_one_at_a_time(n):
    W_in = torch.cat([torch.eye(n), -torch.eye(n)], dim=1)
    own = torch.eye(n).repeat(2, 1)
    return W_in, own - 0.5 * (1 - own), torch.zeros(n)


@wrong("exact_absolute_value", "the bias is not 0")
def with_a_bias(n):
    W_in = torch.cat([torch.eye(n), -torch.eye(n)], dim=1)
    return W_in, W_in.abs().T, torch.full((n,), 1e-4)


@wrong("exact_absolute_value", "the bias is not 0")
def with_a_small_bias_below(n):
    W_in = torch.cat([torch.eye(n), -torch.eye(n)], dim=1)
    return W_in, W_in.abs().T, torch.full((n,), -1e-7)


@wrong("exact_absolute_value", "W_in belongs to 4 inputs and 8 neurons")
def as_many_neurons_as_inputs(n):
    return torch.eye(n), torch.eye(n), torch.zeros(n)


@wrong("exact_absolute_value", "two axes are in each other's place")
def read_in_turned(n):
    W_in = torch.cat([torch.eye(n), -torch.eye(n)], dim=1)
    return W_in.T, W_in.abs(), torch.zeros(n)


@wrong("exact_absolute_value", "the bias belongs to 4 inputs")
def bias_of_every_neuron(n):
    W_in = torch.cat([torch.eye(n), -torch.eye(n)], dim=1)
    return W_in, W_in.abs().T, torch.zeros(2 * n)


@wrong("exact_absolute_value", "What should hold: each output is |x| where one input is not 0")
def in_two_orders(n):
    W_in = torch.cat([torch.eye(n), -torch.eye(n)], dim=1)
    return W_in, torch.eye(n).repeat_interleave(2, dim=0), torch.zeros(n)


@wrong("exact_absolute_value", "close, but not exact")
def nearly_exact(n):
    W_in = torch.cat([torch.eye(n), -torch.eye(n)], dim=1)
    return W_in, 1.0005 * W_in.abs().T, torch.zeros(n)


@wrong("exact_absolute_value", "each output is |x|")
def noise_of_training(n):
    W_in = torch.cat([torch.eye(n), -torch.eye(n)], dim=1)
    return W_in + 1e-4 * torch.randn(n, 2 * n), W_in.abs().T, torch.zeros(n)


@wrong("exact_absolute_value", "W_in belongs to 4 inputs and 8 neurons")
def weights_for_three(n):
    W_in = torch.cat([torch.eye(3), -torch.eye(3)], dim=1)
    return W_in, W_in.abs().T, torch.zeros(3)


@wrong("exact_absolute_value", "returns a tuple (W_in, W_out, bias)")
def no_bias_returned(n):
    W_in = torch.cat([torch.eye(n), -torch.eye(n)], dim=1)
    return W_in, W_in.abs().T


@wrong("exact_absolute_value", "outputs come in the reverse order")
def reversed_outputs(n):
    W_in = torch.cat([torch.eye(n), -torch.eye(n)], dim=1)
    return W_in, W_in.abs().T.flip(1), torch.zeros(n)


@wrong("exact_absolute_value", "all weights are finite")
def not_numbers(n):
    return torch.full((n, 2 * n), torch.nan), torch.ones(2 * n, n), torch.zeros(n)


# -------------------------------------------------------------------------------- rotate_hidden


@wrong("rotate_hidden", "a ReLU was applied")
def turned_through_a_relu(W_in, W_out, rotation):
    return (W_in @ rotation).relu(), rotation.T @ W_out


@wrong("rotate_hidden", "it was turned the other way")
def turned_the_other_way(W_in, W_out, rotation):
    return W_in @ rotation.T, rotation @ W_out


@wrong("rotate_hidden", "by its inverse, the two cancel")
def both_turned(W_in, W_out, rotation):
    return W_in @ rotation, rotation @ W_out


@wrong("rotate_hidden", "it must undo what happened to the first")
def first_only(W_in, W_out, rotation):
    return W_in @ rotation, W_out


@wrong(
    "rotate_hidden",
    "What should hold: W_in writes each hidden row h as h @ rotation. Probably: it is",
)
def second_only(W_in, W_out, rotation):
    return W_in, rotation.T @ W_out


@wrong("rotate_hidden", "Probably: it is as it was.")
def nothing_turned(W_in, W_out, rotation):
    return W_in, W_out


@wrong("rotate_hidden", "it was turned the other way")
def both_by_the_inverse(W_in, W_out, rotation):
    return W_in @ rotation.T, rotation.T @ W_out


@wrong("rotate_hidden", "which many matrices give")
def solved_for_the_outputs(W_in, W_out, rotation):
    into = W_in @ rotation
    return into, torch.linalg.pinv(into) @ W_in @ W_out


@wrong("rotate_hidden", "this `rotation` mirrors")
def never_a_mirror(W_in, W_out, rotation):
    turn = rotation.clone()
    if torch.det(turn) < 0:
        turn[:, 0] *= -1
    return W_in @ turn, turn.T @ W_out


@wrong("rotate_hidden", "its inverse is still its transpose")
def inverse_by_the_other_sign(W_in, W_out, rotation):
    return W_in @ rotation, torch.det(rotation) * rotation.T @ W_out


@wrong("rotate_hidden", "it was turned twice")
def turned_twice(W_in, W_out, rotation):
    return W_in @ rotation @ rotation, rotation.T @ rotation.T @ W_out


@wrong("rotate_hidden", "returns a tuple (W_in, W_out)")
def their_product(W_in, W_out, rotation):
    return W_in @ rotation @ rotation.T @ W_out


@wrong("rotate_hidden", "two axes are in each other's place")
def read_out_turned(W_in, W_out, rotation):
    return W_in @ rotation, (rotation.T @ W_out).T


@wrong("rotate_hidden", "an operation in place")
def turned_in_place(W_in, W_out, rotation):
    W_out[:] = rotation.T @ W_out
    return W_in @ rotation, W_out


@wrong("rotate_hidden", "the sign is the wrong way round")
def both_negated(W_in, W_out, rotation):
    return -W_in @ rotation, -rotation.T @ W_out


@wrong("rotate_hidden", "this is what the exercise asks you to write")
def turned_by_the_library(W_in, W_out, rotation):
    model = absolute_value.Neurons(W_in[None], W_out[None], W_out.new_zeros(1, W_out.shape[1]))
    made = absolute_value.rotated(model, 0)
    return made.W_in[0], made.W_out[0]


@wrong("rotate_hidden", "W_in writes each hidden row")
def turned_at_random(W_in, W_out, rotation):
    turn = torch.linalg.qr(torch.randn_like(rotation)).Q
    return W_in @ turn, turn.T @ W_out


@wrong("rotate_hidden", "Expected shape")
def docstring_of_rotation(W_in, W_out, rotation):
    return torch.tensor([[-3.0, 2.0]]), torch.tensor([[-7.0], [5.0]])


# ------------------------------------------------------------------------------ polysemanticity


def counted(mask, alive):
    return torch.where(alive, mask.sum(dim=0), 0)


@wrong("polysemanticity", "the neuron's norm was the ruler")
def counted_by_norms(weights, *, cut, dead):
    sizes = weights.abs()
    counts = (sizes >= cut * weights.norm(dim=0)).sum(dim=0)
    return torch.where(sizes.amax(dim=0) >= dead, counts, 0)


@wrong("polysemanticity", "signs were kept")
def with_signs(weights, *, cut, dead):
    largest = weights.amax(dim=0)
    return counted(weights >= cut * largest, largest >= dead)


@wrong("polysemanticity", "the largest was taken with its sign")
def signed_ruler(weights, *, cut, dead):
    largest = weights.amax(dim=0)
    return counted(weights.abs() >= cut * largest, largest >= dead)


@wrong("polysemanticity", "compared with their signs")
def signed_weights(weights, *, cut, dead):
    largest = weights.abs().amax(dim=0)
    return counted(weights >= cut * largest, largest >= dead)


@wrong("polysemanticity", "one ruler was used for the whole table")
def one_ruler(weights, *, cut, dead):
    sizes = weights.abs()
    return counted(sizes >= cut * sizes.max(), sizes.amax(dim=0) >= dead)


@wrong("polysemanticity", "`cut` was taken as a size")
def cut_as_a_size(weights, *, cut, dead):
    sizes = weights.abs()
    return counted(sizes >= cut, sizes.amax(dim=0) >= dead)


@wrong("polysemanticity", "`dead` was not used")
def without_dead(weights, *, cut, dead):
    sizes = weights.abs()
    return (sizes >= cut * sizes.amax(dim=0)).sum(dim=0)


@wrong("polysemanticity", "at least, not more than")
def above_the_cut(weights, *, cut, dead):
    sizes = weights.abs()
    return counted(sizes > cut * sizes.amax(dim=0), sizes.amax(dim=0) >= dead)


@wrong("polysemanticity", "exactly `dead` is alive")
def above_dead(weights, *, cut, dead):
    sizes = weights.abs()
    return counted(sizes >= cut * sizes.amax(dim=0), sizes.amax(dim=0) > dead)


@wrong("polysemanticity", "single weights below `dead` were left out")
def dead_weights(weights, *, cut, dead):
    sizes = weights.abs()
    return ((sizes >= cut * sizes.amax(dim=0)) & (sizes >= dead)).sum(dim=0)


@wrong("polysemanticity", "the largest itself was not counted")
def others_only(weights, *, cut, dead):
    sizes = weights.abs()
    largest = sizes.amax(dim=0)
    return counted(sizes >= cut * largest, largest >= dead) - (largest >= dead).long()


@wrong("polysemanticity", "squares were compared")
def by_squares(weights, *, cut, dead):
    squares = weights.square()
    return counted(squares >= cut * squares.amax(dim=0), weights.abs().amax(dim=0) >= dead)


@wrong("polysemanticity", "sum or norm")
def by_shares_of_the_sum(weights, *, cut, dead):
    sizes = weights.abs()
    return counted(sizes >= cut * sizes.sum(dim=0), sizes.amax(dim=0) >= dead)


@wrong("polysemanticity", "against the mean of the sizes")
def dead_by_the_mean(weights, *, cut, dead):
    sizes = weights.abs()
    return counted(sizes >= cut * sizes.amax(dim=0), sizes.mean(dim=0) >= dead)


@wrong("polysemanticity", "those below the cut were counted")
def those_below(weights, *, cut, dead):
    sizes = weights.abs()
    return counted(sizes < cut * sizes.amax(dim=0), sizes.amax(dim=0) >= dead)


@wrong("polysemanticity", "dead neurons were given one feature")
def dead_ones_have_one(weights, *, cut, dead):
    sizes = weights.abs()
    return torch.where(sizes.amax(dim=0) >= dead, (sizes >= cut * sizes.amax(dim=0)).sum(dim=0), 1)


@wrong("polysemanticity", "each column is a neuron")
def by_rows(weights, *, cut, dead):
    sizes = weights.T.abs()
    return counted(sizes >= cut * sizes.amax(dim=0), sizes.amax(dim=0) >= dead)


@wrong("polysemanticity", "with cut=0.25 and dead=0.75: were both used?")
def cut_of_a_half(weights, *, cut, dead):
    sizes = weights.abs()
    return counted(sizes >= 0.5 * sizes.amax(dim=0), sizes.amax(dim=0) >= dead)


@wrong("polysemanticity", "were both used?")
def dead_of_an_eighth(weights, *, cut, dead):
    sizes = weights.abs()
    return counted(sizes >= cut * sizes.amax(dim=0), sizes.amax(dim=0) >= 0.125)


@wrong("polysemanticity", "Expected shape [neuron]")
def mean_of_counts(weights, *, cut, dead):
    sizes = weights.abs()
    return counted(sizes >= cut * sizes.amax(dim=0), sizes.amax(dim=0) >= dead).double().mean()


@wrong("polysemanticity", "this is what the exercise asks you to write")
def counted_by_the_library(weights, *, cut, dead):
    return absolute_value.features_of_neurons(weights, cut=cut, dead=dead).long()


@wrong("polysemanticity", "Expected shape [neuron]")
def docstring_of_counts(weights, *, cut, dead):
    return torch.tensor([2, 0, 2])


@wrong("polysemanticity", "an operation in place")
def sizes_in_place(weights, *, cut, dead):
    sizes = weights.abs_()
    return counted(sizes >= cut * sizes.amax(dim=0), sizes.amax(dim=0) >= dead)


# ------------------------------------------------------------------ which_basis_is_privileged


def first(hidden, bases, accept):
    return next((i for i, basis in enumerate(bases) if accept(hidden @ basis)), None)


def best(hidden, bases, score):
    return int(torch.stack([score(hidden @ basis) for basis in bases]).argmax())


def share_of_zeros(z):
    return (z.abs() < 1e-3 * z.abs().max()).double().mean()


def nothing_below(z):
    return bool(z.min() > -1e-3 * z.abs().max())


def peakedness(z):
    z = z - z.mean(dim=0)
    return (z.pow(4).mean(dim=0) / z.var(dim=0, correction=0).square()).mean()


@wrong("which_basis_is_privileged", "0 counts as False")
def basis_or_none(hidden, bases):
    found = 0
    for i, basis in enumerate(bases):
        neurons = hidden @ basis
        if neurons.min() > -1e-3 * neurons.abs().max():
            found = i
    return found or None


@wrong("which_basis_is_privileged", "0 is said of every layer")
def always_0(hidden, bases):
    return 0


@wrong("which_basis_is_privileged", "None is said of every layer")
def always_none(hidden, bases):
    return None


@wrong("which_basis_is_privileged", "the last basis is always named")
def always_the_last(hidden, bases):
    return len(bases) - 1


@wrong("which_basis_is_privileged", "the highest kurtosis")
def by_kurtosis(hidden, bases):
    return best(hidden, bases, peakedness)


@wrong("which_basis_is_privileged", "the basis with the most zeros was named")
def by_zeros(hidden, bases):
    return best(hidden, bases, share_of_zeros)


@wrong("which_basis_is_privileged", "many zeros do not make a ReLU")
def by_enough_zeros(hidden, bases):
    return first(hidden, bases, lambda z: share_of_zeros(z) > 0.1)


@wrong("which_basis_is_privileged", "only the first neuron was looked at")
def first_neuron_only(hidden, bases):
    return first(hidden, bases, lambda z: nothing_below(z[:, :1]))


@wrong("which_basis_is_privileged", "only the last neuron was looked at")
def last_neuron_only(hidden, bases):
    return first(hidden, bases, lambda z: nothing_below(z[:, -1:]))


@wrong("which_basis_is_privileged", "means were held against 0")
def by_the_lowest_mean(hidden, bases):
    return first(hidden, bases, lambda z: bool(z.mean(dim=0).min() > 0))


@wrong("which_basis_is_privileged", "held against the mean size")
def by_the_lowest_over_the_mean(hidden, bases):
    return first(hidden, bases, lambda z: bool(z.min() / z.abs().mean() > -1))


@wrong("which_basis_is_privileged", "allow for it")
def without_a_tolerance(hidden, bases):
    return first(hidden, bases, lambda z: bool((z >= 0).all()))


@wrong("which_basis_is_privileged", "is the test too strict")
def with_a_tiny_tolerance(hidden, bases):
    return first(hidden, bases, lambda z: bool(z.min() > -1e-8))


@wrong("which_basis_is_privileged", "by the transpose of a basis")
def in_the_transpose(hidden, bases):
    return first(hidden, bases.mT, nothing_below)


@wrong("which_basis_is_privileged", "the basis with the fewest negative values")
def by_fewest_below(hidden, bases):
    return best(hidden, bases, lambda z: -(z < -1e-5).double().mean())


@wrong("which_basis_is_privileged", "the basis whose lowest value is highest")
def by_the_lowest(hidden, bases):
    return best(hidden, bases, torch.min)


@wrong("which_basis_is_privileged", "one value in a hundred below 0 was let pass")
def nearly_all_above(hidden, bases):
    return first(hidden, bases, lambda z: (z < -1e-3 * z.abs().max()).double().mean() < 0.01)


@wrong("which_basis_is_privileged", "samples go below 0")
def by_a_loose_tolerance(hidden, bases):
    return first(hidden, bases, lambda z: bool(z.min() > -0.3 * z.abs().max()))


@wrong("which_basis_is_privileged", "below 0")
def by_quantile(hidden, bases):
    return first(hidden, bases, lambda z: bool((z.quantile(0.02, dim=0) > -1e-4).all()))


@wrong("which_basis_is_privileged", "samples go below 0")
def of_few_samples(hidden, bases):
    return first(hidden[:50], bases, nothing_below)


@wrong("which_basis_is_privileged", "samples go below 0")
def one_neuron_is_enough(hidden, bases):
    return first(hidden, bases, lambda z: bool((z.amin(dim=0) > -1e-3 * z.abs().max()).any()))


@wrong("which_basis_is_privileged", "samples go below 0")
def with_signs_made_good(hidden, bases):
    for i, basis in enumerate(bases):
        z = hidden @ basis
        if (z * z.mean(dim=0).sign()).min() > -1e-3 * z.abs().max():
            return i
    return None


@wrong("which_basis_is_privileged", "say None")
def minus_one_for_none(hidden, bases):
    found = first(hidden, bases, nothing_below)
    return -1 if found is None else found


@wrong("which_basis_is_privileged", "not in a text")
def none_as_a_word(hidden, bases):
    return str(first(hidden, bases, nothing_below))


@wrong("which_basis_is_privileged", "does not say which")
def whether_there_is_one(hidden, bases):
    return first(hidden, bases, nothing_below) is not None


@wrong("which_basis_is_privileged", "one number is asked for")
def all_that_fit(hidden, bases):
    return [i for i, basis in enumerate(bases) if nothing_below(hidden @ basis)]


@wrong("which_basis_is_privileged", "is the test too strict")
def identity_only(hidden, bases):
    eye = torch.eye(hidden.shape[1], dtype=hidden.dtype)
    return first(
        hidden, bases, lambda z: nothing_below(z) and any(torch.equal(b, eye) for b in bases)
    )


@wrong("which_basis_is_privileged", "this is what the exercise asks you to write")
def by_alignment(hidden, bases):
    scores = [absolute_value.axis_alignment(hidden @ basis) for basis in bases]
    return scores.index(max(scores)) if max(scores) > 0.6 else None
