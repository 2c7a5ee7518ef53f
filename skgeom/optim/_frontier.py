"""Isotropy against clusters: how much of both the data allow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

from skgeom._array import as_data, copied, detached, to_float, to_numpy
from skgeom._frames import frame_of
from skgeom._typing import Array
from skgeom._validation import check_classes, check_cloud, check_labels, check_numbers
from skgeom.metrics import collapse_bound, isoscore
from skgeom.metrics._measure import MEASURES
from skgeom.optim._checks import (
    check_number,
    check_pair,
    check_score,
    check_takes_new_rows,
    check_test_width,
    check_without_isoscore,
)
from skgeom.optim._embedding_optimizer import EmbeddingOptimizer, Objective
from skgeom.optim._history import History
from skgeom.optim._monitors import unique_names
from skgeom.optim._requirement import load

if TYPE_CHECKING:
    from skgeom.inspection import FrontierDisplay

Score: TypeAlias = str | Callable[..., Any]
"""A measure of how well clusters separate: one of labelled rows or "accuracy" by name, or a function."""

SCORES = {name: row for name, row in MEASURES.items() if row.needs == "labels"}
"""The measures of labelled rows by name."""


@dataclass(frozen=True)
class Frontier:
    """The trade-off between isotropy and clusters, as returned by `isotropy_cluster_frontier`.

    Attributes
    ----------
    weight : array of shape (n_weights,)
        The weight of IsoScore in the objective of each point.
    isoscore : array of shape (n_weights,)
        IsoScore of each optimised space, in [0, 1].
    score : array of shape (n_weights,)
        Its silhouette, in [-1, 1], or another score, of which more is better: minus the measure if less is better, as
        for "davies_bouldin".
    is_optimal : array of shape (n_weights,), bool
        Whether no other point is as good in both and better in one: the Pareto front. A score of NaN is not on it.
    score_name : str
        "silhouette" or the name of the other score, with ``"neg_"`` before a negated measure.
    start : tuple of float
        IsoScore and score before the optimisation, of held-out rows if the points are.
    bound : float
        Largest IsoScore of classes that have shrunk to a point each: the limit of a silhouette of 1.
    n_classes, n_features : int
        Number of classes and of features, which determine the bound.
    histories : tuple of History
        The records of the fit of each point.
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

    def plot(self, ax: Any = None) -> FrontierDisplay:
        """Draw the points with their weights, the Pareto front, the start and the collapse bound.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        skgeom.inspection.FrontierDisplay
            The Display, after drawing: the score against IsoScore.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        from skgeom.inspection import FrontierDisplay

        return FrontierDisplay.from_frontier(self, ax=ax)

    def __str__(self) -> str:
        width = max(10, len(self.score_name))
        lines = [f"{'weight':>10} {'IsoScore':>10} {self.score_name:>{width}}"]
        lines += [f"{'start':>10} {self.start[0]:10.4f} {self.start[1]:{width}.4f}"]
        points = zip(self.weight, self.isoscore, self.score, self.is_optimal, strict=True)
        lines += [f"{w:10.4g} {i:10.4f} {s:{width}.4f}{'  Pareto' if best else ''}" for w, i, s, best in points]
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
    test: tuple[Any, Any] | None = None,
    estimator: EmbeddingOptimizer | None = None,
) -> Frontier:
    r"""Trace the trade-off between isotropy and clusters on your data.

    For each weight w the embedding is optimised, starting from X, for

    .. math:: \min\; \text{objective} - w \cdot \mathrm{IsoScore},

    and IsoScore and the silhouette (or another score) of the result make one point. The claim that
    the two exclude each other [1]_ holds with few classes: if classes become points, IsoScore is at most
    (min(k - 1, d) - 1)/(d - 1), the collapse bound.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.
    y : array of shape (n_samples,)
        Class of each row.
    weights : array of shape (n_weights,)
        The weights w: 0 ignores isotropy, negative weights reduce it. The balance tips from clusters to
        isotropy between 0.001 and 1 under "cross_entropy", and around n_samples² under "silhouette_objective" (which
        needs a constraint on the norms).
    objective : str, callable or dict, default="cross_entropy"
        The objective that pulls the classes together, as in `EmbeddingOptimizer`, without "isoscore".
    score : str or callable, default="silhouette"
        Score of the clusters: any measure of labelled rows by name, such as "silhouette", "dunn" or
        "calinski_harabasz"; if less is better, as for "davies_bouldin", it is negated. "accuracy" is that of logistic
        regression: 5-fold on the optimised rows, which have seen all labels, an optimistic probe; with `test`, trained
        on the mapped rows of X and judged on held-out ones. Or a function ``f(embedding, y)`` to a number, of which
        more is better.
    test : tuple (X_test, y_test), default=None
        Held-out rows and their classes, mapped by the map learnt from X, on which all points and the start are
        measured. It needs ``parametrization="linear"``: "points" cannot map new rows.
    estimator : EmbeddingOptimizer, default=None
        The optimiser; its objective is replaced. None stands for ``EmbeddingOptimizer(
        parametrization="points", learning_rate=0.01, max_iter=500, monitor=None, random_state=0)``, and with `test` for
        the same with ``parametrization="linear"``.

    Returns
    -------
    Frontier
        The points, the Pareto-optimal ones among them, and the collapse bound. ``print`` shows a table, `Frontier.plot`
        draws it.

    Raises
    ------
    ValueError
        If the weights are not finite numbers, "isoscore" is in the objective, the score is unknown, `test` goes
        with points or has other features, y has fewer than two classes or one for each row, or as `EmbeddingOptimizer`
        does.
    TypeError
        If the score is neither a name nor a callable, or `test` is not a tuple of two.
    Exception
        Any exception of a fit or a measure. Its attribute ``frontier`` holds the `Frontier` of the weights before, if
        there are any: ``except Exception as error: print(error.frontier)``.
    ImportError
        If Torch is not installed.

    Warns
    -----
    ConvergenceWarning
        As for `EmbeddingOptimizer`. After an interrupt (Ctrl-C) the current point is the last.

    See Also
    --------
    skgeom.metrics.collapse_bound : The bound alone.

    Notes
    -----
    Each point costs one fit. Every fit starts from X, so points do not depend on each other.

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
    check_score(score, [*SCORES, "accuracy"])
    template = _default(test is not None) if estimator is None else estimator
    judged = _Judged(X, y, test, score)
    if test is not None:
        check_takes_new_rows(template.parametrization)
    w = np.atleast_1d(check_numbers(weights, "weights"))
    terms = _weighted(objective)
    start = judged.measured(None)
    found: list[Point] = []
    try:
        for weight in w.tolist():
            fitted = clone(template).set_params(objective={**terms, "isoscore": -weight}).fit(X, y)
            found.append(Point(weight, *judged.measured(fitted), fitted.history_))
            if fitted.was_interrupted_:
                break
    except BaseException as error:
        if found:
            error.frontier = _frontier(found, judged, start)  # type: ignore[attr-defined]
            error.add_note(
                f"The attribute frontier of this exception has the points of the first {len(found)} weights."
            )
        raise
    return _frontier(found, judged, start)


class Point(NamedTuple):
    """One weight, its IsoScore and score, and the records of the fit."""

    weight: float
    isoscore: float
    score: float
    history: History


class _Judged:
    """The rows to measure, of the fit or held out, and their score."""

    def __init__(self, X: Any, y: Any, test: Any, score: Score) -> None:
        self.score = score
        self.train = X
        self.rows, self.y = (X, y) if test is None else check_pair(test, "test", "(X_test, y_test)")
        self.is_held_out = test is not None
        self.y_train, train = _with_classes(X, y, "X")
        self.classes, x = _with_classes(self.rows, self.y, "X" if test is None else "X_test")
        self.clusters = check_labels(self.classes, x.shape[0], name="classes")
        self.n_classes, self.n_features = np.unique(self.y_train).size, train.shape[1]
        check_test_width(x, self.n_features)

    @property
    def name(self) -> str:
        """Name of the score."""
        if not isinstance(self.score, str):
            return unique_names([self.score], ("weight", "isoscore", "is_optimal"))[0]
        return f"neg_{self.score}" if self.score in SCORES and SCORES[self.score].direction < 0 else self.score

    def measured(self, fitted: EmbeddingOptimizer | None) -> tuple[float, float]:
        """Return IsoScore and score of the rows of an optimiser, or of the original rows."""
        z = _made(fitted, self.rows)
        return to_float(isoscore(z)), self._scored(z, fitted)

    def _scored(self, z: Array, fitted: EmbeddingOptimizer | None) -> float:
        if not isinstance(self.score, str):
            return check_number(self.score(copied(as_data(z)), self.y), "score")
        if self.score in SCORES:
            row = SCORES[self.score]
            return row.direction * to_float(row(z, self.clusters))
        probe = LogisticRegression(max_iter=1000)
        if not self.is_held_out:
            return float(cross_val_score(probe, to_numpy(z), self.classes).mean())
        return float(probe.fit(to_numpy(_made(fitted, self.train)), self.y_train).score(to_numpy(z), self.classes))


def _with_classes(X: Any, y: Any, name: str) -> tuple[np.ndarray, Array]:
    """Return the class of each row, on the host, and the rows."""
    x = check_cloud(X, name=name)
    classes, codes = check_classes(y, x.shape[0])
    return classes[codes], x


def _made(fitted: EmbeddingOptimizer | None, rows: Any) -> Array:
    """Return the rows of an optimiser: its own if it moved them, else mapped ones; without one the rows themselves."""
    if fitted is None:
        return detached(check_cloud(rows))
    return detached(fitted.embedding_ if hasattr(fitted, "embedding_") else check_cloud(fitted.transform(rows)))


def _frontier(found: list[Point], judged: _Judged, start: tuple[float, float]) -> Frontier:
    weight, isotropy, separation, histories = zip(*found, strict=True)
    points = np.array([isotropy, separation]).T
    return Frontier(
        np.array(weight),
        points[:, 0],
        points[:, 1],
        _are_optimal(points),
        judged.name,
        start,
        collapse_bound(judged.n_classes, judged.n_features),
        judged.n_classes,
        judged.n_features,
        histories,
    )


def _default(maps: bool) -> EmbeddingOptimizer:
    return EmbeddingOptimizer(
        parametrization="linear" if maps else "points", learning_rate=0.01, max_iter=500, monitor=None, random_state=0
    )


def _weighted(objective: Any) -> dict[Any, float]:
    """Return an objective as a dict of weights with which minimising improves it."""
    terms = load("_terms").terms_of(objective, ())
    keys = list(objective) if isinstance(objective, dict) else [objective]
    check_without_isoscore(getattr(term.source, "name", None) for term in terms)
    return {key: term.weight for key, term in zip(keys, terms, strict=True)}


def _are_optimal(points: np.ndarray) -> np.ndarray:
    """Return for each point (m, 2) whether it is known, and no other is as large in both values and larger in one."""
    as_large = (points[:, None, :] >= points[None, :, :]).all(axis=2)
    larger = (points[:, None, :] > points[None, :, :]).any(axis=2)
    return ~(as_large & larger).any(axis=0) & ~np.isnan(points).any(axis=1)
