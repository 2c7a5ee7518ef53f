"""HubDisplay: how often rows are neighbours of others."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from skgeom.inspection import HubDisplay
from skgeom.preprocessing import Whitening


@pytest.fixture
def cloud():
    return np.random.default_rng(0).normal(size=(200, 30)) + 0.5


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_the_line_is_the_share_of_rows_that_occur_so_often(cloud, metric):
    display = HubDisplay.from_embedding(cloud, k=5, metric=metric)
    index = NearestNeighbors(n_neighbors=5, metric=metric).fit(cloud).kneighbors(return_distance=False)
    occurrences = np.bincount(index.ravel(), minlength=200)
    np.testing.assert_array_equal(display.occurrences, occurrences)
    counts, shares = display.line_.get_data()
    assert counts[0] == 1
    assert counts[-1] == occurrences.max()
    np.testing.assert_allclose(shares, [(occurrences >= count).mean() for count in counts])


def test_the_null_is_what_random_neighbours_give():
    rng = np.random.default_rng(0)
    n, k = 1000, 10
    drawn = np.concatenate([rng.permutation(n - 1)[:k] + 1 for _ in range(n - 1)])
    counts, shares = HubDisplay(np.full(n, k), k=k).plot().random_.get_data()
    found = [(np.bincount(drawn, minlength=n)[1:] >= count).mean() for count in counts]
    np.testing.assert_allclose(shares, found, atol=0.03)


def test_the_legend_says_how_many_are_never_neighbours():
    display = HubDisplay([0, 0, 1, 5], k=2, name="rows").plot()
    assert display.line_.get_label() == "rows: 50 % never, at most 5"
    np.testing.assert_array_equal(display.line_.get_xydata(), [[1, 0.5], [5, 0.25]])


def test_a_second_cloud_and_more_neighbours_than_rows(cloud):
    first = HubDisplay.from_embedding(cloud)
    second = HubDisplay.from_estimator(Whitening().fit(cloud), cloud, name="white", ax=first.ax_)
    assert second.random_ is None
    assert first.line_.get_linestyle() != second.line_.get_linestyle()
    assert HubDisplay.from_embedding(cloud[:4], k=10).k == 3


def test_what_are_no_occurrences_is_refused(cloud):
    with pytest.raises(ValueError, match="at least 0"):
        HubDisplay([-1, 2], k=1)
    with pytest.raises(ValueError, match="at least 1 for one row"):
        HubDisplay([0, 0], k=1)
    with pytest.raises(ValueError, match="at least two rows"):
        HubDisplay([1], k=1)
    with pytest.raises(ValueError, match="k must be at least 1 and at most 2"):
        HubDisplay([3, 3, 3], k=3)
    with pytest.raises(ValueError, match="metric must be one of"):
        HubDisplay.from_embedding(cloud, metric="csls")
