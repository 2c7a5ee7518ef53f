"""Every estimator passes scikit-learn's own checks, but one with zero rows where a direction is needed."""

import os
import sys
from importlib import import_module

import pytest
from sklearn.base import BaseEstimator
from sklearn.utils import get_tags

import skgeom
from skgeom._array import find_accelerator
from skgeom.alignment import CCAAligner, LstsqAligner, ProcrustesAligner
from skgeom.calibration import CosineCalibrator
from skgeom.multimodal import GapShift, ZeroShotClassifier
from skgeom.optim import EmbeddingOptimizer, SphereDispersion
from skgeom.preprocessing import AllButTheTop, GroupWhitening, SiameseTransformer, TangentSpace, Whitening

try:
    from sklearn.utils.estimator_checks import estimator_checks_generator
except RuntimeError:  # scikit-learn 1.6 refuses to import its checks beside array-api-compat unless SCIPY_ARRAY_API=1
    hidden = sys.modules.pop("array_api_compat")
    sys.modules["array_api_compat"] = None
    from sklearn.utils.estimator_checks import estimator_checks_generator

    sys.modules["array_api_compat"] = hidden


CHEAP = {
    EmbeddingOptimizer: {"max_iter": 3},
    SiameseTransformer: {"transformer": Whitening()},
    SphereDispersion: {"max_iter": 3, "polish": False},
}


def _subclasses(cls):
    return {cls}.union(*map(_subclasses, cls.__subclasses__()))


def _found():
    """Return every estimator class that the packages define but those that others build on, public or not."""
    for package in skgeom._PACKAGES:
        import_module(f"skgeom.{package}")
    classes = {cls for cls in _subclasses(BaseEstimator) if cls.__module__.startswith("skgeom.")}
    return sorted((cls for cls in classes if not classes & set(cls.__subclasses__())), key=lambda cls: cls.__name__)


FOUND = _found()
DEFAULTS = [found(**CHEAP.get(found, {})) for found in FOUND]
VARIANTS = [
    Whitening(method="zca", shrinkage="ledoit_wolf"),
    Whitening(method="pca-cor", power=0.5),
    Whitening(method="zca-cor", shrinkage="oas"),
    Whitening(method="cholesky", normalize=True),
    Whitening(device="cpu"),
    AllButTheTop(projection="raw", device="cpu"),
    GroupWhitening(device="cpu"),
    ProcrustesAligner(center=True, scale=True),
    ProcrustesAligner(allow_reflection=False),
    ProcrustesAligner(device="cpu"),
    LstsqAligner(alpha=1.0, fit_intercept=True),
    LstsqAligner(alpha="gcv", fit_intercept=True),
    LstsqAligner(alpha=1e-3, prior="orthogonal"),
    LstsqAligner(device="cpu"),
    CCAAligner(1),
    CCAAligner(shrinkage=0.1, device="cpu"),
    CCAAligner(shrinkage=0.5),
    ZeroShotClassifier(logits="dot", temperature=1.0),
    ZeroShotClassifier(logits="distance", temperature=1.0),
    GapShift(lam=1.0, device="cpu"),
    EmbeddingOptimizer(parametrization="linear", batch_size=8, max_iter=3, device="cpu"),
    EmbeddingOptimizer("uniformity", parametrization="linear", constraint="sphere", max_iter=3),
    EmbeddingOptimizer({"cross_entropy": 1.0, "isoscore": -1.0}, constraint="fixed_norm", monitor=None, max_iter=3),
    EmbeddingOptimizer(parametrization="points", constraint="fixed_norm", monitor=None, max_iter=3),
    SphereDispersion("lloyd", max_iter=3, polish=False, batch_size=8, n_init=2, device="cpu"),
]
ESTIMATORS = DEFAULTS + VARIANTS


class WithoutPairs(CosineCalibrator):
    """The calibrator as scikit-learn's checks can call it: they pass labels to `fit`, and single rows."""

    predict = predict_proba = property()

    def fit(self, X, y=None):
        return super().fit(X)


def _needs_directions(estimator):
    constrained = getattr(estimator, "constraint", None) is not None
    return constrained or isinstance(estimator, CosineCalibrator | SphereDispersion | TangentSpace)


REFUSED = pytest.mark.xfail(reason="the data of this check have zero rows, which have no direction", raises=ValueError)


def _keywords(check):
    keywords = {}
    while hasattr(check, "func"):
        keywords.update(check.keywords or {})
        check = check.func
    return keywords


def _namespaces(check):
    keywords = _keywords(check)
    pairs = (keywords.get(key) for key in ("X_ns_and_device", "other_ns_and_device"))
    return {keywords.get("array_namespace"), *(getattr(pair, "xp", None) for pair in pairs)}


def _cases():
    estimators = [WithoutPairs() if isinstance(e, CosineCalibrator) else e for e in ESTIMATORS]
    of_matrices = [estimator for estimator in estimators if get_tags(estimator).input_tags.two_d_array]
    for estimator in of_matrices:  # scikit-learn's checks know no others
        for number, (instance, check) in enumerate(estimator_checks_generator(estimator)):
            name = getattr(check, "func", check).__name__
            marks = [pytest.mark.gpu] if "cupy" in _namespaces(check) else []
            if _needs_directions(estimator) and name == "check_estimators_dtypes":
                marks.append(REFUSED)
            yield pytest.param(instance, check, id=f"{estimator!r}-{name}-{number}", marks=marks)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("estimator", "check"), list(_cases()))
def test_scikit_learn_check(estimator, check, request):
    if _namespaces(check) != {None} and os.environ.get("SCIPY_ARRAY_API") != "1":
        pytest.skip("scikit-learn checks array libraries only with SCIPY_ARRAY_API=1 in the environment")
    if request.node.get_closest_marker("gpu") and find_accelerator("cuda") is None:
        pytest.skip("needs a CUDA device: CuPy imports without one, and the check then fails instead of skipping")
    check(estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_parameters_are_stored_as_they_are(estimator):
    parameters = estimator.get_params(deep=False)
    assert type(estimator)(**parameters).get_params(deep=False) == parameters


def test_every_estimator_is_checked_public_and_on_the_top_level():
    packages = [import_module(f"skgeom.{package}") for package in skgeom._PACKAGES]
    public = {getattr(package, name) for package in packages for name in package.__all__}
    with_parameters = {value for value in public if hasattr(value, "get_params")}
    assert set(FOUND) == with_parameters
    assert len(FOUND) >= 11
    for found in FOUND:
        assert getattr(skgeom, found.__name__) is found
