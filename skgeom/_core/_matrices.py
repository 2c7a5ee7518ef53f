"""Functions of labels and a matrix of distances in any space."""

from __future__ import annotations

import numpy as np

from skgeom._array import asarray_like, namespace, one_hot, sqrt_in_place, where
from skgeom._core._labels import Labels, PerRow, silhouettes, unsorted
from skgeom._typing import Array


def silhouette_samples(d: Array, labels: Labels, of: PerRow = silhouettes) -> Array:
    """Return the silhouettes (n,) from distances (n, n), or another function of the distances to classes."""
    xp, members, codes = namespace(d), _members(d, labels), _codes(d, labels)
    sizes = asarray_like(labels.sizes, d)
    sums = d @ members
    is_own = members > 0
    size = xp.take(sizes, codes)
    own = xp.sum(where(is_own, sums, 0.0), axis=1) / xp.clip(size - 1, min=1.0)
    other = xp.min(where(is_own, xp.inf, sums / sizes[None, :]), axis=1)
    return of(own, other, size, 0.0)


def dunn_index(d: Array, labels: Labels) -> Array:
    """Return the smallest distance between classes over the largest within one; inf if no class has any extent."""
    xp, codes = namespace(d), _codes(d, labels)
    same = codes[:, None] == codes[None, :]
    return gap_over_extent(xp.min(where(same, xp.inf, d)), xp.max(where(same, d, 0.0)))


def gap_over_extent(gap: Array, extent: Array) -> Array:
    """Return the ratio; inf without an extent."""
    return where(extent > 0, gap / where(extent > 0, extent, 1.0), namespace(gap).inf)


def square_sums(d: Array, labels: Labels) -> Array:
    """Return the sums (k, k) of the squared distances from the rows of each class to those of each."""
    members = _members(d, labels)
    return members.T @ ((d * d) @ members)


def pseudo_f(sums: Array, sizes: np.ndarray) -> Array:
    """Return Anderson's pseudo-F from sums of squared distances (k, k).

    The squared distances of a class to its mean sum to those of its ordered pairs over twice its size.
    """
    xp = namespace(sums)
    within = xp.sum(xp.linalg.diagonal(sums) / (2 * asarray_like(sizes, sums, dtype=xp.float64)))
    return variance_ratio(xp.sum(sums), within, sizes)


def variance_ratio(total: Array, within: Array, sizes: np.ndarray) -> Array:
    """Return (SS_b / (k - 1)) / (SS_w / (n - k)) from the sum of the squared distances of all ordered pairs, and SS_w.

    It is 1 if no class has any spread.
    """
    n, k = int(sizes.sum()), sizes.shape[0]
    between = total / (2 * n) - within
    spread = within > 0
    return where(spread, between * (n - k) / (where(spread, within, 1.0) * (k - 1)), 1.0)


def energy_davies_bouldin(sums: Array, sizes: np.ndarray) -> Array:
    """Return the Davies-Bouldin index of root mean square distances to the class means, from sums (k, k).

    Squared distances of means and of classes to their means follow from those of pairs, as for rows in a Euclidean
    space; for other distances, negative squares count as 0. It is inf if two classes have the same mean.
    """
    xp, n = namespace(sums), asarray_like(sizes, sums, dtype=namespace(sums).float64)
    means = sums / (n[:, None] * n[None, :])
    spread = xp.linalg.diagonal(means) / 2
    gaps = sqrt_in_place(xp.clip(means - spread[:, None] - spread[None, :], min=0.0))
    reach = sqrt_in_place(spread)
    overlap = reach[:, None] + reach[None, :]
    apart = gaps > 0
    own = xp.eye(sizes.shape[0], dtype=sums.dtype) > 0
    ratios = where(apart, overlap / where(apart, gaps, 1.0), xp.inf)
    return xp.mean(xp.max(where(asarray_like(own, sums, dtype=xp.bool), -xp.inf, ratios), axis=1))


def _codes(d: Array, labels: Labels) -> Array:
    return unsorted(asarray_like(labels.codes, d, dtype=namespace(d).int64), labels)


def _members(d: Array, labels: Labels) -> Array:
    return one_hot(_codes(d, labels), labels.sizes.shape[0], d)
