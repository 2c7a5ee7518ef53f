"""Labels of rows, sorted by class, and what a silhouette is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from skgeom._array import namespace, take_rows, where
from skgeom._typing import Array


class Labels(NamedTuple):
    """Class codes 0..k-1 sorted (n,), the order (n,) of the rows that sorts them, and class sizes (k,), on the host."""

    codes: np.ndarray
    order: np.ndarray
    sizes: np.ndarray


PerRow: TypeAlias = Callable[[Array, Array, Array, Array | float], Array]
"""What becomes of the mean distances of rows to the own and to the nearest other class, the size of the own, and noise.

It has an entry, or several in a row, for each row.
"""


def labels_of(codes: np.ndarray) -> Labels:
    """Sort integer codes 0..k-1."""
    order = np.argsort(codes, kind="stable")
    return Labels(codes[order], order, np.bincount(codes))


def unsorted(values: Array, labels: Labels) -> Array:
    """Return values, one or more per row, in order of class in the order of the rows."""
    return take_rows(values, np.argsort(labels.order, kind="stable"))


def silhouettes(own: Array, other: Array, size: Array, noise: Array | float) -> Array:
    """Return (b - a) / max(a, b) from the mean distances to the own and to the nearest other class.

    It is 0 in a class of one, and where both distances are below the noise.
    """
    xp = namespace(own)
    larger = xp.maximum(own, other)
    defined = (larger > noise) & (size > 1)
    return where(defined, (other - own) / where(defined, larger, 1.0), 0.0)


def own_and_other(own: Array, other: Array, size: Array, noise: Array | float) -> Array:
    """Return the mean distances (n, 2) to the own and to the nearest other class, 0 where they are below the noise."""
    return namespace(own).stack([where(distance > noise, distance, 0.0) for distance in (own, other)], axis=1)
