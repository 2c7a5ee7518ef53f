"""Rows from several blocks, collected in one array."""

from __future__ import annotations

import numpy as np


class Rows:
    """An array that is filled by blocks of rows, and grows in place if their number is unknown.

    Parameters
    ----------
    n : int or None
        The number of rows, if known.
    """

    def __init__(self, n: int | None = None) -> None:
        self._n = n
        self._array: np.ndarray | None = None
        self.size = 0

    @property
    def width(self) -> int | None:
        """The number of columns, from the first block on."""
        return None if self._array is None or self._array.ndim < 2 else self._array.shape[-1]

    def add(self, block: np.ndarray) -> None:
        """Append rows; integers become floats where floats follow, as missing values make them."""
        size = self.size + len(block)
        array = self._array
        if array is None:
            array = np.empty((max(size, self._n or 0), *block.shape[1:]), block.dtype)
        if len(array) < size:
            array.resize((max(size, len(array) + len(array) // 2), *array.shape[1:]), refcheck=False)
        array = array.astype(np.result_type(array, block), copy=False)
        array[self.size : size] = block
        self._array, self.size = array, size

    def array(self) -> np.ndarray:
        """Return the rows."""
        array = np.empty((0, 0)) if self._array is None else self._array
        if len(array) > self.size:
            array.resize((self.size, *array.shape[1:]), refcheck=False)
        return array
