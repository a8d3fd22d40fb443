"""Right answers to `ch02_induction_heads/3_prove_the_mechanism.ipynb` in other styles."""

import copy
import math
import sys
import warnings
from functools import partial

import numpy as np
import torch
from einops import einsum
from torch.nn.functional import cross_entropy, one_hot, pad

from tests.checks.harness import right

# ---------------------------------------------------------------------------------- ablate_head


@right("ablate_head")
def head_in_loops(activation, head, mode):
    warnings.warn("a warning is no mistake", stacklevel=1)
    print("a note", file=sys.stderr)
    new = activation.clone().double()
    n_batch, n_pos = activation.shape[:2]
    for b in range(n_batch):
        for i in range(n_pos):
            match mode:
                case "zero":
                    new[b, i, head] = 0
                case "mean":
                    new[b, i, head] = activation[:, :, head].double().mean((0, 1))
                case "mean by position":
                    new[b, i, head] = sum(activation[a, i, head] for a in range(n_batch)) / n_batch
                case _:
                    raise ValueError
    return new


@right("ablate_head")
def head_by_a_mask(activation, head, mode):
    axes = {"zero": None, "mean": (0, 1), "mean by position": (0,)}
    if mode not in axes:
        raise ValueError(f"{mode} is not among {list(axes)}")
    gone = one_hot(torch.tensor(head), activation.shape[2]).bool()[:, None]
    mean = 0.0 if axes[mode] is None else activation.mean(axes[mode], keepdim=True)
    return torch.where(gone, mean, activation)


@right("ablate_head")
def head_as_a_view(activation, head, mode):
    by_head = activation.requires_grad_().permute(2, 0, 1, 3)
    parts = list(by_head)
    dims = {"zero": (), "mean": (0, 1), "mean by position": (0,)}
    try:
        dims = dims[mode]
    except KeyError:
        raise ValueError(mode) from None
    parts[head] = (
        parts[head].mean(dims, keepdim=True).expand_as(parts[head]) if dims else (parts[head] * 0)
    )
    return torch.stack(parts).permute(1, 2, 0, 3)


@right("ablate_head")
def head_in_numpy(activation, head, mode):
    new = activation.numpy().astype(np.float64)
    if mode == "zero":
        new[:, :, head] = 0
    elif mode.startswith("mean"):
        axis = {"mean": (0, 1), "mean by position": 0}
        if mode not in axis:
            raise ValueError("unknown")
        new[:, :, head] = new[:, :, head].mean(axis=axis[mode], keepdims=True)
    else:
        raise ValueError("unknown")
    return new


@right("ablate_head")
def head_by_cat(activation, head, mode):
    before, part, after = activation.tensor_split([head, head + 1], dim=2)
    if mode == "zero":
        part = torch.zeros_like(part)
    elif mode == "mean":
        part = part.mean(dim=[0, 1], keepdim=True).expand_as(part)
    elif mode == "mean by position":
        part = part.mean(dim=0, keepdim=True).repeat(len(part), 1, 1, 1)
    else:
        raise ValueError("no such mode")
    return torch.cat([before, part, after], dim=2)


# ------------------------------------------------------------------------------- ablated_logits


def layers_of(model):
    return range(model.config.n_layers)


@right("ablated_logits")
def logits_at_the_results(model, tokens, ablated, mode):
    # What is linear in z may as well be done behind W_O.
    def hook(result, point, head):
        return ablate_head(result, head, "zero" if mode == "pattern-preserving" else mode)

    hooks = [
        (f"blocks.{layer}.attn.hook_result", partial(hook, head=head)) for layer, head in ablated
    ]
    if mode == "pattern-preserving":
        _, cache = model.run_with_cache(tokens)
        for layer in layers_of(model):
            name = f"blocks.{layer}.attn.hook_pattern"
            hooks.append((name, partial(lambda pattern, point, kept: kept, kept=cache[name])))
    return model.run_with_hooks(tokens, fwd_hooks=hooks)


@right("ablated_logits")
def logits_with_hooks_put_on_by_hand(model, tokens, ablated, mode):
    points = model.hook_points
    if mode == "pattern-preserving":
        kept = {}
        for name, point in points.items():
            if name.endswith("hook_pattern"):
                point.hooks.append(lambda x, point: kept.setdefault(point.name, x))
        model(tokens)  # and the hooks stay: now they give what they kept
    for layer in {layer for layer, _ in ablated}:
        heads = [head for at, head in ablated if at == layer]

        def hook(z, point, heads=heads):
            for head in heads:
                z = ablate_head(z, head, "zero" if mode == "pattern-preserving" else mode)
            return z

        points[f"blocks.{layer}.attn.hook_z"].hooks.append(hook)
    try:
        return model(tokens)
    finally:
        for point in points.values():
            point.hooks.clear()


@right("ablated_logits")
def logits_with_weights_zeroed_in_a_copy(model, tokens, ablated, mode):
    if mode.startswith("mean"):
        return ablated_logits(model, tokens, ablated, mode)
    other, hooks = copy.deepcopy(model), []
    with torch.no_grad():
        for layer, head in ablated:
            other.blocks[layer].attn.W_O[head] = 0
        if mode == "pattern-preserving":
            _, cache = model.run_with_cache(tokens)
            hooks = [
                (name, lambda x, point: cache[point.name]) for name in cache if "pattern" in name
            ]
        return other.run_with_hooks(tokens, fwd_hooks=hooks)


@right("ablated_logits")
def logits_with_weights_zeroed_and_restored(model, tokens, ablated, mode):
    if mode != "zero":
        return ablated_logits(model, tokens, ablated, mode)
    kept = {name: weight.clone() for name, weight in model.state_dict().items()}
    with torch.no_grad():
        for layer, head in ablated:
            model.blocks[layer].attn.W_V[head] = 0
        logits = model(tokens)
    model.load_state_dict(kept)
    return logits


@right("ablated_logits")
def logits_by_running_the_layers(model, tokens, ablated, mode):
    def run(gone, patterns=None):
        stream, kept = model.embed.W_E[tokens].double(), []
        positions = model.pos_embed.W_pos[: tokens.shape[1]].double()
        for layer, block in enumerate(model.blocks):
            W = {name: weight.double() for name, weight in block.attn.named_parameters()}
            q, k = ((stream + positions)[:, :, None, None] @ W[w] for w in ("W_Q", "W_K"))
            scores = einsum(q, k, "b i h one d, b j h one d -> b h i j") / math.sqrt(q.shape[-1])
            hidden = torch.full_like(scores, -torch.inf).triu(1)
            pattern = (scores + hidden).softmax(-1) if patterns is None else patterns[layer]
            kept.append(pattern)
            v = (stream[:, :, None, None] @ W["W_V"])[..., 0, :]
            z = einsum(pattern, v, "b h i j, b j h d -> b i h d")
            for at, head in gone:
                if at == layer:
                    z = ablate_head(z, head, "zero" if patterns else mode)
            stream = stream + einsum(z, W["W_O"], "b i h d, h d m -> b i m")
        return stream @ model.unembed.W_U.double(), kept

    held = run([])[1] if mode == "pattern-preserving" else None
    return run(ablated, held)[0]


@right("ablated_logits")
def logits_of_zero_values(model, tokens, ablated, mode):
    # Values of zero are an output of zero; means can't be taken there.
    if mode.startswith("mean"):
        return ablated_logits(model, tokens, ablated, mode)
    _, cache = model.run_with_cache(tokens)
    hooks = []
    for layer in layers_of(model):
        heads = [head for at, head in ablated if at == layer]

        def quiet(v, point, heads=heads):
            v[:, :, heads] = 0

        hooks.append((f"blocks.{layer}.attn.hook_v", quiet))
        if mode == "pattern-preserving":
            scores = f"blocks.{layer}.attn.hook_attn_scores"
            hooks.append((scores, lambda x, point: cache[point.name]))
    with torch.no_grad():
        return model.run_with_hooks(tokens, fwd_hooks=hooks)


# ------------------------------------------------------------------------------ ablation_effect


@right("ablation_effect")
def effect_in_loops(model, tokens, predictable, mode):
    def loss(ablated):
        logits = ablated_logits(model, tokens, ablated, mode).double()
        losses = []
        for b in range(len(tokens)):
            for i in range(1, tokens.shape[1]):
                if predictable[b, i]:
                    losses.append(-float(logits[b, i - 1].log_softmax(-1)[tokens[b, i]]))
        return sum(losses) / len(losses)

    whole = loss([])
    return [
        [loss([(layer, head)]) - whole for head in range(model.config.n_heads)]
        for layer in layers_of(model)
    ]


@right("ablation_effect")
def effect_with_a_padded_mask(model, tokens, predictable, mode):
    counted = pad(predictable[:, 1:], (0, 1))

    def loss(ablated):
        logits = ablated_logits(model, tokens, ablated, mode)
        return cross_entropy(logits[counted], tokens.roll(-1, 1)[counted])

    effects = np.zeros((model.config.n_layers, model.config.n_heads))
    for layer, head in np.ndindex(*effects.shape):
        effects[layer, head] = loss([(layer, head)]).item() - loss([]).item()
    return effects


@right("ablation_effect")
def effect_weighed(model, tokens, predictable, mode):
    weight = predictable.float()
    weight[:, 0] = 0
    rise = torch.zeros(model.config.n_layers, model.config.n_heads, dtype=torch.float64)
    whole = next_token_losses(model(tokens).double(), tokens)
    for layer in layers_of(model):
        for head in range(model.config.n_heads):
            logits = ablated_logits(model, tokens, [(layer, head)], mode).double()
            more = next_token_losses(logits, tokens) - whole
            rise[layer, head] = (more * weight[:, 1:]).sum() / weight.sum()
    return rise.requires_grad_()


@right("ablation_effect")
def effect_in_a_dict(model, tokens, predictable, mode):
    places = predictable[:, 1:].nonzero(as_tuple=True)

    def loss(*heads):
        losses = next_token_losses(ablated_logits(model, tokens, list(heads), mode), tokens)
        return losses[places].mean()

    effects = {
        (layer, head): loss((layer, head)) - loss()
        for head in range(model.config.n_heads)
        for layer in layers_of(model)
    }
    return torch.stack([effects[key] for key in sorted(effects)]).view(model.config.n_layers, -1)


# ----------------------------------------------------------------------------- activation_patch


def mean_gap(logits, right, wrong):
    rows = torch.arange(len(logits))
    return (logits[rows, -1, right] - logits[rows, -1, wrong]).mean()


@right("activation_patch")
def patch_at_the_results(model, clean, corrupted, right, wrong, direction):
    with torch.no_grad():
        clean_logits, clean_cache = model.run_with_cache(clean)
        corrupted_logits, corrupted_cache = model.run_with_cache(corrupted)
    full, none = mean_gap(clean_logits, right, wrong), mean_gap(corrupted_logits, right, wrong)
    shares = torch.zeros(model.config.n_layers, model.config.n_heads)
    if torch.isclose(full, none):
        return shares
    denoising = direction == "denoising"
    cache = clean_cache if denoising else corrupted_cache
    for layer in layers_of(model):
        name = f"blocks.{layer}.attn.hook_result"
        for head in range(model.config.n_heads):

            def hook(result, point, head=head):
                result[:, :, head] = cache[point.name][:, :, head]

            texts = corrupted if denoising else clean
            D = mean_gap(model.run_with_hooks(texts, fwd_hooks=[(name, hook)]), right, wrong)
            shares[layer, head] = (D - none if denoising else full - D) / (full - none)
    return shares


@right("activation_patch")
def patch_by_log_probabilities(model, clean, corrupted, right, wrong, direction):
    # The logarithm's constant is in both of them.
    def D(logits):
        said = logits.double().log_softmax(-1)[:, -1]
        return float((said.gather(1, right[:, None]) - said.gather(1, wrong[:, None])).mean())

    names = [f"blocks.{layer}.attn.hook_z" for layer in layers_of(model)]
    source, target = (clean, corrupted) if direction == "denoising" else (corrupted, clean)
    there, cache = model.run_with_cache(source, names=names)
    here, _ = model.run_with_cache(target, names=names)
    way = D(there) - D(here)
    rows = []
    for name in names:
        rows.append([])
        for head in range(model.config.n_heads):
            keep = one_hot(torch.tensor(head), model.config.n_heads)[:, None]

            def hook(z, point, keep=keep):
                return z * (1 - keep) + cache[point.name] * keep

            patched = model.run_with_hooks(target, fwd_hooks=[(name, hook)])
            rows[-1].append((D(patched) - D(here)) / way if abs(way) > 1e-9 else 0)
    return rows


@right("activation_patch")
def patch_with_answers_swapped(model, clean, corrupted, right, wrong, direction):
    # Both differences change their sign, and the share stays.
    return activation_patch(model, clean, corrupted, wrong, right, direction)


@right("activation_patch")
def patch_through_both_formulas(model, clean, corrupted, right, wrong, direction):
    if direction == "noising":
        return activation_patch(model, corrupted, clean, right, wrong, "denoising").double()
    return activation_patch(model, corrupted, clean, right, wrong, "noising").numpy()


@right("activation_patch")
def patch_in_one_batch(model, clean, corrupted, right, wrong, direction):
    # Both texts in one run; the source's half feeds the other half.
    n = len(clean)
    source, target = (clean, corrupted) if direction == "denoising" else (corrupted, clean)
    both = torch.cat([source, target])

    def run(layer=None, head=None):
        def hook(z, point):
            return torch.cat(
                [
                    z[:n],
                    torch.cat(
                        [z[n:, :, :head], z[:n, :, head : head + 1], z[n:, :, head + 1 :]], dim=2
                    ),
                ]
            )

        hooks = [] if layer is None else [(f"blocks.{layer}.attn.hook_z", hook)]
        logits = model.double().run_with_hooks(both, fwd_hooks=hooks)
        return mean_gap(logits[:n], right, wrong), mean_gap(logits[n:], right, wrong)

    there, here = run()
    shares = [
        [(run(layer, head)[1] - here) / (there - here) for head in range(model.config.n_heads)]
        for layer in layers_of(model)
    ]
    return torch.stack([torch.stack(row) for row in shares]).nan_to_num(0.0)


# ---------------------------------------------------------------------------- path_patch_effect


@right("path_patch_effect")
def path_by_the_library_layers(model, clean, corrupted, right, wrong, sender, receiver):
    # The receiver's query, key or value is made anew from a stream in which the sender differs.
    with torch.no_grad():
        clean_logits, c = model.run_with_cache(clean)
        corrupted_logits, d = model.run_with_cache(corrupted)
    full, none = (mean_gap(x, right, wrong) for x in (clean_logits, corrupted_logits))
    result = f"blocks.{sender[0]}.attn.hook_result"
    stream = c[f"blocks.{receiver[0]}.hook_resid_pre"]
    told = stream - c[result][:, :, sender[1]] + d[result][:, :, sender[1]]
    placed = told + model.pos_embed(clean)
    attn, shares = model.blocks[receiver[0]].attn, {}
    news = {"Q": attn.queries(placed), "K": attn.keys(placed), "V": attn.values(told)}
    for kind, new in news.items():

        def hook(x, point, new=new):
            x = x.clone()
            x[:, :, receiver[1]] = new[:, :, receiver[1]]
            return x

        name = f"blocks.{receiver[0]}.attn.hook_{kind.lower()}"
        D = mean_gap(model.run_with_hooks(clean, fwd_hooks=[(name, hook)]), right, wrong)
        shares[kind] = (full - D) / (full - none) if full != none else torch.tensor(0.0)
    return shares


@right("path_patch_effect")
def path_by_replacing_z(model, clean, corrupted, right, wrong, sender, receiver):
    # The receiver's attention by hand; only its z is replaced.
    layer, head = receiver
    _, c = model.run_with_cache(clean)
    _, d = model.run_with_cache(corrupted)
    name = f"blocks.{sender[0]}.attn.hook_z"
    W_O = model.blocks[sender[0]].attn.W_O[sender[1]].double()
    change = (d[name] - c[name])[:, :, sender[1]].double() @ W_O
    q, k, v = (c[f"blocks.{layer}.attn.hook_{x}"][:, :, head].double() for x in "qkv")
    attn = model.blocks[layer].attn
    W = {x: getattr(attn, f"W_{x}")[head].double() for x in "QKV"}
    full, none = (mean_gap(model(t).double(), right, wrong) for t in (clean, corrupted))
    lost = {}
    for x in "VKQ":
        now = {"Q": q, "K": k, "V": v}
        now[x] = now[x] + change @ W[x]
        scores = now["Q"] @ now["K"].mT / now["Q"].shape[-1] ** 0.5
        scores = scores + torch.full_like(scores, -torch.inf).triu(1)
        z_new = scores.softmax(-1) @ now["V"]

        def hook(z, point, z_new=z_new):
            z[:, :, head] = z_new.float()
            return z

        logits = model.run_with_hooks(clean, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", hook)])
        gap = float(full - none)
        lost[x] = float(full - mean_gap(logits, right, wrong)) / gap if abs(gap) > 1e-6 else 0
    return lost


@right("path_patch_effect")
def path_in_a_run_of_its_own(model, clean, corrupted, right, wrong, sender, receiver):
    # A run in which the heads between are held, whose q, k and v the receiver then gets.
    names = [f"blocks.{layer}.attn.hook_z" for layer in layers_of(model)]
    clean_logits, c = model.run_with_cache(clean, names=names)
    corrupted_logits, d = model.run_with_cache(corrupted, names=names)
    kept = {}

    def hold(z, point):
        z = c[point.name].clone()
        if point.name == names[sender[0]]:
            z[:, :, sender[1]] = d[point.name][:, :, sender[1]]
        return z

    def keep(x, point):
        kept[point.name] = x

    ways = {kind: f"blocks.{receiver[0]}.attn.hook_{kind.lower()}" for kind in "QKV"}
    hooks = [(name, hold) for name in names] + [(way, keep) for way in ways.values()]
    model.run_with_hooks(clean, fwd_hooks=hooks)

    def give(x, point):
        return torch.cat(
            [
                x[:, :, : receiver[1]],
                kept[point.name][:, :, receiver[1] : receiver[1] + 1],
                x[:, :, receiver[1] + 1 :],
            ],
            dim=2,
        )

    full, none = (mean_gap(x, right, wrong).item() for x in (clean_logits, corrupted_logits))
    if full == none:
        return {"Q": 0, "K": 0, "V": 0}
    return {
        kind: np.float64(
            full
            - mean_gap(model.run_with_hooks(clean, fwd_hooks=[(way, give)]), right, wrong).item()
        )
        / (full - none)
        for kind, way in ways.items()
    }


# ------------------------------------------------------------------------ joint_ablation_excess


@right("joint_ablation_excess")
def excess_by_effects(model, tokens, predictable, heads, mode):
    def rise(*gone):
        counted = predictable[:, 1:]
        losses = [
            next_token_losses(ablated_logits(model, tokens, list(x), mode), tokens)[counted].mean()
            for x in (gone, ())
        ]
        return (losses[0] - losses[1]).item()

    alone = ablation_effect(model, tokens, predictable, mode)
    return [
        [0 if a == b else rise(a, b) - (alone[a] + alone[b]).item() for b in heads] for a in heads
    ]


@right("joint_ablation_excess")
def excess_in_one_expression(model, tokens, predictable, heads, mode):
    def loss(ablated):
        logits = ablated_logits(model, tokens, ablated, mode).double()
        return next_token_losses(logits, tokens)[predictable[:, 1:]].mean()

    table = torch.stack([torch.stack([loss([a, b]) for b in heads]) for a in heads])
    alone = torch.stack([loss([a]) for a in heads])
    return (table - alone[:, None] - alone[None] + loss([])).fill_diagonal_(0.0)


@right("joint_ablation_excess")
def excess_in_numpy(model, tokens, predictable, heads, mode):
    n = len(heads)
    found = np.zeros((n, n))
    counted = predictable.clone()
    counted[:, 0] = False

    def loss(*gone):
        logits = ablated_logits(model, tokens, list(gone), mode)[:, :-1]
        each = cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none")
        return (each * counted[:, 1:].flatten()).sum().item() / counted.sum().item()

    for i, j in zip(*np.triu_indices(n, 1), strict=True):
        found[i, j] = loss(heads[i], heads[j]) - loss(heads[i]) - loss(heads[j]) + loss()
    return found + found.T


@right("joint_ablation_excess")
def excess_by_pairs(model, tokens, predictable, heads, mode):
    def losses(*gone):
        logits = ablated_logits(model, tokens, list(gone), mode)
        return next_token_losses(logits, tokens)[predictable[:, 1:]]

    whole = losses()
    alone = {head: losses(head) for head in heads}
    excess = torch.zeros(len(heads), len(heads), dtype=torch.float64)
    for i, a in enumerate(heads):
        for j, b in enumerate(heads):
            if i != j:
                excess[i, j] = (losses(b, a) - alone[a] - alone[b] + whole).double().mean()
    return excess
