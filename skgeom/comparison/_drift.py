"""A reference, and tests of whether batches of new rows still have its distribution."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from skgeom._array import as_data
from skgeom._estimator import all_at_once, record_width
from skgeom._validation import check_cloud, check_count, check_real, check_seed
from skgeom._warnings import warn
from skgeom.comparison._clouds import PARTS, CloudTest, test_of
from skgeom.comparison._parts import MOST_ORDERS
from skgeom.comparison._sides import FEWEST
from skgeom.summary import CloudSummary
from skgeom.summary._summary import summary_of


class DriftMonitor(BaseEstimator):
    r"""Keep a reference and test batches of new rows against it: which part moved, how far, and with which p-value.

    Each batch is compared with the reference by `cloud_test`: its mean, variance, covariance, and its distribution by a
    kernel. A batch raises an alarm if its p-value is at most `alpha` / `n_batches`.

    Parameters
    ----------
    alpha : float, default=0.05
        Probability of any false alarm among `n_batches` batches with the distribution of the reference.
    n_batches : int, default=1
        Number of batches that share `alpha`. With 1, alpha is the rate of false alarms per batch: five of a hundred
        batches without drift raise an alarm.
    max_rows : int, default=1000
        Size of the random sample of the reference that is kept, and of a batch, for the parts over pairs and, if
        one of them has fewer than 100 rows, for the scale. Otherwise means and variances use all rows.
    random_state : int, generator of NumPy or None, default=0
        Seed of the samples.

    Attributes
    ----------
    summary_ : CloudSummary
        Moments of the reference, and the sample of its rows.
    n_samples_seen_ : int
        Number of rows of the reference.
    n_features_in_ : int
        Number of features.

    Raises
    ------
    ValueError
        If X is not a finite matrix, at fit of at least 8 rows, a parameter is out of range, or as `cloud_test`.

    Warns
    -----
    UserWarning
        If alpha / n_batches is below 2e-4.

    See Also
    --------
    cloud_test : The test, for clouds in memory.
    skgeom.summary.cloud_summary : Sums up a batch in parts, or on another machine.

    Notes
    -----
    *Many batches.* They share the reference, so their p-values depend on one another: an unlucky reference makes many
    of them small. `n_batches` divides alpha (Bonferroni), which remains valid. For an endless stream, spend alpha
    yourself: let batch t alarm if its `score` is at most alpha / (t (t + 1)), which sums to alpha. P-values below 1e-6
    are extrapolations. Where random orders decide (see `cloud_test`), the `score` of scale, covariance or kernel alone
    is at least 2e-4: alpha / `n_batches` below that draws a warning.

    *False alarms.* Of batches of 50 rows beside a reference of 300 (200 of CLIP), on six real sets, 2.8 to 4.3 % alarm
    with alpha = .05. Of streams of ten (five) such batches with ``n_batches`` their number, 3.5 to 6.0 % do, 4.5 % on
    average (200 streams of each set, ``python -m benchmarks clouds``), where 5 % may.

    *Transforms.* Fit a transform before it to other rows than the reference, not as in ``make_pipeline(Whitening(8),
    DriftMonitor())``. A whitening makes the rows of its fit white, but no others, so that beside a reference of these
    rows most batches can alarm without drift.

    *Small batches.* A batch of few rows shows large drift only. Sum up several with `cloud_summary`, merge the
    summaries, and test them as one: the result is that of all rows together, for the parts over pairs that of a random
    sample of them. `fit` and `partial_fit` take summaries too, so each machine can sum up its own rows.

    *Cost.* `fit` takes O(n d²) time, and holds d² + `max_rows` d numbers; `partial_fit` equals `fit` on all rows up to
    rounding and the choice of the rows kept. `test` of n rows takes O(n d² + d³) for means and variances, and O(N² d +
    N³) with N² numbers for N = `max_rows` + n rows. Rows of a batch must not depend on one another, as sentences of one
    document do; they would raise alarms.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.comparison import DriftMonitor
    >>> rng = np.random.default_rng(0)
    >>> monitor = DriftMonitor(alpha=0.01).fit(rng.normal(size=(2000, 16)))
    >>> monitor.moved(rng.normal(size=(200, 16)))
    ()
    >>> shifted = rng.normal(size=(200, 16)) + 0.2
    >>> monitor.moved(shifted)
    ('location', 'kernel')
    >>> round(monitor.test(shifted).location.effect, 2)  # in units of the total deviation
    0.18

    Batches that are too small by themselves, one by one or from several machines:

    >>> from skgeom.summary import cloud_summary
    >>> merged = cloud_summary(rng.normal(0.1, size=(20, 16)), random_state=0)
    >>> monitor.moved(merged)
    ()
    >>> for i in range(1, 30):
    ...     merged = merged.merge(cloud_summary(rng.normal(0.1, size=(20, 16)), random_state=i))
    >>> monitor.moved(merged)
    ('location', 'kernel')
    """

    summary_: CloudSummary
    n_samples_seen_: int
    n_features_in_: int

    def __init__(
        self,
        alpha: float = 0.05,
        *,
        n_batches: int = 1,
        max_rows: int = 1000,
        random_state: int | np.random.Generator | None = 0,
    ) -> None:
        self.alpha = alpha
        self.n_batches = n_batches
        self.max_rows = max_rows
        self.random_state = random_state

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.array_api_support = True
        return tags

    @all_at_once
    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the distribution of rows without drift.

        Parameters
        ----------
        X : array of shape (n_samples, n_features) or CloudSummary
            The reference, at least 8 rows.
        y : ignored
            For the API.

        Returns
        -------
        self
            The fitted monitor.
        """
        self._check_parameters()
        return self._begin(X)

    @all_at_once
    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Add rows to the reference.

        Parameters
        ----------
        X : array of shape (n_samples, n_features) or CloudSummary
            More rows without drift; a first batch of at least 8.
        y : ignored
            For the API.

        Returns
        -------
        self
            The fitted monitor.
        """
        self._check_parameters()
        if not hasattr(self, "summary_"):
            return self._begin(X)
        return self._keep(self.summary_.merge(self._summarised(X, reset=False, seen=self.n_samples_seen_)))

    def test(self, X: Any) -> CloudTest:
        """Return the test of a batch against the reference.

        Parameters
        ----------
        X : array of shape (n_samples, n_features) or CloudSummary
            New rows, at least 8.

        Returns
        -------
        CloudTest
            P-value and effect of each part, the reference being the first cloud, and a p-value of all parts.
        """
        check_is_fitted(self)
        self._check_parameters()
        batch = self._summarised(X, reset=False, min_samples=FEWEST)
        names = ("the reference", "X")
        return test_of((self.summary_, batch), names, 2 * self.max_rows, check_seed(self.random_state))

    def score(self, X: Any, y: Any = None) -> float:
        """Return the p-value of a batch over all parts, which is small if something moved.

        Parameters
        ----------
        X : array of shape (n_samples, n_features) or CloudSummary
            New rows, at least 8.
        y : ignored
            For the API.

        Returns
        -------
        float
            Between 0 and 1.
        """
        return self.test(X).pvalue

    def moved(self, X: Any) -> tuple[str, ...]:
        """Return the parts of a batch that moved, none if it raises no alarm.

        Parameters
        ----------
        X : array of shape (n_samples, n_features) or CloudSummary
            New rows, at least 8.

        Returns
        -------
        tuple of str
            Of "location", "scale", "covariance" and "kernel", those with a p-value at most alpha / n_batches by Holm's
            method for the four.
        """
        return self.test(X).moved(self.alpha / self.n_batches)

    def _check_parameters(self) -> None:
        check_real(self.alpha, "alpha")
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha must be between 0 and 1, both excluded, got {self.alpha!r}.")
        check_count(self.n_batches, "n_batches")
        check_count(self.max_rows, "max_rows", 2 * FEWEST)
        check_seed(self.random_state)

    def _begin(self, X: Any) -> Self:
        """Keep the first rows of a reference."""
        if self.alpha / self.n_batches < len(PARTS) / MOST_ORDERS:
            warn(
                f"alpha / n_batches is {self.alpha / self.n_batches:.3g}, below {len(PARTS) / MOST_ORDERS:.2g}: where "
                "random orders decide (batches of fewer than 100 rows, strongly clustered rows), scale, covariance or "
                "kernel alone raise no alarm. Share alpha among fewer batches."
            )
        return self._keep(self._summarised(X, reset=True, min_samples=FEWEST))

    def _summarised(self, X: Any, *, reset: bool, min_samples: int = 1, seen: int = 0) -> CloudSummary:
        """Return the summary of rows, or the one that was given.

        Added rows need other keys than the rows before them: with an integer seed, the keys follow from the number of
        rows seen.
        """
        if isinstance(X, CloudSummary):
            X.checked_moments(min_samples)
            record_width(self, X.n_features, reset=reset)
            return X.map_arrays(as_data)
        x = as_data(check_cloud(X, min_samples=min_samples))
        validate_data(self, X, reset=reset, skip_check_array=True)
        seed = self.random_state
        rng = np.random.default_rng([seed, seen] if isinstance(seed, int | np.integer) else seed)
        return summary_of(x, "X", self.max_rows, rng)

    def _keep(self, summary: CloudSummary) -> Self:
        self.summary_ = summary
        self.n_samples_seen_ = summary.n_rows
        return self
