"""Least squares and ridge between two spaces, shrunk towards a chosen map."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import numpy as np

from skgeom._array import asarray_like, namespace
from skgeom._core.sums._align import (
    EPSILON,
    System,
    condition,
    gcv_penalty,
    least_squares_of_moments,
    least_squares_of_rows,
    procrustes,
    ridge,
    singular_tolerance,
)
from skgeom._core.sums._cross import JointMoments, RegressionMoments, regression_moments
from skgeom._typing import Array
from skgeom._validation import check_choice, check_flag, check_real
from skgeom._warnings import warn
from skgeom.alignment._aligner import Aligner

Prior: TypeAlias = Literal["zero", "identity", "orthogonal"]
"""The maps that a penalty draws to."""

DOUBTFUL = 1e-6


class LstsqAligner(Aligner[RegressionMoments]):
    r"""Map one space to another by least squares, learnt from pairs.

    With rows x and y of weight w, and P a map that is known in advance,

    .. math:: \min_B \sum_k w_k \lVert x_k B - y_k \rVert^2 + \alpha \lVert B - P \rVert^2.

    With few pairs plain least squares fits noise and destroys the space; a prior map with a large α preserves it where
    the pairs are not informative.

    Parameters
    ----------
    alpha : float or "gcv", default=0.0
        α >= 0, the penalty in the unit of X². "gcv" chooses the one with the smallest generalised cross-validation
        error [1]_ among 101 values, :math:`10^{-6}` to :math:`10^{4}` times the mean of the squared singular values of
        X. That error is the squared error: if retrieval is the purpose, choose α by a search with a scorer of
        retrieval.
    fit_intercept : bool, default=False
        Subtract the means first; the map then takes mean to mean.
    prior : {"zero", "identity", "orthogonal"}, default="zero"
        P: zero is ridge regression, "identity" assumes that both spaces share their axes and needs equal widths,
        "orthogonal" is the map of `ProcrustesAligner` for the same pairs. With α = 0 it matters only for directions
        that X does not determine.
    device : {None, "cpu", "cuda", "cuda:<index>", "auto"}, default=None
        Where host data are computed; results and attributes come back as NumPy. None stays where X is.

    Attributes
    ----------
    coef_ : array of shape (n_targets, n_features), float64
        :math:`B^\top`.
    intercept_ : array of shape (n_targets,), float64
        The image of the origin: zero without `fit_intercept`.
    x_mean_, y_mean_ : array of shape (n_features,) and (n_targets,), float64
        The means that were subtracted: zero without `fit_intercept`.
    alpha_ : float
        α.
    rank_ : int
        Number of singular values of X (centred with `fit_intercept`) that count. With α > 0 those below 6e-8 of the
        largest may not be counted; they are used all the same.
    condition_ : float
        The largest of them over the smallest, with the penalty: :math:`\sqrt{(s_1^2 + \alpha) / (s_r^2 + \alpha)}`.
    n_samples_seen_ : float
        Number of pairs, or their total weight.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Raises
    ------
    ValueError
        At fit, if X or y is not finite or has magnitudes whose squares leave the range of float64, there is only one
        pair, the lengths differ, y is missing or holds strings, a parameter is out of range, or the prior is the
        identity between unequal widths; at transform, if X has another width, library or device than at fit.
    RuntimeError
        If a GPU is requested and none is visible.

    Warns
    -----
    UserWarning
        If y is one column of integers, as class labels are; or, by `partial_fit`, if the condition number makes a
        map from moments doubtful: the message has the relative error to expect.

    See Also
    --------
    ProcrustesAligner : A rotation, which keeps all angles.
    sklearn.linear_model.Ridge : Ridge towards zero, in the precision of the input.

    Notes
    -----
    *Accuracy.* `fit` is as accurate as a decomposition of the rows in float64, for any dtype: while
    :math:`\kappa = s_1 / s_r` is at most 3,000 the normal equations are solved, with a relative error of at most 2e-9;
    beyond, the rows are mapped to nearly orthonormal columns first and the error grows like κ ε, as with LAPACK
    (1e-8 at κ = 1e8). Singular values of X up to (16 + n_features) ε times the largest count as zero, ε = 2.2e-16;
    of all solutions the one nearest to P is returned, for P = 0 that of minimum norm.

    *partial_fit* equals `fit` on all pairs up to this: moments only determine κ². Its relative error is up to κ² ε, and
    singular values below 6e-8 of the largest count as zero.

    Fit takes O(n d²) time with products in float64, up to three passes over the rows, and O(d²) memory beyond a block
    of rows. `sample_weight` counts pairs: integers equal repetition. Without penalty only the ratios of the weights
    matter; α is weighed against them as in `sklearn.linear_model.Ridge`. "gcv" needs weights that sum to more than 1.

    References
    ----------
    .. [1] Golub, Heath & Wahba 1979, doi:10.1080/00401706.1979.10489751.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.alignment import LstsqAligner
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(20, 16))
    >>> Y = X + 0.5 * rng.normal(size=X.shape)
    >>> X_new = rng.normal(size=(500, 16))
    >>> Y_new = X_new + 0.5 * rng.normal(size=X_new.shape)
    >>> for aligner in (LstsqAligner(), LstsqAligner(alpha="gcv"), LstsqAligner(alpha="gcv", prior="identity")):
    ...     print(round(aligner.fit(X, Y).score(X_new, Y_new), 2))
    -0.03
    0.53
    0.8
    """

    def __init__(
        self,
        *,
        alpha: float | Literal["gcv"] = 0.0,
        fit_intercept: bool = False,
        prior: Prior = "zero",
        device: str | None = None,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.prior = prior
        self.device = device

    def _check_parameters(self) -> None:
        check_flag(self.fit_intercept, "fit_intercept")
        check_choice(self.prior, get_args(Prior), "prior")
        if isinstance(self.alpha, str):
            check_choice(self.alpha, ("gcv",), "alpha")
        else:
            check_real(self.alpha, "alpha", 0)

    def _counts_pairs(self) -> bool:
        return isinstance(self.alpha, str)  # the generalised error knows the number of pairs

    def _check_widths(self, d: int, k: int) -> None:
        if self.prior == "identity" and d != k:
            raise ValueError(
                f'prior="identity" needs X and y of equal width, but X has {d} features and y has {k}: '
                'use prior="orthogonal" or "zero".'
            )

    def _summary(self, x: Array, t: Array, w: Array | None) -> RegressionMoments:
        return regression_moments(x, t, w)

    def _part(self, m: JointMoments) -> RegressionMoments:
        return m.part(RegressionMoments)

    def _solve_rows(self, x: Array, t: Array, w: Array | None) -> RegressionMoments:
        penalty = 0.0 if isinstance(self.alpha, str) else float(self.alpha)
        m, system = least_squares_of_rows(x, t, w, centre=self.fit_intercept, penalty=penalty)
        about = self._about(m)
        self._set_solution(about, system, self._penalty(about, system))
        return m

    def _solve(self, m: RegressionMoments) -> None:
        about = self._about(m)
        penalty = self._penalty(about, least_squares_of_moments(about))
        system = least_squares_of_moments(about, penalty)
        self._set_solution(about, system, penalty)
        self._warn_if_doubtful(system)

    def _about(self, m: RegressionMoments) -> RegressionMoments:
        return m if self.fit_intercept else m.about_origin()

    def _penalty(self, about: RegressionMoments, system: System) -> float:
        if isinstance(self.alpha, str):
            return gcv_penalty(system, self._prior(about), centre=self.fit_intercept)
        return float(self.alpha)

    def _set_solution(self, about: RegressionMoments, system: System, penalty: float) -> None:
        self.alpha_ = penalty
        self.rank_ = system.directions.shape[1] - system.dropped
        self.condition_ = condition(system.s[: self.rank_], penalty)
        self._set_map(ridge(system, penalty, self._prior(about)), about.x_mean, about.y_mean)

    def _prior(self, about: RegressionMoments) -> Array | None:
        if self.prior == "zero":
            return None
        if self.prior == "identity":
            return asarray_like(np.eye(about.xy.shape[0]), about.xy)
        return procrustes(about).rotation

    def _warn_if_doubtful(self, system: System) -> None:
        """Warn if moments do not determine the map well; fewer pairs than features alone are not a reason."""
        lost = system.dropped - max(0, system.directions.shape[1] - int(system.n) + self.fit_intercept)
        number = condition(system.s, self.alpha_)  # with the directions that only the penalty determines
        bound = number**2 * EPSILON
        lost = 0 if self.alpha_ > 0 else lost
        if bound <= DOUBTFUL and lost <= 0:
            return
        directions = f" {lost} directions of relative size below 6e-8 count as zero." if lost > 0 else ""
        warn(
            f"The moments of the pairs determine the map only up to a relative error of {min(bound, 1.0):.0e}: the "
            f"condition number of X is {number:.0e}, and moments contain its square.{directions} fit on all "
            "pairs at once has no such limit; alpha > 0 reduces it.",
        )

    def _backward(self, z: Array) -> Array:
        coef = self._here("coef_", z, "inverse_transform")
        return namespace(z).linalg.pinv(coef.T, rtol=singular_tolerance(coef.shape[1]))
