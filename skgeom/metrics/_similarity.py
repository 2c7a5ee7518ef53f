"""Cosines of pairs: matching and other pairs, and agreement with human judgements."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from skgeom._array import random_integers, to_numpy
from skgeom._core import _correlation
from skgeom._core._labels import Labels
from skgeom._core.pairs import _cosines
from skgeom._typing import Array
from skgeom._validation import check_count, check_directed, check_directed_pairs, check_labels, check_pairs_of_rows
from skgeom.metrics._checks import check_judgements, check_random
from skgeom.metrics._measure import on_a_device


class PairCosines(NamedTuple):
    """Result of `pair_cosines`.

    Attributes
    ----------
    matching : array of shape (n_matching,), float64
        Cosines of pairs that belong together.
    other : array of shape (n_other,), float64
        Cosines of other pairs.
    matching_pairs, other_pairs : ndarrays of shape (n_matching, 2) and (n_other, 2)
        The positions of the two rows of each pair: in X and in Y, or both in X.
    """

    matching: Array
    other: Array
    matching_pairs: np.ndarray
    other_pairs: np.ndarray


@on_a_device
def pair_cosines(
    X: Any, Y: Any = None, *, labels: Any = None, n_pairs: int = 100_000, random_state: Any = None
) -> PairCosines:
    r"""Cosines of pairs that belong together, and of a sample of pairs that do not.

    For two paired clouds, these are the n cosines :math:`\cos(x_i, y_i)`, and those of pairs :math:`(x_i, y_j)` with
    :math:`i \ne j`. For one cloud with labels, they are the cosines of pairs of rows with the same label, and of pairs
    with different labels. Where the two distributions overlap, no threshold on a cosine separates them.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row, none of them zero.
    Y : array of shape (n_samples, n_features), default=None
        The other side: row i belongs to row i of X. Pass Y or labels.
    labels : array of shape (n_samples,), default=None
        Class of each row of X: numbers or strings, from 2 to n_samples - 1 different ones.
    n_pairs : int, default=100_000
        Number of pairs to draw: from the n(n - 1) other pairs with Y; with labels, that many pairs i < j with the same
        label and that many with different ones. All are used if there are fewer.
    random_state : int, RandomState, Generator or None, default=None
        Seed of the pairs, or a generator of NumPy or Torch, which advances with each call.

    Returns
    -------
    PairCosines
        `matching` and `other`, and the positions of the rows of each pair.

    Raises
    ------
    TypeError
        If `n_pairs` is not an integer.
    ValueError
        If neither or both of Y and labels are given, X or Y is not a finite matrix of at least two rows, a row is zero,
        labels or Y do not fit X, or `n_pairs` is below 1.

    See Also
    --------
    paired_cosine : The mean over the matching pairs.
    average_cosine : The mean over all pairs of a cloud.
    retrieval_score : Whether each row finds its own partner, without a threshold.

    Notes
    -----
    Invariant to a rotation of both clouds and to the length of each row. O((n + m) d) time for m pairs, in blocks; a
    pair of equal rows has a cosine of exactly 1.

    The sample is uniform: the drawn pairs are different, and every set of this size is equally likely. A share p of m
    drawn pairs, such as those above a threshold, has a standard error of at most √(p (1 - p) / m) as an estimate of the
    share of all pairs; to measure a share of α, draw 100 / α pairs.

    The pairs of one row are not independent. As an estimate for the population of rows, the share has a standard error
    of about :math:`\mathrm{sd}_i(h_i + g_i) / \sqrt n`, with :math:`h_i` the share among the pairs of row i of X, and
    :math:`g_i` that of row i of Y, or :math:`h_i` again for one cloud: with few rows, by far the larger part, whatever
    m is. Rows that occur twice are matches among the other pairs: drop them, or give them the same label.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import pair_cosines
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(2000, 16))
    >>> Y = X + rng.normal(size=X.shape)
    >>> cosines = pair_cosines(X, Y, random_state=0)
    >>> cosines.matching.shape, cosines.other.shape
    ((2000,), (100000,))
    >>> threshold = np.quantile(cosines.other, 0.999)
    >>> round(float(threshold), 2), round(float((cosines.matching > threshold).mean()), 2)
    (0.69, 0.58)
    """
    n_pairs, rng = check_count(n_pairs, "n_pairs"), check_random(random_state)
    if (Y is None) == (labels is None):
        raise ValueError(
            "pair_cosines takes either Y, whose row i belongs to row i of X, or labels, which are equal for rows that "
            "belong together: pass one of them."
        )
    if labels is None:
        x, y = check_directed_pairs(X, Y)
        n = x.x.shape[0]
        rows = np.arange(n)
        matching, other = np.stack([rows, rows], axis=1), _drawn(rows + 1, np.full(n, n - 1), n_pairs, rng)
    else:
        x = y = check_directed(X)
        matching, other = _labelled_pairs(check_labels(labels, x.x.shape[0]), n_pairs, rng)
    return PairCosines(_cosines.cosines_at(x, y, matching), _cosines.cosines_at(x, y, other), matching, other)


def _labelled_pairs(labels: Labels, n_pairs: int, rng: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs with the same label, a row and a later one, and others, a row and one of a later class."""
    n = labels.codes.size
    rows, ends = np.arange(n), np.repeat(np.cumsum(labels.sizes), labels.sizes)
    same, different = _drawn(rows + 1, ends - rows - 1, n_pairs, rng), _drawn(ends, n - ends, n_pairs, rng)
    return np.sort(labels.order[same], axis=1), np.sort(labels.order[different], axis=1)


def _drawn(first: np.ndarray, counts: np.ndarray, n_pairs: int, rng: Any) -> np.ndarray:
    """Draw different pairs (m, 2) of a row i and one of the counts_i rows from first_i on, and then from row 0 on."""
    return _cosines.numbered_pairs(_distinct(int(counts.sum()), n_pairs, rng), first, counts, counts.size)


def _distinct(total: int, k: int, rng: Any) -> np.ndarray:
    """Return k different integers below total, all sets equally likely, or all of them if there are fewer."""
    if k >= total:
        return np.arange(total)
    drawn = np.empty(0, np.int64)
    while drawn.size < k:
        drawn = np.concatenate([drawn, random_integers(0, total, k, rng, drawn)])
        drawn = drawn[np.sort(np.unique(drawn, return_index=True)[1])][:k]
    return drawn


@on_a_device
def cosine_spearman(X: Any, y: Any) -> float:
    r"""Spearman's correlation of the cosines of pairs with judgements of their similarity.

    .. math:: \rho = r\big(\operatorname{rank} \cos(a_i, b_i), \operatorname{rank} y_i\big),

    with r Pearson's correlation, and mean ranks for ties: the score of the tasks of semantic textual similarity (STS).

    Parameters
    ----------
    X : array of shape (n_pairs, 2, n_features)
        The embeddings of both sides of each pair: ``numpy.stack([A, B], axis=1)``.
    y : array of shape (n_pairs,)
        Human judgement of the similarity of each pair; larger means more similar.

    Returns
    -------
    float
        In [-1, 1], best = 1. If all cosines are equal, as in a collapsed space, 0, the average over ties broken at
        random.

    Raises
    ------
    ValueError
        If X is not a finite array of at least two pairs, a row is zero, or y is not a finite vector of that length with
        two different values.

    See Also
    --------
    cosine_pearson : The correlation of the values themselves.
    cosine_spearman_scorer : A scorer for model selection, after a `skgeom.preprocessing.SiameseTransformer`.
    skgeom.model_selection.judge_similarity : Comparison of transforms by it, with intervals.

    Notes
    -----
    Invariant to rotation, to the length of each row and to an increasing function of y. Cosines that differ by less
    than 1e-12 are tied, which is more than the rounding of their sums. O(n d + n log n) time.

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
    return _correlation_with_judgements(partial(_correlation.spearman, width=_cosines.EQUAL), X, y)


@on_a_device
def cosine_pearson(X: Any, y: Any) -> float:
    r"""Pearson's correlation of the cosines of pairs with judgements of their similarity.

    Parameters
    ----------
    X : array of shape (n_pairs, 2, n_features)
        The embeddings of both sides of each pair: ``numpy.stack([A, B], axis=1)``.
    y : array of shape (n_pairs,)
        Human judgement of the similarity of each pair; larger means more similar.

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
    cosine_spearman : The correlation of ranks, which does not assume a linear relation.

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
    cosines = to_numpy(_cosines.paired_cosines(*sides))
    judgements = check_judgements(y, cosines.size)
    return float(correlation(cosines, judgements, np.ones((1, cosines.size)))[0])
