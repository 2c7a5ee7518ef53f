"""Cluster measures under other distances: beside SciPy's matrices, scikit-learn and naive loops."""

from dataclasses import replace

import array_api_strict
import numpy as np
import pytest
import torch
from numpy.random import default_rng
from scipy.spatial.distance import cdist
from sklearn import config_context
from sklearn import metrics as sk

from skgeom.metrics import (
    calinski_harabasz_score,
    davies_bouldin_score,
    dunn_index,
    silhouette_samples,
    silhouette_score,
    silhouette_terms,
)
from skgeom.metrics._measure import MEASURES

RNG = np.random.default_rng(0)
LABELS = RNG.permutation(np.repeat(np.arange(5), [1, 9, 30, 160, 400]))
X = RNG.normal(size=(600, 6)) + RNG.normal(size=(5, 6))[LABELS]
BALL = 0.9 * X / (1 + np.linalg.norm(X, axis=1, keepdims=True))
ANGLES = np.linspace(-1e-7, 1e-7, 6)
AT_THE_BORDER = (1 - 1e-10) * np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)


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


EVERY = {**DISTANCES, "sqeuclidean": (X, cdist(X, X) ** 2), "cosine": (X, cdist(X, X, "cosine"))}


def cohesion_and_separation(d):
    to_class = np.stack([d[:, c == LABELS].sum(axis=1) for c in range(5)], axis=1)
    sizes, own = np.bincount(LABELS), np.eye(5, dtype=bool)[LABELS]
    return to_class[own] / np.maximum(sizes[LABELS] - 1, 1), np.where(own, np.inf, to_class / sizes).min(axis=1)


@pytest.mark.parametrize("metric", EVERY)
@pytest.mark.parametrize("library", [np.asarray, torch.tensor])
@pytest.mark.parametrize("working_memory", [1024, 1e-3])
def test_cohesion_and_separation_are_mean_distances_to_classes(metric, library, working_memory):
    x, d = EVERY[metric]
    d = np.where(np.eye(600), 0, d)
    with config_context(working_memory=working_memory):
        found = silhouette_terms(library(x), LABELS, metric=metric)
    for terms in (found, silhouette_terms(library((d + d.T) / 2), LABELS, metric="precomputed")):
        np.testing.assert_allclose(terms.cohesion, cohesion_and_separation(d)[0], atol=1e-7)
        np.testing.assert_allclose(terms.separation, cohesion_and_separation(d)[1], rtol=1e-7)
    assert found.cohesion[list(LABELS).index(0)] == 0
    a, b = (np.where(LABELS == 0, 1, np.asarray(term)) for term in found)
    np.testing.assert_allclose(silhouette_samples(x, LABELS, metric=metric), (b - a) / np.maximum(a, b), atol=1e-7)


def test_cohesion_and_separation_scale_with_the_rows():
    expected = silhouette_terms(X, LABELS)
    for scale in (1e-100, 1e100):
        found = silhouette_terms(X @ np.linalg.qr(RNG.normal(size=(6, 6)))[0] * scale, LABELS)
        np.testing.assert_allclose(found.cohesion, expected.cohesion * scale, rtol=1e-9)
        np.testing.assert_allclose(found.separation, expected.separation * scale, rtol=1e-9)
    for metric in ("euclidean", "sqeuclidean"):
        with pytest.raises(ValueError, match="whose squares leave the range of float64"):
            silhouette_terms(X * 1e200, LABELS, metric=metric)
    np.testing.assert_allclose(
        silhouette_terms(X * 1e200, LABELS, metric="cosine"), silhouette_terms(X, LABELS, metric="cosine"), rtol=1e-9
    )


def test_equal_rows_have_no_cohesion_to_lose():
    found = silhouette_terms(np.repeat(np.eye(3) + 1 / 3, 2, axis=0), [0, 0, 1, 1, 2, 2], metric="sqeuclidean")
    assert np.all(found.cohesion == 0)
    np.testing.assert_allclose(found.separation, 2)


def test_of_euclidean_distances_the_pseudo_f_is_the_calinski_harabasz_index():
    assert pseudo_f(cdist(X, X)) == pytest.approx(sk.calinski_harabasz_score(X, LABELS), rel=1e-10)
    assert calinski_harabasz_score(cdist(X, X), LABELS, metric="precomputed") == pytest.approx(
        calinski_harabasz_score(X, LABELS), rel=1e-9
    )


def test_the_pseudo_f_of_other_distances_can_be_negative():
    """Opposite rows are π apart, and rows of the two classes π/2: SS_w = π² is more than the total, 3π²/4."""
    axes = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    assert calinski_harabasz_score(axes, [0, 0, 1, 1], metric="geodesic") == pytest.approx(-0.5)
    row = MEASURES["calinski_harabasz"]
    assert row.range(4, 2) == (0, np.inf)
    assert replace(row, options={"metric": "geodesic"}).range(4, 2) == (-np.inf, np.inf)


def test_davies_bouldin_of_distances_is_the_root_mean_square_form():
    means = np.stack([X[c == LABELS].mean(axis=0) for c in range(5)])
    spread = np.array([np.sqrt(((X[c == LABELS] - means[c]) ** 2).sum(axis=1).mean()) for c in range(5)])
    ratios = (spread[:, None] + spread) / np.where(np.eye(5), np.inf, cdist(means, means))
    found = davies_bouldin_score(cdist(X, X), LABELS, metric="precomputed")
    assert found == pytest.approx(ratios.max(axis=1).mean(), rel=1e-9)
    assert found > davies_bouldin_score(X, LABELS)


@pytest.mark.parametrize("score", [silhouette_score, calinski_harabasz_score, davies_bouldin_score, dunn_index])
def test_distances_of_every_library_have_the_same_value_and_finite_gradients(score):
    rows = np.flatnonzero(LABELS < 2)  # the first class is one row
    d, labels = cdist(X[rows], X[rows]), LABELS[rows]
    expected = score(d, labels, metric="precomputed")
    assert float(score(array_api_strict.asarray(d), labels, metric="precomputed")) == pytest.approx(expected, rel=1e-12)
    given = torch.tensor(d, requires_grad=True)
    value = score((given + given.T) / 2, labels, metric="precomputed")
    value.backward()
    step = np.zeros_like(d)
    step[1, 2] = step[2, 1] = 1e-5
    ahead, behind = (score(d + side * step, labels, metric="precomputed") for side in (1, -1))
    assert value.item() == pytest.approx(expected, rel=1e-12)
    assert torch.isfinite(given.grad).all()
    assert float(given.grad[1, 2]) == pytest.approx((ahead - behind) / 4e-5, rel=1e-5, abs=1e-9)


SCORES = [silhouette_score, calinski_harabasz_score, dunn_index]


def loss_and_gradient(score, x, labels, metric):
    given = torch.tensor(x, requires_grad=True)
    value = score(given, labels, metric=metric)
    value.backward()
    return value.item(), given.grad.numpy()


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("metric", DISTANCES)
def test_gradients_are_those_of_small_steps(score, metric):
    labels, x = np.arange(12) % 3, BALL[:12]
    step = 1e-6 * default_rng(0).normal(size=x.shape)
    value, gradient = loss_and_gradient(score, x, labels, metric)
    ahead, behind = (score(x + side * step, labels, metric=metric) for side in (1, -1))
    assert value == pytest.approx(score(x, labels, metric=metric), rel=1e-9)
    assert np.sum(gradient * step) == pytest.approx((ahead - behind) / 2, rel=1e-5)


@pytest.mark.parametrize("score", SCORES)
def test_opposite_rows_have_finite_gradients(score):
    x = np.array([[1.0, 0.0], [-1.0, 0.0], [0.6, 0.8], [-0.6, -0.8]])
    assert np.isfinite(loss_and_gradient(score, x, [0, 0, 1, 1], "geodesic")[1]).all()


@pytest.mark.parametrize("score", [*SCORES, davies_bouldin_score])
def test_the_unit_of_distances_does_not_matter(score):
    d, labels = cdist(X[:50], X[:50]), LABELS[:50]
    expected = score(d, labels, metric="precomputed")
    for unit in (1e-300, 1e-200, 1e200, 1e300):
        assert score(d * unit, labels, metric="precomputed") == pytest.approx(expected, rel=1e-9)


def test_two_classes_at_one_place_are_the_worst_overlap():
    for points, metric in ((np.zeros((4, 4)), "precomputed"), (np.ones((4, 1)), "euclidean")):
        assert davies_bouldin_score(points, [0, 0, 1, 1], metric=metric) == np.inf


def log_map(metric, mu, x):
    """Return the tangent vectors at μ, by the textbook."""
    if metric == "geodesic":
        cosine = np.clip(x @ mu, -1, 1)[:, None]
        across = x - cosine * mu
        return np.arccos(cosine) * across / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-300)
    w = mobius(-mu, x)
    length = np.maximum(np.linalg.norm(w, axis=1, keepdims=True), 1e-300)
    return (1 - mu @ mu) * np.arctanh(length) * w / length


def exp_map(metric, mu, v):
    length = max(np.linalg.norm(v), 1e-300)
    if metric == "geodesic":
        return np.cos(length) * mu + np.sin(length) * v / length
    return mobius(mu, np.tanh(length / (1 - mu @ mu)) * v[None] / length)[0]


def mobius(a, x):
    ax, xx, aa = (x @ a)[:, None], (x**2).sum(1, keepdims=True), a @ a
    return ((1 + 2 * ax + xx) * a + (1 - aa) * x) / (1 + 2 * ax + aa * xx)


def frechet_mean(metric, x):
    mu = x[0]
    for _ in range(3000):
        mu = exp_map(metric, mu, 0.3 * log_map(metric, mu, x).mean(axis=0))
    return mu


@pytest.mark.parametrize("metric", ["geodesic", "poincare"])
@pytest.mark.parametrize("library", [np.asarray, torch.tensor])
def test_davies_bouldin_of_curved_spaces_has_frechet_means(metric, library):
    few = np.concatenate([np.flatnonzero(c == LABELS)[:40] for c in range(5)])
    x, labels = DISTANCES[metric][0][few], LABELS[few]
    points = x / np.linalg.norm(x, axis=1, keepdims=True) if metric == "geodesic" else x
    means = np.stack([frechet_mean(metric, points[c == labels]) for c in range(5)])
    apart = (on_sphere if metric == "geodesic" else in_ball)(np.vstack([means, points]))
    spread = np.array([apart[c, 5:][c == labels].mean() for c in range(5)])
    ratios = (spread[:, None] + spread) / np.where(np.eye(5), np.inf, apart[:5, :5])
    found = davies_bouldin_score(library(x), labels, metric=metric)
    assert float(found) == pytest.approx(ratios.max(axis=1).mean(), rel=1e-9)
    assert type(found) is (float if library is np.asarray else torch.Tensor)


@pytest.mark.parametrize("metric", ["geodesic", "poincare"])
def test_in_a_small_place_davies_bouldin_is_the_flat_one(metric):
    flat = 1e-4 * X[:, :3]
    x = np.hstack([flat, np.ones((600, 1))]) if metric == "geodesic" else flat + 0.5
    expected = sk.davies_bouldin_score(flat, LABELS)
    assert davies_bouldin_score(x, LABELS, metric=metric) == pytest.approx(expected, rel=2e-3)


def test_davies_bouldin_does_not_change_with_the_isometries_of_its_space():
    turn = np.linalg.qr(RNG.normal(size=(6, 6)))[0]
    lengths = np.exp(RNG.normal(size=(600, 1)))
    expected = davies_bouldin_score(X, LABELS, metric="geodesic")
    assert davies_bouldin_score(X @ turn * lengths, LABELS, metric="geodesic") == pytest.approx(expected, rel=1e-10)
    expected = davies_bouldin_score(BALL, LABELS, metric="poincare")
    moved = mobius(np.full(6, 0.2), BALL @ turn)
    assert davies_bouldin_score(moved, LABELS, metric="poincare") == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("metric", ["geodesic", "poincare"])
def test_davies_bouldin_of_curved_spaces_at_its_limits(metric):
    places = np.array([[0.3, 0.1, 0.2], [0.1, -0.4, 0.2], [0.5, 0.5, 0.1]])
    labels = np.repeat([0, 1, 2], 40)
    assert davies_bouldin_score(places[labels], labels, metric=metric) < 1e-12
    for seed in range(9):  # of some the means of equal classes differ by rounding
        rng = np.random.default_rng(seed)
        x = places[labels] + 0.1 * rng.uniform(-1, 1, size=(120, 3))
        x[80:] = rng.permutation(x[:40])
        assert davies_bouldin_score(x, labels, metric=metric) == np.inf


@pytest.mark.parametrize(
    ("metric", "x"),
    [
        ("geodesic", np.vstack([np.eye(3), -np.eye(3), np.ones((3, 3))])),
        ("geodesic", np.array([[1.0, 0], [1, 0], [1, 0], [1, 0], [1, 0], [-1, 0], [0, 1], [0, 1], [0, 1]])),
        ("geodesic", np.array([[1.0, 0], [-1, 3**0.5], [-1, -(3**0.5)]] * 3)),
        ("geodesic", np.array([[1.0], [2], [1], [1], [1], [-1], [-1], [-1], [-1]])),
        ("poincare", np.vstack([AT_THE_BORDER, np.full((3, 2), 0.3)])),
    ],
)
def test_classes_without_a_mean_are_refused(metric, x):
    with pytest.raises(ValueError, match=r"The mean of class 0 .* is not determined"):
        davies_bouldin_score(x, np.repeat([7, 8], [6, 3]), metric=metric)


def test_the_ball_has_isometries():
    moved = mobius(np.full(6, 0.2), BALL)
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
        (np.triu(np.ones((600, 600)), 1), "a symmetric matrix"),
        (np.ones((600, 600)), "0 on the diagonal"),
        (np.full((600, 600), np.nan), "NaN"),
    ],
)
def test_what_is_not_a_matrix_of_distances_is_refused(measure, d, words):
    with pytest.raises(ValueError, match=words):
        measure(d, LABELS, metric="precomputed")


@pytest.mark.parametrize("measure", [silhouette_score, dunn_index, calinski_harabasz_score, davies_bouldin_score])
def test_rows_that_a_geometry_does_not_have_are_refused(measure):
    with pytest.raises(ValueError, match="shorter than 1"):
        measure(X, LABELS, metric="poincare")
    with pytest.raises(ValueError, match="zero"):
        measure(np.where(np.arange(600)[:, None] == 3, 0, X), LABELS, metric="geodesic")
    with pytest.raises(ValueError, match="metric"):
        measure(X, LABELS, metric="hyperbolic")
