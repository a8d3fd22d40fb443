"""Definitions and named mistakes behind `ch04_superposition/5_sparse_autoencoders`."""

from collections.abc import Callable
from itertools import permutations

import torch
from torch import Tensor

from mechcourse.checks import _inputs as inputs

Mistakes = dict[str, Callable[[], Tensor | float]]
SHORT = 0.1  # a feature whose row is shorter is not represented

# ------------------------------------------------------------------------------ the autoencoder


def weights(random: torch.Generator, d: int, n_latents: int) -> tuple[Tensor, ...]:
    """W_enc, b_enc, W_dec and b_dec; nothing tied, no bias 0, no row of length 1."""
    return (
        inputs.normal(random, d, n_latents),
        0.8 * inputs.normal(random, n_latents),
        inputs.normal(random, n_latents, d),
        1.5 * inputs.normal(random, d),
    )


def latents(h: Tensor, W_enc: Tensor, b_enc: Tensor, b_dec: Tensor) -> Tensor:
    """ReLU((h - b_dec) W_enc + b_enc), a sample at a time."""
    h, W_enc, b_enc, b_dec = (x.double() for x in (h, W_enc, b_enc, b_dec))
    return torch.stack([W_enc.T.mv(row - b_dec) + b_enc for row in h]).clamp(min=0)


def made_of(z: Tensor, W_dec: Tensor, b_dec: Tensor) -> Tensor:
    """Each sample's sum of dictionary rows, and the bias."""
    return torch.stack([(row[:, None] * W_dec.double()).sum(dim=0) for row in z]) + b_dec.double()


def wrong_latents(h: Tensor, W_enc: Tensor, b_enc: Tensor, b_dec: Tensor) -> Mistakes:
    """One mistake each."""
    h, W_enc, b_enc, b_dec = (x.double() for x in (h, W_enc, b_enc, b_dec))
    inner = (h - b_dec) @ W_enc
    return {
        "the decoder's bias was not taken away before the encoder.": lambda: (
            h @ W_enc + b_enc
        ).clamp(min=0),
        "the decoder's bias was added before the encoder; it is taken away.": lambda: (
            (h + b_dec) @ W_enc + b_enc
        ).clamp(min=0),
        "the latents have no ReLU.": lambda: inner + b_enc,
        "the encoder's bias was added after the ReLU; it belongs inside.": lambda: (
            inner.clamp(min=0) + b_enc
        ),
        "the encoder's bias is missing.": lambda: inner.clamp(min=0),
        "the encoder's bias was taken away; it is added.": lambda: (inner - b_enc).clamp(min=0),
    }


def wrong_made(z: Tensor, W_enc: Tensor, W_dec: Tensor, b_dec: Tensor) -> Mistakes:
    """One mistake each, with the right latents."""
    W_enc, W_dec, b_dec = (x.double() for x in (W_enc, W_dec, b_dec))
    right = z @ W_dec + b_dec
    return {
        "the decoder's bias was not added at the end.": lambda: right - b_dec,
        "the decoder's bias was taken away at the end; it is added.": lambda: right - 2 * b_dec,
        "the reconstruction went through a ReLU; only the latents do.": lambda: right.clamp(min=0),
        "the encoder's weights were used to decode; the two are not tied.": lambda: (
            z @ W_enc.T + b_dec
        ),
    }


def loss(h: Tensor, made: Tensor, z: Tensor, l1: float) -> Tensor:
    """Sums over coordinates, a mean over samples."""
    h, made, z = h.double(), made.double(), z.double()
    of_each = [
        sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) + l1 * sum(abs(u) for u in code)
        for x, y, code in zip(h, made, z, strict=True)
    ]
    return torch.stack(of_each).sum() / len(of_each)


def wrong_losses(h: Tensor, made: Tensor, z: Tensor, l1: float) -> Mistakes:
    """One mistake each; some latents are below 0."""
    h, made, z = h.double(), made.double(), z.double()
    squares, sizes = (h - made) ** 2, z.abs()
    errors, penalty = squares.sum(dim=1).mean(), sizes.sum(dim=1).mean()
    return {
        "the penalty is missing.": lambda: errors,
        "the penalty has no `l1`.": lambda: errors + penalty,
        "this is the penalty alone.": lambda: l1 * penalty,
        "the errors were averaged over dimensions; they are summed.": lambda: (
            squares.mean() + l1 * penalty
        ),
        "the latents were averaged; their sizes are summed.": lambda: errors + l1 * sizes.mean(),
        "both were averaged over everything; over dimensions and latents they are summed.": (
            lambda: squares.mean() + l1 * sizes.mean()
        ),
        "the samples were added up; the mean is taken over them.": lambda: (
            len(h) * (errors + l1 * penalty)
        ),
        "the penalty was added up over samples; both parts are means over them.": lambda: (
            errors + l1 * sizes.sum()
        ),
        "the errors were added up over samples; both parts are means over them.": lambda: (
            squares.sum() + l1 * penalty
        ),
        "the errors were halved.": lambda: errors / 2 + l1 * penalty,
        "latents were squared; their sizes are asked for.": lambda: (
            errors + l1 * (z**2).sum(dim=1).mean()
        ),
        "active latents were counted; their sizes are added up.": lambda: (
            errors + l1 * (z != 0).double().sum(dim=1).mean()
        ),
        "a latent below 0 has a size as well: abs().": lambda: errors + l1 * z.sum(dim=1).mean(),
        "errors were not squared.": lambda: (h - made).abs().sum(dim=1).mean() + l1 * penalty,
        "a root was taken of each sample's error.": lambda: (
            squares.sum(dim=1).sqrt().mean() + l1 * penalty
        ),
        "`l1` was multiplied with the errors as well.": lambda: l1 * (errors + penalty),
        "the norm over all latents' squares was taken, not the sum of their sizes.": lambda: (
            errors + l1 * z.norm(dim=1).mean()
        ),
    }


# ------------------------------------------------------------------------------------ matching


def cosines(W: Tensor, dictionary: Tensor) -> Tensor:
    """Between represented features and latents; 0 for a latent of length 0."""
    rows = [row.double() for row in W if float(row.double().norm()) >= SHORT]
    table = torch.zeros(len(rows), len(dictionary), dtype=torch.float64)
    for i, row in enumerate(rows):
        for j, latent in enumerate(dictionary.double()):
            if float(latent.norm()):
                table[i, j] = (row @ latent) / (row.norm() * latent.norm())
    return table


def matched(table: Tensor) -> float:
    """The best sum, by trying every matching; pairs below 0 count 0. Small tables only."""
    turned = table if table.shape[0] <= table.shape[1] else table.T
    rows = range(turned.shape[0])
    values = turned.tolist()
    best = max(
        permutations(range(turned.shape[1]), len(rows)),
        key=lambda to: sum(values[i][j] for i, j in zip(rows, to, strict=True)),
    )
    return sum(max(values[i][j], 0.0) for i, j in zip(rows, best, strict=True))


def recovery(W: Tensor, dictionary: Tensor) -> float:
    table = cosines(W, dictionary)
    return matched(table) / len(table) if len(table) else 0.0


def wrong_recoveries(W: Tensor, dictionary: Tensor) -> dict[str, float]:
    """One mistake each; some features are not represented, and one latent has no length."""
    table = cosines(W, dictionary)
    right, n = recovery(W, dictionary), len(table)
    every = cosines(W * (1 / W.norm(dim=1, keepdim=True)), dictionary)
    raw = W.double()[W.norm(dim=1) >= SHORT] @ dictionary.double().T
    features = torch.nn.functional.normalize(W.double()[W.norm(dim=1) >= SHORT], dim=1)
    pairs = min(table.shape)
    in_order = sum(max(float(table[i, i]), 0.0) for i in range(pairs))
    return {
        "the best latent was taken for each feature, so that one latent serves several: no latent "
        "is matched with two.": float(table.amax(dim=1).clamp(min=0).mean()),
        "features were matched one after the other, or the best pair first; the matching as a "
        "whole is to have the largest sum.": greedy(table) / n,
        "each feature in turn took the best latent that was left; the matching as a whole is to "
        "have the largest sum.": in_turn(table) / n,
        "the best feature was taken for each latent, and the mean over latents.": float(
            table.amax(dim=0).clamp(min=0).mean()
        ),
        "features that are not represented were counted, too.": matched(every) / len(W),
        "the sum was divided by the number of all features; those not represented don't count.": (
            right * n / len(W)
        ),
        "signs were lost: a latent that points the other way has not found the feature.": (
            matched(table.abs()) / n
        ),
        "cosines were squared.": matched(table.sign() * table**2) / n,
        "rows were not brought to length 1: these are products, not cosines.": matched(raw) / n,
        "only the features were brought to length 1; latents have lengths, too.": (
            matched(features @ dictionary.double().T) / n
        ),
        "the sums over matched pairs were not divided: the mean is asked for.": right * n,
        "feature i was paired with latent i; any latent may be its own.": in_order / n,
        "the matching has the least sum; without maximize=True it is costs that are given.": (
            -matched_sum(-table) / n
        ),
        "the matching has the least sum (without maximize=True it is costs that are given), and "
        "pairs below 0 were then set to 0.": least_above_zero(table) / n,
    }


def matched_sum(table: Tensor) -> float:
    """The best sum, with pairs below 0 as they are."""
    turned = table if table.shape[0] <= table.shape[1] else table.T
    values = turned.tolist()
    return max(
        sum(values[i][j] for i, j in enumerate(to))
        for to in permutations(range(turned.shape[1]), turned.shape[0])
    )


def least_above_zero(table: Tensor) -> float:
    """In the matching of the least sum, the sum of the pairs above 0."""
    turned = table if table.shape[0] <= table.shape[1] else table.T
    values = turned.tolist()
    chosen = min(
        permutations(range(turned.shape[1]), turned.shape[0]),
        key=lambda to: sum(values[i][j] for i, j in enumerate(to)),
    )
    return sum(max(values[i][j], 0.0) for i, j in enumerate(chosen))


def greedy(table: Tensor) -> float:
    """The best pair first, then the best of what is left."""
    left, total = table.clone(), 0.0
    for _ in range(min(table.shape)):
        at = int(left.argmax())
        i, j = at // table.shape[1], at % table.shape[1]
        total += max(float(table[i, j]), 0.0)
        left[i], left[:, j] = -9, -9
    return total


def in_turn(table: Tensor) -> float:
    """The first feature first, each with the best latent that is left."""
    left, total = table.clone(), 0.0
    for i in range(min(table.shape)):
        j = int(left[i].argmax())
        total += max(float(table[i, j]), 0.0)
        left[:, j] = -9
    return total


# ----------------------------------------------------------------------------- put back, explain


def output_loss(W: Tensor, b: Tensor, x: Tensor, h: Tensor) -> float:
    """A toy model's loss with a hidden layer that is given."""
    made = (h.double() @ W.double().T + b.double()).clamp(min=0)
    return float((made - x.double()).square().sum(dim=1).mean())


def recovered(W: Tensor, b: Tensor, x: Tensor, h: Tensor) -> float:
    nothing = output_loss(W, b, x, torch.zeros_like(h))
    own = output_loss(W, b, x, x.double() @ W.double())
    return (nothing - output_loss(W, b, x, h)) / (nothing - own)


def wrong_recovered(W: Tensor, b: Tensor, x: Tensor, made: Tensor) -> dict[str, float]:
    """One mistake each."""
    W, b, x, made = (value.double() for value in (W, b, x, made))
    h = x @ W
    own, nothing = output_loss(W, b, x, h), output_loss(W, b, x, torch.zeros_like(h))
    with_it = output_loss(W, b, x, made)
    mean = output_loss(W, b, x, h.mean(dim=0).expand_as(h))
    silent = float(x.square().sum(dim=1).mean())  # with outputs of 0, not a hidden layer of 0

    def linear(hidden: Tensor) -> float:
        return float((hidden @ W.T + b - x).square().sum(dim=1).mean())

    def without_bias(hidden: Tensor) -> float:
        return float(((hidden @ W.T).clamp(min=0) - x).square().sum(dim=1).mean())

    def share(of: Callable[[Tensor], float]) -> float:
        start = of(torch.zeros_like(h))
        return (start - of(made)) / (start - of(h))

    return {
        "this is what was lost: 1 minus the share.": (with_it - own) / (nothing - own),
        "the ratio is upside down.": (nothing - own) / (nothing - with_it),
        "the mean hidden layer was taken for nothing; zeros are asked for.": (mean - with_it)
        / (mean - own),
        "with zeros in the hidden layer the outputs are ReLU(b), and not 0.": (silent - with_it)
        / (silent - own),
        "hidden layers were compared, and not the outputs.": 1
        - float((h - made).square().sum() / h.square().sum()),
        "the own loss was taken to be 0; the toy model does not copy perfectly.": (
            nothing - with_it
        )
        / nothing,
        "the losses were divided by one another: own by reconstruction's.": own / with_it,
        "the outputs have no ReLU.": share(linear),
        "the toy model's bias is missing.": share(without_bias),
        "the outputs were compared with those of the whole model, not with the features.": 1
        - float(
            ((made @ W.T + b).clamp(min=0) - (h @ W.T + b).clamp(min=0)).square().sum()
            / (b.clamp(min=0) - (h @ W.T + b).clamp(min=0)).square().sum()
        ),
    }


def explained(h: Tensor, made: Tensor) -> float:
    h, made = h.double(), made.double()
    centre = h.sum(dim=0) / len(h)
    return 1 - float(((h - made) ** 2).sum() / ((h - centre) ** 2).sum())


def wrong_explained(h: Tensor, made: Tensor) -> dict[str, float]:
    """One mistake each; dimensions have means and spreads of their own."""
    h, made = h.double(), made.double()
    right, away = explained(h, made), (h - h.mean(dim=0)).square()
    errors = (h - made).square()
    of_made = (made - made.mean(dim=0)).square().sum()
    return {
        "this is what is left unexplained.": 1 - right,
        "the mean was not taken away: the variance is about the mean over samples.": 1
        - float(errors.sum() / h.square().sum()),
        "one mean over everything was taken; each dimension has its own.": 1
        - float(errors.sum() / (h - h.mean()).square().sum()),
        "the mean of each sample over its dimensions was taken; it is over samples.": 1
        - float(errors.sum() / (h - h.mean(dim=1, keepdim=True)).square().sum()),
        "the errors were divided by n, and the variance by n - 1: sums of squares, both.": 1
        - float(errors.mean() / h.var(dim=0).mean()),
        "variances over everything were taken, with one mean each; each dimension has its own, "
        "and a constant offset is an error.": 1 - float((h - made).var() / h.var()),
        "the mean of the dimensions' shares was taken: sums first, then one ratio.": 1
        - float((errors.sum(dim=0) / away.sum(dim=0)).mean()),
        "the mean of the samples' shares was taken: sums first, then one ratio.": 1
        - float((errors.sum(dim=1) / away.sum(dim=1)).mean()),
        "a root was taken: norms, not squares.": 1 - float(errors.sum().sqrt() / away.sum().sqrt()),
        "the variance of the reconstruction was divided by that of the activations; the errors are "
        "what is not explained.": float(of_made / away.sum()),
        "errors were taken about their own mean: a constant offset is an error, too.": 1
        - float((h - made - (h - made).mean(dim=0)).square().sum() / away.sum()),
        "it was divided by the reconstruction's variance.": 1 - float(errors.sum() / of_made),
        "sizes of errors and distances were added up, not squares.": 1
        - float((h - made).abs().sum() / away.sqrt().sum()),
    }


# ------------------------------------------------------------------------------------ the stretch


def kept(z: Tensor, k: int) -> Tensor:
    """The k largest of each sample."""
    found = torch.zeros(z.shape, dtype=torch.float64)
    for sample, row in enumerate(z.tolist()):
        for place in sorted(range(len(row)), key=lambda i: -row[i])[:k]:
            found[sample, place] = row[place]
    return found


def wrong_kept(z: Tensor, k: int) -> Mistakes:
    """One mistake each; all latents are different and above 0, and there are more than k."""
    right = kept(z, k)
    return {
        "the latents are 1 where they are kept; they stay as they are.": lambda: (
            right > 0
        ).double(),
        "one too many was kept.": lambda: kept(z, k + 1),
        "one too few was kept.": lambda: kept(z, k - 1),
        "the largest were set to 0, and the others kept.": lambda: z.double() - right,
        "the smallest were kept.": lambda: z.double() - kept(z, z.shape[1] - k),
        "the k largest samples of each latent were kept; it is the latents of each sample.": (
            lambda: kept(z.T, k).T
        ),
        "the k largest of the whole batch were kept; it is those of each sample.": lambda: kept(
            z.reshape(1, -1), k
        ).view(z.shape),
        "the k largest for each sample were taken of the whole batch; each sample has k.": (
            lambda: kept(z.reshape(1, -1), k * len(z)).view(z.shape)
        ),
        "the first k latents were kept.": lambda: torch.cat([z[:, :k], 0 * z[:, k:]], dim=1),
        "the values are sorted; each stays in its place.": lambda: torch.cat(
            [z.sort(dim=1, descending=True).values[:, :k], 0 * z[:, k:]], dim=1
        ),
        "nothing was set to 0.": lambda: z,
        "what is kept was made smaller by the largest that is not: values stay as they are.": (
            lambda: (
                right
                - (right > 0).double() * z.double().sort(dim=1).values[:, [z.shape[1] - k - 1]]
            )
        ),
    }
