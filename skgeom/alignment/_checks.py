"""Checks of the pairs for an aligner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from skgeom._array import (
    asarray_like,
    is_foreign,
    namespace,
    same_kind,
    to_numpy,
)
from skgeom._typing import Array
from skgeom._validation import check_several, check_target_rows
from skgeom._warnings import warn


def check_targets(y: Any, x: Array) -> tuple[Array, bool]:
    """Return the targets y as a finite array (n, k) of floats where the rows x (n, d) are, and whether y was flat.

    Raises
    ------
    TypeError
        If y is sparse.
    ValueError
        If y is None, holds strings, is not finite, or does not have one target per row.

    Warns
    -----
    UserWarning
        If y is one column of integers or booleans, as class labels are.
    """
    targets, flat = check_target_rows(y)
    _warn_of_labels(y, targets)
    if targets.shape[0] != x.shape[0]:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: X has {x.shape[0]} rows and y has "
            f"{targets.shape[0]}. Row k of y is the target of row k of X: pass one target per row of X."
        )
    return (targets if same_kind(targets, x) else _moved(targets, x)), flat


def check_spaces(spaces: Any, widths: Sequence[int] | None = None) -> list[Any]:
    """Return at least two spaces, or as many as at fit, of the same widths, as a list."""
    found = check_several(spaces, "X", "space", "[X1, X2, X3]")
    if widths is None:
        return found
    if len(found) != len(widths):
        raise ValueError(f"X has {len(found)} spaces, but there were {len(widths)} at fit: pass rows of all of them.")
    for k, (rows, width) in enumerate(zip(found, widths, strict=True)):
        check_space_width(rows, width, f"space {k}")
    return found


def check_space_width(x: Array, width: int, space: str) -> None:
    """Check that rows have as many features as a space had at fit."""
    if x.shape[1] != width:
        raise ValueError(f"X has {x.shape[1]} features, but {space} had {width} at fit: pass rows of that space.")


def check_target_width(t: Array, width: int) -> None:
    """Check that targets have as many features as those of the fit."""
    if t.shape[1] != width:
        raise ValueError(
            f"y has {t.shape[1]} features, but the targets at fit had {width}: pass rows of the same target space."
        )


def _warn_of_labels(y: Any, targets: Array) -> None:
    """Warn if y is one column of integers or booleans where target embeddings are expected."""
    if targets.shape[1] > 1:
        return
    values = y if is_foreign(y) else np.asarray(y)
    if namespace(values).isdtype(values.dtype, ("integral", "bool")):
        warn(
            "y is one column of integers and looks like class labels, but an aligner expects target embeddings as y. "
            "In a Pipeline with labels, pass FrozenEstimator(aligner.fit(X_pairs, Y_pairs)) as the step.",
        )


def _moved(values: Array, like: Array) -> Array:
    """Return an array in the library and on the device of another one, in float64."""
    return asarray_like(to_numpy(values), like, dtype=namespace(like).float64)
