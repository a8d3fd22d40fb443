"""What is measured on models, held against heads whose nature is known."""

import pytest
import torch
from torch import Tensor

from mechcourse import measures
from mechcourse.models import Transformer, TransformerConfig


class Patterns(Transformer):
    """A model of one layer whose heads' patterns are given by a rule on the tokens.

    In a text of period P, query i stands on the token last seen at i - P.
    """

    def __init__(self, period: int, n_ctx: int) -> None:
        super().__init__(TransformerConfig(1, 4, 5, 2, 50, n_ctx))
        self.period = period

    def forward(self, tokens: Tensor) -> Tensor:
        n = tokens.shape[1]
        i, j = torch.arange(n)[:, None], torch.arange(n)[None]
        followed = (j > 0) & (j <= i) & (tokens[:, None, :].roll(1, -1) == tokens[:, :, None])
        rules = [
            followed.double(),  # induction: all that followed a copy, the newest to the oldest
            ((tokens[:, :, None] == tokens[:, None, :]) & (j < i)).double(),  # duplicate token
            (j == i - 1).double().expand_as(followed),  # previous token
            (j <= i).double().expand_as(followed),  # spread evenly
            ((j == i - self.period + 1) & (j >= 0))
            .double()
            .expand_as(followed),  # newest copy only
        ]
        pattern = torch.stack(rules, dim=1)
        first = torch.zeros(n, dtype=torch.float64)
        first[0] = 1  # a head with nothing to look for rests on the first token
        pattern = torch.where(pattern.sum(-1, keepdim=True) > 0, pattern, first)
        self.blocks[0].attn.hook_pattern(pattern / pattern.sum(-1, keepdim=True))
        return torch.zeros(*tokens.shape, self.config.d_vocab)


def test_induction_scores_of_known_heads() -> None:
    period, n_ctx = 16, 64
    scores = measures.induction_scores(Patterns(period, n_ctx), period=period, n_sequences=3)
    assert scores.shape == (1, 5)
    induction, duplicate, previous, even, newest = scores[0].tolist()
    assert induction == pytest.approx(1)
    assert newest == pytest.approx(1)
    assert duplicate == previous == 0
    copies = [i // period / (i + 1) for i in range(period, n_ctx)]  # of i + 1 keys
    assert even == pytest.approx(sum(copies) / len(copies))
    assert even == pytest.approx(1 / period, rel=0.4)


def test_induction_scores_of_a_model_with_nothing_learnt() -> None:
    torch.manual_seed(0)
    model = Transformer(TransformerConfig(2, 16, 3, 8, 40, 64))
    scores = measures.induction_scores(model, period=16, n_sequences=4)
    assert scores.shape == (2, 3)
    assert scores.max() < 0.2
    assert torch.equal(scores, measures.induction_scores(model, period=16, n_sequences=4))


def test_previous_token_scores_of_known_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    text = torch.arange(16).repeat(300)  # read as the held-out code
    monkeypatch.setattr(measures, "code_tokens", {"held_out": text}.get)
    scores = measures.previous_token_scores(Patterns(16, 64))
    assert scores.shape == (1, 5)
    assert scores[0, 2] == pytest.approx(1) and scores[0, 2] == scores.max()
    assert scores[0, 3] == pytest.approx(sum(1 / (i + 1) for i in range(1, 64)) / 63)
    assert scores[0, :2].max() <= 1 / 63, "they rest on the first token, once the one before"


def test_induction_score_by_a_loop() -> None:
    random = torch.Generator().manual_seed(0)
    tokens = torch.randint(0, 4, (3, 9), generator=random)
    pattern = torch.rand(3, 2, 9, 9, generator=random).tril()
    wanted = torch.zeros(2)
    n_queries = 0
    for b, text in enumerate(tokens.tolist()):
        for i, token in enumerate(text):
            copies = [j for j in range(i) if text[j] == token]
            n_queries += bool(copies)
            for j in copies:
                wanted += pattern[b, :, i, j + 1]
    assert torch.allclose(measures.induction_score(pattern, tokens), wanted / n_queries)
    alone = torch.arange(9)[None]
    assert measures.induction_score(pattern[:1], alone).tolist() == [0, 0], "nothing came twice"


def test_offset_attention_reads_one_diagonal() -> None:
    pattern = torch.tensor([[[[1.0, 0, 0], [0.5, 0.5, 0], [0.2, 0.7, 0.1]]]])
    looked = [measures.offset_attention(pattern, offset).item() for offset in range(3)]
    assert looked == pytest.approx([(1 + 0.5 + 0.1) / 3, 0.6, 0.2])


def test_repeats_are_as_long_as_the_context_and_a_fresh_model_knows_nothing() -> None:
    torch.manual_seed(0)
    model = Transformer(TransformerConfig(2, 16, 3, 8, 64, 40))
    tokens, predictable = measures.repeats(model, n_sequences=5, seed=2)
    assert tokens.shape == predictable.shape == (5, 40)
    measured = measures.measure_repeats_model(model)
    assert measured["loss"] == pytest.approx(4.16, abs=0.8), "about ln 64"
    assert measured["induction_score"] < 0.2
