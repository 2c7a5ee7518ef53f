"""What all aligners promise: exact parts and weights, every array library, scikit-learn's tools, and clear refusals."""

import pickle

import array_api_compat
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import ortho_group
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline

from skgeom._array import to_numpy
from skgeom.alignment import CCAAligner, LstsqAligner, ProcrustesAligner
from skgeom.preprocessing import Whitening

ALIGNERS = [
    ProcrustesAligner(),
    ProcrustesAligner(center=True, scale=True, allow_reflection=False),
    LstsqAligner(),
    LstsqAligner(alpha=2.0, fit_intercept=True, prior="orthogonal"),
    LstsqAligner(alpha="gcv", prior="identity"),
    CCAAligner(),
    CCAAligner(2, shrinkage=0.1),
    CCAAligner(shrinkage=0.9, rank_tol=1e-3),
]
every_aligner = pytest.mark.parametrize("aligner", ALIGNERS, ids=repr)


def pairs(n=120, dx=5, dy=5, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, dx)) * np.linspace(2, 0.5, dx) + 1
    return x, x @ rng.normal(size=(dx, dy)) + 0.3 * rng.normal(size=(n, dy)) + 2


def copy(aligner, **changes):
    return type(aligner)(**{**aligner.get_params(), **changes})


def new(n=7):
    return pairs(n, seed=1)[0]


# Parts and weights


@every_aligner
def test_parts_give_what_the_whole_gives(aligner):
    x, y = pairs()
    whole, parts = copy(aligner).fit(x, y), copy(aligner)
    for rows in (slice(0, 40), slice(40, 41), slice(41, 120)):
        parts.partial_fit(x[rows], y[rows])
    assert_allclose(parts.transform(new()), whole.transform(new()), atol=1e-10)
    assert_allclose(parts.coef_, whole.coef_, atol=1e-10)
    assert parts.n_samples_seen_ == whole.n_samples_seen_ == 120


@pytest.mark.parametrize("aligner", [ProcrustesAligner(), LstsqAligner()], ids=repr)
@pytest.mark.parametrize("scale", [1e12, 1e-12])
@pytest.mark.parametrize("of_rows", [1e13, 1e-11])
def test_weights_count_by_their_ratios_also_where_weighted_squares_leave_float32(aligner, scale, of_rows):
    x, y = ((of_rows * side).astype("float32") for side in pairs())
    w = np.random.default_rng(3).uniform(1, 2, 120)
    found, expected = (copy(aligner).fit(x, y, sample_weight=v).predict(x) for v in (scale * w, w))
    assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


@every_aligner
@pytest.mark.parametrize("n", [4, 120])
def test_weights_equal_repeated_pairs(aligner, n):
    x, y = pairs(n)
    w = np.random.default_rng(3).integers(0, 4, size=n)
    w[:2] = 1
    weighted = copy(aligner).fit(x, y, sample_weight=w)
    repeated = copy(aligner).fit(np.repeat(x, w, axis=0), np.repeat(y, w, axis=0))
    assert_allclose(weighted.predict(new()), repeated.predict(new()), atol=1e-9)
    assert weighted.n_samples_seen_ == w.sum()
    parts = copy(aligner).partial_fit(x, y, sample_weight=w)
    assert_allclose(parts.predict(new()), weighted.predict(new()), atol=1e-6)


@every_aligner
def test_a_new_fit_forgets_the_pairs_before(aligner):
    x, y = pairs()
    again = copy(aligner).fit(*pairs(30, seed=5)).fit(x, y)
    assert_array_equal(again.coef_, copy(aligner).fit(x, y).coef_)


@every_aligner
def test_the_callers_arrays_stay_as_they_are(aligner):
    x, y = pairs()
    for a in (x, y):
        a.setflags(write=False)
    fitted = copy(aligner).fit(x, y, sample_weight=np.ones(120)).partial_fit(x, y)
    fitted.inverse_transform(fitted.transform(x))


# Score


@every_aligner
def test_score_is_the_variance_weighted_r2_of_scikit_learn(aligner):
    x, y = pairs()
    w = np.linspace(0.1, 2, 120)
    fitted = copy(aligner).fit(x, y)
    for weights in (None, w):
        theirs = r2_score(y, fitted.predict(x), sample_weight=weights, multioutput="variance_weighted")
        assert fitted.score(x, y, sample_weight=weights) == pytest.approx(theirs, rel=1e-10)


def test_score_does_not_depend_on_the_basis_of_the_targets():
    x, y = pairs()
    q = ortho_group.rvs(5, random_state=0)
    scores = [LstsqAligner().fit(x, t).score(x, t) for t in (y, y @ q)]
    assert scores[0] == pytest.approx(scores[1], rel=1e-10)


def test_constant_targets_score_one_or_zero():
    x = pairs()[0]
    fitted = LstsqAligner(fit_intercept=True).fit(x, np.full((120, 2), 3.0))
    assert fitted.score(x, np.full((120, 2), 3.0)) == 1
    assert fitted.score(x, np.full((120, 2), 4.0)) == 0


# Arrays


@every_aligner
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [3, 120])
def test_numbers_library_device_and_dtype_are_kept(aligner, dtype, n, backend):
    x, y = (a.astype(dtype) for a in pairs(n))
    fitted = copy(aligner).fit(backend.asarray(x), backend.asarray(y))
    z = fitted.transform(backend.asarray(x))
    assert array_api_compat.device(z) == array_api_compat.device(backend.asarray(x))
    assert z.dtype == backend.asarray(x).dtype
    expected = copy(aligner).fit(x, y)
    tolerance = {"atol": 1e-9 if dtype == "float64" else 1e-4}
    assert_allclose(to_numpy(fitted.predict(backend.asarray(x))), expected.predict(x), **tolerance)
    assert fitted.score(backend.asarray(x), backend.asarray(y)) == pytest.approx(expected.score(x, y), abs=1e-5)
    if not isinstance(aligner, CCAAligner):
        assert_allclose(
            to_numpy(fitted.inverse_transform(z)), expected.inverse_transform(expected.transform(x)), atol=2e-3
        )


@every_aligner
def test_parts_and_weights_follow_the_array(aligner, backend):
    x, y = pairs()
    w = np.linspace(0.5, 2, 120)
    parts = copy(aligner)
    for rows in (slice(0, 70), slice(70, 120)):
        parts.partial_fit(*(backend.asarray(a[rows]) for a in (x, y, w)))
    assert_allclose(to_numpy(parts.coef_), copy(aligner).fit(x, y, sample_weight=w).coef_, atol=1e-9)


@every_aligner
def test_a_pickle_maps_and_learns_on(aligner):
    torch = pytest.importorskip("torch")
    x, y = pairs()
    expected = copy(aligner).fit(x, y)
    for bring in (np.asarray, torch.asarray):
        fitted = copy(aligner).fit(bring(x[:60]), bring(y[:60]))
        again = pickle.loads(pickle.dumps(fitted)).partial_fit(bring(x[60:]), bring(y[60:]))
        assert_allclose(again.predict(bring(x)), expected.predict(x), atol=1e-9)


def test_ill_conditioned_pairs_follow_the_array(backend):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 6)) @ np.diag(np.logspace(0, -7, 6)) @ ortho_group.rvs(6, random_state=1)
    y = x @ rng.normal(size=(6, 2))
    coef = to_numpy(LstsqAligner().fit(backend.asarray(x), backend.asarray(y)).coef_)
    assert_allclose(coef.T, np.linalg.lstsq(x, y)[0], atol=1e-6)


def test_targets_of_the_second_space_follow_the_array(backend):
    x, y = (backend.asarray(a) for a in pairs())
    fitted = CCAAligner().fit(x, y)
    expected = CCAAligner().fit(*pairs())
    assert_allclose(to_numpy(fitted.transform_target(y)), expected.transform_target(pairs()[1]), atol=1e-9)
    back = fitted.inverse_transform_target(fitted.transform_target(y))
    assert_allclose(to_numpy(back), pairs()[1], atol=1e-9)


def test_targets_of_another_library_follow_x():
    torch = pytest.importorskip("torch")
    x, y = pairs()
    expected = LstsqAligner().fit(x, y).coef_
    assert_allclose(LstsqAligner().fit(torch.asarray(x), y).coef_.numpy(), expected, atol=1e-12)
    assert_allclose(LstsqAligner().fit(x, torch.asarray(y)).coef_, expected, atol=1e-12)


@every_aligner
def test_another_library_than_at_fit_is_refused_with_the_name_of_the_method(aligner):
    torch = pytest.importorskip("torch")
    fitted = copy(aligner).fit(*pairs())
    x, y = (torch.asarray(a) for a in pairs())
    name = type(aligner).__name__
    for method in ("transform", "predict", "inverse_transform"):
        rows = fitted.transform(pairs()[0]) if method == "inverse_transform" else x
        with pytest.raises(ValueError, match=rf"passed to {name}.{method}\(\) must use the same namespace"):
            getattr(fitted, method)(torch.asarray(rows))
    with pytest.raises(ValueError, match=r"partial_fit\(\) must use the same namespace"):
        fitted.partial_fit(x, y)


@every_aligner
def test_with_a_device_host_data_come_back_as_numpy(aligner, fake_accelerator):
    x, y = pairs()
    w = np.linspace(0.5, 2, 120)
    there = copy(aligner, device="cuda").partial_fit(x[:60], y[:60], w[:60]).partial_fit(x[60:], y[60:], w[60:])
    there = pickle.loads(pickle.dumps(there))
    expected = copy(aligner).fit(x, y, w)
    arrays = [v for v in vars(there).values() if array_api_compat.is_array_api_obj(v)]
    arrays += [v for v in vars(there._moments).values() if array_api_compat.is_array_api_obj(v)]
    assert all(isinstance(v, np.ndarray | np.generic) for v in arrays)
    z = there.transform(x)
    assert isinstance(z, np.ndarray)
    assert_allclose(z, expected.transform(x), atol=1e-9)
    assert_allclose(there.inverse_transform(z), expected.inverse_transform(z), atol=1e-9)
    assert there.score(x, y, w) == pytest.approx(expected.score(x, y, w), rel=1e-10)
    if isinstance(aligner, CCAAligner):
        assert_allclose(there.transform_target(y), expected.transform_target(y), atol=1e-9)


def test_a_device_is_for_host_data():
    torch = pytest.importorskip("torch")
    x, y = pairs()
    with pytest.raises(ValueError, match="device='cpu' is for data on the host, but X is an array of torch"):
        LstsqAligner(device="cpu").fit(torch.asarray(x), y)
    with pytest.raises(ValueError, match="device='cpu' is for data on the host"):
        CCAAligner(device="cpu").fit(x, y).transform_target(torch.asarray(y))


@every_aligner
def test_a_device_is_for_host_data_on_the_way_back_too(aligner):
    torch = pytest.importorskip("torch")
    x, y = pairs()
    there = copy(aligner).set_params(device="cpu").fit(x, y)
    rows = torch.asarray(there.transform(x))
    for method in ("inverse_transform", "inverse_transform_target")[: 1 + isinstance(aligner, CCAAligner)]:
        with pytest.raises(ValueError, match="device='cpu' is for data on the host"):
            getattr(there, method)(rows)
    if isinstance(aligner, CCAAligner):
        with pytest.raises(ValueError, match=r"passed to CCAAligner.inverse_transform_target\(\) must use the same"):
            copy(aligner).fit(x, y).inverse_transform_target(rows)


@pytest.mark.gpu
@every_aligner
def test_a_real_gpu_gives_the_numbers_of_the_host(aligner):
    from skgeom._array import find_accelerator

    if find_accelerator("cuda") is None:
        pytest.skip("needs a CUDA device and CuPy or Torch built for it")
    x, y = pairs()
    assert_allclose(
        copy(aligner, device="cuda").fit(x, y).transform(x), copy(aligner).fit(x, y).transform(x), atol=1e-9
    )


# scikit-learn's tools


@every_aligner
def test_frames_come_out_with_names(aligner):
    x, y = (pd.DataFrame(a, columns=list("abcde")) for a in pairs())
    fitted = copy(aligner).set_output(transform="pandas").fit(x, y)
    z = fitted.transform(x)
    name = type(aligner).__name__.lower()
    assert list(z.columns) == [f"{name}{k}" for k in range(z.shape[1])] == list(fitted.get_feature_names_out())
    assert list(fitted.feature_names_in_) == list("abcde")
    assert isinstance(fitted.predict(x), np.ndarray)
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.transform(x[list("edcba")])


@every_aligner
def test_searches_and_pipelines_hold_aligners(aligner):
    x, y = pairs()
    pipeline = make_pipeline(Whitening(4), copy(aligner, prior="zero") if hasattr(aligner, "prior") else aligner)
    scores = cross_validate(pipeline, x, y, cv=3)["test_score"]
    assert np.isfinite(scores).all()
    search = GridSearchCV(pipeline, {"whitening__n_components": [2, 4]}, cv=3, error_score="raise").fit(x, y)
    assert search.predict(x).shape == (120, 5)
    assert search.score(x, y) == pytest.approx(search.best_estimator_.score(x, y))


@every_aligner
def test_a_frozen_aligner_is_a_step_before_a_classifier(aligner):
    x, y = pairs()
    labels = np.arange(120) % 2
    frozen = FrozenEstimator(copy(aligner).fit(x, y))
    classifier = make_pipeline(frozen, LogisticRegression()).fit(x, labels)
    assert classifier.predict(x).shape == (120,)


@pytest.mark.parametrize(("n", "noise", "best"), [(12, 5.0, 1e6), (1000, 1e-3, 0.0)])
def test_alpha_is_found_by_a_search(n, noise, best):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 10))
    y = x @ (np.eye(10) + 0.1 * rng.normal(size=(10, 10))) + noise * rng.normal(size=(n, 10))
    search = GridSearchCV(LstsqAligner(prior="identity"), {"alpha": [0.0, 1.0, 1e6]}, cv=3, error_score="raise")
    assert search.fit(x, y).best_params_ == {"alpha": best}


# Targets


@pytest.mark.filterwarnings("ignore:n_components=2 was requested")
@every_aligner
@pytest.mark.parametrize("parametrised", ["flat", "column", "list", "series"])
def test_one_target_may_be_flat(aligner, parametrised):
    x, y = pairs(dy=1)
    aligner = copy(aligner, prior="zero") if hasattr(aligner, "prior") else copy(aligner)
    forms = {"flat": y[:, 0], "column": y, "list": y[:, 0].tolist(), "series": pd.Series(y[:, 0])}
    fitted = aligner.fit(x, forms[parametrised])
    assert fitted.predict(x).ndim == (2 if parametrised == "column" else 1)
    assert fitted.transform(x).shape == (120, 1)
    assert fitted.score(x, forms[parametrised]) == pytest.approx(fitted.score(x, y))


@pytest.mark.parametrize(
    "labels", [np.arange(120) % 3, (np.arange(120) % 3).tolist(), np.arange(120)[:, None] % 2 == 0]
)
def test_class_labels_as_targets_warn(labels):
    with pytest.warns(UserWarning, match="looks like class labels.*FrozenEstimator"):
        LstsqAligner().fit(pairs()[0], labels)


def test_class_labels_of_other_libraries_warn(backend):
    with pytest.warns(UserWarning, match="looks like class labels"):
        ProcrustesAligner().fit(backend.asarray(pairs()[0]), backend.asarray(np.arange(120) % 3))


@every_aligner
@pytest.mark.parametrize(
    ("y", "problem"),
    [
        (None, "requires y to be passed, but the target y is None"),
        (["cat", "dog"] * 60, "y holds strings"),
        (np.array(["cat", 1.0] * 60, dtype=object), "y holds strings"),
        (pairs(119)[1], "X has 120 rows and y has 119. Row k of y is the target of row k of X"),
        (np.full((120, 2), np.nan), "Input y contains NaN"),
        (np.full((120, 2), np.inf), "Input y contains infinity"),
        (np.ones((120, 2, 2)), "Found array with dim 3|Expected 2D"),
        (np.ones((120, 0)), "0 feature"),
        (1j * np.ones((120, 2)), "Complex data not supported"),
        (np.full((120, 2), 1e200), r"y has magnitudes up to 1e\+200, whose squares leave the range"),
    ],
    ids=str,
)
def test_targets_that_are_none_are_refused(aligner, y, problem):
    with pytest.raises((ValueError, TypeError), match=problem):
        copy(aligner).fit(pairs()[0], y)


@every_aligner
def test_bad_rows_are_refused(aligner):
    x, y = pairs()
    for bad, problem in (
        (x * np.nan, "Input X contains NaN"),
        (x[0], "Expected 2D array"),
        (x * 1e-200, "X has magnitudes up to .*e-200"),
    ):
        with pytest.raises(ValueError, match=problem):
            copy(aligner).fit(bad, y)
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        copy(aligner).fit(x[:1], y[:1])
    with pytest.raises(ValueError, match="sample_weight must be finite and not negative"):
        copy(aligner).fit(x, y, sample_weight=-np.ones(120))
    with pytest.raises(ValueError, match="weights are counts"):
        copy(aligner).fit(x, y, sample_weight=np.full(120, 1e-3 if isinstance(aligner, CCAAligner) else 0.0))


@every_aligner
def test_what_does_not_match_the_fit_is_refused(aligner):
    x, y = pairs()
    fitted = copy(aligner).fit(x, y)
    with pytest.raises(ValueError, match=r"X has 4 features, but .* is expecting 5"):
        fitted.transform(x[:, :4])
    with pytest.raises(ValueError, match="y has 4 features, but the targets at fit had 5"):
        fitted.score(x, y[:, :4])
    with pytest.raises(ValueError, match="y has 4 features, but the targets at fit had 5"):
        fitted.partial_fit(x, y[:, :4])
    with pytest.raises(ValueError, match="inverse_transform is expecting"):
        fitted.inverse_transform(np.ones((3, 9)))
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        fitted.score(x[:1], y[:1])


@pytest.mark.parametrize("name", ["center", "scale", "allow_reflection"])
def test_flags_are_true_or_false(name):
    with pytest.raises(TypeError, match=f"{name} must be True or False"):
        ProcrustesAligner(**{name: "no"}).fit(*pairs())
    ProcrustesAligner(**{name: np.True_}).fit(*pairs())


def test_extreme_but_safe_scales_are_mapped():
    x, y = pairs()
    for scale in (1e-30, 1e30, 1e140, 1e-140):
        fitted = ProcrustesAligner(scale=True).fit(x * scale, y)
        assert_allclose(fitted.predict(x * scale), ProcrustesAligner(scale=True).fit(x, y).predict(x), rtol=1e-9)
