"""Smeared keys: each a mix of its own and the one before."""

import torch

from mechcourse.models import Transformer, TransformerConfig
from mechcourse.smeared import SmearedAttention, SmearedTransformer

CONFIG = TransformerConfig(n_layers=2, d_model=7, n_heads=3, d_head=4, d_vocab=11, n_ctx=9)
TOKENS = torch.arange(14).reshape(2, 7) % 11


def made() -> tuple[SmearedTransformer, Transformer]:
    """A model whose heads smear differently, and one that does not, with the same weights."""
    torch.manual_seed(0)
    smeared, plain = SmearedTransformer(CONFIG).double(), Transformer(CONFIG).double()
    with torch.no_grad():
        for block in smeared.blocks:
            block.attn.alpha.copy_(torch.tensor([-1.0, 0.0, 2.0]))
    plain.load_state_dict({k: v for k, v in smeared.state_dict().items() if "alpha" not in k})
    return smeared, plain


def test_smearing_by_hand() -> None:
    attn = SmearedAttention(TransformerConfig(1, 4, 2, 1, 5, 6))
    attn.load_state_dict(attn.state_dict() | {"alpha": torch.tensor([3.0, 1.0]).log()})
    keys = torch.tensor([[[[4.0], [4.0]], [[8.0], [8.0]], [[0.0], [0.0]]]])  # 4, 8, 0 in two heads
    expected = torch.tensor([[[[4.0], [4.0]], [[7.0], [6.0]], [[2.0], [4.0]]]])
    torch.testing.assert_close(attn.smear(keys), expected)
    assert torch.equal(attn.smear(keys[:, :1]), keys[:, :1]), "a single token keeps its key"


def test_only_keys_are_smeared_and_hook_k_sees_it() -> None:
    smeared, plain = made()
    _, after = smeared.run_with_cache(TOKENS)
    _, before = plain.run_with_cache(TOKENS)
    at = "blocks.0.attn.hook_"
    for name in "qv":
        assert torch.equal(after[at + name], before[at + name])
    torch.testing.assert_close(
        after[f"{at}k"], smeared.blocks[0].attn.smear(before[f"{at}k"]).detach()
    )
    assert not torch.allclose(after[f"{at}pattern"], before[f"{at}pattern"])


def test_fully_own_keys_are_the_plain_model() -> None:
    smeared, plain = made()
    with torch.no_grad():
        for block in smeared.blocks:
            block.attn.alpha.fill_(100.0)
    torch.testing.assert_close(smeared(TOKENS), plain(TOKENS))


def test_watched_and_unwatched_are_one() -> None:
    smeared, _ = made()
    gradients = []
    for names in ([], smeared.hook_points):
        smeared.zero_grad()
        hooks = [(name, lambda activation, point: None) for name in names]
        smeared.run_with_hooks(TOKENS, fwd_hooks=hooks)[..., 0].square().sum().backward()
        gradients.append([p.grad.clone() for p in smeared.parameters()])
    torch.testing.assert_close(*gradients)
    assert all(block.attn.alpha.grad.abs().min() > 0 for block in smeared.blocks)
