"""The distance of rows from a standard normal cloud, averaged over all lines through the origin in closed form.

On a line with direction u the distance is that of the characteristic functions, ∫ |φ(t) - exp(-t²/2)|² dt under a
normal weight. The mean of exp(-z u₁²) over all directions is Kummer's M(z) = ₁F₁(1/2; d/2; -z), so the mean over lines
is a mean of M over the pairs of rows. M is a smooth function of w = (1 + 2z/d)^(-1/2), and close to w in many
dimensions: a few Chebyshev polynomials represent all its digits, and its derivative, in every array library.
"""

from __future__ import annotations

from functools import cache, partial
from math import ceil, sqrt
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev

from skgeom._array import as_data, float64, namespace, take_rows, to_numpy, vecdot, wants_gradient, with_gradients
from skgeom._core._rows import bounded
from skgeom._core.pairs._between_blocks import in_block_order, means_without, rows_without
from skgeom._core.pairs._energies import sum_over_pairs, sums_over_pairs_without
from skgeom._core.pairs._tiles import Squares
from skgeom._typing import Array

_FAR = 300.0
"""Upper limit of the integral, where cosh is still finite and the integrand below rounding."""


def sigreg(x: Array, sigma: float, *, debiased: bool) -> Array:
    """Return mean M(σ²‖x - y‖²/2) - 2/√(1+σ²) mean M(σ²‖x‖²/(2(1+σ²))) + 1/√(1+2σ²).

    The first mean is over all pairs of rows, or over those of different rows.
    """
    x = bounded(x)
    data, (n, d) = as_data(x), x.shape
    exact = partial(_exact_rows, data)
    total, pulls = sum_over_pairs(
        Squares(exact, data), partial(_kernel, sigma**2, d), with_gradient=(steep := wants_gradient(x))
    )
    own, k, slope = _singles(data, sigma)
    value = _distance(2 * total, namespace(k).mean(k), n, sigma, debiased=debiased)
    if not steep:
        return with_gradients(value, [x], [])
    weight = _weight_of_singles(sigma) / n
    return with_gradients(value, [x], [2 / _n_pairs(n, debiased=debiased) * pulls[0] + weight * slope[:, None] * own])


def sigreg_without(codes: np.ndarray, x: Array, sigma: float, *, debiased: bool) -> np.ndarray:
    """Return the same for the rows outside each block, and for all rows (b + 1,); the codes (n,) are on the host."""
    codes, data = in_block_order(codes, bounded(as_data(x)))
    space = Squares(partial(_exact_rows, data), data)
    totals = sums_over_pairs_without(codes, space, partial(_kernel, sigma**2, x.shape[1]))
    singles = means_without(codes, to_numpy(_singles(data, sigma)[1]))
    return _distance(totals, singles, rows_without(codes), sigma, debiased=debiased)


def _singles(x: Array, sigma: float) -> tuple[Array, Array, Array]:
    """Return the rows in float64, and M of each with the weight of the row in the gradient."""
    own = _exact_rows(x, slice(None))
    return own, *_kernel(sigma**2 / (1 + sigma**2), x.shape[1], vecdot(own, own))


def _distance(total: Any, singles: Any, n: Any, sigma: float, *, debiased: bool) -> Any:
    """Return the distance from the sum of M over the ordered pairs of different rows, and its mean over the rows."""
    ownership = 0.0 if debiased else 1 / n
    of_pairs = total / _n_pairs(n, debiased=debiased) + ownership
    return of_pairs - _weight_of_singles(sigma) * singles + 1 / sqrt(1 + 2 * sigma**2)


def _n_pairs(n: Any, *, debiased: bool) -> Any:
    return n * (n - 1) if debiased else n * n


def _weight_of_singles(sigma: float) -> float:
    return 2 / sqrt(1 + sigma**2)


def kummer(w: Array, d: int) -> tuple[Array, Array]:
    """Return ₁F₁(1/2; d/2; -z) and ₁F₁(3/2; d/2 + 1; -z), which is -d times its derivative, at z = (w⁻² - 1) d/2."""
    values, slopes = _series(d)
    return _clenshaw(values, w), w * w * w * _clenshaw(slopes, w)


@cache
def _series(d: int) -> tuple[list[float], list[float]]:
    """Return the Chebyshev coefficients of M and of dM/dw as functions of 2w - 1.

    Their number suffices for the rounding of M: from 102 on a line, where M = exp(-z), to 16 in thousands of
    dimensions.
    """

    def function(t: np.ndarray) -> Any:
        z = d / 2 * ((2 / (1 + t)) ** 2 - 1)
        return np.exp(-z) if d == 1 else _quadrature(z, d) / _quadrature(np.zeros(1), d)

    values = chebyshev.chebinterpolate(function, 13 + ceil(88 / sqrt(d)))
    return values.tolist(), (2 * chebyshev.chebder(values)).tolist()


def _quadrature(z: np.ndarray, d: int) -> np.ndarray:
    """Return ∫ exp(-z tanh² x) cosh(x)^(1 - d) dx over x > 0, which is M(z) times its value at 0.

    With x = sinh(s) / √(2z + d) the integrand has the same scale for all z and d, and the trapezoidal rule is exact to
    rounding.
    """
    s = np.arange(0.0, 20.0, 0.1)
    unit = 1 / np.sqrt(2 * z[:, None] + d)
    x = np.minimum(unit * np.sinh(s), _FAR)
    log_cosh = np.log1p(2 * np.sinh(x / 2) ** 2)
    values = np.exp(-z[:, None] * np.tanh(x) ** 2 - (d - 1) * log_cosh) * unit * np.cosh(s)
    return np.sum(values, axis=1) - values[:, 0] / 2


def _clenshaw(coefficients: list[float], w: Array) -> Array:
    """Return Σ c_k T_k(2w - 1)."""
    twice = 4 * w - 2
    last, before = 0.0 * w, 0.0 * w
    for c in reversed(coefficients[1:]):
        new = twice * last
        new -= before
        new += c
        last, before = new, last
    return twice * last / 2 - before + coefficients[0]


def _kernel(share: float, d: int, squares: Array) -> tuple[Array, Array]:
    """Return M(share ‖x - y‖²/2) and the weight of the pair in the gradient, minus twice its derivative."""
    k, slope = kummer((1 + share / d * squares) ** -0.5, d)
    return k, share / d * slope


def _exact_rows(x: Array, which: slice | Array) -> Array:
    return float64(x[which, :] if isinstance(which, slice) else take_rows(x, which))
