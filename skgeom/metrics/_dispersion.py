"""How evenly embeddings spread over the sphere: angles, energies, distance to the uniform distribution."""

from __future__ import annotations

from typing import Any

import numpy as np

from skgeom._array import to_float
from skgeom._core.pairs import _energies, _quantiles
from skgeom._core.sums import _angular
from skgeom._validation import check_choice, check_directed, check_fractions, check_real

_DISTANCES = ("chordal", "geodesic")


def min_angle(X: Any) -> float:
    r"""Minimum angle between two rows.

    .. math:: \min_{i < j} \theta_{ij}, \qquad
              \theta_{ij} = 2 \operatorname{atan2}(\lVert u_i - u_j \rVert, \lVert u_i + u_j \rVert), \quad
              u = x / \lVert x \rVert.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.

    Returns
    -------
    float
        In radians, in [0, π], larger = better separated; 0 if two rows have one direction.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, or a row is zero.

    See Also
    --------
    mma : The mean angle of each row to its nearest, with the sign of a loss.
    angle_quantiles : All of the distribution.

    Notes
    -----
    Invariant to rotation and to the length of each row. O(n² d) time in tiles, memory of a few copies of X. The angle
    comes from the two chords, since acos loses half of the digits near 0 and π.

    The largest possible value for n rows is the problem of Tammes: acos(-1/(n - 1)) for n ≤ d + 1, π/2 for n ≤ 2d [1]_.

    References
    ----------
    .. [1] Rankin 1955, doi:10.1017/S2040618500033219.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import min_angle
    >>> round(min_angle(np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])), 4)
    1.5708
    """
    return to_float(_energies.min_angle(_energies.nearest_in_angle(check_directed(X))))


def median_angle(X: Any) -> float:
    """Median angle between two rows: the half quantile of `angle_quantiles`.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.

    Returns
    -------
    float
        In radians, in [0, π]; near π/2 for a space of many dimensions without a common direction.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, or a row is zero.

    Notes
    -----
    Invariant to rotation and to the length of each row. Exact; cost as `angle_quantiles`.

    References
    ----------
    Tokarchuk et al. 2025, Keep your distance, arXiv:2502.08231.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import median_angle
    >>> round(median_angle(np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])), 4)
    1.5708
    """
    return float(angle_quantiles(X, 0.5))


def angle_quantiles(X: Any, q: Any) -> Any:
    """Quantiles of the angles between all pairs of rows, exact and without holding them.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.
    q : float or sequence of float
        Which quantiles, from 0 (the minimum angle) to 1 (the largest), interpolated linearly.

    Returns
    -------
    float, or ndarray of shape (len(q),)
        In radians, in [0, π].

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, a row is zero, or q leaves [0, 1].

    Notes
    -----
    Invariant to rotation and to the length of each row. O(n² d) time: one pass over the tiles counts, a second collects
    what lies around the ranks asked for, at most some million angles for each. The median of medians of blocks, which
    other code reports, is another number.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import angle_quantiles
    >>> X = np.random.default_rng(0).normal(size=(500, 64))
    >>> np.degrees(angle_quantiles(X, [0.01, 0.5, 0.99])).round(1)
    array([ 73.2,  90. , 106.8])
    """
    quantiles = check_fractions(q, "q")
    values = _quantiles.angle_quantiles(check_directed(X), np.atleast_1d(quantiles))
    return values if quantiles.ndim else float(values[0])


def spherical_variance(X: Any) -> float:
    r"""Spherical variance: how much the directions cancel.

    .. math:: 1 - \Bigl\lVert \frac1n \sum_i u_i \Bigr\rVert, \qquad u = x / \lVert x \rVert.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.

    Returns
    -------
    float
        In [0, 1]; 0 = all rows have one direction, 1 = the unit rows sum to zero, as spread rows do (and opposite pairs
        of rows too, however close together).

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, or a row is zero.

    Notes
    -----
    Invariant to rotation and to the length of each row. O(n d) time.

    References
    ----------
    Mardia & Jupp 1999, Directional Statistics, doi:10.1002/9780470316979.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import spherical_variance
    >>> round(spherical_variance(np.array([[1.0, 0.0], [0.0, 1.0]])), 4)
    0.2929
    """
    return to_float(_angular.spherical_variance(check_directed(X)))


def uniformity(X: Any, *, t: float = 2.0) -> float:
    r"""Uniformity: logarithm of the mean Gaussian potential between directions.

    .. math:: \log \frac{2}{n(n-1)} \sum_{i < j} e^{-t \lVert u_i - u_j \rVert^2}, \qquad u = x / \lVert x \rVert.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.
    t : float, default=2.0
        Sharpness of the potential, at least 0.

    Returns
    -------
    float
        In [-4t, 0], less = more uniform; 0 if all rows have one direction. The uniform distribution on a sphere of many
        dimensions has about -2t.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, a row is zero, or t is negative or not finite.

    See Also
    --------
    kernel_energy : The same mean without the logarithm, and of other kernels.
    alignment : Its counterpart for pairs.

    Notes
    -----
    Invariant to rotation and to the length of each row. O(n² d) time in tiles, memory of a few copies of X; computed in
    logarithms where t is so large that the potentials vanish.

    References
    ----------
    Wang & Isola 2020, arXiv:2005.10242.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import uniformity
    >>> X = np.random.default_rng(0).normal(size=(500, 64))
    >>> round(uniformity(X), 2), round(uniformity(X + 1), 2)
    (-3.87, -1.93)
    """
    return to_float(_energies.uniformity(check_directed(X), check_real(t, "t", low=0)))


def kernel_energy(X: Any, *, kernel: str = "gaussian", gamma: float = 1.0, distance: str = "chordal") -> float:
    r"""Mean kernel between different directions.

    .. math:: \frac{2}{n(n-1)} \sum_{i < j} k(\delta_{ij}), \qquad
              k(\delta) = e^{-\gamma \delta^2} \text{ (gaussian) or } e^{-\gamma \delta} \text{ (laplace)},

    where δ is the chord ‖u - v‖ or the angle θ between the directions.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.
    kernel : {"gaussian", "laplace"}, default="gaussian"
        The kernel.
    gamma : float, default=1.0
        Its sharpness, at least 0.
    distance : {"chordal", "geodesic"}, default="chordal"
        The straight distance ‖u - v‖ = √(2 - 2 cos θ), or θ in radians.

    Returns
    -------
    float
        In [0, 1], less = more dispersed; 1 if all rows have one direction.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, a row is zero, or an option is unknown or out of range.

    Notes
    -----
    Invariant to rotation and to the length of each row. O(n² d) time in tiles, memory of a few copies of X.

    The reference code of [1]_ has the chord as 2 - cos θ, which never vanishes, so that its repulsion does where rows
    touch; and its Gaussian kernel exp(γ cos θ) has half the γ of this one.

    References
    ----------
    .. [1] Tokarchuk et al. 2025, Keep your distance, arXiv:2502.08231.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import kernel_energy
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> round(kernel_energy(X), 4), round(kernel_energy(X, kernel="laplace", distance="geodesic"), 4)
    (0.1353, 0.2079)
    """
    check_choice(kernel, ("gaussian", "laplace"), "kernel")
    check_choice(distance, _DISTANCES, "distance")
    rows, gamma = check_directed(X), check_real(gamma, "gamma", low=0)
    return to_float(_energies.mean_energy(rows, _energies.KERNELS[kernel, distance](gamma)))


def riesz_energy(X: Any, *, s: float = 1.0, distance: str = "chordal") -> float:
    r"""Mean Riesz energy between different directions.

    .. math:: \frac{2}{n(n-1)} \sum_{i < j} \delta_{ij}^{-s}, \quad
              \text{of } -\log \delta_{ij} \text{ for } s = 0 \text{ and of } -\delta_{ij}^{|s|} \text{ for } s < 0,

    where δ is the chord ‖u - v‖ or the angle θ between the directions.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.
    s : float, default=1.0
        The exponent; 1 is the energy of Thomson's electrons. With "geodesic" it is the hyperspherical energy (MHE).
    distance : {"chordal", "geodesic"}, default="chordal"
        The straight distance ‖u - v‖ = √(2 - 2 cos θ), or θ in radians.

    Returns
    -------
    float
        At least 2^(-s) or π^(-s) for s > 0, less = more dispersed; inf if two rows have one direction (s ≥ 0).

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, a row is zero, s is not finite, or the distance is unknown.

    Notes
    -----
    Invariant to rotation and to the length of each row. O(n² d) time in tiles, memory of a few copies of X.

    References
    ----------
    Liu et al. 2018, Learning towards minimum hyperspherical energy, arXiv:1805.09298.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import riesz_energy
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    >>> round(riesz_energy(X), 4), round(riesz_energy(X, s=0), 4)
    (0.6381, -0.4621)
    """
    check_choice(distance, _DISTANCES, "distance")
    rows, s = check_directed(X), check_real(s, "s")
    return to_float(_energies.mean_energy(rows, _energies.KERNELS["riesz", distance](s)))


def mmd_uniform(X: Any, *, gamma: float = 1.0) -> float:
    r"""Squared maximum mean discrepancy between the directions and the uniform distribution on the sphere.

    .. math:: \frac{1}{n^2} \sum_{i, j} e^{-\gamma \lVert u_i - u_j \rVert^2} -
              e^{-2\gamma} {}_0F_1\bigl(; \tfrac{d}{2}; \gamma^2\bigr),

    the second term being the exact mean of the kernel under the uniform distribution.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.
    gamma : float, default=1.0
        Sharpness of the Gaussian kernel, at least 0.

    Returns
    -------
    float
        In [0, 1], less = closer to uniform. n independent uniform rows have the mean (1 - E k)/n, not 0.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, a row is zero, or gamma is negative or not finite.

    Notes
    -----
    Invariant to rotation and to the length of each row. O(n² d) time in tiles, memory of a few copies of X. No
    points are sampled from the uniform distribution.

    References
    ----------
    Tokarchuk et al. 2025, Keep your distance, arXiv:2502.08231.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import mmd_uniform
    >>> X = np.random.default_rng(0).normal(size=(500, 3))
    >>> round(mmd_uniform(X), 4), round(mmd_uniform(X + 1), 4)
    (0.0029, 0.2489)
    """
    return to_float(_energies.mmd_uniform(check_directed(X), check_real(gamma, "gamma", low=0)))


def mma(X: Any) -> float:
    r"""Maximum minimum angle, as a loss: minus the mean angle of each row to its nearest.

    .. math:: -\frac1n \sum_i \min_{j \ne i} \theta_{ij}.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.

    Returns
    -------
    float
        In radians, in [-π, 0], less = more dispersed; 0 if every row has a twin.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, or a row is zero.

    Notes
    -----
    Invariant to rotation and to the length of each row. O(n² d) time in tiles, memory of a few copies of X.

    References
    ----------
    Wang et al. 2020, MMA regularization, arXiv:2006.06527.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import mma
    >>> round(mma(np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])), 4)
    -1.5708
    """
    return to_float(_energies.mma(_energies.nearest_in_angle(check_directed(X))))


def mmcs(X: Any) -> float:
    r"""Mean largest cosine: the cosine of each row to its nearest, averaged.

    .. math:: \frac1n \sum_i \max_{j \ne i} \cos\theta_{ij}.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.

    Returns
    -------
    float
        In [-1, 1], less = more dispersed; 1 if every row has a twin.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, or a row is zero.

    See Also
    --------
    mma : The same with angles, whose gradient does not fade where rows touch.

    Notes
    -----
    Invariant to rotation and to the length of each row. O(n² d) time in tiles, memory of a few copies of X. The
    reference code of [1]_ adds 1.

    References
    ----------
    .. [1] Tokarchuk et al. 2025, Keep your distance, arXiv:2502.08231.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import mmcs
    >>> round(mmcs(np.array([[1.0, 0.0], [3.0, 4.0]])), 4)
    0.6
    """
    return to_float(_energies.mmcs(_energies.nearest_in_angle(check_directed(X))))


def koleo(X: Any) -> float:
    r"""Kozachenko-Leonenko loss: minus the mean logarithm of the distance of each row to its nearest.

    .. math:: -\frac1n \sum_i \log \min_{j \ne i} \lVert u_i - u_j \rVert, \qquad u = x / \lVert x \rVert.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.

    Returns
    -------
    float
        At least -log 2, less = more dispersed; inf if two rows have one direction.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, or a row is zero.

    Notes
    -----
    Invariant to rotation and to the length of each row. O(n² d) time in tiles, memory of a few copies of X.

    References
    ----------
    Sablayrolles et al. 2019, Spreading vectors for similarity search, arXiv:1806.03198.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import koleo
    >>> round(koleo(np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])), 4)
    -0.3466
    """
    return to_float(_energies.koleo(_energies.nearest_in_angle(check_directed(X))))
