"""Average cosine, conformity and partition functions, against loops over pairs and planted directions."""

import numpy as np
import pytest
import torch
from numpy.random import default_rng
from numpy.testing import assert_allclose
from scipy.special import logsumexp
from scipy.stats import linregress, special_ortho_group

import skgeom.metrics
from skgeom.metrics import (
    average_cosine,
    conformity,
    conformity_estimate,
    partition_dispersion,
    partition_isotropy,
    partition_isotropy_first_order,
    partition_isotropy_second_order,
)

OF_UNIT_ROWS = [average_cosine, conformity, conformity_estimate]
OF_PARTITION = [partition_isotropy, partition_dispersion]
ORDERS = [partition_isotropy_first_order, partition_isotropy_second_order]
LEAST = 0.1353352832366127  # reference.json unit_I1_lower_bound: Z is between n/e and ne, hence e**-2


def tilted(n=60, d=6, seed=0, dtype="float64"):
    """Return rows of unequal length around a mean."""
    rng = default_rng(seed)
    return ((rng.normal(size=(n, d)) + 0.7) * rng.uniform(0.1, 10, (n, 1))).astype(dtype)


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def double_ellipsoid():
    """reference.json conformity_*: rows V on an ellipsoid off the origin."""
    rng = default_rng(7)
    m = rng.normal(size=16)
    return 0.9 * np.sqrt(16) * m / np.linalg.norm(m) + rng.normal(size=(200, 16)) * np.linspace(0.5, 1.4, 16)


def partition_rows():
    """reference.json partition_*: unit rows W."""
    rng = default_rng(5)
    return unit(rng.normal(size=(40, 4)) * [1.5, 1.0, 0.6, 0.3] + [1.0, 0.2, 0, 0])


def naive_partition(x, directions):
    """Return I1 and I2 from one partition function a direction."""
    log_z = np.array([logsumexp(x @ v) for v in directions])
    z = np.exp(log_z - log_z.max())
    return z.min() / z.max(), z.std() / z.mean()


def both_signs(x):
    """Return all eigenvectors of XᵀX and their opposites."""
    v = np.linalg.eigh(x.T @ x)[1].T
    return np.vstack([v, -v])


def clip_pair(folder):
    pair = np.load(folder / "modality_gap_pairs.npz")["clip"].astype(np.float64)
    return pair / np.linalg.norm(pair, axis=2, keepdims=True)


# Mean cosines


@pytest.mark.parametrize(("n", "d"), [(60, 6), (5, 40), (2, 3), (30, 1)])
def test_conformity_is_the_mean_cosine_to_all_others(n, d):
    x = tilted(n, d)
    u = unit(x)
    pairs = [[u[i] @ u[j] for j in range(n) if j != i] for i in range(n)]
    assert_allclose(conformity(x), np.mean(pairs, axis=1), atol=1e-13)
    assert_allclose(average_cosine(x), np.mean(pairs), atol=1e-13)


def test_conformity_to_a_reference_is_the_mean_cosine_to_all_of_it():
    x, other = tilted(), tilted(17, seed=1)
    assert_allclose(conformity(x, other), (unit(x) @ unit(other).T).mean(axis=1), atol=1e-14)
    assert_allclose(conformity(x[:1], other[:1]), unit(x[:1]) @ unit(other[0:1])[0], atol=1e-14)


def test_conformity_of_an_ellipsoid_is_its_reference():
    """reference.json conformity_mean, by scipy."""
    assert_allclose(conformity(double_ellipsoid()).mean(), 0.45665038197389196, rtol=1e-9)
    assert_allclose(average_cosine(double_ellipsoid()), 0.45665038197389196, rtol=1e-9)


def test_the_derived_line_is_the_fitted_line():
    """reference.json conformity_raw_mean_pearson_slope_intercept, by scipy's regression."""
    x = double_ellipsoid()
    cosine, slope, intercept = conformity_estimate(x)
    fit = linregress(cosine, conformity(x))
    expected = [0.9996967085640734, 0.6772411502504915, -0.002317816881189816]
    assert_allclose([fit.rvalue, fit.slope, fit.intercept], expected, rtol=1e-8)
    assert_allclose([slope, intercept], expected[1:], atol=5e-3)


def test_the_estimate_is_an_identity_on_unit_rows():
    u = unit(double_ellipsoid())
    cosine, slope, intercept = conformity_estimate(u)
    assert_allclose(slope * cosine + intercept, conformity(u), atol=1e-14)


def test_the_slope_of_conformity_on_the_cosine_is_at_most_one_and_a_bit(data_folder):
    for rows in clip_pair(data_folder):
        cosine, slope, intercept = conformity_estimate(rows)
        assert slope <= 500 / 499
        assert_allclose(slope * cosine + intercept, conformity(rows), atol=1e-12)


@pytest.mark.parametrize("n", [2, 3, 40])
def test_directions_of_a_simplex_are_as_far_apart_as_can_be(n):
    x = np.eye(n) - 1 / n
    assert_allclose(average_cosine(x), -1 / (n - 1), atol=1e-14)
    assert_allclose(conformity(x), -1 / (n - 1), atol=1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_parallel_rows_of_any_length_have_cosine_one(dtype):
    x = (np.array([[3.0, 0.1, -7.0]]) * np.geomspace(1e-3, 1e3, 50)[:, None]).astype(dtype)
    assert_allclose(average_cosine(x), 1, rtol=1e-6)
    assert_allclose(conformity(x), 1, rtol=1e-6)
    assert average_cosine(x) <= 1
    assert conformity(x).max() <= 1


def test_float32_conformity_stays_float32_and_is_as_good():
    x = tilted(n=5000, dtype="float32")
    assert conformity(x).dtype == conformity(x, x[:9]).dtype == np.float32
    assert_allclose(conformity(x), conformity(x.astype(np.float64)), atol=1e-6)
    assert_allclose(average_cosine(x), average_cosine(x.astype(np.float64)), atol=1e-7)


@pytest.mark.parametrize(("dtype", "exponent"), [("float32", -20), ("float32", -30), ("float64", -170)])
def test_short_rows_have_a_direction_too(dtype, exponent):
    x = tilted(dtype=dtype)
    mixed = x.copy()
    mixed[::2] *= np.dtype(dtype).type(10.0**exponent)
    assert_allclose(average_cosine(mixed), average_cosine(x), atol=1e-6)


def test_a_short_row_weighs_little_in_the_mean_of_the_estimate():
    x = tilted()
    x[0] *= 1e-14
    found, exact = conformity_estimate(x.astype(np.float32)), conformity_estimate(x)
    assert_allclose(found.cosine, exact.cosine, atol=1e-6)
    assert_allclose(found.slope, exact.slope, atol=1e-6)
    assert_allclose(exact.cosine, unit(x) @ unit(x.mean(axis=0)[None])[0], atol=1e-12)


@pytest.mark.parametrize("measure", [average_cosine, conformity])
@pytest.mark.parametrize(("dtype", "exponent"), [("float32", -120), ("float32", 120), ("float64", 1015)])
def test_the_length_of_all_rows_changes_no_cosine(measure, dtype, exponent):
    x = tilted(dtype=dtype)
    assert_allclose(measure(np.ldexp(x, exponent)), measure(x), atol=1e-6 if dtype == "float32" else 1e-14)


# Partition functions


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("n", [60, 4])
def test_partition_functions_are_sums_over_rows(normalize, n):
    x = tilted(n) * 0.2
    rows = unit(x) if normalize else x
    i1, i2 = naive_partition(rows, both_signs(rows))
    assert_allclose(partition_isotropy(x, normalize=normalize), i1, rtol=1e-10)
    assert_allclose(partition_dispersion(x, normalize=normalize), i2, rtol=1e-10)


@pytest.mark.parametrize("measure", OF_PARTITION)
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("shape", [(9, 4), (4, 9)])
def test_gradients_through_eigenvectors_are_those_of_small_steps(measure, normalize, shape):
    x = tilted(*shape) * 0.2
    step = 1e-6 * np.abs(x).mean() * default_rng(1).normal(size=x.shape)
    given = torch.tensor(x, requires_grad=True)
    measure(given, normalize=normalize).backward()
    ahead, behind = (measure(x + side * step, normalize=normalize) for side in (1, -1))
    assert np.sum(given.grad.numpy() * step) == pytest.approx((ahead - behind) / 2, rel=1e-5)


@pytest.mark.parametrize("measure", OF_PARTITION)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_eigenvalues_have_finite_gradients(measure, dtype):
    x = torch.tensor(tilted(20, 4), dtype=dtype)
    dead = torch.hstack([x, torch.zeros(20, 3, dtype=dtype)])  # coordinates that no row uses
    axes = torch.vstack([torch.eye(3, dtype=dtype), -torch.eye(3, dtype=dtype)])
    for rows in (dead, axes, torch.eye(4, 9, dtype=dtype), torch.ones(4, 3, dtype=dtype)):
        given = rows.clone().requires_grad_()
        measure(given).backward()
        assert torch.isfinite(given.grad).all()


def test_partition_functions_along_the_mean_are_their_reference():
    """reference.json partition_I1_I2_mean_oriented, by mpmath."""
    found = [measure(partition_rows(), signs="mean") for measure in OF_PARTITION]
    assert_allclose(found, [0.6315606352151014, 0.19406599755712597], rtol=1e-9)


def test_second_order_form_is_its_reference():
    """reference.json partition_I1_order2_mu2018, by numpy."""
    assert_allclose(partition_isotropy_second_order(partition_rows()), 0.3707441360617078, rtol=1e-9)


@pytest.mark.parametrize("shape", [(60, 6), (5, 9)])
def test_orders_are_their_formulas(shape):
    x = tilted(*shape) * 0.1
    n, total = shape[0], np.linalg.norm(x.sum(axis=0))
    s = np.linalg.svd(x, compute_uv=False)
    least = s[-1] ** 2 if shape[0] >= shape[1] else 0
    assert_allclose(partition_isotropy_first_order(x), (n - total) / (n + total), rtol=1e-12)
    expected = (n - total + least / 2) / (n + total + s[0] ** 2 / 2)
    assert_allclose(partition_isotropy_second_order(x), expected, rtol=1e-9)


def test_your_own_directions_are_taken_as_they_are():
    x, v = partition_rows(), special_ortho_group.rvs(4, random_state=0)[:3] * 2
    for measure, expected in zip(OF_PARTITION, naive_partition(x, v), strict=True):
        assert_allclose(measure(x, directions=v), expected, rtol=1e-12)
        assert_allclose(measure(x, directions=v.tolist(), signs="mean"), expected, rtol=1e-12)


@pytest.mark.parametrize("measure", OF_PARTITION)
def test_random_directions_follow_their_seed(measure):
    x = partition_rows()
    first = measure(x, directions="random", random_state=0)
    assert measure(x, directions="random", random_state=0) == first
    assert measure(x, directions="random", random_state=np.random.RandomState(0)) == first
    assert measure(x, directions="random", random_state=1) != first


@pytest.mark.parametrize("signs", ["both", "mean"])
def test_the_least_isotropy_of_unit_rows_is_attained_by_equal_rows(signs):
    x = np.tile([[0.6, 0.8]], (30, 1))
    i1 = partition_isotropy(x, signs=signs)
    assert_allclose(i1, LEAST if signs == "both" else np.exp(-1), rtol=1e-12)


def test_isotropy_of_random_bases_is_what_was_published_for_clip(data_folder):
    """MATH.md 2.2, item 13: real CLIP with true eigenvectors gives .23 and .47, with a Haar basis .83 and .03."""
    image = clip_pair(data_folder)[0]
    basis = np.linalg.qr(default_rng(0).normal(size=(512, 512)))[0]
    assert_allclose(partition_isotropy(image), 0.2324, atol=5e-4)
    assert partition_isotropy(image, directions=basis) == pytest.approx(0.83, abs=0.01)
    assert partition_dispersion(image, directions=basis) == pytest.approx(0.03, abs=0.005)


def test_directions_without_any_rows_have_the_partition_function_n():
    x = np.zeros((5, 3))
    x[:, 0] = [1, 2, 0.5, 1, 3]
    z = [np.exp(x[:, 0]).sum(), np.exp(-x[:, 0]).sum(), 5, 5, 5, 5]
    assert_allclose(partition_isotropy(x, normalize=False), min(z) / max(z), rtol=1e-12)
    assert_allclose(partition_dispersion(x, normalize=False), np.std(z) / np.mean(z), rtol=1e-12)


@pytest.mark.parametrize("length", [80, 300, 800])
def test_long_rows_overflow_nowhere(length):
    x = np.array([[1.0, 0.0], [0.0, 0.9], [0.1, -0.1]]) * length
    log_z = [logsumexp(x @ v) for v in both_signs(x)]
    assert_allclose(partition_isotropy(x, normalize=False), np.exp(-np.ptp(log_z)), rtol=1e-9)
    assert np.isfinite(partition_dispersion(x, normalize=False))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("scale", "expected"), [(1e-300, 1.0), (1e-200, 1.0), (1e140, None), (1e200, None)])
def test_orders_at_extreme_scales_have_their_limits(order, scale, expected):
    x = tilted()
    s2 = np.linalg.svd(x, compute_uv=False) ** 2
    limit = -1.0 if order is partition_isotropy_first_order else s2[-1] / s2[0]
    assert_allclose(order(x * scale), limit if expected is None else expected, rtol=1e-9)
    with pytest.raises(ValueError, match="a block of X has magnitudes"):
        order(iter([x * scale]))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("scale", [1e-30, 1e25])
def test_orders_of_float32_blocks_at_extreme_scales_are_those_of_the_whole(order, scale):
    x = tilted(dtype="float32") * np.float32(scale)
    assert_allclose(order(iter([x[:20], x[20:]])), order(x), rtol=1e-5)


@pytest.mark.parametrize(("scale", "expected"), [(1e-300, 1.0), (1e-100, 1.0), (1e140, 0.0), (1e200, 0.0)])
def test_isotropy_of_rows_at_extreme_scales_has_its_limits(scale, expected):
    assert partition_isotropy(tilted() * scale, normalize=False) == expected
    assert partition_isotropy(tilted() * scale) == pytest.approx(partition_isotropy(tilted()), rel=1e-12)


@pytest.mark.parametrize("order", ORDERS)
def test_orders_take_iterators_of_blocks(order):
    x = tilted() * 0.1
    assert_allclose(order(x[i : i + 7] for i in range(0, 60, 7)), order(x), rtol=1e-10)


# Edges and refusals


@pytest.mark.parametrize("measure", [*OF_UNIT_ROWS, *OF_PARTITION, *ORDERS])
@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ([[1.0, np.nan], [1.0, 2.0]], "contains NaN"),
        ([[1.0, np.inf], [1.0, 2.0]], "contains infinity"),
        ([1.0, 2.0], "Expected 2D array"),
        ([[1.0, 2.0]], "1 sample.*minimum of 2"),
        (np.eye(2) * 1j, "Complex data not supported"),
    ],
)
def test_bad_rows_are_refused_in_words(measure, bad, words):
    with pytest.raises(ValueError, match=words):
        measure(bad)


@pytest.mark.parametrize("measure", [*OF_UNIT_ROWS, lambda x: partition_isotropy(x, normalize=True)])
@pytest.mark.parametrize(("zeros", "words"), [([2], r"1 zero row \(.*row 2"), ([0, 3], r"2 zero rows \(.*row 0")])
def test_rows_without_direction_are_counted_and_refused(measure, zeros, words):
    x = tilted()
    x[zeros] = 0
    with pytest.raises(ValueError, match=words):
        measure(x)


def test_a_mean_without_direction_is_refused_in_words():
    x = tilted()
    with pytest.raises(ValueError, match="the mean of X"):
        conformity_estimate(np.vstack([np.eye(3), -np.eye(3)]))
    with pytest.raises(ValueError, match="reference has 1 zero row"):
        conformity(x, np.zeros((1, 6)))


def test_a_reference_of_another_space_is_refused_in_words():
    torch = pytest.importorskip("torch")
    x = tilted()
    with pytest.raises(ValueError, match="6 features and reference has 5"):
        conformity(x, x[:, 1:])
    with pytest.raises(ValueError, match="same namespace"):
        conformity(x, torch.tensor(x))
    with pytest.raises(ValueError, match="Input reference contains NaN"):
        conformity(x, x * np.nan)


@pytest.mark.parametrize("measure", OF_PARTITION)
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"directions": "rows"}, "directions must be one of 'eigen', 'random'. Got 'rows'"),
        ({"signs": "plus"}, "signs must be one of 'both', 'mean'. Got 'plus'"),
        ({"directions": np.eye(5)}, "6 features and directions has 5"),
        ({"directions": np.full((2, 6), np.nan)}, "Input directions contains NaN"),
        ({"directions": np.ones(6)}, "Expected 2D"),
    ],
)
def test_unknown_options_are_refused_in_words(measure, options, words):
    with pytest.raises(ValueError, match=words):
        measure(tilted(), **options)


def test_iterators_are_refused_in_words_where_rows_are_needed():
    with pytest.raises((TypeError, ValueError), match=r"array.*iterator|iterator.*array"):
        conformity(iter([tilted()]))


def test_rounding_leaves_no_value_outside_its_bounds():
    x = np.tile(default_rng(0).normal(size=(1, 7)), (50, 1))
    assert skgeom.metrics.spherical_variance(x) >= 0
    assert skgeom.metrics.clip_loss(np.eye(3), np.eye(3)) >= 0
    assert skgeom.metrics.paired_cosine(x, -x) >= -1


def test_labels_of_mixed_types_are_refused_in_words():
    with pytest.raises(TypeError, match="labels must be of one type that can be sorted, got int and str"):
        skgeom.metrics.calinski_harabasz_score(np.eye(4), np.array(["a", 1, "a", 1], dtype=object))


def test_equal_eigenvalues_leave_the_partition_isotropy_to_the_basis():
    rng = np.random.default_rng(0)
    x = np.vstack([np.eye(4), np.eye(4)[:2], np.eye(4)[2:]])
    bases = np.eye(4), np.linalg.qr(rng.normal(size=(4, 4)))[0]
    for basis in bases:
        assert_allclose(x.T @ x @ basis, 2 * basis, atol=1e-12)
    values = [partition_isotropy(x, directions=np.vstack([basis, -basis])) for basis in bases]
    assert abs(values[0] - values[1]) > 0.01
    permuted = [partition_isotropy(x[::-1], directions=np.vstack([basis, -basis])) for basis in bases]
    assert_allclose(permuted, values, rtol=1e-12)


def test_minute_rows_count_in_products_with_long_directions():
    x, v = np.random.default_rng(0).normal(size=(2, 20, 4))
    found = partition_isotropy(x * 1e-100, directions=v * 1e100, normalize=False)
    assert found == pytest.approx(partition_isotropy(x, directions=v, normalize=False), rel=1e-9)
