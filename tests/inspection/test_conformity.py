"""ConformityDisplay: the distribution and its mean."""

import numpy as np
import pytest

from skgeom.inspection import ConformityDisplay
from skgeom.metrics import average_cosine, conformity
from skgeom.preprocessing import Whitening


@pytest.fixture
def cloud():
    return np.random.default_rng(0).normal(size=(80, 6)) + 1


def test_the_steps_are_the_density_and_the_line_is_the_average_cosine(cloud):
    display = ConformityDisplay.from_embedding(cloud)
    data = display.histogram_.get_data()
    np.testing.assert_allclose(data.values, np.histogram(conformity(cloud), data.edges, density=True)[0])
    assert (data.values * np.diff(data.edges)).sum() == pytest.approx(1)
    assert display.mean_.get_xdata()[0] == pytest.approx(average_cosine(cloud))
    assert display.histogram_.get_label() == f"this cloud: mean {average_cosine(cloud):.3f}"
    assert display.isotropic_.get_xdata()[0] == 0


def test_rows_conform_to_a_reference(cloud):
    display = ConformityDisplay.from_embedding(cloud[:30], cloud[30:])
    np.testing.assert_allclose(display.conformity, conformity(cloud[:30], cloud[30:]))


def test_a_second_cloud_differs_without_colour(cloud):
    first = ConformityDisplay.from_embedding(cloud, name="raw")
    white = Whitening().fit(cloud)
    second = ConformityDisplay.from_estimator(white, cloud, name="white", ax=first.ax_)
    assert second.isotropic_ is None
    assert first.histogram_.get_hatch() != second.histogram_.get_hatch()
    np.testing.assert_allclose(second.conformity, conformity(white.transform(cloud)))


@pytest.mark.parametrize("values", [[1.5], [np.nan], [], [[0.1]]])
def test_what_are_no_mean_cosines_is_refused(values):
    with pytest.raises(ValueError, match="conformity"):
        ConformityDisplay(values)


@pytest.mark.parametrize(
    "X",
    [np.ones((5, 3)), np.outer(np.arange(1, 30), [1 / 3, 2 / 7, 3.1]), [[1, 0.3], [0.7, 2]]],
    ids=["equal rows", "one direction", "two rows"],
)
def test_rows_that_conform_up_to_rounding_are_drawn_too(X):
    display = ConformityDisplay.from_embedding(X)
    assert display.mean_.get_xdata()[0] == pytest.approx(display.conformity[0])
    heights, edges, _ = display.histogram_.get_data()
    assert (heights * np.diff(edges)).sum() == pytest.approx(1)
