"""Whitening: what it does to planted, real and hostile data."""

import pickle

import numpy as np
import pytest
from scipy.stats import multivariate_normal, spearmanr
from sklearn.covariance import ledoit_wolf, oas
from sklearn.decomposition import PCA

from skgeom.preprocessing import Whitening

METHODS = ("pca", "zca", "pca-cor", "zca-cor", "cholesky")


def planted(n=500, d=12, seed=0, offset=3.0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + offset


def covariance_error(z):
    z = np.asarray(z, dtype=np.float64)
    return np.abs(np.cov(z.T) - np.eye(z.shape[1])).max()


@pytest.mark.parametrize("method", METHODS)
def test_whitened_rows_have_identity_covariance_and_zero_mean(method):
    z = Whitening(method=method).fit_transform(planted())
    assert covariance_error(z) < 1e-10
    assert np.abs(z.mean(axis=0)).max() < 1e-10


def test_pca_form_agrees_with_scikit_learn_up_to_sign():
    x = planted()
    ours = Whitening(5).fit_transform(x)
    theirs = PCA(5, whiten=True, svd_solver="full").fit_transform(x)
    np.testing.assert_allclose(np.abs(ours), np.abs(theirs), rtol=1e-8, atol=1e-10)


def test_zca_map_is_the_symmetric_root_of_the_precision():
    x = planted()
    w = Whitening(method="zca").fit(x).whitening_matrix_
    np.testing.assert_allclose(w, w.T, atol=1e-10)
    np.testing.assert_allclose(w @ w, np.linalg.inv(np.cov(x.T)), rtol=1e-8)


def test_zca_cor_map_is_the_root_of_the_correlation_on_standardised_rows():
    x = planted()
    w = Whitening(method="zca-cor").fit(x).whitening_matrix_
    root = np.std(x, axis=0, ddof=1)[:, None] * w
    np.testing.assert_allclose(root @ root, np.linalg.inv(np.corrcoef(x.T)), rtol=1e-8)


def test_cholesky_map_is_the_triangular_factor_of_the_precision():
    x = planted()
    w = Whitening(method="cholesky").fit(x).whitening_matrix_
    np.testing.assert_allclose(w, np.linalg.cholesky(np.linalg.inv(np.cov(x.T))), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_squared_length_of_a_whitened_row_is_its_mahalanobis_distance(method):
    rng = np.random.default_rng(9)
    x = rng.normal(size=(80, 6)) @ rng.normal(size=(6, 6)) + 2
    z = Whitening(method=method).fit_transform(x)
    published = [5.5726626484390716, 5.178329567554703, 7.856716544427358, 8.151954263697704, 3.39132795415757]
    np.testing.assert_allclose((z**2).sum(axis=1)[:5], published, rtol=1e-8)


@pytest.mark.parametrize("power", [0.0, 0.3, 1.0])
def test_power_leaves_variances_of_lambda_to_one_minus_p(power):
    w = Whitening(power=power).fit(planted())
    np.testing.assert_allclose(np.var(w.transform(planted()), axis=0, ddof=1), w.spectrum_ ** (1 - power), rtol=1e-9)


@pytest.mark.parametrize("method", ["zca", "cholesky"])
def test_power_zero_only_centres_in_the_forms_that_turn_back(method):
    x = planted()
    z = Whitening(method=method, power=0.0).fit_transform(x)
    np.testing.assert_allclose(z, x - x.mean(axis=0), atol=1e-9)


def test_power_zero_only_standardises_in_the_correlation_form_that_turns_back():
    x = planted()
    z = Whitening(method="zca-cor", power=0.0).fit_transform(x)
    np.testing.assert_allclose(z, (x - x.mean(axis=0)) / x.std(axis=0, ddof=1), atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(500, 12), (10, 40)])
@pytest.mark.filterwarnings("ignore:.*rows are few")
def test_inverse_restores_the_rows_of_the_fit(method, shape):
    x = np.random.default_rng(1).normal(size=shape) * np.linspace(3, 1, shape[1]) + 5
    w = Whitening(method=method, power=0.7).fit(x)
    np.testing.assert_allclose(w.inverse_transform(w.transform(x)), x, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_log_density_is_that_of_the_fitted_gaussian(method):
    x = planted()
    expected = multivariate_normal(x.mean(axis=0), np.cov(x.T)).logpdf(x)
    got = Whitening(method=method, power=0.5, normalize=True).fit(x).score_samples(x)
    np.testing.assert_allclose(got, expected, rtol=1e-8)


@pytest.mark.parametrize("shape", [(60, 5), (12, 30)])
def test_estimated_shrinkage_is_that_of_scikit_learn(shape):
    x = planted(*shape)
    assert Whitening(shrinkage="ledoit_wolf").fit(x).shrinkage_ == pytest.approx(ledoit_wolf(x)[1], rel=1e-9)
    assert Whitening(shrinkage="oas").fit(x).shrinkage_ == pytest.approx(oas(x)[1], rel=1e-9)


@pytest.mark.filterwarnings("ignore:.*rows are few")
def test_shrinkage_gives_variance_to_null_directions():
    x = planted(10, 30)
    assert Whitening().fit(x).rank_ == 9
    assert Whitening(shrinkage=0.1).fit(x).rank_ == 30


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shrinkage", [None, 0.2, "oas", "ledoit_wolf"])
def test_partial_fit_equals_fit_on_the_whole(method, shrinkage):
    x = planted()
    whole = Whitening(4, method=method, shrinkage=shrinkage).fit(x)
    parts = Whitening(4, method=method, shrinkage=shrinkage)
    for rows in (x[:7], x[7:8], x[8:250], x[250:]):
        parts.partial_fit(rows)
    assert parts.n_samples_seen_ == 500
    np.testing.assert_allclose(parts.transform(x), whole.transform(x), atol=1e-9)


@pytest.mark.filterwarnings("ignore:.*rows are few")
def test_partial_fit_goes_on_from_a_fit_and_through_a_pickle():
    x = planted(40, 60)
    parts = pickle.loads(pickle.dumps(Whitening().fit(x[:20]))).partial_fit(x[20:])
    np.testing.assert_allclose(parts.transform(x), Whitening().fit_transform(x), atol=1e-9)


def test_shrinkage_may_change_between_batches_where_the_moments_seen_suffice():
    x = planted()
    parts = Whitening(shrinkage="ledoit_wolf").fit(x[:100])
    for shrinkage in ("oas", "ledoit_wolf"):
        seen = 200 if shrinkage == "oas" else 300
        parts.set_params(shrinkage=shrinkage).partial_fit(x[seen - 100 : seen])
        assert parts.shrinkage_ == pytest.approx(Whitening(shrinkage=shrinkage).fit(x[:seen]).shrinkage_, rel=1e-9)
    plain = Whitening().fit(x[:100]).set_params(shrinkage="ledoit_wolf")
    with pytest.raises(ValueError, match=r"'ledoit_wolf' was set after the first partial_fit.*call fit on all rows"):
        plain.partial_fit(x[100:])
    assert plain.n_samples_seen_ == 100


@pytest.mark.parametrize("shape", [(30, 5), (8, 20)])
@pytest.mark.filterwarnings("ignore:.*rows are few")
def test_weights_count_rows(shape):
    x = planted(*shape)
    counts = np.random.default_rng(2).integers(0, 4, shape[0])
    weighted = Whitening().fit(x, sample_weight=counts)
    repeated = Whitening().fit(np.repeat(x, counts, axis=0))
    np.testing.assert_allclose(weighted.transform(x), repeated.transform(x), atol=1e-8)


@pytest.mark.parametrize("offset", [300, 1000, 1e5])
def test_float32_far_from_the_origin_is_whitened(offset):
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(8000, 64)) * np.linspace(1, 0.3, 64) + offset).astype(np.float32)
    z = Whitening().fit_transform(x)
    assert z.dtype == np.float32
    assert covariance_error(z) < 1e-3


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-9), (np.float32, 1e-3)])
@pytest.mark.parametrize("scale", [1e-6, 1e6, 1e-30, 1e30])
def test_the_scale_of_the_data_does_not_matter(dtype, tolerance, scale):
    x = np.random.default_rng(0).normal(size=(500, 12)) * np.linspace(4, 1, 12)
    expected = Whitening().fit_transform(x.astype(dtype))
    np.testing.assert_allclose(Whitening().fit_transform((x * scale).astype(dtype)), expected, atol=tolerance)


@pytest.mark.filterwarnings("ignore:.*rows are few")
def test_held_out_rows_stay_bounded_with_fewer_rows_than_features():
    rng = np.random.default_rng(0)
    x, new = (rng.normal(size=(n, 300)) * np.linspace(1, 0.1, 300) for n in (200, 100))
    w = Whitening().fit(x)
    assert w.rank_ == 199
    assert np.abs(w.transform(new)).max() < 50


@pytest.mark.parametrize("method", METHODS)
def test_dead_directions_are_dropped_without_a_word(method):
    x = planted(d=6)
    w = Whitening(method=method).fit(np.column_stack([x, x[:, 0] + x[:, 1], np.full(500, 7.0), 7 + 1e-14 * x[:, 0]]))
    assert w.rank_ == w.n_components_ == 6
    assert w.transform(np.ones((2, 9))).shape == (2, 9 if method.startswith("zca") else 6)


def test_small_features_that_float64_cannot_tell_from_rotations_are_dropped_with_a_warning():
    x = np.column_stack([planted(d=6), 1e-9 * np.random.default_rng(1).normal(size=500)])
    with pytest.warns(UserWarning, match=r"^Directions of X .* are dropped: 1 of 7\. .*'zca-cor'"):
        assert Whitening().fit(x).rank_ == 6
    assert Whitening(method="zca-cor").fit(x).rank_ == 7
    assert covariance_error(Whitening(method="zca-cor").fit_transform(x)) < 1e-9


def test_an_explicit_cut_of_what_is_no_rounding_warns():
    with pytest.warns(UserWarning, match="Lower rank_tol"):
        assert Whitening(rank_tol=1e-2).fit(np.random.default_rng(0).normal(size=(99, 3)) * [1, 1, 0.01]).rank_ == 2


def test_less_than_half_the_rank_warns_unless_a_number_is_given():
    x = np.random.default_rng(0).normal(size=(100, 3)) @ np.random.default_rng(1).normal(size=(3, 8))
    with pytest.warns(UserWarning, match="X has rank 3, of 8 possible"):
        Whitening().fit(x)
    Whitening(3).fit(x)


def test_few_rows_warn_unless_something_was_chosen():
    x = np.random.default_rng(0).normal(size=(299, 100))
    with pytest.warns(UserWarning, match=r"299 rows are few for a whitening of 100 .*shrinkage='ledoit_wolf'"):
        Whitening().fit(x)
    for chosen in (Whitening(50), Whitening(shrinkage="ledoit_wolf"), Whitening(power=0.0)):
        chosen.fit(x)
    Whitening().fit(np.vstack([x, -x[:1]]))


def test_rows_whose_spread_is_rounding_are_refused():
    x = (1e7 + np.random.default_rng(0).normal(size=(100, 3))).astype(np.float32)
    with pytest.raises(ValueError, match="No direction of X varies by more than the rounding"):
        Whitening().fit(x)


def test_more_components_than_the_rank_warns_and_says_how_many_were_kept():
    x = np.hstack([planted(d=4), planted(d=4)])
    with pytest.warns(UserWarning, match=r"n_components=6 .* only 4 .* 4 were kept"):
        assert Whitening(6).fit_transform(x).shape == (500, 4)


def test_normalized_rows_have_unit_length_and_the_mean_stays_zero():
    x = planted()
    z = Whitening(normalize=True).fit(x).transform(np.vstack([x, x.mean(axis=0)]))
    np.testing.assert_allclose(np.linalg.norm(z[:-1], axis=1), 1)
    assert np.abs(z[-1]).max() <= 1


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_output_has_the_precision_of_the_input(dtype):
    x = planted().astype(dtype)
    assert Whitening().fit_transform(x).dtype == np.promote_types(dtype, np.float32)


def test_device_cpu_is_the_default_on_the_host():
    x = planted()
    np.testing.assert_array_equal(Whitening(device="cpu").fit_transform(x), Whitening().fit_transform(x))


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"method": "svd"}, ValueError, "method must be one of 'pca'"),
        ({"power": 1.5}, ValueError, "power must be a finite number from 0 to 1"),
        ({"power": float("nan")}, ValueError, "power"),
        ({"rank_tol": -1e-3}, ValueError, "rank_tol must be a finite number from 0"),
        ({"rank_tol": 1.0}, ValueError, "rank_tol must be less than 1"),
        ({"shrinkage": 2.0}, ValueError, "shrinkage"),
        ({"shrinkage": "lw"}, ValueError, "shrinkage must be one of None, 'ledoit_wolf', 'oas'"),
        ({"n_components": 0}, ValueError, "n_components must be at least 1"),
        ({"n_components": 2.5}, TypeError, "n_components must be an integer"),
        ({"device": "gpu"}, ValueError, 'device must be None, "cpu", "cuda"'),
    ],
)
def test_a_bad_parameter_is_refused_at_fit(parameters, error, message):
    with pytest.raises(error, match=message):
        Whitening(**parameters).fit(planted())


def test_cuda_without_a_gpu_is_an_error_that_says_what_to_do(monkeypatch):
    monkeypatch.setattr("skgeom._array.find_accelerator", lambda device: None)
    with pytest.raises(RuntimeError, match=r'no GPU is visible.*device="auto"'):
        Whitening(device="cuda").fit(planted())
    Whitening(device="auto").fit(planted())


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([[np.nan, 1.0], [1.0, 2.0]], "NaN"),
        ([[np.inf, 1.0], [1.0, 2.0]], "infinity"),
        ([1.0, 2.0], "2D array"),
        ([[1.0, 2.0]], "minimum of 2"),
        (np.ones((5, 3)), "no spread"),
    ],
)
def test_bad_data_are_refused(x, message):
    with pytest.raises(ValueError, match=message):
        Whitening().fit(x)


def test_the_rows_of_another_space_are_refused():
    w = Whitening(3).fit(planted())
    with pytest.raises(ValueError, match="4 features"):
        w.transform(np.ones((2, 4)))
    with pytest.raises(ValueError, match="expecting 3 features"):
        w.inverse_transform(np.ones((2, 4)))


def test_what_cannot_be_done_says_so():
    x = planted()
    assert not hasattr(Whitening(normalize=True).fit(x), "inverse_transform")
    with pytest.raises(ValueError, match="weights are counts"):
        Whitening().fit(x, sample_weight=np.full(500, 1 / 500))


def test_nothing_is_written_to_the_input():
    x = planted()
    before = x.copy()
    Whitening(normalize=True).fit(x).transform(x)
    np.testing.assert_array_equal(x, before)


def test_real_sentences_survive_whitening(data_folder):
    """MiniLM has three dead coordinates: dividing by their rounding noise brings the test Spearman to .559."""
    data = np.load(data_folder / "stsb_en_minilm.npz")
    x, i, j, score, split = (data[key] for key in ("X_raw", "i", "j", "score", "split"))
    train = np.unique(np.concatenate([i[split == 0], j[split == 0]]))
    test = split == 2
    for method in ("zca", "zca-cor"):
        w = Whitening(method=method, normalize=True).fit(x[train])
        z = w.transform(x)
        assert w.rank_ == 381
        found = spearmanr((z[i[test]] * z[j[test]]).sum(axis=1), score[test])[0]
        assert found == pytest.approx(0.807, abs=1e-3)


def test_whitened_float32_rows_have_their_mean_at_zero_however_far_away_they_came_from():
    x = (np.random.default_rng(0).normal(size=(2000, 8)) + 1e4).astype(np.float32)
    for method in ("pca", "zca"):
        z = Whitening(method=method).fit_transform(x)
        assert np.abs(z.mean(axis=0, dtype=np.float64)).max() < 1e-6  # what is left of the rounding of the mean


def test_a_later_batch_may_weigh_as_little_as_one_row():
    x = np.random.default_rng(0).normal(size=(50, 3))
    parts = Whitening().partial_fit(x[:40]).partial_fit(x[40:42], sample_weight=[0.25, 0.5]).partial_fit(x[42:43])
    whole = Whitening().fit(x[:43], sample_weight=np.r_[np.ones(40), 0.25, 0.5, 1])
    np.testing.assert_allclose(parts.spectrum_, whole.spectrum_, rtol=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_the_signs_of_two_standardised_features_do_not_hang_on_rounding(seed):
    """Their directions are (1, 1) and (1, -1), whatever the rows: both coordinates are as large."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(200, 2)) @ rng.normal(size=(2, 2))
    whole = Whitening(method="pca-cor").fit(x)
    parts = Whitening(method="pca-cor").partial_fit(x[:100]).partial_fit(x[100:])
    np.testing.assert_allclose(parts.transform(x), whole.transform(x), atol=1e-9)
    assert np.all(whole.components_[:, 0] > 0)
