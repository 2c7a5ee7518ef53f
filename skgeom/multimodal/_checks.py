"""Checks of two clouds of one space."""

from __future__ import annotations

from typing import Any

from skgeom._typing import Array
from skgeom._validation import check_cloud, check_paired, check_same_kind


def check_clouds(X: Any, Y: Any, *, min_samples: int = 2, scale_free: bool = False) -> tuple[Array, Array]:
    """Return two clouds in one space, as `check_cloud` does.

    Raises
    ------
    ValueError
        As `check_cloud`, or if the clouds differ in width, library or device.
    """
    x = check_cloud(X, min_samples=min_samples, scale_free=scale_free)
    y = check_cloud(Y, name="Y", min_samples=min_samples, scale_free=scale_free)
    check_same_kind(x, y)
    return x, y


def check_paired_clouds(X: Any, Y: Any, *, min_samples: int = 2, scale_free: bool = False) -> tuple[Array, Array]:
    """Return two clouds in one space whose rows come in pairs.

    Raises
    ------
    ValueError
        As `check_clouds`, or if the clouds differ in their number of rows.
    """
    x, y = check_clouds(X, Y, min_samples=min_samples, scale_free=scale_free)
    check_paired(x, y)
    return x, y
