"""Which transform is better for a task: judges with intervals, and groups that keep folds honest.

Each judge scores one task on held-out rows and compares every transform with the rows as they are:
`judge_classes` (labels), `judge_retrieval` (partners in a second space), `judge_similarity` (judged pairs),
`judge_clusters` (k-means), `judge_neighbours` (only rows).
"""

from skgeom.model_selection._groups import row_groups
from skgeom.model_selection._judgement import Judged, Judgement
from skgeom.model_selection._judges import (
    judge_classes,
    judge_clusters,
    judge_neighbours,
    judge_retrieval,
    judge_similarity,
)
from skgeom.model_selection._transforms import default_transforms

__all__ = [
    "Judged",
    "Judgement",
    "default_transforms",
    "judge_classes",
    "judge_clusters",
    "judge_neighbours",
    "judge_retrieval",
    "judge_similarity",
    "row_groups",
]
