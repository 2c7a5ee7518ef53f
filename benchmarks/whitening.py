"""Whitening(k) beside PCA(k, svd_solver="covariance_eigh", whiten=True), and how white the output is.

Both estimators see the same array once, form a d x d covariance, decompose it and keep k axes; "covariance_eigh" is the
fastest of scikit-learn's solvers and its own choice at these shapes. `fit` and `transform` are timed apart. The error
is max |cov - I| of the output of `transform` on the same rows in their own dtype, its covariance formed in float64. The
offset is added to every coordinate, in units of the largest standard deviation along any axis.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from sklearn.decomposition import PCA

from benchmarks._harness import Case, Data, rotated_cloud
from skgeom.preprocessing import Whitening


def cases(data: Data) -> list[Case]:
    shift = 10 * np.sqrt(np.linalg.eigvalsh(np.cov(data.x, rowvar=False))[-1])
    synthetic = rotated_cloud(20_000, 1 / np.arange(1, 257))
    clouds = (
        (f"{data.name} float32", data.x, 128, False),
        (f"{data.name} float64", data.x.astype(np.float64), 128, False),
        (f"{data.name} float32 at 10 deviations", (data.x + shift).astype(np.float32), 128, True),
        ("synthetic 20,000 x 256 float32", synthetic.astype(np.float32), 64, False),
        ("synthetic 20,000 x 256 float32 at 10 deviations", (synthetic + 10).astype(np.float32), 64, True),
    )
    fits = [_fit(f"fit, {name}, k = {k}", x, k, "≤ 1/100 of the peer's" if far else "") for name, x, k, far in clouds]
    return fits + [_transform(f"transform, {name}, k = {k}", x, k) for name, x, k, _ in clouds[:2]]


def _fit(name: str, x: np.ndarray, k: int, error_target: str) -> Case:
    return Case(
        name,
        "PCA covariance_eigh",
        (x,),
        partial(_fitted, Whitening(k)),
        partial(_fitted, _pca(k)),
        error=_error,
        speed_target="≥ 0.95",
        error_target=error_target,
    )


def _transform(name: str, x: np.ndarray, k: int) -> Case:
    ours, peer = Whitening(k).fit(x), _pca(k).fit(x)
    return Case(name, "PCA", (x,), ours.transform, peer.transform, speed_target="≥ 0.87 (1 / 1.15)")


def _pca(k: int) -> PCA:
    return PCA(k, svd_solver="covariance_eigh", whiten=True)


def _fitted(estimator: Any, x: np.ndarray) -> Any:
    return estimator.fit(x)


def _error(estimator: Any, x: np.ndarray) -> float:
    z = estimator.transform(x).astype(np.float64)
    return float(np.abs(np.cov(z, rowvar=False) - np.eye(z.shape[1])).max())
