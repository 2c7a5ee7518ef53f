"""The data have the geometry that was asked for."""

from math import sqrt

import numpy as np
import pytest

from skgeom.datasets import make_anisotropic_clusters
from skgeom.metrics import average_cosine, isoscore, isoscore_from_covariance, spectrum_slope

SHAPES = [(2, 2), (3, 2), (8, 2), (4, 32), (33, 32), (40, 32)]


def truth_of(n_classes=4, n_features=32, **parameters):
    return make_anisotropic_clusters(
        n_classes, n_features, n_classes=n_classes, random_state=0, return_truth=True, **parameters
    )[2]


def pairwise_mahalanobis(truth):
    whitener = np.linalg.inv(np.linalg.cholesky(truth.within_covariance)).T
    means = truth.class_means @ whitener
    i, j = np.triu_indices(len(means), 1)
    return np.linalg.norm(means[i] - means[j], axis=1)


@pytest.mark.parametrize("planted", [1e-6, 1e-3, 0.05, 0.3, 0.999, 1.0])
@pytest.mark.parametrize("d", [2, 32, 256])
def test_population_has_the_isoscore_asked_for(planted, d):
    truth = truth_of(n_features=d, isoscore=planted)
    assert truth.isoscore == pytest.approx(planted, rel=1e-8)
    assert isoscore_from_covariance(truth.covariance) == pytest.approx(planted, abs=1e-12)
    np.testing.assert_allclose(np.trace(truth.covariance), d)


@pytest.mark.parametrize(("k", "d"), SHAPES)
@pytest.mark.parametrize("separation", [0, 3.0, 1e200])
def test_covariance_is_within_plus_between(k, d, separation):
    truth = truth_of(k, d, separation=separation)
    offsets = truth.class_means - truth.mean
    np.testing.assert_allclose(truth.within_covariance + offsets.T @ offsets / k, truth.covariance, atol=1e-12)
    np.testing.assert_allclose(offsets.sum(axis=0), 0, atol=1e-12)


@pytest.mark.parametrize("planted", [0.01, 0.3, 1.0])
@pytest.mark.parametrize(("k", "d"), SHAPES)
def test_classes_are_as_far_apart_as_asked_whatever_the_isoscore(k, d, planted):
    distances = pairwise_mahalanobis(truth_of(k, d, separation=2.5, isoscore=planted))
    assert sqrt(np.mean(distances**2)) == pytest.approx(2.5, rel=1e-6)
    if k <= d + 1:
        np.testing.assert_allclose(distances, 2.5, rtol=1e-6)


def test_large_sample_approaches_the_truth():
    X, y, truth = make_anisotropic_clusters(100_000, 8, isoscore=0.4, offset=1.0, random_state=0, return_truth=True)
    assert isoscore(X) == pytest.approx(0.4, abs=0.01)
    assert spectrum_slope(X) == pytest.approx(truth.slope, abs=0.02)
    assert average_cosine(X) == pytest.approx(0.5, abs=0.05)
    np.testing.assert_allclose(np.cov(X.T), truth.covariance, atol=0.05)
    np.testing.assert_allclose(np.cov(X[y == 2].T), truth.within_covariance, atol=0.05)
    np.testing.assert_allclose(X[y == 2].mean(axis=0), truth.class_means[2], atol=0.05)


@pytest.mark.parametrize("offset", [0, 0.5, 10])
def test_offset_is_the_distance_of_the_mean_in_units_of_the_spread(offset):
    truth = truth_of(offset=offset)
    assert np.linalg.norm(truth.mean) == pytest.approx(offset * sqrt(np.trace(truth.covariance)))


@pytest.mark.parametrize("n", [4, 7, 1000])
def test_classes_are_balanced_and_in_random_order(n):
    X, y = make_anisotropic_clusters(n, 5, random_state=1)
    assert X.shape == (n, 5)
    assert X.dtype == np.float64
    assert np.ptp(np.bincount(y, minlength=4)) <= 1
    assert not np.array_equal(y, np.arange(n) % 4)


def test_seed_decides_the_data_and_truth_does_not_change_them():
    X, y = make_anisotropic_clusters(50, 6, random_state=3)
    again = make_anisotropic_clusters(50, 6, random_state=np.random.RandomState(3), return_truth=True)
    np.testing.assert_array_equal(X, again[0])
    np.testing.assert_array_equal(y, again[1])
    assert not np.array_equal(X, make_anisotropic_clusters(50, 6, random_state=4)[0])


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"n_samples": 3}, ValueError),
        ({"n_samples": 10.0}, TypeError),
        ({"n_features": 1}, ValueError),
        ({"n_classes": 1}, ValueError),
        ({"isoscore": 0.0}, ValueError),
        ({"isoscore": 1.1}, ValueError),
        ({"isoscore": "high"}, TypeError),
        ({"separation": -1.0}, ValueError),
        ({"offset": np.nan}, ValueError),
        ({"offset": 1e9}, ValueError),
    ],
)
def test_parameters_out_of_range_are_refused_by_name(parameters, error):
    with pytest.raises(error, match=next(iter(parameters))):
        make_anisotropic_clusters(**parameters)
