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
from threading import Lock
from typing import NamedTuple

import numpy as np

from skgeom._array import asarray_like, is_on_host, namespace, on_host, to_numpy, where
from skgeom._core._rows import DirectedRows
from skgeom._core._threads import in_threads
from skgeom._core.pairs._between_blocks import in_block_order, rows_without, sums_between, without_each
from skgeom._core.pairs._sphere import Chords, Pairs
from skgeom._typing import Array

_SAMPLE_ROWS = 1024
_EDGES = 1024
"""Number of edges for a repeated count."""

_MARGINS = (0.001, 0.01, 0.06)
"""Distances of the edges from a rank, as shares of all pairs: three standard errors of a sample, and less."""

_FEW_EDGES = 24
"""Maximum number of edges for which comparing each takes less time than sorting the keys of a tile."""

_AROUND = 0.6
"""Distance of edges from a rank, as a share of all pairs, times √n: without a twentieth of the rows few move more."""

_MOST_COLLECTED = 1 << 23
"""Maximum number of keys to collect for one rank."""


def angle_quantiles(rows: DirectedRows, q: np.ndarray) -> np.ndarray:
    """Return the quantiles q (k,) of the angles over the pairs of different rows, interpolated linearly, in float64."""
    pairs = Pairs(rows)
    position = q * (pairs.n - 1)
    ranks = np.unique(np.r_[np.floor(position), np.ceil(position)]).astype(np.int64)
    at = dict(zip(ranks.tolist(), order_statistics(pairs, ranks.tolist()), strict=True))
    below, above = (np.array([at[int(r)] for r in side]) for side in (np.floor(position), np.ceil(position)))
    return _interpolated(below, above, position)


def _interpolated(below: np.ndarray, above: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Return the angles at positions between ranks, from the keys at the ranks below and above."""
    low, high = (2 * np.arctan(np.sqrt(key)) for key in (below, above))
    return low + (position - np.floor(position)) * (high - low)


def angle_quantiles_without(codes: np.ndarray, rows: DirectedRows, q: float) -> np.ndarray | None:
    """Return the quantile q of the angles of the rows outside each block, and of all rows (b + 1,).

    As for all rows one pass counts, and a second collects the keys between edges, with the blocks of their pairs: most
    often these edges enclose all the quantiles. None if too many keys lie between edges that do, or none are above one.
    The codes (n,) of the blocks are on the host.
    """
    codes, *sides = in_block_order(codes, *rows)
    pairs = Pairs(DirectedRows(*sides))
    n = rows_without(codes)
    position = q * (n * (n - 1) // 2 - 1)
    ranks = np.stack([np.floor(position), np.ceil(position)]).astype(np.int64)
    edges = _sample_edges(pairs, ranks[:, -1].tolist())
    below, _ = n_near(pairs, edges)
    margin = ceil(_AROUND * pairs.n / n[-1] ** 0.5)
    wanted = ranks[:, -1] + [-margin, margin]
    while np.ptp(np.clip(wanted, 0, pairs.n)) <= _MOST_COLLECTED:
        part = _Part.between(codes, pairs, *_edges_at(wanted, edges, below))
        if part is None:
            return None
        lacking = part.lacking(ranks)
        if not lacking.any():
            lower, upper = part.at(ranks)
            return _interpolated(lower, upper, position)
        if lacking[1] and wanted[1] >= below[-1]:
            return None
        wanted += [-1, 1] * np.where(lacking > 0, np.maximum(2 * lacking, margin), 0)
    return None


def _edges_at(wanted: np.ndarray, edges: np.ndarray, below: np.ndarray) -> list[float]:
    """Return about where some numbers of keys are below, given the numbers below known edges; infinity for all."""
    found = np.interp(wanted, below[:-1], edges[:-1]).astype(edges.dtype)
    return np.where(wanted < below[-2], found, np.inf).tolist()


class _Part(NamedTuple):
    """Keys (m,) of some pairs in ascending order, and the places of those of each block, and of none (b + 1,).

    `below` and `size` (b + 1,) are the numbers of smaller keys, and of these, outside each block and of all.
    """

    keys: np.ndarray
    places: list[np.ndarray]
    below: np.ndarray
    size: np.ndarray

    @classmethod
    def between(cls, codes: np.ndarray, pairs: Pairs, low: float, high: float) -> _Part | None:
        """Return the keys from one edge to below another, or None if they are too many, such as equal ones."""
        like = pairs.sphere.rows.x
        xp, parts, n_found, lock = namespace(like), [], 0, Lock()
        block = asarray_like(codes, like, dtype=xp.int32)

        def tiles(i: int) -> Iterator[tuple[int, list[Array]]]:
            nonlocal n_found
            for j, chords, counting in pairs.row(i):
                tile = keys(chords, counting)
                (place,), width = xp.nonzero(xp.reshape((tile >= low) & (tile < high), (-1,))), tile.shape[1]
                with lock:
                    n_found += place.shape[0]
                if n_found <= _MOST_COLLECTED:
                    first = xp.take(block[pairs.panels[i]], place // width)
                    second = xp.take(block[pairs.panels[j]], place % width)
                    parts.append((xp.take(xp.reshape(tile, (-1,)), place), xp.stack([first, second])))
                yield j, [tile < low]

        below = without_each(sums_between(codes, pairs.panels, like[:0, :], tiles, mirrored=False)[0])
        if n_found > _MOST_COLLECTED:
            return None
        found, sides = (to_numpy(xp.concat(part, axis=-1)) for part in zip(*parts, strict=True))
        order = np.argsort(found)
        first, second = sides.astype(np.min_scalar_type(codes[-1] + 1))[:, order]
        places = [np.flatnonzero((first == b) | (second == b)) for b in range(below.size)]
        size = found.size - np.array([each.size for each in places])
        return cls(found[order], places, np.rint(below).astype(np.int64), size)

    def lacking(self, ranks: np.ndarray) -> np.ndarray:
        """Return how many ranks (2, b + 1) outside the blocks lie before these keys at most, and after them."""
        rest = ranks - self.below
        return np.maximum([np.max(-rest), np.max(rest - self.size + 1)], 0)

    def at(self, ranks: np.ndarray) -> np.ndarray:
        """Return the keys at ranks (2, b + 1) outside the blocks."""
        found = []
        for places, rest in zip(self.places, (ranks - self.below).T, strict=True):
            kept_before = places - np.arange(places.size)
            found.append(self.keys[rest + np.searchsorted(kept_before, rest, side="right")])
        return np.stack(found, axis=1).astype(np.float64)


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
    wanted = sorted({(low, high) for low, high, _, size in brackets if size})
    found = dict(zip(wanted, map(np.sort, _between(pairs, wanted) if wanted else ()), strict=True))
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


def _between(pairs: Pairs, brackets: Sequence[tuple[float, float]]) -> list[np.ndarray]:
    """Return the keys strictly between the edges of each bracket."""

    def of_tile(tile: Array) -> list[np.ndarray]:
        return on_host(*(tile[(tile > low) & (tile < high)] for low, high in brackets))

    def work(i: int) -> list[list[np.ndarray]]:
        return [of_tile(tile) for tile in _keys(pairs, i)]

    parts = [part for row in in_threads(pairs.sphere.rows.x, work, len(pairs.panels)) for part in row]
    return [np.concatenate(found) for found in zip(*parts, strict=True)]
