"""The circuits library: thin factors hold the whole, norms and nulls agree with plain formulas."""

import math

import pytest
import torch
from torch import Tensor

from mechcourse import circuits
from mechcourse.models import Transformer, TransformerConfig

D_VOCAB, D_MODEL = 11, 7


@pytest.fixture
def random() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def layer(random: torch.Generator, n_heads: int, d_head: int) -> circuits.Layer:
    reads = dict.fromkeys(("W_Q", "W_K", "W_V"), (n_heads, D_MODEL, d_head))
    shapes = reads | {"W_O": (n_heads, d_head, D_MODEL)}
    return {name: torch.randn(shape, generator=random) for name, shape in shapes.items()}


def test_qk_factors_are_thin_and_hold_the_scores(random: torch.Generator) -> None:
    W_E, one = torch.randn(D_VOCAB, D_MODEL, generator=random), layer(random, 3, 4)
    left, right = circuits.qk_circuit(W_E, one["W_Q"], one["W_K"])
    assert (left.shape, right.shape) == ((3, D_VOCAB, 4), (3, 4, D_VOCAB))
    for head in range(3):
        whole = W_E @ one["W_Q"][head] @ one["W_K"][head].T @ W_E.T / math.sqrt(4)
        assert torch.allclose(left[head] @ right[head], whole, atol=1e-4)


def test_ov_factors_hold_centred_logits(random: torch.Generator) -> None:
    W_E, one = torch.randn(D_VOCAB, D_MODEL, generator=random), layer(random, 3, 4)
    W_U = torch.randn(D_MODEL, D_VOCAB, generator=random) + 3
    left, right = circuits.ov_circuit(W_E, one["W_V"], one["W_O"], W_U)
    whole = W_E @ one["W_V"] @ one["W_O"] @ W_U
    assert torch.allclose(left @ right, whole - whole.mean(dim=-1, keepdim=True), atol=1e-3)


def test_the_copying_score_is_that_of_the_whole_circuit(random: torch.Generator) -> None:
    W_E, one = torch.randn(D_VOCAB, D_MODEL, generator=random), layer(random, 3, 4)
    one["W_O"][2] = 0
    W_U = torch.randn(D_MODEL, D_VOCAB, generator=random)
    whole = (W_E @ one["W_V"] @ one["W_O"] @ (W_U - W_U.mean(1, keepdim=True))).double()
    values = torch.linalg.eigvals(whole)[:2]
    wanted = values.sum(-1).real / values.abs().sum(-1)
    scores = circuits.copying_score(W_E, one["W_V"], one["W_O"], W_U)
    assert torch.allclose(scores[:2].double(), wanted, atol=1e-4)
    assert scores[2] == 0, "a head that writes nothing"


def test_top_k_copying_counts_ties_against_the_token() -> None:
    eye = torch.eye(3)
    W_V, W_O = eye[None].repeat(3, 1, 1), torch.stack([eye, -eye, 0 * eye])
    assert circuits.top_k_copying_accuracy(eye, W_V, W_O, eye, 1).tolist() == [1, 0, 0]
    assert circuits.top_k_copying_accuracy(eye, W_V, W_O, eye, 3).tolist() == [1, 1, 1]
    own = torch.tensor([[[2.0, 0, 0], [3, 1, 0], [0, 0, 1]]])
    shares = torch.tensor([1.0, 2.0, 1.0])
    assert circuits.top_k_copying_accuracy(eye, eye[None], own, eye, 1, shares).item() == 0.5


@pytest.mark.parametrize("kind", ["Q", "K", "V"])
def test_composition_is_the_plain_ratio_of_norms(
    random: torch.Generator, kind: circuits.Kind
) -> None:
    first, second = layer(random, 3, 4), layer(random, 2, 5)
    first["W_V"][1] = 0
    scores = circuits.composition_score(first, second, kind)
    for i in range(3):
        for j in range(2):
            A = first["W_V"][i] @ first["W_O"][i]
            QK = second["W_Q"][j] @ second["W_K"][j].T
            B = {"Q": QK, "K": QK.T, "V": second["W_V"][j] @ second["W_O"][j]}[kind]
            wanted = (A @ B).norm() / (A.norm() * B.norm()) if i != 1 else torch.tensor(0.0)
            assert torch.allclose(scores[i, j], wanted, atol=1e-5)


def test_heads_may_be_wider_than_the_stream(random: torch.Generator) -> None:
    first, second = layer(random, 1, 9), layer(random, 1, 8)
    A, B = first["W_V"] @ first["W_O"], second["W_V"] @ second["W_O"]
    wanted = (A @ B).norm() / (A.norm() * B.norm())
    assert torch.allclose(circuits.composition_score(first, second, "V").squeeze(), wanted)


def test_the_null_keeps_the_spectra_and_is_about_one_over_root_d_model() -> None:
    random = torch.Generator().manual_seed(1)
    first, second = layer(random, 1, 1), layer(random, 1, 1)  # one direction meets another
    null = circuits.composition_null(first, second, "V", 2000, seed=0)
    assert null.shape == (2000, 1, 1)
    assert null.square().mean().item() == pytest.approx(1 / D_MODEL, rel=0.1)
    again = circuits.composition_null(first, second, "V", 3, seed=0)
    assert torch.equal(again, null[:3])
    assert not torch.equal(again, circuits.composition_null(first, second, "V", 3, seed=1))


def test_haar_rotations_are_orthogonal_and_lean_nowhere() -> None:
    random = torch.Generator().manual_seed(2)
    turns = torch.stack([circuits.haar_rotation(4, random) for _ in range(3000)])
    assert torch.allclose(turns @ turns.mT, torch.eye(4).double().expand_as(turns), atol=1e-9)
    assert turns.mean(dim=0).abs().max() < 0.05  # without LAPACK's signs taken off: far from 0


def test_z_scores_are_0_where_nothing_is_written() -> None:
    null = torch.tensor([[[0.1, 0.0]], [[0.2, 0.0]], [[0.3, 0.0]]])
    z = circuits.composition_z_scores(torch.tensor([[0.5, 0.0]]), null)
    assert torch.allclose(z, torch.tensor([[3.0, 0.0]]))


@pytest.mark.parametrize("n_layers", [0, 1, 2, 3])
def test_the_last_order_is_the_model(n_layers: int, random: torch.Generator) -> None:
    torch.manual_seed(n_layers)
    model = Transformer(TransformerConfig(n_layers, D_MODEL, 3, 4, D_VOCAB, 6))
    tokens = torch.randint(0, D_VOCAB, (2, 5), generator=random)
    names = [f"blocks.{i}.attn.hook_pattern" for i in range(n_layers)]
    with torch.no_grad():
        logits, cache = model.run_with_cache(tokens, names=names)
    patterns = torch.stack([cache[n] for n in names]) if names else torch.zeros(0, 2, 3, 5, 5)
    orders = circuits.logits_by_order(tokens, patterns, model.state_dict())
    assert len(orders) == n_layers + 1
    assert torch.allclose(orders[-1], logits, atol=1e-4)
    direct = model.state_dict()["embed.W_E"][tokens] @ model.state_dict()["unembed.W_U"]
    assert torch.allclose(orders[0], direct, atol=1e-5)
    for n, order in enumerate(_by_scaling(model, tokens, patterns)):
        assert torch.allclose(orders[n], order, atol=1e-3)


def _by_scaling(model: Transformer, tokens: Tensor, patterns: Tensor) -> list[Tensor]:
    """The orders by another road: scale every head by t; the logits are then a polynomial in t."""
    weights = {name: value.double() for name, value in model.state_dict().items()}
    degree = len(patterns)
    ts = torch.linspace(0, 1, degree + 1, dtype=torch.float64)
    values = []
    for t in ts:
        residual = weights["embed.W_E"][tokens]
        for i, pattern in enumerate(patterns.double()):
            attn = circuits.layer_weights(weights, i)
            heads = pattern @ (residual[:, None] @ attn["W_V"]) @ attn["W_O"]
            residual = residual + t * heads.sum(dim=1)
        values.append(residual @ weights["unembed.W_U"])
    powers = torch.linalg.inv(torch.stack([ts**n for n in range(degree + 1)], dim=1))
    terms = torch.einsum("nt,tbpv->nbpv", powers, torch.stack(values))
    return list(terms.cumsum(dim=0).float())
