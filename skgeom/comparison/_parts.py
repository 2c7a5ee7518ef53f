"""The tests of means, variances, covariances and kernel means of several clouds, of all or of some of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import combinations_with_replacement, permutations
from typing import NamedTuple

import numpy as np
from scipy.stats import f

from skgeom._array import namespace, numbers, to_numpy
from skgeom._core._permutation import Null, doubly_centred, null_of_doubly_centred, sums_of, sums_of_membership
from skgeom._core.sums._moments import Moments, ThinMoments
from skgeom._typing import Array
from skgeom.comparison._null import p_value, positive
from skgeom.comparison._sides import Side

_ORDERS = 999
"""Random orders that are drawn at once where the moments do not determine the tail."""

_FEW = 100
"""Rows of a cloud below which the squares of its distances are too few for the distribution of Welch."""

_TOO_FEW = 40
"""Rows of a cloud below which its covariance may lack what dominates that of another: orders are looked at too."""

_SHUFFLED = 400
"""Rows of each cloud whose squared distances are looked at in random orders."""

MOST_ORDERS = 20_000
"""Orders, the given one included, after which a value that none has reached gets its p-value."""

_ROUNDING = 1e-12
"""Share of values below which what they differ by is rounding."""

_ROUNDING_OF_LENGTHS = 1e-7
"""The same for a deviation that is a difference of sums of squares."""


class Part(NamedTuple):
    """One respect in which clouds may differ.

    Attributes
    ----------
    pvalue : float
        Probability of a difference as large between clouds that do not differ in this respect.
    effect : float
        Size of the difference; see `CloudTest`.
    """

    pvalue: float
    effect: float


class Means:
    """The differences expected between the means of several clouds, given only their covariances C.

    The means are off by errors with covariances C_k / n_k. Traces of products of two and three of these, without the
    bias of few rows, are the moments of any quadratic form of the errors.
    """

    def __init__(self, sides: Sequence[Side], rng: np.random.Generator) -> None:
        xp, ms = namespace(sides[0].moments.mean), [side.moments for side in sides]
        self.sizes = np.array([m.n for m in ms])
        self.unit = max(side.variance for side in sides)
        self.own = sides[0].variance / self.unit
        means = xp.stack([(m.mean - ms[0].mean) / self.unit**0.5 for m in ms])
        traces = numbers([m.total_variance() for m in ms]) / self.unit
        gaps = to_numpy(means[:, None, :] - means[None, :, :])
        self.squared = np.sum(gaps**2, axis=2) - np.add.outer(traces / self.sizes, traces / self.sizes)
        self.errors = traces / self.sizes
        self.two, self.three = _traces(ms, self.unit)
        self._debias(traces)
        self.products = products(sides, rng) if self.sizes.min() < _TOO_FEW else None
        self.two /= np.multiply.outer(self.sizes, self.sizes)
        self.three /= np.multiply.outer(np.multiply.outer(self.sizes, self.sizes), self.sizes)

    def _debias(self, traces: np.ndarray) -> None:
        """Remove what the rows of one cloud contribute to traces of products of its covariance, as for normal rows."""
        plain = self.two.copy()
        for i, (trace, n) in enumerate(zip(traces, self.sizes, strict=True)):
            m = n - 1
            cubed = self.three[i, i, i]
            self.two[i, i] = _without_bias([plain[i, i], trace**2], m)
            for j in set(range(len(traces))) - {i}:
                value = _without_bias([self.three[i, i, j], trace * plain[i, j]], m)
                for order in ((i, i, j), (i, j, i), (j, i, i)):
                    self.three[order] = value
            self.three[i, i, i] = _without_bias([cubed, plain[i, i] * trace, trace**3], m)

    def test(self, which: Sequence[int]) -> Part:
        """Return the test of whether some of the clouds have one mean.

        The statistic is the mean squared distance between the means of two rows of different clouds, and with B the
        Laplacian of the numbers of these pairs of rows, a form of the errors e of the means: Σ B_kl ⟨e_k, e_l⟩ without
        the expectation.

        A cloud of few rows may lack the rows that dominate the covariance of others. Its p-value is at least that by
        random orders of all rows, unless none reaches the value.
        """
        n = self.sizes[list(which)]
        weights = np.multiply.outer(n, n)
        np.fill_diagonal(weights, 0.0)
        weights /= weights.sum() / 2
        b = np.diag(weights.sum(axis=0)) - weights
        value = float(np.sum(weights * self.squared[np.ix_(which, which)])) / 2
        variance = 2 * float(np.sum(b * b * self.two[np.ix_(which, which)]))
        third = 8 * float(np.einsum("kl,lm,mk,klm->", b, b, b, self.three[np.ix_(which, which, which)]))
        null = Null(0.0, variance**0.5, max(third, 0.0) / variance**1.5)
        pvalue = max(p_value(null, value), self._p_value_by_f(np.diag(b), list(which), value, variance))
        if self.products is not None and n.min() < _TOO_FEW:
            by_orders = self.products.test(which).pvalue
            pvalue = max(pvalue, by_orders) if by_orders > 1 / MOST_ORDERS else pvalue
        return Part(pvalue, float(max(value, 0.0) / self.own) ** 0.5)

    def _p_value_by_f(self, b: np.ndarray, which: list[int], value: float, variance: float) -> float:
        """Return the p-value by an F distribution (Box 1954), which counts the errors of the covariances too.

        b are the weights of the errors of the means. The errors matter where a cloud of few rows varies along few
        directions: their number is about (tr C²)³ / (tr C³)².
        """
        expected = float(b @ self.errors[which])
        own, cubed = np.diag(self.two)[which], np.einsum("kkk->k", self.three)[which]
        squares = b**2 * own
        two, three = own / self.errors[which] ** 2, cubed / self.errors[which] ** 3  # without a unit
        fewness = np.clip(three**2 / np.maximum(two, _ROUNDING) ** 3, 0.0, 1.0)
        spread = float(squares**2 @ (fewness / (self.sizes[which] - 1)))
        degrees = 2 * expected**2 / variance, float(squares.sum()) ** 2 / max(spread, np.finfo(float).tiny)
        return positive(f.sf((value + expected) / expected, *degrees))


def _traces(clouds: Sequence[Moments], unit: float) -> tuple[np.ndarray, np.ndarray]:
    """Return tr C_i C_j (k, k) and tr C_i C_j C_l (k, k, k) of the covariances, in a unit."""
    k, thin = len(clouds), [m for m in clouds if isinstance(m, ThinMoments)]
    if len(thin) == k and sum(m.n for m in thin) <= 2 * clouds[0].mean.shape[0]:
        of_two, of_three = _traces_of_rows([m.rows / ((m.n - 1) * unit) ** 0.5 for m in thin])
    else:
        of_two, of_three = _traces_of_matrices([m.dense().scatter / ((m.n - 1) * unit) for m in clouds])
    pairs, triples = (list(combinations_with_replacement(range(k), size)) for size in (2, 3))
    values = numbers([of_two(*pair) for pair in pairs] + [of_three(*triple) for triple in triples])
    two, three = np.empty((k, k)), np.empty((k, k, k))
    for places, value in zip(pairs + triples, values, strict=True):
        for order in permutations(places):
            (two if len(places) == 2 else three)[order] = value
    return two, three


def _traces_of_matrices(c: Sequence[Array]) -> tuple[Callable[..., Array], Callable[..., Array]]:
    """Return the traces of products of two and of three matrices, given their positions."""
    total, product = namespace(c[0]).sum, lru_cache(maxsize=1)(lambda i, j: c[i] @ c[j])
    return lambda i, j: total(c[i] * c[j]), lambda i, j, k: total(product(i, j) * c[k])


def _traces_of_rows(rows: Sequence[Array]) -> tuple[Callable[..., Array], Callable[..., Array]]:
    """Return the same for the matrices RᵀR of rows R, of which there are fewer than dimensions."""
    total, g = namespace(rows[0]).sum, [[a @ b.T for b in rows] for a in rows]
    return lambda i, j: total(g[i][j] ** 2), lambda i, j, k: total((g[i][j] @ g[j][k]) * g[i][k])


def _without_bias(values: Sequence[float], m: float) -> float:
    """Return tr C² or tr C³, given (tr C², (tr C)²) or (tr C³, tr C² tr C, (tr C)³) of a sample covariance.

    They solve the expectations of these for m times the covariance of normal rows with m degrees of freedom (Letac &
    Massam 2004). The first also gives tr C² D from (tr C² D, tr C tr C D), D being of other rows.
    """
    if len(values) == 2:
        return float(m * m / ((m - 1) * (m + 2)) * (values[0] - values[1] / m))
    expected = [
        [1 + 3 / m + 4 / m**2, 3 / m + 3 / m**2, 1 / m**2],
        [4 / m + 4 / m**2, 1 + 1 / m + 4 / m**2, 1 / m],
        [8 / m**2, 6 / m, 1],
    ]
    return float(np.linalg.solve(expected, values)[0])


class Scales:
    """The mean squared distances to the own mean, of several clouds, and some of their rows."""

    def __init__(self, sides: Sequence[Side], rng: np.random.Generator) -> None:
        unit = max(side.variance for side in sides)
        self.sizes = np.array([side.moments.n for side in sides])
        self.means = np.array([side.variance / unit for side in sides])
        self.deviations = np.array([side.deviation / unit for side in sides])
        self.about, self.within = [side.about / unit**0.5 for side in sides], [side.within / unit for side in sides]
        self.rng = rng

    def test(self, which: Sequence[int]) -> Part:
        """Return Welch's analysis of variance of the squared distances of some clouds; of two it is his t test.

        Of few rows beside many it does not have its distribution, for squares are skewed; random orders of the rows
        about their means do not hold for skewed rows of few features. The larger p-value of the two does for both.
        """
        n, means, deviations = (values[list(which)] for values in (self.sizes, self.means, self.deviations))
        k, first = len(means), means[0]
        effect = float(means[1] / first if k == 2 else means.max() / means.min())
        if deviations.max() <= _ROUNDING_OF_LENGTHS * means.max():
            return Part(positive(np.ptp(means) <= _ROUNDING * means.max()), effect)
        value, slack = _welch(n, means, deviations**2, means.max())
        pvalue = positive(f.sf(value, k - 1, 1 / (3 * slack)))
        if n.min() < _FEW:
            pvalue = max(pvalue, self._p_value_by_orders(which))
        return Part(pvalue, effect)

    def _p_value_by_orders(self, which: Sequence[int]) -> float:
        """Return the p-value of Welch's statistic by random orders of the rows about their means (Janssen 1997).

        In each order the distances are those to the mean of the rows that come together in it.
        """
        parts = [(self.about[k][:_SHUFFLED], self.within[k][:_SHUFFLED]) for k in which]
        about, within = map(np.concatenate, zip(*parts, strict=True))
        code = np.repeat(np.arange(len(which)), [len(one) for one, _ in parts])
        sizes, products = np.bincount(code)[:, None], about @ about.T
        own, of_all = np.diag(products), products.sum(axis=1, keepdims=True)
        unit, last = float((own + within).max()), len(sizes) - 1

        def statistic(orders: np.ndarray) -> np.ndarray:
            means, variances = np.empty((2, len(sizes), orders.shape[1]))
            rest = of_all
            for k, n in enumerate(sizes[:, 0]):
                member = (orders == k).astype(np.float64)
                to_sum = rest if k == last else products @ member
                rest, alone = rest - to_sum, own * (n / (n - 1)) + within
                mean_square = np.einsum("ij,ij->j", member, to_sum) / (n * (n - 1))
                q = alone[:, None] - to_sum * (2 / (n - 1))  # less a mean square, which does not vary
                means[k] = (alone @ member) / n - mean_square
                variances[k] = np.einsum("ij,ij->j", member, q * q) - (alone @ member - 2 * n * mean_square) ** 2 / n
                variances[k] /= n - 1
            return _welch(sizes, means, variances, unit)[0]

        least = statistic(code[:, None])[0] * (1 - _ROUNDING)
        return _share_of_orders(code, lambda orders: statistic(orders) >= least, self.rng)


def _welch(n: np.ndarray, means: np.ndarray, variances: np.ndarray, unit: float) -> tuple[np.ndarray, np.ndarray]:
    """Return Welch's F, and the third of the reciprocal of its second degrees of freedom, of k groups: (k, ...)."""
    k = len(means)
    weights = n / np.maximum(variances, (_ROUNDING_OF_LENGTHS * unit) ** 2)
    shares = weights / weights.sum(axis=0)
    between = np.sum(weights * (means - np.sum(shares * means, axis=0)) ** 2, axis=0) / (k - 1)
    slack = np.sum((1 - shares) ** 2 / (n - 1), axis=0) / (k * k - 1)
    return between / (1 + 2 * (k - 2) * slack), slack


def _share_of_orders(code: np.ndarray, reach: Callable[[np.ndarray], np.ndarray], rng: np.random.Generator) -> float:
    """Return the share of random orders of codes, the given one included, that reach a value: (n, m) to (m,).

    More are drawn until one does.
    """
    reached = drawn = 1
    while reached == 1 and drawn < MOST_ORDERS:
        orders = np.stack([rng.permutation(code) for _ in range(min(_ORDERS, MOST_ORDERS - drawn))], axis=1)
        reached += int(np.count_nonzero(reach(orders)))
        drawn += orders.shape[1]
    return reached / drawn


class Similarities:
    """The similarities of the rows of several clouds to one another, or of groups of them."""

    def __init__(self, similarities: np.ndarray, sizes: Sequence[int], rng: np.random.Generator) -> None:
        self.similarities, self.sizes, self.rng = similarities, np.asarray(sizes), rng
        self.starts = np.cumsum(self.sizes) - self.sizes

    def test(self, which: Sequence[int]) -> Part:
        """Return the test of whether rows of one cloud, of some of them, are more similar than those of different ones.

        If a few rows dominate, three moments do not determine the tail, and random orders of the rows are used.
        """
        sizes = self.sizes[list(which)]
        index = np.concatenate([np.arange(self.starts[k], self.starts[k] + self.sizes[k]) for k in which])
        similarities = self.similarities[np.ix_(index, index)]
        a = doubly_centred(similarities)
        sums, groups = sums_of(a), sums_of_membership(sizes.tolist())
        if sums.squares <= _ROUNDING * np.vdot(similarities, similarities):
            return Part(1.0, 0.0)
        code = np.repeat(np.arange(len(sizes)), sizes)
        scale = (sums.squares * groups.squares) ** 0.5
        value = float(_within(a, code[:, None], sizes)[0]) / scale
        null = null_of_doubly_centred(len(a), sums, groups)
        if null.is_told:
            return Part(p_value(null, value), value)
        least = (value - _ROUNDING) * scale
        return Part(_share_of_orders(code, lambda orders: _within(a, orders, sizes) >= least, self.rng), value)


def _within(a: np.ndarray, orders: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return Σ_k 1/n_k times the sum of a doubly centred matrix within cloud k, for the clouds of each order (n, m).

    That is the product with the membership, doubly centred or not, since the rows sum to 0. So do the products of all
    clouds, of which the last follows from the others.
    """
    members = [(orders == k).astype(np.float64) for k in range(len(sizes))]
    products = [a @ one for one in members[:-1]]
    products.append(-sum(products))
    return sum(np.sum(p * one, axis=0) / n for p, one, n in zip(products, members, sizes, strict=True))


def covariances(sides: Sequence[Side], rng: np.random.Generator) -> Similarities:
    """Return ⟨z, z'⟩² of differences z of random pairs of rows, which do not depend on the mean."""
    found = [_differences(side) for side in sides]
    z = np.concatenate([rows for rows, _ in found])
    z /= np.sqrt(np.mean(np.sum(z * z, axis=1))) or 1.0
    return _of_units((z @ z.T) ** 2, [units for _, units in found], rng)


def products(sides: Sequence[Side], rng: np.random.Generator) -> Similarities:
    """Return the inner products of the rows, whose excess within the clouds is the distance between their means."""
    rows = _about_their_mean(sides)
    return _of_units(rows @ rows.T, [side.units for side in sides], rng)


def kernel_means(sides: Sequence[Side], rng: np.random.Generator) -> Similarities:
    """Return Gaussian kernels of the distances between rows, of which the median of those above 0 is the width."""
    rows = _about_their_mean(sides)
    squares = np.sum(rows * rows, axis=1)
    both = squares[:, None] + squares[None, :]
    distances = both - 2 * (rows @ rows.T)
    distances[distances <= _ROUNDING * both] = 0.0
    apart = distances[np.triu_indices(len(rows), 1)]
    typical = np.median(apart) or np.median(apart[apart > 0]) if apart.any() else 1.0
    return _of_units(np.exp(-distances / (2 * typical)), [side.units for side in sides], rng)


def _about_their_mean(sides: Sequence[Side]) -> np.ndarray:
    """Return the rows of several clouds about their common mean, with 1 as their mean square length."""
    rows = np.concatenate([side.rows for side in sides])
    rows = rows - rows.mean(axis=0)
    return rows / (np.sqrt(np.mean(np.sum(rows * rows, axis=1))) or 1.0)


def _differences(side: Side) -> tuple[np.ndarray, np.ndarray]:
    """Return differences between rows of each two units that follow one another, and the number of these two.

    Rows of larger groups are paired as far as the smaller of the two has rows.
    """
    sizes = np.bincount(side.units)
    starts = np.cumsum(sizes) - sizes
    n = len(sizes) // 2
    each = np.minimum(sizes[0 : 2 * n : 2], sizes[1 : 2 * n : 2])
    place = np.arange(each.sum()) - np.repeat(np.cumsum(each) - each, each)
    first, second = (np.repeat(starts[i : 2 * n : 2], each) + place for i in (0, 1))
    return side.rows[first] - side.rows[second], np.repeat(np.arange(n), each)


def _of_units(similarities: np.ndarray, units: Sequence[np.ndarray], rng: np.random.Generator) -> Similarities:
    """Return the means of similarities over the rows of each two units."""
    sizes = [int(codes[-1]) + 1 for codes in units]
    counts = np.concatenate([np.bincount(codes) for codes in units])
    if counts.max() > 1:
        starts = np.cumsum(counts) - counts
        similarities = np.add.reduceat(np.add.reduceat(similarities, starts, axis=0), starts, axis=1)
        similarities /= np.multiply.outer(counts, counts)
    return Similarities(similarities, sizes, rng)
