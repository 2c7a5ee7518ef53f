"""Silhouettes and the Dunn index under the Euclidean distance, from tiles of distances.

Rows are taken in order of class, so that a tile meets few classes and its class sums are small matrix products. A tile
of squared distances is one product, ⟨(-2x, ‖x‖², 1), (y, 1, ‖y‖²)⟩; tiles below the diagonal are the mirror of those
above. Where a tile holds pairs so close that the product loses their digits, it is computed once more in float64 from
the original rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock

import numpy as np

from skgeom._array import (
    add_columns,
    asarray_like,
    device_of,
    epsilon,
    float64,
    matmul,
    namespace,
    one_hot,
    root,
    scratch,
    take_rows,
    to_float,
    where,
)
from skgeom._core._clusters import Labels, silhouettes, unsorted
from skgeom._core._moments import mean_of
from skgeom._core._pairs import CLOSE, diagonal, in_threads, panels, squared_distances
from skgeom._typing import Array


class Tiles:
    """Rows of x in order of class, cut into panels, with what their tiles share.

    `right` (n, d + 2) is one factor of every tile, `largest` the largest squared norm of each panel, and `close` the
    share of the squared norms below which a squared distance is computed again.
    """

    def __init__(self, x: Array, labels: Labels) -> None:
        self.x = x
        self.labels = labels
        self.mean = mean_of(x)
        self.n_classes = labels.sizes.shape[0]
        self.panels = panels(x)
        self.close = max(CLOSE, 1e4 * epsilon(x))
        self.right = self._extended()
        self.largest = [to_float(namespace(x).max(self.right[p, -1])) for p in self.panels]

    def _extended(self) -> Array:
        """Return the rows around their mean, each followed by 1 and its squared norm (n, d + 2)."""
        xp = namespace(self.x)
        rows = take_rows(self.x, self.labels.order) - xp.astype(self.mean, self.x.dtype)
        ones = xp.ones((rows.shape[0], 1), dtype=rows.dtype, device=device_of(rows))
        return xp.concat([rows, ones, xp.vecdot(rows, rows)[:, None]], axis=1)

    def left(self, panel: slice) -> Array:
        """Return the factor that makes products with `right` squared distances: (-2x, ‖x‖², 1)."""
        xp, block = namespace(self.right), self.right[panel, :]
        return xp.concat([-2 * block[:, :-2], block[:, -1:], block[:, -2:-1]], axis=1)

    def classes(self, panel: slice) -> tuple[slice, Array]:
        """Return the range of classes in a panel, and the indicator matrix of its rows over that range."""
        codes = self.labels.codes[panel]
        first, last = int(codes[0]), int(codes[-1]) + 1
        inside = asarray_like(codes - first, self.x, dtype=namespace(self.x).int64)
        return slice(first, last), one_hot(inside, last - first, self.right)

    def original(self, panel: slice) -> Array:
        """Return the rows of a panel around the mean in float64, as exact as they came."""
        return float64(take_rows(self.x, self.labels.order[panel])) - self.mean

    def distances(self, i: int, j: int, left: Array, out: np.ndarray | None = None) -> Array:
        """Return the tile of distances between the rows of two panels, given the left factor of the first."""
        xp = namespace(self.right)
        squares = matmul(left, self.right[self.panels[j], :].T, out)
        if i == j:
            squares = where(diagonal(squares), xp.inf, squares)
        if to_float(xp.min(squares)) < self.close * (self.largest[i] + self.largest[j]):
            squares = self._looked_at_again(i, j, squares)
        if i == j:
            squares = where(diagonal(squares), 0.0, squares)
        return root(squares)

    def _looked_at_again(self, i: int, j: int, squares: Array) -> Array:
        """Return the tile, computed in float64 from the original rows if it holds a close pair."""
        xp = namespace(squares)
        lengths = self.right[self.panels[i], -1][:, None] + self.right[self.panels[j], -1][None, :]
        if not bool(xp.any(squares <= self.close * lengths)):
            return squares
        exact = squared_distances(self.original(self.panels[i]), self.original(self.panels[j]))
        return xp.astype(exact, squares.dtype)


def silhouette_samples(x: Array, labels: Labels, memory: float = 2.0**30) -> Array:
    """Return the silhouettes under the Euclidean distance from the sums of distances of each row to each class.

    The sums (n, k) are kept to profit from the symmetry of the tiles, unless they exceed the memory in bytes.
    """
    xp = namespace(x)
    tiles = Tiles(x, labels)
    itemsize = xp.finfo(x.dtype).bits // 8
    if x.shape[0] * tiles.n_classes * itemsize <= memory:
        parts = [_scores(tiles, i, sums) for i, sums in enumerate(_symmetric_sums(tiles))]
    else:
        parts = in_threads(x, lambda i: _scores(tiles, i, _panel_sums(tiles, i)), len(tiles.panels))
    return unsorted(xp.concat(parts), labels)


def dunn_index(x: Array, labels: Labels) -> Array:
    """Return the least distance between classes over the largest within one; inf if no class has any extent."""
    xp = namespace(x)
    tiles = Tiles(x, labels)
    codes = asarray_like(labels.codes, x, dtype=xp.int64)

    def extremes(i: int) -> tuple[Array, Array]:
        left = tiles.left(tiles.panels[i])
        gaps, extents = [], []
        for j in range(i, len(tiles.panels)):
            d = float64(tiles.distances(i, j, left))
            same = codes[tiles.panels[i]][:, None] == codes[tiles.panels[j]][None, :]
            gaps.append(xp.min(where(same, xp.inf, d)))
            extents.append(xp.max(where(same, d, 0.0)))
        return xp.min(xp.stack(gaps)), xp.max(xp.stack(extents))

    gaps, extents = zip(*in_threads(x, extremes, len(tiles.panels)), strict=True)
    gap, extent = xp.min(xp.stack(gaps)), xp.max(xp.stack(extents))
    return where(extent > 0, gap / where(extent > 0, extent, 1.0), xp.inf)


def _symmetric_sums(tiles: Tiles) -> list[Array]:
    """Return for each panel the sums of distances of its rows to each class, from tiles on and above the diagonal."""
    sums = [_no_sums(tiles, panel) for panel in tiles.panels]
    lock = Lock()

    def work(i: int) -> None:
        classes, of_rows = tiles.classes(tiles.panels[i])
        for j, d, to_columns in _tile_sums(tiles, i, range(i, len(tiles.panels))):
            to_rows = d.T @ of_rows if i != j else None
            with lock:
                sums[i] = add_columns(sums[i], *to_columns)
                if to_rows is not None:
                    sums[j] = add_columns(sums[j], classes, to_rows)

    in_threads(tiles.x, work, len(tiles.panels))
    return sums


def _panel_sums(tiles: Tiles, i: int) -> Array:
    """Return the sums of the distances of the rows of one panel to each class, from all its tiles."""
    sums = _no_sums(tiles, tiles.panels[i])
    for _, _, to_columns in _tile_sums(tiles, i, range(len(tiles.panels))):
        sums = add_columns(sums, *to_columns)
    return sums


def _no_sums(tiles: Tiles, panel: slice) -> Array:
    xp = namespace(tiles.right)
    shape = (panel.stop - panel.start, tiles.n_classes)
    return xp.zeros(shape, dtype=tiles.right.dtype, device=device_of(tiles.right))


def _tile_sums(tiles: Tiles, i: int, others: range) -> Iterator[tuple[int, Array, tuple[slice, Array]]]:
    """Yield j, the tile (i, j), valid until the next, and its sums over each class of its columns, with their range."""
    left = tiles.left(tiles.panels[i])
    out = scratch(left, (left.shape[0], tiles.panels[0].stop))
    for j in others:
        d = tiles.distances(i, j, left, out)
        classes, of_columns = tiles.classes(tiles.panels[j])
        yield j, d, (classes, d @ of_columns)


def _scores(tiles: Tiles, i: int, sums: Array) -> Array:
    """Return the silhouettes of the rows of a panel from the sums of their distances to each class."""
    xp = namespace(sums)
    sums = float64(sums)
    codes = asarray_like(tiles.labels.codes[tiles.panels[i]], sums, dtype=xp.int64)
    sizes = asarray_like(tiles.labels.sizes, sums)
    size = xp.take(sizes, codes)
    is_own = one_hot(codes, tiles.n_classes, sums) > 0
    own = xp.sum(where(is_own, sums, 0.0), axis=1) / xp.clip(size - 1, min=1.0)
    return silhouettes(own, xp.min(where(is_own, xp.inf, sums / sizes), axis=1), size, 0.0)
