"""Work shared out between threads, each with one thread of BLAS."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from threadpoolctl import ThreadpoolController

from skgeom._array import is_foreign
from skgeom._typing import Array

_R = TypeVar("_R")


def in_threads(x: Array, work: Callable[[int], _R], n_tasks: int) -> list[_R]:
    """Return the results of tasks 0..n_tasks - 1, shared between as many threads as BLAS has, for host arrays.

    Each thread gets one thread of BLAS: two pools that take turns for every tile are slower than one alone. An
    interrupt waits for the tasks under way and drops the others.
    """
    workers = 1 if is_foreign(x) else min(n_tasks, _blas_threads())
    if workers == 1:
        return [work(task) for task in range(n_tasks)]
    with _blas().limit(limits=1), ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(work, task) for task in range(n_tasks)]
        try:
            return [future.result() for future in futures]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@cache
def _blas() -> ThreadpoolController:
    """Return the thread pools of BLAS: the search for them takes as long as some tiles."""
    return ThreadpoolController().select(user_api="blas")


def _blas_threads() -> int:
    return max((pool["num_threads"] for pool in _blas().info()), default=1)
