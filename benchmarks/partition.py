"""Isotropy of the partition function beside the loop over directions of the published code.

Both sides take the eigenvectors of XᵀX with both signs as directions and return I1 = min Z / max Z or
I2 = std Z / mean Z of the rows as they are; exponentials are taken in the dtype of X. The rival evaluates
Z(v) = Σ exp⟨v, x⟩ one direction
after the other, as public implementations do (they iterate over the rows of the eigenvector matrix; here over its
columns, as the definition says). The truth is the definition in float64 in the log domain; errors are relative. Rows
multiplied by 30 overflow float32 in the loop, which then gives zero or no number at all.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.special import logsumexp

from benchmarks._harness import Case, Data, rotated_cloud
from skgeom.metrics import partition_dispersion, partition_isotropy


def cases(data: Data) -> list[Case]:
    isotropy, dispersion = (partial(f, normalize=False) for f in (partition_isotropy, partition_dispersion))
    scaled = 30 * data.x
    large = (0.1 * rotated_cloud(40_000, np.arange(1, 513) ** -0.4) + 0.02).astype(np.float32)
    return [
        _case(f"I1, {data.name} float32", data.x, isotropy, _i1),
        _case(f"I2, {data.name} float32", data.x, dispersion, _i2),
        _case("I1, synthetic 40,000 x 512 float32", large, isotropy, _i1),
        _case(f"I1, {data.name} float32, times 30", scaled, isotropy, _i1, "finite", timed=False),
        _case(f"I2, {data.name} float32, times 30", scaled, dispersion, _i2, "finite", timed=False),
    ]


def _case(
    name: str,
    x: np.ndarray,
    ours: Callable[[np.ndarray], float],
    of_z: Callable[[np.ndarray], float],
    error_target: str = "",
    *,
    timed: bool = True,
) -> Case:
    return Case(
        name,
        "loop over directions",
        (x,),
        ours,
        lambda x: of_z(loop(x)),
        error=partial(_error, of_z),
        speed_target="≥ 5" if timed else "",
        error_target=error_target,
        timed=timed,
    )


def loop(x: np.ndarray) -> np.ndarray:
    """Return Z of each eigenvector of XᵀX and of its negative, one after the other."""
    vectors = np.linalg.eigh(x.T @ x)[1]
    with np.errstate(over="ignore"):
        return np.array([np.exp(x @ (sign * v)).sum() for v in vectors.T for sign in (1, -1)])


def _i1(z: np.ndarray) -> float:
    return float(z.min() / z.max())


def _i2(z: np.ndarray) -> float:
    with np.errstate(invalid="ignore", over="ignore"):
        return float(z.std() / z.mean())


def _error(of_z: Callable[[np.ndarray], float], value: float, x: np.ndarray) -> float:
    wide = x.astype(np.float64)
    logits = wide @ np.linalg.eigh(wide.T @ wide)[1]
    log_z = np.concatenate([logsumexp(logits, axis=0), logsumexp(-logits, axis=0)])
    truth = of_z(np.exp(log_z - log_z.max()))
    return abs(value / truth - 1)
