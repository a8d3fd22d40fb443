"""The shipped models of sums modulo p: how each was trained, and what is kept of the trainings.

`mechcourse train modular-113` reproduces one. The zoo's table, `assets/zoo.json`, holds each file's
hash and the figures measured on it.
"""

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from mechcourse import zoo
from mechcourse.data import ASSETS
from mechcourse.delays import SWEEP, sweep
from mechcourse.grokking import (
    Curves,
    GrokkingConfig,
    Run,
    begin,
    grok,
    load_weights,
    rebuild,
    save_weights,
)
from mechcourse.measures_modular import measure_modular, phases
from mechcourse.modular import ModularTransformer, ModularTransformerConfig
from mechcourse.training import Progress, save_tensors

# Dense where the circuit forms and the rest is cleaned up, in the run whose weights ship.
KEEP = (
    *(0, 50, 100, 200, 500, 1000, 1500, 2000, 2500, 3000, 3500, 4000, 4400, 4800, 5200, 5600),
    *(6000, 6400, 6800, 7200, 7600, 8000, 9000, 10000, 12000, 15000),
)
# Of the other seeds only the end ships: so many are kept to find their phases.
EVERY_200 = tuple(range(0, 12_001, 200))


@dataclass(frozen=True)
class ModularRecipe:
    """All that makes a shipped model, and minutes on two cores.

    Attributes:
        live_steps: of a training in a notebook: until it has grokked and cleaned up.
        whole: whether the weights kept on the way ship, and the last ones in float32; else only
            the last ones ship, in float16.
    """

    model: ModularTransformerConfig
    training: GrokkingConfig
    minutes: float
    about: str
    live_steps: int
    whole: bool = False


PAPER, SMALL = ModularTransformerConfig(p=113), ModularTransformerConfig(p=59)
LONG = GrokkingConfig(n_steps=20_000)
BY_HEART = GrokkingConfig(n_steps=10_000, weight_decay=0.0)
QUICK = GrokkingConfig(n_steps=3000, fraction=0.4, learning_rate=3e-3, look_every=10)
PLENTY = replace(QUICK, fraction=0.6)
RECIPES = {
    "modular-59": ModularRecipe(
        SMALL, QUICK, 0.7, "sums modulo 59: groks in half a minute", QUICK.n_steps
    ),
    "plenty-59": ModularRecipe(
        SMALL, PLENTY, 1, "sums modulo 59 from 60% of the pairs: no delay to speak of", 1000
    ),
    "mirror-proof-59": ModularRecipe(
        SMALL,
        replace(PLENTY, kind="mirror-proof sums"),
        1,
        "the same, where a pair's mirror is no help",
        2000,
    ),
    "products-59": ModularRecipe(
        SMALL, replace(QUICK, kind="products"), 0.7, "products modulo 59: groks as well", 3000
    ),
    "modular-113": ModularRecipe(
        PAPER, replace(LONG, keep=KEEP), 6, "sums modulo 113, as in the paper: groks", 9000, True
    ),
    **{
        f"modular-113-seed{seed}": ModularRecipe(
            PAPER,
            replace(LONG, keep=EVERY_200, seed=seed),
            6,
            "the same from other weights, on other pairs",
            12_000,
        )
        for seed in (1, 2)
    },
    "memoriser-113": ModularRecipe(
        PAPER, BY_HEART, 3, "sums modulo 113 without weight decay: never groks", 5000
    ),
}
SWEEP_NAME = "delays-59"
JOBS = {**RECIPES, SWEEP_NAME: SWEEP}  # all that `mechcourse train` can make of these


def recipe(name: str) -> ModularRecipe:
    """The recipe of a model, or an error that lists the names there are."""
    if name not in RECIPES:
        raise KeyError(f"no model {name!r} of sums; there are {', '.join(RECIPES)}")
    return RECIPES[name]


def grok_or_load(
    name: str,
    *,
    live: bool = True,
    progress: Progress | None = None,
    seed: int | None = None,
    n_steps: int | None = None,
) -> Run:
    """Train a model here and now until it has grokked, or load the shipped run.

    Interrupting the kernel ends the training early and keeps what was learnt.

    Args:
        live: whether to train. While nbgrader executes the notebook it is loaded all the same.
        seed: of the weights and of the pairs trained on, where it is not to be the recipe's own.
        n_steps: by default fewer than of the shipped run, whose last steps change little.
    """
    if not live or os.environ.get("NBGRADER_EXECUTION"):
        return load_run(name)
    how = recipe(name)
    seed = how.training.seed if seed is None else seed
    training = replace(how.training, seed=seed, n_steps=n_steps or how.live_steps)
    return grok(begin(how.model, seed), training, progress=progress)


def load(name: str) -> ModularTransformer:
    """A shipped model, as it was at the end of its training.

    Raises:
        KeyError: no model has that name.
        ValueError: the file differs from the one that was measured.
    """
    model = recipe(name).model
    return rebuild(model, load_file(zoo.shipped_file(name)))


def load_run(name: str) -> Run:
    """A shipped training: the model, its curves, and the weights on the way where they ship."""
    how, on_the_way = recipe(name), _path(name, "weights")
    weights = load_weights(on_the_way) if on_the_way.exists() else {}
    return Run(how.training, load(name), Curves.load(_path(name, "curves")), weights)


def load_delays() -> list[dict[str, Any]]:
    """How long grokking takes by weight decay, share of the pairs trained on, and seed, at p = 59.

    Each row says its setting, the kind of split among it, the step at which the training accuracy
    had reached 99%, that at which the test accuracy had (None: not within `n_steps`), and the last
    test accuracy.
    """
    return json.loads((ASSETS / f"{SWEEP_NAME}.json").read_text(encoding="utf-8"))


def retrain(
    name: str, *, seed: int | None = None, out: Path | None = None, ship: bool = False
) -> None:
    """Train a model with a progress bar, write its weights, and print what it measures.

    Interrupted, it writes nothing.

    Args:
        out: where to; by default `NAME.safetensors` in the working directory.
        ship: replace the shipped files, and renew the entry in the table, instead.

    Raises:
        FileExistsError: there is such a file already; said before the training, not after it.
    """
    if name == SWEEP_NAME:
        _make_delays(ship, out)
        return
    how = recipe(name)
    path = _path(name) if ship else out or Path(f"{name}.safetensors")
    if path.exists() and not ship:
        raise FileExistsError(f"{path} is there already; move it away, or choose another: --out")
    training = replace(how.training, seed=how.training.seed if seed is None else seed)
    print(f"{name}: {how.about}; {training.n_steps} steps, about {how.minutes:g} minutes")
    run = _with_bar(how.model, training)
    if run.curves.steps[-1] < training.n_steps:
        print("Nothing was written.")
        return
    print(f"Wrote {path}\n{json.dumps(write(name, run, path, ship=ship), indent=2)}")


def write(name: str, run: Run, path: Path, *, ship: bool) -> dict[str, Any]:
    """Write a finished run's weights and, to ship it, all else; returns the figures measured.

    What is measured is the model as it will be loaded, rounded to float16 where it ships so.
    """
    how, weights = recipe(name), run.model.state_dict()
    if not how.whole:
        weights = {key: weight.half() for key, weight in weights.items()}
    notes = {"name": name, **asdict(run.config)}
    digest = save_tensors(weights, path, {"notes": json.dumps(notes)})
    rounded = replace(run, model=rebuild(how.model, weights))
    measured = measure_run(rounded)
    if ship:
        run.curves.save(_path(name, "curves"))
        if how.whole:
            save_weights(run.weights, _path(name, "weights"))
        entry = {"sha256": digest, "seed": run.config.seed, **measured}
        zoo.renew(name, entry)
    return measured


def measure_run(run: Run) -> dict[str, Any]:
    """The paper's table for a run of sums: its model's figures, and the phases of its training."""
    if run.config.kind == "products":
        return _last_look(run)
    return {**measure_modular(run.model, run.config.task(run.model.config.p)), **phases(run)}


def _last_look(run: Run) -> dict[str, Any]:
    """What holds of any task: the last losses and accuracies, and when it grokked."""
    names = ("train_loss", "test_loss", "train_accuracy", "test_accuracy")
    last = {name: float(f"{getattr(run.curves, name)[-1]:.4g}") for name in names}
    return {**last, "grokking_step": run.curves.grokking_step()}


def _make_delays(ship: bool, out: Path | None) -> None:
    path = ASSETS / f"{SWEEP_NAME}.json" if ship else out or Path(f"{SWEEP_NAME}.json")
    if path.exists() and not ship:
        raise FileExistsError(f"{path} is there already; move it away, or choose another: --out")
    rows = sweep(SWEEP)
    path.write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n", encoding="utf-8")
    print(f"Wrote {path}")


def _with_bar(model: ModularTransformerConfig, training: GrokkingConfig) -> Run:
    """A run, perhaps an interrupted one."""
    from tqdm import tqdm

    with tqdm(total=training.n_steps, unit="step", mininterval=1) as bar:

        def show(_step: int, _n_steps: int, metrics: dict[str, float]) -> None:
            bar.update()
            if metrics:
                losses = {part: f"{metrics[f'loss/{part}']:.1e}" for part in ("train", "test")}
                bar.set_postfix(losses, refresh=False)

        return grok(begin(model, training.seed), training, progress=show)


def _path(name: str, kind: str = "") -> Path:
    return ASSETS / ".".join(filter(None, [name, kind, "safetensors"]))
