"""Nearest rows without a block of rows, for each of some blocks, from one search.

The k nearest remaining rows are the first k remaining entries of a longer list. A list is long enough if it extends
beyond all ties with the last of these, whichever block is left out. Otherwise a longer list is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

_SPARE = 4
"""Extra length of the first lists, beyond one and a half times the number of neighbours."""

_LONGER = 4
"""Factor by which the next lists are longer."""

_MOST = 8
"""Maximum size of longer lists relative to the first: beyond it, recomputing without each block costs less."""

_ENTRIES = 1 << 17
"""Size of the lists to process at once: they stay in cache."""


class Space(NamedTuple):
    """Rows and a search for neighbours among them.

    `nearest` returns the distances of some rows (r,), or with None of each row, to the nearest others (r, w),
    ascending, and their positions. `width` returns the maximum difference of tied distances (b, r) of some rows.
    """

    nearest: Callable[[np.ndarray | None, int], tuple[np.ndarray, np.ndarray]]
    width: Callable[[np.ndarray, np.ndarray], np.ndarray]


class Lists(NamedTuple):
    """The nearest others of some rows (r,): their distances (r, w), ascending, positions, and blocks (r, w).

    `low` and `high` (b + 1, r) enclose the ties with the k-th remaining neighbour, without each block and for all rows.
    """

    rows: np.ndarray
    near: np.ndarray
    others: np.ndarray
    blocks: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def weights(self, block: int, k: int) -> np.ndarray:
        """Return the weight of each among the k nearest without a block (r, w): tied ones share the last places."""
        is_left = self.blocks != block
        nearer = is_left & (self.near < self.low[block, :, None])
        tied = is_left & (self.near <= self.high[block, :, None]) & ~nearer
        share = (k - nearer.sum(axis=1)) / np.maximum(tied.sum(axis=1), 1)
        return nearer + share[:, None] * tied

    def some(self, rows: np.ndarray) -> Lists:
        """Return the lists of the rows in a mask (r,)."""
        rest = self.near[rows], self.others[rows], self.blocks[rows]
        return Lists(self.rows[rows], *rest, self.low[:, rows], self.high[:, rows])


def sum_without(
    codes: np.ndarray, spaces: Sequence[Space], k: int, of: Callable[[Sequence[Lists]], np.ndarray]
) -> np.ndarray | None:
    """Return the sum over all rows of a function of their lists in each space; None if too many are tied.

    The codes (n,) name the blocks; without any one of them at least k + 1 rows remain. The lists of a row need not be
    long enough for its own block.
    """
    n, total = codes.size, np.array(0.0)
    rows, w = np.arange(n), min(k + k // 2 + _SPARE, n - 1)
    most, step = _MOST * n * w, max(1, _ENTRIES // w)
    while rows.size and rows.size * w <= most:
        found = [_nearest_others(space, rows, n, w) for space in spaces]
        short = []
        for start in range(0, rows.size, step):
            part = slice(start, start + step)
            lists = [
                _lists(codes, space, k, rows[part], near[part], index[part])
                for space, (near, index) in zip(spaces, found, strict=True)
            ]
            reaches = np.all([_are_long_enough(one, codes) for one in lists], axis=0)
            total = total + of(lists if reaches.all() else [one.some(reaches) for one in lists])
            short.append(rows[part][~reaches])
        rows, w = np.concatenate(short), min(_LONGER * w, n - 1)
    return None if rows.size else total


def _nearest_others(space: Space, rows: np.ndarray, n: int, w: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the distances of some rows to the w nearest others, and their positions."""
    if rows.size == n:
        return space.nearest(None, w)
    near, index = space.nearest(rows, w + 1)
    others = np.argsort(index == rows[:, None], axis=1, kind="stable")[:, :w]  # equal rows may displace the row itself
    return np.take_along_axis(near, others, axis=1), np.take_along_axis(index, others, axis=1)


def _lists(codes: np.ndarray, space: Space, k: int, rows: np.ndarray, near: np.ndarray, index: np.ndarray) -> Lists:
    blocks = codes[index]
    kth = np.stack([_kth_left(near, blocks != block, k) for block in range(codes.max() + 2)])
    width = space.width(rows, kth)
    return Lists(rows, near, index, blocks, kth - width, kth + width)


def _kth_left(near: np.ndarray, is_left: np.ndarray, k: int) -> np.ndarray:
    """Return the k-th remaining distance of each row (r,), NaN if there are fewer."""
    count = np.cumsum(is_left, axis=1, dtype=np.int32)
    kth = np.take_along_axis(near, np.argmax(count == k, axis=1)[:, None], axis=1)[:, 0]
    return np.where(count[:, -1] >= k, kth, np.nan)


def _are_long_enough(lists: Lists, codes: np.ndarray) -> np.ndarray:
    """Return for which rows (r,) the k-th remaining neighbour and its ties are known without any other block."""
    is_own = codes[lists.rows] == np.arange(len(lists.high))[:, None]
    reaches = lists.near[:, -1] > lists.high if lists.near.shape[1] < codes.size - 1 else ~np.isnan(lists.high)
    return np.all(is_own | reaches, axis=0)
