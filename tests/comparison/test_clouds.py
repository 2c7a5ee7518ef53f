"""Whether two clouds of different rows differ, and in what."""

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_allclose
from scipy.stats import ttest_ind

from skgeom.comparison import cloud_test

PARTS = ("location", "scale", "covariance", "kernel")


def clouds(n=120, m=80, d=10, seed=0):
    rng = default_rng(seed)
    shape = np.geomspace(3, 0.3, d)
    return rng.normal(size=(n, d)) * shape, rng.normal(size=(m, d)) * shape


def pvalues(found):
    return np.array([getattr(found, part).pvalue for part in PARTS])


def test_the_distance_of_the_means_is_that_of_all_pairs():
    rng = default_rng(34)
    x, y = rng.normal(size=(30, 6)), rng.normal(size=(20, 6)) * 1.5 + 0.4
    within = [(z @ z.T)[~np.eye(len(z), dtype=bool)].mean() for z in (x, y)]
    squared = within[0] + within[1] - 2 * (x @ y.T).mean()
    assert_allclose(squared, 0.6387803426964764, rtol=1e-9)  # a value of independent code
    assert_allclose(cloud_test(x, y).location.effect ** 2, squared / x.var(axis=0, ddof=1).sum(), rtol=1e-10)


def test_the_scale_is_a_t_test_of_squared_distances_to_the_mean():
    x, y = clouds()
    own = [np.sum((z - z.mean(axis=0)) ** 2, axis=1) * len(z) / (len(z) - 1) for z in (x, y)]
    found = cloud_test(x, 2 * y).scale
    assert_allclose(found.pvalue, ttest_ind(own[0], 4 * own[1], equal_var=False).pvalue, rtol=1e-9)
    assert_allclose(found.effect, 4 * own[1].mean() / own[0].mean(), rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "different", "alike"),
    [
        (lambda y: y + 1.0, ["location", "kernel"], ["scale", "covariance"]),
        (lambda y: 1.5 * y, ["scale"], ["location"]),
        (lambda y: y[:, ::-1], ["covariance"], ["location"]),
        (lambda y: y, [], PARTS),
    ],
)
def test_what_moved_is_named(change, different, alike):
    x, y = clouds(600, 400)
    found = cloud_test(x, change(y))
    assert all(getattr(found, part).pvalue < 1e-3 for part in different)
    assert all(getattr(found, part).pvalue > 0.01 for part in alike)
    assert_allclose(found.pvalue, min(1.0, 4 * pvalues(found).min()))


@pytest.mark.parametrize("sizes", [(60, 60), (90, 30)])
def test_equal_clouds_are_told_apart_as_often_as_said(sizes):
    rng = default_rng(0)
    pool = rng.standard_t(5, size=(4000, 12)) * np.geomspace(3, 0.3, 12)
    found = []
    for seed in range(400):
        rows = pool[rng.choice(4000, sum(sizes), replace=False)]
        found.append(pvalues(cloud_test(rows[: sizes[0]], rows[sizes[0] :], random_state=seed)))
    rate = (np.array(found) < 0.05).mean(axis=0)
    assert (rate > 0.015).all()
    assert (rate < 0.09).all()


@pytest.mark.parametrize("sizes", [(100, 100), (150, 50), (50, 150)])
def test_unequal_covariances_are_not_taken_for_other_means(sizes):
    rng = default_rng(1)
    rates = []
    for _ in range(400):
        x, y = rng.normal(size=(sizes[0], 20)), 1.5 * rng.normal(size=(sizes[1], 20))
        rates.append(cloud_test(x, y).location.pvalue < 0.05)
    assert 0.02 < np.mean(rates) < 0.08


def test_p_values_of_pairs_are_those_of_permutations():
    x, y = clouds(40, 30, 4, seed=3)
    y = 1.2 * y
    rng = default_rng(0)
    rows = np.concatenate([x, y])

    def u_centred(a):
        a = a - np.diag(np.diag(a))
        n, sums = len(a), a.sum(axis=1)
        a = a - (sums[:, None] + sums[None, :]) / (n - 2) + a.sum() / ((n - 1) * (n - 2))
        np.fill_diagonal(a, 0)
        return a

    distances = np.sum((rows[:, None] - rows[None, :]) ** 2, axis=2)
    kernel = u_centred(np.exp(-distances / (2 * np.median(distances[np.triu_indices(70, 1)]))))
    group = np.repeat([0, 1], [40, 30])
    same = u_centred((group[:, None] == group[None, :]) / np.array([40.0, 30.0])[group])

    def value(order):
        return np.sum(kernel * same[np.ix_(order, order)]) / np.linalg.norm(kernel) / np.linalg.norm(same)

    found = cloud_test(x, y).kernel
    assert_allclose(found.effect, value(np.arange(70)), rtol=1e-10)
    drawn = np.array([value(rng.permutation(70)) for _ in range(2000)])
    assert abs(found.pvalue - np.mean(drawn >= found.effect)) < 0.03


def test_motions_and_scales_of_both_change_nothing():
    x, y = clouds()
    q = np.linalg.qr(default_rng(1).normal(size=(10, 10)))[0]
    moved = cloud_test(1e3 * x @ q + 5, 1e3 * y @ q + 5)
    assert_allclose(pvalues(moved), pvalues(cloud_test(x, y)), rtol=1e-6)


def test_large_clouds_are_sampled_for_pairs_alone():
    x, y = clouds(900, 300)
    few, whole = cloud_test(x, y, max_rows=100), cloud_test(x, y, max_rows=1200)
    assert few.location == whole.location
    assert few.scale == whole.scale
    assert few.kernel != whole.kernel
    assert few == cloud_test(x, y, max_rows=100)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_library_agrees(dtype, backend):
    x, y = (z.astype(dtype) for z in clouds())
    found = cloud_test(backend.asarray(x), backend.asarray(y))
    assert_allclose(pvalues(found), pvalues(cloud_test(x.astype(float), y.astype(float))), rtol=1e-4)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((7, 2)), np.ones((9, 2)), "7"),
        (np.ones((9, 2)), np.ones((9, 2)), "equal"),
        (np.eye(9), 2 * np.eye(9), "equally far"),
        (clouds()[0], clouds()[1][:, :3], "features"),
        (1e200 * clouds()[0], clouds()[1], "fourth powers"),
    ],
)
def test_what_cannot_be_tested_is_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        cloud_test(x, y)


def test_where_one_row_dominates_permutations_are_looked_at():
    rng = default_rng(0)
    rates = []
    for seed in range(60):
        rows = rng.standard_cauchy(size=(60, 5))
        rates.append(pvalues(cloud_test(rows[:40], rows[40:], random_state=seed))[2:])
    assert (np.mean(np.array(rates) < 0.05, axis=0) < 0.17).all()
    rows[0] *= 1e4
    found = cloud_test(rows[:40], rows[40:])
    assert round(found.covariance.pvalue * 1000, 6) % 1 == 0  # a share of 1,000 orders


def test_rows_at_one_distance_from_the_mean_have_one_scale():
    x = np.array([[a, b, c] for a in (-1.0, 1) for b in (-1, 1) for c in (-1, 1)])
    assert cloud_test(x, x).scale == (1.0, 1.0)
    assert cloud_test(x, 2 * x).scale == (0.0, 4.0)


def test_the_smaller_cloud_is_looked_at_as_a_whole():
    rng = default_rng(0)
    x, y = rng.normal(size=(20_000, 3)), 1.6 * rng.normal(size=(90, 3))
    assert cloud_test(x, y, max_rows=400).kernel.pvalue < 1e-3
