"""What shuffled rows give, in closed form and by all orders."""

from itertools import permutations

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_allclose
from scipy.stats import skew

from skgeom._core import _permutation
from skgeom.alignment import LstsqAligner
from skgeom.comparison import (
    _relation,
    cka,
    mean_squared_correlation,
    neighbour_overlap,
    relation_test,
    shape_distance,
)

FUNCTIONS = {
    "cka": cka,
    "plain_cka": lambda x, y: cka(x, y, debiased=False),
    "mean_squared_correlation": mean_squared_correlation,
    "neighbour_overlap": lambda x, y: neighbour_overlap(x, y, k=2),
    "shape_distance": shape_distance,
}
IN_CLOSED_FORM = [name for name in FUNCTIONS if name != "shape_distance"]
pytestmark = pytest.mark.filterwarnings("ignore:.*rows in up to.*dimensions")


def clouds(n, seed=21):
    rng = default_rng(seed)
    return rng.standard_t(3, size=(n, 4)) if n > 6 else rng.standard_t(3, size=(n, 3)), rng.normal(size=(n, 3))


def moments(values):
    return np.mean(values), np.std(values), skew(values)


@pytest.mark.parametrize("n", [6, 7])
@pytest.mark.parametrize("statistic", IN_CLOSED_FORM)
def test_the_closed_form_is_that_of_all_orders(statistic, n, monkeypatch):
    x, y = clouds(n)
    every = [FUNCTIONS[statistic](x, y[list(order)]) for order in permutations(range(n))]
    whole = relation_test(x, y, statistic=statistic, k=2)
    assert whole.method == "all permutations"
    assert_allclose(whole.pvalue, np.mean(np.array(every) >= every[0] - 1e-12), rtol=1e-12)
    monkeypatch.setattr(_relation, "_ENUMERATED", 0)
    monkeypatch.setattr(_permutation, "_MOST_CONCENTRATED", np.inf)
    closed = relation_test(x, y, statistic=statistic, k=2)
    assert closed.method == "closed form"
    expected = np.array(moments(every))
    for found in (whole, closed):
        assert_allclose(found.statistic, every[0], rtol=1e-10)
        assert_allclose([found.null_mean, found.null_std], expected[:2], rtol=1e-9, atol=1e-12)
    assert_allclose(whole.null_skewness, expected[2], rtol=1e-6)
    if statistic != "neighbour_overlap":  # whose skewness is approximate
        assert_allclose(closed.null_skewness, expected[2], rtol=1e-6)


def test_the_values_of_independent_code(monkeypatch):
    rng = default_rng(23)
    x, y = rng.standard_t(3, size=(8, 4)), rng.normal(size=(8, 3))
    found = relation_test(x, y, statistic="plain_cka")
    assert_allclose(
        [found.null_mean, found.null_std, found.null_skewness, found.pvalue],
        [0.24680754626307325, 0.16731651778837148, 1.358804660016276, 0.09739583333333333],
        rtol=1e-8,
    )
    monkeypatch.setattr(_relation, "_ENUMERATED", 0)
    monkeypatch.setattr(_permutation, "_MOST_CONCENTRATED", np.inf)
    assert_allclose(relation_test(x, y, statistic="plain_cka").pvalue, 0.07602341063913796, rtol=1e-6)


@pytest.mark.parametrize("n", [6, 9, 50, 3000])
def test_the_variance_of_debiased_cka_is_of_the_rows_alone(n, monkeypatch):
    monkeypatch.setattr(_relation, "_ENUMERATED", 0)
    monkeypatch.setattr(_permutation, "_MOST_SKEWED", np.inf)
    monkeypatch.setattr(_permutation, "_MOST_CONCENTRATED", np.inf)
    found = relation_test(*clouds(n))
    assert (found.null_mean, found.null_std) == (0.0, (2 / (n * (n - 3))) ** 0.5)


@pytest.mark.parametrize("statistic", FUNCTIONS)
def test_random_orders_agree_with_the_closed_form(statistic):
    rng = default_rng(4)
    x, y = rng.normal(size=(40, 6)), rng.normal(size=(40, 5))
    drawn = relation_test(x, y, statistic=statistic, n_permutations=600, random_state=0)
    assert drawn.method == "permutations"
    assert_allclose(drawn.statistic, {**FUNCTIONS, "neighbour_overlap": neighbour_overlap}[statistic](x, y))
    if statistic in IN_CLOSED_FORM:
        closed = relation_test(x, y, statistic=statistic)
        assert closed.method == "closed form"
        assert_allclose(drawn.null_mean, closed.null_mean, atol=4 * closed.null_std / 600**0.5)
        assert_allclose(drawn.null_std, closed.null_std, rtol=0.15)
        assert abs(drawn.pvalue - closed.pvalue) < 0.07


@pytest.mark.parametrize("statistic", FUNCTIONS)
def test_related_spaces_are_told_from_unrelated_ones(statistic):
    rng = default_rng(3)
    x = rng.normal(size=(100, 8))
    options = {"statistic": statistic, "random_state": 0}
    assert relation_test(x, x[:, :5] + 0.5 * rng.normal(size=(100, 5)), **options).pvalue <= 0.001
    assert relation_test(x, rng.normal(size=(100, 5)), **options).pvalue > 0.01


@pytest.mark.parametrize("statistic", ["cka", "plain_cka", "neighbour_overlap"])
def test_unrelated_spaces_are_called_related_as_often_as_said(statistic):
    rng = default_rng(1)
    x, y = rng.standard_t(5, size=(40, 4)) * [3, 2, 1, 1], rng.normal(size=(40, 6))
    pvalues = [relation_test(x, y[rng.permutation(40)], statistic=statistic, k=3).pvalue for _ in range(600)]
    assert abs(np.mean(np.array(pvalues) <= 0.05) - 0.05) < 0.03
    assert abs(np.mean(np.array(pvalues) <= 0.2) - 0.2) < 0.06


def test_a_map_fitted_to_unrelated_pairs_relates_these_and_no_others():
    (fitted, other), (fitted_y, other_y) = default_rng(1).normal(size=(2, 2, 200, 20))
    aligner = LstsqAligner().fit(fitted, fitted_y)
    assert relation_test(aligner.transform(fitted), fitted_y).pvalue < 1e-6
    assert relation_test(aligner.transform(other), other_y).pvalue > 0.05


@pytest.mark.parametrize(("n", "k"), [(100, 1), (12, 10), (60, 10), (41, 20)])
def test_few_shared_neighbours_are_as_rare_as_said(n, k):
    """Their number is skewed and takes few values: by a normal distribution 10 % are below .05 with one neighbour."""
    rng = default_rng(0)
    drawn = (relation_test(*rng.normal(size=(2, n, 3)), statistic="neighbour_overlap", k=k) for _ in range(400))
    p = np.array([found.pvalue for found in drawn])
    assert np.mean(p <= 0.05) < 0.08
    assert np.mean(p <= 0.01) < 0.025


def test_the_skewness_of_few_shared_neighbours_is_about_that_of_random_orders():
    rng = default_rng(0)
    x, y = rng.normal(size=(2, 100, 3))
    closed, drawn = (relation_test(x, y, statistic="neighbour_overlap", k=1, n_permutations=n) for n in (None, 2000))
    assert closed.null_skewness == pytest.approx(drawn.null_skewness, abs=0.3)


def test_where_one_row_dominates_orders_are_looked_at():
    rng = default_rng(0)
    x, y = rng.normal(size=(100, 4)), rng.normal(size=(100, 4))
    x[0] *= 50
    y[7] *= 50
    found = relation_test(x, y, random_state=0)
    assert found.method == "permutations"


def test_where_neighbours_are_tied_orders_are_looked_at():
    rng = default_rng(0)
    x = rng.normal(size=(9, 3))[rng.integers(0, 9, 60)]
    assert relation_test(x, rng.normal(size=(60, 3)), statistic="neighbour_overlap").method == "permutations"


def test_the_cubes_left_out_of_many_rows_hardly_matter(monkeypatch):
    x, y = default_rng(0).normal(size=(2, 300, 20)) * np.geomspace(3, 0.1, 20)
    whole = relation_test(x, y).null_skewness
    monkeypatch.setattr("skgeom._core.sums._spaces._EXACT_CUBES", 0)
    assert_allclose(relation_test(x, y).null_skewness, whole, rtol=0.1)
    assert_allclose(
        relation_test(x, y, n_permutations=200, random_state=0).null_std, (2 / (300 * 297)) ** 0.5, rtol=0.2
    )


def test_every_library_agrees(backend):
    x, y = clouds(30)
    expected = relation_test(x, y)
    found = relation_test(backend.asarray(x), backend.asarray(y))
    assert_allclose([found.pvalue, found.null_skewness], [expected.pvalue, expected.null_skewness], rtol=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"statistic": "rsa"}, "statistic"), ({"n_permutations": 0}, "n_permutations")],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        relation_test(*clouds(20), **options)


def test_the_order_that_came_counts_among_random_ones():
    x = default_rng(0).normal(size=(50, 4))
    assert relation_test(x, x, n_permutations=99, random_state=0).pvalue == 1 / 100


# Groups


@pytest.mark.parametrize("statistic", FUNCTIONS)
def test_groups_change_places_as_a_whole(statistic):
    x, y = clouds(12)
    groups = np.array([2, 0, 1, 3] * 3)
    places = [np.flatnonzero(groups == group) for group in range(4)]
    every = []
    for order in permutations(range(4)):
        moved = np.empty_like(y)
        for place, other in zip(places, order, strict=True):
            moved[place] = y[places[other]]
        every.append(FUNCTIONS[statistic](x, moved))
    found = relation_test(x, y, groups=groups, statistic=statistic, k=2)
    assert found.method == "all permutations"
    sign = -1 if statistic == "shape_distance" else 1
    assert_allclose(found.pvalue, np.mean(sign * np.array(every) >= sign * every[0] - 1e-12))
    assert_allclose([found.null_mean, found.null_std], [np.mean(every), np.std(every)], rtol=1e-9)


def test_groups_of_one_row_are_rows():
    x, y = clouds(30)
    found = [relation_test(x, y, groups=g, n_permutations=99, random_state=0) for g in (None, np.arange(30))]
    assert found[0] == found[1]


def test_rows_of_documents_are_related_and_documents_are_not():
    rng, by_rows, by_groups = default_rng(0), [], []
    group = np.repeat(np.arange(12), 4)
    for seed in range(100):
        x, y = (rng.normal(size=(12, 5))[group] + 0.5 * rng.normal(size=(48, 5)) for _ in range(2))
        by_rows.append(relation_test(x, y).pvalue)
        by_groups.append(relation_test(x, y, groups=group, n_permutations=99, random_state=seed).pvalue)
    assert np.mean(np.array(by_rows) <= 0.05) > 0.9
    assert np.mean(np.array(by_groups) <= 0.05) < 0.12


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4], "sizes from 1 to 3"),
        ([0, 1, 2] * 4, "3 groups"),
        ([0, 1, 2, 3], "4 groups for 12 rows"),
    ],
)
def test_groups_that_cannot_change_places_are_refused(groups, message):
    with pytest.raises(ValueError, match=message):
        relation_test(*clouds(12), groups=groups)
