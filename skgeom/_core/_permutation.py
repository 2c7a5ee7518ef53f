"""Moments, in closed form, of statistics of two spaces of the same rows if the rows of one are shuffled.

For symmetric n x n matrices A and B and a random permutation π of the rows of B, a statistic is tr(A B_π) = Σ_ij A_ij
B_π(i)π(j). Its first three moments over all n! permutations are linear in a few sums over the entries of each matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

SMALLEST = 6
"""Minimum number of rows for the closed form of the third moment."""

_MOST_SKEWED = 2.0
"""Skewness beyond which three moments do not determine the tail."""

_MOST_CONCENTRATED = 0.25
"""Concentration beyond which they do not: the excess kurtosis is about ten times as large."""


class Null(NamedTuple):
    """Mean, standard deviation and skewness of a statistic under the null hypothesis.

    The concentration is n κ κ', with κ = Σ R_i² / (Σ R_i)² of the squares R_i = Σ_j A_ij² of the rows of either matrix:
    1 / n if all rows have the same weight. If few rows dominate both matrices, the statistic depends on whether these
    meet. `step` is the distance of the values that the statistic takes, if they are few.
    """

    mean: float
    std: float
    skewness: float
    concentration: float = 0.0
    step: float = 0.0

    @property
    def is_told(self) -> bool:
        """Whether the moments determine the tail of the distribution."""
        return abs(self.skewness) <= _MOST_SKEWED and self.concentration <= _MOST_CONCENTRATED

    def z_score(self, value: float) -> float:
        """Return the number of standard deviations by which a value exceeds the mean."""
        return (value - self.mean) / self.std


class DoublyCentred(NamedTuple):
    """Sums of a symmetric matrix A without diagonal whose rows sum to 0: Σ A_ij², tr A³, Σ A_ij³, and κ of its rows."""

    squares: float
    trace_cubed: float
    cubes: float
    concentration: float


class Centred(NamedTuple):
    """Sums over all i and j of a symmetric matrix A whose rows sum to 0.

    They are tr A, Σ A_ij², Σ A_ii², Σ A_ii³, Σ A_ii A_ij A_jj, tr A³, Σ A_ij³, Σ A_ii A_ij², and κ of its rows.
    """

    trace: float
    squares: float
    diagonal_squares: float
    diagonal_cubes: float
    between_diagonals: float
    trace_cubed: float
    cubes: float
    diagonal_by_squares: float
    concentration: float

    def without_mean(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the sums of A - tr A / (n - 1) (I - J / n), whose trace is 0: (f, q) and (c, h, r, τ, w)."""
        t, f, q, c, h, r, cubes, w, _ = self
        a, b = t / (n - 1), t / n
        f0, q0 = f - a * a * (n - 1), q - 2 * b * t + n * b * b
        c0 = c - 3 * b * q + 3 * b * b * t - n * b**3
        h0 = h - a * (q - t * t / n)
        r0 = r - 3 * a * f + 3 * a * a * t - a**3 * (n - 1)
        w0 = w - b * f - 2 * a * (q - b * t)
        s = a / n
        own = c + 3 * s * q + 3 * s * s * t + n * s**3  # Σ (A_ii + s)³
        cubes0 = cubes + 3 * s * f + n * n * s**3 - own + c0
        return np.array([f0, q0]), np.array([c0, h0, r0, cubes0, w0])


def null_of_doubly_centred(n: int, a: DoublyCentred, b: DoublyCentred) -> Null:
    """Return the moments of tr(A B_π) / √(Σ A² Σ B²) of n >= 6 rows: mean 0, and a variance that depends only on n."""
    scale = (a.squares * b.squares) ** 0.5
    third = (
        8 * (n**3 - 9 * n**2 + 26 * n - 22) * a.trace_cubed * b.trace_cubed
        - 8 * (3 * n**2 - 15 * n + 16) * (a.trace_cubed * b.cubes + a.cubes * b.trace_cubed)
        + 4 * (n**4 - 8 * n**3 + 19 * n**2 - 4 * n - 16) * a.cubes * b.cubes
    ) / (n * (n - 1) * (n - 2) * (n - 3) * (n - 4) * (n - 5))
    variance = 2 / (n * (n - 3))
    return Null(0.0, variance**0.5, third / scale**3 / variance**1.5, n * a.concentration * b.concentration)


def null_of_centred(n: int, a: Centred, b: Centred) -> Null:
    """Return the moments of tr(A B_π) of n >= 6 rows."""
    (two_a, three_a), (two_b, three_b) = a.without_mean(n), b.without_mean(n)
    variance = float(two_a @ _second(n) @ two_b)
    third = float(three_a @ _third(n) @ three_b)
    skewness = third / variance**1.5
    return Null(a.trace * b.trace / (n - 1), variance**0.5, skewness, n * a.concentration * b.concentration)


def _second(n: int) -> np.ndarray:
    """Return the form of the variance in (f, q)."""
    mixed = -2 / ((n - 2) * (n - 3))
    return np.array([[2 / (n * (n - 3)), mixed], [mixed, n * (n + 1) / ((n - 1) * (n - 2) * (n - 3))]])


def _third(n: int) -> np.ndarray:
    """Return the form of the third moment in (c, h, r, τ, w): a sum over the partitions of six indices."""
    m = n - 2
    above = [
        [
            n * (n + 1) * (n**2 + 15 * n - 4) / ((n - 1) * m),
            -6 * (n**2 - n + 4) / m,
            16,
            -4 * (n**2 - n + 4) / m,
            -12 * (n - 1) * (n + 4) / m,
        ],
        [
            6 * (n**3 - 6 * n**2 + 9 * n + 12) / (n * (n - 1)),
            -24 * (n**2 - 5 * n + 8) / (n * (n - 1) * m),
            24 * (n**2 - n - 4) / (n * (n - 1) * m),
            24 * (n**3 - 2 * n**2 - 3 * n + 12) / (n * (n - 1) * m),
        ],
        [
            8 * (n**3 - 9 * n**2 + 26 * n - 22) / (n * (n - 1) * m),
            -8 * (3 * n**2 - 15 * n + 16) / (n * (n - 1) * m),
            -24 * (n**2 - 5 * n + 8) / (n * (n - 1)),
        ],
        [
            4 * (n**4 - 8 * n**3 + 19 * n**2 - 4 * n - 16) / (n * (n - 1) * m),
            24 * (n**2 - n - 4) / (n * (n - 1)),
        ],
        [12 * (n + 4) * (n**2 - 3 * n + 6) / (n * (n - 1))],
    ]
    form = np.zeros((5, 5))
    for i, row in enumerate(above):
        form[i, i:] = form[i:, i] = row
    return form / ((n - 3) * (n - 4) * (n - 5))


class Neighbourhoods(NamedTuple):
    """Sums of a matrix with k ones in each row, none on the diagonal: Σ A_ij A_ji, and Σ of squared column sums."""

    mutual: float
    squared_in_degrees: float


def null_of_overlap(n: int, k: int, a: Neighbourhoods, b: Neighbourhoods) -> Null:
    """Return the moments of Σ_ij A_ij B_π(i)π(j) / (n k) of n >= 4 rows.

    Mean and variance are exact. The skewness is about that of rare events which occur one by one, or two at once where
    both pairs are mutual, drawn without replacement; with k above n / 2, of rows that are not neighbours.
    """
    total = n * k
    two, three = n * (n - 1), n * (n - 1) * (n - 2)
    rest = [total**2 - 3 * total * k + total + s.mutual - s.squared_in_degrees for s in (a, b)]
    second = (
        total**2 / two
        + a.mutual * b.mutual / two
        + (total * (k - 1)) ** 2 / three
        + (a.squared_in_degrees - total) * (b.squared_in_degrees - total) / three
        + 2 * (total * k - a.mutual) * (total * k - b.mutual) / three
        + rest[0] * rest[1] / (three * (n - 3))
    )
    mean = k / (n - 1)
    std = max(second / total**2 - mean**2, 0.0) ** 0.5
    few, mutual = min(k, n - 1 - k), [s.mutual if 2 * k < n else two - 2 * total + s.mutual for s in (a, b)]
    one, both = n * few**2 / (n - 1), mutual[0] * mutual[1] / two
    third = (one + 3 * both) / (one + both) * (1 - 2 * few / (n - 1)) ** 2  # over the variance
    return Null(mean, std, third / (total * std) if std else 0.0, step=1 / total)


def doubly_centred(matrix: np.ndarray) -> np.ndarray:
    """Return a symmetric matrix without its diagonal, shifted so that its rows sum to 0."""
    n, a = len(matrix), matrix.copy()
    np.fill_diagonal(a, 0.0)
    sums = a.sum(axis=1) / (n - 2)
    a -= sums[:, None]
    a -= sums[None, :] - sums.sum() / (n - 1)
    np.fill_diagonal(a, 0.0)
    return a


def sums_of(a: np.ndarray) -> DoublyCentred:
    """Return the sums of a doubly centred matrix."""
    squares, square = a * a, a @ a.T  # a product of a matrix with itself: BLAS forms half of it
    rows = squares.sum(axis=1)
    return DoublyCentred(float(rows.sum()), float(np.vdot(square, a)), float(np.vdot(squares, a)), _share(rows))


def sums_of_membership(sizes: Sequence[int]) -> DoublyCentred:
    """Return the sums of the matrix that is 1 / n_k between two rows of group k and 0 between others, doubly centred.

    It is constant between the rows of any two groups.
    """
    n_k = np.asarray(sizes, dtype=np.float64)
    n, k = n_k.sum(), len(n_k)
    sums = (n_k - 1) / n_k / (n - 2)
    v = np.diag(1 / n_k) - sums[:, None] - sums[None, :] + (n - k) / ((n - 1) * (n - 2))
    own, counts = np.diag(v), np.multiply.outer(n_k, n_k)
    rows = v**2 @ n_k - own**2
    walks = v * n_k
    trace = float(
        np.trace(walks @ walks @ walks) - 3 * np.sum(n_k * own * np.diag(walks @ v)) + 2 * np.sum(n_k * own**3)
    )
    cubes = float(np.sum(counts * v**3) - np.sum(n_k * own**3))
    return DoublyCentred(float(n_k @ rows), trace, cubes, _share(np.repeat(rows, sizes)))


def _share(squares: np.ndarray) -> float:
    """Return κ, given the squares of the rows; 1 if all are 0."""
    total = float(squares.sum())
    return float(np.sum((squares / total) ** 2)) if total else 1.0
