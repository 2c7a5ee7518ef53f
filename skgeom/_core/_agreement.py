"""Agreement of two partitions under weights: one value per row of weights, for a bootstrap."""

from __future__ import annotations

import numpy as np


def adjusted_rand(a: np.ndarray, b: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the adjusted Rand index (b,) of codes (n,) whose rows occur as often as their weights (b, n)."""
    both = a * (b.max() + 1) + b
    together, in_a, in_b = (_pairs(_sums(codes, weights)).sum(axis=1) for codes in (both, a, b))
    expected = in_a * in_b / np.maximum(_pairs(weights.sum(axis=1)), 1)
    most = (in_a + in_b) / 2
    return np.divide(together - expected, most - expected, out=np.ones_like(most), where=most > expected)


def _pairs(counts: np.ndarray) -> np.ndarray:
    return counts * (counts - 1) / 2


def _sums(codes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the total weight (b, m) of each code that occurs."""
    order = np.argsort(codes, kind="stable")
    first = np.flatnonzero(np.diff(codes[order], prepend=codes.min() - 1))
    return np.add.reduceat(weights[:, order], first, axis=1)
