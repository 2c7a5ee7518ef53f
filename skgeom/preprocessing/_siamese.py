"""One transformer for both rows of a pair."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, MetaEstimatorMixin, TransformerMixin, clone
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from skgeom._array import is_foreign, namespace
from skgeom._validation import check_pairs_of_rows


class SiameseTransformer(MetaEstimatorMixin, TransformerMixin, BaseEstimator):
    """Apply one transformer to both rows of each pair, so that pairs are the samples of a search.

    In tasks of similarity a sample is a pair of rows with a score, but a transformer takes rows. This one is fitted
    to the rows of all pairs, first and second alike, and maps both rows of each pair in the same way. Around it,
    `cross_validate` and `GridSearchCV` split pairs, and `cosine_spearman_scorer` scores its output.

    Parameters
    ----------
    transformer : transformer or "passthrough"
        The transformer of the rows, such as `Whitening` or a Pipeline of transformers. A copy is fitted. "passthrough"
        leaves them as they are, so that all of `default_transforms` can be a grid.

    Attributes
    ----------
    transformer_ : transformer
        The fitted transformer. It takes rows: use it by itself after the search.

    Raises
    ------
    TypeError
        If the transformer returns a sparse matrix.
    ValueError
        If X is not of shape (n_pairs, 2, n_features), or as the transformer does.

    See Also
    --------
    skgeom.metrics.cosine_spearman_scorer : Scores the transformed pairs.
    skgeom.model_selection.row_groups : Groups that keep pairs with a common row in one fold.

    Notes
    -----
    A row of several pairs counts as often as it occurs. The judgements are not passed on: transformers that learn
    from y need one label per row. Because X has three dimensions, only this transformer and those scorers accept it,
    and no step can mix the two sides unnoticed.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import GridSearchCV, GroupKFold
    >>> from skgeom.metrics import cosine_spearman_scorer
    >>> from skgeom.model_selection import row_groups
    >>> from skgeom.preprocessing import SiameseTransformer, Whitening
    >>> rng = np.random.default_rng(0)
    >>> A, noise = rng.normal(size=(2, 200, 8))
    >>> scores = rng.uniform(size=200)
    >>> pairs = np.stack([A, A + (1.5 - scores)[:, None] * noise], axis=1) * [9, 1, 1, 1, 1, 1, 1, 1]
    >>> search = GridSearchCV(
    ...     SiameseTransformer(Whitening()),
    ...     {"transformer__power": [0.0, 0.5, 1.0]},
    ...     scoring=cosine_spearman_scorer,
    ...     cv=GroupKFold(5),
    ... ).fit(pairs, scores, groups=row_groups(pairs))
    >>> search.best_params_
    {'transformer__power': 1.0}
    """

    def __init__(self, transformer: Any) -> None:
        self.transformer = transformer

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = False, True
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit the transformer to the rows of all pairs.

        Parameters
        ----------
        X : array of shape (n_pairs, 2, n_features)
            The embeddings of both sides of each pair.
        y : ignored
            The judgements, for the API.

        Returns
        -------
        self
            The fitted transformer.
        """
        as_is = isinstance(self.transformer, str) and self.transformer == "passthrough"
        self.transformer_ = (FunctionTransformer() if as_is else clone(self.transformer)).fit(_rows(X))
        return self

    def transform(self, X: Any) -> Any:
        """Map both rows of each pair.

        Parameters
        ----------
        X : array of shape (n_pairs, 2, n_features)
            Pairs of rows of the same space.

        Returns
        -------
        array of shape (n_pairs, 2, n_components)
            The mapped rows.
        """
        check_is_fitted(self)
        rows = self.transformer_.transform(_rows(X))
        if issparse(rows):
            raise TypeError(
                f"{self.transformer_!r} returned a sparse matrix, which has no form for pairs: use a dense transformer."
            )
        rows = rows if is_foreign(rows) else np.asarray(rows)
        return namespace(rows).reshape(rows, (-1, 2, rows.shape[1]))


def _rows(X: Any) -> Any:
    """Return the rows (2 n, d) of pairs (n, 2, d)."""
    first, _ = check_pairs_of_rows(X)
    return namespace(first).reshape(X if is_foreign(X) else np.asarray(X), (-1, first.shape[1]))
