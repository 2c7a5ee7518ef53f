"""Points on the unit sphere, pair by pair: tiles of chords, angles, and what the uniform distribution says.

A pair of unit rows u, v is known by its squared chords ‖u - v‖² = 2 - 2 cos and ‖u + v‖² = 2 + 2 cos. Where one of them
is so small that a product loses its digits, it is summed directly, so that angles are exact near 0 and near π, where
acos is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, lgamma, log
from typing import NamedTuple

import numpy as np

from skgeom._array import (
    as_data,
    float64,
    is_on_host,
    namespace,
    sqrt_in_place,
    to_float,
    where,
)
from skgeom._core._rows import DirectedRows, norms
from skgeom._core.pairs._tiles import Squares, positions
from skgeom._typing import Array

_CONTACT = float(16 * np.finfo(np.float64).eps) ** 2
"""Squared chords below this are the rounding of equal or of opposite directions, and count as 0."""


class Chords(NamedTuple):
    """Squared lengths ‖u - v‖² and ‖u + v‖² of the chords of pairs of unit rows, which sum to 4."""

    minus: Array
    plus: Array


class Sphere:
    """Unit rows cut into panels, cut from any gradient, with the tiles of their chords."""

    def __init__(self, rows: DirectedRows) -> None:
        self.rows = DirectedRows(*map(as_data, rows))
        self.squares = Squares(self.exact, self.rows.x)
        self.panels, self.like, self.places = self.squares.panels, self.squares.like, self.squares.places

    def row(self, i: int, others: range) -> Iterator[tuple[int, Chords]]:
        """Yield j and the chords between the rows of panels i and j; a row and itself count as orthogonal."""
        for j, minus in self.squares.row(i, others, own=2.0):
            yield j, self._chords(i, j, minus)

    def _chords(self, i: int, j: int, minus: Array) -> Chords:
        xp, close = namespace(minus), 2 * self.squares.close
        if to_float(xp.min(minus)) < _CONTACT:
            minus = _cut(minus)
        plus = 4 - minus
        if to_float(xp.min(plus)) < close:
            plus = _cut(self.squares.summed_directly(i, j, plus, *positions(plus < close), sign=-1))
        return Chords(minus, plus)

    def pulls(self, i: int, sums: Array) -> Array:
        """Return Σ_j w_ij v_j across each unit row u_i of a panel, from the sums Σ_j w_ij `places`_j (b, d + k).

        With v = b + s the weights of a pivot b move it by W b, of which only what is across u counts: in float64, since
        it is small in a narrow cone, where b is along u, and beside W u, which float32 would have to cancel.
        """
        k, u = self.squares.k, self.exact(self.panels[i])
        weights = float64(sums[:, -k:])
        along = namespace(u).sum(weights * (u @ self.squares.pivots.T), axis=1, keepdims=True)
        return sums[:, :-k] + namespace(sums).astype(weights @ self.squares.pivots - along * u, sums.dtype, copy=False)

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
