"""Agreement of two representations of the same rows."""

from __future__ import annotations

from math import acos
from typing import Any

from skgeom._array import float64, namespace, to_float
from skgeom._core.sums._cross import cross_moments
from skgeom._core.sums._maps import axes, centred_product
from skgeom._core.sums._moments import Moments
from skgeom._core.sums._rank import rank, ranked_moments
from skgeom._core.sums._spaces import Space, doubly_centred_product, squared_agreement
from skgeom._typing import Array
from skgeom._validation import check_flag
from skgeom._warnings import warn
from skgeom.comparison._checks import check_same_rows, check_space
from skgeom.metrics._measure import on_a_device

_FEW_ROWS = 3
"""Rows for each dimension below which a rotation fits noise."""


@on_a_device
def cka(X: Any, Y: Any, *, debiased: bool = True) -> float:
    r"""Centred kernel alignment of two representations of the same rows, with the linear kernel.

    With A and B the matrices of inner products of the centred rows,

    .. math:: \frac{\operatorname{tr} AB}{\lVert A \rVert \lVert B \rVert}
       = \frac{\lVert X_c^\top Y_c \rVert^2}{\lVert X_c^\top X_c \rVert \lVert Y_c^\top Y_c \rVert}

    is the plain form [1]_, also known as the RV coefficient. The debiased one [2]_ leaves out the diagonals and centres
    A and B such that their rows still sum to 0 (U-centring):

    .. math:: \tilde A_{ij} = a_{ij} - \frac{a_{i \cdot}}{n - 2} - \frac{a_{\cdot j}}{n - 2}
       + \frac{a_{\cdot \cdot}}{(n - 1)(n - 2)}, \quad i \ne j.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The rows in one space, at least 4.
    Y : array of shape (n_samples, m_features)
        The same rows in another; the widths may differ.
    debiased : bool, default=True
        Whether to remove the contribution of chance.

    Returns
    -------
    float
        In [-1, 1], or [0, 1] if not debiased; 1 for spaces that differ by rotation, scaling and translation.

    Raises
    ------
    ValueError
        If X or Y is not a finite matrix, they differ in rows, library or device, all rows of one are equal or, if
        debiased, equally far from one another.

    See Also
    --------
    relation_test : Whether the value is more than chance.
    compare : All pairs of many spaces.

    Notes
    -----
    Unrelated spaces do not give 0 in the plain form but, on average, √(PR(X) PR(Y)) / (n - 1), with PR the
    participation ratio: with few rows, or many directions, close to 1. In the debiased form they give 0, with a
    standard deviation of √(2 / (n (n - 3))), for any data. Compare values with that, not with 1.

    Invariant to rotation, scaling and translation of each space. O(n d m) time, one block of rows in memory and the
    matrices of features. The result carries no gradient.

    References
    ----------
    .. [1] Kornblith et al. 2019, Similarity of neural network representations revisited, arXiv:1905.00414.
    .. [2] Song et al. 2012, Feature selection via dependence maximization, JMLR 13:1393-1434.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.comparison import cka
    >>> rng = np.random.default_rng(0)
    >>> X, Y = rng.normal(size=(50, 100)), rng.normal(size=(50, 80))
    >>> round(cka(X, Y, debiased=False), 2)  # unrelated
    0.63
    >>> round(cka(X, Y), 2)
    0.0
    """
    check_flag(debiased, "debiased")
    x, y = check_same_rows(X, Y)
    first, second = check_space(x, "X", debiased=debiased), check_space(y, "Y", debiased=debiased)
    agreement = to_float(squared_agreement(first, second))
    if debiased:
        return debiased_cka(agreement, first, second)
    return min(agreement / (first.squares * second.squares) ** 0.5, 1.0)


def debiased_cka(agreement: float, x: Space, y: Space) -> float:
    """Return the debiased alignment of two spaces of the same rows, from tr(A B) of their inner products."""
    value = doubly_centred_product(agreement, x, y) / (x.doubly_centred_squares * y.doubly_centred_squares) ** 0.5
    return min(max(value, -1.0), 1.0)


@on_a_device
def shape_distance(X: Any, Y: Any) -> float:
    r"""Angle between the shapes of two representations of the same rows (Procrustes).

    .. math:: \theta = \arccos \frac{\lVert X_c^\top Y_c \rVert_*}{\lVert X_c \rVert \lVert Y_c \rVert},

    with the nuclear norm, the sum of singular values: the angle that is left after the best rotation and scaling of one
    centred space to the other.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The rows in one space.
    Y : array of shape (n_samples, m_features)
        The same rows in another; the widths may differ.

    Returns
    -------
    float
        In [0, π/2]; 0 for equal shapes. A metric: symmetric, and the triangle inequality holds.

    Warns
    -----
    UserWarning
        If there are fewer than three rows per dimension: the rotation then fits noise, and unrelated spaces look
        similar.

    Raises
    ------
    ValueError
        If X or Y is not a finite matrix, they differ in rows, library or device, or all rows of one are equal.

    See Also
    --------
    skgeom.alignment.ProcrustesAligner : The rotation itself.
    relation_test : Whether the shapes are more alike than by chance.

    Notes
    -----
    Invariant to rotation, scaling and translation of each space. O(n d m + min(d, m)³) time. Angles below 2e-8 are
    rounding. The result carries no gradient.

    References
    ----------
    Williams et al. 2021, Generalized shape metrics on neural representations, arXiv:2110.14739.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.comparison import shape_distance
    >>> X = np.random.default_rng(0).normal(size=(50, 3))
    >>> Q = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    >>> shape_distance(X, 2 * X @ Q + 1) < 1e-7
    True
    """
    x, y = check_same_rows(X, Y)
    widest = max(x.shape[1], y.shape[1])
    if x.shape[0] < _FEW_ROWS * widest:
        warn(
            f"{x.shape[0]} rows in up to {widest} dimensions: a rotation fits their noise, and unrelated spaces look "
            f"similar. Use at least {_FEW_ROWS * widest} rows, or compare with relation_test(statistic="
            '"shape_distance").'
        )
    return shape_angle(check_space(x, "X", debiased=False), y, check_space(y, "Y", debiased=False))


def shape_angle(x: Space, rows: Array, y: Space) -> float:
    """Return the angle between the shape of a space and that of rows with the squares of another."""
    between = cross_moments(x.x, rows).xy
    nuclear = to_float(namespace(between).sum(namespace(between).linalg.svdvals(between)))
    return acos(min(nuclear * x.unit * y.unit, 1.0))


@on_a_device
def mean_squared_correlation(X: Any, Y: Any) -> float:
    r"""Mean squared canonical correlation of two representations of the same rows.

    .. math:: \frac{1}{\min(p, q)} \sum_i \rho_i^2 = \frac{\lVert Q_x^\top Q_y \rVert^2}{\min(p, q)},

    with orthonormal bases Q of the centred columns of X and Y, of ranks p and q: Pillai's trace over its largest value.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The rows in one space.
    Y : array of shape (n_samples, m_features)
        The same rows in another; the widths may differ.

    Returns
    -------
    float
        In [0, 1]; 1 if one space is a linear image of the other.

    Raises
    ------
    ValueError
        If X or Y is not a finite matrix, they differ in rows, library or device, all rows of one are equal, or a rank
        reaches n - 1: every space then correlates with every other.

    See Also
    --------
    skgeom.alignment.CCAAligner : The canonical coordinates themselves.
    relation_test : Whether the value is more than chance.

    Notes
    -----
    Chance alone gives max(p, q) / (n - 1) on average. Invariant to every invertible linear map of each space: the
    directions that hardly vary count as much as the others. O(n d² + d³) time, and memory of both bases. The result
    carries no gradient.

    References
    ----------
    Pillai 1955, Some new test criteria in multivariate analysis, doi:10.1214/aoms/1177728599.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.comparison import mean_squared_correlation
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 3))
    >>> round(mean_squared_correlation(X, X @ rng.normal(size=(3, 5))), 6)
    1.0
    """
    x, y = check_same_rows(X, Y)
    return correlation_of(*bases(x, y))


def bases(x: Array, y: Array) -> tuple[Space, Space]:
    """Return orthonormal bases of the centred columns of two clouds, as spaces."""
    found = []
    for rows, name in ((x, "X"), (y, "Y")):
        check_space(rows, name, debiased=False)
        m = ranked_moments(rows)
        found.append(Space(_basis(rows, m, name)))
    return found[0], found[1]


def _basis(x: Array, m: Moments, name: str) -> Array:
    principal = axes(m)
    k, n = rank(m, principal.variances), x.shape[0]
    if k >= n - 1:
        raise ValueError(
            f"{name} has rank {k} with {n} rows: every such space has canonical correlations of 1 with every other. "
            "Reduce the dimension first, for instance by PCA or Whitening(n_components), or use cka."
        )
    scale = (principal.variances[:k] * (n - 1)) ** 0.5
    return centred_product(float64(x), m.mean, (principal.directions(k) / scale[:, None]).T)


def correlation_of(x: Space, y: Space) -> float:
    """Return the mean squared correlation of two bases: each has a total square of its rank, here scaled to 1."""
    return min(to_float(squared_agreement(x, y)) * max(x.x.shape[1], y.x.shape[1]), 1.0)
