"""Definitions and named mistakes behind `ch03_grokking/3_the_algorithm`: shares of frequencies.

A share is worked out here with whole tables of waves over pairs, one after the other, never with a
table of coefficients. Clusters and neurons' logits are in `_the_algorithm_maps.py`, and what is
about whole logits in `_the_algorithm_logits.py`.
"""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

import torch
from torch import Tensor

from mechcourse.checks import _inputs as inputs

OF_A, OF_B = ("cos a", "sin a"), ("cos b", "sin b")
OF_ONE = OF_A + OF_B
PRODUCTS = ("cos cos", "cos sin", "sin cos", "sin sin")  # a wave of a first, then one of b
ALL = OF_ONE + PRODUCTS
# What a table is, the table, and shares or a residual that hold for frequencies 5 and 2.
Planted = list[tuple[str, Tensor, tuple[float, float]]]
APART = 0.01  # at least, of a right value and one with a named mistake


def told_apart(right: Tensor | float, wrong: Mapping[str, Tensor] | Mapping[str, float]) -> bool:
    """Whether no named mistake gives the right value by accident."""
    want = torch.as_tensor(right, dtype=torch.float64)
    values = [torch.as_tensor(value, dtype=torch.float64) for value in wrong.values()]
    return all(float((value - want).abs().max()) > APART for value in values)


# ---------------------------------------------------------------------------- waves over pairs


def turns(p: int, k: int, numbers: Tensor) -> Tensor:
    """Angles 2πk/p times whole numbers, in radians; whole turns are left out."""
    return 2 * math.pi / p * (k * numbers % p).double()


@lru_cache(maxsize=64)
def waves(p: int, k: int) -> dict[str, Tensor]:
    """The eight functions of a frequency, as tables over pairs."""
    x = turns(p, k, torch.arange(p))
    one = {"cos": x.cos(), "sin": x.sin()}
    flat = torch.ones(p, dtype=torch.float64)
    tables = {f"{name} a": torch.outer(wave, flat) for name, wave in one.items()}
    tables |= {f"{name} b": torch.outer(flat, wave) for name, wave in one.items()}
    tables |= {f"{i} {j}": torch.outer(one[i], one[j]) for i in one for j in one}
    return tables


def explained(tables: Tensor, k: int, names: Sequence[str]) -> Tensor:
    """The sum of squares that some functions of a frequency explain, of each of the tables."""
    p = len(tables)
    if not 0 < k <= p // 2:
        return torch.zeros(tables.shape[2], dtype=torch.float64)
    total = torch.zeros(tables.shape[2], dtype=torch.float64)
    for name in names:
        wave = waves(p, k)[name][..., None]
        total += (tables.double() * wave).sum(dim=(0, 1)).square() / wave.square().sum()
    return total


def varying(tables: Tensor) -> Tensor:
    """The sum of squares about the mean over all pairs, of each of the tables."""
    x = tables.double()
    return (x - x.mean(dim=(0, 1))).square().sum(dim=(0, 1))


def shares(tables: Tensor, frequencies: Sequence[int], names: Sequence[str]) -> Tensor:
    """The shares of the variance, [freq table]; no table may be constant."""
    return torch.stack([explained(tables, k, names) for k in frequencies]) / varying(tables)


def wrong_head_shares(tables: Tensor, frequencies: Sequence[int]) -> dict[str, Tensor]:
    """Heads' shares with one mistake each; frequencies are neither ascending nor all of them."""
    right = shares(tables, frequencies, OF_ONE)
    next_up = [
        explained(tables, k, ["sin a", "sin b"]) + explained(tables, k + 1, ["cos a", "cos b"])
        for k in frequencies
    ]
    return _wrong_shares(tables, frequencies, OF_ONE, "head") | {
        "products of a wave of a and one of b were fitted, too; here four waves are.": shares(
            tables, frequencies, ALL
        ),
        "products of a wave of a and one of b were fitted in place of waves of one alone.": (
            shares(tables, frequencies, PRODUCTS)
        ),
        "it is half of what it should be: the shares of a and b add up, they have no mean.": (
            right / 2
        ),
        "waves of a were counted twice, and those of b not at all.": 2
        * shares(tables, frequencies, OF_A),
        "waves of b were counted twice, and those of a not at all.": 2
        * shares(tables, frequencies, OF_B),
        "components 2k and 2k + 1 were taken; frequency k has 2k - 1 and 2k.": (
            torch.stack(next_up) / varying(tables)
        ),
    }


def wrong_neuron_shares(tables: Tensor, frequencies: Sequence[int]) -> dict[str, Tensor]:
    """Neurons' shares with one mistake each; frequencies are as above."""
    of_sums = torch.stack([of_turned(tables, k, 1) for k in frequencies])
    return _wrong_shares(tables, frequencies, ALL, "neuron") | {
        "only the four waves of a alone and b alone were fitted; products count here.": shares(
            tables, frequencies, OF_ONE
        ),
        "only the four products were fitted; waves of a alone and b alone count, too.": shares(
            tables, frequencies, PRODUCTS
        ),
        "only cos times cos and sin times sin were fitted: with two lists as indices, "
        "`energies[rows, rows]`, places are picked one by one, and not a block.": shares(
            tables, frequencies, ("cos cos", "sin sin")
        ),
        "waves of a + b alone were fitted: there are eight functions.": of_sums / varying(tables),
        "all components up to 2k were taken, with those of lower frequencies: of a frequency, take "
        "0, 2k - 1 and 2k.": torch.stack([_up_to(tables, k) for k in frequencies])
        / varying(tables),
    }


def _up_to(tables: Tensor, k: int) -> Tensor:
    """The sum of squares that a block of all components from 1 to 2k holds, and its margins."""
    p = len(tables)
    a = torch.arange(p, dtype=torch.float64)
    angles = 2 * math.pi * torch.arange(1, k + 1, dtype=torch.float64)[:, None] * a / p
    rows = torch.cat([torch.ones(1, p), angles.cos(), angles.sin()]).double()
    rows = rows / rows.norm(dim=1, keepdim=True)
    of_block = torch.einsum("xa,yb,abn->xyn", rows, rows, tables.double()).square()
    return of_block.sum(dim=(0, 1)) - of_block[0, 0]


def _wrong_shares(
    tables: Tensor, frequencies: Sequence[int], names: Sequence[str], what: str
) -> dict[str, Tensor]:
    """Mistakes that can be made with heads and neurons alike."""
    right = shares(tables, frequencies, names)
    sums = torch.stack([explained(tables, k, names) for k in frequencies])
    whole = tables.double().square().sum(dim=(0, 1))
    mean = whole - varying(tables)
    all_of_one = sum(explained(tables, k, OF_ONE) for k in range(1, len(tables) // 2 + 1))
    return {
        "only waves of a were fitted.": shares(tables, frequencies, OF_A),
        "only waves of b were fitted.": shares(tables, frequencies, OF_B),
        "only cosines were fitted; the phase of a wave is anybody's choice.": shares(
            tables, frequencies, [name for name in names if "sin" not in name]
        ),
        "only sines were fitted; the phase of a wave is anybody's choice.": shares(
            tables, frequencies, [name for name in names if "cos" not in name]
        ),
        "the mean was left in what is divided by: the sum of squares is about the mean.": (
            sums / whole
        ),
        "the mean was counted on both sides: it is neither explained nor does it vary.": (
            (sums + mean) / whole
        ),
        "the mean was counted among what is explained.": (sums + mean) / varying(tables),
        "this is what is left: 1 minus the share.": 1 - right,
        "a root was taken: the share is one of squares.": right.sqrt(),
        "explained was divided by what is not explained.": right / (1 - right),
        "it was divided by what all of `frequencies` explain together.": right / right.sum(dim=0),
        "it was divided by what waves of a alone and of b alone hold, over all frequencies; "
        "products vary, too.": sums / all_of_one,
        f"it was divided by the sum of squares of all {what}s together.": (
            sums / varying(tables).sum()
        ),
        "rows come in ascending order; they are in the order of `frequencies`.": shares(
            tables, sorted(frequencies), names
        ),
        "the rows are of frequencies 1, 2, 3 and so on, not of `frequencies`.": shares(
            tables, range(1, len(frequencies) + 1), names
        ),
    }


def mixed(random: torch.Generator, p: int, n: int) -> Tensor:
    """Tables with some of everything, more of b than of a, no two alike; mean square near 1."""
    out = 0.3 * inputs.normal(random, p, p, n, dtype=torch.float64)
    for k in range(1, p // 2 + 1):
        sizes = 0.2 + 1.3 * torch.rand(n, generator=random, dtype=torch.float64)
        for name in ALL:
            larger = 1.4 if name in OF_B else 0.8
            coefficient = larger * sizes * inputs.normal(random, n, dtype=torch.float64)
            out += coefficient * waves(p, k)[name][..., None]
    return out / out.square().mean(dim=(0, 1)).sqrt()


def wave(p: int, k: int, axis: int, phase: float, size: float) -> Tensor:
    """A wave of a (axis 0) or of b (axis 1) alone, over all pairs."""
    one = size * (turns(p, k, torch.arange(p)) + phase).cos()
    return one[:, None].expand(p, p) if axis == 0 else one.expand(p, p)


def single_waves(random: torch.Generator, p: int, axis: int) -> dict[int, Tensor]:
    """A wave of a, or of b, of each of three frequencies, with random phases."""
    phases = (6.3 * torch.rand(3, generator=random)).tolist()
    return {k: wave(p, k, axis, phase, 1.0) for k, phase in zip((5, 2, 3), phases, strict=True)}


def attention_of_known_shares(random: torch.Generator) -> Planted:
    """Attention, with the shares that waves of a and b alone explain."""
    a, b = (single_waves(random, 13, axis) for axis in (0, 1))
    return [
        (about, 0.5 + table, right)
        for about, table, right in (
            ("waves of one frequency, of a and of b", 0.2 * a[5] + 0.1 * b[5], (1.0, 0.0)),
            ("a wave of b alone", 0.1 * b[2], (0.0, 1.0)),
            ("a wave of a, and half as large one of b", 0.2 * a[2] + 0.1 * b[5], (0.2, 0.8)),
            ("a product of a wave of a and one of b", 0.3 * a[5] * b[5], (0.0, 0.0)),
            ("a product, and a wave of a", 0.2 * a[5] * b[5] + 0.1 * a[5], (1 / 3, 0.0)),
            ("a wave of another frequency", 0.2 * a[3] + 0.1 * b[3], (0.0, 0.0)),
            ("a faint wave of a alone", 0.03 * a[2], (0.0, 1.0)),
        )
    ]


def activations_of_known_shares(random: torch.Generator) -> Planted:
    """Activations, none below 0, with the shares that all eight functions explain."""
    a, b = (single_waves(random, 13, axis) for axis in (0, 1))
    return [
        (about, table - 2 * table.min(), right)
        for about, table, right in (
            ("a product of one frequency", 2 * a[5] * b[5], (1.0, 0.0)),
            ("a product and waves of one frequency", a[2] * b[2] + 2 * a[2], (0.0, 1.0)),
            ("waves of a alone and b alone", 2 * a[2] + b[5], (0.2, 0.8)),
            ("a product of two frequencies, which is of neither", a[5] * b[2], (0.0, 0.0)),
            ("a product of one frequency and one of two", a[5] * (b[5] + b[2]), (0.5, 0.0)),
            ("of another frequency", a[3] + b[3] + a[3] * b[3], (0.0, 0.0)),
            ("a quiet product", 0.05 * a[2] * b[2], (0.0, 1.0)),
        )
    ]


# --------------------------------------------------------------------- waves of a + b and a - b


def turned_waves(p: int, k: int, sign: int) -> list[Tensor]:
    """Cosine and sine of 2πk(a + sign b)/p, over all pairs."""
    a, b = torch.arange(p)[:, None], torch.arange(p)
    angles = turns(p, k, a + sign * b)
    return [angles.cos(), angles.sin()]


def of_turned(tables: Tensor, k: int, sign: int) -> Tensor:
    """The sum of squares that waves of a + sign b explain, of each of the tables."""
    return sum(
        (tables.double() * one[..., None]).sum(dim=(0, 1)).square() / one.square().sum()
        for one in turned_waves(len(tables), k, sign)
    )


def sum_and_difference(table: Tensor, k: int) -> Tensor:
    """The shares that waves of a + b and of a - b explain; the table is not constant."""
    tables = table[..., None]
    found = torch.cat([of_turned(tables, k, sign) for sign in (1, -1)])
    return found / varying(tables)


def wrong_sum_and_difference(table: Tensor, k: int) -> dict[str, Tensor]:
    """The two shares with one mistake each, for a frequency that is not 1."""
    x, p = table.double(), len(table)
    right = sum_and_difference(table, k)
    variance = varying(table[..., None])
    cosines, sines = (
        torch.stack([(x * turned_waves(p, k, sign)[i]).sum() ** 2 * 2 / p**2 for sign in (1, -1)])
        for i in (0, 1)
    )
    product = {name: explained(table[..., None], k, [name]) for name in PRODUCTS}
    alike = product["cos cos"] + product["sin sin"]
    unlike = product["cos sin"] + product["sin cos"]
    return {
        "sum and difference are in each other's place.": right.flip(0),
        "only the cosine was fitted; the phase of a wave is anybody's choice.": cosines / variance,
        "only the sine was fitted; the phase of a wave is anybody's choice.": sines / variance,
        "the mean was left in what is divided by: the variance is about the mean.": (
            right * variance / x.square().sum()
        ),
        "it was divided by what the four products of this frequency hold: the variance is that "
        "of the whole table.": right * variance / (alike + unlike),
        "it is half of what it should be: over all pairs the squares of a wave add up to p² / 2.": (
            right / 2
        ),
        "it is twice what it should be: two products make one wave, and the square of their sum "
        "is halved.": right * 2,
        "a root was taken: the share is one of squares.": right.sqrt(),
        "components 2k and 2k + 1 were taken; frequency k has 2k - 1 and 2k.": _from_next_rows(
            table, k
        ),
        "`frequency` was not looked at: these are the shares of frequency 1.": sum_and_difference(
            table, 1
        ),
        "the coefficients of the products were squared first: add or subtract them, then square.": (
            torch.cat([alike, unlike]) / variance
        ),
    }


def _from_next_rows(table: Tensor, k: int) -> Tensor:
    """The shares where sin k is taken for the cosine, and cos k + 1 for the sine."""
    p = len(table)
    x, y = turns(p, k, torch.arange(p)).sin(), turns(p, k + 1, torch.arange(p)).cos()
    cc, cs, sc, ss = (
        (table.double() * torch.outer(i, j)).sum() * 2 / p for i in (x, y) for j in (x, y)
    )
    squares = torch.stack([(cc - ss) ** 2 + (sc + cs) ** 2, (cc + ss) ** 2 + (sc - cs) ** 2])
    return squares / 2 / varying(table[..., None])


def mixed_table(random: torch.Generator, p: int, k: int) -> Tensor:
    """A table with some of everything, more of one frequency, and more of a + b than of a - b."""
    table = mixed(random, p, 1)[..., 0]
    for sign, most in ((1, 1.2), (-1, 0.4)):
        for one in turned_waves(p, k, sign):
            table = table + most * (0.5 + torch.rand((), generator=random).double()) * one
    return table


def tables_of_known_shares(random: torch.Generator) -> Planted:
    """Tables, with the shares that waves of a + b and of a - b, of frequency 5, explain."""
    p, k = 13, 5
    plus, minus = turned_waves(p, k, 1), turned_waves(p, k, -1)
    phase = 6.3 * float(torch.rand((), generator=random))
    of_sum = math.cos(phase) * plus[0] + math.sin(phase) * plus[1]
    of_difference = math.sin(phase) * minus[0] + math.cos(phase) * minus[1]
    other = turned_waves(p, 3, 1)[0]
    third = 1 / 3
    return [
        ("a wave of a + b, of any phase", of_sum + 2, (1.0, 0.0)),
        ("a wave of a - b, of any phase", of_difference - 1, (0.0, 1.0)),
        ("waves of both, one twice as large", 2 * of_sum + of_difference, (0.8, 0.2)),
        ("waves of both and another frequency", of_sum + minus[0] + other, (third, third)),
        ("a wave of a + b of another frequency", other, (0.0, 0.0)),
        ("a product of two waves", waves(p, k)["cos sin"] + 3, (0.5, 0.5)),
        ("a wave of a alone", waves(p, k)["sin a"], (0.0, 0.0)),
        ("a small wave", 0.03 * of_sum, (1.0, 0.0)),
    ]
