"""
What cosine is a match?
=======================

No cosine is large by itself: in one space unrelated texts have 0.1, in another 0.8.
:class:`~skgeom.calibration.CosineCalibrator` uses pairs that do *not* belong together, and
finds the cosine that only a chosen share of them exceeds, here one in a thousand.

The task is to match a definition with the noun that it defines. Half of the dictionary
provides pairs that do not match, with definitions from one quarter and nouns from another.
The other half is the test.
"""

import matplotlib.pyplot as plt
import numpy as np

from skgeom.calibration import CosineCalibrator
from skgeom.datasets import load_reverse_dictionary
from skgeom.inspection import SimilarityDisplay
from skgeom.metrics import pair_cosines
from skgeom.model_selection import row_groups

nouns = load_reverse_dictionary()
once = np.unique(row_groups(nouns.data), return_index=True)[1]  # of synonyms
rows = np.random.default_rng(0).permutation(once)
gloss, lemma = nouns.data[rows], nouns.lemma[rows]
test = slice(1800, None)

calibrator = CosineCalibrator(alpha=0.001).fit(gloss[:900], lemma[900:1800])
low, high = calibrator.threshold_interval_
print(f"pairs that do not match: {calibrator.n_pairs_:,}")
print(f"their mean cosine: {calibrator.mean_cosine_:.2f}")
print(f"a match is above {calibrator.threshold_:.3f} (95 %: {low:.3f} to {high:.3f})")

# %%
# The interval depends on rows, not on pairs: 1,800 rows make 810,000 pairs, but each row
# is in 900 of them. The next lines check the rate on new rows. A p-value rates any cosine
# without choosing a rate first: it is the share of unrelated pairs with a cosine at least
# as large.

pairs = pair_cosines(gloss[test], lemma[test], random_state=0)
print(f"of other pairs,    above: {np.mean(pairs.other > calibrator.threshold_):.4f}")
print(f"of matching pairs, above: {np.mean(pairs.matching > calibrator.threshold_):.3f}")
for cosine in (0.2, 0.4, 0.6):
    print(f"cosine {cosine}: p = {calibrator.p_value(cosine):.4f}")

# %%
# The false match rate on new rows is as expected. The price is that most true matches are
# below the threshold, the dotted line: the two densities overlap, and no threshold can
# separate what the space does not.

display = SimilarityDisplay.from_embedding(gloss[test], lemma[test], random_state=0)
display.ax_.axvline(calibrator.threshold_, color="#222222", linestyle=":")
plt.show()

# %%
# Other clouds have other thresholds. Cosines between nouns are larger:

between = CosineCalibrator(alpha=0.001).fit(lemma)
print(f"nouns: mean cosine {between.mean_cosine_:.2f}, match {between.threshold_:.3f}")
