"""Isotropy of the covariance: how evenly a cloud spreads its variance over the directions of the space."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from skgeom._array import (
    as_data,
    asarray_like,
    in_full_precision,
    namespace,
    numbers,
    row_blocks,
    take_rows,
)
from skgeom._cloud import is_to_be_moved, once_per_cloud, sum_of
from skgeom._core import _objectives
from skgeom._core.sums import _spectrum, _within
from skgeom._core.sums._moments import FourthMoments, fourth_moments, merge_all, moments, part_of_fourth_moments
from skgeom._typing import Array
from skgeom._validation import (
    check_cloud,
    check_count,
    check_labels,
    check_moments,
    check_ranked_moments,
    check_real,
)
from skgeom.metrics._checks import check_covariance, parts_of_classes
from skgeom.metrics._measure import LINEAR, RIGID, as_it_came, measure, on_a_device


@measure(
    direction=+1,
    bounds=("-inf if debias else 0", "inf if debias else (min(n - 1, d) - 1) / (d - 1) if d > 1 else 1"),
    invariances=RIGID,
    cost="O(n d min(n, d))",
    source="Rudman et al. 2022, arXiv:2108.07344",
)
def isoscore(X: Any, *, debias: bool = False) -> Array:
    r"""IsoScore: the share of the dimensions that a cloud of points uses evenly.

    With :math:`C` the sample covariance and :math:`PR = (\mathrm{tr}\,C)^2 / \mathrm{tr}\,C^2` the participation ratio,

    .. math:: \mathrm{IsoScore}(X) = \frac{PR - 1}{d - 1},

    which equals the published algorithm [1]_ and needs no eigenvalues. A cloud with equal variance in k of its d
    principal directions, and none in the others, has IsoScore (k - 1)/(d - 1).

    Parameters
    ----------
    X : array of shape (n_samples, n_features), iterator of blocks of rows, CloudSummary or Dask array
        The embeddings, one per row: an array of NumPy, Torch, CuPy or any other library of the array API standard, a
        list, or a data frame. (The original package expected points as columns up to version 1, and as rows since
        version 2.)
    debias : bool, default=False
        Replace (tr C)² and tr C² by their U-statistics over rows [2]_ [3]_. The plain value is too small for few rows,
        since 1/PR gains about 1/(n - 1): 1,000 rows of an isotropic space of 1,000 dimensions score 0.5. The debiased
        one is valid for any distribution with four moments, n >= 4, also for n < d.

    Returns
    -------
    float or 0-d array
        In [0, (min(n - 1, d) - 1)/(d - 1)], best = 1 for isotropy. With `debias=True` the estimate can leave [0, 1]; it
        is infinite if the estimate of tr C² is 0, as for rows at right angles, and 0 if all rows but one are equal.
        Its variance relative to PR² is, for Gaussian rows and large n, with :math:`t_k = \mathrm{tr}\,C^k`,
        :math:`4/n^2 + (8/n)\,[t_2/t_1^2 + t_4/t_2^2 - 2 t_3/(t_1 t_2)]`; heavier tails increase it. The value is 0 if
        all rows are equal, and 1 for one feature that varies.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows (four with `debias`).

    See Also
    --------
    isoscore_star : IsoScore of a shrunk covariance, for few rows.
    collapse_bound : The largest value that collapsed classes allow.

    Notes
    -----
    Invariant to translation, uniform scaling and rotation. O(n d min(n, d)) time, O(min(n, d)²) memory beyond one block
    of rows, or beyond two copies in float64 of rows that are fewer than their features. Sums accumulate in float64
    around a shift, so a large mean costs no accuracy.

    The gradient is in closed form, with t = tr C and f = tr C²,

    .. math:: \nabla = \frac{4 t}{(n - 1) f (d - 1)} \Bigl(X_c - \frac tf X_c C\Bigr),

    and finite everywhere: 0 at isotropy, where that of the published code is infinite, and if all rows are equal.

    References
    ----------
    .. [1] Rudman, Gillman, Rayne & Eickhoff 2022, IsoScore: measuring the uniformity of embedding space utilization,
       arXiv:2108.07344.
    .. [2] Himeno & Yamada 2014, J. Multivariate Analysis 130, doi:10.1016/j.jmva.2014.05.006.
    .. [3] Chun, Canatar, Chung & Lee 2026, Estimating dimensionality of neural representations from finite samples,
       arXiv:2509.26560.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import isoscore
    >>> X = np.random.default_rng(0).normal(size=(1000, 3)) * [1, 1, 0]
    >>> round(isoscore(X), 2)
    0.5
    """
    if debias:
        return _spectrum.debiased_isoscore(_fourth_moments(X))
    if not is_to_be_moved(X):
        return _spectrum.isoscore(check_moments(X))
    return _objectives.isoscore(check_cloud(X, scale_free=True))


def _within_without_blocks(X: Any, labels: Any, *, codes: np.ndarray, debias: bool) -> np.ndarray | None:
    """Return None too if a class may have fewer rows than `debias` needs."""
    parts = parts_of_classes(X, labels, codes)
    if parts is None or (debias and parts.left.min() < 4):
        return None
    return _within.mean_isoscores_without(check_cloud(X, scale_free=True), parts, debias=debias)


@measure(
    direction=+1,
    bounds=("-inf if debias else 0", "inf if debias else 1"),
    invariances=RIGID,
    cost="O(n d min(n, d))",
    source="Cai et al. 2021, ICLR",
    needs="labels",
    differentiable=False,
    without_blocks=_within_without_blocks,
)
def isoscore_within(X: Any, labels: Any, *, debias: bool = False) -> Array:
    r"""IsoScore within classes: the isotropy of single classes or clusters, averaged.

    .. math:: \sum_c \frac{n_c}{n} \mathrm{IsoScore}(X_c).

    A space can be anisotropic only because its classes are far apart, or isotropic as a whole and thin within each
    class (local isotropy [1]_).

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.
    labels : array of shape (n_samples,)
        Class of each row: numbers or strings, with 2 to n_samples - 1 different values; with `debias`, each with at
        least four rows.
    debias : bool, default=False
        As in `isoscore`; the smaller the classes, the more it matters.

    Returns
    -------
    float or 0-d array
        In [0, 1], best = 1; with `debias=True` the estimate can leave the range. A class of one row, or of equal rows,
        counts as 0.

    Raises
    ------
    ValueError
        If X is not a finite matrix, labels do not fit it, there are fewer than 2 or more than n_samples - 1 classes, or
        with `debias` a class has fewer than four rows.

    See Also
    --------
    isoscore : IsoScore of the space as a whole.
    skgeom.preprocessing.GroupWhitening : Makes each class isotropic.
    skgeom.preprocessing.GroupAllButTheTop : Removes the leading directions of each class.

    Notes
    -----
    Invariant to rotation, uniform scaling and translation, also of each class separately. O(n d min(n, d)) time at
    most, in blocks of rows.

    References
    ----------
    .. [1] Cai, Huang, Bian & Church 2021, Isotropy in the contextual embedding space: clusters and manifolds, ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import isoscore, isoscore_within
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat([0, 1], 500)
    >>> X = rng.normal(size=(1000, 3)) + 20 * labels[:, None]
    >>> round(isoscore(X), 2), round(isoscore_within(X, labels), 2)
    (0.01, 0.99)
    """
    x = check_cloud(X, scale_free=True)
    labelled = check_labels(labels, x.shape[0])
    if debias and labelled.sizes.min() < 4:
        raise ValueError(
            f"A class has {labelled.sizes.min()} rows, but IsoScore with debias=True needs at least 4: leave out such "
            "classes, or merge them."
        )
    data = as_data(x)
    members = np.split(labelled.order, np.cumsum(labelled.sizes)[:-1])
    several = [_isoscore_of_rows(data, np.sort(rows), debias) for rows in members if rows.size > 1]
    values = np.zeros(len(members))
    values[labelled.sizes > 1] = numbers(several) if several else 0.0
    return asarray_like(np.dot(values, labelled.sizes) / x.shape[0], x, dtype=namespace(x).float64)


def _isoscore_of_rows(x: Array, rows: np.ndarray, debias: bool) -> Array:
    """Return the IsoScore of some rows, with one block at a time in memory."""
    summary: Callable[[Array], Any] = fourth_moments if debias else moments
    m = merge_all(summary(take_rows(x, rows[part])) for part in row_blocks(rows[:, None], columns=x.shape[1]))
    return (_spectrum.debiased_isoscore if debias else _spectrum.isoscore)(m)


@in_full_precision
def isoscore_from_covariance(covariance: Any) -> float | Array:
    r"""IsoScore of a cloud, from its covariance alone.

    It is (PR - 1)/(d - 1) with :math:`PR = (\mathrm{tr}\,C)^2 / \mathrm{tr}\,C^2`: see `isoscore`.

    Parameters
    ----------
    covariance : array of shape (n_features, n_features)
        A covariance matrix, or any positive multiple of one.

    Returns
    -------
    float
        In [0, 1], best = 1. The value is 0 for the zero matrix, and 1 for one feature that varies.

    Raises
    ------
    ValueError
        If the matrix is not square, symmetric and positive semi-definite up to rounding (1e-5 of its largest entry).

    Notes
    -----
    Invariant to scaling and rotation (C to QCQᵀ). O(d²) time after the check, which is O(d³).

    References
    ----------
    Rudman, Gillman, Rayne & Eickhoff 2022, arXiv:2108.07344.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import isoscore_from_covariance
    >>> round(isoscore_from_covariance(np.diag(np.arange(1.0, 11.0))), 6)  # 16/21
    0.761905
    """
    c = check_covariance(covariance, scale_free=True)
    xp = namespace(c)
    t = xp.linalg.trace(c)
    return as_it_came(_spectrum.isoscore_of_traces(t * t, xp.sum(c * c), c.shape[0]))


@measure(
    direction=+1,
    bounds=("0", "1"),
    invariances=RIGID,
    cost="O(n d min(n, d))",
    source="Rudman & Eickhoff 2024, arXiv:2305.19358",
)
def isoscore_star(X: Any, covariance: Any = None, *, zeta: float = 0.5) -> Array:
    r"""IsoScore*: the IsoScore of a covariance shrunk towards another.

    .. math:: \mathrm{IsoScore}^*(X) = \mathrm{IsoScore}\big((1 - \zeta)\,C + \zeta\,C_0\big),

    in closed form from tr C, tr C₀, ‖C‖², ⟨C, C₀⟩ and ‖C₀‖². It makes the score usable for mini-batches: the covariance
    of few rows looks less isotropic than the space that they come from.

    Parameters
    ----------
    X : array of shape (n_samples, n_features), iterator of blocks of rows, CloudSummary or Dask array
        The embeddings, one per row.
    covariance : array of shape (n_features, n_features), default=None
        The target C₀, for instance the covariance of a larger sample: a constant, without gradient. None uses
        (tr C / d) I, which keeps the score independent of scale; with any other target it depends on the scale of X.
    zeta : float, default=0.5
        The share of the target, in [0, 1]; with 0 the result is `isoscore`.

    Returns
    -------
    float or 0-d array
        In [0, 1], best = 1.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, C₀ is not a covariance of the same width, or zeta is not in
        [0, 1].

    Notes
    -----
    Invariant to translation and to a rotation of both X and C₀; with the default target also to uniform scaling.
    O(n d min(n, d)) time. The gradient is in closed form and finite everywhere, with a target in O(n d²). The penalty
    of the source is 1 minus this value. The published code leaves the target on the first GPU, whatever the device of
    X; here it is moved to that of X.

    References
    ----------
    Rudman & Eickhoff 2024, Stable anisotropic regularization, arXiv:2305.19358.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import isoscore, isoscore_star
    >>> X = np.random.default_rng(0).normal(size=(64, 32))  # isotropic, but few rows
    >>> round(isoscore(X), 2), round(isoscore_star(X, zeta=0.8), 2)
    (0.66, 0.98)
    """
    zeta = check_real(zeta, "zeta", 0, 1)
    if is_to_be_moved(X):
        x = check_cloud(X, scale_free=covariance is None)
        c0 = None if covariance is None else check_covariance(covariance, like=x, definite=False)
        return _objectives.isoscore_star(x, c0, zeta)
    m = check_moments(X, scale_free=covariance is None)
    c0 = None if covariance is None else check_covariance(covariance, like=m.mean)
    return _spectrum.isoscore_star(m, c0, zeta)


@measure(
    direction=-1,
    bounds=("0", "1"),
    invariances=RIGID,
    cost="O(n d min(n, d))",
    source="Rudman et al. 2022, arXiv:2108.07344",
)
def isotropy_defect(X: Any) -> Array:
    r"""Isotropy defect: the distance of the normalised variances from the all-equal vector.

    With λ the covariance eigenvalues,

    .. math:: \delta = \frac{\lVert \sqrt d\,\lambda / \lVert\lambda\rVert - \mathbf 1 \rVert}{\sqrt{2(d - \sqrt d)}}.

    Parameters
    ----------
    X : array of shape (n_samples, n_features), iterator of blocks of rows, CloudSummary or Dask array
        The embeddings, one per row.

    Returns
    -------
    float or 0-d array
        In [0, 1], best = 0 for isotropy; 1 if all variance is in one direction or all rows are equal.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows.

    See Also
    --------
    isoscore : A decreasing function of the defect, linear in the share of dimensions used.

    Notes
    -----
    Invariant to translation, uniform scaling and rotation. O(n d min(n, d)) time; no eigenvalues are computed.

    References
    ----------
    Rudman, Gillman, Rayne & Eickhoff 2022, arXiv:2108.07344.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import isotropy_defect
    >>> isotropy_defect(np.vstack([np.eye(3), -np.eye(3)]))
    0.0
    """
    return _spectrum.isotropy_defect(check_moments(X))


@measure(
    direction=+1,
    bounds=("-inf if debias else 0", "inf if debias else min(n - 1, d)"),
    invariances=RIGID,
    cost="O(n d min(n, d))",
    source="Gao et al. 2017, doi:10.1101/214262",
)
def participation_ratio(X: Any, *, debias: bool = False) -> Array:
    r"""Participation ratio: the effective number of directions that share the variance.

    .. math:: PR = \frac{(\mathrm{tr}\,C)^2}{\mathrm{tr}\,C^2} = \frac{(\sum_i \lambda_i)^2}{\sum_i \lambda_i^2}.

    Parameters
    ----------
    X : array of shape (n_samples, n_features), iterator of blocks of rows, CloudSummary or Dask array
        The embeddings, one per row.
    debias : bool, default=False
        Use the unbiased estimates of numerator and denominator: see `isoscore`.

    Returns
    -------
    float or 0-d array
        In [1, min(n - 1, d)], larger = more isotropic; 0 if all rows are equal. With `debias=True` it can leave the
        range, be infinite or 0: see `isoscore`.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows (four with `debias`).

    Notes
    -----
    Invariant to translation, uniform scaling and rotation. O(n d min(n, d)) time, no eigenvalues.

    References
    ----------
    Gao et al. 2017, A theory of multineuronal dimensionality, doi:10.1101/214262. Chun, Canatar, Chung & Lee 2026,
    arXiv:2509.26560 (rows corrected).

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import participation_ratio
    >>> X = np.random.default_rng(0).normal(size=(50, 100))  # 100 equal directions, 50 rows
    >>> round(participation_ratio(X)), round(participation_ratio(X, debias=True))
    (33, 100)
    """
    if not debias:
        return _spectrum.participation_ratio(check_moments(X))
    return _spectrum.debiased_participation_ratio(_fourth_moments(X))


@measure(
    direction=+1,
    bounds=("0", "min(n - 1, d)"),
    invariances=RIGID,
    cost="O(n d min(n, d))",
    source="Roy & Vetterli 2007, EUSIPCO",
)
def effective_rank(X: Any) -> Array:
    r"""Effective rank: the exponential of the entropy of the singular values.

    With σ the singular values of the centred rows and :math:`p_i = \sigma_i / \sum_j \sigma_j`,

    .. math:: \mathrm{erank}(X) = \exp\Big(-\sum_i p_i \log p_i\Big).

    The source and `rankme` normalise singular values, not eigenvalues of the covariance; the entropy of eigenvalues is
    smaller.

    Parameters
    ----------
    X : array of shape (n_samples, n_features), iterator of blocks of rows, CloudSummary or Dask array
        The embeddings, one per row.

    Returns
    -------
    float or 0-d array
        In [1, min(n - 1, d)], larger = more directions in use; 0 if all rows are equal.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows.

    See Also
    --------
    rankme : The same entropy of the uncentred rows, as used to rank self-supervised models.

    Notes
    -----
    Invariant to translation, uniform scaling and rotation up to rounding. A direction counts if its standard deviation
    exceeds ε times the root mean square of the entries along it, including the offset and at least that of the median
    coordinate, where ε is the precision of the numbers (2^-18 for float32, 2^-10 for float16), and if its variance
    differs from 0 in float64 (3.6e-15 of the largest). The value is the same in every dtype that represents the rows
    exactly. O(n d min(n, d)) time.

    References
    ----------
    Roy & Vetterli 2007, The effective rank: a measure of effective dimensionality, EUSIPCO.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import effective_rank
    >>> round(effective_rank(np.vstack([np.eye(4), -np.eye(4)])), 6)
    4.0
    """
    return _spectrum.effective_rank(check_ranked_moments(X))


@measure(
    direction=+1,
    bounds=("0", "min(n, d) * (1 + 1e4 * epsilon)"),
    invariances=LINEAR,
    cost="O(n d min(n, d))",
    source="Garrido et al. 2023, arXiv:2210.02885",
)
def rankme(X: Any, *, epsilon: float = 1e-7) -> Array:
    r"""RankMe: the effective rank of the uncentred rows, with the published epsilon.

    .. math:: \mathrm{RankMe}(X) = \exp\Big(-\sum_i p_i \log p_i\Big), \quad
       p_i = \frac{\sigma_i(X)}{\lVert\sigma(X)\rVert_1} + \epsilon.

    Parameters
    ----------
    X : array of shape (n_samples, n_features), iterator of blocks of rows, CloudSummary or Dask array
        The embeddings, one per row.
    epsilon : float, default=1e-7
        Added to each probability, as in the source.

    Returns
    -------
    float or 0-d array
        In [1, min(n, d)] up to epsilon, larger = better according to the source.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, or epsilon is negative or not finite.

    Notes
    -----
    Invariant to uniform scaling and rotation, not to translation: a common mean is one more direction. Directions count
    by the rule of `effective_rank`. O(n d min(n, d)) time.

    References
    ----------
    Garrido, Balestriero, Najman & LeCun 2023, RankMe, arXiv:2210.02885.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import rankme
    >>> round(rankme(np.eye(5)), 3)
    5.0
    """
    epsilon = check_real(epsilon, "epsilon", 0)
    return _spectrum.rankme(check_ranked_moments(X), epsilon)


@measure(
    direction=+1,
    bounds=("0", "min(n - 1, d)"),
    invariances=RIGID,
    cost="O(n d min(n, d))",
    source="Rudelson & Vershynin 2007, doi:10.1145/1255443.1255449",
)
def stable_rank(X: Any) -> Array:
    r"""Stable rank: the total variance over the largest.

    .. math:: \mathrm{srank}(X) = \frac{\sum_i \lambda_i}{\lambda_1}.

    Parameters
    ----------
    X : array of shape (n_samples, n_features), iterator of blocks of rows, CloudSummary or Dask array
        The embeddings, one per row; they are centred first.

    Returns
    -------
    float or 0-d array
        In [1, min(n - 1, d)], larger = less dominated by one direction; 0 if all rows are equal.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows.

    Notes
    -----
    Invariant to translation, uniform scaling and rotation. O(n d min(n, d)) time.

    References
    ----------
    Rudelson & Vershynin 2007, J. ACM 54, doi:10.1145/1255443.1255449.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import stable_rank
    >>> round(stable_rank(np.vstack([np.diag([2.0, 1.0]), -np.diag([2.0, 1.0])])), 3)
    1.25
    """
    return _spectrum.stable_rank(check_moments(X))


@measure(
    direction=0,
    bounds=("0", "inf"),
    invariances=RIGID,
    cost="O(n d min(n, d))",
    source="Agrawal et al. 2022, arXiv:2202.05808",
    infinite="fewer than two directions have variance",
)
def spectrum_slope(X: Any, *, first: int = 1, last: int | None = None) -> Array:
    r"""Decay exponent α of the covariance spectrum, λ_j ∝ j^(-α) (α-ReQ).

    α is minus the slope of log λ against log rank, by least squares with weights 1/j, so each octave of ranks counts
    equally.

    Parameters
    ----------
    X : array of shape (n_samples, n_features), iterator of blocks of rows, CloudSummary or Dask array
        The embeddings, one per row.
    first, last : int, default=1 and None
        The first and last rank, inclusive, of the fit. None is the last direction that counts, by the rule of
        `effective_rank`.

    Returns
    -------
    float or 0-d array
        At least 0 (a flat spectrum). The source finds good representations near 1. It is inf if fewer than two
        directions in the range have variance.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, or the range of ranks is invalid.

    Notes
    -----
    Invariant to translation, uniform scaling and rotation. O(n d min(n, d)) time.

    References
    ----------
    Agrawal, Mondal, Ghosh & Richards 2022, α-ReQ, arXiv:2202.05808. Stringer et al. 2019,
    doi:10.1038/s41586-019-1346-5 (the fit).

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import spectrum_slope
    >>> s = np.arange(1, 9.0) ** -0.5  # standard deviations, so that the variances fall as 1/j
    >>> round(spectrum_slope(np.vstack([np.diag(s), -np.diag(s)])), 3)
    1.0
    """
    first = check_count(first, "first")
    last = None if last is None else check_count(last, "last", first + 1)
    return _spectrum.spectrum_slope(check_ranked_moments(X), first, last)


@on_a_device
def variance_explained(X: Any) -> Array:
    r"""Share of the variance in the first 1, 2, ..., d principal directions.

    .. math:: V_k = \frac{\sum_{i \le k} \lambda_i}{\sum_i \lambda_i}.

    Parameters
    ----------
    X : array of shape (n_samples, n_features), iterator of blocks of rows, CloudSummary or Dask array
        The embeddings, one per row.

    Returns
    -------
    array of shape (n_features,), float64
        Increasing to 1; entry k - 1 is for k directions. For an isotropic cloud it is the straight line k/d; zeros if
        all rows are equal.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows.

    Notes
    -----
    Invariant to translation, uniform scaling and rotation. O(n d min(n, d)) time.

    References
    ----------
    Rudman, Gillman, Rayne & Eickhoff 2022, arXiv:2108.07344 (VarEx).

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import variance_explained
    >>> variance_explained(np.vstack([np.diag([3.0, 1.0]), -np.diag([3.0, 1.0])]))
    array([0.9, 1. ])
    """
    return _spectrum.variance_explained(check_moments(X))


def collapse_bound(n_classes: int, n_features: int) -> float:
    r"""Largest IsoScore that fully collapsed classes allow.

    If each of k classes shrinks to one point, the covariance has rank at most k - 1, hence

    .. math:: \mathrm{IsoScore} \le \frac{\min(k - 1, d) - 1}{d - 1},

    attained by balanced classes at the corners of a regular simplex. The claim that isotropy and clusters are
    incompatible [1]_ is true only in this form: with k > d both IsoScore and silhouette can be 1; with two classes
    IsoScore tends to 0.

    The bound is the same on every Riemannian manifold of dimension d, for the IsoScore of the tangent vectors at the
    Fréchet mean μ (`skgeom.preprocessing.TangentSpace`): :math:`\sum_c n_c \log_\mu x_c = 0`, so k points again span at
    most k - 1 directions. On the sphere of unit rows d is the number of features less one, in the Poincaré ball the
    number of features.

    Parameters
    ----------
    n_classes, n_features : int
        Number of classes k >= 1 and dimension d >= 1 of the space.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError
        If a count is below 1.

    See Also
    --------
    skgeom.preprocessing.TangentSpace : Tangent vectors on the sphere and in the ball.

    References
    ----------
    .. [1] Mickus, Grönroos & Attieh 2024, Isotropy, clusters, and classifiers, arXiv:2402.03191.

    Examples
    --------
    >>> from skgeom.metrics import collapse_bound
    >>> collapse_bound(2, 384), round(collapse_bound(25, 50), 5), collapse_bound(11, 10)
    (0.0, 0.46939, 1.0)
    """
    return _spectrum.collapse_bound(check_count(n_classes, "n_classes"), check_count(n_features, "n_features"))


@once_per_cloud
def _fourth_moments(X: Any) -> FourthMoments:
    return sum_of(X, part_of_fourth_moments, partial(check_cloud, min_samples=4, scale_free=True))
