"""Measures of a space while it changes: exact ones, or those of a fresh sample at each record."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache, partial
from math import nan, sqrt
from typing import Any, NamedTuple

import numpy as np

from skgeom._array import as_data, copied, detached, is_foreign, namespace, take_rows, to_float
from skgeom._cloud import Cloud
from skgeom._core._labels import Labels, labels_of, unsorted
from skgeom._typing import Array
from skgeom._validation import check_directed, check_labels
from skgeom._warnings import warn
from skgeom.metrics._measure import MEASURES, Measure
from skgeom.optim._checks import check_named, check_no_y_of_pairs, check_number

MONITORS = {name: row for name, row in MEASURES.items() if row.needs in ("cloud", "labels")}
"""The measures of rows, and of rows and their labels, by name."""

_N_BLOCKS = 20
"""Number of blocks of a sample: their values spread by its square root times the error of the sample."""

_ALWAYS = ("iteration", "loss")
"""Names of the columns that every history has."""

_ERROR = "_se"
"""The suffix of the column with the standard errors of a measure."""


def chosen(monitor: Any) -> list[Any]:
    """Return the requested names and functions.

    Raises
    ------
    TypeError
        If one is neither a name nor a callable.
    ValueError
        If a name is unknown, or occurs twice.
    """
    return check_named(() if monitor is None else monitor, MONITORS, "monitor")


def column_names(monitor: Any, size: int | None) -> list[str]:
    """Return the names of all columns that monitors may fill, those of the standard errors of samples too."""
    asked = chosen(monitor)
    errors = _error_names(asked, size)
    return [*unique_names(asked, (*_ALWAYS, *errors)), *errors]


class Draw(NamedTuple):
    """Positions of rows, and of labelled items where these are pairs; None stands for all."""

    rows: np.ndarray | None = None
    items: np.ndarray | None = None


class View(NamedTuple):
    """The input of monitors: rows, the rows that have labels with these, and y as it was passed."""

    cloud: Cloud
    labelled: Cloud
    labels: Labels | None
    y: Any


class Monitors:
    """Measures by name, and functions of the rows, computed together so that they share summaries.

    Measures of labelled rows see the concatenated rows of the pairs, where there are pairs, and all others the rows:
    all of them, or of each record a sample of some size, drawn by a seed and the iteration alone.
    """

    def __init__(
        self, monitor: Any, clusters: np.ndarray | None, pairs: Any, y: Any, n: int, size: int | None, seed: int
    ) -> None:
        kept = [one for one in chosen(monitor) if clusters is not None or not _needs_labels(one)]
        self.errors = _error_names(kept, size)
        self.names = unique_names(kept, (*_ALWAYS, *self.errors))
        self._size = size
        self._seed = seed
        self._n_rows = n
        self._n_items = n if pairs is None else pairs.shape[0]
        self._monitors = [self._asked(one) if isinstance(one, str) else one for one in kept]
        self._clusters = clusters if any(map(_needs_labels, kept)) else None
        self._labels = None
        if self._clusters is not None:
            self._labels = check_labels(self._clusters, self._n_items, name="clusters in y")
        self._pairs = pairs
        self._y = y
        self._failed: set[str] = set()
        if self._is_sampled(self._n_rows):
            given = zip(self.names, kept, strict=True)
            check_no_y_of_pairs(pairs, [name for name, one in given if _is_function_of_y(one)])

    def check_rows(self, x: Array) -> None:
        """Check that all rows have a direction if a measure needs it."""
        if any(isinstance(one, Measure) and "row scaling" in one.invariances for one in self._monitors):
            check_directed(x)

    def __call__(
        self, rows: Callable[[np.ndarray | None], Array], iteration: int, *, forgiving: bool = False
    ) -> tuple[list[float], list[float]]:
        """Return the value of each monitor, and of each measure of a sample its standard error.

        A function makes the rows at some positions, or all. If forgiving, a monitor that fails, or whose rows cannot be
        computed, is NaN, with one warning.
        """
        draw = self._draw(iteration)
        view = cache(lambda: self._view(rows, draw))
        blocks = cache(lambda: self._blocks(view()))
        value = self._value_or_nan if forgiving else self._value
        values = [value(i, view) for i in range(len(self._monitors))]
        given = zip(self._monitors, values, strict=True)
        errors = [self._error(one, found, blocks) for one, found in given if self.errors and isinstance(one, Measure)]
        return values, errors

    def _asked(self, name: str) -> Measure:
        """Return a measure by name; of a sample the form that does not fall with the number of rows, if it has one."""
        row = MONITORS[name]
        debiased = self._is_sampled(self._n(row)) and "debias" in row.settings
        return replace(row, options={**row.options, "debias": True}) if debiased else row

    def _n(self, row: Measure) -> int:
        """Return how many rows a measure would see without samples."""
        return self._n_items if row.needs == "labels" else self._n_rows

    def _is_sampled(self, n: int) -> bool:
        return self._size is not None and self._size < n

    def _draw(self, iteration: int) -> Draw:
        """Return positions in random order: those of an iteration are the same after a checkpoint too."""
        generator = np.random.default_rng([self._seed, iteration])
        rows = self._positions(self._n_rows, generator)
        return Draw(rows, rows if self._pairs is None else self._positions(self._n_items, generator))

    def _positions(self, n: int, generator: np.random.Generator) -> np.ndarray | None:
        return generator.choice(n, self._size, replace=False) if self._is_sampled(n) else None

    def _view(self, rows: Callable[[np.ndarray | None], Array], draw: Draw) -> View:
        z = detached(rows(draw.rows))
        y = self._y if draw.rows is None else self._y_of(draw.rows)
        cloud = Cloud(z)
        if self._clusters is None:
            return View(cloud, cloud, None, y)
        labels = self._labels if draw.items is None else _sorted(self._clusters[draw.items])
        if self._pairs is None:
            return View(cloud, cloud, labels, y)
        if draw.items is None:
            sides = [take_rows(z if draw.rows is None else detached(rows(None)), side) for side in self._pairs.T]
        else:
            sides = [detached(rows(side)) for side in self._pairs[draw.items].T]
        return View(cloud, Cloud(namespace(z).concat(sides, axis=1)), labels, y)

    def _y_of(self, index: np.ndarray) -> Any:
        """Return y of a sample of rows, or None if it belongs to pairs."""
        if self._y is None or self._pairs is not None:
            return None
        return take_rows(self._y, index) if is_foreign(self._y) else np.asarray(self._y)[index]

    def _blocks(self, view: View) -> list[View]:
        """Return the parts of a sample from which its standard errors come."""
        z, joint = view.cloud.X, view.labelled.X
        codes = None if view.labels is None else unsorted(view.labels.codes, view.labels)
        parts = []
        for i in range(_N_BLOCKS):
            cloud = Cloud(_part(z, i))
            labelled = cloud if joint is z else Cloud(_part(joint, i))
            parts.append(View(cloud, labelled, None if codes is None else _sorted(_part(codes, i)), None))
        return parts

    def _value_or_nan(self, i: int, view: Callable[[], View]) -> float:
        try:
            return self._value(i, view)
        except Exception as error:
            name = self.names[i]
            if name not in self._failed:
                self._failed.add(name)
                warn(
                    f"The monitor {name!r} failed ({type(error).__name__}: {error}). NaN is recorded instead, "
                    "and the fit continues.",
                    RuntimeWarning,
                )
            return nan

    def _value(self, i: int, view: Callable[[], View]) -> float:
        seen = view()
        monitor = self._monitors[i]
        if isinstance(monitor, Measure):
            return _measured(monitor, seen)
        x = copied(as_data(seen.cloud.X))  # a function that writes into its rows would move those of the fit
        return check_number(monitor(x, y=seen.y) if takes_y(monitor) else monitor(x), f"The monitor {self.names[i]!r}")

    def _error(self, row: Measure, value: float, blocks: Callable[[], list[View]]) -> float:
        """Return the standard error of a measure of a sample.

        It is NaN where a block is too small for the measure or a value is infinite, and if blocks differ more from the
        sample than from each other: the measure then depends on the number of rows, and a sample cannot estimate it for
        all of them.
        """
        n = self._n(row)
        if not self._is_sampled(n):
            return 0.0
        assert self._size is not None
        try:
            values = [_measured(row, block) for block in blocks()]
        except Exception:
            return nan
        if not np.isfinite([value, *values]).all():
            return nan
        deviation = float(np.std(values, ddof=1))
        if not abs(np.mean(values) - value) <= 2 * deviation:
            return nan
        return sqrt((1 - self._size / n) / _N_BLOCKS) * deviation


def unique_names(given: Iterable[Any], taken: Iterable[str]) -> list[str]:
    """Return the names of measures and functions, numbered if one occurs again or is taken."""
    names: list[str] = []
    for one in given:
        name = one if isinstance(one, str) else _name_of(one)
        used = {*taken, *names}
        free = (f"{name}_{i}" for i in range(2, len(used) + 3))
        names.append(name if name not in used else next(other for other in free if other not in used))
    return names


def takes_y(function: Callable[..., Any]) -> bool:
    """Return whether a function has a parameter y; one written in C, such as torch.mean, may not tell and has none."""
    try:
        return "y" in inspect.signature(function).parameters
    except ValueError:
        return False


def _error_names(monitors: Iterable[Any], size: int | None) -> list[str]:
    """Return the names of the columns of standard errors, one for each measure by name of samples of some size."""
    return [f"{one}{_ERROR}" for one in monitors if size is not None and isinstance(one, str)]


def _name_of(function: Any) -> str:
    if isinstance(function, partial):
        return _name_of(function.func)
    return getattr(function, "__name__", type(function).__name__)


def _needs_labels(monitor: Any) -> bool:
    return isinstance(monitor, str) and MONITORS[monitor].needs == "labels"


def _is_function_of_y(monitor: Any) -> bool:
    return not isinstance(monitor, str) and takes_y(monitor)


def _sorted(clusters: np.ndarray) -> Labels:
    """Return the labels of a sample, which may have one class only: measures then raise."""
    return labels_of(np.unique(clusters, return_inverse=True)[1])


def _measured(row: Measure, view: View) -> float:
    """Return a measure of its rows."""
    rows = view.labelled if row.needs == "labels" else view.cloud
    same_draws = {"random_state": 0} if row.is_random else {}
    return to_float(row(rows, *row.besides(labels=view.labels), **same_draws))


def _part(x: Any, i: int) -> Any:
    """Return one of the blocks of equal size that the rows fall into, or of sizes that differ by one."""
    start, stop = (x.shape[0] * j // _N_BLOCKS for j in (i, i + 1))
    return x[start:stop, ...]
