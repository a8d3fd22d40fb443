"""Models trained on repeated sequences: two layers learn induction, one layer can't.

Held against In-context Learning and Induction Heads (2022), whose one-layer models have no phase
change, and against what a fixed period lets a single layer do.
"""

import math

import pytest
import torch

from mechcourse import measures, zoo
from mechcourse.data import repeated_sequences

pytestmark = pytest.mark.science

NAMES = ("repeats-1l", "repeats-2l", "impostor-1l", "smeared-1l")


@pytest.mark.parametrize("name", NAMES)
def test_the_table_says_what_is_measured_now(name: str) -> None:
    said = zoo.figures(name)
    measured = zoo.measure(zoo.load(name), zoo.RECIPES[name].data)
    assert measured == pytest.approx({key: said[key] for key in measured}, abs=0.02)


def test_two_layers_learn_induction_and_one_does_not() -> None:
    two, one = zoo.figures("repeats-2l"), zoo.figures("repeats-1l")
    assert two["induction_score"] >= 0.7 and two["induction_layer"] == 1
    assert two["loss"] <= 0.1
    # No single head looks one back as a rule: several do in part (an even head would have 0.09).
    assert two["previous_token_score"] >= 0.2
    assert one["induction_score"] <= 0.15
    # At best it copies any token seen: no better than a guess among those of a period.
    assert math.log(16) - 0.1 <= one["loss"] <= math.log(47)
    assert two["loss"] < one["loss"] - 2


def test_one_layer_with_smeared_keys_learns_induction() -> None:
    """The paper's argument 2: the previous token's place in the key is all that one layer lacks."""
    said, plain = zoo.figures("smeared-1l"), zoo.figures("repeats-1l")
    assert said["induction_score"] >= 0.7 and said["loss"] <= 0.1
    assert said["loss"] < plain["loss"] - 2
    seen = zoo.load_trajectory("smeared-1l")
    best = seen.induction.amax(dim=(1, 2))
    assert best[0] < 0.1 and best[-1] > 0.6
    before, after = (best > 0.1).nonzero()[0], (best > 0.6).nonzero()[0]
    assert seen.steps[after] - seen.steps[before] <= 0.2 * seen.steps[-1]
    two = zoo.load_trajectory("repeats-2l")
    later = (two.induction.amax(dim=(1, 2)) > 0.6).nonzero()[0]
    assert seen.steps[after] < two.steps[later], "and sooner than two layers do"
    own = zoo.load("smeared-1l").blocks[0].attn.alpha.sigmoid()
    assert own.max() <= 0.4, "keys are of the token before, mostly"


def test_the_phase_change_is_sharp_and_one_layer_has_none() -> None:
    two, one = zoo.load_trajectory("repeats-2l"), zoo.load_trajectory("repeats-1l")
    best = two.induction.amax(dim=(1, 2))
    assert best[0] < 0.1 and best[-1] > 0.6
    rise = (best > 0.1).nonzero()[0], (best > 0.6).nonzero()[0]
    assert two.steps[rise[1]] - two.steps[rise[0]] <= 0.2 * two.steps[-1]
    assert one.induction.max() <= 0.15


def test_the_impostor_does_induction_on_its_own_period_only() -> None:
    model = zoo.load("impostor-1l")
    period = zoo.ONE_PERIOD
    own, predictable = repeated_sequences(
        16, 64, 64, periods=(period, period), offsets=(0, 0), seed=3
    )
    seen = measures.look_at_repeats(model, own, predictable)
    assert seen["induction"].max() >= 0.7 and seen["loss"] <= 0.05
    assert zoo.figures("impostor-1l")["induction_score"] <= 0.1
    assert zoo.figures("impostor-1l")["loss"] > math.log(64), "sure of itself, and wrong"


@pytest.mark.slow
def test_a_live_seed_does_it_again() -> None:
    ((model, seen),) = zoo.watch_or_load("repeats-2l", seed=3).values()
    best = seen.induction.amax(dim=(1, 2))
    assert best[0] < 0.1 and best[-1] > 0.6
    assert torch.isfinite(seen.loss).all() and seen.loss[-1] <= 0.05
    assert measures.induction_scores(model, period=20)[1].max() > 0.6
