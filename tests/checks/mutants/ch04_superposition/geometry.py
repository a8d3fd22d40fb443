"""Wrong answers to `ch04_superposition/2_geometry.ipynb`, with words a check must say."""

import math
from functools import partial

import torch

from mechcourse import geometry, polytopes
from tests.checks.harness import wrong

# ------------------------------------------------------------------ represented_and_superposed


def table(W):
    unit = W / W.norm(dim=1, keepdim=True).clamp(min=0.01)
    return (unit @ W.T).square()


def living(W, values):
    return torch.where(W.norm(dim=1) >= 0.01, values, 0.0)


@wrong("represented_and_superposed", "this is what the exercise asks you to write")
def both_by_the_library(W):
    return geometry.represented_and_superposed(W)


@wrong("represented_and_superposed", "the feature itself was counted with the others")
def both_with_itself(W):
    return W.norm(dim=1), living(W, table(W).sum(dim=1))


@wrong("represented_and_superposed", "both rows were brought to length 1")
def both_by_cosines(W):
    unit = W / W.norm(dim=1, keepdim=True).clamp(min=1e-9)
    onto = (unit @ unit.T).square()
    return W.norm(dim=1), living(W, onto.sum(dim=1) - onto.diagonal())


@wrong("represented_and_superposed", "the others were brought to length 1")
def both_along_the_others(W):
    unit = W / W.norm(dim=1, keepdim=True).clamp(min=1e-9)
    onto = (W @ unit.T).square()
    return W.norm(dim=1), living(W, onto.sum(dim=1) - onto.diagonal())


@wrong("represented_and_superposed", "no row was brought to length 1")
def both_by_products(W):
    onto = (W @ W.T).square()
    return W.norm(dim=1), living(W, onto.sum(dim=1) - onto.diagonal())


@wrong("represented_and_superposed", "the products were not squared")
def both_by_sizes(W):
    onto = table(W).sqrt()
    return W.norm(dim=1), living(W, onto.sum(dim=1) - onto.diagonal())


@wrong("represented_and_superposed", "norms were squared")
def both_with_squared_norms(W):
    onto = table(W)
    return W.square().sum(dim=1), living(W, onto.sum(dim=1) - onto.diagonal())


@wrong("represented_and_superposed", "a dead feature has no direction")
def both_for_the_dead_too(W):
    unit = W / W.norm(dim=1, keepdim=True).clamp(min=1e-12)
    onto = (unit @ W.T).square()
    return W.norm(dim=1), onto.sum(dim=1) - onto.diagonal()


@wrong("represented_and_superposed", "feature")
def both_without_care(W):
    unit = W / W.norm(dim=1, keepdim=True)
    onto = (unit @ W.T).square()
    return W.norm(dim=1), onto.sum(dim=1) - onto.diagonal()


@wrong("represented_and_superposed", "not the square of its length")
def both_with_squares_below_the_limit(W):
    onto = table(W)
    alive = W.square().sum(dim=1) >= 0.01
    return W.norm(dim=1), torch.where(alive, onto.sum(dim=1) - onto.diagonal(), 0.0)


@wrong("represented_and_superposed", "not its largest entry")
def both_with_entries_below_the_limit(W):
    onto = table(W)
    alive = W.abs().amax(dim=1) >= 0.01
    return W.norm(dim=1), torch.where(alive, onto.sum(dim=1) - onto.diagonal(), 0.0)


@wrong("represented_and_superposed", "it returns norms and overlaps")
def both_as_one(W):
    return W.norm(dim=1)


# ----------------------------------------------------------------------- feature_dimensionality


@wrong("feature_dimensionality", "shorter than 0.01")
def dimensionality_of_all_but_0(W):
    W = W.double()
    norms = W.norm(dim=1)
    unit = W / norms.clamp(min=1e-9)[:, None]
    return norms.square() / (unit @ W.T).square().sum(dim=1).clamp(min=1e-18)


@wrong("feature_dimensionality", "not the square of its length")
def share_of_squares_above_the_limit(W):
    squares = W.square().sum(dim=1)
    return torch.where(squares >= 0.01, squares / table(W).sum(dim=1).clamp(min=1e-12), 0.0)


@wrong("feature_dimensionality", "a floor that is too high")
def share_over_a_high_floor(W):
    return living(W, W.square().sum(dim=1) / table(W).sum(dim=1).clamp(min=1e-2))


@wrong("feature_dimensionality", "this is what the exercise asks you to write")
def share_by_the_library(W):
    return geometry.feature_dimensionality(W)


@wrong("feature_dimensionality", "the norm was not squared")
def share_of_norms(W):
    return living(W, W.norm(dim=1) / table(W).sum(dim=1).clamp(min=1e-12))


@wrong("feature_dimensionality", "the feature itself is missing from the sum")
def share_of_the_others(W):
    onto = table(W)
    others = onto.sum(dim=1) - onto.diagonal()
    return living(W, W.square().sum(dim=1) / others.clamp(min=1e-12))


@wrong("feature_dimensionality", "all rows were brought to length 1")
def share_by_cosines(W):
    unit = W / W.norm(dim=1, keepdim=True).clamp(min=1e-9)
    return living(W, 1 / (unit @ unit.T).square().sum(dim=1).clamp(min=1e-12))


@wrong("feature_dimensionality", "the ratio is upside down")
def share_upside_down(W):
    return living(W, table(W).sum(dim=1) / W.square().sum(dim=1).clamp(min=1e-12))


@wrong("feature_dimensionality", "all rows were brought to length 1")
def share_over_the_wrong_axis(W):
    onto = (W / W.norm(dim=1, keepdim=True).clamp(min=1e-9) @ W.T).square()
    return living(W, W.square().sum(dim=1) / onto.sum(dim=0).clamp(min=1e-12))


@wrong("feature_dimensionality", "made to add up to 1")
def share_of_all(W):
    shares = living(W, W.square().sum(dim=1) / table(W).sum(dim=1).clamp(min=1e-12))
    return shares / shares.sum()


@wrong("feature_dimensionality", "feature")
def share_of_the_dead(W):
    unit = W / W.norm(dim=1, keepdim=True)
    return W.square().sum(dim=1) / (unit @ W.T).square().sum(dim=1)


# ----------------------------------------------------------------------- dimensions_per_feature


@wrong("dimensions_per_feature", "this is what the exercise asks you to write")
def per_feature_by_the_library(W):
    return geometry.dimensions_per_feature(W).item()


@wrong("dimensions_per_feature", "the number of features was taken")
def per_feature_of_features(W):
    return len(W) / W.square().sum().item()


@wrong("dimensions_per_feature", "the norm was not squared")
def per_feature_by_the_norm(W):
    return W.shape[1] / W.norm().item()


@wrong("dimensions_per_feature", "the ratio is upside down")
def per_feature_upside_down(W):
    return W.square().sum().item() / W.shape[1]


@wrong("dimensions_per_feature", "features were counted")
def per_feature_by_count(W):
    n = int((W.norm(dim=1) >= 0.01).sum())
    return W.shape[1] / n if n else math.inf


@wrong("dimensions_per_feature", "norms were added up")
def per_feature_by_lengths(W):
    total = W.norm(dim=1).sum().item()
    return W.shape[1] / total if total else math.inf


@wrong("dimensions_per_feature", "the mean of the squares was taken")
def per_feature_on_average(W):
    return W.shape[1] / W.square().mean().item()


@wrong("dimensions_per_feature", "rows shorter than 0.01 were left out")
def per_feature_of_the_living(W):
    total = W[W.norm(dim=1) >= 0.01].square().sum().item()
    return W.shape[1] / total if total else math.inf


@wrong("dimensions_per_feature", "finite where W is small")
def per_feature_of_small_things(W):
    total = W.square().sum().item()
    return W.shape[1] / total if total > 1e-6 else math.inf


@wrong("dimensions_per_feature", "ZeroDivisionError")
def per_feature_of_nothing(W):
    return W.shape[1] / W.square().sum().item()


# ------------------------------------------------------------------------------ name_polytope


NAMES = {
    2: "digon",
    3: "triangle",
    4: "tetrahedron",
    5: "pentagon",
    6: "octahedron",
    8: "cube",
}


def cosines(W):
    W = W.double()
    unit = W / W.norm(dim=1, keepdim=True)
    return unit @ unit.T


def sorted_cosines(W):
    upper = torch.triu_indices(len(W), len(W), 1)
    return cosines(W)[upper[0], upper[1]].sort().values


@wrong("name_polytope", "this is what the exercise asks you to write")
def name_by_the_library(directions, *, tolerance):
    return polytopes.name_polytope(directions, tolerance) or "none"


@wrong("name_polytope", "by the number of its features")
def name_by_count(directions, *, tolerance):
    return NAMES.get(len(directions), "none")


@wrong("name_polytope", "in some order of the features")
def name_of_none(directions, *, tolerance):
    return "none"


@wrong("name_polytope", "by a mean")
def name_by_dimensionality(directions, *, tolerance):
    c = cosines(directions)
    share = (1 / c.square().sum(dim=1)).mean().item()
    known = {"triangle": 2 / 3, "pentagon": 0.4, "tetrahedron": 0.75, "cube": 0.375, "digon": 0.5}
    close = [n for n, d in known.items() if abs(d - share) < 0.05]
    return close[0] if close else "none"


@wrong("name_polytope", "told from all others")
def name_by_the_mean_cosine(directions, *, tolerance):
    mean = sorted_cosines(directions).mean().item()
    known = {2: -1, 3: -0.5, 4: -1 / 3, 5: -0.25, 6: -0.2, 8: -1 / 7}
    fits = abs(mean - known.get(len(directions), 9)) <= tolerance
    return NAMES[len(directions)] if fits else "none"


@wrong("name_polytope", "told from all others")
def name_with_a_tolerance_of_its_own(directions, *, tolerance):
    n, c = len(directions), sorted_cosines(directions)
    if n not in NAMES:
        return "none"
    found = {
        2: [-1.0],
        3: [-0.5] * 3,
        4: [-1 / 3] * 4 + [-1 / 3] * 2,
        5: [-0.809] * 5 + [0.309] * 5,
        6: [-1.0] * 3 + [0.0] * 12,
    }
    if n == 8:
        anti = torch.tensor([-0.805] * 8 + [-1 / 3] * 4 + [0.138] * 8 + [1 / 3] * 8)
        box = torch.tensor([-1.0] * 4 + [-1 / 3] * 12 + [1 / 3] * 12)
        if (c - box.sort().values).abs().max() < 0.35:
            return "cube"
        return "square antiprism" if (c - anti.sort().values).abs().max() < 0.35 else "none"
    return NAMES[n] if (c - torch.tensor(found[n])).abs().max() < 0.35 else "none"


@wrong("name_polytope", "a cube and a square antiprism have the same dimensionalities")
def name_without_antiprisms(directions, *, tolerance):
    n, c = len(directions), sorted_cosines(directions)
    found = {
        2: [-1.0],
        3: [-0.5] * 3,
        4: [-1 / 3] * 6,
        5: [-0.8090] * 5 + [0.3090] * 5,
        6: [-1.0] * 3 + [0.0] * 12,
        8: [-1.0] * 4 + [-1 / 3] * 12 + [1 / 3] * 12,
    }
    if n not in found:
        return "none"
    return NAMES[n] if (c - torch.tensor(found[n])).abs().max() <= tolerance else "none"


@wrong("name_polytope", "asked to agree exactly")
def name_of_perfect_shapes(directions, *, tolerance):
    tolerance, c = min(tolerance, 0.012), sorted_cosines(directions)
    half = 2**-0.5
    near, far = (2 / 3) * half - 1 / 3, -(2 / 3) * half - 1 / 3
    found = {
        "digon": [-1.0],
        "triangle": [-0.5] * 3,
        "tetrahedron": [-1 / 3] * 6,
        "pentagon": [-0.8090] * 5 + [0.3090] * 5,
        "octahedron": [-1.0] * 3 + [0.0] * 12,
        "cube": [-1.0] * 4 + [-1 / 3] * 12 + [1 / 3] * 12,
        "square antiprism": sorted([far] * 8 + [-1 / 3] * 4 + [near] * 8 + [1 / 3] * 8),
    }
    for name, want in found.items():
        if len(want) == len(c) and (c - torch.tensor(want)).abs().max() <= tolerance:
            return name
    return "none"


def ring(n, turn=0.0, height=0.0):
    angles = 2 * math.pi * torch.arange(n) / n + turn
    return torch.stack([angles.cos(), angles.sin(), torch.full((n,), height)], dim=1)


HALF = 0.5**0.5
TABLES = {
    "digon": torch.tensor([[1.0], [-1.0]]),
    "triangle": ring(3),
    "pentagon": ring(5),
    "tetrahedron": torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]),
    "octahedron": torch.cat([torch.eye(3), -torch.eye(3)]),
    "square antiprism": torch.cat([ring(4, 0, HALF), ring(4, math.pi / 4, -HALF)]),
    "cube": torch.cat([ring(4, 0, HALF), ring(4, 0, -HALF)]),
}


def name_where(directions, fits, shapes=TABLES):
    found = cosines(directions)
    for name, rows in shapes.items():
        if len(rows) == len(found) and fits(found, cosines(rows)):
            return name
    return "none"


def in_some_order(found, wanted, near):
    orders = [[]]
    for i in range(len(found)):
        orders = [
            [*o, c]
            for o in orders
            for c in range(len(wanted))
            if c not in o and all(near(found[i, j], wanted[c, k]) for j, k in enumerate(o))
        ]
    return bool(orders)


def name_if(directions, near, shapes=TABLES):
    return name_where(directions, lambda a, b: in_some_order(a, b, near), shapes)


@wrong("name_polytope", "no order of the features")
def name_by_sorted_cosines(directions, *, tolerance):
    def flat(g):
        return g[tuple(torch.triu_indices(len(g), len(g), 1))].sort().values

    return name_where(directions, lambda a, b: (flat(a) - flat(b)).abs().max() <= tolerance)


@wrong("name_polytope", "no order of the features")
def name_by_sorted_rows(directions, *, tolerance):
    def fits(a, b):
        return (a.sort(dim=1).values - b.sort(dim=1).values).abs().max() <= tolerance

    return name_where(directions, fits)


@wrong("name_polytope", "in some order of the features")
def name_in_the_order_given(directions, *, tolerance):
    return name_where(directions, lambda a, b: (a - b).abs().max() <= tolerance)


@wrong("name_polytope", "not angles")
def name_by_angles(directions, *, tolerance):
    def near(a, b):
        return (a.clamp(-1, 1).acos() - b.clamp(-1, 1).acos()).abs() <= tolerance

    return name_if(directions, near)


@wrong("name_polytope", "`tolerance` was not used")
def name_within_005(directions, *, tolerance):
    return name_if(directions, lambda a, b: abs(a - b) <= 0.05)


@wrong("name_polytope", "those of the docstring, in small letters")
def name_with_underscores(directions, *, tolerance):
    return name_if(directions, lambda a, b: abs(a - b) <= tolerance).replace(" ", "_")


@wrong("name_polytope", "with edges of one length is another")
def name_of_another_antiprism(directions, *, tolerance):
    height = math.sqrt((1 - 0.25 / math.cos(math.pi / 8) ** 2) / 2)
    other = torch.cat([ring(4, 0, height), ring(4, math.pi / 4, -height)])
    shapes = {**TABLES, "square antiprism": other}
    return name_if(directions, lambda a, b: abs(a - b) <= tolerance, shapes)


@wrong("name_polytope", "it returns a name")
def name_as_a_number(directions, *, tolerance):
    return len(directions)


# ------------------------------------------------------------------- adversarial_vulnerability


def errors(W, b, x, push):
    return (x - ((x + push) @ W @ W.T + b).relu()).square().sum(dim=1)


def climb(W, b, x, push, n_steps, step):
    radius = push.norm(dim=1, keepdim=True)
    for _ in range(n_steps):
        push = push.detach().requires_grad_()
        (g,) = torch.autograd.grad(errors(W, b, x, push).sum(), push)
        made = step(push, g)
        made = radius * made / made.norm(dim=1, keepdim=True).clamp(min=1e-12)
        push = torch.where(g.norm(dim=1, keepdim=True) > 1e-12, made, push)
    return push.detach(), radius[0, 0]


@wrong("adversarial_vulnerability", "this is what the exercise asks you to write")
def pushed_by_the_library(W, b, features, pushes, *, n_steps):
    return geometry.adversarial_vulnerability(W, b, features, radius=0.4)


@wrong("adversarial_vulnerability", "the error without a push was not taken away")
def pushed_from_nothing(W, b, features, pushes, *, n_steps):
    push, r = climb(W, b, features, pushes, n_steps, lambda p, g: g)
    return (errors(W, b, features, push).mean() / r**2).item()


@wrong("adversarial_vulnerability", "divided by the length, not by its square")
def pushed_per_length(W, b, features, pushes, *, n_steps):
    push, r = climb(W, b, features, pushes, n_steps, lambda p, g: g)
    return ((errors(W, b, features, push) - errors(W, b, features, 0 * push)).mean() / r).item()


@wrong("adversarial_vulnerability", "not divided by the squared length")
def pushed_as_it_is(W, b, features, pushes, *, n_steps):
    push, _ = climb(W, b, features, pushes, n_steps, lambda p, g: g)
    return (errors(W, b, features, push) - errors(W, b, features, 0 * push)).mean().item()


@wrong("adversarial_vulnerability", "it went downhill")
def pushed_downhill(W, b, features, pushes, *, n_steps):
    push, r = climb(W, b, features, pushes, n_steps, lambda p, g: -g)
    return ((errors(W, b, features, push) - errors(W, b, features, 0 * push)).mean() / r**2).item()


@wrong("adversarial_vulnerability", "the gradient was added to the push")
def pushed_little_by_little(W, b, features, pushes, *, n_steps):
    push, r = climb(W, b, features, pushes, n_steps, lambda p, g: p + g)
    return ((errors(W, b, features, push) - errors(W, b, features, 0 * push)).mean() / r**2).item()


@wrong("adversarial_vulnerability", "the signs of the gradient were taken")
def pushed_by_signs(W, b, features, pushes, *, n_steps):
    push, r = climb(W, b, features, pushes, n_steps, lambda p, g: g.sign())
    return ((errors(W, b, features, push) - errors(W, b, features, 0 * push)).mean() / r**2).item()


@wrong("adversarial_vulnerability", "the pushes were not climbed with")
def pushed_at_random(W, b, features, pushes, *, n_steps):
    r = pushes.norm(dim=1)[0]
    worse = errors(W, b, features, pushes) - errors(W, b, features, 0 * pushes)
    return (worse.mean() / r**2).item()


@wrong("adversarial_vulnerability", "where the gradient is 0 the push is kept, not set to 0")
def pushed_to_0_beside_others(W, b, features, pushes, *, n_steps):
    radius, push = pushes.norm(dim=1, keepdim=True), pushes
    for _ in range(n_steps):
        push = push.detach().requires_grad_()
        (g,) = torch.autograd.grad(errors(W, b, features, push).sum(), push)
        if not g.any():
            break
        push = radius * torch.nn.functional.normalize(g, dim=1)
    worse = errors(W, b, features, push) - errors(W, b, features, 0 * push)
    return (worse.mean() / radius[0, 0] ** 2).item()


@wrong("adversarial_vulnerability", "one sample without a gradient stopped all of them")
def pushed_until_one_is_flat(W, b, features, pushes, *, n_steps):
    radius, push = pushes.norm(dim=1, keepdim=True), pushes
    for _ in range(n_steps):
        push = push.detach().requires_grad_()
        (g,) = torch.autograd.grad(errors(W, b, features, push).sum(), push)
        if (g.norm(dim=1) == 0).any():
            break
        push = radius * torch.nn.functional.normalize(g, dim=1)
    worse = errors(W, b, features, push) - errors(W, b, features, 0 * push)
    return (worse.mean() / radius[0, 0] ** 2).item()


@wrong("adversarial_vulnerability", "the worst push of all steps was kept")
def pushed_and_kept(W, b, features, pushes, *, n_steps):
    most = errors(W, b, features, pushes)
    for n in range(n_steps + 1):
        push, r = climb(W, b, features, pushes, n, lambda p, g: g)
        most = torch.maximum(most, errors(W, b, features, push))
    return ((most - errors(W, b, features, 0 * pushes)).mean() / r**2).item()


@wrong("adversarial_vulnerability", "a gradient of 0 has no direction")
def pushed_to_nowhere(W, b, features, pushes, *, n_steps):
    radius = pushes.norm(dim=1, keepdim=True)
    push = pushes
    for _ in range(n_steps):
        push = push.detach().requires_grad_()
        (g,) = torch.autograd.grad(errors(W, b, features, push).sum(), push)
        push = radius * g / g.norm(dim=1, keepdim=True)
    worse = errors(W, b, features, push) - errors(W, b, features, 0 * push)
    return (worse.mean() / radius[0, 0] ** 2).item()


# --------------------------------------------------------------------------- random_directions


@wrong("random_directions", "all of W was turned at once")
def directions_by_one_rotation(W, *, seed):
    random = torch.Generator().manual_seed(seed)
    return W @ torch.linalg.qr(torch.randn(W.shape[1], W.shape[1], generator=random).to(W.dtype)).Q


@wrong("random_directions", "this is what the exercise asks you to write")
def directions_by_the_library(W, *, seed):
    return geometry.random_directions(W, seed)


@wrong("random_directions", "the length that W's row has")
def directions_of_length_1(W, *, seed):
    drawn = torch.randn(W.shape, generator=torch.Generator().manual_seed(seed))
    return drawn / drawn.norm(dim=1, keepdim=True)


@wrong("random_directions", "numbers from 0 to 1 point to one corner only")
def directions_from_a_corner(W, *, seed):
    drawn = torch.rand(W.shape, generator=torch.Generator().manual_seed(seed))
    return drawn * (W.norm(dim=1) / drawn.norm(dim=1))[:, None]


@wrong("random_directions", "normal numbers are alike in all directions")
def directions_from_a_cube(W, *, seed):
    drawn = 2 * torch.rand(W.shape, generator=torch.Generator().manual_seed(seed)) - 1
    return drawn * (W.norm(dim=1) / drawn.norm(dim=1))[:, None]


@wrong("random_directions", "`seed` was not used")
def directions_of_no_seed(W, *, seed):
    drawn = torch.randn(W.shape)
    return drawn * (W.norm(dim=1) / drawn.norm(dim=1))[:, None]


@wrong("random_directions", "shuffled, or with signs")
def directions_with_other_signs(W, *, seed):
    g = torch.Generator().manual_seed(seed)
    return W * (2 * torch.randint(2, (len(W), 1), generator=g) - 1)


@wrong("random_directions", "shuffled, or with signs")
def directions_shuffled(W, *, seed):
    g = torch.Generator().manual_seed(seed)
    unit = torch.nn.functional.normalize(W + (W.norm(dim=1, keepdim=True) == 0), dim=1)
    return unit[torch.randperm(len(W), generator=g)] * W.norm(dim=1, keepdim=True)


@wrong("random_directions", "one direction was drawn for all features")
def directions_of_one(W, *, seed):
    drawn = torch.randn(W.shape[1], generator=torch.Generator().manual_seed(seed))
    return drawn / drawn.norm() * W.norm(dim=1, keepdim=True)


@wrong("random_directions", "in five dimensions")
def directions_on_a_globe(W, *, seed):
    z, turn = torch.rand(2, len(W), generator=torch.Generator().manual_seed(seed))
    z, turn = 2 * z - 1, 2 * math.pi * turn
    flat = (1 - z**2).sqrt()
    drawn = torch.stack([flat * turn.cos(), flat * turn.sin(), z], dim=1)
    return drawn * W.norm(dim=1, keepdim=True)


@wrong("random_directions", "a direction was used for several features")
def directions_two_by_two(W, *, seed):
    drawn = torch.randn(W.shape, generator=torch.Generator().manual_seed(seed))
    drawn = drawn[torch.arange(len(W)) // 2 * 2]
    return drawn * (W.norm(dim=1) / drawn.norm(dim=1))[:, None]


@wrong("random_directions", "W's own were kept")
def directions_near_their_own(W, *, seed):
    drawn = W + 0.5 * torch.randn(W.shape, generator=torch.Generator().manual_seed(seed))
    return drawn * (W.norm(dim=1) / drawn.norm(dim=1))[:, None]


@wrong("random_directions", "bring each drawn row to the length")
def directions_of_shuffled_lengths(W, *, seed):
    g = torch.Generator().manual_seed(seed)
    drawn, order = torch.randn(W.shape, generator=g), torch.randperm(len(W), generator=g)
    return drawn * (W.norm(dim=1)[order] / drawn.norm(dim=1))[:, None]


# ------------------------------------------------------------------------------- sticky_share


def near(W, fractions, tolerance):
    shares = feature_dimensionality(W)[W.norm(dim=1) >= 0.01]
    distance = (shares[:, None] - torch.tensor(fractions)).abs()
    return distance.amin(dim=1) <= tolerance


def near_share(W, fractions, tolerance):
    return near(W, fractions, tolerance).double().mean().item()


def sticky(W, fractions, tolerance, n_draws, seed, of):
    seeds = torch.randint(2**60, (n_draws,), generator=torch.Generator().manual_seed(seed))
    return of(W), [of(random_directions(W, seed=s)) for s in seeds.tolist()]


@wrong("sticky_share", "the null has W's norms")
def sticky_beside_normal_numbers(W, fractions, *, tolerance, n_draws, seed):
    def near(W):
        alive = W[W.norm(dim=1) >= 0.01].double()
        if not len(alive):
            return float("nan")
        unit = alive / alive.norm(dim=1, keepdim=True)
        shares = alive.square().sum(dim=1) / (unit @ alive.T).square().sum(dim=1)
        away = (shares[:, None] - torch.tensor(fractions).double()).abs().amin(dim=1)
        return (away <= tolerance).double().mean().item()

    random = torch.Generator().manual_seed(seed)
    return near(W), [near(torch.randn(W.shape, generator=random)) for _ in range(n_draws)]


@wrong("sticky_share", "dead features were counted among all")
def sticky_of_all(W, fractions, *, tolerance, n_draws, seed):
    def of(W):
        return near(W, fractions, tolerance).sum().item() / len(W)

    return sticky(W, fractions, tolerance, n_draws, seed, of)


@wrong("sticky_share", "counted twice")
def sticky_twice(W, fractions, *, tolerance, n_draws, seed):
    def of(W):
        shares = feature_dimensionality(W)[W.norm(dim=1) >= 0.01]
        return sum(((shares - f).abs() <= tolerance).double().mean().item() for f in fractions)

    return sticky(W, fractions, tolerance, n_draws, seed, of)


@wrong("sticky_share", "this is a number of features")
def sticky_number(W, fractions, *, tolerance, n_draws, seed):
    def of(W):
        return float(near(W, fractions, tolerance).sum())

    return sticky(W, fractions, tolerance, n_draws, seed, of)


@wrong("sticky_share", "near none")
def sticky_not(W, fractions, *, tolerance, n_draws, seed):
    def of(W):
        return (~near(W, fractions, tolerance)).double().mean().item()

    return sticky(W, fractions, tolerance, n_draws, seed, of)


@wrong("sticky_share", "every draw had the same seed")
def sticky_with_one_seed(W, fractions, *, tolerance, n_draws, seed):
    of = partial(near_share, fractions=fractions, tolerance=tolerance)

    return of(W), [of(random_directions(W, seed=seed)) for _ in range(n_draws)]


@wrong("sticky_share", "rows of one length were drawn")
def sticky_null_of_unit_rows(W, fractions, *, tolerance, n_draws, seed):
    of = partial(near_share, fractions=fractions, tolerance=tolerance)

    unit = W / W.norm(dim=1, keepdim=True).clamp(min=1e-9)
    return of(W), sticky(unit, fractions, tolerance, n_draws, seed, of)[1]


@wrong("sticky_share", "each draw has directions of its own")
def sticky_null_of_shuffled_features(W, fractions, *, tolerance, n_draws, seed):
    of = partial(near_share, fractions=fractions, tolerance=tolerance)

    g = torch.Generator().manual_seed(seed)
    return of(W), [of(W[torch.randperm(len(W), generator=g)]) for _ in range(n_draws)]


@wrong("sticky_share", "the null has W's norms")
def sticky_null_of_shuffled_lengths(W, fractions, *, tolerance, n_draws, seed):
    of = partial(near_share, fractions=fractions, tolerance=tolerance)

    g = torch.Generator().manual_seed(seed)
    norms = W.norm(dim=1, keepdim=True)
    unit = W / norms.clamp(min=1e-9)
    return of(W), [of(unit * norms[torch.randperm(len(W), generator=g)]) for _ in range(n_draws)]


@wrong("sticky_share", "leave out the dead")
def sticky_null_with_the_dead(W, fractions, *, tolerance, n_draws, seed):
    of = partial(near_share, fractions=fractions, tolerance=tolerance)

    def of_all(W):
        return near(W, fractions, tolerance).sum().item() / len(W)

    return of(W), sticky(W, fractions, tolerance, n_draws, seed, of_all)[1]


@wrong("sticky_share", "ask for the same fractions")
def sticky_null_of_the_first(W, fractions, *, tolerance, n_draws, seed):
    of = partial(near_share, fractions=fractions, tolerance=tolerance)
    of_first = partial(near_share, fractions=fractions[:1], tolerance=tolerance)

    return of(W), sticky(W, fractions, tolerance, n_draws, seed, of_first)[1]


@wrong("sticky_share", "within the same tolerance")
def sticky_null_within_half(W, fractions, *, tolerance, n_draws, seed):
    of = partial(near_share, fractions=fractions, tolerance=tolerance)
    of_half = partial(near_share, fractions=fractions, tolerance=tolerance / 2)

    return of(W), sticky(W, fractions, tolerance, n_draws, seed, of_half)[1]


@wrong("sticky_share", "`seed` was not used")
def sticky_null_of_no_seed(W, fractions, *, tolerance, n_draws, seed):
    of = partial(near_share, fractions=fractions, tolerance=tolerance)

    return of(W), [of(random_directions(W, seed=i)) for i in range(n_draws)]


@wrong("sticky_share", "a share for each draw")
def sticky_mean_of_the_null(W, fractions, *, tolerance, n_draws, seed):
    of = partial(near_share, fractions=fractions, tolerance=tolerance)

    share, null = sticky(W, fractions, tolerance, n_draws, seed, of)
    return share, sum(null) / len(null)


@wrong("sticky_share", "within the tolerance of a fraction")
def sticky_to_the_first(W, fractions, *, tolerance, n_draws, seed):
    def of(W):
        return near(W, fractions[:1], tolerance).double().mean().item()

    return sticky(W, fractions, tolerance, n_draws, seed, of)
