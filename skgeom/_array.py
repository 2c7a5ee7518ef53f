"""The only file that knows array libraries.

All other code uses the array API standard through ``xp = namespace(x)``. Operations that the standard lacks are here,
once: as standard operations if possible, by capability (``hasattr``) if that pays, and by the name of a library only
for moving data between devices. No library but NumPy is imported before the user passes its arrays or requests a
device.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import cache, partial, wraps
from math import ceil, log2, prod
from os import PathLike
from threading import Lock
from typing import Any, NamedTuple, ParamSpec, TypeVar

import array_api_compat
import numpy as np
from scipy.linalg import blas, get_lapack_funcs, lapack
from scipy.special import ive

from skgeom._typing import Array, Device, Namespace

P = ParamSpec("P")
R = TypeVar("R")

HOST_BLOCK_BYTES = 3 << 19
"""Bytes per block on a CPU: large enough for an efficient matrix product, small enough to stay in cache."""

ACCELERATOR_BLOCK_BYTES = 1 << 28
"""The same on any other device, where starting an operation costs more than the memory."""

HOST_ENTRIES = 512 * 512
"""Entries of a matrix up to which the host decomposes it for an accelerator.

A decomposition is a chain of small steps, each with the overhead of a start on an accelerator, and libraries differ:
PyTorch issue 183806 reports a factor of 30 to 130 between two versions of Torch on CUDA. The matrix and its factors are
a few MB. The size is a guess until it is measured on a GPU: the best one depends on GPU, host and library.
"""

SAFE_EXPONENTS = {32: (-40, 50), 64: (-200, 230)}
"""Powers of two between which fourth powers and their sums neither overflow nor underflow, by width of float."""

SQUARES_SAFE = 480
"""Power of two up to which, or down to which, sums of squares stay within float64."""

_ROWS_PER_PRODUCT = 4096
"""Rows summed in one float32 product, as in a block of 192 columns on a host: rounding grows with their number."""

_TRIANGLE = 128
"""Columns up to which the product of rows with themselves is formed in one piece."""

_FEW_ROWS = 16
"""Rows whose squares are added to a matrix one by one."""

_REFLECTIONS_AT_ONCE = 64
"""LAPACK applies reflections in blocks of at most this size, with memory for one number per column and per other."""


_NUMPY = array_api_compat.array_namespace(np.empty(0))


def namespace(*arrays: Array) -> Namespace:
    """Return the array API namespace that the arrays share."""
    if len(arrays) == 1 and type(arrays[0]) is np.ndarray:
        return _NUMPY  # the result of array_namespace, whose checks take as long as some operations on a tile
    return array_api_compat.array_namespace(*arrays)


def device_of(x: Array) -> Device:
    """Return the device of the array."""
    return array_api_compat.device(x)


def is_dask(x: object) -> bool:
    """Return whether x is a Dask collection, which is computed only on request."""
    return hasattr(x, "__dask_graph__") and "dask" in sys.modules and sys.modules["dask"].is_dask_collection(x)


def is_stored(x: object) -> bool:
    """Return whether x is not rows but a reference to them: a path, or an object that reads them from a disk."""
    library = type(x).__module__.partition(".")[0]
    return (
        isinstance(x, str | PathLike)
        or library in ("h5py", "zarr")  # NumPy would silently read all of it
        or (library == "pyarrow" and not hasattr(x, "__array__"))
    )


def is_foreign(x: object) -> bool:
    """Return whether x is an array of a library other than NumPy, which never leaves its library and device.

    The caller is about to read x: NumPy would then silently compute a whole Dask collection.

    Raises
    ------
    TypeError
        If x is a Dask collection.
    """
    if is_dask(x):
        raise TypeError(
            "This needs all rows in one memory, but a Dask collection was passed. Pass X.compute(), or some of the "
            "rows, such as X[:10000].compute(). Measures that are built on sums, cloud_summary, and fit and transform "
            "of Whitening, AllButTheTop and the aligners accept Dask arrays."
        )
    return (
        array_api_compat.is_array_api_obj(x)
        and not array_api_compat.is_numpy_array(x)
        and not array_api_compat.is_lazy_array(x)
    )


def kind_of(x: Array) -> str:
    """Return the library and the device of an array in words, for messages."""
    return f"{namespace(x).__name__.removeprefix('array_api_compat.')} on {device_of(x)}"


def same_kind(x: Array, y: Array) -> bool:
    """Return whether two arrays belong to the same library and device."""
    return namespace(x) is namespace(y) and device_of(x) == device_of(y)


def is_sparse(x: Array) -> bool:
    """Return whether the array is sparse."""
    return array_api_compat.is_pydata_sparse_array(x) or str(getattr(x, "layout", "torch.strided")) != "torch.strided"


def is_real_floating(x: Array) -> bool:
    """Return whether the array holds real floating numbers."""
    return namespace(x).isdtype(x.dtype, "real floating")


def widen(x: Array) -> Array:
    """Return x in float32 or float64: halves become float32, booleans and integers float64."""
    xp = namespace(x)
    if is_real_floating(x):
        return xp.astype(x, xp.float32) if xp.finfo(x.dtype).bits < 32 else x
    return xp.astype(x, xp.float64)


def float64(x: Array) -> Array:
    """Return x in double precision, the precision of every accumulation."""
    xp = namespace(x)
    return xp.astype(x, xp.float64, copy=False)


def has_float64(x: Array) -> bool:
    """Return whether the library of x has double precision on its device: MPS has none, JAX disables it by default."""
    xp = namespace(x)
    try:
        return xp.empty(0, dtype=xp.float64, device=device_of(x)).dtype == xp.float64
    except (AttributeError, TypeError, ValueError):
        return False


def is_on_host(x: Array) -> bool:
    """Return whether the array is in the memory of the CPU."""
    return str(device_of(x)).endswith(("cpu", "CPU_DEVICE')"))


def bits_of(x: Any) -> Array:
    """Return the bits of floats as integers of the same width."""
    xp = namespace(x)
    width = f"int{xp.finfo(x.dtype).bits}"
    if hasattr(x, "view"):
        return x.view(getattr(xp, width))
    return asarray_like(to_numpy(x).view(width), x, dtype=getattr(xp, width))


def epsilon(x: Array) -> float:
    """Return the relative spacing of the numbers of x."""
    return float(namespace(x).finfo(x.dtype).eps)


def asarray_like(values: Any, like: Array, dtype: Any = None) -> Array:
    """Return host values as an array of the library, device and (unless told otherwise) dtype of another."""
    xp = namespace(like)
    return xp.asarray(values, dtype=like.dtype if dtype is None else dtype, device=device_of(like))


def take_rows(x: Array, index: Array) -> Array:
    """Return the rows, or entries, of x at positions.

    NumPy takes from an array in another order than that of C only after a copy of all of it. An index needs no copy,
    but in the order of C it takes up to seven times as long for narrow rows.
    """
    if isinstance(x, np.ndarray) and not x.flags.c_contiguous:
        return x[np.asarray(index, dtype=np.int64)]
    xp = namespace(x)
    return xp.take(x, asarray_like(index, x, dtype=xp.int64), axis=0)


def rows_at(x: Array, which: slice | np.ndarray, out: np.ndarray | None = None) -> Array:
    """Return consecutive rows of x, or those at positions, the latter in a scratch array if it has the dtype of x.

    The positions must be valid: NumPy does not check them when it writes into an array without a copy.
    """
    if isinstance(which, slice):
        return x[which, ...]
    if out is None or not isinstance(x, np.ndarray) or out.dtype != x.dtype:
        return take_rows(x, which)
    if not x.flags.c_contiguous:
        out[: which.size] = x[which]
        return out[: which.size]
    return np.take(x, which, axis=0, out=out[: which.size], mode="clip")


def to_numpy(x: Array) -> np.ndarray:
    """Copy an array of any library and device to the host, without gradient."""
    own: Any = x  # each library has its own method
    if type(own) is np.ndarray:
        return own
    if array_api_compat.is_torch_array(own):
        own = widen(own.detach()) if own.is_floating_point() else own.detach()
        return own.cpu().numpy()
    if array_api_compat.is_cupy_array(own):
        return own.get()
    if array_api_compat.is_array_api_strict_namespace(namespace(own)):
        own = own.to_device(namespace(own).__array_namespace_info__().default_device())
    return np.asarray(own)


def on_host(*arrays: Array) -> list[np.ndarray]:
    """Return arrays of one kind as NumPy arrays: the host waits for an accelerator once, not once for each."""
    if not arrays or is_on_host(arrays[0]):
        return [to_numpy(x) for x in arrays]
    xp = namespace(arrays[0])
    flat = to_numpy(xp.concat([xp.reshape(x, (-1,)) for x in arrays]))
    parts = np.split(flat, np.cumsum([prod(x.shape) for x in arrays])[:-1])
    return [part.reshape(x.shape) for part, x in zip(parts, arrays, strict=True)]


def entry_at(x: Any, position: Any) -> Array:
    """Return the entry of x (n,) at the position in a 0-d array, for which the host does not wait."""
    return x[position] if isinstance(x, np.ndarray) else namespace(x).take(x, position[None])[0]


def to_float(x: Array) -> float:
    """Return a 0-d array as a Python float, which ends differentiation."""
    return float(x.detach()) if hasattr(x, "detach") else float(x)


def wants_gradient(*arrays: Array) -> bool:
    """Return whether a derivative with respect to one of the arrays may be requested later."""
    if not any(getattr(x, "requires_grad", False) for x in arrays):
        return False
    import torch

    return torch.is_grad_enabled()


def in_full_precision(function: Callable[P, R]) -> Callable[P, R]:
    """Return a function that computes in the precision and on the device of its input, whatever the global settings.

    `torch.autocast` is off inside, and Torch multiplies float32 in float32, never in TF32. CuPy computes on the current
    device, not on that of its arrays: inside, the current device is that of the first array, or the `device` of an
    estimator. If there is nothing to change, the function is called directly.
    """

    @wraps(function)
    def exact(*args: P.args, **kwargs: P.kwargs) -> R:
        contexts = [*_torch_contexts(), *_on_device_of((*args, *kwargs.values()))]
        if not contexts:
            return function(*args, **kwargs)
        with ExitStack() as around:
            for context in contexts:
                around.enter_context(context)
            return function(*args, **kwargs)

    return exact


def _torch_contexts() -> list[Any]:
    torch = sys.modules.get("torch")
    if torch is None:
        return []
    kinds = [kind for kind in ("cpu", "cuda", "xpu") if torch.is_autocast_enabled(kind)]
    off = [torch.autocast(kind, enabled=False) for kind in kinds]
    return [*off, _FLOAT32_PRODUCTS] if _FLOAT32_PRODUCTS.users or _reduced_products(torch) else off


class _Float32Products:
    """A context in which Torch multiplies float32 in float32; it ends for the process with the last of several users.

    TF32 keeps 10 binary digits of each number. The error bounds of float32 searches for neighbours, ranks and variances
    assume the rounding of 24 digits.
    """

    def __init__(self) -> None:
        self.users = 0
        self._lock = Lock()
        self._before: list[tuple[Callable[[str], None], str]] = []

    def __enter__(self) -> None:
        with self._lock:
            self.users += 1
            if self.users > 1:
                return
            reduced = _reduced_products(sys.modules["torch"])
            self._before = [(tell, now) for tell, now, _ in reduced]
            for tell, _, full in reduced:
                tell(full)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.users -= 1
            if self.users == 0:
                for tell, before in self._before:
                    tell(before)


_FLOAT32_PRODUCTS = _Float32Products()


def _reduced_products(torch: Any) -> list[tuple[Callable[[str], None], str, str]]:
    """Return the settings by which Torch reduces the precision of float32 products: current and full values."""
    try:
        kinds = [torch.backends.cuda.matmul, torch.backends.mkldnn.matmul]
        found = [(kind, kind.fp32_precision) for kind in kinds]
    except AttributeError:  # before Torch 2.9
        now = torch.get_float32_matmul_precision()
        return [] if now == "highest" else [(torch.set_float32_matmul_precision, now, "highest")]
    return [
        (partial(setattr, kind, "fp32_precision"), now, "ieee") for kind, now in found if now not in ("none", "ieee")
    ]


def _on_device_of(values: Iterable[Any]) -> list[Any]:
    """Return the CuPy device, a context, of the first value, or list of values, that has or names one."""
    for value in values:
        where = getattr(value[0] if isinstance(value, list | tuple) and value else value, "device", None)
        if isinstance(where, str) and names_gpu(where) and (found := find_accelerator(where)):
            where = found[1]
        if _is_cupy_device(where):
            return [where]
    return []


def _is_cupy_device(where: object) -> bool:
    return isinstance(where, getattr(getattr(sys.modules.get("cupy"), "cuda", None), "Device", ()))


def detached(x: Array) -> Array:
    """Return x without gradient, in its own library."""
    return x.detach() if array_api_compat.is_torch_array(x) else x


def copied(x: Array) -> Array:
    """Return a copy of x with the same memory layout."""
    return namespace(x).asarray(x, copy=True)


def as_data(x: Array) -> Array:
    """Return x without gradient; a Torch tensor in host memory as a NumPy view, whose tiles threads can share.

    Only for work in `in_threads`, and for functions of the user: the thread pools of Torch and of NumPy's BLAS both
    wait for work in a busy loop, and would otherwise slow each other down.
    """
    x = detached(x)
    return x.numpy() if array_api_compat.is_torch_array(x) and x.device.type == "cpu" else x


def with_gradients(value: Array, sources: Sequence[Array], gradients: Sequence[Array]) -> Array:
    """Return a 0-d value of data as a function of the arrays behind the data, with the given gradients, if any.

    A reduction over all pairs thus needs no graph of its n x n steps. Second derivatives raise an error.
    """
    value = asarray_like(value, sources[0], dtype=namespace(sources[0]).float64)
    if not gradients:
        return value
    return _known_gradients().apply(value, len(sources), *sources, *map(asarray_like, gradients, sources))


@cache
def _known_gradients() -> Any:
    import torch

    class KnownGradients(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, value: torch.Tensor, n_sources: int, *arrays: torch.Tensor) -> torch.Tensor:
            ctx.save_for_backward(*arrays[n_sources:])
            return value.view_as(value)

        @staticmethod
        def backward(ctx: Any, outer: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
            _refuse_second_derivatives()
            gradients = ctx.saved_tensors
            return (None, None, *(outer.to(g.dtype) * g for g in gradients), *(None for _ in gradients))

    return KnownGradients


def with_first_derivatives(x: Array) -> Array:
    """Return an array whose graph is correct to first order; second derivatives raise an error."""
    return _only_first_derivatives().apply(x) if wants_gradient(x) else x


@cache
def _only_first_derivatives() -> Any:
    import torch

    class OnlyFirstDerivatives(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            return x.view_as(x)

        @staticmethod
        def backward(ctx: Any, outer: torch.Tensor) -> torch.Tensor:
            _refuse_second_derivatives()
            return outer

    return OnlyFirstDerivatives


def _refuse_second_derivatives() -> None:
    import torch

    if torch.is_grad_enabled():
        raise RuntimeError("This function has first derivatives only: do not pass create_graph=True.")


def names_gpu(device: Any) -> bool:
    """Return whether a device is "auto", "cuda" or "cuda:<index>"."""
    return isinstance(device, str) and re.fullmatch("auto|cuda(:[0-9]+)?", device) is not None


def find_accelerator(device: str) -> tuple[Namespace, Device] | None:
    """Return the library for a device that `names_gpu`: CuPy if it sees a GPU, else Torch, else None.

    CuPy can be imported without a GPU, so the driver is queried.
    """
    try:
        import cupy

        if cupy.cuda.is_available():
            where = cupy.cuda.Device(gpu_index(device, cupy.cuda.runtime.getDeviceCount(), "CuPy"))
            return array_api_compat.array_namespace(cupy.empty(0)), where
    except ImportError:
        pass
    try:
        import torch
    except ImportError:
        return None
    if not torch.cuda.is_available():
        return None
    where = torch.device("cuda", gpu_index(device, torch.cuda.device_count(), "Torch"))
    return array_api_compat.array_namespace(torch.empty(0)), where


def gpu_index(device: str, n_gpus: int, library: str) -> int:
    """Return the index of the GPU that a device names, or 0, among those that a library sees.

    Raises
    ------
    RuntimeError
        If this GPU does not exist.
    """
    index = int(device.partition(":")[2] or 0)
    if index >= n_gpus:
        known = '"cuda:0"' if n_gpus == 1 else f'"cuda:0" to "cuda:{n_gpus - 1}"'
        raise RuntimeError(
            f"device must name a GPU that {library} sees, {known}, got {device!r}: pass one of these, or check "
            "CUDA_VISIBLE_DEVICES."
        )
    return index


def place(x: Array, device: str | None) -> Array:
    """Move a host array to a device given by name: None and "cpu" keep it, "auto" moves it if there is a GPU.

    Raises
    ------
    RuntimeError
        If a GPU is requested and no installed library sees it.
    """
    found = accelerator(device)
    return x if found is None else _sent(x, *found)


def accelerator(device: str | None) -> tuple[Namespace, Device] | None:
    """Return the library for a device and the device itself, or None for the host; raise the errors of `place`."""
    if device is None or device == "cpu":
        return None
    found = find_accelerator(device)
    if found is None and device != "auto":
        raise no_gpu(device, "CuPy or Torch")
    return found


def _sent(x: Any, xp: Namespace, where: Device) -> Array:
    """Return a copy of a host array on an accelerator, made asynchronously.

    That needs a block of pinned memory. CuPy uses it by default, Torch on request; while the accelerator fetches a
    block, the host writes the next one.
    """
    is_torch = array_api_compat.is_torch_namespace(xp)
    if x.ndim == 0 or (x.nbytes <= ACCELERATOR_BLOCK_BYTES and not is_torch):
        return xp.asarray(x, device=where)
    there = xp.empty(x.shape, dtype=getattr(xp, x.dtype.name), device=where)
    step = max(1, ACCELERATOR_BLOCK_BYTES // max(1, x[:1].nbytes))
    for start in range(0, x.shape[0], step):
        block = x[start : start + step]
        rows = slice(start, start + block.shape[0])
        if is_torch:
            room = xp.empty(block.shape, dtype=there.dtype, pin_memory=where.type == "cuda")
            room.numpy()[...] = block
            there[rows].copy_(room, non_blocking=True)
        else:
            there[rows, ...] = xp.asarray(block, device=where)
    return there


def in_parts(work: Callable[..., R], device: str | None, *arrays: Any) -> Iterator[R]:
    """Yield the results of a function of the rows of host arrays on a device: of all, or of parts if memory is short.

    If the device has no room for a part, this and all later parts are halved. None marks a missing array.

    Raises
    ------
    MemoryError
        If the device has no room for a single row.
    """
    n = step = arrays[0].shape[0]
    start = 0
    while start < n:
        try:
            done = work(*(a if a is None else place(a[start : start + step, ...], device) for a in arrays))
        except memory_errors() as error:
            if step == 1:
                raise no_room(device, "not even one row fits") from error
            step //= 2
            continue  # after the exception, which holds the arrays of the part, is deleted
        yield done
        start += step


def memory_errors() -> tuple[type[Exception], ...]:
    """Return the out-of-memory exceptions of the libraries in use."""
    cuda = [getattr(sys.modules.get(name), "cuda", None) for name in ("torch", "cupy")]
    found = (getattr(where, "OutOfMemoryError", None) for where in (cuda[0], getattr(cuda[1], "memory", None)))
    return tuple(error for error in found if error is not None)


def no_room(device: str | None, why: str) -> MemoryError:
    """Return the error for rows that do not fit into the memory of a device."""
    return MemoryError(
        f"device={device!r} has too little free memory: {why}. Free some, pass fewer rows, or pass device=None, which "
        "computes on the host."
    )


def current(device: str | None) -> AbstractContextManager[Any]:
    """Return a context in which CuPy computes on the device to which `place` moves arrays, if that is one of CuPy."""
    found = accelerator(device)
    return found[1] if found and _is_cupy_device(found[1]) else nullcontext()


def no_gpu(device: str | None, libraries: str) -> RuntimeError:
    """Return the error for a requested GPU that is not visible to the libraries that could use it."""
    return RuntimeError(
        f"device={device!r} was requested, but no GPU is visible to {libraries}. Install a CUDA build of {libraries} "
        'on a machine with an NVIDIA driver, or pass device="auto" to fall back to the CPU.'
    )


def row_blocks(x: Array, columns: int = 0, n_blocks: int = 1, least: int = 1) -> Iterator[slice]:
    """Cut the rows of x, or rows of `columns` entries, into slices that fill blocks, of at least a minimum of rows."""
    n, d = x.shape
    row_bytes = max(d, columns, 1) * (namespace(x).finfo(x.dtype).bits // 8 if is_real_floating(x) else 8)
    step = max(least, n_blocks * (HOST_BLOCK_BYTES if is_on_host(x) else ACCELERATOR_BLOCK_BYTES) // row_bytes)
    return (slice(start, min(start + step, n)) for start in range(0, n, step))


def peak(x: Array) -> float:
    """Return max |x| (NaN where there is a NaN) without a temporary of the size of x."""
    return peaks([x])[0]


def peaks(arrays: Sequence[Array]) -> list[float]:
    """Return `peak` of several arrays of one kind, for which the host waits once."""
    ends = [[f(x[rows, :]) for rows in row_blocks(x) for f in (namespace(x).min, namespace(x).max)] for x in arrays]
    found = iter(np.abs(numbers([end for of_one in ends for end in of_one])))
    return [float(np.max([next(found) for _ in of_one])) for of_one in ends]


def numbers(values: Sequence[Array]) -> np.ndarray:
    """Return 0-d arrays of one kind as a NumPy array (n,): the host waits for an accelerator once, not n times."""
    if isinstance(values[0], np.generic | np.ndarray):
        return np.array(values)  # in a tenth of the time of stack
    return to_numpy(namespace(values[0]).stack(values))


def exponent_of(magnitude: float) -> int:
    """Return the exponent of the smallest power of two that is not below a magnitude, and 0 for 0."""
    return ceil(log2(magnitude)) if magnitude else 0


def excess_exponent(x: Array, largest: float) -> int:
    """Return the power of two by which the largest magnitude leaves the range of safe fourth powers."""
    low, high = SAFE_EXPONENTS[namespace(x).finfo(x.dtype).bits]
    exponent = exponent_of(largest)
    return max(0, exponent - high) + min(0, exponent - low)


def times_power_of_two(x: Array, exponent: int) -> Array:
    """Return x 2^exponent, exact unless it overflows or underflows."""
    half = exponent // 2
    return x * 2.0**half * 2.0 ** (exponent - half)


def scratch(like: Array, shape: tuple[int, ...]) -> np.ndarray | None:
    """Return a NumPy array for repeated results, or None for libraries that cannot write into one.

    New memory costs as much as the arithmetic on it: a third of the time of a pass over blocks.
    """
    return np.empty(shape, dtype=like.dtype) if array_api_compat.is_numpy_array(like) else None


def subtract(x: Any, y: Any, out: np.ndarray | None) -> Array:
    """Return x - y, written into the first rows of a scratch array if there is one."""
    return x - y if out is None else np.subtract(x, y, out=out[: x.shape[0], :])


def gram(x: Any, out: np.ndarray | None) -> Array:
    """Return xᵀ x, written into a scratch array if there is one.

    There, BLAS computes one triangle and NumPy copies it entry by entry: a tenth of the time for 1,000 rows. Halves of
    the columns leave it small triangles, and rectangles that are copied at once.
    """
    if out is None or x.shape[1] <= _TRIANGLE:
        return product_over_rows(x, x, out)
    half = x.shape[1] // 2
    left, right = x[:, :half], x[:, half:]
    gram(left, out[:half, :half])
    gram(right, out[half:, half:])
    out[:half, half:] = product_over_rows(right, left, out[half:, :half]).T
    return out


def product_over_rows(x: Any, y: Any, out: np.ndarray | None) -> Array:
    """Return xᵀ y, written into a scratch array if there is one.

    Without one, the blocks of an accelerator may have millions of rows: those in float32 are multiplied in pieces, all
    at once, and summed in float64.
    """
    if out is not None:
        return np.matmul(x.T, y, out=out)
    xp, step = namespace(x), max(_ROWS_PER_PRODUCT, x.shape[1], y.shape[1])  # products no larger than the rows
    whole = x.shape[0] - x.shape[0] % step
    if whole == 0 or x.dtype == xp.float64:
        return x.T @ y
    pieces = [xp.reshape(rows[:whole, :], (-1, step, rows.shape[1])) for rows in (x, y)]
    products = xp.permute_dims(pieces[0], (0, 2, 1)) @ pieces[1]
    return xp.sum(products, axis=0, dtype=xp.float64) + float64(x[whole:, :].T @ y[whole:, :])


def plus_squares(matrix: Any, rows: Any, sign: float) -> Array:
    """Return a symmetric float64 matrix plus sign · rowsᵀ rows, for a sign of 1 or -1; overwrite a NumPy matrix.

    Few rows are added one by one: their product with themselves, copied from one triangle to the other, would need a
    separate array and five times as long.
    """
    if isinstance(matrix, np.ndarray) and rows.shape[0] <= _FEW_ROWS:
        for row in rows:
            matrix = blas.dger(sign, row, row, a=matrix.T, overwrite_a=1).T
        return matrix
    matrix += sign * (rows.T @ rows)
    return matrix


class Eigenvectors(NamedTuple):
    """Eigenvectors of a symmetric matrix, in columns, by ascending eigenvalue: its own, or those of a tridiagonal form.

    In the latter case the reflectors, as packed by LAPACK, convert them to those of the matrix.
    """

    columns: Array
    reflectors: tuple[np.ndarray, np.ndarray] | None = None

    def leading(self, k: int) -> Array:
        """Return the eigenvectors of the k largest eigenvalues in rows (k, d), in descending order."""
        last = self.columns[:, self.columns.shape[1] - k :]
        return namespace(last).flip(last if self.reflectors is None else _reflected(last, *self.reflectors), axis=1).T


def eigen(matrix: Any) -> tuple[Array, Eigenvectors]:
    """Return the eigenvalues of a positive semi-definite matrix, ascending, and the eigenvectors.

    With NumPy, and a SciPy that has the routine, eigenvectors that are not used cost less. The matrix is divided by a
    power of two, since reflections square its entries.
    """
    if not isinstance(matrix, np.ndarray) or matrix.shape[0] < 3 or not hasattr(lapack, "dstevd"):
        values, vectors = decomposed("eigh", matrix)
        return values, Eigenvectors(vectors)
    unit = 2.0 ** exponent_of(abs(np.trace(matrix)))
    room = int(lapack.dsytrd_lwork(matrix.shape[0], lower=1)[0])
    packed, diagonal, beside, factors, _ = lapack.dsytrd((matrix / unit).T, lower=1, lwork=room, overwrite_a=1)
    values, columns, failed = lapack.dstevd(diagonal, beside, overwrite_d=1, overwrite_e=1)
    if failed:
        raise np.linalg.LinAlgError("Eigenvalues did not converge.")
    return values * unit, Eigenvectors(columns, (packed[1:, :-1], factors))


def _reflected(columns: Any, packed: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Return the product of columns with the reflections that made a matrix tridiagonal; these leave the first row."""
    room = _REFLECTIONS_AT_ONCE * (columns.shape[1] + _REFLECTIONS_AT_ONCE + 1)
    below, _, _ = lapack.dormqr("L", "N", packed, factors, columns[1:, :], room)
    return np.concatenate([columns[:1, :], below])


def decomposed(name: str, matrix: Any, **options: Any) -> Any:
    """Apply a function of `linalg`, such as eigh or svd, to a matrix: on the host if that is faster.

    The results return to the device of the matrix. If gradients are needed, the matrix never leaves it.
    """
    if wants_gradient(matrix) or not is_for_host(matrix, prod(matrix.shape)):
        return getattr(namespace(matrix).linalg, name)(matrix, **options)
    found = getattr(_NUMPY.linalg, name)(to_numpy(matrix), **options)
    if isinstance(found, tuple):
        return tuple(asarray_like(part, matrix) for part in found)
    return asarray_like(found, matrix)


def is_for_host(like: Array, n_entries: int) -> bool:
    """Return whether a matrix beside an array is on an accelerator, but so small that the host decomposes it faster."""
    return not is_on_host(like) and n_entries <= HOST_ENTRIES


def is_positive_definite(matrix: Any) -> bool:
    """Return whether a symmetric matrix has a Cholesky factor."""
    xp = namespace(matrix)
    if isinstance(matrix, np.ndarray):
        (factorise,) = get_lapack_funcs(("potrf",), (matrix,))  # half the time of NumPy's
        return factorise(matrix.T)[1] == 0
    if hasattr(xp.linalg, "cholesky_ex"):
        return int(xp.linalg.cholesky_ex(matrix).info) == 0
    try:
        factor = xp.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return False
    return bool(xp.isfinite(xp.sum(factor)))  # a device may report failure by NaN only


def matmul(x: Any, y: Any, out: np.ndarray | None) -> Array:
    """Return x y, written into the first rows and columns of a scratch array if there is one."""
    return x @ y if out is None else np.matmul(x, y, out=out[: x.shape[0], : y.shape[1]])


def vecdot(x: Any, y: Any) -> Array:
    """Return the product of each row of x with that of y: the sum of x y along the last axis.

    NumPy and Torch have a kernel for it; otherwise, as for CuPy, array-api-compat would form a tiny product per row.
    """
    if isinstance(x, np.ndarray):
        return np.vecdot(x, y)
    return namespace(x).vecdot(x, y) if array_api_compat.is_torch_array(x) else namespace(x).sum(x * y, axis=-1)


def side_by_side(parts: list[Array], room: np.ndarray | None) -> Array:
    """Return blocks of columns as one array: the scratch array that holds them, or a new one."""
    return namespace(parts[0]).concat(parts, axis=1) if room is None else room[:, : sum(p.shape[1] for p in parts)]


def overwrite(x: Array, mask: Any, value: float) -> Array:
    """Return x with a value where the mask is true; x itself changes in libraries that allow it."""
    if array_api_compat.is_numpy_array(x):
        x[mask] = value
        return x
    return where(mask, value, x)


def overwrite_diagonal(x: Array, value: float) -> Array:
    """Return a square x with a value on its diagonal; x itself changes in libraries that allow it."""
    if isinstance(x, np.ndarray):
        np.fill_diagonal(x, value)
        return x
    xp = namespace(x)
    return where(xp.eye(x.shape[0], dtype=x.dtype, device=device_of(x)) > 0, value, x)


def kth_largest(x: Array, k: int) -> Array:
    """Return the k-th largest entry of each row."""
    xp, place = namespace(x), x.shape[1] - k
    if hasattr(xp, "topk"):
        return xp.topk(x, k, dim=1).values[:, -1]
    return (xp.partition(x, place, axis=1) if hasattr(xp, "partition") else xp.sort(x, axis=1))[:, place]


def sqrt_in_place(x: Array) -> Array:
    """Return √x for x >= 0, with gradient 0 at 0; x itself is overwritten in libraries that allow it."""
    if isinstance(x, np.ndarray):
        return np.sqrt(x, out=x)
    positive = x > 0
    return where(positive, namespace(x).sqrt(where(positive, x, 1.0)), 0.0)


def add_rows(total: Array, rows: slice, values: Array) -> Array:
    """Return total with values added to a range of its rows; total itself changes in libraries that allow it."""
    if array_api_compat.is_numpy_array(total):
        total[rows] += values
        return total
    return namespace(total).concat([total[: rows.start, :], total[rows, :] + values, total[rows.stop :, :]])


def sum_at(position: Any, values: Any) -> Array:
    """Return the sums (n, d) of the rows of values (n, d) with the same position (n,), for NumPy and Torch."""
    if not array_api_compat.is_numpy_array(values):
        return values.new_zeros(values.shape).index_add(0, position, values)
    order = np.argsort(position)
    filled, starts = np.unique(position[order], return_index=True)
    sums = np.zeros_like(values)
    sums[filled] = np.add.reduceat(values[order], starts, axis=0)
    return sums


def logsumexp(x: Array, axis: int) -> Array:
    """Return log Σ exp(x) along an axis, without overflow."""
    xp = namespace(x)
    top = xp.max(x, axis=axis, keepdims=True)
    return xp.squeeze(top, axis=axis) + xp.log(xp.sum(xp.exp(x - top), axis=axis))


def where(condition: Array, x: Array | float, y: Array | float) -> Array:
    """Return x where the condition is true, else y; one may be a number, which the standard allows only since 2024."""
    xp = namespace(condition)
    like = x if hasattr(x, "dtype") else y
    x, y = (value if hasattr(value, "dtype") else xp.full_like(like, value) for value in (x, y))
    return xp.where(condition, x, y)


def put(x: Any, row: Any, column: Any, values: Array) -> Array:
    """Return x with the entries at some positions, in ascending order, replaced; x itself changes where allowed."""
    if array_api_compat.is_numpy_array(x):
        x[row, column] = values
        return x
    xp = namespace(x)
    if hasattr(x, "index_put"):
        return x.index_put((row, column), values)
    filled = row * x.shape[1] + column
    entries = xp.arange(x.shape[0] * x.shape[1], dtype=filled.dtype, device=device_of(x))
    source = xp.clip(xp.searchsorted(filled, entries), max=filled.shape[0] - 1)
    replaced = xp.where(xp.take(filled, source) == entries, xp.take(values, source), xp.reshape(x, (-1,)))
    return xp.reshape(replaced, x.shape)


def one_hot(codes: Array, k: int, like: Array) -> Array:
    """Return the (n, k) indicator matrix of integer codes, in the dtype of another array."""
    xp = namespace(like)
    classes = xp.arange(k, dtype=codes.dtype, device=device_of(like))
    return xp.astype(codes[:, None] == classes[None, :], like.dtype)


def ratio(numerator: Array, denominator: Array) -> Array:
    """Return numerator / denominator, and 0 where the denominator is 0."""
    nonzero = denominator != 0
    return where(nonzero, numerator / where(nonzero, denominator, 1.0), 0.0)


def scaled_bessel(order: float, x: float) -> float:
    """Return e^(-x) I_ν(x), with I the modified Bessel function of the first kind."""
    return float(ive(order, x))


def standard_normal(shape: tuple[int, ...], rng: Any, like: Array) -> Array:
    """Return float64 normal numbers on the device of an array, from a generator of NumPy (on the host) or Torch."""
    if is_torch_generator(rng):
        import torch

        drawn = torch.randn(shape, generator=rng, device=rng.device, dtype=torch.float64)
    else:
        drawn = rng.standard_normal(shape)
    return asarray_like(drawn, like, dtype=namespace(like).float64)


def random_integers(low: int, high: int, size: int, rng: Any, like: Array) -> Array:
    """Return integers from low to high - 1, drawn as in `standard_normal`."""
    if is_torch_generator(rng):
        import torch

        drawn = torch.randint(low, high, (size,), generator=rng, device=rng.device)
    else:
        drawn = (rng.integers if hasattr(rng, "integers") else rng.randint)(low, high, size)
    return asarray_like(drawn, like, dtype=namespace(like).int64)


def is_torch_generator(rng: Any) -> bool:
    """Return whether random numbers come from Torch."""
    return hasattr(rng, "initial_seed")
