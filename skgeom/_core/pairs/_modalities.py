"""Retrieval among the rows of several modalities: the rank of a partner, and whether the own modality comes first.

A few queries at a time are compared with all rows of a modality, and their similarities sorted, to count those above a
value and those equal to it. The query itself is left out of its own modality.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from skgeom._array import to_numpy
from skgeom._core._threads import in_threads
from skgeom._core.pairs._neighbours import Ranks, Rows, block_of, squares_of, strips, tie_width

_MOST_SIMILARITIES = 1 << 21
"""Number of similarities that a thread sorts at once: 16 MiB."""

_R = TypeVar("_R")


class Mixed(NamedTuple):
    """For each query (q,): the counts of candidates around its partner, and those of its own modality.

    `own_share` (q, k) is the share of the own modality among the first k for each cutoff, and `own_auc` (q,) how often
    a row of the own modality ranks before one of the other, without the partner.
    """

    ranks: Ranks
    own_share: np.ndarray
    own_auc: np.ndarray


def mixed(x: Rows, y: Rows, cutoffs: Sequence[int]) -> Mixed:
    """Return the standing of the partner of each unit row of x, the same row of y, among all rows of both."""
    n = x.x.shape[0]
    squares = squares_of(x, y, np.stack([np.arange(n)] * 2, axis=1))
    k = np.minimum(cutoffs, 2 * n - 1)

    def work(panel: slice) -> tuple[np.ndarray, ...]:
        own, other = (_sorted_without_partner(x, side, panel) for side in (x, y))
        partner = 1 - squares[panel, None] / 2
        better, tied = _counts((own, other), partner, tie_width(squares[panel, None], x, y)).sum(axis=0)
        first = np.concatenate([own[:, -k.max() :], other[:, -k.max() :], partner], axis=1)
        kth = np.take_along_axis(np.sort(first), np.broadcast_to(first.shape[1] - k, (len(own), k.size)), axis=1)
        above, level = np.moveaxis(_counts((own, other, partner), kth, _width(kth, x, y)), 1, 0)
        share = (above[0] + (k - above.sum(axis=0)) * level[0] / level.sum(axis=0)) / k
        return better[:, 0], tied[:, 0] + 1, share, _auc(own, other, x, y)

    better, tied, share, auc = map(np.concatenate, zip(*_over_panels(x, work), strict=True))
    return Mixed(Ranks(better, tied, np.ones_like(tied)), share, auc)


def own_auc(x: Rows, others: Sequence[Rows]) -> np.ndarray:
    """Return for each query (q, m) how often a row of its own modality ranks before one of each other modality.

    Row i of all of them belong together, and partners are left out.
    """

    def work(panel: slice) -> np.ndarray:
        own = _sorted_without_partner(x, x, panel)
        return np.stack([_auc(own, _sorted_without_partner(x, y, panel), x, y) for y in others], axis=1)

    return np.concatenate(_over_panels(x, work))


def _over_panels(x: Rows, work: Callable[[slice], _R]) -> list[_R]:
    """Return the results for panels of queries, small enough for their similarities to two modalities."""
    n = x.x.shape[0]
    step = max(1, _MOST_SIMILARITIES // (2 * n))
    tiles = [slice(start, min(start + step, n)) for start in range(0, n, step)]
    return in_threads(x.x, lambda i: work(tiles[i]), len(tiles))


def _sorted_without_partner(x: Rows, y: Rows, panel: slice) -> np.ndarray:
    """Return the similarities of a panel of x to the rows of y but that of the same position (b, m - 1), ascending."""
    own = np.arange(panel.start, panel.stop)
    parts = [to_numpy(strip) for _, strip in strips(block_of(x, panel), y, excluded=own, keep=True)]
    similarities = np.concatenate(parts, axis=1)
    similarities.sort(axis=1)
    return similarities[:, 1:]


def _width(similarity: np.ndarray, x: Rows, y: Rows) -> np.ndarray:
    return tie_width(np.clip(2 - 2 * similarity, 0, None), x, y)


def _counts(sides: Sequence[np.ndarray], values: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Return the number of sorted similarities of each side above values (b, v), and equal to them (s, 2, b, v)."""
    rows = zip(*sides, values - width, values + width, strict=True)
    return np.stack([[_count(side, low, high) for side in sides] for *sides, low, high in rows], axis=2)


def _count(similarities: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of sorted similarities that are above bands, and in them."""
    below, reached = np.searchsorted(similarities, low), np.searchsorted(similarities, high, side="right")
    return similarities.size - reached, reached - below


def _auc(own: np.ndarray, other: np.ndarray, x: Rows, y: Rows) -> np.ndarray:
    """Return the share of pairs of one similarity of each side in which the own one is larger; ties count half."""
    width = _width(other, x, y)
    counts = (_count(*row) for row in zip(own, other - width, other + width, strict=True))
    return np.array([np.mean(above + tied / 2) for above, tied in counts]) / own.shape[1]
