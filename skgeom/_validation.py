"""Checks that several packages share: public functions check their arguments first, the mathematics does not.

A check that only one package needs is in that package. A message states the requirement, the value received and the
remedy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from math import isfinite, isnan
from numbers import Integral, Real
from os import PathLike
from typing import Any, TypeVar

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array
from sklearn.utils.validation import column_or_1d

from skgeom._array import (
    SQUARES_SAFE,
    asarray_like,
    detached,
    excess_exponent,
    exponent_of,
    float64,
    has_float64,
    is_foreign,
    is_real_floating,
    is_sparse,
    is_stored,
    kind_of,
    names_gpu,
    namespace,
    numbers,
    peak,
    same_kind,
    take_rows,
    times_power_of_two,
    to_float,
    to_numpy,
    widen,
)
from skgeom._cloud import (
    Blocks,
    Chunks,
    Cloud,
    Kernel,
    Remainder,
    Stream,
    as_cloud,
    comes_in_parts,
    once_per_cloud,
    rows_of,
    sum_of,
)
from skgeom._core._labels import Labels, labels_of
from skgeom._core._rows import DirectedRows, norms, row_scaled, shortest_exact
from skgeom._core.sums._digits import Digits, digits_of, part_of_digits
from skgeom._core.sums._moments import FourthMoments, Moments, exact_part_of_moments, part_of_moments
from skgeom._core.sums._rank import RankedBlocks, is_resolved, part_of_ranked
from skgeom._typing import Array
from skgeom._warnings import warn

M = TypeVar("M", Moments, FourthMoments)

_MOST_WEIGHT = 1e15
"""Sum of weights above which, or below whose reciprocal, they do not count rows."""

_SAFE_WEIGHTED = (-100, 120)
"""Powers of two between which weighted squares and their sums neither overflow nor underflow in float32."""


@once_per_cloud
def check_cloud(X: Any, *, name: str = "X", min_samples: int = 2, scale_free: bool = False, part: str = "") -> Array:
    """Return X as a finite array (n, d) of float32 or float64 in its own library.

    Data of extreme magnitude, whose squares would overflow or underflow, are returned in float64, or, with `scale_free`
    for results that do not depend on the scale, multiplied by a power of two, which is exact. A `part` of a cloud, "a
    chunk" of Dask or "a block" of an iterator, may be one row, and keeps the scale of the cloud: beyond the range of
    float64 it is an error.

    Raises
    ------
    TypeError
        If X is sparse, not numeric, or a Dask collection.
    ValueError
        If X is not a finite real matrix of at least `min_samples` rows and one column.
    """
    if has_checked_rows(X, name, min_samples):
        return X.rest_of(check_cloud(X.blocks, name=name, min_samples=min_samples, scale_free=scale_free))
    name, min_samples = (f"{part} of {name}", 1) if part else (name, min_samples)
    x, largest = _read(X, name, min_samples)
    if not excess_exponent(x, largest):
        return x
    if part:
        check_fourth_powers(x, name)
        return float64(x)
    return times_power_of_two(x, -exponent_of(largest)) if scale_free else float64(x)


@once_per_cloud
def _read(X: Any, name: str, min_samples: int) -> tuple[Array, float]:
    """Return the finite rows of X, and their largest magnitude."""
    return _checked(rows_of(X), name, min_samples)


def has_checked_rows(X: Any, name: str = "X", min_samples: int = 2) -> bool:
    """Return whether the rows of X are some of a checked cloud, at the scale that they have by themselves."""
    if not isinstance(X, Remainder) or X.n_rows < min_samples:
        return False
    return not excess_exponent(*_read(X.blocks, name, min_samples))


def check_floats(X: Any, *, name: str = "X", min_samples: int = 1) -> Array:
    """Return X as an array (n, d) of float32 or float64, which may hold NaN and infinity.

    Raises
    ------
    TypeError, ValueError
        As in `check_cloud`, for any other reason.
    """
    if isinstance(X, Iterator):
        raise ValueError(f"{name} is an iterator, but all rows are needed at once: pass one array, or concatenate it.")
    return (_check_foreign_array if is_foreign(X) else _check_host_array)(X, name, min_samples)


@once_per_cloud
def check_moments(X: Any, *, scale_free: bool = True) -> Moments:
    """Return the moments of X, an array (n, d) or an iterator of blocks of rows.

    Data of extreme magnitude are treated as in `check_cloud`.

    Raises
    ------
    ValueError
        If X, or a block of it, is not a finite matrix, if blocks differ in width or kind or are beyond the range of
        float64, or if there are fewer than two rows.
    """
    if comes_in_parts(X) or isinstance(X, Cloud):
        return sum_of(X, part_of_moments, partial(check_cloud, scale_free=scale_free))
    x = check_floats(X, min_samples=2)
    return summed_once(x, lambda x: part_of_moments(x, None), partial(check_cloud, scale_free=scale_free))


def summed_once(x: Array, summary: Callable[[Array], M], check: Callable[[Array], Array]) -> M:
    """Return the moments of rows that may be NaN or infinite, or the error of their check.

    A check before the sum would read rows in a file twice. Moments prove most rows finite and of a safe range; others
    are checked and summed again.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        m = summary(x)
        if _show_safe_range(m.second, x):
            return m
    return summary(check(x))


def _show_safe_range(m: Moments, x: Array) -> bool:
    """Return whether moments of rows prove these finite, and their largest magnitude within the safe range."""
    xp, mean, squares = namespace(m.mean), detached(m.mean), detached(m.variances()) * (m.n - 1)
    least = xp.sqrt(xp.max(mean * mean + squares / m.n)) / 2
    most = 2 * xp.max(xp.abs(mean) + xp.sqrt(xp.abs(squares)))
    bounds = numbers([least, most]).tolist()  # zeros can be squares that underflow
    return min(bounds) > 0 and isfinite(sum(bounds)) and not any(excess_exponent(x, bound) for bound in bounds)


@once_per_cloud
def check_ranked_moments(X: Any) -> Moments:
    """Return the moments of X, whose scale does not matter, so that their spectrum determines the rank.

    Raises
    ------
    ValueError
        As in `check_moments`.
    """
    cloud, check = as_cloud(X), partial(check_cloud, scale_free=True)
    if isinstance(cloud, Chunks):  # the rows are remote: one pass
        return cloud.sum(part_of_ranked, check)
    if isinstance(cloud, Stream):
        return cloud.sum(RankedBlocks(), check)
    kernel, digits = _ranking(cloud.whole)
    return replace(cloud.sum(kernel, check), digits=digits)


@once_per_cloud
def _ranking(X: Cloud) -> tuple[Kernel[Moments], Digits]:
    """Return a sum of rows whose spectrum determines the rank, and the digits of their numbers."""
    check = partial(check_cloud, scale_free=True)
    digits = digits_of(check(X)) if isinstance(X, Blocks) else X.sum(part_of_digits, check)
    return part_of_moments if is_resolved(check_moments(X), digits) else exact_part_of_moments, digits


@once_per_cloud
def check_directed(X: Any, *, name: str = "X", min_samples: int = 2, part: str = "") -> DirectedRows:
    """Return the rows of X, each up to a factor, with their norms; a `part` of a cloud may be one row.

    Raises
    ------
    ValueError
        As in `check_cloud`, or if a row is zero and so has no direction.
    """
    if has_checked_rows(X, name, min_samples):
        return DirectedRows(*map(X.rest_of, check_directed(X.blocks, name=name, min_samples=min_samples)))
    name, min_samples = (f"{part} of {name}", 1) if part else (name, min_samples)
    x = check_cloud(X, name=name, min_samples=min_samples, scale_free=True)
    lengths = norms(x)
    on_host = to_numpy(lengths)
    if on_host.min() < shortest_exact(x):
        x = row_scaled(x)
        lengths = norms(x)
        on_host = to_numpy(lengths)
    check_no_zeros([on_host], name)
    return DirectedRows(x, lengths)


def check_no_zeros(lengths: list[Array], name: str) -> None:
    """Check that the lengths of all rows, block by block, are above 0."""
    zeros = np.flatnonzero(np.concatenate(list(map(to_numpy, lengths))) == 0)
    if zeros.size:
        raise ValueError(
            f"{name} has {zeros.size} zero row{'s'[: zeros.size > 1]} (the first is row {zeros[0]}), and a zero row "
            "has no direction. Drop such rows, or use a measure of distances instead of angles."
        )


def check_directed_clouds(X: Any, Y: Any, *, min_samples: int = 2) -> tuple[DirectedRows, DirectedRows]:
    """Return the rows of two clouds in one space, as `check_directed` does."""
    x = check_directed(X, min_samples=min_samples)
    y = check_directed(Y, name="Y", min_samples=min_samples)
    check_same_kind(x.x, y.x)
    check_column_order(X, Y)
    return x, y


def check_directed_pairs(X: Any, Y: Any) -> tuple[DirectedRows, DirectedRows]:
    """Return the rows of two paired clouds, as `check_directed` does."""
    x, y = check_directed_clouds(X, Y)
    check_paired(x.x, y.x)
    return x, y


def check_pairs_of_rows(X: Any) -> tuple[Any, Any]:
    """Return the first and the second rows (n, d) of pairs (n, 2, d), unchecked.

    Raises
    ------
    ValueError
        If X has another shape.
    """
    x = X if is_foreign(X) else np.asarray(X)
    if x.ndim != 3 or x.shape[1] != 2:
        raise ValueError(
            f"X has shape {tuple(x.shape)}, expected (n_pairs, 2, n_features), two rows for each pair: pass "
            "numpy.stack([A, B], axis=1) of the embeddings A and B of the two sides."
        )
    return x[:, 0, :], x[:, 1, :]


def check_clouds(X: Any, Y: Any, *, min_samples: int = 2, scale_free: bool = False) -> tuple[Array, Array]:
    """Return two clouds in one space, as `check_cloud` does.

    Raises
    ------
    ValueError
        As in `check_cloud`, or if the clouds differ in width, library, device or the order of their columns.
    """
    x = check_cloud(X, min_samples=min_samples, scale_free=scale_free)
    y = check_cloud(Y, name="Y", min_samples=min_samples, scale_free=scale_free)
    check_same_kind(x, y)
    check_column_order(X, Y)
    return x, y


def check_paired_clouds(X: Any, Y: Any, *, min_samples: int = 2, scale_free: bool = False) -> tuple[Array, Array]:
    """Return two paired clouds in one space.

    Raises
    ------
    ValueError
        As in `check_clouds`, or if the clouds differ in their number of rows.
    """
    x, y = check_clouds(X, Y, min_samples=min_samples, scale_free=scale_free)
    check_paired(x, y)
    return x, y


def check_same_kind(X: Array, Y: Array, names: tuple[str, str] = ("X", "Y"), *, same_width: bool = True) -> None:
    """Check that two arrays have the same library, device and width."""
    if not same_kind(X, Y):
        raise ValueError(
            f"{names[0]} and {names[1]} must use the same namespace and device: got {kind_of(X)} and {kind_of(Y)}. "
            "Convert one of them."
        )
    if same_width and X.shape[1] != Y.shape[1]:
        raise ValueError(
            f"{names[0]} has {X.shape[1]} features and {names[1]} has {Y.shape[1]}: both must be in the same space."
        )


def check_column_order(X: Any, Y: Any, names: tuple[str, str] = ("X", "Y")) -> None:
    """Check that frames in one space do not have the same columns in different orders; other names are allowed."""
    first, second = (list(map(str, getattr(Z, "column_names", getattr(Z, "columns", ())))) for Z in (X, Y))
    if first != second and sorted(first) == sorted(second):
        raise ValueError(
            f"{names[1]} has the columns of {names[0]} in another order: pass {names[1]}[{names[0]}.columns]."
        )


def check_labels(labels: Any, n: int, *, name: str = "labels") -> Labels:
    """Return the labels of n rows, with 2 to n - 1 different values, sorted by class.

    Raises
    ------
    ValueError
        If the labels are not n values in one dimension, or there is only one class, or one class per row.
    """
    found = labels if isinstance(labels, Labels) else labels_of(label_codes(labels, n, name))
    if found.codes.shape[0] != n:
        raise ValueError(f"Found {found.codes.shape[0]} {name} for {n} rows: pass one per row.")
    if not 2 <= found.sizes.size <= n - 1:
        raise ValueError(
            f"Number of labels is {found.sizes.size}. Valid values are 2 to n_samples - 1 (inclusive), here {n - 1}: "
            "clusters need at least two classes, and two rows in one of them."
        )
    return found


def label_codes(labels: Any, n: int, name: str) -> np.ndarray:
    """Return the position of the label of each row among the sorted labels."""
    values = check_column(labels, n, name)
    _check_none_missing(values, name, "label")
    return _sorted_codes(values, name)[1]


def check_column(values: Any, n: int, name: str, *, warn: bool = False) -> np.ndarray:
    """Return values of any library, one per row, as a NumPy array (n,).

    Raises
    ------
    TypeError
        If entries are masked.
    ValueError
        If the values are not n in one dimension, or in one column.
    """
    given = as_given(values, name)
    if np.asarray(given).ndim == 0:
        raise ValueError(f"{name} must have one entry per row, got {values!r}: pass an array of {n}.")
    column = column_or_1d(given, warn=warn)
    if column.shape[0] != n:
        raise ValueError(f"Found {column.shape[0]} {name} for {n} rows: pass one per row.")
    return column


def check_groups(groups: Any, n: int, *, min_members: int = 1) -> tuple[list[Any], np.ndarray]:
    """Return the sorted groups, and the position among them of the group of each of n rows.

    Raises
    ------
    ValueError
        If the number of groups is not n, one is missing, or a group has fewer than `min_members` rows.
    """
    values = _check_group_values(groups, n)
    found, codes = _sorted_codes(values, "groups")
    small = found[np.bincount(codes) < min_members]
    if small.size:
        raise ValueError(f"Group {_listed_values(small)[0]!r} has fewer than {min_members} rows: merge it, or drop it.")
    return _listed_values(found), codes


def check_known_groups(groups: Any, n: int, known: list[Any]) -> np.ndarray:
    """Return the position, among the groups at fit, of the group of each of n rows.

    Raises
    ------
    ValueError
        If a group was not seen at fit, or no groups are passed and there were several at fit.
    """
    if groups is None and len(known) > 1:
        raise ValueError(f"groups is required: there were {len(known)} at fit. Pass groups=, one per row.")
    values = np.full(n, known[0]) if groups is None else _check_group_values(groups, n)
    unseen = np.setdiff1d(_sorted_codes(values, "groups")[0], known)
    if unseen.size:
        first, *_ = _listed_values(unseen)
        raise ValueError(f"Group {first!r} was not seen at fit, which had {', '.join(map(repr, known))}.")
    return np.searchsorted(known, values)


def check_paired(X: Array, Y: Array, names: tuple[str, str] = ("X", "Y")) -> None:
    """Check that two paired clouds have the same number of rows."""
    if X.shape[0] != Y.shape[0]:
        raise ValueError(
            f"{names[0]} has {X.shape[0]} rows and {names[1]} has {Y.shape[0]}, but row i of one belongs to row i of "
            "the other. Drop the rows without a partner."
        )


def check_classes(y: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted classes, and the position among them of the class of each of n rows.

    Raises
    ------
    ValueError
        If y is not one class label per row.
    """
    values = check_column(y, n, "classes", warn=True)
    if values.dtype.kind in "fmMO" and any(_is_missing(v) or v in (np.inf, -np.inf) for v in values.tolist()):
        raise ValueError("Input y contains NaN, None or infinity: drop the rows without a class.")
    if values.dtype.kind == "f" and (values != np.floor(values)).any():
        raise ValueError("Unknown label type: continuous. Expected one class label per row, got fractions.")
    return _sorted_codes(values, "classes")


def check_weights(sample_weight: Any, x: Array, *, minimum: float = 1.0) -> tuple[Array, Array | None]:
    """Return the rows of positive weight, and their weights in float64.

    The rows are in float64 if their squares times the weights leave the range of float32.

    Raises
    ------
    TypeError
        If the weights are durations.
    ValueError
        If a weight is negative or not finite, the number of weights is not that of rows, or their sum is at most the
        minimum, or not between 1e-15 and 1e15: weights count how often each row occurs.
    """
    if sample_weight is None:
        return x, None
    weights = as_given(sample_weight, "sample_weight")
    _check_no_dates(weights, "sample_weight")
    w = np.asarray(weights, dtype=np.float64)
    if w.ndim == 0:
        w = np.full(x.shape[0], float(w))
    if w.shape != (x.shape[0],):
        raise ValueError(f"sample_weight.shape == {w.shape}, expected {(x.shape[0],)}!")
    if not np.isfinite(w).all() or (w < 0).any():
        raise ValueError("sample_weight must be finite and not negative.")
    total = float(w.sum())
    if not max(minimum * (1 + 1e-9), 1 / _MOST_WEIGHT) < total < _MOST_WEIGHT:
        raise ValueError(
            f"sample_weight sums to {total:.3g}, but weights are counts: a weight of 2 means two equal rows. "
            + ("All weights are zero. " if not w.any() else "")
            + "Multiply relative weights by n_samples / sum(sample_weight)."
        )
    kept = np.flatnonzero(w)
    rows = x if kept.size == w.size else take_rows(x, kept)
    low, high = _SAFE_WEIGHTED
    rows = rows if low < 2 * exponent_of(peak(rows)) + exponent_of(total) < high else float64(rows)
    return rows, asarray_like(w[kept], x, dtype=namespace(x).float64)


def check_choice(value: Any, choices: Iterable[Any], name: str) -> Any:
    """Check that a value is one of the choices, and return it."""
    choices = list(choices)
    if not any(value is c or (isinstance(value, str) and value == c) for c in choices):
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}. Got {value!r} instead.")
    return value


def check_real(value: Any, name: str, low: float = -np.inf, high: float = np.inf) -> float:
    """Return a finite number between two bounds as a float.

    Raises
    ------
    TypeError
        If the value is not a number.
    ValueError
        If it is not finite, or out of bounds.
    """
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number, got {value!r}.")
    number = float(value)
    if not isfinite(number) or not low <= number <= high:
        raise ValueError(f"{name} must be a finite number from {low:g} to {high:g}, got {value!r}.")
    return number


def check_several(values: Any, name: str, each: str, example: str) -> list[Any]:
    """Return a sequence of at least two matrices, or an array of three dimensions, as a list of matrices."""
    if getattr(values, "ndim", None) == 3:
        matrices = [values[i, ...] for i in range(values.shape[0])]
    else:
        matrices = list(values) if isinstance(values, Sequence) else []
    if len(matrices) < 2:
        raise ValueError(
            f"{name} must be a sequence of at least two matrices of embeddings, one for each {each}: pass {example}."
        )
    return matrices


def check_positive(value: Any, name: str) -> float:
    """Return a finite number greater than 0 as a float."""
    number = check_real(value, name)
    if number <= 0:
        raise ValueError(f"{name} must be greater than 0, got {value!r}.")
    return number


def check_rank_tol(value: Any) -> None:
    """Check that a tolerance is a share of the largest variance: at least 0, and less than 1."""
    if check_real(value, "rank_tol", 0) >= 1:
        raise ValueError(f"rank_tol must be less than 1, a share of the largest variance, got {value!r}.")


def check_temperature(value: Any) -> float:
    """Return a temperature, by which cosines are divided and stay in the range of float32, as a float."""
    return check_real(value, "temperature", 1e-30, 1e30)


def check_seed(random_state: Any) -> np.random.Generator:
    """Return a generator of random numbers from a seed, a generator, or None for a fresh one.

    Raises
    ------
    ValueError
        If it is something else.
    """
    try:
        return np.random.default_rng(random_state)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"random_state must be None, an integer from 0, or a numpy.random.Generator, got {random_state!r}."
        ) from error


def as_given(values: Any, name: str) -> Any:
    """Return values of any library, to read by NumPy as they were given.

    NumPy makes a list of strings and other values one of strings, "nan" and "None" among them, and drops a mask.

    Raises
    ------
    TypeError
        If entries are masked.
    """
    if is_foreign(values):
        return to_numpy(values)
    _check_no_mask(values, name)
    if not isinstance(values, list | tuple) or all(isinstance(v, str) for v in values):
        return values
    return np.array(values, dtype=object) if np.asarray(values).dtype.kind in "SU" else values


def check_numbers(values: Any, name: str) -> np.ndarray:
    """Return a finite number, or a list of them, as an array () or (n,) of float64.

    Raises
    ------
    TypeError
        If the values are not numbers.
    ValueError
        If the values are empty, not finite, or of more than one dimension.
    """
    numbers = np.asarray(as_given(values, name))
    if not numbers.size:
        raise ValueError(f"{name} is empty: pass at least one number.")
    if numbers.dtype.kind not in "iuf":
        raise TypeError(f"{name} must be a number or a list of numbers, got {listed(numbers.ravel().tolist())}.")
    if numbers.ndim > 1:
        raise ValueError(f"{name} must be a number or a flat list of numbers, got an array of shape {numbers.shape}.")
    if not np.isfinite(numbers).all():
        i = int(np.argmin(np.isfinite(numbers)))
        raise ValueError(
            f"{name} must be a finite number or a list of finite numbers, got {numbers.flat[i]} at position {i}."
        )
    return numbers.astype(np.float64)


def check_flag(value: Any, name: str) -> None:
    """Check that a value is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {value!r}.")


def check_count(value: Any, name: str, low: int = 1, high: int | None = None) -> int:
    """Return an integer between two bounds as an int.

    Raises
    ------
    TypeError
        If the value is not an integer.
    ValueError
        If it is out of bounds.
    """
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, got {value!r}.")
    count = int(value)
    if count < low or (high is not None and count > high):
        raise ValueError(f"{name} must be at least {low}{'' if high is None else f' and at most {high}'}, got {count}.")
    return count


def check_positions(rows: np.ndarray, n: int, name: str, *, of: str = "X", remedy: str = "") -> None:
    """Check that all values are integers from 0 to n - 1, the positions of n rows."""
    if rows.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold integers, the positions of rows, got dtype {rows.dtype}.")
    if rows.min() < 0 or rows.max() >= n:
        wrong = int(rows.min() if rows.min() < 0 else rows.max())
        raise ValueError(f"{name} refers to row {wrong} of {of}, which has rows 0 to {n - 1}.{remedy}")


def check_device(device: Any) -> None:
    """Check that a device is None, "cpu", "cuda", "cuda:<index>" or "auto"."""
    if not (device is None or device == "cpu" or names_gpu(device)):
        raise ValueError(f'device must be None, "cpu", "cuda", "cuda:<index>" or "auto". Got {device!r} instead.')


def check_host(X: Any, device: str) -> None:
    """Check that X is host data: only these can be moved to a device by name."""
    if is_foreign(X):
        raise ValueError(
            f"device={device!r} is for data on the host, but X is an array of {kind_of(X)}. Pass device=None: the "
            "computation then stays where X is."
        )


def check_fitted_kind(estimator: Any, x: Array, fitted: Array, method: str = "transform") -> None:
    """Check that an array has the library and device of the fit of the estimator."""
    if not same_kind(x, fitted):
        raise ValueError(
            f"Inputs passed to {type(estimator).__name__}.{method}() must use the same namespace and the same device "
            f"as those passed to fit(). Got {kind_of(x)}, but fit() had {kind_of(fitted)}. Convert X, or fit again."
        )


def check_for_writing(x: Any) -> None:
    """Check that rows are on the host, so that they can be written into NumPy arrays and files."""
    if is_foreign(x):
        raise TypeError(f"out= is for rows on the host, but X is an array of {kind_of(x)}. Call transform instead.")


def check_out(out: np.ndarray, x: Any, width: int) -> None:
    """Check that an array can hold as many rows as x has, with a width and the dtype of x.

    The rows may overwrite themselves, but not rows that are still to be read.
    """
    check_for_writing(x)
    shape = (x.shape[0], width)
    if out.shape != shape or out.dtype != x.dtype or not out.flags.writeable:
        raise ValueError(
            f"out must be writeable, of shape {shape} and dtype {x.dtype}; it is "
            f"{'writeable' if out.flags.writeable else 'read-only'}, of shape {out.shape} and dtype {out.dtype}."
        )
    starts_alike = (out.ctypes.data, out.strides) == (x.ctypes.data, x.strides)
    if not starts_alike and np.shares_memory(out, x):
        raise ValueError("out overlaps with X and is not X: rows would be overwritten before reading. Pass a copy.")


def check_plane(x: Array) -> None:
    """Check that rows have at least two features: with one, the sphere has two points and no circles."""
    if x.shape[1] < 2:
        raise ValueError(f"The number of features of X must be at least 2, got n_features = {x.shape[1]}: add columns.")


def check_in_ball(x: Array) -> None:
    """Check that rows are points of the Poincaré ball: shorter than 1."""
    longest = to_float(namespace(x).max(norms(x)))
    if longest >= 1:
        raise ValueError(
            f"A row of X has length {longest:.6g}, but points of the Poincaré ball are shorter than 1: scale the rows, "
            "or use only their directions."
        )


def check_squares(x: Array, name: str) -> None:
    """Check that sums of squares of the data neither overflow nor underflow in float64."""
    _check_powers(x, name, SQUARES_SAFE, "squares")


def check_fourth_powers(x: Array, name: str) -> None:
    """Check that sums of fourth powers of the data neither overflow nor underflow in float64."""
    _check_powers(x, name, SQUARES_SAFE // 2, "fourth powers")


def check_spread(spread: float, name: str = "X") -> None:
    """Check that the rows of a cloud are not all equal, given its variance or its rank."""
    if not spread > 0:
        raise ValueError(f"{name} has no spread: all its rows are equal. Pass rows that differ.")


def check_resolution(rank: int, name: str = "X") -> None:
    """Check that some direction of a cloud varies by more than the rounding of its numbers."""
    if rank == 0:
        raise ValueError(
            f"No direction of {name} varies by more than the rounding of its numbers, as for rows of low precision "
            "far from the origin. Subtract the mean in higher precision, before rounding the rows."
        )


def warn_of_rank(
    rank: int, above_noise: int, possible: int, *, name: str = "X", remedy: str = "", all_wanted: bool
) -> None:
    """Warn if dropped directions are more than rounding, or if most possible directions have no variance."""
    if above_noise > rank:
        warn(
            f"Directions of {name} that vary by more than the rounding of its numbers are dropped: "
            f"{above_noise - rank} of {above_noise}. Their variance is too small relative to the largest. {remedy}",
        )
    if all_wanted and 2 * rank < possible:
        warn(
            f"{name} has rank {rank}, of {possible} possible: all other directions are within the rounding of its "
            "numbers. If that is not expected, look for repeated or constant features; else pass n_components.",
        )


def check_target_rows(y: Any) -> tuple[Array, bool]:
    """Return the targets y as a finite array (n, k) of floats, and whether y was flat.

    Raises
    ------
    TypeError
        If y is sparse.
    ValueError
        If y is None, holds strings, or is not a finite matrix.
    """
    if y is None:
        raise ValueError("This estimator requires y to be passed, but the target y is None: pass target embeddings.")
    values = y if is_foreign(y) or len(getattr(y, "shape", ())) > 1 else np.asarray(y)
    if getattr(getattr(values, "dtype", None), "kind", "") in ("S", "U", "T", "O") and _has_strings(values):
        raise ValueError("y holds strings, but an aligner maps X to target embeddings: pass an array of numbers.")
    flat = len(values.shape) == 1
    return check_cloud(namespace(values).reshape(values, (-1, 1)) if flat else values, name="y", min_samples=1), flat


def listed(values: list[Any], most: int = 8) -> str:
    """Return the first values in words, and the number of the others."""
    return ", ".join(map(repr, values[:most])) + (f" and {len(values) - most} more" if len(values) > most else "")


def _check_powers(x: Array, name: str, safe: int, powers: str) -> None:
    """Check the exponent of the largest magnitude; that of float32 is always safe."""
    largest = peak(x) if namespace(x).finfo(x.dtype).bits == 64 else 0.0
    if abs(exponent_of(largest)) > safe:
        raise ValueError(
            f"{name} has magnitudes up to {largest:.3g}, whose {powers} leave the range of float64. Divide all rows by "
            "that number."
        )


def _check_group_values(groups: Any, n: int) -> np.ndarray:
    if groups is None:
        return np.zeros(n, dtype=np.int64)
    values = check_column(groups, n, "groups")
    _check_none_missing(values, "groups", "group")
    return values


def _listed_values(found: np.ndarray) -> list[Any]:
    """Return values as Python's, but dates that are too fine for Python, which would become integers, as they are."""
    values = found.tolist()
    return list(found) if found.dtype.kind in "mM" and any(isinstance(v, int) for v in values) else values


def _check_none_missing(values: np.ndarray, name: str, what: str) -> None:
    """Check that each row has a value."""
    if values.dtype.kind in "fmMO" and any(map(_is_missing, values.tolist())):
        raise ValueError(f"Input {name} contains NaN or None: drop the rows without a {what}.")


def _sorted_codes(values: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted distinct values, and the position among them of each value."""
    try:
        found, codes = np.unique(values, return_inverse=True)
    except TypeError:
        kinds = " and ".join(sorted({type(v).__name__ for v in values.tolist()}))
        raise TypeError(
            f"{name} must be of one type that can be sorted, got {kinds}. Convert them all to strings."
        ) from None
    return found, codes


def _check_no_mask(values: Any, name: str) -> None:
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise TypeError(f"{name} has masked entries, which are not values: fill them, or drop their rows.")


def _check_no_dates(values: Any, name: str) -> None:
    """Refuse dates and durations, which NumPy converts to counts of their unit. All rows have the type of the first."""
    if isinstance(values, list | tuple) or (len(getattr(values, "shape", ())) > 0 and not issparse(values)):
        dtype = np.asarray(values[:1]).dtype
        if dtype.kind in "mM":
            raise TypeError(f"{name} has dtype {dtype}, expected numbers, not dates or durations.")


def _check_host_array(X: Any, name: str, min_samples: int) -> np.ndarray:
    if is_stored(X):
        library, kind = type(X).__module__.partition(".")[0], type(X).__name__
        raise TypeError(
            f"{name} is {'a path' if isinstance(X, str | PathLike) else f'{library}.{kind}'}, not rows in memory: pass "
            f"skgeom.datasets.iter_embeddings({name}) to a function built on sums, or an array of all rows."
        )
    _check_no_mask(X, name)
    _check_no_dates(X, name)
    if isinstance(X, np.ndarray) and X.dtype.kind == "f" and X.dtype.itemsize < 8:  # halves, and another byte order
        X = X.astype(np.float32, copy=False)
    try:
        return check_array(
            X,
            dtype=[np.float64, np.float32],
            ensure_all_finite=False,
            ensure_min_samples=min_samples,
            input_name=name,
        )
    except (TypeError, ValueError) as error:
        raise _vectors_in_cells(X, name) or error from None


def _vectors_in_cells(X: Any, name: str) -> ValueError | None:
    """Return the error for a column with a vector in each cell, as in tables of text and embeddings."""
    cells = np.asarray(X)
    first: Any = next(iter(cells.flat), None)
    if cells.dtype != object or cells.ndim == 0 or np.ndim(first) == 0:  # a sparse matrix is one object
        return None
    column = f'{name}["{X.columns[0]}"]' if hasattr(X, "columns") else name
    remedy = f"skgeom.datasets.iter_embeddings({name})" if hasattr(X, "to_batches") else f"numpy.stack({column})"
    return ValueError(f"{name} has a vector in each cell, expected an array (n_samples, n_features): pass {remedy}.")


def _check_foreign_array(X: Array, name: str, min_samples: int) -> Array:
    if is_sparse(X):
        raise TypeError(f"Sparse data was passed as {name}, but dense data is required: centring fills it anyway.")
    xp = namespace(X)
    if X.ndim != 2:
        raise ValueError(f"Expected 2D array, got {X.ndim}D array instead. Reshape {name} to (n_samples, n_features).")
    if xp.isdtype(X.dtype, "complex floating"):
        raise ValueError(f"Complex data not supported: {name} has dtype {X.dtype}.")
    if not has_float64(X):
        raise TypeError(
            f"{name} must be on a device with float64, in which all sums are formed, but {kind_of(X)} has none. "
            "Move it to the host first, such as by X.cpu(); JAX has float64 with jax_enable_x64=True."
        )
    for size, minimum, what in ((X.shape[0], min_samples, "sample"), (X.shape[1], 1, "feature")):
        if size < minimum:
            raise ValueError(
                f"Found array with {size} {what}(s) (shape={tuple(X.shape)}) while a minimum of {minimum} is required."
            )
    return X if is_real_floating(X) and xp.finfo(X.dtype).bits >= 32 else widen(X)


def _has_strings(values: np.ndarray) -> bool:
    return any(isinstance(v, str | bytes) for v in values.ravel().tolist())


def _is_missing(value: Any) -> bool:
    try:
        return value is None or bool(value != value)
    except TypeError:  # pandas.NA cannot be compared
        return True


def _checked(X: Any, name: str, min_samples: int) -> tuple[Array, float]:
    """Return X as a finite array of float32 or float64, and its largest magnitude."""
    x = check_floats(X, name=name, min_samples=min_samples)
    largest = peak(x)
    if not isfinite(largest):
        raise ValueError(
            f"Input {name} contains {'NaN' if isnan(largest) else 'infinity'}. Expected finite numbers only: drop or "
            f"replace the rows concerned before passing {name}."
        )
    return x, largest
