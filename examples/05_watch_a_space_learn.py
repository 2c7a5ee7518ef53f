"""What does training do to the geometry of a space, and what does it take to stop it?

A linear classifier that may move the embeddings it classifies gathers them in clusters, and isotropy goes.
Here that is watched, update by update, on definitions of acts, thoughts and messages. Then isotropy is paid
for. Then a map is trained in place of the rows, so that the outcome can be judged on rows never seen before.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import normalize

from skgeom import isoscore_scorer, silhouette_scorer
from skgeom.datasets import load_reverse_dictionary
from skgeom.optim import EmbeddingOptimizer, isotropy_cluster_frontier

nouns = load_reverse_dictionary()
chosen = np.isin(nouns.target_names[nouns.target], ["noun.act", "noun.cognition", "noun.communication"])
first = np.isin(np.arange(4000), np.unique(nouns.data, axis=0, return_index=True)[1])  # of equal definitions
X, y = normalize(nouns.data[chosen & first]), nouns.target[chosen & first]
n, d = X.shape

print(f"1. Training, watched: {n} definitions in {d} dimensions, moved by the classifier")
history = EmbeddingOptimizer(parametrization="points", max_iter=200, random_state=0).fit(X, y).history_
print("   update      loss   silhouette   IsoScore")
for i in (0, 10, 20, 50, 100, 200):
    print(
        f"   {i:6d}  {history.loss[i]:8.4f}  {history['silhouette'][i]:11.3f}  {history['isoscore'][i]:9.4f}"
    )
r = np.corrcoef(history["silhouette"], history["isoscore"])[0, 1]
print(f"   Clusters form and isotropy goes: over the updates, r = {r:.2f}.")

print("\n2. The price of isotropy: cross-entropy less weight times IsoScore")
fast = EmbeddingOptimizer(
    parametrization="points", learning_rate=0.003, max_iter=150, monitor=None, random_state=0
)
frontier = isotropy_cluster_frontier(X, y, [0, 0.1, 0.3, 1], estimator=fast)
print("   " + str(frontier).replace("\n", "\n   "))

print("\n3. A map in place of the rows, judged on rows that it has not seen")
weights = [0, 0.3, 1]
mapped = EmbeddingOptimizer(learning_rate=0.003, max_iter=60, monitor=None, random_state=0)
search = GridSearchCV(
    Pipeline([("map", mapped), ("probe", LogisticRegression(max_iter=1000))]),
    [
        {"map": ["passthrough"]},
        {"map__objective": [{"cross_entropy": 1.0, "isoscore": -w} for w in weights]},
    ],
    scoring={"accuracy": "accuracy", "silhouette": silhouette_scorer, "isoscore": isoscore_scorer},
    refit="accuracy",
    cv=3,
).fit(X, y)
print("                              accuracy   silhouette   IsoScore")
for k, name in enumerate(["as it is", *(f"weight of IsoScore {w}" for w in weights)]):
    accuracy, silhouette, score = (search.cv_results_[f"mean_test_{name}"][k] for name in search.scoring)
    print(f"   {name:25s}  {accuracy:8.3f}  {silhouette:11.3f}  {score:9.3f}")
print(
    "   On new rows the clusters are weaker, and no map makes the classes easier to tell apart: a separate\n"
    "   classifier finds most in the space as it is. Geometry alone does not say which space is best."
)
