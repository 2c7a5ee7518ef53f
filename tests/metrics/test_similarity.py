"""Correlations of cosines with judgements: beside SciPy, with ties, in model selection."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics.pairwise import paired_cosine_distances
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skgeom.metrics import (
    cosine_pearson,
    cosine_pearson_scorer,
    cosine_spearman,
    cosine_spearman_scorer,
    make_embedding_scorer,
)
from skgeom.model_selection import row_groups
from skgeom.preprocessing import SiameseTransformer, Whitening

BOTH = pytest.mark.parametrize(("ours", "scipys"), [(cosine_spearman, spearmanr), (cosine_pearson, pearsonr)])


@pytest.fixture
def pairs():
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 2, 7)) + 0.3, rng.integers(0, 6, 60)


@BOTH
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_they_are_scipys_correlations_of_the_cosines(pairs, ours, scipys, dtype):
    X, y = pairs[0].astype(dtype), pairs[1]
    cosines = 1 - paired_cosine_distances(*np.swapaxes(X.astype(float), 0, 1))
    assert ours(X, y) == pytest.approx(scipys(cosines, y).statistic, abs=1e-12)
    assert ours(torch.tensor(X), torch.tensor(y)) == pytest.approx(ours(X, y), abs=1e-12)


def test_pairs_of_equal_rows_are_ties_whatever_their_norms():
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(30, 1, 5)), 2, axis=1)
    X[0, 1] = -X[0, 0]
    y = np.r_[0.0, np.ones(29)]
    assert cosine_spearman(X, y) == pytest.approx(1, abs=1e-12)
    assert cosine_pearson(X, y) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("lengths", [False, True])
def test_equal_cosines_are_ties_whatever_the_rounding_of_their_sums(lengths):
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 2, (2, 400, 12)).astype(float)
    a[:, 0] = b[:, 1] = 1
    y = rng.integers(0, 6, 400) + (a * b).sum(axis=1)
    exact = [Fraction(int(c) ** 2, int(p * q)) for c, p, q in zip((a * b).sum(1), a.sum(1), b.sum(1), strict=True)]
    X = np.stack([a, b], axis=1) * (rng.uniform(0.1, 10, (400, 2, 1)) if lengths else 1)
    assert cosine_spearman(X, y) == pytest.approx(spearmanr([float(one) for one in exact], y).statistic, abs=1e-12)


@BOTH
def test_a_collapsed_space_scores_0(ours, scipys):
    assert ours(np.ones((9, 2, 3)), np.arange(9)) == 0


@BOTH
def test_what_does_not_fit_is_refused(pairs, ours, scipys):
    X, y = pairs
    for bad_x in (X[:, 0], X[:, :, :, None], X[:, [0, 1, 1]], np.where(np.arange(7) == 3, np.nan, X), 0 * X):
        with pytest.raises(ValueError):
            ours(bad_x, y)
    for bad_y, words in ((y[1:], "one judgement per pair"), (0 * y, "two different values"), (y * np.nan, "finite")):
        with pytest.raises(ValueError, match=words):
            ours(X, bad_y)
    with pytest.raises(TypeError):
        ours(X, np.array(["a"] * 60))


def test_the_scorer_scores_what_one_transform_makes_of_both_sides(pairs):
    X, y = pairs
    searched = GridSearchCV(
        SiameseTransformer(Whitening()),
        {"transformer__power": [0.0, 1.0]},
        scoring={"spearman": cosine_spearman_scorer, "pearson": make_embedding_scorer(cosine_pearson)},
        refit="spearman",
        cv=GroupKFold(3),
    ).fit(X, y, groups=row_groups(X))
    (train, test), *_ = GroupKFold(3).split(X, groups=row_groups(X))
    for i, power in enumerate([0.0, 1.0]):
        by_hand = Whitening(power=power).fit(X[train].reshape(-1, 7))
        z = np.stack([by_hand.transform(X[test, side]) for side in (0, 1)], axis=1)
        assert searched.cv_results_["split0_test_spearman"][i] == pytest.approx(cosine_spearman(z, y[test]), abs=1e-12)
        assert searched.cv_results_["split0_test_pearson"][i] == pytest.approx(cosine_pearson(z, y[test]), abs=1e-12)


def test_rows_that_were_not_transformed_side_by_side_are_refused(pairs):
    X, y = pairs
    with pytest.raises(ValueError, match=r"n_pairs, 2, n_features"):
        cross_val_score(Whitening(), X[:, 0], y, scoring=cosine_spearman_scorer, error_score="raise")
    with pytest.raises(ValueError):
        cross_val_score(Whitening(), X, y, scoring=cosine_spearman_scorer, error_score="raise")


def test_without_a_transform_the_pairs_are_scored_as_they_are(pairs):
    X, y = pairs
    as_is = make_pipeline(FunctionTransformer()).fit(X)
    assert cosine_spearman_scorer(as_is, X, y) == cosine_spearman(X, y)
    assert repr(cosine_pearson_scorer) == "cosine_pearson_scorer"


def test_pairs_can_be_scored_on_a_device(pairs):
    X, y = pairs
    scorer = make_embedding_scorer(cosine_spearman, device="cpu")
    assert scorer(SiameseTransformer(Whitening()).fit(X), X, y) == cosine_spearman_scorer(
        SiameseTransformer(Whitening()).fit(X), X, y
    )
