"""Arrays of Dask: sums are formed on the workers, maps are lazy, and nothing computes such an array in silence."""

import inspect
import pickle
from functools import reduce
from importlib import import_module

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import skgeom
from skgeom.alignment import CCAAligner, GeneralizedProcrustes, LstsqAligner, ProcrustesAligner
from skgeom.calibration import CosineCalibrator
from skgeom.datasets import iter_embeddings
from skgeom.metrics import average_cosine, coordinate_std, effective_rank, get_scorer, isoscore, modality_gap
from skgeom.metrics._measure import MEASURES
from skgeom.multimodal import GapShift, ZeroShotClassifier
from skgeom.optim import EmbeddingOptimizer, SphereDispersion
from skgeom.preprocessing import (
    AllButTheTop,
    GroupAllButTheTop,
    GroupCentering,
    GroupWhitening,
    SiameseTransformer,
    TangentSpace,
    Whitening,
)
from skgeom.summary import CloudSummary, cloud_summary, load_summary, paired_summary

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")

N, D = 600, 6
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, D)) * np.arange(1, D + 1) + 3
Y = X @ RNG.normal(size=(D, D)) + RNG.normal(size=(N, D))
LABELS = np.arange(N) % 3
CUTS = (100, 1, 0, 250, 249)
"""Uneven chunks, one of one row and one of none."""


def chunked(values, cuts=CUTS):
    """Return values as an array of Dask, cut along its rows."""
    return da.from_array(values, chunks=(cuts, *values.shape[1:]), asarray=False)


LAZY, LAZY_Y = chunked(X), chunked(Y)


class Watch:
    """A scheduler that counts the tasks and the bytes of the results that come to the client."""

    def __init__(self):
        self.n_tasks = self.n_bytes = self.n_calls = 0

    def __call__(self, graph, keys, **_):
        graph = dict(graph.__dask_graph__() if hasattr(graph, "__dask_graph__") else graph)
        results = dask.get(graph, keys)
        self.n_calls += 1
        self.n_tasks += len(graph)
        self.n_bytes += len(pickle.dumps(results))
        return results


@pytest.fixture
def watch():
    """Watch what Dask computes."""
    watch = Watch()
    with dask.config.set(scheduler=watch):
        yield watch


# Sums

SUMS = [
    "average_cosine",
    "effective_rank",
    "isoscore",
    "isotropy_defect",
    "modality_gap",
    "participation_ratio",
    "partition_isotropy_first_order",
    "partition_isotropy_second_order",
    "rankme",
    "spectrum_slope",
    "spherical_variance",
    "stable_rank",
]


@pytest.mark.parametrize("name", SUMS)
@pytest.mark.parametrize("cuts", [CUTS, (600,), (4,) * 150], ids=["uneven", "one", "many"])
def test_a_measure_built_on_sums_has_the_value_of_one_array(name, cuts, watch):
    row = MEASURES[name]
    others = [(Y, chunked(Y))] if row.needs == "clouds" else []
    expected = row(X, *(host for host, _ in others))
    assert_allclose(row(chunked(X, cuts), *(lazy for _, lazy in others)), expected, rtol=1e-10)
    assert watch.n_calls == 1 + len(others)


@pytest.mark.parametrize("debias", [False, True])
def test_debiased_measures_are_sums_too(debias):
    assert_allclose(isoscore(LAZY, debias=debias), isoscore(X, debias=debias), rtol=1e-10)


@pytest.mark.parametrize("name", ["coordinate_std", "variance_explained", "variance_shares"])
def test_values_for_each_coordinate_are_those_of_one_array(name):
    function = getattr(skgeom.metrics, name)
    assert_allclose(function(LAZY), function(X), rtol=1e-10)


def test_fewer_rows_than_columns_in_all_or_in_a_chunk():
    wide = RNG.normal(size=(30, 40))
    for cuts in ((7, 7, 16), (30,)):
        assert_allclose(effective_rank(chunked(wide, cuts)), effective_rank(wide), rtol=1e-10)
    tall = RNG.normal(size=(60, 20))
    assert_allclose(isoscore(chunked(tall, (3,) * 20)), isoscore(tall), rtol=1e-10)


def test_the_rounding_of_all_numbers_decides_the_rank():
    fine = np.vstack([np.zeros((100, D)), X * ([1] * (D - 1) + [1e-7])])  # zeros alone would be taken for float32
    lazy = chunked(fine, (100, N))
    assert_allclose(effective_rank(lazy), effective_rank(fine), rtol=1e-10)
    assert Whitening().fit(lazy).rank_ == D


@pytest.mark.parametrize("dtype", ["float16", "float32", "int16"])
def test_numbers_of_other_dtypes(dtype):
    values = (10 * X).astype(dtype)
    assert_allclose(isoscore(chunked(values)), isoscore(values), rtol=1e-5)
    assert_allclose(effective_rank(chunked(values)), effective_rank(values), rtol=1e-5)


def test_the_number_of_tasks_is_two_for_each_chunk_whatever_the_width(watch):
    tasks = []
    for d in (3, 50):
        before = watch.n_tasks
        isoscore(da.random.default_rng(0).normal(size=(6400, d), chunks=(100, d)))
        tasks.append(watch.n_tasks - before)
    assert tasks[0] == tasks[1] <= 2.2 * 64


def test_a_cloud_of_a_billion_rows_is_refused_or_summed_without_being_made():
    far = da.zeros((10**9, 64), chunks=(10**9, 64))
    with pytest.raises(TypeError, match="Dask"):
        skgeom.metrics.uniformity(far)
    assert Whitening().fit(X[:, :4]).transform(far[:, :4]).shape == (10**9, 4)


# Clear answers


def test_columns_in_several_chunks_are_refused_with_the_remedy():
    cut = LAZY.rechunk({1: 3})
    for call in (isoscore, cloud_summary, Whitening().fit, lambda x: LstsqAligner().fit(x, LAZY_Y)):
        with pytest.raises(ValueError, match=r"X is cut along its columns.*X\.rechunk\(\{1: -1\}\)"):
            call(cut)


def test_sizes_of_chunks_need_not_be_known():
    unknown = LAZY[chunked(X[:, 0]) > 3]
    kept = X[X[:, 0] > 3]
    assert np.isnan(unknown.shape[0])
    assert_allclose(isoscore(unknown), isoscore(kept), rtol=1e-10)
    whitening = Whitening().fit(unknown)
    assert_allclose(whitening.transform(unknown).compute(), Whitening().fit(kept).transform(kept), rtol=1e-8, atol=1e-9)
    targets = LAZY_Y[chunked(X[:, 0]) > 3]
    assert_allclose(LstsqAligner().fit(unknown, targets).coef_, LstsqAligner().fit(kept, Y[X[:, 0] > 3]).coef_)
    with pytest.raises(ValueError, match=r"5 and 2 chunks of unknown sizes: call compute_chunk_sizes"):
        LstsqAligner().fit(unknown, chunked(Y, (1, 599)))


@pytest.mark.parametrize("call", [isoscore, cloud_summary, Whitening().fit])
def test_too_few_rows_are_counted_over_all_chunks(call):
    with pytest.raises(ValueError, match="Found Dask chunks of 0 sample"):
        call(chunked(X[:0], (0, 0)))
    if call is not cloud_summary:
        with pytest.raises(ValueError, match=r"Found Dask chunks of 1 sample\(s\) while a minimum of 2"):
            call(chunked(X[:1], (0, 1)))


def test_a_chunk_that_fails_ends_a_fit_that_then_has_changed_nothing():
    def fails(rows, block_info=None):
        raise OSError("the disk is gone")

    broken = LAZY.map_blocks(fails, dtype=float, meta=np.empty((0, D)))
    whitening = Whitening().fit(X)
    before = dict(vars(whitening))
    for fit in (whitening.fit, whitening.partial_fit):
        with pytest.raises(OSError, match="the disk is gone"):
            fit(broken)
        assert all(vars(whitening)[name] is value for name, value in before.items())
    with pytest.raises(OSError, match="the disk is gone"):
        ProcrustesAligner().fit(broken, LAZY_Y)


@pytest.mark.parametrize(
    ("values", "problem"),
    [(np.nan, "Input a chunk of X contains NaN"), (1e200, "a chunk of X has magnitudes up to 1e+200")],
)
def test_what_is_wrong_with_a_chunk_is_said(values, problem):
    bad = X.copy()
    bad[3, 3] = values
    with pytest.raises(ValueError, match=problem.replace("+", r"\+")):
        isoscore(chunked(bad))


def test_one_chunk_of_tiny_numbers_keeps_its_scale():
    rows = (X - X.mean(axis=0)).astype(np.float32)
    rows[:100] *= np.float32(1e-15)  # by itself it would be brought to a safe magnitude
    for measure in (isoscore, effective_rank, average_cosine):
        assert_allclose(measure(chunked(rows)), measure(rows), rtol=1e-5)


def test_zero_rows_have_no_direction_in_a_chunk_either():
    with pytest.raises(ValueError, match="a chunk of X has 1 zero row"):
        average_cosine(chunked(np.vstack([X, np.zeros((1, D))]), (600, 1)))
    with pytest.raises(ValueError, match="a chunk of Y has 1 zero row"):
        modality_gap(LAZY, chunked(np.zeros((1, D)), (1,)))


@pytest.mark.parametrize(
    "values", [X.astype(complex), X.astype(str).astype(object)[:, :2] + "a", X[:, 0], X[:, :, None]]
)
def test_what_is_no_matrix_of_real_numbers_is_refused(values):
    with pytest.raises(ValueError, match=r"Complex data|could not convert|Expected 2D array"):
        isoscore(da.from_array(values, chunks=300))


def test_other_collections_of_dask_are_refused():
    for call in (Whitening().fit, cloud_summary):
        with pytest.raises(TypeError, match="X must be an array or a frame of Dask"):
            call(dask.delayed(X))


# Summaries and fits


def test_a_summary_has_the_sums_of_all_rows_and_a_sample_of_them(watch):
    found, expected = cloud_summary(LAZY, max_rows=50, random_state=0), cloud_summary(X, max_rows=50)
    assert found.n_rows == N
    assert_allclose(found.covariance, expected.covariance, rtol=1e-12)
    assert_allclose(found.directions.total, expected.directions.total, rtol=1e-12)
    assert found.rows.shape == (50, D)
    assert {tuple(row) for row in found.rows} <= {tuple(row) for row in X}
    assert_array_equal(found.rows, cloud_summary(LAZY, max_rows=50, random_state=0).rows)
    assert watch.n_bytes < X.nbytes / 2


def test_chunks_are_sampled_by_numbers_of_their_own():
    same = da.concatenate([chunked(X[:20], (20,))] * 30)
    keys = cloud_summary(same, random_state=0).keys
    assert np.unique(keys).size == keys.size == 600


def test_a_summary_of_pairs_is_that_of_one_array(watch):
    found, expected = paired_summary(LAZY, chunked(Y, (300, 300)), max_rows=20), paired_summary(X, Y)
    assert_allclose(found.scatter, expected.scatter, rtol=1e-10, atol=1e-10 * np.abs(expected.scatter).max())
    assert (found.n_pairs, found.x.rows.shape) == (N, (20, D))
    assert_allclose(found.y.covariance, expected.y.covariance, rtol=1e-10)
    partners = {tuple(x): tuple(y) for x, y in zip(X, Y, strict=True)}
    assert all(partners[tuple(x)] == tuple(y) for x, y in zip(found.x.rows, found.y.rows, strict=True))
    assert watch.n_bytes < X.nbytes / 2


def ways_to_sum_up(folder):
    """Yield what sums up the same rows in other places: blocks, shards of files, and these by themselves."""
    dataset, parquet = pytest.importorskip("pyarrow.dataset"), pytest.importorskip("pyarrow.parquet")
    (folder / "npy").mkdir(), (folder / "parquet").mkdir()
    for i, rows in enumerate(np.split(X, [1, 200, 350])):
        np.save(folder / "npy" / f"{i}.npy", rows)
        table = pytest.importorskip("pyarrow").table({"embedding": list(rows)})
        parquet.write_table(table, folder / "parquet" / f"{i}.parquet", row_group_size=90)
    yield cloud_summary(iter(np.split(X, [3, 300])))
    yield cloud_summary(iter_embeddings(folder / "npy"))
    yield cloud_summary(iter_embeddings(dataset.dataset(folder / "parquet")))
    yield cloud_summary(LAZY)
    for shard in (folder / "npy").iterdir():  # as a shell would, each in a process of its own
        cloud_summary(np.load(shard, mmap_mode="r")).save(shard.with_suffix(".summary"))
    shards = [load_summary(path) for path in (folder / "npy").glob("*.summary")]
    yield reduce(CloudSummary.merge, shards)
    whole = reduce(CloudSummary.merge, shards).merge(cloud_summary(Y))
    yield whole.subtract(cloud_summary(Y, max_rows=0))


def test_one_cloud_has_one_answer_wherever_it_is_summed_up(tmp_path):
    whole = cloud_summary(X)
    for other in ways_to_sum_up(tmp_path):
        assert other.n_rows == N
        for name in sorted({*SUMS, "isoscore_star", "isotropy_objective"} - {"modality_gap"}):
            assert_allclose(MEASURES[name](other), MEASURES[name](whole), rtol=1e-12, err_msg=name)
        for name in ("isoscore", "participation_ratio"):
            measure = getattr(skgeom.metrics, name)
            assert_allclose(measure(other, debias=True), measure(whole, debias=True), rtol=1e-12)
        assert_allclose(modality_gap(other, Y), modality_gap(X, Y), rtol=1e-12)
        assert_allclose(coordinate_std(other), coordinate_std(X), rtol=1e-12)


TRANSFORMERS = [
    Whitening(),
    Whitening(3, method="zca-cor", shrinkage=0.1),
    Whitening(shrinkage="ledoit_wolf", normalize=True),
    Whitening(shrinkage="oas", power=0.5),
    AllButTheTop(2),
    AllButTheTop(projection="raw"),
]


@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=repr)
def test_a_transformer_fitted_to_chunks_is_that_of_one_array(transformer, watch):
    fitted, whole = clone(transformer).fit(LAZY), clone(transformer).fit(X)
    assert watch.n_bytes < X.nbytes / 2
    assert (fitted.n_samples_seen_, fitted.n_features_in_) == (N, D)
    assert_allclose(fitted.transform(X), whole.transform(X), rtol=1e-9, atol=1e-9)
    parts = clone(transformer).partial_fit(LAZY[:300]).partial_fit(X[300:400]).partial_fit(LAZY[400:])
    assert_allclose(parts.transform(X), whole.transform(X), rtol=1e-9, atol=1e-9)


ALIGNERS = [
    ProcrustesAligner(),
    ProcrustesAligner(center=True, scale=True, allow_reflection=False),
    LstsqAligner(),
    LstsqAligner(alpha="gcv", fit_intercept=True),
    LstsqAligner(alpha=1.0, prior="orthogonal"),
    CCAAligner(),
]


@pytest.mark.parametrize("aligner", ALIGNERS, ids=repr)
def test_an_aligner_fitted_to_chunks_is_that_of_one_array(aligner, watch):
    whole = clone(aligner).fit(X, Y)
    for targets in (LAZY_Y, chunked(Y, (599, 1))):
        fitted = clone(aligner).fit(LAZY, targets)
        assert_allclose(fitted.coef_, whole.coef_, rtol=1e-9, atol=1e-9)
    parts = clone(aligner).partial_fit(LAZY[:300], LAZY_Y[:300]).partial_fit(X[300:], Y[300:])
    assert_allclose(parts.coef_, whole.coef_, rtol=1e-9, atol=1e-9)
    assert watch.n_bytes < X.nbytes / 2
    flat = clone(aligner).fit(LAZY, LAZY_Y[:, 0]) if not isinstance(aligner, ProcrustesAligner) else None
    assert flat is None or flat.predict(LAZY).shape == (N,)


def test_an_aligner_takes_dask_on_both_sides_and_no_weights():
    for pair in ((LAZY, Y), (X, LAZY_Y)):
        with pytest.raises(TypeError, match="must both be Dask arrays"):
            LstsqAligner().fit(*pair)
    with pytest.raises(ValueError, match="sample_weight is not supported for Dask"):
        LstsqAligner().fit(LAZY, LAZY_Y, np.ones(N))
    with pytest.raises(ValueError, match="sample_weight is for arrays"):
        Whitening().fit(LAZY, sample_weight=np.ones(N))
    with pytest.raises(ValueError, match="inconsistent numbers of samples: 600 and 599"):
        LstsqAligner().fit(LAZY, LAZY_Y[1:])


# Maps


def maps():
    """Yield fitted estimators, and a method of theirs that maps each row by itself."""
    whitening, aligner = Whitening(4).fit(X), LstsqAligner(fit_intercept=True).fit(X, Y[:, :3])
    for method in ("transform", "inverse_transform", "score_samples"):
        yield whitening, method, X if method != "inverse_transform" else X[:, :4]
    for method in ("transform", "predict", "inverse_transform"):
        yield aligner, method, X if method != "inverse_transform" else X[:, :3]
    yield LstsqAligner().fit(X, Y[:, 0]), "predict", X
    for method in ("transform", "transform_target", "inverse_transform", "inverse_transform_target"):
        yield CCAAligner().fit(X, Y), method, X
    yield AllButTheTop().fit(X), "transform", X
    for geometry, rows in (("sphere", X), ("poincare", X / 100)):
        yield TangentSpace(geometry).fit(rows), "transform", rows
    yield TangentSpace().fit(X), "inverse_transform", X[:, :5]


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize(("estimator", "method", "rows"), list(maps()), ids=lambda v: v if isinstance(v, str) else "")
def test_a_map_of_rows_is_lazy_and_knows_what_comes_out(estimator, method, rows, dtype, watch):
    rows = rows.astype(dtype)
    found, expected = getattr(estimator, method)(chunked(rows)), getattr(estimator, method)(rows)
    assert watch.n_calls == 0
    assert isinstance(found, da.Array)
    assert (found.shape, found.dtype, found.chunks[0]) == (expected.shape, expected.dtype, CUTS)
    assert found._meta.dtype == expected.dtype
    assert_allclose(found.compute(), expected, rtol=1e-6 if dtype != "float64" else 1e-12, atol=1e-6)


@pytest.mark.parametrize("kind", [GroupCentering, GroupWhitening, GroupAllButTheTop, GapShift])
def test_groups_come_in_chunks_too(kind, watch):
    groups = np.array(["a", "b"])[LABELS % 2]
    fitted = kind().fit(X, groups=groups)
    found = fitted.transform(LAZY, groups=chunked(groups, (300, 300)))
    assert watch.n_calls == 0
    assert_allclose(found.compute(), fitted.transform(X, groups=groups), rtol=1e-12, atol=1e-12)
    with pytest.raises(TypeError, match="groups must be a Dask array cut like X"):
        fitted.transform(LAZY, groups=groups)


def test_a_pipeline_stays_lazy_after_its_fits(watch):
    pipeline = make_pipeline(AllButTheTop(1), Whitening(4)).fit(LAZY)
    found = pipeline.transform(LAZY)
    assert watch.n_bytes < X.nbytes / 2
    assert_allclose(found.compute(), make_pipeline(AllButTheTop(1), Whitening(4)).fit_transform(X), atol=1e-9)
    assert_allclose(get_scorer("isoscore")(pipeline, LAZY), get_scorer("isoscore")(pipeline, X), rtol=1e-9)


def test_a_lazy_map_sends_no_sums(watch):
    fitted = Whitening(1).fit(RNG.normal(size=(1000, 300)))
    sent = fitted.transform(da.zeros((10, 300), chunks=(5, 300))).__dask_graph__()
    assert len(pickle.dumps(dict(sent))) < len(pickle.dumps(fitted)) / 10


def test_other_columns_and_output_as_frames_are_refused_at_once():
    whitening = Whitening().fit(X)
    with pytest.raises(ValueError, match="X has 5 features, but Whitening is expecting 6"):
        whitening.transform(LAZY[:, :5])
    with pytest.raises(ValueError, match=r"set_output\(transform='pandas'\) would compute it"):
        Whitening().set_output(transform="pandas").fit(X).transform(LAZY)


def test_a_frame_keeps_the_names_of_its_columns():
    pandas, dd = pytest.importorskip("pandas"), pytest.importorskip("dask.dataframe")
    frame = pandas.DataFrame(X, columns=list("abcdef"))
    lazy = dd.from_pandas(frame, npartitions=4)
    assert_allclose(isoscore(lazy), isoscore(X), rtol=1e-10)
    whitening = Whitening().fit(lazy)
    assert whitening.feature_names_in_.tolist() == list("abcdef")
    assert_allclose(whitening.transform(lazy).compute(), Whitening().fit(X).transform(X), rtol=1e-9, atol=1e-9)
    with pytest.raises(ValueError, match="feature names should match"):
        whitening.transform(lazy[list("bacdef")])


# Everything else

PAIRS = np.stack([X, Y], axis=1)
ROWS = {"X": X, "Y": Y, "x": X, "y": LABELS, "labels": LABELS, "start": Y, "C": X[:3], "covariance": np.cov(X.T)}
LISTS = {"layers": [X, Y], "modalities": [X, Y], "spaces": [X, Y]}
BESIDE = {"reference": Y, "groups": LABELS, "relevant": np.arange(N), "directions": X[:5], "paired": Y}
OTHERS = {"measure": "conformity", "alphas": [0.0, 1.0], "t": 0.5, "q": 0.5}
OF_PAIRS = {"cosine_pearson", "cosine_spearman", "judge_similarity"}
BESIDE_OF = {
    "cloud_summary": {"max_rows": 10},  # not all rows
    "pair_cosines": {"labels": LABELS},
    "SimilarityDisplay.from_embedding": {"labels": LABELS},
}
ELSEWHERE = {("pair_distance_ratio", "reference"), ("cloud_test", "groups"), ("estimate", "paired")}
"""Arguments that are a word, a tuple, or a flag."""


def calls():
    """Yield each public function with each of its arguments that may be rows, or belong to rows, in Dask."""
    for package in (
        "metrics",
        "comparison",
        "multimodal",
        "optim",
        "model_selection",
        "report",
        "summary",
        "inspection",
    ):
        module = import_module(f"skgeom.{package}")
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isclass(value):
                found = [(f"{name}.{m}", getattr(value, m)) for m in ("from_embedding",) if hasattr(value, m)]
            else:
                found = [(name, value)] if callable(value) and not name.endswith("_scorer") else []
            for label, function in found:
                parameters = inspect.signature(function).parameters.values()
                needed = {p.name for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD}
                for p in parameters:
                    if p.name in ROWS | LISTS | BESIDE and (label, p.name) not in ELSEWHERE:
                        yield pytest.param(label, function, needed, p.name, id=f"{label}-{p.name}")


def argument(function, name):
    """Return what a function takes under a name."""
    if name in ("X", "y") and function in OF_PAIRS:
        return PAIRS if name == "X" else X[:, 0]
    return (ROWS | LISTS | BESIDE | OTHERS).get(name, ())


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("name", "function", "needed", "lazy"), list(calls()))
def test_every_function_sums_up_a_dask_array_or_refuses_it(name, function, needed, lazy, watch):
    given = {n: argument(name, n) for n in needed | {lazy} if n not in ("others", "options")}
    values = given[lazy]
    given[lazy] = (
        [chunked(values[0]), values[1]] if lazy in LISTS else da.from_array(values, chunks=(200, *values.shape[1:]))
    )
    given |= BESIDE_OF.get(name, {}) if lazy != "Y" else {}
    positional = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.POSITIONAL_ONLY and parameter.name in given:
            positional.append(given.pop(parameter.name))
        if parameter.kind is parameter.VAR_POSITIONAL:
            positional += given.pop(parameter.name, [])
    try:
        function(*positional, **given)
    except TypeError as error:
        assert "Dask" in str(error), error  # noqa: PT017
    assert watch.n_bytes < X.nbytes / 3


ESTIMATORS = [value for value in (getattr(skgeom, name) for name in skgeom._HOMES) if inspect.isclass(value)]
METHODS = [
    *("fit", "partial_fit", "fit_transform", "transform", "inverse_transform", "predict", "predict_proba", "score"),
    *("decision_function", "score_samples", "test", "moved", "fit_matches", "transform_target"),
    "inverse_transform_target",
]


def fitted(kind):
    """Return an estimator of a kind, fitted to arrays of NumPy."""
    if kind is SiameseTransformer:
        return kind(Whitening()).fit(PAIRS)
    if kind is GeneralizedProcrustes:
        return kind().fit([X, Y])
    cheap = {EmbeddingOptimizer: {"max_iter": 2}, SphereDispersion: {"max_iter": 2, "polish": False}}
    beside = {ZeroShotClassifier: (LABELS,), EmbeddingOptimizer: (LABELS,)}
    if issubclass(kind, GroupAllButTheTop | GroupCentering | GroupWhitening | GapShift):
        return kind().fit(X, groups=LABELS % 2)
    if issubclass(kind, LstsqAligner | ProcrustesAligner | CCAAligner):
        return kind().fit(X, Y)
    if kind is CosineCalibrator:
        return kind().fit(X, Y).fit_matches(X, Y, LABELS % 2)
    return kind(**cheap.get(kind, {})).fit(X, *beside.get(kind, ()))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("kind", "method"), [(kind, m) for kind in ESTIMATORS for m in METHODS if hasattr(kind, m)])
def test_every_method_of_an_estimator_is_lazy_sums_up_or_refuses(kind, method, watch):
    if kind in (EmbeddingOptimizer, SphereDispersion):
        pytest.importorskip("torch")
    estimator = fitted(kind)
    parameters = inspect.signature(getattr(estimator, method)).parameters
    of_classes = isinstance(estimator, ZeroShotClassifier | EmbeddingOptimizer | CosineCalibrator)
    rows = da.from_array(PAIRS, chunks=(200, 2, D)) if kind is SiameseTransformer else LAZY
    values = {"X": rows, "Y": LAZY_Y, "y": LABELS if of_classes else LAZY_Y, "cosines": LAZY, "space": 0}
    if kind is GeneralizedProcrustes and "space" not in parameters:
        values["X"] = [LAZY, Y]
    if kind is TangentSpace and method == "inverse_transform":
        values["X"] = LAZY[:, :5]
    if "groups" in parameters and not issubclass(kind, CosineCalibrator):
        values["groups"] = chunked(LABELS % 2) if "X" in parameters and method == "transform" else LABELS % 2
    given = {name: values[name] for name in parameters if name in values}
    try:
        found = getattr(estimator, method)(**given)
    except TypeError as error:
        assert "Dask" in str(error)  # noqa: PT017
    else:
        assert found is estimator or isinstance(found, da.Array)
    assert watch.n_bytes < X.nbytes / 3


@pytest.mark.parametrize("fit", [paired_summary, lambda x, y: LstsqAligner().fit(x, y)])
@pytest.mark.parametrize("swapped", [False, True])
def test_an_empty_chunk_beside_one_with_rows_is_refused(fit, swapped):
    lazy = da.from_array(X, chunks=(N // 3, -1))
    kept = da.from_array(np.arange(N) // (N // 3) != 1, chunks=N // 3)
    pair = (lazy[kept], lazy[da.ones(N, chunks=N // 3) > 0])
    with pytest.raises(ValueError, match="Chunks that belong together have"):
        fit(*(pair[::-1] if swapped else pair))


# Workers in other processes


@pytest.fixture(scope="module")
def client():
    """Return a client of two workers, each a process."""
    distributed = pytest.importorskip("distributed")
    quiet = {"distributed.logging.distributed": "critical", "distributed.nanny.environ.OMP_NUM_THREADS": 1}
    with (
        dask.config.set(quiet),
        distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_workers_in_other_processes_have_the_answers_of_one_array(client):
    assert_allclose(effective_rank(LAZY), effective_rank(X), rtol=1e-10)
    whitening, aligner = Whitening(4).fit(LAZY), LstsqAligner().fit(LAZY, LAZY_Y)
    assert_allclose(whitening.transform(LAZY).compute(), Whitening(4).fit_transform(X), rtol=1e-9, atol=1e-9)
    assert_allclose(aligner.predict(LAZY).compute(), LstsqAligner().fit(X, Y).predict(X), rtol=1e-9, atol=1e-9)
    assert cloud_summary(LAZY, random_state=0).n_rows == N
    with pytest.raises(ValueError, match="Input a chunk of X contains NaN"):
        Whitening().fit(da.where(LAZY > 9, np.nan, LAZY))


def test_a_worker_that_is_killed_in_mid_fit_changes_no_bit(client, tmp_path):
    was_killed = str(tmp_path / "killed")

    def die_once(rows, block_id=None):
        import os
        import signal

        if block_id[0] == 3 and not os.path.exists(was_killed):
            open(was_killed, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return rows

    deadly = LAZY.map_blocks(die_once, dtype=float, meta=np.empty((0, D)))
    expected = Whitening().fit(LAZY).whitening_matrix_
    assert_array_equal(Whitening().fit(deadly).whitening_matrix_, expected)
    assert (tmp_path / "killed").exists()


def test_a_search_over_parameters_runs_on_the_workers(client):
    joblib, search = pytest.importorskip("joblib"), GridSearchCV(LstsqAligner(), {"alpha": [0.0, 1e6]}, cv=3)
    with joblib.parallel_config("dask"):
        search.fit(X, Y)
    assert search.best_params_ == {"alpha": 0.0}


def test_a_frame_with_a_column_of_text_is_refused_by_its_name():
    frames, pandas = pytest.importorskip("dask.dataframe"), pytest.importorskip("pandas")
    numbers = pandas.DataFrame({"a": [1.0, 2.0, 4.0], "b": [1, 3, 2], "c": [True, False, True]})
    text = frames.from_pandas(numbers.assign(word="w", kind=pandas.Categorical(list("xyz"))), npartitions=1)
    fitted = Whitening(2).fit(frames.from_pandas(numbers, npartitions=1))
    for call in (Whitening().fit, fitted.partial_fit, fitted.transform, lambda X: ProcrustesAligner().fit(X, X)):
        with pytest.raises(ValueError, match="X has columns that are not numbers: 'word', 'kind'"):
            call(text)
