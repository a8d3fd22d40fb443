"""How each shipped model is trained: all that makes it, but the text."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from mechcourse.data import code_tokens, repeated_sequences
from mechcourse.full_models import FullTransformer, FullTransformerConfig
from mechcourse.measures import OFFSETS, PERIODS
from mechcourse.models import Transformer, TransformerConfig
from mechcourse.smeared import SmearedTransformer
from mechcourse.training import Sampler, TrainingConfig, windows_of

# Python's standard library; random tokens that repeat, with periods and offsets of all kinds; the
# same with one period and no offset.
Data = Literal["code", "repeats", "one period"]
ONE_PERIOD = 24


@dataclass(frozen=True)
class Recipe:
    """All that makes a shipped model, but the text: sizes, training, and minutes on two cores."""

    model: TransformerConfig
    training: TrainingConfig
    minutes: float
    about: str
    data: Data = "code"
    architecture: type[Transformer] = Transformer

    def sampler(self) -> Sampler:
        """What draws the batches."""
        sizes = self.model.n_ctx, self.model.d_vocab
        if self.data == "code":
            return windows_of(code_tokens("train"), self.model.n_ctx)
        kinds = (PERIODS, OFFSETS) if self.data == "repeats" else ((ONE_PERIOD,) * 2, (0, 0))

        def draw(n_sequences: int, generator: torch.Generator) -> tuple[Tensor, None]:
            seed = int(torch.randint(2**62, (), generator=generator))
            tokens, _ = repeated_sequences(
                n_sequences, *sizes, periods=kinds[0], offsets=kinds[1], seed=seed
            )
            return tokens, None  # all tokens are to be predicted, those that can't be as well

        return draw


def _code_model(n_layers: int) -> TransformerConfig:
    return TransformerConfig(
        n_layers=n_layers, d_model=128, n_heads=4, d_head=32, d_vocab=512, n_ctx=256
    )


def _repeats_model(n_layers: int) -> TransformerConfig:
    return TransformerConfig(
        n_layers=n_layers, d_model=64, n_heads=4, d_head=16, d_vocab=64, n_ctx=64
    )


FULL_CODE_MODEL = FullTransformerConfig(
    **{"n_layers": 4, "d_model": 128, "n_heads": 4, "d_head": 32, "d_vocab": 512, "n_ctx": 256},
    **{"d_mlp": 512, "activation": "gelu_new", "positions": "rotary", "rotary_dim": 16},
)
REPEATS = TrainingConfig(n_steps=1500, batch=64, warm_up=50)
RECIPES = {
    "code-0l": Recipe(
        _code_model(0), TrainingConfig(n_steps=1000), 0.5, "no layers: a table of bigrams"
    ),
    "code-1l": Recipe(
        _code_model(1), TrainingConfig(n_steps=8000), 9.0, "one layer of 4 heads: skip-trigrams"
    ),
    "code-2l": Recipe(
        _code_model(2), TrainingConfig(n_steps=8000), 15.0, "two layers of 4 heads: induction"
    ),
    "repeats-1l": Recipe(
        _repeats_model(1), REPEATS, 0.7, "one layer on repeated sequences: no induction", "repeats"
    ),
    "repeats-2l": Recipe(
        _repeats_model(2), REPEATS, 1.0, "two layers on repeated sequences: induction", "repeats"
    ),
    "impostor-1l": Recipe(
        _repeats_model(1), REPEATS, 0.7, "one layer on one period: it counts", "one period"
    ),
    "smeared-1l": Recipe(
        *(_repeats_model(1), REPEATS, 0.7, "one layer with smeared keys: induction", "repeats"),
        architecture=SmearedTransformer,
    ),
    "code-mlp-4l": Recipe(
        *(FULL_CODE_MODEL, TrainingConfig(n_steps=3000), 20.0),
        about="four layers with LayerNorm and MLPs: as real models are made",
        architecture=FullTransformer,
    ),
}
