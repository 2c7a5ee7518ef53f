"""Ranks and neighbours by CSLS from products that serve twice: those of separate passes, at fewer products."""

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_array_equal
from threadpoolctl import threadpool_limits

from skgeom._core import _threads
from skgeom._core.pairs import _csls, _neighbours, _tiles
from skgeom._core.pairs._neighbours import as_directions, crowding, k_nearest, ranks


def noisy(r, n=200, d=24, noise=0.5):
    x = r.normal(size=(n, d))
    return x, x + noise * r.normal(size=(n, d))


def repeated(r):
    x, y = noisy(r)
    return x, y[r.integers(0, 100, 200)]


SIDES = {
    "near": noisy,
    "far": lambda r: noisy(r, noise=4),
    "cone": lambda r: tuple(1 + 0.01 * side for side in noisy(r)),
    "repeated candidates": repeated,
    "repeated queries": lambda r: repeated(r)[::-1],
    "a plane": lambda r: noisy(r, d=2),
    "grid": lambda r: tuple(np.round(side) + 0.5 for side in noisy(r, d=3)),
    "sorted": lambda r: tuple(side[np.argsort(side[:, 0])] for side in noisy(r)),
    "fewer than ten queries": lambda r: (r.normal(size=(7, 5)), r.normal(size=(40, 5))),
}


@pytest.fixture(params=[(25, 25), (60, 120), (384, 4096)])
def strips(request, monkeypatch):
    rows, columns = request.param
    monkeypatch.setattr(_tiles, "_TILE_ROWS", {True: rows})
    monkeypatch.setattr(_neighbours, "_COLUMNS", columns)


def sides_of(name, dtype):
    return (as_directions(side.astype(dtype)) for side in SIDES[name](default_rng(0)))


@pytest.mark.parametrize("name", SIDES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("several", [False, True])
def test_ranks_from_one_pass_are_those_from_two(name, dtype, several, strips):
    x, y = sides_of(name, dtype)
    n, m = len(x.x), len(y.x)
    pairs = np.stack([np.arange(n)] * 2, axis=1)
    if several:
        pairs = np.unique(np.concatenate([pairs[::2], default_rng(1).integers(0, (n, m), (n, 2))]), axis=0)
    assert_array_equal(_csls.ranks_by_csls(x, y, pairs), ranks(x, y, pairs, crowding(y, x)))


@pytest.mark.parametrize(("name", "value"), [("_DEVIATIONS", 0), ("_DEVIATIONS", 99), ("_MOST_LISTED", 0)])
@pytest.mark.parametrize("noise", [0.5, 4])
def test_ranks_do_not_depend_on_the_guess_or_the_list(name, value, noise, monkeypatch):
    x, y = (as_directions(side) for side in noisy(default_rng(0), noise=noise))
    pairs = np.stack([np.arange(200)] * 2, axis=1)
    expected = ranks(x, y, pairs, crowding(y, x))
    monkeypatch.setattr(_csls, name, value)
    monkeypatch.setattr(_tiles, "_TILE_ROWS", {True: 50})
    assert_array_equal(_csls.ranks_by_csls(x, y, pairs), expected)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_number_of_threads_changes_nothing(threads, monkeypatch):
    sides = noisy(default_rng(0), noise=2)
    x, y = map(as_directions, sides)
    pairs = np.stack([np.arange(200)] * 2, axis=1)
    expected = _csls.ranks_by_csls(x, y, pairs), _csls.nearest_by_csls(*sides, 3)
    monkeypatch.setattr(_tiles, "_TILE_ROWS", {True: 40})
    monkeypatch.setattr(_threads, "_blas_threads", lambda: threads)
    assert_array_equal(_csls.ranks_by_csls(x, y, pairs), expected[0])
    assert_array_equal(_csls.nearest_by_csls(*sides, 3), expected[1])


@pytest.mark.parametrize("name", SIDES)
@pytest.mark.parametrize("k", [1, 7, 30])
def test_neighbours_from_two_products_are_those_from_three(name, k, strips):
    sides = [side.astype(np.float32) for side in SIDES[name](default_rng(0))]
    x, y = map(as_directions, sides)
    squares, indices = k_nearest(x, y, k, adjust=crowding(y, x))
    found = _csls.nearest_by_csls(*sides, k)
    assert_array_equal(found[0], squares - 2 + crowding(x, y)[:, None])
    assert_array_equal(found[1], indices)


@pytest.fixture
def products(monkeypatch):
    """Return a list that grows by the number of products of each tile."""
    counts, tile = [], _neighbours._tile

    def counted(left, y, columns, *others):
        counts.append(left.shape[0] * (columns.stop - columns.start))
        return tile(left, y, columns, *others)

    monkeypatch.setattr(_neighbours, "_tile", counted)
    return counts


def test_ranks_take_one_product_and_neighbours_two(products):
    sides = noisy(default_rng(0), n=3000, noise=0.3)
    x, y = map(as_directions, sides)
    _csls.ranks_by_csls(x, y, np.stack([np.arange(3000)] * 2, axis=1))
    assert sum(products) < 1.2 * 3000**2
    products.clear()
    _csls.nearest_by_csls(*sides, 5)
    assert sum(products) < 2.1 * 3000**2


def test_strips_that_are_too_long_are_not_kept(products, monkeypatch):
    x, y = map(as_directions, noisy(default_rng(0), noise=0.3))
    pairs = np.stack([np.arange(200)] * 2, axis=1)
    one_pass = _csls.ranks_by_csls(x, y, pairs)
    products.clear()
    monkeypatch.setattr(_csls, "_MOST_PRODUCTS", 200 * _csls._LEAST_ROWS - 1)
    assert_array_equal(_csls.ranks_by_csls(x, y, pairs), one_pass)
    assert sum(products) >= 2 * 200**2


def test_memory_is_bounded_by_the_strips_of_a_panel(peak_memory):
    sides = [side.astype(np.float32) for side in noisy(default_rng(0), n=12_000, d=4)]
    x, y = map(as_directions, sides)
    with threadpool_limits(2):
        peak = max(
            peak_memory(lambda: _csls.ranks_by_csls(x, y, np.stack([np.arange(12_000)] * 2, axis=1))),
            peak_memory(lambda: _csls.nearest_by_csls(*sides, 5)),
        )
    assert peak < 2 * 60 * 2**20 < 12_000**2 * 4 / 2
