"""The sums of a cloud, block by block: weight, mean and scatter in one pass, higher moments in a second one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np

from skgeom._array import (
    asarray_like,
    device_of,
    float64,
    gram,
    namespace,
    plus_squares,
    rows_at,
    scratch,
    subtract,
    vecdot,
)
from skgeom._core._rows import Which, blocks_at
from skgeom._core._threads import in_threads, shares
from skgeom._typing import Array

_SAMPLE_STRIDE = 16
_BLOCKS_PER_PANEL = 256
_ROWS_PER_COLUMN = 4
"""A Gram product costs O(d²) beyond its flops: with blocks of 4 d rows that is little, in O(d²) memory."""


class Panel(NamedTuple):
    """Weight, mean (d,) and scatter (d, d) of several blocks of rows."""

    n: float
    mean: Array
    scatter: Array


class _Block(NamedTuple):
    """One block shifted by a pivot near its mean: weight, pivot, residual sum (d,) and Gram matrix (d, d)."""

    n: float
    pivot: Array
    residual: Array
    gram: Array


class _Sums(NamedTuple):
    """Weight, pivot and residual of each block, and the sum of their Gram matrices in float64."""

    sizes: list[float]
    pivots: list[Array]
    residuals: list[Array]
    scatter: Array


def panels(x: Array, weights: Array | None, index: np.ndarray | None = None, *, exact: bool = False) -> Iterator[Panel]:
    """Yield the sums of the rows of x (n, d), with positive weights (n,) or none, a panel of blocks at a time.

    For all rows, or for those at some positions. Products are formed in the dtype of x, or in float64 if they must be
    exact.
    """
    blocks = list(blocks_at(x, index, n_blocks=2, least=_ROWS_PER_COLUMN * x.shape[1]))
    for start in range(0, len(blocks), _BLOCKS_PER_PANEL):
        yield _panel(x, weights, blocks[start : start + _BLOCKS_PER_PANEL], exact)


def centred_rows(x: Array, weights: Array | None) -> tuple[float, Array, Array]:
    """Return the weight and the mean (d,) of the rows of x, and the centred rows (n, d) times the roots of weights."""
    xp = namespace(x)
    first = float64(x[0, :])
    room = scratch(first, x.shape)
    shifted = subtract(float64(x) if room is None else x, first, room)
    if weights is None:
        n, mean = float(x.shape[0]), xp.mean(shifted, axis=0)
        return n, first + mean, subtract(shifted, mean, room)
    w = float64(weights)
    n = float(xp.sum(w))
    mean = (w @ shifted) / n
    return n, first + mean, xp.sqrt(w)[:, None] * subtract(shifted, mean, room)


def higher_sums(x: Array, mean: Array, weights: Array | None, index: np.ndarray | None = None) -> tuple[Array, Array]:
    """Return Σ w ‖y‖² y (d,) and Σ w ‖y‖⁴ () over the rows y of x, or those at some positions, about their mean."""
    cuts = shares(x, list(blocks_at(x, index, n_blocks=2)))
    parts = in_threads(x, lambda i: _higher_share(x, mean, weights, cuts[i]), len(cuts))
    return reduce(lambda a, b: (a[0] + b[0], a[1] + b[1]), parts)


def _room(like: Array, block: Which, d: int) -> np.ndarray | None:
    """Return a scratch array for the rows of a block."""
    return scratch(like, (block.stop - block.start if isinstance(block, slice) else block.size, d))


def _higher_share(x: Array, mean: Array, weights: Array | None, blocks: Sequence[Which]) -> tuple[Array, Array]:
    """Return the higher sums over the rows of some blocks, shifted in a scratch array."""
    xp = namespace(x)
    cubic, quartic = 0.0 * mean, xp.sum(0.0 * mean)
    room = _room(mean, blocks[0], x.shape[1])
    for rows in blocks:
        block = rows_at(x, rows, room)
        centred = subtract(float64(block) if room is None else block, mean, room)
        squares = vecdot(centred, centred)
        weighted = squares if weights is None else squares * rows_at(weights, rows)
        cubic, quartic = cubic + weighted @ centred, quartic + xp.sum(weighted * squares)
    return cubic, quartic


def _panel(x: Array, weights: Array | None, blocks: Sequence[Which], exact: bool) -> Panel:
    """Sum the blocks of a panel; the scatter between blocks and the slack of the pivots are one product each."""
    xp = namespace(x)
    sizes, pivots, residuals, scatter = _summed_blocks(x, weights, blocks, exact)
    n = sum(sizes)
    size = asarray_like(sizes, pivots[0])[:, None]
    residual = xp.stack(residuals)
    shifts = xp.stack(pivots) - pivots[0] + residual / size
    shift = xp.sum(shifts * size, axis=0) / n
    between, slack = (shifts - shift) * xp.sqrt(size), residual / xp.sqrt(size)
    if len(blocks) > 1:
        scatter = plus_squares(scatter, between, 1.0)
    return Panel(n, pivots[0] + shift, plus_squares(scatter, slack, -1.0))


def _summed_blocks(x: Array, weights: Array | None, blocks: Sequence[Which], exact: bool) -> _Sums:
    """Return the sums of blocks; each thread computes a share."""
    cuts = shares(x, blocks)

    return reduce(_joined, in_threads(x, lambda i: _summed_share(x, weights, cuts[i], exact), len(cuts)))


def _joined(a: _Sums, b: _Sums) -> _Sums:
    return _Sums(a.sizes + b.sizes, a.pivots + b.pivots, a.residuals + b.residuals, a.scatter + b.scatter)


def _summed_share(x: Array, weights: Array | None, blocks: Sequence[Which], exact: bool) -> _Sums:
    xp = namespace(x)
    d = x.shape[1]
    scatter: Array | None = None
    like = float64(x[:1, :]) if exact else x
    room = _room(like, blocks[0], d), scratch(like, (d, d))
    sizes, pivots, residuals = [], [], []
    for rows in blocks:
        block = _block(rows_at(x, rows, room[0]), None if weights is None else rows_at(weights, rows), *room, exact)
        sizes.append(block.n)
        pivots.append(float64(block.pivot))
        residuals.append(float64(block.residual))
        if scatter is None:
            scatter = xp.astype(block.gram, xp.float64)  # a copy
        else:
            scatter += block.gram
    assert scatter is not None
    return _Sums(sizes, pivots, residuals, scatter)


def _block(
    block: Array, weights: Array | None, rows: np.ndarray | None, square: np.ndarray | None, exact: bool
) -> _Block:
    """Reduce one block in its own dtype or in float64, with scratch arrays for its rows and their products.

    The pivot is the mean of a sample of rows, formed around the first row: close enough to the mean that an offset
    costs no precision, and exact for constant data, whose scatter is then exactly zero.
    """
    xp = namespace(block)
    first = block[0, :]
    pivot = first + xp.mean(block[::_SAMPLE_STRIDE, :] - first, axis=0)
    if exact:
        pivot = float64(pivot)
        block = float64(block) if rows is None else block
    centred = subtract(block, pivot, rows)
    if weights is None:
        ones = xp.ones(centred.shape[0], dtype=centred.dtype, device=device_of(centred))
        # the product, unlike a sum over rows, keeps several partial sums: numbers of few digits round alike in one
        return _Block(float(block.shape[0]), pivot, ones @ centred, gram(centred, square))
    w = xp.astype(weights, centred.dtype)
    weighted = centred * xp.sqrt(w)[:, None]
    return _Block(float(xp.sum(float64(weights))), pivot, w @ centred, gram(weighted, square))
