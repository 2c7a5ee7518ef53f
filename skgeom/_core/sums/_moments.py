"""The mergeable sums that determine nearly every linear property of a cloud.

A cloud of n points in d dimensions is reduced once, in blocks, to its weight, mean and scatter matrix. Two summaries of
disjoint sets of rows merge into the summary of their union (Chan, Golub & LeVeque 1983), an operation that serves
streams, folds, chunks and machines alike. With fewer rows than columns the centred rows themselves are the smaller
summary: the two forms differ only in the methods of `Moments`, and callers need not know which one it is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce, wraps
from math import prod
from typing import Any, Concatenate, NamedTuple, ParamSpec, Protocol, Self, TypeVar

import numpy as np

from skgeom._array import (
    SQUARES_SAFE,
    Eigenvectors,
    decomposed,
    eigen,
    is_for_host,
    is_on_host,
    namespace,
    on_host,
    one_hot,
    row_blocks,
    sqrt_in_place,
    take_rows,
    to_float,
    vecdot,
    wants_gradient,
    where,
)
from skgeom._core._rows import centred
from skgeom._core._threads import map_rows, one_thread
from skgeom._core.sums._blocks import centred_rows, higher_sums, panels
from skgeom._core.sums._digits import Digits, digits_of_dtype
from skgeom._typing import Array

M = TypeVar("M", "Moments", "FourthMoments")
S = TypeVar("S", bound="_HasArrays")
P = ParamSpec("P")
R = TypeVar("R")

_TIE = 1e-6
"""Coordinates of a direction that differ by less than this share of the largest count as equally large."""

_LEAST_REST = 1 / 64
"""Minimum share of the squares of a scatter in a rest for computing these as differences of inner products: they lose
less than two digits, and have an error of 1e-13."""


class _HasArrays(Protocol):
    def map_arrays(self, function: Callable[[Array], Array]) -> Self: ...


class Axes(NamedTuple):
    """Variances (r,) in descending order, and the source of their principal directions."""

    variances: Array
    vectors: Eigenvectors

    def directions(self, k: int) -> Array:
        """Return the first k principal directions (k, d), each with its largest coordinate positive."""
        with one_thread(self.variances):
            return oriented(self.vectors.leading(k))


@dataclass(frozen=True, eq=False)
class Moments(ABC):
    """Weight n, mean (d,) and scatter (d, d) = Σ w (x - mean)(x - mean)ᵀ of a cloud, in float64.

    The digits are those of the summed numbers, which limit the resolution of the spectrum: those of their dtype until
    `_rank` has checked them. The sample covariance, the scatter over n - 1, is called C. `known` are the cached results
    of `once_per_moments`.
    """

    n: float
    mean: Array
    digits: Digits
    known: dict[object, Any] = field(default_factory=dict, init=False, repr=False)

    @property
    def second(self) -> Self:
        """The summary itself: the moments up to the second, as those of `FourthMoments`."""
        return self

    def with_second(self, second: Moments) -> Moments:
        """Return these moments with others up to the second."""
        return second

    def times(self, columns: Array) -> Array:
        """Return the product of the scatter with columns (d, k)."""
        return self.dense().scatter @ columns

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

    def _union(self, others: Sequence[Moments]) -> tuple[float, Array, Array]:
        """Return the weight and mean of the union, and rows (k, d) whose scatter is that between the means of all."""
        n, mean, shifts = self.n, self.mean, []
        for other in others:
            delta, before = other.mean - mean, n
            n = before + other.n
            mean = mean + delta * (other.n / n)
            shifts.append(delta * (before * other.n / n) ** 0.5)
        return n, mean, namespace(mean).stack(shifts)

    @property
    def n_entries(self) -> int:
        """Number of entries of the matrix that is decomposed for the axes."""
        return self.mean.shape[0] ** 2

    @abstractmethod
    def merge(self, *others: Moments) -> Moments:
        """Return the summary of the union with disjoint sets of rows, at least one."""

    def without(self, part: Moments, rest: Sequence[Moments] = ()) -> Moments:
        """Return the summary of the rows outside a part, given the parts of the rest if they are known."""
        n = self.n - part.n
        mean = self.mean - (part.mean - self.mean) * (part.n / n)
        return RemainingMoments(n, mean, self.digits, self.dense(), part.dense())

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
        """Return the form with the scatter matrix."""

    @abstractmethod
    def gram(self) -> Array:
        """Return the smaller product of the weighted centred rows with themselves: (d, d), or (r, r) for r < d rows."""

    @abstractmethod
    def times_rows(self, g: Array, x: Array) -> Array:
        """Return X g(XᵀX) = g(XXᵀ) X for the centred rows X of x, the summed rows, given g of `gram`."""

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
    """Moments of a cloud, with the scatter matrix."""

    scatter: Array

    def merge(self, *others: Moments) -> DenseMoments:
        n, mean, shifts = self._union(others)
        scatters = (m.dense().scatter for m in (self, *others))
        scatter = map_rows(_summed, shifts.T @ shifts, *scatters)
        return DenseMoments(n, mean, self.digits.merge(*(m.digits for m in others)), scatter)

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
    """Moments of a cloud of r < d rows, with the weighted centred rows (r, d): the scatter is rowsᵀ rows."""

    rows: Array

    def merge(self, *others: Moments) -> Moments:
        thin = [m for m in others if isinstance(m, ThinMoments)]
        if len(thin) < len(others):
            return self.dense().merge(*others)
        n, mean, shifts = self._union(others)
        rows = namespace(mean).concat([self.rows, *(m.rows for m in thin), shifts])
        return ThinMoments(n, mean, self.digits.merge(*(m.digits for m in others)), rows)._smaller_form()

    def without(self, part: Moments, rest: Sequence[Moments] = ()) -> Moments:
        return replace(merge_all(rest), digits=self.digits) if rest else super().without(part)

    def about_origin(self) -> Moments:
        shift = self.mean * self.n**0.5
        rows = namespace(shift).concat([self.rows, shift[None, :]])
        return replace(self, mean=0.0 * self.mean, rows=rows)._smaller_form()

    def scaled(self, scale: Array) -> ThinMoments:
        return replace(self, mean=self.mean * scale, rows=self.rows * scale)

    def map_arrays(self, function: Callable[[Array], Array]) -> ThinMoments:
        return replace(self, mean=function(self.mean), rows=function(self.rows))

    def dense(self) -> DenseMoments:
        return DenseMoments(self.n, self.mean, self.digits, self.rows.T @ self.rows)

    def gram(self) -> Array:
        return self.rows @ self.rows.T

    def times(self, columns: Array) -> Array:
        return self.rows.T @ (self.rows @ columns)

    def times_rows(self, g: Array, x: Array) -> Array:
        return g @ self.rows

    def inner(self, c: Array, unit: Array | float) -> Array:
        return namespace(c).sum((self.rows / unit @ c) * self.rows) / (self.n - 1)

    @property
    def n_entries(self) -> int:
        return prod(self.rows.shape)

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
class RemainingMoments(Moments):
    """Moments of the rows of a cloud outside a part, with the scatter matrices of the cloud and the part.

    Their traces need no separate matrix. It is formed on request, and not kept.
    """

    whole: DenseMoments
    part: DenseMoments

    def traces(self, unit: Array | float = 1.0) -> tuple[Array, Array]:
        if not is_on_host(self.mean):  # one more matrix costs less than a wait for a decision
            return self.dense().traces(unit)
        total, squares, scale = self._total(), self._sum_of_squares(), (self.n - 1) * unit
        is_told = to_float(squares) > _LEAST_REST * to_float(_sum_of_squares(self.whole))
        if is_told and 2.0**-SQUARES_SAFE < to_float(total) < 2.0**SQUARES_SAFE:
            return total / scale, squares / scale / scale
        return self.dense().traces(unit)

    def merge(self, *others: Moments) -> DenseMoments:
        return self.dense().merge(*others)

    def about_origin(self) -> DenseMoments:
        return self.dense().about_origin()

    def scaled(self, scale: Array) -> DenseMoments:
        return self.dense().scaled(scale)

    def map_arrays(self, function: Callable[[Array], Array]) -> DenseMoments:
        return self.dense().map_arrays(function)

    def dense(self) -> DenseMoments:
        shift = self._shift()
        scatter = map_rows(lambda a, b, s: a - b - s * shift, self.whole.scatter, self.part.scatter, shift[:, None])
        return DenseMoments(self.n, self.mean, self.digits, scatter)

    def gram(self) -> Array:
        return self.dense().scatter

    def times_rows(self, g: Array, x: Array) -> Array:
        return self.dense().times_rows(g, x)

    def inner(self, c: Array, unit: Array | float) -> Array:
        return self.dense().inner(c, unit)

    def singular_values(self) -> Array:
        return self.dense().singular_values()

    def axes(self) -> Axes:
        return self.dense().axes()

    def _squares(self) -> Array:
        return self.whole._squares() - self.part._squares() - self._shift() ** 2

    def _total(self) -> Array:
        return namespace(self.mean).sum(self._squares())

    def _shift(self) -> Array:
        """Return the row (d,) whose square is the scatter between the means of the part and of the rest."""
        return (self.part.mean - self.whole.mean) * (self.whole.n * self.part.n / self.n) ** 0.5

    def _sum_of_squares(self) -> Array:
        """Return ‖A - B - s sᵀ‖²_F for the scatters A of the whole and B of the part."""
        a, b, s = self.whole.scatter, self.part.scatter, self._shift()
        own = _sum_of_squares(self.whole) - 2 * _inner(a, b) + _inner(b, b)
        return own - 2 * vecdot(s, a @ s - b @ s) + vecdot(s, s) ** 2


@dataclass(frozen=True, eq=False)
class FourthMoments:
    """Moments up to the second, and Σ w ‖y‖² y (d,) and Σ w ‖y‖⁴ () over the centred rows y.

    They are what the sampling noise of a covariance needs.
    """

    second: Moments
    cubic: Array
    quartic: Array

    def merge(self, *others: FourthMoments) -> FourthMoments:
        """Return the summary of the union with disjoint sets of rows, at least one."""
        second = self.second.merge(*(other.second for other in others))
        cubic, quartic = zip(*(one._sums_about(second.mean) for one in (self, *others)), strict=True)
        return FourthMoments(second, _summed(*cubic), _summed(*quartic))

    def without(self, part: FourthMoments, rest: Sequence[FourthMoments] = ()) -> FourthMoments:
        """Return the summary of the rows outside a part, given the parts of the rest if they are known."""
        second = self.second.without(part.second, [one.second for one in rest])
        cubic, quartic = self._sums_about(second.mean)
        less_cubic, less_quartic = part._sums_about(second.mean)
        return FourthMoments(second, cubic - less_cubic, quartic - less_quartic)

    def with_second(self, second: Moments) -> FourthMoments:
        """Return the moments with others up to the second, of the same rows."""
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

    Products of float32 rows are formed in float32, or in float64 if they must be exact.
    """
    if x.shape[0] < x.shape[1]:
        n, mean, rows = centred_rows(x, weights)
        return ThinMoments(n, mean, digits_of_dtype(x), rows)
    return _dense_moments(x, weights, exact=exact)


def part_of_moments(x: Array, index: np.ndarray | None, *, exact: bool = False) -> Moments:
    """Return the summary of the rows at some positions, or of all, in the form of that of all."""
    if x.shape[0] < x.shape[1]:
        return moments(x if index is None else take_rows(x, index))
    return _dense_moments(x, index=index, exact=exact)


def exact_part_of_moments(x: Array, index: np.ndarray | None) -> Moments:
    """Return the summary of the rows at some positions, or of all, from products in float64."""
    return part_of_moments(x, index, exact=True)


def _dense_moments(x: Array, weights: Array | None = None, *, index: np.ndarray | None = None, exact: bool) -> Moments:
    sums = panels(x, weights, index, exact=exact)
    return merge_all(DenseMoments(p.n, p.mean, digits_of_dtype(x), p.scatter) for p in sums)


def fourth_moments(x: Array, weights: Array | None = None, *, exact: bool = False) -> FourthMoments:
    """Return the moments of the rows of x with the sums of their third and fourth powers."""
    second = moments(x, weights, exact=exact)
    return FourthMoments(second, *higher_sums(x, second.mean, weights))


def part_of_fourth_moments(x: Array, index: np.ndarray | None, *, exact: bool = False) -> FourthMoments:
    """Return the moments of the rows at some positions, or of all, with the sums of their third and fourth powers."""
    second = part_of_moments(x, index, exact=exact)
    return FourthMoments(second, *higher_sums(x, second.mean, None, index))


def once_per_moments(
    function: Callable[Concatenate[Any, P], R],
) -> Callable[Concatenate[Any, P], R]:
    """Return a function of moments and plain values whose results are cached in the moments.

    Its arrays have several readers: they are never written to, and have no gradient that only one of them needs.
    """

    @wraps(function)
    def of(m: Moments | FourthMoments, /, *args: P.args, **kwargs: P.kwargs) -> R:
        key, known = (of, type(m), args, *kwargs.items()), m.second.known
        if key not in known:
            known[key] = function(m, *args, **kwargs)
        return known[key]

    return of


def nearby(m: Moments | FourthMoments) -> Moments | FourthMoments:
    """Return moments where their matrices are decomposed: copied to the host, all at once, if they are small."""
    if not _is_for_host(m.second):
        return m
    bring_near([m])
    return m.second.known[_key_of_copies(m)]


def bring_near(clouds: Sequence[Moments | FourthMoments]) -> None:
    """Copy moments that `nearby` will ask for to the host: those of several clouds with one wait."""
    far = [m for m in clouds if _is_for_host(m.second) and _key_of_copies(m) not in m.second.known]
    for m, copy in zip(far, copied_to_host(far), strict=True):
        m.second.known[_key_of_copies(m)] = copy


def copied_to_host(summaries: Sequence[S]) -> list[S]:
    """Return summaries with their arrays on the host, for which it waits once."""
    arrays: list[Array] = []

    def met(array: Array) -> Array:
        arrays.append(array)
        return array

    for summary in summaries:
        summary.map_arrays(met)
    copies = iter(on_host(*arrays))
    return [summary.map_arrays(lambda _: next(copies)) for summary in summaries]


def _is_for_host(m: Moments) -> bool:
    return is_for_host(m.mean, m.n_entries) and not wants_gradient(m.mean)


def _key_of_copies(m: Moments | FourthMoments) -> object:
    return bring_near, type(m)


@once_per_moments
def _sum_of_squares(m: Moments) -> Array:
    """Return the sum of the squares of the scatter matrix."""
    scatter = m.dense().scatter
    return _inner(scatter, scatter)


def _inner(a: Array, b: Array) -> Array:
    """Return the sum of the products of the entries of two matrices."""
    return namespace(a).sum(vecdot(a, b))


def _summed(first: Array, *others: Array) -> Array:
    """Return the sum of arrays, written over the first where its library allows it."""
    for other in others:
        first += other
    return first


def merge_all(parts: Iterable[M]) -> M:
    """Return the summary of disjoint sets of rows, merged one by one."""
    return reduce(lambda a, b: a.merge(b), parts)


def oriented(v: Array) -> Array:
    """Return directions (m, d) with the sign that makes the largest coordinate of each positive.

    Of several as large up to rounding, as of two standardised features, it is the first.
    """
    xp, size = namespace(v), namespace(v).abs(v)
    is_largest = size >= (1 - _TIE) * xp.max(size, axis=1, keepdims=True)
    first = one_hot(xp.argmax(xp.astype(is_largest, v.dtype), axis=1), v.shape[1], v)
    return where(xp.sum(first * v, axis=1, keepdims=True) < 0, -v, v)
