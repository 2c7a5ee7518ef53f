"""
Does whitening make cosines agree with judgements?
==================================================

In a similarity task, a sample is a *pair* of rows with a judgement. The same transform must
serve both rows, and pairs that share a row must not be split between training and test.
:func:`~skgeom.model_selection.judge_similarity` ensures both, and tests whether a transform
gains more than chance.

Here the pairs are definitions. The cosine of the two nouns they define, which another part of
the data set holds, stands in for the judgement of a person. Most of the pairs are neighbours
among the nouns, because random definitions have nothing in common.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.preprocessing import normalize

from skgeom.datasets import load_reverse_dictionary
from skgeom.inspection import WhiteningPathDisplay
from skgeom.metrics import cosine_spearman_scorer, k_nearest
from skgeom.model_selection import judge_similarity, row_groups
from skgeom.preprocessing import SiameseTransformer, Whitening

nouns = load_reverse_dictionary()
once = np.unique(row_groups(nouns.data), return_index=True)[1]  # of synonyms
gloss, lemma = nouns.data[once], normalize(nouns.lemma[once])

rng = np.random.default_rng(0)
first = rng.permutation(len(gloss))[:1200]
near = k_nearest(lemma[first], lemma, k=20).indices[np.arange(1200), rng.integers(1, 20, 1200)]
second = np.where(rng.random(1200) < 0.7, near, rng.integers(0, len(gloss), 1200))
pairs = np.stack([gloss[first], gloss[second]], axis=1)
judged = (lemma[first] * lemma[second]).sum(axis=1)

judgement = judge_similarity(pairs, judged)
print(judgement.verdict)

# %%
# A band that excludes the dashed line is a measurable difference. No transform gains.
# Partial whitening of enough directions changes little. Full whitening of many directions
# loses most, because the smallest directions get the weight of the largest.

path = WhiteningPathDisplay.from_judgement(judgement)
plt.show()

# %%
# Other spaces give other answers. Some models have a rogue coordinate, which is large in
# every row and carries little meaning. Here one coordinate is multiplied by 30. Full
# whitening repairs most of the damage. :class:`~skgeom.preprocessing.AllButTheTop`, which
# removes the largest direction, is as good as the clean rows.

rogue = pairs.copy()
rogue[..., 0] *= 30
spoiled = judge_similarity(rogue, judged)
for one in spoiled.transforms:
    if one.name in ("as is", "AllButTheTop(1)") or "Whitening(64" in one.name:
        print(f"{one.score:.3f}  {one.name}")
print(spoiled.verdict)

# %%
# For other widths and powers, or other steps,
# :class:`~skgeom.preprocessing.SiameseTransformer` lets any search use pairs as samples.
# The best transformer can then be applied to rows.

search = GridSearchCV(
    SiameseTransformer(Whitening()),
    {"transformer__n_components": [32, 64, 128], "transformer__power": [0.25, 0.5, 1]},
    scoring=cosine_spearman_scorer,
    cv=GroupKFold(5),
).fit(rogue, judged, groups=row_groups(rogue))
print(f"{search.best_score_:.3f} with {search.best_estimator_.transformer_}")
