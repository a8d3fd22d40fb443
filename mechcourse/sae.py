"""Sparse autoencoders: a wide dictionary of directions, few of them used at a time.

They are held against a toy model of superposition, whose features are known. Hidden activations h
are the toy model's, x W for features x; a latent's row of `W_dec` is its direction. Source:
Bricken et al., Towards Monosemanticity (2023); TopK: Gao et al., Scaling and Evaluating Sparse
Autoencoders (2024).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from mechcourse.superposition import sparse_features
from mechcourse.training import Progress

# Draws so many hidden activations with a seed.
Sampler = Callable[[int, int], Tensor]
# Keeps what is drawn here apart from weights that have the same seed: else an untrained dictionary
# holds the toy model's own first directions, and "recovers" them.
APART = 0x5AE
DEAD = 0.1  # a feature with a shorter row is not represented, and there is nothing to recover


@dataclass(frozen=True)
class SAEConfig:
    """Sizes and training of a sparse autoencoder.

    Attributes:
        l1: what an active latent costs, per unit of activation.
        k: with a number, only so many latents are kept for an input, and `l1` should be 0.
        batch: activations in a step, drawn anew for every step.
        learning_rate: Adam's; falls to 0 over the last fifth.
        resample_every: steps after which latents that were silent since are started again, in the
            first half of the training; 0: never.
        seed: of the weights and of the activations.
    """

    d_hidden: int = 32
    n_latents: int = 128
    l1: float = 0.1
    k: int | None = None
    n_steps: int = 5000
    batch: int = 1024
    learning_rate: float = 3e-3
    resample_every: int = 0
    seed: int = 0


class SAE(NamedTuple):
    """The weights of a sparse autoencoder; the rows of `W_dec` have length 1."""

    W_enc: Float[Tensor, "hidden latent"]
    b_enc: Float[Tensor, "latent"]
    W_dec: Float[Tensor, "latent hidden"]
    b_dec: Float[Tensor, "hidden"]
    k: int | None = None


def hidden_samples(
    W: Float[Tensor, "feature hidden"], p: float, n_samples: int, seed: int
) -> Float[Tensor, "sample hidden"]:
    """Hidden activations of a toy model whose features are each present with probability p."""
    features = sparse_features(n_samples, torch.full((1, len(W)), p), seed=seed)[:, 0]
    return features.to(W.dtype) @ W


def gaussian_samples(
    like: Float[Tensor, "sample hidden"], n_samples: int, seed: int
) -> Float[Tensor, "drawn hidden"]:
    """Normally distributed activations of the same mean and covariance: there are no features."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(n_samples, like.shape[1], generator=generator).to(like.dtype)
    values, vectors = torch.linalg.eigh(like.T.cov())
    return like.mean(dim=0) + drawn * values.clamp(min=0).sqrt() @ vectors.T


def begin(config: SAEConfig) -> SAE:
    """Random directions, the encoder their transpose, biases of 0."""
    W_dec = random_dictionary(config.n_latents, config.d_hidden, config.seed)
    b_enc, b_dec = torch.zeros(config.n_latents), torch.zeros(config.d_hidden)
    return SAE(W_dec.T.contiguous(), b_enc, W_dec, b_dec, config.k)


def encode(h: Float[Tensor, "sample hidden"], sae: SAE) -> Float[Tensor, "sample latent"]:
    """ReLU((h - b_dec) W_enc + b_enc); in a TopK autoencoder all but the k largest are 0."""
    z = ((h - sae.b_dec) @ sae.W_enc + sae.b_enc).relu()
    if sae.k is None:
        return z
    top = z.topk(sae.k, dim=1)
    return torch.zeros_like(z).scatter(1, top.indices, top.values)


def decode(z: Float[Tensor, "sample latent"], sae: SAE) -> Float[Tensor, "sample hidden"]:
    """The sum of the latents' directions, each as much as it is active, and the decoder's bias."""
    return z @ sae.W_dec + sae.b_dec


def sae_loss(
    h: Float[Tensor, "sample hidden"],
    reconstruction: Float[Tensor, "sample hidden"],
    z: Float[Tensor, "sample latent"],
    l1: float,
) -> Float[Tensor, ""]:
    """Squared errors and `l1` times activations, both summed over axes and averaged over samples.

    >>> h, z = torch.tensor([[1.0, 0.0], [0.0, 0.0]]), torch.tensor([[0.9, 0.3], [0.0, 0.0]])
    >>> round(sae_loss(h, torch.tensor([[0.9, 0.3], [0.0, 0.0]]), z, l1=0.1).item(), 3)
    0.11
    """
    return ((h - reconstruction).square().sum(dim=1) + l1 * z.abs().sum(dim=1)).mean()


def training_steps(
    config: SAEConfig, sample: Sampler
) -> Iterator[tuple[int, SAE, dict[str, float]]]:
    """Train; after each step its number, from 1, the weights, and the loss and L0 before the step.

    Directions are brought back to length 1 after each step: longer ones would get round the
    penalty. The weights change under the hand of whoever holds them: copy what is to be kept.
    """
    sae = begin(config)
    weights = [part.requires_grad_() for part in sae[:4]]
    optimiser = torch.optim.Adam(weights, config.learning_rate, fused=True)
    fired = torch.zeros(config.n_latents, dtype=torch.bool)
    for step in range(config.n_steps):
        left = 1 - step / config.n_steps
        optimiser.param_groups[0]["lr"] = config.learning_rate * min(1.0, 5 * left)
        h = sample(config.batch, config.seed * config.n_steps + step)
        z = encode(h, sae)
        loss = sae_loss(h, decode(z, sae), z, config.l1)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            sae.W_dec.div_(sae.W_dec.norm(dim=1, keepdim=True))
            active = z.detach() > 0
            fired |= active.any(dim=0)
            if _resample_at(step + 1, config):
                fresh = resample_dead_latents(sae, h, ~fired, seed=step)
                _start_again(weights, fresh, ~fired, optimiser)
                fired.zero_()
        seen = {"loss": loss.item(), "l0": float(active.float().sum(dim=1).mean())}
        yield step + 1, SAE(*(part.detach() for part in weights), config.k), seen


def train(config: SAEConfig, sample: Sampler, *, progress: Progress | None = None) -> SAE:
    """Train a sparse autoencoder on activations as they are drawn.

    Interrupting the kernel ends the training early and keeps what was learnt.
    """
    sae, step = begin(config), 0
    try:
        for step, sae, seen in training_steps(config, sample):  # noqa: B007, it is returned
            if progress:
                progress(step, config.n_steps, seen)
    except KeyboardInterrupt:
        print(f"Stopped after {step} of {config.n_steps} steps; the model keeps what it learnt.")
    return sae


def resample_dead_latents(
    sae: SAE, h: Float[Tensor, "sample hidden"], dead: Bool[Tensor, "latent"], *, seed: int
) -> SAE:
    """Point dead latents at activations that are badly reconstructed; others stay as they are.

    Each gets the direction of one activation (less the decoder's bias), drawn with a probability
    in proportion to its squared error squared; the encoder's column is that direction at a fifth
    of the mean length of the live ones', its bias 0. Source: Bricken et al., appendix.
    """
    if not dead.any() or dead.all():
        return sae
    generator = torch.Generator().manual_seed(seed)
    errors = (decode(encode(h, sae), sae) - h).square().sum(dim=1)
    if not errors.any():
        return sae
    chosen = torch.multinomial(
        errors.square(), int(dead.sum()), replacement=True, generator=generator
    )
    towards = h[chosen] - sae.b_dec
    towards = towards / towards.norm(dim=1, keepdim=True).clamp(min=1e-12)
    W_enc, b_enc, W_dec = sae.W_enc.clone(), sae.b_enc.clone(), sae.W_dec.clone()
    W_dec[dead] = towards
    W_enc[:, dead] = 0.2 * sae.W_enc[:, ~dead].norm(dim=0).mean() * towards.T
    b_enc[dead] = 0
    return SAE(W_enc, b_enc, W_dec, sae.b_dec, sae.k)


def _resample_at(step: int, config: SAEConfig) -> bool:
    return bool(
        config.resample_every and step % config.resample_every == 0 and step <= config.n_steps / 2
    )


def _start_again(
    weights: list[Tensor], fresh: SAE, dead: Tensor, optimiser: torch.optim.Adam
) -> None:
    """Put new latents in place, and let Adam forget what it knew of the old ones."""
    for weight, new, own in zip(
        weights[:3], fresh[:3], ((slice(None), dead), dead, dead), strict=True
    ):
        weight.copy_(new)
        for moment in ("exp_avg", "exp_avg_sq"):
            optimiser.state[weight][moment][own] = 0


def matched_recovery(
    W: Float[Tensor, "feature hidden"], dictionary: Float[Tensor, "latent hidden"]
) -> float:
    """How well a dictionary has found the features: the mean cosine with each one's own latent.

    Each represented feature is matched with a latent, no latent with two, so that the sum of the
    cosines is largest. A latent pointing the other way has not found a feature. A feature left
    without a latent counts 0, as do latents of length 0; with nothing represented it is 0.
    Print it beside that of a `random_dictionary` of the same size: with many latents in few
    dimensions it is large.

    >>> matched_recovery(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[0.0, 1.0]]))
    0.5
    """
    represented = W[W.norm(dim=1) >= DEAD]
    if not len(represented) or not len(dictionary):
        return 0.0
    cosines = _unit(represented) @ _unit(dictionary.to(W.dtype)).T
    rows, columns = linear_sum_assignment(cosines.detach().cpu().numpy(), maximize=True)
    return float(cosines[rows, columns].clamp(min=0).sum()) / len(represented)


def random_dictionary(n_latents: int, d_hidden: int, seed: int) -> Float[Tensor, "latent hidden"]:
    """Directions drawn uniformly: what a dictionary finds by its size alone."""
    generator = torch.Generator().manual_seed(seed ^ APART)
    return _unit(torch.randn(n_latents, d_hidden, generator=generator))


def pca_dictionary(h: Float[Tensor, "sample hidden"]) -> Float[Tensor, "latent hidden"]:
    """The principal directions of some activations, and the same pointing the other way."""
    directions = torch.linalg.eigh(h.T.cov()).eigenvectors.T.flip(0)
    return torch.cat([directions, -directions])


def l0(z: Float[Tensor, "sample latent"]) -> float:
    """How many latents are active on an input, on average."""
    return float((z > 0).sum(dim=1).float().mean())


def dead_latents(z: Float[Tensor, "sample latent"]) -> Bool[Tensor, "latent"]:
    """Which latents are active on none of these inputs."""
    return ~(z > 0).any(dim=0)


def explained(
    h: Float[Tensor, "sample hidden"], reconstruction: Float[Tensor, "sample hidden"]
) -> float:
    """The fraction of the activations' variance that is reconstructed; 1 is all, 0 their mean."""
    return 1 - float((h - reconstruction).square().sum() / (h - h.mean(dim=0)).square().sum())


def loss_recovered(
    W: Float[Tensor, "feature hidden"],
    b: Float[Tensor, "feature"],
    features: Float[Tensor, "sample feature"],
    sae: SAE,
) -> float:
    """How much of what the hidden layer is worth survives when the reconstruction is put in it.

    With the toy model's squared error read out of h, of the reconstruction, and of zeros:
    (zeros - reconstruction) / (zeros - h). 1: nothing is lost; 0: no better than zeros, and below
    that worse.
    """

    def loss(h: Tensor) -> float:
        return float(((h @ W.T + b).relu() - features).square().sum(dim=1).mean())

    h = features @ W
    nothing = loss(torch.zeros_like(h))
    return (nothing - loss(decode(encode(h, sae), sae))) / (nothing - loss(h))


def _unit(rows: Float[Tensor, "row hidden"]) -> Float[Tensor, "row hidden"]:
    return rows / rows.norm(dim=1, keepdim=True).clamp(min=1e-12)
