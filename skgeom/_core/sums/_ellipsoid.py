"""The properties of an off-centre ellipsoid shell: radius, variances and tilt, and offset."""

from __future__ import annotations

from math import pi

import numpy as np

from skgeom._array import float64, namespace, ratio, row_blocks, where
from skgeom._core._rows import norms
from skgeom._core.sums._moments import Moments
from skgeom._core.sums._rank import live
from skgeom._typing import Array


def separation(a: Moments, b: Moments) -> Array:
    """Return |μ - ν| / √(σ² + τ²) of each feature (d,): infinite for different constants, 0 for equal ones."""
    xp = namespace(a.mean)
    distance, spread = xp.abs(a.mean - b.mean), xp.sqrt(a.variances() + b.variances())
    return where((spread == 0) & (distance > 0), xp.inf, ratio(distance, spread))


def radii(x: Array, mean: Array) -> Array:
    """Return the distance of each row to the mean (n,), in float64."""
    return namespace(x).concat([norms(float64(x[rows, :]) - mean) for rows in row_blocks(x)])


def shell(radii: Array) -> tuple[Array, Array, Array]:
    """Return the squared mean of the radii, their variance, and their standard deviation over their mean."""
    xp = namespace(radii)
    return xp.mean(radii) ** 2, xp.var(radii), xp.std(radii) / xp.mean(radii)


def off_diagonal_dominance(m: Moments) -> Array:
    """Return the mean over features of Σ_{j≠i} |C_ij| / C_ii, over the features that vary."""
    c = m.dense().scatter
    xp = namespace(c)
    own = xp.linalg.diagonal(c)
    alive = live(m)
    return _mean_over(alive, ratio(xp.sum(xp.abs(c), axis=1) - own, where(alive, own, 0.0)))


def chance_dominance(m: Moments) -> Array:
    """Return the off-diagonal dominance expected of independent Gaussian features with the same variances.

    For n rows, their sample covariances are about N(0, C_ii C_jj / (n - 1)).
    """
    v = m.variances()
    xp = namespace(v)
    alive = live(m)
    deviations = xp.sqrt(where(alive, v, 0.0))
    relative = ratio(xp.sum(deviations), deviations) - 1
    return _mean_over(alive, relative) * (2 / (pi * (m.n - 1))) ** 0.5


def offset_ratio(m: Moments) -> Array:
    """Return ‖μ‖ / √tr C."""
    return ratio(norms(m.mean[None, :])[0], namespace(m.mean).sqrt(m.total_variance()))


def unbiased_offset_ratio(m: Moments) -> Array:
    """Return √(‖μ‖² / tr C - 1/n), without the sampling error of the mean; 0 if the difference is negative."""
    r = offset_ratio(m)
    return namespace(r).clip(r * r - 1 / m.n, min=0.0) ** 0.5


def vertex(at: np.ndarray, values: np.ndarray) -> float:
    """Return the vertex of the parabola through the smallest of equally spaced values and its neighbours."""
    i = int(values.argmin())
    if i in (0, values.size - 1):
        return float(at[i])
    before, least, after = values[i - 1 : i + 2]
    curvature = before - 2 * least + after
    return float(at[i] + (at[1] - at[0]) * (before - after) / (2 * curvature)) if curvature > 0 else float(at[i])


def _mean_over(alive: Array, values: Array) -> Array:
    xp = namespace(values)
    return ratio(xp.sum(where(alive, values, 0.0)), xp.sum(xp.astype(alive, values.dtype)))
