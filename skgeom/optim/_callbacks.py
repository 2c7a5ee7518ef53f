"""Callbacks of scikit-learn 1.9 and newer: progress bars, scores and early stopping after each update."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import Any, Self, TypeVar

try:
    from sklearn.callback import CallbackSupportMixin
    from sklearn.callback import with_callbacks as _with_callbacks
except ImportError:  # scikit-learn before 1.9 has none; estimators then have no `set_callbacks`
    CallbackSupportMixin = object
    _with_callbacks = None

_FitT = TypeVar("_FitT", bound=Callable[..., Any])


def with_callbacks(method: _FitT) -> _FitT:
    """Return a `fit` that sets up and closes callbacks, or the unchanged method if scikit-learn has none."""
    return method if _with_callbacks is None else _with_callbacks(method)


class WithUpdates(CallbackSupportMixin):
    """Base of estimators whose `fit` is a series of updates, each a task for callbacks."""

    def _updates(self, max_iter: int, X: Any, y: Any) -> Updates:
        """Open the task of the fit, once, at its start."""
        opens = hasattr(self, "_init_callback_context")
        return Updates(self, self._init_callback_context(max_subtasks=max_iter) if opens else None, X, y)


class Updates:
    """The tasks of one fit, as the context in which it runs; without callbacks it does nothing."""

    def __init__(self, estimator: Any, context: Any, X: Any, y: Any) -> None:
        self.estimator = estimator
        self.context = context
        self.data = {"X": X, "y": y}
        self._current: Any = None
        if context is not None:
            context.call_on_fit_task_begin(estimator=estimator, **self.data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close the task of the fit; if it failed, exceptions of callbacks do not hide the failure."""
        with suppress(Exception) if kind is not None else nullcontext():
            if self.context is not None:
                self.context.call_on_fit_task_end(estimator=self.estimator, reconstruction_attributes={}, **self.data)

    def begin(self) -> None:
        """Open the task of an update."""
        if self.context is not None:
            self._current = self.context.subcontext(task_name="update")
            self._current.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def end(self, attributes: Callable[[], dict[str, Any]]) -> bool:
        """Close the task of an update, and return whether a callback wants to stop.

        The function returns the current fitted attributes, for callbacks that request them.
        """
        if self.context is None:
            return False
        return self._current.call_on_fit_task_end(
            estimator=self.estimator, reconstruction_attributes=attributes, **self.data
        )
