"""Scorers of representations for scikit-learn's model selection, with the signature ``(estimator, X, y)``.

scikit-learn's own `make_scorer` compares predictions with targets; a geometry has neither. These scorers measure the
output of the estimator that `_representation` selects. scikit-learn's string names cannot be extended: pass the
objects, several of them in a dict.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable
from copy import copy
from functools import cache, partial
from typing import Any

import numpy as np
from sklearn.utils.metadata_routing import MetadataRequest

from skgeom._array import in_full_precision, take_rows
from skgeom._validation import check_choice, check_cloud, check_column, check_count, check_device, listed
from skgeom.metrics._checks import pairs_of_one_kind, rows_to_send, sent
from skgeom.metrics._estimate import Estimate, estimate
from skgeom.metrics._measure import MEASURES, Needs, as_one_number
from skgeom.metrics._neighbours import recall_at_k
from skgeom.metrics._representation import (
    Metadata,
    Step,
    check_metadata,
    check_partners,
    clustered,
    ends_in_clusterer,
    ends_in_regressor,
    mapped,
    representation,
)
from skgeom.metrics._similarity import cosine_pearson, cosine_spearman


class EmbeddingScorer:
    """Callable ``(estimator, X, y=None, *, labels=None, **metadata) -> float``; made by `make_embedding_scorer`."""

    def __init__(
        self,
        metric: Callable[..., Any],
        /,
        *,
        step: Step = "auto",
        greater_is_better: bool = True,
        noise_label: Any = None,
        device: str | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        self.metric = metric
        self.step = step
        self.greater_is_better = greater_is_better
        self.noise_label = noise_label
        self.device = device
        self.name = name
        self.options = options
        self._requested: dict[str, bool | str | None] = {"labels": None, "groups": True}
        if self._takes_relevant():
            self._requested["relevant"] = True
        if noise_label is not None and _needs_of(metric) not in ("labels", None):
            raise ValueError(
                f"noise_label={noise_label!r} is for measures of labelled rows, and {self!r} has no labels."
            )
        if np.ndim(noise_label) > 0 or not isinstance(noise_label, Hashable):
            raise TypeError(
                f"noise_label must be one label, got {noise_label!r}: give all rows that belong to no cluster the same "
                "label."
            )

    @in_full_precision
    def __call__(self, estimator: Any, X: Any, y: Any = None, *, labels: Any = None, **metadata: Any) -> float:
        """Return the signed value of the metric for the output of the estimator for X."""
        given, options, _ = self._asked(estimator, X, y, labels, metadata)
        value = as_one_number(self.metric(*given, **options))
        return value if self.greater_is_better else -value

    @in_full_precision
    def estimate(
        self, estimator: Any, X: Any, y: Any = None, *, labels: Any = None, groups: Any = None, **metadata: Any
    ) -> Estimate:
        """Return the score with its standard error and interval.

        Parameters
        ----------
        estimator, X, y, labels, **metadata
            As in a call of the scorer.
        groups : array-like of shape (n_samples,), default=None
            Group of each row, as in `skgeom.metrics.estimate`; not passed on to the estimator.

        Returns
        -------
        Estimate
            The estimate of the measure, or of minus the measure if smaller is better.

        Raises
        ------
        ValueError
            As in a call of the scorer, or as in `skgeom.metrics.estimate`.
        """
        given, options, counts = self._asked(estimator, X, y, labels, metadata)
        if groups is not None and counts is not None:
            groups = check_column(groups, len(counts), "groups")[counts]
        found = estimate(self.metric, *given, groups=groups, paired=_needs_of(self.metric) == "clouds", **options)
        return found if self.greater_is_better else found.negative()

    def _asked(
        self, estimator: Any, X: Any, y: Any, labels: Any, metadata: Metadata
    ) -> tuple[tuple[Any, ...], dict[str, Any], np.ndarray | None]:
        """Return the arguments of the metric, and which rows these contain, if not all."""
        if hasattr(estimator, "shape"):
            raise TypeError(
                f"A scorer takes a fitted estimator first, got {type(estimator).__name__}: call {self!r}(estimator, X, "
                "y), or, for rows, the function of skgeom.metrics."
            )
        check_device(self.device)
        options, metadata = dict(self.options), dict(metadata)
        if self._takes_relevant() and metadata.get("relevant") is not None:
            options["relevant"] = pairs_of_one_kind(metadata.pop("relevant"), len(X))
        check_metadata(estimator, self.step, metadata)
        given, counts = self._given(estimator, X, y, labels, metadata)
        if self.device is not None:
            of_rows = 1 if _needs_of(self.metric) == "labels" else len(given)
            there = (sent(rows_to_send(values, self.device), self.device) for values in given[:of_rows])
            given = (*there, *given[of_rows:])
        return given, options, counts

    def _given(
        self, estimator: Any, X: Any, y: Any, labels: Any, metadata: Metadata
    ) -> tuple[tuple[Any, ...], np.ndarray | None]:
        """Return rows and the other data that the metric needs, and which rows these are, if not all."""
        needs = _needs_of(self.metric) or ("partners" if ends_in_regressor(estimator) else "labels")
        if needs == "cloud":
            return (representation(estimator, X, self.step, metadata),), None
        if needs == "labels":
            return self._labelled(estimator, X, y, labels, metadata)
        if labels is None:
            check_partners(estimator, self.step)
        partners = _second(y, labels, "the rows that belong to those of X")
        return (mapped(estimator, X, self.step, metadata), partners), None

    def _labelled(
        self, estimator: Any, X: Any, y: Any, labels: Any, metadata: Metadata
    ) -> tuple[tuple[Any, Any], np.ndarray | None]:
        """Return rows and their labels, without noise, and which rows are not noise, if not all."""
        noise = set() if self.noise_label is None else {self.noise_label}
        if labels is None and ends_in_clusterer(estimator):
            rows, labels = clustered(estimator, X, self.step, metadata)
            noise.add(-1)
        else:
            labels = _second(y, labels, "labels, since the estimator is not a clusterer")
            rows = representation(estimator, X, self.step, metadata)
        return _without_noise(rows, labels, noise) if noise else ((rows, labels), None)

    def _takes_relevant(self) -> bool:
        return "relevant" in inspect.signature(self.metric).parameters

    def set_score_request(self, **requests: bool | str | None) -> EmbeddingScorer:
        """Return a copy that requests `labels`, `groups` and so on from metadata routing, possibly under an alias."""
        other = copy(self)
        other._requested = {**self._requested, **requests}
        return other

    def get_metadata_routing(self) -> MetadataRequest:
        """Return the requests of this scorer to scikit-learn's metadata routing."""
        request = MetadataRequest(owner=self)
        for name, alias in self._requested.items():
            request.score.add_request(param=name, alias=alias)
        return request

    def __repr__(self) -> str:
        if self.name is not None:
            return self.name
        arguments = [getattr(self.metric, "__name__", repr(self.metric))]
        arguments += [f"step={self.step!r}"] * (self.step != "auto")
        arguments += ["greater_is_better=False"] * (not self.greater_is_better)
        arguments += [f"noise_label={self.noise_label!r}"] * (self.noise_label is not None)
        arguments += [f"device={self.device!r}"] * (self.device is not None)
        arguments += [f"{key}={value!r}" for key, value in self.options.items()]
        return f"make_embedding_scorer({', '.join(arguments)})"


def make_embedding_scorer(
    metric: str | Callable[..., Any],
    /,
    *,
    step: Step = "auto",
    greater_is_better: bool = True,
    noise_label: Any = None,
    device: str | None = None,
    **options: Any,
) -> EmbeddingScorer:
    """Make a scorer from a measure: it measures the rows as transformed by a fitted estimator.

    Parameters
    ----------
    metric : str or callable
        The name of a measure of `skgeom.metrics`, or a function of the representation (n, d). A second argument without
        default receives the labels, or for a regressor, whose prediction is the first argument, the targets. If it
        returns one value per row, the score is their mean.
    step : "auto", str or callable, default="auto"
        The rows to score. "auto" follows the rules below. Otherwise the name of the step of a Pipeline whose output is
        scored, or a function ``(estimator, X, **metadata) -> representation``.
    greater_is_better : bool, default=True
        False reverses the sign, for measures where smaller is better.
    noise_label : object, default=None
        For measures of labelled rows: the label of rows that belong to no cluster, which are left out. In the output of
        a clusterer, -1 has this meaning as well, as everywhere in scikit-learn; in y and routed labels -1 is a label
        like any other unless it is passed here.
    device : {None, "cpu", "cuda", "cuda:<index>", "auto"}, default=None
        Device to which host data are moved for the computation.
    **options
        Passed on to the metric.

    Returns
    -------
    EmbeddingScorer
        Called ``scorer(estimator, X, y=None, *, labels=None, **metadata)``; `set_score_request` returns a copy that
        requests labels or other metadata.

    Raises
    ------
    TypeError
        If `noise_label` is a list of labels. When called, if the metric returns neither a number nor one per row.
    ValueError
        If the name of the metric is unknown, or `noise_label` is given to a measure without labels. When called, if the
        output of the estimator for X cannot be determined, other rows are passed to an estimator with output only for
        those of its fit, labels or partners are missing, all rows are noise, or no step requests metadata that are
        passed.

    See Also
    --------
    get_scorer : Ready-made scorers by name.

    Notes
    -----
    The scored output depends on the data that the measure needs:

    ============  ====================================================================================================
    data          scored output
    ============  ====================================================================================================
    one cloud     The input of the last step if that step predicts, else its output: of ``transform``, or `embedding_`.
    pairs         The prediction of a regressor, else as for one cloud, compared with y. A classifier is an error, as
                  is a predictor of unknown type.
    clusters      As for one cloud, with the clusters of a clusterer, even if y is passed, else with y. For a clusterer
                  without ``predict`` they are its `labels_`. Labels routed as ``labels=`` take precedence.
    ============  ====================================================================================================

    * An aligner, regressor and transformer in one, counts as a transformer for one cloud.
    * A search stands for its best estimator, a frozen estimator for what is frozen. For a meta-estimator with one
      fitted estimator, the output is that of the latter. With several that each transform X there is an error; with
      predictors only, it is itself a predictor, and X is scored.
    * `embedding_` and `labels_` belong to the rows of the fit; other rows are an error. Estimators of skgeom recognise
      these rows. For others a copy is fitted to the rows and must have the same output: one more fit per score, which
      needs `random_state` if it is random. A fit with weights is an error: call the measure itself.
    * Kernels and distances, the input of an estimator with ``metric="precomputed"``, are an error: they are not
      embeddings.
    * Leaving out noise favours clusterers that call many rows noise: look at their share as well as the score.
    * Metadata are passed on to each ``transform`` and ``predict`` that requests them. `groups` are requested by every
      scorer, other names by ``scorer.set_score_request(name=True)``. A function as `step` receives those that it has
      parameters for; others are an error.

    Folds shrink the sample: IsoScore and related measures need n_test well above n_features, or ``debias=True``. The
    output of a whitening has an IsoScore near 1 on the rows of its fit, by construction: only held-out values are
    meaningful.

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
    return EmbeddingScorer(
        metric, step=step, greater_is_better=greater_is_better, noise_label=noise_label, device=device, **options
    )


def recall_scorer(k: int = 1, *, device: str | None = None) -> EmbeddingScorer:
    """Make a scorer of aligned pairs: the share of rows whose partner is among the k nearest after the map.

    Parameters
    ----------
    k : int, default=1
        Number of rows of y, nearest by cosine, to consider.
    device : {None, "cpu", "cuda", "cuda:<index>", "auto"}, default=None
        Device to which host data are moved for the computation.

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
    The squared error of an aligner selects other parameters than its retrieval. Recall falls with the number of
    candidates: compare folds of the same size, not folds with the whole.

    If a row has several partners, such as an image with five captions, use one row per pair and route ``relevant=``, a
    value per row that is equal for rows that are relevant to each other (the number of the image): a query is found if
    any of its partners is. The scorer requests it. Pass the same values as `groups` to the splitter, so that partners
    stay in one fold.

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
    return _retrieval_scorer("recall_scorer", k, device)


def csls_scorer(k: int = 1, *, device: str | None = None) -> EmbeddingScorer:
    """Make a scorer of aligned pairs as `recall_scorer`, under CSLS, which corrects the cosines for hubs.

    Parameters
    ----------
    k : int, default=1
        Number of rows of y, nearest by CSLS, to consider.
    device : {None, "cpu", "cuda", "cuda:<index>", "auto"}, default=None
        Device to which host data are moved for the computation.

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
    return _retrieval_scorer("csls_scorer", k, device, metric="csls")


def _retrieval_scorer(name: str, k: int, device: str | None, **options: Any) -> EmbeddingScorer:
    shown = f"{name}({k})" if device is None else f"{name}({k}, device={device!r})"
    return EmbeddingScorer(recall_at_k, k=check_count(k, "k"), device=device, name=shown, **options)


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
        If no scorer has that name.

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
        One per measure, and one with the prefix ``neg_`` unless larger values of the measure are better.

    Examples
    --------
    >>> from skgeom.metrics import get_scorer_names
    >>> get_scorer_names()[:3]
    ['alignment_loss', 'average_cosine', 'axis_sliced_dispersion']
    """
    return sorted([*MEASURES, *(f"neg_{name}" for name, row in MEASURES.items() if row.direction <= 0)])


def _needs_of(metric: Callable[..., Any]) -> Needs | None:
    """Return the data that a measure needs besides rows; None for any other function of two arguments."""
    parameters = inspect.signature(metric).parameters.values()
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if sum(p.default is p.empty for p in positional) < 2:
        return "cloud"
    while isinstance(metric, partial):
        metric = metric.func
    return next((row.needs for row in MEASURES.values() if row.function is metric), None)


def _second(y: Any, labels: Any, needed: str) -> Any:
    """Return the data that a measure needs besides the rows: the routed ones, else y."""
    if labels is not None or y is not None:
        return y if labels is None else labels
    raise ValueError(
        f"This scorer needs {needed}: pass y, or route them as labels= with scorer.set_score_request(labels=True) and "
        "sklearn.set_config(enable_metadata_routing=True)."
    )


def _without_noise(rows: Any, labels: Any, noise: set[Any]) -> tuple[tuple[Any, Any], np.ndarray | None]:
    """Return rows and labels without those whose label means noise, and which these are, if not all."""
    values = check_column(labels, rows.shape[0] if hasattr(rows, "shape") else len(rows), "labels")
    counts = np.array([value not in noise for value in values.tolist()])
    if counts.all():
        return (rows, labels), None
    if not counts.any():
        raise ValueError(
            f"All {len(values)} rows are noise (their label is {listed(sorted(noise, key=str))}), so there are no "
            "clusters to score: fit with parameters that find some."
        )
    return (take_rows(check_cloud(rows, min_samples=1), np.flatnonzero(counts)), values[counts]), counts


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
cosine_spearman_scorer = EmbeddingScorer(cosine_spearman, name="cosine_spearman_scorer")
cosine_pearson_scorer = EmbeddingScorer(cosine_pearson, name="cosine_pearson_scorer")
partition_isotropy_scorer = _ready_made("partition_isotropy")
