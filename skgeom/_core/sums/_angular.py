"""Functions of the directions of a cloud: mean cosines, conformity, partition functions.

The sum of the unit rows, one vector, determines all mean cosines exactly in O(nd): the mean cosine of a row to all
others needs no pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from math import inf, log
from operator import add
from typing import NamedTuple

import numpy as np

from skgeom._array import (
    asarray_like,
    detached,
    device_of,
    epsilon,
    float64,
    is_on_host,
    logsumexp,
    namespace,
    row_blocks,
    rows_at,
    sqrt_in_place,
    to_float,
    vecdot,
    wants_gradient,
    where,
    with_first_derivatives,
)
from skgeom._core._jackknife import merged_without_each
from skgeom._core._rows import DirectedRows, blocks_at, exact, norms
from skgeom._core._threads import in_threads
from skgeom._core.sums._moments import Moments, merge_all, moments
from skgeom._typing import Array

_EXACT = 1e-12
"""Relative precision of float64 rows, whose sums need no second pass."""

_NARROW = 0.9
"""Mean cosine from which the difference from 1 is too small for float32: the sum is formed in float64."""


class Resultant(NamedTuple):
    """Number of unit rows and their sum (d,), in float64; two of them merge by addition."""

    n: int
    total: Array

    def merge(self, *others: Resultant) -> Resultant:
        """Return the sum over the union with disjoint sets of rows."""
        return Resultant(*(reduce(add, parts) for parts in zip(self, *others, strict=True)))

    def without(self, part: Resultant, rest: Sequence[Resultant] = ()) -> Resultant:
        """Return the sum over the rows outside a part."""
        return Resultant(self.n - part.n, self.total - part.total)

    @property
    def mean(self) -> Array:
        """The mean of the unit rows (d,)."""
        return self.total / self.n


def resultant(rows: DirectedRows, index: np.ndarray | None = None, *, exactly: bool = True) -> Resultant:
    """Return the sum of the unit rows at some positions, or of all.

    It is exact, computed in float64, or a few times faster in the precision of the rows.
    """
    blocks = _blocks(rows, exactly, index)
    return Resultant(
        rows.x.shape[0] if index is None else index.size, reduce(add, (float64((1 / b.norms) @ b.x) for b in blocks))
    )


def unit_mean(rows: DirectedRows) -> Array:
    """Return the mean of the unit rows (d,), in float64."""
    return resultant(rows).mean


def part_of_resultant(rows: DirectedRows, index: np.ndarray | None) -> Resultant:
    """Return the sum of the unit rows at some positions, or of all."""
    return resultant(rows, index)


def part_of_mean_cosine(rows: DirectedRows, index: np.ndarray | None) -> Resultant:
    """Return the sum of the unit rows at some positions, or of all, with the precision that the mean cosine needs."""
    if epsilon(rows.x) < _EXACT or not is_on_host(rows.x):  # an accelerator would wait for the decision
        return resultant(rows, index)
    quick = resultant(rows, index, exactly=False)
    return quick if quick.n > 1 and to_float(average_cosine(quick)) < _NARROW else resultant(rows, index)


def mean_cosine(rows: DirectedRows) -> Array:
    """Return the mean cosine over pairs of different rows."""
    return average_cosine(part_of_mean_cosine(rows, None))


def average_cosine(sums: Resultant) -> Array:
    """Return the mean cosine over pairs of different rows: (‖Σu‖² - n) / (n(n - 1))."""
    n, total = sums
    xp = namespace(total)
    return xp.clip((vecdot(total, total) - n) / (n * (n - 1)), min=-1.0, max=1.0)


def average_cosine_error(rows: DirectedRows) -> Array:
    """Return the standard error of the mean cosine over rows: 2 (n - 1) / (n - 2) sd(conformity) / √n."""
    own, n = conformity(rows), rows.x.shape[0]
    xp = namespace(own)
    return 2 * (n - 1) / (n - 2) * (xp.var(own, correction=1) / n) ** 0.5 if n > 2 else xp.full_like(own[0], inf)


def cosine_parts(rows: DirectedRows) -> Array:
    """Return the part of each coordinate in the mean cosine (d,): ((Σu)² - Σu²) / (n(n - 1))."""
    xp, n = namespace(rows.x), rows.x.shape[0]

    def of_block(block: DirectedRows) -> Array:
        u = block.unit()
        return xp.stack([xp.sum(u, axis=0), xp.sum(u**2, axis=0)])

    sums = reduce(add, map(of_block, _blocks(rows, exactly=True)))
    return (sums[0, :] ** 2 - sums[1, :]) / (n * (n - 1))


def shares_of(rows: DirectedRows, parts: Array) -> Array:
    """Return the shares of the parts in the mean cosine, their sum; NaN unless it is two standard errors above 0.

    It estimates ‖E u‖², so a negative one is never significant: for centred rows it is about -1 / (n - 1).
    """
    xp = namespace(parts)
    total = xp.sum(parts)
    return parts / where(total > 2 * average_cosine_error(rows), total, xp.nan)


def mean_cosines(rows: DirectedRows, mean: Array, *, exactly: bool = True) -> Array:
    """Return ⟨u, mean⟩ for each unit row u, in float64 or in the precision of the rows."""
    xp = namespace(mean)
    return xp.concat([(b.x @ xp.astype(mean, b.x.dtype)) / b.norms for b in _blocks(rows, exactly)])


def _blocks(rows: DirectedRows, exactly: bool, index: np.ndarray | None = None) -> Iterator[DirectedRows]:
    for block in blocks_at(rows.x, index):
        yield exact(rows, block) if exactly else DirectedRows(*(rows_at(part, block) for part in rows))


def conformity(rows: DirectedRows, *, exactly: bool = True) -> Array:
    """Return the mean cosine of each row to all others: (⟨u, Σu⟩ - 1) / (n - 1)."""
    n, total = resultant(rows, exactly=exactly)
    cosines = mean_cosines(rows, total / (n - 1), exactly=exactly)
    return namespace(total).clip(cosines - 1 / (n - 1), min=-1.0, max=1.0)


def conformity_without(rows: DirectedRows, blocks: Sequence[np.ndarray]) -> Array:
    """Return the mean cosine of each row to all others outside each block, given by positions, and to all (n, b + 1).

    An entry for a row of the block itself has no meaning.
    """
    xp = namespace(rows.x)
    left = list(merged_without_each([resultant(rows, block) for block in blocks], Resultant.merge))
    totals = xp.stack([total / (n - 1) for n, total in left], axis=1)
    cosines = xp.concat([(b.x @ totals) / b.norms[:, None] for b in _blocks(rows, exactly=True)])
    return xp.clip(cosines - asarray_like([1 / (n - 1) for n, _ in left], totals), min=-1.0, max=1.0)


def conformity_to(rows: DirectedRows, reference: Resultant) -> Array:
    """Return the mean cosine of each row to the rows of another cloud, in float64."""
    return namespace(rows.x).clip(mean_cosines(rows, reference.total / reference.n), min=-1.0, max=1.0)


def conformity_line(rows: DirectedRows, direction: Array) -> tuple[Array, Array, float]:
    """Return the cosine of each row to a direction (n,), and the slope and intercept of conformity on this cosine.

    With R the mean cosine, conformity is about n R / (n - 1) · cosine - 1 / (n - 1).
    """
    n, total = resultant(rows)
    share = vecdot(total, direction) / n
    return mean_cosines(rows, direction), n * share / (n - 1), -1 / (n - 1)


def unit_moments(rows: DirectedRows) -> Moments:
    """Return the moments of the unit rows, formed a block at a time."""
    x, lengths = rows
    blocks = row_blocks(x, least=4 * x.shape[1])
    return merge_all(moments(x[block, :] / lengths[block][:, None]) for block in blocks)


def log_partition(x: Array, v: Array, *, both_signs: bool, lengths: Array | None = None) -> Array:
    """Return log Z(v) = log Σ exp⟨v, x⟩ for each direction v (m, d), with both signs for v and then for -v.

    With lengths (n,) the rows are divided by them first.
    """
    xp = namespace(x)
    directions = xp.astype(v, x.dtype)
    blocks = list(row_blocks(x, columns=directions.shape[0]))

    def of_block(i: int) -> Array:
        logits = x[blocks[i], :] @ directions.T
        logits = logits if lengths is None else logits / lengths[blocks[i]][:, None]
        part = logsumexp(logits, 0)
        return float64(xp.concat([part, logsumexp(-logits, 0)]) if both_signs else part)

    return logsumexp(xp.stack(in_threads(x, of_block, len(blocks))), 0)


def partition_isotropy(log_z: Array) -> Array:
    """Return I1 = min Z / max Z from log Z."""
    xp = namespace(log_z)
    return xp.exp(xp.min(log_z) - xp.max(log_z))


def partition_dispersion(log_z: Array) -> Array:
    """Return I2 = std Z / mean Z from log Z."""
    xp = namespace(log_z)
    z = xp.exp(log_z - xp.max(log_z))
    mean = xp.mean(z)
    return sqrt_in_place(xp.mean((z - mean) ** 2, keepdims=True))[0] / mean


def eigen_log_partition(x: Array, m: Moments, *, both_signs: bool, lengths: Array | None = None) -> Array:
    """Return log Z over the eigenvectors of XᵀX, with both signs or with the one that points along the mean.

    With lengths (n,) the rows are divided by them first, and the moments are those of the divided rows.

    A direction in the null space of X has Z = n exactly, without a product.
    """
    xp = namespace(x)
    about = m.about_origin()
    axes = about.map_arrays(detached).axes()
    v = axes.directions(axes.variances.shape[0])
    if wants_gradient(x):
        v = _moving_with(about, v, axes.variances * (m.n - 1), 64 * epsilon(x))
    v = v if both_signs else toward(v, m.mean)
    log_z = log_partition(x, v, both_signs=both_signs, lengths=lengths)
    null = (x.shape[1] - v.shape[0]) * (2 if both_signs else 1)
    return xp.concat([log_z, xp.full((null,), log(x.shape[0]), dtype=log_z.dtype, device=device_of(log_z))])


def _moving_with(m: Moments, v: Array, values: Array, tolerance: float) -> Array:
    """Return eigenvectors v (k, d) of a scatter S with the gradient of a first-order change, given their eigenvalues.

    The others have the eigenvalue 0. A change turns v_i towards each other v_j by v_jᵀ dS v_i / (λ_i - λ_j). Between
    eigenvalues that differ by less than the tolerance, a share of the largest, any basis is valid: there it is 0. The
    λ are constants here, so second derivatives would be wrong, and are an error.
    """
    image = m.times(v.T)
    change = image - detached(image)
    inside = v @ change
    gaps = values[None, :] - values[:, None]
    apart = namespace(v).abs(gaps) > tolerance * values[0]
    turned = v.T @ where(apart, inside / where(apart, gaps, 1.0), 0.0)
    positive = values > tolerance * values[0]
    left = where(positive, (change - v.T @ inside) / where(positive, values, 1.0), 0.0)
    return with_first_derivatives(v + (turned + left).T)


def toward(v: Array, mean: Array) -> Array:
    """Return each direction with the sign that makes its product with the mean of the rows non-negative."""
    return where((v @ mean < 0)[:, None], -v, v)


def first_order(m: Moments) -> Array:
    """Return the first-order form of I1: (n - ‖Σx‖) / (n + ‖Σx‖)."""
    total = m.n * norms(m.mean[None, :])[0]
    return (m.n - total) / (m.n + total)


def second_order(m: Moments) -> Array:
    """Return the second-order form of I1, which adds half the extreme squared singular values of X."""
    total = m.n * norms(m.mean[None, :])[0]
    s2 = m.about_origin().singular_values() ** 2
    least = 0.0 * s2[0] if s2.shape[0] < m.mean.shape[0] else s2[-1]
    return (m.n - total + 0.5 * least) / (m.n + total + 0.5 * s2[0])


def spherical_variance(mean: Array) -> Array:
    """Return 1 - ‖mean of the unit rows‖, clipped at 0 against rounding."""
    xp = namespace(mean)
    return xp.clip(1 - sqrt_in_place(xp.sum(mean**2, keepdims=True))[0], min=0.0)
