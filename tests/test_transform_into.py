"""Transforms written into given arrays: what `transform` returns, wherever there is room for it, or nothing at all."""

import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, get_ident

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
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


def assert_same(found, expected):
    """The products of some BLAS kernels depend, in their last bits, on the memory that they are written to."""
    assert_allclose(found, expected, rtol=0, atol=16 * np.finfo(expected.dtype).eps * np.abs(expected).max())


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
    assert_same(out, expected)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("estimator", PLAIN + GROUPED, ids=repr)
def test_rows_can_be_written_over_themselves(estimator, threads):
    fit, per_row = fitted(estimator)
    expected, x = fit.transform(X, **per_row), X.copy()
    with threadpool_limits(threads):
        fit.transform_into(x, x[:, : expected.shape[1]], **per_row)
    assert_same(x[:, : expected.shape[1]], expected)


def test_columns_beside_x_and_frames_are_fine():
    pandas = pytest.importorskip("pandas")
    whitening, room = Whitening(D).fit(X), np.zeros((N, 2 * D), np.float32)
    room[:, :D] = X
    whitening.transform_into(room[:, :D], room[:, D:])
    assert_array_equal(room[:, :D], X)
    assert_same(room[:, D:], whitening.transform(X))
    out = np.empty((N, D), np.float32, order="F")
    whitening.set_output(transform="pandas").transform_into(pandas.DataFrame(X), out)
    assert_same(out, room[:, D:])


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
        ([[0.0]], "must be a path, a NumPy array or a memory map, got list"),
        (None, "got NoneType"),
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


# Files


@pytest.fixture
def target(tmp_path, monkeypatch):
    """Return a file to write to, in a folder of its own, in blocks of 3,276 rows."""
    monkeypatch.setattr("skgeom._estimator._BLOCK_BYTES", 1 << 19)
    folder = tmp_path / "out"
    folder.mkdir()
    return folder / "white.npy"


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int16"])
@pytest.mark.parametrize("estimator", [PLAIN[2], PLAIN[6], GROUPED[1]], ids=repr)
def test_a_file_receives_what_transform_returns(estimator, dtype, target):
    x = X.astype(dtype)
    fit, per_row = fitted(estimator, x)
    expected = fit.transform(x, **per_row)
    found = fit.transform_into(x, target, **per_row)
    assert isinstance(found, np.memmap)
    assert_array_equal(np.load(target), found)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
    assert found.dtype == expected.dtype
    assert os.listdir(target.parent) == [target.name]


def test_blocks_are_written_as_they_come(target):
    cuts = [1, 5000, 5001]
    whitening, expected = Whitening(7).fit(X), Whitening(7).fit(X).transform(X)
    found = whitening.transform_into(iter(np.split(X, cuts)), str(target))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    groups = (GROUPS[rows] for rows in np.split(np.arange(N), cuts))
    fit, per_row = fitted(GROUPED[0])
    found = fit.transform_into(iter(np.split(X, cuts)), target, groups=groups)
    assert_same(found, fit.transform(X, **per_row))


def test_a_file_is_transformed_in_its_place_and_keeps_names_of_columns(target):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=[f"c{i}" for i in range(D)])
    whitening = Whitening(7).fit(frame)
    np.testing.assert_allclose(whitening.transform_into(frame, target), whitening.transform(frame), atol=1e-5)
    with pytest.raises(ValueError, match="feature names should match"):
        whitening.transform_into(frame[frame.columns[::-1]], target)
    np.save(target, X)
    rows, whitening = np.load(target, mmap_mode="r"), Whitening(7).fit(X)
    np.testing.assert_allclose(whitening.transform_into(rows, target), whitening.transform(X), atol=1e-5)


def test_the_memory_holds_a_block(target, peak_memory):
    rows = np.lib.format.open_memmap(target.with_name("rows.npy"), "w+", np.float32, (20 * N, D))  # 64 MB, all zeros
    whitening = Whitening().fit(X)
    for source in (lambda: rows, lambda: (rows[start : start + 4096] for start in range(0, len(rows), 4096))):
        assert peak_memory(lambda source=source: whitening.transform_into(source(), target)) < 8 << 20


@pytest.mark.parametrize("as_file", [True, False])
def test_values_that_transform_does_not_take_are_refused_by_name(target, as_file):
    out = target if as_file else np.empty_like(X)
    with pytest.raises(TypeError, match=r"Whitening\.transform does not take groups"):
        Whitening().fit(X).transform_into(X, out, groups=GROUPS)
    with pytest.raises(ValueError, match="groups"):
        GroupCentering().fit(X, groups=GROUPS).transform_into(X, out, groups=1)


class Interrupting:
    """Blocks of which the third cannot be had."""

    def __init__(self, error):
        self._error = error

    def __iter__(self):
        yield from (X[:4096], X[4096:8192])
        raise self._error


@pytest.mark.parametrize("before", [None, b"what was there"])
@pytest.mark.parametrize(
    ("blocks", "error", "message"),
    [
        (lambda: iter(Interrupting(KeyboardInterrupt())), KeyboardInterrupt, None),
        (lambda: iter(Interrupting(OSError("the disk is gone"))), OSError, "the disk is gone"),
        (lambda: iter([X, X * np.nan]), ValueError, "contains NaN"),
        (lambda: iter([X, X[:, :3]]), ValueError, "X has 3 features, but Whitening is expecting 40"),
        (lambda: iter([X, X.astype(float)]), ValueError, "from row 20,000 on are float64, but those before"),
        (lambda: iter([]), ValueError, "yields no blocks"),
        (lambda: np.concatenate([X, X * np.nan]), ValueError, "contains NaN"),
        (lambda: X[0], ValueError, "Expected 2D array"),
    ],
)
def test_an_error_leaves_the_file_as_it_was(blocks, error, message, before, target):
    if before is not None:
        target.write_bytes(before)
    with pytest.raises(error, match=message):
        Whitening().fit(X).transform_into(blocks(), target)
    assert os.listdir(target.parent) == ([target.name] if before else [])
    assert before is None or target.read_bytes() == before


def test_two_threads_that_write_one_file_do_not_mix_their_rows(target):
    meet = Barrier(2, timeout=60)

    def written(scale):
        def blocks():
            for rows in np.split(X, 4):
                meet.wait()  # both are in the midst of their files
                yield scale * rows

        return np.array(whitening.transform_into(blocks(), target))

    whitening = Whitening(power=0).fit(X)
    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(written, (1, 2)))
    expected = [whitening.transform(scale * X) for scale in (1, 2)]
    for rows in (*found, np.load(target)):  # the file of whichever thread was the last to finish
        assert min(np.abs(rows - one).max() for one in expected) < 1e-3
    assert os.listdir(target.parent) == [target.name]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_is_said_and_leaves_nothing(target):
    partial = f"{target.name}.{os.getpid()}.{get_ident()}.partial"
    target.with_name(partial).symlink_to("/dev/full")  # where the rows are written to
    with pytest.raises(OSError, match=r"No space left on device: .*white\.npy'$"):
        Whitening().fit(X).transform_into(X, target)
    assert os.listdir(target.parent) == []


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda write: write(X, "white.parquet", groups=GROUPS), ValueError, "must be .* ends in .npy"),
        (
            lambda write: write(X, "white.npy", groups=GROUPS[:-1]),
            ValueError,
            "Found 19999 groups for 20000",
        ),
        (lambda write: write(X[1:], "white.npy", groups=GROUPS), ValueError, "Found 20000 groups for 19999"),
        (lambda write: write(iter([X]), "white.npy", groups=GROUPS), TypeError, "X and groups must be iter"),
        (
            lambda write: write(iter([X]), "white.npy", groups=iter([])),
            ValueError,
            "groups has fewer blocks",
        ),
        (lambda write: write(iter([X]), np.empty((N, D)), groups=GROUPS), ValueError, "is an iterator"),
    ],
)
def test_what_cannot_be_written_to_a_file_is_refused(call, error, message, target, monkeypatch):
    monkeypatch.chdir(target.parent)
    with pytest.raises(error, match=message):
        call(fitted(GROUPED[0])[0].transform_into)
    assert os.listdir() == []


def test_a_missing_folder_is_named_by_the_file(target):
    missing = target.parent / "missing" / "white.npy"
    with pytest.raises(FileNotFoundError) as caught:
        fitted(GROUPED[0])[0].transform_into(X, missing, groups=GROUPS)
    assert caught.value.filename == str(missing)


def test_tensors_are_not_written_to_a_file(target):
    torch = pytest.importorskip("torch")
    whitening = Whitening().fit(torch.from_numpy(X))
    for source in (torch.from_numpy(X), iter([torch.from_numpy(X)])):
        with pytest.raises(TypeError, match="Call transform instead"):
            whitening.transform_into(source, target)
