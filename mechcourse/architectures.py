"""Which classes of models there are: what a checkpoint, or a grading worker, may name."""

from typing import Any

import torch

from mechcourse.full_models import FullTransformer, FullTransformerConfig
from mechcourse.hooks import HookedModel
from mechcourse.models import Transformer, TransformerConfig
from mechcourse.modular import ModularTransformer, ModularTransformerConfig
from mechcourse.smeared import SmearedTransformer

# By its class's name, each class with that of its config.
Config = type[TransformerConfig] | type[ModularTransformerConfig]
ARCHITECTURES: dict[str, tuple[type[HookedModel], Config]] = {
    "Transformer": (Transformer, TransformerConfig),
    "SmearedTransformer": (SmearedTransformer, TransformerConfig),
    "FullTransformer": (FullTransformer, FullTransformerConfig),
    "ModularTransformer": (ModularTransformer, ModularTransformerConfig),
}


def rebuilt(name: str, config: dict[str, Any], weights: dict[str, Any]) -> HookedModel:
    """A model from its class's name, its config as a dict, and its weights.

    Whatever the config says, it takes no more memory than the weights that come with it.

    Raises:
        Exception: of one kind or another, where the three do not make a model.
    """
    architecture, configured = ARCHITECTURES[name]
    sizes = configured(**config)
    if 4 * sizes.n_layers > len(weights):  # of attention alone
        raise ValueError(f"{sizes.n_layers} layers, and {len(weights)} weights")
    with torch.device("meta"):  # shapes without numbers
        model = architecture(sizes)
    model.load_state_dict(weights, strict=True, assign=True)
    return model
