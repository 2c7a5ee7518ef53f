"""Named arrays in one file, without pickles and never half-written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from skgeom._whole_file import whole_file

_VERSION = 1
_KIND = "skgeom_summary"


def write_arrays(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays by their names."""
    named: dict[str, Any] = {_KIND: np.array(_VERSION), **arrays}
    with whole_file(path) as file:
        np.savez(file, **named)


def read_arrays(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Return the arrays in a file written by `write_arrays`.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is not such a file, is cut off, or has a later format.
    """
    with open(path, "rb") as file:
        try:
            with np.load(file, allow_pickle=False) as found:
                arrays = {name: found[name] for name in found.files}
            version = int(arrays.pop(_KIND))
        except Exception as error:  # the exceptions of NumPy and zipfile for other bytes are not documented
            raise incomplete(path) from error
    if version > _VERSION:
        raise ValueError(
            f"The summary in {str(path)!r} has format {version}, and this version of skgeom knows formats up to "
            f"{_VERSION}: update skgeom."
        )
    return arrays


def incomplete(path: str | os.PathLike[str]) -> ValueError:
    """Return the error for a file that is not a summary, or a part of one."""
    return ValueError(
        f"The file {str(path)!r} is not a complete summary: it is cut off, or was not written by the method save of "
        "one. Write it again."
    )
