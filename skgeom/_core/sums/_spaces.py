"""The inner products between the rows of a space, and their agreement between two spaces of the same rows.

The n x n matrix of inner products of centred rows is never formed: its sums follow from the scatter of the rows and a
second pass over them, and those of two spaces from the scatter between them. Rows are scaled to a total square of 1.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial

import numpy as np

from skgeom._array import (
    asarray_like,
    float64,
    matmul,
    namespace,
    row_blocks,
    rows_at,
    take_rows,
    to_float,
    to_numpy,
    vecdot,
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
        scatter = m.dense().scatter
        total = to_float(namespace(scatter).linalg.trace(scatter))
        self.x, self.n, self.mean = x, x.shape[0], m.mean
        self.unit = total**-0.5 if total > 0 else 0.0
        self.scatter = scatter * self.unit**2
        self.squares = to_float(namespace(scatter).sum(self.scatter**2))
        self.lengths: np.ndarray = np.concatenate([self._squares(rows) for rows in self._blocks()])

    def rows(self, which: slice | np.ndarray) -> Array:
        """Return some of the rows, centred and scaled, in float64."""
        return (float64(rows_at(self.x, which)) - self.mean) * self.unit

    def _blocks(self) -> list[slice]:
        return list(row_blocks(self.x, columns=2 * self.x.shape[1]))

    def _squares(self, which: slice) -> np.ndarray:
        rows = self.rows(which)
        return to_numpy(vecdot(rows, rows))

    @property
    def doubly_centred_squares(self) -> float:
        """Σ A_ij² of the doubly centred matrix without diagonal; 0 if it is rounding."""
        own = doubly_centred_product(self.squares, self, self)
        return own if own > _EQUIDISTANT * self.squares else 0.0

    @property
    def doubly_centred(self) -> DoublyCentred:
        """The sums of the doubly centred matrix without diagonal."""
        cubed, concentration = self.doubly_centred_trace
        return DoublyCentred(self.doubly_centred_squares, cubed, self._doubly_centred_cubes, concentration)

    @cached_property
    def _doubly_centred_cubes(self) -> float:
        """Σ A_ij³ of the doubly centred matrix without diagonal, left out for many rows."""
        n = self.n
        return self._cubes((self.lengths - 0.5 / (n - 1)) / (n - 2)) if n <= _EXACT_CUBES else 0.0

    @cached_property
    def doubly_centred_trace(self) -> tuple[float, float]:
        """The trace of A³, with A the doubly centred matrix without diagonal, and κ of its rows.

        With P = F Σ Fᵀ, it is P - Δ; the rows of F are (x, 1, e) with e = ‖x‖² / (n - 2), and Δ is the diagonal of P.
        """
        n, xp = self.n, namespace(self.scatter)
        e, c = self.lengths / (n - 2), -1 / ((n - 1) * (n - 2))
        own = self.lengths + 2 * e + c
        towards_e = to_numpy(self._sum(self.lengths)) / (n - 2)
        d = self.scatter.shape[0]
        inner = np.zeros((d + 2, d + 2))
        inner[:d, :d] = to_numpy(self.scatter)
        inner[:d, -1] = inner[-1, :d] = towards_e
        inner[-2:, -2:] = np.array([[n, np.sum(e)], [np.sum(e), e @ e]])
        sigma = np.eye(d + 2)
        sigma[-2:, -2:] = np.array([[c, 1.0], [1.0, 0.0]])
        step = sigma @ inner
        form = asarray_like(step @ sigma, self.scatter, dtype=xp.float64)

        def diagonal(rows: slice) -> np.ndarray:
            x = self.rows(rows)
            rest = np.stack([np.ones(rows.stop - rows.start), e[rows]], axis=1)
            f = xp.concat([x, asarray_like(rest, x, dtype=xp.float64)], axis=1)
            return to_numpy(vecdot(matmul(f, form, None), f))

        squared = self._over_blocks(diagonal)
        cubed = float(np.sum((step @ step) * step.T)) - 3 * float(own @ squared) + 2 * float(np.sum(own**3))
        return cubed, _concentration(squared - own**2)

    @cached_property
    def centred(self) -> Centred:
        """The sums of the matrix of inner products; that of cubes needs all pairs of rows."""
        xp, s, g = namespace(self.scatter), self.scatter, self.lengths

        def row_squares(rows: slice) -> np.ndarray:
            x = self.rows(rows)
            return to_numpy(vecdot(matmul(x, s, None), x))

        squares = self._over_blocks(row_squares)
        towards = to_numpy(self._sum(g))
        return Centred(
            float(g.sum()),
            self.squares,
            float(g @ g),
            float(g**2 @ g),
            float(towards @ towards),
            to_float(xp.sum((s @ s) * s)),
            self._cubes(np.zeros(self.n)) + float(np.sum(g**3)),
            float(g @ squares),
            _concentration(squares),
        )

    def _sum(self, weights: np.ndarray) -> Array:
        """Return Σ w x over the rows."""
        xp = namespace(self.scatter)
        parts = [
            asarray_like(weights[rows], self.scatter, dtype=xp.float64) @ self.rows(rows) for rows in self._blocks()
        ]
        return xp.sum(xp.stack(parts), axis=0)

    def _over_blocks(self, work: Callable[[slice], np.ndarray]) -> np.ndarray:
        blocks = self._blocks()
        return np.concatenate(in_threads(self.x, lambda i: work(blocks[i]), len(blocks)))

    def _cubes(self, offset: np.ndarray) -> float:
        """Return Σ (⟨x_i, x_j⟩ + o_i + o_j)³ over pairs of different rows."""
        blocks = list(row_blocks(self.x, columns=4 * self.x.shape[1]))
        xp = namespace(self.scatter)

        def of_panel(i: int) -> float:
            left, total = self.rows(blocks[i]), 0.0
            o = asarray_like(offset[blocks[i]], left, dtype=xp.float64)
            for j in range(i, len(blocks)):
                p = asarray_like(offset[blocks[j]], left, dtype=xp.float64)
                values = left @ self.rows(blocks[j]).T + o[:, None] + p[None, :]
                cubes = values * values * values
                total += (2 if j > i else 1) * to_float(xp.sum(cubes))
                if i == j:
                    total -= to_float(xp.linalg.trace(cubes))
            return total

        return sum(in_threads(self.x, of_panel, len(blocks)))


def _concentration(squares: np.ndarray) -> float:
    return float(np.sum(squares**2) / np.sum(squares) ** 2)


def squared_agreement(x: Space, y: Space, order: np.ndarray | None = None) -> float:
    """Return tr(A B) = ‖Xᵀ Y‖² of the inner products of two spaces, with the rows of the second in some order."""
    other = y.x if order is None else take_rows(y.x, order)
    between = cross_moments(x.x, other).xy
    return to_float(namespace(between).sum(between * between)) * (x.unit * y.unit) ** 2


def doubly_centred_product(agreement: float, x: Space, y: Space, order: np.ndarray | slice = slice(None)) -> float:
    """Return Σ A_ij B_ij of the doubly centred matrices without diagonal, from tr(A B) of the centred ones."""
    n = x.n
    lengths = float(x.lengths @ y.lengths[order])
    return agreement - lengths + 1 / ((n - 1) * (n - 2)) - 2 / (n - 2) * lengths


def shuffled_agreement(x: Space, y: Space) -> Callable[[np.ndarray], float]:
    """Return `squared_agreement` as a function of the order of the rows of y, fast for few rows."""
    if x.n > _EXACT_CUBES:
        return partial(squared_agreement, x, y)
    a, b = (to_numpy(rows @ rows.T) for rows in (space.rows(slice(0, x.n)) for space in (x, y)))
    return lambda order: float(np.vdot(a, b[order[:, None], order[None, :]]))
