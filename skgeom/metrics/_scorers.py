"""Scorers of representations: what scikit-learn's model selection calls with ``(estimator, X, y)``.

scikit-learn's own `make_scorer` compares predictions with targets; a geometry has neither. These scorers look at the
representation that reaches the final step. scikit-learn's string names cannot be extended from outside: pass the
objects, several of them in a dict.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from copy import copy
from functools import cache
from typing import Any

from sklearn.base import is_classifier, is_clusterer, is_outlier_detector
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import MetadataRequest

from skgeom._array import place, to_float
from skgeom._validation import check_choice, check_cloud, check_count, check_device, check_host
from skgeom.metrics._checks import check_steps
from skgeom.metrics._measure import MEASURES, mean_in_float64
from skgeom.metrics._neighbours import recall_at_k


class EmbeddingScorer:
    """Callable ``(estimator, X, y=None, *, labels=None) -> float``; made by `make_embedding_scorer`."""

    def __init__(
        self,
        metric: Callable[..., Any],
        /,
        *,
        step: str | Callable[[Any, Any], Any] = "auto",
        greater_is_better: bool = True,
        device: str | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        self.metric = metric
        self.step = step
        self.greater_is_better = greater_is_better
        self.device = device
        self.name = name
        self.options = options
        self._labels_request: bool | str | None = None

    def __call__(self, estimator: Any, X: Any, y: Any = None, *, labels: Any = None) -> float:
        """Return the signed value of the metric for the representation of X."""
        check_device(self.device)
        given = [_representation(estimator, X, self.step)]
        if _takes_two(self.metric):
            given.append(_labels(estimator, X, y, labels))
        if self.device is not None:
            given = [_placed(values, self.device) for values in given]
        value = self.metric(*given, **self.options)
        if getattr(value, "ndim", 0):
            value = mean_in_float64(value)
        return to_float(value) if self.greater_is_better else -to_float(value)

    def set_score_request(self, *, labels: bool | str | None = None) -> EmbeddingScorer:
        """Return a copy that asks metadata routing for `labels`, or for what an alias names."""
        other = copy(self)
        other._labels_request = labels
        return other

    def get_metadata_routing(self) -> MetadataRequest:
        """Return what this scorer asks of scikit-learn's metadata routing."""
        request = MetadataRequest(owner=self)
        request.score.add_request(param="labels", alias=self._labels_request)
        return request

    def __repr__(self) -> str:
        if self.name is not None:
            return self.name
        arguments = [getattr(self.metric, "__name__", repr(self.metric))]
        arguments += [f"step={self.step!r}"] * (self.step != "auto")
        arguments += ["greater_is_better=False"] * (not self.greater_is_better)
        arguments += [f"device={self.device!r}"] * (self.device is not None)
        arguments += [f"{key}={value!r}" for key, value in self.options.items()]
        return f"make_embedding_scorer({', '.join(arguments)})"


def make_embedding_scorer(
    metric: str | Callable[..., Any],
    /,
    *,
    step: str | Callable[[Any, Any], Any] = "auto",
    greater_is_better: bool = True,
    device: str | None = None,
    **options: Any,
) -> EmbeddingScorer:
    """Make a scorer of representations from a measure.

    Parameters
    ----------
    metric : str or callable
        The name of a measure of `skgeom.metrics`, or a function of the representation (n, d), which takes labels as a
        second argument if it needs them. If it returns one value per row, the scorer returns the mean.
    step : "auto", str or callable, default="auto"
        Which representation is scored. "auto": what reaches the final step if that step predicts (classifier,
        regressor, clusterer, outlier detector), else what comes out of it; an aligner, regressor and transformer in
        one, counts as a transformer; a search stands for its best estimator. Otherwise the name of the step of a
        Pipeline whose output is scored, or a function ``(estimator, X) -> representation``.
    greater_is_better : bool, default=True
        False turns the sign, for measures of which less is wanted.
    device : {None, "cpu", "cuda", "cuda:<index>", "auto"}, default=None
        Where host data are moved for the computation.
    **options
        Passed on to the metric.

    Returns
    -------
    EmbeddingScorer
        Called ``scorer(estimator, X, y=None)``. Labels are those routed as ``labels=`` (see its `set_score_request`),
        else y, else the clusters that the estimator predicts.

    Raises
    ------
    ValueError
        If the name of the metric is unknown; when called, if labels are needed and there are none.

    See Also
    --------
    get_scorer : The ready-made ones by name.

    Notes
    -----
    Folds shrink the sample: IsoScore and its kin need n_test well above n_features, or ``debias=True``. A whitening has
    IsoScore near 1 on the rows it was fitted on, by construction: only held-out values mean anything.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import cross_val_score
    >>> from skgeom.metrics import make_embedding_scorer
    >>> from skgeom.preprocessing import Whitening
    >>> X = np.random.default_rng(0).normal(size=(600, 8)) * np.arange(1, 9)
    >>> scorer = make_embedding_scorer("isoscore", debias=True)
    >>> cross_val_score(Whitening(), X, scoring=scorer, cv=3).round(2)
    array([1.  , 0.99, 0.99])
    """
    if isinstance(metric, str):
        row = MEASURES[check_choice(metric, MEASURES, "metric")]
        metric, options = row.function, {**row.options, **options}
    return EmbeddingScorer(metric, step=step, greater_is_better=greater_is_better, device=device, **options)


def recall_scorer(k: int = 1) -> EmbeddingScorer:
    """Make a scorer of aligned pairs: the share of rows whose partner is among the k nearest after the map.

    Parameters
    ----------
    k : int, default=1
        How many of the rows of y, nearest by cosine, are looked at.

    Returns
    -------
    EmbeddingScorer
        Called ``scorer(aligner, X, y)`` with y the targets (n, d): the recall of `retrieval_score`, in [0, 1].

    Raises
    ------
    ValueError, TypeError
        If k is not a positive integer.

    See Also
    --------
    csls_scorer : The same with a correction for hubs.
    retrieval_score : The measure, and its rule for ties.

    Notes
    -----
    The squared error of an aligner picks other parameters than its retrieval. Recall falls with the number of
    candidates: folds of one size compare, folds and the whole do not.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skgeom.alignment import LstsqAligner
    >>> from skgeom.metrics import recall_scorer
    >>> rng = np.random.default_rng(0)
    >>> Y = rng.normal(size=(60, 40))
    >>> X = Y + 0.8 * rng.normal(size=(60, 40))
    >>> search = GridSearchCV(LstsqAligner(prior="identity"), {"alpha": [0.0, 1.0, 100.0]}, scoring=recall_scorer(1))
    >>> search.fit(X, Y).best_params_
    {'alpha': 100.0}
    """
    return EmbeddingScorer(recall_at_k, k=check_count(k, "k"), name=f"recall_scorer({k})")


def csls_scorer(k: int = 1) -> EmbeddingScorer:
    """Make a scorer of aligned pairs as `recall_scorer`, under CSLS, which corrects the cosines for hubs.

    Parameters
    ----------
    k : int, default=1
        How many of the rows of y, nearest by CSLS, are looked at.

    Returns
    -------
    EmbeddingScorer
        Called ``scorer(aligner, X, y)`` with y the targets (n, d): the recall of `retrieval_score`, in [0, 1].

    Raises
    ------
    ValueError, TypeError
        If k is not a positive integer.

    References
    ----------
    Conneau et al. 2018, Word translation without parallel data, arXiv:1710.04087.

    Examples
    --------
    >>> from skgeom.metrics import csls_scorer
    >>> csls_scorer(5)
    csls_scorer(5)
    """
    return EmbeddingScorer(recall_at_k, k=check_count(k, "k"), metric="csls", name=f"csls_scorer({k})")


def get_scorer(name: str) -> EmbeddingScorer:
    """Return a ready-made scorer by its name.

    Parameters
    ----------
    name : str
        One of `get_scorer_names`.

    Returns
    -------
    EmbeddingScorer
        The scorer.

    Raises
    ------
    ValueError
        If there is no scorer of that name.

    Examples
    --------
    >>> from skgeom.metrics import get_scorer
    >>> get_scorer("isoscore")
    isoscore_scorer
    """
    return _ready_made(check_choice(name, get_scorer_names(), "name"))


def get_scorer_names() -> list[str]:
    """Return the names of the ready-made scorers, sorted.

    Returns
    -------
    list of str
        One for each measure, and one with ``neg_`` before the name where more of the measure is not better.

    Examples
    --------
    >>> from skgeom.metrics import get_scorer_names
    >>> get_scorer_names()[:3]
    ['alignment_loss', 'average_cosine', 'axis_sliced_dispersion']
    """
    return sorted([*MEASURES, *(f"neg_{name}" for name, row in MEASURES.items() if row.direction <= 0)])


def _representation(estimator: Any, X: Any, step: str | Callable[[Any, Any], Any]) -> Any:
    """Return the rows that the scorer looks at."""
    if callable(step):
        return step(estimator, X)
    estimator = getattr(estimator, "best_estimator_", estimator)
    if isinstance(estimator, FrozenEstimator):
        return _representation(estimator.estimator, X, step)
    if step != "auto":
        check_steps(estimator)
        check_choice(step, [name for name, _ in estimator.steps], "step")
        last = [name for name, _ in estimator.steps].index(step)
        return estimator[: last + 1].transform(X)
    if isinstance(estimator, Pipeline):
        before = estimator[:-1].transform(X) if len(estimator) > 1 else X
        return _representation(estimator[-1], before, step)
    return X if _predicts(estimator) else estimator.transform(X)


def _predicts(step: Any) -> bool:
    """Return whether a step is there to predict: by what it is, since many predictors have a `transform` too."""
    if not hasattr(step, "transform"):
        return True
    return is_classifier(step) or is_clusterer(step) or is_outlier_detector(step)


def _placed(values: Any, device: str) -> Any:
    """Return rows on a device; labels stay where they are."""
    if len(getattr(values, "shape", ())) < 2:
        return values
    check_host(values, device)
    return place(check_cloud(values), device)


def _takes_two(metric: Callable[..., Any]) -> bool:
    parameters = inspect.signature(metric).parameters.values()
    required = [
        p for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    return len(required) > 1


def _labels(estimator: Any, X: Any, y: Any, labels: Any) -> Any:
    if labels is not None:
        return labels
    if y is not None:
        return y
    if is_clusterer(estimator) and hasattr(estimator, "predict"):
        return estimator.predict(X)
    raise ValueError(
        "This scorer needs labels: pass y (for pairs, the rows that belong to those of X), route them as labels= with "
        "scorer.set_score_request(labels=True) and sklearn.set_config(enable_metadata_routing=True), or score a "
        "clusterer that can predict."
    )


@cache
def _ready_made(name: str) -> EmbeddingScorer:
    """Return the scorer of a measure, or of its negative."""
    row = MEASURES[name.removeprefix("neg_")]
    return EmbeddingScorer(
        row.function, greater_is_better=not name.startswith("neg_"), name=f"{name}_scorer", **row.options
    )


isoscore_scorer = _ready_made("isoscore")
silhouette_scorer = _ready_made("silhouette")
conformity_scorer = _ready_made("conformity")
neg_conformity_scorer = _ready_made("neg_conformity")
average_cosine_scorer = _ready_made("average_cosine")
neg_average_cosine_scorer = _ready_made("neg_average_cosine")
effective_rank_scorer = _ready_made("effective_rank")
paired_cosine_scorer = _ready_made("paired_cosine")
partition_isotropy_scorer = _ready_made("partition_isotropy")
