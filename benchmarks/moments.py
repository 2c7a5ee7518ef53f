"""What is summed up in one pass over the rows; `busy` runs it with two threads beside busy processes.

Threads of BLAS that wait for each other at the end of every product burn the time of the processes beside them; here
threads share blocks of rows, each with one thread of BLAS. The peers are scikit-learn's PCA by the covariance matrix
and SciPy.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import lstsq, orthogonal_procrustes
from sklearn.decomposition import PCA

from benchmarks._harness import Case, Data, rotated_cloud
from skgeom.alignment import LstsqAligner, ProcrustesAligner
from skgeom.metrics import isoscore
from skgeom.preprocessing import Whitening

N, D = 60_000, 256


def cases(data: Data) -> list[Case]:
    x = rotated_cloud(N, np.arange(1, D + 1) ** -0.5).astype(np.float32)
    y = (x @ np.linalg.qr(rotated_cloud(D, np.ones(D), seed=1))[0] + 0.1).astype(np.float32)
    whitening, pca = Whitening().fit(x), _pca().fit(x)
    shape = f"{N:,} x {D} float32"
    return [
        Case(f"IsoScore, {shape}", "PCA.fit", (x,), isoscore, lambda x: _pca().fit(x), speed_target="≥ 3"),
        Case(
            f"whitening, fit, {shape}",
            "PCA.fit",
            (x,),
            lambda x: Whitening().fit(x),
            lambda x: _pca().fit(x),
            speed_target="≥ 3",
        ),
        Case(f"whitening, transform, {shape}", "PCA.transform", (x,), whitening.transform, pca.transform),
        Case(
            f"Procrustes, fit, {shape}",
            "SciPy",
            (x, y),
            lambda x, y: ProcrustesAligner().fit(x, y),
            orthogonal_procrustes,
            speed_target="≥ 3",
        ),
        Case(
            f"least squares, fit, {shape}",
            "SciPy (gelsy)",
            (x, y),
            lambda x, y: LstsqAligner().fit(x, y),
            lambda x, y: lstsq(x, y, lapack_driver="gelsy"),
            speed_target="≥ 3",
        ),
    ]


def _pca() -> PCA:
    return PCA(whiten=True, svd_solver="covariance_eigh")
