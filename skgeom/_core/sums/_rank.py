"""The number of directions of a cloud, by the evidence of its rows: the only definition.

The entries of the rows are rounded. Along coordinate j that leaves noise with a standard deviation of about ε times the
root mean square of the entries, including the offset. Small coordinates have at least the noise of the median one,
since a dead coordinate of a model contains the rounding of others. With N the variances of that noise, a direction
counts if its eigenvalue of N^(-1/2) C N^(-1/2) exceeds 1, and if it differs from 0 in float64.

ε depends on the numbers and not on the dtype of their array (`_digits`): they were rounded to the narrowest format that
represents all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from skgeom._array import (
    asarray_like,
    detached,
    device_of,
    entry_at,
    is_positive_definite,
    namespace,
    on_host,
    ratio,
    to_numpy,
    where,
)
from skgeom._core._threads import one_thread
from skgeom._core.sums._digits import HALF_DIGITS, SINGLE_DIGITS, Digits, digits_of, digits_of_each, part_of_digits
from skgeom._core.sums._moments import (
    FourthMoments,
    M,
    Moments,
    ThinMoments,
    bring_near,
    exact_part_of_moments,
    fourth_moments,
    moments,
    nearby,
    part_of_fourth_moments,
    part_of_moments,
)
from skgeom._typing import Array

TELLABLE = 16 * 2.0**-52
"""Share of the largest variance below which float64 cannot distinguish a variance from 0."""

_SPACINGS = 32
"""Noise of float32 and float64 rows in spacings: the error of their products and sums in null directions, and of a map
in that precision. Halves are only stored, so their noise is one spacing."""

_LEAST_CORRELATION = 2.0**-10
"""Smallest eigenvalue of the correlation matrix for which float32 products determine every variance to about 0.5 %."""


def with_precision(m: Moments, x: Array) -> Moments:
    """Return the moments of the rows of x with the precision of their numbers, which determines live coordinates."""
    return replace(m, digits=digits_of(x))


def _resolved(ms: Sequence[M], clouds: Sequence[Array], weights: Array | None = None) -> list[M]:
    """Return moments of the rows of clouds whose spectra determine the ranks.

    They are summed again in float64 if float32 products may have lost a direction. The host waits for an accelerator as
    often as for one cloud, and has copies of the moments that it decomposes.
    """
    digits = digits_of_each(clouds)
    known = [m.with_second(replace(m.second, digits=own)) for m, own in zip(ms, digits, strict=True)]
    bring_near(known)
    for i, m in enumerate(known):
        if not (_has_exact_products(ms[i].second) or _float32_sufficed(m)):
            known[i] = m.with_second(replace(moments(clouds[i], weights, exact=True), digits=digits[i]))
    bring_near(known)
    return known


def is_resolved(m: Moments, digits: Digits) -> bool:
    """Return whether the spectrum of moments determines the rank, given the dtype of their rows and their digits."""
    return _has_exact_products(m) or _float32_sufficed(replace(m, digits=digits))


def ranked_moments(x: Array, weights: Array | None = None) -> Moments:
    """Return moments of the rows of x whose spectrum determines the rank."""
    return _resolved([moments(x, weights)], [x], weights)[0]


def ranked_fourth_moments(x: Array, weights: Array | None = None) -> FourthMoments:
    """Return `ranked_moments` with the sums of the third and fourth powers of the rows."""
    return _resolved([fourth_moments(x, weights)], [x], weights)[0]


def ranked_moments_of_each(clouds: Sequence[Array], *, fourth: bool) -> list[Moments] | list[FourthMoments]:
    """Return `ranked_moments`, or the fourth ones, of several clouds, with the waits for an accelerator of one."""
    if fourth:
        return _resolved(list(map(fourth_moments, clouds)), clouds)
    return _resolved(list(map(moments, clouds)), clouds)


def part_of_ranked(x: Array, index: np.ndarray | None) -> Moments:
    """Return the moments, from products in float64, of the rows at some positions, or of all, with their digits."""
    return replace(exact_part_of_moments(x, index), digits=part_of_digits(x, index))


def part_of_ranked_fourth(x: Array, index: np.ndarray | None) -> FourthMoments:
    """Return the same with the sums of third and fourth powers."""
    m = part_of_fourth_moments(x, index, exact=True)
    return m.with_second(replace(m.second, digits=part_of_digits(x, index)))


class RankedBlocks:
    """A kernel for the blocks of a cloud, one after another: the spectrum of their sum determines the rank.

    Products of float32 rows are formed in float32 until a block needs float64, which the later ones get at once.
    """

    def __init__(self, *, fourth: bool = False) -> None:
        self._kernel: Callable[..., Any] = part_of_fourth_moments if fourth else part_of_moments
        self._exact = False

    def __call__(self, x: Array, index: np.ndarray | None) -> Any:
        """Return the moments of the rows at some positions, or of all, with their digits."""
        m, digits = self._kernel(x, index, exact=self._exact), part_of_digits(x, index)
        if not (self._exact or is_resolved(m.second, digits)):
            self._exact, m = True, self._kernel(x, index, exact=True)
        return m.with_second(replace(m.second, digits=digits))


def _has_exact_products(m: Moments) -> bool:
    """Return whether moments are from products in float64, given the dtype of their rows as their digits."""
    return isinstance(m, ThinMoments) or m.digits.significant > SINGLE_DIGITS


def _float32_sufficed(m: Moments | FourthMoments) -> bool:
    """Return whether the float32 products behind moments with their digits determine every direction."""
    return m.second.n > 1 and float32_suffices(nearby(m).second)


def float32_suffices(m: Moments) -> bool:
    """Return whether moments from float32 products determine every direction.

    The error E of such products is at most δ σ_i σ_j, with δ a few spacings. With λ the smallest eigenvalue of the
    correlation matrix of the live coordinates, vᵀEv <= (δ/λ) vᵀCv for every v: all variances, in all directions and of
    all merged parts, have that relative error.
    """
    m = m.map_arrays(detached)
    xp, own, alive = namespace(m.mean), deviations(m), live(m)
    inverse = where(alive, 1 / where(alive, own, 1.0), 0.0)
    correlations = xp.astype(m.scaled(inverse / (m.n - 1) ** 0.5).dense().scatter, xp.float32)
    shift = where(alive, -_LEAST_CORRELATION * xp.ones_like(own), 1.0)
    eye = xp.eye(own.shape[0], dtype=xp.float32, device=device_of(own))
    with one_thread(correlations):
        return is_positive_definite(correlations + eye * xp.astype(shift, xp.float32))


def deviations(m: Moments) -> Array:
    """Return the standard deviation of each coordinate (d,): rounding can make a variance slightly negative."""
    xp = namespace(m.mean)
    return xp.sqrt(xp.clip(m.variances(), min=0.0))


def noise(m: Moments) -> Array:
    """Return the standard deviation of the noise in each coordinate (d,); zeros if all rows are zero."""
    xp = namespace(m.mean)
    entries = xp.sqrt(deviations(m) ** 2 * ((m.n - 1) / m.n) + m.mean * m.mean)
    return _noise_share(m.digits.spacing) * xp.maximum(entries, _median_of_positive(entries))


def live(m: Moments) -> Array:
    """Return a mask (d,) of the coordinates that vary by more than their noise."""
    return deviations(m) > noise(m)


def rank(m: Moments, variances: Array) -> int:
    """Return the number of variances of the principal directions, in descending order, that count."""
    own, rounding, found = on_host(deviations(m), noise(m), variances)
    return min(n_above_noise(m, own, rounding, found), n_tellable(found))


def n_tellable(variances: Array) -> int:
    """Return the number of variances, in descending order, that differ from 0 in float64, relative to the largest.

    They are on the host.
    """
    return _count((variances > TELLABLE * variances[0]) & (variances > 0))


def n_above_noise(m: Moments, own: Array, noise: Array, variances: Array) -> int:
    """Return the number of directions above the noise (d,), given the deviations (d,) and the principal variances.

    All three are on the host. Coordinates without noise are left out; float64 adds its own noise to each of the others.
    In most clouds the largest and the smallest noise suffice.
    """
    xp, principal, tellable = namespace(noise), namespace(noise).sqrt(variances), TELLABLE**0.5
    noise = where(noise > 0, xp.maximum(noise, tellable * own), 0.0)
    shares = ratio(own, noise)
    strictest = xp.clip(tellable * xp.linalg.vector_norm(shares), min=1.0) * xp.max(noise)
    mildest = xp.clip(tellable * xp.max(shares), min=1.0) * xp.min(where(noise > 0, noise, xp.inf))
    low, high = _count(principal > strictest), _count(principal > mildest)
    if low == high:
        return low
    inverse = asarray_like(ratio(xp.ones_like(noise), noise), m.mean)
    relative = to_numpy(m.scaled(inverse).singular_values()) / (m.n - 1) ** 0.5
    return _count(relative > xp.clip(tellable * relative[0], min=1.0))


def _noise_share(spacing: float) -> float:
    """Return ε, the noise of numbers relative to their size, given their spacing."""
    return spacing if spacing >= 2.0 ** (1 - max(HALF_DIGITS)) else _SPACINGS * spacing


def _median_of_positive(values: Array) -> Array:
    """Return the median of the positive ones of some values (d,) from 0 on, and 0 if there are none."""
    xp, last = namespace(values), values.shape[0] - 1
    ordered, positive = xp.sort(values), xp.sum(xp.astype(values > 0, xp.int64))
    return (entry_at(ordered, last - positive // 2) + entry_at(ordered, last - abs(positive - 1) // 2)) / 2


def _count(mask: Array) -> int:
    xp = namespace(mask)
    return int(xp.sum(xp.astype(mask, xp.int64)))
