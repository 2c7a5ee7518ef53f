"""The calibrator of cosines, against loops over all pairs, published values, and rows whose answer is known."""

import pickle
from itertools import combinations, product

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import beta, binomtest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skgeom._array import same_kind, to_numpy
from skgeom._core._rows import DirectedRows, norms
from skgeom._core.pairs import _tiles
from skgeom._core.pairs._cosines import AllCosines, rate_error, sampled
from skgeom.calibration import CosineCalibrator
from skgeom.calibration._cosine_calibrator import rate_interval
from skgeom.metrics import average_cosine
from skgeom.preprocessing import Whitening

pytestmark = pytest.mark.filterwarnings("ignore:.*not enough for a threshold")


def cloud(n=60, d=4, seed=0, shift=0.5):
    return default_rng(seed).normal(size=(n, d)) + shift


def cosine(x, y):
    return x @ y / np.sqrt((x @ x) * (y @ y))


def fifty_one():
    return default_rng(51).normal(size=(50, 6)) + np.eye(6)[0]


def case(name):
    """Return X, Y and groups, and the pairs of rows of X, or of X and Y, that do not belong together."""
    x, y = cloud(), cloud(45, seed=1)
    if name == "one cloud":
        return x, None, None, list(combinations(range(60), 2))
    if name == "groups":
        g = default_rng(2).integers(0, 20, 60)
        return x, None, g, [(i, j) for i, j in combinations(range(60), 2) if g[i] != g[j]]
    if name == "copies":
        x[7], x[[20, 30]] = x[3], x[9]
        kept = [i for i in range(60) if i not in (7, 20, 30)]
        return x, None, None, list(combinations(kept, 2))
    if name == "corpus":
        return x, y, None, list(product(range(60), range(45)))
    if name == "corpus with copies":
        x[5], y[3] = x[2], x[8]
        return x, y, None, [(i, j) for i, j in product(range(60), range(45)) if i != 5 and j != 3]
    g, h = default_rng(3).integers(0, 20, 60), default_rng(4).integers(0, 25, 45)
    return x, y, (g, h), [(i, j) for i, j in product(range(60), range(45)) if g[i] != h[j]]


CASES = ["one cloud", "groups", "copies", "corpus", "corpus with copies", "corpus in groups"]


def cosines(name):
    x, y, _, pairs = case(name)
    return np.sort([cosine(x[i], (x if y is None else y)[j]) for i, j in pairs])[::-1]


@pytest.fixture(params=[384, 16], ids=["one tile", "many tiles"])
def tiles(request, monkeypatch):
    monkeypatch.setattr(_tiles, "_TILE_ROWS", dict.fromkeys((True, False), request.param))


# Values


def test_values_are_those_that_other_code_has_found():
    """SciPy's pdist, sorting and counting: 50 rows, 1,225 pairs, the 12th cosine from the top."""
    found = CosineCalibrator(0.01).fit(fifty_one())
    assert_allclose((found.mean_cosine_, found.std_cosine_), (0.11951401957430356, 0.3969284541108022), rtol=1e-9)
    assert found.threshold_ == pytest.approx(0.8737267143498225, rel=1e-9)
    expected = [0.6313213703099511, 0.1859706362153344, 0.0008156606851549756]
    assert_allclose(found.p_value([0, 0.5, 0.95]), expected, rtol=1e-12)
    assert found.n_pairs_ == 1225


@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize("name", CASES)
def test_values_are_those_of_a_loop_over_the_pairs_that_do_not_belong_together(name):
    x, y, groups, _ = case(name)
    found, c = CosineCalibrator(0.02).fit(x, y, groups), cosines(name)
    assert found.n_pairs_ == c.size
    assert_allclose((found.mean_cosine_, found.std_cosine_), (c.mean(), c.std()), rtol=1e-12)
    rates = np.array([0.001, 0.02, 0.3, 0.999])
    assert_allclose(found.threshold(rates), c[np.floor(rates * (c.size + 1)).astype(int) - 1], rtol=1e-9)
    assert found.threshold_ == found.threshold(0.02)
    at = np.array([-1, -0.3, 0.9, 0.5, 1, 0.9])
    assert_allclose(found.p_value(at), [(1 + (c >= one).sum()) / (1 + c.size) for one in at], rtol=1e-12)
    assert found.p_value(0.5) == found.p_value(at)[3]
    assert found.false_match_rate(0.5).rate == pytest.approx((c >= 0.5).mean())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CASES)
def test_backends_agree(backend, dtype, name):
    x, y, groups, _ = case(name)
    here, there = backend.asarray(x, dtype), None if y is None else backend.asarray(y, dtype)
    found, c = CosineCalibrator(0.02).fit(here, there, groups), cosines(name)
    assert found.threshold_ == pytest.approx(c[int(0.02 * (c.size + 1)) - 1], abs=1e-6)
    assert found.std_cosine_ == pytest.approx(c.std(), rel=1e-5)
    pairs = backend.asarray(cloud(seed=5), dtype)
    is_match = found.predict(here, pairs)
    assert type(is_match) is np.ndarray
    assert_array_equal(is_match, [cosine(*both) > found.threshold_ for both in zip(x, cloud(seed=5), strict=True)])
    found.fit_matches(here, pairs, np.arange(60) % 3 == 0)
    proba = found.predict_proba(here, pairs)
    assert same_kind(proba, here)
    assert_allclose(to_numpy(proba).sum(axis=1), 1, rtol=1e-12)


def test_pairs_without_a_group_in_common_are_those_of_other_units():
    x, _, groups, _ = case("groups")
    named = np.array([f"g{g}" for g in groups])
    assert (
        CosineCalibrator(0.02).fit(x, groups=named).threshold_ == CosineCalibrator(0.02).fit(x, None, groups).threshold_
    )


def test_neither_rotation_nor_the_length_of_rows_changes_anything():
    x = cloud(300)
    x[200:250] = x[:50]
    turned = x @ np.linalg.qr(default_rng(1).normal(size=(4, 4)))[0] * default_rng(2).uniform(1e-3, 1e3, (300, 1))
    plain, other = (CosineCalibrator(0.01).fit(rows) for rows in (x, turned))
    assert_allclose(other.threshold_interval_, plain.threshold_interval_, rtol=1e-9)
    different = np.r_[:200, 250:300]
    assert other.mean_cosine_ == pytest.approx(average_cosine(x[different]), rel=1e-9)


def test_thresholds_on_a_sphere_are_those_of_the_beta_distribution():
    """(1 + c) / 2 is Beta((d - 1) / 2, (d - 1) / 2) for independent uniform directions in d = 16."""
    exact = 0.6939594457459441
    assert 2 * beta.isf(1e-3, 7.5, 7.5) - 1 == pytest.approx(exact, rel=1e-9)
    found = CosineCalibrator(1e-3).fit(default_rng(0).normal(size=(3000, 16)))
    low, high = found.threshold_interval_
    assert low < exact < high
    assert found.threshold_ == pytest.approx(exact, abs=0.005)


@pytest.mark.parametrize("n_pairs", ["exact", 400])
@pytest.mark.parametrize("alpha", [0.29, 0.02, 0.5])
def test_p_is_at_most_alpha_exactly_above_the_threshold(alpha, n_pairs):
    x = default_rng(0).integers(-2, 3, size=(40, 3)) + 0.5  # many pairs have the same cosine
    found = CosineCalibrator(alpha, n_pairs=n_pairs, random_state=0).fit(x)
    y = np.roll(x, 1, axis=0)
    p = found.p_value([cosine(*both) for both in zip(x, y, strict=True)])
    near = np.abs([cosine(*both) - found.threshold_ for both in zip(x, y, strict=True)]) < 1e-12
    assert_array_equal(found.predict(x, y)[~near], (p <= alpha)[~near])
    assert 0 < found.predict(x, y).sum() < 40
    assert found.p_value(found.threshold_ + 1e-9) <= alpha < found.p_value(found.threshold_ - 1e-9)


def test_a_rate_that_is_a_whole_number_of_pairs_counts_them_all():
    x, y = default_rng(0).normal(size=(2, 11, 3))  # 99 pairs, and 0.29 * 100 is 28.999999999999996
    found = CosineCalibrator(0.29).fit(x, y[:9])
    assert found.p_value(found.threshold_) == 0.3


@pytest.mark.parametrize("shift", [0.5, 1e4])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_pair_at_the_threshold_is_found_again_also_in_a_narrow_cone(dtype, shift):
    found = CosineCalibrator(0.5).fit(cloud(shift=shift).astype(dtype))
    rates = np.linspace(0.001, 0.999, 200)
    ranks = np.floor(rates * 1771)
    again = 1771 * found.p_value(found.threshold(rates)) - (1 + ranks)
    assert again.min() > -1e-9
    assert again.max() < (1e-9 if dtype == "float64" else 1 + 1e-9)  # one pair may be within the rounding of another


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_sample_tells_the_pairs_of_a_narrow_cone_apart(dtype):
    found = CosineCalibrator(0.5, n_pairs=1000, random_state=0).fit(cloud(300, shift=1e4).astype(dtype))
    rates = np.linspace(0.01, 0.99, 99)
    assert_allclose(found.p_value(found.threshold(rates)), rates, atol=0.005)


# Ties


def codes(kind, n=500):
    """Return different rows of integers and one length, and the products of all their pairs, with many ties."""
    rng = default_rng(0)
    rows = np.sign(rng.normal(size=(n, 12 if kind == "12 bits" else 16))).astype(int)
    if kind == "permutations":
        rows = rng.permuted(np.tile(np.arange(1, 9), (n, 1)), axis=1) * rows[:, :8]
    rows = np.unique(rows, axis=0)
    i, j = np.triu_indices(len(rows), 1)
    return rows, i, j, (rows @ rows.T)[i, j]


def of_some_lengths(rows, dtype):
    return (rows * default_rng(1).choice([1 / 3, 0.1, 7], size=(len(rows), 1))).astype(dtype)


KINDS = ["12 bits", "16 bits", "permutations"]


@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lengths", [lambda rows, dtype: rows.astype(dtype), of_some_lengths], ids=["one", "some"])
def test_a_tie_with_the_threshold_is_no_match(kind, dtype, lengths):
    rows, i, j, products = codes(kind)
    x, square = lengths(rows, dtype), rows[0] @ rows[0]
    found = CosineCalibrator(0.001).fit(x)
    at = np.sort(products)[::-1][int(0.001 * (products.size + 1)) - 1]
    assert found.threshold_ == pytest.approx(at / square, abs=1e-6)
    assert_array_equal(found.predict(x[i], x[j]), products > at)
    assert found.predict(x[i], x[j]).mean() <= 0.001
    values = np.unique(products)
    p = found.p_value(values / square)
    assert_allclose(p, [(1 + (products >= v).sum()) / (1 + products.size) for v in values], rtol=1e-12)
    assert_array_equal(p <= 0.001, values > at)
    assert found.p_value(found.threshold_) == p[values == at]


@pytest.mark.parametrize("kind", KINDS)
def test_a_tie_of_coarser_rows_than_those_of_the_fit_is_no_match(kind):
    rows, i, j, products = codes(kind)
    at = np.sort(products)[::-1][int(0.001 * (products.size + 1)) - 1]
    x = of_some_lengths(rows, "float32")
    assert_array_equal(CosineCalibrator(0.001).fit(rows.astype(float)).predict(x[i], x[j]), products > at)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_counts_all_its_ties(kind, dtype):
    rows = codes(kind)[0]
    x, square = of_some_lengths(rows, dtype), rows[0] @ rows[0]
    found = CosineCalibrator(0.01, n_pairs=5000, random_state=0).fit(x)
    i, j = found._cosines.pairs.T
    products = np.sum(rows[i] * rows[j], axis=1)
    values = np.unique(products)
    counts = np.array([(products >= v).sum() for v in values])
    assert_allclose(found.p_value(values / square), (1 + counts) / 5001, rtol=1e-12)
    for v, count in zip(values[-3:], counts[-3:], strict=True):
        assert found.false_match_rate(v / square).rate == pytest.approx(count / 5000, rel=1e-12)
    at = np.sort(products)[::-1][int(0.01 * 5001) - 1]
    assert_array_equal(found.predict(x[i], x[j]), products > at)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
def test_ties_are_matches_with_one_probability(kind, dtype):
    rows, i, j, products = codes(kind, 80)
    x = of_some_lengths(rows, dtype)
    truth = default_rng(2).uniform(size=products.size) < 1 / (1 + np.exp(-4 * products / products.max()))
    p = CosineCalibrator(0.01).fit(x).fit_matches(x[i], x[j], truth).predict_proba(x[i], x[j])[:, 1]
    assert max(np.ptp(p[products == v]) for v in np.unique(products)) < 1e-5


@pytest.mark.parametrize("n_pairs", ["exact", 400])
def test_near_pairs_of_a_wide_cloud_are_told_apart(n_pairs):
    """Sixteen pairs with 1 - cos of 1e-10 and more, each twice the one before, in float32."""
    x, gaps = np.zeros((32, 17)), 1e-10 * 2.0 ** np.arange(16)
    x[::2, :16] = x[1::2, :16] = np.eye(16)
    x[1::2, 16] = np.sqrt(2 * gaps)
    found = CosineCalibrator(0.1, n_pairs=n_pairs, random_state=0).fit(x.astype(np.float32))
    near = np.arange(1, 17) if n_pairs == "exact" else _sampled_near(found)
    assert_allclose(found.p_value(1 - 1.5 * gaps), (1 + near) / (1 + found.n_pairs_), rtol=1e-12)


def _sampled_near(found):
    """Return how many of the sampled pairs are the first k of the near ones, for each k."""
    i, j = np.sort(found._cosines.pairs, axis=1).T
    return np.cumsum(np.bincount(i[(j == i + 1) & (i % 2 == 0)] // 2, minlength=16))[:16]


# Copies


@pytest.mark.parametrize("factor", [1, 2, 3, 1 / 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_pairs", ["exact", 900])
def test_a_copy_of_any_length_belongs_to_its_row(factor, dtype, n_pairs):
    x, y = cloud().astype(dtype), cloud(45, seed=1).astype(dtype)
    copies = x[:20] * dtype(factor)
    for plain, other in [
        ((x,), (np.concatenate([x, copies]),)),
        ((x, y), (x, np.concatenate([copies, y]))),
    ]:
        a, b = (CosineCalibrator(0.01, n_pairs=n_pairs, random_state=0).fit(*rows) for rows in (plain, other))
        assert b.n_pairs_ == a.n_pairs_
        assert b.threshold_ == pytest.approx(a.threshold_, abs=1e-6)
        assert b.mean_cosine_ == pytest.approx(a.mean_cosine_, abs=1e-6)


def test_no_threshold_is_had_from_fewer_pairs_than_one_over_alpha():
    x = cloud(10)
    found = CosineCalibrator(0.02).fit(x)
    assert found.threshold_ == np.inf
    assert np.isnan(found.threshold_interval_).all()
    assert not found.predict(x, x).any()
    assert found.threshold([0.02, 0.022])[1] == pytest.approx(CosineCalibrator(0.022).fit(x).threshold_)
    assert np.isfinite(found.threshold(0.022))


# How sure it is


def unit_errors(x, y, pairs, units, at):
    """Return the standard error of a rate by leaving out every unit, pair by pair."""
    y = x if y is None else y
    hits = [(units(pair), cosine(x[pair[0]], y[pair[1]]) >= at) for pair in pairs]
    every = {unit for own, _ in hits for unit in own}
    rates = [np.mean([hit for own, hit in hits if unit not in own]) for unit in every]
    return np.sqrt((len(rates) - 1) * np.var(rates))


def test_the_error_of_a_rate_is_that_of_leaving_out_each_row():
    x, _, _, pairs = case("one cloud")
    found = CosineCalibrator(0.1).fit(x).false_match_rate(0.8).standard_error
    assert found == pytest.approx(unit_errors(x, None, pairs, lambda pair: pair, 0.8), rel=1e-9)
    h = np.array([np.mean([cosine(x[i], x[j]) >= 0.8 for j in range(60) if j != i]) for i in range(60)])
    assert found == pytest.approx(2 * 59 / 58 * h.std(ddof=1) / np.sqrt(60), rel=1e-9)


def test_the_error_of_a_rate_is_that_of_leaving_out_each_group():
    x, _, g, pairs = case("groups")
    found = CosineCalibrator(0.1).fit(x, groups=g).false_match_rate(0.8).standard_error
    assert found == pytest.approx(unit_errors(x, None, pairs, lambda pair: (g[pair[0]], g[pair[1]]), 0.8), rel=1e-9)


def test_the_error_of_a_rate_of_two_clouds_is_that_of_leaving_out_rows_of_both():
    x, y, _, pairs = case("corpus")
    found = CosineCalibrator(0.1).fit(x, y).false_match_rate(0.8).standard_error
    assert found == pytest.approx(
        unit_errors(x, y, pairs, lambda pair: (("x", pair[0]), ("y", pair[1])), 0.8), rel=1e-9
    )


def test_intervals_hold_over_rows_and_pairs_taken_as_independent_would_be_too_sure():
    law = CosineCalibrator(0.01).fit(cloud(2500, 8, seed=99))
    held, errors = [], []
    for seed in range(60):
        found = CosineCalibrator(0.01).fit(cloud(200, 8, seed=seed))
        low, high = found.threshold_interval_
        held.append(low <= law.threshold_ <= high)
        errors.append((found.false_match_rate(law.threshold_), found.n_pairs_))
    assert np.mean(held) >= 0.9
    rates = np.array([one.rate for one, _ in errors])
    assert np.mean([one.standard_error for one, _ in errors]) == pytest.approx(rates.std(ddof=1), rel=0.25)
    assert rates.std(ddof=1) > 1.5 * np.sqrt(0.01 * 0.99 / errors[0][1])


def test_the_interval_of_independent_pairs_is_that_of_clopper_and_pearson():
    found = rate_interval(37 / 1e5, 1e5)
    assert_allclose(found, (0.00026052710608175236, 0.0005099605611251579), rtol=1e-8)
    assert_allclose(found, binomtest(37, 100_000).proportion_ci(), rtol=1e-8)
    assert rate_interval(0.0, 50)[0] == 0
    assert_allclose(rate_interval(0.0, 50), binomtest(0, 50).proportion_ci(), rtol=1e-8)
    assert_allclose(rate_interval(1.0, 50), binomtest(50, 50).proportion_ci(), rtol=1e-8)


def test_what_no_pair_has_is_as_sure_as_half_the_rows():
    rate = CosineCalibrator(0.1).fit(cloud()).false_match_rate(1.0)
    assert rate == (0, 0, tuple(rate_interval(0.0, 30)))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("lowest", [-1.0, -2.0])
def test_every_pair_has_at_least_the_lowest_cosine(name, lowest, tiles):
    x, y, groups, _ = case(name)
    found = CosineCalibrator(0.1).fit(x, y, groups)
    assert found.false_match_rate(lowest)[:2] == (1, 0)
    assert found.p_value(lowest) == 1


def test_the_interval_holds_the_threshold_and_ends_at_one():
    found = CosineCalibrator(0.0014).fit(cloud(40))
    low, high = found.threshold_interval_
    assert low < found.threshold_ < high == 1


@pytest.mark.parametrize(
    ("n", "alpha", "enough"), [(200, 1e-3, True), (199, 1e-2, False), (200, 4e-4, False), (450, 1e-4, True)]
)
@pytest.mark.filterwarnings("default:.*not enough for a threshold")
def test_too_few_rows_are_said(n, alpha, enough, recwarn):
    assert CosineCalibrator(alpha).fit(cloud(n)).has_enough_rows_ is enough
    assert bool(recwarn) is not enough


@pytest.mark.filterwarnings("default:.*not enough for a threshold")
def test_groups_count_and_not_rows():
    with pytest.warns(
        UserWarning, match=r"100 different rows or groups, with 79\.2 of 79200 pairs.*at least 200 and 10"
    ):
        CosineCalibrator(1e-3).fit(
            np.repeat(cloud(100), 4, axis=0) + cloud(400, seed=3), groups=np.repeat(range(100), 4)
        )


# Samples of pairs


@pytest.mark.parametrize("name", ["one cloud", "groups", "corpus", "corpus in groups"])
def test_each_pair_is_drawn_as_often_as_any_other(name):
    x, y, groups, pairs = case(name)
    rows = x if y is None else np.concatenate([x, y])
    codes = None if groups is None else np.unique(np.hstack(groups), return_inverse=True)[1]
    population = AllCosines(DirectedRows(rows, norms(rows)), None if y is None else 60, codes)
    drawn = sampled(population, 40 * population.n, np.random.RandomState(0))
    found = np.sort(drawn.pairs, axis=1) if y is None else drawn.pairs - [0, 60]
    kinds, counts = np.unique(found, axis=0, return_counts=True)
    assert set(map(tuple, kinds.tolist())) == set(pairs)
    assert counts.var() == pytest.approx(40, rel=0.15)
    assert_allclose(drawn.cosines, [cosine(rows[i], rows[j]) for i, j in drawn.pairs], rtol=1e-9)
    assert (np.diff(drawn.cosines) <= 0).all()


def test_a_sample_is_near_to_all_pairs_and_holds_no_rows():
    x = cloud(800, 64)
    exact, few = CosineCalibrator(0.01).fit(x), CosineCalibrator(0.01, n_pairs=20_000, random_state=0).fit(x)
    assert few.n_pairs_ == 20_000
    assert few.threshold_ == pytest.approx(exact.threshold_, abs=0.01)
    assert few.mean_cosine_ == pytest.approx(exact.mean_cosine_, abs=5 * few.std_cosine_ / 20_000**0.5)
    assert few.p_value(0.4) == pytest.approx(exact.p_value(0.4), rel=0.2)
    assert len(pickle.dumps(CosineCalibrator(0.1, n_pairs=100).fit(x))) < 20_000
    again = CosineCalibrator(0.01, n_pairs=20_000, random_state=0).fit(x)
    assert again.threshold_ == few.threshold_


def test_a_whitening_of_the_same_rows_gives_a_threshold_for_these_alone():
    fitted, other, new = np.split(default_rng(0).normal(size=(1500, 100)), [400, 800])
    whiten = Whitening().fit(fitted).transform
    thresholds = [CosineCalibrator(0.01).fit(whiten(rows)).threshold_ for rows in (fitted, other)]
    found = CosineCalibrator().fit(whiten(new))
    rates = [found.false_match_rate(threshold).rate for threshold in thresholds]
    assert rates[0] > 0.03
    assert 0.009 < rates[1] < 0.011


def test_pairs_are_drawn_where_nearly_all_rows_are_of_one_group():
    x, codes = cloud(100_000), np.zeros(100_000, dtype=np.int64)
    codes[-1] = 1
    drawn = sampled(AllCosines(DirectedRows(x, norms(x)), None, codes), 5000, np.random.RandomState(0))
    assert (drawn.pairs.max(axis=1) == 99_999).all()
    assert np.unique(drawn.pairs.min(axis=1)).size == pytest.approx(100_000 * (1 - np.exp(-0.05)), rel=0.02)


def test_no_more_pairs_are_drawn_than_there_are():
    x = cloud(40)
    found = CosineCalibrator(0.1, n_pairs=780).fit(x)
    assert (found.n_pairs_, found.threshold_) == (780, CosineCalibrator(0.1).fit(x).threshold_)


def test_the_error_of_a_sample_is_that_over_rows_and_draws():
    found, errors = [], []
    for seed in range(150):
        rows = cloud(150, 8, seed=seed)
        few = sampled(AllCosines(DirectedRows(rows, norms(rows))), 600, np.random.RandomState(seed))
        rate, error = rate_error(few, 0.6, np.arange(150))
        found.append(rate)
        errors.append(error)
    assert np.mean(np.square(errors)) ** 0.5 == pytest.approx(np.std(found, ddof=1), rel=0.15)


# Probabilities


def labelled(m=400, seed=0):
    rng = default_rng(seed)
    x = rng.normal(size=(m, 8))
    y = rng.uniform(size=m) < 0.25
    return x, np.where(y[:, None], x, 0) + 1.5 * rng.normal(size=(m, 8)), y


def test_probabilities_are_right_on_other_pairs_and_never_fall():
    found = CosineCalibrator(0.1).fit(cloud(60, 8)).fit_matches(*labelled(4000))
    x, y, truth = labelled(20_000, 1)
    p = found.predict_proba(x, y)[:, 1]
    c = np.einsum("ij,ij->i", x, y) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    assert (np.diff(p[np.argsort(c)]) >= 0).all()
    for low, high in [(0, 0.1), (0.1, 0.4), (0.4, 1)]:
        inside = (p >= low) & (p < high)
        assert p[inside].mean() == pytest.approx(truth[inside].mean(), abs=0.06)
    assert found.match_prior_ == labelled(4000)[2].mean()
    assert found.match_brier_score_ == pytest.approx(np.mean((p - truth) ** 2), abs=0.02)
    assert found.match_brier_score_ < 0.8 * found.match_prior_ * (1 - found.match_prior_)


def test_probabilities_stay_away_from_certainty():
    x = cloud(40)
    found = (
        CosineCalibrator(0.1).fit(x).fit_matches(x, np.where(np.arange(40)[:, None] < 20, x, -x), np.arange(40) < 20)
    )
    assert_allclose(found.predict_proba(x[:1], x[:1]), [[1 / 80, 79 / 80]])
    assert_allclose(found.predict_proba(x[:1], -x[:1]), [[79 / 80, 1 / 80]])


def test_a_refit_forgets_the_matches_of_another_space():
    x, y, truth = labelled()
    found = CosineCalibrator(0.1).fit(x).fit_matches(x, y, truth)
    found.fit(cloud())
    assert not hasattr(found, "match_prior_")
    with pytest.raises(NotFittedError, match="knows no matches yet: call fit_matches"):
        found.predict_proba(cloud(), cloud())


# Contracts


def test_it_is_cloned_and_pickled():
    x = cloud()
    found = pickle.loads(pickle.dumps(CosineCalibrator(0.05, n_pairs=99, random_state=1).fit(x)))
    assert clone(found).get_params() == {"alpha": 0.05, "n_pairs": 99, "random_state": 1}
    assert found.p_value(0.9) == clone(found).fit(x).p_value(0.9)


def test_nothing_is_written_to_the_rows(backend):
    x = backend.asarray(cloud())
    CosineCalibrator(0.1).fit(x).p_value(0.5)
    assert_array_equal(to_numpy(x), cloud())


@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "fit_matches", "p_value", "threshold", "false_match_rate"]
)
def test_nothing_is_answered_before_fit(method):
    arguments = {"predict": [cloud()] * 2, "predict_proba": [cloud()] * 2, "fit_matches": [cloud(), cloud(), [0, 1]]}
    with pytest.raises(NotFittedError):
        getattr(CosineCalibrator(), method)(*arguments.get(method, [0.5]))


X = cloud()
BAD = {
    "alpha 0": (lambda: CosineCalibrator(0).fit(X), ValueError, "alpha must be between 0 and 1"),
    "alpha 1": (lambda: CosineCalibrator(1.0).fit(X), ValueError, "alpha must be between 0 and 1"),
    "alpha word": (lambda: CosineCalibrator("few").fit(X), TypeError, "alpha must be a number"),
    "n_pairs word": (lambda: CosineCalibrator(n_pairs="all").fit(X), ValueError, "n_pairs must be"),
    "n_pairs 1": (lambda: CosineCalibrator(n_pairs=1).fit(X), ValueError, "n_pairs must be at least 2"),
    "n_pairs float": (lambda: CosineCalibrator(n_pairs=1e5).fit(X), TypeError, "n_pairs must be an integer"),
    "zero row": (lambda: CosineCalibrator().fit(X * (np.arange(60) > 0)[:, None]), ValueError, "X has 1 zero row"),
    "NaN": (lambda: CosineCalibrator().fit(X * np.nan), ValueError, "Input X contains NaN"),
    "one row": (lambda: CosineCalibrator().fit(X[:1]), ValueError, "minimum of 2"),
    "equal rows": (lambda: CosineCalibrator().fit(np.ones((9, 2))), ValueError, "No pair of rows is left"),
    "one group": (lambda: CosineCalibrator().fit(X, groups=np.zeros(60)), ValueError, "No pair of rows is left"),
    "the same corpus": (lambda: CosineCalibrator().fit(X, X), ValueError, "No pair of rows is left"),
    "few groups": (lambda: CosineCalibrator().fit(X, groups=[1, 2]), ValueError, "Found 2 groups for 60 rows"),
    "groups of X alone": (lambda: CosineCalibrator().fit(X, X + 1, range(60)), ValueError, "groups must be two arrays"),
    "width of Y": (lambda: CosineCalibrator().fit(X, X[:, :2]), ValueError, "X has 4 features and Y has 2"),
    "width at predict": (lambda: CosineCalibrator().fit(X).predict(X[:, :2], X[:, :2]), ValueError, "2 features"),
    "pairs": (lambda: CosineCalibrator().fit(X).predict(X, X[:5]), ValueError, "X has 60 rows and Y has 5"),
    "zero row at predict": (
        lambda: CosineCalibrator().fit(X).predict(X[:1], 0 * X[:1]),
        ValueError,
        "Y has 1 zero row",
    ),
    "rate": (lambda: CosineCalibrator().fit(X).threshold([0.1, 1]), ValueError, "alpha must be between 0 and 1"),
    "cosine": (lambda: CosineCalibrator().fit(X).p_value(np.nan), ValueError, "cosine must be a finite number"),
    "y": (lambda: CosineCalibrator().fit(X).fit_matches(X, X, np.arange(60)), ValueError, "1 for matches and 0"),
    "few matches": (lambda: CosineCalibrator().fit(X).fit_matches(X, X, np.arange(60) < 4), ValueError, "got 4 and 56"),
    "length of y": (lambda: CosineCalibrator().fit(X).fit_matches(X, X, [0, 1]), ValueError, "for 60 rows"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused(name):
    call, error, message = BAD[name]
    with pytest.raises(error, match=message):
        call()


def test_a_fitted_calibrator_keeps_the_rows_but_not_their_tiles():
    x = np.random.default_rng(0).normal(size=(500, 64))
    calibrator = CosineCalibrator(0.01).fit(x)
    calibrator.threshold(0.1), calibrator.p_value(0.2), calibrator.false_match_rate(0.2)
    assert len(pickle.dumps(calibrator)) < 1.1 * x.nbytes
