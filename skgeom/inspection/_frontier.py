"""FrontierDisplay: isotropy against clusters, as far as the data allow both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from skgeom._validation import check_real
from skgeom.inspection._display import BLUE, INK, REFERENCE, Display, legend_above, mark
from skgeom.inspection._numbers import check_table

if TYPE_CHECKING:
    from skgeom.optim import Frontier


_LABEL = 0.15
"""Inches between two points that can have a label each."""


class FrontierDisplay(Display):
    """Score of the clusters against IsoScore, one point for each weight of isotropy.

    The steps join the Pareto front, the points that no other point exceeds in both scores. The cross is the space
    before the optimisation. The dashed line is the collapse bound: classes that have shrunk to points are not to its
    right.

    Parameters
    ----------
    weight, isoscore, score : arrays of shape (n_weights,)
        Weight, IsoScore and cluster score of each point; points that are not finite are not drawn.
    is_optimal : array of shape (n_weights,), bool
        Which points are on the Pareto front.
    start : tuple of float
        IsoScore and score of the space before the optimisation.
    bound : float
        The collapse bound.
    score_name : str, default="silhouette"
        Name of the score.

    Attributes
    ----------
    points_ : matplotlib Line2D
        All points.
    front_ : matplotlib Line2D
        The Pareto front.
    start_ : matplotlib Line2D
        The space before the optimisation.
    bound_ : matplotlib Line2D
        The collapse bound.
    weights_ : list of matplotlib Annotation
        The weights; points that nearly coincide share one annotation.
    ax_, figure_
        The axes and the figure.

    Raises
    ------
    ValueError
        If the arrays differ in length.

    See Also
    --------
    skgeom.optim.isotropy_cluster_frontier : The numbers; `Frontier.plot` is a shortcut.

    Examples
    --------
    .. plot::
       :context: close-figs

       >>> from sklearn.datasets import load_digits
       >>> from skgeom.inspection import FrontierDisplay
       >>> from skgeom.optim import EmbeddingOptimizer, isotropy_cluster_frontier
       >>> X, y = load_digits(return_X_y=True)
       >>> fast = EmbeddingOptimizer(
       ...     parametrization="points", learning_rate=0.05, max_iter=40, monitor=None, random_state=0
       ... )
       >>> frontier = isotropy_cluster_frontier(X[:100] / 16, y[:100] % 2, [0, 0.2, 1], estimator=fast)
       >>> display = FrontierDisplay.from_frontier(frontier)
       >>> [text.get_text() for text in display.weights_]
       ['0', '0.2', '1']
    """

    def __init__(
        self,
        weight: Any,
        isoscore: Any,
        score: Any,
        *,
        is_optimal: Any,
        start: tuple[float, float],
        bound: float,
        score_name: str = "silhouette",
    ) -> None:
        self.weight = check_table(weight, "weight", (None,))
        n = self.weight.size
        self.isoscore, self.score = (
            check_table(values, name, (n,), finite=False) for values, name in ((isoscore, "isoscore"), (score, "score"))
        )
        self.is_optimal = check_table(is_optimal, "is_optimal", (n,)).astype(bool)
        self.start = check_table(start, "start", (2,), finite=False)
        self.bound, self.score_name = check_real(bound, "bound", 0, 1), score_name

    @classmethod
    def from_frontier(cls, frontier: Frontier, *, ax: Any = None) -> Self:
        """Draw the result of `skgeom.optim.isotropy_cluster_frontier`.

        Parameters
        ----------
        frontier : Frontier
            The result to draw.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        FrontierDisplay
            The Display, after drawing.
        """
        return cls(
            frontier.weight,
            frontier.isoscore,
            frontier.score,
            is_optimal=frontier.is_optimal,
            start=frontier.start,
            bound=frontier.bound,
            score_name=frontier.score_name,
        ).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the points, the front, the start and the bound.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        FrontierDisplay
            The Display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        with self._drawing(ax) as axes:
            best = np.flatnonzero(self.is_optimal)
            front = best[np.argsort(self.isoscore[best])]
            step: Any = {"drawstyle": "steps-pre", "color": BLUE, "label": "Pareto front"}
            (self.front_,) = axes.plot(self.isoscore[front], self.score[front], **step)
            self.points_ = mark(axes.plot(self.isoscore, self.score, "o", color=BLUE)[0])
            (self.start_,) = axes.plot(*self.start, "x", color=INK, markersize=8, mew=2, label="as it came")
            self.bound_ = axes.axvline(self.bound, **REFERENCE, label="collapse bound")
            axes.set(xlabel="IsoScore (0 to 1)", ylabel=self.score_name.replace("_", " "), xlim=(-0.05, 1.05))
            axes.margins(y=0.12)
            self.weights_ = self._draw_weights(axes)
            legend_above(axes, 3)
        return self

    def _draw_weights(self, axes: Any) -> list[Any]:
        """Write each weight beside its point; points that nearly coincide share the text beside the first."""
        known = np.isfinite(self.isoscore + self.score)
        at, weight = np.stack([self.isoscore, self.score], axis=1)[known], self.weight[known]
        points = axes.transData.transform(at) / axes.figure.dpi
        near = np.linalg.norm(points[:, None] - points, axis=2) < _LABEL
        first = np.argmax(near, axis=1) if near.size else np.empty(0, int)
        return [
            axes.annotate(
                ", ".join(f"{w:g}" for w in weight[first == i]),
                at[i],
                (6, 4),
                textcoords="offset points",
                fontsize=9,
            )
            for i in np.unique(first)
        ]
