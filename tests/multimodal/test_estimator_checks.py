"""Classifier and transformer pass scikit-learn's own checks, with no expected failure."""

import os
import sys

import pytest

from skgeom._array import find_accelerator
from skgeom.multimodal import GapShift, ZeroShotClassifier

try:
    from sklearn.utils.estimator_checks import estimator_checks_generator
except RuntimeError:  # scikit-learn 1.6 refuses to import its checks beside array-api-compat unless SCIPY_ARRAY_API=1
    hidden = sys.modules.pop("array_api_compat")
    sys.modules["array_api_compat"] = None
    from sklearn.utils.estimator_checks import estimator_checks_generator

    sys.modules["array_api_compat"] = hidden

ESTIMATORS = [
    ZeroShotClassifier(),
    ZeroShotClassifier(logits="dot", temperature=1.0),
    ZeroShotClassifier(logits="distance", temperature=1.0),
    GapShift(),
    GapShift(lam=1.0, device="cpu"),
]


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
    for estimator in ESTIMATORS:
        for number, (instance, check) in enumerate(estimator_checks_generator(estimator)):
            gpu = [pytest.mark.gpu] if "cupy" in _namespaces(check) else []
            name = getattr(check, "func", check).__name__
            yield pytest.param(instance, check, id=f"{estimator!r}-{name}-{number}", marks=gpu)


@pytest.mark.filterwarnings("ignore:X has 1 zero row:UserWarning")
@pytest.mark.parametrize(("estimator", "check"), list(_cases()))
def test_scikit_learn_check(estimator, check, request):
    if _namespaces(check) != {None} and os.environ.get("SCIPY_ARRAY_API") != "1":
        pytest.skip("scikit-learn checks array libraries only with SCIPY_ARRAY_API=1 in the environment")
    if request.node.get_closest_marker("gpu") and find_accelerator("cuda") is None:
        pytest.skip("needs a CUDA device: CuPy imports without one, and the check then fails instead of skipping")
    check(estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_parameters_are_stored_as_they_are(estimator):
    assert type(estimator)(**estimator.get_params()).get_params() == estimator.get_params()
