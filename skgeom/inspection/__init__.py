"""Pictures of the results of the other packages, with the interface of scikit-learn's Displays.

A class method (`from_embedding`, `from_estimator`, or `from_` a result) computes and draws; the constructor takes
numbers computed before, and `plot` draws them on the axes passed as ``ax`` or on new ones. The artists are attributes.
matplotlib is imported when something is drawn: ``pip install "scikit-embedding-geometry[plot]"``.
"""

from skgeom.inspection._comparison import ComparisonDisplay
from skgeom.inspection._conformity import ConformityDisplay
from skgeom.inspection._frontier import FrontierDisplay
from skgeom.inspection._hubs import HubDisplay
from skgeom.inspection._offset import OffsetDisplay
from skgeom.inspection._silhouette import SilhouetteDisplay
from skgeom.inspection._similarity import SimilarityDisplay
from skgeom.inspection._space import SpaceDisplay
from skgeom.inspection._spectrum import SpectrumDisplay
from skgeom.inspection._sphere import SphereDisplay
from skgeom.inspection._trajectory import TrajectoryDisplay
from skgeom.inspection._whitening_path import WhiteningPathDisplay

__all__ = [
    "ComparisonDisplay",
    "ConformityDisplay",
    "FrontierDisplay",
    "HubDisplay",
    "OffsetDisplay",
    "SilhouetteDisplay",
    "SimilarityDisplay",
    "SpaceDisplay",
    "SpectrumDisplay",
    "SphereDisplay",
    "TrajectoryDisplay",
    "WhiteningPathDisplay",
]
