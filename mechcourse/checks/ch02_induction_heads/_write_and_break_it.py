"""Truths and named mistakes behind the checks of `ch02_induction_heads/4_write_and_break_it.ipynb`.

Models are run by `_traced.run`: nothing depends on the library's forward pass or its hooks.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mechcourse.checks import _inputs as inputs
from mechcourse.checks._slow import vector_times_matrix
from mechcourse.checks._traced import Head, by_head, heads_of, replacing, run
from mechcourse.models import Transformer

Weights = dict[str, Tensor]  # of one head, or of a whole model

# ---------------------------------------------------------------------------- circuits by weights


def random_head(random: torch.Generator, d_model: int, d_head: int) -> Weights:
    """The four weights of one head."""
    reads = {name: inputs.normal(random, d_model, d_head) for name in ("W_Q", "W_K", "W_V")}
    return reads | {"W_O": inputs.normal(random, d_head, d_model)}


def qk_circuit(W_E: Tensor, previous: Weights, induction: Weights) -> Tensor:
    """The circuit, one pair of tokens at a time."""
    tables = [W_E, induction["W_Q"], previous["W_V"], previous["W_O"], induction["W_K"]]
    embedding, W_Q, W_V, W_O, W_K = (table.double().tolist() for table in tables)
    root = math.sqrt(len(W_Q[0]))
    queries = [vector_times_matrix(row, W_Q) for row in embedding]
    keys = []
    for row in embedding:
        written = vector_times_matrix(vector_times_matrix(row, W_V), W_O)
        keys.append(vector_times_matrix(written, W_K))
    scores = [[sum(q * k for q, k in zip(a, b, strict=True)) / root for b in keys] for a in queries]
    return torch.tensor(scores, dtype=torch.float64)


def wrong_qk_circuits(W_E: Tensor, previous: Weights, induction: Weights) -> dict[str, Tensor]:
    """Circuits with one mistake each; some exist only if both heads have one d_head."""
    right = qk_circuit(W_E, previous, induction)
    E = W_E.double()
    p, i = ({k: v.double() for k, v in head.items()} for head in (previous, induction))
    d_earlier, d_later = p["W_Q"].shape[1], i["W_Q"].shape[1]
    moved = E @ p["W_V"] @ p["W_O"]

    def circuit(queries: Tensor, keys: Tensor) -> Tensor:
        return (queries @ i["W_Q"]) @ (keys @ i["W_K"]).T / math.sqrt(d_later)

    wrong = {
        "rows and columns are in each other's place: rows are queries.": right.T,
        "the scores were not divided by sqrt(d_head).": right * math.sqrt(d_later),
        "the scores were divided by d_head; divide by its square root.": right / math.sqrt(d_later),
        "the scores were divided by sqrt(d_model); d_head is the width of the keys.": right
        * math.sqrt(d_later / len(p["W_V"])),
        "this is the later head's circuit between the tokens themselves: the keys have to go "
        "through the earlier head's W_V and W_O.": circuit(E, E),
        "what the earlier head wrote went to the queries; it belongs to the keys.": circuit(
            moved, E
        ),
        "what the earlier head wrote went to queries and keys; the query is the token's embedding "
        "alone.": circuit(moved, moved),
        "the token's own embedding was added to the keys; only what the earlier head wrote "
        "counts.": circuit(E, E + moved),
        "the later head's W_V and W_O were used; the earlier head writes.": circuit(
            E, E @ i["W_V"] @ i["W_O"]
        ),
        "W_Q and W_K are in each other's place.": (E @ i["W_K"])
        @ (moved @ i["W_Q"]).T
        / math.sqrt(d_later),
        "a softmax was taken; these are scores.": right.softmax(dim=-1),
    }
    if d_earlier != d_later:
        words = "sqrt(d_head) is that of the earlier head; the later one computes the scores."
        wrong[words] = right * math.sqrt(d_later / d_earlier)
    else:
        wrong["the two heads are in each other's place."] = qk_circuit(W_E, induction, previous)
        wrong["the earlier head's W_Q and W_K were used; the later one asks."] = qk_circuit(
            W_E, previous, previous
        )
    return wrong


def diagonal_accuracy(circuit: Tensor, weights: Tensor | None = None) -> float:
    """The weighed share of rows whose diagonal entry is above every other."""
    rows = circuit.tolist()
    counts = [1.0] * len(rows) if weights is None else weights.tolist()
    right = [all(row[i] > x for j, x in enumerate(row) if j != i) for i, row in enumerate(rows)]
    return sum(c for c, ok in zip(counts, right, strict=True) if ok) / sum(counts)


def wrong_diagonal_accuracies(circuit: Tensor, weights: Tensor | None) -> dict[str, float]:
    """Accuracies with one mistake each; those of weights only where there are some."""
    n, right = len(circuit), diagonal_accuracy(circuit, weights)
    diagonal = circuit.diagonal()[:, None]
    counts = torch.ones(n).double() if weights is None else weights.double()

    def share(hits: Tensor) -> float:
        return float((counts * hits).sum() / counts.sum())

    wrong = {
        "the largest of each column was looked for; queries are rows.": diagonal_accuracy(
            circuit.T, weights
        ),
        "an entry that shares the first place was counted as right.": share(
            (circuit <= diagonal).all(dim=1)
        ),
        "of several largest entries, the first was taken; a token that shares the first place "
        "counts as wrong.": share(circuit.argmax(dim=1) == torch.arange(n)),
        "sizes were taken without their signs.": diagonal_accuracy(circuit.abs(), weights),
        "the smallest entry was looked for.": diagonal_accuracy(-circuit, weights),
        "this is the share that is wrong.": 1 - right,
        "one rival was let in: the token's own entry must be the largest, not among the two "
        "largest.": share((circuit >= diagonal).sum(dim=1) <= 2),
        "this is the share of the largest entries of the diagonal's column and row together.": (
            share(((circuit < diagonal).sum(1) == n - 1) & ((circuit < diagonal.T).sum(0) == n - 1))
        ),
        "this counts tokens; divide by their number, or by the sum of the weights.": right
        * float(counts.sum()),
        "this is in percent; give a fraction from 0 to 1.": 100 * right,
        "tokens were counted as right whose own entry is above the mean of the row.": share(
            circuit.diagonal() > circuit.mean(dim=1)
        ),
    }
    if weights is not None:
        wrong["the weights were ignored."] = diagonal_accuracy(circuit)
        wrong["the weights were not divided by their sum."] = right * float(counts.sum()) / n
        wrong["the weights were applied to the keys' scores; they say how much a query counts."] = (
            diagonal_accuracy(circuit * counts, None)
        )
    return wrong


# -------------------------------------------------------------------- what heads write and look at

BY_POSITION, BY_PATTERN = 2, 1  # the axis of the heads


def written_by(model: Transformer, tokens: Tensor) -> dict[Head, Tensor]:
    """What each head writes in an ordinary run, [batch pos d_model]."""
    return by_head(run(model, tokens).written, BY_POSITION)


def logits_with(model: Transformer, tokens: Tensor, instead: Mapping[Head, Tensor]) -> Tensor:
    """The logits of a run in which some heads write something else."""
    return run(model, tokens, written=replacing(instead, BY_POSITION)).logits


def attn(weights: Weights, head: Head, name: str) -> Tensor:
    """One weight of one head."""
    return weights[f"blocks.{head[0]}.attn.{name}"][head[1]]


# ------------------------------------------------------------------------------- leads of the keys


@dataclass
class Keys:
    """The query and the parts of the keys of one head.

    Attributes:
        parts: what of the stream is a part of the keys, [batch pos d_model], by name.
    """

    query: Tensor
    W_K: Tensor
    parts: dict[str, Tensor]

    def scores(self, part: Tensor) -> Tensor:
        """What a part gives to the scores, [batch query key]."""
        return self.query @ (part @ self.W_K).mT / math.sqrt(self.W_K.shape[1])


def keys_of(model: Transformer, tokens: Tensor, head: Head) -> Keys:
    """The parts of a head's keys."""
    found = run(model, tokens)
    weights = {name: weight.double() for name, weight in model.state_dict().items()}
    position = weights["pos_embed.W_pos"][: tokens.shape[1]].expand(*tokens.shape, -1)
    parts = {"token": weights["embed.W_E"][tokens], "position": position}
    written = by_head(found.written[: head[0]], BY_POSITION)
    earlier = {f"{a}.{b}": part for (a, b), part in written.items()}
    return Keys(found.q[head[0]][:, :, head[1]], attn(weights, head, "W_K"), parts | earlier)


def leads(scores: Iterable[Tensor], right: Tensor, wrong: Tensor) -> Tensor:
    """For each part's scores, the lead of right keys over wrong ones, one query at a time."""
    return torch.tensor([_lead(one, right, wrong) for one in scores], dtype=torch.float64)


def _lead(scores: Tensor, right: Tensor, wrong: Tensor) -> float:
    ahead = []
    for b in range(scores.shape[0]):
        for i in range(scores.shape[1]):
            row, good, bad = scores[b, i], right[b, i], wrong[b, i]
            if good.any() and bad.any():
                ahead.append(float(row[good].mean() - row[bad].mean()))
    return sum(ahead) / len(ahead) if ahead else 0.0


def wrong_leads(
    model: Transformer, tokens: Tensor, right: Tensor, wrong: Tensor, head: Head
) -> dict[str, Tensor]:
    """Leads with one mistake each, by the parts in their order, for a head with earlier ones."""
    keys = keys_of(model, tokens, head)
    scores = [keys.scores(part) for part in keys.parts.values()]
    return _of_other_scores(model, tokens, right, wrong, head, keys) | _of_other_means(
        torch.stack(scores), right, wrong, keys.W_K.shape[1]
    )


def _of_other_scores(
    model: Transformer, tokens: Tensor, right: Tensor, wrong: Tensor, head: Head, keys: Keys
) -> dict[str, Tensor]:
    """Leads of what is not the head's scores by the parts of its keys."""
    weights = {name: weight.double() for name, weight in model.state_dict().items()}
    token, position, *written = keys.parts.values()
    stream, W_Q = token + sum(written), attn(weights, head, "W_Q")
    neighbour = (head[0], (head[1] + 1) % model.config.n_heads)

    def of(parts: list[Tensor], *, query: Tensor = keys.query, W_K: Tensor = keys.W_K) -> Tensor:
        changed = Keys(query, W_K, {})
        return leads([changed.scores(part) for part in parts], right, wrong)

    parts = [token, position, *written]
    return {
        "the queries were made of the stream without the position vectors.": of(
            parts, query=stream @ W_Q
        ),
        "the queries were made of the token's embedding alone; take them as the model has them.": (
            of(parts, query=token @ W_Q)
        ),
        "the queries were made of embedding and position alone; take them as the model has "
        "them.": of(parts, query=(token + position) @ W_Q),
        "these are the queries of the next head.": of(
            parts, query=run(model, tokens).q[neighbour[0]][:, :, neighbour[1]]
        ),
        "this is the W_K of the next head.": of(parts, W_K=attn(weights, neighbour, "W_K")),
        "W_V was read in place of W_K.": of(parts, W_K=attn(weights, head, "W_V")),
        'the position vectors were left in "token".': of([token + position, position, *written]),
        "what an earlier head wrote went by the name of another.": of(
            [token, position, *written[1:], written[0]]
        ),
        "the names of the earlier heads are in the opposite order.": of(
            [token, position, *written[::-1]]
        ),
    }


def _of_other_means(scores: Tensor, right: Tensor, wrong: Tensor, d_head: int) -> dict[str, Tensor]:
    """Leads of the right scores, [part batch query key], with a mistake in what is averaged."""
    truth = leads(scores, right, wrong)
    n_right, n_wrong = right.sum(-1).double(), wrong.sum(-1).double()
    both, some = (n_right > 0) & (n_wrong > 0), (n_right > 0) | (n_wrong > 0)
    on_right, on_wrong = (scores * right).sum(-1), (scores * wrong).sum(-1)  # [part batch query]
    mean_right = on_right / n_right.clamp(min=1)
    ahead = mean_right - on_wrong / n_wrong.clamp(min=1)
    by_text = [ahead[:, b][:, both[b]].mean(dim=1) for b in range(len(both)) if both[b].any()]
    future = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
    attention = scores.masked_fill(future, -torch.inf).softmax(dim=-1)
    first = scores[:, :1], right[:1], wrong[:1]
    return {
        "right and wrong keys are in each other's place.": -truth,
        "the scores were not divided by sqrt(d_head).": truth * math.sqrt(d_head),
        "queries and keys are in each other's place: rows are queries.": leads(
            scores.mT, right, wrong
        ),
        "scores were added up over the right keys, and over the wrong ones; take means.": (
            (on_right - on_wrong)[:, both].mean(dim=1)
        ),
        "scores were averaged over the right keys of all queries together; average within each "
        "query first.": scores[:, right].mean(dim=1) - scores[:, wrong].mean(dim=1),
        "queries that have only right or only wrong keys were averaged in.": ahead[:, some].mean(
            dim=1
        ),
        "queries without keys of both kinds were averaged in, as 0.": (
            (ahead * both).flatten(1).mean(dim=1)
        ),
        "the leads were added up over the queries; take their mean.": (ahead * both).sum((1, 2)),
        "each text was averaged by itself and then the texts; average over all queries at once.": (
            torch.stack(by_text).mean(dim=0)
        ),
        "only the first text was looked at.": leads(*first),
        "this is the mean over the right keys; that over the wrong ones is to be taken off.": (
            mean_right[:, both].mean(dim=1)
        ),
        "these are differences of attention, after a softmax; take those of scores.": leads(
            attention, right, wrong
        ),
    }


# ------------------------------------------------------------------------------------ smeared keys


def smeared(k: Tensor, alpha: Tensor) -> Tensor:
    """Each key mixed with the one before, key by key."""
    mixed = k.double().clone()
    for head, strength in enumerate(alpha.tolist()):
        share = 1 / (1 + math.exp(-strength))
        for position in range(1, k.shape[1]):
            own, before = k[:, position, head].double(), k[:, position - 1, head].double()
            mixed[:, position, head] = share * own + (1 - share) * before
    return mixed


def wrong_smeared(k: Tensor, alpha: Tensor) -> dict[str, Tensor]:
    """Mixtures with one mistake each, for at least 3 positions and several heads."""
    right, keys = smeared(k, alpha), k.double()
    before = torch.cat([keys[:, :1], keys[:, :-1]], dim=1)
    share = torch.sigmoid(alpha.double())[:, None]

    def first_as(first: Tensor) -> Tensor:
        return torch.cat([first, right[:, 1:]], dim=1)

    chained = [keys[:, 0]]
    for position in range(1, k.shape[1]):
        chained.append(share * keys[:, position] + (1 - share) * chained[-1])
    raw = alpha.double()[:, None]
    softened = torch.softmax(alpha.double(), dim=0)[:, None]
    return {
        "the shares are in each other's place: sigmoid(alpha) is the key's own.": smeared(
            k, -alpha
        ),
        "alpha itself was taken for the share; it is sigmoid(alpha).": raw * keys
        + (1 - raw) * before,
        "the first key was mixed with nothing, and so made smaller; it stays as it is.": first_as(
            share * keys[:, :1]
        ),
        "the first key was mixed with the last one, which `roll` brings round; it stays as it "
        "is.": first_as(share * keys[:, :1] + (1 - share) * keys[:, -1:]),
        "each key was mixed with the one after it.": share * keys
        + (1 - share) * torch.cat([keys[:, 1:], keys[:, -1:]], dim=1),
        "each key was mixed with what mixing had made of the one before; take that as it was.": (
            torch.stack(chained, dim=1)
        ),
        "the key itself was kept whole; it gives up a share to the one before.": torch.cat(
            [keys[:, :1], (keys + (1 - share) * before)[:, 1:]], dim=1
        ),
        "all of it is the key before.": before,
        "keys were mixed along another axis than the position.": share * keys
        + (1 - share) * torch.cat([keys[:, :, :1], keys[:, :, :-1]], dim=2),
        "every head was mixed with the first head's share.": smeared(k, alpha[:1].expand_as(alpha)),
        "a softmax over the heads was taken; it is a sigmoid, each head's own.": (
            softened * keys + (1 - softened) * before
        ),
    }


# -------------------------------------------------------------------------------------- resampling


def mean_loss(logits: Tensor, tokens: Tensor, counted: Tensor) -> float:
    """Mean loss in nats over the tokens that count, one by one; the first of a text never does."""
    log_probs = logits.double().log_softmax(dim=-1)
    losses = [
        -float(log_probs[b, i - 1, tokens[b, i]])
        for b in range(tokens.shape[0])
        for i in range(1, tokens.shape[1])
        if counted[b, i]
    ]
    return sum(losses) / len(losses)


@dataclass
class Resampling:
    """A model, the texts and a hypothesis about it."""

    model: Transformer
    tokens: Tensor
    other: Tensor
    counted: Tensor
    kept: list[Head]

    def loss(self, kept: Iterable[Head], source: Mapping[Head, Tensor] | None = None) -> float:
        """The loss with the other heads' outputs taken from a run on `other`, or from `source`."""
        kept = set(kept)
        source = written_by(self.model, self.other) if source is None else source
        instead = {head: value for head, value in source.items() if head not in kept}
        return self.of(logits_with(self.model, self.tokens, instead))

    def of(self, logits: Tensor) -> float:
        return mean_loss(logits, self.tokens, self.counted)


def kept_share(case: Resampling) -> float:
    """The share of the loss that the kept heads keep."""
    whole, none = case.loss(heads_of(case.model)), case.loss([])
    return _share(whole, none, case.loss(case.kept))


def _share(whole: float, none: float, scrubbed: float) -> float:
    return (none - scrubbed) / (none - whole) if none != whole else 0.0


def wrong_kept_shares(case: Resampling) -> dict[str, float]:
    """Shares with one mistake each, where some heads are kept and some are not."""
    model, every = case.model, heads_of(case.model)
    whole, none, scrubbed = case.loss(every), case.loss([]), case.loss(case.kept)
    rest = [head for head in every if head not in case.kept]
    own, others = written_by(model, case.tokens), written_by(model, case.other)
    right = _share(whole, none, scrubbed)

    def ablated(how: Callable[[Tensor], Tensor]) -> float:
        source = {head: how(value) for head, value in own.items()}
        return _share(whole, case.loss([], source), case.loss(case.kept, source))

    plain = {head: own[head] for head in case.kept}
    patterns = by_head(run(model, case.tokens).patterns, BY_PATTERN)
    held = run(
        model,
        case.tokens,
        written=replacing({head: others[head] for head in rest}, BY_POSITION),
        pattern=replacing(patterns, BY_PATTERN),
    )
    by_layer = {layer for layer, _ in case.kept}
    by_index = {index for _, index in case.kept}
    swapped = Resampling(model, case.other, case.tokens, case.counted, case.kept)
    wider = torch.ones_like(case.counted)
    moved = torch.cat([case.counted[:, 1:], case.counted[:, :1] & False], dim=1)
    return {
        "the kept heads were resampled and the others kept.": _share(whole, none, case.loss(rest)),
        "the kept heads wrote what they write in the ordinary run; they have to compute it from "
        "the stream that they find, with earlier heads resampled.": _share(
            whole,
            none,
            case.of(logits_with(model, case.tokens, {**others, **plain})),
        ),
        "the kept heads looked where they look in the ordinary run; they have to look anew.": (
            _share(whole, none, case.of(held.logits))
        ),
        "the other heads were put to zero; take their outputs on the other texts.": ablated(
            torch.zeros_like
        ),
        "the other heads got their mean output; take their outputs on the other texts.": ablated(
            lambda value: value.mean(dim=(0, 1), keepdim=True).expand_as(value)
        ),
        "the other heads' outputs were shuffled over the texts; text b has its own other text.": (
            _share(
                whole,
                none,
                case.loss(case.kept, {h: v.roll(1, 0) for h, v in others.items()}),
            )
        ),
        "the other texts' embeddings were taken as well; those of `tokens` stay.": _share(
            whole, none, case.of(logits_with(model, case.other, plain))
        ),
        "texts and other texts are in each other's place.": kept_share(swapped),
        "whole layers were kept: a head is kept if (layer, head) is.": _share(
            whole, none, case.loss([head for head in every if head[0] in by_layer])
        ),
        "heads were kept by their index, whatever their layer: a head is kept if (layer, head) "
        "is.": _share(whole, none, case.loss([head for head in every if head[1] in by_index])),
        "layer and head are in each other's place.": _share(
            whole, none, case.loss([head for head in every if head[::-1] in case.kept])
        ),
        "only one head was kept: the last of the list.": _share(
            whole, none, case.loss(case.kept[-1:])
        ),
        "all tokens counted; only the predictable ones do.": kept_share(
            Resampling(model, case.tokens, case.other, wider, case.kept)
        ),
        "the mask is one position off: the loss of the token at i comes from the logits at i - 1."
        "": kept_share(Resampling(model, case.tokens, case.other, moved, case.kept)),
        "this is the share that is lost.": 1 - right,
        "this is the loss itself.": scrubbed,
        "this is the rise of the loss over the model's, in nats.": scrubbed - whole,
        "this is what the kept heads save, in nats; divide it by what all heads save.": (
            none - scrubbed
        ),
        "this is the ratio of two losses; take what is saved, over what all heads save.": (
            whole / scrubbed
        ),
        "the loss with all heads resampled was left out: hold what is saved against it.": (
            (none - scrubbed) / none
        ),
        "the loss without any resampling was divided by; divide by the difference.": (
            (none - scrubbed) / whole
        ),
    }
