"""Checks of `ch02_induction_heads/3_prove_the_mechanism.ipynb`."""

from copy import deepcopy
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from mechcourse.checks import Answer, check
from mechcourse.checks import _inputs as inputs
from mechcourse.checks._planted import Head as PlantedHead
from mechcourse.checks._planted import planted
from mechcourse.checks.ch02_induction_heads import _prove_the_mechanism as known
from mechcourse.models import Transformer

TEACHES = ()

APART = 0.05  # at least so far lies each named mistake from the truth, in nats, logits or shares
LARGEST_SHARE = 4.0  # of a logit difference: beyond it, rounding is no longer small
EVERY_MODE = (*known.MODES, known.PRESERVING)
REPLACEMENTS = {
    "zero": "zero",
    "mean": "its mean over all texts and positions",
    "mean by position": "its mean over texts at each position",
}
DIRECTIONS = {
    "denoising": "the share of the logit difference that each head's clean output restores in the "
    "corrupted texts ('denoising')",
    "noising": "the share of the logit difference that is lost when each head's output in the "
    "clean texts is taken from the corrupted ones ('noising')",
}


@check
def check_ablate_head(answer: Answer, *, seed: int = 0) -> None:
    """The three replacements, on several sizes; another mode."""
    random = inputs.generator(seed)
    sizes = ((3, 5, 4, 6, 2), (2, 6, 3, 7, 1), (3, 4, 2, 1, 0), (1, 3, 3, 4, 2), (4, 1, 5, 2, 3))
    for n_batch, n_pos, n_heads, d, head in sizes:
        for mode in known.MODES:
            activation = _activation(random, n_batch, n_pos, n_heads, d)
            several = min(n_batch, n_pos, d) > 1 and max(n_batch, n_pos, d) > head
            told_apart = several and head < min(n_batch, n_pos, d)
            answer.expect_close(
                answer(activation, head, mode),
                known.without(activation, head, mode),
                property=f"with {mode!r}, the head's part is {REPLACEMENTS[mode]}, and the other "
                "heads' parts are as they were",
                dims="batch pos head d",
                misconceptions=known.wrong_withouts(activation, head, mode) if told_apart else {},
            )
    for mode in ("median", "mean by text", "none"):
        answer.expect_error(
            "ValueError",
            *(_activation(random, 2, 3, 3, 4), 1, mode),
            property=f"it raises a ValueError for a mode that is none of the three, {mode!r}",
            misconception="a mode that nobody knows must not pass for another one.",
        )


@check
def check_ablated_logits(answer: Answer, *, seed: int = 0) -> None:
    """Heads of one layer and of several, in all modes; none; a single text; nothing left behind."""
    random = inputs.generator(seed)
    for model, tokens, lists in _ablating_cases(seed):
        for ablated in lists:
            for mode in EVERY_MODE:
                _hold_logits(answer, model, tokens, ablated, mode, told_apart=True)
        for mode in EVERY_MODE:
            _hold_logits(answer, model, tokens, [], mode)
    model = known.random_model(random, 2, 3)
    for n_batch, n_pos in ((1, 6), (3, 1), (1, 1)):
        tokens = inputs.integers(random, model.config.d_vocab, n_batch, n_pos)
        for mode in EVERY_MODE:
            _hold_logits(answer, model, tokens, [(0, 2), (1, 1)], mode)


@check
def check_ablation_effect(answer: Answer, *, seed: int = 0) -> None:
    """Each head's effect in all modes; texts with more and fewer tokens that count, and none."""
    for case in _losing_cases(seed):
        answer.expect_close(
            answer(*case.given, case.mode),
            known.effects(case),
            property="the mean loss over the predictable tokens of all texts with one head "
            f"ablated, less that of the model as it is, in nats ({case.mode!r})",
            dims="layer head",
            misconceptions=known.wrong_effects(case),
            atol=1e-4,
        )


@check
def check_activation_patch(answer: Answer, *, seed: int = 0) -> None:
    """Shares in both directions; no difference to share out."""
    for case, direction in _patching_cases(seed):
        answer.expect_close(
            answer(*case.given, direction),
            known.patched(case, direction),
            property=DIRECTIONS[direction],
            dims="layer head",
            misconceptions=known.wrong_patches(case, direction),
            atol=1e-3,
            rtol=1e-3,
        )
    case, direction = _patching_cases(seed)[0]
    model, *texts = case.given
    answer.expect_close(
        answer(_softly(model), *texts, direction),
        known.patched(case, direction),
        property="the shares are the same where all logits are a thousand times smaller",
        dims="layer head",
        otherwise="a small difference was taken for none. Shares are 0 only where it is 0.",
        atol=1e-3,
        rtol=1e-3,
    )
    for case, why in _without_difference(inputs.generator(seed)):
        for direction in DIRECTIONS:
            answer.expect_close(
                answer(*case.given, direction),
                torch.zeros(case.model.config.n_layers, case.model.config.n_heads),
                property=f"every share is 0 where D_clean is D_corrupted, as it is where {why}",
                dims="layer head",
                otherwise="a share of no difference at all: say what it is.",
            )


@check
def check_path_patch_effect(answer: Answer, *, seed: int = 0) -> None:
    """The three paths between heads, neighbours or not, with layers after or not."""
    for case, sender, receiver in _path_cases(seed):
        answer.expect_close(
            _as_paths(answer, answer(*case.given, sender, receiver)),
            known.paths(case, sender, receiver),
            property="the share of the logit difference that is lost when only the receiver's "
            "queries, only its keys, only its values (in this order) read the sender's output of "
            "the corrupted texts",
            dims="path",
            misconceptions=known.wrong_paths(case, sender, receiver),
            atol=1e-3,
            rtol=1e-3,
        )
    for case, why in _without_difference(inputs.generator(seed)):
        answer.expect_close(
            _as_paths(answer, answer(*case.given, (0, 1), (1, 2))),
            torch.zeros(3),
            property=f"every share is 0 where D_clean is D_corrupted, as it is where {why}",
            dims="path",
            otherwise="a share of no difference at all: say what it is.",
        )


@check
def check_joint_ablation_excess(answer: Answer, *, seed: int = 0) -> None:
    """Pairs of a layer and of two, in all modes; heads whose part is known; a single head."""
    for case, heads in _joint_cases(seed):
        answer.expect_close(
            answer(*case.given, heads, case.mode),
            known.excess(case, heads),
            property="for each pair of the list, the rise of the loss when both are ablated in one "
            f"run, less the sum of their rises alone, and 0 on the diagonal ({case.mode!r})",
            dims="one other",
            misconceptions=known.wrong_excesses(case, heads),
            atol=1e-4,
        )
    answer.expect_close(
        answer(*case.given, heads[:1], case.mode),
        torch.zeros(1, 1),
        property="a single head has no partner: its one entry is 0",
        dims="one other",
    )
    for words, case, heads in _planted_pairs(seed):
        answer.expect_close(
            answer(*case.given, heads, case.mode),
            known.excess(case, heads),
            property=words,
            dims="one other",
            atol=1e-3,
            rtol=1e-3,
        )


# ------------------------------------------------------------------------------------- inputs


def _activation(random: torch.Generator, *shape: int) -> Tensor:
    """Values with a mean of its own for each text, position, head and component."""
    n_batch, n_pos, n_heads, d = shape
    offsets = [(n_batch, 1, 1, 1), (1, n_pos, 1, 1), (1, 1, n_heads, 1), (1, 1, 1, d)]
    return inputs.normal(random, *shape) + sum(inputs.normal(random, *one) for one in offsets) + 0.7


# Cases take a while to find; whoever checks again has them at once. Answers get copies of them.


@lru_cache(maxsize=1)
def _ablating_cases(seed: int) -> list[tuple[Transformer, Tensor, list[list[known.Head]]]]:
    random = inputs.generator(seed, salt=1)
    sizes = (
        (2, 3, [[(0, 1)], [(1, 0), (1, 2)], [(1, 1), (0, 2)]]),
        (3, 4, [[(0, 2)], [(1, 3)], [(2, 0), (0, 3), (1, 2)], [(0, 1), (0, 2)]]),
        (1, 4, [[(0, 2)], [(0, 3), (0, 1)]]),
    )
    return [(*_ablating(random, *size), size[2]) for size in sizes]


@lru_cache(maxsize=1)
def _losing_cases(seed: int) -> list[known.Losing]:
    random = inputs.generator(seed, salt=2)
    sizes = (
        (2, 3, EVERY_MODE),
        (3, 2, ("zero", known.PRESERVING)),
        (1, 4, ("mean", "mean by position")),
    )
    return [_losing(random, *size, mode) for *size, modes in sizes for mode in modes]


@lru_cache(maxsize=1)
def _joint_cases(seed: int) -> list[tuple[known.Losing, list[known.Head]]]:
    random = inputs.generator(seed, salt=3)
    sizes = (
        (2, 3, "zero", [(1, 1), (0, 2), (0, 0)]),
        (2, 3, "mean", [(1, 1), (0, 2), (0, 0)]),
        (3, 4, known.PRESERVING, [(0, 3), (2, 1), (0, 1), (1, 2)]),
        (1, 4, "mean by position", [(0, 3), (0, 1), (0, 0)]),
    )
    return [(_losing(random, *size), size[-1]) for size in sizes]


@lru_cache(maxsize=1)
def _patching_cases(seed: int) -> list[tuple[known.Patching, str]]:
    random, sizes = inputs.generator(seed, salt=4), ((2, 3), (3, 2), (1, 4))
    return [
        (_patching(random, *size, direction), direction)
        for size in sizes
        for direction in DIRECTIONS
    ]


def _softly(model: Transformer) -> Transformer:
    """The same model, with all its logits a thousand times smaller."""
    softer = deepcopy(model)
    with torch.no_grad():
        softer.unembed.W_U /= 1000
    return softer


@lru_cache(maxsize=1)
def _path_cases(seed: int) -> list[tuple[known.Patching, known.Head, known.Head]]:
    random = inputs.generator(seed, salt=5)
    sizes = (
        (2, 3, (0, 1), (1, 2)),
        (3, 3, (0, 2), (2, 0)),
        (3, 4, (0, 3), (1, 1)),
        (3, 2, (1, 0), (2, 0)),
        (4, 2, (0, 1), (2, 1)),
    )
    return [(_path(random, *size), *size[2:]) for size in sizes]


def _ablating(
    random: torch.Generator, n_layers: int, n_heads: int, lists: list[list[known.Head]]
) -> tuple[Transformer, Tensor]:
    """A model and texts by which every named mistake shows, for each list of heads."""
    while True:
        model = known.random_model(random, n_layers, n_heads)
        tokens = inputs.integers(random, model.config.d_vocab, 3, 6)
        if all(
            _are_apart(
                known.logits_without(model, tokens, ablated, mode),
                known.wrong_logits(model, tokens, ablated, mode),
            )
            for ablated in lists
            for mode in EVERY_MODE
        ):
            return model, tokens


def _are_apart(right: Tensor, wrong: known.Wrong) -> bool:
    """Whether every named mistake is far enough from the truth."""
    scale = 1 + right.abs().max()
    return all(not (value() - right).abs().max() < APART * scale for value in wrong.values())


def _losing(
    random: torch.Generator,
    n_layers: int,
    n_heads: int,
    mode: str,
    heads: list[known.Head] | None = None,
) -> known.Losing:
    """A model, texts and predictable tokens by which every named mistake shows.

    Texts differ in how many of their tokens count. In one it is the first alone, which never does.
    """
    n_batch, n_pos = 4, 7
    while True:
        model = known.random_model(random, n_layers, n_heads, d_vocab=6)
        tokens = inputs.integers(random, 6, n_batch, n_pos)
        often = torch.linspace(0.2, 0.9, n_batch)[:, None]
        predictable = torch.rand(n_batch, n_pos, generator=random) < often
        predictable[-1, 0] = True
        predictable[0] = torch.arange(n_pos) == 0
        predictable = predictable[torch.randperm(n_batch, generator=random)]
        case = known.Losing(model, tokens, predictable, mode)
        if predictable[:, 1:].sum() < 5:
            continue
        if heads:
            right, wrong = known.excess(case, heads), known.wrong_excesses(case, heads)
        else:
            right, wrong = known.effects(case), known.wrong_effects(case)
        both_signs = right.min() < -APART and right.max() > APART
        if both_signs and _are_apart(right, wrong):
            return case


def _patching_case(random: torch.Generator, n_layers: int, n_heads: int) -> known.Patching:
    """Texts in some of whose positions other tokens stand, and a difference that tells."""
    while True:
        model = known.random_model(random, n_layers, n_heads)
        n_batch, n_pos, d_vocab = 4, 6, model.config.d_vocab
        clean = inputs.integers(random, d_vocab, n_batch, n_pos)
        changed = torch.rand(n_batch, n_pos, generator=random) < 0.5
        changed[1:, -1] = False  # most texts end alike: there, the heads carry all
        corrupted = torch.where(changed, inputs.integers(random, d_vocab, n_batch, n_pos), clean)
        right = inputs.integers(random, d_vocab, n_batch)
        wrong = (right + 1 + inputs.integers(random, d_vocab - 1, n_batch)) % d_vocab
        case = known.Patching(model, clean, corrupted, right, wrong)
        runs = case.clean_run, case.corrupted_run
        by_text = case.gaps(runs[0].logits) - case.gaps(runs[1].logits)
        if abs(case.gap) > 1.5 and by_text.abs().min() > 0.3:
            return case


def _patching(
    random: torch.Generator, n_layers: int, n_heads: int, direction: str
) -> known.Patching:
    """A case by which every named mistake shows in this direction."""
    while True:
        case = _patching_case(random, n_layers, n_heads)
        right = known.patched(case, direction)
        if right.abs().max() < LARGEST_SHARE and _are_apart(
            right, known.wrong_patches(case, direction)
        ):
            return case


def _path(
    random: torch.Generator,
    n_layers: int,
    n_heads: int,
    sender: known.Head,
    receiver: known.Head,
) -> known.Patching:
    """A case in which every path carries something, and by which every named mistake shows."""
    while True:
        case = _patching_case(random, n_layers, n_heads)
        right = known.paths(case, sender, receiver)
        if not APART < right.abs().min() <= right.abs().max() < LARGEST_SHARE:
            continue
        if _are_apart(right, known.wrong_paths(case, sender, receiver)):
            return case


def _without_difference(random: torch.Generator) -> list[tuple[known.Patching, str]]:
    """Cases in which D_clean equals D_corrupted to the last bit, however the model is run."""
    one, other = (_patching_case(random, 2, 3) for _ in range(2))
    alike = known.Patching(one.model, one.clean, one.corrupted, one.right, one.right)
    corrupted = other.corrupted.clone()
    corrupted[:, -1] = other.clean[:, -1]
    silent = known.Patching(
        known.silent(other.model), other.clean, corrupted, other.right, other.wrong
    )
    return [
        (alike, "the right token is the wrong one"),
        (silent, "the texts end alike and no head writes anything"),
    ]


@lru_cache(maxsize=1)
def _planted_pairs(seed: int) -> list[tuple[str, known.Losing, list[known.Head]]]:
    """Hand-built models that do induction: with two induction heads, and with one."""
    random = inputs.generator(seed, salt=6)
    previous, noise = PlantedHead("previous", fills_slot=True), PlantedHead("noise", 0.5)
    induction = PlantedHead("induction", writes="copies")
    found = []
    for words, later, heads, sign in (
        (
            "two induction heads that can do without one another have an excess above 0",
            [induction, noise, induction],
            [(1, 2), (1, 0)],
            1,
        ),
        (
            "a previous-token head and the induction head that needs it have one below 0",
            [noise, induction, noise],
            [(1, 1), (0, 0)],
            -1,
        ),
    ):
        while True:
            n_ctx, d_vocab, n_texts, period = 24, 26, 3, 9
            layers = [[previous, noise, PlantedHead("current")], later]
            model = planted(random, layers, n_ctx=n_ctx, d_vocab=d_vocab)
            once = torch.stack(
                [torch.randperm(d_vocab, generator=random)[:period] for _ in range(n_texts)]
            )
            tokens = once.repeat(1, 3)[:, :n_ctx]
            counted = (torch.arange(n_ctx) > period).expand(n_texts, -1).clone()
            case = known.Losing(model, tokens, counted, "zero")
            if sign * known.excess(case, heads)[0, 1] > 0.3:
                found.append((words, case, heads))
                break
    return found


# --------------------------------------------------------------------------------- properties


def _hold_logits(
    answer: Answer,
    model: Transformer,
    tokens: Tensor,
    ablated: list[known.Head],
    mode: str,
    *,
    told_apart: bool = False,
) -> None:
    """Hold the logits without some heads."""
    which = f"heads {', '.join(f'{layer}.{head}' for layer, head in ablated)} ablated"
    answer.expect_close(
        answer(model, tokens, ablated, mode),
        known.logits_without(model, tokens, ablated, mode),
        property=f"the logits are those of a run with {which if ablated else 'nothing ablated'} "
        f"({mode!r}), in a model of {_counted(model.config.n_layers, 'layer')} with texts of "
        f"{_counted(tokens.shape[1], 'token')}",
        dims="batch pos d_vocab",
        misconceptions=known.wrong_logits(model, tokens, ablated, mode) if told_apart else {},
        atol=1e-3,
        rtol=1e-3,
    )


def _counted(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"


def _as_paths(answer: Answer, got: Any) -> Tensor:
    """The three shares in order, from a dict with just these keys."""
    property = 'returns a dict with a number for each of "Q", "K" and "V"'
    if not isinstance(got, dict) or set(got) != {"Q", "K", "V"}:
        keys = f"the keys {', '.join(map(str, got))}" if isinstance(got, dict) else ""
        answer.fail(
            property=property,
            expected="the keys Q, K and V",
            got=keys or f"a {type(got).__name__}",
        )
    return torch.stack(
        [
            answer.tensor(got[kind], shape=(), of=f"the share of {kind} is one number").double()
            for kind in "QKV"
        ]
    )
