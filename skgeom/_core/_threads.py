"""Work distributed over threads, each with one BLAS thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar, copy_context
from functools import cache
from typing import Any, TypeVar

import numpy as np
from threadpoolctl import ThreadpoolController

from skgeom._array import is_foreign, namespace, row_blocks, to_numpy
from skgeom._typing import Array

_SMALL = 1024
"""Rows and columns of a matrix up to which one thread decomposes it."""

_is_one_of_many: ContextVar[bool] = ContextVar("_is_one_of_many", default=False)

_R = TypeVar("_R")
_T = TypeVar("_T")


def in_threads(x: Array, work: Callable[[int], _R], n_tasks: int) -> list[_R]:
    """Return the results of tasks 0..n_tasks - 1, for host arrays computed in as many threads as BLAS has.

    Each thread gets one BLAS thread: two pools that alternate for every tile are slower than one alone, and BLAS
    threads that wait for each other waste time on a busy machine. A task has the context of the caller, such as NumPy's
    error state. An interrupt waits for the running tasks and drops the others.
    """
    workers = min(n_tasks, n_threads(x)) if n_tasks > 1 else 1
    if workers <= 1:
        return [work(task) for task in range(n_tasks)]
    with one_blas_thread(), ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(copy_context().run, work, task) for task in range(n_tasks)]
        try:
            return [future.result() for future in futures]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def map_rows(function: Callable[..., Array], *arrays: Array, columns: int = 0, out: np.ndarray | None = None) -> Array:
    """Apply a function to the rows of arrays, block by block, and return one array: a given NumPy array, or a new one.

    With NumPy the blocks are written in place: besides the result only one block per thread is in memory, never a copy.
    The given array may be the first of the inputs.
    """
    blocks = list(row_blocks(arrays[0], columns))

    def part(i: int) -> Array:
        return function(*(a[blocks[i], ...] for a in arrays))

    done = 0
    if out is None:
        first, done = part(0), 1
        if len(blocks) == 1:
            return first
        if not isinstance(first, np.ndarray):
            return namespace(first).concat([first, *map(part, range(1, len(blocks)))])
        out = np.empty((arrays[0].shape[0], *first.shape[1:]), dtype=first.dtype)
        out[blocks[0]] = first
    whole = out

    def write(i: int) -> None:
        whole[blocks[done + i]] = to_numpy(part(done + i))

    in_threads(arrays[0], write, len(blocks) - done)
    return whole


def write_rows(write: Callable[[np.ndarray, np.ndarray, np.ndarray], None], x: Any, out: np.ndarray) -> None:
    """Let a function write the rows of `out` for each block of x, with a scratch array of the shape of the block.

    Each thread has one: allocating arrays in several threads costs more than the computation in them.
    """
    blocks = list(row_blocks(x, out.shape[1]))
    rooms = [np.empty((blocks[0].stop, x.shape[1]), dtype=x.dtype) for _ in range(min(len(blocks), n_threads(x)))]

    def one(i: int) -> None:
        room = rooms.pop()
        write(x[blocks[i]], room[: blocks[i].stop - blocks[i].start], out[blocks[i]])
        rooms.append(room)

    in_threads(x, one, len(blocks))


def shares(x: Array, items: Sequence[_T]) -> list[Sequence[_T]]:
    """Return items in order, cut into one share per thread for x: for tasks that each keep a sum."""
    n = min(len(items), n_threads(x)) if len(items) > 1 else 1
    return [items[len(items) * i // n : len(items) * (i + 1) // n] for i in range(n)]


def n_threads(x: Array) -> int:
    """Return the number of threads for work on x: those of BLAS, and one for arrays of other libraries."""
    return 1 if is_foreign(x) or _is_one_of_many.get() else _blas_threads()


@contextmanager
def one_of_many() -> Iterator[None]:
    """Return a context in which this thread, one of several in parallel, does not start others.

    It does not change the limit of BLAS, which is global: overlapping limits of threads would outlive them.
    """
    token = _is_one_of_many.set(True)
    try:
        yield
    finally:
        _is_one_of_many.reset(token)


def one_blas_thread() -> AbstractContextManager[Any]:
    """Return a context in which BLAS has one thread, for a thread that starts others and waits for them."""
    return _blas().limit(limits=1)


def one_thread(matrix: Array) -> AbstractContextManager[None]:
    """Return a context in which BLAS decomposes a small matrix on the host with one thread.

    More threads would gain little, and lose much on a busy machine: they wait for each other at every step.
    """
    is_small = not is_foreign(matrix) and max(matrix.shape) <= _SMALL and not _is_one_of_many.get()
    return one_blas_thread() if is_small else nullcontext()


@cache
def _blas() -> ThreadpoolController:
    """Return the thread pools of BLAS, cached: finding them takes as long as some tiles."""
    return ThreadpoolController().select(user_api="blas")


def _blas_threads() -> int:
    return max((pool["num_threads"] for pool in _blas().info()), default=1)
