"""The floor that knows array libraries: arrays go out, come back, and are cut into blocks without loss."""

import tracemalloc
from pathlib import Path

import array_api_compat
import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_allclose, assert_array_equal

from skgeom import _array


def rows(n=7, d=3):
    return default_rng(0).normal(size=(n, d))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
def test_arrays_come_back_to_the_host_as_they_left(backend, dtype):
    x = (rows() * 3).astype(dtype)
    back = _array.to_numpy(backend.asarray(x))
    assert type(back) is np.ndarray
    assert back.dtype == x.dtype
    assert_array_equal(back, x)


def test_host_values_become_arrays_of_the_same_kind(backend):
    like = backend.asarray(rows(), "float32")
    made = _array.asarray_like([[1.0, 2.0]], like)
    assert _array.same_kind(made, like)
    assert made.dtype == like.dtype
    assert _array.asarray_like([1], like, dtype=backend.xp.int64).dtype == backend.xp.int64


def test_only_arrays_of_other_libraries_are_foreign(backend):
    assert _array.is_foreign(backend.asarray(rows())) == (not backend.name.startswith("numpy"))
    assert not any(map(_array.is_foreign, ([[1.0]], "x", None, 3, (i for i in range(2)))))


def test_frames_are_not_foreign_and_arrays_of_dask_are_refused():
    with pytest.raises(TypeError, match=r"a Dask collection was passed\. Pass X\.compute\(\)"):
        _array.is_foreign(pytest.importorskip("dask.array").ones((2, 2)))
    assert not _array.is_foreign(pytest.importorskip("pandas").DataFrame(rows()))


def test_kinds_differ_by_library_and_by_device(backend):
    x = backend.asarray(rows())
    assert _array.same_kind(x, backend.asarray(rows()))
    other = np.ones(2) if not backend.name.startswith("numpy") else pytest.importorskip("torch").ones(2)
    assert not _array.same_kind(x, other)
    assert backend.name.partition("-")[0] in _array.kind_of(x)


def test_two_devices_of_one_library_are_two_kinds():
    import array_api_strict as strict

    one, two = (strict.ones(2, device=strict.Device(name)) for name in ("CPU_DEVICE", "device1"))
    assert not _array.same_kind(one, two)
    assert (_array.is_on_host(one), _array.is_on_host(two)) == (True, False)


def test_the_second_device_refuses_to_become_host_data():
    """What makes it a stand-in for a GPU: a kernel that leaks to the host fails on it."""
    import array_api_strict as strict

    with pytest.raises((RuntimeError, TypeError)):
        np.asarray(strict.ones(2, device=strict.Device("device1")))


@pytest.mark.parametrize(
    ("dtype", "wide"),
    [("float32", "float32"), ("float64", "float64"), ("int8", "float64"), ("uint8", "float64"), ("bool", "float64")],
)
def test_widening_keeps_floats_and_makes_the_rest_double(backend, dtype, wide):
    assert _array.widen(backend.asarray(rows(), dtype)).dtype == getattr(backend.xp, wide)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves_widen_to_float32(dtype):
    torch = pytest.importorskip("torch")
    x = torch.ones(2, dtype=getattr(torch, dtype))
    assert _array.widen(x).dtype == torch.float32
    assert _array.to_numpy(x).dtype == np.float32


def test_a_tensor_with_a_gradient_comes_to_the_host_without_it():
    torch = pytest.importorskip("torch")
    x = torch.ones(3, requires_grad=True)
    assert _array.to_numpy(x * 2).tolist() == [2, 2, 2]
    assert _array.to_float((x * 2).sum()) == 6.0


def test_rows_are_taken_in_any_order(backend):
    x, index = rows(), np.array([4, 0, 0, 6])
    assert_array_equal(_array.to_numpy(_array.take_rows(backend.asarray(x), index)), x[index])


def test_rows_are_taken_without_a_copy_of_the_others():
    x, index = np.ones((20_000, 50), order="F"), np.array([4, 0, 0, 6])
    tracemalloc.start()
    found = _array.take_rows(x, index), _array.rows_at(x, index, np.empty((5, 50)))
    assert tracemalloc.get_traced_memory()[1] < 1 << 20  # of 8 MB
    tracemalloc.stop()
    assert all(rows.flags.c_contiguous and (rows == 1).all() and rows.shape == (4, 50) for rows in found)


@pytest.mark.parametrize("which", [slice(1, 4), np.array([4, 0, 0, 6])], ids=["consecutive", "anywhere"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_at_positions_are_there_whatever_the_room(backend, which, dtype):
    x = rows()
    room = np.full((5, 3), np.nan, dtype=dtype)
    for given in (backend.asarray(x, "float32"), backend.asarray(x, "float64")):
        expected = _array.to_numpy(given)[which]
        assert_array_equal(_array.to_numpy(_array.rows_at(given, which)), expected)
        assert_array_equal(_array.to_numpy(_array.rows_at(given, which, room)), expected)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("count", [1, 5, 60])
def test_squares_of_rows_are_added_on_both_sides_of_the_diagonal(backend, count, sign):
    x = default_rng(0).normal(size=(count, 9))
    matrix, added = (backend.asarray(a, "float64") for a in (100 * np.eye(9), x))
    found = _array.plus_squares(1.0 * matrix, added, sign)
    assert_allclose(_array.to_numpy(found), 100 * np.eye(9) + sign * x.T @ x, rtol=1e-13, atol=1e-13)
    assert not isinstance(found, np.ndarray) or np.array_equal(found, found.T)


@pytest.mark.parametrize("d", [1, 128, 129, 511])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("float64", 1e-12)])
def test_the_product_of_rows_with_themselves_is_that_of_blas(d, dtype, tolerance):
    x = default_rng(0).normal(size=(40, d)).astype(dtype)
    got = _array.gram(x, _array.scratch(x, (d, d)))
    assert_allclose(got, x.T @ x, atol=tolerance)
    assert_array_equal(got, got.T)


@pytest.mark.parametrize("n", [1, 2, 100])
@pytest.mark.parametrize("block_bytes", [1, 100, 10_000])
@pytest.mark.parametrize("columns", [0, 50])
def test_blocks_cover_every_row_once_in_order(backend, n, block_bytes, columns, monkeypatch):
    monkeypatch.setattr("skgeom._array.HOST_BLOCK_BYTES", block_bytes)
    monkeypatch.setattr("skgeom._array.ACCELERATOR_BLOCK_BYTES", block_bytes)
    x = backend.asarray(rows(n), "float32")
    blocks = list(_array.row_blocks(x, columns=columns))
    assert [i for block in blocks for i in range(n)[block]] == list(range(n))
    most = max(block.stop - block.start for block in blocks)
    assert most == 1 or most * 4 * max(3, columns) <= block_bytes


def test_a_device_other_than_the_cpu_gets_larger_blocks(backend):
    x = backend.asarray(np.ones((200_000, 16)), "float32")
    on_host = backend.name in ("numpy", "numpy-readonly", "torch", "strict")
    assert _array.is_on_host(x) == on_host
    assert (len(list(_array.row_blocks(x))) > 1) == on_host


@pytest.mark.parametrize("value", [-3.0, np.inf, -np.inf, np.nan])
def test_the_peak_is_the_largest_magnitude_and_shows_what_is_not_finite(backend, value):
    x = rows()
    x[5, 1] = value
    assert_array_equal(_array.peak(backend.asarray(x)), np.abs(x).max())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_are_multiplied_with_rows_or_with_one(backend, dtype):
    x, y = rows().astype(dtype), rows().astype(dtype)[::-1] + 1
    for other in (y, y[0]):
        found = _array.vecdot(backend.asarray(x), backend.asarray(other))
        assert found.dtype == getattr(backend.xp, dtype)
        assert_allclose(_array.to_numpy(found), np.sum(x.astype(np.float64) * other, axis=1), rtol=1e-5)


@pytest.mark.parametrize("n", [5, 4096, 40_001])
def test_products_over_many_rows_keep_the_digits_of_float32(backend, n):
    """Products of these integers are below 2^12, so that 4,096 of them sum without rounding, and 40,001 do not."""
    x, y = (default_rng(seed).integers(32, 64, size=(n, d)) for seed, d in ((0, 3), (1, 2)))
    a, b = backend.asarray(x, "float32"), backend.asarray(y, "float32")
    assert_array_equal(_array.to_numpy(_array.product_over_rows(a, b, None)), x.T @ y)
    assert_array_equal(_array.to_numpy(_array.gram(a, None)), x.T @ x)


def test_no_kernel_has_products_of_rows_of_its_own():
    """What array-api-compat has for a library without a kernel, such as CuPy, makes a tiny product per row."""
    kernels = Path(_array.__file__).parent / "_core"
    assert not [p.name for p in kernels.rglob("*.py") if ".vecdot(" in p.read_text("utf8")]


def test_the_logarithm_of_a_sum_of_exponentials_never_overflows(backend):
    x = backend.asarray([[1000.0, 1000.0], [-1000.0, -1000.0]])
    found = _array.to_numpy(_array.logsumexp(x, 1))
    np.testing.assert_allclose(found, np.array([1000, -1000]) + np.log(2), rtol=1e-15)


def test_one_hot_rows_sum_to_one_at_their_code(backend):
    codes = backend.asarray([2, 0, 2], "int64")
    found = _array.one_hot(codes, 4, backend.asarray(rows(), "float32"))
    assert found.dtype == backend.xp.float32
    assert_array_equal(_array.to_numpy(found), np.eye(4)[[2, 0, 2]])


@pytest.mark.parametrize("swap", [False, True])
def test_where_takes_a_number_on_either_side(backend, swap):
    x = backend.asarray([1.0, 2.0], "float32")
    chosen = _array.where(x > 1.5, *((0.0, x) if swap else (x, 0.0)))
    assert chosen.dtype == backend.xp.float32
    assert _array.to_numpy(chosen).tolist() == ([1.0, 0.0] if swap else [0.0, 2.0])


def test_epsilon_is_the_spacing_of_the_dtype(backend):
    for dtype in ("float32", "float64"):
        assert _array.epsilon(backend.asarray(rows(), dtype)) == np.finfo(dtype).eps


# Devices by name


@pytest.mark.parametrize("device", [None, "cpu"])
def test_the_host_is_where_data_already_are(device, monkeypatch):
    monkeypatch.setattr("skgeom._array.find_accelerator", lambda name: pytest.fail("asked for an accelerator"))
    x = rows()
    assert _array.place(x, device) is x


def test_only_auto_falls_back_to_the_host(monkeypatch):
    monkeypatch.setattr("skgeom._array.find_accelerator", lambda name: None)
    x = rows()
    assert _array.place(x, "auto") is x
    with pytest.raises(RuntimeError, match=r"device='cuda:1'.*no GPU is visible.*Install a CUDA build"):
        _array.place(x, "cuda:1")


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "auto"])
def test_data_move_to_the_accelerator_that_is_found(device, fake_accelerator):
    x = rows()
    moved = _array.place(x, device)
    assert moved.device == fake_accelerator
    assert_array_equal(_array.to_numpy(moved), x)


def test_auto_asks_for_a_gpu(monkeypatch):
    asked = []
    monkeypatch.setattr("skgeom._array.find_accelerator", asked.append)
    _array.place(rows(), "auto")
    assert asked == ["auto"]


@pytest.mark.gpu
@pytest.mark.parametrize("device", ["cuda", "cuda:0", "auto"])
def test_a_real_gpu_is_found(device):
    if _array.find_accelerator("cuda") is None:
        pytest.skip("no installed library sees a CUDA device")
    moved = _array.place(rows(), device)
    assert not _array.is_on_host(moved)
    assert not array_api_compat.is_numpy_array(moved)
    assert_array_equal(_array.to_numpy(moved), rows())


def test_without_a_gpu_no_library_finds_one():
    if any("cuda" in str(_array.find_accelerator(name)) for name in ("cuda", "cuda:1")):
        pytest.skip("there is a GPU")
    assert _array.find_accelerator("cuda") is None


@pytest.mark.parametrize(("magnitude", "exponent"), [(0.0, 0), (0.75, 0), (1.0, 0), (1.5, 1), (2.0**-480, -480)])
def test_the_exponent_of_a_magnitude_is_that_of_the_next_power_of_two(magnitude, exponent):
    assert _array.exponent_of(magnitude) == exponent


@pytest.mark.parametrize("unit", [1.0, 2.0**900, 2.0**-900])
@pytest.mark.parametrize("d", [1, 2, 3, 40])
def test_leading_eigenvectors_are_those_of_the_whole_decomposition(backend, d, unit):
    matrix = rows(2 * d, d).T @ rows(2 * d, d)
    values, vectors = _array.eigen(backend.asarray(matrix * unit))
    assert_allclose(_array.to_numpy(values) / unit, np.linalg.eigvalsh(matrix), rtol=1e-12)
    for k in {0, 1, d // 2, d}:
        found = _array.to_numpy(vectors.leading(k))
        assert_allclose(found @ found.T, np.eye(k), atol=1e-13)
        assert_allclose(found @ matrix, np.linalg.eigvalsh(matrix)[::-1][:k, None] * found, atol=1e-12 * d)


def test_a_matrix_of_zeros_has_eigenvectors_too():
    values, vectors = _array.eigen(np.zeros((5, 5)))
    assert_array_equal(values, 0)
    assert_allclose(vectors.leading(5) @ vectors.leading(5).T, np.eye(5), atol=1e-15)


DECOMPOSITIONS = {
    "eigh": lambda parts: parts[1] * parts[0] @ parts[1].T,
    "svd": lambda parts: parts[0] * parts[1] @ parts[2],
    "eigvalsh": np.sum,
    "svdvals": lambda values: np.sum(np.abs(values)),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", DECOMPOSITIONS)
def test_decompositions_come_back_to_where_the_matrix_is(backend, name, dtype):
    matrix = (rows(6, 4).T @ rows(6, 4)).astype(dtype)
    like = backend.asarray(matrix)
    found = _array.decomposed(name, like)
    parts = found if isinstance(found, tuple) else (found,)
    assert all(_array.same_kind(part, like) and part.dtype == like.dtype for part in parts)
    on_host = [_array.to_numpy(part) for part in parts]
    back = DECOMPOSITIONS[name](on_host if len(on_host) > 1 else on_host[0])
    assert_allclose(back, matrix if np.ndim(back) else np.trace(matrix), rtol=1e-5)


@pytest.mark.parametrize(("d", "on_host"), [(512, True), (513, False)])
def test_small_matrices_of_an_accelerator_are_decomposed_on_the_host(monkeypatch, d, on_host):
    import array_api_strict as strict

    asked = []
    monkeypatch.setattr(strict.linalg, "eigvalsh", lambda matrix: asked.append(matrix) or matrix[0, :])
    _array.decomposed("eigvalsh", strict.eye(d, device=strict.Device("device1")))
    _array.decomposed("eigvalsh", strict.eye(2, device=strict.Device("CPU_DEVICE")))
    assert len(asked) == 2 - on_host


def test_a_matrix_whose_gradient_is_wanted_is_decomposed_where_it_is(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(_array, "is_on_host", lambda x: False)
    x = torch.asarray(rows(3, 3), requires_grad=True)
    (gradient,) = torch.autograd.grad(_array.decomposed("svdvals", x).sum(), x)
    u, _, vt = np.linalg.svd(rows(3, 3))
    assert_allclose(gradient.numpy(), u @ vt)
    assert not _array.decomposed("svdvals", x.detach()).requires_grad
