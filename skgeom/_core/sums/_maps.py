"""Linear maps: whitening in its five forms, the shrinkage of covariances, all-but-the-top."""

from __future__ import annotations

from dataclasses import replace
from math import log, pi
from typing import Any, NamedTuple

import numpy as np

from skgeom._array import (
    asarray_like,
    device_of,
    float64,
    is_foreign,
    matmul,
    namespace,
    on_host,
    ratio,
    subtract,
    vecdot,
    where,
)
from skgeom._core._rows import centred
from skgeom._core._threads import map_rows, write_rows
from skgeom._core.sums._moments import Axes, FourthMoments, Moments, once_per_moments
from skgeom._core.sums._rank import deviations, live, n_above_noise, n_tellable, noise
from skgeom._core.sums._spectrum import above
from skgeom._typing import Array


class WhiteningMap(NamedTuple):
    """A map z = (x - mean) @ forward, its inverse x = z @ backward + mean, and the axes behind it.

    `variances` (k,) and `directions` (k, d) are the principal axes of the coordinates multiplied by `scale` (d,): 1 for
    the covariance, 1/σ for the correlation. `rank` counts the axes that can be kept, `above_noise` those above the
    rounding of the rows.
    """

    forward: Array
    backward: Array
    variances: Array
    directions: Array
    scale: Array
    rank: int
    above_noise: int

    def beside(self, like: Array) -> WhiteningMap:
        """Return the map in the library and on the device of an array."""
        names = ("forward", "backward", "variances", "directions", "scale")
        moved: dict[str, Any] = {name: asarray_like(getattr(self, name), like) for name in names}
        return self._replace(**moved)


@once_per_moments
def axes(m: Moments) -> Axes:
    """Return the principal axes of `Moments.axes`, computed once for all maps of a cloud."""
    return m.axes()


def shrink(m: Moments, share: float) -> Moments:
    """Return the moments with the covariance (1 - s)C + s (tr C / d) I."""
    return m if share == 0 else _shrunk(m, share)


def ledoit_wolf(m: FourthMoments) -> Array:
    """Return the Ledoit-Wolf (2004) shrinkage."""
    xp = namespace(m.quartic)
    t, f, d, n = *_population_traces(m.second), m.second.mean.shape[0], m.second.n
    distance = f - t * t / d
    noise = (m.quartic / n - f) / n
    return where(distance > 0, ratio(xp.minimum(noise, distance), distance), 0.0)


def oas(m: Moments) -> Array:
    """Return the oracle approximating shrinkage of Chen et al. (2010)."""
    xp = namespace(m.mean)
    t, f, d, n = *_population_traces(m), m.mean.shape[0], m.n
    alpha, mu = f / d**2, t / d
    denominator = (n + 1) * (alpha - mu * mu / d)
    return where(denominator > 0, xp.clip(ratio(alpha + mu * mu, denominator), max=1.0), 1.0)


def whitening_map(
    m: Moments, method: str, power: float, n_components: int | None, tolerance: float | None
) -> WhiteningMap:
    """Return the whitening of a cloud on its leading axes: those that count, or of relative variance above a tolerance.

    With V the axes and Λ their variances, "pca" is Λ^(-p/2) V; every other form is a rotation of it with the same
    variances: "zca" rotates back to the original axes, "cholesky" to a triangular matrix. The forms "-cor" do the same
    to the standardised coordinates.
    """
    scale, scaled = _standardised(m) if method.endswith("-cor") else (namespace(m.mean).ones_like(m.mean), m)
    principal = axes(scaled)
    own, rounding, found = on_host(deviations(scaled), noise(m) * scale, principal.variances)
    above_noise = n_above_noise(scaled, own, rounding, found)
    rank = _n_kept(found, above_noise, method, tolerance)
    k = rank if n_components is None else min(n_components, rank)
    variances, directions = principal.variances[:k], principal.directions(k)
    lengths = variances[:, None] ** (power / 2)
    forward, backward = directions / lengths, directions * lengths
    if method not in ("pca", "pca-cor"):
        turn = _rotation(method, directions, forward)
        forward, backward = turn.T @ forward, turn.T @ backward
    return WhiteningMap(
        (forward * scale).T,
        backward * ratio(scale, scale * scale),
        variances,
        directions,
        scale,
        rank,
        above_noise,
    )


def centred_product(
    x: Array, mean: Array, w: Array, offset: Array | float = 0.0, out: np.ndarray | None = None
) -> Array:
    """Return (x - mean) @ w + offset in the dtype of x, for a mean, a map and an offset in float64.

    The rows are shifted by the rounded mean, near which the difference is exact, and the rounding error of the mean is
    mapped separately.
    """
    xp = namespace(x)
    pivot, narrow = xp.astype(mean, x.dtype), xp.astype(w, x.dtype)
    rest = xp.astype((float64(pivot) - mean) @ w + offset, x.dtype)
    if is_foreign(x):
        return map_rows(lambda rows: (rows - pivot) @ narrow + rest, x, columns=w.shape[1], out=out)
    whole = np.empty((x.shape[0], w.shape[1]), dtype=x.dtype) if out is None else out

    def write(rows: np.ndarray, room: np.ndarray, product: np.ndarray) -> None:
        matmul(subtract(rows, pivot, room), narrow, product)
        product += rest

    write_rows(write, x, whole)
    return whole


def exact_product(z: Array, origin: Array | float, w: Array, offset: Array) -> Array:
    """Return (z - origin) @ w + offset, computed in float64 and rounded to the dtype of z."""
    xp = namespace(z)
    return map_rows(lambda rows: xp.astype((float64(rows) - origin) @ w + offset, z.dtype), z, columns=2 * max(w.shape))


def default_top(d: int) -> int:
    """Return the default number of leading directions of d that all-but-the-top removes: one per hundred."""
    return max(1, round(d / 100))


def without(x: Array, mean: Array, directions: Array, *, seen_from: Array, out: np.ndarray | None = None) -> Array:
    """Return x - mean without its components along orthonormal directions (k, d), as seen from a point.

    Rounding errors of large components are removed by a second projection.
    """
    u = namespace(x).astype(directions, x.dtype)

    def left(rows: Array) -> Array:
        once = centred(rows, mean) - centred_product(rows, seen_from, directions.T) @ u
        return once - centred_product(once, seen_from - mean, directions.T) @ u

    return map_rows(left, x, out=out)


def log_density(centred: Array, variances: Array, directions: Array, scale: Array) -> Array:
    """Return the Gaussian log-density (n,) of centred rows within the axes of a whitening map."""
    xp = namespace(centred)
    z = (centred * scale) @ directions.T / xp.sqrt(variances)
    volume = xp.sum(xp.log(variances)) - 2 * xp.sum(xp.log(where(scale > 0, scale, 1.0)))
    return -0.5 * (vecdot(z, z) + variances.shape[0] * log(2 * pi) + volume)


def _rotation(method: str, directions: Array, whitening: Array) -> Array:
    """Return the rotation (k, out) that turns the PCA form of a whitening (k, d) into another form."""
    if method.startswith("zca"):
        return directions
    xp = namespace(directions)
    q, r = xp.linalg.qr(whitening)
    return q * (1.0 - 2.0 * xp.astype(xp.linalg.diagonal(r) < 0, q.dtype))


def _n_kept(variances: np.ndarray, above_noise: int, method: str, tolerance: float | None) -> int:
    """Return the number of axes to keep; after standardisation, float64 resolves small coordinates too."""
    if tolerance is not None:
        return above(variances, tolerance).shape[0]
    tellable = above(variances, 0.0).shape[0] if method.endswith("-cor") else n_tellable(variances)
    return min(above_noise, tellable)


@once_per_moments
def _shrunk(m: Moments, share: float) -> Moments:
    full = m.dense()
    xp = namespace(full.scatter)
    d = full.mean.shape[0]
    eye = xp.eye(d, dtype=full.scatter.dtype, device=device_of(full.scatter))
    scatter = (1 - share) * full.scatter + share * xp.linalg.trace(full.scatter) / d * eye
    return replace(full, scatter=scatter)


@once_per_moments
def _standardised(m: Moments) -> tuple[Array, Moments]:
    """Return 1/σ for each coordinate, 0 for those that do not vary by more than their noise, and the scaled moments."""
    xp = namespace(m.mean)
    alive = live(m)
    scale = where(alive, 1 / xp.sqrt(where(alive, m.variances(), 1.0)), 0.0)
    return scale, m.scaled(scale)


def _population_traces(m: Moments) -> tuple[Array, Array]:
    t, f = m.traces()
    bias = (m.n - 1) / m.n
    return t * bias, f * bias * bias
