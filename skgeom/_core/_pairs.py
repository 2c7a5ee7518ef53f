"""What needs every pair of points: one blocked reduction over tiles of distances, never an n x n array."""

from __future__ import annotations

from collections.abc import Iterator

from skgeom._array import asarray_like, float64, namespace, one_hot, put, row_blocks, take_rows, where
from skgeom._core._clusters import Labels, silhouettes, unsorted
from skgeom._typing import Array

_CLOSE = 1e-6
"""Squared distances below this share of the squared norms lose digits in the product form, and are summed directly."""

_TILE_COLUMNS = 1024


def squared_distances(x: Array, y: Array) -> Array:
    """Return ‖x - y‖² for all pairs of rows of two centred blocks: by one matrix product, the close ones directly."""
    xp = namespace(x)
    norms = xp.vecdot(x, x)[:, None] + xp.vecdot(y, y)[None, :]
    squares = norms - 2 * (x @ y.T)
    close = squares <= _CLOSE * norms
    if not bool(xp.any(close)):
        return squares
    i, j = xp.nonzero(close)
    direct = [
        xp.sum((xp.take(x, i[pairs], axis=0) - xp.take(y, j[pairs], axis=0)) ** 2, axis=1)
        for pairs in row_blocks(i[:, None], columns=x.shape[1])
    ]
    return put(squares, close, xp.concat(direct))


def distances(x: Array, y: Array) -> Array:
    """Return ‖x - y‖ for all pairs of rows of two centred blocks; its gradient at coincident points is 0."""
    squares = squared_distances(x, y)
    apart = squares > 0
    return where(apart, namespace(x).sqrt(where(apart, squares, 1.0)), 0.0)


def silhouette_samples(x: Array, labels: Labels) -> Array:
    """Return the silhouettes under the Euclidean distance from the sums of distances of each row to each class."""
    xp = namespace(x)
    rows = _centred(x, labels)
    codes = asarray_like(labels.codes, x, dtype=xp.int64)
    sizes = asarray_like(labels.sizes, rows)
    parts = []
    for block in row_blocks(rows, columns=max(_TILE_COLUMNS, sizes.shape[0])):
        is_own = one_hot(codes[block], sizes.shape[0], rows) > 0
        sums = _class_distance_sums(rows[block, :], rows, codes, sizes.shape[0])
        size = xp.take(sizes, codes[block])
        own = xp.sum(where(is_own, sums, 0.0), axis=1) / xp.clip(size - 1, min=1.0)
        other = xp.min(where(is_own, xp.inf, sums / sizes), axis=1)
        parts.append(silhouettes(own, other, size, 0.0))
    return unsorted(xp.concat(parts), labels)


def dunn_index(x: Array, labels: Labels) -> Array:
    """Return the least distance between classes over the largest within one; inf if no class has any extent."""
    xp = namespace(x)
    rows = _centred(x, labels)
    codes = asarray_like(labels.codes, x, dtype=xp.int64)
    gaps, extents = [], []
    for block, columns in _upper_tiles(rows):
        squares = squared_distances(rows[block, :], rows[columns, :])
        same = codes[block][:, None] == codes[columns][None, :]
        gaps.append(xp.min(where(same, xp.inf, squares)))
        extents.append(xp.max(where(same, squares, 0.0)))
    gap, extent = xp.min(xp.stack(gaps)), xp.max(xp.stack(extents))
    return where(extent > 0, xp.sqrt(gap / where(extent > 0, extent, 1.0)), xp.inf)


def _centred(x: Array, labels: Labels) -> Array:
    """Return the rows in order of class, in float64, around their mean."""
    xp = namespace(x)
    rows = float64(take_rows(x, labels.order))
    rows = rows - rows[:1, :]
    return rows - xp.mean(rows, axis=0)


def _class_distance_sums(block: Array, rows: Array, codes: Array, k: int) -> Array:
    """Return the sums of the distances of the rows of a block to the rows of each class."""
    sums = 0.0
    for tile in _column_tiles(0, rows.shape[0]):
        sums = sums + distances(block, rows[tile, :]) @ one_hot(codes[tile], k, rows)
    return sums


def _column_tiles(start: int, n: int) -> Iterator[slice]:
    return (slice(i, min(i + _TILE_COLUMNS, n)) for i in range(start, n, _TILE_COLUMNS))


def _upper_tiles(rows: Array) -> Iterator[tuple[slice, slice]]:
    """Cut the pairs into tiles on and above the diagonal."""
    for block in row_blocks(rows, columns=_TILE_COLUMNS):
        yield from ((block, columns) for columns in _column_tiles(block.start, rows.shape[0]))
