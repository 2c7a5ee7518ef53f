"""The distribution of the cosines of many pairs: of all of them, or of a sample.

The precision of its tail depends on the rows, not on the pairs: a row near many others affects many pairs at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from skgeom._array import (
    asarray_like,
    epsilon,
    float64,
    namespace,
    numbers,
    on_host,
    row_blocks,
    take_rows,
    to_float,
    to_numpy,
    vecdot,
    where,
)
from skgeom._core._rows import DirectedRows, exact
from skgeom._core._threads import in_threads
from skgeom._core.pairs._quantiles import keys, n_near, order_statistics
from skgeom._core.pairs._sphere import Pairs, chords_of, pairs_per_row
from skgeom._typing import Array

EQUAL = 1e-12
"""Cosines closer than this count as equal: d rounding errors of float64 are smaller."""

_ROUNDINGS = 8
"""Cosines of rows in float32 that differ by at most this many roundings count as equal."""

_NEAR = 1e-3
"""Largest share of 1 - cos that counts as rounding: close pairs are summed directly, with all their digits."""

_COPIES = 2
"""Rows with a chord of at most this many roundings have one direction: a factor rounds each coordinate once."""

_N_LINES = 3
"""Number of random lines on which the places of two directions agree only if they are nearly the same."""


class Ties(NamedTuple):
    """The cosines that count as equal in a cloud: those that differ by the rounding of its rows.

    `spread` is the largest squared distance of a unit row to their mean, with which the rounding of a tile grows, and
    `epsilon` the relative spacing of the numbers of the rows.
    """

    spread: float
    epsilon: float

    def lowest(self, cosines: np.ndarray) -> np.ndarray:
        """Return the lowest cosines that count as equal to some."""
        width = self.spread * max(EQUAL, _ROUNDINGS * self.epsilon)
        return cosines - np.minimum(width, _NEAR * (1 - cosines)) - _ROUNDINGS * np.finfo(np.float64).eps

    def merged(self, cosines: np.ndarray) -> np.ndarray:
        """Return cosines (m,), those that count as equal to a larger one replaced by it."""
        descending = np.sort(cosines)[::-1]
        ends = np.searchsorted(-descending, -self.lowest(descending), side="right").tolist()
        starts = [0]
        while ends[starts[-1]] < cosines.size:
            starts.append(ends[starts[-1]])
        tops = descending[starts][::-1]
        return tops[np.searchsorted(tops, cosines)]


def ties_of(rows: DirectedRows) -> Ties:
    """Return the cosines of pairs of some rows that count as equal."""
    xp, x = namespace(rows.x), rows.x

    def units() -> Iterator[Array]:
        return (exact(rows, block).unit() for block in row_blocks(x))

    mean = sum(xp.sum(u, axis=0) for u in units()) / x.shape[0]
    squares = xp.concat([vecdot(u - mean, u - mean) for u in units()])
    return Ties(to_float(xp.max(squares)), epsilon(x))


@dataclass(frozen=True, eq=False)
class AllCosines:
    """The cosines of all pairs of `Pairs`, recomputed in each method and never stored."""

    rows: DirectedRows
    n_first: int | None = None
    groups: np.ndarray | None = None

    @cached_property
    def pairs(self) -> Pairs:
        """The pairs in tiles, which hold a copy of the rows and remember what is costly to learn."""
        return Pairs(self.rows, self.n_first, self.groups)

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
        found = np.array(order_statistics(self.pairs, wanted.tolist()))[place]
        return np.where(np.isinf(found), -1.0, (1 - found) / (1 + found))

    def ties(self) -> Ties:
        """Return the cosines that count as equal."""
        return ties_of(self.rows)

    def n_at_least(self, cosines: np.ndarray) -> np.ndarray:
        """Return the number of pairs with at least each of some cosines (k,)."""
        edges, place = np.unique(self._keys(cosines), return_inverse=True)
        return n_near(self.pairs, edges)[1][place]

    def at_least_per_row(self, cosine: float) -> np.ndarray:
        """Return the number of pairs with at least some cosine, for each row (n,)."""
        pairs, most = self.pairs, float(self._keys(np.asarray(cosine)))
        counts = np.zeros(self.rows.x.shape[0], dtype=np.int64)

        def work(i: int) -> list[tuple[int, Array]]:
            found = []
            for j, chords, counting in pairs.row(i):
                near = keys(chords, None) <= most
                near = near if counting is None else near & counting
                found += [(k, namespace(near).count_nonzero(near, axis=axis)) for k, axis in ((i, 1), (j, 0))]
            return found

        for found in in_threads(self.rows.x, work, len(pairs.panels)):
            for (panel, _), of_panel in zip(found, on_host(*(array for _, array in found)), strict=True):
                counts[pairs.panels[panel]] += of_panel
        return counts

    def mean_and_std(self) -> tuple[float, float]:
        """Return the mean cosine, and the standard deviation over the pairs."""
        pairs = self.pairs

        def work(i: int) -> list[Array]:
            tiles = (minus if c is None else where(c, minus, 0.0) for _, (minus, _), c in pairs.row(i))
            return [_total(power) for minus in tiles for power in (minus, minus**2)]

        sums = numbers([total for totals in in_threads(self.rows.x, work, len(pairs.panels)) for total in totals])
        mean, square = np.sum(np.reshape(sums, (-1, 2)), axis=0) / pairs.n
        return float(1 - mean / 2), float(max(square - mean**2, 0.0) ** 0.5 / 2)

    def _keys(self, cosines: np.ndarray) -> np.ndarray:
        """Return the largest keys, in the precision of the rows, of cosines that count as equal to some."""
        with np.errstate(divide="ignore"):
            c = np.maximum(self.ties().lowest(cosines), -1.0)
            return np.asarray((1 - c) / (1 + c), dtype=to_numpy(self.rows.x[:1, :1]).dtype)


class SampledCosines(NamedTuple):
    """The cosines of sampled pairs (m,), in descending order, the rows of each (m, 2), and which cosines are equal."""

    cosines: np.ndarray
    pairs: np.ndarray
    n_rows: int
    equal: Ties

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
        return np.searchsorted(-self.cosines, -self.equal.lowest(cosines), side="right")

    def ties(self) -> Ties:
        """Return the cosines that count as equal."""
        return self.equal

    def at_least_per_row(self, cosine: float) -> np.ndarray:
        """Return the number of pairs with at least some cosine, for each row (n,)."""
        near = self.pairs[: int(self.n_at_least(np.asarray(cosine)))]
        return np.bincount(near.ravel(), minlength=self.n_rows)

    def mean_and_std(self) -> tuple[float, float]:
        """Return the mean cosine, and the standard deviation over the pairs."""
        return float(self.cosines.mean()), float(self.cosines.std())


def _total(tile: Array) -> Array:
    xp = namespace(tile)
    return xp.sum(float64(xp.sum(tile, axis=1)))


def sampled(population: AllCosines, m: int, rng: Any) -> SampledCosines:
    """Return m of the pairs, drawn uniformly with replacement."""
    rows, n_first, groups = population.rows, population.n_first, population.groups
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
    return SampledCosines(cosines[descending], pairs[descending], n, population.ties())


def numbered_pairs(numbers: np.ndarray, first: np.ndarray, counts: np.ndarray, n_partners: int) -> np.ndarray:
    """Return the pairs (m, 2) of some numbers, counted row by row.

    Row i is in counts_i pairs: with the partners from first_i on, where the last is followed by the first.
    """
    ends = np.cumsum(counts)
    rows = np.searchsorted(ends, numbers, side="right")
    return np.stack([rows, (first[rows] + numbers - (ends - counts)[rows]) % n_partners], axis=1)


def paired_cosines(x: DirectedRows, y: DirectedRows) -> Array:
    """Return the cosine (n,) of each pair of partners, exactly 1 for equal rows."""
    return 1 - _squared_chords(x, y) / 2


def cosines_at(x: DirectedRows, y: DirectedRows, pairs: np.ndarray) -> Array:
    """Return the cosines (m,) of pairs (m, 2) of a row of x and a row of y, given by their positions on the host."""
    return 1 - _squared_chords_at(x, y, pairs) / 2


def _squared_chords(x: DirectedRows, y: DirectedRows) -> Array:
    """Return the squared chord (n,) of each pair of partners, in float64."""
    blocks = (chords_of(exact(x, block).unit(), exact(y, block).unit()).minus for block in row_blocks(x.x))
    return namespace(x.x).concat([*blocks])


def _squared_chords_at(x: DirectedRows, y: DirectedRows, pairs: np.ndarray) -> Array:
    """Return the squared chords (m,) of pairs (m, 2) of a row of x and a row of y."""

    def rows_at(rows: DirectedRows, index: np.ndarray) -> DirectedRows:
        return DirectedRows(*(take_rows(part, index) for part in rows))

    blocks = (pairs[block, :] for block in row_blocks(pairs, columns=x.x.shape[1]))
    return namespace(x.x).concat([_squared_chords(rows_at(x, b[:, 0]), rows_at(y, b[:, 1])) for b in blocks])


def different(rows: DirectedRows) -> np.ndarray:
    """Return the positions, ascending, of the rows whose direction is not that of an earlier row, up to rounding.

    Equal directions are neighbours in the order along any line, so rows are compared with those next to them, and only
    if their places on other lines agree too.
    """
    places = _on_lines(rows)
    kept = np.argsort(places[:, 0], kind="stable")
    apart = 1
    tolerance = _COPIES * epsilon(rows.x) + EQUAL / 64  # places differ by at most the chord, and rounding
    while apart < kept.size:
        first, second = kept[:-apart], kept[apart:]
        near = places[second, 0] - places[first, 0] <= tolerance
        if not near.any():
            break
        near &= (np.abs(places[second, 1:] - places[first, 1:]) <= tolerance).all(axis=1)
        copies = _later_copies(rows, np.stack([first[near], second[near]], axis=1))
        kept = kept[~np.isin(kept, copies)]
        apart = 1 if copies.size else apart + 1
    return np.sort(kept)


def _on_lines(rows: DirectedRows) -> np.ndarray:
    """Return the places of the unit rows on some lines (n, k), in float64 on the host."""
    xp, drawn = namespace(rows.x), np.random.default_rng(0).normal(size=(rows.x.shape[1], _N_LINES))
    lines = asarray_like(drawn / np.sqrt(np.sum(drawn**2, axis=0)), rows.x, dtype=xp.float64)
    return to_numpy(xp.concat([exact(rows, block).unit() @ lines for block in row_blocks(rows.x)]))


def _later_copies(rows: DirectedRows, pairs: np.ndarray) -> np.ndarray:
    """Return the later row of each of some pairs (m, 2) whose directions are equal up to rounding."""
    if not pairs.size:
        return pairs[:, 0]
    squares = to_numpy(_squared_chords_at(rows, rows, pairs))
    return pairs[squares <= (_COPIES * epsilon(rows.x)) ** 2, :].max(axis=1)


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
