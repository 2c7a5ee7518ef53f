"""Correlations and agreements under weights: beside SciPy and scikit-learn on repeated rows."""

import numpy as np
import pytest
from scipy.stats import pearsonr, rankdata, spearmanr
from sklearn.metrics import adjusted_rand_score

from skgeom._core._agreement import adjusted_rand
from skgeom._core._correlation import mid_ranks, pearson, spearman


@pytest.fixture
def ties():
    rng = np.random.default_rng(0)
    return rng.integers(0, 6, 40) * 0.1, rng.integers(0, 4, 40).astype(float), rng.poisson(1.0, (7, 40)).astype(float)


@pytest.mark.parametrize(("ours", "scipys"), [(pearson, pearsonr), (spearman, spearmanr)])
def test_a_weight_is_how_often_a_row_is_there(ties, ours, scipys):
    x, y, weights = ties
    repeated = [scipys(*(np.repeat(v, w.astype(int)) for v in (x, y))).statistic for w in weights]
    np.testing.assert_allclose(ours(x, y, weights), repeated, atol=1e-12)


def test_ranks_are_those_of_scipy(ties):
    np.testing.assert_array_equal(mid_ranks(ties[0], np.ones((1, 40)))[0], rankdata(ties[0]))


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_pearson_does_not_depend_on_scale_and_offset(ties, scale, offset):
    x, y, weights = ties
    np.testing.assert_allclose(pearson((x + offset) * scale, y, weights), pearson(x, y, weights), atol=1e-8)


@pytest.mark.parametrize("correlation", [pearson, spearman])
def test_a_constant_correlates_with_nothing(ties, correlation):
    x, _, weights = ties
    only_equal = np.where(x == x[3], weights, 0.0) + (np.arange(40) == 3)
    assert (correlation(np.full(40, 0.1), x, weights) == 0).all()
    assert (correlation(x, np.arange(40.0), only_equal) == 0).all()


def test_adjusted_rand_is_that_of_scikit_learn_on_repeated_rows(ties):
    a, b, weights = ((10 * ties[0]).astype(int), ties[1].astype(int), ties[2])
    repeated = [adjusted_rand_score(*(np.repeat(v, w.astype(int)) for v in (a, b))) for w in weights]
    np.testing.assert_allclose(adjusted_rand(a, b, weights), repeated, atol=1e-12)
    assert (adjusted_rand(a, a, weights) == 1).all()
    assert (adjusted_rand(0 * a, 0 * a, weights) == 1).all()
    assert adjusted_rand(a, b, (np.arange(40) == 3)[None] * 1.0) == 1  # one row agrees with itself
