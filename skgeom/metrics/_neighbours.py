"""Neighbours: nearest rows, retrieval from one set into another, hubs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np

from skgeom._array import (
    as_data,
    asarray_like,
    namespace,
)
from skgeom._core.pairs import _neighbours
from skgeom._core.pairs._csls import nearest_by_csls, ranks_by_csls
from skgeom._core.pairs._neighbours import Ranks, Rows
from skgeom._typing import Array
from skgeom._validation import (
    check_choice,
    check_cloud,
    check_clouds,
    check_count,
    check_directed,
    check_directed_clouds,
)
from skgeom.metrics._checks import check_cutoffs, check_neighbours, check_relevant
from skgeom.metrics._measure import DIRECTIONS, measure, on_a_device

Metric: TypeAlias = Literal["cosine", "euclidean", "csls"]
"""The metrics of neighbours."""

Similarity: TypeAlias = Literal["cosine", "csls"]
"""The similarities of candidates."""

HubMetric: TypeAlias = Literal["cosine", "euclidean"]
"""The metrics of hubs."""


class Neighbours(NamedTuple):
    """Result of `k_nearest`.

    Attributes
    ----------
    distances : array of shape (n_samples, k), float64
        Distances of each row to its k nearest, ascending.
    indices : array of shape (n_samples, k), int64
        Positions of these rows.
    """

    distances: Array
    indices: Array


class RetrievalScore(NamedTuple):
    """Result of `retrieval_score`.

    Attributes
    ----------
    recall : float, or array of shape (n_k,)
        Share of the queries with a relevant candidate among the k nearest; an array for a sequence of k.
    mrr : float
        Mean reciprocal rank of the first relevant candidate.
    mean_rank : float
        Mean rank of the first relevant candidate, 1 for the nearest.
    """

    recall: float | np.ndarray
    mrr: float
    mean_rank: float


@on_a_device
def k_nearest(X: Any, Y: Any = None, *, k: int = 10, metric: Metric = "cosine") -> Neighbours:
    r"""Nearest rows of Y for each row of X, exact, without the matrix of distances.

    The distance is :math:`1 - \cos(x, y)` ("cosine"), :math:`\lVert x - y \rVert` ("euclidean"), or

    .. math:: d(x, y) = r_Y(x) + r_X(y) - 2 \cos(x, y)

    ("csls", the negative cross-domain similarity local scaling), with :math:`r_Y(x)` the mean cosine of x to its 10
    nearest rows in Y, or to all if there are fewer: it penalises hubs, rows that are near to everything.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.
    Y : array of shape (n_candidates, n_features), default=None
        The candidates; None for X itself, where a row is not a neighbour of itself (but of its duplicates).
    k : int, default=10
        Number of neighbours, at most the number of candidates.
    metric : {"cosine", "euclidean", "csls"}, default="cosine"
        The distance.

    Returns
    -------
    Neighbours
        `distances` and `indices`, both of shape (n_samples, k), in the library and on the device of X. Cosine distances
        are in [0, 2], CSLS distances in [-4, 4].

    Raises
    ------
    ValueError
        If X or Y is not a finite matrix, a row is zero (not "euclidean"), k is not positive or exceeds the number of
        candidates, the metric is unknown, or X and Y differ in width, library or device.

    See Also
    --------
    retrieval_score : The share of rows whose neighbour is the right one.
    hubness : Whether a few rows are the neighbours of most.

    Notes
    -----
    Every distance is summed in float64 from the differences of its two rows, of unit length for angles, so those of
    near-duplicates far from the origin keep their digits. It depends on these two rows alone (under "csls" also on the
    nearest of each): the distances of equal rows are equal to the last bit. Neighbours are chosen and sorted by this
    distance, and by index if distances are equal. Distances that are equal in exact arithmetic, but not between equal
    rows, may differ in their last bits and come in either order (under "euclidean" not those between small integers).

    O(n m d) time for m candidates. "csls" takes about 2.3 times as long, but three to four times with few features, on
    a GPU, beyond 43,690 candidates, or if many rows are equal. Memory is twice that of the result and, per thread, a
    strip of a few thousand candidates: 20 MiB, 50 under "csls", up to 60 if most candidates are tied or k is 100, and
    80 with 4,096 features; tiles and strips are larger on a GPU. Candidates that a product in float64 cannot
    distinguish from the k-th nearest cost d operations each outside of a product: a space that has collapsed to one
    direction, up to lengths or rounding, takes about forty times as long. The result has no gradient.

    References
    ----------
    Conneau et al. 2018, Word translation without parallel data, arXiv:1710.04087 (CSLS).

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import k_nearest
    >>> X = np.array([[0.0, 1.0], [0.0, 3.0], [1.0, 1.0], [4.0, 0.0]])
    >>> k_nearest(X, k=2).indices
    array([[1, 2],
           [0, 2],
           [0, 1],
           [2, 0]])
    >>> k_nearest(X, [[0.0, 2.5]], k=1, metric="euclidean").distances.round(3)
    array([[1.5  ],
           [0.5  ],
           [1.803],
           [4.717]])
    """
    check_choice(metric, get_args(Metric), "metric")
    x, y = (_places if metric == "euclidean" else _directions)(X, Y)
    k = check_neighbours(k, x.shape[0] - 1 if y is None else y.shape[0])
    search = {
        "cosine": _neighbours.nearest_by_cosine,
        "euclidean": _neighbours.nearest_by_distance,
        "csls": nearest_by_csls,
    }[metric]
    distances, indices = search(as_data(x), None if y is None else as_data(y), k)
    xp = namespace(x)
    return Neighbours(asarray_like(distances, x, dtype=xp.float64), asarray_like(indices, x, dtype=xp.int64))


@on_a_device
def retrieval_score(
    X: Any, Y: Any, *, k: int | Sequence[int] = 1, metric: Similarity = "cosine", relevant: Any = None
) -> RetrievalScore:
    r"""Recall at k, mean reciprocal rank and mean rank of the retrieval of rows of Y by rows of X, with exact ties.

    Candidates are ranked by their cosine to the query ("cosine") or by

    .. math:: 2 \cos(x, y) - r_X(y)

    ("csls"), with :math:`r_X(y)` the mean cosine of y to its 10 nearest rows in X, or to all if there are fewer; the
    term :math:`r_Y(x)` of the query does not change the ranking. Recall at k is the share of queries with a relevant
    candidate among the first k, also known as P@k if each query has one relevant candidate.

    Parameters
    ----------
    X : array of shape (n_queries, n_features)
        The queries, one per row.
    Y : array of shape (n_candidates, n_features)
        The candidates, one per row.
    k : int or sequence of int, default=1
        Number of nearest candidates to consider; all of them if k exceeds their number.
    metric : {"cosine", "csls"}, default="cosine"
        The similarity.
    relevant : array of int of shape (n_queries,) or (n_pairs, 2), default=None
        The row of Y that belongs to each row of X, or pairs of a row of X and a row of Y, as in a dictionary: a query
        in several pairs is found if any of its candidates is; a query in no pair is not scored. None: row i of Y
        belongs to row i of X.

    Returns
    -------
    RetrievalScore
        `recall` in [0, 1], best = 1, a float, or an array in the order of k for a sequence; `mrr` in (0, 1], best = 1;
        `mean_rank` from 1, the best, to n_candidates.

    Raises
    ------
    ValueError
        If X or Y is not a finite matrix or has a zero row, they differ in width, library or device, k is not positive,
        the metric is unknown, or `relevant` does not fit them.
    TypeError
        If k or `relevant` does not hold integers.

    See Also
    --------
    k_nearest : The neighbours themselves.

    Notes
    -----
    Candidates tied with the best relevant one count as in random order, and all three values are exact expectations
    over these orders: of t tied candidates behind b better ones, r of them relevant, none is among the first k with
    probability :math:`\binom{t-r}{m} / \binom{t}{m}`, m = k - b. A collapsed space, or one with many duplicates, thus
    scores at chance level, in any order of the rows. Two cosines are equal if they differ by less than
    :math:`10^{-12} + 4 \varepsilon s`, a bound on the effect of rounding the rows, with s the distance of the two unit
    rows and ε the spacing of the dtype of the data, 1.2e-7 or 2.2e-16.

    Invariant to rotation and to the length of each row. O(n m d) time for n queries and m candidates, and 20 MiB per
    thread (60 with 4,096 features): similarities are counted, not sorted or stored, by products in float32 and, for
    candidates too close to the relevant one for these, in float64. "csls" takes 50 MiB, and 1.5 times as long if
    retrieval succeeds (twice with 64 features); about 2.2 times (three times) if the relevant candidates rank low, on a
    GPU, beyond 43,690 queries, or if many of these are equal.

    References
    ----------
    Conneau et al. 2018, Word translation without parallel data, arXiv:1710.04087 (CSLS).

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import retrieval_score
    >>> X = np.random.default_rng(0).normal(size=(500, 8))
    >>> Y = X + np.random.default_rng(1).normal(size=(500, 8))
    >>> retrieval_score(X, Y, k=[1, 10]).recall
    array([0.172, 0.572])
    >>> retrieval_score(np.ones((4, 2)), np.ones((4, 2)), k=3)
    RetrievalScore(recall=0.75, mrr=0.5208333333333333, mean_rank=2.5)
    """
    cutoffs = check_cutoffs(k)
    _, ranks = _ranked(X, Y, metric, relevant)
    recall = np.array([np.mean(_neighbours.expected_recall(ranks, one)) for one in cutoffs])
    return RetrievalScore(
        recall if np.iterable(k) else float(recall[0]),
        float(np.mean(_neighbours.expected_reciprocal_rank(ranks))),
        float(np.mean(_neighbours.expected_rank(ranks))),
    )


def _without_blocks(
    of: Callable[[_neighbours.Ranks], np.ndarray], X: Any, Y: Any, codes: np.ndarray, metric: Similarity
) -> np.ndarray | None:
    """Return the mean of a function of the ranks of partners, without blocks of pairs and for all."""
    if check_choice(metric, get_args(Similarity), "metric") == "csls":
        return None
    sides = (_neighbours.as_directions(as_data(rows.x)) for rows in check_directed_clouds(X, Y, min_samples=1))
    return np.array([np.mean(of(ranks)) for ranks in _neighbours.ranks_without(codes, *sides)])


def _recall_without_blocks(X: Any, Y: Any, *, codes: np.ndarray, k: int, metric: Similarity, relevant: None) -> Any:
    k = check_count(k, "k")
    return _without_blocks(lambda ranks: _neighbours.expected_recall(ranks, k), X, Y, codes, metric)


def _reciprocal_rank_without_blocks(X: Any, Y: Any, *, codes: np.ndarray, metric: Similarity) -> Any:
    return _without_blocks(_neighbours.expected_reciprocal_rank, X, Y, codes, metric)


@measure(
    direction=+1,
    bounds=("0", "1"),
    invariances=DIRECTIONS,
    cost="O(n² d)",
    source="Conneau et al. 2018, arXiv:1710.04087",
    needs="partners",
    differentiable=False,
    estimand="sample",
    without_blocks=_recall_without_blocks,
)
def recall_at_k(X: Any, Y: Any, *, k: int = 1, metric: Similarity = "cosine", relevant: Any = None) -> Array:
    """Recall at k: the share of the rows of X whose partner is among the k nearest rows of Y.

    Parameters
    ----------
    X, Y : arrays of shape (n_samples, n_features)
        Two clouds; row i of one belongs to row i of the other, unless `relevant` is passed.
    k : int, default=1
        Number of nearest rows of Y to consider.
    metric : {"cosine", "csls"}, default="cosine"
        The similarity.
    relevant : array of int of shape (n_samples,) or (n_pairs, 2), default=None
        The rows of Y that belong to each row of X, as in `retrieval_score`.

    Returns
    -------
    float or 0-d array
        In [0, 1], best = 1; k/n by chance. It is the `recall` of `retrieval_score`, the expectation over ties.

    Raises
    ------
    ValueError
        If X and Y are not finite matrices of the same shape, a row is zero, k is not positive or the metric is unknown.

    See Also
    --------
    retrieval_score : Several k at once, and partners other than row i; the definition, cost and source.
    recall_scorer, csls_scorer : Scorers for model selection.

    Notes
    -----
    Invariant to a rotation of both and to the length of each row. It falls with the number of rows: compare sets of the
    same size.

    References
    ----------
    Conneau et al. 2018, Word translation without parallel data, arXiv:1710.04087.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import recall_at_k
    >>> X = np.random.default_rng(0).normal(size=(500, 8))
    >>> Y = X + np.random.default_rng(1).normal(size=(500, 8))
    >>> recall_at_k(X, Y), recall_at_k(X, Y, k=10)
    (0.172, 0.572)
    """
    k = check_count(k, "k")
    x, ranks = _ranked(X, Y, metric, relevant)
    return asarray_like(np.mean(_neighbours.expected_recall(ranks, k)), x, dtype=namespace(x).float64)


@measure(
    direction=+1,
    bounds=("1 / n", "1"),
    invariances=DIRECTIONS,
    cost="O(n² d)",
    source="Voorhees 1999, TREC-8",
    needs="partners",
    differentiable=False,
    estimand="sample",
    without_blocks=_reciprocal_rank_without_blocks,
)
def mean_reciprocal_rank(X: Any, Y: Any, *, metric: Similarity = "cosine") -> Array:
    """Mean reciprocal rank of the partner of each row of X among all rows of Y.

    Parameters
    ----------
    X, Y : arrays of shape (n_samples, n_features)
        Two clouds; row i of one belongs to row i of the other.
    metric : {"cosine", "csls"}, default="cosine"
        The similarity.

    Returns
    -------
    float or 0-d array
        In [1/n, 1], best = 1: every partner is the nearest. It is the `mrr` of `retrieval_score`.

    Raises
    ------
    ValueError
        If X and Y are not finite matrices of the same shape, a row is zero, or the metric is unknown.

    See Also
    --------
    retrieval_score : Partners other than row i; the definition and cost.

    Notes
    -----
    Invariant to a rotation of both and to the length of each row.

    References
    ----------
    Voorhees 1999, The TREC-8 question answering track report.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import mean_reciprocal_rank
    >>> X = np.eye(4)
    >>> same = np.ones((3, 2))
    >>> mean_reciprocal_rank(X, X), round(mean_reciprocal_rank(same, same), 4)  # three in a tie: 11/18
    (1.0, 0.6111)
    """
    x, ranks = _ranked(X, Y, metric, None)
    return asarray_like(np.mean(_neighbours.expected_reciprocal_rank(ranks)), x, dtype=namespace(x).float64)


def _hubness_without_blocks(X: Any, *, codes: np.ndarray, k: int, metric: HubMetric) -> np.ndarray | None:
    x, k = check_hubs(X, k, metric)
    if k >= codes.size - np.bincount(codes).max():
        return None
    return _neighbours.hubness_without(codes, rows_under(x, metric), k)


@measure(
    direction=-1,
    bounds=("-(n - 2) / sqrt(n - 1)", "(n - 2) / sqrt(n - 1)"),
    invariances=DIRECTIONS,
    cost="O(n² d)",
    source="Radovanović et al. 2010, JMLR 11",
    differentiable=False,
    estimand="sample",
    without_blocks=_hubness_without_blocks,
)
def hubness(X: Any, *, k: int = 10, metric: HubMetric = "cosine") -> Array:
    r"""Skewness of the k-occurrence: whether a few rows are neighbours of very many others.

    With :math:`N_k(i)` the number of other rows that have row i among their k nearest, whose mean is k,

    .. math:: \frac{\frac1n \sum_i (N_k(i) - k)^3}{\big(\frac1n \sum_i (N_k(i) - k)^2\big)^{3/2}}.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.
    k : int, default=10
        Number of neighbours; larger values count as n_samples - 1, for which all rows are neighbours and hubness is 0.
    metric : {"cosine", "euclidean"}, default="cosine"
        The distance.

    Returns
    -------
    float or 0-d array
        From -(n - 2)/√(n - 1) to (n - 2)/√(n - 1), the value for a single hub shared by all rows; near 0 without hubs,
        and exactly 0 if all rows occur equally often.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, a row is zero ("cosine"), k is not positive, or the metric is
        unknown.

    See Also
    --------
    retrieval_score : Retrieval, corrected for hubs with ``metric="csls"``.

    Notes
    -----
    Rows tied with the k-th nearest share the last of the k places, so duplicates do not become hubs because of their
    position, and the order of the rows does not matter. Ties allow for the rounding of the rows to their dtype, as in
    `retrieval_score`. "cosine" is invariant to rotation and to the length of each row, "euclidean" to rotation,
    translation and uniform scaling. O(n² d) time, and four to seven times that if many rows are tied.

    References
    ----------
    Radovanović, Nanopoulos & Ivanović 2010, Hubs in space, JMLR 11, 2487-2531.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import hubness
    >>> X = np.random.default_rng(0).normal(size=(1000, 100))
    >>> round(hubness(X[:, :3]), 1), round(hubness(X, metric="euclidean"), 1)
    (0.0, 7.9)
    """
    x, k = check_hubs(X, k, metric)
    return asarray_like(_neighbours.hubness(rows_under(x, metric), k), x, dtype=namespace(x).float64)


def check_hubs(X: Any, k: Any, metric: Any) -> tuple[Array, int]:
    """Return the rows of X as a metric compares them, and the number of neighbours, limited to n - 1."""
    check_choice(metric, get_args(HubMetric), "metric")
    k = check_count(k, "k")
    x = check_directed(X).x if metric == "cosine" else check_cloud(X, scale_free=True)
    return x, min(k, x.shape[0] - 1)


def rows_under(x: Array, metric: HubMetric) -> Rows:
    """Return checked rows as a metric compares them."""
    return (_neighbours.as_directions if metric == "cosine" else _neighbours.as_places)(as_data(x))


def _ranked(X: Any, Y: Any, metric: str, relevant: Any) -> tuple[Array, Ranks]:
    """Return the rows of X, and the ranks of their relevant candidates among the rows of Y."""
    check_choice(metric, get_args(Similarity), "metric")
    x, y = (rows.x for rows in check_directed_clouds(X, Y, min_samples=1))
    pairs = check_relevant(relevant, x.shape[0], y.shape[0])
    queries, candidates = (_neighbours.as_directions(as_data(side)) for side in (x, y))
    ranks = ranks_by_csls if metric == "csls" else _neighbours.ranks
    return x, ranks(queries, candidates, pairs)


def _directions(X: Any, Y: Any) -> tuple[Array, Array | None]:
    """Return the rows of X and Y, none of them zero, up to factors for each row."""
    if Y is None:
        return check_directed(X).x, None
    x, y = check_directed_clouds(X, Y, min_samples=1)
    return x.x, y.x


def _places(X: Any, Y: Any) -> tuple[Array, Array | None]:
    """Return the rows of X and Y unchanged."""
    return (check_cloud(X), None) if Y is None else check_clouds(X, Y, min_samples=1)
