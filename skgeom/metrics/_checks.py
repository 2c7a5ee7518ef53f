"""Checks of the arguments that only measures and scorers have."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from sklearn.utils import check_random_state

from skgeom._array import (
    decomposed,
    epsilon,
    float64,
    is_foreign,
    is_torch_generator,
    kind_of,
    namespace,
    no_room,
    place,
    to_float,
)
from skgeom._cloud import Blocks, Cloud, TooLarge
from skgeom._core._labels import Labels, Parts, labels_of, parts_of
from skgeom._core._rows import DirectedRows
from skgeom._core._two_clouds import gaussian_divergence, histogram_divergence
from skgeom._typing import Array
from skgeom._validation import (
    as_given,
    check_choice,
    check_classes,
    check_cloud,
    check_column_order,
    check_count,
    check_directed,
    check_host,
    check_in_ball,
    check_labels,
    check_numbers,
    check_positions,
    check_same_kind,
    check_several,
    check_temperature,
    has_checked_rows,
    label_codes,
)

Density: TypeAlias = Literal["gaussian", "histogram"]
"""The distribution that a sample represents."""


def check_divergence(method: Any, bins: Any) -> Callable[[Array, Array], Array]:
    """Return the function of two samples that estimates KL(P ‖ Q) by a method.

    Raises
    ------
    TypeError
        If the number of bins is not an integer.
    ValueError
        If the method is unknown, or there are fewer than two bins.
    """
    check_choice(method, get_args(Density), "method")
    bins = check_count(bins, "bins", 2)
    return gaussian_divergence if method == "gaussian" else partial(histogram_divergence, bins=bins)


def check_batch_labels(labels: Any, n: int) -> Labels:
    """Return the labels of the n rows of a batch, sorted by class; one class, or one class per row, is allowed."""
    if not isinstance(labels, Labels):
        return labels_of(check_classes(labels, n)[1])
    if labels.codes.shape[0] != n:
        raise ValueError(f"Found {labels.codes.shape[0]} labels for {n} rows: pass one per row.")
    return labels


def parts_of_classes(X: Any, labels: Any, codes: np.ndarray) -> Parts | None:
    """Return the parts of classes in blocks of rows.

    None if a class would be missing without a block, or labels invalid, or the rows need another scale there.
    """
    blocks = X if isinstance(X, Blocks) else Blocks(X, codes)
    if not has_checked_rows(blocks.rest[0]):
        return None
    parts = parts_of(check_labels(labels, codes.size), codes)
    return parts if parts.have_all_classes else None


def rows_to_send(values: Any, device: str, name: str = "X") -> Any:
    """Check rows to move to a device: an array of two or three dimensions, or blocks; vectors stay on the host.

    Raises
    ------
    ValueError
        If they are not on the host.
    """
    if isinstance(values, Cloud):
        raise ValueError(f"device={device!r} is for rows on the host, but {name} is {type(values).__name__}.")
    if isinstance(values, Iterator):
        return (rows_to_send(block, device, f"a block of {name}") for block in values)
    if np.ndim(values) < 2:
        return values
    check_host(values, device)
    return values if np.ndim(values) == 3 else check_cloud(values, name=name, min_samples=1)


def sent(rows: Any, device: str) -> Any:
    """Return rows on a device, and anything with fewer dimensions unchanged."""
    if isinstance(rows, Iterator):
        return (sent(block, device) for block in rows)
    return place(np.asarray(rows), device) if np.ndim(rows) > 1 else rows


def sent_in_parts(rows: Any, device: str) -> Any:
    """Return rows, to move in parts to a device that has no room for all of them, for sums.

    Raises
    ------
    MemoryError
        If they come in blocks or in pairs.
    """
    if isinstance(rows, Iterator) or np.ndim(rows) == 3:
        raise no_room(device, "a block of rows does not fit")
    return TooLarge(rows, device) if np.ndim(rows) == 2 else rows


def check_learnt_temperature(value: Any, x: Array) -> float | Array:
    """Return a temperature from 1e-30 to 1e30 as a float, or as a 0-d array of the library and dtype of the rows x.

    Raises
    ------
    TypeError
        If it is neither a number nor an array with one entry of the library of x.
    ValueError
        If it is out of these bounds.
    """
    if not is_foreign(value):
        return check_temperature(value)
    xp = namespace(x)
    if namespace(value) is not xp or math.prod(value.shape) != 1:
        raise TypeError(
            f"temperature must be a number, or an array with one entry of the library of X ({kind_of(x)}), got one of "
            f"shape {tuple(value.shape)} ({kind_of(value)})."
        )
    check_temperature(to_float(xp.reshape(value, ())))
    return xp.astype(xp.reshape(value, ()), x.dtype)


def check_one_row_per_class(C: Array, n_classes: int) -> None:
    """Check that there is one direction per class."""
    if C.shape[0] != n_classes:
        raise ValueError(
            f"C has {C.shape[0]} rows, but the labels have {n_classes} classes: pass one row per class, in the "
            "sorted order of the classes."
        )


def check_random(random_state: Any) -> Any:
    """Return a generator of random numbers, of NumPy or Torch, from a seed, a generator, or None for a fresh one.

    Raises
    ------
    ValueError
        If it is something else.
    """
    if isinstance(random_state, np.random.Generator) or is_torch_generator(random_state):
        return random_state
    try:
        return check_random_state(random_state)
    except ValueError as error:
        raise ValueError(
            f"random_state must be None, an integer, or a generator of NumPy or Torch, got {random_state!r}."
        ) from error


def check_covariance(
    covariance: Any,
    like: Array | None = None,
    *,
    scale_free: bool = False,
    name: str = "covariance",
    definite: bool = True,
) -> Array:
    """Return a symmetric positive semi-definite matrix (d, d) in float64; `definite` checks its eigenvalues, in O(d³).

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
    if definite and to_float(xp.min(decomposed("eigvalsh", c))) < -slack * d:
        raise ValueError(f"{name} has a negative eigenvalue: a covariance is positive semi-definite.")
    return c


def check_fractions(values: Any, name: str) -> np.ndarray:
    """Return a number from 0 to 1, or a list of them, as `check_numbers` does."""
    fractions = check_numbers(values, name)
    if fractions.min() < 0 or fractions.max() > 1:
        raise ValueError(f"{name} must lie between 0 and 1, got {values!r}.")
    return fractions


def check_cutoffs(k: Any) -> list[int]:
    """Return a positive integer, or several of them, as a list that is not empty."""
    counts = [check_count(one, "k") for one in (k if np.iterable(k) else [k])]
    if not counts:
        raise ValueError("k is empty: pass a number of candidates, or several of them.")
    return counts


def check_neighbours(k: Any, n_candidates: int) -> int:
    """Return a number of neighbours, from 1 to the number of candidates, as an int."""
    count = check_count(k, "k")
    if count > n_candidates:
        raise ValueError(
            f"k={count} neighbours were requested, but each row has {n_candidates} candidates (a row is not a "
            f"neighbour of itself): pass k={n_candidates} or less, or more rows."
        )
    return count


def check_relevant(relevant: Any, n: int, n_candidates: int) -> np.ndarray:
    """Return the pairs (p, 2) of a query and a relevant candidate, sorted and without duplicates.

    Raises
    ------
    TypeError
        If they are not integers.
    ValueError
        If there are no pairs, their shape is neither (n,) nor (p, 2), one is out of range, or `relevant` is
        None and the numbers of queries and candidates differ.
    """
    if relevant is None:
        if n != n_candidates:
            raise ValueError(
                f"X has {n} rows and Y has {n_candidates}, so row i of X cannot belong to row i of Y: pass relevant=, "
                "the row of Y that belongs to each row of X, or pairs of rows."
            )
        return np.stack([np.arange(n)] * 2, axis=1)
    given = np.asarray(as_given(relevant, "relevant"))
    if given.shape != (n,) and not (given.ndim == 2 and given.shape[0] and given.shape[1] == 2):
        raise ValueError(
            f"relevant has shape {given.shape}, expected ({n},), one row of Y for each row of X, or (n_pairs, 2), "
            "pairs of a row of X and a row of Y."
        )
    queries, candidates = (np.arange(n), given) if given.ndim == 1 else given.T
    remedy = " Leave out queries without a relevant candidate by passing pairs."
    check_positions(queries, n, "relevant", remedy=remedy)
    check_positions(candidates, n_candidates, "relevant", of="Y", remedy=remedy)
    return np.unique(np.stack([queries, candidates], axis=1), axis=0).astype(np.int64)


def check_graded(relevant: Any, grades: Any, n: int, n_candidates: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs (p, 2) of a query and a relevant candidate, sorted and without duplicates, and their grades.

    Raises
    ------
    TypeError
        If grades are not numbers.
    ValueError
        As in `check_relevant`, or if grades do not fit the pairs, one is negative, none is above 0, or a pair occurs
        twice.
    """
    pairs = check_relevant(relevant, n, n_candidates)
    if grades is None:
        return pairs, np.ones(len(pairs))
    given = pairs if relevant is None else np.asarray(as_given(relevant, "relevant"))
    given = np.stack([np.arange(n), given], axis=1) if given.ndim == 1 else given
    values = check_numbers(grades, "grades")
    if values.shape != (len(given),):
        raise ValueError(f"grades has shape {values.shape}, expected ({len(given)},), one for each relevant candidate.")
    if len(pairs) < len(given):
        raise ValueError("relevant contains a pair twice, with two grades: pass each pair once.")
    if values.min() < 0 or values.max() == 0:
        raise ValueError(
            f"grades must be at least 0, and one of them positive, got {values.min():g} to {values.max():g}."
        )
    return pairs, values[np.lexsort((given[:, 1], given[:, 0]))]


def pairs_of_one_kind(relevant: Any, n: int) -> np.ndarray:
    """Return the pairs (p, 2) of rows with equal values: a sample may be the partner of several others.

    Raises
    ------
    ValueError
        If the numbers of values and rows differ, or a value is missing.
    """
    values = np.asarray(as_given(relevant, "relevant"))
    if values.shape != (n,):
        raise ValueError(
            f"relevant has shape {values.shape}, expected ({n},): pass one value per row, equal for rows that are "
            "relevant to each other, such as the image number of each caption. For positions call retrieval_score."
        )
    codes = label_codes(values, n, "relevant")
    members = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    return np.concatenate([np.stack(np.meshgrid(m, m, indexing="ij"), axis=-1).reshape(-1, 2) for m in members])


def check_modalities(modalities: Any, min_samples: int = 2) -> list[DirectedRows]:
    """Return the rows of several modalities in one space, as `check_directed` does.

    Raises
    ------
    ValueError
        If they are not at least two matrices, or as in `check_directed` and `check_same_kind`.
    """
    sides = check_several(modalities, "modalities", "modality", "[images, texts]")
    names = [f"modalities[{i}]" for i in range(len(sides))]
    rows = [check_directed(side, name=n, min_samples=min_samples) for side, n in zip(sides, names, strict=True)]
    for given, side, name in zip(sides, rows, names, strict=True):
        check_same_kind(rows[0].x, side.x, (names[0], name))
        check_column_order(sides[0], given, (names[0], name))
    return rows


def check_ball(X: Any) -> Array:
    """Return points of the Poincaré ball (n, d) in float64.

    Raises
    ------
    ValueError
        If X is not a finite matrix, or a row is of length 1 or more.
    """
    x = float64(check_cloud(X))
    check_in_ball(x)
    return x


def check_distances(X: Any, *, scale_free: bool) -> Array:
    """Return distances (n, n) in float64, in another unit if they are `scale_free` and their squares leave its range.

    Raises
    ------
    ValueError
        If X is not a finite square matrix that is symmetric, up to rounding, at least 0, and 0 on the diagonal.
    """
    d = check_cloud(X, scale_free=scale_free)
    xp = namespace(d)
    if d.shape[0] != d.shape[1]:
        raise ValueError(f'metric="precomputed" expects a square matrix of distances, got shape {tuple(d.shape)}.')
    slack = 64 * epsilon(d) * to_float(xp.max(xp.abs(d)))
    if to_float(xp.min(d)) < -slack or to_float(xp.max(xp.abs(d - d.T))) > slack:
        raise ValueError('metric="precomputed" expects a symmetric matrix of distances, at least 0.')
    if to_float(xp.max(xp.abs(xp.linalg.diagonal(d)))) > slack:
        raise ValueError('metric="precomputed" expects 0 on the diagonal: convert similarities s to distances 1 - s.')
    return float64(d)


def check_judgements(y: Any, n: int) -> np.ndarray:
    """Return the judgement of each of n pairs (n,), in float64.

    Raises
    ------
    TypeError
        If they are not numbers.
    ValueError
        If their number is not that of the pairs, one is not finite, or all are equal.
    """
    judgements = check_numbers(y, "y")
    if judgements.shape != (n,):
        raise ValueError(f"y has shape {judgements.shape}, expected ({n},): pass one judgement per pair of X.")
    if (judgements == judgements[0]).all():
        raise ValueError(f"All {n} judgements in y are {judgements[0]:g}: pass at least two different values.")
    return judgements


def check_steps(estimator: Any) -> None:
    """Check that an estimator has steps, since one of them is requested by name."""
    if not hasattr(estimator, "steps"):
        raise ValueError(f'step names a step of a Pipeline, but the estimator is {estimator!r}: use step="auto".')
