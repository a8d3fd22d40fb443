"""The grokking explorer from Python; `tests/browser/test_grokking_widget.py` has a browser."""

import html
import math

import numpy as np
import pytest
import torch

from mechcourse import fourier
from mechcourse.grokking import Curves, GrokkingConfig, Run, begin
from mechcourse.modular import ModularTransformerConfig
from mechcourse.widgets import grokking_explorer
from mechcourse.widgets._embeddings import plane_of
from mechcourse.widgets._grokking import GrokkingExplorer

P, D_MODEL, KEY = 17, 24, 5
CONFIG = ModularTransformerConfig(p=P, d_model=D_MODEL, n_heads=2, d_head=4, d_mlp=16)
STEPS = (0, 40, 100)
ACCURACY = [0.1, 0.25, 0.5, 1.0]  # on the test pairs, at the looks


def planted(share: float, seed: int = 0) -> torch.Tensor:
    """An embedding of one frequency, so much of it, and noise for the rest; = stands last."""
    noise = begin(CONFIG, seed).embed.W_E.detach()
    waves = fourier.wave_rows(P, [KEY]).float()
    directions = torch.linalg.qr(noise[:D_MODEL].T @ noise[:D_MODEL]).Q[:2]
    clean = torch.cat([3 * waves.T @ directions, torch.zeros(1, D_MODEL)])
    return share * clean + (1 - share) * noise


def a_run(kept: tuple[int, ...] = STEPS) -> Run:
    model = begin(CONFIG, 1)
    with torch.no_grad():
        model.embed.W_E.copy_(planted(0.95))
        # Neurons that speak of the same frequency, so that it is the key one.
        model.unembed.W_U.copy_(torch.randn(D_MODEL, 2) @ fourier.wave_rows(P, [KEY]).float())
    shares = dict(zip(STEPS, (0.0, 0.5, 0.95), strict=True))
    weights = {step: {"embed.W_E": planted(shares[step]).half()} for step in kept}
    loss = torch.tensor([3.0, 1.0, 0.1, 1e-6])
    curves = Curves(
        torch.tensor([0, 30, 60, 120]), loss, loss.sqrt(), torch.ones(4), torch.tensor(ACCURACY)
    )
    return Run(GrokkingConfig(n_steps=120, keep=kept), model, curves, weights)


@pytest.fixture(scope="module")
def run() -> Run:
    return a_run()


@pytest.fixture
def explorer(run: Run) -> GrokkingExplorer:
    return grokking_explorer(run)


def said(explorer: GrokkingExplorer) -> str:
    return html.unescape(explorer.said.value)


def table(run: Run, step: int) -> torch.Tensor:
    return run.weights[step]["embed.W_E"][:-1].double()


def test_the_spectrum_is_the_steps(run: Run, explorer: GrokkingExplorer) -> None:
    for index, step in enumerate(STEPS):
        explorer.step.index = index
        bars = explorer.figure.data[0]
        rows = fourier.fourier_norms(table(run, step))[1:]
        expected = rows.square().unflatten(0, (-1, 2)).sum(dim=1).sqrt()
        assert list(bars.x) == list(range(1, P // 2 + 1))
        assert list(bars.y) == pytest.approx(expected.tolist())
        assert [text for text in bars.text if text] == [str(KEY)]
    tall = max(max(bars) for bars in explorer.seen.norms.tolist())
    assert explorer.figure.layout.yaxis.range[1] > tall, "one scale for all steps"


def test_circles_are_of_the_largest_frequencies_in_the_plane_of_the_end(
    run: Run, explorer: GrokkingExplorer
) -> None:
    end = run.model.embed.W_E[:-1].detach()
    shares = fourier.frequency_shares(end)
    assert explorer.seen.circled[0] == KEY
    assert explorer.seen.circled == (shares.topk(3).indices + 1).tolist()
    for index, step in enumerate(STEPS):
        explorer.step.index = index
        for place, k in enumerate(explorer.seen.circled):
            _, dots, names = explorer.figure.data[1 + 3 * place : 4 + 3 * place]
            cos, sin = fourier.wave_rows(P, [k]) @ end.double()
            u = cos / cos.norm()
            v = sin - (sin @ u) * u
            expected = torch.stack([table(run, step) @ u, table(run, step) @ (v / v.norm())])
            assert np.array([dots.x, dots.y]) == pytest.approx(expected.numpy())
            assert [text for text in names.text if text] == list("012345")
    explorer.step.index = len(STEPS) - 1
    line, dots = explorer.figure.data[1:3]
    radii = np.hypot(dots.x, dots.y)
    assert radii.std() < 0.1 * radii.mean(), "the planted frequency draws a circle"
    turns = np.diff(np.unwrap(np.arctan2(np.array(line.y), np.array(line.x))))
    assert abs(turns.sum()) == pytest.approx(2 * math.pi), "its line goes round once"


def test_the_plane_is_spanned_by_two_orthonormal_directions() -> None:
    torch.manual_seed(0)
    plane = plane_of(torch.randn(P, D_MODEL), 3)
    assert (plane @ plane.T).numpy() == pytest.approx(np.eye(2), abs=1e-9)
    assert plane_of(torch.zeros(P, D_MODEL), 3).abs().max() == 0


def test_a_plane_taken_from_random_weights_flatters_them() -> None:
    torch.manual_seed(0)
    table, other = torch.randn(2, 113, 128).double()
    own, of_another = (
        [float(fourier.frequency_shares(table @ plane_of(of, k).T)[k - 1]) for k in range(1, 57)]
        for of in (table, other)
    )
    assert np.mean(own) == pytest.approx(0.5, abs=0.1)
    assert np.mean(of_another) == pytest.approx(1 / 56, abs=0.01)


def test_losses_stand_on_a_log_axis_with_a_line_at_the_step(
    run: Run, explorer: GrokkingExplorer
) -> None:
    train, test, here = explorer.figure.data[-3:]
    assert (train.name, test.name) == ("train", "test")
    assert list(train.x) == run.curves.steps.tolist()
    assert list(train.y) == pytest.approx(run.curves.train_loss.tolist())
    assert list(test.y) == pytest.approx(run.curves.test_loss.tolist())
    assert explorer.figure.layout.yaxis2.type == "log"
    for index, step in enumerate(STEPS):
        explorer.step.index = index
        assert list(here.x) == [step, step]


def test_words_read_the_step(run: Run, explorer: GrokkingExplorer) -> None:
    looks = {0: "10.0%", 40: "25.0%", 100: "50.0%"}  # the last look at or before the step
    for index, step in enumerate(STEPS):
        explorer.step.index = index
        share = float(fourier.frequency_shares(table(run, step))[KEY - 1])
        words = said(explorer)
        assert f"After step {step} of 120" in words
        assert f"100.0% of the training pairs right and {looks[step]} of the others" in words
        assert f"{share:.1%} of its embedding's energy is in the frequency {KEY}, key" in words
        assert words.endswith("where an even spread would put 12.5%.</span>")
        assert 'role="status"' in explorer.said.value


def test_it_opens_at_the_first_step_and_play_moves_the_slider(explorer: GrokkingExplorer) -> None:
    assert explorer.step.value == 0
    assert (explorer.play.value, explorer.play.max) == (0, 2)
    explorer.play.value = 2
    assert explorer.step.value == 100
    assert "After step 100" in said(explorer)
    explorer.step.value = 40
    assert explorer.play.value == 1, "play goes on from where the slider is"


def test_it_fits_the_page_and_a_run_of_one_kept_step_opens() -> None:
    explorer = grokking_explorer(a_run(kept=(40,)))
    assert explorer.figure.layout.width <= 820
    assert "After step 40" in said(explorer)


@pytest.mark.parametrize(("p", "circles"), [(3, 1), (5, 2), (15, 3)])
def test_few_frequencies_and_a_modulus_that_is_not_prime(p: int, circles: int) -> None:
    model = begin(ModularTransformerConfig(p=p, d_model=8, n_heads=1, d_head=4, d_mlp=8), 0)
    curve = torch.ones(1)
    run = Run(
        GrokkingConfig(n_steps=1, keep=(0,)),
        model,
        Curves(torch.tensor([0]), curve, curve, curve, curve),
        {0: {name: weight.half() for name, weight in model.state_dict().items()}},
    )
    explorer = grokking_explorer(run)
    assert len(explorer.figure.data) == 1 + 3 * circles + 3


def test_a_model_without_key_frequencies_is_told(run: Run) -> None:
    silent = begin(CONFIG, 0)
    with torch.no_grad():
        silent.unembed.W_U.zero_()
    told = said(grokking_explorer(Run(run.config, silent, run.curves, run.weights)))
    assert "no key frequency" in told


def test_a_run_that_kept_nothing_is_refused(run: Run) -> None:
    with pytest.raises(ValueError, match="kept no weights"):
        grokking_explorer(Run(run.config, run.model, run.curves))
