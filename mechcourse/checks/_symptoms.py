"""What can be said of wrong values that match no misconception that a check names."""

import torch
from torch import Tensor

MOST_SLICES = 16  # along longer axes no order is searched for


def symptom(value: Tensor, want: Tensor, dims: str = "") -> str:
    """The most telling thing about wrong values, as a sentence; empty where nothing is.

    Args:
        value, want: of one shape and dtype.
        dims: the names of their axes, "batch head query key".
    """
    if want.dtype == torch.bool or not value.numel():
        return ""
    names = dims.split() or [f"axis {axis}" for axis in range(want.ndim)]
    return _of_all_values(value, want) or next(filter(None, _by_axis(value, want, names)), "")


def _of_all_values(value: Tensor, want: Tensor) -> str:
    size = value.numel()
    if value.isnan().any() and not want.isnan().any():
        return f"{int(value.isnan().sum())} of {size} values are NaN."
    if value.isinf().any() and not want.isinf().any():
        return f"{int(value.isinf().sum())} of {size} values are infinite."
    if not value.any():
        return "every value is 0."
    if _same(value, -want):
        return "the sign is the wrong way round."
    if size < 2:
        return ""
    if _same(value, value.flatten()[0].expand_as(value)):
        return f"every value is the same, {value.flatten()[0]:.4g}."
    ratio = value[want != 0] / want[want != 0]
    scaled = ratio.numel() > 1 and torch.allclose(ratio, ratio.mean(), rtol=1e-3, atol=0)
    if scaled and abs(ratio.mean() - 1) < 1e-3:
        return "it is close, but not exact: is something rounded?"
    if scaled:
        return f"every value is {ratio.mean():.4g} times what it should be."
    if _same(value - want, (value - want).mean().expand_as(want)):
        return f"every value is off by the same {(value - want).mean():.4g}."
    return ""


def _by_axis(value: Tensor, want: Tensor, names: list[str]):
    """What is told by single axes, the most telling first."""
    axes = [axis for axis in range(want.ndim) if want.shape[axis] > 1]
    for a in axes:
        for b in axes:
            swapped = want.transpose(a, b)
            if a < b and swapped.shape == value.shape and _same(value, swapped):
                yield f"{names[a]} and {names[b]} are in each other's place."
    for axis in axes:
        yield _order(value, want, axis, names[axis])
    for axis in axes:
        yield _repeated(value, want, axis, names[axis])
    for axis in axes:
        total = want.sum(axis)
        told = not _same(total, torch.ones_like(total))  # so does any softmax
        if told and _same(value.sum(axis), want.sum(axis)):
            yield f"summed over {names[axis]} it is right, but not {names[axis]} by {names[axis]}."
    for axis in axes:
        right = [i for i in range(want.shape[axis]) if _same(*_pick(axis, i, value, want))]
        if right and len(right) < want.shape[axis]:
            listed = ", ".join(map(str, right[:8])) + ", …" * (len(right) > 8)
            yield f"it is right where {names[axis]} is {listed} and wrong elsewhere."


def _order(value: Tensor, want: Tensor, axis: int, name: str) -> str:
    n = want.shape[axis]
    if n > MOST_SLICES:
        return ""
    slices = list(zip(value.unbind(axis), want.unbind(axis), strict=True))
    where = [[j for j in range(n) if _same(slices[i][0], slices[j][1])] for i in range(n)]
    found = {place[0] for place in where if place}
    return f"the values along {name} are in another order." if len(found) == n else ""


def _repeated(value: Tensor, want: Tensor, axis: int, name: str) -> str:
    first, mean = want.narrow(axis, 0, 1), want.mean(axis, keepdim=True)
    if _same(mean.expand_as(want), want):
        return ""
    if _same(value, first.expand_as(want)):
        return f"every {name} got what belongs to {name} 0."
    if _same(value, mean.expand_as(want)):
        return f"it is split evenly over {name}: each got the mean."
    if _same(value, value.narrow(axis, 0, 1).expand_as(value)):
        return f"it is the same for every {name}."
    total = want.sum(axis, keepdim=True)
    if (
        _same(value.narrow(axis, 0, 1), total)
        and not value.narrow(axis, 1, want.shape[axis] - 1).any()
    ):
        return f"all of it is given to {name} 0."
    return ""


def _pick(axis: int, index: int, *tensors: Tensor) -> list[Tensor]:
    return [tensor.select(axis, index) for tensor in tensors]


def _same(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a, b, atol=1e-5, rtol=1e-4)
