"""HubDisplay: how often rows are among the nearest neighbours of others."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from scipy.stats import binom

from skgeom._core.pairs._neighbours import occurrences
from skgeom._validation import check_count
from skgeom.inspection._display import REFERENCE, CloudDisplay, is_first, legend_above, mark, next_look, plain_ticks
from skgeom.inspection._numbers import check_table
from skgeom.metrics._neighbours import HubMetric, check_hubs, rows_under


class HubDisplay(CloudDisplay):
    """Share of the rows that are among the k nearest neighbours of at least that many others.

    Hubs, rows that are near to everything, form the tail on the right. The gap to 100 % on the left is the share of
    rows that are nobody's neighbour. The dashed line is the null: neighbours drawn at random, with binomial counts of
    mean k. Pass ``ax=`` to draw a second cloud on the same axes.

    Parameters
    ----------
    occurrences : array of shape (n_samples,)
        How often each row is among the k nearest of the others.
    k : int
        Number of neighbours, at most n_samples - 1.
    name : str, default=None
        Name of the cloud in the legend.

    Attributes
    ----------
    line_ : matplotlib Line2D
        The share of rows against the number of occurrences, which starts at 1.
    random_ : matplotlib Line2D or None
        The null; None if another cloud has drawn it on the same axes.
    ax_, figure_
        The axes and the figure.

    Raises
    ------
    ValueError
        If the occurrences are negative, all less than 1, fewer than two or not numbers, or `k` is out of range.

    See Also
    --------
    skgeom.metrics.hubness : The skewness of the occurrences.
    skgeom.metrics.retrieval_score : With ``metric="csls"``, retrieval corrected for hubs.

    References
    ----------
    Radovanović, Nanopoulos & Ivanović 2010, Hubs in space, JMLR 11, 2487-2531.

    Examples
    --------
    .. plot::
       :context: close-figs

       >>> from skgeom.datasets import load_reverse_dictionary
       >>> from skgeom.inspection import HubDisplay
       >>> X = load_reverse_dictionary().data[:2000]
       >>> raw = HubDisplay.from_embedding(X, metric="euclidean", name="Euclidean")
       >>> unit = HubDisplay.from_embedding(X, name="cosine", ax=raw.ax_)
       >>> bool(raw.occurrences.max() > unit.occurrences.max())
       True
    """

    def __init__(self, occurrences: Any, *, k: int, name: str | None = None) -> None:
        self.occurrences = check_table(occurrences, "occurrences", (None,))
        if self.occurrences.size < 2 or self.occurrences.min() < 0 or self.occurrences.max() < 1:
            raise ValueError("occurrences must be those of at least two rows, at least 0, and at least 1 for one row.")
        self.k, self.name = check_count(k, "k", 1, self.occurrences.size - 1), name

    @classmethod
    def from_embedding(
        cls, X: Any, *, k: int = 10, metric: HubMetric = "cosine", name: str | None = None, ax: Any = None
    ) -> Self:
        """Draw how often rows are among the k nearest of the others.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            The embeddings, one per row.
        k : int, default=10
            Number of neighbours; more than n_samples - 1 means n_samples - 1.
        metric : {"cosine", "euclidean"}, default="cosine"
            The distance.
        name : str, default=None
            Name of the cloud in the legend.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        HubDisplay
            The Display, after drawing.

        Raises
        ------
        ValueError
            As `skgeom.metrics.hubness`.
        """
        x, k = check_hubs(X, k, metric)
        return cls(occurrences(rows_under(x, metric), k), k=k, name=name).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the shares.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        HubDisplay
            The Display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        n, ordered = self.occurrences.size, np.sort(self.occurrences)
        with self._drawing(ax) as axes:
            color, style, _, _ = next_look(axes)
            self.random_ = self._null(axes, n) if is_first(axes) else None
            counts = np.unique(np.append(ordered[ordered >= 1], 1.0))
            shares = 1 - np.searchsorted(ordered, counts) / n
            never = f"{np.mean(ordered < 1):.0%}".replace("%", " %")
            label = f"{self.name or 'this cloud'}: {never} never, at most {ordered[-1]:,.0f}"
            line = axes.plot(counts, shares, color=color, linestyle=style, drawstyle="steps-pre", label=label)[0]
            self.line_ = mark(line)
            axes.set(xscale="log", yscale="log", xlabel=f"times among the {self.k} nearest of others, at least")
            axes.set_ylabel("share of the rows")
            axes.set_ylim(min(0.5 / n, axes.get_ylim()[0]), 1.3)
            plain_ticks(axes.xaxis)
            plain_ticks(axes.yaxis, percent=True)
            legend_above(axes, 1)
        return self

    def _null(self, axes: Any, n: int) -> Any:
        counts = np.arange(1, n)
        shares = binom.sf(counts - 1, n - 1, self.k / (n - 1))
        seen = shares > 0.5 / n
        return axes.plot(counts[seen], shares[seen], **REFERENCE, label="random neighbours")[0]
