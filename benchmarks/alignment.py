"""Procrustes and least squares from float32 pairs beside SciPy, in time and in accuracy.

40,000 pairs of 512 and 512 dimensions. Timed are `ProcrustesAligner().fit` and `LstsqAligner().fit`, which take float32
rows and form their products in float64. SciPy computes in the dtype that it is given: in float32, in float64 with the
copies that it then needs among what is timed, or in float64 from copies that are there already. `scipy.linalg.lstsq`
is LAPACK's gelsd. Errors are relative to SciPy's result on float64 copies.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from scipy import linalg

from benchmarks._harness import Case, Data
from skgeom.alignment import LstsqAligner, ProcrustesAligner

ROWS, COLUMNS = 40_000, 512


def cases(data: Data) -> list[Case]:
    inputs = _pairs(10)
    rotations = [
        Case(
            f"Procrustes {ROWS:,} x {COLUMNS}", peer, inputs, _rotation, theirs, _rotation_error, target, "", "≤ 1e-12"
        )
        for peer, theirs, target in (
            ("SciPy, float32 to float64", _scipy_rotation_of_copies, "≥ 1"),
            ("SciPy, float64", _scipy_rotation, "≥ 1"),
            ("SciPy, float32", _scipy_rotation_in_float32, ""),
        )
    ]
    maps = [
        Case(
            f"least squares {ROWS:,} x {COLUMNS}, condition {condition:.0e}",
            "SciPy, float64",
            _pairs(condition),
            _map,
            _scipy_map,
            _map_error,
            f"≥ {ratio}",
            "",
            "≤ 1e-6",
        )
        for condition, ratio in ((1e1, 4), (1e5, 2), (1e7, 2))
    ]
    return rotations + maps


def _pairs(condition: float) -> tuple[np.ndarray, ...]:
    """Return pairs in float32 and their copies in float64."""
    gauss, axes, mixing, noise = _draws()
    x = gauss * np.logspace(0, -np.log10(condition), COLUMNS).astype(np.float32) @ axes
    y = x @ mixing + noise
    return x, y, x.astype(np.float64), y.astype(np.float64)


@cache
def _draws() -> tuple[np.ndarray, ...]:
    """Return Gaussian rows, random axes, a Gaussian map and noise, in float32."""
    rng = np.random.default_rng(0)
    gauss, noise = (rng.standard_normal((ROWS, COLUMNS), dtype=np.float32) for _ in range(2))
    square = rng.standard_normal((COLUMNS, COLUMNS), dtype=np.float32)
    return gauss, np.linalg.qr(square)[0], square, 0.1 * noise


def _rotation(x: np.ndarray, y: np.ndarray, *copies: np.ndarray) -> np.ndarray:
    return ProcrustesAligner().fit(x, y).rotation_


def _scipy_rotation(x: np.ndarray, y: np.ndarray, x64: np.ndarray, y64: np.ndarray) -> np.ndarray:
    return linalg.orthogonal_procrustes(x64, y64)[0]


def _scipy_rotation_of_copies(x: np.ndarray, y: np.ndarray, *copies: np.ndarray) -> np.ndarray:
    return linalg.orthogonal_procrustes(x.astype(np.float64), y.astype(np.float64))[0]


def _scipy_rotation_in_float32(x: np.ndarray, y: np.ndarray, *copies: np.ndarray) -> np.ndarray:
    return linalg.orthogonal_procrustes(x, y)[0]


def _map(x: np.ndarray, y: np.ndarray, *copies: np.ndarray) -> np.ndarray:
    return LstsqAligner().fit(x, y).coef_.T


def _scipy_map(x: np.ndarray, y: np.ndarray, x64: np.ndarray, y64: np.ndarray) -> np.ndarray:
    return linalg.lstsq(x64, y64)[0]


def _rotation_error(rotation: np.ndarray, *inputs: Any) -> float:
    return _difference(rotation, _scipy_rotation(*inputs))


def _map_error(coefficients: np.ndarray, *inputs: Any) -> float:
    return _difference(coefficients, _scipy_map(*inputs))


def _difference(found: np.ndarray, truth: np.ndarray) -> float:
    return float(np.linalg.norm(found - truth) / np.linalg.norm(truth))
