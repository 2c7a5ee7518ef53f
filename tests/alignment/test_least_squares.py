"""Least squares: LAPACK as oracle at every condition number, ridge towards a prior, and what moments cannot know."""

import warnings

import numpy as np
import pytest
import scipy.linalg
from numpy.testing import assert_allclose
from sklearn.linear_model import LinearRegression, Ridge

from skgeom._core.sums import _align
from skgeom._core.sums._cross import regression_moments
from skgeom.alignment import LstsqAligner, ProcrustesAligner


def pairs(n=200, dx=6, dy=4, seed=0, offset=1.0, noise=0.5):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, dx)) * np.linspace(2, 0.5, dx) + offset
    return x, x @ rng.normal(size=(dx, dy)) + noise * rng.normal(size=(n, dy))


def conditioned(condition, n=2000, d=30, dy=5, seed=0, noise=0.0):
    """Return rows of a condition number, singular values in geometric progression along random axes."""
    rng = np.random.default_rng(seed)
    u, v = (np.linalg.qr(rng.normal(size=(m, d)))[0] for m in (n, d))
    x = np.sqrt(n) * u * np.logspace(0, -np.log10(condition), d) @ v.T
    return x, x @ rng.normal(size=(d, dy)) + noise * rng.normal(size=(n, dy))


def lapack(x, y):
    return scipy.linalg.lstsq(x.astype(np.float64), y.astype(np.float64), cond=1e-13)[0]


def error(aligner, truth):
    return np.linalg.norm(aligner.coef_.T - truth) / np.linalg.norm(truth)


# Accuracy


@pytest.mark.parametrize(
    ("condition", "limit"), [(1e1, 1e-12), (1e3, 2e-9), (1e4, 1e-10), (1e6, 1e-8), (1e8, 1e-6), (1e10, 1e-4)]
)
@pytest.mark.parametrize("noise", [0.0, 1e-8])
@pytest.mark.parametrize("seed", [0, 1])
def test_error_against_lapack_at_a_condition_number(condition, limit, noise, seed):
    x, y = conditioned(condition, seed=seed, noise=noise)
    fitted = LstsqAligner().fit(x, y)
    assert error(fitted, lapack(x, y)) < limit
    assert fitted.condition_ == pytest.approx(condition, rel=1e-4)
    assert fitted.rank_ == 30


@pytest.mark.parametrize("condition", [1e1, 1e3, 1e5, 1e7])
def test_float32_pairs_give_the_map_of_their_float64_copies(condition):
    x, y = (a.astype(np.float32) for a in conditioned(condition, noise=1e-3))
    fitted = LstsqAligner().fit(x, y)
    assert error(fitted, lapack(x, y)) < 1e-7
    assert_allclose(fitted.coef_, LstsqAligner().fit(x.astype(np.float64), y.astype(np.float64)).coef_, rtol=1e-5)


def test_ill_conditioned_rows_in_many_blocks_and_an_offset(monkeypatch):
    monkeypatch.setattr("skgeom._core.sums._cross._BLOCK_ROWS", 64)
    monkeypatch.setattr("skgeom._array.HOST_BLOCK_BYTES", 1)
    x, y = conditioned(1e6)
    x, y = x + 3, y + 1
    truth = lapack(x - x.mean(axis=0), y - y.mean(axis=0))
    assert error(LstsqAligner(fit_intercept=True).fit(x, y), truth) < 1e-7


def test_a_feature_that_a_sample_misses_is_found():
    x, y = pairs(4000, 10)
    x[:, 3] = 0
    x[17, 3] = 1e-3
    x[:, 5] *= 1e-8
    assert error(LstsqAligner().fit(x, y), lapack(x, y)) < 1e-7


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_scale_goes_where_it_belongs(scale):
    x, y = pairs()
    assert_allclose(LstsqAligner().fit(x * scale, y).coef_ * scale, LstsqAligner().fit(x, y).coef_, rtol=1e-10)
    assert_allclose(LstsqAligner().fit(x, y * scale).coef_ / scale, LstsqAligner().fit(x, y).coef_, rtol=1e-10)


# Undetermined maps


@pytest.mark.parametrize("n", [2, 5, 6, 7, 50])
def test_of_all_solutions_the_shortest_is_returned(n):
    x, y = pairs(n, 6)
    x = np.hstack([x, x[:, :2], 0 * x[:, :1]])
    fitted = LstsqAligner().fit(x, y)
    assert_allclose(fitted.coef_.T, lapack(x, y), atol=1e-9 * np.abs(fitted.coef_).max())
    assert fitted.rank_ == min(n, 6)


@pytest.mark.parametrize("prior", ["identity", "orthogonal"])
def test_of_all_solutions_the_one_nearest_to_the_prior_is_returned(prior):
    x, y = pairs(3, 6, 6)
    toward = np.eye(6) if prior == "identity" else ProcrustesAligner().fit(x, y).rotation_
    fitted = LstsqAligner(prior=prior).fit(x, y)
    assert_allclose(fitted.coef_.T, toward + np.linalg.pinv(x) @ (y - x @ toward), atol=1e-11)


@pytest.mark.parametrize("alpha", [0.0, 0.5])
@pytest.mark.parametrize("fit", ["fit", "partial_fit"])
@pytest.mark.parametrize("n", [3, 6, 7, 40])
def test_the_condition_number_is_that_of_the_directions_that_count(n, fit, alpha):
    x, y = pairs(n)
    x[:, 1:3] = x[:, :1] * [1.0, 2.0]
    s = np.linalg.svd(x, compute_uv=False)[: min(n, 4)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without a penalty partial_fit warns of the directions that are lost
        fitted = getattr(LstsqAligner(alpha=alpha), fit)(x, y)
    assert fitted.rank_ == len(s)
    assert fitted.condition_ == pytest.approx(np.sqrt((s[0] ** 2 + alpha) / (s[-1] ** 2 + alpha)), rel=1e-6)


def test_zero_rows_map_to_the_mean():
    fitted = LstsqAligner(fit_intercept=True).fit(np.zeros((5, 2)), np.arange(10.0).reshape(5, 2))
    assert fitted.rank_ == 0
    assert_allclose(fitted.predict(np.ones((1, 2))), [[4, 5]])


# Ridge, priors and the choice of alpha


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("alpha", [0.0, 1e-3, 10.0])
@pytest.mark.parametrize("n", [4, 200])
def test_ridge_is_that_of_scikit_learn(intercept, alpha, n):
    x, y = pairs(n)
    oracle = (
        LinearRegression(fit_intercept=intercept) if alpha == 0 else Ridge(alpha, fit_intercept=intercept, solver="svd")
    )
    theirs = oracle.fit(x, y)
    ours = LstsqAligner(alpha=alpha, fit_intercept=intercept).fit(x, y)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-10)
    assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-10)


@pytest.mark.parametrize("prior", ["identity", "orthogonal"])
@pytest.mark.parametrize("alpha", [1e-6, 1.0, 1e6])
def test_a_prior_is_ridge_on_what_the_prior_leaves(prior, alpha):
    x, y = pairs(50, 5, 5)
    toward = np.eye(5) if prior == "identity" else ProcrustesAligner().fit(x, y).rotation_
    rest = Ridge(alpha, fit_intercept=False, solver="svd").fit(x, y - x @ toward)
    assert_allclose(LstsqAligner(alpha=alpha, prior=prior).fit(x, y).coef_, toward.T + rest.coef_, atol=1e-9)


@pytest.mark.parametrize("fit", ["fit", "partial_fit"])
@pytest.mark.parametrize("scale", [1e-140, 1e-40, 1e40, 1e140])
@pytest.mark.parametrize("alpha", [0.5, "gcv"])
@pytest.mark.parametrize("prior", ["zero", "identity", "orthogonal"])
def test_alpha_times_the_square_of_the_scale_gives_the_same_map(prior, alpha, scale, fit):
    x, y = pairs(dy=6)
    scaled = alpha if alpha == "gcv" else alpha * scale**2
    expected = LstsqAligner(alpha=alpha, prior=prior).fit(x, y)
    found = getattr(LstsqAligner(alpha=scaled, prior=prior), fit)(x * scale, y * scale)
    assert_allclose(found.coef_, expected.coef_, rtol=1e-9, atol=1e-12)
    assert found.alpha_ == pytest.approx(expected.alpha_ * scale**2, rel=1e-9)


@pytest.mark.parametrize("fit", ["fit", "partial_fit"])
@pytest.mark.parametrize("alpha", [1e40, 1e300])
@pytest.mark.parametrize("prior", ["zero", "identity", "orthogonal"])
def test_a_large_alpha_gives_the_prior(prior, alpha, fit):
    x, y = pairs(dy=6)
    limit = {"zero": np.zeros((6, 6)), "identity": np.eye(6), "orthogonal": ProcrustesAligner().fit(x, y).coef_}[prior]
    found = getattr(LstsqAligner(alpha=alpha, prior=prior), fit)(x, y)
    assert_allclose(found.coef_, limit, rtol=0, atol=1e-15)


def test_an_orthogonal_prior_joins_spaces_of_unequal_width():
    x, y = pairs(50, 5, 3)
    fitted = LstsqAligner(alpha=1e15, prior="orthogonal", fit_intercept=True).fit(x, y)
    assert_allclose(fitted.coef_, ProcrustesAligner(center=True).fit(x, y).coef_, atol=1e-10)


def leverage_error(x, y, alpha, toward, centre):
    """Return the generalised cross-validation error by its definition."""
    n = len(x)
    if centre:
        x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    hat = x @ np.linalg.solve(x.T @ x + alpha * np.eye(x.shape[1]), x.T)
    residual = (np.eye(n) - hat) @ (y - x @ toward)
    return n * (residual**2).sum() / (n - centre - np.trace(hat)) ** 2


@pytest.mark.parametrize("n", [4, 12, 60])
@pytest.mark.parametrize("centre", [False, True])
@pytest.mark.parametrize("prior", ["zero", "identity"])
def test_gcv_chooses_the_alpha_of_its_definition(n, centre, prior):
    x, y = pairs(n, 6, 6, noise=3.0)
    fitted = LstsqAligner(alpha="gcv", fit_intercept=centre, prior=prior).fit(x, y)
    squares = ((x - x.mean(axis=0) * centre) ** 2).sum() / 6
    path = squares * np.logspace(-6, 4, 101)
    errors = [leverage_error(x, y, a, np.eye(6) * (prior == "identity"), centre) for a in path]
    assert fitted.alpha_ == pytest.approx(path[np.argmin(errors)], rel=1e-9)
    fixed = LstsqAligner(alpha=fitted.alpha_, fit_intercept=centre, prior=prior).fit(x, y)
    assert_allclose(fitted.coef_, fixed.coef_, atol=1e-12)


def test_gcv_finds_noise_and_leaves_clean_maps_alone():
    clean, noisy = pairs(100, noise=0.0), pairs(10, noise=20.0)
    assert_allclose(LstsqAligner(alpha="gcv").fit(*clean).coef_, lapack(*clean).T, atol=1e-4)
    assert LstsqAligner(alpha="gcv").fit(*noisy).alpha_ > 1


def test_reference_residual():
    rng = np.random.default_rng(6)
    a = rng.normal(size=(60, 6)) + 0.8
    b = 0.7 * a @ np.linalg.qr(rng.normal(size=(6, 6)))[0] + 0.3 * rng.normal(size=(60, 6))
    a, b = (m / np.linalg.norm(m, axis=1, keepdims=True) for m in (a, b))
    residual = ((LstsqAligner().fit(a, b).predict(a) - b) ** 2).sum()
    assert residual == pytest.approx(5.592772314240068, rel=1e-12)


# From moments only


@pytest.mark.parametrize("condition", [1e5, 1e6, 1e7])
@pytest.mark.parametrize("seed", range(3))
def test_partial_fit_says_by_how_much_its_answer_is_doubtful(condition, seed):
    x, y = conditioned(condition, seed=seed)
    with pytest.warns(UserWarning, match=r"up to a relative error of .* fit on all pairs at once") as caught:
        fitted = LstsqAligner().partial_fit(x, y)
    bound = float(str(caught[0].message).split("error of ")[1].split(":")[0])
    assert bound == pytest.approx(condition**2 * np.finfo(float).eps, rel=0.1)
    assert error(fitted, lapack(x, y)) < bound


def test_partial_fit_says_that_it_lost_directions():
    x, y = conditioned(1e9, d=4)
    with pytest.warns(UserWarning, match="1 directions of relative size below 6e-8 count as zero"):
        fitted = LstsqAligner().partial_fit(x, y)
    assert fitted.rank_ == 3


@pytest.mark.parametrize("parameters", [{}, {"fit_intercept": True}, {"alpha": 1.0}, {"alpha": "gcv"}])
def test_partial_fit_is_silent_where_moments_suffice(parameters):
    x, y = pairs(100)
    few = LstsqAligner(**parameters).partial_fit(x[:4], y[:4])
    assert_allclose(few.coef_, LstsqAligner(**parameters).fit(x[:4], y[:4]).coef_, atol=1e-7)
    whole = few.partial_fit(x[4:], y[4:])
    assert_allclose(whole.coef_, LstsqAligner(**parameters).fit(x, y).coef_, atol=1e-11)


def test_a_penalty_makes_moments_suffice():
    x, y = conditioned(1e8)
    alpha = 1e-3
    assert error(LstsqAligner(alpha=alpha).partial_fit(x, y), LstsqAligner(alpha=alpha).fit(x, y).coef_.T) < 1e-8


@pytest.mark.parametrize("alpha", [1e-3, "gcv"])
def test_a_penalty_counts_in_the_directions_that_moments_do_not_see(alpha):
    """The ninth direction has a variance of 1e-16, rounding beside 1, and a coefficient that is not zero."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 9)) * ([1.0] * 8 + [1e-8])
    y = x @ rng.normal(size=(9, 3)) + 1e3 * x[:, 8:]
    fitted = LstsqAligner(alpha=alpha).fit(x, y)
    parts = LstsqAligner(alpha=alpha).partial_fit(x, y)
    assert parts.alpha_ == pytest.approx(fitted.alpha_, rel=1e-6)
    exact = np.linalg.solve(x.T @ x + fitted.alpha_ * np.eye(9), x.T @ y).T
    assert_allclose(fitted.coef_, exact, atol=1e-9)
    assert_allclose(parts.coef_, exact, atol=1e-9)


def test_pairs_can_be_added_after_an_ill_conditioned_fit():
    x, y = conditioned(1e5)
    with pytest.warns(UserWarning, match="error of 2e-06"):
        added = LstsqAligner().fit(x[:1500], y[:1500]).partial_fit(x[1500:], y[1500:])
    assert error(added, lapack(x, y)) < 2e-6


def test_moments_of_mapped_rows_are_mapped_back():
    x, y = conditioned(1e9, noise=1e-3)
    c, system = _align.least_squares_of_rows(x + 5, y, None, centre=True, penalty=0.0)
    direct = regression_moments(x + 5, y)
    assert system.s.shape == (30,)
    for name in ("x_mean", "y_mean", "x_squares", "xy", "xx"):
        scale = np.abs(getattr(direct, name)).max()
        assert_allclose(getattr(c, name), getattr(direct, name), atol=1e-13 * scale)


# Back


def test_inverse_transform_is_the_pseudo_inverse():
    x, y = pairs(100, 4, 6)
    fitted = LstsqAligner(fit_intercept=True).fit(x, y)
    assert_allclose(fitted.inverse_transform(fitted.transform(x)), x, atol=1e-10)
    back = LstsqAligner(fit_intercept=True).fit(y, x)
    assert_allclose(back.transform(back.inverse_transform(x)), x, atol=1e-10)
    assert_allclose(back.inverse_transform(x) - back.x_mean_, (x - back.y_mean_) @ np.linalg.pinv(back.coef_.T))


# Parameters


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"alpha": -1.0}, "alpha must be a finite number from 0"),
        ({"alpha": np.nan}, "alpha must be a finite number"),
        ({"alpha": "loo"}, "alpha must be one of 'gcv'"),
        ({"alpha": None}, "alpha must be a number"),
        ({"prior": "unit"}, "prior must be one of 'zero', 'identity', 'orthogonal'"),
        ({"prior": "identity"}, 'prior="identity" needs X and y of equal width, but X has 6 features and y has 4'),
        ({"fit_intercept": "yes"}, "fit_intercept must be True or False"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters, problem):
    with pytest.raises((ValueError, TypeError), match=problem):
        LstsqAligner(**parameters).fit(*pairs())


def test_rows_whose_sample_misleads_are_looked_at_a_third_time():
    """Every fifth row, those of the sample, is nearly of rank one; the others have a condition number of 1e12."""
    rng = np.random.default_rng(51)
    n, d = 69, 3
    left, right = np.linalg.qr(rng.normal(size=(n, d)))[0], np.linalg.qr(rng.normal(size=(d, d)))[0]
    x = left * np.logspace(0, -11.9, d) @ right.T
    weakest = right[:, -1:]
    x[::5] = 1e-3 * (x[::5] @ weakest) @ weakest.T + 1e-13 * rng.normal(size=x[::5].shape)
    y = x @ rng.normal(size=(d, 3))
    assert_allclose(LstsqAligner().fit(x, y).predict(x), y, atol=1e-13 * np.abs(y).max())


@pytest.mark.parametrize("alpha", [0.0, 2.0])
def test_weights_that_sum_to_1_stand_beside_alpha_as_in_ridge(alpha):
    rng = np.random.default_rng(0)
    x, y, w = rng.normal(size=(60, 5)), rng.normal(size=(60, 3)), rng.uniform(size=60)
    w /= w.sum()
    found = LstsqAligner(alpha=alpha, fit_intercept=True).fit(x, y, sample_weight=w)
    assert_allclose(found.coef_, Ridge(alpha=alpha).fit(x, y, sample_weight=w).coef_, rtol=1e-8)
    assert_allclose(found.score(x, y, w), found.score(x, y, 100 * w), rtol=1e-12)


@pytest.mark.parametrize("n", [4, 60])
@pytest.mark.parametrize("intercept", [False, True])
def test_alpha_and_weights_stand_in_one_unit(n, intercept):
    x, y = pairs(n)
    w = np.random.default_rng(1).uniform(size=n)
    options = {"fit_intercept": intercept, "alpha": 2.0}
    whole = LstsqAligner(**options).fit(x, y)
    split = LstsqAligner(**options).fit(np.tile(x, (2, 1)), np.tile(y, (2, 1)), sample_weight=np.r_[w, 1 - w])
    assert_allclose(split.coef_, whole.coef_, atol=1e-10)
    scaled = LstsqAligner(**{**options, "alpha": 2 * np.pi}).fit(x, y, sample_weight=np.full(n, np.pi))
    assert_allclose(scaled.coef_, whole.coef_, atol=1e-10)
    halved = LstsqAligner(**{**options, "alpha": 1.0}).fit(np.hstack([x, x]) / 2, y)
    assert_allclose(halved.coef_, np.hstack([whole.coef_, whole.coef_]), atol=1e-10)
    assert_allclose(halved.intercept_, whole.intercept_, atol=1e-10)


@pytest.mark.parametrize("options", [{}, {"alpha": "gcv"}, {"prior": "orthogonal"}], ids=str)
def test_few_rows_far_from_the_origin_have_the_map_of_those_near_it(options):
    """A rounded mean leaves a row that all have in common: with its direction they would have one rank too many."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(-512, 512, (20, 32)) / 256, rng.normal(size=(20, 2))
    near, far = (LstsqAligner(fit_intercept=True, **options).fit(x + offset, y) for offset in (0, 1000))
    assert near.rank_ == far.rank_ == 19
    assert_allclose(far.coef_, near.coef_, atol=1e-10)
