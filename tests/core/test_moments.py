"""Moments, against two passes in extended precision: however the rows are cut, weighted, shifted or merged."""

import pickle
from functools import reduce

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.random import default_rng
from numpy.testing import assert_allclose

from skgeom._array import to_numpy
from skgeom._core._rows import mean_of
from skgeom._core.sums._moments import DenseMoments, ThinMoments, fourth_moments, merge_all, moments

SHAPES = st.tuples(st.integers(2, 24), st.integers(1, 12))


def cloud(shape, seed=0, offset=0.0):
    return default_rng(seed).normal(size=shape) * np.linspace(2, 0.2, shape[1]) + offset


def exact(x, weights=None):
    """Return the weight, mean and scatter, by two passes in 80-bit floats."""
    x = np.asarray(x).astype(np.longdouble)
    w = np.ones(len(x), np.longdouble) if weights is None else weights.astype(np.longdouble)
    mean = (w @ x) / w.sum()
    return w.sum(), mean, ((x - mean) * w[:, None]).T @ (x - mean)


def fourth(x, weights=None):
    y = x - np.average(x, axis=0, weights=weights)
    w = np.ones(len(x)) if weights is None else weights
    squares = (y**2).sum(axis=1)
    return (w * squares) @ y, w @ squares**2


def assert_moments(m, expected, rtol=1e-12):
    """Compare the weight, the mean on the scale of the rows, and the scatter on that of its largest entry."""
    m = m.dense()
    n, mean, scatter = (np.asarray(value, np.float64) for value in expected)
    spread = np.sqrt(np.abs(scatter).max() / n)
    assert m.n == pytest.approx(float(n), rel=1e-14)
    assert_allclose(to_numpy(m.mean), mean, rtol=0, atol=rtol * max(np.abs(mean).max(), spread))
    assert_allclose(to_numpy(m.scatter), scatter, rtol=0, atol=rtol * n * spread**2)


def assert_same_moments(a, b, rtol=1e-12):
    assert a.digits == b.digits
    b = b.dense()
    assert_moments(a, (b.n, b.mean, b.scatter), rtol)


def assert_same_fourth(a, b):
    assert_same_moments(a.second, b.second)
    assert_allclose(a.quartic, b.quartic, rtol=1e-10)
    assert_allclose(a.cubic, b.cubic, atol=1e-10 * float(b.quartic) ** 0.75 + 1e-300)


# Merging


@settings(max_examples=200)
@given(shape=SHAPES, seed=st.integers(0, 99), offset=st.sampled_from([0, 1e3]), data=st.data())
def test_the_parts_of_every_split_merge_into_the_whole(shape, seed, offset, data):
    x = cloud(shape, seed, offset)
    cuts = data.draw(st.lists(st.integers(1, shape[0] - 1), unique=True).map(sorted))
    parts = np.split(x, cuts)
    for summary, assert_same in ((moments, assert_same_moments), (fourth_moments, assert_same_fourth)):
        assert_same(reduce(lambda a, b: a.merge(b), map(summary, parts)), summary(x))
        assert_same(reduce(lambda a, b: b.merge(a), map(summary, parts)), summary(x))


@settings(max_examples=100)
@given(shape=SHAPES, seed=st.integers(0, 99), data=st.data())
def test_weights_count_how_often_a_row_occurs(shape, seed, data):
    x = cloud(shape, seed)
    counts = np.array(data.draw(st.lists(st.integers(1, 4), min_size=len(x), max_size=len(x))))
    weighted = fourth_moments(x, counts.astype(float))
    assert_same_fourth(weighted, fourth_moments(np.repeat(x, counts, axis=0)))


@pytest.mark.parametrize("shape", [(30, 4), (4, 30), (7, 7)])
@pytest.mark.parametrize("offset", [0.0, 1e5])
def test_fractional_weights_weigh(shape, offset):
    x, w = cloud(shape, offset=offset), default_rng(1).uniform(0.1, 3, shape[0])
    m = fourth_moments(x, w)
    assert_moments(m.second, exact(x, w))
    assert_allclose(m.quartic, fourth(x, w)[1], rtol=1e-9)


@pytest.mark.parametrize("shape", [(30, 4), (4, 30)])
def test_fourth_moments_are_their_sums(shape):
    x = cloud(shape, offset=5.0)
    cubic, quartic = fourth(x)
    assert_allclose(fourth_moments(x).quartic, quartic, rtol=1e-12)
    assert_allclose(fourth_moments(x).cubic, cubic, atol=1e-10)


def test_one_row_has_a_mean_and_no_scatter():
    m = moments(cloud((1, 5)))
    assert isinstance(m, ThinMoments)
    assert_moments(m, (1, cloud((1, 5))[0], np.zeros((5, 5))))


# The two forms


@pytest.mark.parametrize(("shape", "form"), [((5, 9), ThinMoments), ((9, 9), DenseMoments), ((20, 9), DenseMoments)])
def test_the_smaller_summary_is_kept(shape, form):
    assert type(moments(cloud(shape))) is form
    assert_moments(moments(cloud(shape)), exact(cloud(shape)))


def test_thin_summaries_become_dense_once_they_are_the_larger_ones():
    parts = [moments(cloud((3, 9), seed)) for seed in range(6)]
    merged = [merge_all(parts[: k + 1]) for k in range(6)]
    assert [type(m) is ThinMoments for m in merged] == [True, True, False, False, False, False]
    assert all(m.rows.shape[0] < 9 for m in merged[:2])
    rows = np.vstack([cloud((3, 9), seed) for seed in range(6)])
    assert_moments(merged[-1], exact(rows))


@pytest.mark.parametrize("shape", [(30, 4), (4, 30), (8, 9)])
def test_about_the_origin_the_scatter_is_the_second_moment(shape):
    x = cloud(shape, offset=2.0)
    m = moments(x).about_origin()
    assert_moments(m, (shape[0], np.zeros(shape[1]), x.T @ x))


@pytest.mark.parametrize("shape", [(30, 4), (4, 30)])
def test_a_function_of_the_arrays_reaches_all_of_them(shape):
    m = fourth_moments(cloud(shape))
    twice = m.map_arrays(lambda a: 2 * a)
    assert type(twice.second) is type(m.second)
    for name in ("mean", "scatter" if shape[0] > shape[1] else "rows"):
        assert_allclose(getattr(twice.second, name), 2 * getattr(m.second, name))
    assert_allclose(twice.cubic, 2 * m.cubic)
    assert_allclose(twice.quartic, 2 * m.quartic)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(30, 4), (4, 30)])
def test_both_forms_answer_as_the_covariance_does(shape, weighted):
    x = cloud(shape, offset=3.0)
    w = default_rng(1).uniform(0.5, 2, shape[0]) if weighted else None
    n, _, scatter = exact(x, w)
    c = (scatter / (n - 1)).astype(float)
    m, q = moments(x, w), cloud((shape[1], shape[1]), 2)
    q = q + q.T
    assert_allclose(m.variances(), np.diag(c), rtol=1e-12)
    assert_allclose(m.total_variance(), np.trace(c), rtol=1e-12)
    assert_allclose(m.traces(2.0), (np.trace(c) / 2, np.sum(c * c) / 4), rtol=1e-12)
    assert_allclose(m.inner(q, 2.0), np.sum(c * q) / 2, rtol=1e-10)
    assert_allclose(m.singular_values() ** 2, np.linalg.eigvalsh(c)[::-1][: min(shape)] * float(n - 1), atol=1e-10)
    assert_allclose(np.trace(m.gram()), np.trace(scatter).astype(float), rtol=1e-12)
    scaled = m.scaled(np.linspace(0, 2, shape[1]))
    assert type(scaled) is type(m)
    assert_moments(scaled, exact(x * np.linspace(0, 2, shape[1]), w))


@pytest.mark.parametrize("shape", [(30, 4), (4, 30)])
def test_a_function_of_the_gram_matrix_acts_on_the_rows(shape):
    x = cloud(shape, offset=3.0)
    m, centred = moments(x), x - x.mean(axis=0)
    assert_allclose(m.times_rows(m.gram(), x), centred @ centred.T @ centred, atol=1e-11)


def test_a_summary_survives_a_pickle():
    for shape in ((30, 4), (4, 30)):
        m = fourth_moments(cloud(shape))
        assert_same_fourth(pickle.loads(pickle.dumps(m)), m)


# Accuracy


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6])
@pytest.mark.parametrize("shape", [(5000, 8), (6, 40)])
def test_an_offset_costs_no_digit(offset, dtype, shape):
    """The rows are what the dtype made of them; only what happens to them counts."""
    x = cloud(shape, offset=offset).astype(dtype)
    assert_moments(moments(x), exact(x), rtol=5e-7 if dtype == "float32" else 1e-13)


def test_columns_of_unequal_scale_keep_their_own_digits():
    x = (cloud((4000, 3), offset=1.0) * [1e-6, 1, 1e6]).astype(np.float32)
    m, (_, _, scatter) = moments(x), exact(x)
    spread = np.sqrt(np.diag(scatter))
    assert_allclose(m.scatter / spread / spread[:, None], (scatter / spread / spread[:, None]).astype(float), atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("value", [0.1, 1e6 + 0.1, -3e-30])
@pytest.mark.parametrize("shape", [(5000, 3), (3, 5)])
@pytest.mark.parametrize("weighted", [False, True])
def test_equal_rows_have_exactly_no_scatter(dtype, value, shape, weighted):
    x = np.full(shape, value, dtype)
    m = moments(x, np.linspace(1, 2, shape[0]) if weighted else None).dense()
    assert np.all(m.scatter == 0)
    assert np.all(m.mean == x[0])
    assert np.all(mean_of(x) == x[0])


def test_a_first_row_far_from_all_others_costs_no_digit():
    x = cloud((500, 4))
    x[0] += 1e9
    assert_moments(moments(x), exact(x))
    assert_moments(moments(x.astype(np.float32)), exact(x.astype(np.float32)), rtol=5e-6)


@pytest.mark.parametrize("block_bytes", [1, 200, 5000])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_blocks_smaller_than_the_data_change_nothing(monkeypatch, block_bytes, weighted, dtype):
    x, w = cloud((700, 6), offset=10.0).astype(dtype), default_rng(0).integers(1, 4, 700).astype(float)
    monkeypatch.setattr("skgeom._array.HOST_BLOCK_BYTES", block_bytes)
    m = moments(x, w if weighted else None)
    assert_moments(m, exact(x, w if weighted else None), rtol=1e-6 if dtype == "float32" else 1e-13)


def test_drift_between_blocks_is_part_of_the_scatter(monkeypatch):
    x = cloud((900, 3)) + np.linspace(0, 1e4, 900)[:, None]
    monkeypatch.setattr("skgeom._array.HOST_BLOCK_BYTES", 500)
    assert_moments(moments(x), exact(x))


def test_the_precision_is_that_of_the_rows(backend):
    x = cloud((9, 2))
    for dtype in ("float32", "float64"):
        m = moments(backend.asarray(x, dtype))
        assert m.digits.spacing == np.finfo(dtype).eps
        assert m.mean.dtype == m.scatter.dtype == backend.xp.float64
    mixed = moments(backend.asarray(x, "float32")).merge(moments(backend.asarray(x)))
    assert mixed.digits.spacing == np.finfo(np.float64).eps


@pytest.mark.parametrize("shape", [(300, 5), (5, 30)])
def test_every_library_has_the_same_moments(backend, shape, monkeypatch):
    x, w = cloud(shape, offset=3.0), default_rng(0).uniform(0.5, 2, shape[0])
    monkeypatch.setattr("skgeom._array.HOST_BLOCK_BYTES", 999)
    monkeypatch.setattr("skgeom._array.ACCELERATOR_BLOCK_BYTES", 999)
    found = fourth_moments(backend.asarray(x), backend.asarray(w)).map_arrays(to_numpy)
    assert_same_fourth(found, fourth_moments(x, w))
