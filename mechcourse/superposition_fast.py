"""The training step of toy models, computing no more than it must; `superposition` is to be read.

It gives the same loss and gradients as the plain model. What is saved:

- drawing: see `superposition_samples`. Empty samples that are left out touch no weight, and their
  part of the bias's gradient is known.
- autograd: the gradient is two lines of algebra, in place. With g = dL/dz at z = W h + b and
  h = Wᵀ x, it is g hᵀ + x (Wᵀ g)ᵀ. The bias is one more row beside Wᵀ, whose hidden value is 1, so
  the same product gives its gradient too.
- memory: samples lie along the last axis, which suits the products, and a block of instances or of
  samples stays in the cache from the draw to the gradient.
- waiting: threads take blocks of instances, not parts of an operation; they never meet between two
  looks.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mechcourse.superposition import ToyConfig
from mechcourse.superposition_samples import Samples, leaves_out, one_of_first

BLOCK = 2**18  # entries, of a feature in a sample, at once: fewer, and Python takes its share
BETAS, EPS = (0.9, 0.999), 1e-8  # AdamW's


class Room:
    """Memory for so many samples of a block, used again at every step.

    Attributes:
        z: what the ReLU gets.
        g: the loss's gradient in z.
        hidden: the hidden values and a last row of ones, which the bias multiplies.
        back: the gradient in the hidden values, and a last row of zeros.
    """

    def __init__(self, n_rows: int, shape: tuple[int, int, int]) -> None:
        self.z, self.g = torch.empty(shape), torch.empty(shape)
        self.hidden, self.back = (torch.empty(shape[0], n_rows, shape[2]) for _ in range(2))
        self.ones, self.zeros = self.hidden[:, -1], self.back[:, -1]
        self.g_across = self.g.transpose(1, 2)


class FastToys:
    """Some instances that are trained side by side.

    Attributes:
        weights: Wᵀ and, as its last row, the bias.
        n_steps: how many were done.
    """

    def __init__(
        self, W: Tensor, b: Tensor, config: ToyConfig, own: slice, seed: np.random.SeedSequence
    ) -> None:
        self.config, self.presence = config, config.presence[own]
        self.random = np.random.Generator(np.random.SFC64(seed))
        self.weights = torch.cat([W[own].transpose(1, 2), b[own][:, None]], dim=1).contiguous()
        self.across = self.weights.transpose(1, 2)
        self.scale = (2 / config.batch * config.importances[own])[..., None]
        self.moments = torch.zeros(2, *self.weights.shape)
        self.n_steps = 0
        entries = config.batch * config.n_features
        n_parts = 1 if leaves_out(self.presence, config) else -(-entries // BLOCK)
        self.parts = [len(part) for part in torch.empty(config.batch).tensor_split(n_parts)]
        self.rooms: dict[int, Room] = {}

    def advance(self, n_steps: int, stop: Event | None = None) -> Float[Tensor, "instance"]:
        """Train for so many steps; returns the losses on the last samples, before their step."""
        draws = {
            size: Samples(self.presence, size, self.config, self.random) for size in set(self.parts)
        }
        losses = torch.zeros(len(self.weights))
        for step in range(n_steps):
            if stop and stop.is_set():
                break
            parts = []
            for size in self.parts:
                x = draws[size].draw()
                parts.append(self.gradient(x, size))
                if step == n_steps - 1:
                    losses += self.losses(x, size)
            self.update(parts[0] if len(parts) == 1 else torch.stack(parts).sum(dim=0))
        self.rooms = {}  # the next block's turn to use the memory
        return losses

    def gradient(
        self, x: Float[Tensor, "instance feature drawn"], n_samples: int
    ) -> Float[Tensor, "instance row feature"]:
        """Of the loss in the weights: the part that so many samples of a batch have in it.

        Args:
            n_samples: how many there are, with the empty ones that were left out of `x`.
        """
        room = self._forward(x)
        g, z = torch.sub(room.z, x, out=room.g), room.z
        torch.ops.aten.threshold_backward.grad_input(g, z, 0, grad_input=g).mul_(self.scale)
        torch.bmm(self.weights, g, out=room.back)
        room.zeros.zero_()
        gradient = torch.bmm(room.hidden, room.g_across).baddbmm_(room.back, x.transpose(1, 2))
        if n_samples > x.shape[2]:
            each = self.scale[..., 0] * self.weights[:, -1].relu()
            gradient[:, -1] += (n_samples - x.shape[2]) * each
        return gradient

    def losses(
        self, x: Float[Tensor, "instance feature drawn"], n_samples: int
    ) -> Float[Tensor, "instance"]:
        """What so many samples of a batch contribute to each instance's loss."""
        errors = self._forward(x).z.relu_().sub_(x).square_().sum(dim=2)
        errors += (n_samples - x.shape[2]) * self.weights[:, -1].relu() ** 2
        return (errors * self.scale[..., 0]).sum(dim=1) / 2

    def update(self, gradient: Float[Tensor, "instance row feature"]) -> None:
        """One step of AdamW."""
        first, second = self.moments
        rate, decay = self.config.rate(self.n_steps), self.config.weight_decay
        self.n_steps += 1
        first.lerp_(gradient, 1 - BETAS[0])
        second.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        unbiased = [1 - beta**self.n_steps for beta in BETAS]
        # sqrt(second / unbiased) + EPS, times the root of `unbiased`, which the step then is too
        root = unbiased[1] ** 0.5
        spread = second.sqrt().add_(EPS * root)
        self.weights.mul_(1 - rate * decay)
        self.weights.addcdiv_(first, spread, value=-rate * root / unbiased[0])

    def _forward(self, x: Float[Tensor, "instance feature drawn"]) -> Room:
        """A room with the hidden values and z of these samples."""
        if x.shape[2] not in self.rooms:
            self.rooms[x.shape[2]] = Room(self.weights.shape[1], x.shape)
        room = self.rooms[x.shape[2]]
        torch.bmm(self.weights, x, out=room.hidden)
        room.ones.fill_(1)
        torch.bmm(self.across, room.hidden, out=room.z)
        return room


class Workers:
    """All instances of a training, in blocks that threads take in turn.

    What comes out does not depend on how many threads there are.
    """

    def __init__(self, W: Tensor, b: Tensor, config: ToyConfig) -> None:
        parts = list(_blocks(config))
        seeds = np.random.SeedSequence(config.seed).spawn(len(parts))
        self.blocks = [FastToys(W, b, config, *part) for part in zip(parts, seeds, strict=True)]
        self.stop = Event()

    def advance(self, n_steps: int, pool: ThreadPoolExecutor | None) -> Float[Tensor, "instance"]:
        """Train all for so many steps; returns the losses on the last samples before their step."""
        each = pool.map if pool else map
        try:
            return torch.cat(
                list(each(lambda block: block.advance(n_steps, self.stop), self.blocks))
            )
        except KeyboardInterrupt:
            self.stop.set()
            raise

    def weights(
        self,
    ) -> tuple[Float[Tensor, "instance feature hidden"], Float[Tensor, "instance feature"]]:
        """A copy of W and b as they are now."""
        both = torch.cat([block.weights for block in self.blocks])
        return both[:, :-1].transpose(1, 2).contiguous(), both[:, -1].clone()


def _blocks(config: ToyConfig) -> Iterator[slice]:
    """Instances that come after each other, as many as have about `BLOCK` entries to draw."""
    shares = one_of_first(config.presence)[:, -1]
    start = 0
    while start < config.n_instances:
        end, entries = start, 0.0
        while end < config.n_instances and (end == start or entries <= BLOCK):
            end += 1
            drawn = (
                float(shares[start:end].max())
                if leaves_out(config.presence[start:end], config)
                else 1
            )
            entries = (end + 1 - start) * config.batch * config.n_features * drawn
        yield slice(start, end)
        start = end


@contextmanager
def alone() -> Iterator[int]:
    """One thread for each operation; gives how many it would have been.

    With more, operations as small as these mostly wait for each other, and for other programs.
    """
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield n_threads
    finally:
        torch.set_num_threads(n_threads)


@contextmanager
def threads() -> Iterator[ThreadPoolExecutor | None]:
    """As many threads as PyTorch would use, each for itself; None where that is one."""
    with alone() as n_threads:
        if n_threads == 1:
            yield None
        else:
            with ThreadPoolExecutor(n_threads, "", torch.set_num_threads, (1,)) as pool:
                yield pool
