"""Right answers to `ch04_superposition/4_computation.ipynb` in other styles."""

import numpy as np
import torch

from tests.checks.harness import right

# --------------------------------------------------------------------------- two_layer_outputs


@right("two_layer_outputs")
def outputs_by_einsum(x, W_in, W_out, b):
    h = torch.clamp(torch.einsum("sf,fh->sh", x, W_in), min=0)
    return torch.clamp(torch.einsum("sh,hf->sf", h, W_out) + b, min=0)


@right("two_layer_outputs")
def outputs_by_sample(x, W_in, W_out, b):
    rows = []
    for sample in x:
        neurons = torch.nn.functional.relu(sample @ W_in)
        rows.append(torch.nn.functional.relu(neurons @ W_out + b))
    return torch.stack(rows)


@right("two_layer_outputs")
def outputs_by_neuron(x, W_in, W_out, b):
    total = b.double().expand(len(x), -1).clone()
    for into, out in zip(W_in.double().T, W_out.double(), strict=True):
        total += torch.outer((x.double() @ into).relu(), out)
    return total.relu()


@right("two_layer_outputs")
def outputs_in_numpy(x, W_in, W_out, b):
    h = np.maximum(x.numpy() @ W_in.numpy(), 0)
    return np.maximum(h @ W_out.numpy() + b.numpy(), 0)


@right("two_layer_outputs")
def outputs_by_linear_layers(x, W_in, W_out, b):
    h = torch.relu(torch.nn.functional.linear(x, W_in.T))
    return torch.relu(torch.nn.functional.linear(h, W_out.T, b)).requires_grad_()


@right("two_layer_outputs")
def outputs_where_positive(x, W_in, W_out, b):
    before = x @ W_in
    out = torch.addmm(b, torch.where(before > 0, before, 0.0), W_out)
    return out * (out > 0)


# ------------------------------------------------------------------------- exact_absolute_value


@right("exact_absolute_value")
def neurons_side_by_side(n):
    W_in = torch.zeros(n, 2 * n)
    for i in range(n):
        W_in[i, 2 * i], W_in[i, 2 * i + 1] = 1, -1
    return W_in, W_in.abs().T, torch.zeros(n)


@right("exact_absolute_value")
def neurons_of_other_sizes(n):
    sizes = torch.linspace(0.1, 7, 2 * n)
    signs = torch.cat([torch.ones(n), -torch.ones(n)])
    W_in = torch.eye(n).repeat(1, 2) * sizes * signs
    return W_in, torch.eye(n).repeat(2, 1) / sizes[:, None], torch.zeros(n)


@right("exact_absolute_value")
def neurons_in_any_order(n):
    order = torch.randperm(2 * n)
    W_in = torch.hstack([-torch.eye(n), torch.eye(n)])[:, order]
    return [W_in.double(), (W_in != 0).double().mT, torch.zeros(n, dtype=torch.float64)]


@right("exact_absolute_value")
def neurons_by_kronecker(n):
    W_in = torch.kron(torch.eye(n), torch.tensor([[1.0, -1.0]]))
    W_out = torch.kron(torch.eye(n), torch.ones(2, 1))
    return W_in, W_out, torch.full((n,), -0.0)


@right("exact_absolute_value")
def neurons_in_numpy(n):
    one = np.eye(n)
    return np.concatenate([one, -one], 1), np.concatenate([one, one]), np.zeros(n)


@right("exact_absolute_value")
def asymmetric_neurons(n):
    one = torch.eye(n)
    return torch.cat([2 * one, -0.5 * one], 1), torch.cat([0.5 * one, 2 * one]), one.new_zeros(n)


# -------------------------------------------------------------------------------- rotate_hidden


@right("rotate_hidden")
def turned_by_einsum(W_in, W_out, rotation):
    return (
        torch.einsum("fh,hk->fk", W_in, rotation),
        torch.einsum("hk,hf->kf", rotation, W_out),
    )


@right("rotate_hidden")
def turned_by_the_inverse(W_in, W_out, rotation):
    return W_in @ rotation, torch.linalg.inv(rotation) @ W_out


@right("rotate_hidden")
def turned_by_solving(W_in, W_out, rotation):
    return [W_in.matmul(rotation), torch.linalg.solve(rotation.double(), W_out.double())]


@right("rotate_hidden")
def turned_by_transposes(W_in, W_out, rotation):
    return (rotation.T @ W_in.T).T, (W_out.T @ rotation).T


@right("rotate_hidden")
def turned_in_numpy(W_in, W_out, rotation):
    return W_in.numpy() @ rotation.numpy(), rotation.numpy().T @ W_out.numpy()


@right("rotate_hidden")
def turned_row_by_row(W_in, W_out, rotation):
    into = torch.stack([row @ rotation for row in W_in])
    out = torch.stack([column @ W_out for column in rotation.unbind(dim=1)])
    return into, out


# ------------------------------------------------------------------------------ polysemanticity


@right("polysemanticity")
def counted_by_shares(weights, *, cut, dead):
    sizes = weights.abs()
    largest = sizes.max(dim=0).values
    shares = sizes / largest.clamp(min=1e-9)
    return ((shares >= cut) & (largest >= dead)).sum(dim=0)


@right("polysemanticity")
def counted_one_by_one(weights, *, cut, dead):
    found = []
    for neuron in weights.T.tolist():
        largest = max(map(abs, neuron))
        found.append(sum(abs(w) >= cut * largest for w in neuron) if largest >= dead else 0)
    return found


@right("polysemanticity")
def counted_in_numpy(weights, *, cut, dead):
    sizes = np.abs(weights.numpy())
    return np.count_nonzero(sizes >= cut * sizes.max(0), axis=0) * (sizes.max(0) >= dead)


@right("polysemanticity")
def counted_as_floats(weights, *, cut, dead):
    sizes = weights.double().abs()
    largest = sizes.amax(0, keepdim=True)
    mask = torch.logical_and(sizes >= cut * largest, largest >= dead)
    return mask.double().sum(0)


@right("polysemanticity")
def counted_neuron_by_neuron(weights, *, cut, dead):
    counts = torch.zeros(weights.shape[1], dtype=torch.int32)
    for i, column in enumerate(weights.abs().unbind(dim=1)):
        if column.max() >= dead:
            counts[i] = (column >= cut * column.max()).sum()
    return counts


@right("polysemanticity")
def counted_from_the_sorted(weights, *, cut, dead):
    ordered = weights.square().sqrt().sort(dim=0, descending=True).values
    alive = ordered[0] >= dead
    return (ordered.ge(ordered[:1] * cut).long() * alive).sum(0)


# ------------------------------------------------------------------ which_basis_is_privileged


@right("which_basis_is_privileged")
def all_at_once(hidden, bases):
    z = torch.einsum("sh,bhk->bsk", hidden, bases)
    lowest = z.amin(dim=(1, 2)) / z.abs().amax(dim=(1, 2))
    best = lowest.argmax()
    return best if lowest[best] > -1e-2 else None


@right("which_basis_is_privileged")
def none_below_a_tolerance(hidden, bases):
    for i in range(len(bases)):
        if not (hidden @ bases[i] < -1e-5).any():
            return i
    return None


@right("which_basis_is_privileged")
def by_a_millionth(hidden, bases):
    for i, basis in enumerate(bases.double()):
        if (hidden.double() @ basis).min() >= -1e-6:
            return float(i)


@right("which_basis_is_privileged")
def neuron_by_neuron(hidden, bases):
    for i, basis in enumerate(bases):
        z = hidden @ basis
        if all(column.min() > -1e-3 * column.max() for column in z.T):
            return torch.tensor(i)
    return None


@right("which_basis_is_privileged")
def by_samples_below(hidden, bases):
    below = [int(((hidden @ b) < -0.005 * hidden.norm(dim=1).max()).sum()) for b in bases]
    return below.index(0) if 0 in below else None


@right("which_basis_is_privileged")
def in_numpy(hidden, bases):
    h = hidden.numpy()
    found = [i for i, b in enumerate(bases.numpy()) if (h @ b).min() > -1e-3 * np.abs(h).max()]
    return np.int64(found[0]) if found else None


@right("which_basis_is_privileged")
def by_the_loss_of_a_relu(hidden, bases):
    lost = [((hidden @ b).relu() - hidden @ b).norm() / hidden.norm() for b in bases]
    best = int(torch.stack(lost).argmin())
    return best if lost[best] < 1e-4 else None
