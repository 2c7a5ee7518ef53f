"""Maps between two embedding spaces, learnt from pairs: orthogonal, least squares, canonical correlations.

An aligner is a regressor and a transformer: ``fit(X, y)`` takes the target embeddings as `y`, row by row the partner of
X, and ``transform(X)`` maps new rows. `GeneralizedProcrustes` takes the rows of several spaces at once.
"""

from skgeom.alignment._canonical import CCAAligner
from skgeom.alignment._generalized import GeneralizedProcrustes
from skgeom.alignment._least_squares import LstsqAligner
from skgeom.alignment._procrustes import ProcrustesAligner

__all__ = ["CCAAligner", "GeneralizedProcrustes", "LstsqAligner", "ProcrustesAligner"]
