"""What the comparison of clouds needs of each: moments of its rows, and a sample of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from skgeom._array import as_data, float64, in_full_precision, namespace, take_rows, to_float, to_numpy
from skgeom._core._labels import labels_of
from skgeom._core.sums._clusters import class_moments
from skgeom._core.sums._moments import FourthMoments, Moments, fourth_moments, moments
from skgeom._typing import Array
from skgeom._validation import check_cloud, check_count, check_fourth_powers, check_same_kind

FEWEST = 8
"""Rows, or groups of rows, of a cloud from which its second and third moments can be told."""

_EQUIDISTANT = 1e-12
"""Share of the squares of inner products below which they are rounding once they are doubly centred."""


class Side(NamedTuple):
    """A cloud as the tests see it: n rows, or groups of rows, that do not depend on one another.

    Attributes
    ----------
    moments : Moments
        Of the rows, or of the means of the groups.
    variance, deviation : float
        Mean over them of the squared distance to the mean of all, without the bias of few rows, and its deviation.
    rows : ndarray
        A sample of the rows in random order, those of a group one after another.
    units : ndarray
        Number of the group of each of these rows, ascending from 0.
    """

    moments: Moments
    variance: float
    deviation: float
    rows: np.ndarray
    units: np.ndarray


@dataclass(frozen=True, eq=False)
class CloudSummary:
    """What `cloud_test` needs of a cloud: the moments of its rows up to the fourth, and a random sample of them.

    Summaries of disjoint sets of rows merge into that of all rows, so that batches, files and machines are one cloud.

    Attributes
    ----------
    moments : FourthMoments
        Mean and scatter matrix, and sums of third and fourth powers of the distances to the mean.
    rows : ndarray of shape (n_kept, n_features)
        The rows with the smallest keys, in the order of these.
    keys : ndarray of shape (n_kept,)
        A random number for each of them.
    max_rows : int
        How many are kept at most.

    See Also
    --------
    cloud_summary : Makes one.
    """

    moments: FourthMoments
    rows: np.ndarray
    keys: np.ndarray
    max_rows: int

    @property
    def n_rows(self) -> int:
        """Number of rows that were summed up."""
        return int(self.moments.second.n)

    @property
    def n_features(self) -> int:
        """Number of features."""
        return int(self.rows.shape[1])

    def merge(self, other: CloudSummary) -> CloudSummary:
        """Return the summary of the rows of both, which must be others.

        Parameters
        ----------
        other : CloudSummary
            Of rows in the same space.

        Returns
        -------
        CloudSummary
            The moments of all rows and a random sample of all.

        Raises
        ------
        ValueError
            If the two differ in width, library or device.
        """
        check_one_space(self, other, ("One summary", "the other"))
        keys, max_rows = np.concatenate([self.keys, other.keys]), min(self.max_rows, other.max_rows)
        kept = np.argsort(keys, kind="stable")[:max_rows]
        rows = np.concatenate([self.rows, other.rows])[kept]
        return CloudSummary(self.moments.merge(other.moments), rows, keys[kept], max_rows)

    def side(self, name: str, size: int) -> Side:
        """Return the cloud with so many rows of its sample, or refuse what cannot be tested."""
        m, n = self.moments.second, self.n_rows
        if n < FEWEST:
            raise ValueError(f"{name} has {n} rows, but at least {FEWEST} are needed to test it: merge more.")
        check_geometry(m, to_float(self.moments.quartic), name)
        total = to_float(m.total_variance()) * (n - 1)
        spread = max(to_float(self.moments.quartic) / n - (total / n) ** 2, 0.0) * n / (n - 1)
        rows = self.rows[:size].astype(np.float64)
        return Side(m, total / (n - 1), spread**0.5 * n / (n - 1), rows, np.arange(len(rows)))


@in_full_precision
def cloud_summary(
    X: Any, *, max_rows: int = 1000, random_state: int | np.random.Generator | None = None
) -> CloudSummary:
    """Sum up a cloud for `cloud_test`, so that rows that are not in one place can be tested as one.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        Rows, at least one.
    max_rows : int, default=1000
        How many rows to keep, for the tests of covariances and distributions, which look at pairs.
    random_state : int, generator of NumPy or None, default=None
        Which rows are kept. Summaries that are to be merged need different seeds, or None.

    Returns
    -------
    CloudSummary
        With a method `merge`.

    Raises
    ------
    ValueError
        If X is not a finite matrix, or has magnitudes whose fourth powers leave the range of float64.

    See Also
    --------
    cloud_test : Takes summaries in the place of arrays.
    DriftMonitor : Keeps that of a reference.

    Notes
    -----
    O(n d²) time. It holds d² + `max_rows` d numbers, or all rows where they are fewer than their features.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.comparison import cloud_summary, cloud_test
    >>> rng = np.random.default_rng(0)
    >>> reference = rng.normal(size=(500, 8))
    >>> batches = [rng.normal(0.1, size=(20, 8)) for _ in range(40)]
    >>> round(cloud_test(reference, batches[0]).location.pvalue, 2)
    0.24
    >>> merged = cloud_summary(batches[0])
    >>> for batch in batches[1:]:
    ...     merged = merged.merge(cloud_summary(batch))
    >>> cloud_test(reference, merged).location.pvalue < 1e-4
    True
    """
    check_count(max_rows, "max_rows", 2 * FEWEST)
    return summary_of(as_data(check_cloud(X, min_samples=1)), "X", max_rows, np.random.default_rng(random_state))


def summary_of(x: Array, name: str, max_rows: int, rng: np.random.Generator) -> CloudSummary:
    """Return the summary of checked rows."""
    check_fourth_powers(x, name)
    keys = rng.random(x.shape[0])
    kept = np.argsort(keys, kind="stable")[:max_rows]
    return CloudSummary(fourth_moments(x, exact=True), to_numpy(take_rows(x, kept)), keys[kept], max_rows)


def check_one_space(a: CloudSummary, b: CloudSummary, names: tuple[str, str]) -> None:
    """Check that two summaries belong to one library and one device, and have the same width."""
    check_same_kind(a.moments.cubic[None, :], b.moments.cubic[None, :], names)


def grouped_side(x: Array, codes: np.ndarray, name: str, max_rows: int, rng: np.random.Generator) -> Side:
    """Return the cloud of checked rows whose groups count, each once, or refuse what cannot be tested."""
    check_fourth_powers(x, name)
    n = int(codes.max()) + 1
    if n < FEWEST:
        raise ValueError(f"{name} has {n} groups, but at least {FEWEST} are needed to test it.")
    labels = labels_of(codes)
    classes = class_moments(x, labels)
    m = moments(classes.mean, exact=True)
    about = classes.mean - m.mean
    between = to_numpy(namespace(about).vecdot(about, about))
    check_geometry(m, float(between @ between), name)
    squares = to_numpy(classes.within) / labels.sizes + between
    variance = float(squares.mean() + between.sum() / (n * (n - 1)))
    drawn = rng.permutation(n)[: max(FEWEST, max_rows * n // x.shape[0])]
    starts = np.cumsum(labels.sizes) - labels.sizes
    of_group = [labels.order[starts[g] : starts[g] + labels.sizes[g]] for g in drawn]
    index = np.concatenate([rng.permutation(rows) for rows in of_group])
    units = np.repeat(np.arange(len(drawn)), labels.sizes[drawn])
    rows = to_numpy(float64(take_rows(x, index)))
    return Side(m, variance, float(np.std(squares, ddof=1) * variance / squares.mean()), rows, units)


def check_geometry(m: Moments, quartic: float, name: str) -> None:
    """Check that rows differ, and not all by the same distance: Σ A_ij² of their doubly centred products is above 0."""
    n = m.n
    total, squares = (to_float(value) * (n - 1) ** power for power, value in enumerate(m.traces(), start=1))
    if not total > 0:
        raise ValueError(f"All rows of {name} are equal: they have no geometry to compare.")
    rest = squares - quartic * n / (n - 2) + total**2 / ((n - 1) * (n - 2))
    if rest <= _EQUIDISTANT * squares:
        raise ValueError(
            f"All rows of {name} are equally far from one another, so that nothing tells its covariance from that of "
            "fewer rows: pass other rows."
        )
