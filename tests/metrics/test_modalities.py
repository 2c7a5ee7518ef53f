"""Retrieval among the rows of several modalities: loops, values of independent code, ties, real pairs, invariances."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skgeom._array import namespace, same_kind, to_numpy
from skgeom._core.pairs import _modalities
from skgeom.metrics import (
    MixedRetrieval,
    mixed_retrieval,
    modality_auc_matrix,
    modality_gap,
    modality_gap_matrix,
)


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def planted():
    """Return the text and the image embeddings for which independent code made reference values."""
    rng = np.random.default_rng(71)
    Z = rng.normal(size=(60, 8))
    image = Z + 0.5 * rng.normal(size=(60, 8)) + 2 * np.eye(8)[0]
    text = Z + 0.5 * rng.normal(size=(60, 8)) - 1 * np.eye(8)[1]
    return text, image


def loops(X, Y, k):
    """Return what `mixed_retrieval` does, for one k and candidates without ties."""
    x, y = unit(X), unit(Y)
    n = len(x)
    ranks, shares, aucs = [], [], []
    for i in range(n):
        own = [(x[i] @ x[j], "own", j) for j in range(n) if j != i]
        other = [(x[i] @ y[j], "other", j) for j in range(n)]
        order = sorted(own + other, reverse=True)
        ranks.append(1 + [(side, j) for _, side, j in order].index(("other", i)))
        shares.append(np.mean([side == "own" for _, side, _ in order[:k]]))
        aucs.append(np.mean([a > b for a, _, _ in own for b, _, j in other if j != i]))
    ranks = np.array(ranks)
    return MixedRetrieval(
        np.mean(ranks <= k), np.mean(1 / ranks), np.median(ranks), np.mean(shares), float(np.mean(aucs))
    )


def tied(X, Y, k, draws=4000):
    """Return the mean of what the loops say over random orders of equal candidates, with ties of the AUC as half."""
    rng, n = np.random.default_rng(0), len(X)
    x, y = unit(X), unit(Y)
    own, other = np.round(x @ x.T, 9), np.round(x @ y.T, 9)
    hits, reciprocals, shares, ranks, aucs = [], [], [], [], []
    for i in range(n):
        values = np.concatenate([np.delete(own[i], i), other[i]])
        is_own, partner = np.arange(2 * n - 1) < n - 1, n - 1 + i
        orders = np.argsort(-values + 1e-10 * rng.random((draws, 2 * n - 1)), axis=1)
        place = 1 + np.argmax(orders == partner, axis=1)
        hits.append(np.mean(place <= k))
        reciprocals.append(np.mean(1 / place))
        shares.append(np.mean(is_own[orders[:, :k]]))
        ranks.append(1 + np.sum(values > other[i, i]) + (np.sum(values == other[i, i]) - 1) / 2)
        a, b = np.delete(own[i], i)[:, None], np.delete(other[i], i)[None, :]
        aucs.append(np.mean((a > b) + (a == b) / 2))
    return [np.mean(hits), np.mean(reciprocals), np.median(ranks), np.mean(shares), np.mean(aucs)]


# Definitions


@pytest.mark.parametrize("k", [1, 7, 119])
def test_it_is_the_naive_loop(k):
    for X, Y in (planted(), planted()[::-1]):
        assert_allclose(mixed_retrieval(X, Y, k=k), loops(X, Y, k), rtol=1e-12)


def test_values_of_independent_code():
    found = mixed_retrieval(*planted(), k=[1, 10])
    assert_allclose(
        [*found.recall, found.mrr], [0.23333333333333334, 0.7333333333333333, 0.37480035394395583], rtol=1e-9
    )
    assert found.own_share.shape == (2,)


def test_panels_of_queries_do_not_matter(monkeypatch):
    X, Y = planted()
    whole = mixed_retrieval(X, Y, k=[1, 5]), modality_auc_matrix([X, Y])
    monkeypatch.setattr(_modalities, "_MOST_SIMILARITIES", {True: 850, False: 850})
    for found, expected in zip(mixed_retrieval(X, Y, k=[1, 5]), whole[0], strict=True):
        assert_allclose(found, expected, rtol=1e-14)
    assert_allclose(modality_auc_matrix([X, Y]), whole[1], rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("k", [1, 3, 8])
def test_ties_count_half_or_as_in_random_order(k, dtype):
    places = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 4.0]], dtype=dtype)
    rng = np.random.default_rng(1)
    X, Y = (places[rng.integers(0, 3, 8)] * rng.integers(1, 3, (8, 1)).astype(dtype) for _ in range(2))
    assert_allclose(mixed_retrieval(X, Y, k=k), tied(X, Y, k), atol=0.02)
    exact = mixed_retrieval(X, Y, k=k)
    assert_allclose([exact.median_rank, exact.own_auc], [tied(X, Y, k, 2)[i] for i in (2, 4)], rtol=1e-12)


def test_a_collapsed_space_has_the_values_of_chance():
    found = mixed_retrieval(np.ones((4, 2)), np.ones((4, 2)), k=[1, 7, 100])
    assert_allclose(found.recall, [1 / 7, 1, 1])
    assert_allclose(found.own_share, [3 / 7] * 3)
    assert (found.median_rank, found.own_auc) == (4, 0.5)
    assert found.mrr == pytest.approx(np.mean(1 / np.arange(1, 8)))


def test_without_modalities_the_numbers_are_those_of_chance():
    rng = np.random.default_rng(0)
    found = mixed_retrieval(rng.normal(size=(400, 20)), rng.normal(size=(400, 20)), k=10)
    assert found.own_share == pytest.approx(399 / 799, abs=0.03)
    assert found.own_auc == pytest.approx(0.5, abs=0.01)
    assert found.median_rank == pytest.approx(400, abs=60)


def test_modalities_far_apart_fill_all_first_places_with_their_own_rows():
    Z = np.random.default_rng(0).normal(size=(50, 6))
    X, Y = Z + 50 * np.eye(6)[0], Z + 50 * np.eye(6)[1]
    found = mixed_retrieval(X, Y, k=10)
    assert (found.recall, found.own_share, found.own_auc) == (0, 1, 1)
    assert found.median_rank >= 50


def test_one_modality_twice_finds_itself():
    X = np.random.default_rng(0).normal(size=(30, 5))
    found = mixed_retrieval(X, 3 * X, k=1)
    assert (found.recall, found.mrr, found.median_rank, found.own_share, found.own_auc) == (1, 1, 1, 0, 0.5)


# Real pairs


def halves(pairs):
    """Return the odd pairs, and the same centred with the means of the even ones, modality by modality."""
    held_out = pairs[:, 1::2].astype(float)
    return held_out, held_out - pairs[:, ::2].astype(float).mean(axis=1, keepdims=True)


def test_the_union_of_clip_embeddings_hides_partners_until_the_means_are_gone(data_folder):
    image, text = np.load(data_folder / "modality_gap_pairs.npz")["clip"]
    found = mixed_retrieval(text, image, k=[1, 10])
    assert_allclose(found.recall, 0, atol=0)
    assert_allclose(
        [found.mrr, found.median_rank, found.own_share[1], found.own_auc], [0.0021, 494, 1, 0.9990], atol=6e-5
    )
    found = mixed_retrieval(image, text, k=[1, 10])
    assert_allclose([*found.recall, found.own_auc, found.median_rank], [0, 0, 1, 500], atol=6e-5)


@pytest.mark.parametrize(
    ("name", "recall", "own_share", "auc"),
    [
        ("clip", [0.076, 0.500], 0.898, 0.464),
        ("videoclip", [0.040, 0.56], 0.794, None),
        ("clasp", [0, 0.02], None, None),
    ],
)
def test_centring_on_other_pairs_brings_partners_back_and_leaves_the_first_places_to_the_own_modality(
    data_folder, name, recall, own_share, auc
):
    _, (image, text) = halves(np.load(data_folder / "modality_gap_pairs.npz")[name])
    found = mixed_retrieval(text, image, k=[1, 10])
    assert_allclose(found.recall, recall, atol=5e-4)
    if own_share is not None:
        assert found.own_share[1] == pytest.approx(own_share, abs=6e-4)
    if auc is not None:
        assert found.own_auc == pytest.approx(auc, abs=6e-4)
        assert found.mrr == pytest.approx(0.191, abs=6e-4)


# Matrices


def three():
    rng = np.random.default_rng(3)
    return [rng.normal(size=(40, 5)) + shift for shift in (0.0, 0.5, np.array([2.0, 0, 0, 0, 0]))]


def test_matrices_hold_the_values_of_each_two():
    modalities = three()
    gaps, aucs = modality_gap_matrix(modalities), modality_auc_matrix(modalities)
    for i, a in enumerate(modalities):
        for j, b in enumerate(modalities):
            assert gaps[i, j] == pytest.approx(modality_gap(a, b), abs=1e-14)
            assert aucs[i, j] == pytest.approx(mixed_retrieval(a, b).own_auc if i != j else 0.5, abs=1e-14)
    assert_allclose(modality_gap_matrix(np.stack(modalities)), gaps)
    strict = pytest.importorskip("array_api_strict").asarray(np.stack(modalities))  # an array without len()
    assert_allclose(np.asarray(modality_gap_matrix(strict)), gaps)
    assert_allclose(np.asarray(modality_auc_matrix(strict)), aucs)
    assert modality_gap_matrix([modalities[0], modalities[1][:1]])[0, 1] == pytest.approx(
        modality_gap(modalities[0], modalities[1][:1])
    )


# Invariances, libraries, refusals


def test_rotation_and_the_lengths_of_rows_change_nothing():
    X, Y = planted()
    rng = np.random.default_rng(5)
    Q = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    moved = [(side @ Q) * rng.uniform(0.1, 10, (60, 1)) for side in (X, Y)]
    assert_allclose(mixed_retrieval(*moved), mixed_retrieval(X, Y), rtol=1e-12)
    order = rng.permutation(60)
    assert_allclose(mixed_retrieval(X[order], Y[order]), mixed_retrieval(X, Y), rtol=1e-12)


def test_every_library_has_the_same_numbers(backend):
    X, Y = planted()
    x, y = backend.asarray(X), backend.asarray(Y)
    assert_allclose(mixed_retrieval(x, y), mixed_retrieval(X, Y), rtol=1e-12)
    for function in (modality_auc_matrix, modality_gap_matrix):
        found = function([x, y])
        assert same_kind(found, x)
        assert found.dtype == namespace(x).float64
        assert_allclose(to_numpy(found), function([X, Y]), atol=1e-12)


def test_what_makes_no_sense_is_refused():
    X, Y = planted()
    zero = X.copy()
    zero[4] = 0
    for call, words in [
        (lambda: mixed_retrieval(X, Y[:9]), "row i of one belongs to row i"),
        (lambda: mixed_retrieval(X, Y[:, :3]), "must be in the same space"),
        (lambda: mixed_retrieval(X, zero), "zero row"),
        (lambda: mixed_retrieval(X, Y, k=0), "k must be at least 1"),
        (lambda: mixed_retrieval(X, Y, k=[]), "k is empty"),
        (lambda: mixed_retrieval(X[:1], Y[:1]), "minimum of 2 is required"),
        (lambda: modality_auc_matrix([X, Y[:9]]), r"modalities\[0\] has 60 rows and modalities\[1\] has 9"),
        (lambda: modality_auc_matrix([X]), "at least two matrices"),
        (lambda: modality_gap_matrix(X), "at least two matrices"),
        (lambda: modality_gap_matrix(None), "at least two matrices"),
        (lambda: modality_gap_matrix(x for x in [X, X]), "at least two matrices"),
        (lambda: modality_gap_matrix({"image": X, "text": X}), "at least two matrices"),
        (lambda: modality_gap_matrix([X, zero]), r"modalities\[1\] has 1 zero row"),
        (lambda: modality_gap_matrix([X, Y[:, :3]]), "must be in the same space"),
    ]:
        with pytest.raises(ValueError, match=words):
            call()
