"""Milliseconds of one full-batch step at p = 113: our fast step, our plain model, TransformerLens.

Run it with `.venv/bin/python benchmarks/grokking.py`; it needs a package index once, and about two
minutes. TransformerLens gets an environment of its own, with the torch that is installed here, so
all three run in one process, in turns, on the same weights, data and optimiser, and have to come to
the same loss. `--environment FOLDER` keeps that environment for the next time. What counts is the
ratio, and the share of the rate at which the same machine multiplies matrices in the same minute.
"""

import argparse
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

ROOT = Path(__file__).resolve().parents[1]
# The newest that imports beside NumPy 1, which this TransformerLens needs.
PACKAGES = ["transformer-lens==2.18.0", "datasets<4", "pyarrow<21"]
P, ROUNDS, STEPS = 113, 7, 8


def make_environment(folder: Path) -> Path:
    """A virtual environment with TransformerLens, over the packages installed here; its Python."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        own = next(folder.glob("lib/python*/site-packages"))
        (own / "beneath.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
        # pip says on stderr that mechcourse wants another NumPy: true, and of no matter here.
        command = [python, "-m", "pip", "install", "--quiet", *PACKAGES]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"TransformerLens can't be installed here:\n{done.stderr}")
    return python


def compare() -> None:
    """Time all three in turns, and print the table."""
    import torch

    from mechcourse.grokking import begin
    from mechcourse.modular import ModularTransformerConfig, split, sums, tokens_of
    from mechcourse.modular_fast import FastModel

    pairs, _ = split(P, 0.3, seed=0)
    answers, tokens = sums(pairs, P), tokens_of(pairs, P)
    plain, quick = (begin(ModularTransformerConfig(), 0) for _ in range(2))
    lens, fast = in_transformer_lens(plain), FastModel(quick, pairs, answers)

    def at_equals(model: torch.nn.Module) -> Callable[[], torch.Tensor]:
        def loss() -> torch.Tensor:
            log_probs = model(tokens)[:, -1].double().log_softmax(dim=-1)
            return -log_probs.gather(-1, answers[:, None]).mean()

        return loss

    runs = {
        "TransformerLens": stepper(lens, at_equals(lens)),
        "plain": stepper(plain, at_equals(plain)),
        "fast": stepper(quick, fast.loss),
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    rates = []
    for _ in range(ROUNDS):
        rates.append(matrix_rate())
        for name, step in runs.items():
            start = perf_counter()
            for _ in range(STEPS):
                loss = step()
            times[name].append((perf_counter() - start) / STEPS)
            if name == "TransformerLens":
                wanted = loss
            elif abs(loss - wanted) > 1e-3 * wanted:
                raise SystemExit(f"{name} has loss {loss}, TransformerLens {wanted}")
    report(times, median(rates))


def in_transformer_lens(model):
    """The same model in TransformerLens, with the same weights and the same ones trained."""
    from transformer_lens import HookedTransformer, HookedTransformerConfig

    sizes = {"n_layers": 1, "d_model": 128, "n_heads": 4, "d_head": 32, "d_mlp": 512, "n_ctx": 3}
    lens = HookedTransformer(
        HookedTransformerConfig(
            **sizes,
            **{"d_vocab": P + 1, "d_vocab_out": P, "act_fn": "relu", "device": "cpu"},
            normalization_type=None,
        )
    )
    ours = model.state_dict()
    for name, weight in lens.named_parameters():
        if name in ours:
            weight.data.copy_(ours[name])
        else:  # biases of attention and of the unembedding, which the paper does without
            weight.data.zero_()
            weight.requires_grad_(False)
    return lens


def stepper(model, loss_of: Callable) -> Callable[[], float]:
    """A function that does one step of the paper's optimiser and returns the loss."""
    import torch

    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(weights, 1e-3, betas=(0.9, 0.98), weight_decay=1.0, fused=True)

    def step() -> float:
        loss = loss_of()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        return loss.item()

    return step


def matrix_rate() -> float:
    """Billions of operations a second in a product of large float32 matrices."""
    import torch

    left, right = torch.randn(4096, 512), torch.randn(512, 512)
    left @ right
    start = perf_counter()
    for _ in range(20):
        left @ right
    return 20 * 2 * 4096 * 512 * 512 / (perf_counter() - start) / 1e9


def arithmetic(n_pairs: int = 3830) -> dict[str, float]:
    """Billions of operations of a step, forward and backward; elementwise ones are not counted."""
    d_model, d_mlp = 128, 512
    a_token = 4 * d_model**2 + 2 * d_model * d_mlp + d_model * P + 2 * 3 * d_model
    readout, looked_up = d_mlp * P, 8 * (d_mlp + P)
    tables = 2 * P * (d_model**2 + d_model * (d_mlp + P))
    return {
        "three positions": 6 * 3 * n_pairs * a_token / 1e9,
        "fast": 6 * (n_pairs * (readout + looked_up) + tables) / 1e9,
    }


def report(times: dict[str, list[float]], rate: float) -> None:
    import torch

    done = arithmetic()
    print(f"{torch.get_num_threads()} threads; matrix products run at {rate:.0f} GFLOP/s")
    print(f"{'':16} {'ms a step':>9} {'fastest':>8} {'GFLOP':>6} {'share of that rate':>19}")
    for name, seconds in times.items():
        work = done["fast" if name == "fast" else "three positions"]
        middle, best = median(seconds), min(seconds)
        share = work / middle / rate
        print(f"{name:16} {1e3 * middle:9.1f} {1e3 * best:8.1f} {work:6.2f} {share:19.0%}")
    fast = median(times["fast"])
    for name in ("TransformerLens", "plain"):
        print(f"fast is {median(times[name]) / fast:.1f} times as fast as {name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--environment", type=Path, help="where to make it, and find it again")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        compare()
        return
    with tempfile.TemporaryDirectory() as temporary:
        python = make_environment((options.environment or Path(temporary) / "lens").resolve())
        command = [python, "-W", "ignore", __file__, "--inside"]
        subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)


if __name__ == "__main__":
    main()
