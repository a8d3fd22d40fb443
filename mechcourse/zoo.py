"""The shipped models: load them, train them anew, which bits it has, what was measured on it.

`RECIPES` reproduces them (`mechcourse train code-2l`). `assets/zoo.json` holds, for each, the
file's hash, and the figures measured when it was trained; tests hold the shipped files to them.
"""

import json
import os
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mechcourse.data import ASSETS
from mechcourse.full_models import FullTransformer

# Notebooks reach what is measured on a shipped model, and how it was made, through here.
from mechcourse.measures import OFFSETS as OFFSETS
from mechcourse.measures import PERIODS as PERIODS
from mechcourse.measures import baseline_losses as baseline_losses
from mechcourse.measures import held_out_loss as held_out_loss
from mechcourse.measures import induction_scores as induction_scores
from mechcourse.measures import measure_code_model, measure_full_model, measure_repeats_model
from mechcourse.models import Transformer
from mechcourse.recipes import ONE_PERIOD as ONE_PERIOD
from mechcourse.recipes import RECIPES, Data, Recipe
from mechcourse.training import (
    Progress,
    TrainingConfig,
    file_hash,
    load_checkpoint,
    save_checkpoint,
    train,
    training_steps,
)
from mechcourse.trajectories import Trajectory, Watcher

TABLE = ASSETS / "zoo.json"


def recipe(name: str) -> Recipe:
    """The recipe of a model, or an error that lists the names there are."""
    if name not in RECIPES:
        raise KeyError(f"no model {name!r} in the zoo; there are {', '.join(RECIPES)}")
    return RECIPES[name]


def load(name: str) -> Transformer:
    """A shipped model.

    Raises:
        KeyError: no model has that name.
        ValueError: the file differs from the one that was measured, or is damaged.
    """
    recipe(name)
    return load_checkpoint(shipped_file(name))


def shipped_file(name: str) -> Path:
    """A shipped model's file, once its hash is found to be that of the one that was measured.

    Raises:
        ValueError: it is another.
    """
    path = ASSETS / f"{name}.safetensors"
    if file_hash(path) != figures(name)["sha256"]:
        raise ValueError(
            f"{path} is not the file that {TABLE.name} describes; reinstall the package, or make "
            f"it anew with: mechcourse train {name} --ship"
        )
    return path


def train_or_load(
    name: str, *, live: bool = True, progress: Progress | None = None, seed: int | None = None
) -> Transformer:
    """Train a model of the zoo here and now, or load it.

    Args:
        live: whether to train. While nbgrader executes the notebook it is loaded all the same.
        seed: of the training, where it is not to be the recipe's own.
    """
    if not live or os.environ.get("NBGRADER_EXECUTION"):
        return load(name)
    return make(name, seed=seed, progress=progress)


def make(name: str, *, seed: int | None = None, progress: Progress | None = None) -> Transformer:
    """Train a model by its recipe, from initial weights and windows that the seed fixes."""
    model, training = _begin(name, seed)
    return train(model, recipe(name).sampler(), training, progress=progress)


def watch_or_load(
    *names: str, live: bool = True, progress: Progress | None = None, seed: int | None = None
) -> dict[str, tuple[Transformer, Trajectory]]:
    """Train models side by side, a step of each in turn, and watch their heads; or load them.

    Interrupting the kernel ends the training early and keeps what was learnt and seen.

    Args:
        names: of models that are trained on repeated sequences, for equally many steps.
        live: whether to train. While nbgrader executes the notebook they are loaded all the same.
        progress: gets "loss/NAME" at every step, and "induction/NAME LAYER.HEAD" when the heads
            are looked at.

    Returns:
        By name, the model and its trajectory.
    """
    if not live or os.environ.get("NBGRADER_EXECUTION"):
        return {name: (load(name), load_trajectory(name)) for name in names}
    begun = {name: _begin(name, seed) for name in names}
    watchers = {name: Watcher(model) for name, (model, _) in begun.items()}
    runs = [
        training_steps(model, recipe(name).sampler(), training)
        for name, (model, training) in begun.items()
    ]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # for models as small as these, more only wait for each other
    try:
        for together in zip(*runs, strict=True):
            report: dict[str, float] = {}
            for name, (step, loss) in zip(names, together, strict=True):
                seen = watchers[name](step)
                if step == 1:  # before training: so that progress knows all heads from the start
                    seen = watchers[name].seen[0]
                report |= {f"loss/{name}": loss} | _heads(name, seen)
            if progress:
                progress(step, begun[name][1].n_steps, report)
    except KeyboardInterrupt:
        print("Stopped early; the models keep what they learnt.")
    finally:
        torch.set_num_threads(threads)
    return {name: (begun[name][0], watchers[name].trajectory()) for name in names}


def load_trajectory(name: str) -> Trajectory:
    """What was seen of a shipped model while it trained."""
    return Trajectory.load(_trajectory_path(name))


def _trajectory_path(name: str) -> Path:
    return ASSETS / f"{name}.trajectory.safetensors"


def _heads(name: str, seen: dict[str, Tensor] | None) -> dict[str, float]:
    """Every head's induction score, by the names under which progress is reported."""
    scores = seen["induction"].tolist() if seen else []
    return {
        f"induction/{name} {layer}.{head}": score
        for layer, row in enumerate(scores)
        for head, score in enumerate(row)
    }


def _begin(name: str, seed: int | None) -> tuple[Transformer, TrainingConfig]:
    """An untrained model, and its training, with the recipe's seed or another."""
    how = recipe(name)
    training = how.training if seed is None else _with_seed(how.training, seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)
        return how.architecture(how.model), training


def retrain(
    name: str, *, seed: int | None = None, out: Path | None = None, ship: bool = False
) -> None:
    """Train a model with a progress bar, write its checkpoint, and print what it measures.

    Interrupted, it writes nothing.

    Args:
        out: where to; by default `NAME.safetensors` in the working directory.
        ship: replace the shipped file, and renew its entry in the table, instead.

    Raises:
        FileExistsError: there is such a file already; said before the training, not after it.
    """
    how = recipe(name)
    used = how.training.seed if seed is None else seed
    path = ASSETS / f"{name}.safetensors" if ship else out or Path(f"{name}.safetensors")
    if path.exists() and not ship:
        raise FileExistsError(f"{path} is there already; move it away, or choose another: --out")
    print(f"{name}: {how.about}; {how.training.n_steps} steps, about {how.minutes:g} minutes")
    model, trajectory = _make_with_bar(name, used)
    if model is None:
        print("Nothing was written.")
        return
    notes = {"name": name, **asdict(how.training), "seed": used}
    digest, measured = save_checkpoint(model, path, notes=notes), measure(model, how.data)
    if ship:
        renew(name, {"sha256": digest, "seed": used, **measured})
        if trajectory:
            trajectory.save(_trajectory_path(name))
    print(f"Wrote {path}\n{comparison(name, used, measured)}")


def comparison(name: str, seed: int, measured: dict[str, float]) -> str:
    """What was measured on a model just trained, beside the shipped one and simpler predictors."""
    shipped = figures(name)
    lines = [f"{'':24} {f'seed {seed}':>9} {'shipped':>9}"]
    for key, value in measured.items():
        lines.append(f"{key.replace('_', ' '):24} {value:>9} {shipped[key]:>9}")
    baselines = baseline_losses() if recipe(name).data == "code" else {}
    for key, value in baselines.items():
        lines.append(f"{f'{key} loss':24} {value:>9.4f}")
    return "\n".join(lines)


def record_seed(name: str, seed: int, measured: dict[str, float]) -> None:
    """Keep in the table what another seed of a recipe gave, so that the spread is known."""
    entry = dict(_table()[name])
    entry["other_seeds"] = {**entry.get("other_seeds", {}), str(seed): measured}
    renew(name, entry)


def _make_with_bar(name: str, seed: int) -> tuple[Transformer | None, Trajectory | None]:
    """A trained model, or None where the training was interrupted, and what was seen of it."""
    from tqdm import tqdm

    with tqdm(total=recipe(name).training.n_steps, unit="step", mininterval=1) as bar:

        def show(_step: int, _n_steps: int, metrics: dict[str, float]) -> None:
            bar.update()
            loss = metrics["loss"] if "loss" in metrics else metrics[f"loss/{name}"]
            bar.set_postfix(loss=f"{loss:.3f}", refresh=False)

        if recipe(name).data == "code":
            model, trajectory = make(name, seed=seed, progress=show), None
        else:
            model, trajectory = watch_or_load(name, seed=seed, progress=show)[name]
        return (model, trajectory) if bar.n == bar.total else (None, None)


def _table() -> dict[str, Any]:
    return json.loads(TABLE.read_text(encoding="utf-8")) if TABLE.exists() else {}


def renew(name: str, entry: dict[str, Any]) -> None:
    """Replace a model's entry in the table."""
    table = dict(sorted((_table() | {name: entry}).items()))
    TABLE.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    figures.cache_clear()


@lru_cache
def figures(name: str) -> dict[str, Any]:
    """What was measured on a shipped model when it was trained."""
    return _table()[name]


def measure(model: Transformer, data: Data = "code") -> dict[str, float]:
    """The figures of the zoo's table for a model that was trained on such data."""
    if data != "code":
        return measure_repeats_model(model)
    full = isinstance(model, FullTransformer)
    return measure_full_model(model) if full else measure_code_model(model)


def _with_seed(training: TrainingConfig, seed: int) -> TrainingConfig:
    return TrainingConfig(**{**asdict(training), "seed": seed})
