"""Two representations of the same rows: CKA, shape, canonical correlations and shared neighbours."""

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_allclose
from scipy.linalg import orthogonal_procrustes, subspace_angles

from skgeom.comparison import cka, compare, mean_squared_correlation, neighbour_overlap, shape_distance
from skgeom.metrics import participation_ratio


def related(n=60, dx=5, dy=7, seed=11):
    rng = default_rng(seed)
    x = rng.normal(size=(n, dx)) * np.geomspace(3, 0.1, dx) + 4
    return x, x @ rng.normal(size=(dx, dy)) + rng.normal(size=(n, dy))


def u_centred(x):
    gram = x @ x.T
    np.fill_diagonal(gram, 0)
    n, sums = len(x), gram.sum(axis=1)
    gram = gram - (sums[:, None] + sums[None, :]) / (n - 2) + gram.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(gram, 0)
    return gram


def naive_cka(x, y, debiased):
    if debiased:
        a, b = u_centred(x), u_centred(y)
    else:
        a, b = ((z - z.mean(axis=0)) @ (z - z.mean(axis=0)).T for z in (x, y))
    return np.sum(a * b) / np.sqrt(np.sum(a * a) * np.sum(b * b))


@pytest.mark.parametrize("debiased", [True, False])
@pytest.mark.parametrize("shape", [(4, 3, 2), (60, 5, 7), (30, 100, 80), (200, 1, 3)])
def test_cka_is_that_of_the_matrices_of_inner_products(shape, debiased):
    x, y = related(*shape)
    assert_allclose(cka(x, y, debiased=debiased), naive_cka(x, y, debiased), rtol=1e-10, atol=1e-13)


def test_the_values_of_independent_code():
    rng = default_rng(11)
    x = rng.normal(size=(60, 5)) * [3, 2, 1, 0.5, 0.1] + 4
    y = x @ rng.normal(size=(5, 7)) + rng.normal(size=(60, 7))
    assert_allclose(cka(x, y, debiased=False), 0.9209731543643781, rtol=1e-9)
    assert_allclose(cka(x, y), 0.9190071836644107, rtol=1e-8)
    assert_allclose(shape_distance(x, y), 0.35391450692061843, rtol=1e-8)
    rng = default_rng(24)
    x, y = rng.standard_t(3, size=(8, 2)), rng.normal(size=(8, 3))
    assert_allclose(mean_squared_correlation(x, y), 0.17397669414569417, rtol=1e-8)
    rng = default_rng(61)
    x = rng.normal(size=(40, 5))
    shares = neighbour_overlap(x, x + 0.7 * rng.normal(size=(40, 5)), k=5, per_row=True)
    assert_allclose([shares.mean(), shares.std(ddof=1) / 40**0.5], [0.45, 0.03562626515972126], rtol=1e-9)


def test_the_mean_of_plain_cka_of_unrelated_spaces():
    rng = default_rng(0)
    x, y = related(n=100)
    drawn = [cka(x, y[rng.permutation(100)], debiased=False) for _ in range(400)]
    expected = np.sqrt(participation_ratio(x) * participation_ratio(y)) / 99
    assert_allclose(np.mean(drawn), expected, atol=3 * np.std(drawn) / 20)


def test_the_shape_distance_is_what_the_best_rotation_leaves():
    x, y = related(dx=5, dy=5)
    a, b = ((z - z.mean(axis=0)) / np.linalg.norm(z - z.mean(axis=0)) for z in (x, y))
    rotation, _ = orthogonal_procrustes(a, b)
    assert_allclose(np.cos(shape_distance(x, y)), np.sum((a @ rotation) * b), rtol=1e-12)


def test_shapes_are_a_metric():
    x, y = related()
    z = default_rng(3).normal(size=(60, 4))
    assert_allclose(shape_distance(x, y), shape_distance(y, x), rtol=1e-12)
    assert shape_distance(x, z) <= shape_distance(x, y) + shape_distance(y, z)
    assert shape_distance(x, x) < 2e-8


def test_canonical_correlations_are_cosines_between_subspaces():
    x, y = related(dx=6, dy=3)
    angles = subspace_angles(x - x.mean(axis=0), y - y.mean(axis=0))
    assert_allclose(mean_squared_correlation(x, y), np.mean(np.cos(angles) ** 2), rtol=1e-10)
    repeated = np.concatenate([y, y @ np.ones((3, 2))], axis=1)  # rank 3 still
    assert_allclose(mean_squared_correlation(x, repeated), np.mean(np.cos(angles) ** 2), rtol=1e-8)


@pytest.mark.parametrize("function", [cka, shape_distance, neighbour_overlap])
def test_rotation_and_scaling_of_one_space_change_nothing(function):
    x, y = related()
    q = np.linalg.qr(default_rng(1).normal(size=(7, 7)))[0]
    assert_allclose(function(x, 1e80 * y @ q), function(x, y), rtol=1e-9)
    assert_allclose(function(1e-80 * x, y), function(x, y), rtol=1e-9)


@pytest.mark.parametrize("function", [cka, shape_distance, mean_squared_correlation])
def test_translation_changes_nothing(function):
    x, y = related()
    assert_allclose(function(x + 1e3, y - 1e3), function(x, y), rtol=1e-8)


def test_every_linear_map_keeps_canonical_correlations():
    x, y = related()
    q = default_rng(1).normal(size=(5, 5))
    assert_allclose(mean_squared_correlation(x @ q, y), mean_squared_correlation(x, y), rtol=1e-8)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("function", [cka, shape_distance, mean_squared_correlation, neighbour_overlap])
def test_every_library_agrees(function, dtype, backend):
    x, y = (z.astype(dtype) for z in related())
    found = function(backend.asarray(x), backend.asarray(y))
    assert isinstance(found, float)
    assert_allclose(found, function(x.astype(float), y.astype(float)), rtol=2e-5)


@pytest.mark.parametrize("function", [cka, shape_distance, mean_squared_correlation, neighbour_overlap])
@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros((59, 2)), "rows"),
        (np.full((60, 2), np.nan), "NaN"),
        (np.zeros(60), "Expected 2D"),
        (np.zeros((60, 2)), "equal|zero"),
    ],
)
def test_what_cannot_be_compared_is_refused(function, y, message):
    with pytest.raises(ValueError, match=message):
        function(related()[0], y)


def test_rows_equally_far_from_one_another_have_no_debiased_alignment():
    x, y = np.eye(60), related()[1]
    with pytest.raises(ValueError, match=r"equally far.*statistic=.plain_cka"):
        cka(x, y)
    assert 0 < cka(x, y, debiased=False) < 1


def test_a_rank_that_reaches_the_rows_is_refused():
    with pytest.raises(ValueError, match="rank 19 with 20 rows"):
        mean_squared_correlation(default_rng(0).normal(size=(20, 30)), default_rng(1).normal(size=(20, 3)))


def test_few_rows_are_warned_of():
    with pytest.warns(UserWarning, match="fit"):
        shape_distance(*related(n=20))


class TestNeighbours:
    def naive(self, x, y, k):
        """Shares of the places in common, ties at the k-th settled by fractions."""
        weights = []
        for z in (x, y):
            unit = z / np.linalg.norm(z, axis=1, keepdims=True)
            distance = np.round(1 - unit @ unit.T, 10)
            np.fill_diagonal(distance, np.inf)
            kth = np.sort(distance, axis=1)[:, k - 1 : k]
            nearer, tied = distance < kth, distance == kth
            left = (k - nearer.sum(axis=1, keepdims=True)) / tied.sum(axis=1, keepdims=True)
            weights.append(nearer + left * tied)
        return np.minimum(*weights).sum(axis=1) / k

    @pytest.mark.parametrize("k", [1, 5, 57])
    @pytest.mark.parametrize("kind", ["distinct", "few places", "one place and others", "one direction"])
    def test_ties_share_the_last_places(self, kind, k):
        rng = default_rng(0)
        x, y = related()
        if kind == "few places":
            x = x[rng.integers(0, 9, 60)]
        elif kind == "one place and others":
            x[:40] = x[0]
        elif kind == "one direction":
            x = np.ones((60, 3))
        assert_allclose(neighbour_overlap(x, y, k=k, per_row=True), self.naive(x, y, k), atol=1e-9)

    def test_a_space_agrees_with_itself_whatever_the_ties(self):
        x = related()[0][default_rng(0).integers(0, 9, 60)]
        assert_allclose(neighbour_overlap(x, x, per_row=True), 1.0, rtol=1e-12)

    @pytest.mark.parametrize("unit", [1e-13, 1e-8, 1e20])
    def test_distances_are_tied_in_any_unit_alike(self, unit):
        x, y = related()
        shares = neighbour_overlap(x, y, metric="euclidean", per_row=True)
        assert_allclose(neighbour_overlap(unit * x, y, metric="euclidean", per_row=True), shares)
        assert shares.max() <= 1

    @pytest.mark.parametrize(("unit", "offset"), [(1e-5, 1), (1e-3, 1e3), (1e-13, 0), (1e10, 0)])
    def test_rows_on_a_grid_are_tied_anywhere(self, unit, offset):
        x = np.stack(np.meshgrid(*[np.arange(12.0)] * 2), axis=-1).reshape(-1, 2)
        assert neighbour_overlap(x, unit * x + offset, k=3, metric="euclidean") == 1

    def test_the_order_of_rows_is_no_agreement(self):
        x, y = np.ones((500, 2)), np.ones((500, 3))
        rng = default_rng(0)
        x[:250] = [1, -1]
        y[rng.permutation(500)[:250]] = [1, 1, -1]
        assert abs(neighbour_overlap(x, y) - 0.5) < 0.05  # not the first ten rows of each place

    @pytest.mark.parametrize("k", [0, 59])
    def test_k_leaves_some_out(self, k):
        with pytest.raises(ValueError, match="k must be"):
            neighbour_overlap(*related(), k=k)


class TestManySpaces:
    def test_each_pair_has_what_the_pair_has(self):
        x, z = default_rng(4).normal(size=(2, 60, 4))
        y = x + 0.1 * default_rng(5).normal(size=(60, 4))
        found = compare({"x": x, "y": y, "z": z})
        assert found.names == ("x", "y", "z")
        assert_allclose(found.cka, found.cka.T)
        assert_allclose(found.cka[np.triu_indices(3, 1)], [cka(x, y), cka(x, z), cka(y, z)], rtol=1e-12)
        assert found.pvalues[0, 1] < 1e-6 < 0.01 < found.pvalues[0, 2]
        assert_allclose(found.zscores, found.cka * np.sqrt(60 * 57 / 2))

    def test_layers_in_one_array(self, backend):
        layers = default_rng(0).normal(size=(3, 40, 5))
        found = compare(backend.asarray(layers))
        assert_allclose(found.cka, compare(list(layers)).cka, atol=1e-12)
        assert found.names[2] == "space 2"

    def test_the_table_and_the_frame_hold_all_pairs(self):
        pytest.importorskip("pandas")
        found = compare(default_rng(0).normal(size=(4, 40, 5)))
        assert len(found.to_frame()) == 6
        assert len(str(found).splitlines()) == 5

    def test_one_space_is_refused(self):
        x = related()[0]
        with pytest.raises(ValueError, match="at least two"):
            compare({"x": x})
        for one in ([x], x, None, iter([x])):
            with pytest.raises(ValueError, match=r"spaces must be a sequence of at least two.*: pass \[X, Y\]"):
                compare(one)

    def test_spaces_come_one_by_one(self):
        x, y = default_rng(0).normal(size=(2, 40, 5))
        found = compare([x, y]).cka
        assert_allclose(compare(iter([x, y])).cka, found)
        assert_allclose(compare({"x": x, "y": y}.values()).cka, found)

    def test_where_rows_dominate_both_spaces_there_is_no_p_value(self):
        x, y = related()
        x[0] *= 100
        y[7] *= 100
        with pytest.warns(UserWarning, match="not available"):
            assert np.isnan(compare([x, y]).pvalues).all()

    def test_distances_that_depend_on_all_rows_are_refused(self):
        with pytest.raises(ValueError, match="metric"):
            neighbour_overlap(*related(), metric="csls")
