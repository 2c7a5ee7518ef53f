"""The rank: what counts and what does not, on clouds whose rank is known, in every precision they may be held in."""

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_allclose, assert_array_equal

from skgeom._array import to_numpy
from skgeom._core.sums._digits import precision
from skgeom._core.sums._moments import merge_all, moments
from skgeom._core.sums._rank import (
    RankedBlocks,
    float32_suffices,
    live,
    n_tellable,
    rank,
    ranked_moments,
    with_precision,
)
from skgeom.alignment import CCAAligner
from skgeom.metrics import effective_rank, rankme, spectrum_slope
from skgeom.preprocessing import AllButTheTop, Whitening

METHODS = ("pca", "zca", "cholesky", "pca-cor", "zca-cor")
SINGLE = np.float32
HALF, BRAIN, SPACING = 2.0**-10, 2.0**-7, 2.0**-23
QUIET = pytest.mark.filterwarnings("ignore:.*rows are few", "ignore:.*has rank")


def rotation(d, seed=9):
    return np.linalg.qr(default_rng(seed).normal(size=(d, d)))[0]


def brain(x):
    """Return float32 numbers rounded to the 8 significant digits of bfloat16."""
    bits = np.asarray(x, SINGLE).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(SINGLE)


def layer_normed(dtype=SINGLE, n=1500, d=96):
    x = default_rng(0).normal(size=(n, d))
    x = (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)
    return (x * (0.5 + default_rng(1).random(d)) + 0.2 * default_rng(2).normal(size=d)).astype(dtype)


def rogue_turned():
    x = default_rng(0).normal(size=(1200, 48))
    x[:, 3] *= 3e3
    return (x @ rotation(48)).astype(SINGLE)


def copies_of_a_rogue():
    x = default_rng(0).normal(size=(1000, 40)).astype(SINGLE)
    x[:, 1] *= SINGLE(5e3)
    return np.hstack([x, x[:, :6]])


def product():
    factor = default_rng(1).normal(size=(150, 192)) / 12
    return default_rng(0).normal(size=(2500, 150)).astype(SINGLE) @ factor.astype(SINGLE)


def rounded_sums_far_out():
    x = (default_rng(0).normal(size=(1500, 40)) + 50).astype(SINGLE)
    return np.hstack([x, (x.astype(float) @ default_rng(1).normal(size=(40, 5))).astype(SINGLE)])


def dead_beside_a_rogue():
    """Return rows as a sentence model makes them: a rogue coordinate, and three whose spread is rounding."""
    x = 0.1 * default_rng(0).normal(size=(1500, 64))
    x[:, 7] *= 500
    x[:, -3:] = 2e-7 + 5e-9 * default_rng(1).normal(size=(1500, 3))
    return x.astype(SINGLE)


def time_stamp():
    x = default_rng(0).normal(size=(800, 20))
    x[:, 0] = 1e6 + 1e4 * x[:, 0]
    return x.astype(SINGLE)


def steep_turned(n=2500, d=128):
    return ((default_rng(0).normal(size=(n, d)) * np.arange(1, d + 1.0) ** -1.5) @ rotation(d)).astype(SINGLE)


def one_row_to_spare():
    return ((default_rng(0).normal(size=(65, 64)) / np.arange(1, 65.0)) @ rotation(64)).astype(SINGLE)


CLOUDS = {
    rogue_turned: 48,
    copies_of_a_rogue: 40,
    product: 150,
    rounded_sums_far_out: 40,
    dead_beside_a_rogue: 61,
    time_stamp: 20,
    steep_turned: 128,
    one_row_to_spare: 64,
    layer_normed: 95,
    lambda: layer_normed(np.float16): 95,
    lambda: brain(layer_normed()): 95,
}
CASES = [pytest.param(cloud, due, id=f"{i}-{cloud.__name__}") for i, (cloud, due) in enumerate(CLOUDS.items())]


def truth(x, due):
    """Return the leading singular values of the centred rows, from float64."""
    x = x.astype(float)
    return np.linalg.svd(x - x.mean(axis=0), compute_uv=False)[:due]


def entropy_rank(p):
    return np.exp(-np.sum(p * np.log(p)))


@QUIET
@pytest.mark.parametrize(("cloud", "due"), CASES)
def test_the_rank_is_that_of_the_numbers_however_they_are_held(cloud, due):
    x = cloud()
    s = truth(x, due)
    for held in (x, x.astype(SINGLE), x.astype(float)):
        assert [Whitening(method=method).fit(held).rank_ for method in METHODS] == [due] * 5
        assert_allclose(Whitening().fit(held).spectrum_, s**2 / (len(x) - 1), rtol=2e-3)
        assert effective_rank(held) == pytest.approx(entropy_rank(s / s.sum()), rel=1e-4)


@pytest.mark.parametrize("cloud", [rogue_turned, dead_beside_a_rogue, time_stamp, steep_turned])
def test_rankme_and_slope_are_those_of_the_float64_decomposition(cloud):
    x = cloud()
    s = np.linalg.svd(x.astype(float), compute_uv=False)
    assert rankme(x) == pytest.approx(entropy_rank(s / s.sum() + 1e-7), rel=1e-4)
    assert spectrum_slope(x) == pytest.approx(spectrum_slope(x.astype(float)), rel=1e-4)


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0, 1.5])
@pytest.mark.parametrize("ratio", [1.0, 1e2, 1e5])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("n", [20, 48, 49, 1500])
def test_rounded_rows_have_the_rank_of_their_numbers_in_every_dtype(slope, ratio, turned, n):
    """Where the smallest deviation is above 32 spacings of the rest, all directions count."""
    x = default_rng(5).normal(size=(n, 48)) * np.arange(1, 49.0) ** -slope
    x[:, 4] *= ratio
    x = (x @ rotation(48) if turned else x).astype(SINGLE)
    ranks = {_rank(held) for held in (x, x.astype(float))}
    assert len(ranks) == 1
    if ratio < 1e5 or (not turned and n not in (48, 49)):  # near n = d variances are smaller than float64 can tell
        assert ranks == {min(n - 1, 48)}
    if np.abs(x).max() < np.finfo(np.float16).max:
        half = x.astype(np.float16)
        assert len({_rank(held) for held in (half.astype(SINGLE), half.astype(float))}) == 1


def _rank(x):
    m = ranked_moments(x)
    return rank(m, m.axes().variances)


def test_a_rogue_feature_takes_no_other_direction_with_it():
    x = default_rng(0).normal(size=(2000, 64))
    x[:, 5] *= 1e3
    assert Whitening().fit(x.astype(SINGLE)).rank_ == 64
    assert not np.any(~to_numpy(live(moments(x.astype(SINGLE)))))


def test_canonical_correlations_survive_small_features():
    z = default_rng(0).normal(size=(3000, 32))
    x = (z * 10.0 ** -np.linspace(0, 4, 32)).astype(SINGLE)
    y = (z[:, 28:] + 0.1 * default_rng(1).normal(size=(3000, 4))).astype(SINGLE)
    fitted = CCAAligner().fit(x, y)
    q, p = (np.linalg.qr(a - a.mean(axis=0))[0] for a in (x.astype(float), y.astype(float)))
    assert_allclose(fitted.canonical_correlations_, np.linalg.svd(q.T @ p, compute_uv=False), atol=1e-4)
    assert fitted.score(x, y) > 0.98


def test_each_side_of_a_correlation_has_its_own_precision():
    x, y = layer_normed(np.float16), default_rng(3).normal(size=(1500, 2)) * [1, 1e-5]
    fitted = CCAAligner().fit(x, y)
    assert fitted.n_components_ == 2


@pytest.mark.parametrize("cloud", [rogue_turned, steep_turned])
@pytest.mark.parametrize("size", [200, 500, 1201])
@QUIET
def test_batches_have_the_spectrum_of_the_whole(cloud, size):
    x = cloud()
    parts = Whitening()
    for start in range(0, len(x), size):
        parts.partial_fit(x[start : start + size])
    whole = Whitening().fit(x)
    blocks = Whitening().fit(x[start : start + size] for start in range(0, len(x), size))
    assert parts.rank_ == blocks.rank_ == whole.rank_
    assert_allclose(parts.spectrum_, whole.spectrum_, rtol=2e-3)
    assert_allclose(blocks.spectrum_, whole.spectrum_, rtol=2e-3)


@pytest.mark.parametrize(("count", "size"), [(1, 300.0), (1, 1000.0), (3, 30.0)])
def test_removed_directions_leave_no_rounding_that_counts(count, size):
    scales = np.ones(64)
    scales[:count] = size
    x = ((default_rng(0).normal(size=(1500, 64)) * scales) @ rotation(64)).astype(SINGLE)
    assert Whitening().fit(AllButTheTop(count).fit_transform(x)).rank_ == 64 - count


# The precision of numbers


def test_the_precision_is_that_of_the_narrowest_format(backend):
    x = default_rng(0).normal(size=(50, 6))
    single, half = x.astype(SINGLE), x.astype(np.float16)
    for held in ("float32", "float64"):
        assert precision(backend.asarray(half, held)) == HALF
        assert precision(backend.asarray(brain(x), held)) == BRAIN
        assert precision(backend.asarray(single, held)) == SPACING
        assert precision(backend.asarray(np.round(100 * x), held)) == SPACING
    assert precision(backend.asarray(x)) == 2.0**-52


def test_a_single_entry_decides():
    x = default_rng(0).normal(size=(5000, 4)).astype(np.float16).astype(float)
    x[4321, 2] = 0.1
    assert precision(x) == 2.0**-52
    assert precision(x.astype(SINGLE)) == SPACING


@pytest.mark.parametrize("rounded", [np.float16, SINGLE, np.round])
def test_parts_have_the_precision_of_the_whole(rounded):
    x = default_rng(0).normal(size=(40, 3))
    x[20:] = rounded(x[20:])
    for parts in ((x[:20], x[20:]), (x[20:], x[:20]), (x[20:30], x[30:])):  # the finest first, last, nowhere
        assert merge_all(map(ranked_moments, parts)).digits.spacing == precision(np.concatenate(parts))


@pytest.mark.parametrize("rest", [np.zeros((3, 12)), np.ones((3, 12)), np.arange(36.0).reshape(3, 12)])
def test_a_batch_of_round_numbers_hides_no_direction_of_the_others(rest):
    x = default_rng(0).normal(size=(500, 12)) * np.geomspace(1, 1e-7, 12) @ rotation(12)
    whole = np.concatenate([x, rest])
    assert spectrum_slope(iter([x, rest])) == pytest.approx(spectrum_slope(whole), rel=1e-5)
    for batches in ((x, rest), (whole[:250], whole[250:])):
        found = Whitening()
        for batch in batches:
            found.partial_fit(batch)
        assert found.rank_ == Whitening().fit(whole).rank_ == 12


# When float32 products suffice


def test_products_in_float32_stay_where_they_tell_all_directions():
    x = default_rng(0).normal(size=(2000, 32)).astype(SINGLE)
    x[:, 3] *= SINGLE(1e7)
    m = moments(x)
    assert float32_suffices(with_precision(m, x))
    assert_array_equal(ranked_moments(x).scatter, m.scatter)


@pytest.mark.parametrize("weighted", [False, True])
def test_products_that_lose_a_direction_are_formed_in_float64(backend, weighted):
    x = rogue_turned()
    w = default_rng(1).uniform(1, 2, len(x)) if weighted else None
    theirs = backend.asarray(x)
    m = moments(theirs, None if w is None else backend.asarray(w))
    assert not float32_suffices(with_precision(m, theirs))
    found = to_numpy(ranked_moments(theirs, None if w is None else backend.asarray(w)).axes().variances)
    centred = x.astype(float) - np.average(x.astype(float), axis=0, weights=w)
    rows = centred if w is None else centred * np.sqrt(w)[:, None]
    expected = np.linalg.svd(rows, compute_uv=False) ** 2 / (m.n - 1)
    assert_allclose(found, expected, rtol=1e-6)


@QUIET
def test_batches_whose_weights_sum_to_less_than_one_keep_their_directions(backend):
    rng = default_rng(0)
    x = (rng.normal(size=(4000, 1)) + 3e-4 * rng.normal(size=(4000, 6))).astype(SINGLE)
    w = np.r_[np.full(1000, 1.5), np.full(3000, 0.9)] / 1000
    parts = Whitening()
    for part in np.split(np.arange(4000), 4):
        parts.partial_fit(backend.asarray(x[part]), sample_weight=w[part])
    whole = Whitening().fit(x.astype(float), sample_weight=w)
    assert parts.rank_ == whole.rank_ == 6
    assert_allclose(to_numpy(parts.spectrum_), whole.spectrum_, rtol=1e-4)


def test_a_block_of_one_row_and_one_column_has_no_variance_to_divide_by():
    x = default_rng(0).normal(size=(50, 1)).astype(SINGLE)
    assert effective_rank(iter([x[:49], x[49:]])) == pytest.approx(1)
    assert Whitening().fit(x[:49]).partial_fit(x[49:]).rank_ == 1


def test_blocks_are_summed_in_float32_until_one_loses_a_direction(backend):
    plain, rogue = (backend.asarray(x) for x in (default_rng(0).normal(size=(1200, 48)).astype(SINGLE), rogue_turned()))
    of_block = RankedBlocks()
    for x, exact in ((plain, False), (rogue, True), (plain, True)):
        assert_array_equal(to_numpy(of_block(x, None).scatter), to_numpy(moments(x, exact=exact).scatter))


@pytest.mark.parametrize("shape", [(300, 12), (9, 30)])
def test_every_library_finds_the_same_rank(backend, shape):
    x = default_rng(0).normal(size=(shape[0], 4)).astype(SINGLE) @ default_rng(1).normal(size=(4, shape[1])).astype(
        SINGLE
    )
    m = ranked_moments(backend.asarray(x))
    assert rank(m, m.axes().variances) == 4


def test_rows_born_as_halves_keep_mean_and_scatter():
    """Sums of such residuals in float32 round alike, all in one direction."""
    x = (0.05 * default_rng(0).normal(size=(5000, 128)) + 0.02).astype(np.float16).astype(SINGLE)
    m, exact = moments(x), moments(x.astype(float))
    spread = np.sqrt(np.diag(exact.scatter))
    assert np.max(np.abs(m.mean - exact.mean) / spread * len(x) ** 0.5) < 1.2e-6
    assert np.max(np.abs(m.scatter - exact.scatter) / spread / spread[:, None]) < 60 * SPACING


# Rows without evidence


def test_equal_rows_and_zero_rows_have_no_direction():
    for x in (np.zeros((6, 3)), np.full((6, 3), 0.1), np.full((3, 6), 1e9)):
        m = ranked_moments(x)
        assert rank(m, m.axes().variances) == 0
        assert not np.any(live(m))


def test_float64_tells_a_variance_down_to_sixteen_spacings_of_the_largest():
    assert n_tellable(np.asarray([1.0, 4e-15, 3e-15, 0.0])) == 2


def test_far_from_the_origin_what_is_rounding_does_not_count():
    """Near 1e6 the spacing of float32 is 1/16: a deviation of 1 is half the noise that products of such rows show."""
    x = (1e6 + default_rng(0).normal(size=(500, 4)) * [1, 1, 30, 30]).astype(SINGLE)
    assert [rank(m, m.axes().variances) for m in map(ranked_moments, (x, x.astype(float)))] == [2, 2]
