"""Inputs that expose mistakes: no two axes of a size, nothing of unit length, nothing symmetric."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

Weights = dict[str, Tensor]


def generator(seed: int, salt: int = 0) -> torch.Generator:
    """A random generator for one set of inputs of a check."""
    return torch.Generator().manual_seed((seed * 1009 + salt) % 2**63)


def normal(random: torch.Generator, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Values drawn from a normal distribution."""
    return torch.randn(*shape, generator=random, dtype=dtype)


def integers(random: torch.Generator, high: int, *shape: int) -> Int[Tensor, "..."]:
    """Whole numbers from 0 to `high`, without it."""
    return torch.randint(0, high, shape, generator=random)


def rotation(random: torch.Generator, size: int) -> Float[Tensor, "size size"]:
    """A random rotation, which is not symmetric, so that it differs from its inverse."""
    q, _ = torch.linalg.qr(normal(random, size, size, dtype=torch.float64))
    if torch.det(q) < 0:
        q[:, 0] = -q[:, 0]
    return q.float()


def transformer_weights(
    random: torch.Generator,
    *,
    n_layers: int,
    d_vocab: int = 11,
    d_model: int = 7,
    n_heads: int = 3,
    d_head: int = 4,
    n_ctx: int = 9,
) -> Weights:
    """Weights of an attention-only transformer, by the names that `models.Transformer` gives."""
    weights = {
        "embed.W_E": normal(random, d_vocab, d_model),
        "pos_embed.W_pos": normal(random, n_ctx, d_model),
    }
    # Small enough that float32 stays exact to five digits through several layers.
    for layer in range(n_layers):
        prefix = f"blocks.{layer}.attn."
        for name in ("W_Q", "W_K", "W_V"):
            read = normal(random, n_heads, d_model, d_head)
            weights[prefix + name] = read / math.sqrt(d_model)
        write = normal(random, n_heads, d_head, d_model)
        weights[prefix + "W_O"] = write / math.sqrt(n_heads * d_head)
    weights["unembed.W_U"] = normal(random, d_model, d_vocab)
    return weights
