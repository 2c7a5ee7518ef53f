"""Two modalities in one space: zero-shot classification, shifts across the gap, paths, and the double ellipsoid.

Maps from one modality onto the other are in `skgeom.alignment`, centring and whitening of each in
`skgeom.preprocessing`.
"""

from skgeom.multimodal._double_ellipsoid import DoubleEllipsoid, double_ellipsoid
from skgeom.multimodal._gap_shift import GapShift
from skgeom.multimodal._interpolation import slerp, vslerp
from skgeom.multimodal._offset import divergence_along_offset, loss_along_offset
from skgeom.multimodal._zero_shot import ZeroShotClassifier

__all__ = [
    "DoubleEllipsoid",
    "GapShift",
    "ZeroShotClassifier",
    "divergence_along_offset",
    "double_ellipsoid",
    "loss_along_offset",
    "slerp",
    "vslerp",
]
