"""Computations on all pairs of points: a blocked reduction over tiles of a matrix product, never an n x n array.

Rows are cut into panels, and two panels make a tile, small enough to be reduced while it is in cache. Threads share the
panels, each with one BLAS thread. Rows are stored as differences from pivots near them, so products in the precision of
the data suffice for clouds far from the origin, narrow or collapsed. Distances of pairs that are still too close for a
product are summed directly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from skgeom._array import (
    asarray_like,
    detached,
    device_of,
    epsilon,
    float64,
    is_on_host,
    matmul,
    namespace,
    numbers,
    one_hot,
    overwrite_diagonal,
    put,
    row_blocks,
    scratch,
    to_numpy,
    vecdot,
)
from skgeom._core._threads import in_threads
from skgeom._typing import Array

CLOSE = 1e-6
"""Squared distances below this share of the squared norms lose digits in a float64 product, and are summed directly."""

_FEW = 0.02
"""Maximum share of close pairs in a tile to sum one by one: beyond, a float64 tile costs less."""

_SAMPLE_ROWS = 256
_GLANCE_STEP = 4
"""Number of rows in the search for pivots, and the step between those that test whether the mean suffices."""

_MOST_PIVOTS = 64
_REACH = 10
"""Maximum squared distance of rows that share a pivot, as a multiple of that of a close pair."""

_TILE_ROWS = {True: 384, False: 4096}
"""Rows and columns of a tile on the host, where it must stay in cache, and on other devices."""


def panels(x: Array) -> list[slice]:
    """Return the slices of rows that make the tiles of x."""
    n, step = x.shape[0], _TILE_ROWS[is_on_host(x)]
    return [slice(i, min(i + step, n)) for i in range(0, n, step)]


class Squares:
    """Tiles of the squared distances between rows, each from one product in the precision of the rows.

    A row x is stored as its difference r from the nearest pivot a, and y as s from b. Then ‖x - y‖² =
    (‖x - b‖² - ½‖a - b‖²) + (‖y - a‖² - ½‖a - b‖²) - 2⟨r, s⟩, which is ‖r‖² + ‖s‖² - 2⟨r, s⟩ where x and y share a
    pivot. One pivot, the mean, suffices for most clouds; those collapsed to a few places have one in each.

    `rows` returns the rows at a slice or at positions, at least with the precision of the tiles. `right` is the right
    factor of the tiles of each panel: r (b, d), an indicator of the own pivot (b, k), and the first bracket above for
    each pivot (b, k). `largest` is the largest ‖x - b‖² of each panel, and `close` the share of such squares below
    which a squared distance is recomputed. `ends` are the smallest squared distance in each tile formed so far, and
    `with_largest` the largest: an accelerator waits for them once, in the first of several passes.
    """

    def __init__(self, rows: Callable[[Any], Array], like: Array, *, with_largest: bool = False) -> None:
        xp = namespace(like)
        self.ends: dict[tuple[int, int], list[float]] = {}
        self._to_ends = (xp.min, xp.max) if with_largest else (xp.min,)
        self.rows = rows
        self.like = like[:0, :]
        self.panels = panels(like)
        self.close = max(CLOSE, 1e4 * epsilon(like))
        sample = to_numpy(rows(_scattered(like))).astype(np.float64)
        self.pivots = asarray_like(_pivots(sample, self.close), like, dtype=xp.float64)
        self.k = self.pivots.shape[0]
        self.half_gaps = xp.sum((self.pivots[:, None, :] - self.pivots[None, :, :]) ** 2, axis=2) / 2
        self.right: list[Any] = in_threads(like, self._right, len(self.panels))
        self.to_pivots = [self._to_pivots(detached(right)) for right in self.right]
        self.largest = numbers([xp.max(squares) for squares in self.to_pivots]).tolist()

    def _right(self, i: int) -> Array:
        xp, x = namespace(self.like), self.rows(self.panels[i])
        if self.k == 1:
            own = xp.ones((x.shape[0], 1), dtype=self.like.dtype, device=device_of(x))
            r = x - xp.astype(self.pivots, x.dtype)
            bracket = vecdot(r, r)[:, None]
        else:
            centred = self.pivots - self.pivots[:1, :]
            along = (float64(x) - self.pivots[:1, :]) @ centred.T - vecdot(centred, centred)[None, :] / 2
            nearest = xp.argmax(detached(along), axis=1)
            own = one_hot(nearest, self.k, self.like)
            r = x - xp.astype(xp.take(self.pivots, nearest, axis=0), x.dtype)
            ahead = xp.take_along_axis(along, nearest[:, None], axis=1) - along
            bracket = float64(vecdot(r, r))[:, None] + 2 * ahead - xp.take(self.half_gaps, nearest, axis=0)
        return xp.concat([xp.astype(part, self.like.dtype, copy=False) for part in (r, own, bracket)], axis=1)

    def _to_pivots(self, right: Array) -> Array:
        """Return ‖x - b‖² for the rows of a panel and each pivot (b, k)."""
        half_gaps = namespace(right).astype(self.half_gaps, right.dtype)
        return right[:, -self.k :] + right[:, -2 * self.k : -self.k] @ half_gaps

    def left(self, i: int) -> Array:
        """Return the factor that makes products with `right` squared distances: (-2r, bracket, indicator)."""
        xp, right, k = namespace(self.like), self.right[i], self.k
        return xp.concat([-2 * right[:, : -2 * k], right[:, -k:], right[:, -2 * k : -k]], axis=1)

    def places(self, j: int) -> Array:
        """Return the differences r from the pivots, and the indicators of these (b, d + k)."""
        return self.right[j][:, : -self.k]

    def pulls(self, i: int, sums: Array) -> Array:
        """Return Σ_j w_ij (x_j - x_i) for each row of a panel, from the sums Σ_j w_ij `places`_j (b, d + k)."""
        weights, x = float64(sums[:, -self.k :]), float64(self.rows(self.panels[i]))
        return sums[:, : -self.k] + weights @ self.pivots - namespace(x).sum(weights, axis=1, keepdims=True) * x

    def row(self, i: int, others: range, own: float = 0.0) -> Iterator[tuple[int, Array]]:
        """Yield j and the tile (i, j), valid until the next; `own` is the value for a row and itself."""
        left = self.left(i)
        out = scratch(left, (left.shape[0], self.panels[0].stop))
        for j in others:
            yield j, self.tile(i, j, left, own, out)

    def tile(self, i: int, j: int, left: Array, own: float, out: np.ndarray | None = None) -> Array:
        """Return the squared distances between the rows of two panels, given the left factor of the first."""
        xp = namespace(self.like)
        squares = self._own(i, out) if i == j and self.k == 1 else matmul(left, self.right[j].T, out)
        if i == j:
            squares = overwrite_diagonal(squares, own or xp.inf)
        if (i, j) not in self.ends:
            self.ends[i, j] = numbers([to_end(squares) for to_end in self._to_ends]).tolist()
        if self.ends[i, j][0] < self.close * (self.largest[i] + self.largest[j]):
            squares = self.summed_directly(i, j, squares, *self._close_pairs(i, j, squares))
        return overwrite_diagonal(squares, own) if i == j else squares

    def _own(self, i: int, out: np.ndarray | None) -> Array:
        """Return the squared distances within a panel around one pivot: BLAS knows that r rᵀ is symmetric."""
        r, bracket = self.right[i][:, :-2], self.right[i][:, -1:]
        products = matmul(r, r.T, out)
        products *= -2
        products += bracket
        products += bracket.T
        return products

    def _close_pairs(self, i: int, j: int, squares: Array) -> tuple[Array, Array]:
        """Return the pairs of a tile too close for a product: most rows have none."""
        xp, k = namespace(squares), self.k
        here, there = self.to_pivots[i], self.to_pivots[j]
        suspect = xp.min(squares, axis=1) < self.close * (xp.max(here, axis=1) + self.largest[j])
        (rows,) = xp.nonzero(suspect)
        own, other = (detached(self.right[panel])[:, -2 * k : -k] for panel in (i, j))
        sizes = xp.take(here, rows, axis=0) @ other.T + xp.take(own, rows, axis=0) @ there.T
        row, column = positions(xp.take(squares, rows, axis=0) < self.close * sizes)
        return xp.take(rows, row), column

    def summed_directly(self, i: int, j: int, squares: Array, row: Array, column: Array, sign: int = 1) -> Array:
        """Return a tile of ‖x - y‖², or of ‖x + y‖² with sign -1, with some pairs, or all if many, from the rows."""
        xp = namespace(squares)
        if not row.shape[0]:
            return squares
        if row.shape[0] > _FEW * squares.shape[0] * squares.shape[1]:
            centre = self.pivots[:1, :]
            sides = float64(self.rows(self.panels[i])) - centre, sign * float64(self.rows(self.panels[j])) - centre
            return xp.astype(squared_distances(*sides), squares.dtype)
        x, y = row + self.panels[i].start, column + self.panels[j].start
        direct = [
            _square_sums(self.rows(x[pairs]) - sign * self.rows(y[pairs]))
            for pairs in row_blocks(row[:, None], columns=self.pivots.shape[1])
        ]
        return put(squares, row, column, xp.astype(xp.concat(direct), squares.dtype, copy=False))


def _scattered(x: Array) -> Array:
    """Return positions spread over the rows of x without a period: multiples of the golden ratio."""
    places = (np.arange(_SAMPLE_ROWS) * (5**0.5 - 1) / 2) % 1
    return asarray_like(np.unique((places * x.shape[0]).astype(np.int64)), x, dtype=namespace(x).int64)


def _pivots(sample: np.ndarray, close: float) -> np.ndarray:
    """Return the mean of a sample of rows and, if many of its pairs are close, the means of its dense places."""
    mean = _mean(sample)
    centred = sample - mean
    centred = (centred / (np.max(np.abs(centred)) or 1.0)).astype(np.float32)  # within its range at any scale
    if _near(centred[::_GLANCE_STEP], close).mean() <= _FEW:
        return mean[None, :]
    near = _near(centred, _REACH * close)
    alone = np.ones(len(sample), dtype=bool)
    pivots = [mean]
    while len(pivots) < _MOST_PIVOTS:
        neighbours = np.sum(near & alone & alone[:, None], axis=1)
        if neighbours.sum() <= _FEW / 20 * near.size:
            break
        place = near[neighbours.argmax()] & alone
        place[neighbours.argmax()] = True
        pivots.append(_mean(sample[place]))
        alone &= ~place
    return np.stack(pivots)


def _near(x: np.ndarray, share: float) -> np.ndarray:
    """Return a mask of the pairs of different rows closer than a share of their squared norms."""
    squares = np.sum(x * x, axis=1)
    sizes = squares[:, None] + squares[None, :]
    near = sizes - 2 * (x @ x.T) < share * sizes
    np.fill_diagonal(near, False)
    return near


def _mean(x: np.ndarray) -> np.ndarray:
    """Return the mean of rows, exact for equal rows."""
    return x[0] + np.mean(x - x[0], axis=0)


def _square_sums(x: Array) -> Array:
    return vecdot(x, x)


def squared_distances(x: Array, y: Array) -> Array:
    """Return ‖x - y‖² for all pairs of rows of two centred blocks: by one matrix product, close ones directly."""
    xp = namespace(x)
    norms = vecdot(x, x)[:, None] + vecdot(y, y)[None, :]
    squares = norms - 2 * (x @ y.T)
    i, j = positions(squares <= CLOSE * norms)
    if not i.shape[0]:
        return squares
    direct = [
        _square_sums(xp.take(x, i[pairs], axis=0) - xp.take(y, j[pairs], axis=0))
        for pairs in row_blocks(i[:, None], columns=x.shape[1])
    ]
    return put(squares, i, j, xp.concat(direct))


def positions(mask: Array) -> tuple[Array, Array]:
    """Return the rows and columns of the true entries of a mask, most of whose rows have none."""
    xp = namespace(mask)
    (rows,) = xp.nonzero(xp.any(mask, axis=1))
    if not rows.shape[0]:  # the number of entries is known only when the device is done
        return rows, rows
    row, column = xp.nonzero(xp.take(mask, rows, axis=0))
    return xp.take(rows, row), column
