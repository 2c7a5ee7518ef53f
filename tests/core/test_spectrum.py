"""What the spectrum says: unbiased traces against all samples of a small population, axes with fixed signs."""

import itertools

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_allclose

from skgeom._array import ratio, to_numpy
from skgeom._core.sums._moments import fourth_moments, moments, oriented
from skgeom._core.sums._spectrum import above, covariance_eigenvalues, spectral_entropy, unbiased_traces


def cloud(shape, seed=0):
    return default_rng(seed).normal(size=shape) * np.linspace(2, 0.2, shape[1])


@pytest.mark.parametrize("shape", [(30, 4), (5, 12)])
def test_traces_are_those_of_the_covariance(shape):
    c = np.cov(cloud(shape), rowvar=False)
    assert_allclose(moments(cloud(shape)).traces(), (np.trace(c), np.trace(c @ c)), rtol=1e-12)


@pytest.mark.parametrize(("n", "d"), [(4, 2), (5, 3)])
def test_the_mean_over_all_samples_is_the_trace_of_the_population(n, d):
    """Every sample of n draws from three skewed points is as likely as any other: no simulation, no tolerance."""
    points = np.array([[0.0, 1, 4], [2, 0, 1], [7, 5, 0]])[:, :d]
    samples = [points[list(draw)] for draw in itertools.product(range(3), repeat=n)]
    estimates = [unbiased_traces(fourth_moments(x)) for x in samples]
    c = np.cov(points, rowvar=False, bias=True)
    assert_allclose(np.mean(estimates, axis=0), (np.trace(c) ** 2, np.trace(c @ c)), rtol=1e-12)


def test_the_unbiased_traces_are_means_over_disjoint_pairs():
    x = cloud((6, 3)) ** 3
    quadruples = list(itertools.permutations(range(6), 4))
    squares = [np.sum((x[i] - x[j]) ** 2) * np.sum((x[k] - x[m]) ** 2) / 4 for i, j, k, m in quadruples]
    products = [((x[i] - x[j]) @ (x[k] - x[m])) ** 2 / 4 for i, j, k, m in quadruples]
    expected = np.mean(squares), np.mean(products)
    assert_allclose(unbiased_traces(fourth_moments(x)), expected, rtol=1e-12)


@pytest.mark.parametrize("shape", [(40, 5), (5, 40)])
def test_axes_diagonalise_the_covariance(backend, shape):
    m = moments(backend.asarray(cloud(shape)))
    axes = m.axes()
    variances, v = to_numpy(axes.variances), to_numpy(axes.directions(5))
    assert_allclose(v @ v.T, np.eye(len(v)), atol=1e-12)
    assert_allclose(v @ np.cov(cloud(shape), rowvar=False) @ v.T, np.diag(variances), atol=1e-12)
    assert_allclose(variances, to_numpy(covariance_eigenvalues(m)), atol=1e-13)
    assert np.all(np.diff(variances) <= 0)


@pytest.mark.parametrize("shape", [(40, 5), (5, 40)])
def test_signs_of_axes_do_not_follow_the_sign_or_order_of_the_rows(shape):
    x = cloud(shape)
    kept = moments(x).axes().directions(4)
    assert np.all(kept.max(axis=1) >= -kept.min(axis=1))
    for other in (-x, x[::-1], x + 5):
        assert_allclose(moments(other).axes().directions(4), kept, atol=1e-9)


def test_oriented_makes_the_largest_coordinate_positive():
    v = np.array([[1.0, -2], [-1, 2], [-3, -1], [0, 0]])
    assert_allclose(oriented(v), [[-1, 2], [-1, 2], [3, 1], [0, 0]])


def test_above_keeps_what_exceeds_a_share_of_the_first():
    values = np.array([4.0, 1.0, 0.4, 1e-20, 0.0])
    assert above(values, 0.1).tolist() == [4.0, 1.0]
    assert above(values, 0.0).tolist() == values[:4].tolist()
    assert above(np.zeros(3), 0.0).size == 0


def test_nothing_divided_by_nothing_is_nothing():
    assert_allclose(ratio(np.array([1.0, 0.0, 6.0]), np.array([0.0, 0.0, 3.0])), [0, 0, 2])
    assert spectral_entropy(np.array([1.0, 0.0])) == 0
