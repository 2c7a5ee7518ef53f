"""Shared nearest neighbours of two representations of the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from scipy.sparse import csr_array

from skgeom._array import peak, take_rows, to_numpy
from skgeom._core.pairs._left_out import Lists, Space, sum_without
from skgeom._typing import Array
from skgeom._validation import check_choice, check_count, check_flag
from skgeom.comparison._checks import check_same_rows
from skgeom.metrics import k_nearest
from skgeom.metrics._measure import comparison, on_a_device
from skgeom.metrics._neighbours import Neighbours

Metric: TypeAlias = Literal["cosine", "euclidean"]

_METRICS = ("cosine", "euclidean")
_TIED = 1e-12
"""Distances by cosine, or shares of other distances, that differ by less are tied."""

_ENTRIES = 2**22
"""Distances that are looked at at once."""


def _without_blocks(X: Any, Y: Any, *, codes: np.ndarray, k: int, metric: Metric, per_row: bool) -> np.ndarray | None:
    """Return the mean shares without blocks of rows and of all."""
    check_flag(per_row, "per_row")
    sides = _checked(X, Y, k, metric)
    if k > codes.size - np.bincount(codes).max() - 2:
        return None
    return shares_without(codes, [ranked(x, metric) for x in sides], k)[1]


@comparison(bounds=("0", "1"), without_blocks=_without_blocks)
@on_a_device
def neighbour_overlap(
    X: Any, Y: Any, *, k: int = 10, metric: Metric = "cosine", per_row: bool = False
) -> float | np.ndarray:
    r"""Share of the k nearest neighbours that two representations of the same rows have in common.

    .. math:: o_i = \frac1k \sum_{j \ne i} \min(w_{ij}, w'_{ij}), \qquad \bar o = \frac1n \sum_i o_i,

    with :math:`w_{ij} = 1` for the rows j that are nearer to i than the k-th nearest, and the places that are left
    shared equally among those as far as the k-th: without ties, the size of the intersection over k.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The rows in one space.
    Y : array of shape (n_samples, m_features)
        The same rows in another; the widths may differ.
    k : int, default=10
        Number of neighbours, from 1 to n - 2.
    metric : {"cosine", "euclidean"}, default="cosine"
        The distance, as in `skgeom.metrics.k_nearest`.
    per_row : bool, default=False
        Whether to return the share of each row.

    Returns
    -------
    float or ndarray of shape (n_samples,)
        In [0, 1]; 1 if all neighbours are the same. Chance gives k / (n - 1).

    Raises
    ------
    ValueError
        If X or Y is not a finite matrix, they differ in rows, library or device, a row is zero (not "euclidean"), or k
        is not between 1 and n - 2.

    See Also
    --------
    relation_test : Whether the value is more than chance.
    skgeom.metrics.k_nearest : The neighbours.

    Notes
    -----
    Distances that differ by less than 1e-12, or if "euclidean" by that share or the rounding of X, are tied, so that
    neither the order of the rows nor duplicates count as agreement. Invariant to rotation and scaling of each space,
    "euclidean" to translation too. Takes the time of two searches for 2 k neighbours. Where more rows are tied with the
    k-th nearest, it takes longer, and memory for all of them.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.comparison import neighbour_overlap
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 5))
    >>> round(neighbour_overlap(X, X + 0.1 * rng.normal(size=(200, 5))), 2)
    0.83
    >>> round(neighbour_overlap(X, rng.normal(size=(200, 5))), 2)  # 10 / 199 by chance
    0.04
    """
    check_flag(per_row, "per_row")
    shares = np.minimum(shared(*neighbourhoods(X, Y, k, metric)) / k, 1.0)  # sums of shared places may round up
    return shares if per_row else float(shares.mean())


class Ranked(NamedTuple):
    """Checked rows and their neighbours by a metric, searched once for all comparisons of these rows."""

    x: Array
    metric: Metric
    space: Space


def ranked(x: Array, metric: Metric) -> Ranked:
    """Return rows, prepared for searches of neighbours."""

    @lru_cache(maxsize=1)
    def of_all(w: int) -> tuple[np.ndarray, np.ndarray]:
        return _on_host(k_nearest(x, k=w, metric=metric))

    def nearest(rows: np.ndarray | None, w: int) -> tuple[np.ndarray, np.ndarray]:
        return of_all(w) if rows is None else _on_host(k_nearest(take_rows(x, rows), x, k=w, metric=metric))

    rounding = _rounding(x, metric)
    return Ranked(x, metric, Space(nearest, lambda _, kth: _width(kth, rounding)))


def shares_without(codes: np.ndarray, sides: Sequence[Ranked], k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of each row (n,), and the mean without each block of rows, and of all (b + 1,).

    The codes (n,) name the blocks; without any of them at least k + 2 rows remain.
    """
    n_blocks, n = codes.max() + 1, codes.size
    of_rows = np.empty(n)

    def sums(parts: Sequence[Lists]) -> np.ndarray:
        rows = parts[0].rows
        first, second = (np.arange(rows.size)[:, None] * n + one.others for one in parts)
        places = np.intersect1d(first, second, assume_unique=True, return_indices=True)[1:]
        row = places[0] // parts[0].near.shape[1]
        own, found = codes[rows[row]], np.empty(n_blocks + 1)
        for block in range(n_blocks + 1):
            both = np.minimum(*(one.weights(block, k).ravel()[at] for one, at in zip(parts, places, strict=True)))
            found[block] = both[own != block].sum()
        of_rows[rows] = np.bincount(row, both, rows.size) / k
        return found

    total = sum_without(codes, [side.space for side in sides], k, sums)
    if total is not None:
        return of_rows, total / (k * (n - np.append(np.bincount(codes), 0)))
    overlap = partial(neighbour_overlap, k=k, metric=sides[0].metric, per_row=True)
    of_rows = np.asarray(overlap(*(side.x for side in sides)))
    rests = ([take_rows(side.x, np.flatnonzero(codes != block)) for side in sides] for block in range(n_blocks))
    return of_rows, np.array([*(np.mean(overlap(*rest)) for rest in rests), of_rows.mean()])


def neighbourhoods(X: Any, Y: Any, k: int, metric: Metric) -> tuple[csr_array, csr_array]:
    """Return the weights w (n, n) of the neighbours of each row in two spaces."""
    x, y = _checked(X, Y, k, metric)
    return _weights(x, k, metric), _weights(y, k, metric)


def shared(a: csr_array, b: csr_array) -> np.ndarray:
    """Return Σ_j min(a_ij, b_ij) of each row."""
    return np.asarray(a.minimum(b).sum(axis=1))


def _checked(X: Any, Y: Any, k: int, metric: Metric) -> list[Array]:
    check_choice(metric, _METRICS, "metric")
    sides = check_same_rows(X, Y, min_samples=3)
    check_count(k, "k", 1, sides[0].shape[0] - 2)
    return sides


def _weights(x: Array, k: int, metric: Metric) -> csr_array:
    n = x.shape[0]
    width = min(2 * k, n - 1)
    near, index = _on_host(k_nearest(x, k=width, metric=metric))
    rounding = _rounding(x, metric)
    tied = near <= _reach(near, k, rounding)
    (ahead,) = np.nonzero(tied[:, -1] & (width < n - 1))
    row, place = np.nonzero(tied & ~np.isin(np.arange(n), ahead)[:, None])
    parts = [(row, index[row, place], near[row, place])]
    step = max(1, _ENTRIES // n)
    for start in range(0, ahead.size, step):
        rows = ahead[start : start + step]
        parts.append(_all_tied(x, rows, k, metric, rounding))
    row, column, distance = (np.concatenate(part) for part in zip(*parts, strict=True))
    kth = near[row, k - 1]
    nearer = distance < kth - _width(kth, rounding)
    n_nearer, n_tied = (np.bincount(row, mask, n) for mask in (nearer, ~nearer))
    weights = np.where(nearer, 1.0, ((k - n_nearer) / np.maximum(n_tied, 1))[row])
    return csr_array((weights, (row, column)), shape=(n, n))


def _reach(near: np.ndarray, k: int, rounding: float) -> np.ndarray:
    kth = near[:, k - 1 : k]
    return kth + _width(kth, rounding)


def _on_host(found: Neighbours) -> tuple[np.ndarray, np.ndarray]:
    return to_numpy(found.distances), to_numpy(found.indices)


def _rounding(x: Array, metric: Metric) -> float:
    """Return by how much distances between rows may differ and be tied, also where the distances are small."""
    return _TIED if metric != "euclidean" else 8 * float(np.finfo(np.float64).eps) * peak(x)


def _width(kth: np.ndarray, rounding: float) -> np.ndarray:
    """Return how much distances may differ from the k-th and be tied with it."""
    return np.maximum(rounding, _TIED * kth)


def _all_tied(
    x: Array, rows: np.ndarray, k: int, metric: Metric, rounding: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the rows, their neighbours and the distances to them, up to all that are tied with the k-th."""
    near, index = _on_host(k_nearest(take_rows(x, rows), x, k=x.shape[0], metric=metric))
    others = index != rows[:, None]
    near, index = (values[others].reshape(rows.size, -1) for values in (near, index))
    row, place = np.nonzero(near <= _reach(near, k, rounding))
    return rows[row], index[row, place], near[row, place]
