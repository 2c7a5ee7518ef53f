"""Whitening: equal variance in all directions, wholly or in part."""

from __future__ import annotations

from math import ceil
from numbers import Real
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin
from sklearn.utils.metaestimators import available_if

from skgeom._array import float64, in_full_precision, to_float
from skgeom._core._rows import unit_or_zero
from skgeom._core._threads import map_rows
from skgeom._core.sums import _maps
from skgeom._core.sums._maps import WhiteningMap
from skgeom._core.sums._moments import FourthMoments, Moments, nearby
from skgeom._estimator import MomentsTransformer, chunk_by_chunk
from skgeom._typing import Array
from skgeom._validation import (
    check_choice,
    check_count,
    check_fourth_powers,
    check_rank_tol,
    check_real,
    check_resolution,
    check_spread,
    check_squares,
    warn_of_rank,
)
from skgeom._warnings import warn

Method: TypeAlias = Literal["pca", "zca", "pca-cor", "zca-cor", "cholesky"]
"""The rotations of a whitening."""

Estimate: TypeAlias = Literal["ledoit_wolf", "oas"]
"""The ways to estimate the shrinkage."""


_ROWS_PER_DIRECTION = 3
"""Rows per direction below which a covariance that is not shrunk whitens other rows badly."""

_REMEDY = "Scale the features to similar sizes, or use method='pca-cor' or 'zca-cor'."


def _keeps_lengths(whitening: Whitening) -> bool:
    if whitening.normalize:
        raise AttributeError("normalize=True drops the lengths of the rows: inverse_transform needs normalize=False.")
    return True


class Whitening(ClassNamePrefixFeaturesOutMixin, MomentsTransformer):
    r"""Whiten embeddings, keeping the leading directions.

    With :math:`C = V^\top \Lambda V` the covariance and k directions kept,

    .. math:: z = (x - \mu)\,W, \qquad W = V_k^\top \Lambda_k^{-p/2}\,Q,

    where p is `power` and Q a rotation that the method chooses. With p = 1 the rows z have the identity as sample
    covariance (divisor n - 1). ``Whitening(128)`` is whitening-k of Su et al. [1]_.

    Parameters
    ----------
    n_components : int, default=None
        Number k of leading directions. None keeps all directions of the data: see `rank_`.
    method : {"pca", "zca", "pca-cor", "zca-cor", "cholesky"}, default="pca"
        The rotation [2]_. "pca": coordinates along the principal axes, k columns. "zca": the form closest to the input
        coordinates, n_features columns. "pca-cor" and "zca-cor": the same of the standardised coordinates, from the
        correlation matrix. "cholesky": a triangular map, each column built from its own and later features; k columns.
    power : float, default=1.0
        p in [0, 1]: 1 whitens, 0 only centres and rotates (the forms "-cor" also standardise), and values between give
        variances λ^(1-p).
    shrinkage : None, float in [0, 1], "ledoit_wolf" or "oas", default=None
        Whiten (1 - s)C + s (tr C / d) I instead of C, with s given or estimated [3]_ [4]_. Null directions get
        variance.
    rank_tol : float, default=None
        Directions whose variance is at most `rank_tol` times the largest are dropped, never divided by. None drops
        directions without evidence in the rows: a direction counts if its standard deviation exceeds ε times the root
        mean square of the entries along it, offset included and no less than that of the median coordinate, where ε is
        the precision of the numbers (2^-18 for float32, 2^-10 for float16), and if float64 can distinguish its variance
        from 0 (3.6e-15 of the largest; the forms "-cor" do not need this).
    normalize : bool, default=False
        Divide the whitened rows by their norms (a row equal to the mean stays zero).
    device : {None, "cpu", "cuda", "cuda:<index>", "auto"}, default=None
        Where host data are computed; results and attributes come back as NumPy. None stays where X is.

    Attributes
    ----------
    mean_ : array of shape (n_features,)
        The mean of the rows.
    components_ : array of shape (k, n_features)
        The orthonormal directions, of standardised coordinates for the forms "-cor"; the largest entry of each is
        positive.
    spectrum_ : array of shape (k,)
        Their variances, in descending order.
    whitening_matrix_ : array of shape (n_features, n_features_out)
        W.
    rank_ : int
        Number of directions that count, or that `rank_tol` leaves.
    n_components_ : int
        Number k of directions kept.
    shrinkage_ : float
        The share s.
    n_samples_seen_ : float
        Number of rows, or their total weight.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Raises
    ------
    ValueError
        At fit, if X is not a finite matrix of at least two rows, has no spread, or none above the rounding of its
        numbers, has magnitudes whose squares (fourth powers, where the shrinkage is estimated) leave the range of
        float64, or a parameter is out of range; at partial_fit, if `shrinkage` became "ledoit_wolf" only after the
        first batch; at transform, if X has another width, library or device than at fit.
    RuntimeError
        If a GPU is requested and none is visible.

    Warns
    -----
    UserWarning
        If more components are requested than the rank; if dropped directions are more than rounding, because of
        `rank_tol` or the precision of float64; if the rank is less than half of what the shape allows, and
        `n_components` is None; or if there are fewer than 3 rows per direction, with neither `shrinkage` nor
        `n_components` nor `rank_tol`.

    See Also
    --------
    sklearn.decomposition.PCA : Projection without whitening. Its ``whiten=True`` has no rank cut, and loses float32
        data far from the origin.
    GroupWhitening : One whitening for each modality or language.

    Notes
    -----
    Fit takes O(n d²) time and O(d²) memory beyond a block of rows, or O(n² d) time and no d x d array if
    there are fewer rows than features (and no shrinkage). Sums are in float64 around a shift; float32 stays float32
    in `transform`. `partial_fit` equals `fit` on all rows up to rounding. `sample_weight` counts rows: integers equal
    repetition.

    **Few rows.** With about as many rows as features the smallest variances are far too small, and the map inflates
    them on new rows: held-out isotropic rows then have an IsoScore near 0. Below 3 rows per feature choose
    ``shrinkage="ledoit_wolf"`` (which keeps all directions), or a number of components well below the number of rows.

    ε follows the numbers, not the array that holds them: float32 rows have the same rank in float64. Sums of float32
    rows whose products may have lost a direction are formed once more in float64, which takes up to three times as
    long.

    The default keeps the rank of the data, so the number of columns can differ between folds if some directions are
    nearly dead; a given `n_components` at most the rank does not.

    References
    ----------
    .. [1] Su, Cao, Liu & Ou 2021, Whitening sentence representations, arXiv:2103.15316.
    .. [2] Kessy, Lewin & Strimmer 2018, Optimal whitening and decorrelation, doi:10.1080/00031305.2016.1277159.
    .. [3] Ledoit & Wolf 2004, doi:10.1016/S0047-259X(03)00096-4.
    .. [4] Chen, Wiesel, Eldar & Hero 2010, doi:10.1109/TSP.2010.2053029.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import isoscore
    >>> from skgeom.preprocessing import Whitening
    >>> X = np.random.default_rng(0).normal(size=(1000, 8)) * np.arange(1, 9) + 100
    >>> Z = Whitening(4).fit_transform(X)
    >>> Z.shape, round(isoscore(X), 2), round(isoscore(Z), 2)
    ((1000, 4), 0.54, 1.0)
    """

    def __init__(
        self,
        n_components: int | None = None,
        *,
        method: Method = "pca",
        power: float = 1.0,
        shrinkage: float | Estimate | None = None,
        rank_tol: float | None = None,
        normalize: bool = False,
        device: str | None = None,
    ) -> None:
        self.n_components = n_components
        self.method = method
        self.power = power
        self.shrinkage = shrinkage
        self.rank_tol = rank_tol
        self.normalize = normalize
        self.device = device

    @chunk_by_chunk
    def transform(self, X: Any) -> Array:
        """Whiten rows.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Embeddings of the same space.

        Returns
        -------
        array of shape (n_samples, n_features_out)
            The whitened rows, in the dtype of X (float32 for halves). Dask arrays are mapped lazily.
        """
        return self._rows_of(X)

    @available_if(_keeps_lengths)
    @in_full_precision
    @chunk_by_chunk
    def inverse_transform(self, X: Any) -> Array:
        """Map whitened rows back: the exact inverse on the span of the kept directions.

        Parameters
        ----------
        X : array of shape (n_samples, n_features_out)
            Whitened rows.

        Returns
        -------
        array of shape (n_samples, n_features)
            Rows of the input space.

        Raises
        ------
        AttributeError
            With ``normalize=True``, because the lengths are lost.
        """
        return self._by_rows(self._coloured, self._checked_output(X))

    @chunk_by_chunk
    def score_samples(self, X: Any) -> Array:
        r"""Gaussian log-density of rows in the fitted space.

        .. math:: -\frac12 \Big(k \log 2\pi + \sum_i \log\lambda_i
           + \sum_i \frac{\langle x - \mu, v_i\rangle^2}{\lambda_i}\Big),

        over the kept directions (for the forms "-cor", of the standardised coordinates with their volume). It does
        not depend on `power` and `normalize`, and measures how typical a row is.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Embeddings of the same space.

        Returns
        -------
        array of shape (n_samples,), float64
            Log-densities in nats.
        """
        x = self._checked(X, reset=False)
        check_squares(x, "X")
        return self._by_rows(self._log_densities, x)

    def _coloured(self, z: Array) -> Array:
        backward, mean = (self._here(name, z, "inverse_transform") for name in ("_coloring_matrix", "mean_"))
        return _maps.exact_product(z, 0.0, backward, mean)

    def _log_densities(self, x: Array) -> Array:
        fitted = ("mean_", "spectrum_", "components_", "_scale")
        mean, *axes = (self._here(name, x, "score_samples") for name in fitted)
        return map_rows(lambda rows: _maps.log_density(float64(rows) - mean, *axes), x)

    def _transformed(self, x: Array, *, out: np.ndarray | None = None) -> Array:
        mean, forward = self._here("mean_", x), self._here("whitening_matrix_", x)
        if not self.normalize:
            return _maps.centred_product(x, mean, forward, out=out)
        return map_rows(lambda rows: unit_or_zero(_maps.centred_product(rows, mean, forward)), x, out=out)

    def _check_parameters(self) -> None:
        check_choice(self.method, get_args(Method), "method")
        check_real(self.power, "power", 0, 1)
        if self.n_components is not None:
            check_count(self.n_components, "n_components")
        if self.rank_tol is not None:
            check_rank_tol(self.rank_tol)
        if isinstance(self.shrinkage, Real):
            check_real(self.shrinkage, "shrinkage", 0, 1)
        else:
            check_choice(self.shrinkage, (None, *get_args(Estimate)), "shrinkage")

    def _check_magnitude(self, x: Array) -> None:
        (check_fourth_powers if isinstance(self.shrinkage, str) else check_squares)(x, "X")

    def _needs_fourth(self, seen: Moments | FourthMoments | None) -> bool:
        return self.shrinkage == "ledoit_wolf" if seen is None else isinstance(seen, FourthMoments)

    def _solve(self, m: Moments | FourthMoments) -> None:
        near = nearby(m)
        self.shrinkage_ = self._share(near)
        found = _maps.whitening_map(
            _maps.shrink(near.second, self.shrinkage_), self.method, self.power, self.n_components, self.rank_tol
        )
        if near is not m:
            found = found.beside(m.second.mean)
        m = m.second
        if found.rank == 0:
            check_spread(to_float(m.total_variance()))
            check_resolution(found.rank)
        self._warn(found, m.n, m.mean.shape[0])
        self.rank_ = found.rank
        self.n_components_ = found.variances.shape[0]
        self.mean_ = self._own(m.mean)
        self.spectrum_ = self._own(found.variances)
        self.components_ = self._leave(found.directions)
        self.whitening_matrix_ = self._leave(found.forward)
        self._coloring_matrix = self._leave(found.backward)
        self._scale = self._own(found.scale)
        self._n_features_out = found.forward.shape[1]

    def _warn(self, found: WhiteningMap, n: float, d: int) -> None:
        """Warn of the limits of the map."""
        warn_of_rank(
            found.rank,
            found.above_noise,
            min(ceil(n) - 1, d) if self.shrinkage_ == 0 else d,
            remedy=_REMEDY if self.rank_tol is None else "Lower rank_tol, or leave it out.",
            all_wanted=self.n_components is None and self.rank_tol is None,
        )
        if self.n_components is not None and self.n_components > found.rank:
            warn(
                f"n_components={self.n_components} was requested, but X has only {found.rank} directions that can be "
                f"whitened: {found.rank} were kept.",
            )
        is_plain = self.n_components is None and self.rank_tol is None and self.shrinkage_ == 0 and self.power > 0
        if is_plain and n < _ROWS_PER_DIRECTION * found.rank:
            warn(
                f"{n:.6g} rows are few for a whitening of {found.rank} directions: their smallest variances are far "
                "too small, and new rows will not be white. Pass shrinkage='ledoit_wolf', fewer n_components, "
                f"or at least {_ROWS_PER_DIRECTION * found.rank} rows.",
            )

    def _share(self, m: Moments | FourthMoments) -> float:
        if self.shrinkage is None:
            return 0.0
        if isinstance(self.shrinkage, Real):
            return float(self.shrinkage)
        if self.shrinkage == "oas":
            return to_float(_maps.oas(m.second))
        if not isinstance(m, FourthMoments):
            raise ValueError(
                "shrinkage='ledoit_wolf' was set after the first partial_fit, and the rows before it were summed "
                "without the terms that it needs. Set it before the first batch, or call fit on all rows."
            )
        return to_float(_maps.ledoit_wolf(m))
