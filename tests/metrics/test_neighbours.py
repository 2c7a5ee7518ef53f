"""Neighbours, retrieval and hubs, against scikit-learn, SciPy, sorting, and all orders of ties."""

from itertools import permutations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.random import default_rng
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist
from scipy.stats import skew
from sklearn.neighbors import NearestNeighbors

from skgeom._array import same_kind, to_numpy
from skgeom.metrics import hubness, k_nearest, retrieval_score

METRICS = ["cosine", "euclidean", "csls"]


def normal(n, d, seed=0, dtype="float64"):
    return default_rng(seed).normal(size=(n, d)).astype(dtype)


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def distances(x, y, metric):
    """Return all distances, those of a row to itself infinite where y is None."""
    among = y is None
    y = x if among else y
    if metric != "csls":
        found = cdist(x, y, metric)
        return found + np.diag(np.full(len(x), np.inf)) if among else found
    cosines = 1 - distances(x, None if among else y, "cosine")
    of_x = np.sort(cosines, axis=1)[:, ::-1][:, : min(10, len(y) - among)].mean(axis=1)
    of_y = np.sort(cosines, axis=0)[::-1][: min(10, len(x) - among)].mean(axis=0)
    return of_x[:, None] + of_y - 2 * cosines


# Nearest rows


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("n", "m", "d", "k"), [(500, 900, 20, 10), (30, 7, 3, 7), (900, 5000, 4, 40), (3, 400, 600, 1)]
)
def test_neighbours_are_those_of_scikit_learn(metric, dtype, n, m, d, k):
    x, y = normal(n, d, 0, dtype), normal(m, d, 1, dtype)
    peer = NearestNeighbors(n_neighbors=k, algorithm="brute", metric=metric)
    for others in (None, y) if k < n else (y,):
        expected = peer.fit((x if others is None else y).astype(float))
        expected = expected.kneighbors(None if others is None else x.astype(float))
        found = k_nearest(x, others, k=k, metric=metric)
        assert_allclose(found.distances, expected[0], rtol=1e-9, atol=1e-12)
        assert_array_equal(found.indices, expected[1])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("among", [True, False])
@pytest.mark.parametrize("n", [6, 60, 500])
def test_neighbours_are_those_of_the_sorted_matrix(metric, among, n):
    x, y = normal(n, 5), None if among else normal(n + 3, 5, 1)
    k = min(n - 1, 30)
    expected = distances(x, y, metric)
    found = k_nearest(x, y, k=k, metric=metric)
    assert_allclose(found.distances, np.sort(expected, axis=1)[:, :k], atol=1e-12)
    assert_array_equal(found.indices, np.argsort(expected, axis=1)[:, :k])


@pytest.mark.parametrize("metric", METRICS)
def test_all_other_rows_can_be_asked_for(metric):
    found = k_nearest(normal(20, 3), k=19, metric=metric).indices
    assert_array_equal(np.sort(found, axis=1), [[j for j in range(20) if j != i] for i in range(20)])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("n", [50, 1500])
def test_equal_rows_are_equally_far_and_come_in_their_order(metric, n):
    rng = default_rng(0)
    rows = rng.normal(size=(n // 10, 7))
    which = rng.integers(0, len(rows), n)
    found = k_nearest(rows[which], rng.normal(size=(40, 7)) * 0 + rows[which[:40]], k=12, metric=metric)
    back = k_nearest(rng.normal(size=(90, 7)), rows[which], k=35, metric=metric)
    for d, j in (found, back):
        assert np.all(np.diff(d, axis=1) >= 0)
        assert np.all((np.diff(d, axis=1) > 0) | (np.diff(j, axis=1) > 0))
    d, j = back
    same = which[j[:, 1:]] == which[j[:, :-1]]
    assert same.any()
    assert np.all(np.diff(d, axis=1)[same] == 0)
    for row, last in zip(
        j, which[j[:, -1]], strict=True
    ):  # the last of equal rows left out are those of the highest index
        members = np.flatnonzero(which == last)
        taken = np.isin(members, row)
        assert not np.any(np.diff(taken.astype(int)) > 0)


@pytest.mark.parametrize("metric", METRICS)
def test_of_equal_rows_the_first_others_are_the_neighbours(metric):
    d, j = k_nearest(np.tile([0.1, 0.7, -0.3], (700, 1)), k=3, metric=metric)
    assert_array_equal(j[3:], np.tile([0, 1, 2], (697, 1)))
    assert_array_equal(j[:3], [[1, 2, 3], [0, 2, 3], [0, 1, 3]])
    assert_allclose(d, 0, atol=1e-15)


@pytest.mark.parametrize("metric", METRICS)
def test_a_row_is_left_out_by_its_place_and_not_by_its_value(metric):
    x = np.repeat(normal(30, 4), 2, axis=0)
    assert_array_equal(k_nearest(x, k=1, metric=metric).indices[:, 0], np.arange(60) ^ 1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("offset", [0, 100])
def test_near_duplicates_far_from_the_origin_are_told_apart(dtype, offset):
    rng = default_rng(0)
    x = np.repeat(rng.normal(size=(20, 16)), 40, axis=0) + 1e-4 * rng.normal(size=(800, 16)) + offset
    x = x.astype(dtype)
    expected = distances(x.astype(float), None, "euclidean")
    d, j = k_nearest(x, k=10, metric="euclidean")
    assert_allclose(d, np.sort(expected, axis=1)[:, :10], rtol=1e-12)
    assert_allclose(np.take_along_axis(expected, j, axis=1), d, rtol=1e-12)


def test_tiny_differences_between_large_rows_keep_their_digits():
    steps = np.arange(1, 40)[:, None] * 1e-9
    x = np.vstack([np.ones((1, 8)), 1 + steps * np.ones(8), normal(50, 8)])
    d, j = k_nearest(x, k=20, metric="euclidean")
    assert_array_equal(j[0], np.arange(1, 21))
    assert_allclose(d[0], np.arange(1, 21) * 1e-9 * np.sqrt(8), rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e-30, 1e30, 1e160, 1e300])
@pytest.mark.parametrize("metric", METRICS)
def test_extreme_scales_change_no_neighbour(metric, scale):
    x = normal(60, 4)
    still, found = (k_nearest(rows, k=5, metric=metric) for rows in (x, x * scale))
    assert_array_equal(found.indices, still.indices)
    factor = scale if metric == "euclidean" else 1
    assert_allclose(found.distances / factor, still.distances, rtol=1e-12, atol=1e-15)


def test_a_far_outlier_costs_the_others_no_digits():
    x = np.vstack([normal(60, 4), np.full((1, 4), 1e12)])
    d, j = k_nearest(x, k=5, metric="euclidean")
    expected = distances(x, None, "euclidean")
    assert_allclose(d[:60], np.sort(expected, axis=1)[:60, :5], rtol=1e-12)
    assert_array_equal(j[:60], np.argsort(expected, axis=1)[:60, :5])


@settings(max_examples=60)
@given(data=st.data(), metric=st.sampled_from(["cosine", "euclidean"]), n=st.integers(2, 25), d=st.integers(1, 4))
def test_small_whole_numbers_are_sorted_by_distance_and_index(data, metric, n, d):
    x = np.array(
        data.draw(st.lists(st.lists(st.integers(-2, 2), min_size=d, max_size=d), min_size=n, max_size=n)), float
    )
    x[(x == 0).all(axis=1)] = 1
    k = data.draw(st.integers(1, n - 1))
    found = k_nearest(x, k=k, metric=metric)
    expected = distances(x, None, metric)
    assert_allclose(found.distances, np.sort(expected, axis=1)[:, :k], atol=1e-12)
    if metric == "euclidean":
        squares = np.round(expected**2)
        assert_array_equal(found.indices, np.argsort(squares, axis=1, kind="stable")[:, :k])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_neighbours_agree_and_stay_where_the_input_is(backend, metric, dtype):
    x, y = np.round(normal(120, 6) * 64) / 64, np.round(normal(90, 6, 1) * 64) / 64
    for others in (None, y):
        given_x, given_y = backend.asarray(x, dtype), None if others is None else backend.asarray(y, dtype)
        found, expected = k_nearest(given_x, given_y, metric=metric), k_nearest(x, others, metric=metric)
        assert same_kind(found.distances, given_x)
        assert same_kind(found.indices, given_x)
        assert (found.distances.dtype, found.indices.dtype) == (backend.xp.float64, backend.xp.int64)
        assert_allclose(to_numpy(found.distances), expected.distances, atol=1e-14)
        assert_array_equal(to_numpy(found.indices), expected.indices)


# Retrieval


def naive_score(similarity, pairs, ks):
    """Average over every order of the candidates within a tie."""
    m = similarity.shape[1]
    found, reciprocal, ranks = np.zeros(len(ks)), [], []
    queries = sorted(set(pairs[:, 0]))
    for q in queries:
        relevant = set(pairs[pairs[:, 0] == q, 1])
        firsts = []
        for order in permutations(range(m)):
            ranking = sorted(order, key=lambda j, q=q: -similarity[q, j])
            firsts.append(1 + next(i for i, j in enumerate(ranking) if j in relevant))
        found += [np.mean(np.array(firsts) <= k) for k in ks]
        reciprocal.append(np.mean(1 / np.array(firsts)))
        ranks.append(np.mean(firsts))
    return found / len(queries), np.mean(reciprocal), np.mean(ranks)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32), n=st.integers(1, 4), m=st.integers(1, 6), n_pairs=st.integers(1, 8))
def test_scores_are_the_mean_over_all_orders_of_ties(seed, n, m, n_pairs):
    rng = default_rng(seed)
    directions = unit(rng.normal(size=(3, 2)))
    x, y = rng.normal(size=(n, 2)), directions[rng.integers(0, 3, m)]
    which = np.round(unit(x) @ y.T, 9)
    pairs = np.stack([rng.integers(0, n, n_pairs), rng.integers(0, m, n_pairs)], axis=1)
    ks = [1, 2, 3, 5, 9]
    recall, mrr, mean_rank = retrieval_score(x, y * rng.uniform(0.5, 2, (m, 1)), k=ks, relevant=pairs)
    expected = naive_score(which, pairs, ks)
    assert_allclose(recall, expected[0], atol=1e-12)
    assert_allclose([mrr, mean_rank], expected[1:], rtol=1e-12)


@pytest.mark.parametrize("metric", ["cosine", "csls"])
@pytest.mark.parametrize(("n", "m"), [(300, 300), (7, 500), (900, 400)])
def test_without_ties_scores_are_those_of_the_sorted_matrix(metric, n, m):
    rng = default_rng(0)
    y = rng.normal(size=(m, 6))
    relevant = rng.integers(0, m, n)
    x = y[relevant] + rng.normal(size=(n, 6))
    ranks = 1 + (distances(x, y, metric) < distances(x, y, metric)[np.arange(n), relevant][:, None]).sum(axis=1)
    score = retrieval_score(x, y, k=(1, 5, m + 3), metric=metric, relevant=relevant)
    assert_allclose(score.recall, [np.mean(ranks <= 1), np.mean(ranks <= 5), 1])
    assert_allclose([score.mrr, score.mean_rank], [np.mean(1 / ranks), ranks.mean()], rtol=1e-12)


@pytest.mark.parametrize("metric", ["cosine", "csls"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("noise", [0, 1e-7])
def test_a_collapsed_space_scores_chance(metric, dtype, noise):
    rng = default_rng(0)
    rows = rng.normal(size=(1, 40)) * (1 + noise * rng.normal(size=(500, 40)))
    score = retrieval_score(rows.astype(dtype), rows[::-1].astype("float32"), k=[1, 10, 500, 501], metric=metric)
    assert_allclose(score.recall, [1 / 500, 10 / 500, 1, 1], rtol=1e-9)
    assert_allclose(score.mean_rank, 250.5)
    assert_allclose(score.mrr, np.mean(1 / np.arange(1, 501)))


def test_rounding_of_float32_rows_makes_no_winner():
    """A map into a space of one direction gives rows that differ by rounding alone."""
    y = np.outer(np.ones(300), normal(1, 60)[0]) * (1 + 6e-8 * default_rng(1).choice([-1, 0, 1], (300, 60)))
    assert_allclose(retrieval_score(normal(300, 60, 3, "float32"), y.astype("float32"), k=3).recall, 0.01, rtol=1e-9)


def test_duplicates_of_the_answer_share_its_place():
    x = normal(40, 5)
    y = np.vstack([x, x, x[:20]])
    score = retrieval_score(x, y, k=[1, 2, 3], relevant=np.arange(40))
    assert_allclose(score.recall, [(1 / 3 + 1 / 2) / 2, (2 / 3 + 1) / 2, 1])
    assert_allclose(score.mean_rank, (2 + 1.5) / 2)


def test_several_answers_count_as_found_when_any_is():
    x, y = np.array([[1.0, 0.0]]), np.array([[1.0, 0.0], [1.0, 0.1], [1.0, 0.2], [0.0, 1.0]])
    score = retrieval_score(x, y, k=[1, 2, 3], relevant=[[0, 3], [0, 2], [0, 2]])
    assert_array_equal(score.recall, [0, 0, 1])
    assert (score.mrr, score.mean_rank) == (1 / 3, 3)


def test_queries_without_a_pair_are_not_scored_but_crowd_csls():
    x, y = normal(60, 5), normal(50, 5, 1)
    pairs = np.array([[5, 3], [9, 3], [44, 7]])
    assert retrieval_score(x, y, relevant=pairs) == retrieval_score(x[[5, 9, 44]], y, relevant=[3, 3, 7])
    ranks = 1 + (distances(x, y, "csls") < np.diag(distances(x, y, "csls")[pairs[:, 0]][:, pairs[:, 1]])[0]).sum(1)
    first = retrieval_score(x, y, relevant=pairs[:1], metric="csls")
    assert first.mean_rank == ranks[5]


@pytest.mark.parametrize("metric", ["cosine", "csls"])
def test_the_order_of_the_rows_does_not_matter(metric):
    rng = default_rng(0)
    y = unit(rng.integers(-2, 3, (200, 3)) + 0.5)
    x = y + 0.3 * rng.integers(-1, 2, (200, 3))
    p, q = rng.permutation(200), rng.permutation(200)
    still = retrieval_score(x, y, k=3, metric=metric)
    moved = retrieval_score(x[p], y[q], k=3, metric=metric, relevant=np.argsort(q)[p])
    assert 0 < still.recall < 1
    assert_allclose(moved, still, rtol=1e-12)


@pytest.mark.parametrize("metric", ["cosine", "csls"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scores_agree_on_every_library(backend, metric, dtype):
    y = np.round(normal(90, 6) * 64) / 64
    x = np.round((y + normal(90, 6, 1)) * 64) / 64
    found = retrieval_score(backend.asarray(x, dtype), backend.asarray(y, dtype), k=3, metric=metric)
    assert all(type(v) is float for v in found)
    assert_allclose(found, retrieval_score(x, y, k=3, metric=metric), rtol=1e-12)
    pairs = np.array([[1, 4], [2, 2]])
    with_pairs = retrieval_score(backend.asarray(x, dtype), backend.asarray(y, dtype), relevant=backend.asarray(pairs))
    assert_allclose(with_pairs, retrieval_score(x, y, relevant=pairs.tolist()), rtol=1e-12)


def test_one_query_and_one_candidate_are_enough():
    assert retrieval_score([[1.0, 2.0]], [[3.0, -1.0]], metric="csls") == (1.0, 1.0, 1.0)


# Hubs


def test_hubness_is_the_skewness_of_how_often_rows_are_neighbours():
    for d, metric in [(3, "cosine"), (60, "cosine"), (60, "euclidean")]:
        x = normal(700, d) + 0.5
        occurrences = np.bincount(np.argsort(distances(x, None, metric), axis=1)[:, :7].ravel(), minlength=700)
        assert_allclose(hubness(x, k=7, metric=metric), skew(occurrences), rtol=1e-9)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32), n=st.integers(3, 12), k=st.integers(1, 5), metric=st.sampled_from(METRICS[:2]))
def test_rows_tied_at_the_last_place_share_it(seed, n, k, metric):
    rng = default_rng(seed)
    x = rng.integers(1, 4, (n, 2)).astype(float)
    near = -np.round(distances(x, None, metric), 9)
    k = min(k, n - 1)
    kth = np.sort(near, axis=1)[:, n - k][:, None]
    better, tied = near > kth, near == kth
    share = (k - better.sum(axis=1)) / tied.sum(axis=1)
    occurrences = (better + tied * share[:, None]).sum(axis=0)
    expected = skew(occurrences) if np.ptp(occurrences) > 1e-9 else 0
    assert_allclose(hubness(x, k=k, metric=metric), expected, atol=1e-7)


@pytest.mark.parametrize("metric", METRICS[:2])
def test_without_a_hub_hubness_is_zero(metric):
    circle = np.stack([np.cos(np.arange(100) * np.pi / 50), np.sin(np.arange(100) * np.pi / 50)], axis=1)
    for x in (circle, np.ones((500, 3)), normal(8, 3), np.eye(6)):
        assert hubness(x, metric=metric) == 0


def test_one_hub_that_all_rows_share_is_the_largest_hubness():
    x = np.vstack([np.eye(40), np.ones((1, 40))])
    x = x - 0.01 * (np.arange(41) < 40)[:, None]
    n = len(x)
    found = hubness(x, k=1)
    occurrences = np.bincount(np.r_[np.full(40, 40)], minlength=n) + np.r_[np.full(40, 1 / 40), 0]
    assert_allclose(found, skew(occurrences), rtol=1e-9)
    assert 0.99 * (n - 2) / np.sqrt(n - 1) < found <= (n - 2) / np.sqrt(n - 1)


def test_hubs_come_with_dimension_and_with_a_narrow_cone():
    x = normal(1500, 100)
    assert hubness(x[:, :3], metric="euclidean") + 1 < hubness(x, metric="euclidean")
    assert hubness(x) + 1 < hubness(x + 1)


@pytest.mark.parametrize("metric", METRICS[:2])
def test_the_order_of_tied_rows_makes_no_hubs(metric):
    rng = default_rng(0)
    x = rng.integers(1, 5, (600, 3)).astype("float32")
    still = hubness(x, metric=metric)
    assert_allclose(hubness(x[rng.permutation(600)], metric=metric), still, rtol=1e-9)
    assert_allclose(hubness(x.astype(float), metric=metric), still, rtol=1e-9)


# Real data


def bilingual(data_folder):
    """Return English words mapped to Spanish by both maps, the Spanish words, and the dictionary of the test."""
    data = np.load(data_folder / "words_w2v_en_es_50d.npz")
    en, es = (unit(data[f"X_{name}"].astype(float)) for name in ("en", "es"))
    en, es = unit(en - en.mean(axis=0)), unit(es - es.mean(axis=0))
    i, j = data["pairs_muse_en_es_train"].T
    u, _, v = np.linalg.svd(en[i].T @ es[j])
    maps = {"procrustes": u @ v, "lstsq": np.linalg.lstsq(en[i], es[j])[0]}
    return {name: en @ w for name, w in maps.items()}, es, data["pairs_muse_en_es_test"]


@pytest.mark.parametrize(("name", "expected"), [("procrustes", [0.761, 0.842]), ("lstsq", [0.753, 0.833])])
def test_the_bilingual_lexicon_has_its_known_precision(data_folder, name, expected):
    mapped, es, pairs = bilingual(data_folder)
    assert_allclose(retrieval_score(mapped[name], es, k=[1, 5], relevant=pairs).recall, expected, atol=5.1e-4)


def test_csls_finds_more_words_than_the_cosine(data_folder):
    mapped, es, pairs = bilingual(data_folder)
    found = {m: retrieval_score(mapped["procrustes"], es, relevant=pairs, metric=m).recall for m in ("cosine", "csls")}
    assert found["csls"] > found["cosine"] + 0.02


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("de", [0.296, 0.417, 0.502]),
        ("es", [0.293, 0.400, 0.548]),
        ("fr", [0.414, 0.508, 0.639]),
        ("it", [0.264, 0.349, 0.504]),
    ],
)
def test_parallel_sentences_are_found_as_often_as_known(data_folder, language, expected):
    """Unit rows, maps fitted on the first half of default_rng(0).permutation, the second half retrieved."""
    data = np.load(data_folder / "stsb_parallel_minilm.npz")
    x, y = (unit(data[f"X_{name}"].astype(float)) for name in (language, "en"))
    order = default_rng(0).permutation(len(x))
    fit, held = order[: len(x) // 2], order[len(x) // 2 :]
    u, _, v = np.linalg.svd(x[fit].T @ y[fit])
    maps = [np.eye(384), u @ v, np.linalg.lstsq(x[fit], y[fit])[0]]
    found = [retrieval_score((x[held] @ w).astype("float32"), y[held].astype("float32")).recall for w in maps]
    assert_allclose(found, expected, atol=5.1e-4)


# What is refused


@pytest.mark.parametrize("measure", [k_nearest, hubness, lambda x, **options: retrieval_score(x, x, **options)])
def test_bad_input_is_refused_in_words(measure):
    x = normal(20, 3)
    for bad, words in [(x * np.nan, "NaN"), (x[0], "2D"), (np.zeros((20, 3)), "20 zero rows")]:
        with pytest.raises(ValueError, match=words):
            measure(bad)
    for k, error, words in [
        (0, ValueError, "at least 1"),
        (1.5, TypeError, "integer"),
        (True, TypeError, "integer"),
    ]:
        with pytest.raises(error, match=words):
            measure(x, k=k)
    with pytest.raises(ValueError, match="metric must be one of 'cosine'"):
        measure(x, metric="manhattan")


def test_more_neighbours_than_candidates_are_refused():
    with pytest.raises(ValueError, match=r"k=20 neighbours .* 19 candidates .*k=19 or less"):
        k_nearest(normal(20, 3), k=20)
    with pytest.raises(ValueError, match=r"k=10 neighbours .* 4 candidates"):
        k_nearest(normal(20, 3), normal(4, 3))
    with pytest.raises(ValueError, match="minimum of 2"):
        k_nearest(normal(1, 3), k=1)


def test_two_spaces_are_not_mixed():
    for measure in (k_nearest, retrieval_score):
        with pytest.raises(ValueError, match="X has 3 features and Y has 4"):
            measure(normal(9, 3), normal(9, 4), k=1)
        with pytest.raises(ValueError, match="Y has 1 zero row"):
            measure(normal(2, 3), np.array([[0.0, 0, 0], [1, 0, 0]]), k=1)


@pytest.mark.parametrize(
    ("relevant", "error", "words"),
    [
        (None, ValueError, r"X has 9 rows and Y has 7.*pass relevant="),
        ([0.0] * 9, TypeError, "integers"),
        ([True] * 9, TypeError, "integers"),
        ([0] * 8, ValueError, r"shape \(8,\), expected \(9,\)"),
        (np.zeros((0, 2), int), ValueError, r"shape \(0, 2\)"),
        (np.zeros((3, 3), int), ValueError, r"shape \(3, 3\)"),
        ([7] * 9, ValueError, "refers to row 7 of Y, which has rows 0 to 6"),
        ([-1] * 9, ValueError, "refers to row -1 of Y.*passing pairs"),
        ([[9, 0]], ValueError, "refers to row 9 of X, which has rows 0 to 8"),
    ],
)
def test_answers_that_do_not_fit_are_refused(relevant, error, words):
    with pytest.raises(error, match=words):
        retrieval_score(normal(9, 3), normal(7, 3, 1), relevant=relevant)


def test_empty_sequences_of_k_are_refused():
    with pytest.raises(ValueError, match="k is empty"):
        retrieval_score(normal(9, 3), normal(9, 3), k=[])


@pytest.mark.parametrize(("dtype", "slack"), [("float32", 4 * 2.0**-23), ("float64", 1e-12)])
@pytest.mark.parametrize(("share", "is_tied"), [(0.5, True), (2.0, False)])
def test_cosines_within_the_rounding_of_their_rows_are_tied_and_no_others(dtype, slack, share, is_tied):
    """The partner of the query is less similar than the other candidate by a share of the tolerance."""
    angle = np.pi / 3  # unit rows at distance 1 of the query, where the tolerance is the slack
    partner = np.array([np.cos(angle), np.sin(angle)], dtype)
    steps = np.arange(-60, 60) * np.spacing(partner[1]) * (1 if dtype == "float32" else 500)
    others = np.stack([np.full(120, partner[0]), -(partner[1] - steps.astype(dtype))], axis=1).astype(np.float64)
    cosines = others[:, 0] / np.linalg.norm(others, axis=1)
    gaps = cosines - float(partner[0]) / np.linalg.norm(partner.astype(np.float64))
    other = others[np.abs(gaps - share * slack).argmin()].astype(dtype)
    query, candidates = np.array([[1, 0]], dtype), np.stack([partner, other])
    found = retrieval_score(query, candidates, relevant=[0])
    assert found.recall == (0.5 if is_tied else 0.0)
