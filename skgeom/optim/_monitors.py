"""Exact measures of a space while it changes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import cache, partial
from math import nan
from typing import Any

from skgeom._array import as_data, detached, namespace, take_rows, to_float
from skgeom._cloud import Cloud
from skgeom._core._labels import Labels
from skgeom._typing import Array
from skgeom._validation import check_directed
from skgeom._warnings import warn
from skgeom.metrics._measure import MEASURES, Measure
from skgeom.optim._checks import check_named

MONITORS = {name: row for name, row in MEASURES.items() if row.needs in ("cloud", "labels")}
"""The measures of rows, and of rows and their labels, by name."""


def chosen(monitor: Any) -> list[Any]:
    """Return the names and functions that are asked for.

    Raises
    ------
    TypeError
        If one is neither a name nor a callable.
    ValueError
        If a name is unknown, or one stands there twice.
    """
    return check_named(() if monitor is None else monitor, MONITORS, "monitor")


class Monitors:
    """Measures by name, and functions of the rows, computed together so that they share what they need.

    Measures of labelled rows see the concatenated rows of the pairs, where there are pairs, and all others the rows.
    """

    def __init__(self, monitor: Any, labels: Callable[[], Labels] | None, pairs: Any, y: Any) -> None:
        kept = [one for one in chosen(monitor) if labels is not None or not _needs_labels(one)]
        self.names = unique_names(kept)
        self._monitors = [MONITORS[one] if isinstance(one, str) else one for one in kept]
        self._labels = labels() if labels is not None and any(map(_needs_labels, kept)) else None
        self._pairs = pairs
        self._y = y
        self._failed: set[str] = set()

    def check_rows(self, x: Array) -> None:
        """Check that all rows have a direction where one is measured."""
        if any(isinstance(one, Measure) and "row scaling" in one.invariances for one in self._monitors):
            check_directed(x)

    def __call__(self, rows: Callable[[], Array], *, forgiving: bool = False) -> list[float]:
        """Return the value of each monitor for the rows that a function makes, once.

        If forgiving, one that fails, itself or because the rows cannot be made, is NaN, with one warning.
        """
        clouds = cache(lambda: self._clouds(detached(rows())))
        value = self._value_or_nan if forgiving else self._value
        return [value(i, clouds) for i in range(len(self._monitors))]

    def _clouds(self, z: Array) -> tuple[Cloud, Cloud]:
        """Return what measures of rows see, and what measures of labelled rows do."""
        cloud = Cloud(z)
        apart = self._pairs is not None and self._labels is not None
        return cloud, Cloud(_joined(z, self._pairs)) if apart else cloud

    def _value_or_nan(self, i: int, clouds: Callable[[], tuple[Cloud, Cloud]]) -> float:
        try:
            return self._value(i, clouds)
        except Exception as error:
            name = self.names[i]
            if name not in self._failed:
                self._failed.add(name)
                warn(
                    f"The monitor {name!r} failed ({type(error).__name__}: {error}). NaN is recorded where it fails, "
                    "and the fit goes on.",
                    RuntimeWarning,
                )
            return nan

    def _value(self, i: int, clouds: Callable[[], tuple[Cloud, Cloud]]) -> float:
        cloud, labelled = clouds()
        monitor = self._monitors[i]
        if isinstance(monitor, Measure):
            rows = labelled if monitor.needs == "labels" else cloud
            same_draws = {"random_state": 0} if monitor.is_random else {}
            return to_float(monitor(rows, *monitor.besides(labels=self._labels), **same_draws))
        x = as_data(cloud.X)
        return float(monitor(x, y=self._y) if takes_y(monitor) else monitor(x))


def unique_names(given: Iterable[Any], taken: Iterable[str] = ("iteration", "loss")) -> list[str]:
    """Return the names of measures and functions, numbered where one comes again."""
    names: list[str] = []
    for one in given:
        name = one if isinstance(one, str) else _name_of(one)
        used = {*taken, *names}
        free = (f"{name}_{i}" for i in range(2, len(used) + 3))
        names.append(name if name not in used else next(other for other in free if other not in used))
    return names


def takes_y(function: Callable[..., Any]) -> bool:
    """Return whether a function has a parameter y."""
    return "y" in inspect.signature(function).parameters


def _name_of(function: Any) -> str:
    if isinstance(function, partial):
        return _name_of(function.func)
    return getattr(function, "__name__", type(function).__name__)


def _needs_labels(monitor: Any) -> bool:
    return isinstance(monitor, str) and MONITORS[monitor].needs == "labels"


def _joined(z: Array, pairs: Any) -> Array:
    return namespace(z).concat([take_rows(z, pairs[:, 0]), take_rows(z, pairs[:, 1])], axis=1)
