"""Whether clouds of different rows differ, and in which respect."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from skgeom._array import as_data, in_full_precision
from skgeom._frames import frame_of
from skgeom._typing import Array
from skgeom._validation import (
    check_cloud,
    check_column_order,
    check_count,
    check_groups,
    check_real,
    check_same_kind,
    check_seed,
)
from skgeom.comparison._parts import Means, Part, Scales, Similarities, covariances, kernel_means
from skgeom.comparison._sides import FEWEST, Side, grouped_side, side_of
from skgeom.summary import CloudSummary
from skgeom.summary._summary import check_one_space, summary_of

_Test: TypeAlias = Means | Scales | Similarities

PARTS = ("location", "scale", "covariance", "kernel")


class CloudPair(NamedTuple):
    """How two of several clouds differ.

    Attributes
    ----------
    first, second : int
        Their positions among the clouds.
    location, scale, covariance, kernel : Part
        As in `CloudTest`, for these two: the effect of the scale is that of the second over that of the first. The
        p-values are adjusted for the number of pairs by Holm's method: in each part, the probability that any pair
        without a difference is below alpha is at most alpha.
    """

    first: int
    second: int
    location: Part
    scale: Part
    covariance: Part
    kernel: Part


class CloudTest(NamedTuple):
    """The result of `cloud_test`.

    Attributes
    ----------
    location : Part
        The means. The effect is their distance, without the bias of few rows, over the root of the total variance of X;
        0 where that bias exceeds it. Of more than two clouds, it is the root mean square over pairs of rows of
        different clouds.
    scale : Part
        The total variances. The effect is that of Y over that of X; of more than two clouds, the largest over the
        smallest.
    covariance : Part
        The covariance matrices. The effect is the correlation, from -1 to 1, between the alignment of two differences
        of rows and whether they are of one cloud; 0 on average where the matrices are equal.
    kernel : Part
        The distributions, compared by a Gaussian kernel with the median distance as its width. The effect is the same
        correlation, with the kernel in place of the alignment.
    pvalue : float
        The minimum of the four p-values times 4, at most 1 (Bonferroni).
    pairs : tuple of CloudPair
        The same parts for every two clouds.
    """

    location: Part
    scale: Part
    covariance: Part
    kernel: Part
    pvalue: float
    pairs: tuple[CloudPair, ...]

    def __str__(self) -> str:
        """Return a table of the four parts of all clouds, and the p-value."""
        parts = [f"{name:<10} {p:8.2g} {effect:8.3g}" for name, (p, effect) in zip(PARTS, self[:4], strict=True)]
        return "\n".join([f"{'':10}  p-value   effect", *parts, f"{'any':<10} {self.pvalue:8.2g}"])

    def moved(self, alpha: float = 0.05) -> tuple[str, ...]:
        """Return the names of the parts that differ; if none does, any is named with probability alpha at most.

        Parameters
        ----------
        alpha : float, default=0.05
            The level of the four tests together, by Holm's method.

        Returns
        -------
        tuple of str
            None if `pvalue` exceeds alpha, and at least one otherwise.
        """
        check_real(alpha, "alpha", 0, 1)
        adjusted = _holm([getattr(self, name).pvalue for name in PARTS])
        return tuple(name for name, p in zip(PARTS, adjusted, strict=True) if p <= alpha)

    def to_frame(self) -> Any:
        """Return one row for each part of each pair of clouds, as a pandas frame.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        return frame_of(
            [
                {"first": pair.first, "second": pair.second, "part": name, **getattr(pair, name)._asdict()}
                for pair in self.pairs
                for name in PARTS
            ]
        )


@in_full_precision
def cloud_test(
    X: Any,
    Y: Any,
    *others: Any,
    groups: Sequence[Any] | None = None,
    max_rows: int = 2000,
    random_state: int | np.random.Generator | None = 0,
) -> CloudTest:
    r"""Test whether clouds in one space differ in mean, variance, covariance or kernel mean.

    Parameters
    ----------
    X : array of shape (n_samples, n_features) or CloudSummary
        One cloud, such as a reference: at least 8 rows that do not depend on one another.
    Y : array of shape (m_samples, n_features) or CloudSummary
        Another cloud in the same space.
    *others : array of shape (l_samples, n_features) or CloudSummary
        Further clouds.
    groups : sequence of arrays, one for each cloud, default=None
        The groups of the rows of X, of Y and so on, such as their documents: rows of one group may depend on one
        another. At least 8 groups in each cloud, of any size, each in one cloud only.
    max_rows : int, default=2000
        Number of rows, over all clouds, that the parts over pairs use, and the scale if a cloud has fewer than 100
        rows. Larger clouds are sampled, to equal sizes where they have enough rows. With groups whole groups are
        sampled, and the number of rows holds on average.
    random_state : int, generator of NumPy or None, default=0
        Seed of the sample, of the pairs of rows whose differences are used, and of random orders.

    Returns
    -------
    CloudTest
        P-value and effect of each part, a p-value of all, and the same for each pair of clouds.

    Raises
    ------
    ValueError
        If a cloud is not a finite matrix of at least 8 rows, clouds differ in width, library or device, or are frames
        with the same columns in different orders, have magnitudes whose fourth powers leave the range of float64, or
        all rows of one are equal or equally far from one another. If groups are given for summaries, a cloud has fewer
        than 8, or a group is in two clouds.

    See Also
    --------
    DriftMonitor : For batches against one reference.
    skgeom.summary.cloud_summary : For rows on several machines.
    relation_test : For two representations of the same rows.
    skgeom.metrics.modality_gap : The distance of the means on the sphere.

    Notes
    -----
    * *Location*: the unbiased :math:`\lVert \mu_X - \mu_Y \rVert^2` of Chen and Qin [1]_ against a distribution of
      Pearson (type III) with the variance and the third moment that the two covariances give, each estimated without
      bias for normal rows; or against an F distribution, if that gives a larger p-value, as it does for few rows that
      vary along few directions. Nothing is assumed of the covariances, and sizes may differ: a permutation test of the
      same distance rejects equal means for unequal covariances. But fewer than 40 rows may by chance have none of a
      small cluster of the other cloud, and a covariance without it: then the p-value is at least that of permutations,
      if one of these reaches the value. Of K clouds it is the mean of these distances over pairs of rows of different
      clouds, which is that of :math:`\sum_k n_k \lVert \mu_k - \mu \rVert^2`.
    * *Scale*: Welch's t of the squared distances to the own mean, or his analysis of variance [3]_ of K clouds. With
      fewer than 100 rows in a cloud, where squared distances may be too skewed for his distribution, the p-value is the
      larger one of his and that by random orders [4]_ of the rows about their means, with new distances to the means
      in each order, of at most 400 rows of each cloud.
    * *Covariance*, scale included: differences z of random pairs of rows do not depend on the mean. Their
      :math:`\langle z, z' \rangle^2`, within and between the clouds, doubly centred, against all permutations of the
      differences, in closed form as in `relation_test`.
    * *Kernel*: the same with :math:`\exp(-\lVert x - y \rVert^2 / (2 h^2))` of the rows, h the median distance (the
      maximum mean discrepancy [2]_).

    The last two assume that rows are exchangeable if the clouds do not differ; if a few rows dominate them, 999 random
    permutations replace the closed form, and up to 20,000 until one reaches the value: such a p-value, also that of the
    scale, is at least 5e-5. Rows that depend on one another, such as sentences of a document, make all
    p-values too small: give their `groups`. Then each group counts once, whatever its size: its mean is a row of the
    first part, and its mean squared distance, or its mean similarity with another group, a number of the others. A
    transform that was fitted to the rows of one cloud makes it differ from the others: fit it to other rows.

    Of 1,000 random splits of each of six real sets into clouds of 100 and 100, of 150 and 50, and of 80, 60 and 60
    rows, each part is below .05 in 3.5 to 6.2 %, below .01 in .2 to 1.7 %, and `pvalue` below .05 in 2.9 to 4.5 %; with
    groups, each part is below .05 in 1.6 to 5.9 % (``python -m benchmarks clouds``). Of 8 or 20 rows beside 300 to
    2,000 of normal, spiked or heavy-tailed (t with 3 degrees of freedom) rows, location and scale are below .05 in at
    most 7.5 %; of 8 or 20 beside 40 or 300, of which one in five is in a cluster six deviations away in each of one or
    eight features, in at most 6 %.

    O(n d²) time for the moments, O(K² d³) for the means, and O(N² d + N³) time and N² numbers for N = `max_rows` in the
    parts over pairs; where random orders decide, up to 20,000 N² more. The result carries no gradient.

    References
    ----------
    .. [1] Chen & Qin 2010, A two-sample test for high-dimensional data, doi:10.1214/09-AOS716.
    .. [2] Gretton et al. 2012, A kernel two-sample test, JMLR 13:723-773.
    .. [3] Welch 1951, On the comparison of several mean values, doi:10.1093/biomet/38.3-4.330.
    .. [4] Janssen 1997, Studentized permutation tests for non-i.i.d. hypotheses, doi:10.1016/S0167-7152(97)00043-6.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.comparison import cloud_test
    >>> rng = np.random.default_rng(0)
    >>> X, Y = rng.normal(size=(300, 50)), 1.3 * rng.normal(size=(100, 50))
    >>> found = cloud_test(X, Y)
    >>> found.moved(alpha=0.01)
    ('scale', 'covariance', 'kernel')
    >>> round(found.scale.effect, 1)
    1.6

    Of three clouds, which differ:

    >>> found = cloud_test(X, rng.normal(size=(80, 50)), rng.normal(0.4, size=(90, 50)))
    >>> [(pair.first, pair.second) for pair in found.pairs if pair.location.pvalue < 0.01]
    [(0, 2), (1, 2)]
    """
    clouds = (X, Y, *others)
    check_count(max_rows, "max_rows", 2 * FEWEST * len(clouds))
    names, rng = ["X", "Y", *(f"cloud {k}" for k in range(2, len(clouds)))], check_seed(random_state)
    for other, name in zip(clouds[1:], names[1:], strict=True):
        check_column_order(X, other, (names[0], name))
    if groups is None:
        return test_of(clouds, names, max_rows, rng)
    return _test_of_sides(_grouped_sides(clouds, names, groups, max_rows, rng), rng)


@in_full_precision
def test_of(clouds: Sequence[Any], names: Sequence[str], max_rows: int, rng: np.random.Generator) -> CloudTest:
    """Return the test of clouds of independent rows, or of summaries, which have these names in messages."""
    return _test_of_sides(_sides(clouds, names, max_rows, rng), rng)


def _test_of_sides(sides: list[Side], rng: np.random.Generator) -> CloudTest:
    tests: list[_Test] = [Means(sides, rng), Scales(sides, rng), covariances(sides, rng), kernel_means(sides, rng)]
    location, scale, covariance, kernel = joint = [test.test(range(len(sides))) for test in tests]
    pairs = list(combinations(range(len(sides)), 2))
    of_pairs = [[part] for part in joint] if len(pairs) == 1 else [_adjusted(test, pairs) for test in tests]
    found = tuple(CloudPair(*pair, *parts) for pair, *parts in zip(pairs, *of_pairs, strict=True))
    return CloudTest(location, scale, covariance, kernel, min(1.0, 4 * min(part.pvalue for part in joint)), found)


def _sides(clouds: Sequence[Any], names: Sequence[str], max_rows: int, rng: np.random.Generator) -> list[Side]:
    summaries = [
        cloud.map_arrays(as_data)
        if isinstance(cloud, CloudSummary)
        else summary_of(_rows(cloud, name), name, max_rows, rng)
        for cloud, name in zip(clouds, names, strict=True)
    ]
    for other, name in zip(summaries[1:], names[1:], strict=True):
        check_one_space(summaries[0], other, (names[0], name))
    sizes = _shares([len(summary.rows) for summary in summaries], max_rows)
    return [side_of(summary, name, size) for summary, name, size in zip(summaries, names, sizes, strict=True)]


def _grouped_sides(
    clouds: Sequence[Any], names: Sequence[str], groups: Any, max_rows: int, rng: np.random.Generator
) -> list[Side]:
    if not isinstance(groups, tuple | list) or len(groups) != len(clouds):
        raise ValueError(f"groups must be a tuple of {len(clouds)} arrays, the groups of the rows of each cloud.")
    if any(isinstance(cloud, CloudSummary) for cloud in clouds):
        raise ValueError("groups need rows, but a summary has none: pass the arrays.")
    rows = [_rows(cloud, name) for cloud, name in zip(clouds, names, strict=True)]
    for other, name in zip(rows[1:], names[1:], strict=True):
        check_same_kind(rows[0], other, (names[0], name))
    found = [check_groups(of_cloud, x.shape[0]) for of_cloud, x in zip(groups, rows, strict=True)]
    for i, j in combinations(range(len(rows)), 2):
        shared = set(found[i][0]) & set(found[j][0])
        if shared:
            raise ValueError(
                f"Group {min(shared, key=str)!r} is in {names[i]} and in {names[j]}, so these depend on one "
                "another: leave it out of one, or give the groups of different clouds different names."
            )
    sizes = _shares([x.shape[0] for x in rows], max_rows)
    parts = zip(rows, found, names, sizes, strict=True)
    return [grouped_side(x, codes, name, size, rng) for x, (_, codes), name, size in parts]


def _rows(cloud: Any, name: str) -> Array:
    return as_data(check_cloud(cloud, name=name, min_samples=FEWEST))


def _shares(sizes: Sequence[int], most: int) -> list[int]:
    """Return the number of rows to take from each cloud: all of small clouds, and equally many of the others."""
    shares = list(sizes)
    for place, k in enumerate(np.argsort(sizes, kind="stable")):
        shares[k] = min(sizes[k], most // (len(sizes) - place))
        most -= shares[k]
    return shares


def _adjusted(test: _Test, pairs: Sequence[tuple[int, int]]) -> list[Part]:
    parts = [test.test(pair) for pair in pairs]
    return [Part(p, part.effect) for p, part in zip(_holm([part.pvalue for part in parts]), parts, strict=True)]


def _holm(pvalues: Sequence[float]) -> list[float]:
    """Return p-values adjusted by Holm's method: the smallest for all of them, the next for the others, and so on."""
    order = np.argsort(pvalues, kind="stable")
    factors = np.arange(len(pvalues), 0, -1)
    adjusted = np.empty(len(pvalues))
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * np.asarray(pvalues)[order]), 1.0)
    return adjusted.tolist()
