"""Cosines of matches and of others: which pairs there are, and how far a uniform sample of them can be trusted."""

from itertools import combinations, permutations
from math import comb

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import chisquare

from skgeom.metrics import average_cosine, pair_cosines, paired_cosine

LABELS = np.array(["b", "a", "b", "c", "a", "b", "a"])


def clouds(n=7, d=5, seed=0):
    return np.random.default_rng(seed).normal(size=(2, n, d)) + 0.5


def cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def pairs_of(array):
    return [tuple(pair) for pair in array.tolist()]


def test_all_pairs_of_two_clouds():
    x, y = clouds()
    found = pair_cosines(x, y)
    assert pairs_of(found.matching_pairs) == [(i, i) for i in range(7)]
    assert sorted(pairs_of(found.other_pairs)) == sorted(permutations(range(7), 2))
    assert_allclose(found.matching, [cosine(x[i], y[i]) for i in range(7)], atol=1e-14)
    assert_allclose(found.other, [cosine(x[i], y[j]) for i, j in found.other_pairs], atol=1e-14)
    assert found.matching.mean() == pytest.approx(paired_cosine(x, y), rel=1e-12)


def test_all_pairs_of_one_cloud_with_labels():
    x = clouds()[0]
    found = pair_cosines(x, labels=LABELS)
    all_pairs = list(combinations(range(7), 2))
    assert sorted(pairs_of(found.matching_pairs)) == [(i, j) for i, j in all_pairs if LABELS[i] == LABELS[j]]
    assert sorted(pairs_of(found.other_pairs)) == [(i, j) for i, j in all_pairs if LABELS[i] != LABELS[j]]
    for cosines, pairs in ((found.matching, found.matching_pairs), (found.other, found.other_pairs)):
        assert_allclose(cosines, [cosine(x[i], x[j]) for i, j in pairs], atol=1e-14)
    both = np.concatenate([found.matching, found.other])
    assert both.mean() == pytest.approx(average_cosine(x), rel=1e-12)


@pytest.mark.parametrize("given", ["Y", "labels"])
@pytest.mark.parametrize("k", [1, 3, 13])
def test_drawn_pairs_are_different_and_each_is_equally_likely(given, k):
    x, y = clouds()
    generator = np.random.default_rng(0)
    other = {"Y": {"Y": y}, "labels": {"labels": LABELS}}[given]
    counts = dict.fromkeys(pairs_of(pair_cosines(x, **other).other_pairs), 0)
    for _ in range(1500):
        drawn = pairs_of(pair_cosines(x, **other, n_pairs=k, random_state=generator).other_pairs)
        assert len(set(drawn)) == k
        for pair in drawn:
            counts[pair] += 1
    assert chisquare(list(counts.values())).pvalue > 1e-3


def test_nearly_all_pairs_can_be_drawn():
    found = pair_cosines(*clouds(60), n_pairs=60 * 59 - 1, random_state=0)
    assert len(set(pairs_of(found.other_pairs))) == 60 * 59 - 1


def test_no_more_matching_pairs_than_asked_for():
    x = clouds(400)[0]
    found = pair_cosines(x, labels=np.arange(400) % 3, n_pairs=500, random_state=0)
    assert found.matching.shape == found.other.shape == (500,)
    assert sum(comb(m, 2) for m in (134, 133, 133)) > 500


@pytest.mark.parametrize("seed", [3, np.random.RandomState(3)])
def test_the_seed_decides(seed):
    x, y = clouds(50)
    expected = pair_cosines(x, y, n_pairs=99, random_state=3)
    found = pair_cosines(x, y, n_pairs=99, random_state=seed)
    assert_array_equal(found.other_pairs, expected.other_pairs)
    assert np.any(pair_cosines(x, y, n_pairs=99, random_state=4).other_pairs != expected.other_pairs)


def test_generators_of_torch_draw_too():
    torch = pytest.importorskip("torch")
    x, y = clouds(50)
    draw = lambda: pair_cosines(x, y, n_pairs=99, random_state=torch.Generator().manual_seed(0))
    assert_array_equal(draw().other_pairs, draw().other_pairs)
    assert draw().other_pairs.shape == (99, 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_rows_have_a_cosine_of_one_and_lengths_do_not_count(dtype):
    x, y = clouds(50)
    x = x.astype(dtype)
    assert np.all(pair_cosines(x, x).matching == 1)
    factors = 2.0 ** np.random.default_rng(0).integers(-20, 20, (50, 1)).astype(dtype)
    found, expected = pair_cosines(x * factors, y, random_state=0), pair_cosines(x, y, random_state=0)
    assert_array_equal(found.other, expected.other)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0]
    assert_allclose(pair_cosines(x @ turn, y @ turn, random_state=0).other, expected.other, atol=1e-6)


def share(cosines):
    return float((cosines > 0.4).mean())


def test_a_share_of_drawn_pairs_has_the_promised_standard_error():
    x, y = clouds(300, 8)
    p, m = share(pair_cosines(x, y).other), 1000
    shares = [share(pair_cosines(x, y, n_pairs=m, random_state=seed).other) for seed in range(400)]
    assert np.mean(shares) == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / m / 400))
    assert np.std(shares) == pytest.approx(np.sqrt(p * (1 - p) / m), rel=0.12)


@pytest.mark.parametrize("kind", ["two clouds", "one cloud"])
def test_over_fresh_rows_a_share_has_the_standard_error_of_its_rows_not_of_its_pairs(kind):
    n, shares, promised = 120, [], []
    for seed in range(300):
        x = clouds(n, 6, seed)[0]
        y = x + np.random.default_rng(seed + 1000).normal(size=x.shape)
        found = pair_cosines(x, y) if kind == "two clouds" else pair_cosines(x, labels=np.arange(n) // 2)
        shares.append(share(found.other))
        above = np.zeros((n, n))
        above[tuple(found.other_pairs.T)] = found.other > 0.4
        above = above if kind == "two clouds" else above + above.T
        promised.append((above.sum(axis=0) + above.sum(axis=1)).std() / (n - 1) / np.sqrt(n))
    assert np.std(shares) == pytest.approx(np.mean(promised), rel=0.15)
    p, pairs = np.mean(shares), n * (n - 1)
    assert np.std(shares) > 4 * np.sqrt(p * (1 - p) / pairs)


def test_bad_input_is_refused():
    x, y = clouds()
    for arguments in ({}, {"Y": y, "labels": LABELS}):
        with pytest.raises(ValueError, match="either Y, whose row i belongs to row i of X, or labels"):
            pair_cosines(x, **arguments)
    with pytest.raises(ValueError, match="X has 7 rows and Y has 6"):
        pair_cosines(x, y[:6])
    with pytest.raises(ValueError, match="Y has 1 zero row"):
        pair_cosines(x, y * (np.arange(7) > 0)[:, None])
    with pytest.raises(ValueError, match="Number of labels is 7"):
        pair_cosines(x, labels=np.arange(7))
    with pytest.raises(ValueError, match="n_pairs must be at least 1"):
        pair_cosines(x, y, n_pairs=0)
    with pytest.raises(TypeError, match="n_pairs must be an integer"):
        pair_cosines(x, y, n_pairs=0.5)
    with pytest.raises(ValueError, match="random_state must be None, an integer, or a generator"):
        pair_cosines(x, y, random_state="seed")
