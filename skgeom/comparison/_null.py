"""The tail of a statistic whose first three moments are known."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm, pearson3

from skgeom._core._permutation import Null

_SYMMETRIC = 1e-8
"""Skewness below which the distribution is taken for normal."""


def p_value(null: Null, value: float) -> float:
    """Return the probability of a value as large, by Pearson's distribution of type III with these moments.

    It is continuous: a value on a grid stands for the half step below it.
    """
    z = null.z_score(value - null.step / 2)
    return positive(norm.sf(z) if abs(null.skewness) < _SYMMETRIC else pearson3.sf(z, null.skewness))


def positive(probability: float) -> float:
    """Return a probability that is not 0, which no finite number of rows proves, even if it is below all floats."""
    return max(float(probability), float(np.finfo(np.float64).tiny))
