"""Checks of the numbers to draw."""

from __future__ import annotations

from typing import Any

import numpy as np

from skgeom._array import is_foreign, to_numpy


def check_table(values: Any, name: str, shape: tuple[int | None, ...], *, finite: bool = True) -> np.ndarray:
    """Return numbers as a float64 array of the given shape, in which None stands for any length but 0.

    Raises
    ------
    TypeError
        If the values are not numbers.
    ValueError
        If a number is not finite (with `finite`), or the shape differs.
    """
    found = np.asarray(to_numpy(values) if is_foreign(values) else values)
    if found.dtype.kind not in "iufb":
        raise TypeError(f"{name} must hold numbers, got dtype {found.dtype}.")
    if found.ndim != len(shape) or any(want not in (n, None) for n, want in zip(found.shape, shape, strict=True)):
        expected = ", ".join("n" if n is None else str(n) for n in shape)
        raise ValueError(f"{name} must have shape ({expected}), got {found.shape}.")
    if not found.size:
        raise ValueError(f"{name} is empty: pass at least one number.")
    if finite and not np.isfinite(found).all():
        raise ValueError(f"{name} holds NaN or infinity, which cannot be drawn: drop them.")
    return found.astype(np.float64)
