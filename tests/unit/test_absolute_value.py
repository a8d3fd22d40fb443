"""Models with neurons: what they compute, what a rotation does, and how neurons are counted."""

import doctest
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mechcourse import absolute_value as neurons
from mechcourse.absolute_value import Neurons, NeuronsConfig

SMALL = NeuronsConfig(3, 6, probabilities=(1.0, 0.3), n_steps=400, batch=256, learning_rate=1e-2)
COPY = replace(SMALL, d_hidden=2, task="copy", tied=True, n_steps=60)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def any_model(hidden: str = "relu") -> Neurons:
    return Neurons(draw(2, 3, 4), draw(2, 4, 3, seed=1), draw(2, 3, seed=2), hidden)


def split(n: int) -> Neurons:
    """ReLU(x) + ReLU(-x) for each feature: the absolute value itself."""
    both = torch.cat([torch.eye(n), -torch.eye(n)], dim=1)[None]
    return Neurons(both, both.abs().mT, torch.zeros(1, n))


def inputs(n_samples: int, p: Tensor, n: int, *, signed: bool, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return neurons.sparse_inputs(n_samples, p, n, signed=signed, generator=generator)


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(neurons).failed == 0


@pytest.mark.parametrize("signed", [False, True])
def test_inputs_are_present_as_often_as_asked_and_uniform(signed: bool) -> None:
    p = torch.tensor([[1.0], [0.25], [0.01]])
    x = inputs(40_000, p, 2, signed=signed)
    assert x.shape == (40_000, 3, 2)
    present = x != 0
    assert present.float().mean(dim=(0, 2)).tolist() == pytest.approx(p[:, 0].tolist(), abs=0.006)
    for i, size in enumerate((0.02, 0.02, 0.1)):
        values = x[:, i][present[:, i]]
        assert values.min() >= (-1 if signed else 0) and values.max() <= 1
        assert values.mean().item() == pytest.approx(0 if signed else 0.5, abs=size)
        assert values.std().item() == pytest.approx((4 if signed else 1) ** 0.5 / 12**0.5, abs=size)
    # Independent: both at once as often as chance has it.
    assert present[:, 1].all(dim=1).float().mean().item() == pytest.approx(0.0625, abs=0.006)


def test_features_may_have_probabilities_of_their_own() -> None:
    x = inputs(20_000, torch.tensor([[1.0, 0.1]]), 2, signed=True)
    assert (x != 0).float().mean(dim=0)[0].tolist() == pytest.approx([1, 0.1], abs=0.01)


@pytest.mark.parametrize("hidden", ["relu", "linear"])
def test_the_outputs_are_those_of_a_slow_loop(hidden: str) -> None:
    model, x = any_model(hidden), draw(5, 2, 3, seed=3)
    found = neurons.outputs(x, model)
    for s in range(5):
        for i in range(2):
            h = x[s, i] @ model.W_in[i]
            h = h.clamp(min=0) if hidden == "relu" else h
            wanted = (h @ model.W_out[i] + model.b[i]).clamp(min=0)
            torch.testing.assert_close(found[s, i], wanted)


def test_the_loss_is_weighted_summed_over_features_and_averaged_over_samples() -> None:
    model, x, importance = any_model(), draw(5, 2, 3, seed=3), torch.tensor([1.0, 0.5, 0.1])
    error = neurons.outputs(x, model) - x.abs()
    wanted = [
        sum(float(importance[f] * error[s, i, f] ** 2) for s in range(5) for f in range(3)) / 5
        for i in range(2)
    ]
    assert neurons.losses(x, model, importance).tolist() == pytest.approx(wanted)


def test_two_neurons_for_each_feature_have_no_loss() -> None:
    x = inputs(100, torch.tensor([[0.7]]), 4, signed=True)
    assert neurons.losses(x, split(4), torch.ones(4)).item() == pytest.approx(0, abs=1e-12)


def test_asymmetric_pairs_interfere_by_what_they_are_read_in_and_out_with() -> None:
    """In by [2, -1/2], out by [1/2, 2]: the first feature puts 4 of itself on the second."""
    pair = Neurons(torch.tensor([[[2.0], [-0.5]]]), torch.tensor([[[0.5, 2.0]]]), torch.zeros(1, 2))
    found = neurons.outputs(torch.tensor([[[0.5, 0.0]], [[0.0, -0.5]]]), pair)
    assert found.tolist() == [[[0.5, 2.0]], [[0.125, 0.5]]]


def test_a_rotation_is_nothing_to_a_linear_layer_and_much_to_one_with_neurons() -> None:
    x = inputs(500, torch.tensor([[0.5], [0.5]]), 3, signed=True)
    for hidden, same in (("linear", True), ("relu", False)):
        model = any_model(hidden)
        turned = neurons.rotated(model, seed=0)
        close = torch.allclose(neurons.outputs(x, model), neurons.outputs(x, turned), atol=1e-5)
        assert close == same
        assert not torch.allclose(turned.W_in, model.W_in, atol=0.1)
        torch.testing.assert_close(turned.W_in.norm(dim=2), model.W_in.norm(dim=2))
    worse = neurons.losses(x[:, :1], neurons.rotated(split(3), 0), torch.ones(3))
    assert worse.item() > 0.05


def test_rotations_are_drawn_uniformly_and_are_no_reflections_of_one() -> None:
    many = Neurons(torch.eye(3).expand(4000, 3, 3), torch.zeros(4000, 3, 1), torch.zeros(4000, 1))
    turns = neurons.rotated(many, seed=0).W_in
    torch.testing.assert_close(turns @ turns.mT, torch.eye(3).expand(4000, 3, 3), atol=1e-5, rtol=0)
    assert turns.mean(dim=0).abs().max() < 0.05
    torch.testing.assert_close(
        turns.square().mean(dim=0), torch.full((3, 3), 1 / 3), atol=0.02, rtol=0
    )
    assert torch.equal(turns, neurons.rotated(many, seed=0).W_in)


def test_the_start_is_tied_where_it_has_to_be() -> None:
    tied, free = neurons.begin(COPY), neurons.begin(SMALL)
    assert torch.equal(tied.W_out, tied.W_in.mT)
    assert free.W_in.shape == (2, 3, 6) and free.W_out.shape == (2, 6, 3)
    assert not torch.equal(free.W_out, free.W_in.mT)
    assert not torch.equal(neurons.begin(replace(SMALL, seed=1)).W_in, free.W_in)


def test_training_learns_the_absolute_value_and_is_the_same_again() -> None:
    trained = neurons.train(SMALL)
    before, after = (neurons.evaluate(model, SMALL) for model in (neurons.begin(SMALL), trained))
    assert (after < 0.3 * before).all()
    assert torch.equal(trained.W_in, neurons.train(SMALL).W_in)
    assert not any(part.requires_grad for part in trained[:3])


def test_a_tied_model_stays_tied_and_the_given_start_is_left_alone() -> None:
    start = neurons.begin(COPY)
    kept = start.W_in.clone()
    trained = neurons.train(COPY, start=start)
    assert torch.equal(trained.W_out, trained.W_in.mT)
    assert torch.equal(start.W_in, kept) and not torch.equal(trained.W_in, kept)


def test_going_on_from_a_perfect_model_spoils_nothing() -> None:
    config = replace(SMALL, probabilities=(0.5,), n_steps=50)
    trained = neurons.train(config, start=split(3))
    assert neurons.evaluate(trained, config).item() < 1e-8


def test_a_training_that_is_interrupted_keeps_what_it_has(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stop_at_5(step: int, n_steps: int, measured: dict[str, float]) -> None:
        if step == 5:
            raise KeyboardInterrupt

    trained = neurons.train(SMALL, progress=stop_at_5)
    assert "Stopped after 5 of 400 steps" in capsys.readouterr().out
    assert not torch.equal(trained.W_in, neurons.begin(SMALL).W_in)


def test_the_gradient_weighs_features_by_importance() -> None:
    config = replace(SMALL, importance=(1.0, 1.0, 0.0), n_steps=1)
    assert neurons.train(config).b[:, 2].tolist() == [0, 0]


def test_instances_of_one_probability_are_held_against_the_same_samples() -> None:
    config = replace(SMALL, probabilities=(0.3, 1.0, 0.3))
    model = neurons.begin(config)
    same = Neurons(*(part[[0, 1, 0]] for part in model[:3]), "relu")
    found = neurons.evaluate(same, config, n_samples=500)
    assert found[0] == found[2] != found[1]
    # Another order of the levels changes nobody's samples.
    other = replace(config, probabilities=(1.0, 0.3, 0.3))
    again = neurons.evaluate(
        Neurons(*(p[[1, 0, 2]] for p in same[:3]), "relu"), other, n_samples=500
    )
    assert again[1] == found[0]


def test_the_best_of_each_probability() -> None:
    config = replace(SMALL, probabilities=(0.3, 1.0, 0.3, 1.0))
    assert neurons.best_of(torch.tensor([0.2, 0.5, 0.1, 0.7]), config) == {0.3: 2, 1.0: 1}


def test_features_of_a_neuron_are_counted_beside_its_largest() -> None:
    weights = torch.tensor([[2.0, 0.05, 0.0, 0.3], [-0.7, 0.0, 0.0, 0.3], [0.5, 0.0, 0.0, -0.3]])
    assert neurons.features_of_neurons(weights).tolist() == [2, 0, 0, 3]
    assert neurons.features_of_neurons(weights, cut=0.25).tolist() == [3, 0, 0, 3]
    assert neurons.features_of_neurons(weights, dead=0.01).tolist() == [2, 1, 0, 3]
    assert neurons.features_of_neurons(1e3 * weights).tolist() == [2, 1, 0, 3], "any scale"
    assert neurons.features_of_neurons(weights.relu()).tolist() == [1, 0, 0, 2]
    one = torch.tensor([[0.4]])
    assert neurons.features_of_neurons(one).tolist() == [1]


def test_alignment_is_between_one_neuron_each_and_all_alike() -> None:
    assert neurons.axis_alignment(torch.eye(5)[[0, 3, 3, 1]]) == 1
    assert neurons.axis_alignment(torch.ones(3, 4)) == pytest.approx(1 / 4)
    assert neurons.axis_alignment(draw(20_000, 5)) == pytest.approx(0.55, abs=0.01)
    with_dead = torch.cat([torch.eye(3), 1e-6 * torch.ones(4, 3)])
    assert neurons.axis_alignment(with_dead) == pytest.approx(1)
