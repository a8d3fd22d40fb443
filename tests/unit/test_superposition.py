"""Toy models of superposition: samples, loss, and the quick training against the plain one."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from mechcourse import superposition_fast as fast
from mechcourse.superposition import (
    ToyConfig,
    begin,
    importance_weighted_mse,
    reconstruct,
    sparse_features,
)
from mechcourse.superposition_samples import Samples, leaves_out
from mechcourse.superposition_training import evaluate, train

UNEVEN = torch.tensor([[0.9, 0.3, 0.05], [0.2, 1.0, 0.5]])
N = 40_000


def config(**changes: object) -> ToyConfig:
    plain = {"n_features": 5, "d_hidden": 2, "probabilities": (1.0, 0.4, 0.02), "batch": 64}
    return ToyConfig(**plain | {"importance": (1.0, 0.8, 0.6, 0.5, 0.3), "seed": 3} | changes)


def near(share: Tensor, p: Tensor, n: int = N) -> bool:
    """Whether shares of n samples are within 4.5 standard deviations of probabilities."""
    return bool(((share - p).abs() <= 4.5 * (p * (1 - p) / n).sqrt() + 1e-6).all())


def quick(
    presence: Tensor, correlation: str = "independent", group: int = 2, n: int = N
) -> tuple[Tensor, int]:
    """Samples of the quick kind, [sample instance feature], and how many empty ones are left out"""
    how = config(n_features=presence.shape[1], probabilities=(0.1,), importance=None)
    how = replace(how, correlation=correlation, group=group)
    x = Samples(presence, n, how, np.random.Generator(np.random.SFC64(5))).draw()
    return x.permute(2, 0, 1), n - x.shape[2]


def both_kinds(presence: Tensor, correlation: str, group: int = 2) -> list[tuple[Tensor, int]]:
    plain = sparse_features(N, presence, correlation=correlation, group=group, seed=2)
    return [(plain, 0), quick(presence, correlation, group)]


def test_present_with_its_probability_and_uniform_where_present() -> None:
    rare = UNEVEN * torch.tensor([0.2, 0.002])[:, None]
    for presence, (x, left_out) in itertools.chain(
        ((UNEVEN, kind) for kind in both_kinds(UNEVEN, "independent")),
        ((row[None], quick(row[None])) for row in rare),
    ):
        assert near((x > 0).sum(dim=0) / N, presence), left_out
        assert x.min() == 0 and x.max() <= 1
        for i, j in np.ndindex(*presence.shape):
            values = x[:, i, j][x[:, i, j] > 0]
            below = torch.stack([(values < level).float().mean() for level in (0.1, 0.5, 0.8)])
            assert near(below, torch.tensor([0.1, 0.5, 0.8]), len(values))


def test_independent_features_meet_as_often_as_chance_has_it() -> None:
    presence = torch.full((1, 3), 0.1)
    assert leaves_out(presence, config(n_features=3, importance=None))
    for x, _ in both_kinds(presence, "independent"):
        here = (x[:, 0] > 0).long()
        counts = torch.bincount(here @ torch.tensor([4, 2, 1]), minlength=8)
        counts[0] += N - len(x)
        sizes = torch.tensor([bin(pattern).count("1") for pattern in range(8)])
        assert near(counts / N, 0.1**sizes * 0.9 ** (3 - sizes))


@pytest.mark.parametrize("group", [2, 3])
def test_correlated_features_come_together_with_values_of_their_own(group: int) -> None:
    presence = torch.tensor([[0.3] * 7, [0.02] * 7])
    for x, _ in both_kinds(presence, "correlated", group):
        here = x > 0
        assert near(here.float().mean(dim=0), presence)
        for first in range(0, 7, group):
            assert (here[:, :, first, None] == here[:, :, first : first + group]).all()
        both = x[here[:, 0, 0], 0, :2]
        assert abs(torch.corrcoef(both.T)[0, 1]) < 4.5 / len(both) ** 0.5
        assert near((both < 0.5).float().mean(dim=0), torch.tensor([0.5, 0.5]), len(both))
        assert near((here[:, 0, 0] & here[:, 0, group]).float().mean(), torch.tensor(0.09))


@pytest.mark.parametrize("group", [2, 3])
def test_of_anticorrelated_features_at_most_one_comes(group: int) -> None:
    presence = torch.tensor([[0.3] * 7, [0.02] * 7])
    for x, _ in both_kinds(presence, "anticorrelated", group):
        here = x > 0
        assert near(here.float().mean(dim=0), presence)
        for first in range(0, 7, group):
            assert here[:, :, first : first + group].sum(dim=2).max() == 1
        for j in range(7):
            values = x[:, 0, j][here[:, 0, j]]
            assert near((values < 0.25).float().mean(), torch.tensor(0.25), len(values))
        assert near((here[:, 0, 0] & here[:, 0, group]).float().mean(), torch.tensor(0.09))


def test_what_no_data_can_be_is_refused() -> None:
    for wrong in (0.0, -0.1, 1.1):
        with pytest.raises(ValueError, match="above 0 and at most 1"):
            sparse_features(3, torch.tensor([[0.5, wrong]]))
    with pytest.raises(ValueError, match="same probability"):
        sparse_features(3, UNEVEN, correlation="correlated")
    sparse_features(3, torch.full((1, 4), 0.5), correlation="anticorrelated")
    with pytest.raises(ValueError, match="sum to 1 at most"):
        config(correlation="anticorrelated", probabilities=(0.6,))
    with pytest.raises(ValueError, match="a number for each feature"):
        config(importance=(1.0, 1.0))


def test_samples_are_fixed_by_the_seed_and_leave_the_callers_randomness_alone() -> None:
    state = torch.random.get_rng_state()
    one, two, other = (sparse_features(9, UNEVEN, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one, two) and not torch.equal(one, other)
    begin(config())
    train(config(n_steps=2))
    assert torch.equal(state, torch.random.get_rng_state())


def test_reconstruction_and_loss_by_hand() -> None:
    W = torch.tensor([[[1.0, 0.0], [0.0, 2.0], [-1.0, 0.0]]])
    b = torch.tensor([[0.0, -1.0, 0.5]])
    x = torch.tensor([[[1.0, 0.5, 0.0]], [[0.0, 0.0, 1.0]]])
    rebuilt = reconstruct(x, W, b)
    assert rebuilt.tolist() == [[[1.0, 1.0, 0.0]], [[0.0, 0.0, 1.5]]]
    importance = torch.tensor([[1.0, 4.0, 2.0]])
    assert importance_weighted_mse(x, rebuilt, importance).tolist() == [0.75]


def test_instances_do_not_touch_each_other() -> None:
    W, b = begin(config())
    x = sparse_features(11, config().presence, seed=4)
    together = reconstruct(x, W, b + 0.1)
    for i in range(3):
        alone = x[:, i] @ W[i] @ W[i].T + b[i] + 0.1
        torch.testing.assert_close(together[:, i], alone.relu())


@pytest.mark.parametrize(("p", "n_parts"), [(0.4, 1), (0.4, 3), (0.02, 1), (0.1, 1)])
def test_the_gradient_is_autograds(p: float, n_parts: int, monkeypatch) -> None:
    """On the same samples, those included that were left out because they are empty."""
    how = config(probabilities=(p, p / 2), batch=200)
    monkeypatch.setattr(fast, "BLOCK", 5 * 200 // n_parts + 1)
    W, b = begin(how)
    b += torch.linspace(-0.3, 0.3, 10).view(2, 5)
    toys = fast.FastToys(W, b, how, slice(0, None), np.random.SeedSequence(1))
    assert len(toys.parts) == n_parts and sum(toys.parts) == 200
    whole, losses, gradient = [], 0, 0
    for size in toys.parts:
        x = Samples(how.presence, size, how, toys.random).draw()
        gradient += toys.gradient(x, size)
        losses += toys.losses(x, size)
        empty = torch.zeros(size - x.shape[2], 2, 5)
        whole.append(torch.cat([x.permute(2, 0, 1), empty]))
    assert (p < 0.2) == leaves_out(how.presence, how)
    W.requires_grad_(), b.requires_grad_()
    x = torch.cat(whole)
    wanted = importance_weighted_mse(x, reconstruct(x, W, b), how.importances)
    torch.testing.assert_close(losses, wanted.detach())
    wanted.sum().backward()
    torch.testing.assert_close(gradient[:, :-1].transpose(1, 2), W.grad, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(gradient[:, -1], b.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_the_step_is_adamw(schedule: str) -> None:
    how = config(schedule=schedule, n_steps=30, weight_decay=0.1, learning_rate=0.01)
    W, b = begin(how)
    toys = fast.FastToys(W, b, how, slice(0, None), np.random.SeedSequence(1))
    wanted = torch.nn.Parameter(toys.weights.clone())
    optimiser = torch.optim.AdamW([wanted], weight_decay=0.1)
    random = torch.Generator().manual_seed(0)
    for step in range(30):
        gradient = torch.randn(wanted.shape, generator=random) * 10.0 ** (-step / 3)
        toys.update(gradient)
        wanted.grad = gradient
        optimiser.param_groups[0]["lr"] = how.rate(step)
        optimiser.step()
    torch.testing.assert_close(toys.weights, wanted.detach())
    assert how.rate(0) == 0.01
    assert how.rate(29) == pytest.approx(0.01 if schedule == "constant" else 1e-4)


def test_it_is_the_same_with_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast, "BLOCK", 5 * 64)
    how = config(n_steps=25, look_every=10)
    assert len(fast.Workers(*begin(how), how).blocks) == 3
    before, runs = torch.get_num_threads(), []
    for n_threads in (1, 2):
        torch.set_num_threads(n_threads)
        try:
            runs.append(train(how))
            assert torch.get_num_threads() == n_threads
        finally:
            torch.set_num_threads(before)
    one, two = runs
    assert torch.equal(one.W, two.W) and torch.equal(one.b, two.b)
    assert torch.equal(one.losses, two.losses) and one.steps.tolist() == [10, 20, 25]
    assert not torch.equal(train(replace(how, seed=4)).W, one.W)


def test_instances_that_leave_out_samples_share_a_block_of_the_same_size() -> None:
    dense = config(n_features=100, importance=None, probabilities=(0.5,) * 6, batch=1024)
    rare = replace(dense, probabilities=(0.001,) * 30)
    blocks = [[len(b.presence) for b in fast.Workers(*begin(c), c).blocks] for c in (dense, rare)]
    assert blocks == [[2, 2, 2], [26, 4]]


def test_training_learns_and_reports() -> None:
    heard, seen = [], {}
    how = ToyConfig(4, 2, (0.05, 1.0), n_steps=600, learning_rate=0.01, look_every=150)
    run = train(
        how,
        progress=lambda *report: heard.append(report),
        watch=lambda step, W, b: seen.update({step: (W, b)}),
    )
    assert list(seen) == [0, 150, 300, 450, 600] and torch.equal(seen[600][0], run.W)
    assert torch.equal(seen[0][0], begin(how)[0])
    assert [(step, n) for step, n, _ in heard] == [(s, 600) for s in (150, 300, 450, 600)]
    assert heard[-1][2] == {"loss": pytest.approx(run.losses[-1].mean().item())}
    losses = evaluate(run.W, run.b, how)
    assert (losses < 0.5 * evaluate(*begin(how), how)).all()
    assert run.losses[-1].tolist() == pytest.approx(losses.tolist(), rel=0.5)


def test_an_interrupt_keeps_what_was_learnt(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(step: int, _n: int, _metrics: dict[str, float]) -> None:
        if step == 20:
            raise KeyboardInterrupt

    how = config(n_steps=50, look_every=10)
    run = train(how, progress=interrupt)
    assert run.steps.tolist() == [10, 20] and run.losses.shape == (2, 3)
    assert torch.equal(run.W, train(replace(how, n_steps=20)).W)
    assert "Stopped after 20 of 50 steps" in capsys.readouterr().out


def test_an_interrupt_at_work_stops_all_blocks(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    update = fast.FastToys.update

    def interrupted(toys: fast.FastToys, gradient: Tensor) -> None:
        update(toys, gradient)
        if toys.n_steps == 7:
            raise KeyboardInterrupt

    monkeypatch.setattr(fast.FastToys, "update", interrupted)
    run = train(config(n_steps=50))
    assert run.losses.shape == (0, 3) and not torch.equal(run.W, begin(config())[0])
    assert "Stopped after 0 of 50" in capsys.readouterr().out


def test_evaluation_is_the_plain_loss_and_fair_to_instances_alike() -> None:
    how = config(probabilities=(0.4, 0.1, 0.4))
    W, b = begin(how)
    b = b + 0.05
    W[2], b[2] = W[0], b[0]
    losses = evaluate(W, b, how, n_samples=30_000)
    assert losses[0] == pytest.approx(losses[2].item(), rel=1e-6)
    x = sparse_features(100_000, how.presence, seed=1)
    wanted = importance_weighted_mse(x, reconstruct(x, W, b), how.importances)
    assert losses.tolist() == pytest.approx(wanted.tolist(), rel=0.03)


def test_weights_begin_as_wide_whatever_trains_beside_them() -> None:
    few, many = (ToyConfig(40, 10, (0.1,) * n) for n in (1, 30))
    for how in (few, many):
        W, b = begin(how)
        assert W.std().item() == pytest.approx((2 / 50) ** 0.5, rel=0.1) and not b.any()
