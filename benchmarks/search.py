"""A search over n_components with SharedMoments beside the same search without: 8 dimensions, 5 folds, and the refit.

GridSearchCV over ``make_pipeline(Whitening(), classifier, memory=SharedMoments())``; the peer is the same search with
``memory=None``. Most of what the two have in common is the product that transforms the rows, and the classifier.
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

from benchmarks._harness import Case, Data
from skgeom.preprocessing import SharedMoments, Whitening

DIMENSIONS = (2, 4, 8, 16, 32, 64, 128, 256)


def cases(data: Data) -> list[Case]:
    centroid, logistic = NearestCentroid(), LogisticRegression(max_iter=100)
    return [
        _search(f"{data.name} float32, nearest centroid", data.x, data.y, centroid, "≥ 2.3"),
        _search(f"{data.name} float32, logistic regression", data.x, data.y, logistic, "≥ 2.2"),
    ]


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
