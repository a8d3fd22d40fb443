"""Right answers to `ch01_attention/1_residual_stream.ipynb` in other styles: all must pass."""

import math
import sys
import warnings
from collections import OrderedDict
from typing import NamedTuple

import numpy as np
import torch
from einops import einsum, rearrange
from torch.nn import functional

from tests.checks.harness import right

# ------------------------------------------------------------------------------- bigram_logits


@right("bigram_logits")
def bigrams_by_hand(W_E, W_U):
    print("rows:", len(W_E))
    print("a note", file=sys.stderr)
    warnings.warn("a warning is no mistake", stacklevel=1)
    return [
        [sum(a * b for a, b in zip(e, u, strict=True)) for u in W_U.T.tolist()]
        for e in W_E.tolist()
    ]


@right("bigram_logits")
def bigrams_in_numpy(W_E, W_U):
    return W_E.numpy().astype(np.float64) @ W_U.numpy()


@right("bigram_logits")
def bigrams_with_gradients(W_E, W_U):
    torch.manual_seed(0)
    return (W_U.requires_grad_().T @ W_E.T).T


@right("bigram_logits")
def bigrams_as_a_parameter(W_E, W_U):
    return torch.nn.Parameter(functional.linear(W_E, W_U.T))


# ------------------------------------------------------------------------------- kl_to_bigrams


@right("kl_to_bigrams")
def kl_in_loops(logits, counts, *, direction, smoothing):
    total, n = 0.0, len(counts)
    for row, seen in enumerate(counts.sum(1).tolist()):
        if not seen:
            continue
        data = [(c + smoothing) / (seen + n * smoothing) for c in counts[row].tolist()]
        model = logits[row].double().softmax(0).tolist()
        pairs = (
            zip(data, model, strict=True)
            if direction == "data_to_model"
            else zip(model, data, strict=True)
        )
        total += seen * sum((p * math.log(p / q) if q else math.inf) for p, q in pairs if p)
    return total / float(counts.sum())


@right("kl_to_bigrams")
def kl_by_torch(logits, counts, *, direction, smoothing):
    data = (counts + smoothing) / (counts + smoothing).sum(-1, keepdim=True)
    model = logits.double().softmax(-1)
    p, q = (data, model) if direction == "data_to_model" else (model, data)
    rows = functional.kl_div(q.log(), p, reduction="none").nan_to_num(0.0).sum(-1)
    return (rows * counts.sum(-1)).sum() / counts.sum()


@right("kl_to_bigrams")
def kl_by_xlogy(logits, counts, *, direction, smoothing):
    rows = counts.sum(-1) > 0
    counts, logits = counts[rows], logits[rows].double()
    data = (counts + smoothing) / (counts + smoothing).sum(-1, keepdim=True)
    p, q = (data, logits.softmax(-1))[:: 1 if direction == "data_to_model" else -1]
    mean = torch.average if hasattr(torch, "average") else np.average
    return mean(
        (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(-1).numpy(), weights=counts.sum(-1).numpy()
    )


@right("kl_to_bigrams")
def kl_in_single_precision(logits, counts, *, direction, smoothing):
    counts, logits = counts.float(), logits.float()
    data = torch.distributions.Categorical((counts + smoothing)[counts.sum(1) > 0])
    model = torch.distributions.Categorical(logits=logits[counts.sum(1) > 0])
    pair = (data, model) if direction == "data_to_model" else (model, data)
    p, q = (one.probs for one in pair)
    rows = torch.where(p > 0, p * (p / q).log(), torch.tensor(0.0)).sum(1)
    weights = counts.sum(1)[counts.sum(1) > 0]
    return rows @ weights / weights.sum()


# ------------------------------------------------------------------------- queries_keys_values


@right("queries_keys_values")
def reads_in_a_list(residual, W_pos, W_Q, W_K, W_V):
    placed = residual.clone()
    for i in range(residual.shape[1]):
        placed[:, i] += W_pos[i]
    reads = ((placed, W_Q), (placed, W_K), (residual, W_V))
    return [torch.stack([x @ W[h] for h in range(len(W))], 2) for x, W in reads]


@right("queries_keys_values")
def reads_as_views(residual, W_pos, W_Q, W_K, W_V):
    def read(x, W):
        return (x[:, None] @ W).permute(0, 2, 1, 3)

    placed = residual + W_pos.narrow(0, 0, residual.size(1))
    return read(placed, W_Q), read(placed, W_K), read(residual, W_V)


@right("queries_keys_values")
def reads_in_one_product(residual, W_pos, W_Q, W_K, W_V):
    n_heads = len(W_Q)
    placed = (residual + W_pos[: residual.shape[1]]).double()

    def read(x, W):
        return rearrange(
            x @ rearrange(W.double(), "h m d -> m (h d)"), "b p (h d) -> b p h d", h=n_heads
        )

    return read(placed, W_Q), read(placed, W_K), read(residual.double(), W_V)


@right("queries_keys_values")
def reads_in_a_named_tuple(residual, W_pos, W_Q, W_K, W_V):
    class Reads(NamedTuple):
        q: torch.Tensor
        k: torch.Tensor
        v: torch.Tensor

    def read(x, W):
        return np.einsum("bpm,hmd->bphd", x.numpy(), W.numpy())

    placed = residual + W_pos[: residual.shape[1]]
    return Reads(read(placed, W_Q), read(placed, W_K), read(residual, W_V))


# --------------------------------------------------------------------------- attention_pattern


@right("attention_pattern")
def pattern_by_rows(q, k):
    out = torch.zeros(q.shape[0], q.shape[2], q.shape[1], q.shape[1])
    for i in range(q.shape[1]):
        scores = (q[:, i, None] * k[:, : i + 1]).sum(-1) / q.shape[-1] ** 0.5
        out[:, :, i, : i + 1] = scores.softmax(1).transpose(1, 2)
    return out


@right("attention_pattern")
def pattern_with_a_large_negative_number(q, k):
    scores = torch.einsum("bihd,bjhd->bhij", q / math.sqrt(q.shape[-1]), k)
    return torch.where(torch.ones_like(scores).tril() == 1, scores, torch.tensor(-1e9)).softmax(-1)


@right("attention_pattern")
def pattern_by_the_fused_kernel(q, k):
    q, k = q.transpose(1, 2), k.transpose(1, 2)
    eye = torch.eye(q.shape[2]).expand(*q.shape[:2], -1, -1)
    return functional.scaled_dot_product_attention(q, k, eye, is_causal=True)


@right("attention_pattern")
def pattern_scaling_both(q, k):
    root = q.shape[-1] ** 0.25
    q, k = (q / root).permute(0, 2, 1, 3), (k / root).permute(0, 2, 3, 1)
    mask = torch.full((q.shape[2], q.shape[2]), -torch.inf).triu(1)
    return torch.nn.Softmax(dim=3)((q @ k + mask).requires_grad_())


@right("attention_pattern")
def pattern_in_numpy(q, k):
    scores = np.einsum("bihd,bjhd->bhij", q.double(), k.double()) / np.sqrt(q.shape[-1])
    scores = np.where(np.tri(q.shape[1], dtype=bool), scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


# -------------------------------------------------------------------------------- head_outputs


@right("head_outputs")
def writes_head_by_head(pattern, v, W_O):
    heads = [pattern[:, h] @ v[:, :, h] @ W_O[h] for h in range(len(W_O))]
    return torch.stack(heads, dim=2)


@right("head_outputs")
def writes_before_moving(pattern, v, W_O):
    written = einsum(v, W_O, "b k h d, h d m -> b h k m")
    return (pattern @ written).transpose(1, 2)


@right("head_outputs")
def writes_in_one_einsum(pattern, v, W_O):
    return torch.einsum("bhqk,bkhd,hdm->bqhm", pattern.double(), v.double(), W_O.double())


# ----------------------------------------------------------------------- attention_only_logits


@right("attention_only_logits")
def forward_by_the_fused_kernel(tokens, weights):
    x = functional.embedding(tokens, weights["embed.W_E"])
    n_layers = sum("W_O" in name for name in weights)
    for layer in range(n_layers):
        W = {name[-3:]: w for name, w in weights.items() if name.startswith(f"blocks.{layer}.")}
        placed = x + weights["pos_embed.W_pos"][: tokens.shape[1]]
        q, k, v = placed[:, None] @ W["W_Q"], placed[:, None] @ W["W_K"], x[:, None] @ W["W_V"]
        z = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + (z @ W["W_O"]).sum(1)
    return x @ weights["unembed.W_U"]


@right("attention_only_logits")
def forward_in_double(tokens, weights):
    return attention_only_logits(tokens, {k: w.double() for k, w in weights.items()})


@right("attention_only_logits")
def forward_text_by_text(tokens, weights):
    return torch.cat(
        [attention_only_logits(text[None], weights) for text in tokens]
    ).requires_grad_()


@right("attention_only_logits")
def forward_with_merged_heads(tokens, weights):
    x = (
        torch.nn.functional.one_hot(tokens, len(weights["embed.W_E"])).float()
        @ weights["embed.W_E"]
    )
    layers = sorted({int(name.split(".")[1]) for name in weights if name.startswith("blocks.")})
    n = tokens.shape[1]
    for layer in layers:
        W_Q, W_K, W_V, W_O = (weights[f"blocks.{layer}.attn.W_{c}"] for c in "QKVO")
        placed = x + weights["pos_embed.W_pos"][:n]
        scores = (
            torch.einsum("bim,hmn,bjn->bhij", placed, W_Q @ W_K.mT, placed) / W_Q.shape[-1] ** 0.5
        )
        pattern = scores.masked_fill(torch.arange(n)[:, None] < torch.arange(n), -1e30).softmax(-1)
        x = x + torch.einsum("bhij,bjm,hmn->bin", pattern, x, W_V @ W_O)
    return x @ weights["unembed.W_U"]


# --------------------------------------------------------------------------- logit_attribution


@right("logit_attribution")
def attributed_by_gather(components, W_U, targets):
    every = components @ W_U
    return every[:, torch.arange(len(targets)), targets]


@right("logit_attribution")
def attributed_in_loops(components, W_U, targets):
    return [
        [float(components[c, i] @ W_U[:, t]) for i, t in enumerate(targets)]
        for c in range(len(components))
    ]


@right("logit_attribution")
def attributed_by_products(components, W_U, targets):
    return (components.double() * W_U.T[targets].double()).sum(-1)


# -------------------------------------------------------------------------------- update_norms


@right("update_norms")
def update_by_loops(stream):
    ratios, cosines = [], []
    for before, after in zip(stream[:-1].double(), stream[1:].double(), strict=True):
        update = (after - before).flatten(0, 1)
        x = before.flatten(0, 1)
        r = [float(u.norm() / b.norm()) for u, b in zip(update, x, strict=True)]
        c = [
            float(u @ b / (u.norm() * b.norm())) if u.any() else 0.0
            for u, b in zip(update, x, strict=True)
        ]
        ratios.append(sum(r) / len(r))
        cosines.append(sum(c) / len(c))
    return ratios, cosines


@right("update_norms")
def update_by_diff(stream):
    update, before = stream.diff(dim=0), stream[:-1]
    norm, size = torch.linalg.vector_norm(update, dim=-1), torch.linalg.vector_norm(before, dim=-1)
    cosine = (update * before).sum(-1) / (norm * size).clamp_min(1e-12)
    return [(norm / size).mean((-1, -2)), cosine.mean((-1, -2))]


@right("update_norms")
def update_in_numpy(stream):
    x = stream.double().numpy()
    update, before = np.diff(x, axis=0), x[:-1]
    norm, size = np.linalg.norm(update, axis=-1), np.linalg.norm(before, axis=-1)
    with np.errstate(all="ignore"):
        cosine = np.nan_to_num((update * before).sum(-1) / norm / size)
    return (norm / size).mean((1, 2)), cosine.mean((1, 2))


@right("update_norms")
def update_of_unit_vectors(stream):
    update, before = stream[1:] - stream[:-1], stream[:-1]
    cosine = (functional.normalize(update, dim=-1) * functional.normalize(before, dim=-1)).sum(-1)
    return update.norm(dim=-1).div(before.norm(dim=-1)).mean((1, 2)), cosine.mean((1, 2))


# ---------------------------------------------------------------------- rotate_residual_stream


@right("rotate_residual_stream")
def turned_in_reverse_order(weights, rotation):
    back = torch.linalg.inv(rotation.double())
    out = OrderedDict()
    for name in reversed(list(weights)):
        W = weights[name].double()
        reads = name.split(".")[-1] in ("W_Q", "W_K", "W_V", "W_U")
        out[name] = torch.einsum("mn,...nd->...md", back, W) if reads else W @ rotation.double()
    return out


@right("rotate_residual_stream")
def turned_by_the_inverse(weights, rotation):
    back = torch.linalg.inv(rotation.double())
    reads = ("W_Q", "W_K", "W_V", "W_U")
    return {
        name: (back @ W.double()).float() if name.endswith(reads) else W.matmul(rotation)
        for name, W in reversed(weights.items())
    }


@right("rotate_residual_stream")
def turned_and_more(weights, rotation):
    # Queries and keys may be turned against each other as well: no score changes.
    out = rotate_residual_stream(weights, rotation)
    for name in out:
        if name.endswith("W_Q"):
            out[name] = 2 * out[name]
        if name.endswith("W_K"):
            out[name] = out[name] / 2
    return {name: value.numpy() for name, value in out.items()}


# ------------------------------------------------------------------- centred_logit_attribution


@right("centred_logit_attribution")
def centred_afterwards(components, W_U, targets):
    every = components @ W_U
    every = every - every.mean(-1, keepdim=True)
    return every.gather(2, targets[None, :, None].expand(len(every), -1, 1)).squeeze(-1)


@right("centred_logit_attribution")
def centred_as_a_difference(components, W_U, targets):
    return logit_attribution(components, W_U, targets) - components @ W_U.mean(1)


@right("centred_logit_attribution")
def centred_in_numpy(components, W_U, targets):
    directions = W_U.numpy()[:, targets.numpy()] - W_U.numpy().mean(1)[:, None]
    return np.einsum("cpm,mp->cp", components.numpy(), directions)


# ---------------------------------------------------------------------- attribution_percentile


@right("attribution_percentile")
def share_in_loops(components, W_U, targets):
    every = (components @ W_U).tolist()
    out = []
    for rows in every:
        out.append([])
        for row, target in zip(rows, targets.tolist(), strict=True):
            points = sum((x < row[target]) + (x == row[target]) / 2 for x in row) - 0.5
            out[-1].append(points / (len(row) - 1))
    return out


@right("attribution_percentile")
def share_by_sign(components, W_U, targets):
    every = components.double() @ W_U.double()
    mine = every[:, torch.arange(len(targets)), targets]
    return ((mine[..., None] - every).sign().sum(-1) / (W_U.shape[1] - 1) + 1) / 2


@right("attribution_percentile")
def share_by_sorting(components, W_U, targets):
    every = components @ W_U
    mine = every.gather(-1, targets.expand(len(components), -1)[..., None])
    ordered = every.sort(-1).values
    low = torch.searchsorted(ordered, mine)
    high = torch.searchsorted(ordered, mine, right=True)
    return ((low + high - 1)[..., 0] / 2) / (every.shape[-1] - 1)


# -------------------------------------------------------------------- attribution_disagreement


@right("attribution_disagreement")
def misleads_by_the_last_heads(n_heads, d_model, d_vocab):
    writes = torch.zeros(n_heads, d_model, dtype=torch.float64)
    W_U = torch.zeros(d_model, d_vocab, requires_grad=True)
    writes[-1, -1], writes[-2, -2] = 1.0, 1.0
    with torch.no_grad():
        W_U[-1], W_U[-2, d_vocab - 1] = 100.0, 5.0
    return [writes, W_U, torch.tensor(d_vocab - 1)]


@right("attribution_disagreement")
def misleads_at_random(n_heads, d_model, d_vocab):
    random = np.random.default_rng(0)
    basis = np.linalg.qr(random.normal(size=(d_model, d_model)))[0]
    W_U = basis[:, :1] * 10 + basis[:, 1:2] * (np.arange(d_vocab) == 2) * 4
    writes = np.zeros((n_heads, d_model))
    writes[0], writes[1] = basis[:, 1], basis[:, 0]
    return writes, W_U, np.int64(2)


@right("attribution_disagreement")
def misleads_with_negative_heads(n_heads, d_model, d_vocab):
    # The target's own head pushes the others down; the rest whisper.
    W_U = 0.001 * torch.ones(d_model, d_vocab)
    W_U[0], W_U[1] = 50.0, -6.0
    W_U[1, 0] = 1.0
    writes = 0.01 * torch.ones(n_heads, d_model)
    writes[:, :2] = 0.0
    writes[0, 0], writes[1, 1] = 0.5, 1.0
    return writes.tolist(), W_U, 0
