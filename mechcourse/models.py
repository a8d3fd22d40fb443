"""The toy models that the course opens.

Row vectors throughout: an activation `x` of shape `[d_model]` meets a weight as `x @ W`.
Weights are kept per head, as in TransformerLens: `W_Q` is `[head d_model d_head]`, `W_O` is
`[head d_head d_model]`.
"""

import math
from dataclasses import dataclass, fields

import torch
from einops import einsum
from jaxtyping import Float, Int
from torch import Tensor, nn

from mechcourse.hooks import HookedModel, HookPoint


@dataclass(frozen=True)
class TransformerConfig:
    """The sizes of a `Transformer`.

    `n_layers` may be 0: then the model is `W_E @ W_U`, a table of bigrams.
    """

    n_layers: int
    d_model: int
    n_heads: int
    d_head: int
    d_vocab: int
    n_ctx: int

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(TransformerConfig)):
            value = getattr(self, name)
            smallest = 0 if name == "n_layers" else 1
            if not isinstance(value, int) or value < smallest:
                raise ValueError(f"{name} must be an integer of at least {smallest}, got {value!r}")


class Embed(nn.Module):
    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.W_E = nn.Parameter(
            torch.randn(config.d_vocab, config.d_model) / math.sqrt(config.d_model)
        )

    def forward(self, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, "batch pos d_model"]:
        return self.W_E[tokens]


class PosEmbed(nn.Module):
    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.W_pos = nn.Parameter(sinusoids(config.n_ctx, config.d_model))

    def forward(self, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, "pos d_model"]:
        return self.W_pos[: tokens.shape[-1]]


class Unembed(nn.Module):
    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.W_U = nn.Parameter(
            torch.randn(config.d_model, config.d_vocab) / math.sqrt(config.d_model)
        )

    def forward(
        self, residual: Float[Tensor, "batch pos d_model"]
    ) -> Float[Tensor, "batch pos d_vocab"]:
        return residual @ self.W_U


class Attention(nn.Module):
    """Causal self-attention without biases; positions reach the queries and keys only."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        n_heads, d_model, d_head = config.n_heads, config.d_model, config.d_head
        reads = (n_heads, d_model, d_head)
        self.W_Q = nn.Parameter(torch.randn(reads) / math.sqrt(d_model))
        self.W_K = nn.Parameter(torch.randn(reads) / math.sqrt(d_model))
        self.W_V = nn.Parameter(torch.randn(reads) / math.sqrt(d_model))
        # Small enough that a deep stack of writes starts no larger than the stream it joins.
        writes = 1 / math.sqrt(2 * max(config.n_layers, 1) * n_heads * d_head)
        self.W_O = nn.Parameter(torch.randn(n_heads, d_head, d_model) * writes)
        self.hook_q, self.hook_k, self.hook_v = HookPoint(), HookPoint(), HookPoint()
        self.hook_attn_scores, self.hook_pattern = HookPoint(), HookPoint()
        self.hook_z, self.hook_result = HookPoint(), HookPoint()

    def forward(
        self,
        residual: Float[Tensor, "batch pos d_model"],
        positions: Float[Tensor, "pos d_model"],
    ) -> Float[Tensor, "batch pos d_model"]:
        if not self.watched:
            return self.fused(residual, positions)
        placed = residual + positions
        q, k, v = self.queries(placed), self.keys(placed), self.values(residual)
        scores = einsum(q, k, "batch query head d, batch key head d -> batch head query key")
        scores = scores / math.sqrt(q.shape[-1])
        n_pos = residual.shape[1]
        future = torch.ones(n_pos, n_pos, dtype=torch.bool, device=residual.device).triu(1)
        scores = self.hook_attn_scores(scores.masked_fill(future, -torch.inf))
        pattern = self.hook_pattern(scores.softmax(dim=-1))
        z = einsum(pattern, v, "batch head query key, batch key head d -> batch query head d")
        z = self.hook_z(z)
        if self.hook_result.active:
            result = einsum(
                z, self.W_O, "batch pos head d, head d d_model -> batch pos head d_model"
            )
            return self.hook_result(result).sum(dim=2)
        return z.flatten(2) @ self.W_O.flatten(0, 1)

    def queries(
        self, placed: Float[Tensor, "batch pos d_model"]
    ) -> Float[Tensor, "batch pos head d_head"]:
        """Every position's query, for each head."""
        return self.hook_q(_read(placed, self.W_Q))

    def keys(
        self, placed: Float[Tensor, "batch pos d_model"]
    ) -> Float[Tensor, "batch pos head d_head"]:
        """Every position's key, for each head."""
        return self.hook_k(_read(placed, self.W_K))

    def values(
        self, residual: Float[Tensor, "batch pos d_model"]
    ) -> Float[Tensor, "batch pos head d_head"]:
        """Every position's value, for each head."""
        return self.hook_v(_read(residual, self.W_V))

    @property
    def watched(self) -> bool:
        """Whether anything listens to what happens inside this layer."""
        return any(module.active for module in self.modules() if isinstance(module, HookPoint))

    def fused(
        self,
        residual: Float[Tensor, "batch pos d_model"],
        positions: Float[Tensor, "pos d_model"],
    ) -> Float[Tensor, "batch pos d_model"]:
        """The same as `forward` in PyTorch's fused kernel, which keeps no pattern: for training."""
        placed = residual + positions
        q, k, v = self.queries(placed), self.keys(placed), self.values(residual)
        z = nn.functional.scaled_dot_product_attention(
            q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), is_causal=True
        )
        return z.transpose(1, 2).flatten(2) @ self.W_O.flatten(0, 1)


class Block(nn.Module):
    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.attn = Attention(config)
        self.hook_resid_pre, self.hook_attn_out = HookPoint(), HookPoint()
        self.hook_resid_post = HookPoint()

    def forward(
        self,
        residual: Float[Tensor, "batch pos d_model"],
        positions: Float[Tensor, "pos d_model"],
    ) -> Float[Tensor, "batch pos d_model"]:
        residual = self.hook_resid_pre(residual)
        return self.hook_resid_post(residual + self.hook_attn_out(self.attn(residual, positions)))


class Transformer(HookedModel):
    """An attention-only transformer without LayerNorm or biases, so that its circuits are exact.

    Position embeddings are added where queries and keys are read, never to the residual stream:
    what a head moves is then about tokens only. Source: A Mathematical Framework for Transformer
    Circuits (2021); In-context Learning and Induction Heads (2022), footnote 25.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.embed, self.hook_embed = Embed(config), HookPoint()
        self.pos_embed, self.hook_pos_embed = PosEmbed(config), HookPoint()
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layers))
        self.unembed = Unembed(config)
        self.name_hooks()

    def forward(self, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, "batch pos d_vocab"]:
        """Logits for the next token at every position.

        Raises:
            ValueError: the text is longer than `n_ctx`, or is not a batch.
        """
        self.require_fitting(tokens)
        residual = self.hook_embed(self.embed(tokens))
        positions = self.hook_pos_embed(self.pos_embed(tokens))
        for block in self.blocks:
            residual = block(residual, positions)
        return self.unembed(residual)

    def require_fitting(self, tokens: Int[Tensor, "..."]) -> None:
        """Refuse what is no batch of texts that the model can read.

        Raises:
            ValueError: the text is longer than `n_ctx`, or is not a batch.
        """
        if tokens.ndim != 2 or tokens.shape[1] > self.config.n_ctx:
            raise ValueError(
                f"tokens must be [batch pos] with at most {self.config.n_ctx} positions, "
                f"got shape {list(tokens.shape)}"
            )


def sinusoids(n_ctx: int, d_model: int) -> Float[Tensor, "n_ctx d_model"]:
    """Position vectors to start training from: sines and cosines of rising wavelength.

    The wavelengths run from 2π tokens to fifty times that, in equal ratios: neighbours then differ
    in many directions, and a previous-token head is quick to learn. (The usual longest wavelength,
    10,000 times 2π, leaves most directions nearly constant over a few hundred tokens.)
    """
    freqs = 50.0 ** (-torch.arange(d_model // 2) / (d_model // 2))
    angles = torch.arange(n_ctx)[:, None] * freqs
    waves = torch.cat([angles.sin(), angles.cos()], dim=1)
    return nn.functional.pad(waves, (0, d_model - waves.shape[1]))


def _read(
    stream: Float[Tensor, "batch pos d_model"], weight: Float[Tensor, "head d_model d_head"]
) -> Float[Tensor, "batch pos head d_head"]:
    return einsum(stream, weight, "batch pos d_model, head d_model d -> batch pos head d")
