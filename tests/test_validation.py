"""The checks that several packages share: what passes, what it becomes, and the messages for what does not."""

import numpy as np
import pandas as pd
import pytest
from numpy.random import default_rng
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import StandardScaler

from skgeom import _validation
from skgeom._array import to_numpy
from skgeom._core.sums._moments import part_of_moments
from skgeom.calibration import CosineCalibrator
from skgeom.comparison import cloud_test
from skgeom.metrics import (
    _checks,
    alignment_loss,
    conformity,
    isoscore,
    modality_gap,
    modality_gap_matrix,
    paired_cosine,
)
from skgeom.multimodal import double_ellipsoid
from skgeom.preprocessing import AllButTheTop, Whitening


def rows(n=9, d=3):
    return default_rng(0).normal(size=(n, d))


# Clouds


@pytest.mark.parametrize(
    "function",
    [
        modality_gap,
        lambda X, Y: modality_gap_matrix([X, Y]),
        conformity,
        alignment_loss,
        paired_cosine,
        cloud_test,
        double_ellipsoid,
        CosineCalibrator(0.5).fit,
        CosineCalibrator(0.5).fit(rows(300)).predict,
    ],
    ids=lambda function: getattr(function, "__qualname__", None),
)
@pytest.mark.filterwarnings("ignore:X has feature names", "ignore:.* not enough for a threshold")
def test_columns_of_two_frames_in_one_space_are_in_one_order(function):
    x, y = pd.DataFrame(rows(20), columns=list("abc")), pd.DataFrame(rows(20) + 1, columns=list("abc"))
    function(x, y)
    function(x, y.rename(columns={"a": "z"}))
    function(x, y.to_numpy())
    with pytest.raises(ValueError, match=r" has the columns of .* in another order: pass .*\.columns\]"):
        function(x, y[["b", "a", "c"]])


def test_ordinary_rows_are_not_copied(backend):
    x = backend.asarray(rows())
    assert _validation.check_cloud(x) is x


@pytest.mark.parametrize(("dtype", "kept"), [("f2", "f4"), ("f4", "f4"), ("f8", "f8")])
def test_numbers_in_any_byte_order_keep_their_width(dtype, kept):
    for order in "<>":
        x = _validation.check_cloud(rows().astype(order + dtype))
        assert x.dtype == np.dtype(kept)
        assert_array_equal(x, rows().astype(dtype))


@pytest.mark.parametrize(("dtype", "kept"), [("float32", "float32"), ("float64", "float64"), ("int32", "float64")])
def test_floats_keep_their_width(backend, dtype, kept):
    assert _validation.check_cloud(backend.asarray(rows(), dtype)).dtype == getattr(backend.xp, kept)


@pytest.mark.parametrize("scale", [2.0**-1000, 2.0**-300, 2.0**300, 2.0**1000])
def test_extreme_rows_are_scaled_by_a_power_of_two_where_scale_is_free(backend, scale):
    x = rows() * scale
    found = to_numpy(_validation.check_cloud(backend.asarray(x), scale_free=True))
    factor = found[0, 0] / rows()[0, 0]
    assert np.log2(factor) % 1 == 0
    assert 0.5 <= np.abs(found).max() <= 1
    assert_array_equal(found, rows() * factor)


@pytest.mark.parametrize("scale", [2.0**-100, 2.0**100])
def test_extreme_float32_rows_become_float64_where_scale_counts(backend, scale):
    x = (rows() * scale).astype(np.float32)
    found = _validation.check_cloud(backend.asarray(x))
    assert found.dtype == backend.xp.float64
    assert_array_equal(to_numpy(found), x)


def test_zeros_are_ordinary(backend):
    x = backend.asarray(np.zeros((3, 2)), "float32")
    assert _validation.check_cloud(x, scale_free=True) is x


# Moments


@pytest.mark.parametrize(
    "compute",
    [
        isoscore,
        lambda x: Whitening().fit(x),
        lambda x: Whitening(shrinkage="ledoit_wolf").partial_fit(x),
        lambda x: AllButTheTop().fit(x),
    ],
)
def test_sums_prove_rows_finite_without_a_search_for_others(backend, monkeypatch, compute):
    """A check of its own would read rows in a file twice; it follows only where sums show that something is wrong."""
    searches, peak = [], _validation.peak
    monkeypatch.setattr(_validation, "peak", lambda x: searches.append(x) or peak(x))
    x = rows(200) + 10
    compute(backend.asarray(x))
    assert not searches
    x[7, 1] = np.inf
    with pytest.raises(ValueError, match="contains infinity"):
        compute(backend.asarray(x))
    assert len(searches) == 1


@pytest.mark.parametrize("shape", [(9, 3), (3, 9)])
@pytest.mark.parametrize("scale_free", [True, False])
def test_moments_at_every_scale_are_those_of_checked_rows(shape, scale_free, backend):
    wide = np.outer(np.ones(shape[0]), 10.0 ** -np.arange(shape[1]))
    for exponent in range(-140, 125, 3):
        x = backend.asarray((rows(*shape) * wide + wide) * 2.0**exponent, "float32")
        expected = part_of_moments(_validation.check_cloud(x, scale_free=scale_free), None)
        found = _validation.check_moments(x, scale_free=scale_free)
        assert_array_equal(to_numpy(found.dense().scatter), to_numpy(expected.dense().scatter))
        assert_array_equal(to_numpy(found.mean), to_numpy(expected.mean))


@pytest.mark.parametrize(("dtype", "scale"), [("float32", 1e-25), ("float64", 1e-200)])
def test_squares_that_underflow_around_a_mean_of_zero_prove_nothing(backend, dtype, scale):
    x = np.array([[0, 0], [1, 2], [-1, -2], [2, -1], [-2, 1]]) * scale
    assert float(isoscore(backend.asarray(x, dtype))) == pytest.approx(1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 1, 16, 19_999])
@pytest.mark.filterwarnings("error")
def test_moments_find_each_number_that_is_not_finite(row, value):
    x = rows(20_000, 40).astype(np.float32)
    x[row, 7] = value
    with pytest.raises(ValueError, match=f"X contains {'NaN' if np.isnan(value) else 'infinity'}"):
        _validation.check_moments(x)


def test_a_message_names_the_argument():
    with pytest.raises(ValueError, match="Input reference contains NaN"):
        _validation.check_cloud(rows() * np.nan, name="reference")


def test_one_zero_row_is_named_and_many_are_counted():
    x = rows()
    x[[2, 5]] = 0
    with pytest.raises(ValueError, match=r"X has 2 zero rows \(the first is row 2\).*Drop such rows"):
        _validation.check_directed(x)
    with pytest.raises(ValueError, match=r"Y has 1 zero row \(the first is row 0\)"):
        _validation.check_directed(x[2:4], name="Y")


def columns_of_vectors():
    cells = np.empty(9, object)
    cells[:] = list(rows())
    yield "X", cells
    pandas = pytest.importorskip("pandas")
    yield "X", pandas.Series(cells)
    yield 'X["v"]', pandas.DataFrame({"v": cells})
    polars = pytest.importorskip("polars")
    yield "X", polars.Series(rows().tolist())
    yield 'X["v"]', polars.DataFrame({"v": rows().tolist()})
    pyarrow = pytest.importorskip("pyarrow")
    yield "X", pyarrow.array(rows().tolist())


def test_a_column_of_vectors_is_refused_with_what_stacks_it():
    for said, column in columns_of_vectors():
        for take in (_validation.check_cloud, Whitening().fit, isoscore):
            with pytest.raises(ValueError, match=r"a vector in each cell.*numpy.stack") as refused:
                take(column)
            assert f"numpy.stack({said})" in str(refused.value)
        assert_allclose(isoscore(np.stack(column["v"] if "v" in said else column)), isoscore(rows()))


@pytest.mark.parametrize("cells", [["a", "b"], [None, 1.0], [{}, {}]])
def test_other_objects_have_the_message_of_scikit_learn(cells):
    with pytest.raises((TypeError, ValueError)) as refused:
        _validation.check_cloud(np.array(cells, object)[:, None])
    assert "stack" not in str(refused.value)


def test_masked_entries_are_not_numbers():
    masked = np.ma.masked_greater(rows(), 1.0)
    with pytest.raises(TypeError, match="X has masked entries"):
        _validation.check_cloud(masked)
    assert_array_equal(_validation.check_cloud(np.ma.asarray(rows())), rows())
    frame = pytest.importorskip("pandas").DataFrame(rows()).rename(columns=lambda i: "_mask" if i == 0 else str(i))
    assert_array_equal(_validation.check_cloud(frame), rows())


# Labels and groups


def test_labels_are_sorted_by_class_and_keep_their_order_within():
    labels = _validation.check_labels(["b", "a", "b", "c", "a"], 5)
    assert labels.codes.tolist() == [0, 0, 1, 1, 2]
    assert labels.order.tolist() == [1, 4, 0, 2, 3]
    assert labels.sizes.tolist() == [2, 2, 1]


def test_labels_come_from_any_library(backend):
    labels = _validation.check_labels(backend.asarray([3, 1, 3]), 3)
    assert labels.codes.tolist() == [0, 1, 1]
    assert labels.order.tolist() == [1, 0, 2]
    assert labels.sizes.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([1, 1, 1], "Number of labels is 1.*here 2"),
        ([1, 2, 3], "Number of labels is 3.*here 2"),
        ([1, 2], "Found 2 topics for 3 rows"),
        ([1, np.nan, 2], "topics contains NaN"),
        ([[1, 2], [1, 2], [3, 4]], "1d array"),
    ],
)
def test_labels_that_are_no_classes_are_refused_by_name(labels, words):
    with pytest.raises(ValueError, match=words):
        _validation.check_labels(labels, 3, name="topics")


@pytest.mark.parametrize("missing", [None, np.nan, np.datetime64("NaT")])
@pytest.mark.parametrize(
    "check",
    [
        lambda values: _validation.check_labels(values, 4),
        lambda values: _validation.check_groups(values, 4),
        lambda values: _validation.check_classes(values, 4),
        lambda values: _checks.pairs_of_one_kind(values, 4),
    ],
)
def test_a_missing_label_is_none_of_the_classes(check, missing):
    known = ["2025-01-01", "2025-01-02"] if isinstance(missing, np.datetime64) else ["a", "b"]
    values = [known[0], missing, known[1], known[0]]
    check(known * 2)
    for given in (values, np.array(values, "M8[ns]" if isinstance(missing, np.datetime64) else object)):
        with pytest.raises(ValueError, match="NaN"):
            check(given)


@pytest.mark.parametrize("check", [_validation.check_labels, _validation.check_groups, _validation.check_classes])
def test_masked_labels_and_lists_of_two_types_are_refused(check):
    with pytest.raises(TypeError, match="has masked entries"):
        check(np.ma.masked_equal([1, 2, 3, 2], 3), 4)
    with pytest.raises(TypeError, match="got int and str"):
        check(["1", 1, "1", 1], 4)


DATES = np.arange(8).reshape(4, 2).astype("M8[ms]")


@pytest.mark.parametrize("values", [DATES, DATES - DATES[0], list(map(list, DATES)), pd.DataFrame(DATES)])
def test_dates_and_durations_are_not_numbers(values):
    with pytest.raises(TypeError, match="expected numbers, not dates or durations"):
        _validation.check_cloud(values)
    with pytest.raises(TypeError, match="a block of X has dtype"):
        _validation.check_moments(iter([values, values]))
    with pytest.raises(TypeError, match="y has dtype"):
        _validation.check_target_rows(values)


def test_durations_are_not_weights():
    with pytest.raises(TypeError, match="sample_weight has dtype timedelta64"):
        _validation.check_weights((DATES - DATES[0])[:, 0] + 1, rows()[:4])


def test_masked_weights_and_numbers_are_refused():
    masked = np.ma.masked_equal([1.0, 2.0, 3.0], 3)
    with pytest.raises(TypeError, match="sample_weight has masked entries"):
        _validation.check_weights(masked, rows()[:3])
    with pytest.raises(TypeError, match="t has masked entries"):
        _validation.check_numbers(masked, "t")
    assert _validation.check_numbers(np.ma.array([1, 2]), "t").tolist() == [1, 2]


def test_groups_are_found_and_counted():
    found, codes = _validation.check_groups(["t", "i", "t"], 3)
    assert found == ["i", "t"]
    assert codes.tolist() == [1, 0, 1]
    assert _validation.check_groups(None, 2)[1].tolist() == [0, 0]
    with pytest.raises(ValueError, match="Group 'i' has fewer than 2 rows"):
        _validation.check_groups(["t", "i", "t"], 3, min_members=2)
    with pytest.raises(ValueError, match="Found 2 groups for 3 rows"):
        _validation.check_groups(["t", "i"], 3)


@pytest.mark.parametrize("unit", ["D", "us", "ns"])
@pytest.mark.parametrize("kind", ["datetime64", "timedelta64"])
def test_dates_of_any_unit_are_groups(kind, unit):
    dates = np.array([1, 0, 1, 2]).astype(f"{kind}[D]").astype(f"{kind}[{unit}]")
    found, codes = _validation.check_groups(dates, 4)
    assert codes.tolist() == [1, 0, 1, 2]
    assert _validation.check_known_groups(dates, 4, found).tolist() == [1, 0, 1, 2]
    with pytest.raises(ValueError, match="was not seen at fit"):
        _validation.check_known_groups(dates + np.timedelta64(5, "D"), 4, found)


def test_groups_of_the_fit_are_found_again():
    assert _validation.check_known_groups(["t", "i"], 2, ["i", "t"]).tolist() == [1, 0]
    assert _validation.check_known_groups(None, 2, ["only"]).tolist() == [0, 0]
    with pytest.raises(ValueError, match=r"Group 'x' was not seen at fit, which had 'i', 't'"):
        _validation.check_known_groups(["x", "i"], 2, ["i", "t"])
    with pytest.raises(ValueError, match="groups is required: there were 2 at fit"):
        _validation.check_known_groups(None, 2, ["i", "t"])


# Weights


def test_rows_without_weight_are_dropped(backend):
    x = rows()
    kept, w = _validation.check_weights([1, 0, 2, 1, 1, 0, 1, 1, 1], backend.asarray(x))
    assert_array_equal(to_numpy(kept), x[[0, 2, 3, 4, 6, 7, 8]])
    assert_allclose(to_numpy(w), [1, 2, 1, 1, 1, 1, 1])
    assert w.dtype == backend.xp.float64


def test_no_weights_and_one_for_all_are_weights():
    x = rows()
    assert _validation.check_weights(None, x)[0] is x
    assert _validation.check_weights(None, x)[1] is None
    assert_allclose(_validation.check_weights(2, x)[1], np.full(9, 2.0))


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (np.ones(8), r"sample_weight.shape == \(8,\), expected \(9,\)"),
        (np.ones((9, 1)), r"sample_weight.shape == \(9, 1\), expected \(9,\)"),
        (-np.ones(9), "finite and not negative"),
        (np.full(9, np.nan), "finite and not negative"),
        (np.zeros(9), "All weights are zero"),
        (np.full(9, 1 / 9), "weights are counts.*Multiply relative weights"),
        (np.full(9, 1e36), r"sums to 9e\+36, but weights are counts.*Multiply relative weights"),
    ],
)
def test_weights_that_count_nothing_are_refused_in_words(weights, words):
    with pytest.raises(ValueError, match=words):
        _validation.check_weights(weights, rows())


@pytest.mark.parametrize(
    ("scale", "weight", "dtype"), [(1, 1, "float32"), (1e12, 1e13, "float64"), (1, 1e13, "float32")]
)
def test_rows_whose_weighted_squares_leave_float32_are_checked_into_float64(scale, weight, dtype):
    x, w = _validation.check_weights(np.full(9, weight), rows().astype("float32") * np.float32(scale))
    assert (x.dtype, w.dtype) == (dtype, "float64")


# Covariances


def test_a_covariance_is_symmetric_up_to_rounding(backend):
    c = np.cov(rows(50), rowvar=False)
    noisy = c + 1e-8 * default_rng(0).normal(size=c.shape)
    found = _checks.check_covariance(backend.asarray(noisy, "float32"))
    assert found.dtype == backend.xp.float64
    assert_allclose(to_numpy(found), c, atol=1e-6)


def test_a_singular_covariance_and_the_zero_matrix_are_covariances():
    assert _checks.check_covariance(np.ones((3, 3))).shape == (3, 3)
    assert_array_equal(_checks.check_covariance(np.zeros((3, 3))), np.zeros((3, 3)))


# Parameters


@pytest.mark.parametrize("value", [0.5, 1, np.float32(0.25), np.int64(0), np.float64(1)])
def test_numbers_of_any_library_are_numbers(value):
    found = _validation.check_real(value, "zeta", 0, 1)
    assert type(found) is float
    assert found == value


@pytest.mark.parametrize("value", [1, np.int64(3), np.uint8(3)])
def test_whole_numbers_of_any_library_are_counts(value):
    assert type(_validation.check_count(value, "k", 1, 3)) is int


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: _validation.check_real("1", "p"), TypeError, "p must be a number, got '1'"),
        (lambda: _validation.check_real(True, "p"), TypeError, "p must be a number, got True"),
        (lambda: _validation.check_real(1j, "p"), TypeError, "p must be a number"),
        (lambda: _validation.check_real(np.nan, "p"), ValueError, "p must be a finite number"),
        (lambda: _validation.check_real(2, "p", 0, 1), ValueError, "from 0 to 1, got 2"),
        (lambda: _validation.check_count(1.0, "k"), TypeError, "k must be an integer, got 1.0"),
        (lambda: _validation.check_count(True, "k"), TypeError, "k must be an integer, got True"),
        (lambda: _validation.check_count(0, "k"), ValueError, "k must be at least 1, got 0"),
        (lambda: _validation.check_count(9, "k", 1, 5), ValueError, "at least 1 and at most 5, got 9"),
        (
            lambda: _validation.check_numbers(np.arange(2000) > 7, "y"),
            TypeError,
            "y must be a number or a list of numbers, got" + 8 * " False," + "?" + " and 1992 more",
        ),
        (lambda: _validation.check_numbers(np.ones((9, 1)), "y"), ValueError, r"y must be .* flat list .* \(9, 1\)\."),
        (lambda: _validation.check_numbers([0.0, np.nan, np.inf], "y"), ValueError, "finite .*, got nan at position 1"),
        (lambda: _validation.check_choice("c", ["a", "b"], "m"), ValueError, "m must be one of 'a', 'b'. Got 'c'"),
        (lambda: _validation.check_choice(np.ones(2), ["a"], "m"), ValueError, "m must be one of 'a'"),
        (lambda: _validation.check_choice(1, [True, None], "m"), ValueError, "m must be one of True, None. Got 1"),
    ],
)
def test_parameters_out_of_place_are_refused_in_words(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("device", [None, "cpu", "cuda", "cuda:0", "cuda:12", "auto"])
def test_devices_have_names(device):
    assert _validation.check_device(device) is None


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:-1", "cuda:a", "cuda:²", "cuda:1 ", "CUDA", 0, "", ["cpu"]])
def test_other_names_are_no_devices(device):
    with pytest.raises(ValueError, match="device must be None"):
        _validation.check_device(device)


# Kinds of arrays


def test_a_device_by_name_is_for_host_data(backend):
    if backend.name.startswith("numpy"):
        assert _validation.check_host(backend.asarray(rows()), "cuda") is None
        return
    with pytest.raises(ValueError, match=r"device='cuda' is for data on the host.*Pass device=None"):
        _validation.check_host(backend.asarray(rows()), "cuda")


def test_arrays_of_two_kinds_or_widths_are_refused_by_name(backend):
    x = backend.asarray(rows())
    _validation.check_same_kind(x, x)
    _validation.check_same_kind(x, x[:, :2], same_width=False)
    with pytest.raises(ValueError, match="A has 3 features and B has 2: both must be in the same space"):
        _validation.check_same_kind(x, x[:, :2], ("A", "B"))
    if not backend.name.startswith("numpy"):
        with pytest.raises(ValueError, match=r"A and B must use the same namespace and device.*numpy on cpu"):
            _validation.check_same_kind(x, rows(), ("A", "B"))
        with pytest.raises(ValueError, match=r"StandardScaler.*same namespace and the same device.*fit"):
            _validation.check_fitted_kind(StandardScaler(), x, rows())


@pytest.mark.parametrize(("share", "is_symmetric"), [(0.3e-5, True), (3e-5, False)])
def test_a_covariance_may_be_asymmetric_by_a_hundred_thousandth_of_its_largest_entry(share, is_symmetric):
    c = np.diag([2.0, 1.0, 1.0])
    c[0, 1] = share * 2
    if is_symmetric:
        _checks.check_covariance(c)
    else:
        with pytest.raises(ValueError, match="not symmetric"):
            _checks.check_covariance(c)
