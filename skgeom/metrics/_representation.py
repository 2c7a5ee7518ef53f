"""The output that a scorer measures: the representation, the prediction or the clusters of a fitted estimator.

The methods of an estimator and scikit-learn's tags determine its kind. If its output cannot be determined, an error
explains why.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
from sklearn import get_config
from sklearn.base import (
    MetaEstimatorMixin,
    clone,
    is_classifier,
    is_clusterer,
    is_outlier_detector,
    is_regressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import (
    MetadataRequest,
    MetadataRouter,
    MethodMapping,
    get_routing_for_object,
)
from sklearn.utils.validation import check_is_fitted

from skgeom._array import is_foreign, to_numpy
from skgeom._validation import check_choice, check_cloud
from skgeom.metrics._checks import check_steps

Step: TypeAlias = str | Callable[..., Any]
"""The choice of representation: "auto", the name of a step, or a function."""

Metadata: TypeAlias = Mapping[str, Any]
"""Metadata routed to `transform` and `predict`, by name."""

_ENSEMBLES = ("estimators_", "calibrated_classifiers_")
_FINAL = ("final_estimator_",)
_SINGLES = ("estimator_", "regressor_")
"""Attributes in which a fitted meta-estimator keeps several fitted estimators, or one."""


def representation(estimator: Any, X: Any, step: Step, metadata: Metadata) -> Any:
    """Return the rows for a measure of one cloud."""
    if callable(step):
        return step(estimator, X, **_taken(step, metadata))
    if step != "auto":
        return _output_of(estimator, X, step, metadata)
    last, rows = _reached(estimator, X, metadata)
    if _is_passthrough(last) or _predicts(last):
        _check_embeddings(last)
        return rows
    if hasattr(last, "transform"):
        return last.transform(rows, **_routed(last, "transform", metadata))
    if hasattr(last, "embedding_"):
        _check_rows_at_fit(last, rows, "embedding_")
        return last.embedding_
    raise ValueError(
        f"{_name(last)} has neither transform nor embedding_ nor predict, so there is no output to score: fit it, or "
        "pass step=, a function (estimator, X) -> representation."
    )


def mapped(estimator: Any, X: Any, step: Step, metadata: Metadata) -> Any:
    """Return the rows that a measure of pairs compares with their partners: the prediction of a regressor."""
    if step != "auto" or not ends_in_regressor(estimator):
        return representation(estimator, X, step, metadata)
    estimator = _stand_in(estimator)
    return estimator.predict(X, **_routed(estimator, "predict", metadata))


def clustered(estimator: Any, X: Any, step: Step, metadata: Metadata) -> tuple[Any, Any]:
    """Return the rows for a measure of clusters, and the cluster that a clusterer assigned to each of them."""
    last, rows = _reached(estimator, X, metadata)
    if hasattr(last, "predict"):
        labels = last.predict(rows, **_routed(last, "predict", metadata))
    else:
        _check_rows_at_fit(last, rows, "labels_")
        labels = last.labels_
    if step != "auto":
        return representation(estimator, X, step, metadata), labels
    _check_embeddings(last)
    return rows, labels


def ends_in_clusterer(estimator: Any) -> bool:
    """Return whether an estimator, or its last step, makes clusters; mixtures do, although their type is another."""
    last = _last(estimator)
    if _is_passthrough(last):
        return False
    return _clusters_rows(last) or (hasattr(last, "fit_predict") and not is_outlier_detector(last))


def ends_in_regressor(estimator: Any) -> bool:
    """Return whether an estimator, or its last step, predicts numbers."""
    last = _last(estimator)
    return not _is_passthrough(last) and is_regressor(last)


def check_partners(estimator: Any, step: Step) -> None:
    """Check that y can be the partners of the rows for a measure of pairs: not classes, nor an unknown kind of y."""
    last = _last(estimator)
    if _is_passthrough(last):
        return
    if is_classifier(last):
        raise ValueError(
            f"A measure of pairs compares rows with y, their partners, but the y of {_name(last)} are classes. Score a "
            "regressor or a transformer, or route the partners as labels= with "
            "scorer.set_score_request(labels=True) and sklearn.set_config(enable_metadata_routing=True)."
        )
    has_no_type = not (is_regressor(last) or is_outlier_detector(last) or ends_in_clusterer(last))
    if step == "auto" and has_no_type and hasattr(last, "predict") and not hasattr(last, "transform"):
        raise ValueError(
            f"A measure of pairs compares y with the prediction of a regressor, but the type of {_name(last)} is "
            "unknown: derive it from sklearn.base.RegressorMixin, or pass step=, a function (estimator, X) -> rows."
        )


def check_metadata(estimator: Any, step: Step, metadata: Metadata) -> None:
    """Check that metadata can be routed, and that some step requests it; groups may be for the folds alone."""
    if not metadata:
        return
    names = ", ".join(sorted(metadata))
    if not get_config()["enable_metadata_routing"]:
        raise ValueError(
            f"This scorer got {names}, which need metadata routing, but that is off: call "
            "sklearn.set_config(enable_metadata_routing=True)."
        )
    asked = _asked_for(estimator, set(metadata))
    needed = set(metadata) - {"groups"} | asked
    if callable(step) and needed - set(_taken(step, metadata)):
        raise ValueError(
            f"This scorer got {', '.join(sorted(needed))}, but the function passed as step= does not accept all of it: "
            "add parameters with these names, or **metadata."
        )
    unused = set() if callable(step) else needed - asked
    if unused:
        raise ValueError(
            f"This scorer got {', '.join(sorted(unused))}, but nothing in {_name(_stand_in(estimator))} requests it "
            "for transform or predict, and the measure does not accept it: call set_transform_request or "
            "set_predict_request of the step that needs it, or do not request it for the scorer."
        )


def _reached(estimator: Any, X: Any, metadata: Metadata) -> tuple[Any, Any]:
    """Return the innermost estimator whose input can be determined, and the rows as they reach it."""
    estimator = _stand_in(estimator)
    if isinstance(estimator, Pipeline):
        before = _transformed(estimator[:-1], X, metadata) if len(estimator) > 1 else X
        return _reached(estimator[-1], before, metadata)
    if _is_passthrough(estimator) or (hasattr(estimator, "transform") and not hasattr(estimator, "predict")):
        return estimator, X
    if _selects(estimator):
        return _reached(estimator.estimator_, _transformed(estimator, X, metadata), metadata)
    inner = _inner(estimator)
    if not inner and _wraps(estimator):
        raise ValueError(
            f"{_name(estimator)} holds no fitted estimator: fit it (a search with refit=True), let it keep the "
            "fitted one in estimator_, or pass step=, a function (estimator, X) -> representation."
        )
    if not any(map(_holds_map, inner)):
        return estimator, X
    if len(inner) > 1:
        raise ValueError(
            f"{_name(estimator)} holds {len(inner)} fitted estimators, and each transforms X in its own way, "
            "so there is no single representation: put the transformers in a Pipeline before it, score one of the "
            "estimators inside, or pass step=, a function (estimator, X) -> representation."
        )
    return _reached(inner[0], _columns(estimator, X), metadata)


def _output_of(estimator: Any, X: Any, step: str, metadata: Metadata) -> Any:
    """Return the output of a named step of the Pipeline that an estimator is or holds."""
    estimator = _stand_in(estimator)
    inner = _inner(estimator)
    if len(inner) == 1 and not hasattr(estimator, "steps"):
        return _output_of(inner[0], _columns(estimator, X), step, metadata)
    check_steps(estimator)
    names = [name for name, _ in estimator.steps]
    part = estimator[: names.index(check_choice(step, names, "step")) + 1]
    if hasattr(part, "transform"):
        return _transformed(part, X, metadata)
    if hasattr(part[-1], "embedding_"):
        return representation(part, X, "auto", metadata)
    raise ValueError(
        f"step={step!r} names {_name(part[-1])}, which has no transform: name a step before it, or use "
        'step="auto", which measures its input.'
    )


def _stand_in(estimator: Any) -> Any:
    """Return the estimator inside a frozen estimator or a fitted search, and others unchanged."""
    if isinstance(estimator, FrozenEstimator):
        return _stand_in(estimator.estimator)
    if hasattr(estimator, "best_estimator_"):
        return _stand_in(estimator.best_estimator_)
    return estimator


def _last(estimator: Any) -> Any:
    """Return the last step."""
    estimator = _stand_in(estimator)
    return _last(estimator[-1]) if isinstance(estimator, Pipeline) else estimator


def _inner(estimator: Any) -> list[Any]:
    """Return the fitted estimators in a meta-estimator; ensembles also keep a template."""
    for name in _ENSEMBLES:
        if hasattr(estimator, name):
            found = getattr(estimator, name)
            several = found.ravel().tolist() if isinstance(found, np.ndarray) else list(found)
            several = [getattr(one, "estimator", one) for one in several] if name == _ENSEMBLES[1] else several
            return several + [getattr(estimator, name) for name in _FINAL if hasattr(estimator, name)]
    return [getattr(estimator, name) for name in _SINGLES if hasattr(estimator, name)][:1]


def _wraps(estimator: Any) -> bool:
    """Return whether the purpose of an estimator is to fit another one that may change the rows."""
    given = _parameters(estimator, deep=False).values()
    return isinstance(estimator, MetaEstimatorMixin) or any(hasattr(one, "fit") and _holds_map(one) for one in given)


def _parameters(estimator: Any, deep: bool) -> Metadata:
    return estimator.get_params(deep) if hasattr(estimator, "get_params") else {}


def _holds_map(estimator: Any) -> bool:
    """Return whether an estimator changes the rows before it predicts, if it predicts at all."""
    estimator = _stand_in(estimator)
    if _is_passthrough(estimator):
        return False
    if isinstance(estimator, Pipeline):
        return any(not _is_passthrough(step) for _, step in estimator.steps[:-1]) or _holds_map(estimator[-1])
    if _selects(estimator) or not _predicts(estimator):
        return True
    return any(map(_holds_map, _inner(estimator)))


def _predicts(step: Any) -> bool:
    """Return whether the purpose of a step is to predict, by its type: many predictors have a `transform` too."""
    if not hasattr(step, "transform"):
        return any(hasattr(step, method) for method in ("predict", "fit_predict", "score_samples"))
    is_ensemble = hasattr(step, "predict") and bool(_inner(step))
    return is_ensemble or is_classifier(step) or _clusters_rows(step) or is_outlier_detector(step)


def _clusters_rows(step: Any) -> bool:
    """Return whether a step is a clusterer of rows: FeatureAgglomeration clusters columns, and is a transformer."""
    return is_clusterer(step) and (hasattr(step, "predict") or hasattr(step, "fit_predict"))


def _selects(estimator: Any) -> bool:
    """Return whether an estimator predicts from the columns that it has selected."""
    return all(hasattr(estimator, name) for name in ("get_support", "transform", "predict", "estimator_"))


def _is_passthrough(step: Any) -> bool:
    return step is None or isinstance(step, str)


def _columns(estimator: Any, X: Any) -> Any:
    """Return the columns for the only estimator of an ensemble."""
    features: Any = getattr(estimator, "estimators_features_", None)
    return X if features is None else np.asarray(X)[:, features[0]]


def _transformed(estimator: Any, X: Any, metadata: Metadata) -> Any:
    return estimator.transform(X, **_routed(estimator, "transform", metadata))


def _check_embeddings(estimator: Any) -> None:
    """Check that the input of an estimator is embeddings, not a matrix of all pairs of rows."""
    for name, value in _parameters(estimator, deep=True).items():
        if isinstance(value, str) and value.startswith("precomputed"):
            raise ValueError(
                f"The input of {_name(estimator)} is not embeddings, one per row, but a matrix of pairs of rows, "
                f"because {name}={value!r}: call the measure itself with the embeddings, or pass step=, a function "
                "(estimator, X) -> representation."
            )


def _check_rows_at_fit(estimator: Any, rows: Any, made: str) -> None:
    """Check that the output of an estimator belongs to these rows, since it exists only for those of its fit."""
    check_is_fitted(estimator, made)
    expected, found = len(getattr(estimator, made)), rows.shape[0] if hasattr(rows, "shape") else len(rows)
    if found == expected and _are_those_at_fit(estimator, rows, made):
        return
    method = "transform" if made == "embedding_" else "predict"
    again = "" if hasattr(estimator, "_rows_at_fit") else " after a fit with random_state and without weights"
    came = "other rows, or these in another order" if found == expected else f"{found} rows"
    raise ValueError(
        f"{_name(estimator)} has no {method}: its {made} can be scored only on the {expected} rows that it was fitted "
        f"on, in the same order, got {came}. Pass those rows{again}, or call the measure itself with {made}. For "
        f"held-out rows and cross-validation use an estimator with a {method}"
        + (', as EmbeddingOptimizer with parametrization="linear".' if method == "transform" else ".")
    )


def _are_those_at_fit(estimator: Any, rows: Any, made: str) -> bool:
    """Return whether an estimator was fitted to these rows.

    Our estimators store a fingerprint. Others do not, so they are fitted once more, and all their arrays must be the
    same: labels alone can be equal for other rows.
    """
    if hasattr(estimator, "_rows_at_fit"):
        return estimator._rows_at_fit.are(check_cloud(rows, min_samples=1))
    again = clone(estimator).fit(rows)
    names = {name for name, value in vars(estimator).items() if name[0] != "_" == name[-1] and _is_numeric(value)}
    return all(_agree(getattr(estimator, name), getattr(again, name), name) for name in names | {made})


def _is_numeric(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "biuf"


def _agree(first: Any, second: Any, name: str) -> bool:
    """Compare two fitted attributes: clusters as partitions, numbers up to the rounding of iterations."""
    a, b = (to_numpy(value) if is_foreign(value) else np.asarray(value) for value in (first, second))
    if a.shape != b.shape:
        return False
    if name == "labels_":
        pairs = set(zip(a.tolist(), b.tolist(), strict=True))
        return len(pairs) == len(set(a.tolist())) == len(set(b.tolist())) and np.array_equal(a == -1, b == -1)
    if a.dtype.kind != "f":
        return np.array_equal(a, b)
    return np.allclose(a, b, 0, 1e-3 * np.max(np.abs(a), where=np.isfinite(a), initial=0), equal_nan=True)


def _requests(step: Any) -> MetadataRequest | MetadataRouter:
    """Return the metadata requests of a step: nothing, if it does not support it."""
    try:
        return get_routing_for_object(step)
    except NotImplementedError:
        return MetadataRequest(owner=step)


def _routed(step: Any, method: str, metadata: Metadata) -> Metadata:
    """Return the metadata that a method of a step requests, by its names there."""
    if not metadata:
        return {}
    mapping = MethodMapping().add(caller="score", callee=method)
    router = MetadataRouter(owner="scorer").add(step=_requests(step), method_mapping=mapping)
    return router.route_params(caller="score", params=dict(metadata)).step[method]


def _taken(function: Callable[..., Any], metadata: Metadata) -> Metadata:
    """Return the metadata that a function has parameters for."""
    parameters = inspect.signature(function).parameters if metadata else {}
    takes_all = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    return {name: value for name, value in metadata.items() if takes_all or name in parameters}


def _asked_for(estimator: Any, names: Iterable[str]) -> set[str]:
    """Return the names that some step requests for `transform` or `predict`."""
    estimator = _stand_in(estimator)
    requests = _requests(estimator)
    found = requests.consumes("transform", names) | requests.consumes("predict", names)
    inner = [estimator[-1]] if isinstance(estimator, Pipeline) else _inner(estimator)
    return found.union(*(_asked_for(one, names) for one in inner))


def _name(estimator: Any) -> str:
    return type(estimator).__name__
