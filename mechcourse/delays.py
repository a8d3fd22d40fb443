"""How long grokking takes, by weight decay, share of the pairs trained on, and seed."""

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
        minutes: on two cores, all together.
    """

    model: ModularTransformerConfig
    training: GrokkingConfig
    weight_decays: Sequence[float]
    fractions: Sequence[float]
    seeds: Sequence[int]
    about: str = "how long grokking takes, by weight decay and share of the pairs trained on"
    minutes: float = 10.0

    def settings(self) -> Iterator[GrokkingConfig]:
        """One training for each, those of one weight decay and share together."""
        for decay, share, seed in product(self.weight_decays, self.fractions, self.seeds):
            yield replace(self.training, weight_decay=decay, fraction=share, seed=seed)


SWEEP = Sweep(
    ModularTransformerConfig(p=59),
    GrokkingConfig(n_steps=3000, learning_rate=3e-3, look_every=20),
    weight_decays=(0.0, 0.3, 1.0, 3.0),
    fractions=(0.3, 0.4, 0.5, 0.6),
    seeds=(0, 1),
)


def delay(model: ModularTransformerConfig, training: GrokkingConfig) -> dict[str, Any]:
    """One training, ended as soon as it has grokked.

    Returns:
        The setting; `memorised` and `grokked`, the first looks at which the training and the test
        accuracy were 99%, or None; and the last test accuracy.
    """
    network = begin(model, training.seed)
    watcher = Watcher(network, training)
    first: dict[str, int | None] = {"train": None, "test": None}
    for step in training_steps(network, training):
        seen = watcher.look(step)
        for part in first:
            if seen and first[part] is None and seen[f"{part}_accuracy"] >= LEARNT:
                first[part] = step
        if first["test"] is not None:
            break
    return {
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
