"""Devices by name and by array: what is computed is computed where the rows are, or on the GPU that was asked for."""

import inspect
import sys
import warnings
from collections import Counter
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import array_api_compat
import array_api_strict as strict
import numpy as np
import pytest
from array_api_strict._array_object import Array as StrictArray
from numpy.random import default_rng
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from skgeom import _array, comparison, metrics
from skgeom._cloud import Cloud
from skgeom._core.pairs import _neighbours, _tiles
from skgeom._core.sums._digits import digits_of, digits_of_each
from skgeom.alignment import CCAAligner, GeneralizedProcrustes, LstsqAligner, ProcrustesAligner
from skgeom.calibration import CosineCalibrator
from skgeom.comparison import neighbour_overlap
from skgeom.metrics import (
    _checks,
    alignment_loss,
    conformity,
    csls_scorer,
    davies_bouldin_score,
    estimate,
    isoscore,
    k_nearest,
    make_embedding_scorer,
    recall_scorer,
    silhouette_score,
)
from skgeom.metrics._measure import MEASURES
from skgeom.multimodal import (
    GapShift,
    ZeroShotClassifier,
    divergence_along_offset,
    double_ellipsoid,
    loss_along_offset,
)
from skgeom.optim import SphereDispersion
from skgeom.optim._movable import as_tensor
from skgeom.preprocessing import (
    AllButTheTop,
    GroupAllButTheTop,
    GroupCentering,
    GroupWhitening,
    TangentSpace,
    Whitening,
)
from skgeom.summary import cloud_summary


def rows(seed=0):
    return default_rng(seed).normal(size=(50, 4)) * [1, 2, 3, 4] + 1


class Gpu(strict.Device):
    """A device of array-api-strict that is used as one of CuPy: computing takes place on the one that is current."""

    current: ClassVar[list[int]] = [0]

    def __init__(self, index):
        super().__init__(f"device{index + 1}")
        self.id = index

    def __enter__(self):
        self.current.append(self.id)

    def __exit__(self, *_):
        self.current.pop()


@pytest.fixture
def two_gpus(monkeypatch):
    """Make the library believe that CuPy sees two GPUs, and return the devices that products were computed on.

    A product of arrays of a device that is not current fails.
    """
    cupy, used = ModuleType("cupy"), []
    cupy.ndarray, cupy.empty = type("ndarray", (), {}), strict.empty
    cupy.cuda = SimpleNamespace(
        Device=Gpu, is_available=lambda: True, runtime=SimpleNamespace(getDeviceCount=lambda: 2)
    )
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    product = StrictArray.__matmul__

    def product_here(self, other):
        used.append(self.device.id)
        assert self.device.id == Gpu.current[-1]
        return product(self, other)

    monkeypatch.setattr(StrictArray, "__matmul__", product_here)
    return used


@pytest.mark.parametrize(("device", "index"), [("cuda", 0), ("cuda:0", 0), ("cuda:1", 1), ("auto", 0)])
def test_an_estimator_computes_on_the_gpu_that_it_names(two_gpus, device, index):
    whitening = Whitening(device=device).fit(rows())
    z = whitening.transform(rows())
    assert_allclose(whitening.inverse_transform(z), rows())
    assert_allclose(z, Whitening().fit_transform(rows()))
    ProcrustesAligner(device=device).fit(rows(), rows(1)).predict(rows())
    GeneralizedProcrustes(device=device).fit([rows(), rows(1)]).transform(rows(), space=0)
    assert set(two_gpus) == {index}
    assert Gpu.current == [0]


def test_a_scorer_computes_on_the_gpu_that_it_names(two_gpus):
    pipeline = make_pipeline(Whitening(), Ridge()).fit(rows(), rows())
    scored = make_embedding_scorer("conformity", device="cuda:1")(pipeline, rows())
    assert scored == pytest.approx(make_embedding_scorer("conformity")(pipeline, rows()))
    assert set(two_gpus) == {1}


@pytest.mark.parametrize("make", [recall_scorer, csls_scorer])
def test_a_retrieval_scorer_computes_on_the_gpu_that_it_names(two_gpus, make):
    aligner = ProcrustesAligner().fit(rows(), rows(1))
    scorer = make(3, device="cuda:1")
    assert repr(scorer) == f"{make.__name__}(3, device='cuda:1')"
    assert scorer(aligner, rows(), rows(1)) == make(3)(aligner, rows(), rows(1))
    assert set(two_gpus) == {1}


@pytest.mark.parametrize("logits", ["cosine", "dot", "distance"])
@pytest.mark.parametrize("aligner", [None, ProcrustesAligner().fit(rows(), rows(1))])
def test_zero_shot_classification_computes_on_the_gpu_that_it_names(two_gpus, logits, aligner):
    there, here = (
        ZeroShotClassifier(logits=logits, aligner=aligner, device=d).fit(rows(1)[:9], list("abcabcabc"))
        for d in ("cuda:1", None)
    )
    for ask in ("decision_function", "predict_proba", "class_embeddings_"):
        found, expected = (getattr(classifier, ask) for classifier in (there, here))
        found, expected = (f(rows()) if callable(f) else f for f in (found, expected))
        assert type(found) is np.ndarray
        assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    assert list(there.predict(rows())) == list(here.predict(rows()))
    assert there.score(rows(), list("abcba") * 10) == here.score(rows(), list("abcba") * 10)
    assert set(two_gpus) == {1}
    if aligner is None:
        with pytest.raises(ValueError, match="device='cuda:1' is for data on the host"):
            there.predict(strict.asarray(rows()))


def test_a_double_ellipsoid_is_computed_on_the_gpu_that_is_named(two_gpus):
    there, here = (double_ellipsoid(rows(), rows(1), batch_size=10, device=d) for d in ("cuda:1", None))
    assert repr(there) == repr(here)
    for name, value in vars(there).items():
        assert type(value) is type(getattr(here, name))
        if isinstance(value, np.ndarray):
            assert_allclose(value, getattr(here, name), rtol=1e-9)
    assert_allclose(there.score_samples(rows()), here.score_samples(rows()))
    assert set(two_gpus) == {1}
    with pytest.raises(ValueError, match="device='cuda' is for data on the host"):
        double_ellipsoid(strict.asarray(rows()), strict.asarray(rows()), device="cuda")
    with pytest.raises(ValueError, match="device must be None"):
        double_ellipsoid(rows(), rows(), device="gpu")


def test_arrays_are_computed_where_they_are(two_gpus):
    x, y = (strict.asarray(rows(seed), device=Gpu(1)) for seed in (0, 1))
    assert float(isoscore(x)) == pytest.approx(isoscore(rows()))
    assert conformity(x).device == Gpu(1)
    assert Whitening().fit(x).transform(x).device == Gpu(1)
    GeneralizedProcrustes().fit([x, y])
    loss_along_offset(x, y, [0.0, 0.5])
    double_ellipsoid(x, y, batch_size=10).score_samples(x)
    assert set(two_gpus) == {1}
    assert Gpu.current == [0]


def test_a_call_that_fails_leaves_the_device_as_it_was(two_gpus):
    with pytest.raises(ValueError, match="no spread"):
        Whitening(device="cuda:1").fit(np.ones((5, 2)))
    assert Gpu.current == [0]


def test_a_gpu_that_cupy_does_not_see_is_refused(two_gpus):
    message = r"""device must name a GPU that CuPy sees, "cuda:0" to "cuda:1", got 'cuda:7': pass one of these"""
    with pytest.raises(RuntimeError, match=message):
        Whitening(device="cuda:7").fit(rows())
    with pytest.raises(RuntimeError, match=message):
        _array.place(rows(), "cuda:7")


@pytest.mark.parametrize("ask", [_array.place, as_tensor])
def test_a_gpu_that_torch_does_not_see_is_refused(ask, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(RuntimeError, match=r"""a GPU that Torch sees, "cuda:0", got 'cuda:1': pass one of these"""):
        ask(rows(), "cuda:1")


@pytest.mark.parametrize("device", ["cuda:", "cuda:x", "cuda:-1", "cuda:¹", "gpu", 0, 1.5, ["cuda"], ""])
def test_a_device_in_other_words_is_refused(two_gpus, device):
    with pytest.raises(ValueError, match='device must be None, "cpu", "cuda"'):
        Whitening(device=device).fit(rows())


# Measures on a device by name

OF_SUMS_ALONE = (
    "isoscore",
    "average_cosine",
    "effective_rank",
    "spherical_variance",
    "isotropy_defect",
    "spectrum_slope",
)


def given(row):
    """Return what a measure takes besides 50 rows, and its options."""
    return row.besides(labels=np.arange(50) % 3, partners=rows(1), start=rows(1)), (
        {"random_state": 0} if row.is_random else {}
    )


@pytest.mark.parametrize("name", MEASURES)
def test_a_measure_computes_on_the_device_that_it_is_given(two_gpus, name):
    row = MEASURES[name]
    besides, options = given(row)
    here = row.function(rows(), *besides, **row.options, **options)
    there = row.function(rows(), *besides, device="cuda:1", **row.options, **options)
    assert type(there) is type(here)
    assert_allclose(there, here, rtol=1e-9, atol=1e-9)
    assert set(two_gpus) <= {1}
    assert Gpu.current == [0]
    assert row.function(rows().tolist(), *besides, device="cpu", **row.options, **options) == pytest.approx(here)


SIDES = {
    metrics.angle_quantiles: (0.5,),
    metrics.conformity_estimate: (),
    metrics.coordinate_std: (),
    metrics.cosine_shares: (),
    metrics.k_nearest: (),
    metrics.mean_average_precision: (rows(1),),
    metrics.mixed_retrieval: (rows(1),),
    metrics.ndcg_at_k: (rows(1),),
    metrics.retrieval_score: (rows(1),),
    metrics.silhouette_samples: (np.arange(50) % 3,),
    metrics.silhouette_terms: (np.arange(50) % 3,),
    metrics.variance_explained: (),
    metrics.variance_shares: (),
    comparison.cka: (rows(1),),
    comparison.mean_squared_correlation: (rows(1),),
    comparison.neighbour_overlap: (rows(1),),
    comparison.shape_distance: (rows(1),),
}
"""Functions of rows that are not measures, with what they take besides."""


@pytest.mark.parametrize("function", SIDES, ids=lambda f: f.__name__)
def test_other_functions_of_rows_compute_on_the_device_that_they_are_given(two_gpus, function):
    here, there = (function(rows(), *SIDES[function], device=device) for device in (None, "cuda:1"))
    assert type(there) is type(here)
    for ours, expected in zip(*(v if isinstance(v, tuple) else (v,) for v in (there, here)), strict=True):
        assert type(ours) is type(expected)
        assert_allclose(ours, expected, rtol=1e-9, atol=1e-9)
    assert set(two_gpus) == (set() if function is metrics.coordinate_std else {1})  # it forms no product
    assert Gpu.current == [0]


@pytest.mark.usefixtures("two_gpus")
def test_pairs_of_rows_are_compared_on_the_device(monkeypatch):
    sent: list[str] = []
    monkeypatch.setattr(_checks, "place", lambda x, device: sent.append(device) or _array.place(x, device))
    pairs, y = default_rng(0).normal(size=(50, 2, 4)), np.arange(50)
    for function in (metrics.cosine_pearson, metrics.cosine_spearman):
        assert function(pairs, y, device="cuda:1") == pytest.approx(function(pairs, y))
    here, there = (metrics.pair_cosines(rows(), rows(1), random_state=0, device=d) for d in (None, "cuda:1"))
    assert_allclose(there[0], here[0])
    assert sent == ["cuda:1"] * 4


@pytest.mark.parametrize("function", [*(row.function for row in MEASURES.values()), *SIDES], ids=lambda f: f.__name__)
def test_the_device_stands_in_the_signature_and_in_the_docstring(function):
    assert inspect.signature(function).parameters["device"].default is None
    text = inspect.getdoc(function)
    assert text.index("\nParameters\n") < text.index("\ndevice : ") < text.index("\nReturns\n")


def test_blocks_and_partners_by_name_go_to_the_device(two_gpus):
    assert isoscore(iter([rows(), rows(1)]), device="cuda:1") == pytest.approx(isoscore(iter([rows(), rows(1)])))
    assert alignment_loss(Y=rows(1), X=rows(), device="cuda:1") == pytest.approx(alignment_loss(rows(), rows(1)))
    assert set(two_gpus) == {1}


def test_a_standard_error_is_found_on_the_device(two_gpus):
    there, here = (estimate("silhouette", rows(), np.arange(50) % 3, device=d) for d in ("cuda:1", None))
    assert_allclose(there[:2], here[:2])
    assert set(two_gpus) == {1}


@pytest.mark.parametrize(
    "X", [strict.asarray(rows()), Cloud(rows()), cloud_summary(rows())], ids=lambda x: type(x).__name__
)
def test_only_rows_on_the_host_are_sent_to_a_device(X):
    with pytest.raises(ValueError, match="device='cpu' is for"):
        isoscore(X, device="cpu")
    with pytest.raises(ValueError, match="device must be None"):
        isoscore(X, device="gpu")


def test_rows_stay_on_the_device_from_step_to_step(two_gpus):
    """Each refuses to be read from the host, and a product on another device fails."""
    x, y = (strict.asarray(rows(seed), device=Gpu(1)) for seed in (0, 1))
    steps = TangentSpace(), AllButTheTop(1), Whitening(2), ProcrustesAligner(allow_reflection=True)
    pipeline = make_pipeline(*steps).fit(x, y[:, :2])
    assert pipeline.predict(x).device == Gpu(1)
    here = make_pipeline(*map(clone, steps)).fit(rows(), rows(1)[:, :2])
    assert_allclose(_array.to_numpy(pipeline.predict(x)), here.predict(rows()), rtol=1e-8, atol=1e-8)
    scorer = make_embedding_scorer("conformity")
    assert scorer(pipeline, x) == pytest.approx(scorer(here, rows()))
    assert set(two_gpus) == {1}


# Rows for which a device has no room


class Room:
    """A GPU with room for some rows, and how many were to be put there, one number each time."""

    def __init__(self, rows):
        self.rows, self.asked = rows, []

    def take(self, shape, error):
        if len(shape) > 1:
            self.asked.append(shape[0])
            if shape[0] > self.rows:
                raise error


@pytest.fixture(params=["cupy", "torch"])
def room(request, monkeypatch):
    """Let a library see a GPU that has room for 10 rows."""
    room = Room(10)
    if request.param == "cupy":
        request.getfixturevalue("two_gpus")
        error, asarray = type("OutOfMemoryError", (MemoryError,), {}), strict.asarray
        sys.modules["cupy"].cuda.memory = SimpleNamespace(OutOfMemoryError=error)

        def bounded(values, **options):
            room.take(getattr(values, "shape", ()) if isinstance(values, np.ndarray) else (), error)
            return asarray(values, **options)

        monkeypatch.setattr(strict, "asarray", bounded)
        return room
    torch = pytest.importorskip("torch")
    empty = torch.empty

    def bounded(shape, *rest, **options):
        if "pin_memory" not in options and not isinstance(shape, int):
            room.take(shape, torch.cuda.OutOfMemoryError("CUDA out of memory."))
        return empty(shape, *rest, **options)

    monkeypatch.setattr(torch, "empty", bounded)
    found = array_api_compat.array_namespace(empty(0)), torch.device("cpu")
    monkeypatch.setattr(_array, "find_accelerator", lambda device: found)
    return room


def weights():
    return np.arange(50) % 3


@pytest.mark.parametrize(
    "estimator",
    [
        Whitening(),
        Whitening(2, method="zca-cor", shrinkage="ledoit_wolf"),
        AllButTheTop(1),
        ProcrustesAligner(center=True),
        LstsqAligner(alpha=0.1),
        CCAAligner(2),
    ],
    ids=repr,
)
def test_rows_that_do_not_fit_are_computed_in_parts(room, estimator):
    here = clone(estimator).fit(rows(), rows(1), sample_weight=weights())
    there = clone(estimator).set_params(device="cuda").fit(rows(), rows(1), sample_weight=weights())
    n = np.count_nonzero(weights())
    parts = [n, n // 2, n // 4]
    assert room.asked[:4] == [*parts, n // 4]
    assert sum(room.asked[2:]) >= n
    z = here.transform(rows())
    assert_allclose(there.transform(rows()), z, rtol=1e-9, atol=1e-9)
    out = np.zeros_like(z)
    assert there.transform_into(rows(), out) is out
    assert_allclose(out, z, rtol=1e-9, atol=1e-9)
    if hasattr(here, "inverse_transform"):
        assert_allclose(there.inverse_transform(z), here.inverse_transform(z), rtol=1e-9, atol=1e-9)
    assert_allclose(
        there.partial_fit(rows(2), rows(3)).transform(rows()),
        here.partial_fit(rows(2), rows(3)).transform(rows()),
        rtol=1e-8,
        atol=1e-8,
    )


@pytest.mark.parametrize("estimator", [GroupCentering(), GroupWhitening(2, method="pca"), GapShift()], ids=repr)
def test_groups_that_do_not_fit_are_mapped_in_parts(room, estimator):
    groups = weights() % 2
    room.rows = 50
    here, there = (clone(estimator).set_params(device=d).fit(rows(), groups=groups) for d in (None, "cuda"))
    room.rows = 10
    assert_allclose(there.transform(rows(), groups=groups), here.transform(rows(), groups=groups), atol=1e-9)
    assert room.asked[-1] <= 10


@pytest.mark.parametrize("ask", ["predict", "predict_proba", "decision_function"])
def test_queries_that_do_not_fit_are_classified_in_parts(room, ask):
    here, there = (ZeroShotClassifier(device=d).fit(rows(1)[:9], list("abcabcabc")) for d in (None, "cuda"))
    expected, found = (getattr(one, ask)(rows()) for one in (here, there))
    assert_allclose(found, expected) if expected.dtype.kind == "f" else assert_array_equal(found, expected)
    assert room.asked.count(50) == 1


def test_a_device_without_room_for_one_row_is_an_error_that_leaves_all_as_it_was(room):
    room.rows = 50
    whitening = Whitening(device="cuda").fit(rows())
    before, out = vars(whitening).copy(), np.zeros((50, 4))
    room.rows = 0
    message = "device='cuda' has too little free memory: not even one row fits. Free some, pass fewer rows, or pass"
    for fail in (
        lambda: whitening.fit(rows()),
        lambda: whitening.partial_fit(rows()),
        lambda: whitening.transform(rows()),
        lambda: whitening.transform_into(rows(), out),
    ):
        with pytest.raises(MemoryError, match=message):
            fail()
    assert vars(whitening) == before
    assert not out.any()


@pytest.mark.parametrize("name", OF_SUMS_ALONE)
def test_a_measure_of_sums_takes_rows_that_do_not_fit(room, name):
    assert MEASURES[name].function(rows(), device="cuda") == pytest.approx(MEASURES[name].function(rows()), rel=1e-9)
    assert room.asked[:4] == [50, 50, 25, 12]


def test_a_measure_of_pairs_says_that_it_needs_all_rows(room):
    for measure, *besides in ((silhouette_score, np.arange(50) % 3), (alignment_loss, rows(1))):
        with pytest.raises(
            MemoryError, match=r"all rows are needed there at once\. Free some, pass fewer rows, or pass"
        ):
            measure(rows(), *besides, device="cuda")


def test_what_needs_all_rows_at_once_says_so(room):
    with pytest.raises(
        MemoryError, match="device='cuda' has too little free memory: all rows are needed there at once"
    ):
        GroupCentering(device="cuda").fit(rows(), groups=weights())


@pytest.mark.parametrize("library", ["torch", "strict"])
def test_rows_are_sent_block_by_block(library, monkeypatch):
    if library == "torch":
        torch = pytest.importorskip("torch")
        found = array_api_compat.array_namespace(torch.empty(0)), torch.device("cpu")
    else:
        found = strict, strict.Device("device1")
    monkeypatch.setattr(_array, "find_accelerator", lambda device: found)
    monkeypatch.setattr(_array, "ACCELERATOR_BLOCK_BYTES", 300)
    x = rows()
    x.setflags(write=False)
    for values in (
        x,
        x[::-1],
        x[:, ::2],
        np.asfortranarray(x),
        x.astype(np.float32),
        np.arange(9),
        x[:, :1] > 0,
        x.reshape(25, 2, 4),
        np.array(2.5),
    ):
        moved = _array.place(values, "cuda")
        assert _array.device_of(moved) == found[1]
        back = _array.to_numpy(moved)
        assert_array_equal(back, values)
        assert back.dtype == values.dtype
        assert not np.shares_memory(back, values)


# Devices without float64, as of Apple's MPS


@pytest.fixture
def single():
    """Return a function that puts rows where there is no float64."""
    try:
        device = strict.Device("no_float64")
    except ValueError:
        pytest.skip("this array-api-strict has float64 on all devices")
    return lambda seed: strict.asarray(rows(seed).astype(np.float32), device=device)


@pytest.mark.parametrize("name", MEASURES)
def test_a_measure_says_what_to_do_where_there_is_no_float64(single, name):
    row = MEASURES[name]
    besides = row.besides(labels=np.arange(50) % 3, partners=single(1), start=single(1))
    with pytest.raises(TypeError, match=r"X must be on a device with float64.*no_float64.*Move it to the host first"):
        row(single(0), *besides, **({"random_state": 0} if row.is_random else {}))


@pytest.mark.parametrize("estimator", [Whitening(), ProcrustesAligner(), SphereDispersion(), ZeroShotClassifier()])
def test_an_estimator_says_what_to_do_where_there_is_no_float64(single, estimator):
    with pytest.raises(TypeError, match="must be on a device with float64"):
        estimator.fit(single(0), np.arange(50) % 3 if isinstance(estimator, ZeroShotClassifier) else single(1))


def test_a_library_that_silently_takes_float32_for_float64_is_refused(monkeypatch):
    """JAX without jax_enable_x64 does so: a sum in it would lose digits without a word."""
    monkeypatch.setattr(strict, "empty", lambda shape, **_: strict.ones(shape, dtype=strict.float32))
    with pytest.raises(TypeError, match="jax_enable_x64"):
        isoscore(strict.asarray(rows()))


# How often the host waits for an accelerator


@pytest.fixture
def waits(monkeypatch):
    """Return the places where the library made a number of the host of an array, each as often as it did so.

    Each is a wait of the host for the device, which stands idle then until the next operation arrives. Tiles and strips
    are of the share of the 600 rows of these tests that 4,096 rows are of 10,000.
    """
    places = []

    def counting(method):
        def counted(*args, **kwargs):
            caller = sys._getframe(1)
            if caller.f_globals["__name__"].startswith("skgeom"):
                places.append(f"{caller.f_code.co_qualname}:{caller.f_lineno}")
            return method(*args, **kwargs)

        return counted

    for name in ("__bool__", "__int__", "__float__", "__index__", "to_device"):
        monkeypatch.setattr(StrictArray, name, counting(getattr(StrictArray, name)))
    for name in ("nonzero", "unique_all", "unique_counts", "unique_inverse", "unique_values"):  # whose sizes are data
        monkeypatch.setattr(strict, name, counting(getattr(strict, name)))
    monkeypatch.setitem(_tiles._TILE_ROWS, False, 246)
    monkeypatch.setattr(_neighbours, "_COLUMNS", 246)
    return places


ALIGNERS = [ProcrustesAligner(), LstsqAligner(), CCAAligner()]


def many(seed, dtype=np.float32):
    x = default_rng(seed).normal(size=(600, 8)) + 1
    return strict.asarray(x.astype(dtype), device=strict.Device("device1"))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", MEASURES)
def test_a_measure_makes_the_host_wait_at_most_40_times(waits, name, dtype):
    row = MEASURES[name]
    besides = row.besides(labels=np.arange(600) % 3, partners=many(1, dtype), start=many(1, dtype))
    row(many(0, dtype), *besides, **({"random_state": 0} if row.is_random else {}))
    assert len(waits) <= 40, Counter(waits).most_common(3)


@pytest.mark.parametrize("name", ["isoscore", "conformity", "average_cosine", "isotropy_defect", "calinski_harabasz"])
def test_a_measure_of_sums_makes_the_host_wait_at_most_6_times(waits, name):
    row = MEASURES[name]
    row(many(0), *row.besides(labels=np.arange(600) % 3))
    assert len(waits) <= 6, waits


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", [name for name in MEASURES if MEASURES[name].estimand != "none"])
def test_a_standard_error_makes_the_host_wait_at_most_40_times(waits, name, dtype):
    """20 blocks are left out, and a value without one needs no check of its rows, and no wait of its own."""
    row = MEASURES[name]
    besides = row.besides(labels=np.arange(600) % 3, partners=many(1, dtype), start=many(1, dtype))
    with warnings.catch_warnings(action="ignore"):  # that the bias of a measure is large
        estimate(name, many(0, dtype), *besides, **({"random_state": 0} if row.is_random else {}))
    assert len(waits) <= 40, Counter(waits).most_common(3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_double_ellipsoid_makes_the_host_wait_at_most_40_times_however_many_batches_there_are(waits, dtype):
    counts = []
    for batch_size in (30, 300):
        waits.clear()
        double_ellipsoid(many(0, dtype), many(1, dtype), batch_size=batch_size)
        counts.append(len(waits))
    assert counts[0] == counts[1] <= 40, Counter(waits).most_common(3)


@pytest.mark.parametrize(
    "estimator",
    [
        Whitening(),
        Whitening(method="zca"),
        AllButTheTop(),
        ProcrustesAligner(),
        LstsqAligner(),
        LstsqAligner(alpha="gcv"),
        CCAAligner(),
    ],
    ids=repr,
)
def test_an_estimator_makes_the_host_wait_at_most_40_times(waits, estimator):
    estimator.fit(many(0), many(1))
    fitting = len(waits)
    estimator.transform(many(0))
    assert fitting <= 40, Counter(waits).most_common(3)
    assert len(waits) - fitting <= 4


SEVERAL = {
    "GeneralizedProcrustes": lambda: GeneralizedProcrustes(random_state=0).fit(spaces(4)),
    "compare": lambda: comparison.compare(spaces(12)),
    "layer_profile": lambda: metrics.layer_profile(spaces(12)),
    "cloud_test": lambda: comparison.cloud_test(*spaces(4), max_rows=128),
    "modality_gap_matrix": lambda: metrics.modality_gap_matrix(spaces(12)),
    "modality_auc_matrix": lambda: metrics.modality_auc_matrix(spaces(4)),
    "mixed_retrieval": lambda: metrics.mixed_retrieval(*spaces(2), k=[1, 10]),
    "divergence_along_offset": lambda: divergence_along_offset(*spaces(2), np.linspace(-1, 1, 50)),
    "loss_along_offset": lambda: loss_along_offset(*spaces(2), np.linspace(-1, 1, 50)),
    "angle_quantiles": lambda: metrics.angle_quantiles(many(0), np.linspace(0, 1, 9)),
    "CosineCalibrator": lambda: CosineCalibrator(0.01).fit(many(0)),
    "triplet_objective": lambda: metrics.triplet_objective(many(0), np.arange(600) % 100),
    "triplet_bound": lambda: metrics.triplet_bound(many(0), np.arange(600) % 100),
}
"""Calls with many clouds, classes, shifts or quantiles."""


def spaces(n):
    return [many(seed) for seed in range(n)]


@pytest.mark.parametrize("name", SEVERAL)
def test_a_call_of_many_makes_the_host_wait_at_most_40_times(waits, name):
    SEVERAL[name]()
    assert len(waits) <= 40, Counter(waits).most_common(3)


def test_the_digits_of_many_clouds_are_those_of_each_with_hardly_more_waits(waits):
    counts = default_rng(0).integers(1, 9, size=(600, 8))
    rows = [_array.to_numpy(many(seed, np.float64)) for seed in range(5)]
    kinds = [np.float16, np.float32, np.float64]
    given = [x.astype(kind).astype(np.float64) for x, kind in zip(rows, kinds * 2, strict=False)]
    given += [counts * 2.0**-4, counts * 4.0, 0.0 * counts, np.vstack([counts[:-1], counts[:1] + 2.0**-9])]
    clouds = [strict.asarray(x, device=strict.Device("device1")) for x in given]
    most, expected = 0, []
    for x in clouds:
        waits.clear()
        expected.append(digits_of(x))
        most = max(most, len(waits))
    waits.clear()
    assert digits_of_each(clouds) == digits_of_each(given) == expected
    assert len(set(expected)) > 5
    assert len(waits) <= most + 2


def test_a_mean_on_the_sphere_makes_the_host_wait_at_most_24_times_however_many_steps_it_takes(waits):
    x = many(0, np.float64) - 0.85
    there, here = (TangentSpace().fit(rows) for rows in (x, _array.to_numpy(x)))
    assert len(waits) <= 24, Counter(waits).most_common(3)
    assert there.n_iter_ == here.n_iter_ > 100
    assert_allclose(_array.to_numpy(there.mean_), here.mean_, rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("metric", ["geodesic", "poincare"])
def test_the_means_of_ten_curved_classes_make_the_host_wait_at_most_40_times(waits, metric, dtype):
    """Those of all classes are looked at together."""
    x, labels = many(0, dtype) / 16, np.arange(600) % 10
    there, here = (davies_bouldin_score(rows, labels, metric=metric) for rows in (x, _array.to_numpy(x)))
    assert len(waits) <= 40, Counter(waits).most_common(3)
    assert float(there) == pytest.approx(float(here), rel=1e-6 if dtype == np.float32 else 1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_the_neighbours_of_two_spaces_make_the_host_wait_at_most_40_times(waits, metric, dtype):
    neighbour_overlap(many(0, dtype), many(1, dtype), metric=metric)
    assert len(waits) <= 40, Counter(waits).most_common(3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nearest_rows_by_csls_make_the_host_wait_at_most_40_times(waits, dtype):
    k_nearest(many(0, dtype), many(1, dtype), metric="csls")
    assert len(waits) <= 40, Counter(waits).most_common(3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("estimator", "n_groups"),
    [
        (GroupWhitening(), 24),
        (GroupWhitening(), 10),
        (GroupWhitening(method="zca-cor", shrinkage="ledoit_wolf"), 24),
        (GroupAllButTheTop(), 24),
        (GroupAllButTheTop(), 10),
    ],
)
def test_groups_make_the_host_wait_at_most_40_times(waits, monkeypatch, estimator, n_groups, dtype):
    """The matrices of 24 are decomposed on the host, those of ten, as if of more columns, on the device."""
    if n_groups == 10:
        monkeypatch.setattr(_array, "HOST_ENTRIES", 16)
    x, groups = many(0, dtype), np.arange(600) % n_groups
    z = estimator.fit(x, groups=groups).transform(x, groups=groups)
    assert len(waits) <= 40, Counter(waits).most_common(3)
    here = clone(estimator).fit(_array.to_numpy(x), groups=groups)
    assert_allclose(_array.to_numpy(z), here.transform(_array.to_numpy(x), groups=groups), rtol=1e-3, atol=1e-4)


def test_groups_of_few_columns_make_the_host_wait_no_more_often(waits):
    GroupWhitening().fit(many(0, "float32")[:, :1], groups=np.arange(600) % 10)
    assert len(waits) <= 40, Counter(waits).most_common(3)
