"""One layer that can do induction: an attention-only transformer with smeared keys.

Each key is a mix of its own position's and the one before, so that a query for the token before
needs no earlier layer. Source: In-context Learning and Induction Heads (2022), argument 2.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mechcourse.models import Attention, Transformer, TransformerConfig, _read


class SmearedAttention(Attention):
    """`Attention`, with a trainable `alpha: [head]` that says how much of each key is its own."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(config)
        self.alpha = nn.Parameter(torch.zeros(config.n_heads))  # half and half

    def keys(
        self, placed: Float[Tensor, "batch pos d_model"]
    ) -> Float[Tensor, "batch pos head d_head"]:
        """Every position's key, smeared: `hook_k` sees it so."""
        return self.hook_k(self.smear(_read(placed, self.W_K)))

    def smear(
        self, keys: Float[Tensor, "batch pos head d_head"]
    ) -> Float[Tensor, "batch pos head d_head"]:
        """`sigmoid(alpha)` of a position's own key and the rest of the key before it.

        The first position has none before it, and keeps its own.
        """
        own = self.alpha.sigmoid()[:, None]
        later = own * keys[:, 1:] + (1 - own) * keys[:, :-1]
        return torch.cat([keys[:, :1], later], dim=1)


class SmearedTransformer(Transformer):
    """A `Transformer` whose layers smear their keys."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(config)
        for block in self.blocks:
            block.attn = SmearedAttention(config)
        self.name_hooks()
