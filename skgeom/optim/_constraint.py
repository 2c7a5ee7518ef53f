"""Constraints on the norms of rows."""

from __future__ import annotations

from skgeom._array import namespace, ratio
from skgeom._core._rows import norms
from skgeom._typing import Array

CONSTRAINTS = (None, "sphere", "fixed_norm")


def radii(x: Array, constraint: str | None) -> Array | None:
    """Return the norm (n,) that each row has under a constraint: 1, or its own; None without one."""
    if constraint is None:
        return None
    return namespace(x).ones_like(x[:, 0]) if constraint == "sphere" else norms(x)


def on_spheres(z: Array, radius: Array) -> Array:
    """Return the rows with other norms (n,); zero rows stay zero."""
    return z * ratio(radius, norms(z))[:, None]
