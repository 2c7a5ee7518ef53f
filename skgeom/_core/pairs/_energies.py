"""Energies and losses over all pairs of directions, in bounded memory, with their gradients.

A mean over pairs uses the tiles of the upper triangle once. If a gradient is needed, each tile adds its share while it
is in cache, and the result is attached to the value, without a graph of the n x n steps. Losses of nearest neighbours
are kernels of the n pairs from a search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from math import exp
from threading import Lock
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

import numpy as np

from skgeom._array import (
    as_data,
    asarray_like,
    float64,
    is_on_host,
    logsumexp,
    matmul,
    namespace,
    on_host,
    overwrite_diagonal,
    scratch,
    sum_at,
    to_float,
    to_numpy,
    vecdot,
    wants_gradient,
    where,
    with_gradients,
)
from skgeom._core._rows import DirectedRows
from skgeom._core._threads import in_threads
from skgeom._core.pairs._between_blocks import in_block_order, rows_without, sums_between, without_each
from skgeom._core.pairs._sphere import Chords, Sphere, chords_of, mean_gaussian
from skgeom._core.pairs._tiles import panels
from skgeom._typing import Array

Kernel: TypeAlias = Callable[[Chords], tuple[Array, Array]]
"""From the chords of pairs, the energy k of each and its derivative dk/dcos, 0 where the direction is undefined."""

_SAFE_EXPONENT = 60.0
"""Exponentials of numbers above minus this value keep their precision in float32."""

_SAFE_RISE = 18.0
"""The exponential of this number, times a sharpness of up to 1e30, stays within float32."""


def cosine(chords: Chords) -> tuple[Array, Array]:
    """Return the cosine itself."""
    return 1 - chords.minus / 2, namespace(chords.minus).ones_like(chords.minus)


def gaussian(gamma: float, least: float, chords: Chords) -> tuple[Array, Array]:
    """Return exp(-γ (‖u - v‖² - least)), bounded: rounding may put a pair below the least of all."""
    xp = namespace(chords.minus)
    exponent = -gamma * (chords.minus - least) if least else -gamma * chords.minus
    k = xp.exp(xp.clip(exponent, max=_SAFE_RISE) if least else exponent)
    return k, 2 * gamma * k


def geodesic_gaussian(gamma: float, chords: Chords) -> tuple[Array, Array]:
    """Return exp(-γ θ²)."""
    theta, sine = _angle_and_sine(chords)
    k = namespace(theta).exp(-gamma * theta**2)
    at_contact = chords.minus == 0
    return k, 2 * gamma * k * where(at_contact, 1.0, _over(theta, sine))


def laplace(gamma: float, chords: Chords) -> tuple[Array, Array]:
    """Return exp(-γ ‖u - v‖)."""
    xp = namespace(chords.minus)
    distance = xp.sqrt(chords.minus)
    k = xp.exp(-gamma * distance)
    return k, gamma * _over(k, distance)


def geodesic_laplace(gamma: float, chords: Chords) -> tuple[Array, Array]:
    """Return exp(-γ θ)."""
    theta, sine = _angle_and_sine(chords)
    k = namespace(theta).exp(-gamma * theta)
    return k, gamma * _over(k, sine)


def riesz(s: float, chords: Chords) -> tuple[Array, Array]:
    """Return ‖u - v‖^(-s); -log ‖u - v‖ for s = 0, and -‖u - v‖^|s| for s < 0."""
    k, slope = _power(s / 2, chords.minus)
    return (k / 2, slope) if s == 0 else (k, 2 * slope)


def geodesic_riesz(s: float, chords: Chords) -> tuple[Array, Array]:
    """Return θ^(-s); -log θ for s = 0, and -θ^|s| for s < 0."""
    theta, sine = _angle_and_sine(chords)
    k, slope = _power(s, theta)
    return k, _over(slope, sine)


KERNELS: dict[tuple[str, str], Callable[[float], Kernel]] = {
    ("gaussian", "chordal"): lambda gamma: partial(gaussian, gamma, 0.0),
    ("gaussian", "geodesic"): lambda gamma: partial(geodesic_gaussian, gamma),
    ("laplace", "chordal"): lambda gamma: partial(laplace, gamma),
    ("laplace", "geodesic"): lambda gamma: partial(geodesic_laplace, gamma),
    ("riesz", "chordal"): lambda s: partial(riesz, s),
    ("riesz", "geodesic"): lambda s: partial(geodesic_riesz, s),
}
"""The kernel of a given sharpness or exponent, by the names of the kernel and of its distance."""


MINUS_ANGLE: Kernel = partial(geodesic_riesz, -1.0)
MINUS_LOG_DISTANCE: Kernel = partial(riesz, 0.0)


T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Space(Protocol[T_co]):
    """A source of tiles of pairs of rows, and of the gradients by rows from weights of pairs.

    `places` (b, d + k) are the terms of sums over the rows of a panel, and `pulls` the gradients (b, d) from the
    weighted sums of these.
    """

    @property
    def like(self) -> Array: ...
    @property
    def panels(self) -> list[slice]: ...
    def row(self, i: int, others: range) -> Iterator[tuple[int, T_co]]: ...
    def places(self, j: int) -> Array: ...
    def pulls(self, i: int, sums: Array) -> Array: ...


class Nearest(NamedTuple):
    """Rows and their panels, the position (n,) of the row with the minimum angle to each, and the chords of the two."""

    rows: DirectedRows
    sphere: Sphere
    position: Array
    chords: Chords


def mean_energy(rows: DirectedRows, kernel: Kernel) -> Array:
    """Return the mean of a kernel over the pairs of different rows."""
    n = rows.x.shape[0]
    scale = 2 / (n * (n - 1))
    value, gradients = sum_over_pairs(Sphere(rows), kernel, with_gradient=wants_gradient(rows.x))
    return with_gradients(value * scale, [rows.unit()], [g * scale for g in gradients])


def mean_energies_without(codes: np.ndarray, rows: DirectedRows, kernel: Kernel) -> Array:
    """Return the mean of a kernel over the pairs of rows outside each block (b,), and over all pairs.

    The codes (n,) of the blocks are on the host. One pass computes the sums between all blocks.
    """
    sphere, codes = _sphere_in_blocks(codes, rows)
    sums, n = sums_over_pairs_without(codes, sphere, kernel), rows_without(codes)
    return asarray_like(sums / (n * (n - 1)), sphere.like, dtype=namespace(sphere.like).float64)


def uniformity(rows: DirectedRows, t: float, mean_of: Callable[[DirectedRows, Kernel], Array] = mean_energy) -> Array:
    """Return log mean exp(-t ‖u - v‖²) over the pairs of different rows, in logarithms if t is large."""
    least = 0.0
    if 4 * t > _SAFE_EXPONENT:
        chords = nearest_in_angle(rows).chords.minus
        least = to_float(namespace(chords).min(chords))
    mean = mean_of(rows, partial(gaussian, t, least))
    xp, n = namespace(mean), rows.x.shape[0]
    if least and mean.ndim == 0:  # the nearest pair alone gives more, unless rounding moved it away
        mean = xp.clip(mean, min=2 / (n * (n - 1)) * exp(-_SAFE_EXPONENT))
    return xp.log(mean) - t * least


def mmd_uniform(rows: DirectedRows, gamma: float) -> Array:
    """Return the squared MMD to the uniform distribution under exp(-γ ‖u - v‖²): its mean less the expected one."""
    n, d = rows.x.shape
    return _discrepancy(mean_energy(rows, partial(gaussian, gamma, 0.0)), n, d, gamma)


def mmd_uniform_without(codes: np.ndarray, rows: DirectedRows, gamma: float) -> np.ndarray:
    """Return the same for the rows outside each block, and for all rows (b + 1,)."""
    means = to_numpy(mean_energies_without(codes, rows, partial(gaussian, gamma, 0.0)))
    return _discrepancy(means, rows_without(codes), rows.x.shape[1], gamma)


def min_angle(found: Nearest) -> Array:
    """Return the minimum angle between two rows."""
    k, slope = MINUS_ANGLE(found.chords)
    xp = namespace(k)
    top = xp.max(k)
    is_least = xp.astype(k == top, k.dtype)
    return -_of_nearest(found, top, slope * is_least / xp.sum(is_least))


def mma(found: Nearest) -> Array:
    """Return minus the mean angle of each row to its nearest neighbour."""
    return _mean_of_nearest(found, MINUS_ANGLE)


def mmcs(found: Nearest) -> Array:
    """Return the mean cosine of each row to its nearest neighbour."""
    return _mean_of_nearest(found, cosine)


def koleo(found: Nearest) -> Array:
    """Return minus the mean log distance of each row to its nearest neighbour."""
    return _mean_of_nearest(found, MINUS_LOG_DISTANCE)


def means_of_nearest_without(codes: np.ndarray, rows: DirectedRows, kernel: Kernel) -> np.ndarray:
    """Return the mean of a kernel over the rows outside a block, each with the nearest of these (b + 1,).

    The last is that of all rows. The codes (n,) of the blocks are on the host. A row whose nearest is left out uses the
    nearest in any other block, which the same search finds.
    """
    sphere, codes = _sphere_in_blocks(codes, rows)
    xp = namespace(sphere.like)
    pieces = [_runs(codes, panel) for panel in sphere.panels]
    of_piece = asarray_like([codes[piece.start] for each in pieces for piece in each], sphere.like, dtype=xp.int64)

    def search(i: int) -> list[np.ndarray]:
        least, position = _least(sphere, i, pieces)
        first = xp.argmin(least, axis=1)
        block = xp.take(of_piece, first)
        second = xp.argmin(where(of_piece[None, :] == block[:, None], xp.inf, least), axis=1)
        own = sphere.exact(sphere.panels[i])
        return [
            to_numpy(block),
            *(to_numpy(kernel(chords_of(own, sphere.exact(_picked(position, one))))[0]) for one in (first, second)),
        ]

    block, first, second = map(np.concatenate, zip(*in_threads(sphere.like, search, len(sphere.panels)), strict=True))
    left = [np.where(block == one, second, first)[codes != one] for one in range(codes[-1] + 1)]
    return np.array([values.mean() for values in (*left, first)])


def nearest_in_angle(rows: DirectedRows) -> Nearest:
    """Return the row nearest to each row, with their chords, summed directly in float64."""
    sphere = Sphere(rows)
    xp = namespace(sphere.rows.x)

    def search(i: int) -> tuple[Array, Chords]:
        least, position = _least(sphere, i, [[panel] for panel in sphere.panels])
        found = _picked(position, xp.argmin(least, axis=1))
        return found, chords_of(sphere.exact(sphere.panels[i]), sphere.exact(found))

    positions, chords = zip(*in_threads(sphere.rows.x, search, len(sphere.panels)), strict=True)
    return Nearest(
        rows, sphere, xp.concat(positions), Chords(*(xp.concat(sides) for sides in zip(*chords, strict=True)))
    )


def nt_xent(a: Array, b: Array, partners: tuple[Array, Array] | None = None) -> Array:
    """Return the symmetric cross-entropy of the logits a bᵀ.

    Partners are on the diagonal. With arrays (n, d) of means of partners, several rows belong to each row, and count by
    their mean: those of a for each row of b, and those of b for each row of a.
    """
    logits = _Logits(as_data(a), as_data(b), partners)
    of_rows, of_columns = logits.log_sums()
    value = _mean((of_rows + of_columns) / 2 - float64(logits.positive))
    return with_gradients(value, [a, b], logits.gradients(of_rows, of_columns) if wants_gradient(a, b) else [])


def nt_xent_without(codes: np.ndarray, a: Array, b: Array) -> np.ndarray:
    """Return `nt_xent` of the pairs outside each block, and of all pairs (b + 1,).

    The codes (n,) of the blocks are on the host. One pass computes the sums over each block.
    """
    codes, a, b = in_block_order(codes, as_data(a), as_data(b))
    logits = _Logits(a, b, slices=[run for panel in panels(a) for run in _runs(codes, panel)])
    sums, positive = on_host(logits.log_sums_of_panels(), float64(logits.positive))
    first = np.flatnonzero(np.diff([codes[panel.start] for panel in logits.panels], prepend=-1))
    of_rows, of_columns = (_log_sums_without(np.logaddexp.reduceat(side, first)) for side in sums)
    losses = (of_rows + of_columns) / 2 - positive
    return np.array([part[codes != block].mean() for block, part in enumerate(losses)])


def _log_sums_without(sums: np.ndarray) -> np.ndarray:
    """Return the log sums (b + 1, n) over all blocks but one, and over all, from those over each (b, n)."""
    none = np.full_like(sums[:1], -np.inf)
    before = np.logaddexp.accumulate(np.concatenate([none, sums]))
    after = np.logaddexp.accumulate(np.concatenate([none, sums[:0:-1]]))[::-1]
    return np.concatenate([np.logaddexp(before[:-1], after), before[-1:]])


def _mean(values: Array) -> Array:
    return namespace(values).mean(float64(values))


def _over(numerator: Array, denominator: Array) -> Array:
    """Return the quotient, 0 where the denominator is 0."""
    if is_on_host(denominator) and to_float(namespace(denominator).min(denominator)) > 0:
        return numerator / denominator
    defined = denominator > 0
    return where(defined, numerator / where(defined, denominator, 1.0), 0.0)


def _angle_and_sine(chords: Chords) -> tuple[Array, Array]:
    xp = namespace(chords.minus)
    minus, plus = xp.sqrt(chords.minus), xp.sqrt(chords.plus)
    return 2 * xp.atan2(minus, plus), minus * plus / 2


def _power(s: float, x: Array) -> tuple[Array, Array]:
    """Return x^(-s), or -log x for s = 0, or -x^|s| for s < 0, and minus its derivative, 0 at 0.

    High powers are float64: float32 overflows where two rows are close, but apart.
    """
    xp = namespace(x)
    apart = x > 0
    positive = where(apart, x, 1.0)
    positive = float64(positive) if abs(s) > 1 else positive
    with np.errstate(over="ignore"):  # the energy is inf then
        power = positive ** (-s) if s else -xp.log(positive)
    k = where(apart, power if s >= 0 else -power, xp.inf if s >= 0 else 0.0)
    return k, where(apart, (abs(s) * power if s else 1.0) / positive, 0.0)


def sum_over_pairs(
    space: Space[T], kernel: Callable[[T], tuple[Array, Array]], *, with_gradient: bool
) -> tuple[Array, list[Array]]:
    """Return the sum of a kernel over the pairs i < j, and, if requested, its gradient with respect to the rows.

    The kernel returns the values of a tile, and the weights of its pairs in the gradient.
    """
    n_panels, like = len(space.panels), space.like
    xp = namespace(like)
    pulls = [0.0 * space.places(i) for i in range(n_panels)] if with_gradient else []
    lock = Lock()

    def work(i: int) -> Array:
        total: list[Array] = []
        own: Array | float = 0.0
        for j, tile in space.row(i, range(i, n_panels)):
            k, slope = kernel(tile)
            if i == j:
                k, slope = (overwrite_diagonal(part, 0.0) for part in (k, slope))
            total.append(xp.sum(float64(xp.sum(k, axis=1))) / (2 if i == j else 1))
            if with_gradient:
                own = own + slope @ space.places(j)
                if i != j:
                    mirrored = slope.T @ space.places(i)
                    with lock:
                        pulls[j] = pulls[j] + mirrored
        if with_gradient:
            with lock:
                pulls[i] = pulls[i] + own
        return xp.sum(xp.stack(total))

    total = xp.sum(xp.stack(in_threads(like, work, n_panels)))
    return total, [xp.concat([space.pulls(i, pull) for i, pull in enumerate(pulls)])] if with_gradient else []


def sums_over_pairs_without(
    codes: np.ndarray, space: Space[T], kernel: Callable[[T], tuple[Array, Array]]
) -> np.ndarray:
    """Return the sum of a kernel over the ordered pairs of rows outside each block, and over all (b + 1,).

    The codes (n,) of the blocks are sorted. The sums are NaN if that of a pair is infinite.
    """

    def tiles(i: int) -> Iterator[tuple[int, list[Array]]]:
        for j, tile in space.row(i, range(i, len(space.panels))):
            k, _ = kernel(tile)
            yield j, [overwrite_diagonal(k, 0.0) if i == j else k]

    return without_each(sums_between(codes, space.panels, space.like, tiles, mirrored=True)[0])


def _discrepancy(mean: Any, n: Any, d: int, gamma: float) -> Any:
    return mean * ((n - 1) / n) + (1 / n - mean_gaussian(gamma, d))


def _sphere_in_blocks(codes: np.ndarray, rows: DirectedRows) -> tuple[Sphere, np.ndarray]:
    """Return the directions block after block, and the block of each."""
    codes, *sides = in_block_order(codes, *rows)
    return Sphere(DirectedRows(*sides)), codes


def _runs(codes: np.ndarray, panel: slice) -> list[slice]:
    """Return the ranges of rows of a panel that are in one block, given the sorted codes of all."""
    ends = panel.start + 1 + np.flatnonzero(np.diff(codes[panel]))
    return [slice(*ends) for ends in pairwise([panel.start, *ends.tolist(), panel.stop])]


def _least(sphere: Sphere, i: int, pieces: Sequence[Sequence[slice]]) -> tuple[Array, Array]:
    """Return the smallest ‖u - v‖² of each row of a panel to the other rows of each piece of the panels, with places.

    Both are (b, p).
    """
    xp = namespace(sphere.like)
    least, position = [], []
    for j, (minus, _) in sphere.row(i, range(len(sphere.panels))):
        if i == j:
            minus = overwrite_diagonal(minus, xp.inf)
        for piece in pieces[j]:
            start = sphere.panels[j].start
            part = minus[:, piece.start - start : piece.stop - start]
            least.append(xp.min(part, axis=1))
            position.append(xp.argmin(part, axis=1) + piece.start)
    return xp.stack(least, axis=1), xp.stack(position, axis=1)


def _picked(values: Array, place: Array) -> Array:
    """Return the entry at a place of each row (b,)."""
    return namespace(values).take_along_axis(values, place[:, None], axis=1)[:, 0]


def _mean_of_nearest(found: Nearest, kernel: Kernel) -> Array:
    k, slope = kernel(found.chords)
    return _of_nearest(found, _mean(k), slope / slope.shape[0])


def _of_nearest(found: Nearest, value: Array, slopes: Array) -> Array:
    """Return a function of the cosines of rows and their nearest, given its derivatives (n,) by them.

    The derivative by a unit row u with a partner v is v, and along the sphere v - u, which loses no digits at contact.
    """
    if not wants_gradient(found.rows.x):
        return with_gradients(value, [found.rows.x], [])
    sphere = found.sphere
    pulls = [
        slopes[panel][:, None] * (sphere.exact(found.position[panel]) - sphere.exact(panel)) for panel in sphere.panels
    ]
    gradient = namespace(sphere.rows.x).concat(pulls)
    return with_gradients(value, [found.rows.unit()], [gradient - sum_at(found.position, gradient)])


class _Logits:
    """Tiles of the logits a bᵀ, (n, n), and the sums for their softmax along rows and columns."""

    def __init__(
        self,
        a: Array,
        b: Array,
        partners: tuple[Array, Array] | None = None,
        slices: Sequence[slice] | None = None,
    ) -> None:
        self.a, self.b = a, b
        self.of_b, self.of_a = (a, b) if partners is None else partners
        self.positive = vecdot(a if partners is None else float64(a), self.of_a)
        self.panels = panels(a) if slices is None else slices
        self.most = max(panel.stop - panel.start for panel in self.panels)

    def tile(self, i: int, j: int, out: np.ndarray | None) -> Array:
        return matmul(self.a[self.panels[i], :], self.b[self.panels[j], :].T, out)

    def log_sums(self) -> tuple[Array, Array]:
        """Return log Σ exp of the logits over each row and over each column (n,), in float64."""
        xp = namespace(self.a)

        def work(i: int) -> tuple[Array, list[Array]]:
            rows, columns = self._log_sums_of(i)
            return _log_total(rows), columns

        parts = in_threads(self.a, work, len(self.panels))
        columns = zip(*(columns for _, columns in parts), strict=True)
        return xp.concat([rows for rows, _ in parts]), xp.concat([_log_total(part) for part in columns])

    def log_sums_of_panels(self) -> Array:
        """Return log Σ exp of the logits of each row and of each column over the entries of each panel (2, p, n)."""
        xp = namespace(self.a)
        parts = in_threads(self.a, self._log_sums_of, len(self.panels))
        of_rows = [xp.concat(part) for part in zip(*(rows for rows, _ in parts), strict=True)]
        return xp.stack([xp.stack(of_rows), xp.stack([xp.concat(columns) for _, columns in parts])])

    def _log_sums_of(self, i: int) -> tuple[list[Array], list[Array]]:
        """Return log Σ exp over the rows and over the columns of each tile in a row of tiles, in float64."""
        out = scratch(self.a, (self.most, self.most))
        tiles = (self.tile(i, j, out) for j in range(len(self.panels)))
        rows, columns = zip(*map(_log_sums, tiles), strict=True)
        return list(rows), list(columns)

    def gradients(self, of_rows: Array, of_columns: Array) -> list[Array]:
        """Return the gradients of the symmetric cross-entropy with respect to a and b."""
        xp = namespace(self.a)
        n = self.a.shape[0]
        blocks = [self.b[panel, :] for panel in self.panels]
        to_b = [0.0 * block for block in blocks]
        lock = Lock()

        def work(i: int) -> Array:
            out = scratch(self.a, (self.most, self.most))
            rows = self.panels[i]
            total: Any = 0.0
            for j, columns in enumerate(self.panels):
                p = _softmax(self.tile(i, j, out), of_rows[rows], of_columns[columns])
                total = total + p @ blocks[j]
                mirrored = p.T @ self.a[rows, :]
                with lock:
                    to_b[j] = to_b[j] + mirrored
            return total

        to_a = xp.concat(in_threads(self.a, work, len(self.panels)))
        return [(to_a / 2 - self.of_a) / n, (xp.concat(to_b) / 2 - self.of_b) / n]


def _log_sums(tile: Array) -> tuple[Array, Array]:
    """Return log Σ exp over the rows and over the columns of a tile, in float64: with one exponential if it is safe.

    Not on an accelerator, where the check would make the host wait: two exponentials cost less.
    """
    xp = namespace(tile)
    if is_on_host(tile):
        top = xp.max(tile)
        e = xp.exp(tile - top)
        sums = [float64(xp.sum(e, axis=axis)) for axis in (1, 0)]
        if min(to_float(xp.min(total)) for total in sums) > exp(-_SAFE_EXPONENT):
            return float64(top) + xp.log(sums[0]), float64(top) + xp.log(sums[1])
    return float64(logsumexp(tile, 1)), float64(logsumexp(tile, 0))


def _log_total(parts: Sequence[Array]) -> Array:
    """Return the logarithm of the sum of sums given by their logarithms."""
    return logsumexp(namespace(parts[0]).stack(parts), 0)


def _softmax(tile: Array, of_rows: Array, of_columns: Array) -> Array:
    """Return the softmax of the logits along the rows plus that along the columns, given the logarithms of the sums."""
    xp = namespace(tile)
    if is_on_host(tile):
        top = float64(xp.max(tile))
        if to_float(top) - min(to_float(xp.min(of_rows)), to_float(xp.min(of_columns))) < _SAFE_EXPONENT:
            shares = [xp.astype(xp.exp(top - log_sum), tile.dtype) for log_sum in (of_rows, of_columns)]
            return xp.exp(tile - xp.astype(top, tile.dtype)) * (shares[0][:, None] + shares[1][None, :])
    of_rows, of_columns = (xp.astype(log_sum, tile.dtype) for log_sum in (of_rows, of_columns))
    return xp.exp(tile - of_rows[:, None]) + xp.exp(tile - of_columns[None, :])
