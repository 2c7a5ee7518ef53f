"""skgeom: the geometry of embeddings, for scikit-learn.

Measure a space (`skgeom.metrics`), transform it (`skgeom.preprocessing`), and choose with data: every measure is also a
scorer, every transform a step of a Pipeline. `skgeom.datasets` has real and planted embeddings, and
``python -m skgeom report FILE`` prints the geometry card of a file.

Packages and flagship names load on first use: ``import skgeom`` imports no Torch, CuPy, matplotlib or Dask.
"""

from importlib import import_module
from importlib.metadata import version
from typing import Any

__version__ = version("scikit-embedding-geometry")

_PACKAGES = ("alignment", "datasets", "metrics", "multimodal", "optim", "preprocessing")

_HOMES = {
    "AllButTheTop": "preprocessing",
    "CCAAligner": "alignment",
    "DoubleEllipsoid": "multimodal",
    "EmbeddingOptimizer": "optim",
    "GapShift": "multimodal",
    "GroupCentering": "preprocessing",
    "GroupWhitening": "preprocessing",
    "LstsqAligner": "alignment",
    "ProcrustesAligner": "alignment",
    "SphereDispersion": "optim",
    "Whitening": "preprocessing",
    "ZeroShotClassifier": "multimodal",
    "average_cosine_scorer": "metrics",
    "conformity_scorer": "metrics",
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

__all__ = ["__version__", *sorted([*_PACKAGES, *_HOMES])]


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return import_module(f"skgeom.{name}")
    if name in _HOMES:
        return getattr(import_module(f"skgeom.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'skgeom' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
