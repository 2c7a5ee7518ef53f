"""The row above each measure is the truth: every one keeps its promises, on clouds that hypothesis makes up."""

import inspect
from dataclasses import replace
from math import inf, isinf, pi

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import assume, given, settings
from numpy.testing import assert_allclose

import skgeom.metrics
from skgeom._cloud import Cloud, rows_of
from skgeom.metrics._measure import MEASURES

NAMES = sorted(set(MEASURES) - {"modality_separability"})  # which fits a classifier for each value: see test_gap
NO_NUMBER_FOR_ROWS = {
    "estimate",
    "angle_quantiles",
    "collapse_bound",
    "conformity_estimate",
    "coordinate_std",
    "cosine_pearson",
    "cosine_shares",
    "cosine_spearman",
    "isoscore_from_covariance",
    "k_nearest",
    "layer_profile",
    "mean_average_precision",
    "mixed_retrieval",
    "modality_auc_matrix",
    "modality_gap_matrix",
    "ndcg_at_k",
    "pair_cosines",
    "retrieval_score",
    "silhouette_samples",
    "silhouette_terms",
    "variance_explained",
    "variance_shares",
}
OF_SCORERS = {"csls_scorer", "get_scorer", "get_scorer_names", "make_embedding_scorer", "recall_scorer"}
OF_DIFFERENCES = {"conformity_divergence"}  # of cosines: float32 has none in a narrow cone
OF_HIGH_DIMENSIONS = {"hubness"}  # few dimensions have no hubs, however anisotropic: see test_neighbours
INVARIANCES = {"translation", "scaling", "rotation", "row scaling"}

BOUND_SLACK = {2: 1e-5, 4: 1e-5, 8: 1e-9}
RTOL = {4: 2e-4, 8: 1e-7}
FEW = settings(max_examples=50)


def with_invariance(invariance):
    """Parametrise by the measures with an invariance that holds for each value, not in distribution alone."""
    held = [name for name in NAMES if invariance in MEASURES[name].invariances]
    return pytest.mark.parametrize(
        "name", [n for n in held if not (MEASURES[n].is_random and invariance == "rotation")]
    )


every_measure = pytest.mark.parametrize("name", NAMES)


def partners(x):
    """Return other rows that move with the rows of x: some of them, and some twice."""
    n = x.shape[0]
    return x[(np.arange(n) ** 2 + 1) % n]


def value(name, x, labels, y=None):
    """Return what the public function says; random ones draw the same at each call."""
    row = MEASURES[name]
    y = partners(x) if y is None else y
    given = row.besides(labels=labels, partners=y, start=y)
    seed = {"random_state": 0} if row.is_random else {}
    if row.is_random and rows_of(x).shape[1] == 1:
        assume(False)  # one feature has no circles
    return row.function(x, *given, **row.options, **seed)


def rows_of_kind(kind, n, d, rng):
    if kind == "gaussian":
        return rng.normal(size=(n, d)) * rng.uniform(0.2, 2, d)
    if kind == "integer":
        return rng.integers(-8, 9, (n, d)).astype(float)
    if kind == "low rank":
        return rng.integers(-3, 4, (n, 1)) @ rng.integers(-3, 4, (1, d)).astype(float)
    if kind == "repeated":
        return rng.integers(-4, 5, (2, d)).astype(float)[rng.integers(0, 2, n)]
    if kind == "constant":
        return np.tile(rng.integers(-9, 10, d).astype(float), (n, 1))
    if kind in ("one direction", "opposite directions"):
        signs = 1 if kind == "one direction" else rng.choice([-1, 1], (n, 1))
        return rng.normal(size=(1, d)) * signs * rng.uniform(0.1, 9, (n, 1))
    if kind == "outlier":
        return np.vstack([1e3 * np.ones((1, d)), rng.normal(size=(n - 1, d))])
    return np.eye(n, d) - np.eye(n, d, -d)


ONE_LINE = ["constant", "one direction", "opposite directions"]
KINDS = ["gaussian", "integer", "low rank", "repeated", *ONE_LINE, "outlier", "axes"]


@st.composite
def clouds(draw, kinds=KINDS, dtypes=("float64", "float32", "float16"), offsets=(0, 1, 1000), most_rows=40):
    """Draw rows without a zero row, and labels of at least two classes of which one has two members."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, d = draw(st.integers(3, most_rows)), draw(st.integers(1, 16))
    x = rows_of_kind(draw(st.sampled_from(kinds)), n, d, rng) + draw(st.sampled_from(offsets))
    dtype = draw(st.sampled_from(dtypes))
    x = np.clip(x, -6e4, 6e4).astype(dtype) if dtype == "float16" else x.astype(dtype)
    x[(x == 0).all(axis=1)] = 1
    labels = rng.permutation(np.r_[0, 0, 1, rng.integers(0, draw(st.integers(2, 5)), n - 3)])
    return x, labels


def generic(**options):
    """Draw clouds whose spectrum has no ties, so that eigenvectors are unique."""
    return clouds(kinds=["gaussian", "integer"], dtypes=("float64", "float32"), **options)


def powers_of_two(limit):
    return st.integers(-limit, limit).map(lambda exponent: 2.0**exponent)


def assert_same(name, moved, still, itemsize):
    """Compare up to the rounding of the kernels; a slope weighs the smallest, least exact variances."""
    if name in OF_DIFFERENCES:
        assume(itemsize == 8)
    rtol = RTOL[itemsize] * (100 if name == "spectrum_slope" else 1)
    assert_allclose(moved, still, rtol=rtol, atol=rtol)


@every_measure
@settings(max_examples=120)
@given(cloud=clouds())
def test_values_are_finite_and_within_their_bounds(name, cloud):
    x, labels = cloud
    v = value(name, x, labels)
    low, high = MEASURES[name].range(*x.shape)
    slack = BOUND_SLACK[x.itemsize] * (1 if isinf(high) else max(1, high))
    assert np.all(np.isfinite(v)) or (MEASURES[name].infinite and v == inf)
    assert np.all((v >= low - slack) & (v <= high + slack))


@pytest.mark.parametrize(
    "name",
    ["average_cosine", "isoscore", "paired_cosine", "silhouette", "spherical_variance"],
)
@settings(max_examples=120)
@given(
    cloud=clouds(kinds=[*ONE_LINE, "axes"], dtypes=("float64", "float32"), offsets=(0,)), side=st.sampled_from([1, -1])
)
def test_rounding_does_not_take_values_beyond_their_bounds(name, cloud, side):
    x, labels = cloud
    low, high = MEASURES[name].range(*x.shape)
    for y in (partners(x), side * x):
        assert np.all((low <= (v := value(name, x, labels, y))) & (v <= high))


@every_measure
@FEW
@given(cloud=clouds(offsets=(0, 1)), exponent=st.integers(-30, 30), wide=st.booleans())
def test_values_stay_within_their_bounds_at_extreme_scales(name, cloud, exponent, wide):
    x, labels = cloud
    scale = np.float64(10.0 ** (exponent * 140 / 30)) if wide else np.float32(10.0**exponent)
    x = x.astype(scale.dtype) / max(1, np.abs(x).max()) * scale
    v = value(name, x, labels)
    low, high = MEASURES[name].range(*x.shape)
    assert np.all(np.isfinite(v)) or (MEASURES[name].infinite and v == inf)
    assert np.all((v >= low - 1e-5) & (v <= high + 1e-5 * max(1, x.shape[1])))


@every_measure
@FEW
@given(cloud=clouds())
def test_a_cloud_stands_for_its_rows(name, cloud):
    x, labels = cloud
    known, y = Cloud(x), partners(x)
    for _ in range(2):
        np.testing.assert_array_equal(value(name, known, labels, y), value(name, x, labels, y))


@every_measure
@FEW
@given(cloud=clouds())
def test_input_is_never_written_to(name, cloud):
    x, labels = cloud
    before = x.tobytes(), labels.tobytes()
    value(name, x, labels)
    assert (x.tobytes(), labels.tobytes()) == before


@every_measure
@FEW
@given(
    cloud=clouds(kinds=["gaussian", "integer", "constant"], dtypes=("float64", "float32"))
    | clouds(kinds=["outlier"], dtypes=("float64",)),
    data=st.data(),
)
def test_the_order_of_the_rows_does_not_matter(name, cloud, data):
    x, labels = cloud
    order = np.array(data.draw(st.permutations(range(len(x)))))
    y = partners(x)
    still, moved = value(name, x, labels, y), value(name, x[order], labels[order], y[order])
    assert_same(name, moved, still[order] if MEASURES[name].per_row else still, x.itemsize)


@with_invariance("translation")
@FEW
@given(cloud=clouds(kinds=["integer", "axes", "repeated", "constant"], dtypes=("float64", "float32")), data=st.data())
def test_translation_changes_nothing(name, cloud, data):
    x, labels = cloud
    shift = data.draw(st.lists(st.integers(-4096, 4096), min_size=x.shape[1], max_size=x.shape[1]))
    assert_same(name, value(name, x + np.array(shift, x.dtype), labels), value(name, x, labels), x.itemsize)


@with_invariance("scaling")
@FEW
@given(cloud=clouds(dtypes=("float64", "float32")), small=powers_of_two(100), large=powers_of_two(450))
def test_scaling_changes_nothing(name, cloud, small, large):
    x, labels = cloud
    factor = x.dtype.type(small if x.itemsize == 4 else large)
    assert_same(name, value(name, x * factor, labels), value(name, x, labels), x.itemsize)


@with_invariance("row scaling")
@FEW
@given(cloud=generic(), data=st.data())
def test_scaling_each_row_by_its_own_factor_changes_nothing(name, cloud, data):
    x, labels = cloud
    factors = data.draw(st.lists(powers_of_two(25), min_size=len(x), max_size=len(x)))
    assert_same(name, value(name, x * np.array(factors, x.dtype)[:, None], labels), value(name, x, labels), x.itemsize)


@with_invariance("rotation")
@FEW
@given(cloud=generic(), data=st.data())
def test_permuting_and_flipping_axes_changes_nothing(name, cloud, data):
    x, labels = cloud
    axes = np.array(data.draw(st.permutations(range(x.shape[1]))))
    signs = np.array(data.draw(st.lists(st.sampled_from([-1, 1]), min_size=len(axes), max_size=len(axes))), x.dtype)
    assert_same(name, value(name, x[:, axes] * signs, labels), value(name, x, labels), x.itemsize)


@with_invariance("rotation")
@FEW
@given(cloud=generic(offsets=(0, 1)), seed=st.integers(0, 2**32))
def test_rotation_changes_nothing(name, cloud, seed):
    x, labels = cloud
    d = x.shape[1]
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))[0]
    rotated = (x.astype(np.float64) @ rotation).astype(x.dtype)
    assert_same(name, value(name, rotated, labels), value(name, x, labels), x.itemsize)


@pytest.mark.parametrize("name", [name for name in NAMES if MEASURES[name].needs == "labels"])
@FEW
@given(cloud=generic(), names=st.permutations(["x", "a", "ü", "3", "b"]))
def test_names_of_classes_do_not_matter(name, cloud, names):
    x, labels = cloud
    assert_same(name, value(name, x, np.array(names)[labels]), value(name, x, labels), x.itemsize)


@every_measure
def test_rows_say_where_they_come_from_and_what_they_cost(name):
    row = MEASURES[name]
    assert row.name == name
    assert row.direction in (-1, 0, 1)
    assert set(row.invariances) <= INVARIANCES
    assert row.cost.startswith("O(n")
    assert any(mark in row.source for mark in ("arXiv:", "doi:", "EUSIPCO", "ICLR", "JMLR", "TREC"))
    assert all(low < high for low, high in (row.range(n, d) for n, d in [(5, 3), (40, 41), (1000, 10)]))


def test_every_row_is_public_and_every_public_measure_of_a_cloud_has_a_row():
    public = {n for n in skgeom.metrics.__all__ if inspect.isfunction(getattr(skgeom.metrics, n))}
    assert public - NO_NUMBER_FOR_ROWS - OF_SCORERS == {row.function.__name__ for row in MEASURES.values()}
    assert all(getattr(skgeom.metrics, row.function.__name__) is row.function for row in MEASURES.values())


@every_measure
def test_options_of_a_row_are_arguments_of_the_function(name):
    row = MEASURES[name]
    parameters = inspect.signature(row.function).parameters
    assert set(row.options) <= set(parameters)
    labels = parameters.get("labels")
    assert (labels is not None and labels.default is labels.empty) == (row.needs == "labels")
    assert ("random_state" in parameters) >= row.is_random


@pytest.mark.parametrize("name", [n for n in NAMES if MEASURES[n].direction and n not in OF_HIGH_DIMENSIONS])
def test_the_direction_points_from_worse_to_better(name):
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 60)
    good = rng.normal(size=(180, 4)) + 20 * np.eye(3, 4)[labels] * (MEASURES[name].needs == "labels")
    bad = rng.normal(size=(180, 4)) * [1, 0.1, 0.1, 0.1] + [3, 0, 0, 0]
    near, far = good + 0.1 * rng.normal(size=(180, 4)), 2 * rng.normal(size=(180, 4)) - 1
    difference = value(name, good, labels, near) - value(name, bad, labels, far)
    assert MEASURES[name].direction * difference > 0


def test_bounds_follow_the_options():
    assert MEASURES["uniformity"].range(9, 3) == (-8, 0)
    assert replace(MEASURES["uniformity"], options={"t": 5}).range(9, 3) == (-20, 0)
    assert MEASURES["riesz_energy"].range(9, 3)[0] == 0.5
    assert MEASURES["mhe"].range(9, 3)[0] == 1 / pi
    assert replace(MEASURES["partition_isotropy"], options={"normalize": False}).range(9, 3) == (0, 1)


def test_a_float_for_host_data_and_an_array_of_their_own_for_others():
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(20, 3))
    for rows in (x, x.tolist(), Cloud(x), iter([x])):
        assert type(skgeom.metrics.isoscore(rows)) is float
    for rows in (torch.tensor(x), Cloud(torch.tensor(x)), iter([torch.tensor(x)])):
        found = skgeom.metrics.isoscore(rows)
        assert isinstance(found, torch.Tensor)
        assert found.shape == ()


def test_a_measure_keeps_its_name_its_signature_and_its_docstring():
    parameters = inspect.signature(skgeom.metrics.uniformity).parameters
    assert list(parameters) == ["X", "t", "device"]
    assert parameters["t"].default == 2.0
    assert skgeom.metrics.uniformity.__name__ == "uniformity"
    assert "Wang & Isola" in inspect.getdoc(skgeom.metrics.uniformity)
    x = np.random.default_rng(0).normal(size=(9, 3))
    assert skgeom.metrics.uniformity(X=x, t=1) == skgeom.metrics.uniformity(x, t=1)
    assert skgeom.metrics.silhouette_score(labels=[0, 1, 1] * 3, X=x) == skgeom.metrics.silhouette_score(
        x, [0, 1, 1] * 3
    )


def test_every_measure_works_without_torch(without_torch):
    code = """
import numpy as np
from skgeom.metrics._measure import MEASURES
rng = np.random.default_rng(0)
x, y, labels = rng.normal(size=(40, 4)), rng.normal(size=(40, 4)), np.arange(40) % 3
for name, row in MEASURES.items():
    seed = {"random_state": 0} if row.is_random else {}
    assert type(row(x, *row.besides(labels=labels, partners=y, start=y), **seed)) is float, name
"""
    without_torch(code)


def test_a_measure_has_one_name_everywhere():
    for name in ("dunn", "silhouette", "calinski_harabasz", "davies_bouldin", "uniformity"):
        assert MEASURES[name].name == name
        assert name in skgeom.metrics.get_scorer_names()
        assert skgeom.metrics.make_embedding_scorer(name).metric is MEASURES[name].function
    with pytest.raises(ValueError, match="metric must be one of"):
        skgeom.metrics.make_embedding_scorer("silhouette_score")
