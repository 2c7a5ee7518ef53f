"""The common base of aligners: the moments of pairs determine a map, which is applied to rows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial, reduce
from typing import Any, Generic, Self, TypeVar

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, RegressorMixin, clone
from sklearn.utils import Tags
from sklearn.utils.validation import validate_data

from skgeom._array import is_dask, to_float
from skgeom._cloud import comes_in_parts, side_by_side, sum_of_blocks, sum_of_chunks
from skgeom._core._threads import one_thread
from skgeom._core.sums._align import variance_explained
from skgeom._core.sums._cross import CrossMoments, JointMoments
from skgeom._core.sums._maps import centred_product, exact_product
from skgeom._dask import chunks_of, dask_rows, sample_row
from skgeom._estimator import KeepsMoments, RowwiseTransformer, all_at_once, chunk_by_chunk, record_width
from skgeom._typing import Array
from skgeom._validation import check_device, check_squares, check_weights
from skgeom.alignment._checks import check_target_width, check_targets
from skgeom.summary import PairedSummary

_M = TypeVar("_M", bound=CrossMoments)


class Aligner(ClassNamePrefixFeaturesOutMixin, RegressorMixin, KeepsMoments, RowwiseTransformer, Generic[_M]):
    """Base of the aligners: an affine map of the rows of one space, found from the moments of pairs."""

    x_mean_: Array
    y_mean_: Array
    coef_: Array
    intercept_: Array
    n_samples_seen_: float
    _is_flat: bool

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    @all_at_once
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn the map from pairs.

        Parameters
        ----------
        X : array of shape (n_samples, n_features), iterator of blocks of rows, PairedSummary or Dask array
            Embeddings, one per row; or the summary of both sides by `skgeom.summary.paired_summary`. An array
            or frame of Dask is summed up by its workers. For blocks and chunks the map follows from moments, as in
            `partial_fit`.
        y : array of shape (n_samples, n_targets) or (n_samples,)
            The target embeddings: row k is the partner of row k of X. None for a summary. To blocks belong blocks of
            as many rows; those in Dask are cut into the chunks of X.
        sample_weight : array of shape (n_samples,), default=None
            How often each pair counts; None unless X is an array of rows.

        Returns
        -------
        self
            The fitted aligner.
        """
        self._check_parameters()
        if isinstance(X, PairedSummary) or comes_in_parts(X) or comes_in_parts(y):
            return self._learn(self._solved(self._summed(X, y, sample_weight, reset=True)))
        x, t, w = self._checked_pairs(X, y, sample_weight, reset=True)
        first, *more = self._parts(partial(self._solve_or_sum, x.shape[0]), x, t, w)
        return self._learn(self._solved(reduce(lambda a, b: a.merge(b), more, first)) if more else first)

    @all_at_once
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Add pairs to those seen, and learn from the moments of all of them.

        Parameters
        ----------
        X : array of shape (n_samples, n_features), iterator of blocks of rows, PairedSummary or Dask array
            More embeddings, one per row; a first batch of at least two.
        y : array of shape (n_samples, n_targets) or (n_samples,)
            The target embeddings: row k is the partner of row k of X. None for a summary.
        sample_weight : array of shape (n_samples,), default=None
            How often each pair counts; None unless X is an array of rows.

        Returns
        -------
        self
            The fitted aligner.
        """
        self._check_parameters()
        first = not self._goes_on()
        if isinstance(X, PairedSummary) or comes_in_parts(X) or comes_in_parts(y):
            m = self._summed(X, y, sample_weight, reset=first)
        else:
            m = self._sum_up(*self._checked_pairs(X, y, sample_weight, reset=first))
        if not first:
            m = self._moments.map_arrays(lambda a: self._bring(a, m.xy, "partial_fit")).merge(m)
        return self._learn(self._solved(m))

    @chunk_by_chunk
    def transform(self, X: Any) -> Array:
        """Map rows of the first space.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Embeddings of the first space.

        Returns
        -------
        array of shape (n_samples, n_features_out)
            The mapped rows, in the dtype of X (float32 for halves). Dask arrays are mapped lazily.
        """
        return self._rows_of(X)

    @chunk_by_chunk
    def predict(self, X: Any) -> Array:
        """Map rows of the first space into the target space.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Embeddings of the first space.

        Returns
        -------
        array of shape (n_samples, n_targets) or (n_samples,)
            The predicted targets, in the dtype of X; one-dimensional if `y` was.
        """
        z = self._by_rows(lambda x: self._mapped(x, "predict"), self._checked(X, reset=False))
        return z[:, 0] if self._is_flat else z

    @chunk_by_chunk
    def inverse_transform(self, X: Any) -> Array:
        """Map rows of the target space back: the pseudo-inverse of the map.

        Parameters
        ----------
        X : array of shape (n_samples, n_targets)
            Rows of the target space.

        Returns
        -------
        array of shape (n_samples, n_features)
            Rows of the first space: exact for the output of `transform` if no direction was lost, else the shortest
            (about the mean) of the closest ones.
        """
        return self._by_rows(self._mapped_back, self._checked_output(X))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        r"""Share of the variance of the targets that the map explains.

        .. math:: R^2 = 1 - \frac{\sum_k w_k \lVert y_k - \hat y_k\rVert^2}{\sum_k w_k \lVert y_k - \bar y\rVert^2},

        the variance-weighted R² of scikit-learn. Unlike the mean over columns it does not depend on the basis of the
        target space.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Embeddings of the first space.
        y : array of shape (n_samples, n_targets) or (n_samples,)
            Their targets.
        sample_weight : array of shape (n_samples,), default=None
            How often each pair counts.

        Returns
        -------
        float
            At most 1, best = 1; 0 for predicting the mean of the targets. If all targets are equal, 1 for an exact
            prediction and otherwise 0.
        """
        x = self._checked(X, reset=False, min_samples=2)
        t, _ = check_targets(y, x)
        check_target_width(t, self.coef_.shape[0])
        check_squares(x, "X")
        check_squares(t, "y")
        x, w = check_weights(sample_weight, self._placed(x), minimum=0.0)
        t, _ = check_weights(sample_weight, self._placed(t), minimum=0.0)
        return to_float(variance_explained(t, x, lambda rows: self._mapped(rows, "score"), w))

    def _summed_in_parts(self, X: Any, y: Any, sample_weight: Any, *, reset: bool) -> _M:
        """Return the moments of pairs in blocks or in Dask arrays; record or compare the features of X."""
        if is_dask(X) != is_dask(y):
            raise TypeError("X and y must both be Dask arrays if one is: pass dask.array.from_array(y, X.chunks[0]).")
        if sample_weight is not None:
            raise ValueError(
                "sample_weight is not supported for Dask arrays and blocks, whose pairs count once each: pass None."
            )
        return (self._summed_by_workers if is_dask(X) else self._summed_blocks)(X, y, reset=reset)

    def _summed_blocks(self, X: Iterator[Any], y: Iterator[Any], *, reset: bool) -> _M:
        """Return the moments of blocks of pairs."""
        twin = clone(self)

        def of_block(x: Any, t: Any) -> tuple[tuple[Array, ...], _M]:
            x, t, w = twin._checked_pairs(x, t, None, reset=True, part=True)
            return (x, t), twin._sum_up(x, t, w)

        m = sum_of_blocks(of_block, side_by_side(X=X, y=y), 2 if reset else 1)
        record_width(self, m.x_mean.shape[0], reset=reset)
        if not reset:
            check_target_width(m.xy, self.coef_.shape[0])
        self._is_flat = twin._is_flat
        return m

    def _summed_by_workers(self, X: Any, y: Any, *, reset: bool) -> _M:
        """Return the moments of pairs in Dask arrays."""
        validate_data(self, sample_row(X), reset=reset, skip_check_array=True)
        x, t = dask_rows(X), dask_rows(y, "y", ndims=(1, 2))
        if not reset:
            check_target_width(t[:, None] if t.ndim == 1 else t, self.coef_.shape[0])
        self._is_flat = t.ndim == 1
        return sum_of_chunks(clone(self)._sum_of_chunk, chunks_of(x, t), 2 if reset else 1)

    def _sum_of_chunk(self, X: Any, y: Any) -> _M:
        """Return the moments of the pairs of a chunk."""
        return self._sum_up(*self._checked_pairs(X, y, None, reset=True, part=True))

    def _sum_up(self, x: Array, t: Array, w: Array | None) -> _M:
        """Return the moments of pairs and their weights, where they are computed."""
        return reduce(lambda a, b: a.merge(b), self._parts(self._summary, x, t, w))

    def _checked_pairs(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool, part: bool = False
    ) -> tuple[Array, Array, Array | None]:
        """Check pairs, or a part of them, and leave out those of weight 0."""
        x = self._checked(X, reset=reset, min_samples=2 if reset and not part else 1)
        t, flat = check_targets(y, x)
        check_squares(x, "X")
        check_squares(t, "y")
        if not reset:
            check_target_width(t, self.coef_.shape[0])
        self._check_widths(x.shape[1], t.shape[1])
        minimum = 1.0 if reset and self._counts_pairs() else 0.0
        x, w = check_weights(sample_weight, x, minimum=minimum)
        t, _ = check_weights(sample_weight, t, minimum=minimum)
        self._is_flat = flat
        return x, t, w

    def _summed(self, pairs: Any, y: Any, sample_weight: Any, *, reset: bool) -> _M:
        """Check a summary, blocks or Dask arrays, record or compare their widths, and return the required moments."""
        if not isinstance(pairs, PairedSummary):
            return self._summed_in_parts(pairs, y, sample_weight, reset=reset)
        if y is not None or sample_weight is not None:
            raise ValueError("A summary has both sides and counts each pair once: pass None for y and sample_weight.")
        least = 2 if reset else 1
        if pairs.n_pairs < least:
            raise ValueError(f"Found a summary of {pairs.n_pairs} pair(s) while a minimum of {least} is required.")
        check_device(self.device)
        d, k = pairs.scatter.shape
        record_width(self, d, reset=reset)
        if not reset:
            check_target_width(pairs.scatter, self.coef_.shape[0])
        self._check_widths(d, k)
        self._is_flat = False
        return self._part(pairs.moments().map_arrays(self._placed))

    def _learn(self, m: _M) -> Self:
        self._moments = m.map_arrays(self._leave)
        self.n_samples_seen_ = m.n
        return self

    def _set_map(self, coefficients: Array, x_mean: Array, y_mean: Array) -> None:
        """Keep the map y = (x - x_mean) @ coefficients + y_mean."""
        self.x_mean_, self.y_mean_ = self._leave(x_mean), self._leave(y_mean)
        self.coef_ = self._leave(coefficients.T)
        self.intercept_ = self._leave(y_mean - x_mean @ coefficients)
        self._n_features_out = coefficients.shape[1]

    def _transformed(self, x: Array, *, out: np.ndarray | None = None) -> Array:
        return self._mapped(x, "transform", out)

    def _mapped(self, x: Array, method: str, out: np.ndarray | None = None) -> Array:
        """Return the rows x in the target space, in their dtype and on their device."""
        x_mean, coef, y_mean = (self._here(name, x, method) for name in ("x_mean_", "coef_", "y_mean_"))
        return centred_product(x, x_mean, coef.T, y_mean, out)

    def _mapped_back(self, z: Array) -> Array:
        """Return rows z of the target space in the first one."""
        x_mean, y_mean = (self._here(name, z, "inverse_transform") for name in ("x_mean_", "y_mean_"))
        return exact_product(z, y_mean, self._backward(z), x_mean)

    def _backward(self, z: Array) -> Array:
        """Return the map (n_targets, n_features) from the target space back, where the rows z are."""
        raise NotImplementedError

    def _summary(self, x: Array, t: Array, w: Array | None) -> _M:
        """Return the summary of pairs that the solution needs."""
        raise NotImplementedError

    def _part(self, m: JointMoments) -> _M:
        """Return the moments of pairs that the solution needs."""
        raise NotImplementedError

    def _solve_rows(self, x: Array, t: Array, w: Array | None) -> _M:
        """Set the fitted attributes from all pairs at once, and return their moments."""
        return self._solved(self._summary(x, t, w))

    def _solve_or_sum(self, n: int, x: Array, t: Array, w: Array | None) -> _M:
        """Set the fitted attributes from all n pairs and return their moments, or only these of a part of the pairs."""
        return (self._solve_rows if x.shape[0] == n else self._summary)(x, t, w)

    def _solved(self, m: _M) -> _M:
        """Return the moments from which the fitted attributes were set."""
        with one_thread(m.xy):
            self._solve(m)
        return m

    def _solve(self, m: _M) -> None:
        """Set the fitted attributes from the moments of all pairs seen."""
        raise NotImplementedError

    def _check_parameters(self) -> None:
        """Check that the parameters are in range."""
        raise NotImplementedError

    def _counts_pairs(self) -> bool:
        """Return whether weights count pairs, with a sum above 1; else only their ratios matter to the map."""
        return True

    def _check_widths(self, d: int, k: int) -> None:
        """Check that there is such a map between spaces of these widths."""
