"""Optimise a space under stated objectives, and watch its geometry.

`EmbeddingOptimizer` moves rows, or learns a map of them, and records exact measures on the way;
`isotropy_cluster_frontier` answers how far isotropy and clusters can go together. `SphereDispersion` spreads points
over the sphere. The losses are functions for any training loop of Torch. Torch is imported on first use:
``pip install "scikit-embedding-geometry[torch]"``.
"""

import typing as _typing

from skgeom.optim._embedding_optimizer import EmbeddingOptimizer
from skgeom.optim._frontier import Frontier, isotropy_cluster_frontier
from skgeom.optim._history import History
from skgeom.optim._requirement import load as _load
from skgeom.optim._sphere_dispersion import SphereDispersion
from skgeom.optim._spherical_codes import spherical_code, tammes_bound

if _typing.TYPE_CHECKING:
    from skgeom.optim._losses import (
        alignment,
        axis_sliced_dispersion,
        classifier_objective,
        cosine_regularizer,
        isoscore,
        isoscore_star,
        isotropy_objective,
        kernel_energy,
        koleo,
        lloyd,
        mma,
        mmcs,
        mmd_uniform,
        nt_xent,
        retention,
        riesz_energy,
        silhouette_objective,
        sliced_dispersion,
        spherical_sliced_wasserstein,
        triplet_bound,
        triplet_objective,
        uniformity,
    )
    from skgeom.optim._riemannian import RiemannianAdam, RiemannianSGD

_HOMES = {
    "RiemannianAdam": "_riemannian",
    "RiemannianSGD": "_riemannian",
    "alignment": "_losses",
    "axis_sliced_dispersion": "_losses",
    "classifier_objective": "_losses",
    "cosine_regularizer": "_losses",
    "isoscore": "_losses",
    "isoscore_star": "_losses",
    "isotropy_objective": "_losses",
    "kernel_energy": "_losses",
    "koleo": "_losses",
    "lloyd": "_losses",
    "mma": "_losses",
    "mmcs": "_losses",
    "mmd_uniform": "_losses",
    "nt_xent": "_losses",
    "retention": "_losses",
    "riesz_energy": "_losses",
    "silhouette_objective": "_losses",
    "sliced_dispersion": "_losses",
    "spherical_sliced_wasserstein": "_losses",
    "triplet_bound": "_losses",
    "triplet_objective": "_losses",
    "uniformity": "_losses",
}
"""What needs Torch to be defined: the file each name is loaded from on first use."""

__all__ = [
    "EmbeddingOptimizer",
    "Frontier",
    "History",
    "RiemannianAdam",
    "RiemannianSGD",
    "SphereDispersion",
    "alignment",
    "axis_sliced_dispersion",
    "classifier_objective",
    "cosine_regularizer",
    "isoscore",
    "isoscore_star",
    "isotropy_cluster_frontier",
    "isotropy_objective",
    "kernel_energy",
    "koleo",
    "lloyd",
    "mma",
    "mmcs",
    "mmd_uniform",
    "nt_xent",
    "retention",
    "riesz_energy",
    "silhouette_objective",
    "sliced_dispersion",
    "spherical_code",
    "spherical_sliced_wasserstein",
    "tammes_bound",
    "triplet_bound",
    "triplet_objective",
    "uniformity",
]


if not _typing.TYPE_CHECKING:  # or every misspelled name would pass for one of these

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module 'skgeom.optim' has no attribute {name!r}")
        found = getattr(_load(_HOMES[name]), name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
