"""
Do all rows point in one direction?
===================================

In many spaces any two rows have a positive cosine: the cloud is a cone, not a ball around
the origin. Three measures are said to describe this "anisotropy", but they measure
different things:

* :func:`~skgeom.metrics.average_cosine`, the mean cosine of two different rows;
* :func:`~skgeom.metrics.partition_isotropy` (I1), which compares the most and the least
  favoured direction;
* :func:`~skgeom.metrics.isoscore`, the evenness of the variances.

Centring shows the difference.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.preprocessing import StandardScaler

from skgeom.datasets import load_reverse_dictionary
from skgeom.inspection import ConformityDisplay, SpaceDisplay
from skgeom.metrics import average_cosine, conformity, isoscore, partition_isotropy

nouns = load_reverse_dictionary()

print("                average cosine    I1  IsoScore")
for name, X in {"definitions": nouns.data, "nouns": nouns.lemma}.items():
    centred = StandardScaler(with_std=False).fit_transform(X)
    for state, Z in {"": X, "centred": centred}.items():
        cosine, i1, iso = average_cosine(Z), partition_isotropy(Z), isoscore(Z)
        print(f"{name:11} {state:7}  {cosine:z10.2f}  {i1:4.2f}  {iso:8.2f}")

# %%
# The average cosine depends almost only on the mean vector: centring reduces it to zero.
# IsoScore depends only on the covariance: centring does not change it. I1 depends on
# both. Two papers that call a space isotropic may therefore mean different things.
#
# Both clouds are on one side of the origin. The arrows point to their means. The longer
# arrow is that of the nouns, the narrower of the two cones.

space = SpaceDisplay.from_embedding(
    nouns.data, nouns.lemma, normalize=True, names=["definitions", "nouns"]
)

# %%
# The conformity of a row is its mean cosine to all the others; the mean of these is the
# average cosine. It shows which rows are typical and which are far from the axis of the
# cone.

typicality = conformity(nouns.lemma)
order = np.argsort(typicality)
print("least typical:", ", ".join(nouns.words[order[:5]]))
print("most typical: ", ", ".join(nouns.words[order[-5:]]))

of_glosses = ConformityDisplay.from_embedding(nouns.data, name="definitions")
of_nouns = ConformityDisplay(typicality, name="nouns").plot(of_glosses.ax_)
plt.show()
