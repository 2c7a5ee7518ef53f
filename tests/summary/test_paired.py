"""The sums of pairs: what is merged, subtracted, saved, and what aligners learn from them."""

import warnings

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_allclose, assert_array_equal

from skgeom._array import to_numpy
from skgeom.alignment import CCAAligner, LstsqAligner, ProcrustesAligner
from skgeom.metrics import isoscore, modality_gap
from skgeom.summary import PairedSummary, cloud_summary, load_summary, paired_summary


def pairs(n=300, d=6, k=4, seed=0):
    rng = default_rng(seed)
    x = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 5
    return x, x[:, :1] + x @ rng.normal(size=(d, k)) + 0.3 * rng.normal(size=(n, k)) - 2


X, Y = pairs()

ALIGNERS = [
    ProcrustesAligner(),
    ProcrustesAligner(scale=True, center=False, allow_reflection=False),
    LstsqAligner(),
    LstsqAligner(alpha="gcv"),
    LstsqAligner(alpha=2.0, prior="orthogonal", fit_intercept=False),
    CCAAligner(2, shrinkage=0.1),
    CCAAligner(),
]


def scatter(x, y):
    return (x - x.mean(axis=0)).T @ (y - y.mean(axis=0))


def in_parts(x, y, *cuts):
    parts = [paired_summary(*both) for both in zip(np.split(x, cuts), np.split(y, cuts), strict=True)]
    return parts[0].merge(parts[1].merge(parts[2]))


def test_sums_of_parts_are_those_of_the_whole():
    whole, merged = paired_summary(X, Y), in_parts(X, Y, 7, 250)
    in_blocks = paired_summary(iter(np.split(X, 3)), iter(np.split(Y, 3)))
    for found in (whole, merged, in_blocks):
        assert found.n_pairs == 300
        assert_allclose(found.scatter, scatter(X, Y), rtol=1e-12)
        assert_allclose(isoscore(found.y), isoscore(Y), rtol=1e-10)


def test_a_rest_is_that_of_its_pairs():
    part = paired_summary(X[:200], Y[:200])
    rest = part.merge(paired_summary(X[200:], Y[200:])).subtract(part)
    assert rest.n_pairs == 100
    assert_allclose(rest.scatter, scatter(X[200:], Y[200:]), rtol=1e-11)
    assert_allclose(rest.x.mean, X[200:].mean(axis=0), rtol=1e-12)


def test_samples_of_both_sides_are_of_the_same_pairs():
    rows = np.arange(50.0)[:, None] * [1, 2, 3]
    merged = paired_summary(rows, rows[:, :1], max_rows=10).merge(paired_summary(-rows, -rows[:, :1], max_rows=10))
    assert merged.x.rows.shape == (10, 3)
    assert_array_equal(merged.x.rows[:, :1], merged.y.rows)


@pytest.mark.parametrize("aligner", ALIGNERS, ids=repr)
@pytest.mark.parametrize(("d", "k"), [(6, 4), (4, 6), (5, 5)])
def test_aligners_learn_from_sums_what_they_learn_from_pairs(aligner, d, k):
    x, y = pairs(d=d, k=k)
    if k != d and (not aligner.get_params().get("allow_reflection", True)):
        pytest.skip("reflections are between spaces of one width")
    summed = type(aligner)(**aligner.get_params()).fit(in_parts(x, y, 7, 250))
    expected = type(aligner)(**aligner.get_params()).fit(x, y)
    assert_allclose(summed.transform(x), expected.transform(x), rtol=1e-8, atol=1e-8)
    assert_allclose(summed.predict(x), expected.predict(x), rtol=1e-8, atol=1e-8)
    assert summed.n_features_in_ == d
    assert summed.n_samples_seen_ == 300
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        summed.partial_fit(x[:50], y[:50]).partial_fit(paired_summary(x[50:60], y[50:60]))
    expected = expected.fit(np.concatenate([x, x[:60]]), np.concatenate([y, y[:60]]))
    assert_allclose(summed.predict(x), expected.predict(x), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("aligner", ALIGNERS, ids=repr)
def test_one_more_pair_counts_as_in_a_batch(aligner):
    summed, expected = (type(aligner)(**aligner.get_params()).fit(X[1:], Y[1:]) for _ in range(2))
    summed.partial_fit(paired_summary(X[:1], Y[:1]))
    expected.partial_fit(X[:1], Y[:1])
    assert_allclose(summed.predict(X), expected.predict(X), rtol=1e-8, atol=1e-8)
    assert_allclose(vars(summed).get("residual_", 0), vars(expected).get("residual_", 0), rtol=1e-8)


def test_few_pairs_of_wide_rows():
    x, y = pairs(n=5, d=12, k=12)
    summed, expected = ProcrustesAligner().fit(paired_summary(x, y)), ProcrustesAligner().fit(x, y)
    assert_allclose(summed.transform(x), expected.transform(x), atol=1e-8)


def test_sums_stay_where_the_pairs_were(backend):
    x, y = backend.asarray(X), backend.asarray(Y)
    summary = paired_summary(x, y)
    assert type(summary.scatter) is type(x)
    assert_allclose(to_numpy(summary.scatter), scatter(X, Y), rtol=1e-10)
    found = ProcrustesAligner().fit(summary).transform(x)
    assert type(found) is type(x)
    assert_allclose(to_numpy(found), ProcrustesAligner().fit(X, Y).transform(X), rtol=1e-8)


def test_both_sides_are_clouds():
    x, y = pairs(k=6)
    summary = paired_summary(x, y)
    assert_allclose(modality_gap(summary.x, summary.y), modality_gap(x, y), rtol=1e-10)


def test_a_file_keeps_every_bit(tmp_path):
    summary = paired_summary(X, Y[:, :2])
    summary.save(tmp_path / "pairs.npz")
    found = load_summary(tmp_path / "pairs.npz")
    assert isinstance(found, PairedSummary)
    assert_array_equal(found.scatter, summary.scatter)
    for one, other in ((found.x, summary.x), (found.y, summary.y)):
        assert_array_equal(one.covariance, other.covariance)
        assert_array_equal(one.rows, other.rows)
        assert one.digits == other.digits
    merged = found.merge(paired_summary(X + 1, Y[:, :2]))
    assert merged.n_pairs == 600


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: paired_summary(X, Y[1:]), ValueError, "rows"),
        (lambda: paired_summary(iter([X]), Y), TypeError, "X and Y must be iterators of blocks if one is"),
        (lambda: paired_summary(iter([]), iter([])), ValueError, "no blocks"),
        (lambda: paired_summary(iter([X, X]), iter([Y])), ValueError, "Y has fewer blocks"),
        (lambda: paired_summary(X, Y).merge(paired_summary(Y, X)), ValueError, "features"),
        (lambda: (s := paired_summary(X, Y)).merge(s), ValueError, "same rows"),
        (lambda: paired_summary(X, Y).subtract(paired_summary(X[:9], Y[:9])), ValueError, "not a part"),
        (lambda: LstsqAligner().fit(paired_summary(X, Y), Y), ValueError, "pass None"),
        (lambda: LstsqAligner().fit(paired_summary(X, Y), None, np.ones(300)), ValueError, "pass None"),
        (lambda: LstsqAligner().fit(paired_summary(X[:1], Y[:1])), ValueError, "minimum of 2"),
        (lambda: LstsqAligner().fit(X, Y).partial_fit(paired_summary(X[:, :5], Y)), ValueError, "expecting 6"),
        (lambda: LstsqAligner().fit(X, Y).partial_fit(paired_summary(X, Y[:, :2])), ValueError, "had 4"),
        (lambda: LstsqAligner().fit(X), ValueError, "y"),
        (lambda: isoscore(paired_summary(X, Y)), TypeError, "pass .x or .y"),
        (lambda: LstsqAligner().fit(cloud_summary(X)), TypeError, "pass the rows"),
    ],
)
def test_what_does_not_fit_is_refused(call, error, match):
    with pytest.raises(error, match=match):
        call()
