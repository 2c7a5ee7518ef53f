"""Warnings that point at the caller's line, however deep in the library they arise."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_INNER = {"skgeom", "sklearn", "joblib"}
"""Packages whose frames are not the caller's: scikit-learn wraps `transform`, and calls `fit` in its searches."""


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Issue a warning at the first line up the stack that is neither in this library nor in scikit-learn."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _INNER:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


class _Filters:
    """The filters of warnings, which belong to the process: they come back with the last of several users.

    With a `catch_warnings` for each, one that began in the block of another thread and ended after it would bring back
    the filters of that block, for good.
    """

    def __init__(self) -> None:
        self._users = 0
        self._lock = Lock()
        self._before = warnings.catch_warnings()

    @contextmanager
    def silenced(self, message: str = "", category: type[Warning] = Warning) -> Iterator[None]:
        """Ignore warnings of a category whose text matches a pattern, in all threads."""
        with self._lock:
            if not self._users:
                self._before = warnings.catch_warnings()
                self._before.__enter__()
            self._users += 1
            warnings.filterwarnings("ignore", message, category)
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self._before.__exit__(None, None, None)


silenced = _Filters().silenced
