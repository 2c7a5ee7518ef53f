"""SilhouetteDisplay: Rousseeuw's bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from skgeom._array import to_numpy
from skgeom._validation import check_classes, check_labels
from skgeom.inspection._display import BLUE, GREY, REFERENCE, VERMILION, CloudDisplay, mark
from skgeom.inspection._numbers import check_table
from skgeom.metrics import silhouette_samples
from skgeom.metrics._clusters import Metric

_LABEL = 0.17
"""Inches that the name of a class needs."""

_GAP = 0.15
"""Room between two classes, as a share of that of a name."""


class SilhouetteDisplay(CloudDisplay):
    """Silhouette of each row as a bar, by class, in descending order: Rousseeuw's picture.

    The height of a class is its number of rows, plus some room for the names of small classes. The further it reaches
    to the right, the more compact it is. Hatched bars to the left of 0 are rows that are nearer to another class than
    to their own. The dashed line is the mean.

    Parameters
    ----------
    silhouettes : array of shape (n_samples,)
        Silhouette of each row, in [-1, 1].
    labels : array of shape (n_samples,)
        Class of each row: numbers or strings, with 2 to n_samples - 1 different values.
    names : sequence of str, default=None
        Names of the classes in their sorted order; None for the labels themselves.

    Attributes
    ----------
    classes : array of shape (n_classes,)
        The labels, sorted, from the top of the picture to the bottom.
    means : array of shape (n_classes,)
        Mean silhouette of each class.
    bars_ : list of matplotlib StepPatch
        The bars of each class, from the top down.
    negative_ : list of matplotlib StepPatch
        The part of each that is below 0.
    mean_ : matplotlib Line2D
        The mean over all rows.
    ax_, figure_
        The axes and the figure.

    Raises
    ------
    ValueError
        If the silhouettes are not numbers in [-1, 1], or the labels do not fit.

    See Also
    --------
    skgeom.metrics.silhouette_samples : The numbers.
    skgeom.metrics.silhouette_terms : Whether a class is tight or far from others.

    References
    ----------
    Rousseeuw 1987, doi:10.1016/0377-0427(87)90125-7.

    Examples
    --------
    .. plot::
       :context: close-figs

       >>> from sklearn.datasets import load_digits
       >>> from skgeom.inspection import SilhouetteDisplay
       >>> X, y = load_digits(return_X_y=True)
       >>> display = SilhouetteDisplay.from_embedding(X, y)
       >>> round(display.mean_.get_xdata()[0], 2), int(display.means.argmin())
       (0.16, 1)
    """

    def __init__(self, silhouettes: Any, labels: Any, *, names: Sequence[str] | None = None) -> None:
        self.silhouettes = check_table(silhouettes, "silhouettes", (None,))
        if np.abs(self.silhouettes).max() > 1:
            raise ValueError("silhouettes must be in [-1, 1].")
        found = check_labels(labels, self.silhouettes.size)
        self.classes = check_classes(labels, self.silhouettes.size)[0]
        members = np.split(self.silhouettes[found.order], np.cumsum(found.sizes)[:-1])
        self._members = [np.sort(values)[::-1] for values in members]
        self.means = np.array([values.mean() for values in members])
        self.names = [str(label) for label in (self.classes if names is None else names)]
        if len(self.names) != len(self._members):
            raise ValueError(f"Found {len(self.names)} names for {len(self._members)} classes: pass one for each.")

    @classmethod
    def from_embedding(
        cls, X: Any, labels: Any, *, metric: Metric = "euclidean", names: Sequence[str] | None = None, ax: Any = None
    ) -> Self:
        """Draw the silhouettes of rows.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            The embeddings, one per row.
        labels : array of shape (n_samples,)
            Class of each row.
        metric : str, default="euclidean"
            The distance, as in `skgeom.metrics.silhouette_samples`.
        names : sequence of str, default=None
            Names of the classes in their sorted order.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        SilhouetteDisplay
            The Display, after drawing.

        Raises
        ------
        ValueError
            As `skgeom.metrics.silhouette_samples`.
        """
        return cls(to_numpy(silhouette_samples(X, labels, metric=metric)), labels, names=names).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a new figure, high enough for the names of all classes.

        Returns
        -------
        SilhouetteDisplay
            The Display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        n_classes, mean = len(self._members), float(self.silhouettes.mean())
        with self._drawing(ax, height=max(3.4, 0.9 + 1.3 * _LABEL * n_classes)) as axes:
            sizes = np.array([values.size for values in self._members])
            room = _rooms(sizes, axes.get_window_extent().height / axes.figure.dpi)
            middles = np.cumsum(room) - room / 2
            self.bars_, self.negative_ = [], []
            for values, middle in zip(self._members, middles, strict=True):
                edges = middle - values.size / 2 + np.arange(values.size + 1)
                self.bars_.append(_bars(axes, values.clip(min=0), edges, BLUE, ""))
                self.negative_.append(_bars(axes, values.clip(max=0), edges, VERMILION, "//////"))
            mark(self.bars_[0])
            self.mean_ = axes.axvline(mean, **REFERENCE, label=f"mean {mean:.3f}")
            axes.axvline(0, color=GREY, linewidth=0.8)
            axes.set_ylim(room.sum(), 0)
            axes.set_yticks(middles, self.names, fontsize=9)
            axes.tick_params(axis="y", length=0)
            axes.grid(axis="y", visible=False)
            axes.set_xlabel("silhouette (−1 to 1)")
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)
        return self


def _rooms(sizes: np.ndarray, height: float) -> np.ndarray:
    """Return the height of each class in rows: that of its bars, or of its name if that is larger."""
    share = min(_LABEL / height, 0.9 / sizes.size)
    name = 0.0
    for _ in range(100):  # converges, since all names together take less than the height
        room = np.maximum(sizes + _GAP * name, name)
        name = share * room.sum()
    return room


def _bars(axes: Any, values: np.ndarray, edges: np.ndarray, color: str, hatch: str) -> Any:
    style = {"facecolor": color, "edgecolor": "white" if hatch else color, "linewidth": 0 if hatch else 0.3}
    return axes.stairs(values, edges, orientation="horizontal", fill=True, hatch=hatch, **style)
