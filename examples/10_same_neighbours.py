"""
Do two models see the same neighbours?
======================================

Two models embed the same rows. Their coordinates cannot be compared, but their geometry can:

* debiased CKA (:func:`~skgeom.comparison.compare`) compares all inner products, and large
  distances weigh most in it;
* :func:`~skgeom.comparison.neighbour_overlap` counts the nearest neighbours that a row has
  in both.

Handwritten digits stand in for the rows, and transforms of the pixels for the models. One
of them has shuffled rows: the same space, but unrelated to the others.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.random_projection import GaussianRandomProjection

from skgeom.comparison import compare, neighbour_overlap
from skgeom.inspection import ComparisonDisplay
from skgeom.preprocessing import Whitening

X = load_digits().data
models = {
    "pixels": X,
    "PCA": PCA(8, random_state=0).fit_transform(X),
    "random": GaussianRandomProjection(8, random_state=0).fit_transform(X),
    "whitened": Whitening(60).fit_transform(X),
    "shuffled": np.random.default_rng(0).permutation(X),
}
comparison = compare(models)
cells = ComparisonDisplay.from_comparison(comparison)
plt.show()

# %%
# Debiased CKA is 1 for equal geometry and 0 by chance. The hatched cells could be chance, and
# all of them belong to the shuffled rows. Eight principal components have nearly the CKA of
# the pixels. Eight random directions and the whitened rows differ more.

print(f"10 nearest neighbours shared with the pixels (chance: {10 / (len(X) - 1):.3f})")
for name, Z in models.items():
    shared = neighbour_overlap(X, Z, k=10, metric="euclidean")
    print(f"{name:8}  {shared:.2f}  CKA {comparison.cka[0, comparison.names.index(name)]:z.2f}")

# %%
# The two measures disagree. The eight components and the whitened rows share about as
# many neighbours with the pixels, but one has twice the CKA of the other: the components
# keep the large distances and lose the details, and whitening changes the large distances
# most. Use shared neighbours for retrieval and nearest neighbours, and CKA for the shape
# as a whole.
