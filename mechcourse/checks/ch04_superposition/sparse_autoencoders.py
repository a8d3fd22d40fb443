"""Checks of `ch04_superposition/5_sparse_autoencoders.ipynb`."""

import math
from typing import Any

import torch
from torch import Tensor

from mechcourse.checks import Answer, check
from mechcourse.checks import _inputs as inputs
from mechcourse.checks.ch04_superposition import _sparse_autoencoders as known
from mechcourse.checks.ch04_superposition import _sparse_autoencoders_draws as draws

TEACHES = (
    "mechcourse.sae.encode",
    "mechcourse.sae.decode",
    "mechcourse.sae.sae_loss",
    "mechcourse.sae.matched_recovery",
    "mechcourse.sae.random_dictionary",
    "mechcourse.sae.l0",
    "mechcourse.sae.dead_latents",
    "mechcourse.sae.explained",
    "mechcourse.sae.loss_recovered",
    "mechcourse.sae.resample_dead_latents",
)

# ------------------------------------------------------------------------------ the autoencoder


@check
def check_sae_forward(answer: Answer, *, seed: int = 0) -> None:
    """More latents than dimensions and fewer, nothing tied, one sample."""
    random = inputs.generator(seed)
    for n, d, n_latents, dtype in (
        (6, 4, 9, torch.float32),
        (5, 7, 3, torch.float64),
        (1, 2, 5, torch.float32),
        (3, 1, 2, torch.float64),
    ):
        h = (2 * inputs.normal(random, n, d) + 0.5).to(dtype)
        W_enc, b_enc, W_dec, b_dec = (w.to(dtype) for w in known.weights(random, d, n_latents))
        got = answer.expect_tuple(
            answer(h, W_enc, b_enc, W_dec, b_dec), ("latents", "reconstruction")
        )
        shapes = [tuple(one.shape) if isinstance(one, Tensor) else () for one in got]
        if shapes == [(n, d), (n, n_latents)]:
            answer.fail(
                property="it returns the latents, and then the reconstruction",
                misconception="the two are in each other's place.",
                expected=f"shapes {[n, n_latents]} and {[n, d]}",
                got=f"shapes {[n, d]} and {[n, n_latents]}",
            )
        z = known.latents(h, W_enc, b_enc, b_dec)
        answer.expect_close(
            got[0],
            z,
            property="the latents are ReLU((h - b_dec) W_enc + b_enc)",
            dims="sample latent",
            misconceptions=known.wrong_latents(h, W_enc, b_enc, b_dec) if n == 6 else None,
        )
        answer.expect_close(
            got[1],
            known.made_of(z, W_dec, b_dec),
            property="the reconstruction is z W_dec + b_dec",
            dims="sample hidden",
            misconceptions=known.wrong_made(z, W_enc, W_dec, b_dec) if n == 6 else None,
        )


@check
def check_sae_loss(answer: Answer, *, seed: int = 0) -> None:
    """Unlike numbers of samples, dimensions and latents; no penalty, and a large one."""
    random = inputs.generator(seed)
    for n, d, n_latents, l1 in ((6, 4, 9, 0.3), (5, 7, 3, 0.0), (1, 3, 4, 2.5), (8, 1, 2, 0.01)):
        while True:
            h, made = inputs.normal(random, n, d), inputs.normal(random, n, d)
            z = inputs.normal(random, n, n_latents) * (inputs.normal(random, n, n_latents) > -0.3)
            z[0, 0] = -1.5  # a latent has a size also where it was not put through a ReLU
            right, wrong = known.loss(h, made, z, l1), known.wrong_losses(h, made, z, l1)
            found = {words: float(value()) for words, value in wrong.items()}
            if n != 6 or _apart(float(right), found):
                break
        answer.expect_close(
            answer(h, made, z, l1=l1),
            right,
            property="squared errors and `l1` times the latents' sizes, each summed, and the mean "
            "over samples",
            misconceptions=wrong if n == 6 else None,
            otherwise="with an `l1` of 0 only the errors are left." if not l1 else "",
        )


@check
def check_l0_and_dead(answer: Answer, *, seed: int = 0) -> None:
    """Small latents, latents below 0, dead ones; none dead, all dead, a single sample."""
    random = inputs.generator(seed)
    z = inputs.normal(random, 9, 6).abs() * (inputs.normal(random, 9, 6) > 0.2)
    z[:, 1], z[:, 4] = 0, 0
    z[3, 4], z[0, 0] = 1e-6, 0.7  # alive, if barely
    z[1, 1], z[2, 1], z[5, 3] = -2.0, -0.5, -1.0  # below 0 is not active
    all_on, all_off = 0.1 + inputs.normal(random, 3, 5).abs(), torch.zeros(4, 3)
    for given, about in (
        (z, ""),
        (z.double(), " in float64"),
        (all_on, " where all are active"),
        (all_off, " where none ever is"),
        (z[:1], " for a single sample"),
    ):
        active = [[value > 0 for value in row] for row in given.tolist()]
        l0 = sum(map(sum, active)) / len(active)
        got = answer.expect_tuple(answer(given), ("l0", "dead"))
        if isinstance(got[0], Tensor) and got[0].ndim and not getattr(got[1], "ndim", 0):
            answer.fail(
                property="it returns how many are active, and then which are dead",
                misconception="the two are in each other's place.",
                expected="a number and a mask",
                got=f"shape {list(got[0].shape)} and a number",
            )
        n_latents = given.shape[1]
        on, size = torch.tensor(active).double(), given.double()
        wrong = {
            "this is a share of all latents; how many are active is asked for.": l0 / n_latents,
            "active latents were counted over all samples; take the mean over samples.": float(
                on.sum()
            ),
            "a latent below 0 is not active; above 0 it is.": float(
                (size != 0).double().sum(dim=1).mean()
            ),
            "small latents were left out: active is all above 0.": float(
                (size > 1e-4).double().sum(dim=1).mean()
            ),
            "the latents' sizes were added up; they are counted.": float(
                size.clamp(min=0).sum(dim=1).mean()
            ),
            "samples were counted for each latent, and averaged over latents; it is latents for "
            "each sample.": float(on.sum(dim=0).mean()),
            "the median over samples was taken; take the mean.": float(on.sum(dim=1).median()),
            "samples in which nothing is active count, too.": float(
                on.sum() / (on.sum(dim=1) > 0).sum().clamp(min=1)
            ),
        }
        answer.expect_close(
            got[0],
            l0,
            property=f"the first is how many latents are active on a sample, on average{about}",
            misconceptions={words: x for words, x in wrong.items() if abs(x - l0) > 1e-2}
            if given is z
            else None,
        )
        _hold_dead(answer, got[1], torch.tensor(active), size, about)


def _hold_dead(answer: Answer, got: Any, active: Tensor, z: Tensor, about: str) -> None:
    """Hold the mask of latents that are active on no sample."""
    dead = ~active.any(dim=0)
    if isinstance(got, Tensor) and tuple(got.shape) == (len(active),) != tuple(dead.shape):
        answer.fail(
            property="the second is True for latents that are active on no sample",
            misconception="this has a value for each sample; one for each latent is asked for.",
            expected=f"shape [latent] = {list(dead.shape)}",
            got=f"shape {list(got.shape)}",
        )
    mask = answer.tensor(got, shape=tuple(dead.shape), dims="latent", of="the mask of dead latents")
    answer.expect(
        mask.dtype == torch.bool,
        property="which are dead is True or False for each latent",
        misconception="these are numbers; compare them with what means dead.",
        expected="dtype torch.bool",
        got=f"dtype {mask.dtype}",
    )
    why = ""
    if torch.equal(mask, ~dead):
        why = "these are the latents that are alive."
    elif torch.equal(mask, ~active.all(dim=0)):
        why = "these are silent on some sample; dead is silent on all."
    elif torch.equal(mask, (z == 0).all(dim=0)):
        why = "a latent below 0 is not active, either."
    elif torch.equal(mask, (z <= 1e-4).all(dim=0)):
        why = "one that is above 0 by ever so little, on one sample, is alive."
    answer.expect(
        torch.equal(mask, dead),
        property=f"the second is True for latents that are active on no sample{about}",
        misconception=why,
        expected=str(dead.nonzero()[:, 0].tolist()) + " dead",
        got=str(mask.nonzero()[:, 0].tolist()),
    )


# ----------------------------------------------------------------------------- was it found, back


@check
def check_matched_recovery(answer: Answer, *, seed: int = 0) -> None:
    """More latents than features and fewer, features that are not there, latents without length."""
    random = inputs.generator(seed)
    property = (
        "the mean over represented features of the cosine with their own latent, in the matching "
        "with the largest sum"
    )
    for n_features, d, n_latents, dtype in (
        (6, 3, 7, torch.float32),
        (7, 4, 3, torch.float64),
        (4, 5, 4, torch.float32),
        (1, 2, 3, torch.float32),
    ):
        W, dictionary, wrong = draws.matching(random, n_features, d, n_latents)
        W, dictionary = W.to(dtype), dictionary.to(dtype)
        answer.expect_close(
            answer(W, dictionary),
            known.recovery(W, dictionary),
            property=property,
            misconceptions=wrong if n_features == 6 else None,
            otherwise="a feature without a latent counts 0: divide by the number of features."
            if n_latents < n_features - 1
            else "",
        )
    W, dictionary, _ = draws.matching(random, 5, 3, 6)
    for scale_W, scale, about in ((1.0, 30.0, "long latents"), (1.0, 0.01, "short latents")):
        answer.expect_close(
            answer(scale_W * W, scale * dictionary),
            known.recovery(W, dictionary),
            property=f"{about} point where others do: only directions count",
        )
    order = torch.randperm(9, generator=random)
    found = inputs.normal(random, 9, 4)
    for given, right, about in (
        (3 * found[order], 1.0, "features in another order and length are all found"),
        (torch.cat([found[order][:3], torch.zeros(8, 4)]), 3 / 9, "three of nine were found"),
    ):
        answer.expect_close(answer(found, given), right, property=about)
    # Lengths on both sides of 0.1, with no weight of 0.1 in the longer one.
    flat = torch.tensor([[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2
    answer.expect_close(
        answer(torch.tensor([[0.08], [0.12], [0.5], [1.5]]) * flat, 3 * flat[1:2]),
        1 / 3,
        property="features with rows of length 0.1 and more are represented, and shorter ones not",
        misconceptions={
            "a row of length 0.12 was left out: its length counts, not its square or its largest "
            "weight.": 0.0,
            "a row of length 0.08 was counted.": 1 / 4,
        },
    )
    answer.expect_close(
        answer(torch.eye(3), -torch.ones(4, 3)),
        0.0,
        property="latents that all point the other way have found nothing: 0",
        otherwise="a matched pair whose cosine is below 0 counts 0.",
    )
    answer.expect_close(
        answer(0.05 * inputs.normal(random, 4, 3).tanh() / 3, inputs.normal(random, 5, 3)),
        0.0,
        property="it is 0 where no feature is represented",
    )


@check
def check_loss_recovered(answer: Answer, *, seed: int = 0) -> None:
    """Good reconstructions and bad ones, and ones worse than nothing."""
    random = inputs.generator(seed)
    property = "(zeros - reconstruction) / (zeros - own), of the losses of the outputs"
    for n, n_features, d, dtype in ((11, 6, 4, torch.float32), (5, 3, 7, torch.float64)):
        while True:
            W, b, x = draws.toy(random, n, n_features, d)
            made = 0.8 * x @ W + 0.15 * inputs.normal(random, n, d)
            right, wrong = known.recovered(W, b, x, made), known.wrong_recovered(W, b, x, made)
            if 0.1 < right < 0.95 and _apart(right, wrong):
                break
        answer.expect_close(
            answer(*(value.to(dtype) for value in (W, b, x, made))),
            right,
            property=property,
            misconceptions=wrong if n == 11 else None,
        )
        for given, about in (
            (x @ W, "1 for the model's own hidden layer"),
            (0 * made, "0 for zeros"),
            (made + 4, "below 0 for what is worse than zeros"),
        ):
            answer.expect_close(
                answer(*(value.to(dtype) for value in (W, b, x, given))),
                known.recovered(W, b, x, given),
                property=f"it is {about}",
                misconceptions={"it was held at 0; worse than zeros is below 0.": 0.0}
                if about.startswith("below")
                else None,
                atol=1e-4,
            )


# ------------------------------------------------------------------------------------- red team


@check
def check_recovery_null(answer: Answer, *, seed: int = 0) -> None:
    """The number of draws, what the seed decides, and how high random dictionaries come."""
    random = inputs.generator(seed)
    W, _, _ = draws.matching(random, 7, 4, 3)
    one, other = (1 + inputs.integers(random, 2**20, 2)).tolist()
    for n_draws in (4, 1):
        _null(answer, random, W, 9, n_draws, one)
    first, again = (_null(answer, random, W, 9, 6, one) for _ in range(2))
    second = _null(answer, random, W, 9, 6, one + other)
    answer.expect(
        first == again,
        property="the same seed gives the same dictionaries, whatever was drawn before",
        misconception="draw from torch.Generator().manual_seed(seed).",
        expected=_shown(first),
        got=_shown(again),
    )
    answer.expect(
        first != second,
        property="another seed gives other dictionaries",
        misconception="`seed` was not used: draw from torch.Generator().manual_seed(seed).",
        got=f"{_shown(first)} for two seeds",
    )
    answer.expect(
        len(set(first)) == len(first),
        property="each dictionary is drawn anew",
        misconception="the same one came every time: seed a generator once, before the loop.",
        got=_shown(first),
    )
    answer.expect(
        not set(first) & set(_null(answer, random, W, 9, 6, one + 1)),
        property="the next seed has no dictionary in common with this one",
        misconception="each draw was seeded with `seed` and its number, so that neighbouring seeds "
        "share them: seed one generator, once, for all draws.",
        expected="other dictionaries",
        got="some are the same",
    )
    for given, n_latents, about in draws.NULLS:
        wanted, spread = draws.null_of(given, n_latents)
        found = torch.tensor(_null(answer, random, given, n_latents, draws.N_DRAWS, one)).double()
        room = draws.TOO_FAR * spread * math.sqrt(1 / draws.N_DRAWS + 1 / draws.N_OWN)
        mean = float(found.mean())
        answer.expect(
            abs(mean - wanted) < room,
            property=f"recoveries are those of directions drawn uniformly, {about}",
            misconception=draws.why_off(given, n_latents, mean, room)
            if abs(mean - wanted) >= room
            else "",  # to say why takes nulls of several kinds, which no right answer need wait for
            expected=f"{wanted:.3f} on average for {n_latents} latents, {len(given)} features",
            got=f"{mean:.3f}",
        )


def _null(
    answer: Answer, random: torch.Generator, W: Tensor, n_latents: int, n_draws: int, seed: int
) -> list[float]:
    """Call the answer, and hold that it gives a number for each draw."""
    with torch.random.fork_rng(devices=[]):  # nothing may hang on the state it finds
        torch.manual_seed(int(inputs.integers(random, 2**20)))
        got = answer(W, n_latents, n_draws=n_draws, seed=seed)
    if isinstance(got, float | int) or (isinstance(got, Tensor) and got.ndim == 0):
        answer.fail(
            property="the null has a recovery for each draw",
            misconception="this is one number, their mean maybe; all of them are asked for.",
            expected=f"{n_draws} of them",
            got="one",
        )
    if isinstance(got, list | tuple):
        got = [float(one) if isinstance(one, Tensor) and one.numel() == 1 else one for one in got]
    of = "the null has a recovery for each draw"
    return answer.tensor(got, shape=(n_draws,), dims="draw", of=of).double().tolist()


def _shown(values: list[float]) -> str:
    return ", ".join(f"{value:.3f}" for value in values[:6])


@check
def check_explained_variance(answer: Answer, *, seed: int = 0) -> None:
    """Dimensions of other means and spreads; the mean itself, and something worse."""
    random = inputs.generator(seed)
    property = "1 minus all squared errors over all squared distances from the mean over samples"
    for n, d, dtype in ((12, 5, torch.float64), (4, 9, torch.float32)):
        while True:
            centre, spread = 2 * inputs.normal(random, d), 0.3 + 2 * torch.rand(d, generator=random)
            h = centre + spread * inputs.normal(random, n, d)
            made = h + 0.5 * inputs.normal(random, n, d) + 0.4
            right, wrong = known.explained(h, made), known.wrong_explained(h, made)
            if 0.3 < right < 0.95 and _apart(right, wrong):
                break
        answer.expect_close(
            answer(h.to(dtype), made.to(dtype)),
            right,
            property=property,
            misconceptions=wrong if n == 12 else None,
        )
    for given, about in (
        (h, "1 for the activations themselves"),
        (h.mean(dim=0).expand_as(h), "0 for their mean"),
        (h + 9, "below 0 for what is worse than the mean"),
    ):
        answer.expect_close(
            answer(h, given.clone()),
            known.explained(h, given),
            property=f"it is {about}",
            atol=1e-4,
            rtol=1e-3,
        )


def _apart(right: float, wrong: dict[str, float]) -> bool:
    return all(abs(value - right) > 5e-3 * (1 + abs(right)) for value in wrong.values())


# -------------------------------------------------------------------------------------- stretch


@check
def check_top_k(answer: Answer, *, seed: int = 0) -> None:
    """One latent, all of them, samples with fewer active than k, and latents as large as another.

    Where several are as large as the k-th it does not matter which of them are kept.
    """
    random = inputs.generator(seed)
    for n, n_latents, k, dtype in (
        (5, 8, 3, torch.float32),
        (9, 4, 2, torch.float64),
        (3, 6, 1, torch.float32),
        (4, 5, 5, torch.float32),
        (1, 7, 4, torch.float64),
    ):
        while True:
            z = (0.2 + inputs.normal(random, n, n_latents).abs()).to(dtype)
            right, wrong = known.kept(z, k), known.wrong_kept(z, k) if n == 5 else {}
            if not any(torch.equal(value().double(), right) for value in wrong.values()):
                break
        answer.expect_close(
            answer(z, k),
            right,
            property="the k largest latents of each sample are as they were, and all others 0",
            dims="sample latent",
            misconceptions=wrong,
            otherwise="with k as large as the number of latents everything is kept."
            if k == n_latents
            else "",
        )
    few = torch.tensor([[0.0, 3.0, 0.0, 1.0, 0.0], [0.0] * 5, [2.0, 0.0, 0.5, 0.25, 0.0]])
    answer.expect_close(
        answer(few, 3),
        few,
        property="where fewer than k are active they all stay, and nothing else comes up",
        dims="sample latent",
    )
    _hold_ties(answer, torch.tensor([[1.0, 2.0, 1.0, 0.0, 1.0], [3.0, 3.0, 3.0, 1.0, 5.0]]))


def _hold_ties(answer: Answer, z: Tensor) -> None:
    """Hold what is certain where several are as large as the second."""
    got = answer.tensor(answer(z, 2), shape=(2, 5), dims="sample latent").double()
    largest = z.sort(dim=1, descending=True).values
    sure = z > largest[:, 1:2]
    may = z >= largest[:, 1:2]
    as_they_were = (got == z.double()) | (got == 0)
    fine = as_they_were.all() and (got[sure] > 0).all() and not (got[~may] > 0).any()
    answer.expect(
        bool(fine and ((got > 0).sum(dim=1) >= 2).all()),
        property="where several are as large as the k-th, larger ones stay and smaller ones go",
        misconception="compare values with care: of equal ones, k in all have to stay at least.",
        expected="two latents at least, of the largest, with k = 2",
        got=str(got.tolist()),
    )


@check
def check_resample_dead_latents(answer: Answer, *, seed: int = 0) -> None:
    """Where dead latents point then, how samples are drawn, and when everything stays."""
    random = inputs.generator(seed)
    for n, d, n_latents, n_dead in ((7, 4, 9, 3), (5, 6, 4, 1), (3, 2, 12, 11)):
        given = draws.patient(random, n, d, n_latents, n_dead)
        got = _resampled(answer, random, given, 1 + int(inputs.integers(random, 2**20)))
        _hold_resampled(answer, given, got)
    given = draws.patient(random, 6, 4, 8, 3)
    for changed, about in (
        (given.with_dead([]), "no latent is dead"),
        (given.with_dead(range(8)), "all latents are dead"),
        (given.with_errors(torch.zeros(6)), "there are no errors"),
    ):
        got = _resampled(answer, random, changed, 3)
        for name, value, old in zip(draws.NAMES, got, changed.changeable, strict=True):
            answer.expect_close(
                value,
                old,
                property=f"everything stays as it is where {about}: {name}",
                otherwise="a mean over no live latent, or chances that are all 0, are nothing to "
                "go by: return what was given, copied."
                if value.isnan().any()
                else "",
            )
    given = draws.patient(random, 9, 5, 30, 24)
    one, other = (1 + inputs.integers(random, 2**20, 2)).tolist()
    first, again, second = (
        _resampled(answer, random, given, s)[2] for s in (one, one, one + other)
    )
    answer.expect(
        torch.equal(first, again),
        property="the same seed draws the same samples, whatever was drawn before",
        misconception="draw from torch.Generator().manual_seed(seed).",
        got="other directions at the second call",
    )
    rows = first[given.dead]
    answer.expect(
        not torch.allclose(rows, rows[:1].expand_as(rows)),
        property="a sample is drawn for each dead latent",
        misconception="one sample serves them all; each draw is by itself.",
        expected="several directions among 24 dead latents",
        got="one",
    )
    answer.expect(
        not torch.equal(first, second),
        property="another seed draws other samples",
        misconception="`seed` was not used: draw from torch.Generator().manual_seed(seed).",
        got="the same directions for two seeds",
    )
    _hold_chances(answer, random)


def _resampled(
    answer: Answer, random: torch.Generator, given: draws.Patient, seed: int
) -> list[Tensor]:
    """Call the answer, and hold that three tensors come back."""
    with torch.random.fork_rng(devices=[]):  # nothing may hang on the state it finds
        torch.manual_seed(int(inputs.integers(random, 2**20)))
        got = answer.expect_tuple(answer(*given.arguments, seed=seed), draws.NAMES)
    return [
        answer.tensor(value, shape=tuple(old.shape), of=f"{name} has the shape it had").double()
        for name, value, old in zip(draws.NAMES, got, given.changeable, strict=True)
    ]


def _hold_resampled(answer: Answer, given: draws.Patient, got: list[Tensor]) -> None:
    """Hold the live latents, the dead ones' directions, lengths and biases."""
    W_enc, b_enc, W_dec = got
    live = ~given.dead
    old = [value.double() for value in given.changeable]
    same = (W_enc - old[0])[:, live], (b_enc - old[1])[live], (W_dec - old[2])[live]
    answer.expect(
        all(float(part.abs().max()) < 1e-6 for part in same),
        property="live latents stay as they are",
        misconception="True in `dead` means dead."
        if not (W_dec - old[2])[given.dead].any()
        else "something of them was changed, too.",
        got=", ".join(
            f"{name} changed by up to {float(part.abs().max()):.3g}"
            for name, part in zip(draws.NAMES, same, strict=True)
            if float(part.abs().max()) >= 1e-6
        ),
    )
    rows = W_dec[given.dead]
    answer.expect_close(
        rows.norm(dim=1),
        torch.ones(len(rows)),
        property="a dead latent's row of W_dec gets length 1",
        dims="latent",
        otherwise="bring the directions to length 1.",
    )
    towards = given.h.double() - given.b_dec.double()
    found = draws.nearest(rows, towards[given.errors > 0])
    answer.expect(
        float(found.min()) > 1 - 1e-5,
        property="each dead latent's row of W_dec points to (h - b_dec) of a sample with an error",
        misconception=draws.why_elsewhere(rows, given),
        expected="a cosine of 1 with such a sample",
        got=f"{float(found.min()):.3f} at the lowest",
    )
    columns = W_enc[:, given.dead].T
    length = 0.2 * old[0][:, live].norm(dim=0).mean()
    cosines = (columns * rows).sum(dim=1) / columns.norm(dim=1).clamp(min=1e-12)
    answer.expect(
        float(cosines.min()) > 1 - 1e-5,
        property="its column of W_enc has the same direction",
        misconception="the columns are of other latents or samples than the rows."
        if len(rows) > 1
        else "",
        expected="cosines of 1",
        got=f"{float(cosines.min()):.3f} at the lowest",
    )
    answer.expect_close(
        columns.norm(dim=1),
        length.expand(len(rows)),
        property="its column of W_enc is a fifth as long as the live latents' columns on average",
        dims="latent",
        misconceptions=draws.wrong_lengths(given, length),
    )
    answer.expect_close(
        b_enc[given.dead],
        torch.zeros(len(rows)),
        property="its bias is 0",
        dims="latent",
        otherwise="the bias of a dead latent was left as it was."
        if torch.allclose(b_enc, old[1])
        else "",
    )


def _hold_chances(answer: Answer, random: torch.Generator) -> None:
    """Hold that samples are drawn in proportion to squared errors, each draw by itself."""
    given = draws.patient(random, 5, 4, draws.MANY + 6, draws.MANY).with_errors(
        torch.tensor([1.0, 0.0, 3.0, 2.0, 4.0])
    )
    counts = torch.zeros(5)
    for i in range(draws.REPEATS):
        rows = _resampled(answer, random, given, 1000 + 7 * i)[2][given.dead]
        towards = torch.nn.functional.normalize(given.h.double() - given.b_dec.double(), dim=1)
        counts += torch.bincount((rows @ towards.T).argmax(dim=1), minlength=5)
    share, n = counts / counts.sum(), int(counts.sum())
    wanted = given.errors**2 / (given.errors**2).sum()
    far = ((share - wanted).abs() / (wanted * (1 - wanted) / n).sqrt().clamp(min=1e-3)).max()
    answer.expect(
        float(far) < draws.TOO_FAR,
        property="samples are drawn in proportion to their squared errors, each draw by itself",
        misconception=draws.why_uneven(share, given.errors),
        expected=_shown(wanted.tolist()) + " of the draws, for errors 1, 0, 3, 2 and 4",
        got=_shown(share.tolist()),
    )
