"""Right answers to `ch01_attention/3_composition.ipynb` in other styles: all must pass."""

import itertools
import math
import statistics
import sys
import warnings
from collections import OrderedDict

import numpy as np
import torch
from einops import einsum, rearrange
from torch.nn import functional

from tests.checks.harness import right


def reads_of(later, kind):
    """The first and the second matrix by which later heads read."""
    if kind == "V":
        return later["W_V"], later["W_O"]
    first, second = ("W_Q", "W_K") if kind == "Q" else ("W_K", "W_Q")
    return later[first], later[second].mT


# ---------------------------------------------------------------------------- composition_score


@right("composition_score")
def score_in_loops(earlier, later, kind):
    print("kind:", kind)
    print("a note", file=sys.stderr)
    warnings.warn("a warning is no mistake", stacklevel=1)
    first, second = reads_of(later, kind)
    out = []
    for i in range(len(earlier["W_O"])):
        A = earlier["W_V"][i] @ earlier["W_O"][i]
        out.append([])
        for j in range(len(first)):
            B = first[j] @ second[j]
            whole = float(A.norm() * B.norm())
            out[-1].append(float((A @ B).norm()) / whole if whole > 0 else 0.0)
    return out


@right("composition_score")
def score_in_numpy(earlier, later, kind):
    A = earlier["W_V"].double().numpy() @ earlier["W_O"].double().numpy()
    first, second = (x.double().numpy() for x in reads_of(later, kind))
    B = first @ second
    size = lambda x: np.linalg.norm(x, axis=(-2, -1))  # noqa: E731
    with np.errstate(all="ignore"):
        return np.nan_to_num(size(A[:, None] @ B[None]) / (size(A)[:, None] * size(B)))


@right("composition_score")
def score_by_gram_matrices(earlier, later, kind):
    A = earlier["W_V"] @ earlier["W_O"]
    first, second = reads_of(later, kind)
    B = first @ second
    left, right = A.mT @ A, B @ B.mT
    joined = einsum(left, right, "e m n, l n m -> e l").clamp(min=0)
    trace = lambda x: x.diagonal(dim1=-2, dim2=-1).sum(-1)  # noqa: E731
    whole = trace(left)[:, None] * trace(right)
    return (joined / whole.where(whole > 0, torch.tensor(1.0))).sqrt()


@right("composition_score")
def score_by_thin_factors(earlier, later, kind):
    first, second = reads_of(later, kind)
    written = torch.linalg.qr(earlier["W_V"]).R @ earlier["W_O"]
    read = first @ torch.linalg.qr(second.mT).R.mT
    joined = torch.linalg.matrix_norm(written[:, None] @ read[None])
    sizes = torch.linalg.matrix_norm(written), torch.linalg.matrix_norm(read)
    whole = torch.outer(*sizes)
    return torch.where(whole == 0, torch.zeros(()), joined / whole).requires_grad_()


@right("composition_score")
def score_by_singular_values(earlier, later, kind):
    first, second = reads_of(later, kind)
    _, S, Vh = torch.linalg.svd((earlier["W_V"] @ earlier["W_O"]).double())
    U, T, _ = torch.linalg.svd((first @ second).double())
    overlaps = S[:, None, :, None] * (Vh[:, None] @ U[None]) * T[None, :, None]
    whole = S.norm(dim=-1)[:, None] * T.norm(dim=-1)
    return overlaps.flatten(2).norm(dim=-1).div(whole).nan_to_num(0.0)


@right("composition_score")
def score_of_normalised_heads(earlier, later, kind):
    def unit(x):
        size = x.flatten(1).norm(dim=1)[:, None, None]
        return torch.where(size > 0, x / size, torch.zeros_like(x))

    first, second = reads_of(later, kind)
    A, B = unit(earlier["W_V"] @ earlier["W_O"]), unit(first @ second)
    return einsum(A, B, "e m n, l n k -> l e m k").flatten(2).norm(dim=-1).T


# ----------------------------------------------------------------------------- composition_null


def haar(size, generator):
    Q, R = torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64))
    return Q * R.diagonal().sign()


@right("composition_null")
def null_turning_what_is_read(earlier, later, kind, n_samples, *, seed):
    generator = torch.Generator().manual_seed(seed)
    name = f"W_{kind}"
    out = []
    for _ in range(n_samples):
        turn = haar(earlier["W_O"].shape[-1], generator).float()
        out.append(composition_score(earlier, later | {name: turn.T @ later[name]}, kind))
    return out if n_samples < 1 else torch.stack(out)


@right("composition_null")
def null_by_the_librarys_rotations(earlier, later, kind, n_samples, *, seed):
    from mechcourse.circuits import haar_rotation

    generator = torch.Generator().manual_seed(seed)
    scores = []
    for _ in range(n_samples):
        turn = haar_rotation(earlier["W_O"].shape[-1], generator).float()
        scores.append(composition_score(earlier | {"W_O": earlier["W_O"] @ turn}, later, kind))
    return torch.stack(scores)


@right("composition_null")
def null_all_at_once(earlier, later, kind, n_samples, *, seed):
    generator = torch.Generator().manual_seed(seed)
    A = (earlier["W_V"] @ earlier["W_O"]).double()
    first, second = reads_of(later, kind)
    B = (first @ second).double()
    d = A.shape[-1]
    Q, R = torch.linalg.qr(torch.randn(n_samples, d, d, generator=generator).double())
    turns = Q * R.diagonal(dim1=-2, dim2=-1).sign()[:, None]
    joined = A[None, :, None] @ turns[:, None, None] @ B[None, None]
    sizes = A.norm(dim=(1, 2))[:, None] * B.norm(dim=(1, 2))
    return (joined.norm(dim=(-2, -1)) / sizes).nan_to_num(0.0)


@right("composition_null")
def null_with_a_global_seed(earlier, later, kind, n_samples, *, seed):
    torch.manual_seed(seed)
    d = earlier["W_O"].shape[-1]
    turns = [torch.nn.init.orthogonal_(torch.empty(d, d)) for _ in range(n_samples)]
    turned = [{**earlier, "W_O": earlier["W_O"] @ turn} for turn in turns]
    return torch.stack([composition_score(layer, later, kind) for layer in turned])


@right("composition_null")
def null_of_proper_rotations(earlier, later, kind, n_samples, *, seed):
    # Without reflections: no head can tell.
    generator = torch.Generator().manual_seed(seed)
    out = torch.empty(n_samples, len(earlier["W_O"]), len(later["W_O"]))
    for sample in range(n_samples):
        turn = haar(earlier["W_O"].shape[-1], generator)
        turn[0] *= torch.det(turn).sign()
        turned = dict(earlier, W_O=(earlier["W_O"].double() @ turn).float())
        out[sample] = composition_score(turned, later, kind)
    return out


@right("composition_null")
def null_by_gram_and_schmidt(earlier, later, kind, n_samples, *, seed):
    random = np.random.default_rng(seed)
    A = (earlier["W_V"] @ earlier["W_O"]).double().numpy()
    first, second = reads_of(later, kind)
    B = (first @ second).double().numpy()
    size = lambda x: np.linalg.norm(x, axis=(-2, -1))  # noqa: E731
    whole = size(A)[:, None] * size(B)
    out = []
    for _ in range(n_samples):
        rows = []
        for _ in range(A.shape[-1]):
            row = random.normal(size=A.shape[-1])
            for other in rows:
                row = row - (row @ other) * other
            rows.append(row / np.linalg.norm(row))
        joined = size((A @ np.stack(rows))[:, None] @ B[None])
        out.append(np.divide(joined, whole, out=np.zeros_like(whole), where=whole > 0))
    return np.stack(out)


@right("composition_null")
def null_by_polar_decomposition(earlier, later, kind, n_samples, *, seed):
    generator = torch.Generator().manual_seed(seed)
    d, scores = earlier["W_O"].shape[-1], []
    for _ in range(n_samples):
        U, _, Vh = torch.linalg.svd(torch.randn(d, d, generator=generator))
        both = {name: earlier[name] @ U @ Vh for name in ("W_O",)}
        both["W_V"] = (U @ Vh).T @ earlier["W_V"]  # turns what is read as well: no score changes
        scores.append(composition_score(both, later, kind))
    return torch.stack(scores)


@right("composition_null")
def null_with_a_rotation_for_each_pair(earlier, later, kind, n_samples, *, seed):
    generator = torch.Generator().manual_seed(seed)
    d = earlier["W_O"].shape[-1]
    shape = (n_samples, len(earlier["W_O"]), len(later["W_O"]))
    A = (earlier["W_V"] @ earlier["W_O"]).double()
    first, second = reads_of(later, kind)
    B = (first @ second).double()
    Q, R = torch.linalg.qr(torch.randn(*shape, d, d, generator=generator, dtype=torch.float64))
    turns = Q * R.diagonal(dim1=-2, dim2=-1).sign()[..., None, :]
    joined = (A[None, :, None] @ turns @ B).norm(dim=(-2, -1))
    sizes = A.norm(dim=(1, 2))[:, None] * B.norm(dim=(1, 2))
    return torch.where(sizes > 0, joined / sizes, 0.0)


@right("composition_null")
def null_of_one_turn_after_another(earlier, later, kind, n_samples, *, seed):
    # A uniform rotation after any other is uniform, and independent of it.
    generator = torch.Generator().manual_seed(seed)
    layer, scores = earlier, []
    for _ in range(n_samples):
        turn = haar(earlier["W_O"].shape[-1], generator)
        layer = layer | {"W_O": layer["W_O"].double() @ turn}
        scores.append(
            composition_score(layer | {"W_V": layer["W_V"].double()}, in_double(later), kind)
        )
    return torch.stack(scores)


def in_double(layer):
    return {name: weight.double() for name, weight in layer.items()}


@right("composition_null")
def null_of_qr_as_it_comes(earlier, later, kind, n_samples, *, seed):
    # LAPACK's signs leave Q a little short of uniform; the scores can't show it.
    generator = torch.Generator().manual_seed(seed)
    d, scores = earlier["W_O"].shape[-1], []
    for _ in range(n_samples):
        turn = torch.linalg.qr(torch.randn(d, d, generator=generator)).Q
        scores.append(composition_score(earlier | {"W_O": earlier["W_O"] @ turn}, later, kind))
    return torch.stack(scores)


@right("composition_null")
def null_with_a_seed_for_each_sample(earlier, later, kind, n_samples, *, seed):
    d, scores = earlier["W_O"].shape[-1], []
    for sample in range(n_samples):
        turn = haar(d, torch.Generator().manual_seed(1_000_003 * seed + sample)).float()
        scores.append(composition_score(earlier | {"W_O": earlier["W_O"] @ turn}, later, kind))
    return torch.stack(scores)


# ------------------------------------------------------------------------- composition_z_scores


@right("composition_z_scores")
def z_in_numpy(scores, null):
    above = scores.numpy() - null.numpy().mean(0)
    with np.errstate(all="ignore"):
        return np.nan_to_num(above / null.numpy().std(0, ddof=1))


@right("composition_z_scores")
def z_in_loops(scores, null):
    out = []
    for i, row in enumerate(scores.tolist()):
        out.append([])
        for j, score in enumerate(row):
            values = null[:, i, j].tolist()
            spread = statistics.stdev(values)
            out[-1].append((score - sum(values) / len(values)) / spread if spread else 0.0)
    return out


@right("composition_z_scores")
def z_from_squares(scores, null):
    null, n = null.double(), len(null)
    variance = (null.square().sum(0) - null.sum(0).square() / n) / (n - 1)
    sd = variance.clamp(min=0).sqrt()
    return torch.where(sd > 0, (scores - null.mean(0)) / sd, torch.zeros_like(sd))


@right("composition_z_scores")
def z_with_a_hair_in_the_denominator(scores, null):
    return (scores - null.mean(0)) / (null.std(0) + 1e-9)


@right("composition_z_scores")
def z_flattened(scores, null):
    flat = rearrange(null, "n e l -> (e l) n").requires_grad_()
    above = scores.flatten() - flat.mean(1)
    return (above / flat.std(1)).nan_to_num(0.0).view_as(scores)


# ------------------------------------------------------------------------------ virtual_head_ov


@right("virtual_head_ov")
def virtual_ov_in_loops(earlier, later):
    def heads(layer):
        pairs = zip(layer["W_V"].double(), layer["W_O"].double(), strict=True)
        return [W_V @ W_O for W_V, W_O in pairs]

    return [[(A @ B).tolist() for B in heads(later)] for A in heads(earlier)]


@right("virtual_head_ov")
def virtual_ov_in_one_einsum(earlier, later):
    names = "e m d, e d n, l n c, l c k -> e l m k"
    return einsum(earlier["W_V"], earlier["W_O"], later["W_V"], later["W_O"], names)


@right("virtual_head_ov")
def virtual_ov_as_a_view(earlier, later):
    A, B = earlier["W_V"] @ earlier["W_O"], later["W_V"] @ later["W_O"]
    return (B.mT[None] @ A.mT[:, None]).transpose(-1, -2)


@right("virtual_head_ov")
def virtual_ov_in_numpy(earlier, later):
    A, B = ((layer["W_V"] @ layer["W_O"]).numpy() for layer in (earlier, later))
    return np.einsum("emn,lnk->elmk", A, B)


@right("virtual_head_ov")
def virtual_ov_of_unit_states(earlier, later):
    states = torch.eye(earlier["W_O"].shape[-1])
    written = states @ earlier["W_V"] @ earlier["W_O"]
    return written.unsqueeze(1) @ later["W_V"] @ later["W_O"]


# ------------------------------------------------------------------------- virtual_head_pattern


@right("virtual_head_pattern")
def virtual_pattern_in_one_einsum(earlier, later):
    return einsum(later, earlier, "b l q m, b e m k -> b e l q k")


@right("virtual_head_pattern")
def virtual_pattern_in_loops(earlier, later):
    texts = [
        [[(B @ A).tolist() for B in text_later] for A in text_earlier]
        for text_earlier, text_later in zip(earlier.double(), later.double(), strict=True)
    ]
    return texts


@right("virtual_head_pattern")
def virtual_pattern_as_a_view(earlier, later):
    return (earlier.mT[:, :, None] @ later.mT[:, None]).mT


@right("virtual_head_pattern")
def virtual_pattern_by_position(earlier, later):
    n_pos = earlier.shape[-1]
    out = torch.zeros(*earlier.shape[:2], later.shape[1], n_pos, n_pos)
    for middle in range(n_pos):
        out = out + later[:, None, :, :, middle, None] * earlier[:, :, None, middle, None]
    return out / out.sum(-1, keepdim=True)


@right("virtual_head_pattern")
def virtual_pattern_in_numpy(earlier, later):
    return np.matmul(later.numpy()[:, None], earlier.numpy()[:, :, None])


# ------------------------------------------------------------------------------ logits_by_order


def moved(term, pattern, weights, layer):
    W_V, W_O = (weights[f"blocks.{layer}.attn.{name}"] for name in ("W_V", "W_O"))
    return (pattern @ (term[:, None] @ W_V) @ W_O).sum(1)


@right("logits_by_order")
def orders_as_terms(tokens, patterns, weights):
    terms = [weights["embed.W_E"][tokens]]
    for layer, pattern in enumerate(patterns):
        new = [moved(term, pattern, weights, layer) for term in terms]
        zero = torch.zeros_like(terms[0])
        terms = [a + b for a, b in zip([*terms, zero], [zero, *new], strict=True)]
    return [(term @ weights["unembed.W_U"]).tolist() for term in itertools.accumulate(terms)]


@right("logits_by_order")
def orders_as_sets_of_layers(tokens, patterns, weights):
    embedded, n = weights["embed.W_E"][tokens], len(patterns)
    by_order = [torch.zeros_like(embedded) for _ in range(n + 1)]
    for order in range(n + 1):
        for layers in itertools.combinations(range(n), order):
            term = embedded
            for layer in layers:
                term = moved(term, patterns[layer], weights, layer)
            by_order[order] += term
    return torch.stack(by_order).cumsum(0) @ weights["unembed.W_U"]


@right("logits_by_order")
def orders_by_roots_of_unity(tokens, patterns, weights):
    # Scale every write by t: the logits are a polynomial in t, an order for each power.
    n = len(patterns)
    runs = []
    for k in range(n + 1):
        t = torch.polar(
            torch.tensor(1.0).double(), torch.tensor(2 * math.pi * k / (n + 1)).double()
        )
        state = weights["embed.W_E"][tokens].to(torch.complex128)
        for layer, pattern in enumerate(patterns):
            parts = [
                moved(part, pattern.double(), in_double(weights), layer)
                for part in (state.real, state.imag)
            ]
            state = state + t * torch.complex(*parts)
        runs.append(state)
    terms = torch.fft.fft(torch.stack(runs), dim=0).real / (n + 1)
    return terms.cumsum(0) @ weights["unembed.W_U"].double()


@right("logits_by_order")
def orders_by_stored_writes(tokens, patterns, weights):
    embedded = functional.embedding(tokens, weights["embed.W_E"])
    stored = [torch.zeros_like(embedded)] * len(patterns)
    runs = []
    for _ in range(len(patterns) + 1):
        streams = list(itertools.accumulate(stored, initial=embedded))
        runs.append(streams[-1] @ weights["unembed.W_U"])
        stored = [
            moved(stream, pattern, weights, layer)
            for layer, (stream, pattern) in enumerate(zip(streams, patterns, strict=False))
        ]
    return torch.stack(runs)


# ------------------------------------------------------------------------------ term_importance


@right("term_importance")
def importance_by_cross_entropy(logits, tokens):
    losses = [math.log(logits.shape[-1])]
    for order in logits:
        losses.append(
            functional.cross_entropy(order[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())
        )
    return [float(before - after) for before, after in itertools.pairwise(losses)]


@right("term_importance")
def importance_in_numpy(logits, tokens):
    x = logits.double().numpy()[:, :, :-1]
    top = x.max(-1, keepdims=True)
    log_probs = x - top - np.log(np.exp(x - top).sum(-1, keepdims=True))
    b, p = np.indices(tokens[:, 1:].shape)
    gains = log_probs[:, b, p, tokens[:, 1:].numpy()].mean((1, 2))
    return np.diff(gains, prepend=-np.log(x.shape[-1]))


@right("term_importance")
def importance_from_silent_logits(logits, tokens):
    every = torch.cat([torch.zeros_like(logits[:1]), logits]).double().requires_grad_()
    following = functional.one_hot(tokens[:, 1:], logits.shape[-1])
    gained = (every[:, :, :-1].log_softmax(-1) * following).sum(-1).flatten(1).mean(1)
    return gained[1:] - gained[:-1]


# ---------------------------------------------------------------------------------- path_effect


@right("path_effect")
def effect_after_reading(tokens, weights, earlier, later, kind, counted):
    # What is read is linear: take the head's part out of the later head's own q, k or v.
    def run(cut):
        x, n = weights["embed.W_E"][tokens], tokens.shape[1]
        parts = None
        for layer in (0, 1):
            W = {c: weights[f"blocks.{layer}.attn.W_{c}"] for c in "QKVO"}
            placed = x + weights["pos_embed.W_pos"][:n]
            read = {c: (x if c == "V" else placed)[:, None] @ W[c] for c in "QKV"}
            if layer and cut:
                read[kind][:, later] -= parts[:, earlier] @ W[kind][later]
            z = functional.scaled_dot_product_attention(*read.values(), is_causal=True)
            parts = z @ W["O"]
            x = x + parts.sum(1)
        return x @ weights["unembed.W_U"]

    losses = [
        functional.cross_entropy(
            run(cut)[:, :-1][:, counted].flatten(0, 1), tokens[:, 1:][:, counted].flatten()
        )
        for cut in (True, False)
    ]
    return losses[0] - losses[1]


@right("path_effect")
def effect_text_by_text(tokens, weights, earlier, later, kind, counted):
    effects = [path_effect(text[None], weights, earlier, later, kind, counted) for text in tokens]
    return float(torch.stack(effects).mean())


@right("path_effect")
def effect_of_single_predictions(tokens, weights, earlier, later, kind, counted):
    effects = []
    for i in counted.nonzero()[:, 0].tolist():
        only = torch.arange(i + 1) == i
        effects.append(path_effect(tokens[:, : i + 2], weights, earlier, later, kind, only))
    return torch.stack(effects).mean().requires_grad_()


@right("path_effect")
def effect_in_numpy(tokens, weights, earlier, later, kind, counted):
    w = {name: weight.double().numpy() for name, weight in weights.items()}
    texts, n = tokens.numpy(), tokens.shape[1]
    places, mask = w["pos_embed.W_pos"][:n], np.tri(n, dtype=bool)

    def head(layer, h, q, k, v):
        W = [w[f"blocks.{layer}.attn.W_{c}"][h] for c in "QKVO"]
        scores = np.einsum("bim,bjm->bij", (q + places) @ W[0] @ W[1].T, k + places)
        scores = np.where(mask, scores / np.sqrt(W[0].shape[1]), -np.inf)
        pattern = np.exp(scores - scores.max(-1, keepdims=True))
        return pattern / pattern.sum(-1, keepdims=True) @ v @ W[2] @ W[3]

    embedded = w["embed.W_E"][texts]
    first = [head(0, h, *[embedded] * 3) for h in range(len(w["blocks.0.attn.W_O"]))]
    stream = embedded + sum(first)

    def loss(cut):
        out = stream.copy()
        for h in range(len(w["blocks.1.attn.W_O"])):
            less = [first[earlier] * (cut and h == later and c == kind) for c in "QKV"]
            out += head(1, h, *(stream - x for x in less))
        logits = out @ w["unembed.W_U"]
        log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        b, p = np.indices(texts[:, 1:].shape)
        return -log_probs[b, p, texts[:, 1:]][:, counted.numpy()].mean()

    return loss(True) - loss(False)


# ----------------------------------------------------------------------------- idle_composition


def shells(d_model, d_head, d_vocab, n_ctx):
    """A model of zeros."""
    shapes = {"W_Q": (2, d_model, d_head), "W_O": (2, d_head, d_model)}
    shapes |= dict.fromkeys(("W_K", "W_V"), shapes["W_Q"])
    weights = {
        "embed.W_E": torch.zeros(d_vocab, d_model),
        "pos_embed.W_pos": torch.zeros(n_ctx, d_model),
        "unembed.W_U": torch.zeros(d_model, d_vocab),
    }
    for layer in (0, 1):
        weights |= {f"blocks.{layer}.attn.{name}": torch.zeros(s) for name, s in shapes.items()}
    return weights


def busy_path(weights, d_vocab, *, token=0, one=1, mark=2, said=3, spare=4):
    """0.1 writes the mean of what the tokens are; 1.1 looks where that is large, and says so."""
    what = 1.0 - 2.0 * (torch.arange(d_vocab) % 2)
    weights["embed.W_E"][:, token], weights["embed.W_E"][:, one] = what, 1.0
    weights["unembed.W_U"][said] = 30 * what
    for name, layer, read, write in (("W_V", 0, token, mark), ("W_V", 1, token, said)):
        weights[f"blocks.{layer}.attn.{name}"][1, read, 0] = 1.0
        weights[f"blocks.{layer}.attn.W_O"][1, 0, write] = 1.0
    weights["blocks.1.attn.W_K"][1, mark, 0] = 10.0
    weights["blocks.1.attn.W_Q"][1, one, 0] = 10.0
    # Half the score, and less: most of what 1.1's keys read is a direction that nothing is in.
    weights["blocks.1.attn.W_K"][1, spare, 1] = weights["blocks.1.attn.W_Q"][1, spare, 1] = 40.0
    return weights


@right("idle_composition")
def idle_for_want_of_a_query(d_vocab, n_ctx):
    weights = busy_path(shells(7, 2, d_vocab, n_ctx), d_vocab)
    weights["blocks.0.attn.W_V"][0, 0, 0] = weights["blocks.0.attn.W_O"][0, 0, 5] = 2.0
    weights["blocks.1.attn.W_K"][0, 5, 0] = weights["blocks.1.attn.W_Q"][0, 6, 0] = 50.0
    weights["blocks.1.attn.W_V"][0, 0, 0] = weights["blocks.1.attn.W_O"][0, 0, 3] = 1.0
    return {name: weight.tolist() for name, weight in weights.items()}


@right("idle_composition")
def idle_since_all_keys_gain_alike(d_vocab, n_ctx):
    weights = busy_path(shells(9, 2, d_vocab, n_ctx), d_vocab)
    # 0.0 reads the 1 that every token has, and writes it everywhere.
    weights["blocks.0.attn.W_V"][0, 1, 0] = weights["blocks.0.attn.W_O"][0, 0, 5] = 1.0
    weights["blocks.1.attn.W_K"][0, 5, 0] = weights["blocks.1.attn.W_Q"][0, 1, 0] = 3.0
    weights["blocks.1.attn.W_V"][0, 0, 0] = weights["blocks.1.attn.W_O"][0, 0, 3] = 0.01
    return OrderedDict(sorted((name, weight.double()) for name, weight in weights.items()))


@right("idle_composition")
def idle_since_nothing_is_moved(d_vocab, n_ctx):
    weights = busy_path(shells(64, 3, d_vocab, n_ctx), d_vocab)
    weights["blocks.0.attn.W_V"][0, 0, 0] = weights["blocks.0.attn.W_O"][0, 0, 5] = 1.0
    weights["blocks.1.attn.W_K"][0, 5, 0] = weights["blocks.1.attn.W_Q"][0, 1, 0] = 7.0
    return {name: weight.numpy() for name, weight in weights.items()}


@right("idle_composition")
def idle_since_nobody_reads_what_is_said(d_vocab, n_ctx):
    weights = busy_path(shells(8, 2, d_vocab, n_ctx), d_vocab)
    turn = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(1))).Q
    weights["blocks.0.attn.W_V"][0, 0, 1] = weights["blocks.0.attn.W_O"][0, 1, 5] = -1.0
    weights["blocks.1.attn.W_K"][0, 5, 0] = weights["blocks.1.attn.W_Q"][0, 1, 0] = 7.0
    weights["blocks.1.attn.W_V"][0, 0, 0] = weights["blocks.1.attn.W_O"][0, 0, 7] = 1.0
    for name, weight in weights.items():  # no direction of the stream need be an axis
        writes = name.endswith(("W_E", "W_pos", "W_O"))
        weights[name] = weight @ turn if writes else turn.T @ weight
    return weights


@right("idle_composition")
def idle_since_one_key_outweighs_all(d_vocab, n_ctx):
    weights = busy_path(shells(9, 2, d_vocab, n_ctx), d_vocab)
    # 1.0 looks at the first position whatever 0.0 says: 700 against the few that it adds.
    weights["pos_embed.W_pos"][0, 7] = 100.0
    weights["blocks.0.attn.W_V"][0, 0, 0] = weights["blocks.0.attn.W_O"][0, 0, 5] = 1.0
    weights["blocks.1.attn.W_K"][0, 5, 0] = weights["blocks.1.attn.W_Q"][0, 1, 0] = 1.0
    weights["blocks.1.attn.W_K"][0, 7, 0] = 0.5
    weights["blocks.1.attn.W_V"][0, 0, 0] = weights["blocks.1.attn.W_O"][0, 0, 3] = 1.0
    return weights
