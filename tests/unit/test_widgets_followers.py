"""The induction explorer from Python; `tests/browser/test_induction_widget.py` has a browser."""

import html

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers, trainers
from tokenizers.models import BPE

from mechcourse.models import Transformer, TransformerConfig
from mechcourse.widgets import induction_explorer
from mechcourse.widgets._follower_scores import MEASURES, token_texts
from mechcourse.widgets._followers import InductionExplorer

TEXT = "abcabdabca"
N_CTX = 32


def encode(text: str) -> list[int]:
    return [ord(letter) - ord("a") for letter in text]


def decode(ids: list[int]) -> str:
    return "".join(chr(token + ord("a")) for token in ids)


def small_model(n_layers: int = 2, n_heads: int = 3, d_vocab: int = 26) -> Transformer:
    torch.manual_seed(0)
    return Transformer(TransformerConfig(n_layers, 16, n_heads, 4, d_vocab, N_CTX))


@pytest.fixture
def explorer() -> InductionExplorer:
    return induction_explorer(small_model(), (encode, decode), TEXT)


def slowly(explorer: InductionExplorer, text: str, pos: int) -> dict[str, np.ndarray]:
    """Each measure by layer and head, added up key by key."""
    config = explorer.model.config
    _, cache = explorer.model.run_with_cache(torch.tensor([encode(text)]))
    copies = [key for key in range(pos) if text[key] == text[pos]]
    keys = {
        "last": [key + 1 for key in copies][-1:],
        "every": [key + 1 for key in copies],
        "copies": copies,
    }
    return {
        measure: np.array(
            [
                [
                    sum(float(cache[f"blocks.{layer}.attn.hook_pattern"][0, head, pos, key])
                        for key in wanted)
                    for head in range(config.n_heads)
                ]
                for layer in range(config.n_layers)
            ]
        )
        for measure, wanted in keys.items()
    }  # fmt: skip


def shown(explorer: InductionExplorer) -> np.ndarray:
    return np.array(explorer.figure.data[0].z, dtype=float)


def said(line: object) -> str:
    return html.unescape(line.value)


@pytest.mark.parametrize("measure", MEASURES)
def test_the_map_shows_the_models_numbers_for_every_token(
    explorer: InductionExplorer, measure: str
) -> None:
    explorer.measure.value = measure
    for pos in range(len(TEXT)):
        explorer.strip.selected = pos  # as a click does
        copies = [key for key in range(pos) if TEXT[key] == TEXT[pos]]
        assert explorer.strip.copies == copies
        assert explorer.strip.followers == [key + 1 for key in copies]
        assert explorer.token.value == pos
        if not copies:
            assert np.isnan(shown(explorer)).all()
            assert "no earlier copy" in explorer.figure.layout.title.text
            continue
        assert shown(explorer) == pytest.approx(slowly(explorer, TEXT, pos)[measure], abs=1e-5)
        n_keys = 1 if measure == "last" else len(copies)
        even = f"even attention: {n_keys / (pos + 1):.3f}"
        assert f"{MEASURES[measure]}<br><sub>{even}" in explorer.figure.layout.title.text


def test_words_read_the_numbers(explorer: InductionExplorer) -> None:
    explorer.strip.selected = 8  # the third c: after it a, as after the first
    values = slowly(explorer, TEXT, 8)
    layer, head = np.unravel_index(values["last"].argmax(), (2, 3))
    words = said(explorer.said)
    assert (
        "'c' at 8 came once before, at 2; 'a' at 3 followed. This time 'a' follows again" in words
    )
    on = {measure: f"{each[layer, head]:.2f}" for measure, each in values.items()}
    assert (
        f"Head {layer}.{head} puts {on['last']} of its attention on 'a' at 3, the most of all 6 "
        "heads; even attention would put 0.11. "
    ) in words
    assert f"On the copy itself it puts {on['copies']} (even: 0.11)." in words

    explorer.strip.selected = 6  # the third a
    words, values = said(explorer.said), slowly(explorer, TEXT, 6)
    layer, head = np.unravel_index(values["last"].argmax(), (2, 3))
    assert "'a' at 6 came twice before, last at 3; 'b' at 4 followed." in words
    every, copies = values["every"][layer, head], values["copies"][layer, head]
    assert f"all 2 copies it puts {every:.2f} (even: 0.29)" in words
    assert f"on the copies themselves {copies:.2f} (even: 0.29)." in words
    explorer.strip.selected = 5
    assert "'d' at 5 has no earlier copy here" in said(explorer.said)


def test_hovering_tells_all_measures_beside_even_attention(explorer: InductionExplorer) -> None:
    explorer.strip.selected = 6
    values = slowly(explorer, TEXT, 6)
    told = explorer.figure.data[0].customdata[1][2]
    assert told.startswith("<b>head 1.2</b>")
    for measure, n_keys in (("last", 1), ("every", 2), ("copies", 2)):
        amount, even = values[measure][1, 2], n_keys / 7
        assert f"{MEASURES[measure]}: {amount:.3f} (even: {even:.3f})" in told


def test_it_starts_at_the_last_token_that_came_before(explorer: InductionExplorer) -> None:
    assert explorer.strip.selected == explorer.token.value == 9
    assert explorer.strip.repeated == [3, 4, 6, 7, 8, 9]
    assert "10 tokens; 6 of them came before" in said(explorer.status)


def test_the_slider_chooses_too(explorer: InductionExplorer) -> None:
    explorer.token.value = 4
    assert explorer.strip.selected == 4
    assert shown(explorer) == pytest.approx(slowly(explorer, TEXT, 4)["last"], abs=1e-5)


def test_a_token_that_follows_itself_is_said(explorer: InductionExplorer) -> None:
    read(explorer, "xx")
    assert "(which is the chosen token itself)" in said(explorer.said)
    assert shown(explorer) == pytest.approx(slowly(explorer, "xx", 1)["last"], abs=1e-5)


def read(explorer: InductionExplorer, text: str) -> None:
    explorer.typed.value = text
    explorer.submit.click()


def test_shorter_and_longer_texts_are_read_when_asked(explorer: InductionExplorer) -> None:
    explorer.typed.value = "aba"
    assert len(explorer.strip.texts) == 10, "typing alone must not run the model"
    for text, chosen in (("aba", 2), ("abcdefghijklmna", 14), ("abc", 2), ("a", 0)):
        read(explorer, text)
        assert "".join(explorer.strip.texts) == text
        assert (explorer.strip.selected, explorer.token.max) == (chosen, len(text) - 1)
    assert "1 token; none of them came before" in said(explorer.status)


def test_an_empty_text_is_said_and_a_long_one_cut(explorer: InductionExplorer) -> None:
    before = shown(explorer)
    read(explorer, "")
    assert "There is no text" in said(explorer.status) and "stays" in said(explorer.status)
    assert (shown(explorer) == before).all()
    long = "abcdefgh" * 5
    read(explorer, long)
    assert "at most 32 tokens, and the text has 40; the last 8 are left out" in said(
        explorer.status
    )
    assert len(explorer.strip.texts) == N_CTX
    assert shown(explorer) == pytest.approx(slowly(explorer, long[:N_CTX], 31)["last"], abs=1e-5)


def test_it_may_start_empty() -> None:
    explorer = induction_explorer(small_model(), (encode, decode), "")
    assert "There is no text" in said(explorer.status)
    explorer.measure.value = "every"
    read(explorer, "aa")
    assert explorer.strip.copies == [0]


def test_what_does_not_fit_is_said_in_words() -> None:
    with pytest.raises(ValueError, match="0 layers"):
        induction_explorer(small_model(n_layers=0), (encode, decode), TEXT)
    explorer = induction_explorer(small_model(d_vocab=3), (encode, decode), "abca")
    read(explorer, "abz")
    assert "token 25, and the model knows only 3 tokens" in said(explorer.status)
    assert explorer.strip.copies == [0], "what was shown stays"


@pytest.mark.parametrize("kind", ["tokenizers", "its functions"])
def test_a_real_tokenizer_will_do(kind: str) -> None:
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=260, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(["x\n<b>é"], trainer)
    functions = (lambda text: tokenizer.encode(text).ids, tokenizer.decode)
    given = tokenizer if kind == "tokenizers" else functions
    explorer = induction_explorer(small_model(n_heads=1, d_vocab=260), given, "<b>ü\nü\n x")
    assert "".join(explorer.strip.texts).startswith("<b>ü[1/2]ü[2/2]↵\n")
    explorer.strip.selected = 0
    assert "'&lt;" in explorer.said.value, "a token is no markup"


def test_parts_of_a_character_are_numbered_and_a_lone_part_stays() -> None:
    raw = "é→".encode()

    def text(ids: list[int]) -> str:
        return bytes(ids).decode(errors="replace")

    assert token_texts(text, list(raw)) == ["é[1/2]", "é[2/2]", "→[1/3]", "→[2/3]", "→[3/3]"]
    assert token_texts(text, list(raw[:3])) == ["é[1/2]", "é[2/2]", "\ufffd"]
    assert token_texts(text, []) == []


def test_every_control_has_a_label(explorer: InductionExplorer) -> None:
    for control in (explorer.typed, explorer.submit, explorer.token, explorer.measure):
        assert control.description
    for line in (explorer.status, explorer.said):
        assert 'role="status"' in line.value
