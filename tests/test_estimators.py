"""What all estimators promise beyond scikit-learn's checks.

Any scale works or is refused in words, and a fit that fails changes nothing.
"""

import pickle
from inspect import isclass

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import skgeom
from skgeom.alignment import CCAAligner, GeneralizedProcrustes, LstsqAligner, ProcrustesAligner
from skgeom.calibration import CosineCalibrator
from skgeom.comparison import DriftMonitor
from skgeom.metrics import clip_loss, get_scorer, silhouette_score, triplet_objective
from skgeom.multimodal import GapShift, ZeroShotClassifier, double_ellipsoid
from skgeom.optim import EmbeddingOptimizer, SphereDispersion
from skgeom.preprocessing import (
    AllButTheTop,
    GroupAllButTheTop,
    GroupCentering,
    GroupWhitening,
    SiameseTransformer,
    TangentSpace,
    Whitening,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)) * [1, 2, 3, 4] + [3, 0, 1, 0]
Y = X @ RNG.normal(size=(4, 4)) + 0.1 * RNG.normal(size=(60, 4))
WIDE = RNG.normal(size=(60, 6))
LABELS = np.arange(60) % 3
GROUPS = np.arange(60) % 2

ESTIMATORS = [value for value in (getattr(skgeom, name) for name in skgeom._HOMES) if isclass(value)]
ESTIMATORS.remove(SiameseTransformer)  # of pairs
ESTIMATORS.remove(GeneralizedProcrustes)  # of several spaces
CHEAP = {EmbeddingOptimizer: {"max_iter": 3}, SphereDispersion: {"max_iter": 3, "polish": False}}

SCALES = [1e-300, 1e-200, 1e-150, 1e-120, 1e-60, 1e60, 1e120, 1e150, 1e154, 1e200, 1e300]


def fitted(estimator, x, y=None):
    """Return an estimator fitted to rows, with the targets, classes or groups that its kind needs."""
    if isinstance(estimator, GroupAllButTheTop | GroupCentering | GroupWhitening | GapShift):
        return estimator.fit(x, groups=GROUPS if y is None else y)
    if isinstance(estimator, CosineCalibrator):
        return estimator.fit(x, groups=y)
    if isinstance(estimator, ZeroShotClassifier | EmbeddingOptimizer):
        return estimator.fit(x, LABELS if y is None else y)
    if isinstance(estimator, LstsqAligner | ProcrustesAligner | CCAAligner):
        return estimator.fit(x, x if y is None else y)
    return estimator.fit(x)


# Scales


def transformed(estimator):
    return lambda s: fitted(estimator, X * s).transform(X * s)


def in_parts(estimator):
    return lambda s: clone(estimator).partial_fit(X[:30] * s).partial_fit(X[30:] * s).transform(X * s)


def there_and_back(estimator):
    return lambda s: fitted(estimator, X * s).inverse_transform(estimator.transform(X * s)) / s


def grouped(estimator):
    return lambda s: fitted(estimator, X * s).transform(X * s, groups=GROUPS)


def aligned(estimator):
    return lambda s: fitted(estimator, X * s, Y * s).transform(X * s)


def logits(rule):
    return lambda s: ZeroShotClassifier(logits=rule).fit(X[:6] * s, LABELS[:6]).decision_function(X * s)


def moved(**parameters):
    return lambda s: EmbeddingOptimizer(max_iter=2, monitor=None, **parameters).fit_transform(X * s, LABELS)


def spread(s):
    return SphereDispersion(max_iter=2, polish=False, random_state=0).fit_transform(X * s)


FREE, LINEAR, SQUARED = 0, 1, 2
ANY, SQUARES, FOURTH_POWERS = np.inf, 1e140, 1e70
OF_SCALE = {
    "whitening": (transformed(Whitening()), FREE, SQUARES),
    "whitening of correlations": (transformed(Whitening(method="zca-cor", shrinkage=0.1)), FREE, SQUARES),
    "whitening by Ledoit and Wolf": (transformed(Whitening(shrinkage="ledoit_wolf")), FREE, FOURTH_POWERS),
    "whitening by OAS": (transformed(Whitening(shrinkage="oas")), FREE, FOURTH_POWERS),
    "whitening on the sphere": (transformed(Whitening(normalize=True)), FREE, SQUARES),
    "whitening in parts": (in_parts(Whitening()), FREE, SQUARES),
    "whitening and back": (there_and_back(Whitening()), FREE, SQUARES),
    "rotation by whitening": (transformed(Whitening(power=0.0)), LINEAR, SQUARES),
    "all but the top": (transformed(AllButTheTop()), LINEAR, SQUARES),
    "all but the top, raw": (transformed(AllButTheTop(projection="raw")), LINEAR, SQUARES),
    "all but the top in parts": (in_parts(AllButTheTop()), LINEAR, SQUARES),
    "group centring": (grouped(GroupCentering()), LINEAR, ANY),
    "all but the top of groups": (grouped(GroupAllButTheTop()), LINEAR, SQUARES),
    "group whitening": (grouped(GroupWhitening()), FREE, SQUARES),
    "gap shift": (grouped(GapShift()), FREE, ANY),
    "procrustes": (aligned(ProcrustesAligner(center=True, scale=True)), LINEAR, SQUARES),
    "least squares": (aligned(LstsqAligner()), LINEAR, SQUARES),
    "ridge": (aligned(LstsqAligner(alpha="gcv", prior="orthogonal", fit_intercept=True)), LINEAR, SQUARES),
    "canonical": (aligned(CCAAligner()), FREE, SQUARES),
    "explained variance": (lambda s: fitted(LstsqAligner(), X * s, Y * s).score(X * s, Y * s), FREE, SQUARES),
    "cosines to classes": (logits("cosine"), FREE, ANY),
    "products with classes": (logits("dot"), SQUARED, SQUARES),
    "optimiser": (moved(objective="uniformity", constraint="sphere"), FREE, SQUARES),
    "dispersion": (spread, FREE, ANY),
    "threshold": (lambda s: CosineCalibrator(0.1).fit(X * s, Y).threshold_interval_, FREE, ANY),
    "drift": (lambda s: DriftMonitor().fit(X[:40] * s).score(X[40:] * s), FREE, FOURTH_POWERS),
    "double ellipsoid": (lambda s: double_ellipsoid(X * s, Y * s).separation, FREE, FOURTH_POWERS),
}
REFUSED = r"X has magnitudes up to .*, whose (squares|fourth powers) leave the range of float64"


@pytest.mark.filterwarnings("ignore:.*not enough for a threshold")
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", OF_SCALE)
def test_any_scale_has_the_result_of_scale_one_or_is_refused_in_words(name, scale):
    function, degree, largest = OF_SCALE[name]
    if name in ("optimiser", "dispersion"):
        pytest.importorskip("torch")
    if not 1 / largest < scale < largest:
        with pytest.raises(ValueError, match=REFUSED):
            function(scale)
        return
    found, expected = function(scale), function(1.0)
    for _ in range(degree):
        found = found / scale
    assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * np.max(np.abs(expected)))


@pytest.mark.parametrize("scale", [1e-200, 1e200])
@pytest.mark.parametrize("rule", ["dot", "distance"])
def test_logits_that_are_no_cosines_refuse_scales_whose_squares_leave_float64(rule, scale):
    queries = ZeroShotClassifier(logits=rule).fit(X[:6], LABELS[:6])
    for call in (ZeroShotClassifier(logits=rule).fit, queries.score):
        with pytest.raises(ValueError, match=REFUSED):
            call(X * scale, LABELS)
    for call in (queries.decision_function, queries.predict, queries.predict_proba):
        with pytest.raises(ValueError, match=REFUSED):
            call(X * scale)


@pytest.mark.parametrize("scale", [1e-120, 1e120])
def test_distances_to_classes_are_right_at_the_ends_of_their_range(scale):
    found = logits("distance")(scale)
    means = np.stack([X[:6][LABELS[:6] == k].mean(0) for k in range(3)]) * scale
    expected = 1 - ((X[:, None, :] * scale - means) ** 2).sum(-1) / 2
    assert_allclose(found, expected, rtol=1e-9)


def test_rows_far_beyond_those_of_the_fit_go_to_the_limit_on_the_sphere():
    whitening = Whitening(normalize=True).fit(X)
    limit = X @ whitening.whitening_matrix_
    limit /= np.linalg.norm(limit, axis=1, keepdims=True)
    assert_allclose(whitening.transform(X * 1e200), limit, rtol=1e-9)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
@pytest.mark.parametrize("call", [Whitening.score_samples, lambda e, x: LstsqAligner().fit(X, Y).score(x, Y)])
def test_scores_refuse_scales_whose_squares_leave_float64(call, scale):
    with pytest.raises(ValueError, match=REFUSED):
        call(Whitening().fit(X), X * scale)


@pytest.mark.parametrize("constraint", ["sphere", "fixed_norm"])
def test_an_optimised_map_refuses_rows_whose_norms_leave_float64(constraint):
    pytest.importorskip("torch")
    optimizer = EmbeddingOptimizer(parametrization="linear", constraint=constraint, max_iter=2).fit(X, LABELS)
    with pytest.raises(ValueError, match=REFUSED):
        optimizer.transform(X * 1e200)


# Failed fits


BAD_PARAMETERS = {
    AllButTheTop: {"n_components": -1},
    CCAAligner: {"shrinkage": 2.0},
    CosineCalibrator: {"alpha": 2.0},
    DriftMonitor: {"n_batches": 0},
    EmbeddingOptimizer: {"objective": "unknown"},
    GapShift: {"lam": "far"},
    GroupAllButTheTop: {"n_components": -1},
    GroupCentering: {"device": "gpu"},
    GroupWhitening: {"power": 2.0},
    LstsqAligner: {"alpha": -1.0},
    ProcrustesAligner: {"scale": "yes"},
    SphereDispersion: {"loss": "unknown"},
    TangentSpace: {"geometry": "torus"},
    Whitening: {"power": 2.0},
    ZeroShotClassifier: {"temperature": 0.0},
}


def bad_fits():
    """Yield estimators and calls that fail, early for bad rows or parameters, or late."""
    for cls in ESTIMATORS:
        yield pytest.param(cls, {}, lambda e: fitted(e, np.full((60, 6), np.nan)), id=f"{cls.__name__}-NaN")
        yield pytest.param(cls, BAD_PARAMETERS[cls], lambda e: fitted(e, WIDE), id=f"{cls.__name__}-parameter")
        if cls not in (AllButTheTop, DriftMonitor, SphereDispersion, TangentSpace, Whitening):
            yield pytest.param(cls, {}, lambda e: fitted(e, WIDE, LABELS[:-1]), id=f"{cls.__name__}-y")
        if cls in (Whitening, GroupWhitening, CCAAligner):
            yield pytest.param(cls, {}, lambda e: fitted(e, np.ones((60, 6))), id=f"{cls.__name__}-no spread")
    cosines = ZeroShotClassifier
    yield pytest.param(cosines, {}, lambda e: fitted(e, np.zeros((60, 6))), id="ZeroShotClassifier-no direction")
    yield pytest.param(GapShift, {}, lambda e: fitted(e, WIDE, LABELS), id="GapShift-three groups")
    yield pytest.param(AllButTheTop, {"n_components": 7}, lambda e: fitted(e, WIDE), id="AllButTheTop-too many")
    for cls in (AllButTheTop, DriftMonitor, Whitening, ProcrustesAligner, LstsqAligner, CCAAligner):
        extra = () if cls in (AllButTheTop, DriftMonitor, Whitening) else (np.full((60, 4), np.nan),)
        yield pytest.param(cls, {}, lambda e, y=extra: e.partial_fit(X * 1e200, *y), id=f"{cls.__name__}-partial_fit")


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("cls", "parameters", "call"), list(bad_fits()))
def test_a_fit_that_fails_leaves_everything_as_it_was(cls, parameters, call):
    if cls in CHEAP:
        pytest.importorskip("torch")
    estimator = fitted(cls(**CHEAP.get(cls, {})), X).set_params(**parameters)
    before = dict(vars(estimator))
    with pytest.raises((TypeError, ValueError)):
        call(estimator)
    assert vars(estimator).keys() == before.keys()
    assert all(vars(estimator)[name] is value for name, value in before.items())
    assert estimator.n_features_in_ == 4


# Labels


def objects(*values):
    return np.array(values * 20, dtype=object)


LABELLED = {
    "silhouette_score": lambda y: silhouette_score(X, y),
    "triplet_objective": lambda y: triplet_objective(X, y),
    "clip_loss": lambda y: clip_loss(X, Y, labels=y),
    "scorer": lambda y: get_scorer("silhouette")(Whitening().fit(X), X, y),
    "zero-shot fit": lambda y: ZeroShotClassifier().fit(X, y),
    "zero-shot score": lambda y: ZeroShotClassifier().fit(X[:2], ["a", "b"]).score(X, y),
    "centring fit": lambda y: GroupCentering().fit(X, groups=y),
    "centring": lambda y: GroupCentering().fit(X, groups=objects("a", "b", "c")).transform(X, groups=y),
    "group whitening": lambda y: GroupWhitening().fit(X, groups=y),
    "gap shift": lambda y: GapShift().fit(X, groups=y),
    "optimiser": lambda y: EmbeddingOptimizer(max_iter=1).fit(X, y),
    "monitor": lambda y: EmbeddingOptimizer("uniformity", max_iter=1).fit(X, y),
}


@pytest.mark.parametrize("name", LABELLED)
@pytest.mark.parametrize(
    ("labels", "error", "problem"),
    [
        (objects(1, "a", "b"), TypeError, "must be of one type that can be sorted, got int and str"),
        (objects(None, "a", "b"), ValueError, "contains NaN"),
        (objects(None, 1, 2), ValueError, "contains NaN"),
        (objects(np.nan, "a", "b"), ValueError, "contains NaN"),
        (np.array([np.nan, 1.0, 2.0] * 20), ValueError, "contains NaN"),
    ],
)
def test_labels_that_are_missing_or_of_mixed_types_are_refused_in_words(name, labels, error, problem):
    if name in ("optimiser", "monitor"):
        pytest.importorskip("torch")
    with pytest.raises(error, match=problem):
        LABELLED[name](labels)


# What only partial_fit needs

LEARNERS = [Whitening(2), AllButTheTop(1), ProcrustesAligner(), LstsqAligner(), CCAAligner(2)]


@pytest.mark.parametrize("estimator", LEARNERS, ids=lambda one: type(one).__name__)
def test_a_map_without_its_moments_is_small_and_the_same(estimator):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 200))
    y = x[:, :2] + rng.normal(size=(600, 2))
    fitted = clone(estimator).fit(x, y)
    before, whole = fitted.transform(x), len(pickle.dumps(fitted))
    with pytest.raises(NotFittedError):
        clone(estimator).forget_moments()
    assert fitted.forget_moments() is fitted
    small = pickle.dumps(fitted)
    assert whole - len(small) > 0.9 * 8 * 200 * (2 if isinstance(estimator, ProcrustesAligner) else 200)
    np.testing.assert_array_equal(pickle.loads(small).transform(x), before)
    with pytest.raises(ValueError, match="forget_moments dropped"):
        fitted.partial_fit(x, y)
    np.testing.assert_array_equal(fitted.fit(x, y).partial_fit(x, y).transform(x).shape, before.shape)


def test_rotations_without_their_moments_are_the_same():
    spaces = [X, Y, X[:, ::-1]]
    aligner = GeneralizedProcrustes().fit(spaces)
    before = aligner.transform(X, space=0)
    np.testing.assert_array_equal(aligner.forget_moments().transform(X, space=0), before)
    with pytest.raises(ValueError, match="forget_moments dropped"):
        aligner.partial_fit(spaces)
