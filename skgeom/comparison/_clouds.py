"""Whether two clouds of different rows differ, and in what."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.stats import ttest_ind_from_stats

from skgeom._array import as_data, float64, in_full_precision, namespace, take_rows, to_float, to_numpy
from skgeom._core._permutation import (
    Null,
    doubly_centred,
    membership,
    null_of_doubly_centred,
    sums_of,
)
from skgeom._core.sums._spaces import Space
from skgeom._typing import Array
from skgeom._validation import check_clouds, check_count, check_squares
from skgeom.comparison._checks import check_space
from skgeom.comparison._null import p_value

_FEWEST = 8
"""Rows of a cloud from which its second and third moments can be told."""

_ORDERS = 999
"""Random orders that are looked at where the moments do not tell the tail."""

_ROUNDING = 1e-12
"""Share of values below which what they differ by is rounding."""


class Part(NamedTuple):
    """One way in which two clouds may differ.

    Attributes
    ----------
    pvalue : float
        Probability of as large a difference between clouds that do not differ in this.
    effect : float
        How large it is; see `CloudTest`.
    """

    pvalue: float
    effect: float


class CloudTest(NamedTuple):
    """What `cloud_test` returns.

    Attributes
    ----------
    location : Part
        The means. The effect is their distance, without the bias of few rows, over the root of the total variance of X;
        0 where that bias exceeds it.
    scale : Part
        The total variances. The effect is that of Y over that of X.
    covariance : Part
        The covariance matrices. The effect is the correlation, from -1 to 1, between the alignment of two differences
        of rows and whether they are of one cloud; 0 on average where the matrices are equal.
    kernel : Part
        The distributions, as a Gaussian kernel of the median distance sees them. The effect is the same correlation
        with the kernel in place of the alignment.
    pvalue : float
        The least of the four p-values times 4, at most 1 (Bonferroni).
    """

    location: Part
    scale: Part
    covariance: Part
    kernel: Part
    pvalue: float


@in_full_precision
def cloud_test(
    X: Any, Y: Any, *, max_rows: int = 2000, random_state: int | np.random.Generator | None = 0
) -> CloudTest:
    r"""Test whether two clouds in one space differ, and in what: their means, variances, covariances or kernel means.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        One cloud, such as a reference: at least 8 rows that do not depend on one another.
    Y : array of shape (m_samples, n_features)
        The other, in the same space.
    max_rows : int, default=2000
        How many rows the parts over pairs look at: of larger clouds a random sample, half of it from each, or more from
        the larger one where the smaller has not so many.
    random_state : int, generator of NumPy or None, default=0
        Where the sample, and the pairs of rows whose differences are taken, come from.

    Returns
    -------
    CloudTest
        P-value and effect of each part, and a p-value of all.

    Raises
    ------
    ValueError
        If X or Y is not a finite matrix of at least 8 rows, they differ in width, library or device, have magnitudes
        whose squares leave the range of float64, or all rows of one are equal or equally far from one another.

    See Also
    --------
    relation_test : For two representations of the same rows.
    skgeom.metrics.modality_gap : The distance of the means on the sphere.

    Notes
    -----
    * *Location*: the unbiased :math:`\lVert \mu_X - \mu_Y \rVert^2` of Chen and Qin [1]_ against a distribution of
      Pearson (type III) with the variance and the third moment that the two covariances give, each estimated without
      bias. Nothing is assumed of the covariances, and sizes may differ: a permutation test of the same distance rejects
      equal means for unequal covariances.
    * *Scale*: Welch's t of the squared distances to the own mean.
    * *Covariance*: differences z of random pairs of rows do not know the mean. Their :math:`\langle z, z' \rangle^2`,
      within and between the clouds, doubly centred, against all permutations of the differences, in closed form as in
      `relation_test`.
    * *Kernel*: the same with :math:`\exp(-\lVert x - y \rVert^2 / (2 h^2))` of the rows, h the median distance (the
      maximum mean discrepancy [2]_).

    The last two assume that rows are exchangeable if the clouds do not differ; where few rows dominate them, 999 random
    permutations take the place of the closed form. Rows that depend on one another, such as sentences of a document,
    make all p-values too small. O(n d²) time and memory of a block of rows for the first two, O(N² d + N³) time and N²
    numbers for N = `max_rows` in the others. The result carries no gradient.

    References
    ----------
    .. [1] Chen & Qin 2010, A two-sample test for high-dimensional data, doi:10.1214/09-AOS716.
    .. [2] Gretton et al. 2012, A kernel two-sample test, JMLR 13:723-773.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.comparison import cloud_test
    >>> rng = np.random.default_rng(0)
    >>> X, Y = rng.normal(size=(300, 50)), 1.3 * rng.normal(size=(100, 50))
    >>> found = cloud_test(X, Y)
    >>> [name for name in ("location", "scale") if getattr(found, name).pvalue < 0.01]
    ['scale']
    >>> round(found.scale.effect, 1)
    1.6
    """
    x, y = (as_data(side) for side in check_clouds(X, Y, min_samples=_FEWEST))
    for side, name in ((x, "X"), (y, "Y")):
        check_squares(side, name)
    check_count(max_rows, "max_rows", 4 * _FEWEST)
    rng = np.random.default_rng(random_state)
    a, b = check_space(x, "X"), check_space(y, "Y")
    fewer = min(x.shape[0], y.shape[0], max_rows // 2)
    few = [_sampled(side, max_rows - fewer if side.shape[0] > fewer else fewer, rng) for side in (x, y)]
    parts = _location(a, b), _scale(a, b), _covariance(few, rng), _kernel(few, rng)
    return CloudTest(*parts, min(1.0, len(parts) * min(part.pvalue for part in parts)))


def _location(x: Space, y: Space) -> Part:
    """Return the test of the means, in units of the total square of X."""
    xp, ratio = namespace(x.scatter), (x.unit / y.unit) ** 2
    c, d = x.scatter / (x.n - 1), y.scatter * (ratio / (y.n - 1))
    gap = (x.mean - y.mean) * x.unit
    trace_c, trace_d = 1 / (x.n - 1), ratio / (y.n - 1)
    squared = to_float(gap @ gap) - trace_c / x.n - trace_d / y.n
    both = to_float(xp.sum(c * d))
    variance = (
        2 * _squared_trace(to_float(xp.sum(c * c)), trace_c, x.n) / x.n**2
        + 2 * _squared_trace(to_float(xp.sum(d * d)), trace_d, y.n) / y.n**2
        + 4 * both / (x.n * y.n)
    )
    third = (
        _cubed_trace(x, 1.0) / x.n**3
        + _cubed_trace(y, ratio) / y.n**3
        + 3 * _mixed_trace(to_float(xp.sum((c @ c) * d)), trace_c * both, x.n) / (x.n**2 * y.n)
        + 3 * _mixed_trace(to_float(xp.sum((d @ d) * c)), trace_d * both, y.n) / (y.n**2 * x.n)
    )
    null = Null(0.0, variance**0.5, max(8 * third, 0.0) / variance**1.5)
    return Part(p_value(null, squared), float(max(squared, 0.0) / trace_c) ** 0.5)


def _squared_trace(squares: float, trace: float, n: int) -> float:
    """Return tr C² without the bias of few rows."""
    m = n - 1
    return m * m / ((m - 1) * (m + 2)) * (squares - trace * trace / m)


def _cubed_trace(space: Space, factor: float) -> float:
    """Return tr C³ without the bias of few rows, C being that of the scaled rows times a factor."""
    n = space.n
    return space.doubly_centred_trace[0] * factor**3 / (n * (n - 1) * (n - 2))


def _mixed_trace(value: float, apart: float, n: int) -> float:
    """Return tr C²D without the bias of few rows in C, from that and tr C tr CD."""
    m = n - 1
    return (value - apart / m) / (1 + 1 / m - 2 / m**2)


def _scale(x: Space, y: Space) -> Part:
    """Return Welch's test of ‖row - mean‖² n / (n - 1), since a mean is nearer to its own rows, in units of X."""
    ratio = (x.unit / y.unit) ** 2
    means = 1 / (x.n - 1), ratio / (y.n - 1)
    stds = [np.std(side.lengths, ddof=1) * side.n * mean for side, mean in zip((x, y), means, strict=True)]
    if max(stds) <= _ROUNDING * max(means):
        pvalue = float(abs(means[0] - means[1]) <= _ROUNDING * max(means))
    else:
        pvalue = float(ttest_ind_from_stats(means[0], stds[0], x.n, means[1], stds[1], y.n, equal_var=False).pvalue)
    return Part(pvalue, means[1] / means[0])


def _covariance(clouds: list[np.ndarray], rng: np.random.Generator) -> Part:
    halves = [rng.permutation(len(cloud))[: len(cloud) // 2 * 2].reshape(-1, 2) for cloud in clouds]
    z = [cloud[pairs[:, 0]] - cloud[pairs[:, 1]] for cloud, pairs in zip(clouds, halves, strict=True)]
    rows = np.concatenate(z)
    rows /= np.sqrt(np.mean(np.sum(rows * rows, axis=1))) or 1.0
    return _between((rows @ rows.T) ** 2, len(z[0]), rng)


def _kernel(clouds: list[np.ndarray], rng: np.random.Generator) -> Part:
    rows = np.concatenate(clouds)
    rows = rows - rows.mean(axis=0)
    squares = np.sum(rows * rows, axis=1)
    distances = np.maximum(squares[:, None] + squares[None, :] - 2 * (rows @ rows.T), 0.0)
    typical = np.median(distances[np.triu_indices(len(rows), 1)]) or 1.0
    return _between(np.exp(-distances / (2 * typical)), len(clouds[0]), rng)


def _between(similarities: np.ndarray, n_first: int, rng: np.random.Generator) -> Part:
    """Return the test of whether rows of one cloud are more similar than those of two.

    Where few rows dominate, three moments do not tell the tail, and random orders of the rows are looked at: since the
    rows of A sum to 0, the statistic is a multiple of the sum of A within the first cloud.
    """
    n = len(similarities)
    a, b = doubly_centred(similarities), doubly_centred(membership([n_first, n - n_first]))
    sums, groups = sums_of(a), sums_of(b)
    if sums.squares <= _ROUNDING * np.vdot(similarities, similarities):
        return Part(1.0, 0.0)
    value = float(np.vdot(a, b)) / (sums.squares * groups.squares) ** 0.5
    null = null_of_doubly_centred(n, sums, groups)
    if null.is_told:
        return Part(p_value(null, value), value)
    orders = np.stack([rng.permutation(n) < n_first for _ in range(_ORDERS)], axis=1).astype(np.float64)
    drawn, came = np.sum(orders * (a @ orders), axis=0), np.sum(a[:n_first, :n_first])
    return Part(float((1 + np.count_nonzero(drawn >= came)) / (1 + _ORDERS)), value)


def _sampled(x: Array, size: int, rng: np.random.Generator) -> np.ndarray:
    """Return a random sample of the rows on the host, or all if they are fewer, in float64."""
    n = x.shape[0]
    return to_numpy(
        float64(x if n <= size else take_rows(x, np.sort(rng.choice(n, max(size, _FEWEST), replace=False))))
    )
