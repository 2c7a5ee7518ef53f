"""Moments of pairs, against two passes in extended precision: however pairs are cut, weighted, shifted or mapped."""

from functools import reduce

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.random import default_rng
from numpy.testing import assert_allclose, assert_array_equal

from skgeom._array import to_numpy
from skgeom._core.sums import _cross
from skgeom._core.sums._cross import cross_moments, joint_moments, regression_moments

SIZES = st.tuples(st.integers(2, 24), st.integers(1, 9), st.integers(1, 9))
SUMMARIES = [cross_moments, regression_moments, joint_moments]


def pairs(n=50, dx=6, dy=4, seed=0, offset=0.0):
    rng = default_rng(seed)
    x = rng.normal(size=(n, dx)) * np.linspace(2, 0.2, dx) + offset
    return x, rng.normal(size=(n, dy)) + x[:, :1] - offset


def exact(x, y, weights=None):
    """Return the summary by two passes in 80-bit floats."""
    x, y = (np.asarray(a).astype(np.longdouble) for a in (x, y))
    w = np.ones(len(x), np.longdouble) if weights is None else weights.astype(np.longdouble)
    x_mean, y_mean = w @ x / w.sum(), w @ y / w.sum()
    x, y = x - x_mean, y - y_mean
    xx, yy = (x * w[:, None]).T @ x, (y * w[:, None]).T @ y
    return w.sum(), x_mean, y_mean, np.trace(xx), np.trace(yy), (x * w[:, None]).T @ y, xx, yy


def assert_summary(c, expected, rtol=1e-13):
    """Compare each scatter on the scale of its two clouds."""
    n, x_mean, y_mean, x_squares, y_squares, xy, xx, yy = (np.asarray(v, np.float64) for v in expected)
    x_scale, y_scale = np.sqrt(x_squares), np.sqrt(y_squares)
    assert c.n == pytest.approx(float(n), rel=1e-14)
    assert_allclose(to_numpy(c.x_mean), x_mean, rtol=1e-14, atol=rtol * x_scale)
    assert_allclose(to_numpy(c.y_mean), y_mean, rtol=1e-14, atol=rtol * y_scale)
    assert_allclose(to_numpy(c.x_squares), x_squares, rtol=rtol)
    assert_allclose(to_numpy(c.y_squares), y_squares, rtol=rtol)
    assert_allclose(to_numpy(c.xy), xy, rtol=0, atol=rtol * x_scale * y_scale)
    for name, truth, scale in (("xx", xx, x_scale), ("yy", yy, y_scale)):
        if hasattr(c, name):
            assert_allclose(to_numpy(getattr(c, name)), truth, rtol=0, atol=rtol * scale**2)


@settings(max_examples=200)
@given(
    sizes=SIZES,
    seed=st.integers(0, 99),
    offset=st.sampled_from([0, 1e3]),
    summary=st.sampled_from(SUMMARIES),
    data=st.data(),
)
def test_the_parts_of_every_split_merge_into_the_whole(sizes, seed, offset, summary, data):
    x, y = pairs(*sizes, seed, offset)
    cuts = data.draw(st.lists(st.integers(1, sizes[0] - 1), unique=True).map(sorted))
    parts = [summary(a, b) for a, b in zip(np.split(x, cuts), np.split(y, cuts), strict=True)]
    rtol = 1e-12 if offset else 1e-13
    assert_summary(reduce(lambda a, b: a.merge(b), parts), exact(x, y), rtol)
    assert_summary(reduce(lambda a, b: b.merge(a), parts), exact(x, y), rtol)


def test_many_blocks_are_summed_as_one(monkeypatch):
    x, y = pairs(1000, offset=100.0)
    monkeypatch.setattr("skgeom._array.HOST_BLOCK_BYTES", 1)
    monkeypatch.setattr(_cross, "_BLOCK_ROWS", 7)
    assert_summary(joint_moments(x, y), exact(x, y), rtol=1e-12)


@pytest.mark.parametrize("summary", SUMMARIES)
def test_weights_count_pairs(summary):
    x, y = pairs()
    w = default_rng(1).integers(1, 5, size=50).astype(float)
    c = summary(x, y, w)
    assert_summary(c, exact(x, y, w))
    assert_summary(c, exact(np.repeat(x, w.astype(int), axis=0), np.repeat(y, w.astype(int), axis=0)))


def test_float32_pairs_are_summed_in_float64():
    x, y = (a.astype(np.float32) for a in pairs(5000, offset=30.0))
    c = joint_moments(x, y)
    assert c.xy.dtype == np.float64
    assert c.x_digits.spacing == c.y_digits.spacing == np.finfo(np.float32).eps
    assert_summary(c, exact(x, y), rtol=1e-14)


def test_a_map_of_the_first_cloud_is_that_of_its_rows():
    x, y = pairs(300, offset=50.0)
    w, forward = default_rng(1).uniform(0.5, 2, 300), default_rng(2).normal(size=(6, 3))
    mapped = regression_moments(x, y, w, through=forward)
    assert_summary(mapped, exact(x @ forward, y, w), rtol=1e-12)


def test_raw_moments_are_about_the_origin():
    x, y = pairs(offset=2.0)
    c = joint_moments(x, y).about_origin()
    assert_allclose(c.xy, x.T @ y, rtol=1e-12)
    assert_allclose(c.xx, x.T @ x, rtol=1e-12)
    assert_allclose(c.yy, y.T @ y, rtol=1e-12)
    assert_allclose([c.x_squares, c.y_squares], [(x**2).sum(), (y**2).sum()], rtol=1e-12)
    assert not np.any(c.x_mean)
    assert not np.any(c.y_mean)


def test_a_map_to_fewer_dimensions_shortens_the_rows_and_no_other_does():
    x, y = pairs(offset=2.0)
    q = np.linalg.qr(default_rng(1).normal(size=(6, 6)))[0]
    mapped = (x - x.mean(axis=0)) @ q[:, :4]
    assert_allclose(regression_moments(x, y).squares_through(q[:, :4]), np.sum(mapped**2), rtol=1e-12)
    for m in (regression_moments(x, y), cross_moments(x, y)):
        assert m.squares_through(q) == m.x_squares


def test_constant_clouds_have_exactly_no_scatter():
    c = joint_moments(np.full((100, 3), 0.1), np.full((100, 2), 1e9 + 0.1))
    assert not np.any(c.xx)
    assert not np.any(c.yy)
    assert not np.any(c.xy)
    assert_array_equal(c.x_mean, 0.1)


def test_mapping_reaches_every_array_and_nothing_else():
    before = joint_moments(*pairs())
    c = before.map_arrays(lambda a: a + 1)
    assert c.n == before.n
    assert (c.x_digits, c.y_digits) == (before.x_digits, before.y_digits)
    for name in ("x_mean", "y_mean", "x_squares", "y_squares", "xy", "xx", "yy"):
        assert_allclose(getattr(c, name), getattr(before, name) + 1)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_library_sums_alike_and_writes_nothing(backend, dtype, weighted):
    x, y = (a.astype(dtype) for a in pairs(80, offset=3.0))
    w = np.linspace(0.5, 2, 80) if weighted else None
    theirs = [None if a is None else backend.asarray(a) for a in (x, y, w)]
    c = joint_moments(*theirs)
    assert_summary(c, exact(x, y, w), rtol=1e-13)
    assert_array_equal(to_numpy(theirs[0]), x)
    merged = c.merge(joint_moments(*theirs))
    assert_allclose(to_numpy(merged.xy), 2 * to_numpy(c.xy), rtol=1e-12)
