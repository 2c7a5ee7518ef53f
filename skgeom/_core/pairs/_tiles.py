"""What needs every pair of points: one blocked reduction over tiles of a matrix product, never an n x n array.

Rows are cut into panels, and two panels make a tile, small enough to be reduced while it is in cache. Threads share the
panels, each with one BLAS thread. What a product loses of the distance of a close pair is summed directly.
"""

from __future__ import annotations

from skgeom._array import device_of, is_on_host, namespace, put, row_blocks
from skgeom._typing import Array

CLOSE = 1e-6
"""Squared distances below this share of the squared norms lose digits in a float64 product, and are summed directly."""

_TILE_ROWS = {True: 384, False: 4096}
"""Rows and columns of a tile on the host, where it must stay in cache, and elsewhere."""


def panels(x: Array) -> list[slice]:
    """Return the slices of rows that make the tiles of x."""
    n, step = x.shape[0], _TILE_ROWS[is_on_host(x)]
    return [slice(i, min(i + step, n)) for i in range(0, n, step)]


def squared_distances(x: Array, y: Array) -> Array:
    """Return ‖x - y‖² for all pairs of rows of two centred blocks: by one matrix product, the close ones directly."""
    xp = namespace(x)
    norms = xp.vecdot(x, x)[:, None] + xp.vecdot(y, y)[None, :]
    squares = norms - 2 * (x @ y.T)
    close = squares <= CLOSE * norms
    if not bool(xp.any(close)):
        return squares
    i, j = xp.nonzero(close)
    direct = [
        xp.sum((xp.take(x, i[pairs], axis=0) - xp.take(y, j[pairs], axis=0)) ** 2, axis=1)
        for pairs in row_blocks(i[:, None], columns=x.shape[1])
    ]
    return put(squares, close, xp.concat(direct))


def diagonal(tile: Array) -> Array:
    """Return where a square tile of one panel pairs a row with itself."""
    xp = namespace(tile)
    return xp.eye(*tile.shape, dtype=tile.dtype, device=device_of(tile)) > 0
