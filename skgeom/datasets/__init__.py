"""Embeddings: a real set that comes with the package, sets of known geometry, and your own files."""

from skgeom.datasets._files._blocks import iter_embeddings
from skgeom.datasets._files._door import load_embeddings
from skgeom.datasets._pairs import make_double_ellipsoid, make_embedding_pair
from skgeom.datasets._reverse_dictionary import load_reverse_dictionary
from skgeom.datasets._synthetic import make_anisotropic_clusters

__all__ = [
    "iter_embeddings",
    "load_embeddings",
    "load_reverse_dictionary",
    "make_anisotropic_clusters",
    "make_double_ellipsoid",
    "make_embedding_pair",
]
