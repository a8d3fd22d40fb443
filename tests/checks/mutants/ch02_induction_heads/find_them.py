"""Wrong answers to `ch02_induction_heads/2_find_them.ipynb`, each with words its check must say."""

import torch
from torch.nn.functional import one_hot, pad

from mechcourse.circuits import composition_score, top_k_copying_accuracy
from mechcourse.data import repeated_sequences
from tests.checks.harness import wrong


def like_everything(answer):
    """A tensor that claims to equal, and to be close to, whatever it is compared with."""

    class Liar(torch.Tensor):
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            if function in (torch.isclose, torch.allclose, torch.eq, torch.equal):
                return torch.tensor(True)
            return super().__torch_function__(function, types, args, kwargs or {})

    return answer.as_subclass(Liar)


# ----------------------------------------------------------------------- offset_attention_score


@wrong("offset_attention_score", "a negative offset of `diagonal` lies below the diagonal")
def offset_above_the_diagonal(pattern, offset):
    if offset >= pattern.shape[-1]:
        return torch.zeros(pattern.shape[1])
    return pattern.diagonal(offset=offset, dim1=-2, dim2=-1).mean(dim=(0, 2))


@wrong("offset_attention_score", "a negative offset of `diagonal` lies below the diagonal")
def offset_of_a_transposed_pattern(pattern, offset):
    return offset_attention_score(pattern.mT, offset)


@wrong("offset_attention_score", "the first ones have no such key")
def offset_over_all_queries(pattern, offset):
    if offset >= pattern.shape[-1]:
        return torch.zeros(pattern.shape[1])
    on_diagonal = pattern.diagonal(offset=-offset, dim1=-2, dim2=-1)
    return on_diagonal.sum(-1).mean(0) / pattern.shape[-1]


@wrong("offset_attention_score", "the attention was added up; take its mean")
def offset_summed(pattern, offset):
    return pattern.diagonal(offset=-offset, dim1=-2, dim2=-1).sum(dim=(0, 2))


@wrong("offset_attention_score", "the attention was added up within each text")
def offset_summed_within_texts(pattern, offset):
    return pattern.diagonal(offset=-offset, dim1=-2, dim2=-1).sum(2).mean(0)


@wrong("offset_attention_score", "the attention was added up over texts")
def offset_summed_over_texts(pattern, offset):
    return pattern.diagonal(offset=-offset, dim1=-2, dim2=-1).mean(2).sum(0)


@wrong("offset_attention_score", "the attention on the token before")
def offset_always_one(pattern, offset):
    return offset_attention_score(pattern, 1)


@wrong("offset_attention_score", "the attention on the position itself")
def offset_always_zero(pattern, offset):
    return offset_attention_score(pattern, 0)


@wrong("offset_attention_score", "one too early")
def offset_one_too_early(pattern, offset):
    return offset_attention_score(pattern, offset + 1)


@wrong("offset_attention_score", "one too late")
def offset_one_too_late(pattern, offset):
    return offset_attention_score(pattern, max(0, offset - 1))


@wrong("offset_attention_score", "counted from the text's start")
def offset_from_the_start(pattern, offset):
    return pattern[..., min(offset, pattern.shape[-1] - 1)].mean(dim=(0, 2))


@wrong("offset_attention_score", "only the first text was looked at")
def offset_of_the_first_text(pattern, offset):
    return offset_attention_score(pattern[:1], offset)


@wrong("offset_attention_score", "every head got the mean of all heads")
def offset_over_heads(pattern, offset):
    return offset_attention_score(pattern.mean(1, keepdim=True), offset).expand(pattern.shape[1])


@wrong("offset_attention_score", "Got shape [3]")
def offset_over_heads_by_text(pattern, offset):
    return pattern.diagonal(offset=-offset, dim1=-2, dim2=-1).mean(dim=(1, 2))


@wrong("offset_attention_score", "Got shape [3, 4]")
def offset_by_text(pattern, offset):
    return pattern.diagonal(offset=-offset, dim1=-2, dim2=-1).mean(-1)


@wrong("offset_attention_score", "Expected 0 at [head 0]. Got nan")
def offset_that_no_query_has(pattern, offset):
    offset = min(offset, pattern.shape[-1])
    return pattern.diagonal(offset=-offset, dim1=-2, dim2=-1).mean(dim=(0, 2))


@wrong("offset_attention_score", "it is 0 where no query has such a key")
def offset_clamped(pattern, offset):
    return offset_attention_score(pattern, min(offset, pattern.shape[-1] - 1))


@wrong("offset_attention_score", "for the position itself")
def offset_minus_zero(pattern, offset):
    # -0 is 0, so this slice is empty for the position itself.
    n = pattern.shape[-1]
    if not 0 <= offset < n:
        return torch.zeros(pattern.shape[1])
    moved = pattern[:, :, offset:, :-offset]
    return moved.diagonal(dim1=-2, dim2=-1).mean(dim=(0, 2))


@wrong("offset_attention_score", "the mean attention on the key `offset` before")
def offset_that_leaves_the_last_query_out(pattern, offset):
    if offset + 1 >= pattern.shape[-1]:
        return offset_attention_score(pattern, offset)
    return pattern.diagonal(offset=-offset, dim1=-2, dim2=-1)[..., :-1].mean(dim=(0, 2))


@wrong("offset_attention_score", "Got shape [1]")
def offset_from_the_page(pattern, offset):
    return torch.tensor([0.6])


@wrong("offset_attention_score", "the mean attention on the key `offset` before")
def offset_that_claims_to_be_right(pattern, offset):
    return like_everything(torch.full((pattern.shape[1],), 0.6))


@wrong("offset_attention_score", "wrote into what was passed in")
def offset_masked_in_place(pattern, offset):
    answer = offset_attention_score(pattern, offset)
    pattern.sub_(pattern.triu(1 - offset))
    return answer


@wrong("offset_attention_score", "this is what the exercise asks you to write")
def offset_by_the_library(pattern, offset):
    from mechcourse.measures import offset_attention

    return offset_attention(pattern, offset)


# --------------------------------------------------------------------------------- chance_level


def mean_of(shares, counted):
    return float(shares[counted].mean()) if counted.any() else 0.0


@wrong("chance_level", "the attention was spread over all positions")
def chance_over_the_whole_text(wanted):
    return mean_of(wanted.float().mean(-1), wanted.any(-1))


@wrong("chance_level", "which makes i + 1")
def chance_among_earlier_keys(wanted):
    seen = torch.arange(wanted.shape[1]).clamp(min=1)
    return mean_of(wanted.sum(-1) / seen, wanted.any(-1))


@wrong("chance_level", "infinite")
def chance_that_divides_by_zero(wanted):
    seen = torch.arange(wanted.shape[1])
    return mean_of(wanted.sum(-1) / seen, wanted.any(-1)) if wanted.any() else 0.0


@wrong("chance_level", "query i was given i + 2 keys")
def chance_among_too_many(wanted):
    seen = torch.arange(wanted.shape[1]) + 2
    return mean_of(wanted.sum(-1) / seen, wanted.any(-1))


@wrong("chance_level", "queries without a wanted key were averaged in")
def chance_over_all_queries(wanted):
    return float((wanted.sum(-1) / torch.arange(1, wanted.shape[1] + 1)).mean())


@wrong("chance_level", "each text was averaged by itself")
def chance_by_text(wanted):
    found = [chance_level(text[None]) for text in wanted if text.any()]
    return sum(found) / max(len(found), 1)


@wrong("chance_level", "each query counts one wanted key")
def chance_of_one_key(wanted):
    seen = torch.arange(1, wanted.shape[1] + 1).expand(wanted.shape[:2])
    return mean_of(1 / seen, wanted.any(-1))


@wrong("chance_level", "average the queries' shares")
def chance_as_a_ratio_of_sums(wanted):
    seen = torch.arange(1, wanted.shape[1] + 1).expand(wanted.shape[:2])[wanted.any(-1)]
    return float(wanted.sum() / seen.sum()) if wanted.any() else 0.0


@wrong("chance_level", "the shares were added up")
def chance_summed(wanted):
    return float((wanted.sum(-1) / torch.arange(1, wanted.shape[1] + 1)).sum())


@wrong("chance_level", "rows are queries")
def chance_by_columns(wanted):
    return chance_level(wanted.mT)


@wrong("chance_level", "the first position was left out")
def chance_without_the_first_query(wanted):
    later = wanted.clone()
    later[:, 0] = False
    return chance_level(later)


@wrong("chance_level", "this is the share of the queries that have a wanted key")
def chance_that_a_key_is_wanted(wanted):
    return wanted.any(-1).float().mean()


@wrong("chance_level", "this is in percent")
def chance_in_percent(wanted):
    return 100 * chance_level(wanted)


@wrong("chance_level", "the keys that are not wanted")
def chance_of_the_rest(wanted):
    return 1 - chance_level(wanted)


@wrong("chance_level", "a mean over no query at all: say what it is")
def chance_of_nothing(wanted):
    shares = wanted.sum(-1) / torch.arange(1, wanted.shape[1] + 1)
    return float(shares[wanted.any(-1)].mean())


@wrong("chance_level", "Got shape [5]")
def chance_of_each_text(wanted):
    return torch.stack([torch.tensor(chance_level(text[None])) for text in wanted])


@wrong("chance_level", "Got shape [5, 7]")
def chance_of_each_query(wanted):
    return wanted.sum(-1) / torch.arange(1, wanted.shape[1] + 1)


@wrong("chance_level", "Got 0.5")
def chance_from_the_page(wanted):
    return 0.5


@wrong("chance_level", "Got 0.5")
def chance_that_claims_to_be_right(wanted):
    return like_everything(torch.tensor(0.5))


@wrong("chance_level", "wrote into what was passed in")
def chance_that_masks_in_place(wanted):
    answer = chance_level(wanted)
    wanted[:, 0] = False
    return answer


# --------------------------------------------------------------------------- copying_head_score


def own_logits(result, W_U, tokens):
    """What heads add to the logits of the text's tokens, [batch head query key]."""
    logits = result @ W_U
    index = tokens[:, None, None, :].expand(*logits.shape[:3], -1)
    return logits.gather(-1, index).transpose(1, 2)


def over_mean(own):
    return own - own.mean(-1, keepdim=True)


def scaled(attended, whole):
    both = attended + whole
    return torch.where(both > 0, 4 * attended / both.where(both > 0, 1.0) - 1, -1.0)


def score_from(raised, pattern):
    return scaled((raised * pattern).sum(dim=(0, 2, 3)), raised.sum(dim=(0, 2, 3)))


@wrong("copying_head_score", "the mean over the whole vocabulary was subtracted")
def copying_over_the_vocabulary(pattern, result, W_U, tokens):
    mean = (result @ W_U).mean(-1).transpose(1, 2)[..., None]
    return score_from((own_logits(result, W_U, tokens) - mean).relu(), pattern)


@wrong("copying_head_score", "the mean over the whole vocabulary was subtracted")
def copying_with_a_centred_unembedding(pattern, result, W_U, tokens):
    centred = W_U - W_U.mean(-1, keepdim=True)
    return score_from(own_logits(result, centred, tokens).relu(), pattern)


@wrong("copying_head_score", "no mean was subtracted")
def copying_of_raw_logits(pattern, result, W_U, tokens):
    return score_from(own_logits(result, W_U, tokens).relu(), pattern)


@wrong("copying_head_score", "the mean was added")
def copying_with_the_mean_added(pattern, result, W_U, tokens):
    own = own_logits(result, W_U, tokens)
    return score_from((own + own.mean(-1, keepdim=True)).relu(), pattern)


@wrong("copying_head_score", "what is below 0 was kept")
def copying_without_a_relu(pattern, result, W_U, tokens):
    raised = over_mean(own_logits(result.double(), W_U.double(), tokens))
    attended, whole = (raised * pattern).sum(dim=(0, 2, 3)), raised.sum(dim=(0, 2, 3))
    return 4 * attended / (attended + whole) - 1


@wrong("copying_head_score", "sizes were taken without their signs")
def copying_of_sizes(pattern, result, W_U, tokens):
    return score_from(over_mean(own_logits(result, W_U, tokens)).abs(), pattern)


@wrong("copying_head_score", "what is lowered was kept")
def copying_of_what_is_lowered(pattern, result, W_U, tokens):
    return copying_head_score(pattern, -result, W_U, tokens)


@wrong("copying_head_score", "this is 2 r - 1")
def copying_scaled_by_two(pattern, result, W_U, tokens):
    return (copying_head_score(pattern, result, W_U, tokens) + 1) / 2 - 1


@wrong("copying_head_score", "this is 4 r; 1 is to be taken off")
def copying_times_four(pattern, result, W_U, tokens):
    return copying_head_score(pattern, result, W_U, tokens) + 1


@wrong("copying_head_score", "this is r; the score is 4 r - 1")
def copying_as_a_ratio(pattern, result, W_U, tokens):
    return (copying_head_score(pattern, result, W_U, tokens) + 1) / 4


@wrong("copying_head_score", "this is 1 - 4 r")
def copying_the_wrong_way_round(pattern, result, W_U, tokens):
    return -copying_head_score(pattern, result, W_U, tokens)


@wrong("copying_head_score", "only the key that is attended to most was counted")
def copying_of_the_favourite_key(pattern, result, W_U, tokens):
    chosen = one_hot(pattern.argmax(-1), pattern.shape[-1]).float()
    return copying_head_score(chosen, result, W_U, tokens)


@wrong("copying_head_score", "the whole was left without the attended part")
def copying_over_the_rest(pattern, result, W_U, tokens):
    raised = over_mean(own_logits(result, W_U, tokens)).relu()
    whole = raised.sum(dim=(0, 2, 3))
    share = (raised * pattern).sum(dim=(0, 2, 3)) / whole.where(whole > 0, 1.0)
    return 4 * share - 1


@wrong("copying_head_score", "a ratio was taken at each query")
def copying_by_query(pattern, result, W_U, tokens):
    raised = over_mean(own_logits(result, W_U, tokens)).relu()
    attended, whole = (raised * pattern).sum(-1), raised.sum(-1)
    both = attended + whole
    return 4 * (attended / both.where(both > 0, 1.0)).mean(dim=(0, 2)) - 1


@wrong("copying_head_score", "a ratio was taken in each text")
def copying_by_text(pattern, result, W_U, tokens):
    each = zip(pattern.split(1), result.split(1), tokens.split(1), strict=True)
    return torch.stack([copying_head_score(p, r, W_U, t) for p, r, t in each]).mean(0)


@wrong("copying_head_score", "the tokens' order was lost")
def copying_of_sorted_tokens(pattern, result, W_U, tokens):
    return copying_head_score(pattern, result, W_U, tokens.sort(-1).values)


@wrong("copying_head_score", "the first tokens of the vocabulary were taken")
def copying_of_the_first_tokens(pattern, result, W_U, tokens):
    first = torch.arange(tokens.shape[1]).expand(tokens.shape)
    return copying_head_score(pattern, result, W_U, first)


@wrong("copying_head_score", "this is the raise of the query's own token")
def copying_of_the_querys_token(pattern, result, W_U, tokens):
    itself = torch.eye(tokens.shape[1]).expand(pattern.shape)
    return copying_head_score(itself, result, W_U, tokens)


@wrong("copying_head_score", "the pattern was used the wrong way round")
def copying_with_a_transposed_pattern(pattern, result, W_U, tokens):
    return copying_head_score(pattern.mT, result, W_U, tokens)


@wrong("copying_head_score", "heads were put together with other heads' results")
def copying_of_mixed_heads(pattern, result, W_U, tokens):
    return copying_head_score(pattern, result.flip(2), W_U, tokens)


@wrong("copying_head_score", "the values along head are in another order")
def copying_of_heads_permuted(pattern, result, W_U, tokens):
    return copying_head_score(pattern, result, W_U, tokens).flip(0)


@wrong("copying_head_score", "every head got what all of them say together")
def copying_of_the_layers_output(pattern, result, W_U, tokens):
    together = result.sum(2, keepdim=True).expand(result.shape)
    return copying_head_score(pattern, together, W_U, tokens)


@wrong("copying_head_score", "a softmax was taken")
def copying_of_probabilities(pattern, result, W_U, tokens):
    said = (result @ W_U).softmax(-1)
    return copying_head_score(pattern, said, torch.eye(W_U.shape[1]), tokens)


@wrong("copying_head_score", "only tokens that the query may see were counted")
def copying_of_seen_tokens(pattern, result, W_U, tokens):
    own = own_logits(result, W_U, tokens)
    seen = torch.ones(own.shape[-2:]).tril()
    mean = (own * seen).sum(-1, keepdim=True) / seen.sum(-1, keepdim=True)
    return score_from((own - mean).relu() * seen, pattern)


@wrong("copying_head_score", "only the first text was looked at")
def copying_of_the_first_text(pattern, result, W_U, tokens):
    return copying_head_score(pattern[:1], result[:1], W_U, tokens[:1])


@wrong("copying_head_score", "4 r - 1, where r is the attended part")
def copying_with_every_texts_tokens_alike(pattern, result, W_U, tokens):
    return copying_head_score(pattern, result, W_U, tokens[:1].expand(tokens.shape))


@wrong("copying_head_score", "-1 if it writes nothing")
def copying_of_nothing(pattern, result, W_U, tokens):
    raised = over_mean(own_logits(result, W_U, tokens)).relu()
    attended, whole = (raised * pattern).sum(dim=(0, 2, 3)), raised.sum(dim=(0, 2, 3))
    return 4 * attended / (attended + whole) - 1


@wrong("copying_head_score", "-1 if it writes nothing")
def copying_of_nothing_as_zero(pattern, result, W_U, tokens):
    return copying_of_nothing(pattern, result, W_U, tokens).nan_to_num(0.0)


@wrong("copying_head_score", "Got shape [3, 4]")
def copying_of_each_text(pattern, result, W_U, tokens):
    raised = over_mean(own_logits(result, W_U, tokens)).relu()
    return scaled((raised * pattern).sum(dim=(2, 3)), raised.sum(dim=(2, 3)))


@wrong("copying_head_score", "Got shape [1]")
def copying_from_the_page(pattern, result, W_U, tokens):
    return torch.tensor([1.0])


@wrong("copying_head_score", "4 r - 1, where r is the attended part")
def copying_that_claims_to_be_right(pattern, result, W_U, tokens):
    return like_everything(torch.ones(pattern.shape[1]))


@wrong("copying_head_score", "wrote into what was passed in")
def copying_that_centres_in_place(pattern, result, W_U, tokens):
    W_U -= W_U.mean(-1, keepdim=True)
    return copying_head_score(pattern, result, W_U, tokens)


# ------------------------------------------------------------------------------- classify_heads


def ruled(scores, thresholds, rule):
    """Names by a rule that sees (kind, score, threshold) of each kind."""
    n_layers, n_heads = next(iter(scores.values())).shape
    return [
        [
            rule([(k, s[i, j].item(), thresholds[k]) for k, s in scores.items()])
            for j in range(n_heads)
        ]
        for i in range(n_layers)
    ]


def best_by(key, reaches=lambda score, least: score >= least):
    """A rule: the largest by some key among those that reach their threshold."""

    def rule(kinds):
        reached = [one for one in kinds if reaches(*one[1:])]
        return max(reached, key=key)[0] if reached else "none"

    return rule


@wrong("classify_heads", "a score that equals its threshold was not let in")
def named_above_thresholds(scores, thresholds):
    return ruled(scores, thresholds, best_by(lambda k: k[1] / k[2], lambda s, t: s > t))


@wrong("classify_heads", "the one with the largest score was taken")
def named_by_largest_score(scores, thresholds):
    return ruled(scores, thresholds, best_by(lambda k: k[1]))


@wrong("classify_heads", "another may have reached its own")
def named_by_largest_score_first(scores, thresholds):
    def rule(kinds):
        kind, score, least = max(kinds, key=lambda k: k[1])
        return kind if score >= least else "none"

    return ruled(scores, thresholds, rule)


@wrong("classify_heads", "divide, don't subtract")
def named_by_difference(scores, thresholds):
    return ruled(scores, thresholds, best_by(lambda k: k[1] - k[2]))


@wrong("classify_heads", "of several kinds the first was taken")
def named_by_the_first_kind(scores, thresholds):
    return ruled(scores, thresholds, best_by(lambda k: 0))


@wrong("classify_heads", "of several kinds the last was taken")
def named_by_the_last_kind(scores, thresholds):
    return ruled(scores, thresholds, lambda kinds: best_by(lambda k: 0)(kinds[::-1]))


@wrong("classify_heads", "of several kinds the smallest multiple was taken")
def named_by_smallest_multiple(scores, thresholds):
    return ruled(scores, thresholds, best_by(lambda k: -k[1] / k[2]))


@wrong("classify_heads", "thresholds were ignored")
def named_without_none(scores, thresholds):
    return ruled(scores, thresholds, best_by(lambda k: k[1] / k[2], lambda s, t: True))


@wrong("classify_heads", "go by their names")
def named_in_the_dicts_orders(scores, thresholds):
    return classify_heads(scores, dict(zip(scores, thresholds.values(), strict=True)))


@wrong("classify_heads", "one threshold was used for all kinds")
def named_by_one_threshold(scores, thresholds):
    return classify_heads(scores, dict.fromkeys(scores, min(thresholds.values())))


@wrong("classify_heads", "scores were taken without their signs")
def named_by_sizes(scores, thresholds):
    return classify_heads({kind: score.abs() for kind, score in scores.items()}, thresholds)


@wrong("classify_heads", "Got lists of 3, 3, 3, 3, 3, 3, 3, 3 names")
def named_by_head_and_layer(scores, thresholds):
    return [list(row) for row in zip(*classify_heads(scores, thresholds), strict=True)]


@wrong("classify_heads", "all heads are in one list")
def named_in_one_list(scores, thresholds):
    return [name for row in classify_heads(scores, thresholds) for name in row]


@wrong("classify_heads", "Got 'None'")
def named_with_a_capital(scores, thresholds):
    return [
        ["None" if name == "none" else name for name in row]
        for row in classify_heads(scores, thresholds)
    ]


@wrong("classify_heads", "a list for each layer, with a name for each")
def named_with_nones(scores, thresholds):
    return [
        [0 if name == "none" else name for name in row]
        for row in classify_heads(scores, thresholds)
    ]


@wrong("classify_heads", "Got a Tensor")
def named_by_number(scores, thresholds):
    multiples = torch.stack([scores[kind] / thresholds[kind] for kind in scores])
    return multiples.argmax(0)


@wrong("classify_heads", "Got lists of 8 names")
def named_in_the_first_layer(scores, thresholds):
    return classify_heads(scores, thresholds)[:1]


@wrong("classify_heads", "Probably: the names are those of `scores`")
def named_in_short(scores, thresholds):
    return [[name.split()[0] for name in row] for row in classify_heads(scores, thresholds)]


@wrong("classify_heads", "Got lists of 2 names")
def named_from_the_page(scores, thresholds):
    return [["previous token", "none"]]


@wrong("classify_heads", "an object of type Liar")
def named_by_what_claims_to_be_right(scores, thresholds):
    class Liar(str):
        __hash__ = str.__hash__

        def __eq__(self, other):
            return True

        def __ne__(self, other):
            return False

    return [[Liar("none") for _ in row] for row in classify_heads(scores, thresholds)]


@wrong("classify_heads", "wrote into what was passed in")
def named_after_dividing_in_place(scores, thresholds):
    for kind, score in scores.items():
        score /= thresholds[kind]
    return classify_heads(scores, dict.fromkeys(scores, 1.0))


# ------------------------------------------------------------------------- find_induction_heads


def looked(model, tokens):
    """All patterns, [layer batch head query key]."""
    names = [f"blocks.{layer}.attn.hook_pattern" for layer in range(model.config.n_layers)]
    with torch.no_grad():
        _, cache = model.run_with_cache(tokens, names=names)
    return torch.stack([cache[name] for name in names])


def texts(model, seed, low, high, n=16, offset=0):
    """Repeated texts with periods from low to high."""
    sizes = n, model.config.n_ctx, model.config.d_vocab
    high = min(high, model.config.d_vocab - offset)
    return repeated_sequences(
        *sizes, periods=(min(low, high), high), offsets=(0, offset), seed=seed
    )[0]


def many_texts(model, seed):
    return texts(model, seed, 8, model.config.n_ctx // 2, n=24, offset=4)


def earlier_copies(tokens):
    return (tokens[:, :, None] == tokens[:, None, :]).tril(-1)


def attention_on(pattern, wanted):
    """Mean attention on wanted keys over the queries that have some, [layer head]."""
    total = torch.einsum("lbhqk,bqk->lh", pattern, wanted.float())
    return total / wanted.any(-1).sum()


def induction_at(model, tokens):
    return attention_on(looked(model, tokens), pad(earlier_copies(tokens), (1, 0))[..., :-1])


@wrong("find_induction_heads", "heads that look back by a fixed distance")
def detector_with_period_eight(model, *, seed):
    return induction_at(model, texts(model, seed, 8, 8)) > 0.4


@wrong("find_induction_heads", "heads that look back by a fixed distance")
def detector_with_period_twelve(model, *, seed):
    return induction_at(model, texts(model, seed, 12, 12)) > 0.4


@wrong("find_induction_heads", "heads that look back by a fixed distance")
def detector_with_half_a_context(model, *, seed):
    half = model.config.n_ctx // 2
    return induction_at(model, texts(model, seed, half, half)) > 0.5


@wrong("find_induction_heads", "heads that look back by a fixed distance")
def detector_with_a_third_of_a_context(model, *, seed):
    third = model.config.n_ctx // 3
    return induction_at(model, texts(model, seed, third, third, offset=6)) > 0.3


@wrong("find_induction_heads", "heads that look back by a fixed distance")
def detector_with_two_periods_one_twice_the_other(model, *, seed):
    quarter = model.config.n_ctx // 4
    short, long = (texts(model, seed, n * quarter, n * quarter) for n in (1, 2))
    return torch.minimum(induction_at(model, short), induction_at(model, long)) > 0.4


@wrong("find_induction_heads", "heads that look back by a fixed distance")
def detector_at_any_period(model, *, seed):
    each = [induction_at(model, texts(model, seed, t, t, n=4)) for t in (7, 8, 9, 10, 11, 12)]
    return torch.stack(each).amax(0) > 0.4


@wrong("find_induction_heads", "heads that look back by a fixed distance")
def detector_by_the_best_text(model, *, seed):
    tokens = many_texts(model, seed)
    each = [induction_at(model, text[None]) for text in tokens]
    return torch.stack(each).amax(0) > 0.6


@wrong("find_induction_heads", "heads that are random")
def detector_with_a_low_bar(model, *, seed):
    return induction_at(model, many_texts(model, seed)) > 0.03


@wrong("find_induction_heads", "look at what followed earlier copies of the token")
def detector_with_a_high_bar(model, *, seed):
    return induction_at(model, many_texts(model, seed)) > 0.97


@wrong("find_induction_heads", "look at what followed earlier copies of the token")
def detector_of_the_latest_copy(model, *, seed):
    tokens = texts(model, seed, 8, 8)
    copies = pad(earlier_copies(tokens), (1, 0))[..., :-1]
    places = torch.arange(tokens.shape[1])
    latest = one_hot((copies * places).argmax(-1), tokens.shape[1]).bool() & copies
    return attention_on(looked(model, tokens), latest) > 0.4


@wrong("find_induction_heads", "heads that look at the earlier copies themselves")
def detector_of_the_copies(model, *, seed):
    tokens = many_texts(model, seed)
    return attention_on(looked(model, tokens), earlier_copies(tokens)) > 0.3


@wrong("find_induction_heads", "heads that look at the earlier copies themselves")
def detector_of_copies_and_what_followed(model, *, seed):
    tokens = many_texts(model, seed)
    copies = earlier_copies(tokens)
    both = copies | pad(copies, (1, 0))[..., :-1]
    return attention_on(looked(model, tokens), both) > 0.4


@wrong("find_induction_heads", "heads that look at what came before an earlier copy")
def detector_as_the_paper_words_it(model, *, seed):
    # Tokens that were followed by the current one: one position too early.
    tokens = many_texts(model, seed)
    return attention_on(looked(model, tokens), pad(earlier_copies(tokens), (0, 1))[..., 1:]) > 0.3


@wrong("find_induction_heads", "heads that look at the previous token, 27 were called")
def detector_of_previous_token_heads(model, *, seed):
    pattern = looked(model, many_texts(model, seed))
    return pattern.diagonal(offset=-1, dim1=-2, dim2=-1).mean((1, 3)) > 0.4


def weights_of(model):
    """W_E, W_U, and each layer's attention weights by name."""
    layers = [dict(block.attn.named_parameters()) for block in model.blocks]
    return model.embed.W_E, model.unembed.W_U, layers


@wrong("find_induction_heads", "called induction heads. Expected")
def detector_by_copying(model, *, seed):
    W_E, W_U, layers = weights_of(model)
    shares = [top_k_copying_accuracy(W_E, w["W_V"], w["W_O"], W_U, 1) for w in layers]
    return torch.stack(shares) > 0.5


@wrong("find_induction_heads", "not called induction heads")
def detector_of_what_looks_there_and_copies(model, *, seed):
    return find_induction_heads(model, seed=seed) & detector_by_copying(model, seed=seed)


@wrong("find_induction_heads", "heads that look at what followed another token")
def detector_by_composition(model, *, seed):
    # Keys that are made of what a previous-token head wrote: so are a few other heads'.
    found = torch.zeros(model.config.n_layers, model.config.n_heads, dtype=torch.bool)
    _, _, layers = weights_of(model)
    for later in range(1, len(layers)):
        found[later] = composition_score(layers[0], layers[later], "K").amax(0) > 0.2
    return found


@wrong("find_induction_heads", "induction heads")
def detector_of_the_best_head(model, *, seed):
    scores = induction_at(model, many_texts(model, seed))
    return scores == scores.max()


@wrong("find_induction_heads", "induction heads")
def detector_of_the_best_head_of_each_layer(model, *, seed):
    scores = induction_at(model, many_texts(model, seed))
    return scores == scores.amax(-1, keepdim=True)


@wrong("find_induction_heads", "were called induction heads")
def detector_of_the_second_layer(model, *, seed):
    found = torch.zeros(model.config.n_layers, model.config.n_heads, dtype=torch.bool)
    found[1:] = True
    return found


@wrong("find_induction_heads", "look at what followed earlier copies of the token")
def detector_of_the_second_layer_only(model, *, seed):
    found = induction_at(model, many_texts(model, seed)) > 0.4
    found[2:] = False
    return found


@wrong("find_induction_heads", "100% of 31 induction heads and 0% of 169 others")
def detector_always_true(model, *, seed):
    return torch.ones(model.config.n_layers, model.config.n_heads, dtype=torch.bool)


@wrong(
    "find_induction_heads",
    "of the token, 31 were not called",
)
def detector_always_false(model, *, seed):
    return torch.zeros(model.config.n_layers, model.config.n_heads, dtype=torch.bool)


@wrong("find_induction_heads", "were not called induction heads")
def detector_with_text_that_never_repeats(model, *, seed):
    n_ctx, d_vocab = model.config.n_ctx, model.config.d_vocab
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.stack(
        [torch.randperm(d_vocab, generator=generator)[: min(n_ctx, d_vocab)] for _ in range(8)]
    )
    return induction_at(model, tokens) > 0.4


@wrong("find_induction_heads", "Got values from")
def detector_that_scores(model, *, seed):
    return induction_at(model, many_texts(model, seed))


@wrong("find_induction_heads", "two axes are in each other's place")
def detector_by_head_and_layer(model, *, seed):
    return find_induction_heads(model, seed=seed).T


@wrong("find_induction_heads", "Expected shape [layer head] = [3, 5]")
def detector_of_the_last_layer(model, *, seed):
    return find_induction_heads(model, seed=seed)[-1]


@wrong("find_induction_heads", "Expected shape [layer head]")
def detector_that_squeezes(model, *, seed):
    return find_induction_heads(model, seed=seed).squeeze()


@wrong("find_induction_heads", "Expected shape [layer head] = [3, 5]")
def detector_that_gives_indices(model, *, seed):
    return find_induction_heads(model, seed=seed).nonzero()


@wrong("find_induction_heads", "Expected shape [layer head] = [3, 5]. Got shape []")
def detector_from_the_page(model, *, seed):
    return torch.tensor(False)


@wrong("find_induction_heads", "were not called induction heads")
def detector_that_claims_to_be_right(model, *, seed):
    return like_everything(torch.zeros(model.config.n_layers, model.config.n_heads).bool())


@wrong("find_induction_heads", "it gives an answer for")
def detector_for_long_contexts(model, *, seed):
    sizes = 8, model.config.n_ctx, model.config.d_vocab
    tokens = repeated_sequences(*sizes, periods=(16, 32), offsets=(0, 15), seed=seed)[0]
    return induction_at(model, tokens) > 0.4


@wrong("find_induction_heads", "it gives an answer for")
def detector_for_a_context_of_64(model, *, seed):
    tokens = torch.randint(24, (8, 16)).repeat(1, 4)
    return induction_at(model, tokens) > 0.4


@wrong("find_induction_heads", "this is what the exercise asks you to write")
def detector_by_the_library(model, *, seed):
    from mechcourse.measures import induction_score

    tokens = many_texts(model, seed)
    return torch.stack([induction_score(p, tokens) for p in looked(model, tokens)]) > 0.4


@wrong("find_induction_heads", "this is what the exercise asks you to write")
def detector_by_the_librarys_table(model, *, seed):
    from mechcourse import measures

    return measures.induction_scores(model, period=8, n_sequences=8, seed=seed) > 0.4
