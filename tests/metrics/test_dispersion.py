"""Public measures of dispersion and of pairs: their options, their limits, and what they refuse."""

import itertools
import math

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_allclose

from skgeom import metrics
from skgeom._core.pairs._sphere import mean_gaussian

OF_ROWS = [
    metrics.min_angle,
    metrics.median_angle,
    lambda x: metrics.angle_quantiles(x, 0.1),
    metrics.spherical_variance,
    metrics.uniformity,
    metrics.kernel_energy,
    metrics.riesz_energy,
    metrics.mmd_uniform,
    metrics.mma,
    metrics.mmcs,
    metrics.koleo,
]
OF_PAIRS = [metrics.alignment_loss, metrics.clip_loss]


def cloud(n=40, d=5, seed=0):
    return default_rng(seed).normal(size=(n, d))


def simplex(n):
    return np.eye(n) - 1 / n


@pytest.mark.parametrize("n", [3, 4, 9])
def test_a_simplex_is_as_dispersed_as_can_be(n):
    theta = math.acos(-1 / (n - 1))
    x = simplex(n)
    assert_allclose(metrics.min_angle(x), theta)
    assert_allclose(metrics.median_angle(x), theta)
    assert_allclose(metrics.mma(x), -theta)
    assert_allclose(metrics.mmcs(x), -1 / (n - 1))
    assert_allclose(metrics.koleo(x), -math.log(2 * n / (n - 1)) / 2)
    assert_allclose(metrics.spherical_variance(x), 1)
    assert_allclose(metrics.riesz_energy(x, s=-2), -2 * n / (n - 1))
    assert_allclose(metrics.uniformity(x, t=3), -6 * n / (n - 1))


def test_one_direction_is_as_little_dispersed_as_can_be():
    x = np.arange(1, 6)[:, None] * np.array([[1.0, 2.0, -1.0]])
    assert metrics.min_angle(x) == metrics.median_angle(x) == metrics.mma(x) == 0
    assert metrics.mmcs(x) == metrics.kernel_energy(x) == 1
    assert_allclose([metrics.uniformity(x), metrics.spherical_variance(x)], 0, atol=1e-12)
    assert metrics.koleo(x) == metrics.riesz_energy(x) == math.inf


def test_the_energy_of_a_negative_exponent_is_minus_the_variance():
    x = cloud()
    n, resultant = len(x), 1 - metrics.spherical_variance(x)
    assert_allclose(metrics.riesz_energy(x, s=-2), -2 * n * (1 - resultant**2) / (n - 1))


def test_the_gaussian_energy_uniformity_and_discrepancy_are_one_mean():
    x = cloud()
    mean, n = metrics.kernel_energy(x, gamma=1.5), len(x)
    assert_allclose(metrics.uniformity(x, t=1.5), math.log(mean))
    assert_allclose(metrics.mmd_uniform(x, gamma=1.5), mean * (n - 1) / n + 1 / n - mean_gaussian(1.5, 5))


def test_two_opposite_rows_have_the_largest_angle():
    x = np.array([[0.3, 0.4], [-0.3, -0.4]])
    assert metrics.min_angle(x) == math.pi
    assert_allclose(metrics.riesz_energy(x, distance="geodesic"), 1 / math.pi)
    assert_allclose(metrics.riesz_energy(x), 0.5)


def test_quantiles_come_in_the_order_and_shape_of_the_request():
    x = cloud()
    assert type(metrics.angle_quantiles(x, 0.5)) is float
    assert metrics.angle_quantiles(x, 0.5) == metrics.median_angle(x)
    high, low = metrics.angle_quantiles(x, [0.9, 0.1])
    assert metrics.min_angle(x) < low < high
    assert_allclose(metrics.angle_quantiles(x, 0), metrics.min_angle(x))


def test_alignment_and_the_contrastive_loss_of_a_cloud_with_itself():
    x = cloud()
    assert metrics.alignment_loss(x, 3 * x) == 0
    assert_allclose(metrics.alignment_loss(x, -x, alpha=3), 8)
    assert metrics.clip_loss(x, x, temperature=1e-3) < 1e-6
    assert_allclose(metrics.clip_loss(np.ones((7, 2)), np.ones((7, 2))), math.log(7))


def test_the_contrastive_loss_is_symmetric():
    x, y = cloud(), cloud(seed=1)
    assert_allclose(metrics.clip_loss(x, y), metrics.clip_loss(y, x), rtol=1e-12)
    assert_allclose(metrics.alignment_loss(x, y), metrics.alignment_loss(y, x), rtol=1e-12)


@pytest.mark.parametrize("measure", OF_ROWS)
@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (np.full((3, 2), np.nan), "NaN"),
        (np.full((3, 2), np.inf), "infinity"),
        (np.ones(3), "Expected 2D array"),
        (np.ones((1, 2)), "minimum of 2"),
        (np.array([[1.0, 0.0], [0.0, 0.0]]), r"1 zero row \(the first is row 1\)"),
    ],
)
def test_bad_rows_are_refused_in_words(measure, bad, words):
    with pytest.raises(ValueError, match=words):
        measure(bad)


@pytest.mark.parametrize("measure", OF_PAIRS)
@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (cloud(5), cloud(6), "X has 5 rows and Y has 6"),
        (cloud(5), cloud(5, 4), "5 features and Y has 4"),
        (cloud(5), np.full((5, 5), np.nan), "Y contains NaN"),
        (cloud(1), cloud(1), "minimum of 2"),
        (cloud(5), cloud(5) * np.arange(5)[:, None], "Y has 1 zero row"),
    ],
)
def test_bad_pairs_are_refused_in_words(measure, x, y, words):
    with pytest.raises(ValueError, match=words):
        measure(x, y)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda x: metrics.kernel_energy(x, kernel="cauchy"),
            ValueError,
            "kernel must be one of 'gaussian', 'laplace'",
        ),
        (lambda x: metrics.kernel_energy(x, distance="euclid"), ValueError, "distance must be one of"),
        (lambda x: metrics.kernel_energy(x, gamma=-1), ValueError, "gamma must be a finite number from 0"),
        (lambda x: metrics.riesz_energy(x, s=math.nan), ValueError, "s must be a finite number"),
        (lambda x: metrics.riesz_energy(x, s="1"), TypeError, "s must be a number"),
        (lambda x: metrics.uniformity(x, t=-2), ValueError, "t must be a finite number from 0"),
        (lambda x: metrics.uniformity(x, t=1e31), ValueError, "t must be a finite number from 0"),
        (lambda x: metrics.clip_loss(x, x, temperature=1e-31), ValueError, "temperature must be a finite number from"),
        (lambda x: metrics.sigreg(x, sigma=1e16), ValueError, "sigma must be a finite number from 1e-15"),
        (lambda x: metrics.mmd_uniform(x, gamma=math.inf), ValueError, "gamma must be a finite number"),
        (lambda x: metrics.angle_quantiles(x, 1.5), ValueError, "q must lie between 0 and 1"),
        (lambda x: metrics.angle_quantiles(x, "half"), TypeError, "q must be a number"),
        (
            lambda x: metrics.clip_loss(x, x, temperature=0),
            ValueError,
            "temperature must be a finite number from 1e-30",
        ),
        (lambda x: metrics.alignment_loss(x, x, alpha=-1), ValueError, "alpha must be a finite number from 0"),
    ],
)
def test_bad_options_are_refused_in_words(call, error, words):
    with pytest.raises(error, match=words):
        call(cloud())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_largest_sharpness_tells_equal_directions_from_others_and_overflows_nowhere(dtype):
    x = np.vstack([cloud(), cloud()[:1]]).astype(dtype)
    share = 2 / (len(x) * (len(x) - 1))
    for kernel, distance in itertools.product(("gaussian", "laplace"), ("chordal", "geodesic")):
        assert metrics.kernel_energy(x, kernel=kernel, distance=distance, gamma=1e30) == pytest.approx(share)
    assert metrics.mmd_uniform(x, gamma=1e30) == pytest.approx((1 + 2 / len(x)) / len(x))
    assert metrics.uniformity(x, t=1e30) == pytest.approx(math.log(share))
    assert metrics.clip_loss(x, x[::-1], temperature=1e-30) < 2e30
    assert metrics.sigreg(x, sigma=1e15) == pytest.approx((1 + 2 / len(x)) / len(x), rel=1e-4)


@pytest.mark.parametrize("s", [20.0, -300.0])
@pytest.mark.parametrize("distance", ["chordal", "geodesic"])
def test_high_powers_of_float32_rows_are_those_of_the_same_rows_in_float64(s, distance):
    x = cloud().astype("float32")
    x[1] = x[0] + np.float32(1e-3) * x[1]
    energy = metrics.riesz_energy(x, s=s, distance=distance)
    assert energy == pytest.approx(metrics.riesz_energy(x.astype(float), s=s, distance=distance), rel=1e-4)


@pytest.mark.parametrize("scale", [1e-30, 1e25])
@pytest.mark.parametrize("measure", [m for m in OF_ROWS if m is not metrics.koleo])
def test_the_length_of_float32_rows_changes_nothing(measure, scale):
    x = cloud().astype(np.float32)
    assert_allclose(measure(x * np.float32(scale)), measure(x), rtol=1e-5)


def test_centring_spreads_a_real_space(data_folder):
    x = np.load(data_folder / "modality_gap_pairs.npz")["clip"][0]
    centred = x - x.mean(axis=0)
    assert metrics.uniformity(centred) < metrics.uniformity(x) - 1
    assert metrics.spherical_variance(centred) > 0.9 > metrics.spherical_variance(x)
