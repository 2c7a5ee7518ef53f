"""Optimise a space under named objectives, and record its geometry.

`EmbeddingOptimizer` moves rows, or learns a map of them, and records exact measures meanwhile;
`isotropy_cluster_frontier` traces the trade-off between isotropy and clusters. `SphereDispersion` spreads points over
the sphere. The objectives are the measures of `skgeom.metrics`. Torch is imported on first use: ``pip install
"scikit-embedding-geometry[torch]"``.
"""

import typing as _typing

from skgeom.optim._embedding_optimizer import EmbeddingOptimizer
from skgeom.optim._frontier import Frontier, isotropy_cluster_frontier
from skgeom.optim._history import History
from skgeom.optim._requirement import load as _load
from skgeom.optim._sphere_dispersion import SphereDispersion
from skgeom.optim._spherical_codes import spherical_code, tammes_bound

if _typing.TYPE_CHECKING:
    from skgeom.optim._riemannian import RiemannianAdam, RiemannianSGD

_HOMES = {
    "RiemannianAdam": "_riemannian",
    "RiemannianSGD": "_riemannian",
}
"""Names that need Torch: the file from which each is loaded on first use."""

__all__ = [
    "EmbeddingOptimizer",
    "Frontier",
    "History",
    "RiemannianAdam",
    "RiemannianSGD",
    "SphereDispersion",
    "isotropy_cluster_frontier",
    "spherical_code",
    "tammes_bound",
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
