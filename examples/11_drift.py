"""
Has my data drifted?
====================

A service embeds new rows every day. :class:`~skgeom.comparison.DriftMonitor` keeps a
summary of a reference and tests each batch against it: the mean, the total variance, the
covariance and, by a kernel, the whole distribution. The probability of any false alarm in
all ten batches is 5 %.

The reference is 1,500 definitions. The first five batches of 200 are definitions too. From
then on, some of the rows are bare nouns in place of definitions: 5 % in batch 5, and 5 % more
in each that follows.
"""

import matplotlib.pyplot as plt
import numpy as np

from skgeom.comparison import DriftMonitor
from skgeom.datasets import load_reverse_dictionary
from skgeom.inspection import TrajectoryDisplay
from skgeom.model_selection import row_groups
from skgeom.summary import cloud_summary

nouns = load_reverse_dictionary()
once = np.unique(row_groups(nouns.data), return_index=True)[1]  # of synonyms
rows = np.random.default_rng(0).permutation(once)
gloss, lemma = nouns.data[rows], nouns.lemma[rows]
reference = gloss[:1500]


def batch(k, share):
    """Return the definitions of a day, a share of them replaced by their nouns."""
    day = slice(1500 + 200 * k, 1700 + 200 * k)
    is_noun = np.arange(200) < 200 * share
    return np.where(is_noun[:, None], lemma[day], gloss[day])


monitor = DriftMonitor(alpha=0.05, n_batches=10).fit(reference)
distances, evidence = [], []
print("batch  nouns  distance  p-value  moved")
for k in range(10):
    share = 0.05 * max(0, k - 4)
    test, moved = monitor.test(batch(k, share)), monitor.moved(batch(k, share))
    distances.append(test.location.effect)
    evidence.append(-np.log10(test.pvalue))
    cells = f"{share:5.0%}  {distances[-1]:8.2f}  {test.pvalue:7.0e}"
    print(f"{k:5d}  {cells}  {', '.join(moved) or '-'}")

# %%
# There is no alarm before the drift or at 5 % of nouns, and an alarm from 10 % on. The
# distance of the means is in units of the standard deviation of the reference. A batch
# raises the alarm if its p-value is at most 0.05 / 10, above the dotted line:

columns = {"distance of means": distances, "−log10 of p": evidence}
display = TrajectoryDisplay(np.arange(10), columns, x_name="batch").plot()
display.axes_[1].axhline(-np.log10(0.05 / 10), color="#222222", linestyle=":")
plt.show()

# %%
# A small drift needs more rows. Summaries of batches can be merged, even from several
# machines. Five batches with 5 % of nouns raise no alarm one by one, but together they
# do:

days = [cloud_summary(batch(k, 0.05), random_state=k) for k in range(5)]
print("one by one:", [monitor.moved(day) for day in days])
merged = days[0]
for day in days[1:]:
    merged = merged.merge(day)
print("together:  ", monitor.moved(merged))
