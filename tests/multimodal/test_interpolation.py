"""Paths along arcs: reference values, geometry, limits, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial import geometric_slerp

from skgeom.multimodal import slerp, vslerp

X, Y, MEAN = np.array([1.0, 2.0, 2.0]), np.array([2.0, -1.0, 2.0]), np.array([0.5, 0.5, 0.5])


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def test_slerp_and_vslerp_have_the_reference_values():
    expected = [1.5127836022557157, 1.200684099759011, 2.2956139626104632]
    np.testing.assert_allclose(slerp(X, Y, 0.3), expected, rtol=1e-12)
    np.testing.assert_allclose(vslerp(X, Y, 0.3, MEAN), [1.55903, 1.14600, 2.41154], atol=5e-6)


@given(arrays(float, (2, 5), elements=st.floats(-3, 3)), st.floats(0, 1))
def test_slerp_of_unit_vectors_is_the_one_of_scipy(ends, t):
    if np.linalg.norm(ends, axis=1).min() < 1e-3:
        return
    x, y = unit(ends)
    if np.linalg.norm(x + y) < 1e-3:
        return
    np.testing.assert_allclose(slerp(x, y, t), geometric_slerp(x, y, [t])[0], atol=1e-7)
    assert np.linalg.norm(slerp(x, y, t)) == pytest.approx(1, abs=1e-12)


def test_angles_grow_in_proportion_to_t():
    x, y = unit(X), unit(Y)
    path = slerp(x, y, np.linspace(0, 1, 6))
    angles = np.arccos(np.clip(np.sum(path[1:] * path[:-1], axis=1), -1, 1))
    np.testing.assert_allclose(angles, np.arccos(x @ y) / 5, rtol=1e-12)


def test_ends_are_the_vectors_themselves():
    np.testing.assert_allclose(slerp(X, 5 * Y, [0, 1]), [X, 5 * Y], atol=1e-15)
    np.testing.assert_allclose(vslerp(X, 5 * Y, [0, 1], MEAN, 2.0), [X, 5 * Y], atol=1e-14)


def test_rows_numbers_and_lists_of_t_have_the_documented_shapes():
    rows, others = np.random.default_rng(0).normal(size=(2, 7, 3))
    assert slerp(X, Y, 0.5).shape == (3,)
    assert slerp(X, Y, [0.5]).shape == (1, 3)
    assert slerp(rows, others, 0.5).shape == (7, 3)
    found = slerp(rows, others, [0.2, 0.5])
    assert found.shape == (2, 7, 3)
    np.testing.assert_allclose(found[1, 4], slerp(rows[4], others[4], 0.5), rtol=1e-14)
    np.testing.assert_allclose(slerp([1, 0], [0, 1], 0.5), [0.5**0.5] * 2)


def test_vslerp_keeps_the_distance_to_the_centre():
    x, y = MEAN + 2 * unit(X), MEAN + 2 * unit(Y)
    path = vslerp(x, y, np.linspace(0, 1, 7), MEAN)
    np.testing.assert_allclose(np.linalg.norm(path - MEAN, axis=1), 2, rtol=1e-14)
    plain = slerp(x, y, 0.5)
    assert abs(np.linalg.norm(plain - MEAN) - 2) > 0.01


def test_vslerp_without_mean_or_with_alpha_zero_is_slerp():
    np.testing.assert_array_equal(vslerp(X, Y, 0.3, None), slerp(X, Y, 0.3))
    np.testing.assert_array_equal(vslerp(X, Y, 0.3, MEAN, 0), slerp(X, Y, 0.3))


def test_several_alphas_give_one_path_each():
    rows, others = np.random.default_rng(0).normal(size=(2, 7, 3))
    shares, steps = [-1.0, 0.0, 0.5, 2.0], [0.2, 0.7]
    found = vslerp(rows, others, steps, MEAN, shares)
    assert found.shape == (4, 2, 7, 3)
    np.testing.assert_array_equal(found, [vslerp(rows, others, steps, MEAN, share) for share in shares])
    np.testing.assert_array_equal(vslerp(rows, others, 0.7, MEAN, shares), found[:, 1])
    np.testing.assert_allclose(vslerp(rows[2], others[2], steps, MEAN, shares), found[:, :, 2], rtol=1e-14)
    assert vslerp(X, Y, 0.5, MEAN, [1.0]).shape == (1, 3)


@pytest.mark.parametrize("factor", [1.0, 2.0, 1e6])
def test_parallel_vectors_are_joined_by_a_line(factor):
    np.testing.assert_allclose(slerp(X, factor * X, 0.25), 0.75 * X + 0.25 * factor * X, rtol=1e-14)


@pytest.mark.parametrize("angle", [1e-2, 1e-8, 1e-15, 1e-200])
def test_nearly_parallel_vectors_lose_no_digits(angle):
    x, y = np.array([1.0, 0.0]), np.array([np.cos(angle), np.sin(angle)])
    np.testing.assert_allclose(slerp(x, y, 0.5), [np.cos(angle / 2), np.sin(angle / 2)], rtol=1e-14)


@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30, 1e150])
def test_paths_scale_with_their_ends(scale):
    np.testing.assert_allclose(slerp(X * scale, Y * scale, 0.3), slerp(X, Y, 0.3) * scale, rtol=1e-13)


def test_single_precision_comes_back_in_single_precision():
    found = vslerp(X.astype(np.float32), Y.astype(np.float32), [0.3, 0.6], MEAN)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, vslerp(X, Y, [0.3, 0.6], MEAN), rtol=1e-6)


@pytest.mark.parametrize("y", [-X, -7 * X, -X + [1e-9, 0, 0]])
def test_opposite_vectors_are_refused(y):
    with pytest.raises(ValueError, match=r"opposite directions.*no arc between them is the shortest"):
        slerp(X, y, 0.5)


def test_unfit_ends_are_refused():
    with pytest.raises(ValueError, match="x has 1 zero row"):
        slerp(np.zeros(3), Y, 0.5)
    with pytest.raises(ValueError, match="y seen from 1 · mean has 1 zero row"):
        vslerp(X, MEAN, 0.5, MEAN)
    with pytest.raises(ValueError, match="x has 3 features and y has 2"):
        slerp(X, Y[:2], 0.5)
    with pytest.raises(ValueError, match="x has 2 rows and y has 1"):
        slerp(np.stack([X, Y]), Y, 0.5)
    with pytest.raises(ValueError, match="Input y contains NaN"):
        slerp(X, Y * np.nan, 0.5)
    with pytest.raises(ValueError, match="x has 3 features and mean has 2"):
        vslerp(X, Y, 0.5, MEAN[:2])
    with pytest.raises(ValueError, match="mean has 2 rows, expected one vector"):
        vslerp(X, Y, 0.5, np.stack([X, Y]))


@pytest.mark.parametrize(
    ("t", "error"), [(np.nan, ValueError), ("half", TypeError), ([[0.5]], ValueError), ([], ValueError)]
)
def test_steps_that_are_no_numbers_are_refused(t, error):
    with pytest.raises(error, match=r"t (must be a|is empty)"):
        slerp(X, Y, t)
    with pytest.raises(TypeError, match="alpha must be a number"):
        vslerp(X, Y, 0.5, MEAN, "1")
    with pytest.raises(ValueError, match="alpha must be a finite number"):
        vslerp(X, Y, 0.5, MEAN, [0.0, np.nan])
    with pytest.raises(ValueError, match=r"y seen from 0.5 · mean has 1 zero row"):
        vslerp(X, MEAN / 2, 0.5, MEAN, [0.0, 0.5])


@pytest.mark.parametrize("gap", [1e-2, 1e-4, 2e-6])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_unit_vectors_in_nearly_opposite_directions_are_joined_on_the_sphere(gap, dtype):
    gap = max(gap, 1e-4) if dtype == "float32" else gap
    u, w = np.linalg.qr(np.random.default_rng(0).normal(size=(9, 2)))[0].T
    x, y = u.astype(dtype), (np.sin(gap) * w - np.cos(gap) * u).astype(dtype)
    np.testing.assert_allclose(np.linalg.norm(slerp(x, y, [0.1, 0.5, 0.9]), axis=1), 1, rtol=4 * np.finfo(dtype).eps)
