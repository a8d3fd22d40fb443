"""Fourier analysis, held against complex exponentials, least squares and hand-made models."""

import doctest
import math

import pytest
import torch
from torch import Tensor

from mechcourse import fourier
from mechcourse.modular import exact_cross_entropy, sums

P = 13
A, B = torch.meshgrid(torch.arange(P), torch.arange(P), indexing="ij")


def angle(k: int, numbers: Tensor) -> Tensor:
    return 2 * math.pi * k * numbers.double() / P


def rotated(amplitudes: dict[int, float]) -> Tensor:
    """The logits of a perfect Clock: a sum of cos w_k (a + b - c)."""
    offset = A[..., None] + B[..., None] - torch.arange(P)
    return sum(size * angle(k, offset).cos() for k, size in amplitudes.items())


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).double()


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(fourier).failed == 0


@pytest.mark.parametrize("p", [3, 13, 113])
def test_the_basis_is_orthonormal_and_in_order(p: int) -> None:
    basis = fourier.fourier_basis(p)
    torch.testing.assert_close(basis @ basis.T, torch.eye(p).double())
    power = torch.fft.rfft(basis).abs().square()
    assert power.argmax(dim=1).tolist() == [0] + [k for k in range(1, p // 2 + 1) for _ in "cs"]
    if p > 5:
        assert basis[3, 0] == pytest.approx(math.sqrt(2 / p)) and basis[4, 0] == 0
        assert basis[4, 1] > 0, "sin, not minus sin"


@pytest.mark.parametrize("p", [1, 2, 114])
def test_an_even_p_is_refused(p: int) -> None:
    with pytest.raises(ValueError, match=f"p must be odd and at least 3, got {p}"):
        fourier.fourier_basis(p)


def test_norms_and_shares_are_those_of_the_fast_fourier_transform() -> None:
    table = noise(P, 5)
    power = torch.fft.rfft(table, dim=0).abs().square().sum(dim=1)
    shares = fourier.frequency_shares(table)
    torch.testing.assert_close(shares, power[1:] / power[1:].sum())
    energies = fourier.fourier_norms(table).square()
    assert energies.sum().item() == pytest.approx(table.square().sum().item())
    assert energies[0].item() == pytest.approx(power[0].item() / P)
    assert not fourier.frequency_shares(torch.full((P, 2), 3.0)).any()


def test_key_frequencies_are_large_beside_the_largest() -> None:
    table = angle(2, torch.arange(P)).cos()[:, None] * torch.tensor([3.0, 4.0])
    table = table + 1.3 * angle(5, torch.arange(P)).sin()[:, None] * torch.tensor([1.0, 0.0])
    assert fourier.key_frequencies(table) == [2, 5]
    assert fourier.key_frequencies(table, threshold=0.3) == [2]
    assert fourier.key_frequencies(1e-3 * table) == [2, 5], "whatever the scale"
    assert fourier.key_frequencies(torch.ones(P, 2)) == []
    assert len(fourier.key_frequencies(noise(P, 40))) == P // 2


def test_two_dimensions_are_one_after_the_other() -> None:
    table, basis = noise(P, P, 2), fourier.fourier_basis(P)
    found = fourier.fourier_2d(table)
    for i, j, n in ((0, 0, 0), (1, 2, 1), (5, 4, 0), (12, 0, 1)):
        expected = (basis[i][:, None] * basis[j] * table[..., n]).sum()
        assert found[i, j, n].item() == pytest.approx(expected.item())


def test_gini() -> None:
    assert fourier.gini(torch.ones(56)) == pytest.approx(0)
    five = torch.zeros(56)
    five[[3, 9, 20, 33, 50]] = 2.0
    assert fourier.gini(five) == pytest.approx(0.911, abs=1e-3)
    sizes = noise(30).abs()
    gaps = (sizes[:, None] - sizes).abs().sum() / (2 * 30**2 * sizes.mean())
    assert fourier.gini(sizes) == pytest.approx(gaps.item())
    assert fourier.gini(torch.zeros(5)) == 0


def test_a_neuron_s_explained_variance_is_that_of_least_squares() -> None:
    activations = torch.stack(
        [
            (angle(3, A).cos() + angle(3, B).cos()).relu(),
            2 + angle(4, A).cos() * angle(4, B).sin() + angle(4, B).cos(),
            noise(P, P),
            torch.full((P, P), 0.3).double(),
        ],
        dim=-1,
    )
    found = fourier.neuron_fve(activations)
    assert found.shape == (P // 2, 4)
    assert found[3, 1].item() == pytest.approx(1)
    assert not found[:, 3].any()
    for k in range(1, P // 2 + 1):
        of = [[torch.ones(P, P).double(), angle(k, x).cos(), angle(k, x).sin()] for x in (A, B)]
        design = torch.stack([(u * v).flatten() for u in of[0] for v in of[1]], dim=1)
        for n in range(3):
            y = activations[..., n].flatten()[:, None]
            rest = y - design @ torch.linalg.lstsq(design, y).solution
            fve = 1 - rest.square().sum() / (y - y.mean()).square().sum()
            assert found[k - 1, n].item() == pytest.approx(fve.item(), abs=1e-9)


def test_the_neuron_logit_map_is_centred() -> None:
    W_out, W_U = noise(6, 4), noise(4, P) + 1
    found = fourier.neuron_logit_map(W_out, W_U)
    torch.testing.assert_close(found.softmax(dim=1), (W_out @ W_U).softmax(dim=1))
    assert found.sum(dim=1).abs().max() < 1e-12


def test_the_residual_is_what_the_waves_do_not_reach() -> None:
    table = 3 * angle(2, torch.arange(P)).cos() + 4 * angle(5, torch.arange(P) + 3).cos()
    assert fourier.residual_share(table, [2, 5]) == pytest.approx(0, abs=1e-12)
    assert fourier.residual_share(table, [2]) == pytest.approx(0.8)
    assert fourier.residual_share(table, []) == pytest.approx(1)


def test_the_cosine_fit_is_least_squares() -> None:
    logits = rotated({2: 3.0, 5: -1.5}) + 0.5 * noise(P, P, P) + 7
    amplitudes, explained = fourier.cosine_fit(logits, [2, 5, 6])
    y = (logits - logits.mean(dim=-1, keepdim=True)).flatten()[:, None]
    design = torch.stack([rotated({k: 1.0}).flatten() for k in (2, 5, 6)], dim=1)
    wanted = torch.linalg.lstsq(design, y).solution
    torch.testing.assert_close(amplitudes, wanted[:, 0])
    rest = (y - design @ wanted).square().sum() / y.square().sum()
    assert explained == pytest.approx(1 - rest.item())
    assert fourier.cosine_fit(rotated({2: 3.0}), [2])[1] == pytest.approx(1)


def test_the_part_of_the_sums_is_what_depends_on_a_plus_b_at_these_frequencies() -> None:
    clock, other = rotated({2: 3.0, 5: 1.0}), angle(2, A - B)[..., None].cos() * noise(P)
    torch.testing.assert_close(fourier.sum_part(clock + other, [2, 5]), clock)
    torch.testing.assert_close(fourier.sum_part(clock + other, [2]), rotated({2: 3.0}))
    waves = fourier.sum_waves(P, [1, 4]).flatten(1)
    torch.testing.assert_close(waves @ waves.T, torch.eye(4).double())
    assert fourier.sum_waves(P, []).shape == (0, P, P)
    logits = noise(P, P, P)
    by_sum = torch.stack([logits[s == (A + B) % P].mean(dim=0) for s in range(P)])
    whole = by_sum[(A + B) % P] - logits.mean(dim=(0, 1))
    torch.testing.assert_close(fourier.sum_part(logits, range(1, P // 2 + 1)), whole)


def test_restricted_and_excluded_together_are_the_logits_and_their_mean() -> None:
    logits = noise(P, P, P) + torch.arange(P)
    both = fourier.restricted_logits(logits, [2, 3]) + fourier.excluded_logits(logits, [2, 3])
    torch.testing.assert_close(both, logits + logits.mean(dim=(0, 1)))


def test_losses_of_a_clock_that_has_memorised_some_pairs_too() -> None:
    pairs = torch.tensor([[0, 1], [7, 9], [12, 12]])
    memory = torch.zeros(P, P, P).double()
    memory[pairs[:, 0], pairs[:, 1], sums(pairs, P)] = 6.0
    clock = rotated({2: 9.0, 5: 9.0})
    assert fourier.loss_on(clock + memory) == pytest.approx(
        exact_cross_entropy((clock + memory).flatten(0, 1), (A + B).flatten() % P).mean().item()
    )
    assert fourier.excluded_loss(clock + memory, [2, 5], pairs) < 0.1
    assert fourier.excluded_loss(clock, [2, 5], pairs) == pytest.approx(math.log(P))
    assert fourier.excluded_loss(clock, [2], pairs) > fourier.loss_on(clock, pairs)
    assert fourier.restricted_loss(clock + memory, [2, 5]) < 1e-2
    assert fourier.restricted_loss(memory, [2, 5], pairs) > 1


def test_distance_irrelevance_tells_a_pizza_from_what_does_not_care() -> None:
    pizza = rotated({3: 5.0}) * angle(3, A - B)[..., None].div(2).cos().abs()
    assert fourier.distance_irrelevance(pizza) == pytest.approx(0, abs=1e-6)
    by_sum = rotated({3: 5.0}) * (1 + ((A + B) % P)[..., None])
    assert fourier.distance_irrelevance(by_sum) == pytest.approx(1)
    assert fourier.distance_irrelevance(torch.zeros(P, P, P)) == 1
    slow = noise(P, P, P)
    right = {(a, b): slow[a, b, (a + b) % P].item() for a in range(P) for b in range(P)}
    spread = lambda values: torch.tensor(values).double().std(correction=0).item()  # noqa: E731
    of = [[right[(b + d) % P, b] for b in range(P)] for d in range(P)]
    expected = sum(map(spread, of)) / P / spread(list(right.values()))
    assert fourier.distance_irrelevance(slow) == pytest.approx(expected)
