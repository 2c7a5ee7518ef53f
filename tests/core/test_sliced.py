"""Dispersion seen through random circles and points: definitions, POT, invariances, gradients at the edges."""

import math

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_allclose

from skgeom._array import float64, namespace, same_kind, to_numpy
from skgeom._core import _sliced as s
from skgeom._core._rows import norms, unit

TURN = 2 * math.pi


def circle(theta):
    """Return the coordinates of angles in one plane."""
    return np.cos(theta)[None, :], np.sin(theta)[None, :]


def planes(d, m, seed=0):
    """Return m random planes (2, m, d), each spanned by two orthonormal vectors."""
    return np.linalg.qr(default_rng(seed).normal(size=(m, d, 2)))[0].transpose(2, 0, 1)


def naive_sliced(theta):
    """Return ½ Σ (θ - θ*)², rank by rank."""
    n, mean = len(theta), np.mean(theta)
    ordered = sorted(theta)
    return sum((angle - mean + math.pi * (n + 1) / n - TURN * k / n) ** 2 / 2 for k, angle in enumerate(ordered, 1))


def naive_lloyd(x, points):
    """Return the mean of the least squared angles, pair by pair."""
    u, v = unit(x), unit(points)
    angles = 2 * np.arctan2(norms2(v[:, None] - u), norms2(v[:, None] + u))
    return np.mean(np.min(angles, axis=1) ** 2)


def norms2(x):
    return np.linalg.norm(x, axis=-1)


def lloyd(x, points):
    return namespace(x).mean(s.least_angles(float64(points), x, norms(x)))


def quantisation_error(x, points):
    return namespace(x).mean(s.least_distances(points, x))


def like(values, x):
    return x.new_tensor(values) if hasattr(x, "new_tensor") else values


LOSSES = {
    "sliced": lambda x: s.sliced_dispersion(*s.on_planes(x, like(planes(4, 3), x))),
    "axes": lambda x: s.sliced_dispersion(x.T[[0, 1, 3]], x.T[[2, 3, 0]]),
    "wasserstein": lambda x: s.spherical_sliced_wasserstein(*s.on_planes(x, like(planes(4, 3), x))),
    "lloyd": lambda x: lloyd(x, like(default_rng(1).normal(size=(40, 4)), x)),
    "quantisation": lambda x: quantisation_error(x, like(default_rng(1).normal(size=(40, 4)), x)),
}
every_loss = pytest.mark.parametrize("name", LOSSES)


# Values


def test_the_dispersion_of_a_circle_is_its_reference():
    theta = default_rng(10).uniform(-np.pi, np.pi, 50)
    assert_allclose(s.sliced_dispersion(*circle(theta)), 1.1371830741355657, rtol=1e-12)


@pytest.mark.parametrize("n", [2, 3, 20])
def test_the_dispersion_of_a_circle_is_its_definition(n):
    theta = default_rng(n).uniform(-np.pi, np.pi, n)
    assert_allclose(s.sliced_dispersion(*circle(theta)), naive_sliced(theta), rtol=1e-12)


def test_circles_are_averaged():
    x, p = default_rng(0).normal(size=(30, 4)), planes(4, 5)
    alone = [s.sliced_dispersion(*s.on_planes(x, p[:, k : k + 1, :])) for k in range(5)]
    assert_allclose(s.sliced_dispersion(*s.on_planes(x, p)), np.mean(alone), rtol=1e-12)


def test_even_spacing_is_the_least_and_one_point_the_most():
    even = TURN * np.arange(12) / 12 + 0.3
    assert_allclose(s.sliced_dispersion(*circle(even)), 0, atol=1e-28)
    assert_allclose(s.spherical_sliced_wasserstein(*circle(even)), 1 / (12 * 12**2), rtol=1e-12)
    assert_allclose(s.spherical_sliced_wasserstein(*circle(0 * even)), 1 / 12, rtol=1e-12)


@pytest.mark.parametrize("turn", [0.1, 1.0, 3.0, math.pi])
def test_the_dispersion_does_not_depend_on_where_the_circle_is_cut(turn):
    theta = default_rng(0).vonmises(0.5, 1.0, 40)
    assert_allclose(s.sliced_dispersion(*circle(theta + turn)), s.sliced_dispersion(*circle(theta)), rtol=1e-11)
    assert_allclose(s.sliced_dispersion(*circle(-theta)), s.sliced_dispersion(*circle(theta)), rtol=1e-11)


def test_the_length_of_a_row_does_not_matter():
    x, p = default_rng(0).normal(size=(30, 4)), planes(4, 5)
    long = x * np.geomspace(1e-3, 1e3, 30)[:, None]
    assert_allclose(s.sliced_dispersion(*s.on_planes(long, p)), s.sliced_dispersion(*s.on_planes(x, p)), rtol=1e-11)


def test_the_wasserstein_distance_is_that_of_pot():
    ot = pytest.importorskip("ot")
    x = unit(default_rng(0).normal(size=(60, 5)) + 0.5)
    p = planes(5, 40)
    found = s.spherical_sliced_wasserstein(*s.on_planes(x, p))
    expected = ot.sliced_wasserstein_sphere_unif(x, n_projections=40, projections=p.transpose(1, 2, 0)) ** 2
    assert_allclose(found, expected, rtol=1e-10)


def test_the_two_distances_are_one_number():
    n, coordinates = 30, s.on_planes(default_rng(0).normal(size=(30, 4)), planes(4, 5))
    wasserstein = s.spherical_sliced_wasserstein(*coordinates)
    assert_allclose(s.sliced_dispersion(*coordinates), n / 2 * TURN**2 * (wasserstein - 1 / (12 * n**2)), rtol=1e-11)


def test_planes_of_two_axes_need_no_projection():
    x, d = default_rng(0).normal(size=(30, 4)), 4
    first, second = np.array([0, 3]), np.array([2, 1])
    p = np.stack([np.eye(d)[first], np.eye(d)[second]])
    assert_allclose(s.on_axes(x, first, second), s.on_planes(x, p), atol=1e-15)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_quantisation_error_is_a_mean_of_least_angles(dtype):
    x, points = default_rng(0).normal(size=(25, 4)).astype(dtype), default_rng(1).normal(size=(200, 4))
    assert_allclose(lloyd(x, points), naive_lloyd(x.astype(float), points), rtol=1e-6 if dtype == "float32" else 1e-12)


def test_the_quantisation_error_of_one_axis_is_known():
    """Points uniform on a circle have angles uniform in (0, π/2) to the nearer end of an axis: π²/12 on average."""
    angles = (np.arange(400) + 0.5) * TURN / 400
    found = lloyd(np.array([[1.0, 0.0], [-2.0, 0.0]]), np.stack([np.cos(angles), np.sin(angles)], axis=1))
    assert_allclose(found, math.pi**2 / 12, rtol=1e-4)


def test_the_quantisation_error_does_not_depend_on_the_blocks(monkeypatch):
    x, points = default_rng(0).normal(size=(25, 4)), default_rng(1).normal(size=(200, 4))
    monkeypatch.setattr("skgeom._array.HOST_BLOCK_BYTES", 8 * 25 * 7)
    assert_allclose(lloyd(x, points), naive_lloyd(x, points), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("offset", [0.0, 1e5])
def test_the_quantisation_error_of_another_domain_is_a_mean_of_least_squared_distances(monkeypatch, offset, dtype):
    x, points = default_rng(0).random((25, 4)).astype(dtype), default_rng(1).random((200, 4))
    x, points = x + x.dtype.type(offset), points + offset
    expected = np.min(norms2(points[:, None] - x.astype(float)) ** 2, axis=1).mean()
    assert_allclose(quantisation_error(x, points), expected, rtol=1e-9)
    monkeypatch.setattr("skgeom._array.HOST_BLOCK_BYTES", 8 * 25 * 7)
    assert_allclose(quantisation_error(x, points), expected, rtol=1e-9)


@pytest.mark.parametrize(("dtype", "rtol"), [("float32", 1e-5), ("float64", 1e-12)])
def test_every_library_gives_one_answer(backend, dtype, rtol):
    x, points, p = default_rng(0).normal(size=(25, 4)), default_rng(1).normal(size=(200, 4)), planes(4, 3)
    rows, given = backend.asarray(x, dtype), backend.asarray(p, dtype)
    axes = backend.asarray([0, 3]), backend.asarray([2, 1])
    found = {
        "lloyd": lloyd(rows, backend.asarray(points)),
        "quantisation": quantisation_error(rows, backend.asarray(points)),
        "sliced": s.sliced_dispersion(*s.on_planes(rows, given)),
        "wasserstein": s.spherical_sliced_wasserstein(*s.on_planes(rows, given)),
        "axes": s.sliced_dispersion(*s.on_axes(rows, *axes)),
    }
    expected = {
        "lloyd": lloyd(x, points),
        "quantisation": quantisation_error(x, points),
        "sliced": s.sliced_dispersion(*s.on_planes(x, p)),
        "wasserstein": s.spherical_sliced_wasserstein(*s.on_planes(x, p)),
        "axes": s.sliced_dispersion(*s.on_axes(x, np.array([0, 3]), np.array([2, 1]))),
    }
    for name, value in found.items():
        assert same_kind(value, rows)
        assert_allclose(to_numpy(value), expected[name], rtol=rtol, err_msg=name)


# Gradients


def central_differences(f, x, step=1e-6):
    gradient = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        for sign in (1, -1):
            moved = x.copy()
            moved[index] += sign * step
            gradient[index] += sign * float(f(moved)) / (2 * step)
    return gradient


def gradient_of(f, x, dtype="float64"):
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(x, dtype=getattr(torch, dtype), requires_grad=True)
    f(tensor).backward()
    return tensor.grad.numpy()


@every_loss
def test_gradients_are_finite_differences(name):
    x = default_rng(0).normal(size=(12, 4))
    assert_allclose(gradient_of(LOSSES[name], x), central_differences(LOSSES[name], x), rtol=1e-5, atol=1e-8)


@every_loss
def test_float32_gradients_are_those_of_float64(name):
    x = default_rng(0).normal(size=(40, 4))
    expected = gradient_of(LOSSES[name], x)
    assert_allclose(gradient_of(LOSSES[name], x, "float32"), expected, atol=1e-4 * np.abs(expected).max())


@every_loss
@pytest.mark.parametrize("kind", ["twins", "antipodes", "all equal", "on axes", "on the points"])
def test_gradients_are_finite_where_rows_touch_or_have_no_angle(name, kind):
    x = default_rng(0).normal(size=(10, 4))
    x = {
        "twins": np.vstack([x[:5]] * 2),
        "antipodes": np.vstack([x[:5], -x[:5]]),
        "all equal": x[:1] + 0 * x,
        "on axes": np.eye(4)[np.arange(10) % 4],
        "on the points": default_rng(1).normal(size=(40, 4))[:10],
    }[kind]
    for dtype in ("float32", "float64"):
        assert np.isfinite(gradient_of(LOSSES[name], x, dtype)).all()


def test_rows_of_one_direction_move_apart():
    x = np.array([[1.0, 0.2]] * 5)
    gradient = gradient_of(lambda x: s.sliced_dispersion(x.T[:1], x.T[1:]), x)
    assert len({tuple(row) for row in gradient}) == 5


def test_a_row_at_the_centre_of_the_circle_stays():
    x = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 1.0], [0.3, 1.0, 0.0]])
    gradient = gradient_of(lambda x: s.sliced_dispersion(x.T[:1], x.T[1:2]), x)
    assert (gradient[0] == 0).all()
    assert (gradient[1:] != 0).any()


@pytest.mark.parametrize("gap", [1e-3, 1e-6])
def test_the_pull_of_a_near_point_is_its_angle(gap):
    """The reference code clamps the cosine, and has no gradient within 4.5e-4 of a point."""
    torch = pytest.importorskip("torch")
    points = torch.tensor([[math.cos(gap), math.sin(gap)]], dtype=torch.float64)
    gradient = gradient_of(lambda x: lloyd(x, points), np.array([[1.0, 0.0]]))
    assert_allclose(gradient, [[0.0, -2 * gap]], rtol=1e-6, atol=1e-12)


def test_only_the_nearest_row_of_a_point_is_pulled():
    torch = pytest.importorskip("torch")
    points = torch.tensor([[1.0, 0.1]], dtype=torch.float64)
    gradient = gradient_of(lambda x: lloyd(x, points), np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]))
    assert (gradient[0] != 0).any()
    assert (gradient[1:] == 0).all()
