"""Retrieval with several relevant candidates for each query: nDCG and mean average precision."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np

from skgeom._array import as_data
from skgeom._core.pairs import _graded, _neighbours
from skgeom._core.pairs._neighbours import Ranks
from skgeom._validation import check_choice, check_count, check_directed_clouds
from skgeom.metrics._checks import check_graded
from skgeom.metrics._measure import on_a_device
from skgeom.metrics._neighbours import Similarity


@on_a_device
def ndcg_at_k(
    X: Any, Y: Any, *, k: int = 10, relevant: Any = None, grades: Any = None, metric: Similarity = "cosine"
) -> float:
    r"""Normalised discounted cumulative gain of the retrieval of rows of Y by rows of X, with exact ties.

    .. math:: \frac1q \sum_{i=1}^q \frac{\sum_{j \le k} g_i(j) / \log_2(j + 1)}{\text{the largest such sum}},

    where :math:`g_i(j)` is the grade of the candidate at place j for query i, or 0 for candidates without a grade [1]_.
    It is the main score of retrieval benchmarks with graded judgements (BEIR, MTEB).

    Parameters
    ----------
    X : array of shape (n_queries, n_features)
        The queries, one per row.
    Y : array of shape (n_candidates, n_features)
        The candidates, one per row.
    k : int, default=10
        Number of candidates to consider.
    relevant : array of int of shape (n_queries,) or (n_pairs, 2), default=None
        The row of Y that belongs to each row of X, or pairs of a row of X and a row of Y. None: row i belongs to row i.
    grades : array of shape (n_pairs,), default=None
        Relevance of each of these, at least 0. None: all 1.
    metric : {"cosine", "csls"}, default="cosine"
        The similarity, as in `retrieval_score`.

    Returns
    -------
    float
        In [0, 1], best = 1: the mean over the queries that have a candidate with a grade above 0.

    Raises
    ------
    ValueError
        As in `retrieval_score`; if a pair occurs twice with grades, a grade is negative or not finite, or none is above
        0.
    TypeError
        If k or `relevant` does not hold integers, or grades are not numbers.

    See Also
    --------
    mean_average_precision : Without grades, and without a cutoff.
    retrieval_score : Recall and reciprocal rank.
    sklearn.metrics.ndcg_score : From a matrix of scores, which is not needed here.

    Notes
    -----
    Grades count linearly, as in trec_eval and scikit-learn. Tied candidates share their places, which is the mean over
    all orders, by the rule of `retrieval_score`. O(p m d) time for p pairs, without a matrix of similarities.

    References
    ----------
    .. [1] Järvelin & Kekäläinen 2002, Cumulated gain-based evaluation of IR techniques, ACM TOIS 20.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import ndcg_at_k
    >>> Y = np.eye(3)
    >>> round(ndcg_at_k([[3.0, 2.0, 1.0]], Y, relevant=[[0, 0], [0, 2]], grades=[1, 2]), 4)
    0.7602
    """
    k = check_count(k, "k")
    pairs, gains, standings = _standings(X, Y, relevant, grades, metric)
    return float(np.mean(_graded.expected_ndcg(standings, pairs[:, 0], gains, k)))


@on_a_device
def mean_average_precision(X: Any, Y: Any, *, relevant: Any = None, metric: Similarity = "cosine") -> float:
    r"""Mean average precision of the retrieval of rows of Y by rows of X, with exact ties.

    .. math:: \frac1q \sum_{i=1}^q \frac{1}{|R_i|} \sum_{c \in R_i} \frac{|\{c' \in R_i: r_i(c') \le r_i(c)\}|}{r_i(c)},

    where :math:`R_i` is the set of candidates relevant to query i, and :math:`r_i(c)` the place of candidate c.

    Parameters
    ----------
    X : array of shape (n_queries, n_features)
        The queries, one per row.
    Y : array of shape (n_candidates, n_features)
        The candidates, one per row.
    relevant : array of int of shape (n_queries,) or (n_pairs, 2), default=None
        The row of Y that belongs to each row of X, or pairs of a row of X and a row of Y; queries in no pair are not
        scored. None: row i belongs to row i, and the value is the mean reciprocal rank.
    metric : {"cosine", "csls"}, default="cosine"
        The similarity, as in `retrieval_score`.

    Returns
    -------
    float
        In (0, 1], best = 1.

    Raises
    ------
    ValueError, TypeError
        As `retrieval_score`.

    See Also
    --------
    ndcg_at_k : Graded relevance.

    Notes
    -----
    All candidates are ranked, and ties count as in random order: the value is the exact expectation over these orders
    [1]_. trec_eval, which breaks ties by name, returns the same value without ties. O(p m d) time for p pairs.

    References
    ----------
    .. [1] McSherry & Najork 2008, Computing information retrieval performance measures efficiently in the presence of
       tied scores, ECIR.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import mean_average_precision
    >>> Y = np.eye(3)
    >>> round(mean_average_precision([[3.0, 2.0, 1.0]], Y, relevant=[[0, 0], [0, 2]]), 4)  # (1/1 + 2/3) / 2
    0.8333
    """
    pairs, _, standings = _standings(X, Y, relevant, None, metric)
    return float(np.mean(_graded.expected_average_precision(standings, pairs[:, 0])))


def _standings(X: Any, Y: Any, relevant: Any, grades: Any, metric: str) -> tuple[np.ndarray, np.ndarray, Ranks]:
    """Return the pairs (p, 2) of a query and a relevant candidate, their grades (p,), and their standings."""
    check_choice(metric, get_args(Similarity), "metric")
    x, y = (rows.x for rows in check_directed_clouds(X, Y, min_samples=1))
    pairs, gains = check_graded(relevant, grades, x.shape[0], y.shape[0])
    queries, candidates = (_neighbours.as_directions(as_data(side)) for side in (x, y))
    adjust = _neighbours.crowding(candidates, queries) if metric == "csls" else None
    return pairs, gains, _graded.standings(queries, candidates, pairs, adjust)
