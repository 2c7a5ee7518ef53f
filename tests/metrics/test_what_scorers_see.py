"""What a scorer looks at, for every kind of estimator: one table, with what is scored or the words of the refusal."""

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose
from sklearn.base import BaseEstimator, ClassifierMixin, ClusterMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import (
    DBSCAN,
    HDBSCAN,
    OPTICS,
    AffinityPropagation,
    AgglomerativeClustering,
    Birch,
    BisectingKMeans,
    FeatureAgglomeration,
    KMeans,
    MeanShift,
    SpectralClustering,
)
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.cross_decomposition import CCA, PLSCanonical, PLSRegression
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA, IncrementalPCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.frozen import FrozenEstimator
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, RANSACRegressor, Ridge
from sklearn.manifold import TSNE, Isomap, SpectralEmbedding
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
    cross_val_score,
    cross_validate,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor, RegressorChain
from sklearn.neighbors import (
    KernelDensity,
    KNeighborsClassifier,
    KNeighborsTransformer,
    LocalOutlierFactor,
    NearestCentroid,
)
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from skgeom.alignment import CCAAligner, ProcrustesAligner
from skgeom.metrics import (
    estimate,
    isoscore,
    isoscore_scorer,
    make_embedding_scorer,
    paired_cosine,
    paired_cosine_scorer,
    silhouette_score,
    silhouette_scorer,
)
from skgeom.optim import EmbeddingOptimizer, SphereDispersion
from skgeom.preprocessing import GroupCentering, GroupWhitening, Whitening

X, CLASSES = make_blobs(60, 4, centers=3, cluster_std=1.5, random_state=0)
SCALED = StandardScaler().fit_transform(X)
TARGETS = X @ np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0] + 5
BINARY = CLASSES == 0
SOME_CLASSES = np.where(np.arange(60) % 4, CLASSES, -1)
TWO_LABELS = np.stack([BINARY, CLASSES == 1], axis=1).astype(int)
Y = CLASSES[::-1]
"""Labels that nothing was fitted to, which are scored where y is."""


def scaled(last):
    return make_pipeline(StandardScaler(), last)


def search(estimator, **options):
    return GridSearchCV(estimator, {}, cv=2, scoring=lambda *_: 0.0, **options)


def several(kind):
    return kind([("a", scaled(LogisticRegression())), ("b", LogisticRegression())])


def doubled(rows):
    return 2 * rows[:, :3]


class Neighbourhoods(BaseEstimator):
    """A third party's map that has an `embedding_`, and a `transform` that differs from it."""

    def fit(self, X, y=None):
        self.embedding_ = X - X[0]
        return self

    def transform(self, X):
        return X[:, ::-1] ** 2


class Thrown(BaseEstimator):
    """A third party's embedding at random."""

    def fit(self, X, y=None):
        self.embedding_ = np.random.default_rng().normal(size=X.shape)
        return self


class Renamed(ClusterMixin, BaseEstimator):
    """A third party's clusterer: new names for its clusters at each fit and, if `merging`, fewer at every other."""

    fits = 0

    def __init__(self, merging=False):
        self.merging = merging

    def fit(self, X, y=None):
        Renamed.fits += 1
        clusters = np.arange(len(X)) % 3
        names = np.roll([0, 1, 2], Renamed.fits)
        self.labels_ = names[np.minimum(clusters, 1) if self.merging and Renamed.fits % 2 else clusters]
        return self


class Wrapped(ClassifierMixin, BaseEstimator):
    """A third party's meta-estimator that keeps what it fitted under a name of its own."""

    def __init__(self, model):
        self.model = model

    def fit(self, X, y):
        self.own_ = clone(self.model).fit(X, y)
        self.classes_ = self.own_.classes_
        return self

    def predict(self, X):
        return self.own_.predict(X)


class Untyped(BaseEstimator):
    """A third party's regressor that does not say that it is one."""

    def fit(self, X, y=None):
        self.own_ = Ridge().fit(X, y)
        return self

    def predict(self, X):
        return self.own_.predict(X)


LOGISTIC, RIDGE, KMEANS = LogisticRegression(), Ridge(), KMeans(3, n_init=1, random_state=0)
NOISY = DBSCAN(eps=2, min_samples=4)
POINTS = EmbeddingOptimizer("uniformity", parametrization="points", max_iter=3, monitor=None, random_state=0)
LINEAR = EmbeddingOptimizer("uniformity", parametrization="linear", max_iter=3, monitor=None, random_state=0)
SPREAD = SphereDispersion(max_iter=3, polish=False, random_state=0)
RFE_2 = RFE(LOGISTIC, n_features_to_select=2)

# What is seen: rows by a name of this table, else the words of the refusal.
SEEN = {
    "X": lambda m: X,
    "scaled": lambda m: SCALED,
    "transform": lambda m: m.transform(X),
    "before": lambda m: m[:-1].transform(X),
    "selected": lambda m: X[:, m.support_],
    "predict": lambda m: m.predict(X),
    "embedding": lambda m: m.embedding_,
    "last embedding": lambda m: m[-1].embedding_,
    "regressor_.transform": lambda m: m.regressor_.transform(X),
}
# Which labels; those of noise are -1.
LABELS = {
    "y": lambda m: Y,
    "predict": lambda m: m.predict(X),
    "labels_": lambda m: m.labels_,
    "last labels_": lambda m: m[-1].labels_,
}
A_CLASSIFIER = "are classes. Score a regressor or a transformer"
TOLD_APART = "fitted estimators, and each transforms X in its own way"
NOT_REFITTED = r"holds no fitted estimator: fit it \(a search with refit=True\)"

# estimator, its y at fit: what a measure of one cloud sees; of pairs; the rows and labels that one of clusters sees
TABLE = [
    # transformers
    (StandardScaler(), None, "transform", "transform", "transform", "y"),
    (Whitening(), None, "transform", "transform", "transform", "y"),
    (scaled(PCA(2)), None, "transform", "words: features", "transform", "y"),
    (scaled("passthrough"), None, "scaled", "scaled", "scaled", "y"),
    (make_union(StandardScaler(), PCA(2)), None, "transform", "words: features", "transform", "y"),
    (SelectFromModel(LOGISTIC, max_features=2), CLASSES, "transform", "words: features", "transform", "y"),
    (Isomap(n_neighbors=30), None, "transform", "words: features", "transform", "y"),
    (LINEAR, None, "transform", "transform", "transform", "y"),
    (search(Whitening()), None, "transform", "transform", "transform", "y"),
    (search(Whitening(), refit=False), None, NOT_REFITTED, NOT_REFITTED, NOT_REFITTED, ""),
    (IncrementalPCA(2), None, "transform", "words: features", "transform", "y"),
    (ColumnTransformer([("two", StandardScaler(), [0, 2])]), None, "transform", "words: features", "transform", "y"),
    (scaled(FunctionTransformer(doubled)), None, "transform", "words: features", "transform", "y"),
    (make_pipeline("passthrough", PCA(2)), None, "transform", "words: features", "transform", "y"),
    (make_pipeline("passthrough"), None, "X", "X", "X", "y"),
    (FeatureAgglomeration(2), None, "transform", "words: features", "transform", "y"),
    (Neighbourhoods(), None, "transform", "transform", "transform", "y"),
    # transductive: the rows of the fit
    (POINTS, None, "embedding", "embedding", "embedding", "y"),
    (FrozenEstimator(POINTS.fit(X)), None, "embedding", "embedding", "embedding", "y"),
    (make_pipeline(PCA(), POINTS), None, "last embedding", "last embedding", "last embedding", "y"),
    (SPREAD, None, "embedding", "embedding", "embedding", "y"),
    (SpectralEmbedding(4, affinity="rbf", random_state=0), None, "embedding", "embedding", "embedding", "y"),
    (TSNE(perplexity=5, max_iter=250, random_state=0), None, "embedding", "words: features", "embedding", "y"),
    # classifiers
    (LOGISTIC, CLASSES, "X", A_CLASSIFIER, "X", "y"),
    (LinearDiscriminantAnalysis(), CLASSES, "X", A_CLASSIFIER, "X", "y"),
    (scaled(LOGISTIC), CLASSES, "scaled", A_CLASSIFIER, "scaled", "y"),
    (make_pipeline(LinearDiscriminantAnalysis(), LOGISTIC), CLASSES, "before", A_CLASSIFIER, "before", "y"),
    (NearestCentroid(), CLASSES, "X", A_CLASSIFIER, "X", "y"),
    (SelfTrainingClassifier(scaled(LOGISTIC)), SOME_CLASSES, "scaled", A_CLASSIFIER, "scaled", "y"),
    (ClassifierChain(LOGISTIC), TWO_LABELS, "X", A_CLASSIFIER, "X", "y"),
    (ClassifierChain(scaled(LOGISTIC)), TWO_LABELS, TOLD_APART, A_CLASSIFIER, TOLD_APART, ""),
    (MultiOutputClassifier(scaled(LOGISTIC)), TWO_LABELS, TOLD_APART, A_CLASSIFIER, TOLD_APART, ""),
    (Wrapped(LOGISTIC), CLASSES, "X", A_CLASSIFIER, "X", "y"),
    (Wrapped(scaled(LOGISTIC)), CLASSES, NOT_REFITTED, A_CLASSIFIER, NOT_REFITTED, ""),
    (RandomForestClassifier(3, random_state=0), CLASSES, "X", A_CLASSIFIER, "X", "y"),
    (RFE_2, CLASSES, "selected", A_CLASSIFIER, "selected", "y"),
    (search(scaled(LOGISTIC)), CLASSES, "scaled", A_CLASSIFIER, "scaled", "y"),
    (search(scaled(LOGISTIC), refit=False), CLASSES, NOT_REFITTED, A_CLASSIFIER, NOT_REFITTED, ""),
    (CalibratedClassifierCV(scaled(LOGISTIC), ensemble=False, cv=2), CLASSES, "scaled", A_CLASSIFIER, "scaled", "y"),
    (CalibratedClassifierCV(scaled(LOGISTIC), cv=2), CLASSES, TOLD_APART, A_CLASSIFIER, TOLD_APART, ""),
    (TunedThresholdClassifierCV(scaled(LOGISTIC), cv=2), BINARY, "scaled", A_CLASSIFIER, "scaled", "y"),
    (FixedThresholdClassifier(scaled(LOGISTIC)), BINARY, "scaled", A_CLASSIFIER, "scaled", "y"),
    (BaggingClassifier(DecisionTreeClassifier(), 3), CLASSES, "X", A_CLASSIFIER, "X", "y"),
    (BaggingClassifier(scaled(LOGISTIC), 3), CLASSES, TOLD_APART, A_CLASSIFIER, TOLD_APART, ""),
    (several(VotingClassifier), CLASSES, TOLD_APART, A_CLASSIFIER, TOLD_APART, ""),
    (VotingClassifier([("a", LOGISTIC), ("b", DecisionTreeClassifier())]), CLASSES, "X", A_CLASSIFIER, "X", "y"),
    (VotingClassifier([("a", scaled(LOGISTIC))]), CLASSES, "scaled", A_CLASSIFIER, "scaled", "y"),
    (several(StackingClassifier), CLASSES, TOLD_APART, A_CLASSIFIER, TOLD_APART, ""),
    (StackingClassifier([("a", LOGISTIC)]), CLASSES, "X", A_CLASSIFIER, "X", "y"),
    (OneVsRestClassifier(scaled(LOGISTIC)), CLASSES, TOLD_APART, A_CLASSIFIER, TOLD_APART, ""),
    (OneVsRestClassifier(LOGISTIC), CLASSES, "X", A_CLASSIFIER, "X", "y"),
    (OneVsOneClassifier(scaled(LOGISTIC)), CLASSES, TOLD_APART, A_CLASSIFIER, TOLD_APART, ""),
    # regressors; aligners are transformers too
    (RIDGE, TARGETS, "X", "predict", "X", "y"),
    (KernelRidge(), TARGETS, "X", "predict", "X", "y"),
    (scaled(RIDGE), TARGETS, "scaled", "predict", "scaled", "y"),
    (search(scaled(RIDGE)), TARGETS, "scaled", "predict", "scaled", "y"),
    (FrozenEstimator(scaled(RIDGE).fit(X, TARGETS)), None, "scaled", "predict", "scaled", "y"),
    (RandomForestRegressor(3, random_state=0), TARGETS, "X", "predict", "X", "y"),
    (MLPRegressor(hidden_layer_sizes=3, max_iter=5000, tol=1, random_state=0), TARGETS, "X", "predict", "X", "y"),
    (RANSACRegressor(scaled(RIDGE), min_samples=20, random_state=0), TARGETS, "scaled", "predict", "scaled", "y"),
    (RegressorChain(RIDGE), TARGETS, "X", "predict", "X", "y"),
    (PLSCanonical(2), TARGETS, "transform", "predict", "transform", "y"),
    (CCA(2), TARGETS, "transform", "predict", "transform", "y"),
    (PLSRegression(2), TARGETS, "transform", "predict", "transform", "y"),
    (CCAAligner(4), TARGETS, "transform", "predict", "transform", "y"),
    (ProcrustesAligner(), TARGETS, "transform", "predict", "transform", "y"),
    (scaled(ProcrustesAligner()), TARGETS, "transform", "predict", "transform", "y"),
    (
        TransformedTargetRegressor(scaled(RIDGE), transformer=StandardScaler()),
        TARGETS,
        "scaled",
        "predict",
        "scaled",
        "y",
    ),
    (
        TransformedTargetRegressor(ProcrustesAligner(), transformer=StandardScaler()),
        TARGETS,
        "regressor_.transform",
        "predict",
        "regressor_.transform",
        "y",
    ),
    (MultiOutputRegressor(RIDGE), TARGETS, "X", "predict", "X", "y"),
    (MultiOutputRegressor(scaled(RIDGE)), TARGETS, TOLD_APART, "predict", TOLD_APART, ""),
    (BaggingRegressor(RIDGE, 2, random_state=0), TARGETS, "X", "predict", "X", "y"),
    # clusterers: their clusters, though y is there
    (KMEANS, None, "X", "X", "X", "predict"),
    (BisectingKMeans(3, random_state=0), None, "X", "X", "X", "predict"),
    (GaussianMixture(3, random_state=0), None, "X", "X", "X", "predict"),
    (Birch(n_clusters=3), None, "X", "X", "X", "predict"),
    (MeanShift(bandwidth=4), None, "X", "X", "X", "predict"),
    (AffinityPropagation(random_state=0), None, "X", "X", "X", "predict"),
    (scaled(KMEANS), None, "scaled", "scaled", "scaled", "predict"),
    (FrozenEstimator(scaled(KMEANS).fit(X)), None, "scaled", "scaled", "scaled", "predict"),
    (search(KMEANS), None, "X", "X", "X", "predict"),
    (NOISY, None, "X", "X", "X", "labels_"),
    (HDBSCAN(min_cluster_size=8, copy=True), None, "X", "X", "X", "labels_"),
    (OPTICS(min_samples=8), None, "X", "X", "X", "labels_"),
    (AgglomerativeClustering(3), None, "X", "X", "X", "labels_"),
    (SpectralClustering(3, random_state=0, gamma=0.1), None, "X", "X", "X", "labels_"),
    (scaled(AgglomerativeClustering(3)), None, "scaled", "scaled", "scaled", "last labels_"),
    # what predicts something else
    (IsolationForest(n_estimators=3, random_state=0), None, "X", "X", "X", "y"),
    (LocalOutlierFactor(), None, "X", "X", "X", "y"),
    (scaled(KernelDensity()), None, "scaled", "scaled", "scaled", "y"),
    (Untyped(), TARGETS, "X", "the type of Untyped is unknown", "X", "y"),
    (scaled(Untyped()), TARGETS, "scaled", "the type of Untyped is unknown", "scaled", "y"),
]


def ids(value):
    return repr(value).replace("\n", "")[:60] if hasattr(value, "fit") else None


def agree(score, expected):
    """Check a score against a value, or against the words of its refusal."""
    if isinstance(expected, str):
        with pytest.raises(ValueError, match=expected.removeprefix("words: ")):
            score()
    else:
        assert_allclose(score(), expected, rtol=1e-9)


def measured(measure, seen, model, *others):
    """Return the measure of what is seen, computed by hand, or the words of a refusal."""
    return measure(SEEN[seen](model), *others) if seen in SEEN else seen


@pytest.mark.parametrize(("estimator", "y", "seen"), [(e, y, cloud) for e, y, cloud, *_ in TABLE], ids=ids)
def test_what_a_measure_of_one_cloud_sees(estimator, y, seen):
    model = estimator.fit(X, y)
    agree(lambda: isoscore_scorer(model, X), measured(isoscore, seen, model))


@pytest.mark.parametrize(("estimator", "y", "seen"), [(e, y, pair) for e, y, _, pair, *_ in TABLE], ids=ids)
def test_what_a_measure_of_pairs_sees(estimator, y, seen):
    model = estimator.fit(X, y)
    agree(lambda: paired_cosine_scorer(model, X, TARGETS), measured(paired_cosine, seen, model, TARGETS))


@pytest.mark.parametrize(("estimator", "y", "seen", "labels"), [(e, y, *c) for e, y, _, _, *c in TABLE], ids=ids)
def test_what_a_measure_of_clusters_sees(estimator, y, seen, labels):
    model = estimator.fit(X, y)
    if labels:
        given = LABELS[labels](model)
        seen = silhouette_score(SEEN[seen](model)[given != -1], given[given != -1])
    agree(lambda: silhouette_scorer(model, X, Y), seen)


@pytest.mark.parametrize(("estimator", "y"), [(e, y) for e, y, *_ in TABLE], ids=ids)
def test_routed_labels_come_before_all_others(estimator, y):
    model = estimator.fit(X, y)
    scorer = make_embedding_scorer("silhouette", step=lambda _, rows: rows[:, :2])
    agree(lambda: scorer(model, X, CLASSES, labels=Y), silhouette_score(X[:, :2], Y))


# Estimators that know no rows but those of their fit

OF_THEIR_FIT = [POINTS, SPREAD, make_pipeline(PCA(), POINTS), SpectralEmbedding(2, affinity="rbf", random_state=0)]


@pytest.mark.parametrize("estimator", OF_THEIR_FIT, ids=ids)
def test_an_embedding_of_other_rows_is_refused(estimator):
    model = estimator.fit(X)
    with pytest.raises(
        ValueError, match=r"no transform: its embedding_ can be scored only on the 60 rows.*, got 40 rows"
    ):
        isoscore_scorer(model, X[:40])
    with pytest.raises(ValueError, match=r"no transform: its embedding_ can be scored only"):
        cross_val_score(estimator, X, scoring=isoscore_scorer, cv=3, error_score="raise")


@pytest.mark.parametrize("estimator", OF_THEIR_FIT[:3], ids=ids)
@pytest.mark.parametrize("rows", [X[::-1], X + 0.1, X * 1.001], ids=["reversed", "moved", "scaled"])
def test_our_embeddings_know_as_many_other_rows(estimator, rows):
    with pytest.raises(ValueError, match="got other rows, or these in another order"):
        isoscore_scorer(estimator.fit(X), rows)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("what", ["offset", "one long row"])
def test_our_embeddings_know_other_rows_of_a_narrow_cone_and_beside_a_long_one(what, dtype):
    rows, others = (rng.normal(size=(60, 4)) for rng in map(np.random.default_rng, (0, 1)))
    share = 1e-4 if dtype == "float32" else 1e-9
    if what == "offset":
        rows, others = (1 + share * x for x in (rows, others))
    else:
        rows[0] = others[0] = 1 / share
    model = clone(POINTS).fit(rows.astype(dtype))
    assert np.isfinite(isoscore_scorer(model, rows.astype(dtype)))
    with pytest.raises(ValueError, match="got other rows, or these in another order"):
        isoscore_scorer(model, others.astype(dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("before", [Whitening(), PCA(3), PCA(3, svd_solver="full")], ids=ids)
def test_rounding_on_the_way_to_an_embedding_is_let_pass(before, dtype):
    model = make_pipeline(before, POINTS).fit((X + 10).astype(dtype))
    assert isoscore_scorer(model, (X + 10).astype(dtype)) == isoscore(model[-1].embedding_)


@pytest.mark.parametrize("estimator", [NOISY, AgglomerativeClustering(3), scaled(AgglomerativeClustering(3))], ids=ids)
def test_clusters_of_other_rows_are_refused(estimator):
    model = estimator.fit(X)
    with pytest.raises(ValueError, match=r"no predict: its labels_ can be scored only on the 60 rows.*, got 40 rows"):
        silhouette_scorer(model, X[:40], Y[:40])
    assert np.isfinite(isoscore_scorer(model, X[:40]))


SORTED = X[np.argsort(CLASSES, kind="stable")]
"""Halves of every second row have the same classes in the same order."""
NOT_OURS = [
    DBSCAN(eps=2, min_samples=3),
    HDBSCAN(min_cluster_size=5, copy=True),
    OPTICS(min_samples=5),
    AgglomerativeClustering(3),
    SpectralClustering(3, gamma=0.1),
    SpectralEmbedding(2, affinity="rbf"),
    TSNE(perplexity=5, max_iter=250),
]


@pytest.mark.parametrize("estimator", NOT_OURS, ids=ids)
def test_as_many_other_rows_are_refused(estimator):
    scorer = silhouette_scorer if hasattr(estimator, "fit_predict") else isoscore_scorer
    model = clone(estimator).fit(SORTED[::2])
    assert np.isfinite(scorer(model, SORTED[::2]))
    with pytest.raises(ValueError, match=r"other rows, or these in another order.*call the measure itself with"):
        scorer(model, SORTED[1::2])


def test_rows_that_give_the_same_clusters_are_others_all_the_same():
    given, others = X, X @ np.diag([1, 1, 1, 1.1])
    model = AgglomerativeClustering(3).fit(given)
    assert np.array_equal(model.labels_, AgglomerativeClustering(3).fit_predict(others))
    with pytest.raises(ValueError, match="got other rows"):
        silhouette_scorer(model, others)


def test_other_border_rows_around_the_same_cores_are_refused():
    model = DBSCAN(eps=2, min_samples=4).fit(X)
    moved = np.where(np.isin(np.arange(60), model.core_sample_indices_)[:, None], X, X + 50)
    with pytest.raises(ValueError, match="got other rows"):
        silhouette_scorer(model, moved)


def test_a_search_of_clusterers_without_predict_works_on_all_rows_and_not_on_halves():
    options = {"param_grid": {"n_clusters": [2, 3, 5]}, "scoring": silhouette_scorer, "error_score": "raise"}
    every = np.arange(60)
    tuned = GridSearchCV(AgglomerativeClustering(), cv=[(every, every)], **options).fit(X)
    by_hand = [silhouette_score(X, AgglomerativeClustering(k).fit_predict(X)) for k in (2, 3, 5)]
    assert_allclose(tuned.cv_results_["mean_test_score"], by_hand)
    with pytest.raises(ValueError, match="AgglomerativeClustering has no predict"):
        GridSearchCV(AgglomerativeClustering(), cv=2, **options).fit(X)


def test_a_random_fit_is_not_known_again_and_the_words_say_what_to_do():
    with pytest.raises(ValueError, match="after a fit with random_state and without weights"):
        isoscore_scorer(Thrown().fit(X), X)


def test_clusters_are_the_same_under_other_names():
    assert silhouette_scorer(Renamed().fit(X), X) == pytest.approx(silhouette_score(X, np.arange(60) % 3))
    with pytest.raises(ValueError, match="after a fit with random_state and without weights"):
        silhouette_scorer(Renamed(merging=True).fit(X), X)


def test_a_clusterer_that_is_not_fitted_has_no_clusters():
    with pytest.raises(NotFittedError, match="AgglomerativeClustering instance is not fitted"):
        silhouette_scorer(AgglomerativeClustering(), X)


# Matrices of pairs

GRAM = SCALED @ SCALED.T
DISTANCES = np.linalg.norm(X[:, None] - X, axis=2)
OF_PAIRS = [
    (SVC(kernel="precomputed"), isoscore_scorer, GRAM),
    (OneVsRestClassifier(SVC(kernel="precomputed")), isoscore_scorer, GRAM),
    (AgglomerativeClustering(3, metric="precomputed", linkage="average"), silhouette_scorer, DISTANCES),
    (make_pipeline(KNeighborsTransformer(), KNeighborsClassifier(3, metric="precomputed")), isoscore_scorer, X),
]


@pytest.mark.parametrize(("estimator", "scorer", "rows"), OF_PAIRS, ids=ids)
def test_kernels_and_distances_are_not_taken_for_embeddings(estimator, scorer, rows):
    model = estimator.fit(rows, CLASSES)
    with pytest.raises(
        ValueError, match=r"not embeddings, one per row, but a matrix of pairs of rows, because .*'precomp"
    ):
        scorer(model, rows)


def test_a_sparse_graph_is_not_taken_for_embeddings():
    with pytest.raises(TypeError, match="Sparse data"):
        isoscore_scorer(KNeighborsTransformer().fit(X), X)


def test_an_embedding_is_not_a_step_before_others():
    with pytest.raises(TypeError, match="intermediate steps should be transformers"):
        make_pipeline(POINTS, LOGISTIC).fit(X, CLASSES)


def test_what_made_nothing_is_refused():
    with pytest.raises(ValueError, match=r"neither transform nor embedding_ nor predict.*: fit it, or pass step="):
        isoscore_scorer(TSNE(), X)


# Named steps


def test_a_named_step_is_found_inside_and_need_not_transform_new_rows():
    scorer = make_embedding_scorer("isoscore", step="standardscaler")
    inside = FixedThresholdClassifier(scaled(LOGISTIC)).fit(X, BINARY)
    assert scorer(inside, X) == isoscore(SCALED)
    of_points = Pipeline([("standardscaler", StandardScaler()), ("points", POINTS)]).fit(X)
    assert scorer(of_points, X) == isoscore(SCALED)
    assert make_embedding_scorer("isoscore", step="points")(of_points, X) == isoscore(of_points[-1].embedding_)


def test_a_named_step_that_only_predicts_is_refused():
    scorer = make_embedding_scorer("isoscore", step="logisticregression")
    with pytest.raises(ValueError, match="names LogisticRegression, which has no transform: name a step before it"):
        scorer(scaled(LOGISTIC).fit(X, CLASSES), X)


# Noise


def test_noise_is_left_out_and_never_a_cluster():
    labels = NOISY.fit(X).labels_
    assert 0 < np.sum(labels == -1) < 60
    marked = np.where(labels == -1, 7, labels)
    scorer = make_embedding_scorer("silhouette", noise_label=7)
    assert scorer(StandardScaler().fit(X), X, marked) == silhouette_score(SCALED[marked != 7], marked[marked != 7])
    assert silhouette_scorer(StandardScaler().fit(X), X, labels) == silhouette_score(SCALED, labels)
    named = np.where(labels == -1, "none", labels.astype(str))
    scorer = make_embedding_scorer("silhouette", noise_label="none")
    assert scorer(StandardScaler().fit(X), X, named) == silhouette_score(SCALED[labels != -1], labels[labels != -1])
    assert repr(scorer) == "make_embedding_scorer(silhouette_score, noise_label='none')"


@pytest.mark.parametrize("column", [lambda v: v[:, None], lambda v: v[:, None].tolist(), lambda v: v.tolist()])
def test_noise_is_left_out_of_one_column_of_labels(column):
    marked = np.where(np.arange(60) < 20, -1, np.arange(60) % 3)
    scorer = make_embedding_scorer("silhouette", noise_label=-1)
    assert scorer(StandardScaler().fit(X), X, column(marked)) == silhouette_score(SCALED[20:], marked[20:])


@pytest.mark.parametrize("n", [3, 50, 61])
@pytest.mark.parametrize("noise_label", [None, -1])
def test_labels_of_another_number_of_rows_are_refused(n, noise_label):
    labels = np.r_[-1, np.arange(60) % 3][:n]
    scorer = make_embedding_scorer("silhouette", noise_label=noise_label)
    with pytest.raises(ValueError, match=f"Found {n} labels for 60 rows"):
        scorer(StandardScaler().fit(X), X, labels)


@pytest.mark.parametrize("groups", [np.arange(60) // 3, [str(i % 12) for i in range(60)]], ids=["codes", "names"])
def test_an_estimate_without_noise_leaves_out_its_groups(groups):
    marked = np.where(np.arange(60) % 5 == 0, -1, CLASSES)
    scorer, kept = make_embedding_scorer("silhouette", noise_label=-1), marked != -1
    found = scorer.estimate(StandardScaler().fit(X), X, marked, groups=groups)
    assert found == estimate("silhouette", SCALED[kept], marked[kept], groups=np.array(groups)[kept])
    with pytest.raises(ValueError, match="Found 59 groups for 60 rows"):
        scorer.estimate(StandardScaler().fit(X), X, marked, groups=groups[:59])


@pytest.mark.parametrize("labels", [[-1, -2], (-1,), {-1}, np.array(-1)])
def test_noise_has_one_label(labels):
    with pytest.raises(TypeError, match="noise_label must be one label"):
        make_embedding_scorer("silhouette", noise_label=labels)


def test_nothing_but_noise_is_refused():
    with pytest.raises(ValueError, match=r"All 60 rows are noise \(their label is -1\)"):
        silhouette_scorer(DBSCAN(eps=1e-9).fit(X), X)


def test_a_measure_without_labels_has_no_noise():
    with pytest.raises(ValueError, match="noise_label=-1 is for measures of labelled rows"):
        make_embedding_scorer("isoscore", noise_label=-1)


# Functions of one's own


def test_a_function_of_two_arguments_gets_what_the_estimator_made():
    def both(rows, other):
        return float(np.sum(rows[:, 0] * other if other.ndim == 1 else rows * other))

    scorer = make_embedding_scorer(both)
    assert scorer(RIDGE.fit(X, TARGETS), X, TARGETS) == both(RIDGE.predict(X), TARGETS)
    assert scorer(KMEANS.fit(X), X, Y) == both(X, KMEANS.predict(X))
    assert scorer(StandardScaler().fit(X), X, Y) == both(SCALED, Y)


# Metadata

GROUPS = np.arange(60) % 2


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def asking(transformer, groups=True):
    return transformer.set_fit_request(groups=groups).set_transform_request(groups=groups)


def by_hand(measure):
    """Return the scores of three folds of rows whitened by group."""
    scores = []
    for train, test in sklearn.model_selection.KFold(3).split(X):
        whitening = GroupWhitening().fit(X[train], groups=GROUPS[train])
        scores.append(measure(whitening.transform(X[test], groups=GROUPS[test]), test))
    return scores


@pytest.mark.parametrize("last", [None, KernelDensity(), LOGISTIC], ids=ids)
def test_groups_reach_the_transform_that_asks_for_them(last, routing):
    whitening = asking(GroupWhitening())
    model = whitening if last is None else make_pipeline(whitening, last)
    folds = sklearn.model_selection.KFold(3)
    options = {"params": {"groups": GROUPS}, "cv": folds, "error_score": "raise"}
    found = cross_val_score(model, X, CLASSES, scoring=isoscore_scorer, **options)
    assert_allclose(found, by_hand(lambda z, test: isoscore(z)))
    found = cross_val_score(model, X, CLASSES, scoring=silhouette_scorer, **options)
    assert_allclose(found, by_hand(lambda z, test: silhouette_score(z, CLASSES[test])))


def test_groups_reach_a_search_and_the_predict_of_a_regressor(routing):
    model = make_pipeline(asking(GroupCentering()), RIDGE)
    scoring = {"iso": isoscore_scorer, "cos": paired_cosine_scorer}
    tuned = GridSearchCV(model, {"ridge__alpha": [1.0]}, scoring=scoring, refit="cos", cv=3, error_score="raise")
    tuned.fit(X, TARGETS, groups=GROUPS)
    mapped = tuned.best_estimator_.predict(X, groups=GROUPS)
    assert tuned.score(X, TARGETS, groups=GROUPS) == paired_cosine(mapped, TARGETS)


def test_metadata_by_another_name_is_passed_on_where_the_scorer_asks_for_it(routing):
    model = make_pipeline(asking(GroupCentering(), "language"), KMEANS).fit(X, language=GROUPS)
    scorer = isoscore_scorer.set_score_request(language=True)
    centred = GroupCentering().fit_transform(X, groups=GROUPS)
    assert_allclose(scorer(model, X, language=GROUPS), isoscore(centred))
    assert scorer.get_metadata_routing().score.requests["language"] is True
    params = {"language": GROUPS}
    assert np.isfinite(cross_val_score(model, X, scoring=scorer, params=params, cv=3, error_score="raise")).all()


def test_groups_for_the_folds_alone_are_no_error(routing):
    options = {"params": {"groups": np.arange(60) // 6}, "cv": sklearn.model_selection.GroupKFold(3)}
    assert np.isfinite(cross_val_score(scaled(RIDGE), X, TARGETS, scoring=isoscore_scorer, **options)).all()


def test_metadata_that_nobody_asks_for_are_refused(routing):
    scorer = isoscore_scorer.set_score_request(sample_weight=True)
    with pytest.raises(
        ValueError, match="got sample_weight, but nothing in Pipeline requests it for transform or predict"
    ):
        scorer(scaled(RIDGE).fit(X, TARGETS), X, sample_weight=np.ones(60))


def test_metadata_without_routing_are_refused():
    with pytest.raises(ValueError, match=r"got groups, .*call sklearn.set_config\(enable_metadata_routing=True\)"):
        isoscore_scorer(StandardScaler().fit(X), X, groups=GROUPS)


def whitened(estimator, rows, groups=None):
    return estimator[:-1].transform(rows, groups=groups)


def test_a_function_as_step_gets_the_metadata_that_it_takes(routing):
    model = make_pipeline(asking(GroupWhitening()), LOGISTIC)
    options = {"params": {"groups": GROUPS}, "cv": sklearn.model_selection.KFold(3), "error_score": "raise"}
    expected = by_hand(lambda z, test: isoscore(z))
    for step in (whitened, lambda estimator, rows, **metadata: whitened(estimator, rows, **metadata)):
        scorer = make_embedding_scorer("isoscore", step=step)
        assert_allclose(cross_val_score(model, X, CLASSES, scoring=scorer, **options), expected)


@pytest.mark.parametrize("name", ["groups", "language"])
def test_metadata_that_a_function_as_step_does_not_take_are_refused(name, routing):
    model = make_pipeline(asking(GroupCentering(), groups=name), LOGISTIC).fit(X, CLASSES, **{name: GROUPS})
    scorer = make_embedding_scorer("isoscore", step=lambda estimator, rows: rows).set_score_request(**{name: True})
    with pytest.raises(ValueError, match=f"got {name}, but the function passed as step= does not accept"):
        scorer(model, X, **{name: GROUPS})


def test_groups_for_the_folds_alone_need_not_be_taken(routing):
    scorer = make_embedding_scorer("isoscore", step=lambda estimator, rows: rows)
    assert scorer(LOGISTIC.fit(X, CLASSES), X, groups=GROUPS) == isoscore(X)


def test_beside_a_scorer_that_passes_no_groups_on_nothing_is_scored_silently(routing):
    model = make_pipeline(asking(GroupWhitening()), LOGISTIC)
    scoring = {"iso": isoscore_scorer, "accuracy": "accuracy"}
    options = {"scoring": scoring, "params": {"groups": GROUPS}, "cv": sklearn.model_selection.KFold(3)}
    with pytest.raises(ValueError, match="groups is required: there were 2 at fit"):
        cross_validate(model, X, CLASSES, error_score="raise", **options)
    with pytest.warns(UserWarning, match="groups is required: there were 2 at fit"):
        found = cross_validate(model, X, CLASSES, **options)
    assert np.isnan(found["test_accuracy"]).all()
    assert_allclose(found["test_iso"], by_hand(lambda z, test: isoscore(z)))
