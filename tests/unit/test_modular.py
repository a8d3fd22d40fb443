"""The transformer of sums modulo p, its task, and its fast training step."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from mechcourse.grading.codec import decode, encode
from mechcourse.modular import (
    ModularTransformer,
    ModularTransformerConfig,
    all_pairs,
    exact_cross_entropy,
    split,
    sums,
    tokens_of,
)
from mechcourse.modular_fast import FastModel

# No two axes alike, and so many columns that some of the fast step's are idle.
SMALL = ModularTransformerConfig(p=11, d_model=12, n_heads=3, d_head=5, d_mlp=20)


def made(config: ModularTransformerConfig = SMALL, dtype: torch.dtype = torch.float64):
    torch.manual_seed(0)
    model = ModularTransformer(config).to(dtype)
    for name, weight in model.named_parameters():
        if "b_" in name:
            weight.data = torch.randn_like(weight)
    return model


def test_sizes_must_be_positive_integers() -> None:
    for wrong in ({"p": 0}, {"d_mlp": -3}, {"n_heads": True}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be an integer"):
            ModularTransformerConfig(**wrong)


@pytest.mark.parametrize("config", [SMALL, ModularTransformerConfig()])
def test_the_number_of_parameters(config: ModularTransformerConfig) -> None:
    weights = ModularTransformer(config).parameters()
    assert sum(weight.numel() for weight in weights) == config.n_parameters


def test_it_starts_as_the_paper_s_does() -> None:
    torch.manual_seed(0)
    for name, weight in ModularTransformer(ModularTransformerConfig()).named_parameters():
        if "b_" in name:
            assert not weight.any()
        else:
            expected = (114 if "W_U" in name else 128) ** -0.5
            assert weight.std().item() == pytest.approx(expected, rel=0.1), name


def test_the_forward_pass_by_hand() -> None:
    """Pair by pair, head by head, key by key, from the weights."""
    model = made()
    w = {name.rpartition(".")[2]: weight.detach() for name, weight in model.named_parameters()}
    tokens = torch.tensor([[4, 7, 11], [0, 0, 11]])
    for row, logits in zip(tokens.tolist(), model(tokens), strict=True):
        stream = [w["W_E"][token] + w["W_pos"][i] for i, token in enumerate(row)]
        after = []
        for i, here in enumerate(stream):
            out = here.clone()
            for head in range(3):
                query = here @ w["W_Q"][head]
                scores = [query @ (there @ w["W_K"][head]) / 5**0.5 for there in stream[: i + 1]]
                pattern = torch.stack(scores).softmax(dim=0)
                values = [there @ w["W_V"][head] for there in stream[: i + 1]]
                moved = sum(a * value for a, value in zip(pattern, values, strict=True))
                out += moved @ w["W_O"][head]
            neurons = (out @ w["W_in"] + w["b_in"]).clamp(min=0)
            after.append((out + neurons @ w["W_out"] + w["b_out"]) @ w["W_U"])
        torch.testing.assert_close(logits, torch.stack(after))


def test_hooks_have_transformer_lens_s_names_and_say_what_they_should() -> None:
    model = made()
    tokens = tokens_of(all_pairs(11)[:7], 11)
    logits, seen = model.run_with_cache(tokens)
    block = "blocks.0."
    assert set(seen) == {
        "hook_embed",
        "hook_pos_embed",
        *(f"{block}attn.hook_{name}" for name in "q k v attn_scores pattern z result".split()),
        *(f"{block}hook_{name}" for name in "resid_pre attn_out resid_mid mlp_out".split()),
        *(f"{block}mlp.hook_{name}" for name in ("pre", "post")),
        f"{block}hook_resid_post",
    }
    torch.testing.assert_close(logits, model(tokens))
    total = seen["hook_embed"] + seen["hook_pos_embed"]
    torch.testing.assert_close(total, seen[f"{block}hook_resid_pre"])
    total = total + seen[f"{block}attn.hook_result"].sum(dim=2)
    torch.testing.assert_close(total, seen[f"{block}hook_resid_mid"])
    total = total + seen[f"{block}hook_mlp_out"]
    torch.testing.assert_close(total, seen[f"{block}hook_resid_post"])
    torch.testing.assert_close(total @ model.unembed.W_U, logits)
    torch.testing.assert_close(
        seen[f"{block}mlp.hook_post"], seen[f"{block}mlp.hook_pre"].clamp(min=0)
    )


def test_too_many_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match=r"at most 3 positions, got shape \[2, 4\]"):
        made()(torch.zeros(2, 4, dtype=torch.long))


def test_the_split_is_random_and_whole() -> None:
    train, test = split(11, 0.3, seed=1)
    assert len(train) == 36
    both = {tuple(pair) for pair in torch.cat([train, test]).tolist()}
    assert both == {tuple(pair) for pair in all_pairs(11).tolist()}
    assert not torch.equal(train, split(11, 0.3, seed=2)[0])
    assert torch.equal(train, split(11, 0.3, seed=1)[0])


def test_sums_wrap() -> None:
    assert sums(torch.tensor([[10, 10], [0, 3], [5, 6]]), 11).tolist() == [9, 3, 0]


def test_the_exact_loss_is_not_rounded() -> None:
    logits = torch.tensor([[20.0, 0.0, 0.0]])
    truth = torch.log1p(2 * torch.tensor(-20.0).double().exp())
    assert exact_cross_entropy(logits, torch.tensor([0])).item() == pytest.approx(truth.item())
    assert cross_entropy(logits, torch.tensor([0])).item() == 0


def gradients(model: ModularTransformer, loss: Tensor) -> dict[str, Tensor]:
    model.zero_grad()
    loss.backward()
    return {name: weight.grad.clone() for name, weight in model.named_parameters()}


@pytest.mark.parametrize("n_pairs", [1, 5, 70, 121])
def test_the_fast_step_is_the_plain_model_s(n_pairs: int) -> None:
    """In float64, where equal means equal; with few pairs, where some tokens never come."""
    model = made()
    pairs = all_pairs(11)[torch.randperm(121)[:n_pairs]]
    answers = sums(pairs, 11)
    plain, fast = model(tokens_of(pairs, 11))[:, -1], FastModel(model, pairs, answers)
    torch.testing.assert_close(fast.logits(), plain, rtol=1e-12, atol=1e-12)
    loss = exact_cross_entropy(plain, answers).mean()
    torch.testing.assert_close(fast.loss(), loss, rtol=1e-12, atol=1e-12)
    wanted = gradients(model, loss)
    for name, gradient in gradients(model, fast.loss()).items():
        torch.testing.assert_close(gradient, wanted[name], rtol=1e-10, atol=1e-12, msg=name)


def test_the_fast_step_of_the_paper_s_sizes() -> None:
    """In float32, as it is used: both differ from the truth by rounding only."""
    model = made(ModularTransformerConfig(), torch.float32)
    pairs, _ = split(113, 0.05, seed=0)
    answers = sums(pairs, 113)
    plain, fast = model(tokens_of(pairs, 113))[:, -1], FastModel(model, pairs, answers)
    torch.testing.assert_close(fast.logits(), plain, rtol=0, atol=5e-6)
    wanted = gradients(model, exact_cross_entropy(plain, answers).mean())
    for name, gradient in gradients(model, fast.loss()).items():
        assert (gradient - wanted[name]).norm() <= 1e-4 * wanted[name].norm(), name


def test_a_tiny_loss_and_its_gradients_are_not_rounded() -> None:
    """At a loss near 1e-8 float32's own log-softmax gives 0, and a gradient of 0 or 6e-8."""
    model = made(SMALL, torch.float32)
    pairs = all_pairs(11)[:20]
    with torch.no_grad():
        said = model(tokens_of(pairs, 11))[:, -1].argmax(dim=1)
        lead = model(tokens_of(pairs, 11))[:, -1].topk(2).values
        model.unembed.W_U *= 20 / (lead[:, 0] - lead[:, 1]).min()
    truth = exact_cross_entropy(model.double()(tokens_of(pairs, 11))[:, -1], said).mean()
    wanted = gradients(model, truth)
    fast = FastModel(model.float(), pairs, said)
    assert 0 < truth < 1e-8
    assert fast.loss().item() == pytest.approx(truth.item(), rel=1e-3)
    for name, gradient in gradients(model, fast.loss()).items():
        error = (gradient - wanted[name].float()).norm()
        assert error <= 1e-2 * wanted[name].norm(), name


def test_a_scaled_loss_scales_the_gradients() -> None:
    model = made()
    fast = FastModel(model, all_pairs(11)[:9], sums(all_pairs(11)[:9], 11))
    once = gradients(model, fast.loss())
    for name, gradient in gradients(model, 3 * fast.loss()).items():
        torch.testing.assert_close(gradient, 3 * once[name])


def test_it_crosses_between_processes() -> None:
    model = made()
    back = decode(encode(model))
    assert type(back) is ModularTransformer and back.config == model.config
    tokens = tokens_of(all_pairs(11)[:3], 11)
    assert torch.equal(back(tokens), model(tokens))
