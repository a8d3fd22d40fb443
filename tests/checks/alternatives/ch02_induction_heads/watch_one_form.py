"""Right answers to `ch02_induction_heads/1_watch_one_form.ipynb` in other styles: all must pass."""

import random as python_random
import sys
import warnings
from typing import NamedTuple

import numpy as np
import torch
from einops import einsum

from tests.checks.harness import right

# -------------------------------------------------------------------------- repeated_sequences


@right("repeated_sequences")
def sequences_one_by_one(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    if periods[1] + offsets[1] > d_vocab:
        raise ValueError
    print("a note", file=sys.stderr)
    warnings.warn("a warning is no mistake", stacklevel=1)
    random = torch.Generator().manual_seed(seed)
    tokens, predictable = [], []
    for _ in range(n_sequences):
        offset = torch.randint(offsets[0], offsets[1] + 1, (1,), generator=random).item()
        period = torch.randint(periods[0], periods[1] + 1, (1,), generator=random).item()
        drawn = torch.randperm(d_vocab, generator=random)
        copies = drawn[offset : offset + period].repeat(n_pos // period + 1)
        tokens.append(torch.cat([drawn[:offset], copies])[:n_pos])
        predictable.append(torch.arange(n_pos) >= offset + period + 1)
    return torch.stack(tokens), torch.stack(predictable)


@right("repeated_sequences")
def sequences_in_plain_python(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    if d_vocab < max(periods) + max(offsets):
        raise ValueError("too few tokens, too few")
    random = python_random.Random(seed)
    tokens, predictable = [], []
    for _ in range(n_sequences):
        period, offset = random.randint(*periods), random.randint(*offsets)
        row = random.sample(range(d_vocab), offset + period)
        while len(row) < n_pos:
            row.append(row[-period])
        tokens.append(row[:n_pos])
        predictable.append([i > offset + period for i in range(n_pos)])
    return [tokens, predictable]


@right("repeated_sequences")
def sequences_in_numpy(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    if d_vocab - periods[1] - offsets[1] < 0:
        raise ValueError(f"{d_vocab} tokens")
    random = np.random.default_rng(seed)
    drawn = random.permuted(np.tile(np.arange(d_vocab, dtype=np.int32), (n_sequences, 1)), axis=1)
    period = random.integers(*periods, size=(n_sequences, 1), endpoint=True)
    offset = random.integers(*offsets, size=(n_sequences, 1), endpoint=True)
    place = np.arange(n_pos)
    source = np.where(place < offset, place, offset + (place - offset) % period)
    return np.take_along_axis(drawn, source, axis=1), place - offset - period > 0


@right("repeated_sequences")
def sequences_seeded_for_each(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    needed = periods[1] + offsets[1]
    if needed > d_vocab:
        raise ValueError(needed)
    tokens = torch.empty(n_sequences, n_pos, dtype=torch.int32)
    predictable = torch.zeros(n_sequences, n_pos, dtype=torch.bool)
    for n in range(n_sequences):
        torch.manual_seed(1000 * seed + n)
        drawn = torch.randperm(d_vocab)
        period = periods[0] + int(torch.rand(1) * (periods[1] - periods[0] + 1))
        offset = offsets[0] + int(torch.rand(1) * (offsets[1] - offsets[0] + 1))
        for i in range(n_pos):
            tokens[n, i] = drawn[i] if i < offset + period else tokens[n, i - period]
            predictable[n, i] = i > offset + period
    return tokens, predictable


@right("repeated_sequences")
def sequences_by_multinomial(n_sequences, n_pos, d_vocab, *, periods, offsets, seed):
    if d_vocab < periods[1] + offsets[1]:
        raise ValueError("the vocabulary is too small")
    torch.manual_seed(seed)
    need = periods[1] + offsets[1]
    drawn = torch.multinomial(torch.ones(n_sequences, d_vocab), need)
    period = torch.randint(periods[0], periods[1] + 1, (n_sequences,))
    offset = torch.randint(offsets[0], offsets[1] + 1, (n_sequences,))
    tokens = torch.zeros(n_sequences, n_pos, dtype=torch.long)
    for i in range(n_pos):
        back = torch.arange(n_sequences), (i - period).clamp(min=0)
        fresh = drawn[:, min(i, need - 1)]
        tokens[:, i] = torch.where(i < offset + period, fresh, tokens[back])
    return tokens, torch.arange(n_pos).expand(n_sequences, -1) > (offset + period)[:, None]


# ------------------------------------------------------------------------------ per_token_loss


@right("per_token_loss")
def loss_by_cross_entropy(logits, tokens):
    flat = torch.nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten(), reduction="none"
    )
    return flat.view(len(tokens), -1)


@right("per_token_loss")
def loss_by_cross_entropy_on_the_second_axis(logits, tokens):
    print("a note", file=sys.stderr)
    loss = torch.nn.CrossEntropyLoss(reduction="none")
    return loss(logits.mT[..., :-1], tokens[:, 1:]).requires_grad_().double()


@right("per_token_loss")
def loss_in_loops(logits, tokens):
    rows = []
    for scores, text in zip(logits.double(), tokens.tolist(), strict=True):
        total = [row.logsumexp(0) for row in scores]
        rows.append([float(total[i] - scores[i, text[i + 1]]) for i in range(len(text) - 1)])
    return rows


@right("per_token_loss")
def loss_by_one_hot(logits, tokens):
    hot = torch.nn.functional.one_hot(tokens, logits.shape[-1])
    log_probs = logits.double() - logits.double().logsumexp(-1, keepdim=True)
    return -einsum(log_probs[:, :-1], hot[:, 1:].double(), "b p v, b p v -> b p")


@right("per_token_loss")
def loss_in_numpy(logits, tokens):
    scores, next_tokens = logits.numpy().astype(np.float64)[:, :-1], tokens.numpy()[:, 1:]
    scores = scores - scores.max(-1, keepdims=True)
    total = np.log(np.exp(scores).sum(-1))
    return total - np.take_along_axis(scores, next_tokens[..., None], -1)[..., 0]


@right("per_token_loss")
def loss_by_probabilities_in_double_precision(logits, tokens):
    b, i = torch.meshgrid(
        torch.arange(len(tokens)), torch.arange(tokens.shape[1] - 1), indexing="ij"
    )
    return -logits.double().softmax(-1)[b, i, tokens[:, 1:]].log()


# ------------------------------------------------------------------- in_context_learning_score


@right("in_context_learning_score")
def learning_by_two_means(losses, early, late):
    mean = losses.mean(dim=0)
    return (mean[late - 1] - mean[early - 1]).requires_grad_()


@right("in_context_learning_score")
def learning_as_a_number(losses, early, late):
    return sum(float(row[late - 1]) - float(row[early - 1]) for row in losses) / len(losses)


@right("in_context_learning_score")
def learning_with_a_column_in_front(losses, early, late):
    by_position = torch.nn.functional.pad(losses.double(), (1, 0))
    return by_position[:, late].mean() - by_position[:, early].mean()


@right("in_context_learning_score")
def learning_in_numpy(losses, early, late):
    print("a note", file=sys.stderr)
    return np.diff(losses.numpy()[:, [early - 1, late - 1]], axis=1).mean()


# ----------------------------------------------------------------------------- induction_score


@right("induction_score")
def induction_in_loops(pattern, tokens):
    total, n = torch.zeros(pattern.shape[1]), 0
    for b, text in enumerate(tokens.tolist()):
        for i, token in enumerate(text):
            copies = [j for j in range(i) if text[j] == token]
            n += bool(copies)
            for j in copies:
                total += pattern[b, :, i, j + 1]
    return (total / max(n, 1)).tolist()


@right("induction_score")
def induction_by_the_token_before_each_key(pattern, tokens):
    before = torch.cat([torch.full_like(tokens[:, :1], -1), tokens[:, :-1]], dim=1)
    wanted = (tokens[:, :, None] == before[:, None]).tril()
    counted = wanted.any(-1).sum()
    total = einsum(pattern.double(), wanted.double(), "b h q k, b q k -> h")
    return (total / counted).nan_to_num(0.0)


@right("induction_score")
def induction_by_selecting_queries(pattern, tokens):
    same = (tokens.unsqueeze(2) == tokens.unsqueeze(1)).tril(-1).roll(1, dims=2)
    chosen = same.any(dim=2)
    if not chosen.any():
        return torch.zeros(pattern.shape[1])
    attended = (pattern * same.unsqueeze(1)).sum(3).permute(0, 2, 1)
    return attended[chosen].mean(0)


@right("induction_score")
def induction_in_numpy(pattern, tokens):
    t, p = tokens.numpy(), pattern.numpy()
    n = t.shape[1]
    earlier = (t[:, :, None] == t[:, None]) & np.tri(n, k=-1, dtype=bool)
    on = p[..., 1:] * earlier[:, None, :, :-1]
    return on.sum(axis=(0, 2, 3)) / max(1, np.count_nonzero(earlier.any(-1)))


@right("induction_score")
def induction_head_by_head(pattern, tokens):
    n_batch, n_heads, n_pos, _ = pattern.shape
    scores = []
    for h in range(n_heads):
        found = []
        for b in range(n_batch):
            for i in range(1, n_pos):
                keys = (tokens[b, :i] == tokens[b, i]).nonzero()[:, 0] + 1
                if len(keys):
                    found.append(pattern[b, h, i, keys].sum())
        scores.append(torch.stack(found).mean() if found else torch.tensor(0.0))
    return torch.stack(scores).requires_grad_()


# ------------------------------------------------------------------------- phase_change_window


@right("phase_change_window")
def window_in_loops(steps, values, *, lower, upper):
    first, last = float(values[0]), float(values[-1])
    if first == last:
        raise ValueError
    start = None
    for step, value in zip(steps.tolist(), values.tolist(), strict=True):
        come = (value - first) / (last - first)
        if come >= upper:
            return [start, step]
        if come <= lower:
            start = step


class Window(NamedTuple):
    """A stretch of training."""

    start: float
    end: float


@right("phase_change_window")
def window_as_tensors(steps, values, *, lower, upper):
    if torch.equal(values[0], values[-1]):
        raise ValueError("no way to go: 0, none")
    sign = torch.sign(values[-1] - values[0])
    up, way = sign * (values - values[0]), (values[-1] - values[0]).abs()
    end = torch.nonzero(up >= upper * way)[0, 0]
    start = torch.nonzero(up[:end] <= lower * way)[-1, 0]
    return Window(steps[start], steps[end].double())


@right("phase_change_window")
def window_in_numpy(steps, values, *, lower, upper):
    s, v = steps.numpy().astype(np.float64), values.numpy().astype(np.float64)
    if np.ptp(v[[0, -1]]) == 0:
        raise ValueError("flat")
    come = (v - v[0]) / (v[-1] - v[0])
    end = np.flatnonzero(come >= upper).min()
    return s[np.flatnonzero(come[:end] <= lower).max()], s[end]


@right("phase_change_window")
def window_from_the_end_backwards(steps, values, *, lower, upper):
    print("a note", file=sys.stderr)
    way = values[-1] - values[0]
    if not way:
        raise ValueError("it ends where it began")
    come = ((values - values[0]) / way).tolist()
    end = next(i for i, share in enumerate(come) if share >= upper)
    start = next(i for i in reversed(range(end)) if come[i] <= lower)
    return steps[start].item(), steps[end].item()


# ------------------------------------------------------------------ unmask_positional_impostor


@right("unmask_positional_impostor")
def impostor_in_loops(pattern, tokens, period):
    n_batch, n_heads, n_pos, _ = pattern.shape
    total, n = torch.zeros(n_heads), 0
    for b in range(n_batch):
        for i in range(period, n_pos):
            if tokens[b, i - period] != tokens[b, i]:
                total = total + pattern[b, :, i, i - period + 1] - 1 / (i + 1)
                n += 1
    return total / n if n else total


@right("unmask_positional_impostor")
def impostor_by_a_diagonal(pattern, tokens, period):
    n_pos = tokens.shape[1]
    if n_pos <= period:
        return [0.0] * pattern.shape[1]
    on = pattern.diagonal(1 - period, dim1=-2, dim2=-1)[..., 1:].double()
    wrong = (tokens[:, period:] != tokens[:, :-period]).double()
    chance = (wrong / torch.arange(period + 1, n_pos + 1)).sum()
    total = einsum(on, wrong, "b h i, b i -> h")
    return ((total - chance) / wrong.sum()).nan_to_num(0.0)


@right("unmask_positional_impostor")
def impostor_by_two_means(pattern, tokens, period):
    n_pos = tokens.shape[1]
    i = torch.arange(n_pos)
    wrong = (tokens != tokens.roll(period, 1)) & (i >= period)
    if not wrong.any():
        return torch.zeros(pattern.shape[1], dtype=torch.float64)
    at = torch.gather(
        pattern,
        -1,
        (i - period + 1).clamp(min=0)[:, None].expand(*pattern.shape[:3], 1),
    )[..., 0]
    attended = at.transpose(1, 2)[wrong].mean(0)
    return attended - (1 / (i + 1)).expand_as(wrong)[wrong].mean()


@right("unmask_positional_impostor")
def impostor_in_numpy(pattern, tokens, period):
    t, p = tokens.numpy(), pattern.numpy()
    b, i = np.nonzero(t[:, period:] != t[:, : max(t.shape[1] - period, 0)])
    i = i + period
    if not len(i):
        return np.zeros(p.shape[1])
    return (p[b, :, i, i - period + 1] - 1 / (i[:, None] + 1)).mean(0)


@right("unmask_positional_impostor")
def impostor_against_an_even_pattern(pattern, tokens, period):
    # The same measure of a head that spreads its attention evenly is what chance gives.
    n_pos = tokens.shape[1]
    even = torch.ones(n_pos, n_pos).tril()
    even = (even / even.sum(-1, keepdim=True)).expand(len(tokens), 1, -1, -1)
    found = [
        both[b, :, i, i - period + 1]
        for both in [torch.cat([pattern, even], dim=1)]
        for b in range(len(tokens))
        for i in range(period, n_pos)
        if tokens[b, i] != tokens[b, i - period]
    ]
    if not found:
        return 0 * pattern[0, :, 0, 0]
    mean = torch.stack(found).mean(0)
    return mean[:-1] - mean[-1]
