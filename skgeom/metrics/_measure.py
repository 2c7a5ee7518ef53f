"""The row of a measure: the properties of its function, declared above it for everything that lists measures.

Scorers, monitors, objectives, the report, the common tests and the tables of the documentation use these rows alone. A
function with a row is a measure.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import wraps
from math import exp, inf, log, pi, sinh, sqrt
from typing import (
    Any,
    Concatenate,
    Literal,
    NotRequired,
    ParamSpec,
    Protocol,
    TypedDict,
    TypeVar,
    Unpack,
    cast,
    overload,
)

import numpy as np

from skgeom._array import (
    current,
    float64,
    in_full_precision,
    is_foreign,
    memory_errors,
    namespace,
    no_room,
    numbers,
    to_float,
    to_numpy,
)
from skgeom._cloud import Cloud
from skgeom._typing import Array, ForeignT, HostData
from skgeom._validation import check_device
from skgeom.metrics._checks import rows_to_send, sent, sent_in_parts

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T", covariant=True)

Needs = Literal["cloud", "labels", "partners", "start", "clouds"]
"""The data of a measure: rows; rows and labels; two paired clouds; rows and their start; two clouds."""

Estimand = Literal["population", "sample", "none"]
"""The target of an interval: the value of infinitely many rows; the mean over samples of the same size; no interval."""

RIGID = ("translation", "rotation", "scaling")
LINEAR = ("rotation", "scaling")
DIRECTIONS = ("rotation", "scaling", "row scaling")
"""Invariances that many measures share."""

_WORDS = {"pi": pi, "inf": inf, "exp": exp, "log": log, "sinh": sinh, "sqrt": sqrt, "min": min, "max": max}
"""Names that the text of a bound may use besides n, d and the options of the function."""


@dataclass(frozen=True)
class Measure:
    """One row: a measure with its data, better direction, bounds and invariances.

    `direction` is +1 if larger values are more isotropic, better separated or richer, -1 if smaller ones are, 0 if
    neither. `bounds` are formulas of n rows, d features and the options of the function. `infinite` describes the
    finite rows with an infinite value. `options` are fixed by a variant of a function. A measure `per_row` has one
    value per row, and counts as their mean. One `on_host` is computed there, wherever the rows are. `estimand` is the
    target of an interval. `without_blocks` returns the values without each of some blocks of rows, ``codes=``, and that
    of all rows (b + 1,) if this is less work than one by one, and otherwise None.
    """

    name: str
    function: Callable[..., Any]
    direction: int
    bounds: tuple[str, str]
    cost: str
    source: str
    needs: Needs = "cloud"
    invariances: tuple[str, ...] = ()
    infinite: str = ""
    per_row: bool = False
    differentiable: bool = True
    on_host: bool = False
    estimand: Estimand = "population"
    without_blocks: Callable[..., np.ndarray | None] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, X: Any, *others: Any, **options: Any) -> Any:
        """Return the value, a float or 0-d array: the mean if there is one per row."""
        values = self.function(X, *others, **{**self.options, **options})
        return as_it_came(mean_in_float64(values)) if self.per_row else values

    def besides(self, *, labels: Any = None, partners: Any = None, start: Any = None) -> tuple[Any, ...]:
        """Return the arguments of the function besides the rows, out of the available data."""
        match self.needs:
            case "cloud":
                return ()
            case "labels":
                return (labels,)
            case "start":
                return (start,)
        return (partners,)

    @property
    def settings(self) -> dict[str, Any]:
        """The options of the function, fixed or default, without the device."""
        parameters = inspect.signature(self.function).parameters.values()
        options = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY and p.name != "device"}
        return options | dict(self.options)

    @property
    def is_random(self) -> bool:
        """Whether it draws random numbers without a seed; with a choice of directions, only if these are random."""
        directions = self.settings.get("directions", "random")
        is_drawn = isinstance(directions, str) and directions == "random"
        return is_drawn and self.settings.get("random_state", 0) is None

    def range(self, n: float, d: int) -> tuple[float, float]:
        """Return the smallest and the largest value for n rows of d features; n may be infinite."""
        names = {**_WORDS, **self.settings, "n": n, "d": d}
        low, high = (float(eval(text, {"__builtins__": {}}, names)) for text in self.bounds)
        return low, high


MEASURES: dict[str, Measure] = {}
"""The rows by name: that of the function without ``_score`` or ``_index``."""


def mean_in_float64(values: Array) -> Array:
    """Return the mean of one value per row."""
    return namespace(values).mean(float64(values))


def as_one_number(value: Any) -> float:
    """Return a single value as a float, and values per row as their mean.

    Raises
    ------
    TypeError
        If the value is neither a number nor one number per row.
    """
    return to_float(_averaged(value))


def as_numbers(values: Sequence[Any]) -> np.ndarray:
    """Return `as_one_number` of several results of one measure (n,), which the host fetches at once."""
    if not is_foreign(values[0]):
        return np.array(list(map(as_one_number, values)))
    return numbers(list(map(_averaged, values)))


def _averaged(value: Any) -> Array:
    """Return a single value, or the mean of one value per row; a user's function may return these as a list."""
    found = value if is_foreign(value) else np.asarray(value)
    is_real = namespace(found).isdtype(found.dtype, ("bool", "integral", "real floating"))
    if isinstance(value, tuple) or not is_real or found.ndim > 1 or 0 in found.shape:
        came = f"{type(value).__name__} of shape {tuple(found.shape)}" if found.ndim else repr(value)
        raise TypeError(
            f"A measure returns a number, or one number per row, whose mean is taken, but this one returned {came}."
        )
    return mean_in_float64(found) if found.ndim else float64(found)


def as_it_came(value: Any) -> Any:
    """Return a NumPy number as a float, and an array of another library unchanged, with its gradient."""
    return value if is_foreign(value) else to_float(value)


class WithDevice(Protocol[P, T]):
    """A function of rows that takes the device of its computation too."""

    __name__: str

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T: ...
    @overload
    def __call__(self, *args: Any, device: str | None, **kwargs: Any) -> T: ...


class ScalarMeasure(Protocol[P]):
    """A measure in its public form: a float for NumPy arrays, lists and frames, otherwise an array of their library."""

    __name__: str

    @overload
    def __call__(self, X: HostData, *args: P.args, **kwargs: P.kwargs) -> float: ...
    @overload
    def __call__(self, X: ForeignT, *args: P.args, **kwargs: P.kwargs) -> ForeignT: ...
    @overload
    def __call__(self, X: Cloud, *args: P.args, **kwargs: P.kwargs) -> Any: ...
    @overload
    def __call__(self, X: HostData, *args: Any, device: str | None, **kwargs: Any) -> float: ...


class RowwiseMeasure(Protocol[P]):
    """A measure of each row in its public form: an array of the library of the rows."""

    __name__: str

    @overload
    def __call__(self, X: HostData, *args: P.args, **kwargs: P.kwargs) -> np.ndarray: ...
    @overload
    def __call__(self, X: ForeignT, *args: P.args, **kwargs: P.kwargs) -> ForeignT: ...
    @overload
    def __call__(self, X: Cloud, *args: P.args, **kwargs: P.kwargs) -> Any: ...
    @overload
    def __call__(self, X: HostData, *args: Any, device: str | None, **kwargs: Any) -> np.ndarray: ...


COMPARISONS: list[Measure] = []
"""The rows of functions of two spaces, only for `estimate`: they do not measure a single space."""


def comparison(
    bounds: tuple[str, str], without_blocks: Callable[..., np.ndarray | None]
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Write the row of a comparison of two representations of the same rows above its function."""

    def of(function: Callable[P, R]) -> Callable[P, R]:
        row = Measure(function.__name__, function, 0, bounds, "", "", "partners", estimand="sample")
        COMPARISONS.append(replace(row, without_blocks=without_blocks))
        return function

    return of


class Promises(TypedDict):
    """The declaration above a function: the row of its measure without the name and the function."""

    direction: Literal[-1, 0, 1]
    bounds: tuple[str, str]
    cost: str
    source: str
    needs: NotRequired[Needs]
    invariances: NotRequired[tuple[str, ...]]
    infinite: NotRequired[str]
    differentiable: NotRequired[bool]
    on_host: NotRequired[bool]
    estimand: NotRequired[Estimand]
    without_blocks: NotRequired[Callable[..., np.ndarray | None]]


def measure(
    *, variants: Mapping[str, Mapping[str, Any]] | None = None, **promises: Unpack[Promises]
) -> Callable[[Callable[Concatenate[Any, P], Array]], ScalarMeasure[P]]:
    """Write the row of a measure above its function, and those of its variants: other names for fixed options.

    The function returns a 0-d array; the measure returns it as a float for NumPy rows, and otherwise unchanged. Inside
    `torch.autocast` it computes as outside.
    """

    def of(function: Callable[Concatenate[Any, P], Array]) -> ScalarMeasure[P]:
        @wraps(function)
        def as_came(X: Any, *args: P.args, **kwargs: P.kwargs) -> Any:
            return as_it_came(function(X, *args, **kwargs))

        public = on_a_device(as_came)
        row = _written(public, promises)
        for name, options in (variants or {}).items():
            MEASURES[name] = replace(row, name=name, options=options)
        return cast("ScalarMeasure[P]", public)

    return of


def measure_per_row(
    **promises: Unpack[Promises],
) -> Callable[[Callable[Concatenate[Any, P], Array]], RowwiseMeasure[P]]:
    """Write the row of a measure with one value per row above its function."""

    def of(function: Callable[Concatenate[Any, P], Array]) -> RowwiseMeasure[P]:
        public = on_a_device(function)
        _written(public, promises, per_row=True)
        return cast("RowwiseMeasure[P]", public)

    return of


_DEVICE = """
device : {None, "cpu", "cuda", "cuda:<index>", "auto"}, default=None
    Device for rows on the host; the result returns to the host. None computes on the device of the rows.
"""


def on_a_device(function: Callable[P, R]) -> WithDevice[P, R]:
    """Return a function of rows with one more parameter, in its signature and its docstring: the device.

    All rows are moved there, and the result returns. If they do not fit, a function that is built on sums gets these
    from parts of the rows. Inside `torch.autocast` it computes as outside.
    """
    signature = inspect.signature(function)
    parameters = signature.parameters.values()
    sides = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY and p.name != "labels"]

    exact: Callable[..., R] = in_full_precision(function)

    @wraps(function)
    def public(*args: Any, device: str | None = None, **kwargs: Any) -> Any:
        if device is None:
            return exact(*args, **kwargs)
        check_device(device)
        given = signature.bind(*args, **kwargs).arguments
        given |= {name: rows_to_send(given[name], device, name) for name in sides if name in given}
        with current(device):
            for send in (sent, sent_in_parts):
                with suppress(*memory_errors()):
                    there = {name: send(given[name], device) for name in sides if name in given}
                    return _returned(exact(**given | there))
        raise no_room(device, "not even a part of the rows fits")

    last = inspect.Parameter("device", inspect.Parameter.KEYWORD_ONLY, default=None, annotation="str | None")
    public.__dict__["__signature__"] = signature.replace(parameters=[*parameters, last])
    if function.__doc__:
        public.__doc__ = inspect.cleandoc(function.__doc__).replace("\n\nReturns\n", f"{_DEVICE}\nReturns\n", 1)
    return cast("WithDevice[P, R]", public)


def _returned(result: Any) -> Any:
    """Return a result, which may be a named tuple, on the host."""
    if isinstance(result, tuple):
        return type(result)(*map(_returned, result))
    return (to_numpy(result) if result.ndim else to_float(result)) if is_foreign(result) else result


def _written(function: Callable[..., Any], promises: Promises, *, per_row: bool = False) -> Measure:
    """Add the row of a function to the table, and return it."""
    name = function.__name__.removesuffix("_score").removesuffix("_index")
    row = Measure(name, function, per_row=per_row, **promises)
    MEASURES[row.name] = row
    return row
