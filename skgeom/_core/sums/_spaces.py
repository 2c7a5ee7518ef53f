"""The inner products between the rows of a space, and their agreement between two spaces of the same rows.

The n x n matrix of inner products of centred rows is never formed: its sums follow from the scatter of the rows and a
second pass over them, and those of two spaces from the scatter between them. Rows are scaled to a total square of 1.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, reduce
from operator import add

import numpy as np

from skgeom._array import (
    float64,
    matmul,
    namespace,
    numbers,
    on_host,
    row_blocks,
    rows_at,
    take_rows,
    to_float,
    to_numpy,
    vecdot,
    where,
)
from skgeom._core._permutation import Centred, DoublyCentred
from skgeom._core._threads import in_threads
from skgeom._core.sums._cross import cross_moments
from skgeom._core.sums._moments import moments
from skgeom._typing import Array

_EXACT_CUBES = 2048
"""Maximum number of rows for summing Σ A_ij³ over all pairs: its part in a skewness falls with the number of rows."""

_EQUIDISTANT = 1e-12
"""Share of its squares below which a matrix of inner products is rounding after double centring."""


class Space:
    """Rows x (n, d) about their mean, divided by the root of their total square."""

    def __init__(self, x: Array) -> None:
        m = moments(x, exact=True)
        xp, scatter = namespace(m.mean), m.dense().scatter
        total = xp.linalg.trace(scatter)
        self.x, self.n, self.mean = x, x.shape[0], m.mean
        self._unit = where(total > 0, where(total > 0, total, 1.0) ** -0.5, 0.0)
        self.scatter = scatter * self._unit**2
        self._lengths = self._over_blocks(lambda rows: vecdot(rows, rows))
        unit, squares, self.lengths = on_host(self._unit, xp.sum(self.scatter**2), self._lengths)
        self.unit, self.squares = float(unit), float(squares)

    def rows(self, which: slice | np.ndarray) -> Array:
        """Return some of the rows, centred and scaled, in float64."""
        return (float64(rows_at(self.x, which)) - self.mean) * self._unit

    @property
    def doubly_centred_squares(self) -> float:
        """Σ A_ij² of the doubly centred matrix without diagonal; 0 if it is rounding."""
        own = doubly_centred_product(self.squares, self, self)
        return own if own > _EQUIDISTANT * self.squares else 0.0

    @cached_property
    def doubly_centred(self) -> DoublyCentred:
        """The sums of the doubly centred matrix without diagonal, that of cubes left out for many rows.

        With P = F Σ Fᵀ, it is P - Δ; the rows of F are (x, 1, e) with e = ‖x‖² / (n - 2), and Δ is the diagonal of P.
        """
        n, xp = self.n, namespace(self.scatter)
        e, c = self._lengths / (n - 2), -1 / ((n - 1) * (n - 2))
        one, own = xp.ones_like(e), self._lengths + 2 * e + c
        rest = xp.stack([one, e])
        beside = xp.concat([xp.stack([0.0 * self.mean, self._sum(e)]), rest @ rest.T], axis=1)
        inner = xp.concat([xp.concat([self.scatter, beside[:, :-2].T], axis=1), beside])

        def through_sigma(rows: Array) -> Array:
            return xp.concat([rows[:-2, :], c * rows[-2:-1, :] + rows[-1:, :], rows[-2:-1, :]])

        step = through_sigma(inner)
        form = through_sigma(step.T).T

        def of_block(x: Array, one: Array, e: Array) -> Array:
            f = xp.concat([x, xp.stack([one, e], axis=1)], axis=1)
            return vecdot(matmul(f, form, None), f)

        squared = self._over_blocks(of_block, one, e)
        cubed = xp.sum((step @ step) * step.T) - 3 * vecdot(own, squared) + 2 * xp.sum(own**3)
        cubes = self._cubes(e - 0.5 / ((n - 1) * (n - 2))) if n <= _EXACT_CUBES else 0.0 * cubed
        sums = numbers([cubed, cubes, _concentration(squared - own**2)]).tolist()
        return DoublyCentred(self.doubly_centred_squares, *sums)

    @cached_property
    def centred(self) -> Centred:
        """The sums of the matrix of inner products; that of cubes needs all pairs of rows."""
        xp, s, g = namespace(self.scatter), self.scatter, self._lengths
        squares = self._over_blocks(lambda x: vecdot(matmul(x, s, None), x))
        towards, squared = self._sum(g), g * g
        sums = (
            xp.sum(g),
            vecdot(g, g),
            vecdot(squared, g),
            vecdot(towards, towards),
            xp.sum((s @ s) * s),
            self._cubes(xp.zeros_like(g)) + vecdot(squared, g),
            vecdot(g, squares),
            _concentration(squares),
        )
        total, *rest = numbers(sums).tolist()
        return Centred(total, self.squares, *rest)

    def _sum(self, weights: Array) -> Array:
        """Return Σ w x over the rows."""
        return reduce(add, (weights[rows] @ self.rows(rows) for rows in self._blocks()))

    def _over_blocks(self, work: Callable[..., Array], *beside: Array) -> Array:
        """Return a function of each row (n,), from blocks of rows and of what is given beside them."""
        blocks = self._blocks()

        def of_block(i: int) -> Array:
            return work(self.rows(blocks[i]), *(values[blocks[i]] for values in beside))

        return namespace(self.scatter).concat(in_threads(self.x, of_block, len(blocks)))

    def _blocks(self) -> list[slice]:
        return list(row_blocks(self.x, columns=2 * self.x.shape[1]))

    def _cubes(self, offset: Array) -> Array:
        """Return Σ (⟨x_i, x_j⟩ + o_i + o_j)³ over pairs of different rows."""
        blocks = list(row_blocks(self.x, columns=4 * self.x.shape[1]))
        xp = namespace(self.scatter)

        def of_panel(i: int) -> Array:
            left, total = self.rows(blocks[i]), 0.0 * offset[0]
            for j in range(i, len(blocks)):
                values = left @ self.rows(blocks[j]).T + offset[blocks[i]][:, None] + offset[blocks[j]][None, :]
                cubes = values * values * values
                total = total + (2 * xp.sum(cubes) if j > i else xp.sum(cubes) - xp.linalg.trace(cubes))
            return total

        return reduce(add, in_threads(self.x, of_panel, len(blocks)))


def _concentration(squares: Array) -> Array:
    return namespace(squares).sum(squares**2) / namespace(squares).sum(squares) ** 2


def squared_agreement(x: Space, y: Space, order: np.ndarray | None = None) -> Array:
    """Return tr(A B) = ‖Xᵀ Y‖² of the inner products of two spaces, with the rows of the second in some order."""
    other = y.x if order is None else take_rows(y.x, order)
    between = cross_moments(x.x, other).xy
    return namespace(between).sum(between * between) * (x.unit * y.unit) ** 2


def doubly_centred_product(agreement: float, x: Space, y: Space, order: np.ndarray | slice = slice(None)) -> float:
    """Return Σ A_ij B_ij of the doubly centred matrices without diagonal, from tr(A B) of the centred ones."""
    n = x.n
    lengths = float(x.lengths @ y.lengths[order])
    return agreement - lengths + 1 / ((n - 1) * (n - 2)) - 2 / (n - 2) * lengths


def shuffled_agreement(x: Space, y: Space) -> Callable[[np.ndarray], float]:
    """Return `squared_agreement` as a function of the order of the rows of y, fast for few rows."""
    if x.n > _EXACT_CUBES:
        return lambda order: to_float(squared_agreement(x, y, order))
    a, b = (to_numpy(rows @ rows.T) for rows in (space.rows(slice(0, x.n)) for space in (x, y)))
    return lambda order: float(np.vdot(a, b[order[:, None], order[None, :]]))
