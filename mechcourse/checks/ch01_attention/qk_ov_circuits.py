"""Checks of `ch01_attention/2_qk_ov_circuits.ipynb`."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mechcourse.checks import Answer, CheckFailed, check
from mechcourse.checks import _inputs as inputs
from mechcourse.checks import _slow as slow
from mechcourse.checks.ch01_attention import _qk_ov_circuits as known

TEACHES = (
    "mechcourse.circuits._moved",
    "mechcourse.circuits.copying_score",
    "mechcourse.circuits.logits_by_order",
    "mechcourse.circuits.ov_circuit",
    "mechcourse.circuits.qk_circuit",
    "mechcourse.circuits.top_k_copying_accuracy",
)

LARGEST_SEED = 2**22  # a thousand times as much is still a seed for NumPy
TERMS = "term batch head query key"
HEAD_SIZES = ((3, 11, 7, 6), (2, 8, 9, 3), (1, 8, 6, 1))  # n_heads, d_vocab, d_model, d_head


@check
def check_qk_circuit(answer: Answer, *, seed: int = 0) -> None:
    """Two thin factors whose product is the table of scores."""
    random = inputs.generator(seed)
    for n_heads, d_vocab, d_model, d_head in HEAD_SIZES:
        W_E = inputs.normal(random, d_vocab, d_model)
        W_Q, W_K = (inputs.normal(random, n_heads, d_model, d_head) for _ in range(2))
        left, right = _thin_factors(
            answer, answer(W_E, W_Q, W_K), (n_heads, d_vocab, d_head), known.scores(W_E, W_Q, W_K)
        )
        answer.expect_close(
            left @ right,
            known.scores(W_E, W_Q, W_K),
            property="left @ right holds the scores of query tokens (rows) for key tokens "
            "(columns), divided by sqrt(d_head)",
            dims="head query key",
            misconceptions=known.wrong_scores(W_E, W_Q, W_K) if d_head > 1 else {},
            atol=1e-4,
        )


@check
def check_full_qk_circuit(answer: Answer, *, seed: int = 0) -> None:
    """The block of the QK circuit between tokens in any order."""
    random = inputs.generator(seed)
    for n_heads, d_vocab, d_model, d_head in HEAD_SIZES:
        W_E = inputs.normal(random, d_vocab, d_model)
        W_Q, W_K = (inputs.normal(random, n_heads, d_model, d_head) for _ in range(2))
        for which, tokens in _token_choices(random, d_vocab):
            answer.expect_close(
                answer(W_E, W_Q, W_K, tokens),
                known.scores(W_E, W_Q, W_K)[:, tokens][:, :, tokens],
                property=f"entry [h, i, j] is the score of tokens[i] for tokens[j], for {which}",
                dims="head query key",
                misconceptions=known.wrong_score_blocks(W_E, W_Q, W_K, tokens)
                if d_head > 1 and len(set(tokens.tolist())) not in (1, d_vocab)
                else {},
                atol=1e-4,
            )


@check
def check_score_terms(answer: Answer, *, seed: int = 0) -> None:
    """Scores split by token and position of query and key."""
    random = inputs.generator(seed)
    sizes = ((2, 5, 3, 7, 6), (3, 1, 2, 5, 6), (1, 9, 1, 6, 1))  # the last fills the context
    for n_batch, n_pos, n_heads, d_model, d_head in sizes:
        W_E, W_pos = inputs.normal(random, 11, d_model), 2 * inputs.normal(random, 9, d_model)
        W_Q, W_K = (inputs.normal(random, n_heads, d_model, d_head) for _ in range(2))
        tokens = inputs.integers(random, 11, n_batch, n_pos)
        given = (tokens, W_E, W_pos, W_Q, W_K)
        answer.expect_close(
            answer(*given),
            known.score_terms(*given),
            property="four terms of every score: token with token, token with position, position "
            "with token, position with position, query first",
            dims=TERMS,
            misconceptions=known.wrong_terms(*given) if n_pos > 1 and d_head > 1 else {},
            atol=1e-4,
        )


@check
def check_ov_circuit(answer: Answer, *, seed: int = 0) -> None:
    """Two thin factors whose product is the table of logits, rows centred."""
    random = inputs.generator(seed)
    for sizes in HEAD_SIZES:
        weights = _writing_weights(random, *sizes)
        right_whole = known.centred(known.said(*weights))
        n_heads, d_vocab, _, d_head = sizes
        got = answer(*weights)
        left, right = _thin_factors(answer, got, (n_heads, d_vocab, d_head), right_whole)
        answer.expect_close(
            left @ right,
            right_whole,
            property="left @ right holds what looking at a token (row) adds to each logit "
            "(column), less the row's mean over the vocabulary",
            dims="head source out",
            misconceptions=known.wrong_circuits(*weights) if d_head > 1 else {},
            atol=1e-4,
        )


@check
def check_full_ov_circuit(answer: Answer, *, seed: int = 0) -> None:
    """The block of the OV circuit between tokens in any order, centred over all."""
    random = inputs.generator(seed)
    for sizes in HEAD_SIZES:
        weights, d_vocab = _writing_weights(random, *sizes), sizes[1]
        whole = known.centred(known.said(*weights))
        for which, tokens in _token_choices(random, d_vocab):
            answer.expect_close(
                answer(*weights, tokens),
                whole[:, tokens][:, :, tokens],
                property="entry [h, i, j] is what looking at tokens[i] adds to the logit of "
                f"tokens[j], less its mean over the whole vocabulary, for {which}",
                dims="head source out",
                misconceptions=known.wrong_circuit_blocks(*weights, tokens)
                if sizes[-1] > 1 and len(set(tokens.tolist())) not in (1, d_vocab)
                else {},
                atol=1e-4,
            )


@check
def check_path_expansion_logits(answer: Answer, *, seed: int = 0) -> None:
    """Each path's own logits, and their sum."""
    random = inputs.generator(seed)
    for n_batch, n_pos, n_heads, d_model, d_head in ((2, 5, 3, 7, 4), (3, 1, 2, 5, 6)):
        tokens = inputs.integers(random, 11, n_batch, n_pos)
        weights = inputs.transformer_weights(
            random, n_layers=1, n_heads=n_heads, d_model=d_model, d_head=d_head
        )
        weights["unembed.W_U"] += 2 * inputs.normal(random, d_model, 1)
        given = (tokens, _pattern(tokens, weights), *_paths_weights(weights))
        parts = _hold_paths(answer, given, named=n_pos > 1)
        answer.expect_close(
            parts[0].double() + parts[1].double().sum(dim=1),
            slow.logits(tokens, weights),
            property="the direct path and all heads' paths sum to the model's logits",
            dims="batch pos d_vocab",
            atol=1e-4,
        )
    # One text, one head, and a pattern that looks ahead.
    tokens = torch.tensor([[4, 1, 4, 0]])
    weights = inputs.transformer_weights(random, n_layers=1, n_heads=1, d_model=6, d_head=1)
    pattern = inputs.normal(random, 1, 1, 4, 4).softmax(-1)
    given = (tokens, pattern, *_paths_weights(weights))
    got = answer.expect_tuple(answer(*given), ("direct", "by_head"))
    masked = pattern.tril() / pattern.tril().sum(dim=-1, keepdim=True)
    for value, right, wrong in zip(
        got, known.paths(*given), known.paths(tokens, masked, *given[2:]), strict=True
    ):
        answer.expect_close(
            value,
            right,
            property="it is so for one text and one head, and the pattern is used as it is",
            misconceptions={"later keys were masked and the pattern made to sum to 1 again.": wrong}
            if value is got[1]
            else {},
            atol=1e-4,
        )


@check
def check_skip_trigrams(answer: Answer, *, seed: int = 0) -> None:
    """The tokens that prefer each source most, and those that it raises most."""
    random = inputs.generator(seed)
    sizes = ((13, 7, 5, 4, 3), (9, 6, 1, 3, 9), (8, 5, 3, 2, 1))
    for d_vocab, d_model, d_head, n_sources, k in sizes:
        many = d_head > 1 and k > 1  # else some mistakes give the right tokens by chance
        weights, sources, ranks = _ranking_case(
            random, (d_vocab, d_model, d_head, n_sources, k), told_apart=many
        )
        got = answer.expect_tuple(answer(*weights, sources, k), ("destinations", "outputs"))
        for place, (property, values, ranked) in enumerate(ranks):
            _hold_ranking(
                answer, got[place], values, k, property=property, ranked=ranked if many else {}
            )


@check
def check_forced_skip_trigrams(answer: Answer, *, seed: int = 0) -> None:
    """All that a head raises that joins each source's destinations with its outputs."""
    random = inputs.generator(seed)
    words = _words(random, 12)
    for case in (
        # First one that can be read, and that shows most mistakes.
        [("keep", "in", "mind"), ("keep", "at", "bay"), ("fall", "in", "love")],
        _trigrams(random, words[:3], words[3:7], words[7:], 11),
        _trigrams(random, words[:4], words[:4], words[:4], 9),  # a word may stand anywhere
        [("keep", "in", "mind"), ("keep", "at", "bay")],
        [(words[0], words[1], words[2])],
        [],
    ):
        _hold_forced(answer, case)


@check
def check_copying_score(answer: Answer, *, seed: int = 0) -> None:
    """The eigenvalues' sum over the sum of their moduli."""
    random = inputs.generator(seed)
    for n_heads, d_vocab, d_model, d_head in ((4, 13, 8, 5), (2, 9, 6, 1), (1, 14, 7, 3)):
        weights = _writing_weights(random, n_heads, d_vocab, d_model, d_head)
        while not known.clear_eigenvalues(*weights) or (
            n_heads > 2
            and not known.told_apart(
                known.copying_scores(*weights), known.wrong_copying_scores(*weights)
            )
        ):
            weights = _writing_weights(random, n_heads, d_vocab, d_model, d_head)
        got = answer(*weights)
        if isinstance(got, Tensor) and got.is_complex():
            answer.fail(
                property="the score is a real number",
                misconception="eigenvalues that are not real come in pairs, x + iy and x - iy, so "
                "their sum is real: take its real part.",
                got=f"dtype {got.dtype}",
            )
        answer.expect_close(
            got,
            known.copying_scores(*weights),
            property="the sum of the centred circuit's eigenvalues over the sum of their moduli",
            dims="head",
            misconceptions=known.wrong_copying_scores(*weights) if n_heads > 2 else {},
            atol=1e-3,
        )
    weights, scores = _planted_scores(random)
    answer.expect_close(
        answer(*weights),
        scores,
        property="a head scores 1 where all its eigenvalues are positive, -1 where all are "
        "negative, what their real parts and moduli say where they are complex, and 0 if it "
        "writes nothing",
        dims="head",
        atol=3e-3,
    )


@check
def check_top_k_copying_accuracy(answer: Answer, *, seed: int = 0) -> None:
    """The share of tokens that a head puts among the k it raises most."""
    random = inputs.generator(seed)
    for n_heads, d_vocab, d_model, d_head in ((5, 16, 7, 3), (1, 8, 6, 1)):
        weights, counts = _whole_weights(random, n_heads, d_vocab, d_model, d_head)
        whole = known.said(*weights)
        for k in (3, 1, 2, d_vocab):
            got, named = answer(*weights, k, counts), k == 3 and n_heads > 1
            shaped = isinstance(got, Tensor) and got.shape == (n_heads,) and not got.is_complex()
            answer.expect_close(
                got,
                known.copying_accuracies(whole, k, counts),
                property="the weighted share of tokens that have fewer than k others raised as "
                f"much as themselves, or more, for {'k = d_vocab' if k == d_vocab else f'{k=}'}",
                dims="head",
                misconceptions=known.wrong_accuracies(whole, k, counts) if named else {},
                otherwise=known.likely_accuracies(got.double(), whole, k, counts)
                if named and shaped
                else "",
            )


@check
def check_positive_but_not_copying(answer: Answer, *, seed: int = 0) -> None:
    """A built circuit: the copying score is 1, and no token is copied."""
    random = inputs.generator(seed)
    d_vocab = 13 + int(inputs.integers(random, 8))
    sizes = ((5, 2), (3, 1), (3, 2), (9, 1), (7, 5), (d_vocab, 3), (40, 6))
    for d_vocab, d_head in sizes:
        left, right = answer.expect_tuple(answer(d_vocab, d_head), ("left", "right"))
        left = _factor(answer, left, "left", (d_vocab, d_head), "d_vocab d_head")
        right = _factor(answer, right, "right", (d_head, d_vocab), "d_head d_vocab")
        for name, factor in (("left", left), ("right", right)):
            answer.expect(
                factor.isfinite().all(),
                property="all values are finite",
                got=f"{int((~factor.isfinite()).sum())} values of {name} that are not",
            )
        circuit = known.built_circuit(left, right)
        where = f"for d_vocab = {d_vocab} and d_head = {d_head}"
        _hold_positive(answer, circuit, where)
        _hold_not_copying(answer, circuit.whole, where)


@check
def check_copying_score_null(answer: Answer, *, seed: int = 0) -> None:
    """Scores spread as those of heads with normal weights between the model's own embeddings."""
    random = inputs.generator(seed)
    _hold_seeds(answer, random)
    even, wide, uneven = torch.ones(9), torch.logspace(0, 2.5, 9), torch.logspace(0, -4, 8)
    models = (
        # Singular values all alike, but only in the vocabulary's own order.
        ((17, even, wide), 4, 2, 500),
        # One direction far above the others.
        ((23, uneven, uneven.sqrt()), 3, 2, 400),
        # So few dimensions that heads which share a factor resemble each other.
        ((11, even[:2], even[:2]), 2, 24, 150),
    )
    exposed: dict[str, bool] = {}
    for model, d_head, n_calls, n_samples in models:
        W_E, W_U = known.null_model(random, *model)
        seeds = inputs.integers(random, LARGEST_SEED, n_calls).tolist()
        samples = [
            answer.tensor(
                answer(W_E, W_U, d_head, n_samples, seed=one), shape=(n_samples,), dims="sample"
            ).double()
            for one in seeds
        ]
        told = _hold_null(answer, random, torch.stack(samples), W_E, W_U, d_head)
        exposed = {words: told[words] or exposed.get(words, False) for words in told}
    assert all(exposed.values()), f"these models do not expose: {exposed}"


@check
def check_find_copying_heads(answer: Answer, *, seed: int = 0) -> None:
    """Accuracy on heads whose nature is known."""
    random = inputs.generator(seed)
    judged: dict[str, list[bool]] = {}
    for hidden in known.hidden_models(random):
        got = answer(hidden.W_E, hidden.W_V, hidden.W_O, hidden.W_U)
        got = answer.tensor(got, shape=(len(hidden.kinds),), dims="head")
        answer.expect(
            got.dtype == torch.bool or ((got == 0) | (got == 1)).all(),
            property="one truth value for each head",
            misconception="this is a score; say from where on a head counts as copying.",
            got=f"values from {float(got.min()):.3g} to {float(got.max()):.3g}",
        )
        for kind, called in zip(hidden.kinds, got.bool().tolist(), strict=True):
            judged.setdefault(kind, []).append(called == (kind in known.COPYING))
    _hold_judgements(answer, judged)


# ------------------------------------------------------------------------------------- inputs


def _writing_weights(
    random: torch.Generator, n_heads: int, d_vocab: int, d_model: int, d_head: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """W_E, W_V, W_O and W_U, which raises all tokens alike much more than one above another."""
    W_E = inputs.normal(random, d_vocab, d_model) + 0.5 * inputs.normal(random, d_model)
    W_V = inputs.normal(random, n_heads, d_model, d_head)
    W_O = inputs.normal(random, n_heads, d_head, d_model)
    W_U = inputs.normal(random, d_model, d_vocab) + 3 * inputs.normal(random, d_model, 1)
    return W_E, W_V, W_O, W_U


def _token_choices(random: torch.Generator, d_vocab: int) -> list[tuple[str, Tensor]]:
    """Some tokens in no order, one of them twice; all; a single one."""
    some = torch.randperm(d_vocab, generator=random)[:4]
    while some[0] < some[1] < some[2] < some[3]:
        some = torch.randperm(d_vocab, generator=random)[:4]
    return [
        ("tokens in any order, one of them twice", torch.cat([some, some[1:2]])),
        ("all tokens of the vocabulary", torch.arange(d_vocab)),
        ("a single token", torch.randperm(d_vocab, generator=random)[:1]),
    ]


def _ranking_case(
    random: torch.Generator, sizes: tuple[int, ...], *, told_apart: bool
) -> tuple[tuple[Tensor, ...], Tensor, list[tuple[str, Tensor, dict[str, Tensor]]]]:
    """One head's weights, sources, and for destinations and outputs what is to be ranked.

    Args:
        told_apart: whether each mistake must give other tokens than the right ones.
    """
    d_vocab, d_model, d_head, n_sources, k = sizes
    while True:
        W_E = inputs.normal(random, d_vocab, d_model) + 0.7 * inputs.normal(random, d_model)
        W_Q, W_K, W_V = (inputs.normal(random, d_model, d_head) for _ in range(3))
        W_O, W_U = inputs.normal(random, d_head, d_model), inputs.normal(random, d_model, d_vocab)
        sources = torch.randperm(d_vocab, generator=random)[:n_sources]
        if n_sources > 2:
            sources[-1] = sources[0]  # asked for twice
        whole = known.chained(W_E, W_V, W_O, W_U)
        preferred = known.preferences(W_E, W_Q, W_K)[:, sources].T
        ranks = [
            (
                "destinations are the k tokens that prefer each source most, as queries, the "
                "strongest first",
                preferred,
                {"these are the outputs; the destinations come first.": whole[sources]}
                | known.wrong_destinations(W_E, W_Q, W_K, sources),
            ),
            (
                "outputs are the k tokens whose logits each source raises most, the strongest "
                "first",
                whole[sources],
                {
                    "these are the destinations; the outputs come second.": preferred,
                    "right was centred over d_head, not over the vocabulary: its axes are [head "
                    "d_head d_vocab], so the vocabulary is the last.": known.chained(
                        W_E, W_V, W_O - W_O.mean(dim=0), W_U
                    )[sources],
                }
                | known.wrong_outputs(whole, sources),
            ),
        ]
        exposed = [
            known.told_apart(
                values.topk(k).values,
                {words: values.gather(1, w.topk(k).indices) for words, w in ranked.items()},
            )
            for _, values, ranked in ranks
        ]
        if all(exposed) or not told_apart:
            return (W_E, W_Q, W_K, W_V, W_O, W_U), sources, ranks


def _pattern(tokens: Tensor, weights: inputs.Weights) -> Tensor:
    """Where the heads of a one-layer model look."""
    states = weights["embed.W_E"][tokens] + weights["pos_embed.W_pos"][: tokens.shape[1]]
    q, k = (
        torch.einsum("bpm,hmd->bphd", states, weights[f"blocks.0.attn.{name}"])
        for name in ("W_Q", "W_K")
    )
    return slow.attention_pattern(q, k).float()


def _paths_weights(weights: inputs.Weights) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    attn = "blocks.0.attn."
    return (
        weights["embed.W_E"],
        weights[f"{attn}W_V"],
        weights[f"{attn}W_O"],
        weights["unembed.W_U"],
    )


def _words(random: torch.Generator, n: int) -> list[str]:
    """Different words, some with capitals or a blank, which come first where Python sorts.

    Those without would come first by their letters.
    """
    found: list[str] = []
    while len(found) < n:
        style = len(found) % 3
        letters = inputs.integers(random, 13, 3).tolist()
        word = "".join(chr(ord("n" if style else "a") + letter) for letter in letters)
        word = (word, word.title(), f" {word}")[style]
        if word not in found:
            found.append(word)
    return found


def _trigrams(
    random: torch.Generator, sources: list[str], destinations: list[str], outputs: list[str], n: int
) -> list[known.Trigram]:
    """Trigrams that force others and know each mistake from the right answer."""
    while True:
        picks = [
            [words[i] for i in inputs.integers(random, len(words), n).tolist()]
            for words in (sources, destinations, outputs)
        ]
        wanted = list(zip(*picks, strict=True))
        right = known.forced(wanted)
        differ = all(set(wrong) != set(right) for wrong in known.wrong_forced(wanted).values())
        by_letters = sorted(right, key=lambda trigram: [word.strip().lower() for word in trigram])
        # One is wanted twice.
        if len(right) > 2 and len(set(wanted)) < n and differ and right != by_letters:
            return wanted


def _planted_scores(random: torch.Generator) -> tuple[tuple[Tensor, ...], Tensor]:
    """Heads whose eigenvalues are known: W_E, W_V, W_O and W_U, and their scores."""
    spectra = (
        [[3.0], [1.0], [0.5]],
        [[-2.0], [-1.0], [-0.3]],
        [[1.0, 2.0], [3.0]],
        [[-0.5, 1.5], [-1.0]],
        [[2.0], [-1.0], [-1.0]],
    )
    W_E = inputs.normal(random, 15, 9)
    W_U = inputs.normal(random, 9, 15) + 2 * inputs.normal(random, 9, 1)
    heads = [
        known.planted_head(random, W_E, W_U, known.turned(random, spectrum, lean=0.7))
        for spectrum in spectra
    ]
    heads += [(torch.zeros(9, 3), heads[0][1]), (heads[0][0], torch.zeros(3, 9))]
    five, ten = 5**0.5, 2.5**0.5
    scores = [1.0, -1.0, 5 / (2 * five + 3), -2 / (2 * ten + 1), 0.0, 0.0, 0.0]
    order = torch.randperm(len(heads), generator=random)
    W_V, W_O = (torch.stack(factors)[order] for factors in zip(*heads, strict=True))
    return (W_E, W_V, W_O, W_U), torch.tensor(scores)[order]


def _whole_weights(
    random: torch.Generator, n_heads: int, d_vocab: int, d_model: int, d_head: int
) -> tuple[tuple[Tensor, Tensor, Tensor, Tensor], Tensor]:
    """Weights in whole numbers, with whole row means in W_U, so that all ties are exact.

    Also how much each token counts.
    """
    while True:
        W_E = inputs.integers(random, 7, d_vocab, d_model).float() - 3
        W_E[3] = W_E[6]  # two tokens that nothing tells apart
        W_V = inputs.integers(random, 5, n_heads, d_model, d_head).float() - 2
        W_O = W_V.mT.clone()  # the first heads copy
        if n_heads > 1:
            W_O[-3] *= -1  # one lowers what it sees,
            W_O[-2] = inputs.integers(random, 5, d_head, d_model).float() - 2
            W_O[-1] = 0  # and one writes nothing
        W_U = W_E.T + inputs.integers(random, 9, d_model, 1)
        W_U[:, -1] -= W_U.sum(dim=1) % d_vocab
        counts = inputs.integers(random, 9, d_vocab).float()
        counts[[1, -1]] = torch.tensor([0.0, 7.0])
        whole = known.said(W_E, W_V, W_O, W_U)
        right, wrong = (
            known.copying_accuracies(whole, 3, counts),
            known.wrong_accuracies(whole, 3, counts),
        )
        if n_heads == 1 or known.told_apart(right[:-1], {w: v[:-1] for w, v in wrong.items()}):
            return (W_E, W_V, W_O, W_U), counts


# ----------------------------------------------------------------------------------- properties


def _thin_factors(
    answer: Answer, got: Any, shape: tuple[int, int, int], whole: Tensor
) -> tuple[Tensor, Tensor]:
    """The two factors in float64, each of d_head by d_vocab, or a finding."""
    n_heads, d_vocab, d_head = shape
    if isinstance(got, Tensor) and got.shape == whole.shape:
        answer.fail(
            property="returns two thin factors, left and right",
            misconception="this is the whole circuit, d_vocab by d_vocab for each head: for 50,000 "
            "tokens that would be 2.5 billion numbers a head. Give the factors, not their product.",
            expected=f"shapes {[n_heads, d_vocab, d_head]} and {[n_heads, d_head, d_vocab]}",
            got=f"one tensor of shape {list(got.shape)}",
        )
    left, right = answer.expect_tuple(got, ("left", "right"))
    wanted = ((n_heads, d_vocab, d_head), (n_heads, d_head, d_vocab))
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        shapes = (tuple(left.shape), tuple(right.shape))
        if shapes == wanted[::-1] and shapes != wanted:
            answer.fail(
                property="returns two thin factors, left and right",
                misconception="the factors are in each other's place: left has a row for each "
                "token, right a column.",
                expected=f"shapes {list(wanted[0])} and {list(wanted[1])}",
                got=f"shapes {list(shapes[0])} and {list(shapes[1])}",
            )
        if shapes != wanted and _multiplies_to(left, right, whole):
            answer.fail(
                property="the factors are thin",
                misconception="their product is right, but they are wider than d_head: keep each "
                "to d_head numbers a token, which is all that the head can tell apart.",
                expected=f"shapes {list(wanted[0])} and {list(wanted[1])}",
                got=f"shapes {list(shapes[0])} and {list(shapes[1])}",
            )
    return (
        _factor(answer, left, "left", wanted[0], "head d_vocab d_head").double(),
        _factor(answer, right, "right", wanted[1], "head d_head d_vocab").double(),
    )


def _factor(answer: Answer, got: Any, name: str, shape: tuple[int, ...], dims: str) -> Tensor:
    """One factor, or a finding that says what of it is wrong: its shape, or its type."""
    real = isinstance(got, Tensor) and not got.is_complex()
    held = f"the shape of {name}" if real else f"{name} is a tensor of real numbers"
    return answer.tensor(got, shape=shape, dims=dims, of=held)


def _multiplies_to(left: Tensor, right: Tensor, whole: Tensor) -> bool:
    if left.ndim != 3 or right.ndim != 3 or left.shape[2] != right.shape[1]:
        return False
    if left.is_complex() or right.is_complex() or len(left) != len(right):
        return False
    product = left.double() @ right.double()
    return product.shape == whole.shape and torch.allclose(product, whole, atol=1e-3, rtol=1e-3)


def _hold_paths(answer: Answer, given: tuple[Tensor, ...], *, named: bool) -> tuple[Tensor, Tensor]:
    """Hold the direct path and each head's, and return them."""
    got = answer.expect_tuple(answer(*given), ("direct", "by_head"))
    direct, by_head = known.paths(*given)
    first = answer.expect_close(
        got[0],
        direct,
        property="direct is what each token's embedding adds to the logits by itself",
        dims="batch pos d_vocab",
        misconceptions=known.wrong_direct(direct, by_head) if named else {},
        atol=1e-4,
    )
    if isinstance(got[1], Tensor) and got[1].shape == direct.shape and named:
        answer.fail(
            property="each head's part is kept apart",
            misconception="the heads' parts were added up; keep the head axis.",
            expected=f"shape [batch head pos d_vocab] = {list(by_head.shape)}",
            got=f"shape {list(got[1].shape)}",
        )
    second = answer.expect_close(
        got[1],
        by_head,
        property="by_head is what each head adds to the logits: its OV circuit's rows for the "
        "tokens, weighed by where it looks",
        dims="batch head pos d_vocab",
        misconceptions=known.wrong_paths(*given) if named else {},
        atol=1e-4,
    )
    return first, second


def _hold_ranking(
    answer: Answer,
    got: Any,
    values: Tensor,
    k: int,
    *,
    property: str,
    ranked: Mapping[str, Tensor],
) -> None:
    """Hold that these are the k largest of each row of values, the largest first.

    Tokens are compared by their values, so that those which tie may stand for each other.

    Args:
        ranked: what was ranked in place of values, by the words for that mistake.
    """
    n, size = values.shape
    tokens = answer.tensor(got, shape=(n, k), dims="source k", of=property)
    whole = not tokens.is_floating_point() or bool((tokens == tokens.round()).all())
    if not whole or tokens.dtype == torch.bool or ((tokens < 0) | (tokens >= size)).any():
        answer.fail(
            property=property,
            misconception="" if whole else "these are values; the ids of the tokens are asked for.",
            expected=f"ids of tokens, whole numbers from 0 to {size - 1}",
            got=f"values from {float(tokens.min()):.3g} to {float(tokens.max()):.3g}",
        )
    tokens = tokens.long()
    best = values.topk(k)
    if answer.audit:
        for words, wrong in ranked.items():
            found = values.gather(1, wrong.topk(k).indices)
            same = torch.allclose(found, best.values, atol=1e-3, rtol=1e-3)
            assert not same, f"these inputs do not expose: {words}"
    reached = values.gather(1, tokens)
    close = torch.isclose(reached, best.values, atol=1e-4, rtol=1e-4)
    twice = [len(set(row)) < k for row in tokens.tolist()]
    if bool(close.all()) and not any(twice):
        answer.expect(True, property=property)
        return
    row = int((~close).any(dim=1).long().argmax()) if not close.all() else twice.index(True)
    answer.fail(
        property=property,
        misconception=_ranked_by(tokens, best.indices, ranked, twice),
        expected=f"{best.indices[row].tolist()} for source {row}",
        got=str(tokens[row].tolist()),
    )


def _ranked_by(
    tokens: Tensor, right: Tensor, ranked: Mapping[str, Tensor], twice: list[bool]
) -> str:
    """What is probably wrong with a ranking, in words."""
    k = tokens.shape[1]
    for words, wrong in ranked.items():
        found = wrong.gather(1, tokens) if tokens.max() < wrong.shape[1] else wrong[:, :k]
        if torch.allclose(found, wrong.topk(k).values, atol=1e-4, rtol=1e-4):
            return words
    if any(twice):
        return "a token is given twice."
    if bool((tokens.sort(dim=1).values == right.sort(dim=1).values).all()):
        return "these are the right tokens in another order: the strongest comes first."
    if len(tokens) > 2 and bool((tokens == tokens[0]).all()):
        return (
            "every source got the same tokens: was the mean taken over the axis of heads? There is "
            "one head, so that leaves nothing but 0."
        )
    return ""


def _no_set(answer: Answer, wanted: list[known.Trigram]) -> Any:
    """What the answer gives for these trigrams, or a finding that names a set as such."""
    try:
        return answer(wanted)
    except CheckFailed as finding:
        kind = finding.result.got.removeprefix("an object of type ")
        if kind not in ("set", "frozenset"):
            raise
    answer.fail(
        property="it returns a list of (source, destination, output), sorted as Python sorts "
        "tuples",
        misconception="a set has no order: give a sorted list, not a set.",
        expected="a sorted list",
        got=f"an object of type {kind}",
    )


def _hold_forced(answer: Answer, wanted: list[known.Trigram]) -> None:
    """Hold which skip-trigrams are forced, and that they are sorted, each once."""
    got = _no_set(answer, wanted)
    right = known.forced(wanted)
    if answer.audit and right and len({source for source, _, _ in wanted}) > 1:
        for words, wrong in known.wrong_forced(wanted).items():
            assert set(wrong) != set(right), f"these inputs do not expose: {words}"
    listed = isinstance(got, list | tuple) and all(
        isinstance(item, list | tuple) and len(item) == 3 and all(type(w) is str for w in item)
        for item in got
    )
    if not listed:
        answer.fail(
            property="it returns a list of (source, destination, output)",
            expected="a list of tuples of three words",
            got=f"a {type(got).__name__}, {str(got)[:60]!r}".replace("  ", " "),
        )
    found = [tuple(item) for item in got]
    if set(found) == set(right):
        repeated = len(found) > len(set(found))
        answer.expect(
            found == right,
            property="each is given once, sorted as Python sorts tuples",
            misconception="some are given more than once."
            if repeated
            else "they are the right ones in another order.",
            expected=_listed(right),
            got=_listed(found),
        )
    words = next(
        (
            words
            for words, wrong in known.wrong_forced(wanted).items()
            if set(wrong) == set(found) and found
        ),
        f"{known.MIXED}." if known.mixes_sources(found, wanted) else "",
    )
    missing, extra = sorted(set(right) - set(found)), sorted(set(found) - set(right))
    answer.expect(
        not missing and not extra,
        property="every destination of a source goes with every output of it, and those that are "
        "not wanted are given",
        misconception=words,
        expected=f"{_listed(right)} for the wanted {_listed(wanted)}",
        got="; ".join(
            [f"none of {_listed(missing)}"] * bool(missing)
            + [f"also {_listed(extra)}"] * bool(extra)
        ),
    )


def _listed(trigrams: list[known.Trigram]) -> str:
    """The first few, in words; each blank shown."""
    shown = ", ".join("/".join(repr(word) for word in trigram) for trigram in trigrams[:4])
    more = f" and {len(trigrams) - 4} more" * (len(trigrams) > 4)
    return f"{shown}{more}" if trigrams else "none"


def _hold_positive(answer: Answer, circuit: known.Circuit, where: str) -> None:
    """Hold that what is not 0 among the eigenvalues is real and positive, and no rounding."""
    size, values = float(circuit.whole.norm()), circuit.eigenvalues
    answer.expect(
        size > 0,
        property="the circuit does something",
        misconception="every entry of left @ right is 0.",
        got=f"a circuit of zeros {where}",
    )
    total = float(values.real.sum())
    answer.expect(
        total >= 0.00099 * size,
        property="the eigenvalues' sum is at least 0.001 of the circuit's Frobenius norm",
        misconception="their sum is the trace, the sum of the diagonal; what each row has beside "
        "the diagonal must leave it something."
        if total > -0.00099 * size
        else "their sum is the trace, and it is negative.",
        expected="0.001 or more",
        got=f"{total / size:.2g} of the norm {where}",
    )
    largest = values.abs().max()
    worst = values[(values.real / largest).clamp(max=0).abs().argmax()]
    answer.expect(
        worst.real >= -0.01 * largest,
        property="no eigenvalue is negative",
        misconception="a positive sum is not enough: the score is 1 only if nothing is taken off.",
        got=f"{float(worst.real / largest):.3g} of the largest modulus {where}",
    )
    oblique = values[values.imag.abs().argmax()]
    answer.expect(
        oblique.imag.abs() <= 0.01 * largest,
        property="every eigenvalue is real",
        misconception="two eigenvalues are complex: the circuit turns something.",
        got=f"{float(oblique.real / largest):.3g} ± {float(oblique.imag.abs() / largest):.3g}i, "
        f"in units of the largest modulus, {where}",
    )


def _hold_not_copying(answer: Answer, whole: Tensor, where: str) -> None:
    """Hold that no token is among those it raises most, and that there is no leaning that way."""
    own, largest = whole.diagonal(), whole.max(dim=1).values
    size = whole.abs().max(dim=1).values
    below = (largest - own) / size.clamp(min=1e-300)
    row = int(below.argmin())
    if size[row] == 0:
        words = "this row is all 0, so its own entry is as large as any."
    elif below[row] == 0:
        words = "it is the row's largest; a tie with another is no better."
    else:
        words = "it is below the largest, but by too little."
    answer.expect(
        below[row] >= 0.00099,
        property="every row's own entry is below its largest by at least 0.001 of its largest "
        "absolute value",
        misconception=words,
        got=f"row {row} {where}, where it is below by {float(below[row]):.2g}",
    )
    lean = float((own - whole.mean(dim=1)).mean() / whole.abs().mean())
    answer.expect(
        lean <= 1e-6,
        property="own entry less row mean, averaged over rows, is at most 0",
        misconception="the circuit leans to copying: its diagonal is above the average entry. "
        "The trace must be positive, so let the average entry be larger.",
        expected="0 or less",
        got=f"{lean:.3g} of the mean absolute entry {where}",
    )


def _hold_seeds(answer: Answer, random: torch.Generator) -> None:
    """Hold what the seed does, how many scores there are, and the one score that is known."""
    W_E, W_U = inputs.normal(random, 9, 7), inputs.normal(random, 7, 9)
    seed, other = inputs.integers(random, LARGEST_SEED, 2).tolist()

    def draw(d_head: int, n_samples: int, seed: int) -> Tensor:
        got = answer(W_E, W_U, d_head, n_samples, seed=seed)
        if isinstance(got, Tensor) and got.is_complex():
            answer.fail(
                property="scores are real numbers",
                misconception="take the real part of the eigenvalues' sum.",
                got=f"dtype {got.dtype}",
            )
        return answer.tensor(got, shape=(n_samples,), dims="sample", of="one score for each head")

    first, again, different = (draw(3, 5, one) for one in (seed, seed, other))
    answer.expect(
        torch.equal(first, again),
        property="the same seed gives the same scores",
        misconception="something is drawn without the seed.",
        got=f"{float(first[0]):.4g} at first and then {float(again[0]):.4g}",
    )
    answer.expect(
        not torch.isclose(first, different).all(),
        property="another seed gives other scores",
        misconception="the seed is not used.",
        got=f"{float(first[0]):.4g} for both seeds",
    )
    answer.expect(
        first.isfinite().all() and (first.abs() <= 1 + 1e-4).all(),
        property="scores lie between -1 and 1",
        got=f"values from {float(first.min()):.4g} to {float(first.max()):.4g}",
    )
    draw(2, 1, seed)
    single = draw(1, 40, seed)
    ends = int((single.abs() > 0.99).sum())
    answer.expect(
        ends >= 36,  # rounding may move a few
        property="a head of one dimension has one eigenvalue, so it scores 1 or -1",
        misconception="d_head is not used as it is given.",
        got=f"{40 - ends} of 40 scores between",
    )


def _hold_null(
    answer: Answer, random: torch.Generator, groups: Tensor, W_E: Tensor, W_U: Tensor, d_head: int
) -> dict[str, bool]:
    """Hold that scores are spread as they should be, and have nothing in common within a call.

    Args:
        groups: scores of several calls, [call sample].

    Returns:
        In an audit, whether each named mistake would show here.
    """
    got = groups.flatten()
    core = known.centred(W_U).double() @ W_E.double()
    right = known.null_scores(random, core, d_head, 6000)
    bound = known.furthest_by_chance(len(got), len(right))
    mistakes = known.wrong_nulls(random, W_E, W_U, d_head, 3000)
    found = known.distance(got, right)
    property = (
        "the scores are spread as those of heads whose W_V and W_O have independent entries from "
        "a normal distribution, between the model's own embedding and unembedding"
    )
    if found > bound:
        answer.fail(
            property=property,
            misconception=_likeliest(got, groups, mistakes, found),
            expected=_in_words(right),
            got=_in_words(got),
        )
    if len(groups) > 2:
        apart = known.spread_between(groups.square())
        answer.expect(
            apart < 4,  # by chance less than once in ten million times
            property="each head has weights of its own",
            misconception="the heads of one call resemble each other: all of them share W_V, or "
            "W_O.",
            got=f"calls that differ {apart:.1f} times as much as chance would have it",
        )
    answer.expect(True, property=property)
    if not answer.audit:
        return {}
    return {words: known.distance(sample(), right) > bound for words, sample in mistakes.items()}


def _likeliest(got: Tensor, groups: Tensor, mistakes: Mapping[str, Any], found: float) -> str:
    """The mistake whose scores are nearest to these, if any is much nearer than the truth."""
    if not got.isfinite().all():
        return "some scores are no numbers."
    if (groups.std(dim=1) < 1e-6).all() and (got.abs() < 1 - 1e-4).any():
        return "one head was drawn and its score repeated; each is to have weights of its own."
    distances = {words: known.distance(got, sample()) for words, sample in mistakes.items()}
    nearest = min(distances, key=distances.__getitem__)
    if distances[nearest] < min(0.1, found / 2):
        return nearest
    return "the absolute values were taken." * bool((got >= 0).all())


def _in_words(scores: Tensor) -> str:
    low, high = (float(scores.quantile(q)) for q in (0.25, 0.75))
    ends = float((scores.abs() > 1 - 1e-4).double().mean())
    return (
        f"mean {float(scores.mean()):.2f}, standard deviation {float(scores.std()):.2f}, half of "
        f"them from {low:.2f} to {high:.2f}, {ends:.0%} of them 1 or -1"
    )


def _hold_judgements(answer: Answer, judged: dict[str, list[bool]]) -> None:
    """Hold the accuracy on heads that copy and on the rest, and name the kind misjudged most."""
    names, shares, counts = known.COPYING | known.OTHERS, [], []
    for kinds in (known.COPYING, known.OTHERS):
        every = [right for kind in kinds for right in judged[kind]]
        shares.append(sum(every) / len(every))
        counts.append(len(every))
    worst = max(judged, key=lambda kind: (judged[kind].count(False), kind))
    missed, total = judged[worst].count(False), len(judged[worst])
    copies = worst in known.COPYING
    what = "some copying escapes it" if copies else "something else looks like copying to it"
    answer.expect(
        min(shares) >= 0.95,
        property="at least 95 % of the copying heads and 95 % of the rest are told rightly",
        misconception=f"{what}: of {total} heads that {names[worst]}, {missed} were "
        f"{'not ' * copies}called copying.",
        expected="95 % or more of both",
        got=f"{shares[0]:.0%} of {counts[0]} copying heads and {shares[1]:.0%} of {counts[1]} "
        "others",
    )
