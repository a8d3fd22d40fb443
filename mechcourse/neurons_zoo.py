"""The shipped models with neurons: what each was trained on, and how.

`mechcourse train neurons-3x6` reproduces one. Their names say features and neurons: absolute values
of three inputs in six, and ten copied features through five. In each, many models were trained at
once, at a few probabilities. Source: Elhage et al., Toy Models of Superposition (2022).
"""

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor

from mechcourse import absolute_value, zoo
from mechcourse.absolute_value import Neurons, NeuronsConfig
from mechcourse.data import ASSETS
from mechcourse.training import Progress, save_tensors


@dataclass(frozen=True)
class NeuronsRecipe:
    """All that makes some shipped models, and minutes on one core."""

    config: NeuronsConfig
    about: str
    minutes: float


@dataclass(frozen=True)
class NeuronsRun:
    """Models that were trained together, and each one's loss on inputs that it never saw.

    Attributes:
        losses: on 20 000 inputs, good to 2% or better, but to 6 to 20% where they are all but 0 or
            the features rare. Models of one probability had the same inputs.
    """

    config: NeuronsConfig
    model: Neurons
    losses: Float[Tensor, "instance"]

    def at(self, p: float) -> list[int]:
        """The models whose features are present with this probability.

        Raises:
            KeyError: there are none.
        """
        found = [i for i, own in enumerate(self.config.probabilities) if own == p]
        if not found:
            there = ", ".join(f"{own:g}" for own in dict.fromkeys(self.config.probabilities))
            raise KeyError(f"no model with p = {p:g}; there are {there}")
        return found

    def best(self, p: float) -> int:
        """Of these, the one with the least loss."""
        return min(self.at(p), key=lambda i: float(self.losses[i]))


def each(levels: tuple[float, ...], times: int) -> tuple[float, ...]:
    """Every probability so many times.

    >>> each((0.5, 0.2), 2)
    (0.5, 0.5, 0.2, 0.2)
    """
    return tuple(p for p in levels for _ in range(times))


SPLIT = NeuronsConfig(3, 6, each((1.0, 0.1), 10), n_steps=2000)
SQUEEZED = NeuronsConfig(3, 4, each((0.1, 0.03), 25), n_steps=3000, learning_rate=5e-3)
COPY = NeuronsConfig(
    *(10, 5, each((0.5, 0.2), 20)),
    importance=tuple(0.75**i for i in range(10)),
    **{"task": "copy", "tied": True, "n_steps": 3000},
)
MANY = NeuronsConfig(
    *(100, 40, (1.0, 0.3, 0.003)),
    importance=tuple(0.8**i for i in range(100)),
    n_steps=2500,
)
# The two are alike in all but how the read-out begins.
RANDOM = replace(MANY, probabilities=(*each((1.0,), 2), *each((0.003,), 8)), n_steps=4000)
ALIGNED = replace(RANDOM, aligned=True)
RECIPES = {
    "neurons-3x6": NeuronsRecipe(SPLIT, "absolute values of three inputs in six neurons", 0.1),
    "neurons-3x4": NeuronsRecipe(SQUEEZED, "the same in four neurons", 0.2),
    "neurons-10x5": NeuronsRecipe(COPY, "ten copied features through five neurons", 0.5),
    "neurons-10x5-linear": NeuronsRecipe(
        replace(COPY, hidden="linear"), "the same through five linear dimensions", 0.5
    ),
    "neurons-100x40": NeuronsRecipe(MANY, "a hundred absolute values in forty neurons", 0.3),
    "neurons-100x40-random": NeuronsRecipe(
        RANDOM, "the same, several of each, to hold the next ones against", 1.2
    ),
    "neurons-100x40-aligned": NeuronsRecipe(
        ALIGNED, "the same, from a read-out that begins aligned with the read-in", 1.2
    ),
}


def recipe(name: str) -> NeuronsRecipe:
    """The recipe of some models, or an error that lists the names there are."""
    if name not in RECIPES:
        raise KeyError(f"no models with neurons {name!r}; there are {', '.join(RECIPES)}")
    return RECIPES[name]


def train_or_load(name: str, *, live: bool = True, progress: Progress | None = None) -> NeuronsRun:
    """Train the models here and now, or load the shipped ones.

    Interrupting the kernel ends the training early and keeps what was learnt.

    Args:
        live: whether to train. While nbgrader executes the notebook they are loaded all the same.
    """
    if not live or os.environ.get("NBGRADER_EXECUTION"):
        return load(name)
    config = recipe(name).config
    return judged(absolute_value.train(config, progress=progress), config)


def load(name: str) -> NeuronsRun:
    """Shipped models.

    Raises:
        KeyError: none has that name.
        ValueError: the file differs from the one that was measured.
    """
    config = recipe(name).config
    return judged(_unpacked(load_file(zoo.shipped_file(name)), config), config)


def judged(model: Neurons, config: NeuronsConfig) -> NeuronsRun:
    """Models with their losses, on inputs drawn anew."""
    return NeuronsRun(config, model, absolute_value.evaluate(model, config))


def retrain(
    name: str, *, seed: int | None = None, out: Path | None = None, ship: bool = False
) -> None:
    """Train models with a progress bar, write their weights, and print what they measure.

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
    trained, done = _with_bar(config)
    if done < config.n_steps:
        print("Nothing was written.")
        return
    print(f"Wrote {path}\n{json.dumps(write(name, trained, config, path, ship=ship), indent=2)}")


def write(
    name: str, model: Neurons, config: NeuronsConfig, path: Path, *, ship: bool
) -> dict[str, float]:
    """Write models and, to ship them, their entry in the table; returns the figures measured.

    What is measured are the models as they will be loaded, rounded to float16.
    """
    kept = {part: getattr(model, part).half().contiguous() for part in ("W_in", "b")}
    kept |= {} if config.tied else {"W_out": model.W_out.half().contiguous()}
    digest = save_tensors(kept, path, {"notes": json.dumps({"name": name, **asdict(config)})})
    measured = measure(judged(_unpacked(kept, config), config))
    if ship:
        zoo.renew(name, {"sha256": digest, "seed": config.seed, **measured})
    return measured


def measure(run: NeuronsRun) -> dict[str, float]:
    """At each probability the best and the middle loss, and how many neurons have one feature.

    That is a share, of the neurons of the best model.
    """
    found = {}
    for p in dict.fromkeys(run.config.probabilities):
        losses, weights = run.losses[run.at(p)], run.model.W_in[run.best(p)]
        if run.config.task == "copy":  # inputs are never negative: only positive weights count
            weights = weights.relu()
        counts = absolute_value.features_of_neurons(weights)
        found[f"best_{p:g}"] = float(losses.min())
        found[f"median_{p:g}"] = float(losses.median())
        found[f"monosemantic_{p:g}"] = float((counts == 1).double().mean())
    return {name: float(f"{value:.4g}") for name, value in found.items()}


def _unpacked(kept: dict[str, Tensor], config: NeuronsConfig) -> Neurons:
    """What a file holds, in float32. Of a tied model it has no read-out."""
    W_in = kept["W_in"].float()
    W_out = W_in.mT if config.tied else kept["W_out"].float()
    return Neurons(W_in, W_out, kept["b"].float(), config.hidden)


def _with_bar(config: NeuronsConfig) -> tuple[Neurons, int]:
    """Trained models, and how many steps were done."""
    from tqdm import tqdm

    done = 0
    with tqdm(total=config.n_steps, unit="step", mininterval=1) as bar:

        def show(step: int, _n_steps: int, _metrics: dict[str, float]) -> None:
            nonlocal done
            done = step
            bar.update()

        return absolute_value.train(config, progress=show), done
