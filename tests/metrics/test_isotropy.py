"""Isotropy of the covariance, against eigenvalues, the published packages, and planted spectra."""

import itertools

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits

from skgeom.metrics import (
    collapse_bound,
    coordinate_std,
    effective_rank,
    isoscore,
    isoscore_from_covariance,
    isoscore_star,
    isoscore_within,
    isotropy_defect,
    participation_ratio,
    rankme,
    silhouette_score,
    spectrum_slope,
    stable_rank,
    variance_explained,
)

RIGID = [isoscore, isotropy_defect, participation_ratio, effective_rank, stable_rank, spectrum_slope]
OF_MOMENTS = [*RIGID, rankme, variance_explained]


def gaussian(n=300, d=7, seed=0, offset=0.0):
    """Return rows with a spectrum that falls from 2 to 0.2."""
    return default_rng(seed).normal(size=(n, d)) * np.linspace(2, 0.2, d) + offset


def eigenvalues(x):
    """Return the covariance eigenvalues, the slow and sure way."""
    return np.linalg.eigvalsh(np.atleast_2d(np.cov(np.asarray(x, dtype=np.float64), rowvar=False)))[::-1].clip(0)


def entropy_rank(weights):
    p = weights[weights > 0]
    return np.exp(-np.sum(p * np.log(p)))


ORACLES = {
    isoscore: lambda v: (v.sum() ** 2 / (v**2).sum() - 1) / (len(v) - 1),
    isotropy_defect: lambda v: (
        np.linalg.norm(np.sqrt(len(v)) * v / np.linalg.norm(v) - 1) / np.sqrt(2 * (len(v) - np.sqrt(len(v))))
    ),
    participation_ratio: lambda v: v.sum() ** 2 / (v**2).sum(),
    effective_rank: lambda v: entropy_rank(np.sqrt(v) / np.sqrt(v).sum()),
    stable_rank: lambda v: v.sum() / v[0],
    variance_explained: lambda v: np.cumsum(v) / v.sum(),
    spectrum_slope: lambda v: (
        -np.polyfit(np.log(np.arange(1, len(v) + 1)), np.log(v), 1, w=np.arange(1, len(v) + 1) ** -0.5)[0]
    ),
}


def planted(variances):
    """Return 2d rows along the axes whose covariance is diagonal with the given variances."""
    axes = np.diag(np.sqrt(np.asarray(variances, dtype=float)))
    return np.vstack([axes, -axes])


def simplex(d, repeats=20):
    """Return collapsed classes at the d + 1 corners of a regular simplex, and their labels."""
    corners = np.eye(d + 1) - 1 / (d + 1)
    corners = corners @ np.linalg.svd(corners)[2][:d].T
    return np.repeat(corners, repeats, axis=0), np.repeat(np.arange(d + 1), repeats)


# Against eigenvalues and naive formulas


@pytest.mark.parametrize("measure", ORACLES)
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_closed_forms_equal_the_eigenvalues(measure, offset):
    x = gaussian(offset=offset)
    assert_allclose(measure(x), ORACLES[measure](eigenvalues(x)), rtol=1e-11)


@pytest.mark.parametrize("measure", [isoscore, participation_ratio, isotropy_defect, variance_explained, stable_rank])
def test_fewer_rows_than_features_change_no_formula(measure):
    x = gaussian(n=20, d=50)
    assert_allclose(measure(x), ORACLES[measure](eigenvalues(x)), rtol=1e-11)


def test_effective_rank_counts_small_directions_that_float32_can_tell():
    """They have 1e-8 of the largest variance, and 600 times the noise of float32 numbers."""
    x = (default_rng(0).normal(size=(4000, 400)) * np.repeat([1, 1e-4], 200)).astype(np.float32)
    s = np.linalg.svd(x.astype(float) - x.mean(axis=0, dtype=float), compute_uv=False)
    assert_allclose(effective_rank(x), entropy_rank(s / s.sum()), rtol=1e-3)


def test_effective_rank_counts_no_null_direction():
    x = gaussian(n=20, d=50)
    s = np.linalg.svd(x - x.mean(axis=0), compute_uv=False)[:19]
    assert_allclose(effective_rank(x), entropy_rank(s / s.sum()), rtol=1e-12)


@pytest.mark.parametrize("rank", [1, 3, 7])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rounding_in_null_directions_is_no_direction(rank, dtype):
    rng = default_rng(0)
    x = (rng.normal(size=(500, rank)) @ rng.normal(size=(rank, 24)) + 10).astype(dtype)
    assert effective_rank(x) <= rank * (1 + 1e-6)
    assert np.isfinite(spectrum_slope(x)) == (rank > 1)


@pytest.mark.parametrize("epsilon", [1e-7, 1e-2, 0.0])
@pytest.mark.parametrize("shape", [(40, 7), (7, 40), (10, 11), (9, 9)])
def test_rankme_is_the_published_formula(epsilon, shape):
    x = gaussian(*shape, offset=0.3)
    s = np.linalg.svd(x, compute_uv=False)
    assert_allclose(rankme(x, epsilon=epsilon), entropy_rank(s / s.sum() + epsilon), rtol=1e-9)


@pytest.mark.parametrize("rank", [1, 8])
def test_rankme_of_float32_rows_of_low_rank_is_the_published_value(rank):
    rng = default_rng(0)
    x = (rng.normal(size=(2000, rank)) @ rng.normal(size=(rank, 64))).astype(np.float32)
    s = np.linalg.svd(x, compute_uv=False).astype(float)
    assert_allclose(rankme(x), entropy_rank(s / s.sum() + 1e-7), rtol=1e-3)


@pytest.mark.parametrize("offset", [1, 10, 100, 1000])
def test_rankme_of_float32_rows_far_from_the_origin_is_the_published_value(offset):
    x = default_rng(0).normal(size=(500, 64)).astype(np.float32) + np.float32(offset)
    s = np.linalg.svd(x.astype(float), compute_uv=False)
    assert_allclose(rankme(x), entropy_rank(s / s.sum() + 1e-7), rtol=1e-3)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, 2.5])
def test_spectrum_slope_finds_a_planted_power_law(alpha):
    x = planted(np.arange(1, 31.0) ** -alpha)
    assert_allclose(spectrum_slope(x), alpha, atol=1e-10)
    assert_allclose(spectrum_slope(x, first=3, last=20), alpha, atol=1e-10)


def test_spectrum_slope_looks_at_its_ranks_only():
    x = planted(np.r_[1e3, 1e2, np.arange(3, 31.0) ** -1, 1e-9])
    assert_allclose(spectrum_slope(x, first=3, last=30), 1.0, rtol=1e-9)
    assert spectrum_slope(x) > 1.1


@pytest.mark.parametrize(("k", "d"), [(1, 6), (2, 6), (6, 6), (1, 2), (5, 40)])
def test_isoscore_is_the_share_of_equal_axes(k, d):
    x = planted(np.arange(d) < k)
    assert_allclose(isoscore(x), (k - 1) / (d - 1), atol=1e-12)
    assert_allclose([participation_ratio(x), effective_rank(x), stable_rank(x)], k, rtol=1e-12)


def test_isotropy_defect_of_a_ladder_is_its_reference():
    """reference.json isotropy_defect_diag_1_10, by mpmath: covariance diag(1, ..., 10)."""
    assert_allclose(isotropy_defect(planted(np.arange(1, 11.0))), 0.4075898677977186, rtol=1e-12)
    assert_allclose(isoscore_from_covariance(np.diag(np.arange(1, 11.0))), 16 / 21, rtol=1e-14)


def test_the_defect_and_the_score_determine_each_other():
    x, d = gaussian(), 7
    cosine = 1 - isotropy_defect(x) ** 2 * (d - np.sqrt(d)) / d
    assert_allclose((d * cosine**2 - 1) / (d - 1), isoscore(x), rtol=1e-12)


@pytest.mark.parametrize("n", [5, 300])
def test_isoscore_of_the_covariance_is_the_isoscore_of_the_rows(n):
    x = gaussian(n=n)
    for factor in (1, 1e-300, 1e300):
        assert_allclose(isoscore_from_covariance(np.cov(x, rowvar=False) * factor), isoscore(x), rtol=1e-12)


@pytest.mark.parametrize("zeta", [0.0, 0.2, 0.75, 1.0])
@pytest.mark.parametrize("n", [5, 300])
def test_isoscore_star_is_the_score_of_the_shrunk_covariance(zeta, n):
    x, other = gaussian(n=n), gaussian(n=50, seed=1)
    c, c0 = np.cov(x, rowvar=False), np.cov(other, rowvar=False)
    mixed = (1 - zeta) * c + zeta * c0
    assert_allclose(isoscore_star(x, c0, zeta=zeta), isoscore_from_covariance(mixed), rtol=1e-12)
    isotropic = (1 - zeta) * c + zeta * np.trace(c) / 7 * np.eye(7)
    assert_allclose(isoscore_star(x, zeta=zeta), isoscore_from_covariance(isotropic), rtol=1e-12)


@pytest.mark.parametrize("exponent", [-330, 200, 330])
def test_isoscore_star_is_free_of_a_scale_common_to_rows_and_target(exponent):
    x, c0 = gaussian(), np.diag(np.arange(1, 8.0))
    found = isoscore_star(np.ldexp(x, exponent), np.ldexp(c0, 2 * exponent), zeta=0.5)
    assert_allclose(found, isoscore_star(x, c0, zeta=0.5), rtol=1e-12)


# Against the published packages


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        (lambda: default_rng(0).normal(size=(200, 5)) * np.array([3.0, 2.0, 1.0, 0.5, 0.1]) + 5, 0.29183441012859046),
        (lambda: default_rng(1).normal(size=(50, 64)) * np.exp(-0.05 * np.arange(64)), 0.20714636896357697),
        (lambda: load_digits().data, 0.19315094309109399),
        (lambda: simplex(10)[0], 1.0),
    ],
    ids=["isoscore_gauss", "isoscore_n_lt_d", "isoscore_digits", "isoscore_simplex_clusters"],
)
def test_isoscore_is_the_reference_value(recipe, expected):
    """reference.json, by PyPI IsoScore 2.0.1, which is exact to 1e-7."""
    assert_allclose(isoscore(recipe()), expected, rtol=1e-6)


@pytest.mark.parametrize("shape", [(200, 5), (50, 64), (3, 2)])
def test_isoscore_equals_the_published_package(shape):
    published = pytest.importorskip("IsoScore.IsoScore")
    x = gaussian(*shape, offset=1.0)
    assert_allclose(isoscore(x), float(published.IsoScore(x)), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("zeta", [0.0, 0.3, 1.0])
def test_isoscore_star_equals_the_published_package(zeta):
    published = pytest.importorskip("IsoScore.IsoScore")
    torch = pytest.importorskip("torch")
    x, c0 = gaussian(n=30), np.cov(gaussian(n=99, seed=3), rowvar=False)
    expected = float(published.IsoScore_star(x, torch.tensor(c0), zeta))
    assert_allclose(isoscore_star(x, c0, zeta=zeta), expected, rtol=1e-6)


def test_isoscore_of_clip_is_the_reference_value(data_folder):
    """reference.json clip_isoscore_I_T, by PyPI IsoScore: image and text rows of the CLIP pair, unit again."""
    pair = np.load(data_folder / "modality_gap_pairs.npz")["clip"].astype(np.float64)
    pair /= np.linalg.norm(pair, axis=2, keepdims=True)
    expected = [0.0816057306281762, 0.07965994411686105]
    assert_allclose([isoscore(rows) for rows in pair], expected, rtol=1e-6)


# The collapse bound


@pytest.mark.parametrize("d", [2, 10, 50])
def test_isotropy_and_clusters_can_both_be_perfect(d):
    x, y = simplex(d)
    assert_allclose([isoscore(x), silhouette_score(x, y), collapse_bound(d + 1, d)], 1.0, rtol=1e-12)


@pytest.mark.parametrize(("k", "d"), [(5, 10), (2, 10), (25, 50)])
def test_simplex_classes_attain_the_collapse_bound(k, d):
    """reference.json isoscore_5_collapsed_classes_d10 is the first case, 1/3."""
    x, y = simplex(d)
    assert_allclose(isoscore(x[y < k]), collapse_bound(k, d), atol=1e-12)
    assert_allclose(collapse_bound(5, 10), 1 / 3)


@pytest.mark.parametrize(("k", "d"), list(itertools.product([2, 3, 6], [1, 2, 5, 30])))
def test_collapsed_classes_stay_below_the_collapse_bound(k, d):
    rng = default_rng(k * d)
    x = rng.normal(size=(k, d))[np.r_[np.arange(k), rng.integers(0, k, 40)]]
    assert isoscore(x) <= collapse_bound(k, d) + 1e-12


@pytest.mark.parametrize(("k", "d", "bound"), [(1, 1, 0), (2, 1, 1), (1, 5, 0), (2, 5, 0), (3, 5, 0.25), (9, 5, 1)])
def test_collapse_bound_at_its_edges(k, d, bound):
    assert collapse_bound(k, d) == bound


# The debiased estimates


def test_debiased_participation_ratio_is_the_row_estimator_of_its_source():
    dimensionality = pytest.importorskip("dimensionality")
    for shape in [(60, 9), (12, 40), (4, 3)]:
        x = gaussian(*shape, offset=0.7)
        expected = dimensionality.participation_ratio(x, return_all=True)["row"]
        assert_allclose(participation_ratio(x, debias=True), expected, rtol=1e-9)


def test_debiased_isoscore_is_the_affine_image_of_the_ratio():
    for x in (gaussian(), gaussian(9, 20)):
        expected = (participation_ratio(x, debias=True) - 1) / (x.shape[1] - 1)
        assert_allclose(isoscore(x, debias=True), expected, rtol=1e-12)


def test_the_debiased_ratio_has_the_right_mean_and_the_documented_variance():
    rng = default_rng(0)
    n, variances = 150, np.linspace(2, 0.2, 8)
    t = [np.sum(variances**k) for k in range(5)]
    ratio = t[1] ** 2 / t[2]
    estimates = [participation_ratio(rng.normal(size=(n, 8)) * variances**0.5, debias=True) for _ in range(2000)]
    documented = 4 / n**2 + 8 / n * (t[2] / t[1] ** 2 + t[4] / t[2] ** 2 - 2 * t[3] / (t[1] * t[2]))
    assert_allclose(np.mean(estimates), ratio, rtol=5e-3)
    assert_allclose(np.var(estimates) / ratio**2, documented, rtol=0.15)


@pytest.mark.parametrize("n", [16, 64])
def test_debiasing_removes_the_dependence_on_the_number_of_rows(n):
    rng = default_rng(1)
    clouds = [rng.normal(size=(n, 64)) for _ in range(60)]
    assert abs(np.mean([isoscore(x, debias=True) for x in clouds]) - 1) < 0.05
    assert np.mean([isoscore(x) for x in clouds]) < 0.55


# Coordinates


@pytest.mark.parametrize(("n", "d"), [(300, 7), (5, 40), (2, 1)])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_standard_deviations_of_coordinates_are_those_of_numpy_in_float64(n, d, dtype):
    x = gaussian(n, d, offset=100.0).astype(dtype)
    x[:, 0] = 0.1
    found = coordinate_std(x)
    assert_allclose(found, x.astype(float).std(axis=0, ddof=1), rtol=1e-12, atol=1e-15)
    assert found.dtype == float
    assert found[0] == 0
    assert_allclose(coordinate_std(x.astype(float) - 100.0), found, rtol=1e-11)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_standard_deviations_of_coordinates_refuse_magnitudes_whose_squares_leave_float64(scale):
    assert_allclose(coordinate_std(gaussian() * 1e100), coordinate_std(gaussian()) * 1e100)
    with pytest.raises(ValueError, match="whose squares leave the range of float64"):
        coordinate_std(gaussian() * scale)
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        coordinate_std(gaussian()[:1])


def test_gradients_of_standard_deviations_are_zero_where_these_are():
    torch = pytest.importorskip("torch")
    x = torch.tensor(gaussian(9, 3))
    x[:, 1] = 2
    x.requires_grad_()
    coordinate_std(x).sum().backward()
    assert torch.all(x.grad[:, 1] == 0)
    reference = x.detach().requires_grad_()
    reference.std(dim=0)[[0, 2]].sum().backward()
    assert_allclose(x.grad, reference.grad, atol=1e-14)


# Documented values at the edges


@pytest.mark.parametrize("offset", [0.0, 0.1, 1e6])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(20, 5), (5, 20), (2, 1)])
def test_equal_rows_have_the_documented_values(offset, dtype, shape):
    row = default_rng(0).normal(size=shape[1]) + offset
    x = np.tile(row, (shape[0], 1)).astype(dtype)
    assert [m(x) for m in (isoscore, participation_ratio, effective_rank, stable_rank)] == [0, 0, 0, 0]
    assert (isotropy_defect(x), spectrum_slope(x), isoscore_star(x, zeta=0.5)) == (1, np.inf, 0)
    assert np.all(variance_explained(x) == 0)


def test_one_feature_that_varies_is_isotropic():
    x = gaussian(d=1)
    assert [isoscore(x), isoscore(x, debias=True), isoscore_star(x, zeta=0.5), isotropy_defect(x)] == [1, 1, 1, 0]
    assert_allclose([participation_ratio(x), effective_rank(x), stable_rank(x), rankme(x)], 1, rtol=1e-5)
    assert spectrum_slope(x) == np.inf


@pytest.mark.parametrize("n", [4, 5, 6, 20, 100])
def test_debiased_estimates_of_nothing_are_not_rounding(n):
    """The products of differences of four one-hot rows are 0, and so are all products if only one row differs."""
    for score in (isoscore, participation_ratio):
        for width in (n, n + 3):
            assert score(0.3 * np.eye(n, width), debias=True) == np.inf
        assert score(7 + 0.3 * (np.arange(n)[:, None] == 2) * np.ones((1, 3)), debias=True) == 0
    assert isoscore(np.eye(n)[:, :1], debias=True) == 1


@pytest.mark.parametrize("debias", [False, True])
def test_constant_data_debiased_or_not_score_zero(debias):
    assert isoscore(np.full((9, 4), 0.1), debias=debias) == 0
    assert participation_ratio(np.full((9, 4), 0.1), debias=debias) == 0


def test_two_rows_span_one_direction():
    x = gaussian(n=2)
    assert_allclose([isoscore(x), participation_ratio(x), effective_rank(x), stable_rank(x)], [0, 1, 1, 1], atol=1e-12)


@pytest.mark.parametrize("measure", OF_MOMENTS)
def test_equal_copies_of_the_cloud_change_nothing(measure):
    x = gaussian()
    assert_allclose(measure(np.vstack([x, x, x])), measure(x), rtol=1e-9)


@pytest.mark.parametrize("measure", RIGID)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [200, 5])
def test_an_offset_costs_nothing(measure, dtype, n):
    """Multiples of 1/16 near 1e6 are exact in float32, so that only the kernels can lose digits.

    Directions count if their deviation exceeds 32 spacings: 2 near 1e6, and 0.25 near 1e5.
    """
    offset = 1e5 if measure in (effective_rank, spectrum_slope) else 1e6
    x = default_rng(0).integers(-64, 65, (n, 6)) / 16
    expected = ORACLES[measure](eigenvalues(x)[: min(n - 1, 6)]) if n > 6 else measure(x)
    assert_allclose(measure((x + offset).astype(dtype)), expected, rtol=1e-5 if dtype == "float32" else 1e-11)


@pytest.mark.parametrize("measure", OF_MOMENTS)
@pytest.mark.parametrize(("dtype", "exponent"), [("float32", -125), ("float32", 120), ("float64", 1000)])
def test_powers_of_two_change_no_digit(measure, dtype, exponent):
    x = gaussian().astype(dtype)
    scaled = np.ldexp(x, exponent - 3)
    assert np.isfinite(scaled).all()
    assert_allclose(measure(scaled), measure(x), rtol=1e-6 if dtype == "float32" else 1e-14)


@pytest.mark.parametrize("measure", [isoscore, participation_ratio, isotropy_defect, stable_rank])
@pytest.mark.parametrize(("dtype", "unit"), [("float64", 5e-324), ("float32", 1.4e-45)])
def test_subnormal_numbers_are_numbers(measure, dtype, unit):
    x = default_rng(0).integers(-500, 501, (60, 4)).astype(dtype)
    assert_allclose(measure(x * np.dtype(dtype).type(unit)), measure(x), rtol=1e-5)


@pytest.mark.parametrize("measure", OF_MOMENTS)
@pytest.mark.parametrize("width", [1, 16, 49])
def test_an_iterator_of_blocks_equals_the_whole(measure, width):
    for x in (gaussian(n=99, offset=3.0), gaussian(n=30, d=80)):
        blocks = (x[start : start + width] for start in range(0, len(x), width))
        assert_allclose(measure(blocks), measure(x), rtol=1e-8)


def test_an_iterator_of_blocks_meets_a_target_too():
    x, c0 = gaussian(), np.diag(np.arange(1.0, 8.0))
    expected = isoscore_star(x, c0, zeta=0.3)
    assert_allclose(isoscore_star(iter([x[:9], x[9:]]), c0, zeta=0.3), expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scales", [(1e25, 1e25), (1e-25, 1e-25), (1, 1e25), (1e25, 1)])
def test_blocks_of_any_magnitude_of_float32_equal_the_whole(dtype, scales):
    blocks = [(gaussian(seed=seed) * scale).astype(dtype) for seed, scale in enumerate(scales)]
    assert_allclose(isoscore(iter(blocks)), isoscore(np.vstack(blocks)), rtol=1e-6 if dtype == "float32" else 1e-10)


def test_an_iterator_of_blocks_takes_the_memory_of_one_block(peak_memory):
    d, blocks = 128, 64
    rng = default_rng(0)
    peak = peak_memory(lambda: isoscore(rng.normal(size=(2 * d, d)) for _ in range(blocks)))
    assert peak < 16 * 8 * d * d


def test_a_memory_map_is_read_in_blocks(tmp_path, peak_memory):
    x = gaussian(n=40_000, d=16, offset=2.0).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert_allclose(isoscore(mapped), isoscore(x), rtol=1e-12)
    assert peak_memory(lambda: isoscore(mapped)) < 2.5 * 3 * 2**19


# What comes in, and what does not


@pytest.mark.parametrize("kind", ["list", "pandas", "polars", "dask", "fortran", "strided", "int8", "float16", "bool"])
def test_every_rectangle_of_numbers_is_welcome(kind):
    x = np.round(gaussian())
    frames = {"pandas", "polars"}
    forms = {
        "list": lambda: x.tolist(),
        "dask": lambda: pytest.importorskip("dask.array").from_array(x, chunks=100),
        "fortran": lambda: np.asfortranarray(x),
        "strided": lambda: np.repeat(x, 2, axis=0)[::2],
        "int8": lambda: x.astype(np.int8),
        "float16": lambda: x.astype(np.float16),
        "bool": lambda: x > 0,
    }
    given = pytest.importorskip(kind).DataFrame(x) if kind in frames else forms[kind]()
    assert_allclose(isoscore(given), isoscore((x > 0) * 1.0 if kind == "bool" else x), rtol=1e-6)


def nan_at(x, value):
    x = x.copy()
    x[3, 1] = value
    return x


@pytest.mark.parametrize("measure", OF_MOMENTS)
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda x: nan_at(x, np.nan), "contains NaN"),
        (lambda x: nan_at(x, np.inf), "contains infinity"),
        (lambda x: nan_at(x, -np.inf).astype(np.float32), "contains infinity"),
        (lambda x: x[0], "Expected 2D array, got 1D"),
        (lambda x: x[None], "dim 3|3D array"),
        (lambda x: x[:1], "1 sample.*minimum of 2"),
        (lambda x: x[:, :0], "0 feature"),
        (lambda x: x.astype(complex), "Complex data not supported"),
        (lambda x: iter([x, x[:, 1:]]), "6 features.*7"),
        (lambda x: iter([x, nan_at(x, np.nan)]), "block of X contains NaN"),
        (lambda x: iter([]), r"blocks of 0 sample.*minimum of 2"),
        (lambda x: iter([x[:1]]), r"blocks of 1 sample.*minimum of 2"),
        (lambda x: iter([x, 1e100 * x]), "a block of X has magnitudes up to .* Divide all rows"),
        (lambda x: iter([x, 1e-100 * x]), "a block of X has magnitudes up to .* Divide all rows"),
    ],
)
def test_bad_rows_are_refused_in_words(measure, spoil, words):
    with pytest.raises(ValueError, match=words):
        measure(spoil(gaussian()))


def test_sparse_and_text_are_refused_in_words():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        isoscore(sparse.csr_array(gaussian()))
    with pytest.raises(ValueError, match="could not convert string"):
        isoscore([["a", "b"], ["c", "d"]])


def test_blocks_of_two_libraries_are_refused_in_words():
    torch = pytest.importorskip("torch")
    x = gaussian()
    with pytest.raises(ValueError, match=r"torch on cpu.*numpy on cpu.*same space"):
        isoscore(iter([x, torch.tensor(x)]))


@pytest.mark.parametrize("measure", [isoscore, participation_ratio])
def test_debiasing_refuses_three_rows_in_words(measure):
    with pytest.raises(ValueError, match=r"3 sample.*minimum of 4"):
        measure(gaussian(n=3), debias=True)
    with pytest.raises(ValueError, match=r"3 sample.*minimum of 4"):
        measure(iter([gaussian(n=2), gaussian(n=1)]), debias=True)


@pytest.mark.parametrize("zeta", [-0.1, 1.5, np.nan, np.inf])
def test_zeta_out_of_range_is_refused_in_words(zeta):
    with pytest.raises(ValueError, match="zeta must be a finite number from 0 to 1"):
        isoscore_star(gaussian(), zeta=zeta)


@pytest.mark.parametrize("epsilon", [-1e-9, np.nan])
def test_a_negative_epsilon_is_refused_in_words(epsilon):
    with pytest.raises(ValueError, match="epsilon must be a finite number from 0"):
        rankme(gaussian(), epsilon=epsilon)


@pytest.mark.parametrize("value", ["0.5", None, True, [0.5]])
def test_numbers_of_the_wrong_type_are_refused_in_words(value):
    with pytest.raises(TypeError, match="zeta must be a number"):
        isoscore_star(gaussian(), zeta=value)
    with pytest.raises(TypeError, match="first must be an integer"):
        spectrum_slope(gaussian(), first=value)


@pytest.mark.parametrize(("first", "last", "words"), [(0, None, "first.*at least 1"), (3, 3, "last.*at least 4")])
def test_ranks_that_are_no_range_are_refused_in_words(first, last, words):
    with pytest.raises(ValueError, match=words):
        spectrum_slope(gaussian(), first=first, last=last)


@pytest.mark.parametrize(
    ("covariance", "words"),
    [
        (np.ones((3, 2)), "square"),
        (np.triu(np.ones((3, 3))), "not symmetric"),
        (np.diag([1.0, -1.0]), "negative eigenvalue"),
        (np.diag([1.0, np.nan]), "contains NaN"),
        (np.ones(3), "Expected 2D"),
    ],
)
def test_matrices_that_are_no_covariance_are_refused_in_words(covariance, words):
    with pytest.raises(ValueError, match=words):
        isoscore_from_covariance(covariance)
    with pytest.raises(ValueError, match=words):
        isoscore_star(gaussian(d=max(covariance.shape)), covariance, zeta=0.5)


def test_a_target_of_another_width_is_refused_in_words():
    with pytest.raises(ValueError, match=r"\(3, 3\).*\(7, 7\)"):
        isoscore_star(gaussian(), np.eye(3), zeta=0.5)


@pytest.mark.parametrize("counts", [(0, 3), (3, 0), (-1, 2)])
def test_counts_below_one_are_refused_in_words(counts):
    with pytest.raises(ValueError, match=r"n_(classes|features) must be at least 1"):
        collapse_bound(*counts)


def test_a_refused_input_is_left_as_it_was():
    x = nan_at(gaussian(), np.nan)
    before = x.tobytes()
    with pytest.raises(ValueError, match="NaN"):
        isoscore(x)
    assert x.tobytes() == before


@pytest.mark.parametrize("debias", [False, True])
def test_isoscore_within_is_the_mean_over_classes_by_their_share(debias, backend):
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat([3, 5, 9], [10, 30, 60]))
    x = rng.normal(size=(100, 5)) * [1, 2, 3, 4, 5] + 50 * rng.normal(size=(10, 5))[labels]
    expected = sum(np.mean(labels == c) * isoscore(x[labels == c], debias=debias) for c in (3, 5, 9))
    found = isoscore_within(backend.asarray(x), labels, debias=debias)
    assert float(found) == pytest.approx(expected, abs=1e-12)
    moved = x + 100 * rng.normal(size=(10, 5))[labels]
    assert isoscore_within(moved, labels, debias=debias) == pytest.approx(expected, abs=1e-9)


def test_isoscore_within_wants_rows_in_each_class():
    x = np.random.default_rng(0).normal(size=(10, 3))
    assert isoscore_within(x, np.arange(10) // 3 % 3) > 0
    with pytest.raises(ValueError, match="has 3 rows"):
        isoscore_within(x, np.arange(10) // 3 % 3, debias=True)
