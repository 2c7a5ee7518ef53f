"""Exact quantiles of the angles between all pairs of rows, without ever holding them.

The key of a pair is ‖u - v‖² / ‖u + v‖² = tan²(θ/2), which grows with the angle and is exact near 0 and near π. One
pass over the tiles counts the keys below and up to each of some edges, a second collects the keys between the two edges
around each rank that is wanted. The edges come from the pairs of a few rows; where they are too coarse, the count is
repeated between them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, floor, log

import numpy as np

from skgeom._array import asarray_like, namespace, to_numpy, where
from skgeom._core._rows import DirectedRows
from skgeom._core._threads import in_threads
from skgeom._core.pairs._sphere import Sphere
from skgeom._typing import Array

_SAMPLE_ROWS = 1024
_EDGES = 1024
"""Edges between which the count is repeated."""

_MARGINS = (0.001, 0.01, 0.06)
"""Shares of all pairs by which the edges around a rank are off it: three standard errors of a sample, and less."""

_FEW_EDGES = 24
"""Edges up to which a comparison for each takes less time than to sort the keys of a tile."""

_MOST_COLLECTED = 1 << 23
"""Keys that may be collected for one rank."""


def angle_quantiles(rows: DirectedRows, q: np.ndarray) -> np.ndarray:
    """Return the quantiles q (k,) of the angles over the pairs of different rows, interpolated linearly, in float64."""
    sphere = Sphere(rows)
    n = rows.x.shape[0]
    position = q * (n * (n - 1) // 2 - 1)
    ranks = sorted({int(r) for h in position.tolist() for r in (floor(h), ceil(h))})
    keys = dict(zip(ranks, _order_statistics(sphere, ranks), strict=True))
    below, above = (np.array([keys[int(r)] for r in side]) for side in (np.floor(position), np.ceil(position)))
    low, high = (2 * np.arctan(np.sqrt(key)) for key in (below, above))
    return low + (position - np.floor(position)) * (high - low)


def _order_statistics(sphere: Sphere, ranks: Sequence[int]) -> list[float]:
    """Return the keys at given ranks, counted from 0, in ascending order of the keys."""
    edges = _sample_edges(sphere, ranks)
    while True:
        below, up_to = _counts(sphere, edges)
        brackets = [_bracket(rank, edges, below, up_to) for rank in ranks]
        wide = {(low, high) for low, high, _, size in brackets if size > _MOST_COLLECTED}
        if not wide:
            return _collected(sphere, ranks, brackets)
        edges = np.unique(np.concatenate([edges, *(_finer(*ends, edges.dtype) for ends in wide)]))


def _bracket(rank: int, edges: np.ndarray, below: np.ndarray, up_to: np.ndarray) -> tuple[float, float, int, int]:
    """Return the edges around a rank, how many keys come before those between them, and how many these are.

    An edge that is the key itself is both ends.
    """
    i = int(np.searchsorted(up_to, rank, side="right"))
    if below[i] <= rank:
        return float(edges[i]), float(edges[i]), int(below[i]), 0
    return float(edges[i - 1]), float(edges[i]), int(up_to[i - 1]), int(below[i] - up_to[i - 1])


def _collected(sphere: Sphere, ranks: Sequence[int], brackets: Sequence[tuple[float, float, int, int]]) -> list[float]:
    """Return the keys at given ranks from the keys between their edges."""
    wanted = {(low, high) for low, high, _, size in brackets if size}
    found = {ends: np.sort(_between(sphere, *ends)) for ends in wanted}
    return [
        low if not size else float(found[low, high][rank - skipped])
        for rank, (low, high, skipped, size) in zip(ranks, brackets, strict=True)
    ]


def _sample_edges(sphere: Sphere, ranks: Sequence[int]) -> np.ndarray:
    """Return edges from 0 to infinity, of which some are around each rank among the pairs of some rows."""
    x = sphere.rows.x
    u = namespace(x).astype(sphere.exact(slice(None, None, max(1, x.shape[0] // _SAMPLE_ROWS))), x.dtype)
    cosines = np.clip(to_numpy(u @ u.T)[np.triu_indices(u.shape[0], 1)].astype(np.float64), -1 + 1e-7, 1 - 1e-7)
    n = x.shape[0]
    places = np.asarray(ranks)[:, None] / (n * (n - 1) / 2) + np.r_[np.negative(_MARGINS), _MARGINS]
    around = np.quantile((1 - cosines) / (1 + cosines), np.unique(np.clip(places, 0, 1)))
    return np.unique(np.r_[0.0, around, np.inf].astype(to_numpy(x[:1, :1]).dtype))


def _finer(low: float, high: float, dtype: np.dtype) -> np.ndarray:
    """Return edges between two others."""
    info = np.finfo(dtype)
    ends = log(max(low, float(info.smallest_normal))), log(min(high, float(info.max)))
    return np.exp(np.linspace(ends[0], ends[1], _EDGES)).astype(dtype)


def _keys(sphere: Sphere, i: int) -> Iterator[Array]:
    """Yield the keys of the pairs of each tile (m,) in a row of tiles, from the diagonal on.

    On the diagonal each pair counts once, and the rest is infinite.
    """
    xp = namespace(sphere.rows.x)
    for j, (minus, plus) in sphere.row(i, range(i, len(sphere.panels))):
        opposite = plus == 0
        apart = not bool(xp.any(opposite))
        keys = minus / plus if apart else where(opposite, xp.inf, minus / where(opposite, 1.0, plus))
        if i == j:
            keys = where(xp.triu(xp.ones_like(keys), k=1) > 0, keys, xp.inf)
        yield xp.reshape(keys, (-1,))


def _counts(sphere: Sphere, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how many keys of all pairs are below and how many up to each edge."""
    at = asarray_like(edges, sphere.rows.x)

    def work(i: int) -> np.ndarray:
        total = np.zeros((2, edges.size), dtype=np.int64)
        for keys in _keys(sphere, i):
            total += to_numpy(_counted(keys, at))
        return total

    below, up_to = np.sum(in_threads(sphere.rows.x, work, len(sphere.panels)), axis=0)
    return below, up_to


def _counted(keys: Array, edges: Array) -> Array:
    """Return how many keys are below and how many up to each edge (2, k)."""
    xp = namespace(keys)
    if edges.shape[0] <= _FEW_EDGES:
        one_by_one = [edges[e] for e in range(edges.shape[0])]
        below = xp.stack([xp.count_nonzero(keys < edge) for edge in one_by_one])
        return xp.stack([below, xp.stack([xp.count_nonzero(keys <= edge) for edge in one_by_one])])
    ordered = xp.sort(keys, stable=False)
    return xp.stack([xp.searchsorted(ordered, edges, side=side) for side in ("left", "right")])


def _between(sphere: Sphere, low: float, high: float) -> np.ndarray:
    """Return the keys strictly between two edges."""

    def work(i: int) -> list[np.ndarray]:
        return [to_numpy(keys[(keys > low) & (keys < high)]) for keys in _keys(sphere, i)]

    return np.concatenate([part for parts in in_threads(sphere.rows.x, work, len(sphere.panels)) for part in parts])
