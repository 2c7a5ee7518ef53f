"""Differences of candidates: known standard errors, joint coverage, groups."""

import numpy as np
import pytest
from scipy.stats import poisson

from skgeom.model_selection._intervals import _COUNTS, compared, mean_of


def compare(observed, groups=None, fold=None, seed=0, **options):
    n = observed.shape[1]
    return compared(
        observed,
        np.arange(n) % 5 if fold is None else fold,
        np.arange(n) if groups is None else groups,
        mean_of,
        **{"confidence": 0.95, "n_resamples": 2000, "rng": np.random.default_rng(seed), **options},
    )


def test_one_candidate_has_the_interval_of_a_paired_difference():
    first, second = np.random.default_rng(0).normal(size=(2, 500))
    found = compare(np.stack([first, second]))
    gaps = second - first
    assert found.values == pytest.approx([first.mean(), second.mean()])
    assert found.differences[1] == pytest.approx(gaps.mean())
    assert found.margins[1] == pytest.approx(1.96 * gaps.std() / 500**0.5, rel=0.06)


def test_the_bootstrap_draws_from_a_poisson_distribution():
    shares = np.bincount(_COUNTS.astype(int)) / _COUNTS.size
    assert shares == pytest.approx(poisson.pmf(np.arange(shares.size), 1.0), abs=2**-16)
    assert _COUNTS.mean() == 1
    assert _COUNTS.var() == pytest.approx(1, abs=1e-4)


def test_equal_rows_are_no_new_evidence():
    observed = np.random.default_rng(0).normal(size=(3, 200))
    once = compare(observed)
    fold = np.repeat(np.arange(200) % 5, 4)
    often = compare(np.repeat(observed, 4, axis=1), np.repeat(np.arange(200), 4), fold)
    np.testing.assert_allclose(often.differences, once.differences, atol=1e-12)
    np.testing.assert_allclose(often.margins, once.margins, rtol=0.05)


def test_all_intervals_hold_at_once():
    """Of 15 candidates without a difference, at most about 5 % of the tables may show one."""
    rng = np.random.default_rng(0)
    tables = 200
    wrong = sum(
        (np.abs(found.differences) > found.margins).any()
        for found in (compare(rng.normal(size=(16, 150)), seed=i, n_resamples=500) for i in range(tables))
    )
    assert 1 <= wrong <= 0.095 * tables  # 19: a binomial with 5 % is above that in 0.4 % of the cases


def test_candidates_that_do_the_same_have_no_margin():
    observed = np.tile(np.random.default_rng(0).normal(size=100), (2, 1))
    found = compare(observed)
    assert (found.differences == 0).all()
    assert (found.margins == 0).all()
