"""nDCG and mean average precision: beside scikit-learn, and beside the mean over all orders of ties."""

from itertools import permutations

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, ndcg_score
from sklearn.metrics.pairwise import cosine_similarity

from skgeom.metrics import mean_average_precision, mean_reciprocal_rank, ndcg_at_k

RNG = np.random.default_rng(0)
QUERIES, CANDIDATES = RNG.normal(size=(2, 30, 5))
RELEVANT = np.argwhere(RNG.uniform(size=(30, 30)) < 0.15)
GRADES = RNG.integers(0, 4, len(RELEVANT)).astype(float)
COPIES = CANDIDATES[np.arange(30) % 9]
"""Candidates of which each is there three or four times."""


def matrix(grades):
    found = np.zeros((30, 30))
    found[tuple(RELEVANT.T)] = grades
    return found


@pytest.mark.parametrize("candidates", [CANDIDATES, COPIES], ids=["different", "copies"])
@pytest.mark.parametrize("k", [1, 5, 10, 100])
def test_ndcg_is_that_of_scikit_learn(candidates, k):
    truth, scores = matrix(GRADES), cosine_similarity(QUERIES, candidates).round(12)
    scored = truth.sum(axis=1) > 0
    expected = ndcg_score(truth[scored], scores[scored], k=k)
    order = RNG.permutation(len(RELEVANT))
    for library in (np.asarray, torch.tensor):
        found = ndcg_at_k(library(QUERIES), library(candidates), k=k, relevant=RELEVANT[order], grades=GRADES[order])
        assert found == pytest.approx(expected, abs=1e-9)


def test_average_precision_is_that_of_scikit_learn_without_ties():
    truth, scores = matrix(1), cosine_similarity(QUERIES, CANDIDATES)
    expected = [average_precision_score(t, s) for t, s in zip(truth, scores, strict=True) if t.any()]
    assert mean_average_precision(QUERIES, CANDIDATES, relevant=RELEVANT) == pytest.approx(np.mean(expected), abs=1e-12)


def test_average_precision_of_ties_is_the_mean_over_their_orders():
    candidates = np.array([[1.0, 0.0], [1.0, 1.0], [2.0, 2.0], [3.0, 3.0], [0.5, 0.5], [0.0, 1.0], [0.0, 2.0]])
    query, truth = np.array([[3.0, 1.0]]), np.array([0, 1, 0, 1, 0, 1, 1])

    def average_precision(order):
        hits = truth[list(order)]
        return np.mean((np.cumsum(hits) / np.arange(1, 8))[hits == 1])

    of_orders = [
        average_precision((0, *a, *b)) for a in permutations((1, 2, 3, 4)) for b in permutations((5, 6))
    ]  # the first is nearest to the query, then come the four equal ones
    relevant = [[0, j] for j in np.flatnonzero(truth)]
    assert mean_average_precision(query, candidates, relevant=relevant) == pytest.approx(np.mean(of_orders), abs=1e-12)


def test_one_relevant_candidate_has_the_reciprocal_rank():
    for candidates in (CANDIDATES, COPIES):
        assert mean_average_precision(QUERIES, candidates) == pytest.approx(
            mean_reciprocal_rank(QUERIES, candidates), abs=1e-12
        )


@pytest.mark.parametrize("metric", ["cosine", "csls"])
def test_a_perfect_ranking_scores_1(metric):
    x = np.eye(12)
    assert ndcg_at_k(x, x, k=1, metric=metric) == pytest.approx(1)
    assert mean_average_precision(x, x, metric=metric) == pytest.approx(1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"relevant": [[0, 1], [0, 1]], "grades": [1, 2]}, "pair twice"),
        ({"relevant": [[0, 1]], "grades": [1, 2]}, "expected \\(1,\\)"),
        ({"relevant": [[0, 1]], "grades": [-1]}, "at least 0"),
        ({"relevant": [[0, 1]], "grades": [0]}, "one of them positive"),
        ({"relevant": [[0, 99]]}, "relevant"),
        ({"k": 0}, "k"),
        ({"metric": "dot"}, "metric"),
    ],
)
def test_what_does_not_fit_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        ndcg_at_k(QUERIES, CANDIDATES, **options)
