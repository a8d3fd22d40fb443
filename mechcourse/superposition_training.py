"""Training of many toy models at once, and what is kept of it."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.quasirandom import SobolEngine

from mechcourse.superposition import ToyConfig, begin
from mechcourse.superposition_fast import Workers, alone, threads
from mechcourse.superposition_samples import Samples
from mechcourse.training import Progress

EVALUATED = 512  # samples at once
MOST_PATTERNS = 8  # features whose patterns, 2 to the power of them, are all gone through
# Called at every look with the step's number, and copies of W and b.
Watch = Callable[[int, Tensor, Tensor], None]


@dataclass(frozen=True)
class ToyRun:
    """Toy models, trained here or shipped.

    Attributes:
        steps: how many steps were done at each look; empty where that was not kept.
        losses: of each instance on that step's samples, before its update.
        final_losses: of each instance at the end, not on samples it was trained on, and good
            enough to choose the best of several by.
    """

    config: ToyConfig
    W: Float[Tensor, "instance feature hidden"]
    b: Float[Tensor, "instance feature"]
    steps: Int[Tensor, "look"]
    losses: Float[Tensor, "look instance"]
    final_losses: Float[Tensor, "instance"]


def train(
    config: ToyConfig, *, progress: Progress | None = None, watch: Watch | None = None
) -> ToyRun:
    """Train all instances from weights that the seed fixes; the same with any number of threads.

    Interrupting the kernel ends the training early and keeps what was learnt.

    Args:
        progress: gets "loss", the mean over instances, at every look and not in between.
        watch: gets the weights at every look, and once before training.
    """
    W, b = begin(config)
    workers = Workers(W, b, config)
    steps, losses = [], []
    if watch:
        watch(0, W, b)
    done = 0
    try:
        with threads() as pool:
            while done < config.n_steps:
                few = min(config.look_every, config.n_steps - done)
                losses.append(workers.advance(few, pool))
                done += few
                steps.append(done)
                if watch:
                    watch(done, *workers.weights())
                if progress:
                    progress(done, config.n_steps, {"loss": losses[-1].mean().item()})
    except KeyboardInterrupt:
        print(f"Stopped after {done} of {config.n_steps} steps; the models keep what they learnt.")
    seen = torch.stack(losses) if losses else torch.zeros(0, config.n_instances)
    W, b = workers.weights()
    looks = torch.tensor(steps, dtype=torch.int64)
    return ToyRun(config, W, b, looks, seen, final_losses(W, b, config))


def final_losses(
    W: Float[Tensor, "instance feature hidden"],
    b: Float[Tensor, "instance feature"],
    config: ToyConfig,
) -> Float[Tensor, "instance"]:
    """Each instance's loss: `expected_loss` where that can be had, and else `evaluate`."""
    few = config.n_features <= MOST_PATTERNS and config.correlation == "independent"
    return (expected_loss if few else evaluate)(W, b, config)


def alike(config: ToyConfig) -> list[Int[Tensor, "model"]]:
    """Which instances are alike in all but their initial weights and samples, in order."""
    kinds = torch.cat([config.presence, config.importances], dim=1)
    _, which, sizes = kinds.unique(dim=0, return_inverse=True, return_counts=True)
    groups = which.argsort(stable=True).split(sizes.tolist())
    return sorted(groups, key=lambda group: int(group[0]))


def best_of(run: ToyRun) -> Int[Tensor, "kind"]:
    """Of instances that are alike, the one with the least final loss; of each kind, in order."""
    best = [group[run.final_losses[group].argmin()] for group in alike(run.config)]
    return torch.stack(best)


@alone()
def evaluate(
    W: Float[Tensor, "instance feature hidden"],
    b: Float[Tensor, "instance feature"],
    config: ToyConfig,
    *,
    n_samples: int = 20_480,
    seed: int = 10**6,
) -> Float[Tensor, "instance"]:
    """Each instance's loss on samples that it has not seen.

    Instances with the same probabilities get the same samples, so that the best of several is the
    best and not the luckiest.

    Args:
        n_samples: rounded up to a multiple of 512.
    """
    kinds, which = config.presence.unique(dim=0, return_inverse=True)
    losses, importance = torch.zeros(config.n_instances), config.importances[..., None]
    n_parts = -(-n_samples // EVALUATED)
    for kind, presence in enumerate(kinds):
        chosen = (which == kind).nonzero().flatten()
        own, bias, weight = W[chosen], b[chosen][..., None], importance[chosen]
        random = np.random.Generator(np.random.SFC64([seed, kind]))
        samples = Samples(presence[None], EVALUATED, config, random)
        for _ in range(n_parts):
            x = samples.draw().expand(len(chosen), -1, -1)
            errors = torch.baddbmm(bias, own, own.transpose(1, 2) @ x).relu_().sub_(x).square_()
            losses[chosen] += errors.mul_(weight).sum(dim=(1, 2))
            n_empty = EVALUATED - x.shape[2]
            losses[chosen] += n_empty * (weight * bias.relu() ** 2).sum(dim=(1, 2))
    return losses / (n_parts * EVALUATED)


@alone()
def expected_loss(
    W: Float[Tensor, "instance feature hidden"],
    b: Float[Tensor, "instance feature"],
    config: ToyConfig,
    *,
    n_values: int = 2048,
) -> Float[Tensor, "instance"]:
    """Each instance's loss, with every pattern of present features weighed by its probability.

    Where features are rare two of them hardly ever meet, and it is just there that models differ:
    of 20,000 samples at 1-S = 0.01 two show a given pair. A pattern gets `n_values` sets of values,
    points of a Sobol sequence, which gives a loss to about 0.1%.

    Raises:
        ValueError: there are more than 8 features, or they are not independent.
    """
    n = config.n_features
    if n > MOST_PATTERNS or config.correlation != "independent":
        raise ValueError(f"for at most {MOST_PATTERNS} features, and independent ones")
    values = SobolEngine(n, scramble=True, seed=0).draw(n_values).T
    presence, losses = config.presence, torch.zeros(config.n_instances)
    importance, bias, Wt = config.importances[..., None], b[..., None], W.transpose(1, 2)
    for pattern in product((0.0, 1.0), repeat=n):
        here = torch.tensor(pattern)
        weight = torch.where(here > 0, presence, 1 - presence).prod(dim=1)
        x = values[:, : n_values if any(pattern) else 1] * here[:, None]
        for some in torch.arange(config.n_instances).split(64):
            errors = torch.baddbmm(bias[some], W[some], Wt[some] @ x).relu_().sub_(x).square_()
            mean = errors.mul_(importance[some]).sum(dim=1).mean(dim=1)
            losses[some] += weight[some] * mean
    return losses
