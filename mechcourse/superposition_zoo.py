"""The shipped toy models of superposition: how each sweep was trained, and how to load it.

`mechcourse train phases-2x1` reproduces one. The zoo's table, `assets/zoo.json`, holds each file's
hash and the figures measured on it.
"""

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor

from mechcourse import zoo
from mechcourse.data import ASSETS
from mechcourse.measures_superposition import measure_toys
from mechcourse.superposition import ToyConfig
from mechcourse.superposition_training import ToyRun, Watch, final_losses, train
from mechcourse.training import Progress, save_tensors

GRID, MODELS = 24, 10  # cells along a side of a phase diagram, models in a cell
# For what trains live: so few steps, and fifty looks, are enough for the pictures to move.
QUICK: dict[str, Any] = {
    "n_steps": 2000,
    "learning_rate": 1e-2,
    "schedule": "cosine",
    "look_every": 40,
}
LONGER = QUICK | {"n_steps": 5000, "look_every": 100}
AT_LENGTH = {"n_steps": 6000, "learning_rate": 3e-3, "look_every": 500}


@dataclass(frozen=True)
class ToyRecipe:
    """All that makes a shipped sweep, and minutes on two cores."""

    config: ToyConfig
    minutes: float
    about: str


@dataclass(frozen=True)
class PhaseGrid:
    """Models over the plane of a phase diagram, several in a cell.

    Attributes:
        probabilities: that a feature is present, from 1 down.
        importances: of the last feature, the others' being 1; from 0.1 to 10.
        losses: of every model; those of one cell can be compared to about 0.1%.
    """

    probabilities: Float[Tensor, "density"]
    importances: Float[Tensor, "importance"]
    W: Float[Tensor, "density importance model feature hidden"]
    b: Float[Tensor, "density importance model feature"]
    losses: Float[Tensor, "density importance model"]

    def best(self) -> Float[Tensor, "density importance feature hidden"]:
        """W of the model with the least loss in each cell."""
        rows, columns = torch.meshgrid(*map(torch.arange, self.losses.shape[:2]), indexing="ij")
        return self.W[rows, columns, self.losses.argmin(dim=2)]


def sparsities(n_levels: int, lowest: float = 0.05) -> tuple[float, ...]:
    """Probabilities from 1 down, evenly on a logarithmic scale; by default the paper's span.

    >>> [round(p, 3) for p in sparsities(3)]
    [1.0, 0.224, 0.05]
    """
    return tuple(((1 / lowest) ** -torch.linspace(0, 1, n_levels)).tolist())


def several(probabilities: tuple[float, ...], n_models: int) -> tuple[float, ...]:
    """So many models of each, one after the other.

    >>> several((1.0, 0.5), 2)
    (1.0, 1.0, 0.5, 0.5)
    """
    return tuple(p for p in probabilities for _ in range(n_models))


def falling(n_features: int, factor: float) -> tuple[float, ...]:
    """Importances: 1 for the first feature, and for each other so much of the one before.

    >>> falling(3, 0.5)
    (1.0, 0.5, 0.25)
    """
    return tuple(factor**feature for feature in range(n_features))


def phase_config(n_features: int, d_hidden: int, n_cells: int = GRID) -> ToyConfig:
    """Models for a phase diagram: density by density, importance by importance, model by model."""
    densities, importances = sparsities(n_cells, 0.01), torch.logspace(-1, 1, n_cells).tolist()
    cells = [(p, last) for p in densities for last in importances for _ in range(MODELS)]
    return ToyConfig(
        *(n_features, d_hidden, tuple(p for p, _ in cells)),
        importance=tuple((*(1.0,) * (n_features - 1), last) for _, last in cells),
        **{"n_steps": 2500, "learning_rate": 2e-2, "schedule": "cosine", "look_every": 500},
    )


RECIPES = {
    "five-in-two": ToyRecipe(
        ToyConfig(5, 2, several(sparsities(10), 8), falling(5, 0.9), **QUICK),
        *(0.1, "5 features in 2 dimensions, 10 sparsities, importance 0.9^i, 8 models each"),
    ),
    "five-in-two-equal": ToyRecipe(
        ToyConfig(5, 2, several(sparsities(10), 8), **QUICK),
        *(0.1, "5 features in 2 dimensions, 10 sparsities, equally important, 8 models each"),
    ),
    "pentagons": ToyRecipe(
        ToyConfig(5, 2, (0.05,) * 20, **QUICK),
        *(0.02, "5 features in 2 dimensions at 1-S = 0.05, 20 models: which are pentagons?"),
    ),
    "dense-control": ToyRecipe(
        ToyConfig(5, 2, (1.0,) * 20, falling(5, 0.9), **QUICK),
        *(0.03, "5 features in 2 dimensions, always present, 20 models: no superposition"),
    ),
    "twenty-in-five": ToyRecipe(
        ToyConfig(20, 5, several(sparsities(7, 0.001), 4), falling(20, 0.7), **LONGER),
        *(0.2, "20 features in 5 dimensions, 7 sparsities, importance 0.7^i, 4 models each"),
    ),
    **{
        f"{kind}-pairs": ToyRecipe(
            ToyConfig(4, 2, (0.05,) * 20, correlation=kind, **QUICK),
            *(0.02, f"two {kind} pairs of features in 2 dimensions, 20 models"),
        )
        for kind in ("independent", "correlated", "anticorrelated")
    },
    "correlated-six": ToyRecipe(
        ToyConfig(6, 2, several(sparsities(10, 0.02), 8), correlation="correlated", **QUICK),
        *(0.1, "three correlated pairs of features in 2 dimensions, 10 sparsities, 8 models each"),
    ),
    "geometry-200": ToyRecipe(
        ToyConfig(200, 20, sparsities(20), **LONGER | AT_LENGTH),
        *(2, "200 features in 20 dimensions, 20 sparsities: fractions of a dimension"),
    ),
    "toy-64": ToyRecipe(
        ToyConfig(64, 32, (0.05, 1.0), **AT_LENGTH | {"n_steps": 3000}),
        *(0.3, "64 features in 32 dimensions, sparse and dense: for sparse autoencoders"),
    ),
    "phases-2x1": ToyRecipe(
        phase_config(2, 1), 1, "2 features in 1 dimension: importance by density, 10 models each"
    ),
    "phases-3x2": ToyRecipe(
        phase_config(3, 2), 2, "3 features in 2 dimensions: importance by density, 10 models each"
    ),
}


def recipe(name: str) -> ToyRecipe:
    """The recipe of a sweep, or an error that lists the names there are."""
    if name not in RECIPES:
        raise KeyError(f"no toy models {name!r}; there are {', '.join(RECIPES)}")
    return RECIPES[name]


def train_or_load(
    name: str,
    *,
    live: bool = True,
    progress: Progress | None = None,
    watch: Watch | None = None,
    seed: int | None = None,
) -> ToyRun:
    """Train the toy models of a recipe here and now, or load them.

    Interrupting the kernel ends the training early and keeps what was learnt.

    Args:
        live: whether to train. While nbgrader executes the notebook they are loaded all the same.
        watch: gets the weights at every look; see `superposition_training.train`.
        seed: of weights and samples, where it is not to be the recipe's own.
    """
    if not live or os.environ.get("NBGRADER_EXECUTION"):
        return load(name)
    config = recipe(name).config
    seed = config.seed if seed is None else seed
    return train(replace(config, seed=seed), progress=progress, watch=watch)


def load(name: str) -> ToyRun:
    """A shipped sweep, in float32; its weights were rounded to float16.

    Raises:
        KeyError: no sweep has that name.
        ValueError: the file differs from the one that was measured.
    """
    config = recipe(name).config
    kept = load_file(zoo.shipped_file(name))
    W, b, losses = (kept[key].float() for key in ("W", "b", "losses"))
    return ToyRun(config, W, b, kept["steps"], losses, kept["final_losses"])


def phase_grid(run: ToyRun) -> PhaseGrid:
    """A run of `phase_config`, by its cells.

    Raises:
        ValueError: its instances are no such grid.
    """
    densities = run.config.presence[:, 0].unique().flip(0)
    importances = run.config.importances[:, -1].unique()
    cells = len(densities), len(importances), MODELS
    if cells[0] * cells[1] * cells[2] != run.config.n_instances:
        raise ValueError("these models are not a grid of densities by importances")
    W, b = (tensor.unflatten(0, cells) for tensor in (run.W, run.b))
    return PhaseGrid(densities, importances, W, b, run.final_losses.unflatten(0, cells))


def retrain(
    name: str, *, seed: int | None = None, out: Path | None = None, ship: bool = False
) -> None:
    """Train a sweep with a progress bar, write its weights, and print what it measures.

    Interrupted, it writes nothing.

    Args:
        out: where to; by default `NAME.safetensors` in the working directory.
        ship: replace the shipped file, and renew the entry in the table, instead.

    Raises:
        FileExistsError: there is such a file already; said before the training, not after it.
    """
    how = recipe(name)
    path = ASSETS / f"{name}.safetensors" if ship else out or Path(f"{name}.safetensors")
    if path.exists() and not ship:
        raise FileExistsError(f"{path} is there already; move it away, or choose another: --out")
    config = replace(how.config, seed=how.config.seed if seed is None else seed)
    print(f"{name}: {how.about}; {config.n_steps} steps, about {how.minutes:g} minutes")
    run = _with_bar(config)
    if not len(run.steps) or run.steps[-1] < config.n_steps:
        print("Nothing was written.")
        return
    print(f"Wrote {path}\n{json.dumps(write(name, run, path, ship=ship), indent=2)}")


def write(name: str, run: ToyRun, path: Path, *, ship: bool) -> dict[str, Any]:
    """Write a finished run and, to ship it, its entry in the table; returns the figures measured.

    What is measured is the models as they will be loaded, rounded to float16.
    """
    W, b = run.W.half(), run.b.half()
    final = final_losses(W.float(), b.float(), run.config)
    rounded = replace(run, W=W.float(), b=b.float(), final_losses=final)
    kept = {"W": W, "b": b, "steps": run.steps, "losses": run.losses.half(), "final_losses": final}
    settings = {key: value for key, value in asdict(run.config).items() if key in HEADER}
    digest = save_tensors(kept, path, {"notes": json.dumps({"name": name, **settings})})
    measured = measure_toys(rounded)
    if ship:
        zoo.renew(name, {"sha256": digest, "seed": run.config.seed, **measured})
    return measured


# What the file's header says: not what is there for each of thousands of instances.
HEADER = ("n_features", "d_hidden", "n_steps", "batch", "learning_rate", "schedule", "seed")


def _with_bar(config: ToyConfig) -> ToyRun:
    """A run, perhaps an interrupted one."""
    from tqdm import tqdm

    with tqdm(total=config.n_steps, unit="step", mininterval=1) as bar:

        def show(step: int, _n_steps: int, metrics: dict[str, float]) -> None:
            bar.update(step - bar.n)
            bar.set_postfix(loss=f"{metrics['loss']:.2e}", refresh=False)

        return train(config, progress=show)
