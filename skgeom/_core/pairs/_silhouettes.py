"""Silhouettes, the Dunn index and the pseudo-F from tiles of distances: Euclidean, on the sphere, in the Poincaré ball.

Rows are sorted by class, so that a tile contains few classes and its class sums are small matrix products. Tiles below
the diagonal mirror those above. Equal rows are processed once, with their count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from math import ceil, pi
from threading import Lock
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np

from skgeom._array import (
    add_rows,
    as_data,
    asarray_like,
    device_of,
    float64,
    namespace,
    sqrt_in_place,
    take_rows,
    to_numpy,
    wants_gradient,
    where,
)
from skgeom._core import _matrices
from skgeom._core._equal_rows import first_equal
from skgeom._core._labels import Labels, PerRow, parts_of, silhouettes
from skgeom._core._rows import norms
from skgeom._core._threads import in_threads
from skgeom._core.pairs._tiles import Squares
from skgeom._typing import Array

_PRODUCTS = 8
"""Maximum number of products for the class sums of a tile: one per class is best, unless there are many small ones."""


_R = TypeVar("_R")

Distance: TypeAlias = "Callable[[Tiles, int, int, Array], Array]"
"""From the tiles, the numbers of two panels and their squared Euclidean distances, which may be overwritten."""


def euclidean(tiles: Tiles, i: int, j: int, squares: Array) -> Array:
    """Return the Euclidean distances."""
    return sqrt_in_place(squares)


def geodesic(tiles: Tiles, i: int, j: int, squares: Array) -> Array:
    """Return the angles between unit rows, from their chords; at π, where it has no direction, the gradient is 0."""
    sines = sqrt_in_place(squares) / 2
    opposite = sines >= 1
    return where(opposite, pi, 2 * namespace(sines).asin(where(opposite, 0.0, sines)))


def poincare(tiles: Tiles, i: int, j: int, squares: Array) -> Array:
    """Return the distances in the Poincaré ball of curvature -1: 2 asinh(‖x - y‖ / √((1 - ‖x‖²)(1 - ‖y‖²)))."""
    scaled = squares / (tiles.inside[i][:, None] * tiles.inside[j][None, :])
    return 2 * namespace(squares).asinh(sqrt_in_place(scaled))


DISTANCES: dict[str, Distance] = {"euclidean": euclidean, "geodesic": geodesic, "poincare": poincare}


class Places(NamedTuple):
    """Distinct rows in the order of the tiles, and the number of rows of each class that are equal to them.

    `rows` (m,) are their positions among all rows. `copies` rows of class `code` are at `place`, with one entry per
    such pair, ascending; `entry` (n,) is that of each row. Places with a single class come first, in order of class.
    """

    rows: np.ndarray
    place: np.ndarray
    code: np.ndarray
    copies: np.ndarray
    entry: np.ndarray

    def within(self, panel: slice) -> slice:
        """Return the entries of the places in a panel."""
        return slice(*np.searchsorted(self.place, (panel.start, panel.stop)).tolist())


def places_of(labels: Labels, firsts: np.ndarray | None) -> Places:
    """Return the places of rows, given the position of the first row equal to each; by default each has its own."""
    entry = np.argsort(labels.order, kind="stable")
    rows, place = np.unique(entry if firsts is None else firsts, return_inverse=True)
    if rows.size == entry.size:
        return Places(labels.order, np.arange(rows.size), labels.codes, np.ones(rows.size), entry)
    k = labels.sizes.size
    pair, entry, copies = np.unique(place * k + labels.codes[entry], return_inverse=True, return_counts=True)
    place, code = np.divmod(pair, k)
    _, lead, n_classes = np.unique(place, return_index=True, return_counts=True)
    order = np.lexsort((code[lead], n_classes > 1))
    place = np.argsort(order)[place]
    ascending = np.lexsort((code, place))
    return Places(rows[order], place[ascending], code[ascending], copies[ascending], np.argsort(ascending)[entry])


class Tiles:
    """Rows of x in order of class, cut into panels, with the common data of their tiles.

    `classes` is the range of classes among the rows of each panel, and `members` their weights (c, r), the number of
    rows of each class equal to each row, with the slices of these r rows.
    """

    def __init__(self, x: Array, labels: Labels, distance: Distance, firsts: np.ndarray | None = None) -> None:
        self.x = x
        self.sizes = labels.sizes
        self.distance = distance
        self.places = places_of(labels, firsts)
        self.order = asarray_like(self.places.rows, x, dtype=namespace(x).int64)
        self.squares = Squares(self._rows, x[: self.order.shape[0], :])
        self.panels = self.squares.panels
        codes = [self.codes(i) for i in range(len(self.panels))]
        self.classes = [(int(c.min()), int(c.max()) + 1) for c in codes]
        self.members = [list(self._members(i)) for i in range(len(self.panels))]

    @cached_property
    def inside(self) -> list[Array]:
        """1 - ‖x‖² of the rows of each panel."""
        return [1 - norms(self._rows(panel)) ** 2 for panel in self.panels]

    def _rows(self, which: Any) -> Array:
        """Return the rows in order of class at a slice or at positions, unchanged."""
        xp = namespace(self.x)
        order = self.order[which] if isinstance(which, slice) else xp.take(self.order, which)
        return take_rows(self.x, order)

    def codes(self, i: int) -> np.ndarray:
        """Return the classes of the entries of a panel."""
        return self.places.code[self.places.within(self.panels[i])]

    def columns(self, i: int) -> np.ndarray:
        """Return the rows of a panel for its entries."""
        return self.places.place[self.places.within(self.panels[i])] - self.panels[i].start

    def _members(self, i: int) -> Iterator[tuple[slice, Array]]:
        panel, (first, last) = self.panels[i], self.classes[i]
        codes, columns, copies = self.codes(i), self.columns(i), self.places.copies[self.places.within(panel)]
        b = panel.stop - panel.start
        in_order = codes.size == b and bool(np.all(np.diff(codes) >= 0))
        step = ceil((last - first) / _PRODUCTS) if in_order else last - first
        for start in range(first, last, step):
            stop = min(start + step, last)
            rows = slice(*np.searchsorted(codes, (start, stop)).tolist()) if in_order else slice(0, b)
            here = (codes >= start) & (codes < stop)
            weights = np.zeros((stop - start, rows.stop - rows.start))
            weights[codes[here] - start, columns[here] - rows.start] = copies[here]
            yield rows, asarray_like(weights, self.x)

    def class_sums(self, i: int, d: Array) -> Array:
        """Return the sums (c, m) over each class in a panel of an array (b, m) with one row per row of the panel."""
        return namespace(d).concat([weights @ d[rows, :] for rows, weights in self.members[i]])

    def row(self, i: int, others: range) -> Iterator[tuple[int, Array]]:
        """Yield j and the tile (i, j) of distances, valid until the next."""
        for j, squares in self.squares.row(i, others, own=0.0):
            yield j, self.distance(self, i, j, squares)


class _Sums:
    """Sums of the distances of the rows of one panel to the classes of each panel, until all are complete.

    Panels with the same range of classes share an entry (c, b), so few classes take little memory.
    """

    def __init__(self, tiles: Tiles, i: int) -> None:
        self.tiles = tiles
        self.i = i
        self.missing = len(tiles.panels)
        self.entries: dict[tuple[int, int], Array] = {}

    @property
    def n_rows(self) -> int:
        """Number of rows of the panel."""
        panel = self.tiles.panels[self.i]
        return panel.stop - panel.start

    def add(self, j: int, values: Array) -> None:
        """Add the sums over each class of another panel, or of this one."""
        classes = self.tiles.classes[j]
        self.entries[classes] = self.entries[classes] + values if classes in self.entries else values
        self.missing -= 1

    def total(self) -> Array:
        """Return the sums over each class (k, b), and release their parts."""
        x, shape = self.tiles.x, (self.tiles.sizes.shape[0], self.n_rows)
        total = namespace(x).zeros(shape, dtype=x.dtype, device=device_of(x))
        while self.entries:
            (first, last), values = self.entries.popitem()
            total = add_rows(total, slice(first, last), values)
        return total

    def per_entry(self, of: PerRow) -> Array:
        """Return a function of the mean distances of the entries of the panel to classes."""
        total = self.total()
        xp, codes, (first, last) = namespace(total), self.tiles.codes(self.i), self.tiles.classes[self.i]
        if codes.size > total.shape[1]:
            total = xp.take(total, asarray_like(self.tiles.columns(self.i), total, dtype=xp.int64), axis=1)
        own = xp.take_along_axis(total, asarray_like(codes[None, :], total, dtype=xp.int64), axis=0)[0, :]
        is_own = codes[None, :] == np.arange(first, last)[:, None]
        sizes = asarray_like(self.tiles.sizes, total)[:, None]
        if wants_gradient(total):
            means = total / sizes
        else:
            means = total  # in place, without a second array (k, b)
            means /= sizes
        others = add_rows(means, slice(first, last), asarray_like(np.where(is_own, np.inf, 0.0), total))
        size = asarray_like(self.tiles.sizes[codes], own, dtype=xp.float64)
        return of(float64(own) / xp.clip(size - 1, min=1.0), float64(xp.min(others, axis=0)), size, 0.0)


def silhouette_samples(
    x: Array, labels: Labels, memory: float = 2.0**30, distance: Distance = euclidean, of: PerRow = silhouettes
) -> Array:
    """Return the silhouettes from the sums of distances of each row to each class, or another function of these.

    The symmetry of the tiles halves the work, but some sums must wait for others: a quarter of all (n, k) with one
    thread and classes of about equal size, and all if each panel has a thread. If all would exceed the memory in bytes,
    the work is done twice. Equal rows are processed once, unless each has its own gradient, or a place has more weights
    of classes than coordinates.
    """
    each_counts = wants_gradient(x) or labels.sizes.shape[0] > x.shape[1]
    tiles = Tiles(_shared(x), labels, distance, None if each_counts else first_equal(x))
    fits = x.shape[0] * labels.sizes.shape[0] * _itemsize(tiles.x) <= memory

    def of_panel(sums: _Sums) -> Array:
        return sums.per_entry(of)

    samples = namespace(tiles.x).concat(_from_half(tiles, of_panel) if fits else _from_all(tiles, of_panel))
    return _as_came(take_rows(samples, tiles.places.entry), x)


def mean_silhouettes_without(
    x: Array, labels: Labels, codes: np.ndarray, memory: float = 2.0**30, distance: Distance = euclidean
) -> np.ndarray:
    """Return the mean silhouette of the rows outside each block (b,), and of all rows, on the host.

    The codes (n,) of the blocks are on the host too. One pass computes the sums of the distances of each row to the
    part of each class in each block, n k b numbers; a panel of rows keeps them until all of its tiles are done.
    """
    parts, sizes, _ = parts_of(labels, codes)
    cells, n_blocks = np.flatnonzero(sizes), sizes.shape[1]
    tiles = Tiles(as_data(x), parts, distance)

    def of_panel(sums: _Sums) -> np.ndarray:
        distances = np.zeros((*sizes.shape, sums.n_rows))
        distances.reshape(-1, sums.n_rows)[cells] = to_numpy(sums.total())
        return _silhouette_sums(distances, sizes, *np.divmod(cells[tiles.codes(sums.i)], n_blocks))

    fits = x.shape[0] * cells.size * _itemsize(tiles.x) <= memory
    total, n = np.sum(_from_half(tiles, of_panel) if fits else _from_all(tiles, of_panel), axis=0)
    return total / n


def _silhouette_sums(distances: np.ndarray, sizes: np.ndarray, classes: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """Return the sum of the silhouettes of m rows, and their number, without each block and for all (2, b + 1).

    The rows have sums of distances (k, b, m) to the classes in each block, which have sizes (k, b). The sums are NaN if
    fewer than two classes are left.
    """
    n_blocks = sizes.shape[1]
    found = np.zeros((2, n_blocks + 1))
    rows = np.arange(classes.size)
    for block in range(n_blocks + 1):
        gone = slice(block, min(block + 1, n_blocks))
        left = sizes.sum(axis=1) - sizes[:, gone].sum(axis=1)
        sums = distances.sum(axis=1) - distances[:, gone].sum(axis=1)
        means = np.divide(sums, left[:, None], out=np.full_like(sums, np.inf), where=left[:, None] > 0)
        means[classes, rows] = np.inf
        size = left[classes]
        own = sums[classes, rows] / np.maximum(size - 1, 1)
        here = blocks != block
        samples = to_numpy(silhouettes(own[here], means.min(axis=0)[here], size[here], 0.0))
        found[:, block] = samples.sum() if np.count_nonzero(left) > 1 else np.nan, samples.size
    return found


def dunn_index(x: Array, labels: Labels, distance: Distance = euclidean) -> Array:
    """Return the smallest distance between classes over the largest within one; inf if no class has any extent."""
    tiles = Tiles(_shared(x), labels, distance)
    xp = namespace(tiles.x)
    codes = asarray_like(labels.codes, tiles.x, dtype=xp.int64)

    def extremes(i: int) -> tuple[Array, Array]:
        gaps, extents = [], []
        for j, d in tiles.row(i, range(i, len(tiles.panels))):
            d = float64(d)
            same = codes[tiles.panels[i]][:, None] == codes[tiles.panels[j]][None, :]
            gaps.append(xp.min(where(same, xp.inf, d)))
            extents.append(xp.max(where(same, d, 0.0)))
        return xp.min(xp.stack(gaps)), xp.max(xp.stack(extents))

    gaps, extents = zip(*in_threads(tiles.x, extremes, len(tiles.panels)), strict=True)
    return _as_came(_matrices.gap_over_extent(xp.min(xp.stack(gaps)), xp.max(xp.stack(extents))), x)


def pseudo_f(x: Array, labels: Labels, distance: Distance) -> Array:
    """Return Anderson's pseudo-F from the squared distances of all pairs."""
    tiles = Tiles(_shared(x), labels, distance)
    xp, shares = namespace(tiles.x), 1 / (2 * labels.sizes)

    def of_panel(i: int) -> Array:
        """Return the sum of the squared distances of the rows of a panel, and their part in the scatter of classes."""
        own, parts = np.arange(*tiles.classes[i])[:, None], []
        for j, d in tiles.row(i, range(len(tiles.panels))):
            sums = float64(tiles.class_sums(i, tiles.class_sums(j, (d * d).T).T))
            weights = np.where(own == np.arange(*tiles.classes[j]), shares[own], 0.0)
            parts.append(xp.stack([xp.sum(sums), xp.sum(sums * asarray_like(weights, sums))]))
        return xp.sum(xp.stack(parts), axis=0)

    sums = xp.sum(xp.stack(in_threads(tiles.x, of_panel, len(tiles.panels))), axis=0)
    return _as_came(_matrices.variance_ratio(sums[0], sums[1], labels.sizes), x)


def _itemsize(x: Array) -> int:
    return namespace(x).finfo(x.dtype).bits // 8


def _shared(x: Array) -> Array:
    """Return x in a form that threads can share, or unchanged if a gradient flows through the tiles."""
    return x if wants_gradient(x) else as_data(x)


def _as_came(values: Array, x: Array) -> Array:
    """Return values of shared rows in the library of the input."""
    return values if wants_gradient(x) else asarray_like(values, x, dtype=namespace(x).float64)


def _from_half(tiles: Tiles, of: Callable[[_Sums], _R]) -> list[_R]:
    """Return a function of the sums of each panel, from the tiles on and above the diagonal."""
    sums = [_Sums(tiles, i) for i in range(len(tiles.panels))]
    parts: list[Any] = [None] * len(sums)
    lock = Lock()

    def bring(i: int, j: int, values: Array) -> None:
        with lock:
            sums[i].add(j, values)
            complete = sums[i].missing == 0
        if complete:  # all tiles of this panel are done
            parts[i], tiles.squares.right[i] = of(sums[i]), None

    def work(i: int) -> None:
        for j, d in tiles.row(i, range(i, len(sums))):
            bring(i, j, tiles.class_sums(j, d.T))
            if i != j:
                bring(j, i, tiles.class_sums(i, d))

    in_threads(tiles.x, work, len(sums))
    return parts


def _from_all(tiles: Tiles, of: Callable[[_Sums], _R]) -> list[_R]:
    """Return a function of the sums of each panel, from all its tiles."""

    def work(i: int) -> _R:
        sums = _Sums(tiles, i)
        for j, d in tiles.row(i, range(len(tiles.panels))):
            sums.add(j, tiles.class_sums(j, d.T))
        return of(sums)

    return in_threads(tiles.x, work, len(tiles.panels))
