"""How evenly embeddings spread over the sphere: angles, energies, distance to the uniform distribution."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from skgeom._array import asarray_like, namespace, to_numpy
from skgeom._cloud import once_per_cloud, sum_of
from skgeom._core import _rows
from skgeom._core.pairs import _energies, _quantiles
from skgeom._core.pairs._energies import Nearest
from skgeom._core.sums import _angular
from skgeom._typing import Array
from skgeom._validation import check_choice, check_directed, check_real
from skgeom.metrics._checks import check_fractions
from skgeom.metrics._measure import DIRECTIONS, as_it_came, measure, on_a_device

Kernel: TypeAlias = Literal["gaussian", "laplace"]
"""The kernels of a mean over pairs."""

Distance: TypeAlias = Literal["chordal", "geodesic"]
"""The straight distance between directions, and the distance along the sphere."""


_MAX_SHARPNESS = 1e30
"""Any sharpness above about 1e16 only tells equal directions from others; float32 ends at 3e38."""

Mean: TypeAlias = Callable[[_rows.DirectedRows, _energies.Kernel], Array]
"""A function that returns the mean of a kernel over all pairs of directions, or the means without some of the rows."""


def _without_blocks(of: Callable[..., Array]) -> Callable[..., np.ndarray | None]:
    """Return a function for the values of an energy without blocks of rows, given its value as a function of a mean."""

    def without(X: Any, *, codes: np.ndarray, **options: Any) -> np.ndarray | None:
        with np.errstate(divide="ignore"):  # the logarithm of a mean that vanishes without the nearest pair
            values = to_numpy(of(X, partial(_energies.mean_energies_without, codes), **options))
        return values if np.isfinite(values).all() else None

    return without


def _nearest_without_blocks(kernel: _energies.Kernel) -> Callable[..., np.ndarray]:
    """Return a function for the means of a kernel of nearest rows without blocks of rows."""
    return lambda X, *, codes: _energies.means_of_nearest_without(codes, check_directed(X), kernel)


def _mmd_without_blocks(X: Any, *, codes: np.ndarray, gamma: float) -> np.ndarray:
    return _energies.mmd_uniform_without(codes, check_directed(X), _sharpness(gamma, "gamma"))


def _median_without_blocks(X: Any, *, codes: np.ndarray) -> np.ndarray | None:
    return _quantiles.angle_quantiles_without(codes, check_directed(X), 0.5)


def _sharpness(value: Any, name: str) -> float:
    return check_real(value, name, low=0, high=_MAX_SHARPNESS)


def _uniformity(X: Any, mean: Mean, *, t: float) -> Array:
    return _energies.uniformity(check_directed(X), _sharpness(t, "t"), mean)


def _kernel_energy(X: Any, mean: Mean, *, kernel: Kernel, gamma: float, distance: Distance) -> Array:
    check_choice(kernel, get_args(Kernel), "kernel")
    check_choice(distance, get_args(Distance), "distance")
    rows, gamma = check_directed(X), _sharpness(gamma, "gamma")
    return mean(rows, _energies.KERNELS[kernel, distance](gamma))


def _riesz_energy(X: Any, mean: Mean, *, s: float, distance: Distance) -> Array:
    check_choice(distance, get_args(Distance), "distance")
    rows, s = check_directed(X), check_real(s, "s")
    return mean(rows, _energies.KERNELS["riesz", distance](s))


@measure(
    direction=+1,
    bounds=("0", "pi"),
    invariances=DIRECTIONS,
    cost="O(n² d)",
    source="Rankin 1955, doi:10.1017/S2040618500033219",
    estimand="none",
)
def min_angle(X: Any) -> Array:
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
    float or 0-d array
        In radians, in [0, π], larger = better separated; 0 if two rows have the same direction.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, or a row is zero.

    See Also
    --------
    mma : The mean angle of each row to its nearest neighbour, with the sign of a loss.
    angle_quantiles : The whole distribution.

    Notes
    -----
    Invariant to rotation and to the length of each row. O(n² d) time in tiles, and memory for a few copies of X, or a
    dozen with a gradient. The angle is computed from the two chords, since acos loses half of the digits near 0 and π.

    The largest possible value for n rows, Tammes' problem, is acos(-1/(n - 1)) for n ≤ d + 1, π/2 for n ≤ 2d [1]_.

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
    return _energies.min_angle(_nearest(X))


@measure(
    direction=0,
    bounds=("0", "pi"),
    invariances=DIRECTIONS,
    cost="O(n² d)",
    source="Tokarchuk et al. 2025, arXiv:2502.08231",
    differentiable=False,
    without_blocks=_median_without_blocks,
)
def median_angle(X: Any) -> Array:
    """Median angle between two rows: the 0.5 quantile of `angle_quantiles`.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.

    Returns
    -------
    float or 0-d array
        In radians, in [0, π]; near π/2 in high dimensions without a common direction.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, or a row is zero.

    Notes
    -----
    Invariant to rotation and to the length of each row. Exact; the cost is that of `angle_quantiles`.

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
    return angle_quantiles(X, 0.5)


@on_a_device
def angle_quantiles(X: Any, q: Any) -> Any:
    """Quantiles of the angles between all pairs of rows, exact, without storing the angles.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.
    q : float or sequence of float
        The quantiles, from 0 (the smallest angle) to 1 (the largest), interpolated linearly.

    Returns
    -------
    float or array of shape (len(q),)
        In radians, in [0, π]; an array, 0-d for a single q, in the library of X if that is not NumPy.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, a row is zero, or q leaves [0, 1].

    Notes
    -----
    Invariant to rotation and to the length of each row. O(n² d) time: one pass over the tiles counts, a second collects
    the angles around the requested ranks, at most a few million for each. The median of medians of blocks, which other
    code reports, is a different number.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import angle_quantiles
    >>> X = np.random.default_rng(0).normal(size=(500, 64))
    >>> np.degrees(angle_quantiles(X, [0.01, 0.5, 0.99])).round(1)
    array([ 73.2,  90. , 106.8])
    """
    quantiles = check_fractions(q, "q")
    x = check_directed(X)
    values = asarray_like(_quantiles.angle_quantiles(x, np.atleast_1d(quantiles)), x.x, dtype=namespace(x.x).float64)
    return values if quantiles.ndim else as_it_came(values[0])


@measure(
    direction=+1,
    bounds=("0", "1"),
    invariances=DIRECTIONS,
    cost="O(n d)",
    source="Mardia & Jupp 1999, doi:10.1002/9780470316979",
)
def spherical_variance(X: Any) -> Array:
    r"""Spherical variance: how much the directions cancel.

    .. math:: 1 - \Bigl\lVert \frac1n \sum_i u_i \Bigr\rVert, \qquad u = x / \lVert x \rVert.

    Parameters
    ----------
    X : array of shape (n_samples, n_features), iterator of blocks of rows, CloudSummary or Dask array
        The embeddings, one per row.

    Returns
    -------
    float or 0-d array
        In [0, 1]; 0 = all rows have the same direction, 1 = the unit rows sum to zero, as evenly spread rows do (and
        also opposite pairs of rows, however close together).

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
    return _angular.spherical_variance(sum_of(X, _angular.part_of_resultant, check_directed).mean)


@measure(
    direction=-1,
    bounds=("-4 * t", "0"),
    invariances=DIRECTIONS,
    cost="O(n² d)",
    source="Wang & Isola 2020, arXiv:2005.10242",
    without_blocks=_without_blocks(_uniformity),
)
def uniformity(X: Any, *, t: float = 2.0) -> Array:
    r"""Uniformity: logarithm of the mean Gaussian potential between directions.

    .. math:: \log \frac{2}{n(n-1)} \sum_{i < j} e^{-t \lVert u_i - u_j \rVert^2}, \qquad u = x / \lVert x \rVert.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.
    t : float, default=2.0
        Sharpness of the potential, from 0 to 1e30.

    Returns
    -------
    float or 0-d array
        In [-4t, 0], smaller = more uniform; 0 if all rows have the same direction. About -2t for the uniform
        distribution on a sphere of many dimensions.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, a row is zero, or t is not from 0 to 1e30.

    See Also
    --------
    kernel_energy : The same mean without the logarithm, also for other kernels.
    alignment_loss : Its counterpart for pairs.

    Notes
    -----
    Invariant to rotation and to the length of each row. O(n² d) time in tiles, and memory for a few copies of X, or a
    dozen with a gradient; computed in logarithms if t is so large that the potentials underflow. As a loss, the
    repulsion of a pair fades in proportion to its distance.

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
    return _uniformity(X, _energies.mean_energy, t=t)


@measure(
    direction=-1,
    bounds=("0", "1"),
    invariances=DIRECTIONS,
    cost="O(n² d)",
    source="Tokarchuk et al. 2025, arXiv:2502.08231",
    variants={
        "geodesic_gaussian_energy": {"distance": "geodesic"},
        "geodesic_laplace_energy": {"kernel": "laplace", "distance": "geodesic"},
        "laplace_energy": {"kernel": "laplace"},
    },
    without_blocks=_without_blocks(_kernel_energy),
)
def kernel_energy(X: Any, *, kernel: Kernel = "gaussian", gamma: float = 1.0, distance: Distance = "chordal") -> Array:
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
        Its sharpness, from 0 to 1e30.
    distance : {"chordal", "geodesic"}, default="chordal"
        The straight distance ‖u - v‖ = √(2 - 2 cos θ), or θ in radians.

    Returns
    -------
    float or 0-d array
        In [0, 1], smaller = more dispersed; 1 if all rows have the same direction.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, a row is zero, or an option is unknown or out of range.

    Notes
    -----
    Invariant to rotation and to the length of each row. O(n² d) time in tiles, and memory for a few copies of X, or a
    dozen with a gradient. As a loss, the repulsion of the Gaussian kernel fades in proportion to the distance of a
    pair; that of the Laplace kernel tends to γ, and is 0 only at contact.

    Its name is "kernel_energy", and "laplace_energy", "geodesic_gaussian_energy" or "geodesic_laplace_energy" with the
    other options.

    The reference code of [1]_ uses 2 - cos θ as the chord. It never vanishes, so the repulsion vanishes where rows
    touch. Its Gaussian kernel exp(γ cos θ) has half the γ of this one.

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
    return _kernel_energy(X, _energies.mean_energy, kernel=kernel, gamma=gamma, distance=distance)


@measure(
    direction=-1,
    bounds=("(pi if distance == 'geodesic' else 2) ** -s if s > 0 else -inf", "inf"),
    invariances=DIRECTIONS,
    cost="O(n² d)",
    source="Liu et al. 2018, arXiv:1805.09298",
    infinite="two rows have the same direction",
    variants={"mhe": {"distance": "geodesic"}},
    without_blocks=_without_blocks(_riesz_energy),
)
def riesz_energy(X: Any, *, s: float = 1.0, distance: Distance = "chordal") -> Array:
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
    float or 0-d array
        At least 2^(-s) or π^(-s) for s > 0, smaller = more dispersed; inf if two rows have the same direction (s ≥ 0),
        or if a power exceeds the range of float64.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, a row is zero, s is not finite, or the distance is unknown.

    Notes
    -----
    Invariant to rotation and to the length of each row. O(n² d) time in tiles, and memory for a few copies of X, or a
    dozen with a gradient. As a loss, the repulsion grows as δ^(-s-1) towards contact; rows with the same direction do
    not repel each other, and the gradient stays finite. Its name is "riesz_energy", and "mhe" with angles. It is a mean
    over pairs: the reference code of [1]_ computes twice the mean, or the sum.

    References
    ----------
    .. [1] Tokarchuk et al. 2025, Keep your distance, arXiv:2502.08231.
    .. [2] Liu et al. 2018, Learning towards minimum hyperspherical energy, arXiv:1805.09298.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import riesz_energy
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    >>> round(riesz_energy(X), 4), round(riesz_energy(X, s=0), 4)
    (0.6381, -0.4621)
    """
    return _riesz_energy(X, _energies.mean_energy, s=s, distance=distance)


@measure(
    direction=-1,
    bounds=("0", "1"),
    invariances=DIRECTIONS,
    cost="O(n² d)",
    source="Tokarchuk et al. 2025, arXiv:2502.08231",
    without_blocks=_mmd_without_blocks,
)
def mmd_uniform(X: Any, *, gamma: float = 1.0) -> Array:
    r"""Squared maximum mean discrepancy between the directions and the uniform distribution on the sphere.

    .. math:: \frac{1}{n^2} \sum_{i, j} e^{-\gamma \lVert u_i - u_j \rVert^2} -
              e^{-2\gamma} {}_0F_1\bigl(; \tfrac{d}{2}; \gamma^2\bigr),

    where the second term is the exact mean of the kernel under the uniform distribution.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.
    gamma : float, default=1.0
        Sharpness of the Gaussian kernel, from 0 to 1e30.

    Returns
    -------
    float or 0-d array
        In [0, 1], smaller = closer to uniform. For n independent uniform rows the mean is (1 - E k)/n, not 0.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, a row is zero, or gamma is not from 0 to 1e30.

    Notes
    -----
    Invariant to rotation and to the length of each row. O(n² d) time in tiles, and memory for a few copies of X, or a
    dozen with a gradient. No points are sampled from the uniform distribution. The gradient is (n - 1)/n of that of the
    Gaussian `kernel_energy`.

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
    return _energies.mmd_uniform(check_directed(X), _sharpness(gamma, "gamma"))


@measure(
    direction=-1,
    bounds=("-pi", "0"),
    invariances=DIRECTIONS,
    cost="O(n² d)",
    source="Wang et al. 2020, arXiv:2006.06527",
    estimand="sample",
    without_blocks=_nearest_without_blocks(_energies.MINUS_ANGLE),
)
def mma(X: Any) -> Array:
    r"""Maximum minimum angle, as a loss: minus the mean angle of each row to its nearest neighbour.

    .. math:: -\frac1n \sum_i \min_{j \ne i} \theta_{ij}.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.

    Returns
    -------
    float or 0-d array
        In radians, in [-π, 0], smaller = more dispersed; 0 if every row has a twin.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, or a row is zero.

    Notes
    -----
    Invariant to rotation and to the length of each row. O(n² d) time in tiles, and memory for a few copies of X, or a
    dozen with a gradient. As a loss, the repulsion has constant size down to contact; rows with the same direction do
    not repel each other.

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
    return _energies.mma(_nearest(X))


@measure(
    direction=-1,
    bounds=("-1", "1"),
    invariances=DIRECTIONS,
    cost="O(n² d)",
    source="Tokarchuk et al. 2025, arXiv:2502.08231",
    estimand="sample",
    without_blocks=_nearest_without_blocks(_energies.cosine),
)
def mmcs(X: Any) -> Array:
    r"""Mean largest cosine: the cosine of each row to its nearest neighbour, averaged.

    .. math:: \frac1n \sum_i \max_{j \ne i} \cos\theta_{ij}.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.

    Returns
    -------
    float or 0-d array
        In [-1, 1], smaller = more dispersed; 1 if every row has a twin.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, or a row is zero.

    See Also
    --------
    mma : The same with angles, whose gradient does not fade where rows touch.

    Notes
    -----
    Invariant to rotation and to the length of each row. O(n² d) time in tiles, and memory for a few copies of X, or a
    dozen with a gradient. As a loss, the repulsion of a pair fades in proportion to its angle, so rows can stick
    together. The reference code of [1]_ adds 1.

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
    return _energies.mmcs(_nearest(X))


@measure(
    direction=-1,
    bounds=("-log(2)", "inf"),
    invariances=DIRECTIONS,
    cost="O(n² d)",
    source="Sablayrolles et al. 2019, arXiv:1806.03198",
    infinite="two rows have the same direction",
    estimand="sample",
    without_blocks=_nearest_without_blocks(_energies.MINUS_LOG_DISTANCE),
)
def koleo(X: Any) -> Array:
    r"""Kozachenko-Leonenko loss: minus the mean logarithm of the distance of each row to its nearest neighbour.

    .. math:: -\frac1n \sum_i \log \min_{j \ne i} \lVert u_i - u_j \rVert, \qquad u = x / \lVert x \rVert.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.

    Returns
    -------
    float or 0-d array
        At least -log 2, smaller = more dispersed; inf if two rows have the same direction.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, or a row is zero.

    Notes
    -----
    Invariant to rotation and to the length of each row. O(n² d) time in tiles, and memory for a few copies of X, or a
    dozen with a gradient. As a loss, the repulsion grows as 1/‖u - v‖ towards contact; rows with the same direction do
    not repel each other, and the gradient stays finite.

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
    return _energies.koleo(_nearest(X))


@once_per_cloud
def _nearest(X: Any) -> Nearest:
    """Return the row nearest to each row in angle."""
    return _energies.nearest_in_angle(check_directed(X))
