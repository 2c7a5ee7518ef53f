"""Transformers that treat each group of rows, such as a modality or a language, separately."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, Self, TypeVar

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, OneToOneFeatureMixin

from skgeom._array import (
    ACCELERATOR_BLOCK_BYTES,
    accelerator,
    asarray_like,
    is_on_host,
    namespace,
    rows_at,
    take_rows,
    to_numpy,
)
from skgeom._core._rows import blocks_at, centred, mean_at
from skgeom._core._threads import map_rows
from skgeom._core.sums._moments import bring_near, merge_all
from skgeom._estimator import MomentsTransformer, RowwiseTransformer, all_at_once, chunk_by_chunk, features_of
from skgeom._typing import Array
from skgeom._validation import check_fitted_kind, check_groups, check_known_groups
from skgeom._warnings import warn
from skgeom.preprocessing._all_but_the_top import AllButTheTop, Projection
from skgeom.preprocessing._whitening import Estimate, Method, Whitening

_T = TypeVar("_T")
_M = TypeVar("_M", bound=MomentsTransformer)

_ROWS_PER_COLUMN = 16
"""Minimum number of rows of a group, for each column, whose sums are merged: with as many the merging costs little."""


class _GroupTransformer(RowwiseTransformer):
    """Base of the transformers with `groups`, one label per row, given or routed to fit and to transform."""

    groups_: list[Any]

    def fit_transform(self, X: Any, y: Any = None, *, groups: Any = None) -> Array:
        """Fit to rows and transform them, each with its own group.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            The embeddings, one per row.
        y : ignored
            For the API.
        groups : array of shape (n_samples,), default=None
            Group of each row; None makes them one group.

        Returns
        -------
        array of shape (n_samples, n_features_out)
            The transformed rows.
        """
        return self.fit(X, y, groups=groups).transform(X, groups=groups)

    def _fitted_to_each(self, kind: type[_M], X: Any, groups: Any) -> list[_M]:
        """Return a transformer of a kind with the parameters of this one, fitted to each group."""
        x = self._checked(X, reset=True, min_samples=2)
        _warn_of_one_group(groups, self)
        self.groups_, codes = check_groups(groups, x.shape[0], min_members=2)
        fits = [kind(**self.get_params()) for _ in self.groups_]
        fits[0]._check_parameters()
        fits[0]._check_magnitude(x)
        batches = self._batches(x, [np.flatnonzero(codes == g) for g in range(len(self.groups_))])
        sums = (m for batch in batches for m in self._moments_of_each(fits[0], x, batch))
        for fit, m in zip(fits, sums, strict=True):
            fit.__dict__.update(features_of(self))
            fit._learn(m)
        self._n_features_out = _one_width(fits, self.groups_)
        return fits

    def _batches(self, x: Array, groups: Iterable[np.ndarray]) -> Iterator[list[np.ndarray]]:
        """Yield groups to sum up together: one by one on the host; on an accelerator, which waits between, many."""
        d, on_host = x.shape[1], is_on_host(x) and accelerator(self.device) is None
        batch: list[np.ndarray] = []
        room = most = 0 if on_host else ACCELERATOR_BLOCK_BYTES
        for rows in groups:
            room -= 8 * d * (rows.size + d)
            if batch and room < 0:
                yield batch
                batch, room = [], most
            batch.append(rows)
        yield batch

    def _moments_of_each(self, fit: MomentsTransformer, x: Array, groups: list[np.ndarray]) -> list[Any]:
        """Return the moments of a batch of groups of rows; one that is alone is copied part by part."""
        if len(groups) > 1:
            sums = fit._moments_of_each([self._placed(rows_at(x, rows)) for rows in groups])
        else:
            blocks = blocks_at(x, groups[0], least=_ROWS_PER_COLUMN * x.shape[1])
            parts = (fit._moments_of_each([self._placed(rows_at(x, block))])[0] for block in blocks)
            sums = [merge_all(parts)]
        bring_near(sums)
        return sums

    def _beside(self, n: int, groups: Any = None) -> tuple[np.ndarray]:
        return (check_known_groups(groups, n, self.groups_),)

    def _transformed_by_each(self, fits: Sequence[Any], x: Array, codes: Array, out: np.ndarray | None) -> Array:
        """Return each row transformed by the transformer of its group."""
        if self.device is None:
            check_fitted_kind(self, x, fits[0].mean_)

        def of_block(rows: Array, codes: np.ndarray) -> Array:
            parts = [np.flatnonzero(codes == g) for g in range(len(fits))]
            return _in_order([f._transformed(take_rows(rows, part)) for f, part in _occupied(fits, parts)], parts)

        return map_rows(of_block, x, to_numpy(codes), out=out)


class GroupCentering(OneToOneFeatureMixin, _GroupTransformer):
    r"""Subtract from each row the mean of its group.

    .. math:: \tilde x = x - \mu_{g(x)}.

    With modalities as groups it removes the distance between their centroids, the modality gap; with languages, the
    direction that separates them.

    Parameters
    ----------
    device : {None, "cpu", "cuda", "cuda:<index>", "auto"}, default=None
        Where host data are computed; results and attributes come back as NumPy. None stays where X is.

    Attributes
    ----------
    groups_ : list
        The groups, sorted.
    means_ : array of shape (n_groups, n_features)
        Their means.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Raises
    ------
    ValueError
        If X is not a finite matrix, `groups` does not have one entry per row, a group at transform was not seen at
        fit, or no groups are given at transform after several at fit.

    Warns
    -----
    UserWarning
        If no groups are given at fit: all rows are one group then.

    Notes
    -----
    In a Pipeline, route the groups:
    ``GroupCentering().set_fit_request(groups=True).set_transform_request(groups=True)`` with
    ``sklearn.set_config(enable_metadata_routing=True)``. The means of the test rows are those of the training rows.

    References
    ----------
    Liang et al. 2022, Mind the gap, arXiv:2203.02053. Li et al. 2025, arXiv:2507.19054.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.preprocessing import GroupCentering
    >>> X = np.array([[0.0, 1.0], [2.0, 1.0], [7.0, 5.0]])
    >>> GroupCentering().fit_transform(X, groups=["image", "image", "text"])
    array([[-1.,  0.],
           [ 1.,  0.],
           [ 0.,  0.]])
    """

    def __init__(self, *, device: str | None = None) -> None:
        self.device = device

    @all_at_once
    def fit(self, X: Any, y: Any = None, *, groups: Any = None) -> Self:
        """Learn the mean of each group.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            The embeddings, one per row.
        y : ignored
            For the API.
        groups : array of shape (n_samples,), default=None
            Group of each row; None makes them one group, with a warning.

        Returns
        -------
        self
            The fitted transformer.
        """
        x = self._receive(X, reset=True)
        _warn_of_one_group(groups, self)
        self.groups_, codes = check_groups(groups, x.shape[0])
        means = [mean_at(x, np.flatnonzero(codes == g)) for g in range(len(self.groups_))]
        self.means_ = self._leave(namespace(x).stack(means))
        return self

    @chunk_by_chunk
    def transform(self, X: Any, *, groups: Any = None) -> Array:
        """Subtract from each row the mean of its group.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Embeddings of the same space.
        groups : array of shape (n_samples,), default=None
            Group of each row; may be left out if there was one group at fit.

        Returns
        -------
        array of shape (n_samples, n_features)
            The centred rows, in the dtype of X (float32 for halves).
        """
        return self._rows_of(X, groups=groups)

    def _transformed(self, x: Array, codes: Array, *, out: np.ndarray | None = None) -> Array:
        means, xp = self._here("means_", x), namespace(x)
        codes = asarray_like(codes, x, dtype=xp.int64)
        return map_rows(lambda rows, g: centred(rows, xp.take(means, g, axis=0)), x, codes, out=out)


class GroupWhitening(ClassNamePrefixFeaturesOutMixin, _GroupTransformer):
    r"""Whiten each group by itself.

    .. math:: z = (x - \mu_{g(x)})\,W_{g(x)}.

    Parameters
    ----------
    n_components : int, default=None
        Number of leading directions kept in each group: see `Whitening`.
    method : {"zca", "pca", "pca-cor", "zca-cor", "cholesky"}, default="zca"
        The form of the whitening. "zca" stays closest to the input coordinates, so that cosines between groups keep
        their meaning; with "pca" each group has its own basis, and such cosines are meaningless.
    power : float, default=1.0
        See `Whitening`.
    shrinkage : None, float in [0, 1], "ledoit_wolf" or "oas", default=None
        See `Whitening`.
    rank_tol : float, default=None
        See `Whitening`.
    normalize : bool, default=False
        See `Whitening`.
    device : {None, "cpu", "cuda", "cuda:<index>", "auto"}, default=None
        See `Whitening`.

    Attributes
    ----------
    groups_ : list
        The groups, sorted.
    whitenings_ : list of Whitening
        One fitted whitening per group.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Raises
    ------
    ValueError
        As `Whitening` and `GroupCentering`; also if a group has one row only, or groups of unequal rank would give
        outputs of unequal width (pass `n_components`).

    Warns
    -----
    UserWarning
        As `Whitening`, for each group; also if no groups are given at fit: all rows are one group then.

    See Also
    --------
    Whitening : One map for all rows.

    Notes
    -----
    Groups are routed as in `GroupCentering`.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.preprocessing import GroupWhitening
    >>> rng = np.random.default_rng(0)
    >>> X = np.vstack([rng.normal(size=(300, 3)) * [1, 2, 3], rng.normal(5, 1, size=(300, 3))])
    >>> Z = GroupWhitening().fit_transform(X, groups=["image"] * 300 + ["text"] * 300)
    >>> bool(np.allclose(np.cov(Z[:300].T), np.eye(3))), bool(np.allclose(np.cov(Z[300:].T), np.eye(3)))
    (True, True)
    """

    def __init__(
        self,
        n_components: int | None = None,
        *,
        method: Method = "zca",
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

    @all_at_once
    def fit(self, X: Any, y: Any = None, *, groups: Any = None) -> Self:
        """Learn the whitening of each group.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            The embeddings, one per row.
        y : ignored
            For the API.
        groups : array of shape (n_samples,), default=None
            Group of each row; None makes them one group, with a warning.

        Returns
        -------
        self
            The fitted transformer.
        """
        self.whitenings_ = self._fitted_to_each(Whitening, X, groups)
        return self

    @chunk_by_chunk
    def transform(self, X: Any, *, groups: Any = None) -> Array:
        """Whiten each row with the map of its group.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Embeddings of the same space.
        groups : array of shape (n_samples,), default=None
            Group of each row; may be left out if there was one group at fit.

        Returns
        -------
        array of shape (n_samples, n_features_out)
            The whitened rows, in the dtype of X (float32 for halves).
        """
        return self._rows_of(X, groups=groups)

    def _transformed(self, x: Array, codes: Array, *, out: np.ndarray | None = None) -> Array:
        return self._transformed_by_each(self.whitenings_, x, codes, out)


class GroupAllButTheTop(OneToOneFeatureMixin, _GroupTransformer):
    r"""Remove from each group its mean and its D leading principal directions.

    .. math:: \tilde x = x - \mu_g - \sum_{i \le D} \langle u_{g,i}, x - \mu_g \rangle\,u_{g,i}, \qquad g = g(x),

    with u the principal directions of the rows of the group. The groups of the source are clusters of contextual
    embeddings, whose leading directions carry common properties of a cluster, such as punctuation or tense.

    Parameters
    ----------
    n_components : int or "auto", default="auto"
        Number D of directions to remove from each group: see `AllButTheTop`.
    projection : {"centered", "raw"}, default="centered"
        See `AllButTheTop`.
    device : {None, "cpu", "cuda", "cuda:<index>", "auto"}, default=None
        See `AllButTheTop`.

    Attributes
    ----------
    groups_ : list
        The groups, sorted.
    transformers_ : list of AllButTheTop
        The fitted transformer of each group.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Raises
    ------
    ValueError
        As `AllButTheTop` and `GroupCentering`; also if a group has one row only.

    Warns
    -----
    UserWarning
        If no groups are given at fit: all rows are one group then. If a group varies in fewer than D directions: see
        `AllButTheTop`.

    See Also
    --------
    AllButTheTop : The same for all rows together.
    GroupWhitening : Scales the directions of each group down instead of removing them.
    skgeom.metrics.isoscore_within : The isotropy inside groups.

    Notes
    -----
    Groups are routed as in `GroupCentering`. All groups are centred at the origin, without distances between them:
    classes that are groups no longer form clusters. To find groups, use a clusterer that can also assign new rows, such
    as ``sklearn.cluster.KMeans``.

    References
    ----------
    Rajaee & Pilehvar 2021, A cluster-based approach for improving isotropy, arXiv:2106.01183.
    Mu & Viswanath 2018, All-but-the-top, arXiv:1702.01417.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import isoscore_within
    >>> from skgeom.preprocessing import GroupAllButTheTop
    >>> rng = np.random.default_rng(0)
    >>> X = np.vstack([rng.normal(size=(300, 9)) * ([5] + [1] * 8), rng.normal(2, 1, size=(300, 9)) * ([1] * 8 + [5])])
    >>> groups = np.repeat(["noun", "verb"], 300)
    >>> Z = GroupAllButTheTop(1).fit_transform(X, groups=groups)
    >>> round(isoscore_within(X, groups), 2), round(isoscore_within(Z, groups), 2)
    (0.1, 0.85)
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

    @all_at_once
    def fit(self, X: Any, y: Any = None, *, groups: Any = None) -> Self:
        """Learn the mean and the leading directions of each group.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            The embeddings, one per row.
        y : ignored
            For the API.
        groups : array of shape (n_samples,), default=None
            Group of each row; None makes them one group, with a warning.

        Returns
        -------
        self
            The fitted transformer.
        """
        self.transformers_ = self._fitted_to_each(AllButTheTop, X, groups)
        return self

    @chunk_by_chunk
    def transform(self, X: Any, *, groups: Any = None) -> Array:
        """Remove from each row the mean and the leading directions of its group.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Embeddings of the same space.
        groups : array of shape (n_samples,), default=None
            Group of each row; may be left out if there was one group at fit.

        Returns
        -------
        array of shape (n_samples, n_features)
            The rows without them, in the dtype of X (float32 for halves).
        """
        return self._rows_of(X, groups=groups)

    def _transformed(self, x: Array, codes: Array, *, out: np.ndarray | None = None) -> Array:
        return self._transformed_by_each(self.transformers_, x, codes, out)


def _warn_of_one_group(groups: Any, estimator: _GroupTransformer) -> None:
    """Warn that fit received no groups, which are easily lost in a Pipeline."""
    if groups is None:
        warn(
            f"{type(estimator).__name__} was fitted without groups: all rows are one group. Pass groups=, one per row; "
            "in a Pipeline, with set_fit_request(groups=True).set_transform_request(groups=True) and "
            "sklearn.set_config(enable_metadata_routing=True).",
        )


def _one_width(fits: Sequence[MomentsTransformer], groups: list[Any]) -> int:
    """Return the width of the outputs of all groups, which must have the same."""
    widths = [getattr(fit, "_n_features_out", fit.n_features_in_) for fit in fits]
    if len(set(widths)) > 1:
        ranks = ", ".join(f"{g!r}: {w}" for g, w in zip(groups, widths, strict=True))
        raise ValueError(
            f"The groups have outputs of unequal width ({ranks}): pass n_components={min(widths)} or less, "
            'or method="zca".'
        )
    return widths[0]


def _occupied(fitted: Iterable[_T], parts: list[np.ndarray]) -> list[tuple[_T, np.ndarray]]:
    """Return the transformer of each group beside its rows, without empty groups."""
    return [(f, rows) for f, rows in zip(fitted, parts, strict=True) if rows.size]


def _in_order(values: list[Array], parts: list[np.ndarray]) -> Array:
    """Return the rows of all groups in their original order."""
    return take_rows(namespace(values[0]).concat(values), np.argsort(np.concatenate(parts)))
