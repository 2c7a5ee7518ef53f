"""Rotations of several spaces onto each other, from the sums over the pairs of every two spaces.

Only the cross moments are needed: each space in turn is rotated towards the sum of all others, which never makes the
fit worse (generalised Procrustes; Gower 1975, doi:10.1007/BF02291478; ten Berge 1977, doi:10.1007/BF02294053). The
resulting optimum depends on the start.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from itertools import chain, islice
from operator import add
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from skgeom._array import asarray_like, decomposed, namespace, standard_normal, to_float
from skgeom._core._rows import orthonormal
from skgeom._core.sums._align import SMALLEST_VARIANCE, nearest_orthogonal
from skgeom._core.sums._cross import CrossMoments
from skgeom._typing import Array

Crosses: TypeAlias = Mapping[tuple[int, int], CrossMoments]
"""The moments of the pairs of spaces k < l."""


class Consensus(NamedTuple):
    """Maps x @ rotation of each space to one, with rotations (d, p), Σ ‖x - y‖² over pairs of spaces, and the search.

    `n_open` is the number of directions of each space that the others do not determine.
    """

    rotations: list[Array]
    loss: float
    n_iter: int
    converged: bool
    n_open: list[int]


def consensus(crosses: Crosses, *, pivot: int, n_init: int, max_iter: int, tol: float, rng: Any) -> Consensus:
    """Return the best of the fits from several starts, in the axes of one space, the pivot.

    The starts are the leading eigenvectors of all sums, the spaces rotated towards the pivot, and random rotations.
    """
    spaces = _Spaces(crosses)
    starts = chain(
        (start() for start in (spaces.spectral, lambda: spaces.towards(pivot))),
        (spaces.random(rng) for _ in range(n_init)),
    )
    best = min((spaces.fitted(start, max_iter, tol) for start in islice(starts, n_init)), key=lambda found: found.loss)
    return best._replace(rotations=spaces.in_axes_of(pivot, best.rotations))


class _Spaces:
    """The sums between K spaces, the widest of which has p features, and the size of their rounding."""

    def __init__(self, crosses: Crosses) -> None:
        self.k = 1 + max(last for _, last in crosses)
        self.sums = {pair: m.xy for pair, m in crosses.items()}
        self.sums |= {(j, i): xy.T for (i, j), xy in self.sums.items()}
        squares = [crosses[0, 1].x_squares, *(crosses[0, i].y_squares for i in range(1, self.k))]
        lengths = [to_float(square) ** 0.5 for square in squares]
        self.widths = [self.sums[i, 0 if i else 1].shape[0] for i in range(self.k)]
        self.p = max(self.widths)
        self.squares = (self.k - 1) * sum(length**2 for length in lengths)
        self.tolerances = [SMALLEST_VARIANCE * length * (sum(lengths) - length) for length in lengths]

    def fitted(self, rotations: list[Array], max_iter: int, tol: float) -> Consensus:
        """Return the result of sweeps over all spaces, until one gains less than a share of Σ ⟨x, y⟩."""
        converged, n_iter, inner = False, 0, self.inner(rotations)
        while n_iter < max_iter and not converged:
            gain = 0.0
            for i in range(self.k):
                towards = self.towards_others(i, rotations)
                new = nearest_orthogonal(towards, self.tolerances[i])
                gain += _inner(new - rotations[i], towards)
                rotations[i] = new
            n_iter, inner = n_iter + 1, inner + gain
            converged = gain <= tol * abs(inner)
        loss = max(self.squares - 2 * self.inner(rotations), 0.0)
        return Consensus(rotations, loss, n_iter, converged, [self.n_open(i, rotations) for i in range(self.k)])

    def towards_others(self, i: int, rotations: list[Array]) -> Array:
        """Return the sum (d, p) of the other spaces, the target of space i."""
        return reduce(add, (self.sums[i, j] @ rotations[j] for j in range(self.k) if j != i))

    def inner(self, rotations: list[Array]) -> float:
        """Return Σ ⟨x, y⟩ over the rows of every two rotated spaces."""
        return sum(_inner(rotations[i], self.towards_others(i, rotations)) for i in range(self.k)) / 2

    def n_open(self, i: int, rotations: list[Array]) -> int:
        """Return the number of directions of a space without a partner in the others."""
        towards = self.towards_others(i, rotations)
        values = decomposed("svdvals", towards)
        return int(namespace(values).count_nonzero(values <= self.tolerances[i]))

    def in_axes_of(self, pivot: int, rotations: list[Array]) -> list[Array]:
        """Return rotations followed by one that restores the axes of the pivot.

        Directions without a partner are rotated once more, as their rule depends on the axes.
        """
        q, xp = rotations[pivot], namespace(rotations[pivot])
        padded = xp.concat([q, asarray_like(np.zeros((self.p - q.shape[0], self.p)), q)])
        turned = [q @ nearest_orthogonal(padded, 0.5).T for q in rotations]
        return [
            nearest_orthogonal(self.towards_others(i, turned), self.tolerances[i])
            if i != pivot and self.n_open(i, turned)
            else q
            for i, q in enumerate(turned)
        ]

    def spectral(self) -> list[Array]:
        """Return the rotations nearest to the leading eigenvectors of all sums."""
        xp = namespace(self.sums[0, 1])

        def block(i: int, j: int) -> Array:
            return asarray_like(np.zeros((self.widths[i],) * 2), self.sums[0, 1]) if i == j else self.sums[i, j]

        whole = xp.concat([xp.concat([block(i, j) for j in range(self.k)], axis=1) for i in range(self.k)])
        leading = decomposed("eigh", whole)[1][:, -self.p :]
        return [nearest_orthogonal(part, SMALLEST_VARIANCE) for part in self.cut(leading)]

    def cut(self, rows: Array) -> Iterator[Array]:
        """Yield the rows of each space."""
        stops = np.cumsum(self.widths)
        return (rows[int(stop) - width : int(stop), :] for stop, width in zip(stops, self.widths, strict=True))

    def towards(self, pivot: int) -> list[Array]:
        """Return the rotations of all spaces towards one."""
        axes = asarray_like(np.eye(self.widths[pivot], self.p), self.sums[0, 1])
        return [
            axes if i == pivot else nearest_orthogonal(self.sums[i, pivot] @ axes, self.tolerances[i])
            for i in range(self.k)
        ]

    def random(self, rng: Any) -> list[Array]:
        """Return random rotations."""
        drawn: Iterable[Array] = (
            orthonormal(standard_normal((self.p, self.p), rng, self.sums[0, 1])) for _ in self.widths
        )
        return [q[:width, :] for q, width in zip(drawn, self.widths, strict=True)]


def _inner(a: Array, b: Array) -> float:
    return to_float(namespace(a).sum(a * b))
