"""Right answers to `ch02_induction_heads/5_in_real_models.ipynb` in other styles: all pass."""

import math
import re
import sys
import warnings
from bisect import bisect_right
from fractions import Fraction
from itertools import pairwise

import numpy as np
import torch
from einops import einsum

from tests.checks.harness import right

# ------------------------------------------------------------------------------ fold_layer_norm


@right("fold_layer_norm")
def folded_layer_by_layer(weights):
    warnings.warn("a warning is no mistake", stacklevel=1)
    print("a note", file=sys.stderr)
    new = {name: weight.clone() for name, weight in weights.items()}
    layer = 0
    while f"blocks.{layer}.ln1.w" in new:
        block = f"blocks.{layer}"
        for letter in "QKV":
            W, b = new[f"{block}.attn.W_{letter}"], new[f"{block}.attn.b_{letter}"]
            b += einsum(new[f"{block}.ln1.b"], W, "m, h m d -> h d")
            W *= new[f"{block}.ln1.w"][None, :, None]
        new[f"{block}.ln1.w"][:], new[f"{block}.ln1.b"][:] = 1, 0
        if f"{block}.ln2.w" in new:
            new[f"{block}.mlp.b_in"] += new[f"{block}.ln2.b"] @ new[f"{block}.mlp.W_in"]
            new[f"{block}.mlp.W_in"] *= new[f"{block}.ln2.w"][:, None]
            new[f"{block}.ln2.w"][:], new[f"{block}.ln2.b"][:] = 1, 0
        layer += 1
    new["unembed.b_U"] += new["ln_final.b"] @ new["unembed.W_U"]
    new["unembed.W_U"] *= new["ln_final.w"].unsqueeze(1)
    new["ln_final.w"][:], new["ln_final.b"][:] = 1, 0
    return new


@right("fold_layer_norm")
def folded_reader_by_reader(weights):
    def norm_of(name):
        layer = re.match(r"(blocks\.\d+\.)(attn|mlp)\.[Wb]_(Q|K|V|in)$", name)
        if layer:
            return layer[1] + ("ln1" if layer[2] == "attn" else "ln2")
        return "ln_final" if name in ("unembed.W_U", "unembed.b_U") else None

    folded = {}
    for name in sorted(weights):
        value, norm = weights[name], norm_of(name)
        if re.search(r"(ln1|ln2|ln_final)\.[wb]$", name):
            value = torch.full(value.shape, float(name.endswith("w")))  # float32, whatever it was
        elif norm and ".W_" in name:
            value = torch.diag(weights[norm + ".w"]) @ value
        elif norm:
            value = value + (weights[norm + ".b"] @ weights[name.replace(".b_", ".W_")])
        folded[name] = value
    return folded


@right("fold_layer_norm")
def folded_in_numpy(weights):
    arrays = {name: weight.detach().double().numpy().copy() for name, weight in weights.items()}
    for name in list(arrays):
        if not name.endswith("ln1.b") and not name.endswith("ln2.b") and name != "ln_final.b":
            continue
        head, _, kind = name[:-2].rpartition(".")
        kinds = {
            "ln1": [f"{head}.attn.%s_{kind}" for kind in "QKV"],
            "ln2": [f"{head}.mlp.%s_in"],
            "ln_final": ["unembed.%s_U"],
        }
        for reader in kinds[kind]:
            W, b = arrays[reader % "W"], arrays[reader % "b"]
            b += np.tensordot(W, arrays[name], axes=([-2], [0]))
            W *= arrays[name[:-1] + "w"][:, None]
        arrays[name][:], arrays[name[:-1] + "w"][:] = 0, 1
    return arrays


@right("fold_layer_norm")
def folded_and_centred(weights):
    # As TransformerLens does: what a normalised vector reads is the same without W's column means.
    folded = fold_layer_norm(weights)
    for name in folded:
        if name.endswith(("W_Q", "W_K", "W_V", "W_in", "W_U")):
            folded[name] = folded[name] - folded[name].mean(-2, keepdim=True)
    return folded


@right("fold_layer_norm")
def folded_head_by_head(weights):
    folded = {name: torch.nn.Parameter(weight) for name, weight in weights.items()}
    for name in weights:
        if name.endswith(("attn.W_Q", "attn.W_K", "attn.W_V")):
            norm, b = name.split("attn")[0] + "ln1", name.replace("W_", "b_")
            gain, bias = weights[norm + ".w"], weights[norm + ".b"]
            folded[name] = torch.stack([(W.T * gain).T for W in weights[name]])
            folded[b] = torch.stack(
                [
                    b_h + (W.T * bias).sum(1)
                    for W, b_h in zip(weights[name], weights[b], strict=True)
                ]
            )
        elif name.endswith("mlp.W_in"):
            norm = name.split("mlp")[0] + "ln2"
            folded[name] = weights[name].mul(weights[norm + ".w"].view(-1, 1))
            b = name.replace("W_", "b_")
            folded[b] = torch.addmv(weights[b], weights[name].T, weights[norm + ".b"])
    W, gain, bias = (weights[n] for n in ("unembed.W_U", "ln_final.w", "ln_final.b"))
    folded["unembed.W_U"] = (W.T * gain).T  # a view
    folded["unembed.b_U"] = weights["unembed.b_U"] + (bias[:, None] * W).sum(0)
    for name in weights:
        if name.split(".")[-2] in ("ln1", "ln2", "ln_final"):
            folded[name] = torch.ones_like if name.endswith(".w") else torch.zeros_like
            folded[name] = folded[name](weights[name], dtype=torch.long)
    return folded


@right("fold_layer_norm")
def folded_in_float32(weights):
    return {
        name: w.half().float() if "ln" in name else w.float()
        for name, w in fold_layer_norm(weights).items()
    }


# ------------------------------------------------------------------------------- heads_by_depth


@right("heads_by_depth")
def depth_in_loops(scores, threshold, n_parts):
    n_layers, n_heads = scores.shape
    found, heads = [0] * n_parts, [0] * n_parts
    for layer in range(n_layers):
        part = math.floor(Fraction(2 * layer + 1, 2 * n_layers) * n_parts)
        for head in range(n_heads):
            heads[part] += 1
            if scores[layer, head].item() >= threshold:
                found[part] += 1
    return [f / h if h else float("nan") for f, h in zip(found, heads, strict=True)]


@right("heads_by_depth")
def depth_dividing_last(scores, threshold, n_parts):
    # Half a whole number is exact, and so is a quotient that is a whole number.
    n = len(scores)
    parts = ((torch.arange(n) + 0.5) * n_parts / n).floor()
    masks = torch.nn.functional.one_hot(parts.long(), n_parts).double()
    found = masks.T @ (scores >= threshold).double().mean(1)
    return found / masks.sum(0)


@right("heads_by_depth")
def depth_by_index_add(scores, threshold, n_parts):
    n, n_heads = scores.shape
    parts = torch.div((2 * torch.arange(n) + 1) * n_parts, 2 * n, rounding_mode="floor")
    found = torch.zeros(n_parts).index_add_(0, parts, scores.ge(threshold).sum(1).float())
    return found / (n_heads * torch.bincount(parts, minlength=n_parts))


@right("heads_by_depth")
def depth_in_numpy(scores, threshold, n_parts):
    found, n = scores.numpy() >= threshold, len(scores)
    shares = np.full(n_parts, np.nan)
    for part in range(n_parts):
        # Layers from (l + 1/2) / n >= part / n_parts to below the next border.
        rows = [i for i in range(n) if part <= (2 * i + 1) * n_parts / (2 * n) < part + 1]
        if rows:
            shares[part] = found[rows].mean()
    return shares


@right("heads_by_depth")
def depth_by_slices(scores, threshold, n_parts):
    n = len(scores)
    # The first layer at or above border p: the least l with (2 l + 1) n_parts >= 2 n p.
    starts = [max(0, -(-(2 * n * p - n_parts) // (2 * n_parts))) for p in range(n_parts + 1)]
    found = scores.requires_grad_() * 0 + (scores >= threshold)
    return torch.stack([found[a:b].mean() for a, b in pairwise(starts)])


@right("heads_by_depth")
def depth_by_bisection(scores, threshold, n_parts):
    n = len(scores)
    borders = [Fraction(p, n_parts) for p in range(1, n_parts)]
    groups = [[] for _ in range(n_parts)]
    for layer, row in enumerate(scores):
        groups[bisect_right(borders, Fraction(2 * layer + 1, 2 * n))].append(row)
    nothing = torch.tensor(torch.nan)
    return torch.stack(
        [(torch.stack(g) >= threshold).double().mean() if g else nothing.double() for g in groups]
    )
