"""Standard errors of measures: as by computing each without each block, and honest about what they are not."""

from inspect import signature

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_allclose
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from skgeom import metrics
from skgeom._core._jackknife import balanced_blocks
from skgeom.metrics import Estimate, estimate, make_embedding_scorer
from skgeom.metrics._measure import MEASURES

N, BLOCKS = 120, 10
RNG = default_rng(0)
X = RNG.normal(size=(N, 5)) * [3, 2, 1, 1, 0.5] + 1
Y = X + 0.5 * RNG.normal(size=X.shape)
LABELS = np.arange(N) % 3
CODES = balanced_blocks(np.arange(N), BLOCKS, np.random.RandomState(0))
SURE = [row for row in MEASURES.values() if row.estimand != "none"]


def naive(value, without):
    """Return value, error and corrected value by the textbook, for blocks of one size."""
    b = len(without)
    return (
        value,
        np.sqrt((b - 1) / b * np.sum((without - np.mean(without)) ** 2)),
        b * value - (b - 1) * np.mean(without),
    )


@pytest.mark.parametrize("row", SURE, ids=lambda row: row.name)
def test_estimates_are_those_of_computing_without_each_block(row):
    options = {"random_state": 0} if row.is_random else {}
    others = row.besides(labels=LABELS, partners=Y, start=Y)
    value = row(X, *others, **options)
    without = [row(X[b != CODES], *(o[b != CODES] for o in others), **options) for b in range(BLOCKS)]
    got = estimate(row.name, X, *others, n_blocks=BLOCKS, paired=row.needs == "clouds")
    expected = naive(value, np.array(without))
    centre = expected[2] if row.estimand == "population" else value
    low, high = row.range(np.inf if row.estimand == "population" else N, X.shape[1])
    assert_allclose(got[:2], expected[:2], rtol=1e-6)
    assert_allclose(got.corrected, np.clip(centre, low, high), rtol=1e-6)
    assert_allclose(got.interval, np.clip(centre + 2.262157 * expected[1] * np.array([-1, 1]), low, high), rtol=1e-5)
    assert got.n_blocks == BLOCKS


@pytest.mark.parametrize("name", ["partition_isotropy", "partition_dispersion"])
def test_random_directions_are_the_same_without_each_block(name):
    measure = MEASURES[name]
    value, *without = (
        measure(x, directions="random", random_state=0) for x in (X, *(X[b != CODES] for b in range(BLOCKS)))
    )
    got = estimate(name, X, directions="random", n_blocks=BLOCKS)
    assert_allclose(got[:2], naive(value, np.array(without))[:2])


@pytest.mark.parametrize("row", [row for row in SURE if row.needs != "cloud"], ids=lambda row: row.name)
def test_data_may_be_passed_by_name(row):
    (other,) = row.besides(labels=LABELS, partners=Y, start=Y)
    name = list(signature(row.function).parameters)[1]
    assert_allclose(estimate(row.name, X, **{name: other})[:2], estimate(row.name, X, other)[:2])


def test_the_classes_of_a_contrastive_loss_are_left_out_with_their_rows():
    value, *without = (
        metrics.clip_loss(X[kept], Y[kept], labels=LABELS[kept])
        for kept in (CODES >= 0, *(b != CODES for b in range(BLOCKS)))
    )
    for labels in (LABELS, [f"class {label}" for label in LABELS]):
        got = estimate("clip_loss", X, Y, labels=labels, n_blocks=BLOCKS)
        assert_allclose(got[:2], naive(value, np.array(without))[:2], rtol=1e-6)


def test_conformity_to_other_rows_is_not_the_average_cosine():
    got = estimate("conformity", X, Y, n_blocks=BLOCKS)
    without = [metrics.conformity(X[b != CODES], Y[b != CODES]).mean() for b in range(BLOCKS)]
    assert_allclose(got[:2], naive(metrics.conformity(X, Y).mean(), np.array(without))[:2])


@pytest.mark.parametrize("row", [row for row in MEASURES.values() if row.estimand == "none"], ids=lambda row: row.name)
def test_what_has_no_error_is_refused(row):
    with pytest.raises(ValueError, match=f"{row.name} has no standard error"):
        estimate(row.name, X, *row.besides(labels=LABELS))


@pytest.mark.parametrize("name", ["isoscore", "effective_rank", "average_cosine", "silhouette", "uniformity"])
@pytest.mark.parametrize("kind", ["float32", "torch", "array_api_strict"])
def test_other_arrays_have_the_same_estimate(name, kind):
    others = (LABELS,) if name == "silhouette" else ()
    expected = estimate(name, X.astype(np.float32).astype(float), *others)
    x = X.astype(np.float32)
    if kind != "float32":
        x = pytest.importorskip(kind).asarray(x)
    got = estimate(name, x, *others)
    assert isinstance(got.value, float)
    assert_allclose(got[:2], expected[:2], rtol=1e-3)


def test_a_tensor_with_a_gradient_is_measured_like_one_without():
    torch = pytest.importorskip("torch")
    assert estimate("isoscore", torch.tensor(X, requires_grad=True)) == estimate("isoscore", torch.tensor(X))


def test_names_functions_and_variants_are_the_same_measure():
    assert estimate("isoscore", X) == estimate(metrics.isoscore, X)
    assert estimate("laplace_energy", X) == estimate(metrics.kernel_energy, X, kernel="laplace")
    assert_allclose(estimate("isoscore", X, debias=True).value, metrics.isoscore(X, debias=True))


def test_a_function_of_the_users_gets_rows_and_is_not_corrected():
    seen = []

    def spread(X, *, power):
        seen.append(X.shape)
        return float(np.mean(np.abs(X) ** power))

    got = estimate(spread, X, power=2.0, n_blocks=BLOCKS)
    assert seen == [(N, 5)] + [(N - N // BLOCKS, 5)] * BLOCKS
    assert got.value == got.corrected == np.mean(X**2)
    assert_allclose(got.standard_error, np.mean(X**2, axis=1).std(ddof=1) / N**0.5, rtol=0.5)


def test_two_independent_clouds_add_their_variances():
    x, y = X, default_rng(1).normal(size=(200, 5)) + 2
    both = estimate("modality_gap", x, y)
    blocks = [balanced_blocks(np.arange(len(z)), 20, np.random.RandomState(0)) for z in (x, y)]
    of_x = naive(0.0, np.array([metrics.modality_gap(x[blocks[0] != b], y) for b in range(20)]))[1]
    of_y = naive(0.0, np.array([metrics.modality_gap(x, y[blocks[1] != b]) for b in range(20)]))[1]
    assert_allclose(both.standard_error, np.hypot(of_x, of_y), rtol=1e-2)  # 120 and 200 rows in 20 blocks of 6 and 10
    assert both.n_blocks == 40


def test_repeated_rows_in_groups_count_once():
    twice, groups = np.repeat(X, 4, axis=0), np.repeat(np.arange(N), 4)
    errors = [estimate("isoscore", twice, groups=g).standard_error for g in (None, groups)]
    expected = estimate("isoscore", X).standard_error
    assert errors[0] < 0.7 * expected
    assert 0.7 * expected < errors[1] < 1.4 * expected


def test_intervals_hold_what_they_promise():
    truth = metrics.isoscore_from_covariance(np.diag([9.0, 4, 1, 1, 0.25]))
    hits = 0
    for seed in range(200):
        low, high = estimate("isoscore", default_rng(seed).normal(size=(200, 5)) * [3, 2, 1, 1, 0.5]).interval
        hits += low <= truth <= high
    assert 180 <= hits <= 199


def test_all_hits_are_not_certainty():
    got = estimate("recall_at_k", X, X)
    assert got.value == 1
    assert np.isnan([got.standard_error, *got.interval]).all()
    assert str(got) == "1.0000 ± nan"


def test_infinite_values_have_no_error():
    x = np.concatenate([X, X[:1]])
    got = estimate("riesz_energy", x)
    assert got.value == np.inf
    assert np.isnan(got.standard_error)


def test_one_class_in_one_block_is_a_class_less_without_it():
    labels = np.where(np.arange(N) < 2, 9, LABELS)
    groups = np.concatenate([[0, 0], np.arange(1, N - 1)])
    got = estimate("silhouette", X, labels, groups=groups)
    assert np.isfinite(got.standard_error)


def test_intervals_stay_within_the_bounds():
    assert estimate("recall_at_k", X, Y).interval[1] <= 1
    x = default_rng(0).normal(size=(400, 5))
    assert estimate("isoscore", x).interval[1] == 1 > estimate("isoscore", x).interval[0]


def test_a_bias_that_cannot_be_corrected_leaves_no_interval():
    x = default_rng(0).normal(size=(30, 40))
    with pytest.warns(UserWarning, match="The bias of isoscore, about .* there is no interval"):
        found = estimate("isoscore", x)
    assert found.standard_error > 0
    assert np.isnan(found.interval).all()


def test_a_debiased_value_is_corrected_for_groups_alone():
    x, groups = default_rng(0).normal(size=(100, 300)), np.arange(100) // 2
    independent, grouped = estimate("isoscore", x, debias=True), estimate("isoscore", x, debias=True, groups=groups)
    assert independent.corrected == independent.value
    assert grouped.corrected != grouped.value
    assert independent.interval[0] < 1 < independent.interval[1]


@pytest.mark.parametrize(
    ("given", "options", "error", "message"),
    [
        (("isoscore", X[:9]), {}, ValueError, "Found 9 rows, but a standard error needs at least 10"),
        (("isoscore", X[:0]), {}, ValueError, "Found 0 rows, but a standard error needs at least 10"),
        (("modality_gap", X, Y), {"groups": LABELS}, ValueError, "groups of two unpaired clouds must be a pair"),
        (("modality_gap", X, Y), {"groups": (LABELS,)}, ValueError, "groups of two unpaired clouds must be a pair"),
        (("clip_loss", X, Y), {"labels": LABELS[:9]}, ValueError, "Found 9 classes for 120 rows"),
        (("isoscore", X), {"groups": LABELS}, ValueError, "Found 3 groups, but a standard error needs at least 10"),
        (("isoscore", X), {"groups": LABELS[:9]}, ValueError, "groups"),
        (("isoscore", X), {"n_blocks": 4}, ValueError, "n_blocks"),
        (("isoscore", X), {"confidence": 1.0}, ValueError, "confidence"),
        (("isoscore", X[:, 0]), {}, ValueError, "Expected 2D array as X, got 1D array"),
        (("isoscore", None), {}, ValueError, "X must have an entry for each row, got None"),
        (("conformity", X, None), {}, ValueError, "Y must have an entry for each row, got None"),
        (("silhouette", X, None), {}, ValueError, "labels must have an entry for each row, got None"),
        (("silhouette", X, LABELS[:9]), {}, ValueError, "Found 120 rows in X, but 9 in another argument"),
        (("isoscor", X), {}, ValueError, "measure must be one of"),
        ((3, X), {}, TypeError, "measure must be the name of a measure or a function"),
        (("isoscore", X * np.nan), {}, ValueError, "NaN"),
        (("silhouette", np.zeros((N, N)), LABELS), {"metric": "precomputed"}, ValueError, "refer to rows by position"),
        (("recall_at_k", X, Y), {"relevant": [[0, 1]]}, ValueError, "refer to rows by position"),
        (("average_cosine", np.where(np.arange(N)[:, None] == 7, 0, X)), {}, ValueError, "the first is row 7"),
        (("silhouette", X, ["a", np.nan, "b"] * (N // 3)), {}, ValueError, "labels contains NaN or None"),
        (("silhouette", X, np.ma.masked_equal(LABELS, 2)), {}, TypeError, "labels has masked entries"),
        (("clip_loss", X, np.ma.masked_less(Y, 0)), {}, TypeError, "Y has masked entries"),
    ],
)
def test_bad_input_is_refused(given, options, error, message):
    with pytest.raises(error, match=message):
        estimate(*given, **options)


@pytest.mark.parametrize(
    ("value", "error", "shown"),
    [(0.123456, 0.00789, "0.1235 ± 0.0079"), (12.3456, 2.34, "12.3 ± 2.3"), (12345.6, 234.0, "12346 ± 234")],
)
def test_no_digit_is_shown_beyond_the_error(value, error, shown):
    assert str(Estimate(value, error, (0, 1), value, 20)) == shown


def test_scorers_report_the_error_of_what_they_score():
    model = PCA(3).fit(X)
    z, groups = model.transform(X), np.arange(N) // 2
    assert make_embedding_scorer("isoscore").estimate(model, X) == estimate("isoscore", z)
    assert metrics.silhouette_scorer.estimate(model, X, LABELS, groups=groups) == estimate(
        "silhouette", z, LABELS, groups=groups
    )
    assert metrics.conformity_scorer.estimate(model, X) == estimate("conformity", z)
    minus = metrics.neg_average_cosine_scorer.estimate(model, X)
    plus = estimate("average_cosine", z)
    assert minus.value == -plus.value
    assert minus.interval == (-plus.interval[1], -plus.interval[0])
    per_row = make_embedding_scorer(lambda x: np.linalg.norm(x, axis=1))
    assert per_row.estimate(model, X).value == per_row(model, X)


@pytest.mark.parametrize("name", ["isoscore", "stable_rank"])
def test_the_memory_of_moments_is_that_of_a_sum_for_each_block(name, peak_memory):
    x = (default_rng(0).normal(size=(2000, 200)) * np.geomspace(1, 0.01, 200)).astype(np.float32)
    with threadpool_limits(1):
        peak = peak_memory(lambda: estimate(name, x))
    assert peak < 1.3 * 8 * 20 * 200**2
