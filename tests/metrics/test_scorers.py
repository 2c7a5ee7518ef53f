"""Scorers in scikit-learn's model selection: which representation, which labels, and every way they travel."""

import pickle
from functools import partial

import numpy as np
import pytest
import sklearn
from numpy.random import default_rng
from numpy.testing import assert_allclose
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.cross_decomposition import PLSRegression
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

from skgeom.metrics import (
    EmbeddingScorer,
    average_cosine,
    average_cosine_scorer,
    conformity,
    conformity_scorer,
    estimate,
    get_scorer,
    get_scorer_names,
    isoscore,
    isoscore_scorer,
    make_embedding_scorer,
    neg_average_cosine_scorer,
    neg_conformity_scorer,
    partition_isotropy,
    partition_isotropy_scorer,
    silhouette_samples,
    silhouette_score,
    silhouette_scorer,
)
from skgeom.metrics._measure import MEASURES


def data(seed=0):
    """Return rows of unequal variance, and classes that show in them."""
    rng = default_rng(seed)
    y = rng.permutation(np.arange(90) % 3)
    return rng.normal(size=(90, 5)) * np.arange(1, 6) + 4 * rng.normal(size=(3, 5))[y] + 2, y


def scaled():
    return StandardScaler().fit(data()[0])


def target(row):
    """Return what a measure takes as y: classes, or other rows."""
    return Y if row.needs in ("cloud", "labels") else Z[::-1]


def center(x):
    """A step without a fit."""
    return x - x.mean()


# The representation

X, Y = data()
Z = StandardScaler().fit_transform(X)
LAST_STEPS = {
    "classifier": (LogisticRegression(), Z),
    "regressor": (Ridge(), Z),
    "clusterer with transform": (KMeans(3, n_init=1, random_state=0), Z),
    "clusterer without predict": (AgglomerativeClustering(3), Z),
    "outlier detector": (IsolationForest(n_estimators=3, random_state=0), Z),
    "classifier with transform": (LinearDiscriminantAnalysis(), Z),
    "search of a classifier": (GridSearchCV(LogisticRegression(), {"C": [1.0, 2.0]}, cv=2), Z),
    "frozen classifier": (FrozenEstimator(LogisticRegression().fit(Z, Y)), Z),
    "passthrough": ("passthrough", Z),
    "transformer": (PCA(2), PCA(2).fit_transform(Z)),
    "frozen transformer": (FrozenEstimator(PCA(2).fit(Z)), PCA(2).fit_transform(Z)),
    "regressor that transforms": (PLSRegression(2), PLSRegression(2).fit(Z, Y).transform(Z)),
    "function": (FunctionTransformer(center), center(Z)),
}


@pytest.mark.parametrize("last", LAST_STEPS)
def test_a_pipeline_is_scored_by_what_reaches_the_step_that_predicts(last):
    step, expected = LAST_STEPS[last]
    model = Pipeline([("scale", StandardScaler()), ("last", step)]).fit(X, Y)
    assert_allclose(isoscore_scorer(model, X), isoscore(expected), rtol=1e-12)


@pytest.mark.parametrize("last", sorted(set(LAST_STEPS) - {"passthrough"}))
def test_an_estimator_alone_is_scored_like_a_pipeline_of_one_step(last):
    step, expected = LAST_STEPS[last]
    model = sklearn.base.clone(step).fit(Z, Y)
    assert_allclose(isoscore_scorer(model, Z), isoscore(expected), rtol=1e-12)
    assert_allclose(isoscore_scorer(Pipeline([("only", model)]), Z), isoscore(expected), rtol=1e-12)


@pytest.mark.parametrize("last", [LogisticRegression(), KMeans(3, n_init=1, random_state=0)])
def test_a_search_stands_for_its_best_estimator(last):
    model = make_pipeline(StandardScaler(), PCA(), last)
    search = GridSearchCV(model, {"pca__n_components": [2]}, cv=2).fit(X, Y)
    assert_allclose(isoscore_scorer(search, X), isoscore(PCA(2).fit_transform(Z)), rtol=1e-12)
    alone = GridSearchCV(PCA(), {"n_components": [2]}, cv=2).fit(Z)
    assert_allclose(isoscore_scorer(alone, Z), isoscore(PCA(2).fit_transform(Z)), rtol=1e-12)


@pytest.mark.parametrize("last", [LogisticRegression(), PCA(2)])
def test_freezing_an_estimator_changes_no_score(last):
    model = make_pipeline(StandardScaler(), last).fit(X, Y)
    assert isoscore_scorer(FrozenEstimator(model), X) == isoscore_scorer(model, X)


def test_a_named_step_is_scored_by_its_output():
    model = make_pipeline(StandardScaler(), MinMaxScaler(), PCA(2), LogisticRegression()).fit(X, Y)
    scorer = make_embedding_scorer("average_cosine", step="minmaxscaler")
    expected = average_cosine(MinMaxScaler().fit_transform(Z))
    assert_allclose(scorer(model, X), expected, rtol=1e-12)
    search = GridSearchCV(model, {"pca__n_components": [2]}, cv=2).fit(X, Y)
    assert_allclose(scorer(search, X), expected, rtol=1e-12)


def test_a_callable_step_decides_for_itself():
    scorer = make_embedding_scorer("isoscore", step=lambda estimator, X: estimator.transform(X)[:, :2])
    assert_allclose(scorer(scaled(), X), isoscore(Z[:, :2]), rtol=1e-12)


def test_data_frames_between_steps_change_nothing():
    pytest.importorskip("pandas")
    model = make_pipeline(StandardScaler(), PCA(3), LogisticRegression())
    expected = isoscore_scorer(model.fit(X, Y), X)
    assert isoscore_scorer(model.set_output(transform="pandas").fit(X, Y), X) == expected


# Labels


def test_labels_are_the_targets():
    assert silhouette_scorer(scaled(), X, Y) == silhouette_score(Z, Y)


@pytest.mark.parametrize("before", [(), (StandardScaler(),)])
def test_labels_of_a_clusterer_are_its_own_clusters(before):
    model = make_pipeline(*before, KMeans(3, n_init=1, random_state=0)).fit(X)
    rows = Z if before else X
    assert_allclose(silhouette_scorer(model, X), silhouette_score(rows, model.predict(X)), rtol=1e-12)
    assert silhouette_scorer(model, X, Y) == silhouette_scorer(model, X)


def test_missing_labels_are_an_error_in_words():
    with pytest.raises(ValueError, match=r"needs labels, .*not a clusterer: pass y.*set_score_request\(labels=True\)"):
        silhouette_scorer(scaled(), X)


@pytest.mark.parametrize(("request_", "key"), [(True, "labels"), ("topic", "topic")])
def test_routed_labels_come_before_the_targets(request_, key):
    topics = default_rng(3).integers(0, 2, 90)
    scorer = silhouette_scorer.set_score_request(labels=request_)
    with sklearn.config_context(enable_metadata_routing=True):
        scores = cross_val_score(PCA(2), X, Y, scoring=scorer, cv=KFold(3), params={key: topics})
    expected = [
        silhouette_score(PCA(2).fit(X[train]).transform(X[test]), topics[test]) for train, test in KFold(3).split(X)
    ]
    assert_allclose(scores, expected, rtol=1e-9)


def test_routed_labels_reach_a_search():
    topics = default_rng(3).integers(0, 2, 90)
    scorer = silhouette_scorer.set_score_request(labels=True)
    with sklearn.config_context(enable_metadata_routing=True):
        search = GridSearchCV(PCA(), {"n_components": [1, 2]}, scoring=scorer, cv=3).fit(X, labels=topics)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_asking_for_labels_leaves_the_named_scorer_as_it_was():
    asked = silhouette_scorer.set_score_request(labels=True)
    assert asked is not silhouette_scorer
    assert asked.get_metadata_routing().score.requests == {"labels": True, "groups": True}
    assert silhouette_scorer.get_metadata_routing().score.requests == {"labels": None, "groups": True}


def test_labels_that_nobody_asked_for_are_refused_by_scikit_learn():
    with (
        sklearn.config_context(enable_metadata_routing=True),
        pytest.raises(Exception, match=r"labels.* are passed but are not explicitly set as requested"),
    ):
        cross_val_score(PCA(2), X, Y, scoring=silhouette_scorer, params={"labels": Y})


# Model selection


def test_cross_validation_scores_the_held_out_rows():
    scores = cross_val_score(PCA(3), X, scoring=isoscore_scorer, cv=KFold(3))
    expected = [isoscore(PCA(3).fit(X[train]).transform(X[test])) for train, test in KFold(3).split(X)]
    assert_allclose(scores, expected, rtol=1e-9)


def test_several_scorers_travel_in_a_dict():
    scoring = {"iso": isoscore_scorer, "sil": silhouette_scorer, "accuracy": "accuracy"}
    model = make_pipeline(StandardScaler(), LogisticRegression())
    found = cross_validate(model, X, Y, scoring=scoring, cv=3, return_train_score=True)
    assert all(np.isfinite(found[f"{part}_{name}"]).all() for part in ("train", "test") for name in scoring)


def test_a_grid_search_finds_the_planted_number_of_components():
    rng = default_rng(0)
    x = rng.normal(size=(400, 6)) * [3, 3, 3, 0.1, 0.1, 0.1]
    search = GridSearchCV(PCA(), {"n_components": [2, 3, 4, 5]}, scoring="r2", cv=3)
    search.set_params(scoring={"iso": isoscore_scorer, "rank": get_scorer("participation_ratio")}, refit="rank")
    assert search.fit(x).best_params_["n_components"] in (3, 4, 5)
    assert search.cv_results_["mean_test_iso"].argmax() in (0, 1)


def test_two_processes_give_the_scores_of_one():
    options = {"scoring": {"iso": isoscore_scorer, "sil": silhouette_scorer}, "cv": 3}
    one, two = (cross_validate(PCA(3), X, Y, n_jobs=jobs, **options) for jobs in (1, 2))
    assert_allclose(two["test_iso"], one["test_iso"])
    assert_allclose(two["test_sil"], one["test_sil"])


@pytest.mark.parametrize("name", get_scorer_names())
def test_every_named_scorer_is_its_measure_with_its_sign(name):
    row = MEASURES[name.removeprefix("neg_")]
    seed = {"random_state": 0} if row.is_random else {}
    y = target(row)
    scorer = get_scorer(name)
    scorer = make_embedding_scorer(scorer.metric, greater_is_better=scorer.greater_is_better, **scorer.options, **seed)
    expected = row(Z, *row.besides(labels=y, partners=y, start=y), **seed)
    assert_allclose(scorer(scaled(), X, y), -expected if name.startswith("neg_") else expected, rtol=1e-12)
    assert type(scorer(scaled(), X, y)) is float


def test_flagship_scorers_are_the_named_ones():
    named = {
        "isoscore": isoscore_scorer,
        "silhouette": silhouette_scorer,
        "conformity": conformity_scorer,
        "neg_conformity": neg_conformity_scorer,
        "average_cosine": average_cosine_scorer,
        "neg_average_cosine": neg_average_cosine_scorer,
        "partition_isotropy": partition_isotropy_scorer,
    }
    assert all(get_scorer(name) is scorer for name, scorer in named.items())
    assert get_scorer_names() == sorted(get_scorer_names())


def test_one_value_a_row_becomes_its_mean():
    assert_allclose(conformity_scorer(scaled(), X), conformity(Z).mean(), rtol=1e-12)
    scorer = make_embedding_scorer(silhouette_samples)
    assert_allclose(scorer(scaled(), X, Y), silhouette_score(Z, Y), rtol=1e-12)


@pytest.mark.parametrize("values", [[1.0, 2.0, 6.0], np.array([True, False]), range(4)], ids=str)
def test_values_per_row_may_come_as_a_list(values):
    assert make_embedding_scorer(lambda Z: values)(scaled(), X) == np.mean(values)


def test_rows_in_the_place_of_the_estimator_are_refused():
    with pytest.raises(TypeError, match=r"takes a fitted estimator first.*call silhouette_scorer\(estimator, X, y\)"):
        silhouette_scorer(X, np.arange(len(X)) % 2)


@pytest.mark.parametrize("value", [None, "0.5", (0.5, 0.1), 1j, [], {"a": 1.0}, np.eye(3)], ids=str)
def test_what_is_neither_a_number_nor_one_per_row_is_refused(value):
    with pytest.raises(TypeError, match="A measure returns a number, or one number per row"):
        make_embedding_scorer(lambda Z: value)(scaled(), X)
    with pytest.raises(TypeError, match="A measure returns a number, or one number per row"):
        estimate(lambda Z: value, X)


# Making scorers


def test_options_are_passed_on():
    assert make_embedding_scorer("isoscore", debias=True)(scaled(), X) == isoscore(Z, debias=True)
    assert make_embedding_scorer("isoscore", greater_is_better=False)(scaled(), X) == -isoscore(Z)
    raw = make_embedding_scorer("partition_isotropy", normalize=False)
    assert raw(scaled(), X) == partition_isotropy(Z, normalize=False)


@pytest.mark.parametrize("metric", ["sqeuclidean", "cosine"])
def test_the_metric_of_a_silhouette_is_an_option_like_any_other(metric):
    scorer = make_embedding_scorer("silhouette", metric=metric)
    assert scorer(scaled(), X, Y) == silhouette_score(Z, Y, metric=metric)
    assert make_embedding_scorer(silhouette_score, metric=metric)(scaled(), X, Y) == scorer(scaled(), X, Y)


def test_any_function_of_a_representation_makes_a_scorer():
    assert make_embedding_scorer(len)(scaled(), X) == 90
    cosine = make_embedding_scorer(partial(silhouette_score, metric="cosine"))
    assert cosine(scaled(), X, Y) == silhouette_score(Z, Y, metric="cosine")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: make_embedding_scorer("isoscor"), "metric must be one of 'average_cosine', .*Got 'isoscor'"),
        (lambda: get_scorer("isoscor"), "name must be one of 'alignment_loss', .*Got 'isoscor'"),
        (lambda: get_scorer(None), "name must be one of 'alignment_loss', .*Got None"),
        (lambda: make_embedding_scorer("isoscore", device="gpu")(scaled(), X), 'device must be None, "cpu", "cuda"'),
        (
            lambda: make_embedding_scorer("isoscore", step="pca")(make_pipeline(StandardScaler()).fit(X), X),
            "step must be one of 'standardscaler'. Got 'pca'",
        ),
        (lambda: make_embedding_scorer("isoscore", step="pca")(scaled(), X), "step.*Pipeline"),
    ],
)
def test_unknown_names_are_refused_in_words(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize(
    ("scorer", "text"),
    [
        (isoscore_scorer, "isoscore_scorer"),
        (neg_average_cosine_scorer, "neg_average_cosine_scorer"),
        (make_embedding_scorer("isoscore"), "make_embedding_scorer(isoscore)"),
        (
            make_embedding_scorer("isoscore", step="pca", greater_is_better=False, device="auto", debias=True),
            "make_embedding_scorer(isoscore, step='pca', greater_is_better=False, device='auto', debias=True)",
        ),
    ],
)
def test_a_scorer_reads_like_the_call_that_made_it(scorer, text):
    assert repr(scorer) == text


@pytest.mark.parametrize("name", get_scorer_names())
def test_scorers_pickle(name):
    row = MEASURES[name.removeprefix("neg_")]
    scorer = get_scorer(name).set_score_request(labels=True)
    copy = pickle.loads(pickle.dumps(scorer))
    assert isinstance(copy, EmbeddingScorer)
    if not row.is_random:
        assert copy(scaled(), X, target(row)) == scorer(scaled(), X, target(row))
    assert repr(copy) == repr(scorer)
    relevant = {"relevant": True} if name == "recall_at_k" else {}
    assert copy.get_metadata_routing().score.requests == {"labels": True, "groups": True, **relevant}


def test_scorers_survive_the_clone_of_a_search():
    search = sklearn.base.clone(GridSearchCV(PCA(), {"n_components": [2, 3]}, scoring=isoscore_scorer, cv=3))
    assert repr(search.scoring) == "isoscore_scorer"
    assert search.fit(X).best_params_["n_components"] in (2, 3)


# Devices


@pytest.mark.parametrize("device", ["cpu", "auto"])
@pytest.mark.parametrize("name", ["isoscore", "silhouette", "conformity", "partition_isotropy"])
def test_the_host_by_any_name_changes_no_score(name, device, monkeypatch):
    monkeypatch.setattr("skgeom._array.find_accelerator", lambda name: None)
    function = get_scorer(name).metric
    scorer = make_embedding_scorer(function, device=device, **get_scorer(name).options)
    assert scorer(scaled(), X, Y) == get_scorer(name)(scaled(), X, Y)


@pytest.mark.parametrize(
    "labels", [np.array(list("abc"))[Y][:, None], 2**60 + Y[:, None]], ids=["names", "large numbers"]
)
def test_a_column_of_labels_stays_on_the_host(labels):
    scorer = make_embedding_scorer("silhouette", device="cpu")
    assert scorer(scaled(), X, labels) == silhouette_scorer(scaled(), X, Y)
    assert estimate("silhouette", X, labels, device="cpu") == estimate("silhouette", X, Y)


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "auto"])
@pytest.mark.parametrize("name", get_scorer_names())
def test_an_accelerator_changes_no_score(name, device, fake_accelerator):
    row = MEASURES[name.removeprefix("neg_")]
    seed = {"random_state": 0} if row.is_random else {}
    here, there = (
        make_embedding_scorer(row.name, greater_is_better=name == row.name, device=where, **seed)
        for where in (None, device)
    )
    assert_allclose(there(scaled(), X, target(row)), here(scaled(), X, target(row)), rtol=1e-10, atol=1e-15)


def test_the_computation_happens_on_the_accelerator(fake_accelerator):
    seen = []
    scorer = make_embedding_scorer(lambda z: seen.append(z.device) or 0.0, device="cuda")
    scorer(scaled(), X)
    assert seen == [fake_accelerator]


def test_a_missing_gpu_is_an_error_that_says_what_to_do(monkeypatch):
    monkeypatch.setattr("skgeom._array.find_accelerator", lambda name: None)
    with pytest.raises(RuntimeError, match=r"no GPU is visible.*device=\"auto\""):
        make_embedding_scorer("isoscore", device="cuda")(scaled(), X)


def test_scorers_follow_the_arrays_of_the_estimator(backend):
    given = backend.asarray(X)
    model = FunctionTransformer(lambda rows: rows[:, 1:])
    assert_allclose(isoscore_scorer(model, given), isoscore(X[:, 1:]), rtol=1e-12)
    assert_allclose(silhouette_scorer(model, given, backend.asarray(Y)), silhouette_score(X[:, 1:], Y), rtol=1e-10)
    assert_allclose(conformity_scorer(model, given), conformity(X[:, 1:]).mean(), rtol=1e-10)
