"""The jackknife over blocks of rows, and the dealing of rows into blocks."""

import gc
from weakref import ref

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_allclose
from threadpoolctl import threadpool_limits

from skgeom._array import to_numpy
from skgeom._cloud import Blocks, Remainder, sum_of
from skgeom._core._jackknife import balanced_blocks, jackknife, merged_without_each
from skgeom._core._rows import DirectedRows, norms, part_of_spread
from skgeom._core.sums._angular import part_of_mean_cosine, part_of_resultant
from skgeom._core.sums._moments import (
    DenseMoments,
    FourthMoments,
    RemainingMoments,
    exact_part_of_moments,
    fourth_moments,
    moments,
    part_of_fourth_moments,
    part_of_moments,
)
from skgeom._validation import check_cloud, check_moments, check_ranked_moments


@pytest.mark.parametrize("parts", ["ab", "abc", "abcdef"])
def test_parts_are_merged_without_each_in_turn_and_then_all(parts):
    expected = [parts.replace(part, "") for part in (*parts, "-")]
    assert list(map(sorted, merged_without_each(parts, str.__add__))) == list(map(sorted, expected))


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
    assert_allclose(found.corrected, x.mean())
    assert_allclose(found.error**2, 3 / 4 * np.sum((without - x.mean()) ** 2))


@pytest.mark.parametrize("sizes", [[500] + [5] * 100, (500 / np.arange(1, 41)).astype(int), [5] * 100], ids=str)
@pytest.mark.parametrize("independent", [0.0, 1.0])
def test_the_error_of_a_mean_is_its_deviation_whatever_the_sizes_of_groups_that_belong_together(sizes, independent):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    found = []
    for seed in range(300):
        rng = default_rng(seed)
        x = rng.normal(size=len(sizes))[groups] * (1 - independent) + rng.normal(size=groups.size) * independent
        blocks = balanced_blocks(groups, 20, rng)
        n, total = np.bincount(blocks), np.bincount(blocks, x)
        found.append(jackknife(x.mean(), (x.sum() - total) / (x.size - n), n))
    corrected, errors = np.transpose(found)
    assert 0.9 < np.sqrt(np.mean(errors**2)) / corrected.std() < 1.3


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


KERNELS = {
    "moments": (part_of_moments, lambda x: x),
    "exact moments": (exact_part_of_moments, lambda x: x),
    "fourth moments": (part_of_fourth_moments, lambda x: x),
    "spread": (part_of_spread, lambda x: x),
    "resultant": (part_of_resultant, lambda x: DirectedRows(x, norms(x))),
    "mean cosine": (part_of_mean_cosine, lambda x: DirectedRows(x, norms(x))),
}


@pytest.mark.parametrize("name", KERNELS)
def test_rows_are_gathered_as_they_are_summed(name, monkeypatch, peak_memory):
    monkeypatch.setattr("skgeom._array.HOST_BLOCK_BYTES", 1 << 14)
    kernel, checked = KERNELS[name]
    x = default_rng(0).normal(size=(40_000, 16)).astype(np.float32)
    index = np.flatnonzero(np.arange(40_000) % 10)
    given, alone = checked(x), checked(x[index])
    with threadpool_limits(1):
        assert peak_memory(lambda: kernel(given, index)) < 20 * (1 << 14) < x[index].nbytes / 6
    got, expected = kernel(given, index), kernel(alone, None)
    for a, b in zip(numbers_of(got), numbers_of(expected), strict=True):
        assert_allclose(a, b, rtol=1e-12, atol=1e-12 * np.abs(b).max())


def numbers_of(sums):
    """Return the numbers of a sum in order."""
    if isinstance(sums, FourthMoments):
        return [*numbers_of(sums.second), sums.cubic, sums.quartic]
    return [sums.n, sums.mean, sums.scatter] if isinstance(sums, DenseMoments) else list(sums)


@pytest.mark.parametrize("kind", ["numpy", "torch", "array_api_strict"])
@pytest.mark.parametrize("unit", [1.0, 7.0])
def test_traces_of_what_is_left_are_those_of_its_matrix(kind, unit):
    x = default_rng(0).normal(size=(300, 12)) * np.geomspace(1, 1e-3, 12) + 5
    x = x if kind == "numpy" else pytest.importorskip(kind).asarray(x)
    left = moments(x).without(moments(x[:60, :]))
    assert isinstance(left, RemainingMoments)
    for got, expected in zip(left.traces(unit), left.dense().traces(unit), strict=True):
        assert float(got) == pytest.approx(float(expected), rel=1e-13)
    assert_allclose(to_numpy(left.variances()), to_numpy(left.dense().variances()), rtol=1e-9)


@pytest.mark.parametrize("scale", [1.0, 2.0**-190, 2.0**190])
def test_traces_of_a_small_rest_keep_their_digits(scale):
    x = default_rng(0).normal(size=(200, 5))
    x[:100] *= 1e5  # the squares of the rest are 1e-20 of those of the whole, and would be rounding
    left, expected = moments(scale * x).without(moments(scale * x[:100])), moments(scale * x[100:])
    for got, trace in zip(left.traces(scale**2), expected.traces(scale**2), strict=True):
        assert got == pytest.approx(trace, rel=1e-4)
    assert left.traces(scale**2) == left.dense().traces(scale**2)


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
    assert left.digits == expected.digits
    assert_allclose(left.singular_values(), expected.singular_values(), rtol=1e-6, atol=1e-6)
