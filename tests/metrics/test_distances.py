"""Cluster measures under other distances: beside SciPy's matrices, scikit-learn and naive loops."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn import metrics as sk

from skgeom.metrics import (
    calinski_harabasz_score,
    davies_bouldin_score,
    dunn_index,
    silhouette_samples,
    silhouette_score,
)

RNG = np.random.default_rng(0)
LABELS = RNG.permutation(np.repeat(np.arange(5), [1, 9, 30, 160, 400]))
X = RNG.normal(size=(600, 6)) + RNG.normal(size=(5, 6))[LABELS]
BALL = 0.9 * X / (1 + np.linalg.norm(X, axis=1, keepdims=True))


def in_ball(x):
    inside = 1 - (x * x).sum(axis=1)
    return 2 * np.arcsinh(cdist(x, x) / np.sqrt(np.outer(inside, inside)))


def on_sphere(x):
    u = x / np.linalg.norm(x, axis=1, keepdims=True)
    return 2 * np.arctan2(cdist(u, u), np.linalg.norm(u[:, None] + u[None], axis=2))


DISTANCES = {"euclidean": (X, cdist(X, X)), "geodesic": (X, on_sphere(X)), "poincare": (BALL, in_ball(BALL))}


def dunn(d):
    same = LABELS[:, None] == LABELS
    return d[~same].min() / d[same].max()


def pseudo_f(d):
    n, k = len(d), LABELS.max() + 1
    total = (d**2).sum() / (2 * n)
    within = sum((d[np.ix_(c == LABELS, c == LABELS)] ** 2).sum() / (2 * (c == LABELS).sum()) for c in range(k))
    return (total - within) / (k - 1) / (within / (n - k))


@pytest.mark.parametrize("metric", DISTANCES)
@pytest.mark.parametrize("library", [np.asarray, torch.tensor])
def test_each_distance_is_that_of_its_matrix(metric, library):
    x, d = DISTANCES[metric]
    expected = sk.silhouette_samples(np.where(np.eye(600), 0, d), LABELS, metric="precomputed")
    np.testing.assert_allclose(silhouette_samples(library(x), LABELS, metric=metric), expected, atol=1e-7)
    assert float(dunn_index(library(x), LABELS, metric=metric)) == pytest.approx(dunn(d), rel=1e-6)
    assert float(calinski_harabasz_score(library(x), LABELS, metric=metric)) == pytest.approx(pseudo_f(d), rel=1e-7)


@pytest.mark.parametrize("metric", DISTANCES)
@pytest.mark.parametrize("library", [np.asarray, torch.tensor])
def test_precomputed_distances_give_the_same(metric, library):
    x, d = DISTANCES[metric]
    d = np.where(np.eye(600), 0, (d + d.T) / 2)
    given = library(d)
    assert float(silhouette_score(given, LABELS, metric="precomputed")) == pytest.approx(
        float(silhouette_score(x, LABELS, metric=metric)), abs=1e-7
    )
    assert float(dunn_index(given, LABELS, metric="precomputed")) == pytest.approx(dunn(d), rel=1e-6)
    assert float(calinski_harabasz_score(given, LABELS, metric="precomputed")) == pytest.approx(pseudo_f(d), rel=1e-9)


def test_of_euclidean_distances_the_pseudo_f_is_the_calinski_harabasz_index():
    assert pseudo_f(cdist(X, X)) == pytest.approx(sk.calinski_harabasz_score(X, LABELS), rel=1e-10)
    assert calinski_harabasz_score(cdist(X, X), LABELS, metric="precomputed") == pytest.approx(
        calinski_harabasz_score(X, LABELS), rel=1e-9
    )


def test_davies_bouldin_of_distances_is_the_root_mean_square_form():
    means = np.stack([X[c == LABELS].mean(axis=0) for c in range(5)])
    spread = np.array([np.sqrt(((X[c == LABELS] - means[c]) ** 2).sum(axis=1).mean()) for c in range(5)])
    ratios = (spread[:, None] + spread) / np.where(np.eye(5), np.inf, cdist(means, means))
    found = davies_bouldin_score(cdist(X, X), LABELS, metric="precomputed")
    assert found == pytest.approx(ratios.max(axis=1).mean(), rel=1e-9)
    assert found > davies_bouldin_score(X, LABELS)


def test_the_ball_has_isometries():
    shift = np.full(6, 0.2)
    xy, xx, yy = BALL @ shift, (BALL**2).sum(axis=1), shift @ shift  # Möbius addition of the shift
    moved = ((1 + 2 * xy + xx)[:, None] * shift + (1 - yy) * BALL) / (1 + 2 * xy + yy * xx)[:, None]
    assert silhouette_score(moved, LABELS, metric="poincare") == pytest.approx(
        silhouette_score(BALL, LABELS, metric="poincare"), abs=1e-10
    )
    assert abs(silhouette_score(moved, LABELS) - silhouette_score(BALL, LABELS)) > 1e-3


@pytest.mark.parametrize("scale", [1e-150, 1e150])
def test_angles_do_not_depend_on_the_length_of_a_row(scale):
    lengths = np.exp(RNG.normal(size=(600, 1))) * scale
    assert silhouette_score(X * lengths, LABELS, metric="geodesic") == pytest.approx(
        silhouette_score(X, LABELS, metric="geodesic"), abs=1e-9
    )


@pytest.mark.parametrize("measure", [silhouette_score, dunn_index, calinski_harabasz_score, davies_bouldin_score])
@pytest.mark.parametrize(
    ("d", "words"),
    [
        (np.zeros((600, 3)), "square"),
        (1 - np.eye(600) - 2 * np.eye(600, k=1) - 2 * np.eye(600, k=-1), "at least 0"),
        (np.triu(np.ones((600, 600)), 1), "from j to i"),
        (np.ones((600, 600)), "0 on the diagonal"),
        (np.full((600, 600), np.nan), "NaN"),
    ],
)
def test_what_is_not_a_matrix_of_distances_is_refused(measure, d, words):
    with pytest.raises(ValueError, match=words):
        measure(d, LABELS, metric="precomputed")


@pytest.mark.parametrize("measure", [silhouette_score, dunn_index, calinski_harabasz_score])
def test_rows_that_a_geometry_does_not_have_are_refused(measure):
    with pytest.raises(ValueError, match="shorter than 1"):
        measure(X, LABELS, metric="poincare")
    with pytest.raises(ValueError, match="zero"):
        measure(np.where(np.arange(600)[:, None] == 3, 0, X), LABELS, metric="geodesic")
    with pytest.raises(ValueError, match="metric"):
        measure(X, LABELS, metric="hyperbolic")
