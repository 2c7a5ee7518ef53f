"""Checks of the arguments of comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from skgeom._array import as_data
from skgeom._core.sums._spaces import Space
from skgeom._typing import Array
from skgeom._validation import check_cloud, check_paired, check_same_kind


def check_same_rows(*spaces: Any, names: Sequence[str] = ("X", "Y"), min_samples: int = 4) -> list[Array]:
    """Return representations of the same rows, which may differ in width.

    Raises
    ------
    ValueError
        As in `check_cloud`, or if they differ in number of rows, library or device.
    """
    rows = [
        as_data(check_cloud(space, name=name, min_samples=min_samples, scale_free=True))
        for space, name in zip(spaces, names, strict=True)
    ]
    for other, name in zip(rows[1:], names[1:], strict=True):
        check_same_kind(rows[0], other, (names[0], name), same_width=False)
        check_paired(rows[0], other, (names[0], name))
    return rows


def check_space(x: Array, name: str, *, debiased: bool = True) -> Space:
    """Return the inner products of the rows of x, of which some differ, and not all by the same distance."""
    space = Space(x)
    if not space.unit:
        raise ValueError(f"All rows of {name} are equal: they have no geometry to compare.")
    if debiased and not space.doubly_centred_squares:
        raise ValueError(
            f"All rows of {name} are equally far from one another, so nothing of their inner products remains "
            "without the bias: compare other rows, or use the plain form, cka(X, Y, debiased=False) or "
            'relation_test(X, Y, statistic="plain_cka").'
        )
    return space
