"""The rounding of numbers, by the numbers themselves and not by the dtype of their array."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import compress
from math import frexp, inf
from typing import Any, NamedTuple

import numpy as np

from skgeom._array import epsilon, is_on_host, namespace, numbers, on_host, peaks, row_blocks, take_rows
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


class _Sample(NamedTuple):
    """Rows x (n, d), and a few of them on the host, which refute most conditions on all entries."""

    x: Array
    few: np.ndarray


def digits_of(x: Array) -> Digits:
    """Return the evidence of the rounding of the entries of x."""
    return digits_of_each([x])[0]


def digits_of_each(clouds: Sequence[Array]) -> list[Digits]:
    """Return `digits_of` several clouds of one dtype: the host waits for an accelerator as often as for one."""
    few = on_host(*(x[:: -(-x.shape[0] // _SAMPLE_ROWS), :] for x in clouds))
    samples, spacing = list(map(_Sample, clouds, few)), epsilon(clouds[0])
    is_single = spacing >= 2.0 ** (1 - SINGLE_DIGITS)
    significant = [SINGLE_DIGITS if is_single else _DOUBLE_DIGITS] * len(clouds)
    open_ones = list(range(len(clouds)))
    for digits in HALF_DIGITS if is_single else (*HALF_DIGITS, SINGLE_DIGITS):
        have = _hold([samples[i] for i in open_ones], [partial(_have_digits, digits, spacing)] * len(open_ones))
        for i in compress(open_ones, have):
            significant[i] = digits
        open_ones = list(compress(open_ones, np.logical_not(have)))
    halves = [i for i, digits in enumerate(significant) if digits in HALF_DIGITS]
    grids = dict(zip(halves, _grids_of([samples[i] for i in halves]), strict=True))
    return [Digits(digits, *grids.get(i, (0.0, -inf))) for i, digits in enumerate(significant)]


def part_of_digits(x: Array, index: np.ndarray | None) -> Digits:
    """Return the evidence of the rounding of the rows at some positions, or of all."""
    return digits_of(x if index is None else take_rows(x, index))


def precision(x: Array) -> float:
    """Return the relative spacing of the narrowest floating format that represents all entries of x."""
    return digits_of(x).spacing


def digits_of_dtype(x: Array) -> Digits:
    """Return the digits of the dtype of x."""
    return Digits(SINGLE_DIGITS if epsilon(x) >= 2.0 ** (1 - SINGLE_DIGITS) else _DOUBLE_DIGITS, 0.0, -inf)


def _hold(samples: Sequence[_Sample], conditions: Sequence[Callable[[Any], Any]]) -> list[bool]:
    """Return whether the condition of each sample is true for all its entries: one wait for an accelerator, or none."""
    held = np.array([np.all(holds(few)) for (_, few), holds in zip(samples, conditions, strict=True)], dtype=bool)
    left = list(compress(zip(samples, conditions, strict=True), held))
    if left and is_on_host(samples[0].x):
        held[held] = [all(map(bool, _held_by_blocks(x, holds))) for (x, _), holds in left]
    elif left:
        blocks = [namespace(x).stack(list(_held_by_blocks(x, holds))) for (x, _), holds in left]
        held[held] = numbers([namespace(of_one).all(of_one) for of_one in blocks])
    return held.tolist()


def _held_by_blocks(x: Array, holds: Callable[[Any], Any]) -> Iterator[Array]:
    """Yield whether a condition is true for all entries of each block of rows."""
    return (namespace(x).all(holds(x[rows, :])) for rows in row_blocks(x))


def _have_digits(digits: int, spacing: float, x: Any) -> Any:
    """Return whether entries have at most some significant binary digits (by the splitting of Veltkamp 1968)."""
    factor = 2.0 ** (1 - digits) / spacing + 1
    return x * factor - (x * factor - x) == x


def _grids_of(samples: Sequence[_Sample]) -> list[tuple[float, float]]:
    """Return for each sample the largest magnitude, and the exponent of the coarsest grid that contains its entries.

    They are 0 and -inf, without a look at all rows, if the few show that the grid is too fine to count.
    """
    found = [(0.0, -inf)] * len(samples)
    coarse = [i for i, (_, few) in enumerate(samples) if np.all(_are_multiples(_finest_grid(np.max(np.abs(few))), few))]
    if not coarse:
        return found
    largest = dict(zip(coarse, peaks([samples[i].x for i in coarse]), strict=True))
    for i in coarse:
        found[i] = largest[i], -inf if largest[i] else inf
    exponents = {i: _finest_grid(largest[i]) for i in coarse if largest[i]}
    while exponents:
        on_grid = _hold([samples[i] for i in exponents], [partial(_are_multiples, e) for e in exponents.values()])
        exponents = dict(compress(exponents.items(), on_grid))
        for i, exponent in exponents.items():
            found[i] = largest[i], exponent
        exponents = {i: e + 1 for i, e in exponents.items() if e + 1 < frexp(largest[i])[1]}
    return found


def _finest_grid(largest: float) -> int:
    """Return the exponent of the finest grid that counts, given the largest magnitude."""
    return frexp(largest)[1] - max(HALF_DIGITS)


def _are_multiples(exponent: int, x: Any) -> Any:
    """Return whether entries are multiples of a power of two."""
    return x / 2.0**exponent == namespace(x).floor(x / 2.0**exponent)
