"""The blocked reduction over all pairs: exact however it is cut, shared and bounded."""

import threading
import time

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_allclose
from sklearn.metrics import silhouette_samples as peer
from threadpoolctl import threadpool_limits

from skgeom._core import _threads
from skgeom._core._labels import labels_of
from skgeom._core.pairs import _silhouettes, _tiles


def blobs(n=900, d=12, k=9, dtype="float64", seed=0):
    rng = default_rng(seed)
    codes = rng.permutation(np.arange(n) % k)
    return (rng.normal(size=(n, d)) + rng.normal(size=(k, d))[codes]).astype(dtype), codes


@pytest.mark.parametrize("k", [2, 9, 300, 700])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("float64", 1e-12)])
def test_silhouettes_are_those_of_scikit_learn(k, dtype, tolerance):
    x, codes = blobs(k=k, dtype=dtype)
    got = _silhouettes.silhouette_samples(x, labels_of(codes))
    assert_allclose(got, peer(x.astype(float), codes), atol=tolerance)


@pytest.mark.parametrize("threads", [1, 3, 8])
@pytest.mark.parametrize("k", [2, 12, 13, 300])
def test_all_sums_and_five_tiles_for_each_thread_are_in_memory_at_most(k, threads, peak_memory):
    x, codes = blobs(k=k)
    x = x[default_rng(1).integers(0, 200, len(x))]
    labels = labels_of(codes)
    with threadpool_limits(threads):
        assert_allclose(_silhouettes.silhouette_samples(x, labels), peer(x, codes), atol=1e-7)
        peak = peak_memory(lambda: _silhouettes.silhouette_samples(x, labels))
    at_work = min(threads, len(_tiles.panels(x)))
    assert peak < 8 * (x.shape[0] * k + at_work * 5 * 384**2)


def test_equal_rows_in_many_classes_have_no_weights_for_each_class(peak_memory):
    x, codes = blobs(n=4000, d=4, k=1500)
    x = x[default_rng(1).integers(0, 2000, len(x))]
    labels = labels_of(codes)
    with threadpool_limits(1):
        peak = peak_memory(lambda: _silhouettes.silhouette_samples(x, labels, memory=0))
    assert peak < 8 * (2 * 384 * 1500 + 5 * 384**2)  # sums and means of a panel


def test_mirrored_tiles_give_what_all_tiles_give():
    x, codes = blobs()
    labels = labels_of(codes)
    silhouettes = _silhouettes.silhouette_samples
    assert_allclose(silhouettes(x, labels, memory=0), silhouettes(x, labels), atol=1e-13)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_number_of_threads_changes_nothing_but_rounding(threads, monkeypatch):
    x, codes = blobs()
    expected = _silhouettes.silhouette_samples(x, labels_of(codes))
    monkeypatch.setattr(_tiles, "_TILE_ROWS", {True: 100})
    monkeypatch.setattr(_threads, "_blas_threads", lambda: threads)
    assert_allclose(_silhouettes.silhouette_samples(x, labels_of(codes)), expected, atol=1e-13)


@pytest.mark.parametrize("threads", [1, 3])
def test_the_limit_on_blas_threads_is_that_on_ours(threads):
    with threadpool_limits(threads):
        assert _threads._blas_threads() == threads
        seen = _threads.in_threads(np.ones(1), lambda _: time.sleep(0.01) or threading.get_ident(), 12)
    assert len(set(seen)) == threads


@pytest.mark.parametrize("classes", ["interleaved", "by place", "random"])
def test_near_duplicates_far_from_the_origin_are_told_apart_in_float32(classes):
    rng = default_rng(0)
    x = (np.repeat(rng.normal(size=(20, 16)), 60, axis=0) + 1e-4 * rng.normal(size=(1200, 16)) + 100).astype("float32")
    codes = {
        "interleaved": np.arange(1200) % 2,
        "by place": np.repeat(np.arange(20), 60),
        "random": rng.permutation(np.arange(1200) % 50),
    }[classes]
    assert_allclose(_silhouettes.silhouette_samples(x, labels_of(codes)), peer(x.astype(float), codes), atol=1e-5)


def test_each_thread_has_one_blas_thread():
    with threadpool_limits(3):
        inside = _threads.in_threads(np.ones(1), lambda _: [pool["num_threads"] for pool in _threads._blas().info()], 5)
        assert _threads._blas_threads() == 3
    assert {threads for pools in inside for threads in pools} == {1}


def test_the_sums_of_finished_panels_are_let_go(monkeypatch, peak_memory):
    x, codes = blobs(n=3000, d=2, k=1000)
    labels = labels_of(codes)
    monkeypatch.setattr(_tiles, "_TILE_ROWS", {True: 100})
    with threadpool_limits(1):  # the more panels are under way, the more sums wait
        peak = peak_memory(lambda: _silhouettes.silhouette_samples(x, labels))
    assert peak < 0.4 * x.shape[0] * labels.sizes.size * x.itemsize  # .25, and two panels of sums


def test_an_interrupt_stops_the_reduction_and_leaves_no_threads(monkeypatch):
    x, codes = blobs()
    before = threading.active_count()
    monkeypatch.setattr(_tiles, "_TILE_ROWS", {True: 50})
    monkeypatch.setattr(_threads, "_blas_threads", lambda: 3)

    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(_tiles.Squares, "tile", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _silhouettes.silhouette_samples(x, labels_of(codes))
    assert threading.active_count() == before


def test_the_real_silhouette_of_sentences_is_exact_in_float32(data_folder):
    data = np.load(data_folder / "rt_polarity_minilm.npz")
    x, codes = data["X_raw"][::4], data["y"][::4].astype(int)
    assert_allclose(_silhouettes.silhouette_samples(x, labels_of(codes)), peer(x.astype(float), codes), atol=1e-6)
