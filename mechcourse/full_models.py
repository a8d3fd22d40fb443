"""Transformers as they are in practice: with LayerNorm, MLPs and biases.

`FullTransformer` covers GPT-2, GPT-NeoX (Pythia) and a small code model of our own. Weights and
hook points have TransformerLens's names, so what was written for `Transformer` runs unchanged.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from mechcourse.hooks import HookPoint
from mechcourse.models import Attention, Transformer, TransformerConfig, _read

# "gelu" is exact, "gelu_new" its approximation by tanh, which GPT-2 was trained with.
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": nn.functional.gelu,
    "gelu_new": lambda x: nn.functional.gelu(x, approximate="tanh"),
    "relu": nn.functional.relu,
}
Positions = Literal["standard", "shortformer", "rotary"]


@dataclass(frozen=True)
class FullTransformerConfig(TransformerConfig):
    """The sizes and the make of a `FullTransformer`.

    Attributes:
        d_mlp: neurons of a layer's MLP.
        activation: a key of `ACTIVATIONS`.
        positions: "standard" adds a vector to the stream; "shortformer" adds it where queries and
            keys are read, as `Transformer` does; "rotary" turns queries and keys instead.
        rotary_dim: of a head's dimensions, the first so many are turned.
        rotary_base: the slowest of them turns once in nearly 2π times so many tokens.
        parallel: whether the MLP reads what the attention reads, and not what it wrote.
        eps: added to the variance in every LayerNorm.
    """

    d_mlp: int
    activation: str = "gelu"
    positions: Positions = "standard"
    rotary_dim: int = 0
    rotary_base: float = 10_000.0
    parallel: bool = False
    eps: float = 1e-5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.d_mlp, int) or self.d_mlp < 1:
            raise ValueError(f"d_mlp must be an integer of at least 1, got {self.d_mlp!r}")
        if self.activation not in ACTIVATIONS:
            raise ValueError(
                f"activation must be one of {', '.join(ACTIVATIONS)}, got {self.activation!r}"
            )
        if self.positions not in ("standard", "shortformer", "rotary"):
            raise ValueError(
                f"positions must be standard, shortformer or rotary, got {self.positions!r}"
            )
        turned = range(2, self.d_head + 1, 2) if self.positions == "rotary" else (0,)
        if self.rotary_dim not in turned:
            raise ValueError(
                "rotary_dim must be even and from 2 to d_head where positions are rotary, and "
                f"else 0, got {self.rotary_dim!r}"
            )
        if not self.eps > 0 or not self.rotary_base > 0:
            raise ValueError(f"eps and rotary_base must be above 0, got {self!r}")


class LayerNorm(nn.Module):
    """Brings each position's vector to mean 0 and variance 1, then scales and shifts it."""

    def __init__(self, config: FullTransformerConfig) -> None:
        super().__init__()
        self.eps = config.eps
        self.w = nn.Parameter(torch.ones(config.d_model))
        self.b = nn.Parameter(torch.zeros(config.d_model))
        self.hook_scale, self.hook_normalized = HookPoint(), HookPoint()

    def forward(
        self, residual: Float[Tensor, "batch pos d_model"]
    ) -> Float[Tensor, "batch pos d_model"]:
        if not (self.hook_scale.active or self.hook_normalized.active):
            return nn.functional.layer_norm(residual, self.w.shape, self.w, self.b, self.eps)
        centred = residual - residual.mean(dim=-1, keepdim=True)
        variance = centred.square().mean(dim=-1, keepdim=True)
        normal = centred / self.hook_scale((variance + self.eps).sqrt())
        return self.hook_normalized(normal * self.w + self.b)


class FullAttention(Attention):
    """`Attention` with biases, and with rotary positions where they are asked for."""

    def __init__(self, config: FullTransformerConfig) -> None:
        super().__init__(config)
        self.config = config
        for kind in "QKV":
            bias = nn.Parameter(torch.zeros(config.n_heads, config.d_head))
            self.register_parameter(f"b_{kind}", bias)
        self.b_O = nn.Parameter(torch.zeros(config.d_model))
        self.rotary = config.positions == "rotary"
        if self.rotary:
            self.hook_rot_q, self.hook_rot_k = HookPoint(), HookPoint()

    def forward(
        self,
        residual: Float[Tensor, "batch pos d_model"],
        positions: Float[Tensor, "pos d_model"],
    ) -> Float[Tensor, "batch pos d_model"]:
        """What all heads write together, given what LayerNorm made of the stream."""
        return super().forward(residual, positions) + self.b_O

    def queries(
        self, placed: Float[Tensor, "batch pos d_model"]
    ) -> Float[Tensor, "batch pos head d_head"]:
        """Every position's query, for each head, turned where positions are rotary."""
        q = self.hook_q(_read(placed, self.W_Q) + self.b_Q)
        return self.hook_rot_q(self.turn(q)) if self.rotary else q

    def keys(
        self, placed: Float[Tensor, "batch pos d_model"]
    ) -> Float[Tensor, "batch pos head d_head"]:
        """Every position's key, for each head, turned where positions are rotary."""
        k = self.hook_k(_read(placed, self.W_K) + self.b_K)
        return self.hook_rot_k(self.turn(k)) if self.rotary else k

    def values(
        self, residual: Float[Tensor, "batch pos d_model"]
    ) -> Float[Tensor, "batch pos head d_head"]:
        """Every position's value, for each head."""
        return self.hook_v(_read(residual, self.W_V) + self.b_V)

    def turn(
        self, vectors: Float[Tensor, "batch pos head d_head"]
    ) -> Float[Tensor, "batch pos head d_head"]:
        """Turn queries or keys by angles that grow with their position.

        The first `rotary_dim` dimensions are turned in pairs (i, i + rotary_dim / 2), the others
        left as they are. A score then depends on how far apart query and key are.
        Source: RoFormer (2021), with GPT-NeoX's pairs.
        """
        n_pairs = self.config.rotary_dim // 2
        like = {"dtype": vectors.dtype, "device": vectors.device}
        speeds = self.config.rotary_base ** -(torch.arange(n_pairs, **like) / n_pairs)
        angles = torch.arange(vectors.shape[1], **like)[:, None, None] * speeds
        first, second, rest = vectors.tensor_split([n_pairs, 2 * n_pairs], dim=-1)
        cos, sin = angles.cos(), angles.sin()
        turned = (first * cos - second * sin, second * cos + first * sin)
        return torch.cat([*turned, rest], dim=-1)


class MLP(nn.Module):
    """Two matrices with a bend between them, applied at each position by itself."""

    def __init__(self, config: FullTransformerConfig) -> None:
        super().__init__()
        d_model, d_mlp = config.d_model, config.d_mlp
        self.activation = ACTIVATIONS[config.activation]
        self.W_in = nn.Parameter(torch.randn(d_model, d_mlp) / math.sqrt(d_model))
        self.b_in = nn.Parameter(torch.zeros(d_mlp))
        writes = 1 / math.sqrt(2 * max(config.n_layers, 1) * d_mlp)  # small, as attention's
        self.W_out = nn.Parameter(torch.randn(d_mlp, d_model) * writes)
        self.b_out = nn.Parameter(torch.zeros(d_model))
        self.hook_pre, self.hook_post = HookPoint(), HookPoint()

    def forward(
        self, normal: Float[Tensor, "batch pos d_model"]
    ) -> Float[Tensor, "batch pos d_model"]:
        neurons = self.hook_post(self.activation(self.hook_pre(normal @ self.W_in + self.b_in)))
        return neurons @ self.W_out + self.b_out


class FullBlock(nn.Module):
    """One layer: attention and an MLP, each behind a LayerNorm, after or beside one another."""

    def __init__(self, config: FullTransformerConfig) -> None:
        super().__init__()
        self.parallel = config.parallel
        self.ln1, self.attn = LayerNorm(config), FullAttention(config)
        self.ln2, self.mlp = LayerNorm(config), MLP(config)
        self.hook_resid_pre, self.hook_attn_out = HookPoint(), HookPoint()
        if not config.parallel:
            self.hook_resid_mid = HookPoint()
        self.hook_mlp_out, self.hook_resid_post = HookPoint(), HookPoint()

    def forward(
        self,
        residual: Float[Tensor, "batch pos d_model"],
        positions: Float[Tensor, "pos d_model"],
    ) -> Float[Tensor, "batch pos d_model"]:
        residual = self.hook_resid_pre(residual)
        moved = self.hook_attn_out(self.attn(self.ln1(residual), positions))
        if self.parallel:
            thought = self.hook_mlp_out(self.mlp(self.ln2(residual)))
            return self.hook_resid_post(residual + moved + thought)
        residual = self.hook_resid_mid(residual + moved)
        return self.hook_resid_post(residual + self.hook_mlp_out(self.mlp(self.ln2(residual))))


class FullTransformer(Transformer):
    """A transformer with LayerNorm, MLPs and biases.

    A `Transformer` too, with other blocks: what reads patterns and weights by name takes either.
    """

    def __init__(self, config: FullTransformerConfig) -> None:
        super().__init__(config)
        if config.positions == "rotary":
            del self.pos_embed, self.hook_pos_embed
        self.blocks = nn.ModuleList(FullBlock(config) for _ in range(config.n_layers))
        self.ln_final = LayerNorm(config)
        self.unembed.b_U = nn.Parameter(torch.zeros(config.d_vocab))
        self.name_hooks()

    def forward(self, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, "batch pos d_vocab"]:
        """Logits for the next token at every position.

        Raises:
            ValueError: the text is longer than `n_ctx`, or is not a batch.
        """
        self.require_fitting(tokens)
        residual = self.hook_embed(self.embed(tokens))
        positions = torch.zeros_like(residual[0])  # nothing, where queries and keys are read
        if self.config.positions == "standard":
            residual = residual + self.hook_pos_embed(self.pos_embed(tokens))
        elif self.config.positions == "shortformer":
            positions = self.hook_pos_embed(self.pos_embed(tokens))
        for block in self.blocks:
            residual = block(residual, positions)
        return self.unembed(self.ln_final(residual)) + self.unembed.b_U
