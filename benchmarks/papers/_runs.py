"""Results of long runs, kept in a folder, so that an experiment goes on where it was interrupted."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

Result: TypeAlias = Mapping[str, Any]


class Runs:
    """Results by name, each an .npz file of arrays; without a folder nothing is kept.

    A name says all that the result depends on: what is there under a name is not computed again.
    """

    def __init__(self, folder: str | None) -> None:
        self.folder = None if folder is None else Path(folder)
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)

    def has(self, name: str) -> bool:
        """Return whether a result is kept under a name."""
        return self.folder is not None and (self.folder / f"{name}.npz").exists()

    def result(self, name: str, compute: Callable[[], Result]) -> dict[str, np.ndarray]:
        """Return what is kept under a name, or compute and keep it."""
        path = None if self.folder is None else self.folder / f"{name}.npz"
        if path is not None and path.exists():
            print(f"{name}: done before", flush=True)
            with np.load(path) as stored:
                return dict(stored)
        print(f"{name}: begins", flush=True)
        found = {key: np.asarray(value) for key, value in compute().items()}
        if path is not None:
            write(path, found)
        return found


def write(path: Path, arrays: Result) -> None:
    """Write a file that is there as a whole or not at all."""
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(file, **arrays)
    os.replace(partial, path)


def add_runs_option(parser: Any) -> None:
    """Add the folder of the runs to a command line."""
    parser.add_argument(
        "--runs", metavar="DIR", help="keep each finished run in this folder, and go on there after an interruption"
    )
