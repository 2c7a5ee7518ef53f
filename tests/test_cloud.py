"""Rows of which each summary is computed once."""

import numpy as np
import pytest

from skgeom import _validation as validation
from skgeom import metrics
from skgeom._cloud import Cloud, once_per_cloud, rows_of

X = np.random.default_rng(0).normal(size=(50, 4))
LABELS = np.arange(50) % 3


def test_a_summary_is_computed_once_for_each_cloud_and_its_arguments():
    calls = []

    @once_per_cloud
    def summary(X, power, *, scale=1.0):
        calls.append((power, scale))
        return scale * (rows_of(X) ** power).sum()

    one, other = Cloud(X), Cloud(X)
    values = [summary(one, 2), summary(one, 2), summary(one, 3), summary(one, 2, scale=2.0), summary(other, 2)]
    assert calls == [(2, 1.0), (3, 1.0), (2, 2.0), (2, 1.0)]
    assert values[0] == values[1] == values[4]
    summary(X, 2)
    summary(X, 2)
    assert len(calls) == 6


def test_arguments_are_told_apart_by_what_they_are():
    count = once_per_cloud(lambda X, labels: np.unique(labels).size)
    cloud = Cloud(X)
    found = [count(cloud, np.arange(50) % k) for k in (2, 3, 4, 5)]  # each array could take the place of the one before
    assert found == [2, 3, 4, 5]


def test_measures_of_one_cloud_share_its_moments(monkeypatch):
    seen = []
    moments = validation.part_of_moments
    monkeypatch.setattr(validation, "part_of_moments", lambda *args: seen.append(args) or moments(*args))
    cloud = Cloud(X)
    values = [f(cloud) for f in (metrics.isoscore, metrics.stable_rank, metrics.effective_rank)]
    assert len(seen) == 1
    assert values == [f(X) for f in (metrics.isoscore, metrics.stable_rank, metrics.effective_rank)]


def test_labels_may_change_between_measures_of_one_cloud():
    cloud = Cloud(X)
    for labels in (LABELS, LABELS[::-1].copy(), LABELS % 2):
        assert metrics.calinski_harabasz_score(cloud, labels) == metrics.calinski_harabasz_score(X, labels)


def test_a_value_without_a_gradient_does_not_take_it_from_those_that_follow():
    torch = pytest.importorskip("torch")
    cloud = Cloud(torch.tensor(np.random.default_rng(0).normal(size=(30, 4)), requires_grad=True))
    first = metrics.participation_ratio(cloud)
    with torch.no_grad():
        assert not metrics.stable_rank(cloud).requires_grad
    assert first.requires_grad
    assert metrics.stable_rank(cloud).requires_grad
