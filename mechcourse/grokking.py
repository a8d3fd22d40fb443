"""Training on part of all sums modulo p until the model grokks the rest, and what is kept of it.

Full batches, AdamW with weight decay, and a loss that float32 does not round away. Source: Nanda et
al., Progress Measures for Grokking via Mechanistic Interpretability (2023), section 3.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float, Int
from safetensors.torch import load_file
from torch import Tensor

from mechcourse.modular import (
    ModularTransformer,
    ModularTransformerConfig,
    exact_cross_entropy,
)
from mechcourse.modular_fast import FastModel
from mechcourse.modular_tasks import Kind, Task, task
from mechcourse.training import Progress, save_tensors
from mechcourse.trajectories import Stored

Weights = dict[str, Tensor]
FEW = 2000  # pairs to train on: below, threads mostly wait for each other, and for other programs


@dataclass(frozen=True)
class GrokkingConfig:
    """How a model of sums modulo p is trained; by default as in the paper, but for `n_steps`.

    Attributes:
        n_steps: full-batch steps, which are epochs.
        fraction: of all pairs that is trained on.
        warm_up: steps over which the learning rate rises to what it then stays at.
        weight_decay: AdamW's, on every weight and bias.
        seed: of the initial weights and of which pairs are trained on.
        look_every: steps between two looks at the losses.
        keep: the steps after which the weights are kept; 0 is before training.
        kind: of the task that is learnt.
    """

    n_steps: int
    fraction: float = 0.3
    learning_rate: float = 1e-3
    weight_decay: float = 1.0
    warm_up: int = 10
    betas: tuple[float, float] = (0.9, 0.98)
    seed: int = 0
    look_every: int = 50
    keep: tuple[int, ...] = ()
    kind: Kind = "sums"

    def task(self, p: int) -> Task:
        """What is learnt, and from which pairs."""
        return task(self.kind, p, self.fraction, self.seed)

    def rate(self, step: int) -> float:
        """The learning rate at a step, counted from 0."""
        return self.learning_rate * min(1.0, (step + 1) / self.warm_up)


@dataclass(frozen=True)
class Curves(Stored):
    """Losses in nats and accuracies as fractions, at "=", while a model trained.

    Attributes:
        steps: how many steps were done at each look; the first is 0, before training.
        train_loss: mean over the pairs trained on; `test_loss` over all others.
    """

    steps: Int[Tensor, "look"]
    train_loss: Float[Tensor, "look"]
    test_loss: Float[Tensor, "look"]
    train_accuracy: Float[Tensor, "look"]
    test_accuracy: Float[Tensor, "look"]

    def grokking_step(self, accuracy: float = 0.99) -> int | None:
        """The first step from which on the test accuracy stays at or above a level, or None."""
        below = (self.test_accuracy < accuracy).nonzero()
        first = int(below[-1]) + 1 if len(below) else 0
        return int(self.steps[first]) if first < len(self.steps) else None


@dataclass(frozen=True)
class Run:
    """A training, done here or shipped.

    Attributes:
        model: as it was at the end.
        weights: what was kept on the way, by step.
    """

    config: GrokkingConfig
    model: ModularTransformer
    curves: Curves
    weights: dict[int, Weights] = field(default_factory=dict)

    def model_at(self, step: int) -> ModularTransformer:
        """The model as it was after so many steps.

        Raises:
            KeyError: its weights were not kept; the message lists the steps for which they were.
        """
        if step not in self.weights:
            kept = ", ".join(map(str, sorted(self.weights)))
            raise KeyError(f"no weights were kept at step {step}; there are {kept}")
        return rebuild(self.model.config, self.weights[step])


def begin(model: ModularTransformerConfig, seed: int) -> ModularTransformer:
    """An untrained model, its weights fixed by the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ModularTransformer(model)


def rebuild(config: ModularTransformerConfig, weights: Weights) -> ModularTransformer:
    """A model with these weights, in float32 whatever they were kept in."""
    with torch.random.fork_rng(devices=[]):
        model = ModularTransformer(config)
    model.load_state_dict({name: weight.float() for name, weight in weights.items()})
    return model


def grok(
    model: ModularTransformer,
    config: GrokkingConfig,
    *,
    task: Task | None = None,
    progress: Progress | None = None,
) -> Run:
    """Train a model in place and keep its curves, and its weights at the steps to be kept.

    Interrupting the kernel ends the training early and keeps what was learnt.

    Args:
        task: what to learn in place of the config's, whose kind and fraction then say nothing.
        progress: gets "loss/train", "loss/test", "accuracy/train" and "accuracy/test" at every
            look, and nothing at the steps between.
    """
    task = task or config.task(model.config.p)
    watcher = Watcher(model, config, task)
    step, threads = 0, torch.get_num_threads()
    if task.is_train.sum() < FEW:
        torch.set_num_threads(1)
    try:
        watcher.look(0)
        for step in training_steps(model, config, task):
            seen = watcher.look(step)
            if step == 1:  # so that progress knows from the start what there is to show
                seen = watcher.seen[0]
            if progress:
                progress(step, config.n_steps, _named(seen))
    except KeyboardInterrupt:
        print(f"Stopped after {step} of {config.n_steps} steps; the model keeps what it learnt.")
    finally:
        torch.set_num_threads(threads)
    return Run(config, model, watcher.curves(), watcher.weights)


def training_steps(model: ModularTransformer, config: GrokkingConfig, task: Task) -> Iterator[int]:
    """Train a model in place; after each step its number, from 1."""
    train, _ = task.parts()
    batch = FastModel(model, *train)
    optimiser = torch.optim.AdamW(
        model.parameters(), betas=config.betas, weight_decay=config.weight_decay, fused=True
    )
    for step in range(config.n_steps):
        batch.loss().backward()
        for group in optimiser.param_groups:
            group["lr"] = config.rate(step)
        optimiser.step()
        optimiser.zero_grad()
        yield step + 1


class Watcher:
    """Looks at a model every few steps while it trains, and keeps what it sees."""

    def __init__(self, model: ModularTransformer, config: GrokkingConfig, task: Task) -> None:
        parts = zip(("train", "test"), task.parts(), strict=True)
        self.parts = {name: FastModel(model, *part) for name, part in parts}
        self.model, self.config = model, config
        self.steps: list[int] = []
        self.seen: list[dict[str, float]] = []
        self.weights: dict[int, Weights] = {}

    def look(self, step: int) -> dict[str, float] | None:
        """Look, if it is time to; what was seen just now."""
        if step in self.config.keep:
            weights = self.model.state_dict().items()
            self.weights[step] = {name: weight.half() for name, weight in weights}
        if step % self.config.look_every and step != self.config.n_steps:
            return None
        seen = {}
        for name, part in self.parts.items():
            logits, answers = part.logits(), part.answers[:, 0]
            seen[f"{name}_loss"] = exact_cross_entropy(logits, answers).mean().item()
            seen[f"{name}_accuracy"] = (logits.argmax(dim=1) == answers).float().mean().item()
        self.steps.append(step)
        self.seen.append(seen)
        return seen

    def curves(self) -> Curves:
        """All that was seen."""
        names = ("train_loss", "test_loss", "train_accuracy", "test_accuracy")
        kept = {name: torch.tensor([seen[name] for seen in self.seen]) for name in names}
        return Curves(torch.tensor(self.steps), **kept)


def _named(seen: dict[str, float] | None) -> dict[str, float]:
    """What was seen, by the names under which progress is reported."""
    return {"/".join(reversed(name.split("_"))): value for name, value in (seen or {}).items()}


def save_weights(weights: dict[int, Weights], path: Path) -> None:
    """Write weights along a training as one file of safetensors, as they are."""
    flat = {f"{step}/{name}": w for step, kept in weights.items() for name, w in kept.items()}
    save_tensors(flat, path)


def load_weights(path: Path) -> dict[int, Weights]:
    """Read what `save_weights` wrote, in the order of the steps.

    Raises:
        FileNotFoundError: there is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}")
    kept: dict[int, Weights] = {}
    for name, weight in load_file(path).items():
        step, _, inside = name.partition("/")
        kept.setdefault(int(step), {})[inside] = weight
    return dict(sorted(kept.items()))
