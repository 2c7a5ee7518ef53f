"""Transformers of embeddings: whitening, all-but-the-top, centring and whitening by group.

For plain steps scikit-learn has `Normalizer` (unit rows), `StandardScaler(with_std=False)` (centring) and `PCA`.
"""

from skgeom.preprocessing._all_but_the_top import AllButTheTop
from skgeom.preprocessing._groups import GroupCentering, GroupWhitening
from skgeom.preprocessing._whitening import Whitening

__all__ = ["AllButTheTop", "GroupCentering", "GroupWhitening", "Whitening"]
