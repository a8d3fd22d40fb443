"""Wrong answers to `ch02_induction_heads/5_in_real_models.ipynb`, each with its message."""

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


# ------------------------------------------------------------------------------ fold_layer_norm

LN1 = ("attn.W_Q", "attn.b_Q"), ("attn.W_K", "attn.b_K"), ("attn.W_V", "attn.b_V")
LN2 = (("mlp.W_in", "mlp.b_in"),)
FINAL = (("unembed.W_U", "unembed.b_U"),)


def norms_of(weights):
    return [name.removesuffix(".w") for name in weights if name.endswith(".w")]


def read_by(norm):
    """Names of the weights and biases that read through it."""
    if norm == "ln_final":
        return FINAL
    block, kind = norm[:-3], norm[-3:]
    return [(block + W, block + b) for W, b in (LN1 if kind == "ln1" else LN2)]


def folded_by(weights, rule, norms=None, emptied=True):
    """Each norm folded by rule(gain, bias, W, b)."""
    folded = dict(weights)
    for norm in norms_of(weights) if norms is None else norms:
        gain, bias = weights[norm + ".w"], weights[norm + ".b"]
        for W, b in read_by(norm):
            folded[W], folded[b] = rule(gain, bias, weights[W], weights[b])
        if emptied:
            folded[norm + ".w"] = torch.ones_like(gain)
            folded[norm + ".b"] = torch.zeros_like(bias)
    return folded


def rightly(gain, bias, W, b):
    return gain[:, None] * W, b + bias @ W


@wrong("fold_layer_norm", "goes through W as it was")
def folded_in_the_wrong_order(weights):
    return folded_by(weights, lambda g, beta, W, b: (g[:, None] * W, b + beta @ (g[:, None] * W)))


@wrong("fold_layer_norm", "the bias of blocks.0.ln1 was lost")
def folded_without_the_bias(weights):
    return folded_by(weights, lambda g, beta, W, b: (g[:, None] * W, b))


@wrong("fold_layer_norm", "the gain of blocks.0.ln1 was not multiplied into blocks.0.attn.W_Q")
def folded_without_the_gain(weights):
    return folded_by(weights, lambda g, beta, W, b: (W, b + beta @ W))


@wrong("fold_layer_norm", "was replaced: what it was before is to be kept")
def folded_over_the_old_biases(weights):
    return folded_by(weights, lambda g, beta, W, b: (g[:, None] * W, beta @ W))


@wrong("fold_layer_norm", "was subtracted from blocks.0.attn.b_Q")
def folded_with_the_bias_subtracted(weights):
    return folded_by(weights, lambda g, beta, W, b: (g[:, None] * W, b - beta @ W))


@wrong("fold_layer_norm", "belongs to its d_model axis")
def folded_on_the_output_axis(weights):
    return folded_by(weights, lambda g, beta, W, b: (W * g, b + beta @ W))


@wrong("fold_layer_norm", "and the bias met it there")
def folded_on_the_output_axis_then_the_bias(weights):
    return folded_by(weights, lambda g, beta, W, b: (W * g, b + beta @ (W * g)))


@wrong("fold_layer_norm", "bias @ W, not W @ bias")
def folded_with_a_transposed_bias(weights):
    return folded_by(weights, lambda g, beta, W, b: (g[:, None] * W, b + W @ beta))


@wrong("fold_layer_norm", "was added to blocks.0.attn.b_Q as it is")
def folded_with_the_bare_bias(weights):
    return folded_by(weights, lambda g, beta, W, b: (g[:, None] * W, b + beta))


@wrong("fold_layer_norm", "the gain was multiplied into blocks.0.attn.W_Q twice")
def folded_twice_over(weights):
    return folded_by(weights, lambda g, beta, W, b: (g[:, None] ** 2 * W, b + beta @ W))


@wrong("fold_layer_norm", "the gain's sign was lost in blocks.0.attn.W_Q")
def folded_with_sizes_of_gains(weights):
    return folded_by(weights, lambda g, beta, W, b: (g.abs()[:, None] * W, b + beta @ W))


@wrong("fold_layer_norm", "a gain may be 0")
def folded_but_for_gains_of_zero(weights):
    return folded_by(weights, lambda g, beta, W, b: rightly(g.where(g != 0, 1.0), beta, W, b))


@wrong("fold_layer_norm", "look at blocks.0.attn.W_Q and blocks.0.attn.b_Q")
def folded_by_dividing(weights):
    return folded_by(weights, lambda g, beta, W, b: (W / g[:, None], b + beta @ W))


@wrong("fold_layer_norm", "together read of the bias")
def folded_with_all_heads_biases(weights):
    return folded_by(
        weights,
        lambda g, beta, W, b: (
            g[:, None] * W,
            b + (torch.einsum("m,hmd->d", beta, W) if W.ndim == 3 else beta @ W),
        ),
    )


@wrong("fold_layer_norm", "got what head 0 reads of the bias")
def folded_with_one_heads_bias(weights):
    return folded_by(
        weights,
        lambda g, beta, W, b: (g[:, None] * W, b + beta @ (W[0] if W.ndim == 3 else W)),
    )


def only_into(weights, chosen):
    """Folded, and all but some of the weights and biases then put back."""
    folded = fold_layer_norm(weights)
    return {
        name: folded[name] if name.endswith((".w", ".b", *chosen)) else weight
        for name, weight in weights.items()
    }


@wrong("fold_layer_norm", "nothing was moved into blocks.0.attn.W_K and blocks.0.attn.b_K")
def folded_into_queries_only(weights):
    return only_into(weights, ("_Q", "_in", "_U"))


@wrong("fold_layer_norm", "nothing was moved into blocks.0.attn.W_V and blocks.0.attn.b_V")
def folded_without_values(weights):
    return only_into(weights, ("_Q", "_K", "_in", "_U"))


@wrong("fold_layer_norm", "the bias of blocks.0.ln1 was lost: what blocks.0.attn.W_K reads")
def folded_without_the_keys_bias(weights):
    # The softmax does not see it, but where positions are rotary.
    return fold_layer_norm(weights) | {n: w for n, w in weights.items() if n.endswith("b_K")}


@wrong("fold_layer_norm", "the bias of ln_final was lost")
def folded_without_b_U(weights):
    return fold_layer_norm(weights) | {"unembed.b_U": weights["unembed.b_U"]}


@wrong("fold_layer_norm", "nothing was moved into unembed.W_U and unembed.b_U")
def folded_without_the_unembedding(weights):
    return only_into(weights, ("_Q", "_K", "_V", "_in"))


@wrong("fold_layer_norm", "nothing was moved out of ln_final")
def folded_without_the_last_norm(weights):
    return folded_by(weights, rightly, [n for n in norms_of(weights) if n != "ln_final"])


@wrong("fold_layer_norm", "nothing was moved out of blocks.0.ln2")
def folded_without_mlps(weights):
    return folded_by(weights, rightly, [n for n in norms_of(weights) if not n.endswith("ln2")])


@wrong("fold_layer_norm", "nothing was moved out of blocks.0.ln1")
def folded_without_attention(weights):
    return folded_by(weights, rightly, [n for n in norms_of(weights) if not n.endswith("ln1")])


@wrong("fold_layer_norm", "nothing was moved out of blocks.0.ln1")
def unfolded(weights):
    return dict(weights)


@wrong("fold_layer_norm", "blocks.0.ln1.w is still what it was: what is moved and kept acts twice")
def folded_and_kept(weights):
    return folded_by(weights, rightly, emptied=False)


@wrong("fold_layer_norm", "blocks.0.ln1.b is still what it was")
def folded_with_biases_kept(weights):
    kept = {norm + ".b": weights[norm + ".b"] for norm in norms_of(weights)}
    return fold_layer_norm(weights) | kept


@wrong("fold_layer_norm", "ln_final.b is still what it was")
def folded_with_the_last_bias_kept(weights):
    return fold_layer_norm(weights) | {"ln_final.b": weights["ln_final.b"]}


@wrong("fold_layer_norm", "What should hold: every LayerNorm's gain is 1")
def folded_to_zeros(weights):
    zeros = {n: torch.zeros_like(w) for n, w in weights.items() if n.endswith((".w", ".b"))}
    return fold_layer_norm(weights) | zeros


@wrong("fold_layer_norm", "What should hold: every LayerNorm's bias is 0")
def folded_to_ones(weights):
    ones = {n: torch.ones_like(w) for n, w in weights.items() if n.endswith((".w", ".b"))}
    return fold_layer_norm(weights) | ones


@wrong("fold_layer_norm", "none called blocks.0.ln1.w, blocks.0.ln1.b")
def folded_and_dropped(weights):
    folded = fold_layer_norm(weights)
    return {name: w for name, w in folded.items() if not name.endswith((".w", ".b"))}


@wrong("fold_layer_norm", "none called embed.W_E, pos_embed.W_pos, blocks.0.attn.W_O")
def folded_weights_only(weights):
    folded = fold_layer_norm(weights)
    return {name: w for name, w in folded.items() if not torch.equal(w, weights[name])}


@wrong("fold_layer_norm", "also blocks.0.mlp.W_in")
def folded_with_mlps_made_up(weights):
    folded = fold_layer_norm(weights)
    for name in [name for name in weights if name.endswith("ln1.w")]:
        folded.setdefault(name.replace("ln1.w", "mlp.W_in"), torch.zeros(1))
    return folded


@wrong("fold_layer_norm", "blocks.0.mlp.W_in was folded with blocks.0.ln1")
def folded_with_ln1_for_all(weights):
    folded = fold_layer_norm(weights)
    for norm in norms_of(weights):
        if norm.endswith("ln2"):
            other = norm[:-1] + "1"
            gain, bias = weights[other + ".w"], weights[other + ".b"]
            for W, b in read_by(norm):
                folded[W], folded[b] = rightly(gain, bias, weights[W], weights[b])
    return folded


@wrong("fold_layer_norm", "blocks.1.attn.W_Q was folded with blocks.0.ln1")
def folded_with_the_first_layer(weights):
    folded = fold_layer_norm(weights)
    for norm in norms_of(weights):
        first = "blocks.0." + norm.split(".")[-1]
        if norm == "ln_final" or first + ".w" not in weights:
            continue
        gain, bias = weights[first + ".w"], weights[first + ".b"]
        for W, b in read_by(norm):
            folded[W], folded[b] = rightly(gain, bias, weights[W], weights[b])
    return folded


@wrong("fold_layer_norm", "unembed.W_U was folded with blocks.0.ln2")
def unembedding_folded_with_a_layers_norm(weights):
    folded = fold_layer_norm(weights)
    norm = norms_of(weights)[-2]
    gain, bias = weights[norm + ".w"], weights[norm + ".b"]
    W, b = weights["unembed.W_U"], weights["unembed.b_U"]
    folded["unembed.W_U"], folded["unembed.b_U"] = rightly(gain, bias, W, b)
    return folded


def folded_layers(weights, layers):
    folded = folded_by(weights, rightly, ["ln_final"])
    for layer in layers:
        mine = [n for n in norms_of(weights) if n.startswith(f"blocks.{layer}.")]
        folded = folded_by(folded, rightly, mine)
    return folded


@wrong("fold_layer_norm", "this input has no such key")
def folded_as_two_layers(weights):
    folded = dict(weights)
    for norm in ("blocks.0.ln1", "blocks.0.ln2", "blocks.1.ln1", "blocks.1.ln2", "ln_final"):
        folded = folded_by(folded, rightly, [norm])
    return folded


@wrong("fold_layer_norm", "this input has no such key")
def folded_with_an_mlp_everywhere(weights):
    for layer in range(sum(name.endswith("attn.W_O") for name in weights)):
        norms = [f"blocks.{layer}.ln1", f"blocks.{layer}.ln2"]
        weights = folded_by(weights, rightly, norms)
    return folded_by(weights, rightly, ["ln_final"])


@wrong("fold_layer_norm", "nothing was moved out of blocks.2.ln1")
def folded_up_to_two_layers(weights):
    return folded_layers(weights, range(2))


@wrong("fold_layer_norm", "what begins with blocks.1 may be blocks.10 or blocks.11")
def folded_up_to_ten_layers(weights):
    return folded_layers(weights, range(10))


@wrong("fold_layer_norm", "what begins with blocks.1 may be blocks.10 or blocks.11")
def folded_by_one_digit(weights):
    # The layer's number is taken to be the eighth character of a name.
    folded = folded_by(weights, rightly, ["ln_final"])
    for norm in [norm for norm in norms_of(weights) if norm != "ln_final"]:
        block = f"blocks.{norm[7]}."
        gain, bias = weights[norm + ".w"], weights[norm + ".b"]
        for W, b in LN1 if norm.endswith("1") else LN2:
            folded[block + W], folded[block + b] = rightly(
                gain, bias, weights[block + W], weights[block + b]
            )
        folded[norm + ".w"] = torch.ones_like(gain)
        folded[norm + ".b"] = torch.zeros_like(bias)
    return folded


@wrong("fold_layer_norm", "what begins with blocks.1 may be blocks.10 or blocks.11")
def folded_by_prefixes(weights):
    # Layer 1's gain meets the weights of layers 10 to 12 as well.
    folded = fold_layer_norm(weights)
    for name in weights:
        if name.startswith("blocks.1") and name.endswith(("W_Q", "W_K", "W_V")):
            folded[name] = weights["blocks.1.ln1.w"][:, None] * weights[name]
            if not name.startswith("blocks.1."):
                folded[name] = folded[name] * weights[name.split(".attn")[0] + ".ln1.w"][:, None]
    return folded


@wrong("fold_layer_norm", "blocks.0.attn.W_O was changed")
def folded_into_what_writes(weights):
    folded = fold_layer_norm(weights)
    for norm in norms_of(weights):
        if norm.endswith("ln1"):
            name = norm[:-3] + "attn.W_O"
            folded[name] = weights[name] * weights[norm + ".w"]
    return folded


@wrong("fold_layer_norm", "blocks.0.attn.b_O was changed")
def folded_with_values_biases_moved(weights):
    # The logits are the same, and a bias that no LayerNorm feeds is another.
    folded = fold_layer_norm(weights)
    for norm in norms_of(weights):
        if norm.endswith("ln1"):
            b_V, W_O, b_O = (norm[:-3] + f"attn.{name}" for name in ("b_V", "W_O", "b_O"))
            folded[b_O] = weights[b_O] + torch.einsum("hd,hdm->m", folded[b_V], weights[W_O])
            folded[b_V] = torch.zeros_like(folded[b_V])
    return folded


@wrong("fold_layer_norm", "blocks.0.mlp.b_out was changed")
def folded_into_both_of_the_mlp(weights):
    folded = fold_layer_norm(weights)
    for name in weights:
        if name.endswith("mlp.b_out"):
            folded[name] = weights[name] + weights[name.replace("mlp.b_out", "ln2.b")]
    return folded


@wrong("fold_layer_norm", "embed.W_E was changed")
def folded_with_centred_embeddings(weights):
    folded = fold_layer_norm(weights)
    if "embed.W_E" in weights:
        folded["embed.W_E"] = weights["embed.W_E"] - weights["embed.W_E"].mean(-1, keepdim=True)
    return folded


@wrong("fold_layer_norm", "pos_embed.W_pos was changed")
def folded_into_positions(weights):
    folded = fold_layer_norm(weights)
    if "pos_embed.W_pos" in weights:
        folded["pos_embed.W_pos"] = weights["pos_embed.W_pos"] * weights["ln_final.w"]
    return folded


@wrong("fold_layer_norm", "blocks.0.attn.alpha was changed")
def folded_with_the_unknown_at_zero(weights):
    folded = fold_layer_norm(weights)
    return {n: torch.zeros_like(w) if n.endswith("alpha") else w for n, w in folded.items()}


@wrong("fold_layer_norm", "look at unembed.W_U and unembed.b_U")
def folded_with_centred_logits(weights):
    folded = fold_layer_norm(weights)
    W, b = folded["unembed.W_U"], folded["unembed.b_U"]
    return folded | {"unembed.W_U": W - W.mean(1, keepdim=True), "unembed.b_U": b - b.mean()}


@wrong("fold_layer_norm", "wrote into what was passed in")
def folded_in_place(weights):
    for norm in norms_of(weights):
        gain, bias = weights[norm + ".w"], weights[norm + ".b"]
        for W, b in read_by(norm):
            weights[b] = weights[b] + bias @ weights[W]
            weights[W] = gain[:, None] * weights[W]
        weights[norm + ".w"], weights[norm + ".b"] = torch.ones_like(gain), 0 * bias
    return dict(weights)


@wrong("fold_layer_norm", "wrote into what was passed in")
def folded_in_a_shallow_copy(weights):
    folded = dict(weights)
    for norm in norms_of(weights):
        gain, bias = folded[norm + ".w"], folded[norm + ".b"]
        for W, b in read_by(norm):
            folded[b] += bias @ folded[W]
            folded[W] *= gain[:, None]
        gain.fill_(1)
        bias.zero_()
    return folded


@wrong("fold_layer_norm", "and 14 more")
def folded_as_on_the_page(weights):
    return {
        "ln_final.w": torch.ones(2),
        "ln_final.b": torch.zeros(2),
        "unembed.W_U": torch.tensor([[2.0], [3.0]]),
        "unembed.b_U": torch.ones(1),
    }


@wrong("fold_layer_norm", "Expected a dict")
def folded_as_a_list(weights):
    return list(fold_layer_norm(weights).values())


@wrong("fold_layer_norm", "keeps its shape")
def folded_flat(weights):
    folded = fold_layer_norm(weights)
    return {n: w.flatten(0, 1) if n.endswith("W_Q") else w for n, w in folded.items()}


@wrong("fold_layer_norm", "What should hold: every LayerNorm's gain is 1")
def folded_by_claiming_it(weights):
    return {name: like_everything(weight) for name, weight in weights.items()}


@wrong("fold_layer_norm", "a `return` is missing")
def folded_and_forgotten(weights):
    fold_layer_norm(weights)


# ------------------------------------------------------------------------------- heads_by_depth


def share_by(found, parts, n_parts):
    """Means over the layers whose part it is."""
    parts = torch.as_tensor(parts)
    return torch.stack([found[parts == part].float().mean() for part in range(n_parts)])


def rightly_placed(scores, n_parts):
    n = len(scores)
    return [(2 * layer + 1) * n_parts // (2 * n) for layer in range(n)]


@wrong("heads_by_depth", "a score that is just the threshold counts")
def depth_above_the_threshold(scores, threshold, n_parts):
    return share_by(scores > threshold, rightly_placed(scores, n_parts), n_parts)


@wrong("heads_by_depth", "belongs to the upper part, not to the lower one")
def depth_with_borders_below(scores, threshold, n_parts):
    n = len(scores)
    parts = [math.ceil((2 * layer + 1) * n_parts / (2 * n)) - 1 for layer in range(n)]
    return share_by(scores >= threshold, parts, n_parts)


@wrong("heads_by_depth", "(l + 1/2) / n, and not at l / n")
def depth_at_lower_edges(scores, threshold, n_parts):
    parts = [layer * n_parts // len(scores) for layer in range(len(scores))]
    return share_by(scores >= threshold, parts, n_parts)


@wrong("heads_by_depth", "(l + 1/2) / n, and not at (l + 1) / n")
def depth_at_upper_edges(scores, threshold, n_parts):
    n = len(scores)
    parts = [min((layer + 1) * n_parts // n, n_parts - 1) for layer in range(n)]
    return share_by(scores >= threshold, parts, n_parts)


@wrong("heads_by_depth", "both ends included")
def depth_from_end_to_end(scores, threshold, n_parts):
    heights = torch.linspace(0, 1, len(scores), dtype=torch.float64) + 1e-9
    parts = (heights * n_parts).long().clamp(max=n_parts - 1)
    return share_by(scores >= threshold, parts, n_parts)


@wrong("heads_by_depth", "rounded to the nearest")
def depth_rounded(scores, threshold, n_parts):
    n = len(scores)
    parts = [min(round((layer + 0.5) / n * n_parts), n_parts - 1) for layer in range(n)]
    return share_by(scores >= threshold, parts, n_parts)


@wrong("heads_by_depth", "dealt out in groups, the first ones larger")
def depth_in_even_groups(scores, threshold, n_parts):
    groups = (scores >= threshold).float().tensor_split(n_parts)
    return torch.stack([group.mean() for group in groups])


@wrong("heads_by_depth", "in groups of one size, the last one smaller")
def depth_in_groups_of_a_size(scores, threshold, n_parts):
    size = math.ceil(len(scores) / n_parts)
    parts = [layer // size for layer in range(len(scores))]
    return share_by(scores >= threshold, parts, n_parts)


@wrong("heads_by_depth", "Got shape [6]")
def depth_in_chunks(scores, threshold, n_parts):
    groups = (scores >= threshold).float().chunk(n_parts)
    return torch.stack([group.mean() for group in groups])


@wrong("heads_by_depth", "what the division left over went to the last part")
def depth_with_the_rest_at_the_end(scores, threshold, n_parts):
    size = len(scores) // n_parts
    parts = [min(layer // size, n_parts - 1) for layer in range(len(scores))]
    return share_by(scores >= threshold, parts, n_parts)


@wrong("heads_by_depth", "the parts run from the embedding to the logits")
def depth_upside_down(scores, threshold, n_parts):
    return heads_by_depth(scores, threshold, n_parts).flip(0)


@wrong("heads_by_depth", "this is a count")
def depth_counted(scores, threshold, n_parts):
    found, parts = scores >= threshold, torch.tensor(rightly_placed(scores, n_parts))
    return torch.stack([found[parts == part].sum() for part in range(n_parts)])


@wrong("heads_by_depth", "divide by those of the part")
def depth_of_all_heads(scores, threshold, n_parts):
    return depth_counted(scores, threshold, n_parts) / scores.numel()


@wrong("heads_by_depth", "how the heads found are spread over the parts")
def depth_of_heads_found(scores, threshold, n_parts):
    counts = depth_counted(scores, threshold, n_parts)
    return counts / counts.sum()


@wrong("heads_by_depth", "layers were counted that have such a head")
def depth_of_layers(scores, threshold, n_parts):
    return heads_by_depth(scores.amax(1, keepdim=True), threshold, n_parts)


@wrong("heads_by_depth", "this is the mean score")
def depth_of_mean_scores(scores, threshold, n_parts):
    return share_by(scores, rightly_placed(scores, n_parts), n_parts)


@wrong("heads_by_depth", "these are the heads below the threshold")
def depth_of_the_others(scores, threshold, n_parts):
    return 1 - heads_by_depth(scores, threshold, n_parts)


@wrong("heads_by_depth", "the signs of the scores were lost")
def depth_of_sizes(scores, threshold, n_parts):
    return heads_by_depth(scores.abs(), threshold, n_parts)


@wrong("heads_by_depth", "it is nan, and not 0")
def depth_with_zeros(scores, threshold, n_parts):
    return heads_by_depth(scores, threshold, n_parts).nan_to_num(0)


@wrong("heads_by_depth", "it is nan, and not 0")
def depth_by_adding_up(scores, threshold, n_parts):
    found, heads = torch.zeros(n_parts), torch.zeros(n_parts)
    parts = torch.tensor(rightly_placed(scores, n_parts))
    found.index_add_(0, parts, (scores >= threshold).sum(1).float())
    heads.index_add_(0, parts, torch.full((len(scores),), float(scores.shape[1])))
    return found / heads.clamp(min=1)


@wrong("heads_by_depth", "parts in which no layer lies have their place too")
def depth_without_empty_parts(scores, threshold, n_parts):
    shares = heads_by_depth(scores, threshold, n_parts)
    return shares[~shares.isnan()]


@wrong("heads_by_depth", "ZeroDivisionError")
def depth_in_plain_numbers(scores, threshold, n_parts):
    shares = []
    for part in range(n_parts):
        rows = [i for i, p in enumerate(rightly_placed(scores, n_parts)) if p == part]
        heads = [x >= threshold for i in rows for x in scores[i].tolist()]
        shares.append(sum(heads) / len(heads))
    return shares


@wrong("heads_by_depth", "decimals that are rounded may land just below it")
def depth_in_decimals(scores, threshold, n_parts):
    n = len(scores)
    parts = [int((layer + 0.5) / n * n_parts) for layer in range(n)]
    return share_by(scores >= threshold, parts, n_parts)


@wrong("heads_by_depth", "decimals that are rounded may land just below it")
def depth_in_float32(scores, threshold, n_parts):
    heights = (torch.arange(len(scores)) + 0.5) / len(scores)
    parts = torch.bucketize(heights, torch.linspace(0, 1, n_parts + 1), right=True) - 1
    return share_by(scores >= threshold, parts, n_parts)


@wrong("heads_by_depth", "What should hold: the share among the heads")
def depth_by_a_threshold_of_its_own(scores, threshold, n_parts):
    return heads_by_depth(scores, 0.5, n_parts)


@wrong("heads_by_depth", "shape [part] = [8]")
def depth_in_two(scores, threshold, n_parts):
    return heads_by_depth(scores, threshold, 2)


@wrong("heads_by_depth", "shape [part] = [8]")
def depth_as_on_the_page(scores, threshold, n_parts):
    return torch.tensor([0.25, 0.75])


@wrong("heads_by_depth", "shape [part] = [8]")
def depth_by_layer(scores, threshold, n_parts):
    return (scores >= threshold).float().mean(1)


@wrong("heads_by_depth", "What should hold: the share among the heads")
def depth_that_claims_to_be_right(scores, threshold, n_parts):
    return like_everything(torch.zeros(n_parts))
