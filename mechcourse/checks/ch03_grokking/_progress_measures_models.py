"""Planted models behind `ch03_grokking/4_progress_measures`: circuits, memories, both, neither."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from math import log
from typing import Literal

import torch
from torch import Tensor

from mechcourse.checks import _inputs as inputs
from mechcourse.checks.ch03_grokking._progress_measures import (
    answers,
    excluded,
    losses,
    mask,
    mean_logits,
    numbers,
    onto,
    part,
    restricted,
    turns,
    waves,
)

Verdict = Literal["circuit", "memory", "both", "neither"]

# -------------------------------------------------------------------------------- planted models


def circuit(p: int, frequencies: Iterable[int], turned: int = 0) -> Tensor:
    """Logits in which every pair's right answer is the highest, made of waves of a + b - c."""
    a, b, c = numbers(p)
    return sum(turns(p, k, a + b - c + turned).cos() for k in frequencies)


def remembered(pairs: Tensor) -> Tensor:
    """1 at the right answers of these pairs, 0 elsewhere."""
    p = len(pairs)
    hot = torch.nn.functional.one_hot(answers(p), p).double()
    return hot * pairs[..., None]


def _noise(random: torch.Generator, *shape: int) -> Tensor:
    return inputs.normal(random, *shape, dtype=torch.float64)


def grown(rest: Tensor, wanted: Tensor, loss: Callable[[Tensor], float], low: float) -> Tensor:
    """`rest` and as much of `wanted` as brings a loss below `low`, in float32."""
    size = 1.0
    while loss((rest + size * wanted).float()) > low:
        size *= 1.03
        assert size < 1e4, "no size of it brings the loss down"
    return (rest + size * wanted).float()


def sure_circuit(random: torch.Generator, p: int, frequencies: Sequence[int], low: float) -> Tensor:
    """Logits with a restricted loss just below `low`; with everything they are wrong."""
    rest = 0.3 * _noise(random, p) + 3 * _noise(random, p, p, p)
    rest += 4 * sum(
        wave * _noise(random, p) for wave in waves(p, frequencies[:1], "difference", "a")
    )
    return grown(rest, circuit(p, frequencies), lambda x: restricted(x, frequencies), low)


def sure_memory(
    random: torch.Generator, frequencies: Sequence[int], is_train: Tensor, low: float
) -> Tensor:
    """Logits with an excluded loss just below `low`; a circuit turned by one beside them."""
    p = len(is_train)
    rest = _noise(random, p) + 0.5 * _noise(random, p, p, p)
    rest += 12 * circuit(p, frequencies, turned=1)
    wanted = remembered(is_train)
    return grown(rest, wanted, lambda x: excluded(x, frequencies, is_train), low)


# ----------------------------------------------------------------- what carries the training pairs


@dataclass(frozen=True)
class Planted:
    """A model whose nature is known, and the losses that tell it.

    Attributes:
        about: it, in words: "a circuit of other frequencies than those named".
        wanted: what it is called at that `low`.
    """

    about: str
    logits: Tensor
    frequencies: list[int]
    is_train: Tensor
    low: float
    wanted: Verdict


NAMES: dict[tuple[bool, bool], Verdict] = {
    (True, False): "circuit",
    (False, True): "memory",
    (True, True): "both",
    (False, False): "neither",
}


class Tables:
    """Losses of each pair, without which it can't be said what mistakes make of a model."""

    def __init__(self, given: Planted) -> None:
        x, p, ks = given.logits.double(), len(given.logits), given.frequencies
        mean, self.x, self.given = mean_logits(x), x, given
        self.kept = {"right": part(x, ks)}
        by = partial(waves, p, ks)
        self.kept["products"] = onto(x, by("sum", "difference"))
        self.kept["eight"] = onto(x, by("sum", "difference", "a", "b"))
        self.kept["cosines"] = onto(x, by("sum")[::2])
        self.kept["all"] = part(x, range(1, p // 2 + 1))
        self.alone = {name: losses(mean + kept) for name, kept in self.kept.items()}
        self.without = {name: losses(x - kept) for name, kept in self.kept.items()}
        self.alone["no mean"] = losses(self.kept["right"])
        self.without["no mean"] = losses(x - mean - self.kept["right"])
        self.without["nothing"] = losses(x)
        self.alone["train mean"] = losses(x[given.is_train].mean(dim=0) + self.kept["right"])
        self.alone["float32"], self.without["float32"] = (
            -logits.float().log_softmax(dim=2).gather(2, answers(p)[..., None])[..., 0]
            for logits in (mean + self.kept["right"], x - self.kept["right"])
        )
        self.hits = [
            logits.argmax(dim=2) == answers(p)
            for logits in (mean + self.kept["right"], x - self.kept["right"])
        ]

    def verdict(
        self,
        alone: str = "right",
        without: str = "right",
        pairs: tuple[Tensor | None, Tensor | None] = (None, None),
        of: Callable[[Tensor], Tensor] = torch.mean,
        low: float | None = None,
    ) -> Verdict:
        """What it is called with some things done otherwise."""
        train = self.given.is_train
        low = self.given.low if low is None else low
        chosen = [train if those is None else those for those in pairs]
        values = (of(self.alone[alone][chosen[0]]), of(self.without[without][chosen[1]]))
        first, second = (0.0 if value < 1e-17 else float(value) for value in values)
        return NAMES[first <= low, second <= low]

    def named(self) -> tuple[float, float]:
        """The two losses."""
        train = self.given.is_train
        return float(self.alone["right"][train].mean()), float(self.without["right"][train].mean())


def wrong_verdicts(of: Tables) -> dict[str, Verdict]:
    """What a model is called with one mistake each; in some models they do not show."""
    train, low = of.given.is_train, of.given.low
    every, tested = torch.ones_like(train), ~train
    right, losses = of.verdict(), of.named()
    swapped = {"circuit": "memory", "memory": "circuit"}
    turned = {"both": "neither", "neither": "both"}
    hits = [bool(table[train].all()) for table in of.hits]
    return {
        "both losses were taken over all pairs; they are over those trained on.": of.verdict(
            pairs=(every, every)
        ),
        "the loss of the circuit alone was taken over all pairs, as the restricted loss is; here "
        "it is over those trained on.": of.verdict(pairs=(every, None)),
        "the loss without the circuit was taken over all pairs.": of.verdict(pairs=(None, every)),
        "losses were taken over the pairs that were not trained on.": of.verdict(
            pairs=(tested, tested)
        ),
        "the loss of the circuit alone was taken over the pairs that were not trained on.": (
            of.verdict(pairs=(tested, None))
        ),
        "a and b are in each other's place in `is_train`.": of.verdict(pairs=(train.T, train.T)),
        "the mean logits were left out of the circuit's.": of.verdict(alone="no mean"),
        "the mean logits were taken over the pairs trained on; they are over all pairs.": (
            of.verdict(alone="train mean")
        ),
        "the mean logits were taken away with the circuit.": of.verdict(without="no mean"),
        "the mean logits were left with neither.": of.verdict("no mean", "no mean"),
        '"circuit" and "memory" are in each other\'s place: the circuit alone is enough for '
        '"circuit".': swapped.get(right, right),
        '"both" and "neither" are in each other\'s place.': turned.get(right, right),
        "each loss was called low where it is high.": NAMES[losses[0] > low, losses[1] > low],
        "a loss just at `low` is low.": NAMES[losses[0] < low, losses[1] < low],
        "`low` was ignored: 0.01 was taken.": of.verdict(low=0.01),
        "`low` was ignored: 0.1 was taken.": of.verdict(low=0.1),
        "`low` was ignored: 0.5 was taken.": of.verdict(low=0.5),
        "`low` was ignored: 1 was taken.": of.verdict(low=1.0),
        "the smaller of the two losses was named, whether low or not.": (
            "circuit" if losses[0] < losses[1] else "memory"
        ),
        "of two losses that are low the smaller one was named: either would do.": right
        if right != "both"
        else ("circuit" if losses[0] < losses[1] else "memory"),
        '"both" was never said: where both losses are low, "circuit" was.': right
        if right != "both"
        else "circuit",
        '"both" was never said: where both losses are low, "memory" was.': right
        if right != "both"
        else "memory",
        '"neither" was never said: where no loss is low, "memory" was.': right
        if right != "neither"
        else "memory",
        "right answers were counted; losses are held against `low`.": NAMES[hits[0], hits[1]],
        "the medians of the losses were taken, not their means.": of.verdict(of=torch.median),
        "the largest losses were taken, not their means.": of.verdict(of=torch.max),
        "the losses were added up; take their means.": of.verdict(of=torch.sum),
        "losses are in bits.": of.verdict(low=low * log(2)),
        "losses were taken in float32, where none is between 0 and 6e-8.": of.verdict(
            "float32", "float32"
        ),
        "waves of a - b were counted to the circuit.": of.verdict("products", "products"),
        "all eight waves of a frequency were counted to the circuit.": of.verdict("eight", "eight"),
        "only cosines were counted to the circuit.": of.verdict("cosines", "cosines"),
        "all frequencies were counted to the circuit, not `frequencies` alone.": of.verdict(
            "all", "all"
        ),
        "nothing was taken away for the second loss: it is of everything but the circuit.": (
            of.verdict(without="nothing")
        ),
    }


Made = tuple[Tensor, list[int], Tensor]  # logits, frequencies, is_train
Build = Callable[[torch.Generator, int], Made]
Low = float | Callable[[float, float, float], float]  # of both losses, and the first over all pairs


def _some(random: torch.Generator, p: int, n: int) -> tuple[list[int], list[int]]:
    """So many frequencies, and the others."""
    order = (1 + torch.randperm(p // 2, generator=random)).tolist()
    return order[:n], order[n:]


def _rest(random: torch.Generator, p: int, noise: float = 0.4, bias: float = 0.5) -> Tensor:
    return 3 + noise * _noise(random, p, p, p) + bias * _noise(random, p)


def _by_sum(table: Tensor) -> Tensor:
    """A table [sum c] as logits."""
    return table[answers(len(table))]


def _share(random: torch.Generator) -> float:
    return 0.3 + 0.25 * float(torch.rand((), generator=random))


def _of_both(
    random: torch.Generator,
    p: int,
    size: float,
    height: float,
    *,
    noise: float = 0.4,
    bias: float = 0.5,
    others: float = 0.0,
) -> Made:
    """A circuit of some size, a memory of some height and a circuit of frequencies not named."""
    ks, rest = _some(random, p, 2)
    is_train = mask(random, p, _share(random))
    logits = size * circuit(p, ks) + height * remembered(is_train) + others * circuit(p, rest)
    return logits + _rest(random, p, noise, bias), ks, is_train


def _both(size: float, height: float, **more: float) -> Build:
    return partial(_of_both, size=size, height=height, **more)


def _right_where_trained(random: torch.Generator, p: int) -> Made:
    """A circuit that is right for the sums that are trained on, and wrong for all others."""
    ks, _ = _some(random, p, p // 2)
    known = torch.randperm(p, generator=random)[: p // 2]
    says = (torch.arange(p) + 1) % p
    says[known] = known
    logits = _by_sum(25 * torch.nn.functional.one_hot(says, p).double())
    is_train = mask(random, p, 0.7) & torch.isin(answers(p), known)
    return logits + _rest(random, p), ks, is_train


def _wrong_where_trained(random: torch.Generator, p: int) -> Made:
    """A circuit that is right but for one sum, which alone is trained on."""
    ks, _ = _some(random, p, p // 2)
    at = int(inputs.integers(random, p))
    says = torch.arange(p)
    says[at] = (at + 2) % p
    logits = _by_sum(6 * torch.nn.functional.one_hot(says, p).double())
    is_train = mask(random, p, 0.7) & (answers(p) == at)
    return logits + _rest(random, p, 0.2, 0.1), ks, is_train


def _favoured(random: torch.Generator, p: int) -> Made:
    """One number has the highest logit, and only pairs with that sum are trained on."""
    ks, _ = _some(random, p, 2)
    at = int(inputs.integers(random, p))
    logits = 14 * (torch.arange(p) == at).double() + _rest(random, p)
    return logits, ks, mask(random, p, 0.6) & (answers(p) == at)


def _forgetful(random: torch.Generator, p: int) -> Made:
    """A memory of most of the pairs trained on."""
    ks, _ = _some(random, p, 2)
    is_train = mask(random, p, _share(random))
    kept = is_train & ~mask(random, p, 0.12)
    return 16 * remembered(kept) + _rest(random, p), ks, is_train


def _of_the_others(random: torch.Generator, p: int) -> Made:
    """A memory of the pairs that are not trained on."""
    ks, _ = _some(random, p, 2)
    is_train = mask(random, p, _share(random))
    return 40 * remembered(~is_train) + _rest(random, p), ks, is_train


def _one_b(random: torch.Generator, p: int, sign: int) -> Made:
    """Waves of a - b, or of a, that are right for the only b that is trained on."""
    ks, _ = _some(random, p, 2)
    a, b, c = numbers(p)
    at = 1 + int(inputs.integers(random, p - 1))
    shift = a + at + sign * (b - at)
    logits = sum(30 * turns(p, k, shift - c).cos() for k in ks)
    is_train = torch.zeros(p, p, dtype=torch.bool)
    is_train[:, at] = True
    return logits + _rest(random, p), ks, is_train


def _all_of_it(random: torch.Generator, p: int) -> Made:
    """A circuit of two frequencies, and all pairs are trained on."""
    logits, ks, is_train = _of_both(random, p, 30.0, 0.0)
    return logits, ks, torch.ones_like(is_train)


def _single_pair(random: torch.Generator, p: int) -> Made:
    """A memory of the only pair that is trained on."""
    ks, _ = _some(random, p, 2)
    is_train = mask(random, p, 1 / p**2)
    return 30 * remembered(is_train) + _rest(random, p), ks, is_train


def _sure(random: torch.Generator, p: int) -> Made:
    """A circuit of all frequencies, so sure that its loss is exactly 0."""
    ks, _ = _some(random, p, p // 2)
    logits = 1200 * remembered(torch.ones(p, p, dtype=torch.bool)) - 600
    return logits + _rest(random, p), ks, mask(random, p, _share(random))


def _sure_memory(random: torch.Generator, p: int) -> Made:
    """A memory so sure that its loss is exactly 0."""
    ks, _ = _some(random, p, 1)
    is_train = mask(random, p, 0.3)
    return 1200 * remembered(is_train) - 600 + _rest(random, p), ks, is_train


def _tiny(random: torch.Generator, p: int, loss: float) -> Made:
    ks, _ = _some(random, p, 2)
    return sure_circuit(random, p, ks, loss), ks, mask(random, p, _share(random))


def _tiny_memory(random: torch.Generator, p: int, loss: float) -> Made:
    ks, _ = _some(random, p, 2)
    is_train = mask(random, p, _share(random))
    return sure_memory(random, ks, is_train, loss), ks, is_train


SCENES: tuple[tuple[str, Build, Low, Verdict], ...] = (
    ("a circuit and little else", _both(30.0, 0.0), 0.1, "circuit"),
    ("a memory of the pairs trained on and little else", _both(0.0, 40.0), 0.1, "memory"),
    ("a circuit, and a memory beside it", _both(30.0, 40.0), 0.05, "both"),
    ("noise", _both(0.0, 0.0), 0.1, "neither"),
    (
        "a circuit of other frequencies than those named",
        _both(0.0, 0.0, others=30.0),
        0.1,
        "memory",
    ),
    (
        "a circuit of the frequencies named, and another of all others",
        _both(30.0, 0.0, others=30.0),
        0.1,
        "both",
    ),
    (
        "a circuit that is drowned by the numbers' mean logits",
        _both(20.0, 0.0, bias=25.0),
        0.5,
        "neither",
    ),
    (
        "a memory beside large mean logits of the numbers",
        _both(0.0, 120.0, bias=12.0),
        0.1,
        "memory",
    ),
    (
        "a circuit that is right for the sums that are trained on, and wrong for others",
        _right_where_trained,
        0.1,
        "circuit",
    ),
    (
        "a circuit that is wrong for the one sum that is trained on, and right for all others",
        _wrong_where_trained,
        lambda alone, without, everywhere: 1.4 * everywhere,
        "neither",
    ),
    (
        "mean logits that favour the one number that is the sum of all pairs trained on",
        _favoured,
        0.1,
        "both",
    ),
    (
        "a circuit that gives right answers, with a loss just above `low`",
        _both(2.6, 0.0, noise=0.1, bias=0.1),
        lambda alone, without, everywhere: alone / 1.2,
        "neither",
    ),
    (
        "a circuit with a loss just below `low`",
        _both(2.8, 0.0, noise=0.1, bias=0.3),
        lambda alone, without, everywhere: 1.2 * alone,
        "circuit",
    ),
    ("a circuit with a loss of some 0.03, below `low`", partial(_tiny, loss=0.03), 0.06, "circuit"),
    ("a circuit with a loss of some 0.3, above `low`", partial(_tiny, loss=0.3), 0.15, "neither"),
    ("a circuit with a loss of some 0.7, below `low`", partial(_tiny, loss=0.7), 0.9, "circuit"),
    (
        "a memory surer of some pairs than of others, with a loss well below `low`",
        _both(0.0, 9.0),
        lambda alone, without, everywhere: 2.5 * without,
        "memory",
    ),
    (
        "a memory with a loss just below `low`",
        _both(0.0, 9.0),
        lambda alone, without, everywhere: 1.2 * without,
        "memory",
    ),
    ("a memory that has forgotten some of the pairs trained on", _forgetful, 0.2, "neither"),
    (
        "a memory that has forgotten some pairs, where `low` is high enough for that",
        _forgetful,
        lambda alone, without, everywhere: 1.2 * without,
        "memory",
    ),
    ("a memory of pairs that are not trained on", _of_the_others, 0.1, "neither"),
    (
        "a circuit and a memory, either too weak alone",
        _both(2.2, 4.0),
        0.1,
        "neither",
    ),
    (
        "waves of a - b, of the frequencies named, where a single b is trained on",
        partial(_one_b, sign=-1),
        0.1,
        "memory",
    ),
    (
        "waves of a, of the frequencies named, where a single b is trained on",
        partial(_one_b, sign=0),
        0.1,
        "memory",
    ),
    ("a circuit, where all pairs are trained on", _all_of_it, 0.02, "circuit"),
    ("a memory of the only pair that is trained on", _single_pair, 0.5, "memory"),
    (
        "a circuit with a loss of some 1e-8, above `low`",
        partial(_tiny, loss=4e-8),
        1e-8,
        "neither",
    ),
    (
        "a circuit with a loss of some 1e-9, below `low`",
        partial(_tiny, loss=2e-9),
        1e-8,
        "circuit",
    ),
    (
        "a memory with a loss of some 1e-8, above `low`",
        partial(_tiny_memory, loss=4e-8),
        1e-8,
        "neither",
    ),
    ("a circuit with a loss of 0, with `low` at 0", _sure, 0.0, "circuit"),
    ("a memory with a loss of 0, with `low` at 0", _sure_memory, 0.0, "memory"),
)
SIZES = (9, 11, 13)
CLEAR = 1.15  # by so much a loss is above or below `low`, unless both are 0


def _planted(
    random: torch.Generator, about: str, build: Build, low: Low, wanted: Verdict
) -> tuple[Planted, Tables]:
    """A model as it is wanted, drawn again until it clearly is."""
    for _ in range(200):
        logits, ks, is_train = build(random, SIZES[int(inputs.integers(random, len(SIZES)))])
        if not is_train.any() or (torch.equal(is_train, is_train.T) and not is_train.all()):
            continue
        found = Tables(Planted(about, logits.float(), ks, is_train, 0.0, wanted))
        both = found.named()
        everywhere = float(found.alone["right"].mean())
        cut = low(*both, everywhere) if callable(low) else low
        clear = all(loss == cut == 0 or not cut / CLEAR < loss < cut * CLEAR for loss in both)
        found.given = Planted(about, logits.float(), ks, is_train, cut, wanted)
        if clear and found.verdict() == wanted:
            return found.given, found
    raise RuntimeError(f"no such model turned up: {about}")


@lru_cache(maxsize=16)  # whoever checks again has them at once, with a few seeds as well
def planted_models(seed: int) -> tuple[list[Planted], dict[str, list[Verdict]]]:
    """Models of every nature, in no order, and what mistakes make of them, one after the other."""
    random = inputs.generator(seed, salt=2)
    while True:
        made = [_planted(random, *scene) for scene in SCENES]
        made = [made[i] for i in torch.randperm(len(made), generator=random).tolist()]
        each = [wrong_verdicts(tables) for _, tables in made]
        wrong = {words: [one[words] for one in each] for words in each[0]}
        right = [given.wanted for given, _ in made]
        if right not in wrong.values() and len(set(map(tuple, wrong.values()))) == len(wrong):
            return [given for given, _ in made], wrong
