"""SphereDisplay: nearest neighbours on the sphere, by chance and at best."""

import numpy as np
import pytest

from skgeom.inspection import SphereDisplay
from skgeom.metrics import min_angle
from skgeom.optim import SphereDispersion, tammes_bound


def test_the_curve_counts_the_angles_to_the_nearest_neighbours():
    X = np.random.default_rng(0).normal(size=(30, 4))
    display = SphereDisplay.from_embedding(X)
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    angles = np.degrees(np.arccos(np.clip(unit @ unit.T, -1, 1)))
    np.fill_diagonal(angles, 180)
    np.testing.assert_allclose(display.line_.get_xdata(), np.sort(angles.min(axis=1)), rtol=1e-9)
    np.testing.assert_allclose(display.line_.get_ydata(), np.arange(1, 31) / 30)
    assert display.angles.min() == pytest.approx(np.degrees(min_angle(X)))
    assert display.bound_.get_xdata()[0] == pytest.approx(np.degrees(tammes_bound(30, 4)))


@pytest.mark.parametrize(("n", "d"), [(20, 3), (200, 2), (500, 3), (300, 20)])
def test_the_null_is_what_uniform_directions_have(n, d):
    rng = np.random.default_rng(0)
    first = SphereDisplay.from_embedding(rng.normal(size=(n, d)))
    clouds = rng.normal(size=(2000 // n, n, d))
    found = [SphereDisplay.from_embedding(cloud, ax=first.ax_).angles for cloud in clouds]
    angles = np.sort(np.concatenate(found))
    expected = np.interp(angles, *first.uniform_.get_data())
    assert np.abs(expected - np.arange(1, angles.size + 1) / angles.size).max() < 0.05


def test_spread_points_are_near_the_bound_on_the_axes_of_the_first():
    X = np.random.default_rng(0).normal(size=(12, 3))
    first = SphereDisplay.from_embedding(X, name="random")
    spread = SphereDispersion(max_iter=100, random_state=0).fit(X)
    second = SphereDisplay.from_estimator(spread, X, name="spread", ax=first.ax_)
    assert second.uniform_ is second.bound_ is None
    np.testing.assert_allclose(second.angles, first.bound_.get_xdata()[0], rtol=1e-6)
    assert first.line_.get_linestyle() != second.line_.get_linestyle()


@pytest.mark.parametrize("angles", [[10.0], [10, 200], [-1, 5]])
def test_what_are_no_angles_is_refused(angles):
    with pytest.raises(ValueError, match="at least two, from 0 to 180 degrees"):
        SphereDisplay(angles, n_features=3)


def test_one_dimension_has_no_sphere():
    with pytest.raises(ValueError, match="n_features must be at least 2"):
        SphereDisplay.from_embedding(np.arange(1.0, 5)[:, None])
