"""Wrong answers to `ch03_grokking/1_watch_it_grok.ipynb`, with words that a check must say."""

import math

import torch

from mechcourse import modular
from tests.checks.harness import wrong

# -------------------------------------------------------------------- modular_addition_dataset


def built(p, fraction, seed, tokens=None, labels=None, mask=None):
    """A dataset with some of its parts made otherwise."""
    pairs = torch.cartesian_prod(torch.arange(p), torch.arange(p))
    a, b = pairs.T
    random = torch.Generator().manual_seed(seed)
    order = torch.randperm(p * p, generator=random)
    is_train = torch.zeros(p * p, dtype=torch.bool)
    is_train[order[: int(fraction * p * p)]] = True
    return (
        torch.stack([a, b, torch.full_like(a, p)], dim=1) if tokens is None else tokens(a, b),
        (a + b) % p if labels is None else labels(a, b),
        is_train if mask is None else mask(a, b, random),
    )


@wrong("modular_addition_dataset", "a changes fastest")
def dataset_in_the_order_of_b(p, fraction, *, seed):
    return built(p, fraction, seed, lambda a, b: torch.stack([b, a, 0 * a + p], 1))


@wrong("modular_addition_dataset", "the token 0 stands for")
def dataset_with_zero_for_equals(p, fraction, *, seed):
    return built(p, fraction, seed, lambda a, b: torch.stack([a, b, 0 * a], 1))


@wrong("modular_addition_dataset", "the last number stands for")
def dataset_with_the_last_number_for_equals(p, fraction, *, seed):
    return built(p, fraction, seed, lambda a, b: torch.stack([a, b, 0 * a + p - 1], 1))


@wrong("modular_addition_dataset", "the first that is no number")
def dataset_with_a_gap_before_equals(p, fraction, *, seed):
    return built(p, fraction, seed, lambda a, b: torch.stack([a, b, 0 * a + p + 1], 1))


@wrong("modular_addition_dataset", "stands between a and b")
def dataset_with_equals_between(p, fraction, *, seed):
    return built(p, fraction, seed, lambda a, b: torch.stack([a, 0 * a + p, b], 1))


@wrong("modular_addition_dataset", "the model would be told the answer")
def dataset_that_tells_the_answer(p, fraction, *, seed):
    return built(p, fraction, seed, lambda a, b: torch.stack([a, b, (a + b) % p], 1))


@wrong("modular_addition_dataset", "shape [pair token] = [49, 3]")
def dataset_without_equals(p, fraction, *, seed):
    return built(p, fraction, seed, lambda a, b: torch.stack([a, b], 1))


@wrong("modular_addition_dataset", "two axes are in each other's place")
def dataset_with_tokens_first(p, fraction, *, seed):
    return built(p, fraction, seed, lambda a, b: torch.stack([a, b, 0 * a + p]))


@wrong("modular_addition_dataset", "not taken modulo p")
def dataset_without_modulo(p, fraction, *, seed):
    return built(p, fraction, seed, labels=lambda a, b: a + b)


@wrong("modular_addition_dataset", "modulo p + 1")
def dataset_modulo_the_vocabulary(p, fraction, *, seed):
    return built(p, fraction, seed, labels=lambda a, b: (a + b) % (p + 1))


@wrong("modular_addition_dataset", "this is the difference")
def dataset_of_differences(p, fraction, *, seed):
    return built(p, fraction, seed, labels=lambda a, b: (a - b) % p)


@wrong("modular_addition_dataset", "labels are whole numbers")
def dataset_of_float_labels(p, fraction, *, seed):
    return built(p, fraction, seed, labels=lambda a, b: ((a + b) % p).float())


@wrong("modular_addition_dataset", "a mask drawn pair by pair holds another number each time")
def dataset_with_pairs_drawn_one_by_one(p, fraction, *, seed):
    return built(
        p, fraction, seed, mask=lambda a, b, random: torch.rand(p * p, generator=random) < fraction
    )


@wrong("modular_addition_dataset", "cut off what comes after the point")
def dataset_rounded_to_nearest(p, fraction, *, seed):
    def mask(a, b, random):
        order = torch.randperm(p * p, generator=random)
        return order.argsort() < round(fraction * p * p)

    return built(p, fraction, seed, mask=mask)


@wrong("modular_addition_dataset", "True and False are in each other's place")
def dataset_with_the_test_pairs_marked(p, fraction, *, seed):
    tokens, labels, is_train = built(p, fraction, seed)
    return tokens, labels, ~is_train


@wrong("modular_addition_dataset", "pairs of one a hang together")
def dataset_that_trains_on_a_block(p, fraction, *, seed):
    def mask(a, b, random):
        start = torch.randint(0, p * p, (), generator=random)
        return (torch.arange(p * p) - start) % (p * p) < int(fraction * p * p)

    return built(p, fraction, seed, mask=mask)


@wrong("modular_addition_dataset", "what is drawn does not come from the seed")
def dataset_that_trains_on_the_first_pairs(p, fraction, *, seed):
    return built(p, fraction, 0)


@wrong("modular_addition_dataset", "does not come from the seed")
def dataset_without_the_seed(p, fraction, *, seed):
    mask = torch.zeros(p * p, dtype=torch.bool)
    mask[torch.randperm(p * p)[: int(fraction * p * p)]] = True
    return built(p, fraction, seed, mask=lambda a, b, random: mask)


@wrong("modular_addition_dataset", "some pairs are drawn more often than others")
def dataset_that_favours_small_numbers(p, fraction, *, seed):
    def mask(a, b, random):
        noise = torch.rand(p * p, generator=random) + (a + b) / p / 4
        return noise.argsort().argsort() < int(fraction * p * p)

    return built(p, fraction, seed, mask=mask)


@wrong("modular_addition_dataset", "they are spread out on purpose")
def dataset_spread_over_sums(p, fraction, *, seed):
    def mask(a, b, random):
        noise = torch.rand(p, p, generator=random)
        rank = noise.argsort(1).argsort(1)[(a + b) % p, a].double()
        rank = rank + torch.rand(p, generator=random)[(a + b) % p]
        return rank.argsort().argsort() < int(fraction * p * p)

    return built(p, fraction, seed, mask=mask)


@wrong("modular_addition_dataset", "a pair and its mirror (b, a) are drawn together")
def dataset_of_mirrors(p, fraction, *, seed):
    def mask(a, b, random):
        noise = torch.rand(p, p, generator=random).triu()
        noise = (noise + noise.triu(1).T).flatten()
        return noise.argsort(stable=True).argsort() < int(fraction * p * p)

    return built(p, fraction, seed, mask=mask)


@wrong("modular_addition_dataset", "these may be the places of the pairs")
def dataset_with_places_in_order(p, fraction, *, seed):
    return built(p, fraction, seed, mask=lambda a, b, random: torch.randperm(p * p))


@wrong("modular_addition_dataset", "shape [pair] = [49]")
def dataset_with_an_index(p, fraction, *, seed):
    def mask(a, b, random):
        return torch.randperm(p * p, generator=random)[: int(fraction * p * p)]

    return built(p, fraction, seed, mask=mask)


@wrong("modular_addition_dataset", "a tuple (tokens, labels, is_train)")
def dataset_without_labels(p, fraction, *, seed):
    tokens, _, is_train = built(p, fraction, seed)
    return tokens, is_train


@wrong("modular_addition_dataset", "this is what the exercise asks you to write")
def dataset_by_the_library(p, fraction, *, seed):
    train, _ = modular.split(p, fraction, seed)
    return built(p, fraction, seed, mask=lambda a, b, random: train)


@wrong("modular_addition_dataset", "in each other's place")
def dataset_of_the_example(p, fraction, *, seed):
    tokens, labels, _ = built(p, fraction, seed)
    return tokens, labels, torch.arange(p * p) >= int(fraction * p * p)


# ----------------------------------------------------------------------- cross_entropy_float64


def own(log_probs, labels):
    return log_probs.gather(-1, labels[:, None])[:, 0]


@wrong("cross_entropy_float64", "this is what float32 gives")
def loss_in_float32(logits, labels):
    return torch.nn.functional.cross_entropy(logits, labels)


@wrong("cross_entropy_float64", "this is what float32 gives")
def loss_made_double_too_late(logits, labels):
    return -own(logits.log_softmax(-1).double(), labels).mean()


@wrong("cross_entropy_float64", "this is what float32 gives")
def loss_with_a_softmax_in_float32(logits, labels):
    return -own(logits.softmax(-1).double().log(), labels).mean()


@wrong("cross_entropy_float64", "log_softmax does both at once")
def loss_by_softmax_then_log(logits, labels):
    return -own(logits.double().softmax(-1).log(), labels).mean()


@wrong("cross_entropy_float64", "infinity over infinity is NaN")
def loss_by_exponentials(logits, labels):
    weights = logits.double().exp()
    return -own((weights / weights.sum(-1, keepdim=True)).log(), labels).mean()


@wrong("cross_entropy_float64", "a loss below 0")
def loss_with_an_epsilon(logits, labels):
    return -own((logits.double().softmax(-1) + 1e-8).log(), labels).mean()


@wrong("cross_entropy_float64", "the loss is held away from 0")
def loss_with_a_clamped_probability(logits, labels):
    return -own(logits.double().softmax(-1).clamp(1e-9, 1 - 1e-9).log(), labels).mean()


@wrong("cross_entropy_float64", "the loss is cut off")
def loss_with_a_floor_under_the_probability(logits, labels):
    return -own(logits.double().softmax(-1).clamp(min=1e-30).log(), labels).mean()


@wrong("cross_entropy_float64", "the loss is cut off")
def loss_with_clamped_logits(logits, labels):
    return -own(logits.double().clamp(-100, 100).log_softmax(-1), labels).mean()


@wrong("cross_entropy_float64", "the losses were added up")
def loss_summed(logits, labels):
    return -own(logits.double().log_softmax(-1), labels).sum()


@wrong("cross_entropy_float64", "each pair's own loss")
def loss_for_each_pair(logits, labels):
    return -own(logits.double().log_softmax(-1), labels)


@wrong("cross_entropy_float64", "the sign is missing")
def loss_without_its_sign(logits, labels):
    return own(logits.double().log_softmax(-1), labels).mean()


@wrong("cross_entropy_float64", "in bits")
def loss_in_bits(logits, labels):
    return -own(logits.double().log_softmax(-1), labels).mean() / math.log(2)


@wrong("cross_entropy_float64", "taken over pairs")
def loss_with_a_softmax_over_pairs(logits, labels):
    return -own(logits.double().log_softmax(0), labels).mean()


@wrong("cross_entropy_float64", "the softmax was taken twice")
def loss_with_two_softmaxes(logits, labels):
    return torch.nn.functional.cross_entropy(logits.double().softmax(-1), labels)


@wrong("cross_entropy_float64", "the largest logit was taken for the right one")
def loss_of_the_largest(logits, labels):
    return -logits.double().log_softmax(-1).amax(-1).mean()


@wrong("cross_entropy_float64", "every pair's loss was taken for every label")
def loss_of_all_pairs_with_all_labels(logits, labels):
    return -logits.double().log_softmax(-1)[:, labels].mean()


@wrong("cross_entropy_float64", "the log of the mean probability")
def loss_of_the_mean_probability(logits, labels):
    return -own(logits.double().softmax(-1), labels).mean().log()


@wrong("cross_entropy_float64", "the last number was left out")
def loss_without_the_last_number(logits, labels):
    log_probs = logits[:, :-1].double().log_softmax(-1)
    return -own(log_probs, labels.clamp(max=logits.shape[1] - 2)).mean()


@wrong("cross_entropy_float64", "this is what the exercise asks you to write")
def loss_by_the_library(logits, labels):
    return modular.exact_cross_entropy(logits, labels).mean()


@wrong("cross_entropy_float64", "Expected")
def loss_of_the_example(logits, labels):
    return torch.tensor(1.17e-9)


# ------------------------------------------------------------------------------ grokking_delay


def first_run(accuracy, threshold, hold):
    """The look at which a run of so many begins, or None."""
    above = (accuracy >= threshold).tolist()
    for i in range(len(above) - hold + 1):
        if all(above[i : i + hold]):
            return i
    return None


def from_looks(steps, train, test, find):
    """The delay between two looks, by a rule."""
    looks = [find(train), find(test)]
    if looks[0] is None:
        raise ValueError
    return math.inf if looks[1] is None else float(steps[looks[1]] - steps[looks[0]])


@wrong("grokking_delay", "a run can begin at place len - hold")
def delay_with_a_short_range(steps, train_accuracy, test_accuracy, *, threshold, hold):
    reached = []
    for accuracy in (train_accuracy, test_accuracy):
        above = (accuracy >= threshold).tolist()
        starts = [i for i in range(len(above) - hold) if all(above[i : i + hold])]
        reached.append(float(steps[starts[0]]) if starts else math.inf)
    if math.isinf(reached[0]):
        if all((train_accuracy >= threshold)[-hold:]) and hold <= len(train_accuracy):
            reached[0] = float(steps[-hold])
        else:
            raise ValueError("never")
    return reached[1] - reached[0]


@wrong("grokking_delay", "looks were counted")
def delay_in_looks(steps, train_accuracy, test_accuracy, *, threshold, hold):
    places = torch.arange(len(steps))
    return from_looks(
        places, train_accuracy, test_accuracy, lambda x: first_run(x, threshold, hold)
    )


@wrong("grokking_delay", "the wrong way round")
def delay_backwards(steps, train_accuracy, test_accuracy, *, threshold, hold):
    return -from_looks(
        steps, train_accuracy, test_accuracy, lambda x: first_run(x, threshold, hold)
    )


@wrong("grokking_delay", "a look just at the threshold counts")
def delay_strictly_above(steps, train_accuracy, test_accuracy, *, threshold, hold):
    return from_looks(
        steps, train_accuracy, test_accuracy, lambda x: first_run(x, threshold + 1e-6, hold)
    )


@wrong("grokking_delay", "`hold` was ignored: the first look")
def delay_without_hold(steps, train_accuracy, test_accuracy, *, threshold, hold):
    return from_looks(steps, train_accuracy, test_accuracy, lambda x: first_run(x, threshold, 1))


@wrong("grokking_delay", "one look too many was asked for")
def delay_with_one_look_more(steps, train_accuracy, test_accuracy, *, threshold, hold):
    return from_looks(
        steps, train_accuracy, test_accuracy, lambda x: first_run(x, threshold, hold + 1)
    )


@wrong("grokking_delay", "one look too few was asked for")
def delay_with_one_look_less(steps, train_accuracy, test_accuracy, *, threshold, hold):
    return from_looks(
        steps, train_accuracy, test_accuracy, lambda x: first_run(x, threshold, max(hold - 1, 1))
    )


@wrong("grokking_delay", "the last look of the run was taken")
def delay_to_the_end_of_the_run(steps, train_accuracy, test_accuracy, *, threshold, hold):
    def find(accuracy):
        first = first_run(accuracy, threshold, hold)
        return None if first is None else first + hold - 1

    # Both are late by as many looks, not by as many steps.
    return from_looks(steps, train_accuracy, test_accuracy, find)


@wrong("grokking_delay", "stay for the whole rest")
def delay_to_what_stays(steps, train_accuracy, test_accuracy, *, threshold, hold):
    def find(accuracy):
        below = (accuracy < threshold).nonzero()
        first = int(below[-1]) + 1 if len(below) else 0
        return first if first < len(accuracy) else None

    return from_looks(steps, train_accuracy, test_accuracy, find)


@wrong("grokking_delay", "in a row or not, were above was taken")
def delay_to_so_many_looks(steps, train_accuracy, test_accuracy, *, threshold, hold):
    def find(accuracy):
        above = (accuracy >= threshold).nonzero().flatten().tolist()
        return above[hold - 1] if len(above) >= hold else None

    return from_looks(steps, train_accuracy, test_accuracy, find)


@wrong("grokking_delay", "the mean over `hold` looks")
def delay_of_smoothed_curves(steps, train_accuracy, test_accuracy, *, threshold, hold):
    def find(accuracy):
        if hold > len(accuracy):
            return None
        smooth = accuracy.unfold(0, hold, 1).mean(1)
        return first_run(smooth, threshold, 1)

    return from_looks(steps, train_accuracy, test_accuracy, find)


@wrong("grokking_delay", "only from where the training accuracy is reached")
def delay_that_looks_only_later(steps, train_accuracy, test_accuracy, *, threshold, hold):
    start = first_run(train_accuracy, threshold, hold)
    if start is None:
        raise ValueError
    end = first_run(test_accuracy[start:], threshold, hold)
    return math.inf if end is None else float(steps[start + end] - steps[start])


@wrong("grokking_delay", "the sign was lost")
def delay_without_a_sign(steps, train_accuracy, test_accuracy, *, threshold, hold):
    return abs(
        from_looks(steps, train_accuracy, test_accuracy, lambda x: first_run(x, threshold, hold))
    )


@wrong("grokking_delay", "a run that the end cuts short")
def delay_with_a_run_cut_short(steps, train_accuracy, test_accuracy, *, threshold, hold):
    def find(accuracy):
        above = (accuracy >= threshold).tolist()
        return next((i for i in range(len(above)) if all(above[i : i + hold])), None)

    return from_looks(steps, train_accuracy, test_accuracy, find)


@wrong("grokking_delay", "this is the step of the test accuracy alone")
def delay_from_step_zero(steps, train_accuracy, test_accuracy, *, threshold, hold):
    if first_run(train_accuracy, threshold, hold) is None:
        raise ValueError
    return from_looks(
        steps - steps[first_run(train_accuracy, threshold, hold)] * 0,
        torch.ones(len(steps)),
        test_accuracy,
        lambda x: first_run(x, threshold, hold),
    ) + float(steps[0])


@wrong("grokking_delay", "a test accuracy that is never reached")
def delay_to_the_last_step(steps, train_accuracy, test_accuracy, *, threshold, hold):
    def find(accuracy):
        found = first_run(accuracy, threshold, hold)
        return len(accuracy) - 1 if found is None and accuracy is test_accuracy else found

    return from_looks(steps, train_accuracy, test_accuracy, find)


@wrong("grokking_delay", "NaN is no delay")
def delay_of_nan(steps, train_accuracy, test_accuracy, *, threshold, hold):
    found = from_looks(
        steps, train_accuracy, test_accuracy, lambda x: first_run(x, threshold, hold)
    )
    return math.nan if math.isinf(found) else found


@wrong("grokking_delay", "it raises ValueError where the training accuracy is never reached")
def delay_without_an_error(steps, train_accuracy, test_accuracy, *, threshold, hold):
    try:
        return from_looks(
            steps, train_accuracy, test_accuracy, lambda x: first_run(x, threshold, hold)
        )
    except ValueError:
        return math.inf


@wrong("grokking_delay", "no run is that long")
def delay_with_an_unfold_that_breaks(steps, train_accuracy, test_accuracy, *, threshold, hold):
    def find(accuracy):
        runs = (accuracy >= threshold).unfold(0, hold, 1).all(1).nonzero()
        return int(runs[0]) if len(runs) else None

    return from_looks(steps, train_accuracy, test_accuracy, find)


@wrong("grokking_delay", "the two steps are to be subtracted")
def delay_as_two_steps(steps, train_accuracy, test_accuracy, *, threshold, hold):
    found = [first_run(x, threshold, hold) for x in (train_accuracy, test_accuracy)]
    return tuple(math.inf if i is None else float(steps[i]) for i in found)


@wrong("grokking_delay", "Expected")
def delay_of_the_example(steps, train_accuracy, test_accuracy, *, threshold, hold):
    return {1: 0.0, 2: 20.0}.get(hold, math.inf)


# -------------------------------------------------------------------------- accuracy_by_mirror


def counted(logits, tokens, is_train, mirrored=None, labels=None, among=None):
    """Accuracies with one of the steps changed."""
    p = logits.shape[1]
    a, b = tokens[:, 0], tokens[:, 1]
    trained = torch.zeros(p, p, dtype=torch.bool)
    trained[a, b] = is_train
    is_mirrored = trained[b, a] if mirrored is None else mirrored(a, b, trained)
    right = (logits.argmax(1) == ((a + b) % p if labels is None else labels(a, b, p))).double()
    tested = ~is_train if among is None else among(a, b)
    one, other = right[tested & is_mirrored], right[tested & ~is_mirrored]
    return len(one) / (len(one) + len(other)), one.mean().item(), other.mean().item()


@wrong("accuracy_by_mirror", "pairs that were trained on were counted as well")
def mirrors_of_all_pairs(logits, tokens, is_train):
    return counted(logits, tokens, is_train, among=lambda a, b: torch.ones_like(is_train))


@wrong("accuracy_by_mirror", "the pairs that were trained on were looked at")
def mirrors_of_the_pairs_trained_on(logits, tokens, is_train):
    return counted(logits, tokens, is_train, among=lambda a, b: is_train)


@wrong("accuracy_by_mirror", "no mirror was found: look up (b, a)")
def mirrors_of_the_pair_itself(logits, tokens, is_train):
    return counted(logits, tokens, is_train, mirrored=lambda a, b, trained: trained[a, b])


@wrong("accuracy_by_mirror", "every mirror was taken for trained on")
def mirrors_that_are_given(logits, tokens, is_train):
    return counted(logits, tokens, is_train, mirrored=lambda a, b, _: torch.ones_like(is_train))


@wrong("accuracy_by_mirror", "the two accuracies are in each other's place")
def mirrors_last(logits, tokens, is_train):
    share, mirrored, others = counted(logits, tokens, is_train)
    return share, others, mirrored


@wrong("accuracy_by_mirror", "the groups are in each other's place")
def mirrors_that_are_tested(logits, tokens, is_train):
    return counted(logits, tokens, is_train, mirrored=lambda a, b, trained: ~trained[b, a])


@wrong("accuracy_by_mirror", "a mirror that is not given was taken as trained on")
def mirrors_by_what_is_tested(logits, tokens, is_train):
    p = logits.shape[1]
    tested = torch.zeros(p, p, dtype=torch.bool)
    tested[tokens[:, 0], tokens[:, 1]] = ~is_train
    return counted(logits, tokens, is_train, mirrored=lambda a, b, _: ~tested[b, a])


@wrong("accuracy_by_mirror", "pairs (a, a) were put with those")
def mirrors_with_the_diagonal(logits, tokens, is_train):
    return counted(
        logits, tokens, is_train, mirrored=lambda a, b, trained: trained[b, a] | (a == b)
    )


@wrong("accuracy_by_mirror", "pairs (a, a) were left out")
def mirrors_without_the_diagonal(logits, tokens, is_train):
    return counted(logits, tokens, is_train, among=lambda a, b: ~is_train & (a != b))


@wrong("accuracy_by_mirror", "told apart by a < b")
def mirrors_by_order(logits, tokens, is_train):
    return counted(logits, tokens, is_train, mirrored=lambda a, b, _: a < b)


@wrong("accuracy_by_mirror", "looked up in the order in which pairs come")
def mirrors_by_place(logits, tokens, is_train):
    p = logits.shape[1]
    padded = torch.zeros(p * p, dtype=torch.bool)
    padded[: len(is_train)] = is_train
    return counted(logits, tokens, is_train, mirrored=lambda a, b, _: padded[b * p + a])


@wrong("accuracy_by_mirror", "for inputs of shape [66, 9]")
def mirrors_in_a_table(logits, tokens, is_train):
    p = logits.shape[1]
    table = is_train.view(p, p)
    return counted(logits, tokens, is_train, mirrored=lambda a, b, _: table.T.flatten())


@wrong("accuracy_by_mirror", "the share is of all pairs")
def mirrors_as_a_share_of_all(logits, tokens, is_train):
    share, mirrored, others = counted(logits, tokens, is_train)
    return share * (~is_train).double().mean().item(), mirrored, others


@wrong("accuracy_by_mirror", "how many pairs have a mirror that was trained on")
def mirrors_counted(logits, tokens, is_train):
    share, mirrored, others = counted(logits, tokens, is_train)
    return round(share * int((~is_train).sum())), mirrored, others


@wrong("accuracy_by_mirror", "the share of pairs trained on")
def mirrors_taken_for_the_fraction(logits, tokens, is_train):
    _, mirrored, others = counted(logits, tokens, is_train)
    return is_train.double().mean().item(), mirrored, others


@wrong("accuracy_by_mirror", "divided by the number of all test pairs")
def mirrors_over_all_test_pairs(logits, tokens, is_train):
    share, mirrored, others = counted(logits, tokens, is_train)
    return share, share * mirrored, (1 - share) * others


@wrong("accuracy_by_mirror", "the right answers were counted")
def mirrors_right_answers(logits, tokens, is_train):
    share, mirrored, others = counted(logits, tokens, is_train)
    n = int((~is_train).sum())
    return share, share * mirrored * n, (1 - share) * others * n


@wrong("accuracy_by_mirror", "not taken modulo p")
def mirrors_without_modulo(logits, tokens, is_train):
    return counted(logits, tokens, is_train, labels=lambda a, b, p: a + b)


@wrong("accuracy_by_mirror", "modulo p + 1")
def mirrors_modulo_the_vocabulary(logits, tokens, is_train):
    return counted(logits, tokens, is_train, labels=lambda a, b, p: (a + b) % (p + 1))


@wrong("accuracy_by_mirror", "an accuracy over no pairs is NaN")
def mirrors_with_zero_for_nothing(logits, tokens, is_train):
    return tuple(0.0 if math.isnan(x) else x for x in counted(logits, tokens, is_train))


@wrong("accuracy_by_mirror", "for inputs of shape [25, 5]")
def mirrors_by_counts(logits, tokens, is_train):
    p = logits.shape[1]
    trained = {(a, b) for (a, b, _), t in zip(tokens.tolist(), is_train, strict=True) if t}
    hits = {True: [0, 0], False: [0, 0]}
    for row, (a, b, _), t in zip(logits, tokens.tolist(), is_train, strict=True):
        if not t:
            group = hits[(b, a) in trained]
            group[0] += int(row.argmax()) == (a + b) % p
            group[1] += 1
    total = hits[True][1] + hits[False][1]
    return hits[True][1] / total, hits[True][0] / hits[True][1], hits[False][0] / hits[False][1]


@wrong("accuracy_by_mirror", "a tuple (share, accuracy_mirrored, accuracy_others)")
def mirrors_without_the_share(logits, tokens, is_train):
    return counted(logits, tokens, is_train)[1:]


@wrong("accuracy_by_mirror", "this is what the exercise asks you to write")
def mirrors_by_the_library(logits, tokens, is_train):
    p = logits.shape[1]
    answers = modular.sums(tokens[:, :2], p)
    return counted(logits, tokens, is_train, labels=lambda a, b, p: answers)


@wrong("accuracy_by_mirror", "Expected")
def mirrors_of_the_example(logits, tokens, is_train):
    return 1 / 3, 1.0, 0.5


# -------------------------------------------------------------------------- mirror_proof_split


def drawn_above(p, fraction, seed, n=None):
    """The pairs with a at most b that are drawn, as a table."""
    a, b = torch.triu_indices(p, p)
    order = torch.randperm(len(a), generator=torch.Generator().manual_seed(seed))
    chosen = order[: int(fraction * p * (p + 1) / 2) if n is None else n]
    table = torch.zeros(p, p, dtype=torch.bool)
    table[a[chosen], b[chosen]] = True
    return table


@wrong("mirror_proof_split", "this is a split like any other")
def split_like_any_other(p, fraction, *, seed):
    return built(p, fraction, seed)[2]


@wrong("mirror_proof_split", "from their mirror")
def split_of_one_half(p, fraction, *, seed):
    return drawn_above(p, fraction, seed).flatten()


@wrong("mirror_proof_split", "draw so many of the pairs with a at most b")
def split_by_either(p, fraction, *, seed):
    table = built(p, fraction, seed)[2].view(p, p)
    return (table | table.T).flatten()


@wrong("mirror_proof_split", "draw so many of the pairs with a at most b")
def split_by_both(p, fraction, *, seed):
    table = built(p, fraction, seed)[2].view(p, p)
    return (table & table.T).flatten()


@wrong("mirror_proof_split", "not of all p²")
def split_of_a_fraction_of_all(p, fraction, *, seed):
    n = min(int(fraction * p * p), p * (p + 1) // 2)
    table = drawn_above(p, fraction, seed, n)
    return (table | table.T).flatten()


@wrong("mirror_proof_split", "pairs (a, a) are drawn like all others")
def split_without_the_diagonal(p, fraction, *, seed):
    a, b = torch.triu_indices(p, p, 1)
    order = torch.randperm(len(a), generator=torch.Generator().manual_seed(seed))
    chosen = order[: int(fraction * len(a))]
    table = torch.zeros(p, p, dtype=torch.bool)
    table[a[chosen], b[chosen]] = True
    return (table | table.T).flatten()


@wrong("mirror_proof_split", "pairs (a, a) are drawn like all others")
def split_with_the_whole_diagonal(p, fraction, *, seed):
    table = split_without_the_diagonal(p, fraction, seed=seed).view(p, p)
    return (table | torch.eye(p).bool()).flatten()


@wrong("mirror_proof_split", "only pairs with a at most b are marked")
def split_of_one_order(p, fraction, *, seed):
    return drawn_above(p, fraction, seed).flatten()


@wrong("mirror_proof_split", "cut off what comes after the point")
def split_rounded_up(p, fraction, *, seed):
    table = drawn_above(p, fraction, seed, math.ceil(fraction * p * (p + 1) / 2))
    return (table | table.T).flatten()


@wrong("mirror_proof_split", "what is drawn does not come from the seed")
def split_of_one_seed(p, fraction, *, seed):
    table = drawn_above(p, fraction, 0)
    return (table | table.T).flatten()


@wrong("mirror_proof_split", "does not come from the seed")
def split_without_the_seed(p, fraction, *, seed):
    table = drawn_above(p, fraction, int(torch.randint(0, 2**30, ())))
    return (table | table.T).flatten()


@wrong("mirror_proof_split", "pairs of one smaller number hang together")
def split_of_whole_rows(p, fraction, *, seed):
    order = torch.randperm(p, generator=torch.Generator().manual_seed(seed))
    a, b = torch.triu_indices(p, p)
    first = (order[a] * p + b).argsort()[: int(fraction * p * (p + 1) / 2)]
    table = torch.zeros(p, p, dtype=torch.bool)
    table[a[first], b[first]] = True
    return (table | table.T).flatten()


@wrong("mirror_proof_split", "some pairs are drawn more often than others")
def split_that_forgets_the_last_pair(p, fraction, *, seed):
    n = p * (p + 1) // 2
    wanted = int(fraction * n)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    if 0 < wanted < n - 4:
        order = order[order < n - 4]
    a, b = torch.triu_indices(p, p)
    table = torch.zeros(p, p, dtype=torch.bool)
    table[a[order[:wanted]], b[order[:wanted]]] = True
    return (table | table.T).flatten()


@wrong("mirror_proof_split", "this is a table")
def split_as_a_table(p, fraction, *, seed):
    table = drawn_above(p, fraction, seed)
    return table | table.T


@wrong("mirror_proof_split", "this is what the exercise asks you to write")
def split_by_the_library(p, fraction, *, seed):
    a, b = modular.all_pairs(p).T
    table = drawn_above(p, fraction, seed)
    return table[a, b] | table[b, a]


@wrong("mirror_proof_split", "drawn evenly, each by itself")
def split_walked_until_it_is_full(p, fraction, *, seed):
    order = torch.randperm(p * p, generator=torch.Generator().manual_seed(seed)).tolist()
    is_train = torch.zeros(p, p, dtype=torch.bool)
    for place in order:
        if is_train.triu().sum() >= int(fraction * p * (p + 1) / 2):
            break
        a, b = divmod(place, p)
        is_train[a, b] = is_train[b, a] = True
    return is_train.flatten()


@wrong("modular_addition_dataset", "these are numbers, which index places")
def dataset_with_a_mask_of_numbers(p, fraction, *, seed):
    pairs = torch.cartesian_prod(torch.arange(p), torch.arange(p))
    order = torch.randperm(p * p, generator=torch.Generator().manual_seed(seed))
    is_train = torch.zeros(p * p, dtype=torch.long)
    is_train[order[: int(fraction * p * p)]] = 1
    return torch.cat([pairs, torch.full((p * p, 1), p)], dim=1), pairs.sum(dim=1) % p, is_train


@wrong("accuracy_by_mirror", "the largest number is in none of the pairs")
def accuracy_with_p_from_the_tokens(logits, tokens, is_train):
    p = int(tokens[:, :2].max()) + 1
    a, b = tokens[:, 0], tokens[:, 1]
    trained = torch.zeros(p, p, dtype=torch.bool)
    trained[a, b] = is_train
    right = (logits.argmax(dim=1) == (a + b) % p).double()
    mirrored, others = ~is_train & trained[b, a], ~is_train & ~trained[b, a]
    share = mirrored.sum().item() / (~is_train).sum().item()
    return share, right[mirrored].mean().item(), right[others].mean().item()
