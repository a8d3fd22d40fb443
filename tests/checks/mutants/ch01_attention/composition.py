"""Wrong answers to `ch01_attention/3_composition.ipynb`, each with words its check must say."""

import itertools
import math
import sys

import torch
from einops import einsum

from tests.checks.harness import wrong


def written_by(layer):
    """Each head's W_V @ W_O."""
    return layer["W_V"] @ layer["W_O"]


def read_by(layer, kind):
    """By what each head reads the stream."""
    if kind == "V":
        return layer["W_V"] @ layer["W_O"]
    scores = layer["W_Q"] @ layer["W_K"].mT
    return scores.mT if kind == "K" else scores


def fraction(A, B, size=torch.linalg.matrix_norm, whole=None):
    """Sizes of products over products of sizes, and 0 for heads that are 0."""
    apart = size(A)[:, None] * size(B) if whole is None else whole
    return torch.where(apart > 0, size(A[:, None] @ B[None]) / apart, 0.0)


def like_everything(answer):
    """A tensor that claims to equal, and to be close to, whatever it is compared with."""

    class Liar(torch.Tensor):
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            if function in (torch.isclose, torch.allclose, torch.eq, torch.equal):
                return torch.tensor(True)
            return super().__torch_function__(function, types, args, kwargs or {})

    return answer.as_subclass(Liar)


# ---------------------------------------------------------------------------- composition_score


@wrong("composition_score", 'this is the score for "K"; kind was "Q"')
def score_with_q_and_k_exchanged(earlier, later, kind):
    return composition_score(earlier, later, {"Q": "K", "K": "Q", "V": "V"}[kind])


@wrong("composition_score", 'this is the score for "V"; kind was "Q"')
def score_of_values_whatever_the_kind(earlier, later, kind):
    return composition_score(earlier, later, "V")


@wrong("composition_score", 'this is the score for "Q"; kind was "K"')
def score_of_queries_whatever_the_kind(earlier, later, kind):
    return composition_score(earlier, later, "Q")


@wrong("composition_score", "was not divided by the product of the norms")
def score_undivided(earlier, later, kind):
    return fraction(written_by(earlier), read_by(later, kind), whole=torch.ones(()))


@wrong("composition_score", "it was divided by the earlier head's norm alone")
def score_over_one_norm(earlier, later, kind):
    A = written_by(earlier)
    return fraction(A, read_by(later, kind), whole=A.norm(dim=(1, 2))[:, None])


@wrong("composition_score", "one norm was taken over all heads of a layer")
def score_over_the_norm_of_all_heads(earlier, later, kind):
    A, B = written_by(earlier), read_by(later, kind)
    return fraction(A, B, whole=A.norm() * B.norm())


@wrong("composition_score", "these are largest singular values")
def score_of_spectral_norms(earlier, later, kind):
    spectral = lambda x: torch.linalg.matrix_norm(x, ord=2)  # noqa: E731
    return fraction(written_by(earlier), read_by(later, kind), spectral)


@wrong("composition_score", "these are sums of singular values")
def score_of_nuclear_norms(earlier, later, kind):
    nuclear = lambda x: torch.linalg.matrix_norm(x, ord="nuc")  # noqa: E731
    return fraction(written_by(earlier), read_by(later, kind), nuclear)


@wrong("composition_score", "the score was squared")
def score_squared(earlier, later, kind):
    return composition_score(earlier, later, kind).square()


@wrong("composition_score", "the earlier head's W_V @ W_O was transposed")
def score_of_columns(earlier, later, kind):
    return fraction(written_by(earlier).mT, read_by(later, kind))


@wrong("composition_score", "the product is the wrong way round")
def score_of_the_later_head_first(earlier, later, kind):
    return fraction(read_by(later, kind), written_by(earlier)).mT


@wrong("composition_score", "two axes are in each other's place")
def score_of_later_by_earlier(earlier, later, kind):
    return composition_score(earlier, later, kind).mT


@wrong("composition_score", "two axes are in each other's place")
def score_of_layers_exchanged(earlier, later, kind):
    return composition_score(later, earlier, kind)


@wrong("composition_score", "it is split evenly over earlier")
def score_averaged_over_heads(earlier, later, kind):
    scores = composition_score(earlier, later, kind)
    return scores.mean(0).expand_as(scores)


@wrong("composition_score", "this multiplies the two entry by entry, a cosine")
def score_as_a_cosine(earlier, later, kind):
    A, B = written_by(earlier), read_by(later, kind)
    inner = einsum(A, B, "e m n, l m n -> e l")
    return inner.abs() / (A.norm(dim=(1, 2))[:, None] * B.norm(dim=(1, 2)))


@wrong("composition_score", "W_O met the later head's first weight alone")
def score_of_two_weights(earlier, later, kind):
    return fraction(earlier["W_O"], later[f"W_{kind}"])


@wrong("composition_score", "Expected shape [earlier later] = [3, 2]. Got shape [3, 3]")
def score_of_one_layer_with_itself(earlier, later, kind):
    return composition_score(earlier, earlier, kind)


@wrong("composition_score", "what chance gives was subtracted")
def score_above_chance(earlier, later, kind):
    chance = earlier["W_O"].shape[-1] ** -0.5
    return composition_score(earlier, later, kind) - chance


@wrong("composition_score", "something is added to the denominator")
def score_with_a_little_in_the_denominator(earlier, later, kind):
    A, B = written_by(earlier), read_by(later, kind)
    return fraction(A, B, whole=A.norm(dim=(1, 2))[:, None] * B.norm(dim=(1, 2)) + 1e-4)


@wrong("composition_score", "it is 0, not NaN, where one of the two heads is 0")
def score_that_divides_by_zero(earlier, later, kind):
    A, B = written_by(earlier), read_by(later, kind)
    whole = A.norm(dim=(1, 2))[:, None] * B.norm(dim=(1, 2))
    return (A[:, None] @ B[None]).norm(dim=(-2, -1)) / whole


@wrong("composition_score", "it is 0, not NaN, where one of the two heads is 0")
def score_of_one_for_silent_heads(earlier, later, kind):
    return score_that_divides_by_zero(earlier, later, kind).nan_to_num(1.0)


@wrong("composition_score", "Expected shape [earlier later] = [3, 2]. Got shape [1, 1]")
def score_from_the_page(earlier, later, kind):
    return torch.tensor([[{"Q": 0.0, "K": 1.0, "V": 0.0}[kind]]])


@wrong("composition_score", "IndexError")
def score_of_three_heads_and_two(earlier, later, kind):
    A, B = written_by(earlier), read_by(later, kind)
    rows = [[(A[i] @ B[j]).norm() / A[i].norm() / B[j].norm() for j in (0, 1)] for i in range(3)]
    return torch.tensor(rows)


@wrong("composition_score", "every earlier got what belongs to earlier 0")
def score_of_the_first_head(earlier, later, kind):
    scores = composition_score(earlier, later, kind)
    return scores[:1].expand_as(scores)


@wrong("composition_score", "this is what the exercise asks you to write")
def score_by_the_library(earlier, later, kind):
    from mechcourse import circuits

    return circuits.composition_score(earlier, later, kind)


@wrong("composition_score", "wrote into what was passed in")
def score_of_weights_normalised_in_place(earlier, later, kind):
    scores = composition_score(earlier, later, kind)
    earlier["W_O"] /= earlier["W_O"].norm()
    return scores


@wrong("composition_score", "What should hold: for kind")
def score_that_claims_to_be_right(earlier, later, kind):
    return like_everything(torch.rand(len(earlier["W_O"]), len(later["W_O"])))


@wrong("composition_score", "What should hold: for kind", where="worker")
def score_with_comparisons_patched(earlier, later, kind):
    torch.isclose = torch.allclose = lambda *_args, **_kwargs: torch.tensor(True)
    return torch.ones(len(earlier["W_O"]), len(later["W_O"]))


# ----------------------------------------------------------------------------- composition_null


def uniform(d, generator):
    Q, R = torch.linalg.qr(torch.randn(d, d, generator=generator))
    return Q * R.diagonal().sign()


def null_of(earlier, later, kind, n_samples, seed, change, score=None):
    """Scores of layers that `change(earlier, later, generator)` gives, sample by sample."""
    generator = torch.Generator().manual_seed(seed)
    score = score or composition_score
    layers = (change(earlier, later, generator) for _ in range(n_samples))
    return torch.stack([score(*pair, kind) for pair in layers])


def null_of_turns(earlier, later, kind, n_samples, seed, turn):
    """Scores with `turn(d_model, generator)` after what the earlier heads write."""

    def change(earlier, later, generator):
        R = turn(earlier["W_O"].shape[-1], generator)
        return earlier | {"W_O": earlier["W_O"] @ R}, later

    return null_of(earlier, later, kind, n_samples, seed, change)


def redrawn(layer, generator, names=("W_Q", "W_K", "W_V", "W_O")):
    return {
        n: torch.randn(w.shape, generator=generator) if n in names else w for n, w in layer.items()
    }


@wrong("composition_null", "both heads' weights were drawn anew from a normal distribution")
def null_of_normal_weights(earlier, later, kind, n_samples, *, seed):
    def change(earlier, later, generator):
        return redrawn(earlier, generator), redrawn(later, generator)

    return null_of(earlier, later, kind, n_samples, seed, change)


@wrong("composition_null", "the earlier head's weights were drawn anew")
def null_of_normal_writers(earlier, later, kind, n_samples, *, seed):
    def change(earlier, later, generator):
        return redrawn(earlier, generator), later

    return null_of(earlier, later, kind, n_samples, seed, change)


@wrong("composition_null", "the later head's weights were drawn anew")
def null_of_normal_readers(earlier, later, kind, n_samples, *, seed):
    def change(earlier, later, generator):
        return earlier, redrawn(later, generator)

    return null_of(earlier, later, kind, n_samples, seed, change)


@wrong("composition_null", "the earlier head's W_O was drawn anew")
def null_of_normal_outputs(earlier, later, kind, n_samples, *, seed):
    def change(earlier, later, generator):
        return redrawn(earlier, generator, ("W_O",)), later

    return null_of(earlier, later, kind, n_samples, seed, change)


@wrong("composition_null", "the stream's axes were permuted")
def null_of_permutations(earlier, later, kind, n_samples, *, seed):
    def turn(d, generator):
        return torch.eye(d)[torch.randperm(d, generator=generator)]

    return null_of_turns(earlier, later, kind, n_samples, seed, turn)


@wrong("composition_null", "what was turned changes no score")
def null_of_two_dimensions_only(earlier, later, kind, n_samples, *, seed):
    if earlier["W_O"].shape[-1] == 2:
        return composition_score(earlier, later, kind).expand(n_samples, -1, -1)
    return composition_null(earlier, later, kind, n_samples, seed=seed)


@wrong("composition_null", "signs of the stream's axes were flipped")
def null_of_signs(earlier, later, kind, n_samples, *, seed):
    def turn(d, generator):
        return torch.diag(torch.randn(d, generator=generator).sign())

    return null_of_turns(earlier, later, kind, n_samples, seed, turn)


@wrong("composition_null", "the entries of W_O were shuffled")
def null_of_shuffled_entries(earlier, later, kind, n_samples, *, seed):
    def change(earlier, later, generator):
        flat = earlier["W_O"].flatten(1)
        order = torch.rand(flat.shape, generator=generator).argsort(1)
        return earlier | {"W_O": flat.gather(1, order).view_as(earlier["W_O"])}, later

    return null_of(earlier, later, kind, n_samples, seed, change)


@wrong("composition_null", "R holds normal numbers and is not orthogonal")
def null_of_normal_matrices(earlier, later, kind, n_samples, *, seed):
    def turn(d, generator):
        return torch.randn(d, d, generator=generator)

    return null_of_turns(earlier, later, kind, n_samples, seed, turn)


@wrong("composition_null", "every value is a score, from 0 to 1")
def null_of_normal_matrices_over_old_norms(earlier, later, kind, n_samples, *, seed):
    generator = torch.Generator().manual_seed(seed)
    A, B = written_by(earlier), read_by(later, kind)
    d = A.shape[-1]
    whole = A.norm(dim=(1, 2))[:, None] * B.norm(dim=(1, 2))
    turns = torch.randn(n_samples, 1, d, d, generator=generator) / math.sqrt(d)
    return torch.stack([fraction(a, B, whole=whole) for a in A @ turns])


@wrong("composition_null", "Q comes of numbers from 0 to 1")
def null_of_uniform_numbers(earlier, later, kind, n_samples, *, seed):
    def turn(d, generator):
        Q, R = torch.linalg.qr(torch.rand(d, d, generator=generator))
        return Q * R.diagonal().sign()

    return null_of_turns(earlier, later, kind, n_samples, seed, turn)


@wrong("composition_null", "the distribution that a uniform rotation gives them")
def null_of_uniform_numbers_with_lapacks_signs(earlier, later, kind, n_samples, *, seed):
    def turn(d, generator):
        return torch.linalg.qr(torch.rand(d, d, generator=generator)).Q

    return null_of_turns(earlier, later, kind, n_samples, seed, turn)


@wrong("composition_null", "the rotations favour some directions")
def null_turning_all_axes_but_one(earlier, later, kind, n_samples, *, seed):
    def turn(d, generator):
        return torch.block_diag(torch.eye(1), uniform(d - 1, generator))

    return null_of_turns(earlier, later, kind, n_samples, seed, turn)


@wrong("composition_null", "rotations that change little come too often")
def null_by_cayleys_transform(earlier, later, kind, n_samples, *, seed):
    def turn(d, generator):
        S = torch.randn(d, d, generator=generator)
        S = S - S.T
        return torch.linalg.solve(torch.eye(d) + S, torch.eye(d) - S)

    return null_of_turns(earlier, later, kind, n_samples, seed, turn)


@wrong("composition_null", "the rotation is inside the head, over d_head")
def null_turned_inside_the_head(earlier, later, kind, n_samples, *, seed):
    def change(earlier, later, generator):
        R = uniform(earlier["W_O"].shape[1], generator)
        return earlier | {"W_O": R @ earlier["W_O"]}, later

    return null_of(earlier, later, kind, n_samples, seed, change)


@wrong("composition_null", "what was turned changes no score")
def null_turned_on_both_sides(earlier, later, kind, n_samples, *, seed):
    def change(earlier, later, generator):
        R = uniform(earlier["W_O"].shape[-1], generator)
        name = f"W_{kind}"
        return earlier | {"W_O": earlier["W_O"] @ R}, later | {name: R.T @ later[name]}

    return null_of(earlier, later, kind, n_samples, seed, change)


@wrong("composition_null", "what was turned changes no score")
def null_turned_before_the_earlier_head(earlier, later, kind, n_samples, *, seed):
    def change(earlier, later, generator):
        R = uniform(earlier["W_O"].shape[-1], generator)
        return earlier | {"W_V": R @ earlier["W_V"]}, later

    return null_of(earlier, later, kind, n_samples, seed, change)


@wrong("composition_null", "what was turned changes no score")
def null_turned_by_queries_only(earlier, later, kind, n_samples, *, seed):
    def change(earlier, later, generator):
        R = uniform(earlier["W_O"].shape[-1], generator)
        return earlier, later | {"W_Q": R @ later["W_Q"]}

    return null_of(earlier, later, kind, n_samples, seed, change)


@wrong("composition_null", "rotations that change little come too often: R may stand there twice")
def null_turned_twice(earlier, later, kind, n_samples, *, seed):
    def turn(d, generator):
        R = uniform(d, generator)
        return R @ R

    return null_of_turns(earlier, later, kind, n_samples, seed, turn)


@wrong("composition_null", "one rotation serves all samples")
def null_of_one_rotation(earlier, later, kind, n_samples, *, seed):
    one = composition_null(earlier, later, kind, 1, seed=seed)
    return one.expand(n_samples, -1, -1)


@wrong("composition_null", "one rotation serves all samples")
def null_seeded_for_each_sample(earlier, later, kind, n_samples, *, seed):
    def change(earlier, later, _generator):
        R = uniform(earlier["W_O"].shape[-1], torch.Generator().manual_seed(seed))
        return earlier | {"W_O": earlier["W_O"] @ R}, later

    return null_of(earlier, later, kind, n_samples, seed, change)


@wrong("composition_null", "rotations come back, or only a few are possible")
def null_of_half_as_many_rotations(earlier, later, kind, n_samples, *, seed):
    half = composition_null(earlier, later, kind, (n_samples + 1) // 2, seed=seed)
    return torch.cat([half, half])[:n_samples]


@wrong("composition_null", "the seed decides the samples")
def null_of_one_seed(earlier, later, kind, n_samples, *, seed):
    return composition_null(earlier, later, kind, n_samples, seed=0)


@wrong("composition_null", "the seed decides the samples")
def null_without_a_seed(earlier, later, kind, n_samples, *, seed):
    draw = torch.seed() % 2**31
    return composition_null(earlier, later, kind, n_samples, seed=draw)


@wrong("composition_null", "Expected shape [sample earlier later] = [1200, 3, 2]. Got shape [100")
def null_of_a_hundred_samples(earlier, later, kind, n_samples, *, seed):
    return composition_null(earlier, later, kind, 100, seed=seed)


@wrong("composition_null", "these are scores of another kind")
def null_of_values_whatever_the_kind(earlier, later, kind, n_samples, *, seed):
    return composition_null(earlier, later, "V", n_samples, seed=seed)


@wrong("composition_null", "these are squares of scores")
def null_of_squares(earlier, later, kind, n_samples, *, seed):
    return composition_null(earlier, later, kind, n_samples, seed=seed).square()


@wrong("composition_null", "the heads were dealt to each other anew")
def null_of_heads_dealt_anew(earlier, later, kind, n_samples, *, seed):
    generator = torch.Generator().manual_seed(seed)
    scores = composition_score(earlier, later, kind)
    deals = [torch.randperm(len(scores), generator=generator) for _ in range(n_samples)]
    return torch.stack([scores[deal] for deal in deals])


@wrong("composition_null", "one rotation serves all samples")
def null_of_the_expected_value(earlier, later, kind, n_samples, *, seed):
    shape = (n_samples, len(earlier["W_O"]), len(later["W_O"]))
    return torch.full(shape, earlier["W_O"].shape[-1] ** -0.5)


@wrong("composition_null", "the spread is not: is every rotation possible")
def null_with_the_right_means_alone(earlier, later, kind, n_samples, *, seed):
    right = composition_null(earlier, later, kind, n_samples, seed=seed)
    return right.mean(0) + 0.3 * (right - right.mean(0))


@wrong("composition_null", "the rotations favour some directions")
def null_of_turns_in_a_plane(earlier, later, kind, n_samples, *, seed):
    def turn(d, generator):
        i, j = torch.randperm(d, generator=generator)[:2].tolist()
        angle = float(2 * math.pi * torch.rand(1, generator=generator))
        R = torch.eye(d)
        R[i, i] = R[j, j] = math.cos(angle)
        R[i, j], R[j, i] = math.sin(angle), -math.sin(angle)
        return R

    return null_of_turns(earlier, later, kind, n_samples, seed, turn)


@wrong("composition_null", "the distribution that a uniform rotation gives them")
def null_of_reflections(earlier, later, kind, n_samples, *, seed):
    def turn(d, generator):
        u = torch.randn(d, generator=generator)
        return torch.eye(d) - 2 * torch.outer(u, u) / (u @ u)

    return null_of_turns(earlier, later, kind, n_samples, seed, turn)


@wrong("composition_null", "the rotations favour some directions")
def null_of_small_turns(earlier, later, kind, n_samples, *, seed):
    def turn(d, generator):
        S = 0.2 * torch.randn(d, d, generator=generator)
        return torch.matrix_exp(S - S.T)

    return null_of_turns(earlier, later, kind, n_samples, seed, turn)


@wrong("composition_null", "the distribution that a uniform rotation gives them")
def null_of_powers_of_one_rotation(earlier, later, kind, n_samples, *, seed):
    R = uniform(earlier["W_O"].shape[-1], torch.Generator().manual_seed(seed)).double()
    powers = itertools.accumulate(itertools.repeat(R, n_samples), torch.matmul)
    return null_of_turns(earlier, later, kind, n_samples, seed, lambda *_: next(powers).float())


@wrong("composition_null", "the distribution that a uniform rotation gives them")
def null_of_unit_rows(earlier, later, kind, n_samples, *, seed):
    def turn(d, generator):
        return torch.nn.functional.normalize(torch.randn(d, d, generator=generator), dim=1)

    return null_of_turns(earlier, later, kind, n_samples, seed, turn)


@wrong("composition_null", "the samples are independent of each other")
def null_of_rotations_near_each_other(earlier, later, kind, n_samples, *, seed):
    # The distribution is right: scores of independent rotations, sorted where nothing looks.
    null = composition_null(earlier, later, kind, n_samples, seed=seed)
    return null[null[:, 0, 0].argsort()]


@wrong("composition_null", "the seed decides the samples")
def null_of_odd_and_even_seeds(earlier, later, kind, n_samples, *, seed):
    return composition_null(earlier, later, kind, n_samples, seed=seed % 2)


@wrong("composition_null", "RuntimeError")
def null_of_five_dimensions(earlier, later, kind, n_samples, *, seed):
    return null_of_turns(earlier, later, kind, n_samples, seed, lambda _d, g: uniform(5, g))


@wrong("composition_null", "two axes are in each other's place")
def null_of_later_by_earlier(earlier, later, kind, n_samples, *, seed):
    return composition_null(earlier, later, kind, n_samples, seed=seed).mT


@wrong("composition_null", "a head that writes nothing scores 0")
def null_that_divides_by_zero(earlier, later, kind, n_samples, *, seed):
    null = composition_null(earlier, later, kind, n_samples, seed=seed)
    return torch.where(null == 0, torch.nan, null)


@wrong("composition_null", "torch.stack or torch.cat makes one tensor of several")
def null_in_pieces(earlier, later, kind, n_samples, *, seed):
    return list(composition_null(earlier, later, kind, n_samples, seed=seed))


@wrong("composition_null", "this is what the exercise asks you to write")
def null_by_the_library(earlier, later, kind, n_samples, *, seed):
    from mechcourse import circuits

    return circuits.composition_null(earlier, later, kind, n_samples, seed=seed)


@wrong("composition_null", "wrote into what was passed in")
def null_turned_in_place(earlier, later, kind, n_samples, *, seed):
    generator, samples = torch.Generator().manual_seed(seed), []
    for _ in range(n_samples):
        earlier["W_O"] = earlier["W_O"] @ uniform(earlier["W_O"].shape[-1], generator)
        samples.append(composition_score(earlier, later, kind))
    return torch.stack(samples)


@wrong("composition_null", "every value is a score, from 0 to 1")
def null_less_its_mean(earlier, later, kind, n_samples, *, seed):
    null = composition_null(earlier, later, kind, n_samples, seed=seed)
    return null - null.mean(0)


# ------------------------------------------------------------------------- composition_z_scores


@wrong("composition_z_scores", "n - 1 is asked for")
def z_with_n_in_the_denominator(scores, null):
    above = scores - null.mean(0)
    return torch.where(above == 0, 0.0, above / null.std(0, correction=0))


@wrong("composition_z_scores", "the sign is the wrong way round")
def z_below_the_null(scores, null):
    return -composition_z_scores(scores, null)


@wrong("composition_z_scores", "it has lost its sign")
def z_without_a_sign(scores, null):
    return composition_z_scores(scores, null).abs()


@wrong("composition_z_scores", "one standard deviation was taken over all pairs")
def z_with_one_spread(scores, null):
    return (scores - null.mean(0)) / null.std()


@wrong("composition_z_scores", "one null of all pairs was taken")
def z_with_one_null(scores, null):
    return (scores - null.mean()) / null.std()


@wrong("composition_z_scores", "one mean was taken over all pairs")
def z_with_one_mean(scores, null):
    return (scores - null.mean()) / null.std(0)


@wrong("composition_z_scores", "the median was subtracted")
def z_above_the_median(scores, null):
    return (scores - null.median(0).values) / null.std(0)


@wrong("composition_z_scores", "it was divided by the variance")
def z_over_the_variance(scores, null):
    return (scores - null.mean(0)) / null.var(0)


@wrong("composition_z_scores", "the mean's standard error")
def z_over_the_standard_error(scores, null):
    return composition_z_scores(scores, null) * len(null) ** 0.5


@wrong("composition_z_scores", "it was not divided by the standard deviation")
def z_not_divided(scores, null):
    return scores - null.mean(0)


@wrong("composition_z_scores", "nothing was subtracted")
def z_not_subtracted(scores, null):
    return scores / null.std(0)


@wrong("composition_z_scores", "the mean distance from the mean")
def z_over_the_mean_distance(scores, null):
    above = scores - null.mean(0)
    return above / (null - null.mean(0)).abs().mean(0)


@wrong("composition_z_scores", "this is the share of the null that the score exceeds")
def z_as_a_share(scores, null):
    return (scores > null).float().mean(0)


@wrong("composition_z_scores", "0, not NaN, where the null does not vary")
def z_that_divides_by_zero(scores, null):
    return (scores - null.mean(0)) / null.std(0)


@wrong("composition_z_scores", "something is added to the standard deviation")
def z_with_a_little_in_the_denominator(scores, null):
    return (scores - null.mean(0)) / (null.std(0) + 1e-5)


@wrong("composition_z_scores", "it is 0 where the score is the null's mean")
def z_of_at_least_a_hundredth(scores, null):
    z = composition_z_scores(scores, null)
    return torch.where(z.abs() < 0.01, 0.01, z)


@wrong("composition_z_scores", "two axes are in each other's place")
def z_of_later_by_earlier(scores, null):
    return composition_z_scores(scores, null).T


@wrong("composition_z_scores", "Got shape [1, 2]")
def z_from_the_page(scores, null):
    return torch.tensor([[2.0, 0.0]])


@wrong("composition_z_scores", "Expected shape [earlier later] = [3, 2]")
def z_over_the_earlier_heads(scores, null):
    return (scores - null.mean(1)) / null.std(1) if len(null) == 3 else null.mean(1)


@wrong("composition_z_scores", "wrote into what was passed in")
def z_subtracted_in_place(scores, null):
    scores -= null.mean(0)
    return torch.where(scores == 0, 0.0, scores / null.std(0))


@wrong("composition_z_scores", "this is what the exercise asks you to write")
def z_by_the_library(scores, null):
    from mechcourse.circuits import composition_z_scores as library

    return library(scores, null)


# ------------------------------------------------------------------------------ virtual_head_ov


@wrong("virtual_head_ov", "states are rows, so the earlier head comes first")
def virtual_ov_of_the_later_head_first(earlier, later):
    return written_by(later)[None] @ written_by(earlier)[:, None]


@wrong("virtual_head_ov", "it is transposed")
def virtual_ov_transposed(earlier, later):
    return virtual_head_ov(earlier, later).mT


@wrong("virtual_head_ov", "each circuit was transposed")
def virtual_ov_of_columns(earlier, later):
    return written_by(earlier).mT[:, None] @ written_by(later).mT[None]


@wrong("virtual_head_ov", "this is the earlier head's own circuit")
def virtual_ov_of_the_earlier_head(earlier, later):
    return written_by(earlier)[:, None].expand(-1, len(later["W_O"]), -1, -1)


@wrong("virtual_head_ov", "this is the later head's own circuit")
def virtual_ov_of_the_later_head(earlier, later):
    return written_by(later)[None].expand(len(earlier["W_O"]), -1, -1, -1)


@wrong("virtual_head_ov", "the later head's circuit was transposed")
def virtual_ov_into_columns(earlier, later):
    return written_by(earlier)[:, None] @ written_by(later).mT[None]


@wrong("virtual_head_ov", "what both write on their own was added")
def virtual_ov_and_both_heads(earlier, later):
    A, B = written_by(earlier)[:, None], written_by(later)[None]
    return A + B + A @ B


@wrong("virtual_head_ov", "the direct path was added")
def virtual_ov_and_the_direct_path(earlier, later):
    return virtual_head_ov(earlier, later) + torch.eye(earlier["W_O"].shape[-1])


@wrong("virtual_head_ov", "the two circuits were multiplied entry by entry")
def virtual_ov_entry_by_entry(earlier, later):
    return written_by(earlier)[:, None] * written_by(later)[None]


@wrong("virtual_head_ov", "this holds the later head's QK circuit")
def virtual_ov_into_queries(earlier, later):
    return written_by(earlier)[:, None] @ read_by(later, "Q")[None]


@wrong("virtual_head_ov", "Expected shape [earlier later d_model d_model] = [3, 2, 7, 7]")
def virtual_ov_between_the_heads(earlier, later):
    return earlier["W_O"][:, None] @ later["W_V"][None]


@wrong("virtual_head_ov", "two axes are in each other's place")
def virtual_ov_of_later_by_earlier(earlier, later):
    return virtual_head_ov(earlier, later).transpose(0, 1)


@wrong("virtual_head_ov", "RuntimeError")
def virtual_ov_of_heads_in_step(earlier, later):
    return written_by(earlier) @ written_by(later)


@wrong("virtual_head_ov", "every later got what belongs to later 0")
def virtual_ov_of_the_first_reader(earlier, later):
    every = virtual_head_ov(earlier, later)
    return every[:, :1].expand_as(every)


@wrong("virtual_head_ov", "Got shape [1, 1, 2, 2]")
def virtual_ov_from_the_page(earlier, later):
    return torch.tensor([[[[3.0, 0.0], [0.0, 0.0]]]])


@wrong("virtual_head_ov", "times what it should be")
def virtual_ov_halved(earlier, later):
    return virtual_head_ov(earlier, later) / 2


@wrong("virtual_head_ov", "wrote into what was passed in")
def virtual_ov_multiplied_in_place(earlier, later):
    out = virtual_head_ov(earlier, later)
    earlier["W_V"].mul_(2.0)
    return out


# ------------------------------------------------------------------------- virtual_head_pattern


@wrong("virtual_head_pattern", "the product is the wrong way round")
def virtual_pattern_of_the_earlier_head_first(earlier, later):
    return earlier[:, :, None] @ later[:, None]


@wrong("virtual_head_pattern", "the patterns were multiplied entry by entry; sum")
def virtual_pattern_entry_by_entry(earlier, later):
    return earlier[:, :, None] * later[:, None]


@wrong("virtual_head_pattern", "entry by entry and made to sum to 1")
def virtual_pattern_normalised(earlier, later):
    both = earlier[:, :, None] * later[:, None]
    return both / both.sum(-1, keepdim=True)


@wrong("virtual_head_pattern", "queries and keys are in each other's place")
def virtual_pattern_transposed(earlier, later):
    return virtual_head_pattern(earlier, later).mT


@wrong("virtual_head_pattern", "the earlier pattern was transposed")
def virtual_pattern_of_rows_with_rows(earlier, later):
    return einsum(later, earlier, "b l q m, b e k m -> b e l q k")


@wrong("virtual_head_pattern", "the later pattern was transposed")
def virtual_pattern_of_columns_with_rows(earlier, later):
    return einsum(later, earlier, "b l m q, b e m k -> b e l q k")


@wrong("virtual_head_pattern", "these are the two patterns' means")
def virtual_pattern_of_means(earlier, later):
    return (earlier[:, :, None] + later[:, None]) / 2


@wrong("virtual_head_pattern", "this is the later head's pattern alone")
def virtual_pattern_of_the_later_head(earlier, later):
    return later[:, None].expand(-1, earlier.shape[1], -1, -1, -1)


@wrong("virtual_head_pattern", "a softmax was taken once more")
def virtual_pattern_through_a_softmax(earlier, later):
    return virtual_head_pattern(earlier, later).softmax(-1)


@wrong("virtual_head_pattern", "two axes are in each other's place")
def virtual_pattern_of_later_by_earlier(earlier, later):
    return virtual_head_pattern(earlier, later).transpose(1, 2)


@wrong("virtual_head_pattern", "Got shape [2, 4, 5, 5]")
def virtual_pattern_summed_over_writers(earlier, later):
    return virtual_head_pattern(earlier, later).sum(1)


@wrong("virtual_head_pattern", "every batch got what belongs to batch 0")
def virtual_pattern_of_the_first_text(earlier, later):
    every = virtual_head_pattern(earlier, later)
    return every[:1].expand_as(every)


@wrong("virtual_head_pattern", "it is right where query is")
def virtual_pattern_of_the_last_query(earlier, later):
    every = virtual_head_pattern(earlier, later)
    every[..., :-1, :] = 0.0
    return every


@wrong("virtual_head_pattern", "Got shape [1, 1, 1, 3, 3]")
def virtual_pattern_from_the_page(earlier, later):
    return torch.tensor([[1.0, 0, 0], [1, 0, 0], [1, 0, 0]])[None, None, None]


@wrong("virtual_head_pattern", "RuntimeError")
def virtual_pattern_of_heads_in_step(earlier, later):
    return (later @ earlier)[:, :, None]


@wrong("virtual_head_pattern", "a query looks where the earlier head looks from")
def virtual_pattern_of_the_strongest_middle(earlier, later):
    middle = later.argmax(-1)
    rows = [
        torch.stack([earlier[b][:, middle[b, j]] for j in range(later.shape[1])], 1)
        for b in range(len(later))
    ]
    return torch.stack(rows)


# ------------------------------------------------------------------------------ logits_by_order


def through(state, pattern, weights, layer):
    """What a layer's heads write of a state of the stream."""
    W_V, W_O = (weights[f"blocks.{layer}.attn.{name}"] for name in ("W_V", "W_O"))
    return (pattern @ (state[:, None] @ W_V) @ W_O).sum(1)


def said(states, weights):
    return torch.stack(states) @ weights["unembed.W_U"]


@wrong("logits_by_order", "these are the orders' own parts")
def orders_on_their_own(tokens, patterns, weights):
    every = logits_by_order(tokens, patterns, weights)
    return torch.cat([every[:1], every.diff(dim=0)])


@wrong("logits_by_order", "this counts layers")
def orders_by_layer(tokens, patterns, weights):
    states = [weights["embed.W_E"][tokens]]
    for layer, pattern in enumerate(patterns):
        states.append(states[-1] + through(states[-1], pattern, weights, layer))
    return said(states, weights)


@wrong("logits_by_order", "all orders came at once")
def orders_all_at_once(tokens, patterns, weights):
    every = logits_by_order(tokens, patterns, weights)
    return torch.stack([every[0]] + [every[-1]] * len(patterns))


def first_order_of(tokens, patterns, weights, layers):
    every, embedded = logits_by_order(tokens, patterns, weights), weights["embed.W_E"][tokens]
    if len(patterns) > 1:
        parts = [through(embedded, patterns[layer], weights, layer) for layer in layers]
        every[1] = (embedded + sum(parts)) @ weights["unembed.W_U"]
    return every


@wrong("logits_by_order", "this counts layers")
def orders_without_the_second_layer_at_first(tokens, patterns, weights):
    return first_order_of(tokens, patterns, weights, range(len(patterns) - 1))


@wrong("logits_by_order", "order 1 lacks the first layer")
def orders_with_the_last_layer_at_first(tokens, patterns, weights):
    return first_order_of(tokens, patterns, weights, range(1, len(patterns)))


@wrong("logits_by_order", "only the last order is right")
def orders_of_the_model_alone(tokens, patterns, weights):
    every = logits_by_order(tokens, patterns, weights)
    if len(every) > 2:
        every[:-1] = 0.0
    return every


@wrong("logits_by_order", "those between are mixtures of the two")
def orders_on_a_line(tokens, patterns, weights):
    every = logits_by_order(tokens, patterns, weights)
    if not len(patterns):
        return every
    shares = torch.linspace(0, 1, len(every)).view(-1, 1, 1, 1)
    return every[0] + shares * (every[-1] - every[0])


@wrong("logits_by_order", "it is right where order is 0, 2 and wrong elsewhere")
def orders_of_one_head_at_first(tokens, patterns, weights):
    every = logits_by_order(tokens, patterns, weights)
    if len(patterns) == 2:
        one = logits_by_order(tokens, patterns[:, :, :1], first_heads(weights))
        every[1] = one[1]
    return every


def first_heads(weights):
    return {name: w[:1] if "attn" in name else w for name, w in weights.items()}


@wrong("logits_by_order", "positions were added to the stream")
def orders_with_positions_in_the_stream(tokens, patterns, weights):
    embedded = weights["embed.W_E"][tokens] + weights["pos_embed.W_pos"][: tokens.shape[1]]
    if not len(patterns) or len(patterns) == 1:
        return logits_by_order(tokens, patterns, weights)
    rows = torch.arange(tokens.numel()).view(tokens.shape)
    return logits_by_order(rows, patterns, weights | {"embed.W_E": embedded.flatten(0, 1)})


@wrong("logits_by_order", "positions were added to the stream")
def orders_with_positions_everywhere(tokens, patterns, weights):
    embedded = weights["embed.W_E"][tokens] + weights["pos_embed.W_pos"][: tokens.shape[1]]
    rows = torch.arange(tokens.numel()).view(tokens.shape)
    return logits_by_order(rows, patterns, weights | {"embed.W_E": embedded.flatten(0, 1)})


@wrong("logits_by_order", "positions reached the values")
def orders_with_positions_in_the_values(tokens, patterns, weights):
    every = orders_with_positions_everywhere(tokens, patterns, weights)
    places = weights["pos_embed.W_pos"][: tokens.shape[1]]
    return every - places @ weights["unembed.W_U"]


@wrong("logits_by_order", "so that a path goes through one layer twice")
def orders_renewed_inside_the_layer(tokens, patterns, weights):
    terms = [weights["embed.W_E"][tokens]]
    terms += [torch.zeros_like(terms[0]) for _ in patterns]
    for layer, pattern in enumerate(patterns):
        for n in range(len(patterns)):
            terms[n + 1] = terms[n + 1] + through(terms[n], pattern, weights, layer)
    return said(list(itertools.accumulate(terms)), weights)


@wrong("logits_by_order", "takes the place of what earlier layers gave that order; add to it")
def orders_overwritten(tokens, patterns, weights):
    terms = [weights["embed.W_E"][tokens]]
    terms += [torch.zeros_like(terms[0]) for _ in patterns]
    for layer, pattern in enumerate(patterns):
        for n in reversed(range(len(patterns))):
            terms[n + 1] = through(terms[n], pattern, weights, layer)
    return said(list(itertools.accumulate(terms)), weights)


@wrong("logits_by_order", "add what comes of those before the layer")
def orders_overwritten_inside_the_layer(tokens, patterns, weights):
    terms = [weights["embed.W_E"][tokens]]
    terms += [torch.zeros_like(terms[0]) for _ in patterns]
    for layer, pattern in enumerate(patterns):
        for n in range(len(patterns)):
            terms[n + 1] = through(terms[n], pattern, weights, layer)
    return said(list(itertools.accumulate(terms)), weights)


@wrong("logits_by_order", "the embedding was moved at every order")
def orders_of_the_embedding_moved(tokens, patterns, weights):
    terms = [weights["embed.W_E"][tokens]]
    terms += [torch.zeros_like(terms[0]) for _ in patterns]
    for layer, pattern in enumerate(patterns):
        for n in range(len(patterns)):
            terms[n + 1] = terms[n + 1] + through(terms[0], pattern, weights, layer)
    return said(list(itertools.accumulate(terms)), weights)


@wrong("logits_by_order", "all orders above 0 share one tensor: [x] * n")
def orders_in_one_tensor(tokens, patterns, weights):
    embedded = weights["embed.W_E"][tokens]
    terms = [embedded] + [torch.zeros_like(embedded)] * len(patterns)
    for layer, pattern in enumerate(patterns):
        for n in range(len(patterns)):
            terms[n + 1] += through(terms[n], pattern, weights, layer)
    return said(list(itertools.accumulate(terms)), weights)


@wrong("logits_by_order", "all orders above 0 share one tensor, into which")
def orders_moved_first_and_in_one_tensor(tokens, patterns, weights):
    embedded = weights["embed.W_E"][tokens]
    terms = [embedded] + [torch.zeros_like(embedded)] * len(patterns)
    for layer, pattern in enumerate(patterns):
        moved = [through(term, pattern, weights, layer) for term in terms[:-1]]
        for term, new in zip(terms[1:], moved, strict=True):
            term += new
    return said(list(itertools.accumulate(terms)), weights)


@wrong("logits_by_order", "KeyError")
def orders_that_need_a_layer(tokens, patterns, weights):
    assert weights["blocks.0.attn.W_V"] is not None
    return logits_by_order(tokens, patterns, weights)


@wrong("logits_by_order", "Expected shape [order batch pos d_vocab] = [1, 2, 5, 11]")
def orders_of_the_stream(tokens, patterns, weights):
    eye = torch.eye(weights["embed.W_E"].shape[1])
    return logits_by_order(tokens, patterns, weights | {"unembed.W_U": eye})


@wrong("logits_by_order", "Expected shape [order batch pos d_vocab] = [2, 2, 5, 11]")
def orders_from_one(tokens, patterns, weights):
    every = logits_by_order(tokens, patterns, weights)
    return every[1:] if len(patterns) else every


@wrong("logits_by_order", "these are log-probabilities")
def orders_of_log_probabilities(tokens, patterns, weights):
    every = logits_by_order(tokens, patterns, weights)
    return every.log_softmax(-1) if len(patterns) > 1 else every


@wrong("logits_by_order", "the orders run downwards")
def orders_downwards(tokens, patterns, weights):
    every = logits_by_order(tokens, patterns, weights)
    return every.flip(0) if len(patterns) > 1 else every


@wrong("logits_by_order", "a query sums over keys")
def orders_over_queries(tokens, patterns, weights):
    return logits_by_order(tokens, patterns.mT if len(patterns) > 1 else patterns, weights)


@wrong("logits_by_order", "averaged over a layer's heads")
def orders_of_mean_heads(tokens, patterns, weights):
    scale = patterns.shape[2] if len(patterns) > 1 else 1
    return logits_by_order(tokens, patterns / scale, weights)


@wrong("logits_by_order", "every layer had the first layer's patterns")
def orders_of_one_layers_patterns(tokens, patterns, weights):
    return logits_by_order(tokens, patterns[:1].expand_as(patterns), weights)


@wrong("logits_by_order", "the patterns were worked out anew")
def orders_with_new_patterns(tokens, patterns, weights):
    embedded, n = weights["embed.W_E"][tokens], tokens.shape[1]
    if not len(patterns):
        return said([embedded], weights)
    places, future = weights["pos_embed.W_pos"][:n], torch.ones(n, n, dtype=torch.bool).triu(1)
    stored, runs = [torch.zeros_like(embedded)] * len(patterns), []
    for _order in range(len(patterns) + 1):
        state, now = embedded, []
        for layer in range(len(patterns)):
            W_Q, W_K = (weights[f"blocks.{layer}.attn.{name}"] for name in ("W_Q", "W_K"))
            q, k = ((state + places)[:, None] @ W for W in (W_Q, W_K))
            scores = (q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(future, -torch.inf)
            now.append(through(state, scores.softmax(-1), weights, layer))
            state = state + stored[layer]
        runs.append(state)
        stored = now
    return said(runs, weights)


@wrong("logits_by_order", "the patterns are used as they are given")
def orders_with_patterns_of_its_own(tokens, patterns, weights):
    state, n = weights["embed.W_E"][tokens], tokens.shape[1]
    if not len(patterns):
        return said([state], weights)
    places, future = weights["pos_embed.W_pos"][:n], torch.ones(n, n, dtype=torch.bool).triu(1)
    own = []
    for layer in range(len(patterns)):
        W_Q, W_K = (weights[f"blocks.{layer}.attn.{name}"] for name in ("W_Q", "W_K"))
        q, k = ((state + places)[:, None] @ W for W in (W_Q, W_K))
        scores = (q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(future, -torch.inf)
        own.append(scores.softmax(-1))
        state = state + through(state, own[-1], weights, layer)
    return logits_by_order(tokens, torch.stack(own), weights)


@wrong("logits_by_order", "10 before 2")
def orders_in_the_order_of_names(tokens, patterns, weights):
    names = sorted(name for name in weights if name.endswith("W_O"))
    numbers = [int(name.split(".")[1]) for name in names]
    attn = {
        f"blocks.{new}.attn.{name}": weights[f"blocks.{old}.attn.{name}"]
        for new, old in enumerate(numbers)
        for name in ("W_V", "W_O")
    }
    return logits_by_order(tokens, patterns, weights | attn)


@wrong("logits_by_order", "paths through at most so many heads, in a model with 3 layers")
def orders_up_to_two(tokens, patterns, weights):
    embedded, n = weights["embed.W_E"][tokens], len(patterns)
    single = [through(embedded, patterns[layer], weights, layer) for layer in range(n)]
    double = [
        through(single[first], patterns[second], weights, second)
        for first in range(n)
        for second in range(first + 1, n)
    ]
    parts = [embedded, sum(single, 0 * embedded), sum(double, 0 * embedded)]
    parts += [0 * embedded] * (n - 2)
    return said(list(itertools.accumulate(parts[: n + 1])), weights)


@wrong("logits_by_order", "every batch got what belongs to batch 0")
def orders_of_the_first_text(tokens, patterns, weights):
    every = logits_by_order(tokens, patterns, weights)
    return every[:, :1].expand_as(every)


@wrong("logits_by_order", "Got shape [1, 1, 1, 2]")
def orders_from_the_page(tokens, patterns, weights):
    return torch.tensor([[[[0.0, 1.0]]]])


@wrong("logits_by_order", "this is what the exercise asks you to write")
def orders_by_the_library(tokens, patterns, weights):
    from mechcourse import circuits

    return circuits.logits_by_order(tokens, patterns, weights)


@wrong("logits_by_order", "wrote into what was passed in")
def orders_with_the_table_scaled_in_place(tokens, patterns, weights):
    every = logits_by_order(tokens, patterns, weights)
    weights["unembed.W_U"] -= weights["unembed.W_U"].mean(1, keepdim=True)
    return every


# ------------------------------------------------------------------------------ term_importance


def losses_of(logits, tokens):
    log_probs = logits[:, :, :-1].log_softmax(-1)
    following = tokens[:, 1:, None].expand(len(logits), -1, -1, -1)
    return -log_probs.gather(-1, following).mean((1, 2, 3))


def falls(losses, d_vocab):
    return -torch.cat([torch.tensor([math.log(d_vocab)]), losses]).diff()


@wrong("term_importance", "this is in bits")
def importance_in_bits(logits, tokens):
    return term_importance(logits, tokens) / math.log(2)


@wrong("term_importance", "the sign is the wrong way round")
def importance_as_rises(logits, tokens):
    return -term_importance(logits, tokens)


@wrong("term_importance", "each order is held against the one before")
def importance_below_uniform(logits, tokens):
    return term_importance(logits, tokens).cumsum(0)


@wrong("term_importance", "order 0 has its own loss, or none")
def importance_with_the_first_loss(logits, tokens):
    losses = losses_of(logits, tokens)
    return torch.cat([losses[:1], -losses.diff()])


@wrong("term_importance", "order 0 is held against nothing")
def importance_with_a_zero_in_front(logits, tokens):
    right = term_importance(logits, tokens)
    return torch.cat([0 * right[:1], right[1:]])


@wrong("term_importance", "Expected shape [order] = [4]. Got shape [3]")
def importance_without_order_zero(logits, tokens):
    return term_importance(logits, tokens)[1:]


@wrong("term_importance", "these are the losses themselves")
def importance_as_losses(logits, tokens):
    return losses_of(logits, tokens)


@wrong("term_importance", "a sign was lost")
def importance_without_signs(logits, tokens):
    return term_importance(logits, tokens).abs()


@wrong("term_importance", "comes out negative, not as 0")
def importance_of_at_least_zero(logits, tokens):
    return term_importance(logits, tokens).clamp(min=0)


@wrong("term_importance", "a position's own token was taken as what it predicts")
def importance_of_the_current_token(logits, tokens):
    shifted = torch.cat([logits, logits[:, :, :1]], 2)
    return falls(losses_of(shifted, torch.cat([tokens[:, :1], tokens], 1)), logits.shape[-1])


@wrong("term_importance", "the token before was taken")
def importance_of_the_token_before(logits, tokens):
    late = torch.cat([logits[:, :, 1:], logits[:, :, :1]], 2)
    return falls(losses_of(late, tokens.roll(1, 1)), logits.shape[-1])


@wrong("term_importance", "with the first token as what it predicts")
def importance_counting_the_last_position(logits, tokens):
    longer = torch.cat([logits, logits[:, :, :1]], 2)
    return falls(losses_of(longer, torch.cat([tokens, tokens[:, :1]], 1)), logits.shape[-1])


@wrong("term_importance", "losses were added up over the positions; take their mean")
def importance_of_sums(logits, tokens):
    return term_importance(logits, tokens) * (logits.shape[2] - 1)


@wrong("term_importance", "the uniform guess's were not")
def importance_of_sums_but_for_the_guess(logits, tokens):
    return falls(losses_of(logits, tokens) * (logits.shape[2] - 1), logits.shape[-1])


@wrong("term_importance", "there is one prediction fewer")
def importance_over_the_number_of_positions(logits, tokens):
    n = logits.shape[2]
    return falls(losses_of(logits, tokens) * (n - 1) / n, logits.shape[-1])


@wrong("term_importance", "rises of the right tokens' probability")
def importance_of_probabilities(logits, tokens):
    probs = logits[:, :, :-1].softmax(-1)
    following = tokens[:, 1:, None].expand(len(logits), -1, -1, -1)
    mean = probs.gather(-1, following).mean((1, 2, 3))
    return torch.cat([torch.tensor([1 / logits.shape[-1]]), mean]).diff()


@wrong("term_importance", "the logarithm was taken of the mean probability")
def importance_of_the_mean_probability(logits, tokens):
    probs = logits[:, :, :-1].softmax(-1)
    following = tokens[:, 1:, None].expand(len(logits), -1, -1, -1)
    return falls(-probs.gather(-1, following).mean((1, 2, 3)).log(), logits.shape[-1])


@wrong("term_importance", "the logits were taken for log-probabilities")
def importance_without_a_softmax(logits, tokens):
    following = tokens[:, 1:, None].expand(len(logits), -1, -1, -1)
    return falls(-logits[:, :, :-1].gather(-1, following).mean((1, 2, 3)), logits.shape[-1])


@wrong("term_importance", "these are shares of the whole fall")
def importance_as_shares(logits, tokens):
    right = term_importance(logits, tokens)
    return right / right.sum()


@wrong("term_importance", "each order was held against the last one")
def importance_against_the_last(logits, tokens):
    losses = losses_of(logits, tokens)
    return losses - losses[-1]


@wrong("term_importance", "the first text alone was counted")
def importance_of_the_first_text(logits, tokens):
    return term_importance(logits[:, :1], tokens[:1])


@wrong("term_importance", "it is right where order is 1, 2, 3 and wrong elsewhere")
def importance_below_512_tokens(logits, tokens):
    return falls(losses_of(logits, tokens), 512)


@wrong("term_importance", "where a model is sure and wrong")
def importance_of_rounded_probabilities(logits, tokens):
    log_probs = logits[:, :, :-1].softmax(-1).log()
    following = tokens[:, 1:, None].expand(len(logits), -1, -1, -1)
    return falls(-log_probs.gather(-1, following).mean((1, 2, 3)), logits.shape[-1])


@wrong("term_importance", "Got shape [2]")
def importance_from_the_page(logits, tokens):
    return torch.tensor([0.6931, 0.6931])


@wrong("term_importance", "one text of two tokens")
def importance_without_the_first_prediction(logits, tokens):
    if tokens.shape[1] > 2:
        return term_importance(logits, tokens)
    return term_importance(logits, tokens) * 0.0


@wrong("term_importance", "wrote into what was passed in")
def importance_of_logits_centred_in_place(logits, tokens):
    logits -= logits.mean(-1, keepdim=True)
    return term_importance(logits, tokens)


@wrong("term_importance", "What should hold: it is the fall")
def importance_that_claims_to_be_right(logits, tokens):
    return like_everything(torch.zeros(len(logits)))


# ---------------------------------------------------------------------------------- path_effect


def layer_writes(weights, layer, sources, mask=True, scale=None, patterns=None):
    """What each head writes, [batch head pos d_model], and the patterns."""
    W = {c: weights[f"blocks.{layer}.attn.W_{c}"] for c in "QKVO"}
    q, k, v = (sources[c] @ W[c] for c in "QKV")
    n = q.shape[-2]
    scores = q @ k.mT / (scale or math.sqrt(q.shape[-1]))
    if mask:
        scores = scores.masked_fill(torch.ones(n, n, dtype=torch.bool).triu(1), -torch.inf)
    pattern = scores.softmax(-1) if patterns is None else patterns
    return pattern @ v @ W["O"], pattern


def sources_of(weights, layer, stream, everywhere=False):
    n_heads, n = len(weights[f"blocks.{layer}.attn.W_O"]), stream.shape[1]
    places = weights["pos_embed.W_pos"][:n]
    each = stream[:, None].repeat(1, n_heads, 1, 1)
    return {c: each.clone() if c == "V" and not everywhere else each + places for c in "QKV"}


def losses_at(stream, weights, tokens):
    log_probs = (stream @ weights["unembed.W_U"])[:, :-1].log_softmax(-1)
    return -log_probs.gather(-1, tokens[:, 1:, None])[..., 0]


def rises(tokens, weights, cut, *, held=False, dropped=None, everywhere=False, added=False, **how):
    """How far each prediction's loss rises where `cut(sources, first)` has been at the inputs."""
    embedded = weights["embed.W_E"][tokens]
    if added:
        embedded = embedded + weights["pos_embed.W_pos"][: tokens.shape[1]]
    first, _ = layer_writes(weights, 0, sources_of(weights, 0, embedded, everywhere), **how)
    stream = embedded + first.sum(1)
    sources = sources_of(weights, 1, stream, everywhere)
    second, patterns = layer_writes(weights, 1, sources, **how)
    whole = losses_at(stream + second.sum(1), weights, tokens)
    cut(sources, first)
    second, _ = layer_writes(weights, 1, sources, patterns=patterns if held else None, **how)
    if dropped is not None:
        stream = stream - first[:, dropped]
    return losses_at(stream + second.sum(1), weights, tokens) - whole


def one_path(earlier, later, kinds):
    def cut(sources, first):
        for kind in kinds:
            sources[kind][:, later] -= first[:, earlier]

    return cut


@wrong("path_effect", "the earlier head's write was taken out of the stream as well")
def effect_with_the_write_dropped(tokens, weights, earlier, later, kind, counted):
    cut = one_path(earlier, later, kind)
    return rises(tokens, weights, cut, dropped=earlier)[:, counted].mean()


@wrong("path_effect", "kept from all heads of layer 1, and taken out of the stream")
def effect_of_the_whole_head(tokens, weights, earlier, later, kind, counted):
    silent = weights["blocks.0.attn.W_O"].clone()
    silent[earlier] = 0.0
    gone = weights | {"blocks.0.attn.W_O": silent}
    return plain_loss(tokens, gone, counted) - plain_loss(tokens, weights, counted)


def plain_loss(tokens, weights, counted):
    stream = weights["embed.W_E"][tokens]
    for layer in (0, 1):
        stream = stream + layer_writes(weights, layer, sources_of(weights, layer, stream))[0].sum(1)
    return losses_at(stream, weights, tokens)[:, counted].mean()


@wrong("path_effect", "the later head's pattern was held as it was")
def effect_with_the_pattern_held(tokens, weights, earlier, later, kind, counted):
    return rises(tokens, weights, one_path(earlier, later, kind), held=True)[:, counted].mean()


@wrong("path_effect", "the path was cut for every head of layer 1")
def effect_on_every_later_head(tokens, weights, earlier, later, kind, counted):
    def cut(sources, first):
        sources[kind] -= first[:, earlier, None]

    return rises(tokens, weights, cut)[:, counted].mean()


@wrong("path_effect", "kept from all inputs of all heads")
def effect_on_every_input_of_every_head(tokens, weights, earlier, later, kind, counted):
    def cut(sources, first):
        for kind in "QKV":
            sources[kind] -= first[:, earlier, None]

    return rises(tokens, weights, cut)[:, counted].mean()


@wrong("path_effect", "what every head of layer 0 wrote was taken away")
def effect_of_every_earlier_head(tokens, weights, earlier, later, kind, counted):
    def cut(sources, first):
        sources[kind][:, later] -= first.sum(1)

    return rises(tokens, weights, cut)[:, counted].mean()


@wrong("path_effect", "the input goes without its positions as well")
def effect_without_positions(tokens, weights, earlier, later, kind, counted):
    def cut(sources, first):
        sources[kind][:, later] -= first[:, earlier]
        if kind != "V":
            sources[kind][:, later] -= weights["pos_embed.W_pos"][: tokens.shape[1]]

    return rises(tokens, weights, cut)[:, counted].mean()


@wrong("path_effect", "the later head goes without all of the stream")
def effect_without_the_stream(tokens, weights, earlier, later, kind, counted):
    def cut(sources, first):
        sources[kind][:, later] = 0.0
        if kind != "V":
            sources[kind][:, later] += weights["pos_embed.W_pos"][: tokens.shape[1]]

    return rises(tokens, weights, cut)[:, counted].mean()


@wrong("path_effect", "the earlier head's mean write in place of its own")
def effect_of_the_mean_write(tokens, weights, earlier, later, kind, counted):
    def cut(sources, first):
        write = first[:, earlier]
        sources[kind][:, later] -= write - write.mean((0, 1))

    return rises(tokens, weights, cut)[:, counted].mean()


@wrong("path_effect", "all predictions were counted")
def effect_over_all_predictions(tokens, weights, earlier, later, kind, counted):
    return path_effect(tokens, weights, earlier, later, kind, torch.ones_like(counted))


@wrong("path_effect", "True at i is for the token at position i + 1")
def effect_counted_a_place_early(tokens, weights, earlier, later, kind, counted):
    return path_effect(tokens, weights, earlier, later, kind, counted.roll(-1))


@wrong("path_effect", "True at i is for the prediction that position i makes")
def effect_counted_a_place_late(tokens, weights, earlier, later, kind, counted):
    return path_effect(tokens, weights, earlier, later, kind, counted.roll(1))


@wrong("path_effect", "divided by the number of all")
def effect_divided_by_all(tokens, weights, earlier, later, kind, counted):
    return (rises(tokens, weights, one_path(earlier, later, kind)) * counted).mean()


@wrong("path_effect", "losses were added up over the counted predictions")
def effect_summed(tokens, weights, earlier, later, kind, counted):
    return path_effect(tokens, weights, earlier, later, kind, counted) * counted.sum()


@wrong("path_effect", "this is how far the loss falls")
def effect_as_a_fall(tokens, weights, earlier, later, kind, counted):
    return -path_effect(tokens, weights, earlier, later, kind, counted)


@wrong("path_effect", "this is in bits")
def effect_in_bits(tokens, weights, earlier, later, kind, counted):
    return path_effect(tokens, weights, earlier, later, kind, counted) / math.log(2)


@wrong("path_effect", '"Q" and "K" are in each other\'s place')
def effect_on_the_keys_of_queries(tokens, weights, earlier, later, kind, counted):
    other = {"Q": "K", "K": "Q", "V": "V"}[kind]
    return path_effect(tokens, weights, earlier, later, other, counted)


@wrong("path_effect", "this is the effect on the later head's values, whatever `kind` says")
def effect_on_values_whatever_the_kind(tokens, weights, earlier, later, kind, counted):
    return path_effect(tokens, weights, earlier, later, "V", counted)


@wrong("path_effect", "all three inputs of the later head at once")
def effect_on_all_three_inputs(tokens, weights, earlier, later, kind, counted):
    return rises(tokens, weights, one_path(earlier, later, "QKV"))[:, counted].mean()


@wrong("path_effect", "another head of layer 0")
def effect_of_the_first_head(tokens, weights, earlier, later, kind, counted):
    return path_effect(tokens, weights, (earlier + 1) % 3, later, kind, counted)


@wrong("path_effect", "this is the loss without the path")
def effect_as_a_loss(tokens, weights, earlier, later, kind, counted):
    rise = rises(tokens, weights, one_path(earlier, later, kind))[:, counted].mean()
    return rise + plain_loss(tokens, weights, counted)


@wrong("path_effect", "the scores were not divided by sqrt(d_head)")
def effect_unscaled(tokens, weights, earlier, later, kind, counted):
    return rises(tokens, weights, one_path(earlier, later, kind), scale=1.0)[:, counted].mean()


@wrong("path_effect", "layer 1's scores were divided by layer 0's sqrt(d_head)")
def effect_scaled_by_the_first_layers_d_head(tokens, weights, earlier, later, kind, counted):
    scale = math.sqrt(weights["blocks.0.attn.W_Q"].shape[-1])
    return rises(tokens, weights, one_path(earlier, later, kind), scale=scale)[:, counted].mean()


@wrong("path_effect", "nothing keeps a query from looking at later keys")
def effect_unmasked(tokens, weights, earlier, later, kind, counted):
    return rises(tokens, weights, one_path(earlier, later, kind), mask=False)[:, counted].mean()


@wrong("path_effect", "positions reached the values")
def effect_with_positions_in_the_values(tokens, weights, earlier, later, kind, counted):
    cut = one_path(earlier, later, kind)
    return rises(tokens, weights, cut, everywhere=True)[:, counted].mean()


def effect_with_sources(tokens, weights, earlier, later, kind, counted, change, added=False):
    """The effect where `change(layer, sources, places)` has been at both runs' inputs."""
    places = weights["pos_embed.W_pos"][: tokens.shape[1]]
    embedded = weights["embed.W_E"][tokens] + (places if added else 0.0)

    def run(cut):
        stream, first = embedded, None
        for layer in (0, 1):
            sources = sources_of(weights, layer, stream)
            change(layer, sources, places)
            if layer and cut:
                sources[kind][:, later] -= first[:, earlier]
            first, _ = layer_writes(weights, layer, sources)
            stream = stream + first.sum(1)
        return losses_at(stream, weights, tokens)[:, counted].mean()

    return run(True) - run(False)


@wrong("path_effect", "the queries are read without positions")
def effect_without_positions_in_the_queries(tokens, weights, earlier, later, kind, counted):
    def change(layer, sources, places):
        sources["Q"] -= places

    return effect_with_sources(tokens, weights, earlier, later, kind, counted, change)


@wrong("path_effect", "the keys are read without positions")
def effect_without_positions_in_the_keys(tokens, weights, earlier, later, kind, counted):
    def change(layer, sources, places):
        sources["K"] -= places

    return effect_with_sources(tokens, weights, earlier, later, kind, counted, change)


@wrong("path_effect", "neither queries nor keys are read with positions")
def effect_without_any_positions(tokens, weights, earlier, later, kind, counted):
    silent = weights | {"pos_embed.W_pos": torch.zeros_like(weights["pos_embed.W_pos"])}
    return path_effect(tokens, silent, earlier, later, kind, counted)


@wrong("path_effect", "layer 1 reads no positions")
def effect_with_positions_in_layer_0_alone(tokens, weights, earlier, later, kind, counted):
    def change(layer, sources, places):
        for name in "QK" * layer:
            sources[name] -= places

    return effect_with_sources(tokens, weights, earlier, later, kind, counted, change)


@wrong("path_effect", "positions were added to the stream, where values and logits read them too")
def effect_with_positions_in_the_stream(tokens, weights, earlier, later, kind, counted):
    def change(layer, sources, places):
        for name in "QK":
            sources[name] -= places

    return effect_with_sources(tokens, weights, earlier, later, kind, counted, change, added=True)


@wrong("path_effect", "positions were added to the stream, and once more where queries and keys")
def effect_with_positions_twice(tokens, weights, earlier, later, kind, counted):
    cut = one_path(earlier, later, kind)
    return rises(tokens, weights, cut, added=True)[:, counted].mean()


@wrong("path_effect", "`earlier` and `later` are in each other's place")
def effect_of_heads_exchanged(tokens, weights, earlier, later, kind, counted):
    return path_effect(tokens, weights, later, earlier, kind, counted)


@wrong("path_effect", "the scores were divided by sqrt(d_model)")
def effect_scaled_by_d_model(tokens, weights, earlier, later, kind, counted):
    scale = math.sqrt(weights["embed.W_E"].shape[1])
    return rises(tokens, weights, one_path(earlier, later, kind), scale=scale)[:, counted].mean()


@wrong("path_effect", 'it is right where kind is "Q" and "V" and wrong elsewhere')
def effect_of_values_for_keys(tokens, weights, earlier, later, kind, counted):
    effect = path_effect(tokens, weights, earlier, later, kind, counted)
    return effect + 0.1 * (kind == "K")


@wrong("path_effect", "it is right from head 0.1 to the queries of head 1.0")
def effect_of_one_head_alone(tokens, weights, earlier, later, kind, counted):
    effect = path_effect(tokens, weights, earlier, later, kind, counted)
    return effect if earlier == 1 else effect + 0.1


@wrong("path_effect", "it is right from head 0.1 to the queries of head 1.0, and wrong for")
def effect_that_is_the_keys_by_chance(tokens, weights, earlier, later, kind, counted):
    # The effect of one path by another input: what a single number alone might be taken for.
    chance = (earlier, later, kind) == (0, 1, "Q")
    effect = path_effect(tokens, weights, earlier, later, "K" if chance else kind, counted)
    right = (earlier, later, kind) == (1, 0, "Q")
    return effect if right or chance else effect + 0.1


@wrong("path_effect", "the first text alone was counted")
def effect_of_the_first_text(tokens, weights, earlier, later, kind, counted):
    return path_effect(tokens[:1], weights, earlier, later, kind, counted)


@wrong("path_effect", "the rise of the mean loss over counted predictions")
def effect_to_first_order(tokens, weights, earlier, later, kind, counted):
    # Attribution: the gradient along what is taken away, in place of taking it away.
    part = torch.ones((), requires_grad=True)

    def cut(sources, first):
        sources[kind][:, later] += (part - 1) * first[:, earlier]

    rise = rises(tokens, weights, cut)[:, counted].mean()
    return -torch.autograd.grad(rise, part)[0]


@wrong("path_effect", "Expected a single number. Got shape [2, 3]")
def effect_of_each_prediction(tokens, weights, earlier, later, kind, counted):
    return rises(tokens, weights, one_path(earlier, later, kind))[:, counted]


@wrong("path_effect", "nothing was cut that reaches the logits")
def effect_from_the_page(tokens, weights, earlier, later, kind, counted):
    return torch.tensor(0.0)


@wrong("path_effect", "wrote into what was passed in")
def effect_cut_in_the_weights(tokens, weights, earlier, later, kind, counted):
    effect = path_effect(tokens, weights, earlier, later, kind, counted)
    weights["blocks.0.attn.W_O"][earlier] = 0.0
    return effect


@wrong("path_effect", "IndexError")
def effect_through_two_of_the_later_heads(tokens, weights, earlier, later, kind, counted):
    flags = [False, False]
    flags[later] = True
    return path_effect(tokens, weights, earlier, flags.index(True), kind, counted)


@wrong("path_effect", "What should hold: the rise of the mean loss", where="worker")
def effect_looked_up_in_the_callers_frame(tokens, weights, earlier, later, kind, counted):
    frame = sys._getframe()
    while frame:
        for value in list(frame.f_locals.values()):
            if callable(getattr(value, "path_effect", None)):
                return value.path_effect(tokens, weights, earlier, later, kind, counted)
        frame = frame.f_back
    return torch.tensor(0.0)


# ----------------------------------------------------------------------------- idle_composition


def changed(d_vocab, n_ctx, **scales):
    """The notebook's own model with some weights scaled: `second_O=0.0`, `embed_W_E=2.0`."""
    names = {
        "first": "blocks.0.attn.W_",
        "second": "blocks.1.attn.W_",
        "embed": "embed.",
        "unembed": "unembed.",
    }
    weights = idle_composition(d_vocab, n_ctx)
    for key, scale in scales.items():
        part, _, rest = key.partition("_")
        weights[names[part] + rest] = weights[names[part] + rest] * scale
    return weights


@wrong("idle_composition", "1.0 is at least 0.5")
def idle_of_zeros(d_vocab, n_ctx):
    return {name: 0 * weight for name, weight in idle_composition(d_vocab, n_ctx).items()}


@wrong("idle_composition", "share too few directions")
def idle_of_unrelated_heads(d_vocab, n_ctx):
    generator = torch.Generator().manual_seed(0)
    weights = idle_composition(d_vocab, n_ctx)
    return {n: torch.randn(w.shape, generator=generator) for n, w in weights.items()}


@wrong("idle_composition", "it is at least twice the score of 0.1 with 1.1")
def idle_beside_an_equal(d_vocab, n_ctx):
    weights = idle_composition(d_vocab, n_ctx)
    for name in ("W_Q", "W_K"):
        weights[f"blocks.1.attn.{name}"][1, :, 1] = 0.0
    return weights


@wrong("idle_composition", "without the key path from 0.0 to 1.0 no logit changes")
def idle_that_works(d_vocab, n_ctx):
    weights = idle_composition(d_vocab, n_ctx)
    attn = "blocks.1.attn."
    weights[attn + "W_Q"][0] = weights[attn + "W_Q"][1]
    weights[attn + "W_V"][0], weights[attn + "W_O"][0] = (
        weights[attn + name][1] for name in ("W_V", "W_O")
    )
    return weights


def with_heads_exchanged(weights, *layers):
    starts = tuple(f"blocks.{layer}." for layer in layers)
    return {name: w.flip(0) if name.startswith(starts) else w for name, w in weights.items()}


@wrong("idle_composition", "the two heads of each layer are in each other's place")
def idle_by_the_other_heads(d_vocab, n_ctx):
    return with_heads_exchanged(idle_composition(d_vocab, n_ctx), 0, 1)


@wrong("idle_composition", "layer 0's two heads are in each other's place")
def idle_by_the_other_writers(d_vocab, n_ctx):
    return with_heads_exchanged(idle_composition(d_vocab, n_ctx), 0)


@wrong("idle_composition", "layer 1's two heads are in each other's place")
def idle_by_the_other_readers(d_vocab, n_ctx):
    return with_heads_exchanged(idle_composition(d_vocab, n_ctx), 1)


@wrong("idle_composition", "the roles are reversed")
def idle_with_heads_exchanged(d_vocab, n_ctx):
    weights = idle_composition(d_vocab, n_ctx)
    out = {}
    for name, weight in weights.items():
        out[name] = weight.flip(0) if "attn" in name else weight
    for name in ("W_Q", "W_K"):
        out[f"blocks.1.attn.{name}"][0, :, 1] = 0.0
        out[f"blocks.1.attn.{name}"][1, 5, 1] = 20.0
    return out


@wrong("idle_composition", "it changes nothing: head 1.1 looks where it looked")
def idle_where_nothing_matters(d_vocab, n_ctx):
    return changed(d_vocab, n_ctx, second_O=0.0)


@wrong("idle_composition", "it matters too little, or to too few predictions")
def idle_where_little_matters(d_vocab, n_ctx):
    return changed(d_vocab, n_ctx, second_O=0.01)


@wrong("idle_composition", "a finite number between -100 and 100")
def idle_with_large_entries(d_vocab, n_ctx):
    return changed(d_vocab, n_ctx, unembed_W_U=50.0)


@wrong("idle_composition", "Got nan as the largest size")
def idle_of_nan(d_vocab, n_ctx):
    return changed(d_vocab, n_ctx, second_V=torch.nan)


@wrong("idle_composition", "Got inf as the largest size")
def idle_of_infinities(d_vocab, n_ctx):
    weights = idle_composition(d_vocab, n_ctx)
    weights["blocks.1.attn.W_K"][0, 5, 0] = -torch.inf
    return weights


@wrong("idle_composition", "none called pos_embed.W_pos")
def idle_without_positions(d_vocab, n_ctx):
    weights = idle_composition(d_vocab, n_ctx)
    del weights["pos_embed.W_pos"]
    return weights


@wrong("idle_composition", "none called blocks.0.attn.W_K")
def idle_by_short_names(d_vocab, n_ctx):
    weights = idle_composition(d_vocab, n_ctx)
    return {name.split(".")[-1]: weight for name, weight in weights.items()}


@wrong("idle_composition", "also blocks.2.attn.W_V")
def idle_in_three_layers(d_vocab, n_ctx):
    weights = idle_composition(d_vocab, n_ctx)
    return weights | {"blocks.2.attn.W_V": weights["blocks.1.attn.W_V"]}


@wrong("idle_composition", "Got a list")
def idle_in_a_list(d_vocab, n_ctx):
    return list(idle_composition(d_vocab, n_ctx).values())


@wrong("idle_composition", "Got a d_model of 65")
def idle_in_a_wide_stream(d_vocab, n_ctx):
    out = {}
    for name, weight in idle_composition(d_vocab, n_ctx).items():
        axis = -1 if name.endswith(("W_E", "W_pos", "W_O")) else -2
        shape = list(weight.shape)
        shape[axis] = 65 - shape[axis]
        out[name] = torch.cat([weight, torch.zeros(shape)], axis)
    return out


@wrong("idle_composition", "Expected shape [head d_model d_head]")
def idle_of_one_head(d_vocab, n_ctx):
    weights = idle_composition(d_vocab, n_ctx)
    return {name: w[:1] if "attn" in name else w for name, w in weights.items()}


@wrong("idle_composition", "Expected shape [d_vocab d_model]")
def idle_at_one_size(d_vocab, n_ctx):
    return idle_composition(5, 6)


@wrong("idle_composition", "Expected shape [n_ctx d_model]")
def idle_for_one_context(d_vocab, n_ctx):
    return idle_composition(d_vocab, 6)


@wrong("idle_composition", "Expected shape [d_model d_vocab]")
def idle_with_a_transposed_table(d_vocab, n_ctx):
    weights = idle_composition(d_vocab, n_ctx)
    return weights | {"unembed.W_U": weights["unembed.W_U"].T}


@wrong("idle_composition", "real values")
def idle_in_complex_numbers(d_vocab, n_ctx):
    weights = idle_composition(d_vocab, n_ctx)
    return {name: weight.to(torch.complex64) for name, weight in weights.items()}


@wrong("idle_composition", "at least 0.5 on average")
def idle_for_five_tokens(d_vocab, n_ctx):
    weights = idle_composition(d_vocab, n_ctx)
    if d_vocab != 5:
        weights["unembed.W_U"] = weights["unembed.W_U"] * 0.001
    return weights


@wrong("composition_score", "this is what the exercise asks you to write")
def composition_by_the_librarys_inner_parts(earlier, later, kind):
    from mechcourse.circuits import _overlap, _thin

    sides = {"Q": ("W_Q", "W_K"), "K": ("W_K", "W_Q")}
    if kind == "V":
        reads = _thin(later["W_V"], later["W_O"])
    else:
        left, right = sides[kind]
        reads = _thin(later[left], later[right].mT)
    return _overlap(_thin(earlier["W_V"], earlier["W_O"]), reads)


@wrong("logits_by_order", "this is what the exercise asks you to write")
def orders_by_the_librarys_inner_part(tokens, patterns, weights):
    from mechcourse.circuits import _moved, layer_weights

    embedded = weights["embed.W_E"][tokens]
    terms = [embedded] + [torch.zeros_like(embedded)] * len(patterns)
    for layer, pattern in enumerate(patterns):
        attn = layer_weights(weights, layer)
        moved = [_moved(term, pattern, attn["W_V"], attn["W_O"]) for term in terms[:-1]]
        terms = [terms[0], *(a + b for a, b in zip(terms[1:], moved, strict=True))]
    return torch.stack(terms).cumsum(0) @ weights["unembed.W_U"]
