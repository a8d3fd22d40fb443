"""The shipped models: how each was trained, which bits it has, what was measured on it.

`RECIPES` reproduces them (`mechcourse train code-2l`). `assets/zoo.json` holds, for each, the
file's hash, and the figures measured when it was trained; tests hold the shipped files to them.
"""

import json
import os
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from mechcourse.data import (
    ASSETS,
    bigram_counts,
    code_tokens,
    consecutive_windows,
    repeated_tokens,
)
from mechcourse.models import Transformer, TransformerConfig
from mechcourse.training import (
    Progress,
    TrainingConfig,
    file_hash,
    load_checkpoint,
    next_token_losses,
    save_checkpoint,
    train,
)

TABLE = ASSETS / "zoo.json"
D_VOCAB, N_CTX = 512, 256


@dataclass(frozen=True)
class Recipe:
    """All that makes a shipped model, but the text: sizes, training, and minutes on two cores."""

    model: TransformerConfig
    training: TrainingConfig
    minutes: float
    about: str


def _code_model(n_layers: int) -> TransformerConfig:
    return TransformerConfig(
        n_layers=n_layers, d_model=128, n_heads=4, d_head=32, d_vocab=D_VOCAB, n_ctx=N_CTX
    )


RECIPES = {
    "code-0l": Recipe(
        _code_model(0), TrainingConfig(n_steps=1000), 0.5, "no layers: a table of bigrams"
    ),
    "code-1l": Recipe(
        _code_model(1), TrainingConfig(n_steps=8000), 9.0, "one layer of 4 heads: skip-trigrams"
    ),
    "code-2l": Recipe(
        _code_model(2), TrainingConfig(n_steps=8000), 15.0, "two layers of 4 heads: induction"
    ),
}


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
    path = ASSETS / f"{name}.safetensors"
    if file_hash(path) != figures(name)["sha256"]:
        raise ValueError(
            f"{path} is not the file that {TABLE.name} describes; reinstall the package, or make "
            f"it anew with: mechcourse train {name} --ship"
        )
    return load_checkpoint(path)


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
    how = recipe(name)
    training = how.training if seed is None else _with_seed(how.training, seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)
        model = Transformer(how.model)
    return train(model, code_tokens("train"), training, progress=progress)


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
    model = _make_with_bar(name, used)
    if model is None:
        print("Nothing was written.")
        return
    notes = {"name": name, **asdict(how.training), "seed": used}
    digest, measured = save_checkpoint(model, path, notes=notes), measure(model)
    if ship:
        _renew(name, {"sha256": digest, "seed": used, **measured})
    print(f"Wrote {path}\n{comparison(name, used, measured)}")


def comparison(name: str, seed: int, measured: dict[str, float]) -> str:
    """What was measured on a model just trained, beside the shipped one and simpler predictors."""
    shipped = figures(name)
    lines = [f"{'':24} {f'seed {seed}':>9} {'shipped':>9}"]
    for key, value in measured.items():
        lines.append(f"{key.replace('_', ' '):24} {value:>9} {shipped[key]:>9}")
    for key, value in baseline_losses().items():
        lines.append(f"{f'{key} loss':24} {value:>9.4f}")
    return "\n".join(lines)


def record_seed(name: str, seed: int, measured: dict[str, float]) -> None:
    """Keep in the table what another seed of a recipe gave, so that the spread is known."""
    entry = dict(_table()[name])
    entry["other_seeds"] = {**entry.get("other_seeds", {}), str(seed): measured}
    _renew(name, entry)


def _make_with_bar(name: str, seed: int) -> Transformer | None:
    """A trained model, or None where the training was interrupted."""
    from tqdm import tqdm

    with tqdm(total=recipe(name).training.n_steps, unit="step", mininterval=1) as bar:

        def show(_step: int, _n_steps: int, metrics: dict[str, float]) -> None:
            bar.update()
            bar.set_postfix(loss=f"{metrics['loss']:.3f}", refresh=False)

        model = make(name, seed=seed, progress=show)
        return model if bar.n == bar.total else None


def _table() -> dict[str, Any]:
    return json.loads(TABLE.read_text(encoding="utf-8")) if TABLE.exists() else {}


def _renew(name: str, entry: dict[str, Any]) -> None:
    table = dict(sorted((_table() | {name: entry}).items()))
    TABLE.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    figures.cache_clear()


@lru_cache
def figures(name: str) -> dict[str, Any]:
    """What was measured on a shipped model when it was trained."""
    return _table()[name]


def measure(model: Transformer) -> dict[str, float]:
    """The figures of the zoo's table: held-out loss in nats, and the best head at induction."""
    measured = {"held_out_loss": round(held_out_loss(model), 4)}
    if model.config.n_layers:
        scores = induction_scores(model)
        layer, head = divmod(int(scores.argmax()), model.config.n_heads)
        measured |= {
            "induction_score": round(float(scores.max()), 4),
            "induction_layer": layer,
            "induction_head": head,
        }
    return measured


def held_out_loss(model: Transformer) -> float:
    """Mean loss in nats a token on the held-out modules, in windows of the whole context."""
    windows = consecutive_windows(code_tokens("held_out"), model.config.n_ctx)
    with torch.no_grad():
        losses = [next_token_losses(model(part), part) for part in windows.split(32)]
    return float(torch.cat(losses).mean())


def baseline_losses(smoothing: float = 0.1) -> dict[str, float]:
    """Held-out losses in nats a token of what needs no network: the lines to beat.

    `uniform` knows the vocabulary's size, `unigram` how often each token comes, `bigram` what
    follows each token; both counted on the training modules with `smoothing` added to each count.
    """
    counts = bigram_counts(code_tokens("train"), D_VOCAB) + smoothing
    windows = consecutive_windows(code_tokens("held_out"), N_CTX)
    before, after = windows[:, :-1], windows[:, 1:]
    unigram = counts.sum(0).div(counts.sum()).log()
    bigram = counts.div(counts.sum(1, keepdim=True)).log()
    return {
        "uniform": float(torch.tensor(float(D_VOCAB)).log()),
        "unigram": float(-unigram[after].mean()),
        "bigram": float(-bigram[before, after].mean()),
    }


def induction_scores(
    model: Transformer, *, period: int = 64, n_sequences: int = 32, seed: int = 1
) -> Float[Tensor, "layer head"]:
    """How much each head attends to what followed earlier copies of the token it stands on.

    Random tokens, distinct within a period, are repeated to fill the context. The score is the
    attention on *all* tokens that followed an earlier copy, averaged over the positions after the
    first period. Chance, attention spread evenly, is close to 1 / period.
    """
    n_ctx = model.config.n_ctx
    tokens = repeated_tokens(n_sequences, period, n_ctx // period, model.config.d_vocab, seed=seed)
    names = [f"blocks.{layer}.attn.hook_pattern" for layer in range(model.config.n_layers)]
    with torch.no_grad():
        _, cache = model.run_with_cache(tokens, names=names)
    position = torch.arange(tokens.shape[1])
    back = position[:, None] - position[None, :] + 1  # query minus key, counted from the copy
    after_copy = (back % period == 0) & (back > 0) & (back <= position[:, None])
    patterns = torch.stack([cache[name] for name in names])
    attended = (patterns * after_copy).sum(dim=-1)
    return attended[..., period:].mean(dim=(1, 3))


def _with_seed(training: TrainingConfig, seed: int) -> TrainingConfig:
    return TrainingConfig(**{**asdict(training), "seed": seed})
