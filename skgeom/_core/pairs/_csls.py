"""Ranks and neighbours by CSLS from products that are used twice: for the crowding of rows, and for the comparisons.

Ranks need one pass. A panel of candidates is compared with all queries. Its products determine its crowding, and
thereby its similarities. The threshold of a query depends on the crowding of its relevant candidate, which may not be
known yet: until then, bounds come from a linear fit to the first panel. Only pairs within these bounds are stored in a
list until the end. Queries with wrong bounds, or with too long a list, are counted again.
"""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock

import numpy as np

from skgeom._array import to_numpy
from skgeom._core._threads import in_threads
from skgeom._core.pairs._neighbours import (
    CSLS_NEIGHBOURS,
    Bands,
    Ranks,
    Rows,
    Search,
    as_directions,
    bands_of_best,
    block_of,
    counted_singly,
    crowding,
    entries,
    k_nearest,
    leaves_few,
    mean_cosine,
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
from skgeom._typing import Array

_MOST_PRODUCTS = 1 << 23
"""Number of products of a panel with all queries that are kept for a second use: 32 MiB."""

_LEAST_ROWS = 192
"""Rows of a panel below which one pass may cost more than two with panels of the usual size."""

_DEVIATIONS = 3
"""Half the width of the bounds of crowding, in standard deviations of the first panel about the fit."""

_MOST_LISTED = 32
"""Number of candidates of a query in the list."""


def ranks_by_csls(x: Rows, y: Rows, pairs: np.ndarray) -> Ranks:
    """Return the result of `ranks` with the crowding of y among x as adjustment."""
    search = _search_of_crowding(y, x)
    return ranks(x, y, pairs, crowding(y, x)) if search is None else _Pass(search, pairs).ranks()


def nearest_by_csls(x: Array, y: Array | None, k: int) -> tuple[Array, Array]:
    """Return the k smallest r_Y(x) + r_X(y) - 2 cos of each row to those of y, or to the others, and their positions.

    They correct the cosines for hubs. Without y the crowding of all rows must be known before the search.
    """
    rows, others = as_directions(x), None if y is None else as_directions(y)
    of_y = crowding(rows, None) if others is None else crowding(others, rows)
    search = None if others is None else _search_of_crowding(rows, others)
    if search is None:
        of_x = of_y if others is None else crowding(rows, others)
        values, indices = k_nearest(rows, others, k, adjust=of_y)
    else:
        of_x, values, indices = _crowding_and_nearest(search, k, of_y)
    return values - 2 + of_x[:, None], indices


def _crowding_and_nearest(search: Search, k: int, adjust: Array) -> tuple[Array, Array, Array]:
    """Return the crowding of the rows of a search, and the result of `k_nearest` for them, from the same products."""
    adjusted = search._replace(k=k, offset=offset_of(search.y, adjust), adjust=adjust)
    half = (to_numpy(adjust) / 2).astype(np.float32)
    tiles = _panels_of(search)

    def work(i: int) -> tuple[Array, Array, Array]:
        met = _strips_of(search, tiles[i])
        squares, _ = panel_nearest(search, tiles[i], met)
        for columns, strip in met:
            strip -= half[columns]
        return mean_cosine(squares), *panel_nearest(adjusted, tiles[i], met)

    crowdings, values, indices = zip(*in_threads(search.x.x, work, len(tiles)), strict=True)
    return np.concatenate(crowdings), np.concatenate(values), np.concatenate(indices)


def _search_of_crowding(x: Rows, y: Rows) -> Search | None:
    """Return the search for the crowding of x among y; None if its strips cannot be kept or are not precise enough."""
    k = min(CSLS_NEIGHBOURS, y.x.shape[0])
    search = Search(x, y, k, np.dtype(np.float32), None, None, None)
    is_small = isinstance(y.x, np.ndarray) and y.x.shape[0] * _LEAST_ROWS <= _MOST_PRODUCTS
    return search if is_small and not_repeated(y.x, k) is None and leaves_few(search) else None


def _panels_of(search: Search) -> list[slice]:
    """Return the slices of rows whose strips are kept at once."""
    n, step = search.x.x.shape[0], min(panels(search.x.x)[0].stop, max(1, _MOST_PRODUCTS // search.y.x.shape[0]))
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]


def _strips_of(search: Search, panel: slice) -> list[tuple[slice, np.ndarray]]:
    """Return the cosines of the rows of a panel with all others, in float32."""
    left = to_numpy(block_of(search.x, panel)).astype(np.float32)
    return [(columns, to_numpy(strip)) for columns, strip in strips(left, search.y, keep=True)]


def _counts_of_columns(mask: np.ndarray) -> np.ndarray:
    """Return the number of true entries in each column, by sums of bytes, ten times as fast as those of integers."""
    parts = (mask[i : i + 255].view(np.uint8) for i in range(0, mask.shape[0], 255))
    return np.stack([np.sum(part, axis=0, dtype=np.uint8) for part in parts]).sum(axis=0, dtype=np.int64)


def _blocks(rows: Rows) -> Iterator[np.ndarray]:
    return (to_numpy(block_of(rows, panel)) for panel in panels(rows.x))


class _Pass:
    """The panels of candidates in a search, and the state of queries and candidates so far.

    The crowding of each candidate is estimated to be between `least` and `most` (m,), which are equal once it is known.
    For each query, `above` (n,) counts the candidates that are certainly better, and `listed` (n,) the undecided ones.
    """

    def __init__(self, search: Search, pairs: np.ndarray) -> None:
        self.search, self.pairs = search, pairs
        self.x, self.y = search.y, search.x
        n, m = self.x.x.shape[0], self.y.x.shape[0]
        self.squares = squares_of(self.x, self.y, pairs)
        self.queries, self.first = np.unique(pairs[:, 0], return_index=True)
        width = np.maximum.reduceat(tie_width(self.squares, self.x, self.y), self.first)
        self.slack = width + slack_of_single(self.x.x.shape[1])
        self.least, self.most = np.full(m, -np.inf), np.full(m, np.inf)
        self.above, self.listed = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
        self.lock = Lock()
        self.panels = _panels_of(search)

    def ranks(self) -> Ranks:
        """Return the result of `ranks`."""
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
        """Compute the crowding of a panel, count better candidates, and return the undecided queries and candidates."""
        panel = self.panels[i]
        met = _strips_of(self.search, panel)
        self._learn(panel, to_numpy(mean_cosine(panel_nearest(self.search, panel, met)[0])))
        half = (self.least[panel] / 2).astype(np.float32)[:, None]
        low, high = self._thresholds()
        parts = []
        for columns, strip in met:
            strip -= half
            is_above = strip > high[columns]
            is_between = (strip >= low[columns]) != is_above
            counts = [_counts_of_columns(mask) for mask in (is_above, is_between)]
            with self.lock:
                self.above[columns] += counts[0]
                self.listed[columns] += counts[1]
            is_between &= ~self._is_dropped()[columns]
            row, column = map(to_numpy, entries(is_between))
            parts.append((column + columns.start, row + panel.start, strip[row, column]))
        row, column, product = (np.concatenate(part) for part in zip(*parts, strict=True))
        return row, column, product

    def _learn(self, panel: slice, found: np.ndarray) -> None:
        """Store the crowding of a panel, and, from the first, the bounds for all others."""
        if panel.start == 0:
            known = self._known_before()
            guess = known @ np.linalg.lstsq(known[panel], found, rcond=None)[0]
            margin = _DEVIATIONS * np.std(found - guess[panel])
            self.least[:], self.most[:] = guess - margin, guess + margin
        self.least[panel] = self.most[panel] = found

    def _known_before(self) -> np.ndarray:
        """Return the predictors of the crowding of a candidate (m, 3): 1, its mean cosine, that to its nearest query.

        The last is approximated by the cosine to a query to which it is relevant.
        """
        mean = np.sum([np.sum(block, axis=0) for block in _blocks(self.x)], axis=0) / self.x.x.shape[0]
        means = np.concatenate([block @ mean for block in _blocks(self.y)])
        nearest = means.copy()
        np.maximum.at(nearest, self.pairs[:, 1], 1 - self.squares / 2)
        return np.stack([np.ones_like(means), means, nearest], axis=1)

    def _is_dropped(self) -> np.ndarray:
        return self.listed > _MOST_LISTED

    def _thresholds(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the similarities (n,) below and above which candidates are certainly worse and better."""
        cosines, relevant = 1 - self.squares / 2, self.pairs[:, 1]
        low, high = np.full((2, self.x.x.shape[0]), np.inf, dtype=np.float32)
        low[self.queries] = np.maximum.reduceat(cosines - self.most[relevant] / 2, self.first) - self.slack
        high[self.queries] = np.maximum.reduceat(cosines - self.least[relevant] / 2, self.first) + self.slack
        dropped = self._is_dropped()
        low[dropped] = high[dropped] = np.inf
        return low, high

    def _counts_of_listed(
        self, bands: Bands, adjust: np.ndarray, row: np.ndarray, column: np.ndarray, product: np.ndarray
    ) -> np.ndarray:
        """Return the number of pairs in the list that are above the bands, and in them (2, q)."""
        place, slack = np.searchsorted(bands.row, row), slack_of_single(self.x.x.shape[1])
        is_above = product > bands.high[place] + slack
        near = (product >= bands.low[place] - slack) & ~is_above
        counts = counted_singly(self.x, self.y, bands, offset_of(self.y, adjust), place[near], column[near])
        counts[0] += np.bincount(place[is_above], minlength=bands.row.size)
        return counts
