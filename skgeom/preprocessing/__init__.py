"""Transformers of embeddings: whitening, all-but-the-top, centring and whitening by group.

`SharedMoments` lets the candidates of a search over pipelines sum up each fold once, and `SiameseTransformer` maps both
rows of pairs.

For plain steps scikit-learn has `Normalizer` (unit rows), `StandardScaler(with_std=False)` (centring) and `PCA`.
"""

from skgeom.preprocessing._all_but_the_top import AllButTheTop
from skgeom.preprocessing._groups import GroupAllButTheTop, GroupCentering, GroupWhitening
from skgeom.preprocessing._shared_moments import SharedMoments
from skgeom.preprocessing._siamese import SiameseTransformer
from skgeom.preprocessing._tangent_space import TangentSpace
from skgeom.preprocessing._whitening import Whitening

__all__ = [
    "AllButTheTop",
    "GroupAllButTheTop",
    "GroupCentering",
    "GroupWhitening",
    "SharedMoments",
    "SiameseTransformer",
    "TangentSpace",
    "Whitening",
]
