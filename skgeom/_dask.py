"""The only file that knows Dask, with arrays in chunks of rows that need not be in one memory.

It builds graphs and computes nothing. Dask is imported only when one of its arrays is passed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isnan
from typing import Any, TypeVar

import numpy as np

S = TypeVar("S")

_MERGED_AT_ONCE = 8
"""Number of sums that one task merges: a worker holds as many, and the tree over a million chunks has seven levels."""


def dask_rows(X: Any, name: str = "X", ndims: Sequence[int] = (2,)) -> Any:
    """Return a Dask array or frame as a Dask array whose chunks hold whole rows.

    Raises
    ------
    TypeError
        If it is another Dask collection.
    ValueError
        If it has another number of dimensions, or is cut along its columns.
    """
    import dask.array as da

    x = X.to_dask_array() if hasattr(type(X), "to_dask_array") else X
    if not isinstance(x, da.Array):
        raise TypeError(f"{name} must be an array or a frame of Dask, got {type(X).__name__}: pass its array.")
    if x.ndim not in ndims:
        raise ValueError(f"Expected 2D array, got {x.ndim}D array instead. Reshape {name} to (n_samples, n_features).")
    if x.ndim == 2 and (x.numblocks[1] != 1 or isnan(x.shape[1])):
        raise ValueError(
            f"{name} is cut along its columns into chunks of {x.chunks[1]}, but each chunk must hold whole rows: pass "
            f"{name}.rechunk({{1: -1}})."
        )
    return x


def sample_row(X: Any) -> Any:
    """Return an artificial row with the kind, dtype and columns of a Dask array or frame; short, for maps of a ball.

    Raises
    ------
    ValueError
        If a column of a frame does not hold numbers, or as in `dask_rows`.
    """
    x = dask_rows(X)
    if not hasattr(type(X), "to_dask_array"):
        return np.ones_like(x._meta, shape=(1, x.shape[1])) / (2 * x.shape[1])
    rows = X._meta_nonempty
    if others := [repr(name) for name in rows.select_dtypes(exclude=["number", "bool"])]:
        raise ValueError(f"X has columns that are not numbers: {', '.join(others)}. Drop or encode them.")
    return rows[:1] / (2 * x.shape[1])


def chunks_of(*arrays: Any) -> list[tuple[Any, ...]]:
    """Return the lazy chunks of arrays of the same length, each with the parts of all arrays.

    The others are cut like the first if the sizes are known.

    Raises
    ------
    ValueError
        If the numbers of rows differ, or sizes are not known and the numbers of chunks differ.
    """
    import dask

    first, *others = arrays
    cut = dask.optimize(first, *(_cut_like(first, other) for other in others))
    return list(zip(*(x.to_delayed(optimize_graph=False).ravel() for x in cut), strict=True))


def summed_in_tree(
    of_chunk: Callable[..., S], merged: Callable[[list[S]], S], chunks: Sequence[tuple[Any, ...]]
) -> Any:
    """Return the lazy sum over chunks: the workers sum up each, and merge several sums at a time."""
    from dask import delayed

    sums = [delayed(of_chunk, traverse=False)(*chunk) for chunk in chunks]
    while len(sums) > 1:
        starts = range(0, len(sums), _MERGED_AT_ONCE)
        sums = [delayed(merged, traverse=False)(sums[start : start + _MERGED_AT_ONCE]) for start in starts]
    return sums[0]


def mapped_by_chunk(of_chunk: Callable[..., Any], X: Any, common: Any, like: Any, *per_row: Any) -> Any:
    """Apply a function of rows, a common object and values per row to each chunk, and return a Dask array.

    `like` is its result for a sample: a matrix, or one number per row. The object is sent to each worker once.
    """
    from dask import delayed

    x = dask_rows(X)
    return x.map_blocks(
        of_chunk,
        delayed(common, traverse=False, pure=False),
        *(_cut_like(x, values)[:, None] for values in per_row),
        chunks=(x.chunks[0], *((width,) for width in like.shape[1:])),
        drop_axis=[1] if like.ndim == 1 else [],
        dtype=like.dtype,
        meta=like[:0],
    )


def _cut_like(first: Any, other: Any) -> Any:
    """Return an array, cut into the chunks of another."""
    is_known = not isnan(first.shape[0] + other.shape[0])
    if is_known and first.shape[0] != other.shape[0]:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: {first.shape[0]} and {other.shape[0]}. Row k "
            "of each belongs to row k of the others."
        )
    if is_known and first.chunks[0] != other.chunks[0]:
        return other.rechunk({0: first.chunks[0]})
    if first.numblocks[0] != other.numblocks[0]:
        raise ValueError(
            f"Dask arrays about the same rows are cut into {first.numblocks[0]} and {other.numblocks[0]} chunks of "
            "unknown sizes: call compute_chunk_sizes() on each, or cut them alike."
        )
    return other
