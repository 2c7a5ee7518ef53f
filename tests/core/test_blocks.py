"""However small the blocks and tiles, every kernel says the same."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from numpy.random import default_rng
from numpy.testing import assert_allclose

import skgeom._array
from skgeom._core._labels import labels_of
from skgeom._core._rows import DirectedRows, norms, unit
from skgeom._core.pairs._silhouettes import silhouette_samples
from skgeom._core.pairs._tiles import squared_distances
from skgeom._core.sums._angular import conformity, conformity_to, log_partition, resultant
from skgeom._core.sums._clusters import class_moments, squared_silhouette_samples
from skgeom.metrics._measure import MEASURES

DIRECTIONS = np.eye(4)[:3]
PER_ROW = {
    "squared silhouette": squared_silhouette_samples,
    "cosine silhouette": lambda x, y: squared_silhouette_samples(x, y, unit),
    "silhouette": silhouette_samples,
    "conformity": lambda x, y: conformity(DirectedRows(x, norms(x))),
    "conformity to": lambda x, y: conformity_to(
        DirectedRows(x, norms(x)), resultant(DirectedRows(x[:9], norms(x[:9])))
    ),
    "partition": lambda x, y: log_partition(x, DIRECTIONS, both_signs=True),
}


def cloud(n=150, d=4, k=5, seed=0):
    rng = default_rng(seed)
    codes = rng.permutation(np.r_[np.arange(k), rng.integers(0, k, n - k)])
    return rng.normal(size=(n, d)) + 2 * rng.normal(size=(k, d))[codes] + 1, labels_of(codes)


@pytest.fixture(params=[(1, 1), (300, 7), (2000, 64)])
def small_blocks(request, monkeypatch):
    """Return a function that makes blocks and tiles small from then on."""

    def shrink():
        monkeypatch.setattr("skgeom._array.HOST_BLOCK_BYTES", request.param[0])
        monkeypatch.setattr("skgeom._core.pairs._tiles._TILE_ROWS", dict.fromkeys((True, False), request.param[1]))

    return shrink


@pytest.mark.parametrize("name", MEASURES)
def test_measures_do_not_depend_on_the_blocks(name, small_blocks):
    x, labels = cloud(n=70)
    row, y = MEASURES[name], cloud(n=70, seed=1)[0]
    given = row.besides(labels=labels, partners=y, start=y)
    seed = {"random_state": 0} if row.is_random else {}
    whole = row(x, *given, **seed)
    small_blocks()
    assert_allclose(row(x, *given, **seed), whole, rtol=1e-10)


@pytest.mark.parametrize("kernel", PER_ROW)
@pytest.mark.parametrize("k", [2, 30, 100])
def test_values_per_row_do_not_depend_on_the_blocks(kernel, k, small_blocks):
    x, labels = cloud(k=k)
    whole = PER_ROW[kernel](x, labels)
    small_blocks()
    assert_allclose(PER_ROW[kernel](x, labels), whole, atol=1e-11)


@given(codes=st.lists(st.integers(0, 6), min_size=3, max_size=40), rows=st.integers(1, 12))
def test_class_moments_are_those_of_each_class(codes, rows):
    codes = np.unique(codes, return_inverse=True)[1]
    x = default_rng(len(codes)).normal(size=(len(codes), 3)) + 50
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(skgeom._array, "HOST_BLOCK_BYTES", 8 * 2 * max(3, codes.max() + 1) * rows)
        m = class_moments(x, labels_of(codes))
    members = [x[codes == c] for c in range(codes.max() + 1)]
    assert m.n.tolist() == [len(c) for c in members]
    assert_allclose(m.mean, [c.mean(axis=0) for c in members], rtol=1e-13)
    assert_allclose(m.within, [((c - c.mean(axis=0)) ** 2).sum() for c in members], atol=1e-12)


@pytest.mark.parametrize(("reach", "lost"), [(0.0, 64), (1e3, 32_000), (1e9, 32_000)])
def test_an_outlier_at_the_head_of_its_class_costs_its_moments_at_most_32_n_roundings(reach, lost):
    x, eps = default_rng(0).normal(size=(2000, 3)), np.finfo(float).eps
    x[:2] += reach
    m = class_moments(x, labels_of(np.arange(2000) % 2))
    for code in range(2):
        members = x[code::2].astype(np.longdouble)
        mean = members.mean(axis=0)
        within = float(((members - mean) ** 2).sum())
        assert_allclose(m.mean[code], mean.astype(float), rtol=0, atol=32 * eps * within**0.5)
        assert_allclose(m.within[code], within, rtol=lost * eps)


def test_squared_distances_are_never_negative_and_zero_between_copies():
    x = default_rng(0).normal(size=(50, 7))
    squares = squared_distances(x, x)
    assert squares.min() == 0
    assert np.all(np.diag(squares) == 0)
    assert_allclose(squares, ((x[:, None] - x[None]) ** 2).sum(axis=2), atol=1e-13)
