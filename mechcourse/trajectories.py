"""What every head of a model does while the model trains, step by step."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import torch
from jaxtyping import Float, Int
from safetensors.torch import load_file
from torch import Tensor

from mechcourse.measures import look_at_repeats, repeats
from mechcourse.models import Transformer
from mechcourse.training import save_tensors

EVERY = 10  # steps between two looks
N_TEXTS, SEED = 32, 7  # of the texts that are looked at, the same at every look


class Stored:
    """A dataclass of tensors that can be written to a file and read back."""

    def save(self, path: Path) -> None:
        """Write it as safetensors."""
        save_tensors(vars(self), path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: there is no such file.
        """
        if not path.is_file():
            raise FileNotFoundError(f"no {cls.__name__.lower()} at {path}")
        return cls(**load_file(path))


@dataclass(frozen=True)
class Trajectory(Stored):
    """What was measured on a model while it trained, on repeated sequences of all kinds.

    Attributes:
        steps: how many steps were done at each look; the first is 0, before training.
        loss: of the predictable tokens, in nats.
        induction: every head's induction score, a fraction of its attention.
        previous: every head's mean attention on the token before.
    """

    steps: Int[Tensor, "point"]
    loss: Float[Tensor, "point"]
    induction: Float[Tensor, "point layer head"]
    previous: Float[Tensor, "point layer head"]


@dataclass
class Watcher:
    """Looks at a model every `EVERY` steps while it trains, and keeps what it sees."""

    model: Transformer
    steps: list[int] = field(default_factory=list)
    seen: list[dict[str, Tensor]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.texts = repeats(self.model, n_sequences=N_TEXTS, seed=SEED)
        self(0)

    def __call__(self, step: int) -> dict[str, Tensor] | None:
        """Look, if it is time to; what was seen just now."""
        if step % EVERY:
            return None
        self.steps.append(step)
        self.seen.append(look_at_repeats(self.model, *self.texts))
        return self.seen[-1]

    def trajectory(self) -> Trajectory:
        """All that was seen."""
        names = ("loss", "induction", "previous")
        kept = {name: torch.stack([seen[name] for seen in self.seen]) for name in names}
        return Trajectory(torch.tensor(self.steps), **kept)
