"""Models with neurons, trained here, held against the paper's figures and against rotations.

The ranges are what seeds 0 to 2 gave, with room. The paper shows the best of a thousand models;
these are the best of ten to twenty-five, and the tests say where that is not enough.
"""

from dataclasses import dataclass
from functools import lru_cache

import pytest
import torch
from torch import Tensor

from mechcourse import absolute_value as neurons
from mechcourse.absolute_value import NeuronsConfig

pytestmark = pytest.mark.science


def each(levels: tuple[float, ...], times: int) -> tuple[float, ...]:
    return tuple(p for p in levels for _ in range(times))


COPY = NeuronsConfig(
    *(10, 5, each((0.5, 0.2), 20)),
    importance=tuple(0.75**i for i in range(10)),
    **{"task": "copy", "tied": True, "n_steps": 3000},
)
SPLIT = NeuronsConfig(3, 6, each((1.0, 0.1), 10), n_steps=2000)
SQUEEZED = NeuronsConfig(3, 4, each((0.1, 0.03), 25), n_steps=3000, learning_rate=5e-3)
MANY = NeuronsConfig(
    *(100, 40, (1.0, 0.3, 0.003)),
    importance=tuple(0.8**i for i in range(100)),
    n_steps=2500,
)


@dataclass(frozen=True)
class Trained:
    """Models, their losses on new samples, and which is the best at each probability."""

    config: NeuronsConfig
    model: neurons.Neurons
    losses: Tensor
    best: dict[float, int]

    def at(self, p: float) -> Tensor:
        """The losses of all models of a probability."""
        return self.losses[[i for i, own in enumerate(self.config.probabilities) if own == p]]


@lru_cache
def trained(config: NeuronsConfig) -> Trained:
    model = neurons.train(config)
    losses = neurons.evaluate(model, config)
    return Trained(config, model, losses, neurons.best_of(losses, config))


def mono_share(weights: Tensor) -> float:
    """The fraction of neurons that have to do with one feature."""
    return float((neurons.features_of_neurons(weights) == 1).double().mean())


def test_three_absolute_values_take_two_neurons_each() -> None:
    """|x| = ReLU(x) + ReLU(-x). All dense models find it, of the sparser ones some."""
    run = trained(SPLIT)
    i = run.best[1.0]
    W_in, W_out = run.model.W_in[i], run.model.W_out[i].T
    assert mono_share(W_in) == 1 and run.at(1.0).median() < 1e-3
    through = W_in * W_out
    serves = through.abs().argmax(dim=0)
    assert sorted(serves.tolist()) == [0, 0, 1, 1, 2, 2]
    own = through[serves, torch.arange(6)]
    assert own.abs().tolist() == pytest.approx([1] * 6, abs=0.1)
    for feature in range(3):
        assert W_in[feature, serves == feature].sign().sum() == 0, "one for each sign"
    # Always saying the mean would cost 0.0925 at p = 0.1.
    assert run.at(0.1).min() < 0.01 and run.at(0.1).median() > 3 * run.at(0.1).min()
    turned = neurons.evaluate(neurons.rotated(run.model, 0), SPLIT)
    assert turned[i] > 0.2, "nothing of this is left in a rotated basis"


def test_dense_neurons_are_monosemantic_and_sparser_ones_share() -> None:
    """As in the paper: all five at 0.5, to the five most important; at 0.2 more than five fit in.

    There three neurons have one feature and two have three between them, or each has two: the best
    of twenty differs from seed to seed.
    """
    run = trained(COPY)
    dense, sparse = (run.model.W_in[run.best[p]].relu() for p in (0.5, 0.2))
    assert mono_share(dense) == 1
    assert sorted(dense.argmax(dim=1)[:5].tolist()) == [0, 1, 2, 3, 4]
    assert mono_share(sparse) <= 0.6
    assert (sparse.norm(dim=1) > 0.5).sum() >= 6


def test_best_of_twenty_is_not_what_a_model_is_like() -> None:
    run = trained(COPY)
    shares = {
        p: [
            mono_share(run.model.W_in[i].relu())
            for i, own in enumerate(COPY.probabilities)
            if own == p
        ]
        for p in (0.5, 0.2)
    }
    assert 0.6 <= sum(shares[0.5]) / 20 < 1
    assert sum(shares[0.2]) / 20 <= 0.45
    assert run.at(0.2).median() > 1.03 * run.at(0.2).min()


def test_neurons_make_a_basis_privileged() -> None:
    """Against rotated weights. At 0.5 it shows in the weights alone, at 0.2 only in the loss."""
    run = trained(COPY)
    one = run.model.one(run.best[0.5])
    null = [neurons.axis_alignment(neurons.rotated(one, s).W_in[0]) for s in range(20)]
    assert neurons.axis_alignment(one.W_in[0]) > 0.95 > 0.8 > max(null)
    turned = neurons.evaluate(neurons.rotated(run.model, 1), COPY)
    for p in (0.5, 0.2):
        assert turned[run.best[p]] > 1.5 * run.losses[run.best[p]]


def test_a_linear_layer_does_not_know_its_basis() -> None:
    config = NeuronsConfig(
        *(10, 5, each((0.5, 0.2), 10), COPY.importance, "copy", "linear", True),
        n_steps=2000,
    )
    run = trained(config)
    turned = neurons.evaluate(neurons.rotated(run.model, 1), config)
    torch.testing.assert_close(turned, run.losses, rtol=1e-4, atol=1e-6)
    aligned = [neurons.axis_alignment(W) for W in run.model.W_in]
    assert 0.35 <= sum(aligned) / len(aligned) <= 0.62
    assert run.at(0.2).min() < 0.7 * trained(COPY).at(0.2).min(), "with signs, there is more room"


def test_too_few_neurons_make_asymmetric_pairs() -> None:
    """Three absolute values in four neurons: read in weakly, out strongly, or the other way round.

    One feature is read in by about 2 and out by 0.4, the others in by 0.7 and out by 2: the paper's
    [2, -1/2] and [1/2, 2]. What the strong one puts on the others two neurons cancel.
    """
    run = trained(SQUEEZED)
    for p, most in ((0.1, 0.0115), (0.03, 0.0016)):
        i = run.best[p]
        assert run.losses[i] < most < run.at(p).median()
        into, out = (W.abs().amax(dim=1) for W in (run.model.W_in[i], run.model.W_out[i].T))
        strong = int(into.argmax())
        others = [f for f in range(3) if f != strong]
        assert into[strong] > 1.8 * into[others].max()
        assert out[strong] < 0.4 * out[others].min()


def test_a_hundred_absolute_values_in_forty_neurons() -> None:
    """Monosemantic at 1 and 0.3, polysemantic at 0.003, as in the paper (which has 0.001)."""
    run = trained(MANY)
    for p, least, most in ((1.0, 0.85, 1.0), (0.3, 0.8, 1.0), (0.003, 0.0, 0.1)):
        share = mono_share(run.model.W_in[run.best[p]])
        assert least <= share <= most
