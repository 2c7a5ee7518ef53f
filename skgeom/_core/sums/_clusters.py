"""Functions of labels and a cloud, from sums over classes in O(n k d).

Rows are processed in order of class, so the indicator matrix of a block covers only the classes in it and class sums
are matrix products for any number of classes. All is computed in float64, block by block: distances between close
classes far from the origin are small differences of large numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import numpy as np

from skgeom._array import (
    asarray_like,
    device_of,
    float64,
    namespace,
    one_hot,
    row_blocks,
    sqrt_in_place,
    take_rows,
    vecdot,
    where,
)
from skgeom._core._labels import Labels, PerRow, silhouettes, unsorted
from skgeom._core._threads import in_threads
from skgeom._typing import Array

_DUPLICATE = float(1024 * np.finfo(np.float64).eps ** 2)
"""Squared distances below this share of the squared norm of a row are rounding, and count as 0."""


_R = TypeVar("_R")


class ClassMoments(NamedTuple):
    """Size (k,), mean (k, d) and within-class scatter (k,) = Σ ‖x - mean‖² of each class, in float64."""

    n: Array
    mean: Array
    within: Array


class _ClassBlock(NamedTuple):
    """Rows (b, d) in float64 in order of class, their codes (b,), and the range of classes among them."""

    x: Array
    codes: Array
    first: int
    last: int


def class_moments(x: Array, labels: Labels, prepare: Callable[[Array], Array] = float64) -> ClassMoments:
    """Return the moments of each class of prepared rows, in one pass: sums around its first row.

    That row is one of the class, with a squared distance of at most `within` to the mean: the sum around it is at most
    n + 1 times as large, and about twice for most rows.
    """
    first = np.cumsum(labels.sizes) - labels.sizes
    pivot = prepare(float64(take_rows(x, labels.order[first])))
    n = asarray_like(labels.sizes, pivot)

    def shifted_with_squares(block: _ClassBlock) -> tuple[Array, Array]:
        shifted = block.x - _of_class(block, pivot)
        return shifted, vecdot(shifted, shifted)[:, None]

    sums = _class_sums(x, labels, prepare, shifted_with_squares)
    slack = sums[:, :-1] / n[:, None]
    mean, within = pivot + slack, sums[:, -1] - n * vecdot(slack, slack)
    return ClassMoments(n, mean, where(within > _DUPLICATE * n * vecdot(mean, mean), within, 0.0))


def calinski_harabasz(m: ClassMoments) -> Array:
    """Return the ratio of the between- to the within-class variance; 1 if no class has any spread."""
    xp = namespace(m.mean)
    k, n = m.n.shape[0], xp.sum(m.n)
    centre = xp.sum(m.mean * m.n[:, None], axis=0) / n
    between = xp.sum(m.n * xp.sum((m.mean - centre) ** 2, axis=1))
    within = xp.sum(m.within)
    spread = within > 0
    return where(spread, between * (n - k) / (where(spread, within, 1.0) * (k - 1)), 1.0)


def davies_bouldin(x: Array, labels: Labels) -> Array:
    """Return the mean over classes of the largest (s + s') / ‖μ - μ'‖, with s the mean distance of a class to its mean.

    It is infinite if two classes have the same mean.
    """
    m, xp = class_moments(x, labels), namespace(x)

    def between(rows: slice) -> Array:
        """Return the distances, summed without cancellation."""
        return sqrt_in_place(xp.sum((m.mean[rows, :][:, None, :] - m.mean[None, :, :]) ** 2, axis=2))

    return mean_largest_overlap(m.mean, _mean_distances(x, labels, m), between)


def mean_largest_overlap(means: Array, spread: Array, between: Callable[[slice], Array]) -> Array:
    """Return the mean over classes of the largest (s + s') / d, from the distances between some means and all."""
    xp, (k, d) = namespace(means), means.shape
    classes, parts = xp.arange(k, device=device_of(means)), []
    for rows in row_blocks(means, columns=k * d):
        is_own = classes[rows][:, None] == classes[None, :]
        distance = between(rows)
        apart = distance > 0
        overlap = (spread[rows][:, None] + spread[None, :]) / where(apart, distance, 1.0)
        parts.append(xp.max(where(is_own, 0.0, where(apart, overlap, xp.inf)), axis=1))
    return xp.mean(xp.concat(parts))


def squared_silhouette_samples(
    x: Array, labels: Labels, prepare: Callable[[Array], Array] = float64, of: PerRow = silhouettes
) -> Array:
    """Return the silhouettes under squared Euclidean distances of prepared rows, exactly, without pairs.

    `of` can be another function of the distances to classes.

    The mean squared distance of x to a class is ‖x - μ‖² + V, with V the mean squared distance of the class to μ.
    On unit rows this is the silhouette under the cosine distance, which is half the squared one.
    """
    xp = namespace(x)
    m = class_moments(x, labels, prepare)
    centre = xp.mean(m.mean, axis=0)
    mu = m.mean - centre
    spread = m.within / m.n
    offset = vecdot(mu, mu) + spread

    def samples(block: _ClassBlock) -> Array:
        own, other = _own_and_other(block, block.x - centre, m, mu, spread, offset)
        noise = _DUPLICATE * vecdot(block.x, block.x)
        return of(own, other, xp.take(m.n, block.codes), noise)

    return unsorted(xp.concat(_of_class_blocks(x, labels, prepare, samples)), labels)


def _mean_distances(x: Array, labels: Labels, m: ClassMoments) -> Array:
    """Return the mean distance of the rows of each class to its mean (k,)."""

    def distances(block: _ClassBlock) -> tuple[Array]:
        centred = block.x - _of_class(block, m.mean)
        return (sqrt_in_place(vecdot(centred, centred))[:, None],)

    return _class_sums(x, labels, float64, distances)[:, 0] / m.n


def _own_and_other(
    block: _ClassBlock, centred: Array, m: ClassMoments, mu: Array, spread: Array, offset: Array
) -> tuple[Array, Array]:
    """Return the mean squared distances of the rows of a block to their own class and to the nearest other.

    The product form finds the nearest; the distance itself is summed without cancellation.
    """
    xp = namespace(centred)
    size = xp.take(m.n, block.codes)

    def squares(means: Array) -> Array:
        apart = centred - means
        return vecdot(apart, apart)

    to_own = squares(_of_class(block, mu)) + xp.take(spread, block.codes)
    to_all = xp.clip(vecdot(centred, centred)[:, None] - 2 * (centred @ mu.T) + offset, min=0.0)
    is_own = one_hot(block.codes, mu.shape[0], centred) > 0
    nearest = xp.argmin(where(is_own, xp.inf, to_all), axis=1)
    to_nearest = squares(xp.take(mu, nearest, axis=0)) + xp.take(spread, nearest)
    return to_own * size / xp.clip(size - 1, min=1.0), to_nearest


def _of_class(block: _ClassBlock, values: Array) -> Array:
    """Return the row of each class (k, d) beside the rows of a block (b, d), or one row if these are of one class."""
    if block.last == block.first + 1:
        return values[block.first : block.last, :]
    return namespace(values).take(values, block.codes, axis=0)


def _of_class_blocks(
    x: Array, labels: Labels, prepare: Callable[[Array], Array], function: Callable[[_ClassBlock], _R]
) -> list[_R]:
    """Apply a function to each block of prepared rows in order of class, in several threads."""
    xp = namespace(x)
    blocks = list(row_blocks(x, columns=2 * max(x.shape[1], labels.sizes.shape[0])))

    def one(i: int) -> _R:
        codes = labels.codes[blocks[i]]
        rows = prepare(float64(take_rows(x, labels.order[blocks[i]])))
        return function(_ClassBlock(rows, asarray_like(codes, x, dtype=xp.int64), int(codes[0]), int(codes[-1]) + 1))

    return in_threads(x, one, len(blocks))


def _class_sums(
    x: Array, labels: Labels, prepare: Callable[[Array], Array], values: Callable[[_ClassBlock], tuple[Array, ...]]
) -> Array:
    """Return the sums over each class of the values (b, m) of each block, in arrays whose sums stand side by side.

    Rows are in order of class: only the last class of a block can continue in the next.
    """
    xp = namespace(x)

    def sums_of(block: _ClassBlock) -> tuple[int, Array]:
        indicator = one_hot(block.codes - block.first, block.last - block.first, block.x).T
        return block.first, xp.concat([indicator @ summands for summands in values(block)], axis=1)

    (_, carry), *rest = _of_class_blocks(x, labels, prepare, sums_of)
    done, end = [], carry.shape[0]
    for first, sums in rest:
        goes_on = first < end
        done.append(carry[:-1, :] if goes_on else carry)
        carry = xp.concat([carry[-1:, :] + sums[:1, :], sums[1:, :]]) if goes_on else sums
        end = first + sums.shape[0]
    return xp.concat([*done, carry])
