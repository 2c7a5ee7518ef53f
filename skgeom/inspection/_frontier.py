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
    """IsoScore to the right, the score of the clusters upwards, one point for each weight of isotropy.

    The steps join the points that no other beats in both, the Pareto front: a space below them is beaten. The cross is
    the space as it came. The dashed line is the collapse bound: to its right no classes have shrunk to points.

    Parameters
    ----------
    weight, isoscore, score : arrays of shape (n_weights,)
        The weight of each point, and what became of both; what is not finite is not drawn.
    is_optimal : array of shape (n_weights,), bool
        Which points are on the Pareto front.
    start : tuple of float
        IsoScore and score of the space as it came.
    bound : float
        The collapse bound.
    score_name : str, default="silhouette"
        What the score is called.

    Attributes
    ----------
    points_ : matplotlib Line2D
        All points.
    front_ : matplotlib Line2D
        The Pareto front.
    start_ : matplotlib Line2D
        The space as it came.
    bound_ : matplotlib Line2D
        The collapse bound.
    weights_ : list of matplotlib Annotation
        The weights, those of points that nearly coincide in one.
    ax_, figure_
        Where it was drawn.

    Raises
    ------
    ValueError
        If the arrays are not of one length.

    See Also
    --------
    skgeom.optim.isotropy_cluster_frontier : The numbers; `Frontier.plot` is a short way here.

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
        """Draw what `skgeom.optim.isotropy_cluster_frontier` found.

        Parameters
        ----------
        frontier : Frontier
            What it returned.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        FrontierDisplay
            The Display, drawn.
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
            Where to draw; None makes a new figure.

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
        """Write the weights beside their points, those of points that nearly coincide beside the first of them."""
        known = np.isfinite(self.isoscore + self.score)
        at, weight = np.stack([self.isoscore, self.score], axis=1)[known], self.weight[known]
        points = axes.transData.transform(at) / axes.figure.dpi
        first = np.argmax(np.linalg.norm(points[:, None] - points, axis=2) < _LABEL, axis=1)
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
