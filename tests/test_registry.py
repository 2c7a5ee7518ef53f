"""The table of measures is the truth: every row keeps its own promises, on clouds that hypothesis makes up."""

import inspect
from math import inf, isinf

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.testing import assert_allclose

import skgeom.metrics
from skgeom._core._labels import labels_of
from skgeom._core._registry import MEASURES, Cloud

NAMES = sorted(MEASURES)
INFINITE = {"spectrum_slope", "dunn_index", "riesz_energy", "koleo"}  # documented: one direction, no extent, twins
NOT_OF_A_CLOUD = {
    "alignment",
    "clip_loss",
    "collapse_bound",
    "isoscore_from_covariance",
    "paired_cosine",
    "retrieval_score",
}
NOT_SCALAR = {"angle_quantiles", "k_nearest", "silhouette_samples", "variance_explained"}
NOT_MEASURES = {"csls_scorer", "get_scorer", "get_scorer_names", "make_embedding_scorer", "recall_scorer"}
OF_HIGH_DIMENSIONS = {"hubness"}  # few dimensions have no hubs, however anisotropic: see test_neighbours
INVARIANCES = {"translation", "scaling", "rotation", "row scaling"}

BOUND_SLACK = {2: 1e-5, 4: 1e-5, 8: 1e-9}
RTOL = {4: 2e-4, 8: 1e-7}
FEW = settings(max_examples=50)


def with_invariance(invariance):
    return pytest.mark.parametrize("name", [name for name in NAMES if invariance in MEASURES[name].invariances])


every_measure = pytest.mark.parametrize("name", NAMES)


def value(name, x, labels):
    """Return what the public function says."""
    row = MEASURES[name]
    function = getattr(skgeom.metrics, name)
    return function(x, labels, **row.options) if row.needs_labels else function(x, **row.options)


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
    if kind == "outlier":
        return np.vstack([1e3 * np.ones((1, d)), rng.normal(size=(n - 1, d))])
    return np.eye(n, d) - np.eye(n, d, -d)


KINDS = ["gaussian", "integer", "low rank", "repeated", "constant", "outlier", "axes"]


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
    rtol = RTOL[itemsize] * (100 if name == "spectrum_slope" else 1)
    assert_allclose(moved, still, rtol=rtol, atol=rtol)


@every_measure
@settings(max_examples=120)
@given(cloud=clouds())
def test_values_are_finite_and_within_their_bounds(name, cloud):
    x, labels = cloud
    v = value(name, x, labels)
    low, high = MEASURES[name].bounds(*x.shape)
    slack = BOUND_SLACK[x.itemsize] * (1 if isinf(high) else max(1, high))
    assert np.all(np.isfinite(v)) or (name in INFINITE and v == inf)
    assert np.all((v >= low - slack) & (v <= high + slack))


@every_measure
@FEW
@given(cloud=clouds(offsets=(0, 1)), exponent=st.integers(-30, 30), wide=st.booleans())
def test_values_stay_within_their_bounds_at_extreme_scales(name, cloud, exponent, wide):
    x, labels = cloud
    scale = np.float64(10.0 ** (exponent * 140 / 30)) if wide else np.float32(10.0**exponent)
    x = x.astype(scale.dtype) / max(1, np.abs(x).max()) * scale
    v = value(name, x, labels)
    low, high = MEASURES[name].bounds(*x.shape)
    assert np.all(np.isfinite(v)) or (name in INFINITE and v == inf)
    assert np.all((v >= low - 1e-5) & (v <= high + 1e-5 * max(1, x.shape[1])))


@every_measure
@FEW
@given(cloud=clouds())
def test_the_kernel_of_the_row_is_the_public_function(name, cloud):
    x, labels = cloud
    x = x.astype(np.float32) if x.itemsize == 2 else x
    kernel = MEASURES[name](Cloud(x, labels_of(np.unique(labels, return_inverse=True)[1])))
    assert_allclose(np.mean(value(name, x, labels)), kernel, rtol=1e-9 if x.itemsize == 8 else 1e-5, atol=1e-6)


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
    still, moved = value(name, x, labels), value(name, x[order], labels[order])
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


@pytest.mark.parametrize("name", [name for name in NAMES if MEASURES[name].needs_labels])
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
    assert row.invariances <= INVARIANCES
    assert row.cost.startswith("O(n")
    assert any(mark in row.source for mark in ("arXiv:", "doi:", "EUSIPCO", "ICLR", "JMLR"))


def test_every_row_is_public_and_every_public_measure_of_a_cloud_has_a_row():
    public = {n for n in skgeom.metrics.__all__ if inspect.isfunction(getattr(skgeom.metrics, n))}
    others = NOT_OF_A_CLOUD | NOT_SCALAR | NOT_MEASURES | {"conformity_estimate"}
    assert others <= public
    assert public - others == set(MEASURES)


@every_measure
def test_options_of_a_row_are_arguments_of_the_function(name):
    parameters = inspect.signature(getattr(skgeom.metrics, name)).parameters
    assert set(MEASURES[name].options) <= set(parameters)
    assert ("labels" in parameters) == MEASURES[name].needs_labels


@pytest.mark.parametrize("name", [n for n in NAMES if MEASURES[n].direction and n not in OF_HIGH_DIMENSIONS])
def test_the_direction_points_from_worse_to_better(name):
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 60)
    good = rng.normal(size=(180, 4)) + 20 * np.eye(3, 4)[labels] * MEASURES[name].needs_labels
    bad = rng.normal(size=(180, 4)) * [1, 0.1, 0.1, 0.1] + [3, 0, 0, 0]
    difference = value(name, good, labels) - value(name, bad, labels)
    assert MEASURES[name].direction * difference > 0
