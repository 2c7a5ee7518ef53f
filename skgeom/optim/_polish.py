"""Spherical codes: minimising the largest cosine between points.

Smooth potentials and linear programs do it together. The potentials find good arrangements of many points, or in many
dimensions; but one alone leads few points to the same arrangement each time, and none is exact. The programs are, from
anywhere near.
"""

from __future__ import annotations

from functools import reduce
from math import cos, sqrt

import numpy as np
from scipy.optimize import linprog, minimize
from scipy.sparse import csr_array

from skgeom._array import to_numpy
from skgeom._core.pairs._bounds import tammes_bound
from skgeom._core.pairs._minimax import soft_largest_cosine

_SHARPNESSES = (1.0, 3.0, 30.0, 100.0)
"""Sharpness of the potentials that lead few points to starts of linear programs: each finds codes the others miss."""

_LADDER = [10.0 * 2.0**k for k in range(20)]
"""Sharpness of the potentials that lead many points, one after the other, to a code, up to 1e-6 of the cosine."""

_UPDATES = 200
"""Number of updates on each potential."""

_PROGRAMS = 100
"""Maximum number of linear programs; they converge quadratically where the code is rigid."""

_FEW = 130
"""Degrees of freedom up to which linear programs find their way from afar."""

_SOME = 250
"""Degrees of freedom up to which they finish a code: those of more take minutes."""


def polish(x: np.ndarray) -> np.ndarray:
    """Return unit rows in float64 whose minimum angle is no less than that of the rows x, in most cases much larger."""
    n, d = x.shape
    u = x / np.linalg.norm(x, axis=1)[:, None]
    sharp = reduce(_minimise, _LADDER, u)
    found = [u, _settle(sharp, 1e-3) if n * (d - 1) <= _SOME else sharp]
    if n * (d - 1) <= _FEW:
        found += [_settle(u, 0.3), *(_settle(_minimise(u, p), 0.03) for p in _SHARPNESSES)]
    return min(found, key=_largest_cosine)


def _largest_cosine(u: np.ndarray) -> float:
    return soft_largest_cosine(u, 1.0).largest


def _minimise(u: np.ndarray, sharpness: float) -> np.ndarray:
    """Minimise log Σ exp(p cos), with the sharpness in units of 1 over 1 - cos of the best angle conceivable."""
    n, d = u.shape
    p = sharpness / (1 - cos(tammes_bound(n, d)))

    def potential(x: np.ndarray) -> tuple[float, np.ndarray]:
        found = soft_largest_cosine(x.reshape(n, d), p)
        return found.value, to_numpy(found.gradient).ravel()

    options = {"maxiter": _UPDATES, "maxcor": 20, "ftol": 1e-15, "gtol": 1e-12}
    x = minimize(potential, u.ravel(), jac=True, method="L-BFGS-B", options=options).x.reshape(n, d)
    return x / np.linalg.norm(x, axis=1)[:, None]


def _settle(u: np.ndarray, radius: float) -> np.ndarray:
    """Minimise the largest cosine by linear programs within a radius that shrinks where the sphere is too curved."""
    pairs = np.triu_indices(u.shape[0], 1)
    cosines = (u @ u.T)[pairs]
    for _ in range(_PROGRAMS):
        top = cosines.max()
        near = cosines > top - 4 * sqrt(u.shape[1] - 1) * radius
        moves, promised = _program(u, pairs[0][near], pairs[1][near], (top - cosines[near]) / radius)
        moved = u + radius * moves
        moved /= np.linalg.norm(moved, axis=1)[:, None]
        after = (moved @ moved.T)[pairs]
        gain = top - after.max()
        if gain > 0:
            u, cosines = moved, after
        if radius * promised < 1e-15 or radius < 1e-14:
            break
        radius *= 0.25 if gain < 0.25 * radius * promised else 2.0 if gain > 0.75 * radius * promised else 1.0
        radius = min(radius, 0.5)
    return u


def _program(u: np.ndarray, i: np.ndarray, j: np.ndarray, slack: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the tangent moves, in a unit box, that lower the largest of the linearised cosines most, and by how much.

    All in units of the radius, so that the tolerance of the solver shrinks with it.
    """
    n, d = u.shape
    k, m = d - 1, i.shape[0]
    bases = _tangent_bases(u)
    slopes = [(u[b][:, None, :] @ bases[a])[:, 0, :] for a, b in ((i, j), (j, i))]
    rows = np.arange(m)
    places = [a[:, None] * k + np.arange(k) for a in (i, j)]
    entries = np.concatenate([*(s.ravel() for s in slopes), -np.ones(m)])
    columns = np.concatenate([*(p.ravel() for p in places), np.full(m, n * k)])
    matrix = csr_array((entries, (np.concatenate([np.repeat(rows, k)] * 2 + [rows]), columns)), shape=(m, n * k + 1))
    cost = np.zeros(n * k + 1)
    cost[-1] = 1.0
    found = linprog(cost, A_ub=matrix, b_ub=slack, bounds=[(-1, 1)] * (n * k) + [(None, 0)], method="highs")
    if found.x is None:
        return np.zeros_like(u), 0.0
    return (bases @ found.x[:-1].reshape(n, k, 1))[:, :, 0], -float(found.x[-1])


def _tangent_bases(u: np.ndarray) -> np.ndarray:
    """Return orthonormal columns (n, d, d - 1) tangent at each row: those of the reflection of the first axis to it."""
    v = u.copy()
    v[:, 0] += np.where(u[:, 0] >= 0, 1.0, -1.0)
    reflections = np.eye(u.shape[1]) - 2 * v[:, :, None] * v[:, None, :] / (v**2).sum(1)[:, None, None]
    return reflections[:, :, 1:]
