"""ConformityDisplay: how typical the rows of a cloud are."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from skgeom._array import to_numpy
from skgeom.inspection._display import (
    REFERENCE,
    CloudDisplay,
    bin_edges,
    histogram,
    is_first,
    legend_above,
    mark,
    next_look,
)
from skgeom.inspection._numbers import check_table
from skgeom.metrics import conformity

_BINS = 40


class ConformityDisplay(CloudDisplay):
    """Distribution of the conformity of the rows: the mean cosine of each to all others.

    Typical rows are on the right, unusual rows on the left. The mean is the average cosine of the cloud and measures
    how narrow its cone is; in an isotropic space it is 0. Pass ``ax=`` to draw a second cloud on the same axes.

    Parameters
    ----------
    conformity : array of shape (n_samples,)
        Mean cosine of each row to all others, in [-1, 1].
    name : str, default=None
        Name of the cloud in the legend.

    Attributes
    ----------
    histogram_ : matplotlib StepPatch
        The density.
    mean_ : matplotlib Line2D
        The mean.
    isotropic_ : matplotlib Line2D or None
        0, the mean in an isotropic space; None if another cloud has drawn it on the same axes.
    ax_, figure_
        The axes and the figure.

    Raises
    ------
    ValueError
        If the values are not numbers in [-1, 1].

    See Also
    --------
    skgeom.metrics.conformity : The numbers, and their source.
    skgeom.metrics.conformity_divergence : How far two clouds differ in them.

    Examples
    --------
    .. plot::
       :context: close-figs

       >>> from skgeom.datasets import load_reverse_dictionary
       >>> from skgeom.inspection import ConformityDisplay
       >>> nouns = load_reverse_dictionary()
       >>> display = ConformityDisplay.from_embedding(nouns.data, name="definitions")
       >>> other = ConformityDisplay.from_embedding(nouns.lemma, name="nouns", ax=display.ax_)
       >>> [round(float(one.mean_.get_xdata()[0]), 2) for one in (display, other)]
       [0.09, 0.22]
    """

    def __init__(self, conformity: Any, *, name: str | None = None) -> None:
        self.conformity = check_table(conformity, "conformity", (None,))
        if np.abs(self.conformity).max() > 1 + 1e-6:
            raise ValueError("conformity must hold mean cosines, from -1 to 1.")
        self.name = name

    @classmethod
    def from_embedding(cls, X: Any, reference: Any = None, *, name: str | None = None, ax: Any = None) -> Self:
        """Draw the conformity of rows.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            The embeddings, one per row, none of them zero.
        reference : array of shape (n_reference, n_features), default=None
            The cloud to conform to; None for X itself.
        name : str, default=None
            Name of the cloud in the legend.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        ConformityDisplay
            The Display, after drawing.

        Raises
        ------
        ValueError
            As `skgeom.metrics.conformity`.
        """
        return cls(to_numpy(conformity(X, reference)), name=name).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the distribution.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        ConformityDisplay
            The Display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        with self._drawing(ax) as axes:
            look, mean = next_look(axes), float(self.conformity.mean())
            self.isotropic_ = axes.axvline(0, **REFERENCE, label="isotropic: 0") if is_first(axes) else None
            edges = bin_edges([self.conformity], _BINS)
            label = f"{self.name or 'this cloud'}: mean {mean:.3f}"
            self.histogram_ = mark(histogram(axes, self.conformity, edges, look, label=label))
            self.mean_ = axes.axvline(mean, color=look.color, linestyle=look.linestyle)
            axes.grid(axis="x", visible=False)
            axes.set(xlabel="mean cosine to all other rows (−1 to 1)", ylabel="density")
            legend_above(axes, 2)
        return self
