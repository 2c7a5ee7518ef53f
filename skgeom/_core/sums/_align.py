"""Linear maps from one cloud to another: orthogonal, least squares and ridge, canonical correlations.

All of them are functions of the moments of the pairs. Only least squares needs more: moments resolve singular values
only to the root of the precision, so rows with a large condition number are mapped to nearly orthonormal columns before
their moments are computed, which loses nothing (Cholesky QR; Yamamoto et al. 2015, doi:10.1553/etna_vol44s306).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce
from operator import add
from typing import NamedTuple

import numpy as np

from skgeom._array import (
    asarray_like,
    decomposed,
    float64,
    is_positive_definite,
    namespace,
    ratio,
    row_blocks,
    to_float,
    vecdot,
    where,
)
from skgeom._core._threads import one_thread
from skgeom._core.sums._blocks import centred_rows
from skgeom._core.sums._cross import CrossMoments, RegressionMoments, cross_moments, regression_moments
from skgeom._core.sums._maps import WhiteningMap
from skgeom._core.sums._moments import moments
from skgeom._core.sums._spectrum import above
from skgeom._typing import Array

EPSILON = float(np.finfo(np.float64).eps)
SAFE_CONDITION = 1e7
"""Ratio of the eigenvalues of a scatter matrix below which the error of its inverse is at most 2e-9."""

GCV_EXPONENTS = np.linspace(-6, 4, 101)
SMALLEST_VARIANCE = 16 * EPSILON
_SAMPLE_ROWS_PER_COLUMN = 4
_LEAST_SINGULAR_SHARE = 2.0**-12
"""Smallest singular value of xy, as a share of ‖x‖ ‖y‖, for which float32 products suffice for a rotation: their error
is at most four spacings of that size, which rotates it by at most 2e-3, and for most rows by 1e-5."""

_SHARE_IN_SAMPLE = 1 / 8
"""Factor by which it may be smaller in a sample: with four rows per column a quarter is common."""

_NEARLY_ORTHONORMAL = 1e3
_MAX_PASSES = 3
_UNDECIDED = 1e-8


class Procrustes(NamedTuple):
    """A map y = scale x @ rotation of rotation (dx, dy), and the weighted sum of its squared residuals."""

    rotation: Array
    scale: Array
    residual: Array


class System(NamedTuple):
    """Rows in singular coordinates: singular values s (r,) above rounding, right directions (r, dx), Uᵀy (r, dy).

    `rest` is the part of ‖y‖² that no map explains, n the weight and `dropped` the number of directions that are
    rounding.
    """

    s: Array
    directions: Array
    targets: Array
    rest: Array
    n: float
    dropped: int


class Canonical(NamedTuple):
    """Maps of both centred clouds to k shared coordinates, their pseudo-inverses, and the k correlations."""

    x_forward: Array
    y_forward: Array
    x_backward: Array
    y_backward: Array
    correlations: Array


# Procrustes


def procrustes(m: CrossMoments, *, scale: bool = False, reflection: bool = True) -> Procrustes:
    """Return the (semi-)orthogonal map of largest Σ w ⟨x @ rotation, y⟩, with the best scale >= 0 or 1.

    The residual follows from the inner product, which is the nuclear norm of xy unless reflections are not allowed. If
    x is wider, the map shortens rows, and `RegressionMoments` are needed.
    """
    xp = namespace(m.xy)
    dx, dy = m.xy.shape
    tolerance = SMALLEST_VARIANCE * to_float(m.x_squares**0.5 * m.y_squares**0.5)
    rotation = _nearest_orthogonal(m.xy, tolerance, _references(m.xy), 1.0 if dx == dy and not reflection else 0.0)
    inner = xp.sum(rotation * m.xy)
    squares = m.squares_through(rotation)
    factor = xp.clip(ratio(inner, squares), min=0.0) if scale else xp.ones_like(inner)
    residual = factor * (factor * squares - 2 * inner) + m.y_squares
    return Procrustes(rotation, factor, xp.clip(residual, min=0.0))


def nearest_orthogonal(target: Array, tolerance: float) -> Array:
    """Return the (semi-)orthogonal maximiser of ⟨·, target⟩; a rule decides if the target is singular."""
    return _nearest_orthogonal(target, tolerance, _references(target), 0.0)


def rotation_moments(x: Array, y: Array, weights: Array | None, *, centre: bool) -> CrossMoments:
    """Return the moments of pairs that `procrustes` needs if y is at least as wide as x.

    Products of float32 rows are formed in float32 if these suffice: a sample predicts it, and the moments of all rows
    verify it.
    """
    stride = x.shape[0] // (_SAMPLE_ROWS_PER_COLUMN * y.shape[1])
    if x.dtype == y.dtype == namespace(x).float32 and stride >= 2:
        with one_thread(y[:1, :]):
            sample = cross_moments(x[::stride, :], y[::stride, :], None if weights is None else weights[::stride])
        if _settles_rotation(sample, centre, _LEAST_SINGULAR_SHARE * _SHARE_IN_SAMPLE):
            m = cross_moments(x, y, weights, exact=False)
            if _settles_rotation(m, centre, _LEAST_SINGULAR_SHARE):
                return m
    return cross_moments(x, y, weights)


def _settles_rotation(m: CrossMoments, centre: bool, least: float) -> bool:
    """Return whether the smallest singular value of xy exceeds a share of ‖x‖ ‖y‖."""
    about = m if centre else m.about_origin()
    share = ratio(about.xy, about.x_squares**0.5 * about.y_squares**0.5)
    with one_thread(share):
        return is_positive_definite(share @ share.T - asarray_like(least**2 * np.eye(share.shape[0]), share))


def _references(like: Array) -> tuple[Array, Array]:
    """Return the references for ties between maps: the leading block of the identity, then a matrix without zeros."""
    i, j = np.indices(like.shape)
    return asarray_like(np.eye(like.shape[0], like.shape[1]), like), asarray_like(np.cos((i + 1.0) * (j + 2.0)), like)


def _nearest_orthogonal(target: Array, tolerance: float, references: Sequence[Array], determinant: float) -> Array:
    """Return the (semi-)orthogonal maximiser of ⟨·, target⟩ with a given determinant, 1 or -1, or 0 for any.

    Where the target is zero up to the tolerance, the first reference replaces it, and so on: the result does not depend
    on the bases that a decomposition happens to return.
    """
    xp = namespace(target)
    u, s, vt = decomposed("svd", target, full_matrices=False)
    rank = int(xp.sum(xp.astype(s > tolerance, xp.int64)))
    if rank < s.shape[0] and references:
        u, s, vt = decomposed("svd", target, full_matrices=True) if target.shape[0] != target.shape[1] else (u, s, vt)
        null = [u[:, rank:].T @ r @ vt[rank:, :].T for r in references]
        handed = determinant and determinant * _handedness(u) * _handedness(vt)
        return (
            u[:, :rank] @ vt[:rank, :]
            + u[:, rank:] @ _nearest_orthogonal(null[0], _UNDECIDED, null[1:], handed) @ vt[rank:, :]
        )
    nearest = u @ vt
    if not determinant or _handedness(nearest) == determinant:
        return nearest
    weakest = int(xp.sum(xp.astype(s > s[-1] + tolerance, xp.int64)))
    u, v = u[:, weakest:], vt[weakest:, :].T
    if references and u.shape[1] > 1:
        tie = u.T @ references[-1] @ v
        turn = decomposed("eigh", tie + tie.T)[1]
        u, v = u @ turn, v @ turn
    else:
        u, v = xp.flip(u, axis=1), xp.flip(v, axis=1)
    return nearest - 2 * u[:, :1] @ v[:, :1].T


def _handedness(q: Array) -> float:
    """Return the sign of the determinant of a square matrix."""
    return 1.0 if to_float(namespace(q).linalg.det(q)) > 0 else -1.0


# Least squares


def least_squares_of_moments(m: RegressionMoments, penalty: float = 0.0) -> System:
    """Return the system of pairs from their moments alone, for solutions with a penalty.

    Directions below 6e-8 of the largest are lost if the penalty does not outweigh them.
    """
    return _system(m, *_eigen(m.xx), penalty=penalty)


def least_squares_of_rows(
    x: Array, y: Array, weights: Array | None, *, centre: bool, penalty: float
) -> tuple[RegressionMoments, System]:
    """Return the moments of the pairs, and their system, about the means or the origin, in the precision of the rows.

    The moments of the rows themselves suffice if they are well conditioned with the later penalty. A sample predicts
    it; the moments of all rows, or of their images, verify it.
    """
    if x.shape[0] <= x.shape[1]:
        m = regression_moments(x, y, weights)
        return m, _system_of_few_rows(x, y, weights, m if centre else m.about_origin(), centre=centre)
    basis = _basis_of_sample(x, weights, centre=centre, penalty=penalty)
    for remaining in reversed(range(_MAX_PASSES)):
        m = regression_moments(x, y, weights, through=None if basis is None else basis.forward)
        about = m if centre else m.about_origin()
        values, vectors = _eigen(about.xx)
        settled = _is_safe(values, penalty) if basis is None else _is_safe(_alive(values), limit=_NEARLY_ORTHONORMAL)
        if settled or not remaining:
            break
        basis = _basis(values, vectors) if basis is None else _refined(basis, about.xx)
    return _mapped_back(m, basis), _system(about, values, vectors, basis, penalty=0.0 if basis else penalty)


def condition(s: Array, penalty: float) -> float:
    """Return the ratio of the largest to the smallest of singular values, both with the penalty; 1 without any."""
    if not s.shape[0]:
        return 1.0
    largest, smallest = to_float(s[0]), to_float(s[-1])
    return ((largest * largest + penalty) / (smallest * smallest + penalty)) ** 0.5


def ridge(system: System, penalty: float, prior: Array | None = None) -> Array:
    """Return the minimiser (dx, dy) of ‖x b - y‖² + penalty ‖b - prior‖²; for penalty 0 the one nearest to the prior.

    Without a prior it is zero.
    """
    s = system.s[:, None]
    change = system.directions.T @ (s / (s * s + penalty) * _misfit(system, prior))
    return change if prior is None else prior + change


def gcv_penalty(system: System, prior: Array | None = None, *, centre: bool) -> float:
    """Return the penalty on the path that minimises n ‖y - x b‖² / (n - degrees of freedom)², the largest of ties."""
    xp = namespace(system.s)
    misfit = _misfit(system, prior)
    squares, variances = xp.sum(misfit * misfit, axis=1), system.s * system.s
    path = asarray_like(10.0 ** GCV_EXPONENTS[::-1], misfit) * (xp.sum(variances) / system.directions.shape[1])
    kept = ratio(path[:, None], path[:, None] + variances)
    free = xp.sum(kept, axis=1) + max(system.n - centre - variances.shape[0], 0.0)
    criterion = ratio(kept * kept @ squares + system.rest, free * free)
    return to_float(path[int(xp.argmin(criterion))])


def _misfit(system: System, prior: Array | None) -> Array:
    """Return Uᵀ(y - x prior)."""
    return system.targets - (0.0 if prior is None else system.s[:, None] * (system.directions @ prior))


class _Basis(NamedTuple):
    """A map to columns that are nearly orthonormal, z = x @ forward, and back, x = z @ backward."""

    forward: Array
    backward: Array


def _system(
    m: CrossMoments, values: Array, vectors: Array, basis: _Basis | None = None, *, penalty: float = 0.0
) -> System:
    """Return the system of x = z @ backward from the moments of z and y, and the eigenvalues and vectors of zz.

    If the penalty outweighs the rounding of the eigenvalues no direction is left out, since only the sum of both
    matters.
    """
    xp = namespace(values)
    alive = _alive(values)
    is_outweighed = alive.shape[0] > 0 and penalty > SMALLEST_VARIANCE * to_float(values[0])
    s = xp.sqrt(_floored(values) if is_outweighed else alive)
    directions = vectors[:, : s.shape[0]].T
    targets = directions @ m.xy / s[:, None]
    if basis is None:
        return _filled(s, directions, targets, m)._replace(dropped=values.shape[0] - alive.shape[0])
    u, s, directions = decomposed("svd", (s[:, None] * directions) @ basis.backward, full_matrices=False)
    return _cut(s, directions, u.T @ targets, m)


def _system_of_few_rows(x: Array, y: Array, weights: Array | None, m: CrossMoments, *, centre: bool) -> System:
    def prepared(rows: Array) -> Array:
        if centre:  # a rounded mean would leave a row that all have in common, hence a direction
            return centred_rows(rows, weights)[2]
        return float64(rows) if weights is None else float64(rows) * namespace(rows).sqrt(float64(weights))[:, None]

    x, y = prepared(x), prepared(y)
    u, s, directions = decomposed("svd", x, full_matrices=False)
    return _cut(s, directions, u.T @ y, m)


def _cut(s: Array, directions: Array, targets: Array, m: CrossMoments) -> System:
    """Return a system without singular values that are rounding."""
    s = above(s, singular_tolerance(directions.shape[1])) if s.shape[0] else s
    return _filled(s, directions[: s.shape[0], :], targets[: s.shape[0], :], m)


def singular_tolerance(d: int) -> float:
    """Return the share of the largest singular value below which one of d columns is rounding."""
    return (16 + d) * EPSILON


def _filled(s: Array, directions: Array, targets: Array, m: CrossMoments) -> System:
    rest = m.y_squares - namespace(targets).sum(targets * targets)
    rest = where(rest > SMALLEST_VARIANCE * m.y_squares, rest, 0.0)
    return System(s, directions, targets, rest, m.n, directions.shape[1] - s.shape[0])


def _basis_of_sample(x: Array, weights: Array | None, *, centre: bool, penalty: float) -> _Basis | None:
    """Return a basis from a sample of the rows, or None if none is needed."""
    stride = x.shape[0] // (_SAMPLE_ROWS_PER_COLUMN * x.shape[1])
    if stride < 2:
        return None
    m = moments(float64(x[::stride, :]), None if weights is None else weights[::stride])
    scatter = (m if centre else m.about_origin()).dense().scatter
    with one_thread(scatter):
        values = namespace(x).flip(decomposed("eigvalsh", scatter))
    return None if _is_safe(values, penalty / stride) else _basis(*_eigen(scatter))


def _basis(values: Array, vectors: Array) -> _Basis:
    """Return the basis in which rows with this scatter matrix are orthonormal, coarser columns first."""
    xp = namespace(values)
    root = xp.sqrt(_floored(values))
    return _Basis(vectors / root, root[:, None] * vectors.T)


def _refined(basis: _Basis, scatter: Array) -> _Basis:
    """Return a basis corrected by the scatter matrix of its columns, without mixing fine ones into coarse ones."""
    xp = namespace(scatter)
    d = scatter.shape[0]
    shift = SMALLEST_VARIANCE * to_float(xp.linalg.trace(scatter))
    factor = xp.linalg.cholesky(scatter + asarray_like(shift * np.eye(d), scatter)).T
    return _Basis(basis.forward @ xp.linalg.inv(factor), factor @ basis.backward)


def _mapped_back(m: RegressionMoments, basis: _Basis | None) -> RegressionMoments:
    """Return the moments of x = z @ backward and y from those of z and y."""
    if basis is None:
        return m
    xx = basis.backward.T @ m.xx @ basis.backward
    xx = (xx + xx.T) / 2
    return replace(
        m,
        x_mean=m.x_mean @ basis.backward,
        x_squares=namespace(xx).linalg.trace(xx),
        xy=basis.backward.T @ m.xy,
        xx=xx,
    )


def _eigen(scatter: Array) -> tuple[Array, Array]:
    """Return eigenvalues in descending order, at least 0, and eigenvectors in columns."""
    xp = namespace(scatter)
    with one_thread(scatter):
        values, vectors = decomposed("eigh", scatter)
    return xp.clip(xp.flip(values), min=0.0), xp.flip(vectors, axis=1)


def _alive(values: Array) -> Array:
    return above(values, SMALLEST_VARIANCE)


def _floored(values: Array) -> Array:
    return namespace(values).clip(values, min=SMALLEST_VARIANCE * to_float(values[0]))


def _is_safe(values: Array, penalty: float = 0.0, limit: float = SAFE_CONDITION) -> bool:
    """Return whether a scatter matrix of such descending eigenvalues, plus the penalty, is well conditioned."""
    return not values.shape[0] or to_float(values[0]) + penalty <= limit * (to_float(values[-1]) + penalty)


# Canonical correlations


def canonical(m: CrossMoments, x_whitening: WhiteningMap, y_whitening: WhiteningMap, share: float) -> Canonical:
    """Return all canonical directions, by descending correlation, from the whitening of either cloud.

    If the covariances within the clouds were shrunk by a share, so is the one between them, which keeps the joint
    covariance positive. The largest entry of each direction of x is positive, which determines the sign of that of y.
    """
    xp = namespace(m.xy)
    between = x_whitening.forward.T @ m.xy @ y_whitening.forward / (m.n - 1)
    u, correlations, vt = decomposed("svd", between, full_matrices=False)
    x_forward = x_whitening.forward @ u
    sign = where(-xp.min(x_forward, axis=0) > xp.max(x_forward, axis=0), -xp.ones_like(correlations), 1.0)
    return Canonical(
        x_forward * sign,
        y_whitening.forward @ vt.T * sign,
        sign[:, None] * (u.T @ x_whitening.backward),
        sign[:, None] * (vt @ y_whitening.backward),
        xp.clip((1 - share) * correlations, max=1.0),
    )


# The quality of a map


def variance_explained(y: Array, x: Array, predict: Callable[[Array], Array], weights: Array | None = None) -> Array:
    """Return 1 - Σ w ‖y - z‖² / Σ w ‖y - mean‖² with z the prediction of x, a block of rows at a time.

    It is invariant to rotation. For constant y it is 1 if z is exact, else 0.
    """
    xp = namespace(y)
    shares = xp.ones_like(y[:, 0], dtype=xp.float64) if weights is None else weights / xp.max(weights)
    blocks = list(row_blocks(y, columns=2 * max(x.shape[1], y.shape[1])))
    first = float64(y[0, :])
    mean = first + sum(shares[b] @ (float64(y[b, :]) - first) for b in blocks) / xp.sum(shares)

    def squares(block: slice, other: Array) -> Array:
        rest = float64(y[block, :]) - other
        return vecdot(shares[block], vecdot(rest, rest))

    wrong = reduce(add, (squares(b, float64(predict(x[b, :]))) for b in blocks))
    spread = reduce(add, (squares(b, mean) for b in blocks))
    return where(spread > 0, 1 - ratio(wrong, spread), xp.astype(wrong == 0, wrong.dtype))
