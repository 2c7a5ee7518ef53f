"""Similarity judgements: whether the cosines of pairs rank the pairs as people do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from skgeom._array import in_full_precision, to_numpy
from skgeom._core import _correlation, _two_clouds
from skgeom._validation import check_directed_pairs, check_pairs_of_rows
from skgeom.metrics._checks import check_judgements


@in_full_precision
def cosine_spearman(X: Any, y: Any) -> float:
    r"""Spearman's correlation of the cosines of pairs with judgements of their similarity.

    .. math:: \rho = r\big(\operatorname{rank} \cos(a_i, b_i), \operatorname{rank} y_i\big),

    with r Pearson's correlation, and mean ranks for ties: the score of the tasks of semantic textual similarity (STS).

    Parameters
    ----------
    X : array of shape (n_pairs, 2, n_features)
        The embeddings of both sides of each pair: ``numpy.stack([A, B], axis=1)``.
    y : array of shape (n_pairs,)
        How similar people find the two, more being more similar.

    Returns
    -------
    float
        In [-1, 1], best = 1. If all cosines are equal, as in a space that has collapsed, 0: what ties broken at random
        give on average.

    Raises
    ------
    ValueError
        If X is not a finite array of at least two pairs, a row is zero, or y is not a finite vector of that length with
        two different values.

    See Also
    --------
    cosine_pearson : The correlation of the values themselves.
    cosine_spearman_scorer : It in model selection, behind a `skgeom.preprocessing.SiameseTransformer`.
    skgeom.model_selection.judge_similarity : Which transform gets it highest, with intervals.

    Notes
    -----
    Invariant to rotation, to the length of each row and to an increasing function of y. Equal rows have a cosine of
    exactly 1, so that pairs of equal rows are ties whatever the rounding of their norms. O(n d + n log n) time.

    References
    ----------
    Reimers, Beyer & Gurevych 2016, Task-oriented intrinsic evaluation of semantic textual similarity, COLING.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import cosine_spearman
    >>> A = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    >>> B = np.array([[2.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    >>> cosine_spearman(np.stack([A, B], axis=1), [5, 4, 1])
    1.0
    """
    return _correlation_with_judgements(_correlation.spearman, X, y)


@in_full_precision
def cosine_pearson(X: Any, y: Any) -> float:
    r"""Pearson's correlation of the cosines of pairs with judgements of their similarity.

    Parameters
    ----------
    X : array of shape (n_pairs, 2, n_features)
        The embeddings of both sides of each pair: ``numpy.stack([A, B], axis=1)``.
    y : array of shape (n_pairs,)
        How similar people find the two, more being more similar.

    Returns
    -------
    float
        In [-1, 1], best = 1; 0 if all cosines are equal.

    Raises
    ------
    ValueError
        If X is not a finite array of at least two pairs, a row is zero, or y is not a finite vector of that length with
        two different values.

    See Also
    --------
    cosine_spearman : The correlation of ranks, which does not ask for a linear relation.

    Notes
    -----
    Invariant to rotation, to the length of each row and to an increasing linear function of y. O(n d) time.

    References
    ----------
    Reimers, Beyer & Gurevych 2016, Task-oriented intrinsic evaluation of semantic textual similarity, COLING.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import cosine_pearson
    >>> A = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    >>> B = np.array([[2.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    >>> cosine_pearson(np.stack([A, B], axis=1), [5, 3, 1])
    1.0
    """
    return _correlation_with_judgements(_correlation.pearson, X, y)


def _correlation_with_judgements(correlation: Callable[..., np.ndarray], X: Any, y: Any) -> float:
    sides = check_directed_pairs(*check_pairs_of_rows(X))
    cosines = to_numpy(_two_clouds.paired_cosines(*sides))
    judgements = check_judgements(y, cosines.size)
    return float(correlation(cosines, judgements, np.ones((1, cosines.size)))[0])
