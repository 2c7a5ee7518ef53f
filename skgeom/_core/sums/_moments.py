"""The mergeable sums from which nearly every linear question about a cloud is answered.

A cloud of n points in d dimensions is reduced once, in blocks, to its weight, mean and scatter matrix. Two summaries of
disjoint sets of rows merge into the summary of their union (Chan, Golub & LeVeque 1983), so that streams, folds, chunks
and machines are all one operation. With fewer rows than columns the centred rows themselves are the smaller summary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import NamedTuple, TypeAlias

import numpy as np

from skgeom._array import (
    asarray_like,
    device_of,
    epsilon,
    float64,
    gram,
    namespace,
    row_blocks,
    scratch,
    subtract,
)
from skgeom._typing import Array

_SAMPLE_STRIDE = 16
_BLOCKS_PER_PANEL = 256
_ROWS_PER_COLUMN = 4
"""A Gram product costs O(d²) beyond its flops: blocks of 4 d rows keep that small, in O(d²) memory."""


class FourthMoments(NamedTuple):
    """Σ w ‖y‖² y (d,) and Σ w ‖y‖⁴ over the centred rows y: what the sampling noise of a covariance needs."""

    cubic: Array
    quartic: Array


class Moments(NamedTuple):
    """Weight n, mean (d,) and scatter (d, d) = Σ w (x - mean)(x - mean)ᵀ of a cloud, in float64.

    The epsilon is the relative precision of the rows that were summed, which bounds what the spectrum can tell. The
    fourth moments are there where they were asked for.
    """

    n: float
    mean: Array
    scatter: Array
    epsilon: float
    fourth: FourthMoments | None = None


class ThinMoments(NamedTuple):
    """The same for a cloud of r < d rows: scatter = rootᵀ root, where root (r, d) holds the weighted centred rows."""

    n: float
    mean: Array
    root: Array
    epsilon: float
    fourth: FourthMoments | None = None


AnyMoments: TypeAlias = Moments | ThinMoments


class _Block(NamedTuple):
    """One block shifted by a pivot near its mean: weight, pivot, residual sum (d,) and Gram matrix (d, d)."""

    n: float
    pivot: Array
    residual: Array
    gram: Array


def moments(x: Array, weights: Array | None = None, *, fourth: bool = False) -> AnyMoments:
    """Return the smaller of the two summaries of the rows of x (n, d), with positive weights (n,) or none."""
    m = _thin(x, weights) if x.shape[0] < x.shape[1] else _dense(x, weights)
    return m._replace(fourth=_fourth_moments(x, m.mean, weights)) if fourth else m


def merge(a: AnyMoments, b: AnyMoments) -> AnyMoments:
    """Return the summary of two disjoint sets of rows from the summary of each."""
    n = a.n + b.n
    delta = b.mean - a.mean
    mean = a.mean + delta * (b.n / n)
    shift = delta * (a.n * b.n / n) ** 0.5
    precision = max(a.epsilon, b.epsilon)
    fourth = _merged_fourth(a, b, mean) if a.fourth and b.fourth else None
    if isinstance(a, ThinMoments) and isinstance(b, ThinMoments):
        rows = namespace(shift).concat([a.root, b.root, shift[None, :]])
        return thinned(ThinMoments(n, mean, rows, precision, fourth))
    scatter = dense(a).scatter + dense(b).scatter + shift[:, None] * shift[None, :]
    return Moments(n, mean, scatter, precision, fourth)


def fourth_of(m: AnyMoments) -> FourthMoments:
    """Return the fourth moments of a summary that was asked to have them."""
    assert m.fourth is not None
    return m.fourth


def merge_all(parts: Iterable[AnyMoments]) -> AnyMoments:
    """Return the summary of many disjoint sets of rows."""
    return reduce(merge, parts)


def map_arrays(function: Callable[[Array], Array], m: AnyMoments) -> AnyMoments:
    """Return the summary with a function, such as a move to a device, applied to its arrays."""
    fourth = FourthMoments(*map(function, m.fourth)) if m.fourth else None
    return type(m)(m.n, function(m[1]), function(m[2]), m.epsilon, fourth)


def dense(m: AnyMoments) -> Moments:
    """Return the (d, d) form of a summary."""
    return m if isinstance(m, Moments) else Moments(m.n, m.mean, m.root.T @ m.root, m.epsilon, m.fourth)


def thinned(m: ThinMoments) -> AnyMoments:
    """Return the thin form while it is the smaller one, else the dense form."""
    return m if m.root.shape[0] < m.root.shape[1] else dense(m)


def about_origin(m: AnyMoments) -> AnyMoments:
    """Return the summary whose scatter is the raw second moment Σ w x xᵀ, with the mean taken as zero."""
    origin = 0.0 * m.mean
    shift = m.mean * m.n**0.5
    if isinstance(m, ThinMoments):
        rows = namespace(shift).concat([m.root, shift[None, :]])
        return thinned(ThinMoments(m.n, origin, rows, m.epsilon))
    return Moments(m.n, origin, m.scatter + shift[:, None] * shift[None, :], m.epsilon)


def _dense(x: Array, weights: Array | None) -> Moments:
    blocks = list(row_blocks(x, n_blocks=2, least=_ROWS_PER_COLUMN * x.shape[1]))
    panels = (blocks[start : start + _BLOCKS_PER_PANEL] for start in range(0, len(blocks), _BLOCKS_PER_PANEL))
    return dense(merge_all(_panel(x, weights, panel) for panel in panels))


def _thin(x: Array, weights: Array | None) -> ThinMoments:
    xp = namespace(x)
    rows = float64(x)
    first = rows[0, :]
    shifted = rows - first
    if weights is None:
        n, mean = float(x.shape[0]), xp.mean(shifted, axis=0)
        return ThinMoments(n, first + mean, shifted - mean, epsilon(x))
    w = float64(weights)
    n = float(xp.sum(w))
    mean = (w @ shifted) / n
    return ThinMoments(n, first + mean, xp.sqrt(w)[:, None] * (shifted - mean), epsilon(x))


def _panel(x: Array, weights: Array | None, blocks: Sequence[slice]) -> Moments:
    """Sum the blocks of a panel; the scatter between blocks and the slack of the pivots are one product each."""
    xp = namespace(x)
    sizes, pivots, residuals, scatter = _summed_blocks(x, weights, blocks)
    n = sum(sizes)
    size = asarray_like(sizes, pivots[0])[:, None]
    residual = xp.stack(residuals)
    shifts = xp.stack(pivots) - pivots[0] + residual / size
    shift = xp.sum(shifts * size, axis=0) / n
    between, slack = (shifts - shift) * xp.sqrt(size), residual / xp.sqrt(size)
    scatter += between.T @ between  # two products, since one of unequal factors can differ from its transpose
    scatter -= slack.T @ slack
    return Moments(n, pivots[0] + shift, scatter, epsilon(x))


def _summed_blocks(
    x: Array, weights: Array | None, blocks: Sequence[slice]
) -> tuple[list[float], list[Array], list[Array], Array]:
    """Return weight, pivot and residual of each block, and the sum of their Gram matrices in float64."""
    xp = namespace(x)
    d = x.shape[1]
    scatter = xp.zeros((d, d), dtype=xp.float64, device=device_of(x))
    room = scratch(x, (blocks[0].stop - blocks[0].start, d)), scratch(x, (d, d))
    sizes, pivots, residuals = [], [], []
    for rows in blocks:
        block = _block(x[rows, :], None if weights is None else weights[rows], *room)
        sizes.append(block.n)
        pivots.append(float64(block.pivot))
        residuals.append(float64(block.residual))
        scatter += block.gram
    return sizes, pivots, residuals, scatter


def _block(block: Array, weights: Array | None, rows: np.ndarray | None, square: np.ndarray | None) -> _Block:
    """Reduce one block in its own dtype, with the help of scratch arrays for its rows and their products.

    The pivot is the mean of a sample of rows, formed around the first row: close enough to the mean that the products
    lose nothing to an offset, and exact for constant data, whose scatter is then exactly zero.
    """
    xp = namespace(block)
    first = block[0, :]
    pivot = first + xp.mean(block[::_SAMPLE_STRIDE, :] - first, axis=0)
    centred = subtract(block, pivot, rows)
    if weights is None:
        return _Block(float(block.shape[0]), pivot, xp.sum(centred, axis=0), gram(centred, square))
    w = xp.astype(weights, block.dtype)
    root = centred * xp.sqrt(w)[:, None]
    return _Block(float(xp.sum(float64(weights))), pivot, w @ centred, gram(root, square))


def _fourth_moments(x: Array, mean: Array, weights: Array | None = None) -> FourthMoments:
    """Return the third and fourth moments of the norms of the rows around their mean."""
    xp = namespace(x)
    cubic, quartic = 0.0 * mean, xp.sum(0.0 * mean)
    for rows in row_blocks(x):
        centred = float64(x[rows, :]) - mean
        squares = xp.vecdot(centred, centred)
        weighted = squares if weights is None else squares * weights[rows]
        cubic, quartic = cubic + weighted @ centred, quartic + xp.sum(weighted * squares)
    return FourthMoments(cubic, quartic)


def _merged_fourth(a: AnyMoments, b: AnyMoments, mean: Array) -> FourthMoments:
    a_cubic, a_quartic = _recentred(a, mean - a.mean)
    b_cubic, b_quartic = _recentred(b, mean - b.mean)
    return FourthMoments(a_cubic + b_cubic, a_quartic + b_quartic)


def _recentred(m: AnyMoments, delta: Array) -> FourthMoments:
    """Expand ‖y - δ‖² (y - δ) and ‖y - δ‖⁴ over the rows y around their mean."""
    xp, f = namespace(delta), fourth_of(m)
    scatter = dense(m).scatter
    total, length, stretched = xp.linalg.trace(scatter), xp.vecdot(delta, delta), scatter @ delta
    cubic = f.cubic - 2 * stretched - (total + m.n * length) * delta
    quartic = f.quartic + 4 * xp.vecdot(delta, stretched) + 2 * length * total - 4 * xp.vecdot(delta, f.cubic)
    return FourthMoments(cubic, quartic + m.n * length * length)
