"""Points on the unit sphere, pair by pair: tiles of chords, angles, and what the uniform distribution says.

A pair of unit rows u, v is known by its squared chords ‖u - v‖² = 2 - 2 cos and ‖u + v‖² = 2 + 2 cos. Where one of them
is so small that the product loses its digits, the tile is computed once more in float64 and the small chord is summed
directly, so that angles are exact near 0 and near π, where acos is not.
"""

from __future__ import annotations

from math import exp, lgamma, log
from typing import NamedTuple

import numpy as np

from skgeom._array import (
    as_data,
    epsilon,
    float64,
    is_on_host,
    matmul,
    namespace,
    sqrt_in_place,
    to_float,
    where,
)
from skgeom._core._rows import DirectedRows, norms
from skgeom._core.pairs._tiles import CLOSE, diagonal, panels, squared_distances
from skgeom._typing import Array

_CONTACT = float(16 * np.finfo(np.float64).eps) ** 2
"""Squared chords below this are the rounding of equal or of opposite directions, and count as 0."""


class Chords(NamedTuple):
    """Squared lengths ‖u - v‖² and ‖u + v‖² of the chords of pairs of unit rows, which sum to 4."""

    minus: Array
    plus: Array


class Sphere:
    """Unit rows cut into panels, cut from any gradient; `u` (n, d) holds them in the precision of the data."""

    def __init__(self, rows: DirectedRows) -> None:
        self.rows = DirectedRows(*map(as_data, rows))
        self.u = self.rows.unit()
        self.panels = panels(self.u)
        self.close = max(CLOSE, 1e4 * epsilon(self.u))

    def chords(self, i: int, j: int, out: np.ndarray | None = None) -> Chords:
        """Return the chords between the rows of two panels; a row and itself count as orthogonal."""
        xp = namespace(self.u)
        cosines = matmul(self.u[self.panels[i], :], self.u[self.panels[j], :].T, out)
        if i == j:
            cosines = where(diagonal(cosines), 0.0, cosines)
        if to_float(xp.max(xp.abs(cosines))) <= 1 - self.close:
            return Chords(2 - 2 * cosines, 2 + 2 * cosines)
        u, v = self.exact(self.panels[i]), self.exact(self.panels[j])
        squares = [_cut(squared_distances(u, side)) for side in (v, -v)]
        if i == j:
            squares = [where(diagonal(square), 2.0, square) for square in squares]
        return Chords(*(xp.astype(square, self.u.dtype) for square in squares))

    def exact(self, which: slice | Array) -> Array:
        """Return the unit rows of a panel, or at some positions, in float64."""
        x = self.rows.x
        x = float64(x[which, :] if isinstance(which, slice) else namespace(x).take(x, which, axis=0))
        return x / norms(x)[:, None]


def angle(chords: Chords) -> Array:
    """Return the angle of each pair, from 0 to π: 2 atan2(‖u - v‖, ‖u + v‖)."""
    minus, plus = (sqrt_in_place(+square) for square in chords)  # a copy each, for the root may overwrite
    return 2 * namespace(minus).atan2(minus, plus)


def chords_of(u: Array, v: Array) -> Chords:
    """Return the chords between rows of two arrays of unit rows, row by row."""
    xp = namespace(u)
    minus = _squares(u - v)
    if is_on_host(u) and to_float(xp.max(minus)) <= 3.99:  # elsewhere the question costs more than the answer
        return Chords(minus, 4 - minus)
    return Chords(minus, _squares(u + v))


def _squares(chords: Array) -> Array:
    return _cut(namespace(chords).vecdot(chords, chords))


def _cut(squares: Array) -> Array:
    return where(squares < _CONTACT, 0.0, squares)


def mean_gaussian(gamma: float, d: int) -> float:
    """Return the mean of exp(-γ ‖u - v‖²) over independent uniform u and v: e^(-2γ) ₀F₁(; d/2; γ²)."""
    m = np.arange(int(4 * gamma) + 60)
    log_terms = [2 * k * log(gamma) - lgamma(k + 1) - lgamma(d / 2 + k) for k in m] if gamma else [-lgamma(d / 2)]
    top = max(log_terms)
    return exp(top + lgamma(d / 2) - 2 * gamma) * sum(exp(term - top) for term in log_terms)
