"""Functions of the covariance spectrum of a cloud: isotropy, effective dimension, principal directions.

Most measures need no eigenvalue: with t = tr C and f = ‖C‖²_F the participation ratio is t²/f, and IsoScore is an
affine function of it. A cloud of equal rows uses no direction: its participation ratio and its ranks are 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from skgeom._array import asarray_like, namespace, ratio, sqrt_in_place, wants_gradient, where
from skgeom._core.sums._moments import FourthMoments, Moments, nearby, once_per_moments
from skgeom._core.sums._rank import rank
from skgeom._typing import Array

_ROUNDING = 1e-13
"""Share of the terms of a difference below which it counts as 0."""


def relative_traces(m: Moments) -> tuple[Array, Array]:
    """Return the traces of C / tr C, which neither overflow nor underflow at any scale; zeros for equal rows."""
    t = m.total_variance()
    return m.traces(where(t > 0, t, 1.0))


def unbiased_traces(m: FourthMoments) -> tuple[Array, Array]:
    """Return the U-statistics of (tr C)² and tr C².

    Distribution-free closed forms of Himeno & Yamada (2014), doi:10.1016/j.jmva.2014.05.006; n >= 4.
    """
    n = m.second.n
    return unbiased_squares(n, *m.second.traces(), m.quartic / (n - 1))


def unbiased_squares(n: Any, t: Array, f: Array, q: Array) -> tuple[Array, Array]:
    """Return the same from tr C, tr C² and Σ ‖y‖⁴ / (n - 1) over the n centred rows y."""
    unit = (n - 1) / (n * (n - 2) * (n - 3))
    return (
        unit * _rest(2 * f + (n * n - 3 * n + 1) * t * t, n * q),
        unit * _rest((n - 1) * (n - 2) * f + t * t, n * q),
    )


def _rest(terms: Array, less: Array) -> Array:
    """Return a difference; 0 if it is rounding, as for rows at right angles and for all rows but one equal."""
    rest = terms - less
    return where(namespace(rest).abs(rest) > _ROUNDING * terms, rest, 0.0)


def debiased_participation_ratio(m: FourthMoments) -> Array:
    """Return the ratio of the unbiased estimates of (tr C)² and tr C²; infinite if only the second is 0."""
    t2, f = unbiased_traces(m)
    return where((f == 0) & (t2 > 0), namespace(f).inf, ratio(t2, f))


def debiased_isoscore(m: FourthMoments) -> Array:
    """Return (PR - 1) / (d - 1) of these estimates, which can leave [0, 1]."""
    d = m.second.mean.shape[0]
    return unclipped_isoscore(*unbiased_traces(m), d) if d > 1 else isoscore(m.second)


def unclipped_isoscore(t2: Array, f: Array, d: int) -> Array:
    """Return the same from (tr C)² and tr C²; 1 in one dimension, 0 for equal rows."""
    if d == 1:
        return ratio(f, f)
    return where((f == 0) & (t2 > 0), namespace(f).inf, ratio(t2 - f, f) / (d - 1))


def participation_ratio(m: Moments) -> Array:
    """Return (tr C)² / tr C²."""
    t, f = relative_traces(m)
    return ratio(t * t, f)


def isoscore(m: Moments) -> Array:
    """Return (PR - 1) / (d - 1)."""
    t, f = relative_traces(m)
    return isoscore_of_traces(t * t, f, m.mean.shape[0])


def isoscore_of_traces(t2: Array, f: Array, d: int) -> Array:
    """Return the IsoScore of a covariance from (tr C)² and tr C²; 1 in one dimension, 0 for equal rows."""
    return namespace(f).clip(unclipped_isoscore(t2, f, d), min=0.0, max=1.0)


def collapse_bound(k: int, d: int) -> float:
    """Return the largest IsoScore of k points, of any weights, in d dimensions."""
    used = min(k - 1, d)
    return max(0.0, (used - 1) / (d - 1)) if d > 1 else float(used)


def isotropy(m: Moments) -> Array:
    """Return the cosine between the variances of the principal directions and the vector of ones: √(PR / d)."""
    return (participation_ratio(m) / m.mean.shape[0]) ** 0.5


def isotropy_defect(m: Moments) -> Array:
    """Return ‖√d λ/‖λ‖ - 1‖ / √(2(d - √d)), the distance of the spectrum from the flat one; 1 for equal rows."""
    xp = namespace(m.mean)
    t, f = relative_traces(m)
    d = m.mean.shape[0]
    if d == 1:
        return 1.0 - ratio(f, f)
    cosine = xp.clip(ratio(t, sqrt_in_place(d * f)), min=d**-0.5, max=1.0)
    return sqrt_in_place(d * (1 - cosine) / (d - d**0.5))


def isoscore_star(m: Moments, c0: Array | None, zeta: float) -> Array:
    """Return the IsoScore of (1 - ζ)C + ζC₀, where C₀ is by default the isotropic covariance of the same trace."""
    xp = namespace(m.mean)
    d = m.mean.shape[0]
    if c0 is None:
        t, f = relative_traces(m)
        t0, f0, inner = t, t * t / d, t * t / d
    else:
        unit = m.total_variance() + xp.linalg.trace(c0)
        unit = where(unit > 0, unit, 1.0)
        t, f = m.traces(unit)
        c0 = c0 / unit
        t0, f0, inner = xp.linalg.trace(c0), xp.sum(c0 * c0), m.inner(c0, unit)
    t = (1 - zeta) * t + zeta * t0
    f = (1 - zeta) ** 2 * f + 2 * zeta * (1 - zeta) * inner + zeta**2 * f0
    return isoscore_of_traces(t * t, f, d)


def _singular_values(m: Moments) -> Array:
    """Return the singular values of the centred rows, computed once unless a derivative may be requested."""
    return m.singular_values() if wants_gradient(m.mean) else _known_singular_values(m)


@once_per_moments
def _known_singular_values(m: Moments) -> Array:
    return m.singular_values()


def covariance_eigenvalues(m: Moments) -> Array:
    """Return the eigenvalues of the sample covariance that can differ from 0, in descending order."""
    return _singular_values(m) ** 2 / (m.n - 1)


def isotropic_shares(n: int, d: int) -> np.ndarray:
    """Return the shares of the variance (min(n - 1, d),), in descending order, of n rows of an isotropic cloud.

    They are the quantiles of the distribution of Marchenko and Pastur (1967). With few rows they are far from equal.
    """
    small, large = sorted((n - 1, d))
    ratio, angle = small / large, np.linspace(0, np.pi, 4097)
    values = 1 + ratio + 2 * ratio**0.5 * np.cos(angle)
    density = np.sin(angle) ** 2 / np.where(values > 0, values, 1.0)  # as a function of the angle it has no poles
    passed = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    quantiles = np.interp((np.arange(small) + 0.5) / small, passed / passed[-1], values)
    return quantiles / quantiles.sum()


def above(values: Array, tolerance: float) -> Array:
    """Return the descending values that exceed a tolerance relative to the largest."""
    xp = namespace(values)
    kept = (values > tolerance * values[0]) & (values > 0)
    return values[: int(xp.sum(xp.astype(kept, xp.int64)))]


def spectral_entropy(p: Array) -> Array:
    """Return -Σ p log p, where 0 log 0 = 0."""
    xp = namespace(p)
    return -xp.sum(p * xp.log(where(p > 0, p, 1.0)))


def effective_rank(m: Moments) -> Array:
    """Return the exponential of the entropy of the normalised singular values of the directions that count."""
    xp = namespace(m.mean)
    s = _counting(m)
    total = xp.sum(s)
    return where(total > 0, xp.exp(spectral_entropy(ratio(s, total))), 0.0)


def rankme(m: Moments, epsilon: float) -> Array:
    """Return the RankMe of the uncentred rows: exp of the entropy of σ/Σσ + ε."""
    xp = namespace(m.mean)
    s = _counting(m.about_origin())[: min(int(m.n), m.mean.shape[0])]
    return xp.exp(spectral_entropy(ratio(s, xp.sum(s)) + epsilon))


def _counting(m: Moments) -> Array:
    """Return the singular values, with 0 for those of directions that do not count."""
    near = nearby(m).second
    s = _singular_values(near)
    position = asarray_like(range(s.shape[0]), s)
    return _beside(m, near, where(position < rank(near, s * s / (near.n - 1)), s, 0.0))


def _beside(m: Moments, near: Moments, values: Array) -> Array:
    """Return values from the copy of moments beside the moments themselves."""
    return values if near is m else asarray_like(values, m.mean)


def stable_rank(m: Moments) -> Array:
    """Return tr C / λ_max."""
    values = covariance_eigenvalues(m)
    return ratio(namespace(values).sum(values), values[0])


def spectrum_slope(m: Moments, first: int = 1, last: int | None = None) -> Array:
    """Return the decay exponent α of λ_j ∝ j^(-α) between two ranks, by least squares with weights 1/j.

    Only variances above the noise of the rows count; the slope is infinite if there are fewer than two.
    """
    near = nearby(m).second
    values = covariance_eigenvalues(near)
    values = values[: rank(near, values)]
    xp = namespace(values)
    last = values.shape[0] if last is None else min(last, values.shape[0])
    if last <= first:
        return asarray_like(float("inf"), m.mean) + 0.0 * m.mean[0]
    ranks = asarray_like(range(first, last + 1), values)
    x, y, w = xp.log(ranks), xp.log(values[first - 1 : last]), 1 / ranks
    x, y = x - xp.sum(w * x) / xp.sum(w), y - xp.sum(w * y) / xp.sum(w)
    return _beside(m, near, -xp.sum(w * x * y) / xp.sum(w * x * x))


def variance_explained(m: Moments) -> Array:
    """Return the share of the variance in the first 1, 2, ..., d principal directions; zeros for equal rows."""
    xp = namespace(m.mean)
    values = covariance_eigenvalues(m)
    padded = xp.concat([values, xp.zeros_like(m.mean)])[: m.mean.shape[0]]
    return ratio(xp.cumulative_sum(padded), xp.sum(padded))
