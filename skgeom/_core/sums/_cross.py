"""The mergeable sums from which every linear map between two paired clouds is found.

Row k of x (n, dx) belongs to row k of y (n, dy). Their means, the scatter matrix between them and, where asked for,
the scatter within each are formed in float64 whatever the rows are: the smallest singular value of a map is what its
inverse depends on most. Summaries of disjoint sets of pairs merge like those of one cloud, see `_moments`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from skgeom._array import device_of, epsilon, float64, gram, matmul, namespace, row_blocks, scratch, subtract
from skgeom._core._rows import mean_of
from skgeom._typing import Array

_PIVOT_ROWS = 1024
_BLOCK_ROWS = 2048
"""A product of fewer rows at once is slower, and more of them cost memory only."""


class CrossMoments(NamedTuple):
    """Weight n, means (dx,) and (dy,), and scatters about the means of two paired clouds, in float64.

    xy (dx, dy) is Σ w (x - mean)(y - mean)ᵀ; xx (dx, dx) and yy (dy, dy) are there where they were asked for, their
    traces x_squares and y_squares () always. The epsilon is the relative precision of the rows that were summed.
    """

    n: float
    x_mean: Array
    y_mean: Array
    x_squares: Array
    y_squares: Array
    xy: Array
    epsilon: float
    xx: Array | None = None
    yy: Array | None = None


class _Side(NamedTuple):
    """One of the two clouds: rows, a pivot near their mean, a map or none, scratch arrays, and which scatter to sum."""

    rows: Array
    pivot: Array
    through: Array | None
    room: np.ndarray | None
    mapped_room: np.ndarray | None
    full: bool

    @property
    def width(self) -> int:
        return (self.pivot if self.through is None else self.through).shape[-1]


def cross_moments(
    x: Array,
    y: Array,
    weights: Array | None = None,
    *,
    xx: bool = False,
    yy: bool = False,
    through: Array | None = None,
) -> CrossMoments:
    """Return the summary of the pairs of rows of x (n, dx) and y (n, dy), with positive weights (n,) or none.

    With `through` (dx, k) the first cloud is x @ through, which is never formed as a whole.
    """
    blocks = list(row_blocks(x, columns=y.shape[1], n_blocks=2, least=_BLOCK_ROWS))
    a, b = _side(x, through, xx, blocks[0].stop), _side(y, None, yy, blocks[0].stop)
    n, x_sum, y_sum, xy, x_scatter, y_scatter = _summed_blocks(a, b, weights, blocks)
    x_slack, y_slack = x_sum / n**0.5, y_sum / n**0.5
    x_scatter, y_scatter = x_scatter - _within(x_slack, xx), y_scatter - _within(y_slack, yy)
    return CrossMoments(
        n,
        _mean(a, x_sum / n),
        _mean(b, y_sum / n),
        _trace(x_scatter),
        _trace(y_scatter),
        xy - _outer(x_slack, y_slack),
        max(epsilon(x), epsilon(y)),
        x_scatter if xx else None,
        y_scatter if yy else None,
    )


def merge(a: CrossMoments, b: CrossMoments) -> CrossMoments:
    """Return the summary of two disjoint sets of pairs from the summary of each."""
    n = a.n + b.n
    shift = (a.n * b.n / n) ** 0.5
    x_shift, y_shift = (b.x_mean - a.x_mean) * shift, (b.y_mean - a.y_mean) * shift
    return CrossMoments(
        n,
        a.x_mean + (b.x_mean - a.x_mean) * (b.n / n),
        a.y_mean + (b.y_mean - a.y_mean) * (b.n / n),
        a.x_squares + b.x_squares + _squares(x_shift),
        a.y_squares + b.y_squares + _squares(y_shift),
        a.xy + b.xy + _outer(x_shift, y_shift),
        max(a.epsilon, b.epsilon),
        None if a.xx is None or b.xx is None else a.xx + b.xx + _outer(x_shift, x_shift),
        None if a.yy is None or b.yy is None else a.yy + b.yy + _outer(y_shift, y_shift),
    )


def map_arrays(function: Callable[[Array], Array], m: CrossMoments) -> CrossMoments:
    """Return the summary with a function, such as a move to a device, applied to its arrays."""
    names = ("x_mean", "y_mean", "x_squares", "y_squares", "xy", "xx", "yy")
    moved: dict[str, Any] = {name: function(v) for name in names if (v := getattr(m, name)) is not None}
    return m._replace(**moved)


def about_origin(m: CrossMoments) -> CrossMoments:
    """Return the summary whose scatters are the raw second moments, with the means taken as zero."""
    x_shift, y_shift = m.x_mean * m.n**0.5, m.y_mean * m.n**0.5
    return CrossMoments(
        m.n,
        0.0 * m.x_mean,
        0.0 * m.y_mean,
        m.x_squares + _squares(x_shift),
        m.y_squares + _squares(y_shift),
        m.xy + _outer(x_shift, y_shift),
        m.epsilon,
        None if m.xx is None else m.xx + _outer(x_shift, x_shift),
        None if m.yy is None else m.yy + _outer(y_shift, y_shift),
    )


def scatter_of(scatter: Array | None) -> Array:
    """Return a scatter within one cloud of a summary that was asked to have it."""
    assert scatter is not None
    return scatter


def _side(rows: Array, through: Array | None, full: bool, height: int) -> _Side:
    pivot = mean_of(rows[:: -(-rows.shape[0] // _PIVOT_ROWS), :])
    mapped_room = None if through is None else scratch(pivot, (height, through.shape[1]))
    return _Side(rows, pivot, through, scratch(pivot, (height, rows.shape[1])), mapped_room, full)


def _summed_blocks(
    a: _Side, b: _Side, weights: Array | None, blocks: Sequence[slice]
) -> tuple[float, Array, Array, Array, Array, Array]:
    """Return the weight, the sums of both sides about their pivots, and the scatter between and within them."""
    totals = [_zeros(a.rows, shape) for shape in ((a.width,), (b.width,), (a.width, b.width))]
    totals += [_zeros(s.rows, (s.width, s.width) if s.full else ()) for s in (a, b)]
    rooms = [scratch(t, t.shape) if t.ndim == 2 else None for t in totals]
    n = 0.0
    for block in blocks:
        w = None if weights is None else float64(weights[block])
        x, y = _rows(a, block, w), _rows(b, block, w)
        n += x.shape[0] if w is None else float(namespace(w).sum(w))
        totals[0] += _column_sums(x, w)
        totals[1] += _column_sums(y, w)
        totals[2] += matmul(x.T, y, rooms[2])
        totals[3] += gram(x, rooms[3]) if a.full else _squares(x)
        totals[4] += gram(y, rooms[4]) if b.full else _squares(y)
    return n, totals[0], totals[1], totals[2], totals[3], totals[4]


def _rows(side: _Side, block: slice, weights: Array | None) -> Array:
    """Return a block of rows of one side in float64: shifted, mapped, times the roots of the weights."""
    rows = side.rows[block, :]
    rows = subtract(float64(rows) if side.room is None else rows, side.pivot, side.room)
    if side.through is not None:
        rows = matmul(rows, side.through, side.mapped_room)
    return rows if weights is None else rows * namespace(rows).sqrt(weights)[:, None]


def _column_sums(rows: Array, weights: Array | None) -> Array:
    """Return Σ w x of rows that already have the root of the weights."""
    xp = namespace(rows)
    return xp.sum(rows, axis=0) if weights is None else xp.sqrt(weights) @ rows


def _mean(side: _Side, rest: Array) -> Array:
    return rest + (side.pivot if side.through is None else side.pivot @ side.through)


def _zeros(like: Array, shape: tuple[int, ...]) -> Array:
    xp = namespace(like)
    return xp.zeros(shape, dtype=xp.float64, device=device_of(like))


def _within(slack: Array, full: bool) -> Array:
    return _outer(slack, slack) if full else _squares(slack)


def _squares(x: Array) -> Array:
    xp = namespace(x)
    flat = xp.reshape(x, (-1,))
    return xp.vecdot(flat, flat)


def _outer(x: Array, y: Array) -> Array:
    return x[:, None] * y[None, :]


def _trace(scatter: Array) -> Array:
    return namespace(scatter).linalg.trace(scatter) if scatter.ndim else scatter
