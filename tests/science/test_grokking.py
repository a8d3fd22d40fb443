"""Shipped models of sums modulo p, held against Nanda et al. 2023 and against what has no circuit.

The ranges are what three seeds gave at the paper's hyper-parameters, with room; where ours differ
from the paper it says so.
"""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from mechcourse import fourier, zoo
from mechcourse import measures_modular as measures
from mechcourse import modular_zoo as modular
from mechcourse.data import ASSETS
from mechcourse.modular import split

pytestmark = pytest.mark.science

SEEDS = ("modular-113", "modular-113-seed1", "modular-113-seed2")
GROKKED = ("modular-59", *SEEDS)
MEGABYTES = 15  # of the paper's model: its run with all that is kept of it, and what goes with it


def flat(figures: dict[str, Any], above: str = "") -> dict[str, Any]:
    """Figures by their path: `approx` does not look into dicts in dicts."""
    found: dict[str, Any] = {}
    for name, value in figures.items():
        inside = isinstance(value, dict)
        found |= flat(value, f"{above}{name}.") if inside else {f"{above}{name}": value}
    return found


@pytest.mark.parametrize("name", modular.RECIPES)
def test_the_table_says_what_is_measured_now(name: str) -> None:
    run, said = modular.load_run(name), flat(zoo.figures(name))
    measured = flat(modular.measure_run(replace(run, weights={})))
    lists = {key for key, value in measured.items() if isinstance(value, list)}
    assert all(measured.pop(key) == said[key] for key in lists)
    # A loss of 1e-7 hangs on the last bits of the logits, which machines round differently.
    assert measured == pytest.approx({key: said[key] for key in measured}, rel=0.03, abs=1e-9)


@pytest.mark.parametrize("name", GROKKED)
def test_it_learns_by_heart_at_once_and_the_rest_much_later(name: str) -> None:
    run, said = modular.load_run(name), zoo.figures(name)
    grokked = run.curves.grokking_step()
    by_heart = run.curves.steps[(run.curves.train_accuracy >= 0.99).nonzero()[0]]
    assert grokked and by_heart <= 0.05 * grokked
    assert run.curves.test_loss.max() > math.log(run.model.config.p), "sure of itself, and wrong"
    assert said["train_accuracy"] == said["test_accuracy"] == 1


def hold_against_the_paper(said: dict[str, Any]) -> None:
    """What every seed at p = 113 has to give; the paper's figures in the comments."""
    assert 3 <= len(said["key_frequencies"]) <= 6  # 3 to 5
    assert said["logit_fve"] >= 0.85  # 0.95; others' four models 0.952 to 0.979
    assert said["neurons_of_one_frequency"] >= 0.6  # 0.846
    assert said["w_l_residual"] <= 0.2  # 0.0055: ours have a tail of weak frequencies
    assert 0.5 <= said["gini_w_e"] <= 0.85  # 0.55 to 0.80
    assert said["train_loss"] <= 2e-7 and said["test_loss"] <= 2e-4  # 2.4e-7
    assert said["restricted_loss"] <= said["loss"]
    assert said["excluded_loss"] >= math.log(113)
    assert min(said["without_frequency"].values()) >= 50 * said["loss"]
    assert said["readout_removed"] >= 1 and said["readout_only"] <= 10 * said["loss"]
    assert said["no_attention"] >= 5
    # The paper's phases end at 1.4k, 9.4k and 14k steps: at 0.10, 0.67 and 1 of the last.
    assert 3000 <= said["grokking_step"] <= 12_000
    assert said["memorised"] < said["forming"] < said["formed"] < said["cleanup"] < 1
    assert said["memorised"] <= 0.05 and said["forming"] <= 0.35
    assert said["cleanup"] - said["formed"] >= 0.15, "the circuit is there long before it groks"


@pytest.mark.parametrize("name", SEEDS)
def test_the_paper_s_table(name: str) -> None:
    hold_against_the_paper(zoo.figures(name))


@pytest.mark.verify
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [0, 3])
def test_the_recipe_gives_it_again(seed: int) -> None:
    how = modular.recipe("modular-113")
    training = replace(how.training, seed=seed, keep=modular.EVERY_200)
    measured = modular.measure_run(modular.grok(modular.begin(how.model, seed), training))
    if seed:  # how far the shipped seed is from itself on another machine is nobody's spread
        zoo.record_seed("modular-113", seed, measured)
    hold_against_the_paper(measured)


@pytest.mark.slow
def test_a_live_seed_groks() -> None:
    run = modular.grok_or_load("modular-59", seed=1)
    assert run.curves.grokking_step(), run.curves.test_accuracy[-1]
    assert 2 <= len(measures.final_frequencies(run.model)) <= 6


def test_the_curves_of_the_progress_measures() -> None:
    seen = measures.progress_measures(modular.load_run("modular-113"))
    curve = {name: torch.tensor(values) for name, values in seen.items()}
    before = (curve["step"] >= 1000) & (curve["step"] <= 5200)
    assert (curve["restricted_loss"][before].diff() < 0).all()
    assert (curve["excluded_loss"][before].diff()[1:] > 0).all()
    assert curve["test_loss"][before].min() > math.log(113), "nothing of it shows in the test loss"
    assert (curve["train_loss"][before] < 1e-5).all()
    cleaned = curve["step"] >= 5200
    assert curve["weight_norm"][cleaned].diff().max() < 0, "cleanup: the weights shrink"
    assert curve["gini_w_e"][-1] > 3 * curve["gini_w_e"][before].max()


def test_what_has_no_circuit_has_none_by_these_measures() -> None:
    """The nulls to print beside scores: the memoriser, an untrained model, other frequencies."""
    keys = zoo.figures("modular-113")["key_frequencies"]
    train, _ = split(113, 0.3, 0)
    memoriser = measures.all_logits(modular.load("memoriser-113"))
    untrained = measures.all_logits(modular.begin(modular.PAPER, 0))
    for logits in (memoriser, untrained):
        assert fourier.cosine_fit(logits, keys)[1] <= 0.02
        assert fourier.restricted_loss(logits, keys) >= math.log(113)
    assert fourier.excluded_loss(memoriser, keys, train) <= 1e-6
    grokked = measures.all_logits(modular.load("modular-113"))
    others = [key + 1 for key in keys]
    assert fourier.restricted_loss(grokked, others) >= math.log(113)
    assert fourier.excluded_loss(grokked, others, train) <= 1e-6
    said = zoo.figures("memoriser-113")
    assert said["test_accuracy"] <= 0.1 and said["test_loss"] >= 20
    assert said["neurons_of_one_frequency"] == 0 and said["gini_w_e"] <= 0.2


def test_with_all_frequencies_the_restricted_loss_forgives_a_memoriser() -> None:
    """It averages over the pairs of a sum, a third of which are known by heart: mind the number."""
    memoriser = measures.all_logits(modular.load("memoriser-113"))
    assert fourier.restricted_loss(memoriser, range(1, 57)) < 1 < fourier.loss_on(memoriser)


def test_the_loss_is_below_what_float32_can_say() -> None:
    logits = measures.all_logits(modular.load("modular-113"))
    assert 0 < fourier.loss_on(logits) < 1e-6
    a, b = torch.meshgrid(torch.arange(113), torch.arange(113), indexing="ij")
    right = logits.float().log_softmax(dim=-1)[a, b, (a + b) % 113]
    quanta = right / 2**-23
    few = quanta[quanta > -100]  # of more, the logarithm's curve shows
    assert (few - few.round()).abs().max() < 1e-3, "multiples of 1.2e-7"
    assert (right == 0).float().mean() > 0.1, "many are lost altogether"


def test_the_delays_by_weight_decay_and_data() -> None:
    rows = modular.load_delays()
    settings = [(s.kind, s.weight_decay, s.fraction, s.seed) for s in modular.SWEEP.settings()]
    assert settings == [(r["kind"], r["weight_decay"], r["fraction"], r["seed"]) for r in rows]
    done = {(r["weight_decay"], r["fraction"], r["seed"]): r["grokked"] for r in rows[:-12]}
    for seed in modular.SWEEP.seeds:
        ones = [done[1.0, fraction, seed] or math.inf for fraction in (0.3, 0.4, 0.5, 0.6)]
        assert ones == sorted(ones, reverse=True), "more data, sooner"


def test_without_mirrors_the_delay_is_back() -> None:
    """As long as with as many different pairs, or nearly; far longer than with mirrors."""
    took: dict[tuple[str, float], list[int]] = {}
    for row in modular.load_delays()[-12:]:
        took.setdefault((row["kind"], row["fraction"]), []).append(row["grokked"])
    with_mirrors, fewer, proof = (sorted(steps) for steps in took.values())
    assert len(proof) == 4 and with_mirrors[-1] < proof[0]
    assert fewer[0] < proof[-1], "the two overlap"


def test_what_ships_is_small() -> None:
    files = [path for path in ASSETS.iterdir() if "-113" in path.name]
    assert sum(path.stat().st_size for path in files) <= MEGABYTES * 10**6
