"""Canonical correlation analysis: a shared space of two spaces."""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skgeom._array import float64, namespace, to_float
from skgeom._core._threads import map_rows
from skgeom._core.sums._align import canonical
from skgeom._core.sums._cross import JointMoments, joint_moments
from skgeom._core.sums._maps import WhiteningMap, centred_product, shrink, whitening_map
from skgeom._core.sums._moments import DenseMoments
from skgeom._estimator import chunk_by_chunk
from skgeom._typing import Array
from skgeom._validation import (
    check_count,
    check_host,
    check_rank_tol,
    check_real,
    check_resolution,
    check_spread,
    check_target_rows,
    warn_of_rank,
)
from skgeom._warnings import warn
from skgeom.alignment._aligner import Aligner
from skgeom.alignment._checks import check_target_width


class CCAAligner(Aligner[JointMoments]):
    r"""Map two spaces into a shared one, in which paired rows correlate most.

    With C the covariances within and between the centred spaces, the directions a and b of the k-th shared coordinate

    .. math:: \max_{a, b} a^\top C_{xy}\, b, \qquad a^\top C_{xx}\, a = b^\top C_{yy}\, b = 1,

    are uncorrelated with the earlier ones [1]_. `transform` maps rows of the first space, `transform_target` rows of
    the second: compare them in the shared space, for instance by their cosine.

    Parameters
    ----------
    n_components : int, default=None
        Number k of shared coordinates. None keeps as many as the smaller rank of the two.
    shrinkage : float, default=0.0
        s in [0, 1]: replace :math:`C_{xx}` and :math:`C_{yy}` by (1 - s) C + s (tr C / d) I, and :math:`C_{xy}` by
        (1 - s) times itself, the canonical ridge [2]_. It is needed with fewer pairs than dimensions, or not many more,
        where correlations are 1 by chance. Towards 1 the directions become those of largest covariance, as in PLS.
    rank_tol : float, default=None
        Directions whose variance is at most `rank_tol` times the largest of their space are dropped. None drops those
        without evidence in the rows, by the rule of `Whitening`, on either side.
    device : {None, "cpu", "cuda", "cuda:<index>", "auto"}, default=None
        Where host data are computed; results and attributes come back as NumPy. None stays where X is.

    Attributes
    ----------
    canonical_correlations_ : array of shape (k,), float64
        The correlations of the shared coordinates, in descending order; with shrinkage, of the shrunk covariances.
    x_weights_, y_weights_ : array of shape (n_features, k) and (n_targets, k), float64
        The directions a and b, in columns; the largest entry of each a is positive.
    x_mean_, y_mean_ : array of shape (n_features,) and (n_targets,), float64
        The means.
    coef_, intercept_ : array of shape (n_targets, n_features) and (n_targets,), float64
        The regression of y on the k coordinates of X, which `predict` applies. With all coordinates it is least
        squares, or, with shrinkage, ridge regression with the penalty (n - 1) (tr C / d) s / (1 - s).
    n_components_ : int
        Number k of coordinates.
    n_samples_seen_ : float
        Number of pairs, or their total weight.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Raises
    ------
    ValueError
        At fit, if X or y is not finite, has no spread or has magnitudes whose squares leave the range of float64, there
        is only one pair, the lengths differ, y is missing or holds strings, or a parameter is out of range; at
        transform, if X has another width, library or device than at fit.
    RuntimeError
        If a GPU is requested and none is visible.

    Warns
    -----
    UserWarning
        If y is one column of integers, as class labels are; if more components are requested than exist; if dropped
        directions of X or y are more than rounding; or if the rank of either is less than half the possible one, and
        `n_components` is None.

    See Also
    --------
    sklearn.cross_decomposition.CCA : The same directions one by one, by iteration.

    Notes
    -----
    Both spaces are whitened on the directions that the data have, then turned. Shared coordinates have unit variance
    (divisor n - 1; with shrinkage, the shrunk variance). Correlations do not change under invertible linear maps of
    either space, up to the directions dropped. Directions of equal correlation are determined only together. For
    retrieval it helps to keep the leading coordinates and to multiply both sides by `canonical_correlations_`.

    Fit takes O(n d²) time with products in float64, and O(d²) memory beyond a block of rows. `partial_fit` equals `fit`
    on all pairs up to rounding. `sample_weight` counts pairs: integers equal repetition.

    References
    ----------
    .. [1] Hotelling 1936, doi:10.1093/biomet/28.3-4.321.
    .. [2] Vinod 1976, doi:10.1016/0304-4076(76)90010-5.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.alignment import CCAAligner
    >>> rng = np.random.default_rng(0)
    >>> shared = rng.normal(size=(2000, 2))
    >>> X = np.hstack([shared, rng.normal(size=(2000, 3))]) @ rng.normal(size=(5, 5))
    >>> Y = np.hstack([shared + rng.normal(size=(2000, 2)), rng.normal(size=(2000, 2))]) @ rng.normal(size=(4, 4))
    >>> aligner = CCAAligner().fit(X, Y)
    >>> aligner.canonical_correlations_.round(1) + 0.0
    array([0.7, 0.7, 0. , 0. ])
    >>> u, v = aligner.transform(X), aligner.transform_target(Y)
    >>> bool(np.isclose(np.corrcoef(u[:, 0], v[:, 0])[0, 1], aligner.canonical_correlations_[0]))
    True
    """

    def __init__(
        self,
        n_components: int | None = None,
        *,
        shrinkage: float = 0.0,
        rank_tol: float | None = None,
        device: str | None = None,
    ) -> None:
        self.n_components = n_components
        self.shrinkage = shrinkage
        self.rank_tol = rank_tol
        self.device = device

    def transform(self, X: Any) -> Array:
        """Map rows of the first space into the shared one.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Embeddings of the first space.

        Returns
        -------
        array of shape (n_samples, `n_components_`)
            Shared coordinates, in the dtype of X (float32 for halves).
        """
        return super().transform(X)

    def _transformed(self, x: Array, *, out: np.ndarray | None = None) -> Array:
        return centred_product(x, self._here("x_mean_", x), self._here("x_weights_", x), out=out)

    def transform_target(self, y: Any) -> Array:
        """Map rows of the second space into the shared one.

        Parameters
        ----------
        y : array of shape (n_samples, n_targets) or (n_samples,)
            Embeddings of the second space.

        Returns
        -------
        array of shape (n_samples, `n_components_`)
            Shared coordinates, in the dtype of y (float32 for halves).
        """
        return self._transform_target(y)

    @chunk_by_chunk
    def _transform_target(self, X: Any) -> Array:
        return self._by_rows(self._mapped_targets, self._checked_targets(X))

    def _mapped_targets(self, t: Array) -> Array:
        mean, weights = (self._here(name, t, "transform_target") for name in ("y_mean_", "y_weights_"))
        return centred_product(t, mean, weights)

    @chunk_by_chunk
    def inverse_transform(self, X: Any) -> Array:
        """Map shared coordinates back to the first space: the exact inverse on the span of the k directions.

        Parameters
        ----------
        X : array of shape (n_samples, `n_components_`)
            Shared coordinates.

        Returns
        -------
        array of shape (n_samples, n_features)
            Rows of the first space.
        """
        return self._back(X, "_x_backward", "x_mean_", "inverse_transform")

    @chunk_by_chunk
    def inverse_transform_target(self, X: Any) -> Array:
        """Map shared coordinates back to the second space: the exact inverse on the span of the k directions.

        Parameters
        ----------
        X : array of shape (n_samples, `n_components_`)
            Shared coordinates.

        Returns
        -------
        array of shape (n_samples, n_targets)
            Rows of the second space.
        """
        return self._back(X, "_y_backward", "y_mean_", "inverse_transform_target")

    def _back(self, Z: Any, backward: str, mean: str, method: str) -> Array:
        def mapped_back(z: Array) -> Array:
            b, m = (self._here(name, z, method) for name in (backward, mean))
            return map_rows(lambda z: namespace(z).astype(float64(z) @ b + m, z.dtype), z, columns=b.shape[1])

        return self._by_rows(mapped_back, self._checked_output(Z))

    def _checked_targets(self, y: Any) -> Array:
        """Check rows of the second space."""
        check_is_fitted(self)
        t, _ = check_target_rows(y)
        if self.device is not None:
            check_host(y, self.device)
        check_target_width(t, self.y_mean_.shape[0])
        return t

    def _check_parameters(self) -> None:
        if self.n_components is not None:
            check_count(self.n_components, "n_components")
        if self.rank_tol is not None:
            check_rank_tol(self.rank_tol)
        check_real(self.shrinkage, "shrinkage", 0, 1)

    def _summary(self, x: Array, t: Array, w: Array | None) -> JointMoments:
        return joint_moments(x, t, w)

    def _part(self, m: JointMoments) -> JointMoments:
        return m

    def _solve(self, m: JointMoments) -> None:
        share = float(self.shrinkage)
        x_whitening = self._whitening(DenseMoments(m.n, m.x_mean, m.x_digits, m.xx), share, "X")
        y_whitening = self._whitening(DenseMoments(m.n, m.y_mean, m.y_digits, m.yy), share, "y")
        found = canonical(m, x_whitening, y_whitening, share)
        k = self._count(found.correlations.shape[0])
        self.n_components_ = k
        self.canonical_correlations_ = self._leave(found.correlations[:k])
        self.x_weights_ = self._leave(found.x_forward[:, :k])
        self.y_weights_ = self._leave(found.y_forward[:, :k])
        self._x_backward = self._leave(found.x_backward[:k, :])
        self._y_backward = self._leave(found.y_backward[:k, :])
        slopes = found.x_forward[:, :k].T @ m.xy * ((1 - share) / (m.n - 1))
        self._set_map(found.x_forward[:, :k] @ slopes, m.x_mean, m.y_mean)
        self._n_features_out = k

    def _whitening(self, m: DenseMoments, share: float, name: str) -> WhiteningMap:
        """Return the whitening of one side."""
        check_spread(to_float(m.total_variance()), name)
        found = whitening_map(shrink(m, share), "pca", 1.0, None, self.rank_tol)
        check_resolution(found.rank, name)
        warn_of_rank(
            found.rank,
            found.above_noise,
            min(ceil(m.n) - 1, m.mean.shape[0]) if share == 0 else m.mean.shape[0],
            name=name,
            remedy="Scale the features to similar sizes." if self.rank_tol is None else "Lower rank_tol.",
            all_wanted=self.n_components is None and self.rank_tol is None,
        )
        return found

    def _count(self, rank: int) -> int:
        """Return the number of components to keep."""
        if self.n_components is None or self.n_components <= rank:
            return self.n_components or rank
        warn(
            f"n_components={self.n_components} was requested, but X and y share only {rank} directions at most: "
            f"{rank} were kept.",
        )
        return rank
