"""Correlations of two variables under weights: one value per row of weights, for a bootstrap."""

from __future__ import annotations

import numpy as np

_ROUNDING = 1e-26
"""Variance of values between -1 and 1 below which they differ only by rounding."""


def pearson(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return Pearson's r (b,) of variables (n,) or (b, n) under weights (b, n); 0 if one of them is constant."""
    total = weights.sum(axis=1, keepdims=True)
    x, y = (values - (weights * values).sum(axis=1, keepdims=True) / total for values in map(_from_zero, (x, y)))
    product, xx, yy = ((weights * z).sum(axis=1) / total[:, 0] for z in (x * y, x * x, y * y))
    varies = np.minimum(xx, yy) > _ROUNDING
    return np.divide(product, np.sqrt(xx * yy), out=np.zeros_like(product), where=varies).clip(-1, 1)


def spearman(x: np.ndarray, y: np.ndarray, weights: np.ndarray, *, width: float = 0.0) -> np.ndarray:
    """Return Spearman's ρ (b,) of variables (n,) under weights (b, n); equal values share their mean rank.

    Values of x within a width of the next smaller one count as equal to it.
    """
    return pearson(mid_ranks(x, weights, width), mid_ranks(y, weights), weights)


def mid_ranks(x: np.ndarray, weights: np.ndarray, width: float = 0.0) -> np.ndarray:
    """Return the ranks (b, n) of values (n,), each of which occurs as often as its weight."""
    order = np.argsort(x, kind="stable")
    ordered = x[order]
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] > ordered[:-1] + width]))
    sizes = np.add.reduceat(weights[:, order], first, axis=1)
    group = np.empty(x.size, dtype=np.int64)
    group[order] = np.repeat(np.arange(first.size), np.diff(first, append=x.size))
    return (np.cumsum(sizes, axis=1) - (sizes - 1) / 2)[:, group]


def _from_zero(values: np.ndarray) -> np.ndarray:
    """Return values shifted and scaled so that the first is 0 and the largest magnitude 1: squares stay in range."""
    moved = values - values[..., :1]
    return moved / (np.abs(moved).max() or 1.0)
