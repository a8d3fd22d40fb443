"""The corpus, its tokenizer, and toy tokens."""

import pytest
import torch

from mechcourse import data

ODD_TEXTS = [
    "",
    "def f(x):\n\treturn x\r\n",
    "naïve façade — λ → ∞",
    "🙂👩\u200d👩\u200d👧 flags 🇫🇷",
    "日本語\u0301",
    "\x00\x7f  ",
]


def test_every_module_is_there_once() -> None:
    names = data.TRAIN_MODULES + data.HELD_OUT_MODULES
    assert len(set(names)) == len(names)
    for name in names:
        assert data.module_source(name)


def test_splits_share_no_file() -> None:
    texts = {split: set(data.code_texts(split)) for split in ("train", "held_out")}
    assert not texts["train"] & texts["held_out"]
    assert len(texts["train"]) == len(data.TRAIN_MODULES)


def test_an_absent_module_says_where_it_was_looked_for() -> None:
    with pytest.raises(FileNotFoundError, match=r"'no\.such_module' at .*such_module\(\.py\)"):
        data.module_source("no.such_module")


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(Exception, match=r"held_out|split"):
        data.code_texts("test")


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_tokens_give_the_text_back(text: str) -> None:
    tokenizer = data.code_tokenizer()
    assert tokenizer.decode(tokenizer.encode(text).ids) == text
    pieces = data.token_strings(text)
    assert "".join(pieces) == text
    assert len(pieces) == len(tokenizer.encode(text).ids)


def test_every_byte_has_a_token() -> None:
    tokenizer = data.code_tokenizer()
    every = "".join(map(chr, range(256)))
    assert tokenizer.decode(tokenizer.encode(every).ids) == every
    assert tokenizer.get_vocab_size() == len(data.vocabulary()) == 512


def test_a_shown_piece_stands_at_its_first_token() -> None:
    assert [piece for piece in data.token_strings("x🙂y") if piece] == ["x", "🙂", "y"]


def test_a_tokenizer_learns_frequent_pairs() -> None:
    tokenizer = data.train_code_tokenizer(["ab ab ab é"] * 3, d_vocab=260)
    assert tokenizer.get_vocab_size() <= 260
    assert len(tokenizer.encode("ab").ids) == 1
    assert tokenizer.decode(tokenizer.encode("日本").ids) == "日本"
    with pytest.raises(ValueError, match="at least 256"):
        data.train_code_tokenizer(["ab"], d_vocab=255)


def test_bigram_counts_by_hand() -> None:
    counts = data.bigram_counts(torch.tensor([0, 1, 0, 1, 1, 2]), 4)
    expected = torch.zeros(4, 4, dtype=torch.float64)
    expected[0, 1], expected[1, 0], expected[1, 1], expected[1, 2] = 2, 1, 1, 1
    assert torch.equal(counts, expected)
    assert not data.bigram_counts(torch.tensor([3]), 4).any()


def test_windows() -> None:
    text = torch.arange(11)
    assert data.consecutive_windows(text, 4).tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert data.consecutive_windows(text, 12).shape == (0, 12)
    generator = torch.Generator().manual_seed(0)
    windows = data.random_windows(text, 200, 4, generator)
    assert windows.shape == (200, 4) and (windows.diff(dim=1) == 1).all()
    assert set(windows[:, 0].tolist()) == set(range(8))  # the last place too
    assert not torch.equal(windows, data.random_windows(text, 200, 4, generator))
    assert data.random_windows(text, 1, 11, generator).tolist() == [list(range(11))]
    with pytest.raises(ValueError, match="11 tokens, fewer than a window's 12"):
        data.random_windows(text, 1, 12, generator)


def test_repeated_tokens_are_distinct_within_a_period() -> None:
    tokens = data.repeated_tokens(5, 7, 3, 9, seed=0)
    assert tokens.shape == (5, 21)
    first = tokens[:, :7]
    assert all(len(set(row.tolist())) == 7 for row in first)
    assert torch.equal(tokens, first.repeat(1, 3))
    assert len(first.unique(dim=0)) > 1
    assert torch.equal(tokens, data.repeated_tokens(5, 7, 3, 9, seed=0))
    assert not torch.equal(tokens, data.repeated_tokens(5, 7, 3, 9, seed=1))
    with pytest.raises(
        ValueError, match="10 distinct tokens can't be drawn from a vocabulary of 9"
    ):
        data.repeated_tokens(1, 10, 2, 9, seed=0)


def test_repeated_sequences_repeat_each_in_its_own_way() -> None:
    tokens, predictable = data.repeated_sequences(
        300, 40, 30, periods=(5, 8), offsets=(0, 3), seed=1
    )
    seen = set()
    for text, known in zip(tokens.tolist(), predictable.tolist(), strict=True):
        second = next(i for i, token in enumerate(text) if token in text[:i])
        period = second - text.index(text[second])
        offset = second - period
        seen.add((period, offset))
        assert len(set(text[:second])) == second, "all before the second copy are different"
        assert all(text[i] == text[i - period] for i in range(second, 40))
        assert known == [i > second for i in range(40)]
    assert seen == {(p, o) for p in (5, 6, 7, 8) for o in (0, 1, 2, 3)}
    again, _ = data.repeated_sequences(300, 40, 30, periods=(5, 8), offsets=(0, 3), seed=1)
    assert torch.equal(tokens, again)
    with pytest.raises(ValueError, match="31 distinct tokens can't be drawn"):
        data.repeated_sequences(1, 9, 30, periods=(28, 28), offsets=(0, 3), seed=0)
