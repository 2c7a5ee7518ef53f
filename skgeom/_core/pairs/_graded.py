"""Rankings with several relevant candidates for each query: the gains of their places, with ties in random order."""

from __future__ import annotations

import numpy as np

from skgeom._core.pairs._neighbours import Ranks, Rows, ranks, rows_at
from skgeom._typing import Array


def standings(x: Rows, y: Rows, pairs: np.ndarray, adjust: Array | None = None) -> Ranks:
    """Return the standing of each relevant candidate among the unit rows y, for pairs (p, 2) of query and candidate."""
    each = np.stack([np.arange(len(pairs)), pairs[:, 1]], axis=1)
    return ranks(rows_at(x, pairs[:, 0]), y, each, adjust)


def expected_ndcg(r: Ranks, queries: np.ndarray, grades: np.ndarray, k: int) -> np.ndarray:
    """Return the normalised discounted cumulative gain of each query among the first k, ties in random order.

    A candidate of grade g at place i gains g / log2(i + 1). One of t tied behind b better ones is at each of the places
    b + 1 to b + t with the same probability. The queries (p,) are sorted; those without a grade above 0 are left out.
    """
    cumulative = _discounts(int(np.max(r.better + r.tied)), k)
    gain = grades * (cumulative[r.better + r.tied] - cumulative[r.better]) / r.tied
    _, first, sizes = np.unique(queries, return_index=True, return_counts=True)
    order = np.lexsort((-grades, queries))
    place = np.arange(queries.size) - np.repeat(first, sizes)
    ideal = _discounts(int(sizes.max()), k)
    best = np.add.reduceat(grades[order] * np.diff(ideal)[place], first)
    return np.add.reduceat(gain, first)[best > 0] / best[best > 0]


def expected_average_precision(r: Ranks, queries: np.ndarray) -> np.ndarray:
    """Return the average precision of each query, ties in random order; the queries (p,) of relevant ones are sorted.

    The precision at a relevant candidate counts the R relevant ones before its tie, itself, and of the r - 1 others in
    the tie of t the expected share before it, (s - 1) (r - 1) / (t - 1) if it has place s. Summed over the places b + s
    that is (R + 1) ΔH + c (t - (b + 1) ΔH) with c = (r - 1) / (t - 1) and ΔH = H(b + t) - H(b) of harmonic numbers.
    """
    key = np.stack([queries, r.better], axis=1)
    _, tie, in_tie = np.unique(key, axis=0, return_inverse=True, return_counts=True)
    _, first, sizes = np.unique(queries, return_index=True, return_counts=True)
    order = np.lexsort((r.better, queries))
    before = np.empty(queries.size)
    place = np.arange(queries.size) - np.repeat(first, sizes)
    starts = np.flatnonzero(np.diff(tie.ravel()[order], prepend=-1))
    before[order] = np.repeat(place[starts], np.diff(starts, append=queries.size))
    together = in_tie[tie.ravel()]
    tied = np.maximum(r.tied, together)
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1.0, int(np.max(r.better + tied)) + 1))])
    rise = harmonic[r.better + tied] - harmonic[r.better]
    share = (together - 1) / np.maximum(tied - 1, 1)
    precision = ((before + 1) * rise + share * (tied - (r.better + 1) * rise)) / tied
    return np.add.reduceat(precision, first) / sizes


def _discounts(n: int, k: int) -> np.ndarray:
    """Return the sums of 1 / log2(i + 1) over the places 1 to j (n + 1,), for j from 0 on; places beyond k count 0."""
    place = np.arange(1, n + 1)
    return np.concatenate([[0.0], np.cumsum(np.where(place <= k, 1 / np.log2(place + 1), 0.0))])
