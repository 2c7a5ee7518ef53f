"""The sums of two paired clouds, which determine maps between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, reduce
from os import PathLike
from typing import Any, NoReturn

import numpy as np

from skgeom._array import detached, in_full_precision, is_dask, namespace, to_numpy
from skgeom._cloud import is_stream, side_by_side, sum_of_chunks
from skgeom._core.sums._cross import JointMoments, cross_moments
from skgeom._dask import chunks_of, dask_rows
from skgeom._typing import Array
from skgeom._validation import check_cloud, check_count, check_paired, check_same_kind, check_seed
from skgeom.summary._file import write_arrays
from skgeom.summary._summary import CloudSummary, arrays_of, check_summary, seeded, summary_of

PREFIXES, SCATTER = ("x_", "y_"), "scatter_between"
"""Prefixes of the names of arrays in a file: for either side, and for the scatter between them."""


@dataclass(frozen=True, eq=False, repr=False)
class PairedSummary:
    """The sums of two paired clouds: the summary of each, and the scatter between them.

    `ProcrustesAligner`, `LstsqAligner` and `CCAAligner` can be fitted to it. Summaries of disjoint sets of pairs merge
    into that of all pairs, whether they come from blocks, files or machines.

    Attributes
    ----------
    x, y : CloudSummary
        The summary of each side. Their samples contain the same pairs: row i of ``x.rows`` belongs to row i of
        ``y.rows``.
    scatter : array of shape (n_features, n_targets)
        Σ (x - mean)(y - mean)ᵀ over the pairs, in float64.

    See Also
    --------
    paired_summary : Makes one.
    load_summary : Reads one from a file.

    Notes
    -----
    With widths d and k it has 8 (d² + d k + k²) bytes, and the sample.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.alignment import ProcrustesAligner
    >>> from skgeom.summary import paired_summary
    >>> X = np.random.default_rng(0).normal(size=(1000, 8))
    >>> Y = np.roll(X, 1, axis=1)
    >>> summary = paired_summary(X[:400], Y[:400]).merge(paired_summary(X[400:], Y[400:]))
    >>> summary
    PairedSummary(n_pairs=1000, n_features=8, n_targets=8)
    >>> aligner = ProcrustesAligner().fit(summary)
    >>> bool(np.allclose(aligner.transform(X), Y))
    True
    """

    x: CloudSummary
    y: CloudSummary
    scatter: Array

    def __repr__(self) -> str:
        widths = f"n_features={self.x.n_features}, n_targets={self.y.n_features}"
        return f"PairedSummary(n_pairs={self.n_pairs}, {widths})"

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise an error: there are no rows."""
        raise TypeError("A PairedSummary holds two clouds: pass .x or .y where one is asked for, or the rows.")

    @property
    def n_pairs(self) -> int:
        """Number of pairs."""
        return self.x.n_rows

    def merge(self, other: PairedSummary) -> PairedSummary:
        """Return the summary of the pairs of both, which must be disjoint.

        Parameters
        ----------
        other : PairedSummary
            A summary of pairs in the same spaces.

        Returns
        -------
        PairedSummary
            The sums of all pairs.

        Raises
        ------
        TypeError
            If the other is not a `PairedSummary`.
        ValueError
            As in `CloudSummary.merge`.
        """
        check_summary(other, PairedSummary)
        x, y = self.x.merge(other.x), self.y.merge(other.y)
        return PairedSummary(x, y, self.scatter + other.scatter + _between(self, other) * (self.n_pairs / x.n_rows))

    def subtract(self, part: PairedSummary) -> PairedSummary:
        """Return the summary of the pairs that are not in a part, such as those outside of a fold.

        Parameters
        ----------
        part : PairedSummary
            A summary that was merged into this one.

        Returns
        -------
        PairedSummary
            The sums of the other pairs.

        Raises
        ------
        TypeError
            If the part is not a `PairedSummary`.
        ValueError
            As in `CloudSummary.subtract`.
        """
        check_summary(part, PairedSummary)
        x, y = self.x.subtract(part.x), self.y.subtract(part.y)
        return PairedSummary(x, y, self.scatter - part.scatter - _between(self, part) * (self.n_pairs / x.n_rows))

    def map_arrays(self, function: Callable[[Array], Array]) -> PairedSummary:
        """Return the summary with a function, such as a move to a device, applied to its sums.

        Parameters
        ----------
        function : callable
            A function from an array to one of the same shape.

        Returns
        -------
        PairedSummary
            The same pairs.
        """
        return PairedSummary(self.x.map_arrays(function), self.y.map_arrays(function), function(self.scatter))

    def moments(self) -> JointMoments:
        """Return the moments, which include those that a map needs."""
        x, y = (side.moments.second.dense() for side in (self.x, self.y))
        trace = namespace(self.scatter).linalg.trace
        return JointMoments(
            n=x.n,
            x_mean=x.mean,
            y_mean=y.mean,
            x_squares=trace(x.scatter),
            y_squares=trace(y.scatter),
            xy=self.scatter,
            xx=x.scatter,
            yy=y.scatter,
            x_digits=self.x.digits,
            y_digits=self.y.digits,
        )

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
        As for `CloudSummary.save`.
        """
        sides = (
            (prefix + name, a)
            for prefix, side in zip(PREFIXES, (self.x, self.y), strict=True)
            for name, a in arrays_of(side).items()
        )
        write_arrays(path, {**dict(sides), SCATTER: to_numpy(self.scatter)})


@in_full_precision
def paired_summary(
    X: Any, Y: Any, *, max_rows: int = 1000, random_state: int | np.random.Generator | None = None
) -> PairedSummary:
    """Sum up two paired clouds, to fit one map to pairs in several places, or to more than fit into memory.

    Parameters
    ----------
    X : array of shape (n_pairs, n_features), iterator of blocks of rows, or array or frame of Dask
        Rows of the first space.
    Y : array of shape (n_pairs, n_targets), iterator of blocks of rows, or array or frame of Dask
        Row i belongs to row i of X; blocks must be as long as those of X; Dask chunks are made equal.
    max_rows : int, default=1000
        Number of pairs to keep. 0 makes a summary only for measures and aligners.
    random_state : int, generator of NumPy or None, default=None
        Seed of the kept pairs. Summaries to be merged need different seeds, or None.

    Returns
    -------
    PairedSummary
        A summary with methods `merge`, `subtract` and `save`.

    Raises
    ------
    ValueError
        As in `cloud_summary`, or if X and Y, or their blocks, differ in number of rows, library or device.

    See Also
    --------
    cloud_summary : The summary of one cloud.

    Notes
    -----
    O(n (d + k)²) time for widths d and k, in float64, also for float32 rows. The map that an aligner finds equals that
    of `partial_fit` on the same pairs, up to rounding. If the condition number of X exceeds 1e6, `LstsqAligner` warns:
    more precision needs the rows themselves.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.alignment import LstsqAligner
    >>> from skgeom.summary import paired_summary
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(900, 4))
    >>> Y = X @ rng.normal(size=(4, 6))
    >>> summary = paired_summary(iter(np.split(X, 3)), iter(np.split(Y, 3)))
    >>> round(LstsqAligner().fit(summary).score(X, Y), 6)
    1.0
    """
    check_count(max_rows, "max_rows", 0)
    rng = check_seed(random_state)
    if is_dask(X) and is_dask(Y):
        chunks = chunks_of(dask_rows(X), dask_rows(Y, "Y"))
        return sum_of_chunks(partial(_summed_chunk, max_rows), seeded(chunks, rng), 1)
    if not (is_stream(X) or is_stream(Y)):
        return _summed(X, Y, ("X", "Y"), max_rows, rng)
    parts = (_summed(x, y, ("a block of X", "a block of Y"), max_rows, rng) for x, y in side_by_side(X=X, Y=Y))
    first = next(parts, None)
    if first is None:
        raise ValueError("X yields no blocks of rows: a minimum of 1 row is required.")
    return reduce(PairedSummary.merge, parts, first)


def _summed(X: Any, Y: Any, names: tuple[str, str], max_rows: int, rng: np.random.Generator) -> PairedSummary:
    """Return the summary of rows, with the same pairs in both samples."""
    x, y = (detached(check_cloud(rows, name=name, min_samples=1)) for rows, name in zip((X, Y), names, strict=True))
    check_same_kind(x, y, names, same_width=False)
    check_paired(x, y)
    seed = rng.integers(2**63)
    first, second = (
        summary_of(rows, name, max_rows, np.random.default_rng(seed)) for rows, name in zip((x, y), names, strict=True)
    )
    return PairedSummary(first, second, cross_moments(x, y).xy)


def _summed_chunk(max_rows: int, X: Any, Y: Any, seed: int) -> PairedSummary:
    """Return the summary of the pairs of a chunk of Dask arrays."""
    return _summed(X, Y, ("a chunk of X", "a chunk of Y"), max_rows, np.random.default_rng(seed))


def _between(a: PairedSummary, b: PairedSummary) -> Array:
    """Return the weight of b times the product of the differences of the means."""
    x, y = (other.mean - one.mean for one, other in ((a.x, b.x), (a.y, b.y)))
    return b.n_pairs * x[:, None] * y[None, :]
