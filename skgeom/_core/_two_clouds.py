"""Relations of two clouds in one space: gaps, paired distances, divergences, paths and class scores.

Gaps are differences of mean unit rows, and need no pairs. Mean distances are computed over tiles of pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import pi
from typing import Any, NamedTuple

import numpy as np

from skgeom._array import (
    as_data,
    device_of,
    float64,
    namespace,
    ratio,
    row_blocks,
    sqrt_in_place,
    take_rows,
    to_numpy,
    vecdot,
    where,
)
from skgeom._core._labels import Labels, unsorted
from skgeom._core._rows import DirectedRows, exact, norms, unit_or_zero
from skgeom._core._threads import in_threads
from skgeom._core.pairs import _energies
from skgeom._core.pairs._between_blocks import (
    in_block_order,
    means_without,
    rows_without,
    sums_between,
    without_each,
)
from skgeom._core.pairs._sphere import angle, chords_of
from skgeom._core.pairs._tiles import panels, squared_distances
from skgeom._core.sums._angular import mean_cosine
from skgeom._core.sums._clusters import class_moments
from skgeom._typing import Array

_WIDE = 0.01
"""Squared chord ‖u + v‖² below which an angle counts as nearly π."""


_ROUNDING = float(16 * np.finfo(np.float64).eps)
"""Mean cosines that differ by less count as equal."""


class Ends(NamedTuple):
    """The ends of paths, rows x and y (n, d), and their directions, the unit rows u and v."""

    x: Array
    y: Array
    u: Array
    v: Array


def modality_gap(x: Array, y: Array) -> Array:
    """Return the distance of the mean unit rows (d,) of two clouds."""
    return norms((x - y)[None, :])[0]


def relative_modality_gap(x: DirectedRows, y: DirectedRows) -> Array:
    """Return the mean cosine distance of pairs over itself plus the mean cosine distance within the clouds."""
    return relative_gap(alignment(x, y, 2.0), mean_cosine(x) + mean_cosine(y))


def relative_gap(squares: Any, cosines: Any) -> Any:
    """Return the same from the mean squared chord of pairs, and the sum of the mean cosines within the clouds."""
    paired = squares / 2
    return ratio(paired, paired + 1 - cosines / 2)


def paired_distances(x: Array, y: Array) -> Array:
    """Return ‖x - y‖ (n,) for rows that belong together."""
    return namespace(x).concat([norms(float64(x[b, :]) - float64(y[b, :])) for b in row_blocks(x)])


def mean_paired_distance(x: Array, y: Array) -> Array:
    """Return the mean of ‖x - y‖ over rows that belong together."""
    return namespace(x).mean(paired_distances(x, y))


def mean_unpaired_distance(x: Array, y: Array, centre: Array) -> Array:
    """Return the mean of ‖x - y‖ over rows of two clouds around a centre (d,) that do not belong together."""
    n = x.shape[0]
    return (_sum_across(x, y, centre) / n - mean_paired_distance(x, y)) / (n - 1)


def mean_pooled_distance(x: Array, y: Array, centre: Array) -> Array:
    """Return the mean distance over the pairs of different rows of the union of two clouds of n rows."""
    n = 2 * x.shape[0]
    within = _sum_across(x, x, centre) + _sum_across(y, y, centre)
    return (2 * _sum_across(x, y, centre) + within) / (n * (n - 1))


def mean_distances_without(
    codes: np.ndarray, x: Array, y: Array, centre: Array, *, pooled: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean distance of partners outside each block, and of all (b + 1,), and that of rows to compare with.

    These are `mean_pooled_distance` or `mean_unpaired_distance`. The codes (n,) of the blocks are on the host.
    """
    codes, x, y = in_block_order(codes, x, y)
    n, paired = rows_without(codes), means_without(codes, to_numpy(paired_distances(x, y)))
    across = _sums_across_without(codes, x, y, centre)
    if not pooled:
        return paired, (across / n - paired) / (n - 1)
    within = _sums_across_without(codes, x, x, centre) + _sums_across_without(codes, y, y, centre)
    return paired, (2 * across + within) / (2 * n * (2 * n - 1))


def _sum_across(x: Array, y: Array, centre: Array) -> Array:
    """Return the sum of the distances between the rows of two clouds, or over the ordered pairs of rows of one."""
    xp = namespace(x)

    def work(i: int) -> Array:
        return sum((2 if x is y and j != i else 1) * xp.sum(tile) for j, tile in _distances(x, y, centre, i))

    return xp.sum(xp.stack(in_threads(x, work, len(panels(x)))))


def _sums_across_without(codes: np.ndarray, x: Array, y: Array, centre: Array) -> np.ndarray:
    """Return the same for the rows outside each block, and for all (b + 1,); the codes (n,) are sorted."""

    def tiles(i: int) -> Iterator[tuple[int, list[Array]]]:
        return ((j, [tile]) for j, tile in _distances(x, y, centre, i))

    return without_each(sums_between(codes, panels(x), centre, tiles, mirrored=x is y)[0])


def _distances(x: Array, y: Array, centre: Array, i: int) -> Iterator[tuple[int, Array]]:
    """Yield j and the distances between the rows of panels i of x and j of y; for one cloud, from j = i on.

    Panels are centred on demand.
    """
    slices = panels(x)
    own = float64(x[slices[i], :]) - centre
    for j in range(i if x is y else 0, len(slices)):
        other = own if x is y and j == i else float64(y[slices[j], :]) - centre
        yield j, sqrt_in_place(squared_distances(own, other))


def gaussian_divergence(p: Array, q: Array) -> Array:
    """Return KL(P ‖ Q) of the normal distributions with the means and (population) variances of two samples of cosines.

    For constant samples, up to rounding, it is 0 if they are equal, and otherwise infinite.
    """
    xp = namespace(p)
    p, q = float64(p), float64(q)
    p_variance, q_variance, shift = xp.var(p), xp.var(q), xp.mean(p) - xp.mean(q)
    p_spreads, q_spreads = p_variance > _ROUNDING**2, q_variance > _ROUNDING**2
    spread, equal = p_spreads & q_spreads, ~p_spreads & ~q_spreads & (xp.abs(shift) <= _ROUNDING)
    p_variance, q_variance = where(spread, p_variance, 1.0), where(spread, q_variance, 1.0)
    divergence = (xp.log(q_variance / p_variance) + (p_variance + shift**2) / q_variance - 1) / 2
    return where(spread, divergence, where(equal, 0.0 * shift, xp.inf))


def histogram_divergence(p: Array, q: Array, bins: int) -> Array:
    """Return KL(P ‖ Q) of the histograms of two samples over their common range, with half a count added per bin."""
    xp = namespace(p)
    p, q = float64(p), float64(q)
    low = xp.minimum(xp.min(p), xp.min(q))
    width = xp.maximum(xp.max(p), xp.max(q)) - low
    edges = low + width * (xp.arange(1, bins, dtype=p.dtype, device=device_of(p)) / bins)
    p_shares, q_shares = _histogram(p, edges), _histogram(q, edges)
    return xp.sum(p_shares * xp.log(p_shares / q_shares))


def _histogram(values: Array, edges: Array) -> Array:
    """Return the smoothed share of the values in each bin, between the inner edges and beyond."""
    xp = namespace(values)
    n, bins = values.shape[0], edges.shape[0] + 1
    below = xp.astype(xp.searchsorted(xp.sort(values), edges), values.dtype)
    zero = xp.zeros((1,), dtype=values.dtype, device=device_of(values))
    counts = xp.concat([below, zero + n]) - xp.concat([zero, below])
    return (counts + 0.5) / (n + 0.5 * bins)


def slerp(ends: Ends, t: Array, tolerance: float) -> Array:
    """Return (sin((1 - t)Ω) x + sin(tΩ) y) / sin Ω for each number in t (..., 1, 1) and each pair of rows (n, d).

    The angle Ω comes from the chords of the unit rows; at Ω = 0 the limit is the straight line. Near Ω = π both terms
    are large and cancel: there x is rotated towards y, and the change of length added.
    """
    chords = chords_of(ends.u, ends.v)
    omega = angle(chords)[:, None]
    plain = _arc(1 - t, omega) * ends.x + _arc(t, omega) * ends.y
    return where((chords.plus < _WIDE)[:, None], _turned(ends, omega, t, tolerance), plain)


def _turned(ends: Ends, omega: Array, t: Array, tolerance: float) -> Array:
    """Return ‖x‖ (cos(tΩ) u + sin(tΩ) e) + (‖y‖ - ‖x‖) sin(tΩ) / sin Ω v, with e the unit vector from u towards v.

    Lengths that differ by less than the tolerance, a share of them, count as equal.
    """
    x, y, u, v = ends
    xp = namespace(x)
    across = u + v
    across = across - vecdot(across, u)[:, None] * u
    e = ratio(across, sqrt_in_place(vecdot(across, across))[:, None])
    length = vecdot(x, u)[:, None]
    change = vecdot(y, v)[:, None] - length
    change = where(xp.abs(change) > tolerance * length, change, 0.0)
    return xp.cos(t * omega) * x + xp.sin(t * omega) * length * e + change * _arc(t, omega) * v


def _arc(t: Array, omega: Array) -> Array:
    """Return sin(tΩ) / sin Ω, and its limit t if Ω is 0."""
    xp = namespace(t)
    apart = (omega > 0) & (omega < pi)
    return where(apart, xp.sin(t * omega) / where(apart, xp.sin(omega), 1.0), t)


def contrast(a: Array, b: Array, labels: Labels | None) -> Array:
    """Return the symmetric NT-Xent of the logits a bᵀ of paired rows; all rows of the same class are positives.

    The mean over the positives of a row is a product with their mean, which is the same for a class.
    """
    if labels is None:
        return _energies.nt_xent(a, b)
    a_data, b_data = as_data(a), as_data(b)
    return _energies.nt_xent(a, b, (_own_class_means(a_data, labels), _own_class_means(b_data, labels)))


def _own_class_means(x: Array, labels: Labels) -> Array:
    return unsorted(take_rows(class_moments(x, labels).mean, labels.codes), labels)


def contrastive_loss(x: DirectedRows, y: DirectedRows, temperature: float) -> Array:
    """Return the symmetric NT-Xent of paired rows."""
    return _energies.nt_xent(x.x / (x.norms[:, None] * temperature), y.unit())


def cosine_scores(x: Array, embeddings: Array) -> Array:
    """Return the cosine of each row to each unit class embedding (n, k); 0 for a zero row."""
    return dot_scores(unit_or_zero(x), embeddings)


def dot_scores(x: Array, embeddings: Array) -> Array:
    """Return the product of each row with each class embedding (n, k)."""
    return x @ namespace(x).astype(embeddings, x.dtype).T


def distance_scores(x: Array, embeddings: Array) -> Array:
    """Return 1 - ½‖x - c‖² for each row and each class embedding c (n, k)."""
    xp = namespace(x)
    centre = xp.mean(embeddings, axis=0)
    squares = squared_distances(float64(x) - centre, embeddings - centre)
    return xp.astype(1 - squares / 2, x.dtype)


def softmax(logits: Array, temperature: float) -> Array:
    """Return the exponentials of the logits over the temperature, divided by their sum in each row."""
    xp = namespace(logits)
    e = xp.exp((logits - xp.max(logits, axis=1, keepdims=True)) / temperature)
    return e / xp.sum(e, axis=1, keepdims=True)


def paired_cosine(x: DirectedRows, y: DirectedRows) -> Array:
    """Return the mean cosine of rows that belong together, clipped at -1 against rounding."""
    return namespace(x.x).clip(1 - alignment(x, y, 2.0) / 2, min=-1.0)


def alignment(x: DirectedRows, y: DirectedRows, alpha: float) -> Array:
    """Return the mean of ‖u - v‖^α over rows that belong together."""
    return namespace(x.x).mean(alignments(x, y, alpha))


def alignments(x: DirectedRows, y: DirectedRows, alpha: float) -> Array:
    """Return ‖u - v‖^α (n,) for rows that belong together."""

    def of_block(block: slice) -> Array:
        squares = chords_of(exact(x, block).unit(), exact(y, block).unit()).minus
        apart = squares > 0
        return where(apart, where(apart, squares, 1.0) ** (alpha / 2), 0.0)

    return namespace(x.x).concat(list(map(of_block, row_blocks(x.x))))
