"""Synthetic data of known geometry."""

from __future__ import annotations

from math import hypot, sqrt
from typing import Any

import numpy as np
from scipy.optimize import brentq
from sklearn.utils import Bunch, check_random_state

from skgeom._core._rows import orthonormal
from skgeom._core.sums._spectrum import isoscore_of_traces
from skgeom._validation import check_count, check_real

_LEAST_ISOSCORE = 1e-6
"""Far below, rounding hides all directions but the first from the traces."""

_FARTHEST = 1e6
"""Farther from the origin, float64 has too few digits for the planted variances beside the mean."""

_STEEPEST = 64.0
"""Slope at which the first direction has all variance up to rounding, in any dimension."""


def make_anisotropic_clusters(
    n_samples: int = 1000,
    n_features: int = 32,
    *,
    n_classes: int = 4,
    isoscore: float = 0.3,
    separation: float = 3.0,
    offset: float = 0.0,
    random_state: Any = None,
    return_truth: bool = False,
) -> tuple[Any, ...]:
    r"""Draw Gaussian classes with a given isotropy, separation and distance from the origin.

    The isotropy of the whole cloud and the separation of its classes are set independently. With k classes in d
    dimensions, Q (d, d) and V (d, r) random with orthonormal columns, r = min(k - 1, d), the rows of class c are

    .. math:: x = \mu + (v_c + z\,(I - (1 - w)\,V V^\top))\,\Lambda^{1/2} Q^\top, \quad z \sim N(0, I).

    The :math:`v_c` are the corners of a regular simplex in the span of V, and w makes up for their spread, so
    that the covariance of the mixture is :math:`C = Q \Lambda Q^\top` whatever the separation. Its spectrum
    is the power law :math:`\lambda_j \propto j^{-\alpha}` with tr C = d and the given IsoScore.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows, not below `n_classes`.
    n_features : int, default=32
        Dimension d, at least 2.
    n_classes : int, default=4
        Number of classes k, at least 2. Their sizes differ by at most one row.
    isoscore : float, default=0.3
        IsoScore of C, from 1e-6 to 1. It is that of the population: few rows look less isotropic.
    separation : float, default=3.0
        Mahalanobis distance between any two class means under the covariance within classes, at least 0; 0
        gives a single cloud with random labels. With k > d + 1 it is the root mean square over the pairs, as
        no more than d + 1 points are equally far from each other.
    offset : float, default=0.0
        ‖μ‖ / √(tr C), the distance of the mean from the origin over the root mean square distance of the rows
        from the mean, from 0 to 1e6. The average cosine is near offset² / (1 + offset²).
    random_state : int, RandomState instance or None, default=None
        Seed of the directions and of the rows.
    return_truth : bool, default=False
        Whether to return the planted quantities as well.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features), float64
        The rows.
    y : ndarray of shape (n_samples,)
        Their classes, 0 to k - 1, in random order.
    truth : Bunch
        Only with `return_truth`. The population's ``isoscore``; ``slope``, the exponent α; ``spectrum`` (d,),
        the eigenvalues of C in descending order; ``covariance`` (d, d), C; ``within_covariance`` (d, d), that
        of every class; ``mean`` (d,), μ; ``class_means`` (k, d), whose mean is μ.

    Raises
    ------
    TypeError
        If a count is not an integer, or another parameter is not a number.
    ValueError
        If a parameter is out of its range.

    See Also
    --------
    skgeom.metrics.isoscore : The value set by `isoscore`.
    skgeom.metrics.average_cosine : The value set by `offset`.
    skgeom.metrics.spectrum_slope : Estimates `truth.slope`.

    Notes
    -----
    With k <= d + 1 the best possible error of a classifier depends on k and the separation alone; with two
    classes it is Φ(-separation / 2). O(n d² + d³) time.

    References
    ----------
    Mickus, Grönroos & Attieh 2024, Isotropy, clusters, and classifiers, arXiv:2402.03191 (the two as rivals).

    Examples
    --------
    >>> from skgeom.datasets import make_anisotropic_clusters
    >>> from skgeom.metrics import isoscore
    >>> X, y = make_anisotropic_clusters(20_000, 16, isoscore=0.4, random_state=0)
    >>> X.shape, round(isoscore(X), 2)
    ((20000, 16), 0.4)
    """
    k = check_count(n_classes, "n_classes", 2)
    n = check_count(n_samples, "n_samples", k)
    d = check_count(n_features, "n_features", 2)
    isoscore = check_real(isoscore, "isoscore", _LEAST_ISOSCORE, 1)
    separation = check_real(separation, "separation", 0)
    offset = check_real(offset, "offset", 0, _FARTHEST)
    rng = check_random_state(random_state)

    slope = _slope_of(isoscore, d)
    axes = np.sqrt(_variances(slope, d))[:, None] * orthonormal(rng.standard_normal((d, d))).T
    mean = offset * sqrt(d) * orthonormal(rng.standard_normal((d, 1)))[:, 0]
    corners, shrink = _simplex(rng, k, d, separation)

    y = rng.permutation(np.arange(n) % k)
    X = (rng.standard_normal((n, d)) @ shrink + corners[y]) @ axes + mean
    return (X, y, _truth(slope, mean, axes, corners, shrink)) if return_truth else (X, y)


def _truth(slope: float, mean: np.ndarray, axes: np.ndarray, corners: np.ndarray, shrink: np.ndarray) -> Bunch:
    spectrum = _variances(slope, mean.size)
    within = shrink @ axes
    return Bunch(
        isoscore=_isoscore(spectrum),
        slope=slope,
        spectrum=spectrum,
        covariance=axes.T @ axes,
        within_covariance=within.T @ within,
        mean=mean,
        class_means=corners @ axes + mean,
    )


def power_law(ranks: np.ndarray, slope: float) -> np.ndarray:
    """Return variances in proportion to rank^-slope, one on average."""
    variances = ranks**-slope
    return variances * (variances.size / variances.sum())


def _variances(slope: float, d: int) -> np.ndarray:
    return power_law(np.arange(1.0, d + 1), slope)


def _isoscore(spectrum: np.ndarray) -> float:
    return float(isoscore_of_traces(spectrum.sum() ** 2, (spectrum**2).sum(), spectrum.size))


def _slope_of(isoscore: float, d: int) -> float:
    """Solve for the slope: the IsoScore of a power law falls from 1 at slope 0 to 0."""
    return brentq(lambda slope: _isoscore(_variances(slope, d)) - isoscore, 0.0, _STEEPEST, xtol=1e-15)


def _simplex(rng: np.random.RandomState, k: int, d: int, separation: float) -> tuple[np.ndarray, np.ndarray]:
    """Return class means (k, d), and a matrix (d, d) that shrinks white noise to the covariance within them.

    Together they have covariance I: the means share·VVᵀ, the noise I - share·VVᵀ. Orthonormal columns U
    (k, r) that sum to 0 give the means √(share·k)·UVᵀ. In the metric of the noise their squared distance is
    2k·share / (1 - share) if r = k - 1, and on average r / (k - 1) of that if r = d < k - 1.
    """
    r = min(k - 1, d)
    gaussian = rng.standard_normal((k, r))
    u = orthonormal(gaussian - gaussian.mean(axis=0))
    v = orthonormal(rng.standard_normal((d, r)))
    odds = separation / sqrt(2 * k * r / (k - 1))
    root_share, root_rest = odds / hypot(1, odds), 1 / hypot(1, odds)
    return root_share * sqrt(k) * u @ v.T, np.eye(d) - (1 - root_rest) * v @ v.T
