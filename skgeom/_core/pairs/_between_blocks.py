"""Sums over the pairs of rows of each two blocks, from one pass: those without any one block follow from them.

Rows come block after block, with sorted codes, so a tile meets few blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from skgeom._array import asarray_like, float64, namespace, on_host, take_rows
from skgeom._core._threads import in_threads
from skgeom._typing import Array


def in_block_order(codes: np.ndarray, *arrays: Array) -> tuple[Any, ...]:
    """Return the codes of the blocks (n,), sorted, and the rows of arrays in their order."""
    order = np.argsort(codes, kind="stable")
    return codes[order], *(take_rows(array, order) for array in arrays)


def sums_between(
    codes: np.ndarray,
    slices: Sequence[slice],
    like: Array,
    tiles: Callable[[int], Iterable[tuple[int, Sequence[Array]]]],
    *,
    mirrored: bool,
) -> np.ndarray:
    """Return the sums (m, b, b) of the entries of tiles by the blocks of their rows and of their columns.

    The codes (n,) of the blocks are sorted and on the host. `tiles` yields, for a panel of rows, that of the columns
    and m tiles, in the library of `like`. If mirrored, each tile off the diagonal counts for that across it too.
    """
    xp = namespace(like)
    ranges = [slice(codes[panel.start], codes[panel.stop - 1] + 1) for panel in slices]
    members = [
        asarray_like(codes[panel] == np.arange(own.start, own.stop)[:, None], like, dtype=like.dtype)
        for panel, own in zip(slices, ranges, strict=True)
    ]

    def summed(i: int, j: int, tile: Array) -> Array:
        by_columns = xp.astype(tile, like.dtype, copy=False) @ members[j].T
        return float64(members[i]) @ float64(by_columns)

    def work(i: int) -> list[tuple[int, Array]]:
        with np.errstate(invalid="ignore"):
            return [(j, xp.stack([summed(i, j, part) for part in parts])) for j, parts in tiles(i)]

    places, found = zip(
        *(((i, j), part) for i, row in enumerate(in_threads(like, work, len(slices))) for j, part in row), strict=True
    )
    sums = np.zeros((found[0].shape[0], codes[-1] + 1, codes[-1] + 1))
    for (i, j), part in zip(places, on_host(*found), strict=True):
        sums[:, ranges[i], ranges[j]] += part
        if mirrored and i != j:
            sums[:, ranges[j], ranges[i]] += np.swapaxes(part, 1, 2)
    return sums


def without_each(sums: np.ndarray) -> np.ndarray:
    """Return the sums (..., b + 1) without the pairs that meet each block, and those of all, from (..., b, b)."""
    rest = _sums_of_others(sums)
    block = np.arange(sums.shape[-1])
    rest[..., block, block] = 0.0
    return rest.sum(axis=-2)


def rows_without(codes: np.ndarray) -> np.ndarray:
    """Return the number of rows outside each block, and of all rows (b + 1,)."""
    return codes.size - np.append(np.bincount(codes), 0)


def means_without(codes: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the mean of one value per row outside each block, and of all (b + 1,)."""
    return _sums_of_others(np.bincount(codes, values)) / rows_without(codes)


def _sums_of_others(sums: np.ndarray) -> np.ndarray:
    """Return the sums of all but each of the last axis, and of all (..., b + 1): added up, since differences cancel."""
    none = np.zeros_like(sums[..., :1])
    before = np.concatenate([none, np.cumsum(sums, axis=-1)], axis=-1)
    after = np.flip(np.cumsum(np.flip(sums[..., 1:], axis=-1), axis=-1), axis=-1)
    return before + np.concatenate([after, none, none], axis=-1)
