"""The meaning of a cosine: the threshold of a match at a rate of false matches, and probabilities.

The cosine of two rows that belong together is large or small only beside those of rows that do not, and these depend on
the model and on the data. `CosineCalibrator` looks at them all.
"""

from skgeom.calibration._cosine_calibrator import CosineCalibrator, FalseMatchRate

__all__ = ["CosineCalibrator", "FalseMatchRate"]
