"""What is measured on sweeps of toy models: the figures of the zoo's table."""

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mechcourse.geometry import dimensions_per_feature, feature_dimensionality
from mechcourse.phase_diagram import candidate_losses, phase_of
from mechcourse.superposition_training import ToyRun, alike, best_of

FAR = 1.1  # off the boundary: the two cheapest phases' closed forms differ by this factor or more
FEW = 40  # kinds of instances, of which each gets its figures


def measure_toys(run: ToyRun) -> dict[str, Any]:
    """The figures of a sweep, rounded.

    Returns:
        `sum_of_dimensionalities`: the largest of an instance, which is at most `d_hidden`. For a
        sweep of a few kinds of instances, of each kind's best: `loss`, `d_star`, and `at_half`, the
        number of features with a dimensionality within 0.005 of 1/2, with `beside_half`, the mean
        of those as near to 1/2 - 0.0125 and to 1/2 + 0.0125. Where there are several of a kind,
        `as_good_as_best`: the share of models whose loss is within 1% of their kind's best. For a
        phase diagram: that and `phase_figures`.
    """
    groups, best = alike(run.config), best_of(run)
    shares = feature_dimensionality(run.W)
    measured: dict[str, Any] = {"sum_of_dimensionalities": _short(shares.sum(dim=1).max())}
    if len(groups) < run.config.n_instances:
        limits = [
            (run.final_losses[group], 1.01 * run.final_losses[group].min()) for group in groups
        ]
        good = torch.cat([losses <= limit for losses, limit in limits])
        measured["as_good_as_best"] = _short(good.float().mean())
    if len(groups) > FEW:
        return measured | phase_figures(run)
    shares = shares[best]
    beside = (near(shares, 0.4875) + near(shares, 0.5125)) / 2
    return measured | {
        "loss": [_short(loss) for loss in run.final_losses[best]],
        "d_star": [_short(value) for value in dimensions_per_feature(run.W[best])],
        "at_half": near(shares, 0.5).tolist(),
        "beside_half": beside.tolist(),
    }


def near(
    shares: Float[Tensor, "instance feature"], value: float, within: float = 0.005
) -> Float[Tensor, "instance"]:
    """How many features of each instance have a dimensionality near a value."""
    return ((shares - value).abs() <= within).float().sum(dim=1)


def phase_figures(run: ToyRun) -> dict[str, float]:
    """How far the best model of each cell is in the phase that the closed forms say.

    Returns:
        `agreement`: the share of all cells; `agreement_off_boundary`: of those where the closed
        forms of the two cheapest phases differ by 10% or more, `off_boundary` in number;
        `loss_over_closed_form`: of the best models, the mean over cells.
    """
    agrees, far, ratio = compare_with_closed_forms(run)
    return {
        "agreement": _short(agrees.float().mean()),
        "agreement_off_boundary": _short(agrees[far].float().mean()),
        "off_boundary": int(far.sum()),
        "loss_over_closed_form": _short(ratio.mean()),
    }


def compare_with_closed_forms(
    run: ToyRun,
) -> tuple[Bool[Tensor, "cell"], Bool[Tensor, "cell"], Float[Tensor, "cell"]]:
    """The best model of each cell of a phase diagram, beside the phase that should be cheapest.

    Returns:
        Whether it is in that phase; whether the cell is off the boundary; and its loss over the
        closed form of that phase.
    """
    agrees, far, ratio = [], [], []
    for best in best_of(run).tolist():
        p, importance = run.config.presence[best, 0], run.config.importances[best, -1]
        losses = candidate_losses(p.item(), importance.item(), run.config.n_features)
        first, second, _ = sorted(losses, key=losses.__getitem__)
        agrees.append(phase_of(run.W[best]) == first)
        far.append(losses[second] >= FAR * losses[first])
        ratio.append(run.final_losses[best].item() / losses[first])
    return torch.tensor(agrees), torch.tensor(far), torch.tensor(ratio)


def _short(value: Tensor) -> float:
    return float(f"{value.item():.4g}")
