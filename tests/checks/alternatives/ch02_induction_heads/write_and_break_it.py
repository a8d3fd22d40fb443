"""Right answers to `ch02_induction_heads/4_write_and_break_it.ipynb` in other styles: all pass."""

import math
import sys
import warnings

import numpy as np
import torch
from einops import einsum

from mechcourse.circuits import haar_rotation
from mechcourse.models import Transformer, TransformerConfig
from tests.checks.harness import right

# ------------------------------------------------------------------------- induction_qk_circuit


@right("induction_qk_circuit")
def circuit_by_matrices(W_E, previous, induction):
    warnings.warn("a warning is no mistake", stacklevel=1)
    print("a note", file=sys.stderr)
    W_QK = induction["W_Q"] @ induction["W_K"].T / math.sqrt(induction["W_K"].shape[-1])
    W_OV = previous["W_V"] @ previous["W_O"]
    return W_E @ W_QK @ W_OV.T @ W_E.T


@right("induction_qk_circuit")
def circuit_in_one_einsum(W_E, previous, induction):
    said = einsum(
        *(t.double() for t in (W_E, induction["W_Q"], induction["W_K"])),
        *(t.double() for t in (previous["W_O"], previous["W_V"], W_E)),
        "a m, m h, n h, v n, o v, b o -> a b",
    )
    return said / induction["W_Q"].shape[1] ** 0.5


@right("induction_qk_circuit")
def circuit_in_numpy(W_E, previous, induction):
    E = W_E.numpy()
    keys = E @ previous["W_V"].numpy() @ previous["W_O"].numpy() @ induction["W_K"].numpy()
    return (E @ induction["W_Q"].numpy()) @ keys.T / np.sqrt(keys.shape[1])


@right("induction_qk_circuit")
def circuit_as_a_view(W_E, previous, induction):
    keys = W_E @ (previous["W_V"] @ (previous["W_O"] @ induction["W_K"]))
    queries = (W_E @ induction["W_Q"]).requires_grad_()
    return (keys @ queries.T / keys.shape[1] ** 0.5).T


# ---------------------------------------------------------------------------- diagonal_accuracy


@right("diagonal_accuracy")
def accuracy_in_loops(circuit, weights=None):
    n = len(circuit)
    right = total = 0.0
    for i in range(n):
        weight = 1.0 if weights is None else float(weights[i])
        total += weight
        if all(circuit[i, i] > circuit[i, j] for j in range(n) if j != i):
            right += weight
    return right / total


@right("diagonal_accuracy")
def accuracy_over_the_best_rival(circuit, weights=None):
    own = circuit.diagonal()
    rivals = circuit.clone().fill_diagonal_(-torch.inf).amax(dim=1)
    right = (own > rivals).double()
    weights = torch.ones(len(own)) if weights is None else weights
    return (right @ weights.double()) / weights.double().sum()


@right("diagonal_accuracy")
def accuracy_in_numpy(circuit, weights=None):
    C = circuit.numpy()
    hits = (np.diag(C)[:, None] <= C).sum(1) == 1
    return np.average(hits, weights=None if weights is None else weights.numpy())


@right("diagonal_accuracy")
def accuracy_by_sorting(circuit, weights=None):
    padded = torch.nn.functional.pad(circuit, (0, 1), value=-torch.inf)
    top = padded.topk(2, dim=1)
    first = top.indices[:, 0] == torch.arange(len(circuit))
    right = first & (top.values[:, 0] > top.values[:, 1])
    if weights is None:
        return right.float().mean()
    return (weights * right).sum() / weights.sum()


# ---------------------------------------------------------------------- write_induction_by_hand


def by_two_layers(codes, positions, *, sharp, n_heads=1, dtype=torch.float32):
    """Weights with these codes of tokens, [16 code], and of positions, [32 place], both unit.

    The token of the second layer's key is written to a part of its own, and position 0 is kept
    from the second layer by a term of its own.
    """
    code, place = codes.shape[1], positions.shape[1]
    token, before, out = (slice(i * code, (i + 1) * code) for i in range(3))
    where, first, one = slice(64 - place - 2, 62), 62, 63
    weights = {"embed.W_E": torch.zeros(16, 64), "pos_embed.W_pos": torch.zeros(32, 64)}
    weights["embed.W_E"][:, token] = codes
    weights["pos_embed.W_pos"][:, where] = positions
    weights["pos_embed.W_pos"][0, first] = 1
    weights["pos_embed.W_pos"][:, one] = 1
    for layer in (0, 1):
        for name in "QKV":
            weights[f"blocks.{layer}.attn.W_{name}"] = torch.zeros(n_heads, 64, 32)
        weights[f"blocks.{layer}.attn.W_O"] = torch.zeros(n_heads, 32, 64)
    head = n_heads - 1
    W_Q, W_K, W_V, W_O = (weights[f"blocks.0.attn.W_{x}"][head] for x in "QKVO")
    shift = torch.linalg.lstsq(positions[1:], positions[:-1]).solution  # from a place to the last
    W_Q[where, :place] = sharp * shift
    W_K[where, :place] = torch.eye(place)
    W_V[token, :code] = torch.eye(code)
    W_O[:code, before] = torch.eye(code)
    W_Q, W_K, W_V, W_O = (weights[f"blocks.1.attn.W_{x}"][0] for x in "QKVO")
    W_Q[token, :code] = sharp * torch.eye(code)
    W_K[before, :code] = torch.eye(code)
    W_Q[one, 31], W_K[first, 31] = sharp, -2
    W_V[token, :code] = torch.eye(code)
    W_O[:code, out] = torch.eye(code)
    weights["unembed.W_U"] = torch.zeros(64, 16)
    weights["unembed.W_U"][out] = codes.T
    return {name: weight.to(dtype) for name, weight in weights.items()}


@right("write_induction_by_hand")
def by_hand_in_codes_and_waves():
    bits = torch.tensor([[1.0 if n >> b & 1 else -1.0 for b in range(4)] for n in range(16)]) / 2
    freqs = torch.arange(1, 16) * math.pi / 16.5
    angles = torch.arange(32)[:, None] * freqs
    waves = torch.cat([angles.cos(), angles.sin()], dim=1) / math.sqrt(15)
    return by_two_layers(bits, waves, sharp=300.0)


@right("write_induction_by_hand")
def by_hand_with_four_heads_in_float64():
    torch.manual_seed(3)
    freqs = torch.arange(1, 8) * math.pi / 7.7
    angles = torch.arange(32)[:, None] * freqs
    waves = torch.cat([angles.cos(), angles.sin()], dim=1) / math.sqrt(7)
    codes = torch.eye(16)
    weights = by_two_layers(codes, waves, sharp=4000.0, n_heads=4, dtype=torch.float64)
    for name in ("blocks.0.attn.W_Q", "blocks.1.attn.W_V"):
        weights[name][1] = torch.randn(64, 32)  # heads that look about and write nothing
    return weights


@right("write_induction_by_hand")
def by_hand_turned_about():
    weights = write_induction_by_hand()
    turn = haar_rotation(64, torch.Generator().manual_seed(1)).float()
    reads = ("W_Q", "W_K", "W_V", "W_U")
    return {
        name: turn.T @ weight if name.endswith(reads) else weight @ turn
        for name, weight in weights.items()
    }


@right("write_induction_by_hand")
def by_hand_into_a_model():
    sizes = {"d_model": 64, "n_heads": 1, "d_head": 32, "d_vocab": 16, "n_ctx": 32}
    model = Transformer(TransformerConfig(2, **sizes))
    for name, weight in model.named_parameters():
        weight.data.copy_(write_induction_by_hand()[name])
    return model.state_dict()


@right("write_induction_by_hand")
def by_hand_in_numpy():
    return {name: weight.numpy() for name, weight in write_induction_by_hand().items()}


@right("write_induction_by_hand")
def by_hand_that_takes_its_own_token_off():
    weights = write_induction_by_hand()
    weights["blocks.1.attn.W_K"][0, :16] = 0
    weights["blocks.1.attn.W_O"][0, :16, :16] = 0
    weights["blocks.1.attn.W_O"][0, :16, 32:48] = torch.eye(16)
    weights["unembed.W_U"][:16] = -torch.eye(16)
    weights["unembed.W_U"][32:48] = torch.eye(16)
    return weights


# ------------------------------------------------------------------------------- key_path_leads


@right("key_path_leads")
def leads_in_loops(model, tokens, right, wrong, head):
    layer, index = head
    attn = model.blocks[layer].attn
    _, cache = model.run_with_cache(tokens)
    parts = {
        "token": cache["hook_embed"],
        "position": cache["hook_pos_embed"].expand(*tokens.shape, -1),
    }
    for earlier in range(layer):
        for i in range(model.config.n_heads):
            parts[f"{earlier}.{i}"] = cache[f"blocks.{earlier}.attn.hook_result"][:, :, i]
    leads = {}
    for name, part in parts.items():
        seen = []
        for b in range(len(tokens)):
            for i in range(tokens.shape[1]):
                query = cache[f"blocks.{layer}.attn.hook_q"][b, i, index]
                row = (part[b] @ attn.W_K[index]) @ query / attn.W_K.shape[-1] ** 0.5
                if right[b, i].any() and wrong[b, i].any():
                    seen.append((row[right[b, i]].mean() - row[wrong[b, i]].mean()).item())
        leads[name] = sum(seen) / len(seen) if seen else 0
    return leads


@right("key_path_leads")
def leads_through_z(model, tokens, right, wrong, head):
    layer, index = head
    names = ["hook_embed", f"blocks.{layer}.hook_resid_pre"]
    names += [f"blocks.{earlier}.attn.hook_z" for earlier in range(layer)]
    with torch.no_grad():
        _, cache = model.run_with_cache(tokens, names=names)
        attn = model.blocks[layer].attn
        position = model.pos_embed(tokens).double()
        W_Q, W_K = attn.W_Q[index].double(), attn.W_K[index].double()
        query = (cache[names[1]].double() + position) @ W_Q
        parts = [cache["hook_embed"].double(), position.expand(*tokens.shape, -1)]
        labels = ["token", "position"]
        for earlier in range(layer):
            z = cache[f"blocks.{earlier}.attn.hook_z"].double()
            W_O = model.blocks[earlier].attn.W_O.double()
            for i in range(z.shape[2]):
                labels.append(f"{earlier}.{i}")
                parts.append(z[:, :, i] @ W_O[i])
        keys = torch.stack(parts) @ W_K
    scores = torch.einsum("bqd,pbkd->pbqk", query, keys) / W_K.shape[1] ** 0.5
    n_right, n_wrong = right.sum(-1), wrong.sum(-1)
    both = ((n_right > 0) & (n_wrong > 0)).double()
    weight = right / n_right.clamp(min=1)[..., None] - wrong / n_wrong.clamp(min=1)[..., None]
    total = torch.einsum("pbqk,bqk,bq->p", scores, weight.double(), both)
    return dict(zip(labels, (total / both.sum().clamp(min=1)).unbind(), strict=True))


@right("key_path_leads")
def leads_by_leaving_parts_out(model, tokens, right, wrong, head):
    # Position by position in another order of the dict, with NaN for queries that do not count.
    layer, index = head
    q = f"blocks.{layer}.attn.hook_q"
    names = [f"blocks.{earlier}.attn.hook_result" for earlier in range(layer)]
    _, cache = model.run_with_cache(tokens, names=[q, *names])
    weights = model.state_dict()
    W_K = weights[f"blocks.{layer}.attn.W_K"][index]
    asks = cache[q][:, :, index] @ W_K.T / math.sqrt(W_K.shape[1])  # [batch query d_model]
    written = {
        f"{a}.{b}": cache[name][:, :, b]
        for a, name in enumerate(names)
        for b in range(model.config.n_heads)
    }
    position = weights["pos_embed.W_pos"][None, : tokens.shape[1]].repeat(len(tokens), 1, 1)
    parts = written | {"position": position, "token": weights["embed.W_E"][tokens]}
    leads = {}
    for name, part in parts.items():
        scores = asks @ part.mT
        on_right, on_wrong = (
            scores.masked_fill(~mask, torch.nan).nanmean(-1) for mask in (right, wrong)
        )
        leads[name] = (on_right - on_wrong).nanmean().nan_to_num(0.0).item()
    return leads


# --------------------------------------------------------------------------------- smeared_keys


@right("smeared_keys")
def smeared_in_loops(k, alpha):
    mixed = k.clone()
    for h, a in enumerate(alpha.tolist()):
        share = 1 / (1 + math.exp(-a))
        for i in range(1, k.shape[1]):
            mixed[:, i, h] = share * k[:, i, h] + (1 - share) * k[:, i - 1, h]
    return mixed


@right("smeared_keys")
def smeared_by_a_matrix(k, alpha):
    n = k.shape[1]
    share = alpha.double().sigmoid()[:, None, None]
    back = torch.eye(n).double().roll(1, 0)
    back[0] = torch.eye(n)[0]
    mix = share * torch.eye(n).double() + (1 - share) * back  # [head pos pos]
    return torch.einsum("hij,bjhd->bihd", mix, k.double())


@right("smeared_keys")
def smeared_by_lerp(k, alpha):
    later = torch.lerp(k[:, :-1], k[:, 1:], alpha.sigmoid()[None, None, :, None])
    return torch.cat([k[:, :1], later], dim=1)


@right("smeared_keys")
def smeared_in_numpy(k, alpha):
    keys, share = k.numpy().copy(), 1 / (1 + np.exp(-alpha.numpy()))[:, None]
    keys[:, 1:] = share * k.numpy()[:, 1:] + (1 - share) * k.numpy()[:, :-1]
    return keys


# ---------------------------------------------------------------------------- resample_ablation


@right("resample_ablation")
def resampled_results(model, tokens, other, predictable, kept):
    kept = {tuple(head) for head in kept}
    names = [f"blocks.{layer}.attn.hook_result" for layer in range(model.config.n_layers)]
    _, cache = model.run_with_cache(other, names=names)

    def loss(keeps):
        def hook(result, point):
            layer = int(point.name.split(".")[1])
            mask = torch.tensor([keeps(layer, h) for h in range(result.shape[2])])
            return torch.where(mask[:, None], result, cache[point.name])

        logits = model.run_with_hooks(tokens, fwd_hooks=[(name, hook) for name in names])
        log_probs = logits[:, :-1].double().log_softmax(-1)
        losses = -log_probs.gather(-1, tokens[:, 1:, None])[..., 0]
        return losses[predictable[:, 1:]].mean().detach()

    none, scrubbed, whole = (
        loss(keeps)
        for keeps in (
            lambda layer, h: False,
            lambda layer, h: (layer, h) in kept,
            lambda layer, h: True,
        )
    )
    return torch.where(none == whole, 0.0, (none - scrubbed) / (none - whole))


@right("resample_ablation")
def resampled_without_hooks(model, tokens, other, predictable, kept):
    weights = {name: weight.double() for name, weight in model.state_dict().items()}
    n_pos = tokens.shape[1]
    places = weights["pos_embed.W_pos"][:n_pos]
    future = torch.ones(n_pos, n_pos, dtype=torch.bool).triu(1)

    def run(text, instead=None, keeps=()):
        stream, written = weights["embed.W_E"][text], {}
        for layer in range(model.config.n_layers):
            placed, after = stream + places, stream
            for head in range(model.config.n_heads):
                W_Q, W_K, W_V, W_O = (weights[f"blocks.{layer}.attn.W_{x}"][head] for x in "QKVO")
                scores = (placed @ W_Q) @ (placed @ W_K).mT / W_Q.shape[1] ** 0.5
                pattern = scores.masked_fill(future, -torch.inf).softmax(-1)
                own = pattern @ stream @ W_V @ W_O
                use = own if instead is None or (layer, head) in keeps else instead[layer, head]
                written[layer, head] = own
                after = after + use
            stream = after
        return stream @ weights["unembed.W_U"], written

    def loss(logits):
        shown = logits[:, :-1].log_softmax(-1).gather(-1, tokens[:, 1:, None])[..., 0]
        counted = predictable[:, 1:].double()
        return -float((shown * counted).sum() / counted.sum())

    there = run(other)[1]
    whole, none = loss(run(tokens)[0]), loss(run(tokens, there)[0])
    return (none - loss(run(tokens, there, kept)[0])) / (none - whole) if none != whole else 0


@right("resample_ablation")
def resampled_in_one_batch(model, tokens, other, predictable, kept):
    # Both texts go through the model together; the second half is what heads are resampled from.
    n = len(tokens)

    def loss(resampled):
        def hook(z, point):
            layer = int(point.name.split(".")[1])
            z = z.clone()
            for a, head in resampled:
                if a == layer:
                    z[:n, :, head] = z[n:, :, head]
            return z

        names = [f"blocks.{layer}.attn.hook_z" for layer in range(model.config.n_layers)]
        both = torch.cat([tokens, other])
        with torch.no_grad():
            logits = model.run_with_hooks(both, fwd_hooks=[(name, hook) for name in names])[:n]
        each = torch.nn.functional.cross_entropy(
            logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten(), reduction="none"
        )
        return each[predictable[:, 1:].flatten()].mean().item()

    every = [(a, b) for a in range(model.config.n_layers) for b in range(model.config.n_heads)]
    none, whole = loss(every), loss([])
    scrubbed = loss([head for head in every if head not in kept])
    return (none - scrubbed) / (none - whole) if none - whole else 0.0
