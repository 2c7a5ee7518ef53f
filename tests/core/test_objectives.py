"""Objectives of classes, spectra and triplets: naive loops, published values, gradients, degenerate clouds."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import default_rng
from numpy.testing import assert_allclose

from skgeom._array import asarray_like, namespace, same_kind, to_numpy
from skgeom._core import _objectives as o
from skgeom._core._labels import labels_of
from skgeom._core._rows import DirectedRows, norms
from skgeom._core.sums import _spectrum
from skgeom._core.sums._moments import moments


def reference():
    """Return the rows, labels and class directions of the reference values: class 3 has one row."""
    rng = default_rng(4)
    x, y = rng.normal(size=(30, 4)), rng.integers(0, 3, 30)
    y[0] = 3
    return x, y, rng.normal(size=(4, 4))


def of_labels(y):
    """Return every objective of x, given labels that may span any number of classes."""
    labels = labels_of(np.unique(y, return_inverse=True)[1])
    return {
        "silhouette": lambda x: o.silhouette_objective(x, labels),
        "classifier": lambda x: o.classifier_objective(x, labels, None),
        "triplet": lambda x: o.triplet_objective(x, labels),
        "triplet bound": lambda x: o.triplet_bound(x, labels),
        "isotropy": o.isotropy_objective,
        "isoscore": o.isoscore,
        "isoscore*": lambda x: o.isoscore_star(x, None, 0.3),
        "isoscore* of a target": lambda x: o.isoscore_star(x, like(target(x.shape[1]), x), 0.3),
        "cosine regularizer": lambda x: o.cosine_regularizer(DirectedRows(x, norms(x))),
        "retention": lambda x: o.retention(x, like(default_rng(9).normal(size=tuple(x.shape)), x)),
    }


def like(values, x):
    """Return host values where x is, in float64."""
    return asarray_like(values, x, dtype=namespace(x).float64)


def target(d):
    a = default_rng(3).normal(size=(d, d))
    return a @ a.T / d


NAMES = list(of_labels([0, 1]))
SPECTRAL = [name for name in NAMES if "iso" in name]


def distances(x):
    return np.linalg.norm(x[:, None] - x[None], axis=2)


def naive_triplets(x, y):
    """Return the triplet objective and its bound, triplet by triplet."""
    d, n = distances(x), len(x)
    differences = [
        d[a, p] - d[a, q]
        for a, p, q in itertools.product(range(n), repeat=3)
        if p != a and y[p] == y[a] and y[q] != y[a]
    ]
    return -sum(max(part, 0) for part in differences), -sum(differences)


def naive_classifier(x, y, c):
    classes = np.unique(y).tolist()
    return sum(
        (1 if y[i] == k else -1) * (x[i] @ c[classes.index(k)]) for i, k in itertools.product(range(len(x)), classes)
    )


# Values


def test_the_objectives_of_the_paper_have_their_reference_values():
    x, y, _ = reference()
    f = of_labels(y)
    assert_allclose(f["silhouette"](x), 1972.9268581960896, rtol=1e-12)
    assert_allclose(f["triplet"](x), -2602.329822631693, rtol=1e-12)
    assert_allclose(of_labels(0 * y)["silhouette"](x), -6621.998944794565, rtol=1e-12)  # minus its pair sum of eq. 2


def test_the_silhouette_objective_is_a_signed_sum_of_squares():
    x, y, _ = reference()
    sign = np.where(y[:, None] == y, -1, 1)
    assert_allclose(of_labels(y)["silhouette"](x), np.sum(sign * distances(x) ** 2), rtol=1e-12)


def test_the_classifier_objective_is_a_signed_sum_of_products():
    x, y, c = reference()
    labels = labels_of(y)
    assert_allclose(o.classifier_objective(x, labels, c), naive_classifier(x, y, c), rtol=1e-12)
    means = np.stack([x[y == k].mean(axis=0) for k in range(4)])
    assert_allclose(o.classifier_objective(x, labels, None), naive_classifier(x, y, means), rtol=1e-12)


def test_the_classifier_objective_has_the_three_terms_of_the_paper():
    x, y, c = reference()
    sums = np.stack([x[y == k].sum(axis=0) for k in range(4)])
    three = -x.sum(axis=0) @ c.sum(axis=0) + 2 * np.sum(sums * c)
    assert_allclose(o.classifier_objective(x, labels_of(y), c), three, rtol=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_triplets_are_those_of_three_loops(seed, n_classes):
    rng = default_rng(seed)
    x, y = rng.integers(-2, 3, size=(12, 2)).astype(float), rng.integers(0, n_classes, 12)  # ties and duplicates
    f = of_labels(y)
    objective, bound = naive_triplets(x, y)
    assert_allclose(f["triplet"](x), objective, rtol=1e-12, atol=1e-12)
    assert_allclose(f["triplet bound"](x), bound, rtol=1e-12, atol=1e-12)
    assert float(f["triplet"](x)) <= float(f["triplet bound"](x)) + 1e-12


def test_the_bound_of_the_triplets_bounds_no_silhouette_objective():
    """The paper calls equation 5 a bound of the silhouette objective too: here it is not."""
    x, y = np.repeat(default_rng(0).normal(size=(20, 3)), 2, axis=0), np.repeat(np.arange(20), 2)
    x[1::2] += default_rng(1).normal(size=(20, 3))
    f = of_labels(y)
    assert f["triplet"](x) <= f["triplet bound"](x) < f["silhouette"](x)


def test_the_bound_has_the_signs_and_weights_of_the_paper():
    x, y, _ = reference()
    size = np.bincount(y)[y]
    weights = np.where(y[:, None] == y, size[:, None] - 30, size[:, None] - 1)
    assert_allclose(of_labels(y)["triplet bound"](x), np.sum(weights * distances(x)), rtol=1e-12)


def test_triplets_do_not_depend_on_the_blocks(monkeypatch):
    torch = pytest.importorskip("torch")
    x, y, _ = reference()
    found = []
    for block_bytes in (1, 8 * 30 * 3, 1 << 20):
        monkeypatch.setattr("skgeom._array.HOST_BLOCK_BYTES", block_bytes)
        for name in ("triplet", "triplet bound"):
            tensor = torch.tensor(x, requires_grad=True)
            value = of_labels(y)[name](tensor)
            value.backward()
            found.append(np.append(tensor.grad.numpy(), value.item()))
    assert_allclose(found, found[:2] * 3, rtol=1e-11, atol=1e-10)


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_change_nothing_but_rounding(threads, monkeypatch):
    torch = pytest.importorskip("torch")
    x, y, _ = reference()
    monkeypatch.setattr("skgeom._core._threads._blas_threads", lambda: threads)
    monkeypatch.setattr("skgeom._array.HOST_BLOCK_BYTES", 8 * 30)
    tensor = torch.tensor(x, requires_grad=True)
    value = of_labels(y)["triplet"](tensor)
    value.backward()
    assert_allclose(value.item(), -2602.329822631693, rtol=1e-12)
    expected = central_differences(of_labels(y)["triplet"], x)
    assert_allclose(tensor.grad.numpy(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(40, 6), (8, 12), (2, 3)])
def test_the_isotropy_objective_is_a_cosine_with_the_vector_of_ones(shape):
    x = default_rng(0).normal(size=shape) * np.linspace(1, 0.1, shape[1])
    variances = np.clip(np.linalg.eigvalsh(np.cov(x.T)), 0, None)
    cosine = variances.sum() / (math.sqrt(shape[1]) * np.linalg.norm(variances))
    assert_allclose(o.isotropy_objective(x), cosine, rtol=1e-12)
    assert_allclose((shape[1] * cosine**2 - 1) / (shape[1] - 1), o.isoscore(x), rtol=1e-10, atol=1e-12)


def test_a_long_axis_is_less_isotropic_though_its_pairs_are_farther_apart():
    """The paper's proportional form, the sum of squared distances, says the opposite."""
    x, y, _ = reference()
    pair_sum = of_labels(0 * y)["silhouette"]
    stretched = x * [10, 1, 1, 1]
    assert -pair_sum(stretched) > -pair_sum(x)
    assert o.isotropy_objective(stretched) < o.isotropy_objective(x)


@pytest.mark.parametrize("shape", [(40, 6), (8, 12)])
@pytest.mark.parametrize("zeta", [0.0, 0.3, 1.0])
def test_isoscores_are_the_measures(shape, zeta):
    x = default_rng(0).normal(size=shape) * np.linspace(1, 0.1, shape[1])
    m = moments(x)
    assert o.isoscore(x) == _spectrum.isoscore(m)
    assert o.isoscore_star(x, None, zeta) == _spectrum.isoscore_star(m, None, zeta)
    assert o.isoscore_star(x, target(shape[1]), zeta) == _spectrum.isoscore_star(m, target(shape[1]), zeta)


def test_the_cosine_regularizer_divides_by_the_square_of_n():
    x, _, _ = reference()
    u = x / norms(x)[:, None]
    assert_allclose(of_labels([0, 1])["cosine regularizer"](x), ((u @ u.T).sum() - 30) / 30**2, rtol=1e-12)


def test_retention_is_a_mean_squared_distance():
    x, y, _ = reference()
    start = default_rng(9).normal(size=x.shape)
    assert_allclose(of_labels(y)["retention"](x), np.mean(norms(x - start) ** 2), rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("dtype", "rtol"), [("float32", 1e-5), ("float64", 1e-12)])
def test_every_library_gives_one_answer(backend, name, dtype, rtol):
    x, y, _ = reference()
    x = x.astype("float32").astype(float)
    rows = backend.asarray(x, dtype)
    found = of_labels(y)[name](rows)
    assert same_kind(found, rows)
    assert found.shape == ()
    assert_allclose(to_numpy(found), of_labels(y)[name](x), rtol=rtol)


@pytest.mark.parametrize("name", ["silhouette", "triplet", "triplet bound", *SPECTRAL[:3]])
def test_an_offset_costs_no_digits(name):
    x, y, _ = reference()
    assert_allclose(of_labels(y)[name](x + 1e5), of_labels(y)[name]((x + 1e5) - 1e5), rtol=1e-9)


@pytest.mark.parametrize(("name", "power"), [("silhouette", 2), ("triplet", 1), ("triplet bound", 1), ("isoscore", 0)])
@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_values_scale_as_their_formulas(name, power, scale):
    x, y, _ = reference()
    assert_allclose(of_labels(y)[name](x * scale), of_labels(y)[name](x) * scale**power, rtol=1e-9)


# Degenerate clouds


def test_constant_rows_have_the_documented_values():
    x, y, _ = reference()
    constant = 0 * x + x[0]
    f = of_labels(y)
    for name in ("silhouette", "triplet", "triplet bound", "isotropy", "isoscore", "isoscore*"):
        assert f[name](constant) == 0, name
    assert_allclose(f["cosine regularizer"](constant), 1 - 1 / 30, rtol=1e-15)


def test_one_class_has_no_triplets_and_only_cohesion():
    x, y, _ = reference()
    f = of_labels(0 * y)
    assert f["triplet"](x) == f["triplet bound"](x) == 0
    assert_allclose(f["silhouette"](x), -np.sum(distances(x) ** 2), rtol=1e-12)


def test_classes_of_one_row_have_only_separation():
    x, _, _ = reference()
    f = of_labels(np.arange(30))
    assert f["triplet"](x) == f["triplet bound"](x) == 0
    assert_allclose(f["silhouette"](x), np.sum(distances(x) ** 2), rtol=1e-12)


def test_one_feature_is_isotropic_if_it_varies():
    x = np.arange(5.0)[:, None]
    assert o.isoscore(x) == o.isotropy_objective(x) == o.isoscore_star(x, None, 0.5) == 1


# Gradients


def central_differences(f, x, step=1e-6):
    gradient = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        for sign in (1, -1):
            moved = x.copy()
            moved[index] += sign * step
            gradient[index] += sign * float(f(moved)) / (2 * step)
    return gradient


def gradient_of(f, x, dtype="float64"):
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(x, dtype=getattr(torch, dtype), requires_grad=True)
    f(tensor).backward()
    return tensor.grad.numpy()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(14, 4), (5, 9)])
def test_gradients_are_finite_differences(name, shape):
    x, y = default_rng(0).normal(size=shape), np.arange(shape[0]) % 3
    f = of_labels(y)[name]
    expected = central_differences(f, x)
    assert_allclose(gradient_of(f, x), expected, rtol=1e-6, atol=1e-7 * np.abs(expected).max())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_float32_gradients_are_those_of_float64(name, offset):
    x, y = default_rng(0).normal(size=(40, 6)) + offset, np.arange(40) % 3
    x = x.astype("float32").astype(float)
    f = of_labels(y)[name]
    expected = gradient_of(f, x)
    tolerance = 1e-5 if offset == 0 or name in SPECTRAL else 1e-4
    assert_allclose(gradient_of(f, x, "float32"), expected, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("triplet")])
@pytest.mark.parametrize("shape", [(30, 4), (6, 9)])
def test_data_that_stay_tensors_have_the_same_gradients(name, shape, monkeypatch):
    """Tensors on a device, unlike those in host memory, are not read as NumPy views."""
    x, y = default_rng(0).normal(size=shape), np.arange(shape[0]) % 3
    f = of_labels(y)[name]
    expected = gradient_of(f, x)
    monkeypatch.setattr("skgeom._core._objectives.as_data", lambda x: x.detach())
    assert_allclose(gradient_of(f, x), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("triplet")])
def test_tensors_stay_with_torch_but_for_triplets(name, monkeypatch):
    """In a loop the pools of Torch and of NumPy's BLAS would stand in each other's way."""

    def refuse(x):
        raise AssertionError("a tensor was read as a NumPy view")

    monkeypatch.setattr("skgeom._core._objectives.as_data", refuse)
    x = default_rng(0).normal(size=(30, 4))
    assert np.isfinite(gradient_of(of_labels(np.arange(30) % 3)[name], x)).all()


def test_the_directions_of_the_classifier_learn_too():
    torch = pytest.importorskip("torch")
    x, y, c = reference()
    rows, directions = torch.tensor(x, dtype=torch.float32), torch.tensor(c, requires_grad=True)
    o.classifier_objective(rows, labels_of(y), directions).backward()
    expected = central_differences(lambda moved: o.classifier_objective(x, labels_of(y), moved), c)
    assert_allclose(directions.grad.numpy(), expected, rtol=1e-6)
    both = torch.tensor(x, requires_grad=True)
    o.classifier_objective(both, labels_of(y), directions).backward()
    expected = central_differences(lambda moved: o.classifier_objective(moved, labels_of(y), c), x)
    assert_allclose(both.grad.numpy(), expected, rtol=1e-6, atol=1e-8)


def test_the_closed_form_is_the_derivative_of_the_spectrum_itself():
    torch = pytest.importorskip("torch")
    for shape in ((40, 6), (8, 12)):
        tensor = torch.tensor(default_rng(0).normal(size=shape), requires_grad=True)
        _spectrum.isoscore(moments(tensor)).backward()
        assert_allclose(gradient_of(o.isoscore, tensor.detach().numpy()), tensor.grad.numpy(), rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("name", SPECTRAL[:3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_vanish_at_isotropy_and_without_spread(name, dtype):
    d = 5
    isotropic, simplex = np.vstack([np.eye(d), -np.eye(d)]), np.eye(d)[:, : d - 1] - 1 / d
    f = of_labels([0, 1])[name]
    for x in (isotropic, 7 + isotropic, np.ones((6, 3)), np.ones((3, 6))):
        assert_allclose(gradient_of(f, x, dtype), 0, atol=1e-6)
    assert np.isfinite(gradient_of(f, simplex, dtype)).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["twins", "twins of two classes", "antipodes", "all equal", "two rows", "one class"])
def test_gradients_are_finite_on_degenerate_clouds(name, kind):
    x = default_rng(0).normal(size=(10, 4))
    x = {
        "twins": np.repeat(x[:5], 2, axis=0),
        "twins of two classes": np.vstack([x[:5]] * 2),
        "antipodes": np.vstack([x[:5], -x[:5]]),
        "all equal": x[:1] + 0 * x,
        "two rows": x[:2],
    }.get(kind, x)
    y = np.zeros(10) if kind == "one class" else np.arange(x.shape[0]) // min(5, x.shape[0] // 2)
    for dtype in ("float32", "float64"):
        assert np.isfinite(gradient_of(of_labels(y)[name], x, dtype)).all()


@pytest.mark.parametrize("name", ["silhouette", "triplet", "triplet bound", *SPECTRAL])
def test_gradients_of_what_a_shift_does_not_change_sum_to_zero(name):
    x, y, _ = reference()
    gradient = gradient_of(of_labels(y)[name], x)
    assert_allclose(gradient.sum(axis=0), 0, atol=1e-10 * np.abs(gradient).max())


def test_a_step_along_the_gradient_separates_classes():
    x, y, _ = reference()
    for name in ("silhouette", "classifier", "triplet", "triplet bound"):
        f = of_labels(y)[name]
        gradient = gradient_of(f, x)
        assert f(x + 1e-3 * gradient / np.linalg.norm(gradient)) > f(x), name


def test_the_data_are_left_alone():
    torch = pytest.importorskip("torch")
    x, y, _ = reference()
    for name, f in of_labels(y).items():
        tensor = torch.tensor(x, requires_grad=True)
        f(tensor).backward()
        assert np.array_equal(tensor.detach().numpy(), x), name


def test_no_gradient_is_computed_where_none_is_recorded():
    torch = pytest.importorskip("torch")
    x, y, _ = reference()
    tensor = torch.tensor(x, requires_grad=True)
    with torch.no_grad():
        assert not any(f(tensor).requires_grad for f in of_labels(y).values())
