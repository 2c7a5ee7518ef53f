"""Exponential and logarithmic maps of the sphere and of the Poincaré ball, and Fréchet means.

The coordinates of a tangent vector at a point μ preserve its length: on the sphere it is a vector orthogonal to μ; in
the ball, with 4 / (1 - ‖μ‖²)² times the Euclidean metric at μ, a Euclidean vector times the root of this factor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from math import inf, pi
from typing import NamedTuple, Protocol

import numpy as np

from skgeom._array import (
    device_of,
    is_on_host,
    namespace,
    numbers,
    ratio,
    sqrt_in_place,
    take_rows,
    to_float,
    vecdot,
    where,
)
from skgeom._core._labels import Labels
from skgeom._core._rows import norms
from skgeom._core.sums._clusters import mean_largest_overlap
from skgeom._typing import Array

_TOLERANCE = 1e-13
_MOST_STEPS = 1000
_CONVERGED = 1e-9
_SHORTEST_MEAN = 0.05
"""Length of the mean of unit rows below which the mean on the sphere is poorly determined."""
_ONE_POINT = 1e-12
"""Distance below which two means, each with a residual up to the tolerance, count as one."""


class Geometry(Protocol):
    """Points in rows (n, d), and maps between them and tangent vectors at a point (d,).

    At a distance of `reach` or more, the direction from one point to another is not unique.
    """

    reach: float

    def concentration(self, x: Array) -> Array:
        """Return how well the mean of the points is determined, from 0 to 1."""

    def distance(self, mu: Array, x: Array) -> Array:
        """Return the distances (n,) of the points from μ."""

    def start(self, x: Array) -> Array:
        """Return a starting point for the mean."""

    def log(self, mu: Array, x: Array) -> Array:
        """Return the tangent vectors (n, d) from μ to the points."""

    def exp(self, mu: Array, v: Array) -> Array:
        """Return the points at the ends of tangent vectors at μ."""

    def step(self, v: Array) -> Array | float:
        """Return the step size towards the mean, as a share of the mean tangent vector."""

    def basis(self, mu: Array) -> Array:
        """Return orthonormal tangent vectors (m, d) at μ."""


class Mean(NamedTuple):
    """A Fréchet mean (d,), the number of steps, the length of the mean tangent vector there, and the concentration."""

    point: Array
    n_iter: int
    residual: float
    concentration: float

    @property
    def is_determined(self) -> bool:
        """Whether the points do not cancel, and the steps converged."""
        return self.residual <= _CONVERGED and self.concentration >= _SHORTEST_MEAN


class Sphere:
    """The unit sphere: points are unit rows, and the tangent space has d - 1 dimensions."""

    reach = pi

    def concentration(self, x: Array) -> Array:
        """Return the length of the mean of the unit rows."""
        return norms(namespace(x).mean(x, axis=0)[None, :])[0]

    def distance(self, mu: Array, x: Array) -> Array:
        """Return the angles, from 0 to π."""
        along = x @ mu
        return namespace(x).atan2(norms(x - along[:, None] * mu[None, :]), along)

    def start(self, x: Array) -> Array:
        """Return the direction of the mean, or a row if the mean is zero."""
        mean = namespace(x).mean(x, axis=0)
        length = norms(mean[None, :])[0]
        return where(length > _TOLERANCE, ratio(mean, length), x[0, :])

    def log(self, mu: Array, x: Array) -> Array:
        """Return θ times the unit vector orthogonal to μ towards x."""
        along = x @ mu
        across = x - along[:, None] * mu[None, :]
        sine = norms(across)
        angle = namespace(x).atan2(sine, along)
        return across * where(sine > 0, ratio(angle, sine), 1.0)[:, None]

    def exp(self, mu: Array, v: Array) -> Array:
        """Return the points of the great circles along v at a distance of ‖v‖."""
        xp, angle = namespace(v), norms(v)[:, None]
        points = xp.cos(angle) * mu[None, :] + where(angle > 0, ratio(xp.sin(angle), angle), 1.0) * v
        return points / norms(points)[:, None]

    def step(self, v: Array) -> float:
        """Return 1."""
        return 1.0

    def basis(self, mu: Array) -> Array:
        """Return the unit vectors except the first, under the reflection that maps the first to ±μ."""
        xp = namespace(mu)
        unit = xp.eye(mu.shape[0], dtype=mu.dtype, device=device_of(mu))
        w = mu + unit[0, :] if to_float(mu[0]) >= 0 else mu - unit[0, :]
        return (unit - 2 * w[:, None] * w[None, :] / xp.sum(w * w))[1:, :]


class Ball:
    """The Poincaré ball of curvature -1: points are rows shorter than 1, and the tangent space has d dimensions."""

    reach = inf

    def concentration(self, x: Array) -> Array:
        """Return 1: the mean in the ball is unique."""
        return namespace(x).ones((), dtype=x.dtype, device=device_of(x))

    def distance(self, mu: Array, x: Array) -> Array:
        """Return 2 asinh(‖x - μ‖ / √((1 - ‖x‖²)(1 - ‖μ‖²)))."""
        xp, apart = namespace(x), x - mu[None, :]
        inside = (1 - vecdot(x, x)) * (1 - xp.sum(mu * mu))
        return 2 * xp.asinh(sqrt_in_place(vecdot(apart, apart) / inside))

    def start(self, x: Array) -> Array:
        """Return the Euclidean mean, which is inside."""
        return namespace(x).mean(x, axis=0)

    def log(self, mu: Array, x: Array) -> Array:
        """Return the distance times w / ‖w‖ for the Möbius sum w = (-μ) ⊕ x.

        The distance is 2 atanh(‖w‖), but near the border ‖w‖ has lost the digits of 1 - ‖w‖.
        """
        w = mobius_sum(-mu, x)
        length = norms(w)
        return w * where(length > 0, ratio(self.distance(mu, x), length), 2.0)[:, None]

    def exp(self, mu: Array, v: Array) -> Array:
        """Return μ ⊕ tanh(‖v‖ / 2) v / ‖v‖."""
        length = norms(v)[:, None]
        return mobius_sum(mu, v * where(length > 0, ratio(namespace(v).tanh(length / 2), length), 0.5))

    def step(self, v: Array) -> Array:
        """Return 1 / mean(r coth r) of the distances r: a full step overshoots, as squared distances curve more."""
        xp, r = namespace(v), norms(v)
        return 1 / xp.mean(where(r > 0, ratio(r, xp.tanh(r)), 1.0))

    def basis(self, mu: Array) -> Array:
        """Return the unit vectors."""
        return namespace(mu).eye(mu.shape[0], dtype=mu.dtype, device=device_of(mu))


GEOMETRIES: dict[str, Geometry] = {"sphere": Sphere(), "poincare": Ball()}


def mobius_sum(a: Array, x: Array) -> Array:
    """Return a ⊕ x for a point (d,) and rows (n, d)."""
    xp = namespace(x)
    ax, xx, aa = (x @ a)[:, None], vecdot(x, x)[:, None], xp.sum(a * a)
    return ((1 + 2 * ax + xx) * a[None, :] + (1 - aa) * x) / (1 + 2 * ax + aa * xx)


def frechet_means(geometry: Geometry, clouds: Sequence[Array]) -> list[Mean]:
    """Return the point of smallest mean squared distance to the rows of each cloud, by steps along their mean tangent.

    On an accelerator all clouds step together, and take half as many steps again as so far before the host looks at
    them: some in vain, but the host waits only 16 times in 1000 steps.
    """
    if len(clouds) > 1 and is_on_host(clouds[0]):  # one after another, each stays in cache
        return [mean for x in clouds for mean in frechet_means(geometry, [x])]
    paths = {i: _path(geometry, x) for i, x in enumerate(clouds)}
    found, n_iter, one_by_one = {}, 0, is_on_host(clouds[0])
    while paths:
        ahead = 1 if one_by_one else 1 + n_iter // 2
        taken = {i: list(islice(path, ahead)) for i, path in paths.items()}
        residuals = numbers([length for steps in taken.values() for _, length in steps]).reshape(-1, ahead)
        for (i, steps), lengths in zip(taken.items(), residuals.tolist(), strict=True):
            for more, ((point, _), residual) in enumerate(zip(steps, lengths, strict=True)):
                if residual <= _TOLERANCE or n_iter + more == _MOST_STEPS:
                    found[i] = point, n_iter + more, residual
                    del paths[i]
                    break
        n_iter += ahead
    concentrations = numbers([geometry.concentration(x) for x in clouds]).tolist()
    return [Mean(*found[i], concentration) for i, concentration in enumerate(concentrations)]


def _path(geometry: Geometry, x: Array) -> Iterator[tuple[Array, Array]]:
    """Yield points step by step, each with the length of the mean tangent vector there."""
    xp, mu = namespace(x), geometry.start(x)
    while True:
        v = geometry.log(mu, x)
        mean = xp.mean(v, axis=0)[None, :]
        yield mu, norms(mean)[0]
        mu = geometry.exp(mu, geometry.step(v) * mean)[0, :]


def class_means(geometry: Geometry, x: Array, labels: Labels) -> tuple[list[Mean], list[Array]]:
    """Return the mean of each class, and the distances of its rows from it."""
    members = np.split(labels.order, np.cumsum(labels.sizes)[:-1])
    classes = [take_rows(x, np.sort(rows)) for rows in members]
    means = frechet_means(geometry, classes)
    return means, [geometry.distance(mean.point, rows) for mean, rows in zip(means, classes, strict=True)]


def davies_bouldin(geometry: Geometry, means: list[Mean], distances: list[Array]) -> Array:
    """Return the mean over classes of the largest (s + s') / d(μ, μ'), with s the mean distance of a class to its mean.

    It is infinite if two classes have the same mean.
    """
    xp = namespace(means[0].point)
    points, spread = xp.stack([mean.point for mean in means]), xp.stack([xp.mean(d) for d in distances])

    def between(rows: slice) -> Array:
        found = xp.stack([geometry.distance(points[i, :], points) for i in range(rows.start, rows.stop)])
        return where(found > _ONE_POINT, found, 0.0)

    return mean_largest_overlap(points, spread, between)
