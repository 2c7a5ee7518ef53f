"""Orthogonal Procrustes: the rotation that brings one space onto another."""

from __future__ import annotations

from sklearn.utils import Tags

from skgeom._array import asarray_like, namespace, ratio, to_float
from skgeom._core.sums._align import procrustes, rotation_moments
from skgeom._core.sums._cross import CrossMoments, JointMoments, RegressionMoments, cross_moments, regression_moments
from skgeom._typing import Array
from skgeom._validation import check_flag
from skgeom.alignment._aligner import Aligner


class ProcrustesAligner(Aligner[CrossMoments]):
    r"""Map one space onto another by a rotation, learnt from pairs.

    With rows x and y of weight w,

    .. math:: \min_{\Omega, s} \sum_k w_k \lVert s\,x_k \Omega - y_k \rVert^2,
       \qquad \Omega^\top \Omega = I \text{ or } \Omega\,\Omega^\top = I,

    solved [1]_ by :math:`\Omega = U V^\top` with :math:`U \Sigma V^\top` the singular value decomposition of
    :math:`X^\top Y`. Angles and distances within the space are kept, so few pairs do less harm than with least squares.

    Parameters
    ----------
    center : bool, default=False
        Subtract the means first; the map then takes mean to mean.
    scale : bool, default=False
        Fit s >= 0; else s = 1.
    allow_reflection : bool, default=True
        Whether the determinant may be -1. With False, and spaces of one width, it is +1 [2]_.
    device : {None, "cpu", "cuda", "cuda:<index>", "auto"}, default=None
        Where host data are computed; results and attributes come back as NumPy. None stays where X is.

    Attributes
    ----------
    rotation_ : array of shape (n_features, n_targets), float64
        Ω, orthogonal; with orthonormal rows where the target space is the wider one, else with orthonormal columns.
    scale_ : float
        s.
    coef_ : array of shape (n_targets, n_features), float64
        :math:`s\,\Omega^\top`.
    intercept_ : array of shape (n_targets,), float64
        The image of the origin: zero without `center`.
    x_mean_, y_mean_ : array of shape (n_features,) and (n_targets,), float64
        The means that were subtracted: zero without `center`.
    residual_ : float
        :math:`\sum_k w_k \lVert s\,x_k \Omega - y_k \rVert^2`: with s = 1 and an isometry,
        :math:`\lVert X\rVert^2 + \lVert Y\rVert^2 - 2 \lVert X^\top Y\rVert_*`.
    n_samples_seen_ : float
        Number of pairs, or their total weight.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Raises
    ------
    ValueError
        At fit, if X or y is not finite or has magnitudes whose squares leave the range of float64, there is only one
        pair, the lengths differ, y is missing or holds strings; at transform, if X has another width, library or device
        than at fit.
    RuntimeError
        If a GPU is requested and none is visible.

    Warns
    -----
    UserWarning
        If y is one column of integers, as class labels are.

    See Also
    --------
    LstsqAligner : A map that may stretch and shear.
    scipy.linalg.orthogonal_procrustes : The same Ω for spaces of one width, as a function.

    Notes
    -----
    *Unequal widths.* A narrower first space is embedded isometrically. A wider one is projected: Ω maximises
    :math:`\langle X\Omega, Y\rangle`, so that :math:`\Omega^\top` is the isometric embedding of y with the smallest
    residual in the space of X.

    *Undetermined directions.* Where :math:`X^\top Y` does not have full rank (fewer pairs than dimensions, dead
    features), many Ω are equally good: singular values up to :math:`16 \varepsilon \lVert X \rVert \lVert Y \rVert`,
    with ε of float64, count as zero. Of the minimisers the one nearest to the identity is taken (to its leading block
    between unequal widths), and where that too leaves a choice, the one nearest to the matrix of entries cos(i (j +
    1)), i and j counted from 1. The same matrix decides which axis is turned if a reflection is excluded and the
    smallest singular values are equal. So the answer depends on the pairs alone.

    *Precision.* Products are in float64. Those of float32 rows are in float32 at `fit`, if that determines the map: the
    target space is not narrower, no reflection is excluded, and the smallest singular value of :math:`X^\top Y` exceeds
    :math:`2^{-12} \lVert X \rVert \lVert Y \rVert`, about the means if they are subtracted. Ω then differs from that of
    float64 products by at most 2e-3 in the Frobenius norm, and by less than 1e-5 where rounding errors do not add up;
    `scale_` by 1e-6 of itself and `residual_` by 1e-6 :math:`\lVert X \rVert \lVert Y \rVert`.

    Fit takes O(n d²) time, and O(d²) memory beyond a block of rows. `partial_fit`, always in float64, equals `fit` on
    all pairs up to rounding; `sample_weight` counts pairs: integers equal repetition.
    Rotating either space rotates Ω with it, if all of Ω is determined.

    References
    ----------
    .. [1] Schönemann 1966, doi:10.1007/BF02289451.
    .. [2] Kabsch 1976, doi:10.1107/S0567739476001873.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.alignment import ProcrustesAligner
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 3))
    >>> Y = 2 * X[:, [1, 2, 0]] + 5
    >>> aligner = ProcrustesAligner(center=True, scale=True).fit(X, Y)
    >>> aligner.rotation_.round(12) + 0.0
    array([[0., 0., 1.],
           [1., 0., 0.],
           [0., 1., 0.]])
    >>> round(aligner.scale_, 12), round(aligner.score(X, Y), 12)
    (2.0, 1.0)
    """

    def __init__(
        self,
        *,
        center: bool = False,
        scale: bool = False,
        allow_reflection: bool = True,
        device: str | None = None,
    ) -> None:
        self.center = center
        self.scale = scale
        self.allow_reflection = allow_reflection
        self.device = device

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True  # a rotation cannot meet targets of another scale
        return tags

    def _check_parameters(self) -> None:
        for name in ("center", "scale", "allow_reflection"):
            check_flag(getattr(self, name), name)

    def _counts_pairs(self) -> bool:
        return False

    def _summary(self, x: Array, t: Array, w: Array | None) -> CrossMoments:
        return regression_moments(x, t, w) if x.shape[1] > t.shape[1] else cross_moments(x, t, w)

    def _part(self, m: JointMoments) -> CrossMoments:
        return m.part(RegressionMoments if m.xy.shape[0] > m.xy.shape[1] else CrossMoments)

    def _solve_rows(self, x: Array, t: Array, w: Array | None) -> CrossMoments:
        if x.shape[1] < t.shape[1] or (x.shape[1] == t.shape[1] and self.allow_reflection):
            return self._solved(rotation_moments(x, t, w, centre=self.center))
        return super()._solve_rows(x, t, w)

    def _solve(self, m: CrossMoments) -> None:
        about = m if self.center else m.about_origin()
        found = procrustes(about, scale=self.scale, reflection=self.allow_reflection)
        self.rotation_ = self._leave(found.rotation)
        self.scale_ = to_float(found.scale)
        self.residual_ = to_float(found.residual)
        self._set_map(found.scale * found.rotation, about.x_mean, about.y_mean)

    def _backward(self, z: Array) -> Array:
        rotation = self._here("rotation_", z, "inverse_transform")
        return rotation.T * ratio(*(asarray_like(v, z, dtype=namespace(z).float64) for v in (1.0, self.scale_)))
