"""Whether two clouds of different rows differ, and in what."""

import pickle
from functools import partial
from itertools import combinations

import numpy as np
import pytest
import scipy
from numpy.random import default_rng
from numpy.testing import assert_allclose
from packaging.version import Version
from scipy.stats import f_oneway, ttest_ind

from skgeom._core._permutation import doubly_centred, sums_of, sums_of_membership
from skgeom._core.sums._moments import ThinMoments, moments
from skgeom.comparison import CloudTest, _clouds, _parts, cloud_test, relation_test
from skgeom.comparison._parts import Part
from skgeom.comparison._sides import side_of
from skgeom.summary import cloud_summary, paired_summary

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
    x, y = clouds(120, 100)
    own = [np.sum((z - z.mean(axis=0)) ** 2, axis=1) * len(z) / (len(z) - 1) for z in (x, y)]
    found = cloud_test(x, 2 * y).scale
    assert_allclose(found.pvalue, ttest_ind(own[0], 4 * own[1], equal_var=False).pvalue, rtol=1e-9)
    assert_allclose(found.effect, 4 * own[1].mean() / own[0].mean(), rtol=1e-12)


def without_the_cluster_of_the_other():
    """Return ten rows, and many of which one in five is far away: one draw of ten has none of these in its ten."""
    rng = default_rng(2)
    x, y = rng.normal(size=(10, 3)), rng.normal(size=(40, 3))
    y[:8] += 7
    return x, y


def test_the_scale_of_few_rows_has_the_larger_p_value_of_welch_and_of_random_orders_of_rows_about_their_means():
    def welch(x, y):
        own = [np.sum((z - z.mean(axis=0)) ** 2, axis=1) * len(z) / (len(z) - 1) for z in (x, y)]
        return ttest_ind(*own, equal_var=False)

    x, y = without_the_cluster_of_the_other()
    rng, rows = default_rng(1), np.concatenate([x - x.mean(axis=0), y - y.mean(axis=0)])
    drawn = [welch(rows[order[:10]], rows[order[10:]]).statistic for order in map(rng.permutation, [50] * 2000)]
    share = np.mean(np.abs(drawn) >= abs(welch(x, y).statistic))
    assert welch(x, y).pvalue < 1e-3
    assert 0.03 < share < 0.2
    assert cloud_test(x, y).scale.pvalue == pytest.approx(share, abs=0.025)


def test_the_location_of_few_rows_has_no_smaller_p_value_than_permutations_unless_none_reaches_it():
    def squared(x, y):
        within = [(z.sum(axis=0) @ z.sum(axis=0) - np.sum(z * z)) / (len(z) * (len(z) - 1)) for z in (x, y)]
        return within[0] + within[1] - 2 * x.mean(axis=0) @ y.mean(axis=0)

    x, y = without_the_cluster_of_the_other()
    rng, rows = default_rng(1), np.concatenate([x, y])
    drawn = [squared(rows[order[:10]], rows[order[10:]]) for order in map(rng.permutation, [50] * 2000)]
    share = np.mean(np.array(drawn) >= squared(x, y))
    assert 0.05 < share < 0.2
    assert cloud_test(x, y).location.pvalue == pytest.approx(share, abs=0.03)
    assert cloud_test(x, y + 100).location.pvalue < 1e-12


@pytest.mark.parametrize("sizes", [(8, 8), (20, 20)])
def test_few_skewed_rows_are_rejected_no_more_often_than_said(sizes):
    """The distances of the rows of a cloud depend on their mean, so that random orders alone reject 14 to 33 %."""
    found = []
    for seed in range(200):
        clouds = (default_rng([seed, i]).lognormal(size=(n, 1)) for i, n in enumerate(sizes))
        found.append(cloud_test(*clouds, random_state=seed).scale.pvalue)
    assert np.mean(np.array(found) < 0.05) < 0.09


def test_the_location_has_the_larger_p_value_of_two_distributions(monkeypatch):
    found = []
    for seed in range(20):
        x, y = default_rng(seed).normal(size=(2, 40, 10)) * np.geomspace(3, 0.3, 10)
        both = cloud_test(x, y + 0.5).location.pvalue
        with monkeypatch.context() as without:
            without.setattr(_parts.Means, "_p_value_by_f", lambda *_: 0.0)
            by_moments = cloud_test(x, y + 0.5).location.pvalue
        with monkeypatch.context() as without:
            without.setattr(_parts, "p_value", lambda *_: 0.0)
            by_f = cloud_test(x, y + 0.5).location.pvalue
        assert both == max(by_moments, by_f)
        found.append(by_moments > by_f)
    assert 0 < sum(found) < 20


def test_clouds_of_any_two_scales_are_tested():
    x, y = clouds(30, 40)
    for scale in (1e-30, 1e30):
        assert 0 < cloud_test(x, scale * y).location.pvalue <= 1


@pytest.mark.parametrize(
    ("sizes", "draw"),
    [
        ((8, 300), lambda rng, n: rng.normal(size=(n, 1))),
        ((8, 300), lambda rng, n: rng.normal(size=(n, 32)) * np.append(10, np.ones(31))),
        ((20, 300), lambda rng, n: rng.standard_t(3, size=(n, 8))),
        ((8, 40), lambda rng, n: rng.normal(size=(n, 2)) + 6 * (rng.random((n, 1)) < 0.2)),
        ((20, 300), lambda rng, n: rng.normal(size=(n, 4)) + 6 * (rng.random((n, 1)) < 0.2)),
    ],
    ids=["one feature", "one direction", "heavy tails", "a cluster", "a cluster beside many"],
)
def test_few_rows_beside_many_are_rejected_as_often_as_said(sizes, draw):
    found = []
    for seed in range(300):
        rng = default_rng(seed)
        found.append(pvalues(cloud_test(*(draw(rng, n) for n in sizes), max_rows=100, random_state=seed)))
    assert (np.mean(np.array(found) < 0.05, axis=0) < 0.085).all()
    assert (np.mean(np.array(found) < 0.01, axis=0) < 0.03).all()


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
    for _ in range(100):
        x, y = rng.normal(size=(sizes[0], 20)), 1.5 * rng.normal(size=(sizes[1], 20))
        rates.append(cloud_test(x, y).location.pvalue < 0.05)
    assert 0.01 < np.mean(rates) < 0.1


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
        (clouds()[0], clouds()[1] * np.append(1e7, np.ones(79))[:, None], "All rows of Y but one are equal"),
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


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e3])
def test_equal_rows_leave_the_kernel_its_width(scale):
    rng, equal = default_rng(0), np.tile([1 / 3, 2 / 3, 1.0], (100, 1))
    x, y = equal.copy(), equal.copy()
    x[:20] += rng.normal(size=(20, 3))
    y[:20] += rng.normal(size=(20, 3)) + 2
    assert cloud_test(scale * x, scale * y).kernel.pvalue < 0.002


def test_samples_of_equal_rows_tell_nothing():
    x, y = np.zeros((2, 5000, 4))
    x[:6], y[:6] = default_rng(0).normal(size=(2, 6, 4))
    for seed in range(4):
        assert cloud_test(x, y, random_state=seed).kernel.pvalue > 0.1


def test_no_p_value_is_zero():
    x, y = clouds(300, 200)
    assert 0 < min(pvalues(cloud_test(x, y + 30))) < 1e-100


def test_rows_at_one_distance_from_the_mean_have_one_scale():
    x = np.array([[a, b, c] for a in (-1.0, 1) for b in (-1, 1) for c in (-1, 1)])
    assert cloud_test(x, x).scale == (1.0, 1.0)
    assert cloud_test(x, 2 * x).scale == (pytest.approx(0.0, abs=1e-300), 4.0)
    assert cloud_test(x, 2 * x).scale.pvalue > 0


def test_small_clouds_are_taken_whole_and_large_ones_share_what_is_left():
    assert _clouds._shares([1000, 10, 500], 600) == [295, 10, 295]
    assert _clouds._shares([30, 40], 100) == [30, 40]


def test_the_smaller_cloud_is_looked_at_as_a_whole():
    rng = default_rng(0)
    x, y = rng.normal(size=(20_000, 3)), 1.6 * rng.normal(size=(90, 3))
    assert cloud_test(x, y, max_rows=400).kernel.pvalue < 1e-3


# Of normal rows


@pytest.mark.parametrize("m", [7, 30])
def test_traces_without_bias_solve_the_moments_of_a_chi_square(m):
    second, third = (m + 2) / m, (m + 2) * (m + 4) / m**2  # of the variance of normal numbers, whose own is 1
    assert_allclose(_parts._without_bias([second, second], m), 1.0, rtol=1e-12)
    assert_allclose(_parts._without_bias([third, third, third], m), 1.0, rtol=1e-12)


def test_traces_without_bias_are_right_on_average():
    rng, variances = default_rng(0), np.array([3.0, 1.0, 0.5])
    found = []
    for _ in range(20_000):
        x = rng.normal(size=(6, 3)) * np.sqrt(variances)
        c = x.T @ x / 6
        t1, t2, t3 = np.trace(c), np.trace(c @ c), np.trace(c @ c @ c)
        found.append([_parts._without_bias([t2, t1**2], 6), _parts._without_bias([t3, t2 * t1, t1**3], 6)])
    error = np.std(found, axis=0) / np.sqrt(len(found))
    assert (np.abs(np.mean(found, axis=0) - [np.sum(variances**2), np.sum(variances**3)]) < 4 * error).all()


def test_traces_of_two_covariances_are_right_on_average():
    rng, variances, sizes = default_rng(0), (np.array([3.0, 1.0, 0.5]), np.array([1.0, 1.0, 2.0])), (9, 12)
    found = []
    for _ in range(4000):
        x, y = (rng.normal(size=(n, 3)) * np.sqrt(v) for n, v in zip(sizes, variances, strict=True))
        means = _parts.Means([side_of(cloud_summary(z, max_rows=16, random_state=0), "X", 8) for z in (x, y)], rng)
        found.append([means.three[0, 0, 1] * means.unit**3, means.three[1, 0, 1] * means.unit**3])
    a, b = variances
    expected = [np.sum(a * a * b) / (9 * 9 * 12), np.sum(a * b * b) / (9 * 12 * 12)]
    assert (np.abs(np.mean(found, axis=0) - expected) < 4 * np.std(found, axis=0) / np.sqrt(4000)).all()


def test_traces_of_few_rows_are_those_of_their_matrices():
    rng = default_rng(0)
    thin = [moments(rng.normal(size=(n, 30))) for n in (8, 12, 20)]
    assert all(isinstance(m, ThinMoments) for m in thin)
    dense = _parts._traces([m.dense() for m in thin], 2.0)
    for found, expected in zip(_parts._traces(thin, 2.0), dense, strict=True):
        assert_allclose(found, expected, rtol=1e-10)
    c = [m.dense().scatter / (m.n - 1) / 2 for m in thin]
    assert_allclose(dense[1][2, 0, 1], np.trace(c[2] @ c[0] @ c[1]), rtol=1e-10)


@pytest.mark.parametrize("sizes", [[3, 4], [5, 2, 9], [8, 8, 8, 20]])
def test_sums_of_a_membership_are_those_of_its_matrix(sizes):
    group = np.repeat(np.arange(len(sizes)), sizes)
    same = (group[:, None] == group[None, :]) / np.array(sizes)[group][:, None]
    assert_allclose(sums_of_membership(sizes), sums_of(doubly_centred(same)), rtol=1e-10)


def test_the_tail_of_the_distance_of_means_is_skewed():
    rng, variances = default_rng(0), np.array([1.0, 0.1])
    found = []
    for _ in range(1000):
        summaries = [cloud_summary(rng.normal(size=(n, 2)) * np.sqrt(variances), max_rows=16) for n in (60, 40)]
        found.append(_parts.Means([side_of(summary, "X", 8) for summary in summaries], rng).test([0, 1]).pvalue)
    assert 0.003 < np.mean(np.array(found) < 0.01) < 0.019  # a normal tail gives .03
    assert 0.035 < np.mean(np.array(found) < 0.05) < 0.07


def test_the_distance_of_means_has_the_skewness_of_a_sum_of_squares(monkeypatch):
    nulls, variances = [], np.array([9.0, 1.0, 0.3, 0.1])
    monkeypatch.setattr(_parts, "p_value", lambda null, value: nulls.append(null) or 0.5)
    cloud_test(*(default_rng(0).normal(size=(2, 5000, 4)) * np.sqrt(variances)))
    expected = 8 * np.sum(variances**3) / (2 * np.sum(variances**2)) ** 1.5
    assert nulls[0].skewness == pytest.approx(expected, rel=0.02)


# Several clouds


def three(seed=0, shift=0.0, factor=1.0):
    rng = default_rng(seed)
    shape = np.geomspace(3, 0.3, 10)
    x, y, z = (rng.normal(size=(n, 10)) * shape for n in (140, 110, 100))
    return x, y, factor * z + shift


def test_the_distance_of_several_means_is_that_of_all_pairs_of_different_clouds():
    clouds = three(shift=0.5)
    found = cloud_test(*clouds)
    squared = []
    for a, b in combinations(clouds, 2):
        within = [(z @ z.T)[~np.eye(len(z), dtype=bool)].mean() for z in (a, b)]
        squared.append((within[0] + within[1] - 2 * (a @ b.T).mean(), len(a) * len(b)))
    values, weights = np.array(squared).T
    unit = clouds[0].var(axis=0, ddof=1).sum()
    assert_allclose(found.location.effect**2, values @ weights / weights.sum() / unit, rtol=1e-9)
    assert_allclose([pair.location.effect**2 for pair in found.pairs], np.maximum(values, 0) / unit, atol=1e-12)


@pytest.mark.skipif(Version(scipy.__version__) < Version("1.16"), reason="SciPy has Welch's analysis from 1.16 on")
def test_the_scale_of_several_clouds_is_welchs_analysis_of_variance():
    clouds = three(factor=1.1)
    own = [np.sum((z - z.mean(axis=0)) ** 2, axis=1) * len(z) / (len(z) - 1) for z in clouds]
    found = cloud_test(*clouds).scale
    assert_allclose(found.pvalue, f_oneway(*own, equal_var=False).pvalue, rtol=1e-8)
    assert_allclose(found.effect, max(map(np.mean, own)) / min(map(np.mean, own)), rtol=1e-12)


@pytest.mark.parametrize(("change", "part"), [({"shift": 1.0}, "location"), ({"factor": 1.6}, "scale")])
def test_which_clouds_differ_is_named(change, part):
    found = cloud_test(*three(**change))
    assert getattr(found, part).pvalue < 1e-3
    assert [pair[:2] for pair in found.pairs if getattr(pair, part).pvalue < 0.01] == [(0, 2), (1, 2)]


def test_p_values_of_pairs_are_adjusted_by_holm():
    clouds = three(shift=0.3, factor=1.2)
    found = cloud_test(*clouds)
    for part in ("location", "scale"):
        raw = np.array([getattr(cloud_test(a, b), part).pvalue for a, b in combinations(clouds, 2)])
        low, middle, high = np.argsort(raw)
        expected = np.empty(3)
        expected[low] = 3 * raw[low]
        expected[middle] = max(expected[low], 2 * raw[middle])
        expected[high] = max(expected[middle], raw[high])
        assert_allclose([getattr(pair, part).pvalue for pair in found.pairs], np.minimum(expected, 1), rtol=1e-8)


def test_the_order_of_clouds_changes_no_p_value_of_means_and_scales():
    x, y, z = three(shift=0.2)
    assert_allclose(pvalues(cloud_test(x, y, z))[:2], pvalues(cloud_test(z, x, y))[:2], rtol=1e-9)


@pytest.mark.parametrize("sizes", [(40, 40, 40), (60, 30, 20)])
def test_equal_clouds_of_three_are_told_apart_as_often_as_said(sizes):
    rng = default_rng(0)
    found = []
    for seed in range(300):
        rows = rng.standard_t(5, size=(sum(sizes), 12)) * np.geomspace(3, 0.3, 12)
        found.append(pvalues(cloud_test(*np.split(rows, np.cumsum(sizes)[:-1]), random_state=seed)))
    rate = (np.array(found) < 0.05).mean(axis=0)
    assert (rate > 0.01).all()
    assert (rate < 0.095).all()


def test_of_two_clouds_the_pair_is_the_test():
    found = cloud_test(*clouds())
    assert found.pairs == ((0, 1, *found[:4]),)


def test_the_parts_of_all_pairs_are_a_frame():
    pytest.importorskip("pandas")
    frame = cloud_test(*three()).to_frame()
    assert list(frame.columns) == ["first", "second", "part", "pvalue", "effect"]
    assert len(frame) == 12


def test_parts_that_moved_are_those_of_holm():
    quiet, loud = (Part(p, 0.0) for p in (0.5, 0.004))
    found = CloudTest(loud, quiet, Part(0.02, 0.0), quiet, 0.016, ())
    assert found.moved() == ("location",)  # .02 · 3 exceeds .05
    assert found.moved(0.06) == ("location", "covariance")
    assert found.moved(0.01) == ()


def test_a_result_prints_as_a_table_of_its_parts():
    found = CloudTest(Part(0.004, 1.5), Part(0.5, 1.0), Part(1e-41, -0.12345), Part(0.25, 0.0), 4e-41, ())
    assert [line.split() for line in str(found).splitlines()] == [
        ["p-value", "effect"],
        ["location", "0.004", "1.5"],
        ["scale", "0.5", "1"],
        ["covariance", "1e-41", "-0.123"],
        ["kernel", "0.25", "0"],
        ["any", "4e-41"],
    ]


# Groups


def documents(n, seed, sizes=(1, 9)):
    rng = default_rng(seed)
    group = np.repeat(np.arange(n), rng.integers(*sizes, n))
    return rng.normal(size=(n, 6))[group] + 0.7 * rng.normal(size=(len(group), 6)), group + 1000 * seed


def test_groups_of_one_row_are_rows():
    x, y = clouds(60, 40)
    found, rows = cloud_test(x, y, groups=(np.arange(60), np.arange(60, 100))), cloud_test(x, y)
    assert_allclose(np.array(found[0:4:3]), np.array(rows[0:4:3]), rtol=1e-9)
    assert_allclose(found.scale.effect, rows.scale.effect)
    assert found.scale.pvalue == pytest.approx(rows.scale.pvalue, abs=0.05)


def test_groups_count_once_by_their_means():
    (x, g), (y, h) = documents(40, 1), documents(30, 2)
    means = [np.stack([z[codes == code].mean(axis=0) for code in np.unique(codes)]) for z, codes in ((x, g), (y, h))]
    found = cloud_test(x, y, groups=(g, h))
    assert_allclose(found.location.pvalue, cloud_test(*means).location.pvalue, rtol=1e-9)
    squares = [
        [np.mean(np.sum((z[codes == code] - mean.mean(axis=0)) ** 2, axis=1)) for code in np.unique(codes)]
        for (z, codes), mean in zip(((x, g), (y, h)), means, strict=True)
    ]
    total = [np.mean(s) + mean.var(axis=0, ddof=1).sum() / len(mean) for s, mean in zip(squares, means, strict=True)]
    assert_allclose(found.scale.effect, total[1] / total[0], rtol=1e-9)


def test_the_similarity_of_groups_is_the_mean_of_that_of_their_rows():
    (x, g), (y, h) = documents(20, 1), documents(12, 2)
    rows, group = np.concatenate([x, y]), np.concatenate([g, h])
    distances = np.sum((rows[:, None] - rows[None, :]) ** 2, axis=2)
    kernel = np.exp(-distances / (2 * np.median(distances[np.triu_indices(len(rows), 1)])))
    codes = np.unique(group)
    a = doubly_centred(np.array([[kernel[np.ix_(group == i, group == j)].mean() for j in codes] for i in codes]))
    same = doubly_centred(np.where(np.equal.outer(codes < 2000, codes < 2000), 1 / np.where(codes < 2000, 20, 12), 0))
    expected = np.sum(a * same) / np.linalg.norm(a) / np.linalg.norm(same)
    assert_allclose(cloud_test(x, y, groups=(g, h)).kernel.effect, expected, rtol=1e-9)


def test_rows_of_documents_reject_equal_clouds_and_documents_do_not():
    by_rows, by_groups = [], []
    for seed in range(150):
        (x, g), (y, h) = documents(30, 2 * seed), documents(20, 2 * seed + 1)
        by_groups.append(pvalues(cloud_test(x, y, groups=(g, h))))
        by_rows.append(cloud_test(x, y).location.pvalue)
    assert np.mean(np.array(by_rows) < 0.05) > 0.5
    assert (np.mean(np.array(by_groups) < 0.05, axis=0) < 0.12).all()


def test_samples_are_of_whole_groups():
    (x, g), (y, h) = documents(300, 1), documents(200, 2)
    few = cloud_test(x, y, groups=(g, h), max_rows=200)
    assert few.location == cloud_test(x, y, groups=(g, h)).location
    assert few == cloud_test(x, y, groups=(g, h), max_rows=200)


@pytest.mark.parametrize("seed", ["a", -1, 1.5])
@pytest.mark.parametrize(
    "function", [cloud_test, partial(relation_test, n_permutations=9), cloud_summary, paired_summary]
)
def test_a_seed_is_refused_by_its_name(function, seed):
    x = np.random.default_rng(0).normal(size=(20, 3))
    with pytest.raises(ValueError, match="random_state must be None, an integer from 0"):
        function(*[x] * (1 if function is cloud_summary else 2), random_state=seed)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (np.zeros(200), "2 arrays"),
        ((np.arange(120),), "2 arrays"),
        ((np.arange(120), np.arange(80)), "is in X and in Y"),
        ((np.arange(120) % 7, 200 + np.arange(80)), "7 groups"),
        ((np.arange(119), 200 + np.arange(80)), "119 groups"),
    ],
)
def test_groups_that_do_not_fit_are_refused(groups, message):
    with pytest.raises(ValueError, match=message):
        cloud_test(*clouds(), groups=groups)


# Summaries


def test_merged_summaries_are_those_of_all_rows():
    x, y = clouds(300, 100)
    parts = [cloud_summary(rows + 0.0, random_state=i) for i, rows in enumerate(np.split(x, [1, 5, 140]))]
    merged = parts[0].merge(parts[1]).merge(parts[2].merge(parts[3]))
    assert merged.n_rows == 300
    found, whole = cloud_test(merged, y), cloud_test(x, y)
    assert_allclose(np.array(found[:2]), np.array(whole[:2]), rtol=1e-8)
    assert_allclose(np.array(found.kernel), np.array(whole.kernel), rtol=1e-8)


def test_a_summary_keeps_a_random_sample_of_all_rows():
    kept = np.zeros(60)
    for seed in range(300):
        parts = [
            cloud_summary(np.arange(a, b)[:, None], max_rows=16, random_state=60 * seed + a)
            for a, b in ((0, 40), (40, 50), (50, 60))
        ]
        merged = parts[0].merge(parts[1]).merge(parts[2])
        assert merged.rows.shape == (16, 1)
        kept[merged.rows[:, 0].astype(int)] += 1
    assert_allclose(kept.sum(), 300 * 16)
    assert np.abs(kept / 300 - 16 / 60).max() < 4.5 * np.sqrt(16 / 60 * 44 / 60 / 300)


def test_summaries_travel(backend):
    x, y = (z.astype(np.float32) for z in clouds())
    summary = pickle.loads(pickle.dumps(cloud_summary(x, random_state=0)))
    assert cloud_test(summary, y) == cloud_test(cloud_summary(x, random_state=0), y)
    there = cloud_summary(backend.asarray(x), random_state=0)
    assert_allclose(pvalues(cloud_test(there, backend.asarray(y))), pvalues(cloud_test(summary, y)), rtol=1e-4)


def test_summaries_that_do_not_fit_are_refused():
    x, y = clouds()
    summary = cloud_summary(x)
    with pytest.raises(ValueError, match="features"):
        summary.merge(cloud_summary(y[:, :3]))
    with pytest.raises(ValueError, match="features"):
        cloud_test(summary, y[:, :3])
    with pytest.raises(ValueError, match="Y has 5 rows"):
        cloud_test(summary, cloud_summary(y[:5]))
    with pytest.raises(ValueError, match="summary has none"):
        cloud_test(summary, y, groups=(np.arange(120), np.arange(80)))
    with pytest.raises(ValueError, match=r"Y keeps 8 rows.*max_rows"):
        cloud_test(summary, cloud_summary(y, max_rows=8))
    with pytest.raises(ValueError, match="max_rows"):
        cloud_summary(x, max_rows=-1)
