"""Spaces and clouds side by side, each number with what chance alone would give.

Two representations of the same rows: `cka`, `mean_squared_correlation`, `shape_distance` and
`neighbour_overlap` measure how much they agree, `relation_test` whether they are related at all, `compare` does
both for many layers or models.

Clouds of different rows: `cloud_test` tests whether they differ, and in what: their means, variances or covariances.
`DriftMonitor` asks that of batch after batch, beside one reference; both take summaries of rows in several places
(`skgeom.summary`).
"""

from skgeom.comparison._clouds import CloudPair, CloudTest, cloud_test
from skgeom.comparison._compare import SpaceComparison, compare
from skgeom.comparison._drift import DriftMonitor
from skgeom.comparison._overlap import neighbour_overlap
from skgeom.comparison._relation import RelationTest, relation_test
from skgeom.comparison._spaces import cka, mean_squared_correlation, shape_distance

__all__ = [
    "CloudPair",
    "CloudTest",
    "DriftMonitor",
    "RelationTest",
    "SpaceComparison",
    "cka",
    "cloud_test",
    "compare",
    "mean_squared_correlation",
    "neighbour_overlap",
    "relation_test",
    "shape_distance",
]
