"""The jackknife over blocks of rows, and the dealing of rows into blocks."""

import gc
from weakref import ref

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_allclose

from skgeom._cloud import Blocks, Remainder, sum_of
from skgeom._core._jackknife import balanced_blocks, jackknife
from skgeom._core.sums._moments import (
    FourthMoments,
    fourth_moments,
    moments,
    part_of_fourth_moments,
    part_of_moments,
)
from skgeom._validation import check_cloud, check_moments, check_ranked_moments


def test_the_error_of_a_mean_is_that_of_textbooks_and_its_bias_is_zero():
    x = default_rng(0).normal(size=60)
    found = jackknife(x.mean(), (x.sum() - x) / 59, np.ones(60))
    assert_allclose(found, (x.mean(), x.std(ddof=1) / 60**0.5))


def test_the_bias_of_a_variance_is_removed():
    x = default_rng(0).normal(size=60)
    without = np.array([np.delete(x, i).var() for i in range(60)])
    assert_allclose(jackknife(x.var(), without, np.ones(60)).corrected, x.var(ddof=1))


def test_blocks_of_different_sizes_leave_a_mean_without_bias():
    x, sizes = default_rng(0).normal(size=60), np.array([10, 20, 5, 25])
    parts = np.split(x, np.cumsum(sizes)[:-1])
    without = np.array([(x.sum() - part.sum()) / (60 - part.size) for part in parts])
    found = jackknife(x.mean(), without, sizes)
    means = np.array([part.mean() for part in parts])  # the pseudo-values of a mean
    assert_allclose(found.corrected, x.mean())
    assert_allclose(found.error**2, np.mean((means - x.mean()) ** 2 / (60 / sizes - 1)))


def test_a_value_that_is_not_finite_has_no_error():
    assert np.isnan(jackknife(1.0, np.array([1.0, np.inf]), np.ones(2))).all()


def test_rows_are_dealt_evenly_and_at_random():
    codes = balanced_blocks(np.arange(103), 20, default_rng(0))
    assert sorted(np.bincount(codes).tolist()) == [5] * 17 + [6] * 3
    assert np.abs(np.corrcoef(codes, np.arange(103))[0, 1]) < 0.3


def test_groups_stay_whole_in_blocks_of_about_one_size():
    groups = np.repeat(np.arange(90), default_rng(1).integers(1, 9, 90))
    codes = balanced_blocks(groups, 10, default_rng(0))
    assert all(np.unique(codes[groups == group]).size == 1 for group in range(90))
    assert np.ptp(np.bincount(codes)) <= 1


@pytest.mark.parametrize("shape", [(200, 6), (30, 50)])
@pytest.mark.parametrize(("part", "whole"), [(part_of_moments, moments), (part_of_fourth_moments, fourth_moments)])
def test_the_sums_of_what_is_left_follow_from_those_of_the_blocks(shape, part, whole):
    x = default_rng(0).normal(size=shape) * np.geomspace(1, 1e3, shape[1]) + 1e4
    codes = default_rng(1).permutation(np.arange(shape[0]) % 5)
    blocks = Blocks(x, codes)
    for b in range(5):
        got, expected = sum_of(Remainder(blocks, b), part, check_cloud), whole(x[codes != b])
        assert got.second.n == expected.second.n
        assert_allclose(got.second.mean, expected.second.mean, rtol=1e-12)
        scatter = expected.second.dense().scatter
        assert_allclose(got.second.dense().scatter, scatter, atol=1e-11 * np.abs(scatter).max())
        if isinstance(expected, FourthMoments):
            assert_allclose(got.cubic, expected.cubic, atol=1e-9 * np.abs(expected.cubic).max())
            assert_allclose(got.quartic, expected.quartic, rtol=1e-10)


def test_the_rows_of_what_is_left_are_never_gathered_for_their_sums():
    blocks = Blocks(default_rng(0).normal(size=(100, 4)), np.arange(100) % 5)
    rest = blocks.rest[3]
    check_moments(rest), check_ranked_moments(rest)
    assert "X" not in vars(rest)
    assert rest.X.shape == (80, 4)


def test_each_block_is_summed_once():
    seen = []
    blocks = Blocks(default_rng(0).normal(size=(100, 4)), np.arange(100) % 5)

    def kernel(x, index):
        seen.append(index.size)
        return part_of_moments(x, index)

    for b in (0, 1, 2, 2):
        sum_of(Remainder(blocks, b), kernel, check_cloud)
    assert sum_of(blocks, kernel, check_cloud).n == 100
    assert seen == [20] * 5


def test_sums_are_let_go_with_their_cloud():
    gc.disable()
    try:
        blocks = Blocks(default_rng(0).normal(size=(100, 4)), np.arange(100) % 5)
        check_moments(blocks.rest[0])
        gone = ref(blocks)
        del blocks
        assert gone() is None
    finally:
        gc.enable()


def test_what_is_left_of_float32_rows_has_the_rank_of_all():
    x = default_rng(0).normal(size=(400, 8)).astype(np.float32)
    x[:, 7] = x[:, 0] + x[:, 1]  # products in float32 do not see that
    blocks = Blocks(x, np.arange(400) % 20)
    left = check_ranked_moments(Remainder(blocks, 0))
    expected = check_ranked_moments(x[np.arange(400) % 20 != 0])
    assert left.epsilon == expected.epsilon
    assert_allclose(left.singular_values(), expected.singular_values(), rtol=1e-6, atol=1e-6)
