"""Hooks: TransformerLens's names, what a hook may do, and that nothing stays behind."""

import pytest
import torch
from torch import Tensor

from mechcourse.hooks import HookPoint
from mechcourse.models import Transformer, TransformerConfig

TOKENS = torch.tensor([[1, 4, 2, 0]])

# As in TransformerLens's HookedTransformer with attn_only=True and use_attn_result=True.
TRANSFORMER_LENS = {
    "hook_embed",
    "hook_pos_embed",
    *(f"blocks.0.attn.hook_{x}" for x in ("q", "k", "v", "z", "attn_scores", "pattern", "result")),
    *(f"blocks.0.hook_{x}" for x in ("resid_pre", "attn_out", "resid_post")),
}


@pytest.fixture
def model() -> Transformer:
    torch.manual_seed(0)
    return Transformer(TransformerConfig(1, 6, 2, 3, 5, 4))


def idle(model: Transformer) -> bool:
    return not any(point.active for point in model.hook_points.values())


def test_names_are_transformer_lenss(model: Transformer) -> None:
    assert set(model.hook_points) == TRANSFORMER_LENS
    assert all(point.name == name for name, point in model.hook_points.items())


def test_what_a_hook_returns_takes_the_activations_place(model: Transformer) -> None:
    weights = model.state_dict()
    silenced = model.run_with_hooks(
        TOKENS, fwd_hooks=[("blocks.0.attn.hook_z", lambda z, point: torch.zeros_like(z))]
    )
    torch.testing.assert_close(silenced, weights["embed.W_E"][TOKENS] @ weights["unembed.W_U"])
    assert idle(model)


@pytest.mark.parametrize("name", sorted(TRANSFORMER_LENS))
def test_every_hook_changes_the_logits(model: Transformer, name: str) -> None:
    changed = model.run_with_hooks(TOKENS, fwd_hooks=[(name, lambda x, point: x.nan_to_num(0) + x)])
    assert not torch.allclose(changed, model(TOKENS))


def test_returning_none_leaves_the_activation(model: Transformer) -> None:
    seen = []
    same = model.run_with_hooks(
        TOKENS, fwd_hooks=[("blocks.0.attn.hook_pattern", lambda x, point: seen.append(point.name))]
    )
    torch.testing.assert_close(same, model(TOKENS))
    assert seen == ["blocks.0.attn.hook_pattern"]


def test_hooks_of_one_point_run_in_order(model: Transformer) -> None:
    hooks = [("hook_embed", lambda x, point: x + 1), ("hook_embed", lambda x, point: x * 2)]
    with model.hooked(hooks):
        _, cache = model.run_with_cache(TOKENS)
    torch.testing.assert_close(cache["hook_embed"], 2 * (model.embed.W_E[TOKENS] + 1).detach())


def test_hooks_go_away_after_an_error(model: Transformer) -> None:
    def fails(_activation: Tensor, _point: HookPoint) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        model.run_with_hooks(TOKENS, fwd_hooks=[("hook_embed", fails)])
    assert idle(model)


def test_an_unknown_name_lists_those_there_are(model: Transformer) -> None:
    known = ("hook_embed", lambda x, point: None)
    with pytest.raises(KeyError, match=r"no hook point 'hook_embde'.*hook_embed.*hook_resid_post"):
        model.run_with_hooks(TOKENS, fwd_hooks=[known, ("hook_embde", known[1])])
    assert idle(model)


def test_only_own_hooks_are_removed(model: Transformer) -> None:
    def mine(_activation: Tensor, _point: HookPoint) -> None:
        return None

    with model.hooked([("hook_embed", mine)]):
        with model.hooked([("hook_embed", mine)]):
            pass
        assert model.hook_points["hook_embed"].hooks == [mine]
    assert idle(model)


def test_cache_keeps_what_was_asked_for(model: Transformer) -> None:
    names = ["blocks.0.attn.hook_v", "hook_embed"]
    logits, cache = model.run_with_cache(TOKENS, names=names)
    assert set(cache) == set(names)
    assert logits.requires_grad and not any(value.requires_grad for value in cache.values())


def test_every_hook_can_be_kept_beside_a_change(model: Transformer) -> None:
    with model.hooked([("blocks.0.attn.hook_pattern", lambda x, point: torch.eye(4).expand_as(x))]):
        _, cache = model.run_with_cache(TOKENS)
    torch.testing.assert_close(cache["blocks.0.attn.hook_z"], cache["blocks.0.attn.hook_v"])
