"""One answer from every array library and device, in the library and on the device of the input, with its gradient."""

import subprocess
import sys

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_allclose

import skgeom.metrics as metrics
from skgeom._array import is_foreign, namespace, same_kind, to_float, to_numpy
from skgeom.metrics._measure import MEASURES

RTOL = {"float32": 1e-5, "float64": 1e-10}


def others(row, x, labels):
    """Return what a measure takes besides the rows; other rows are the same in another order."""
    flipped = namespace(x).flip(x, axis=0)
    return row.besides(labels=labels, partners=flipped, start=flipped)


def seeded(row):
    return {"random_state": 0} if row.is_random else {}


ARRAYS = {
    "silhouette_samples": lambda x, y: metrics.silhouette_samples(x, y),
    "silhouette_samples[sqeuclidean]": lambda x, y: metrics.silhouette_samples(x, y, metric="sqeuclidean"),
    "silhouette_samples[cosine]": lambda x, y: metrics.silhouette_samples(x, y, metric="cosine"),
    "silhouette_terms": lambda x, y: metrics.silhouette_terms(x, y).separation,
    "silhouette_terms[cosine]": lambda x, y: metrics.silhouette_terms(x, y, metric="cosine").cohesion,
    "conformity": lambda x, y: metrics.conformity(x),
    "conformity[reference]": lambda x, y: metrics.conformity(x, x[:9, :]),
    "conformity_estimate": lambda x, y: metrics.conformity_estimate(x).cosine,
    "pair_cosines[matching]": lambda x, y: metrics.pair_cosines(x[:20, :], x[20:40, :]).matching,
    "pair_cosines[other]": lambda x, y: metrics.pair_cosines(x, labels=y, n_pairs=99, random_state=0).other,
    "coordinate_std": lambda x, y: metrics.coordinate_std(x),
    "variance_explained": lambda x, y: metrics.variance_explained(x),
    "angle_quantiles": lambda x, y: metrics.angle_quantiles(x, [0.1, 0.9]),
}
SCALARS = {
    **{
        name: lambda x, y, row=row: row.function(x, *others(row, x, y), **row.options, **seeded(row))
        for name, row in MEASURES.items()
        if not row.per_row
    },
    "isoscore[debias]": lambda x, y: metrics.isoscore(x, debias=True),
    "isoscore_star[covariance]": lambda x, y: metrics.isoscore_star(x, x[:6, :].T @ x[:6, :], zeta=0.3),
    "isoscore_from_covariance": lambda x, y: metrics.isoscore_from_covariance(x.T @ x),
    "partition_isotropy[random]": lambda x, y: metrics.partition_isotropy(x, directions="random", random_state=0),
    "partition_isotropy[mean]": lambda x, y: metrics.partition_isotropy(x, signs="mean"),
    "partition_isotropy[own]": lambda x, y: metrics.partition_isotropy(x, directions=x[:4, :]),
    "silhouette_score[cosine]": lambda x, y: metrics.silhouette_score(x, y, metric="cosine"),
    "davies_bouldin_score[geodesic]": lambda x, y: metrics.davies_bouldin_score(x, y, metric="geodesic"),
    "davies_bouldin_score[poincare]": lambda x, y: metrics.davies_bouldin_score(x / 64, y, metric="poincare"),
    "angle_quantiles": lambda x, y: metrics.angle_quantiles(x, 0.1),
    "kernel_energy[geodesic]": lambda x, y: metrics.kernel_energy(x, distance="geodesic"),
    "kernel_energy[laplace]": lambda x, y: metrics.kernel_energy(x, kernel="laplace"),
    "kernel_energy[laplace, geodesic]": lambda x, y: metrics.kernel_energy(x, kernel="laplace", distance="geodesic"),
    "riesz_energy[0]": lambda x, y: metrics.riesz_energy(x, s=0),
    "riesz_energy[-1, geodesic]": lambda x, y: metrics.riesz_energy(x, s=-1, distance="geodesic"),
    "pair_distance_ratio[pooled]": lambda x, y: metrics.pair_distance_ratio(x[:30, :], x[5:35, :], reference="pooled"),
    "conformity_divergence[histogram]": lambda x, y: metrics.conformity_divergence(
        x[:20, :], x[20:, :], method="histogram", bins=4
    ),
    "conformity_divergence[reference]": lambda x, y: metrics.conformity_divergence(
        x[:20, :], x[20:, :], reference=x[:7, :]
    ),
    "clip_loss[warm]": lambda x, y: metrics.clip_loss(x[:30, :], x[5:35, :], temperature=0.1),
    "isoscore[iterator]": lambda x, y: metrics.isoscore(iter([x[:30, :], x[30:, :]])),
}


def cloud(shape=(90, 6)):
    """Return rows that float16 would hold, and labels."""
    rng = default_rng(0)
    labels = rng.integers(0, 4, shape[0])
    x = rng.normal(size=shape) * np.linspace(1, 0.3, shape[1]) + rng.normal(size=(4, shape[1]))[labels] + 0.5
    return np.round(x * 64) / 64, labels


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(90, 6), (40, 70)])
@pytest.mark.parametrize("name", SCALARS)
def test_scalars_agree_and_leave_as_the_input_came(backend, name, shape, dtype):
    x, labels = cloud(shape)
    given = backend.asarray(x, dtype)
    found = SCALARS[name](given, labels)
    if is_foreign(given):
        assert same_kind(found, given)
        assert found.shape == ()
        assert found.dtype == backend.xp.float64
    else:
        assert type(found) is float
    assert_allclose(to_float(found), SCALARS[name](x, labels), rtol=RTOL[dtype], atol=RTOL[dtype])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(90, 6), (40, 70)])
@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_agree_and_stay_where_the_input_is(backend, name, shape, dtype):
    x, labels = cloud(shape)
    given = backend.asarray(x, dtype)
    found = ARRAYS[name](given, labels)
    assert same_kind(found, given)
    assert_allclose(to_numpy(found), ARRAYS[name](x, labels), rtol=RTOL[dtype], atol=RTOL[dtype])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtypes_are_the_documented_ones(backend, dtype):
    x, labels = cloud()
    given = backend.asarray(x, dtype)
    own, double = getattr(backend.xp, dtype), backend.xp.float64
    for name, f in ARRAYS.items():
        assert f(given, labels).dtype == (own if name.startswith("conformity") else double), name


@pytest.mark.parametrize("name", [name for name, row in MEASURES.items() if row.needs == "labels"])
def test_labels_may_live_anywhere(backend, name):
    x, labels = cloud()
    measure = MEASURES[name]
    for given in (backend.asarray(labels), labels.tolist()):
        assert_allclose(to_float(measure(backend.asarray(x), given)), measure(x, labels), rtol=1e-10)
        assert_allclose(measure(x, given), measure(x, labels), rtol=1e-10)


@pytest.mark.parametrize("dtype", ["int64", "int8", "bool"])
def test_whole_numbers_are_widened(backend, dtype):
    x = (cloud()[0] * 4).astype(dtype)
    assert_allclose(to_float(metrics.isoscore(backend.asarray(x))), metrics.isoscore(x.astype(float)), rtol=1e-12)


@pytest.mark.parametrize("name", ["isoscore", "average_cosine", "silhouette"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves_of_torch_are_widened(name, dtype):
    torch = pytest.importorskip("torch")
    x, labels = cloud()
    half = torch.tensor(x).to(getattr(torch, dtype))
    expected = SCALARS[name](to_numpy(half).astype(np.float64), labels)
    assert_allclose(SCALARS[name](half, labels), expected, rtol=1e-5)


def test_what_never_was_a_cloud_is_refused_on_every_library(backend):
    x = cloud()[0]
    bad = np.where(x > 1, np.nan, x)
    for spoiled, words in [
        (bad, "contains NaN"),
        (np.where(x > 1, -np.inf, x), "contains infinity"),
        (x[0], "Expected 2D array, got 1D"),
        (x[None], "3"),
        (x[:1], "1 sample"),
        (x[:, :0], "0 feature"),
        (x * 1j, "Complex data not supported"),
    ]:
        with pytest.raises(ValueError, match=words):
            metrics.isoscore(backend.asarray(spoiled))


def test_zero_rows_are_refused_on_every_library(backend):
    x = cloud()[0]
    x[3] = 0
    with pytest.raises(ValueError, match=r"1 zero row .*row 3"):
        metrics.average_cosine(backend.asarray(x))


def test_two_libraries_or_devices_are_not_mixed(backend):
    x = cloud()[0]
    given = backend.asarray(x)
    if isinstance(given, np.ndarray):
        pytest.skip("NumPy with NumPy is not a mix")
    with pytest.raises(ValueError, match="same namespace and device"):
        metrics.conformity(given, x)
    with pytest.raises(ValueError, match="same namespace and device"):
        metrics.partition_isotropy(given, directions=x[:2])
    with pytest.raises(ValueError, match="same namespace and device"):
        metrics.isoscore_star(given, np.eye(6), zeta=0.5)


@pytest.mark.parametrize("name", [name for name, row in MEASURES.items() if row.needs not in ("cloud", "labels")])
def test_two_clouds_of_two_libraries_do_not_mix(name):
    torch = pytest.importorskip("torch")
    x, _ = cloud()
    with pytest.raises(ValueError, match="must use the same namespace and device"):
        MEASURES[name](x, torch.tensor(x))


def test_strided_and_transposed_arrays_are_rows_too(backend):
    x, labels = cloud()
    wide = backend.asarray(np.repeat(x, 2, axis=1))
    tall = backend.asarray(np.ascontiguousarray(x.T))
    for name, f in SCALARS.items():
        for given in (wide[:, ::2], tall.T):
            assert_allclose(to_float(f(given, labels)), f(x, labels), rtol=1e-9, atol=1e-9, err_msg=name)


def test_sparse_tensors_are_refused_in_words():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        metrics.isoscore(torch.eye(4).to_sparse())


def test_the_dispatch_switch_of_scikit_learn_changes_nothing():
    pytest.importorskip("torch")
    code = (
        "import sklearn, torch, skgeom.metrics as m\n"
        "x = torch.arange(40.0).reshape(8, 5) ** 1.5\n"
        "with sklearn.config_context(array_api_dispatch=True):\n"
        "    assert type(m.conformity(x)) is torch.Tensor\n"
        "    assert m.isoscore(x) == m.isoscore(x.detach())\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"SCIPY_ARRAY_API": "1", "PATH": ""})


# Gradients


def central_differences(f, x, step=1e-6):
    gradient = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        for sign in (1, -1):
            moved = x.copy()
            moved[index] += sign * step
            gradient[index] += sign * f(moved) / (2 * step)
    return gradient


@pytest.mark.parametrize("name", [name for name, row in MEASURES.items() if row.differentiable])
@pytest.mark.parametrize("shape", [(24, 3), (8, 12)])
def test_gradients_survive_every_measure(name, shape):
    torch = pytest.importorskip("torch")
    x, labels = cloud(shape)
    x = x + 1e-3 * default_rng(1).normal(size=shape)  # no two distances tie
    row = MEASURES[name]
    y = np.roll(x, 1, axis=0) + 0.1

    def value(rows, partner):
        given = row.besides(labels=labels, partners=partner, start=partner)
        return row(rows, *given, **seeded(row))

    tensor = torch.tensor(x, requires_grad=True)
    value(tensor, torch.tensor(y)).backward()
    expected = central_differences(lambda rows: value(rows, y), x)
    assert_allclose(tensor.grad.numpy(), expected, rtol=1e-4, atol=1e-7 * max(1, np.abs(expected).max()))


def test_gradients_survive_the_silhouette_from_class_sums():
    torch = pytest.importorskip("torch")
    x, labels = cloud((24, 3))
    tensor = torch.tensor(x, requires_grad=True)
    metrics.silhouette_score(tensor, labels, metric="sqeuclidean").backward()
    expected = central_differences(lambda rows: metrics.silhouette_score(rows, labels, metric="sqeuclidean"), x)
    assert_allclose(tensor.grad.numpy(), expected, rtol=1e-4, atol=1e-8)


def test_the_gradient_of_isoscore_is_finite_at_isotropy():
    torch = pytest.importorskip("torch")
    x = torch.tensor(np.vstack([np.eye(5), -np.eye(5)]), requires_grad=True)
    metrics.isoscore(x).backward()
    assert_allclose(x.grad.numpy(), 0, atol=1e-12)


def test_no_gradient_is_kept_where_none_is_asked_for():
    torch = pytest.importorskip("torch")
    x, labels = cloud()
    tensor = torch.tensor(x, requires_grad=True)
    for name, f in SCALARS.items():
        with torch.no_grad():
            found = f(tensor, labels)
        assert not found.requires_grad, name
        assert_allclose(found, f(x, labels), rtol=1e-9, atol=1e-9, err_msg=name)
    assert tensor.grad is None
    assert tensor.is_leaf
