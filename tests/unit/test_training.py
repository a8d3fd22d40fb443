"""The training loop and checkpoints."""

import json
import math
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from mechcourse.full_models import FullTransformer, FullTransformerConfig
from mechcourse.models import Transformer, TransformerConfig
from mechcourse.smeared import SmearedTransformer
from mechcourse.training import (
    HeadsMuon,
    TrainingConfig,
    file_hash,
    load_checkpoint,
    make_optimisers,
    next_token_losses,
    save_checkpoint,
    train,
    windows_of,
)

SIZES = TransformerConfig(n_layers=1, d_model=8, n_heads=2, d_head=3, d_vocab=6, n_ctx=8)
FULL_SIZES = FullTransformerConfig(**vars(SIZES), d_mlp=10)
ARCHITECTURES = [(Transformer, SIZES), (SmearedTransformer, SIZES), (FullTransformer, FULL_SIZES)]
TEXT = windows_of(torch.arange(6).repeat(50), 8)  # each token says which comes next
RUN = TrainingConfig(n_steps=60, batch=4, learning_rate=2e-2, warm_up=5)


def fresh(sizes: TransformerConfig = SIZES) -> Transformer:
    torch.manual_seed(0)
    return Transformer(sizes)


def test_losses_by_hand() -> None:
    logits = torch.log(torch.tensor([[[0.5, 0.25, 0.25], [0.1, 0.2, 0.7], [1.0, 1.0, 1.0]]]))
    losses = next_token_losses(logits, torch.tensor([[0, 1, 2]]))
    torch.testing.assert_close(losses, -torch.tensor([[0.25, 0.7]]).log())


@pytest.mark.parametrize("n_layers", [0, 1])
def test_loss_falls(n_layers: int) -> None:
    model = fresh(TransformerConfig(n_layers, 8, 2, 3, 6, 8))
    losses: list[float] = []

    def note(step: int, n_steps: int, measured: dict[str, float]) -> None:
        assert step == len(losses) + 1 and n_steps == RUN.n_steps
        losses.append(measured["loss"])

    assert train(model, TEXT, RUN, progress=note) is model
    assert len(losses) == RUN.n_steps
    assert losses[-1] < 0.3 < 1.2 < losses[0]


def test_only_counted_tokens_are_learnt() -> None:
    """The second half of each text is noise, and is not to be predicted."""

    def sample(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        noise = torch.randint(0, 6, (n, 4), generator=generator)
        counted = torch.arange(8) < 4
        return torch.cat([torch.arange(4).repeat(n, 1), noise], dim=1), counted.expand(n, -1)

    losses: list[float] = []
    note = lambda _step, _n_steps, measured: losses.append(measured["loss"])  # noqa: E731
    train(fresh(), sample, RUN, progress=note)
    assert losses[-1] < 0.05, "the noise, at ln 6 nats a token, is among the losses"


def test_the_seed_fixes_the_run() -> None:
    def weights(seed: int) -> Tensor:
        run = TrainingConfig(n_steps=5, batch=4, warm_up=5, seed=seed)
        return torch.cat([p.detach().flatten() for p in train(fresh(), TEXT, run).parameters()])

    state = torch.random.get_rng_state()
    first = weights(0)
    torch.random.set_rng_state(state)
    torch.rand(3)  # whatever else draws numbers
    assert torch.equal(first, weights(0))
    assert not torch.equal(first, weights(1))


def test_an_interrupt_keeps_what_was_learnt(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(step: int, _n_steps: int, _measured: dict[str, float]) -> None:
        if step == 3:
            raise KeyboardInterrupt

    model, start = fresh(), fresh()
    assert train(model, TEXT, RUN, progress=interrupt) is model
    assert "of 60 steps; the model keeps what it learnt" in capsys.readouterr().out
    assert not torch.equal(model.embed.W_E, start.embed.W_E)
    three = train(fresh(), TEXT, RUN, progress=interrupt)
    assert torch.equal(model.embed.W_E, three.embed.W_E)


def test_learning_rate_rises_holds_and_falls() -> None:
    run = TrainingConfig(n_steps=1000, learning_rate=1.0, warm_up=100, decay=0.5)
    assert run.rate(0) == pytest.approx(0.01)
    assert run.rate(99) == run.rate(500) == 1.0
    assert run.rate(750) == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi / 2)) / 2)
    assert run.rate(999) == pytest.approx(0.1, abs=1e-4)
    rates = [run.rate(step) for step in range(500, 1000)]
    assert rates == sorted(rates, reverse=True)


def test_muon_of_heads_is_torchs_on_the_merged_matrices() -> None:
    torch.manual_seed(1)
    reads, writes = nn.Parameter(torch.randn(3, 10, 4)), nn.Parameter(torch.randn(3, 4, 10))
    merged = [
        nn.Parameter(torch.cat(list(reads.detach()), dim=1)),  # [d_model, head * d_head]
        nn.Parameter(torch.cat(list(writes.detach()), dim=0)),  # [head * d_head, d_model]
    ]
    flat = nn.Parameter(torch.randn(10, 7))  # an MLP's, of no heads
    merged.append(nn.Parameter(flat.detach().clone()))
    ours = HeadsMuon([reads, writes, flat], weight_decay=0.01)
    theirs = torch.optim.Muon(merged, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")
    for rate in (0.02, 0.01, 0.03):
        reads.grad, writes.grad = torch.randn_like(reads), torch.randn_like(writes)
        merged[0].grad = torch.cat(list(reads.grad), dim=1)
        merged[1].grad = torch.cat(list(writes.grad), dim=0)
        flat.grad = torch.randn_like(flat)
        merged[2].grad = flat.grad.clone()
        for optimiser in (ours, theirs):
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.step()
    torch.testing.assert_close(torch.cat(list(reads.detach()), dim=1), merged[0].detach())
    torch.testing.assert_close(torch.cat(list(writes.detach()), dim=0), merged[1].detach())
    torch.testing.assert_close(flat.detach(), merged[2].detach())


@pytest.mark.parametrize(("architecture", "sizes"), ARCHITECTURES)
def test_matrices_inside_layers_are_muons(
    architecture: type[Transformer], sizes: TransformerConfig
) -> None:
    model = architecture(sizes)
    adam, muon = make_optimisers(model, RUN)
    names = {id(p): name.rsplit(".", 1)[-1] for name, p in model.named_parameters()}
    of_muon = {names[id(p)] for p in muon.weights}
    of_adam = {names[id(p)] for group in adam.param_groups for p in group["params"]}
    inside = {"W_in", "W_out"} if architecture is FullTransformer else set()
    assert of_muon == {"W_Q", "W_K", "W_V", "W_O"} | inside
    assert of_muon.isdisjoint(of_adam) and of_muon | of_adam == set(names.values())


@pytest.mark.parametrize(("architecture", "sizes"), ARCHITECTURES)
def test_every_weight_is_trained(architecture: type[Transformer], sizes: TransformerConfig) -> None:
    torch.manual_seed(0)
    model = architecture(sizes)
    start = {name: value.clone() for name, value in model.state_dict().items()}
    losses: list[float] = []
    note = lambda _step, _n_steps, measured: losses.append(measured["loss"])  # noqa: E731
    train(model, TEXT, RUN, progress=note)
    assert losses[-1] < 0.3
    for name, value in model.state_dict().items():
        assert not torch.equal(value, start[name]), name


@pytest.mark.parametrize("n_layers", [0, 2])
def test_each_weight_has_one_optimiser(n_layers: int) -> None:
    model = fresh(TransformerConfig(n_layers, 8, 2, 3, 6, 8))
    adam, *muon = make_optimisers(model, RUN)
    of_adam = [p for group in adam.param_groups for p in group["params"]]
    of_muon = muon[0].weights if muon else []
    assert {id(p) for p in model.parameters()} == {id(p) for p in of_adam} | {
        id(p) for p in of_muon
    }
    assert len(of_muon) == 4 * n_layers and all(p.ndim == 3 for p in of_muon)


@pytest.mark.parametrize(("architecture", "sizes"), ARCHITECTURES)
def test_a_checkpoint_comes_back(
    architecture: type[Transformer], sizes: TransformerConfig, tmp_path: Path
) -> None:
    model, path = architecture(sizes), tmp_path / "new" / "tiny.safetensors"
    digest = save_checkpoint(model, path, notes={"seed": 3})
    assert digest == file_hash(path)
    back = load_checkpoint(path)
    assert type(back) is architecture and back.config == sizes
    assert all(parameter.requires_grad for parameter in back.parameters())
    for name, value in model.state_dict().items():
        assert torch.equal(back.state_dict()[name], value)


def test_a_checkpoint_says_its_class_only_where_it_is_not_the_usual_one(tmp_path: Path) -> None:
    """So that the files of attention-only models are what they always were, to the bit."""
    for architecture, sizes in ARCHITECTURES:
        save_checkpoint(architecture(sizes), tmp_path / "tiny.safetensors", notes={})
        with safe_open(tmp_path / "tiny.safetensors", framework="pt") as file:
            said = file.metadata().get("architecture")
        assert said == (None if architecture is Transformer else architecture.__name__)


def test_an_unknown_class_is_no_checkpoint(tmp_path: Path) -> None:
    header = {"config": json.dumps(asdict(SIZES)), "architecture": "Perceptron"}
    save_file(fresh().state_dict(), tmp_path / "tiny.safetensors", metadata=header)
    with pytest.raises(ValueError, match="is not a checkpoint of this course"):
        load_checkpoint(tmp_path / "tiny.safetensors")


def test_no_checkpoint_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no checkpoint at"):
        load_checkpoint(tmp_path / "none.safetensors")


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "foreign"])
def test_a_damaged_checkpoint_says_so(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "tiny.safetensors"
    save_checkpoint(fresh(), path, notes={})
    content = path.read_bytes()
    if damage == "foreign":
        save_file({"weight": torch.ones(2)}, path)
    else:
        path.write_bytes({"empty": b"", "cut": content[:-9], "text": b"no tensors"}[damage])
    with pytest.raises(ValueError, match="is not a checkpoint of this course"):
        load_checkpoint(path)


def test_weights_that_do_not_fit_their_sizes_are_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "tiny.safetensors"
    model = fresh()
    model.unembed.W_U = nn.Parameter(torch.zeros(3, 3))
    save_checkpoint(model, path, notes={})
    with pytest.raises(ValueError, match="is not a checkpoint of this course"):
        load_checkpoint(path)
