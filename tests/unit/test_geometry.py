"""How features lie, held against slow loops, shapes worked out by hand and brute force."""

import doctest

import pytest
import torch
from torch import Tensor

from mechcourse import geometry
from mechcourse.polytopes import POLYTOPES


def rows(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).double()


def turned(W: Tensor, seed: int = 7) -> Tensor:
    size = W.shape[-1]
    return W @ torch.linalg.qr(rows(size, size, seed=seed)).Q


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(geometry).failed == 0


def test_the_gram_matrix_has_cosines() -> None:
    W = rows(5, 3)
    W[2] = 0
    found = geometry.gram(W)
    for i in range(5):
        for j in range(5):
            wanted = 0.0 if 2 in (i, j) else torch.cosine_similarity(W[i], W[j], dim=0).item()
            assert found[i, j].item() == pytest.approx(wanted)


def test_dimensionality_is_that_of_a_slow_loop() -> None:
    W = rows(7, 3)
    found = geometry.feature_dimensionality(W)
    for i in range(7):
        shared = sum(float(W[i] @ W[j]) ** 2 for j in range(7)) / float(W[i] @ W[i])
        assert found[i].item() == pytest.approx(float(W[i] @ W[i]) / shared)


@pytest.mark.parametrize(
    ("name", "share"),
    {
        "single": 1,
        "digon": 1 / 2,
        "triangle": 2 / 3,
        "square": 1 / 2,
        "pentagon": 2 / 5,
        "tetrahedron": 3 / 4,
        "octahedron": 1 / 2,
        "cube": 3 / 8,
        "square antiprism": 3 / 8,
        "icosahedron": 1 / 4,
    }.items(),
)
def test_the_named_shapes_have_the_paper_s_fractions(name: str, share: float) -> None:
    found = geometry.feature_dimensionality(turned(0.8 * POLYTOPES[name]))
    torch.testing.assert_close(found, torch.full_like(found, share))


def test_a_product_of_shapes_keeps_each_one_s_fractions() -> None:
    found = geometry.feature_dimensionality(POLYTOPES["triangular bipyramid"])
    assert found.tolist() == pytest.approx([2 / 3] * 3 + [1 / 2] * 2)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (3, 5), (4, 4), (9, 2), (60, 30)])
def test_dimensionalities_never_add_up_to_more_than_there_is(n: int, m: int) -> None:
    for seed in range(5):
        W = rows(n, m, seed=seed) * rows(n, 1, seed=seed + 50).exp()
        found = geometry.feature_dimensionality(W)
        assert found.sum() <= min(n, m) + 1e-9 and (found <= 1 + 1e-9).all() and (found > 0).all()


def test_as_many_features_as_dimensions_at_right_angles_have_one_each() -> None:
    W = turned(torch.eye(4).double()) * torch.tensor([[0.3], [1.0], [1.0], [2.0]])
    assert geometry.feature_dimensionality(W).tolist() == pytest.approx([1] * 4)
    assert geometry.represented_and_superposed(W)[1].tolist() == pytest.approx([0] * 4)


def test_dead_features_have_nothing_and_take_nothing() -> None:
    alive = rows(4, 2)
    W = torch.cat([alive, torch.zeros(1, 2), torch.full((1, 2), 1e-5)]).double()
    found = geometry.feature_dimensionality(W)
    assert found[4:].tolist() == [0, 0]
    torch.testing.assert_close(found[:4], geometry.feature_dimensionality(alive))
    norms, superposed = geometry.represented_and_superposed(W)
    assert norms[4] == 0 and superposed[4] == 0 and superposed[5] == 0
    assert not geometry.feature_dimensionality(torch.zeros(3, 2)).any()
    assert geometry.dimensions_per_feature(torch.zeros(3, 2)) == float("inf")


def test_no_measure_sees_a_rotation_or_the_order_of_the_features() -> None:
    W, order = rows(6, 3), torch.tensor([3, 0, 5, 1, 2, 4])
    for measure in (
        geometry.feature_dimensionality,
        lambda W: geometry.represented_and_superposed(W)[1],
        lambda W: geometry.gram(W).square().sum(dim=1),
    ):
        torch.testing.assert_close(measure(turned(W)), measure(W))
        torch.testing.assert_close(measure(W[order]), measure(W)[order])
    torch.testing.assert_close(
        geometry.dimensions_per_feature(turned(W)), geometry.dimensions_per_feature(W)
    )


def test_superposition_is_that_of_a_slow_loop() -> None:
    W = rows(5, 2)
    norms, found = geometry.represented_and_superposed(W)
    for i in range(5):
        unit = W[i] / norms[i]
        wanted = sum(float(unit @ W[j]) ** 2 for j in range(5) if j != i)
        assert found[i].item() == pytest.approx(wanted)


def test_many_instances_are_one_after_the_other() -> None:
    W = rows(2, 3, 6, 4)
    for measure in (
        geometry.gram,
        geometry.feature_dimensionality,
        geometry.dimensions_per_feature,
        lambda W: geometry.represented_and_superposed(W)[1],
    ):
        torch.testing.assert_close(measure(W)[1, 2], measure(W[1, 2]))


def test_the_null_keeps_norms_and_loses_directions() -> None:
    W = turned(torch.eye(6).double().repeat(2, 1)) * (1 + torch.arange(12).double()[:, None])
    drawn = geometry.random_directions(W, seed=1)
    torch.testing.assert_close(drawn.norm(dim=1), W.norm(dim=1))
    assert torch.equal(drawn, geometry.random_directions(W, seed=1))
    assert not torch.allclose(drawn, geometry.random_directions(W, seed=2))
    off = geometry.gram(drawn)[~torch.eye(12, dtype=torch.bool)]
    assert off.abs().max() < 0.95 and abs(off.mean()) < 0.1
    assert not geometry.random_directions(torch.zeros(2, 3), 0).nan_to_num(0).any()


def test_random_directions_look_like_polytopes_a_third_of_the_time() -> None:
    """The null of the sticky fractions: 60 unit vectors in 30 dimensions, as in the paper."""
    fractions = torch.tensor([1, 3 / 4, 2 / 3, 1 / 2, 2 / 5, 3 / 8])
    W = torch.ones(60, 30) / 30**0.5
    shares = []
    for seed in range(20):
        found = geometry.feature_dimensionality(geometry.random_directions(W, seed))
        shares.append(((found[:, None] - fractions).abs().amin(dim=1) <= 0.02).float().mean())
    assert 0.25 <= torch.stack(shares).mean() <= 0.4


def test_dedicated_features_lose_what_is_pushed() -> None:
    W = torch.eye(4).double()[:, :3]
    x = torch.rand(50, 4, generator=torch.Generator().manual_seed(0)).double() * 0.5 + 0.2
    x[:, 3] = 0
    for radius in (0.05, 0.1):
        found = geometry.adversarial_vulnerability(W, torch.zeros(4).double(), x, radius=radius)
        assert found == pytest.approx(1, abs=1e-6)


def test_antipodes_lose_what_algebra_says() -> None:
    """With 1 and -1, x = (1, 0): a push along (1, -1)/√2 of length r comes out as 2r/√2, of 1."""
    W, b = torch.tensor([[1.0], [-1.0]]).double(), torch.zeros(2).double()
    x = torch.tensor([[1.0, 0.0]]).double()
    assert geometry.adversarial_vulnerability(W, b, x, radius=0.1) == pytest.approx(2, abs=1e-6)
    # Where nothing is present, the same push comes out of one of them only: no worse.
    nothing = geometry.adversarial_vulnerability(W, b, torch.zeros(1, 2).double(), radius=0.1)
    assert nothing == pytest.approx(2, abs=1e-6)


def test_no_random_push_is_worse_than_the_one_that_is_found() -> None:
    W, b = rows(8, 3) / 3**0.5, 0.1 * rows(8, seed=3)
    x = rows(5, 8, seed=4).clamp(min=0, max=1)
    found = geometry.adversarial_vulnerability(W, b, x, radius=0.2)
    push = rows(20_000, 1, 8, seed=5)
    push *= 0.2 / push.norm(dim=2, keepdim=True)

    def loss(inputs: Tensor) -> Tensor:
        return ((inputs @ W @ W.T + b).relu() - x).square().sum(dim=-1)

    best = (loss(x + push).amax(dim=0) - loss(x)).mean() / 0.2**2
    assert best * 0.999 <= found <= best * 1.5
    more = geometry.adversarial_vulnerability(W, b, x, radius=0.2, n_starts=64, seed=1)
    assert found == pytest.approx(more, rel=0.01)


def test_bias_alone_is_attacked_too_and_a_model_that_is_off_is_not() -> None:
    W = torch.tensor([[1.0], [-1.0]]).double()
    off = torch.full((2,), -5.0).double()
    x = torch.tensor([[1.0, 0.0]]).double()
    assert geometry.adversarial_vulnerability(W, off, x) == 0
