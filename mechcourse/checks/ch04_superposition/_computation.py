"""Truths and named mistakes for models with neurons: loops over numbers, in float64."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Row = list[float]


def _times(row: Row, matrix: list[Row]) -> Row:
    return [sum(x * line[c] for x, line in zip(row, matrix, strict=True)) for c in _columns(matrix)]


def _columns(matrix: list[Row]) -> range:
    return range(len(matrix[0]))


def product(a: Tensor, b: Tensor) -> Tensor:
    """A matrix product, entry by entry."""
    lines = b.double().tolist()
    return torch.tensor([_times(row, lines) for row in a.double().tolist()]).double()


# ----------------------------------------------------------------------------- outputs of a model


def outputs(x: Tensor, W_in: Tensor, W_out: Tensor, b: Tensor) -> Tensor:
    """Neurons without a bias, then outputs with one; one sample at a time."""
    into, out, bias = (t.double().tolist() for t in (W_in, W_out, b))
    made = []
    for sample in x.double().tolist():
        neurons = [max(0.0, value) for value in _times(sample, into)]
        summed = _times(neurons, out)
        made.append([max(0.0, y + c) for y, c in zip(summed, bias, strict=True)])
    return torch.tensor(made).double()


def wrong_outputs(
    x: Tensor, W_in: Tensor, W_out: Tensor, b: Tensor
) -> dict[str, Callable[[], Tensor]]:
    """One mistake each."""
    x, W_in, W_out, b = (t.double() for t in (x, W_in, W_out, b))
    before = x @ W_in
    h = before.clamp(min=0)
    return {
        "the neurons have no ReLU: without it the two matrices are one.": lambda: (
            before @ W_out + b
        ).clamp(min=0),
        "the output has no ReLU; it may not be below 0.": lambda: h @ W_out + b,
        "there is no ReLU at all; two are asked for, at the neurons and at the output.": lambda: (
            before @ W_out + b
        ),
        "the bias was added after the last ReLU; it belongs inside.": lambda: (
            (h @ W_out).clamp(min=0) + b
        ),
        "the bias was left out.": lambda: (h @ W_out).clamp(min=0),
        "the bias was taken away; it is added.": lambda: (h @ W_out - b).clamp(min=0),
        "the bias was added to the inputs; it belongs to the outputs.": lambda: (
            ((x + b) @ W_in).clamp(min=0) @ W_out
        ).clamp(min=0),
        "the bias was added to the inputs, too; it belongs to the outputs alone.": lambda: (
            ((x + b) @ W_in).clamp(min=0) @ W_out + b
        ).clamp(min=0),
        "absolute values of the neurons were taken; a ReLU makes negative ones 0.": lambda: (
            before.abs() @ W_out + b
        ).clamp(min=0),
        "the neurons' ReLU acts on the inputs; it follows the first product.": lambda: (
            x.clamp(min=0) @ W_in @ W_out + b
        ).clamp(min=0),
        "the read-in's transpose was used to read out; the two are not tied.": lambda: (
            h @ W_in.T + b
        ).clamp(min=0),
        "all outputs were divided by the number of neurons, or a mean was taken.": lambda: (
            h @ W_out / h.shape[1] + b
        ).clamp(min=0),
    }


# -------------------------------------------------------------------------------- absolute values


def lone_inputs(n: int) -> Tensor:
    """Each input alone, positive and negative, of several sizes."""
    sizes = torch.tensor([1.0, -1.0, 0.25, -0.375, -40.0]).double()
    return (sizes[:, None, None] * torch.eye(n).double()).reshape(-1, n)


def wrong_absolutes(x: Tensor) -> dict[str, Callable[[], Tensor]]:
    """What weights compute that have one mistake each."""
    return {
        "what is negative is lost: only ReLU(x) is there.": lambda: x.clamp(min=0),
        "what is positive is lost: only ReLU(-x) is there.": lambda: (-x).clamp(min=0),
        "it is half of |x|: the two neurons of an input are added, not averaged.": lambda: (
            x.abs() / 2
        ),
        "it is |x| twice: a neuron's weight in, times its weight out, makes 1.": lambda: (
            2 * x.abs()
        ),
        "ReLU(x) is there twice: one of an input's two neurons is to read its negative.": lambda: (
            2 * x.clamp(min=0)
        ),
        "every output has the absolute values of all inputs in it.": lambda: (
            x.abs().sum(dim=1, keepdim=True).expand_as(x)
        ),
        "every output is 0.": lambda: torch.zeros_like(x),
        "outputs come in the reverse order of inputs.": lambda: x.abs().flip(1),
        "each output is that of the input beside it.": lambda: x.abs().roll(1, 1),
    }


# --------------------------------------------------------------------------------- another basis


def turned(W_in: Tensor, W_out: Tensor, rotation: Tensor) -> tuple[Tensor, Tensor]:
    """Both matrices in the other basis, entry by entry."""
    back = torch.tensor(list(zip(*rotation.double().tolist(), strict=True))).double()
    return product(W_in, rotation), product(back, W_out)


def wrong_read_ins(W_in: Tensor, rotation: Tensor) -> dict[str, Callable[[], Tensor]]:
    """One mistake each."""
    W_in, R = W_in.double(), rotation.double()
    mirror = R.clone()
    mirror[:, 0] *= -1
    return {
        "it was turned the other way: a row h becomes h @ rotation.": lambda: W_in @ R.T,
        "it is as it was.": lambda: W_in,
        "a column of `rotation` had its sign changed; it may mirror, and that stays.": lambda: (
            W_in @ mirror
        ),
        "it was turned twice.": lambda: W_in @ R @ R,
        "a ReLU was applied; these are the weights, in another basis.": lambda: (W_in @ R).clamp(
            min=0
        ),
    }


def wrong_read_outs(
    W_in: Tensor, W_out: Tensor, rotation: Tensor
) -> dict[str, Callable[[], Tensor]]:
    """One mistake each."""
    W_in, W_out, R = (t.double() for t in (W_in, W_out, rotation))
    into = W_in @ R
    found: dict[str, Callable[[], Tensor]] = {
        "it was turned by `rotation`; by its inverse, the two cancel.": lambda: R @ W_out,
        "it is as it was; it must undo what happened to the first matrix.": lambda: W_out,
    }
    if len(W_in) < len(R):
        found[
            "this was solved for the outputs, which many matrices give where there are more "
            "neurons than features; the same W_out in the other basis is asked for."
        ] = lambda: torch.linalg.pinv(into) @ (W_in @ W_out)
    return found


# ------------------------------------------------------------------------------- polysemanticity

# By columns, for cut = 1/2 and dead = 1/8: a weight of exactly half the largest; a largest below 0;
# a dead neuron; one that is not quite; nothing; one feature; a threefold tie. The counts are known.
BY_HAND: Mapping[str, tuple[list[float], int]] = {
    "half": ([2.0, 1.0, -0.5, 0.984375, 0.0, -1.5], 3),
    "negative": ([-4.0, 1.0, 1.875, 0.125, 2.5, -2.0], 3),
    "dead": ([0.09375, 0.0625, -0.109375, 0.0, 0.0625, 0.109375], 0),
    "nearly dead": ([0.125, 0.0, -0.0625, 0.046875, 0.015625, -0.09375], 3),
    "nothing": ([0.0] * 6, 0),
    "one": ([-0.3125, 0.015625, 0.03125, 0.0, -0.140625, 0.09375], 1),
    "tied": ([0.25, -0.25, 0.25, 0.1875, 0.109375, 0.125], 5),
}


def counts(weights: Tensor, cut: float, dead: float) -> Tensor:
    """Features of each neuron, one weight at a time."""
    found = []
    for column in weights.double().T.tolist():
        sizes = [abs(weight) for weight in column]
        largest = max(sizes)
        found.append(0 if largest < dead else sum(size >= cut * largest for size in sizes))
    return torch.tensor(found)


def wrong_counts(weights: Tensor, cut: float, dead: float) -> dict[str, Callable[[], Tensor]]:
    """One mistake each."""
    W = weights.double()
    sizes = W.abs()
    largest = sizes.amax(dim=0)
    signed = W.amax(dim=0)

    def living(of: Tensor, alive: Tensor = largest >= dead) -> Tensor:
        return torch.where(alive, of.sum(dim=0), 0)

    return {
        "signs were kept: a weight far below 0 is large, too.": lambda: living(
            cut * signed <= W, signed >= dead
        ),
        "the largest was taken with its sign; take sizes first.": lambda: living(
            sizes >= cut * signed, signed >= dead
        ),
        "the weights were compared with their signs; a negative one counts like any.": lambda: (
            living(cut * largest <= W)
        ),
        "one ruler was used for the whole table; each neuron has its own largest.": lambda: living(
            sizes >= cut * sizes.max()
        ),
        "`cut` was taken as a size; it is a fraction of the neuron's largest.": lambda: living(
            sizes >= cut
        ),
        "the neuron's norm was the ruler; its largest size is.": lambda: living(
            sizes >= cut * W.norm(dim=0)
        ),
        "`dead` was not used.": lambda: (sizes >= cut * largest).sum(dim=0),
        "a weight of exactly `cut` times the largest counts: at least, not more than.": lambda: (
            living(sizes > cut * largest)
        ),
        "a neuron whose largest is exactly `dead` is alive: only below it has it none.": lambda: (
            living(sizes >= cut * largest, largest > dead)
        ),
        "single weights below `dead` were left out; it is about the neuron's largest.": lambda: (
            living((sizes >= cut * largest) & (sizes >= dead))
        ),
        "the largest itself was not counted.": lambda: (
            living(sizes >= cut * largest) - (largest >= dead).long()
        ),
        "squares were compared; `cut` is about sizes.": lambda: living(
            sizes.square() >= cut * largest.square()
        ),
        "sizes were compared with the neuron's sum or norm, not with its largest.": lambda: living(
            sizes >= cut * sizes.sum(dim=0)
        ),
        "`dead` was held against the mean of the sizes, not against the largest.": lambda: living(
            sizes >= cut * largest, sizes.mean(dim=0) >= dead
        ),
        "those below the cut were counted.": lambda: living(sizes < cut * largest),
        "dead neurons were given one feature; they have none.": lambda: torch.where(
            largest >= dead, (sizes >= cut * largest).sum(dim=0), 1
        ),
    }
