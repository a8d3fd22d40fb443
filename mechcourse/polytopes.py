"""Names for the shapes that the features of a toy model take up, told by their angles.

Only the cosines between the features count, so a shape has its name however it is turned, reflected
or numbered, and however long its rows are. Source: Elhage et al., Toy Models of Superposition
(2022), section 4.
"""

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from mechcourse.geometry import gram

MOST_CORNERS = 12
TOLERANCE = 0.1  # of a cosine
UNRELATED = 0.2  # two features with a cosine below this, either way, don't share a dimension


def polygon(n: int) -> Float[Tensor, "corner 2"]:
    """The corners of a regular polygon, on the unit circle."""
    angles = 2 * math.pi * torch.arange(n, dtype=torch.float64) / n
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def simplex(dimensions: int) -> Float[Tensor, "corner dimension"]:
    """One corner more than dimensions, all equally far from each other, on the unit sphere."""
    n = dimensions + 1
    centred = torch.eye(n, dtype=torch.float64) - 1 / n
    values, vectors = torch.linalg.eigh(centred)
    corners = vectors[:, values > 0.5]
    return corners / corners.norm(dim=1, keepdim=True)


def tegum(*parts: Float[Tensor, "_ _"]) -> Float[Tensor, "corner dimension"]:
    """The tegum product: shapes in spaces at right angles to each other, taken together.

    >>> tegum(polygon(3), simplex(1)).shape  # a triangular bipyramid
    torch.Size([5, 3])
    """
    return torch.block_diag(*parts)


def _cube(turn: float) -> Float[Tensor, "corner 3"]:
    """Two squares above each other, the upper one turned."""
    square = polygon(4) * math.sqrt(2 / 3)
    c, s = math.cos(turn), math.sin(turn)
    upper = square @ torch.tensor([[c, s], [-s, c]], dtype=torch.float64)
    height = torch.full((4, 1), math.sqrt(1 / 3), dtype=torch.float64)
    return torch.cat([torch.cat([square, -height], dim=1), torch.cat([upper, height], dim=1)])


def _icosahedron() -> Float[Tensor, "corner 3"]:
    golden = (1 + math.sqrt(5)) / 2
    signs = [(a, b) for a in (-1.0, 1.0) for b in (-golden, golden)]
    corners = [turn for a, b in signs for turn in ((0, a, b), (a, b, 0), (b, 0, a))]
    found = torch.tensor(corners, dtype=torch.float64)
    return found / found.norm(dim=1, keepdim=True)


DIGON = simplex(1)
POLYTOPES: dict[str, Float[Tensor, "corner dimension"]] = {
    "single": torch.ones(1, 1, dtype=torch.float64),
    "digon": DIGON,
    "triangle": polygon(3),
    "square": polygon(4),
    "pentagon": polygon(5),
    "hexagon": polygon(6),
    "heptagon": polygon(7),
    "octagon": polygon(8),
    "tetrahedron": simplex(3),
    "triangular bipyramid": tegum(polygon(3), DIGON),
    "octahedron": tegum(DIGON, DIGON, DIGON),
    "pentagonal bipyramid": tegum(polygon(5), DIGON),
    "square antiprism": _cube(math.pi / 4),
    "cube": _cube(0.0),
    "icosahedron": _icosahedron(),
    "5-cell": simplex(4),
    "16-cell": tegum(DIGON, DIGON, DIGON, DIGON),
}


def name_polytope(
    directions: Float[Tensor, "feature hidden"], tolerance: float = TOLERANCE
) -> str | None:
    """The name of the shape that some features take up together, or None if it has none here.

    All cosines have to be those of the named shape, each within the tolerance, in some order of
    the features. A cube and a square antiprism are told apart, though their features have the same
    dimensionality, 3/8. A square is two digons at right angles, an octahedron three, a 16-cell
    four: those are the same thing, and are named as what they are together. To name them one by
    one, see `factors`.

    Raises:
        ValueError: a feature is dead: it has no direction.

    >>> name_polytope(torch.tensor([[0.0, 2.0], [0.87, -0.5], [-0.87, -0.5]]))
    'triangle'
    """
    if not 1 <= len(directions) <= MOST_CORNERS:
        return None
    cosines = gram(directions.double())
    if (cosines.diagonal() == 0).any():
        raise ValueError("a dead feature has no direction")
    for name, corners in POLYTOPES.items():
        if len(corners) == len(directions) and _alike(cosines, gram(corners), tolerance):
            return name
    return None


def clusters(W: Float[Tensor, "feature hidden"], threshold: float = UNRELATED) -> list[list[int]]:
    """Features that share dimensions, directly or through others; dead ones are in no cluster.

    Two features are joined where their cosine is beyond the threshold, either way. Ascending, by
    the first feature of each.

    >>> clusters(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.05], [0.0, 0.0]]))
    [[0, 2], [1]]
    """
    joined = gram(W).abs() > threshold
    alive = joined.diagonal().tolist()
    left = [i for i, is_alive in enumerate(alive) if is_alive]
    found = []
    while left:
        cluster, edge = {left[0]}, [left[0]]
        while edge:
            near = set(joined[edge.pop()].nonzero().flatten().tolist()) - cluster
            cluster |= near
            edge += near
        found.append(sorted(cluster))
        left = [i for i in left if i not in cluster]
    return found


def factors(
    W: Float[Tensor, "feature hidden"],
    *,
    threshold: float = UNRELATED,
    tolerance: float = TOLERANCE,
) -> list[tuple[str | None, list[int]]]:
    """The tegum factors that a model's features fall into, each with its name and its features.

    >>> [name for name, _ in factors(tegum(polygon(3), DIGON, torch.ones(1, 1).double()))]
    ['triangle', 'digon', 'single']
    """
    return [(name_polytope(W[found], tolerance), found) for found in clusters(W, threshold)]


def _alike(
    found: Float[Tensor, "feature feature"],
    template: Float[Tensor, "feature feature"],
    tolerance: float,
) -> bool:
    """Whether an order of the features brings every cosine within the tolerance of the template."""
    # Sorted rows screen: with the right order each row's cosines are near a row's of the template.
    rows, wanted = found.sort(dim=1).values, template.sort(dim=1).values
    fits = ((rows[:, None] - wanted[None]).abs() <= tolerance).all(dim=2)
    if not (fits.any(dim=0).all() and fits.any(dim=1).all()):
        return False
    candidates = [row.nonzero().flatten().tolist() for row in fits]
    return (
        next(_orders(found.tolist(), template.tolist(), candidates, [], tolerance), None)
        is not None
    )


def _orders(
    found: list[list[float]],
    template: list[list[float]],
    candidates: list[list[int]],
    placed: list[int],
    tolerance: float,
) -> Iterator[list[int]]:
    """Corners of the template for the features in turn, going back where a cosine does not fit."""
    i = len(placed)
    if i == len(found):
        yield placed
        return
    for corner in candidates[i]:
        if corner not in placed and all(
            abs(found[i][j] - template[corner][other]) <= tolerance
            for j, other in enumerate(placed)
        ):
            yield from _orders(found, template, candidates, [*placed, corner], tolerance)
