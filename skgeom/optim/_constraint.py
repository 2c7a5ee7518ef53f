"""Constraints on the norms of rows."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from skgeom._array import namespace, ratio
from skgeom._core._rows import norms
from skgeom._typing import Array, ForeignT

Constraint: TypeAlias = Literal["sphere", "fixed_norm"]
"""The ways in which norms of rows can be held."""


def radii(x: ForeignT, constraint: Constraint | None) -> ForeignT | None:
    """Return the norm (n,) that each row has under a constraint: 1, or its own; None without one."""
    if constraint is None:
        return None
    lengths: Any = namespace(x).ones_like(x[:, 0]) if constraint == "sphere" else norms(x)
    return lengths


def on_spheres(z: ForeignT, radius: Array) -> ForeignT:
    """Return the rows with other norms (n,); zero rows stay zero."""
    moved: Any = z * ratio(radius, norms(z))[:, None]
    return moved
