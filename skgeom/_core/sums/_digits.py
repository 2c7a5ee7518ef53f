"""The rounding of numbers, by the numbers themselves and not by the dtype of their array."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import frexp, inf
from typing import Any, NamedTuple

import numpy as np

from skgeom._array import epsilon, is_on_host, namespace, peak, row_blocks, take_rows, to_numpy
from skgeom._typing import Array

HALF_DIGITS = (8, 11)
"""Significant binary digits of the half precisions."""

SINGLE_DIGITS = 24

_DOUBLE_DIGITS = 53

_SAMPLE_ROWS = 4


class Digits(NamedTuple):
    """Evidence of the rounding of numbers; that of a union follows from those of the parts.

    Attributes
    ----------
    significant : int
        Binary digits of the narrowest floating format that represents all numbers.
    largest : float
        The largest magnitude.
    grid : float
        Exponent of the largest power of two of which all are multiples; -inf, and unused, if it is finer than 11 digits
        of the largest.
    """

    significant: int
    largest: float
    grid: float

    @property
    def spacing(self) -> float:
        """The relative spacing of the narrowest floating format that represents all numbers.

        Numbers on a grid, such as counts, are exact and do not indicate rounding: they count as float32, never as
        halves. So do halves that are all between two neighbouring powers of two.
        """
        on_a_grid = self.significant in HALF_DIGITS and self.grid >= frexp(self.largest)[1] - self.significant
        return 2.0 ** (1 - (SINGLE_DIGITS if on_a_grid else self.significant))

    def merge(self, *others: Digits) -> Digits:
        """Return the evidence for a union."""
        significant, largest, grid = zip(self, *others, strict=True)
        return Digits(max(significant), max(largest), min(grid))

    def without(self, part: Digits, rest: Sequence[Digits] = ()) -> Digits:
        """Return the same: the rest was rounded like the whole."""
        return self


def digits_of(x: Array) -> Digits:
    """Return the evidence of the rounding of the entries of x."""
    few = to_numpy(x[:: -(-x.shape[0] // _SAMPLE_ROWS), :])
    for digits in HALF_DIGITS:
        if _have_digits(x, few, digits):
            return Digits(digits, *_grid_of(x, few))
    is_single = epsilon(x) >= 2.0 ** (1 - SINGLE_DIGITS) or _have_digits(x, few, SINGLE_DIGITS)
    return Digits(SINGLE_DIGITS if is_single else _DOUBLE_DIGITS, 0.0, -inf)


def part_of_digits(x: Array, index: np.ndarray | None) -> Digits:
    """Return the evidence of the rounding of the rows at some positions, or of all."""
    return digits_of(x if index is None else take_rows(x, index))


def precision(x: Array) -> float:
    """Return the relative spacing of the narrowest floating format that represents all entries of x."""
    return digits_of(x).spacing


def digits_of_dtype(x: Array) -> Digits:
    """Return the digits of the dtype of x."""
    return Digits(SINGLE_DIGITS if epsilon(x) >= 2.0 ** (1 - SINGLE_DIGITS) else _DOUBLE_DIGITS, 0.0, -inf)


def _all_rows(x: Array, few: np.ndarray, holds: Callable[[Any], Any]) -> bool:
    """Return whether a condition is true for all entries; for most data a few rows, on the host, refute it."""
    xp = namespace(x)
    if not np.all(holds(few)):
        return False
    blocks = (xp.all(holds(x[rows, :])) for rows in row_blocks(x))
    return all(map(bool, blocks)) if is_on_host(x) else bool(xp.all(xp.stack(list(blocks))))


def _have_digits(x: Array, few: np.ndarray, digits: int) -> bool:
    """Return whether all entries have at most some significant binary digits (by the splitting of Veltkamp 1968)."""
    factor = 2.0 ** (1 - digits) / epsilon(x) + 1
    return _all_rows(x, few, lambda rows: rows * factor - (rows * factor - rows) == rows)


def _grid_of(x: Array, few: np.ndarray) -> tuple[float, float]:
    """Return the largest magnitude in x, and the exponent of the coarsest grid that contains its entries."""
    if not np.all(_are_multiples(few, _finest_grid(float(np.max(np.abs(few)))))):
        return 0.0, -inf  # that of all rows is at least as coarse
    largest = peak(x)
    if not largest:
        return 0.0, inf
    finest, top = _finest_grid(largest), frexp(largest)[1]

    def is_on(exponent: int) -> bool:
        return _all_rows(x, few, lambda rows: _are_multiples(rows, exponent))

    if not is_on(finest):
        return largest, -inf
    return largest, next((e - 1 for e in range(finest + 1, top) if not is_on(e)), top - 1)


def _finest_grid(largest: float) -> int:
    """Return the exponent of the finest grid that counts, given the largest magnitude."""
    return frexp(largest)[1] - max(HALF_DIGITS)


def _are_multiples(x: Any, exponent: int) -> Any:
    """Return whether entries are multiples of a power of two."""
    return x / 2.0**exponent == namespace(x).floor(x / 2.0**exponent)
