"""The sums of the inner products of a space, without the matrix of all pairs."""

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_allclose

from skgeom._core._permutation import doubly_centred, sums_of
from skgeom._core.sums import _spaces
from skgeom._core.sums._spaces import Space


def scaled(x):
    x = x - x.mean(axis=0)
    return x / np.linalg.norm(x)


@pytest.fixture(params=[(9, 4), (60, 7), (20, 50)])
def x(request):
    return default_rng(0).standard_t(3, size=request.param) + 5


def test_the_sums_are_those_of_the_matrix(x):
    a = scaled(x) @ scaled(x).T
    g, rows = np.diag(a), np.sum(a * a, axis=1)
    expected = [
        g.sum(),
        np.sum(a * a),
        g @ g,
        np.sum(g**3),
        g @ a @ g,
        np.trace(a @ a @ a),
        np.sum(a**3),
        g @ rows,
        rows @ rows / rows.sum() ** 2,
    ]
    assert_allclose(Space(x).centred, expected, rtol=1e-11)


def test_the_sums_of_the_doubly_centred_matrix(x):
    assert_allclose(Space(x).doubly_centred, sums_of(doubly_centred(scaled(x) @ scaled(x).T)), rtol=1e-9)


def test_many_rows_go_without_the_cubes(x, monkeypatch):
    whole = Space(x).doubly_centred
    monkeypatch.setattr(_spaces, "_EXACT_CUBES", 0)
    assert_allclose(Space(x).doubly_centred, whole._replace(cubes=0.0), rtol=1e-12)


def test_blocks_change_nothing(x, monkeypatch):
    whole = Space(x)
    expected = whole.centred, whole.doubly_centred
    monkeypatch.setattr("skgeom._array.HOST_BLOCK_BYTES", 1000)
    assert_allclose(Space(x).centred, expected[0], rtol=1e-11)
    assert_allclose(Space(x).doubly_centred, expected[1], rtol=1e-9)
