"""The mergeable sums from which nearly every linear question about a cloud is answered.

A cloud of n points in d dimensions is reduced once, in blocks, to its weight, mean and scatter matrix. Two summaries of
disjoint sets of rows merge into the summary of their union (Chan, Golub & LeVeque 1983), so that streams, folds, chunks
and machines are all one operation. With fewer rows than columns the centred rows themselves are the smaller summary:
the methods of `Moments` are where the two forms differ, and whoever calls them need not know which one it is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce, wraps
from typing import Any, Concatenate, NamedTuple, ParamSpec, Self, TypeVar

from skgeom._array import Eigenvectors, decomposed, eigen, epsilon, namespace, row_blocks, sqrt_in_place, vecdot, where
from skgeom._core._rows import centred
from skgeom._core._threads import map_rows, one_thread
from skgeom._core.sums._blocks import centred_rows, higher_sums, panels
from skgeom._typing import Array

M = TypeVar("M", "Moments", "FourthMoments")
P = ParamSpec("P")
R = TypeVar("R")


class Axes(NamedTuple):
    """Variances (r,) in descending order, and where their principal directions come from."""

    variances: Array
    vectors: Eigenvectors

    def directions(self, k: int) -> Array:
        """Return the first k principal directions (k, d), each with its largest coordinate positive."""
        return oriented(self.vectors.leading(k))


@dataclass(frozen=True, eq=False)
class Moments(ABC):
    """Weight n, mean (d,) and scatter (d, d) = Σ w (x - mean)(x - mean)ᵀ of a cloud, in float64.

    The epsilon is the relative spacing of the numbers that were summed, which bounds what the spectrum can tell: that
    of their dtype until `_rank` has looked at them. The sample covariance, the scatter over n - 1, is called C.
    `known` is what `once_per_moments` found out about them.
    """

    n: float
    mean: Array
    epsilon: float
    known: dict[object, Any] = field(default_factory=dict, init=False, repr=False)

    @property
    def second(self) -> Self:
        """The summary itself: the moments up to the second, as those of `FourthMoments`."""
        return self

    def with_second(self, second: Moments) -> Moments:
        """Return other moments up to the second in place of these."""
        return second

    def variances(self) -> Array:
        """Return the variance of each feature (d,)."""
        return self._squares() / (self.n - 1)

    def total_variance(self) -> Array:
        """Return tr C."""
        return self._total() / (self.n - 1)

    def traces(self, unit: Array | float = 1.0) -> tuple[Array, Array]:
        """Return tr C and ‖C‖²_F = tr C², with C in the given unit."""
        xp, scale, gram = namespace(self.mean), (self.n - 1) * unit, self.gram()
        squares = (xp.sum((gram[rows, :] / scale) ** 2) for rows in row_blocks(gram))
        return xp.linalg.trace(gram) / scale, sum(squares)

    def _mean_and_shift(self, other: Moments) -> tuple[Array, Array]:
        """Return the mean of the union, and the row (d,) whose square is the scatter between the two means."""
        n = self.n + other.n
        delta = other.mean - self.mean
        return self.mean + delta * (other.n / n), delta * (self.n * other.n / n) ** 0.5

    @abstractmethod
    def merge(self, other: Moments) -> Moments:
        """Return the summary of the union with a disjoint set of rows."""

    def without(self, part: Moments, rest: Sequence[Moments] = ()) -> Moments:
        """Return the summary of the rows that are not of a part of them, of which the rest may be given in parts."""
        n = self.n - part.n
        delta = part.mean - self.mean
        shift = delta * (self.n * part.n / n) ** 0.5
        scatter = map_rows(
            lambda a, b, s: a - b - s * shift, self.dense().scatter, part.dense().scatter, shift[:, None]
        )
        return DenseMoments(n, self.mean - delta * (part.n / n), self.epsilon, scatter)

    @abstractmethod
    def about_origin(self) -> Moments:
        """Return the summary whose scatter is the raw second moment Σ w x xᵀ, with the mean taken as zero."""

    @abstractmethod
    def scaled(self, scale: Array) -> Moments:
        """Return the summary of the rows with each feature multiplied by a factor (d,)."""

    @abstractmethod
    def map_arrays(self, function: Callable[[Array], Array]) -> Moments:
        """Return the summary with a function, such as a move to a device, applied to its arrays."""

    @abstractmethod
    def dense(self) -> DenseMoments:
        """Return the form that holds the scatter matrix."""

    @abstractmethod
    def gram(self) -> Array:
        """Return the smaller product of the weighted centred rows with themselves: (d, d), or (r, r) for r < d rows."""

    @abstractmethod
    def times_rows(self, g: Array, x: Array) -> Array:
        """Return X g(XᵀX) = g(XXᵀ) X for the centred rows X of x, those that were summed, given g of `gram`."""

    @abstractmethod
    def inner(self, c: Array, unit: Array | float) -> Array:
        """Return ⟨C, c⟩ for a symmetric matrix c (d, d), with C in the given unit."""

    @abstractmethod
    def singular_values(self) -> Array:
        """Return the singular values of the centred rows, in descending order: √((n - 1) λ)."""

    @abstractmethod
    def axes(self) -> Axes:
        """Return the principal axes."""

    @abstractmethod
    def _squares(self) -> Array:
        """Return the diagonal of the scatter (d,)."""

    @abstractmethod
    def _total(self) -> Array:
        """Return the trace of the scatter."""


@dataclass(frozen=True, eq=False)
class DenseMoments(Moments):
    """Moments of a cloud that hold the scatter matrix."""

    scatter: Array

    def merge(self, other: Moments) -> DenseMoments:
        mean, shift = self._mean_and_shift(other)
        scatter = map_rows(lambda a, b, s: a + b + s * shift, self.scatter, other.dense().scatter, shift[:, None])
        return DenseMoments(self.n + other.n, mean, max(self.epsilon, other.epsilon), scatter)

    def about_origin(self) -> DenseMoments:
        shift = self.mean * self.n**0.5
        return replace(self, mean=0.0 * self.mean, scatter=self.scatter + shift[:, None] * shift[None, :])

    def scaled(self, scale: Array) -> DenseMoments:
        return replace(self, mean=self.mean * scale, scatter=self.scatter * scale[:, None] * scale)

    def map_arrays(self, function: Callable[[Array], Array]) -> DenseMoments:
        return replace(self, mean=function(self.mean), scatter=function(self.scatter))

    def dense(self) -> DenseMoments:
        return self

    def gram(self) -> Array:
        return self.scatter

    def times_rows(self, g: Array, x: Array) -> Array:
        return centred(x, self.mean) @ namespace(x).astype(g, x.dtype)

    def inner(self, c: Array, unit: Array | float) -> Array:
        return namespace(c).sum(self.scatter / unit * c) / (self.n - 1)

    def singular_values(self) -> Array:
        xp = namespace(self.mean)
        with one_thread(self.scatter):
            squares = decomposed("eigvalsh", self.scatter)
        return sqrt_in_place(xp.clip(xp.flip(squares), min=0.0))

    def axes(self) -> Axes:
        xp = namespace(self.mean)
        with one_thread(self.scatter):
            values, vectors = eigen(self.scatter)
        return Axes(xp.clip(xp.flip(values), min=0.0) / (self.n - 1), vectors)

    def _squares(self) -> Array:
        return namespace(self.mean).linalg.diagonal(self.scatter)

    def _total(self) -> Array:
        return namespace(self.mean).linalg.trace(self.scatter)


@dataclass(frozen=True, eq=False)
class ThinMoments(Moments):
    """Moments of a cloud of r < d rows that hold the weighted centred rows (r, d): the scatter is rowsᵀ rows."""

    rows: Array

    def merge(self, other: Moments) -> Moments:
        if not isinstance(other, ThinMoments):
            return self.dense().merge(other)
        mean, shift = self._mean_and_shift(other)
        rows = namespace(shift).concat([self.rows, other.rows, shift[None, :]])
        return ThinMoments(self.n + other.n, mean, max(self.epsilon, other.epsilon), rows)._smaller_form()

    def without(self, part: Moments, rest: Sequence[Moments] = ()) -> Moments:
        return replace(merge_all(rest), epsilon=self.epsilon) if rest else super().without(part)

    def about_origin(self) -> Moments:
        shift = self.mean * self.n**0.5
        rows = namespace(shift).concat([self.rows, shift[None, :]])
        return replace(self, mean=0.0 * self.mean, rows=rows)._smaller_form()

    def scaled(self, scale: Array) -> ThinMoments:
        return replace(self, mean=self.mean * scale, rows=self.rows * scale)

    def map_arrays(self, function: Callable[[Array], Array]) -> ThinMoments:
        return replace(self, mean=function(self.mean), rows=function(self.rows))

    def dense(self) -> DenseMoments:
        return DenseMoments(self.n, self.mean, self.epsilon, self.rows.T @ self.rows)

    def gram(self) -> Array:
        return self.rows @ self.rows.T

    def times_rows(self, g: Array, x: Array) -> Array:
        return g @ self.rows

    def inner(self, c: Array, unit: Array | float) -> Array:
        return namespace(c).sum((self.rows / unit @ c) * self.rows) / (self.n - 1)

    def singular_values(self) -> Array:
        return decomposed("svdvals", self.rows)

    def axes(self) -> Axes:
        xp = namespace(self.mean)
        _, s, directions = decomposed("svd", self.rows, full_matrices=False)
        return Axes(s * s / (self.n - 1), Eigenvectors(xp.flip(directions, axis=0).T))

    def _squares(self) -> Array:
        return namespace(self.mean).sum(self.rows * self.rows, axis=0)

    def _total(self) -> Array:
        return namespace(self.mean).sum(self.rows * self.rows)

    def _smaller_form(self) -> Moments:
        return self if self.rows.shape[0] < self.rows.shape[1] else self.dense()


@dataclass(frozen=True, eq=False)
class FourthMoments:
    """Moments up to the second, and Σ w ‖y‖² y (d,) and Σ w ‖y‖⁴ () over the centred rows y.

    They are what the sampling noise of a covariance needs.
    """

    second: Moments
    cubic: Array
    quartic: Array

    def merge(self, other: FourthMoments) -> FourthMoments:
        """Return the summary of the union with a disjoint set of rows."""
        second = self.second.merge(other.second)
        a_cubic, a_quartic = self._sums_about(second.mean)
        b_cubic, b_quartic = other._sums_about(second.mean)
        return FourthMoments(second, a_cubic + b_cubic, a_quartic + b_quartic)

    def without(self, part: FourthMoments, rest: Sequence[FourthMoments] = ()) -> FourthMoments:
        """Return the summary of the rows that are not of a part of them, of which the rest may be given in parts."""
        second = self.second.without(part.second, [one.second for one in rest])
        cubic, quartic = self._sums_about(second.mean)
        less_cubic, less_quartic = part._sums_about(second.mean)
        return FourthMoments(second, cubic - less_cubic, quartic - less_quartic)

    def with_second(self, second: Moments) -> FourthMoments:
        """Return other moments up to the second, of the same rows, beside the higher ones."""
        return replace(self, second=second)

    def map_arrays(self, function: Callable[[Array], Array]) -> FourthMoments:
        """Return the summary with a function, such as a move to a device, applied to its arrays."""
        return FourthMoments(self.second.map_arrays(function), function(self.cubic), function(self.quartic))

    def _sums_about(self, centre: Array) -> tuple[Array, Array]:
        """Expand ‖y - δ‖² (y - δ) and ‖y - δ‖⁴ over the rows y around their mean, with δ from the mean to a centre."""
        delta = centre - self.second.mean
        xp, n, scatter = namespace(delta), self.second.n, self.second.dense().scatter
        total, length, stretched = xp.linalg.trace(scatter), vecdot(delta, delta), scatter @ delta
        cubic = self.cubic - 2 * stretched - (total + n * length) * delta
        quartic = self.quartic + 4 * vecdot(delta, stretched) + 2 * length * total - 4 * vecdot(delta, self.cubic)
        return cubic, quartic + n * length * length


def moments(x: Array, weights: Array | None = None, *, exact: bool = False) -> Moments:
    """Return the smaller of the two summaries of the rows of x (n, d), with positive weights (n,) or none.

    Products of float32 rows are formed in float32, or in float64 if they are to be exact.
    """
    if x.shape[0] < x.shape[1]:
        n, mean, rows = centred_rows(x, weights)
        return ThinMoments(n, mean, epsilon(x), rows)
    return _dense_moments(x, weights, exact=exact)


def part_of_moments(x: Array, n: int, *, exact: bool = False) -> Moments:
    """Return the summary of some of n rows, in the form of that of all."""
    return moments(x) if n < x.shape[1] else _dense_moments(x, exact=exact)


def exact_part_of_moments(x: Array, n: int) -> Moments:
    """Return the summary of some of n rows from products in float64."""
    return part_of_moments(x, n, exact=True)


def _dense_moments(x: Array, weights: Array | None = None, *, exact: bool) -> Moments:
    return merge_all(DenseMoments(p.n, p.mean, epsilon(x), p.scatter) for p in panels(x, weights, exact=exact))


def fourth_moments(x: Array, weights: Array | None = None, *, exact: bool = False) -> FourthMoments:
    """Return the moments of the rows of x with the sums of their third and fourth powers."""
    return _with_higher(moments(x, weights, exact=exact), x, weights)


def part_of_fourth_moments(x: Array, n: int) -> FourthMoments:
    """Return the moments of some of n rows with the sums of their third and fourth powers."""
    return _with_higher(part_of_moments(x, n), x)


def _with_higher(second: Moments, x: Array, weights: Array | None = None) -> FourthMoments:
    return FourthMoments(second, *higher_sums(x, second.mean, weights))


def once_per_moments(
    function: Callable[Concatenate[Moments, P], R],
) -> Callable[Concatenate[Moments, P], R]:
    """Make a function of moments and of plain values one that is computed once for the same, and kept with the moments.

    Its arrays have several readers: they are not written to, and carry no gradient that one of them might lack.
    """

    @wraps(function)
    def of(m: Moments, /, *args: P.args, **kwargs: P.kwargs) -> R:
        key = (function, args, *kwargs.items())
        if key not in m.known:
            m.known[key] = function(m, *args, **kwargs)
        return m.known[key]

    return of


def merge_all(parts: Iterable[M]) -> M:
    """Return the summary of many disjoint sets of rows."""
    return reduce(lambda a, b: a.merge(b), parts)


def oriented(v: Array) -> Array:
    """Return directions (m, d) with the sign that makes the largest coordinate of each positive."""
    xp = namespace(v)
    flipped = -xp.min(v, axis=1, keepdims=True) > xp.max(v, axis=1, keepdims=True)
    return where(flipped, -v, v)
