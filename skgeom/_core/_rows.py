"""Rows and their lengths: the basis of both engines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import NamedTuple, TypeAlias

import numpy as np

from skgeom._array import (
    SAFE_EXPONENTS,
    excess_exponent,
    float64,
    namespace,
    peak,
    ratio,
    row_blocks,
    rows_at,
    sqrt_in_place,
    times_power_of_two,
    to_float,
    vecdot,
    wants_gradient,
    where,
)
from skgeom._typing import Array, ForeignT

Which: TypeAlias = slice | np.ndarray
"""Some rows: consecutive ones, or those at positions on the host."""


def blocks_at(x: Array, index: np.ndarray | None, n_blocks: int = 1, least: int = 1) -> Iterator[Which]:
    """Cut the rows of x, or those at some positions, into blocks as `row_blocks` does; `rows_at` reads one."""
    blocks = row_blocks(x, n_blocks=n_blocks, least=least)
    if index is None:
        return blocks
    step = next(blocks).stop
    return (index[start : start + step] for start in range(0, index.size, step))


class DirectedRows(NamedTuple):
    """Nonzero rows x (n, d), and their norms (n,): the unit rows x / norms are not stored."""

    x: Array
    norms: Array

    def unit(self) -> Array:
        """Return the rows divided by their norms, through which gradients flow."""
        return self.x / self.norms[:, None]


def exact(rows: DirectedRows, block: Which) -> DirectedRows:
    """Return a block of rows with their norms in float64: reductions over such blocks keep all digits.

    Mean cosines in a narrow cone differ from 1 by less than the precision of a float32 norm.
    """
    x = float64(rows_at(rows.x, block))
    return DirectedRows(x, rows_at(rows.norms, block) if x.dtype == rows.x.dtype else norms(x))


def norms(x: Array) -> Array:
    """Return the Euclidean norms of the rows, with gradient 0 at a zero row."""
    xp, squares = namespace(x), vecdot(x, x)
    if not wants_gradient(squares):
        return xp.sqrt(squares)
    vanishes = squares == 0
    return where(vanishes, 0.0, xp.sqrt(where(vanishes, 1.0, squares)))


def shortest_exact(x: Array) -> float:
    """Return the length above which the squares of a row keep their precision."""
    info = namespace(x).finfo(x.dtype)
    return float(info.smallest_normal) ** 0.5 / float(info.eps)


def are_exact_lengths(x: Array, least: float, longest: float) -> bool:
    """Return whether the squares of rows of x from the shortest to the longest keep their precision."""
    return shortest_exact(x) <= least and longest <= 2.0 ** SAFE_EXPONENTS[namespace(x).finfo(x.dtype).bits][1]


def row_scaled(x: Array) -> Array:
    """Return each row divided by its largest magnitude, with the same direction; zero rows stay zero."""
    xp = namespace(x)
    largest = xp.max(xp.abs(x), axis=1, keepdims=True)
    x = where(largest < float(xp.finfo(x.dtype).smallest_normal), x * 2.0**64, x)
    return ratio(x, xp.max(xp.abs(x), axis=1, keepdims=True))


def orthonormal(gaussian: ForeignT) -> ForeignT:
    """Return uniformly distributed orthonormal columns from Gaussian ones, with signs that do not depend on LAPACK."""
    xp = namespace(gaussian)
    q, r = xp.linalg.qr(gaussian)
    return q * where(xp.linalg.diagonal(r) < 0, -1.0, xp.ones_like(q[0, :]))


def bounded(x: Array) -> Array:
    """Return rows, extremely long ones scaled down so that squares are safe; exponentials remain at their limits."""
    return _rescaled(x, max(excess_exponent(x, peak(x)), 0))


def _rescaled(x: Array, excess: int) -> Array:
    return times_power_of_two(x, -excess) if excess else x


def unit(x: Array) -> Array:
    """Return the rows divided by their norms."""
    return x / norms(x)[:, None]


def centred(x: Array, mean: Array) -> Array:
    """Return x - mean in the dtype of x, rounded once, for a mean in float64."""
    pivot = namespace(x).astype(mean, x.dtype)
    return (x - pivot) - namespace(x).astype(mean - float64(pivot), x.dtype)


def mean_of(x: Array) -> Array:
    """Return the mean of the rows in float64, exact for equal rows."""
    return mean_at(x, None)


class Spread(NamedTuple):
    """Number of rows, their mean (d,), and the sums (d,) of the squared distances to it."""

    n: float
    mean: Array
    squares: Array

    def merge(self, *others: Spread) -> Spread:
        """Return the sums of the union with disjoint sets of rows."""
        return reduce(Spread._merged, others, self)

    def _merged(self, other: Spread) -> Spread:
        n, delta = self.n + other.n, other.mean - self.mean
        squares = self.squares + other.squares + delta**2 * (self.n * other.n / n)
        return Spread(n, self.mean + delta * (other.n / n), squares)

    def without(self, part: Spread, rest: Sequence[Spread]) -> Spread:
        """Return the sums of the rows outside a part, from those of the rest."""
        return reduce(Spread._merged, rest)

    def deviations(self) -> Array:
        """Return the sample standard deviation of each feature (d,), with gradient 0 where it is 0."""
        return sqrt_in_place(self.squares / (self.n - 1))


def part_of_spread(x: Array, index: np.ndarray | None) -> Spread:
    """Return the sums of the squares of each feature over the rows at some positions, or all, in two passes."""
    xp, mean = namespace(x), mean_at(x, index)
    squares = sum(xp.sum((float64(rows_at(x, rows)) - mean) ** 2, axis=0) for rows in blocks_at(x, index))
    return Spread(x.shape[0] if index is None else index.size, mean, squares)


def mean_at(x: Array, index: np.ndarray | None, prepare: Callable[[Array], Array] = float64) -> Array:
    """Return the mean in float64 of the prepared rows at some positions, or of all, exact for equal rows."""
    xp, n = namespace(x), x.shape[0] if index is None else index.size
    first = prepare(rows_at(x, slice(1) if index is None else index[:1]))[0, :]
    return first + sum(xp.sum(prepare(rows_at(x, rows)) - first, axis=0) for rows in blocks_at(x, index)) / n


def directions(x: Array) -> DirectedRows:
    """Return the rows, each up to a factor, with their norms, some of which may be zero."""
    x = _rescaled(x, excess_exponent(x, peak(x)))
    lengths = norms(x)
    if to_float(namespace(x).min(lengths)) < shortest_exact(x):
        x = row_scaled(x)
        lengths = norms(x)
    return DirectedRows(x, lengths)


def unit_or_zero(x: Array) -> Array:
    """Return the rows divided by their norms; zero rows unchanged."""
    rows = directions(x)
    return rows.x / where(rows.norms > 0, rows.norms, 1.0)[:, None]
