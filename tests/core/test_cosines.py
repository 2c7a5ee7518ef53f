"""Rows with one direction are found among all rows, and cosines that differ by rounding count as equal."""

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_array_equal

from skgeom._core._rows import DirectedRows, norms
from skgeom._core.pairs import _cosines
from skgeom._core.pairs._cosines import Ties, different, ties_of


def rows_of(x):
    return DirectedRows(x, norms(x))


def planted(dtype, factor):
    """Return 80 rows, 50 of which are multiples of one of the others, and the positions of those that are not."""
    rng = default_rng(0)
    x = rng.normal(size=(30, 7))
    sources = np.r_[np.arange(30), rng.integers(0, 5, 50)][rng.permutation(80)]
    rows = x.astype(dtype)[sources]
    copies = np.array([s in sources[:i] for i, s in enumerate(sources)])
    rows[copies] *= dtype(factor)
    return rows, np.flatnonzero(~copies)


@pytest.mark.parametrize("factor", [1, 2, 3, 1 / 3, 0.1, 1e5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_row_of_any_length_is_a_copy_of_the_first_with_its_direction(backend, dtype, factor):
    x, expected = planted(dtype, factor)
    assert_array_equal(different(rows_of(backend.asarray(x))), expected)


def test_rows_that_lie_in_one_place_on_the_lines_are_compared(monkeypatch):
    x, expected = planted(np.float64, 3)
    monkeypatch.setattr(_cosines, "_on_lines", lambda rows: np.zeros((80, 3)))
    assert_array_equal(different(rows_of(x)), expected)


def test_near_and_opposite_directions_are_not_copies():
    x = default_rng(0).normal(size=(20, 5))
    near = x + 1e-5 * default_rng(1).normal(size=(20, 5))
    both = np.concatenate([x, near, -x])
    for dtype in (np.float32, np.float64):
        assert different(rows_of(both.astype(dtype))).size == 60


def test_all_rows_of_one_line_have_two_directions():
    x = default_rng(0).normal(size=(10_000, 1))
    assert_array_equal(different(rows_of(x)), [0, np.argmax(np.sign(x) != np.sign(x[0]))])


def test_the_width_of_a_tie_shrinks_with_the_cloud():
    x = default_rng(0).normal(size=(300, 5))
    u = x + 1e4
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    assert ties_of(rows_of(x + 1e4)).spread == pytest.approx(
        np.max(np.sum((u - u.mean(axis=0)) ** 2, axis=1)), rel=1e-6
    )
    assert ties_of(rows_of(x.astype(np.float32))).epsilon == 2.0**-23


@pytest.mark.parametrize(("epsilon", "noise", "step"), [(2.0**-52, 1e-14, 1e-9), (2.0**-23, 1e-7, 1e-4)])
def test_ties_are_replaced_by_the_largest_of_each(epsilon, noise, step):
    rng = default_rng(0)
    place = rng.integers(0, 50, 400)
    c = 0.3 + step * place + noise * rng.uniform(size=400)
    expected = [c[place == p].max() for p in place]
    assert_array_equal(Ties(1.0, epsilon).merged(c), expected)


def test_many_cosines_within_rounding_of_the_next_are_not_one_tie():
    c = np.linspace(0.1, 0.2, 200_001)  # in steps of half a rounding of float32
    moved = Ties(1.0, 2.0**-23).merged(c) - c
    assert moved.min() == 0
    assert moved.max() <= 1.01e-6
