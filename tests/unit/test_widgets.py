"""Widgets driven from Python; `tests/browser/test_widget.py` drives them in a browser."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from plotly.callbacks import InputDeviceState, Points
from tokenizers import Tokenizer, decoders, pre_tokenizers, trainers
from tokenizers.models import BPE

from mechcourse.models import Transformer, TransformerConfig
from mechcourse.widgets import LiveCurves, attention_explorer
from mechcourse.widgets import _live as live_module
from mechcourse.widgets._explorer import ALL, MEAN, AttentionExplorer, token_texts

TEXT = "def f(x):\n    return x"
N_CTX = 32


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=270, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([TEXT], trainer)
    return tokenizer


def small_model(tokenizer: Tokenizer, n_layers: int = 2, n_heads: int = 3) -> Transformer:
    torch.manual_seed(0)
    d_vocab = tokenizer.get_vocab_size()
    return Transformer(TransformerConfig(n_layers, 16, n_heads, 4, d_vocab, N_CTX))


@pytest.fixture
def explorer(tokenizer: Tokenizer) -> AttentionExplorer:
    return attention_explorer(small_model(tokenizer), tokenizer, {"f": TEXT, "g": "g = 1"})


def expected(explorer: AttentionExplorer, layer: int) -> torch.Tensor:
    ids = explorer.tokenizer.encode(explorer.typed.value).ids[:N_CTX]
    _, cache = explorer.model.run_with_cache(torch.tensor([ids]))
    return cache[f"blocks.{layer}.attn.hook_pattern"][0]


def assert_shows(explorer: AttentionExplorer, wanted: torch.Tensor) -> None:
    """Both the strip and (where it is one map) the figure show this pattern."""
    strip = np.frombuffer(explorer.strip.pattern, dtype=np.float32).reshape(wanted.shape)
    assert strip == pytest.approx(wanted.detach().numpy())
    if explorer.head.value != ALL:
        last_row = list(explorer.figure.data[0].z[-1])
        assert last_row == pytest.approx(wanted[-1].tolist(), abs=1e-4)


def test_the_explorer_shows_the_chosen_layer_and_head(explorer: AttentionExplorer) -> None:
    assert_shows(explorer, expected(explorer, 0)[0])
    explorer.layer.value = 1
    assert_shows(explorer, expected(explorer, 1)[0])
    explorer.head.value = 2
    assert_shows(explorer, expected(explorer, 1)[2])
    assert explorer.figure.layout.title.text == "Layer 1, head 2"
    explorer.head.value = MEAN
    assert_shows(explorer, expected(explorer, 1).mean(dim=0))
    explorer.head.value = ALL
    assert len(explorer.figure.data) == 3
    assert_shows(explorer, expected(explorer, 1).mean(dim=0))
    explorer.layer.value = 0
    heads = expected(explorer, 0)
    for trace, head in zip(explorer.figure.data, heads, strict=True):
        assert list(trace.z[-1]) == pytest.approx(head[-1].tolist(), abs=1e-4)
    assert explorer.shown.children == (explorer.figure,)


def test_another_text_is_read_when_chosen_or_asked_for(explorer: AttentionExplorer) -> None:
    assert "".join(explorer.strip.texts).replace("↵\n", "↵") == TEXT.replace(" ", "·").replace(
        "\n", "↵"
    )
    explorer.text.value = "g = 1"
    assert "".join(explorer.tokens) == "g = 1"
    assert_shows(explorer, expected(explorer, 0)[0])
    explorer.typed.value = "return x"
    assert "".join(explorer.tokens) == "g = 1", "typing alone must not run the model"
    explorer.submit.click()
    assert "".join(explorer.tokens) == "return x"
    assert_shows(explorer, expected(explorer, 0)[0])


def test_an_empty_text_is_said_and_a_long_one_cut(explorer: AttentionExplorer) -> None:
    explorer.typed.value = ""
    explorer.submit.click()
    assert "There is no text" in explorer.status.value
    assert len(explorer.tokens) > 1, "what was shown stays"
    explorer.typed.value = "x=1;" * N_CTX
    explorer.submit.click()
    assert f"at most {N_CTX} tokens" in explorer.status.value
    assert len(explorer.strip.texts) == N_CTX
    assert_shows(explorer, expected(explorer, 0)[0])


def test_the_chosen_token_is_framed_in_the_map(explorer: AttentionExplorer) -> None:
    explorer.strip.selected = 3
    (row,) = explorer.figure.layout.shapes
    assert (row.y0, row.y1, row.x0) == (2.5, 3.5, -0.5)
    explorer.direction.value = "in"
    assert explorer.strip.direction == "in"
    (column,) = explorer.figure.layout.shapes
    assert (column.x0, column.x1) == (2.5, 3.5)
    explorer.head.value = ALL
    assert explorer.figure.layout.shapes == ()


def test_every_control_has_a_label(explorer: AttentionExplorer) -> None:
    for control in (explorer.text, explorer.layer, explorer.head, explorer.typed, explorer.submit):
        assert control.description


def test_texts_may_be_a_list_and_must_be_something(tokenizer: Tokenizer) -> None:
    model = small_model(tokenizer, n_heads=1)
    explorer = attention_explorer(model, tokenizer, [TEXT, "y"])
    assert list(explorer.text.options) == ["def f(x): return x", "y"]
    explorer.head.value = ALL  # of one
    explorer.head.value = 0
    with pytest.raises(ValueError, match="at least one text"):
        attention_explorer(model, tokenizer, [])
    with pytest.raises(ValueError, match="0 layers"):
        attention_explorer(small_model(tokenizer, n_layers=0), tokenizer, [TEXT])


def test_parts_of_a_character_are_numbered(tokenizer: Tokenizer) -> None:
    text = "é=→"
    texts = token_texts(text, tokenizer.encode(text).offsets)
    assert texts == ["é[1/2]", "é[2/2]", "=", "→[1/3]", "→[2/3]", "→[3/3]"]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    now = [0.0]
    monkeypatch.setattr(live_module.time, "monotonic", lambda: now[0])
    yield now


def test_outside_a_notebook_progress_is_a_text_bar(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    live = LiveCurves(title="Training")
    for step in range(1, 11):
        clock[0] += 1
        live(step, 10, {"loss": 5 - step / 10} | ({"held out": 4.5} if step == 5 else {}))
    said = capsys.readouterr()
    assert "10/10" in said.out and "loss 4.000" in said.out
    assert said.err == "", "stderr costs marks under nbgrader"
    assert live.curves["held out"] == ([5], [4.5])
    assert live.curves["loss"][0] == list(range(1, 11))


def test_it_says_how_long_it_took_and_will_take(clock: list[float]) -> None:
    live = LiveCurves()
    live(0, 100, {"loss": 5.0})
    clock[0] = 75
    live(25, 100, {"loss": 4.0})
    assert live.status(25, 100) == (
        "step 25 of 100 · 1 min 15 s elapsed · about 3 min 45 s left · loss 4.000"
    )


def test_redraws_are_rare_and_the_last_one_is_never_left_out(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    draws: list[tuple[int, bool]] = []

    class View:
        def __init__(self, live: LiveCurves) -> None:
            pass

        def draw(self, step: int, n_steps: int, done: bool) -> None:
            draws.append((step, done))

    monkeypatch.setattr(live_module, "_Text", View)
    live = LiveCurves(redraws_per_second=2)
    for step in range(1, 101):
        clock[0] += 0.01
        live(step, 100, {"loss": 1.0})
    assert [step for step, _ in draws] == [1, 51, 100]
    assert [done for _, done in draws] == [False, False, True]
    live(1, 100, {"loss": 2.0})
    assert live.curves == {"loss": ([1], [2.0])}, "a second training starts anew"


def test_in_a_notebook_a_figure_grows_and_a_plain_one_stays(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Handle:
        shown: object = None

        def update(self, output: object, raw: bool) -> None:
            self.shown = output

    handle = Handle()
    monkeypatch.setattr(live_module, "_in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda *_, **__: handle)
    live = LiveCurves(baselines={"uniform": 6.0})
    live(1, 3000, {"loss": 6.0})
    clock[0] += 1
    live(2, 3000, {"loss": 5.0, "held out": 5.5})
    figure = live._view.figure
    assert [list(trace.y) for trace in figure.data] == [[6.0, 5.0], [5.5]]
    assert "uniform 6.00" in [note.text for note in figure.layout.annotations]
    for step in range(3, 3001):
        live(step, 3000, {"loss": 4.0})
    final = handle.shown["application/vnd.plotly.v1+json"]
    assert "step 3,000 of 3,000" in final["layout"]["title"]["subtitle"]["text"]
    assert len(final["data"][0]["x"]) <= 400
    assert final["data"][0]["x"][-1] == 3000


def test_a_click_in_one_of_all_heads_opens_that_head(explorer: AttentionExplorer) -> None:
    explorer.head.value = ALL
    second = explorer.figure.data[1]
    points = Points([[3, 2]], [2], [3], second.name, 1)
    second._dispatch_on_click(points, InputDeviceState())  # as plotly does: with the mouse's state
    assert (explorer.head.value, explorer.strip.selected) == (1, 3)
