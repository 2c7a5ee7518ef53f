"""What needs all pairs on clouds whose close pairs a product in float32 would lose, beside distinct rows.

Rows come twice, in a narrow cone, in classes collapsed to a point each, and as sentences do: premises that several
hypotheses share (SNLI), and questions of which some were asked before (TREC). The silhouette is set beside
scikit-learn's, and every measure beside itself on Gaussian rows of the same shape and labels, of which no pair is
close: "times as fast" is then the time of these over that of the rows in question.

Errors are against float64 on the same rows: the largest of a silhouette, and that of a uniformity.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from sklearn import metrics as peer

from benchmarks._harness import Case, Data
from skgeom.metrics import median_angle, mma, silhouette_samples, uniformity

N, D, K = 3000, 256, 10
Cloud: TypeAlias = tuple[np.ndarray, np.ndarray]
Measured: TypeAlias = tuple[Any, np.ndarray]


def cases(data: Data) -> list[Case]:
    found: list[Case] = []
    for name, (x, y) in {**_synthetic(), **_real(data.folder)}.items():
        gaussian = np.random.default_rng(1).standard_normal(x.shape).astype(np.float32)
        least = "≥ 0.67 (1 / 1.5)" if "cone" in name else "≥ 0.5 (1 / 2)" if "collapsed" in name else "≥ 0.62 (1 / 1.6)"
        found += [
            _beside_scikit_learn(name, x, y),
            _beside_gaussian(f"silhouette, {name}", silhouette_samples, (x, gaussian, y), least, _silhouette_error),
            _beside_gaussian(f"uniformity, {name}", _uniformity, (x, gaussian, y), least, _uniformity_error),
        ]
        if "collapsed" in name:
            found += [
                _beside_gaussian(f"{measure.__name__}, {name}", partial(_unlabelled, measure), (x, gaussian, y), least)
                for measure in (mma, median_angle)
            ]
    return found


def _synthetic() -> dict[str, Cloud]:
    rng = np.random.default_rng(0)
    x, places = rng.standard_normal((N, D)), rng.standard_normal((K, D))
    y = rng.permutation(np.arange(N) % K)
    some = x.copy()
    some[: N // 100] = x[-(N // 100) :]
    clouds = {
        "1 % of rows twice": rng.permutation(some),
        "every row twice": np.repeat(x[::2], 2, axis=0)[rng.permutation(N)],
        "cone of mean cosine .9997": places[0] + 0.0173 * x,
        "classes collapsed to 1e-3": places[y] + 1e-3 * x,
    }
    return {name: (cloud.astype(np.float32), y) for name, cloud in clouds.items()}


def _real(folder: str | None) -> dict[str, Cloud]:
    found: dict[str, Cloud] = {}
    for name, file in {"SNLI premises": "snli_dev_minilm.npz", "TREC questions": "trec_minilm.npz"}.items():
        path = Path(folder or "") / file
        if folder and path.exists():
            with np.load(path) as stored:
                x = stored["X_raw"][stored["i"]] if "i" in stored else stored["X_raw"]
                found[name] = x.astype(np.float32), stored["y"]
    return found


def _beside_scikit_learn(name: str, x: np.ndarray, y: np.ndarray) -> Case:
    return Case(
        f"silhouette, {name}, {x.shape[0]:,} x {x.shape[1]}",
        "scikit-learn",
        (x, y),
        silhouette_samples,
        peer.silhouette_samples,
        error=lambda values, x, y: _silhouette_error((values, x), x, x, y),
        speed_target="≥ 2" if "collapsed" in name else "≥ 3",
        error_target="≤ 1e-5",
    )


def _beside_gaussian(
    name: str,
    measure: Callable[[np.ndarray, np.ndarray], Any],
    inputs: tuple[np.ndarray, ...],
    least: str,
    error: Callable[..., float] | None = None,
) -> Case:
    return Case(
        f"{name}, {inputs[0].shape[0]:,} x {inputs[0].shape[1]}",
        "itself on Gaussian rows",
        inputs,
        lambda x, gaussian, y: (measure(x, y), x),
        lambda x, gaussian, y: (measure(gaussian, y), gaussian),
        error=error,
        speed_target=least,
        error_target="" if error is None else "≤ 1e-5" if error is _silhouette_error else "≤ 1e-6",
    )


def _unlabelled(measure: Callable[[np.ndarray], float], x: np.ndarray, _: np.ndarray) -> float:
    return measure(x)


def _uniformity(x: np.ndarray, _: np.ndarray) -> float:
    return uniformity(x)


def _silhouette_error(measured: Measured, *inputs: np.ndarray) -> float:
    values, x = measured
    exact = x.astype(np.float64)
    return float(np.abs(values - peer.silhouette_samples(exact - exact.mean(axis=0), inputs[-1])).max())


def _uniformity_error(measured: Measured, *_: np.ndarray) -> float:
    value, x = measured
    u = x.astype(np.float64)
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    n = u.shape[0]
    total = sum(np.exp(4 * (u[i : i + 512] @ u.T) - 4).sum() for i in range(0, n, 512))
    return float(abs(value - np.log((total - n) / (n * (n - 1)))))
