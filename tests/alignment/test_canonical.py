"""Canonical correlations: scikit-learn and a direct decomposition as oracles, planted shared coordinates."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.cross_decomposition import CCA
from sklearn.linear_model import LinearRegression

from skgeom.alignment import CCAAligner, LstsqAligner


def pairs(n=300, dx=6, dy=4, seed=0, noise=1.0):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, min(dx, dy))) * np.linspace(2, 0.5, min(dx, dy))
    x = np.hstack([shared, rng.normal(size=(n, dx - shared.shape[1]))]) @ rng.normal(size=(dx, dx)) + 3
    y = np.hstack([shared + noise * rng.normal(size=shared.shape), rng.normal(size=(n, dy - shared.shape[1]))])
    return x, y @ rng.normal(size=(dy, dy)) - 1


def direct(x, y):
    """Return the correlations as cosines between the column spaces of the centred rows."""
    u, v = (np.linalg.qr(a - a.mean(axis=0))[0] for a in (x, y))
    return np.linalg.svd(u.T @ v, compute_uv=False)


def cross_correlation(u, v):
    k = u.shape[1]
    return np.corrcoef(u.T, v.T)[:k, k:]


@pytest.mark.parametrize(("dx", "dy"), [(6, 4), (4, 6), (5, 5), (3, 1), (1, 3)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_correlations_are_the_cosines_between_the_column_spaces(dx, dy, dtype):
    x, y = (a.astype(dtype) for a in pairs(dx=dx, dy=dy))
    fitted = CCAAligner().fit(x, y)
    assert_allclose(fitted.canonical_correlations_, direct(x.astype(float), y.astype(float)), atol=1e-9)


def test_shared_coordinates_are_uncorrelated_of_unit_variance_and_paired():
    x, y = pairs()
    fitted = CCAAligner().fit(x, y)
    u, v = fitted.transform(x), fitted.transform_target(y)
    assert_allclose(np.cov(u.T), np.eye(4), atol=1e-10)
    assert_allclose(np.cov(v.T), np.eye(4), atol=1e-10)
    assert_allclose(cross_correlation(u, v), np.diag(fitted.canonical_correlations_), atol=1e-10)


def test_directions_are_those_of_scikit_learn():
    x, y = pairs()
    theirs = CCA(3, max_iter=10_000, tol=1e-14).fit(x, y)
    u, v = theirs.transform(x, y)
    fitted = CCAAligner(3).fit(x, y)
    assert_allclose(np.abs(cross_correlation(fitted.transform(x), u)), np.eye(3), atol=1e-4)
    assert_allclose(np.abs(cross_correlation(fitted.transform_target(y), v)), np.eye(3), atol=1e-4)


def test_signs_are_fixed():
    x, y = pairs()
    fitted = CCAAligner().fit(x, y)
    assert (fitted.x_weights_.max(axis=0) >= -fitted.x_weights_.min(axis=0)).all()
    assert_allclose(CCAAligner().fit(x, -y).x_weights_, fitted.x_weights_, atol=1e-10)
    assert_allclose(CCAAligner().fit(x, -y).y_weights_, -fitted.y_weights_, atol=1e-10)


def test_linear_maps_of_either_space_change_no_correlation():
    x, y = pairs()
    rng = np.random.default_rng(1)
    moved = CCAAligner().fit(x @ rng.normal(size=(6, 6)) + 7, y @ rng.normal(size=(4, 4)))
    assert_allclose(moved.canonical_correlations_, CCAAligner().fit(x, y).canonical_correlations_, atol=1e-10)


def test_a_planted_shared_space_is_found():
    x, y = pairs(5000, 8, 5, noise=0.0)
    fitted = CCAAligner().fit(x, y)
    assert_allclose(fitted.canonical_correlations_, 1, atol=1e-10)
    assert_allclose(fitted.transform(x), fitted.transform_target(y), atol=1e-8)
    assert_allclose(fitted.predict(x), y, atol=1e-8)


def test_prediction_from_all_coordinates_is_least_squares():
    x, y = pairs()
    fitted = CCAAligner().fit(x, y)
    assert_allclose(fitted.predict(x), LinearRegression().fit(x, y).predict(x), atol=1e-9)
    assert_allclose(fitted.predict(x), x @ fitted.coef_.T + fitted.intercept_, atol=1e-9)
    assert fitted.score(x, y) >= CCAAligner(2).fit(x, y).score(x, y)


def test_prediction_from_some_coordinates_is_their_regression():
    x, y = pairs()
    fitted = CCAAligner(2).fit(x, y)
    u = fitted.transform(x)
    assert_allclose(fitted.predict(x), LinearRegression().fit(u, y).predict(u), atol=1e-9)


def test_prediction_with_shrinkage_is_ridge():
    x, y = pairs(dy=7)
    fitted = CCAAligner(shrinkage=0.2).fit(x, y)
    alpha = 0.25 * np.trace(np.cov(x.T)) / 6 * (len(x) - 1)
    assert_allclose(fitted.coef_, LstsqAligner(alpha=alpha, fit_intercept=True).fit(x, y).coef_, atol=1e-10)


def test_correlations_with_shrinkage_are_those_of_the_shrunk_joint_covariance():
    x, y = pairs()
    joint = np.cov(np.hstack([x, y]).T)
    target = np.diag(np.repeat([np.trace(joint[:6, :6]) / 6, np.trace(joint[6:, 6:]) / 4], [6, 4]))
    joint = 0.7 * joint + 0.3 * target
    roots = [np.linalg.cholesky(np.linalg.inv(b)) for b in (joint[:6, :6], joint[6:, 6:])]
    expected = np.linalg.svd(roots[0].T @ joint[:6, 6:] @ roots[1], compute_uv=False)
    assert_allclose(CCAAligner(shrinkage=0.3).fit(x, y).canonical_correlations_, expected, atol=1e-10)


def test_fewer_pairs_than_dimensions_correlate_by_chance_unless_shrunk():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(10, 20)), rng.normal(size=(10, 30))
    assert_allclose(CCAAligner().fit(x, y).canonical_correlations_, np.ones(9), atol=1e-9)
    assert CCAAligner(shrinkage=0.9).fit(x, y).canonical_correlations_.max() < 0.7


def test_full_shrinkage_leaves_the_directions_of_largest_covariance():
    x, y = pairs()
    fitted = CCAAligner(shrinkage=1.0).fit(x, y)
    u, _, vt = np.linalg.svd(x.T @ y - len(x) * np.outer(x.mean(axis=0), y.mean(axis=0)))
    assert_allclose(np.abs(fitted.x_weights_ / np.linalg.norm(fitted.x_weights_, axis=0)), np.abs(u[:, :4]), atol=1e-9)
    assert_allclose(np.abs(fitted.y_weights_ / np.linalg.norm(fitted.y_weights_, axis=0)), np.abs(vt.T), atol=1e-9)
    assert not fitted.canonical_correlations_.any()


def test_back_is_exact_on_the_span():
    x, y = pairs(dx=4, dy=4)
    fitted = CCAAligner().fit(x, y)
    assert_allclose(fitted.inverse_transform(fitted.transform(x)), x, atol=1e-10)
    assert_allclose(fitted.inverse_transform_target(fitted.transform_target(y)), y, atol=1e-10)
    some = CCAAligner(2).fit(x, y)
    z = np.random.default_rng(2).normal(size=(5, 2))
    assert_allclose(some.transform(some.inverse_transform(z)), z, atol=1e-10)
    assert_allclose(some.transform_target(some.inverse_transform_target(z)), z, atol=1e-10)


def test_dead_features_are_dropped():
    x, y = pairs()
    x[:, 2] = 5 + 1e-14 * x[:, 2]
    fitted = CCAAligner().fit(x, y)
    assert_allclose(fitted.canonical_correlations_, direct(np.delete(x, 2, axis=1), y), atol=1e-10)
    assert np.abs(fitted.x_weights_[2]).max() < 1e-8


def test_more_components_than_there_are_warn():
    with pytest.warns(UserWarning, match="n_components=9 was requested, but X and y share only 4"):
        fitted = CCAAligner(9).fit(*pairs())
    assert fitted.n_components_ == 4
    assert fitted.transform(pairs()[0]).shape == (300, 4)


def test_a_flat_target_is_one_column():
    x, y = pairs(dy=1)
    fitted = CCAAligner().fit(x, y[:, 0])
    assert fitted.transform_target(y[:, 0]).shape == fitted.transform(x).shape == (300, 1)
    assert fitted.predict(x).shape == (300,)


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"n_components": 0}, "n_components must be at least 1"),
        ({"shrinkage": 2.0}, "shrinkage must be a finite number from 0 to 1"),
        ({"shrinkage": "oas"}, "shrinkage must be a number"),
        ({"rank_tol": -1.0}, "rank_tol must be"),
        ({"rank_tol": 1.0}, "rank_tol must be less than 1"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters, problem):
    with pytest.raises((ValueError, TypeError), match=problem):
        CCAAligner(**parameters).fit(*pairs())


def test_spaces_without_spread_are_refused():
    x, y = pairs()
    with pytest.raises(ValueError, match="X has no spread"):
        CCAAligner().fit(0 * x, y)
    with pytest.raises(ValueError, match="y has no spread"):
        CCAAligner().fit(x, 0 * y)


def test_targets_of_another_width_are_refused():
    x, y = pairs()
    with pytest.raises(ValueError, match="y has 3 features, but the targets at fit had 4"):
        CCAAligner().fit(x, y).transform_target(y[:, :3])
