r"""
Are isotropy and clusters incompatible?
=======================================

It has been claimed that they are: that a space cannot use all dimensions evenly and have its
points in clusters (:arxiv:`2402.03191`). The claim is right for two classes in many
dimensions, and wrong in general. If k classes collapse to points, the covariance has rank
k - 1 at most, and then

.. math:: \mathrm{IsoScore} \le \frac{\min(k - 1, d) - 1}{d - 1},

which is :func:`~skgeom.metrics.collapse_bound`: 0 for two classes, 1 for k > d. Classes at
the corners of a regular simplex attain it.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import cross_val_score

from skgeom.datasets import make_anisotropic_clusters
from skgeom.inspection import SilhouetteDisplay
from skgeom.metrics import collapse_bound, isoscore, silhouette_score


def simplex_clusters(k, d, spread, n=2000, seed=0):
    """Draw k equal classes around the corners of a regular simplex in d dimensions."""
    corners = np.linalg.svd(np.eye(k) - 1 / k)[0][:, : k - 1] * k**0.5
    corners = np.pad(corners, [(0, 0), (0, d - k + 1)])
    y = np.arange(n) % k
    return corners[y] + spread * np.random.default_rng(seed).normal(size=(n, d)), y


d = 10
print(f"IsoScore and silhouette of classes that shrink to points, in {d} dimensions")
print("classes  bound  spread 1     spread 0.3   spread 0.1   spread 0")
for k in (2, 3, 6, 11):
    cells = []
    for spread in (1, 0.3, 0.1, 0):
        X, y = simplex_clusters(k, d, spread)
        cells.append(f"{isoscore(X):5.2f} {silhouette_score(X, y):5.2f}")
    print(f"{k:7d}  {collapse_bound(k, d):5.2f}  " + "  ".join(cells))

# %%
# In the last column IsoScore reaches the bound and the silhouette is 1. With two classes
# one excludes the other; with 11 classes in 10 dimensions both are perfect. The picture
# shows 11 classes with a spread of 0.3: compact, and as isotropic as possible.

X, y = simplex_clusters(11, d, 0.3)
SilhouetteDisplay.from_embedding(X, y)
plt.show()

# %%
# Many sentence models have 384 dimensions. With far fewer classes than dimensions there
# is a conflict, but only if the classes are points:

for k in (2, 10, 26, 100, 385):
    print(f"{k:3d} classes: IsoScore {collapse_bound(k, 384):.2f} at most")

# %%
# Classes need not be points to be separable. Here four classes in 64 dimensions are six
# within-class standard deviations apart:

print("planted IsoScore  measured  bound for points  silhouette  linear accuracy")
for target in (0.05, 0.3, 0.9):
    options = {"n_classes": 4, "isoscore": target, "separation": 6, "random_state": 0}
    X, y = make_anisotropic_clusters(4000, 64, **options)
    accuracy = cross_val_score(LinearDiscriminantAnalysis(), X, y, cv=3).mean()
    geometry = (
        f"{isoscore(X):8.2f}  {collapse_bound(4, 64):16.2f}  {silhouette_score(X, y):10.2f}"
    )
    print(f"{target:16.2f}  {geometry}  {accuracy:15.3f}")

# %%
# The classes are as separable at an IsoScore of 0.9 as at 0.05. The silhouette is
# nevertheless near 0. It compares distances, which in 64 dimensions are mostly noise: a
# low silhouette does not prove that classes cannot be separated.
