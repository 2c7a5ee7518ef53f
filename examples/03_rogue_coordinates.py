"""
Which coordinates spoil the cosine?
===================================

In many language models a handful of "rogue" coordinates have large values in every row
(`Timkey and van Schijndel 2021 <https://arxiv.org/abs/2109.04404>`__). A cosine is a sum
over coordinates, so these few decide it, and the others hardly matter.
:func:`~skgeom.metrics.cosine_shares` splits the average cosine exactly into the shares of
the coordinates.

The 384 coordinates of the bundled definitions are harmless. Here two of them are overwritten
with large random values, so that the right answer is known: coordinates 7 and 200, and the
neighbours that each row had before.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.preprocessing import StandardScaler

from skgeom.comparison import neighbour_overlap
from skgeom.datasets import load_reverse_dictionary
from skgeom.inspection import ConformityDisplay
from skgeom.metrics import average_cosine, cosine_shares

clean = load_reverse_dictionary().data[:2000]
length = np.linalg.norm(clean, axis=1).mean()
rogue = np.random.default_rng(0).normal(loc=[1.5, -1], scale=0.6, size=(2000, 2))
spoiled = clean.copy()
spoiled[:, [7, 200]] = length * rogue


def show_largest(X):
    """Print the coordinates with the largest shares in the average cosine."""
    shares = cosine_shares(X)
    for k in np.argsort(shares)[:-4:-1]:
        print(f"   coordinate {k:3d}: {shares[k]:.2f}")


print("Shares in the average cosine, clean")
show_largest(clean)
print("spoiled")
show_largest(spoiled)

# %%
# The two coordinates contribute nearly all of the average cosine, so the shares reveal
# them. The table compares three remedies by how many of the ten nearest neighbours of the
# clean rows they restore.

remedies = {
    "none": spoiled,
    "centre": StandardScaler(with_std=False).fit_transform(spoiled),
    "standardise": StandardScaler().fit_transform(spoiled),
    "drop 7 and 200": np.delete(spoiled, [7, 200], axis=1),
}
print("remedy           average cosine  neighbours kept")
for name, Z in remedies.items():
    print(f"{name:15}  {average_cosine(Z):z14.2f}  {neighbour_overlap(clean, Z):15.2f}")

# %%
# Centring reduces the average cosine to zero but does not restore the neighbours: the
# random part of the two coordinates still decides which rows are near. An average cosine
# of zero does not prove that a space is sound. Standardising gives all coordinates the
# same weight. Dropping the two that the shares reveal is best.
#
# The picture shows the mean cosine of each row to all others, the conformity. In the
# spoiled space nearly all rows are similar, whatever they mean.

before = ConformityDisplay.from_embedding(clean, name="clean")
after = ConformityDisplay.from_embedding(spoiled, name="spoiled", ax=before.ax_)
plt.show()
