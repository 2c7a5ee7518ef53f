"""
How many dimensions does my space use?
======================================

The reverse dictionary that comes with skgeom holds the embeddings of 4,000 English nouns
("lemma") and of their dictionary definitions ("gloss"), by a small sentence model. Each row
has 384 numbers, but a space rarely uses all its dimensions, and never evenly. Four measures
describe this:

* :func:`~skgeom.metrics.isoscore` is 1 for equal variances in all directions and 0 for one
  direction that has all of the variance.
* :func:`~skgeom.metrics.participation_ratio` and :func:`~skgeom.metrics.effective_rank`
  count dimensions.
* :func:`~skgeom.metrics.variance_explained` shows how many directions hold a given share
  of the variance.
"""

import matplotlib.pyplot as plt
import numpy as np

from skgeom.datasets import load_reverse_dictionary
from skgeom.inspection import SpectrumDisplay
from skgeom.metrics import effective_rank, isoscore, participation_ratio, variance_explained

nouns = load_reverse_dictionary()
clouds = {"gloss": nouns.data, "lemma": nouns.lemma}

print("       IsoScore  participation ratio  effective rank  90 % of the variance")
for name, X in clouds.items():
    ratio, rank = participation_ratio(X), effective_rank(X)
    for_90 = 1 + np.searchsorted(variance_explained(X), 0.9)
    print(f"{name}  {isoscore(X):8.2f}  {ratio:19.0f}  {rank:14.0f}  {for_90:20d}")

# %%
# The counts differ because they weigh small variances differently: the participation
# ratio squares them, the effective rank takes their square roots. Compare spaces by the
# same measure. By all four, the nouns use more dimensions than the definitions.
#
# The spectrum shows the difference. The first directions of the definitions have more of
# the variance, and the last ones less. The dashed line is the spectrum of isotropic rows.

glosses = SpectrumDisplay.from_embedding(nouns.data, name="definitions")
lemmas = SpectrumDisplay.from_embedding(nouns.lemma, name="nouns", ax=glosses.ax_)
plt.show()
