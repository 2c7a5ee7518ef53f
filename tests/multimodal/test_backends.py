"""One answer from every array library and device, in the library and on the device of the input."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import skgeom.multimodal as multimodal
from skgeom._array import same_kind, to_numpy

RTOL = {"float32": 2e-5, "float64": 1e-10}
ARRAYS = {
    "slerp": lambda x, y: multimodal.slerp(x, y, 0.3),
    "slerp[vector, steps]": lambda x, y: multimodal.slerp(x[0, :], y[0, :], [0.3, 0.7]),
    "vslerp": lambda x, y: multimodal.vslerp(x, y, [0.3], x[0, :], 0.5),
    "vslerp[alphas]": lambda x, y: multimodal.vslerp(x, y, [0.3, 0.7], x[0, :], [0.0, 0.5, 0.7]),
}
PLACED = ["cosine", "dot", "distance"]


def clouds():
    """Return paired rows that float16 would hold."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 6)) + 1
    return np.round(x * 64) / 64, np.round((0.8 * x + rng.normal(size=x.shape) - 0.5) * 64) / 64


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_agree_and_stay_where_the_input_is(backend, name, dtype):
    x, y = clouds()
    given = backend.asarray(x, dtype)
    found = ARRAYS[name](given, backend.asarray(y, dtype))
    assert same_kind(found, given)
    assert found.dtype == given.dtype
    assert_allclose(to_numpy(found), ARRAYS[name](x, y), rtol=RTOL[dtype], atol=RTOL[dtype])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_loss_along_the_offset_agrees_on_the_host(backend, dtype):
    x, y = clouds()
    alphas = backend.asarray([-0.5, 0.0, 0.5])
    found = multimodal.loss_along_offset(
        backend.asarray(x, dtype), backend.asarray(y, dtype), alphas, temperature=0.1, batch_size=16
    )
    assert type(found) is np.ndarray
    expected = multimodal.loss_along_offset(x, y, [-0.5, 0, 0.5], temperature=0.1, batch_size=16)
    assert_allclose(found, expected, rtol=RTOL[dtype])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("move", ["X", "both"])
def test_the_divergence_along_the_offset_agrees_on_the_host(backend, move, dtype):
    x, y = (z.astype(dtype) for z in clouds())
    alphas = backend.asarray([-0.5, 0.0, 0.25])
    found = multimodal.divergence_along_offset(backend.asarray(x), backend.asarray(y), alphas, move=move)
    assert type(found) is np.ndarray
    expected = multimodal.divergence_along_offset(x, y, [-0.5, 0, 0.25], move=move)
    assert_allclose(found, expected, rtol=RTOL[dtype])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("logits", PLACED)
def test_the_classifier_agrees(backend, logits, dtype):
    x, y = clouds()
    labels = np.arange(40) % 3
    expected = multimodal.ZeroShotClassifier(logits=logits, temperature=1.0).fit(y, labels)
    given = backend.asarray(x, dtype)
    found = multimodal.ZeroShotClassifier(logits=logits, temperature=1.0)
    found.fit(backend.asarray(y, dtype), backend.asarray(labels))
    assert type(found.predict(given)) is np.ndarray
    assert found.classes_.tolist() == [0, 1, 2]
    assert_allclose(found.predict(given), expected.predict(x))
    assert found.score(given, backend.asarray(labels)) == expected.score(x, labels)
    for method in ("decision_function", "predict_proba"):
        values = getattr(found, method)(given)
        assert same_kind(values, given)
        assert values.dtype == given.dtype
        assert_allclose(to_numpy(values), getattr(expected, method)(x), rtol=1e-4 if dtype == "float32" else 1e-10)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_shift_agrees(backend, dtype):
    x, y = clouds()
    both, groups = np.vstack([x, y]), np.repeat(["image", "text"], 40)
    given = backend.asarray(both, dtype)
    shift = multimodal.GapShift(0.7).fit(given, groups=groups)
    found = shift.transform(given, groups=groups)
    assert same_kind(found, given)
    assert same_kind(shift.gap_, given)
    assert found.dtype == given.dtype
    expected = multimodal.GapShift(0.7).fit_transform(both, groups=groups)
    assert_allclose(to_numpy(found), expected, rtol=RTOL[dtype], atol=RTOL[dtype])


def test_the_shift_computes_on_the_device_asked_for(fake_accelerator):
    x, y = clouds()
    both, groups = np.vstack([x, y]), np.repeat(["image", "text"], 40)
    shift = multimodal.GapShift(0.7, device="cuda")
    assert type(shift.fit_transform(both, groups=groups)) is np.ndarray
    assert type(shift.gap_) is np.ndarray
    expected = multimodal.GapShift(0.7).fit_transform(both, groups=groups)
    assert_allclose(shift.transform(both, groups=groups), expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(40, 6), (6, 9)])
def test_the_double_ellipsoid_agrees(backend, shape, dtype):
    x, y = np.random.default_rng(0).normal(size=(2, *shape)) + 1
    x, y = x.astype(dtype), y.astype(dtype)
    expected = multimodal.double_ellipsoid(x, y, temperature=0.1)
    given = backend.asarray(x)
    found = multimodal.double_ellipsoid(given, backend.asarray(y), temperature=0.1)
    for name in ("means", "unit_means", "variances", "separation"):
        assert same_kind(getattr(found, name), given)
        assert_allclose(to_numpy(getattr(found, name)), getattr(expected, name), rtol=RTOL[dtype], atol=RTOL[dtype])
    assert same_kind(found.score_samples(given), given)
    assert_allclose(found.losses, expected.losses, rtol=1e-4 if dtype == "float32" else 1e-10)
    for p, q in zip(found.properties, expected.properties, strict=True):
        assert p.holds == q.holds
        for key, value in p.statistics.items():
            assert_allclose(value, q.statistics[key], rtol=1e-3 if dtype == "float32" else 1e-8, atol=1e-6)


@pytest.mark.parametrize("name", [*ARRAYS, "loss_along_offset", "divergence_along_offset", "double_ellipsoid"])
def test_two_libraries_do_not_mix(name):
    torch = pytest.importorskip("torch")
    x, y = clouds()
    calls = {
        "loss_along_offset": lambda a, b: multimodal.loss_along_offset(a, b, 0.0),
        "divergence_along_offset": lambda a, b: multimodal.divergence_along_offset(a, b, 0.0),
        "double_ellipsoid": multimodal.double_ellipsoid,
    }
    with pytest.raises(ValueError, match="must use the same namespace and device"):
        {**ARRAYS, **calls}[name](x, torch.tensor(y))


def test_queries_of_another_library_than_the_class_embeddings_are_refused():
    torch = pytest.importorskip("torch")
    x, y = clouds()
    classifier = multimodal.ZeroShotClassifier().fit(x[:2], ["a", "b"])
    with pytest.raises(ValueError, match="X and the class embeddings must use the same namespace"):
        classifier.predict(torch.tensor(y))


@pytest.mark.parametrize("name", ARRAYS)
def test_tensors_with_gradients_are_read_and_left_alone(name):
    torch = pytest.importorskip("torch")
    x, y = clouds()
    tensors = [torch.tensor(z, requires_grad=True) for z in (x, y)]
    found = ARRAYS[name](*tensors)
    expected = ARRAYS[name](x, y)
    assert_allclose(found.detach().numpy(), expected, rtol=1e-9)
    assert all(t.grad is None and t.is_leaf for t in tensors)


def test_estimators_read_tensors_with_gradients():
    torch = pytest.importorskip("torch")
    x, y = (torch.tensor(z, requires_grad=True) for z in clouds())
    multimodal.double_ellipsoid(x, y, temperature=0.1).score_samples(x)
    classifier = multimodal.ZeroShotClassifier().fit(y[:3, :], ["a", "b", "c"])
    assert classifier.predict(x).shape == (40,)
    multimodal.GapShift().fit_transform(x, groups=[0] * 20 + [1] * 20)


def test_halves_of_torch_are_widened():
    torch = pytest.importorskip("torch")
    x, y = clouds()
    half = [torch.tensor(z).to(torch.float16) for z in (x, y)]
    found = multimodal.slerp(*half, 0.5)
    assert found.dtype == torch.float32
    assert_allclose(found, multimodal.slerp(x, y, 0.5), rtol=1e-5)
