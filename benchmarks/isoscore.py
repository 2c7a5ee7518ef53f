"""IsoScore from the traces of the scatter matrix, beside the IsoScore package and the bare Gram product.

Both sides get the same C-ordered NumPy array with points as rows and return one number. (The package copies its input
into a tensor, be it an array or a tensor: that is part of its cost.) The Gram product X.T @ X is not a rival but the
floor: one pass over the data in their dtype, on NumPy's symmetric product. The truth is the published formula on the
eigenvalues of a covariance in float64.
"""

from __future__ import annotations

import numpy as np
from IsoScore.IsoScore import IsoScore

from benchmarks._harness import Case, Data
from skgeom.metrics import isoscore


def cases(data: Data) -> list[Case]:
    wide = data.x.astype(np.float64)
    return [case for x in (data.x, wide) for case in (_package(data.name, x), _floor(data.name, x))]


def _package(name: str, x: np.ndarray) -> Case:
    return Case(
        f"{name} {x.dtype}",
        "IsoScore package",
        (x,),
        isoscore,
        lambda x: float(IsoScore(x)),
        error=_error,
        speed_target="≥ 1.8",
        memory_target="≤ 1/6",
    )


def _floor(name: str, x: np.ndarray) -> Case:
    target = "≥ 0.67 (1 / 1.5)"
    return Case(f"{name} {x.dtype}", "X.T @ X alone", (x,), isoscore, lambda x: x.T @ x, speed_target=target)


def _error(score: float, x: np.ndarray) -> float:
    values = np.linalg.eigvalsh(np.cov(x.astype(np.float64), rowvar=False))
    d = values.size
    defect = np.linalg.norm(np.sqrt(d) * values / np.linalg.norm(values) - 1) / np.sqrt(2 * (d - np.sqrt(d)))
    truth = ((d - defect**2 * (d - np.sqrt(d))) ** 2 - d) / (d * (d - 1))
    return abs(score - truth)
