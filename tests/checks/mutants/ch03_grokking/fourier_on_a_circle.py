"""Wrong answers to `ch03_grokking/2_fourier_on_a_circle.ipynb`, with words a check must say."""

import math

import torch

from mechcourse import fourier
from tests.checks.harness import wrong

# ------------------------------------------------------------------------------- fourier_basis


def waves(p, angles=None, order=None, unit=True):
    """A basis with some of its steps changed."""
    if p < 3 or p % 2 == 0:
        raise ValueError(p)
    x = torch.arange(p, dtype=torch.float64)
    rows = [torch.ones(p, dtype=torch.float64)]
    for k in range(1, p // 2 + 1):
        angle = 2 * math.pi * k * x / p if angles is None else angles(k, x)
        rows += [angle.cos(), angle.sin()]
    if order:
        rows = order(rows)
    basis = torch.stack(rows)
    return basis / basis.norm(dim=1, keepdim=True).clamp(min=1e-9) if unit else basis


@wrong("fourier_basis", "rows have no norm of 1 yet")
def basis_without_norms(p):
    return waves(p, unit=False)


@wrong("fourier_basis", "only the constant has norm 1")
def basis_with_a_unit_constant(p):
    basis = waves(p, unit=False)
    basis[0] /= math.sqrt(p)
    return basis


@wrong("fourier_basis", "the waves were divided by sqrt(p)")
def basis_over_the_root_of_p(p):
    return waves(p, unit=False) / math.sqrt(p)


@wrong("fourier_basis", "the constant has norm sqrt(2)")
def basis_with_a_large_constant(p):
    return waves(p, unit=False) * math.sqrt(2 / p)


@wrong("fourier_basis", "all cosines come first")
def basis_of_cosines_then_sines(p):
    return waves(p, order=lambda rows: [rows[0], *rows[1::2], *rows[2::2]])


@wrong("fourier_basis", "the sine comes before the cosine")
def basis_with_sines_first(p):
    basis = waves(p)
    basis[1::2], basis[2::2] = basis[2::2].clone(), basis[1::2].clone()
    return basis


@wrong("fourier_basis", "the constant comes last")
def basis_with_the_constant_last(p):
    return waves(p, order=lambda rows: [*rows[1:], rows[0]])


@wrong("fourier_basis", "waves stand in the columns")
def basis_in_columns(p):
    return waves(p).T


@wrong("fourier_basis", "the numbers begin at 1")
def basis_from_one(p):
    return waves(p, lambda k, x: 2 * math.pi * k * (x + 1) / p)


@wrong("fourier_basis", "2π is missing")
def basis_without_two_pi(p):
    return waves(p, lambda k, x: k * x / p)


@wrong("fourier_basis", "half as large")
def basis_of_half_turns(p):
    return waves(p, lambda k, x: math.pi * k * x / p)


@wrong("fourier_basis", "once in p - 1 numbers")
def basis_by_linspace(p):
    return waves(p, lambda k, x: k * torch.linspace(0, 2 * math.pi, p, dtype=torch.float64))


@wrong("fourier_basis", "the frequencies begin at 2")
def basis_from_frequency_two(p):
    return waves(p, lambda k, x: 2 * math.pi * (k + 1) * x / p)


@wrong("fourier_basis", "shape [component p] = [7, 7]")
def basis_without_the_constant(p):
    return waves(p)[1:]


@wrong("fourier_basis", "it raises ValueError for p that is even")
def basis_for_even_p(p):
    if p % 2 or p < 3:
        return waves(p)
    return waves(p + 1)[:p, :p]


@wrong("fourier_basis", "there is no wave to be had")
def basis_for_one_number(p):
    return torch.ones(1, 1) if p == 1 else waves(p)


@wrong("fourier_basis", "real values")
def basis_of_complex_waves(p):
    return torch.fft.fft(torch.eye(p + 1 - p % 2, dtype=torch.float64)) / math.sqrt(p)


@wrong("fourier_basis", "this is what the exercise asks you to write")
def basis_by_the_library(p):
    return fourier.fourier_basis(p)


@wrong("fourier_basis", "this is what the exercise asks you to write")
def basis_by_the_librarys_waves(p):
    if p < 3 or p % 2 == 0:
        raise ValueError(p)
    return torch.cat([torch.full((1, p), p**-0.5), fourier.wave_rows(p, range(1, p // 2 + 1))])


# ------------------------------------------------------------------------------- fourier_norms


def paired(table):
    """The constant's coefficients, and the others by frequency: [freq cosine/sine column]."""
    found = fourier_basis(len(table)).double() @ table.double()
    return found[:1], found[1:].view(-1, 2, table.shape[1])


def joined(constant, rest):
    return torch.cat([constant.square().sum(1).sqrt(), rest])


@wrong("fourier_norms", "these are energies")
def norms_squared(table):
    constant, pairs = paired(table)
    return joined(constant, pairs.square().sum((1, 2)).sqrt()).square()


@wrong("fourier_norms", "put the cosine and the sine of a frequency together")
def norms_of_components(table):
    return (fourier_basis(len(table)).double() @ table.double()).norm(dim=1)


@wrong("fourier_norms", "the constant has an entry too")
def norms_without_the_constant(table):
    return paired(table)[1].square().sum((1, 2)).sqrt()


@wrong("fourier_norms", "only the cosines were counted")
def norms_of_cosines(table):
    constant, pairs = paired(table)
    return joined(constant, pairs[:, 0].norm(dim=1))


@wrong("fourier_norms", "the norms of cosine and sine were added")
def norms_added(table):
    constant, pairs = paired(table)
    return joined(constant, pairs.norm(dim=2).sum(1))


@wrong("fourier_norms", "energies were halved")
def norms_averaged_over_pairs(table):
    constant, pairs = paired(table)
    return joined(constant, pairs.square().sum(2).mean(1).sqrt())


@wrong("fourier_norms", "the larger of the cosine's and the sine's")
def norms_of_the_larger(table):
    constant, pairs = paired(table)
    return joined(constant, pairs.norm(dim=2).amax(1))


@wrong("fourier_norms", "so that they cancel")
def norms_of_sums_over_columns(table):
    constant, pairs = paired(table)
    return torch.cat([constant.sum(1).abs(), pairs.sum(2).norm(dim=1)])


@wrong("fourier_norms", "the mean over the columns was taken")
def norms_averaged_over_columns(table):
    constant, pairs = paired(table)
    norms = joined(constant, pairs.square().sum((1, 2)).sqrt())
    return norms / math.sqrt(table.shape[1])


@wrong("fourier_norms", "the table was centred first")
def norms_of_a_centred_table(table):
    constant, pairs = paired(table - table.mean(0))
    return joined(constant, pairs.square().sum((1, 2)).sqrt())


@wrong("fourier_norms", "the constant was paired with cos 1")
def norms_paired_from_the_start(table):
    found = fourier_basis(len(table)).double() @ table.double()
    energies = found.square().sum(1)
    return torch.cat([energies[:-1].view(-1, 2).sum(1), energies[-1:]]).sqrt()


@wrong("fourier_norms", "not orthonormal")
def norms_by_a_bare_transform(table):
    return torch.fft.rfft(table, dim=0).abs().square().sum(1).sqrt()


@wrong("fourier_norms", "energies were halved")
def norms_by_half_a_transform(table):
    return torch.fft.rfft(table, dim=0, norm="ortho").abs().square().sum(1).sqrt()


@wrong("fourier_norms", "divided by the norm of the table")
def norms_as_shares(table):
    constant, pairs = paired(table)
    return joined(constant, pairs.square().sum((1, 2)).sqrt()) / table.norm()


@wrong("fourier_norms", "for inputs of shape [9, 4]")
def norms_of_the_columns(table):
    constant, pairs = paired(table.T)
    return joined(constant, pairs.square().sum((1, 2)).sqrt())


@wrong("fourier_norms", "this is what the exercise asks you to write")
def norms_by_the_library(table):
    return fourier.fourier_norms(table)


@wrong("fourier_norms", "this is what the exercise asks you to write")
def norms_by_the_librarys_shares(table):
    mean = table.double().mean(0)
    size = (table.double() - mean).norm()
    constant = mean.norm()[None] * math.sqrt(len(table))
    return torch.cat([constant, fourier.frequency_shares(table).sqrt() * size])


@wrong("fourier_norms", "Expected")
def norms_of_the_example(table):
    return torch.tensor([20.0, 1.4472, 0.5528, 0.0, 0.0]).sqrt()


# ----------------------------------------------------------------------------- key_frequencies


def at_least(norms, cut, start=1):
    return [k for k in range(start, len(norms)) if norms[k] >= cut and norms[k] > 0]


@wrong("key_frequencies", "just at the threshold counts")
def keys_strictly_above(norms, *, threshold):
    return [k for k in range(1, len(norms)) if norms[k] > threshold * norms[1:].max()]


@wrong("key_frequencies", "the constant was compared with")
def keys_beside_the_constant(norms, *, threshold):
    return at_least(norms, threshold * norms.max())


@wrong("key_frequencies", "the constant was let in")
def keys_with_the_constant(norms, *, threshold):
    return at_least(norms, threshold * norms[1:].max(), 0)


@wrong("key_frequencies", "the constant was counted as a frequency")
def keys_of_all_entries(norms, *, threshold):
    return at_least(norms, threshold * norms.max(), 0)


@wrong("key_frequencies", "frequencies were counted from 0")
def keys_from_zero(norms, *, threshold):
    return [k - 1 for k in at_least(norms, threshold * norms[1:].max())]


@wrong("key_frequencies", "one too high")
def keys_one_too_high(norms, *, threshold):
    return [k + 1 for k in at_least(norms, threshold * norms[1:].max())]


@wrong("key_frequencies", "`threshold` was taken as a norm")
def keys_above_a_fixed_norm(norms, *, threshold):
    return at_least(norms, threshold)


@wrong("key_frequencies", "energies were compared")
def keys_by_energy(norms, *, threshold):
    return at_least(norms.square(), threshold * norms[1:].square().max())


@wrong("key_frequencies", "in the order of size")
def keys_by_size(norms, *, threshold):
    found = at_least(norms, threshold * norms[1:].max())
    return sorted(found, key=lambda k: -norms[k])


@wrong("key_frequencies", "share of all norms together")
def keys_by_a_share_of_all(norms, *, threshold):
    return at_least(norms, threshold * norms[1:].sum())


@wrong("key_frequencies", "held against their median")
def keys_above_the_median(norms, *, threshold):
    return at_least(norms, threshold * norms[1:].median())


@wrong("key_frequencies", "so for nothing")
def keys_where_all_is_nothing(norms, *, threshold):
    return [k for k in range(1, len(norms)) if norms[k] >= threshold * norms[1:].max()]


@wrong("key_frequencies", "norms that are all small")
def keys_with_an_epsilon(norms, *, threshold):
    return [k for k in at_least(norms, threshold * norms[1:].max()) if norms[k] > 1e-2]


@wrong("key_frequencies", "Expected")
def keys_of_a_quarter(norms, *, threshold):
    return at_least(norms, 0.25 * norms[1:].max())


@wrong("key_frequencies", "this is a mask")
def keys_as_a_mask(norms, *, threshold):
    return [k > 0 and bool(n >= threshold * norms[1:].max()) for k, n in enumerate(norms)]


@wrong("key_frequencies", "these are norms")
def keys_as_norms(norms, *, threshold):
    return norms[at_least(norms, threshold * norms[1:].max())]


@wrong("key_frequencies", "this is what the exercise asks you to write")
def keys_by_the_library(norms, *, threshold):
    p = 2 * len(norms) - 1
    return fourier.key_frequencies(torch.diag(norms.repeat(2)[:p]), threshold)


@wrong("key_frequencies", "Expected")
def keys_of_the_example(norms, *, threshold):
    return [1, 2, 4]


# --------------------------------------------------------------------- two_dimensional_fourier


def both(table):
    basis = fourier_basis(len(table)).double()
    return basis, table.double()


@wrong("two_dimensional_fourier", "components of a come first")
def coefficients_turned(table):
    basis, x = both(table)
    return (basis @ x @ basis.T).T


@wrong("two_dimensional_fourier", "only a was transformed")
def coefficients_of_a(table):
    basis, x = both(table)
    return basis @ x


@wrong("two_dimensional_fourier", "only b was transformed")
def coefficients_of_b(table):
    basis, x = both(table)
    return x @ basis.T


@wrong("two_dimensional_fourier", "turn it, so that b meets b")
def coefficients_with_the_basis_on_the_right(table):
    basis, x = both(table)
    return basis @ x @ basis


@wrong("two_dimensional_fourier", "this is the transform back")
def coefficients_backwards(table):
    basis, x = both(table)
    return basis.T @ x @ basis


@wrong("two_dimensional_fourier", "the basis stands turned on the left")
def coefficients_turned_on_the_left(table):
    basis, x = both(table)
    return basis.T @ x @ basis.T


@wrong("two_dimensional_fourier", "both transforms went over a")
def coefficients_twice_over_a(table):
    basis, x = both(table)
    return basis @ (basis @ x)


@wrong("two_dimensional_fourier", "sizes were taken")
def coefficients_without_signs(table):
    basis, x = both(table)
    return (basis @ x @ basis.T).abs()


@wrong("two_dimensional_fourier", "these are energies")
def coefficients_squared(table):
    basis, x = both(table)
    return (basis @ x @ basis.T).square()


@wrong("two_dimensional_fourier", "divided by p²")
def coefficients_averaged(table):
    basis, x = both(table)
    return basis @ x @ basis.T / table.numel()


@wrong("two_dimensional_fourier", "the mean of the table was taken away")
def coefficients_of_a_centred_table(table):
    basis, x = both(table)
    return basis @ (x - x.mean()) @ basis.T


@wrong("two_dimensional_fourier", "real values")
def coefficients_by_a_bare_transform(table):
    return torch.fft.fft2(table, norm="ortho")


@wrong("two_dimensional_fourier", "shape [component component] = [7, 7]")
def coefficients_of_frequencies(table):
    p = len(table)
    return torch.fft.rfft2(table, norm="ortho").abs()[: p // 2 + 1]


@wrong("two_dimensional_fourier", "a and b need the same basis")
def coefficients_in_two_bases(table):
    basis, x = both(table)
    signs = torch.ones(len(table)).double()
    signs[1::3] = -1
    return basis @ x @ (signs[:, None] * basis).T


@wrong("two_dimensional_fourier", "this is what the exercise asks you to write")
def coefficients_by_the_library(table):
    return fourier.fourier_2d(table)


@wrong("two_dimensional_fourier", "Expected")
def coefficients_of_the_example(table):
    found = torch.zeros_like(table)
    found[1, -1] = 3.0
    return found


# --------------------------------------------------------------------------- is_fourier_sparse


def spectrum(W_E):
    """Energies by frequency, the constant's first."""
    waves = torch.fft.rfft(W_E.double(), dim=0).abs().square().sum(1)
    return torch.cat([waves[:1] / 2, waves[1:]])


def unevenness(sizes):
    """The Gini coefficient."""
    n = len(sizes)
    weights = (n - torch.arange(1, n + 1) + 0.5) / n
    return float(1 - 2 * (sizes.sort().values / sizes.sum() * weights).sum())


@wrong("is_fourier_sparse", "Got")
def sparse_by_few_keys(W_E):
    norms = fourier_norms(W_E)[1:]
    return bool((norms >= 0.1 * norms.max()).sum() <= 6)


@wrong("is_fourier_sparse", "Got")
def sparse_by_four_columns(W_E):
    energies = fourier_norms(W_E[:, :4])[1:].square()
    return bool(energies.topk(6).values.sum() >= 0.95 * energies.sum())


@wrong("is_fourier_sparse", "Got")
def sparse_by_seven(W_E):
    energies = fourier_norms(W_E)[1:].square()
    return bool(energies.topk(7).values.sum() >= 0.9 * energies.sum())


@wrong("is_fourier_sparse", "not called sparse")
def sparse_never(W_E):
    return False


@wrong("is_fourier_sparse", "were called sparse")
def sparse_always(W_E):
    return True


@wrong("is_fourier_sparse", "were called sparse")
def sparse_with_the_constant(W_E):
    energies = spectrum(W_E)
    return bool(energies.topk(6).values.sum() > 0.9 * energies.sum())


@wrong("is_fourier_sparse", "were called sparse")
def sparse_by_gini(W_E):
    return unevenness(spectrum(W_E)[1:].sqrt()) > 0.45


@wrong("is_fourier_sparse", "were called sparse")
def sparse_by_counting_key_frequencies(W_E):
    norms = spectrum(W_E)[1:].sqrt()
    return int((norms >= 0.25 * norms.max()).sum()) <= 6


@wrong("is_fourier_sparse", "of a few circles, each of another frequency, ")
def sparse_by_the_largest(W_E):
    energies = spectrum(W_E)[1:]
    return bool(energies.max() > 0.5 * energies.sum())


@wrong("is_fourier_sparse", "embeddings")
def sparse_by_a_fixed_size(W_E):
    return bool(spectrum(W_E)[1:].topk(6).values.sum() > 100)


@wrong("is_fourier_sparse", "were called sparse")
def sparse_by_rank(W_E):
    energies = torch.linalg.svdvals(W_E.double() - W_E.double().mean(0)).square()
    few = energies.topk(min(12, len(energies))).values
    return bool(few.sum() > 0.9 * energies.sum())


@wrong("is_fourier_sparse", "not called sparse")
def sparse_over_the_columns(W_E):
    energies = spectrum(W_E.T)[1:]
    return bool(energies.topk(min(6, len(energies))).values.sum() > 0.9 * energies.sum())


@wrong("is_fourier_sparse", "cosine or a sine alone")
def sparse_by_cosines(W_E):
    waves = torch.fft.rfft(W_E.double(), dim=0)[1:].real.square().sum(1)
    return bool(waves.topk(6).values.sum() > 0.9 * waves.sum())


@wrong("is_fourier_sparse", "not called sparse")
def sparse_by_six_components(W_E):
    waves = torch.fft.rfft(W_E.double(), dim=0)[1:]
    components = torch.cat([waves.real, waves.imag]).square().sum(1)
    return bool(components.topk(6).values.sum() > 0.9 * components.sum())


@wrong("is_fourier_sparse", "were called sparse")
def sparse_by_a_quarter_of_the_frequencies(W_E):
    energies = spectrum(W_E)[1:]
    return bool(energies.topk(len(energies) // 4).values.sum() > 0.9 * energies.sum())


@wrong("is_fourier_sparse", "not called sparse")
def sparse_by_single_dimensions(W_E):
    waves = torch.fft.rfft(W_E.double(), dim=0)[1:].abs().square()
    return bool((waves.amax(0) / waves.sum(0)).mean() > 0.8)


@wrong("is_fourier_sparse", "not called sparse")
def sparse_by_a_repeating_gram_matrix(W_E):
    x = W_E.double() - W_E.double().mean(0)
    gram, p = x @ x.T, len(x)
    turned = torch.stack([gram.roll((i, i), (0, 1)) for i in range(p)]).mean(0)
    return bool((gram - turned).norm() < 0.2 * gram.norm())


@wrong("is_fourier_sparse", "were called sparse")
def sparse_where_neighbours_agree(W_E):
    x = W_E.double() - W_E.double().mean(0)
    return bool((x - x.roll(1, 0)).square().sum() < x.square().sum())


@wrong("is_fourier_sparse", "this is a score")
def sparse_as_a_score(W_E):
    energies = spectrum(W_E)[1:]
    return energies.topk(6).values.sum() / energies.sum()


@wrong("is_fourier_sparse", "this is what the exercise asks you to write")
def sparse_by_the_library(W_E):
    return bool(fourier.frequency_shares(W_E).topk(6).values.sum() > 0.9)
