"""Equal rows are found among all rows, whatever their numbers."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skgeom._core import _equal_rows
from skgeom._core._equal_rows import first_equal


def naive(x):
    return np.array([next(j for j in range(i + 1) if (x[j] == x[i]).all()) for i in range(len(x))])


@pytest.fixture(params=["random", "all different", "all equal", "equal in the first columns", "one row"])
def x(request):
    rng = np.random.default_rng(0)
    if request.param == "random":
        return rng.integers(-1, 2, (200, 4)).astype(float)
    if request.param == "all different":
        return rng.normal(size=(200, 40))
    if request.param == "all equal":
        return np.ones((50, 40))
    if request.param == "equal in the first columns":
        return np.concatenate([np.ones((90, 38)), rng.integers(0, 2, (90, 2))], axis=1)
    return np.ones((1, 3))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_each_row_is_told_the_first_equal_to_it(x, dtype):
    assert_array_equal(first_equal(x.astype(dtype)), naive(x))


def test_on_every_library_the_same(x, backend):
    assert_array_equal(first_equal(backend.asarray(x)), naive(x))


def test_minus_zero_is_zero():
    x = np.concatenate([np.zeros((1, 9)), np.where(np.eye(9), -0.0, 0.0)])
    assert_array_equal(first_equal(x), np.zeros(10))


def test_rows_of_one_code_are_compared(x, monkeypatch):
    monkeypatch.setattr(_equal_rows, "_codes", lambda x, which: np.zeros(len(which), dtype=np.int64))
    assert_array_equal(first_equal(x), naive(x))


def test_blocks_change_nothing(x, monkeypatch):
    monkeypatch.setattr("skgeom._array.HOST_BLOCK_BYTES", 100)
    assert_array_equal(first_equal(x), naive(x))
