"""The uncertainty of a value: the jackknife over blocks of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import accumulate
from math import nan
from typing import NamedTuple, TypeVar

import numpy as np

_S = TypeVar("_S")


class Jackknifed(NamedTuple):
    """A value less its bias, and its standard error."""

    corrected: float
    error: float


def jackknife(value: float, without: np.ndarray, sizes: np.ndarray) -> Jackknifed:
    """Return the jackknife from the value of all rows, and the values (b,) without each block of some sizes (b,).

    With n rows, m in a block and h = n / m, the pseudo-values are p = h θ - (h - 1) θ₋. Their mean weighted by 1 / h is
    the value less its bias (Busing, Meijer & van der Leeden 1999, doi:10.1023/A:1008800423698). The variance is
    (b - 1) / b times the sum of the squares of (p - mean) / (h - 1), as for clusters (MacKinnon, Nielsen & Webb 2023,
    arXiv:2301.04527). That of Busing et al. weights these by (h - 1) / (b - 1), which assumes that the mean of a large
    block varies less than that of a small one: not so if the rows of a block belong together. For equal blocks both are
    the usual form. The results are NaN if a value is not finite.
    """
    if not np.isfinite([value, *without]).all():
        return Jackknifed(nan, nan)
    h = sizes.sum() / sizes
    pseudo = h * value - (h - 1) * without
    corrected = float(np.sum(pseudo / h))
    deviations = (pseudo - corrected) / (h - 1)
    return Jackknifed(corrected, float(((1 - 1 / h.size) * np.sum(deviations**2)) ** 0.5))


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


def merged_without_each(parts: Sequence[_S], merge: Callable[[_S, _S], _S]) -> Iterator[_S]:
    """Yield the sum of all parts but each, and then that of all: merged from both ends, so nothing is subtracted."""
    before, after = parts[0], list(accumulate(reversed(parts), merge))[::-1]
    yield after[1]
    for part, others in zip(parts[1:-1], after[2:], strict=True):
        yield merge(before, others)
        before = merge(before, part)
    yield before
    yield after[0]
