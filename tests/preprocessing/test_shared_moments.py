"""SharedMoments: a search sums up each fold once, and nothing else about it changes."""

import pickle
import tracemalloc
import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_backend
from scipy.linalg import lapack
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skgeom import _estimator
from skgeom._core.sums._moments import DenseMoments, ThinMoments
from skgeom.preprocessing import AllButTheTop, GroupWhitening, SharedMoments, Whitening, _shared_moments

rng = np.random.default_rng(0)
X = (rng.normal(size=(120, 8)) * np.arange(1, 9) + 3).astype(np.float32)
Y = np.arange(120) % 3
WEIGHTS = rng.integers(1, 4, size=120).astype(float)

TRANSFORMERS = [
    Whitening(),
    Whitening(3, power=0.5),
    Whitening(shrinkage="ledoit_wolf"),
    Whitening(shrinkage="oas"),
    Whitening(shrinkage=0.1),
    Whitening(method="zca-cor"),
    Whitening(method="cholesky", normalize=True),
    Whitening(method="pca-cor", shrinkage=0.1),
    AllButTheTop(2),
    AllButTheTop(2, projection="raw"),
]


def fitted(transformer, x, memory=None, **fit_params):
    params = {f"{type(transformer).__name__.lower()}__{name}": value for name, value in fit_params.items()}
    return make_pipeline(clone(transformer), "passthrough", memory=memory).fit(x, **params)[0]


def as_bytes(value):
    return (value.dtype, value.shape, np.asarray(value).tobytes()) if hasattr(value, "dtype") else value


def public(estimator):
    return {name: as_bytes(value) for name, value in vars(estimator).items() if name.endswith("_")}


def assert_same_fit(a, b, x):
    assert public(a) == public(b)
    assert as_bytes(a.transform(x)) == as_bytes(b.transform(x))


@pytest.fixture
def sums(monkeypatch):
    """The rows that a transformer summed up, one entry for each time."""
    summed = []

    def counted(summary, x, w):
        summed.append(x)
        return summary(x, w)

    for name in ("ranked_moments", "ranked_fourth_moments"):
        monkeypatch.setattr(_estimator, name, partial(counted, getattr(_estimator, name)))
    return summed


@pytest.fixture
def decompositions(monkeypatch):
    """The moments whose axes were computed, one entry for each time."""
    decomposed = []

    def counted(axes, m):
        decomposed.append(m)
        return axes(m)

    for form in (DenseMoments, ThinMoments):
        axes = form.axes
        monkeypatch.setattr(form, "axes", lambda m, axes=axes: counted(axes, m))
    return decomposed


def test_a_search_sums_up_and_decomposes_each_fold_once(sums, decompositions):
    grid = {"whitening__n_components": [1, 2, 4], "whitening__power": [0.0, 1.0], "whitening__method": ["pca", "zca"]}
    GridSearchCV(make_pipeline(Whitening(), NearestCentroid(), memory=SharedMoments()), grid, cv=3).fit(X, Y)
    assert (len(sums), len(decompositions)) == (4, 4)  # three folds, and all rows for the refit


def test_the_axes_of_each_shrinkage_and_of_the_correlations_are_found_once(sums, decompositions):
    memory = SharedMoments()
    for k in (1, 2, 3):
        for transformer in (Whitening(k), Whitening(k, shrinkage=0.1), Whitening(k, method="pca-cor")):
            fitted(transformer, X, memory)
    assert (len(sums), len(decompositions)) == (1, 3)


@pytest.mark.parametrize("jobs", [None, "loky", "threading"])
def test_scores_and_the_best_estimator_are_those_of_a_search_without(jobs):
    def search(memory):
        model = make_pipeline(Whitening(), NearestCentroid(), memory=memory)
        grid = {
            "whitening__n_components": [1, 4],
            "whitening__power": [0.5, 1.0],
            "whitening__shrinkage": [None, "oas", "ledoit_wolf", 0.2],
        }
        return GridSearchCV(model, grid, cv=3, n_jobs=jobs and 2).fit(X, Y)

    plain = search(None)
    with parallel_backend(jobs or "loky"):
        shared = search(SharedMoments())
    for name in plain.cv_results_:
        if name.endswith("test_score"):
            np.testing.assert_array_equal(shared.cv_results_[name], plain.cv_results_[name])
    assert_same_fit(shared.best_estimator_[0], plain.best_estimator_[0], X)


@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=repr)
def test_a_fit_from_shared_moments_is_the_same_to_the_last_bit(transformer):
    memory = SharedMoments()
    wide = np.ascontiguousarray(X[:6])
    for other in (*TRANSFORMERS, transformer):
        for x in (X, wide):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                shared, plain = fitted(other, x, memory), fitted(other, x)
            assert_same_fit(shared, plain, x)


@pytest.fixture(params=["compared", "hashed"])
def identified_by(request, monkeypatch):
    """Rows are told apart by their bytes, or, as those that are too large to keep, by a hash."""
    if request.param == "hashed":
        monkeypatch.setattr(_shared_moments, "_SHARES", 2**62)


@pytest.mark.usefixtures("identified_by")
def test_whatever_the_sums_depend_on_distinguishes_moments(sums):
    memory, later, bit = SharedMoments(), X.copy(), X.copy()
    bit.view(np.uint32)[-1, -1] ^= 1
    spaced = np.zeros((len(X), 16), np.float32)[:, ::2]
    spaced[:] = X
    clouds = [X, X.astype(np.float64), np.asfortranarray(X), spaced, X[::-1], X[:, ::-1], X.reshape(60, 16), bit, later]
    for x in clouds:
        assert_same_fit(fitted(Whitening(4), x, memory), fitted(Whitening(4), x), x)
    later[5] += 1
    assert_same_fit(fitted(Whitening(4), later, memory), fitted(Whitening(4), later), later)
    for w in (WEIGHTS, WEIGHTS[::-1], np.ones(len(X)), WEIGHTS * (np.arange(len(X)) > 9)):
        given = fitted(Whitening(4), X, memory, sample_weight=w)
        assert_same_fit(given, fitted(Whitening(4), X, sample_weight=w), X)
    fitted(Whitening(4, shrinkage="ledoit_wolf"), X, memory)
    fourth = 1
    shared = len(clouds) - 1 + 1 + 4 + fourth  # `later` began as X
    plain = len(clouds) + 1 + 4
    assert len(sums) == shared + plain


@pytest.mark.usefixtures("identified_by")
def test_the_last_bit_of_many_blocks_counts(sums):
    tall, memory = rng.normal(size=(20_000, 20)), SharedMoments()
    fitted(Whitening(2), tall, memory)
    tall.view(np.uint64)[-1, -1] ^= 1
    fitted(Whitening(2), tall, memory)
    assert len(sums) == 2


@pytest.mark.usefixtures("identified_by")
def test_equal_bytes_from_anywhere_are_equal_rows(sums, tmp_path):
    np.save(tmp_path / "rows.npy", X)
    memory = SharedMoments()
    for x in (X, X.copy(), np.load(tmp_path / "rows.npy", mmap_mode="r"), X[:100:1][:100], X[:100].copy()):
        fitted(Whitening(2), x, memory)
    assert len(sums) == 2


def test_frames_keep_their_names_and_their_output(sums):
    frame, memory = pd.DataFrame(X, columns=list("abcdefgh")), SharedMoments()
    for _ in range(2):
        shared, plain = (fitted(Whitening(2).set_output(transform="pandas"), frame, m) for m in (memory, None))
        assert list(shared.feature_names_in_) == list("abcdefgh")
        pd.testing.assert_frame_equal(shared.transform(frame), plain.transform(frame))
    assert len(sums) == 3


def test_tensors_stay_tensors_and_are_no_arrays(sums):
    torch, memory = pytest.importorskip("torch"), SharedMoments()
    for x in (X, torch.asarray(X), X, torch.asarray(X)):
        shared = fitted(Whitening(2), x, memory)
        assert type(shared.mean_) is type(x)
        assert_same_fit(shared, fitted(Whitening(2), x), x)
    assert len(sums) == 2 + 4


def test_what_one_estimator_is_made_to_forget_the_next_still_knows():
    memory = SharedMoments()
    for transformer in TRANSFORMERS:
        spoilt = fitted(transformer, X, memory)
        spoilt.partial_fit(X[:50] + 1)
        spoilt = fitted(transformer, X, memory)
        for value in vars(spoilt).values():
            if isinstance(value, np.ndarray):
                value[...] = 7
        assert_same_fit(fitted(transformer, X, memory), fitted(transformer, X), X)


def test_batches_go_on_from_shared_moments():
    memory = SharedMoments()
    for _ in range(2):
        assert_same_fit(
            fitted(Whitening(3), X, memory).partial_fit(X[:50] + 1), fitted(Whitening(3), X).partial_fit(X[:50] + 1), X
        )


class ByOwnSum(Whitening):
    """A whitening about a point of its own, with a sum that it makes for each fit."""

    def __init__(self, n_components=None, *, shift=0.0):
        super().__init__(n_components)
        self.shift = shift

    def _summary(self, seen=None):
        summary = super()._summary(seen)
        return lambda x, w: summary(x + self.shift, w)


def test_a_subclass_with_a_sum_of_its_own_is_never_given_another():
    memory = SharedMoments()
    for shift in (0.0, 1.0, 2.0):
        found = fitted(ByOwnSum(2, shift=np.float32(shift)), X, memory).mean_
        np.testing.assert_allclose(found, X.mean(axis=0) + shift, rtol=1e-5)


def outcome(transformer, x, memory):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            fitted(transformer, x, memory)
        except (TypeError, ValueError) as error:
            return type(error), str(error)
    return [(w.category, str(w.message)) for w in caught]


HOSTILE = {
    "power out of range": (Whitening(power=2), X),
    "a count that is none": (Whitening(2.5), X),
    "a device that is none": (Whitening(device="tpu"), X),
    "more directions than there are": (AllButTheTop(9), X),
    "NaN": (Whitening(), np.where(X > 8, np.nan, X)),
    "no spread": (Whitening(), np.ones((9, 3))),
    "one row": (Whitening(), X[:1]),
    "a warning of the rank": (Whitening(50), X),
    "a warning of few rows": (Whitening(), X[:12]),
    "a warning of missing groups": (GroupWhitening(), X),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_errors_and_warnings_come_every_time_as_without(case):
    memory, plain = SharedMoments(), outcome(*HOSTILE[case], None)
    assert plain
    assert [outcome(*HOSTILE[case], memory) for _ in range(2)] == [plain, plain]


def test_outside_a_pipeline_that_has_it_nothing_is_shared(sums):
    memory = SharedMoments()
    with pytest.raises(ValueError, match="power"):
        fitted(Whitening(power=2), X, memory)
    fitted(Whitening(2), X, memory)
    Whitening(2).fit(X)
    fitted(Whitening(2), X)
    fitted(Whitening(2), X, SharedMoments())
    assert len(sums) == 4


def test_rows_on_another_device_are_summed_as_without(sums):
    strict = pytest.importorskip("array_api_strict")
    for name, expected in (("CPU_DEVICE", 1), ("device1", 3)):
        x, memory = strict.asarray(X, device=strict.Device(name)), SharedMoments()
        for k in (2, 3):
            fitted(Whitening(k), x, memory)
        assert len(sums) == expected


def test_the_steps_of_a_pipeline_are_fitted_themselves():
    whitening = Whitening(2)
    model = make_pipeline(whitening, NearestCentroid(), memory=SharedMoments()).fit(X, Y)
    assert model[0] is whitening


def test_a_clone_refers_to_it_and_a_pickle_is_small():
    memory = SharedMoments(12345)
    fitted(Whitening(2), rng.normal(size=(900, 300)), memory)
    assert clone(make_pipeline(Whitening(), "passthrough", memory=memory)).memory is memory
    stored = pickle.dumps(memory)
    assert len(stored) < 300
    assert repr(pickle.loads(stored)) == "SharedMoments(max_bytes=12345)"


def test_pickles_of_one_are_one_in_another_process_and_those_of_two_are_two(sums):
    first, second = SharedMoments(), SharedMoments()
    for stored in map(pickle.dumps, (first, first, second)):
        fitted(Whitening(2), X, pickle.loads(stored))
    assert len(sums) == 2


D = 200
FOLD_BYTES = (24 if hasattr(lapack, "dstevd") else 16) * D * (D + 1)  # the scatter and one decomposition
CLOUDS = [rng.normal(size=(2 * D, D)) for _ in range(6)]


def test_moments_that_were_not_used_for_longest_go_first(sums):
    memory, (a, b, c, *_) = SharedMoments(2 * FOLD_BYTES), CLOUDS
    for x, known in ((a, False), (b, False), (a, True), (c, False), (a, True), (c, True), (b, False), (a, False)):
        before = len(sums)
        fitted(Whitening(2), x, memory)
        assert (len(sums) == before) == known


def test_what_follows_from_moments_counts_against_the_bound(sums):
    memory = SharedMoments(FOLD_BYTES * 2 // 3)  # room for the moments, and none for their axes
    for _ in range(2):
        fitted(Whitening(2), CLOUDS[0], memory)
    assert len(sums) == 2


def test_the_bound_holds_between_fits_inside_one_step(sums):
    moved = make_pipeline(FunctionTransformer(lambda x: x + 1), Whitening(2))
    steps = FeatureUnion([("first", Whitening(2)), ("second", moved), ("third", Whitening(3))])
    make_pipeline(steps, "passthrough", memory=SharedMoments(FOLD_BYTES)).fit(CLOUDS[0])
    assert len(sums) == 3


def memory_of(shared):
    """Return the peak of fits to many clouds, and what is left of them, in bytes."""
    tracemalloc.start()
    for x in CLOUDS:
        for k in (2, 3):
            fitted(Whitening(k, method="zca-cor", shrinkage=0.1), x, shared)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak, kept


@pytest.mark.parametrize("bound", [4 * FOLD_BYTES, 11 * FOLD_BYTES])
def test_memory_stays_within_the_bound_above_that_of_a_fit_without(bound):
    """A larger bound has room for rows too. A fold here has two more forms, shrunk and scaled."""
    fold, slack = 5 * FOLD_BYTES // 3 + CLOUDS[0].nbytes, 1 << 17
    plain, _ = memory_of(None)
    peak, kept = memory_of(SharedMoments(bound))
    assert bound / 4 < kept < bound + slack
    assert peak < plain + bound + fold + slack


def test_no_room_and_clearing_forget_everything(sums):
    nothing, memory = SharedMoments(0), SharedMoments()
    for _ in range(2):
        fitted(Whitening(2), X, nothing)
        fitted(Whitening(2), X, memory)
        memory.clear()
    assert len(sums) == 4


@pytest.mark.parametrize(("max_bytes", "error"), [(1.5, TypeError), (True, TypeError), (-1, ValueError)])
def test_the_bound_is_a_count(max_bytes, error):
    with pytest.raises(error, match="max_bytes"):
        SharedMoments(max_bytes)
