"""Cluster structure, against scikit-learn, loops over pairs, and planted classes."""

import numpy as np
import pytest
import sklearn
import sklearn.metrics
from numpy.random import default_rng
from numpy.testing import assert_allclose
from scipy.spatial.distance import cdist
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

from skgeom.metrics import (
    calinski_harabasz_score,
    davies_bouldin_score,
    dunn_index,
    silhouette_samples,
    silhouette_score,
)

METRICS = ["euclidean", "sqeuclidean", "cosine"]
SCORES = [silhouette_score, calinski_harabasz_score, davies_bouldin_score, dunn_index]


def blobs(n=120, d=5, k=4, seed=0, offset=0.0, distance=3.0):
    """Return rows around k planted centres, and unsorted labels that leave one class alone in its row."""
    rng = default_rng(seed)
    labels = rng.permutation(np.r_[np.arange(k), rng.integers(0, k - 1, n - k)])
    return rng.normal(size=(n, d)) + distance * rng.normal(size=(k, d))[labels] + offset, labels


def precomputed(x, labels, metric):
    """Return silhouettes from the exact matrix of distances."""
    distances = cdist(np.asarray(x, np.float64), np.asarray(x, np.float64), metric)
    np.fill_diagonal(distances, 0)
    return sklearn.metrics.silhouette_samples(distances, labels, metric="precomputed")


def naive_dunn(x, labels):
    distances = cdist(x, x)
    same = labels[:, None] == labels[None, :]
    return distances[~same].min() / distances[same].max()


# Against scikit-learn and loops


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(("n", "d", "k"), [(120, 5, 4), (30, 60, 2), (9, 1, 8), (2500, 3, 7), (500, 4, 300)])
def test_silhouettes_equal_those_of_the_distance_matrix(metric, n, d, k):
    x, labels = blobs(n, d, k)
    assert_allclose(silhouette_samples(x, labels, metric=metric), precomputed(x, labels, metric), atol=1e-11)


@pytest.mark.parametrize("metric", METRICS)
def test_silhouettes_equal_scikit_learn(metric):
    x, labels = load_digits(return_X_y=True)
    expected = sklearn.metrics.silhouette_samples(x + 1, labels, metric=metric)
    assert_allclose(silhouette_samples(x + 1, labels, metric=metric), expected, atol=1e-12)
    assert_allclose(silhouette_score(x + 1, labels, metric=metric), expected.mean(), atol=1e-12)


def test_calinski_harabasz_of_digits_is_its_reference():
    """reference.json calinski_digits, by scikit-learn."""
    assert_allclose(calinski_harabasz_score(*load_digits(return_X_y=True)), 144.1902786959258, rtol=1e-12)


@pytest.mark.parametrize(("n", "d", "k"), [(120, 5, 4), (30, 60, 2), (9, 1, 8), (500, 4, 300)])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_calinski_harabasz_equals_scikit_learn(n, d, k, offset):
    x, labels = blobs(n, d, k, offset=offset)
    expected = sklearn.metrics.calinski_harabasz_score(x, labels)
    assert_allclose(calinski_harabasz_score(x, labels), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("n", "d", "k", "offset"), [(120, 5, 4, 0), (60, 90, 3, 0), (3000, 3, 400, 0), (120, 5, 4, 1e6)]
)
def test_davies_bouldin_equals_scikit_learn(n, d, k, offset):
    """scikit-learn's distances are those of a product: where a class is one row, they are off by up to 1e-8."""
    x, labels = blobs(n, d, k)
    means = np.stack([x[labels == c].mean(axis=0) for c in np.unique(labels)])
    spreads = [np.linalg.norm(x[labels == c] - m, axis=1).mean() for c, m in zip(np.unique(labels), means, strict=True)]
    apart = np.linalg.norm(means[:, None] - means, axis=2) + np.diag(np.full(len(means), np.inf))
    expected = (np.add.outer(spreads, spreads) / apart).max(axis=1).mean()
    assert_allclose(davies_bouldin_score(x + offset, labels), expected, rtol=1e-12 if offset == 0 else 1e-8)
    assert_allclose(sklearn.metrics.davies_bouldin_score(x, labels), expected, rtol=1e-7)


def test_davies_bouldin_of_planted_classes():
    rng = default_rng(0)
    codes = np.repeat([0, 1, 2], 4)
    spheres = np.tile([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]], (3, 1))  # mean distance 1 around each centre
    centres = np.array([[0.0, 0, 0], [4, 0, 0], [0, 10, 0]])
    x, order = spheres + centres[codes], rng.permutation(12)
    nearest = [4, 4, 10]
    assert_allclose(davies_bouldin_score(x[order], codes[order]), np.mean([2 / d for d in nearest]), rtol=1e-14)


def test_davies_bouldin_is_infinite_for_classes_with_one_mean_and_zero_for_points():
    x = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1], [9, 9], [9, 9]])
    labels = [0, 0, 1, 1, 2, 2]
    assert davies_bouldin_score(x, labels) == np.inf
    assert sklearn.metrics.davies_bouldin_score(x, labels) < 1  # which does not see the pair
    assert davies_bouldin_score(np.repeat(np.eye(3), 2, axis=0), labels) == 0


@pytest.mark.parametrize(("n", "d", "k"), [(60, 5, 4), (30, 60, 2), (9, 1, 8), (2500, 3, 7)])
def test_dunn_index_is_least_gap_over_largest_diameter(n, d, k):
    x, labels = blobs(n, d, k)
    assert_allclose(dunn_index(x, labels), naive_dunn(x, labels), rtol=1e-9)


def test_dunn_index_by_hand():
    x = np.array([[0.0, 0], [3, 4], [100, 0], [100, 1], [10, 4]])
    assert_allclose(dunn_index(x, ["a", "a", "b", "b", "c"]), 7 / 5, rtol=1e-14)


@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean"])
def test_silhouettes_by_hand(metric):
    samples = silhouette_samples([[0.0], [1.0], [10.0], [12.0]], [0, 0, 1, 1], metric=metric)
    power = 1 if metric == "euclidean" else 2
    own, other = np.array([1, 1, 2, 2]) ** power, np.array([10**power + 12**power, 9**power + 11**power]) / 2
    assert_allclose(samples[:2], 1 - own[:2] / other, rtol=1e-12)


# What labels may be


@pytest.mark.parametrize(
    "rename",
    [
        lambda y: y.tolist(),
        lambda y: y * 7 - 9,
        lambda y: y.astype(float),
        lambda y: np.array(["zebra", "ape", "ox", "ant"])[y],
        lambda y: np.array(["zebra", "ape", "ox", "ant"], dtype=object)[y],
        lambda y: y[:, None],
        lambda y: pytest.importorskip("pandas").Series(y, index=range(9, 9 + len(y))),
        lambda y: pytest.importorskip("pandas").Series(np.array(list("zyxw"))[y], dtype="category"),
        lambda y: pytest.importorskip("polars").Series(y),
        lambda y: pytest.importorskip("torch").tensor(y),
    ],
)
@pytest.mark.parametrize("score", SCORES)
def test_labels_are_names_of_any_type(score, rename):
    x, labels = blobs()
    assert_allclose(score(x, rename(labels)), score(x, labels), rtol=1e-12)


def test_booleans_are_two_classes():
    x, labels = blobs()
    assert silhouette_score(x, labels > 0) == silhouette_score(x, (labels > 0).astype(int))


@pytest.mark.parametrize("frame", ["pandas", "polars"])
@pytest.mark.parametrize("score", SCORES)
def test_data_frames_are_rows(score, frame):
    x, labels = blobs()
    assert score(pytest.importorskip(frame).DataFrame(x), labels) == score(x, labels)


# Documented values


@pytest.mark.parametrize("metric", METRICS)
def test_a_class_of_one_has_silhouette_zero(metric):
    x, labels = blobs()
    alone = np.bincount(labels)[labels] == 1
    assert alone.sum() == 1
    assert silhouette_samples(x, labels, metric=metric)[alone] == 0


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("value", [1.0, 0.1, 1e6, 1e-30])
def test_equal_rows_have_silhouette_zero(metric, value):
    x = np.full((30, 3), value)
    assert np.all(silhouette_samples(x, np.arange(30) % 3, metric=metric) == 0)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("seed", range(4))
def test_classes_at_one_point_have_silhouette_zero_beside_another_class(metric, seed):
    """Both mean distances are 0 for the 3000 rows that share a point, wherever the third class is."""
    places = default_rng(seed).normal(size=(2, 6))
    x, labels = np.repeat(places, [5, 3000], axis=0), np.repeat([0, 1, 2], [5, 1500, 1500])
    assert_allclose(silhouette_samples(x, labels, metric=metric), labels == 0, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_many_rows_at_one_point_are_still_one_point(seed):
    """Sums of 20,000 equal numbers are rounded; neither a distance nor a spread."""
    places = default_rng(seed).normal(size=(2, 6))
    x, labels = np.repeat(places, [5, 40_000], axis=0), np.repeat([0, 1, 2], [5, 20_000, 20_000])
    for metric in ("sqeuclidean", "cosine"):
        assert_allclose(silhouette_samples(x, labels, metric=metric), labels == 0, atol=1e-12)
    assert calinski_harabasz_score(x, labels) == 1


@pytest.mark.parametrize("metric", METRICS)
def test_collapsed_classes_have_silhouette_one(metric):
    places = default_rng(1).normal(size=(4, 6))
    labels = np.repeat(np.arange(4), [3, 7, 11, 13])
    assert_allclose(silhouette_samples(places[labels], labels, metric=metric), 1, rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_classes_without_spread_have_the_documented_indices(seed):
    places = default_rng(seed).normal(size=(4, 6))
    labels = np.repeat(np.arange(4), [3, 7, 11, 13])
    assert dunn_index(places[labels], labels) == np.inf
    assert calinski_harabasz_score(places[labels], labels) == 1


def test_equal_rows_have_the_documented_indices():
    x, labels = np.full((12, 3), 0.1), np.arange(12) % 4
    assert calinski_harabasz_score(x, labels) == 1
    assert dunn_index(x, labels) == np.inf


def test_a_shared_point_makes_the_dunn_index_zero():
    x, labels = blobs()
    x[labels == 0] = x[labels == 1][0]
    assert dunn_index(x, labels) == 0


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize(("dtype", "exponent"), [("float32", -120), ("float32", 120), ("float64", 1015)])
def test_powers_of_two_change_nothing(score, dtype, exponent):
    x, labels = blobs()
    x = x.astype(dtype)
    assert_allclose(score(np.ldexp(x, exponent), labels), score(x, labels), rtol=1e-6)


# Accuracy


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("offset", [0.0, 1.0, 100.0, 1e4])
def test_float32_silhouettes_are_those_of_float64(metric, offset):
    x, labels = blobs(n=1000, d=16, offset=offset)
    x = x.astype(np.float32)
    expected = precomputed(x, labels, metric)
    assert_allclose(silhouette_samples(x, labels, metric=metric), expected, atol=1e-6)


@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean"])
@pytest.mark.parametrize("offset", [1e3, 1e6])
def test_an_offset_costs_no_silhouette_a_digit(metric, offset):
    x, labels = blobs()
    shifted = x + offset
    assert_allclose(silhouette_samples(shifted, labels, metric=metric), precomputed(shifted, labels, metric), atol=1e-9)


@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean"])
@pytest.mark.parametrize("distance", [1e2, 1e4, 1e5])
def test_a_far_class_blurs_no_silhouette_of_the_near_ones(metric, distance):
    rng = default_rng(0)
    labels = np.repeat([0, 1, 2], 40)
    x = rng.normal(size=(120, 2)) * 0.1 + np.array([[0, 0], [1, 0], [distance, distance]])[labels]
    assert_allclose(silhouette_samples(x, labels, metric=metric), precomputed(x, labels, metric), atol=1e-5)


@pytest.mark.parametrize("gap", [1e-3, 1e-5, 1e-7, 1e-9])
def test_dunn_index_sees_small_gaps(gap):
    x = default_rng(0).normal(size=(40, 3))
    x[20] = x[0] + [gap, 0, 0]
    labels = np.repeat([0, 1], 20)
    assert_allclose(dunn_index(x, labels), naive_dunn(x, labels), rtol=1e-5)


@pytest.mark.parametrize("metric", METRICS)
def test_silhouettes_make_no_matrix_of_all_pairs(metric, peak_memory):
    x, labels = blobs(n=4000, d=4)
    with threadpool_limits(1):  # each thread has some tiles
        peak = peak_memory(lambda: silhouette_samples(x, labels, metric=metric))
    assert peak < 8 * 4000 * 4000 / 10


# Refusals


@pytest.mark.parametrize("score", [silhouette_samples, *SCORES])
@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.zeros(120), "Number of labels is 1"),
        (np.arange(120), "Number of labels is 120.* 119"),
        (np.arange(119) % 2, "Found 119 labels for 120 rows"),
        (np.eye(120), "1d array"),
        (np.where(np.arange(120) > 5, 1.0, np.nan), "labels contains NaN"),
    ],
)
def test_labels_that_are_no_classes_are_refused_in_words(score, labels, words):
    with pytest.raises(ValueError, match=words):
        score(blobs()[0], labels)


@pytest.mark.parametrize("dtype", ["object", "str", "string", "category", "Int64"])
@pytest.mark.parametrize("missing", [None, np.nan])
def test_missing_names_of_classes_are_refused_in_words(dtype, missing):
    pandas = pytest.importorskip("pandas")
    names = [1, 2, missing] if dtype == "Int64" else ["a", "b", missing]
    labels = pandas.Series(names * 40, dtype=dtype)
    with pytest.raises((TypeError, ValueError), match="label"):
        silhouette_score(blobs()[0], labels)


def test_missing_names_in_an_array_are_refused_in_words():
    with pytest.raises((TypeError, ValueError), match="label"):
        silhouette_score(blobs()[0], np.array(["a", "b", None] * 40, dtype=object))


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda x: x * np.nan, "contains NaN"),
        (lambda x: np.where(x > 3, np.inf, x), "contains infinity"),
        (lambda x: x[:, 0], "Expected 2D array"),
        (lambda x: x * 1j, "Complex data not supported"),
    ],
)
def test_bad_rows_are_refused_in_words(score, spoil, words):
    x, labels = blobs()
    with pytest.raises(ValueError, match=words):
        score(spoil(x), labels)


def test_zero_rows_are_refused_under_cosine_alone():
    x, labels = blobs()
    x[7] = 0
    with pytest.raises(ValueError, match=r"1 zero row .*row 7"):
        silhouette_score(x, labels, metric="cosine")
    assert np.isfinite(silhouette_score(x, labels))


@pytest.mark.parametrize("metric", ["l1", "Euclidean", None, 2])
def test_an_unknown_metric_is_refused_in_words(metric):
    with pytest.raises(ValueError, match="metric must be one of 'euclidean', 'sqeuclidean', 'cosine'"):
        silhouette_score(*blobs(), metric=metric)


def test_a_refused_input_is_left_as_it_was():
    x, labels = blobs()
    before = x.tobytes(), labels.tobytes()
    with pytest.raises(ValueError, match="labels"):
        silhouette_score(x, labels * 0)
    assert (x.tobytes(), labels.tobytes()) == before


@pytest.mark.parametrize("metric", METRICS)
def test_classes_of_duplicates_at_one_point_are_at_distance_zero_whatever_the_rounding(metric):
    rng = default_rng(0)
    copies = np.tile(1 + rng.random(9), (14, 1))
    if metric == "cosine":
        copies *= rng.uniform(0.5, 2, (14, 1))  # one direction, up to the rounding of each row
    x = np.vstack([copies, rng.normal(size=(7, 9)) + 50])
    assert (silhouette_samples(x, np.repeat([0, 1, 2], 7), metric=metric)[:14] == 0).all()


def test_the_sums_of_a_silhouette_keep_to_the_working_memory(peak_memory):
    x, labels = blobs(6000, 4, 2500)
    x = x.astype(np.float32)
    peaks = []
    for megabytes in (1, 1024):
        with sklearn.config_context(working_memory=megabytes), threadpool_limits(1):  # each thread has a panel of sums
            peaks.append(peak_memory(lambda: silhouette_samples(x, labels)))
    assert peaks[0] < 0.5 * peaks[1]
