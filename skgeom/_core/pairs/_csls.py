"""Ranks by CSLS from one pass of products, which tell how crowded the candidates are and count what is more similar.

A panel of candidates meets all queries. Its crowding follows from its products, and with it the similarities of the
panel. What a query must exceed depends on the crowding of its relevant candidate, which may not be known yet: until
then the crowding of the first panel says about where it is. Only pairs within these bounds wait for the end, in a list.
A query for which the bounds were wrong, or the list too long, is counted again in a pass of its own.
"""

from __future__ import annotations

from threading import Lock

import numpy as np

from skgeom._core._threads import in_threads
from skgeom._core.pairs._neighbours import (
    CSLS_NEIGHBOURS,
    PROBE_ROWS,
    Bands,
    Ranks,
    Rows,
    Search,
    bands_of_best,
    block_of,
    candidates,
    counted_singly,
    crowding,
    entries,
    not_repeated,
    offset_of,
    panel_nearest,
    rank_counts,
    ranks,
    slack_of_single,
    squares_of,
    strips,
    tie_width,
)
from skgeom._core.pairs._tiles import panels

_MOST_PRODUCTS = 1 << 22
"""Products of a panel with all queries that are kept for the second look at them: 16 MiB."""

_LEAST_ROWS = 64
"""Rows of a panel below which its product costs more than a second one with panels of the usual size."""

_DEVIATIONS = 3
"""Standard deviations from the mean of the first panel within which the crowding of most others is."""

_MOST_LISTED = 32
"""Candidates of a query that wait in the list."""


def ranks_by_csls(x: Rows, y: Rows, pairs: np.ndarray) -> Ranks:
    """Return what `ranks` does with the crowding of y among x as adjustment."""
    n, k = x.x.shape[0], min(CSLS_NEIGHBOURS, x.x.shape[0])
    if isinstance(x.x, np.ndarray) and n * _LEAST_ROWS <= _MOST_PRODUCTS and not_repeated(x.x, k) is None:
        search = Search(y, x, k, np.float32, None, None, None)
        if candidates(search, slice(0, min(PROBE_ROWS, y.x.shape[0]))) is not None:
            return _Pass(search, pairs).ranks()
    return ranks(x, y, pairs, crowding(y, x))


class _Pass:
    """The panels of the candidates that a search goes through, and what is known of queries and candidates so far.

    The crowding of each candidate is between `least` and `most` (m,), and both once it is known, if the `guess` holds.
    Of each query, `above` (n,) counts candidates, and `listed` (n,) those in the list.
    """

    def __init__(self, search: Search, pairs: np.ndarray) -> None:
        self.search, self.pairs = search, pairs
        self.x, self.y = search.y, search.x
        n, m = self.x.x.shape[0], self.y.x.shape[0]
        self.squares = squares_of(self.x, self.y, pairs)
        self.slack = tie_width(self.squares, self.x, self.y) + slack_of_single(self.x.x.shape[1])
        self.queries, self.first = np.unique(pairs[:, 0], return_index=True)
        self.least, self.most = np.full(m, -np.inf), np.full(m, np.inf)
        self.above, self.listed = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
        self.lock = Lock()
        step = min(panels(self.y.x)[0].stop, max(1, _MOST_PRODUCTS // n))
        self.panels = [slice(start, min(start + step, m)) for start in range(0, m, step)]

    def ranks(self) -> Ranks:
        first = self._list_of(0)
        guess = self.least.copy(), self.most.copy()
        others = in_threads(self.x.x, lambda i: self._list_of(i + 1), len(self.panels) - 1)
        row, column, product = (np.concatenate(parts) for parts in zip(first, *others, strict=True))
        adjust = self.least
        bands, relevant = bands_of_best(self.x, self.y, self.pairs, self.squares, adjust)
        outside = (adjust < guess[0]) | (adjust > guess[1])
        again = np.logical_or.reduceat(outside[self.pairs[:, 1]], self.first) | (self._is_dropped()[self.queries])
        counts = np.stack([self.above[self.queries], np.zeros(self.queries.size, dtype=np.int64)])
        counts += self._counts_of_listed(bands, adjust, row, column, product)
        if again.any():
            few = Bands(*(side[again] for side in bands))
            counts[:, again] = rank_counts(self.x, self.y, few, offset_of(self.y, adjust))
        better, tied = counts
        return Ranks(better, np.maximum(tied, relevant), relevant)

    def _list_of(self, i: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Learn the crowding of a panel, count what is above, and return the queries and candidates in doubt."""
        panel = self.panels[i]
        left = block_of(self.y, panel).astype(np.float32)
        met = list(strips(left, self.x, keep=True))
        squares, _ = panel_nearest(self.search, panel, met)
        self._learn(panel, 1 - squares.mean(axis=1) / 2)
        half = (self.least[panel] / 2).astype(np.float32)[:, None]
        low, high = self._thresholds()
        parts = []
        for columns, strip in met:
            strip -= half
            is_above = strip > high[columns]
            is_between = (strip >= low[columns]) != is_above
            with self.lock:
                self.above[columns] += np.count_nonzero(is_above, axis=0)
                self.listed[columns] += np.count_nonzero(is_between, axis=0)
            is_between &= ~self._is_dropped()[columns]
            row, column = entries(is_between)
            parts.append((column + columns.start, row + panel.start, strip[row, column]))
        return tuple(np.concatenate(part) for part in zip(*parts, strict=True))

    def _learn(self, panel: slice, found: np.ndarray) -> None:
        if panel.start == 0:
            margin = _DEVIATIONS * np.std(found)
            self.least[:], self.most[:] = np.mean(found) - margin, np.mean(found) + margin
        self.least[panel] = self.most[panel] = found

    def _is_dropped(self) -> np.ndarray:
        return self.listed > _MOST_LISTED

    def _thresholds(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the similarities (n,) below which and above which candidates are certain to be worse and better."""
        cosines, relevant = 1 - self.squares / 2, self.pairs[:, 1]
        low, high = np.full((2, self.x.x.shape[0]), np.inf, dtype=np.float32)
        low[self.queries] = np.maximum.reduceat(cosines - self.most[relevant] / 2 - self.slack, self.first)
        high[self.queries] = np.maximum.reduceat(cosines - self.least[relevant] / 2 + self.slack, self.first)
        dropped = self._is_dropped()
        low[dropped] = high[dropped] = np.inf
        return low, high

    def _counts_of_listed(
        self, bands: Bands, adjust: np.ndarray, row: np.ndarray, column: np.ndarray, product: np.ndarray
    ) -> np.ndarray:
        """Return how many of the pairs in the list are above the bands, and how many in them (2, q)."""
        place, slack = np.searchsorted(bands.row, row), slack_of_single(self.x.x.shape[1])
        is_above = product > bands.high[place] + slack
        near = (product >= bands.low[place] - slack) & ~is_above
        counts = counted_singly(self.x, self.y, bands, offset_of(self.y, adjust), place[near], column[near])
        counts[0] += np.bincount(place[is_above], minlength=bands.row.size)
        return counts
