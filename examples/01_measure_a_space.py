"""What shape do 4,000 sentence embeddings have?

The reverse dictionary that comes with skgeom holds the embeddings of 4,000 English nouns ("lemma") and of
their dictionary definitions ("gloss"), 384 numbers each, by a small sentence model. Four questions:

1. How many of the 384 dimensions are in use, and how evenly?
2. Do the rows point in one common direction, and what is left of that after centring?
3. Would fewer rows have given the same answer?
4. Which rows are typical of the cloud, and which are not?
"""

import numpy as np
from sklearn.preprocessing import StandardScaler

from skgeom.datasets import load_reverse_dictionary
from skgeom.metrics import (
    average_cosine,
    conformity,
    effective_rank,
    isoscore,
    participation_ratio,
    partition_isotropy,
    variance_explained,
)

nouns = load_reverse_dictionary()
clouds = {"gloss": nouns.data, "lemma": nouns.lemma}

print("1. Dimensions in use, of 384")
print("          IsoScore  participation ratio  effective rank  directions for 90 % of the variance")
for name, X in clouds.items():
    pr, erank = participation_ratio(X), effective_rank(X)
    for_90 = 1 + np.searchsorted(variance_explained(X), 0.9)
    print(f"   {name}  {isoscore(X):9.2f}  {pr:19.0f}  {erank:14.0f}  {for_90:35d}")
print(
    "   The counts differ because they weigh small variances differently: the participation ratio\n"
    "   squares them, the effective rank takes their square roots. Compare spaces by one of them,\n"
    "   never across."
)

print("\n2. A common direction")
print("                   average cosine  I1 (partition function)  IsoScore")
for name, X in clouds.items():
    for what, Z in (("as it is", X), ("centred ", StandardScaler(with_std=False).fit_transform(X))):
        i1 = partition_isotropy(Z)
        print(f"   {name} {what}  {average_cosine(Z):z14.2f}  {i1:23.2f}  {isoscore(Z):8.2f}")
print(
    "   The average cosine is about the mean vector and little else: centring takes it to zero.\n"
    "   IsoScore is about the covariance alone: centring does not change it. I1 sees both.\n"
    "   So two papers that call a space isotropic may speak of different things."
)

print("\n3. The IsoScore of the glosses from fewer rows (mean over 20 random subsets)")
print("   rows     plain  debiased")
rng = np.random.default_rng(0)
for n in (50, 200, 800):
    subsets = [nouns.data[rng.choice(4000, n, replace=False)] for _ in range(20)]
    plain = np.mean([isoscore(X) for X in subsets])
    debiased = [isoscore(X, debias=True) for X in subsets]
    print(f"   {n:4d}  {plain:8.3f}  {np.mean(debiased):8.3f} +- {np.std(debiased):.3f}")
print(f"   4000  {isoscore(nouns.data):8.3f}  {isoscore(nouns.data, debias=True):8.3f}")
print(
    "   The plain value measures the sample size as much as the space. The debiased one does not,\n"
    "   but it scatters."
)

print("\n4. Conformity: the mean cosine of a noun to all the others")
typicality = conformity(nouns.lemma)
order = np.argsort(typicality)
print("   least:", ", ".join(nouns.words[order[:5]]))
print("   most: ", ", ".join(nouns.words[order[-5:]]))
print(f"   Its mean, {typicality.mean():.2f}, is the average cosine above.")
