"""From curved spaces to flat ones: the tangent space at the mean."""

from __future__ import annotations

from math import isnan
from typing import Any, Literal, Self, TypeAlias, get_args

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin

from skgeom._array import asarray_like, detached, epsilon, float64, namespace, row_blocks, to_float
from skgeom._core import _tangent
from skgeom._core._rows import norms, unit_or_zero
from skgeom._core._threads import map_rows
from skgeom._estimator import Check, RowwiseTransformer, all_at_once, chunk_by_chunk
from skgeom._typing import Array
from skgeom._validation import check_choice, check_cloud, check_in_ball, check_no_zeros, check_numbers, check_plane
from skgeom._warnings import warn

Geometry: TypeAlias = Literal["sphere", "poincare"]
"""The spaces whose tangent spaces there are."""


class TangentSpace(ClassNamePrefixFeaturesOutMixin, RowwiseTransformer):
    r"""Map points of a sphere or of the Poincaré ball to the tangent space at their mean, which is flat.

    .. math:: z = \log_\mu(x), \qquad \mu = \arg\min_\mu \sum_i d(\mu, x_i)^2,

    in an orthonormal basis: the length of z is the distance d(μ, x), and methods for flat spaces, such as
    IsoScore, `Whitening` or a linear classifier, then apply to the curved one. `inverse_transform` maps back.

    Parameters
    ----------
    geometry : {"sphere", "poincare"}, default="sphere"
        "sphere": the directions of the rows, whose lengths do not matter; d(x, y) is the angle. "poincare": the ball of
        curvature -1, in which rows are shorter than 1; d(x, y) = 2 asinh(‖x - y‖ / √((1 - ‖x‖²)(1 - ‖y‖²))).
    reference : "mean" or array of shape (n_features,), default="mean"
        The point μ: the Fréchet mean of the rows, or a given point of the space.
    device : {None, "cpu", "cuda", "cuda:<index>", "auto"}, default=None
        Where host data are computed; results and attributes come back as NumPy. None stays where X is.

    Attributes
    ----------
    mean_ : array of shape (n_features,), float64
        The point μ.
    basis_ : array of shape (n_components, n_features), float64
        Orthonormal tangent vectors at μ: one fewer than features on the sphere, as many in the ball.
    n_iter_ : int
        Number of steps to the mean; 0 for a given point.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows and, on the sphere, two features; a row is zero or opposite to
        μ ("sphere") or not shorter than 1 ("poincare"); `reference` is not a point of the space; or the steps to the
        mean leave the ball.

    Warns
    -----
    UserWarning
        If the mean on the sphere is poorly determined because the directions cancel: use the rows themselves, whose
        IsoScore is then meaningful, or pass a `reference`. If the mean in the ball is not reached, as may be where all
        rows are close to one another near its border.

    See Also
    --------
    skgeom.metrics.silhouette_score : Takes the distances of both spaces, too.
    skgeom.metrics.collapse_bound : Holds in the tangent space, with the dimension of the space.

    Notes
    -----
    The mean is found by steps along the mean tangent vector, of 1 on the sphere and 1 / mean(r coth r) in the ball, r
    the distances, until it is shorter than 1e-13: O(n d) time each, computed in float64. Invariant, up to a rotation of
    z, to rotations of the sphere and to all isometries of the ball, which ball coordinates themselves are not.

    References
    ----------
    Pennec 2006, Intrinsic statistics on Riemannian manifolds, J. Math. Imaging Vis. 25, doi:10.1007/s10851-006-6228-4;
    Ganea, Bécigneul & Hofmann 2018, Hyperbolic neural networks, arXiv:1805.09112 (the maps of the ball).

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import isoscore
    >>> from skgeom.preprocessing import TangentSpace
    >>> X = np.random.default_rng(0).normal(size=(500, 4)) * [1, 1, 1, 0.1] + [0, 0, 0, 3]
    >>> Z = TangentSpace().fit_transform(X)
    >>> Z.shape, round(isoscore(Z), 2)
    ((500, 3), 0.99)
    """

    def __init__(self, geometry: Geometry = "sphere", *, reference: Any = "mean", device: str | None = None) -> None:
        self.geometry = geometry
        self.reference = reference
        self.device = device

    @all_at_once
    def fit(self, X: Any, y: Any = None) -> Self:
        """Find the mean and a basis of its tangent space.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Points, one per row.
        y : ignored
            For the API.

        Returns
        -------
        self
            The fitted transformer.
        """
        check_choice(self.geometry, get_args(Geometry), "geometry")
        x = self._receive(X, reset=True, min_samples=2)
        self._check_points(x)
        x = self._points(x)
        if self.geometry == "sphere":
            check_plane(x)
        space = _tangent.GEOMETRIES[self.geometry]
        (mean,) = _tangent.frechet_means(space, [x]) if self._wants_mean() else [self._given(x)]
        if not mean.is_determined:
            self._warn(mean)
        basis = space.basis(mean.point)
        self.mean_ = self._own(mean.point)
        self.basis_ = self._own(basis)
        self.n_iter_ = mean.n_iter
        self._n_features_out = basis.shape[0]
        return self

    @chunk_by_chunk
    def transform(self, X: Any) -> Array:
        """Map points to the tangent space.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Points of the same space.

        Returns
        -------
        array of shape (n_samples, n_components)
            Coordinates in the basis, in the dtype of X (float32 for halves).
        """
        return self._rows_of(X)

    @chunk_by_chunk
    def inverse_transform(self, X: Any) -> Array:
        """Map tangent vectors to points.

        Parameters
        ----------
        X : array of shape (n_samples, n_components)
            Coordinates in the basis.

        Returns
        -------
        array of shape (n_samples, n_features)
            Points: unit rows on the sphere.

        Raises
        ------
        ValueError
            If X is not a finite matrix of that width, or, in the ball, a point is so near to its border that no row in
            the dtype of X is shorter than 1 there.
        """
        return self._by_rows(self._points_of, self._checked_output(X))

    def _points_of(self, z: Array) -> Array:
        mean, basis = self._here("mean_", z, "inverse_transform"), self._here("basis_", z, "inverse_transform")
        space, xp = _tangent.GEOMETRIES[self.geometry], namespace(z)

        def mapped(rows: Array) -> Array:
            points = xp.astype(space.exp(mean, float64(rows) @ basis), z.dtype, copy=False)
            if self.geometry == "poincare":
                _check_inside(points)
            return points

        return map_rows(mapped, z)

    def _checked(self, X: Any, *, reset: bool, min_samples: int = 1, check: Check = check_cloud) -> Array:
        x = super()._checked(X, reset=reset, min_samples=min_samples, check=check)
        if not reset:
            self._check_points(x, self._here("mean_", x))
        return x

    def _transformed(self, x: Array, *, out: np.ndarray | None = None) -> Array:
        mean, basis = self._here("mean_", x), self._here("basis_", x)
        space, xp = _tangent.GEOMETRIES[self.geometry], namespace(x)
        return map_rows(
            lambda rows: xp.astype(space.log(mean, self._points(rows)) @ basis.T, x.dtype, copy=False), x, out=out
        )

    def _points(self, x: Array) -> Array:
        """Return rows as points of the space, in float64."""
        return unit_or_zero(float64(x)) if self.geometry == "sphere" else float64(x)

    def _check_points(self, x: Array, mean: Array | None = None) -> None:
        """Check that all rows are points of the space, with one direction from the mean, before any is mapped."""
        xp, x = namespace(x), detached(x)
        if self.geometry == "poincare":
            for rows in row_blocks(x):
                check_in_ball(float64(x[rows, :]))
            return

        def of_block(rows: Array) -> Array:
            u = self._points(rows)
            lengths = norms(u)
            return xp.stack([lengths, lengths if mean is None else u @ mean], axis=1)

        found = map_rows(of_block, x)
        check_no_zeros([found[:, 0]], "X")
        if to_float(xp.min(found[:, 1])) <= -1 + 8 * epsilon(found):
            raise ValueError(
                "A row of X is opposite to the mean, so its direction from there is undefined: leave it out, or pass "
                "another reference."
            )

    def _wants_mean(self) -> bool:
        return isinstance(self.reference, str) and check_choice(self.reference, ("mean",), "reference") == "mean"

    def _given(self, x: Array) -> _tangent.Mean:
        """Return the given point of the space, in place of a mean."""
        point = check_numbers(self.reference, "reference")
        if point.shape != (x.shape[1],):
            raise ValueError(f"reference has shape {point.shape}, expected ({x.shape[1]},), a point, or 'mean'.")
        length = float(np.linalg.norm(point))
        if self.geometry == "sphere" and length:
            point = point / length
        elif self.geometry == "sphere" or length >= 1:
            raise ValueError(f"reference has length {length:.6g}, so it is not a point of the space: pass another.")
        return _tangent.Mean(asarray_like(point, x, dtype=namespace(x).float64), 0, 0.0, 1.0)

    def _warn(self, mean: _tangent.Mean) -> None:
        if self.geometry == "sphere":
            warn(
                f"The mean on the sphere is poorly determined: the mean of the unit rows has length "
                f"{mean.concentration:.3g}, and {mean.n_iter} steps left {mean.residual:.1e}. The directions cancel "
                "and fill the sphere, so use the rows themselves, without TangentSpace, or pass a reference."
            )
            return
        text = (
            f"The mean in the ball was not reached: {mean.n_iter} steps left {mean.residual:.1e}. Some rows are "
            "too close to the border for float64 to resolve their distances: leave them out, or pass a reference."
        )
        if isnan(mean.residual):
            raise ValueError(text)
        warn(text)


def _check_inside(points: Array) -> None:
    """Check that points of the ball are shorter than 1 in their dtype."""
    if to_float(namespace(points).max(norms(float64(points)))) >= 1:
        bits = namespace(points).finfo(points.dtype).bits
        raise ValueError(
            f"A row of X leads so near to the border of the ball that no row of float{bits} is shorter than 1 there: "
            f"pass shorter rows{'' if bits == 64 else ', or float64'}."
        )
