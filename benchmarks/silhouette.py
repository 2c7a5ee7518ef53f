"""Silhouette under three distances beside scikit-learn's, and its accuracy far from the origin.

Both sides get the same rows and labels and return the same score. The squared Euclidean and the cosine one come
from class sums in O(n k d), where scikit-learn forms all pairs; the Euclidean one needs the pairs on both sides. Its
floor is half the product of all pairs, which is not a silhouette, but what any exact one by
matrix products must compute.

Accuracy is the largest error of a silhouette among 2,000 rows to which an offset is added in float32. The truth uses
these float32 rows in double precision, around their mean, where nothing cancels; for the cosine it takes half the
squared distance between the unit rows, normalised and centred in extended precision.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from sklearn import metrics as peer

from benchmarks._harness import Case, Data, rotated_cloud
from skgeom.metrics import silhouette_samples, silhouette_score

SPEED_TARGETS = {"sqeuclidean": "≥ 300", "cosine": "≥ 35"}
EUCLIDEAN_TARGETS = {
    ("float32", 2): "≥ 4",
    ("float32", 100): "≥ 3.3",
    ("float32", 1000): "≥ 3",
    ("float64", 2): "≥ 2.2",
}
FLOOR_ROWS = 512
OFFSETS = (0.0, 1e2, 1e4)


def cases(data: Data) -> list[Case]:
    sample = np.random.default_rng(0).permutation(data.x.shape[0])[:2000]
    full = [_full(data, metric) for metric in SPEED_TARGETS]
    euclidean = [_euclidean(data, dtype, k) for dtype, k in EUCLIDEAN_TARGETS]
    floors = [_floor(data, dtype) for dtype in ("float32", "float64")]
    return [*full, *euclidean, *floors, _large()] + [
        _offset(data.x[sample], data.y[sample], metric, offset)
        for metric in ("sqeuclidean", "cosine")
        for offset in OFFSETS
    ]


def _full(data: Data, metric: str) -> Case:
    return Case(
        f"{metric}, {data.name} float32",
        "scikit-learn",
        (data.x, data.y),
        partial(silhouette_score, metric=metric),
        partial(peer.silhouette_score, metric=metric),
        speed_target=SPEED_TARGETS[metric],
    )


def _euclidean(data: Data, dtype: str, k: int) -> Case:
    y = data.y if k == 2 else np.random.default_rng(0).permutation(np.arange(data.y.size) % k)
    return Case(
        f"euclidean, {data.name} {dtype}, {k:,} labels",
        "scikit-learn",
        (data.x.astype(dtype), y),
        silhouette_samples,
        peer.silhouette_samples,
        error=_euclidean_error if dtype == "float32" and k == 2 else None,
        speed_target=EUCLIDEAN_TARGETS[dtype, k],
        memory_target="≤ 64 MiB",
        error_target="≤ 1e-6" if dtype == "float32" and k == 2 else "",
    )


def _floor(data: Data, dtype: str) -> Case:
    return Case(
        f"euclidean, {data.name} {dtype}, 2 labels",
        "half the product",
        (data.x.astype(dtype), data.y),
        silhouette_samples,
        _half_product,
    )


def _large() -> Case:
    y = np.random.default_rng(0).permutation(np.arange(40_000) % 100)
    return Case(
        "euclidean, synthetic 40,000 x 512 float32, 100 labels",
        "scikit-learn",
        (rotated_cloud(40_000, np.arange(1, 513) ** -0.4).astype(np.float32), y),
        silhouette_samples,
        peer.silhouette_samples,
        speed_target=EUCLIDEAN_TARGETS["float32", 100],
        memory_target="≤ 64 MiB",
    )


def _half_product(x: np.ndarray, _: np.ndarray) -> np.ndarray:
    out = np.empty((FLOOR_ROWS, x.shape[0]), dtype=x.dtype)
    for start in range(0, x.shape[0] // 2, FLOOR_ROWS):
        rows = x[start : min(start + FLOOR_ROWS, x.shape[0] // 2)]
        np.matmul(rows, x.T, out=out[: rows.shape[0]])
    return out


def _euclidean_error(values: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    return float(np.abs(values - peer.silhouette_samples(x.astype(np.float64), y)).max())


def _offset(x: np.ndarray, y: np.ndarray, metric: str, offset: float) -> Case:
    return Case(
        f"{metric}, 2,000 rows float32, offset {offset:,.0f}",
        "scikit-learn",
        (x + np.float32(offset), y),
        partial(silhouette_samples, metric=metric),
        partial(peer.silhouette_samples, metric=metric),
        error=partial(_error, metric),
        error_target="≤ 1e-6",
        timed=False,
    )


def _error(metric: str, values: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    rows = x.astype(np.longdouble)
    if metric == "cosine":
        rows /= np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    rows = (rows - rows.mean(axis=0)).astype(np.float64)
    return float(np.abs(values - peer.silhouette_samples(rows, y, metric="sqeuclidean")).max())
