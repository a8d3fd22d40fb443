"""Right answers to `ch02_induction_heads/2_find_them.ipynb` in other styles: all must pass."""

import sys
import warnings

import numpy as np
import torch
from einops import einsum
from torch.nn.functional import one_hot, pad

from mechcourse.data import repeated_sequences
from tests.checks.harness import right

# ----------------------------------------------------------------------- offset_attention_score


@right("offset_attention_score")
def offset_in_loops(pattern, offset):
    warnings.warn("a warning is no mistake", stacklevel=1)
    print("a note", file=sys.stderr)
    found = []
    for head in range(pattern.shape[1]):
        seen = [p[head, i, i - offset] for p in pattern for i in range(offset, pattern.shape[-1])]
        found.append(float(sum(seen)) / len(seen) if seen else 0)
    return found


@right("offset_attention_score")
def offset_by_a_mask(pattern, offset):
    places = torch.arange(pattern.shape[-1])
    wanted = (places[:, None] - places == offset).double()
    total = torch.einsum("bhqk,qk->h", pattern.double(), wanted)
    return total / (len(pattern) * wanted.sum()).clamp(min=1)


@right("offset_attention_score")
def offset_by_gathering(pattern, offset):
    queries = torch.arange(offset, max(offset, pattern.shape[-1]))
    return pattern[:, :, queries, queries - offset].mean((0, 2)).nan_to_num()


@right("offset_attention_score")
def offset_in_numpy(pattern, offset):
    diagonal = np.diagonal(pattern.numpy(), -offset, 2, 3)
    size = max(diagonal.shape[-1], 1) * len(pattern)
    return diagonal.sum(axis=(0, 2)) / size


@right("offset_attention_score")
def offset_of_shifted_slices(pattern, offset):
    n = pattern.shape[-1]
    kept = pattern.requires_grad_()[:, :, offset:, : max(n - offset, 0)]
    if kept.shape[-1] == 0 or kept.shape[-2] == 0:
        return torch.zeros(pattern.shape[1], dtype=torch.float64)
    return kept.diagonal(dim1=2, dim2=3).flatten(2).transpose(0, 1).flatten(1).mean(1)


# --------------------------------------------------------------------------------- chance_level


@right("chance_level")
def chance_in_loops(wanted):
    shares = []
    for text in wanted.tolist():
        for i, row in enumerate(text):
            if any(row):
                shares.append(sum(row) / (i + 1))
    return sum(shares) / len(shares) if shares else 0


@right("chance_level")
def chance_of_an_even_pattern(wanted):
    n = wanted.shape[-1]
    even = torch.ones(n, n, dtype=torch.float64).tril()
    even = even / even.sum(-1, keepdim=True)
    total = einsum(even, wanted.double(), "q k, b q k ->")
    return total / wanted.any(-1).sum().clamp(min=1)


@right("chance_level")
def chance_in_numpy(wanted):
    wanted = wanted.numpy()
    shares = wanted.sum(-1) / np.arange(1, wanted.shape[1] + 1)
    return shares[shares > 0].mean() if wanted.any() else np.float64(0)


@right("chance_level")
def chance_as_a_tensor(wanted):
    shares = wanted.float().cumsum(-1)[..., -1] / torch.arange(1, 1 + wanted.shape[-1])
    return shares[shares.gt(0)].mean().nan_to_num(0.0)


# --------------------------------------------------------------------------- copying_head_score


@right("copying_head_score")
def copying_in_loops(pattern, result, W_U, tokens):
    found = []
    for h in range(pattern.shape[1]):
        attended = whole = 0.0
        for b, text in enumerate(tokens):
            for i in range(len(text)):
                own = (result[b, i, h].double() @ W_U.double())[text]
                raised = (own - own.mean()).clamp(min=0)
                attended += float(raised @ pattern[b, h, i].double())
                whole += float(raised.sum())
        found.append(4 * attended / (attended + whole) - 1 if whole > 0 else -1.0)
    return torch.tensor(found)


@right("copying_head_score")
def copying_in_one_einsum(pattern, result, W_U, tokens):
    columns = W_U.T[tokens]  # [batch key d_model]
    centred = columns - columns.mean(1, keepdim=True)
    raised = torch.einsum("bihm,bkm->bhik", result, centred).relu()
    attended = torch.einsum("bhik,bhik->h", raised, pattern)
    whole = raised.sum((0, 2, 3))
    r = attended / (attended + whole)
    return torch.where(whole > 0, 4 * r - 1, -1)


@right("copying_head_score")
def copying_by_one_hot(pattern, result, W_U, tokens):
    hot = one_hot(tokens, W_U.shape[1]).double()
    own = torch.einsum("bihm,mt,bkt->bhik", result.double(), W_U.double(), hot)
    raised = torch.maximum(own - own.mean(-1, keepdim=True), torch.zeros(()))
    looked = (raised * pattern).sum((0, 2, 3))
    ratio = looked / (looked + raised.sum((0, 2, 3)))
    return 4 * ratio.nan_to_num(0.0) - 1


@right("copying_head_score")
def copying_in_numpy(pattern, result, W_U, tokens):
    said = result.double().numpy() @ W_U.double().numpy()
    own = np.take_along_axis(said, tokens.numpy()[:, None, None], axis=-1)
    raised = np.clip(own - own.mean(-1, keepdims=True), 0, None).transpose(0, 2, 1, 3)
    attended, whole = ((raised * w).sum(axis=(0, 2, 3)) for w in (pattern.numpy(), 1.0))
    return 4 * attended / np.maximum(attended + whole, 1e-12) - 1


# ------------------------------------------------------------------------------- classify_heads


@right("classify_heads")
def named_in_loops(scores, thresholds):
    n_layers, n_heads = next(iter(scores.values())).shape
    names = []
    for layer in range(n_layers):
        row = []
        for head in range(n_heads):
            best, name = 1.0, "none"
            for kind, threshold in thresholds.items():
                multiple = float(scores[kind][layer, head]) / threshold
                if multiple >= best:
                    best, name = multiple, kind
            row.append(name)
        names.append(row)
    return names


@right("classify_heads")
def named_by_masking(scores, thresholds):
    kinds = sorted(scores)
    values = torch.stack([scores[kind] for kind in kinds]).double()
    least = torch.tensor([thresholds[kind] for kind in kinds])[:, None, None]
    multiples = torch.where(values >= least, values / least, -torch.inf)
    best = multiples.argmax(0)
    reached = (values >= least).any(0)
    return tuple(
        tuple(kinds[i] if ok else "none" for i, ok in zip(*pair, strict=True))
        for pair in zip(best.tolist(), reached.tolist(), strict=True)
    )


@right("classify_heads")
def named_with_none_among_the_kinds(scores, thresholds):
    first = next(iter(scores.values()))
    multiples = {kind: score / thresholds[kind] for kind, score in scores.items()}
    multiples["none"] = torch.full_like(first, 1 - 1e-6)
    kinds = np.array(list(multiples))
    return kinds[np.stack(list(multiples.values())).argmax(0)].tolist()


@right("classify_heads")
def named_by_comparing_tuples(scores, thresholds):
    n_layers, n_heads = next(iter(scores.values())).shape
    return [
        [
            max(
                [(score[i, j] / thresholds[k], k) for k, score in scores.items()]
                + [(torch.tensor(0.999999), "none")]
            )[1]
            for j in range(n_heads)
        ]
        for i in range(n_layers)
    ]


# ------------------------------------------------------------------------- find_induction_heads


def looked(model, tokens):
    """All patterns, [layer batch head query key]."""
    with torch.no_grad():
        _, cache = model.run_with_cache(tokens)
    return torch.stack(
        [cache[f"blocks.{layer}.attn.hook_pattern"] for layer in range(model.config.n_layers)]
    )


def texts(model, seed, low, high, n=32, offset=4):
    sizes = n, model.config.n_ctx, model.config.d_vocab
    high = min(high, model.config.d_vocab - offset)
    return repeated_sequences(
        *sizes, periods=(min(low, high), high), offsets=(0, offset), seed=seed
    )[0]


def induction_of(model, tokens):
    copies = (tokens[:, :, None] == tokens[:, None, :]).tril(-1)
    after = pad(copies, (1, 0))[..., :-1]
    total = torch.einsum("lbhqk,bqk->lh", looked(model, tokens), after.float())
    return total / copies.any(-1).sum()


@right("find_induction_heads")
def detector_with_a_threshold_of_a_fifth(model, *, seed):
    return induction_of(model, texts(model, seed, 8, model.config.n_ctx // 2, n=96)) > 0.2


@right("find_induction_heads")
def detector_with_a_threshold_of_six_tenths(model, *, seed):
    tokens = texts(model, seed, 6, model.config.n_ctx // 2)
    return (induction_of(model, tokens) > 0.6).tolist()


@right("find_induction_heads")
def detector_with_short_periods(model, *, seed):
    return induction_of(model, texts(model, seed, 8, 12)).numpy() > 0.4


@right("find_induction_heads")
def detector_above_chance(model, *, seed):
    tokens = texts(model, seed, model.config.n_ctx // 4, model.config.n_ctx // 2)
    copies = (tokens[:, :, None] == tokens[:, None, :]).tril(-1)
    chance = chance_level(pad(copies, (1, 0))[..., :-1])
    return (induction_of(model, tokens) - chance) / (1 - chance) > 0.35


@right("find_induction_heads")
def detector_with_two_periods(model, *, seed):
    # No distance fits both: 7 and 11 have no common multiple within a context.
    each = [induction_of(model, texts(model, seed, t, t, n=8, offset=0)) for t in (7, 11)]
    return torch.minimum(*each) > 0.4


@right("find_induction_heads")
def detector_by_the_lower_quarter(model, *, seed):
    tokens = texts(model, seed, 8, model.config.n_ctx // 2, n=24)
    each = torch.stack([induction_of(model, text[None]) for text in tokens])
    return each.quantile(0.25, dim=0) > 0.3


@right("find_induction_heads")
def detector_with_repeated_random_tokens(model, *, seed):
    # Tokens that may recur within a period, and no library.
    generator = torch.Generator().manual_seed(seed)
    n_ctx, d_vocab = model.config.n_ctx, model.config.d_vocab
    found = []
    for period in range(8, n_ctx // 2 + 1):
        once = torch.randint(0, d_vocab, (2, period), generator=generator)
        found.append(induction_of(model, once.repeat(1, n_ctx // period + 1)[:, :n_ctx]))
    return (torch.stack(found).mean(0) > 0.35).int()


@right("find_induction_heads")
def detector_of_a_diagonal(model, *, seed):
    # The stripe at period - 1, with two copies only, so that there is one key to look at.
    generator = torch.Generator().manual_seed(seed)
    n_ctx, d_vocab = model.config.n_ctx, model.config.d_vocab
    scores = []
    for period in range(n_ctx // 4, min(n_ctx // 2, d_vocab) + 1):
        once = torch.stack([torch.randperm(d_vocab, generator=generator)[:period] for _ in "ab"])
        pattern = looked(model, once.repeat(1, 2))[..., period:, :]
        scores.append(pattern.diagonal(offset=1, dim1=-2, dim2=-1).mean((1, 3)))
    return torch.stack(scores).mean(0).requires_grad_() > 0.5
