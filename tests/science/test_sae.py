"""A sparse autoencoder on a toy model, trained here: what it recovers, and what it does on nulls.

The ranges are what seeds 0 to 2 gave, with room.
"""

from dataclasses import dataclass
from functools import lru_cache

import pytest
import torch
from torch import Tensor

from mechcourse import sae as saes
from mechcourse.geometry import feature_dimensionality
from mechcourse.sae import SAE, SAEConfig
from mechcourse.superposition import ToyConfig, sparse_features
from mechcourse.superposition_training import train

pytestmark = pytest.mark.science

P = 0.05
TOY = ToyConfig(
    *(64, 32, (P, 1.0)),
    **{"n_steps": 3000, "learning_rate": 3e-3, "schedule": "cosine", "weight_decay": 0.0},
)
CONFIG = SAEConfig(n_steps=2500)


@lru_cache
def toy(p: float) -> tuple[Tensor, Tensor]:
    run = train(TOY)
    return run.W[TOY.probabilities.index(p)], run.b[TOY.probabilities.index(p)]


@dataclass(frozen=True)
class Found:
    """What a dictionary scores on activations it has not seen."""

    sae: SAE
    recovery: float
    null: float
    l0: float
    explained: float


def held_against(W: Tensor, config: SAEConfig, sample: saes.Sampler) -> Found:
    sae = saes.train(config, sample)
    h = sample(20_000, 10**9)
    z = saes.encode(h, sae)
    nulls = [
        saes.matched_recovery(W, saes.random_dictionary(config.n_latents, config.d_hidden, seed))
        for seed in range(5)
    ]
    return Found(
        sae,
        saes.matched_recovery(W, sae.W_dec),
        sum(nulls) / 5,
        saes.l0(z),
        saes.explained(h, saes.decode(z, sae)),
    )


@lru_cache
def on_features(p: float, through: float, seed: int = 0, k: int | None = None) -> Found:
    """On a toy model's activations: features of probability p, weights trained at `through`."""
    W, _ = toy(through)
    config = SAEConfig(n_steps=2500, seed=seed, k=k, l1=0.0 if k else CONFIG.l1)
    return held_against(W, config, lambda n, s: saes.hidden_samples(W, p, n, s))


def test_the_features_to_be_found_are_antipodes() -> None:
    W, _ = toy(P)
    torch.testing.assert_close(feature_dimensionality(W), torch.full((64,), 0.5), atol=0.02, rtol=0)


@pytest.mark.parametrize("seed", [0, 1])
def test_it_recovers_the_features(seed: int) -> None:
    found = on_features(P, P, seed)
    assert 0.41 <= found.null <= 0.47
    assert found.recovery >= 0.98
    assert 3.2 <= found.l0 <= 5, "3.2 features are present on average"
    W, b = toy(P)
    features = sparse_features(20_000, torch.full((1, 64), P), seed=99)[:, 0]
    assert saes.loss_recovered(W, b, features, found.sae) >= 0.97
    null = saes.pca_dictionary(saes.hidden_samples(W, P, 20_000, 5))
    assert saes.matched_recovery(W, null) <= 0.5, "all directions have the same variance"


def test_top_k_recovers_them_too() -> None:
    found = on_features(P, P, k=4)
    assert found.recovery >= 0.98 and found.l0 <= 4


@pytest.mark.parametrize("through", [P, 1.0])
def test_on_dense_features_it_explains_and_finds_nothing(through: float) -> None:
    found = on_features(1.0, through)
    assert found.explained >= 0.9
    assert found.recovery == pytest.approx(found.null, abs=0.04)
    assert found.l0 >= 30, "as many latents as there are dimensions"


def test_on_activations_without_features_it_looks_the_same() -> None:
    W, _ = toy(P)
    like = saes.hidden_samples(W, P, 50_000, 123)
    found = held_against(W, CONFIG, lambda n, s: saes.gaussian_samples(like, n, s))
    assert found.explained >= 0.85
    assert found.recovery == pytest.approx(found.null, abs=0.04)
    assert found.l0 >= 30
