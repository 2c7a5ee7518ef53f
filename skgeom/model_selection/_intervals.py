"""Paired differences of several candidates from one, with intervals that hold for all of them at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from scipy.stats import poisson

Statistic: TypeAlias = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""From observations (m, n) of candidates, positions (n,) of their rows and weights (b, n) to values (b, m)."""

_CHUNK = 2**22
"""Numbers in the largest array of a block of resamples."""


_COUNTS = np.searchsorted(np.round(2**16 * poisson.cdf(np.arange(9), 1.0)), np.arange(2**16), side="right") + 0.0
"""Counts of a Poisson distribution of mean 1, each as often as it is likely, to 2^-16: drawn ten times as fast."""


class Differences(NamedTuple):
    """The differences (m,) of candidates from the first, and half the widths of their intervals (m,)."""

    values: np.ndarray
    differences: np.ndarray
    margins: np.ndarray


def compared(
    observed: np.ndarray,
    fold: np.ndarray,
    groups: np.ndarray,
    statistic: Statistic,
    *,
    confidence: float,
    n_resamples: int,
    rng: np.random.Generator,
    errors: np.ndarray | None = None,
) -> Differences:
    """Compare candidates by a statistic of the observations (m, n) of each on held-out rows of folds (n,).

    The value is the mean over folds, weighted by their rows. Groups of rows are resampled (Poisson bootstrap), the same
    for all candidates, since all have the same rows. Each difference is divided by its standard error, and the margin
    is that error times the quantile of the largest of all: the intervals have one joint confidence, whichever is chosen
    afterwards. Known standard errors (m,) replace those of the resamples.
    """
    values = _values(observed, fold, np.ones((1, fold.size)), statistic)[0]
    differences = values - values[0]
    per_block = max(1, _CHUNK // fold.size)
    replicates = []
    for start in range(0, n_resamples, per_block):
        size = min(per_block, n_resamples - start), groups.max() + 1
        draws = _COUNTS[rng.integers(0, _COUNTS.size, size, dtype=np.uint16)]
        replicates.append(_values(observed, fold, draws[:, groups], statistic))
    resampled = np.concatenate(replicates)
    off = resampled - resampled[:, :1] - differences
    scale = off.std(axis=0)
    standard = np.divide(np.abs(off), scale, out=np.zeros_like(off), where=scale > 0)
    quantile = np.quantile(standard.max(axis=1), confidence)
    return Differences(values, differences, (scale if errors is None else errors) * quantile)


def _values(observed: np.ndarray, fold: np.ndarray, weights: np.ndarray, statistic: Statistic) -> np.ndarray:
    """Return the mean over folds (b, m) of the statistic of each candidate under each row of weights (b, n)."""
    total = np.zeros((len(weights), len(observed)))
    for f in np.unique(fold):
        rows = np.flatnonzero(fold == f)
        in_fold = weights[:, rows]
        in_fold[in_fold.sum(axis=1) == 0] = 1.0  # a fold of few groups of which none was drawn
        total += rows.size * statistic(observed[:, rows], rows, in_fold)
    return total / fold.size


def mean_of(values: np.ndarray, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the mean of values (m, n) under each row of weights (b, n)."""
    return weights @ values.T / weights.sum(axis=1, keepdims=True)
