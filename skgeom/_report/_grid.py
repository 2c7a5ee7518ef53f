"""Should I whiten?: transforms side by side, fitted and measured on different rows.

Folds are summarised once. The moments of all folds but one are merged, and one eigendecomposition of them gives every
row of the grid: whitening to k columns is the first k columns of the full whitening.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from joblib import cpu_count
from sklearn.model_selection import KFold, StratifiedKFold
from threadpoolctl import threadpool_limits

from skgeom._array import to_numpy
from skgeom._core import _rows
from skgeom._core._rows import norms
from skgeom._core.sums import _maps
from skgeom._core.sums._maps import WhiteningMap
from skgeom._core.sums._moments import merge_all
from skgeom._core.sums._rank import ranked_moments
from skgeom._report._probe import hits
from skgeom._report._space import N_FOLDS, SEED, Space, large_classes, sampled
from skgeom._typing import Array
from skgeom.metrics import average_cosine, isoscore, silhouette_score

MAX_ROWS = 20_000
MIN_FOLD = 4
_MAX_WORKERS = 8

SCORES = ("accuracy", "isoscore", "silhouette", "conformity")


class Scores(NamedTuple):
    """What is measured on the rows of a fold: which of them a probe gets right, and NaN where a score has no sense."""

    hits: np.ndarray
    isoscore: float
    silhouette: float
    conformity: float

    @property
    def accuracy(self) -> float:
        """The share of hits; NaN without labels."""
        return float(self.hits.mean()) if self.hits.size else np.nan


class Row(NamedTuple):
    """A transform, the number of columns it leaves, and its scores on each fold."""

    name: str
    n_features: int
    folds: tuple[Scores, ...]

    def mean(self, measure: str) -> float:
        """Return the mean of a measure over folds."""
        return float(np.mean([getattr(scores, measure) for scores in self.folds]))

    def deviation(self, measure: str) -> float:
        """Return the standard deviation of a measure over folds."""
        return float(np.std([getattr(scores, measure) for scores in self.folds], ddof=1))


class Known(NamedTuple):
    """Labelled rows in the order in which a probe sees them: to fit, to choose its penalty, to be tested.

    `white` are their coordinates in the whitening of all but the last; `n_train` and `n_known` say where parts end.
    """

    white: np.ndarray
    codes: np.ndarray
    n_train: int
    n_known: int


class Split(NamedTuple):
    """The rows that take part, their groups of equal rows, folds and, with labels, classes.

    Of each fold, the mean and the whitening map of all others and, with labels, what a probe sees.
    """

    x: np.ndarray
    groups: np.ndarray
    fold: np.ndarray
    codes: np.ndarray | None
    maps: list[tuple[Array, WhiteningMap]]
    known: list[Known]
    is_sample: bool

    @property
    def rank(self) -> int:
        """The number of directions that every fold has."""
        return min(found.rank for _, found in self.maps)


class Transform(NamedTuple):
    """A row of the grid: its name, columns, and how it maps rows given a mean and a whitening.

    Up to a rotation and a shift, it keeps some of the white coordinates, with their variances or without.
    """

    name: str
    n_features: int
    apply: Callable[[np.ndarray, Array, WhiteningMap], Array]
    kept: slice = slice(None)
    is_white: bool = False


def split(space: Space) -> Split | None:
    """Return the folds of a space, or None where it has too few rows or classes for them, or no spread."""
    rows = sampled(space.in_large_classes, MAX_ROWS)
    is_sample = rows.size < space.in_large_classes.size
    codes = None
    if space.labels is not None:
        rows = rows[large_classes(space.labels[rows], space.equal_rows[rows])]
        codes = np.unique(space.labels[rows], return_inverse=True)[1]
    x, groups = space.cloud.X[rows], space.equal_rows[rows]
    fold = _folds(groups, codes)
    if fold is None or space.rank == 0:
        return None
    parts = [ranked_moments(x[fold == f]) for f in range(N_FOLDS)]
    maps = []
    for f in range(N_FOLDS):
        m = merge_all(part for g, part in enumerate(parts) if g != f)
        maps.append((m.mean, _maps.whitening_map(m, "pca", 1.0, None, None)))
    known = [] if codes is None else [_known(x, fold, codes, f, *maps[f]) for f in range(N_FOLDS)]
    return Split(x, groups, fold, codes, maps, known, is_sample)


def transforms(rank: int, d: int) -> list[Transform]:
    """Return the rows of the grid: nothing, centring, whitening to powers of two up to the rank, all-but-the-top."""
    first = 16 if rank > 32 else 2
    widths = [k for k in (2**j for j in range(32)) if first <= k < rank] + [rank]
    top = _maps.default_top(d)
    listed = [
        Transform("as is", d, lambda x, mean, found: x),
        Transform("centred", d, lambda x, mean, found: _rows.centred(x, mean)),
        *(Transform(f"Whitening({k})", k, _whitening(k), slice(k), True) for k in widths),
    ]
    if top < rank:
        listed.append(Transform(f"AllButTheTop({top})", d, _all_but(top), slice(top, None)))
    return listed


def evaluate(folds: Split, progress: Callable[[int, int], None] = lambda done, total: None) -> Iterator[Row]:
    """Yield the rows of the grid in their order, each when it is done."""
    listed = transforms(folds.rank, folds.x.shape[1])
    workers = max(1, min(cpu_count(), _MAX_WORKERS))
    pool = ThreadPoolExecutor(workers)
    try:
        with threadpool_limits(1 if workers > 1 else None):
            futures = [[pool.submit(_scores, folds, f, row) for f in range(N_FOLDS)] for row in listed]
            for i, (row, waiting) in enumerate(zip(listed, futures, strict=True)):
                scores = []
                for f, future in enumerate(waiting, 1):
                    scores.append(future.result())
                    progress(i * N_FOLDS + f, len(listed) * N_FOLDS)
                yield Row(row.name, row.n_features, tuple(scores))
    finally:
        pool.shutdown(cancel_futures=True)


def _folds(equal_rows: np.ndarray, codes: np.ndarray | None) -> np.ndarray | None:
    """Return the fold of each row, equal rows in one, or None if there are too few rows or classes."""
    _, first, groups = np.unique(equal_rows, return_index=True, return_inverse=True)
    if first.size < N_FOLDS * MIN_FOLD or (codes is not None and codes.max() == 0):
        return None
    splitter = KFold if codes is None else StratifiedKFold
    parts = splitter(N_FOLDS, shuffle=True, random_state=SEED).split(first, None if codes is None else codes[first])
    fold = np.empty(first.size, dtype=np.int64)
    for f, (_, test) in enumerate(parts):
        fold[test] = f
    return fold[groups]


def _known(x: np.ndarray, fold: np.ndarray, codes: np.ndarray, f: int, mean: Array, found: WhiteningMap) -> Known:
    turns = (fold - f) % N_FOLDS
    order = np.argsort(-turns, kind="stable")
    white = to_numpy(_maps.centred_product(x[order], mean, found.forward))
    return Known(white, codes[order], int((turns > 1).sum()), int((turns > 0).sum()))


def _whitening(k: int) -> Callable[[np.ndarray, Array, WhiteningMap], Array]:
    return lambda x, mean, found: _maps.centred_product(x, mean, found.forward[:, :k])


def _all_but(top: int) -> Callable[[np.ndarray, Array, WhiteningMap], Array]:
    return lambda x, mean, found: _maps.without(x, mean, found.directions[:top], seen_from=mean)


def _scores(folds: Split, f: int, row: Transform) -> Scores:
    held_out = _held_out(folds, f, row)
    directed = held_out[to_numpy(norms(held_out)) > 0]
    return Scores(
        np.empty(0) if folds.codes is None else _probe(folds, f, row),
        isoscore(held_out, debias=True),
        np.nan if folds.codes is None else _silhouette(held_out, folds.codes[folds.fold == f]),
        average_cosine(directed) if len(directed) > 1 else np.nan,
    )


def _held_out(folds: Split, f: int, row: Transform) -> np.ndarray:
    if row.is_white and folds.known:
        return folds.known[f].white[folds.known[f].n_known :, row.kept]
    return to_numpy(row.apply(folds.x[folds.fold == f], *folds.maps[f]))


def _silhouette(z: np.ndarray, codes: np.ndarray) -> float:
    """Return the Euclidean silhouette, which wants two rows in one class at least."""
    return silhouette_score(z, codes) if np.unique(codes).size < len(codes) else np.nan


def _probe(folds: Split, f: int, row: Transform) -> np.ndarray:
    """Return which held-out rows a probe gets right, whose penalty is chosen on the next fold."""
    white, codes, n_train, n_known = folds.known[f]
    white = white[:, row.kept]
    if row.is_white:
        rows, deviations = white[:n_known], np.ones(white.shape[1])
    else:
        rows = to_numpy(row.apply(folds.x[folds.fold != f], *folds.maps[f]))
        deviations = np.sqrt(to_numpy(folds.maps[f][1].variances))[row.kept]
    return hits(white, deviations / to_numpy(norms(rows)).mean(), codes, n_train, n_known)
