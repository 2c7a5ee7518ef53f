"""Retrieval among the rows of several modalities: the rank of a partner, and whether the own modality comes first.

A few queries at a time are compared with all rows of a modality, and their similarities sorted on the host, to count
those above a value and those equal to it. The query itself is left out of its own modality.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import NamedTuple, TypeVar

import numpy as np

from skgeom._array import is_on_host, on_host
from skgeom._core._threads import in_threads
from skgeom._core.pairs._neighbours import Ranks, Rows, block_of, squares_of, strips, tie_width

_MOST_SIMILARITIES = {True: 1 << 21, False: 1 << 25}
"""Number of similarities of a panel on the host, 16 MiB, and on an accelerator, which waits while it is copied."""

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
        own, other = _sorted_without_partner(x, (x, y), panel)
        partner = 1 - squares[panel, None] / 2
        better, tied = _counts((own, other), partner, tie_width(squares[panel, None], x, y)).sum(axis=0)
        first = np.concatenate([own[:, -k.max() :], other[:, -k.max() :], partner], axis=1)
        kth = np.take_along_axis(np.sort(first), np.broadcast_to(first.shape[1] - k, (len(own), k.size)), axis=1)
        above, level = np.moveaxis(_counts((own, other, partner), kth, _width(kth, x, y)), 1, 0)
        share = (above[0] + (k - above.sum(axis=0)) * level[0] / level.sum(axis=0)) / k
        return better[:, 0], tied[:, 0] + 1, share, _auc(own, other, x, y)

    better, tied, share, auc = map(np.concatenate, zip(*_over_panels(x, 2, work), strict=True))
    return Mixed(Ranks(better, tied, np.ones_like(tied)), share, auc)


def own_auc(x: Rows, others: Sequence[Rows]) -> np.ndarray:
    """Return for each query (q, m) how often a row of its own modality ranks before one of each other modality.

    Row i of all of them belong together, and partners are left out.
    """

    def work(panel: slice) -> np.ndarray:
        own, *rest = _sorted_without_partner(x, (x, *others), panel)
        return np.stack([_auc(own, other, x, y) for other, y in zip(rest, others, strict=True)], axis=1)

    return np.concatenate(_over_panels(x, 1 + len(others), work))


def _over_panels(x: Rows, n_sides: int, work: Callable[[slice], _R]) -> list[_R]:
    """Return the results for panels of queries, small enough for their similarities to some modalities."""
    n = x.x.shape[0]
    step = max(1, _MOST_SIMILARITIES[is_on_host(x.x)] // (n_sides * n))
    tiles = [slice(start, min(start + step, n)) for start in range(0, n, step)]
    return in_threads(x.x, lambda i: work(tiles[i]), len(tiles))


def _sorted_without_partner(x: Rows, sides: Sequence[Rows], panel: slice) -> list[np.ndarray]:
    """Return the similarities of a panel of x to the rows of each side but that of the same position, ascending."""
    own, left = np.arange(panel.start, panel.stop), block_of(x, panel)
    parts = [[strip for _, strip in strips(left, side, excluded=own, keep=True)] for side in sides]
    copies = iter(on_host(*chain.from_iterable(parts)))
    similarities = [np.concatenate([next(copies) for _ in part], axis=1) for part in parts]
    for of_side in similarities:
        of_side.sort(axis=1)
    return [of_side[:, 1:] for of_side in similarities]


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
    shares = []
    for similarities, values in zip(own, other, strict=True):
        width = _width(values, x, y)
        above, tied = _count(similarities, values - width, values + width)
        shares.append(np.mean(above + tied / 2))
    return np.array(shares) / own.shape[1]
