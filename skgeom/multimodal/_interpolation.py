"""Paths between embeddings along great arcs."""

from __future__ import annotations

from typing import Any

import numpy as np

from skgeom._array import asarray_like, epsilon, float64, in_full_precision, is_foreign, namespace, row_blocks, to_float
from skgeom._core import _two_clouds
from skgeom._core._rows import unit_or_zero
from skgeom._core._threads import map_rows
from skgeom._core.pairs._sphere import chords_of
from skgeom._typing import Array
from skgeom._validation import (
    check_cloud,
    check_no_zeros,
    check_numbers,
    check_paired,
    check_same_kind,
)


@in_full_precision
def slerp(x: Any, y: Any, t: Any) -> Array:
    r"""Spherical linear interpolation between two vectors, or between the rows of two arrays.

    With Ω the angle between x and y,

    .. math:: \frac{\sin((1 - t)\,\Omega)\, x + \sin(t\,\Omega)\, y}{\sin \Omega}.

    The direction moves along the shortest arc. Vectors are not normalised: between equal lengths the speed and the
    length are constant, between unequal lengths both change. Near opposite directions the formula divides a
    difference of lengths by sin Ω: there, lengths that differ by the rounding of the dtype of x count as equal.

    Parameters
    ----------
    x : array of shape (n_features,) or (n_samples, n_features)
        Starts of the paths, none of them zero.
    y : array of the shape of x
        Ends of the paths.
    t : float or array of shape (n_steps,)
        Position on the path: 0 is x and 1 is y; other numbers continue along the same great circle.

    Returns
    -------
    array of the shape of x, with n_steps in front for an array t
        The points, in the dtype of x (float32 for halves). Parallel vectors are joined by a straight line, the limit of
        the formula.

    Raises
    ------
    TypeError
        If t is not a number.
    ValueError
        If x or y is not finite, or zero, the two differ in shape, library or device, or point in opposite directions
        (up to 1e-6), between which no arc is the shortest.

    See Also
    --------
    vslerp : The same around the mean of a modality.

    Notes
    -----
    Equivariant to rotation and to uniform scaling. Computed in float64, the angle of the unit vectors u and v as
    2 atan2(‖u - v‖, ‖u + v‖), which keeps its digits at small angles, where acos does not.

    References
    ----------
    Shoemake 1985, Animating rotation with quaternion curves, doi:10.1145/325334.325242.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.multimodal import slerp
    >>> slerp(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 0.5).round(4)
    array([0.7071, 0.7071])
    """
    return vslerp(x, y, t, None, 0.0)


@in_full_precision
def vslerp(x: Any, y: Any, t: Any, mean: Any, alpha: Any = 1.0) -> Array:
    r"""Interpolate spherically around a centre other than the origin: vSLERP.

    .. math:: \mathrm{slerp}(x - \alpha m,\; y - \alpha m;\; t) + \alpha m.

    Embeddings form a shell around the mean m of their modality, and this path stays on it, unlike the path of `slerp`.

    Parameters
    ----------
    x : array of shape (n_features,) or (n_samples, n_features)
        Starts of the paths.
    y : array of the shape of x
        Ends of the paths.
    t : float or array of shape (n_steps,)
        Position on the path: 0 is x and 1 is y.
    mean : array of shape (n_features,), or None
        The centre m, usually the mean of the modality. None is the origin.
    alpha : float or array of shape (n_alphas,), default=1.0
        Share of the mean used as centre; 0 is plain `slerp`.

    Returns
    -------
    array of the shape of x, with n_steps in front for an array t, and n_alphas before these for an array alpha
        The points, in the dtype of x (float32 for halves).

    Raises
    ------
    TypeError
        If t or alpha is not a number.
    ValueError
        As `slerp`, for the vectors seen from the centre, of which none may be zero; or if the mean does not fit x.

    See Also
    --------
    slerp : Around the origin.

    Notes
    -----
    Equivariant to rotation and to uniform scaling. The published code takes the arccosine of the product feature by
    feature, without the sum of the scalar product, and so follows no arc: its points are near (x + y)/√2 halfway.

    References
    ----------
    Levi & Gilboa 2025, The double-ellipsoid geometry of CLIP, arXiv:2411.14517.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.multimodal import vslerp
    >>> x, y, mean = np.array([6.0, 5.0]), np.array([5.0, 6.0]), np.array([5.0, 5.0])
    >>> vslerp(x, y, [0.0, 0.5, 1.0], mean).round(4)
    array([[6.    , 5.    ],
           [5.7071, 5.7071],
           [5.    , 6.    ]])
    >>> vslerp(x, y, [0.0, 0.5, 1.0], mean, alpha=[0.0, 1.0, 2.0]).shape
    (3, 3, 2)
    """
    steps, shares = check_numbers(t, "t"), check_numbers(alpha, "alpha")
    (rows, single), (others, _) = _check_vectors(x, "x"), _check_vectors(y, "y")
    check_same_kind(rows, others, ("x", "y"))
    check_paired(rows, others, ("x", "y"))
    middle = _centre(mean, rows)
    centres = [share * middle for share in shares.ravel().tolist()]
    for share, centre in zip(shares.ravel().tolist(), centres, strict=True):
        for z, name in ((rows, "x"), (others, "y")):
            _check_directions(z, centre, name + ("" if mean is None else f" seen from {share:g} · mean"))

    def paths(a: Array, b: Array) -> Array:
        return namespace(a).concat([_paths(a, b, centre=centre, steps=steps) for centre in centres], axis=1)

    points = map_rows(paths, rows, others, columns=max(shares.size * steps.size, 2) * rows.shape[1])
    xp, shape = namespace(rows), rows.shape[1:] if single else rows.shape
    return xp.reshape(xp.permute_dims(points, (1, 0, 2)), (*shares.shape, *steps.shape, *shape))


def _paths(x: Array, y: Array, *, centre: Array, steps: np.ndarray) -> Array:
    """Return the points (n, n_steps, d) between rows around a centre, in the dtype of x."""
    a, b = float64(x) - centre, float64(y) - centre
    ends = _two_clouds.Ends(a, b, unit_or_zero(a), unit_or_zero(b))
    _check_not_opposite(to_float(namespace(a).min(chords_of(ends.u, ends.v).plus)))
    points = _two_clouds.slerp(ends, asarray_like(steps.reshape(-1, 1, 1), a), 4 * epsilon(x)) + centre
    return namespace(x).permute_dims(namespace(x).astype(points, x.dtype), (1, 0, 2))


def _check_directions(x: Array, centre: Array, name: str) -> None:
    """Check that no row is at the centre, where its direction is undefined."""
    xp = namespace(x)
    check_no_zeros([xp.max(xp.abs(float64(x[rows, :]) - centre), axis=1) for rows in row_blocks(x)], name)


def _centre(mean: Any, like: Array) -> Array:
    """Return the mean as one row in float64."""
    if mean is None:
        return float64(0.0 * like[:1, :])
    centre, _ = _check_vectors(mean, "mean")
    check_same_kind(like, centre, ("x", "mean"))
    if centre.shape[0] != 1:
        raise ValueError(f"mean has {centre.shape[0]} rows, expected one vector. Pass the mean of the rows.")
    return float64(centre)


def _check_vectors(x: Any, name: str) -> tuple[Array, bool]:
    """Return a vector, or the rows of a matrix, as a finite matrix (n, d), and whether it was a vector."""
    values = x if is_foreign(x) else np.asarray(x)
    single = values.ndim == 1
    return check_cloud(values[None, :] if single else values, name=name, min_samples=1), single


def _check_not_opposite(smallest: float) -> None:
    """Check that no two unit vectors u and v are opposite, given the smallest ‖u + v‖²."""
    if smallest <= 1e-12:
        raise ValueError(
            "x and y point in opposite directions, so no arc between them is the shortest. Move one of them slightly, "
            "or go through a third point."
        )
