"""Two modalities in one space: zero-shot classes, the gap between them, paths, and the double ellipsoid.

Maps from one modality onto the other are in `skgeom.alignment`, centring and whitening of each in
`skgeom.preprocessing`.
"""

from skgeom.multimodal._double_ellipsoid import DoubleEllipsoid
from skgeom.multimodal._gap import (
    conformity_divergence,
    modality_gap,
    modality_separability,
    pair_distance_ratio,
    relative_modality_gap,
)
from skgeom.multimodal._gap_shift import GapShift
from skgeom.multimodal._interpolation import slerp, vslerp
from skgeom.multimodal._offset import loss_along_offset
from skgeom.multimodal._zero_shot import ZeroShotClassifier

__all__ = [
    "DoubleEllipsoid",
    "GapShift",
    "ZeroShotClassifier",
    "conformity_divergence",
    "loss_along_offset",
    "modality_gap",
    "modality_separability",
    "pair_distance_ratio",
    "relative_modality_gap",
    "slerp",
    "vslerp",
]
