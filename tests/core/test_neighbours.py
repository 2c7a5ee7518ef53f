"""Neighbours and ranks from strips of products: exact however they are cut, shared and bounded."""

import threading

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import hypergeom
from threadpoolctl import threadpool_limits

from skgeom._array import to_numpy
from skgeom._core import _threads
from skgeom._core.pairs import _neighbours, _tiles
from skgeom._core.pairs._neighbours import Ranks, as_places, expected_rank, expected_recall, expected_reciprocal_rank


def repeated(n=700, d=6, seed=0):
    """Return rows of which many are equal, and some nearly so."""
    rng = default_rng(seed)
    rows = rng.normal(size=(n // 3, d))[rng.integers(0, n // 3, n)]
    return rows + 1e-9 * rng.integers(0, 2, (n, 1))


@pytest.fixture(params=[(7, 7, 1), (30, 90, 40), (100, 1000, 10), (384, 4096, 1)])
def small_strips(request, monkeypatch):
    """Return a function that makes panels, strips and lists of candidates small from then on."""

    def shrink():
        rows, columns, most = request.param
        monkeypatch.setattr(_tiles, "_TILE_ROWS", dict.fromkeys((True, False), rows))
        monkeypatch.setattr(_neighbours, "_COLUMNS", columns)
        monkeypatch.setattr(_neighbours, "_MOST_CANDIDATES", most)

    return shrink


@pytest.mark.parametrize("make", [_neighbours.as_directions, as_places])
@pytest.mark.parametrize("k", [1, 20, 75])
@pytest.mark.parametrize("n", [78, 240])
def test_neighbours_do_not_depend_on_the_strips(make, k, n, small_strips):
    x, y = make(repeated(n)), make(repeated(n + 10, seed=1))
    whole = [_neighbours.k_nearest(x, None, k), _neighbours.k_nearest(x, y._replace(origin=x.origin), k)]
    small_strips()
    small = [_neighbours.k_nearest(x, None, k), _neighbours.k_nearest(x, y._replace(origin=x.origin), k)]
    for (values, columns), (still, places) in zip(small, whole, strict=True):
        assert_array_equal(values, still)
        assert_array_equal(columns, places)


def nearly_equal(n=600, d=48):
    """Return rows whose distances differ by less than products in float32 can tell."""
    rng = default_rng(3)
    return np.sign(rng.normal(size=(n, d))) * (1 + 1e-6 * rng.random((n, d)))


SINGLE = {
    "spread": lambda r: r.normal(size=(600, 48)),
    "cone": lambda r: r.normal(size=(600, 48)) * 0.01 + 1,
    "collapse": lambda r: r.normal(size=(5, 48))[r.integers(0, 5, 600)] + 1e-4 * r.normal(size=(600, 48)),
    "nearly equal": lambda _: nearly_equal(),
    "some tiny": lambda r: r.normal(size=(600, 48)) * np.where(r.random((600, 1)) < 0.2, 1e-24, 1),
    "products below the least normal number": lambda r: r.normal(size=(600, 48)) * 1e-22,
    "large": lambda r: r.normal(size=(600, 48)) * 2.0**60,
}


@pytest.mark.parametrize("make", [_neighbours.as_directions, as_places])
@pytest.mark.parametrize("cloud", SINGLE)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_in_float32_lose_no_neighbour(make, cloud, dtype, monkeypatch):
    x = make(SINGLE[cloud](default_rng(0)).astype(dtype))
    found = _neighbours.k_nearest(x, None, 9)
    monkeypatch.setattr(_neighbours, "_dtype_of_products", lambda x, y: np.dtype("float64"))
    for ours, exact in zip(found, _neighbours.k_nearest(x, None, 9), strict=True):
        assert_array_equal(ours, exact)


def test_ordinary_rows_are_told_apart_by_products_in_float32():
    x, narrow = (SINGLE[cloud](default_rng(0)).astype(np.float32) for cloud in ("spread", "cone"))
    for rows, suffices in ((x, True), (narrow, False)):
        unit = _neighbours.as_directions(rows)
        search = _neighbours.Search(unit, unit, 9, np.dtype(np.float32), None, None, np.arange(600))
        assert _neighbours.leaves_few(search) == suffices


@pytest.mark.parametrize("cloud", SINGLE)
@pytest.mark.parametrize("adjusted", [False, True])
def test_counts_by_products_in_float32_are_those_in_float64(cloud, adjusted, monkeypatch):
    x = SINGLE[cloud](default_rng(0)).astype(np.float32)
    y = x[default_rng(1).integers(0, 600, 900)]
    x, y = _neighbours.as_directions(x), _neighbours.as_directions(y + np.float32(0.3) * y[::-1])
    pairs = np.stack([np.arange(600), np.arange(300, 900)], axis=1)
    adjust = default_rng(2).uniform(size=900) if adjusted else None
    found = _neighbours.ranks(x, y, pairs, adjust)
    monkeypatch.setattr(_neighbours, "_screened", lambda *args: None)
    assert_array_equal(found, _neighbours.ranks(x, y, pairs, adjust))


def test_pairs_in_doubt_after_products_in_float32_are_few_or_counted_in_float64():
    spread, collapse = (_neighbours.as_directions(SINGLE[cloud](default_rng(0))) for cloud in ("spread", "collapse"))
    bands = _neighbours.Bands(np.arange(32), *(np.full(32, 0.99 + width) for width in (-1e-12, 1e-12)))
    assert_array_equal(_neighbours._screened(spread, spread, bands, None), [np.ones(32), np.zeros(32)])
    ones = bands._replace(low=bands.low + 0.01, high=bands.high + 0.01)
    assert _neighbours._screened(collapse, collapse, ones, None) is None


def test_ranks_and_occurrences_do_not_depend_on_the_strips(small_strips):
    x, y = (_neighbours.as_directions(repeated(240, seed=seed)) for seed in (0, 1))
    pairs = np.stack([np.arange(0, 240, 3), np.arange(80)], axis=1)
    whole = _neighbours.ranks(x, y, pairs), _neighbours.occurrences(x, 4)
    small_strips()
    assert_array_equal(_neighbours.ranks(x, y, pairs), whole[0])
    assert_allclose(_neighbours.occurrences(x, 4), whole[1], rtol=1e-12)


@pytest.mark.parametrize("k", [1, 3, 30])
def test_leaving_out_rows_that_repeat_others_changes_no_neighbour(k, monkeypatch):
    rng = default_rng(0)
    x = rng.normal(size=(60, 5))[np.minimum(rng.integers(0, 90, 500), 59)]
    x[rng.integers(0, 500, 9), 0] = rng.choice([0.0, -0.0], 9)
    adjust = np.sum(x, axis=1)
    found = _neighbours.k_nearest(as_places(x), None, k), _neighbours.k_nearest(as_places(x), None, k, adjust)
    monkeypatch.setattr(_neighbours, "not_repeated", lambda x, k: None)
    assert_array_equal(_neighbours.k_nearest(as_places(x), None, k), found[0])
    assert_array_equal(_neighbours.k_nearest(as_places(x), None, k, adjust), found[1])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_first_of_equal_rows_are_kept_whatever_the_signs_of_zeros(dtype, backend):
    x = backend.asarray([[0.0, 1], [-0.0, 1], [2, 3], [0.0, 1], [2, 3], [-0.0, 1]], dtype=dtype)
    assert_array_equal(_neighbours.not_repeated(x, 1), [0, 1, 2, 4])
    assert _neighbours.not_repeated(x, 3) is None


def test_no_library_sums_over_the_ties_of_a_collapsed_space(backend, monkeypatch):
    x = default_rng(0).normal(size=(4, 8))[default_rng(1).integers(0, 4, 500)]
    expected, summed = _neighbours.k_nearest(as_places(x), None, 3), []
    settled = _neighbours._settled

    def counted(search, panel, found):
        summed.append(found.row.shape[0])
        return settled(search, panel, found)

    monkeypatch.setattr(_neighbours, "_settled", counted)
    found = _neighbours.k_nearest(as_places(backend.asarray(x)), None, 3)
    assert sum(summed) <= 500 * 4 * (3 + 1)
    for ours, theirs in zip(found, expected, strict=True):
        assert_array_equal(to_numpy(ours), theirs)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_number_of_threads_changes_nothing(threads, monkeypatch):
    x = _neighbours.as_directions(repeated())
    pairs = np.stack([np.arange(700)] * 2, axis=1)
    expected = _neighbours.k_nearest(x, None, 7), _neighbours.ranks(x, x, pairs), _neighbours.occurrences(x, 7)
    monkeypatch.setattr(_tiles, "_TILE_ROWS", {True: 100})
    monkeypatch.setattr(_threads, "_blas_threads", lambda: threads)
    assert_array_equal(_neighbours.k_nearest(x, None, 7), expected[0])
    assert_array_equal(_neighbours.ranks(x, x, pairs), expected[1])
    assert_allclose(_neighbours.occurrences(x, 7), expected[2], rtol=1e-12)


def test_an_interrupt_stops_the_search_and_leaves_no_threads(monkeypatch):
    before, started = threading.active_count(), []
    monkeypatch.setattr(_tiles, "_TILE_ROWS", {True: 20})
    monkeypatch.setattr(_threads, "_blas_threads", lambda: 3)

    def interrupted(*args):
        started.append(args)
        raise KeyboardInterrupt

    monkeypatch.setattr(_neighbours, "_tile", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _neighbours.k_nearest(as_places(repeated()), None, 3)
    assert threading.active_count() == before
    assert len(started) < 35


def test_memory_is_bounded_by_strips(peak_memory):
    x = default_rng(0).normal(size=(12_000, 4)).astype("float32")

    def search():
        rows = _neighbours.as_directions(x)
        _neighbours.k_nearest(rows, None, 5)
        _neighbours.ranks(rows, rows, np.stack([np.arange(12_000)] * 2, axis=1))

    with threadpool_limits(2):
        peak = peak_memory(search)
    assert peak < 2 * 40 * 2**20 < 12_000**2 * 8 / 10


def test_bounds_of_groups_never_exceed_the_kth_largest_value():
    strip = default_rng(0).normal(size=(50, 1003))
    for k in (1, 3, 15, 16, 200, 1003):
        kth = np.sort(strip, axis=1)[:, -k]
        bound = _neighbours._bound(strip, k)
        assert np.all(bound <= kth)
        assert np.mean(bound) > np.mean(kth) - 0.5
    assert np.all(_neighbours._bound(strip, 1004) == -np.inf)


@pytest.mark.parametrize(("better", "tied", "relevant"), [(0, 1, 1), (3, 5, 1), (3, 5, 2), (0, 40, 7), (9, 4, 4)])
def test_expectations_are_those_of_draws_without_replacement(better, tied, relevant):
    r = Ranks(*(np.array([count]) for count in (better, tied, relevant)))
    position = np.arange(tied + 1)
    none_so_far = hypergeom(tied, relevant, position).pmf(0)
    for k in range(better + tied + 3):
        assert_allclose(expected_recall(r, k), 1 - none_so_far[np.clip(k - better, 0, tied)], atol=1e-13)
    first = -np.diff(none_so_far)
    assert_allclose(expected_reciprocal_rank(r), np.sum(first / (better + position[1:])), rtol=1e-12)
    assert_allclose(expected_rank(r), np.sum(first * (better + position[1:])), rtol=1e-12)


def test_memory_is_bounded_when_all_rows_are_tied(peak_memory):
    rows = _neighbours.as_directions(np.ones((2000, 2)) * np.arange(1, 2001)[:, None])
    with threadpool_limits(1):
        peak = peak_memory(lambda: _neighbours.k_nearest(rows, None, 2))
    assert peak < 40 * 2**20
