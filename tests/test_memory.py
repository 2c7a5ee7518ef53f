"""What reads each row a few times needs O(d²) and a block of rows per thread, and what reads all pairs a few copies."""

import tracemalloc
import warnings

import numpy as np
import pytest
from numpy.random import default_rng
from threadpoolctl import threadpool_limits

from skgeom.alignment import CCAAligner, LstsqAligner, ProcrustesAligner
from skgeom.metrics import coordinate_std, isoscore, k_nearest, retrieval_score
from skgeom.metrics._measure import MEASURES
from skgeom.multimodal import GapShift, ZeroShotClassifier, slerp
from skgeom.preprocessing import AllButTheTop, GroupAllButTheTop, GroupCentering, GroupWhitening, Whitening

N, D = 40_000, 200
M = 6000
BOUND = 16 << 20
"""Half of the 32 MB of the rows in float32, a quarter of those in float64: blocks and d x d arrays take less."""

NOT_IN_BLOCKS = {"modality_separability", "spherical_sliced_wasserstein"}
"""scikit-learn's classifier copies; and the angles on all circles are sorted, n for each of them."""

LINEAR = sorted(
    name for name, row in MEASURES.items() if row.cost in ("O(n d)", "O(n d min(n, d))") and name not in NOT_IN_BLOCKS
)
PAIRS = sorted(name for name, row in MEASURES.items() if row.cost == "O(n² d)")
GRAPHS = {"silhouette", "dunn", "pair_distance_ratio"}
"""Their gradients go through all tiles, which Torch keeps."""

TRANSFORMERS = [Whitening(), Whitening(normalize=True), Whitening(shrinkage="ledoit_wolf"), AllButTheTop()]
ALIGNERS = [ProcrustesAligner(), ProcrustesAligner(center=True), LstsqAligner(alpha=1.0, fit_intercept=True)]
LABELS = np.minimum(np.arange(N) % 30, 2)
"""Two small classes, and one that has nearly all rows."""


@pytest.fixture(autouse=True)
def _one_thread():
    """Each thread has a block of its own."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    path = tmp_path_factory.mktemp("maps") / "rows.f32"
    rng = np.random.default_rng(0)
    some = (rng.normal(size=(2 * N // 10, D)) + 0.3).astype(np.float32)
    with path.open("wb") as file:
        for factor in range(1, 11):
            (some * np.float32(factor)).tofile(file)
    rows = np.memmap(path, np.float32, "r", shape=(2 * N, D))
    return rows[:N], rows[N:]


def peak_beside_result(function, *args, **kwargs):
    tracemalloc.start()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = function(*args, **kwargs)
    top = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return top - getattr(result, "nbytes", 0)


@pytest.mark.parametrize("name", LINEAR)
def test_measures_hold_no_copy_of_the_rows(name, maps):
    x, y = maps
    row = MEASURES[name]
    seed = {"random_state": 0} if row.is_random else {}
    given = row.besides(labels=LABELS, partners=y, start=y)
    assert peak_beside_result(row.function, x, *given, **row.options, **seed) < BOUND


@pytest.mark.parametrize("name", LINEAR)
def test_measures_hold_no_copy_of_rows_in_the_order_of_fortran(name, maps):
    x, y = (np.reshape(rows, (D, N)).T for rows in maps)
    row = MEASURES[name]
    seed = {"random_state": 0} if row.is_random else {}
    given = row.besides(labels=LABELS, partners=y, start=y)
    assert peak_beside_result(row.function, x, *given, **row.options, **seed) < BOUND


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_isoscore_holds_two_copies_of_few_rows(dtype):
    x = default_rng(0).normal(size=(100, 20_000)).astype(dtype)
    assert peak_beside_result(isoscore, x) < 2.1 * 8 * x.size
    assert peak_beside_result(isoscore, x, debias=True) < 1.5 * 8 * x.size


@pytest.mark.parametrize("name", [name for name in PAIRS if not name.startswith("triplet")])
def test_measures_of_pairs_hold_a_few_copies_of_the_rows(name):
    x, y = default_rng(0).normal(size=(2, M, 128)).astype(np.float32)
    row = MEASURES[name]
    given = row.besides(labels=np.arange(M) % 26, partners=y)
    assert peak_beside_result(row.function, x, *given, **row.options) < 4 * x.nbytes + BOUND  # of 144 for n x n


@pytest.mark.parametrize(
    ("options", "mebibytes"),
    [({"k": 10}, 20), ({"k": 100, "metric": "euclidean"}, 60), ({"k": 10, "metric": "csls"}, 50)],
    ids=str,
)
def test_nearest_rows_take_twice_their_memory_and_a_strip(options, mebibytes):
    x, y = default_rng(0).normal(size=(2, M, 32)).astype(np.float32)
    result = 16 * M * options["k"]  # a distance and a position
    assert peak_beside_result(k_nearest, x, y, **options) < 2 * result + (mebibytes << 20)


@pytest.mark.parametrize(("metric", "mebibytes"), [("cosine", 20), ("csls", 50)])
def test_retrieval_takes_a_strip(metric, mebibytes):
    x, y = default_rng(0).normal(size=(2, M, 32)).astype(np.float32)
    assert peak_beside_result(retrieval_score, x, y, metric=metric) < mebibytes << 20


@pytest.mark.parametrize("name", [name for name in PAIRS if MEASURES[name].differentiable and name not in GRAPHS])
def test_gradients_of_pairs_keep_a_few_copies_of_the_rows(name):
    torch = pytest.importorskip("torch")
    x, y = torch.from_numpy(default_rng(0).normal(size=(2, 1500, 16)).astype(np.float32))
    row, kept = MEASURES[name], {}

    def pack(t):
        kept[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        row.function(x.requires_grad_(), *row.besides(labels=np.arange(1500) % 26, partners=y), **row.options)
    assert sum(kept.values()) < 5 * x.nbytes  # half a megabyte, of 9 for n x n


@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=repr)
def test_transformers_hold_no_copy_of_the_rows(transformer, maps):
    x, _ = maps
    assert peak_beside_result(transformer.fit, x) < BOUND
    out = np.empty((N, transformer.transform(x[:2]).shape[1]), x.dtype)
    assert peak_beside_result(transformer.transform_into, x, out) + out.nbytes < BOUND  # out was there before
    methods = [m for m in ("transform", "inverse_transform", "score_samples") if hasattr(transformer, m)]
    assert all(peak_beside_result(getattr(transformer, method), x) < BOUND for method in methods)


@pytest.mark.parametrize("transformer", [GroupCentering(), GapShift(), GroupWhitening(), GroupAllButTheTop()], ids=repr)
def test_transformers_of_groups_hold_no_copy_of_the_rows(transformer, maps):
    x, _ = maps
    assert peak_beside_result(transformer.fit, x, groups=LABELS % 2) < BOUND
    assert peak_beside_result(transformer.transform, x, groups=LABELS % 2) < BOUND


@pytest.mark.parametrize("aligner", [*ALIGNERS, CCAAligner(20)], ids=repr)
def test_aligners_hold_no_copy_of_the_rows(aligner, maps):
    x, y = maps
    assert peak_beside_result(aligner.fit, x, y) < BOUND
    assert peak_beside_result(aligner.transform, x) < BOUND
    assert peak_beside_result(aligner.score, x, y) < BOUND
    shared = x[:, : aligner.transform(x[:2]).shape[1]]
    assert peak_beside_result(aligner.inverse_transform, shared) < BOUND


@pytest.mark.parametrize("logits", ["cosine", "dot", "distance"])
def test_zero_shot_classes_hold_no_copy_of_the_rows(logits, maps):
    x, _ = maps
    classifier = ZeroShotClassifier(logits=logits)
    assert peak_beside_result(classifier.fit, x, LABELS) < BOUND
    assert peak_beside_result(classifier.predict, x) < BOUND
    assert peak_beside_result(classifier.predict_proba, x) < BOUND


def test_standard_deviations_hold_no_copy_of_the_rows(maps):
    assert peak_beside_result(coordinate_std, maps[0]) < BOUND


def test_paths_hold_no_copy_of_the_rows(maps):
    assert peak_beside_result(slerp, *maps, 0.3) < BOUND
