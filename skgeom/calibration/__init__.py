"""The meaning of a cosine: the threshold for a match at a given rate of false matches, and probabilities.

Whether the cosine of two rows is large depends on the cosines of rows that do not belong together, and these depend on
the model and the data. `CosineCalibrator` uses all of them.
"""

from skgeom.calibration._cosine_calibrator import CosineCalibrator, FalseMatchRate

__all__ = ["CosineCalibrator", "FalseMatchRate"]
