"""Clouds whose close pairs a product in float32 would lose: duplicates, narrow cones, collapsed classes."""

from functools import partial

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_allclose
from sklearn.metrics import silhouette_samples as peer

from skgeom._array import put, to_numpy
from skgeom._core._labels import labels_of
from skgeom._core._rows import DirectedRows, norms
from skgeom._core.pairs import _energies, _tiles
from skgeom._core.pairs._quantiles import angle_quantiles
from skgeom._core.pairs._silhouettes import dunn_index, silhouette_samples
from skgeom._core.pairs._tiles import Squares

N, D, K = 600, 24, 6


def clouds():
    rng = default_rng(0)
    codes = rng.permutation(np.arange(N) % K)
    x, places = rng.normal(size=(N, D)), rng.normal(size=(K, D))
    some = x.copy()
    some[:6] = x[-6:]
    opposite = x.copy()
    opposite[:6] = -2 * x[-6:]
    crowd = np.where(np.arange(N)[:, None] % 2, x, places[0] + 1e-4 * x)
    nested = places[codes // 2] + 1e-2 * rng.normal(size=(K, D))[codes] + 1e-4 * x
    return codes, {
        "distinct": x,
        "some twice": some,
        "some opposite": opposite,
        "every row twice": np.repeat(x[::2], 2, axis=0)[rng.permutation(N)],
        "some many times": x[np.maximum(rng.integers(-200, 400, N), 0) // 3],
        "narrow cone": places[0] + 1e-3 * x,
        "collapsed": places[codes] + 1e-3 * x,
        "collapsed, far away": places[codes] + 1e-3 * x + 100,
        "half in one place": crowd,
        "places within places": nested,
        "opposite places": (places[codes] + 1e-3 * x) * np.where(np.arange(N) % 2, 1, -1)[:, None],
        "one place": np.repeat(places[:1], N, axis=0),
    }


CODES, CLOUDS = clouds()
every_cloud = pytest.mark.parametrize("kind", CLOUDS)
IN_FLOAT32 = (
    "distinct",
    "some twice",
    "some opposite",
    "every row twice",
    "narrow cone",
    "collapsed",
    "collapsed, far away",
)


@pytest.fixture(params=[100, 384])
def x(request, kind, monkeypatch):
    """Rows in float32, in tiles of a few sizes."""
    monkeypatch.setattr(_tiles, "_TILE_ROWS", dict.fromkeys((True, False), request.param))
    return CLOUDS[kind].astype("float32")


def pair_differences(x):
    i, j = np.triu_indices(x.shape[0], 1)
    return x[i].astype(float) - x[j]


def unit(x):
    return x.astype(float) / np.linalg.norm(x.astype(float), axis=1, keepdims=True)


def rows_of(x):
    return DirectedRows(x, norms(x))


@every_cloud
def test_every_distance_keeps_its_digits(x):
    squares = Squares(lambda which: x[which], x)
    found = np.zeros((N, N))
    for i, rows in enumerate(squares.panels):
        for j, tile in squares.row(i, range(len(squares.panels)), own=0.0):
            found[rows, squares.panels[j]] = tile
    expected = np.sum(pair_differences(x) ** 2, axis=1)
    assert_allclose(found[np.triu_indices(N, 1)], expected, rtol=3e-4)
    assert_allclose(found, found.T, rtol=1e-3)


@every_cloud
def test_silhouettes_are_those_of_float64(x):
    expected = 0.0 if np.ptp(x, axis=0).max() == 0 else peer(x.astype(float) - x[0], CODES)
    assert_allclose(silhouette_samples(x, labels_of(CODES)), expected, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-60, 1e60])
def test_collapsed_classes_are_seen_at_any_scale(scale, monkeypatch):
    monkeypatch.setattr(_tiles, "squared_distances", None)
    x = CLOUDS["collapsed"]
    labels = labels_of(CODES)
    assert_allclose(silhouette_samples(scale * x, labels), silhouette_samples(x, labels), atol=1e-12)


@every_cloud
def test_the_dunn_index_is_that_of_float64(x):
    lengths = np.linalg.norm(pair_differences(x), axis=1)
    same = np.equal(*(CODES[side] for side in np.triu_indices(N, 1)))
    extent = lengths[same].max()
    expected = lengths[~same].min() / extent if extent else np.inf
    assert_allclose(dunn_index(x, labels_of(CODES)), expected, rtol=1e-4)


@every_cloud
def test_energies_and_angles_are_those_of_float64(x):
    chords = np.linalg.norm(pair_differences(unit(x)), axis=1)
    angles = 2 * np.arctan2(chords, np.sqrt(np.maximum(4 - chords**2, 0)))
    chords[chords < 1e-14], angles[angles < 1e-14] = 0, 0
    rows = rows_of(x)
    assert_allclose(_energies.uniformity(rows, 2.0), np.log(np.mean(np.exp(-2 * chords**2))), atol=1e-6)
    laplace = partial(_energies.laplace, 1.0)
    assert_allclose(_energies.mean_energy(rows, laplace), np.mean(np.exp(-chords)), atol=1e-6)
    q = np.array([0.0, 0.5, 1.0])
    assert_allclose(angle_quantiles(rows, q), np.quantile(angles, q), atol=1e-6)


@every_cloud
def test_gradients_are_those_of_float64(kind, x):
    torch = pytest.importorskip("torch")

    def gradient(rows):
        tensor = torch.tensor(rows, requires_grad=True)
        _energies.uniformity(DirectedRows(tensor, norms(tensor)), 2.0).backward()
        return tensor.grad.numpy()

    u = unit(x)
    differences = u[:, None, :] - u[None, :, :]
    weights = np.exp(-2 * np.sum(differences**2, axis=2))
    np.fill_diagonal(weights, 0)
    pull = -8 * np.einsum("ij,ijd->id", weights, differences) / weights.sum()
    tangent = (pull - np.sum(pull * u, axis=1, keepdims=True) * u) / np.linalg.norm(x, axis=1, keepdims=True)
    length = np.linalg.norm(tangent)
    assert np.linalg.norm(gradient(x) - tangent) <= 1e-5 * length + 1e-12


def test_gradients_of_many_rows_lose_nothing_to_what_is_along_a_row():
    torch = pytest.importorskip("torch")
    found = {}
    for dtype in (torch.float32, torch.float64):
        rows = torch.tensor(default_rng(0).normal(size=(2000, 64)).astype(np.float32), dtype=dtype, requires_grad=True)
        _energies.uniformity(DirectedRows(rows, norms(rows)), 2.0).backward()
        found[dtype] = rows.grad.numpy()
    error = np.linalg.norm(found[torch.float32] - found[torch.float64]) / np.linalg.norm(found[torch.float64])
    assert error <= 2e-6


@pytest.mark.parametrize("kind", IN_FLOAT32)
def test_no_tile_is_computed_in_float64(x, monkeypatch):
    def refused(*sides):
        raise AssertionError("A whole tile in float64.")

    monkeypatch.setattr(_tiles, "squared_distances", refused)
    silhouette_samples(x, labels_of(CODES))
    _energies.uniformity(rows_of(x), 2.0)


@pytest.mark.parametrize("kind", ["every row twice", "collapsed", "places within places"])
def test_every_library_gets_the_same(kind, backend):
    x = CLOUDS[kind].astype("float32")
    there = backend.asarray(x)
    labels = labels_of(CODES)
    assert_allclose(to_numpy(silhouette_samples(there, labels)), silhouette_samples(x, labels), atol=1e-6)
    energy = float(to_numpy(_energies.uniformity(rows_of(there), 2.0)))
    assert_allclose(energy, float(_energies.uniformity(rows_of(x), 2.0)), atol=1e-6)


def test_entries_are_put_where_they_belong_in_every_library(backend):
    x = np.arange(12.0).reshape(3, 4)
    row, column, values = np.array([0, 0, 2]), np.array([1, 3, 0]), np.array([-1.0, -2.0, -3.0])
    expected = x.copy()
    expected[row, column] = values
    there = [+backend.asarray(part) for part in (x, row, column, values)]  # copies, for x may change
    assert_allclose(to_numpy(put(*there)), expected)


def test_each_crowded_place_has_its_mean_as_pivot():
    places = default_rng(0).normal(size=(K, D))
    rows = np.repeat(places, 20, axis=0) + 1e-3 * default_rng(1).normal(size=(20 * K, D))
    pivots = _tiles._pivots(rows, 1e-3)
    means = rows.reshape(K, 20, D).mean(axis=1)
    assert_allclose(pivots[0], rows.mean(axis=0), atol=1e-12)
    assert_allclose(np.unique(pivots[1:], axis=0), np.unique(means, axis=0), atol=1e-12)
