"""SpaceDisplay: the plane, the origin, the means."""

import numpy as np
import pytest

from skgeom.inspection import SpaceDisplay
from skgeom.preprocessing import Whitening


@pytest.fixture
def clouds():
    rng = np.random.default_rng(0)
    return rng.normal(size=(50, 6)) + 3, rng.normal(size=(40, 6)) + [3, 3, 3, -3, -3, -3]


def points(display):
    return [np.asarray(dots.get_offsets()) for dots in display.points_]


def test_the_axes_are_the_first_singular_directions_of_all_rows(clouds):
    display = SpaceDisplay.from_embedding(*clouds)
    u, s, _ = np.linalg.svd(np.concatenate(clouds), full_matrices=False)
    np.testing.assert_allclose(np.abs(np.concatenate(points(display))), np.abs(u[:, :2] * s[:2]), atol=1e-9)
    np.testing.assert_allclose(display.shares, s[:2] ** 2 / (s**2).sum())
    np.testing.assert_array_equal(display.origin_.get_xydata(), [[0, 0]])
    assert display.ax_.get_xlabel() == f"direction 1: {100 * display.shares[0]:.0f} % of the squared length"


def test_centred_the_plane_is_that_of_the_variance_and_the_origin_is_off_it(clouds):
    X = clouds[0]
    display = SpaceDisplay.from_embedding(X, center=True)
    u, s, directions = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(np.abs(points(display)[0]), np.abs(u[:, :2] * s[:2]), atol=1e-9)
    np.testing.assert_allclose(np.abs(display.origin), np.abs(directions[:2] @ X.mean(axis=0)), atol=1e-9)
    np.testing.assert_allclose(display.means_[0].get_xydata(), [[0, 0]], atol=1e-9)
    assert display.ax_.get_xlabel().endswith("of the variance")


def test_the_origin_is_as_far_from_the_rows_as_in_the_space():
    X = np.random.default_rng(0).normal(size=(20, 2)) + 5
    display = SpaceDisplay.from_embedding(X, center=True)
    distances = np.linalg.norm(points(display)[0] - display.origin, axis=1)
    np.testing.assert_allclose(distances, np.linalg.norm(X, axis=1))


def test_arrows_lead_from_the_origin_to_the_means_and_the_gap_lies_between_them(clouds):
    display = SpaceDisplay.from_embedding(*clouds)
    means = [cloud.mean(axis=0) for cloud in points(display)]
    for arrow, dot, mean in zip(display.arrows_, display.means_, means, strict=True):
        np.testing.assert_allclose(arrow.xy, mean)
        np.testing.assert_allclose(arrow.xyann, display.origin)
        np.testing.assert_allclose(dot.get_xydata(), [mean])
    np.testing.assert_allclose(display.gap_.get_xydata(), means)
    assert SpaceDisplay.from_embedding(clouds[0]).gap_ is None


def test_unit_rows_are_inside_the_circle(clouds):
    display = SpaceDisplay.from_embedding(*clouds, normalize=True)
    assert display.circle_.radius == 1
    assert np.linalg.norm(np.concatenate(points(display)), axis=1).max() <= 1
    centred = SpaceDisplay.from_embedding(*clouds, normalize=True, center=True)
    assert centred.circle_ is None


def test_two_clouds_differ_without_colour(clouds):
    first, second = SpaceDisplay.from_embedding(*clouds, names=["images", "captions"]).points_
    assert first.get_facecolors().size
    assert not second.get_facecolors().size
    assert first.get_paths()[0].vertices.shape != second.get_paths()[0].vertices.shape
    assert [one.get_label() for one in (first, second)] == ["images", "captions"]


def test_an_estimator_draws_what_it_makes(clouds):
    white = Whitening().fit(clouds[0])
    display = SpaceDisplay.from_estimator(white, clouds[0], center=True)
    assert display.shares == pytest.approx([1 / 6, 1 / 6])


def test_tensors_are_drawn_as_arrays_are(clouds):
    torch = pytest.importorskip("torch")
    expected = SpaceDisplay.from_embedding(*clouds)
    tensors = [torch.tensor(cloud, requires_grad=True) for cloud in clouds]
    np.testing.assert_allclose(points(SpaceDisplay.from_embedding(*tensors))[0], points(expected)[0], atol=1e-9)


def test_what_has_no_plane_is_refused(clouds):
    with pytest.raises(ValueError, match="at least 2"):
        SpaceDisplay.from_embedding(np.arange(5.0)[:, None])
    with pytest.raises(ValueError, match="no spread"):
        SpaceDisplay.from_embedding(np.ones((5, 3)), center=True)
    with pytest.raises(ValueError, match="both must be in the same space"):
        SpaceDisplay.from_embedding(clouds[0], clouds[1][:, :4])
    with pytest.raises(ValueError, match="zero row"):
        SpaceDisplay.from_embedding(np.zeros((5, 3)), normalize=True)
    with pytest.raises(ValueError, match="squares leave the range"):
        SpaceDisplay.from_embedding(1e200 * clouds[0])
    with pytest.raises(TypeError, match="center must be True or False"):
        SpaceDisplay.from_embedding(clouds[0], center="yes")


@pytest.mark.parametrize(
    ("clouds", "message"),
    [
        ([], "one or two clouds, got 0"),
        ([np.ones((3, 3))], r"must have shape \(n, 2\), got \(3, 3\)"),
        ([np.full((3, 2), np.nan)], "NaN or infinity"),
    ],
)
def test_what_is_no_cloud_in_a_plane_is_refused(clouds, message):
    with pytest.raises(ValueError, match=message):
        SpaceDisplay(clouds, shares=[0.5, 0.5])


def test_names_are_one_for_each_cloud():
    with pytest.raises(ValueError, match="2 names for 1 clouds"):
        SpaceDisplay([np.ones((3, 2))], shares=[0.5, 0.5], names=["a", "b"])
