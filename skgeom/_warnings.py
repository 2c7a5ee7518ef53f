"""Warnings that point at the caller's line, however deep in the library they arise."""

from __future__ import annotations

import sys
import warnings

_INNER = {"skgeom", "sklearn", "joblib"}
"""Packages whose frames are not the caller's: scikit-learn wraps `transform`, and calls `fit` in its searches."""


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Issue a warning at the first line up the stack that is neither in this library nor in scikit-learn."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _INNER:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
