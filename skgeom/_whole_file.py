"""Files that are written completely, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from errno import EDQUOT, EFBIG, ENOSPC
from pathlib import Path
from threading import get_ident
from typing import BinaryIO

import numpy as np

_PARTIAL = ".partial"


@contextmanager
def replaced(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary name in the folder of a file; rename it when complete, remove it after an error.

    It is that of the process and the thread: if several write one file, it is that of the last to finish, as a whole.
    """
    path = Path(path)
    partial_file = path.with_name(f"{path.name}.{os.getpid()}.{get_ident()}{_PARTIAL}")
    try:
        yield partial_file
        partial_file.replace(path)
    finally:
        partial_file.unlink(missing_ok=True)


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file to write, which has its name once it is complete."""
    try:
        with replaced(path) as partial_file, partial_file.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno in (ENOSPC, EDQUOT, EFBIG) or str(error.filename).endswith(_PARTIAL):
            error.filename = str(path)  # errors of writing have no name
        raise


def write_rows(path: str | os.PathLike[str], blocks: Iterable[np.ndarray]) -> np.ndarray:
    """Write blocks of rows, at least one, into a .npy file, and return a memory map of it.

    Raises
    ------
    ValueError
        If the suffix is not .npy, there are no blocks, or they differ in dtype.
    """
    if Path(path).suffix != ".npy":
        raise ValueError(f"out must be an array, or a file whose name ends in .npy, got {str(path)!r}.")
    with whole_file(path) as file:
        n, dtype, width = 0, None, 0
        for block in blocks:
            if dtype is None:
                dtype, width = block.dtype, block.shape[1]
                _write_header(file, dtype, 0, width)
            if block.dtype != dtype:
                raise ValueError(
                    f"The rows from row {n:,} on are {block.dtype}, but those before are {dtype}: pass all blocks "
                    "in one dtype."
                )
            file.write(np.ascontiguousarray(block).data)
            n += len(block)
        if dtype is None:
            raise ValueError("X yields no blocks of rows: a minimum of 1 row is required.")
        file.seek(0)
        _write_header(file, dtype, n, width)
    return np.load(path, mmap_mode="r")


def _write_header(file: BinaryIO, dtype: np.dtype, n: int, width: int) -> None:
    """Write the header of a .npy file, in which NumPy leaves room for any number of rows."""
    entries = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (n, width)}
    np.lib.format.write_array_header_1_0(file, entries)
