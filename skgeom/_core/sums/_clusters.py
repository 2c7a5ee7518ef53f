"""Functions of labels and a cloud, from sums over classes in O(n k d).

Rows are processed in order of class, so the indicator matrix of a block covers only the classes in it and class sums
are matrix products for any number of classes. All is computed in float64, block by block: distances between close
classes far from the origin are small differences of large numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from skgeom._array import (
    asarray_like,
    device_of,
    float64,
    namespace,
    numbers,
    one_hot,
    ratio,
    row_blocks,
    sqrt_in_place,
    take_rows,
    vecdot,
    where,
)
from skgeom._core._jackknife import merged_without_each
from skgeom._core._labels import Labels, Parts, PerRow, silhouettes, unsorted
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

    def merge(self, other: ClassMoments) -> ClassMoments:
        """Return the moments of each class with disjoint sets of rows; those of no rows are zeros."""
        n, apart = self.n + other.n, other.mean - self.mean
        share = ratio(other.n, n)
        within = self.within + other.within + self.n * share * vecdot(apart, apart)
        return ClassMoments(n, self.mean + share[:, None] * apart, within)

    def without_rounding(self) -> ClassMoments:
        """Return the moments with 0 for scatters that are rounding."""
        is_spread = self.within > _DUPLICATE * self.n * vecdot(self.mean, self.mean)
        return self._replace(within=where(is_spread, self.within, 0.0))


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
    return ClassMoments(n, pivot + slack, sums[:, -1] - n * vecdot(slack, slack)).without_rounding()


def class_moments_without(x: Array, parts: Parts) -> Iterator[ClassMoments]:
    """Yield the moments of each class outside each block of rows, and then those of all rows, from one pass."""
    m, n_blocks = class_moments(x, parts.labels), parts.sizes.shape[1]
    blocks = [ClassMoments(*(_in_block(values, parts, block) for values in m)) for block in range(n_blocks)]
    return (one.without_rounding() for one in merged_without_each(blocks, ClassMoments.merge))


def calinski_harabasz(m: ClassMoments) -> Array:
    """Return the ratio of the between- to the within-class variance; 1 if no class has any spread."""
    xp = namespace(m.mean)
    k, n = m.n.shape[0], xp.sum(m.n)
    centre = xp.sum(m.mean * m.n[:, None], axis=0) / n
    between = xp.sum(m.n * xp.sum((m.mean - centre) ** 2, axis=1))
    within = xp.sum(m.within)
    spread = within > 0
    return where(spread, between * (n - k) / (where(spread, within, 1.0) * (k - 1)), 1.0)


def calinski_harabasz_without(x: Array, parts: Parts) -> np.ndarray:
    """Return the same outside each block of rows, and for all rows (b + 1,), on the host."""
    return numbers([calinski_harabasz(m) for m in class_moments_without(x, parts)])


def davies_bouldin(x: Array, labels: Labels) -> Array:
    """Return the mean over classes of the largest (s + s') / ‖μ - μ'‖, with s the mean distance of a class to its mean.

    It is infinite if two classes have the same mean.
    """
    m = class_moments(x, labels)
    sums = _class_sums(x, labels, float64, lambda block: (_distances_to(block, [m.mean]),))
    return _mean_overlap(m, sums[:, 0])


def davies_bouldin_without(x: Array, parts: Parts) -> np.ndarray:
    """Return the same outside each block of rows, and for all rows (b + 1,), on the host.

    One pass finds the means, and another one the distance of each row to that of its class without each block.
    """
    xp, n_blocks = namespace(x), parts.sizes.shape[1]
    without = list(class_moments_without(x, parts))
    of_part = np.flatnonzero(parts.sizes) // n_blocks
    class_of = asarray_like(of_part, x, dtype=xp.int64)

    def distances(block: _ClassBlock) -> tuple[Array]:
        first, last = int(of_part[block.first]), int(of_part[block.last - 1]) + 1
        of_classes = _ClassBlock(block.x, xp.take(class_of, block.codes), first, last)
        return (_distances_to(of_classes, [m.mean for m in without]),)

    sums = _class_sums(x, parts.labels, float64, distances)
    total = 0.0 * without[0].n[:, None]
    for block in range(n_blocks):
        total = total + _in_block(sums, parts, block) * asarray_like(np.arange(n_blocks + 1) != block, sums)
    return numbers([_mean_overlap(m, total[:, i]) for i, m in enumerate(without)])


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


def _mean_overlap(m: ClassMoments, sums: Array) -> Array:
    """Return the mean largest overlap of classes, given the sums (k,) of the distances of their rows to their means."""

    def between(rows: slice) -> Array:
        """Return the distances, summed without cancellation."""
        apart = m.mean[rows, :][:, None, :] - m.mean[None, :, :]
        return sqrt_in_place(namespace(apart).sum(apart**2, axis=2))

    return mean_largest_overlap(m.mean, sums / m.n, between)


def _distances_to(block: _ClassBlock, means: Sequence[Array]) -> Array:
    """Return the distances (b, m) of the rows of a block to the mean of their class, for m sets of means (k, d)."""

    def to(mean: Array) -> Array:
        centred = block.x - _of_class(block, mean)
        return sqrt_in_place(vecdot(centred, centred))

    return namespace(block.x).stack([to(mean) for mean in means], axis=1)


def _in_block(values: Array, parts: Parts, block: int) -> Array:
    """Return the values (k, ...) of the parts of the classes in a block, zeros for a class without rows there."""
    place, is_there = parts.place[:, block], parts.sizes[:, block] > 0
    taken = take_rows(values, place)
    return taken * asarray_like(is_there.reshape(-1, *[1] * (values.ndim - 1)), values, dtype=values.dtype)


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
