"""Checks of `ch01_attention/3_composition.ipynb`."""

import math
from collections.abc import Callable
from itertools import combinations
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mechcourse.checks import Answer, check
from mechcourse.checks import _inputs as inputs
from mechcourse.checks import _slow as slow
from mechcourse.checks._symptoms import symptom
from mechcourse.checks.ch01_attention import _composition as known

TEACHES = (
    "mechcourse.circuits._moved",
    "mechcourse.circuits._overlap",
    "mechcourse.circuits._thin",
    "mechcourse.circuits.composition_null",
    "mechcourse.circuits.composition_score",
    "mechcourse.circuits.composition_z_scores",
    "mechcourse.circuits.logits_by_order",
)

Nulls = dict[str, Callable[[], Tensor]]  # samples of nulls with one mistake each
PAIR = "earlier later"
SAMPLES = "sample earlier later"
ORDERS = "order batch pos d_vocab"
N_NULL = 1200  # samples asked of an answer
N_REFERENCE = 12_000  # samples of our own
FALSE_ALARM = 1e-9  # of one pair's comparison; a check makes fewer than fifty
RISE = (
    "the rise of the mean loss over counted predictions where the later head's queries, keys or "
    "values go without what the earlier head wrote, all else as it was"
)
MODEL = (
    "the weights have the names and shapes of a two-layer model's state_dict, d_model is at most "
    "64, and every entry is a finite number between -100 and 100"
)
# Sizes of two layers: heads, heads, d_head, d_head, d_model.
LAYERS = ((3, 2, 4, 5, 7), (1, 4, 6, 2, 5), (2, 2, 3, 4, 6))


@check
def check_composition_score(answer: Answer, *, seed: int = 0) -> None:
    """Norms of products over products of norms, for each pair of heads and each kind."""
    random = inputs.generator(seed)
    for n_earlier, n_later, d_earlier, d_later, d_model in LAYERS:
        earlier = known.layer(random, n_earlier, d_model, d_earlier)
        later = known.layer(random, n_later, d_model, d_later)
        for kind in "QKV":
            answer.expect_close(
                answer(earlier, later, kind),
                known.composition_scores(earlier, later, kind),
                property=f'for kind "{kind}" it is the norm of A @ B over the product of the two '
                "norms, for every pair of heads",
                dims=PAIR,
                misconceptions=known.wrong_scores(earlier, later, kind),
            )
    faint = {name: 0.01 * weight for name, weight in earlier.items()}
    answer.expect_close(
        answer(faint, {name: 0.03 * weight for name, weight in later.items()}, "K"),
        known.composition_scores(earlier, later, "K"),
        property="heads that write little score as much: sizes cancel",
        dims=PAIR,
        otherwise="something is added to the denominator, or small values are cut off.",
    )
    _hold_worked_scores(answer)
    earlier["W_O"][0], later["W_K"][1], later["W_V"][1] = 0.0, 0.0, 0.0
    for kind in "QKV":
        answer.expect_close(
            answer(earlier, later, kind),
            known.composition_scores(earlier, later, kind),
            property="it is 0, not NaN, where one of the two heads is 0",
            dims=PAIR,
        )


def _hold_worked_scores(answer: Answer) -> None:
    """One head writes 3 along one axis and 4 along another; one reads by either, or neither."""
    axis = torch.eye(5)
    writes = {"W_V": axis[:, 3:], "W_O": torch.stack([3 * axis[0], 4 * axis[1]])}
    reads = {"W_Q": axis[:, :1], "W_K": 2 * axis[:, 1:2], "W_V": axis[:, 2:3], "W_O": axis[:1]}
    unused = {"W_Q": axis[:, :2], "W_K": axis[:, 1:3]}
    for kind, right in (("Q", 0.6), ("K", 0.8), ("V", 0.0)):
        answer.expect_close(
            answer(
                {name: weight[None] for name, weight in (writes | unused).items()},
                {name: weight[None] for name, weight in reads.items()},
                kind,
            ),
            torch.tensor([[right]]),
            property="a head that writes 3 along one axis and 4 along another is read by 0.6 "
            "where queries read the one, by 0.8 where keys read the other, and by 0 where values "
            "read neither",
            dims=PAIR,
        )


@check
def check_composition_null(answer: Answer, *, seed: int = 0) -> None:
    """Samples of scores with the stream between the layers turned uniformly at random."""
    random = inputs.generator(seed)
    seeds = torch.randperm(10_000, generator=random)[:3].tolist()
    hidden: dict[str, bool] = {}  # which mistakes no case has shown yet
    for d_model, kind in ((5, "Q"), (5, "K"), (5, "V"), (2, "K")):
        earlier, later = known.spiky_layers(random, d_model)
        got = answer.tensor(
            answer(earlier, later, kind, N_NULL, seed=seeds[0]),
            shape=(N_NULL, 3, 2),
            dims=SAMPLES,
            of="one score for each sample and each pair of heads",
        ).double()
        wrong = known.wrong_nulls(random, earlier, later, kind, N_NULL)
        unturned = known.ratio(known.ov(earlier), known.reading(later, kind))
        _hold_samples(answer, got, unturned, wrong)
        right = known.null_sample(random, earlier, later, kind, N_REFERENCE)
        _hold_law(answer, got, right, wrong)
        _hold_independence(answer, got)
        for words, draw in wrong.items() if answer.audit else ():
            near = 1.1 * _bound(N_NULL, N_REFERENCE)
            hidden[words] = hidden.get(words, True) and bool(
                known.distance(draw(), right).max() < near
            )
    assert not any(hidden.values()), f"{answer.exercise}: these inputs do not expose: {hidden}"
    _hold_seed(answer, random, seeds)


def _hold_samples(answer: Answer, got: Tensor, unturned: Tensor, wrong: Nulls) -> None:
    """Hold that samples are scores, and rotations of their own."""
    property = "a sample is the score with a rotation of its own between the layers"
    answer.expect(
        bool((got > -1e-4).all() and (got < 1 + 1e-4).all()),
        property="every value is a score, from 0 to 1",
        misconception=f"{int(got.isnan().sum())} values are NaN." * bool(got.isnan().any()),
        got=f"{got.min():.4g} to {got.max():.4g}",
    )
    answer.expect(
        not torch.allclose(got, unturned.expand_as(got), atol=1e-4),
        property=property,
        misconception="what was turned changes no score: turn what is written, or what is read, "
        "not both, and on the side of the stream between the two heads.",
        expected="scores that differ from those without a rotation",
        got=f"in every sample {unturned[0, 0]:.4g} for the first pair, as without one",
    )
    kinds = len(torch.unique(got, dim=0))
    if kinds == 1:
        words = "one rotation serves all samples; draw a new one for each."
    else:
        words = "rotations come back, or only a few are possible; draw each from all of them."
    answer.expect(
        not _repeats(got),
        property=property,
        misconception=(_law(got, wrong) or words) if _repeats(got) else "",
        expected=f"{len(got)} samples that differ",
        got=f"{kinds} that do",
    )


def _hold_law(answer: Answer, got: Tensor, right: Tensor, wrong: Nulls) -> None:
    """Hold that each pair's scores are distributed as under uniform rotations."""
    bound = _bound(N_NULL, N_REFERENCE)
    far = known.distance(got, right)
    fits = bool(far.max() < bound)
    pair = divmod(int(far.argmax()), far.shape[1])
    want, came = ((x[:, *pair].mean(), x[:, *pair].std()) for x in (right, got))
    answer.expect(
        fits,
        property="each pair's scores have the distribution that a uniform rotation gives them",
        misconception="" if fits else _law(got, wrong) or _moments(want, came),
        expected=f"{want[0]:.3f} on average for earlier {pair[0]} and later {pair[1]}, with a "
        f"standard deviation of {want[1]:.3f}",
        got=f"{came[0]:.3f} and {came[1]:.3f}; the two distributions are {far.max():.2f} apart, "
        f"where chance makes {bound:.2f} at most",
    )


def _hold_independence(answer: Answer, got: Tensor) -> None:
    """Hold that a sample does not know the one before it."""
    varying = got.flatten(1)[:, got.flatten(1).std(0) > 1e-3]
    steady = (varying - varying.mean(0)) / varying.std(0)
    related = float((steady[1:] * steady[:-1]).mean(0).abs().max())
    bound = 6.5 / math.sqrt(len(got))  # standard errors: about one false alarm in 10 ** 10
    answer.expect(
        related < bound,
        property="the samples are independent of each other",
        misconception="each rotation is near the one before it; draw each on its own.",
        expected=f"a correlation of neighbouring samples below {bound:.2f}",
        got=f"{related:.2f}",
    )


def _bound(n: int, others: int) -> float:
    """What samples of one law keep their distance below, but for a false alarm."""
    return math.sqrt(math.log(2 * math.e / FALSE_ALARM) * (1 / n + 1 / others) / 2)


def _law(got: Tensor, wrong: Nulls) -> str:
    """The named mistake whose null this looks like, if it looks like one."""
    far = {
        words: float(known.distance(got, sample).max())
        for words, sample in ((words, draw()) for words, draw in wrong.items())
        if _repeats(sample) == _repeats(got)
    }
    nearest = min(far, key=far.__getitem__, default="")
    # Chance puts one pair in some 700 further apart: a name missed is better than a false one.
    return nearest if nearest and far[nearest] < 1.9 * math.sqrt(2 / len(got)) else ""


def _repeats(samples: Tensor) -> bool:
    """Whether the same rotations come back; in float32 a few samples may agree by chance."""
    return len(torch.unique(samples, dim=0)) < 0.95 * len(samples)


def _moments(want: tuple[Tensor, Tensor], came: tuple[Tensor, Tensor]) -> str:
    """In what a distribution that nobody knows by name differs."""
    if abs(came[0] - want[0]) > 0.25 * want[1]:
        return "the rotations favour some directions, so the mean is off."
    if not 0.85 < came[1] / want[1].clamp(min=1e-9) < 1.15:
        return "the mean is about right, and the spread is not: is every rotation possible?"
    return "mean and spread are about right, and the shape is not: is every rotation possible?"


def _hold_seed(answer: Answer, random: torch.Generator, seeds: list[int]) -> None:
    """Hold what the seed and the number of samples do, for layers of other sizes."""
    earlier, later = known.layer(random, 2, 6, 3), known.layer(random, 1, 6, 4)
    earlier["W_O"][0] = 0.0
    runs = [
        answer.tensor(
            answer(earlier, later, "V", n, seed=number),
            shape=(n, 2, 1),
            dims=SAMPLES,
            of="as many samples as were asked for",
        ).double()
        for n, number in ((3, seeds[0]), *((3, number) for number in seeds), (1, seeds[0]))
    ]
    answer.expect_close(
        torch.stack(runs[:4])[..., 0, 0],
        torch.zeros(4, 3),
        property="a head that writes nothing scores 0 however it is turned",
        otherwise="0 divided by 0 is not a number; the score is 0 there.",
    )
    same = torch.allclose(runs[0], runs[1], atol=1e-6)
    others = [torch.allclose(*pair, atol=1e-6) for pair in combinations(runs[1:4], 2)]
    answer.expect(
        same and not any(others),
        property="the seed decides the samples: the same seed gives the same, another seed others",
        misconception="`seed` is not used, or not for all that is random.",
        got=f"{'the same' if same else 'other'} samples for the same seed, "
        f"{'the same' if any(others) else 'other'} samples for another",
    )


@check
def check_composition_z_scores(answer: Answer, *, seed: int = 0) -> None:
    """Distances from the null's mean in its own standard deviations, pair by pair."""
    random = inputs.generator(seed)
    for n_samples, n_earlier, n_later in ((7, 3, 2), (24, 1, 4)):
        spread = 0.1 + 0.3 * torch.rand(n_earlier, n_later, generator=random)
        middle = 0.2 + 0.3 * torch.rand(n_earlier, n_later, generator=random)
        # Cubed, so that the median is not the mean.
        noise = (inputs.normal(random, n_samples, n_earlier, n_later) + 0.7) ** 3
        null = middle + spread * noise
        scores = middle + 3 * spread * inputs.normal(random, n_earlier, n_later)
        answer.expect_close(
            answer(scores, null),
            known.z_scores(scores, null),
            property="it is the score less the mean of its own pair's null, over that null's "
            "standard deviation",
            dims=PAIR,
            misconceptions=known.wrong_z_scores(scores.double(), null.double()),
        )
    null = 0.0885 + 0.0025 * inputs.normal(random, 40, 1, 1)
    scores = torch.tensor([[0.136]])
    answer.expect_close(
        answer(scores, null),
        known.z_scores(scores, null),
        property="one pair is enough, and a narrow null gives large values",
        dims=PAIR,
        otherwise="something is added to the standard deviation.",
        rtol=2e-3,
    )
    # Powers of two, so that means are exact in whatever order they are summed.
    null = inputs.integers(random, 5, 4, 3, 2) / 8
    null[:, 0, 0], null[:, 1, 1], null[0, 2, 0] = 0.0, 0.25, 2.0
    scores = null.mean(0)
    scores[2, 1] += 1.0
    null[:2, 2, 1] = torch.tensor([0.0, 0.5])
    answer.expect_close(
        answer(scores, null),
        known.z_scores(scores, null),
        property="it is 0 where the score is the null's mean, and 0, not NaN, where the null does "
        "not vary either",
        dims=PAIR,
    )


@check
def check_virtual_head_ov(answer: Answer, *, seed: int = 0) -> None:
    """Two OV circuits after each other, for each pair of heads."""
    random = inputs.generator(seed)
    for n_earlier, n_later, d_earlier, d_later, d_model in LAYERS:
        earlier = known.layer(random, n_earlier, d_model, d_earlier)
        later = known.layer(random, n_later, d_model, d_later)
        got = answer.expect_close(
            answer(earlier, later),
            known.virtual_circuits(earlier, later),
            property="it is the earlier head's W_V @ W_O and then the later one's, for every pair "
            "of heads",
            dims="earlier later d_model d_model",
            misconceptions=known.wrong_circuits(earlier, later),
            atol=1e-3,
        )
    for i, j in ((0, 1), (1, 0)):
        state = inputs.normal(random, 1, d_model).double()
        for weights, head in ((earlier, i), (later, j)):
            moved = (state if weights is earlier else moved) @ known.ov(weights)[head]
        answer.expect_close(
            state @ got[i, j],
            moved,
            property="a state that meets it comes out as what the later head writes of it",
            atol=1e-3,
        )


@check
def check_virtual_head_pattern(answer: Answer, *, seed: int = 0) -> None:
    """Two patterns after each other, for each pair of heads."""
    random = inputs.generator(seed)
    for n_texts, n_earlier, n_later, n_pos in ((2, 3, 4, 5), (3, 2, 2, 6), (1, 1, 2, 1)):
        earlier, later = (
            slow.attention_pattern(
                *(2 * inputs.normal(random, n_texts, n_pos, heads, 3) for _ in "qk")
            ).float()
            for heads in (n_earlier, n_later)
        )
        got = answer.expect_close(
            answer(earlier, later),
            known.virtual_patterns(earlier, later),
            property="a query looks where the earlier head looks from the positions at which the "
            "later head looks, for every pair of heads",
            dims="batch earlier later query key",
            misconceptions=known.wrong_patterns(earlier, later) if n_pos > 1 else {},
        )
        answer.expect_close(
            got.sum(-1),
            torch.ones(n_texts, n_earlier, n_later, n_pos),
            property="rows sum to 1",
            dims="batch earlier later query",
        )


@check
def check_logits_by_order(answer: Answer, *, seed: int = 0) -> None:
    """Logits of all paths through at most so many heads, in models of no to eleven layers."""
    random = inputs.generator(seed)
    sizes = ((0, 2, 5, 3, 4), (1, 2, 5, 3, 6), (2, 3, 4, 2, 4), (3, 1, 6, 3, 5), (2, 1, 1, 3, 4))
    for n_layers, n_texts, n_pos, n_heads, d_head in sizes:
        weights = inputs.transformer_weights(
            random, n_layers=n_layers, n_heads=n_heads, d_head=d_head
        )
        tokens = inputs.integers(random, 11, n_texts, n_pos)
        patterns = (
            known.run_patterns(tokens, weights)
            if n_layers
            else torch.ones(0, n_texts, n_heads, n_pos, n_pos)
        ).float()
        layers = f"{n_layers} layer{'s' * (n_layers != 1)}"
        texts = "texts of one token" if n_pos == 1 else f"a model with {layers}"
        got = answer.expect_close(
            answer(tokens, patterns, weights),
            known.logits_by_order(tokens, patterns, weights),
            property=f"every order holds the paths through at most so many heads, in {texts}",
            dims=ORDERS,
            misconceptions=known.wrong_orders(tokens, patterns, weights, from_run=True)
            if n_layers and n_pos > 1
            else {known.POSITIONS_IN_STREAM: known.with_positions(tokens, patterns, weights)},
            atol=1e-4,
        )
        answer.expect_close(
            got[-1],
            slow.logits(tokens, weights),
            property="the last order is what the model says",
            dims="batch pos d_vocab",
            atol=1e-3,
        )
    _hold_given_patterns(answer, random)


def _hold_given_patterns(answer: Answer, random: torch.Generator) -> None:
    """Hold that patterns are used as given, in models of three and eleven layers."""
    for n_layers, n_heads, d_model in ((3, 2, 5), (11, 1, 3)):
        weights = inputs.transformer_weights(
            random, n_layers=n_layers, n_heads=n_heads, d_model=d_model, d_head=2
        )
        tokens = inputs.integers(random, 11, 2, 4)
        q, k = (inputs.normal(random, 2, 4, n_layers * n_heads, 3) for _ in "qk")
        patterns = slow.attention_pattern(q, k).float().unflatten(1, (n_layers, n_heads))
        patterns = patterns.transpose(0, 1)
        if n_layers < 10:
            wrong = known.wrong_orders(tokens, patterns, weights, from_run=False)
        else:
            as_text = known.with_layers(weights, sorted(range(n_layers), key=str))
            wrong = {
                "the layers ran in the order of their names as text, 10 before 2.": (
                    known.logits_by_order(tokens, patterns, as_text)
                )
            }
        answer.expect_close(
            answer(tokens, patterns, weights),
            known.logits_by_order(tokens, patterns, weights),
            property="the patterns are used as they are given, three layers of them or eleven",
            dims=ORDERS,
            misconceptions=wrong,
            atol=1e-3,
        )


@check
def check_term_importance(answer: Answer, *, seed: int = 0) -> None:
    """Falls of the mean loss from order to order, the first from a uniform guess."""
    random = inputs.generator(seed)
    for n_orders, n_texts, n_pos, d_vocab in ((4, 3, 5, 7), (3, 2, 4, 12)):
        logits = 2 * inputs.normal(random, n_orders, n_texts, n_pos, d_vocab)
        tokens = inputs.integers(random, d_vocab, n_texts, n_pos)
        logits[1] += 2 * torch.nn.functional.one_hot(tokens.roll(-1, 1), d_vocab)
        answer.expect_close(
            answer(logits, tokens),
            known.importance(logits, tokens),
            property="it is the fall of the mean next-token loss, in nats, from one order to the "
            "next, and for order 0 from a uniform guess; negative where the loss rises",
            dims="order",
            misconceptions=known.wrong_importance(logits, tokens),
        )
    for n_orders, n_texts, n_pos, d_vocab, size in (
        (1, 4, 3, 5, 1),
        (3, 1, 2, 9, 1),
        (2, 2, 3, 6, 150),
    ):
        logits = size * inputs.normal(random, n_orders, n_texts, n_pos, d_vocab)
        tokens = inputs.integers(random, d_vocab, n_texts, n_pos)
        answer.expect_close(
            answer(logits, tokens),
            known.importance(logits, tokens),
            property="it is so for one order, for one text of two tokens, and where a model is "
            "sure and wrong",
            dims="order",
            atol=1e-4,
        )


@check
def check_path_effect(answer: Answer, *, seed: int = 0) -> None:
    """The rise of the loss where one head goes without what another wrote, in one input."""
    random = inputs.generator(seed)
    some = torch.tensor([True, False, False, True, True, False])
    last = torch.tensor([False, False, False, True])
    every = torch.ones(8, dtype=torch.bool)
    one = torch.ones(1, dtype=torch.bool)
    # In the first model every head of one layer is one of the other too: `earlier` and `later`
    # may be exchanged without an error.
    both = [(*pair, kind) for kind in "QKV" for pair in ((1, 0), (0, 1))]
    cases = (
        ((3, 2), (4, 5), both, some, 2),
        ((3, 4), (3, 2), [(2, 2, "K"), (0, 3, "Q"), (1, 1, "V")], last, 1),
        ((1, 3), (6, 3), [(0, 2, "Q"), (0, 1, "V")], every, 1),
        ((2, 1), (2, 4), [(0, 0, "V"), (1, 0, "V")], one, 3),
    )
    for heads, d_heads, paths, counted, n_texts in cases:
        tokens, weights, right, wrong = known.paths_case(
            random, heads, d_heads, paths, counted, n_texts
        )
        got = [
            answer.tensor(answer(tokens, weights, *path, counted), shape=(), of=RISE).double()
            for path in paths
        ]
        _hold_effects(answer, paths, torch.stack(got), right, wrong)


def _hold_effects(
    answer: Answer,
    paths: list[known.Path],
    got: Tensor,
    right: Tensor,
    wrong: dict[str, Tensor],
) -> None:
    """Hold the effects of some paths; a mistake is named only if it explains all of them.

    A single number is within reach of some mistake's by mere chance.
    """
    fits = torch.isclose(got, right, atol=5e-5, rtol=1e-4)
    words = ""
    if not fits.all():
        explains = (
            text for text, x in wrong.items() if torch.allclose(got, x, atol=2e-5, rtol=1e-4)
        )
        words = next(explains, "") or _right_where(paths, fits) or symptom(got, right, "path")
    at = int((got - right).abs().nan_to_num(torch.inf).masked_fill(fits, -1.0).argmax())
    answer.expect(
        fits.all(),
        property=RISE,
        misconception=words,
        expected=f"{right[at]:.5g} for the path {_path(paths[at])}",
        got=f"{got[at]:.5g}",
    )


def _right_where(paths: list[known.Path], fits: Tensor) -> str:
    """For which paths the effect is right, where it is for some; in terms of kinds if possible."""
    good = [path for path, fit in zip(paths, fits.tolist(), strict=True) if fit]
    kinds = list(dict.fromkeys(path[2] for path in good))
    if not good:
        return ""
    if len(good) == sum(path[2] in kinds for path in paths):
        listed = " and ".join(f'"{kind}"' for kind in kinds)
        return f"it is right where kind is {listed} and wrong elsewhere."
    return f"it is right {', '.join(map(_path, good))}, and wrong for the other paths tried."


def _path(path: known.Path) -> str:
    """A path in words."""
    return f"from head 0.{path[0]} to the {known.INPUT[path[2]]} of head 1.{path[1]}"


@check
def check_idle_composition(answer: Answer, *, seed: int = 0) -> None:
    """A built model in which a large K-composition does nothing and a smaller one does all."""
    random = inputs.generator(seed)
    any_size = tuple((4 + inputs.integers(random, 12, 2)).tolist())
    for d_vocab, n_ctx in ((5, 6), (4, 4), (11, 9), (6, 17), any_size):
        weights = _model_of(answer, answer(d_vocab, n_ctx), d_vocab, n_ctx)
        _hold_idle(answer, weights, inputs.integers(random, d_vocab, 40, n_ctx))


def _model_of(answer: Answer, got: Any, d_vocab: int, n_ctx: int) -> known.Weights:
    """The weights of a two-layer model, or a finding that says why these are none."""
    names = known.model_names()
    given = set(got) if isinstance(got, dict) else set()
    missing, extra = sorted(set(names) - given), sorted(map(str, given - set(names)))
    answer.expect(
        not missing and not extra,
        property=MODEL,
        expected=", ".join(names),
        got="; ".join(
            [f"a {type(got).__name__}"] * (not isinstance(got, dict))
            + [f"none called {', '.join(missing)}"] * bool(missing)
            + [f"also {', '.join(extra)}"] * bool(extra)
        ),
    )
    d_model = _size(got["embed.W_E"], 1)
    answer.expect(
        d_model <= 64,
        property=MODEL,
        expected="embed.W_E of shape [d_vocab d_model]",
        got=f"a d_model of {d_model}",
    )
    sizes = {"d_vocab": d_vocab, "n_ctx": n_ctx, "d_model": d_model, "head": 2}
    weights = {}
    for name in names:
        if "attn" in name:
            layer = name.removesuffix(name.split("_")[-1])
            sizes["d_head"] = _size(got[f"{layer}Q"], 2)
        dims = known.DIMS[name.split(".")[-1]]
        shape = tuple(sizes[dim] for dim in dims.split())
        weights[name] = answer.tensor(
            got[name], shape=shape, dims=dims, of=f"{name} has the right shape"
        ).double()
        largest = weights[name].abs().max() if weights[name].numel() else torch.tensor(0.0)
        answer.expect(
            bool(largest <= 100),
            property=MODEL,
            misconception="a score of a few dozen above the others is as good as infinite."
            if largest.isfinite()
            else "",
            got=f"{largest:.4g} as the largest size in {name}",
        )
    return weights


def _size(value: Any, axis: int) -> int:
    """The size of a weight's axis, or 1 where it has no such axis."""
    try:
        return torch.as_tensor(value).shape[axis]
    except (ValueError, TypeError, RuntimeError, IndexError):
        return 1


class _Facts(NamedTuple):
    """What an idle and a busy key path do: scores, and changes of logits without each path."""

    idle: float
    busy: float
    by_idle: Tensor  # the largest change of each prediction
    by_busy: Tensor

    @property
    def mean(self) -> float:
        """The busy path's mean change."""
        # Whether the last position's prediction counts is left open, so either mean will do.
        return max(float(self.by_busy.mean()), float(self.by_busy[:, :-1].mean()))

    @property
    def ranked(self) -> bool:
        return self.idle >= 0.5 - 1e-6 and self.idle >= 2 * self.busy - 1e-6

    @property
    def asked(self) -> bool:
        """Whether the one path is idle and the other busy."""
        return bool(self.by_idle.max() <= 1e-3) and self.mean >= 0.5 - 1e-6


def _facts(
    weights: known.Weights,
    tokens: Tensor,
    idle: tuple[int, int] = (0, 0),
    busy: tuple[int, int] = (1, 1),
) -> _Facts:
    scores = known.ratio(*known.writes_and_reads(weights)).nan_to_num(0.0)
    whole = known.without_path(tokens, weights)
    changes = (
        (known.without_path(tokens, weights, "K", (first,), (second,)) - whole).abs().amax(-1)
        for first, second in (idle, busy)
    )
    return _Facts(float(scores[idle]), float(scores[busy]), *changes)


def _roles(weights: known.Weights, tokens: Tensor, facts: _Facts) -> str:
    """In which other arrangement the model is what was asked for, if in one."""
    turned = _Facts(facts.idle, facts.busy, facts.by_busy, facts.by_idle)
    if turned.ranked and turned.asked:
        return (
            "the roles are reversed: the path from 0.0 to 1.0, with the larger score, does the "
            "work, and the one from 0.1 to 1.1 does nothing."
        )
    for idle, busy, whose in (
        ((1, 1), (0, 0), "the two heads of each layer"),
        ((1, 0), (0, 1), "layer 0's two heads"),
        ((0, 1), (1, 0), "layer 1's two heads"),
    ):
        other = _facts(weights, tokens, idle, busy)
        if other.asked and other.idle > other.busy:
            return (
                f"{whose} are in each other's place: here the path from 0.{idle[0]} to "
                f"1.{idle[1]} has the larger score and does nothing, and the one from "
                f"0.{busy[0]} to 1.{busy[1]} does the work."
            )
    return ""


def _hold_idle(answer: Answer, weights: known.Weights, tokens: Tensor) -> None:
    """Hold what the two key paths score, and what each changes."""
    facts = _facts(weights, tokens)
    idle, busy = facts.idle, facts.busy
    roles = "" if facts.ranked and facts.asked else _roles(weights, tokens, facts)
    answer.expect(
        idle >= 0.5 - 1e-6,
        property="head 0.0's K-composition score with head 1.0 is at least 0.5",
        misconception=roles or "what 0.0 writes and what 1.0's keys read share too few directions.",
        got=f"{idle:.3f}",
    )
    answer.expect(
        idle >= 2 * busy - 1e-6,
        property="it is at least twice the score of 0.1 with 1.1",
        misconception=roles
        or "0.1 can spread what it writes over directions that 1.1's keys do not read.",
        expected=f"at most {idle / 2:.3f} for 0.1 with 1.1",
        got=f"{busy:.3f}, where 0.0 with 1.0 has {idle:.3f}",
    )
    answer.expect(
        bool(facts.by_idle.max() <= 1e-3),
        property="without the key path from 0.0 to 1.0 no logit changes by more than 0.001",
        misconception=roles
        or "head 1.0 looks elsewhere without it: its queries meet what these keys "
        "hold, and not every key holds the same.",
        got=f"a change of {facts.by_idle.max():.3g}",
    )
    answer.expect(
        facts.mean >= 0.5 - 1e-6,
        property="without the key path from 0.1 to 1.1 the largest change of each prediction is "
        "at least 0.5 on average",
        misconception=roles
        or (
            "it changes nothing: head 1.1 looks where it looked, or what it moves reaches no logit."
            if facts.by_busy.max() < 1e-6
            else "it matters too little, or to too few predictions."
        ),
        got=f"{facts.mean:.3g}, over {facts.by_busy.numel()} predictions in {len(tokens)} random "
        f"texts of {tokens.shape[1]} out of {weights['embed.W_E'].shape[0]} tokens",
    )
