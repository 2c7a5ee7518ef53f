"""TangentSpace: maps and means of the sphere and the ball, beside naive distances and a general minimiser."""

from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from skgeom._array import to_numpy
from skgeom.metrics import collapse_bound, isoscore
from skgeom.preprocessing import TangentSpace

RNG = np.random.default_rng(0)
DIRECTIONS = RNG.normal(size=(80, 5)) + [2, 0, 1, 0, 0]
BALL = 0.95 * (DIRECTIONS / (1 + np.linalg.norm(DIRECTIONS, axis=1, keepdims=True)))
CLOUDS = {"sphere": DIRECTIONS, "poincare": BALL}
BOTH = pytest.mark.parametrize("geometry", CLOUDS)


def distance(geometry, x, y):
    if geometry == "sphere":
        u, v = (z / np.linalg.norm(z, axis=-1, keepdims=True) for z in (x, y))
        return 2 * np.arctan2(np.linalg.norm(u - v, axis=-1), np.linalg.norm(u + v, axis=-1))
    inside = (1 - (x**2).sum(-1)) * (1 - (y**2).sum(-1))
    return 2 * np.arcsinh(np.linalg.norm(x - y, axis=-1) / np.sqrt(inside))


def moved(geometry, x):
    """Return points under an isometry: a rotation, and in the ball a Möbius sum before."""
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(5, 5)))[0]
    if geometry == "sphere":
        return x @ turn
    a = np.array([0.3, -0.2, 0.1, 0.4, 0.0])
    ax, xx, aa = (x @ a)[:, None], (x**2).sum(1, keepdims=True), a @ a
    return (((1 + 2 * ax + xx) * a + (1 - aa) * x) / (1 + 2 * ax + aa * xx)) @ turn


@BOTH
def test_lengths_are_distances_to_the_mean_and_the_way_back_is_exact(geometry, backend):
    x = CLOUDS[geometry]
    fitted = TangentSpace(geometry).fit(backend.asarray(x))
    z = fitted.transform(backend.asarray(x))
    mean = to_numpy(fitted.mean_)
    assert_allclose(np.linalg.norm(to_numpy(z), axis=1), distance(geometry, x, mean), atol=1e-12)
    points = x / np.linalg.norm(x, axis=1, keepdims=True) if geometry == "sphere" else x
    assert_allclose(to_numpy(fitted.inverse_transform(z)), points, atol=1e-12)
    basis = to_numpy(fitted.basis_)
    assert_allclose(basis @ basis.T, np.eye(len(basis)), atol=1e-14)
    if geometry == "sphere":
        assert_allclose(basis @ mean, 0, atol=1e-14)


@BOTH
def test_the_mean_has_the_least_squared_distances(geometry):
    x = CLOUDS[geometry]
    fitted = TangentSpace(geometry).fit(x)
    assert_allclose(fitted.transform(x).mean(axis=0), 0, atol=1e-12)

    def spread(point):
        return np.mean(distance(geometry, x, point) ** 2) if geometry == "sphere" or point @ point < 1 else np.inf

    found = minimize(
        spread, x.mean(axis=0), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-14, "maxiter": 4000}
    )
    assert spread(fitted.mean_) <= found.fun + 1e-10


@BOTH
def test_isometries_change_nothing_but_the_basis(geometry):
    x = CLOUDS[geometry]
    z, other = (TangentSpace(geometry).fit_transform(points) for points in (x, moved(geometry, x)))
    assert_allclose(other @ other.T, z @ z.T, atol=1e-10)
    assert isoscore(other) == pytest.approx(isoscore(z), abs=1e-10)
    if geometry == "poincare":
        assert abs(isoscore(moved(geometry, x)) - isoscore(x)) > 0.01


def flat(geometry, x):
    return x if geometry == "euclidean" else TangentSpace(geometry).fit_transform(x)


@pytest.mark.parametrize(("geometry", "m"), [("sphere", 5), ("poincare", 6), ("euclidean", 6)])
def test_collapsed_classes_keep_the_bound_in_the_dimension_of_the_space(geometry, m):
    excess = []
    for seed in range(1000):
        rng = np.random.default_rng(seed)
        k = int(rng.integers(2, 9))
        places = rng.normal(size=(k, 6)) + [2, 0, 0, 0, 0, 0]
        places *= 0.9 * rng.uniform(size=(k, 1)) / np.linalg.norm(places, axis=1, keepdims=True)
        x = places[np.r_[np.arange(k), rng.integers(0, k, 40)]]
        excess.append(isoscore(flat(geometry, x)) - collapse_bound(k, m))
    assert max(excess) <= 1e-12


@BOTH
@pytest.mark.parametrize("k", [2, 4, 6])
def test_a_regular_simplex_at_the_mean_attains_the_bound(geometry, k):
    at = TangentSpace(geometry, reference=np.full(6, 0.3)).fit(np.eye(6) / 2)
    assert_allclose(at.mean_, 0.3 if geometry == "poincare" else 6**-0.5)
    assert at.n_iter_ == 0
    m = at.basis_.shape[0]
    corners = np.linalg.svd(np.eye(k) - 1 / k)[0][:, : k - 1] @ np.eye(k - 1, m)
    z = TangentSpace(geometry).fit_transform(at.inverse_transform(corners))
    assert isoscore(z) == pytest.approx(collapse_bound(k, m), abs=1e-12)


@BOTH
def test_float32_and_blocks_follow_float64(geometry):
    x = np.repeat(CLOUDS[geometry], 3000, axis=0)
    fitted = TangentSpace(geometry).fit(CLOUDS[geometry])
    z = fitted.transform(x.astype(np.float32))
    assert z.dtype == np.float32
    assert_allclose(z, fitted.transform(x), atol=2e-5)
    out = np.empty_like(z)
    assert fitted.transform_into(x.astype(np.float32), out) is out
    np.testing.assert_array_equal(out, z)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_lengths_of_directions_do_not_matter(scale):
    assert_allclose(
        TangentSpace().fit_transform(DIRECTIONS * scale), TangentSpace().fit_transform(DIRECTIONS), atol=1e-12
    )


def test_directions_that_cancel_have_no_mean_and_a_warning():
    x = RNG.normal(size=(2000, 5))
    with pytest.warns(UserWarning, match="poorly determined"):
        TangentSpace().fit(x - x.mean(axis=0))
    with pytest.warns(UserWarning, match="poorly determined"):
        TangentSpace().fit(np.eye(2) - 0.5)


def exact_distances(x, mean):
    """Return the distances in the ball, with 1 - ‖x‖² of the given floats in exact arithmetic."""
    inside = np.array([float(1 - sum(Fraction(v) ** 2 for v in row)) for row in [*x, mean]])
    return 2 * np.arcsinh(np.linalg.norm(x - mean, axis=1) / np.sqrt(inside[:-1] * inside[-1]))


@pytest.mark.parametrize(("gap", "tolerance"), [(1e-6, 1e-9), (1e-9, 1e-6), (1e-12, 1e-3), (1e-15, 0.5)])
def test_points_near_the_border_of_the_ball_have_finite_lengths_that_are_their_distances(gap, tolerance):
    x = RNG.normal(size=(500, 5))
    x *= (1 - gap) / np.linalg.norm(x, axis=1, keepdims=True)
    at = np.array([0.9, 0.3, 0.2, 0.0, 0.0])
    z = TangentSpace("poincare", reference=at).fit(BALL).transform(x)
    assert_allclose(np.linalg.norm(z, axis=1), exact_distances(x, at), atol=tolerance)


def test_rows_at_the_border_of_the_ball_have_a_mean():
    near = DIRECTIONS / np.linalg.norm(DIRECTIONS, axis=1, keepdims=True)
    x = (1 - 1e-12) * near
    assert_allclose(TangentSpace("poincare").fit_transform(x).mean(axis=0), 0, atol=1e-9)


def at_one_place_of_the_border(gap):
    x = np.random.default_rng(0).normal(size=(20, 2)) + [1e7, 0]
    return (1 - gap) * x / np.linalg.norm(x, axis=1, keepdims=True)


def test_a_mean_in_the_ball_that_is_not_reached_is_warned_of_and_one_outside_is_refused():
    with pytest.warns(UserWarning, match="The mean in the ball was not reached"):
        TangentSpace("poincare").fit(at_one_place_of_the_border(1e-6))
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="The mean in the ball was not reached"):
        TangentSpace("poincare").fit(at_one_place_of_the_border(1e-12))


@pytest.mark.parametrize(("dtype", "remedy"), [("float64", "pass shorter rows\\."), ("float32", "or float64\\.")])
def test_tangent_vectors_to_the_border_of_the_ball_are_refused(dtype, remedy):
    fitted = TangentSpace("poincare").fit(BALL)
    longest = 15 if dtype == "float32" else 34
    z = np.eye(5, dtype=dtype)
    assert (np.linalg.norm(fitted.inverse_transform(longest * z).astype(float), axis=1) < 1).all()
    with pytest.raises(ValueError, match=remedy):
        fitted.inverse_transform(3 * longest * z)


@pytest.mark.parametrize(("geometry", "row", "words"), [("sphere", 0.0, "row 39999"), ("poincare", 1.0, "length 2.2")])
def test_a_row_that_is_no_point_is_named_before_anything_is_written(geometry, row, words):
    x = np.tile(CLOUDS[geometry], (500, 1))
    x[-1] = row
    out = np.full((40_000, TangentSpace(geometry).fit_transform(CLOUDS[geometry]).shape[1]), 7.0)
    fitted = TangentSpace(geometry).fit(CLOUDS[geometry])
    with pytest.raises(ValueError, match=words):
        fitted.transform_into(x, out)
    assert (out == 7).all()
    x[-1] = -fitted.mean_
    if geometry == "sphere":
        with pytest.raises(ValueError, match="opposite to the mean"):
            fitted.transform_into(x, out)
        assert (out == 7).all()


@pytest.mark.parametrize(
    ("transformer", "X", "words"),
    [
        (TangentSpace("poincare"), DIRECTIONS, "shorter than 1"),
        (TangentSpace(), np.where(np.arange(80)[:, None] == 3, 0, DIRECTIONS), "zero"),
        (TangentSpace(), DIRECTIONS[:, :1], "feature"),
        (TangentSpace("klein"), DIRECTIONS, "geometry"),
        (TangentSpace(reference="median"), DIRECTIONS, "reference"),
        (TangentSpace(reference=[1.0, 2.0]), DIRECTIONS, "expected \\(5,\\)"),
        (TangentSpace(reference=[0.0] * 5), DIRECTIONS, "not a point"),
        (TangentSpace("poincare", reference=[1.0] + [0.0] * 4), BALL, "not a point"),
    ],
)
def test_what_is_not_of_the_space_is_refused(transformer, X, words):
    with pytest.raises(ValueError, match=words):
        transformer.fit(X)


def test_a_row_opposite_to_the_mean_is_refused():
    fitted = TangentSpace().fit(DIRECTIONS)
    with pytest.raises(ValueError, match="opposite to the mean"):
        fitted.transform(np.stack([DIRECTIONS[0], -3 * fitted.mean_]))
