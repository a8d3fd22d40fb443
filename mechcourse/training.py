"""One training loop for next-token models, and checkpoints.

The attention matrices are trained with Muon, everything else with AdamW: an induction head then
forms in about half the steps that AdamW alone needs.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from mechcourse.architectures import rebuilt
from mechcourse.data import random_windows
from mechcourse.models import Transformer

# Called after every step with the step's number (from 1), their total, and what was measured.
Progress = Callable[[int, int, dict[str, float]], None]
# Draws a batch of so many texts: their tokens, and which of them are to be predicted (None: all).
Sampler = Callable[[int, torch.Generator], tuple[Tensor, Tensor | None]]


@dataclass(frozen=True)
class TrainingConfig:
    """How a next-token model is trained.

    Attributes:
        n_steps: optimiser steps.
        batch: windows of `n_ctx` tokens in a step.
        learning_rate: after the warm-up; it falls on a cosine to a tenth over `decay` of the run.
        warm_up: steps over which the learning rate rises.
        decay: the share of the run, at its end, over which the learning rate falls.
        weight_decay: AdamW's and Muon's.
        seed: of the initial weights and of the windows' order.
    """

    n_steps: int
    batch: int = 16
    learning_rate: float = 3e-3
    warm_up: int = 100
    decay: float = 0.5
    weight_decay: float = 0.01
    seed: int = 0

    def rate(self, step: int) -> float:
        """The learning rate at a step, counted from 0."""
        start = self.n_steps * (1 - self.decay)
        phase = max(0.0, (step - start) / max(self.n_steps - start, 1))
        fall = 0.1 + 0.9 * (1 + math.cos(math.pi * phase)) / 2
        return self.learning_rate * min(1.0, (step + 1) / self.warm_up) * fall


def next_token_losses(
    logits: Float[Tensor, "batch pos d_vocab"], tokens: Int[Tensor, "batch pos"]
) -> Float[Tensor, "batch predicted"]:
    """Cross-entropy in nats of each token but the first, given those before it."""
    return nn.functional.cross_entropy(
        logits[:, :-1].transpose(1, 2), tokens[:, 1:], reduction="none"
    )


def windows_of(text: Int[Tensor, "pos"], length: int) -> Sampler:
    """Draw stretches of a text from random places; every token but the first is to be predicted."""
    return lambda n_windows, generator: (random_windows(text, n_windows, length, generator), None)


def train(
    model: Transformer,
    sample: Sampler,
    config: TrainingConfig,
    *,
    progress: Progress | None = None,
) -> Transformer:
    """Train a model in place on batches as they are drawn, and return it.

    Interrupting the kernel ends the training early and keeps what was learnt.
    """
    step = 0
    try:
        for step, loss in training_steps(model, sample, config):
            if progress:
                progress(step, config.n_steps, {"loss": loss})
    except KeyboardInterrupt:
        print(f"Stopped after {step} of {config.n_steps} steps; the model keeps what it learnt.")
    return model


def training_steps(
    model: Transformer, sample: Sampler, config: TrainingConfig
) -> Iterator[tuple[int, float]]:
    """Train a model in place; after each step its number, from 1, and the loss in nats."""
    generator = torch.Generator().manual_seed(config.seed)
    optimisers = make_optimisers(model, config)
    for step in range(config.n_steps):
        tokens, counted = sample(config.batch, generator)
        losses = next_token_losses(model(tokens), tokens)
        loss = losses.mean() if counted is None else losses[counted[:, 1:]].mean()
        loss.backward()
        for optimiser in optimisers:
            for group in optimiser.param_groups:
                group["lr"] = config.rate(step)
            optimiser.step()
        model.zero_grad()
        yield step + 1, loss.item()


def make_optimisers(model: nn.Module, config: TrainingConfig) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside layers, all heads of one together, and AdamW for the rest.

    The rest are embeddings and what is no matrix: biases, LayerNorms' gains, smeared keys' alphas.
    """
    matrices, rest = [], []
    for name, parameter in model.named_parameters():
        inside = parameter.ndim == 3 or name.endswith(("mlp.W_in", "mlp.W_out"))
        (matrices if inside else rest).append(parameter)
    decay = config.weight_decay
    adam = torch.optim.AdamW(rest, betas=(0.9, 0.98), weight_decay=decay, fused=True)
    return [adam, HeadsMuon(matrices, weight_decay=decay)] if matrices else [adam]


class HeadsMuon(torch.optim.Muon):
    """PyTorch's Muon, which takes matrices only, for weights of shape `[head row column]`.

    The heads of a layer are laid side by side: `W_Q` as `[d_model, head * d_head]`, `W_O` as
    `[head * d_head, d_model]`. Orthogonalising each head by itself is slower to find induction.
    """

    def __init__(self, weights: list[nn.Parameter], *, weight_decay: float) -> None:
        self.weights = weights
        matrices = [nn.Parameter(_side_by_side(weight.detach())) for weight in weights]
        super().__init__(matrices, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")

    @torch.no_grad()
    def step(self) -> None:
        """Update every weight by its gradient."""
        matrices = self.param_groups[0]["params"]
        for weight, matrix in zip(self.weights, matrices, strict=True):
            matrix.grad = _side_by_side(weight.grad)
        super().step()
        for weight, matrix in zip(self.weights, matrices, strict=True):
            weight.copy_(_apart(matrix, weight.shape))


def _side_by_side(weight: Float[Tensor, "*head row column"]) -> Float[Tensor, "rows columns"]:
    if weight.ndim == 2:
        return weight.clone()
    n_rows, n_columns = weight.shape[1:]
    writes = n_columns > n_rows  # W_O: [head d_head d_model]
    return (weight.flatten(0, 1) if writes else weight.transpose(0, 1).flatten(1)).clone()


def _apart(
    matrix: Float[Tensor, "rows columns"], shape: torch.Size
) -> Float[Tensor, "*head row column"]:
    if len(shape) == 2:
        return matrix
    n_heads, n_rows, n_columns = shape
    if n_columns > n_rows:
        return matrix.view(shape)
    return matrix.view(n_rows, n_heads, n_columns).transpose(0, 1)


def save_checkpoint(model: Transformer, path: Path, *, notes: dict[str, object]) -> str:
    """Write a model's weights and sizes as safetensors; returns the file's SHA-256.

    Args:
        notes: what else to keep in the file's header: the recipe, the seed.
    """
    header = {"config": json.dumps(asdict(model.config)), "notes": json.dumps(notes)}
    if type(model) is not Transformer:
        header["architecture"] = type(model).__name__
    return save_tensors(model.state_dict(), path, header)


def save_tensors(
    tensors: Mapping[str, Tensor], path: Path, header: dict[str, str] | None = None
) -> str:
    """Write tensors as safetensors, folders made if missing; returns the file's SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    own = {name: value.detach().contiguous() for name, value in tensors.items()}
    save_file(own, path, metadata=header)
    path.chmod(0o644)  # safetensors leaves it to its owner alone
    return file_hash(path)


def load_checkpoint(path: Path) -> Transformer:
    """Rebuild a model from `save_checkpoint`'s file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no checkpoint of this course.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at {path}")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        architecture = header.get("architecture", "Transformer")
        return rebuilt(architecture, json.loads(header["config"]), weights)
    except Exception as error:
        raise ValueError(f"{path} is not a checkpoint of this course: {error}") from error


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
