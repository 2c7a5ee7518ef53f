"""Every transformer gives the same numbers in every array library, and leaves the array where it was."""

import pickle

import array_api_compat
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skgeom._array import to_numpy
from skgeom.preprocessing import (
    AllButTheTop,
    GroupAllButTheTop,
    GroupCentering,
    GroupWhitening,
    TangentSpace,
    Whitening,
)

TRANSFORMERS = [
    Whitening(),
    Whitening(3, method="zca", power=0.5),
    Whitening(method="pca-cor", shrinkage="oas"),
    Whitening(method="zca-cor", shrinkage="ledoit_wolf"),
    Whitening(method="cholesky", normalize=True),
    AllButTheTop(2),
    AllButTheTop(2, projection="raw"),
    GroupCentering(),
    GroupWhitening(),
    GroupAllButTheTop(2),
]
TALL, WIDE = (200, 8), (6, 20)


def planted(shape):
    rng = np.random.default_rng(0)
    return rng.normal(size=shape) * np.linspace(3, 1, shape[1]) + 5


def arguments(transformer, n):
    grouped = isinstance(transformer, GroupCentering | GroupWhitening | GroupAllButTheTop)
    return {"groups": np.arange(n) % 2} if grouped else {}


@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=repr)
@pytest.mark.parametrize("shape", [TALL, WIDE])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.filterwarnings("ignore:.*rows are few")
def test_numbers_library_device_and_dtype_are_kept(transformer, shape, dtype, backend):
    x = planted(shape).astype(dtype)
    groups = arguments(transformer, len(x))
    expected = transformer.fit(x.astype("float64"), **groups).transform(x.astype("float64"), **groups)
    theirs = backend.asarray(x)
    z = transformer.fit(theirs, **groups).transform(theirs, **groups)
    assert array_api_compat.device(z) == array_api_compat.device(theirs)
    assert z.dtype == theirs.dtype
    np.testing.assert_allclose(to_numpy(z), expected, atol=1e-9 if dtype == "float64" else 2e-3)


@pytest.mark.parametrize("transformer", [Whitening(), Whitening(method="zca"), GroupWhitening()], ids=repr)
def test_log_density_and_inverse_follow_the_array(transformer, backend):
    x = backend.asarray(planted(TALL))
    fitted = transformer.fit(x, **{name: np.zeros(x.shape[0]) for name in arguments(transformer, x.shape[0])})
    whitening = fitted if isinstance(fitted, Whitening) else fitted.whitenings_[0]
    expected = Whitening().fit(planted(TALL)).score_samples(planted(TALL))
    np.testing.assert_allclose(to_numpy(whitening.score_samples(x)), expected, rtol=1e-9)
    np.testing.assert_allclose(to_numpy(whitening.inverse_transform(whitening.transform(x))), planted(TALL), atol=1e-9)


@pytest.mark.parametrize("transformer", [Whitening(), Whitening(shrinkage="ledoit_wolf"), AllButTheTop(2)], ids=repr)
def test_partial_fit_follows_the_array(transformer, backend):
    x = backend.asarray(planted(TALL))
    expected = transformer.fit(planted(TALL)).transform(planted(TALL))
    parts = type(transformer)(**transformer.get_params()).partial_fit(x[:50, :]).partial_fit(x[50:, :])
    np.testing.assert_allclose(to_numpy(parts.transform(x)), expected, atol=1e-9)


@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=repr)
def test_with_a_device_host_data_come_back_as_numpy(transformer, fake_accelerator):
    x = planted(TALL)
    groups = arguments(transformer, len(x))
    expected = transformer.fit(x, **groups).transform(x, **groups)
    there = type(transformer)(**{**transformer.get_params(), "device": "cuda"}).fit(x, **groups)
    z = pickle.loads(pickle.dumps(there)).transform(x, **groups)
    assert isinstance(z, np.ndarray)
    assert not [
        v for v in vars(there).values() if array_api_compat.is_array_api_obj(v) and not isinstance(v, np.ndarray)
    ]
    np.testing.assert_allclose(z, expected, atol=1e-10)


@pytest.mark.parametrize("transformer", [Whitening(4), AllButTheTop(2), Whitening(shrinkage="ledoit_wolf")], ids=repr)
def test_partial_fit_and_queries_work_on_a_device(transformer, fake_accelerator):
    x = planted(TALL)
    there = type(transformer)(**{**transformer.get_params(), "device": "cuda:1"})
    there.partial_fit(x[:50]).partial_fit(x[50:])
    np.testing.assert_allclose(there.transform(x), transformer.fit(x).transform(x), atol=1e-9)
    if isinstance(transformer, Whitening):
        np.testing.assert_allclose(there.score_samples(x), transformer.score_samples(x), rtol=1e-9)
        np.testing.assert_allclose(
            there.inverse_transform(there.transform(x)),
            transformer.inverse_transform(transformer.transform(x)),
            atol=1e-9,
        )


def test_a_search_over_a_plain_pipeline_computes_on_the_device(fake_accelerator):
    x, y = planted(TALL), np.arange(200) % 2
    scores = [
        GridSearchCV(
            make_pipeline(Whitening(device=d), LogisticRegression()), {"whitening__n_components": [2, 4]}, cv=3
        )
        .fit(x, y)
        .cv_results_["mean_test_score"]
        for d in (None, "cuda")
    ]
    np.testing.assert_allclose(*scores)


def test_a_device_is_for_host_data():
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError, match="device='cpu' is for data on the host, but X is an array of torch on cpu"):
        Whitening(device="cpu").fit(torch.ones(3, 2))
    for fitted in (transformer(device="cpu").fit(planted(TALL)) for transformer in (Whitening, TangentSpace)):
        rows = torch.asarray(fitted.transform(planted(TALL)))
        with pytest.raises(ValueError, match="device='cpu' is for data on the host, but X is an array of torch on cpu"):
            fitted.inverse_transform(rows)


@pytest.mark.parametrize("method", ["transform", "inverse_transform", "score_samples"])
def test_the_error_for_another_library_names_the_method(method):
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError, match=rf"passed to Whitening\.{method}\(\) must use the same namespace"):
        getattr(Whitening().fit(planted(TALL)), method)(torch.asarray(planted(TALL)))


@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=repr)
def test_another_library_than_at_fit_is_refused(transformer):
    torch = pytest.importorskip("torch")
    x = planted(TALL)
    groups = arguments(transformer, len(x))
    with pytest.raises(ValueError, match="must use the same namespace"):
        transformer.fit(x, **groups).transform(torch.asarray(x), **groups)


@pytest.mark.gpu
@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=repr)
def test_a_real_gpu_gives_the_numbers_of_the_host(transformer):
    from skgeom._array import find_accelerator

    if find_accelerator("cuda") is None:
        pytest.skip("needs a CUDA device and CuPy or Torch built for it")
    x = planted(TALL)
    groups = arguments(transformer, len(x))
    expected = transformer.fit(x, **groups).transform(x, **groups)
    there = type(transformer)(**{**transformer.get_params(), "device": "cuda"}).fit(x, **groups)
    np.testing.assert_allclose(there.transform(x, **groups), expected, atol=1e-9)
