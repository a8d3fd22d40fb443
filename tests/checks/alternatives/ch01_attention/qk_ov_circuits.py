"""Right answers to `ch01_attention/2_qk_ov_circuits.ipynb` in other styles: all must pass."""

import itertools
import math
import sys
import warnings
from typing import NamedTuple

import numpy as np
import torch
from einops import einsum

from tests.checks.harness import right

# ---------------------------------------------------------------------------------- qk_circuit


@right("qk_circuit")
def qk_sharing_the_scale(W_E, W_Q, W_K):
    root = W_Q.shape[-1] ** 0.25
    return [W_E @ W_Q / root, ((W_E @ W_K) / root).transpose(1, 2)]


@right("qk_circuit")
def qk_with_the_scale_in_the_keys(W_E, W_Q, W_K):
    print("a note", file=sys.stderr)
    warnings.warn("a warning is no mistake", stacklevel=1)
    keys = torch.einsum("tm,hmd->hdt", W_E.double(), W_K.double())
    return torch.einsum("tm,hmd->htd", W_E.double(), W_Q.double()), keys * W_K.shape[-1] ** -0.5


@right("qk_circuit")
def qk_turned_inside(W_E, W_Q, W_K):
    # Any invertible matrix may stand between the factors: their product does not see it.
    turn = torch.linalg.qr(torch.randn(len(W_Q), W_Q.shape[-1], W_Q.shape[-1]))[0] * 3
    left, right = qk_circuit(W_E, W_Q, W_K)
    return left @ turn, torch.linalg.inv(turn) @ right


@right("qk_circuit")
def qk_in_a_named_tuple(W_E, W_Q, W_K):
    class Factors(NamedTuple):
        left: torch.Tensor
        right: torch.Tensor

    heads = [(W_E @ q, (W_E @ k).T) for q, k in zip(W_Q, W_K, strict=True)]
    left, right = (np.stack([np.asarray(x) for x in side]) for side in zip(*heads, strict=True))
    return Factors(left / np.sqrt(W_Q.shape[-1]), right)


@right("qk_circuit")
def qk_by_singular_values(W_E, W_Q, W_K):
    # The whole, taken apart again: thin, if a roundabout way.
    d_head = W_Q.shape[-1]
    whole = (W_E @ W_Q @ W_K.mT @ W_E.T / math.sqrt(d_head)).requires_grad_()
    u, s, v = torch.linalg.svd(whole)
    return u[..., :d_head] * s[:, None, :d_head], v[:, :d_head]


# ----------------------------------------------------------------------------- full_qk_circuit


@right("full_qk_circuit")
def qk_block_of_the_whole(W_E, W_Q, W_K, tokens):
    whole = W_E @ (W_Q @ W_K.mT) @ W_E.T / math.sqrt(W_Q.shape[-1])
    return whole[:, tokens][:, :, tokens]


@right("full_qk_circuit")
def qk_block_in_loops(W_E, W_Q, W_K, tokens):
    out = torch.zeros(len(W_Q), len(tokens), len(tokens), dtype=torch.float64)
    for h, (i, a), (j, b) in itertools.product(
        range(len(W_Q)), enumerate(tokens), enumerate(tokens)
    ):
        out[h, i, j] = (W_E[a] @ W_Q[h]) @ (W_E[b] @ W_K[h]) / W_Q.shape[-1] ** 0.5
    return out


@right("full_qk_circuit")
def qk_block_in_one_einsum(W_E, W_Q, W_K, tokens):
    x = W_E.double()[tokens]
    block = torch.einsum("im,hmd,hnd,jn->hij", x, W_Q.double(), W_K.double(), x)
    return (block / math.sqrt(W_Q.shape[-1])).numpy()


@right("full_qk_circuit")
def qk_block_of_both_factors(W_E, W_Q, W_K, tokens):
    left, right = qk_circuit(W_E, W_Q, W_K)
    return left[:, tokens] @ right[..., tokens]


@right("full_qk_circuit")
def qk_block_with_chosen_rows_by_one_hot(W_E, W_Q, W_K, tokens):
    chosen = torch.nn.functional.one_hot(tokens, len(W_E)).float() @ W_E
    q, k = chosen @ W_Q, chosen @ W_K
    return (k @ q.mT).mT / W_Q.shape[-1] ** 0.5


# --------------------------------------------------------------------------------- score_terms


@right("score_terms")
def terms_in_one_einsum(tokens, W_E, W_pos, W_Q, W_K):
    places = W_pos[: tokens.shape[1]].repeat(len(tokens), 1, 1)
    x = torch.stack([W_E[tokens], places])  # [source batch pos d_model]
    q = torch.einsum("sbim,hmd->sbhid", x, W_Q / math.sqrt(W_Q.shape[-1]))
    k = torch.einsum("sbjm,hmd->sbhjd", x, W_K)
    return torch.einsum("sbhid,tbhjd->stbhij", q, k).flatten(0, 1)


@right("score_terms")
def terms_from_tables(tokens, W_E, W_pos, W_Q, W_K):
    inner = W_Q @ W_K.mT / W_Q.shape[-1] ** 0.5
    n_batch, n = tokens.shape
    places = W_pos[:n]
    tt = (W_E @ inner @ W_E.T)[:, tokens[:, :, None], tokens[:, None]].transpose(0, 1)
    tp = (W_E @ inner @ places.T)[:, tokens].transpose(0, 1)
    pt = (places @ inner @ W_E.T)[:, :, tokens].permute(2, 0, 1, 3)
    pp = (places @ inner @ places.T).expand(n_batch, -1, -1, -1)
    return torch.stack([tt, tp, pt, pp])


@right("score_terms")
def terms_by_differences(tokens, W_E, W_pos, W_Q, W_K):
    # Whole scores with one side's part left out, subtracted from each other.
    W_E, W_pos, W_Q, W_K = (w.double() for w in (W_E, W_pos, W_Q, W_K))
    places = W_pos[: tokens.shape[1]].expand(len(tokens), -1, -1)

    def scores(a, b):
        q, k = a[:, None] @ W_Q, b[:, None] @ W_K
        return q @ k.mT / math.sqrt(W_Q.shape[-1])

    content, both = W_E[tokens], W_E[tokens] + places
    tt = scores(content, content)
    tp, pt = scores(content, both) - tt, scores(both, content) - tt
    return torch.stack([tt, tp, pt, scores(both, both) - tt - tp - pt])


@right("score_terms")
def terms_in_numpy(tokens, W_E, W_pos, W_Q, W_K):
    x, p = W_E[tokens].numpy(), W_pos[: tokens.shape[1]].numpy()[None].repeat(len(tokens), 0)
    spec = "bim,hmd,hnd,bjn->bhij"
    q, k = W_Q.numpy(), W_K.numpy()
    terms = [np.einsum(spec, a, q, k, b, optimize=True) for a in (x, p) for b in (x, p)]
    return np.array(terms) / np.sqrt(q.shape[-1])


# ---------------------------------------------------------------------------------- ov_circuit


@right("ov_circuit")
def ov_centred_after_writing(W_E, W_V, W_O, W_U):
    says = W_O @ W_U
    return [W_E @ W_V, says - says.mean(-1, keepdim=True)]


@right("ov_circuit")
def ov_centred_by_a_projection(W_E, W_V, W_O, W_U):
    n = W_U.shape[1]
    centre = torch.eye(n, dtype=torch.float64) - 1 / n
    return W_E.double() @ W_V.double(), W_O.double() @ W_U.double() @ centre


@right("ov_circuit")
def ov_with_another_share_of_the_scale(W_E, W_V, W_O, W_U):
    read, says = ov_circuit(W_E, W_V, W_O, W_U)
    scale = 1 + torch.arange(W_V.shape[-1])
    return read * scale, says / scale[:, None]


@right("ov_circuit")
def ov_in_numpy(W_E, W_V, W_O, W_U):
    read = np.einsum("tm,hmd->htd", W_E, W_V)
    says = np.einsum("hdm,mt->hdt", W_O, W_U - W_U.mean(1)[:, None])
    return read, says


@right("ov_circuit")
def ov_as_views(W_E, W_V, W_O, W_U):
    says = einsum(W_O, W_U, "h d m, m t -> t h d")
    says = says.sub(says.mean(0)).permute(1, 2, 0)
    return einsum(W_E, W_V, "t m, h m d -> h d t").mT.requires_grad_(), says


# ----------------------------------------------------------------------------- full_ov_circuit


@right("full_ov_circuit")
def ov_block_of_the_whole(W_E, W_V, W_O, W_U, tokens):
    whole = W_E @ W_V @ W_O @ W_U
    whole = whole - whole.mean(-1, keepdim=True)
    return whole[:, tokens][:, :, tokens]


@right("full_ov_circuit")
def ov_block_less_its_mean(W_E, W_V, W_O, W_U, tokens):
    writes = (W_E[tokens] @ W_V @ W_O).double()
    return writes @ W_U[:, tokens].double() - (writes @ W_U.double().mean(1))[..., None]


@right("full_ov_circuit")
def ov_block_head_by_head(W_E, W_V, W_O, W_U, tokens):
    out = W_E.new_zeros(len(W_V), len(tokens), len(tokens))
    for h in range(len(W_V)):
        for i, source in enumerate(tokens.tolist()):
            logits = W_E[source] @ W_V[h] @ W_O[h] @ W_U
            out[h, i] = (logits - logits.mean())[tokens]
    return out


@right("full_ov_circuit")
def ov_block_by_index_select(W_E, W_V, W_O, W_U, tokens):
    read, says = ov_circuit(W_E.index_select(0, tokens), W_V, W_O, W_U)
    return (read @ says.index_select(2, tokens)).numpy()


# ----------------------------------------------------------------------- path_expansion_logits


@right("path_expansion_logits")
def paths_in_one_einsum(tokens, pattern, W_E, W_V, W_O, W_U):
    x = W_E[tokens]
    by_head = torch.einsum("bhij,bjm,hmd,hdn,nt->bhit", pattern, x, W_V, W_O, W_U)
    return [torch.einsum("bim,mt->bit", x, W_U), by_head]


@right("path_expansion_logits")
def paths_from_tables(tokens, pattern, W_E, W_V, W_O, W_U):
    direct, tables = (W_E @ W_U).double(), (W_E @ W_V @ W_O @ W_U).double()
    moved = [pattern[b].double() @ tables[:, text] for b, text in enumerate(tokens)]
    return direct[tokens], torch.stack(moved)


@right("path_expansion_logits")
def paths_by_one_hot(tokens, pattern, W_E, W_V, W_O, W_U):
    hot = torch.nn.functional.one_hot(tokens, len(W_E)).float()
    direct = hot @ (W_E @ W_U)
    return direct, ((pattern @ hot[:, None]) @ (W_E @ (W_V @ W_O) @ W_U)).requires_grad_()


@right("path_expansion_logits")
def paths_in_loops(tokens, pattern, W_E, W_V, W_O, W_U):
    n_batch, n_heads, n_pos, _ = pattern.shape
    by_head = torch.zeros(n_batch, n_heads, n_pos, W_U.shape[1])
    for b, h, i, j in itertools.product(range(n_batch), range(n_heads), range(n_pos), range(n_pos)):
        written = W_E[tokens[b, j]] @ W_V[h] @ W_O[h]
        by_head[b, h, i] += pattern[b, h, i, j] * (written @ W_U)
    return (W_E[tokens] @ W_U).tolist(), by_head.numpy()


# ------------------------------------------------------------------------------- skip_trigrams


@right("skip_trigrams")
def trigrams_by_sorting(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k):
    scores = (W_E @ W_Q) @ (W_E @ W_K).T / math.sqrt(W_Q.shape[-1])
    scores = scores - scores.mean(dim=1, keepdim=True)
    destinations = scores[:, sources].argsort(dim=0, descending=True)[:k].T
    logits = (W_E @ W_V @ W_O @ W_U)[sources]
    return [destinations, logits.argsort(dim=1, descending=True)[:, :k]]


@right("skip_trigrams")
def trigrams_by_centred_factors(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k):
    # Without the scale, and by centred logits: neither changes an order.
    keys = (W_E @ W_K) - (W_E @ W_K).mean(0)
    preference = (keys[sources] @ (W_E @ W_Q).T).double()
    read, says = ov_circuit(W_E, W_V[None], W_O[None], W_U)
    return preference.topk(k)[1], (read[0, sources] @ says[0]).topk(k)[1]


@right("skip_trigrams")
def trigrams_in_loops(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k):
    destinations, outputs = [], []
    scores = ((W_E @ W_Q).double() @ (W_E @ W_K).double().T).tolist()
    for source in sources.tolist():
        preference = [row[source] - sum(row) / len(row) for row in scores]
        logits = (W_E[source] @ W_V @ W_O @ W_U).tolist()
        for found, values in ((destinations, preference), (outputs, logits)):
            order = sorted(range(len(values)), key=values.__getitem__, reverse=True)
            found.append(order[:k])
    return destinations, outputs


@right("skip_trigrams")
def trigrams_in_numpy(W_E, W_Q, W_K, W_V, W_O, W_U, sources, k):
    E = W_E.numpy().astype(np.float64)
    scores = E @ W_Q.numpy() @ (E @ W_K.numpy()).T
    scores -= scores.mean(1, keepdims=True)
    logits = E @ W_V.numpy() @ W_O.numpy() @ W_U.numpy()
    s = sources.numpy()
    return np.argsort(-scores[:, s].T, axis=1)[:, :k], np.argsort(-logits[s], axis=1)[:, :k]


# ------------------------------------------------------------------------ forced_skip_trigrams


@right("forced_skip_trigrams")
def forced_by_source(wanted):
    found = []
    for source in {trigram[0] for trigram in wanted}:
        mine = [trigram for trigram in wanted if trigram[0] == source]
        ways = itertools.product({d for _, d, _ in mine}, {o for _, _, o in mine})
        found += [(source, d, o) for d, o in ways if (source, d, o) not in mine]
    return sorted(found)


@right("forced_skip_trigrams")
def forced_in_a_tuple_of_lists(wanted):
    looks, says = {}, {}
    for source, destination, output in wanted:
        looks.setdefault(source, set()).add(destination)
        says.setdefault(source, set()).add(output)
    every = {(s, d, o) for s in looks for d in looks[s] for o in says[s]}
    return tuple([*trigram] for trigram in sorted(every.difference(wanted)))


@right("forced_skip_trigrams")
def forced_by_insertion(wanted):
    found = []
    for (s, d, _), (t, _, o) in itertools.product(wanted, repeat=2):
        if s == t and (s, d, o) not in wanted and (s, d, o) not in found:
            found.append((s, d, o))
    found.sort()
    return found


# ------------------------------------------------------------------------------- copying_score


@right("copying_score")
def score_of_the_whole_circuit(W_E, W_V, W_O, W_U):
    whole = (W_E @ W_V @ W_O @ (W_U - W_U.mean(1, keepdim=True))).double()
    values = torch.linalg.eigvals(whole)
    return values.sum(-1).real / values.abs().sum(-1).clamp(min=1e-12)


@right("copying_score")
def score_of_the_whole_circuit_in_single_precision(W_E, W_V, W_O, W_U):
    read, says = ov_circuit(W_E, W_V, W_O, W_U)
    values = torch.linalg.eigvals(read @ says)
    return (values.real.sum(-1) / values.abs().sum(-1)).nan_to_num(0.0)


@right("copying_score")
def score_by_the_trace(W_E, W_V, W_O, W_U):
    inner = W_O @ (W_U - W_U.mean(1, keepdim=True)) @ W_E @ W_V
    total = torch.linalg.eigvals(inner).abs().sum(-1)
    trace = einsum(inner, "h d d -> h")
    return torch.where(total > 0, trace / total, torch.zeros_like(trace))


@right("copying_score")
def score_head_by_head(W_E, W_V, W_O, W_U):
    scores = []
    for v, o in zip(W_V, W_O, strict=True):
        write = (v @ o).numpy().astype(np.float64)
        logits = W_E.numpy() @ write @ W_U.numpy()
        values = np.linalg.eigvals(logits - logits.mean(1, keepdims=True))
        size = np.abs(values).sum()
        scores.append(float(values.sum().real / size) if size > 1e-9 else 0.0)
    return scores


@right("copying_score")
def score_of_a_matrix_of_the_streams_size(W_E, W_V, W_O, W_U):
    # d_model by d_model: between the two, with the same eigenvalues but for more zeros.
    inner = (W_V @ W_O).double() @ (W_U - W_U.mean(1, keepdim=True)).double() @ W_E.double()
    values = torch.linalg.eigvals(inner)
    return values.real.sum(-1) / (values.abs().sum(-1) + 1e-30)


# ---------------------------------------------------------------------- top_k_copying_accuracy


@right("top_k_copying_accuracy")
def accuracy_token_by_token(W_E, W_V, W_O, W_U, k, weights):
    shares = []
    for v, o in zip(W_V, W_O, strict=True):
        hit = 0.0
        for token in range(len(W_E)):
            logits = W_E[token] @ v @ o @ W_U
            others = torch.cat([logits[:token], logits[token + 1 :]])
            hit += float(weights[token]) * (int((others >= logits[token]).sum()) < k)
        shares.append(hit / float(weights.sum()))
    return shares


@right("top_k_copying_accuracy")
def accuracy_by_the_k_th_rival(W_E, W_V, W_O, W_U, k, weights):
    said = (W_E @ W_V @ W_O @ W_U).double()
    own = said.diagonal(dim1=1, dim2=2)
    rivals = said.masked_fill(torch.eye(len(W_E), dtype=torch.bool), -torch.inf)
    hit = own > rivals.topk(k).values[..., -1]
    return torch.einsum("ht,t->h", hit.double(), weights.double() / weights.double().sum())


@right("top_k_copying_accuracy")
def accuracy_by_beaten_tokens(W_E, W_V, W_O, W_U, k, weights):
    read, says = ov_circuit(W_E, W_V, W_O, W_U)
    said = read @ says
    beaten = (said < einsum(said, "h t t -> h t")[..., None]).sum(-1)
    return np.average((beaten > len(W_E) - 1 - k).numpy(), axis=1, weights=weights.numpy())


@right("top_k_copying_accuracy")
def accuracy_with_weights_first(W_E, W_V, W_O, W_U, k, weights):
    shares = weights / weights.sum()
    circuit = full_ov_circuit(W_E, W_V, W_O, W_U, torch.arange(len(W_E)))
    own = torch.stack([head.diag() for head in circuit])
    rank = (circuit >= own.unsqueeze(2)).sum(2)  # the token itself is among them
    return ((rank <= k) * shares).sum(1).requires_grad_()


# -------------------------------------------------------------------- positive_but_not_copying


@right("positive_but_not_copying")
def puzzle_with_a_favourite(d_vocab, d_head):
    # Every token raises the last; the last lowers it, and raises the first.
    left, right = torch.zeros(d_vocab, d_head), torch.zeros(d_head, d_vocab)
    left[:, 0], left[-1, 0] = 1.0, -0.5
    right[0], right[0, -1] = 5.0, 6.0
    return [left.double(), right.requires_grad_()]


@right("positive_but_not_copying")
def puzzle_by_search(d_vocab, d_head):
    random = np.random.default_rng(0)
    while True:
        left = random.normal(size=(d_vocab, 1))
        right = 3 + random.normal(size=(1, d_vocab))
        whole = left @ right
        own, size = np.diag(whole), np.abs(whole).max(1)
        if (
            np.trace(whole) > 0.02 * np.linalg.norm(whole)
            and (whole.max(1) - own > 0.01 * size).all()
            and own.mean() < whole.mean() - 0.01
        ):
            more = np.zeros((d_vocab, d_head - 1))
            return np.hstack([left, more]), np.vstack([right, more.T])


@right("positive_but_not_copying")
def puzzle_in_a_subspace(d_vocab, d_head):
    # Each of the first tokens raises its neighbour more than itself, and all raise the last.
    if d_head + 1 >= d_vocab:
        return positive_but_not_copying(d_vocab, d_head)
    left = torch.zeros(d_vocab, d_head, dtype=torch.float64)
    right = torch.zeros(d_head, d_vocab, dtype=torch.float64)
    for d in range(d_head):
        left[d, d], right[d, d], right[d, d + 1] = 1.0, d + 1.0, d + 2.0
        right[d, -1] += 6.0 * d_vocab
    left[d_head:, 0] = 1e-5
    left[-1, 0] = -1e-5
    return left, right


@right("positive_but_not_copying")
def puzzle_at_an_unusual_scale(d_vocab, d_head):
    left, right = positive_but_not_copying(d_vocab, d_head)
    return left.double() * 1e150, right.double() * 1e-160


@right("positive_but_not_copying")
def puzzle_turned_inside(d_vocab, d_head):
    turn = torch.linalg.qr(torch.randn(d_head, d_head))[0]
    left, right = positive_but_not_copying(d_vocab, d_head)
    return (left @ turn).tolist(), (turn.T @ right).numpy()


# -------------------------------------------------------------------------- copying_score_null


@right("copying_score_null")
def null_of_another_variance(W_E, W_U, d_head, n_samples, *, seed):
    torch.manual_seed(seed)
    d_model = W_E.shape[1]
    W_O = torch.empty(n_samples, d_head, d_model).normal_(0, d_head**-0.5)
    W_V = torch.empty(n_samples, d_model, d_head).normal_(0, 0.02)
    return copying_score(W_E, W_V, W_O, W_U)


@right("copying_score_null")
def null_head_by_head(W_E, W_U, d_head, n_samples, *, seed):
    random = torch.Generator()
    random.manual_seed(seed)
    scores = []
    for _ in range(n_samples):
        W_V = torch.randn(1, W_E.shape[1], d_head, generator=random)
        W_O = torch.randn(1, d_head, W_E.shape[1], generator=random)
        scores.append(copying_score(W_E, W_V, W_O, W_U).item())
    return scores


@right("copying_score_null")
def null_in_numpy(W_E, W_U, d_head, n_samples, *, seed):
    random = np.random.default_rng(seed)
    W_E, W_U = W_E.numpy().astype(np.float64), W_U.numpy().astype(np.float64)
    core = (W_U - W_U.mean(1, keepdims=True)) @ W_E
    W_V = random.normal(size=(n_samples, len(core), d_head))
    W_O = random.normal(size=(n_samples, d_head, len(core)))
    values = np.linalg.eigvals(W_O @ core @ W_V)
    return values.real.sum(1) / np.abs(values).sum(1)


@right("copying_score_null")
def null_of_whole_circuits(W_E, W_U, d_head, n_samples, *, seed):
    random = torch.Generator().manual_seed(seed)
    W_U = W_U - W_U.mean(1, keepdim=True)
    shape = (n_samples, W_E.shape[1], d_head)
    W_V, W_O = (torch.randn(shape, generator=random, dtype=torch.float64) for _ in range(2))
    values = torch.linalg.eigvals(W_E.double() @ W_V @ W_O.mT @ W_U.double())
    return (values.sum(1) / values.abs().sum(1)).real


@right("copying_score_null")
def null_of_whole_circuits_in_single_precision(W_E, W_U, d_head, n_samples, *, seed):
    torch.manual_seed(seed)
    W_V, W_O = torch.randn(2, n_samples, W_E.shape[1], d_head)
    said = W_E @ W_V @ W_O.mT @ (W_U - W_U.mean(1, keepdim=True))
    values = torch.linalg.eigvals(said)
    return values.real.sum(1) / values.abs().sum(1)


@right("copying_score_null")
def null_seeded_for_each_head(W_E, W_U, d_head, n_samples, *, seed):
    heads = []
    for i in range(n_samples):
        random = torch.Generator().manual_seed(seed + i)
        heads.append(torch.randn(2, W_E.shape[1], d_head, generator=random))
    W_V, W_O = torch.stack(heads).unbind(1)
    return copying_score(W_E, W_V, W_O.mT, W_U)


# -------------------------------------------------------------------------- find_copying_heads


@right("find_copying_heads")
def detector_by_the_median_rank(W_E, W_V, W_O, W_U):
    said = W_E @ W_V @ W_O @ W_U
    own = said.diagonal(dim1=1, dim2=2)[..., None]
    beaten = (said < own).double().sum(-1) / (len(W_E) - 1)
    return beaten.median(-1).values >= 0.95


@right("find_copying_heads")
def detector_by_quantiles(W_E, W_V, W_O, W_U):
    read, says = ov_circuit(W_E, W_V, W_O, W_U)
    said = read @ says
    own = said.diagonal(dim1=1, dim2=2)
    return ((own > said.quantile(0.95, dim=-1)).float().mean(-1) > 0.5).tolist()


@right("find_copying_heads")
def detector_in_loops(W_E, W_V, W_O, W_U):
    found = []
    for v, o in zip(W_V, W_O, strict=True):
        said = (W_E @ v @ o @ W_U).numpy()
        first = np.argsort(-said, axis=1)[:, : math.ceil(0.05 * len(said))]
        found.append(np.mean([token in row for token, row in enumerate(first)]) >= 0.5)
    return np.array(found)


@right("find_copying_heads")
def detector_by_topk(W_E, W_V, W_O, W_U):
    said = W_E @ W_V @ W_O @ W_U
    first = said.topk(int(0.05 * len(W_E)), dim=-1).indices
    hit = (first == torch.arange(len(W_E))[:, None]).any(-1)
    return (hit.double().mean(-1) > 0.4).int()


@right("find_copying_heads")
def detector_with_one_place_more(W_E, W_V, W_O, W_U):
    weights = torch.ones(len(W_E))
    return top_k_copying_accuracy(W_E, W_V, W_O, W_U, len(W_E) // 20 + 1, weights) >= 0.5


@right("find_copying_heads")
def detector_by_first_places(W_E, W_V, W_O, W_U):
    # First places alone, held against what chance gives.
    return top_k_copying_accuracy(W_E, W_V, W_O, W_U, 1, torch.ones(len(W_E))) > 0.23
