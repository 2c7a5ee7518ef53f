"""A linear probe: logistic regression on white coordinates, which reaches its optimum in a few passes over the rows."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

PENALTIES = (0.1, 1.0, 10.0, 100.0)
"""Inverse strengths C of the regularisation of the probe, for rows whose mean length is 1."""

_TOLERANCE = 1e-4


def hits(white: np.ndarray, spread: np.ndarray, codes: np.ndarray, n_train: int, n_known: int) -> np.ndarray:
    """Return which rows from `n_known` on a probe classifies correctly.

    Its penalty is chosen on the rows from `n_train` to `n_known` by a fit to those before; then it is fitted to both.
    """
    fits: list[np.ndarray] = []
    n_classes = int(codes.max()) + 1
    for C in PENALTIES:
        fits.append(fit(white[:n_train], spread, codes[:n_train], n_classes, C, fits[-1] if fits else None))
    chosen = slice(n_train, n_known)
    best = int(np.argmax([np.mean(predicted(weights, white[chosen]) == codes[chosen]) for weights in fits]))
    weights = fit(white[:n_known], spread, codes[:n_known], n_classes, PENALTIES[best], fits[best])
    return predicted(weights, white[n_known:]) == codes[n_known:]


def fit(
    white: np.ndarray, spread: np.ndarray, codes: np.ndarray, n_classes: int, C: float, start: np.ndarray | None = None
) -> np.ndarray:
    r"""Return the logistic regression of K classes on the rows z = white * spread, as weights of white rows.

    The optimum, up to 1e-5 of the loss or less, is that of scikit-learn's LogisticRegression(C=C) on z:

    .. math:: \min_{W, b} \frac1n \sum_i -\log \mathrm{softmax}(W z_i + b)_{y_i} + \frac{1}{2 C n} \lVert W \rVert^2

    with one row of W for two classes, that of the second, and K otherwise. L-BFGS looks for it in coordinates in which
    white rows have the Hessian I where all classes are equally likely, so that it needs few steps at any spread and C.

    Parameters
    ----------
    white : array of shape (n, k)
        Uncorrelated coordinates of unit variance, or nearly so.
    spread : array of shape (k,)
        Standard deviations of the columns of z.
    codes : array of shape (n,)
        Classes, from 0 to K - 1.
    n_classes : int
        K. A class without rows is possible.
    C : float
        Inverse strength of the penalty.
    start : array of shape (1 or K, k + 1), default=None
        Weights to start from.

    Returns
    -------
    array of shape (1 or K, k + 1)
        Weights, the intercept last.
    """
    n, k = white.shape
    m = n_classes if n_classes > 2 else 1
    curvature, ridge = (n_classes - 1) / n_classes**2, 1 / (C * n)
    hessian = curvature * spread**2 + ridge
    unit = np.append(spread / np.sqrt(hessian), curvature**-0.5)
    pull = np.append(ridge / hessian, 0.0)

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        v = flat.reshape(m, k + 1)
        loss, residuals = _misfit(_logits(v * unit, white), codes)
        slopes = np.column_stack([residuals @ white, residuals.sum(axis=1)]) / n
        return loss + 0.5 * float((pull * v * v).sum()), (slopes * unit + pull * v).ravel()

    begin = np.zeros((m, k + 1)) if start is None else start / unit
    options = {"gtol": _TOLERANCE, "ftol": _TOLERANCE**2, "maxiter": 1000}
    found = minimize(objective, begin.ravel(), jac=True, method="L-BFGS-B", options=options)
    return found.x.reshape(m, k + 1) * unit


def predicted(weights: np.ndarray, white: np.ndarray) -> np.ndarray:
    """Return the most likely class of each row."""
    logits = _logits(weights, white)
    return logits.argmax(axis=0) if len(logits) > 1 else (logits[0] > 0).astype(np.intp)


def _logits(weights: np.ndarray, white: np.ndarray) -> np.ndarray:
    """Return the logits of rows (K, n), or of two classes that of the second, where the first has 0 (1, n)."""
    w = weights.astype(white.dtype)
    return w[:, :-1] @ white.T + w[:, -1:]


def _misfit(logits: np.ndarray, codes: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the mean loss, and its derivatives by the logits times the number of rows."""
    if len(logits) == 1:
        t = np.where(codes == 1, -logits[0], logits[0])  # the loss is log(1 + exp(t))
        e = np.exp(-np.abs(t))
        loss = np.maximum(t, 0) + np.log1p(e)
        p = np.where(t > 0, 1, e) / (1 + e)
        return float(loss.mean(dtype=np.float64)), np.where(codes == 1, -p, p)[None]
    own = codes, np.arange(len(codes))
    highest = logits.max(axis=0)
    p = np.exp(logits - highest)
    total = p.sum(axis=0)
    loss = highest + np.log(total) - logits[own]
    p /= total
    p[own] -= 1
    return float(loss.mean(dtype=np.float64)), p
