"""The kernels of two clouds are their definitions, with plain loops or SciPy as oracle."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist
from scipy.special import softmax
from scipy.stats import entropy

from skgeom._core import _rows, _two_clouds
from skgeom._core.pairs import _tiles
from skgeom._core.sums import _ellipsoid
from skgeom._core.sums._moments import moments


def two_clouds(n=60, d=5):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, d)) + 0.5
    return x, 0.7 * x + rng.normal(size=(n, d)) - 1


@pytest.mark.parametrize("rows", [7, 384])
def test_mean_distances_are_those_of_all_pairs_whatever_the_tiles(monkeypatch, rows):
    monkeypatch.setattr(_tiles, "_TILE_ROWS", {True: rows, False: rows})
    x, y = two_clouds()
    across = cdist(x, y)
    unpaired = across[~np.eye(60, dtype=bool)].mean()
    np.testing.assert_allclose(_two_clouds.mean_paired_distance(x, y), np.diag(across).mean(), rtol=1e-14)
    np.testing.assert_allclose(_two_clouds.mean_unpaired_distance(x, y, x.mean(0)), unpaired, rtol=1e-13)
    np.testing.assert_allclose(
        _two_clouds.mean_pooled_distance(x, y, x.mean(0)), pdist(np.vstack([x, y])).mean(), rtol=1e-13
    )


def test_gaussian_divergence_is_the_integral_of_the_definition():
    p, q = np.random.default_rng(0).normal([[0.3], [0.4]], [[0.05], [0.08]], size=(2, 500))
    grid = np.linspace(-1, 2, 200_001)
    density = [np.exp(-((grid - v.mean()) ** 2) / 2 / v.var()) / np.sqrt(2 * np.pi * v.var()) for v in (p, q)]
    terms = density[0] * np.log(np.maximum(density[0], 1e-300) / np.maximum(density[1], 1e-300))
    np.testing.assert_allclose(_two_clouds.gaussian_divergence(p, q), terms.sum() * (grid[1] - grid[0]), rtol=1e-6)


@pytest.mark.parametrize(
    ("p", "q", "expected"),
    [
        ([1.0, 1.0], [1.0, 1.0], 0.0),
        ([1.0, 1.0], [1.0, 1.0 - 2**-53], 0.0),  # the rounding of equal cosines
        ([1.0, 1.0], [2.0, 2.0], np.inf),
        ([1.0, 1.0], [1.0, 2.0], np.inf),
    ],
)
def test_gaussian_divergence_without_spread(p, q, expected):
    assert _two_clouds.gaussian_divergence(np.array(p), np.array(q)) == expected
    assert _two_clouds.gaussian_divergence(np.array(q), np.array(p)) == expected


@pytest.mark.parametrize("bins", [2, 10, 50])
def test_histogram_divergence_is_that_of_smoothed_histograms(bins):
    rng = np.random.default_rng(0)
    p, q = rng.normal(0.5, 0.05, 500), rng.normal(0.55, 0.07, 400)
    both = np.concatenate([p, q])
    p_counts, q_counts = (np.histogram(v, bins, (both.min(), both.max()))[0] + 0.5 for v in (p, q))
    np.testing.assert_allclose(_two_clouds.histogram_divergence(p, q, bins), entropy(p_counts, q_counts), rtol=1e-12)


def test_histogram_divergence_of_disjoint_samples_stays_below_its_bound():
    p, q = np.linspace(0, 1, 300), np.linspace(10, 11, 300)
    found = _two_clouds.histogram_divergence(p, q, 50)
    assert 3 < found < np.log(2 * 300 + 50)
    assert _two_clouds.histogram_divergence(np.ones(9), np.ones(9), 50) == 0


@pytest.mark.parametrize("temperature", [1e-3, 1.0, 1e3])
def test_softmax_neither_overflows_nor_loses_the_temperature(temperature):
    logits = np.random.default_rng(0).normal(size=(20, 4)) * 100
    np.testing.assert_allclose(
        _two_clouds.softmax(logits, temperature), softmax(logits / temperature, axis=1), rtol=1e-12, atol=1e-300
    )


def test_scores_are_cosines_products_and_distances():
    x, c = two_clouds(6)
    np.testing.assert_allclose(_two_clouds.dot_scores(x, c), x @ c.T)
    np.testing.assert_allclose(_two_clouds.distance_scores(x, c), 1 - cdist(x, c) ** 2 / 2, atol=1e-13)
    u = x / np.linalg.norm(x, axis=1)[:, None]
    np.testing.assert_allclose(_two_clouds.cosine_scores(x, c), u @ c.T, rtol=1e-14)


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1.0, 1e30, 1e300])
def test_unit_or_zero_is_exact_at_every_scale(scale):
    x = np.array([[3.0, 4.0], [0.0, 0.0], [-1.0, 0.0]])
    np.testing.assert_allclose(_rows.unit_or_zero(x * scale), [[0.6, 0.8], [0, 0], [-1, 0]], rtol=1e-15)


def naive_dominance(x):
    c = np.cov(x.T)
    d = len(c)
    return np.mean([sum(abs(c[i, j]) for j in range(d) if j != i) / c[i, i] for i in range(d)])


@pytest.mark.parametrize("shape", [(200, 7), (6, 20)])
def test_off_diagonal_dominance_is_the_mean_over_features(shape):
    x = np.random.default_rng(0).normal(size=shape) @ np.random.default_rng(1).normal(size=(shape[1], shape[1]))
    np.testing.assert_allclose(_ellipsoid.off_diagonal_dominance(moments(x)), naive_dominance(x), rtol=1e-10)


def test_off_diagonal_dominance_leaves_dead_features_out():
    x = np.random.default_rng(0).normal(size=(200, 7))
    dead = np.insert(x, 3, 1e-14 * x[:, 0] + 5, axis=1)
    np.testing.assert_allclose(_ellipsoid.off_diagonal_dominance(moments(dead)), naive_dominance(x), rtol=1e-8)


@pytest.mark.parametrize("shape", [(300, 40), (4000, 40), (60, 100)])
def test_chance_dominance_is_what_independent_features_show(shape):
    scales = np.linspace(0.5, 2, shape[1])
    rng = np.random.default_rng(0)
    found = np.mean([naive_dominance(rng.normal(size=shape) * scales) for _ in range(4)])
    np.testing.assert_allclose(_ellipsoid.chance_dominance(moments(rng.normal(size=shape) * scales)), found, rtol=0.03)


def test_separation_is_infinite_between_two_constants_and_zero_within_one():
    x, y = np.array([[0.0, 1.0, 0.0], [0.0, 1.0, 2.0]]), np.array([[1.0, 1.0, 4.0], [1.0, 1.0, 6.0]])
    np.testing.assert_allclose(_ellipsoid.separation(moments(x), moments(y)), [np.inf, 0, 2])
