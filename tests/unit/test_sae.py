"""Sparse autoencoders, held against dictionaries that are right by construction, and nulls."""

import doctest
import math
from dataclasses import replace
from itertools import permutations

import pytest
import torch
from torch import Tensor

from mechcourse import sae as saes
from mechcourse.sae import SAE, SAEConfig, matched_recovery
from mechcourse.superposition import ToyConfig, begin, sparse_features

SMALL = SAEConfig(d_hidden=4, n_latents=12, n_steps=400, batch=256, learning_rate=1e-2)
DIGONS = torch.cat([torch.eye(4), -torch.eye(4)])  # eight features in four dimensions


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def exact(W: Tensor) -> SAE:
    """One latent for each feature of unit length, with nothing for what comes from others."""
    return SAE(W.T.clone(), torch.zeros(len(W)), W.clone(), torch.zeros(W.shape[1]))


def of_digons(n_samples: int, seed: int) -> Tensor:
    return saes.hidden_samples(DIGONS, 0.1, n_samples, seed)


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(saes).failed == 0


def test_encoding_and_decoding_by_hand() -> None:
    sae = SAE(
        torch.tensor([[1.0, -1.0, 0.0], [0.0, 2.0, 1.0]]),
        torch.tensor([0.5, 0.0, -1.0]),
        torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]),
        torch.tensor([1.0, -1.0]),
    )
    z = saes.encode(torch.tensor([[2.0, 1.0], [0.0, -1.0]]), sae)
    assert z.tolist() == [[1.5, 3.0, 1.0], [0.0, 1.0, 0.0]]
    assert saes.decode(z, sae)[0].tolist() == pytest.approx([3.1, 2.8])
    assert saes.decode(z, sae)[1].tolist() == [1.0, 0.0]


def test_top_k_keeps_the_largest_and_no_negative_ones() -> None:
    sae = exact(DIGONS)._replace(k=2)
    z = saes.encode(torch.tensor([[3.0, 1.0, -2.0, 0.5], [1.0, 0.0, 0.0, 0.0]]), sae)
    assert z[0].nonzero().flatten().tolist() == [0, 6] and z[0, [0, 6]].tolist() == [3, 2]
    assert z[1].tolist() == [1, 0, 0, 0, 0, 0, 0, 0], "fewer where fewer are positive"


def test_the_loss_is_that_of_a_slow_loop() -> None:
    h, out, z = draw(5, 3), draw(5, 3, seed=1), draw(5, 7, seed=2).relu()
    wanted = 0.0
    for s in range(5):
        wanted += sum(float(h[s, d] - out[s, d]) ** 2 for d in range(3)) / 5
        wanted += 0.3 * sum(float(z[s, n]) for n in range(7)) / 5
    assert saes.sae_loss(h, out, z, 0.3).item() == pytest.approx(wanted, rel=1e-5)


def test_recovery_is_one_for_the_features_themselves_in_any_order_and_length() -> None:
    W = draw(6, 4)
    dictionary = torch.cat([draw(5, 4, seed=1), W * torch.arange(1, 7)[:, None]])
    order = torch.randperm(11, generator=torch.Generator().manual_seed(3))
    assert matched_recovery(W, dictionary[order]) == pytest.approx(1)


def test_one_latent_is_matched_with_one_feature() -> None:
    W = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    assert matched_recovery(W, torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])) == pytest.approx(
        (1 + 0.8 + 0) / 3
    )
    # The best for each by itself would take the first latent twice.
    greedy = torch.tensor([[0.9, 0.43], [0.0, 1.0], [0.3, 1.0]])
    assert matched_recovery(W, greedy) < 0.95


def test_the_match_is_the_best_of_all() -> None:
    for seed in range(5):
        W, dictionary = draw(4, 3, seed=seed), draw(6, 3, seed=seed + 10)
        cosines = torch.nn.functional.cosine_similarity(W[:, None], dictionary, dim=2)
        of_each = [
            cosines[range(4), list(order)] for order in permutations(range(6), 4)
        ]  # the mean counts nothing below 0, the best sum does
        best = max(of_each, key=lambda found: found.sum()).clamp(min=0).mean()
        assert matched_recovery(W, dictionary) == pytest.approx(best.item(), abs=1e-6)


def test_what_is_not_represented_is_not_asked_for_and_what_is_missing_counts_nothing() -> None:
    W = torch.tensor([[1.0, 0.0], [0.0, 0.01], [0.0, 1.0]])
    assert matched_recovery(W, torch.eye(2)) == pytest.approx(1)
    assert matched_recovery(W, torch.eye(2)[:1]) == pytest.approx(0.5)
    assert matched_recovery(W, -torch.eye(2)) == 0, "the other way is not found"
    assert matched_recovery(W, torch.zeros(3, 2)) == 0
    assert matched_recovery(W, torch.zeros(0, 2)) == 0
    assert matched_recovery(torch.zeros(3, 2), torch.eye(2)) == 0
    assert matched_recovery(W.double(), torch.eye(2)) == pytest.approx(1)


@pytest.mark.parametrize(
    ("n", "m", "latents", "null"),
    [
        (64, 32, 128, 0.43),
        (5, 2, 5, 0.70),
        (5, 2, 10, 0.90),
        (5, 2, 20, 0.98),
        (100, 20, 200, 0.57),
    ],
)
def test_the_null_of_a_random_dictionary(n: int, m: int, latents: int, null: float) -> None:
    """Large where there are few dimensions, so a recovery says nothing without it."""
    scores = [
        matched_recovery(draw(n, m, seed=seed), saes.random_dictionary(latents, m, seed))
        for seed in range(10)
    ]
    assert sum(scores) / 10 == pytest.approx(null, abs=0.06 if m == 2 else 0.02)


def test_an_untrained_dictionary_is_not_the_toy_model_s_own_first_weights() -> None:
    """Both drawn with seed 0, both normal: the same numbers would be "recovered" untrained."""
    W, _ = begin(ToyConfig(64, 32, probabilities=(0.1, 0.2)))
    start = saes.begin(SAEConfig(seed=0))
    assert matched_recovery(W[0], start.W_dec) < 0.5
    assert matched_recovery(W[1], start.W_dec) < 0.5


def test_directions_have_length_one_before_and_after_training() -> None:
    for sae in (saes.begin(SMALL), saes.train(SMALL, of_digons)):
        torch.testing.assert_close(sae.W_dec.norm(dim=1), torch.ones(12))
        assert not any(part.requires_grad for part in sae[:4])


def test_a_small_one_finds_the_features_and_the_same_ones_again() -> None:
    trained = saes.train(SMALL, of_digons)
    assert matched_recovery(DIGONS, trained.W_dec) > 0.95
    null = matched_recovery(DIGONS, saes.random_dictionary(12, 4, 0))
    assert null < 0.88
    assert torch.equal(trained.W_dec, saes.train(SMALL, of_digons).W_dec)
    other = saes.train(replace(SMALL, seed=1), of_digons)
    assert not torch.equal(trained.W_dec, other.W_dec)


def test_a_top_k_one_finds_them_too() -> None:
    trained = saes.train(replace(SMALL, l1=0.0, k=2, n_steps=600), of_digons)
    assert matched_recovery(DIGONS, trained.W_dec) > 0.95
    assert saes.l0(saes.encode(of_digons(500, 1), trained)) <= 2


def test_a_training_that_is_interrupted_keeps_what_it_has(
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen = []

    def stop_at_20(step: int, n_steps: int, measured: dict[str, float]) -> None:
        seen.append(measured["loss"])
        if step == 20:
            raise KeyboardInterrupt

    trained = saes.train(SMALL, of_digons, progress=stop_at_20)
    assert "Stopped after 20 of 400 steps" in capsys.readouterr().out
    assert trained.W_dec.shape == (12, 4) and seen[-1] < seen[0]


def test_resampling_changes_dead_latents_only() -> None:
    sae = exact(DIGONS)
    broken = sae._replace(W_enc=sae.W_enc.clone(), b_enc=sae.b_enc.clone())
    dead = torch.zeros(8, dtype=torch.bool)
    dead[[2, 5]] = True
    broken.W_enc[:, dead], broken.b_enc[dead] = 0, -3
    h = of_digons(2000, 1)
    fresh = saes.resample_dead_latents(broken, h, dead, seed=0)
    for new, old in ((fresh.W_enc.T, broken.W_enc.T), (fresh.W_dec, broken.W_dec)):
        assert torch.equal(new[~dead], old[~dead]) and not torch.equal(new[dead], old[dead])
    torch.testing.assert_close(fresh.W_dec[dead].norm(dim=1), torch.ones(2))
    torch.testing.assert_close(fresh.W_enc[:, dead].T, 0.2 * fresh.W_dec[dead])
    assert (fresh.b_enc[dead] == 0).all() and torch.equal(fresh.b_enc[~dead], broken.b_enc[~dead])
    assert not saes.dead_latents(saes.encode(h, fresh))[dead].any()
    # They are sent where something is missing: features 2 and 5 are those badly reconstructed.
    towards = fresh.W_dec[dead] @ DIGONS[[2, 5]].T
    assert towards.amax(dim=1).min() > 0.6
    again = saes.resample_dead_latents(broken, h, dead, seed=0)
    assert torch.equal(again.W_dec, fresh.W_dec)


def test_there_is_nothing_to_resample_without_dead_latents_or_errors() -> None:
    sae, h = exact(torch.eye(4)), of_digons(10, 1).abs()
    none, some = torch.zeros(4, dtype=torch.bool), torch.tensor([True, False, False, False])
    assert saes.resample_dead_latents(sae, h, none, seed=0) is sae
    assert saes.resample_dead_latents(sae, h, ~none, seed=0) is sae
    assert saes.resample_dead_latents(sae, h, some, seed=0) is sae, "no errors to go by"


def test_training_brings_dead_latents_back() -> None:
    """Biases that start far below zero kill half of the latents; resampling revives them."""
    config = replace(SMALL, n_latents=12, n_steps=600)
    begin = saes.begin

    def half_dead(config: SAEConfig) -> SAE:
        sae = begin(config)
        sae.b_enc[:8] = -30
        return sae

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saes, "begin", half_dead)
        stuck = saes.train(config, of_digons)
        revived = saes.train(replace(config, resample_every=100), of_digons)
    h = of_digons(3000, 1)
    dead = [int(saes.dead_latents(saes.encode(h, sae)).sum()) for sae in (stuck, revived)]
    assert dead[0] >= 8 and dead[1] <= 3
    assert matched_recovery(DIGONS, revived.W_dec) > matched_recovery(DIGONS, stuck.W_dec) + 0.1


def test_l0_and_dead_latents_by_hand() -> None:
    z = torch.tensor([[1.0, 0.0, 2.0, 0.0], [0.0, 0.0, 3.0, 0.0]])
    assert saes.l0(z) == 1.5
    assert saes.dead_latents(z).tolist() == [False, True, False, True]


def test_explained_is_between_the_mean_and_all() -> None:
    h = draw(50, 3) + 5
    assert saes.explained(h, h) == 1
    assert saes.explained(h, h.mean(dim=0).expand(50, 3)) == pytest.approx(0, abs=1e-6)
    assert saes.explained(h, torch.zeros(50, 3)) < 0


def test_loss_recovered_is_one_without_loss_and_zero_without_anything() -> None:
    """Antipodes that meet cancel in the hidden layer, and a latent for each gives the same h."""
    features = sparse_features(2000, torch.full((1, 8), 0.1), seed=0)[:, 0]
    b = torch.zeros(8)
    assert saes.loss_recovered(DIGONS, b, features, exact(DIGONS)) == pytest.approx(1)
    nothing = exact(DIGONS)._replace(b_enc=torch.full((8,), -9.0))
    assert saes.loss_recovered(DIGONS, b, features, nothing) == pytest.approx(0)
    half = exact(DIGONS)._replace(W_enc=torch.cat([DIGONS[:4], torch.zeros(4, 4)]).T)
    assert 0.3 < saes.loss_recovered(DIGONS, b, features, half) < 0.7
    wrong = exact(DIGONS)._replace(W_dec=-3 * DIGONS)
    assert saes.loss_recovered(DIGONS, b, features, wrong) < 0


def test_hidden_samples_are_the_toy_model_s() -> None:
    found = saes.hidden_samples(DIGONS.double(), 0.1, 20_000, 3)
    assert found.dtype == torch.float64
    features = sparse_features(20_000, torch.full((1, 8), 0.1), seed=3)[:, 0]
    torch.testing.assert_close(found, features.double() @ DIGONS.double())


def test_gaussian_samples_have_the_same_moments_and_no_features() -> None:
    h = of_digons(20_000, 0) + torch.tensor([0.0, 1.0, 2.0, 3.0])
    found = saes.gaussian_samples(h, 50_000, 1)
    torch.testing.assert_close(found.mean(dim=0), h.mean(dim=0), atol=0.01, rtol=0.01)
    torch.testing.assert_close(found.T.cov(), h.T.cov(), atol=0.005, rtol=0.05)
    kurtosis = ((found - found.mean(dim=0)) ** 4).mean(dim=0) / found.var(dim=0) ** 2
    assert kurtosis.tolist() == pytest.approx([3] * 4, abs=0.15)


def test_principal_directions_point_both_ways_and_are_no_features_when_all_are_alike() -> None:
    wide = draw(3000, 3) * torch.tensor([1.0, 5.0, 2.0])
    found = saes.pca_dictionary(wide)
    assert found.shape == (6, 3)
    assert found.abs()[:3].argmax(dim=1).tolist() == [1, 2, 0], "the largest first"
    assert torch.equal(found[3:], -found[:3])
    random = math.sqrt(1 / 4)
    assert random < matched_recovery(DIGONS, saes.pca_dictionary(of_digons(5000, 0))) < 0.95
