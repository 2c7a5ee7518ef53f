"""Measures of pairs without blocks of rows: as computed from the rows that are left, whatever is tied."""

import warnings

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_allclose

from skgeom._array import namespace
from skgeom._cloud import Blocks, Cloud, Remainder
from skgeom._core._jackknife import balanced_blocks
from skgeom._core.pairs import _left_out, _neighbours, _quantiles, _tiles
from skgeom.comparison import neighbour_overlap
from skgeom.metrics import (
    _contrast,
    _gap,
    alignment_loss,
    axis_sliced_dispersion,
    calinski_harabasz_score,
    clip_loss,
    conformity_divergence,
    cosine_regularizer,
    davies_bouldin_score,
    estimate,
    hubness,
    isoscore_within,
    koleo,
    lloyd,
    median_angle,
    mma,
    mmcs,
    mmd_uniform,
    pair_distance_ratio,
    paired_cosine,
    relative_modality_gap,
    retention,
    sigreg,
    sliced_dispersion,
    spherical_sliced_wasserstein,
    uniformity,
)
from skgeom.metrics._estimate import _row_of

N = 120
ROWS = default_rng(0).normal(size=(N, 4))
CLOUDS = {
    "distinct": ROWS,
    "duplicates": ROWS[default_rng(1).integers(0, 60, N)],
    "grid": default_rng(2).integers(1, 4, (N, 4)).astype(float),
    "one place and others": np.where(np.arange(N)[:, None] < 30, ROWS[0], ROWS),
    "documents": np.repeat(ROWS[:8], 15, axis=0) + 0.1 * default_rng(3).normal(size=(N, 4)),
    "one direction": np.ones((N, 4)),
}
LABELS = np.where(np.arange(N) % 15 == 7, 2, np.arange(N) % 2)
BLOCKS = {
    "rows": balanced_blocks(np.arange(N), 10, np.random.RandomState(0)),
    "groups": balanced_blocks(np.arange(N) // 15, 8, np.random.RandomState(0)),
    "one large": np.where(np.arange(N) < 60, 0, np.arange(N) % 7),
}
MEASURED = {
    **{f.__name__: (f, {}) for f in (mma, mmcs, koleo, mmd_uniform, median_angle, sigreg)},
    **{f.__name__: (f, {}) for f in (clip_loss, paired_cosine, relative_modality_gap, cosine_regularizer, retention)},
    **{f.__name__: (f, {}) for f in (calinski_harabasz_score, davies_bouldin_score, isoscore_within)},
    "lloyd": (lloyd, {"random_state": 0}),
    "lloyd of a box": (lloyd, {"sampler": lambda m, generator: generator.random((m, 4)), "random_state": 0}),
    "sliced_dispersion": (sliced_dispersion, {"n_circles": 3, "random_state": 0}),
    "axis_sliced_dispersion": (axis_sliced_dispersion, {"n_planes": 3, "random_state": 0}),
    "spherical_sliced_wasserstein": (spherical_sliced_wasserstein, {"random_state": 0}),
    "alignment_loss": (alignment_loss, {"alpha": 1.0}),
    "clip_loss, hot": (clip_loss, {"temperature": 0.5}),
    "sigreg, debiased": (sigreg, {"sigma": 0.5, "debiased": True}),
    **{f"pair_distance_ratio, {r}": (pair_distance_ratio, {"reference": r}) for r in ("cross", "pooled")},
    **{
        f"{f.__name__}, {metric}, {k}": (f, {"k": k, "metric": metric})
        for f in (hubness, neighbour_overlap)
        for metric in ("cosine", "euclidean")
        for k in (1, 9)
    },
}
OF_TWO_SPACES = (
    alignment_loss,
    clip_loss,
    neighbour_overlap,
    pair_distance_ratio,
    paired_cosine,
    relative_modality_gap,
    retention,
)
OF_CLASS_MEANS = (calinski_harabasz_score, davies_bouldin_score)
OF_CLASSES = (*OF_CLASS_MEANS, isoscore_within)
of_classes = pytest.mark.parametrize("function", OF_CLASSES)
every_measure = pytest.mark.parametrize("name", MEASURED)


def at_once(function, given, codes, **options):
    row = _row_of(function)
    return row.without_blocks(*given, codes=codes, **{**row.settings, **options})


def one_by_one(function, given, codes, **options):
    left = [np.flatnonzero(codes != block) for block in range(codes.max() + 2)]
    return [function(*(namespace(x).take(x, namespace(x).asarray(i), axis=0) for x in given), **options) for i in left]


def error_one_by_one(function, given, **options):
    codes = balanced_blocks(np.arange(len(given[0])), 10, np.random.RandomState(0))
    *without, _ = one_by_one(function, given, codes, **options)
    with np.errstate(invalid="ignore"):
        return np.sqrt(0.9 * np.sum((without - np.mean(without)) ** 2))


def spaces(function, x):
    if function in OF_CLASSES:
        return x, LABELS
    return (x, x + 0.3 * np.round(ROWS[::-1]).astype(x.dtype)) if function in OF_TWO_SPACES else (x,)


@every_measure
@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("blocks", BLOCKS)
def test_one_pass_gives_what_a_pass_without_each_block_does(name, cloud, blocks, monkeypatch):
    (function, options), codes = MEASURED[name], BLOCKS[blocks]
    given = spaces(function, CLOUDS[cloud])
    monkeypatch.setattr(_left_out, "_MOST", N)  # lists grow until they are all rows
    monkeypatch.setattr(_left_out, "_ENTRIES", 700)
    found, expected = at_once(function, given, codes, **options), one_by_one(function, given, codes, **options)
    if found is None:
        has_all_its_spread_in_a_block = function is isoscore_within and (cloud, blocks) == ("duplicates", "one large")
        assert has_all_its_spread_in_a_block or np.max(expected) == np.inf
    else:
        assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@every_measure
def test_every_library_gives_the_same(name, backend):
    (function, options), codes = MEASURED[name], BLOCKS["rows"]
    for dtype, rtol, atol in (("float64", 1e-10, 1e-12), ("float32", 1e-6, 2e-8)):
        given = spaces(function, CLOUDS["distinct"].astype(dtype))
        there = [backend.asarray(x) if x.ndim > 1 else x for x in given]
        expected = [float(value) for value in one_by_one(function, given, codes, **options)]
        assert_allclose(at_once(function, there, codes, **options), expected, rtol=rtol, atol=atol)


def test_a_far_row_costs_the_others_no_digits():
    start = ROWS + 1e9 * (np.arange(N) == 7)[:, None]
    for blocks in BLOCKS.values():
        expected = one_by_one(retention, (ROWS, start), blocks)
        assert_allclose(at_once(retention, (ROWS, start), blocks), expected, rtol=1e-12)


@pytest.mark.parametrize("n_blocks", [5, 60])
def test_tiles_and_blocks_cross(n_blocks, monkeypatch):
    monkeypatch.setattr(_tiles, "_TILE_ROWS", {True: 7, False: 7})
    monkeypatch.setattr(_contrast, "_ROWS_PER_BLOCK", 1)
    codes = balanced_blocks(np.arange(N), n_blocks, np.random.RandomState(1))
    for function, options in MEASURED.values():
        given = spaces(function, ROWS)
        found = at_once(function, given, codes, **options)
        if found is None:
            assert function in OF_CLASSES, "whose parts are more than the rows"
        else:
            assert_allclose(found, one_by_one(function, given, codes, **options), rtol=1e-10)


@pytest.mark.parametrize("narrow", [0.0, 0.02, 9.0])
def test_edges_move_apart_until_they_enclose_all_medians(narrow, monkeypatch):
    monkeypatch.setattr(_quantiles, "_AROUND", narrow)
    for blocks in BLOCKS.values():
        expected = one_by_one(median_angle, (ROWS,), blocks)
        assert_allclose(at_once(median_angle, (ROWS,), blocks), expected, rtol=1e-12)


@pytest.mark.parametrize("most", [0, 1 << 23])
def test_a_median_that_the_edges_do_not_enclose_is_computed_one_by_one(most, monkeypatch):
    monkeypatch.setattr(_quantiles, "_MOST_COLLECTED", most)
    opposite = np.where(np.arange(N)[:, None] % 2 == 0, ROWS[0], -ROWS[0]) if most else ROWS
    assert at_once(median_angle, (opposite,), BLOCKS["rows"]) is None
    opposite[:9] = ROWS[:9]
    *without, value = one_by_one(median_angle, (opposite,), BLOCKS["rows"])
    found = estimate(median_angle, opposite, n_blocks=10)
    assert found.value == pytest.approx(value)
    assert found.standard_error == pytest.approx(np.sqrt(0.9 * np.sum((without - np.mean(without)) ** 2)))


@of_classes
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_classes_in_every_block_or_in_few(function, dtype, offset):
    centres = 5 * default_rng(5).normal(size=(4, 4))
    labels = np.concatenate([np.repeat([0, 1, 2], 30), [3] * 30])
    x = (ROWS + centres[labels] + offset).astype(dtype)
    codes = np.where(labels == 3, np.arange(N) % 2, np.arange(N) % 7)
    codes[-1] = 3
    expected = one_by_one(function, (x, labels), codes)
    rtol = 1e-7 if offset or (function is isoscore_within and dtype == np.float32) else 1e-10
    assert_allclose(at_once(function, (x, labels), codes), expected, rtol=rtol)


@of_classes
def test_classes_that_are_points(function):
    places = np.array([[0.1, 0.2], [0.3, 0.7], [1.1, 0.9]])[LABELS]
    for blocks in BLOCKS.values():
        assert_allclose(at_once(function, (places, LABELS), blocks), one_by_one(function, (places, LABELS), blocks))
    places[7] += 1  # without it, the others are one point
    found, expected = (of(function, (places, LABELS), np.arange(N) % 10) for of in (at_once, one_by_one))
    assert expected[7] != expected[-1]
    if function is isoscore_within:
        assert found is None
    else:
        assert_allclose(found, expected)


@pytest.mark.parametrize("debias", [False, True])
@pytest.mark.parametrize("d", [1, 2, 4, 39, 41, 60])
@pytest.mark.parametrize("kind", ["float64", "float32", "torch"])
def test_isoscores_of_classes_of_more_and_fewer_rows_than_features(d, debias, kind):
    x = default_rng(6).normal(size=(N, d)) + 3 * default_rng(7).normal(size=(4, d))[np.arange(N) % 4]
    x[60:90] = x[:30]
    labels, codes = np.minimum(np.arange(N) % 5, 2), np.where(np.arange(N) < 25, 8, np.arange(N) % 8)
    given = x.astype("float32" if kind == "float32" else "float64")
    given = pytest.importorskip("torch").asarray(given) if kind == "torch" else given
    expected = one_by_one(isoscore_within, (given, labels), codes, debias=debias)
    found = at_once(isoscore_within, (given, labels), codes, debias=debias)
    assert_allclose(found, list(map(float, expected)), rtol=1e-6 if kind == "float32" else 1e-10)


@pytest.mark.parametrize("d", [4, 60])
def test_a_class_of_one_row_without_a_block_counts_as_0(d):
    x, labels, codes = default_rng(6).normal(size=(N, d)), np.arange(N) % 3, np.arange(N) % 10
    codes[labels == 2] = 0
    codes[2] = 1
    for y in (x, np.where(labels[:, None] == 2, 0.1, x)):
        expected = one_by_one(isoscore_within, (y, labels), codes)
        assert_allclose(at_once(isoscore_within, (y, labels), codes), expected, rtol=1e-10)
    labels = np.where(labels == 2, 0, labels)
    labels[:4] = 2
    with pytest.raises(ValueError, match=r"A class has [23] rows, but IsoScore with debias=True"):
        estimate(isoscore_within, x, labels, debias=True)


@pytest.mark.parametrize("debias", [False, True])
@pytest.mark.parametrize("d", [4, 60])
@pytest.mark.parametrize("scale", [1e3, 1e9, 1e200])
def test_the_isoscore_of_a_class_with_a_far_row_is_recomputed(d, scale, debias):
    x = default_rng(6).normal(size=(N, d)) * np.where(np.arange(N) == 7, scale, 1.0)[:, None]
    codes = balanced_blocks(np.arange(N), 10, np.random.RandomState(0))
    assert at_once(isoscore_within, (x, LABELS), codes, debias=debias) is None
    with warnings.catch_warnings(action="ignore"):  # that the bias is large
        found = estimate(isoscore_within, x, LABELS, n_blocks=10, debias=debias)
    assert found.standard_error == pytest.approx(error_one_by_one(isoscore_within, (x, LABELS), debias=debias))


@pytest.mark.parametrize("cloud", [name for name in CLOUDS if name != "one direction"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("options", [{}, {"method": "histogram", "bins": 5}, {"reference": ROWS[:9]}])
def test_conformities_without_each_block_diverge_as_those_of_the_rest(cloud, dtype, paired, options):
    x, codes = CLOUDS[cloud].astype(dtype), np.arange(N) % 10
    y = (x[::-1] + np.round(ROWS)).astype(dtype)
    options = {**options, **({"reference": options["reference"].astype(dtype)} if "reference" in options else {})}
    blocks = Blocks(x, codes), Blocks(y, codes)
    found = [
        conformity_divergence(blocks[0].rest[b], blocks[1].rest[b] if paired else Cloud(y), **options)
        for b in range(10)
    ]
    expected = [conformity_divergence(x[codes != b], y[codes != b] if paired else y, **options) for b in range(10)]
    assert_allclose(found, expected, rtol=1e-9)
    assert_allclose(conformity_divergence(*blocks, **options), conformity_divergence(x, y, **options), rtol=1e-9)


def test_a_divergence_without_a_block_takes_one_pass_for_all_blocks(monkeypatch):
    passes, one = [], _gap.conformity_without
    monkeypatch.setattr(_gap, "conformity_without", lambda *args: passes.append(args) or one(*args))
    monkeypatch.setattr(Remainder, "X", property(lambda self: pytest.fail("the rows without a block are gathered")))
    estimate(conformity_divergence, ROWS, ROWS[::2] + 1)
    assert len(passes) == 2


def test_classes_that_are_points_up_to_rounding():
    x = 1e4 + 10.0 * LABELS[:, None] + 2e-12 * np.round(ROWS)
    expected = one_by_one(calinski_harabasz_score, (x, LABELS), BLOCKS["rows"])
    assert_allclose(at_once(calinski_harabasz_score, (x, LABELS), BLOCKS["rows"]), expected)
    assert_allclose(expected, 1)


def test_whether_two_means_are_equal_is_left_to_the_rest_of_the_rows():
    x = np.round(9 * ROWS)
    x[:2] -= [x[0::2].sum(axis=0), x[1::2].sum(axis=0)] - np.array([[60], [60]])
    codes = np.arange(N) % 7
    assert one_by_one(davies_bouldin_score, (x, np.arange(N) % 2), codes)[-1] == np.inf
    assert at_once(davies_bouldin_score, (x, np.arange(N) % 2), codes) is None


@pytest.mark.parametrize("function", OF_CLASS_MEANS)
@pytest.mark.parametrize("scale", [1e9, 1e200])
def test_a_far_row_costs_the_other_rows_of_its_class_no_digits(function, scale):
    x = ROWS * np.where(np.arange(N) == 7, scale, 1.0)[:, None]
    codes = balanced_blocks(np.arange(N), 10, np.random.RandomState(0))
    found = at_once(function, (x, LABELS), codes)
    if found is not None:
        assert_allclose(found, one_by_one(function, (x, LABELS), codes), rtol=1e-10)
    assert (found is None) == (scale > 1e100)
    error = error_one_by_one(function, (x, LABELS))
    assert estimate(function, x, LABELS, n_blocks=10).standard_error == pytest.approx(error, nan_ok=True)


@of_classes
def test_a_class_that_is_missing_without_a_block_is_left_to_the_rest_of_the_rows(function):
    codes = np.arange(N) % 10
    three, two = np.where(codes == 4, 7, np.arange(N) % 2), np.where(codes == 4, 7, 0)
    assert at_once(function, (ROWS, three), codes) is None
    value = one_by_one(function, (ROWS, three), codes)[-1]
    found = estimate(function, ROWS, three, groups=codes, n_blocks=5)
    assert found.value == pytest.approx(value)
    assert np.isfinite(found.standard_error)
    with pytest.raises(ValueError, match="Number of labels is 1"):
        estimate(function, ROWS, two, groups=codes, n_blocks=5)


@pytest.mark.parametrize("function", OF_CLASS_MEANS)
def test_classes_of_few_rows_are_recomputed(function):
    labels = np.arange(N) % 15
    codes = balanced_blocks(np.arange(N), 10, np.random.RandomState(0))
    assert at_once(function, (ROWS, labels), codes) is None
    assert at_once(function, (ROWS, labels), np.arange(N) // 60) is not None
    error = error_one_by_one(function, (ROWS, labels))
    assert estimate(function, ROWS, labels, n_blocks=10).standard_error == pytest.approx(error)


@of_classes
def test_one_row_of_each_class_outside_a_block_is_an_error_as_in_the_measure(function):
    labels, groups = np.arange(N) % 9, np.maximum(np.arange(N) - N + 10, 0)
    with pytest.raises(ValueError, match=r"Number of labels is 9\. Valid values are 2 to n_samples - 1"):
        estimate(function, ROWS, labels, groups=groups)


@of_classes
@pytest.mark.parametrize(("labels", "message"), [(np.zeros(N), "Number of labels is 1"), (np.arange(N), "is 120")])
def test_labels_are_checked_as_by_the_measure(function, labels, message):
    with pytest.raises(ValueError, match=message):
        estimate(function, ROWS, labels)
    wrong = {"metric": "cosine"} if function in OF_CLASS_MEANS else {"zeta": 1}
    with pytest.raises((ValueError, TypeError), match=r"metric must be|isoscore_within: "):
        estimate(function, ROWS, LABELS, **wrong)


def test_losses_with_labels_are_computed_one_by_one():
    labels = np.arange(N) % 4
    given = spaces(clip_loss, ROWS)
    assert at_once(clip_loss, given, BLOCKS["rows"], labels=labels) is None


@pytest.mark.parametrize("reference", ["cross", "pooled"])
@pytest.mark.parametrize("scale", [1e13, 1e25, 1e200])
def test_distances_without_a_block_that_has_nearly_all_of_them_keep_their_digits(scale, reference):
    x = ROWS * np.where(np.arange(N) == 7, scale, 1.0)[:, None]
    given = x, x + 0.3 * ROWS[::-1]
    found = estimate(pair_distance_ratio, *given, reference=reference, n_blocks=10)
    assert found.standard_error == pytest.approx(error_one_by_one(pair_distance_ratio, given, reference=reference))


def test_a_potential_that_vanishes_without_the_nearest_pair_is_computed_one_by_one_without_a_warning():
    x = ROWS.copy()
    x[1] = x[0] + 1e-6
    found = estimate(uniformity, x, t=1e8, n_blocks=10)
    assert found.standard_error == pytest.approx(error_one_by_one(uniformity, (x,), t=1e8))


def test_a_loss_without_each_of_many_small_blocks_is_computed_one_by_one():
    given = spaces(clip_loss, ROWS)
    assert at_once(clip_loss, given, np.arange(N) % 15) is not None
    assert at_once(clip_loss, given, np.arange(N) % 16) is None


@pytest.mark.parametrize("function", [clip_loss, median_angle, neighbour_overlap])
def test_arguments_that_a_measure_does_not_take_are_refused_in_its_name(function):
    given = spaces(function, ROWS)
    for wrong, options in ((given, {"alhpa": 1}), ((*given, ROWS, ROWS), {})):
        with pytest.raises(TypeError, match=f"^{function.__name__}: "):
            estimate(function, *wrong, **options)


@pytest.mark.parametrize("function", [hubness, neighbour_overlap])
@pytest.mark.parametrize("cloud", ["distinct", "one direction"])
def test_ties_that_longer_lists_do_not_pass_are_left_to_searches_one_by_one(function, cloud, monkeypatch):
    searches, search = [], _neighbours.k_nearest
    monkeypatch.setattr(_neighbours, "k_nearest", lambda *args, **k: searches.append(args) or search(*args, **k))
    given = spaces(function, CLOUDS[cloud])
    found = estimate(function, *given, k=5, n_blocks=10)
    assert (len(searches) == len(given)) == (cloud == "distinct")
    codes = balanced_blocks(np.arange(N), 10, np.random.RandomState(0))
    *without, value = one_by_one(function, given, codes, k=5)
    assert found.value == pytest.approx(value)
    error = np.sqrt(0.9 * np.sum((without - np.mean(without)) ** 2))
    assert found.standard_error == pytest.approx(error, rel=1e-8) if error > 0 else np.isnan(found.standard_error)


def test_more_neighbours_than_are_left_are_all_of_them():
    codes = balanced_blocks(np.arange(12), 6, np.random.RandomState(0))
    *without, value = one_by_one(hubness, (ROWS[:12],), codes, k=10)
    found = estimate(hubness, ROWS[:12], k=10, n_blocks=6)
    assert found.value == pytest.approx(value)
    assert np.isnan(found.standard_error) == (np.ptp(without) == 0)
    with pytest.raises(ValueError, match="k must be"):
        estimate(neighbour_overlap, ROWS[:12], ROWS[12:24], k=10)


@pytest.mark.parametrize(("options", "message"), [({"k": 0}, "k must be"), ({"metric": "csls"}, "metric must be")])
def test_options_are_checked_before_anything_is_left_out(options, message):
    for function in (hubness, neighbour_overlap):
        with pytest.raises(ValueError, match=message):
            estimate(function, *spaces(function, ROWS), **options)


def test_shares_stay_within_their_bounds():
    assert estimate(neighbour_overlap, ROWS, 1.001 * ROWS + 1e-3 * ROWS[::-1], k=3).interval[1] <= 1
