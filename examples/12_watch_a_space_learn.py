"""
What does training do to the geometry of a space?
=================================================

A linear classifier that may move the embeddings gathers them in clusters, and isotropy is
lost. This example records that, update by update, on definitions of acts, thoughts and
messages. It then adds isotropy to the objective, and finally trains a map instead of the
rows, which can be judged on new rows.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, ShuffleSplit
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import normalize

from skgeom.datasets import load_reverse_dictionary
from skgeom.metrics import isoscore_scorer, silhouette_scorer
from skgeom.model_selection import row_groups
from skgeom.optim import EmbeddingOptimizer, isotropy_cluster_frontier

nouns = load_reverse_dictionary()
names = nouns.target_names[nouns.target]
chosen = np.isin(names, ["noun.act", "noun.cognition", "noun.communication"])
once = np.isin(np.arange(4000), np.unique(row_groups(nouns.data), return_index=True)[1])
X, y = normalize(nouns.data[chosen & once]), nouns.target[chosen & once]
print(f"{len(X)} definitions in {X.shape[1]} dimensions")

options = {"learning_rate": 0.003, "random_state": 0}
watched = EmbeddingOptimizer(parametrization="points", max_iter=100, monitor_every=4, **options)
history = watched.fit(X, y).history_
print(f"r over the updates: {history.correlation('isoscore', 'silhouette'):.2f}")
history.plot()
plt.show()

# %%
# Clusters form and isotropy is lost. To measure the price of isotropy, minimise the loss
# of the classifier minus a weight times IsoScore. Each point of the picture is one
# weight, and no other point exceeds those on the steps in both scores.

optimizer = EmbeddingOptimizer(parametrization="points", max_iter=50, monitor=None, **options)
frontier = isotropy_cluster_frontier(X, y, [0, 0.1, 0.3, 1], estimator=optimizer)
print(frontier)
frontier.plot()
plt.show()

# %%
# Moderate weights of IsoScore cost silhouette and gain almost no isotropy; the largest
# weight gains most of it, but the clusters are lost.
#
# Moved points cannot be judged on new rows, but a map can:

mapped = EmbeddingOptimizer(max_iter=30, monitor=None, **options)
weights = (0, 0.3, 1)
search = GridSearchCV(
    Pipeline([("map", mapped), ("probe", LogisticRegression(max_iter=1000))]),
    [
        {"map": ["passthrough"]},
        {"map__objective": [{"cross_entropy": 1.0, "isoscore": -w} for w in weights]},
    ],
    scoring={"accuracy": "accuracy", "silhouette": silhouette_scorer, "iso": isoscore_scorer},
    refit=False,
    cv=ShuffleSplit(1, test_size=1 / 3, random_state=0),
).fit(X, y)
print("                        accuracy  silhouette  IsoScore")
for k, name in enumerate(["as it is", *(f"weight of IsoScore {w}" for w in weights)]):
    task, silhouette, iso = (search.cv_results_[f"mean_test_{s}"][k] for s in search.scoring)
    print(f"{name:22s}  {task:8.3f}  {silhouette:10.3f}  {iso:8.3f}")

# %%
# On new rows the clusters are weaker, and no map makes the classes easier to separate: a
# separate classifier is most accurate in the original space. Geometry alone does not show
# which space is best.
