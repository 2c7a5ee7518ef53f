"""SpectrumDisplay: variances, null, rank and rounding."""

import numpy as np
import pytest

from skgeom._core.sums._spectrum import isotropic_shares
from skgeom.inspection import SpectrumDisplay
from skgeom.preprocessing import Whitening


@pytest.fixture
def cloud():
    return np.random.default_rng(0).normal(size=(60, 8)) * np.arange(8, 0, -1)


def test_the_line_holds_the_eigenvalues_of_the_covariance_over_their_sum(cloud):
    display = SpectrumDisplay.from_embedding(cloud)
    expected = np.sort(np.linalg.eigvalsh(np.cov(cloud.T)))[::-1]
    x, y = display.line_.get_data()
    np.testing.assert_array_equal(x, np.arange(1, 9))
    np.testing.assert_allclose(y, expected / expected.sum(), rtol=1e-10)
    np.testing.assert_allclose(display.variances, expected, rtol=1e-10)


def test_the_dots_are_where_the_cumulative_share_is_reached():
    display = SpectrumDisplay([6, 3, 0.9, 0.05, 0.05], n_samples=9, n_features=5).plot()
    assert display.line_.get_markevery() == [0, 1, 2]
    assert display.line_.get_label() == "this cloud\n50, 90, 99 % in 1, 2, 3"


@pytest.mark.parametrize("shape", [(2000, 200), (100, 400)])
def test_the_null_is_the_spectrum_of_isotropic_rows(shape):
    X = np.random.default_rng(0).normal(size=shape)
    display = SpectrumDisplay.from_embedding(X)
    null = display.isotropic_.get_ydata()
    assert null.size == min(shape[0] - 1, shape[1])
    np.testing.assert_allclose(display.shares, null, rtol=0.06)
    np.testing.assert_array_equal(null, isotropic_shares(*shape))


def test_directions_that_rounding_hides_are_behind_the_rank(cloud):
    flat = np.concatenate([cloud, cloud @ np.ones((8, 2))], axis=1)
    display = SpectrumDisplay.from_embedding(flat)
    assert display.rank_.get_xdata()[0] == display.rank == 8
    floor = display.noise_.get_ydata()[0]
    assert display.shares[7] > floor > display.shares[8]
    full = SpectrumDisplay.from_embedding(cloud)
    assert full.rank_ is full.noise_ is None


def test_each_of_two_clouds_has_its_rank_in_its_own_entry_of_the_legend(cloud):
    first = SpectrumDisplay([3, 2, 1, 0], n_samples=9, n_features=4, name="first").plot()
    second = SpectrumDisplay([3, 2, 0, 0], n_samples=9, n_features=4, name="second").plot(first.ax_)
    entries = [text.get_text().splitlines()[0] for text in first.ax_.get_legend().get_texts()]
    assert entries == ["isotropic, 9 rows", "first, rank 3", "second, rank 2"]
    for display in (first, second):
        assert display.rank_.get_color() == display.line_.get_color()


def test_one_lost_direction_of_many_does_not_stretch_the_axis():
    X = np.random.default_rng(0).normal(size=(60, 20))
    X[:, 0] = 0
    display = SpectrumDisplay.from_embedding(X)
    assert display.rank_.get_xdata()[0] == 19
    assert display.noise_ is None
    assert display.ax_.get_ylim()[0] > 1e-4


def test_a_second_cloud_on_the_same_axes_has_another_look_and_no_second_null(cloud):
    first = SpectrumDisplay.from_embedding(cloud, name="raw")
    white = Whitening(power=0.5).fit(cloud)
    second = SpectrumDisplay.from_estimator(white, cloud, name="whitened", ax=first.ax_)
    assert second.ax_ is first.ax_
    assert second.figure_ is first.figure_
    assert second.isotropic_ is None
    assert first.line_.get_linestyle() != second.line_.get_linestyle()
    assert first.line_.get_marker() != second.line_.get_marker()
    expected = np.sort(np.var(white.transform(cloud), axis=0, ddof=1))[::-1]
    np.testing.assert_allclose(second.variances, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variances": [1, 2]}, "descending order"),
        ({"variances": [1, -1]}, "at least 0"),
        ({"variances": [0, 0]}, "no spread"),
        ({"variances": [3, 2, 1, 1]}, "number of variances must be at least 1 and at most 3"),
        ({"variances": [3, 2], "rank": 3}, "rank must be at least 1 and at most 2"),
        ({"variances": [3, np.nan]}, "NaN or infinity"),
    ],
)
def test_what_is_no_spectrum_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SpectrumDisplay(**arguments, n_samples=9, n_features=3)


def test_rows_without_spread_are_refused():
    with pytest.raises(ValueError, match="no spread"):
        SpectrumDisplay.from_embedding(np.ones((5, 3)))
