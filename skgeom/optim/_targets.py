"""The kinds of y: class labels, a multi-label indicator or target embeddings, and the clusters that follow from it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.multiclass import type_of_target

from skgeom._array import is_foreign, to_numpy
from skgeom._core._labels import Labels
from skgeom._validation import check_classes, check_labels, check_paired, check_target_rows
from skgeom.optim._checks import check_indicator, check_several_classes

CLASSES = "class labels"
INDICATOR = "a multi-label indicator"
TARGETS = "target embeddings"
CLUSTERS = "clusters"


class Targets(NamedTuple):
    """The values of y, (n,) class codes, (n, k) zeros and ones or (n, k) target rows; classes; and cluster codes."""

    values: np.ndarray | None = None
    classes: np.ndarray | None = None
    clusters: np.ndarray | None = None

    @property
    def n_outputs(self) -> int:
        """Number of outputs of a linear head."""
        if self.classes is not None:
            return self.classes.size
        return 0 if self.values is None else self.values.shape[1]

    def labels(self) -> Labels:
        """Return the clusters, sorted."""
        assert self.clusters is not None
        return check_labels(self.clusters, self.clusters.shape[0], name="clusters in y")


def read_targets(y: Any, n: int, kind: str | None) -> Targets:
    """Return y as the kind that the objective needs, or, if it needs none, as the kind that its values suggest.

    Continuous values do not define clusters; with several labels per row, distinct label vectors are the clusters.
    """
    if y is None:
        return Targets()
    if kind in (None, CLUSTERS):
        suggested = _looks_like(y)
        kind = CLASSES if kind == CLUSTERS and suggested == TARGETS else suggested  # whose check refuses fractions
    if kind == CLASSES:
        classes, codes = check_classes(y, n)
        check_several_classes(classes)
        return Targets(codes.astype(np.int64), classes, codes)
    if kind == INDICATOR:
        values = check_indicator(y, n)
        clusters = np.unique(values, axis=0, return_inverse=True)[1].reshape(-1)
        return Targets(values, clusters=clusters)
    rows, _ = check_target_rows(y)
    check_paired(np.empty((n, 0)), rows, ("X", "y"))
    return Targets(to_numpy(rows))


def _looks_like(y: Any) -> str:
    values = np.asarray(to_numpy(y) if is_foreign(y) else y)
    if values.ndim == 1 and values.dtype.kind == "f" and not np.isfinite(values).all():
        return CLASSES  # whose check explains what is wrong, where scikit-learn's warns of a cast
    kind = type_of_target(values)
    if kind.startswith("multilabel"):
        return INDICATOR
    return TARGETS if kind.startswith("continuous") else CLASSES
