"""Upper bounds on the minimum angle of n points on the sphere in d dimensions."""

from __future__ import annotations

from collections.abc import Callable
from math import acos, comb, pi, tan

import numpy as np

_PROVEN = {
    (3, 7): 0.21013831273060,
    (3, 8): 0.26120387496374,
    (3, 9): 1 / 3,
    (3, 10): 0.40439432521625,
    (3, 11): 5**-0.5,
    (3, 13): 0.54263648682963,
    (3, 14): 0.56395030036050,
    (3, 24): 0.72307846833350,
    (4, 10): 1 / 6,
    (4, 24): 1 / 2,
    (4, 120): (1 + 5**0.5) / 4,
}
"""The cosine of a proven optimum better than the formulas below, by dimension and number of points, rounded down."""


def tammes_bound(n: int, d: int) -> float:
    """Return an upper bound on the minimum angle of n points in d dimensions, in radians."""
    if d == 1:
        return pi if n == 2 else 0.0
    if d == 2:
        return 2 * pi / n
    if n <= d + 1:
        return acos(-1 / (n - 1))
    if n <= 2 * d:
        return pi / 2
    general = fejes_toth(n) if d == 3 else acos(least_cosine(n, d))
    return min([general, *(acos(cosine) for (k, m), cosine in _PROVEN.items() if k == d and m <= n)])


def fejes_toth(n: int) -> float:
    """Return the bound of Fejes Tóth for n points in three dimensions: the edge of a triangle of area 4π/(2n - 4)."""
    cotangent = 1 / tan(n * pi / (6 * (n - 2)))
    return acos((cotangent**2 - 1) / 2)


def least_cosine(n: int, d: int) -> float:
    """Return the cosine s at which Levenshtein's bound on the size of a code of largest cosine s reaches n."""
    k = 1
    while 2 * comb(d + k - 1, d - 1) < n:
        k += 1
    odd = n <= comb(d + k - 1, d - 1) + comb(d + k - 2, d - 1)
    if odd:
        return _bisect(lambda s: _odd(s, k, d) < n, _largest_zero(k - 1, 1, 1, d), _largest_zero(k, 1, 0, d))
    return _bisect(lambda s: _even(s, k, d) < n, _largest_zero(k, 1, 0, d), _largest_zero(k, 1, 1, d))


def _odd(s: float, k: int, d: int) -> float:
    """Return Levenshtein's bound of degree 2k - 1."""
    before, here, _ = _gegenbauer(s, k, d)
    return comb(k + d - 3, k - 1) * ((2 * k + d - 3) / (d - 1) - (before - here) / ((1 - s) * here))


def _even(s: float, k: int, d: int) -> float:
    """Return Levenshtein's bound of degree 2k."""
    _, here, after = _gegenbauer(s, k, d)
    share = (1 + s) * (here - after) / ((1 - s) * (here + after))
    return comb(k + d - 2, k) * ((2 * k + d - 1) / (d - 1) - share)


def _gegenbauer(s: float, k: int, d: int) -> tuple[float, float, float]:
    """Return the Gegenbauer polynomials of degrees k - 1, k and k + 1 at s, scaled to 1 at 1."""
    before, here, after = 0.0, 1.0, s
    for i in range(1, k + 1):
        before, here, after = here, after, ((2 * i + d - 2) * s * after - i * here) / (i + d - 2)
    return before, here, after


def _largest_zero(k: int, a: int, b: int, d: int) -> float:
    """Return the largest zero of the Jacobi polynomial of degree k and exponents a + (d - 3)/2 and b + (d - 3)/2."""
    if k == 0:
        return -1.0
    alpha, beta = a + (d - 3) / 2, b + (d - 3) / 2
    i = np.arange(k)
    total = 2 * i + alpha + beta
    diagonal = (beta**2 - alpha**2) / (total * (total + 2))
    i, total = i[1:], total[1:]
    squares = 4 * i * (i + alpha) * (i + beta) * (i + alpha + beta) / (total**2 * (total + 1) * (total - 1))
    off = np.sqrt(squares)
    return float(np.linalg.eigvalsh(np.diag(diagonal) + np.diag(off, 1) + np.diag(off, -1))[-1])


def _bisect(is_below: Callable[[float], bool], low: float, high: float) -> float:
    """Return the largest number, up to rounding, for which a monotone condition is true."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return low
