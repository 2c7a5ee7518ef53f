"""Tests of whether two representations of the same rows are related."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import permutations
from math import factorial
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from scipy.stats import skew

from skgeom._array import in_full_precision, take_rows
from skgeom._core._permutation import (
    Neighbourhoods,
    Null,
    null_of_centred,
    null_of_doubly_centred,
    null_of_overlap,
)
from skgeom._core.sums._spaces import Space, doubly_centred_product, shuffled_agreement
from skgeom._validation import check_choice, check_count, check_groups, check_seed
from skgeom.comparison._checks import check_same_rows, check_space
from skgeom.comparison._null import p_value
from skgeom.comparison._overlap import Metric, neighbourhoods, shared
from skgeom.comparison._spaces import bases, shape_angle

Statistic: TypeAlias = Literal["cka", "plain_cka", "mean_squared_correlation", "shape_distance", "neighbour_overlap"]

_ENUMERATED = 8
"""Rows up to which all permutations are looked at."""

_ENUMERATED_GROUPS = 6
"""Groups up to which they are: a permutation of these has the cost of all their rows."""

_FEWEST_GROUPS = 4

_PERMUTATIONS = 999
_EQUAL = 1e-12


@dataclass(frozen=True)
class RelationTest:
    """A statistic of two representations of the same rows, and its distribution for unrelated ones.

    Attributes
    ----------
    statistic : float
        The value that its function returns.
    pvalue : float
        Probability of at least this agreement if the rows of one space were shuffled. Below 1e-6 the closed form is an
        extrapolation: read it as "< 1e-6".
    zscore : float
        Distance of the value from the mean of shuffled rows, in standard deviations, positive towards agreement.
    null_mean, null_std, null_skewness : float
        Moments of the statistic of shuffled rows.
    method : {"closed form", "all permutations", "permutations"}
        Origin of the moments and of the p-value.
    """

    statistic: float
    pvalue: float
    zscore: float
    null_mean: float
    null_std: float
    null_skewness: float
    method: str


class Relation(NamedTuple):
    """A statistic of n rows, its moments for shuffled rows if they are known, and its value for a given order.

    The sign is -1 if a smaller value means more agreement.
    """

    n: int
    value: float
    of_order: Callable[[np.ndarray], float]
    null: Callable[[], Null] | None
    sign: int = 1


@in_full_precision
def relation_test(
    X: Any,
    Y: Any,
    *,
    groups: Any = None,
    statistic: Statistic = "cka",
    k: int = 10,
    metric: Metric = "cosine",
    n_permutations: int | None = None,
    random_state: int | np.random.Generator | None = None,
) -> RelationTest:
    r"""Test whether two representations of the same rows are related, against shuffled rows.

    The null hypothesis is that the rows of Y belong to those of X in any order with equal probability.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The rows in one space, at least 4.
    Y : array of shape (n_samples, m_features)
        The same rows in another; the widths may differ.
    groups : array of shape (n_samples,), default=None
        The group of each row, such as its document: rows of one group may depend on one another. At least 4 groups, all
        of one size. Whole groups are then shuffled, with the rows of each in order.
    statistic : {"cka", "plain_cka", "mean_squared_correlation", "shape_distance", "neighbour_overlap"}, default="cka"
        The statistic: `cka`, debiased or plain, or the function of that name.
    k : int, default=10
        Number of neighbours, for "neighbour_overlap".
    metric : {"cosine", "euclidean"}, default="cosine"
        Distance of neighbours, for "neighbour_overlap".
    n_permutations : int, default=None
        Number of random orders. None uses the closed form if there is a valid one, and otherwise 999 random orders, as
        always with groups.
    random_state : int, generator of NumPy or None, default=None
        Seed of the random orders.

    Returns
    -------
    RelationTest
        Value, p-value and the moments for shuffled rows.

    Raises
    ------
    ValueError
        As the function of the statistic, if `statistic` is unknown, `n_permutations` is not positive, or there are
        fewer than 4 groups or groups of different sizes.

    See Also
    --------
    compare : All pairs of many spaces.

    Notes
    -----
    All statistics have a closed form except "shape_distance", and "neighbour_overlap" with tied neighbours. The mean
    and the variance are exact. Debiased CKA has mean 0 and variance 2 / (n (n - 3)) for all data; the p-value takes
    Pearson's distribution of type III with the skewness of the data, for "neighbour_overlap" with that of rare events,
    which is too small for k near n / 2. Where the skewness exceeds 2, or a few rows dominate both spaces, three moments
    do not suffice and random orders are used; for at most eight rows, all orders. Beyond 2,048 rows the skewness of
    debiased CKA leaves out a sum over pairs; that of "plain_cka" and "mean_squared_correlation" has it always, at O(n²
    d) time.

    It takes the time of the function and a second pass over the rows; each random order costs O(n d m) anew, or O(n²)
    up to 2,048 rows. Rows that depend on one another, such as sentences of one document, are not exchangeable: the
    p-value is then too small unless `groups` names them, and shifting rows instead of shuffling does not help. If
    groups differ in size, compare their means, or as many rows of each. A map that was fitted to these pairs, such as
    `skgeom.alignment.LstsqAligner`, relates even unrelated rows: test pairs that it has not seen.

    References
    ----------
    Kazi-Aoual et al. 1995, Refined approximations to permutation tests for multivariate inference,
    doi:10.1016/0167-9473(94)00064-J. Székely & Rizzo 2013, The distance correlation t-test of independence in high
    dimension, doi:10.1016/j.jmva.2013.02.012.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.comparison import relation_test
    >>> rng = np.random.default_rng(0)
    >>> X, Y = rng.normal(size=(50, 100)), rng.normal(size=(50, 80))
    >>> round(relation_test(X, Y).pvalue, 2)
    0.45
    >>> round(relation_test(X, X + 3 * rng.normal(size=(50, 100))).pvalue, 3)
    0.003
    """
    check_choice(statistic, _STATISTICS, "statistic")
    n_drawn = _PERMUTATIONS if n_permutations is None else check_count(n_permutations, "n_permutations")
    options = {"k": k, "metric": metric} if statistic == "neighbour_overlap" else {}
    relation = _STATISTICS[statistic](X, Y, **options)
    units = np.arange(relation.n)[:, None] if groups is None else _groups_of_one_size(groups, relation.n)
    if len(units) <= (_ENUMERATED if groups is None else _ENUMERATED_GROUPS):
        every = (_order(units, np.array(order)) for order in permutations(range(len(units))))
        return _by_orders(relation, every, factorial(len(units)), "all permutations")
    if n_permutations is None and relation.null is not None and groups is None:
        null = relation.null()
        if null.is_told:
            z, p = null.z_score(relation.value), p_value(null, relation.value)
            return RelationTest(relation.value, p, z, null.mean, null.std, null.skewness, "closed form")
    rng = check_seed(random_state)
    drawn = (_order(units, rng.permutation(len(units))) for _ in range(n_drawn))
    return _by_orders(relation, drawn, n_drawn, "permutations")


def _groups_of_one_size(groups: Any, n: int) -> np.ndarray:
    """Return the rows (n_groups, size) of each group."""
    found, codes = check_groups(groups, n)
    sizes = np.bincount(codes)
    if len(found) < _FEWEST_GROUPS:
        raise ValueError(f"Found {len(found)} groups, but at least {_FEWEST_GROUPS} are needed to shuffle them.")
    if sizes.min() < sizes.max():
        raise ValueError(
            f"Groups must be of equal size to be shuffled, got sizes from {sizes.min()} to {sizes.max()}: "
            "compare the means of groups, or as many rows of each."
        )
    return np.argsort(codes, kind="stable").reshape(len(found), -1)


def _order(units: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return the order of rows in which units (n_units, size) of them take the places of others."""
    rows = np.empty(units.size, dtype=np.int64)
    rows[units] = units[order]
    return rows


def _by_orders(relation: Relation, orders: Iterator[np.ndarray], n_orders: int, method: str) -> RelationTest:
    values = np.fromiter(map(relation.of_order, orders), np.float64, n_orders)
    tolerance = _EQUAL * max(1.0, abs(relation.value))
    n_beyond = np.count_nonzero(relation.sign * values >= relation.sign * relation.value - tolerance)
    drawn = method == "permutations"
    mean, std = float(values.mean()), float(values.std())
    z = relation.sign * (relation.value - mean) / std if std > tolerance else 0.0
    asymmetry = float(skew(values)) if std > tolerance else 0.0
    pvalue = float((n_beyond + drawn) / (n_orders + drawn))
    return RelationTest(relation.value, pvalue, z, mean, std, asymmetry, method)


def debiased_null(x: Space, y: Space) -> Null:
    """Return the moments of debiased CKA of shuffled rows."""
    return null_of_doubly_centred(x.n, x.doubly_centred, y.doubly_centred)


def _cka(X: Any, Y: Any) -> Relation:
    rows = check_same_rows(X, Y)
    x, y = check_space(rows[0], "X"), check_space(rows[1], "Y")
    scale, agreement = (x.doubly_centred_squares * y.doubly_centred_squares) ** 0.5, shuffled_agreement(x, y)

    def of_order(order: np.ndarray) -> float:
        return doubly_centred_product(agreement(order), x, y, order) / scale

    return Relation(x.n, of_order(np.arange(x.n)), of_order, partial(debiased_null, x, y))


def _plain_cka(X: Any, Y: Any) -> Relation:
    rows = check_same_rows(X, Y)
    x, y = (check_space(side, name, debiased=False) for side, name in zip(rows, "XY", strict=True))
    return _of_inner_products(x, y, (x.squares * y.squares) ** -0.5)


def _mean_squared_correlation(X: Any, Y: Any) -> Relation:
    x, y = bases(*check_same_rows(X, Y))
    return _of_inner_products(x, y, max(x.x.shape[1], y.x.shape[1]))


def _of_inner_products(x: Space, y: Space, factor: float) -> Relation:
    agreement = shuffled_agreement(x, y)

    def null() -> Null:
        found = null_of_centred(x.n, x.centred, y.centred)
        return found._replace(mean=factor * found.mean, std=factor * found.std)

    return Relation(x.n, factor * agreement(np.arange(x.n)), lambda order: factor * agreement(order), null)


def _shape_distance(X: Any, Y: Any) -> Relation:
    rows = check_same_rows(X, Y)
    x, y = (check_space(side, name, debiased=False) for side, name in zip(rows, "XY", strict=True))
    return Relation(x.n, shape_angle(x, y.x, y), lambda order: shape_angle(x, take_rows(y.x, order), y), None, sign=-1)


def _neighbour_overlap(X: Any, Y: Any, k: int, metric: Metric) -> Relation:
    a, b = neighbourhoods(X, Y, k, metric)
    n = a.shape[0]

    def of_order(order: np.ndarray) -> float:
        return float(shared(a, b[order][:, order]).mean()) / k

    def null() -> Null:
        sums = [Neighbourhoods(float((w * w.T).sum()), float((w.sum(axis=0) ** 2).sum())) for w in (a, b)]
        return null_of_overlap(n, k, *sums)

    is_tied = any(w.nnz != n * k for w in (a, b))
    return Relation(n, of_order(np.arange(n)), of_order, None if is_tied else null)


_STATISTICS: dict[str, Callable[..., Relation]] = {
    "cka": _cka,
    "plain_cka": _plain_cka,
    "mean_squared_correlation": _mean_squared_correlation,
    "shape_distance": _shape_distance,
    "neighbour_overlap": _neighbour_overlap,
}
