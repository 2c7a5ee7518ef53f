"""The uncertainty of a value: the jackknife over blocks of rows."""

from __future__ import annotations

from heapq import heappop, heappush
from math import nan
from typing import NamedTuple

import numpy as np


class Jackknifed(NamedTuple):
    """A value less its bias, and its standard error."""

    corrected: float
    error: float


def jackknife(value: float, without: np.ndarray, sizes: np.ndarray) -> Jackknifed:
    """Return the jackknife from the value of all rows, and the values (b,) without each block of some sizes (b,).

    For blocks of different sizes by Busing, Meijer & van der Leeden (1999), doi:10.1023/A:1008800423698: with n rows, m
    in a block and h = n / m, the pseudo-values are p = h θ - (h - 1) θ₋, their mean weighted by 1 / h is the value less
    its bias, and the mean of (p - mean)² / (h - 1) its variance. For equal blocks this is the usual form. Both are NaN
    if a value is not finite.
    """
    if not np.isfinite([value, *without]).all():
        return Jackknifed(nan, nan)
    h = sizes.sum() / sizes
    pseudo = h * value - (h - 1) * without
    corrected = float(np.sum(pseudo / h))
    return Jackknifed(corrected, float(np.mean((pseudo - corrected) ** 2 / (h - 1)) ** 0.5))


def balanced_blocks(groups: np.ndarray, n_blocks: int, generator: np.random.Generator) -> np.ndarray:
    """Return a block for each row (n,): whole groups, given by codes, in random order, the large ones first.

    Each group goes to the block with the fewest rows so far, so sizes differ by at most the largest group.
    """
    sizes = np.bincount(groups)
    if sizes.max() == 1:
        return generator.permutation(np.arange(groups.size) % n_blocks)
    order = generator.permutation(sizes.size)
    order = order[np.argsort(-sizes[order], kind="stable")]
    filled = [(0, block) for block in generator.permutation(n_blocks).tolist()]
    block_of = np.empty(sizes.size, dtype=np.int64)
    for group in order.tolist():
        n, block = heappop(filled)
        block_of[group] = block
        heappush(filled, (n + int(sizes[group]), block))
    return block_of[groups]
