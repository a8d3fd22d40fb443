"""Steps a second of sweeps of toy models: ours, and as in the paper's notebook.

Run it with `.venv/bin/python benchmarks/superposition.py`; about a minute. The notebook's way is
batched einsums, autograd, AdamW, and samples by `rand` and `where`; it is written out below. Both
train in one process, in turns, on as many threads as PyTorch takes. What counts is the ratio, and
the share of our time that the random numbers and the matrix products alone would take: they are
timed on their own, in the same shapes, on one thread. The rest is passes over samples that do next
to no arithmetic, AdamW, and what PyTorch takes for each of some 35 operations of a step.
"""

import argparse
from collections.abc import Callable
from statistics import median
from time import perf_counter

import numpy as np
import torch

from mechcourse.superposition import ToyConfig, begin
from mechcourse.superposition_fast import FastToys, Workers, threads
from mechcourse.superposition_samples import leaves_out, one_of_first

ROUNDS = 5


def sweep(n_instances: int, lowest: float = 0.05) -> tuple[float, ...]:
    """Probabilities from 1 down, evenly on a logarithmic scale."""
    return tuple((lowest ** torch.linspace(0, 1, n_instances)).tolist())


SWEEPS = {
    "n=5, m=2, 10 instances": (
        ToyConfig(5, 2, sweep(10), tuple(0.9**i for i in range(5)), seed=1),
        500,
    ),
    "n=100, m=20, 10 instances": (ToyConfig(100, 20, sweep(10)), 20),
    "n=100, m=20, 10 instances of 1-S = 0.001": (ToyConfig(100, 20, (0.001,) * 10), 20),
    "n=2, m=1, 1,000 instances": (ToyConfig(2, 1, sweep(1000, 0.01)), 10),
}


class Notebook:
    """The training step in the manner of the paper's notebook."""

    def __init__(self, config: ToyConfig) -> None:
        self.config, self.probability = config, config.presence
        W, b = begin(config)
        self.W, self.b = torch.nn.Parameter(W), torch.nn.Parameter(b)
        self.optimiser = torch.optim.AdamW([self.W, self.b], lr=config.learning_rate)
        self.importance = config.importances

    def batch(self) -> torch.Tensor:
        """Samples, [sample instance feature]."""
        shape = (self.config.batch, *self.probability.shape)
        values = torch.rand(shape)
        return torch.where(torch.rand(shape) <= self.probability, values, torch.zeros(()))

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """Summed over instances and, to compare it with ours, over features."""
        hidden = torch.einsum("...if,ifh->...ih", x, self.W)
        out = torch.einsum("...ih,ifh->...if", hidden, self.W) + self.b
        return (self.importance * (x - out.relu()) ** 2).mean(dim=0).sum()

    def steps(self, n_steps: int) -> None:
        """Train for so many steps."""
        for _ in range(n_steps):
            self.optimiser.zero_grad(set_to_none=True)
            self.loss(self.batch()).backward()
            self.optimiser.step()


def seconds(run: Callable[[], object]) -> float:
    """How long it takes."""
    start = perf_counter()
    run()
    return perf_counter() - start


def bounds(config: ToyConfig) -> dict[str, float]:
    """Seconds of a step on one thread that must be: the random numbers, and the five products."""
    W, b = begin(config)
    first = Workers(W, b, config).blocks[0]
    x = torch.rand(len(first.presence), config.n_features, first.parts[0])
    n_blocks = config.n_instances * config.n_features * config.batch / x.numel()
    if leaves_out(first.presence, config):  # only so many of the samples are drawn
        share = one_of_first(first.presence)[:, -1].mean()
        x = x[..., : int(share * config.batch) + 1].contiguous()
    hidden, z = torch.bmm(first.weights, x), torch.empty_like(x)
    random = np.random.Generator(np.random.SFC64(0))

    def draw() -> None:
        random.integers(0, 2**64 - 1, x.numel() // 2, dtype=np.uint64, endpoint=True)

    def products() -> None:
        for _ in range(2):
            torch.bmm(first.weights, x, out=hidden)
            torch.bmm(hidden, x.transpose(1, 2))
        torch.bmm(first.weights.transpose(1, 2), hidden, out=z)

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    found = {
        name: n_blocks * median(seconds(run) for _ in range(30))
        for name, run in (("random numbers", draw), ("products", products))
    }
    torch.set_num_threads(n_threads)
    return found


def same_loss(config: ToyConfig) -> None:
    """Stop where the two ways disagree about a loss or a gradient."""
    ours = FastToys(*begin(config), config, slice(0, None), np.random.SeedSequence(0))
    theirs = Notebook(config)
    x = theirs.batch()
    theirs.loss(x).backward()
    gradient = ours.gradient(x.permute(1, 2, 0).contiguous(), config.batch)
    wanted = torch.cat([theirs.W.grad.transpose(1, 2), theirs.b.grad[:, None]], dim=1)
    if (gradient - wanted).abs().max() > 1e-4 * wanted.abs().max():
        raise SystemExit("the gradients differ")


def compare(config: ToyConfig, n_steps: int) -> tuple[float, float]:
    """Seconds of a step, the notebook's way and ours."""
    theirs, ours = Notebook(config), Workers(*begin(config), config)
    fewer = max(1, n_steps // 5)
    times: dict[str, list[float]] = {"theirs": [], "ours": []}
    for _ in range(ROUNDS):
        times["theirs"].append(seconds(lambda: theirs.steps(fewer)) / fewer)
        with threads() as pool:
            times["ours"].append(seconds(lambda: ours.advance(n_steps, pool)) / n_steps)
    return median(times["theirs"]), median(times["ours"])


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    print(f"{torch.get_num_threads()} threads; steps a second, medians of {ROUNDS} rounds")
    print(f"{'':42} {'notebook':>9} {'ours':>7} {'ratio':>6}   of our time (one thread's)")
    for name, (config, n_steps) in SWEEPS.items():
        same_loss(config)
        theirs, ours = compare(config, n_steps)
        parts = "  ".join(f"{part} {time / ours:.0%}" for part, time in bounds(config).items())
        print(f"{name:42} {1 / theirs:9.0f} {1 / ours:7.0f} {theirs / ours:6.1f}   {parts}")


if __name__ == "__main__":
    main()
