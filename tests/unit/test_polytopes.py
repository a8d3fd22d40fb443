"""Names of shapes: every one is told, however turned and numbered; what is none gets none."""

import doctest

import pytest
import torch
from torch import Tensor

from mechcourse import polytopes
from mechcourse.geometry import gram
from mechcourse.polytopes import POLYTOPES, clusters, factors, name_polytope, polygon, tegum


def disguised(corners: Tensor, seed: int, noise: float = 0.0, extra: int = 2) -> Tensor:
    """Turned in a larger space, in another order, of other lengths, and a little off."""
    random = torch.Generator().manual_seed(seed)
    n, size = corners.shape[0], corners.shape[1] + extra
    wide = torch.cat([corners, torch.zeros(n, extra)], dim=1)
    turn = torch.linalg.qr(torch.randn(size, size, generator=random).double()).Q
    off = noise * torch.randn(n, size, generator=random).double()
    lengths = 0.7 + torch.rand(n, 1, generator=random).double()
    return ((wide @ turn + off) * lengths)[torch.randperm(n, generator=random)]


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(polytopes).failed == 0


@pytest.mark.parametrize("name", POLYTOPES)
def test_each_shape_has_its_name_in_every_disguise(name: str) -> None:
    for seed in range(4):
        assert name_polytope(disguised(POLYTOPES[name], seed)) == name
        assert name_polytope(disguised(POLYTOPES[name], seed, noise=0.01)) == name
        assert name_polytope(disguised(POLYTOPES[name], seed).float(), 1e-3) == name


def test_the_corners_are_on_the_unit_sphere_and_fill_their_space() -> None:
    for name, corners in POLYTOPES.items():
        torch.testing.assert_close(corners.norm(dim=1), torch.ones(len(corners)).double())
        assert torch.linalg.matrix_rank(corners) == corners.shape[1], name


def test_no_two_shapes_are_within_twice_the_tolerance() -> None:
    for one, corners in POLYTOPES.items():
        for other, others in POLYTOPES.items():
            if one < other and len(corners) == len(others):
                alike = polytopes._alike(gram(corners), gram(others), 3 * polytopes.TOLERANCE)
                assert not alike, (one, other)


def test_the_tolerance_is_of_the_worst_cosine() -> None:
    """Antipodes bent by 30°: the cosine is -0.87, which is 0.13 off."""
    bent = torch.tensor([[1.0, 0.0], [-(0.75**0.5), 0.5]])
    assert name_polytope(bent) is None
    assert name_polytope(bent, tolerance=0.14) == "digon"


def test_a_cube_is_told_from_a_square_antiprism_though_it_has_the_same_fractions() -> None:
    cube, antiprism = (disguised(POLYTOPES[name], 1, 0.02) for name in ("cube", "square antiprism"))
    assert name_polytope(cube) == "cube" and name_polytope(antiprism) == "square antiprism"


def test_the_antiprism_with_equal_edges_is_one_too() -> None:
    """Its squares are a little closer together; the named one has equal dimensionalities of 3/8."""
    wide = 1 / (1 + 2**0.5 / 4)
    corners = POLYTOPES["square antiprism"].clone()
    corners[:, :2] *= (wide / (2 / 3)) ** 0.5
    corners[:, 2] *= ((1 - wide) / (1 / 3)) ** 0.5
    assert name_polytope(corners, tolerance=0.15) == "square antiprism"


def test_digons_at_right_angles_are_a_shape_together_and_factors_apart() -> None:
    octahedron = disguised(POLYTOPES["octahedron"], 3)
    assert name_polytope(octahedron) == "octahedron"
    assert [name for name, _ in factors(octahedron)] == ["digon"] * 3
    # Three digons not at right angles are no octahedron.
    slanted = torch.tensor([[1.0, 0, 0], [0.4, 1, 0], [0, 0, 1]])
    assert name_polytope(torch.cat([slanted, -slanted])) is None


def test_what_has_no_name_gets_none() -> None:
    random = torch.Generator().manual_seed(0)
    assert name_polytope(torch.randn(0, 2)) is None
    assert name_polytope(torch.randn(13, 3, generator=random)) is None
    assert name_polytope(polygon(9)) is None
    assert name_polytope(torch.tensor([[1.0, 0.0], [0.9, 0.1]])) is None, "the same way, no digon"


@pytest.mark.parametrize(("n", "m"), [(3, 2), (4, 3), (5, 2), (5, 3), (8, 3)])
def test_random_directions_seldom_have_a_name(n: int, m: int) -> None:
    """The null: none of 300. But two features in one dimension are a digon every other time."""

    def names(n: int, m: int) -> list[str | None]:
        seeds = (torch.Generator().manual_seed(seed) for seed in range(300))
        drawn = (torch.randn(n, m, generator=seed) for seed in seeds)
        return [name_polytope(W / W.norm(dim=1, keepdim=True)) for W in drawn]

    assert sum(name is not None for name in names(n, m)) <= 1
    assert 0.4 <= names(2, 1).count("digon") / 300 <= 0.6


def test_a_dead_feature_has_no_direction() -> None:
    with pytest.raises(ValueError, match="a dead feature has no direction"):
        name_polytope(torch.tensor([[1.0, 0.0], [0.0, 0.0]]))


def test_clusters_join_through_others_and_leave_out_the_dead() -> None:
    chain = torch.tensor([[1.0, 0, 0], [0, 0, 0], [0.7, 0.7, 0], [0, 0, 2], [0, 1, 0]])
    assert clusters(chain) == [[0, 2, 4], [3]]
    assert clusters(chain, threshold=0.8) == [[0], [2], [3], [4]]
    assert clusters(torch.zeros(3, 2)) == []


def test_a_model_falls_into_its_factors() -> None:
    parts = ["pentagon", "tetrahedron", "digon", "single", "square antiprism", "digon"]
    together = tegum(*(POLYTOPES[name] for name in parts))
    W = disguised(together, 5, noise=0.01)
    found = factors(torch.cat([W, torch.zeros(2, W.shape[1])]))
    assert sorted(name or "" for name, _ in found) == sorted(parts)
    assert sorted(i for _, members in found for i in members) == list(range(len(W)))
