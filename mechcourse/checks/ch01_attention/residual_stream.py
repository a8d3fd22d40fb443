"""Checks of `ch01_attention/1_residual_stream.ipynb`."""

import torch
from torch import Tensor

from mechcourse.checks import Answer, check
from mechcourse.checks import _inputs as inputs
from mechcourse.checks import _slow as slow
from mechcourse.checks.ch01_attention import _residual_stream as known

TEACHES = (
    "mechcourse.models.Attention.forward",
    "mechcourse.models.Attention.fused",
    "mechcourse.models.Block.forward",
    "mechcourse.models.Transformer.forward",
    "mechcourse.models.Unembed.forward",
    "mechcourse.models._read",
    "mechcourse.modular.Attention.forward",
    "mechcourse.modular.Block.forward",
)

QKV = "batch pos head d_head"
PATTERN = "batch head query key"


@check
def check_queries_keys_values(answer: Answer, *, seed: int = 0) -> None:
    """Each head reads its queries and keys from stream plus positions, values from the stream."""
    random = inputs.generator(seed)
    for n_batch, n_pos, n_heads, d_model, d_head in ((2, 5, 3, 7, 4), (3, 1, 2, 5, 6)):
        residual = inputs.normal(random, n_batch, n_pos, d_model)
        W_pos = inputs.normal(random, 9, d_model)
        reads = [inputs.normal(random, n_heads, d_model, d_head) for _ in range(3)]
        got = answer.expect_tuple(answer(residual, W_pos, *reads), ("queries", "keys", "values"))
        placed = residual + W_pos[:n_pos]
        for name, value, weight in zip(("queries", "keys"), got, reads, strict=False):
            other = reads[1] if name == "queries" else reads[0]
            answer.expect_close(
                value,
                known.read(placed, weight),
                property=f"{name} are read from the residual stream plus the position vectors",
                dims=QKV,
                misconceptions={
                    "queries and keys are in each other's place.": known.read(placed, other),
                    f"the {name} were read from the stream without the positions.": known.read(
                        residual, weight
                    ),
                }
                | known.wrong_positions(residual, W_pos, weight),
            )
        answer.expect_close(
            got[2],
            known.read(residual, reads[2]),
            property="values are read from the residual stream alone",
            dims=QKV,
            misconceptions={
                "positions were added to what the values are read from; in this model a head moves "
                "what is in the stream, and positions are not.": known.read(placed, reads[2]),
                "values were read with W_K.": known.read(residual, reads[1]),
            },
        )
    # One text, one head, and as many tokens as there are positions: sizes of 1 stay axes.
    residual, W_pos = inputs.normal(random, 1, 9, 5), inputs.normal(random, 9, 5)
    reads = [inputs.normal(random, 1, 5, 3) for _ in range(3)]
    got = answer.expect_tuple(answer(residual, W_pos, *reads), ("queries", "keys", "values"))
    for value, source, weight in zip(
        got, (residual + W_pos,) * 2 + (residual,), reads, strict=True
    ):
        answer.expect_close(
            value,
            known.read(source, weight),
            property="one text and one head keep their axes, and a text may fill the context",
            dims=QKV,
        )


@check
def check_attention_pattern(answer: Answer, *, seed: int = 0) -> None:
    """Scaled scores, a causal mask, a softmax over the keys."""
    random = inputs.generator(seed)
    for n_batch, n_pos, n_heads, d_head in ((2, 5, 3, 4), (1, 4, 2, 6), (3, 1, 2, 4)):
        q = 1.5 * inputs.normal(random, n_batch, n_pos, n_heads, d_head)
        k = 1.5 * inputs.normal(random, n_batch, n_pos, n_heads, d_head)
        pattern = answer.expect_close(
            answer(q, k),
            slow.attention_pattern(q, k),
            property="each query spreads an attention of 1 over the keys up to its own position, "
            "by a softmax of scores that are scaled by 1 / sqrt(d_head)",
            dims=PATTERN,
            misconceptions={} if n_pos == 1 else known.wrong_patterns(q, k),
        )
        later = pattern * torch.ones(n_pos, n_pos).triu(1)
        answer.expect(
            not later.any(),
            property="keys later than the query get exactly 0",
            misconception="the scores of later keys were made small, but not small enough.",
            expected="0",
            got=f"up to {later.abs().max():.1g}",
        )
    # Whole numbers, so that scores this large are the same in whatever order they are summed.
    q, k = (20 * inputs.normal(random, 2, 6, 3, 4).round(decimals=1) for _ in range(2))
    answer.expect_close(
        answer(q, k),
        slow.attention_pattern(q, k),
        property="scores in the hundreds give a pattern too",
        dims=PATTERN,
        atol=1e-3,
    )
    q, k = (inputs.normal(random, 1, 7, 1, 5) for _ in range(2))
    answer.expect_close(
        answer(q, k),
        slow.attention_pattern(q, k),
        property="one text and one head keep their axes",
        dims=PATTERN,
    )


@check
def check_head_outputs(answer: Answer, *, seed: int = 0) -> None:
    """What each head writes to the residual stream, head by head."""
    random = inputs.generator(seed)
    for n_batch, n_pos, n_heads, d_head, d_model in ((2, 5, 3, 4, 7), (3, 1, 2, 6, 5)):
        q, k, v = (inputs.normal(random, n_batch, n_pos, n_heads, d_head) for _ in range(3))
        pattern = slow.attention_pattern(q, k).float()
        W_O = inputs.normal(random, n_heads, d_head, d_model)
        got = answer(pattern, v, W_O)
        if isinstance(got, Tensor) and got.shape == (n_batch, n_pos, d_model):
            answer.fail(
                property="each head's write is kept apart",
                misconception="the heads' writes were added up; keep the head axis.",
                expected=f"shape [batch pos head d_model] = {[n_batch, n_pos, n_heads, d_model]}",
                got=f"shape {list(got.shape)}",
            )
        answer.expect_close(
            got,
            known.write(pattern, v, W_O),
            property="a head's write at a position is its attention-weighted mean of values, "
            "through its own W_O",
            dims="batch pos head d_model",
            misconceptions={} if n_pos == 1 else known.wrong_writes(pattern, v, W_O),
        )
    # One text, one head, and weights that are no softmax's: they are used as they are.
    pattern, v = inputs.normal(random, 1, 1, 4, 4), inputs.normal(random, 1, 4, 1, 3)
    W_O = inputs.normal(random, 1, 3, 5)
    answer.expect_close(
        answer(pattern, v, W_O),
        known.write(pattern, v, W_O),
        property="the pattern is used as it is, and one text and one head keep their axes",
        dims="batch pos head d_model",
    )


@check
def check_attention_only_logits(answer: Answer, *, seed: int = 0) -> None:
    """The whole forward pass, for models of no, one, two, three and eleven layers."""
    random = inputs.generator(seed)
    sizes = ((0, 2, 5, 3, 4), (1, 2, 5, 3, 6), (2, 3, 4, 2, 4), (3, 1, 9, 3, 5), (2, 1, 1, 3, 4))
    for n_layers, n_batch, n_pos, n_heads, d_head in sizes:
        weights = inputs.transformer_weights(
            random, n_layers=n_layers, n_heads=n_heads, d_head=d_head
        )
        tokens = inputs.integers(random, 11, n_batch, n_pos)
        layers = f"{n_layers} layer{'s' * (n_layers != 1)}"
        texts = "texts of one token" if n_pos == 1 else f"a model with {layers}"
        answer.expect_close(
            answer(tokens, weights),
            slow.logits(tokens, weights),
            property=f"the logits of {texts}",
            dims="batch pos d_vocab",
            misconceptions={} if n_pos == 1 else known.wrong_logits(tokens, weights, n_layers),
            atol=1e-4,
        )
    weights = inputs.transformer_weights(random, n_layers=11, d_model=3, n_heads=1, d_head=2)
    tokens = inputs.integers(random, 11, 1, 3)
    as_text = sorted(range(11), key=str)
    answer.expect_close(
        answer(tokens, weights),
        slow.logits(tokens, weights),
        property="the logits of a model with 11 layers",
        dims="batch pos d_vocab",
        misconceptions={
            "the layers ran in the order of their names as text, 10 before 2.": known.forward(
                tokens, weights, as_text
            )
        },
        atol=1e-3,
        rtol=1e-3,
    )


@check
def check_bigram_logits(answer: Answer, *, seed: int = 0) -> None:
    """The 0-layer model as a table: row by the current token, column by the next."""
    random = inputs.generator(seed)
    for d_vocab, d_model in ((11, 7), (6, 9)):
        W_E = inputs.normal(random, d_vocab, d_model)
        W_U = inputs.normal(random, d_model, d_vocab)
        table = W_E.double() @ W_U.double()
        answer.expect_close(
            answer(W_E, W_U),
            table,
            property="row a holds the logits that the model gives after token a",
            dims="current next",
            misconceptions={
                "the table is transposed: rows are the current token, columns the next.": table.T,
                "these are probabilities: leave the softmax out.": table.softmax(-1),
                "these are log-probabilities: leave the log-softmax out.": table.log_softmax(-1),
                "the rows were centred; give the logits as the model does.": table
                - table.mean(-1, keepdim=True),
                "W_E was used in place of W_U.": W_E.double() @ W_E.double().T,
            },
        )


@check
def check_kl_to_bigrams(answer: Answer, *, seed: int = 0) -> None:
    """A mean over current tokens of the divergence between counted and modelled next tokens."""
    random = inputs.generator(seed)
    logits, counts = known.kl_case(random)
    for direction, smoothing in known.KL_SETTINGS:
        answer.expect_close(
            answer(logits, counts, direction=direction, smoothing=smoothing),
            known.mean_kl(logits, counts, direction, smoothing),
            property=f'in the direction "{direction}" it is the mean divergence in nats, '
            "weighted by how often each token was seen",
            misconceptions=known.wrong_kl(logits, counts, direction, smoothing),
        )
    answer.expect_close(
        answer(logits, counts, direction="data_to_model", smoothing=0.0),
        known.mean_kl(logits, counts, "data_to_model", 0.0),
        property="without smoothing, pairs and tokens that never occur add nothing "
        "to the divergence from the data to the model",
    )
    counts = inputs.integers(random, 9, 5, 5).double() + 1.0
    counts[3] = 0
    exact = counts.clamp(min=1.0).log()
    exact[3] = inputs.normal(random, 5)
    answer.expect_close(
        answer(exact, counts, direction="model_to_data", smoothing=0.0),
        0.0,
        property="it is 0 for a model that has the counted frequencies",
    )
    logits = inputs.normal(random, 5, 5)
    for direction in ("data_to_model", "model_to_data"):
        answer.expect_close(
            answer(logits, counts, direction=direction, smoothing=0.1),
            known.mean_kl(logits, counts, direction, 0.1),
            property="it is so for a little smoothing and another size of vocabulary",
        )
    counts[0, 1] = 0
    answer.expect_close(
        answer(exact, counts, direction="model_to_data", smoothing=0.0),
        torch.inf,
        property="it is infinite where the model expects what the data never has",
    )


@check
def check_logit_attribution(answer: Answer, *, seed: int = 0) -> None:
    """Each component's own part in the logit of the token in question."""
    random = inputs.generator(seed)
    for n_components, n_pos, d_model, d_vocab in ((4, 5, 7, 11), (6, 1, 5, 9)):
        components = inputs.normal(random, n_components, n_pos, d_model)
        W_U = inputs.normal(random, d_model, d_vocab)
        targets = torch.randperm(d_vocab, generator=random)[:n_pos]
        answer.expect_close(
            answer(components, W_U, targets),
            known.at_targets(components.double() @ W_U.double(), targets),
            property="each component's write, through W_U, at the target token of its position",
            dims="component pos",
            misconceptions=known.wrong_attributions(components.double(), W_U.double(), targets),
        )
    components, W_U, targets = _one_component(random)
    answer.expect_close(
        answer(components, W_U, targets),
        known.at_targets(components.double() @ W_U.double(), targets),
        property="one component is enough, and a token may be the target twice",
        dims="component pos",
    )


@check
def check_update_norms(answer: Answer, *, seed: int = 0) -> None:
    """Each layer's update, measured against the stream that it joins."""
    random = inputs.generator(seed)
    for n_states, n_batch, n_pos, d_model in ((4, 2, 5, 7), (2, 3, 1, 5)):
        stream = inputs.normal(random, n_states, n_batch, n_pos, d_model).double()
        stream *= 0.5 + 3 * torch.rand(n_states, n_batch, n_pos, 1, generator=random).double()
        stream[3:] = stream[2:3]  # a layer that writes nothing
        got = answer.expect_tuple(answer(stream.float()), ("ratio", "cosine"))
        ratio, cosine = known.update_sizes(stream)
        answer.expect_close(
            got[0],
            ratio,
            property="the ratio is the update's length over the length of the stream before it, "
            "averaged over texts and positions",
            dims="layer",
            misconceptions=known.wrong_ratios(stream) if n_states > 2 else {},
        )
        answer.expect_close(
            got[1],
            cosine,
            property="the cosine is between the update and the stream before it, averaged "
            "likewise, and 0 where a layer writes nothing",
            dims="layer",
            misconceptions=known.wrong_cosines(stream) if n_states > 2 else {},
        )
    stream = inputs.normal(random, 3, 2, 4, 6).double()
    stream[1, 0, 2] = stream[0, 0, 2]  # at one position of one text only
    stream[:, 1, 1] *= 0.02
    got = answer.expect_tuple(answer(stream.float()), ("ratio", "cosine"))
    for value, right in zip(got, known.update_sizes(stream), strict=True):
        answer.expect_close(
            value,
            right,
            property="a position at which a layer writes nothing counts as 0, and a short state "
            "as much as a long one",
            dims="layer",
            atol=1e-4,
        )


@check
def check_rotate_residual_stream(answer: Answer, *, seed: int = 0) -> None:
    """Every state of the stream is turned, and the logits do not notice."""
    random = inputs.generator(seed)
    for n_layers, n_heads, d_model, d_head in ((3, 3, 7, 4), (0, 1, 7, 4), (1, 2, 5, 6)):
        weights = inputs.transformer_weights(
            random, n_layers=n_layers, n_heads=n_heads, d_model=d_model, d_head=d_head
        )
        turn = inputs.rotation(random, d_model)
        if n_layers == 1:
            turn[:, 0] *= -1  # an orthogonal matrix may reflect, too
        # Two texts as long as the context, with every token in them.
        tokens = torch.cat(
            [torch.randperm(11, generator=random), inputs.integers(random, 11, 7)]
        ).view(2, 9)
        new = answer.expect_dict(answer(weights, turn), list(weights))
        for name, old in weights.items():
            new[name] = answer.tensor(
                new[name], shape=tuple(old.shape), of=f"{name} keeps its shape"
            )
        _hold_turned(answer, tokens, weights, new, turn)


def _hold_turned(
    answer: Answer, tokens: Tensor, weights: inputs.Weights, new: inputs.Weights, turn: Tensor
) -> None:
    """Hold that the stream is turned from end to end, by whatever weights do it."""
    states, turned = slow.stream(tokens, weights), slow.stream(tokens, new)
    answer.expect_close(
        turned[0],
        states[0] @ turn.double(),
        property="the embeddings are turned: each state x of the stream becomes x @ rotation",
        dims="batch pos d_model",
        misconceptions={
            "the stream was left as it was.": states[0],
            "the stream was turned the other way, by rotation.T.": states[0] @ turn.T.double(),
        },
    )
    answer.expect_close(
        turned,
        states @ turn.double(),
        property="after every layer the stream is the old one turned",
        dims="layer batch pos d_model",
        otherwise=_unlike(new, weights, turn),
        atol=1e-4,
    )
    answer.expect_close(
        slow.logits(tokens, new),
        slow.logits(tokens, weights),
        property="the logits stay as they were",
        dims="batch pos d_vocab",
        otherwise=_unlike(new, weights, turn),
        atol=1e-4,
    )


@check
def check_centred_logit_attribution(answer: Answer, *, seed: int = 0) -> None:
    """Attribution to a logit above the mean of all logits."""
    random = inputs.generator(seed)
    for n_components, n_pos, d_model, d_vocab in ((4, 5, 7, 11), (6, 1, 5, 9)):
        components = inputs.normal(random, n_components, n_pos, d_model)
        W_U = inputs.normal(random, d_model, d_vocab) + 1.5 * inputs.normal(random, d_model, 1)
        targets = torch.randperm(d_vocab, generator=random)[:n_pos]
        every = components.double() @ W_U.double()
        answer.expect_close(
            answer(components, W_U, targets),
            known.at_targets(every, targets) - every.mean(-1),
            property="a component's part in the target's logit, less the mean of its parts in "
            "all logits",
            dims="component pos",
            misconceptions=known.wrong_centres(components.double(), W_U.double(), targets),
        )
    components, W_U, targets = _one_component(random)
    W_U += 0.7
    every = components.double() @ W_U.double()
    answer.expect_close(
        answer(components, W_U, targets),
        known.at_targets(every, targets) - every.mean(-1),
        property="one component is enough, and a token may be the target twice",
        dims="component pos",
    )


@check
def check_attribution_disagreement(answer: Answer, *, seed: int = 0) -> None:
    """A built case: raw attribution names a head that does not matter."""
    for n_heads, d_model, d_vocab in ((2, 4, 5), (5, 8, 12), (7, 2, 3)):
        got = answer(n_heads, d_model, d_vocab)
        heads, W_U, target = answer.expect_tuple(got, ("head_writes", "W_U", "target"))
        heads = answer.tensor(
            heads, shape=(n_heads, d_model), dims="head d_model", of="head_writes"
        ).double()
        W_U = answer.tensor(
            W_U, shape=(d_model, d_vocab), dims="d_model d_vocab", of="W_U"
        ).double()
        target = answer.tensor(target, shape=(), of="target")
        answer.expect(
            not target.is_floating_point() and 0 <= int(target) < d_vocab,
            property="the target is a token of the vocabulary",
            expected=f"a whole number from 0 to {d_vocab - 1}",
            got=str(target.item()),
        )
        answer.expect(
            heads.isfinite().all() and W_U.isfinite().all(),
            property="all values are finite",
            got="an infinite value, or NaN",
        )
        _hold_disagreement(answer, heads @ W_U, int(target))


def _hold_disagreement(answer: Answer, parts: Tensor, target: int) -> None:
    """Hold that raw and centred attribution disagree, and that the centred one is right.

    Args:
        parts: each head's part in each logit, [head d_vocab].
    """
    raw = parts[:, target]
    centred = raw - parts.mean(-1)
    for name, values in (("raw", raw), ("centred", centred)):
        best = values.topk(2).values
        answer.expect(
            best[0] - best[1] >= 0.5,
            property=f"{name} attribution has a clear first head, by at least 0.5 logits",
            got=f"{best[0]:.3g} and {best[1]:.3g} as the two largest",
        )
    first, second = int(raw.argmax()), int(centred.argmax())
    answer.expect(
        first != second,
        property="the two attributions put different heads first",
        got=f"head {first} first by both",
    )
    whole = parts.sum(0).log_softmax(-1)[target]
    without = [(parts.sum(0) - parts[h]).log_softmax(-1)[target] for h in (first, second)]
    lost = [float(whole - value) for value in without]
    answer.expect(
        abs(lost[0]) <= 0.05,
        property="removing the head that raw attribution puts first changes the target's "
        "log-probability by at most 0.05 nats",
        misconception=f"it raises the target {'more' if lost[0] > 0 else 'less'} than the other "
        "tokens; let it raise all of them alike.",
        got=f"head {first}, whose removal {'costs' if lost[0] > 0 else 'gains'} "
        f"{abs(lost[0]):.3g} nats",
    )
    answer.expect(
        lost[1] >= 0.5,
        property="removing the head that centred attribution puts first costs the target at least "
        "0.5 nats",
        misconception="the target is so likely, or so unlikely, that no head matters.",
        got=f"head {second}, whose removal costs {lost[1]:.3g} nats",
    )


@check
def check_attribution_percentile(answer: Answer, *, seed: int = 0) -> None:
    """The share of the other tokens that a component raises less than the target."""
    random = inputs.generator(seed)
    for n_components, n_pos, d_model, d_vocab in ((4, 5, 7, 11), (6, 1, 5, 9)):
        # Whole numbers, so that ties are exact in whatever order the products are summed.
        components = inputs.integers(random, 9, n_components, n_pos, d_model).float() - 4
        W_U = inputs.integers(random, 9, d_model, d_vocab).float() - 4
        W_U[:, 3] = W_U[:, 8]  # two tokens that nothing tells apart
        components[1] = 0  # a component that writes nothing
        targets = torch.cat([torch.tensor([8]), torch.randperm(8, generator=random)])[:n_pos]
        every = components.double() @ W_U.double()
        answer.expect_close(
            answer(components, W_U, targets),
            known.share_beaten(every, targets),
            property="the share of the other tokens that get less than the target, ties counting "
            "one half",
            dims="component pos",
            misconceptions=known.wrong_shares(every, targets),
        )
    components, W_U, targets = _one_component(random)
    answer.expect_close(
        answer(components, W_U, targets),
        known.share_beaten(components.double() @ W_U.double(), targets),
        property="small differences count as well, and a token may be the target twice",
        dims="component pos",
    )


def _one_component(random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """One component, W_U and targets, one of them twice, over a vocabulary of another size."""
    components, W_U = inputs.normal(random, 1, 4, 6), inputs.normal(random, 6, 17)
    return components, W_U, torch.tensor([13, 2, 13, 16])


def _unlike(new: inputs.Weights, weights: inputs.Weights, turn: Tensor) -> str:
    """Which weight is not turned as it should be, in words."""
    turn = turn.double()
    for name, old in weights.items():
        if name.endswith(("W_Q", "W_K", "W_V", "W_U")):
            right, how = (
                turn.T @ old.double(),
                "reads from the stream, so rotation.T comes before it",
            )
        else:
            verb = "is added to" if name.endswith("W_pos") else "writes to"
            right, how = old.double() @ turn, f"{verb} the stream, so rotation comes after it"
        if not torch.allclose(new[name].double(), right, atol=1e-4):
            return f"{name} {how}."
    return "the weights do not fit each other."
