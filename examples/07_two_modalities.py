"""
Does closing the modality gap help?
===================================

Definitions and the nouns they define, embedded by one model, form two clouds, as images and
captions do. The gap between their means is often blamed for poor retrieval. Here it is
measured, removed, and judged by a task: find the noun for a definition among 1,000 unseen
nouns.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.preprocessing import FunctionTransformer, normalize

from skgeom.datasets import load_reverse_dictionary
from skgeom.inspection import SpaceDisplay
from skgeom.metrics import conformity, modality_gap, modality_separability, retrieval_score
from skgeom.preprocessing import GroupCentering, GroupWhitening, Whitening

nouns = load_reverse_dictionary()
side, side_test = np.repeat(["gloss", "lemma"], 3000), np.repeat(["gloss", "lemma"], 1000)


def split(seed):
    """Return 3,000 rows for training and 1,000 for the test, definitions above their nouns."""
    parts = np.split(np.random.default_rng(seed).permutation(4000), [3000])
    return [np.vstack([nouns.data[rows], nouns.lemma[rows]]) for rows in parts]


train, test = split(seed=0)
X, Y = np.split(normalize(test), 2)
own, others = np.sum(X * Y, axis=1).mean(), conformity(X, Y).mean()
print(f"cosine to its noun {own:.2f}, to any noun {others:.2f}")
print(f"gap {modality_gap(X, Y):.2f}, accuracy {modality_separability(X, Y):.2f}")

# %%
# A definition is nearer to its noun than to other nouns, yet a linear classifier
# separates the two clouds almost without error. After centring each cloud with the means
# of the training rows, the gap on the test rows is that of clouds with equal means, 0.05
# by chance for estimates from 3,000 and 1,000 rows. The classifier is near its chance
# level of 0.5 too.

centred = GroupCentering().fit(train, groups=side).transform(test, groups=side_test)
X, Y = np.split(centred, 2)
print(f"gap {modality_gap(X, Y):.2f}, accuracy {modality_separability(X, Y):.2f}")
names = ["definitions", "nouns"]
figure, panels = plt.subplots(2, figsize=(4.8, 6.4), layout="constrained")
for Z, panel in zip((test, centred), panels, strict=True):
    SpaceDisplay.from_embedding(*np.split(Z, 2), normalize=True, names=names, ax=panel)
plt.show()

# %%
# Does it help? The table has the share of definitions whose noun is the nearest of 1,000, and
# is among the ten nearest, by cosine: means over five splits, with the deviation of the change.

maps = {
    "as it is": FunctionTransformer(),
    "each cloud centred": GroupCentering(),
    "each whitened, power 0.25": GroupWhitening(power=0.25),
    "each whitened": GroupWhitening(),
    "each whitened, 128 directions": GroupWhitening(128),
    "each in its own PCA basis": GroupWhitening(128, method="pca"),
    "both whitened together": Whitening(),
}
found = {name: [] for name in maps}
for train, test in map(split, range(5)):
    for name, one in maps.items():
        if name.startswith("each"):
            Z = one.fit(train, groups=side).transform(test, groups=side_test)
        else:
            Z = one.fit(train).transform(test)
        found[name].append(retrieval_score(*np.split(Z, 2), k=[1, 10]).recall)
print(f"{'':29}  recall@1 (change, its deviation)  recall@10")
for name, values in found.items():
    change = np.subtract(values, found["as it is"])
    columns = np.transpose([np.mean(values, axis=0), change.mean(axis=0), change.std(axis=0)])
    print(f"{name:29}", *(f"{mean:9.3f} ({gain:+.3f}, {sd:.3f})" for mean, gain, sd in columns))

# %%
# Centring gains one or two points and removes the gap entirely: the gap was real but
# mostly harmless. Full whitening costs more than that, and a partial one changes little.
# Separate PCA bases destroy the correspondence: the coordinates of the two clouds no
# longer have the same meaning.
