"""
How certain is a number?
========================

A measure is computed from a sample of rows, and other rows would have given another value.
:func:`~skgeom.metrics.estimate` returns a measure with its standard error and a confidence
interval. Two things go wrong most often: too few rows, and rows that depend on one another.
"""

import matplotlib.pyplot as plt
import numpy as np

from skgeom.datasets import load_reverse_dictionary
from skgeom.metrics import average_cosine, estimate, isoscore

X = load_reverse_dictionary().data
rng = np.random.default_rng(0)

print("IsoScore of the definitions from fewer rows, mean of 30 random subsets")
print("rows  plain  debiased  spread of the debiased  its standard error")
for n in (100, 200, 400):
    subsets = [X[rng.choice(len(X), n, replace=False)] for _ in range(30)]
    plain = np.mean([isoscore(Z) for Z in subsets])
    debiased = [isoscore(Z, debias=True) for Z in subsets]
    errors = [estimate("isoscore", Z, debias=True).standard_error for Z in subsets]
    cells = f"{np.mean(debiased):8.3f}  {np.std(debiased):22.4f}  {np.mean(errors):18.4f}"
    print(f"{n:4d}  {plain:5.3f}  {cells}")
print(f"All {len(X)} rows: {estimate('isoscore', X, debias=True)}")

# %%
# The plain value depends on the number of rows as much as on the space. The debiased
# value does not, but it varies, and the standard error of one subset predicts by how
# much. With fewer rows than the 384 columns the standard error is too large, which is the
# safe side.
#
# Now 30 samples of 60 planted documents with five sentences each. The sentences of a
# document resemble one another, so 300 rows carry little more information than 60
# documents. The true average cosine is computed from very many documents.


def draw(n_documents, seed):
    """Return five similar rows for each document, and the document of each row."""
    rng = np.random.default_rng(seed)
    document = np.repeat(np.arange(n_documents), 5)
    topic, own = (
        rng.normal(size=(n_documents, 16))[document],
        rng.normal(size=(len(document), 16)),
    )
    return 0.6**0.5 * topic + 0.4**0.5 * own + 0.5, document


truth = average_cosine(draw(100_000, seed=0)[0])
samples = [draw(60, seed) for seed in range(1, 31)]
found = {
    "rows": [estimate("average_cosine", Z) for Z, _ in samples],
    "documents": [estimate("average_cosine", Z, groups=g) for Z, g in samples],
}

figure, panels = plt.subplots(
    2, sharex=True, sharey=True, figsize=(4.8, 4.4), layout="constrained"
)
for panel, (unit, estimates) in zip(panels, found.items(), strict=True):
    ends = np.array([one.interval for one in estimates])
    holds = (ends[:, 0] <= truth) & (truth <= ends[:, 1])
    for right, color, style in ((True, "#0072b2", "-"), (False, "#d55e00", ":")):
        panel.vlines(np.flatnonzero(holds == right), *ends[holds == right].T, color, style)
    panel.axhline(truth, color="#5f6b76", linestyle="--", linewidth=1)
    panel.set_title(f"{unit}: {holds.sum()} of 30 intervals hold the truth", fontsize=10)
panels[1].set(xlabel="sample", ylabel="average cosine")
plt.show()

# %%
# 95 % intervals that treat rows as independent miss the truth much too often (dotted).
# With ``groups=`` whole documents count: the intervals are wider and contain the truth
# about as often as they should.
