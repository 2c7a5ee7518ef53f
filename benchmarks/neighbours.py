"""Nearest rows, retrieval, CSLS and hubs beside faiss and scikit-learn, and what ties and CSLS cost.

Peers get the same rows, divide them by their norms, build their index and search it, all of which is timed: faiss by
IndexFlatIP in float32, scikit-learn by NearestNeighbors with brute force under Euclidean distances, its fastest. CSLS
by faiss is a search among rows of one dimension more, (x, 1) and (y, -r(y) / 2). faiss is optional: pip install
faiss-cpu. Retrieval pairs every row with a copy to which noise was added.

Errors are the largest of a cosine distance on some rows, or the error of a recall, against all cosines in float64.
Equal rows are shown on the kernel for tensors of Torch, as a GPU would run it, beside that for arrays of NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy.stats import skew
from sklearn.neighbors import NearestNeighbors

from benchmarks._harness import Case, Data, Inputs
from skgeom._core.pairs import _neighbours
from skgeom.metrics import hubness, k_nearest, recall_at_k

try:
    import faiss
except ImportError:
    faiss = None

K, N_PAIRS, STEP = 10, 5000, 20


def cases(data: Data) -> list[Case]:
    x = data.x[:N_PAIRS]
    noise = np.random.default_rng(0).standard_normal(x.shape)
    pairs = x, (x + 2 * noise * np.std(x, axis=0)).astype(np.float32)
    name, shape = f"{data.name} float32, k = {K}", f"{N_PAIRS:,} pairs x {x.shape[1]} float32, k = {K}"
    plain, csls = partial(recall_at_k, k=K), partial(recall_at_k, k=K, metric="csls")
    nearest, nearest_by_csls = partial(k_nearest, k=K), partial(k_nearest, k=K, metric="csls")
    places = np.random.default_rng(0).standard_normal((4, 64))
    tied = (places[np.random.default_rng(1).integers(0, 4, 2048)],)
    return [
        Case(f"k_nearest, {name}", "scikit-learn", (data.x,), nearest, _nearest_by_scikit_learn, _distance_error),
        _beside_faiss(f"k_nearest, {name}", (data.x,), nearest, _nearest_by_faiss, _distance_error),
        _beside_faiss(f"hubness, {name}", (data.x,), hubness, _hubness_by_faiss),
        _beside_faiss(f"recall, {shape}", pairs, plain, _recall_by_faiss, partial(_recall_error, _cosines)),
        _beside_faiss(f"CSLS recall, {shape}", pairs, csls, _csls_by_faiss, partial(_recall_error, _similarities)),
        Case(f"CSLS recall, {shape}", "recall", pairs, csls, plain, speed_target="≥ 0.67 (1 / 1.5)"),
        Case(
            f"k_nearest by CSLS, {shape}", "by cosine", pairs, nearest_by_csls, nearest, speed_target="≥ 0.67 (1 / 1.5)"
        ),
        Case("2,048 x 64 rows on 4 points, Torch", "NumPy", tied, _nearest_on_torch, _nearest, speed_target="≥ 0.5"),
    ]


def _beside_faiss(
    name: str,
    inputs: Inputs,
    ours: Callable[..., Any],
    theirs: Callable[..., Any],
    error: Callable[..., float] | None = None,
) -> Case:
    if faiss is None:
        return Case(name, "faiss (not installed)", inputs, ours, theirs, timed=False)
    return Case(name, "faiss", inputs, ours, theirs, error)


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def _nearest_by_scikit_learn(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    distances, indices = NearestNeighbors(n_neighbors=K, algorithm="brute").fit(unit(x)).kneighbors()
    return distances**2 / 2, indices


def _search(x: np.ndarray, y: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the k largest products of each row of x with rows of y, and which these are."""
    index = faiss.IndexFlatIP(y.shape[1])
    index.add(y)
    return index.search(x, k)


def _nearest_by_faiss(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    u = unit(x)
    cosines, indices = _search(u, u, K + 1)
    others = indices != np.arange(x.shape[0])[:, None]
    others[others.all(axis=1), -1] = False  # a row behind more than k equal ones
    return 1 - cosines[others].reshape(-1, K), indices[others].reshape(-1, K)


def _hubness_by_faiss(x: np.ndarray) -> float:
    return float(skew(np.bincount(_nearest_by_faiss(x)[1].ravel(), minlength=x.shape[0])))


def _recall_by_faiss(x: np.ndarray, y: np.ndarray) -> float:
    return _share_found(_search(unit(x), unit(y), K)[1])


def _csls_by_faiss(x: np.ndarray, y: np.ndarray) -> float:
    u, v = unit(x), unit(y)
    crowding = _search(v, u, _neighbours.CSLS_NEIGHBOURS)[0].mean(axis=1)
    ones = np.ones((x.shape[0], 1), dtype=x.dtype)
    return _share_found(_search(np.hstack([u, ones]), np.hstack([v, -crowding[:, None] / 2]), K)[1])


def _share_found(indices: np.ndarray) -> float:
    return float((indices == np.arange(indices.shape[0])[:, None]).any(axis=1).mean())


def _distance_error(found: tuple[np.ndarray, np.ndarray], x: np.ndarray) -> float:
    u = unit(x.astype(np.float64))
    cosines = u[::STEP] @ u.T
    cosines[np.arange(cosines.shape[0]), np.arange(0, x.shape[0], STEP)] = -1
    return float(np.abs(found[0][::STEP] - 1 + np.sort(cosines, axis=1)[:, : -K - 1 : -1]).max())


def _recall_error(
    similarities: Callable[[np.ndarray], np.ndarray], recall: float, x: np.ndarray, y: np.ndarray
) -> float:
    s = similarities(unit(x.astype(np.float64)) @ unit(y.astype(np.float64)).T)
    return abs(recall - float(((s > np.diag(s)[:, None]).sum(axis=1) < K).mean()))


def _cosines(c: np.ndarray) -> np.ndarray:
    return c


def _similarities(c: np.ndarray) -> np.ndarray:
    return 2 * c - np.sort(c, axis=0)[-_neighbours.CSLS_NEIGHBOURS :].mean(axis=0)


def _nearest(x: Any) -> Any:
    return _neighbours.nearest_by_cosine(x, None, K)


def _nearest_on_torch(x: np.ndarray) -> Any:
    return _nearest(torch.from_numpy(x))
