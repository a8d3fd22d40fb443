"""Shipped sparse autoencoders: how they load, train and are written."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mechcourse import sae, sae_zoo, zoo
from mechcourse.sae_zoo import RECIPES

SHORT = replace(sae_zoo.QUICK, n_steps=3, batch=16)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECIPES, "sae-64", replace(RECIPES["sae-64"], config=SHORT))


@pytest.mark.parametrize("name", RECIPES)
def test_shipped_ones_load_with_directions_of_length_1(name: str) -> None:
    loaded = sae_zoo.load(name)
    config = RECIPES[name].config
    assert loaded.W_dec.shape == (config.n_latents, config.d_hidden) and loaded.k == config.k
    torch.testing.assert_close(
        loaded.W_dec.norm(dim=1), torch.ones(config.n_latents), atol=2e-3, rtol=0
    )


@pytest.mark.parametrize("name", RECIPES)
def test_the_table_says_what_is_measured_now(name: str) -> None:
    measured, said = sae_zoo.measure(sae_zoo.load(name), RECIPES[name].data), zoo.figures(name)
    assert measured == pytest.approx({key: said[key] for key in measured}, rel=0.02, abs=0.01)


def test_data_are_the_toy_models_own_or_normal_with_their_covariance() -> None:
    W, _, p = sae_zoo.toy("sparse")
    drawn = {data: sae_zoo.sampler(data)(4000, 7) for data in ("sparse", "gaussian", "dense")}
    torch.testing.assert_close(drawn["sparse"], sae.hidden_samples(W, p, 4000, 7))
    one, two = (drawn[data].T.cov() for data in ("sparse", "gaussian"))
    assert (one - two).norm() < 0.25 * one.norm()
    assert sae_zoo.toy("dense")[2] == 1


def test_under_grading_it_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    shipped = sae_zoo.load("sae-64")
    assert torch.equal(sae_zoo.train_or_load("sae-64", live=True).W_dec, shipped.W_dec)


def test_training_here_follows_the_recipe(short: None) -> None:
    heard: list[int] = []
    trained = sae_zoo.train_or_load("sae-64", progress=lambda step, _n, _m: heard.append(step))
    assert heard == [1, 2, 3] and trained.W_dec.shape == (128, 32)


def test_retraining_writes_beside_the_learner(short: None, tmp_path: Path) -> None:
    out = tmp_path / "mine.safetensors"
    sae_zoo.retrain("sae-64", seed=5, out=out)
    assert out.exists()
    with pytest.raises(FileExistsError, match="is there already"):
        sae_zoo.retrain("sae-64", out=out)


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(KeyError, match="no sparse autoencoder 'sae-1'; there are sae-64, "):
        sae_zoo.load("sae-1")
