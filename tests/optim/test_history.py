"""History: correlations of its columns."""

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from skgeom.optim import History


@pytest.mark.parametrize(("method", "scipys"), [("pearson", pearsonr), ("spearman", spearmanr)])
def test_correlations_are_those_of_scipy_where_both_were_recorded(method, scipys):
    a, b = np.random.default_rng(0).normal(size=(2, 20))
    a[3], b[7] = np.nan, np.inf
    rows = [(i, 0.0, x, y) for i, (x, y) in enumerate(zip(a, b, strict=True))]
    both = np.isfinite(a) & np.isfinite(b)
    found = History([], ["a", "b"], rows).correlation("a", "b", method=method)
    assert found == pytest.approx(scipys(a[both], b[both]).statistic, abs=1e-12)


def test_what_has_no_correlation_is_nan_or_refused():
    history = History([], ["a"], [(0, 1.0, 2.0), (1, 1.0, 3.0), (2, 1.0, 5.0)])
    assert np.isnan(history.correlation("loss", "a"))
    assert np.isnan(History([], ["a"], [(0, 1.0, 2.0), (1, 2.0, 3.0)]).correlation("loss", "a"))
    assert history.correlation("iteration", "a", method="spearman") == 1
    with pytest.raises(KeyError):
        history.correlation("loss", "b")
    with pytest.raises(ValueError, match="method"):
        history.correlation("loss", "a", method="kendall")


@pytest.mark.parametrize(
    ("terms", "row", "words"),
    [
        (["loss"], (0, 1.0, 2.0, 3.0), "Two columns have the name 'loss'"),
        (["a"], (0, 1.0, 2.0, 3.0), "Two columns have the name 'a'"),
        (["b"], (0, 1.0, 2.0), "Row 1 has 3 numbers for the 4 columns 'iteration', 'loss', 'b', 'a'"),
    ],
)
def test_columns_are_told_apart_by_name_and_filled_by_every_row(terms, row, words):
    with pytest.raises(ValueError, match=words):
        History(terms, ["a"], [(0, 1.0, 2.0, 3.0), row])
