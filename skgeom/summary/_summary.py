"""The sums of a cloud, and a sample of its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial, reduce
from os import PathLike
from typing import Any, NoReturn, TypeVar

import numpy as np

from skgeom._array import detached, in_full_precision, is_dask, namespace, take_rows, to_numpy
from skgeom._cloud import Cloud, Kernel, Sum, sum_of_chunks
from skgeom._core._rows import DirectedRows, Spread, directions, mean_of, part_of_spread
from skgeom._core.sums._angular import Resultant, part_of_mean_cosine, part_of_resultant, resultant
from skgeom._core.sums._digits import Digits, part_of_digits
from skgeom._core.sums._moments import (
    DenseMoments,
    FourthMoments,
    Moments,
    ThinMoments,
    exact_part_of_moments,
    part_of_fourth_moments,
    part_of_moments,
)
from skgeom._core.sums._rank import part_of_ranked, part_of_ranked_fourth
from skgeom._dask import chunks_of, dask_rows
from skgeom._typing import Array
from skgeom._validation import check_cloud, check_count, check_fourth_powers, check_same_kind, check_seed
from skgeom.summary._file import write_arrays

R = TypeVar("R")
S = TypeVar("S", bound=Sum)

_ROUNDING = 1e-10
"""Tolerance for negative variances of a rest by rounding, as a share of the scatter of the whole."""

_LEAST_REST = 1 / 32
"""Minimum share of the largest scatter of the whole that must be left: with 1/400, rounding of the
difference was observed to count as directions."""


@dataclass(frozen=True, eq=False, repr=False)
class CloudSummary(Cloud):
    """The sums of a cloud, which replace its rows in everything that is built on sums, and a random sample of the rows.

    It can be passed as X to all measures that are built on sums: IsoScore and its relatives, also debiased, the ranks
    and other functions of the covariance spectrum, average cosine, spherical variance, coordinate deviations and
    shares, the modality gap of two. Measures that need the rows raise a TypeError. `Whitening` and `AllButTheTop` can
    be fitted to it, `cloud_test` and `DriftMonitor` can test it.

    Summaries of disjoint sets of rows merge into that of all rows, whether they come from blocks, files or machines.

    Attributes
    ----------
    moments : FourthMoments
        Mean and scatter matrix, and sums of third and fourth powers of the distances to the mean, in float64.
    directions : Resultant
        Number of nonzero rows, and the sum of these rows divided by their lengths.
    rows : ndarray of shape (n_kept, n_features)
        The rows with the smallest keys, sorted by key.
    keys : ndarray of shape (n_kept,)
        A random number for each of them.
    max_rows : int
        Maximum number of rows to keep.

    See Also
    --------
    cloud_summary : Makes one.
    load_summary : Reads one from a file.

    Notes
    -----
    It has 8 d² bytes (8 n d for n < d rows), and the sample: 534 kB for d = 256 without one. Its arrays are in the
    library and on the device of the rows, except for the sample, which is in NumPy.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import effective_rank
    >>> from skgeom.summary import cloud_summary
    >>> X = np.random.default_rng(0).normal(size=(1000, 8))
    >>> summary = cloud_summary(X[:400]).merge(cloud_summary(X[400:]))
    >>> summary
    CloudSummary(n_rows=1000, n_features=8)
    >>> bool(np.isclose(effective_rank(summary), effective_rank(X)))
    True
    """

    moments: FourthMoments
    directions: Resultant
    rows: np.ndarray
    keys: np.ndarray
    max_rows: int

    def __repr__(self) -> str:
        return f"CloudSummary(n_rows={self.n_rows}, n_features={self.n_features})"

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.moments.second.n)

    @property
    def digits(self) -> Digits:
        """The rounding of the numbers, which determines how many directions count."""
        return self.moments.second.digits

    @property
    def n_features(self) -> int:
        """Number of features."""
        return int(self.rows.shape[1])

    @property
    def mean(self) -> Array:
        """Mean of the rows (n_features,), in float64."""
        return self.moments.second.mean

    @property
    def covariance(self) -> Array:
        """Sample covariance of the rows (n_features, n_features), in float64, of at least two rows."""
        self._check_size(2)
        return self.moments.second.dense().scatter / (self.n_rows - 1)

    def merge(self, other: CloudSummary) -> CloudSummary:
        """Return the summary of the rows of both, which must be disjoint.

        Parameters
        ----------
        other : CloudSummary
            A summary of rows in the same space.

        Returns
        -------
        CloudSummary
            The sums of all rows and a random sample of all.

        Raises
        ------
        TypeError
            If the other is not a `CloudSummary`.
        ValueError
            If the two differ in width, library or device, or their samples share keys: both contain the same rows, or
            were drawn with the same seed.
        """
        check_summary(other, CloudSummary)
        check_one_space(self, other, ("One summary", "the other"))
        if np.intersect1d(self.keys, other.keys).size >= min(2, max(1, len(self.keys)), max(1, len(other.keys))):
            raise ValueError(
                "Both summaries hold the same rows, or were made with the same random_state: merge each once, and give "
                "each its own random_state, or None."
            )
        keys, max_rows = np.concatenate([self.keys, other.keys]), min(self.max_rows, other.max_rows)
        kept = np.argsort(keys, kind="stable")[:max_rows]
        return CloudSummary(
            self.moments.merge(other.moments),
            self.directions.merge(other.directions),
            np.concatenate([self.rows, other.rows])[kept],
            keys[kept],
            max_rows,
        )

    def subtract(self, part: CloudSummary) -> CloudSummary:
        """Return the summary of the rows that are not in a part, such as those outside of a fold.

        Parameters
        ----------
        part : CloudSummary
            A summary that was merged into this one.

        Returns
        -------
        CloudSummary
            The sums of the other rows, and the rest of the sample: nine tenths for one of ten folds, none if the part
            keeps no sample. The precision of the numbers is assumed to be that of the whole.

        Raises
        ------
        TypeError
            If the part is not a `CloudSummary`.
        ValueError
            If the two differ in width, library or device, or the second is not a part of the first: its sample holds
            other rows, it has as many rows or more, or a variance of the rest would be negative; or if less than 1/32
            of the scatter is left along the coordinate that varies most: merge the summaries of the rest instead.

        Notes
        -----
        Sums of the rest are differences, with an error of 1e-16 relative to those of the whole.

        Examples
        --------
        >>> import numpy as np
        >>> from skgeom.metrics import isoscore
        >>> from skgeom.summary import cloud_summary
        >>> X = np.random.default_rng(0).normal(size=(1000, 8))
        >>> folds = [cloud_summary(fold) for fold in np.split(X, 5)]
        >>> whole = folds[0].merge(folds[1]).merge(folds[2]).merge(folds[3]).merge(folds[4])
        >>> bool(np.isclose(isoscore(whole.subtract(folds[0])), isoscore(X[200:])))
        True
        """
        check_summary(part, CloudSummary)
        check_one_space(self, part, ("The summary", "the part"))
        if part.n_rows >= self.n_rows:
            raise _not_a_part(f"it has {part.n_rows} rows, of {self.n_rows}")
        is_whole = len(self.keys) == self.n_rows
        expected = part.keys if is_whole else part.keys[part.keys <= max(self.keys, default=-1.0)]
        if not np.isin(expected, self.keys).all():
            raise _not_a_part("its sample holds other rows")
        moments = self.moments.without(part.moments)
        moments = moments.with_second(moments.second.dense())  # without references to the whole and the part
        _check_rest(moments.second, self.moments.second)
        is_told = part.n_rows == len(part.keys)  # else rows beyond its last key may be of the part or not
        kept = ~np.isin(self.keys, expected) & (is_told | (self.keys <= max(part.keys, default=-1.0)))
        rows, keys = self.rows[kept], self.keys[kept]
        # with room for more rows, another merge would not be a random sample
        max_rows = self.max_rows if is_whole and is_told else len(keys)
        return CloudSummary(moments, self.directions.without(part.directions), rows, keys, max_rows)

    def map_arrays(self, function: Callable[[Array], Array]) -> CloudSummary:
        """Return the summary with a function, such as a move to a device, applied to its sums.

        Parameters
        ----------
        function : callable
            A function from an array to one of the same shape.

        Returns
        -------
        CloudSummary
            The same cloud.
        """
        directions = self.directions._replace(total=function(self.directions.total))
        return replace(self, moments=self.moments.map_arrays(function), directions=directions)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the summary to a file, under a temporary name until it is complete.

        Parameters
        ----------
        path : path-like
            The file, such as "shard-7.npz". An existing file is replaced.

        See Also
        --------
        load_summary : Reads it.

        Notes
        -----
        The file is an .npz archive of NumPy without pickles, with a format number. Numbers are stored exactly; arrays
        on another device or of another library become NumPy arrays.
        """
        write_arrays(path, arrays_of(self))

    @property
    def X(self) -> NoReturn:  # noqa: N802
        """Raise an error: there are no rows."""
        raise TypeError(
            "This needs the rows, but a CloudSummary holds only their sums and a sample: pass the rows themselves, or "
            "the sample, summary.rows."
        )

    def known(self, key: object, given: object, compute: Callable[[], R]) -> R:
        """Compute the result, without storing it: the sums are stored already."""
        return compute()

    def sum(self, kernel: Kernel[S], check: Callable[[Any], Any]) -> S:
        """Return the sum of rows of a kernel, if it is one of those stored."""
        needed: dict[str, Any] = check.keywords if isinstance(check, partial) else {}
        self._check_size(needed.get("min_samples", 2))
        held: dict[Any, Callable[[], Any]] = {
            part_of_moments: lambda: self.moments.second,
            exact_part_of_moments: lambda: self.moments.second,
            part_of_ranked: lambda: self.moments.second,
            part_of_fourth_moments: lambda: self.moments,
            part_of_spread: self._spread,
            part_of_digits: lambda: self.digits,
            part_of_resultant: lambda: self._all_directions(needed.get("name", "X")),
            part_of_mean_cosine: lambda: self._all_directions(needed.get("name", "X")),
        }
        return held[kernel]() if kernel in held else self.X

    def checked_moments(self, min_samples: int) -> FourthMoments:
        """Return the moments, if there are enough rows."""
        self._check_size(min_samples)
        return self.moments

    def _check_size(self, least: int) -> None:
        if self.n_rows < least:
            raise ValueError(f"Found a summary of {self.n_rows} row(s) while a minimum of {least} is required.")

    def _spread(self) -> Spread:
        m = self.moments.second
        variances = namespace(m.mean).clip(m.variances(), min=0.0)  # rounding can leave those of dead coordinates below
        return Spread(m.n, m.mean, variances * (m.n - 1))

    def _all_directions(self, name: str) -> Resultant:
        n_zero = self.n_rows - self.directions.n
        if n_zero:
            raise ValueError(
                f"{name} has {n_zero} zero row{'s'[: n_zero > 1]}, and a zero row has no direction. Drop such rows "
                "before they are summed up."
            )
        return self.directions


@in_full_precision
def cloud_summary(
    X: Any, *, max_rows: int = 1000, random_state: int | np.random.Generator | None = None
) -> CloudSummary:
    """Sum up a cloud, to treat rows in several places, or more than fit into memory, as one cloud.

    Parameters
    ----------
    X : array of shape (n_samples, n_features), iterator of blocks of rows, or array or frame of Dask
        At least one row. Dask workers sum up the chunks and merge the summaries.
    max_rows : int, default=1000
        Number of rows to keep, for tests of covariances and distributions, which need pairs. 0 makes a summary only for
        measures and transformers.
    random_state : int, generator of NumPy or None, default=None
        Seed of the kept rows. Summaries to be merged need different seeds, or None.

    Returns
    -------
    CloudSummary
        A summary with methods `merge`, `subtract` and `save`.

    Raises
    ------
    ValueError
        If X, or a block, is not a finite matrix, has magnitudes whose fourth powers leave the range of float64, or has
        no rows, or if blocks differ in width, library or device.

    See Also
    --------
    skgeom.comparison.cloud_test : Tests that accept summaries instead of arrays.
    skgeom.comparison.DriftMonitor : Stores the summary of a reference.

    Notes
    -----
    O(n d²) time. It holds d² + `max_rows` d numbers, or all rows if these are fewer than their features. Products are
    formed in float64, also for float32 rows. Results equal those for the rows up to rounding: 1e-10 for float64 rows,
    2e-5 for float32 rows, whose products would be formed in float32.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.comparison import cloud_test
    >>> from skgeom.metrics import isoscore
    >>> from skgeom.summary import cloud_summary
    >>> rng = np.random.default_rng(0)
    >>> reference = rng.normal(size=(500, 8))
    >>> batches = [rng.normal(0.1, size=(20, 8)) for _ in range(40)]
    >>> round(cloud_test(reference, batches[0]).location.pvalue, 2)
    0.25
    >>> merged = cloud_summary(batches[0])
    >>> for batch in batches[1:]:
    ...     merged = merged.merge(cloud_summary(batch))
    >>> cloud_test(reference, merged).location.pvalue < 1e-4
    True
    >>> round(isoscore(merged), 2), round(isoscore(cloud_summary(iter(batches))), 2)
    (0.99, 0.99)
    """
    check_count(max_rows, "max_rows", 0)
    rng = check_seed(random_state)
    if is_dask(X):
        return sum_of_chunks(partial(_summary_of_chunk, max_rows), seeded(chunks_of(dask_rows(X)), rng), 1)
    if not isinstance(X, Iterator):
        return summary_of(detached(check_cloud(X, min_samples=1)), "X", max_rows, rng)
    blocks = (detached(check_cloud(block, name="a block of X", min_samples=1)) for block in X)
    parts = (summary_of(x, "a block of X", max_rows, rng) for x in blocks)
    first = next(parts, None)
    if first is None:
        raise ValueError("X yields no blocks of rows: a minimum of 1 row is required.")
    return reduce(CloudSummary.merge, parts, first)


def summary_of(x: Array, name: str, max_rows: int, rng: np.random.Generator) -> CloudSummary:
    """Return the summary of checked rows."""
    check_fourth_powers(x, name)
    keys = rng.random(x.shape[0])
    kept = np.argsort(keys, kind="stable")[:max_rows]
    return CloudSummary(
        part_of_ranked_fourth(x, None),
        _resultant(x),
        to_numpy(take_rows(x, kept)),
        keys[kept],
        max_rows,
    )


def seeded(chunks: list[tuple[Any, ...]], rng: np.random.Generator) -> list[tuple[Any, ...]]:
    """Return the chunks of Dask arrays, each with its own seed for its sample of rows."""
    return [(*chunk, seed) for chunk, seed in zip(chunks, rng.integers(2**63, size=len(chunks)).tolist(), strict=True)]


def _summary_of_chunk(max_rows: int, rows: Any, seed: int) -> CloudSummary:
    """Return the summary of a chunk of a Dask array."""
    x = check_cloud(rows, part="a chunk")
    return summary_of(x, "a chunk of X", max_rows, np.random.default_rng(seed))


def check_summary(value: Any, kind: type) -> None:
    """Check that a value can be merged into, or subtracted from, a summary of a kind."""
    if not isinstance(value, kind):
        makers = "cloud_summary(X), or paired_summary(X, Y) for pairs"
        raise TypeError(f"Expected a {kind.__name__}, got {type(value).__name__}: sum up the rows first, by {makers}.")


def check_one_space(a: CloudSummary, b: CloudSummary, names: tuple[str, str]) -> None:
    """Check that two summaries have the same library, device and width."""
    check_same_kind(a.moments.cubic[None, :], b.moments.cubic[None, :], names)


def _resultant(x: Array) -> Resultant:
    """Return the sum of the directions of the nonzero rows."""
    rows = directions(x)
    have_one = np.flatnonzero(to_numpy(rows.norms) > 0)
    if have_one.size == x.shape[0]:
        return resultant(rows)
    if not have_one.size:
        return Resultant(0, 0.0 * mean_of(x))
    return resultant(DirectedRows(take_rows(rows.x, have_one), take_rows(rows.norms, have_one)))


def _check_rest(rest: Moments, whole: Moments) -> None:
    """Check that the scatter of the rest is neither negative nor mere rounding."""
    of_rest, of_whole = (to_numpy(namespace(m.mean).linalg.diagonal(m.dense().scatter)) for m in (rest, whole))
    if (of_rest < -_ROUNDING * of_whole).any():
        raise _not_a_part("a variance of the rest would be negative")
    if of_rest.max() < _LEAST_REST * of_whole.max():
        raise ValueError(
            f"The rest has {of_rest.max() / of_whole.max():.2g} of the scatter, too little for a precise difference "
            f"(at least {_LEAST_REST:.2g}): merge the summaries of the rest instead."
        )


def _not_a_part(reason: str) -> ValueError:
    return ValueError(f"This is not a part of the summary: {reason}. Subtract a summary that was merged into it.")


def arrays_of(summary: CloudSummary) -> dict[str, np.ndarray]:
    """Return the contents of a summary, as NumPy arrays by name."""
    m = summary.moments.second
    form = {"rows_about_mean": m.rows} if isinstance(m, ThinMoments) else {"scatter": m.dense().scatter}
    numbers = {
        "n": m.n,
        "n_directed": summary.directions.n,
        "digits": tuple(m.digits),
        "max_rows": summary.max_rows,
    }
    arrays = {
        "mean": m.mean,
        **form,
        "cubic": summary.moments.cubic,
        "quartic": summary.moments.quartic,
        "resultant": summary.directions.total,
        "rows": summary.rows,
        "keys": summary.keys,
    }
    return {name: np.asarray(value) for name, value in numbers.items()} | {
        name: to_numpy(value) for name, value in arrays.items()
    }


def summary_of_arrays(found: Mapping[str, np.ndarray]) -> CloudSummary:
    """Return the summary with the given contents, the inverse of `arrays_of`."""
    significant, largest, grid = found["digits"].tolist()
    is_thin = "rows_about_mean" in found
    second = (ThinMoments if is_thin else DenseMoments)(
        float(found["n"]),
        found["mean"],
        Digits(int(significant), largest, grid),
        found["rows_about_mean" if is_thin else "scatter"],
    )
    return CloudSummary(
        FourthMoments(second, found["cubic"], found["quartic"]),
        Resultant(int(found["n_directed"]), found["resultant"]),
        found["rows"],
        found["keys"],
        int(found["max_rows"]),
    )
