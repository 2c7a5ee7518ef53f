"""Transforms written into given arrays: what `transform` returns, wherever there is room for it, or nothing at all."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from threadpoolctl import threadpool_limits

from skgeom.alignment import CCAAligner, LstsqAligner, ProcrustesAligner
from skgeom.multimodal import GapShift
from skgeom.preprocessing import AllButTheTop, GroupAllButTheTop, GroupCentering, GroupWhitening, Whitening

N, D = 20_000, 40
RNG = np.random.default_rng(0)
X = (RNG.normal(size=(N, D)) * np.linspace(1, 2, D) + 3).astype(np.float32)
Y = X[:, :30] + RNG.normal(size=(N, 30)).astype(np.float32)
GROUPS = np.arange(N) % 2

PLAIN = [
    Whitening(),
    Whitening(7),
    Whitening(method="zca", normalize=True),
    AllButTheTop(2),
    AllButTheTop(2, projection="raw"),
    ProcrustesAligner(center=True),
    LstsqAligner(),
    CCAAligner(5),
]
GROUPED = [GroupCentering(), GroupWhitening(), GroupWhitening(7, method="pca"), GroupAllButTheTop(2), GapShift()]


def fitted(estimator, x=X):
    if estimator in GROUPED:
        return estimator.fit(x, groups=GROUPS), {"groups": GROUPS}
    return estimator.fit(x, Y.astype(x.dtype)), {}


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("estimator", PLAIN + GROUPED, ids=repr)
def test_a_memory_map_receives_what_transform_returns(estimator, dtype, threads, tmp_path):
    x = X.astype(dtype)
    fit, per_row = fitted(estimator, x)
    with threadpool_limits(threads):
        expected = fit.transform(x, **per_row)
        out = np.memmap(tmp_path / "rows", expected.dtype, "w+", shape=expected.shape)
        assert fit.transform_into(x, out, **per_row) is out
    assert_array_equal(out, expected)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("estimator", PLAIN + GROUPED, ids=repr)
def test_rows_can_be_written_over_themselves(estimator, threads):
    fit, per_row = fitted(estimator)
    expected, x = fit.transform(X, **per_row), X.copy()
    with threadpool_limits(threads):
        fit.transform_into(x, x[:, : expected.shape[1]], **per_row)
    assert_array_equal(x[:, : expected.shape[1]], expected)


def test_columns_beside_x_and_frames_are_fine():
    pandas = pytest.importorskip("pandas")
    whitening, room = Whitening(D).fit(X), np.zeros((N, 2 * D), np.float32)
    room[:, :D] = X
    whitening.transform_into(room[:, :D], room[:, D:])
    assert_array_equal(room[:, :D], X)
    assert_array_equal(room[:, D:], whitening.transform(X))
    out = np.empty((N, D), np.float32, order="F")
    whitening.set_output(transform="pandas").transform_into(pandas.DataFrame(X), out)
    assert_array_equal(out, room[:, D:])


def read_only(x):
    x.flags.writeable = False
    return x


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (np.empty((N, D)), "dtype float32; it is writeable, of shape .* and dtype float64"),
        (np.empty((N, D - 1), np.float32), "of shape"),
        (np.empty((N + 1, D), np.float32), "of shape"),
        (read_only(np.empty((N, D), np.float32)), "it is read-only"),
        ([[0.0]], "must be a NumPy array or memory map, got list"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(out, message):
    with pytest.raises((TypeError, ValueError), match=message):
        Whitening().fit(X).transform_into(X, out)


def test_rows_over_other_rows_are_refused_before_anything_is_written():
    x = np.concatenate([X, X[:1]])
    whitening, before = Whitening().fit(X), x.copy()
    for rows, out in ((x[:-1], x[1:]), (x[1:], x[:-1]), (x[:-1], x[:-1][::-1])):
        with pytest.raises(ValueError, match="overlaps with X"):
            whitening.transform_into(rows, out)
    out = np.zeros((2, D), np.float32)
    with pytest.raises(ValueError, match="NaN"):
        whitening.transform_into(np.where(np.eye(2, D) > 0, np.nan, X[:2]), out)
    with pytest.raises(ValueError, match="Group 7"):
        GroupCentering().fit(X, groups=GROUPS).transform_into(X[:2], out, groups=[0, 7])
    assert_array_equal(x, before)
    assert not out.any()


def test_rows_of_other_libraries_are_refused():
    torch = pytest.importorskip("torch")
    x = torch.from_numpy(X)
    with pytest.raises(TypeError, match="Call transform instead"):
        Whitening().fit(x).transform_into(x, np.empty((N, D), np.float32))
