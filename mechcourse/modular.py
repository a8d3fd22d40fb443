"""The one-layer transformer that learns to add modulo p.

It reads three tokens, a, b and "=" (the token p), and says (a + b) mod p at the last. Unlike the
models of chapters 1 and 2 it has an MLP, and positions are added to the residual stream. There is
no LayerNorm, and only the MLP has biases. Row vectors throughout: `x @ W`. Source: Nanda et al.,
Progress Measures for Grokking via Mechanistic Interpretability (2023), appendix A.
"""

import math
from dataclasses import asdict, dataclass

import torch
from einops import einsum
from jaxtyping import Float, Int
from torch import Tensor, nn

from mechcourse.hooks import HookedModel, HookPoint

N_POS = 3  # a, b, "="


@dataclass(frozen=True)
class ModularTransformerConfig:
    """The sizes of a `ModularTransformer`; by default the paper's.

    Attributes:
        p: the modulus; tokens 0 to p - 1 are the numbers, and p is "=".
    """

    p: int = 113
    d_model: int = 128
    n_heads: int = 4
    d_head: int = 32
    d_mlp: int = 512

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if type(value) is not int or value < 1:
                raise ValueError(f"{name} must be an integer of at least 1, got {value!r}")

    @property
    def n_layers(self) -> int:
        """One, always."""
        return 1

    @property
    def n_parameters(self) -> int:
        """How many numbers the weights are."""
        reads_and_writes = 4 * self.n_heads * self.d_head + 2 * self.d_mlp
        tokens = 2 * self.p + 1 + N_POS
        return self.d_model * (tokens + reads_and_writes + 1) + self.d_mlp


class TokenEmbed(nn.Module):
    def __init__(self, config: ModularTransformerConfig) -> None:
        super().__init__()
        self.W_E = _normal(config.p + 1, config.d_model, variance=1 / config.d_model)

    def forward(self, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, "batch pos d_model"]:
        return self.W_E[tokens]


class LearnedPosEmbed(nn.Module):
    def __init__(self, config: ModularTransformerConfig) -> None:
        super().__init__()
        self.W_pos = _normal(N_POS, config.d_model, variance=1 / config.d_model)

    def forward(self, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, "pos d_model"]:
        return self.W_pos[: tokens.shape[-1]]


class Attention(nn.Module):
    """Causal self-attention without biases."""

    def __init__(self, config: ModularTransformerConfig) -> None:
        super().__init__()
        reads = (config.n_heads, config.d_model, config.d_head)
        writes = (config.n_heads, config.d_head, config.d_model)
        self.W_Q = _normal(*reads, variance=1 / config.d_model)
        self.W_K = _normal(*reads, variance=1 / config.d_model)
        self.W_V = _normal(*reads, variance=1 / config.d_model)
        self.W_O = _normal(*writes, variance=1 / config.d_model)
        self.hook_q, self.hook_k, self.hook_v = HookPoint(), HookPoint(), HookPoint()
        self.hook_attn_scores, self.hook_pattern = HookPoint(), HookPoint()
        self.hook_z, self.hook_result = HookPoint(), HookPoint()

    def forward(
        self, residual: Float[Tensor, "batch pos d_model"]
    ) -> Float[Tensor, "batch pos d_model"]:
        read = "batch pos d_model, head d_model d -> batch pos head d"
        q = self.hook_q(einsum(residual, self.W_Q, read))
        k = self.hook_k(einsum(residual, self.W_K, read))
        v = self.hook_v(einsum(residual, self.W_V, read))
        scores = einsum(q, k, "batch query head d, batch key head d -> batch head query key")
        scores = scores / math.sqrt(q.shape[-1])
        n_pos = residual.shape[1]
        future = torch.ones(n_pos, n_pos, dtype=torch.bool, device=residual.device).triu(1)
        scores = self.hook_attn_scores(scores.masked_fill(future, -torch.inf))
        pattern = self.hook_pattern(scores.softmax(dim=-1))
        z = einsum(pattern, v, "batch head query key, batch key head d -> batch query head d")
        z = self.hook_z(z)
        if self.hook_result.active:
            write = "batch pos head d, head d d_model -> batch pos head d_model"
            return self.hook_result(einsum(z, self.W_O, write)).sum(dim=2)
        return z.flatten(2) @ self.W_O.flatten(0, 1)


class MLP(nn.Module):
    """A hidden layer of ReLU neurons."""

    def __init__(self, config: ModularTransformerConfig) -> None:
        super().__init__()
        self.W_in = _normal(config.d_model, config.d_mlp, variance=1 / config.d_model)
        self.b_in = nn.Parameter(torch.zeros(config.d_mlp))
        self.W_out = _normal(config.d_mlp, config.d_model, variance=1 / config.d_model)
        self.b_out = nn.Parameter(torch.zeros(config.d_model))
        self.hook_pre, self.hook_post = HookPoint(), HookPoint()

    def forward(
        self, residual: Float[Tensor, "batch pos d_model"]
    ) -> Float[Tensor, "batch pos d_model"]:
        pre = self.hook_pre(residual @ self.W_in + self.b_in)
        return self.hook_post(pre.relu()) @ self.W_out + self.b_out


class Block(nn.Module):
    def __init__(self, config: ModularTransformerConfig) -> None:
        super().__init__()
        self.attn, self.mlp = Attention(config), MLP(config)
        self.hook_resid_pre, self.hook_attn_out = HookPoint(), HookPoint()
        self.hook_resid_mid, self.hook_mlp_out = HookPoint(), HookPoint()
        self.hook_resid_post = HookPoint()

    def forward(
        self, residual: Float[Tensor, "batch pos d_model"]
    ) -> Float[Tensor, "batch pos d_model"]:
        residual = self.hook_resid_pre(residual)
        residual = self.hook_resid_mid(residual + self.hook_attn_out(self.attn(residual)))
        return self.hook_resid_post(residual + self.hook_mlp_out(self.mlp(residual)))


class Unembed(nn.Module):
    """Logits of the p numbers only: "=" is never an answer."""

    def __init__(self, config: ModularTransformerConfig) -> None:
        super().__init__()
        self.W_U = _normal(config.d_model, config.p, variance=1 / (config.p + 1))

    def forward(self, residual: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "batch pos p"]:
        return residual @ self.W_U


class ModularTransformer(HookedModel):
    """One layer of attention and an MLP, over the tokens a, b and "=".

    It starts from the paper's random weights: normal, of variance 1 / d_model, and 1 / (p + 1) for
    `W_U`; biases start at zero.
    """

    def __init__(self, config: ModularTransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.embed, self.hook_embed = TokenEmbed(config), HookPoint()
        self.pos_embed, self.hook_pos_embed = LearnedPosEmbed(config), HookPoint()
        self.blocks = nn.ModuleList([Block(config)])
        self.unembed = Unembed(config)
        self.name_hooks()

    def forward(self, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, "batch pos p"]:
        """Logits of the p numbers at every position; only those at "=", the last, are trained.

        Raises:
            ValueError: the tokens are no batch of at most three.
        """
        if tokens.ndim != 2 or tokens.shape[1] > N_POS:
            raise ValueError(
                f"tokens must be [batch pos] with at most {N_POS} positions, "
                f"got shape {list(tokens.shape)}"
            )
        positions = self.hook_pos_embed(self.pos_embed(tokens))
        residual = self.hook_embed(self.embed(tokens)) + positions
        for block in self.blocks:
            residual = block(residual)
        return self.unembed(residual)


def all_pairs(p: int) -> Int[Tensor, "pair 2"]:
    """All (a, b), in the order of a, then of b.

    >>> all_pairs(2).tolist()
    [[0, 0], [0, 1], [1, 0], [1, 1]]
    """
    return torch.cartesian_prod(torch.arange(p), torch.arange(p))


def sums(pairs: Int[Tensor, "pair 2"], p: int) -> Int[Tensor, "pair"]:
    """(a + b) mod p of each pair."""
    return pairs.sum(dim=1) % p


def tokens_of(pairs: Int[Tensor, "pair 2"], p: int) -> Int[Tensor, "pair 3"]:
    """What the model reads: a, b, "=".

    >>> tokens_of(torch.tensor([[3, 1]]), 5).tolist()
    [[3, 1, 5]]
    """
    return torch.cat([pairs, pairs.new_full((len(pairs), 1), p)], dim=1)


def split(
    p: int, fraction: float, seed: int
) -> tuple[Int[Tensor, "train 2"], Int[Tensor, "test 2"]]:
    """The pairs that are trained on, a random share rounded down, and the others.

    Both are in the order of `all_pairs`.

    >>> [len(part) for part in split(113, 0.3, seed=0)]
    [3830, 8939]
    """
    n_train = int(fraction * p**2)
    order = torch.randperm(p**2, generator=torch.Generator().manual_seed(seed))
    pairs = all_pairs(p)
    return pairs[order[:n_train].sort().values], pairs[order[n_train:].sort().values]


def exact_cross_entropy(
    logits: Float[Tensor, "*pair p"], answers: Int[Tensor, "*pair"]
) -> Float[Tensor, "*pair"]:
    """Cross-entropy in nats, in float64.

    In float32 a log-softmax gives multiples of 2⁻²³ ≈ 1.2e-7, and 0 below half of that: a model
    that has grokked has a loss of that size.

    >>> logits = torch.tensor([[17.0, 0.0]])
    >>> f"{exact_cross_entropy(logits, torch.tensor([0])).item():.2e}"
    '4.14e-08'
    >>> torch.nn.functional.cross_entropy(logits, torch.tensor([0])).item() == 0
    True

    Raises:
        ValueError: an answer is below 0 or not below p.
    """
    p = logits.shape[-1]
    low, high = map(int, answers.aminmax()) if answers.numel() else (0, 0)
    if low < 0 or high >= p:
        raise ValueError(
            f"answers go from 0 to {p - 1}, and these from {low} to {high}: take them mod {p}"
        )
    log_probs = logits.double().log_softmax(dim=-1)
    return -log_probs.gather(-1, answers[..., None])[..., 0]


def _normal(*shape: int, variance: float) -> nn.Parameter:
    return nn.Parameter(torch.randn(shape) * math.sqrt(variance))
