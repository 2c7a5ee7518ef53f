"""Exact order statistics of the angles of pairs of rows, without storing them.

The key of a pair is ‖u - v‖² / ‖u + v‖² = tan²(θ/2), which grows with the angle and is exact near 0 and near π. One
pass over the tiles counts the keys below and up to each of some edges, a second collects the keys between the two edges
around each requested rank. The edges come from the pairs of a few rows; if they are too coarse, the count is repeated
between them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from math import ceil, log
from operator import add

import numpy as np

from skgeom._array import asarray_like, is_on_host, namespace, take_rows, to_numpy, where
from skgeom._core._rows import DirectedRows
from skgeom._core._threads import in_threads
from skgeom._core.pairs._between_blocks import rows_without, sums_between, without_each
from skgeom._core.pairs._sphere import Chords, Pairs
from skgeom._typing import Array

_SAMPLE_ROWS = 1024
_EDGES = 1024
"""Number of edges for a repeated count."""

_MARGINS = (0.001, 0.01, 0.06)
"""Distances of the edges from a rank, as shares of all pairs: three standard errors of a sample, and less."""

_FEW_EDGES = 24
"""Maximum number of edges for which comparing each takes less time than sorting the keys of a tile."""

_MOST_COLLECTED = 1 << 23
"""Maximum number of keys to collect for one rank."""


def angle_quantiles(rows: DirectedRows, q: np.ndarray) -> np.ndarray:
    """Return the quantiles q (k,) of the angles over the pairs of different rows, interpolated linearly, in float64."""
    pairs = Pairs(rows)
    position = q * (pairs.n - 1)
    ranks = np.unique(np.r_[np.floor(position), np.ceil(position)]).astype(np.int64)
    at = dict(zip(ranks.tolist(), order_statistics(pairs, ranks.tolist()), strict=True))
    below, above = (np.array([at[int(r)] for r in side]) for side in (np.floor(position), np.ceil(position)))
    low, high = (2 * np.arctan(np.sqrt(key)) for key in (below, above))
    return low + (position - np.floor(position)) * (high - low)


def angle_quantiles_without(codes: np.ndarray, rows: DirectedRows, q: float) -> np.ndarray | None:
    """Return the quantile q of the angles of the rows outside each block, and of all rows (b + 1,).

    One pass counts the keys below each edge by the blocks of their pairs, a second collects those between the edges
    around all quantiles. None if they are too many, or one of them has no edge above it. The codes (n,) of the blocks
    are on the host.
    """
    order = np.argsort(codes, kind="stable")
    codes = codes[order]
    pairs = Pairs(DirectedRows(*(take_rows(part, order) for part in rows)))
    n = rows_without(codes)
    position = q * (n * (n - 1) // 2 - 1)
    ranks = np.stack([np.floor(position), np.ceil(position)]).astype(np.int64)
    edges = _sample_edges(pairs, ranks[:, -1].tolist())
    below = _n_below_without(codes, pairs, edges)
    is_low, is_high = np.all(below <= ranks[0], axis=1), np.all(below > ranks[1], axis=1)
    low, high = np.flatnonzero(is_low)[-1], np.argmax(is_high)
    if not is_high.any() or below[high, -1] - below[low, -1] > _MOST_COLLECTED:
        return None
    found, first, second = _between_blocks(codes, pairs, float(edges[low]), float(edges[high]))
    rest = ranks - below[low]
    at = np.stack([found[(first != b) & (second != b)][rest[:, b]] for b in range(n.size)], axis=1)
    lower, upper = 2 * np.arctan(np.sqrt(at))
    return lower + (position - ranks[0]) * (upper - lower)


def _n_below_without(codes: np.ndarray, pairs: Pairs, edges: np.ndarray) -> np.ndarray:
    """Return the number of keys below each edge, of the pairs outside each block and of all (e, b + 1)."""

    def tiles(i: int) -> Iterator[tuple[int, list[Array]]]:
        for j, chords, counting in pairs.row(i):
            tile = keys(chords, counting)
            yield j, [tile < float(edge) for edge in edges]

    like = pairs.sphere.rows.x[:0, :]
    return np.rint(without_each(sums_between(codes, pairs.panels, like, tiles, mirrored=False))).astype(np.int64)


def _between_blocks(
    codes: np.ndarray, pairs: Pairs, low: float, high: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the keys from one edge to below another in ascending order, and the blocks of both rows of each."""
    like = pairs.sphere.rows.x
    xp = namespace(like)

    def work(i: int) -> list[tuple[Array, Array, Array]]:
        found = []
        for j, chords, counting in pairs.row(i):
            tile = keys(chords, counting)
            row, column = xp.nonzero((tile >= low) & (tile < high))
            picked = xp.take(xp.reshape(tile, (-1,)), row * tile.shape[1] + column)
            found.append((picked, row + pairs.panels[i].start, column + pairs.panels[j].start))
        return found

    parts = [part for row in in_threads(like, work, len(pairs.panels)) for part in row]
    found, first, second = (to_numpy(xp.concat(part)) for part in zip(*parts, strict=True))
    order = np.argsort(found)
    return found[order].astype(np.float64), codes[first[order]], codes[second[order]]


def order_statistics(pairs: Pairs, ranks: Sequence[int]) -> list[float]:
    """Return the keys at given ranks, counted from 0, in ascending order of the keys."""
    edges = _sample_edges(pairs, ranks)
    while True:
        below, up_to = n_near(pairs, edges)
        brackets = [_bracket(rank, edges, below, up_to) for rank in ranks]
        wide = {(low, high) for low, high, _, size in brackets if size > _MOST_COLLECTED}
        if not wide:
            return _collected(pairs, ranks, brackets)
        edges = np.unique(np.concatenate([edges, *(_finer(*ends, edges.dtype) for ends in wide)]))


def _bracket(rank: int, edges: np.ndarray, below: np.ndarray, up_to: np.ndarray) -> tuple[float, float, int, int]:
    """Return the edges around a rank, the number of keys before them, and the number of keys between them.

    If an edge is the key itself, both edges are equal to it.
    """
    i = int(np.searchsorted(up_to, rank, side="right"))
    if below[i] <= rank:
        return float(edges[i]), float(edges[i]), int(below[i]), 0
    return float(edges[i - 1]), float(edges[i]), int(up_to[i - 1]), int(below[i] - up_to[i - 1])


def _collected(pairs: Pairs, ranks: Sequence[int], brackets: Sequence[tuple[float, float, int, int]]) -> list[float]:
    """Return the keys at given ranks from the keys between their edges."""
    wanted = {(low, high) for low, high, _, size in brackets if size}
    found = {ends: np.sort(_between(pairs, *ends)) for ends in wanted}
    return [
        low if not size else float(found[low, high][rank - skipped])
        for rank, (low, high, skipped, size) in zip(ranks, brackets, strict=True)
    ]


def _sample_edges(pairs: Pairs, ranks: Sequence[int]) -> np.ndarray:
    """Return edges from 0 to infinity, some of them around each rank among the pairs of some rows."""
    x = pairs.sphere.rows.x
    step = ceil(x.shape[0] / _SAMPLE_ROWS)
    u = namespace(x).astype(pairs.sphere.exact(slice(None, None, step)), x.dtype)
    first, second = np.triu_indices(u.shape[0], 1)
    if pairs.n_first is not None:
        across = (first * step < pairs.n_first) & (second * step >= pairs.n_first)
        first, second = first[across], second[across]
    around = []
    if first.size:
        cosines = np.clip(to_numpy(u @ u.T)[first, second].astype(np.float64), -1 + 1e-7, 1 - 1e-7)
        places = np.asarray(ranks)[:, None] / pairs.n + np.r_[np.negative(_MARGINS), _MARGINS]
        around = np.quantile((1 - cosines) / (1 + cosines), np.unique(np.clip(places, 0, 1)))
    return np.unique(np.r_[0.0, around, np.inf].astype(to_numpy(x[:1, :1]).dtype))


def _finer(low: float, high: float, dtype: np.dtype) -> np.ndarray:
    """Return edges between two others."""
    info = np.finfo(dtype)
    ends = log(max(low, float(info.smallest_normal))), log(min(high, float(info.max)))
    return np.exp(np.linspace(ends[0], ends[1], _EDGES)).astype(dtype)


def keys(chords: Chords, counting: Array | None) -> Array:
    """Return the keys of the pairs of a tile; infinite for those that do not count."""
    xp, (minus, plus) = namespace(chords.minus), chords
    opposite = plus == 0
    apart = is_on_host(plus) and not bool(xp.any(opposite))
    found = minus / plus if apart else where(opposite, xp.inf, minus / where(opposite, 1.0, plus))
    return found if counting is None else where(counting, found, xp.inf)


def _keys(pairs: Pairs, i: int) -> Iterator[Array]:
    """Yield the keys of the pairs of each tile (m,) in a row of tiles."""
    for _, chords, counting in pairs.row(i):
        yield namespace(chords.minus).reshape(keys(chords, counting), (-1,))


def n_near(pairs: Pairs, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of keys of all pairs below each edge, and up to each edge, in ascending order."""
    like = pairs.sphere.rows.x
    at = asarray_like(edges, like)

    none = asarray_like(np.zeros((2, edges.size)), like, dtype=namespace(like).int64)

    def work(i: int) -> Array:
        return reduce(add, (_counted(tile, at) for tile in _keys(pairs, i)), none)

    below, up_to = to_numpy(reduce(add, in_threads(like, work, len(pairs.panels))))
    return below, np.minimum(up_to, pairs.n)


def _counted(tile: Array, edges: Array) -> Array:
    """Return the number of keys below each edge, and up to each edge (2, k)."""
    xp = namespace(tile)
    if edges.shape[0] <= _FEW_EDGES:
        one_by_one = [edges[e] for e in range(edges.shape[0])]
        below = xp.stack([xp.count_nonzero(tile < edge) for edge in one_by_one])
        return xp.stack([below, xp.stack([xp.count_nonzero(tile <= edge) for edge in one_by_one])])
    ordered = xp.sort(tile, stable=False)
    return xp.stack([xp.searchsorted(ordered, edges, side=side) for side in ("left", "right")])


def _between(pairs: Pairs, low: float, high: float) -> np.ndarray:
    """Return the keys strictly between two edges."""

    def work(i: int) -> list[np.ndarray]:
        return [to_numpy(tile[(tile > low) & (tile < high)]) for tile in _keys(pairs, i)]

    like = pairs.sphere.rows.x
    return np.concatenate([part for parts in in_threads(like, work, len(pairs.panels)) for part in parts])
