"""Labels of rows, sorted by class, and the formula of the silhouette."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from skgeom._array import namespace, take_rows, to_numpy, where
from skgeom._typing import Array


class Labels(NamedTuple):
    """Sorted class codes 0..k-1 (n,), the order (n,) of the rows that sorts them, and class sizes (k,), on the host."""

    codes: np.ndarray
    order: np.ndarray
    sizes: np.ndarray


class Parts(NamedTuple):
    """The rows of each class in each block, on the host: labels of the parts with rows, by class and block.

    `sizes` (k, b) are those of all parts, and `place` (k, b) are the positions of those with rows, and otherwise 0.
    """

    labels: Labels
    sizes: np.ndarray
    place: np.ndarray

    @property
    def left(self) -> np.ndarray:
        """The number of rows of each class outside each block (k, b)."""
        return self.sizes.sum(axis=1, keepdims=True) - self.sizes

    @property
    def have_all_classes(self) -> bool:
        """Whether all classes have rows outside each block, and one of them two."""
        left = self.left
        return left.min() > 0 and left.shape[0] < left.sum(axis=0).min()


PerRow: TypeAlias = Callable[[Array, Array, Array, Array | float], Array]
"""A function of the mean distances of rows to their own and to the nearest other class, the own size, and noise.

It returns one entry, or a row of several, per row.
"""


def labels_of(codes: np.ndarray) -> Labels:
    """Sort integer codes 0..k-1."""
    order = np.argsort(codes, kind="stable")
    return Labels(codes[order], order, np.bincount(codes))


def parts_of(labels: Labels, codes: np.ndarray) -> Parts:
    """Return the parts of classes in blocks of rows, given by the codes (n,) of the rows."""
    shape = labels.sizes.size, int(codes.max()) + 1
    found, part = np.unique(to_numpy(unsorted(labels.codes, labels)) * shape[1] + codes, return_inverse=True)
    parts = labels_of(part)
    sizes, place = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    sizes.flat[found], place.flat[found] = parts.sizes, np.arange(found.size)
    return Parts(parts, sizes, place)


def unsorted(values: Array, labels: Labels) -> Array:
    """Return values, one or more per row, in order of class in the order of the rows."""
    return take_rows(values, np.argsort(labels.order, kind="stable"))


def silhouettes(own: Array, other: Array, size: Array, noise: Array | float) -> Array:
    """Return (b - a) / max(a, b) from the mean distances to the own and to the nearest other class.

    It is 0 for a class of one row, and if both distances are below the noise.
    """
    xp = namespace(own)
    larger = xp.maximum(own, other)
    defined = (larger > noise) & (size > 1)
    return where(defined, (other - own) / where(defined, larger, 1.0), 0.0)


def own_and_other(own: Array, other: Array, size: Array, noise: Array | float) -> Array:
    """Return the mean distances (n, 2) to the own and to the nearest other class, 0 if they are below the noise."""
    return namespace(own).stack([where(distance > noise, distance, 0.0) for distance in (own, other)], axis=1)
