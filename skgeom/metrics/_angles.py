"""Geometry of directions: average cosine, conformity, and partition functions."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np

from skgeom._array import namespace, standard_normal, to_float
from skgeom._cloud import Blocks, as_cloud, is_stream, once_per_cloud, sum_of
from skgeom._core import _rows
from skgeom._core.sums import _angular
from skgeom._core.sums._moments import Moments, moments, part_of_moments
from skgeom._typing import Array
from skgeom._validation import (
    check_choice,
    check_cloud,
    check_column_order,
    check_directed,
    check_moments,
    check_same_kind,
)
from skgeom.metrics._checks import check_random
from skgeom.metrics._measure import DIRECTIONS, as_numbers, measure, measure_per_row, on_a_device

Signs: TypeAlias = Literal["both", "mean"]
"""Which signs of an eigenvector count."""


class ConformityEstimate(NamedTuple):
    """Result of `conformity_estimate`: conformity is about slope * cosine + intercept.

    Attributes
    ----------
    cosine : array of shape (n_samples,)
        Cosine of each row to the mean of the rows.
    slope, intercept : float
        The line, derived and not fitted.
    """

    cosine: Array
    slope: float
    intercept: float


@measure(
    direction=-1,
    bounds=("-1 / (n - 1)", "1"),
    invariances=DIRECTIONS,
    cost="O(n d)",
    source="Ethayarajh 2019, arXiv:1909.00512",
)
def average_cosine(X: Any) -> Array:
    r"""Mean cosine over all pairs of different rows, exact, without forming the pairs.

    With :math:`u_i = x_i / \lVert x_i \rVert`,

    .. math:: \frac{1}{n(n-1)} \sum_{i \ne j} \langle u_i, u_j \rangle
       = \frac{\lVert \sum_i u_i \rVert^2 - n}{n(n - 1)}.

    Parameters
    ----------
    X : array of shape (n_samples, n_features), iterator of blocks of rows, CloudSummary or Dask array
        The embeddings, one per row, none of them zero.

    Returns
    -------
    float or 0-d array
        In [-1/(n - 1), 1]; 0 for evenly spread directions, 1 if all rows have the same direction.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, or a row is zero.

    Notes
    -----
    Invariant to rotation and to the length of each row. O(n d) time. The regulariser CosReg divides the same sum by n².

    References
    ----------
    Ethayarajh 2019, How contextual are contextualized word representations?, arXiv:1909.00512.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import average_cosine
    >>> round(average_cosine(np.eye(3)), 6), round(average_cosine(np.eye(3) + 1), 6)
    (0.0, 0.833333)
    """
    return _angular.average_cosine(sum_of(X, _angular.part_of_mean_cosine, check_directed))


def average_cosines_without(X: Any, codes: np.ndarray) -> np.ndarray:
    """Return the average cosine without each block of rows, and that of all rows (b + 1,)."""
    blocks = X if isinstance(X, Blocks) else Blocks(X, codes)
    return as_numbers([average_cosine(cloud) for cloud in (*blocks.rest, blocks)])


def _conformity_without_blocks(X: Any, *reference: Any, codes: np.ndarray, **options: Any) -> np.ndarray | None:
    """Return the means of the conformities, which are average cosines unless there is a reference."""
    return None if reference or options else average_cosines_without(X, codes)


@measure_per_row(
    direction=0,
    bounds=("-1", "1"),
    invariances=DIRECTIONS,
    cost="O(n d)",
    source="Levi & Gilboa 2025, arXiv:2411.14517",
    without_blocks=_conformity_without_blocks,
)
def conformity(X: Any, reference: Any = None) -> Array:
    r"""Conformity of each row: its mean cosine to all others, exact in O(n d).

    .. math:: C_i = \frac{1}{n-1} \sum_{j \ne i} \langle u_i, u_j \rangle
       = \frac{\langle u_i, \sum_j u_j \rangle - 1}{n - 1}.

    Common inputs conform, rare ones do not. With a reference cloud, the mean is over all its rows; a row that is in
    both counts like any other.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row, none of them zero.
    reference : array of shape (n_reference, n_features), default=None
        The cloud to compare with; None for X itself.

    Returns
    -------
    array of shape (n_samples,)
        In [-1, 1], in the dtype of X. Its mean over X is the average cosine.

    Raises
    ------
    ValueError
        If X or the reference is not a finite matrix, a row is zero, X has only one row and there is no reference, or
        the two differ in width, library or device.

    See Also
    --------
    conformity_estimate : The estimate of the source, cos(mean, x), with derived slope and intercept.
    average_cosine : The mean conformity.

    Notes
    -----
    Invariant to rotation and to the length of each row. O(n d) time.

    References
    ----------
    Levi & Gilboa 2025, The double-ellipsoid geometry of CLIP, arXiv:2411.14517.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import conformity
    >>> conformity(np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]))
    array([0.5, 0.5, 0. ])
    """
    if reference is None:
        rows = check_directed(X)
        return _as_rows(_angular.conformity(rows, exactly=False), rows.x)
    rows = check_directed(X, min_samples=1)
    others = check_directed(reference, name="reference", min_samples=1)
    check_same_kind(rows.x, others.x, ("X", "reference"))
    check_column_order(X, reference, ("X", "reference"))
    return _as_rows(_angular.conformity_to(rows, _angular.resultant(others)), rows.x)


@on_a_device
def conformity_estimate(X: Any) -> ConformityEstimate:
    r"""Conformity estimated by the cosine to the mean vector, with the line that relates the two.

    With m the mean of the rows and :math:`R = \langle \bar u, m / \lVert m \rVert \rangle` the mean cosine to it,

    .. math:: C_i \approx a \cos(m, x_i) + b, \qquad a = \frac{n R}{n - 1}, \quad b = -\frac{1}{n - 1}.

    Slope and intercept are derived, not fitted. On unit rows the relation is an identity (r = 1); on raw rows it is
    accurate if m is nearly parallel to the mean of the unit rows. The published a = 1.461 and 1.411 belong to the
    inverse line cos = C/a - b/a: since R <= 1, the slope of conformity on the cosine cannot exceed n/(n - 1).

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row, none of them zero.

    Returns
    -------
    ConformityEstimate
        `cosine` (n_samples,), `slope` and `intercept`.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, or a row or the mean of the rows is zero.

    Notes
    -----
    Invariant to rotation and uniform scaling. O(n d) time: no cheaper than the exact `conformity`.

    References
    ----------
    Levi & Gilboa 2025, The double-ellipsoid geometry of CLIP, arXiv:2411.14517.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import conformity, conformity_estimate
    >>> X = np.random.default_rng(0).normal(loc=1.0, size=(500, 64))
    >>> cosine, slope, intercept = conformity_estimate(X)
    >>> bool(np.abs(slope * cosine + intercept - conformity(X)).max() < 5e-3)
    True
    """
    rows = check_directed(X)
    mean = moments(check_cloud(X, scale_free=True)).mean
    direction = check_directed(mean[None, :], name="the mean of X", min_samples=1).unit()[0, :]
    cosine, slope, intercept = _angular.conformity_line(rows, direction)
    return ConformityEstimate(_as_rows(cosine, rows.x), to_float(slope), intercept)


@measure(
    direction=+1,
    bounds=("exp(-2) if normalize else 0", "1"),
    invariances=DIRECTIONS,
    cost="O(n d min(n, d))",
    source="Mu & Viswanath 2018, arXiv:1702.01417",
)
def partition_isotropy(
    X: Any,
    *,
    directions: Any = "eigen",
    signs: Signs = "both",
    normalize: bool = True,
    random_state: Any = None,
) -> Array:
    r"""I1, the isotropy of the partition function: its smallest over its largest value.

    .. math:: I_1 = \frac{\min_v Z(v)}{\max_v Z(v)}, \qquad Z(v) = \sum_i \exp\langle v, x_i \rangle,

    over a set of unit directions v, in logarithms, so that long rows do not overflow.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.
    directions : {"eigen", "random"} or array of shape (n_directions, n_features), default="eigen"
        "eigen": the eigenvectors of XᵀX (Mu & Viswanath); "random": a random orthonormal basis; or your own.
    signs : {"both", "mean"}, default="both"
        An eigenvector has no sign, but Z does. "both" uses v and -v, the only choice that depends on the space alone;
        "mean" uses the one that points along the mean of the rows. Your own directions are used unchanged.
    normalize : bool, default=True
        Divide the rows by their norms first, as the source does. Z depends on the scale of the rows: only for unit rows
        can spaces be compared. For raw rows of norm 6 most values of Z are negligible against the largest, and I1 is
        near 0.
    random_state : int, RandomState, Generator or None, default=None
        Seed of the random basis, which is the same for every array library, or a generator of NumPy or Torch.

    Returns
    -------
    float or 0-d array
        In [e⁻², 1], best = 1, with e⁻² = 0.1353; for raw rows in [0, 1], with underflow to 0 for log I1 < -745.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, a row is zero (with `normalize`), an option is unknown, or the
        directions do not fit X.

    See Also
    --------
    partition_dispersion : I2, the relative spread of the same Z.
    partition_isotropy_first_order, partition_isotropy_second_order : The cheap expansions.

    Notes
    -----
    Invariant to rotation (not "random"), and to the length of each row with `normalize`. O(n d min(n, d)) time, and
    memory of O(d²) and a block of rows. A direction in the null space of X has Z = n. If eigenvalues are equal, any
    basis of their space is valid, and the value depends on the basis that the decomposition returns: the order of the
    rows, or another machine, can change it. Pass `directions` in this case.

    On unit rows whose mean has length R, I1 is about exp(-2R) for eigenvectors with both signs, and exp(-R) with one
    sign: .23 and .47 to .49 on real CLIP (ViT-B/16, R = .72). The published values for CLIP [3]_, I1 = .84 and
    I2 = .03, would need R = .17. They agree with orthonormal directions unrelated to the data, such as the rows, not
    the columns, of the eigenvector matrix: I1 near exp(-6.08 R / √d) = .82. With a random basis passed as an array
    (one sign per direction), I1 and I2 are .82 and .03 on real CLIP; with `directions="random"`, which uses both signs,
    .80 and .03.

    References
    ----------
    .. [1] Arora, Li, Liang, Ma & Risteski 2016, doi:10.1162/tacl_a_00106.
    .. [2] Mu & Viswanath 2018, All-but-the-top, arXiv:1702.01417.
    .. [3] Tyshchuk et al. 2023, On isotropy of multimodal embeddings, doi:10.3390/info14070392.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import partition_isotropy
    >>> X = np.random.default_rng(0).normal(size=(2000, 64))
    >>> round(partition_isotropy(X), 2), round(partition_isotropy(X + 1), 2)
    (0.98, 0.24)
    """
    log_z = _log_partition(X, directions, signs, normalize, random_state)
    return _angular.partition_isotropy(log_z)


@measure(
    direction=-1,
    bounds=("0", "sinh(1) if normalize else inf"),
    invariances=DIRECTIONS,
    cost="O(n d min(n, d))",
    source="Wang et al. 2020, ICLR",
)
def partition_dispersion(
    X: Any,
    *,
    directions: Any = "eigen",
    signs: Signs = "both",
    normalize: bool = True,
    random_state: Any = None,
) -> Array:
    r"""I2, the relative spread of the partition function over directions.

    .. math:: I_2 = \frac{1}{\bar Z} \sqrt{\frac{1}{|V|} \sum_{v \in V} (Z(v) - \bar Z)^2}.

    The difference is squared: if only the mean were, as in equation 2 of [1]_, the radicand would be negative.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.
    directions : {"eigen", "random"} or array of shape (n_directions, n_features), default="eigen"
        As in `partition_isotropy`.
    signs : {"both", "mean"}, default="both"
        As in `partition_isotropy`.
    normalize : bool, default=True
        Divide the rows by their norms first, as the source does.
    random_state : int, RandomState, Generator or None, default=None
        Seed of the random basis.

    Returns
    -------
    float or 0-d array
        In [0, sinh 1], best = 0, with sinh 1 = 1.1752; unbounded for raw rows.

    Raises
    ------
    ValueError
        As in `partition_isotropy`.

    Notes
    -----
    Invariant to rotation (not "random"), and to the length of each row with `normalize`. O(n d min(n, d)) time. If
    eigenvalues are equal, it depends on their basis, like `partition_isotropy`.

    References
    ----------
    .. [1] Tyshchuk et al. 2023, On isotropy of multimodal embeddings, doi:10.3390/info14070392.
    .. [2] Wang et al. 2020, Improving neural language generation with spectrum control, ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import partition_dispersion
    >>> X = np.random.default_rng(0).normal(size=(2000, 64))
    >>> round(partition_dispersion(X), 3), round(partition_dispersion(X + 1), 3)
    (0.003, 0.1)
    """
    log_z = _log_partition(X, directions, signs, normalize, random_state)
    return _angular.partition_dispersion(log_z)


@measure(
    direction=+1,
    bounds=("-1", "1"),
    invariances=("rotation",),
    cost="O(n d)",
    source="Mu & Viswanath 2018, arXiv:1702.01417",
)
def partition_isotropy_first_order(X: Any) -> Array:
    r"""First-order form of I1.

    .. math:: \frac{n - \lVert \sum_i x_i \rVert}{n + \lVert \sum_i x_i \rVert}.

    Parameters
    ----------
    X : array of shape (n_samples, n_features), iterator of blocks of rows, CloudSummary or Dask array
        The embeddings, one per row; normalise them first to compare spaces.

    Returns
    -------
    float or 0-d array
        At most 1, best = 1 (a mean of zero); in [0, 1] for unit rows; negative if the mean is longer than 1.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows.

    Notes
    -----
    Invariant to rotation. Only the mean is needed.

    References
    ----------
    Mu & Viswanath 2018, All-but-the-top, arXiv:1702.01417.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import partition_isotropy_first_order
    >>> round(partition_isotropy_first_order(np.array([[1.0, 0.0], [0.0, 1.0]])), 4)
    0.1716
    """
    return _angular.first_order(_bounded_moments(X))


@measure(
    direction=+1,
    bounds=("-1", "1"),
    invariances=("rotation",),
    cost="O(n d min(n, d))",
    source="Mu & Viswanath 2018, arXiv:1702.01417",
)
def partition_isotropy_second_order(X: Any) -> Array:
    r"""Second-order form of I1.

    .. math:: \frac{n - \lVert \sum_i x_i \rVert + \frac12 \sigma_{\min}^2}
                   {n + \lVert \sum_i x_i \rVert + \frac12 \sigma_{\max}^2},

    with σ the singular values of X (uncentred).

    Parameters
    ----------
    X : array of shape (n_samples, n_features), iterator of blocks of rows, CloudSummary or Dask array
        The embeddings, one per row; normalise them first to compare spaces.

    Returns
    -------
    float or 0-d array
        At most 1, best = 1; in [0, 1] for unit rows.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows.

    Notes
    -----
    Invariant to rotation. O(n d min(n, d)) time. σ_min is 0 if there are fewer rows than features.

    References
    ----------
    Mu & Viswanath 2018, All-but-the-top, arXiv:1702.01417.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import partition_isotropy_second_order
    >>> round(partition_isotropy_second_order(np.array([[1.0, 0.0], [0.0, 1.0]])), 4)
    0.2774
    """
    return _angular.second_order(_bounded_moments(X))


@once_per_cloud
def _bounded_moments(X: Any) -> Moments:
    if is_stream(X):
        return check_moments(X, scale_free=False)
    return sum_of(X, part_of_moments, _check_bounded)


def _check_bounded(X: Any, *, part: str = "") -> Array:
    x = check_cloud(X, part=part)
    return x if part else _rows.bounded(x)


def _log_partition(X: Any, directions: Any, signs: str, normalize: bool, random_state: Any) -> Array:
    check_choice(signs, get_args(Signs), "signs")
    if isinstance(directions, str):
        check_choice(directions, ("eigen", "random"), "directions")
    X = as_cloud(X)
    x, lengths = _scaled(X, normalize)
    if not isinstance(directions, str):
        v = check_cloud(directions, name="directions", min_samples=1)
        check_same_kind(x, v, ("X", "directions"))
        return _angular.log_partition(x, v, both_signs=False, lengths=lengths)
    if directions == "eigen":
        return _eigen_log_partition(X, normalize, signs)
    basis = _rows.orthonormal(standard_normal((x.shape[1], x.shape[1]), check_random(random_state), x))
    if signs == "mean":
        mean = _rows.mean_of(x) if lengths is None else _angular.unit_mean(_rows.DirectedRows(x, lengths))
        basis = _angular.toward(basis, mean)
    return _angular.log_partition(x, basis, both_signs=signs == "both", lengths=lengths)


@once_per_cloud
def _eigen_log_partition(X: Any, normalize: bool, signs: str) -> Array:
    x, lengths = _scaled(X, normalize)
    m = moments(x) if lengths is None else _angular.unit_moments(_rows.DirectedRows(x, lengths))
    return _angular.eigen_log_partition(x, m, both_signs=signs == "both", lengths=lengths)


@once_per_cloud
def _scaled(X: Any, normalize: bool) -> tuple[Array, Array | None]:
    """Return rows with their lengths; raw rows, limited to lengths that exponentials can represent, come with None."""
    return check_directed(X) if normalize else (_rows.bounded(check_cloud(X)), None)


def _as_rows(values: Array, x: Array) -> Array:
    """Return values in the dtype of their rows."""
    return namespace(x).astype(values, x.dtype, copy=False)
