"""A search over n_components with SharedMoments beside the same search without: 8 dimensions, 5 folds, and the refit.

GridSearchCV over ``make_pipeline(Whitening(), classifier, memory=SharedMoments())``; the peer is the same search with
``memory=None``. They have in common the products that transform the rows, and the classifier: at 384 columns a third
of the search without. A search still fits to each of 5 folds and to all rows, for 41 fits without sharing, so that it
is at most about 2.2 times as fast; fits grow with the square of the columns.
The error is the largest difference between the scores and those of the peer, over all candidates and folds.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline

from benchmarks._harness import Case, Data, rotated_cloud
from skgeom.preprocessing import SharedMoments, Whitening

DIMENSIONS = (2, 4, 8, 16, 32, 64, 128, 256)
WIDTHS = (768, 1024)


def cases(data: Data) -> list[Case]:
    """Return the searches over the data, and over wider rows of two planted classes."""
    sets = [(data.name, data.x, data.y), *(_planted(d) for d in WIDTHS)]
    classifiers = {"nearest centroid": (NearestCentroid(), 2.3), "logistic regression": (LogisticRegression(), 2.2)}
    return [
        _search(f"{name} {x.shape[0]:,} x {x.shape[1]} float32, {label}", x, y, classifier, f"≥ {target}")
        for name, x, y in sets
        for label, (classifier, target) in classifiers.items()
    ]


def _planted(d: int) -> tuple[str, np.ndarray, np.ndarray]:
    """Return a Gaussian cloud with d columns, cut by the sign of a noisy projection."""
    rng = np.random.default_rng(1)
    x = rotated_cloud(10_000, np.arange(1, d + 1) ** -0.4).astype(np.float32)
    towards = x @ rng.normal(size=d)
    return "planted", x, (towards + rng.normal(size=10_000) * towards.std() > 0).astype(np.intp)


def _search(name: str, x: np.ndarray, y: np.ndarray, classifier: Any, target: str) -> Case:
    return Case(
        name,
        "memory=None",
        (x, y),
        partial(_scores, classifier, SharedMoments),
        partial(_scores, classifier, lambda: None),
        error=partial(_difference, classifier),
        speed_target=target,
        error_target="0",
    )


def _scores(classifier: Any, memory: Callable[[], Any], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    model = make_pipeline(Whitening(), classifier, memory=memory())
    search = GridSearchCV(model, {"whitening__n_components": DIMENSIONS}, cv=5, error_score="raise").fit(x, y)
    return np.array([search.cv_results_[f"split{fold}_test_score"] for fold in range(5)])


def _difference(classifier: Any, scores: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    return float(np.abs(scores - _scores(classifier, lambda: None, x, y)).max())
