"""Wrong answers to `ch01_attention/1_residual_stream.ipynb`, each with words its check must say."""

import math
import sys

import torch
from einops import einsum

from tests.checks.harness import wrong

READ = "b p m, h m d -> b p h d"


def model_of(weights):
    """The library's own model, with these weights in it."""
    from mechcourse.models import Transformer, TransformerConfig

    d_vocab, d_model = weights["embed.W_E"].shape
    n_layers = sum(name.endswith("W_O") for name in weights)
    n_heads, d_head = weights["blocks.0.attn.W_O"].shape[:2] if n_layers else (1, 1)
    n_ctx = len(weights["pos_embed.W_pos"])
    model = Transformer(TransformerConfig(n_layers, d_model, n_heads, d_head, d_vocab, n_ctx))
    model.load_state_dict(weights)
    return model


def layer_of(n_ctx, W_Q, W_K, W_V, W_O):
    """The library's own attention layer, with these weights in it."""
    from mechcourse.models import Attention, TransformerConfig

    n_heads, d_model, d_head = W_Q.shape
    layer = Attention(TransformerConfig(1, d_model, n_heads, d_head, 2, n_ctx))
    layer.load_state_dict({"W_Q": W_Q, "W_K": W_K, "W_V": W_V, "W_O": W_O})
    return layer


def seen_inside(layer, point, residual, positions):
    """What passes through one of a layer's hook points."""
    seen = []
    getattr(layer, point).hooks.append(lambda activation, _point: seen.append(activation))
    layer(residual, positions)
    return seen[0]


def like_everything(answer):
    """A tensor that claims to equal, and to be close to, whatever it is compared with."""

    class Liar(torch.Tensor):
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            if function in (torch.isclose, torch.allclose, torch.eq, torch.equal):
                return torch.tensor(True)
            return super().__torch_function__(function, types, args, kwargs or {})

    return answer.as_subclass(Liar)


# ------------------------------------------------------------------------------- bigram_logits


@wrong("bigram_logits", "rows are the current token, columns the next")
def bigrams_transposed(W_E, W_U):
    return (W_E @ W_U).T


@wrong("bigram_logits", "leave the softmax out")
def bigram_probabilities(W_E, W_U):
    return (W_E @ W_U).softmax(-1)


@wrong("bigram_logits", "leave the log-softmax out")
def bigram_log_probabilities(W_E, W_U):
    return (W_E @ W_U).log_softmax(-1)


@wrong("bigram_logits", "the rows were centred")
def bigrams_centred(W_E, W_U):
    table = W_E @ W_U
    return table - table.mean(-1, keepdim=True)


@wrong("bigram_logits", "W_E was used in place of W_U")
def bigrams_of_tied_weights(W_E, W_U):
    return W_E @ W_E.T


@wrong("bigram_logits", "Expected shape [current next] = [11, 11]. Got shape [7, 7]")
def bigrams_of_dimensions(W_E, W_U):
    return (W_U @ W_E).T


@wrong("bigram_logits", "Expected shape [current next] = [11, 11]. Got shape [2, 2]")
def bigram_example_from_the_page(W_E, W_U):
    return torch.tensor([[0.0, 3.0], [2.0, 0.0]])


@wrong("bigram_logits", "it is right where next is 0, 1, 2, 3, 4 and wrong elsewhere")
def bigrams_only_of_the_first_tokens(W_E, W_U):
    table = torch.zeros(len(W_E), len(W_E))
    table[:, :5] = W_E @ W_U[:, :5]
    return table


@wrong("bigram_logits", "every value is 0")
def bigrams_zero(W_E, W_U):
    return torch.zeros(len(W_E), len(W_E))


@wrong("bigram_logits", "IndexError")
def bigrams_of_eleven_tokens(W_E, W_U):
    return torch.stack([W_E[token] @ W_U for token in range(11)])


@wrong("bigram_logits", "a `return` is missing")
def bigrams_not_returned(W_E, W_U):
    _table = W_E @ W_U


@wrong("bigram_logits", "this is what the exercise asks you to write")
def bigrams_by_the_library(W_E, W_U):
    weights = {"embed.W_E": W_E, "unembed.W_U": W_U, "pos_embed.W_pos": torch.zeros_like(W_E)}
    return model_of(weights)(torch.arange(len(W_E))[:, None])[:, 0].detach()


@wrong("bigram_logits", "this is what the exercise asks you to write")
def bigrams_by_the_librarys_unembedding(W_E, W_U):
    weights = {"embed.W_E": W_E, "unembed.W_U": W_U, "pos_embed.W_pos": torch.zeros_like(W_E)}
    return model_of(weights).unembed(W_E[None])[0].detach()


@wrong("bigram_logits", "What should hold: row a holds")
def bigrams_that_claim_to_be_right(W_E, W_U):
    return like_everything(W_U.T @ W_E.T)


@wrong("bigram_logits", "What should hold: row a holds", where="worker")
def bigrams_with_comparisons_patched(W_E, W_U):
    torch.isclose = torch.allclose = lambda *_args, **_kwargs: torch.tensor(True)
    return torch.ones(len(W_E), len(W_E))


# ------------------------------------------------------------------------------- kl_to_bigrams


def divergence(first, second):
    return (first * (first / second).log()).nan_to_num(0.0).sum(-1)


def kl_with(logits, counts, direction, smoothing, weigh, *, used=None):
    """The right divergences of the rows, averaged in a way to choose."""
    smoothed = counts + (smoothing if used is None else used)
    data, model = smoothed / smoothed.sum(-1, keepdim=True), logits.double().softmax(-1)
    pair = (data, model) if direction == "data_to_model" else (model, data)
    return weigh(divergence(*pair), counts)


def by_share(rows, counts):
    return (rows * counts.sum(-1) / counts.sum()).sum()


@wrong("kl_to_bigrams", 'this is the direction "data_to_model"')
def kl_ignores_direction(logits, counts, *, direction, smoothing):
    return kl_with(logits, counts, "data_to_model", smoothing, by_share)


@wrong("kl_to_bigrams", 'this is the direction "model_to_data"')
def kl_directions_exchanged(logits, counts, *, direction, smoothing):
    other = "model_to_data" if direction == "data_to_model" else "data_to_model"
    return kl_with(logits, counts, other, smoothing, by_share)


@wrong("kl_to_bigrams", "another smoothing than the argument was used (1)")
def kl_ignores_smoothing(logits, counts, *, direction, smoothing):
    return kl_with(logits, counts, direction, smoothing, by_share, used=1.0)


@wrong("kl_to_bigrams", "no smoothing was used")
def kl_without_smoothing(logits, counts, *, direction, smoothing):
    return kl_with(logits, counts, direction, smoothing, by_share, used=1e-12)


@wrong("kl_to_bigrams", "all tokens count alike")
def kl_of_an_even_mean(logits, counts, *, direction, smoothing):
    return kl_with(logits, counts, direction, smoothing, lambda rows, counts: rows.mean())


@wrong("kl_to_bigrams", "all tokens that were seen count alike")
def kl_of_an_even_mean_of_seen(logits, counts, *, direction, smoothing):
    seen = lambda rows, counts: rows[counts.sum(-1) > 0].mean()  # noqa: E731
    return kl_with(logits, counts, direction, smoothing, seen)


@wrong("kl_to_bigrams", "the weights were smoothed too")
def kl_with_smoothed_weights(logits, counts, *, direction, smoothing):
    shares = (counts + smoothing).sum(-1) / (counts + smoothing).sum()
    return kl_with(logits, counts, direction, smoothing, lambda rows, counts: (rows * shares).sum())


@wrong("kl_to_bigrams", "added up; take their weighted mean")
def kl_summed(logits, counts, *, direction, smoothing):
    return kl_with(logits, counts, direction, smoothing, lambda rows, counts: rows.sum())


@wrong("kl_to_bigrams", "weighted by how often they came next")
def kl_weighted_by_next(logits, counts, *, direction, smoothing):
    by_next = lambda rows, counts: (rows * counts.sum(0) / counts.sum()).sum()  # noqa: E731
    return kl_with(logits, counts, direction, smoothing, by_next)


@wrong("kl_to_bigrams", "this is in bits; give nats")
def kl_in_bits(logits, counts, *, direction, smoothing):
    return kl_with(logits, counts, direction, smoothing, by_share) / math.log(2)


@wrong("kl_to_bigrams", "the sign is the wrong way round")
def kl_negative(logits, counts, *, direction, smoothing):
    return -kl_with(logits, counts, direction, smoothing, by_share)


@wrong("kl_to_bigrams", "counts were read with the next token as the row")
def kl_of_transposed_counts(logits, counts, *, direction, smoothing):
    return kl_with(logits, counts.T, direction, smoothing, by_share)


@wrong("kl_to_bigrams", "Expected a single number. Got shape [6]")
def kl_of_each_token(logits, counts, *, direction, smoothing):
    return kl_with(logits, counts, direction, smoothing, lambda rows, counts: rows)


@wrong("kl_to_bigrams", "tokens that never occur add nothing")
def kl_nan_without_smoothing(logits, counts, *, direction, smoothing):
    data = (counts + smoothing) / (counts + smoothing).sum(-1, keepdim=True)
    model = logits.double().softmax(-1)
    pair = (data, model) if direction == "data_to_model" else (model, data)
    return by_share((pair[0] * (pair[0] / pair[1]).log()).sum(-1), counts)


@wrong("kl_to_bigrams", "this is the cross-entropy")
def cross_entropy_instead(logits, counts, *, direction, smoothing):
    data = (counts + smoothing) / (counts + smoothing).sum(-1, keepdim=True)
    model = logits.double().softmax(-1)
    first, second = (data, model) if direction == "data_to_model" else (model, data)
    return by_share(-(first * second.log()).nan_to_num(0.0).sum(-1), counts)


@wrong("kl_to_bigrams", "the mean divergence in nats, weighted by how often each token was seen")
def kl_without_rare_tokens(logits, counts, *, direction, smoothing):
    rows = counts.sum(-1) > 1
    shares = counts.sum(-1)[rows] / counts.sum()
    return kl_with(logits, counts, direction, smoothing, lambda all_, _: all_[rows] @ shares)


@wrong("kl_to_bigrams", "Got 0.1308")
def kl_example_from_the_page(logits, counts, *, direction, smoothing):
    return torch.tensor(0.1308)


# ------------------------------------------------------------------------- queries_keys_values


@wrong("queries_keys_values", "the queries were read from the stream without the positions")
def reads_without_positions(residual, W_pos, W_Q, W_K, W_V):
    return tuple(einsum(residual, W, READ) for W in (W_Q, W_K, W_V))


@wrong("queries_keys_values", "the keys were read from the stream without the positions")
def keys_without_positions(residual, W_pos, W_Q, W_K, W_V):
    placed = residual + W_pos[: residual.shape[1]]
    return einsum(placed, W_Q, READ), einsum(residual, W_K, READ), einsum(residual, W_V, READ)


@wrong("queries_keys_values", "positions were added to what the values are read from")
def values_with_positions(residual, W_pos, W_Q, W_K, W_V):
    placed = residual + W_pos[: residual.shape[1]]
    return tuple(einsum(placed, W, READ) for W in (W_Q, W_K, W_V))


@wrong("queries_keys_values", "position 0 has the first row")
def last_rows_of_positions(residual, W_pos, W_Q, W_K, W_V):
    return queries_keys_values(residual, W_pos[-residual.shape[1] :], W_Q, W_K, W_V)


@wrong("queries_keys_values", "the first row of W_pos was added at every position")
def first_row_of_positions(residual, W_pos, W_Q, W_K, W_V):
    return queries_keys_values(residual, W_pos[:1].expand_as(W_pos), W_Q, W_K, W_V)


@wrong("queries_keys_values", "must match the size")
def all_rows_of_positions(residual, W_pos, W_Q, W_K, W_V):
    return einsum(residual + W_pos, W_Q, READ), einsum(residual + W_pos, W_K, READ), residual


@wrong("queries_keys_values", "queries and keys are in each other's place")
def keys_before_queries(residual, W_pos, W_Q, W_K, W_V):
    return queries_keys_values(residual, W_pos, W_K, W_Q, W_V)


@wrong("queries_keys_values", "values were read with W_K")
def values_read_with_keys(residual, W_pos, W_Q, W_K, W_V):
    return queries_keys_values(residual, W_pos, W_Q, W_K, W_K)


@wrong("queries_keys_values", "it joins before W_Q and W_K")
def positions_after_reading(residual, W_pos, W_Q, W_K, W_V):
    late = W_pos[: residual.shape[1], None, : W_Q.shape[-1]]
    q, k, v = (einsum(residual, W, READ) for W in (W_Q, W_K, W_V))
    return q + late, k + late, v


@wrong("queries_keys_values", "the values along head are in another order")
def reads_with_heads_permuted(residual, W_pos, W_Q, W_K, W_V):
    return queries_keys_values(residual, W_pos, W_Q.flip(0), W_K.flip(0), W_V.flip(0))


@wrong("queries_keys_values", "two axes are in each other's place")
def heads_before_positions(residual, W_pos, W_Q, W_K, W_V):
    return tuple(x.transpose(1, 2) for x in queries_keys_values(residual, W_pos, W_Q, W_K, W_V))


@wrong("queries_keys_values", "Expected a tuple (queries, keys, values). Got one tensor")
def reads_in_one_tensor(residual, W_pos, W_Q, W_K, W_V):
    return torch.stack(queries_keys_values(residual, W_pos, W_Q, W_K, W_V))


@wrong("queries_keys_values", "Got shape [1, 1, 1, 1]")
def reads_from_the_page(residual, W_pos, W_Q, W_K, W_V):
    return tuple(torch.full((1, 1, 1, 1), x) for x in (12.0, 36.0, 10.0))


@wrong("queries_keys_values", "IndexError")
def reads_of_three_heads(residual, W_pos, W_Q, W_K, W_V):
    placed = residual + W_pos[: residual.shape[1]]
    sources = ((placed, W_Q), (placed, W_K), (residual, W_V))
    return tuple(torch.stack([x @ W[h] for h in range(3)], dim=2) for x, W in sources)


@wrong("queries_keys_values", "every batch got what belongs to batch 0")
def reads_of_the_first_text(residual, W_pos, W_Q, W_K, W_V):
    return queries_keys_values(residual[:1].expand_as(residual), W_pos, W_Q, W_K, W_V)


@wrong("queries_keys_values", "this is what the exercise asks you to write")
def reads_by_the_library(residual, W_pos, W_Q, W_K, W_V):
    layer = layer_of(len(W_pos), W_Q, W_K, W_V, W_V.transpose(1, 2))
    positions = W_pos[: residual.shape[1]]
    points = ("hook_q", "hook_k", "hook_v")
    return tuple(seen_inside(layer, point, residual, positions) for point in points)


@wrong("queries_keys_values", "this is what the exercise asks you to write")
def reads_by_the_librarys_helper(residual, W_pos, W_Q, W_K, W_V):
    from mechcourse.models import _read

    placed = residual + W_pos[: residual.shape[1]]
    return _read(placed, W_Q), _read(placed, W_K), _read(residual, W_V)


# --------------------------------------------------------------------------- attention_pattern


def scores_of(q, k):
    return einsum(q, k, "b i h d, b j h d -> b h i j") / math.sqrt(q.shape[-1])


def later_than(q, diagonal=1):
    return torch.ones(q.shape[1], q.shape[1], dtype=torch.bool).triu(diagonal)


def masked(q, k):
    return scores_of(q, k).masked_fill(later_than(q), -torch.inf)


@wrong("attention_pattern", "not divided by sqrt(d_head)")
def pattern_unscaled(q, k):
    return masked(q * math.sqrt(q.shape[-1]), k).softmax(-1)


@wrong("attention_pattern", "divided by d_head, not by its square root")
def pattern_scaled_twice(q, k):
    return masked(q / math.sqrt(q.shape[-1]), k).softmax(-1)


@wrong("attention_pattern", "the square root of the wrong axis's size")
def pattern_scaled_by_d_model(q, k):
    return masked(q / math.sqrt(q.shape[-2]), k).softmax(-1)


@wrong("attention_pattern", "divided by 2 whatever d_head is")
def pattern_halved(q, k):
    return masked(q * math.sqrt(q.shape[-1]) / 2, k).softmax(-1)


@wrong("attention_pattern", "multiplied by sqrt(d_head)")
def pattern_scaled_up(q, k):
    return masked(q * q.shape[-1], k).softmax(-1)


@wrong("attention_pattern", "nothing keeps a query from looking at later keys")
def pattern_of_everything(q, k):
    return scores_of(q, k).softmax(-1)


@wrong("attention_pattern", "the softmax came before the mask")
def pattern_masked_late(q, k):
    return scores_of(q, k).softmax(-1).tril()


@wrong("attention_pattern", "scores of later keys were set to 0")
def pattern_masked_with_zero(q, k):
    return scores_of(q, k).tril().softmax(-1)


@wrong("attention_pattern", "a query was kept from its own position")
def pattern_without_self(q, k):
    hidden = scores_of(q, k).masked_fill(later_than(q, 0), -torch.inf)
    return hidden.softmax(-1).nan_to_num(0.0)


@wrong("attention_pattern", "the mask hides earlier keys")
def pattern_of_the_future(q, k):
    return scores_of(q, k).masked_fill(later_than(q).T, -torch.inf).softmax(-1)


@wrong("attention_pattern", "the softmax runs over the queries")
def pattern_over_queries(q, k):
    return masked(q, k).softmax(-2)


@wrong("attention_pattern", "the softmax runs over the heads")
def pattern_over_heads(q, k):
    return scores_of(q, k).softmax(1).masked_fill(later_than(q), 0)


@wrong("attention_pattern", "queries and keys are in each other's place")
def pattern_of_keys(q, k):
    return masked(k, q).softmax(-1)


@wrong("attention_pattern", "the softmax is missing")
def pattern_of_scores(q, k):
    return masked(q, k)


@wrong("attention_pattern", "two axes are in each other's place")
def pattern_heads_third(q, k):
    return masked(q, k).softmax(-1).transpose(1, 2)


@wrong("attention_pattern", "exactly 0")
def pattern_with_a_weak_mask(q, k):
    return scores_of(q, k).masked_fill(later_than(q), -20.0).softmax(-1)


@wrong("attention_pattern", "scores in the hundreds give a pattern too")
def pattern_that_overflows(q, k):
    weights = scores_of(q, k).exp().tril()
    return weights / weights.sum(-1, keepdim=True)


@wrong("attention_pattern", "every batch got what belongs to batch 0")
def pattern_of_the_first_text(q, k):
    return masked(q[:1], k[:1]).softmax(-1).expand(len(q), -1, -1, -1)


@wrong("attention_pattern", "attention is spread evenly, whatever the scores say")
def pattern_ignoring_content(q, k):
    return (0 * masked(q, k).nan_to_num(0.0)).masked_fill(later_than(q), -torch.inf).softmax(-1)


@wrong("attention_pattern", "the values along head are in another order")
def pattern_with_heads_permuted(q, k):
    return masked(q, k).softmax(-1).flip(1)


@wrong("attention_pattern", "Got shape [1, 1, 2, 2]")
def pattern_from_the_page(q, k):
    return torch.tensor([[[[1.0, 0.0], [0.25, 0.75]]]])


@wrong("attention_pattern", "this is what the exercise asks you to write")
def pattern_by_the_library(q, k):
    # Each head reads its own stretch of a stream that holds all heads' queries, then all keys.
    n_heads, d_head = q.shape[2:]
    stream = torch.cat([q.flatten(2), k.flatten(2)], dim=-1)
    select = torch.eye(stream.shape[-1]).view(-1, 2, n_heads, d_head).permute(1, 2, 0, 3)
    layer = layer_of(q.shape[1], select[0], select[1], select[0], select[0].transpose(1, 2))
    positions = torch.zeros(q.shape[1], stream.shape[-1])
    return seen_inside(layer, "hook_pattern", stream, positions)


@wrong("attention_pattern", "a `return` is missing", where="worker")
def pattern_by_the_checks_own_oracle(q, k):
    from mechcourse.checks import _slow

    return _slow.attention_pattern(q, k)


@wrong("attention_pattern", "not implemented for 'Long'")
def pattern_of_whole_numbers(q, k):
    return scores_of(q, k).round().long().masked_fill(later_than(q), -999).softmax(-1)


@wrong("attention_pattern", "torch.stack or torch.cat makes one tensor of several")
def pattern_in_pieces(q, k):
    return [attention_pattern(q[b : b + 1], k[b : b + 1]) for b in range(len(q))]


# -------------------------------------------------------------------------------- head_outputs


@wrong("head_outputs", "the heads' writes were added up; keep the head axis")
def writes_added_up(pattern, v, W_O):
    return head_outputs(pattern, v, W_O).sum(2)


@wrong("head_outputs", "the pattern was used the wrong way round")
def writes_over_queries(pattern, v, W_O):
    return head_outputs(pattern.mT, v, W_O)


@wrong("head_outputs", "every head was written through the first head's W_O")
def writes_through_one_head(pattern, v, W_O):
    return head_outputs(pattern, v, W_O[:1].expand_as(W_O))


@wrong("head_outputs", "the values were moved without attention")
def writes_without_attention(pattern, v, W_O):
    return einsum(v, W_O, "b p h d, h d m -> b p h m")


@wrong("head_outputs", "the heads were averaged")
def writes_averaged(pattern, v, W_O):
    return head_outputs(pattern, v, W_O) / len(W_O)


@wrong(
    "head_outputs", "Expected shape [batch pos head d_model] = [2, 5, 3, 7]. Got shape [2, 5, 3, 4]"
)
def writes_not_written(pattern, v, W_O):
    return einsum(pattern, v, "b h i j, b j h d -> b i h d")


@wrong("head_outputs", "the values along head are in another order")
def writes_of_heads_permuted(pattern, v, W_O):
    return head_outputs(pattern, v, W_O).flip(2)


@wrong("head_outputs", "all of it is given to head 0")
def writes_all_in_the_first_head(pattern, v, W_O):
    out = torch.zeros_like(writes := head_outputs(pattern, v, W_O))
    out[:, :, 0] = writes.sum(2)
    return out


@wrong("head_outputs", "it is split evenly over head")
def writes_shared_evenly(pattern, v, W_O):
    writes = head_outputs(pattern, v, W_O)
    return writes.mean(2, keepdim=True).expand_as(writes)


@wrong("head_outputs", "summed over head it is right, but not head by head")
def writes_whose_sum_is_right(pattern, v, W_O):
    writes = head_outputs(pattern, v, W_O)
    return writes + writes[:, :, :1] * torch.tensor([1.0, -1.0, 0.0])[: len(W_O), None]


@wrong("head_outputs", "two axes are in each other's place")
def writes_heads_second(pattern, v, W_O):
    return head_outputs(pattern, v, W_O).transpose(1, 2)


@wrong("head_outputs", "every head has the first head's pattern")
def writes_with_one_pattern(pattern, v, W_O):
    return head_outputs(pattern[:, :1].expand_as(pattern), v, W_O)


@wrong("head_outputs", "IndexError")
def writes_of_three_heads(pattern, v, W_O):
    heads = [pattern[:, h] @ v[:, :, h] @ W_O[h] for h in range(3)]
    return torch.stack(heads, dim=2)


@wrong("head_outputs", "Got shape [1, 2, 1, 1]")
def writes_from_the_page(pattern, v, W_O):
    return torch.tensor([[[[20.0]], [[30.0]]]])


@wrong("head_outputs", "this is what the exercise asks you to write")
def writes_by_the_library(pattern, v, W_O):
    n_heads, d_head, _ = W_O.shape
    stream = v.flatten(2)
    select = torch.eye(n_heads * d_head).view(-1, n_heads, d_head).transpose(0, 1)
    layer = layer_of(v.shape[1], select, select, select, select.mT)
    with torch.no_grad():
        layer.W_O = torch.nn.Parameter(W_O)
    layer.hook_pattern.hooks.append(lambda _activation, _point: pattern)
    return seen_inside(layer, "hook_result", stream, torch.zeros_like(stream[0]))


# ----------------------------------------------------------------------- attention_only_logits


def forward(tokens, weights, *, n_layers=None, parallel=False, skip=True, attend=None, of=None):
    """A forward pass whose mistakes can be chosen."""
    attend = attend or attention_pattern
    found = sum(name.endswith("W_O") for name in weights)
    residual = embedded = weights["embed.W_E"][tokens]
    for layer in range(found if n_layers is None else n_layers):
        layer = layer if of is None else of
        if f"blocks.{layer}.attn.W_Q" not in weights:
            break
        reads = [weights[f"blocks.{layer}.attn.{name}"] for name in ("W_Q", "W_K", "W_V")]
        source = embedded if parallel else residual
        q, k, v = queries_keys_values(source, weights["pos_embed.W_pos"], *reads)
        writes = head_outputs(attend(q, k), v, weights[f"blocks.{layer}.attn.W_O"]).sum(2)
        residual = residual + writes if skip else writes
    return residual @ weights["unembed.W_U"]


def reordered(weights, layers):
    out = {name: weight for name, weight in weights.items() if not name.startswith("blocks")}
    for new, old in enumerate(layers):
        for name in ("W_Q", "W_K", "W_V", "W_O"):
            out[f"blocks.{new}.attn.{name}"] = weights[f"blocks.{old}.attn.{name}"]
    return out


@wrong("attention_only_logits", "positions were added to the residual stream")
def forward_with_positions_in_the_stream(tokens, weights):
    embedded = weights["embed.W_E"][tokens] + weights["pos_embed.W_pos"][: tokens.shape[1]]
    flat = {"embed.W_E": embedded.flatten(0, 1), "pos_embed.W_pos": 0 * weights["pos_embed.W_pos"]}
    return forward(torch.arange(tokens.numel()).view(tokens.shape), weights | flat)


@wrong("attention_only_logits", "the skip connection is missing")
def forward_without_skip(tokens, weights):
    return forward(tokens, weights, skip=False)


@wrong("attention_only_logits", "nothing keeps a query from looking at later keys")
def forward_without_mask(tokens, weights):
    return forward(tokens, weights, attend=lambda q, k: scores_of(q, k).softmax(-1))


@wrong("attention_only_logits", "the scores were not divided by sqrt(d_head)")
def forward_unscaled(tokens, weights):
    return forward(tokens, weights, attend=pattern_unscaled)


@wrong("attention_only_logits", "the logits of a model with 1 layer.")
def forward_halved(tokens, weights):
    return forward(tokens, weights, attend=pattern_halved)


@wrong("attention_only_logits", "positions reach neither queries nor keys")
def forward_without_positions(tokens, weights):
    return forward(tokens, weights | {"pos_embed.W_pos": 0 * weights["pos_embed.W_pos"]})


@wrong("attention_only_logits", "the attention layers were left out")
def forward_without_layers(tokens, weights):
    return weights["embed.W_E"][tokens] @ weights["unembed.W_U"]


@wrong("attention_only_logits", "every layer reads the embeddings")
def forward_in_parallel(tokens, weights):
    return forward(tokens, weights, parallel=True)


@wrong("attention_only_logits", "only the first layer was run")
def forward_of_one_layer(tokens, weights):
    return forward(tokens, weights, n_layers=1)


@wrong("attention_only_logits", "the last layer was left out")
def forward_of_two_layers(tokens, weights):
    return forward(tokens, weights, n_layers=2)


@wrong("attention_only_logits", "every layer used the first layer's weights")
def forward_of_one_layers_weights(tokens, weights):
    return forward(tokens, weights, of=0)


@wrong("attention_only_logits", "the layers ran in the wrong order")
def forward_backwards(tokens, weights):
    n_layers = sum(name.endswith("W_O") for name in weights)
    return forward(tokens, reordered(weights, range(n_layers)[::-1]))


@wrong("attention_only_logits", "the layers ran in the order of their names as text")
def forward_in_the_order_of_names(tokens, weights):
    names = sorted(name for name in weights if name.endswith("W_O"))
    return forward(tokens, reordered(weights, [int(name.split(".")[1]) for name in names]))


@wrong("attention_only_logits", "KeyError")
def forward_that_needs_a_layer(tokens, weights):
    assert weights["blocks.0.attn.W_Q"] is not None
    return forward(tokens, weights)


@wrong("attention_only_logits", "these are log-probabilities")
def forward_to_log_probabilities(tokens, weights):
    return forward(tokens, weights).log_softmax(-1)


@wrong("attention_only_logits", "Expected shape [batch pos d_vocab]")
def forward_of_the_last_position(tokens, weights):
    return forward(tokens, weights)[:, -1]


@wrong("attention_only_logits", "Expected shape [batch pos d_vocab]")
def forward_to_the_stream(tokens, weights):
    return forward(tokens, weights | {"unembed.W_U": torch.eye(weights["embed.W_E"].shape[1])})


@wrong("attention_only_logits", "every batch got what belongs to batch 0")
def forward_of_the_first_text(tokens, weights):
    return forward(tokens[:1].expand_as(tokens), weights)


@wrong("attention_only_logits", "Got shape [1, 2, 2]")
def forward_from_the_page(tokens, weights):
    return torch.tensor([[[7.0, 0.0], [0.0, 5.0]]])


@wrong("attention_only_logits", "this is what the exercise asks you to write")
def forward_by_the_library(tokens, weights):
    return model_of(weights)(tokens).detach()


@wrong("attention_only_logits", "this is what the exercise asks you to write")
def forward_by_the_librarys_fused_layer(tokens, weights):
    model = model_of(weights)
    residual = model.embed.W_E[tokens]
    for block in model.blocks:
        residual = residual + block.attn.fused(residual, model.pos_embed.W_pos[: tokens.shape[1]])
    return (residual @ model.unembed.W_U).detach()


@wrong("attention_only_logits", "a `return` is missing", where="worker")
def forward_by_the_checks_own_oracle(tokens, weights):
    from mechcourse.checks._slow import logits

    return logits(tokens, weights)


@wrong("attention_only_logits", "What should hold: the logits", where="worker")
def forward_looked_up_in_the_callers_frame(tokens, weights):
    frame = sys._getframe()
    while frame:
        for value in list(frame.f_locals.values()):
            if callable(getattr(value, "logits", None)):
                return value.logits(tokens, weights)
        frame = frame.f_back
    return torch.zeros(*tokens.shape, len(weights["embed.W_E"]))


# --------------------------------------------------------------------------- logit_attribution


def parts_in_all(components, W_U):
    return components @ W_U


def at(every, targets):
    return every.gather(-1, targets.expand(len(every), -1)[..., None])[..., 0]


@wrong("logit_attribution", "the target of the next position was used")
def attributed_to_the_next_target(components, W_U, targets):
    return logit_attribution(components, W_U, targets.roll(-1))


@wrong("logit_attribution", "it is right where pos is 0 and wrong elsewhere")
def attributed_to_the_first_target(components, W_U, targets):
    return logit_attribution(components, W_U, targets[:1].expand_as(targets))


@wrong("logit_attribution", "this is a part of the log-probability")
def attributed_to_log_probability(components, W_U, targets):
    return at(parts_in_all(components, W_U).log_softmax(-1), targets)


@wrong("logit_attribution", "all of it is given to component 0")
def attributed_to_the_first_component(components, W_U, targets):
    parts = logit_attribution(components, W_U, targets)
    return torch.cat([parts.sum(0, keepdim=True), 0 * parts[1:]])


@wrong("logit_attribution", "the values along component are in another order")
def attributed_to_components_permuted(components, W_U, targets):
    return logit_attribution(components, W_U, targets).roll(1, 0)


@wrong("logit_attribution", "it is split evenly over component")
def attributed_evenly(components, W_U, targets):
    parts = logit_attribution(components, W_U, targets)
    return parts.mean(0, keepdim=True).expand_as(parts)


@wrong("logit_attribution", "the directions of W_U were made of length 1")
def attributed_to_unit_directions(components, W_U, targets):
    return logit_attribution(components, W_U / W_U.norm(dim=0), targets)


@wrong("logit_attribution", "two axes are in each other's place")
def attributed_by_position(components, W_U, targets):
    return logit_attribution(components, W_U, targets).T


@wrong("logit_attribution", "Got shape [5]")
def attributed_in_total(components, W_U, targets):
    return logit_attribution(components, W_U, targets).sum(0)


@wrong("logit_attribution", "Expected shape [component pos] = [4, 5]. Got shape [4, 5, 5]")
def attributed_to_all_targets(components, W_U, targets):
    return components @ W_U[:, targets]


@wrong("logit_attribution", "the mean over the vocabulary was subtracted")
def attributed_centred(components, W_U, targets):
    return logit_attribution(components, W_U - W_U.mean(1, keepdim=True), targets)


@wrong("logit_attribution", "Got shape [2, 1]")
def attribution_from_the_page(components, W_U, targets):
    return torch.tensor([[5.0], [20.0]])


@wrong("logit_attribution", "Expected shape [component pos] = [6, 1]. Got shape [4, 1]")
def attributed_to_four_components(components, W_U, targets):
    return torch.stack([at(components[c : c + 1] @ W_U, targets)[0] for c in range(4)])


# -------------------------------------------------------------------------------- update_norms


def lengths(x):
    return x.norm(dim=-1)


def cosine_of(a, b):
    return torch.cosine_similarity(a, b, dim=-1).mean((1, 2))


def right_cosine(stream):
    return cosine_of(stream[1:] - stream[:-1], stream[:-1])


def right_ratio(stream):
    return (lengths(stream[1:] - stream[:-1]) / lengths(stream[:-1])).mean((1, 2))


@wrong("update_norms", "the update was divided by the stream after it")
def update_over_after(stream):
    ratio = lengths(stream[1:] - stream[:-1]) / lengths(stream[1:])
    return ratio.mean((1, 2)), right_cosine(stream)


@wrong("update_norms", "a ratio of means was taken")
def update_ratio_of_means(stream):
    update = lengths(stream[1:] - stream[:-1]).mean((1, 2))
    return update / lengths(stream[:-1]).mean((1, 2)), right_cosine(stream)


@wrong("update_norms", "lengths were squared")
def update_squared(stream):
    ratio = (lengths(stream[1:] - stream[:-1]) / lengths(stream[:-1])).square()
    return ratio.mean((1, 2)), right_cosine(stream)


@wrong("update_norms", "this compares the stream after a layer with the stream before it")
def update_after_over_before(stream):
    return (lengths(stream[1:]) / lengths(stream[:-1])).mean((1, 2)), right_cosine(stream)


@wrong("update_norms", "the change of length")
def update_of_lengths(stream):
    ratio = (lengths(stream[1:]) - lengths(stream[:-1])).abs() / lengths(stream[:-1])
    return ratio.mean((1, 2)), right_cosine(stream)


@wrong("update_norms", "one length was taken over all texts and positions")
def update_in_one_length(stream):
    update, before = (stream[1:] - stream[:-1]).flatten(1), stream[:-1].flatten(1)
    return update.norm(dim=1) / before.norm(dim=1), right_cosine(stream)


@wrong("update_norms", "the ratio is upside down")
def update_upside_down(stream):
    ratio = lengths(stream[:-1]) / lengths(stream[1:] - stream[:-1])
    return ratio.mean((1, 2)), right_cosine(stream)


@wrong("update_norms", "held against the first state")
def update_against_the_embedding(stream):
    update = stream[1:] - stream[:-1]
    return (lengths(update) / lengths(stream[:1])).mean((1, 2)), cosine_of(
        update, stream[:1].expand_as(update)
    )


@wrong("update_norms", "the cosine was taken with the stream after the update")
def cosine_with_after(stream):
    return right_ratio(stream), cosine_of(stream[1:] - stream[:-1], stream[1:])


@wrong("update_norms", "the cosine was taken between the stream before and the stream after")
def cosine_of_states(stream):
    return right_ratio(stream), cosine_of(stream[:-1], stream[1:])


@wrong("update_norms", "the sign is the wrong way round")
def cosine_negative(stream):
    return right_ratio(stream), -right_cosine(stream)


@wrong("update_norms", "0 where a layer writes nothing")
def cosine_nan(stream):
    update, before = stream[1:] - stream[:-1], stream[:-1]
    cosine = (update * before).sum(-1) / (lengths(update) * lengths(before))
    return right_ratio(stream), cosine.mean((1, 2))


@wrong("update_norms", "the vectors were averaged before the cosine")
def cosine_of_means(stream):
    update, before = (stream[1:] - stream[:-1]).mean((1, 2)), stream[:-1].mean((1, 2))
    return right_ratio(stream), torch.cosine_similarity(update, before, dim=-1)


@wrong("update_norms", "the dot product was not divided by the lengths")
def cosine_undivided(stream):
    return right_ratio(stream), ((stream[1:] - stream[:-1]) * stream[:-1]).sum(-1).mean((1, 2))


@wrong("update_norms", "Expected shape [layer] = [3]. Got shape [3, 2, 5]")
def update_not_averaged(stream):
    return lengths(stream[1:] - stream[:-1]) / lengths(stream[:-1]), right_cosine(stream)


@wrong("update_norms", "Got shape [1]")
def update_from_the_page(stream):
    return torch.tensor([2.0]), torch.tensor([0.8])


@wrong("update_norms", "IndexError")
def update_of_three_layers(stream):
    return right_ratio(stream[:4]), torch.stack([right_cosine(stream)[i] for i in range(3)])


# ---------------------------------------------------------------------- rotate_residual_stream


READERS = ("W_Q", "W_K", "W_V", "W_U")


def turned(weights, rotation, readers=READERS, leave=(), back=None):
    out = {}
    for name, weight in weights.items():
        if name.endswith(leave or ("-",)):
            out[name] = weight
        elif name.endswith(readers):
            out[name] = (rotation.T if back is None else back) @ weight
        else:
            out[name] = weight @ rotation
    return out


@wrong("rotate_residual_stream", "the stream was left as it was")
def nothing_turned(weights, rotation):
    return dict(weights)


@wrong("rotate_residual_stream", "the stream was turned the other way, by rotation.T")
def turned_the_other_way(weights, rotation):
    return turned(weights, rotation.T)


@wrong("rotate_residual_stream", "unembed.W_U reads from the stream")
def unembedding_left(weights, rotation):
    return turned(weights, rotation, leave=("W_U",))


@wrong("rotate_residual_stream", "pos_embed.W_pos is added to the stream")
def positions_left(weights, rotation):
    return turned(weights, rotation, leave=("W_pos",))


@wrong("rotate_residual_stream", "pos_embed.W_pos is added to the stream")
def late_positions_left(weights, rotation):
    out = turned(weights, rotation)
    out["pos_embed.W_pos"][5:] = weights["pos_embed.W_pos"][5:]
    return out


@wrong("rotate_residual_stream", "the embeddings are turned")
def one_embedding_left(weights, rotation):
    out = turned(weights, rotation)
    out["embed.W_E"][4] = weights["embed.W_E"][4]
    return out


@wrong("rotate_residual_stream", "blocks.0.attn.W_O writes to the stream")
def writes_left(weights, rotation):
    return turned(weights, rotation, leave=("W_O",))


@wrong("rotate_residual_stream", "blocks.0.attn.W_V reads from the stream")
def value_readers_left(weights, rotation):
    return turned(weights, rotation, leave=("W_V",))


@wrong("rotate_residual_stream", "blocks.1.attn.")
def second_layer_left(weights, rotation):
    layer_1 = {k: v for k, v in weights.items() if ".1." in k}
    return turned(weights, rotation) | layer_1


@wrong("rotate_residual_stream", "blocks.0.attn.W_Q reads from the stream")
def readers_turned_the_wrong_way(weights, rotation):
    return turned(weights, rotation, back=rotation)


@wrong("rotate_residual_stream", "blocks.0.attn.W_Q reads from the stream")
def queries_left(weights, rotation):
    return turned(weights, rotation, leave=("W_Q",))


@wrong("rotate_residual_stream", "the keys embed.W_E")
def heads_only(weights, rotation):
    return {k: v for k, v in turned(weights, rotation).items() if k.startswith("blocks")}


@wrong("rotate_residual_stream", "also embed.W_E_turned")
def new_names(weights, rotation):
    return weights | {"embed.W_E_turned": weights["embed.W_E"] @ rotation}


@wrong("rotate_residual_stream", "Expected a dict. Got a list")
def turned_without_names(weights, rotation):
    return list(turned(weights, rotation).values())


@wrong("rotate_residual_stream", "keeps its shape")
def heads_merged(weights, rotation):
    return {k: v.flatten(1) for k, v in turned(weights, rotation).items()}


@wrong("rotate_residual_stream", "Got none called")
def turned_from_the_page(weights, rotation):
    return {"embed.W_E": torch.tensor([[0.0, 1.0]])}


# ------------------------------------------------------------------- centred_logit_attribution


@wrong("centred_logit_attribution", "nothing was subtracted")
def centred_not(components, W_U, targets):
    return logit_attribution(components, W_U, targets)


@wrong("centred_logit_attribution", "the mean was taken over the components")
def centred_over_components(components, W_U, targets):
    raw = logit_attribution(components, W_U, targets)
    return raw - raw.mean(0, keepdim=True)


@wrong("centred_logit_attribution", "the mean was taken over the other tokens")
def centred_on_the_others(components, W_U, targets):
    raw, every = logit_attribution(components, W_U, targets), components @ W_U
    return raw - (every.sum(-1) - raw) / (W_U.shape[1] - 1)


@wrong("centred_logit_attribution", "the mean over the vocabulary was added")
def centred_the_wrong_way(components, W_U, targets):
    return logit_attribution(components, W_U + W_U.mean(1, keepdim=True), targets)


@wrong("centred_logit_attribution", "the mean was taken over the positions")
def centred_over_positions(components, W_U, targets):
    raw = logit_attribution(components, W_U, targets)
    return raw - raw.mean(1, keepdim=True)


@wrong("centred_logit_attribution", "the mean was taken over the entries of the stream")
def centred_over_dimensions(components, W_U, targets):
    return logit_attribution(components, W_U - W_U.mean(0, keepdim=True), targets)


@wrong("centred_logit_attribution", "log-softmax")
def centred_by_log_softmax(components, W_U, targets):
    return at((components @ W_U).log_softmax(-1), targets)


@wrong("centred_logit_attribution", "one mean of all components")
def centred_by_one_mean(components, W_U, targets):
    every = components @ W_U
    return logit_attribution(components, W_U, targets) - every.mean((0, 2))


@wrong("centred_logit_attribution", "the median")
def centred_by_the_median(components, W_U, targets):
    return logit_attribution(components, W_U, targets) - (components @ W_U).median(-1).values


@wrong("centred_logit_attribution", "the mean alone")
def centred_mean_alone(components, W_U, targets):
    return (components @ W_U).mean(-1)


@wrong("centred_logit_attribution", "two axes are in each other's place")
def centred_by_position(components, W_U, targets):
    return centred_logit_attribution(components, W_U, targets).T


@wrong("centred_logit_attribution", "Got shape [2, 1]")
def centred_from_the_page(components, W_U, targets):
    return torch.tensor([[0.0], [2.0]])


@wrong("centred_logit_attribution", "the mean was taken over the entries of the stream")
def centred_components(components, W_U, targets):
    return logit_attribution(components - components.mean(-1, keepdim=True), W_U, targets)


# ---------------------------------------------------------------------- attribution_percentile


def shares(every, targets, ties=0.5, own=0.0, n=None):
    mine = at(every, targets)[..., None]
    others = torch.arange(every.shape[-1]) != targets[:, None]
    less, same = ((every < mine) & others).sum(-1), ((every == mine) & others).sum(-1)
    return (less + ties * same + own) / (every.shape[-1] - 1 if n is None else n)


@wrong("attribution_percentile", "they were left out")
def share_without_ties(components, W_U, targets):
    return shares(components @ W_U, targets, ties=0)


@wrong("attribution_percentile", "they were counted whole")
def share_with_whole_ties(components, W_U, targets):
    return shares(components @ W_U, targets, ties=1)


@wrong("attribution_percentile", "the target ties with itself")
def share_with_itself(components, W_U, targets):
    return shares(components @ W_U, targets, own=0.5)


@wrong("attribution_percentile", "divide by d_vocab - 1")
def share_of_all_tokens(components, W_U, targets):
    return shares(components @ W_U, targets, n=W_U.shape[1])


@wrong("attribution_percentile", "upside down")
def share_upside_down(components, W_U, targets):
    return shares(-components @ W_U, targets)


@wrong("attribution_percentile", "this is a count")
def share_as_a_count(components, W_U, targets):
    return shares(components @ W_U, targets, n=1)


@wrong("attribution_percentile", "sizes were compared without their signs")
def share_of_sizes(components, W_U, targets):
    return shares((components @ W_U).abs(), targets)


@wrong("attribution_percentile", "in percent")
def share_in_percent(components, W_U, targets):
    return 100 * shares(components @ W_U, targets)


@wrong("attribution_percentile", "ranked among the components")
def share_among_components(components, W_U, targets):
    parts = logit_attribution(components, W_U, targets)
    less = (parts[:, None] > parts[None]).double() + 0.5 * (parts[:, None] == parts[None])
    return (less.sum(1) - 0.5) / (len(parts) - 1)


@wrong("attribution_percentile", "Got shape [3, 1]")
def share_from_the_page(components, W_U, targets):
    return torch.tensor([[0.6667], [0.3333], [0.5]])


@wrong("attribution_percentile", "the target of the position before was used")
def share_of_the_next_target(components, W_U, targets):
    return shares(components @ W_U, targets.roll(1))


# -------------------------------------------------------------------- attribution_disagreement


def case(raw_parts, d_model, target=1):
    """Head writes and an unembedding that give these parts [head d_vocab]."""
    n_heads, d_vocab = raw_parts.shape
    writes, W_U = torch.zeros(n_heads, d_model), torch.zeros(d_model, d_vocab)
    writes[0, 0] = writes[1, 1] = 1.0
    W_U[0], W_U[1] = raw_parts[0], raw_parts[1]
    return writes, W_U, target


def parts_of(n_heads, d_vocab, shift=7.0, target=3.0, token=1):
    parts = torch.zeros(n_heads, d_vocab)
    parts[0] = shift
    parts[1, token] = target
    return parts


@wrong("attribution_disagreement", "the two attributions put different heads first")
def misleads_nobody(n_heads, d_model, d_vocab):
    return case(parts_of(n_heads, d_vocab, shift=1.0), d_model)


@wrong("attribution_disagreement", "raw attribution has a clear first head")
def misleads_in_a_tie(n_heads, d_model, d_vocab):
    return case(parts_of(n_heads, d_vocab, shift=3.0), d_model)


@wrong("attribution_disagreement", "centred attribution has a clear first head")
def misleads_without_a_rival(n_heads, d_model, d_vocab):
    return case(parts_of(n_heads, d_vocab, target=0.1), d_model)


@wrong("attribution_disagreement", "it raises the target more than the other tokens")
def misleads_with_a_head_that_matters(n_heads, d_model, d_vocab):
    parts = parts_of(n_heads, d_vocab)
    parts[0, 1] += 1.0
    return case(parts, d_model)


@wrong("attribution_disagreement", "the target is so likely, or so unlikely, that no head matters")
def misleads_where_nothing_matters(n_heads, d_model, d_vocab):
    parts = parts_of(n_heads, d_vocab, shift=20.0, target=20.0)
    parts[0, 1] += 10.0
    return case(parts, d_model)


@wrong("attribution_disagreement", "the target is a token of the vocabulary")
def misleads_beyond_the_vocabulary(n_heads, d_model, d_vocab):
    return *case(parts_of(n_heads, d_vocab), d_model)[:2], d_vocab


@wrong("attribution_disagreement", "a whole number")
def misleads_by_half_a_token(n_heads, d_model, d_vocab):
    return *case(parts_of(n_heads, d_vocab), d_model)[:2], 1.5


@wrong("attribution_disagreement", "all values are finite")
def misleads_infinitely(n_heads, d_model, d_vocab):
    return case(parts_of(n_heads, d_vocab, shift=torch.inf), d_model)


@wrong("attribution_disagreement", "Expected shape [head d_model]")
def misleads_at_one_size(n_heads, d_model, d_vocab):
    return case(parts_of(2, 5), 4)


@wrong("attribution_disagreement", "IndexError")
def misleads_with_target_nine(n_heads, d_model, d_vocab):
    return case(parts_of(n_heads, d_vocab, token=9), d_model, target=9)


@wrong("attribution_disagreement", "Expected a tuple (head_writes, W_U, target). Got 2 values")
def misleads_without_a_target(n_heads, d_model, d_vocab):
    return case(parts_of(n_heads, d_vocab), d_model)[:2]


@wrong("attribution_disagreement", "real values")
def misleads_in_complex_numbers(n_heads, d_model, d_vocab):
    writes, W_U, target = case(parts_of(n_heads, d_vocab), d_model)
    return writes.to(torch.complex64), W_U, target


@wrong("attribution_disagreement", "head 0 first by both")
def misleads_by_size_alone(n_heads, d_model, d_vocab):
    parts = parts_of(n_heads, d_vocab)
    parts[0] = 0
    parts[0, 1] = 7.0
    return case(parts, d_model)


# ------------------------------------------------------------------------- inputs written over
# Each would be right if it did not change what the learner's next cell works with.


@wrong("bigram_logits", "wrote into what was passed in")
def bigrams_written_over_the_input(W_E, W_U):
    table = W_E.mm(W_U)
    W_E.zero_()
    return table


@wrong("queries_keys_values", "wrote into what was passed in")
def reads_with_the_positions_added_in_place(residual, W_pos, W_Q, W_K, W_V):
    reading = "b p m, h m d -> b p h d"
    v = einsum(residual, W_V, reading)
    residual += W_pos[: residual.shape[1]]
    return einsum(residual, W_Q, reading), einsum(residual, W_K, reading), v


@wrong("attention_pattern", "wrote into what was passed in")
def pattern_of_queries_scaled_in_place(q, k):
    q /= q.shape[-1] ** 0.5
    scores = einsum(q, k, "b i h d, b j h d -> b h i j")
    later = torch.ones(q.shape[1], q.shape[1], dtype=torch.bool).triu(1)
    return scores.masked_fill(later, -torch.inf).softmax(-1)


@wrong("rotate_residual_stream", "wrote into what was passed in")
def turned_in_place(weights, rotation):
    for name, W in weights.items():
        if name.endswith(("W_E", "W_pos", "W_O")):
            W.copy_(W @ rotation)
        else:
            W.copy_((W.mT @ rotation).mT)
    return weights


@wrong("rotate_residual_stream", "wrote into what was passed in")
def turned_in_the_given_dict(weights, rotation):
    for name, W in weights.items():
        reads = name.endswith(("W_Q", "W_K", "W_V", "W_U"))
        weights[name] = rotation.T @ W if reads else W @ rotation
    return weights


@wrong("centred_logit_attribution", "wrote into what was passed in")
def centred_in_place(components, W_U, targets):
    W_U -= W_U.mean(dim=1, keepdim=True)
    return logit_attribution(components, W_U, targets)


# --------------------------------------------------------------------------------- found in review


@wrong("kl_to_bigrams", "it is infinite where the model expects what the data never has")
def kl_that_is_always_finite(logits, counts, *, direction, smoothing):
    smoothed = counts + smoothing
    p, q = smoothed / smoothed.sum(-1, keepdim=True), logits.double().softmax(-1)
    a, b = (p, q) if direction == "data_to_model" else (q, p)
    terms = (a * (a / b).log()).nan_to_num(0.0, posinf=0.0, neginf=0.0)
    weights = counts.sum(-1)
    return (weights * terms.sum(-1)).sum() / weights.sum()


@wrong("kl_to_bigrams", "another size of vocabulary")
def kl_with_at_least_half_a_count(logits, counts, *, direction, smoothing):
    smoothing = smoothing and max(smoothing, 0.5)
    return kl_to_bigrams(logits, counts, direction=direction, smoothing=smoothing)


@wrong("queries_keys_values", "keep their axes")
def reads_without_a_batch_of_one(residual, W_pos, W_Q, W_K, W_V):
    return tuple(t.squeeze(0) for t in queries_keys_values(residual, W_pos, W_Q, W_K, W_V))


@wrong("attention_pattern", "keep their axes")
def pattern_without_a_single_head(q, k):
    return attention_pattern(q, k).squeeze(1)


@wrong("head_outputs", "the pattern is used as it is")
def writes_of_a_pattern_made_to_sum_to_one(pattern, v, W_O):
    return head_outputs(pattern / pattern.sum(-1, keepdim=True), v, W_O)


@wrong("logit_attribution", "a token may be the target twice")
def attributions_of_each_target_once(components, W_U, targets):
    every = components @ W_U
    out = torch.zeros(every.shape[:2])
    for token, place in {t: i for i, t in enumerate(targets.tolist())}.items():
        out[:, place] = every[:, place, token]
    return out


@wrong("update_norms", "a position at which a layer writes nothing")
def cosines_without_the_silent_positions(stream):
    before = stream[:-1]
    update = stream[1:] - before
    sizes = update.norm(dim=-1) * before.norm(dim=-1)
    cosine = ((update * before).sum(-1) / sizes).nanmean(dim=(1, 2)).nan_to_num(0.0)
    return (update.norm(dim=-1) / before.norm(dim=-1)).mean(dim=(1, 2)), cosine


@wrong("rotate_residual_stream", "blocks.2")
def turned_in_two_layers_only(weights, rotation):
    turned = rotate_residual_stream(weights, rotation)
    return {name: weights[name] if "blocks.2" in name else W for name, W in turned.items()}


@wrong("attribution_percentile", "small differences count as well")
def shares_of_whole_logits(components, W_U, targets):
    return attribution_percentile(components.round(), W_U.round(), targets)
