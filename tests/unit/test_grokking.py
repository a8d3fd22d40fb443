"""Training until a model grokks, and what is kept of it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mechcourse.grokking import (
    Curves,
    GrokkingConfig,
    begin,
    grok,
    load_weights,
    rebuild,
    save_weights,
)
from mechcourse.modular import (
    ModularTransformerConfig,
    exact_cross_entropy,
    split,
    sums,
    tokens_of,
)
from mechcourse.modular_tasks import task

SMALL = ModularTransformerConfig(p=11, d_model=12, n_heads=3, d_head=5, d_mlp=20)
SHORT = GrokkingConfig(n_steps=25, fraction=0.4, look_every=10, keep=(0, 3, 25), seed=4)


def test_the_step_is_adamw_on_the_plain_model_s_loss() -> None:
    fast, plain = begin(SMALL, 4), begin(SMALL, 4)
    grok(fast, SHORT)
    train, _ = split(11, 0.4, seed=4)
    optimiser = torch.optim.AdamW(plain.parameters(), 1.0, betas=(0.9, 0.98), weight_decay=1.0)
    for step in range(25):
        optimiser.param_groups[0]["lr"] = 1e-3 * min(1, (step + 1) / 10)
        optimiser.zero_grad()
        exact_cross_entropy(plain(tokens_of(train, 11))[:, -1], sums(train, 11)).mean().backward()
        optimiser.step()
    for name, weight in plain.state_dict().items():
        torch.testing.assert_close(fast.state_dict()[name], weight, rtol=1e-3, atol=1e-5)


def test_it_looks_at_the_start_every_few_steps_and_at_the_end() -> None:
    run = grok(begin(SMALL, 4), SHORT)
    assert run.curves.steps.tolist() == [0, 10, 20, 25]
    _, test = split(11, 0.4, seed=4)
    logits = run.model(tokens_of(test, 11))[:, -1]
    loss = exact_cross_entropy(logits, sums(test, 11)).mean().item()
    assert run.curves.test_loss[-1].item() == pytest.approx(loss, rel=1e-4)
    right = (logits.argmax(dim=1) == sums(test, 11)).float().mean().item()
    assert run.curves.test_accuracy[-1].item() == pytest.approx(right)
    assert run.curves.train_loss[-1] < run.curves.train_loss[0]


def test_another_task_can_be_learnt() -> None:
    products = task("products", 11, 0.4, seed=4)
    runs = [
        grok(begin(SMALL, 4), SHORT, task=products),
        grok(begin(SMALL, 4), replace(SHORT, kind="products")),
    ]
    assert torch.equal(runs[0].curves.test_loss, runs[1].curves.test_loss)
    pairs, answers = products.parts()[1]
    right = (runs[0].model(tokens_of(pairs, 11))[:, -1].argmax(dim=1) == answers).float().mean()
    assert runs[0].curves.test_accuracy[-1].item() == pytest.approx(right.item())


def test_weights_are_kept_where_asked() -> None:
    run = grok(begin(SMALL, 4), SHORT)
    assert list(run.weights) == [0, 3, 25]
    before = run.model_at(0).state_dict()
    for name, weight in begin(SMALL, 4).state_dict().items():
        torch.testing.assert_close(before[name], weight, rtol=1e-3, atol=1e-6)
    three = grok(begin(SMALL, 4), replace(SHORT, n_steps=3)).model.state_dict()
    for name, weight in run.model_at(3).state_dict().items():
        torch.testing.assert_close(three[name], weight, rtol=1e-3, atol=1e-6)
    with pytest.raises(KeyError, match="no weights were kept at step 4; there are 0, 3, 25"):
        run.model_at(4)


def test_a_seed_fixes_everything_and_leaves_the_caller_s_randomness_alone() -> None:
    state = torch.random.get_rng_state()
    one, two = (grok(begin(SMALL, 4), SHORT).model.state_dict() for _ in range(2))
    assert all(torch.equal(weight, two[name]) for name, weight in one.items())
    assert torch.equal(state, torch.random.get_rng_state())
    other = begin(SMALL, 5).state_dict()
    assert not torch.equal(other["embed.W_E"], begin(SMALL, 4).state_dict()["embed.W_E"])


def test_progress_hears_all_names_at_once_then_at_every_look() -> None:
    heard: dict[int, dict[str, float]] = {}
    grok(begin(SMALL, 4), SHORT, progress=lambda step, _n, metrics: heard.update({step: metrics}))
    assert list(heard) == list(range(1, 26))
    names = {"loss/train", "loss/test", "accuracy/train", "accuracy/test"}
    assert {step for step, metrics in heard.items() if metrics} == {1, 10, 20, 25}
    assert all(set(heard[step]) == names for step in (1, 10, 20, 25))


def test_an_interrupt_keeps_what_was_learnt(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(step: int, _n_steps: int, _metrics: dict[str, float]) -> None:
        if step == 12:
            raise KeyboardInterrupt

    model = begin(SMALL, 4)
    run = grok(model, SHORT, progress=interrupt)
    assert run.model is model and run.curves.steps.tolist() == [0, 10]
    assert list(run.weights) == [0, 3]
    assert not torch.equal(model.embed.W_E, begin(SMALL, 4).embed.W_E)
    assert "Stopped after 12 of 25 steps" in capsys.readouterr().out


def test_a_small_modulus_is_learnt_by_heart_at_once() -> None:
    model = begin(ModularTransformerConfig(p=7, d_model=32, d_head=8, d_mlp=64), 0)
    run = grok(
        model, GrokkingConfig(n_steps=150, fraction=0.5, weight_decay=0.0, learning_rate=3e-3)
    )
    assert run.curves.train_accuracy[-1] == 1 and run.curves.test_accuracy[-1] < 1
    assert run.curves.grokking_step() is None


def test_the_grokking_step_is_the_first_of_the_last_stay() -> None:
    def curves(accuracies: list[float]) -> Curves:
        values = torch.tensor(accuracies)
        return Curves(torch.arange(len(values)) * 10, values, values, values, values)

    assert curves([0.1, 0.995, 0.5, 0.99, 1.0]).grokking_step() == 30
    assert curves([1.0, 1.0]).grokking_step() == 0
    assert curves([0.1, 0.9]).grokking_step() is None
    assert curves([0.1, 0.9]).grokking_step(0.8) == 10


def test_curves_and_weights_come_back(tmp_path: Path) -> None:
    run = grok(begin(SMALL, 4), SHORT)
    run.curves.save(tmp_path / "curves.safetensors")
    back = Curves.load(tmp_path / "curves.safetensors")
    assert all(torch.equal(value, getattr(back, name)) for name, value in vars(run.curves).items())
    save_weights(run.weights, tmp_path / "weights.safetensors")
    kept = load_weights(tmp_path / "weights.safetensors")
    assert list(kept) == list(run.weights)
    assert kept[3]["embed.W_E"].dtype == torch.float16
    assert rebuild(SMALL, kept[3]).embed.W_E.dtype == torch.float32
    for load, kind in ((Curves.load, "curves"), (load_weights, "weights")):
        with pytest.raises(FileNotFoundError, match=f"no {kind} at"):
            load(tmp_path / "none.safetensors")
