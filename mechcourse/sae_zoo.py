"""The shipped sparse autoencoders: what each was trained on, and how.

`mechcourse train sae-64` reproduces one. All are of 128 latents, on hidden layers of 32 dimensions,
and all but the last on those of the toy models `toy-64`, which hold 64 features.
"""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor

from mechcourse import sae as saes
from mechcourse import superposition_zoo, zoo
from mechcourse.data import ASSETS
from mechcourse.sae import SAE, SAEConfig
from mechcourse.training import Progress, save_tensors

# Sparse features, or features that are always there, each through the toy model trained on them;
# or no features at all, normal numbers of the same mean and covariance as the sparse ones give.
Data = Literal["sparse", "dense", "gaussian"]
TOYS, INSTANCES = "toy-64", {"sparse": 0, "dense": 1}
MANY, HELD_OUT = 20_000, 10**9  # activations to measure on, and the seed that they are drawn with


@dataclass(frozen=True)
class SAERecipe:
    """All that makes a shipped sparse autoencoder, and minutes on one core."""

    config: SAEConfig
    data: Data
    about: str
    minutes: float = 0.3


QUICK = SAEConfig(n_steps=2500)
RECIPES = {
    "sae-64": SAERecipe(QUICK, "sparse", "a sparse autoencoder on 64 sparse features in 32"),
    "sae-64-topk": SAERecipe(
        replace(QUICK, k=4, l1=0.0), "sparse", "the same, keeping the 4 largest latents"
    ),
    "sae-64-dense": SAERecipe(QUICK, "dense", "the same on features that are always there"),
    "sae-64-gaussian": SAERecipe(QUICK, "gaussian", "the same on normal numbers: no features"),
}


def recipe(name: str) -> SAERecipe:
    """The recipe of an autoencoder, or an error that lists the names there are."""
    if name not in RECIPES:
        raise KeyError(f"no sparse autoencoder {name!r}; there are {', '.join(RECIPES)}")
    return RECIPES[name]


def toy(data: Data) -> tuple[Float[Tensor, "feature hidden"], Float[Tensor, "feature"], float]:
    """The toy model under an autoencoder: its weights, biases, and the features' probability."""
    run = superposition_zoo.load(TOYS)
    i = INSTANCES["dense" if data == "dense" else "sparse"]
    return run.W[i], run.b[i], float(run.config.presence[i, 0])


def sampler(data: Data) -> Callable[[int, int], Float[Tensor, "sample hidden"]]:
    """Draws so many hidden activations with a seed."""
    W, _, p = toy(data)
    if data != "gaussian":
        return lambda n, seed: saes.hidden_samples(W, p, n, seed)
    like = saes.hidden_samples(W, p, MANY, HELD_OUT)
    return lambda n, seed: saes.gaussian_samples(like, n, seed)


def train_or_load(name: str, *, live: bool = True, progress: Progress | None = None) -> SAE:
    """Train an autoencoder here and now, or load the shipped one.

    Interrupting the kernel ends the training early and keeps what was learnt.

    Args:
        live: whether to train. While nbgrader executes the notebook it is loaded all the same.
    """
    if not live or os.environ.get("NBGRADER_EXECUTION"):
        return load(name)
    how = recipe(name)
    return saes.train(how.config, sampler(how.data), progress=progress)


def load(name: str) -> SAE:
    """A shipped autoencoder.

    Raises:
        KeyError: none has that name.
        ValueError: the file differs from the one that was measured.
    """
    how = recipe(name)
    kept = load_file(zoo.shipped_file(name))
    return SAE(*(kept[part].float() for part in SAE._fields[:4]), how.config.k)


def retrain(
    name: str, *, seed: int | None = None, out: Path | None = None, ship: bool = False
) -> None:
    """Train an autoencoder with a progress bar, write its weights, and print what it measures.

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
    trained, done = _with_bar(config, how.data)
    if done < config.n_steps:
        print("Nothing was written.")
        return
    print(f"Wrote {path}\n{json.dumps(write(name, trained, config, path, ship=ship), indent=2)}")


def write(name: str, sae: SAE, config: SAEConfig, path: Path, *, ship: bool) -> dict[str, Any]:
    """Write an autoencoder and, to ship it, its entry in the table; returns the figures measured.

    What is measured is the autoencoder as it will be loaded, rounded to float16.
    """
    kept = {part: getattr(sae, part).half() for part in SAE._fields[:4]}
    digest = save_tensors(kept, path, {"notes": json.dumps({"name": name, **asdict(config)})})
    rounded = SAE(*(weight.float() for weight in kept.values()), config.k)
    measured = measure(rounded, recipe(name).data)
    if ship:
        zoo.renew(name, {"sha256": digest, "seed": config.seed, **measured})
    return measured


def measure(sae: SAE, data: Data) -> dict[str, float]:
    """Recovery beside that of a random dictionary, variance explained, L0 and dead latents."""
    W, _, _ = toy(data)
    h = sampler(data)(MANY, HELD_OUT + 1)
    z = saes.encode(h, sae)
    null = saes.random_dictionary(len(sae.W_dec), sae.W_dec.shape[1], HELD_OUT)
    found = {
        "recovery": saes.matched_recovery(W, sae.W_dec),
        "recovery_of_random": saes.matched_recovery(W, null),
        "explained": saes.explained(h, saes.decode(z, sae)),
        "l0": saes.l0(z),
        "dead": float(saes.dead_latents(z).double().mean()),
    }
    return {name: float(f"{value:.4g}") for name, value in found.items()}


def _with_bar(config: SAEConfig, data: Data) -> tuple[SAE, int]:
    """An autoencoder, and how many steps were done."""
    from tqdm import tqdm

    done = 0
    with tqdm(total=config.n_steps, unit="step", mininterval=1) as bar:

        def show(step: int, _n_steps: int, _metrics: dict[str, float]) -> None:
            nonlocal done
            done = step
            bar.update()

        return saes.train(config, sampler(data), progress=show), done
