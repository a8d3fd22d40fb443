"""Definitions, named mistakes and planted models behind `ch03_grokking/4_progress_measures`.

Models to be told apart are in `_progress_measures_models.py`, curves and draws in
`_progress_measures_curves.py`.

A part of the logits is worked out one wave over pairs at a time, and a loss from how far the other
numbers are below the right one, so that nothing cancels however small it is.
"""

import math
from collections.abc import Iterable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import softplus

from mechcourse.checks import _inputs as inputs

# ---------------------------------------------------------------------------- waves over pairs


def numbers(p: int) -> tuple[Tensor, Tensor, Tensor]:
    """a, b and c, each along its own axis."""
    x = torch.arange(p)
    return x[:, None, None], x[:, None], x


def turns(p: int, k: int, of: Tensor) -> Tensor:
    """Angles 2πk/p times whole numbers, in radians; whole turns are left out."""
    return 2 * math.pi / p * (k * of % p).double()


def waves(p: int, frequencies: Iterable[int], *kinds: str) -> list[Tensor]:
    """Cosines and sines [p p 1] of a + b ("sum"), a - b ("difference"), "a" or "b"."""
    a, b, _ = numbers(p)
    zero = torch.zeros(p, p, 1, dtype=torch.long)
    of = {"sum": a + b, "difference": a - b, "a": a + zero, "b": b + zero}
    angles = [turns(p, k, of[kind]) for k in frequencies for kind in kinds]
    return [wave for angle in angles for wave in (angle.cos(), angle.sin())]


def onto(x: Tensor, tables: Sequence[Tensor], axes: tuple[int, ...] = (0, 1)) -> Tensor:
    """The projection on tables that are orthogonal to each other, over some axes."""
    found = torch.zeros(x.shape, dtype=torch.float64)
    for table in tables:
        size = (table * table).sum(dim=axes, keepdim=True)
        found = found + table * (x.double() * table).sum(dim=axes, keepdim=True) / size
    return found


def part(logits: Tensor, frequencies: Iterable[int]) -> Tensor:
    """What goes as waves of a + b of these frequencies."""
    return onto(logits, waves(len(logits), frequencies, "sum"))


def mean_logits(logits: Tensor) -> Tensor:
    return logits.double().mean(dim=(0, 1))


def wrong_parts(logits: Tensor, frequencies: Sequence[int]) -> dict[str, Tensor]:
    """Parts with one mistake each.

    The frequencies are at least two, neither ascending nor the lowest, and without 1.
    """
    p, x, right = len(logits), logits.double(), part(logits, frequencies)
    a, b, c = numbers(p)
    every = range(1, p // 2 + 1)
    others = [k for k in every if k not in frequencies]
    by = partial(waves, p, frequencies)
    shifted = [turns(p, k, a + b) for k in frequencies], [turns(p, k + 1, a + b) for k in every]
    diagonal = [turns(p, k, a + b - c) for k in frequencies]
    return {
        "waves of a - b were kept as well: the four products of a wave of a and one of b hold "
        "both.": onto(x, by("sum", "difference")),
        "waves of a alone and of b alone were kept as well.": onto(x, by("sum", "a", "b")),
        "all eight waves of a frequency were kept; only cos and sin of a + b are meant.": onto(
            x, by("sum", "difference", "a", "b")
        ),
        "all eight waves of a frequency were kept, and the constant; only cos and sin of a + b are "
        "meant.": onto(x, by("sum", "difference", "a", "b")) + mean_logits(x),
        "these are waves of a alone and of b alone; waves of their sum are meant.": onto(
            x, by("a", "b")
        ),
        "these are waves of a - b.": onto(x, by("difference")),
        "these are waves of a alone.": onto(x, by("a")),
        "these are waves of b alone.": onto(x, by("b")),
        "only cosines were kept; the phase of a wave is anybody's choice.": onto(x, by("sum")[::2]),
        "only sines were kept; the phase of a wave is anybody's choice.": onto(x, by("sum")[1::2]),
        "these are waves of c; each number c stands for itself.": onto(
            x, [wave for k in frequencies for wave in _pair(turns(p, k, c).view(1, 1, p))], (2,)
        ),
        "these are waves of b + c: a is on the first axis, and c on the last.": part(
            x.permute(1, 2, 0), frequencies
        ).permute(2, 0, 1),
        "these are waves of a + c: b is on the second axis, and c on the last.": part(
            x.transpose(1, 2), frequencies
        ).transpose(1, 2),
        "waves of a + b - c were fitted to all logits at once; each number c goes by itself.": onto(
            x, [wave for angle in diagonal for wave in _pair(angle)], (0, 1, 2)
        ),
        "cos of a + b - c was fitted to all logits at once; each number c goes by itself.": onto(
            x, [angle.cos() for angle in diagonal], (0, 1, 2)
        ),
        "it is p² / 2 times too large: cos and sin have to have norm 1 over all pairs.": (
            right * p**2 / 2
        ),
        "it is p times too large: a wave over the numbers has norm 1, but over pairs each of its "
        "values comes p times.": right * p,
        "it is p / sqrt(2) times too large: norm 1 is needed both where a wave is looked for and "
        "where it is put back.": right * p / math.sqrt(2),
        "it is half as large as it should be: the squares of a wave add up to p² / 2, not p².": (
            right / 2
        ),
        "it is twice as large as it should be: the squares of cos and sin of a + b add up to p² / 2"
        " (those of a product of two waves to p² / 4).": right * 2,
        "it is p times too small: divide rows of `fourier_basis` by sqrt(p), not by p.": right / p,
        "each pair's mean over c was taken away first; the logits are not to be centred.": part(
            x - x.mean(dim=2, keepdim=True), frequencies
        ),
        "the mean logits were kept as well; here the waves alone are asked for.": (
            right + mean_logits(x)
        ),
        "this is what is left when the waves are taken away.": x - right,
        "all frequencies were kept, not `frequencies` alone.": part(x, every),
        "all that depends on a + b was kept, the mean and all frequencies.": part(x, every)
        + mean_logits(x),
        "these are the frequencies that are not in `frequencies`.": part(x, others),
        "frequencies are one too high: frequency k has rows 2k - 1 and 2k.": part(
            x, [k + 1 for k in frequencies]
        ),
        "frequencies are one too low.": part(x, [k - 1 for k in frequencies]),
        "sin k and cos (k + 1) were put together: frequency k has rows 2k - 1 and 2k.": onto(
            x, [z.sin() for z in shifted[0]] + [shifted[1][k - 1].cos() for k in frequencies]
        ),
        "these are frequencies 1, 2, 3 and so on, not `frequencies`.": part(
            x, range(1, len(frequencies) + 1)
        ),
        "this is the first of `frequencies` alone.": part(x, frequencies[:1]),
        "this is the last of `frequencies` alone.": part(x, frequencies[-1:]),
    }


def _pair(angle: Tensor) -> tuple[Tensor, Tensor]:
    return angle.cos(), angle.sin()


# -------------------------------------------------------------------------------------- losses


def answers(p: int) -> Tensor:
    """(a + b) mod p, [p p]."""
    return torch.tensor([[(a + b) % p for b in range(p)] for a in range(p)])


def losses(logits: Tensor, right: Tensor | None = None) -> Tensor:
    """Each pair's loss in nats, [p p]; right however small or large it is."""
    at = (answers(len(logits)) if right is None else right)[..., None]
    x = logits.double()
    others = (x - x.gather(2, at)).scatter(2, at, -math.inf)
    return softplus(others.logsumexp(dim=2))


def mean_loss(logits: Tensor, pairs: Tensor | None = None) -> float:
    """The mean loss over some pairs [p p], or over all."""
    of = losses(logits)
    return float((of if pairs is None else of[pairs]).mean())


def restricted(logits: Tensor, frequencies: Sequence[int]) -> float:
    return mean_loss(mean_logits(logits) + part(logits, frequencies))


def excluded(logits: Tensor, frequencies: Sequence[int], is_train: Tensor) -> float:
    return mean_loss(logits.double() - part(logits, frequencies), is_train)


def _of_pairs(of: Tensor) -> dict[str, float]:
    """What is made of the losses of some pairs, with one mistake each."""
    mean = float(of.mean())
    return {
        "the losses were added up; take their mean.": float(of.sum()),
        "it is in bits; nats are asked for.": mean / math.log(2),
        "the sign is the wrong way round.": -mean,
        "the median over pairs was taken; take their mean.": float(of.median()),
        "the log of the mean probability was taken; take the mean of the logs.": -math.log(
            float((-of).exp().mean())
        ),
    }


def _of_axes(logits: Tensor) -> dict[str, float]:
    """The losses of all pairs with the softmax over another axis than that of the answers."""
    at = answers(len(logits))[..., None]
    words = (
        "the softmax was taken over {}, not over c. (cross_entropy takes axis 1 for the classes.)"
    )
    return {
        words.format(axis): -float(logits.log_softmax(dim=i).gather(2, at).mean())
        for i, axis in enumerate("ab")
    } | {
        words.format("b") + " Then the labels are not of the pairs, either.": float(
            torch.nn.functional.cross_entropy(logits, answers(len(logits)))
        )
    }


NO_SUM = "losses were taken against a - b, or a alone; the right answer is (a + b) mod p."


def _against(logits: Tensor, of_a: int, of_b: int, pairs: Tensor | None = None) -> float:
    """The mean loss against another answer than a + b."""
    a, b, _ = numbers(len(logits))
    of = losses(logits, ((of_a * a + of_b * b) % len(logits))[..., 0])
    return float((of if pairs is None else of[pairs]).mean())


def wrong_restricted(logits: Tensor, frequencies: Sequence[int]) -> dict[str, float]:
    """The restricted loss with one mistake each."""
    p, x, mean = len(logits), logits.double(), mean_logits(logits)
    of_keys = part(logits, frequencies)
    kept = mean + of_keys
    by = partial(waves, p, frequencies)
    made = {
        "the mean logits were left out. (A mean over c, or over everything, does not count: the "
        "softmax does not see it.)": of_keys,
        "the mean was taken over a alone; it is over all pairs.": x.mean(dim=0) + of_keys,
        "the mean was taken over b alone; it is over all pairs.": x.mean(dim=1, keepdim=True)
        + of_keys,
        "the mean logits were added twice.": kept + mean,
        "this is the loss of everything but the waves: the excluded logits.": x - of_keys,
        "this is the loss of everything but the waves and the mean.": x - kept,
        "nothing was taken away: this is the model's own loss.": x,
        "nothing was kept but the mean logits.": mean + torch.zeros_like(x),
        "waves of a - b were kept as well.": mean + onto(x, by("sum", "difference")),
        "all eight waves of a frequency were kept.": mean
        + onto(x, by("sum", "difference", "a", "b")),
        "waves of a alone and of b alone were kept, not of a + b.": mean + onto(x, by("a", "b")),
        "waves of a - b were kept, not of a + b.": mean + onto(x, by("difference")),
        "only cosines were kept.": mean + onto(x, by("sum")[::2]),
        "only sines were kept.": mean + onto(x, by("sum")[1::2]),
        "all frequencies were kept, not `frequencies` alone.": mean + part(x, range(1, p // 2 + 1)),
        "only the first of `frequencies` was kept.": mean + part(x, frequencies[:1]),
        "the part that goes as waves came in half its size.": mean + of_keys / 2,
    }
    wrong = {words: mean_loss(other) for words, other in made.items()}
    return wrong | _of_pairs(losses(kept)) | _of_axes(kept) | {NO_SUM: _against(kept, 1, -1)}


def wrong_excluded(
    logits: Tensor, frequencies: Sequence[int], is_train: Tensor
) -> dict[str, float]:
    """The excluded loss with one mistake each; the mask is not symmetric and not half of all."""
    p, x, mean = len(logits), logits.double(), mean_logits(logits)
    of_keys = part(logits, frequencies)
    left = x - of_keys
    by = partial(waves, p, frequencies)
    tables = torch.stack(by("sum"))[:, is_train][..., 0].T  # [pair wave]
    fitted = torch.linalg.lstsq(tables, x[is_train]).solution  # over the pairs trained on
    on_train = left.clone()
    on_train[is_train] = x[is_train] - tables @ fitted
    made = {
        "nothing was taken away: this is the model's own loss on those pairs.": x,
        "the mean logits were taken away, too; only the waves go.": left - mean,
        "this is the loss of the waves and the mean: what was to be taken away was kept.": mean
        + of_keys,
        "this is the loss of the waves alone: what was to be taken away was kept.": of_keys,
        "the waves were fitted over the pairs trained on alone; they are over all pairs.": on_train,
        "logits of the other pairs were set to 0 before the projection; it is over all pairs.": x
        - part(x * is_train[..., None], frequencies),
        "waves of a - b were taken away as well.": x - onto(x, by("sum", "difference")),
        "all eight waves of a frequency were taken away.": x
        - onto(x, by("sum", "difference", "a", "b")),
        "waves of a alone and of b alone were taken away, not of a + b.": x - onto(x, by("a", "b")),
        "waves of a - b were taken away, not of a + b.": x - onto(x, by("difference")),
        "only cosines were taken away.": x - onto(x, by("sum")[::2]),
        "only sines were taken away.": x - onto(x, by("sum")[1::2]),
        "all frequencies were taken away, not `frequencies` alone.": x
        - part(x, range(1, p // 2 + 1)),
        "only the first of `frequencies` was taken away.": x - part(x, frequencies[:1]),
        "the waves were taken away in half their size.": x - of_keys / 2,
        "the waves were taken away twice.": x - 2 * of_keys,
        "the mean logits were added once more; they are in the logits already.": left + mean,
        "the waves were added.": x + of_keys,
    }
    of = losses(left)
    over = {
        "the loss is over all pairs; it is over those that were trained on.": float(of.mean()),
        "the loss is over the pairs that were not trained on.": float(of[~is_train].mean()),
        "a and b are in each other's place in `is_train`.": float(of[is_train.T].mean()),
        "the losses were divided by the number of all pairs, not of those trained on.": float(
            of[is_train].sum() / p**2
        ),
        "the logits of the other pairs were set to 0, and their losses counted.": mean_loss(
            left * is_train[..., None]
        ),
    }
    wrong = {words: mean_loss(other, is_train) for words, other in made.items()}
    against = {
        "losses were taken against a - b; the right answer is (a + b) mod p.": (1, -1),
        "losses were taken against a; the right answer is (a + b) mod p.": (1, 0),
    }
    other = {words: _against(left, *signs, is_train) for words, signs in against.items()}
    return wrong | over | _of_pairs(of[is_train]) | other


def rough_logits(random: torch.Generator, p: int) -> Tensor:
    """Waves of many kinds, noise, each number's mean and each pair's offset; unlike in a and b."""
    x = inputs.normal(random, p, p, p, dtype=torch.float64)
    for k in range(1, p // 2 + 1):
        for wave in waves(p, [k], "sum", "difference", "a", "b"):
            x += wave * inputs.normal(random, p, dtype=torch.float64)
    a, b, _ = numbers(p)
    offsets = inputs.normal(random, p, p, 1, dtype=torch.float64) + 0.3 * a - 0.2 * b
    return (x + offsets + 1.5 * inputs.normal(random, p, dtype=torch.float64) + 2.0).float()


def mask(random: torch.Generator, p: int, share: float) -> Tensor:
    """Which pairs are trained on, [p p]: so many, in no pattern."""
    chosen = torch.randperm(p * p, generator=random)[: round(share * p * p)]
    return torch.zeros(p * p, dtype=torch.bool).index_fill(0, chosen, True).view(p, p)
