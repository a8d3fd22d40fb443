"""Models with LayerNorm and MLPs: their parts by other means, and every path through them alike.

That logits and patterns are those of `transformers` is in test_real_models.py.
"""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from mechcourse.checks import _slow as slow
from mechcourse.full_models import (
    ACTIVATIONS,
    FullAttention,
    FullTransformer,
    FullTransformerConfig,
    LayerNorm,
)
from mechcourse.hooks import HookPoint
from mechcourse.models import Transformer

CONFIG = FullTransformerConfig(
    **{"n_layers": 2, "d_model": 7, "n_heads": 3, "d_head": 6, "d_vocab": 11, "n_ctx": 9},
    d_mlp=5,
)
KINDS = {
    "standard": CONFIG,
    "shortformer": replace(CONFIG, positions="shortformer", activation="gelu_new"),
    "rotary": replace(CONFIG, positions="rotary", rotary_dim=4, activation="relu"),
    "parallel": replace(CONFIG, positions="rotary", rotary_dim=6, parallel=True, eps=0.1),
    "no layers": replace(CONFIG, n_layers=0),
}


def made(config: FullTransformerConfig, seed: int = 0) -> FullTransformer:
    """A model in which every gain and bias counts."""
    torch.manual_seed(seed)
    model = FullTransformer(config).double()
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.3 * torch.randn_like(weight)
    return model


@pytest.fixture
def tokens() -> Tensor:
    return torch.randint(CONFIG.d_vocab, (2, 8), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", KINDS)
def test_watched_and_unwatched_are_one(kind: str, tokens: Tensor) -> None:
    model = made(KINDS[kind])

    def run(names: list[str]) -> tuple[Tensor, list[Tensor]]:
        model.zero_grad()
        hooks = [(name, lambda activation, point: None) for name in names]
        logits = model.run_with_hooks(tokens, fwd_hooks=hooks)
        logits.log_softmax(-1)[..., 0].square().sum().backward()
        return logits.detach(), [p.grad.clone() for p in model.parameters() if p.grad is not None]

    logits, gradients = run([])
    unused = 4 if kind == "no layers" else 0
    assert len(gradients) >= len(list(model.parameters())) - unused
    some = [name for name in model.hook_points if name.endswith(("hook_q", "ln2.hook_scale"))]
    for names in (some, list(model.hook_points)):
        again, others = run(names)
        torch.testing.assert_close(again, logits)
        torch.testing.assert_close(others, gradients)


@pytest.mark.parametrize("kind", KINDS)
def test_every_hook_point_is_passed(kind: str, tokens: Tensor) -> None:
    model = made(KINDS[kind])
    _, cache = model.run_with_cache(tokens)
    assert set(cache) == set(model.hook_points)


def test_names_are_transformer_lens_own() -> None:
    model = FullTransformer(KINDS["rotary"])
    weights = {
        *("embed.W_E", "unembed.W_U", "unembed.b_U", "ln_final.w", "ln_final.b"),
        *(f"blocks.0.attn.{side}_{kind}" for side in "Wb" for kind in "QKVO"),
        *(f"blocks.0.mlp.{side}_{end}" for side in "Wb" for end in ("in", "out")),
        *(f"blocks.0.ln{i}.{part}" for i in (1, 2) for part in "wb"),
    }
    assert {name for name in model.state_dict() if "blocks.1" not in name} == weights
    hooks = {
        *("hook_embed", "ln_final.hook_scale", "ln_final.hook_normalized"),
        *(f"blocks.0.hook_{name}" for name in ("resid_pre", "resid_mid", "resid_post")),
        *(f"blocks.0.hook_{name}" for name in ("attn_out", "mlp_out")),
        *(f"blocks.0.attn.hook_{name}" for name in ("q", "k", "v", "z", "rot_q", "rot_k")),
        *(f"blocks.0.attn.hook_{name}" for name in ("attn_scores", "pattern", "result")),
        *("blocks.0.mlp.hook_pre", "blocks.0.mlp.hook_post"),
        *(f"blocks.0.ln{i}.hook_{name}" for i in (1, 2) for name in ("scale", "normalized")),
    }
    assert {name for name in model.hook_points if "blocks.1" not in name} == hooks
    assert "pos_embed.W_pos" in FullTransformer(CONFIG).state_dict()
    assert "hook_pos_embed" in FullTransformer(CONFIG).hook_points
    assert not any("resid_mid" in name for name in FullTransformer(KINDS["parallel"]).hook_points)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_adds_up(kind: str, tokens: Tensor) -> None:
    model = made(KINDS[kind])
    logits, cache = model.run_with_cache(tokens)
    stream = cache["hook_embed"]
    if model.config.positions == "standard":
        stream = stream + cache["hook_pos_embed"]
    for layer, block in enumerate(model.blocks):
        at = f"blocks.{layer}."
        torch.testing.assert_close(cache[f"{at}hook_resid_pre"], stream)
        heads = cache[f"{at}attn.hook_result"].sum(dim=2) + block.attn.b_O
        torch.testing.assert_close(cache[f"{at}hook_attn_out"], heads.detach())
        stream = stream + cache[f"{at}hook_attn_out"]
        if not model.config.parallel:
            torch.testing.assert_close(cache[f"{at}hook_resid_mid"], stream)
        stream = stream + cache[f"{at}hook_mlp_out"]
        torch.testing.assert_close(cache[f"{at}hook_resid_post"], stream)
    w = model.state_dict()
    normal = nn.functional.layer_norm(
        stream, (7,), w["ln_final.w"], w["ln_final.b"], model.config.eps
    )
    torch.testing.assert_close(logits, normal @ w["unembed.W_U"] + w["unembed.b_U"])


def test_shortformer_adds_positions_to_queries_and_keys_alone(tokens: Tensor) -> None:
    model = made(KINDS["shortformer"])
    _, cache = model.run_with_cache(tokens)
    w, at = model.state_dict(), "blocks.1.attn."
    normal, positions = cache["blocks.1.ln1.hook_normalized"], cache["hook_pos_embed"]
    for kind, read in (("Q", normal + positions), ("K", normal + positions), ("V", normal)):
        head = read @ w[f"{at}W_{kind}"][2] + w[f"{at}b_{kind}"][2]
        torch.testing.assert_close(cache[f"{at}hook_{kind.lower()}"][:, :, 2], head)
    pattern = slow.attention_pattern(cache[f"{at}hook_q"], cache[f"{at}hook_k"])
    torch.testing.assert_close(cache[f"{at}hook_pattern"], pattern)


def test_rotary_scores_depend_on_the_distance_alone() -> None:
    attn = FullAttention(KINDS["rotary"]).double()
    torch.manual_seed(2)
    q, k = torch.randn(2, 1, 1, 3, 6).double().expand(2, 1, 9, 3, 6)
    turned = attn.turn(q), attn.turn(k)
    scores = torch.einsum("bihd,bjhd->bhij", *turned)
    torch.testing.assert_close(scores[..., 1:, 1:], scores[..., :-1, :-1])
    assert (scores[..., 3, 0] - scores[..., 0, 0]).abs().min() > 1e-3
    torch.testing.assert_close(turned[0][..., 4:], q[..., 4:], rtol=0, atol=0)
    torch.testing.assert_close(turned[0].norm(dim=-1), q.norm(dim=-1))
    torch.testing.assert_close(turned[0][:, 0], q[:, 0])


def test_one_turn_by_hand() -> None:
    config = replace(CONFIG, d_head=2, positions="rotary", rotary_dim=2)
    right = torch.tensor([1.0, 0.0]).expand(1, 3, 3, 2)
    at = torch.arange(3.0)
    turned = FullAttention(config).turn(right)
    torch.testing.assert_close(turned[0, :, 0], torch.stack([at.cos(), at.sin()], dim=1))


def test_layer_norm_by_hand() -> None:
    norm = LayerNorm(replace(CONFIG, d_model=2, eps=3.0))
    norm.load_state_dict({"w": torch.tensor([10.0, 1.0]), "b": torch.tensor([0.0, 5.0])})
    given = torch.tensor([[[1.0, 3.0]]])  # mean 2, variance 1, scale 2
    expected = torch.tensor([[[-5.0, 5.5]]])
    torch.testing.assert_close(norm(given), expected)
    scales: list[Tensor] = []
    norm.hook_scale.hooks.append(lambda scale, _point: scales.append(scale))
    torch.testing.assert_close(norm(given), expected)
    torch.testing.assert_close(scales[0], torch.tensor([[[2.0]]]))


def test_a_scale_can_be_frozen(tokens: Tensor) -> None:
    model = made(CONFIG)
    hooks = [("ln_final.hook_scale", lambda scale, _point: 2 * scale)]
    with torch.no_grad():
        model.ln_final.b.zero_()
        model.unembed.b_U.zero_()
        halved = model.run_with_hooks(tokens, fwd_hooks=hooks)
        torch.testing.assert_close(2 * halved, model(tokens))


def test_it_is_a_transformer_of_full_parts() -> None:
    model = FullTransformer(CONFIG)
    assert isinstance(model, Transformer) and isinstance(model.blocks[0].attn, FullAttention)
    names = {p.name for p in model.modules() if isinstance(p, HookPoint)}
    assert names == set(model.hook_points), "every hook point knows its name"


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_bend(name: str) -> None:
    given = torch.tensor([-10.0, 0.0, 10.0])
    torch.testing.assert_close(ACTIVATIONS[name](given), torch.tensor([0.0, 0.0, 10.0]))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"d_mlp": 0}, "d_mlp"),
        ({"d_mlp": 2.0}, "d_mlp"),
        ({"n_heads": 0}, "n_heads"),
        ({"activation": "swish"}, "activation"),
        ({"positions": "none"}, "positions"),
        ({"positions": "rotary"}, "rotary_dim"),
        ({"positions": "rotary", "rotary_dim": 3}, "rotary_dim"),
        ({"positions": "rotary", "rotary_dim": 8}, "rotary_dim"),
        ({"rotary_dim": 4}, "rotary_dim"),
        ({"eps": 0.0}, "eps"),
        ({"rotary_base": -1.0}, "rotary_base"),
    ],
    ids=str,
)
def test_impossible_makes_are_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises((ValueError, TypeError), match=said):
        replace(CONFIG, **wrong)


@pytest.mark.parametrize("shape", [(6,), (1, CONFIG.n_ctx + 1)])
def test_no_batch_or_too_long_a_text_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(Exception, match=r"tokens|pos|n_ctx"):
        FullTransformer(CONFIG)(torch.zeros(shape, dtype=torch.long))
