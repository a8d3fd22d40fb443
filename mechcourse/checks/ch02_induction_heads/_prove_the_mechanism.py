"""Truths and named mistakes behind the checks of notebook 2.3, `3_prove_the_mechanism.ipynb`.

What an experiment changes is changed in `_traced.run`: nothing depends on the library's forward
pass or its hooks.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from torch import Tensor

from mechcourse.checks import _inputs as inputs
from mechcourse.checks._traced import Edit, Head, Run, heads_of, run
from mechcourse.models import Transformer, TransformerConfig

Wrong = dict[str, Callable[[], Tensor]]

MODES = ("zero", "mean", "mean by position")
PRESERVING = "pattern-preserving"


def random_model(
    random: torch.Generator,
    n_layers: int,
    n_heads: int,
    *,
    d_model: int = 9,
    d_head: int = 4,
    d_vocab: int = 11,
    n_ctx: int = 8,
) -> Transformer:
    """A model of random weights whose heads look somewhere and say something."""
    sizes = {"d_model": d_model, "n_heads": n_heads, "d_head": d_head, "d_vocab": d_vocab}
    weights = inputs.transformer_weights(random, n_layers=n_layers, n_ctx=n_ctx, **sizes)
    for name in weights:
        if name.endswith("W_O"):
            weights[name] *= 1.5
        elif name.endswith(("W_Q", "W_K")):
            weights[name] *= 1.2
    return with_weights(TransformerConfig(n_layers, n_ctx=n_ctx, **sizes), weights)


def with_weights(config: TransformerConfig, weights: Mapping[str, Tensor]) -> Transformer:
    """A new model with these weights."""
    with torch.random.fork_rng(devices=[]):
        model = Transformer(config)
    model.load_state_dict(dict(weights))
    return model


def silent(model: Transformer) -> Transformer:
    """The same model with heads that write nothing."""
    weights = {
        name: torch.zeros_like(weight) if name.endswith("W_O") else weight
        for name, weight in model.state_dict().items()
    }
    return with_weights(model.config, weights)


# --------------------------------------------------------------------------------- ablate_head


def without(activation: Tensor, head: int, mode: str) -> Tensor:
    """An activation with one head's part replaced, one number at a time."""
    n_batch, n_pos, _, d = activation.shape
    values, new = activation.double().tolist(), activation.double().clone()
    for b in range(n_batch):
        for i in range(n_pos):
            for c in range(d):
                if mode == "zero":
                    instead = 0.0
                elif mode == "mean":
                    said = [values[a][j][head][c] for a in range(n_batch) for j in range(n_pos)]
                    instead = sum(said) / len(said)
                else:
                    instead = sum(values[a][i][head][c] for a in range(n_batch)) / n_batch
                new[b, i, head, c] = instead
    return new


def wrong_withouts(x: Tensor, head: int, mode: str) -> Wrong:
    """Ablated activations with one mistake each."""
    x, part = x.double(), x.double()[:, :, head]

    def put(instead: Tensor | float, heads: int | list[int] | slice = head) -> Tensor:
        new = x.clone()
        new[:, :, heads] = instead
        return new

    def on_axis(axis: int) -> Tensor:
        new = x.clone()
        new.select(axis, head)[:] = 0
        return new

    means = {
        "zero": torch.zeros_like(part),
        "mean": part.mean((0, 1)).expand_as(part),
        "mean by position": part.mean(0).expand_as(part),
    }
    called = {
        "zero": "the head's part is zero here",
        "mean": "the head's mean over all texts and positions is here",
        "mean by position": "the mean over texts at each position is here",
    }
    wrong: Wrong = {
        f"{called[other]}; that is the mode {other!r}.": lambda o=other: put(means[o])
        for other in means
        if other != mode
    }
    wrong["nothing was ablated."] = lambda: x
    wrong["the other heads were ablated, and this one was left."] = lambda: torch.where(
        (torch.arange(x.shape[2]) == head)[:, None], x, _all_alike(x, mode)
    )
    wrong["all heads were ablated; the others' parts stay."] = lambda: _all_alike(x, mode)
    wrong["the mean was subtracted; it is to take the head's place."] = lambda: put(
        part - part.mean((0, 1))
    )
    if mode == "zero":
        wrong["a position was ablated; the axes are batch, pos, head, d."] = lambda: on_axis(1)
        wrong["a text was ablated; the axes are batch, pos, head, d."] = lambda: on_axis(0)
        wrong["one component of every head was ablated; heads are on the third axis."] = lambda: (
            on_axis(3)
        )
        return wrong
    wrong |= {
        "only the head's part is here: the others' parts are lost.": lambda: torch.where(
            (torch.arange(x.shape[2]) == head)[:, None], put(means[mode]), 0.0
        ),
        "the mean was taken over positions within each text.": lambda: put(
            part.mean(1, keepdim=True).expand_as(part)
        ),
        "the mean was taken over the components, too: each keeps its own.": lambda: put(
            part.mean()
        ),
        "the mean was taken over the components: each keeps its own.": lambda: put(
            part.mean(2, keepdim=True).expand_as(part)
        ),
        "the mean over all heads was taken; it is the head's own.": lambda: put(
            x.mean(2) if mode == "mean by position" else x.mean((0, 1, 2))
        ),
        "the mean over all heads was taken, at each place; it is the head's own, over texts.": (
            lambda: put(x.mean(2).mean(0).expand_as(part))
        ),
        "the values were added up; take their mean.": lambda: put(
            part.sum(0) if mode == "mean by position" else part.sum((0, 1))
        ),
        "the median is here; take the mean.": lambda: put(
            part.median(0).values
            if mode == "mean by position"
            else part.flatten(0, 1).median(0).values
        ),
        "the first text's values were put everywhere.": lambda: put(part[0]),
    }
    return wrong


def _all_alike(x: Tensor, mode: str) -> Tensor:
    """Every head ablated."""
    return _gone(x, range(x.shape[2]), mode)


def _gone(x: Tensor, heads: Iterable[int], mode: str) -> Tensor:
    """Some heads ablated, in few operations: many runs need it."""
    new = x.clone()
    for head in heads:
        part = x[:, :, head]
        new[:, :, head] = {
            "zero": lambda part=part: torch.zeros(()),
            "mean": lambda part=part: part.mean((0, 1)),
            "mean by position": lambda part=part: part.mean(0),
        }[mode]()
    return new


def _gone_at(ablated: list[Head], mode: str, layer: int, x: Tensor) -> Tensor:
    """Those heads ablated that are of this layer; with the first two arguments given, an edit."""
    return _gone(x, [head for at, head in ablated if at == layer], mode)


# ------------------------------------------------------------------------------ ablated_logits


def logits_without(
    model: Transformer, tokens: Tensor, ablated: Iterable[Head], mode: str, **edits: Edit
) -> Tensor:
    """The logits of a run without these heads, with other edits beside."""
    ablated = list(ablated)
    if mode == PRESERVING:
        whole = run(model, tokens)
        edits = {"pattern": lambda layer, _: whole.patterns[layer]} | edits
        mode = "zero"
    return run(model, tokens, **({"z": partial(_gone_at, ablated, mode)} | edits)).logits


def wrong_logits(model: Transformer, tokens: Tensor, ablated: list[Head], mode: str) -> Wrong:
    """Logits with one mistake each, as far as these heads and this mode can show it."""
    n_layers, n_heads = model.config.n_layers, model.config.n_heads
    layers = sorted({layer for layer, _ in ablated})
    right = logits_without(model, tokens, ablated, mode)

    def of(heads: Iterable[Head], mode: str = mode) -> Callable[[], Tensor]:
        return lambda: logits_without(model, tokens, heads, mode)

    wrong: Wrong = {
        "nothing was ablated.": of([]),
        "a softmax was taken; these are logits.": lambda: right.softmax(-1),
        "these are log-probabilities; give the logits.": lambda: right.log_softmax(-1),
        "the heads were ablated at the last position only.": lambda: _at_last_only(
            model, tokens, ablated, mode
        ),
    }
    if n_heads > len({head for layer, head in ablated if layer == layers[0]}):
        wrong["all heads of the layer were ablated."] = of(
            (layer, head) for layer in layers for head in range(n_heads)
        )
    if len(layers) < n_layers:
        wrong["the head was ablated in every layer."] = of(
            (layer, head) for layer in range(n_layers) for _, head in ablated
        )
    swapped = [(head, layer) for layer, head in ablated]
    if set(swapped) <= set(heads_of(model)) and set(swapped) != set(ablated):
        wrong["layer and head are in each other's place."] = of(swapped)
    if len(ablated) > 1:
        wrong[
            "one head was ablated in place of each: a function made in a loop sees the loop's last "
            "head, unless it is bound (head=head)."
        ] = of((layer, ablated[-1][1]) for layer, _ in ablated)
        wrong["only the first of the heads was ablated."] = of(ablated[:1])
        if len(layers) > 1:
            wrong["only the last of the heads was ablated."] = of(ablated[-1:])
    if mode == PRESERVING:
        return wrong | _wrong_preserving(model, tokens, ablated)
    if len(tokens) > 1:
        wrong |= {
            f"this is the mode {other!r}.": of(ablated, other) for other in MODES if other != mode
        }
    if layers[0] < n_layers - 1:
        wrong["the patterns were held; only the mode 'pattern-preserving' does that."] = lambda: (
            _held(model, tokens, ablated, mode)
        )
    if mode != "zero":
        wrong["the values were averaged before attention; average what the head gives (z)."] = (
            lambda: (
                run(
                    model,
                    tokens,
                    v=partial(_gone_at, ablated, mode),
                ).logits
            )
        )
        if len(layers) > 1:
            wrong["the means are those of the untouched run; take those of this run."] = lambda: (
                _with_old_means(model, tokens, ablated, mode)
            )
    return wrong


def _at_last_only(model: Transformer, tokens: Tensor, ablated: list[Head], mode: str) -> Tensor:
    whole = run(model, tokens)
    held = {"pattern": lambda layer, _: whole.patterns[layer]} if mode == PRESERVING else {}

    def gone(layer: int, z: Tensor) -> Tensor:
        heads = [head for at, head in ablated if at == layer]
        new = z.clone()
        new[:, -1] = _gone(z, heads, "zero" if mode == PRESERVING else mode)[:, -1]
        return new

    return run(model, tokens, z=gone, **held).logits


def _held(model: Transformer, tokens: Tensor, ablated: list[Head], mode: str) -> Tensor:
    whole = run(model, tokens)
    return logits_without(
        model, tokens, ablated, mode, pattern=lambda layer, _: whole.patterns[layer]
    )


def _with_old_means(model: Transformer, tokens: Tensor, ablated: list[Head], mode: str) -> Tensor:
    whole = run(model, tokens)

    def gone(layer: int, z: Tensor) -> Tensor:
        heads = [head for at, head in ablated if at == layer]
        new = z.clone()
        new[:, :, heads] = _gone(whole.z[layer], heads, mode)[:, :, heads]
        return new

    return run(model, tokens, z=gone).logits


def _wrong_preserving(model: Transformer, tokens: Tensor, ablated: list[Head]) -> Wrong:
    """What goes wrong with patterns, where a layer comes after the first head ablated."""
    first, n_layers = min(layer for layer, _ in ablated), model.config.n_layers
    if first == n_layers - 1:
        return {}
    whole = run(model, tokens)

    def as_before(*held: int) -> Edit:
        return lambda layer, now: whole.patterns[layer] if layer in held else now

    def gone(mode: str, **edits: Edit) -> Callable[[], Tensor]:
        return lambda: logits_without(model, tokens, ablated, mode, **edits)

    def only_these(layer: int, _z: Tensor) -> Tensor:
        return _gone(whole.z[layer], [head for at, head in ablated if at == layer], "zero")

    wrong: Wrong = {
        "no pattern was held: the later heads look elsewhere. The patterns are those of a run "
        "without any ablation.": gone("zero"),
        "the means took the heads' place; with patterns held, it is zero.": gone(
            "mean", pattern=as_before(*range(n_layers))
        ),
        "what later heads give was held, too; only where they look is.": lambda: (
            run(model, tokens, z=only_these).logits
        ),
        "every layer got the last one's pattern: a function made in a loop sees the loop's last "
        "name, unless it is bound.": gone("zero", pattern=lambda layer, _: whole.patterns[-1]),
    }
    if first < n_layers - 2:
        wrong["the patterns of one later layer were held; hold those of all."] = gone(
            "zero", pattern=as_before(first + 1)
        )
    return wrong


# ------------------------------------------------------------------------------------- losses


def losses(logits: Tensor, tokens: Tensor) -> Tensor:
    """Each token's loss but the first's, in nats, [... batch predicted]."""
    said = logits.double().log_softmax(-1)[..., :-1, :]
    index = tokens[:, 1:, None].expand(*said.shape[:-1], 1)
    return -said.gather(-1, index)[..., 0]


@dataclass
class Losing:
    """A model, texts, the tokens that count, and a mode; what is lost without some heads."""

    model: Transformer
    tokens: Tensor
    predictable: Tensor
    mode: str

    @property
    def given(self) -> tuple[Transformer, Tensor, Tensor]:
        """What an answer is called with, but for heads and mode."""
        return self.model, self.tokens, self.predictable

    def logits(self, *heads: Head, mode: str = "") -> Tensor:
        return logits_without(self.model, self.tokens, heads, mode or self.mode)

    def of(self, *heads: Head, mode: str = "") -> Tensor:
        """The losses without some heads."""
        return losses(self.logits(*heads, mode=mode), self.tokens)

    def mean(self, each: Tensor, counted: Tensor | None = None) -> Tensor:
        """The mean over tokens that count, for each head where there are several."""
        counted = self.predictable[:, 1:] if counted is None else counted
        return each[..., counted].mean(-1)

    def grid(self, one: Callable[[Head], Tensor]) -> Tensor:
        """Something of each head, [layer head ...]."""
        found = torch.stack([one(head) for head in heads_of(self.model)])
        return found.unflatten(0, (self.model.config.n_layers, self.model.config.n_heads))

    @cached_property
    def whole(self) -> Tensor:
        return self.of()

    @cached_property
    def each(self) -> Tensor:
        """The losses without each head, [layer head batch predicted]."""
        return self.grid(self.of)


def effects(case: Losing) -> Tensor:
    """By how much the mean loss rises without each head, [layer head]."""
    return case.mean(case.each) - case.mean(case.whole)


def wrong_effects(case: Losing) -> Wrong:
    """Effects with one mistake each."""
    counted, rise = case.predictable, case.each - case.whole
    heads, n_heads = heads_of(case.model), case.model.config.n_heads
    some = counted[:, 1:].any(1)

    def by_text(each: Tensor) -> Tensor:
        n = counted[some][:, 1:].sum(1)
        return ((each[..., some, :] * counted[some][:, 1:]).sum(-1) / n).mean(-1)

    def not_next(*gone: Head) -> Tensor:
        said = case.logits(*gone).log_softmax(-1)
        own = -said.gather(-1, case.tokens[..., None])[..., 0]
        return own[counted].mean()

    def layer_of(head: Head) -> Tensor:
        return case.mean(case.of(*((head[0], h) for h in range(n_heads))) - case.whole)

    def up_to(head: Head) -> Tensor:
        return case.mean(case.of(*heads[: heads.index(head) + 1]) - case.whole)

    def likely(each: Tensor) -> Tensor:
        return case.mean((-each).exp())

    wrong: Wrong = {
        "the sign is the wrong way round: the effect is above 0 where the model is worse without "
        "the head.": lambda: -effects(case),
        "this is the loss without the head; subtract that of the model as it is.": lambda: (
            case.mean(case.each)
        ),
        "the effect is a difference of losses, not their ratio.": lambda: (
            case.mean(case.each) / case.mean(case.whole)
        ),
        "the difference was divided by the loss; it is in nats.": lambda: (
            effects(case) / case.mean(case.whole)
        ),
        "each text was averaged by itself; average over the tokens of all texts together.": (
            lambda: by_text(rise)
        ),
        "the mask is off by one: column i of the losses is that of token i + 1.": lambda: case.mean(
            rise, counted[:, :-1]
        ),
        "all tokens were counted; only the predictable ones do.": lambda: rise.mean((-2, -1)),
        "the tokens that don't count were counted.": lambda: case.mean(rise, ~counted[:, 1:]),
        "the losses were added up; take their mean.": lambda: (rise * counted[:, 1:]).sum((-2, -1)),
        "first tokens were counted in the number of tokens; they have no loss.": lambda: (
            (rise * counted[:, 1:]).sum((-2, -1)) / counted.sum()
        ),
        "the sum over the tokens that count was divided by the number of all tokens.": lambda: (
            rise * counted[:, 1:]
        ).mean((-2, -1)),
        "the logits at a token were held against that token; they predict the next one.": lambda: (
            case.grid(not_next) - not_next()
        ),
        "the probability of the right token was averaged; the loss is minus its logarithm.": (
            lambda: likely(case.whole) - likely(case.each)
        ),
        "this is in bits; give nats.": lambda: effects(case) / math.log(2),
        "all heads of a layer were ablated together; one at a time.": lambda: case.grid(layer_of),
        "the heads before stayed ablated; one at a time.": lambda: case.grid(up_to),
        "all heads but one were ablated; one at a time.": lambda: case.grid(
            lambda head: case.mean(case.of(*(h for h in heads if h != head)) - case.whole)
        ),
        "the size of the effect was taken; it is below 0 where the model does better without "
        "the head.": lambda: effects(case).abs(),
    }
    modes = [mode for mode in (*MODES, PRESERVING) if mode != case.mode]
    if case.model.config.n_layers == 1:  # no later head can look elsewhere
        modes = [mode for mode in modes if PRESERVING not in (mode, case.mode)]
    for mode in modes:
        wrong[f"the mode was ignored: this is {mode!r}."] = lambda mode=mode: case.grid(
            lambda head: case.mean(case.of(head, mode=mode) - case.whole)
        )
    return wrong


def excess(case: Losing, heads: list[Head]) -> Tensor:
    """How much more pairs of heads are worth than their parts, [n n], 0 for a head with itself."""
    found = torch.zeros(len(heads), len(heads), dtype=torch.float64)
    alone = [case.mean(case.of(head)) - case.mean(case.whole) for head in heads]
    for i, one in enumerate(heads):
        for j, other in enumerate(heads):
            if i != j:
                both = case.mean(case.of(one, other)) - case.mean(case.whole)
                found[i, j] = both - (alone[i] + alone[j])
    return found


def wrong_excesses(case: Losing, heads: list[Head]) -> Wrong:
    """Excesses with one mistake each."""
    n, counted = len(heads), case.predictable
    off = ~torch.eye(n, dtype=torch.bool)
    whole = case.mean(case.whole)
    alone = torch.stack([case.mean(case.of(head)) for head in heads])
    runs = [[case.of(one, other) for other in heads] for one in heads]
    both = torch.stack([torch.stack([case.mean(each) for each in row]) for row in runs])
    a, b = alone[:, None], alone[None]
    right = (both - a - b + whole) * off

    def by_text(each: Tensor) -> Tensor:
        some = counted[:, 1:].any(1)
        return torch.stack(
            [e[c].mean() for e, c in zip(each[some], counted[some, 1:], strict=True)]
        )

    def of_texts() -> Tensor:
        single = torch.stack([by_text(case.of(head)).mean() for head in heads])
        pairs = torch.stack([torch.stack([by_text(e).mean() for e in row]) for row in runs])
        return (pairs - single[:, None] - single + by_text(case.whole).mean()) * off

    def every_token() -> Tensor:
        single = torch.stack([case.of(head).mean() for head in heads])
        pairs = torch.stack([torch.stack([e.mean() for e in row]) for row in runs])
        return (pairs - single[:, None] - single + case.whole.mean()) * off

    wrong: Wrong = {
        "the loss of the model as it is was left out: of the two rises it is taken off twice, of "
        "the rise of both once.": lambda: (both - a - b) * off,
        "the loss of the model as it is has the wrong sign.": lambda: (both - a - b - whole) * off,
        "the sign is the wrong way round: both together, less each alone.": lambda: -right,
        "this is the rise when both are ablated; take off their rises alone.": lambda: (
            (both - whole) * off
        ),
        "this is the rise when both are ablated; take off their rises alone, and leave the "
        "diagonal 0.": lambda: both - whole,
        "the diagonal is 0; a head is no pair with itself.": lambda: both - a - b + whole,
        "only one of the two rises was taken off.": lambda: (both - a) * off,
        "the larger of the two rises was taken off; take off their sum.": lambda: (
            (both - torch.maximum(a, b)) * off
        ),
        "the mean of the two rises was taken off; take off their sum.": lambda: (
            (both - (a + b) / 2) * off
        ),
        "only the lower half is filled in; a pair is the same either way round.": lambda: (
            right.tril()
        ),
        "only the upper half is filled in; a pair is the same either way round.": lambda: (
            right.triu()
        ),
        "the size was taken; the sign says which of the two cases it is.": lambda: right.abs(),
        "each text was averaged by itself; average over the tokens of all texts together.": (
            of_texts
        ),
        "all tokens were counted; only the predictable ones do.": every_token,
        "this is a ratio; the excess is a difference, in nats.": lambda: (
            ((both - whole) / (a + b - 2 * whole) - 1) * off
        ),
    }
    modes = [mode for mode in MODES if mode != case.mode]
    if case.mode == PRESERVING:
        modes = ["zero"]
    for mode in modes:
        other = Losing(*case.given, mode)
        wrong[f"the mode was ignored: this is {mode!r}."] = lambda other=other: excess(other, heads)
    return wrong


# --------------------------------------------------------------------------------- patching


@dataclass
class Patching:
    """A model, two sets of texts, and the tokens of the logit difference."""

    model: Transformer
    clean: Tensor
    corrupted: Tensor
    right: Tensor
    wrong: Tensor

    @property
    def given(self) -> tuple[Transformer, Tensor, Tensor, Tensor, Tensor]:
        """What an answer is called with, but for what it is to patch."""
        return self.model, self.clean, self.corrupted, self.right, self.wrong

    @cached_property
    def clean_run(self) -> Run:
        return run(self.model, self.clean)

    @cached_property
    def corrupted_run(self) -> Run:
        return run(self.model, self.corrupted)

    def gaps(self, logits: Tensor, position: int = -1) -> Tensor:
        """The logit difference of each text, [... batch]."""
        texts = torch.arange(len(self.clean))
        at = logits[..., position, :]
        return at[..., texts, self.right] - at[..., texts, self.wrong]

    def grid(self, one: Callable[[Head], Tensor]) -> Tensor:
        """Something of each head, [layer head ...]."""
        found = torch.stack([one(head) for head in heads_of(self.model)])
        return found.unflatten(0, (self.model.config.n_layers, self.model.config.n_heads))

    @property
    def gap(self) -> float:
        """D_clean less D_corrupted."""
        logits = self.clean_run.logits, self.corrupted_run.logits
        clean, corrupted = (float(self.gaps(one).mean()) for one in logits)
        return clean - corrupted


def same_at(heads: Iterable[Head], source: list[Tensor]) -> Edit:
    """An edit that takes some heads' activation, [batch pos head d], from another run's."""
    return partial(_taken_over, list(heads), source)


def _taken_over(heads: list[Head], source: list[Tensor], layer: int, now: Tensor) -> Tensor:
    new = now.clone()
    for at, head in heads:
        if at == layer:
            new[:, :, head] = source[layer][:, :, head]
    return new


def patched(case: Patching, direction: str) -> Tensor:
    """What each head carries over: the share by which D moves from one run's to the other's."""
    target, here, there = _sides(case, direction)

    def logits(head: Head) -> Tensor:
        return run(case.model, target, z=same_at([head], there.z)).logits

    return _shares(case, case.grid(logits), here, there)


def _sides(case: Patching, direction: str) -> tuple[Tensor, Run, Run]:
    """The texts that are run, their own run, and the run from which something is taken."""
    if direction == "denoising":
        return case.corrupted, case.corrupted_run, case.clean_run
    return case.clean, case.clean_run, case.corrupted_run


def _shares(
    case: Patching, logits: Tensor, here: Run, there: Run, measure: Callable | None = None
) -> Tensor:
    measure = measure or (lambda logits: case.gaps(logits).mean(-1))
    start, end = measure(here.logits), measure(there.logits)
    return (measure(logits) - start) / (end - start)


def wrong_patches(case: Patching, direction: str) -> Wrong:
    """Shares with one mistake each."""
    model, n_heads = case.model, case.model.config.n_heads
    target, here, there = _sides(case, direction)
    heads = heads_of(model)
    other = "noising" if direction == "denoising" else "denoising"

    def of(edits: Callable[[Head], dict[str, Edit]], **how: Callable) -> Callable[[], Tensor]:
        return lambda: _shares(
            case, case.grid(lambda h: run(model, target, **edits(h)).logits), here, there, **how
        )

    def z_of(head: Head) -> dict[str, Edit]:
        return {"z": same_at([head], there.z)}

    def at_last(head: Head) -> dict[str, Edit]:
        new = same_at([head], there.z)
        return {"z": lambda at, z: torch.cat([z[:, :-1], new(at, z)[:, -1:]], dim=1)}

    def pattern_of(head: Head) -> dict[str, Edit]:
        new = same_at([head], [pattern.transpose(1, 2) for pattern in there.patterns])
        return {"pattern": lambda at, now: new(at, now.transpose(1, 2)).transpose(1, 2)}

    def alone(head: Head) -> dict[str, Edit]:
        new = same_at([head], there.z)
        return {"z": lambda at, z: z if at < head[0] else new(at, here.z[at])}

    def mean_gap(change: Callable[[Tensor], Tensor], position: int = -1) -> dict[str, Callable]:
        return {"measure": lambda logits: case.gaps(change(logits), position).mean(-1)}

    def of_each_text(logits: Tensor) -> Tensor:
        start, end = case.gaps(here.logits), case.gaps(there.logits)
        return ((case.gaps(logits) - start) / (end - start)).mean(-1)

    def right_alone(logits: Tensor) -> Tensor:
        texts = torch.arange(len(case.clean))
        return logits[..., -1, :][..., texts, case.right].mean(-1)

    def other_way() -> Tensor:
        # The words of this direction, with the runs of the other.
        return patched(case, other)

    right = patched(case, direction)
    runs = case.grid(lambda h: run(model, target, **z_of(h)).logits)
    start, end = (float(case.gaps(r.logits).mean()) for r in (here, there))
    wrong: Wrong = {
        "these are the right runs in the other direction's formula: this is what is left of the "
        "way, not what was gone.": lambda: 1 - right,
        f"the directions are in each other's place: this is {other}, and what is left of its "
        "way.": lambda: 1 - other_way(),
        "the sign is the wrong way round.": lambda: -right,
        "this is the logit difference itself; give a share of the way from one run to the other.": (
            lambda: case.gaps(runs).mean(-1)
        ),
        "the change was not divided by D_clean - D_corrupted.": lambda: (
            case.gaps(runs).mean(-1) - start
        ),
        "the change was divided by D_clean alone.": lambda: (
            (case.gaps(runs).mean(-1) - start) / (end if direction == "denoising" else -start)
        ),
        "D was divided by the difference without taking off where the run started.": lambda: (
            case.gaps(runs).mean(-1) / (end - start)
        ),
        "a share was taken for each text and then averaged; average the logit differences first.": (
            lambda: of_each_text(runs)
        ),
        "only the first text was looked at.": lambda: _shares(
            case, runs, here, there, lambda logits: case.gaps(logits)[..., 0]
        ),
        "the head's pattern was taken over; take what it gives (z).": of(pattern_of),
        "the head's values were taken over; take what it gives (z).": of(
            lambda h: {"v": same_at([h], there.v)}
        ),
        "the outputs of all heads of the layer were taken over; one head's at a time.": of(
            lambda h: {"z": same_at([(h[0], i) for i in range(n_heads)], there.z)}
        ),
        "the heads before stayed patched; one head's output at a time.": of(
            lambda h: {"z": same_at(heads[: heads.index(h) + 1], there.z)}
        ),
        "this is all but one head patched; one head's output at a time.": of(
            lambda h: {"z": same_at([g for g in heads if g != h], there.z)}
        ),
        "the head's output was set to zero; take it from the other texts.": of(
            lambda h: {
                "z": lambda at, z: _gone(z, [h[1]] if at == h[0] else [], "zero"),
            }
        ),
        "probabilities were compared; take logits.": of(z_of, **mean_gap(lambda x: x.softmax(-1))),
        "the logit of the right token alone was taken; subtract that of the wrong one.": of(
            z_of, measure=right_alone
        ),
        "the logit difference was averaged over all positions; take the last.": of(
            z_of,
            measure=lambda logits: torch.stack(
                [case.gaps(logits, i).mean(-1) for i in range(case.clean.shape[1])]
            ).mean(0),
        ),
        "the position before the last was looked at.": of(z_of, **mean_gap(lambda x: x, -2)),
    }
    if model.config.n_layers > 1:  # one layer alone adds up: there these are no mistakes
        wrong |= {
            f"the directions are in each other's place: this is {other}.": other_way,
            "the head's output was taken over at the last position only; take all positions.": of(
                at_last
            ),
            "later heads were held as they were; they run on what they now read.": of(alone),
        }
    return wrong


# ------------------------------------------------------------------------------- path patching


def sent(case: Patching, sender: Head) -> Tensor:
    """What the sender writes on the corrupted texts less what it writes on the clean ones."""
    layer, head = sender
    W_O = case.model.state_dict()[f"blocks.{layer}.attn.W_O"][head].double()
    runs = case.corrupted_run, case.clean_run
    corrupted, clean = (one.z[layer][:, :, head] @ W_O for one in runs)
    return corrupted - clean


def adding(model: Transformer, kind: str, receivers: Iterable[Head], change: Tensor) -> Edit:
    """An edit by which some heads read a change of the stream, through one of their weights."""
    return partial(_told, model.state_dict(), kind, list(receivers), change)


def _told(
    weights: Mapping[str, Tensor],
    kind: str,
    receivers: list[Head],
    change: Tensor,
    layer: int,
    now: Tensor,
) -> Tensor:
    new = now.clone()
    for at, head in receivers:
        if at == layer:
            W = weights[f"blocks.{layer}.attn.W_{kind}"][head].double()
            new[:, :, head] += change @ W
    return new


def path_logits(case: Patching, kind: str, sender: Head, receivers: Iterable[Head]) -> Tensor:
    """The logits with one path patched."""
    edit = adding(case.model, kind, receivers, sent(case, sender))
    return run(case.model, case.clean, **{kind.lower(): edit}).logits


def paths(case: Patching, sender: Head, receiver: Head) -> Tensor:
    """The shares lost by the queries', the keys' and the values' path."""
    return torch.stack([_lost(case, path_logits(case, kind, sender, [receiver])) for kind in "QKV"])


def _lost(case: Patching, logits: Tensor, measure: Callable | None = None) -> Tensor:
    return _shares(case, logits, case.clean_run, case.corrupted_run, measure)


def wrong_paths(case: Patching, sender: Head, receiver: Head) -> Wrong:
    """Shares with one mistake each, [Q K V]."""
    model, change = case.model, sent(case, sender)
    clean, corrupted = case.clean_run, case.corrupted_run
    at, n_heads = receiver[0], model.config.n_heads

    def three(logits: Callable[[str], Tensor], **how: Callable) -> Callable[[], Tensor]:
        return lambda: torch.stack([_lost(case, logits(kind), **how) for kind in "QKV"])

    def read(kind: str, change: Tensor, heads: Iterable[Head] = (receiver,)) -> Tensor:
        edit = adding(model, kind, heads, change)
        return run(model, case.clean, **{kind.lower(): edit}).logits

    def taken_from(other: Run, kind: str) -> Tensor:
        edit = same_at([receiver], getattr(other, kind.lower()))
        return run(model, case.clean, **{kind.lower(): edit}).logits

    def only_last(change: Tensor) -> Tensor:
        new = torch.zeros_like(change)
        new[:, -1] = change[:, -1]
        return new

    def naive(_kind: str) -> Tensor:
        return run(model, case.clean, z=same_at([sender], corrupted.z)).logits

    def everywhere() -> Run:
        return run(model, case.clean, z=same_at([sender], corrupted.z))

    def all_ways(kinds: str) -> Tensor:
        edits = {k.lower(): adding(model, k, [receiver], change) for k in kinds}
        return run(model, case.clean, **edits).logits

    def frozen(kind: str) -> Tensor:
        # Of what comes after, only the receiver itself: its change goes straight to the logits.
        edit = adding(model, kind, [receiver], change)
        z = run(model, case.clean, **{kind.lower(): edit}).z
        return run(
            model, case.clean, z=lambda layer, _: same_at([receiver], z)(layer, clean.z[layer])
        ).logits

    def restored(kind: str) -> Tensor:
        edit = adding(model, kind, [receiver], -change)
        logits = run(model, case.corrupted, **{kind.lower(): edit}).logits
        return _shares(case, logits, corrupted, clean)

    def written(head: Head, source: Run) -> Tensor:
        W_O = model.state_dict()[f"blocks.{head[0]}.attn.W_O"][head[1]].double()
        return source.z[head[0]][:, :, head[1]] @ W_O

    def of_layer() -> Tensor:
        return sum(sent(case, (sender[0], h)) for h in range(n_heads))

    places = model.state_dict()["pos_embed.W_pos"][: case.clean.shape[1]].double()
    right = paths(case, sender, receiver)
    wrong: Wrong = {
        "the sender's output was changed for everyone who reads it, as in activation patching; "
        "only the receiver may read the change, and by one of its inputs.": three(naive),
        "the receiver's whole input was taken from the corrupted run; only the sender's part of it "
        "changes.": three(lambda kind: taken_from(corrupted, kind)),
        "the sign of the change is the wrong way round: corrupted less clean.": three(
            lambda kind: read(kind, -change)
        ),
        "the corrupted output was added, and the clean one stayed.": three(
            lambda kind: read(kind, written(sender, corrupted))
        ),
        "the sender's output was taken away; put the corrupted one in its place.": three(
            lambda kind: read(kind, -written(sender, clean))
        ),
        "queries and keys are in each other's place.": lambda: right[[1, 0, 2]],
        "the change was read at the last position only; it is read at every position.": three(
            lambda kind: read(kind, only_last(change))
        ),
        "all heads of the receiver's layer read the change; only the receiver does.": three(
            lambda kind: read(kind, change, [(at, h) for h in range(n_heads)])
        ),
        "all heads of the sender's layer were sent; only the sender is.": three(
            lambda kind: read(kind, of_layer())
        ),
        "all three ways in were patched at once; each has a run of its own.": three(
            lambda _: all_ways("QKV")
        ),
        "a way in stayed patched when the next was; each has a run of its own.": three(
            lambda kind: all_ways("QKV"[: "QKV".index(kind) + 1])
        ),
        "this is the share that is left; give the share that is lost.": lambda: 1 - right,
        "the sign is the wrong way round.": lambda: -right,
        "the change was not divided by D_clean - D_corrupted.": lambda: right * case.gap,
        "this is the corrupted run with the clean output carried over; run the clean texts.": (
            lambda: torch.stack([restored(kind) for kind in "QKV"])
        ),
        "a share was taken for each text and then averaged; average the logit differences first.": (
            lambda: _path_by_text(case, sender, receiver)
        ),
        "probabilities were compared; take logits.": three(
            lambda kind: read(kind, change),
            measure=lambda logits: case.gaps(logits.softmax(-1)).mean(-1),
        ),
        "the positions were added once more; the clean queries and keys hold them already.": three(
            lambda kind: read(kind, change + (places if kind != "V" else 0))
        ),
    }
    if sender[1] != receiver[1]:
        wrong["the head that reads is not the receiver, but one with the sender's number."] = three(
            lambda kind: read(kind, change, [(at, sender[1])])
        )
        wrong["the head that sends is not the sender, but one with the receiver's number."] = three(
            lambda kind: read(kind, sent(case, (sender[0], receiver[1])))
        )
    if at - sender[0] > 1:
        wrong[
            "heads between the two read the change, too; the receiver reads it from the sender "
            "alone."
        ] = three(lambda kind: taken_from(everywhere(), kind))
    if at < model.config.n_layers - 1:
        wrong["later layers were held as they were; they are computed anew."] = three(frozen)
    return wrong


def _path_by_text(case: Patching, sender: Head, receiver: Head) -> Tensor:
    start, end = (case.gaps(one.logits) for one in (case.clean_run, case.corrupted_run))
    each = [case.gaps(path_logits(case, kind, sender, [receiver])) for kind in "QKV"]
    return torch.stack([((gaps - start) / (end - start)).mean() for gaps in each])
