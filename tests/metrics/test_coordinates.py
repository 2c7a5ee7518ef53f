"""Shares of coordinates and profiles of layers, against loops over pairs, NumPy, and planted rogue dimensions."""

from itertools import permutations

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_allclose, assert_array_equal

from skgeom import metrics
from skgeom._core._rows import DirectedRows, norms
from skgeom._core.sums._angular import average_cosine_error
from skgeom.metrics import average_cosine, coordinate_std, cosine_shares, layer_profile, variance_shares
from skgeom.summary import cloud_summary


def forty():
    return default_rng(95).normal(size=(40, 5)) + [3, 0, 0, 0, -0.5]


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def parts(x):
    return np.mean([u * v for u, v in permutations(unit(x), 2)], axis=0)


def test_shares_of_the_cosine_are_those_that_other_code_has_found():
    expected = [0.9602691198762348, 0.002156814839692133, -0.002376630816341841, -0.0033922521964227237]
    assert_allclose(cosine_shares(forty()), [*expected, 0.043342948296837526], rtol=1e-9)


def test_deviations_are_those_that_other_code_has_found():
    expected = [0.9769895156989079, 0.9658777001329548, 1.1424155870414463, 1.1367127678302393, 1.0860158057266223]
    assert_allclose(coordinate_std(forty()), expected, rtol=1e-9)
    variances = np.square(expected)
    assert_allclose(variance_shares(forty()), variances / variances.sum(), rtol=1e-9)


@pytest.mark.parametrize("shape", [(40, 5), (9, 30)])
def test_parts_are_means_over_pairs_and_sum_to_the_average_cosine(shape):
    x = default_rng(1).normal(size=shape) + np.arange(shape[1]) / shape[1]
    found = cosine_shares(x, relative=False)
    assert_allclose(found, parts(x), rtol=1e-9, atol=1e-15)
    assert found.sum() == pytest.approx(average_cosine(x), rel=1e-12)
    assert_allclose(cosine_shares(x), parts(x) / parts(x).sum(), rtol=1e-9, atol=1e-12)
    assert cosine_shares(x).sum() == pytest.approx(1, rel=1e-12)


def test_shares_of_many_blocks_are_those_of_all_rows():
    x = default_rng(1).normal(size=(6000, 40)).astype(np.float32) + 0.5
    u = unit(x.astype(np.float64))
    expected = (u.sum(axis=0) ** 2 - (u**2).sum(axis=0)) / (6000 * 5999)
    assert_allclose(cosine_shares(x), expected / expected.sum(), rtol=1e-9)


def test_shares_depend_on_neither_the_length_of_rows_nor_a_common_scale():
    x = forty()
    longer = x * default_rng(0).uniform(1e-3, 1e3, (40, 1))
    for other in (longer, x * 1e-200, x * 1e200):
        assert_allclose(cosine_shares(other), cosine_shares(x), rtol=1e-9)
    for other in (x + 1e3, x * 1e-200, x * 1e200):
        assert_allclose(variance_shares(other), variance_shares(x), rtol=1e-9)


def test_an_average_cosine_not_above_two_errors_has_no_shares():
    x = default_rng(0).normal(size=(100, 3))
    with pytest.warns(UserWarning, match="not above two standard errors.*relative=False"):
        assert np.isnan(cosine_shares(x)).all()
    assert_allclose(cosine_shares(x, relative=False), parts(x), rtol=1e-9)
    for shift in np.linspace(0, 0.5, 30):
        moved = x - x.mean(axis=0) + [shift, 0, 0]
        own = [np.mean([u @ v for j, v in enumerate(unit(moved)) if j != i]) for i, u in enumerate(unit(moved))]
        error = 2 * 99 / 98 * np.std(own, ddof=1) / 10
        assert average_cosine_error(DirectedRows(moved, norms(moved))) == pytest.approx(error, rel=1e-9)
        profile = layer_profile([moved])
        assert np.isnan(profile.cosine_share[0]) == (np.mean(own) <= 2 * error)
        assert (profile.cosine_coordinate[0] == -1) == np.isnan(profile.cosine_share[0])


def test_the_error_of_the_average_cosine_is_that_of_leaving_out_rows():
    x = forty()
    without = [average_cosine(np.delete(x, i, axis=0)) for i in range(40)]
    assert average_cosine_error(DirectedRows(x, norms(x))) == pytest.approx(np.sqrt(39 * np.var(without)), rel=1e-9)


def test_centred_rows_have_no_shares():
    x = unit(forty())
    x = x - x.mean(axis=0)
    assert average_cosine(x) < 0
    with pytest.warns(UserWarning, match="not above two standard errors"):
        assert np.isnan(cosine_shares(x)).all()


def test_two_rows_are_too_few_for_shares():
    x = np.array([[1.0, 0.1], [1.0, 0.0]])
    with pytest.warns(UserWarning, match="not above two standard errors"):
        assert np.isnan(cosine_shares(x)).all()
    assert_allclose(cosine_shares(x, relative=False), parts(x))


def test_equal_rows_have_the_shares_of_their_direction_and_no_variance():
    x = np.tile([3.0, 4.0], (5, 1))
    assert_allclose(cosine_shares(x), [0.36, 0.64], rtol=1e-12)
    assert_array_equal(variance_shares(x), [0, 0])
    assert_array_equal(coordinate_std(x), [0, 0])


def test_dead_coordinates_have_no_deviation_far_from_the_origin():
    x = forty() * [1, 1, 1, 0, 1e-9] + 1e3
    assert_allclose(coordinate_std(x), x.std(axis=0, ddof=1), rtol=1e-9)
    assert coordinate_std(x)[3] == 0


def test_variances_come_in_blocks_too():
    x = forty()
    assert_allclose(variance_shares(iter([x[:15], x[15:]])), variance_shares(x), rtol=1e-12)
    assert_allclose(coordinate_std(iter([x[:15], x[15:]])), coordinate_std(x), rtol=1e-12)


@pytest.mark.parametrize("in_one_array", [True, False])
def test_a_profile_has_the_measures_of_each_layer(backend, in_one_array):
    layers = default_rng(0).normal(size=(4, 30, 6)) * [1, 1, 1, 4, 1, 1] + 0.3
    layers[2, :, 5] += 9
    profile = layer_profile(backend.asarray(layers) if in_one_array else list(map(backend.asarray, layers)))
    for name in ("isoscore", "participation_ratio", "average_cosine"):
        assert_allclose(getattr(profile, name), [getattr(metrics, name)(layer) for layer in layers], rtol=1e-10)
    assert profile.cosine_coordinate[2] == 5
    assert profile.cosine_share[2] == pytest.approx(cosine_shares(layers[2]).max())
    assert_array_equal(profile.variance_coordinate, [3, 3, 3, 3])
    assert_allclose(profile.variance_share, [variance_shares(layer).max() for layer in layers], rtol=1e-10)


def test_layers_may_differ_in_shape_and_make_a_frame():
    pytest.importorskip("pandas")
    frame = layer_profile([forty(), forty()[:9, :3]]).to_frame()
    assert frame.shape == (2, 7)
    assert frame["cosine_coordinate"].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: cosine_shares(np.zeros((3, 2))), ValueError, "X has 3 zero rows"),
        (lambda: cosine_shares(forty()[:1]), ValueError, "minimum of 2"),
        (lambda: cosine_shares(forty(), relative="no"), TypeError, "relative must be True or False"),
        (lambda: variance_shares(forty() * np.nan), ValueError, "X contains NaN"),
        (lambda: coordinate_std(forty() * 1e200), ValueError, "squares leave the range of float64"),
        (lambda: cosine_shares(iter([forty()])), ValueError, "X is an iterator"),
        (lambda: layer_profile([]), ValueError, "layers is empty"),
        (lambda: layer_profile(forty()), ValueError, "layers must be an array"),
        (lambda: layer_profile({}), ValueError, "layers must be an array"),
        (lambda: layer_profile([cloud_summary(forty())]), TypeError, "This needs the rows, but a CloudSummary"),
        (lambda: layer_profile([forty(), 0 * forty()]), ValueError, "layer 1 has 40 zero rows"),
        (lambda: layer_profile([forty(), forty() * np.nan]), ValueError, "layer 1 contains NaN"),
    ],
)
def test_bad_input_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_the_dead_coordinates_of_minilm(data_folder):
    with np.load(data_folder / "rt_polarity_minilm.npz") as stored:
        deviations = coordinate_std(stored["X_raw"])
    assert_array_equal(np.flatnonzero(deviations < 3e-9), [127, 223, 319])
    assert np.sort(deviations)[3] > 1e-3
