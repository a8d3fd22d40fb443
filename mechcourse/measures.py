"""What is measured on the models of the zoo: losses, heads, circuits, what paths are worth.

Each figure stands beside what chance gives where chance has something to give; the science tests
hold the shipped models to the zoo's table of them.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mechcourse.circuits import (
    composition_null,
    composition_score,
    composition_z_scores,
    copying_score,
    layer_weights,
    logits_by_order,
    top_k_copying_accuracy,
)
from mechcourse.data import (
    bigram_counts,
    code_tokens,
    consecutive_windows,
    repeated_sequences,
    repeated_tokens,
)
from mechcourse.models import Transformer
from mechcourse.training import next_token_losses

N_ROTATIONS = 200
EVERY_NTH_WINDOW = 20  # of the held-out text: some thirty windows of the whole context
D_VOCAB, N_CTX = 512, 256  # of the code models
PERIODS, OFFSETS = (16, 32), (0, 15)  # of the repeated sequences that models are trained on


def measure_code_model(model: Transformer) -> dict[str, float]:
    """Held-out loss in nats; where there are layers, the best heads and what paths are worth."""
    measured = {"held_out_loss": round(held_out_loss(model), 4)}
    if model.config.n_layers:
        measured |= _best_head("induction", induction_scores(model))
        measured |= copying_figures(model) | order_figures(model)
    if model.config.n_layers == 2:
        measured |= composition_figures(model)
    return measured


def measure_full_model(model: Transformer) -> dict[str, float]:
    """Held-out loss in nats, and the best heads: what needs patterns only, and no weights.

    Attention on the token before is averaged over held-out code.
    """
    return {
        "held_out_loss": round(held_out_loss(model), 4),
        **_best_head("induction", induction_scores(model)),
        **_best_head("previous_token", previous_token_scores(model)),
    }


def measure_repeats_model(model: Transformer) -> dict[str, float]:
    """Loss in nats on what can be predicted of repeated sequences, and the best heads."""
    seen = look_at_repeats(model, *repeats(model, n_sequences=64, seed=1))
    loss = round(float(seen["loss"]), 4)
    best = _best_head("induction", seen["induction"])
    return {"loss": loss, **best, "previous_token_score": round(float(seen["previous"].max()), 4)}


def repeats(model: Transformer, *, n_sequences: int, seed: int) -> tuple[Tensor, Tensor]:
    """Repeated sequences of all kinds of periods and offsets, as long as a model's context."""
    sizes = n_sequences, model.config.n_ctx, model.config.d_vocab
    return repeated_sequences(*sizes, periods=PERIODS, offsets=OFFSETS, seed=seed)


def look_at_repeats(
    model: Transformer, tokens: Int[Tensor, "batch pos"], predictable: Tensor
) -> dict[str, Tensor]:
    """Loss (nats, predictable tokens) and every head's scores, by layer and head."""
    names = [f"blocks.{layer}.attn.hook_pattern" for layer in range(model.config.n_layers)]
    with torch.no_grad():
        logits, cache = model.run_with_cache(tokens, names=names)
    return {
        "loss": next_token_losses(logits, tokens)[predictable[:, 1:]].mean(),
        "induction": torch.stack([induction_score(cache[name], tokens) for name in names]),
        "previous": torch.stack([offset_attention(cache[name], 1) for name in names]),
    }


def induction_score(
    pattern: Float[Tensor, "batch head query key"], tokens: Int[Tensor, "batch pos"]
) -> Float[Tensor, "head"]:
    """Attention on *all* keys that followed earlier copies of the query's token, per head.

    Averaged over the queries of all texts whose token had come before; 0 where there is none.
    """
    copies = (tokens[:, :, None] == tokens[:, None, :]).tril(-1)  # [batch query earlier]
    followers = torch.nn.functional.pad(copies, (1, 0))[..., :-1]
    repeated = copies.any(dim=-1)
    total = torch.einsum("bhqk,bqk->h", pattern, followers.to(pattern.dtype))
    return total / repeated.sum().clamp(min=1)


def offset_attention(
    pattern: Float[Tensor, "batch head query key"], offset: int
) -> Float[Tensor, "head"]:
    """Mean attention from each position to the one `offset` before it, per head."""
    return pattern.diagonal(offset=-offset, dim1=-2, dim2=-1).mean(dim=(0, 2))


def induction_scores(
    model: Transformer, *, period: int = 64, n_sequences: int = 32, seed: int = 1
) -> Float[Tensor, "layer head"]:
    """Every head's induction score on random tokens, distinct within a period of one length.

    They are repeated to fill the context. Chance, attention spread evenly, is close to 1 / period.
    """
    n_ctx = model.config.n_ctx
    tokens = repeated_tokens(n_sequences, period, n_ctx // period, model.config.d_vocab, seed=seed)
    names = [f"blocks.{layer}.attn.hook_pattern" for layer in range(model.config.n_layers)]
    with torch.no_grad():
        _, cache = model.run_with_cache(tokens, names=names)
    return torch.stack([induction_score(cache[name], tokens) for name in names])


def previous_token_scores(model: Transformer) -> Float[Tensor, "layer head"]:
    """Every head's mean attention on the token before, on held-out code."""
    windows = consecutive_windows(code_tokens("held_out"), model.config.n_ctx)[::EVERY_NTH_WINDOW]
    names = [f"blocks.{layer}.attn.hook_pattern" for layer in range(model.config.n_layers)]
    with torch.no_grad():
        _, cache = model.run_with_cache(windows, names=names)
    return torch.stack([offset_attention(cache[name], 1) for name in names])


def held_out_loss(model: Transformer) -> float:
    """Mean loss in nats a token on the held-out modules, in windows of the whole context."""
    windows = consecutive_windows(code_tokens("held_out"), model.config.n_ctx)
    with torch.no_grad():
        losses = [next_token_losses(model(part), part) for part in windows.split(32)]
    return float(torch.cat(losses).mean())


def baseline_losses(smoothing: float = 0.1) -> dict[str, float]:
    """Held-out losses in nats a token of what needs no network: the lines to beat.

    `uniform` knows the vocabulary's size, `unigram` how often each token comes, `bigram` what
    follows each token; both counted on the training modules with `smoothing` added to each count.
    """
    counts = bigram_counts(code_tokens("train"), D_VOCAB) + smoothing
    windows = consecutive_windows(code_tokens("held_out"), N_CTX)
    before, after = windows[:, :-1], windows[:, 1:]
    unigram = counts.sum(0).div(counts.sum()).log()
    bigram = counts.div(counts.sum(1, keepdim=True)).log()
    return {
        "uniform": float(torch.tensor(float(D_VOCAB)).log()),
        "unigram": float(-unigram[after].mean()),
        "bigram": float(-bigram[before, after].mean()),
    }


def _best_head(name: str, scores: Float[Tensor, "layer head"]) -> dict[str, float]:
    """The largest score, and where it is."""
    layer, head, score = _largest(scores)
    return {f"{name}_score": score, f"{name}_layer": layer, f"{name}_head": head}


def copying_figures(model: Transformer) -> dict[str, float]:
    """The head with the largest copying score, the score, and its top-1 copying accuracy."""
    weights = model.state_dict()
    W_E, W_U = weights["embed.W_E"], weights["unembed.W_U"]
    scores, shares = [], []
    for layer in range(model.config.n_layers):
        attn = layer_weights(weights, layer)
        scores.append(copying_score(W_E, attn["W_V"], attn["W_O"], W_U))
        shares.append(top_k_copying_accuracy(W_E, attn["W_V"], attn["W_O"], W_U, 1))
    layer, head, score = _largest(torch.stack(scores))
    top_1 = round(float(torch.stack(shares)[layer, head]), 4)
    return {
        "copying_score": score,
        "copying_top_1": top_1,
        "copying_layer": layer,
        "copying_head": head,
    }


def composition_figures(model: Transformer) -> dict[str, float]:
    """The pair of a two-layer model that stands out most by K-composition, in z-scores."""
    earlier, later = (layer_weights(model.state_dict(), layer) for layer in (0, 1))
    null = composition_null(earlier, later, "K", N_ROTATIONS, seed=0)
    scores = composition_score(earlier, later, "K")
    first, second, z = _largest(composition_z_scores(scores, null))
    return {
        "k_composition": round(float(scores[first, second]), 4),
        "k_composition_z": round(z, 1),
        "k_composition_from": first,
        "k_composition_to": second,
    }


def order_figures(model: Transformer) -> dict[str, float]:
    """By how many nats each order of path lowers the held-out loss, every pattern held frozen."""
    windows = consecutive_windows(code_tokens("held_out"), model.config.n_ctx)[::EVERY_NTH_WINDOW]
    losses = torch.stack([_losses_by_order(model, part) for part in windows.split(8)])
    uniform = torch.tensor([float(model.config.d_vocab)]).log()
    gains = -torch.cat([uniform, losses.mean(dim=0)]).diff()
    return {f"order_{order}_nats": round(float(gain), 3) for order, gain in enumerate(gains)}


def _losses_by_order(model: Transformer, tokens: Tensor) -> Tensor:
    names = [f"blocks.{layer}.attn.hook_pattern" for layer in range(model.config.n_layers)]
    with torch.no_grad():
        _, cache = model.run_with_cache(tokens, names=names)
        patterns = torch.stack([cache[name] for name in names])
        by_order = logits_by_order(tokens, patterns, model.state_dict())
    return torch.stack([next_token_losses(logits, tokens).mean() for logits in by_order])


def _largest(table: Tensor) -> tuple[int, int, float]:
    """Row, column and value, to four places, of a table's largest entry."""
    row, column = divmod(int(table.argmax()), table.shape[1])
    return row, column, round(float(table.max()), 4)
