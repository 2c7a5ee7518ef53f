"""Comparisons of spaces and of clouds, each with the value that chance alone would give.

Two representations of the same rows: `cka`, `mean_squared_correlation`, `shape_distance` and
`neighbour_overlap` measure how much they agree, `relation_test` whether they are related at all, `compare` does
both for many layers or models.

Clouds of different rows: `cloud_test` tests whether they differ in mean, variance or covariance.
`DriftMonitor` tests one batch after another against a reference. Both accept summaries of rows on several machines
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
