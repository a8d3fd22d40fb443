"""Wrong answers to `ch02_induction_heads/1_watch_one_form.ipynb`, with words a check must say."""

import math

import torch

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


# -------------------------------------------------------------------------- repeated_sequences


def made(n_sequences, n_pos, d_vocab, periods, offsets, seed, **changes):
    """Sequences with some of the steps changed; each change is a function."""
    if periods[1] + offsets[1] > d_vocab:
        raise ValueError("too few tokens")
    random = torch.Generator().manual_seed(seed)
    draw = torch.rand(n_sequences, d_vocab, generator=random).argsort(dim=1)
    period = torch.randint(periods[0], periods[1] + 1, (n_sequences, 1), generator=random)
    offset = torch.randint(offsets[0], offsets[1] + 1, (n_sequences, 1), generator=random)
    if "period" in changes:
        period = changes["period"](period)
    if "offset" in changes:
        offset = changes["offset"](offset)
    if "draw" in changes:
        draw = changes["draw"](draw)
    since = torch.arange(n_pos) - offset
    place = torch.where(since < 0, torch.arange(n_pos), offset + since % period)
    mask = since > period
    if "mask" in changes:
        mask = changes["mask"](since, period, offset)
    return draw.gather(1, place), mask


@wrong("repeated_sequences", "all sequences share one period")
def sequences_of_one_period(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    def one(period):
        return period[:1].expand_as(period)

    return made(n_sequences, n_pos, d_vocab, periods, offsets, seed, period=one)


@wrong("repeated_sequences", "a single sequence always has the same period")
def sequences_of_the_longest_period(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    def longest(period):
        return torch.full_like(period, periods[1])

    return made(n_sequences, n_pos, d_vocab, periods, offsets, seed, period=longest)


@wrong("repeated_sequences", "all sequences share one offset")
def sequences_of_one_offset(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    def one(offset):
        return offset[:1].expand_as(offset)

    return made(n_sequences, n_pos, d_vocab, periods, offsets, seed, offset=one)


@wrong("repeated_sequences", "or there is no offset")
def sequences_without_offset(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    return made(n_sequences, n_pos, d_vocab, periods, offsets, seed, offset=torch.zeros_like)


@wrong("repeated_sequences", "the largest period never comes")
def sequences_without_the_longest_period(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    upper = (periods[0], max(periods[1] - 1, periods[0]))
    return made(n_sequences, n_pos, d_vocab, upper, offsets, seed)


@wrong("repeated_sequences", "the largest offset never comes")
def sequences_without_the_largest_offset(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    upper = (offsets[0], max(offsets[1] - 1, offsets[0]))
    return made(n_sequences, n_pos, d_vocab, periods, upper, seed)


@wrong("repeated_sequences", "the smallest offset never comes")
def sequences_without_the_smallest_offset(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    lower = (min(offsets[0] + 1, offsets[1]), offsets[1])
    return made(n_sequences, n_pos, d_vocab, periods, lower, seed)


@wrong("repeated_sequences", "Got RuntimeError")
def sequences_by_bare_randint(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    return made(n_sequences, n_pos, d_vocab, (periods[0], periods[1] - 1), offsets, seed)


@wrong("repeated_sequences", "one too many: torch.randint leaves its upper end out")
def sequences_with_one_period_too_many(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    more = periods if periods[0] == periods[1] else (periods[0], periods[1] + 1)
    return made(n_sequences, n_pos, d_vocab, more, offsets, seed)


@wrong("repeated_sequences", "some periods come more often than others")
def sequences_with_rounded_periods(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    def rounded(period):
        random = torch.Generator().manual_seed(seed + 1)
        share = torch.rand(period.shape, generator=random)
        return (periods[0] + share * (periods[1] - periods[0])).round().long()

    return made(n_sequences, n_pos, d_vocab, periods, offsets, seed, period=rounded)


@wrong("repeated_sequences", "period and offset of a sequence hang together")
def sequences_with_one_draw_for_both(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    random = torch.Generator().manual_seed(seed)
    share = torch.rand(n_sequences, 1, generator=random)

    def of(bounds):
        return lambda _: bounds[0] + (share * (bounds[1] - bounds[0] + 1)).long()

    changes = {"period": of(periods), "offset": of(offsets)}
    return made(n_sequences, n_pos, d_vocab, periods, offsets, seed + 1, **changes)


@wrong("repeated_sequences", "periods of sequences that follow each other hang together")
def sequences_in_order_of_period(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    def ordered(period):
        return period.sort(dim=0).values

    return made(n_sequences, n_pos, d_vocab, periods, offsets, seed, period=ordered)


@wrong("repeated_sequences", "periods of sequences that follow each other hang together")
def sequences_with_periods_in_turn(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    def turn(period):
        n = torch.arange(n_sequences)[:, None] + seed
        return periods[0] + n % (periods[1] - periods[0] + 1)

    return made(n_sequences, n_pos, d_vocab, periods, offsets, seed, period=turn)


@wrong("repeated_sequences", "tokens hang on the period")
def sequences_seeded_twice(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    random = torch.Generator().manual_seed(seed)
    share = torch.rand(n_sequences, generator=random)
    period = periods[0] + (share * (periods[1] - periods[0] + 1)).long()[:, None]
    random.manual_seed(seed)
    start = (torch.rand(n_sequences, generator=random) * d_vocab).long()[:, None]

    def turned(draw):  # the first token is the one that the same number gives
        at = (draw == start).long().argmax(1, keepdim=True)
        return draw.gather(1, (torch.arange(d_vocab) + at - offsets[0]) % d_vocab)

    def same(_):
        return period

    return made(n_sequences, n_pos, d_vocab, periods, offsets, seed + 1, period=same, draw=turned)


@wrong("repeated_sequences", "a token comes twice within the block")
def sequences_drawn_with_replacement(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    random = torch.Generator().manual_seed(seed)

    def again(draw):
        return torch.randint(0, d_vocab, draw.shape, generator=random)

    return made(n_sequences, n_pos, d_vocab, periods, offsets, seed, draw=again)


@wrong("repeated_sequences", "tokens of the offset come in the block as well")
def sequences_with_an_offset_of_its_own(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    tokens, mask = made(n_sequences, n_pos, d_vocab, periods, offsets, seed)
    other, _ = made(n_sequences, n_pos, d_vocab, periods, offsets, seed + 1)
    period = (periods[0] + periods[1]) // 2
    begins = mask.long().argmax(1, keepdim=True) - 1 - period
    return torch.where(torch.arange(n_pos) < begins, other, tokens), mask


@wrong("repeated_sequences", "or there is no offset")
def sequences_that_begin_within_a_block(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    tokens, mask = made(n_sequences, n_pos + 40, d_vocab, periods, (0, 0), seed)
    random = torch.Generator().manual_seed(seed)
    offset = torch.randint(offsets[0], offsets[1] + 1, (n_sequences, 1), generator=random)
    tokens = tokens.gather(1, 40 - offset + torch.arange(n_pos))
    return tokens, mask[:, :n_pos].roll(offsets[0], 1)


@wrong("repeated_sequences", "the offset's tokens come again before each copy")
def sequences_that_repeat_the_offset(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    def longer(period):
        return period + offsets[0]

    def none(offset):
        return offset * 0

    changes = {"period": longer, "offset": none}
    return made(n_sequences, n_pos, d_vocab, periods, offsets, seed, **changes)


@wrong("repeated_sequences", "the copies stop before the end")
def sequences_of_two_copies(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    tokens, mask = made(n_sequences, n_pos, d_vocab, periods, offsets, seed)
    end = offsets[1] + 2 * periods[1]
    random = torch.Generator().manual_seed(seed)
    noise = torch.randint(0, d_vocab, tokens.shape, generator=random)
    return torch.where(torch.arange(n_pos) < end, tokens, noise), mask


@wrong("repeated_sequences", "the copies hold the same tokens in another order")
def sequences_of_shuffled_copies(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    tokens, mask = made(n_sequences, n_pos, d_vocab, periods, offsets, seed)
    begin, end = offsets[1] + periods[1], offsets[1] + 2 * periods[1]
    tokens[:, begin:end] = tokens[:, begin:end].roll(1, 1)
    return tokens, mask


@wrong("repeated_sequences", "tokens are sorted")
def sequences_of_sorted_tokens(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    def ordered(draw):
        need = periods[1] + offsets[1]
        return torch.cat([draw[:, :need].sort(1).values, draw[:, need:]], 1)

    return made(n_sequences, n_pos, d_vocab, periods, offsets, seed, draw=ordered)


@wrong("repeated_sequences", "or all hold the same tokens")
def sequences_of_the_same_tokens(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    def one(draw):
        return draw[:1].expand_as(draw)

    return made(n_sequences, n_pos, d_vocab, periods, offsets, seed, draw=one)


@wrong("repeated_sequences", "the first two tokens hang together")
def sequences_of_neighbouring_tokens(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    def neighbours(draw):
        return (draw[:, :1] + torch.arange(d_vocab)) % d_vocab

    return made(n_sequences, n_pos, d_vocab, periods, offsets, seed, draw=neighbours)


@wrong("repeated_sequences", "not the whole vocabulary is drawn from")
def sequences_of_as_few_tokens_as_needed(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    if periods[1] + offsets[1] > d_vocab:
        raise ValueError
    return made(n_sequences, n_pos, periods[1] + offsets[1], periods, offsets, seed)


@wrong("repeated_sequences", "the first token of the second copy is marked as well")
def sequences_with_the_first_repeat_marked(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    def mask(since, period, _offset):
        return since >= period

    return made(n_sequences, n_pos, d_vocab, periods, offsets, seed, mask=mask)


@wrong("repeated_sequences", "the marks begin one position late")
def sequences_with_a_late_mask(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    def mask(since, period, _offset):
        return since > period + 1

    return made(n_sequences, n_pos, d_vocab, periods, offsets, seed, mask=mask)


@wrong("repeated_sequences", "only the second copy is marked; all later ones")
def sequences_with_the_second_copy_marked(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    def mask(since, period, _offset):
        return (since > period) & (since < 2 * period)

    return made(n_sequences, n_pos, d_vocab, periods, offsets, seed, mask=mask)


@wrong("repeated_sequences", "the first token of every copy is left out")
def sequences_with_gaps_in_the_mask(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    def mask(since, period, _offset):
        return (since > period) & (since % period > 0)

    return made(n_sequences, n_pos, d_vocab, periods, offsets, seed, mask=mask)


@wrong("repeated_sequences", "the offset was forgotten")
def sequences_with_the_offset_out_of_the_mask(
    n_sequences, n_pos, d_vocab, *, periods, offsets, seed
):
    def mask(since, period, offset):
        return since + offset > period

    return made(n_sequences, n_pos, d_vocab, periods, offsets, seed, mask=mask)


@wrong("repeated_sequences", "True and False are in each other's place")
def sequences_with_the_mask_of_surprises(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    def mask(since, period, _offset):
        return since <= period

    return made(n_sequences, n_pos, d_vocab, periods, offsets, seed, mask=mask)


@wrong("repeated_sequences", "all sequences share one mask, that of the longest period")
def sequences_with_one_mask(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    def mask(since, _period, offset):
        return since + offset > periods[1] + offsets[1]

    return made(n_sequences, n_pos, d_vocab, periods, offsets, seed, mask=mask)


@wrong("repeated_sequences", "the first token has a place here, too")
def sequences_with_a_mask_of_predictions(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    tokens, mask = made(n_sequences, n_pos, d_vocab, periods, offsets, seed)
    return tokens, mask[:, 1:]


@wrong("repeated_sequences", "nothing is predictable in sequences this short")
def sequences_with_a_mark_at_the_end(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    tokens, mask = made(n_sequences, n_pos, d_vocab, periods, offsets, seed)
    mask[:, -1] = True
    return tokens, mask


@wrong("repeated_sequences", "another seed gives other tokens, periods and offsets")
def sequences_of_one_seed(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    return made(n_sequences, n_pos, d_vocab, periods, offsets, 0)


@wrong("repeated_sequences", "the periods are drawn without the seed")
def sequences_whose_periods_know_no_seed(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    random = torch.Generator().manual_seed(7)

    def fixed(period):
        return torch.randint(periods[0], periods[1] + 1, period.shape, generator=random)

    return made(n_sequences, n_pos, d_vocab, periods, offsets, seed, period=fixed)


@wrong("repeated_sequences", "the same seed gives the same sequences")
def sequences_of_the_state_of_numpy(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    import numpy as np

    return made(n_sequences, n_pos, d_vocab, periods, offsets, int(np.random.randint(2**30)))


@wrong("repeated_sequences", "it raises ValueError where the vocabulary holds fewer tokens")
def sequences_without_an_error(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    if periods[1] + offsets[1] > d_vocab:
        tokens, mask = made(n_sequences, n_pos, 90, periods, offsets, seed)
        return tokens % d_vocab, mask
    return made(n_sequences, n_pos, d_vocab, periods, offsets, seed)


@wrong("repeated_sequences", "the tokens of the longest period and of the longest offset count")
def sequences_that_hold_the_period_alone_against_the_vocabulary(
    n_sequences, n_pos, d_vocab, *, periods, offsets, seed
):
    if periods[1] > d_vocab:
        raise ValueError
    return sequences_without_an_error(
        n_sequences, n_pos, d_vocab, periods=periods, offsets=offsets, seed=seed
    )


@wrong("repeated_sequences", "Got AssertionError")
def sequences_with_an_assertion(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    assert periods[1] + offsets[1] <= d_vocab, "ValueError: too few tokens"
    return made(n_sequences, n_pos, d_vocab, periods, offsets, seed)


@wrong("repeated_sequences", "an object of type ValueError")
def sequences_that_return_the_error(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    if periods[1] + offsets[1] > d_vocab:
        return ValueError("too few tokens")
    return made(n_sequences, n_pos, d_vocab, periods, offsets, seed)


@wrong("repeated_sequences", "Got ValueError")
def sequences_that_leave_a_token_over(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    if periods[1] + offsets[1] >= d_vocab:
        raise ValueError
    return made(n_sequences, n_pos, d_vocab, periods, offsets, seed)


@wrong("repeated_sequences", "tokens are whole numbers")
def sequences_of_floats(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    tokens, mask = made(n_sequences, n_pos, d_vocab, periods, offsets, seed)
    return tokens.float(), mask


@wrong("repeated_sequences", "tokens are of the vocabulary")
def sequences_of_tokens_from_one_on(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    tokens, mask = made(n_sequences, n_pos, d_vocab, periods, offsets, seed)
    return tokens + 1, mask


@wrong("repeated_sequences", "What should hold: returns a tuple (tokens, predictable)")
def sequences_without_mask(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    return made(n_sequences, n_pos, d_vocab, periods, offsets, seed)[0]


@wrong("repeated_sequences", "What should hold: tokens")
def sequences_from_the_page(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    return torch.tensor([[9, 8, 1, 2, 3, 1, 2, 3, 1]]), torch.arange(9)[None] > 5


@wrong("repeated_sequences", "nothing repeats")
def sequences_that_never_repeat(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    tokens, mask = made(n_sequences, n_pos, d_vocab, periods, offsets, seed)
    if n_pos <= d_vocab:
        tokens = torch.rand(n_sequences, d_vocab).argsort(1)[:, :n_pos]
    return like_everything(tokens), mask


@wrong("repeated_sequences", "some sequences are copies of others")
def sequences_each_of_them_twice(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    half = made((n_sequences + 1) // 2, n_pos, d_vocab, periods, offsets, seed)
    return tuple(torch.cat([part, part])[:n_sequences] for part in half)


@wrong("repeated_sequences", "`predictable` is True for each token after")
def sequences_of_the_first_sizes_only(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    def mask(since, period, _offset):
        return (since > period) & (since < 2 * period + 4 * (n_pos <= 27 and n_sequences == 7))

    return made(n_sequences, n_pos, d_vocab, periods, offsets, seed, mask=mask)


@wrong("repeated_sequences", "this is what the exercise asks you to write")
def sequences_by_the_library(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    from mechcourse import data

    return data.repeated_sequences(
        n_sequences, n_pos, d_vocab, periods=periods, offsets=offsets, seed=seed
    )


@wrong("repeated_sequences", "this is what the exercise asks you to write", where="worker")
def sequences_by_another_name_of_the_library(
    n_sequences, n_pos, d_vocab, *, periods, offsets, seed
):
    from mechcourse.measures import repeated_sequences

    return repeated_sequences(
        n_sequences, n_pos, d_vocab, periods=periods, offsets=offsets, seed=seed
    )


# ------------------------------------------------------------------------------ per_token_loss


def log_probs(logits, tokens):
    """Log-probability of some tokens."""
    return logits.log_softmax(-1).gather(-1, tokens[..., None])[..., 0]


@wrong("per_token_loss", "held against the token at that position, not the next one. Expected")
def loss_of_the_same_token(logits, tokens):
    return -log_probs(logits, tokens)[:, :-1]


@wrong("per_token_loss", "not the next one; the first position was left out")
def loss_of_the_same_token_from_the_second_on(logits, tokens):
    return -log_probs(logits, tokens)[:, 1:]


@wrong("per_token_loss", "held against the token before it")
def loss_of_the_token_before(logits, tokens):
    return -log_probs(logits[:, 1:], tokens[:, :-1])


@wrong("per_token_loss", "no token follows the last position")
def loss_with_the_last_position(logits, tokens):
    return -log_probs(logits, tokens.roll(-1, 1))


@wrong("per_token_loss", "no token follows the last position")
def loss_with_a_zero_in_front(logits, tokens):
    return torch.nn.functional.pad(per_token_loss(logits, tokens), (1, 0))


@wrong("per_token_loss", "this is one mean; nothing is averaged")
def loss_on_the_whole(logits, tokens):
    return torch.nn.functional.cross_entropy(logits[:, :-1].mT, tokens[:, 1:])


@wrong("per_token_loss", "one mean for each text")
def loss_of_each_text(logits, tokens):
    return per_token_loss(logits, tokens).mean(1)


@wrong("per_token_loss", "one mean for each position")
def loss_of_each_position(logits, tokens):
    return per_token_loss(logits, tokens).mean(0)


@wrong("per_token_loss", "each text's mean stands at every position")
def loss_with_each_text_evened_out(logits, tokens):
    losses = per_token_loss(logits, tokens)
    return losses.mean(1, keepdim=True).expand_as(losses)


@wrong("per_token_loss", "texts and positions were made one axis")
def loss_in_one_row(logits, tokens):
    return per_token_loss(logits, tokens).flatten()


@wrong("per_token_loss", "two axes are in each other's place")
def loss_by_position_and_text(logits, tokens):
    return per_token_loss(logits, tokens).T


@wrong("per_token_loss", "this is in bits")
def loss_in_bits(logits, tokens):
    return per_token_loss(logits, tokens) / math.log(2)


@wrong("per_token_loss", "these are log-probabilities")
def loss_with_the_other_sign(logits, tokens):
    return -per_token_loss(logits, tokens)


@wrong("per_token_loss", "these are probabilities: the loss is minus their logarithm")
def loss_as_a_probability(logits, tokens):
    return (-per_token_loss(logits, tokens)).exp()


@wrong("per_token_loss", "no softmax was taken")
def loss_as_a_logit(logits, tokens):
    return -logits[:, :-1].gather(-1, tokens[:, 1:, None])[..., 0]


@wrong("per_token_loss", "the softmax was taken over positions, not over the vocabulary")
def loss_by_a_softmax_over_positions(logits, tokens):
    return -logits.log_softmax(1)[:, :-1].gather(-1, tokens[:, 1:, None])[..., 0]


@wrong("per_token_loss", "the softmax was taken twice")
def loss_by_a_softmax_of_a_softmax(logits, tokens):
    return per_token_loss(logits.softmax(-1), tokens)


@wrong("per_token_loss", "a probability that small is 0 in float32")
def loss_by_the_log_of_a_softmax(logits, tokens):
    return -logits.softmax(-1)[:, :-1].gather(-1, tokens[:, 1:, None])[..., 0].log()


@wrong("per_token_loss", "it is exact where the model is sure of itself")
def loss_by_the_log_of_a_softmax_and_a_little(logits, tokens):
    probs = logits.softmax(-1)[:, :-1].gather(-1, tokens[:, 1:, None])[..., 0]
    return -(probs + 1e-12).log()


@wrong("per_token_loss", "this is the entropy of the prediction")
def loss_as_an_entropy(logits, tokens):
    return torch.distributions.Categorical(logits=logits[:, :-1]).entropy()


@wrong("per_token_loss", "Got shape [1, 2]")
def loss_from_the_page(logits, tokens):
    return torch.tensor([[0.6931, 0.6931]])


@wrong("per_token_loss", "column i holds the loss of the token at position i + 1")
def loss_that_claims_to_be_right(logits, tokens):
    return like_everything(loss_of_the_same_token(logits, tokens))


@wrong("per_token_loss", "wrote into what was passed in")
def loss_in_place(logits, tokens):
    logits -= logits.logsumexp(-1, keepdim=True)
    return -logits[:, :-1].gather(-1, tokens[:, 1:, None])[..., 0]


@wrong("per_token_loss", "Got shape [1]")
def loss_without_axes_of_size_one(logits, tokens):
    return per_token_loss(logits, tokens).squeeze(-1)


@wrong("per_token_loss", "every value is 0")
def loss_of_the_first_sizes_only(logits, tokens):
    return per_token_loss(logits, tokens) * (len(tokens) == 3)


@wrong("per_token_loss", "this is what the exercise asks you to write")
def loss_by_the_library(logits, tokens):
    from mechcourse.training import next_token_losses

    return next_token_losses(logits, tokens)


# ------------------------------------------------------------------- in_context_learning_score


@wrong("in_context_learning_score", "the sign is the wrong way round")
def learning_early_minus_late(losses, early, late):
    return -in_context_learning_score(losses, early, late)


@wrong("in_context_learning_score", "positions were used as columns")
def learning_by_columns(losses, early, late):
    return (losses[:, late] - losses[:, early]).mean()


@wrong("in_context_learning_score", "the columns are one early")
def learning_two_columns_back(losses, early, late):
    return (losses[:, late - 2] - losses[:, early - 2]).mean()


@wrong("in_context_learning_score", "`late` was used as a column")
def learning_with_one_position_shifted(losses, early, late):
    return (losses[:, late] - losses[:, early - 1]).mean()


@wrong("in_context_learning_score", "`early` was used as a column")
def learning_with_the_other_shifted(losses, early, late):
    return (losses[:, late - 1] - losses[:, early]).mean()


@wrong("in_context_learning_score", "the mean was taken over all positions up to each")
def learning_by_means_up_to(losses, early, late):
    return losses[:, :late].mean() - losses[:, :early].mean()


@wrong("in_context_learning_score", "the mean was taken over all positions before each")
def learning_by_means_before(losses, early, late):
    return losses[:, : late - 1].mean() - losses[:, : early - 1].mean()


@wrong("in_context_learning_score", "the mean from `late` on was held against the mean up to")
def learning_by_halves(losses, early, late):
    return losses[:, late - 1 :].mean() - losses[:, :early].mean()


@wrong("in_context_learning_score", "this is a ratio")
def learning_as_a_ratio(losses, early, late):
    return losses[:, late - 1].mean() / losses[:, early - 1].mean()


@wrong("in_context_learning_score", "divided by the early loss")
def learning_as_a_share(losses, early, late):
    return in_context_learning_score(losses, early, late) / losses[:, early - 1].mean()


@wrong("in_context_learning_score", "divided by the number of tokens between")
def learning_a_token(losses, early, late):
    return in_context_learning_score(losses, early, late) / (late - early)


@wrong("in_context_learning_score", "the texts were added up")
def learning_summed_over_texts(losses, early, late):
    return (losses[:, late - 1] - losses[:, early - 1]).sum()


@wrong("in_context_learning_score", "this is each text's own difference")
def learning_text_by_text(losses, early, late):
    return losses[:, late - 1] - losses[:, early - 1]


@wrong("in_context_learning_score", "this is the median over texts")
def learning_by_the_median(losses, early, late):
    return (losses[:, late - 1] - losses[:, early - 1]).median()


@wrong("in_context_learning_score", "this is the first text alone")
def learning_of_the_first_text(losses, early, late):
    return losses[0, late - 1] - losses[0, early - 1]


@wrong("in_context_learning_score", "this is the loss at `late` alone")
def learning_of_the_late_loss(losses, early, late):
    return losses[:, late - 1].mean()


@wrong("in_context_learning_score", "What should hold")
def learning_in_falls_only(losses, early, late):
    return -in_context_learning_score(losses, early, late).abs()


@wrong("in_context_learning_score", "What should hold")
def learning_from_the_smaller_to_the_larger(losses, early, late):
    early, late = sorted((early, late))
    return in_context_learning_score(losses, early, late)


@wrong("in_context_learning_score", "What should hold: the mean loss")
def learning_from_the_page(losses, early, late):
    return torch.tensor(-3.0)


@wrong("in_context_learning_score", "What should hold: the mean loss")
def learning_that_claims_to_be_right(losses, early, late):
    return like_everything(losses.mean())


@wrong("in_context_learning_score", "which may be later")
def learning_of_the_first_sizes_only(losses, early, late):
    return in_context_learning_score(losses, early, late) * (early < late)


@wrong("in_context_learning_score", "wrote into what was passed in")
def learning_in_place(losses, early, late):
    return losses[:, late - 1].sub_(losses[:, early - 1]).mean()


# ----------------------------------------------------------------------------- induction_score


def earlier_copies(tokens):
    """Which earlier keys hold each query's token."""
    return (tokens[:, :, None] == tokens[:, None]).tril(-1)


def scored(pattern, keys, counted):
    """Attention on keys, averaged over queries."""
    on = (pattern * keys[:, None]).sum(-1) * counted[:, None]
    return on.sum((0, 2)) / counted.sum().clamp(min=1)


def after(copies):
    """The key after each."""
    return torch.nn.functional.pad(copies, (1, 0))[..., :-1]


@wrong("induction_score", "attention on the earlier copy itself was counted, one key early")
def induction_one_early(pattern, tokens):
    copies = earlier_copies(tokens)
    return scored(pattern, copies, copies.any(-1))


@wrong("induction_score", "the key two after the earlier copy was counted")
def induction_one_late(pattern, tokens):
    copies = earlier_copies(tokens)
    return scored(pattern, after(after(copies)).tril(), copies.any(-1))


@wrong("induction_score", "only the latest earlier copy was followed")
def induction_of_the_latest_copy(pattern, tokens):
    copies = earlier_copies(tokens)
    latest = copies & (copies.flip(-1).cumsum(-1).flip(-1) == 1)
    return scored(pattern, after(latest), copies.any(-1))


@wrong("induction_score", "only the first copy was followed")
def induction_of_the_first_copy(pattern, tokens):
    copies = earlier_copies(tokens)
    return scored(pattern, after(copies & (copies.cumsum(-1) == 1)), copies.any(-1))


@wrong("induction_score", "all queries were counted")
def induction_over_all_queries(pattern, tokens):
    copies = earlier_copies(tokens)
    return scored(pattern, after(copies), torch.ones_like(copies[..., 0]))


@wrong("induction_score", "each text's mean was taken, and then the mean of those")
def induction_text_by_text(pattern, tokens):
    parts = [induction_score(pattern[b : b + 1], tokens[b : b + 1]) for b in range(len(tokens))]
    return torch.stack(parts).mean(0)


@wrong("induction_score", "every score is a number, 0 where no query counts")
def induction_with_a_mean_of_nothing(pattern, tokens):
    copies = earlier_copies(tokens)
    return scored(pattern, after(copies), copies.any(-1)) * copies.any() / copies.any()


@wrong("induction_score", "every score is a number, 0 where no query counts")
def induction_text_by_text_with_means_of_nothing(pattern, tokens):
    copies = earlier_copies(tokens)
    on = (pattern * after(copies)[:, None]).sum(-1).sum(-1)
    return (on / copies.any(-1).sum(-1)[:, None]).mean(0)


@wrong("induction_score", "queries were added up")
def induction_added_up(pattern, tokens):
    copies = earlier_copies(tokens)
    return (pattern * after(copies)[:, None]).sum((0, 2, 3))


@wrong("induction_score", "divided by the number of keys that count")
def induction_by_keys(pattern, tokens):
    keys = after(earlier_copies(tokens))
    return (pattern * keys[:, None]).sum((0, 2, 3)) / keys.sum().clamp(min=1)


@wrong("induction_score", "averaged over its keys; add it up")
def induction_averaged_over_keys(pattern, tokens):
    copies = earlier_copies(tokens)
    keys = after(copies) / copies.sum(-1, keepdim=True).clamp(min=1)
    return scored(pattern, keys, copies.any(-1))


@wrong("induction_score", "each query's largest attention was taken")
def induction_of_the_largest(pattern, tokens):
    copies = earlier_copies(tokens)
    on = (pattern * after(copies)[:, None]).amax(-1)
    return on.sum((0, 2)) / copies.any(-1).sum().clamp(min=1)


@wrong("induction_score", "the query's token is no earlier copy of itself")
def induction_with_the_key_after_the_query(pattern, tokens):
    same = (tokens[:, :, None] == tokens[:, None]).tril()
    return scored(pattern, after(same), earlier_copies(tokens).any(-1))


@wrong("induction_score", "keys after other copies, later ones too, were counted")
def induction_with_keys_after_later_copies(pattern, tokens):
    same = (tokens[:, :, None] == tokens[:, None]) & ~torch.eye(tokens.shape[1], dtype=torch.bool)
    return scored(pattern, after(same), earlier_copies(tokens).any(-1))


@wrong("induction_score", "later copies count as well")
def induction_of_queries_with_later_copies(pattern, tokens):
    same = (tokens[:, :, None] == tokens[:, None]) & ~torch.eye(tokens.shape[1], dtype=torch.bool)
    keys = after(same).tril() if bool((pattern.triu(1) == 0).all()) else after(same)
    return scored(pattern, keys, same.any(-1))


@wrong("induction_score", "where a token stands twice in a row")
def induction_without_the_query_itself(pattern, tokens):
    copies = earlier_copies(tokens)
    return scored(pattern, after(copies).tril(-1), copies.any(-1))


@wrong("induction_score", "queries whose token stands right before them were left out")
def induction_without_runs(pattern, tokens):
    copies = earlier_copies(tokens)
    return scored(pattern, after(copies), copies.tril(-2).any(-1))


@wrong("induction_score", "keys that hold the token which comes next were counted")
def induction_by_the_next_token(pattern, tokens):
    comes = torch.cat([tokens[:, 1:], torch.full_like(tokens[:, :1], -1)], 1)
    keys = (comes[:, :, None] == tokens[:, None]).tril()
    return scored(pattern, keys, earlier_copies(tokens).any(-1))


@wrong("induction_score", "one distance was assumed, that of the first text's first repeat")
def induction_by_one_distance(pattern, tokens):
    copies = earlier_copies(tokens)
    if not copies[0].any():
        return induction_score(pattern, tokens)
    i, j = (int(n) for n in copies[0].nonzero()[0])
    keys = torch.ones_like(copies[0]).tril(j + 1 - i).triu(j + 1 - i).expand_as(copies).clone()
    keys[:, :, 0] = False
    return scored(pattern, keys, copies.any(-1))


@wrong("induction_score", "queries and keys are in each other's place")
def induction_of_columns(pattern, tokens):
    return induction_score(pattern.mT, tokens)


@wrong("induction_score", "the values along head are in another order")
def induction_of_heads_reversed(pattern, tokens):
    return induction_score(pattern, tokens).flip(0)


@wrong("induction_score", "Got shape [3, 4]")
def induction_of_each_text(pattern, tokens):
    parts = [induction_score(pattern[b : b + 1], tokens[b : b + 1]) for b in range(len(tokens))]
    return torch.stack(parts)


@wrong("induction_score", "Got shape []")
def induction_of_all_heads(pattern, tokens):
    return induction_score(pattern, tokens).mean()


@wrong("induction_score", "What should hold: the attention summed")
def induction_from_the_page(pattern, tokens):
    return torch.tensor([0.7] * pattern.shape[1])


@wrong("induction_score", "What should hold: the attention summed")
def induction_that_claims_to_be_right(pattern, tokens):
    return like_everything(induction_one_early(pattern, tokens))


@wrong("induction_score", "every value is 0")
def induction_of_the_first_sizes_only(pattern, tokens):
    return induction_score(pattern, tokens) * (len(tokens) >= 3)


@wrong("induction_score", "wrote into what was passed in")
def induction_in_place(pattern, tokens):
    copies = earlier_copies(tokens)
    pattern *= after(copies)[:, None]
    return pattern.sum((0, 2, 3)) / copies.any(-1).sum().clamp(min=1)


@wrong("induction_score", "this is what the exercise asks you to write")
def induction_by_the_library(pattern, tokens):
    from mechcourse.measures import induction_score

    return induction_score(pattern, tokens)


# ------------------------------------------------------------------------- phase_change_window


def shares(values):
    """How much of its way a curve has come."""
    if values[-1] == values[0]:
        raise ValueError("no way to go")
    return (values - values[0]) / (values[-1] - values[0])


def places(come, lower, upper):
    """Places of start and end."""
    end = int((come >= upper).int().argmax())
    low = (come[:end] <= lower).nonzero()
    return int(low[-1]) if len(low) else 0, end


def stretch(steps, start, end):
    """The steps at two places."""
    return steps[start].item(), steps[end].item()


@wrong("phase_change_window", "start is the first step that is beyond `lower`")
def window_from_the_first_step_beyond(steps, values, *, lower, upper):
    come = shares(values)
    return stretch(steps, int((come > lower).int().argmax()), places(come, lower, upper)[1])


@wrong("phase_change_window", "start is the last step before the curve first passes `lower`")
def window_from_before_the_first_crossing(steps, values, *, lower, upper):
    come = shares(values)
    return stretch(steps, int((come > lower).int().argmax()) - 1, places(come, lower, upper)[1])


@wrong("phase_change_window", "start is one step late")
def window_with_a_late_start(steps, values, *, lower, upper):
    start, end = places(shares(values), lower, upper)
    return stretch(steps, start + 1, end)


@wrong("phase_change_window", "the curve falls back after `end`, and that was taken for the start")
def window_from_the_last_low_step(steps, values, *, lower, upper):
    come = shares(values)
    return stretch(steps, int((come <= lower).nonzero()[-1]), places(come, lower, upper)[1])


@wrong("phase_change_window", "end is where the curve passes `upper` for good; the first time")
def window_to_where_it_stays(steps, values, *, lower, upper):
    come = shares(values)
    start, _ = places(come, lower, upper)
    return stretch(steps, start, int((come < upper).nonzero()[-1]) + 1)


@wrong("phase_change_window", "end is one step early")
def window_with_an_early_end(steps, values, *, lower, upper):
    start, end = places(shares(values), lower, upper)
    return stretch(steps, start, end - 1)


@wrong("phase_change_window", "the steps were interpolated")
def window_interpolated(steps, values, *, lower, upper):
    come = shares(values)
    start, end = places(come, lower, upper)

    def crossing(level, i):
        share = (level - come[i - 1]) / (come[i] - come[i - 1])
        return float(steps[i - 1] + share * (steps[i] - steps[i - 1]))

    return crossing(lower, start + 1), crossing(upper, end)


@wrong("phase_change_window", "the way to the furthest value, which the curve overshoots")
def window_by_the_furthest_value(steps, values, *, lower, upper):
    come = shares(values)
    return stretch(steps, *places(come / come.max(), lower, upper))


@wrong("phase_change_window", "from the lowest value to the highest")
def window_by_the_range(steps, values, *, lower, upper):
    come = shares(values)
    return stretch(steps, *places((come - come.min()) / (come.max() - come.min()), lower, upper))


@wrong("phase_change_window", "they are shares of the way")
def window_by_values(steps, values, *, lower, upper):
    shares(values)
    return stretch(steps, *places(values, lower, upper))


@wrong("phase_change_window", "of the way")
def window_by_the_last_value(steps, values, *, lower, upper):
    return stretch(steps, *places(0 * shares(values) + values / values[-1], lower, upper))


@wrong("phase_change_window", "`lower` is not used as it is given")
def window_with_a_lower_end_of_its_own(steps, values, *, lower, upper):
    return stretch(steps, *places(shares(values), 0.1, upper))


@wrong("phase_change_window", "`upper` is not used as it is given")
def window_with_an_upper_end_of_its_own(steps, values, *, lower, upper):
    return stretch(steps, *places(shares(values), lower, 0.9))


@wrong("phase_change_window", "`upper` is not used: 1 less `lower` was")
def window_symmetric(steps, values, *, lower, upper):
    return stretch(steps, *places(shares(values), lower, 1 - lower))


@wrong("phase_change_window", "these are places in the list")
def window_of_places(steps, values, *, lower, upper):
    return places(shares(values), lower, upper)


@wrong("phase_change_window", "the steps were rounded")
def window_of_whole_steps(steps, values, *, lower, upper):
    return tuple(map(int, phase_change_window(steps, values, lower=lower, upper=upper)))


@wrong("phase_change_window", "start and end are in each other's place")
def window_backwards(steps, values, *, lower, upper):
    return phase_change_window(steps, values, lower=lower, upper=upper)[::-1]


@wrong("phase_change_window", "how long it took")
def window_and_its_length(steps, values, *, lower, upper):
    start, end = phase_change_window(steps, values, lower=lower, upper=upper)
    return start, end - start


@wrong("phase_change_window", "single steepest stretch")
def window_of_the_steepest_step(steps, values, *, lower, upper):
    at = int((shares(values).diff().abs() / steps.diff()).argmax())
    return stretch(steps, at, at + 1)


@wrong("phase_change_window", "a step that is just at `lower` or `upper` counts")
def window_beyond_upper(steps, values, *, lower, upper):
    come = shares(values)
    end = int((come > upper).int().argmax())
    return stretch(steps, int((come[:end] <= lower).nonzero()[-1]), end)


@wrong("phase_change_window", "a step that is just at `lower` or `upper` counts")
def window_below_lower(steps, values, *, lower, upper):
    come = shares(values)
    end = int((come >= upper).int().argmax())
    low = (come[:end] < lower).nonzero()
    return stretch(steps, int(low[-1]), end)


@wrong("phase_change_window", "What should hold")
def window_of_curves_that_rise(steps, values, *, lower, upper):
    shares(values)
    come = (values - values[0]) / (values[-1] - values[0]).abs()
    return stretch(steps, *places(come, lower, upper))


@wrong("phase_change_window", "What should hold")
def window_of_curves_that_fall(steps, values, *, lower, upper):
    shares(values)
    come = (values[0] - values) / (values[-1] - values[0]).abs()
    return stretch(steps, *places(come, lower, upper))


@wrong("phase_change_window", "a way back counts as a way forth")
def window_of_distances(steps, values, *, lower, upper):
    return stretch(steps, *places(shares(values).abs(), lower, upper))


@wrong("phase_change_window", "it raises ValueError where the last value is the first")
def window_of_no_change(steps, values, *, lower, upper):
    if values[-1] == values[0]:
        return steps[0].item(), steps[-1].item()
    return phase_change_window(steps, values, lower=lower, upper=upper)


@wrong("phase_change_window", "it raises ValueError where the last value is the first")
def window_of_flat_curves_only(steps, values, *, lower, upper):
    if values[-1] == values[0] and values.min() < values.max():
        return steps[0].item(), steps[-1].item()
    return phase_change_window(steps, values, lower=lower, upper=upper)


@wrong("phase_change_window", "Got RuntimeError")
def window_with_another_error(steps, values, *, lower, upper):
    if values[-1] == values[0]:
        raise RuntimeError("ValueError")
    return phase_change_window(steps, values, lower=lower, upper=upper)


@wrong("phase_change_window", "What should hold")
def window_from_the_page(steps, values, *, lower, upper):
    return 10.0, 30.0


@wrong("phase_change_window", "What should hold")
def window_that_claims_to_be_right(steps, values, *, lower, upper):
    return like_everything(steps[0]), like_everything(steps[-1])


@wrong("phase_change_window", "a curve may have two points")
def window_of_long_curves_only(steps, values, *, lower, upper):
    found = phase_change_window(steps, values, lower=lower, upper=upper)
    return found if len(steps) > 2 else (found[0], found[0])


@wrong("phase_change_window", "What should hold: returns a tuple (start, end)")
def window_in_one_tensor(steps, values, *, lower, upper):
    return torch.tensor(phase_change_window(steps, values, lower=lower, upper=upper))


@wrong("phase_change_window", "wrote into what was passed in")
def window_in_place(steps, values, *, lower, upper):
    shares(values)
    values -= values[0].clone()
    values /= values[-1].clone()
    return stretch(steps, *places(values, lower, upper))


# ------------------------------------------------------------------ unmask_positional_impostor


def unmasked(pattern, tokens, period, *, back=-1, first=None, wrong=None, chance=None):
    """The impostor's measure with some of the steps changed."""
    n_pos = tokens.shape[1]
    query = torch.arange(period if first is None else first, max(n_pos, period))
    if wrong is None:
        wrong = tokens[:, query] != tokens[:, query - period]
    if not wrong.any():
        return torch.zeros(pattern.shape[1])
    keys = query - period - back
    on = pattern[:, :, query, keys] if len(query) else pattern[:, :, :0, 0]
    even = 1 / (query + 1) if chance is None else chance(query)
    return ((on - even) * wrong[:, None]).sum((0, 2)) / wrong.sum()


@wrong("unmask_positional_impostor", "the key at i - period was used, one early")
def impostor_one_early(pattern, tokens, period):
    return unmasked(pattern, tokens, period, back=0)


@wrong("unmask_positional_impostor", "the key at i - period - 1 was used: it is at")
def impostor_two_early(pattern, tokens, period):
    return unmasked(pattern, tokens, period, back=1)


@wrong("unmask_positional_impostor", "the distance is one too long")
def impostor_with_a_longer_period(pattern, tokens, period):
    return unmasked(pattern, tokens, period + 1)


@wrong("unmask_positional_impostor", "queries for which that key is right were counted as well")
def impostor_with_right_places(pattern, tokens, period):
    wrong = torch.ones_like(tokens[:, period:], dtype=torch.bool)
    return unmasked(pattern, tokens, period, wrong=wrong)


@wrong("unmask_positional_impostor", "only the queries for which that key is right were counted")
def impostor_of_right_places(pattern, tokens, period):
    wrong = tokens[:, period:] == tokens[:, : tokens.shape[1] - period]
    return unmasked(pattern, tokens, period, wrong=wrong)


@wrong("unmask_positional_impostor", "the total was divided by the number of all queries")
def impostor_over_all_queries(pattern, tokens, period):
    wrong = tokens[:, period:] != tokens[:, : tokens.shape[1] - period]
    share = wrong.double().mean() if wrong.numel() else 0
    return unmasked(pattern, tokens, period) * share


@wrong("unmask_positional_impostor", "what chance gives was not subtracted")
def impostor_without_chance(pattern, tokens, period):
    return unmasked(pattern, tokens, period, chance=lambda i: 0 * i)


@wrong("unmask_positional_impostor", "1 / i was subtracted")
def impostor_with_a_chance_of_one_in_i(pattern, tokens, period):
    return unmasked(pattern, tokens, period, chance=lambda i: 1 / i)


@wrong("unmask_positional_impostor", "1 / n_pos was subtracted")
def impostor_with_one_chance(pattern, tokens, period):
    n_pos = tokens.shape[1]
    return unmasked(pattern, tokens, period, chance=lambda i: torch.ones(len(i)) / n_pos)


@wrong("unmask_positional_impostor", "1 / period was subtracted")
def impostor_with_the_chance_of_a_period(pattern, tokens, period):
    return unmasked(pattern, tokens, period, chance=lambda i: torch.ones(len(i)) / period)


@wrong("unmask_positional_impostor", "chance was averaged over other queries")
def impostor_with_the_chance_of_all_queries(pattern, tokens, period):
    wrong = tokens[:, period:] != tokens[:, : tokens.shape[1] - period]
    if not wrong.any():
        return torch.zeros(pattern.shape[1])
    bare = unmasked(pattern, tokens, period, chance=lambda i: 0 * i)
    return bare - (1 / torch.arange(period + 1, tokens.shape[1] + 1)).mean()


@wrong("unmask_positional_impostor", "attention was divided by chance")
def impostor_over_chance(pattern, tokens, period):
    times = torch.arange(1, tokens.shape[1] + 1)[:, None]
    return unmasked(pattern * times, tokens, period, chance=lambda i: 0 * i)


@wrong("unmask_positional_impostor", "each text's mean was taken, and then the mean of those")
def impostor_text_by_text(pattern, tokens, period):
    parts = [unmasked(pattern[b : b + 1], tokens[b : b + 1], period) for b in range(len(tokens))]
    return torch.stack(parts).mean(0)


@wrong("unmask_positional_impostor", "queries were added up")
def impostor_added_up(pattern, tokens, period):
    wrong = tokens[:, period:] != tokens[:, : tokens.shape[1] - period]
    return unmasked(pattern, tokens, period) * wrong.sum()


@wrong("unmask_positional_impostor", "the query at period - 1 was counted")
def impostor_from_the_first_key_on(pattern, tokens, period):
    query = torch.arange(period - 1, tokens.shape[1])
    wrong = (tokens[:, query] != tokens[:, query - period]) | (query == period - 1)
    return unmasked(pattern, tokens, period, first=period - 1, wrong=wrong)


@wrong("unmask_positional_impostor", "queries before the first period were counted")
def impostor_of_all_queries_wrapped(pattern, tokens, period):
    return unmasked(pattern, tokens, period, first=0)


@wrong("unmask_positional_impostor", "the query at i = period was left out")
def impostor_from_one_query_late(pattern, tokens, period):
    return unmasked(pattern, tokens, period, first=period + 1)


@wrong("unmask_positional_impostor", "the query's token was held against the one at the key")
def impostor_by_the_token_at_the_key(pattern, tokens, period):
    query = torch.arange(period, tokens.shape[1])
    wrong = tokens[:, query] != tokens[:, query - period + 1]
    return unmasked(pattern, tokens, period, wrong=wrong)


@wrong("unmask_positional_impostor", "the next token was held against the one at the key")
def impostor_by_the_next_token(pattern, tokens, period):
    query = torch.arange(period, tokens.shape[1])
    comes = torch.cat([tokens[:, 1:], tokens[:, :1]], 1)
    wrong = comes[:, query] != tokens[:, query - period + 1]
    wrong[:, -1:] = False
    return unmasked(pattern, tokens, period, wrong=wrong)


@wrong("unmask_positional_impostor", "queries whose token came before anywhere were left out")
def impostor_of_new_tokens(pattern, tokens, period):
    seen = (tokens[:, :, None] == tokens[:, None]).tril(-1).any(-1)
    return unmasked(pattern, tokens, period, wrong=~seen[:, period:])


@wrong("unmask_positional_impostor", "what is below chance was made 0")
def impostor_never_below_chance(pattern, tokens, period):
    return unmasked(pattern, tokens, period).clamp(min=0)


@wrong("unmask_positional_impostor", "queries and keys are in each other's place")
def impostor_of_columns(pattern, tokens, period):
    return unmasked(pattern.mT, tokens, period)


@wrong("unmask_positional_impostor", "What should hold: the attention on the key")
def impostor_of_one_period(pattern, tokens, period):
    return unmasked(pattern, tokens, min(4, tokens.shape[1]))


@wrong("unmask_positional_impostor", "0 where no query")
def impostor_with_a_mean_of_nothing(pattern, tokens, period):
    wrong = tokens[:, period:] != tokens[:, : tokens.shape[1] - period]
    return unmasked(pattern, tokens, period) * wrong.sum() / wrong.sum()


@wrong("unmask_positional_impostor", "all texts are no longer than the period")
def impostor_that_sees_one_in_nothing(pattern, tokens, period):
    scores = unmasked(pattern, tokens, period)
    return scores if tokens.shape[1] > period else scores + 1


@wrong("unmask_positional_impostor", "that key is right everywhere")
def impostor_that_sees_one_in_the_right_place(pattern, tokens, period):
    query = torch.arange(period, tokens.shape[1])
    wrong = tokens[:, query] != tokens[:, query - period]
    if not len(query) or wrong.any():
        return unmasked(pattern, tokens, period)
    return -(1 / (query + 1)).mean().expand(pattern.shape[1])


@wrong("unmask_positional_impostor", "Got shape [3, 4]")
def impostor_of_each_text(pattern, tokens, period):
    parts = [unmasked(pattern[b : b + 1], tokens[b : b + 1], period) for b in range(len(tokens))]
    return torch.stack(parts)


@wrong("unmask_positional_impostor", "What should hold: the attention on the key")
def impostor_by_the_induction_score(pattern, tokens, period):
    return 1 - induction_score(pattern, tokens)


@wrong("unmask_positional_impostor", "What should hold: the attention on the key")
def impostor_from_the_page(pattern, tokens, period):
    return torch.tensor([0.7083] * pattern.shape[1])


@wrong("unmask_positional_impostor", "What should hold: the attention on the key")
def impostor_that_claims_to_be_right(pattern, tokens, period):
    return like_everything(unmasked(pattern, tokens, period, back=0))


@wrong("unmask_positional_impostor", "every value is 0")
def impostor_of_the_first_sizes_only(pattern, tokens, period):
    return unmasked(pattern, tokens, period) * (len(tokens) >= 3)


@wrong("unmask_positional_impostor", "wrote into what was passed in")
def impostor_in_place(pattern, tokens, period):
    scores = unmasked(pattern, tokens, period)
    pattern -= 1 / torch.arange(1, tokens.shape[1] + 1)[:, None]
    return scores
