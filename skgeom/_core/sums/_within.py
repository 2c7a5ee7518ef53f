"""IsoScores within classes outside each block of rows: from the moments of a class, or the products of its few rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from skgeom._array import asarray_like, namespace, on_host, take_rows, where
from skgeom._core._labels import Parts
from skgeom._core.sums._blocks import centred_rows
from skgeom._core.sums._moments import part_of_fourth_moments, part_of_moments
from skgeom._core.sums._spectrum import (
    debiased_isoscore,
    isoscore,
    isoscore_of_traces,
    unbiased_squares,
    unclipped_isoscore,
)
from skgeom._typing import Array

_LEAST_LEFT = 1 / 16
"""Minimum share of a sum of squares in those that it is a difference of: it loses little more than a digit."""


def mean_isoscores_without(x: Array, parts: Parts, *, debias: bool) -> np.ndarray | None:
    """Return the mean IsoScore of classes outside each block of rows, and of all rows (b + 1,), on the host.

    None if nearly all the spread of a class is due to one block.
    """
    members = np.split(parts.labels.order, np.cumsum(parts.labels.sizes)[:-1])
    sizes = np.pad(parts.sizes, ((0, 0), (0, 1)))
    left = sizes.sum(axis=1, keepdims=True) - sizes
    rows = [[members[part] for part in place[size > 0]] for place, size in zip(parts.place, parts.sizes, strict=True)]
    scores, shares = np.empty(left.shape), np.empty(left.shape)
    for i, found in enumerate(on_host(*(_scores_and_shares(x, of_class, debias=debias) for of_class in rows))):
        for table, (*without, whole) in zip((scores, shares), found, strict=True):
            table[i] = whole
            table[i, sizes[i] > 0] = without
    if np.min(shares, where=left > 1, initial=1.0) < _LEAST_LEFT:
        return None
    return np.sum(scores * left, axis=0) / left.sum(axis=0)


def _scores_and_shares(x: Array, rows: Sequence[np.ndarray], *, debias: bool) -> Array:
    """Return the IsoScore of a class outside each of p parts, given by the positions of their rows, and of all.

    Beside it (2, p + 1) is the share of the squares around its mean in those of which others are subtracted.
    """
    is_thin = sum(part.size for part in rows) < x.shape[1]
    return (_from_products if is_thin else _from_moments)(x, rows, debias)


def _from_moments(x: Array, rows: Sequence[np.ndarray], debias: bool) -> Array:
    kernel: Any = part_of_fourth_moments if debias else part_of_moments
    parts = [kernel(x, part) for part in rows]
    whole = parts[0].merge(*parts[1:])
    score = debiased_isoscore if debias else isoscore
    left = [*map(whole.without, parts), whole]
    xp, nothing = namespace(x), 0.0 * whole.second.mean[0]
    scores = [score(m) if m.second.n > 1 else nothing for m in left]
    squares = [m.second.total_variance() * (m.second.n - 1) if m.second.n > 1 else nothing for m in left]
    return xp.stack([xp.stack(scores), _share(xp.stack(squares), squares[-1])])


def _from_products(x: Array, rows: Sequence[np.ndarray], debias: bool) -> Array:
    """Return the same from the products of the rows y around the mean of all.

    With s the sum of the products of a row with those that are left, and S that of the s, rows around the mean of the
    latter have the products ⟨y, y'⟩ - (s + s') / n + S / n².
    """
    xp, d = namespace(x), x.shape[1]
    centred = centred_rows(take_rows(x, np.concatenate(rows)), None)[2]
    products = centred @ centred.T
    part_of = np.repeat(np.arange(len(rows)), [part.size for part in rows])
    is_left = asarray_like(part_of[:, None] != np.arange(len(rows) + 1), products, dtype=products.dtype)
    n, own = xp.sum(is_left, axis=0), xp.linalg.diagonal(products)
    sums = (products @ is_left) * is_left
    total = xp.sum(sums, axis=0)
    t = own @ is_left - total / n
    f = xp.sum((products**2 @ is_left) * is_left, axis=0) - 2 / n * xp.sum(sums**2, axis=0) + (total / n) ** 2
    if debias:
        lengths = (own[:, None] - 2 / n * sums + total / n**2) * is_left
        squares = unbiased_squares(n, t / (n - 1), f / (n - 1) ** 2, xp.sum(lengths**2, axis=0) / (n - 1))
        scores = unclipped_isoscore(*squares, d)
    else:
        scores = isoscore_of_traces(t * t, f, d)
    return xp.stack([scores, _share(t, own @ is_left)])


def _share(part: Array, whole: Array) -> Array:
    """Return part / whole, and 1 if both are 0."""
    return where(whole > 0, part / where(whole > 0, whole, 1.0), 1.0)
