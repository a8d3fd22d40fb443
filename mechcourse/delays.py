"""How long grokking takes, by weight decay, share of the pairs trained on, seed, and split."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from mechcourse.grokking import GrokkingConfig, Watcher, begin, training_steps
from mechcourse.modular import ModularTransformerConfig

LEARNT = 0.99  # accuracy


@dataclass(frozen=True)
class Sweep:
    """Which settings are tried, all with all; seeds of the weights and of the pairs.

    Attributes:
        training: what all have in common; `n_steps` is when an attempt is given up.
        also: further settings, each as it is.
        minutes: on two cores, all together.
    """

    model: ModularTransformerConfig
    training: GrokkingConfig
    weight_decays: Sequence[float]
    fractions: Sequence[float]
    seeds: Sequence[int]
    also: Sequence[GrokkingConfig] = ()
    about: str = "how long grokking takes, by weight decay and share of the pairs trained on"
    minutes: float = 10.0

    def settings(self) -> Iterator[GrokkingConfig]:
        """One training for each, those of one weight decay and share together."""
        for decay, share, seed in product(self.weight_decays, self.fractions, self.seeds):
            yield replace(self.training, weight_decay=decay, fraction=share, seed=seed)
        yield from self.also


EACH = GrokkingConfig(n_steps=3000, learning_rate=3e-3, look_every=20)
# A random split with 37% of the pairs shows as many different ones, (a, b) and (b, a) being
# counted once, as a mirror-proof split with 60%.
MIRRORS = (("sums", 0.6), ("sums", 0.37), ("mirror-proof sums", 0.6))
SWEEP = Sweep(
    ModularTransformerConfig(p=59),
    EACH,
    weight_decays=(0.0, 0.3, 1.0, 3.0),
    fractions=(0.3, 0.4, 0.5, 0.6),
    seeds=(0, 1),
    also=[
        replace(EACH, kind=kind, fraction=share, seed=seed)
        for (kind, share), seed in product(MIRRORS, range(2, 6))
    ],
    minutes=15.0,
)


def delay(model: ModularTransformerConfig, training: GrokkingConfig) -> dict[str, Any]:
    """One training, ended as soon as it has grokked.

    Returns:
        The setting; `memorised` and `grokked`, the first looks at which the training and the test
        accuracy were 99%, or None; and the last test accuracy.
    """
    network = begin(model, training.seed)
    task = training.task(model.p)
    watcher = Watcher(network, training, task)
    first: dict[str, int | None] = {"train": None, "test": None}
    for step in training_steps(network, training, task):
        seen = watcher.look(step)
        for part in first:
            if seen and first[part] is None and seen[f"{part}_accuracy"] >= LEARNT:
                first[part] = step
        if first["test"] is not None:
            break
    return {
        "kind": training.kind,
        "weight_decay": training.weight_decay,
        "fraction": training.fraction,
        "seed": training.seed,
        "n_steps": training.n_steps,
        "memorised": first["train"],
        "grokked": first["test"],
        "test_accuracy": round(watcher.seen[-1]["test_accuracy"], 4),
    }


def sweep(what: Sweep) -> list[dict[str, Any]]:
    """Every setting's delay, with a line of progress for each."""
    rows = []
    for training in what.settings():
        rows.append(delay(what.model, training))
        print(" ".join(f"{name} {value}" for name, value in rows[-1].items()), flush=True)
    return rows
