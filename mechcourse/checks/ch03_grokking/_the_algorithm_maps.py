"""Definitions and named mistakes behind `ch03_grokking/3_the_algorithm`: clusters, and W_L."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from mechcourse.checks import _inputs as inputs
from mechcourse.checks.ch03_grokking._the_algorithm import turns

# -------------------------------------------------------------------------------- clusters


def clusters(fve: Tensor, threshold: float) -> list[list[int]]:
    """The neurons of each row, by a loop over neurons."""
    rows: list[list[int]] = [[] for _ in fve]
    for neuron in range(fve.shape[1]):
        column = [float(value) for value in fve[:, neuron]]
        if max(column) > threshold:
            rows[column.index(max(column))].append(neuron)
    return rows


def explained_by_few(random: torch.Generator, n_rows: int, n: int, threshold: float) -> Tensor:
    """Shares in exact parts: neurons above the threshold, just at it, below it, and two ties.

    Of most neurons below the threshold all rows together explain more than that.
    """
    above = (1 - threshold) / 8
    fve = inputs.integers(random, 8, n_rows, n).double() / 16 * threshold
    for neuron, row in enumerate(inputs.integers(random, n_rows, n).tolist()):
        below = neuron % 4 == 3
        best = threshold * 7 / 8 if below else threshold + neuron % 4 * 2 * above
        fve[:, neuron] = fve[:, neuron].clamp(min=threshold / 4 * below)
        fve[row, neuron] = best
    fve[[0, -1], 5] = threshold + above
    fve[[0, -1], 3] = threshold * 7 / 8
    fve[:, 7:8] /= 4  # of this one, less even together
    return fve[:, torch.randperm(n, generator=random)].float()


def wrong_clusters(
    fve: Tensor, frequencies: list[int], threshold: float
) -> dict[str, list[list[int]]]:
    """Clusters with one mistake each; where two have the same result, the likelier is first."""
    right, n = clusters(fve, threshold), fve.shape[1]
    everybody = clusters(fve, -1.0)
    best, total = fve.amax(dim=0), fve.sum(dim=0)
    below = math.nextafter(threshold, -1.0)
    order = sorted(range(len(fve)), key=lambda row: frequencies[row])
    by_number = [
        [i for i in range(n) if int(fve[:, i].argmax()) == k and best[i] > threshold]
        for k in frequencies
    ]
    return {
        "a neuron whose best is just at the threshold belongs to none.": clusters(fve, below),
        "where two frequencies explain as much, the earlier one has the neuron.": clusters(
            fve.flip(0), threshold
        )[::-1],
        "a neuron is in every list whose frequency explains enough; it is in one.": [
            [i for i in range(n) if row[i] > threshold] for row in fve
        ],
        "lists come in ascending order of frequency; they are in the order of `frequencies`.": [
            right[row] for row in order
        ],
        "`threshold` was not looked at: every neuron is in a list.": everybody,
        "0.85 was taken for `threshold`, which is only the example's.": clusters(fve, 0.85),
        "neurons are counted from 1; the first is neuron 0.": [
            [i + 1 for i in one] for one in right
        ],
        "argmax gives the *row* of the best frequency, which was held against the frequency's "
        "number; row i is for `frequencies[i]`.": by_number,
        "neurons are descending.": [one[::-1] for one in right],
        "these are the neurons that do not belong to each frequency.": [
            [i for i in range(n) if i not in one] for one in right
        ],
        "these are the neurons at the threshold or below.": [
            [i for i in one if best[i] <= threshold] for one in everybody
        ],
        "all that the frequencies explain of a neuron was added up and held against the "
        "threshold; its best is.": [[i for i in one if total[i] > threshold] for one in everybody],
        "lists are in reverse order.": right[::-1],
    }


# ------------------------------------------------------------------------------ neurons' logits


def logit_map(W_out: Tensor, W_U: Tensor) -> Tensor:
    """Each neuron's logits, summed one stream dimension at a time, rows about their mean."""
    rows = []
    for neuron in W_out.double():
        logits = sum(one * W_U[i].double() for i, one in enumerate(neuron))
        rows.append(logits - logits.sum() / len(logits))
    return torch.stack(rows)


def wrong_logit_maps(W_out: Tensor, W_U: Tensor) -> dict[str, Tensor]:
    """Maps with one mistake each."""
    out, reads = W_out.double(), W_U.double()
    raw = out @ reads
    right = logit_map(W_out, W_U)
    return {
        "the rows are not centred yet.": raw,
        "columns were centred; each neuron's mean is taken over the numbers.": raw
        - raw.mean(dim=0),
        "the mean of the whole table was taken away; each row has a mean of its own.": (
            raw - raw.mean()
        ),
        "rows and columns were centred; only the numbers' mean says nothing.": (
            right - right.mean(dim=0)
        ),
        "rows were scaled, too; only their mean is taken away.": right
        / right.std(dim=1, keepdim=True),
        "rows were divided by their norm; only their mean is taken away.": right
        / right.norm(dim=1, keepdim=True),
        "W_U or W_out was centred over the stream; the logits are, over the numbers.": out
        @ (reads - reads.mean(dim=0)),
        "each row's first logit was taken away, not its mean.": raw - raw[:, :1],
        "each row's median was taken away, not its mean.": raw
        - raw.median(dim=1, keepdim=True).values,
    }


def number_waves(p: int, k: int) -> Tensor:
    """Cosine and sine of a frequency over the numbers, each of norm 1."""
    x = turns(p, k, torch.arange(p))
    return torch.stack([x.cos(), x.sin()]) * math.sqrt(2 / p)


def left_outside(table: Tensor, frequencies: Sequence[int], rows: Sequence[int] = (0, 1)) -> Tensor:
    """A map without what waves (0: cosines, 1: sines) of some frequencies hold of each row."""
    left = table.double()
    for k in frequencies:
        for one in number_waves(table.shape[1], k)[list(rows)]:
            left = left - torch.outer(left @ one, one)
    return left


def residual(table: Tensor, frequencies: Sequence[int]) -> float:
    """The Frobenius norm outside some frequencies, over the whole."""
    left = left_outside(table, frequencies)
    return math.sqrt(float(left.square().sum() / table.double().square().sum()))


def wrong_residuals(table: Tensor, frequencies: Sequence[int]) -> dict[str, float]:
    """Residuals with one mistake each, for a map with rows of many sizes, and not centred."""
    x, left = table.double(), left_outside(table, frequencies)
    right = residual(table, frequencies)
    norms = left.norm(dim=1), x.norm(dim=1)
    outside_constant = left - left.mean(dim=1, keepdim=True)
    centred = x - x.mean(dim=1, keepdim=True)
    found = {
        "this is a share of squares; take its root.": right**2,
        "this is what the frequencies hold; the rest is asked for.": math.sqrt(1 - right**2),
        "1 minus the norm that the frequencies hold is no norm: squares add up, norms do not.": (
            1 - math.sqrt(1 - right**2)
        ),
        "1 minus the share of squares was taken.": 1 - right**2,
        "each neuron has a ratio of its own here, and their mean was taken; it is one norm over "
        "another.": (norms[0] / norms[1]).mean(),
        "the norms of the rows were added up; in a Frobenius norm squares are.": norms[0].sum()
        / norms[1].sum(),
        "the constant was taken away with the waves; it is outside.": outside_constant.norm()
        / x.norm(),
        "rows were centred first; the map is taken as it is.": outside_constant.norm()
        / centred.norm(),
        "the whole map was centred for what is divided by, and not for what is left.": left.norm()
        / centred.norm(),
        "only cosines were taken away.": left_outside(table, frequencies, [0]).norm() / x.norm(),
        "only sines were taken away.": left_outside(table, frequencies, [1]).norm() / x.norm(),
        "only the last of `frequencies` was taken away.": residual(table, frequencies[-1:]),
        "only the first of `frequencies` was taken away.": residual(table, frequencies[:1]),
        "components 2k and 2k + 1 were taken away; frequency k has 2k - 1 and 2k.": (
            _without_the_next(x, frequencies).norm() / x.norm()
        ),
        "waves over the neurons were taken away; the numbers are on the second axis.": residual(
            x.T, frequencies
        ),
        "sizes were added up; in a Frobenius norm squares are.": left.abs().sum() / x.abs().sum(),
        "these are largest singular values: for matrices, ask for the Frobenius norm.": (
            torch.linalg.matrix_norm(left, 2) / torch.linalg.matrix_norm(x, 2)
        ),
        "the norm is not divided by that of the whole map.": left.norm(),
    }
    return {words: float(value) for words, value in found.items()}


def _without_the_next(x: Tensor, frequencies: Sequence[int]) -> Tensor:
    """A map without the sines of some frequencies and the cosines of those one higher."""
    left = left_outside(x, frequencies, [1])
    return left_outside(left, [k + 1 for k in frequencies if k < x.shape[1] // 2], [0])


def mixed_map(random: torch.Generator, n: int, p: int, frequencies: Sequence[int]) -> Tensor:
    """A map with rows of many sizes and means; the larger a row, the less frequencies hold of it.

    More of cosines than of sines, so that the two can be told apart.
    """
    sizes = torch.linspace(0.3, 3, n)[:, None]
    table = sizes * (inputs.normal(random, n, p) + inputs.normal(random, n, 1))
    for k in frequencies:
        both = number_waves(p, k).float() * torch.tensor([[2.0], [1.0]])
        table = table + inputs.normal(random, n, 2) @ both
    return table


def maps_of_known_residual(random: torch.Generator) -> list[tuple[str, Tensor, float]]:
    """Maps, with what frequencies 5 and 2 leave of them."""
    n, p = 4, 13
    turn = inputs.normal(random, n, 2, dtype=torch.float64)
    turn = turn / turn.norm()  # so that each of these has norm 1
    five, two, three, six = (turn @ number_waves(p, k) for k in (5, 2, 3, 6))
    flat = torch.full((n, p), 1 / math.sqrt(n * p), dtype=torch.float64)
    return [
        ("a map that one of the frequencies holds", five, 0.0),
        ("a map that both frequencies hold", five + 2 * two.flip(0), 0.0),
        ("a map that they hold nothing of", three, 1.0),
        ("waves of norm 4 inside, and of norm 3 outside", 4 * five + 3 * six, 0.6),
        ("waves of norm 4 inside, and a constant of norm 3", 4 * two + 3 * flat, 0.6),
        ("a constant alone", flat, 1.0),
        ("a map of small weights", 1e-3 * (3 * five + 4 * flat), 0.8),
        ("a map of large weights", 1e3 * (3 * five + 4 * flat), 0.8),
    ]
