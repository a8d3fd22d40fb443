"""What the grokking explorer shows of each step: the embedding's frequencies and its circles."""

from dataclasses import dataclass
from typing import Self

import torch
from jaxtyping import Float
from torch import Tensor

from mechcourse import fourier
from mechcourse.grokking import Run

CIRCLES = 3


@dataclass(frozen=True)
class Seen:
    """What is shown at each kept step, computed once.

    Attributes:
        keys: the key frequencies of the model at the end, by its neuron-logit map.
        circled: the frequencies that are largest in the embedding at the end, the largest first.
        norms: of each frequency in the embedding; entry 0 is of frequency 1.
        shares: of the embedding's energy that is not constant, what the keys have.
        points: of each number in the planes of the frequencies circled.
    """

    steps: list[int]
    keys: list[int]
    circled: list[int]
    norms: Float[Tensor, "step freq"]
    shares: Float[Tensor, "step"]
    points: Float[Tensor, "circle step p 2"]

    @classmethod
    @torch.no_grad()
    def of(cls, run: Run) -> Self:
        """Look at the embedding of every step at which weights were kept."""
        model, steps = run.model, sorted(run.weights)
        end = model.embed.W_E[:-1].detach().double()
        basis = fourier.fourier_basis(len(end))
        tables = torch.stack([run.weights[s]["embed.W_E"][:-1].double() for s in steps])
        energies = (basis @ tables)[:, 1:].square().sum(dim=2).unflatten(1, (-1, 2)).sum(dim=2)
        logit_map = fourier.neuron_logit_map(model.blocks[0].mlp.W_out, model.unembed.W_U)
        keys = fourier.key_frequencies(logit_map.T)
        circled = fourier.frequency_shares(end).topk(min(CIRCLES, energies.shape[1])).indices + 1
        circled = circled.tolist()
        of_keys = energies[:, [k - 1 for k in keys]].sum(dim=1)
        return cls(
            steps,
            keys,
            circled,
            energies.sqrt(),
            of_keys / energies.sum(dim=1).clamp(min=1e-12),
            torch.stack([tables @ plane_of(end, k).T for k in circled]),
        )


def plane_of(table: Float[Tensor, "p d_model"], frequency: int) -> Float[Tensor, "2 d_model"]:
    """Two orthonormal directions: that of cos in a table, and what that of sin adds to it.

    Coordinates on them are those of an orthogonal projection: a circle in the plane stays one, and
    an ellipse stays an ellipse.
    """
    cos, sin = fourier.wave_rows(len(table), [frequency]) @ table.double()
    first = cos / cos.norm().clamp(min=1e-12)
    second = sin - (sin @ first) * first
    return torch.stack([first, second / second.norm().clamp(min=1e-12)])
