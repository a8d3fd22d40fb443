"""The transformer and every activation of it equal slow, independent implementations."""

import math

import pytest
import torch
from torch import Tensor

from mechcourse.checks import _slow as slow
from mechcourse.models import Attention, Transformer, TransformerConfig, sinusoids

CONFIG = TransformerConfig(n_layers=2, d_model=7, n_heads=3, d_head=4, d_vocab=11, n_ctx=9)


@pytest.fixture
def model() -> Transformer:
    torch.manual_seed(0)
    return Transformer(CONFIG).double()


@pytest.fixture
def tokens() -> Tensor:
    return torch.randint(CONFIG.d_vocab, (2, 6), generator=torch.Generator().manual_seed(1))


def slow_cache(model: Transformer, tokens: Tensor) -> dict[str, Tensor]:
    """Every activation, by loops over texts, heads and positions."""
    w = {name: value.detach() for name, value in model.state_dict().items()}
    n_batch, n_pos = tokens.shape
    heads, d_model = CONFIG.n_heads, CONFIG.d_model
    positions = w["pos_embed.W_pos"][:n_pos]
    cache = {"hook_embed": w["embed.W_E"][tokens], "hook_pos_embed": positions}
    residual = cache["hook_embed"]
    for layer in range(CONFIG.n_layers):
        own = {name: w[f"blocks.{layer}.attn.{name}"] for name in ("W_Q", "W_K", "W_V", "W_O")}
        q, k, v, z = (torch.zeros(n_batch, n_pos, heads, CONFIG.d_head).double() for _ in range(4))
        scores = torch.full((n_batch, heads, n_pos, n_pos), -math.inf).double()
        result = torch.zeros(n_batch, n_pos, heads, d_model).double()
        for b, i, h in torch.cartesian_prod(*map(torch.arange, (n_batch, n_pos, heads))).tolist():
            q[b, i, h] = own["W_Q"][h].T @ (residual[b, i] + positions[i])
            k[b, i, h] = own["W_K"][h].T @ (residual[b, i] + positions[i])
            v[b, i, h] = own["W_V"][h].T @ residual[b, i]
            for j in range(i + 1):
                scores[b, h, i, j] = (q[b, i, h] * k[b, j, h]).sum() / math.sqrt(CONFIG.d_head)
        pattern = slow.attention_pattern(q, k)
        for b, i, h in torch.cartesian_prod(*map(torch.arange, (n_batch, n_pos, heads))).tolist():
            z[b, i, h] = sum(pattern[b, h, i, j] * v[b, j, h] for j in range(i + 1))
            result[b, i, h] = own["W_O"][h].T @ z[b, i, h]
        after = residual + sum(result[:, :, h] for h in range(heads))
        inside = {"q": q, "k": k, "v": v, "z": z, "pattern": pattern, "result": result}
        cache |= {f"blocks.{layer}.attn.hook_{name}": value for name, value in inside.items()}
        cache[f"blocks.{layer}.attn.hook_attn_scores"] = scores
        cache[f"blocks.{layer}.hook_resid_pre"] = residual
        cache[f"blocks.{layer}.hook_attn_out"] = after - residual
        cache[f"blocks.{layer}.hook_resid_post"] = residual = after
    return cache


def test_logits_equal_the_slow_ones(model: Transformer, tokens: Tensor) -> None:
    torch.testing.assert_close(model(tokens), slow.logits(tokens, model.state_dict()))


def test_every_activation_equals_the_slow_one(model: Transformer, tokens: Tensor) -> None:
    logits, cache = model.run_with_cache(tokens)
    expected = slow_cache(model, tokens)
    assert set(cache) == set(expected) == set(model.hook_points)
    for name, value in expected.items():
        torch.testing.assert_close(
            cache[name], value, msg=lambda text, name=name: f"{name}: {text}"
        )
    torch.testing.assert_close(logits, slow.logits(tokens, model.state_dict()))


@pytest.mark.parametrize("n_pos", [1, CONFIG.n_ctx])
@pytest.mark.parametrize("n_layers", [0, 1, 3])
def test_other_depths_and_lengths(n_layers: int, n_pos: int) -> None:
    torch.manual_seed(2)
    model = Transformer(TransformerConfig(n_layers, 6, 2, 5, 8, CONFIG.n_ctx)).double()
    tokens = torch.randint(8, (3, n_pos))
    torch.testing.assert_close(model(tokens), slow.logits(tokens, model.state_dict()))
    watched, _ = model.run_with_cache(tokens)
    torch.testing.assert_close(watched, model(tokens))


def test_fused_path_has_the_same_gradients(model: Transformer, tokens: Tensor) -> None:
    def gradients(*hooked: str) -> list[Tensor]:
        model.zero_grad()
        hooks = [(name, lambda activation, point: None) for name in hooked]
        logits = model.run_with_hooks(tokens, fwd_hooks=hooks)
        logits.log_softmax(-1)[..., 0].square().sum().backward()
        return [p.grad.clone() for p in model.parameters()]

    assert not any(block.attn.watched for block in model.blocks)
    fused = gradients()
    for names in (["blocks.0.attn.hook_q", "blocks.1.attn.hook_z"], list(model.hook_points)):
        torch.testing.assert_close(gradients(*names), fused)


def test_fused_layer_equals_the_plain_one() -> None:
    torch.manual_seed(3)
    layer = Attention(CONFIG)
    residual, positions = torch.randn(2, 5, 7), torch.randn(5, 7)
    layer.hook_result.hooks.append(lambda activation, point: None)
    plain = layer(residual, positions)
    layer.hook_result.hooks.clear()
    torch.testing.assert_close(layer.fused(residual, positions), plain)
    torch.testing.assert_close(layer(residual, positions), plain)


def test_positions_never_reach_the_values(model: Transformer, tokens: Tensor) -> None:
    _, before = model.run_with_cache(tokens)
    with torch.no_grad():
        model.pos_embed.W_pos += 1.0
    _, after = model.run_with_cache(tokens)
    assert torch.equal(before["blocks.0.attn.hook_v"], after["blocks.0.attn.hook_v"])
    assert not torch.allclose(before["blocks.0.attn.hook_q"], after["blocks.0.attn.hook_q"])


@pytest.mark.parametrize("shape", [(6,), (1, CONFIG.n_ctx + 1), (1, 2, 3)])
def test_no_batch_or_too_long_a_text_is_refused(model: Transformer, shape: tuple[int, ...]) -> None:
    # In tests the shapes' own check speaks first; without it the model says what it needs.
    with pytest.raises(Exception, match=r"tokens|pos|n_ctx"):
        model(torch.zeros(shape, dtype=torch.long))


@pytest.mark.parametrize(
    "wrong", [{"n_layers": -1}, {"d_head": 0}, {"d_model": 2.5}, {"n_ctx": "9"}]
)
def test_impossible_sizes_are_refused(wrong: dict[str, object]) -> None:
    sizes = {"n_layers": 1, "d_model": 4, "n_heads": 1, "d_head": 2, "d_vocab": 5, "n_ctx": 6}
    with pytest.raises((ValueError, TypeError), match=next(iter(wrong))):
        TransformerConfig(**sizes | wrong)


@pytest.mark.parametrize("d_model", [6, 7, 1])
def test_sinusoids_are_distinct_and_bounded(d_model: int) -> None:
    waves = sinusoids(20, d_model)
    assert waves.shape == (20, d_model) and waves.abs().max() <= 1
    if d_model > 1:
        assert len(waves.unique(dim=0)) == 20
        torch.testing.assert_close(
            waves[:, : d_model // 2 * 2].square().sum(1), torch.full((20,), d_model // 2.0)
        )
