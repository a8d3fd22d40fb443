"""Definitions and named mistakes behind the checks of `ch01_attention/2_qk_ov_circuits.ipynb`."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Literal

import torch
from torch import Tensor

from mechcourse.checks import _inputs as inputs
from mechcourse.checks import _slow as slow

Trigram = tuple[str, str, str]
HeadWeights = tuple[Tensor, Tensor]  # W_V and W_O of one head

# ------------------------------------------------------------------------------ circuits, whole


def chained(*matrices: Tensor) -> Tensor:
    """A product of matrices, row by row and entry by entry."""
    rows = matrices[0].double().tolist()
    for matrix in matrices[1:]:
        table = matrix.double().tolist()
        rows = [slow.vector_times_matrix(row, table) for row in rows]
    return torch.tensor(rows, dtype=torch.float64)


def scores(W_E: Tensor, W_Q: Tensor, W_K: Tensor) -> Tensor:
    """Every query token's score for every key token, [head query key]."""
    whole = [chained(W_E, q, k.T, W_E.T) for q, k in zip(W_Q, W_K, strict=True)]
    return torch.stack(whole) / math.sqrt(W_Q.shape[-1])


def said(W_E: Tensor, W_V: Tensor, W_O: Tensor, W_U: Tensor) -> Tensor:
    """What every source token adds to every logit, nothing subtracted, [head source out]."""
    return torch.stack([chained(W_E, v, o, W_U) for v, o in zip(W_V, W_O, strict=True)])


def centred(rows: Tensor) -> Tensor:
    """Each row less its mean."""
    return rows - rows.mean(dim=-1, keepdim=True)


def wrong_scores(W_E: Tensor, W_Q: Tensor, W_K: Tensor) -> dict[str, Tensor]:
    """QK circuits with one mistake each, for a d_head that is neither 1 nor 4."""
    right, d_head, d_model = scores(W_E, W_Q, W_K), W_Q.shape[-1], W_Q.shape[1]
    bare = right * math.sqrt(d_head)
    return {
        "the scores were not divided by sqrt(d_head).": bare,
        "the scores were divided by d_head in all, not by its square root; if each factor was "
        "divided by sqrt(d_head), that is once too often.": bare / d_head,
        "the scores were multiplied by sqrt(d_head); divide by it.": bare * math.sqrt(d_head),
        "the scores were divided by 2 whatever d_head is.": bare / 2,
        "the scores were divided by sqrt(d_model).": bare / math.sqrt(d_model),
        "queries and keys are in each other's place: rows are the tokens that look.": right.mT,
        "the rows were centred; nothing is subtracted here.": centred(right),
        "keys were made with W_Q, as the queries are.": scores(W_E, W_Q, W_Q),
        "queries were made with W_K, as the keys are.": scores(W_E, W_K, W_K),
        "this is the attention after a softmax; the scores are asked for.": right.softmax(-1),
    }


def wrong_score_blocks(
    W_E: Tensor, W_Q: Tensor, W_K: Tensor, tokens: Tensor
) -> dict[str, Tensor | Callable[[], Tensor]]:
    """Blocks of a QK circuit with one mistake each."""
    n = len(tokens)
    wrong = {
        words: _block(whole, tokens)
        for words, whole in wrong_scores(W_E, W_Q, W_K).items()
        if "centred" not in words and "softmax" not in words
    }
    block = _block(scores(W_E, W_Q, W_K), tokens)
    return wrong | {
        "the rows were centred; nothing is subtracted here.": centred(block),
        "the rows were centred, over the whole vocabulary; nothing is subtracted here.": _block(
            centred(scores(W_E, W_Q, W_K)), tokens
        ),
        "this is the attention after a softmax; the scores are asked for.": block.softmax(-1),
        "the first tokens of the vocabulary were taken; take those that are given.": _block(
            scores(W_E, W_Q, W_K), torch.arange(n)
        ),
        "the tokens were sorted; keep them in the order given.": _block(
            scores(W_E, W_Q, W_K), tokens.sort().values
        ),
    }


def wrong_circuits(W_E: Tensor, W_V: Tensor, W_O: Tensor, W_U: Tensor) -> dict[str, Tensor]:
    """OV circuits with one mistake each."""
    raw = said(W_E, W_V, W_O, W_U)
    right, shift = centred(raw), raw.mean(dim=-1, keepdim=True)
    return {
        "the rows were not centred: subtract from each its mean over the vocabulary.": raw,
        "the columns were centred, over the sources; centre the rows, over the tokens that are "
        "raised.": raw - raw.mean(dim=1, keepdim=True),
        "rows and columns both were centred; centre the rows alone.": right
        - right.mean(dim=1, keepdim=True),
        "one mean of the whole circuit was subtracted; each row has its own.": raw
        - raw.mean(dim=(1, 2), keepdim=True),
        "W_U was centred over d_model; centre it over the vocabulary.": said(
            W_E, W_V, W_O, W_U - W_U.mean(dim=0)
        ),
        "the mean was added.": raw + shift,
        "rows and columns are in each other's place: rows are the tokens looked at.": right.mT,
        "it was transposed after it was centred, or centred after it was transposed: rows are "
        "the tokens looked at.": centred(raw.mT),
        "it was divided by sqrt(d_head); only scores are.": right / math.sqrt(W_V.shape[-1]),
        "right was centred over d_head, not over the vocabulary: its axes are [head d_head "
        "d_vocab], so the vocabulary is the last.": said(
            W_E, W_V, W_O - W_O.mean(dim=1, keepdim=True), W_U
        ),
        "W_U was used to embed, and W_E to unembed.": centred(said(W_U.T, W_V, W_O, W_E.T)),
        "these are log-probabilities: a log-softmax takes more away than the mean.": (
            raw.log_softmax(-1)
        ),
    }


def wrong_circuit_blocks(
    W_E: Tensor, W_V: Tensor, W_O: Tensor, W_U: Tensor, tokens: Tensor
) -> dict[str, Tensor]:
    """Blocks of an OV circuit with one mistake each."""
    raw = said(W_E, W_V, W_O, W_U)
    right, block = centred(raw), _block(raw, tokens)
    others = [t for t in range(len(W_E)) if t not in tokens.tolist()]
    return {
        "the mean was taken over the chosen tokens only; take it over all tokens of the "
        "vocabulary.": centred(block),
        "the mean was taken over the tokens that were not chosen; take it over all.": block
        - raw[:, tokens][:, :, others].mean(dim=-1, keepdim=True),
        "nothing was subtracted.": block,
        "rows and columns are in each other's place: rows are the tokens looked at.": block.mT
        - raw[:, tokens].mean(dim=-1)[:, None],
        "the columns were centred, over the sources; centre the rows.": block
        - raw.mean(dim=1, keepdim=True)[:, :, tokens],
        "the first tokens of the vocabulary were taken; take those that are given.": _block(
            right, torch.arange(len(tokens))
        ),
        "the tokens were sorted; keep them in the order given.": _block(
            right, tokens.sort().values
        ),
        "it was divided by sqrt(d_head); only scores are.": _block(right, tokens)
        / math.sqrt(W_V.shape[-1]),
    }


def told_apart(right: Tensor, wrong: Mapping[str, Tensor]) -> bool:
    """Whether none of these wrong values is the right one by accident."""
    return not any(
        value.shape == right.shape and torch.allclose(value.double(), right, rtol=0.02, atol=0.02)
        for value in wrong.values()
    )


def _block(whole: Tensor, tokens: Tensor) -> Tensor:
    return whole[:, tokens][:, :, tokens]


# ------------------------------------------------------------------------- scores and paths, split


def score_terms(tokens: Tensor, W_E: Tensor, W_pos: Tensor, W_Q: Tensor, W_K: Tensor) -> Tensor:
    """The four terms of every score, one pair of positions at a time."""
    root = math.sqrt(W_Q.shape[-1])
    of_token, of_place = W_E.double().tolist(), W_pos.double().tolist()
    terms: list[list] = [[], [], [], []]
    for text in tokens.tolist():
        sources = [[of_token[t] for t in text], [of_place[i] for i in range(len(text))]]
        heads: list[list] = [[], [], [], []]
        for w_q, w_k in zip(W_Q.double().tolist(), W_K.double().tolist(), strict=True):
            q = [[slow.vector_times_matrix(x, w_q) for x in source] for source in sources]
            k = [[slow.vector_times_matrix(x, w_k) for x in source] for source in sources]
            for term, (a, b) in enumerate(product((0, 1), repeat=2)):
                heads[term].append([[_dot(x, y) / root for y in k[b]] for x in q[a]])
        for term in range(4):
            terms[term].append(heads[term])
    return torch.tensor(terms, dtype=torch.float64)


def _dot(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def wrong_terms(
    tokens: Tensor, W_E: Tensor, W_pos: Tensor, W_Q: Tensor, W_K: Tensor
) -> dict[str, Tensor]:
    """The four terms with one mistake each, for more than one position."""
    right = score_terms(tokens, W_E, W_pos, W_Q, W_K)
    n_pos, root = tokens.shape[1], math.sqrt(W_Q.shape[-1])
    swapped = score_terms(tokens, W_E, W_pos, W_K, W_Q)
    later = torch.ones(n_pos, n_pos, dtype=torch.bool).triu(1)
    everything = torch.stack([right.sum(dim=0), *right[1:]])
    return {
        "the second and the third term are in each other's place: the second is the query's "
        "token with the key's position.": right[[0, 2, 1, 3]],
        "the terms are in another order: token with token comes first, position with position "
        "last.": right.flip(0),
        "the terms were not divided by sqrt(d_head): each of them is, as their sum is.": right
        * root,
        "the terms were divided by d_head, not by its square root.": right / root,
        "the terms were divided by 2 whatever d_head is.": right * root / 2,
        "the terms were divided by sqrt(d_model).": right * root / math.sqrt(W_Q.shape[1]),
        "later keys were masked; they are to be there, too.": right.masked_fill(later, 0.0),
        "later keys were masked; they are to be there, too: the mask comes after the sum.": (
            right.masked_fill(later, -torch.inf)
        ),
        "queries and keys are in each other's place: rows are the positions that look.": right.mT,
        "queries were made with W_K and keys with W_Q.": swapped,
        "the last rows of W_pos were used: position 0 has the first row.": score_terms(
            tokens, W_E, W_pos[-n_pos:], W_Q, W_K
        ),
        "the first row of W_pos was used at every position.": score_terms(
            tokens, W_E, W_pos[:1].expand_as(W_pos), W_Q, W_K
        ),
        "the first term is the whole score; it is to be the tokens' part alone.": everything,
        "these are patterns; the scores are asked for, before the softmax.": right.softmax(-1),
        "every term is a quarter of the whole score.": right.mean(0, keepdim=True).expand_as(right),
    }


def paths(
    tokens: Tensor, pattern: Tensor, W_E: Tensor, W_V: Tensor, W_O: Tensor, W_U: Tensor
) -> tuple[Tensor, Tensor]:
    """The direct path and each head's, one position at a time."""
    direct, of_token = chained(W_E, W_U), said(W_E, W_V, W_O, W_U)
    n_batch, n_heads, n_pos, _ = pattern.shape
    by_head = torch.zeros(n_batch, n_heads, n_pos, W_U.shape[1], dtype=torch.float64)
    for b, h, i in product(range(n_batch), range(n_heads), range(n_pos)):
        for j, token in enumerate(tokens[b].tolist()):
            by_head[b, h, i] += pattern[b, h, i, j].double() * of_token[h, token]
    rows = [[direct[token] for token in text] for text in tokens.tolist()]
    return torch.stack([torch.stack(text) for text in rows]), by_head


def wrong_direct(direct: Tensor, by_head: Tensor) -> dict[str, Tensor]:
    """Direct paths with one mistake each."""
    return {
        "all of the logits were given to the direct path.": direct + by_head.sum(dim=1),
        "the heads' part was subtracted.": direct - by_head.sum(dim=1),
        "the logits were centred; give them as the model does.": centred(direct),
        "these are log-probabilities; the logits are asked for.": direct.log_softmax(-1),
    }


def wrong_paths(
    tokens: Tensor, pattern: Tensor, W_E: Tensor, W_V: Tensor, W_O: Tensor, W_U: Tensor
) -> dict[str, Tensor]:
    """The heads' paths with one mistake each, for several heads and positions."""
    direct, right = paths(tokens, pattern, W_E, W_V, W_O, W_U)
    n_heads, n_pos = right.shape[1:3]

    def moved(pattern: Tensor, W_V: Tensor = W_V, W_O: Tensor = W_O) -> Tensor:
        return paths(tokens, pattern, W_E, W_V, W_O, W_U)[1]

    share = direct[:, None] / n_heads
    return {
        "the pattern was used the wrong way round: a query sums over keys.": moved(pattern.mT),
        "the values were moved without attention.": moved(torch.eye(n_pos).expand_as(pattern)),
        "every head has the first head's pattern.": moved(pattern[:, :1].expand_as(pattern)),
        "every head looks as all of them do on average.": moved(
            pattern.mean(dim=1, keepdim=True).expand_as(pattern)
        ),
        "every head says what the first head says.": moved(
            pattern, W_V[:1].expand_as(W_V), W_O[:1].expand_as(W_O)
        ),
        "patterns and OV circuits of different heads were put together.": moved(pattern.flip(1)),
        "a head's W_V was put together with another head's W_O.": moved(pattern, W_O=W_O.flip(0)),
        "the logits were centred; give them as the model does.": centred(right),
        "each head was given its share of the direct path, too.": right + share,
    }


# ------------------------------------------------------------------------------- skip-trigrams


def preferences(W_E: Tensor, W_Q: Tensor, W_K: Tensor) -> Tensor:
    """Each query's score for each key, less the mean of its scores for all keys."""
    return centred(scores(W_E, W_Q[None], W_K[None])[0])


def wrong_destinations(W_E: Tensor, W_Q: Tensor, W_K: Tensor, sources: Tensor) -> dict[str, Tensor]:
    """What the destinations were ranked by if one mistake was made, [source query]."""
    raw, right = scores(W_E, W_Q[None], W_K[None])[0], preferences(W_E, W_Q, W_K)
    return {
        "each query's scores were not centred over the keys (subtracting a mean over the queries "
        "changes no order here).": raw[:, sources].T,
        "the tokens that the source looks for were given; give those that look for it. Rows of "
        "the circuit are queries.": raw[sources],
        "W_Q and W_K are in each other's place.": preferences(W_E, W_K, W_Q)[:, sources].T,
        "a softmax over the keys was ranked: take the score less the mean score.": (
            raw.log_softmax(-1)[:, sources].T
        ),
        "right was centred over d_head, not over the keys: its axes are [head d_head d_vocab], so "
        "the keys are the last.": scores(
            W_E, W_Q[None], (W_K - W_K.mean(dim=1, keepdim=True))[None]
        )[0][:, sources].T,
        "the weakest come first.": -right[:, sources].T,
        "sizes were ranked without their signs.": right[:, sources].T.abs(),
        "the mean was taken over the sources; take it over all keys of the vocabulary.": (
            centred(raw[:, sources]).T
        ),
        "the first tokens of the vocabulary were taken as sources.": right[:, : len(sources)].T,
    }


def wrong_outputs(whole: Tensor, sources: Tensor) -> dict[str, Tensor]:
    """What the outputs were ranked by if one mistake was made, [source out]."""
    return {
        "the tokens that raise the source were given; give those that it raises. Rows of the "
        "circuit are sources.": whole[:, sources].T,
        "the weakest come first.": -whole[sources],
        "sizes were ranked without their signs.": whole[sources].abs(),
        "the first tokens of the vocabulary were taken as sources.": whole[: len(sources)],
        "the columns were centred; what every source raises counts as well.": (
            whole - whole.mean(dim=0)
        )[sources],
    }


def forced(wanted: list[Trigram]) -> list[Trigram]:
    """Every source, destination and output that occur, tried one by one."""
    words = [sorted({trigram[place] for trigram in wanted}) for place in range(3)]
    found = []
    for source, destination, output in product(*words):
        looked_at = any(w[0] == source and w[1] == destination for w in wanted)
        raised = any(w[0] == source and w[2] == output for w in wanted)
        if looked_at and raised and (source, destination, output) not in wanted:
            found.append((source, destination, output))
    return found


MIXED = "the destinations of one source were joined with the outputs of another"


def wrong_forced(wanted: list[Trigram]) -> dict[str, list[Trigram]]:
    """Forced skip-trigrams with one mistake each, in no order."""
    right = forced(wanted)
    backwards = [(b, a, c) for a, b, c in forced([(b, a, c) for a, b, c in wanted])]
    any_output = {(s, d, o) for s, d, _ in wanted for _, _, o in wanted}
    any_destination = {(s, d, o) for s, _, o in wanted for _, d, _ in wanted}
    all_joined = {(s, d, o) for s, _, _ in wanted for _, d, o in any_output}
    return {
        "those that are wanted are among them; leave them out.": sorted({*right, *wanted}),
        f"{MIXED}: what a head raises depends on the source.": sorted(any_output - {*wanted}),
        f"{MIXED}: which tokens look at a source depends on the source.": sorted(
            any_destination - {*wanted}
        ),
        f"{MIXED}: neither where a head looks nor what it raises is the same for all sources.": (
            sorted(all_joined - {*wanted})
        ),
        "destinations and outputs were joined through the destination; it is the source that "
        "both parts of the head have in common.": sorted(backwards),
        "destination and output are in each other's place.": [(a, c, b) for a, b, c in right],
        "the wanted ones were given back.": sorted(set(wanted)),
    }


def mixes_sources(found: list[Trigram], wanted: list[Trigram]) -> bool:
    """Whether any joins a destination and an output that occur, but not both with its source."""
    destinations, outputs = ({trigram[place] for trigram in wanted} for place in (1, 2))
    looked, raised = {(s, d) for s, d, _ in wanted}, {(s, o) for s, _, o in wanted}
    sources = {s for s, _, _ in wanted}
    return any(
        s in sources
        and d in destinations
        and o in outputs
        and not ((s, d) in looked and (s, o) in raised)
        for s, d, o in found
    )


# ------------------------------------------------------------------------------- copying scores


def score_of(eigenvalues: Tensor) -> Tensor:
    """The sum of eigenvalues over the sum of their moduli, and 0 where all are 0."""
    total = eigenvalues.abs().sum(dim=-1)
    return torch.where(total > 0, eigenvalues.real.sum(dim=-1) / total.clamp(min=1e-300), 0.0)


def copying_scores(W_E: Tensor, W_V: Tensor, W_O: Tensor, W_U: Tensor) -> Tensor:
    """The definition, on the whole circuit, token by token."""
    return score_of(torch.linalg.eigvals(centred(said(W_E, W_V, W_O, W_U))))


def clear_eigenvalues(W_E: Tensor, W_V: Tensor, W_O: Tensor, W_U: Tensor) -> bool:
    """Whether every head's eigenvalues stand out from rounding, even in single precision."""
    whole = centred(said(W_E, W_V, W_O, W_U))
    total = torch.linalg.eigvals(whole).abs().sum(dim=-1)
    return bool((total > 0.1 * whole.norm(dim=(1, 2))).all())


def wrong_copying_scores(W_E: Tensor, W_V: Tensor, W_O: Tensor, W_U: Tensor) -> dict[str, Tensor]:
    """Copying scores with one mistake each."""
    raw, d_head = said(W_E, W_V, W_O, W_U), W_V.shape[-1]
    whole = centred(raw)
    values = torch.linalg.eigvals(whole)
    first = values.abs().topk(d_head).indices
    values = values.gather(-1, first)  # the others are 0
    trace, right = values.real.sum(-1), score_of(values)

    def over(total: Tensor) -> Tensor:
        return torch.where(total > 0, trace / total.clamp(min=1e-300), 0.0)

    silent = (values == 0).all(-1)
    lower = torch.linalg.eigvalsh(whole)
    inner = W_V.double() @ W_O.double()
    return {
        "the circuit was not centred.": score_of(torch.linalg.eigvals(raw)),
        "this is the share of eigenvalues that are positive; their sizes count, too.": (
            (values.real > 0).double().mean(-1)
        ),
        "only the signs of the eigenvalues were used; their sizes count, too.": (
            values.real.sign().mean(-1)
        ),
        "each eigenvalue was divided by its own modulus; divide the sums.": torch.where(
            silent, 0.0, (values.real / values.abs().clamp(min=1e-300)).mean(-1)
        ),
        "the trace was divided by the sum of the singular values; divide by that of the "
        "eigenvalues' moduli.": over(torch.linalg.svdvals(whole).sum(-1)),
        "the trace was divided by the Frobenius norm.": over(whole.norm(dim=(1, 2))),
        "the circuit was made symmetric; take the eigenvalues of the circuit itself.": score_of(
            torch.linalg.eigvalsh(whole + whole.mT)
        ),
        "eigvalsh is for symmetric matrices, and a circuit is none: use eigvals.": score_of(lower),
        "the moduli of the real parts were summed: a complex eigenvalue's modulus is more.": over(
            values.real.abs().sum(-1)
        ),
        "the absolute value was taken, so nothing is negative.": right.abs(),
        "this is the sum of the eigenvalues; divide it by the sum of their moduli.": trace,
        "this is the mean of the eigenvalues' real parts.": trace / d_head,
        "these are the eigenvalues of W_V @ W_O: the embedding and the unembedding are missing.": (
            score_of(torch.linalg.eigvals(inner))
        ),
        "the moduli were summed over all heads; each head has its own.": trace / values.abs().sum(),
    }


def planted_head(random: torch.Generator, W_E: Tensor, W_U: Tensor, small: Tensor) -> HeadWeights:
    """W_V and W_O of a head whose centred OV circuit has the eigenvalues of `small`."""
    W_V = inputs.normal(random, W_E.shape[1], len(small), dtype=torch.float64)
    read = centred(W_U.double()) @ W_E.double() @ W_V
    return W_V.float(), (small.double() @ torch.linalg.pinv(read)).float()


def turned(random: torch.Generator, blocks: list[list[float]], lean: float) -> Tensor:
    """A matrix with known eigenvalues, by no means symmetric.

    Args:
        blocks: each is [x] for an eigenvalue x, or [x, y] for the pair x ± iy.
        lean: size of what stands above the blocks.
    """
    parts = [
        torch.tensor([[b[0]]]) if len(b) == 1 else torch.tensor([[b[0], b[1]], [-b[1], b[0]]])
        for b in blocks
    ]
    small = torch.block_diag(*parts).double()
    above = torch.block_diag(*[torch.ones_like(part) for part in parts]).logical_not().triu()
    small += lean * above * inputs.normal(random, *small.shape, dtype=torch.float64)
    turn = inputs.rotation(random, len(small)).double()
    return turn.T @ small @ turn


def copying_accuracies(
    whole: Tensor, k: int, weights: Tensor, ties: Literal["lose", "win"] = "lose"
) -> Tensor:
    """The share of tokens that each head puts among the k it raises most, token by token."""
    shares = []
    for circuit in whole.tolist():
        hit = 0.0
        for token, (row, weight) in enumerate(zip(circuit, weights.tolist(), strict=True)):
            others = row[:token] + row[token + 1 :]
            own = row[token]
            rivals = sum(x >= own if ties == "lose" else x > own for x in others)
            hit += weight * (rivals < k)
        shares.append(hit / sum(weights.tolist()))
    return torch.tensor(shares, dtype=torch.float64)


NOT_DIVIDED = "the weights do not sum to 1, so divide by their sum."


def misread_circuits(whole: Tensor) -> dict[str, Tensor]:
    """What is ranked in place of a circuit if one mistake is made; the token's own on the diagonal.

    Args:
        whole: not centred; a mistake may be made before or after it is.
    """
    row_centred = centred(whole)
    columns = "the sources that raise a token were ranked; rank the tokens that a source raises"
    signs = "sizes were ranked without their signs"
    return {
        f"{columns}.": whole.mT,
        f"{columns}: a row of the circuit, not a column.": row_centred.mT,
        f"{signs}.": whole.abs(),
        f"{signs}: what is lowered much is not raised.": row_centred.abs(),
        "the tokens that are lowered most were counted.": -whole,
    }


def wrong_accuracies(whole: Tensor, k: int, weights: Tensor) -> dict[str, Tensor]:
    """Shares with one mistake each, for a k that is neither 1 nor all."""
    right = copying_accuracies(whole, k, weights)
    even = torch.ones_like(weights)
    wrong = {
        f"a tie was counted as a win. {_all_tie(whole)} A token that gets as much as the token "
        "itself stands in its way.": copying_accuracies(whole, k, weights, "win"),
        "the token was counted among its own rivals.": copying_accuracies(whole, k - 1, weights),
        "one rival too many was allowed.": copying_accuracies(whole, k + 1, weights),
        "k was ignored: this is the share that are raised most of all.": copying_accuracies(
            whole, 1, weights
        ),
        "the weights were ignored.": copying_accuracies(whole, k, even),
        NOT_DIVIDED: right * weights.sum(),
        "the weights do not sum to 1, so divide by their sum, not by their number.": right
        * weights.mean(),
        "every token with a weight counted alike.": copying_accuracies(
            whole, k, (weights > 0).float()
        ),
        "entries were compared with the diagonal's entry in their column; compare them with that "
        "in their row.": _share_with_fewer(
            (centred(whole) >= _own(centred(whole))[:, None]).sum(dim=-1) - 1, k, weights
        ),
        "this is in percent; give a fraction from 0 to 1.": 100 * right,
        "this is the share of tokens that are not copied.": 1 - right,
    }
    return wrong | {
        words: copying_accuracies(table, k, weights)
        for words, table in misread_circuits(whole).items()
    }


def likely_accuracies(got: Tensor, whole: Tensor, k: int, weights: Tensor) -> str:
    """Which mistakes, ties among them, make these shares together, in words; empty if none do.

    What `topk` picks of those that tie is up to it, so ties may have won in part.
    """
    even = torch.ones_like(weights)
    ties = (
        "ties were counted as wins, as `topk` does, which picks some of those that tie. "
        f"{_all_tie(whole)} Count the others that get as much or more."
    )
    counted = {
        "": (weights, float(weights.sum())),
        NOT_DIVIDED: (weights, 1.0),
        "the weights do not sum to 1, so divide by their sum, not by their number.": (
            weights,
            float(len(weights)),
        ),
        "the weights were ignored.": (even, float(len(weights))),
    }
    found = []
    for misread, table in {"": whole, **misread_circuits(whole)}.items():
        own = _own(table)[..., None]
        strict, loose = (table > own).sum(dim=-1), (table >= own).sum(dim=-1) - 1
        for divided, (each, total) in counted.items():
            least, most = (
                _share_with_fewer(rivals, k, each) * float(each.sum()) / total
                for rivals in (loose, strict)
            )
            slack = 1e-4 * most.abs().clamp(min=1.0)
            if bool(((got >= least - slack) & (got <= most + slack)).all()):
                tied = bool(((got - least).abs() > slack).any())
                found.append([*filter(None, [misread, divided, ties * tied])])
    words = min(found, key=len, default=[])
    return " And ".join(words)


def _all_tie(whole: Tensor) -> str:
    """Where a head writes nothing, and what that means for ties, as a sentence."""
    for head, circuit in enumerate(whole):
        if not circuit.any():
            return f"Head {head} writes nothing, so there all tokens tie and none is copied."
    return ""


def _own(table: Tensor) -> Tensor:
    return table.diagonal(dim1=1, dim2=2)


def _share_with_fewer(rivals: Tensor, k: int, weights: Tensor) -> Tensor:
    """The weighted share of tokens with fewer than k rivals, for rivals [head token]."""
    return ((rivals < k) * weights.double()).sum(dim=-1) / weights.double().sum()


# ------------------------------------------------------------------- positive, and yet no copying


@dataclass
class Circuit:
    """An OV circuit that a learner built, at a scale of its own.

    Attributes:
        whole: [source out].
        eigenvalues: those that need not be 0.
    """

    whole: Tensor
    eigenvalues: Tensor


def built_circuit(left: Tensor, right: Tensor) -> Circuit:
    """The circuit of two finite factors, scaled so that nothing overflows."""
    left, right = (x.double() / x.double().abs().max().clamp(min=1e-300) for x in (left, right))
    basis, read = torch.linalg.qr(left)
    # In an orthonormal basis of what `left` spans, however badly its columns are scaled.
    return Circuit(left @ right, torch.linalg.eigvals((read @ right) @ basis))


# ---------------------------------------------------------------------------------- random heads


def null_scores(
    random: torch.Generator,
    core: Tensor,
    d_head: int,
    n: int,
    factors: Literal["normal", "orthogonal", "tied", "same", "positive"] = "normal",
) -> Tensor:
    """Copying scores of random heads.

    Args:
        core: what lies between W_O and W_V, W_U @ W_E, for all heads or for each.
    """
    d_model = core.shape[-1]
    W_V = inputs.normal(random, n, d_model, d_head, dtype=torch.float64)
    W_O = inputs.normal(random, n, d_head, d_model, dtype=torch.float64)
    if factors == "orthogonal":
        W_V, W_O = torch.linalg.qr(W_V)[0], torch.linalg.qr(W_O.mT)[0].mT
    if factors == "tied":
        W_O = W_V.mT
    if factors == "same":
        W_O = W_V.reshape(W_O.shape)
    if factors == "positive":
        W_V, W_O = (torch.rand(w.shape, generator=random, dtype=w.dtype) for w in (W_V, W_O))
    return score_of(torch.linalg.eigvals(W_O @ core.double() @ W_V))


def wrong_nulls(
    random: torch.Generator, W_E: Tensor, W_U: Tensor, d_head: int, n: int
) -> dict[str, Callable[[], Tensor]]:
    """Samples of nulls with one mistake each."""
    (d_vocab, d_model), plain = W_E.shape, centred(W_U)
    right = plain.double() @ W_E.double()

    def drawn(core: Tensor, size: int = d_head, **how: str) -> Callable[[], Tensor]:
        return lambda: null_scores(random, core, size, n, **how)

    orders = torch.stack([torch.randperm(d_vocab, generator=random) for _ in range(50)])
    shuffled = W_E[orders].repeat(n // 50, 1, 1)
    embeds, unembeds = (inputs.normal(random, n, d_vocab, d_model) for _ in range(2))
    return {
        "the scores are those of circuits that were not centred.": drawn(W_U @ W_E),
        "the vocabulary was shuffled between embedding and unembedding; only W_V and W_O are "
        "left to chance.": drawn(plain @ shuffled),
        "W_E and W_U were random as well, or left out; they are the model's own.": drawn(
            unembeds.mT @ embeds
        ),
        "W_E and W_U were left out, or random as well; they are the model's own.": drawn(
            torch.eye(d_model)
        ),
        "W_O is the transpose of W_V, as where both are drawn from the same seed; draw both from "
        "one generator, one after the other.": drawn(right, factors="tied"),
        "W_V and W_O were drawn from the same seed, so they hold the same numbers; draw both from "
        "one generator, one after the other.": drawn(right, factors="same"),
        "the factors are orthogonal matrices; their entries are to be independent normal draws.": (
            drawn(right, factors="orthogonal")
        ),
        "the entries of W_V and W_O are all positive; their mean is to be 0.": drawn(
            right, factors="positive"
        ),
        "the heads have one dimension, whatever d_head is.": drawn(right, 1),
        "the heads have as many dimensions as the stream.": drawn(right, d_model),
    }


def null_model(
    random: torch.Generator, d_vocab: int, together: Tensor, apart: Tensor
) -> tuple[Tensor, Tensor]:
    """W_E and W_U whose product over the vocabulary, W_U centred, has known singular values.

    Args:
        together: those singular values, [d_model].
        apart: what W_E has of each direction, while W_U has the rest of `together`, so that
            only in the vocabulary's own order do they make up for each other.
    """
    d_model = len(together)
    basis = inputs.normal(random, d_vocab, d_model, dtype=torch.float64)
    basis = torch.linalg.qr(basis - basis.mean(dim=0))[0]  # no direction is shared by all tokens
    turn = inputs.rotation(random, d_model).double()
    shared = inputs.normal(random, 2, d_model, dtype=torch.float64)
    W_E = (basis * apart) @ turn + 2 * shared[0]
    W_U = turn.T @ (basis * (together / apart)).T + 2 * shared[1][:, None]
    return W_E.float(), W_U.float()


def distance(a: Tensor, b: Tensor) -> float:
    """How far two samples' distribution functions lie apart (Kolmogorov and Smirnov), 0 to 1."""
    # Rounded, since many scores are 1 or -1, but for rounding.
    a, b = (x.double().mul(1e3).round().sort().values for x in (a, b))
    every = torch.cat([a, b])
    below = [torch.searchsorted(x, every, right=True) / len(x) for x in (a, b)]
    return float((below[0] - below[1]).abs().max())


def furthest_by_chance(n: int, m: int) -> float:
    """The distance that two samples of one distribution exceed once in ten million times."""
    return math.sqrt(math.log(2 / 1e-7) / 2 * (1 / n + 1 / m))


def spread_between(groups: Tensor) -> float:
    """Variance between groups over that expected if their members have nothing in common.

    Args:
        groups: [group member].
    """
    return float(
        groups.shape[1] * groups.mean(dim=1).var() / groups.var(dim=1).mean().clamp(min=1e-12)
    )


# ------------------------------------------------------------------------- heads of known nature

COPYING = {
    "own": "copy along the embeddings' own directions",
    "subspace": "copy in a subspace of their own, under noise",
    "shifted": "copy, and shift all logits alike besides",
    "partial": "copy about 70 % of the tokens",
}
OTHERS = {
    "lowering": "lower what they see",
    "positive": "have positive eigenvalues only, and raise other tokens more",
    "one_value": "have one large positive eigenvalue",
    "class": "raise a whole class of tokens",
    "one_token": "copy a single token, strongly",
    "favourites": "raise the same favourites first, whatever they see",
    "random": "are random",
    "silent": "write nothing",
}
MODEL_SIZES = (  # d_vocab, d_model, d_head, and how much of W_E is in W_U
    (40, 34, 8, 0.8),
    (40, 36, 9, 0.5),
    (40, 35, 13, 0.8),
    (80, 74, 12, 0.0),
    (120, 104, 20, 0.8),
)
HEADS_OF_A_KIND = 3  # in each model


@dataclass
class Hidden:
    """A model whose heads' nature is known.

    Attributes:
        kinds: keys of COPYING and OTHERS, one for each head.
    """

    W_E: Tensor
    W_V: Tensor
    W_O: Tensor
    W_U: Tensor
    kinds: list[str]


@dataclass
class Plan:
    """Embeddings to build heads for, in float64.

    Attributes:
        into, out_of: pseudo-inverses of W_E and W_U.
        alike: the direction that adds the same to every logit, and nothing else.
    """

    W_E: Tensor
    W_U: Tensor
    into: Tensor
    out_of: Tensor
    alike: Tensor
    d_head: int
    random: torch.Generator

    def normal(self, *shape: int) -> Tensor:
        return inputs.normal(self.random, *shape, dtype=torch.float64)

    def circuit(self, head: HeadWeights) -> Tensor:
        return self.W_E @ head[0] @ head[1] @ self.W_U


def hidden_models(random: torch.Generator) -> Iterator[Hidden]:
    """Models with heads of every kind, in no order, and two with one head each."""
    for sizes in MODEL_SIZES:
        kinds = [*COPYING, *OTHERS] * HEADS_OF_A_KIND
        order = torch.randperm(len(kinds), generator=random).tolist()
        yield hidden_model(random, sizes, [kinds[i] for i in order])
    for kind in ("own", "lowering"):
        yield hidden_model(random, (60, 50, 10, 0.8), [kind])


def hidden_model(
    random: torch.Generator, sizes: tuple[int, int, int, float], kinds: list[str]
) -> Hidden:
    """A model with one head of each kind given, at sizes over four orders of magnitude."""
    plan = _plan(random, *sizes)
    heads = [_head(plan, kind) for kind in kinds]
    W_V, W_O = (torch.stack(factors) for factors in zip(*heads, strict=True))
    return Hidden(plan.W_E.float(), W_V.float(), W_O.float(), plan.W_U.float(), kinds)


def _share(whole: Tensor, k: int) -> Tensor:
    rivals = (whole >= whole.diagonal()[:, None]).sum(dim=-1) - 1
    return (rivals < k).double().mean()


def _plan(random: torch.Generator, d_vocab: int, d_model: int, d_head: int, tied: float) -> Plan:
    alike = inputs.normal(random, d_model, dtype=torch.float64)
    alike = alike / alike.norm()
    W_E = inputs.normal(random, d_vocab, d_model, dtype=torch.float64)
    W_E = W_E * (0.7 + 0.7 * torch.rand(d_vocab, 1, generator=random))
    W_E = W_E + inputs.normal(random, d_model, dtype=torch.float64)  # what all tokens share
    W_U = tied * W_E.T + 0.6 * inputs.normal(random, d_model, d_vocab, dtype=torch.float64)
    W_U = W_U - torch.outer(alike, alike @ W_U) + 6 * alike[:, None]
    W_E, W_U = W_E.float().double(), W_U.float().double()
    inverses = torch.linalg.pinv(W_E), torch.linalg.pinv(W_U)
    return Plan(W_E, W_U, *inverses, alike, d_head, random)


def _head(plan: Plan, kind: str) -> HeadWeights:
    """A head that is of its kind beyond doubt, by the exercise's own definition."""
    k, doubt = len(plan.W_E) // 20, 1.2
    while True:
        head = _copying(plan, kind, doubt) if kind in COPYING else _other(plan, kind, doubt)
        size = 10.0 ** (4 * torch.rand((), generator=plan.random) - 2)
        factor = int(inputs.integers(plan.random, 2))
        W_V, W_O = (w * (size if i == factor else 1.0) for i, w in enumerate(head))
        whole = plan.circuit((W_V.float().double(), W_O.float().double()))
        if kind in COPYING and _share(whole, k) >= 0.65 and _share(whole, max(1, k - 1)) >= 0.55:
            return W_V, W_O
        if kind in OTHERS and _share(whole, k) <= 0.3 and _share(whole, k + 1) <= 0.4:
            return W_V, W_O
        doubt *= 0.85


def _copying(plan: Plan, kind: str, noise: float) -> HeadWeights:
    d_vocab, d_model = plan.W_E.shape
    if kind == "subspace":
        codes = plan.normal(d_vocab, plan.d_head)
        W_V = plan.into @ (codes / codes.norm(dim=1, keepdim=True))
    else:
        W_V = plan.into @ centred((plan.W_E @ plan.normal(d_model, plan.d_head)).T).T
    read = plan.W_E @ W_V
    says = (read / read.norm(dim=1, keepdim=True)).T
    if kind == "partial":
        share = 0.25 + 0.05 * float(torch.rand((), generator=plan.random))
        lost = torch.randperm(d_vocab, generator=plan.random)[: round(share * d_vocab)]
        says[:, lost] = says[:, lost.roll(1)]
    W_O = says @ plan.out_of
    size = W_O.norm() / math.sqrt(W_O.numel())
    if kind == "subspace":
        W_O = W_O + noise * size * plan.normal(plan.d_head, d_model)
    if kind == "shifted":
        W_O = W_O + 5 * size * torch.outer(plan.normal(plan.d_head), plan.alike) * d_model**0.5
    return W_V, W_O


def _other(plan: Plan, kind: str, doubt: float) -> HeadWeights:
    d_vocab, d_model = plan.W_E.shape
    W_V, W_O = plan.normal(d_model, plan.d_head), plan.normal(plan.d_head, d_model)
    if kind == "lowering":
        kinds = ("own", "subspace", "shifted")
        W_V, W_O = _copying(plan, kinds[int(inputs.integers(plan.random, 3))], 0.3)
        return W_V, -W_O
    if kind == "silent":
        zero = int(inputs.integers(plan.random, 2))
        return (0 * W_V, W_O) if zero == 0 else (W_V, 0 * W_O)
    if kind == "positive":
        return W_V, _with_positive_eigenvalues(plan, W_V, W_O)
    if kind == "class":
        classes = torch.randperm(d_vocab, generator=plan.random) % 5
        codes = torch.linalg.qr(plan.normal(plan.d_head, plan.d_head))[0][:5][classes]
        W_V = plan.into @ codes
        read = plan.W_E @ W_V
        # What W_V reads beside the class would copy a little; half as much is taken off.
        return W_V, (1.5 * codes - 0.5 * read).T @ plan.out_of
    if kind == "favourites":
        W_V, W_O = _copying(plan, "own", 0.0)
        size = float(plan.circuit((W_V, W_O)).abs().mean())
        liked = (torch.randperm(d_vocab, generator=plan.random) < 0.15 * d_vocab).double()
        W_V[:, 0], W_O[0] = plan.into.sum(dim=1), 12 / doubt * size * liked @ plan.out_of
        return W_V, W_O
    if kind in ("one_value", "one_token"):
        return _with_one_direction(plan, kind, W_V, W_O)
    return W_V, W_O


def _with_positive_eigenvalues(plan: Plan, W_V: Tensor, W_O: Tensor) -> Tensor:
    """A W_O by which the circuit's eigenvalues are positive, and its entries mostly others'."""
    read = centred(plan.W_U) @ plan.W_E @ W_V
    values = torch.diag(0.5 + torch.rand(plan.d_head, generator=plan.random).double())
    kept = (values + 0.5 * plan.normal(*values.shape).triu(1)) @ torch.linalg.pinv(read)
    basis = torch.linalg.qr(read)[0]
    free = W_O - (W_O @ basis) @ basis.T  # adds to the circuit, and nothing to its eigenvalues
    sizes = [centred(plan.circuit((W_V, factor))).norm() for factor in (kept, free)]
    return kept + 4 * sizes[0] / sizes[1] * free


def _with_one_direction(plan: Plan, kind: str, W_V: Tensor, W_O: Tensor) -> HeadWeights:
    """A random head, one direction of which does most: for one token, or for a few outputs."""
    d_vocab = len(plan.W_E)
    if kind == "one_token":
        says = torch.eye(d_vocab).double()[int(inputs.integers(plan.random, d_vocab))]
        reads = says
    else:
        says = plan.normal(d_vocab)
        says = says - says.mean()
        reads = says.clamp(min=0) + 0.5 * torch.rand(d_vocab, generator=plan.random)
    reads, says = plan.into @ reads, says @ plan.out_of
    W_V[:, 0], W_O[0] = 0, 0
    rest = centred(plan.circuit((W_V, W_O)))
    alone = centred(torch.outer(plan.W_E @ reads, says @ plan.W_U))
    if kind == "one_token":
        ratio = rest.diagonal().abs().sum() / alone.diagonal().sum().clamp(min=1e-6)
    else:
        ratio = rest.norm() / alone.norm()
    W_V[:, 0], W_O[0] = reads, 3 * ratio * says
    return W_V, W_O
