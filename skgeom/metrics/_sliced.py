"""Distances to the uniform distribution on the sphere, and to the normal one, by points, circles, planes and lines."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from skgeom._array import asarray_like, namespace, random_integers, standard_normal, to_numpy
from skgeom._core import _sliced
from skgeom._core.pairs import _sigreg
from skgeom._core.pairs._between_blocks import rows_without
from skgeom._typing import Array
from skgeom._validation import (
    check_cloud,
    check_count,
    check_directed,
    check_flag,
    check_plane,
    check_real,
    check_squares,
)
from skgeom.metrics._checks import check_random
from skgeom.metrics._measure import DIRECTIONS, measure

_SIGMAS = (1e-15, 1e15)
"""Beyond these, every pair of rows counts as equal, or as far apart."""


def _sigreg_without_blocks(X: Any, *, codes: np.ndarray, sigma: float, debiased: bool) -> np.ndarray:
    x, sigma = _checked_for_sigreg(X, sigma, debiased=debiased)
    return _sigreg.sigreg_without(codes, x, sigma, debiased=debiased)


def _lloyd_without_blocks(X: Any, *, codes: np.ndarray, **options: Any) -> np.ndarray:
    return _sliced.means_of_least_without(codes, *_rows_and_least(X, **options))


def _circles_without_blocks(X: Any, *, codes: np.ndarray, n_circles: int, random_state: Any) -> np.ndarray:
    return _sliced.sliced_dispersions_without(codes, *_on_circles(X, random_state, n_circles))


def _planes_without_blocks(X: Any, *, codes: np.ndarray, n_planes: int, random_state: Any) -> np.ndarray:
    return _sliced.sliced_dispersions_without(codes, *_on_axes(X, random_state, n_planes))


def _wasserstein_without_blocks(X: Any, *, codes: np.ndarray, **options: Any) -> np.ndarray:
    return _sliced.transport_cost(_circles_without_blocks(X, codes=codes, **options), rows_without(codes))


@measure(
    direction=-1,
    bounds=("0", "pi ** 2"),
    invariances=DIRECTIONS,
    cost="O(n d)",
    source="Tokarchuk et al. 2025, arXiv:2502.08231",
    estimand="sample",
    without_blocks=_lloyd_without_blocks,
)
def lloyd(
    X: Any,
    *,
    n_points: int = 512,
    sampler: Callable[[int, np.random.Generator], Any] | None = None,
    random_state: Any = None,
) -> Array:
    r"""Lloyd's quantisation error: mean squared angle from random points of the sphere to their nearest row.

    .. math:: \frac1m \sum_{k=1}^m \min_i \theta(s_k, x_i)^2, \qquad s_k \text{ independent and uniform.}

    With a `sampler`, the points come from another domain, and the distance is Euclidean:
    :math:`\frac1m \sum_k \min_i \lVert s_k - x_i \rVert^2`.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.
    n_points : int, default=512
        Number m of points.
    sampler : callable, default=None
        A function ``sampler(m, generator)`` that draws points (m, n_features) of a domain with a
        `numpy.random.Generator` made from `random_state`, such as ``lambda m, generator: generator.random((m, 2))`` for
        the unit square. None draws from the sphere.
    random_state : int, RandomState, Generator or None, default=None
        Seed of the points, or a generator of NumPy or Torch, which advances with each call.

    Returns
    -------
    float or 0-d array
        In [0, π²], smaller = more dispersed; an unbiased estimate of the error over the whole sphere. At least 0 for
        other domains.

    Raises
    ------
    TypeError
        If `sampler` is not a function.
    ValueError
        If X is not a finite matrix of at least two rows, a row is zero, or n_points is not positive; with a sampler, if
        it does not return m points with n_features numbers, or X has magnitudes whose squares leave the range of
        float64.

    Notes
    -----
    Invariant in distribution to rotation, and to the length of each row; with a sampler, to a rigid motion of rows and
    domain together. O(m n d) time, in blocks. As a loss, it pulls each row towards the points it is nearest to, so rows
    repel each other only by competing for points; of rows with the same direction, the first one gets them. The
    gradient is finite, also opposite to a point, and 0 at contact with one.

    References
    ----------
    Tokarchuk et al. 2025, Keep your distance, arXiv:2502.08231.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import lloyd
    >>> round(lloyd(np.array([[1.0], [-1.0]]), random_state=0), 4)
    0.0
    >>> grid = np.stack(np.meshgrid([0.25, 0.75], [0.25, 0.75]), axis=-1).reshape(4, 2)
    >>> error = lloyd(grid, sampler=lambda m, generator: generator.random((m, 2)), n_points=100_000, random_state=0)
    >>> round(error, 3), round(1 / 24, 3)  # the mean squared distance to the centre of a square of side 1/2
    (0.042, 0.042)
    """
    rows, least = _rows_and_least(X, n_points, sampler, random_state)
    return namespace(rows[0]).mean(least(*rows))


def _rows_and_least(
    X: Any, n_points: int, sampler: Callable[[int, np.random.Generator], Any] | None, random_state: Any
) -> tuple[tuple[Array, ...], Callable[..., Array]]:
    """Return the checked rows, and the function of them that returns their least squared distance to each point."""
    rng = check_random(random_state)
    m = check_count(n_points, "n_points")
    if sampler is not None:
        if not callable(sampler):
            raise TypeError(f"sampler must be a function of a number of points and a generator, got {sampler!r}.")
        x = check_cloud(X)
        check_squares(x, "X")
        return (x,), partial(_sliced.least_distances, _sampled(sampler, m, rng, x))
    rows = check_directed(X)
    return rows, partial(_sliced.least_angles, standard_normal((m, rows.x.shape[1]), rng, rows.x))


def _sampled(sampler: Callable[[int, np.random.Generator], Any], m: int, rng: Any, x: Array) -> Array:
    """Return m points of a domain in float64 on the device of x, drawn by a NumPy generator with a random seed."""
    seed = to_numpy(random_integers(0, 2**31 - 1, 1, rng, np.empty(0)))
    points = check_cloud(sampler(m, np.random.default_rng(seed)), name="The result of sampler", min_samples=1)
    if points.shape != (m, x.shape[1]):
        raise ValueError(
            f"sampler returned points of shape {tuple(points.shape)}, expected ({m}, {x.shape[1]}): as many as "
            "requested, with the features of X."
        )
    return asarray_like(to_numpy(points), x, dtype=namespace(x).float64)


@measure(
    direction=-1,
    bounds=("0", "inf"),
    invariances=DIRECTIONS,
    cost="O(n d)",
    source="Tokarchuk et al. 2025, arXiv:2502.08231",
    estimand="sample",
    without_blocks=_circles_without_blocks,
)
def sliced_dispersion(X: Any, *, n_circles: int = 1, random_state: Any = None) -> Array:
    r"""Sliced dispersion: squared distance of the angles on random great circles to the nearest even spacing.

    .. math:: \frac12 \sum_i (\theta_i - \theta_i^*)^2, \qquad
              \theta_i^* = \bar\theta + \frac{2\pi}{n}\Bigl(r_i - \frac{n + 1}{2}\Bigr),

    with θ the angles of the rows projected onto the plane of the circle and r their ranks, averaged over circles.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row, with at least two features.
    n_circles : int, default=1
        Their number.
    random_state : int, RandomState, Generator or None, default=None
        Seed of the circles, or a generator of NumPy or Torch, which advances with each call.

    Returns
    -------
    float or 0-d array
        At least 0, smaller = more dispersed; about n times a constant for rows crowded on one side.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows and two features, a row is zero, or n_circles is not positive.

    See Also
    --------
    axis_sliced_dispersion : The same in the planes of two features, without projections.
    spherical_sliced_wasserstein : The same quantity on another scale.

    Notes
    -----
    Invariant in distribution to rotation, and to the length of each row. O(n d + n log n) time and O(n) memory for each
    circle. The gradient is finite: rows with the same direction have different ranks and move apart, and a row that is
    projected to the centre of a circle, where it has no angle, stays.

    References
    ----------
    Tokarchuk et al. 2025, Keep your distance, arXiv:2502.08231.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import sliced_dispersion
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> round(sliced_dispersion(X, random_state=0), 6)
    0.0
    """
    return _sliced.sliced_dispersion(*_on_circles(X, random_state, n_circles))


@measure(
    direction=-1,
    bounds=("0", "inf"),
    invariances=("scaling", "row scaling"),
    cost="O(n log n)",
    source="Tokarchuk et al. 2025, arXiv:2502.08231",
    estimand="sample",
    without_blocks=_planes_without_blocks,
)
def axis_sliced_dispersion(X: Any, *, n_planes: int = 1, random_state: Any = None) -> Array:
    r"""Axis-aligned sliced dispersion: `sliced_dispersion` in random planes of two features each.

    .. math:: \frac12 \sum_i (\theta_i - \theta_i^*)^2, \qquad \theta_i = \operatorname{atan2}(x_{il}, x_{ik}),

    with θ* as in `sliced_dispersion`, averaged over pairs of features k ≠ l.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row, with at least two features.
    n_planes : int, default=1
        Their number.
    random_state : int, RandomState, Generator or None, default=None
        Seed of the pairs of features, or a generator of NumPy or Torch, which advances with each call.

    Returns
    -------
    float or 0-d array
        At least 0, smaller = more dispersed.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows and two features, a row is zero, or n_planes is not positive.

    Notes
    -----
    Invariant to the length of each row, not to rotation. O(n log n) time for each plane. The gradient behaves as in
    `sliced_dispersion`. With few features there are few planes: for three it spreads points badly.

    References
    ----------
    Tokarchuk et al. 2025, Keep your distance, arXiv:2502.08231.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import axis_sliced_dispersion
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> round(axis_sliced_dispersion(X, random_state=0), 6)
    0.0
    """
    return _sliced.sliced_dispersion(*_on_axes(X, random_state, n_planes))


@measure(
    direction=-1,
    bounds=("1 / (12 * n ** 2)", "1 / 12"),
    invariances=DIRECTIONS,
    cost="O(n d)",
    source="Bonet et al. 2023, arXiv:2206.08780",
    estimand="sample",
    without_blocks=_wasserstein_without_blocks,
)
def spherical_sliced_wasserstein(X: Any, *, n_circles: int = 50, random_state: Any = None) -> Array:
    r"""Squared spherical sliced Wasserstein distance between the directions and the uniform distribution.

    .. math:: SSW_2^2 = \frac1m \sum_{k=1}^m W_2^2\bigl(P_k X, \mathrm{Unif}(S^1)\bigr), \qquad
              \text{sliced} = \tfrac12 n (2\pi)^2 \Bigl(SSW_2^2 - \frac{1}{12 n^2}\Bigr),

    with P_k the projection to a random great circle of length 1, and "sliced" the value of `sliced_dispersion`.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row, with at least two features.
    n_circles : int, default=50
        Their number m.
    random_state : int, RandomState, Generator or None, default=None
        Seed of the circles, or a generator of NumPy or Torch, which advances with each call.

    Returns
    -------
    float or 0-d array
        In [1/(12 n²), 1/12], smaller = closer to uniform.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows and two features, a row is zero, or n_circles is not positive.

    Notes
    -----
    Invariant in distribution to rotation, and to the length of each row. O(m n (d + log n)) time, O(m n) memory. The
    gradient behaves as in `sliced_dispersion`. The function of POT returns the square root.

    References
    ----------
    Bonet et al. 2023, Spherical sliced-Wasserstein, arXiv:2206.08780.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import spherical_sliced_wasserstein
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> round(spherical_sliced_wasserstein(X, random_state=0) * 12 * 4**2, 6)
    1.0
    """
    return _sliced.spherical_sliced_wasserstein(*_on_circles(X, random_state, n_circles))


@measure(
    direction=-1,
    bounds=("-1 / (n - 1) if debiased else 0", "1 + 1 / sqrt(1 + 2 * sigma ** 2)"),
    invariances=("rotation",),
    cost="O(n² d)",
    source="Balestriero & LeCun 2025, arXiv:2511.08544",
    estimand="sample",
    without_blocks=_sigreg_without_blocks,
)
def sigreg(X: Any, *, sigma: float = 1.0, debiased: bool = False) -> Array:
    r"""SIGReg over all slices: distance of the rows from a standard normal cloud, averaged over all lines, exactly.

    On the line with direction u the distance is that of the characteristic functions (Epps-Pulley),

    .. math:: \int \Bigl| \frac1n \sum_i e^{\mathrm{i} t \langle u, x_i \rangle} - e^{-t^2/2} \Bigr|^2 w(t)\,dt,
              \qquad w \text{ the density of } N(0, \sigma^2).

    Its mean over all directions u of the sphere has a closed form, without drawing directions:

    .. math:: \frac{1}{n^2} \sum_{i,j} M\Bigl(\tfrac{\sigma^2}{2} \lVert x_i - x_j \rVert^2\Bigr)
              - \frac{2}{n \sqrt{1 + \sigma^2}}
                \sum_i M\Bigl(\frac{\sigma^2 \lVert x_i \rVert^2}{2 (1 + \sigma^2)}\Bigr)
              + \frac{1}{\sqrt{1 + 2 \sigma^2}}, \qquad
              M(z) = {}_1F_1\bigl(\tfrac12; \tfrac d2; -z\bigr).

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.
    sigma : float, default=1.0
        Standard deviation of the frequencies t, from 1e-15 to 1e15. Larger values resolve finer details.
    debiased : bool, default=False
        Restrict the first mean to pairs of different rows: unbiased for independent rows of any distribution, and on
        average 0 for rows of N(0, I) instead of (1 - 1/√(1 + 2σ²))/n.

    Returns
    -------
    float or 0-d array
        At least 0, best = 0, below 1 + 1/√(1 + 2σ²), the limit for equal rows far away; if debiased, at least
        -1/(n - 1). For equal rows at the origin it is 1 - 2/√(1 + σ²) + 1/√(1 + 2σ²).

    Raises
    ------
    TypeError
        If `sigma` is not a number or `debiased` is not True or False.
    ValueError
        If X is not a finite matrix of at least two rows, or sigma is out of bounds.

    See Also
    --------
    isotropy_defect : How far the covariance alone is from a multiple of the identity.
    mmd_uniform : The same question for directions.

    Notes
    -----
    Invariant to rotation, not to translation or scaling. O(n² d) time in tiles, and memory for a few copies of X, or a
    dozen with a gradient. M is a Chebyshev series of 102 (d = 1) to 16 terms (thousands of features), in every library,
    with an absolute error below 2e-13; distances of float32 rows, and hence the value, are accurate to 1e-6. As a loss,
    the gradient is exact: to 1e-9 of that of M in float64. The repulsion of a pair fades in proportion to its distance,
    so equal rows do not separate.

    The code of [1]_ draws directions at each step and sums 17 frequencies from -5 to 5; its expectation is √(2π) n
    times this number with σ = 1, up to the error of that sum. It costs O(n d) per direction. For 4,096 rows of 384
    features, 256 directions take longer than all pairs (``python -m benchmarks sigreg``), and the error of their
    gradient exceeds its length; for many more rows all pairs take longer.

    References
    ----------
    .. [1] Balestriero & LeCun 2025, LeJEPA, arXiv:2511.08544.
    .. [2] Epps & Pulley 1983, A test for normality, doi:10.1093/biomet/70.3.723.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import sigreg
    >>> X = np.random.default_rng(0).normal(size=(500, 16))
    >>> round(sigreg(X), 4), round(sigreg(X, debiased=True), 4), round(sigreg(2 * X), 4)
    (0.001, 0.0001, 0.097)
    """
    return _sigreg.sigreg(*_checked_for_sigreg(X, sigma, debiased=debiased), debiased=debiased)


def _checked_for_sigreg(X: Any, sigma: Any, *, debiased: Any) -> tuple[Array, float]:
    check_flag(debiased, "debiased")
    return check_cloud(X), check_real(sigma, "sigma", *_SIGMAS)


def _on_circles(X: Any, random_state: Any, n_circles: int) -> tuple[Array, Array]:
    """Return the coordinates of the rows in the planes of random great circles."""
    rng = check_random(random_state)
    m, x = check_count(n_circles, "n_circles"), check_directed(X).x
    check_plane(x)
    xp = namespace(x)
    planes = xp.linalg.qr(standard_normal((m, x.shape[1], 2), rng, x))[0]
    return _sliced.on_planes(x, xp.astype(xp.permute_dims(planes, (2, 0, 1)), x.dtype))


def _on_axes(X: Any, random_state: Any, n_planes: int) -> tuple[Array, Array]:
    """Return the coordinates of the rows in the planes of random pairs of features."""
    rng = check_random(random_state)
    m, x = check_count(n_planes, "n_planes"), check_directed(X).x
    check_plane(x)
    d = x.shape[1]
    first = random_integers(0, d, m, rng, x)
    return _sliced.on_axes(x, first, (first + random_integers(1, d, m, rng, x)) % d)
