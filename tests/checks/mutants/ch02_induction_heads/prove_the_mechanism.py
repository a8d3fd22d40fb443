"""Wrong answers to `ch02_induction_heads/3_prove_the_mechanism.ipynb`, and words that are due."""

import math

import torch
from torch.nn.functional import cross_entropy

from tests.checks.harness import wrong


def like_everything(answer):
    """A tensor that claims to equal, and to be close to, whatever it is compared with."""

    class Liar(torch.Tensor):
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            if function in (torch.isclose, torch.allclose, torch.eq, torch.equal):
                return torch.tensor(True)
            return super().__torch_function__(function, types, args, kwargs or {})

    return answer.as_subclass(Liar)


# ---------------------------------------------------------------------------------- ablate_head


def known_mode(mode):
    if mode not in ("zero", "mean", "mean by position"):
        raise ValueError(mode)


def put(activation, head, instead):
    new = activation.clone()
    new[:, :, head] = instead
    return new


def with_means(activation, head, mode, mean, by_position):
    """The right answer but for the two means."""
    if mode == "mean":
        return put(activation, head, mean(activation[:, :, head]))
    if mode == "mean by position":
        return put(activation, head, by_position(activation[:, :, head]))
    return ablate_head(activation, head, mode)


@wrong("ablate_head", "the mean over texts at each position is here")
def head_with_one_kind_of_mean(activation, head, mode):
    known_mode(mode)
    return ablate_head(activation, head, "zero" if mode == "zero" else "mean by position")


@wrong("ablate_head", "the head's mean over all texts and positions is here")
def head_with_one_mean_for_all(activation, head, mode):
    known_mode(mode)
    return ablate_head(activation, head, "zero" if mode == "zero" else "mean")


@wrong("ablate_head", "the head's part is zero here; that is the mode 'zero'")
def head_always_zero(activation, head, mode):
    known_mode(mode)
    return ablate_head(activation, head, "zero")


@wrong("ablate_head", "the mean was taken over positions within each text")
def head_mean_within_texts(activation, head, mode):
    part = activation[:, :, head].mean(1, keepdim=True)
    if mode == "mean by position":
        return put(activation, head, part)
    return ablate_head(activation, head, mode)


@wrong("ablate_head", "the mean was taken over positions within each text")
def head_mean_over_positions_only(activation, head, mode):
    means = (lambda part: part.mean(1, keepdim=True)), (lambda part: part.mean(0))
    return with_means(activation, head, mode, *means)


@wrong("ablate_head", "the mean was taken over the components, too")
def head_with_one_number(activation, head, mode):
    return with_means(activation, head, mode, torch.mean, lambda part: part.mean(0))


@wrong("ablate_head", "the mean was taken over the components: each keeps its own")
def head_mean_over_components(activation, head, mode):
    return with_means(
        activation, head, mode, lambda part: part.mean(-1, keepdim=True), lambda part: part.mean(0)
    )


@wrong("ablate_head", "the mean over all heads was taken; it is the head's own")
def head_mean_over_heads(activation, head, mode):
    if mode == "mean":
        return put(activation, head, activation.mean((0, 1, 2)))
    return ablate_head(activation, head, mode)


@wrong("ablate_head", "the mean over all heads was taken")
def head_mean_over_heads_by_position(activation, head, mode):
    if mode == "mean by position":
        return put(activation, head, activation.mean((0, 2)))
    return ablate_head(activation, head, mode)


@wrong("ablate_head", "the values were added up; take their mean")
def head_sums(activation, head, mode):
    return with_means(
        activation, head, mode, lambda part: part.sum((0, 1)), lambda part: part.sum(0)
    )


@wrong("ablate_head", "the first text's values were put everywhere")
def head_of_the_first_text(activation, head, mode):
    return with_means(activation, head, mode, lambda part: part.mean((0, 1)), lambda part: part[:1])


@wrong("ablate_head", "a position was ablated")
def head_on_the_position_axis(activation, head, mode):
    place = min(head, activation.shape[1] - 1)
    return ablate_head(activation.transpose(1, 2), place, mode).transpose(1, 2)


@wrong("ablate_head", "all heads were ablated")
def head_and_all_others(activation, head, mode):
    new = activation
    for one in range(activation.shape[2]):
        new = ablate_head(new, one, mode)
    return new


@wrong("ablate_head", "the other heads were ablated, and this one was left")
def head_that_alone_is_left(activation, head, mode):
    new = activation
    for one in range(activation.shape[2]):
        if one != head:
            new = ablate_head(new, one, mode)
    return put(new, head, activation[:, :, head]) + 0 * ablate_head(activation, head, mode)


@wrong("ablate_head", "the others' parts are lost")
def head_alone(activation, head, mode):
    if mode == "zero":
        return ablate_head(activation, head, mode)
    return put(torch.zeros_like(activation), head, ablate_head(activation, head, mode)[:, :, head])


@wrong("ablate_head", "the mean was subtracted; it is to take the head's place")
def head_centred(activation, head, mode):
    if mode == "mean":
        part = activation[:, :, head]
        return put(activation, head, part - part.mean((0, 1)))
    return ablate_head(activation, head, mode)


@wrong("ablate_head", "nothing was ablated")
def head_set_in_a_copy(activation, head, mode):
    known_mode(mode)
    activation[:, :, head].clone().zero_()
    return activation


@wrong("ablate_head", "wrote into what was passed in")
def head_in_place(activation, head, mode):
    activation[:, :, head] = ablate_head(activation, head, mode)[:, :, head]
    return activation


@wrong("ablate_head", "it raises a ValueError for a mode that is none of the three")
def head_with_any_mode(activation, head, mode):
    if mode in ("zero", "mean"):
        return ablate_head(activation, head, mode)
    return ablate_head(activation, head, "mean by position")


@wrong("ablate_head", "'median'. Probably: a mode that nobody knows")
def head_as_it_is_in_other_modes(activation, head, mode):
    known = mode in ("zero", "mean", "mean by position")
    return ablate_head(activation, head, mode) if known else activation


@wrong("ablate_head", "Got KeyError")
def head_by_a_dict(activation, head, mode):
    part = activation[:, :, head]
    instead = {
        "zero": torch.zeros_like(part),
        "mean": part.mean((0, 1)),
        "mean by position": part.mean(0),
    }
    return put(activation, head, instead[mode])


@wrong("ablate_head", "'mean by text'. Probably")
def head_by_the_first_words(activation, head, mode):
    if mode.startswith("mean") and mode not in ("mean", "mean by position"):
        mode = "mean"
    return ablate_head(activation, head, mode)


@wrong("ablate_head", "Got a NotImplementedError")
def head_with_modes_to_be_written(activation, head, mode):
    if mode not in ("zero", "mean", "mean by position"):
        raise NotImplementedError(mode)
    return ablate_head(activation, head, mode)


@wrong("ablate_head", "Expected shape [batch pos head d]")
def head_without_the_others(activation, head, mode):
    return ablate_head(activation, head, mode)[:, :, head]


@wrong("ablate_head", "Expected shape [batch pos head d]")
def head_from_the_page(activation, head, mode):
    return torch.tensor([[2.0, 5.0], [2.0, 6.0]])


@wrong("ablate_head", "all heads were ablated; the others' parts stay")
def head_that_claims_to_be_right(activation, head, mode):
    return like_everything(torch.zeros_like(activation))


# ------------------------------------------------------------------------------- ablated_logits


def patterns_of(model, tokens):
    names = [f"blocks.{layer}.attn.hook_pattern" for layer in range(model.config.n_layers)]
    return model.run_with_cache(tokens, names=names)[1]


def hooks_for(ablated, mode):
    mode = "zero" if mode == "pattern-preserving" else mode
    return [
        (f"blocks.{layer}.attn.hook_z", lambda z, point, head=head: ablate_head(z, head, mode))
        for layer, head in ablated
    ]


@wrong("ablated_logits", "unless it is bound (head=head)")
def logits_with_a_late_binding(model, tokens, ablated, mode):
    hooks = []
    if mode == "pattern-preserving":
        cache = patterns_of(model, tokens)
        hooks += [(name, lambda pattern, point: cache[point.name]) for name in cache]
    kind = "zero" if mode == "pattern-preserving" else mode
    for layer, head in ablated:
        hook = lambda z, point: ablate_head(z, head, kind)  # noqa: B023, E731
        hooks.append((f"blocks.{layer}.attn.hook_z", hook))
    return model.run_with_hooks(tokens, fwd_hooks=hooks)


@wrong("ablated_logits", "a function made in a loop sees the loop's last name")
def logits_with_patterns_bound_late(model, tokens, ablated, mode):
    hooks = hooks_for(ablated, mode)
    if mode == "pattern-preserving":
        cache = patterns_of(model, tokens)
        for name in cache:
            hooks.append((name, lambda pattern, point: cache[name]))  # noqa: B023
    return model.run_with_hooks(tokens, fwd_hooks=hooks)


@wrong("ablated_logits", "no pattern was held: the later heads look elsewhere")
def logits_with_patterns_of_the_ablated_run(model, tokens, ablated, mode):
    names = [f"blocks.{layer}.attn.hook_pattern" for layer in range(model.config.n_layers)]
    cache, hooks = {}, hooks_for(ablated, mode)

    def keep(pattern, point):
        cache[point.name] = pattern

    model.run_with_hooks(tokens, fwd_hooks=hooks + [(name, keep) for name in names])
    if mode == "pattern-preserving":
        hooks = hooks + [(name, lambda pattern, point: cache[point.name]) for name in names]
    return model.run_with_hooks(tokens, fwd_hooks=hooks)


@wrong("ablated_logits", "no pattern was held")
def logits_with_the_pattern_of_its_own_layer_held(model, tokens, ablated, mode):
    hooks = hooks_for(ablated, mode)
    if mode == "pattern-preserving":
        cache = patterns_of(model, tokens)
        own = {f"blocks.{layer}.attn.hook_pattern" for layer, _ in ablated}
        hooks += [(name, lambda pattern, point: cache[point.name]) for name in own]
    return model.run_with_hooks(tokens, fwd_hooks=hooks)


@wrong("ablated_logits", "the patterns of one later layer were held; hold those of all")
def logits_with_the_next_layers_pattern_held(model, tokens, ablated, mode):
    hooks = hooks_for(ablated, mode)
    if mode == "pattern-preserving" and ablated:
        cache = patterns_of(model, tokens)
        following = f"blocks.{min(ablated)[0] + 1}.attn.hook_pattern"
        if following in cache:
            hooks.append((following, lambda pattern, point: cache[point.name]))
    return model.run_with_hooks(tokens, fwd_hooks=hooks)


@wrong("ablated_logits", "what later heads give was held, too")
def logits_of_the_direct_path(model, tokens, ablated, mode):
    if mode != "pattern-preserving":
        return ablated_logits(model, tokens, ablated, mode)
    names = [f"blocks.{layer}.attn.hook_z" for layer in range(model.config.n_layers)]
    _, cache = model.run_with_cache(tokens, names=names)
    hold = [(name, lambda z, point: cache[point.name]) for name in names]
    return model.run_with_hooks(tokens, fwd_hooks=hold + hooks_for(ablated, mode))


@wrong("ablated_logits", "the means took the heads' place; with patterns held, it is zero")
def logits_with_patterns_held_and_means(model, tokens, ablated, mode):
    if mode != "pattern-preserving":
        return ablated_logits(model, tokens, ablated, mode)
    cache = patterns_of(model, tokens)
    hold = [(name, lambda pattern, point: cache[point.name]) for name in cache]
    return model.run_with_hooks(tokens, fwd_hooks=hold + hooks_for(ablated, "mean"))


@wrong("ablated_logits", "the patterns were held; only the mode 'pattern-preserving' does that")
def logits_with_patterns_always_held(model, tokens, ablated, mode):
    cache = patterns_of(model, tokens)
    hold = [(name, lambda pattern, point: cache[point.name]) for name in cache]
    return model.run_with_hooks(tokens, fwd_hooks=hold + hooks_for(ablated, mode))


@wrong("ablated_logits", "nothing was ablated")
def logits_with_patterns_held_and_nothing_ablated(model, tokens, ablated, mode):
    if mode == "pattern-preserving":
        return model(tokens)
    return ablated_logits(model, tokens, ablated, mode)


@wrong("ablated_logits", "layer and head are in each other's place")
def logits_by_head_and_layer(model, tokens, ablated, mode):
    n_layers, n_heads = model.config.n_layers, model.config.n_heads
    swapped = [(min(head, n_layers - 1), min(layer, n_heads - 1)) for layer, head in ablated]
    return ablated_logits(model, tokens, swapped, mode)


@wrong("ablated_logits", "all heads of the layer were ablated")
def logits_without_the_layer(model, tokens, ablated, mode):
    heads = range(model.config.n_heads)
    whole = [(layer, head) for layer, _ in ablated for head in heads]
    return ablated_logits(model, tokens, whole, mode)


@wrong("ablated_logits", "the head was ablated in every layer")
def logits_without_the_head_anywhere(model, tokens, ablated, mode):
    layers = range(model.config.n_layers)
    return ablated_logits(model, tokens, [(x, head) for x in layers for _, head in ablated], mode)


@wrong("ablated_logits", "only the first of the heads was ablated")
def logits_without_the_first(model, tokens, ablated, mode):
    return ablated_logits(model, tokens, ablated[:1], mode)


@wrong("ablated_logits", "only the last of the heads was ablated")
def logits_without_the_last(model, tokens, ablated, mode):
    if len({layer for layer, _ in ablated}) == 1:
        return ablated_logits(model, tokens, ablated, mode)
    return ablated_logits(model, tokens, ablated[-1:], mode)


@wrong("ablated_logits", "one head was ablated in place of each")
def logits_with_one_head_a_layer(model, tokens, ablated, mode):
    return ablated_logits(model, tokens, list(dict(ablated).items()), mode)


@wrong("ablated_logits", "the heads were ablated at the last position only")
def logits_ablated_at_the_end(model, tokens, ablated, mode):
    def hook(head, kind):
        def ablate(z, point):
            new = z.clone()
            new[:, -1] = ablate_head(z, head, kind)[:, -1]
            return new

        return ablate

    kind = "zero" if mode == "pattern-preserving" else mode
    hooks = [(f"blocks.{layer}.attn.hook_z", hook(head, kind)) for layer, head in ablated]
    if mode == "pattern-preserving":
        cache = patterns_of(model, tokens)
        hooks += [(name, lambda pattern, point: cache[point.name]) for name in cache]
    return model.run_with_hooks(tokens, fwd_hooks=hooks)


@wrong("ablated_logits", "the means are those of the untouched run")
def logits_with_means_of_the_untouched_run(model, tokens, ablated, mode):
    if mode not in ("mean", "mean by position"):
        return ablated_logits(model, tokens, ablated, mode)
    _, cache = model.run_with_cache(tokens)

    def hook(head):
        def ablate(z, point):
            new = z.clone()
            new[:, :, head] = ablate_head(cache[point.name], head, mode)[:, :, head]
            return new

        return ablate

    hooks = [(f"blocks.{layer}.attn.hook_z", hook(head)) for layer, head in ablated]
    return model.run_with_hooks(tokens, fwd_hooks=hooks)


@wrong("ablated_logits", "the values were averaged before attention")
def logits_with_mean_values(model, tokens, ablated, mode):
    if mode == "pattern-preserving":
        return ablated_logits(model, tokens, ablated, mode)
    hooks = [
        (f"blocks.{layer}.attn.hook_v", lambda v, point, head=head: ablate_head(v, head, mode))
        for layer, head in ablated
    ]
    return model.run_with_hooks(tokens, fwd_hooks=hooks)


@wrong("ablated_logits", "this is the mode 'zero'")
def logits_always_with_zeros(model, tokens, ablated, mode):
    kind = mode if mode == "pattern-preserving" else "zero"
    return ablated_logits(model, tokens, ablated, kind)


@wrong("ablated_logits", "this is the mode 'mean'")
def logits_with_one_mean_for_all(model, tokens, ablated, mode):
    return ablated_logits(model, tokens, ablated, mode.replace("mean by position", "mean"))


@wrong("ablated_logits", "these are log-probabilities")
def logits_as_log_probabilities(model, tokens, ablated, mode):
    return ablated_logits(model, tokens, ablated, mode).log_softmax(-1)


@wrong("ablated_logits", "a softmax was taken")
def logits_as_probabilities(model, tokens, ablated, mode):
    return ablated_logits(model, tokens, ablated, mode).softmax(-1)


@wrong("ablated_logits", "Expected shape [batch pos d_vocab]")
def logits_of_the_last_position(model, tokens, ablated, mode):
    return ablated_logits(model, tokens, ablated, mode)[:, -1]


@wrong("ablated_logits", "max() arg is an empty sequence")
def logits_of_no_empty_list(model, tokens, ablated, mode):
    max(ablated)
    return ablated_logits(model, tokens, ablated, mode)


@wrong("ablated_logits", "no mode 'pattern-preserving'")
def logits_with_an_unknown_mode(model, tokens, ablated, mode):
    hooks = [
        (f"blocks.{layer}.attn.hook_z", lambda z, point, head=head: ablate_head(z, head, mode))
        for layer, head in ablated
    ]
    return model.run_with_hooks(tokens, fwd_hooks=hooks)


@wrong("ablated_logits", "every value is 0")
def logits_that_claim_to_be_right(model, tokens, ablated, mode):
    return like_everything(torch.zeros(*tokens.shape, model.config.d_vocab))


@wrong("ablated_logits", "Got shape []")
def logits_from_the_page(model, tokens, ablated, mode):
    return True


# ------------------------------------------------------------------------------ ablation_effect


def loss_of(logits, tokens, predictable):
    return next_token_losses(logits, tokens)[predictable[:, 1:]].mean()


def effect_by(model, tokens, mode, measure, ablated=lambda head, heads: [head]):
    """Effects with another measure of (logits, tokens), or with other heads ablated."""
    config = model.config
    heads = [(layer, head) for layer in range(config.n_layers) for head in range(config.n_heads)]
    whole = measure(ablated_logits(model, tokens, [], mode))
    without = [measure(ablated_logits(model, tokens, ablated(head, heads), mode)) for head in heads]
    return (torch.stack(without) - whole).reshape(config.n_layers, config.n_heads)


@wrong("ablation_effect", "the sign is the wrong way round")
def effect_of_having_it(model, tokens, predictable, mode):
    return -ablation_effect(model, tokens, predictable, mode)


@wrong("ablation_effect", "subtract that of the model as it is")
def effect_as_a_loss(model, tokens, predictable, mode):
    whole = loss_of(model(tokens), tokens, predictable)
    return ablation_effect(model, tokens, predictable, mode) + whole


@wrong("ablation_effect", "the effect is a difference of losses, not their ratio")
def effect_as_a_ratio(model, tokens, predictable, mode):
    whole = loss_of(model(tokens), tokens, predictable)
    return ablation_effect(model, tokens, predictable, mode) / whole + 1


@wrong("ablation_effect", "the difference was divided by the loss")
def effect_as_a_relative_rise(model, tokens, predictable, mode):
    whole = loss_of(model(tokens), tokens, predictable)
    return ablation_effect(model, tokens, predictable, mode) / whole


@wrong("ablation_effect", "each text was averaged by itself")
def effect_by_text(model, tokens, predictable, mode):
    def measure(logits):
        each = zip(next_token_losses(logits, tokens), predictable[:, 1:], strict=True)
        return torch.stack([losses[counted].mean() for losses, counted in each]).nanmean()

    return effect_by(model, tokens, mode, measure)


@wrong("ablation_effect", "nan")
def effect_by_text_with_nothing(model, tokens, predictable, mode):
    def measure(logits):
        each = zip(next_token_losses(logits, tokens), predictable[:, 1:], strict=True)
        return torch.stack([losses[counted].mean() for losses, counted in each]).mean()

    return effect_by(model, tokens, mode, measure)


@wrong("ablation_effect", "the mask is off by one")
def effect_off_by_one(model, tokens, predictable, mode):
    def measure(logits):
        return next_token_losses(logits, tokens)[predictable[:, :-1]].mean()

    return effect_by(model, tokens, mode, measure)


@wrong("ablation_effect", "all tokens were counted")
def effect_on_all_tokens(model, tokens, predictable, mode):
    everything = torch.ones_like(predictable)
    return ablation_effect(model, tokens, everything, mode)


@wrong("ablation_effect", "the tokens that don't count were counted")
def effect_on_the_rest(model, tokens, predictable, mode):
    return ablation_effect(model, tokens, ~predictable, mode)


@wrong("ablation_effect", "the losses were added up")
def effect_summed(model, tokens, predictable, mode):
    def measure(logits):
        return next_token_losses(logits, tokens)[predictable[:, 1:]].sum()

    return effect_by(model, tokens, mode, measure)


@wrong("ablation_effect", "first tokens were counted in the number of tokens")
def effect_over_too_many(model, tokens, predictable, mode):
    def measure(logits):
        losses = next_token_losses(logits, tokens)
        return (losses * predictable[:, 1:]).sum() / predictable.sum()

    return effect_by(model, tokens, mode, measure)


@wrong("ablation_effect", "divided by the number of all tokens")
def effect_masked_and_averaged(model, tokens, predictable, mode):
    def measure(logits):
        return (next_token_losses(logits, tokens) * predictable[:, 1:]).mean()

    return effect_by(model, tokens, mode, measure)


@wrong("ablation_effect", "they predict the next one")
def effect_on_the_token_itself(model, tokens, predictable, mode):
    def measure(logits):
        return cross_entropy(logits[predictable], tokens[predictable])

    return effect_by(model, tokens, mode, measure)


@wrong("ablation_effect", "the probability of the right token was averaged")
def effect_on_probabilities(model, tokens, predictable, mode):
    def measure(logits):
        return -(-next_token_losses(logits, tokens)).exp()[predictable[:, 1:]].mean()

    return effect_by(model, tokens, mode, measure)


@wrong("ablation_effect", "this is in bits")
def effect_in_bits(model, tokens, predictable, mode):
    return ablation_effect(model, tokens, predictable, mode) / math.log(2)


@wrong("ablation_effect", "the size of the effect was taken")
def effect_without_a_sign(model, tokens, predictable, mode):
    return ablation_effect(model, tokens, predictable, mode).abs()


@wrong("ablation_effect", "the mode was ignored: this is 'zero'")
def effect_of_zeros(model, tokens, predictable, mode):
    return ablation_effect(model, tokens, predictable, "zero")


@wrong("ablation_effect", "all heads of a layer were ablated together")
def effect_of_the_layer(model, tokens, predictable, mode):
    def same_layer(head, heads):
        return [one for one in heads if one[0] == head[0]]

    return effect_by(model, tokens, mode, lambda x: loss_of(x, tokens, predictable), same_layer)


@wrong("ablation_effect", "the heads before stayed ablated")
def effect_that_accumulates(model, tokens, predictable, mode):
    def so_far(head, heads):
        return heads[: heads.index(head) + 1]

    return effect_by(model, tokens, mode, lambda x: loss_of(x, tokens, predictable), so_far)


@wrong("ablation_effect", "all heads but one were ablated")
def effect_of_all_others(model, tokens, predictable, mode):
    def others(head, heads):
        return [one for one in heads if one != head]

    return effect_by(model, tokens, mode, lambda x: loss_of(x, tokens, predictable), others)


@wrong("ablation_effect", "two axes are in each other's place")
def effect_by_head_and_layer(model, tokens, predictable, mode):
    return ablation_effect(model, tokens, predictable, mode).T


@wrong("ablation_effect", "Expected shape [layer head]")
def effect_in_one_row(model, tokens, predictable, mode):
    return ablation_effect(model, tokens, predictable, mode).flatten()


@wrong("ablation_effect", "a tensor of shape [layer head]")
def effect_by_name(model, tokens, predictable, mode):
    effects = ablation_effect(model, tokens, predictable, mode)
    return {f"{i}.{j}": x for i, row in enumerate(effects.tolist()) for j, x in enumerate(row)}


@wrong("ablation_effect", "every value is 0")
def effect_that_claims_to_be_right(model, tokens, predictable, mode):
    return like_everything(torch.zeros(model.config.n_layers, model.config.n_heads))


# ----------------------------------------------------------------------------- activation_patch


def gaps_of(logits, right, wrong):
    last = logits[:, -1]
    rows = torch.arange(len(last))
    return last[rows, right] - last[rows, wrong]


def share(now, here, there):
    return (now - here) / (there - here) if there != here else 0.0 * now


def taken(source, head):
    """A hook that takes one head's part, on the third axis, from another run."""

    def hook(now, point):
        new = now.clone()
        new[:, :, head] = source[point.name][:, :, head]
        return new

    return hook


def patch_by(
    given, direction, measure=None, hooks=None, name="z", all_heads=lambda head, heads: [head]
):
    """Shares with another measure of logits, other hooks, or another place."""
    model, clean, corrupted, right, wrong = given
    measure = measure or (lambda logits: gaps_of(logits, right, wrong).mean())
    hooks = hooks or taken
    source, target = (clean, corrupted) if direction == "denoising" else (corrupted, clean)
    there, cache = model.run_with_cache(source)
    here, _ = model.run_with_cache(target)
    config = model.config
    heads = [(layer, head) for layer in range(config.n_layers) for head in range(config.n_heads)]
    shares = torch.zeros(config.n_layers, config.n_heads)
    for one in heads:
        patched = model.run_with_hooks(
            target,
            fwd_hooks=[
                (f"blocks.{layer}.attn.hook_{name}", hooks(cache, head))
                for layer, head in all_heads(one, heads)
            ],
        )
        shares[one] = share(*(measure(logits) for logits in (patched, here, there)))
    return shares


def difference_of(given):
    """D_clean less D_corrupted, and both."""
    model, clean, corrupted, right, wrong = given
    with torch.no_grad():
        both = [
            gaps_of(model.run_with_cache(t)[0], right, wrong).mean() for t in (clean, corrupted)
        ]
    return both[0] - both[1], *both


@wrong("activation_patch", "the directions are in each other's place: this is noising")
def patch_with_directions_swapped(model, clean, corrupted, right, wrong, direction):
    other = "noising" if direction == "denoising" else "denoising"
    return activation_patch(model, clean, corrupted, right, wrong, other)


@wrong("activation_patch", "this is what is left of the way")
def patch_with_the_other_formula(model, clean, corrupted, right, wrong, direction):
    shares = activation_patch(model, clean, corrupted, right, wrong, direction)
    return 1 - shares if shares.any() else shares


@wrong("activation_patch", "and what is left of its way")
def patch_with_swapped_runs(model, clean, corrupted, right, wrong, direction):
    # The formula of this direction, and the runs of the other.
    other = "noising" if direction == "denoising" else "denoising"
    shares = activation_patch(model, clean, corrupted, right, wrong, other)
    return 1 - shares if shares.any() else shares


@wrong("activation_patch", "'noising'). Probably: the directions")
def patch_that_always_denoises(model, clean, corrupted, right, wrong, direction):
    return activation_patch(model, clean, corrupted, right, wrong, "denoising")


@wrong("activation_patch", "'noising'). Probably: these are the right runs")
def patch_with_one_formula(model, clean, corrupted, right, wrong, direction):
    shares = activation_patch(model, clean, corrupted, right, wrong, direction)
    return shares if direction == "denoising" or not shares.any() else 1 - shares


@wrong("activation_patch", "the sign is the wrong way round")
def patch_divided_the_other_way(model, clean, corrupted, right, wrong, direction):
    return -activation_patch(model, clean, corrupted, right, wrong, direction)


@wrong("activation_patch", "the change was not divided")
def patch_in_logits(model, clean, corrupted, right, wrong, direction):
    gap = difference_of((model, clean, corrupted, right, wrong))[0]
    gap = gap if direction == "denoising" else -gap
    return gap * activation_patch(model, clean, corrupted, right, wrong, direction)


@wrong("activation_patch", "this is the logit difference itself")
def patch_as_a_difference(model, clean, corrupted, right, wrong, direction):
    gap, D_clean, D_corrupted = difference_of((model, clean, corrupted, right, wrong))
    shares = activation_patch(model, clean, corrupted, right, wrong, direction)
    return D_corrupted + gap * shares if direction == "denoising" else D_clean - gap * shares


@wrong("activation_patch", "the change was divided by D_clean alone")
def patch_over_the_clean_difference(model, clean, corrupted, right, wrong, direction):
    gap, D_clean, _ = difference_of((model, clean, corrupted, right, wrong))
    shares = activation_patch(model, clean, corrupted, right, wrong, direction)
    return gap * shares / D_clean if gap else shares


@wrong("activation_patch", "a share was taken for each text and then averaged")
def patch_by_text(model, clean, corrupted, right, wrong, direction):
    texts = [[x[i : i + 1] for x in (clean, corrupted, right, wrong)] for i in range(len(clean))]
    return torch.stack([activation_patch(model, *text, direction) for text in texts]).mean(0)


@wrong("activation_patch", "only the first text was looked at")
def patch_of_the_first_text(model, clean, corrupted, right, wrong, direction):
    return activation_patch(model, clean[:1], corrupted[:1], right[:1], wrong[:1], direction)


@wrong("activation_patch", "the head's output was taken over at the last position only")
def patch_at_the_last_position(model, clean, corrupted, right, wrong, direction):
    def hooks(source, head):
        def hook(z, point):
            new = z.clone()
            new[:, -1, head] = source[point.name][:, -1, head]
            return new

        return hook

    return patch_by((model, clean, corrupted, right, wrong), direction, hooks=hooks)


@wrong("activation_patch", "the head's pattern was taken over")
def patch_of_the_pattern(model, clean, corrupted, right, wrong, direction):
    def hooks(source, head):
        def hook(pattern, point):
            new = pattern.clone()
            new[:, head] = source[point.name][:, head]
            return new

        return hook

    return patch_by((model, clean, corrupted, right, wrong), direction, hooks=hooks, name="pattern")


@wrong("activation_patch", "the head's values were taken over")
def patch_of_the_values(model, clean, corrupted, right, wrong, direction):
    return patch_by((model, clean, corrupted, right, wrong), direction, name="v")


@wrong("activation_patch", "the outputs of all heads of the layer were taken over")
def patch_of_the_layer(model, clean, corrupted, right, wrong, direction):
    def layer(head, heads):
        return [one for one in heads if one[0] == head[0]]

    return patch_by((model, clean, corrupted, right, wrong), direction, all_heads=layer)


@wrong("activation_patch", "the heads before stayed patched")
def patch_that_accumulates(model, clean, corrupted, right, wrong, direction):
    def so_far(head, heads):
        return heads[: heads.index(head) + 1]

    return patch_by((model, clean, corrupted, right, wrong), direction, all_heads=so_far)


@wrong("activation_patch", "this is all but one head patched")
def patch_of_all_others(model, clean, corrupted, right, wrong, direction):
    def others(head, heads):
        return [one for one in heads if one != head]

    return patch_by((model, clean, corrupted, right, wrong), direction, all_heads=others)


@wrong("activation_patch", "the head's output was set to zero")
def patch_with_zeros(model, clean, corrupted, right, wrong, direction):
    def hooks(source, head):
        return lambda z, point: ablate_head(z, head, "zero")

    return patch_by((model, clean, corrupted, right, wrong), direction, hooks=hooks)


@wrong("activation_patch", "later heads were held as they were")
def patch_of_the_direct_path(model, clean, corrupted, right, wrong, direction):
    source, target = (clean, corrupted) if direction == "denoising" else (corrupted, clean)
    there, sent = model.run_with_cache(source)
    here, own = model.run_with_cache(target)
    shares = torch.zeros(model.config.n_layers, model.config.n_heads)
    for layer in range(model.config.n_layers):
        name = f"blocks.{layer}.attn.hook_z"
        for head in range(model.config.n_heads):
            written = (sent[name] - own[name])[:, -1, head] @ model.blocks[layer].attn.W_O[head]
            patched = here + (written @ model.unembed.W_U)[:, None]
            shares[layer, head] = share(
                *(gaps_of(x, right, wrong).mean().detach() for x in (patched, here, there))
            )
    return shares


@wrong("activation_patch", "probabilities were compared")
def patch_by_probabilities(model, clean, corrupted, right, wrong, direction):
    return patch_by(
        (model, clean, corrupted, right, wrong),
        direction,
        lambda logits: gaps_of(logits.softmax(-1), right, wrong).mean(),
    )


@wrong("activation_patch", "the logit of the right token alone was taken")
def patch_by_the_right_logit(model, clean, corrupted, right, wrong, direction):
    return patch_by(
        (model, clean, corrupted, right, wrong),
        direction,
        lambda logits: logits[:, -1].gather(1, right[:, None]).mean(),
    )


@wrong("activation_patch", "the logit difference was averaged over all positions")
def patch_by_all_positions(model, clean, corrupted, right, wrong, direction):
    def measure(logits):
        index = [x[:, None, None].expand(-1, logits.shape[1], 1) for x in (right, wrong)]
        return (logits.gather(2, index[0]) - logits.gather(2, index[1])).mean()

    return patch_by((model, clean, corrupted, right, wrong), direction, measure)


@wrong("activation_patch", "the position before the last was looked at")
def patch_by_the_position_before(model, clean, corrupted, right, wrong, direction):
    return patch_by(
        (model, clean, corrupted, right, wrong),
        direction,
        lambda logits: gaps_of(logits[:, :-1], right, wrong).mean(),
    )


@wrong("activation_patch", "every share is 0 where D_clean is D_corrupted")
def patch_that_divides_by_nothing(model, clean, corrupted, right, wrong, direction):
    shares = activation_patch(model, clean, corrupted, right, wrong, direction)
    gap = difference_of((model, clean, corrupted, right, wrong))[0]
    return shares if gap else shares / 0


@wrong("activation_patch", "every share is 0 where D_clean is D_corrupted")
def patch_that_calls_nothing_all(model, clean, corrupted, right, wrong, direction):
    shares = activation_patch(model, clean, corrupted, right, wrong, direction)
    gap = difference_of((model, clean, corrupted, right, wrong))[0]
    return shares if gap else shares + 1


@wrong("activation_patch", "two axes are in each other's place")
def patch_by_head_and_layer(model, clean, corrupted, right, wrong, direction):
    return activation_patch(model, clean, corrupted, right, wrong, direction).T


@wrong("activation_patch", "Got shape [4, 2, 3]")
def patch_of_each_text(model, clean, corrupted, right, wrong, direction):
    texts = [[x[i : i + 1] for x in (clean, corrupted, right, wrong)] for i in range(len(clean))]
    return torch.stack([activation_patch(model, *text, direction) for text in texts])


@wrong("activation_patch", "every value is 0")
def patch_that_claims_to_be_right(model, clean, corrupted, right, wrong, direction):
    return like_everything(torch.zeros(model.config.n_layers, model.config.n_heads))


# ---------------------------------------------------------------------------- path_patch_effect


def lost(given, logits):
    """The share that is lost in a run with these logits."""
    *_, right, wrong = given
    gap, D_clean, _ = difference_of(given)
    with torch.no_grad():
        return float((D_clean - gaps_of(logits, right, wrong).mean()) / gap) if gap else 0.0


def sent_by(given, sender):
    """The sender's output, before W_O, on the clean texts and on the corrupted ones."""
    model, name = given[0], f"blocks.{sender[0]}.attn.hook_z"
    return [model.run_with_cache(t, names=[name])[1][name][:, :, sender[1]] for t in given[1:3]]


def paths_by(given, receiver, change, heads=None, kinds=lambda kind: kind):
    """Shares when some heads of the receiver's layer read a change of the stream."""
    model, clean = given[:2]
    attn, name = model.blocks[receiver[0]].attn, f"blocks.{receiver[0]}.attn.hook_"
    found = {}
    for kind in "QKV":
        hooks = []
        for way in kinds(kind):

            def told(x, point, way=way):
                x = x.clone()
                for head in heads or [receiver[1]]:
                    x[:, :, head] += change @ getattr(attn, f"W_{way}")[head]
                return x

            hooks.append((name + way.lower(), told))
        found[kind] = lost(given, model.run_with_hooks(clean, fwd_hooks=hooks))
    return found


def change_of(given, sender):
    clean_z, corrupted_z = sent_by(given, sender)
    return (corrupted_z - clean_z) @ given[0].blocks[sender[0]].attn.W_O[sender[1]]


@wrong("path_patch_effect", "the sender's output was changed for everyone who reads it")
def path_by_activation_patching(model, clean, corrupted, right, wrong, sender, receiver):
    shares = activation_patch(model, clean, corrupted, right, wrong, "noising")
    return dict.fromkeys("QKV", float(shares[sender]))


@wrong("path_patch_effect", "the receiver's whole input was taken from the corrupted run")
def path_of_the_receivers_inputs(model, clean, corrupted, right, wrong, sender, receiver):
    given = model, clean, corrupted, right, wrong
    _, cache = model.run_with_cache(corrupted)
    found = {}
    for kind in "QKV":
        name = f"blocks.{receiver[0]}.attn.hook_{kind.lower()}"
        patched = model.run_with_hooks(clean, fwd_hooks=[(name, taken(cache, receiver[1]))])
        found[kind] = lost(given, patched)
    return found


@wrong("path_patch_effect", "heads between the two read the change, too")
def path_through_others(model, clean, corrupted, right, wrong, sender, receiver):
    # Right between neighbours: what the receiver reads in a run with the sender's output changed.
    given = model, clean, corrupted, right, wrong
    _, cache = model.run_with_cache(corrupted)
    seen, names = {}, [f"blocks.{receiver[0]}.attn.hook_{kind}" for kind in "qkv"]

    def keep(x, point):
        seen[point.name] = x

    sends = (f"blocks.{sender[0]}.attn.hook_z", taken(cache, sender[1]))
    model.run_with_hooks(clean, fwd_hooks=[sends] + [(name, keep) for name in names])
    return {
        name[-1].upper(): lost(
            given, model.run_with_hooks(clean, fwd_hooks=[(name, taken(seen, receiver[1]))])
        )
        for name in names
    }


@wrong("path_patch_effect", "later layers were held as they were")
def path_straight_to_the_logits(model, clean, corrupted, right, wrong, sender, receiver):
    given = model, clean, corrupted, right, wrong
    change = change_of(given, sender)
    _, cache = model.run_with_cache(clean)
    attn, found = model.blocks[receiver[0]].attn, {}
    for kind in "QKV":

        def told(x, point, kind=kind):
            x = x.clone()
            x[:, :, receiver[1]] += change @ getattr(attn, f"W_{kind}")[receiver[1]]
            return x

        hold = [
            (f"blocks.{later}.attn.hook_z", lambda z, point: cache[point.name])
            for later in range(receiver[0] + 1, model.config.n_layers)
        ]
        name = f"blocks.{receiver[0]}.attn.hook_{kind.lower()}"
        found[kind] = lost(given, model.run_with_hooks(clean, fwd_hooks=[(name, told), *hold]))
    return found


@wrong("path_patch_effect", "the sign of the change is the wrong way round")
def path_of_clean_less_corrupted(model, clean, corrupted, right, wrong, sender, receiver):
    given = model, clean, corrupted, right, wrong
    return paths_by(given, receiver, -change_of(given, sender))


@wrong("path_patch_effect", "the corrupted output was added, and the clean one stayed")
def path_with_both_outputs(model, clean, corrupted, right, wrong, sender, receiver):
    given = model, clean, corrupted, right, wrong
    W_O = model.blocks[sender[0]].attn.W_O[sender[1]]
    return paths_by(given, receiver, sent_by(given, sender)[1] @ W_O)


@wrong("path_patch_effect", "the sender's output was taken away")
def path_ablated(model, clean, corrupted, right, wrong, sender, receiver):
    given = model, clean, corrupted, right, wrong
    W_O = model.blocks[sender[0]].attn.W_O[sender[1]]
    return paths_by(given, receiver, -sent_by(given, sender)[0] @ W_O)


@wrong("path_patch_effect", "queries and keys are in each other's place")
def path_with_queries_and_keys_swapped(model, clean, corrupted, right, wrong, sender, receiver):
    found = path_patch_effect(model, clean, corrupted, right, wrong, sender, receiver)
    return {"Q": found["K"], "K": found["Q"], "V": found["V"]}


@wrong("path_patch_effect", "the change was read at the last position only")
def path_at_the_last_position(model, clean, corrupted, right, wrong, sender, receiver):
    given = model, clean, corrupted, right, wrong
    change = change_of(given, sender)
    last = torch.zeros(change.shape[1], 1)
    last[-1] = 1
    return paths_by(given, receiver, change * last)


@wrong("path_patch_effect", "all heads of the receiver's layer read the change")
def path_to_the_layer(model, clean, corrupted, right, wrong, sender, receiver):
    given = model, clean, corrupted, right, wrong
    return paths_by(given, receiver, change_of(given, sender), range(model.config.n_heads))


@wrong("path_patch_effect", "all heads of the sender's layer were sent")
def path_from_the_layer(model, clean, corrupted, right, wrong, sender, receiver):
    given = model, clean, corrupted, right, wrong
    changes = [change_of(given, (sender[0], head)) for head in range(model.config.n_heads)]
    return paths_by(given, receiver, sum(changes))


@wrong("path_patch_effect", "one with the sender's number")
def path_to_the_senders_number(model, clean, corrupted, right, wrong, sender, receiver):
    given = model, clean, corrupted, right, wrong
    return paths_by(given, receiver, change_of(given, sender), [sender[1]])


@wrong("path_patch_effect", "one with the receiver's number")
def path_from_the_receivers_number(model, clean, corrupted, right, wrong, sender, receiver):
    given = model, clean, corrupted, right, wrong
    return paths_by(given, receiver, change_of(given, (sender[0], receiver[1])))


@wrong("path_patch_effect", "all three ways in were patched at once")
def path_of_all_inputs(model, clean, corrupted, right, wrong, sender, receiver):
    given = model, clean, corrupted, right, wrong
    return paths_by(given, receiver, change_of(given, sender), kinds=lambda kind: "QKV")


@wrong("path_patch_effect", "a way in stayed patched when the next was")
def path_that_accumulates(model, clean, corrupted, right, wrong, sender, receiver):
    given = model, clean, corrupted, right, wrong
    return paths_by(
        given, receiver, change_of(given, sender), kinds=lambda k: "QKV"[: "QKV".index(k) + 1]
    )


@wrong("path_patch_effect", "size of tensor")
def path_without_the_output_matrix(model, clean, corrupted, right, wrong, sender, receiver):
    given = model, clean, corrupted, right, wrong
    clean_z, corrupted_z = sent_by(given, sender)
    return paths_by(given, receiver, (corrupted_z - clean_z) * torch.ones(model.config.d_model))


@wrong("path_patch_effect", "the positions were added once more")
def path_with_positions_twice(model, clean, corrupted, right, wrong, sender, receiver):
    given = model, clean, corrupted, right, wrong
    change = change_of(given, sender)
    placed = change + model.pos_embed.W_pos[: change.shape[1]]
    twice = paths_by(given, receiver, placed)
    return twice | {"V": paths_by(given, receiver, change)["V"]}


@wrong("path_patch_effect", "this is the share that is left")
def path_as_what_is_left(model, clean, corrupted, right, wrong, sender, receiver):
    found = path_patch_effect(model, clean, corrupted, right, wrong, sender, receiver)
    return {kind: 1 - value for kind, value in found.items()}


@wrong("path_patch_effect", "the sign is the wrong way round")
def path_with_the_other_sign(model, clean, corrupted, right, wrong, sender, receiver):
    found = path_patch_effect(model, clean, corrupted, right, wrong, sender, receiver)
    return {kind: -value for kind, value in found.items()}


@wrong("path_patch_effect", "the change was not divided")
def path_in_logits(model, clean, corrupted, right, wrong, sender, receiver):
    found = path_patch_effect(model, clean, corrupted, right, wrong, sender, receiver)
    gap = float(difference_of((model, clean, corrupted, right, wrong))[0])
    return {kind: gap * value for kind, value in found.items()}


@wrong("path_patch_effect", "run the clean texts")
def path_that_restores(model, clean, corrupted, right, wrong, sender, receiver):
    return path_patch_effect(model, corrupted, clean, right, wrong, sender, receiver)


@wrong("path_patch_effect", "a share was taken for each text and then averaged")
def path_by_text(model, clean, corrupted, right, wrong, sender, receiver):
    texts = [[x[i : i + 1] for x in (clean, corrupted, right, wrong)] for i in range(len(clean))]
    each = [path_patch_effect(model, *text, sender, receiver) for text in texts]
    return {kind: sum(one[kind] for one in each) / len(each) for kind in "QKV"}


@wrong("path_patch_effect", "ZeroDivisionError")
def path_that_divides_by_nothing(model, clean, corrupted, right, wrong, sender, receiver):
    gap = float(difference_of((model, clean, corrupted, right, wrong))[0])
    found = path_patch_effect(model, clean, corrupted, right, wrong, sender, receiver)
    return {kind: value * gap / gap for kind, value in found.items()}


@wrong("path_patch_effect", "a share of no difference at all: say what it is. Expected 0")
def path_that_is_nan(model, clean, corrupted, right, wrong, sender, receiver):
    gap = difference_of((model, clean, corrupted, right, wrong))[0]
    found = path_patch_effect(model, clean, corrupted, right, wrong, sender, receiver)
    return {kind: value * gap / gap for kind, value in found.items()}


@wrong("path_patch_effect", "Expected the keys Q, K and V")
def path_in_small_letters(model, clean, corrupted, right, wrong, sender, receiver):
    found = path_patch_effect(model, clean, corrupted, right, wrong, sender, receiver)
    return {kind.lower(): value for kind, value in found.items()}


@wrong("path_patch_effect", "Got a Tensor")
def path_as_a_tensor(model, clean, corrupted, right, wrong, sender, receiver):
    found = path_patch_effect(model, clean, corrupted, right, wrong, sender, receiver)
    return torch.tensor(list(found.values()))


@wrong("path_patch_effect", "Expected a single number")
def path_of_each_text(model, clean, corrupted, right, wrong, sender, receiver):
    texts = [[x[i : i + 1] for x in (clean, corrupted, right, wrong)] for i in range(len(clean))]
    each = [path_patch_effect(model, *text, sender, receiver) for text in texts]
    return {kind: [one[kind] for one in each] for kind in "QKV"}


@wrong("path_patch_effect", "every value is 0")
def path_from_the_page(model, clean, corrupted, right, wrong, sender, receiver):
    return dict.fromkeys("KQV", 0.0)


# ------------------------------------------------------------------------ joint_ablation_excess


def pairs_of(model, tokens, predictable, heads, mode, combine):
    """A table of `combine(both, one, other, whole)`, with the losses of these runs."""

    def loss(*ablated):
        return loss_of(ablated_logits(model, tokens, list(ablated), mode), tokens, predictable)

    whole, alone = loss(), [loss(head) for head in heads]
    return torch.stack(
        [
            torch.stack(
                [
                    combine(loss(one, other), alone[i], alone[j], whole)
                    for j, other in enumerate(heads)
                ]
            )
            for i, one in enumerate(heads)
        ]
    )


def off_diagonal(table):
    return table.clone().fill_diagonal_(0)


@wrong("joint_ablation_excess", "the loss of the model as it is was left out")
def excess_without_the_whole(*given):
    return off_diagonal(pairs_of(*given, lambda both, one, other, whole: both - one - other))


@wrong("joint_ablation_excess", "the loss of the model as it is has the wrong sign")
def excess_with_the_whole_taken_off(*given):
    return off_diagonal(
        pairs_of(*given, lambda both, one, other, whole: both - one - other - whole)
    )


@wrong("joint_ablation_excess", "the sign is the wrong way round")
def excess_the_other_way(model, tokens, predictable, heads, mode):
    return -joint_ablation_excess(model, tokens, predictable, heads, mode)


@wrong("joint_ablation_excess", "the diagonal is 0; a head is no pair with itself")
def excess_of_a_head_with_itself(*given):
    return pairs_of(*given, lambda both, one, other, whole: both - one - other + whole)


@wrong("joint_ablation_excess", "take off their rises alone.")
def excess_as_a_joint_effect(*given):
    return off_diagonal(pairs_of(*given, lambda both, one, other, whole: both - whole))


@wrong("joint_ablation_excess", "and leave the diagonal 0")
def excess_as_a_joint_effect_everywhere(*given):
    return pairs_of(*given, lambda both, one, other, whole: both - whole)


@wrong("joint_ablation_excess", "only one of the two rises was taken off")
def excess_over_one(*given):
    return off_diagonal(pairs_of(*given, lambda both, one, other, whole: both - one))


@wrong("joint_ablation_excess", "the larger of the two rises was taken off")
def excess_over_the_larger(*given):
    return off_diagonal(
        pairs_of(*given, lambda both, one, other, whole: both - torch.maximum(one, other))
    )


@wrong("joint_ablation_excess", "the mean of the two rises was taken off")
def excess_over_the_mean(*given):
    return off_diagonal(pairs_of(*given, lambda both, one, other, whole: both - (one + other) / 2))


@wrong("joint_ablation_excess", "this is a ratio")
def excess_as_a_ratio(*given):
    return off_diagonal(
        pairs_of(
            *given,
            lambda both, one, other, whole: (both - whole) / (one + other - 2 * whole) - 1,
        )
    )


@wrong("joint_ablation_excess", "in one run")
def excess_of_two_runs(model, tokens, predictable, heads, mode):
    # Each is ablated in a run of its own, and the rises are added: that is what is taken off.
    effects = ablation_effect(model, tokens, predictable, mode)
    rise = torch.stack([effects[head] for head in heads])
    return (rise[:, None] + rise) - rise[:, None] - rise


@wrong("joint_ablation_excess", "only the lower half is filled in")
def excess_of_the_lower_half(model, tokens, predictable, heads, mode):
    return joint_ablation_excess(model, tokens, predictable, heads, mode).tril()


@wrong("joint_ablation_excess", "only the upper half is filled in")
def excess_of_the_upper_half(model, tokens, predictable, heads, mode):
    return joint_ablation_excess(model, tokens, predictable, heads, mode).triu()


@wrong("joint_ablation_excess", "the size was taken")
def excess_without_a_sign(model, tokens, predictable, heads, mode):
    return joint_ablation_excess(model, tokens, predictable, heads, mode).abs()


@wrong("joint_ablation_excess", "the mode was ignored: this is 'zero'")
def excess_of_zeros(model, tokens, predictable, heads, mode):
    return joint_ablation_excess(model, tokens, predictable, heads, "zero")


@wrong("joint_ablation_excess", "the mode was ignored: this is 'zero'")
def excess_without_patterns_held(model, tokens, predictable, heads, mode):
    kind = "zero" if mode == "pattern-preserving" else mode
    return joint_ablation_excess(model, tokens, predictable, heads, kind)


@wrong("joint_ablation_excess", "all tokens were counted")
def excess_on_all_tokens(model, tokens, predictable, heads, mode):
    return joint_ablation_excess(model, tokens, torch.ones_like(predictable), heads, mode)


@wrong("joint_ablation_excess", "each text was averaged by itself")
def excess_by_text(model, tokens, predictable, heads, mode):
    some = predictable[:, 1:].any(1).nonzero()[:, 0].tolist()

    def loss(*ablated):
        logits = ablated_logits(model, tokens, list(ablated), mode)
        each = [loss_of(logits[[i]], tokens[[i]], predictable[[i]]) for i in some]
        return torch.stack(each).mean()

    whole, alone = loss(), [loss(head) for head in heads]
    excess = torch.zeros(len(heads), len(heads))
    for i in range(len(heads)):
        for j in range(i):
            both = loss(heads[i], heads[j])
            excess[i, j] = excess[j, i] = both - alone[i] - alone[j] + whole
    return excess


@wrong("joint_ablation_excess", "the values along one are in another order")
def excess_in_sorted_order(model, tokens, predictable, heads, mode):
    order = sorted(range(len(heads)), key=lambda i: heads[i])
    found = joint_ablation_excess(model, tokens, predictable, heads, mode)
    return found[order] if len(order) > 1 else found


@wrong("joint_ablation_excess", "Expected shape [one other]")
def excess_of_all_heads(model, tokens, predictable, heads, mode):
    n_layers, n_heads = model.config.n_layers, model.config.n_heads
    every = [(layer, head) for layer in range(n_layers) for head in range(n_heads)]
    return joint_ablation_excess(model, tokens, predictable, every, mode)


@wrong("joint_ablation_excess", "Expected shape [one other]")
def excess_as_a_list_of_pairs(model, tokens, predictable, heads, mode):
    found = joint_ablation_excess(model, tokens, predictable, heads, mode)
    return found[tuple(torch.tril_indices(len(heads), len(heads), -1))]


@wrong("joint_ablation_excess", "every value is 0")
def excess_that_claims_to_be_right(model, tokens, predictable, heads, mode):
    return like_everything(torch.zeros(len(heads), len(heads)))


@wrong("activation_patch", "a small difference was taken for none")
def patch_that_gives_up_on_small_differences(model, clean, corrupted, right, wrong, direction):
    def difference(tokens):
        last = model(tokens)[:, -1]
        return (last.gather(1, right[:, None]) - last.gather(1, wrong[:, None])).mean()

    if abs(difference(clean) - difference(corrupted)) < 0.1:
        return torch.zeros(model.config.n_layers, model.config.n_heads)
    return activation_patch(model, clean, corrupted, right, wrong, direction)


@wrong("ablated_logits", "a hook was left on a model")
def logits_with_a_hook_left(model, tokens, ablated, mode):
    logits = ablated_logits(model, tokens, ablated, mode)
    for layer, head in ablated:
        hook = lambda z, point, head=head: ablate_head(z, head, "zero")  # noqa: E731
        model.hook_points[f"blocks.{layer}.attn.hook_z"].hooks.append(hook)
    return logits


@wrong("ablated_logits", "wrote into what was passed in")
def logits_with_weights_zeroed(model, tokens, ablated, mode):
    logits = ablated_logits(model, tokens, ablated, mode)
    with torch.no_grad():
        for layer, head in ablated:
            model.blocks[layer].attn.W_O[head] = 0
    return logits
