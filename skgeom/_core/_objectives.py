"""Objectives that shape labelled and isotropic spaces: sums over classes, spectra, triplets, with their gradients.

Values are computed from detached data; a requested gradient is computed in closed form and attached. None needs an
eigenvector, whose gradient is infinite if eigenvalues are equal, as they are at isotropy.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import NamedTuple, TypeAlias

import numpy as np

from skgeom._array import (
    add_rows,
    as_data,
    asarray_like,
    detached,
    device_of,
    float64,
    namespace,
    ratio,
    row_blocks,
    sqrt_in_place,
    take_rows,
    vecdot,
    wants_gradient,
    where,
    with_gradients,
)
from skgeom._core._labels import Labels, unsorted
from skgeom._core._rows import DirectedRows, mean_of
from skgeom._core._threads import in_threads
from skgeom._core.pairs._tiles import squared_distances
from skgeom._core.sums import _spectrum
from skgeom._core.sums._angular import mean_cosine
from skgeom._core.sums._clusters import ClassMoments, class_moments
from skgeom._core.sums._moments import Moments, moments
from skgeom._typing import Array


class Own(NamedTuple):
    """Where the class of each anchor starts and stops (b, 1) among the rows in order of class."""

    start: Array
    stop: Array


Weigh: TypeAlias = Callable[[Array, Own], Array]
"""From the distances (b, n) of anchors to all rows, and the ranges of their classes, the weights of the distances."""


def silhouette_objective(x: Array, labels: Labels) -> Array:
    """Return Σ ± ‖x_i - x_j‖² over the ordered pairs, minus within a class and plus between classes.

    This is 2n Σ ‖x_i - μ‖² - 4 Σ n_ω WSS_ω, with WSS_ω the scatter of a class about its own mean.
    """
    data = detached(x)
    xp, n = namespace(data), data.shape[0]
    m = class_moments(data, labels)
    centre = _mean_of_classes(m)
    offsets = m.mean - centre
    share = n - 2 * m.n
    value = 2 * xp.sum(share * m.within + n * m.n * vecdot(offsets, offsets))
    if not wants_gradient(x):
        return with_gradients(value, [x], [])
    codes, pull = _codes(data, labels), 8 * m.n[:, None] * offsets
    parts = []
    for rows in row_blocks(data):
        centred = float64(data[rows, :]) - centre
        slope = 4 * xp.take(share, codes[rows])[:, None] * centred + xp.take(pull, codes[rows], axis=0)
        parts.append(xp.astype(slope, data.dtype))
    return with_gradients(value, [x], [xp.concat(parts)])


def classifier_objective(x: Array, labels: Labels, c: Array | None) -> Array:
    """Return Σ_i Σ_ω ± ⟨x_i, c_ω⟩, plus for the own class and minus for the others; c (k, d) are by default the means.

    With s_ω the sum of a class this is Σ_ω ⟨s_ω, 2 c_ω - Σ c⟩.
    """
    data = detached(x)
    xp = namespace(data)
    m = class_moments(data, labels)
    directions = m.mean if c is None else float64(detached(c))
    sums = m.n[:, None] * m.mean
    to_rows = 2 * directions - xp.sum(directions, axis=0)
    to_directions = 2 * sums - xp.sum(sums, axis=0)
    value, sources = xp.sum(sums * to_rows), [x] if c is None else [x, c]
    if not wants_gradient(*sources):
        return with_gradients(value, sources, [])
    if c is None:
        to_rows = to_rows + to_directions / m.n[:, None]
    gradient = xp.take(xp.astype(to_rows, data.dtype), _codes(data, labels), axis=0)
    return with_gradients(value, sources, [gradient, to_directions][: len(sources)])


def isotropy_objective(x: Array) -> Array:
    """Return the cosine between the variances of the principal directions and the vector of ones: √(PR / d)."""
    m = moments(detached(x))
    value = _spectrum.isotropy(m)
    return _with_slope(x, m, value, ratio(value, 2 * _spectrum.participation_ratio(m)))


def isoscore(x: Array) -> Array:
    """Return the IsoScore, with a gradient that is 0, not infinite, at isotropy and for equal rows."""
    m = moments(detached(x))
    return _with_slope(x, m, _spectrum.isoscore(m), _slope_of_isoscore(m))


def isoscore_star(x: Array, c0: Array | None, zeta: float) -> Array:
    """Return the IsoScore of (1 - ζ)C + ζC₀, where C₀ is a constant, or by default (tr C / d) I.

    With the default, 1/PR* = (1 - ζ)²/PR + (1 - (1 - ζ)²)/d.
    """
    m = moments(detached(x))
    slope = _slope_of_isoscore(m)
    if c0 is not None:
        c0 = detached(c0)
        return _with_slope(x, m, _spectrum.isoscore_star(m, c0, zeta), slope, c0, zeta)
    value = _spectrum.isoscore_star(m, None, zeta)
    shrunk = 1 + (m.mean.shape[0] - 1) * value
    return _with_slope(x, m, value, slope * ((1 - zeta) * ratio(shrunk, _spectrum.participation_ratio(m))) ** 2)


def triplet_objective(x: Array, labels: Labels) -> Array:
    """Return -Σ max(‖a - p‖ - ‖a - n‖, 0) over all triplets of an anchor a, a row p of its class and n of another.

    With the distances of an anchor sorted, the triplets of each positive that count are the negatives before it.
    """
    return _over_anchors(x, labels, _triplet_weights)


def triplet_bound(x: Array, labels: Labels) -> Array:
    """Return Σ (‖a - n‖ - ‖a - p‖) over the same triplets, which is at least their objective."""
    return _over_anchors(x, labels, _triplet_counts)


def cosine_regularizer(rows: DirectedRows) -> Array:
    """Return Σ_{i ≠ j} cos / n²."""
    return mean_cosine(rows) * (1 - 1 / rows.x.shape[0])


def retention(x: Array, start: Array) -> Array:
    """Return the mean of ‖x - x₀‖² over the rows."""
    return namespace(x).mean(squared_changes(x, start))


def squared_changes(x: Array, start: Array) -> Array:
    """Return ‖x - x₀‖² of each row (n,)."""
    changes = (float64(x[block, :]) - float64(start[block, :]) for block in row_blocks(x))
    return namespace(x).concat([vecdot(change, change) for change in changes])


def _mean_of_classes(m: ClassMoments) -> Array:
    """Return the mean of all rows, formed around the mean of the first class."""
    xp = namespace(m.mean)
    origin = m.mean[0, :]
    return origin + xp.sum(m.n[:, None] * (m.mean - origin), axis=0) / xp.sum(m.n)


def _codes(x: Array, labels: Labels) -> Array:
    """Return the class code of each row."""
    return unsorted(asarray_like(labels.codes, x, dtype=namespace(x).int64), labels)


def _slope_of_isoscore(m: Moments) -> float:
    """Return the derivative of IsoScore by the participation ratio; the score of one dimension is constant."""
    d = m.mean.shape[0]
    return 1 / (d - 1) if d > 1 else 0.0


def _with_slope(
    x: Array, m: Moments, value: Array, slope: Array | float, c0: Array | None = None, zeta: float = 0.0
) -> Array:
    """Return a function of the participation ratio of (1 - ζ)C + ζC₀, given its value and its derivative by the ratio.

    Where PR = t²/f, with t and f the trace and the squared norm of this covariance, and X is centred,
    ∇PR = 4 (1 - ζ) t / ((n - 1) f) · (X - (t/f) X C). In units of t nothing overflows; without spread it is 0.
    """
    if not wants_gradient(x):
        return with_gradients(value, [x], [])
    xp, data = namespace(m.mean), detached(x)
    m = m if c0 is None else m.dense()
    c = m.gram() * ((1 - zeta) / (m.n - 1)) + (0.0 if c0 is None else zeta * c0)
    t = xp.linalg.trace(c)
    c = ratio(c, t)
    f = xp.sum(c * c)
    identity = xp.eye(c.shape[0], dtype=c.dtype, device=device_of(c))
    g = ratio(4 * (1 - zeta) * slope / (m.n - 1) * (identity - ratio(c, f)), f * t)
    return with_gradients(value, [x], [m.times_rows(g, data)])


def _triplet_weights(distances: Array, own: Own) -> Array:
    """Return minus the number of negatives nearer than each positive, and of positives farther than each negative."""
    xp = namespace(distances)
    order = xp.argsort(distances, axis=1, stable=False)
    is_negative = (order < own.start) | (order >= own.stop)
    negatives = xp.cumulative_sum(xp.astype(is_negative, xp.int64), axis=1)
    place = xp.arange(1, order.shape[1] + 1, device=device_of(distances))
    weights = xp.where(is_negative, negatives - place + (own.stop - own.start), -negatives)
    weights = xp.take_along_axis(weights, xp.argsort(order, axis=1, stable=False), axis=1)
    return xp.astype(weights, distances.dtype)


def _triplet_counts(distances: Array, own: Own) -> Array:
    """Return minus the number of triplets of each positive, and that of each negative."""
    xp = namespace(distances)
    n, n_own = distances.shape[1], own.stop - own.start
    row = xp.arange(n, device=device_of(distances))
    return xp.astype(xp.where((row >= own.start) & (row < own.stop), n_own - n, n_own - 1), distances.dtype)


def _over_anchors(x: Array, labels: Labels, weigh: Weigh) -> Array:
    """Return the sum of the weighted distances of all anchors to all rows; weights count as constant in the gradient.

    With p the weights over the distances, the gradient of a row is Σ p (x - y) over the rows y that it meets as anchor
    and as one of the others. An extra column of ones sums the p. The value of p at contact does not matter.
    """
    data, with_gradient = as_data(x), wants_gradient(x)
    xp = namespace(data)
    rows = float64(take_rows(data, labels.order)) - mean_of(data)
    with_ones = xp.concat([rows, xp.ones_like(rows[:, :1])], axis=1)
    stops = np.cumsum(labels.sizes)
    ends = (
        asarray_like(np.repeat(end, labels.sizes)[:, None], rows, dtype=xp.int64)
        for end in (stops - labels.sizes, stops)
    )
    of_rows = Own(*ends)
    anchors, pulls, lock = list(row_blocks(rows, columns=rows.shape[0], n_blocks=8)), [0.0 * with_ones], Lock()

    def work(i: int) -> Array:
        block = anchors[i]
        d = sqrt_in_place(xp.clip(squared_distances(rows[block, :], rows), min=0.0))
        weights = weigh(d, Own(*(end[block, :] for end in of_rows)))
        if with_gradient:
            p = weights / where(d > 0, d, 1.0)
            of_others, of_anchors = p.T @ with_ones[block, :], p @ with_ones
            with lock:
                pulls[0] = add_rows(pulls[0] + of_others, block, of_anchors)
        return xp.sum(weights * d)

    total = sum(in_threads(rows, work, len(anchors)), 0.0 * rows[0, 0])
    gradients = [unsorted(pulls[0][:, -1:] * rows - pulls[0][:, :-1], labels)] if with_gradient else []
    return with_gradients(total, [x], gradients)
