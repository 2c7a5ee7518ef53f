"""All-but-the-top: remove the mean and the few directions that all embeddings share."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from sklearn.base import OneToOneFeatureMixin

from skgeom._array import asarray_like
from skgeom._core.sums import _maps
from skgeom._core.sums._moments import FourthMoments, Moments, nearby
from skgeom._core.sums._rank import rank
from skgeom._estimator import MomentsTransformer, chunk_by_chunk
from skgeom._typing import Array
from skgeom._validation import check_choice, check_count
from skgeom._warnings import warn

Projection: TypeAlias = Literal["centered", "raw"]
"""The rows whose components along the leading directions are removed."""


class AllButTheTop(OneToOneFeatureMixin, MomentsTransformer):
    r"""Remove the mean and the D leading principal directions.

    .. math:: \tilde x = x - \mu - \sum_{i \le D} \langle u_i, x - \mu \rangle\,u_i,

    with u the principal directions of the rows. Algorithm 1 of the paper can be read with ⟨u, x⟩ of the uncentred row
    in place of ⟨u, x - μ⟩, which leaves -Σ⟨u, μ⟩u in the mean; both readings are offered.

    Parameters
    ----------
    n_components : int or "auto", default="auto"
        Number D of directions to remove, from 0 (centring only) to n_features. "auto" is the rule of the paper, d/100
        rounded, at least 1.
    projection : {"centered", "raw"}, default="centered"
        Which row the projection reads: x - μ, which leaves mean zero and D dead directions, or x.
    device : {None, "cpu", "cuda", "cuda:<index>", "auto"}, default=None
        Where host data are computed; results and attributes come back as NumPy. None stays where X is.

    Attributes
    ----------
    mean_ : array of shape (n_features,)
        The mean of the rows.
    components_ : array of shape (k, n_features)
        The directions removed, orthonormal; the largest entry of each is positive.
    spectrum_ : array of shape (k,)
        The variances removed, in descending order.
    n_components_ : int
        The number k of directions removed: D, or the rank of X if that is less.
    n_samples_seen_ : float
        Number of rows, or their total weight.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Raises
    ------
    ValueError
        At fit, if X is not a finite matrix of at least two rows, has magnitudes whose squares leave the range of
        float64, or a parameter is out of range; at transform, if X has another width, library or device than at fit.
    RuntimeError
        If a GPU is requested and none is visible.

    Warns
    -----
    UserWarning
        If X has fewer than D directions that vary by more than the rounding of its numbers: the others are arbitrary,
        and are not removed.

    See Also
    --------
    Whitening : Scale the leading directions down instead of removing them.
    GroupAllButTheTop : The same for each class, cluster or language by itself.

    Notes
    -----
    O(n d min(n, d)) time. `partial_fit` equals `fit` on all rows up to rounding; `sample_weight` counts
    rows. The output has k directions without variance: follow it with ``Whitening()``, which drops them, or with a
    model that accepts them.

    References
    ----------
    Mu & Viswanath 2018, All-but-the-top, arXiv:1702.01417.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import average_cosine
    >>> from skgeom.preprocessing import AllButTheTop
    >>> X = np.random.default_rng(0).normal(size=(500, 20)) * ([5] + [1] * 19) + 3
    >>> Z = AllButTheTop(1).fit_transform(X)
    >>> round(average_cosine(X), 2), round(abs(average_cosine(Z)), 2)
    (0.82, 0.0)
    """

    def __init__(
        self,
        n_components: int | Literal["auto"] = "auto",
        *,
        projection: Projection = "centered",
        device: str | None = None,
    ) -> None:
        self.n_components = n_components
        self.projection = projection
        self.device = device

    @chunk_by_chunk
    def transform(self, X: Any) -> Array:
        """Remove the mean and the leading directions from rows.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Embeddings of the same space.

        Returns
        -------
        array of shape (n_samples, n_features)
            The rows without them, in the dtype of X (float32 for halves). Dask arrays are mapped lazily.
        """
        return self._rows_of(X)

    def _transformed(self, x: Array, *, out: np.ndarray | None = None) -> Array:
        mean, directions = self._here("mean_", x), self._here("components_", x)
        seen_from = mean if self.projection == "centered" else 0.0 * mean
        return _maps.without(x, mean, directions, seen_from=seen_from, out=out)

    def _check_parameters(self) -> None:
        check_choice(self.projection, get_args(Projection), "projection")
        if isinstance(self.n_components, str):
            check_choice(self.n_components, ("auto",), "n_components")
        else:
            check_count(self.n_components, "n_components", 0)

    def _solve(self, m: Moments | FourthMoments) -> None:
        m, near = m.second, nearby(m.second)
        d = m.mean.shape[0]
        count = (
            _maps.default_top(d)
            if self.n_components == "auto"
            else check_count(self.n_components, "n_components", 0, d)
        )
        found = _maps.axes(near)
        varying = min(count, rank(near.second, found.variances))
        if varying < count:
            warn(
                f"X varies by more than the rounding of its numbers in only {varying} of the {count} directions to "
                "remove. The others are arbitrary, and were kept.",
            )
        self.mean_ = self._own(m.mean)
        self.components_ = self._leave(asarray_like(found.directions(varying), m.mean))
        self.spectrum_ = self._own(asarray_like(found.variances[:varying], m.mean))
        self.n_components_ = self.components_.shape[0]
