"""Points on the unit sphere, pair by pair: tiles of chords, angles, and their values for the uniform distribution.

A pair of unit rows u, v is represented by its squared chords ‖u - v‖² = 2 - 2 cos and ‖u + v‖² = 2 + 2 cos. If one of
them is so small that a product loses its digits, it is summed directly, so angles are exact near 0 and near π, where
acos is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from math import exp, inf, lgamma, log, log1p, pi
from operator import and_
from typing import NamedTuple

import numpy as np

from skgeom._array import (
    as_data,
    asarray_like,
    device_of,
    float64,
    is_on_host,
    namespace,
    scaled_bessel,
    sqrt_in_place,
    take_rows,
    to_float,
    vecdot,
    where,
)
from skgeom._core._rows import DirectedRows, norms
from skgeom._core.pairs._tiles import Squares, positions
from skgeom._typing import Array

_CONTACT = float(16 * np.finfo(np.float64).eps) ** 2
"""Squared chords below this are the rounding of equal or of opposite directions, and count as 0."""


_MOST_GAMMA = 1000
"""Largest γ for which the mean of a Gaussian kernel is summed term by term."""


class Chords(NamedTuple):
    """Squared lengths ‖u - v‖² and ‖u + v‖² of the chords of pairs of unit rows, which sum to 4."""

    minus: Array
    plus: Array


class Sphere:
    """Unit rows in panels, without gradient, with the tiles of their chords."""

    def __init__(self, rows: DirectedRows) -> None:
        self.rows = DirectedRows(*map(as_data, rows))
        self.squares = Squares(self.exact, self.rows.x, with_largest=True)
        self.panels, self.like, self.places = self.squares.panels, self.squares.like, self.squares.places

    def row(self, i: int, others: range) -> Iterator[tuple[int, Chords]]:
        """Yield j and the chords between the rows of panels i and j; a row counts as orthogonal to itself."""
        for j, minus in self.squares.row(i, others, own=2.0):
            yield j, self._chords(i, j, minus)

    def _chords(self, i: int, j: int, minus: Array) -> Chords:
        xp, close = namespace(minus), 2 * self.squares.close
        if not is_on_host(minus) or to_float(xp.min(minus)) < _CONTACT:  # elsewhere the check costs more than the cut
            minus = _cut(minus)
        plus = 4 - minus
        if 4 - self.squares.ends[i, j][1] < close:
            plus = _cut(self.squares.summed_directly(i, j, plus, *positions(plus < close), sign=-1))
        return Chords(minus, plus)

    def pulls(self, i: int, sums: Array) -> Array:
        """Return Σ_j w_ij v_j across each unit row u_i of a panel, from the sums Σ_j w_ij `places`_j (b, d + k).

        With v = b + s the weights W of a pivot b contribute W b, of which only the part orthogonal to u counts. It is
        computed in float64, since in a narrow cone, where b is nearly along u, it is small relative to W u, which would
        have to cancel in float32.
        """
        k, u = self.squares.k, self.exact(self.panels[i])
        weights = float64(sums[:, -k:])
        along = namespace(u).sum(weights * (u @ self.squares.pivots.T), axis=1, keepdims=True)
        return sums[:, :-k] + namespace(sums).astype(weights @ self.squares.pivots - along * u, sums.dtype, copy=False)

    def exact(self, which: slice | Array) -> Array:
        """Return the unit rows of a panel, or at some positions, in float64."""
        x = self.rows.x
        x = float64(x[which, :] if isinstance(which, slice) else take_rows(x, which))
        return x / norms(x)[:, None]


class Pairs:
    """Pairs of different unit rows: all, or those of the first rows with the others; none within a group.

    Parameters
    ----------
    rows : DirectedRows
        The rows; those of two clouds are stacked.
    n_first : int or None
        Number of rows of the first of two clouds; None for one cloud.
    groups : array (n,) of integers or None
        The group of each row, on the host.
    """

    def __init__(self, rows: DirectedRows, n_first: int | None = None, groups: np.ndarray | None = None) -> None:
        self.sphere = Sphere(rows)
        self.panels = self.sphere.panels
        self.n_first = n_first
        like = self.sphere.rows.x
        self.groups = None if groups is None else asarray_like(groups, like, dtype=namespace(like).int64)
        self.n = int(pairs_per_row(rows.x.shape[0], n_first, groups).sum()) // 2

    def row(self, i: int) -> Iterator[tuple[int, Chords, Array | None]]:
        """Yield j, the chords between panels i and j, and a mask of the pairs that count: None for all.

        A pair counts once, in the order of the rows, so j starts at i.
        """
        if self.n_first is not None and self.panels[i].start >= self.n_first:
            return
        begin = i if self.n_first is None else max(i, self.n_first // self.panels[0].stop)
        for j, chords in self.sphere.row(i, range(begin, len(self.panels))):
            yield j, chords, self._counting(i, j, chords.minus)

    def _counting(self, i: int, j: int, tile: Array) -> Array | None:
        """Return a mask of the pairs of a tile that count, or None for all."""
        xp, here, there = namespace(tile), self.panels[i], self.panels[j]
        conditions = []
        if self.n_first is None:
            if i == j:
                conditions.append(xp.triu(xp.ones_like(tile), k=1) > 0)
        elif here.stop > self.n_first or there.start < self.n_first:
            x, y = (xp.arange(p.start, p.stop, device=device_of(tile)) for p in (here, there))
            conditions.append((x < self.n_first)[:, None] & (y >= self.n_first)[None, :])
        if self.groups is not None:
            conditions.append(self.groups[here][:, None] != self.groups[there][None, :])
        return reduce(and_, conditions) if conditions else None


def pairs_per_row(n: int, n_first: int | None = None, groups: np.ndarray | None = None) -> np.ndarray:
    """Return the number of pairs of `Pairs` that contain each of n rows (n,)."""
    codes = np.arange(n) if groups is None else groups
    if n_first is None:
        return n - np.bincount(codes)[codes]
    first, second = (np.bincount(side, minlength=codes.max() + 1) for side in (codes[:n_first], codes[n_first:]))
    return np.r_[n - n_first - second[codes[:n_first]], n_first - first[codes[n_first:]]]


def angle(chords: Chords) -> Array:
    """Return the angle of each pair, from 0 to π: 2 atan2(‖u - v‖, ‖u + v‖)."""
    minus, plus = (sqrt_in_place(+square) for square in chords)  # copies, since the root may overwrite
    return 2 * namespace(minus).atan2(minus, plus)


def chords_of(u: Array, v: Array) -> Chords:
    """Return the chords between rows of two arrays of unit rows, row by row."""
    xp = namespace(u)
    minus = _squares(u - v)
    if is_on_host(u) and to_float(xp.max(minus)) <= 3.99:  # elsewhere the check costs more than it saves
        return Chords(minus, 4 - minus)
    return Chords(minus, _squares(u + v))


def _squares(chords: Array) -> Array:
    return _cut(vecdot(chords, chords))


def _cut(squares: Array) -> Array:
    return where(squares < _CONTACT, 0.0, squares)


def mean_gaussian(gamma: float, d: int) -> float:
    """Return the mean of exp(-γ ‖u - v‖²) over independent uniform u and v: e^(-2γ) ₀F₁(; d/2; γ²).

    That is Γ(d/2) γ^(-ν) e^(-2γ) I_ν(2γ) with ν = d/2 - 1, which replaces the sum of about 4γ terms for large γ.
    """
    order = d / 2 - 1
    if gamma > _MOST_GAMMA:
        return exp(lgamma(d / 2) - order * log(gamma) + _log_scaled_bessel(order, gamma))
    m = np.arange(int(4 * gamma) + 60)
    log_terms = [2 * k * log(gamma) - lgamma(k + 1) - lgamma(d / 2 + k) for k in m] if gamma else [-lgamma(d / 2)]
    top = max(log_terms)
    return exp(top + lgamma(d / 2) - 2 * gamma) * sum(exp(term - top) for term in log_terms)


def _log_scaled_bessel(order: float, gamma: float) -> float:
    """Return log(e^(-2γ) I_ν(2γ)), or -inf where γ is so small beside ν² that it underflows, and so does the mean.

    With ν ≤ γ the factor Γ(ν + 1) γ^(-ν) of the mean is of order 1 or less; with ν > γ the mean is below e^(-γ).

    SciPy has no value for γ above 5e8, where two terms of the expansion for large γ leave less than 1e-12 for any ν
    whose result does not vanish.
    """
    if gamma > 5e8:
        return log1p((1 - 4 * order**2) / 16 / gamma) - (log(4 * pi) + log(gamma)) / 2 if order**2 < gamma else -inf
    scaled = scaled_bessel(order, 2 * gamma)
    return log(scaled) if scaled > 0 else -inf
