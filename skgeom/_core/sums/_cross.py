"""The mergeable sums that determine every linear map between two paired clouds.

Row k of x (n, dx) belongs to row k of y (n, dy). Their means, the scatter matrix between them and, if a map needs it,
the scatter within one or both are formed in float64 for all rows, unless their own precision is declared sufficient:
the inverse of a map depends most on its smallest singular value. Summaries of disjoint sets of pairs merge like those
of one cloud, see `_moments`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import reduce
from operator import add
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np

from skgeom._array import (
    device_of,
    float64,
    gram,
    matmul,
    namespace,
    product_over_rows,
    row_blocks,
    scratch,
    subtract,
    vecdot,
)
from skgeom._core._rows import mean_of
from skgeom._core._threads import in_threads, shares
from skgeom._core.sums._digits import Digits, digits_of
from skgeom._typing import Array

M = TypeVar("M", bound="CrossMoments")

_PIVOT_ROWS = 1024
_BLOCK_ROWS = 2048
"""Products of fewer rows are slower, and more rows only cost memory."""


@dataclass(frozen=True, eq=False)
class CrossMoments:
    """Weight n, means (dx,) and (dy,), and scatters about the means of two paired clouds, in float64.

    xy (dx, dy) is Σ w (x - mean)(y - mean)ᵀ; x_squares and y_squares () are the traces of the scatters within.
    """

    n: float
    x_mean: Array
    y_mean: Array
    x_squares: Array
    y_squares: Array
    xy: Array

    def merge(self, other: Self) -> Self:
        """Return the summary of the union with a disjoint set of pairs."""
        n, (x_shift, y_shift) = self.n + other.n, self._shifts(other)
        return replace(
            self,
            n=n,
            x_mean=self.x_mean + (other.x_mean - self.x_mean) * (other.n / n),
            y_mean=self.y_mean + (other.y_mean - self.y_mean) * (other.n / n),
            x_squares=self.x_squares + other.x_squares + _squares(x_shift),
            y_squares=self.y_squares + other.y_squares + _squares(y_shift),
            xy=self.xy + other.xy + _outer(x_shift, y_shift),
        )

    def about_origin(self) -> Self:
        """Return the summary whose scatters are the raw second moments, with the means taken as zero."""
        x_shift, y_shift = self.x_mean * self.n**0.5, self.y_mean * self.n**0.5
        return replace(
            self,
            x_mean=0.0 * self.x_mean,
            y_mean=0.0 * self.y_mean,
            x_squares=self.x_squares + _squares(x_shift),
            y_squares=self.y_squares + _squares(y_shift),
            xy=self.xy + _outer(x_shift, y_shift),
        )

    def map_arrays(self, function: Callable[[Array], Array]) -> Self:
        """Return the summary with a function, such as a move to a device, applied to its arrays."""
        names = [field.name for field in fields(self) if field.name not in ("n", "x_digits", "y_digits")]
        moved: dict[str, Any] = {name: function(getattr(self, name)) for name in names}
        return replace(self, **moved)

    def squares_through(self, rotation: Array) -> Array:
        """Return Σ w ‖(x - mean) @ rotation‖² for a (semi-)orthogonal map, here one that keeps lengths."""
        assert rotation.shape[0] <= rotation.shape[1]
        return self.x_squares

    def _shifts(self, other: Self) -> tuple[Array, Array]:
        """Return the rows (dx,) and (dy,) whose products are the scatters between the two means."""
        shift = (self.n * other.n / (self.n + other.n)) ** 0.5
        return (other.x_mean - self.x_mean) * shift, (other.y_mean - self.y_mean) * shift


@dataclass(frozen=True, eq=False)
class RegressionMoments(CrossMoments):
    """The same with the scatter xx (dx, dx) within the first cloud, for maps that depend on it."""

    xx: Array

    def merge(self, other: Self) -> Self:
        """Return the summary of the union with a disjoint set of pairs."""
        x_shift, _ = self._shifts(other)
        return replace(super().merge(other), xx=self.xx + other.xx + _outer(x_shift, x_shift))

    def about_origin(self) -> Self:
        """Return the summary whose scatters are the raw second moments, with the means taken as zero."""
        x_shift = self.x_mean * self.n**0.5
        return replace(super().about_origin(), xx=self.xx + _outer(x_shift, x_shift))

    def squares_through(self, rotation: Array) -> Array:
        """Return Σ w ‖(x - mean) @ rotation‖² for a (semi-)orthogonal map."""
        if rotation.shape[0] <= rotation.shape[1]:
            return self.x_squares
        return namespace(rotation).sum(rotation * (self.xx @ rotation))


@dataclass(frozen=True, eq=False)
class JointMoments(RegressionMoments):
    """The same with the scatter within both clouds: yy is (dy, dy).

    The digits are those of the summed numbers, which limit the resolution of either spectrum.
    """

    yy: Array
    x_digits: Digits
    y_digits: Digits

    def merge(self, other: Self) -> Self:
        """Return the summary of the union with a disjoint set of pairs."""
        _, y_shift = self._shifts(other)
        return replace(
            super().merge(other),
            yy=self.yy + other.yy + _outer(y_shift, y_shift),
            x_digits=self.x_digits.merge(other.x_digits),
            y_digits=self.y_digits.merge(other.y_digits),
        )

    def part(self, kind: type[M]) -> M:
        """Return the part of the moments that another class has."""
        return kind(**{field.name: getattr(self, field.name) for field in fields(kind)})

    def about_origin(self) -> Self:
        """Return the summary whose scatters are the raw second moments, with the means taken as zero."""
        y_shift = self.y_mean * self.n**0.5
        return replace(super().about_origin(), yy=self.yy + _outer(y_shift, y_shift))


class _Side(NamedTuple):
    """One of the two clouds: rows, a pivot near their mean, a map or none, and the scatter to sum.

    Products are formed in the dtype of the pivot.
    """

    rows: Array
    pivot: Array
    through: Array | None
    full: bool

    @property
    def widths(self) -> tuple[int, ...]:
        """The width of the rows, and of their images under the map."""
        return (self.rows.shape[1],) if self.through is None else self.through.shape


def cross_moments(x: Array, y: Array, weights: Array | None = None, *, exact: bool = True) -> CrossMoments:
    """Return the summary of the pairs of rows of x (n, dx) and y (n, dy), with positive weights (n,) or none.

    Products are formed in float64, or in the common dtype of the rows if they need not be exact.
    """
    return _summed(x, y, weights, exact=exact)[0]


def regression_moments(
    x: Array, y: Array, weights: Array | None = None, *, through: Array | None = None
) -> RegressionMoments:
    """Return the summary of the pairs with the scatter within x.

    With `through` (dx, k) the first cloud is x @ through, which is never formed as a whole.
    """
    m, xx, _ = _summed(x, y, weights, xx=True, through=through)
    return RegressionMoments(**vars(m), xx=xx)


def joint_moments(x: Array, y: Array, weights: Array | None = None) -> JointMoments:
    """Return the summary of the pairs with the scatter within x and within y."""
    m, xx, yy = _summed(x, y, weights, xx=True, yy=True)
    return JointMoments(**vars(m), xx=xx, yy=yy, x_digits=digits_of(x), y_digits=digits_of(y))


def _summed(
    x: Array,
    y: Array,
    weights: Array | None,
    *,
    xx: bool = False,
    yy: bool = False,
    through: Array | None = None,
    exact: bool = True,
) -> tuple[CrossMoments, Array, Array]:
    """Return the summary of the pairs, and the scatter within each cloud: only its trace unless requested."""
    blocks = list(row_blocks(x, columns=y.shape[1], n_blocks=2, least=_BLOCK_ROWS))
    a, b = _side(x, through, xx, exact), _side(y, None, yy, exact)
    cuts = shares(x, blocks)
    parts = in_threads(x, lambda i: _summed_share(a, b, weights, cuts[i]), len(cuts))
    n, x_sum, y_sum, xy, x_scatter, y_scatter = (reduce(add, terms) for terms in zip(*parts, strict=True))
    x_slack, y_slack = x_sum / n**0.5, y_sum / n**0.5
    x_scatter, y_scatter = x_scatter - _within(x_slack, xx), y_scatter - _within(y_slack, yy)
    m = CrossMoments(
        n,
        _mean(a, x_sum / n),
        _mean(b, y_sum / n),
        _trace(x_scatter),
        _trace(y_scatter),
        xy - _outer(x_slack, y_slack),
    )
    return m, x_scatter, y_scatter


def _side(rows: Array, through: Array | None, full: bool, exact: bool) -> _Side:
    pivot = mean_of(rows[:: -(-rows.shape[0] // _PIVOT_ROWS), :])
    return _Side(rows, pivot if exact else namespace(rows).astype(pivot, rows.dtype), through, full)


def _summed_share(
    a: _Side, b: _Side, weights: Array | None, blocks: Sequence[slice]
) -> tuple[float, Array, Array, Array, Array, Array]:
    """Return the weight, the sums of both sides about their pivots, and the scatter between and within them."""
    totals = [_zeros(a.rows, shape) for shape in ((a.widths[-1],), (b.widths[-1],), (a.widths[-1], b.widths[-1]))]
    totals += [_zeros(s.rows, (s.widths[-1], s.widths[-1]) if s.full else ()) for s in (a, b)]
    rooms = [scratch(a.pivot, t.shape) if t.ndim == 2 else None for t in totals]
    height = blocks[0].stop - blocks[0].start
    x_rooms, y_rooms = ([scratch(s.pivot, (height, k)) for k in s.widths] for s in (a, b))
    n = 0.0
    for block in blocks:
        w = None if weights is None else float64(weights[block])
        x, y = _rows(a, block, w, x_rooms), _rows(b, block, w, y_rooms)
        n += x.shape[0] if w is None else float(namespace(w).sum(w))
        totals[0] += _column_sums(x, w)
        totals[1] += _column_sums(y, w)
        totals[2] += product_over_rows(x, y, rooms[2])
        totals[3] += gram(x, rooms[3]) if a.full else _squares(x)
        totals[4] += gram(y, rooms[4]) if b.full else _squares(y)
    return n, totals[0], totals[1], totals[2], totals[3], totals[4]


def _rows(side: _Side, block: slice, weights: Array | None, rooms: list[np.ndarray | None]) -> Array:
    """Return a block of rows of one side: shifted, mapped, times the roots of the weights."""
    rows, xp = side.rows[block, :], namespace(side.rows)
    rows = subtract(xp.astype(rows, side.pivot.dtype, copy=False) if rooms[0] is None else rows, side.pivot, rooms[0])
    if side.through is not None:
        rows = matmul(rows, side.through, rooms[1])
    return rows if weights is None else rows * xp.astype(xp.sqrt(weights), rows.dtype)[:, None]


def _column_sums(rows: Array, weights: Array | None) -> Array:
    """Return Σ w x of rows times the roots of the weights: a product, which keeps several partial sums."""
    xp = namespace(rows)
    roots = xp.ones_like(rows[:, 0]) if weights is None else xp.astype(xp.sqrt(weights), rows.dtype)
    return float64(roots @ rows)


def _mean(side: _Side, rest: Array) -> Array:
    return rest + float64(side.pivot if side.through is None else side.pivot @ side.through)


def _zeros(like: Array, shape: tuple[int, ...]) -> Array:
    xp = namespace(like)
    return xp.zeros(shape, dtype=xp.float64, device=device_of(like))


def _within(slack: Array, full: bool) -> Array:
    return _outer(slack, slack) if full else _squares(slack)


def _squares(x: Array) -> Array:
    xp = namespace(x)
    return xp.sum(float64(vecdot(x, x)))


def _outer(x: Array, y: Array) -> Array:
    return x[:, None] * y[None, :]


def _trace(scatter: Array) -> Array:
    return namespace(scatter).linalg.trace(scatter) if scatter.ndim else scatter
