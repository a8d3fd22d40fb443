"""Hand-built heads do what they are said to do: measured on repeated sequences of many periods."""

import pytest
import torch
from torch import Tensor

from mechcourse.checks import _inputs as inputs
from mechcourse.checks._planted import Head, planted
from mechcourse.data import repeated_sequences
from mechcourse.models import Transformer

SIZES = ((24, 24, 20), (40, 33, 24), (64, 60, 22))  # n_ctx, d_vocab, d_code
LAYERS = (
    (
        Head("previous", fills_slot=True),
        Head("current"),
        Head("duplicate"),
        Head("positional", period=9),
        Head("first"),
    ),
    (
        Head("induction"),
        Head("induction", favours=6.0),
        Head("induction", favours=-6.0),
        Head("early"),
        Head("duplicate", by_context=True),
    ),
    (
        Head("induction", writes="copies"),
        Head("noise", 0.3),
        Head("noise", 12.0),
        Head("other"),
        Head("duplicate", writes="copies"),
    ),
)


def texts(n_ctx: int, d_vocab: int, period: int) -> Tensor:
    """Texts of one period, and of several offsets."""
    offsets = (0, min(4, d_vocab - period))
    sizes = (24, n_ctx, d_vocab)
    return repeated_sequences(*sizes, periods=(period, period), offsets=offsets, seed=1)[0]


def patterns(model: Transformer, tokens: Tensor) -> list[list[Tensor]]:
    """[batch query key] by layer and head."""
    names = [f"blocks.{layer}.attn.hook_pattern" for layer in range(model.config.n_layers)]
    with torch.no_grad():
        _, cache = model.run_with_cache(tokens, names=names)
    return [list(cache[name].unbind(1)) for name in names]


def mean_on(pattern: Tensor, wanted: Tensor) -> float:
    """Attention on wanted keys, averaged over the queries that have some."""
    return float((pattern * wanted).sum() / wanted.any(-1).sum())


def wanted_keys(tokens: Tensor) -> dict[str, Tensor]:
    """For each kind the keys that it should look at, [batch query key], one pair at a time."""
    n_batch, n_pos = tokens.shape
    kinds = ("induction", "duplicate", "early", "previous", "current", "first", "positional")
    wanted = {kind: torch.zeros(n_batch, n_pos, n_pos, dtype=torch.bool) for kind in kinds}
    for text, of in enumerate(tokens.tolist()):
        for i in range(n_pos):
            wanted["current"][text, i, i] = True
            wanted["first"][text, i, 0] = True
            wanted["previous"][text, i, max(i - 1, 0)] = i > 0
            wanted["positional"][text, i, max(i - 8, 0)] = i >= 8
            for j in range(i):
                if of[j] == of[i]:
                    wanted["duplicate"][text, i, j] = True
                    wanted["induction"][text, i, j + 1] = True
                    wanted["early"][text, i, max(j - 1, 0)] |= j > 0
    return wanted


@pytest.fixture(scope="module", params=SIZES, ids=str)
def model(request: pytest.FixtureRequest) -> Transformer:
    n_ctx, d_vocab, d_code = request.param
    random = inputs.generator(sum(request.param))
    return planted(random, LAYERS, n_ctx=n_ctx, d_vocab=d_vocab, d_code=d_code, noise=0.08)


def test_each_kind_looks_where_it_should_at_every_period(model: Transformer) -> None:
    n_ctx, d_vocab = model.config.n_ctx, model.config.d_vocab
    for period in sorted({6, 8, 11, n_ctx // 3, n_ctx // 2}):
        tokens = texts(n_ctx, d_vocab, period)
        wanted, looked = wanted_keys(tokens), patterns(model, tokens)
        for heads, found in zip(LAYERS, looked, strict=True):
            for head, pattern in zip(heads, found, strict=True):
                if head.kind in wanted:
                    score = mean_on(pattern, wanted[head.kind])
                    assert score > 0.7, f"{head}, period {period}: {score:.2f}"
                if head.kind not in ("induction", "positional") or period not in (8, 9):
                    on_followers = mean_on(pattern, wanted["induction"])
                    is_true = head.kind == "induction"
                    assert is_true or on_followers < 0.25, f"{head}, period {period}"


def test_an_impostor_scores_high_on_its_own_period_and_its_divisors_only() -> None:
    layers = [[Head("positional", period=24), Head("positional", period=16)]]
    model = planted(inputs.generator(5), layers, n_ctx=64, d_vocab=40)
    scores = {}
    for period in (24, 16, 12, 8, 11, 23, 25):
        tokens = texts(64, 40, period)
        wanted = wanted_keys(tokens)["induction"]
        scores[period] = [mean_on(pattern, wanted) for pattern in patterns(model, tokens)[0]]
    assert min(scores[24][0], scores[16][1]) > 0.8
    assert min(scores[12][0], scores[8][0], scores[8][1]) > 0.5
    assert max(scores[16][0], scores[24][1], scores[12][1], *scores[11], *scores[23]) < 0.1


def test_other_heads_look_for_one_token_each_and_never_the_querys_own(model: Transformer) -> None:
    n_ctx, d_vocab = model.config.n_ctx, model.config.d_vocab
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(0, d_vocab, (200, n_ctx), generator=generator)
    pattern = patterns(model, tokens)[2][3]
    # Attention on keys by the query's token and the token before the key, when it was there.
    total, times = (torch.zeros(d_vocab, d_vocab) for _ in range(2))
    for text, looked in zip(tokens.tolist(), pattern, strict=True):
        for i in range(1, n_ctx):
            before = torch.tensor(text[:i])
            total[text[i]].index_add_(0, before, looked[i, 1 : i + 1])
            times[text[i], before.unique()] += 1
    most, sought = (total / times.clamp(min=1)).max(dim=1)
    assert most.median() > 0.5
    assert (sought != torch.arange(d_vocab)).float().mean() > 0.9
    assert len(sought.unique()) > 0.7 * d_vocab


def test_favouring_copies_moves_attention_among_them(model: Transformer) -> None:
    tokens = texts(model.config.n_ctx, model.config.d_vocab, 8)
    every = wanted_keys(tokens)["induction"]
    places = torch.arange(tokens.shape[1])
    latest = every & (places == torch.where(every, places, -1).amax(-1, keepdim=True))
    even, later, earlier = (mean_on(pattern, latest) for pattern in patterns(model, tokens)[1][:3])
    assert earlier < even < later


def test_the_slot_is_what_induction_is_built_on(model: Transformer) -> None:
    tokens = texts(model.config.n_ctx, model.config.d_vocab, 8)
    wanted = wanted_keys(tokens)["induction"]

    def without_previous(result: Tensor, _: object) -> Tensor:
        result[:, :, 0] = 0  # the head that fills the slot
        return result

    caught = {}
    hooks = [("blocks.0.attn.hook_result", without_previous)]
    hooks.append(("blocks.1.attn.hook_pattern", lambda p, _: caught.update(pattern=p)))
    with torch.no_grad():
        model.run_with_hooks(tokens, fwd_hooks=hooks)
    assert mean_on(caught["pattern"][:, 0], wanted) < 0.25


def test_two_heads_may_share_the_slot() -> None:
    filler = Head("previous", fills_slot=True)
    layers = [[filler, filler], [Head("induction"), Head("noise", 1.0)]]
    model = planted(inputs.generator(2), layers, n_ctx=32, d_vocab=40)
    tokens = texts(32, 40, 10)
    assert mean_on(patterns(model, tokens)[1][0], wanted_keys(tokens)["induction"]) > 0.7


def test_what_a_head_writes_is_what_was_asked() -> None:
    """Of single tokens, which any head can only look at itself."""
    writes = ("copies", "lowers", "nothing")
    layers = [[Head("current", writes=what) for what in writes]]
    model = planted(inputs.generator(3), layers, n_ctx=24, d_vocab=30, noise=0.0)
    with torch.no_grad():
        _, cache = model.run_with_cache(torch.arange(30)[:, None])
        said = cache["blocks.0.attn.hook_result"][:, 0] @ model.unembed.W_U
    own = said.diagonal(dim1=0, dim2=2)  # [head token]
    assert (own[0] == said[:, 0].amax(-1)).float().mean() > 0.9
    assert (own[1] == said[:, 1].amin(-1)).float().mean() > 0.9
    assert said[:, 2].abs().max() < 1e-5


def test_no_basis_gives_a_part_away(model: Transformer) -> None:
    """No coordinate of the stream has much more than its share of any weight."""
    weights = model.state_dict()
    for name in ("embed.W_E", "pos_embed.W_pos", "blocks.1.attn.W_O"):
        squares = weights[name].flatten(0, -2).square().sum(0)
        assert squares.max() < 8 * squares.mean(), name
    inner = weights["blocks.1.attn.W_K"].square().sum(1)
    assert (inner.amax(1) < 5 * inner.mean(1)).all()


def test_the_same_generator_gives_the_same_model() -> None:
    before = torch.random.get_rng_state()
    first, again = (planted(inputs.generator(7), LAYERS, n_ctx=24, d_vocab=24) for _ in range(2))
    assert all(
        torch.equal(a, b)
        for a, b in zip(first.state_dict().values(), again.state_dict().values(), strict=True)
    )
    assert torch.equal(before, torch.random.get_rng_state()), "the learner's own draws go on"


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([[Head("induction")]], "reads the slot"),
        ([[Head("previous")], [Head("induction")]], "reads the slot"),
        ([[Head("first")], [Head("previous", fills_slot=True)]], "fills the slot"),
        ([[Head("current", fills_slot=True)]], "fills the slot"),
        ([[Head("first")], [Head("first"), Head("first")]], "as many heads"),
    ],
)
def test_what_cannot_be_built_is_refused(layers: list[list[Head]], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        planted(inputs.generator(0), layers, n_ctx=24, d_vocab=24)


def test_a_head_is_what_can_be_built() -> None:
    with pytest.raises(ValueError, match="has a period"):
        Head("positional")
    with pytest.raises(ValueError, match="has a period"):
        Head("induction", period=8)
