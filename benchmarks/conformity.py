"""Conformity in O(n d) beside the mean of all cosines formed block by block.

Both sides return the mean cosine of each row to all others, without itself, from the same array. The rival divides the
rows by their norms and multiplies blocks of 1,024 of them with all rows, so that it holds no n x n array either and
spends its time in matrix products. The truth is the rival in float64.
"""

from __future__ import annotations

import numpy as np

from benchmarks._harness import Case, Data, rotated_cloud
from skgeom.metrics import conformity

BLOCK = 1024


def cases(data: Data) -> list[Case]:
    large = (rotated_cloud(40_000, np.arange(1, 513) ** -0.4) + 0.2).astype(np.float32)
    return [
        _case(f"{data.name} float32", data.x, "≥ 400"),
        _case("synthetic 40,000 x 512 float32", large, ""),
    ]


def pairwise(x: np.ndarray) -> np.ndarray:
    """Return the mean cosine of each row to all others from all pairs."""
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    n = unit.shape[0]
    sums = [(unit[start : start + BLOCK] @ unit.T).sum(axis=1) for start in range(0, n, BLOCK)]
    return (np.concatenate(sums) - 1) / (n - 1)


def _case(name: str, x: np.ndarray, speed_target: str) -> Case:
    return Case(name, "all pairs in blocks", (x,), conformity, pairwise, error=_error, speed_target=speed_target)


def _error(values: np.ndarray, x: np.ndarray) -> float:
    rows = x[:: max(1, x.shape[0] // 500)].astype(np.float64)
    unit = x.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    cosines = rows / np.linalg.norm(rows, axis=1, keepdims=True) @ unit.T
    truth = (cosines.sum(axis=1) - 1) / (x.shape[0] - 1)
    return float(np.abs(values[:: max(1, x.shape[0] // 500)] - truth).max())
