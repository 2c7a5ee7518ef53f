"""A smooth maximum of the cosines between points."""

from __future__ import annotations

from math import exp, log
from typing import NamedTuple

from skgeom._array import device_of, namespace, row_blocks, to_float, vecdot, where
from skgeom._core._rows import norms
from skgeom._typing import Array


class SoftLargest(NamedTuple):
    """The largest cosine between two rows, its smooth approximation, and the gradient (n, d) of the latter."""

    largest: float
    value: float
    gradient: Array


def soft_largest_cosine(x: Array, sharpness: float) -> SoftLargest:
    """Return log Σ exp(sharpness cos_ij) over i ≠ j with its gradient; pairs are never stored.

    Divided by the sharpness, it exceeds the largest cosine by at most the logarithm of the number of pairs.
    """
    xp = namespace(x)
    lengths = norms(x)[:, None]
    u = x / lengths
    places = xp.arange(x.shape[0], device=device_of(x))
    tops, sums, pulls = [], [], []
    for rows in row_blocks(u, columns=x.shape[0]):
        cosines = where(places[rows][:, None] == places[None, :], -xp.inf, u[rows, :] @ u.T)
        tops.append(to_float(xp.max(cosines)))
        weights = xp.exp(sharpness * (cosines - tops[-1]))
        sums.append(to_float(xp.sum(weights)))
        pulls.append(weights @ u)
    top = max(tops)
    shares = [exp(sharpness * (own - top)) for own in tops]
    total = sum(share * part for share, part in zip(shares, sums, strict=True))
    pull = xp.concat([share * part for share, part in zip(shares, pulls, strict=True)]) * (2 * sharpness / total)
    gradient = (pull - vecdot(pull, u)[:, None] * u) / lengths
    return SoftLargest(top, sharpness * top + log(total), gradient)
