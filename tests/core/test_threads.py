"""Sums and maps shared out between threads: the same numbers, and BLAS as it was."""

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_allclose, assert_array_equal
from threadpoolctl import threadpool_limits

from skgeom._array import HOST_BLOCK_BYTES
from skgeom._core import _threads
from skgeom._core._labels import labels_of
from skgeom._core.sums._clusters import class_moments, squared_silhouette_samples
from skgeom._core.sums._cross import joint_moments
from skgeom._core.sums._moments import fourth_moments, moments
from skgeom.preprocessing import Whitening

D = 16
ROWS = 5 * HOST_BLOCK_BYTES // (8 * D)  # a few blocks for each thread


@pytest.fixture(scope="module")
def rows():
    return default_rng(0).normal(size=(ROWS, D)) + np.arange(D)


def summaries(x):
    weights = np.linspace(1, 2, len(x))
    pairs, m, higher = joint_moments(x, x[:, ::-1]), moments(x), fourth_moments(x, weights)
    return [m.scatter, m.mean, higher.second.scatter, higher.cubic, higher.quartic, pairs.xx, pairs.xy, pairs.y_mean]


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_sums_are_those_of_one_thread_but_for_rounding(rows, threads):
    with threadpool_limits(1):
        expected = summaries(rows)
    with threadpool_limits(threads):
        found = summaries(rows)
    for ours, alone in zip(found, expected, strict=True):
        assert_allclose(ours, alone, rtol=1e-12, atol=1e-12 * np.abs(alone).max())


@pytest.mark.parametrize("n_classes", [3, ROWS // 2])
def test_sums_of_classes_are_the_same_to_the_last_bit(rows, n_classes):
    labels, found = labels_of(np.arange(ROWS) % n_classes), []
    for threads in (1, 3):
        with threadpool_limits(threads):
            found.append(class_moments(rows, labels))
    for ours, alone in zip(*found, strict=True):
        assert_array_equal(ours, alone)
    assert_allclose(found[0].mean[1], rows[1::n_classes].mean(axis=0), rtol=1e-12)


@pytest.mark.parametrize("shrinkage", [None, "ledoit_wolf"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_rows_that_are_not_finite_are_refused_without_a_warning(rows, shrinkage, value):
    """NumPy's error state, which keeps sums quiet until the check explains them, is that of each thread."""
    spoilt = rows.copy()
    spoilt[-1, 3] = value
    with threadpool_limits(3), pytest.raises(ValueError, match="contains"):
        Whitening(shrinkage=shrinkage).fit(spoilt)


def test_silhouettes_go_where_they_belong(rows):
    labels, found = labels_of(np.arange(ROWS) % 3), []
    for threads in (1, 3):
        with threadpool_limits(threads):
            found.append(squared_silhouette_samples(rows, labels))
    assert_array_equal(*found)


@pytest.mark.parametrize("threads", [1, 3])
def test_each_row_goes_where_it_belongs(rows, threads):
    with threadpool_limits(threads):
        found = _threads.map_rows(lambda x, y: (x * y[:, None])[:, ::-1], rows, rows[:, 0])
    assert_array_equal(found, (rows * rows[:, :1])[:, ::-1])


def test_shares_are_all_items_in_order():
    with threadpool_limits(3):
        for n in (1, 2, 3, 10):
            cuts = _threads.shares(np.ones(1), range(n))
            assert [item for cut in cuts for item in cut] == list(range(n))
            assert len(cuts) == min(n, 3)
            assert all(len(cut) > 0 for cut in cuts)


def test_small_matrices_take_one_thread_and_large_ones_all():
    with threadpool_limits(3):
        for rows, threads in ((1024, 1), (1025, 3)):
            with _threads.one_thread(np.empty((rows, 2))):
                assert _threads._blas_threads() == threads
        assert _threads._blas_threads() == 3


def test_one_of_many_threads_shares_out_no_work_and_leaves_the_limits_of_blas_alone(rows):
    with threadpool_limits(3), _threads.one_of_many():
        assert _threads.n_threads(rows) == 1
        with _threads.one_thread(np.eye(4)):
            assert _threads._blas_threads() == 3
    with threadpool_limits(3):
        assert _threads.n_threads(rows) == 3
