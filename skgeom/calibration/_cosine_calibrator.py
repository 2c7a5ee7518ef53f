"""The cosine of a match: the threshold at a rate of false matches, and probabilities."""

from __future__ import annotations

from dataclasses import replace
from math import floor, inf, isinf, nan
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from scipy.stats import beta
from sklearn.base import BaseEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from skgeom._array import asarray_like, epsilon, in_full_precision, namespace, take_rows, to_numpy
from skgeom._core._rows import DirectedRows
from skgeom._core.pairs._cosines import (
    AllCosines,
    SampledCosines,
    Ties,
    different,
    paired_cosines,
    rate_error,
    sampled,
)
from skgeom._estimator import all_at_once
from skgeom._typing import Array
from skgeom._validation import (
    as_given,
    check_choice,
    check_classes,
    check_column_order,
    check_count,
    check_directed,
    check_groups,
    check_numbers,
    check_paired,
    check_plane,
    check_real,
    check_same_kind,
)
from skgeom._warnings import warn

_MIN_ROWS = 200
_MIN_FALSE_MATCHES = 10
"""Rows, and pairs above the threshold, with fewer of which a threshold is of little use."""

_TAIL = 0.025
"""Probability beyond each end of an interval."""

_FOLDS = 5


class FalseMatchRate(NamedTuple):
    """A share of the pairs that do not belong together, with its standard error.

    Attributes
    ----------
    rate : float
        The share of pairs whose cosine is at least the given one.
    standard_error : float
        Its standard error over rows, or over groups.
    interval : tuple of two floats
        Interval of 95 %: that of Clopper and Pearson for as many independent pairs as would have this standard error.
        Where no pair, or every pair, has such a cosine, for half as many pairs as there are rows or groups.
    """

    rate: float
    standard_error: float
    interval: tuple[float, float]


class CosineCalibrator(BaseEstimator):
    r"""Find the cosine above which two rows match, at a given rate of false matches.

    No cosine is large by itself: in one space unrelated texts have 0.1, in another 0.8. `fit` looks at pairs that do
    **not** belong together: all pairs of rows of X, which are nearly all unrelated, or all of queries X with a corpus Y
    without matches. With N such pairs, the threshold at the rate alpha is their cosine number
    :math:`\lfloor \alpha (N + 1) \rfloor` from the top, and

    .. math:: p(c) = \frac{1 + \#\{\text{pairs with } \cos \ge c\}}{1 + N},

    so that :math:`p(c) \le \alpha` exactly where c is above the threshold. No distribution is assumed: a threshold for
    1e-4 from a normal distribution is exceeded up to 28 times as often as that by the cosines of real embeddings.

    The precision of a threshold depends on the number of **rows**, not of pairs. A thousand rows have half a million
    pairs, but each row is in a thousand of them. Standard errors and intervals here are over rows, by leaving out each
    row, or each group, with all its pairs.

    Parameters
    ----------
    alpha : float, default=0.001
        The share of pairs that do not belong together which may be above the threshold.
    n_pairs : "exact" or int, default="exact"
        "exact" uses all pairs. A number draws as many pairs, which is faster for many rows, and the estimator does not
        keep the rows; draw at least 100 / alpha. If there are fewer pairs, all are used.
    random_state : int, RandomState instance or None, default=None
        Seed of the pairs.

    Attributes
    ----------
    threshold_ : float
        Two rows are a match if their cosine is greater. Infinite if there are fewer than 1 / alpha - 1 pairs.
    threshold_interval_ : ndarray of shape (2,)
        The thresholds at the ends of the interval of 95 % for the rate at `threshold_`, see `false_match_rate`: how far
        other rows from the same source would move it. NaN if the threshold is infinite.
    has_enough_rows_ : bool
        Whether at least 10 pairs are expected above the threshold, and there are at least 200 rows, or groups. If not,
        the threshold is unreliable, and `fit` warns.
    mean_cosine_, std_cosine_ : float
        Mean and standard deviation of the cosines over the pairs.
    n_pairs_ : int
        Number of pairs, N.
    match_prior_ : float
        Share of matches among the pairs of `fit_matches`, which `predict_proba` assumes.
    match_brier_score_ : float
        Mean squared error of the probabilities of these pairs, each from the others. To be compared with
        ``match_prior_ * (1 - match_prior_)``, that of the prior alone.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Only if X came with names.

    Raises
    ------
    TypeError
        If a parameter is of the wrong type.
    ValueError
        If X or Y is not a finite matrix, a row is zero, the two differ in width, library or device, no pair is left, or
        a parameter is out of range.

    Warns
    -----
    UserWarning
        If there are not enough rows for the rate.

    See Also
    --------
    skgeom.metrics.angle_quantiles : Quantiles of the angles of all pairs.
    skgeom.metrics.cosine_shares : The contribution of each coordinate to the cosines.

    Notes
    -----
    A threshold holds for pairs drawn like those of `fit`, from the same model and kind of data. If some pairs of X
    do belong together, it is too high rather than too low; give these rows a common group. Of rows with one
    direction, in X or in X and Y, only the first counts: a copy is a true match.

    Fit a transform before it to other rows, not as in ``make_pipeline(Whitening(), CosineCalibrator())``: a whitening
    of these rows makes their own cosines smaller than those of new rows, which then exceed the threshold too often.
    Of 500 and 4,000 sentences x 384, fully whitened, the rate on other sentences was 190 and 1.6 times alpha = 1e-3.

    Cosines that differ only by the rounding of the rows count as equal: codes of few bits have many such pairs.
    So `p_value` counts all pairs with a cosine equal to c, and a pair with the cosine of the threshold is not a match.

    Thresholds and probabilities keep the order of the pairs, so they cannot improve a ranking.

    With all pairs the fitted estimator holds the rows, as nearest neighbours do, and `p_value`, `threshold` and
    `false_match_rate` pass over the pairs again: O(n² d) time in tiles, never an n x n array.

    With thresholds from 1,000 rows of six real sets, the rate on other rows, over alpha, is 0.97 to 1.05 at 1e-2 and
    1e-3, and 0.89 to 1.00 at 1e-4, on average over 20 halves (``python -m benchmarks thresholds``). A single threshold
    varies around that by as much as its interval.

    Invariant to rotation and to the length of each row.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.calibration import CosineCalibrator
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(loc=0.5, size=(1000, 32))
    >>> calibrator = CosineCalibrator(alpha=0.001).fit(X)
    >>> round(calibrator.mean_cosine_, 2), round(calibrator.threshold_, 2)
    (0.2, 0.65)
    >>> calibrator.threshold_interval_.round(2)
    array([0.64, 0.66])
    >>> calibrator.p_value([0.2, 0.6]).round(3)
    array([0.516, 0.004])
    >>> near = X + 0.3 * rng.normal(size=X.shape)
    >>> float(calibrator.predict(X, near).mean()), float(calibrator.predict(X, near[::-1]).mean())
    (1.0, 0.0)
    """

    threshold_: float
    threshold_interval_: np.ndarray
    has_enough_rows_: bool
    mean_cosine_: float
    std_cosine_: float
    n_pairs_: int
    match_prior_: float
    match_brier_score_: float

    def __init__(
        self, alpha: float = 1e-3, *, n_pairs: Literal["exact"] | int = "exact", random_state: Any = None
    ) -> None:
        self.alpha = alpha
        self.n_pairs = n_pairs
        self.random_state = random_state

    @all_at_once
    def fit(self, X: Any, Y: Any = None, groups: Any = None) -> Self:
        """Learn the threshold from pairs that do not belong together.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Embeddings, one per row, or queries.
        Y : array of shape (n_corpus, n_features), default=None
            A corpus: the pairs are those of a row of X and a row of Y. None for the pairs of rows of X.
        groups : array of shape (n_samples,), or two of them, default=None
            Rows of one group belong together, and their pairs are left out: paraphrases, passages of a document. With
            Y, the groups of X and the groups of Y, such as ``groups=(image_id, image_id)`` for images and captions.

        Returns
        -------
        self
            The fitted calibrator.
        """
        check_real(self.alpha, "alpha")
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha must be between 0 and 1, both excluded, got {self.alpha!r}.")
        if isinstance(self.n_pairs, str):
            check_choice(self.n_pairs, ["exact"], "n_pairs")
        else:
            check_count(self.n_pairs, "n_pairs", 2)
        pairs, self._units = _pairs(X, Y, groups)
        validate_data(self, X, skip_check_array=True)
        self._ties = pairs.ties()
        self.n_pairs_ = pairs.n
        if not self.n_pairs_:
            raise ValueError(
                "No pair of rows is left: pairs of rows with one direction, and of rows of one group, belong together. "
                "Pass rows that do not."
            )
        self._cosines: AllCosines | SampledCosines = pairs
        if self.n_pairs != "exact" and self.n_pairs < self.n_pairs_:
            self.n_pairs_ = int(self.n_pairs)
            self._cosines = sampled(pairs, self.n_pairs_, check_random_state(self.random_state))
        cosines = self._for_one_call()
        self.mean_cosine_, self.std_cosine_ = cosines.mean_and_std()
        self.threshold_ = float(self._thresholds(cosines, np.asarray(self.alpha)))
        self.threshold_interval_ = self._interval(cosines)
        self._check_enough()
        for name in ("match_prior_", "match_brier_score_", "_maps"):
            self.__dict__.pop(name, None)
        return self

    def threshold(self, alpha: Any) -> Any:
        """Return the cosine above which two rows are a match, for another rate of false matches.

        Parameters
        ----------
        alpha : float or list of float
            Rates, between 0 and 1. Ask for several at once: each call goes over all pairs.

        Returns
        -------
        float or ndarray
            The thresholds; infinite where there are fewer than 1 / alpha - 1 pairs.
        """
        check_is_fitted(self)
        rates = check_numbers(alpha, "alpha")
        if rates.min() <= 0 or rates.max() >= 1:
            raise ValueError(f"alpha must be between 0 and 1, both excluded, got {alpha!r}.")
        return _as_asked(self._thresholds(self._for_one_call(), rates))

    def p_value(self, cosine: Any) -> Any:
        """Return how rare a cosine is among pairs that do not belong together: (1 + #{pairs >= c}) / (1 + N).

        Parameters
        ----------
        cosine : float or list of float
            Cosines. Ask for several at once: each call goes over all pairs.

        Returns
        -------
        float or ndarray
            In (0, 1]; at most alpha exactly where the cosine is above the threshold at alpha.
        """
        check_is_fitted(self)
        cosines = check_numbers(cosine, "cosine")
        n = self._for_one_call().n_at_least(np.atleast_1d(cosines)).reshape(cosines.shape)
        return _as_asked((1 + n) / (1 + self.n_pairs_))

    def false_match_rate(self, cosine: float) -> FalseMatchRate:
        r"""Return the share of unrelated pairs whose cosine is at least the given one, with its standard error.

        With :math:`h_i` the share of the pairs of row i, the standard error of the rate is
        :math:`2 \frac{n-1}{n-2} \operatorname{sd}(h_i) / \sqrt n` for the pairs of n rows, exactly that of leaving out
        each row; with groups, each group. Taking pairs as independent makes it several times too small.

        Parameters
        ----------
        cosine : float
            The cosine from which two rows count as a match.

        Returns
        -------
        FalseMatchRate
            `rate`, `standard_error` and `interval`.
        """
        check_is_fitted(self)
        return self._rate(self._for_one_call(), check_real(cosine, "cosine"))

    @in_full_precision
    def predict(self, X: Any, Y: Any) -> np.ndarray:
        """Return whether the cosine of each row of X and the row of Y beside it is above `threshold_`.

        Parameters
        ----------
        X, Y : array of shape (n_pairs, n_features)
            Both rows of each pair.

        Returns
        -------
        ndarray of shape (n_pairs,), bool
            Whether they are a match.
        """
        cosines, ties = self._paired(X, Y)
        return ties.lowest(to_numpy(cosines)) > self.threshold_

    @all_at_once
    def fit_matches(self, X: Any, Y: Any, y: Any) -> Self:
        """Learn the probability of a match, by cosine, from pairs that are known to match or not.

        The probability is an isotonic regression on the cosine: a step function that never falls. Each of five is
        fitted to four fifths of the pairs, and `predict_proba` returns their mean. With m pairs it stays within
        [1 / (2 m), 1 - 1 / (2 m)].

        Parameters
        ----------
        X, Y : array of shape (n_pairs, n_features)
            Both rows of each pair.
        y : array of shape (n_pairs,)
            1 or True for matches, 0 or False for others; at least five of each.

        Returns
        -------
        self
            The calibrator, with `match_prior_` and `match_brier_score_`.

        Raises
        ------
        ValueError
            If y is not 0 or 1 for each pair, or there are fewer than five matches or five others.
        """
        found, ties = self._paired(X, Y)
        cosines = ties.merged(to_numpy(found))
        y = _check_matches(y, cosines.size)
        low = 1 / (2 * y.size)
        fold = np.empty(y.size, dtype=np.int64)
        fold[np.lexsort((cosines, y))] = np.arange(y.size) % _FOLDS
        self._maps = [
            IsotonicRegression(y_min=low, y_max=1 - low, out_of_bounds="clip").fit(cosines[fold != k], y[fold != k])
            for k in range(_FOLDS)
        ]
        of_others = np.choose(fold, [one.predict(cosines) for one in self._maps])
        self.match_prior_ = float(y.mean())
        self.match_brier_score_ = float(np.mean((of_others - y) ** 2))
        return self

    @in_full_precision
    def predict_proba(self, X: Any, Y: Any) -> Array:
        """Return the probability that each row of X and the row of Y beside it are a match, after `fit_matches`.

        It is correct if matches are as frequent as among the pairs of `fit_matches` (`match_prior_`). Otherwise
        multiply the odds by the ratio of the odds of the two priors.

        Parameters
        ----------
        X, Y : array of shape (n_pairs, n_features)
            Both rows of each pair.

        Returns
        -------
        array of shape (n_pairs, 2)
            Probabilities of no match and of a match, in the library of X.
        """
        check_is_fitted(
            self,
            "match_prior_",
            msg="This %(name)s knows no matches yet: call fit_matches with labelled pairs before predict_proba.",
        )
        cosines, _ = self._paired(X, Y)
        match = np.mean([one.predict(to_numpy(cosines)) for one in self._maps], axis=0)
        return asarray_like(np.stack([1 - match, match], axis=1), cosines)

    def _for_one_call(self) -> AllCosines | SampledCosines:
        """Return the cosines, with tiles that all passes of a call share but the fitted calibrator does not keep."""
        return replace(self._cosines) if isinstance(self._cosines, AllCosines) else self._cosines

    def _thresholds(self, cosines: AllCosines | SampledCosines, rates: np.ndarray) -> np.ndarray:
        """Return the threshold at each rate, in one pass."""
        ranks = np.array([_rank(rate, self.n_pairs_) for rate in np.atleast_1d(rates)])
        found = np.full(ranks.size, inf)
        if (ranks > 0).any():
            found[ranks > 0] = cosines.largest(ranks[ranks > 0])
        return found.reshape(rates.shape)

    def _rate(self, cosines: AllCosines | SampledCosines, cosine: float) -> FalseMatchRate:
        rate, error = rate_error(cosines, cosine, self._units)
        n = rate * (1 - rate) / error**2 if error else np.unique(self._units).size / 2
        return FalseMatchRate(rate, error, rate_interval(rate, min(n, self.n_pairs_)))

    def _interval(self, cosines: AllCosines | SampledCosines) -> np.ndarray:
        """Return the thresholds at the ends of the interval of the rate at the threshold."""
        if isinf(self.threshold_):
            return np.array([nan, nan])
        low, high = self._rate(cosines, self.threshold_).interval
        return np.clip(self._thresholds(cosines, np.array([high, low])), -1.0, 1.0)

    def _check_enough(self) -> None:
        """Record whether there are enough rows for the rate, and warn if not."""
        n, expected = np.unique(self._units).size, self.alpha * self.n_pairs_
        self.has_enough_rows_ = bool(n >= _MIN_ROWS and expected >= _MIN_FALSE_MATCHES)
        if not self.has_enough_rows_:
            warn(
                f"{n} different rows or groups, with {expected:.3g} of {self.n_pairs_} pairs expected above it, are "
                f"not enough for a threshold at alpha={self.alpha:g}: at least {_MIN_ROWS} and "
                f"{_MIN_FALSE_MATCHES} are. Pass more rows, or a larger alpha."
            )

    def _paired(self, X: Any, Y: Any) -> tuple[Array, Ties]:
        """Return the cosines (n,) of pairs of rows, and which count as equal, to the least precision of all rows."""
        check_is_fitted(self)
        x, y = check_directed(X, min_samples=1), check_directed(Y, name="Y", min_samples=1)
        validate_data(self, X, reset=False, skip_check_array=True)
        check_same_kind(x.x, y.x)
        check_column_order(X, Y)
        check_paired(x.x, y.x)
        return paired_cosines(x, y), self._ties._replace(epsilon=max(self._ties.epsilon, epsilon(x.x), epsilon(y.x)))


def _pairs(X: Any, Y: Any, groups: Any) -> tuple[AllCosines, np.ndarray]:
    """Return the pairs that do not belong together, and the independent unit to which each row belongs."""
    rows = check_directed(X, min_samples=2 if Y is None else 1)
    check_plane(rows.x)
    n = n_first = rows.x.shape[0]
    if Y is not None:
        others = check_directed(Y, name="Y", min_samples=1)
        check_same_kind(rows.x, others.x)
        check_column_order(X, Y)
        rows = DirectedRows(*(namespace(rows.x).concat(list(both)) for both in zip(rows, others, strict=True)))
        n = rows.x.shape[0]
    codes = None if groups is None else _group_codes(groups, n_first, None if Y is None else n - n_first)
    first = different(rows)
    if first.size < n:
        rows = DirectedRows(*(take_rows(part, first) for part in rows))
        n_first = int(np.searchsorted(first, n_first))
        codes = None if codes is None else codes[first]
    units = np.arange(first.size) if codes is None else np.unique(codes, return_inverse=True)[1]
    return AllCosines(rows, None if Y is None else n_first, None if codes is None else units), units


def _group_codes(groups: Any, n: int, n_corpus: int | None) -> np.ndarray:
    """Return a number for the group of each row, of X and then of Y."""
    if n_corpus is None:
        return check_groups(groups, n)[1]
    if not isinstance(groups, tuple | list) or len(groups) != 2:
        raise ValueError("With Y, groups must be two arrays, the groups of the rows of X and those of Y.")
    sides = [np.asarray(as_given(side, "groups")) for side in groups]
    for side, rows in zip(sides, (n, n_corpus), strict=True):
        check_groups(side, rows)
    return check_groups(np.concatenate(sides), n + n_corpus)[1]


def _rank(alpha: float, n: int) -> int:
    """Return the largest k <= n with k / (n + 1) <= alpha."""
    k = floor(alpha * (n + 1))
    return min(k + ((k + 1) / (n + 1) <= alpha), n)


def rate_interval(rate: float, n: float) -> tuple[float, float]:
    """Return the interval of Clopper and Pearson for a share of n independent events."""
    k = rate * n
    low = beta.ppf(_TAIL, k, n - k + 1) if k > 0 else 0.0
    high = beta.ppf(1 - _TAIL, k + 1, n - k) if k < n else 1.0
    return float(low), float(high)


def _as_asked(values: np.ndarray) -> Any:
    """Return a float for one number, and an array for a list of them."""
    return values if values.ndim else float(values)


def _check_matches(y: Any, n: int) -> np.ndarray:
    """Return 1.0 for each match and 0.0 for each other of n pairs."""
    classes, codes = check_classes(y, n)
    if not set(classes.tolist()) <= {0, 1}:
        raise ValueError(f"y must be 1 for matches and 0 for others, got {classes.tolist()[:8]}.")
    is_match = classes[codes].astype(np.float64)
    matches = int(is_match.sum())
    if min(matches, n - matches) < _FOLDS:
        raise ValueError(f"At least {_FOLDS} matches and {_FOLDS} others are needed, got {matches} and {n - matches}.")
    return is_match
