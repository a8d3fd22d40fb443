"""What is measured on models of sums: held against hooks, slow sums and hand-made curves."""

import math

import pytest
import torch

from mechcourse import fourier
from mechcourse import measures_modular as measures
from mechcourse.grokking import Curves, GrokkingConfig, Run, begin, grok
from mechcourse.modular import (
    ModularTransformer,
    ModularTransformerConfig,
    all_pairs,
    exact_cross_entropy,
    split,
    sums,
    tokens_of,
)

SMALL = ModularTransformerConfig(p=11, d_model=12, n_heads=3, d_head=5, d_mlp=20)
PAIRS = all_pairs(11)


@pytest.fixture(scope="module")
def run() -> Run:
    config = GrokkingConfig(n_steps=120, fraction=0.4, look_every=20, keep=(0, 60, 120), seed=3)
    return grok(begin(SMALL, 3), config)


def loss_with(model: ModularTransformer, name: str, head: int) -> float:
    def hook(value: torch.Tensor, _point: object) -> torch.Tensor:
        value = value.clone()
        value[:, :, head] = 0
        return value

    logits = model.run_with_hooks(tokens_of(PAIRS, 11), fwd_hooks=[(name, hook)])
    return exact_cross_entropy(logits[:, -1], sums(PAIRS, 11)).mean().item()


def test_the_parts_make_up_the_logits(run: Run) -> None:
    parts = measures.look_inside(run.model)
    logits = run.model(tokens_of(PAIRS, 11))[:, -1].unflatten(0, (11, 11)).double()
    torch.testing.assert_close(parts.logits(), logits, rtol=0, atol=1e-5)
    torch.testing.assert_close(measures.all_logits(run.model), logits, rtol=0, atol=1e-5)
    silent = parts.logits(torch.zeros_like(parts.post))
    torch.testing.assert_close(silent, parts.direct)


def test_the_table_of_a_model(run: Run) -> None:
    found = measures.measure_modular(run.model, run.config.task(11))
    curves = run.curves
    assert found["train_loss"] == pytest.approx(curves.train_loss[-1].item(), rel=1e-3)
    assert found["test_accuracy"] == pytest.approx(curves.test_accuracy[-1].item(), abs=1e-4)
    assert found["key_frequencies"] == measures.final_frequencies(run.model)
    everything = len(split(11, 0.4, 3)[0]) * found["train_loss"]
    everything += len(split(11, 0.4, 3)[1]) * found["test_loss"]
    assert found["loss"] == pytest.approx(everything / 121, rel=1e-3)
    for head in range(3):
        loss = loss_with(run.model, "blocks.0.attn.hook_z", head)
        assert found[f"no_head_{head}"] == pytest.approx(loss, rel=1e-3)
    assert found["weight_norm"] == pytest.approx(
        torch.cat([w.flatten() for w in run.model.parameters()]).norm().item(), rel=1e-3
    )
    assert sum(found["neurons_of"].values()) <= found["neurons_of_one_frequency"] + 1e-6
    assert set(found["without_frequency"]) == set(map(str, found["key_frequencies"]))


def test_the_readout_s_two_halves_are_the_neurons(run: Run) -> None:
    parts, every = measures.look_inside(run.model), range(1, 6)
    whole = measures.ablations(run.model, parts, every)
    # All frequencies together are all that the softmax sees of the neurons.
    assert whole["readout_only"] == pytest.approx(whole["loss"], rel=1e-6)
    none = measures.ablations(run.model, parts, [])
    assert none["readout_removed"] == pytest.approx(none["loss"])
    assert none["readout_only"] == pytest.approx(none["no_mlp"])
    assert none["sums_only"] == pytest.approx(math.log(11))


def test_a_perfect_neuron_is_of_its_frequency() -> None:
    a, b = (2 * math.pi * 3 * numbers.double() / 11 for numbers in PAIRS.T)
    waves = (a.cos() * b.cos() - a.sin() * b.sin()).view(11, 11)
    noise = torch.randn(11, 11, 2, generator=torch.Generator().manual_seed(0)).double()
    post = torch.cat([waves[..., None], 1 + 2 * waves[..., None], noise], dim=-1)
    found = measures.neuron_figures(post, [2, 3])
    assert found == {"neurons_of_one_frequency": 0.5, "neurons_of": {"2": 0.0, "3": 0.5}}


def test_progress_measures_over_kept_weights(run: Run) -> None:
    seen = measures.progress_measures(run)
    assert seen["step"] == [0, 60, 120]
    train, _ = split(11, 0.4, 3)
    keys = measures.final_frequencies(run.model)
    logits = measures.all_logits(run.model_at(60))
    assert seen["restricted_loss"][1] == pytest.approx(fourier.restricted_loss(logits, keys))
    assert seen["excluded_loss"][1] == pytest.approx(fourier.excluded_loss(logits, keys, train))
    assert seen["train_loss"][1] == pytest.approx(run.curves.train_loss[3].item(), rel=1e-2)
    assert measures.progress_measures(Run(run.config, run.model, run.curves)) == {}


def test_phases_are_fractions_of_the_grokking_step(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = [0, 100, 200, 300, 400]
    seen = {
        "step": steps,
        "excluded_loss": [4.0, 0.5, 0.1, 3.0, 6.0],
        "restricted_loss": [4.0, 4.0, 2.1, 1.9, 0.1],
        "test_loss": [4.0, 9.0, 5.0, 4.6, 0.2],
    }
    monkeypatch.setattr(measures, "progress_measures", lambda _: seen)
    looks, ones = torch.arange(0, 501, 50), torch.ones(11)
    trained = torch.tensor([0.0, 1.0, 0.5] + [1.0] * 8)
    tested = torch.tensor([0.0] * 10 + [1.0])
    done = Run(run.config, run.model, Curves(looks, ones, ones, trained, tested), run.weights)
    assert measures.phases(done) == {
        "grokking_step": 500,
        "memorised": 0.3,
        "forming": 0.4,
        "formed": 0.6,
        "cleanup": 0.8,
    }
    never = Run(run.config, run.model, Curves(looks, ones, ones, trained, 0 * tested), run.weights)
    assert measures.phases(never) == {}
