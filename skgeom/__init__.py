"""skgeom: the geometry of embeddings, for scikit-learn.

Measure a space (`skgeom.metrics`), transform it (`skgeom.preprocessing`), and choose with data: every measure is also a
scorer, every transform a step of a Pipeline. `skgeom.inspection` draws the results, `skgeom.datasets` has real and
planted embeddings, and `skgeom.report` writes a report on a space, as does ``python -m skgeom report FILE`` for a file.

Packages and flagship names load on first use: ``import skgeom`` imports no Torch, CuPy, matplotlib or Dask.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skgeom import (
        alignment,
        calibration,
        comparison,
        datasets,
        inspection,
        metrics,
        model_selection,
        multimodal,
        optim,
        preprocessing,
        report,
        summary,
    )
    from skgeom.alignment import CCAAligner, GeneralizedProcrustes, LstsqAligner, ProcrustesAligner
    from skgeom.calibration import CosineCalibrator
    from skgeom.comparison import DriftMonitor
    from skgeom.metrics import (
        average_cosine_scorer,
        conformity_scorer,
        cosine_pearson_scorer,
        cosine_spearman_scorer,
        csls_scorer,
        effective_rank_scorer,
        isoscore_scorer,
        neg_average_cosine_scorer,
        neg_conformity_scorer,
        paired_cosine_scorer,
        partition_isotropy_scorer,
        recall_scorer,
        silhouette_scorer,
    )
    from skgeom.multimodal import GapShift, ZeroShotClassifier
    from skgeom.optim import EmbeddingOptimizer, SphereDispersion
    from skgeom.preprocessing import (
        AllButTheTop,
        GroupAllButTheTop,
        GroupCentering,
        GroupWhitening,
        SiameseTransformer,
        TangentSpace,
        Whitening,
    )

__version__ = version("scikit-embedding-geometry")

_PACKAGES = (
    "alignment",
    "calibration",
    "comparison",
    "datasets",
    "inspection",
    "metrics",
    "model_selection",
    "multimodal",
    "optim",
    "preprocessing",
    "report",
    "summary",
)

_HOMES = {
    "AllButTheTop": "preprocessing",
    "CCAAligner": "alignment",
    "CosineCalibrator": "calibration",
    "DriftMonitor": "comparison",
    "EmbeddingOptimizer": "optim",
    "GapShift": "multimodal",
    "GeneralizedProcrustes": "alignment",
    "GroupAllButTheTop": "preprocessing",
    "GroupCentering": "preprocessing",
    "GroupWhitening": "preprocessing",
    "LstsqAligner": "alignment",
    "ProcrustesAligner": "alignment",
    "SiameseTransformer": "preprocessing",
    "SphereDispersion": "optim",
    "TangentSpace": "preprocessing",
    "Whitening": "preprocessing",
    "ZeroShotClassifier": "multimodal",
    "average_cosine_scorer": "metrics",
    "conformity_scorer": "metrics",
    "cosine_pearson_scorer": "metrics",
    "cosine_spearman_scorer": "metrics",
    "csls_scorer": "metrics",
    "effective_rank_scorer": "metrics",
    "isoscore_scorer": "metrics",
    "neg_average_cosine_scorer": "metrics",
    "neg_conformity_scorer": "metrics",
    "paired_cosine_scorer": "metrics",
    "partition_isotropy_scorer": "metrics",
    "recall_scorer": "metrics",
    "silhouette_scorer": "metrics",
}

__all__ = [
    "AllButTheTop",
    "CCAAligner",
    "CosineCalibrator",
    "DriftMonitor",
    "EmbeddingOptimizer",
    "GapShift",
    "GeneralizedProcrustes",
    "GroupAllButTheTop",
    "GroupCentering",
    "GroupWhitening",
    "LstsqAligner",
    "ProcrustesAligner",
    "SiameseTransformer",
    "SphereDispersion",
    "TangentSpace",
    "Whitening",
    "ZeroShotClassifier",
    "__version__",
    "alignment",
    "average_cosine_scorer",
    "calibration",
    "comparison",
    "conformity_scorer",
    "cosine_pearson_scorer",
    "cosine_spearman_scorer",
    "csls_scorer",
    "datasets",
    "effective_rank_scorer",
    "inspection",
    "isoscore_scorer",
    "metrics",
    "model_selection",
    "multimodal",
    "neg_average_cosine_scorer",
    "neg_conformity_scorer",
    "optim",
    "paired_cosine_scorer",
    "partition_isotropy_scorer",
    "preprocessing",
    "recall_scorer",
    "report",
    "silhouette_scorer",
    "summary",
]


if not TYPE_CHECKING:  # otherwise type checkers would accept every misspelled name

    def __getattr__(name: str) -> Any:
        if name in _PACKAGES:
            return import_module(f"skgeom.{name}")
        if name in _HOMES:
            return getattr(import_module(f"skgeom.{_HOMES[name]}"), name)
        raise AttributeError(f"module 'skgeom' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
