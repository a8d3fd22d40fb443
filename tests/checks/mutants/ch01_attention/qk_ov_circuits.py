"""Wrong answers to `ch01_attention/2_qk_ov_circuits.ipynb`, each with words its check must say."""

import math
import sys
from itertools import pairwise

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


# ---------------------------------------------------------------------------------- qk_circuit


def made(W_E, W_Q, W_K, scale=1.0):
    """Factors of scores with a scale to choose."""
    return W_E @ W_Q * scale, (W_E @ W_K).mT


@wrong("qk_circuit", "the scores were not divided by sqrt(d_head)")
def qk_unscaled(W_E, W_Q, W_K):
    return made(W_E, W_Q, W_K)


@wrong("qk_circuit", "if each factor was divided by sqrt(d_head), that is once too often")
def qk_scaled_in_both_factors(W_E, W_Q, W_K):
    root = math.sqrt(W_Q.shape[-1])
    return W_E @ W_Q / root, (W_E @ W_K / root).mT


@wrong("qk_circuit", "multiplied by sqrt(d_head)")
def qk_scaled_up(W_E, W_Q, W_K):
    return made(W_E, W_Q, W_K, math.sqrt(W_Q.shape[-1]))


@wrong("qk_circuit", "divided by 2 whatever d_head is")
def qk_halved(W_E, W_Q, W_K):
    return made(W_E, W_Q, W_K, 0.5)


@wrong("qk_circuit", "divided by sqrt(d_model)")
def qk_scaled_by_d_model(W_E, W_Q, W_K):
    return made(W_E, W_Q, W_K, W_Q.shape[1] ** -0.5)


@wrong("qk_circuit", "rows are the tokens that look")
def qk_transposed(W_E, W_Q, W_K):
    return qk_circuit(W_E, W_K, W_Q)


@wrong("qk_circuit", "keys were made with W_Q")
def qk_of_queries_alone(W_E, W_Q, W_K):
    return qk_circuit(W_E, W_Q, W_Q)


@wrong("qk_circuit", "the rows were centred")
def qk_centred(W_E, W_Q, W_K):
    left, right = qk_circuit(W_E, W_Q, W_K)
    return left, right - right.mean(-1, keepdim=True)


@wrong("qk_circuit", "this is the whole circuit")
def qk_whole(W_E, W_Q, W_K):
    left, right = qk_circuit(W_E, W_Q, W_K)
    return left @ right


@wrong("qk_circuit", "they are wider than d_head")
def qk_whole_and_an_identity(W_E, W_Q, W_K):
    left, right = qk_circuit(W_E, W_Q, W_K)
    return left @ right, torch.eye(len(W_E)).expand(len(W_Q), -1, -1)


@wrong("qk_circuit", "they are wider than d_head")
def qk_through_the_stream(W_E, W_Q, W_K):
    inner = W_Q @ W_K.mT / math.sqrt(W_Q.shape[-1])
    return W_E.expand(len(W_Q), -1, -1), inner @ W_E.T


@wrong("qk_circuit", "the shape of right. Probably: two axes are in each other's place")
def qk_keys_not_turned(W_E, W_Q, W_K):
    left, right = qk_circuit(W_E, W_Q, W_K)
    return left, right.mT


@wrong("qk_circuit", "the factors are in each other's place")
def qk_keys_first(W_E, W_Q, W_K):
    left, right = qk_circuit(W_E, W_Q, W_K)
    return right, left


@wrong("qk_circuit", "the values along head are in another order")
def qk_of_heads_permuted(W_E, W_Q, W_K):
    return qk_circuit(W_E, W_Q.flip(0), W_K.flip(0))


@wrong("qk_circuit", "the shape of left. Expected shape")
def qk_without_a_single_head(W_E, W_Q, W_K):
    return tuple(factor.squeeze(0) for factor in qk_circuit(W_E, W_Q, W_K))


@wrong("qk_circuit", "What should hold: the shape of left")
def qk_from_the_page(W_E, W_Q, W_K):
    return torch.tensor([[[6.0], [0.0]]]), torch.tensor([[[0.0, 1.0]]])


@wrong("qk_circuit", "left @ right holds")
def qk_that_claims_to_be_right(W_E, W_Q, W_K):
    return tuple(map(like_everything, made(W_E, W_K, W_Q)))


@wrong("qk_circuit", "wrote into what was passed in")
def qk_scaled_in_place(W_E, W_Q, W_K):
    W_Q /= math.sqrt(W_Q.shape[-1])
    return made(W_E, W_Q, W_K)


@wrong("qk_circuit", "this is what the exercise asks you to write")
def qk_by_the_library(W_E, W_Q, W_K):
    from mechcourse.circuits import qk_circuit

    return qk_circuit(W_E, W_Q, W_K)


# ----------------------------------------------------------------------------- full_qk_circuit


@wrong("full_qk_circuit", "the scores were not divided by sqrt(d_head)")
def qk_block_unscaled(W_E, W_Q, W_K, tokens):
    left, right = made(W_E[tokens], W_Q, W_K)
    return left @ right


@wrong("full_qk_circuit", "divided by d_head in all")
def qk_block_scaled_twice(W_E, W_Q, W_K, tokens):
    return full_qk_circuit(W_E, W_Q, W_K, tokens) / math.sqrt(W_Q.shape[-1])


@wrong("full_qk_circuit", "rows are the tokens that look")
def qk_block_transposed(W_E, W_Q, W_K, tokens):
    return full_qk_circuit(W_E, W_Q, W_K, tokens).mT


@wrong("full_qk_circuit", "the rows were centred")
def qk_block_centred(W_E, W_Q, W_K, tokens):
    block = full_qk_circuit(W_E, W_Q, W_K, tokens)
    return block - block.mean(-1, keepdim=True)


@wrong("full_qk_circuit", "over the whole vocabulary; nothing is subtracted here")
def qk_block_centred_over_the_vocabulary(W_E, W_Q, W_K, tokens):
    left, right = qk_circuit(W_E, W_Q, W_K)
    return left[:, tokens] @ (right - right.mean(-1, keepdim=True))[:, :, tokens]


@wrong("full_qk_circuit", "this is the attention after a softmax")
def qk_block_of_attention(W_E, W_Q, W_K, tokens):
    return full_qk_circuit(W_E, W_Q, W_K, tokens).softmax(-1)


@wrong("full_qk_circuit", "the first tokens of the vocabulary were taken")
def qk_block_of_the_first_tokens(W_E, W_Q, W_K, tokens):
    return full_qk_circuit(W_E, W_Q, W_K, torch.arange(len(tokens)))


@wrong("full_qk_circuit", "the tokens were sorted")
def qk_block_of_sorted_tokens(W_E, W_Q, W_K, tokens):
    return full_qk_circuit(W_E, W_Q, W_K, tokens.sort().values)


@wrong("full_qk_circuit", "Got shape [3, 4, 4]")
def qk_block_of_each_token_once(W_E, W_Q, W_K, tokens):
    return full_qk_circuit(W_E, W_Q, W_K, tokens.unique())


@wrong("full_qk_circuit", "Got shape [3, 5, 11]")
def qk_block_with_all_keys(W_E, W_Q, W_K, tokens):
    left, right = qk_circuit(W_E, W_Q, W_K)
    return left[:, tokens] @ right


@wrong("full_qk_circuit", "Got shape [3, 11, 11]")
def qk_block_of_everything(W_E, W_Q, W_K, tokens):
    left, right = qk_circuit(W_E, W_Q, W_K)
    return left @ right


@wrong("full_qk_circuit", "Got shape [3, 5]")
def qk_block_paired_off(W_E, W_Q, W_K, tokens):
    left, right = qk_circuit(W_E, W_Q, W_K)
    return (left @ right)[:, tokens, tokens]


@wrong("full_qk_circuit", "torch.stack or torch.cat makes one tensor of several")
def qk_block_head_by_head(W_E, W_Q, W_K, tokens):
    return list(full_qk_circuit(W_E, W_Q, W_K, tokens))


@wrong("full_qk_circuit", "a single token")
def qk_block_without_axes_of_size_one(W_E, W_Q, W_K, tokens):
    block = full_qk_circuit(W_E, W_Q, W_K, tokens)
    return block.squeeze() if len(tokens) == 1 else block


@wrong("full_qk_circuit", "Got shape [1, 3, 3]")
def qk_block_from_the_page(W_E, W_Q, W_K, tokens):
    return torch.tensor([[[0.0, 0.0, 0.0], [6.0, 0.0, 6.0], [0.0, 0.0, 0.0]]])


@wrong("full_qk_circuit", "this is what the exercise asks you to write")
def qk_block_by_the_library(W_E, W_Q, W_K, tokens):
    from mechcourse import circuits

    left, right = circuits.qk_circuit(W_E[tokens], W_Q, W_K)
    return left @ right


# --------------------------------------------------------------------------------- score_terms


@wrong("score_terms", "the second and the third term are in each other's place")
def terms_keys_first(tokens, W_E, W_pos, W_Q, W_K):
    return score_terms(tokens, W_E, W_pos, W_Q, W_K)[[0, 2, 1, 3]]


@wrong("score_terms", "token with token comes first")
def terms_positions_first(tokens, W_E, W_pos, W_Q, W_K):
    return score_terms(tokens, W_E, W_pos, W_Q, W_K).flip(0)


@wrong("score_terms", "the terms were not divided by sqrt(d_head)")
def terms_unscaled(tokens, W_E, W_pos, W_Q, W_K):
    return score_terms(tokens, W_E, W_pos, W_Q, W_K) * math.sqrt(W_Q.shape[-1])


@wrong("score_terms", "divided by 2 whatever d_head is")
def terms_halved(tokens, W_E, W_pos, W_Q, W_K):
    return score_terms(tokens, W_E, W_pos, W_Q, W_K) * math.sqrt(W_Q.shape[-1]) / 2


@wrong("score_terms", "it is right where term is 0, 3 and wrong elsewhere")
def terms_with_unscaled_mixtures(tokens, W_E, W_pos, W_Q, W_K):
    terms = score_terms(tokens, W_E, W_pos, W_Q, W_K)
    return terms * torch.tensor([1.0, 2.0, 2.0, 1.0])[:, None, None, None, None]


@wrong("score_terms", "they are to be there, too.")
def terms_masked_with_zero(tokens, W_E, W_pos, W_Q, W_K):
    return score_terms(tokens, W_E, W_pos, W_Q, W_K).tril()


@wrong("score_terms", "the mask comes after the sum")
def terms_masked(tokens, W_E, W_pos, W_Q, W_K):
    n = tokens.shape[1]
    later = torch.ones(n, n, dtype=torch.bool).triu(1)
    return score_terms(tokens, W_E, W_pos, W_Q, W_K).masked_fill(later, -torch.inf)


@wrong("score_terms", "rows are the positions that look")
def terms_transposed(tokens, W_E, W_pos, W_Q, W_K):
    return score_terms(tokens, W_E, W_pos, W_Q, W_K).mT


@wrong("score_terms", "queries were made with W_K and keys with W_Q")
def terms_of_swapped_weights(tokens, W_E, W_pos, W_Q, W_K):
    return score_terms(tokens, W_E, W_pos, W_K, W_Q)


@wrong("score_terms", "the last rows of W_pos were used")
def terms_of_the_last_positions(tokens, W_E, W_pos, W_Q, W_K):
    return score_terms(tokens, W_E, W_pos[-tokens.shape[1] :], W_Q, W_K)


@wrong("score_terms", "the first row of W_pos was used at every position")
def terms_of_the_first_position(tokens, W_E, W_pos, W_Q, W_K):
    return score_terms(tokens, W_E, W_pos[:1].expand_as(W_pos), W_Q, W_K)


@wrong("score_terms", "the first term is the whole score")
def terms_beside_the_whole(tokens, W_E, W_pos, W_Q, W_K):
    terms = score_terms(tokens, W_E, W_pos, W_Q, W_K)
    return torch.cat([terms.sum(0, keepdim=True), terms[1:]])


@wrong("score_terms", "every term is a quarter of the whole score")
def terms_split_evenly(tokens, W_E, W_pos, W_Q, W_K):
    terms = score_terms(tokens, W_E, W_pos, W_Q, W_K)
    return terms.mean(0, keepdim=True).expand_as(terms)


@wrong("score_terms", "before the softmax")
def terms_as_patterns(tokens, W_E, W_pos, W_Q, W_K):
    return score_terms(tokens, W_E, W_pos, W_Q, W_K).softmax(-1)


@wrong("score_terms", "summed over term it is right, but not term by term")
def terms_whose_sum_is_right(tokens, W_E, W_pos, W_Q, W_K):
    terms = score_terms(tokens, W_E, W_pos, W_Q, W_K)
    return torch.stack([terms[0] + 1, terms[1] - 1, terms[2], terms[3]])


@wrong("score_terms", "Got shape [2, 3, 5, 5]")
def terms_summed(tokens, W_E, W_pos, W_Q, W_K):
    return score_terms(tokens, W_E, W_pos, W_Q, W_K).sum(0)


@wrong("score_terms", "torch.stack or torch.cat makes one tensor of several")
def terms_in_a_list(tokens, W_E, W_pos, W_Q, W_K):
    return list(score_terms(tokens, W_E, W_pos, W_Q, W_K))


@wrong("score_terms", "every batch got what belongs to batch 0")
def terms_of_the_first_text(tokens, W_E, W_pos, W_Q, W_K):
    return score_terms(tokens[:1].expand_as(tokens), W_E, W_pos, W_Q, W_K)


@wrong("score_terms", "must match the size")
def terms_of_a_full_context(tokens, W_E, W_pos, W_Q, W_K):
    placed = W_E[tokens] + W_pos
    return torch.stack([placed @ W_Q[0] @ W_K[0].T @ placed.mT] * 4)[:, :, None]


@wrong("score_terms", "Got shape [4]")
def terms_from_the_page(tokens, W_E, W_pos, W_Q, W_K):
    return torch.tensor([6.0, 60.0, 20.0, 200.0])


@wrong("score_terms", "wrote into what was passed in")
def terms_scaled_in_place(tokens, W_E, W_pos, W_Q, W_K):
    root = math.sqrt(W_Q.shape[-1])
    terms = score_terms(tokens, W_E, W_pos, W_Q, W_K)
    W_Q.div_(root)
    W_K.mul_(root + 1)
    return terms


# ---------------------------------------------------------------------------------- ov_circuit


@wrong("ov_circuit", "the rows were not centred")
def ov_raw(W_E, W_V, W_O, W_U):
    return W_E @ W_V, W_O @ W_U


@wrong("ov_circuit", "the columns were centred, over the sources")
def ov_centred_over_sources(W_E, W_V, W_O, W_U):
    read = W_E @ W_V
    return read - read.mean(1, keepdim=True), W_O @ W_U


@wrong("ov_circuit", "rows and columns both were centred")
def ov_centred_on_both_sides(W_E, W_V, W_O, W_U):
    read, says = ov_circuit(W_E, W_V, W_O, W_U)
    return read - read.mean(1, keepdim=True), says


@wrong("ov_circuit", "W_U was centred over d_model")
def ov_centred_over_the_stream(W_E, W_V, W_O, W_U):
    return W_E @ W_V, W_O @ (W_U - W_U.mean(0, keepdim=True))


@wrong("ov_circuit", "right was centred over d_head, not over the vocabulary")
def ov_centred_over_d_head(W_E, W_V, W_O, W_U):
    right = W_O @ W_U
    return W_E @ W_V, right - right.mean(dim=1, keepdim=True)


@wrong("ov_circuit", "the mean was added")
def ov_centred_the_wrong_way(W_E, W_V, W_O, W_U):
    return W_E @ W_V, W_O @ (W_U + W_U.mean(1, keepdim=True))


@wrong("ov_circuit", "rows are the tokens looked at.")
def ov_transposed(W_E, W_V, W_O, W_U):
    read, says = ov_circuit(W_E, W_V, W_O, W_U)
    return says.mT, read.mT


@wrong("ov_circuit", "it was divided by sqrt(d_head)")
def ov_scaled(W_E, W_V, W_O, W_U):
    read, says = ov_circuit(W_E, W_V, W_O, W_U)
    return read / math.sqrt(W_V.shape[-1]), says


@wrong("ov_circuit", "W_U was used to embed")
def ov_of_swapped_embeddings(W_E, W_V, W_O, W_U):
    return ov_circuit(W_U.T, W_V, W_O, W_E.T)


@wrong("ov_circuit", "they are wider than d_head")
def ov_whole_in_one_factor(W_E, W_V, W_O, W_U):
    read, says = ov_circuit(W_E, W_V, W_O, W_U)
    return read @ says, torch.eye(len(W_E)).repeat(len(W_V), 1, 1)


@wrong("ov_circuit", "this is the whole circuit")
def ov_whole(W_E, W_V, W_O, W_U):
    read, says = ov_circuit(W_E, W_V, W_O, W_U)
    return read @ says


@wrong("ov_circuit", "Got 3 values")
def ov_in_three_factors(W_E, W_V, W_O, W_U):
    return W_E, W_V @ W_O, W_U - W_U.mean(1, keepdim=True)


@wrong("ov_circuit", "the values along head are in another order")
def ov_of_heads_permuted(W_E, W_V, W_O, W_U):
    return ov_circuit(W_E, W_V.flip(0), W_O.flip(0), W_U)


@wrong("ov_circuit", "left @ right holds")
def ov_of_mixed_heads(W_E, W_V, W_O, W_U):
    return ov_circuit(W_E, W_V, W_O.flip(0), W_U)


@wrong("ov_circuit", "What should hold: the shape of left")
def ov_from_the_page(W_E, W_V, W_O, W_U):
    return torch.tensor([[[1.0], [0.0]]]), torch.tensor([[[-2.0, 2.0]]])


@wrong("ov_circuit", "wrote into what was passed in")
def ov_centred_in_place(W_E, W_V, W_O, W_U):
    W_U -= W_U.mean(dim=1, keepdim=True)
    return W_E @ W_V, W_O @ W_U


@wrong("ov_circuit", "this is what the exercise asks you to write")
def ov_by_the_library(W_E, W_V, W_O, W_U):
    from mechcourse.circuits import ov_circuit as borrowed

    return borrowed(W_E, W_V, W_O, W_U)


# ----------------------------------------------------------------------------- full_ov_circuit


def ov_table(W_E, W_V, W_O, W_U):
    return W_E @ W_V @ W_O @ W_U


@wrong("full_ov_circuit", "the mean was taken over the chosen tokens only")
def ov_block_centred_by_itself(W_E, W_V, W_O, W_U, tokens):
    block = ov_table(W_E, W_V, W_O, W_U)[:, tokens][:, :, tokens]
    return block - block.mean(-1, keepdim=True)


@wrong("full_ov_circuit", "the mean was taken over the chosen tokens only")
def ov_block_centred_twice(W_E, W_V, W_O, W_U, tokens):
    block = full_ov_circuit(W_E, W_V, W_O, W_U, tokens)
    return block - block.mean(-1, keepdim=True) if len(tokens) > 1 else block


@wrong("full_ov_circuit", "the mean was taken over the chosen tokens only")
def ov_block_of_a_chosen_unembedding(W_E, W_V, W_O, W_U, tokens):
    read, says = ov_circuit(W_E[tokens], W_V, W_O, W_U[:, tokens])
    return read @ says


@wrong("full_ov_circuit", "nothing was subtracted")
def ov_block_raw(W_E, W_V, W_O, W_U, tokens):
    return ov_table(W_E, W_V, W_O, W_U)[:, tokens][:, :, tokens]


@wrong("full_ov_circuit", "rows and columns are in each other's place")
def ov_block_transposed(W_E, W_V, W_O, W_U, tokens):
    return full_ov_circuit(W_E, W_V, W_O, W_U, tokens).mT


@wrong("full_ov_circuit", "the columns were centred")
def ov_block_centred_over_sources(W_E, W_V, W_O, W_U, tokens):
    whole = ov_table(W_E, W_V, W_O, W_U)
    return (whole - whole.mean(1, keepdim=True))[:, tokens][:, :, tokens]


@wrong("full_ov_circuit", "the first tokens of the vocabulary were taken")
def ov_block_of_the_first_tokens(W_E, W_V, W_O, W_U, tokens):
    return full_ov_circuit(W_E, W_V, W_O, W_U, torch.arange(len(tokens)))


@wrong("full_ov_circuit", "the tokens were sorted")
def ov_block_of_sorted_tokens(W_E, W_V, W_O, W_U, tokens):
    return full_ov_circuit(W_E, W_V, W_O, W_U, tokens.msort())


@wrong("full_ov_circuit", "it was divided by sqrt(d_head)")
def ov_block_scaled(W_E, W_V, W_O, W_U, tokens):
    return full_ov_circuit(W_E, W_V, W_O, W_U, tokens) / math.sqrt(W_V.shape[-1])


@wrong("full_ov_circuit", "Got shape [3, 5, 11]")
def ov_block_of_all_outputs(W_E, W_V, W_O, W_U, tokens):
    read, says = ov_circuit(W_E, W_V, W_O, W_U)
    return read[:, tokens] @ says


@wrong("full_ov_circuit", "Got shape [5, 5]")
def ov_block_of_all_heads_together(W_E, W_V, W_O, W_U, tokens):
    return full_ov_circuit(W_E, W_V, W_O, W_U, tokens).sum(0)


@wrong("full_ov_circuit", "Got shape [1, 1, 1]")
def ov_block_from_the_page(W_E, W_V, W_O, W_U, tokens):
    return torch.tensor([[[-2.0]]])


@wrong("full_ov_circuit", "for a single token")
def ov_block_nan_for_one_token(W_E, W_V, W_O, W_U, tokens):
    block = full_ov_circuit(W_E, W_V, W_O, W_U, tokens)
    return block / block.std() * block.std()  # no spread in a single number


@wrong("full_ov_circuit", "this is what the exercise asks you to write")
def ov_block_by_the_library(W_E, W_V, W_O, W_U, tokens):
    import mechcourse.circuits as circuits

    read, says = circuits.ov_circuit(W_E, W_V, W_O, W_U)
    return read[:, tokens] @ says[:, :, tokens]


# ----------------------------------------------------------------------- path_expansion_logits


@wrong("path_expansion_logits", "the pattern was used the wrong way round")
def paths_over_queries(tokens, pattern, W_E, W_V, W_O, W_U):
    return path_expansion_logits(tokens, pattern.mT, W_E, W_V, W_O, W_U)


@wrong("path_expansion_logits", "moved without attention")
def paths_without_attention(tokens, pattern, W_E, W_V, W_O, W_U):
    direct, _ = path_expansion_logits(tokens, pattern, W_E, W_V, W_O, W_U)
    return direct, (W_E[tokens][:, None] @ W_V) @ W_O @ W_U


@wrong("path_expansion_logits", "every head has the first head's pattern")
def paths_of_one_pattern(tokens, pattern, W_E, W_V, W_O, W_U):
    first = pattern[:, :1].expand_as(pattern)
    return path_expansion_logits(tokens, first, W_E, W_V, W_O, W_U)


@wrong("path_expansion_logits", "every head looks as all of them do on average")
def paths_of_the_mean_pattern(tokens, pattern, W_E, W_V, W_O, W_U):
    mean = pattern.mean(1, keepdim=True).expand_as(pattern)
    return path_expansion_logits(tokens, mean, W_E, W_V, W_O, W_U)


@wrong("path_expansion_logits", "of different heads were put together")
def paths_of_permuted_patterns(tokens, pattern, W_E, W_V, W_O, W_U):
    return path_expansion_logits(tokens, pattern.flip(1), W_E, W_V, W_O, W_U)


@wrong("path_expansion_logits", "put together with another head's W_O")
def paths_of_mixed_weights(tokens, pattern, W_E, W_V, W_O, W_U):
    return path_expansion_logits(tokens, pattern, W_E, W_V, W_O.flip(0), W_U)


@wrong("path_expansion_logits", "the values along head are in another order")
def paths_of_permuted_heads(tokens, pattern, W_E, W_V, W_O, W_U):
    direct, by_head = path_expansion_logits(tokens, pattern, W_E, W_V, W_O, W_U)
    return direct, by_head.roll(1, 1)


@wrong("path_expansion_logits", "all of the logits were given to the direct path")
def paths_all_direct(tokens, pattern, W_E, W_V, W_O, W_U):
    direct, by_head = path_expansion_logits(tokens, pattern, W_E, W_V, W_O, W_U)
    return direct + by_head.sum(1), torch.zeros_like(by_head)


@wrong("path_expansion_logits", "it is split evenly over head")
def paths_shared_evenly(tokens, pattern, W_E, W_V, W_O, W_U):
    direct, by_head = path_expansion_logits(tokens, pattern, W_E, W_V, W_O, W_U)
    return direct, by_head.mean(1, keepdim=True).expand_as(by_head)


@wrong("path_expansion_logits", "each head was given its share of the direct path")
def paths_with_the_direct_path_in_each(tokens, pattern, W_E, W_V, W_O, W_U):
    direct, by_head = path_expansion_logits(tokens, pattern, W_E, W_V, W_O, W_U)
    return direct, by_head + direct[:, None] / by_head.shape[1]


@wrong("path_expansion_logits", "direct is what each token's embedding adds")
def paths_centred(tokens, pattern, W_E, W_V, W_O, W_U):
    return path_expansion_logits(tokens, pattern, W_E, W_V, W_O, W_U - W_U.mean(1, keepdim=True))


@wrong("path_expansion_logits", "the logits were centred; give them as the model does")
def paths_of_the_centred_circuit(tokens, pattern, W_E, W_V, W_O, W_U):
    direct, _ = path_expansion_logits(tokens, pattern, W_E, W_V, W_O, W_U)
    read, says = ov_circuit(W_E, W_V, W_O, W_U)
    return direct, torch.stack([pattern[b] @ read[:, text] for b, text in enumerate(tokens)]) @ says


@wrong("path_expansion_logits", "these are log-probabilities")
def paths_to_log_probabilities(tokens, pattern, W_E, W_V, W_O, W_U):
    direct, by_head = path_expansion_logits(tokens, pattern, W_E, W_V, W_O, W_U)
    return direct.log_softmax(-1), by_head


@wrong("path_expansion_logits", "mat1 and mat2")
def paths_of_the_reversed_product(tokens, pattern, W_E, W_V, W_O, W_U):
    inner = torch.stack([o @ v for v, o in zip(W_V, W_O, strict=True)])  # d_head by d_head
    return W_E[tokens] @ W_U, pattern @ (W_E[tokens] @ inner[0])[:, None] @ W_U


@wrong("path_expansion_logits", "the heads' parts were added up; keep the head axis")
def paths_of_all_heads_together(tokens, pattern, W_E, W_V, W_O, W_U):
    direct, by_head = path_expansion_logits(tokens, pattern, W_E, W_V, W_O, W_U)
    return direct, by_head.sum(1)


@wrong("path_expansion_logits", "two axes are in each other's place")
def paths_positions_before_heads(tokens, pattern, W_E, W_V, W_O, W_U):
    direct, by_head = path_expansion_logits(tokens, pattern, W_E, W_V, W_O, W_U)
    return direct, by_head.transpose(1, 2)


@wrong("path_expansion_logits", "returns a tuple (direct, by_head)")
def paths_summed_up(tokens, pattern, W_E, W_V, W_O, W_U):
    direct, by_head = path_expansion_logits(tokens, pattern, W_E, W_V, W_O, W_U)
    return direct + by_head.sum(1)


@wrong("path_expansion_logits", "later keys were masked and the pattern made to sum to 1 again")
def paths_masked_once_more(tokens, pattern, W_E, W_V, W_O, W_U):
    pattern = pattern.tril() / pattern.tril().sum(-1, keepdim=True)
    return path_expansion_logits(tokens, pattern, W_E, W_V, W_O, W_U)


@wrong("path_expansion_logits", "every batch got what belongs to batch 0")
def paths_of_the_first_text(tokens, pattern, W_E, W_V, W_O, W_U):
    direct, by_head = path_expansion_logits(tokens, pattern, W_E, W_V, W_O, W_U)
    return direct, by_head[:1].expand_as(by_head)


@wrong("path_expansion_logits", "Got shape [1, 2, 2]")
def paths_from_the_page(tokens, pattern, W_E, W_V, W_O, W_U):
    return torch.tensor([[[4.0, 0.0], [0.0, 4.0]]]), torch.tensor([[[[0.0, 4.0], [0.0, 2.0]]]])


@wrong("path_expansion_logits", "wrote into what was passed in")
def paths_with_the_pattern_written_over(tokens, pattern, W_E, W_V, W_O, W_U):
    parts = path_expansion_logits(tokens, pattern, W_E, W_V, W_O, W_U)
    pattern.zero_()
    return parts


@wrong("path_expansion_logits", "this is what the exercise asks you to write")
def paths_by_the_library(tokens, pattern, W_E, W_V, W_O, W_U):
    from mechcourse.circuits import ov_circuit

    read, says = ov_circuit(W_E, W_V, W_O, W_U)
    mean = (W_O @ W_U).mean(-1, keepdim=True)
    moved = torch.stack([pattern[b] @ read[:, text] for b, text in enumerate(tokens)])
    return W_E[tokens] @ W_U, moved @ (says + mean)


# ------------------------------------------------------------------------------- skip_trigrams


def looked(W_E, W_Q, W_K):
    return W_E @ W_Q @ (W_E @ W_K).T / math.sqrt(W_Q.shape[-1])


def says_most(W_E, W_V, W_O, W_U, sources, k):
    return (W_E[sources] @ W_V @ W_O @ W_U).topk(k).indices


def trigrams_ranked_by(preference, W_E, W_V, W_O, W_U, sources, k):
    """The right outputs beside destinations that are ranked by [query source]."""
    return preference.T.topk(k).indices, says_most(W_E, W_V, W_O, W_U, sources, k)


@wrong("skip_trigrams", "not centred over the keys")
def trigrams_of_raw_scores(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k):
    return trigrams_ranked_by(looked(W_E, W_Q, W_K)[:, sources], W_E, W_V, W_O, W_U, sources, k)


@wrong("skip_trigrams", "subtracting a mean over the queries changes no order here")
def trigrams_centred_over_queries(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k):
    scores = looked(W_E, W_Q, W_K)
    scores = scores - scores.mean(0, keepdim=True)
    return trigrams_ranked_by(scores[:, sources], W_E, W_V, W_O, W_U, sources, k)


@wrong("skip_trigrams", "the mean was taken over the sources")
def trigrams_centred_over_sources(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k):
    scores = looked(W_E, W_Q, W_K)[:, sources]
    scores = scores - scores.mean(1, keepdim=True)
    return trigrams_ranked_by(scores, W_E, W_V, W_O, W_U, sources, k)


@wrong("skip_trigrams", "give those that look for it")
def trigrams_that_the_source_looks_for(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k):
    scores = looked(W_E, W_Q, W_K)
    scores = scores - scores.mean(1, keepdim=True)
    return trigrams_ranked_by(scores[sources].T, W_E, W_V, W_O, W_U, sources, k)


@wrong("skip_trigrams", "W_Q and W_K are in each other's place")
def trigrams_of_swapped_weights(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k):
    return skip_trigrams(W_E, W_K, W_Q, W_V, W_O, W_U, sources, k)


@wrong("skip_trigrams", "a softmax over the keys was ranked")
def trigrams_of_attention(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k):
    attention = looked(W_E, W_Q, W_K).softmax(-1)
    return trigrams_ranked_by(attention[:, sources], W_E, W_V, W_O, W_U, sources, k)


@wrong("skip_trigrams", "the weakest come first")
def trigrams_weakest_first(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k):
    return skip_trigrams(W_E, -W_Q, W_K, -W_V, W_O, W_U, sources, k)


@wrong("skip_trigrams", "right was centred over d_head, not over the keys")
def trigrams_centred_over_d_head(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k):
    left, right = qk_circuit(W_E, W_Q[None], W_K[None])
    right = right - right.mean(dim=1, keepdim=True)
    preference = (left @ right)[0][:, sources]
    return trigrams_ranked_by(preference, W_E, W_V, W_O, W_U, sources, k)


@wrong("skip_trigrams", "was the mean taken over the axis of heads")
def trigrams_centred_over_heads(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k):
    left, right = qk_circuit(W_E, W_Q[None], W_K[None])
    preference = (left @ (right - right.mean(dim=0)))[0][:, sources]
    return trigrams_ranked_by(preference, W_E, W_V, W_O, W_U, sources, k)


@wrong("skip_trigrams", "right was centred over d_head, not over the vocabulary")
def trigrams_of_outputs_centred_over_d_head(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k):
    destinations, _ = skip_trigrams(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k)
    right = (W_O @ W_U)[None]
    right = right - right.mean(dim=1, keepdim=True)
    return destinations, (W_E[sources] @ W_V @ right[0]).topk(k).indices


@wrong("skip_trigrams", "these are the right tokens in another order")
def trigrams_in_increasing_order(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k):
    return tuple(x.flip(1) for x in skip_trigrams(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k))


@wrong("skip_trigrams", "Expected shape [source k] = [4, 3]. Got shape [4, 5]")
def trigrams_of_five(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k):
    return skip_trigrams(W_E, W_Q, W_K, W_V, W_O, W_U, sources, 5)


@wrong("skip_trigrams", "two axes are in each other's place")
def trigrams_by_rank(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k):
    return tuple(x.T for x in skip_trigrams(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k))


@wrong("skip_trigrams", "these are the outputs; the destinations come first")
def trigrams_outputs_first(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k):
    return skip_trigrams(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k)[::-1]


@wrong("skip_trigrams", "give those that it raises")
def trigrams_of_what_raises_the_source(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k):
    destinations, _ = skip_trigrams(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k)
    return destinations, (W_E @ W_V @ W_O @ W_U)[:, sources].T.topk(k).indices


@wrong("skip_trigrams", "outputs are the k tokens whose logits each source raises most")
def trigrams_by_size(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k):
    destinations, _ = skip_trigrams(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k)
    return destinations, (W_E[sources] @ W_V @ W_O @ W_U).abs().topk(k).indices


@wrong("skip_trigrams", "what every source raises counts as well")
def trigrams_of_what_is_special(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k):
    destinations, _ = skip_trigrams(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k)
    whole = W_E @ W_V @ W_O @ W_U
    return destinations, (whole - whole.mean(0))[sources].topk(k).indices


@wrong("skip_trigrams", "the first tokens of the vocabulary were taken as sources")
def trigrams_of_the_first_tokens(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k):
    return skip_trigrams(W_E, W_Q, W_K, W_V, W_O, W_U, torch.arange(len(sources)), k)


@wrong("skip_trigrams", "the ids of the tokens are asked for")
def trigrams_as_values(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k):
    scores = looked(W_E, W_Q, W_K)
    scores = (scores - scores.mean(1, keepdim=True))[:, sources]
    return scores.T.topk(k).values, says_most(W_E, W_V, W_O, W_U, sources, k)


@wrong("skip_trigrams", "a token is given twice")
def trigrams_of_the_first_alone(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k):
    found = skip_trigrams(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k)
    return tuple(x[:, :1].expand(-1, k) for x in found)


@wrong("skip_trigrams", "whole numbers from 0 to 12")
def trigrams_counted_from_one(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k):
    found = skip_trigrams(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k)
    return tuple(x + len(W_E) for x in found)


@wrong("skip_trigrams", "Expected shape [source k] = [4, 3]. Got shape [2, 2]")
def trigrams_from_the_page(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k):
    return torch.tensor([[0, 1], [2, 1]]), torch.tensor([[2, 1], [0, 1]])


@wrong("skip_trigrams", "this is what the exercise asks you to write")
def trigrams_by_the_library(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k):
    from mechcourse.circuits import ov_circuit, qk_circuit

    left, right = qk_circuit(W_E, W_Q[None], W_K[None])
    keys = right[0] - right[0].mean(1, keepdim=True)
    read, says = ov_circuit(W_E, W_V[None], W_O[None], W_U)
    preference = (left[0] @ keys[:, sources]).T
    return preference.topk(k).indices, (read[0, sources] @ says[0]).topk(k).indices


# ------------------------------------------------------------------------ forced_skip_trigrams


@wrong("forced_skip_trigrams", "those that are wanted are among them")
def forced_and_wanted(wanted):
    return sorted({*forced_skip_trigrams(wanted), *wanted})


@wrong("forced_skip_trigrams", "what a head raises depends on the source")
def forced_across_sources(wanted):
    return sorted({(s, d, o) for s, d, _ in wanted for _, _, o in wanted} - set(wanted))


@wrong("forced_skip_trigrams", "it is the source that both parts of the head have in common")
def forced_through_the_destination(wanted):
    pairs = {(s, d, o) for s, d, _ in wanted for _, e, o in wanted if d == e}
    return sorted(pairs - set(wanted))


@wrong("forced_skip_trigrams", "destination and output are in each other's place")
def forced_backwards(wanted):
    return sorted((s, o, d) for s, d, o in forced_skip_trigrams(wanted))


@wrong("forced_skip_trigrams", "the wanted ones were given back")
def forced_are_the_wanted(wanted):
    return sorted(set(wanted))


@wrong("forced_skip_trigrams", "they are the right ones in another order")
def forced_in_the_order_of_outputs(wanted):
    return sorted(forced_skip_trigrams(wanted), key=lambda trigram: trigram[::-1])


@wrong("forced_skip_trigrams", "they are the right ones in another order")
def forced_without_regard_to_capitals(wanted):
    return sorted(forced_skip_trigrams(wanted), key=lambda t: [word.strip().lower() for word in t])


@wrong("forced_skip_trigrams", "some are given more than once")
def forced_more_than_once(wanted):
    return sorted(
        (s, d, o)
        for s, d, _ in wanted
        for other, _, o in wanted
        if other == s and (s, d, o) not in wanted
    )


@wrong("forced_skip_trigrams", "a list of (source, destination, output)")
def forced_as_sentences(wanted):
    return [" ".join(trigram) for trigram in forced_skip_trigrams(wanted)]


@wrong("forced_skip_trigrams", "a list of (source, destination, output)")
def forced_without_the_source(wanted):
    return [trigram[1:] for trigram in forced_skip_trigrams(wanted)]


@wrong("forced_skip_trigrams", "the destinations of one source were joined with the outputs of an")
def forced_of_any_destination(wanted):
    return sorted({(s, d, o) for s, _, o in wanted for _, d, _ in wanted} - set(wanted))


@wrong("forced_skip_trigrams", "neither where a head looks nor what it raises is the same for all")
def forced_of_all_that_occur(wanted):
    sources, destinations, outputs = zip(*wanted, strict=True)
    return sorted({(s, d, o) for s in sources for d in destinations for o in outputs} - set(wanted))


@wrong("forced_skip_trigrams", "the destinations of one source were joined with the outputs of an")
def forced_across_sources_and_wanted(wanted):
    return sorted({(s, d, o) for s, d, _ in wanted for _, _, o in wanted})


@wrong("forced_skip_trigrams", "a sorted list, not a set")
def forced_in_a_set(wanted):
    return set(forced_skip_trigrams(wanted))


@wrong("forced_skip_trigrams", "also 'keep'/'at'/'mind'")
def forced_from_the_page(wanted):
    return [("keep", "at", "mind"), ("keep", "in", "bay")]


@wrong("forced_skip_trigrams", "none of")
def forced_by_neighbours(wanted):
    found = set()
    for (s, d, o), (t, e, p) in pairwise(wanted):
        if s == t:
            found |= {(s, d, p), (s, e, o)}
    return sorted(found - set(wanted))


@wrong("forced_skip_trigrams", "none of")
def forced_of_one_source(wanted):
    source = wanted[0][0]
    return forced_skip_trigrams([trigram for trigram in wanted if trigram[0] == source])


@wrong("forced_skip_trigrams", "wrote into what was passed in")
def forced_with_the_wanted_used_up(wanted):
    found = forced_skip_trigrams(wanted)
    wanted.clear()
    return found


# ------------------------------------------------------------------------------- copying_score


def small(W_E, W_V, W_O, W_U):
    read, says = ov_circuit(W_E, W_V, W_O, W_U)
    return (says @ read).double()


def ratio(values):
    total = values.abs().sum(-1)
    return torch.where(total > 0, values.real.sum(-1) / total, 0.0)


@wrong("copying_score", "the circuit was not centred")
def score_of_the_raw_circuit(W_E, W_V, W_O, W_U):
    return ratio(torch.linalg.eigvals((W_O @ W_U @ W_E @ W_V).double()))


@wrong("copying_score", "the share of eigenvalues that are positive")
def score_as_a_share(W_E, W_V, W_O, W_U):
    return (torch.linalg.eigvals(small(W_E, W_V, W_O, W_U)).real > 0).double().mean(-1)


@wrong("copying_score", "only the signs of the eigenvalues were used")
def score_of_signs(W_E, W_V, W_O, W_U):
    return torch.linalg.eigvals(small(W_E, W_V, W_O, W_U)).real.sign().mean(-1)


@wrong("copying_score", "each eigenvalue was divided by its own modulus")
def score_of_directions(W_E, W_V, W_O, W_U):
    values = torch.linalg.eigvals(small(W_E, W_V, W_O, W_U))
    return (values.real / values.abs()).nan_to_num(0.0).mean(-1)


@wrong("copying_score", "divided by the sum of the singular values")
def score_over_singular_values(W_E, W_V, W_O, W_U):
    read, says = ov_circuit(W_E, W_V, W_O, W_U)
    whole = read @ says
    trace = whole.diagonal(dim1=1, dim2=2).sum(-1)
    return (trace / torch.linalg.svdvals(whole).sum(-1)).nan_to_num(0.0)


@wrong("copying_score", "divided by the Frobenius norm")
def score_over_the_norm(W_E, W_V, W_O, W_U):
    read, says = ov_circuit(W_E, W_V, W_O, W_U)
    whole = read @ says
    return whole.diagonal(dim1=1, dim2=2).sum(-1) / whole.norm(dim=(1, 2)).clamp(min=1e-9)


@wrong("copying_score", "the circuit was made symmetric")
def score_of_the_symmetric_part(W_E, W_V, W_O, W_U):
    read, says = ov_circuit(W_E, W_V, W_O, W_U)
    whole = (read @ says).double()
    return ratio(torch.linalg.eigvalsh((whole + whole.mT) / 2))


@wrong("copying_score", "eigvalsh is for symmetric matrices")
def score_by_eigvalsh(W_E, W_V, W_O, W_U):
    read, says = ov_circuit(W_E, W_V, W_O, W_U)
    return ratio(torch.linalg.eigvalsh((read @ says).double()))


@wrong("copying_score", "the sum of the centred circuit's eigenvalues over the sum of their moduli")
def score_by_eigvalsh_of_the_small_matrix(W_E, W_V, W_O, W_U):
    return ratio(torch.linalg.eigvalsh(small(W_E, W_V, W_O, W_U)))


@wrong("copying_score", "the moduli of the real parts were summed")
def score_over_real_parts(W_E, W_V, W_O, W_U):
    return ratio(torch.linalg.eigvals(small(W_E, W_V, W_O, W_U)).real)


@wrong("copying_score", "the absolute value was taken")
def score_without_sign(W_E, W_V, W_O, W_U):
    return copying_score(W_E, W_V, W_O, W_U).abs()


@wrong("copying_score", "this is the sum of the eigenvalues")
def score_undivided(W_E, W_V, W_O, W_U):
    return small(W_E, W_V, W_O, W_U).diagonal(dim1=1, dim2=2).sum(-1)


@wrong("copying_score", "the embedding and the unembedding are missing")
def score_of_the_stream(W_E, W_V, W_O, W_U):
    return ratio(torch.linalg.eigvals((W_O @ W_V).double()))


@wrong("copying_score", "their sum is real: take its real part")
def score_in_complex_numbers(W_E, W_V, W_O, W_U):
    values = torch.linalg.eigvals(small(W_E, W_V, W_O, W_U))
    return values.sum(-1) / values.abs().sum(-1).clamp(min=1e-9)


@wrong("copying_score", "are NaN")
def score_nan_for_silent_heads(W_E, W_V, W_O, W_U):
    values = torch.linalg.eigvals(small(W_E, W_V, W_O, W_U))
    return values.real.sum(-1) / values.abs().sum(-1)


@wrong("copying_score", "the moduli were summed over all heads")
def score_over_all_heads(W_E, W_V, W_O, W_U):
    values = torch.linalg.eigvals(small(W_E, W_V, W_O, W_U))
    return values.real.sum(-1) / values.abs().sum()


@wrong("copying_score", "the sum of the centred circuit's eigenvalues over the sum of their moduli")
def score_of_the_largest(W_E, W_V, W_O, W_U):
    values = torch.linalg.eigvals(small(W_E, W_V, W_O, W_U))
    first = values.gather(-1, values.abs().argmax(-1, keepdim=True))
    return ratio(first)


@wrong("copying_score", "the values along head are in another order")
def score_of_heads_permuted(W_E, W_V, W_O, W_U):
    return copying_score(W_E, W_V, W_O, W_U).flip(0)


@wrong("copying_score", "Expected shape [head] = [4]. Got shape []")
def score_of_all_heads(W_E, W_V, W_O, W_U):
    return copying_score(W_E, W_V, W_O, W_U).mean()


@wrong("copying_score", "Expected shape [head] = [4]. Got shape [1]")
def score_from_the_page(W_E, W_V, W_O, W_U):
    return torch.tensor([1.0])


@wrong("copying_score", "wrote into what was passed in")
def score_with_centring_in_place(W_E, W_V, W_O, W_U):
    W_U.sub_(W_U.mean(1, keepdim=True))
    return ratio(torch.linalg.eigvals((W_O @ W_U @ W_E @ W_V).double()))


@wrong("copying_score", "a `return` is missing", where="worker")
def score_by_the_checks_own_definition(W_E, W_V, W_O, W_U):
    from mechcourse.checks.ch01_attention import _qk_ov_circuits as known

    return known.copying_scores(W_E, W_V, W_O, W_U)


@wrong("copying_score", "this is what the exercise asks you to write")
def score_by_the_library(W_E, W_V, W_O, W_U):
    from mechcourse.circuits import copying_score

    return copying_score(W_E, W_V, W_O, W_U)


# ---------------------------------------------------------------------- top_k_copying_accuracy


def hits(W_E, W_V, W_O, W_U, k):
    read, says = ov_circuit(W_E, W_V, W_O, W_U)
    return (rivals(read @ says) < k).float()


def rivals(table):
    own = table.diagonal(dim1=1, dim2=2)[..., None]
    return (table >= own).sum(-1) - 1


def share_of(hit, weights):
    return (hit * weights).sum(-1) / weights.sum()


@wrong("top_k_copying_accuracy", "a tie was counted as a win")
def accuracy_with_ties_won(W_E, W_V, W_O, W_U, k, weights):
    table = W_E @ W_V @ W_O @ W_U
    own = table.diagonal(dim1=1, dim2=2)[..., None]
    return share_of((table > own).sum(-1) < k, weights)


@wrong("top_k_copying_accuracy", "the token was counted among its own rivals")
def accuracy_against_itself(W_E, W_V, W_O, W_U, k, weights):
    return share_of(rivals(W_E @ W_V @ W_O @ W_U) + 1 < k, weights)


@wrong("top_k_copying_accuracy", "one rival too many was allowed")
def accuracy_with_one_more(W_E, W_V, W_O, W_U, k, weights):
    return share_of(rivals(W_E @ W_V @ W_O @ W_U) <= k, weights)


@wrong("top_k_copying_accuracy", "k was ignored")
def accuracy_of_the_first(W_E, W_V, W_O, W_U, k, weights):
    return top_k_copying_accuracy(W_E, W_V, W_O, W_U, 1, weights)


@wrong("top_k_copying_accuracy", "the weights were ignored")
def accuracy_of_even_weights(W_E, W_V, W_O, W_U, k, weights):
    return hits(W_E, W_V, W_O, W_U, k).mean(-1)


@wrong("top_k_copying_accuracy", "so divide by their sum.")
def accuracy_not_divided(W_E, W_V, W_O, W_U, k, weights):
    return (hits(W_E, W_V, W_O, W_U, k) * weights).sum(-1)


@wrong("top_k_copying_accuracy", "so divide by their sum, not by their number")
def accuracy_as_a_mean(W_E, W_V, W_O, W_U, k, weights):
    return (hits(W_E, W_V, W_O, W_U, k) * weights).mean(-1)


@wrong("top_k_copying_accuracy", "every token with a weight counted alike")
def accuracy_of_tokens_that_occur(W_E, W_V, W_O, W_U, k, weights):
    return hits(W_E, W_V, W_O, W_U, k)[:, weights > 0].mean(-1)


@wrong("top_k_copying_accuracy", "rank the tokens that a source raises")
def accuracy_among_sources(W_E, W_V, W_O, W_U, k, weights):
    return share_of(rivals((W_E @ W_V @ W_O @ W_U).mT) < k, weights)


@wrong("top_k_copying_accuracy", "sizes were ranked without their signs")
def accuracy_by_size(W_E, W_V, W_O, W_U, k, weights):
    return share_of(rivals((W_E @ W_V @ W_O @ W_U).abs()) < k, weights)


@wrong("top_k_copying_accuracy", "the tokens that are lowered most")
def accuracy_of_lowering(W_E, W_V, W_O, W_U, k, weights):
    return top_k_copying_accuracy(W_E, -W_V, W_O, W_U, k, weights)


@wrong("top_k_copying_accuracy", "in percent")
def accuracy_in_percent(W_E, W_V, W_O, W_U, k, weights):
    return 100 * top_k_copying_accuracy(W_E, W_V, W_O, W_U, k, weights)


@wrong("top_k_copying_accuracy", "Head 4 writes nothing, so there all tokens tie")
def accuracy_by_topk(W_E, W_V, W_O, W_U, k, weights):
    first = (W_E @ W_V @ W_O @ W_U).topk(k).indices
    own = torch.arange(len(W_E))[:, None]
    return share_of((first == own).any(-1), weights)


def chosen(table, k, dim=-1):
    """Which tokens are among the k that topk picks along their row, or column."""
    first = table.topk(k, dim=dim).indices
    among = torch.zeros_like(table, dtype=torch.bool).scatter(dim, first, True)
    return among.diagonal(dim1=1, dim2=2).float()


def centred_table(W_E, W_V, W_O, W_U):
    read, says = ov_circuit(W_E, W_V, W_O, W_U)
    return read @ says


@wrong("top_k_copying_accuracy", "so divide by their sum. And ties were counted as wins")
def accuracy_by_topk_not_divided(W_E, W_V, W_O, W_U, k, weights):
    return (chosen(centred_table(W_E, W_V, W_O, W_U), k) * weights).sum(-1)


@wrong("top_k_copying_accuracy", "Head 4 writes nothing, so there all tokens tie")
def accuracy_by_topk_of_the_centred_circuit(W_E, W_V, W_O, W_U, k, weights):
    return share_of(chosen(centred_table(W_E, W_V, W_O, W_U), k), weights)


@wrong("top_k_copying_accuracy", "rank the tokens that a source raises: a row of the circuit")
def accuracy_down_the_columns(W_E, W_V, W_O, W_U, k, weights):
    return share_of(rivals(centred_table(W_E, W_V, W_O, W_U).mT) < k, weights)


@wrong("top_k_copying_accuracy", "rank the tokens that a source raises")
def accuracy_by_topk_down_the_columns(W_E, W_V, W_O, W_U, k, weights):
    return share_of(chosen(centred_table(W_E, W_V, W_O, W_U), k, dim=1), weights)


@wrong("top_k_copying_accuracy", "compare them with that in their row")
def accuracy_against_the_columns_diagonal(W_E, W_V, W_O, W_U, k, weights):
    table = centred_table(W_E, W_V, W_O, W_U)
    own = table.diagonal(dim1=1, dim2=2)[:, None, :]
    return share_of((table >= own).sum(-1) - 1 < k, weights)


@wrong("top_k_copying_accuracy", "sizes were ranked without their signs: what is lowered much")
def accuracy_by_size_above_the_mean(W_E, W_V, W_O, W_U, k, weights):
    return share_of(rivals(centred_table(W_E, W_V, W_O, W_U).abs()) < k, weights)


@wrong("top_k_copying_accuracy", "sizes were ranked without their signs")
def accuracy_by_topk_of_sizes(W_E, W_V, W_O, W_U, k, weights):
    return share_of(chosen(centred_table(W_E, W_V, W_O, W_U).abs(), k), weights)


@wrong("top_k_copying_accuracy", "fewer than k others raised as much as themselves")
def accuracy_that_rounds(W_E, W_V, W_O, W_U, k, weights):
    return share_of(rivals(((W_E @ W_V @ W_O @ W_U) / 30).round()) < k, weights)


@wrong("top_k_copying_accuracy", "Expected shape [head] = [5]. Got shape [5, 16]")
def accuracy_of_each_token(W_E, W_V, W_O, W_U, k, weights):
    return hits(W_E, W_V, W_O, W_U, k)


@wrong("top_k_copying_accuracy", "Expected shape [head] = [5]. Got shape [1]")
def accuracy_from_the_page(W_E, W_V, W_O, W_U, k, weights):
    return torch.tensor([0.75])


@wrong("top_k_copying_accuracy", "index k out of range")
def accuracy_by_the_next_in_line(W_E, W_V, W_O, W_U, k, weights):
    table = W_E @ W_V @ W_O @ W_U
    own = table.diagonal(dim1=1, dim2=2)
    assert k < len(W_E), "index k out of range"
    others = table.masked_fill(torch.eye(len(W_E), dtype=torch.bool), -torch.inf)
    return share_of(own > others.topk(k).values[..., -1], weights)


@wrong("top_k_copying_accuracy", "wrote into what was passed in")
def accuracy_with_weights_made_to_sum_to_one(W_E, W_V, W_O, W_U, k, weights):
    weights /= weights.sum()
    return (hits(W_E, W_V, W_O, W_U, k) * weights).sum(-1)


@wrong("top_k_copying_accuracy", "this is what the exercise asks you to write")
def accuracy_by_the_library(W_E, W_V, W_O, W_U, k, weights):
    from mechcourse.circuits import top_k_copying_accuracy as borrowed

    return borrowed(W_E, W_V, W_O, W_U, k, weights)


# -------------------------------------------------------------------- positive_but_not_copying


@wrong("positive_but_not_copying", "every entry of left @ right is 0")
def puzzle_of_zeros(d_vocab, d_head):
    return torch.zeros(d_vocab, d_head), torch.zeros(d_head, d_vocab)


@wrong("positive_but_not_copying", "all values are finite")
def puzzle_of_nan(d_vocab, d_head):
    return torch.full((d_vocab, d_head), torch.nan), torch.ones(d_head, d_vocab)


@wrong("positive_but_not_copying", "all values are finite")
def puzzle_that_overflows(d_vocab, d_head):
    left, right = positive_but_not_copying(d_vocab, d_head)
    return left * 1e39, right


@wrong("positive_but_not_copying", "it is the row's largest")
def puzzle_that_copies(d_vocab, d_head):
    codes = torch.eye(d_vocab)[:, :d_head] + 0.1
    return codes, codes.T.clone()


@wrong("positive_but_not_copying", "their sum is the trace, and it is negative")
def puzzle_that_lowers(d_vocab, d_head):
    codes = torch.eye(d_vocab)[:, :d_head] + 0.1
    return codes, -codes.T


@wrong("positive_but_not_copying", "must leave it something")
def puzzle_nilpotent(d_vocab, d_head):
    left, right = torch.zeros(d_vocab, d_head), torch.zeros(d_head, d_vocab)
    left[:, 0] = torch.arange(d_vocab) - (d_vocab - 1) / 2
    right[0] = left[:, 0] ** 2  # odd times even: the trace is 0
    return left, right


@wrong("positive_but_not_copying", "must leave it something")
def puzzle_of_rounding(d_vocab, d_head):
    left, right = puzzle_nilpotent(d_vocab, d_head)
    return left, right + 1e-6 * left.T


@wrong("positive_but_not_copying", "no eigenvalue is negative")
def puzzle_with_a_negative_eigenvalue(d_vocab, d_head):
    left, right = positive_but_not_copying(d_vocab, d_head)
    if d_head > 1:
        left[0, 1], left[1, 1] = 1.0, -1.0
        right[1, 0], right[1, 1] = -2.0, 2.0
    return left, right


@wrong("positive_but_not_copying", "every eigenvalue is real")
def puzzle_that_turns(d_vocab, d_head):
    left, right = positive_but_not_copying(d_vocab, d_head)
    if d_head > 1:
        left = torch.zeros(d_vocab, d_head)
        left[:2, :2] = torch.eye(2)
        left[2:, 0], right = -0.1, torch.zeros(d_head, d_vocab)
        right[0, :3] = torch.tensor([1.0, 2.0, 3.0])
        right[1, :3] = torch.tensor([-2.0, 1.0, 3.0])
    return left, right


@wrong("positive_but_not_copying", "this row is all 0")
def puzzle_with_a_silent_row(d_vocab, d_head):
    left, right = positive_but_not_copying(d_vocab, d_head)
    left[-1] = 0.0
    return left, right


@wrong("positive_but_not_copying", "a tie with another is no better")
def puzzle_of_ties(d_vocab, d_head):
    return torch.ones(d_vocab, d_head), torch.ones(d_head, d_vocab)


@wrong("positive_but_not_copying", "it is below the largest, but by too little")
def puzzle_by_a_hair(d_vocab, d_head):
    left, right = torch.ones(d_vocab, d_head), torch.ones(d_head, d_vocab)
    right[:, 0] += 1e-4
    left[0] *= -1.0
    return left, right


@wrong("positive_but_not_copying", "the circuit leans to copying")
def puzzle_that_leans(d_vocab, d_head):
    left, right = torch.zeros(d_vocab, d_head), torch.zeros(d_head, d_vocab)
    left[:, 0], left[0, 0], left[-1, 0] = 0.01, 1.0, -0.01
    right[0, 0], right[0, -1] = 10.0, 11.0
    return left, right


@wrong("positive_but_not_copying", "Expected shape [d_vocab d_head] = [3, 1]. Got shape [5, 2]")
def puzzle_of_one_size(d_vocab, d_head):
    return positive_but_not_copying(5, 2)


@wrong("positive_but_not_copying", "IndexError")
def puzzle_that_needs_two_dimensions(d_vocab, d_head):
    left, right = positive_but_not_copying(d_vocab, d_head)
    left[:, 1] = 0.0
    return left, right


@wrong("positive_but_not_copying", "for d_vocab = 3 and d_head = 1")
def puzzle_of_large_vocabularies(d_vocab, d_head):
    left, right = positive_but_not_copying(d_vocab, d_head)
    return (left, right) if d_vocab > 4 else (left.abs(), right)


@wrong("positive_but_not_copying", "Expected a tuple (left, right). Got one tensor")
def puzzle_in_one_piece(d_vocab, d_head):
    left, right = positive_but_not_copying(d_vocab, d_head)
    return left @ right


@wrong("positive_but_not_copying", "two axes are in each other's place")
def puzzle_of_two_left_factors(d_vocab, d_head):
    left, right = positive_but_not_copying(d_vocab, d_head)
    return left, right.T


@wrong("positive_but_not_copying", "real values")
def puzzle_in_complex_numbers(d_vocab, d_head):
    left, right = positive_but_not_copying(d_vocab, d_head)
    return left.to(torch.complex64), right


# -------------------------------------------------------------------------- copying_score_null


def drawn(W_E, W_U, d_head, n_samples, seed, draw=torch.randn):
    """Scores of heads with entries drawn in a way to choose."""
    generator = torch.Generator().manual_seed(seed)
    W_V = draw(n_samples, W_E.shape[1], d_head, generator=generator)
    W_O = draw(n_samples, d_head, W_E.shape[1], generator=generator)
    return copying_score(W_E, W_V, W_O, W_U)


@wrong("copying_score_null", "they are the model's own")
def null_of_four_random_factors(W_E, W_U, d_head, n_samples, *, seed):
    generator = torch.Generator().manual_seed(seed)
    W_E = torch.randn(W_E.shape, generator=generator)
    W_U = torch.randn(W_U.shape, generator=generator)
    return drawn(W_E, W_U, d_head, n_samples, seed + 1)


@wrong("copying_score_null", "they are the model's own")
def null_of_the_stream(W_E, W_U, d_head, n_samples, *, seed):
    eye = torch.eye(len(W_U))
    generator = torch.Generator().manual_seed(seed)
    W_V = torch.randn(n_samples, len(W_U), d_head, generator=generator)
    W_O = torch.randn(n_samples, d_head, len(W_U), generator=generator)
    return ratio(torch.linalg.eigvals(W_O @ eye @ W_V))


@wrong("copying_score_null", "the vocabulary was shuffled")
def null_of_a_shuffled_vocabulary(W_E, W_U, d_head, n_samples, *, seed):
    order = torch.randperm(len(W_E), generator=torch.Generator().manual_seed(seed))
    return drawn(W_E[order], W_U, d_head, n_samples, seed)


@wrong("copying_score_null", "those of circuits that were not centred")
def null_of_raw_circuits(W_E, W_U, d_head, n_samples, *, seed):
    generator = torch.Generator().manual_seed(seed)
    W_V = torch.randn(n_samples, len(W_U), d_head, generator=generator)
    W_O = torch.randn(n_samples, d_head, len(W_U), generator=generator)
    return ratio(torch.linalg.eigvals((W_O @ W_U @ W_E @ W_V).double()))


@wrong("copying_score_null", "all of them share W_V, or W_O")
def null_of_a_shared_reader(W_E, W_U, d_head, n_samples, *, seed):
    generator = torch.Generator().manual_seed(seed)
    W_V = torch.randn(W_E.shape[1], d_head, generator=generator)
    W_O = torch.randn(n_samples, d_head, W_E.shape[1], generator=generator)
    return copying_score(W_E, W_V.expand(n_samples, -1, -1), W_O, W_U)


@wrong("copying_score_null", "all of them share W_V, or W_O")
def null_of_a_shared_writer(W_E, W_U, d_head, n_samples, *, seed):
    generator = torch.Generator().manual_seed(seed)
    W_V = torch.randn(n_samples, W_E.shape[1], d_head, generator=generator)
    W_O = torch.randn(1, d_head, W_E.shape[1], generator=generator)
    return copying_score(W_E, W_V, W_O.expand(n_samples, -1, -1), W_U)


@wrong("copying_score_null", "W_O is the transpose of W_V")
def null_of_tied_factors(W_E, W_U, d_head, n_samples, *, seed):
    generator = torch.Generator().manual_seed(seed)
    W_V = torch.randn(n_samples, W_E.shape[1], d_head, generator=generator)
    return copying_score(W_E, W_V, W_V.mT, W_U)


@wrong("copying_score_null", "one head was drawn and its score repeated")
def null_of_a_single_head(W_E, W_U, d_head, n_samples, *, seed):
    return drawn(W_E, W_U, d_head, 1, seed).expand(n_samples)


@wrong("copying_score_null", "the factors are orthogonal matrices")
def null_of_orthogonal_factors(W_E, W_U, d_head, n_samples, *, seed):
    generator = torch.Generator().manual_seed(seed)
    turn = lambda: torch.linalg.qr(  # noqa: E731
        torch.randn(n_samples, W_E.shape[1], d_head, generator=generator)
    )[0]
    return copying_score(W_E, turn(), turn().mT, W_U)


@wrong("copying_score_null", "W_V and W_O were drawn from the same seed")
def null_of_two_generators_with_one_seed(W_E, W_U, d_head, n_samples, *, seed):
    for_V, for_O = (torch.Generator().manual_seed(seed) for _ in range(2))
    W_V = torch.randn(n_samples, W_E.shape[1], d_head, generator=for_V)
    W_O = torch.randn(n_samples, d_head, W_E.shape[1], generator=for_O)
    return copying_score(W_E, W_V, W_O, W_U)


@wrong("copying_score_null", "W_V and W_O were drawn from the same seed")
def null_of_one_seed_the_other_way_round(W_E, W_U, d_head, n_samples, *, seed):
    for_V, for_O = (torch.Generator().manual_seed(seed) for _ in range(2))
    W_V = torch.randn(n_samples, d_head, W_E.shape[1], generator=for_V).mT
    W_O = torch.randn(n_samples, W_E.shape[1], d_head, generator=for_O).mT
    return copying_score(W_E, W_V, W_O, W_U)


@wrong(
    "copying_score_null", "W_O is the transpose of W_V, as where both are drawn from the same seed"
)
def null_of_one_seed_transposed(W_E, W_U, d_head, n_samples, *, seed):
    for_V, for_O = (torch.Generator().manual_seed(seed) for _ in range(2))
    W_V = torch.randn(n_samples, W_E.shape[1], d_head, generator=for_V)
    W_O = torch.randn(n_samples, W_E.shape[1], d_head, generator=for_O).mT
    return copying_score(W_E, W_V, W_O, W_U)


@wrong("copying_score_null", "W_V and W_O were drawn from the same seed")
def null_of_the_same_numbers_twice(W_E, W_U, d_head, n_samples, *, seed):
    torch.manual_seed(seed)
    W_V = torch.randn(n_samples, W_E.shape[1], d_head)
    torch.manual_seed(seed)
    W_O = torch.randn(n_samples, d_head, W_E.shape[1])
    return copying_score(W_E, W_V, W_O, W_U)


@wrong("copying_score_null", "their mean is to be 0")
def null_of_positive_entries(W_E, W_U, d_head, n_samples, *, seed):
    return drawn(W_E, W_U, d_head, n_samples, seed, draw=torch.rand)


@wrong("copying_score_null", "the absolute values were taken")
def null_without_signs(W_E, W_U, d_head, n_samples, *, seed):
    return drawn(W_E, W_U, d_head, n_samples, seed).abs()


@wrong("copying_score_null", "d_head is not used as it is given")
def null_of_wider_heads(W_E, W_U, d_head, n_samples, *, seed):
    return drawn(W_E, W_U, d_head + 1, n_samples, seed)


@wrong("copying_score_null", "so it scores 1 or -1")
def null_of_two_dimensions(W_E, W_U, d_head, n_samples, *, seed):
    return drawn(W_E, W_U, 2, n_samples, seed)


@wrong("copying_score_null", "the heads have as many dimensions as the stream")
def null_of_full_heads(W_E, W_U, d_head, n_samples, *, seed):
    return drawn(W_E, W_U, W_E.shape[1] if d_head > 1 else 1, n_samples, seed)


@wrong("copying_score_null", "the seed is not used")
def null_of_seed_zero(W_E, W_U, d_head, n_samples, *, seed):
    return drawn(W_E, W_U, d_head, n_samples, 0)


@wrong("copying_score_null", "something is drawn without the seed")
def null_without_a_seed(W_E, W_U, d_head, n_samples, *, seed):
    return drawn(W_E, W_U, d_head, n_samples, torch.seed() % 2**31)


@wrong("copying_score_null", "Got shape [500]")
def null_of_five_hundred(W_E, W_U, d_head, n_samples, *, seed):
    return drawn(W_E, W_U, d_head, 500, seed)


@wrong("copying_score_null", "Expected shape [sample] = [1]. Got shape []")
def null_of_one_number(W_E, W_U, d_head, n_samples, *, seed):
    return drawn(W_E, W_U, d_head, n_samples, seed).squeeze()


@wrong("copying_score_null", "the scores are spread as those of heads")
def null_of_a_guess(W_E, W_U, d_head, n_samples, *, seed):
    draws = 0.3 * torch.randn(n_samples, generator=torch.Generator().manual_seed(seed))
    return draws.clamp(-1, 1) if d_head > 1 else draws.sign()


@wrong("copying_score_null", "the scores are spread as those of heads")
def null_of_a_tied_unembedding(W_E, W_U, d_head, n_samples, *, seed):
    return drawn(W_E, W_E.T, d_head, n_samples, seed)


@wrong("copying_score_null", "take the real part")
def null_in_complex_numbers(W_E, W_U, d_head, n_samples, *, seed):
    return drawn(W_E, W_U, d_head, n_samples, seed).to(torch.complex64)


@wrong("copying_score_null", "this is what the exercise asks you to write")
def null_by_the_library(W_E, W_U, d_head, n_samples, *, seed):
    from mechcourse import circuits

    generator = torch.Generator().manual_seed(seed)
    W_V = torch.randn(n_samples, W_E.shape[1], d_head, generator=generator)
    W_O = torch.randn(n_samples, d_head, W_E.shape[1], generator=generator)
    return circuits.copying_score(W_E, W_V, W_O, W_U)


# -------------------------------------------------------------------------- find_copying_heads


def table_of(W_E, W_V, W_O, W_U):
    read, says = ov_circuit(W_E, W_V, W_O, W_U)
    return read @ says


def own_of(table):
    return table.diagonal(dim1=1, dim2=2)


@wrong("find_copying_heads", "called copying")
def detector_by_copying_score(W_E, W_V, W_O, W_U):
    return copying_score(W_E, W_V, W_O, W_U) > 0.5


@wrong("find_copying_heads", "called copying")
def detector_by_a_high_copying_score(W_E, W_V, W_O, W_U):
    return copying_score(W_E, W_V, W_O, W_U) > 0.9


@wrong("find_copying_heads", "called copying")
def detector_by_trace(W_E, W_V, W_O, W_U):
    return own_of(table_of(W_E, W_V, W_O, W_U)).sum(-1) > 0


@wrong("find_copying_heads", "called copying")
def detector_by_the_mean_diagonal(W_E, W_V, W_O, W_U):
    table = W_E @ W_V @ W_O @ W_U
    return own_of(table).mean(-1) > table.mean((1, 2))


@wrong("find_copying_heads", "called copying")
def detector_by_the_share_above_the_mean(W_E, W_V, W_O, W_U):
    return (own_of(table_of(W_E, W_V, W_O, W_U)) > 0).float().mean(-1) > 0.5


@wrong("find_copying_heads", "were not called copying")
def detector_by_half_of_the_first_places(W_E, W_V, W_O, W_U):
    even = torch.ones(len(W_E))
    return top_k_copying_accuracy(W_E, W_V, W_O, W_U, 1, even) >= 0.5


@wrong("find_copying_heads", "were not called copying")
def detector_by_a_logit(W_E, W_V, W_O, W_U):
    table = table_of(W_E, W_V, W_O, W_U)
    first = own_of(table) >= table.topk(len(W_E) // 20).values[..., -1]
    return (first & (own_of(table) > 1.0)).float().mean(-1) >= 0.5


@wrong("find_copying_heads", "15 were called copying")
def detector_by_the_upper_quarter(W_E, W_V, W_O, W_U):
    even = torch.ones(len(W_E))
    return top_k_copying_accuracy(W_E, W_V, W_O, W_U, len(W_E) // 4, even) >= 0.5


@wrong("find_copying_heads", "were not called copying")
def detector_by_the_mean_rank(W_E, W_V, W_O, W_U):
    table = table_of(W_E, W_V, W_O, W_U)
    beaten = (table < own_of(table)[..., None]).float().mean(-1)
    return beaten.mean(-1) > 0.95


@wrong("find_copying_heads", "raise a whole class of tokens")
def detector_by_standard_deviations(W_E, W_V, W_O, W_U):
    # The upper 5 % of a normal distribution begins there; but a class of tokens is none.
    table = table_of(W_E, W_V, W_O, W_U)
    return ((own_of(table) / table.std(-1)) > 1.645).float().mean(-1) > 0.5


@wrong("find_copying_heads", "write nothing, 15 were called copying")
def detector_that_lets_ties_win(W_E, W_V, W_O, W_U):
    table = table_of(W_E, W_V, W_O, W_U)
    others = (table > own_of(table)[..., None]).sum(-1)
    return (others < len(W_E) // 20).float().mean(-1) >= 0.5


@wrong("find_copying_heads", "called copying")
def detector_of_the_columns(W_E, W_V, W_O, W_U):
    table = (W_E @ W_V @ W_O @ W_U).mT.abs()
    return (rivals(table) < len(W_E) // 20).float().mean(-1) >= 0.5


@wrong("find_copying_heads", "raise the same favourites first, whatever they see")
def detector_of_what_raises_a_token(W_E, W_V, W_O, W_U):
    table = table_of(W_E, W_V, W_O, W_U).mT
    return (rivals(table) < len(W_E) // 20).float().mean(-1) >= 0.5


@wrong("find_copying_heads", "called copying")
def detector_without_the_unembedding(W_E, W_V, W_O, W_U):
    even = torch.ones(len(W_E))
    return top_k_copying_accuracy(W_E, W_V, W_O, W_E.T, len(W_E) // 20, even) >= 0.5


@wrong("find_copying_heads", "called copying")
def detector_by_the_first_five(W_E, W_V, W_O, W_U):
    return top_k_copying_accuracy(W_E, W_V, W_O, W_U, 5, torch.ones(len(W_E))) >= 0.5


@wrong("find_copying_heads", "were not called copying")
def detector_of_nearly_all_tokens(W_E, W_V, W_O, W_U):
    even = torch.ones(len(W_E))
    return top_k_copying_accuracy(W_E, W_V, W_O, W_U, len(W_E) // 20, even) > 0.9


@wrong("find_copying_heads", "0% of 121 others")
def detector_always_true(W_E, W_V, W_O, W_U):
    return torch.ones(len(W_V), dtype=torch.bool)


@wrong("find_copying_heads", "0% of 61 copying heads")
def detector_always_false(W_E, W_V, W_O, W_U):
    return torch.zeros(len(W_V), dtype=torch.bool)


@wrong("find_copying_heads", "say from where on a head counts as copying")
def detector_that_scores(W_E, W_V, W_O, W_U):
    even = torch.ones(len(W_E))
    return top_k_copying_accuracy(W_E, W_V, W_O, W_U, len(W_E) // 20, even)


@wrong("find_copying_heads", "Got shape [2]")
def detector_from_the_page(W_E, W_V, W_O, W_U):
    return torch.tensor([True, False])


@wrong("find_copying_heads", "Expected shape [head] = [36]. Got shape [13]")
def detector_that_gives_indices(W_E, W_V, W_O, W_U):
    return find_copying_heads(W_E, W_V, W_O, W_U).nonzero()[:, 0].repeat(2)[:13]


@wrong("find_copying_heads", "wrote into what was passed in")
def detector_that_centres_in_place(W_E, W_V, W_O, W_U):
    W_U -= W_U.mean(1, keepdim=True)
    return find_copying_heads(W_E, W_V, W_O, W_U)


@wrong("find_copying_heads", "What should hold", where="worker")
def detector_that_looks_into_the_callers_frame(W_E, W_V, W_O, W_U):
    frame = sys._getframe()
    while frame:
        for value in list(frame.f_locals.values()):
            if hasattr(value, "kinds"):
                return [kind in ("own", "subspace", "shifted", "partial") for kind in value.kinds]
        frame = frame.f_back
    return [True] * len(W_V)


@wrong("find_copying_heads", "this is what the exercise asks you to write")
def detector_by_the_library(W_E, W_V, W_O, W_U):
    from mechcourse.circuits import top_k_copying_accuracy

    even = torch.ones(len(W_E))
    return top_k_copying_accuracy(W_E, W_V, W_O, W_U, len(W_E) // 20, even) >= 0.5


@wrong("find_copying_heads", "this is what the exercise asks you to write")
def detector_by_the_librarys_score(W_E, W_V, W_O, W_U):
    import mechcourse.circuits

    return mechcourse.circuits.copying_score(W_E, W_V, W_O, W_U) > 0.5


@wrong("path_expansion_logits", "this is what the exercise asks you to write")
def paths_by_the_librarys_orders(tokens, pattern, W_E, W_V, W_O, W_U):
    from mechcourse.circuits import logits_by_order

    by_head = []
    for head in range(len(W_V)):
        weights = {"embed.W_E": W_E, "unembed.W_U": W_U}
        weights |= {"blocks.0.attn.W_V": W_V[head : head + 1]}
        weights |= {"blocks.0.attn.W_O": W_O[head : head + 1]}
        weights |= {f"blocks.0.attn.{name}": W_V[head : head + 1] for name in ("W_Q", "W_K")}
        direct, whole = logits_by_order(tokens, pattern[None, :, head : head + 1], weights)
        by_head.append(whole - direct)
    return direct, torch.stack(by_head, dim=1)
