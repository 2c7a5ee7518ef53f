"""The distance of rows from the uniform distribution on the sphere, by random circles and random points.

Projected onto a plane, directions are angles on a circle, and the nearest evenly spaced angles are known: in the same
order, around their mean. Sorting them once yields both the sliced dispersion and the Wasserstein distance to the
uniform distribution.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from math import pi
from operator import add
from typing import Any

import numpy as np

from skgeom._array import (
    asarray_like,
    detached,
    device_of,
    float64,
    namespace,
    numbers,
    ratio,
    row_blocks,
    take_rows,
    to_numpy,
    vecdot,
    wants_gradient,
    where,
    with_gradients,
)
from skgeom._core._jackknife import merged_without_each
from skgeom._core._rows import DirectedRows, mean_of, unit
from skgeom._core._threads import in_threads
from skgeom._core.pairs._between_blocks import rows_without
from skgeom._core.pairs._sphere import angle, chords_of
from skgeom._typing import Array


def on_planes(x: Array, planes: Array) -> tuple[Array, Array]:
    """Return the coordinates (m, n) of rows x (n, d) in planes (2, m, d), each spanned by two orthonormal vectors."""
    return planes[0, :, :] @ x.T, planes[1, :, :] @ x.T


def on_axes(x: Array, first: Array, second: Array) -> tuple[Array, Array]:
    """Return the coordinates (m, n) of rows in the planes of two axes, given by their positions (m,)."""
    return take_rows(x.T, first), take_rows(x.T, second)


def sliced_dispersion(a: Array, b: Array) -> Array:
    """Return ½ Σ (θ - θ*)², averaged over planes, with θ the angles of the points (a, b) (m, n) in each plane.

    The θ* are the nearest evenly spaced angles: mean θ + 2π/n · (rank - (n - 1)/2). The residues θ - θ* are the
    gradient by θ, and do not depend on where the circle is cut. A point at the origin has no angle and no gradient.
    """
    u, v = _points(a, b)
    xp = namespace(u)
    m, n = u.shape
    theta = xp.atan2(v, u)
    rank = xp.argsort(xp.argsort(theta, axis=1), axis=1)
    residue = theta - 2 * pi / n * float64(rank)
    residue = residue - xp.mean(residue, axis=1, keepdims=True)
    value = xp.sum(residue * residue) / (2 * m)
    if not wants_gradient(a, b):
        return with_gradients(value, [a], [])
    turn = ratio(residue / m, u * u + v * v)
    return with_gradients(value, [a, b], [-turn * v, turn * u])


def sliced_dispersions_without(codes: np.ndarray, a: Array, b: Array) -> np.ndarray:
    """Return the sliced dispersion of the points outside each block, and of all (b + 1,), on the host.

    The codes (n,) of the blocks are there too. The angles in each plane are sorted once: those that are left keep their
    order, and the rank of one is the number of those before it.
    """
    xp, sizes = namespace(a), rows_without(codes)
    block_of, planes = asarray_like(codes, a, dtype=xp.int64), list(row_blocks(a))

    def of_planes(i: int) -> Array:
        u, v = _points(a[planes[i], :], b[planes[i], :])
        theta = xp.atan2(v, u)
        order = xp.argsort(theta, axis=1)
        theta = xp.take_along_axis(theta, order, axis=1)
        block = xp.reshape(xp.take(block_of, xp.reshape(order, (-1,))), order.shape)

        def without(one: int) -> Array:
            n, is_left = int(sizes[one]), block != one
            residue = where(is_left, theta - 2 * pi / n * xp.cumulative_sum(float64(is_left), axis=1), 0.0)
            mean = xp.sum(residue, axis=1, keepdims=True) / n
            return xp.sum(where(is_left, residue - mean, 0.0) ** 2)

        return xp.stack([without(one) for one in range(sizes.size)])

    return to_numpy(reduce(add, in_threads(a, of_planes, len(planes)))) / (2 * a.shape[0])


def spherical_sliced_wasserstein(a: Array, b: Array) -> Array:
    """Return W₂² to the uniform distribution of a circle of length 1, averaged."""
    return transport_cost(sliced_dispersion(a, b), a.shape[1])


def transport_cost(dispersion: Any, n: Any) -> Any:
    """Return W₂² from the sliced dispersion of n points: 2 · sliced / (n (2π)²) + 1/(12 n²)."""
    return dispersion * (2 / (n * (2 * pi) ** 2)) + 1 / (12 * n * n)


def least_angles(points: Array, *rows: Array) -> Array:
    """Return the squared angle (m,) of each point (m, d) in float64 to the nearest of some rows, given with norms."""
    directed = DirectedRows(*rows)
    x, length = map(detached, directed)
    xp = namespace(x)
    near = xp.astype(points, x.dtype)
    owners = _owners(x, near.shape[0], lambda block: near @ (x[block, :] / length[block][:, None]).T)
    return angle(chords_of(unit(float64(take_rows(directed.x, owners))), unit(points))) ** 2


def least_distances(points: Array, x: Array) -> Array:
    """Return the squared distance (m,) of each point (m, d) in float64 to the nearest row."""
    data = detached(x)
    centre = mean_of(data)
    near = points - centre

    def nearness(block: slice) -> Array:
        rows = float64(data[block, :]) - centre
        return near @ rows.T - vecdot(rows, rows)[None, :] / 2

    apart = points - float64(take_rows(x, _owners(data, near.shape[0], nearness)))
    return vecdot(apart, apart)


def means_of_least_without(codes: np.ndarray, rows: Sequence[Array], least: Callable[..., Array]) -> np.ndarray:
    """Return the mean over points of what is least for the rows outside each block, and for all (b + 1,), on the host.

    The codes (n,) of the blocks are there too. `least` returns it for each point, from arrays of some rows.
    """
    xp = namespace(*rows)
    blocks = [np.flatnonzero(codes == block) for block in range(int(codes.max()) + 1)]
    parts = [least(*(take_rows(array, block) for array in rows)) for block in blocks]
    return numbers([xp.mean(one) for one in merged_without_each(parts, xp.minimum)])


def _points(a: Array, b: Array) -> tuple[Array, Array]:
    """Return coordinates in float64, with -0.0, whose angle can be π, as 0.0."""
    u, v = (float64(detached(side)) + 0.0 for side in (a, b))
    return u, v


def _owners(x: Array, m: int, nearness: Callable[[slice], Array]) -> Array:
    """Return the position of the row nearest to each of m points, the first one of ties."""
    xp = namespace(x)
    best: Array | float = -xp.inf
    owners = xp.zeros((m,), dtype=xp.int64, device=device_of(x))
    for block in row_blocks(x, columns=m):
        near = nearness(block)
        top, nearest = xp.max(near, axis=1), block.start + xp.argmax(near, axis=1)
        owners, best = where(top > best, nearest, owners), where(top > best, top, best)
    return owners
