"""Isotropy against clusters: what a user's data allow of both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

from skgeom._array import detached, to_float, to_numpy
from skgeom._core._labels import Labels
from skgeom._frames import frame_of
from skgeom._typing import Array
from skgeom._validation import check_choice, check_classes, check_cloud, check_labels, check_numbers
from skgeom.metrics import collapse_bound, isoscore, silhouette_score
from skgeom.optim._embedding_optimizer import EmbeddingOptimizer, Objective
from skgeom.optim._history import History
from skgeom.optim._requirement import load

Score: TypeAlias = Literal["silhouette", "accuracy"]
"""What says how well the clusters separate."""


@dataclass(frozen=True)
class Frontier:
    """The trade-off between isotropy and clusters: what `isotropy_cluster_frontier` returns.

    Attributes
    ----------
    weight : array of shape (n_weights,)
        The weight of IsoScore in the objective of each point.
    isoscore : array of shape (n_weights,)
        IsoScore of each optimised space, in [0, 1].
    score : array of shape (n_weights,)
        Its silhouette, in [-1, 1], or the accuracy of a linear probe, in [0, 1].
    is_optimal : array of shape (n_weights,), bool
        Whether no other point is as good in both and better in one: the Pareto front.
    score_name : str
        "silhouette" or "accuracy".
    start : tuple of float
        IsoScore and score of the space as it came.
    bound : float
        Largest IsoScore of classes that have shrunk to a point each: the limit of a silhouette of 1.
    n_classes, n_features : int
        What the bound follows from.
    histories : tuple of History
        What was recorded on the way to each point.
    """

    weight: np.ndarray
    isoscore: np.ndarray
    score: np.ndarray
    is_optimal: np.ndarray
    score_name: str
    start: tuple[float, float]
    bound: float
    n_classes: int
    n_features: int
    histories: tuple[History, ...] = field(repr=False)

    def to_frame(self) -> Any:
        """Return the points as a pandas frame.

        Returns
        -------
        pandas.DataFrame
            Columns weight, isoscore, the score by its name, and is_optimal; one row for each weight.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        return frame_of(
            {
                "weight": self.weight,
                "isoscore": self.isoscore,
                self.score_name: self.score,
                "is_optimal": self.is_optimal,
            }
        )

    def plot(self, ax: Any = None) -> Any:
        """Draw the points with their weights, the Pareto front, the start and the collapse bound.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        matplotlib.axes.Axes
            The axes: IsoScore to the right, the score upwards.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        axes = _new_axes() if ax is None else ax
        front = np.flatnonzero(self.is_optimal)[np.argsort(self.isoscore[self.is_optimal])]
        axes.plot(self.isoscore[front], self.score[front], "-", color="C0", label="Pareto front")
        axes.plot(self.isoscore, self.score, "o", color="C0")
        for point in zip(self.weight, self.isoscore, self.score, strict=True):
            axes.annotate(f"{point[0]:g}", point[1:], (4, 4), textcoords="offset points", fontsize="small")
        axes.plot(*self.start, "o", color="C1", label="start")
        axes.axvline(self.bound, color="0.4", ls="--", label="collapse bound")
        axes.set(xlabel="IsoScore", ylabel=self.score_name, xlim=(-0.05, 1.05))
        axes.legend()
        return axes

    def __str__(self) -> str:
        lines = [f"{'weight':>10} {'IsoScore':>10} {self.score_name:>10}"]
        lines += [f"{'start':>10} {self.start[0]:10.4f} {self.start[1]:10.4f}"]
        points = zip(self.weight, self.isoscore, self.score, self.is_optimal, strict=True)
        lines += [f"{w:10.4g} {i:10.4f} {s:10.4f}{'  Pareto' if best else ''}" for w, i, s, best in points]
        return "\n".join(
            [
                *lines,
                f"Collapse bound: {self.n_classes} classes in {self.n_features} dimensions that have shrunk to points "
                f"have an IsoScore of at most {self.bound:.4f}.",
            ]
        )


def isotropy_cluster_frontier(
    X: Any,
    y: Any,
    weights: Any,
    *,
    objective: Objective = "cross_entropy",
    score: Score = "silhouette",
    estimator: EmbeddingOptimizer | None = None,
) -> Frontier:
    r"""Trace how far isotropy and clusters can go together on one's own data.

    For each weight w the embedding is optimised, from X on, for

    .. math:: \min\; \text{objective} - w \cdot \mathrm{IsoScore},

    and IsoScore and the silhouette (or the accuracy of a linear probe) of the result make one point. The claim that
    the two exclude each other [1]_ holds with few classes: if classes become points, IsoScore is at most
    (min(k - 1, d) - 1)/(d - 1), the collapse bound.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.
    y : array of shape (n_samples,)
        Class of each row.
    weights : array of shape (n_weights,)
        The weights w: 0 leaves isotropy alone, negative ones work against it. The balance tips from clusters to
        isotropy between 0.001 and 1 under "cross_entropy", and around n_samples² under "silhouette_objective" (which
        needs a constraint on the norms).
    objective : str, callable or dict, default="cross_entropy"
        What pulls the classes together, as in `EmbeddingOptimizer`, without "isoscore".
    score : {"silhouette", "accuracy"}, default="silhouette"
        What the clusters are judged by: the Euclidean silhouette, or the 5-fold accuracy of logistic regression on the
        optimised rows, which have seen all labels: an optimistic probe.
    estimator : EmbeddingOptimizer, default=None
        How to optimise; its objective is replaced. None stands for ``EmbeddingOptimizer(
        parametrization="points", learning_rate=0.01, max_iter=500, monitor=None, random_state=0)``.

    Returns
    -------
    Frontier
        The points, which of them are Pareto-optimal, and the collapse bound. ``print`` shows a table, `Frontier.plot`
        draws it.

    Raises
    ------
    ValueError
        If the weights are not finite numbers, y has fewer than two classes or one for each row, or as
        `EmbeddingOptimizer` does.
    Exception
        Whatever a fit or a measure raises. Its attribute ``frontier`` holds the `Frontier` of the weights before, if
        there are any: ``except Exception as error: print(error.frontier)``.
    ImportError
        If Torch is not installed.

    Warns
    -----
    ConvergenceWarning
        As `EmbeddingOptimizer` does. After an interrupt (Ctrl-C) the point under way is the last.

    See Also
    --------
    skgeom.metrics.collapse_bound : The bound alone.

    Notes
    -----
    Each point costs one fit. Every fit starts from X, so that points do not depend on each other.

    References
    ----------
    .. [1] Mickus, Grönroos & Attieh 2024, Isotropy, clusters, and classifiers, arXiv:2402.03191.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skgeom.optim import EmbeddingOptimizer, isotropy_cluster_frontier
    >>> X, y = load_digits(return_X_y=True)
    >>> fast = EmbeddingOptimizer(
    ...     parametrization="points", learning_rate=0.05, max_iter=60, monitor=None, random_state=0
    ... )
    >>> frontier = isotropy_cluster_frontier(X[:200] / 16, y[:200] % 2, [0, 1, 100], estimator=fast)
    >>> frontier.bound, bool((frontier.isoscore > frontier.bound).all())
    (0.0, True)
    >>> bool(frontier.score[0] > frontier.score[2]), bool(frontier.isoscore[0] < frontier.isoscore[2])
    (True, True)
    """
    x = check_cloud(X)
    clusters = check_labels(check_classes(y, x.shape[0])[1], x.shape[0], name="classes")
    check_choice(score, get_args(Score), "score")
    w = np.atleast_1d(check_numbers(weights, "weights"))
    template = _default() if estimator is None else estimator
    terms = _weighted(objective)
    start = _measured(x, y, clusters, score)
    found: list[Point] = []
    shape = clusters.sizes.shape[0], x.shape[1]
    try:
        for weight in w.tolist():
            fitted = clone(template).set_params(objective={**terms, "isoscore": -weight})
            values = _measured(fitted.fit_transform(X, y), y, clusters, score)
            found.append(Point(weight, *values, fitted.history_))
            if fitted.was_interrupted_:
                break
    except BaseException as error:
        if found:
            error.frontier = _frontier(found, score, start, *shape)  # type: ignore[attr-defined]
            error.add_note(f"The frontier of the first {len(found)} weights is kept: the attribute frontier of this.")
        raise
    return _frontier(found, score, start, *shape)


class Point(NamedTuple):
    """One weight, what became of both under it, and what was recorded on the way."""

    weight: float
    isoscore: float
    score: float
    history: History


def _frontier(found: list[Point], score: str, start: tuple[float, float], n_classes: int, n_features: int) -> Frontier:
    weight, isotropy, separation, histories = zip(*found, strict=True)
    points = np.array([isotropy, separation]).T
    return Frontier(
        np.array(weight),
        points[:, 0],
        points[:, 1],
        _are_optimal(points),
        score,
        start,
        collapse_bound(n_classes, n_features),
        n_classes,
        n_features,
        histories,
    )


def _new_axes() -> Any:
    try:
        from matplotlib.pyplot import subplots
    except ImportError as error:
        raise ImportError("plot needs matplotlib, which is not installed: pip install matplotlib") from error
    return subplots(layout="constrained")[1]


def _default() -> EmbeddingOptimizer:
    return EmbeddingOptimizer(parametrization="points", learning_rate=0.01, max_iter=500, monitor=None, random_state=0)


def _weighted(objective: Any) -> dict[Any, float]:
    """Return an objective as a dict of weights under which it gets better."""
    terms = load("_terms").terms_of(objective, ())
    keys = list(objective) if isinstance(objective, dict) else [objective]
    return {key: term.weight for key, term in zip(keys, terms, strict=True)}


def _measured(z: Array, y: Any, clusters: Labels, score: str) -> tuple[float, float]:
    z = detached(z)
    isotropy = to_float(isoscore(z))
    if score == "silhouette":
        return isotropy, to_float(silhouette_score(z, clusters))
    codes = check_classes(y, z.shape[0])[1]
    return isotropy, float(cross_val_score(LogisticRegression(max_iter=1000), to_numpy(z), codes).mean())


def _are_optimal(points: np.ndarray) -> np.ndarray:
    """Tell of each point (m, 2) whether no other is as large in both values and larger in one."""
    as_large = (points[:, None, :] >= points[None, :, :]).all(axis=2)
    larger = (points[:, None, :] > points[None, :, :]).any(axis=2)
    return np.logical_not((as_large & larger).any(axis=0))
