"""Batches against a reference."""

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError

from skgeom.comparison import DriftMonitor, cloud_test
from skgeom.preprocessing import Whitening
from skgeom.summary import cloud_summary


def rows(n, seed=0, d=8):
    return default_rng(seed).normal(size=(n, d)) * np.geomspace(2, 0.5, d) + 3


REFERENCE, BATCH = rows(400), rows(100, 1)


def changed(batch, part):
    return {"location": batch + 0.4, "scale": 3 + 1.4 * (batch - 3), "covariance": batch[:, ::-1]}[part]


def test_a_batch_is_tested_as_a_cloud_beside_the_reference():
    monitor = DriftMonitor().fit(REFERENCE)
    found, whole = monitor.test(BATCH), cloud_test(REFERENCE, BATCH)
    assert_allclose(np.array(found[:2] + found[3:4]), np.array(whole[:2] + whole[3:4]), rtol=1e-9)
    assert monitor.score(BATCH) == found.pvalue
    assert monitor.test(BATCH) == found


@pytest.mark.parametrize("part", ["location", "scale", "covariance"])
def test_what_moved_is_named(part):
    monitor = DriftMonitor(alpha=0.01).fit(REFERENCE)
    assert monitor.moved(BATCH) == ()
    assert part in monitor.moved(changed(BATCH, part))
    assert ("location" in monitor.moved(changed(BATCH, part))) == (part == "location")


def test_alpha_is_shared_by_the_batches():
    drifted = BATCH + 0.3
    p = DriftMonitor().fit(REFERENCE).score(drifted)
    assert 1e-8 < p < 0.04
    for n_batches, alarms in ((1, True), (int(0.9 * 0.05 / p), True), (int(1.1 * 0.05 / p) + 1, False)):
        assert bool(DriftMonitor(n_batches=n_batches).fit(REFERENCE).moved(drifted)) == alarms


def test_fits_in_parts_and_of_summaries_equal_the_whole():
    whole = DriftMonitor().fit(REFERENCE).test(BATCH)
    parts = DriftMonitor().partial_fit(REFERENCE[:50]).partial_fit(REFERENCE[50:51]).partial_fit(REFERENCE[51:])
    summed = DriftMonitor().fit(cloud_summary(REFERENCE[:200])).partial_fit(cloud_summary(REFERENCE[200:]))
    for monitor in (parts, summed):
        assert monitor.n_samples_seen_ == 400
        assert monitor.n_features_in_ == 8
        found = monitor.test(BATCH)
        assert_allclose(np.array(found[:2] + found[3:4]), np.array(whole[:2] + whole[3:4]), rtol=1e-8)


def test_small_batches_that_are_merged_are_one():
    monitor = DriftMonitor().fit(REFERENCE)
    small = np.split(rows(300, 2) + 0.1, 30)
    merged = cloud_summary(small[0])
    for batch in small[1:]:
        merged = merged.merge(cloud_summary(batch))
    whole = monitor.test(np.concatenate(small))
    assert_allclose(np.array(monitor.test(merged)[:2]), np.array(whole[:2]), rtol=1e-8)


def test_batches_added_to_the_reference_are_sampled_like_the_first():
    kept = np.zeros(10)
    for seed in range(40):
        monitor = DriftMonitor(max_rows=40, random_state=seed)
        for k in range(10):
            monitor.partial_fit(np.arange(100 * k, 100 * (k + 1), dtype=float)[:, None])
        kept += np.bincount((monitor.summary_.rows[:, 0] // 100).astype(int), minlength=10)
    assert monitor.summary_.rows.shape == (40, 1)
    assert np.abs(kept / 1600 - 0.1).max() < 0.035
    assert len({*(monitor.summary_.rows[:, 0] % 100)}) > 20  # other places in each batch


@pytest.mark.parametrize("n_reference", [60, 400])
def test_batches_without_drift_alarm_no_more_often_than_said(n_reference):
    rng, d = default_rng(0), 12
    single, streams = [], []
    for _ in range(60):
        pool = rng.standard_t(5, size=(n_reference + 5 * 40, d)) * np.geomspace(3, 0.3, d)
        monitor = DriftMonitor(n_batches=5, max_rows=100).fit(pool[:n_reference])
        scores = [monitor.score(batch) for batch in np.split(pool[n_reference:], 5)]
        single += scores
        streams.append(min(scores) <= 0.05 / 5)
    assert np.mean(np.array(single) < 0.05) < 0.085
    assert np.mean(streams) < 0.15


def test_a_whitening_of_the_reference_alarms_without_drift_and_one_of_other_rows_does_not():
    pool = default_rng(0).normal(size=(3000, 40)) * np.linspace(0.5, 2, 40)
    reference, other, *batches = np.split(pool, range(300, 3000, 300))

    def alarms(rows):
        whiten = Whitening(8).fit(rows).transform
        monitor = DriftMonitor(n_batches=len(batches)).fit(whiten(reference))
        return sum(bool(monitor.moved(whiten(batch))) for batch in batches)

    assert alarms(reference) > len(batches) / 2
    assert alarms(other) == 0


def test_a_reference_in_another_library_takes_its_batches(backend):
    found = DriftMonitor().fit(backend.asarray(REFERENCE)).test(backend.asarray(BATCH))
    assert_allclose(np.array(found[:4]), np.array(DriftMonitor().fit(REFERENCE).test(BATCH)[:4]), rtol=1e-6)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"alpha": 1.0}, "alpha"),
        ({"n_batches": 0}, "n_batches"),
        ({"max_rows": 15}, "max_rows"),
        ({"random_state": "a"}, "random_state must be None, an integer"),
        ({"random_state": -1}, "random_state must be None, an integer"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        DriftMonitor(**parameters).fit(REFERENCE)


def test_what_cannot_be_tested_is_refused():
    monitor = DriftMonitor()
    for call in (monitor.test, monitor.score, monitor.moved):
        with pytest.raises(NotFittedError):
            call(BATCH)
    with pytest.raises(ValueError, match="minimum of 8"):
        monitor.fit(REFERENCE[:7])
    for begin in (monitor.fit, monitor.partial_fit):
        with pytest.raises(ValueError, match=r"summary of 7 row\(s\) while a minimum of 8"):
            begin(cloud_summary(REFERENCE[:7]))
    with pytest.raises(ValueError, match="The summary of the reference keeps 9 rows"):
        DriftMonitor().fit(cloud_summary(REFERENCE, max_rows=9)).test(BATCH)
    monitor.fit(REFERENCE)
    with pytest.raises(ValueError, match="All rows of X are equal"):
        monitor.test(np.ones((9, 8)))
    with pytest.raises(ValueError, match=r"summary of 7 row\(s\) while a minimum of 8"):
        monitor.test(cloud_summary(BATCH[:7]))
    with pytest.raises(ValueError, match="minimum of 8"):
        monitor.test(BATCH[:7])
    with pytest.raises(ValueError, match="features"):
        monitor.test(BATCH[:, :3])
    with pytest.raises(ValueError, match="features"):
        monitor.partial_fit(cloud_summary(BATCH[:, :3]))


def test_a_drift_that_only_the_kernel_sees_alarms_among_many_batches():
    """Both have one mean and one covariance: two places, or three with the same variance."""
    rng = default_rng(0)
    two, three = (0.05 * rng.normal(size=(n, 4)) for n in (1000, 500))
    two[:, 0] += rng.choice([-1, 1], 1000)
    three[:, 0] += rng.choice([-(2**0.5), 0, 0, 2**0.5], 500)
    assert DriftMonitor(n_batches=100).fit(two).moved(three) == ("kernel",)


def test_more_batches_than_random_orders_can_decide_are_warned_of():
    monitor = DriftMonitor(n_batches=500)
    for begin in (monitor.partial_fit, monitor.fit):
        with pytest.warns(UserWarning, match=r"alpha / n_batches is 0\.0001, below 0\.0002"):
            begin(REFERENCE)
