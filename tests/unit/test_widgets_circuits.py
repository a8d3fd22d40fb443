"""The circuit explorer driven from Python; `tests/browser/test_circuit_widget.py` has a browser."""

import html
import time

import pytest
import torch
from plotly.callbacks import InputDeviceState, Points
from tokenizers import Tokenizer, decoders, pre_tokenizers, trainers
from tokenizers.models import BPE

from mechcourse import plots
from mechcourse.models import Transformer, TransformerConfig
from mechcourse.widgets import circuit_explorer
from mechcourse.widgets._circuits import CircuitExplorer, ordinal
from mechcourse.widgets._tokens import as_text, token_names

TEXT = "return x\n" * 3


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=275, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([TEXT], trainer)
    return tokenizer


def small_model(tokenizer: Tokenizer, n_layers: int = 2, n_heads: int = 3) -> Transformer:
    torch.manual_seed(0)
    d_vocab = tokenizer.get_vocab_size()
    return Transformer(TransformerConfig(n_layers, 16, n_heads, 4, d_vocab, 32))


@pytest.fixture
def explorer(tokenizer: Tokenizer) -> CircuitExplorer:
    return circuit_explorer(small_model(tokenizer), tokenizer, "return")


def whole_circuits(explorer: CircuitExplorer) -> tuple[torch.Tensor, torch.Tensor]:
    """The chosen head's QK and OV circuits, formed whole, which the widget never does."""
    model, head = explorer.model, explorer.head.value
    attn = model.blocks[explorer.layer.value].attn
    W_E, W_U = model.embed.W_E.detach(), model.unembed.W_U.detach()
    W_Q, W_K, W_V, W_O = (w[head].detach() for w in (attn.W_Q, attn.W_K, attn.W_V, attn.W_O))
    qk = (W_E @ W_Q) @ (W_E @ W_K).T / W_Q.shape[-1] ** 0.5
    ov = W_E @ W_V @ W_O @ W_U
    return qk - qk.mean(dim=1, keepdim=True), ov - ov.mean(dim=1, keepdim=True)


def assert_shows_the_chosen_head(explorer: CircuitExplorer) -> None:
    qk, ov = whole_circuits(explorer)
    token, n = explorer.chosen, explorer.model.config.d_vocab
    for panel, (values, n_shown) in enumerate(
        ((qk[token], 16), (qk[:, token], 8), (ov[token], 16))
    ):
        bars = explorer.figure.data[panel]
        order = values.argsort(descending=True)
        wanted = torch.cat([order[:8], order[n - 8 :]])[:n_shown]
        assert list(bars.x) == pytest.approx(values[wanted].tolist(), abs=1e-5)
        axis = explorer.figure.layout["yaxis" + ("", "2", "3")[panel]]
        names = [explorer.names[shown] for shown in wanted.tolist()]
        plain = [text.removeprefix("<b>").removesuffix("</b>") for text in axis.ticktext]
        assert [html.unescape(text) for text in plain] == names
        assert not any("<" in text for text in plain), "a token is no markup"
        signs = [plots.POSITIVE if x >= 0 else plots.NEGATIVE for x in bars.x]
        assert list(bars.marker.color) == signs
        low, high = explorer.figure.layout["xaxis" + ("", "2", "3")[panel]].range
        assert low <= min(bars.x) and high >= max(bars.x)
    rank = 1 + int((ov[token] > ov[token, token]).sum())
    assert f"its own logit is the {ordinal(rank)} of {n} raised most" in explorer.status.value


def test_it_shows_the_rows_and_the_column_of_the_chosen_head(explorer: CircuitExplorer) -> None:
    figure, children = explorer.figure, explorer.children
    for layer in (0, 1):
        for head in (0, 2):
            explorer.layer.value, explorer.head.value = layer, head
            assert_shows_the_chosen_head(explorer)
            assert figure.layout.title.text == f"Layer {layer}, head {head}, token 'return'"
    explorer.token.value = " x"
    assert_shows_the_chosen_head(explorer)
    assert explorer.figure is figure and explorer.children == children, "it is redrawn in place"


def test_what_earlier_heads_wrote_is_said_to_be_left_out(explorer: CircuitExplorer) -> None:
    assert "Positions are left out" in explorer.note.value
    assert "earlier heads" not in explorer.note.value
    explorer.layer.value = 1
    assert "Positions are left out" in explorer.note.value
    assert "direct embedding only: what earlier heads wrote is not in it" in explorer.note.value
    for line in (explorer.status, explorer.note):
        assert 'role="status"' in line.value


def test_of_several_tokens_the_first_is_shown_and_said(explorer: CircuitExplorer) -> None:
    explorer.token.value = "return x"
    assert explorer.names[explorer.chosen] == "return"
    assert "These are 2 tokens, 'return', '·x'; the first is shown" in explorer.status.value
    explorer.token.value = "x" * 20
    assert "20 tokens, 'x', 'x', 'x', 'x' …;" in explorer.status.value
    explorer.token.value = "return"
    assert "tokens" not in explorer.status.value
    assert_shows_the_chosen_head(explorer)


def test_an_empty_box_is_said_and_what_was_shown_stays(explorer: CircuitExplorer) -> None:
    explorer.token.value = ""
    assert "There is no token. Type one" in explorer.status.value
    assert "'return' stays" in explorer.status.value
    assert_shows_the_chosen_head(explorer)
    explorer.look.click()
    assert "There is no token" in explorer.status.value


def test_an_unknown_token_is_said() -> None:
    tokenizer = Tokenizer(BPE({"a": 0, "b": 1, "c": 2}, []))
    explorer = circuit_explorer(small_model(tokenizer), tokenizer, "z&")
    assert "The tokenizer has no token for 'z&amp;'" in explorer.status.value
    assert "'a' stays" in explorer.status.value
    assert [len(bars.x) for bars in explorer.figure.data] == [2, 1, 2]
    explorer.token.value = "c"
    assert explorer.chosen == 2


def test_a_token_is_typed_as_it_is_or_as_it_is_shown(explorer: CircuitExplorer) -> None:
    names = explorer.names
    for typed, name in [
        (" x", "·x"),
        ("·x", "·x"),
        ("↵", "↵"),
        (" ", "·"),
        ("byte E2", "byte E2"),
        ("é", "byte C3"),
        ("<", "<"),
    ]:
        explorer.token.value = typed
        assert names[explorer.chosen] == name
    assert "token '&lt;'" in explorer.figure.layout.title.text
    assert "'&lt;'" in explorer.status.value
    assert as_text("↵·×4if·x⇥") == "\n    if x\t"


def test_every_token_has_a_name_of_its_own_that_chooses_it(tokenizer: Tokenizer) -> None:
    names = token_names(tokenizer, tokenizer.get_vocab_size())
    assert len(set(names)) == len(names)
    assert all(name.isprintable() for name in names)
    assert sum(name.startswith("byte ") for name in names) == 128 + 32 - 3 + 1
    for byte in (0, 127, 128, 255):
        assert f"byte {byte:02X}" in names


@pytest.mark.parametrize("panel", [0, 1, 2])
def test_a_click_on_a_bar_takes_its_token(explorer: CircuitExplorer, panel: int) -> None:
    bars = explorer.figure.data[panel]
    label = explorer.figure.layout["yaxis" + ("", "2", "3")[panel]].ticktext[3]
    bars._dispatch_on_click(Points([3], [0.0], [3], bars.name, panel), InputDeviceState())
    assert explorer.token.value == explorer.names[explorer.chosen]
    assert explorer.token.value == html.unescape(label)
    assert_shows_the_chosen_head(explorer)
    before = explorer.chosen
    bars._dispatch_on_click(Points(), InputDeviceState())
    assert explorer.chosen == before


@pytest.mark.parametrize("sign", [1, -1])
def test_the_token_itself_stands_out(explorer: CircuitExplorer, sign: int) -> None:
    model, attn = explorer.model, explorer.model.blocks[0].attn
    with torch.no_grad():  # a head that raises, or lowers, what it looks at
        model.embed.W_E[explorer.chosen] *= 5
        model.unembed.W_U.copy_(model.embed.W_E.T)
        attn.W_O.copy_(sign * attn.W_V.mT)
    explorer.look.click()
    labels = explorer.figure.layout.yaxis3.ticktext
    assert labels[0 if sign > 0 else -1] == "<b>return</b>"
    assert ("its own logit is the 1st of" in explorer.status.value) == (sign > 0)
    assert ("(it is lowered)" in explorer.status.value) == (sign < 0)
    assert_shows_the_chosen_head(explorer)


def test_ranks_are_said_in_words() -> None:
    said = [ordinal(rank) for rank in (1, 2, 3, 4, 11, 12, 13, 21, 111, 512)]
    assert said == "1st 2nd 3rd 4th 11th 12th 13th 21st 111th 512th".split()


def test_every_control_has_a_label(explorer: CircuitExplorer) -> None:
    for control in (explorer.token, explorer.look, explorer.layer, explorer.head):
        assert control.description


def test_models_that_do_not_fit_are_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match="0 layers"):
        circuit_explorer(small_model(tokenizer, n_layers=0), tokenizer)
    smaller = Transformer(TransformerConfig(1, 16, 1, 4, 100, 32))
    with pytest.raises(ValueError, match="don't belong together"):
        circuit_explorer(smaller, tokenizer)


def test_a_redraw_is_quick(tokenizer: Tokenizer) -> None:
    torch.manual_seed(0)
    model = Transformer(TransformerConfig(2, 128, 4, 32, 512, 64))
    explorer = circuit_explorer(model, tokenizer)
    took = []
    for head in (1, 2, 3, 0, 1):
        start = time.perf_counter()
        explorer.head.value = head
        took.append(time.perf_counter() - start)
    assert min(took) < 0.1
