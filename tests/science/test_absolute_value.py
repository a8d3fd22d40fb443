"""Shipped models with neurons, held against the paper's figures and against rotations.

The ranges are what seeds 0 to 2 gave, with room. The paper shows the best of a thousand models;
these are the best of ten to twenty-five, and the tests say where that is not enough.
"""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mechcourse import absolute_value as neurons
from mechcourse import neurons_zoo
from mechcourse.neurons_zoo import NeuronsRun, load

pytestmark = pytest.mark.science


@pytest.fixture(scope="module", params=["shipped", "trained here with another seed"])
def split(request: pytest.FixtureRequest) -> NeuronsRun:
    """Three absolute values in six neurons, which take four seconds to train."""
    if request.param == "shipped":
        return load("neurons-3x6")
    config = replace(neurons_zoo.SPLIT, seed=1)
    return neurons_zoo.judged(neurons.train(config), config)


def turned_losses(run: NeuronsRun, seed: int) -> Tensor:
    """The losses of the same models with each hidden space turned."""
    return neurons.evaluate(neurons.rotated(run.model, seed), run.config)


def mono_share(weights: Tensor) -> float:
    """The fraction of neurons that have to do with one feature."""
    return float((neurons.features_of_neurons(weights) == 1).double().mean())


def pairs(run: NeuronsRun, i: int) -> bool:
    """Whether each input has two neurons, one for each sign, that come to 1 to within a tenth."""
    W_in, W_out = run.model.W_in[i], run.model.W_out[i].T
    through = W_in * W_out
    serves = through.abs().argmax(dim=0)
    own = through[serves, torch.arange(6)].abs()
    signs = [W_in[feature, serves == feature].sign().tolist() for feature in range(3)]
    return all(sorted(each) == [-1, 1] for each in signs) and bool(((own - 1).abs() < 0.1).all())


def test_three_absolute_values_take_two_neurons_each(split: NeuronsRun) -> None:
    """|x| = ReLU(x) + ReLU(-x). Most dense models find it, 7 or 8 of 10.

    In the others an input has one sign only, or an output is dead: 0, whatever comes in, which
    costs 1/3. For one sign ReLU(w ReLU(x) + b) is the best there is, at b = 0.4, and costs 1/15.
    """
    i, dense = split.best(1.0), split.losses[split.at(1.0)]
    assert pairs(split, i) and mono_share(split.model.W_in[i]) == 1
    exact = torch.tensor([pairs(split, own) for own in split.at(1.0)])
    assert exact.sum() >= 6 and dense.median() < 1e-3
    assert (dense[~exact] > 0.75 / 15).all()
    assert turned_losses(split, 0)[i] > 0.2, "nothing of this is left in a rotated basis"


def test_of_sparser_ones_few_come_near(split: NeuronsRun) -> None:
    """The exact solution costs nothing here either. Always saying the mean would cost 0.0925."""
    sparse = split.losses[split.at(0.1)]
    assert sparse.min() < 0.01 and sparse.median() > 3 * sparse.min()


def test_dense_neurons_are_monosemantic_and_sparser_ones_share() -> None:
    """As in the paper: all five at 0.5, to the five most important; at 0.2 more than five fit in.

    There three neurons have one feature and two have three between them, or each has two: the best
    of twenty differs from seed to seed.
    """
    run = load("neurons-10x5")
    dense, sparse = (run.model.W_in[run.best(p)].relu() for p in (0.5, 0.2))
    assert mono_share(dense) == 1
    assert sorted(dense.argmax(dim=1)[:5].tolist()) == [0, 1, 2, 3, 4]
    assert mono_share(sparse) <= 0.6
    assert (sparse.norm(dim=1) > 0.5).sum() >= 6


def test_best_of_twenty_is_not_what_a_model_is_like() -> None:
    run = load("neurons-10x5")
    shares = {p: [mono_share(run.model.W_in[i].relu()) for i in run.at(p)] for p in (0.5, 0.2)}
    assert 0.6 <= sum(shares[0.5]) / 20 < 1
    assert sum(shares[0.2]) / 20 <= 0.45
    sparse = run.losses[run.at(0.2)]
    assert sparse.median() > 1.03 * sparse.min()


def test_neurons_make_a_basis_privileged() -> None:
    """Against rotated weights. At 0.5 it shows in the weights alone, at 0.2 only in the loss."""
    run = load("neurons-10x5")
    one = run.model.one(run.best(0.5))
    null = [neurons.axis_alignment(neurons.rotated(one, s).W_in[0]) for s in range(20)]
    assert neurons.axis_alignment(one.W_in[0]) > 0.95 > 0.8 > max(null)
    turned = turned_losses(run, 1)
    for p in (0.5, 0.2):
        assert turned[run.best(p)] > 1.5 * run.losses[run.best(p)]


def test_a_linear_layer_does_not_know_its_basis() -> None:
    run, privileged = load("neurons-10x5-linear"), load("neurons-10x5")
    torch.testing.assert_close(turned_losses(run, 1), run.losses, rtol=1e-4, atol=1e-6)
    aligned = [neurons.axis_alignment(W) for W in run.model.W_in]
    assert 0.35 <= sum(aligned) / len(aligned) <= 0.62
    best, beside = (float(each.losses[each.best(0.2)]) for each in (run, privileged))
    assert best < 0.7 * beside, "with signs, there is more room"


def test_too_few_neurons_make_asymmetric_pairs() -> None:
    """Three absolute values in four neurons: read in weakly, out strongly, or the other way round.

    One feature is read in by about 2 and out by 0.4, the others in by 0.7 and out by 2: the paper's
    [2, -1/2] and [1/2, 2]. What the strong one puts on the others two neurons cancel.
    """
    run = load("neurons-3x4")
    for p, most in ((0.1, 0.0115), (0.03, 0.0016)):
        i, two_exact = run.best(p), p / 3 - p**2 / 4  # and for the third its mean
        assert run.losses[i] < most < run.losses[run.at(p)].median()
        assert most < 0.4 * two_exact
        into, out = (W.abs().amax(dim=1) for W in (run.model.W_in[i], run.model.W_out[i].T))
        strong = int(into.argmax())
        others = [f for f in range(3) if f != strong]
        assert into[strong] > 1.8 * into[others].max()
        assert out[strong] < 0.4 * out[others].min()


def twenty_exact(p: float) -> float:
    """Forty neurons used two by two for the twenty most important; the others by their means."""
    return float(neurons_zoo.MANY.weights[20:].sum() * (p / 3 - p**2 / 4))


def dead_halves(model: neurons.Neurons, n: int) -> int:
    """Of the first n inputs, each of both signs, how many leave their own output near 0."""
    signs = torch.cat([torch.eye(100), -torch.eye(100)])[:, None]
    made = neurons.outputs(signs, model)[:, 0]
    own = torch.stack([made[:100].diagonal(), made[100:].diagonal()])[:, :n]
    return int((own < 0.1).sum())


def test_a_hundred_absolute_values_in_forty_neurons() -> None:
    """Monosemantic at 1 and 0.3, polysemantic at 0.003, as in the paper (which has 0.001).

    But begun at random the sparse one is no superposition that pays: it loses far more than neurons
    used two by two would, since half of its outputs are dead for one sign of their input.
    """
    run = load("neurons-100x40")
    for p, least, most in ((1.0, 0.85, 1.0), (0.3, 0.8, 1.0), (0.003, 0.0, 0.1)):
        share = mono_share(run.model.W_in[run.best(p)])
        assert least <= share <= most


def test_computing_in_superposition_pays_where_outputs_are_not_born_dead() -> None:
    """From an aligned start: below what monosemantic neurons could have, and none is.

    Where all inputs are present the aligned start finds no twenty exact values, either.
    """
    random, aligned = load("neurons-100x40"), load("neurons-100x40-aligned")
    one, other = (run.model.one(run.best(0.003)) for run in (random, aligned))
    assert random.losses[random.best(0.003)] > 20 * twenty_exact(0.003)
    assert aligned.losses[aligned.best(0.003)] < 0.7 * twenty_exact(0.003)
    assert (aligned.losses[aligned.at(0.003)] < twenty_exact(0.003)).sum() >= 3
    assert mono_share(other.W_in[0]) < 0.1
    assert dead_halves(one, 30) > 30 > 6 > dead_halves(other, 30)
    assert aligned.losses[aligned.best(1.0)] > 3 * twenty_exact(1.0)
