"""Checks of `ch04_superposition/1_five_features_in_two_dimensions.ipynb`."""

import torch
from torch import Tensor

from mechcourse.checks import Answer, check
from mechcourse.checks import _inputs as inputs
from mechcourse.checks.ch04_superposition import _five_features_in_two_dimensions as known
from mechcourse.checks.ch04_superposition import _five_features_in_two_dimensions_draws as draws

TEACHES = (
    "mechcourse.superposition.sparse_features",
    "mechcourse.superposition.reconstruct",
    "mechcourse.superposition.importance_weighted_mse",
    "mechcourse.superposition_samples.Samples",
    "mechcourse.phase_diagram.loss_of_ignoring",
)

LARGEST_SEED = 2**20
FROM_SEED = (
    "`seed` was not used, or not for everything: draw from torch.Generator().manual_seed(seed)."
)


# ------------------------------------------------------------------------------- sparse_features


@check
def check_sparse_features(answer: Answer, *, seed: int = 0) -> None:
    """Shapes, seeds, how often features are present, their values, and how they come together."""
    random = inputs.generator(seed)
    for kind in draws.KINDS:
        p = draws.probabilities(kind, random)
        one, more = (1 + inputs.integers(random, LARGEST_SEED, 2)).tolist()
        drawn = _drawn(answer, draws.N_SAMPLES, p, kind, one, random)
        _hold_shares(answer, drawn)
        _hold_values(answer, drawn)
        _hold_seed(answer, drawn, p, (one, one + more), random)
        _hold_pairs(answer, drawn)
        _hold_apart(answer, drawn)
        _hold_own_values(answer, drawn)
        _hold_samples(answer, drawn)
    for kind in draws.KINDS:  # a feature alone, a pair alone, a sample alone
        for n, n_instances, n_features in ((1, 4, 3), (6, 1, 1), (5, 1, 2)):
            _drawn(answer, n, torch.full((n_instances, n_features), 0.5), kind, 7, random)


def _drawn(
    answer: Answer, n: int, p: Tensor, kind: str, seed: int, random: torch.Generator
) -> draws.Drawn:
    with torch.random.fork_rng(devices=[]):  # nothing may hang on the state it finds
        torch.manual_seed(int(inputs.integers(random, LARGEST_SEED)))
        got = answer(n, p, correlation=kind, seed=seed)
    words = f"{kind} samples are [sample instance feature]"
    x = answer.tensor(got, shape=(n, *p.shape), dims="sample instance feature", of=words)
    x = x.double()
    answer.expect(
        bool(torch.isfinite(x).all()) and float(x.min()) >= 0 and float(x.max()) <= 1,
        property="every value is from 0 to 1",
        misconception="values are uniform between 0 and 1 where present, and 0 elsewhere.",
        expected="values from 0 to 1",
        got=f"values from {float(x.min()):.3g} to {float(x.max()):.3g}",
    )
    return draws.Drawn(x, p.double(), kind)


def _hold_seed(
    answer: Answer, drawn: draws.Drawn, p: Tensor, seeds: tuple[int, int], random: torch.Generator
) -> None:
    """Hold what another seed gives, and what the first one gives after it."""
    one, other = seeds
    second = _drawn(answer, drawn.n, p, drawn.kind, other, random)
    again = _drawn(answer, drawn.n, p, drawn.kind, one, random)
    what = "values" if torch.equal(drawn.there, again.there) else "features"
    answer.expect(
        torch.equal(drawn.x, again.x),
        property="the same seed gives the same samples, whatever was drawn before",
        misconception=FROM_SEED,
        expected="the same samples twice",
        got=f"other {what} the second time",
    )
    answer.expect(
        not torch.equal(drawn.there, second.there),
        property="another seed gives other samples",
        misconception="`seed` was not used, or not for which features are present.",
        expected="other features present",
        got="the same ones",
    )
    answer.expect(
        drawn.same_as(second) < 1 - draws.DISTINCT,
        property="another seed gives other samples",
        misconception="`seed` was not used for the values.",
        expected="other values",
        got="the same ones",
    )


def _hold_shares(answer: Answer, drawn: draws.Drawn) -> None:
    gaps = (drawn.shares - drawn.p).abs()
    instance, feature = divmod(int(gaps.argmax()), gaps.shape[1])
    answer.expect(
        drawn.strays(drawn.p) <= 1,
        property=f"each feature is present with its own probability where they are {drawn.kind}",
        misconception=drawn.why_shares()
        or "compare one number, drawn evenly, with the feature's probability.",
        expected=f"about {float(drawn.p[instance, feature]):.3f} of {drawn.n} samples for feature "
        f"{feature} in instance {instance}",
        got=f"{float(drawn.shares[instance, feature]):.3f}",
    )


def _hold_values(answer: Answer, drawn: draws.Drawn) -> None:
    where, values = next(drawn.uneven(), ("", torch.tensor([0.5])))
    mean, high = float(values.mean()), float((values > 0.9).double().mean())
    why = "a value is uniform between 0 and 1, whatever the feature's probability."
    if bool((values == 1).all()):
        why = "features are 1 where present; they are uniform between 0 and 1."
    elif drawn.distinct() < 0.01:
        why = "all samples were given the same value; each draws its own."
    elif drawn.below_probability():
        why = (
            "the number that decides whether a feature is present was taken for its value: draw "
            "another, or stretch it."
        )
    answer.expect(
        len(values) == 1,
        property=f"where present, {drawn.kind} features are uniform between 0 and 1",
        misconception=why,
        expected="a mean of 0.5, and a tenth above 0.9",
        got=f"a mean of {mean:.3f}, and {high:.3f} above 0.9{where}",
    )


def _hold_pairs(answer: Answer, drawn: draws.Drawn) -> None:
    """How the two of a pair come together."""
    if drawn.kind == "independent":
        return
    n_pairs = drawn.x.shape[2] // 2
    one, two = (drawn.there[..., i : 2 * n_pairs : 2] > 0 for i in (0, 1))
    met, alone = int((one & two).sum()), int((one != two).sum())
    if drawn.kind == "anticorrelated":
        answer.expect(
            met == 0,
            property="anticorrelated features of a pair are never both present",
            misconception="let the two of a pair share one number, and take turns along it: the "
            "first and the second are a pair, the third and the fourth, and so on.",
            expected="no pair with both",
            got=f"both present {met} times",
        )
        return
    answer.expect(
        alone <= draws.EXACT_ZEROS,
        property="correlated features of a pair are present together or not at all",
        misconception="let the two of a pair look at one number: the first and the second are a "
        "pair, the third and the fourth, and so on.",
        expected="both or neither",
        got=f"one without the other {alone} times",
    )


def _hold_apart(answer: Answer, drawn: draws.Drawn) -> None:
    """Being present has nothing to do between pairs and instances."""
    table, strange = drawn.strange_presence()
    across = strange & (drawn.instance[:, None] != drawn.instance[None])
    paired = strange & (drawn.pair[:, None] == drawn.pair[None])
    if across.any():
        why = "instances share their draws. Draw a number for each."
    elif drawn.kind != "independent":
        why = "pairs share their draws. Draw a number for each."
    elif torch.equal(strange, paired):
        why = 'features come in pairs; where they are "independent" each is for itself.'
    else:
        why = "features share their draws. Draw a number for each."
    answer.expect(
        not strange.any(),
        property=f"pairs and instances of {drawn.kind} features have nothing to do with each other"
        if drawn.kind != "independent"
        else "independent features have nothing to do with each other",
        misconception=why,
        expected="no correlation of being present",
        got=_strongest(table, strange),
    )


def _hold_own_values(answer: Answer, drawn: draws.Drawn) -> None:
    """Values have nothing to do with each other, nor with what else is present."""
    table, strange = drawn.strange_values()
    across = strange & (drawn.instance[:, None] != drawn.instance[None])
    why = "they share their value as well; only being present is shared."
    if across.any():
        why = "instances share their values. Draw a value for each."
    elif bool((strange & (drawn.pair[:, None] != drawn.pair[None])).any()):
        why = "features share their values. Draw a value for each."
    elif drawn.kind == "independent":
        why = "features share their values by pairs. Draw a value for each."
    answer.expect(
        not strange.any(),
        property=f"{drawn.kind} features have values of their own",
        misconception=why,
        expected="values that have nothing to do with each other",
        got=_strongest(table, strange),
    )
    table, strange = drawn.strange_mixed()
    answer.expect(
        not strange.any(),
        property=f"{drawn.kind} features have values of their own",
        misconception="one feature's value decides whether another is present.",
        expected="values that have nothing to do with what else is present",
        got=_strongest(table, strange),
    )


def _hold_samples(answer: Answer, drawn: draws.Drawn) -> None:
    step, strange = drawn.strange_steps()
    distinct = drawn.distinct()
    repeated = f"only {distinct:.0%} of the values are there but once"
    answer.expect(
        not strange and distinct > draws.DISTINCT,
        property="samples have nothing to do with each other",
        misconception="samples of a call share what should be drawn for each of them.",
        expected="no correlation from one sample to the next, and no value twice",
        got=f"a correlation of {min(step, 1.0):.2f}" if strange else repeated,
    )


def _strongest(table: Tensor, strange: Tensor) -> str:
    strongest = min(float((table.abs() * strange).max()), 1.0)
    return f"a correlation of {strongest:.2f}"


# ---------------------------------------------------------------------------------------- model


@check
def check_reconstruct(answer: Answer, *, seed: int = 0) -> None:
    """Instances with weights, biases and samples of their own, in either precision, and dead."""
    random = inputs.generator(seed)
    for n_samples, n_instances, n_features, d_hidden in known.SIZES:
        x = torch.rand(n_samples, n_instances, n_features, generator=random)
        x *= torch.rand(x.shape, generator=random) < 0.7
        W = inputs.normal(random, n_instances, n_features, d_hidden)
        b = 0.6 * inputs.normal(random, n_instances, n_features)
        telling = (n_samples, n_instances) == known.SIZES[0][:2]
        if telling:
            W[0, 0], b[0, 0] = torch.tensor([1.6, -0.9]), 0.3  # comes out above 1, if it is there
            x[0, 0], x[1, 0] = torch.eye(n_features)[0], 0.0
        elif n_instances == 2:  # a dead instance, and a dead feature in the other; and float64
            W[0], W[1, 2] = 0.0, 0.0
            x, W, b = x.double(), W.double(), b.double()
        answer.expect_close(
            answer(x, W, b),
            known.reconstruction(x, W, b),
            property="each instance gives ReLU(x W Wᵀ + b) for its own samples",
            dims="sample instance feature",
            misconceptions=known.wrong_reconstructions(x, W, b) if telling else None,
        )


@check
def check_importance_weighted_mse(answer: Answer, *, seed: int = 0) -> None:
    """Instances with importances of their own, in either precision, and features absent or dead."""
    random = inputs.generator(seed)
    for shape in ((6, 3, 4), (1, 2, 5), (9, 1, 2), (3, 5, 1)):
        x, made = (torch.rand(shape, generator=random) for _ in range(2))
        importance = 0.3 + 2 * torch.rand(shape[1:], generator=random)
        telling = shape[0] == 6
        if telling:
            x[1], x[:, :, 2] = 0.0, 0.0
            x[3, :, 1] = 0.0
        else:
            importance[0, 0] = 0.0
            x, made, importance = x.double(), made.double(), importance.double()
        answer.expect_close(
            answer(x, made, importance),
            known.weighed(x, made, importance),
            property="squared errors times importance, summed over features, mean over samples",
            dims="instance",
            misconceptions=known.wrong_losses(x, made, importance) if telling else None,
        )


@check
def check_interference_probabilities(answer: Answer, *, seed: int = 0) -> None:
    """All three probabilities, for rare features and common ones."""
    random = inputs.generator(seed)
    for p in (0.3, 0.017, 0.88, float(torch.rand(1, generator=random)) * 0.4 + 0.05, 0.0, 1.0):
        absent = 1 - p
        wanted = [p * p, p * absent + absent * p, 1 - absent * absent]
        wrong = known.wrong_chances(p) if 0 < p < 0.5 else {}
        got = answer(p)
        if isinstance(got, Tensor) and got.shape == (3,):
            got = got.tolist()
        three = answer.expect_tuple(got, ("both", "exactly one", "at least one"))
        of = "each of the three is a single number"
        answer.expect_close(
            [float(answer.tensor(one, shape=(), of=of)) for one in three],
            torch.tensor(wanted, dtype=torch.float64),
            property="the chances that both are present, exactly one, and at least one",
            dims="case",
            misconceptions=wrong,
            atol=1e-7,
        )


# -------------------------------------------------------------------------------------- puzzles


def _hold_puzzle(answer: Answer, n: int, m: int) -> None:
    """Hold that a model of n features in m dimensions is as good as trained ones."""
    W, b = answer.expect_tuple(answer(), ("W", "b"))
    W = answer.tensor(W, shape=(n, m), dims="feature hidden", of="W has a row for each feature")
    b = answer.tensor(b, shape=(n,), dims="feature", of="there is a bias for each feature")
    W, b = W.double(), b.double()
    answer.expect(
        bool(torch.isfinite(W).all() and torch.isfinite(b).all()),
        property="W and the bias are finite numbers",
        expected="finite numbers",
        got="NaN or infinity among them",
    )
    parts, most = known.expected(W, b), known.ROOM * known.BEST[n, m]
    answer.expect(
        parts.loss <= most,
        property=f"the expected loss is at most 1% above the best of 200 trained models of {n} "
        f"features in {m} dimensions",
        misconception=known.why_so_much(parts, W),
        expected=f"a loss of {most:.5f} or less",
        got=f"{parts.loss:.5f}",
    )


@check
def check_three_in_two(answer: Answer, *, seed: int = 0) -> None:
    """The expected loss of what is returned."""
    _hold_puzzle(answer, 3, 2)


@check
def check_five_in_two(answer: Answer, *, seed: int = 0) -> None:
    """The expected loss of what is returned."""
    _hold_puzzle(answer, 5, 2)


@check
def check_eight_in_three(answer: Answer, *, seed: int = 0) -> None:
    """The expected loss of what is returned."""
    _hold_puzzle(answer, 8, 3)


# ------------------------------------------------------------------------------------- sharing


@check
def check_loss_without_sharing(answer: Answer, *, seed: int = 0) -> None:
    """Instances with probabilities and importances of their own, and all numbers of dimensions."""
    random = inputs.generator(seed)
    for i, (p, importance, d_hidden) in enumerate(known.to_share(random)):
        wrong = None if i else known.wrong_sharing(p, importance, d_hidden)
        answer.expect_close(
            answer(p, importance, d_hidden),
            known.without_sharing(p, importance, d_hidden),
            property="the importances times variances of the features that are left out, those "
            "that cost least",
            dims="instance",
            misconceptions=wrong,
        )
    for d_hidden in (4, 7):
        answer.expect_close(
            answer(torch.full((2, 4), 0.3), torch.ones(2, 4), d_hidden),
            torch.zeros(2),
            property="nothing is lost with as many dimensions as features, or more",
            dims="instance",
            otherwise="a number of features left out below 0 must count as 0.",
        )
