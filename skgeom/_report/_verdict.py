"""The answer that a grid gives, and how sure it is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from skgeom._report._grid import Row, Split

_CONFIDENCE = 0.95


class Difference(NamedTuple):
    """A difference of accuracies, and half the width of its interval."""

    mean: float
    margin: float

    @property
    def is_measurable(self) -> bool:
        """Whether the interval leaves 0 out."""
        return abs(self.mean) > self.margin


def difference(row: Row, other: Row, folds: Split, n_comparisons: int = 1) -> Difference:
    """Return how many more held-out rows a probe gets right, as a share, with its 95 % interval.

    Both see the same rows, so that only rows on which they disagree count; equal rows are no new evidence, and count as
    one. The interval is widened (Bonferroni) if one of several transforms is picked after the fact.
    """
    gaps = np.empty(len(folds.fold))
    for f, (a, b) in enumerate(zip(row.folds, other.folds, strict=True)):
        gaps[folds.fold == f] = a.hits.astype(float) - b.hits
    mean = gaps.mean()
    error = np.linalg.norm(np.bincount(folds.groups, gaps - mean)) / gaps.size
    return Difference(float(mean), float(error * norm.isf((1 - _CONFIDENCE) / 2 / n_comparisons)))


def best(rows: list[Row]) -> Row | None:
    """Return the row with the best probe, the earlier of equal ones, or None without labels."""
    return max(rows, key=lambda row: row.mean("accuracy")) if rows[0].folds[0].hits.size else None


def verdict(rows: list[Row], folds: Split) -> str:
    """Say in a sentence whether to whiten."""
    winner = best(rows)
    if winner is None:
        return _without_labels(rows)
    as_is, n_others = rows[0], len(rows) - 1
    if winner is as_is:
        rival = max((row for row in rows if _whitens(row)), key=lambda row: row.mean("accuracy"))
        loss = difference(as_is, rival, folds, n_others)
        if loss.is_measurable:
            return f"No: nothing beats the space as it is, and the best whitening, {rival.name}, loses {_points(loss)}."
        return f"No: nothing beats the space as it is; {rival.name} is not a measurable loss: {_points(loss)}."
    gain = difference(winner, as_is, folds, n_others)
    if not gain.is_measurable:
        return f"No measurable difference: the best row, {winner.name}, is ahead of as is by {_points(gain)}."
    answer = "Yes" if _whitens(winner) else "Not whitening"
    return f"{answer}: {winner.name} gains {_points(gain)} over as is."


def _whitens(row: Row) -> bool:
    return row.name.startswith("Whitening")


def _without_labels(rows: list[Row]) -> str:
    as_is, full = rows[0], next(row for row in reversed(rows) if _whitens(row))
    changes = [
        f"{name} from {as_is.mean(measure):.2f} to {full.mean(measure):.2f}"
        for name, measure in (("IsoScore", "isoscore"), ("average conformity", "conformity"))
    ]
    return (
        f"Only labels can say whether whitening helps a task (--labels FILE): on held-out rows {full.name} takes "
        f"{' and '.join(changes)}."
    )


def _points(d: Difference) -> str:
    return f"{100 * d.mean:.1f} ± {100 * d.margin:.1f} points of accuracy (95 %)"
