"""Equal rows in O(n d): candidates by hashes of their bits, then compared."""

from __future__ import annotations

import numpy as np

from skgeom._array import asarray_like, bits_of, namespace, row_blocks, take_rows, to_numpy
from skgeom._typing import Array

_GLANCE = 16
"""Columns in which most rows differ."""


def first_equal(x: Array) -> np.ndarray:
    """Return the position of the first row that is equal to each row (n,), on the host; -0 equals 0."""
    firsts, glance = np.arange(x.shape[0]), min(_GLANCE, x.shape[1])
    rows = _repeated(_codes(x[:, :glance], firsts))
    if not rows.size:
        return firsts
    for columns in (glance, x.shape[1]):
        _, first, group = np.unique(_codes(x[:, :columns], rows), return_index=True, return_inverse=True)
        if _are_equal(x, rows, rows[first[group]]):
            break
    else:  # different rows with the same code
        same = to_numpy(take_rows(x, rows)) + 0.0
        _, first, group = np.unique(same, axis=0, return_index=True, return_inverse=True)
    firsts[rows] = rows[first[group.ravel()]]
    return firsts


def _codes(x: Array, which: np.ndarray) -> np.ndarray:
    """Return a hash of each of some rows that depends only on its bits, ignoring the signs of zeros."""
    xp = namespace(x)
    mixed = np.arange(1, 2 * x.shape[1], 2, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    odd = mixed ^ (mixed >> np.uint64(29)) | np.uint64(1)
    factors = asarray_like(odd.view(np.int64), x, dtype=xp.int64)
    parts = []
    for block in row_blocks(which[:, None], columns=x.shape[1]):
        bits = xp.astype(bits_of(take_rows(x, which[block]) + 0.0), xp.int64, copy=False)
        parts.append(to_numpy(xp.sum(bits * factors, axis=1)))
    return np.concatenate(parts)


def _repeated(codes: np.ndarray) -> np.ndarray:
    """Return the positions, in order, of the codes that occur more than once."""
    order = np.argsort(codes, kind="stable")
    same = np.diff(codes[order]) == 0
    return np.sort(order[np.append(same, False) | np.append(False, same)])


def _are_equal(x: Array, i: np.ndarray, j: np.ndarray) -> bool:
    """Return whether rows i of x equal rows j."""
    xp = namespace(x)
    parts = row_blocks(i[:, None], columns=x.shape[1])
    return all(bool(xp.all(take_rows(x, i[part]) == take_rows(x, j[part]))) for part in parts)
