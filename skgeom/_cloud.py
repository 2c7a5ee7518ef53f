"""Rows that many questions are asked of: what is computed for one of them is there for the next."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Cloud:
    """Rows that stand wherever X may stand, of which each check and each summary is computed once.

    All of `skgeom.metrics` takes one in place of X. It holds on to what it was asked for, and trusts the rows and the
    labels to stay as they are.
    """

    def __init__(self, X: Any) -> None:
        self.X = X
        self._known: dict[object, tuple[object, Any]] = {}

    def known(self, key: object, given: object, compute: Callable[[], R]) -> R:
        """Return what was computed under a key, or compute it; what the key was made of is kept alive with it."""
        if key not in self._known:
            self._known[key] = given, compute()
        return self._known[key][1]


def as_cloud(X: Any) -> Cloud:
    """Return rows as a cloud, unless they are one."""
    return X if isinstance(X, Cloud) else Cloud(X)


def rows_of(X: Any) -> Any:
    """Return the rows themselves."""
    return X.X if isinstance(X, Cloud) else X


def once_per_cloud(summary: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[Any, P], R]:
    """Make a function of rows one that is computed once for each `Cloud` and the same further arguments."""

    @wraps(summary)
    def of(X: Any, /, *args: P.args, **kwargs: P.kwargs) -> R:
        if not isinstance(X, Cloud):
            return summary(X, *args, **kwargs)
        key = (summary, tuple(map(_mark, args)), tuple((name, _mark(kwargs[name])) for name in sorted(kwargs)))
        return X.known(key, (args, kwargs), lambda: summary(X, *args, **kwargs))

    return of


def _mark(value: object) -> object:
    """Return what tells an argument from others: a plain value itself, an object its identity."""
    return value if isinstance(value, str | int | float | None) else id(value)
