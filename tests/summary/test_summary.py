"""The sums of a cloud: what is merged, subtracted, saved, and answered in place of the rows."""

import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from functools import reduce
from itertools import permutations
from multiprocessing import get_context
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_allclose, assert_array_equal

from skgeom import metrics
from skgeom._array import to_numpy
from skgeom._core.sums._digits import precision
from skgeom._core.sums._moments import ThinMoments
from skgeom.preprocessing import AllButTheTop, Whitening
from skgeom.summary import CloudSummary, cloud_summary, load_summary, paired_summary

SINGLE = np.float32


def cloud(n=400, d=12, seed=0):
    """Return rows with three directions of size 1e-9 and an offset."""
    rng = default_rng(seed)
    scales = np.append(np.geomspace(3, 0.3, d - 3), [1e-9] * 3)
    return rng.normal(size=(n, d)) * scales @ np.linalg.qr(rng.normal(size=(d, d)))[0] + 0.5


X, Y = cloud(), cloud(200, seed=1)

OF_ONE = {
    "isoscore": {},
    "isoscore_star": {"zeta": 0.2},
    "isotropy_defect": {},
    "participation_ratio": {},
    "effective_rank": {},
    "rankme": {},
    "stable_rank": {},
    "spectrum_slope": {"first": 2},
    "variance_explained": {},
    "variance_shares": {},
    "coordinate_std": {},
    "average_cosine": {},
    "spherical_variance": {},
    "partition_isotropy_first_order": {},
    "partition_isotropy_second_order": {},
    "isotropy_objective": {},
}


def sums(summary):
    """Return all sums, as arrays of NumPy."""
    m = summary.moments.second.dense()
    arrays = [m.mean, m.scatter, summary.moments.cubic, summary.moments.quartic, summary.directions.total]
    return [np.array([m.n, summary.directions.n]), *map(to_numpy, arrays)]


def assert_same_sums(a, b, rtol=1e-12):
    assert a.digits == b.digits
    for one, other in zip(sums(a), sums(b), strict=True):
        assert_allclose(one, other, rtol=rtol, atol=rtol * np.abs(other).max())


@pytest.mark.parametrize("d", [12, 500])
def test_rows_whole_in_blocks_and_in_shards_of_any_order_have_the_same_sums(d):
    x = cloud(d=d)
    whole = cloud_summary(x)
    assert_same_sums(cloud_summary(iter(np.split(x, [1, 7, 250]))), whole)
    shuffled = x[default_rng(2).permutation(len(x))]
    shards = [cloud_summary(rows) for rows in np.array_split(shuffled, 4)]
    for order in permutations(range(4)):
        a, b, c, e = (shards[i] for i in order)
        assert_same_sums(a.merge(b).merge(c.merge(e)), whole)
    assert_same_sums(a.merge(b).merge(c).merge(e).subtract(b).subtract(e), a.merge(c))


def test_a_rest_is_asked_as_its_rows():
    folds = [cloud_summary(fold, max_rows=100) for fold in np.split(X, 5)]
    whole = folds[0].merge(folds[1]).merge(folds[2]).merge(folds[3]).merge(folds[4])
    rest = whole.subtract(folds[2])
    rows = np.delete(X, np.s_[160:240], axis=0)
    assert rest.n_rows == 320
    assert rest.max_rows == len(rest.rows) == 100 - np.isin(whole.keys, folds[2].keys).sum()
    assert {tuple(row) for row in rest.rows} <= {tuple(row) for row in rows}
    for name in ("isoscore", "effective_rank", "average_cosine"):
        measure = getattr(metrics, name)
        assert_allclose(measure(rest), measure(rows), rtol=1e-10)


@pytest.mark.parametrize("left", [0.9, 0.5, 0.04])
def test_a_rest_has_the_rank_of_its_rows(left):
    rng = default_rng(0)
    rows = rng.normal(size=(4000, 20)) @ rng.normal(size=(20, 32)) + 3
    part, others = (cloud_summary(x) for x in np.split(rows, [round(4000 * left)]))
    rest = part.merge(others).subtract(others)
    assert_allclose(metrics.spectrum_slope(rest), metrics.spectrum_slope(part), rtol=1e-10)
    assert Whitening().fit(rest).rank_ == 20


def test_a_rest_that_rounding_would_distort_is_refused():
    few, many = cloud_summary(X[:4]), cloud_summary(X[4:])
    for small, large in ((few, many), (cloud_summary(np.ones((300, 12))), many)):
        with pytest.raises(ValueError, match="merge the summaries of the rest"):
            small.merge(large).subtract(large)


def test_the_sample_of_a_rest_stays_random_when_it_grows_again():
    kept = np.zeros(60)
    for _ in range(600):
        a, b, c = (cloud_summary(np.arange(i, i + 20)[:, None], max_rows=10) for i in (0, 20, 40))
        grown = a.merge(b).subtract(a).merge(c)
        kept[grown.rows[:, 0].astype(int)] += 1
    assert not kept[:20].any()
    assert abs(kept[20:40].sum() / kept.sum() - 0.5) < 4.5 * 0.5 / np.sqrt(kept.sum())


@pytest.mark.parametrize("name", OF_ONE)
@pytest.mark.parametrize(("n", "d"), [(400, 12), (40, 60)])
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-10), (SINGLE, 2e-5), (np.float16, 2e-5)])
def test_every_measure_of_sums_is_that_of_the_rows(name, n, d, dtype, rtol):
    x, measure = cloud(n, d).astype(dtype), getattr(metrics, name)
    summary = cloud_summary(x[: n // 3]).merge(cloud_summary(x[n // 3 :]))
    assert_allclose(measure(summary, **OF_ONE[name]), measure(x, **OF_ONE[name]), rtol=rtol, atol=rtol)


def test_debiased_measures_and_gaps_are_those_of_the_rows():
    x, y = cloud_summary(X), cloud_summary(Y)
    for measure in (metrics.isoscore, metrics.participation_ratio):
        assert_allclose(measure(x, debias=True), measure(X, debias=True), rtol=1e-10)
    assert_allclose(metrics.modality_gap(x, y), metrics.modality_gap(X, Y), rtol=1e-10)
    assert_allclose(metrics.modality_gap(x, Y), metrics.modality_gap(X, Y), rtol=1e-10)


def test_measures_of_a_summary_stay_where_the_rows_were(backend):
    x = backend.asarray(X)
    value = metrics.effective_rank(cloud_summary(x))
    assert type(value) is type(metrics.effective_rank(x))
    assert_allclose(float(value), metrics.effective_rank(X), rtol=1e-10)


def test_each_measure_of_one_cloud_answers_or_asks_for_the_rows():
    summary = cloud_summary(np.abs(X))
    answered = set()
    for name, row in metrics._measure.MEASURES.items():
        if row.needs == "cloud":
            with pytest.raises(TypeError, match="pass the rows themselves") if name not in OF_ONE else nullcontext():
                row(summary)
                answered.add(name)
    assert answered == set(OF_ONE) & set(metrics._measure.MEASURES)


def rounded(grids):
    """Return blocks of rows that are rounded in several ways."""
    x = default_rng(3).normal(size=(60, 4))
    kinds = {
        "double": x,
        "single": x.astype(SINGLE),
        "half": x.astype(np.float16),
        "counts": np.round(100 * x),
        "small counts": np.round(3 * x),
        "tiny halves": x.astype(np.float16) / 1024,
        "zeros": 0 * x,
    }
    return [kinds[grid].astype(float) for grid in grids]


KINDS = ("double", "single", "half", "counts", "small counts", "tiny halves", "zeros")


@pytest.mark.parametrize("kinds", [(a, b) for a in KINDS for b in KINDS])
def test_the_precision_of_merged_rows_is_that_of_all(kinds):
    blocks = rounded(kinds)
    assert cloud_summary(iter(blocks)).digits.spacing == precision(np.concatenate(blocks))


@pytest.mark.parametrize("d", [12, 500])
def test_the_mean_and_the_covariance_are_those_of_numpy(d):
    summary = cloud_summary(cloud(d=d))
    assert_allclose(summary.mean, cloud(d=d).mean(axis=0), rtol=1e-12)
    assert_allclose(summary.covariance, np.cov(cloud(d=d), rowvar=False), rtol=1e-10, atol=1e-12)


def test_a_summary_without_a_sample_answers_measures():
    folds = [cloud_summary(rows, max_rows=0) for rows in (X, Y)]
    merged = folds[0].merge(folds[1])
    assert merged.rows.shape == (0, 12)
    assert_allclose(metrics.isoscore(merged), metrics.isoscore(np.concatenate([X, Y])), rtol=1e-10)
    assert_allclose(metrics.isoscore(merged.subtract(folds[0])), metrics.isoscore(Y), rtol=1e-10)


# Files


@pytest.mark.parametrize("x", [X, X[:5].astype(SINGLE), np.zeros((3, 2))])
def test_a_file_keeps_every_bit(x, tmp_path):
    summary = cloud_summary(x, random_state=0)
    summary.save(tmp_path / "shard")
    found = load_summary(tmp_path / "shard")
    for one, other in zip(sums(summary), sums(found), strict=True):
        assert_array_equal(one, other)
    for name in ("rows", "keys"):
        one, other = getattr(summary, name), getattr(found, name)
        assert one.dtype == other.dtype
        assert_array_equal(one, other)
    assert (found.digits, found.max_rows) == (summary.digits, summary.max_rows)
    assert isinstance(found.moments.second, ThinMoments) == (len(x) < x.shape[1])
    assert [file.name for file in tmp_path.iterdir()] == ["shard"]


def test_a_summary_of_another_library_is_saved(backend, tmp_path):
    cloud_summary(backend.asarray(X)).save(tmp_path / "shard.npz")
    assert_same_sums(load_summary(tmp_path / "shard.npz"), cloud_summary(X))


def test_other_files_and_pieces_of_files_are_refused(tmp_path):
    path = tmp_path / "shard.npz"
    cloud_summary(X).save(path)
    whole = path.read_bytes()
    for content in (
        b"",
        b"text",
        whole[:100],
        whole[: len(whole) // 2],
        whole[:-1],
        whole[:5000] + b"?" + whole[5001:],
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="not a complete summary"):
            load_summary(path)
    np.save(tmp_path / "array.npy", X)
    np.savez(path, X=X)
    for other in (tmp_path / "array.npy", path):
        with pytest.raises(ValueError, match="not a complete summary"):
            load_summary(other)
    np.savez(path, skgeom_summary=2)
    with pytest.raises(ValueError, match=r"format 2.*update"):
        load_summary(path)
    np.savez(path, skgeom_summary=1, X=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="not a complete summary"):
        load_summary(path)
    with pytest.raises(FileNotFoundError):
        load_summary(tmp_path / "nowhere")


def test_a_file_without_all_arrays_is_no_summary(tmp_path):
    path = tmp_path / "shard.npz"
    cloud_summary(X).save(path)
    arrays = dict(np.load(path))
    for without in ("digits", "rows", "mean"):
        np.savez(path, **{name: values for name, values in arrays.items() if name != without})
        with pytest.raises(ValueError, match="not a complete summary"):
            load_summary(path)


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "shard.npz"
    cloud_summary(X, max_rows=0).save(path)

    def full(file, **arrays):
        file.write(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space"):
        cloud_summary(Y).save(path)
    assert [file.name for file in tmp_path.iterdir()] == ["shard.npz"]
    assert load_summary(path).n_rows == 400


def test_a_summary_weighs_a_scatter_matrix(tmp_path):
    cloud_summary(default_rng(0).normal(size=(300, 256)), max_rows=0).save(tmp_path / "shard")
    assert 524_288 < (tmp_path / "shard").stat().st_size < 535_000


@pytest.mark.parametrize("measure", ["effective_rank", "stable_rank", "variance_explained", "isoscore"])
def test_a_summary_that_was_asked_pickles(measure):
    summary, value_of = cloud_summary(X), getattr(metrics, measure)
    Whitening().fit(summary)
    value = value_of(summary)
    assert_array_equal(value_of(pickle.loads(pickle.dumps(summary))), value)


def test_only_summaries_are_merged_or_subtracted():
    summary, pairs = cloud_summary(X), paired_summary(X, X)
    for one, kind, other in (
        (summary, "CloudSummary", X),
        (summary, "CloudSummary", pairs),
        (pairs, "PairedSummary", summary),
    ):
        for combine in (one.merge, one.subtract):
            with pytest.raises(TypeError, match=rf"Expected a {kind}, got {type(other).__name__}"):
                combine(other)


# Estimators


@pytest.mark.filterwarnings("ignore:.*rows are few")
@pytest.mark.filterwarnings("ignore:X has rank")
@pytest.mark.parametrize("shape", [(400, 12), (40, 60)])
@pytest.mark.parametrize(
    "make",
    [
        lambda: Whitening(),
        lambda: Whitening(4, method="zca-cor", power=0.5),
        lambda: Whitening(shrinkage="ledoit_wolf"),
        lambda: Whitening(shrinkage="oas"),
        lambda: AllButTheTop(2),
    ],
)
def test_fitted_to_a_summary_is_fitted_to_the_rows(make, shape):
    x, more = cloud(*shape), cloud(60, shape[1], seed=5)
    rows = make().fit(x)
    found = make().fit(cloud_summary(x[:10]).merge(cloud_summary(x[10:])))
    assert found.n_features_in_ == shape[1]
    assert found.n_samples_seen_ == shape[0]
    assert_allclose(found.transform(x), rows.transform(x), atol=1e-7)
    rows.partial_fit(more)
    assert_allclose(found.partial_fit(cloud_summary(more)).transform(x), rows.transform(x), atol=1e-7)
    assert_allclose(make().fit(x).partial_fit(cloud_summary(more)).transform(x), rows.transform(x), atol=1e-7)
    assert_allclose(make().fit(cloud_summary(x)).partial_fit(more).transform(x), rows.transform(x), atol=1e-7)


@pytest.mark.parametrize("dtype", [SINGLE, np.float16])
def test_a_summary_drops_the_directions_that_the_rows_drop(dtype):
    x = X.astype(dtype)
    assert Whitening().fit(cloud_summary(x)).rank_ == Whitening().fit(x).rank_ == 9
    assert Whitening(device="cpu").fit(cloud_summary(x)).rank_ == 9


def test_summaries_that_an_estimator_cannot_take_are_refused():
    summary = cloud_summary(X)
    with pytest.raises(ValueError, match="sample_weight"):
        Whitening().fit(summary, sample_weight=np.ones(400))
    with pytest.raises(ValueError, match="3 features, but Whitening is expecting 12"):
        Whitening().fit(summary).partial_fit(cloud_summary(X[:, :3]))
    with pytest.raises(ValueError, match="1 row"):
        Whitening().fit(cloud_summary(X[:1]))
    with pytest.raises(TypeError, match="needs the rows"):
        Whitening().fit_transform(summary)


# What is refused


def test_what_is_merged_twice_or_drawn_alike_is_refused():
    summary = cloud_summary(X)
    with pytest.raises(ValueError, match="same rows"):
        summary.merge(summary)
    with pytest.raises(ValueError, match="random_state"):
        cloud_summary(X, random_state=0).merge(cloud_summary(Y, random_state=0))
    with pytest.raises(ValueError, match="features"):
        summary.merge(cloud_summary(X[:, :3]))


def test_what_is_no_part_is_refused():
    whole = cloud_summary(X, random_state=0)
    with pytest.raises(ValueError, match="400 rows, of 400"):
        whole.subtract(whole)
    with pytest.raises(ValueError, match="other rows"):
        whole.subtract(cloud_summary(X[:50]))
    with pytest.raises(ValueError, match="features"):
        whole.subtract(cloud_summary(X[:50, :3]))
    for z in (1.5 * (X[:200] - 0.5) + 0.5, 1e3 * Y):
        with pytest.raises(ValueError, match="negative"):
            cloud_summary(X, max_rows=0).subtract(cloud_summary(z, max_rows=0))


def test_rows_that_cannot_be_summed_or_asked_are_refused():
    with pytest.raises(ValueError, match="no blocks"):
        cloud_summary(iter([]))
    with pytest.raises(ValueError, match="a block of X contains NaN"):
        cloud_summary(iter([X, np.full((1, 12), np.nan)]))
    with pytest.raises(ValueError, match="features"):
        cloud_summary(iter([X, X[:, :3]]))
    with pytest.raises(ValueError, match="fourth powers"):
        cloud_summary(1e200 * X)
    with pytest.raises(ValueError, match=r"1 row.*minimum of 2"):
        metrics.isoscore(cloud_summary(X[:1]))
    with pytest.raises(ValueError, match="minimum of 4"):
        metrics.isoscore(cloud_summary(X[:3]), debias=True)
    summary = cloud_summary(X).merge(cloud_summary(np.zeros((2, 12))))
    with pytest.raises(ValueError, match="X has 2 zero rows"):
        metrics.average_cosine(summary)
    with pytest.raises(ValueError, match="Y has 2 zero rows"):
        metrics.modality_gap(X, summary)
    assert_allclose(metrics.isoscore(summary), metrics.isoscore(np.concatenate([X, np.zeros((2, 12))])), rtol=1e-10)


# Recipes of the guide


def test_processes_and_a_shell_loop_sum_up_what_one_array_holds(tmp_path):
    blocks, whole = np.split(X, 2), cloud_summary(X)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert_same_sums(reduce(CloudSummary.merge, pool.map(cloud_summary, blocks)), whole)
    for i, rows in enumerate(blocks):
        np.save(tmp_path / f"{i}.npy", rows)
    text = (Path(__file__).parents[2] / "doc/guide/scale.rst").read_text(encoding="utf-8")
    loop = text.partition("code-block:: bash\n\n")[2].partition("\n\n")[0]
    loop = dedent(loop).replace("shards", str(tmp_path)).replace("python", sys.executable)
    subprocess.run(["bash", "-ec", loop], check=True)
    found = [load_summary(path) for path in tmp_path.glob("*.summary")]
    assert_same_sums(reduce(CloudSummary.merge, found), whole)


# Standard errors


@pytest.mark.parametrize("kept", [0, 10, 1000])
def test_the_sample_of_a_rest_has_no_row_of_the_part(kept):
    part = cloud_summary(np.zeros((100, 3)) + 7, max_rows=1000, random_state=0)
    whole = part.merge(cloud_summary(default_rng(0).normal(size=(200, 3)), max_rows=1000, random_state=1))
    fewer = cloud_summary(np.zeros((100, 3)) + 7, max_rows=kept, random_state=0)
    rest = whole.subtract(fewer)
    assert rest.n_rows == 200
    assert not (rest.rows == 7).all(axis=1).any()
    assert (kept == 0) == (len(rest.rows) == 0)


def test_the_error_from_summaries_is_that_of_their_rows_as_groups():
    sizes = np.array([30, 50, 20, 40, 40, 20, 30, 50, 60, 40, 20])
    shards = [cloud_summary(rows) for rows in np.split(X, np.cumsum(sizes)[:-1])]
    for name in ("isoscore", "average_cosine"):
        value, error, *_ = metrics.estimate(name, shards)
        measure = getattr(metrics, name)
        ends = np.cumsum(sizes)
        left = [measure(np.delete(X, np.s_[end - n : end], axis=0)) for end, n in zip(ends, sizes, strict=True)]
        whole, h = measure(X), 400 / sizes
        centre = 11 * whole - np.sum((1 - 1 / h) * left)
        pseudo = h * whole - (h - 1) * left
        assert_allclose(value, whole, rtol=1e-10)
        assert_allclose(error, np.sqrt(10 / 11 * np.sum(((pseudo - centre) / (h - 1)) ** 2)), rtol=1e-6)


def test_the_error_of_a_gap_from_summaries_of_both_sides():
    x, y = ([cloud_summary(rows) for rows in np.split(z, 20)] for z in (X, Y))
    rows = metrics.estimate("modality_gap", X, Y, groups=(np.arange(400) // 20, np.arange(200) // 10))
    for paired in (False, True):
        found = metrics.estimate("modality_gap", x, y, paired=paired)
        assert_allclose(found.value, rows.value, rtol=1e-10)
        assert 0.5 < found.standard_error / rows.standard_error < 2
        assert found.n_blocks == (20 if paired else 40)


def test_summaries_without_an_error_are_refused():
    shards = [cloud_summary(rows) for rows in np.split(X, 10)]
    with pytest.raises(ValueError, match="9 summaries"):
        metrics.estimate("isoscore", shards[:9])
    with pytest.raises(ValueError, match="groups"):
        metrics.estimate("isoscore", shards, groups=np.arange(10))
    with pytest.raises(TypeError, match="mixed"):
        metrics.estimate("modality_gap", shards, Y)
    with pytest.raises(ValueError, match="equal numbers of summaries"):
        metrics.estimate("modality_gap", shards, [cloud_summary(rows) for rows in np.split(Y, 20)], paired=True)
    with pytest.raises(TypeError, match="needs the rows"):
        metrics.estimate("uniformity", shards)
    with pytest.raises(ValueError, match="pass a list"):
        metrics.estimate("isoscore", shards[0])
