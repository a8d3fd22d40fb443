"""Checks of `ch02_induction_heads/4_write_and_break_it.ipynb`."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mechcourse.boundary import is_own_model
from mechcourse.checks import Answer, check
from mechcourse.checks import _inputs as inputs
from mechcourse.checks._planted import Head as PlantedHead
from mechcourse.checks._planted import planted
from mechcourse.checks.ch02_induction_heads import _by_hand as by_hand
from mechcourse.checks.ch02_induction_heads import _write_and_break_it as known
from mechcourse.models import Transformer, TransformerConfig

TEACHES = ("mechcourse.smeared.SmearedAttention.smear",)

APART = 0.02  # at least so far lies each named mistake from the truth


@check
def check_induction_qk_circuit(answer: Answer, *, seed: int = 0) -> None:
    """The circuit of two heads, of one d_head and of two."""
    random = inputs.generator(seed)
    sizes = ((9, 7, 3, 5), (8, 6, 4, 4), (5, 11, 6, 2), (1, 4, 2, 3))
    for d_vocab, d_model, d_earlier, d_later in sizes:
        W_E = inputs.normal(random, d_vocab, d_model)
        previous = known.random_head(random, d_model, d_earlier)
        induction = known.random_head(random, d_model, d_later)
        given = (W_E, previous, induction)
        answer.expect_close(
            answer(*given),
            known.qk_circuit(*given),
            property="the score between a query at each token and a key at which the earlier head "
            "has written each token",
            dims="query_token token_before_key",
            misconceptions=known.wrong_qk_circuits(*given) if d_vocab > 5 else {},
            atol=1e-4,
        )


@check
def check_diagonal_accuracy(answer: Answer, *, seed: int = 0) -> None:
    """Shares of rows, weighed; ties; a single token."""
    random = inputs.generator(seed)
    for n in (21, 26):
        for weighed in (False, True):
            circuit, weights = _told_apart_circuit(random, n, weighed)
            answer.expect_close(
                answer(circuit, weights) if weighed else answer(circuit),
                known.diagonal_accuracy(circuit, weights),
                property="the share of query tokens whose own entry is the largest of its row"
                + ", by their weights" * weighed,
                misconceptions=known.wrong_diagonal_accuracies(circuit, weights),
            )
    for words, circuit in (
        ("a circuit of zeros, in which all entries share the first place", torch.zeros(4, 4)),
        ("entries that are all below 0", -torch.ones(3, 3) - torch.arange(3.0)),
        ("a vocabulary of one token", torch.tensor([[-0.5]])),
        ("a diagonal that is largest everywhere", torch.eye(5) - 3),
    ):
        answer.expect_close(
            answer(circuit), known.diagonal_accuracy(circuit), property=f"it is right for {words}"
        )


@check
def check_write_induction_by_hand(answer: Answer, *, seed: int = 0) -> None:
    """Names, shapes, finite values; then the second copies, block length by block length."""
    weights = _as_weights(answer, answer())
    model = by_hand.transformer(weights)
    tried = by_hand.trials(model, inputs.generator(seed))
    answer.expect(
        all(trial.logits.isfinite().all() for trial in tried),
        property="all logits are numbers",
        misconception="scores or logits overflow float32; smaller weights will do.",
        got="logits that are infinite or NaN",
    )
    worst = min(tried, key=lambda trial: trial.accuracy)
    failing = [trial for trial in tried if trial.accuracy < by_hand.ENOUGH]
    if failing:
        answer.fail(
            property="for blocks of each length from 4 to 16, at least 99 % of the second copy's "
            "tokens, all but its first, have the largest logit",
            misconception=by_hand.diagnosis(tried),
            expected="at least 99 % at each of the 13 lengths",
            got=f"{worst.accuracy:.1%} for blocks of {worst.period} tokens; "
            f"{len(failing)} of 13 lengths fall short",
        )
    answer.expect(
        True,
        property="the largest logit is the right token's in at least 99 % of the second copy, for "
        f"blocks of each length from 4 to 16 (the worst: {worst.accuracy:.1%}, of "
        f"{worst.period})",
    )


@check
def check_key_path_leads(answer: Answer, *, seed: int = 0) -> None:
    """Leads by part, in models of up to three layers; with no query; their sum."""
    random = inputs.generator(seed)
    for n_layers, n_heads, head in ((2, 3, (1, 1)), (3, 2, (2, 0)), (2, 4, (0, 2)), (1, 2, (0, 1))):
        case = _leads_case(random, n_layers, n_heads, head)
        told_apart = n_layers > 1 and head[0] == n_layers - 1
        _hold_leads(answer, *case, told_apart=told_apart)
    model, tokens, right, wrong, head = _leads_case(random, 2, 3, (1, 2))
    empty = torch.zeros_like(right)
    for words, masks in (("right", (empty, wrong)), ("wrong", (right, empty))):
        got = _as_leads(answer, answer(model, tokens, *masks, head), model, head)
        answer.expect_close(
            got,
            torch.zeros(len(got)),
            property=f"every lead is 0 where no query has a {words} key",
            dims="part",
            otherwise="a mean over no query at all: say what it is.",
        )


@check
def check_smeared_keys(answer: Answer, *, seed: int = 0) -> None:
    """The mixture, for shares of all sizes; a text of one token; the ends."""
    random = inputs.generator(seed)
    for n_batch, n_pos, n_heads, d_head in ((2, 6, 4, 3), (3, 5, 2, 7), (1, 4, 3, 4)):
        k = inputs.normal(random, n_batch, n_pos, n_heads, d_head)
        alpha = 2 * inputs.normal(random, n_heads)
        alpha[0], alpha[1] = 0.7 + alpha[0].abs(), -0.7 - alpha[1].abs()
        answer.expect_close(
            answer(k, alpha),
            known.smeared(k, alpha),
            property="each key but the first is sigmoid(alpha) of itself and the rest of the one "
            "before",
            dims="batch pos head d_head",
            misconceptions=known.wrong_smeared(k, alpha),
        )
    k, alpha = inputs.normal(random, 2, 1, 3, 4), inputs.normal(random, 3)
    answer.expect_close(
        answer(k, alpha),
        k,
        property="in a text of one token the key stays as it is",
        dims="batch pos head d_head",
    )
    k = inputs.normal(random, 2, 5, 2, 3)
    answer.expect_close(
        answer(k, torch.tensor([60.0, -60.0])),
        torch.stack([k[:, :, 0], torch.cat([k[:, :1, 1], k[:, :-1, 1]], dim=1)], dim=2),
        property="a large alpha leaves the keys as they are, one far below 0 takes those before",
        dims="batch pos head d_head",
    )


@check
def check_resample_ablation(answer: Answer, *, seed: int = 0) -> None:
    """Shares in models of up to three layers, random and planted; all kept, none, and no loss."""
    random = inputs.generator(seed)
    cases = [_random_resampling(random, *sizes) for sizes in ((2, 3, 3), (3, 2, 4), (1, 4, 2))]
    for case in cases:
        several, truth = case.model.config.n_layers > 1, known.kept_share(case)
        cut = {"the share was cut off at 0 or 1; it may lie beyond.": min(max(truth, 0.0), 1.0)}
        _hold_share(
            answer,
            case,
            property="the share kept is (L_all - L) / (L_all - L_model), with all heads resampled "
            "that are not kept",
            misconceptions=known.wrong_kept_shares(case) if several else cut,
        )
    case = cases[0]
    every = known.heads_of(case.model)
    for words, kept in (("1 if all heads are kept", every), ("0 if none is", [])):
        _hold_share(answer, _keeping(case, kept), property=f"it is {words}")
    case = _planted_resampling(random)
    for kept in (case.kept, [h for h in known.heads_of(case.model) if h not in case.kept]):
        _hold_share(
            answer,
            _keeping(case, kept),
            property="it is right in a model with a real induction head, for the heads that do "
            "the work and for the others",
        )
    silent = _silenced(cases[0])
    answer.expect_close(
        answer(silent.model, silent.tokens, silent.other, silent.counted, silent.kept),
        0.0,
        property="it is 0 where resampling all heads changes no loss",
        otherwise="this divides by 0: say what it is.",
    )


# ------------------------------------------------------------------------------------- inputs


def _apart(truth: float, wrong: list[float]) -> bool:
    """Whether all wrong values are far enough from the truth, and no two of them alike."""
    between = torch.tensor(wrong, dtype=torch.float64).sort().values.diff()
    far = min(abs(value - truth) for value in wrong) > APART * (1 + abs(truth))
    return far and float(between.min()) > APART / 4


def _told_apart_circuit(
    random: torch.Generator, n: int, weighed: bool
) -> tuple[Tensor, Tensor | None]:
    """A circuit with a large diagonal here and there, and ties, that knows all mistakes apart."""
    while True:
        circuit = inputs.normal(random, n, n).mul(4).round() / 2  # so that there are ties
        circuit += torch.diag(torch.rand(n, generator=random).mul(6).round())
        for row in range(n):  # shares the first place with a later token, or an earlier one
            if row % 3 == 0:
                other = (row + (1 if row % 2 else n - 1)) % n
                circuit[row, row] = circuit[row, other] = circuit[row].max()
        weights = torch.rand(n, generator=random).mul(5).add(0.1) if weighed else None
        right = known.diagonal_accuracy(circuit, weights)
        wrong = list(known.wrong_diagonal_accuracies(circuit, weights).values())
        if 0.2 < right < 0.8 and _apart(right, wrong):
            return circuit, weights


def _model(
    random: torch.Generator, n_layers: int, n_heads: int, *, loud: float = 1.0
) -> Transformer:
    """A model with random weights, whose heads write `loud` times as much as they would."""
    d_model, d_head, d_vocab, n_ctx = 9, 4, 12, 13
    sizes = {"d_model": d_model, "n_heads": n_heads, "d_head": d_head, "n_ctx": n_ctx}
    weights = inputs.transformer_weights(random, n_layers=n_layers, d_vocab=d_vocab, **sizes)
    for name in weights:
        if name.endswith("W_O"):
            weights[name] *= loud
    with torch.random.fork_rng(devices=[]):
        model = Transformer(TransformerConfig(n_layers, d_vocab=d_vocab, **sizes))
    model.load_state_dict(weights)
    return model


LeadsCase = tuple[Transformer, Tensor, Tensor, Tensor, known.Head]


def _leads_case(
    random: torch.Generator, n_layers: int, n_heads: int, head: known.Head
) -> LeadsCase:
    """A random model, texts and masks, by which every named mistake shows."""
    n_batch, n_pos = 3, 8
    while True:
        model = _model(random, n_layers, n_heads, loud=2.0)
        tokens = inputs.integers(random, model.config.d_vocab, n_batch, n_pos)
        drawn = torch.rand(n_batch, n_pos, n_pos, generator=random).tril()
        asks = torch.rand(2, n_batch, n_pos, 1, generator=random) < 0.7
        right, wrong = (drawn > 0.7) & asks[0], (drawn > 0.1) & (drawn < 0.6) & asks[1]
        case = (model, tokens, right, wrong, head)
        n_both = (right.any(-1) & wrong.any(-1)).sum(dim=1)
        if len(set(n_both.tolist())) < n_batch or n_both.min() < 1:
            continue
        if n_layers == 1 or head[0] < n_layers - 1:
            return case
        truth = _true_leads(case)
        if all((w - truth).abs().max() > APART for w in known.wrong_leads(*case).values()):
            return case


def _true_leads(case: LeadsCase) -> Tensor:
    model, tokens, right, wrong, head = case
    keys = known.keys_of(model, tokens, head)
    return known.leads([keys.scores(part) for part in keys.parts.values()], right, wrong)


def _random_resampling(
    random: torch.Generator, n_layers: int, n_heads: int, n_batch: int
) -> known.Resampling:
    """A random model, some of whose heads are kept, by which every named mistake shows."""
    n_pos = 9
    while True:
        model = _model(random, n_layers, n_heads, loud=2.0)
        tokens, other = (
            inputs.integers(random, model.config.d_vocab, n_batch, n_pos) for _ in range(2)
        )
        counted = torch.rand(n_batch, n_pos, generator=random) < 0.5
        counted[0, 0] = True  # the first token has no loss, whatever the mask says
        every = known.heads_of(model)
        order = torch.randperm(len(every), generator=random).tolist()
        kept = [every[i] for i in order[: len(every) // 2]]
        case = known.Resampling(model, tokens, other, counted, kept)
        if not counted[:, 1:].any() or abs(case.loss([]) - case.loss(every)) < 0.5:
            continue
        truth = known.kept_share(case)
        if n_layers == 1:  # where the kept heads do harm, or better without the rest
            if not -APART < truth < 1 + APART:
                return case
            continue
        wrong = list(known.wrong_kept_shares(case).values())
        if _apart(truth, wrong):
            return case


def _planted_resampling(random: torch.Generator) -> known.Resampling:
    """A hand-built model that does induction with two of its heads, and texts that repeat."""
    layers = [
        [
            PlantedHead("previous", fills_slot=True),
            PlantedHead("current"),
            PlantedHead("noise", 0.5),
        ],
        [PlantedHead("first"), PlantedHead("duplicate"), PlantedHead("induction", writes="copies")],
    ]
    n_ctx, d_vocab, n_texts = 24, 26, 4
    model = planted(random, layers, n_ctx=n_ctx, d_vocab=d_vocab)
    tokens, other = (
        torch.stack(
            [torch.randperm(d_vocab, generator=random)[:period] for _ in range(n_texts)]
        ).repeat(1, n_ctx // period + 1)[:, :n_ctx]
        for period in (9, 7)
    )
    counted = (torch.arange(n_ctx) > 9).expand(n_texts, -1).clone()
    return known.Resampling(model, tokens, other, counted, [(0, 0), (1, 2)])


def _keeping(case: known.Resampling, kept: list[known.Head]) -> known.Resampling:
    return known.Resampling(case.model, case.tokens, case.other, case.counted, kept)


def _silenced(case: known.Resampling) -> known.Resampling:
    """The same with heads that write nothing."""
    weights = {
        name: torch.zeros_like(weight) if name.endswith("W_O") else weight
        for name, weight in case.model.state_dict().items()
    }
    with torch.random.fork_rng(devices=[]):
        model = Transformer(case.model.config)
    model.load_state_dict(weights)
    return known.Resampling(model, case.tokens, case.other, case.counted, case.kept)


# --------------------------------------------------------------------------------- properties


def _as_weights(answer: Answer, got: Any) -> dict[str, Tensor]:
    """Weights by name, of the right shapes and finite, or a finding."""
    property = "it returns the weights of such a transformer, by their names"
    if is_own_model(got):
        answer.fail(
            property=property,
            misconception="this is a model; return its weights: `model.state_dict()`.",
            expected="a dict of tensors",
            got=f"a {type(got).__name__}",
        )
    shapes = by_hand.shapes()
    if not isinstance(got, dict):
        answer.fail(property=property, expected="a dict of tensors", got=f"a {type(got).__name__}")
    missing, extra = sorted(set(shapes) - set(got)), sorted(map(str, set(got) - set(shapes)))
    if missing or extra:
        answer.fail(
            property=property,
            misconception="the names are those of `Transformer(…).state_dict()`.",
            expected=f"{len(shapes)} names: {', '.join(shapes)}",
            got="; ".join(
                [f"none called {', '.join(missing[:4])}"] * bool(missing)
                + [f"also {', '.join(extra[:4])}"] * bool(extra)
            ),
        )
    weights = {name: _as_weight(answer, name, got[name], shapes[name]) for name in shapes}
    _hold_heads(answer, weights)
    return weights


def _as_weight(answer: Answer, name: str, got: Any, shape: list[int | str]) -> Tensor:
    """One weight, in float32."""
    property = f"{name} has the shape [{' '.join(map(str, shape))}]"
    if not isinstance(got, Tensor):
        answer.fail(property=property, expected="a tensor", got=f"a {type(got).__name__}")
    sizes = list(got.shape)
    known_sizes = [have for have, want in zip(sizes, shape, strict=False) if want != "head"]
    if len(sizes) != len(shape) or known_sizes != [want for want in shape if want != "head"]:
        swapped = sorted(known_sizes) == sorted(want for want in shape if want != "head")
        words = "two axes are in each other's place." * (swapped and len(sizes) == len(shape))
        if len(sizes) == len(shape) - 1 and "head" in shape:
            words = (
                "the axis of heads is missing, of size 1 where there is one head: `weight[None]`."
            )
        answer.fail(
            property=property,
            misconception=words,
            expected=f"[{' '.join(map(str, shape))}]",
            got=f"shape {sizes}",
        )
    if got.is_complex() or not got.double().float().isfinite().all():
        answer.fail(
            property=f"{name} holds finite numbers",
            misconception="a mask of -inf belongs to the scores; a large number will do here.",
            expected="finite real numbers, in float32",
            got="complex numbers" if got.is_complex() else "infinite values or NaN",
        )
    return got.float()


def _hold_heads(answer: Answer, weights: Mapping[str, Tensor]) -> None:
    """As many heads everywhere, one to four."""
    counts = {name: len(weight) for name, weight in weights.items() if ".attn." in name}
    found = sorted(set(counts.values()))
    answer.expect(
        len(found) == 1 and 1 <= found[0] <= by_hand.MOST_HEADS,
        property="both layers have as many heads, one to four",
        misconception="a layer that needs fewer gets heads of zeros beside them."
        * (len(found) > 1),
        expected=f"one number of heads, from 1 to {by_hand.MOST_HEADS}",
        got=", ".join(f"{n} in {name}" for name, n in list(counts.items())[:8])
        if len(found) > 1
        else f"{found[0]} heads",
    )


def _hold_leads(
    answer: Answer,
    model: Transformer,
    tokens: Tensor,
    right: Tensor,
    wrong: Tensor,
    head: known.Head,
    *,
    told_apart: bool,
) -> None:
    case = (model, tokens, right, wrong, head)
    got = _as_leads(answer, answer(*case), model, head)
    answer.expect_close(
        got,
        _true_leads(case),
        property="the lead of the right keys over the wrong ones by each part of the keys (here "
        f"token, position, then the earlier heads in their order), for a head of layer {head[0]}",
        dims="part",
        misconceptions=known.wrong_leads(*case) if told_apart else {},
        atol=2e-4,
    )


def _part_names(model: Transformer, head: known.Head) -> list[str]:
    earlier = [f"{a}.{b}" for a, b in known.heads_of(model) if a < head[0]]
    return ["token", "position", *earlier]


def _as_leads(answer: Answer, got: Any, model: Transformer, head: known.Head) -> Tensor:
    """The leads in the order of the parts, or a finding on names or kinds."""
    names = _part_names(model, head)
    property = "it returns a lead by the name of each part of the keys"
    if not isinstance(got, dict):
        answer.fail(property=property, expected="a dict of numbers", got=f"a {type(got).__name__}")
    missing, extra = [n for n in names if n not in got], [k for k in got if k not in names]
    if missing or extra:
        listed = "; ".join(
            [f"none called {', '.join(missing)}"] * bool(missing)
            + [f"also {', '.join(map(repr, extra))}"] * bool(extra)
        )
        later = any(f"{head[0]}.{h}" in extra for h in range(model.config.n_heads))
        answer.fail(
            property=property,
            misconception="heads of the same layer write only after this one has read." * later,
            expected=f"for head {head[0]}.{head[1]}: {', '.join(names)}",
            got=listed,
        )
    values = [answer.tensor(got[name], shape=(), of=f'the lead of "{name}"') for name in names]
    return torch.stack([value.double() for value in values])


def _hold_share(
    answer: Answer,
    case: known.Resampling,
    *,
    property: str,
    misconceptions: Mapping[str, float] | None = None,
) -> None:
    answer.expect_close(
        answer(case.model, case.tokens, case.other, case.counted, case.kept),
        known.kept_share(case),
        property=property,
        misconceptions=misconceptions,
        atol=1e-3,
        rtol=1e-3,
    )
