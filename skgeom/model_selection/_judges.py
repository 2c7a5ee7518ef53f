"""Tests of whether a transform helps a task, one function per task.

All judges work alike. Rows are split into folds that keep equal rows together. Each transform is fitted to all folds
but one, without labels, and every row of that fold is observed. Each transform is compared with the rows as they are,
row by row, with intervals that hold for all transforms at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from skgeom._array import to_numpy
from skgeom._core import _agreement, _correlation
from skgeom._core._jackknife import balanced_blocks
from skgeom._core._rows import norms
from skgeom._core.pairs import _cosines, _neighbours
from skgeom._core.pairs._csls import ranks_by_csls
from skgeom._validation import (
    check_classes,
    check_cloud,
    check_count,
    check_directed,
    check_directed_pairs,
    check_paired,
    check_pairs_of_rows,
)
from skgeom.comparison import neighbour_overlap
from skgeom.comparison._overlap import Ranked, ranked, shares_without
from skgeom.metrics import isoscore, silhouette_samples
from skgeom.metrics._checks import check_judgements
from skgeom.metrics._estimate import MIN_GROUPS
from skgeom.model_selection._groups import linked, row_groups
from skgeom.model_selection._intervals import mean_of
from skgeom.model_selection._judgement import Judgement
from skgeom.model_selection._probe import hits
from skgeom.model_selection._transforms import Mapped, Transforms
from skgeom.model_selection._trial import (
    Fold,
    LeftOut,
    Observation,
    chance_of,
    groups_of,
    judged,
    of_rows,
    of_sides,
    split_of,
)

MAX_ROWS, MAX_PAIRS = 15_000, 5_000
"""Rows, and rows that are candidates for each other, that are looked at; of more, a random sample."""

_N_NEIGHBOURS = 10
_N_BLOCKS = 20
_N_CLUSTERS = 8
_N_STARTS = 4


def judge_classes(
    X: Any,
    y: Any,
    *,
    groups: Any = None,
    transforms: Transforms | None = None,
    n_folds: int = 5,
    confidence: float = 0.95,
    n_resamples: int = 1000,
    random_state: Any = 0,
) -> Judgement:
    r"""Judge transforms by how well a linear classifier separates classes on new rows.

    The score is the accuracy of logistic regression on held-out rows; its penalty is chosen on the next fold, among
    C = 0.1, 1, 10 and 100 for rows whose mean length is 1, and it is trained again on all other folds.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.
    y : array of shape (n_samples,)
        The class of each row. Classes with fewer different rows than folds are left out, with a note.
    groups : array of shape (n_samples,), default=None
        Group of each row; groups are not split between folds. None takes `row_groups`: equal rows.
    transforms : dict from str to transformer, default=None
        Candidates: transformers by name, "passthrough" for the rows as they are. The others are compared
        with the first. None takes `default_transforms`.
    n_folds : int, default=5
        Number of folds, at least three.
    confidence : float, default=0.95
        Joint confidence of the intervals: all hold at once, so the best transform may be chosen afterwards.
    n_resamples : int, default=1000
        Number of resamples of the bootstrap.
    random_state : int, RandomState instance or None, default=0
        Seed of the folds and the resamples, and of a sample of 15,000 rows if there are more.

    Returns
    -------
    Judgement
        The table, the answer and the recommendation; "isoscore" is that of held-out rows,
        debiased.

    Raises
    ------
    TypeError
        If `transforms` is not a dict of transformers, or the output of one is sparse.
    ValueError
        If X is not a finite matrix with spread, or y does not have two classes of enough rows.
        Also if there are too few different rows for the folds, or a parameter is out of range.

    See Also
    --------
    judge_clusters : Without a classifier.
    row_groups : The groups.

    Notes
    -----
    The difference of two transforms is the mean over held-out rows of the difference of their hits. Only rows on which
    they disagree count, and equal rows count as one. The interval is the difference ± the standard error of the Poisson
    bootstrap over groups times the quantile of the largest standardised error of all transforms (single-step max-t
    [1]_). It holds for the transforms and classifiers fitted to these folds, and leaves out the effect of another
    training sample.

    The cost is that of the classifiers: five fits per transform and fold.

    References
    ----------
    .. [1] Westfall & Young 1993, Resampling-based multiple testing, Wiley.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skgeom.model_selection import judge_classes
    >>> X, y = load_digits(return_X_y=True)
    >>> judgement = judge_classes(X[:300], y[:300])
    >>> judgement.best.name in [one.name for one in judgement.transforms]
    True
    """
    check_count(n_folds, "n_folds", low=3)  # to learn from, to choose the penalty by, and held out
    chance = chance_of(n_folds, confidence, n_resamples, random_state)
    x = to_numpy(check_cloud(X, scale_free=True))
    codes = check_classes(y, len(x))[1]
    split, notes = split_of(groups_of(row_groups(x), groups), chance, MAX_ROWS, codes)
    x, codes = x[split.rows], np.unique(codes[split.rows], return_inverse=True)[1]

    def observe(z: Mapped, fold: Fold) -> Observation:
        white, spread = z.white()
        spread = spread / to_numpy(norms(z.rows[: fold.n_known])).mean()
        right = hits(white, spread, codes[fold.order], fold.n_train, fold.n_known)
        return Observation(right, {"isoscore": isoscore(z.rows[fold.n_known :], debias=True)})

    return judged("classes", "accuracy", of_rows(x, transforms), split, observe, mean_of, chance, notes)


def judge_retrieval(
    X: Any,
    Y: Any,
    *,
    groups: Any = None,
    n_folds: int = 5,
    confidence: float = 0.95,
    n_resamples: int = 1000,
    random_state: Any = 0,
) -> Judgement:
    r"""Judge transforms and aligners by how well rows of one space find their partners in the other.

    The score is the mean reciprocal rank of the partner by cosine among the held-out rows, averaged over both
    directions. Besides the rows as they are, these are tried, all fitted to the other folds: the mean of each side
    removed; after that the whitenings of `default_transforms`, one for both sides, and all-but-the-top; and Procrustes,
    least squares (penalty by generalised cross-validation) and canonical correlations (shrinkage 0.1).

    Parameters
    ----------
    X : array of shape (n_pairs, n_features)
        The embeddings of one side.
    Y : array of shape (n_pairs, n_targets)
        The embeddings of the other side: row i belongs to row i of X. If the widths differ, only the aligners are
        tried, and compared with the first of them, Procrustes.
    groups : array of shape (n_pairs,), default=None
        Group of each pair; groups are not split between folds. None takes `row_groups`: pairs that share a row
        of either side.
    n_folds : int, default=5
        Number of folds.
    confidence : float, default=0.95
        Joint confidence of the intervals: all hold at once, so the best transform may be chosen afterwards.
    n_resamples : int, default=1000
        Number of resamples of the bootstrap.
    random_state : int, RandomState instance or None, default=0
        Seed of the folds and the resamples, and of a sample of 5,000 pairs if there are more.

    Returns
    -------
    Judgement
        The table, the answer and the recommendation; "recall@1", "recall@10" (both directions
        averaged) and "mrr_csls" are measured too.

    Raises
    ------
    ValueError
        If X or Y is not a finite matrix, they differ in length, or a row is zero.
        Also if there are too few different rows for the folds, or a parameter is out of range.

    See Also
    --------
    skgeom.metrics.retrieval_score : The ranks, and the rule for ties.
    skgeom.alignment : The aligners.

    Notes
    -----
    Reciprocal ranks fall with the number of candidates, here the rows of a fold: compare rows of one table. For the
    intervals, see `judge_classes`; pairs are resampled, and the candidates stay the same. They hold for the transforms
    fitted to these folds, not for another training sample.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.model_selection import judge_retrieval
    >>> rng = np.random.default_rng(0)
    >>> Y = rng.normal(size=(400, 20))
    >>> turn = np.linalg.qr(rng.normal(size=(20, 20)))[0]
    >>> judgement = judge_retrieval(Y @ turn + rng.normal(size=(400, 20)), Y)
    >>> judgement.answer, judgement.best.name
    ('yes', 'Procrustes')
    """
    chance = chance_of(n_folds, confidence, n_resamples, random_state)
    x, y = (to_numpy(check_directed(side, name=name).x) for side, name in ((X, "X"), (Y, "Y")))
    check_paired(x, y)
    equal = linked(row_groups(x), len(x) + row_groups(y))
    split, notes = split_of(groups_of(equal, groups), chance, MAX_PAIRS)

    def observe(sides: tuple[np.ndarray, np.ndarray], _: Fold) -> Observation:
        return _reciprocal_ranks(*sides)

    candidates = of_sides(x[split.rows], y[split.rows])
    return judged("retrieval", "mrr", candidates, split, observe, mean_of, chance, notes)


def judge_similarity(
    X: Any,
    y: Any,
    *,
    groups: Any = None,
    transforms: Transforms | None = None,
    n_folds: int = 5,
    confidence: float = 0.95,
    n_resamples: int = 1000,
    random_state: Any = 0,
) -> Judgement:
    r"""Judge transforms by how well the cosines of pairs agree with judgements of their similarity.

    The score is Spearman's correlation of cosines and judgements on held-out pairs.

    Parameters
    ----------
    X : array of shape (n_pairs, 2, n_features)
        The embeddings of both sides of each pair.
    y : array of shape (n_pairs,)
        Similarity of the two rows of each pair; larger means more similar.
    groups : array of shape (n_pairs,), default=None
        Group of each pair; groups are not split between folds. None takes `row_groups`: pairs that share a row.
    transforms : dict from str to transformer, default=None
        Candidates: transformers by name, "passthrough" for the rows as they are. The others are compared
        with the first. None takes `default_transforms`.
    n_folds : int, default=5
        Number of folds.
    confidence : float, default=0.95
        Joint confidence of the intervals: all hold at once, so the best transform may be chosen afterwards.
    n_resamples : int, default=1000
        Number of resamples of the bootstrap.
    random_state : int, RandomState instance or None, default=0
        Seed of the folds and the resamples, and of a sample of 15,000 pairs if there are more.

    Returns
    -------
    Judgement
        The table, the answer and the recommendation; "cosine_pearson" is measured too.

    Raises
    ------
    TypeError
        If `transforms` is not a dict of transformers, or the output of one is sparse.
    ValueError
        If X is not a finite array of pairs of rows that are not zero, or y does not fit it.
        Also if there are too few different rows for the folds, or a parameter is out of range.

    See Also
    --------
    skgeom.metrics.cosine_spearman : The score.
    skgeom.preprocessing.SiameseTransformer : One transform of both sides, in a search.

    Notes
    -----
    For the intervals, see `judge_classes`: in each resample of the groups of pairs the correlations are computed anew,
    with mean ranks for ties. They hold for transforms fitted to these folds, not to another training sample.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.model_selection import judge_similarity
    >>> rng = np.random.default_rng(0)
    >>> A, noise = rng.normal(size=(2, 500, 20))
    >>> scores = rng.uniform(size=500)
    >>> pairs = np.stack([A, A + (1.5 - scores)[:, None] * noise], axis=1) * ([9] + 19 * [1])
    >>> judgement = judge_similarity(pairs, scores)
    >>> judgement.answer, judgement.best.name
    ('yes', 'Whitening(20, power=1)')
    """
    chance = chance_of(n_folds, confidence, n_resamples, random_state)
    sides = check_directed_pairs(*check_pairs_of_rows(X))
    pairs = np.stack([to_numpy(side.x) for side in sides], axis=1)
    judgements = check_judgements(y, len(pairs))
    split, notes = split_of(groups_of(row_groups(pairs), groups), chance, MAX_ROWS)
    pairs, judgements = pairs[split.rows], judgements[split.rows]

    def observe(z: Mapped, fold: Fold) -> Observation:
        held_out = z.rows[2 * fold.n_known :]
        first, second = check_directed(held_out[::2]), check_directed(held_out[1::2])
        cosines = to_numpy(_cosines.paired_cosines(first, second))
        r = _correlation.pearson(cosines, judgements[fold.held_out], np.ones((1, cosines.size)))
        return Observation(cosines, {"cosine_pearson": float(r[0])})

    def statistic(cosines: np.ndarray, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
        found = [_correlation.spearman(c, judgements[rows], weights, width=_cosines.EQUAL) for c in cosines]
        return np.stack(found, axis=1)

    by_row = of_rows(pairs.reshape(-1, pairs.shape[2]), transforms)
    candidates = by_row._replace(mapped=lambda fold: by_row.mapped(fold.of_pairs()))
    return judged("similarity", "cosine_spearman", candidates, split, observe, statistic, chance, notes)


def judge_clusters(
    X: Any,
    y: Any = None,
    *,
    n_clusters: int | None = None,
    groups: Any = None,
    transforms: Transforms | None = None,
    n_folds: int = 5,
    confidence: float = 0.95,
    n_resamples: int = 1000,
    random_state: Any = 0,
) -> Judgement:
    r"""Judge transforms by the clusters that k-means finds.

    K-means is fitted to the other folds, and held-out rows go to the nearest centre. With labels the score is the
    adjusted Rand index of these clusters and the labels, without labels the mean Euclidean silhouette of the clusters.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.
    y : array of shape (n_samples,), default=None
        The class of each row, if known. Classes with fewer different rows than folds are left out, with a note.
    n_clusters : int, default=None
        Number of clusters, at most the rows of all folds but one; None takes as many as there are classes in y, or 8.
    groups : array of shape (n_samples,), default=None
        Group of each row; groups are not split between folds. None takes `row_groups`: equal rows.
    transforms : dict from str to transformer, default=None
        Candidates: transformers by name, "passthrough" for the rows as they are. The others are compared
        with the first. None takes `default_transforms`.
    n_folds : int, default=5
        Number of folds.
    confidence : float, default=0.95
        Joint confidence of the intervals: all hold at once, so the best transform may be chosen afterwards.
    n_resamples : int, default=1000
        Number of resamples of the bootstrap.
    random_state : int, RandomState instance or None, default=0
        Seed of the folds and the resamples, and of a sample of 15,000 rows if there are more.

    Returns
    -------
    Judgement
        The table, the answer and the recommendation; "silhouette" of the clusters, and with
        labels that of the classes ("silhouette_y"), is measured too.

    Raises
    ------
    TypeError
        If `transforms` is not a dict of transformers, or the output of one is sparse.
    ValueError
        If X is not a finite matrix with spread, or y does not have two classes of enough rows.
        Also if there are too few different rows for the folds, or a parameter is out of range.

    See Also
    --------
    judge_classes : How well a classifier separates the classes.

    Notes
    -----
    A silhouette measures the separation of clusters, not their meaning: it rises if a transform keeps few directions.
    With labels, agreement decides. For the intervals, see `judge_classes`: held-out rows are resampled, and the centres
    stay. They hold for the clusters fitted to these folds, not for another training sample.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import make_blobs
    >>> from skgeom.model_selection import judge_clusters
    >>> X, y = make_blobs(400, 10, centers=4, random_state=0)
    >>> X = np.column_stack([X, 200 * np.random.default_rng(0).normal(size=400)])  # one rogue feature
    >>> judgement = judge_clusters(X, y)
    >>> judgement.answer
    'yes'
    """
    from sklearn.cluster import KMeans  # here, since with its own imports it is a tenth of the start of a report

    chance = chance_of(n_folds, confidence, n_resamples, random_state)
    x = to_numpy(check_cloud(X, scale_free=True))
    codes = None if y is None else check_classes(y, len(x))[1]
    split, notes = split_of(groups_of(row_groups(x), groups), chance, MAX_ROWS, codes)
    x = x[split.rows]
    labels = None if codes is None else np.unique(codes[split.rows], return_inverse=True)[1]
    n_known = len(x) - int(np.bincount(split.fold).max())
    default = _N_CLUSTERS if labels is None else int(labels.max()) + 1
    k = check_count(default if n_clusters is None else n_clusters, "n_clusters", low=2, high=n_known)

    def observe(mapped: Mapped, fold: Fold) -> Observation:
        known, held_out = mapped.rows[: fold.n_known], mapped.rows[fold.n_known :]
        clusters = KMeans(k, n_init=_N_STARTS, random_state=0).fit(known).predict(held_out)
        silhouettes = _silhouettes(held_out, clusters)
        if labels is None:
            return Observation(silhouettes, {})
        of_classes = _silhouettes(held_out, labels[fold.held_out])
        return Observation(clusters, {"silhouette": silhouettes.mean(), "silhouette_y": of_classes.mean()})

    candidates = of_rows(x, transforms)
    if labels is None:
        return judged("clusters", "silhouette", candidates, split, observe, mean_of, chance, notes)

    def statistic(clusters: np.ndarray, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
        found = clusters.astype(np.int64)
        return np.stack([_agreement.adjusted_rand(codes, labels[rows], weights) for codes in found], axis=1)

    return judged("clusters", "adjusted_rand", candidates, split, observe, statistic, chance, notes)


def judge_neighbours(
    X: Any,
    *,
    groups: Any = None,
    transforms: Transforms | None = None,
    n_folds: int = 5,
    confidence: float = 0.95,
    n_resamples: int = 1000,
    random_state: Any = 0,
) -> Judgement:
    r"""Measure how much transforms change the neighbours of a row, without labels, pairs or judgements.

    The score is the mean share of the ten nearest held-out rows by cosine that are also among the ten nearest without
    the transform. It is a distance, not a quality: only a task can show whether other neighbours are better.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.
    groups : array of shape (n_samples,), default=None
        Group of each row; groups are not split between folds. None takes `row_groups`: equal rows.
    transforms : dict from str to transformer, default=None
        Candidates: transformers by name, "passthrough" for the rows as they are. The others are compared
        with the first. None takes `default_transforms`.
    n_folds : int, default=5
        Number of folds.
    confidence : float, default=0.95
        Joint confidence of the intervals: all hold at once, so the best transform may be chosen afterwards.
    n_resamples : int, default=1000
        Number of resamples of the bootstrap.
    random_state : int, RandomState instance or None, default=0
        Seed of the folds and the resamples, and of a sample of 5,000 rows if there are more.

    Returns
    -------
    Judgement
        The table, the answer and the recommendation; its `answer` is None, and "passthrough" is
        recommended. "isoscore" is that of held-out rows, debiased, and "standard_error" that of the score.

    Raises
    ------
    TypeError
        If `transforms` is not a dict of transformers, or the output of one is sparse.
    ValueError
        If X is not a finite matrix with spread, or a row is zero.
        Also if there are too few different rows for the folds, or a parameter is out of range.

    See Also
    --------
    skgeom.comparison.neighbour_overlap : The share, and the rule for ties.

    Notes
    -----
    If fewer than twelve rows are held out, all others are neighbours, and the share is 1. Ties share the last
    places, as in `skgeom.comparison.neighbour_overlap`.

    Rows are neighbours of one another, so intervals from resampled shares of rows are too narrow. Here the
    errors are those of the jackknife: of the held-out rows of a fold, 20 blocks of whole groups are left out in turn,
    as in `skgeom.metrics.estimate`, and the others are neighbours among themselves. On average they are not too small
    [1]_, but about one and a half times too large. The margin is the error times the quantile of `judge_classes`. If a
    fold has fewer than ten groups there is no "standard_error", and margins are those of `judge_classes`. Intervals
    hold for transforms fitted to these folds, not to another training sample.

    References
    ----------
    .. [1] Efron & Stein 1981, The jackknife estimate of variance, doi:10.1214/aos/1176345462.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skgeom.model_selection import judge_neighbours
    >>> judgement = judge_neighbours(load_digits().data)
    >>> {one.name: round(one.score, 1) for one in judgement.transforms[:2]}
    {'as is': 1.0, 'centred': 0.9}
    """
    chance = chance_of(n_folds, confidence, n_resamples, random_state)
    x = to_numpy(check_directed(X).x)
    split, notes = split_of(groups_of(row_groups(x), groups), chance, MAX_PAIRS)
    x = x[split.rows]
    before = [ranked(x[split.fold == f], "cosine") for f in range(n_folds)]
    blocks = [_blocks(split.groups[split.fold == f], chance.rng) for f in range(n_folds)]

    def observe(mapped: Mapped, fold: Fold) -> Observation:
        held_out = mapped.rows[fold.n_known :]
        kept, left_out = _overlaps(before[fold.number], held_out, blocks[fold.number])
        return Observation(kept, {"isoscore": isoscore(held_out, debias=True)}, left_out)

    return judged("neighbours", "overlap", of_rows(x, transforms), split, observe, mean_of, chance, notes)


def _reciprocal_ranks(x: np.ndarray, y: np.ndarray) -> Observation:
    """Return the reciprocal rank of each partner, both directions averaged, and other measures of retrieval."""
    u, v = (_neighbours.as_directions(check_directed(side).x) for side in (x, y))
    own = np.stack([np.arange(len(x))] * 2, axis=1)
    plain = [_neighbours.ranks(*sides, own) for sides in ((u, v), (v, u))]
    csls = [ranks_by_csls(*sides, own) for sides in ((u, v), (v, u))]
    reciprocal = np.mean([_neighbours.expected_reciprocal_rank(one) for one in plain], axis=0)
    measures = {f"recall@{k}": np.mean([_neighbours.expected_recall(one, k) for one in plain]) for k in (1, 10)}
    measures["mrr_csls"] = np.mean([_neighbours.expected_reciprocal_rank(one) for one in csls])
    return Observation(reciprocal, measures)


def _silhouettes(z: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return the Euclidean silhouette of each row, 0 unless there are two clusters to compare."""
    if not 2 <= np.unique(codes).size < len(codes):
        return np.zeros(len(codes))
    return to_numpy(silhouette_samples(z, codes))


def _blocks(groups: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """Return a block of whole groups for each held-out row; None if groups, or rows without a block, are too few."""
    codes = np.unique(groups, return_inverse=True)[1]
    n_groups = int(codes.max()) + 1
    if n_groups < MIN_GROUPS:
        return None
    blocks = balanced_blocks(codes, min(_N_BLOCKS, n_groups // 2), rng)
    return blocks if codes.size - np.bincount(blocks).max() >= _N_NEIGHBOURS + 2 else None


def _overlaps(before: Ranked, after: np.ndarray, blocks: np.ndarray | None) -> tuple[np.ndarray, LeftOut | None]:
    """Return the share of the nearest rows of each row that stay, and the mean without each block."""
    n = len(after)
    if n < _N_NEIGHBOURS + 2:
        return np.ones(n), None
    if blocks is None:
        return np.asarray(neighbour_overlap(before.x, after, k=_N_NEIGHBOURS, per_row=True)), None
    if np.array_equal(to_numpy(before.x), after):
        return np.ones(n), LeftOut(np.ones(blocks.max() + 2), np.bincount(blocks))
    kept, scores = shares_without(blocks, (before, ranked(after, "cosine")), _N_NEIGHBOURS)
    return kept, LeftOut(scores, np.bincount(blocks))
