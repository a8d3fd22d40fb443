"""What is measured on a model of sums modulo p: the paper's table, for one of ours.

Losses are mean cross-entropies in nats, in float64. Source of the protocols: Nanda et al., Progress
Measures for Grokking via Mechanistic Interpretability (2023), sections 4 and 5; where it leaves a
choice open, the docstring here says what was chosen.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mechcourse import fourier
from mechcourse.grokking import Run
from mechcourse.modular import (
    ModularTransformer,
    all_pairs,
    exact_cross_entropy,
    sums,
    tokens_of,
)
from mechcourse.modular_fast import FastModel
from mechcourse.modular_tasks import Task

OF_ONE_FREQUENCY = 0.85  # the share of a neuron's variance that makes it one of a frequency's
MOST_LISTED = 10  # key frequencies; where there are more, none is key, and none is listed alone


@dataclass(frozen=True)
class Parts:
    """What makes up the logits at "=", over all pairs: attention's and "="'s own, and the MLP's."""

    direct: Float[Tensor, "p p p"]
    post: Float[Tensor, "p p neuron"]
    to_logits: Float[Tensor, "neuron p"]

    def logits(self, post: Float[Tensor, "p p neuron"] | None = None) -> Float[Tensor, "p p p"]:
        """The logits, with other activations of the neurons where they are given."""
        post = self.post if post is None else post
        return self.direct + (post @ self.to_logits.to(post.dtype))


@torch.no_grad()
def look_inside(model: ModularTransformer) -> Parts:
    """The parts of the logits of all pairs, float64 but for the neurons."""
    p, W_U = model.config.p, model.unembed.W_U.double()
    names = ["blocks.0.hook_resid_mid", "blocks.0.mlp.hook_post"]
    _, seen = model.run_with_cache(tokens_of(all_pairs(p), p), names=names)
    middle, post = (seen[name][:, -1].unflatten(0, (p, p)) for name in names)
    mlp = model.blocks[0].mlp
    return Parts((middle + mlp.b_out).double() @ W_U, post, mlp.W_out.double() @ W_U)


def measure_modular(model: ModularTransformer, task: Task) -> dict[str, Any]:
    """The paper's table for a model of sums that was trained on a task."""
    train, test = (pairs for pairs, _ in task.parts())
    parts = look_inside(model)
    logits = parts.logits()
    keys = final_frequencies(model)
    measured: dict[str, Any] = {
        "key_frequencies": keys,
        **{f"{name}_loss": fourier.loss_on(logits, on) for name, on in _named(train, test)},
        **{f"{name}_accuracy": _accuracy(logits, on) for name, on in _named(train, test)},
        **neuron_figures(parts.post, keys),
        "w_l_residual": fourier.residual_share(_logit_map(model).T, keys),
        "logit_fve": fourier.cosine_fit(logits, keys)[1],
        "gini_w_e": fourier.gini(_component_norms(model.embed.W_E[:-1])),
        "restricted_loss": fourier.restricted_loss(logits, keys),
        "excluded_loss": fourier.excluded_loss(logits, keys, train),
        "distance_irrelevance": fourier.distance_irrelevance(logits),
        "weight_norm": weight_norm(model),
    }
    measured |= ablations(model, parts, keys)
    if len(keys) > MOST_LISTED:
        measured |= {"neurons_of": {}, "without_frequency": {}}
    return _rounded(measured)


def final_frequencies(model: ModularTransformer) -> list[int]:
    """A model's key frequencies, by its neuron-logit map."""
    return fourier.key_frequencies(_logit_map(model).T)


def neuron_figures(post: Float[Tensor, "p p neuron"], keys: Collection[int]) -> dict[str, Any]:
    """How many neurons are of one frequency, and of which: fractions of all neurons."""
    best, at = fourier.neuron_fve(post).max(dim=0)
    clear = best > OF_ONE_FREQUENCY
    of = {str(k): _fraction(clear & (at + 1 == k)) for k in keys}
    return {"neurons_of_one_frequency": _fraction(clear), "neurons_of": of}


@torch.no_grad()
def ablations(
    model: ModularTransformer, parts: Parts, keys: Collection[int]
) -> dict[str, float | dict[str, float]]:
    """The loss over all pairs with one thing changed.

    `loss` is the unchanged model's. `sums_only` keeps of the logits the key frequencies' cos and
    sin of w_k (a + b), and nothing else, no mean either; `without_frequency` takes one away.
    `one_frequency_neurons` replaces each neuron that is of one frequency by its products of 1, cos
    and sin of that frequency. `readout_only` keeps of the neurons what lies in the directions that
    the neuron-logit map reads for the key frequencies, `readout_removed` the rest.
    """
    logits, p = parts.logits(), model.config.p
    reads = parts.to_logits @ fourier.wave_rows(p, keys).T if keys else None
    post = parts.post.double()
    on = torch.zeros_like(post)
    if reads is not None:
        directions = torch.linalg.qr(reads).Q
        on = post @ directions @ directions.T
    without = {str(k): fourier.loss_on(fourier.excluded_logits(logits, [k])) for k in keys}
    return {
        "loss": fourier.loss_on(logits),
        "sums_only": fourier.loss_on(fourier.sum_part(logits, keys)),
        "without_frequency": without,
        "one_frequency_neurons": fourier.loss_on(parts.logits(_one_frequency_each(parts.post))),
        "readout_only": fourier.loss_on(parts.logits(on)),
        "readout_removed": fourier.loss_on(parts.logits(post - on)),
        "no_mlp": fourier.loss_on(parts.direct),
        "no_skip_past_mlp": fourier.loss_on(logits - parts.direct),
        "no_attention": _loss_with(model, "blocks.0.attn.hook_z", None),
        **{f"no_head_{h}": _loss_with(model, "blocks.0.attn.hook_z", h) for h in _heads(model)},
    }


def progress_measures(run: Run) -> dict[str, list[float]]:
    """Over the kept weights of a run: losses, restricted and excluded losses, Gini, weight norm.

    The key frequencies are the final model's throughout. "step" says where.
    """
    keys = final_frequencies(run.model)
    train, test = (pairs for pairs, _ in run.config.task(run.model.config.p).parts())
    rows = []
    for step in sorted(run.weights):
        model = run.model_at(step)
        logits = all_logits(model)
        of_keys = fourier.sum_part(logits, keys)
        rows.append(
            {
                "step": step,
                "train_loss": fourier.loss_on(logits, train),
                "test_loss": fourier.loss_on(logits, test),
                "restricted_loss": fourier.loss_on(logits.mean(dim=(0, 1)) + of_keys),
                "excluded_loss": fourier.loss_on(logits - of_keys, train),
                "gini_w_e": fourier.gini(_component_norms(model.embed.W_E[:-1])),
                "weight_norm": weight_norm(model),
            }
        )
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def all_logits(model: ModularTransformer) -> Float[Tensor, "p p p"]:
    """The logits at "=" of all pairs, by a and b, in float64 of the model's float32."""
    p = model.config.p
    pairs = all_pairs(p)
    return FastModel(model, pairs, sums(pairs, p)).logits().unflatten(0, (p, p)).double()


def weight_norm(model: ModularTransformer) -> float:
    """The norm of all weights and biases taken together, which weight decay pulls on."""
    return sum(float(weight.detach().square().sum()) for weight in model.parameters()) ** 0.5


def phases(run: Run) -> dict[str, float | int]:
    """When what happened: the grokking step, and the rest as fractions of it.

    `memorised`: the first look from which the training accuracy stays at 99%. The others are the
    first kept weights at which something holds: `forming`, the excluded loss is lowest, and rises
    from there as training pairs come to rely on the circuit; `formed`, the restricted loss is below
    half of the highest it was; `cleanup`, the test loss is. Empty for a run that did not grok, or
    of which no weights were kept.
    """
    grokked = run.curves.grokking_step()
    if not grokked or not run.weights:
        return {}
    seen = progress_measures(run)
    low = (run.curves.train_accuracy < 0.99).nonzero()
    excluded = seen["excluded_loss"]
    found = {
        "memorised": int(run.curves.steps[int(low[-1]) + 1 if len(low) else 0]),
        "forming": seen["step"][min(range(len(excluded)), key=excluded.__getitem__)],
        "formed": _halved(seen["step"], seen["restricted_loss"]),
        "cleanup": _halved(seen["step"], seen["test_loss"]),
    }
    fractions = {name: round(step / grokked, 3) for name, step in found.items()}
    return {"grokking_step": grokked, **fractions}


def _halved(steps: list[float], losses: list[float]) -> float:
    """The first step after a loss's peak at which it is below half of the peak."""
    peak = max(range(len(losses)), key=losses.__getitem__)
    later = zip(steps[peak:], losses[peak:], strict=True)
    return next((step for step, loss in later if loss < losses[peak] / 2), float("nan"))


def _one_frequency_each(post: Float[Tensor, "p p neuron"]) -> Float[Tensor, "p p neuron"]:
    """The neurons of one frequency, each by its products of 1, cos and sin of it; others as is."""
    best, at = fourier.neuron_fve(post).max(dim=0)
    changed = post.double()
    for k in set((at + 1)[best > OF_ONE_FREQUENCY].tolist()):
        of_k = (best > OF_ONE_FREQUENCY) & (at + 1 == k)
        basis = torch.cat([fourier.fourier_basis(len(post))[:1], fourier.wave_rows(len(post), [k])])
        onto = basis.T @ basis
        over_a = torch.tensordot(onto, changed[..., of_k], dims=1)
        changed[..., of_k] = torch.einsum("yb,xbn->xyn", onto, over_a)
    return changed


def _loss_with(model: ModularTransformer, name: str, head: int | None) -> float:
    """The loss over all pairs with a head's output zero, or with that of all heads."""
    p = model.config.p

    def silence(z: Tensor, _point: Any) -> Tensor:
        z = z.clone()
        z[:, :, slice(None) if head is None else head] = 0
        return z

    logits = model.run_with_hooks(tokens_of(all_pairs(p), p), fwd_hooks=[(name, silence)])
    return float(exact_cross_entropy(logits[:, -1], sums(all_pairs(p), p)).mean())


def _logit_map(model: ModularTransformer) -> Float[Tensor, "d_mlp p"]:
    return fourier.neuron_logit_map(model.blocks[0].mlp.W_out.detach(), model.unembed.W_U.detach())


def _component_norms(W_E: Float[Tensor, "p d_model"]) -> Float[Tensor, "component"]:
    """Norms of the components that are not constant."""
    return fourier.fourier_norms(W_E.detach())[1:]


def _accuracy(logits: Float[Tensor, "p p p"], pairs: Int[Tensor, "pair 2"]) -> float:
    said = logits[pairs[:, 0], pairs[:, 1]].argmax(dim=-1)
    return _fraction(said == sums(pairs, len(logits)))


def _fraction(which: Tensor) -> float:
    return float(which.double().mean())


def _heads(model: ModularTransformer) -> range:
    return range(model.config.n_heads)


def _named(*pairs: Tensor) -> list[tuple[str, Tensor]]:
    return list(zip(("train", "test"), pairs, strict=True))


def _rounded(value: Any) -> Any:
    """Four significant digits: more say nothing, and differ from machine to machine."""
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value
