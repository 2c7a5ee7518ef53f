"""The only file that refuses what a user passes: every public entry asks here first, and the mathematics trusts it.

A message says what was expected, what came, and what to do.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from functools import reduce
from math import ceil, isfinite, isnan, log2
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import column_or_1d

from skgeom._array import (
    asarray_like,
    excess_exponent,
    float64,
    is_foreign,
    is_real_floating,
    is_sparse,
    kind_of,
    namespace,
    peak,
    same_kind,
    take_rows,
    times_power_of_two,
    to_float,
    to_numpy,
    widen,
)
from skgeom._core._labels import Labels, labels_of
from skgeom._core._rows import DirectedRows, norms, row_scaled, shortest_exact
from skgeom._core.sums._moments import AnyMoments, merge, moments
from skgeom._typing import Array, ForeignT

_SQUARES_SAFE = 480
"""Power of two up to which, or down to which, sums of squares stay within float64."""


def check_cloud(X: Any, *, name: str = "X", min_samples: int = 2, scale_free: bool = False) -> Array:
    """Return X as a finite array (n, d) of float32 or float64 in its own library.

    Data of extreme magnitude, whose squares would overflow or vanish, come back in float64, or, with `scale_free` for
    results that do not depend on the scale, multiplied by a power of two, which is exact.

    Raises
    ------
    TypeError
        If X is sparse or not numeric.
    ValueError
        If X is not a finite real matrix of at least `min_samples` rows and one column.
    """
    x, largest = _checked(X, name, min_samples)
    if not excess_exponent(x, largest):
        return x
    return times_power_of_two(x, -_exponent(largest)) if scale_free else float64(x)


def check_moments(X: Any, *, scale_free: bool = True) -> AnyMoments:
    """Return the moments of X, an array (n, d) or an iterator of blocks of rows.

    Data of extreme magnitude are treated as in `check_cloud`; of blocks, the first that is not zero decides the factor,
    and where the scale matters they are brought to the edge of the safe range, where the measures are at their limits.

    Raises
    ------
    ValueError
        If X, or a block of it, is not a finite matrix, if blocks differ in width or kind, or if there is only one row.
    """
    if not isinstance(X, Iterator):
        return moments(check_cloud(X, scale_free=scale_free))
    blocks = map(moments, _check_blocks(X, scale_free))
    m = next(blocks, None)
    m = reduce(merge, blocks, m) if m else None
    if m is None or m.n < 2:
        raise ValueError("Found 0 or 1 sample in the blocks of X while a minimum of 2 is required.")
    return m


def check_directed(X: Any, *, name: str = "X", min_samples: int = 2) -> DirectedRows:
    """Return the rows of X, up to factors for each row, with their norms.

    Raises
    ------
    ValueError
        As `check_cloud`, or if a row is zero and so has no direction.
    """
    x = check_cloud(X, name=name, min_samples=min_samples, scale_free=True)
    lengths = norms(x)
    if to_float(namespace(x).min(lengths)) < shortest_exact(x):
        x = row_scaled(x)
        lengths = norms(x)
    zeros = np.flatnonzero(to_numpy(lengths) == 0)
    if zeros.size:
        raise ValueError(
            f"{name} has {zeros.size} zero row{'s'[: zeros.size > 1]} (the first is row {zeros[0]}), and a zero row "
            "has no direction. Drop such rows, or use a measure of distances instead of angles."
        )
    return DirectedRows(x, lengths)


def check_directed_pairs(X: Any, Y: Any) -> tuple[DirectedRows, DirectedRows]:
    """Return the rows of two clouds, up to factors for each row, whose rows belong together, with their norms.

    Raises
    ------
    ValueError
        As `check_directed`, or if the clouds differ in shape, library or device.
    """
    x, y = check_directed(X), check_directed(Y, name="Y")
    check_same_kind(x.x, y.x)
    check_paired(x.x, y.x)
    return x, y


def check_vectors(x: Any, name: str) -> tuple[Array, bool]:
    """Return a vector, or the rows of a matrix, as a matrix (n, d), and whether it was a vector.

    Raises
    ------
    ValueError
        If it is not finite, or has another number of dimensions.
    """
    values = x if is_foreign(x) else np.asarray(x)
    single = values.ndim == 1
    return check_cloud(values[None, :] if single else values, name=name, min_samples=1), single


def check_one_row(x: Array, name: str) -> None:
    """Refuse a matrix where a vector is needed."""
    if x.shape[0] != 1:
        raise ValueError(f"{name} has {x.shape[0]} rows, expected one vector. Pass the mean of the rows.")


def check_same_kind(X: Array, Y: Array, names: tuple[str, str] = ("X", "Y"), *, same_width: bool = True) -> None:
    """Refuse two arrays of different libraries, devices or widths."""
    if not same_kind(X, Y):
        raise ValueError(
            f"{names[0]} and {names[1]} must use the same namespace and device: got {kind_of(X)} and {kind_of(Y)}. "
            "Convert one of them."
        )
    if same_width and X.shape[1] != Y.shape[1]:
        raise ValueError(
            f"{names[0]} has {X.shape[1]} features and {names[1]} has {Y.shape[1]}: both must live in one space."
        )


def check_labels(labels: Any, n: int, *, name: str = "labels") -> Labels:
    """Return labels of n rows, at least two different ones and fewer than rows, sorted by class.

    Raises
    ------
    ValueError
        If the labels are not n values of one dimension, or there is one class only, or one class for each row.
    """
    values = column_or_1d(to_numpy(labels) if is_foreign(labels) else labels)
    if values.shape[0] != n:
        raise ValueError(f"Found {values.shape[0]} {name} for {n} rows: pass one label for each row of X.")
    if values.dtype.kind in "fO" and any(map(_is_missing, values.tolist())):
        raise ValueError(f"Input {name} contains NaN or None: drop the rows without a label.")
    classes, codes = np.unique(values, return_inverse=True)
    if not 2 <= classes.size <= n - 1:
        raise ValueError(
            f"Number of labels is {classes.size}. Valid values are 2 to n_samples - 1 (inclusive), here {n - 1}: "
            "cluster structure needs two classes, and two rows in one of them."
        )
    return labels_of(codes)


def check_batch_labels(labels: Any, n: int) -> Labels:
    """Return labels of the n rows of a batch, sorted by class: one class, or one for each row, is not an error there.

    Raises
    ------
    ValueError
        If the labels are not n values of one dimension.
    """
    if not isinstance(labels, Labels):
        return labels_of(check_classes(labels, n)[1])
    if labels.codes.shape[0] != n:
        raise ValueError(f"Found {labels.codes.shape[0]} labels for {n} rows: pass one label for each row of X.")
    return labels


def check_one_row_per_class(C: Array, n_classes: int) -> None:
    """Refuse directions that are not one for each class."""
    if C.shape[0] != n_classes:
        raise ValueError(
            f"C has {C.shape[0]} rows, but the labels have {n_classes} classes: pass one row for each class, in the "
            "sorted order of the classes."
        )


def check_generator(generator: Any) -> None:
    """Refuse what is not a generator of random numbers of Torch."""
    if not hasattr(generator, "initial_seed"):
        raise TypeError(
            f"generator must be a torch.Generator, got {generator!r}: pass torch.Generator(). The global "
            "generator of Torch is never touched."
        )


def check_groups(groups: Any, n: int, *, min_members: int = 1) -> tuple[list[Any], np.ndarray]:
    """Return the groups, sorted, and the position among them of the group of each of n rows.

    Raises
    ------
    ValueError
        If there is not one group for each row, or one has fewer members than needed.
    """
    values = _check_group_values(groups, n)
    found, codes = np.unique(values, return_inverse=True)
    small = found[np.bincount(codes) < min_members]
    if small.size:
        raise ValueError(f"Group {small.tolist()[0]!r} has fewer than {min_members} rows: merge it, or drop it.")
    return found.tolist(), codes


def check_known_groups(groups: Any, n: int, known: list[Any]) -> np.ndarray:
    """Return the position among the groups of the fit of the group of each of n rows.

    Raises
    ------
    ValueError
        If a group was not there at fit, or none are given where there were several.
    """
    if groups is None and len(known) > 1:
        raise ValueError(f"groups is needed: there were {len(known)} at fit. Pass groups=, one for each row.")
    values = np.full(n, known[0]) if groups is None else _check_group_values(groups, n)
    unseen = np.setdiff1d(values, known)
    if unseen.size:
        raise ValueError(f"Group {unseen.tolist()[0]!r} was not there at fit, which had {', '.join(map(repr, known))}.")
    return np.searchsorted(known, values)


def check_one_width(widths: list[int], groups: list[Any]) -> None:
    """Refuse groups whose outputs differ in width."""
    if len(set(widths)) > 1:
        ranks = ", ".join(f"{g!r}: {w}" for g, w in zip(groups, widths, strict=True))
        raise ValueError(
            f"The groups have outputs of unequal width ({ranks}): pass n_components={min(widths)} or less, "
            'or method="zca".'
        )


def check_two_groups(groups: list[Any]) -> None:
    """Refuse more groups than the two between which a gap lies."""
    if len(groups) > 2:
        listed = ", ".join(map(repr, groups))
        raise ValueError(f"A gap lies between two groups, got {len(groups)}: {listed}. Pass the rows of two of them.")


def check_paired(X: Array, Y: Array, names: tuple[str, str] = ("X", "Y")) -> None:
    """Refuse clouds whose rows do not come in pairs."""
    if X.shape[0] != Y.shape[0]:
        raise ValueError(
            f"{names[0]} has {X.shape[0]} rows and {names[1]} has {Y.shape[0]}, but row i of one belongs to row i of "
            "the other. Drop the rows without a partner."
        )


def check_not_opposite(smallest: float) -> None:
    """Refuse to turn one direction into its opposite, given the smallest ‖u + v‖² of the unit vectors."""
    if smallest <= 1e-12:
        raise ValueError(
            "x and y point in opposite directions, between which there is no shortest arc. Move one of them a little, "
            "or go through a third point."
        )


def check_classes(y: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes, sorted, and the position among them of the class of each of n rows.

    Raises
    ------
    ValueError
        If y is not one class label for each row.
    """
    values = column_or_1d(to_numpy(y) if is_foreign(y) else y, warn=True)
    if values.shape[0] != n:
        raise ValueError(f"Found {values.shape[0]} classes for {n} rows: pass the class of each row of X.")
    if values.dtype.kind in "fO" and any(_is_missing(v) or v in (np.inf, -np.inf) for v in values.tolist()):
        raise ValueError("Input y contains NaN, None or infinity: drop the rows without a class.")
    if values.dtype.kind == "f" and (values != np.floor(values)).any():
        raise ValueError("Unknown label type: continuous. Expected the class that each row names, got fractions.")
    classes, codes = np.unique(values, return_inverse=True)
    return classes, codes


def check_several_classes(classes: np.ndarray) -> None:
    """Refuse to tell one class from others that are not there."""
    if classes.size < 2:
        raise ValueError(
            f"y has one class only, {classes.tolist()[0]!r}: a classifier needs at least two. Pass rows of several "
            "classes, or an objective without labels."
        )


def check_indicator(y: Any, n: int) -> np.ndarray:
    """Return a multi-label indicator (n, k) of zeros and ones, as float64.

    Raises
    ------
    TypeError
        If it is sparse.
    ValueError
        If it is not a matrix of n rows of zeros and ones.
    """
    if (is_foreign(y) and is_sparse(y)) or hasattr(y, "toarray"):
        raise TypeError("Sparse data was passed as y, but a dense indicator is required: pass y.toarray().")
    values = np.asarray(to_numpy(y) if is_foreign(y) else y)
    if values.ndim != 2:
        raise ValueError(
            f"y has shape {values.shape}, expected a multi-label indicator (n_samples, n_labels) of zeros and ones. "
            "sklearn.preprocessing.MultiLabelBinarizer makes one of lists of labels; a flat y of two classes is "
            "y.reshape(-1, 1)."
        )
    if values.shape[0] != n:
        raise ValueError(f"y has {values.shape[0]} rows of labels for {n} rows: pass one for each row of X, or pair.")
    if values.dtype.kind not in "biuf" or not np.isin(values, (0, 1)).all():
        raise ValueError("y is not a multi-label indicator: it must hold zeros and ones only.")
    return values.astype(np.float64)


def check_pair_rows(pairs: Any, n: int) -> np.ndarray:
    """Return pairs (m, 2) of positions among n rows.

    Raises
    ------
    TypeError
        If they are not integers.
    ValueError
        If they have another shape, there is none, or one is out of range.
    """
    given = np.asarray(to_numpy(pairs) if is_foreign(pairs) else pairs)
    if given.ndim != 2 or given.shape[1] != 2 or not given.shape[0]:
        raise ValueError(f"pairs has shape {given.shape}, expected (n_pairs, 2): two rows of X for each entry of y.")
    if given.dtype.kind not in "iu":
        raise TypeError(f"pairs must hold integers, the positions of rows, got dtype {given.dtype}.")
    if given.min() < 0 or given.max() >= n:
        wrong = int(given.min() if given.min() < 0 else given.max())
        raise ValueError(f"pairs names row {wrong} of X, which has rows 0 to {n - 1}.")
    return given.astype(np.int64)


def check_no_pairs(pairs: Any, needed_by: str) -> None:
    """Refuse pairs where y belongs to rows."""
    if pairs is not None:
        raise ValueError(f"pairs go with labels of pairs, but {needed_by} compares each row of X with its row of y.")


def check_supervised(y: Any, needed_by: Iterable[str]) -> None:
    """Refuse to go without y where something needs it."""
    needed_by = list(needed_by)
    if y is None and needed_by:
        raise ValueError(
            "This estimator requires y to be passed, but the target y is None: "
            f"{_listed(needed_by)} cannot be computed without. Pass y, or an objective that needs none."
        )


def check_one_kind_of_y(needed_by: Iterable[str]) -> None:
    """Refuse objectives that need different kinds of y."""
    needed_by = list(needed_by)
    if len(needed_by) > 1:
        raise ValueError(
            f"The objectives {_listed(needed_by)} need different kinds of y (class labels, a multi-label indicator or "
            "target embeddings), and there is one y: leave out all but one."
        )


def check_named(values: Any, names: Iterable[str], what: str) -> list[Any]:
    """Return the names and callables of a list, or the only one.

    Raises
    ------
    TypeError
        If one is neither a name nor a callable.
    ValueError
        If a name is unknown, or one stands there twice.
    """
    given = list(values) if isinstance(values, list | tuple | dict) else [values]
    for value in given:
        if not isinstance(value, str) and not callable(value):
            raise TypeError(f"{what} must be a name or a callable, got {value!r}.")
        if isinstance(value, str):
            check_choice(value, names, what)
    if len(set(given)) < len(given):
        raise ValueError(f"{what} has the same entry twice: {_listed(given)}.")
    return given


def check_terms(objective: Any, names: Iterable[str]) -> list[tuple[Any, float | None]]:
    """Return names and callables with their weights, None for the only one of an objective that is not a dict.

    Raises
    ------
    TypeError
        If one is neither a name nor a callable, or a weight is not a number.
    ValueError
        If there is none, a name is unknown, or a weight is not finite.
    """
    if isinstance(objective, dict) and not objective:
        raise ValueError("objective is an empty dict: name a term and its weight.")
    if isinstance(objective, list | tuple):
        raise TypeError(f"objective must be a name, a callable or a dict of weights, got {objective!r}.")
    terms = check_named(objective, names, "objective")
    if not isinstance(objective, dict):
        return [(terms[0], None)]
    return [(term, check_real(objective[term], f"The weight of {term!r}")) for term in terms]


def check_sphere_rows(parameter: ForeignT) -> ForeignT:
    """Return the norms (n,) of the rows of a parameter that is to move on spheres, found in float64.

    Raises
    ------
    TypeError
        If it is not of float32 or float64.
    ValueError
        If it is not a finite matrix, or a row is zero.
    """
    xp = namespace(parameter)
    if parameter.dtype not in (xp.float32, xp.float64):
        raise TypeError(f"Rows on spheres must be float32 or float64, got {parameter.dtype}: convert the parameter.")
    if parameter.ndim != 2:
        raise ValueError(
            f"Each parameter must be a matrix with a point in each row, got shape {tuple(parameter.shape)}: reshape "
            "it, or leave it to another optimizer."
        )
    lengths = norms(float64(parameter))
    if not bool(xp.all(xp.isfinite(lengths))):
        raise ValueError("A parameter contains NaN or infinity: rows on spheres must be finite.")
    if not bool(xp.all(lengths > 0)):
        row = int(xp.argmin(lengths))
        raise ValueError(f"Row {row} of a parameter is zero, and a sphere of radius 0 has no directions: drop the row.")
    return xp.astype(lengths, parameter.dtype)


def check_gradient(value: Any, name: str) -> None:
    """Refuse the value of an objective that is no 0-d tensor, or has no gradient."""
    if not hasattr(value, "requires_grad") or value.ndim:
        got = f"a tensor of shape {tuple(value.shape)}" if hasattr(value, "requires_grad") else repr(value)
        raise TypeError(f"The objective {name!r} must return a 0-d tensor, got {got}: take its mean or sum.")
    if not value.requires_grad:
        raise ValueError(
            f"The value of the objective {name!r} has no gradient: compute it from the rows with operations of Torch, "
            "without detach() or float()."
        )


def check_same_shape(x: Array, earlier: tuple[int, ...], name: str) -> None:
    """Refuse to go on from a fit on data of another shape."""
    if tuple(x.shape) != tuple(earlier):
        raise ValueError(
            f"warm_start=True goes on from {name}, of shape {tuple(earlier)}, but these data need {tuple(x.shape)}: "
            "pass as many rows, features and classes as before, or warm_start=False."
        )


def check_class_directions(lengths: np.ndarray, classes: np.ndarray) -> None:
    """Refuse classes whose mean unit row has the length 0 up to rounding."""
    empty = classes[lengths <= 1e-12]
    if empty.size:
        raise ValueError(
            f"The prompts of class {empty.tolist()[0]!r} cancel: the mean of their unit rows is zero, and points "
            'nowhere. Drop one of them, or use logits="distance".'
        )


def check_known_classes(y: Any, classes: np.ndarray) -> None:
    """Refuse classes that were not there at fit."""
    unseen = np.setdiff1d(to_numpy(y) if is_foreign(y) else y, classes)
    if unseen.size:
        raise ValueError(
            f"y has class {unseen.tolist()[0]!r}, for which fit had no embedding: it had {_listed(classes.tolist())}. "
            "Add a row for it to fit, or drop these rows."
        )


def check_covariance(
    covariance: Any,
    like: Array | None = None,
    *,
    scale_free: bool = False,
    name: str = "covariance",
    definite: bool = True,
) -> Array:
    """Return a symmetric positive semi-definite matrix (d, d) in float64; `definite` checks its signs, in O(d³).

    Raises
    ------
    ValueError
        If it is not square, symmetric and positive semi-definite up to rounding.
    """
    c = check_cloud(covariance, name=name, min_samples=1, scale_free=scale_free)
    if like is not None:
        check_same_kind(like, c, ("X", name), same_width=False)
    d = c.shape[0]
    if c.shape[1] != d or (like is not None and like.shape[-1] != d):
        width = d if like is None else like.shape[-1]
        raise ValueError(f"{name} has shape {tuple(c.shape)}, expected a square ({width}, {width}) matrix.")
    xp = namespace(c)
    c = xp.astype(c, xp.float64)
    slack = 1e-5 * max(to_float(xp.max(xp.abs(c))), np.finfo(float).tiny)
    if to_float(xp.max(xp.abs(c - c.T))) > slack:
        raise ValueError(f"{name} is not symmetric: pass a covariance matrix, or rows to a measure that takes rows.")
    if definite and to_float(xp.min(xp.linalg.eigvalsh(c))) < -slack * d:
        raise ValueError(f"{name} has a negative eigenvalue: a covariance is positive semi-definite.")
    return c


def check_weights(sample_weight: Any, x: Array, *, minimum: float = 1.0) -> tuple[Array, Array | None]:
    """Return the rows of positive weight and their weights, in float64.

    Raises
    ------
    ValueError
        If a weight is negative or not finite, their number is wrong, or they do not sum to more than the minimum:
        weights count how often a row occurs.
    """
    if sample_weight is None:
        return x, None
    w = np.asarray(to_numpy(sample_weight) if is_foreign(sample_weight) else sample_weight, dtype=np.float64)
    if w.ndim == 0:
        w = np.full(x.shape[0], float(w))
    if w.shape != (x.shape[0],):
        raise ValueError(f"sample_weight.shape == {w.shape}, expected {(x.shape[0],)}!")
    if not np.isfinite(w).all() or (w < 0).any():
        raise ValueError("sample_weight must be finite and not negative.")
    if w.sum() <= minimum * (1 + 1e-9):
        raise ValueError(
            f"sample_weight sums to {w.sum():.3g}, but weights are counts: a weight of 2 means two equal rows. "
            + ("All weights are zero. " if not w.any() else "")
            + "Multiply relative weights by n_samples / sum(sample_weight)."
        )
    kept = np.flatnonzero(w)
    rows = x if kept.size == w.size else take_rows(x, kept)
    return rows, asarray_like(w[kept], x, dtype=namespace(x).float64)


def check_choice(value: Any, choices: Iterable[Any], name: str) -> Any:
    """Return a value that is one of the choices.

    Raises
    ------
    ValueError
        Otherwise.
    """
    choices = list(choices)
    if not any(value is c or (isinstance(value, str) and value == c) for c in choices):
        listed = ", ".join(repr(c) for c in choices)
        raise ValueError(f"{name} must be one of {listed}. Got {value!r} instead.")
    return value


def check_steps(estimator: Any) -> None:
    """Refuse to look for a step by name in what has none."""
    if not hasattr(estimator, "steps"):
        raise ValueError(f'step names a step of a Pipeline, but the estimator is {estimator!r}: use step="auto".')


def check_real(value: Any, name: str, low: float = -np.inf, high: float = np.inf) -> float:
    """Return a finite number between two bounds.

    Raises
    ------
    TypeError
        If the value is not a number.
    ValueError
        If it is not finite or out of bounds.
    """
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number, got {value!r}.")
    number = float(value)
    if not isfinite(number) or not low <= number <= high:
        raise ValueError(f"{name} must be a finite number from {low:g} to {high:g}, got {value!r}.")
    return number


def check_positive(value: Any, name: str) -> float:
    """Return a finite number above zero.

    Raises
    ------
    TypeError
        If the value is not a number.
    ValueError
        If it is not finite, zero or negative.
    """
    number = check_real(value, name)
    if number <= 0:
        raise ValueError(f"{name} must be greater than 0, got {value!r}.")
    return number


def check_numbers(values: Any, name: str) -> np.ndarray:
    """Return a finite number, or a list of them, as an array () or (n,) of float64.

    Raises
    ------
    TypeError
        If the values are not numbers.
    ValueError
        If one is not finite, there is none, or they have more than one dimension.
    """
    numbers = np.asarray(to_numpy(values) if is_foreign(values) else values)
    if numbers.dtype.kind not in "iuf":
        raise TypeError(f"{name} must be a number or a list of numbers, got {values!r}.")
    if numbers.ndim > 1 or not numbers.size or not np.isfinite(numbers).all():
        raise ValueError(f"{name} must be a finite number or a list of finite numbers, got {values!r}.")
    return numbers.astype(np.float64)


def check_fractions(values: Any, name: str) -> np.ndarray:
    """Return a number from 0 to 1, or a list of them, as an array () or (n,) of float64.

    Raises
    ------
    TypeError
        If the values are not numbers.
    ValueError
        If one is not finite or out of bounds, there is none, or they have more than one dimension.
    """
    fractions = check_numbers(values, name)
    if fractions.min() < 0 or fractions.max() > 1:
        raise ValueError(f"{name} must lie between 0 and 1, got {values!r}.")
    return fractions


def check_flag(value: Any, name: str) -> None:
    """Refuse a value that is neither True nor False.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {value!r}.")


def check_count(value: Any, name: str, low: int = 1, high: int | None = None) -> int:
    """Return an integer between two bounds.

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


def check_cutoffs(k: Any) -> list[int]:
    """Return the positive integers of a sequence, or the only one.

    Raises
    ------
    TypeError
        If one is not an integer.
    ValueError
        If one is not positive, or there is none.
    """
    counts = [check_count(one, "k") for one in (k if np.iterable(k) else [k])]
    if not counts:
        raise ValueError("k is empty: pass a number of candidates, or a sequence of some.")
    return counts


def check_neighbours(k: Any, n_candidates: int) -> int:
    """Return a number of neighbours that there are candidates for.

    Raises
    ------
    TypeError
        If it is not an integer.
    ValueError
        If it is not positive, or exceeds the number of candidates.
    """
    count = check_count(k, "k")
    if count > n_candidates:
        raise ValueError(
            f"k={count} neighbours were asked for, but each row has {n_candidates} candidates (a row is not a "
            f"neighbour of itself): pass k={n_candidates} or less, or more rows."
        )
    return count


def check_relevant(relevant: Any, n: int, n_candidates: int) -> np.ndarray:
    """Return the pairs (p, 2) of query and relevant candidate, sorted and different.

    Raises
    ------
    TypeError
        If they are not integers.
    ValueError
        If there are none, their shape is neither (n,) nor (p, 2), one is out of range, or none are given for sets of
        unequal size.
    """
    if relevant is None:
        if n != n_candidates:
            raise ValueError(
                f"X has {n} rows and Y has {n_candidates}, so row i of X cannot belong to row i of Y: pass relevant=, "
                "the row of Y that belongs to each row of X, or pairs of rows."
            )
        return np.stack([np.arange(n)] * 2, axis=1)
    given = np.asarray(to_numpy(relevant) if is_foreign(relevant) else relevant)
    if given.dtype.kind not in "iu":
        raise TypeError(f"relevant must hold integers, the positions of rows, got dtype {given.dtype}.")
    if given.shape != (n,) and not (given.ndim == 2 and given.shape[0] and given.shape[1] == 2):
        raise ValueError(
            f"relevant has shape {given.shape}, expected ({n},), one row of Y for each row of X, or (n_pairs, 2), "
            "pairs of a row of X and a row of Y."
        )
    pairs = np.unique(np.stack([np.arange(n), given], axis=1) if given.ndim == 1 else given, axis=0).astype(np.int64)
    for side, size, name in ((pairs[:, 0], n, "X"), (pairs[:, 1], n_candidates, "Y")):
        if side.min() < 0 or side.max() >= size:
            wrong = int(side.min() if side.min() < 0 else side.max())
            raise ValueError(
                f"relevant names row {wrong} of {name}, which has rows 0 to {size - 1}. Leave out queries without a "
                "relevant candidate by passing pairs."
            )
    return pairs


def check_device(device: Any) -> None:
    """Refuse a device that is not None, "cpu", "cuda", "cuda:<index>" or "auto"."""
    if device is None or device in ("cpu", "cuda", "auto"):
        return
    if isinstance(device, str) and device.startswith("cuda:") and device[5:].isascii() and device[5:].isdigit():
        return
    raise ValueError(f'device must be None, "cpu", "cuda", "cuda:<index>" or "auto". Got {device!r} instead.')


def check_host(X: Any, device: str) -> None:
    """Refuse an array that already lives in another library where a device is asked for by name."""
    if is_foreign(X):
        raise ValueError(
            f"device={device!r} is for data on the host, but X is an array of {kind_of(X)}. Pass device=None: the "
            "computation then stays where X is."
        )


def check_fitted_kind(estimator: Any, x: Array, fitted: Array, method: str = "transform") -> None:
    """Refuse an array of another library or device than the estimator was fitted on."""
    if not same_kind(x, fitted):
        raise ValueError(
            f"Inputs passed to {type(estimator).__name__}.{method}() must use the same namespace and the same device "
            f"as those passed to fit(). Got {kind_of(x)}, and fit() had {kind_of(fitted)}. Convert X, or fit again."
        )


def check_plane(x: Array) -> None:
    """Refuse rows of fewer than two features, which leave no sphere to move on and no circle to look at."""
    if x.shape[1] < 2:
        raise ValueError(f"The number of features of X must be at least 2, got n_features = {x.shape[1]}: add columns.")


def check_verbose(value: Any) -> None:
    """Refuse a verbosity that is neither a flag nor an integer from 0."""
    check_count(int(value) if isinstance(value, bool) else value, "verbose", low=0)


def check_width(z: Array, width: int, name: str) -> None:
    """Refuse rows of another width than the output of an estimator."""
    if z.shape[1] != width:
        raise ValueError(
            f"X has {z.shape[1]} features, but {name}.inverse_transform is expecting {width} features as input."
        )


def check_spread(rank: int, name: str = "X") -> None:
    """Refuse to whiten a cloud without any spread."""
    if rank == 0:
        raise ValueError(
            f"{name} has no spread: all rows are equal, and there is no direction to whiten. Pass rows that differ."
        )


def check_targets(y: Any, x: Array) -> tuple[Array, bool]:
    """Return the targets y as a finite array (n, k) of floats where the rows x (n, d) are, and whether y was flat.

    Raises
    ------
    TypeError
        If y is sparse.
    ValueError
        If y is None, holds strings, is not finite, or does not have one target for each row.

    Warns
    -----
    UserWarning
        If y is one column of integers or booleans, as class labels are.
    """
    targets, flat = check_target_rows(y)
    _warn_of_labels(y, targets)
    if targets.shape[0] != x.shape[0]:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: X has {x.shape[0]} rows and y has "
            f"{targets.shape[0]}. Row k of y is the target of row k of X: pass as many."
        )
    return (targets if same_kind(targets, x) else _moved(targets, x)), flat


def check_target_rows(y: Any) -> tuple[Array, bool]:
    """Return the targets y as a finite array (n, k) of floats, and whether y was flat.

    Raises
    ------
    TypeError
        If y is sparse.
    ValueError
        If y is None, holds strings, or is not finite.
    """
    if y is None:
        raise ValueError("This estimator requires y to be passed, but the target y is None: pass target embeddings.")
    values = y if is_foreign(y) or len(getattr(y, "shape", ())) > 1 else np.asarray(y)
    if getattr(getattr(values, "dtype", None), "kind", "") in ("S", "U", "T", "O") and _has_strings(values):
        raise ValueError("y holds strings, but an aligner maps X to target embeddings: pass an array of numbers.")
    flat = len(values.shape) == 1
    return check_cloud(namespace(values).reshape(values, (-1, 1)) if flat else values, name="y", min_samples=1), flat


def check_target_width(t: Array, width: int) -> None:
    """Refuse targets of another width than those seen before."""
    if t.shape[1] != width:
        raise ValueError(f"y has {t.shape[1]} features, but {width} were seen before: the target space is the same.")


def check_one_space(d: int, k: int) -> None:
    """Refuse the identity as a map between spaces of unequal width."""
    if d != k:
        raise ValueError(
            f'prior="identity" needs X and y of one width, but X has {d} features and y has {k}: '
            'use prior="orthogonal" or "zero".'
        )


def check_squares(x: Array, name: str) -> None:
    """Refuse data of a magnitude whose squares overflow or vanish in float64."""
    largest = peak(x) if namespace(x).finfo(x.dtype).bits == 64 else 0.0
    if largest and abs(_exponent(largest)) > _SQUARES_SAFE:
        raise ValueError(
            f"{name} has magnitudes up to {largest:.3g}, whose squares leave the range of float64. Divide {name} by "
            "that number."
        )


def check_varies(variance: float, name: str) -> None:
    """Refuse a cloud without any spread where its shape is asked for."""
    if not variance > 0:
        raise ValueError(f"{name} has no spread: all rows are equal, and have no shape. Pass rows that differ.")


def _check_group_values(groups: Any, n: int) -> np.ndarray:
    if groups is None:
        return np.zeros(n, dtype=np.int64)
    values = column_or_1d(to_numpy(groups) if is_foreign(groups) else groups)
    if values.shape[0] != n:
        raise ValueError(f"Found {values.shape[0]} groups for {n} rows: pass one for each row of X.")
    return values


def _check_host(X: Any, name: str, min_samples: int) -> np.ndarray:
    if isinstance(X, np.ndarray) and X.dtype == np.float16:
        X = X.astype(np.float32)
    return check_array(
        X,
        dtype=[np.float64, np.float32],
        ensure_all_finite=False,
        ensure_min_samples=min_samples,
        input_name=name,
    )


def _check_foreign(X: Array, name: str, min_samples: int) -> Array:
    if is_sparse(X):
        raise TypeError(f"Sparse data was passed as {name}, but dense data is required: centring fills it anyway.")
    xp = namespace(X)
    if X.ndim != 2:
        raise ValueError(f"Expected 2D array, got {X.ndim}D array instead. Reshape {name} to (n_samples, n_features).")
    if xp.isdtype(X.dtype, "complex floating"):
        raise ValueError(f"Complex data not supported: {name} has dtype {X.dtype}.")
    for size, minimum, what in ((X.shape[0], min_samples, "sample"), (X.shape[1], 1, "feature")):
        if size < minimum:
            raise ValueError(
                f"Found array with {size} {what}(s) (shape={tuple(X.shape)}) while a minimum of {minimum} is required."
            )
    return X if is_real_floating(X) and xp.finfo(X.dtype).bits >= 32 else widen(X)


def _check_blocks(blocks: Iterator[Any], scale_free: bool) -> Iterator[Array]:
    like, exponent = None, None
    for block in blocks:
        x, largest = _checked(block, "a block of X", 1)
        if like is not None:
            check_same_kind(x, like, ("a block of X", "the block before"))
        like = x[:1, :]
        if excess_exponent(x, largest):
            x = float64(x)
        if exponent is None and largest:
            exponent = _excess(_exponent(largest), scale_free)
        yield times_power_of_two(x, -exponent) if exponent else x


def _excess(exponent: int, scale_free: bool) -> int:
    """Return by which power of two blocks are divided: none, or all of it, or what is beyond the safe range."""
    beyond = max(0, exponent - _SQUARES_SAFE) + min(0, exponent + _SQUARES_SAFE)
    return exponent if beyond and scale_free else beyond


def _listed(values: list[Any], most: int = 8) -> str:
    """Name the first of the values."""
    return ", ".join(map(repr, values[:most])) + (f" and {len(values) - most} more" if len(values) > most else "")


def _has_strings(values: np.ndarray) -> bool:
    return any(isinstance(v, str | bytes) for v in values.ravel().tolist())


def _warn_of_labels(y: Any, targets: Array) -> None:
    """Warn of one column of integers where target embeddings are expected."""
    if targets.shape[1] > 1:
        return
    values = y if is_foreign(y) else np.asarray(y)
    if namespace(values).isdtype(values.dtype, ("integral", "bool")):
        warnings.warn(
            "y is one column of integers and looks like class labels, but an aligner takes y as the space to map "
            "X to. In a Pipeline with labels, pass FrozenEstimator(aligner.fit(X_pairs, Y_pairs)) as the step.",
            UserWarning,
            stacklevel=5,
        )


def _moved(values: Array, like: Array) -> Array:
    """Return an array of another library or device where the other one is, in float64."""
    return asarray_like(to_numpy(values), like, dtype=namespace(like).float64)


def _is_missing(value: Any) -> bool:
    try:
        return value is None or bool(value != value)
    except TypeError:  # pandas.NA answers no comparison
        return True


def _checked(X: Any, name: str, min_samples: int) -> tuple[Array, float]:
    """Return X as a finite array of float32 or float64, and its largest magnitude."""
    if isinstance(X, Iterator):
        raise ValueError(f"{name} is an iterator, but all rows are needed at once: pass one array, or concatenate it.")
    x = (_check_foreign if is_foreign(X) else _check_host)(X, name, min_samples)
    largest = peak(x)
    if not isfinite(largest):
        raise ValueError(
            f"Input {name} contains {'NaN' if isnan(largest) else 'infinity'}. Expected finite numbers only: drop or "
            f"replace the rows concerned before passing {name}."
        )
    return x, largest


def _exponent(largest: float) -> int:
    return ceil(log2(largest))
