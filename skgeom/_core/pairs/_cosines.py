"""The distribution of the cosines of many pairs: of all of them, or of a sample.

The precision of its tail depends on the rows, not on the pairs: a row near many others affects many pairs at once.
"""

from __future__ import annotations

from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from skgeom._array import float64, namespace, row_blocks, take_rows, to_float, to_numpy, where
from skgeom._core._rows import DirectedRows, exact
from skgeom._core._threads import in_threads
from skgeom._core.pairs._quantiles import keys, n_near, order_statistics
from skgeom._core.pairs._sphere import Pairs, chords_of, pairs_per_row
from skgeom._typing import Array

EQUAL = 1e-12
"""Cosines closer than this count as equal: d rounding errors of float64 are smaller."""

_ROUNDINGS = 8
"""Pairs whose keys differ by at most this many roundings have the same cosine: results of `largest` are found."""


class AllCosines(NamedTuple):
    """The cosines of all pairs of `Pairs`, recomputed in each method and never stored."""

    rows: DirectedRows
    n_first: int | None = None
    groups: np.ndarray | None = None

    @property
    def n(self) -> int:
        """Number of pairs."""
        return int(self.per_row().sum()) // 2

    def per_row(self) -> np.ndarray:
        """Return the number of pairs that contain each row."""
        return pairs_per_row(self.rows.x.shape[0], self.n_first, self.groups)

    def largest(self, ranks: np.ndarray) -> np.ndarray:
        """Return the k-th largest cosines, counted from 1."""
        wanted, place = np.unique(ranks - 1, return_inverse=True)
        found = np.array(order_statistics(Pairs(*self), wanted.tolist()))[place]
        return np.where(np.isinf(found), -1.0, (1 - found) / (1 + found))

    def n_at_least(self, cosines: np.ndarray) -> np.ndarray:
        """Return the number of pairs with at least each of some cosines (k,)."""
        edges, place = np.unique(self._keys(cosines), return_inverse=True)
        return n_near(Pairs(*self), edges)[1][place]

    def at_least_per_row(self, cosine: float) -> np.ndarray:
        """Return the number of pairs with at least some cosine, for each row (n,)."""
        pairs = Pairs(*self)
        most = float(self._keys(np.asarray(cosine)))
        counts, lock = np.zeros(self.rows.x.shape[0], dtype=np.int64), Lock()

        def work(i: int) -> None:
            for j, chords, counting in pairs.row(i):
                near = keys(chords, None) <= most
                near = near if counting is None else near & counting
                sides = [to_numpy(namespace(near).count_nonzero(near, axis=axis)) for axis in (1, 0)]
                with lock:
                    for panel, side in zip((i, j), sides, strict=True):
                        counts[pairs.panels[panel]] += side

        in_threads(self.rows.x, work, len(pairs.panels))
        return counts

    def mean_and_std(self) -> tuple[float, float]:
        """Return the mean cosine, and the standard deviation over the pairs."""
        pairs = Pairs(*self)

        def work(i: int) -> np.ndarray:
            sums = np.zeros(2)
            for _, chords, counting in pairs.row(i):
                minus = chords.minus if counting is None else where(counting, chords.minus, 0.0)
                sums += [_total(power) for power in (minus, minus**2)]
            return sums

        mean, square = np.sum(in_threads(self.rows.x, work, len(pairs.panels)), axis=0) / pairs.n
        return float(1 - mean / 2), float(max(square - mean**2, 0.0) ** 0.5 / 2)

    def _keys(self, cosines: np.ndarray) -> np.ndarray:
        """Return the keys of cosines in the precision of the rows, with a margin for their rounding."""
        dtype = to_numpy(self.rows.x[:1, :1]).dtype
        with np.errstate(divide="ignore"):
            c = np.maximum(cosines, -1.0)
            key = (1 - c) / (1 + c)
        return np.asarray(key + _ROUNDINGS * (np.finfo(dtype).eps * key + np.finfo(np.float64).eps), dtype=dtype)


class SampledCosines(NamedTuple):
    """The cosines of sampled pairs (m,), in descending order, and the rows of each pair (m, 2)."""

    cosines: np.ndarray
    pairs: np.ndarray
    n_rows: int

    @property
    def n(self) -> int:
        """Number of pairs."""
        return self.cosines.size

    def per_row(self) -> np.ndarray:
        """Return the number of pairs that contain each row."""
        return np.bincount(self.pairs.ravel(), minlength=self.n_rows)

    def largest(self, ranks: np.ndarray) -> np.ndarray:
        """Return the k-th largest cosines, counted from 1."""
        return self.cosines[ranks - 1]

    def n_at_least(self, cosines: np.ndarray) -> np.ndarray:
        """Return the number of pairs with at least each of some cosines (k,)."""
        return np.searchsorted(-self.cosines, -cosines, side="right")

    def at_least_per_row(self, cosine: float) -> np.ndarray:
        """Return the number of pairs with at least some cosine, for each row (n,)."""
        near = self.pairs[: int(self.n_at_least(np.asarray(cosine)))]
        return np.bincount(near.ravel(), minlength=self.n_rows)

    def mean_and_std(self) -> tuple[float, float]:
        """Return the mean cosine, and the standard deviation over the pairs."""
        return float(self.cosines.mean()), float(self.cosines.std())


def _total(tile: Array) -> float:
    xp = namespace(tile)
    return to_float(xp.sum(float64(xp.sum(tile, axis=1))))


def sampled(population: AllCosines, m: int, rng: Any) -> SampledCosines:
    """Return m of the pairs, drawn uniformly with replacement."""
    rows, n_first, groups = population
    n = rows.x.shape[0]
    codes = np.arange(n) if groups is None else groups
    order = np.argsort(codes, kind="stable")
    first, second = (order, order) if n_first is None else (order[order < n_first], order[order >= n_first])
    own, ends = (np.searchsorted(codes[second], codes[first], side=side) for side in ("left", "right"))
    counts = second.size - (ends if n_first is None else ends - own)  # for one cloud, the rows of later groups
    places = numbered_pairs(rng.randint(counts.sum(), size=m, dtype=np.int64), ends, counts, second.size)
    pairs = np.stack([first[places[:, 0]], second[places[:, 1]]], axis=1)
    cosines = to_numpy(cosines_at(rows, rows, pairs))
    descending = np.argsort(-cosines, kind="stable")
    return SampledCosines(cosines[descending], pairs[descending], n)


def numbered_pairs(numbers: np.ndarray, first: np.ndarray, counts: np.ndarray, n_partners: int) -> np.ndarray:
    """Return the pairs (m, 2) of some numbers, counted row by row.

    Row i is in counts_i pairs: with the partners from first_i on, where the last is followed by the first.
    """
    ends = np.cumsum(counts)
    rows = np.searchsorted(ends, numbers, side="right")
    return np.stack([rows, (first[rows] + numbers - (ends - counts)[rows]) % n_partners], axis=1)


def paired_cosines(x: DirectedRows, y: DirectedRows) -> Array:
    """Return the cosine (n,) of each pair of partners, exactly 1 for equal rows."""
    blocks = (chords_of(exact(x, block).unit(), exact(y, block).unit()).minus for block in row_blocks(x.x))
    return 1 - namespace(x.x).concat([*blocks]) / 2


def cosines_at(x: DirectedRows, y: DirectedRows, pairs: np.ndarray) -> Array:
    """Return the cosines (m,) of pairs (m, 2) of a row of x and a row of y, given by their positions on the host."""

    def rows_at(rows: DirectedRows, index: np.ndarray) -> DirectedRows:
        return DirectedRows(*(take_rows(part, index) for part in rows))

    blocks = (pairs[block, :] for block in row_blocks(pairs, columns=x.x.shape[1]))
    return namespace(x.x).concat([paired_cosines(rows_at(x, b[:, 0]), rows_at(y, b[:, 1])) for b in blocks])


def rate_error(population: AllCosines | SampledCosines, cosine: float, units: np.ndarray) -> tuple[float, float]:
    """Return the share of pairs of at least some cosine, and its standard error over independent units of rows.

    The jackknife leaves out each unit with all its pairs. No pair is within a unit, so sums over its rows determine the
    rest. In a sample every pair is left out twice, which counts the variance of the draw once too often.
    """
    at_least, per_row = population.at_least_per_row(cosine), population.per_row()
    rate, n = at_least.sum() / per_row.sum(), population.n
    near, pairs = (np.bincount(units, counts) for counts in (at_least, per_row))
    left = n - pairs
    if not left.all():
        return float(rate), float("inf")
    without = (at_least.sum() / 2 - near) / left
    variance = (without.size - 1) * without.var()
    if isinstance(population, SampledCosines):
        of_sample = rate * (1 - rate) / n
        variance = max(variance - of_sample, of_sample)
    return float(rate), float(variance**0.5)
