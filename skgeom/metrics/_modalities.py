"""Several modalities in one space: retrieval among the rows of all of them, and the gap of each pair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from skgeom._array import as_data, asarray_like, detached, in_full_precision, namespace
from skgeom._core._rows import DirectedRows, norms
from skgeom._core.pairs import _modalities, _neighbours
from skgeom._core.sums._angular import unit_mean
from skgeom._typing import Array
from skgeom._validation import check_directed_pairs, check_paired
from skgeom.metrics._checks import check_cutoffs, check_modalities
from skgeom.metrics._measure import on_a_device


class MixedRetrieval(NamedTuple):
    """Result of `mixed_retrieval`.

    Attributes
    ----------
    recall : float, or array of shape (n_k,)
        Share of the queries whose partner is among the k nearest of all rows; an array for a sequence of k.
    mrr : float
        Mean reciprocal rank of the partner.
    median_rank : float
        Median rank of the partner, 1 for the nearest.
    own_share : float, or array of shape (n_k,)
        Share of the own modality among the k nearest rows; (n - 1)/(2n - 1) if modality does not matter.
    own_auc : float
        Probability that a row of the query's own modality is nearer to it than a row of the other modality that is not
        its partner; ½ if modality does not matter.
    """

    recall: float | np.ndarray
    mrr: float
    median_rank: float
    own_share: float | np.ndarray
    own_auc: float


@on_a_device
def mixed_retrieval(X: Any, Y: Any, *, k: int | Sequence[int] = 10) -> MixedRetrieval:
    r"""Mixed-modality retrieval: queries of one modality, with their partners among the rows of both.

    The candidates of query i are all rows of X except row i, and all rows of Y; its target is row i of Y. They are
    ranked by their cosine to the query. If the modalities are far apart, rows of the query's own modality rank first.
    `retrieval_score`, among the rows of Y alone, does not show that.

    Two numbers measure the effect of the modality. With s the cosine, the own-modality AUC is the mean over queries of

    .. math:: P\bigl(s(x_i, x_j) > s(x_i, y_l)\bigr) + \tfrac12 P\bigl(s(x_i, x_j) = s(x_i, y_l)\bigr),
              \qquad j, l \ne i;

    the own share is the share of the rows of X among the k nearest.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        Embeddings of one modality, the queries, none of them zero.
    Y : array of shape (n_samples, n_features)
        Embeddings of the other: row i belongs to row i of X.
    k : int or sequence of int, default=10
        Number of nearest candidates to consider; all of them if k exceeds their number.

    Returns
    -------
    MixedRetrieval
        `recall` and `own_share` in [0, 1], floats, or arrays in the order of k for a sequence; `mrr` in (0, 1], best =
        1; `median_rank` from 1, the best, to 2n - 1; `own_auc` in [0, 1], ½ without a gap.

    Raises
    ------
    TypeError
        If k does not hold integers.
    ValueError
        If X or Y is not a finite matrix of at least two rows, a row is zero, their numbers of rows differ, the two
        differ in width, library or device, or k is not positive.

    See Also
    --------
    retrieval_score : Retrieval among the rows of the other modality alone.
    modality_auc_matrix : The AUC for each pair of several modalities.
    modality_gap : The distance of the centres.
    skgeom.preprocessing.GroupCentering : Removes the distance of the centres.

    Notes
    -----
    Read the AUC and the share together. Modalities with the same centre have an AUC near ½, but their own rows can
    still take the first places: the AUC covers all candidates, the share only the nearest.

    Ties are defined as in `retrieval_score`: recall and MRR are expectations over random orders of tied candidates, a
    rank and the AUC count a tied candidate as half, and rows tied at the k-th place share the remaining places.

    Exchange X and Y for queries of the other modality. Invariant to rotation and to the length of each row.
    O(n² (d + log n)) time in float64, with a few times 16 MiB per thread. Sorting and counting are done on the host,
    whatever the library; an accelerator sends it the cosines in parts of 256 MiB.

    References
    ----------
    Liang et al. 2022, Mind the gap, arXiv:2203.02053 (the gap).

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import mixed_retrieval, retrieval_score
    >>> rng = np.random.default_rng(0)
    >>> Z = rng.normal(size=(500, 16))
    >>> X, Y = (Z + 0.5 * rng.normal(size=(500, 16)) + 4 * np.eye(16)[axis] for axis in (0, 1))
    >>> apart = mixed_retrieval(X, Y)
    >>> centred = mixed_retrieval(X - X.mean(axis=0), Y - Y.mean(axis=0))
    >>> [round(r.recall, 2) for r in (retrieval_score(X, Y, k=10), apart, centred)]
    [0.65, 0.02, 0.98]
    >>> [round(r.own_auc, 2) for r in (apart, centred)], [round(r.own_share, 2) for r in (apart, centred)]
    ([0.93, 0.5], [0.98, 0.46])
    """
    cutoffs = check_cutoffs(k)
    x, y = (_neighbours.as_directions(as_data(rows.x)) for rows in check_directed_pairs(X, Y))
    found = _modalities.mixed(x, y, cutoffs)
    recall = np.array([np.mean(_neighbours.expected_recall(found.ranks, one)) for one in cutoffs])
    share = np.mean(found.own_share, axis=0)
    return MixedRetrieval(
        recall if np.iterable(k) else float(recall[0]),
        float(np.mean(_neighbours.expected_reciprocal_rank(found.ranks))),
        float(np.median(_neighbours.expected_rank(found.ranks))),
        share if np.iterable(k) else float(share[0]),
        float(np.mean(found.own_auc)),
    )


@in_full_precision
def modality_auc_matrix(modalities: Any) -> Array:
    r"""Probability, for pairs of modalities, that queries of one are nearer to their own modality than to the other.

    Entry (a, b) is the `own_auc` of `mixed_retrieval` with the rows of a as queries: the mean over queries of

    .. math:: P\bigl(s(a_i, a_j) > s(a_i, b_l)\bigr) + \tfrac12 P\bigl(s(a_i, a_j) = s(a_i, b_l)\bigr),
              \qquad j, l \ne i,

    with s the cosine.

    Parameters
    ----------
    modalities : sequence of arrays of shape (n_samples, n_features), or array (n_modalities, n_samples, n_features)
        Embeddings of at least two modalities, none of them zero; rows i of all of them belong together.

    Returns
    -------
    array of shape (n_modalities, n_modalities), float64
        In [0, 1]; ½ if modality does not matter, and on the diagonal; 1 if every query is nearer to all rows of its own
        modality. Not symmetric: rows are the modalities of the queries. In the library of the modalities.

    Raises
    ------
    ValueError
        If there are fewer than two modalities, one is not a finite matrix of at least two rows or has a zero row, or
        they differ in number of rows, width, library or device.

    See Also
    --------
    mixed_retrieval : Also the ranks of the partners, and the rule for ties.
    modality_gap_matrix : The distances of the centres.

    Notes
    -----
    Invariant to rotation and to the length of each row. O(K² n² (d + log n)) time for K modalities, memory as for
    `mixed_retrieval`.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import modality_auc_matrix
    >>> rng = np.random.default_rng(0)
    >>> image, text, audio = (rng.normal(size=(200, 16)) + 3 * np.eye(16)[axis] for axis in (0, 0, 1))
    >>> modality_auc_matrix([image, text, audio]).round(2)
    array([[0.5 , 0.5 , 0.88],
           [0.5 , 0.5 , 0.87],
           [0.88, 0.88, 0.5 ]])
    """
    rows = _check_paired_modalities(modalities)
    sides = [_neighbours.as_directions(as_data(side.x)) for side in rows]
    matrix = np.full((len(sides), len(sides)), 0.5)
    for i, own in enumerate(sides):
        others = [j for j in range(len(sides)) if j != i]
        matrix[i, others] = np.mean(_modalities.own_auc(own, [sides[j] for j in others]), axis=0)
    return asarray_like(matrix, rows[0].x, dtype=namespace(rows[0].x).float64)


@in_full_precision
def modality_gap_matrix(modalities: Any) -> Array:
    r"""Distances between the centres of several modalities on the sphere: `modality_gap` of each pair.

    .. math:: \lVert m_a - m_b \rVert, \qquad m_a = \frac{1}{n_a} \sum_i \frac{a_i}{\lVert a_i \rVert}.

    Parameters
    ----------
    modalities : sequence of arrays of shape (n_samples, n_features), or array (n_modalities, n_samples, n_features)
        Embeddings of at least two modalities, none of them zero; their rows need not be paired, and their numbers of
        rows may differ.

    Returns
    -------
    array of shape (n_modalities, n_modalities), float64
        In [0, 2], symmetric, 0 on the diagonal; in the library of the modalities, without a gradient.

    Raises
    ------
    ValueError
        If there are fewer than two modalities, one is not a finite matrix or has a zero row, or they differ in width,
        library or device.

    See Also
    --------
    modality_gap : The distance for one pair, with a gradient.
    modality_auc_matrix : The effect of the distances on retrieval.

    Notes
    -----
    Invariant to rotation and to the length of each row. O(n d) time.

    References
    ----------
    Liang et al. 2022, Mind the gap, arXiv:2203.02053.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import modality_gap_matrix
    >>> modality_gap_matrix([np.eye(3)[:1], np.eye(3)[1:2], np.eye(3)[:2]]).round(3)
    array([[0.   , 1.414, 0.707],
           [1.414, 0.   , 0.707],
           [0.707, 0.707, 0.   ]])
    """
    rows = check_modalities(modalities, min_samples=1)
    xp = namespace(rows[0].x)
    means = xp.stack([unit_mean(DirectedRows(*map(detached, side))) for side in rows])
    gaps = [norms(means - mean[None, :]) for mean in (means[i, :] for i in range(means.shape[0]))]
    return xp.stack(gaps)


def _check_paired_modalities(modalities: Any) -> list[DirectedRows]:
    rows = check_modalities(modalities)
    for i, side in enumerate(rows):
        check_paired(rows[0].x, side.x, ("modalities[0]", f"modalities[{i}]"))
    return rows
