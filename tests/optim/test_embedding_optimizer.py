"""EmbeddingOptimizer: the loss it descends, what it records, what it keeps, and what it refuses."""

import pickle
from functools import partial

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.special import expit, log_softmax
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import silhouette_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgeom.metrics import collapse_bound, isoscore, partition_isotropy, uniformity
from skgeom.metrics._measure import MEASURES
from skgeom.optim import EmbeddingOptimizer, spherical_code


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:200] / 16, y[:200]


def quick(*args, **kwargs):
    return EmbeddingOptimizer(
        *args, **{"parametrization": "points", "max_iter": 5, "learning_rate": 0.01, "random_state": 0, **kwargs}
    )


def rows(z):
    return z


def squares_to_one(z):
    return ((z - 1) ** 2).mean()


def cross_entropy(rows, optimizer, codes):
    logits = rows @ optimizer.coef_.T + optimizer.intercept_
    return -log_softmax(logits, axis=1)[np.arange(len(codes)), codes].mean()


class Failing:
    """An objective that does something else at its k-th call."""

    def __init__(self, k, what):
        self.left = k
        self.what = what

    def __call__(self, z):
        self.left -= 1
        return self.what(z) if self.left == 0 else squares_to_one(z)


def interrupt(z):
    raise KeyboardInterrupt


def test_updates_are_those_of_a_plain_loop_of_torch():
    X = np.random.default_rng(0).normal(size=(20, 3))
    z = torch.tensor(X, requires_grad=True)
    adam = torch.optim.Adam([z], lr=0.01)
    losses = []
    for _ in range(6):
        losses.append(squares_to_one(z).item())
        adam.zero_grad()
        squares_to_one(z).backward()
        if len(losses) < 6:
            adam.step()
    optimizer = quick(squares_to_one).fit(X)
    np.testing.assert_allclose(optimizer.history_.loss, losses, rtol=1e-12)
    np.testing.assert_allclose(optimizer.embedding_, z.detach().numpy(), rtol=1e-12)
    assert optimizer.n_iter_ == 5
    assert optimizer.loss_ == optimizer.history_.loss[-1]
    np.testing.assert_array_equal(optimizer.history_.iteration, range(6))


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_cross_entropy_is_that_of_the_head(digits, fit_intercept):
    X, y = digits
    optimizer = quick(fit_intercept=fit_intercept).fit(X, y.astype(str))
    assert optimizer.coef_.shape == (10, 64)
    assert bool(optimizer.intercept_.any()) is fit_intercept
    assert optimizer.classes_.tolist() == [str(i) for i in range(10)]
    assert cross_entropy(optimizer.embedding_, optimizer, y) == pytest.approx(optimizer.loss_, rel=1e-9)


def test_binary_cross_entropy_takes_several_labels_whose_vectors_are_the_clusters(digits):
    X, y = digits
    Y = np.stack([y % 2, y > 4, y == 0], axis=1)
    optimizer = quick("binary_cross_entropy").fit(X, Y)
    p = expit(optimizer.embedding_ @ optimizer.coef_.T + optimizer.intercept_)
    assert optimizer.loss_ == pytest.approx(-np.log(np.where(Y, p, 1 - p)).mean(), rel=1e-9)
    clusters = np.unique(Y, axis=0, return_inverse=True)[1].reshape(-1)
    expected = silhouette_score(optimizer.embedding_, clusters)
    assert optimizer.history_["silhouette"][-1] == pytest.approx(expected, abs=1e-9)
    assert not hasattr(optimizer, "classes_")


def test_pairs_are_classified_and_clustered_side_by_side(digits):
    X, y = digits
    pairs = np.random.default_rng(0).integers(200, size=(150, 2))
    same = (y[pairs[:, 0]] == y[pairs[:, 1]]).astype(int)
    optimizer = quick().fit(X, same, pairs=pairs)
    Z = optimizer.embedding_
    joint = np.hstack([Z[pairs[:, 0]], Z[pairs[:, 1]]])
    assert cross_entropy(joint, optimizer, same) == pytest.approx(optimizer.loss_, rel=1e-9)
    assert optimizer.history_["silhouette"][-1] == pytest.approx(silhouette_score(joint, same), abs=1e-9)
    assert optimizer.history_["isoscore"][-1] == pytest.approx(isoscore(Z), abs=1e-12)
    batched = quick(batch_size=64, max_iter=30).fit(X, same, pairs=pairs)
    assert batched.history_.loss[-2:].mean() < batched.history_.loss[:2].mean()


def test_items_may_share_rows(digits):
    X, y = digits
    rows = np.arange(200) // 2  # each of 100 rows has two labels
    optimizer = quick().fit(X[:100], y % 2, pairs=rows[:, None])
    Z = optimizer.embedding_
    assert Z.shape == (100, 64)
    assert cross_entropy(Z[rows], optimizer, y % 2) == pytest.approx(optimizer.loss_, rel=1e-9)
    assert optimizer.history_["silhouette"][-1] == pytest.approx(silhouette_score(Z[rows], y % 2), abs=1e-9)
    assert optimizer.history_["isoscore"][-1] == pytest.approx(isoscore(Z), abs=1e-12)


def test_the_start_and_the_end_are_always_measured(digits):
    X, y = digits
    optimizer = quick(max_iter=5, monitor_every=3).fit(X, y)
    assert optimizer.history_.iteration.tolist() == [0, 3, 5]
    for Z, place in ((X, 0), (optimizer.embedding_, -1)):
        assert optimizer.history_["isoscore"][place] == pytest.approx(isoscore(Z), abs=1e-12)
        assert optimizer.history_["silhouette"][place] == pytest.approx(silhouette_score(Z, y), abs=1e-9)


def test_the_head_starts_as_that_of_torch_does(digits):
    X, y = digits
    optimizer = quick(optimizer="sgd", learning_rate=1e-12).fit(X, y)
    drawn = np.abs(np.append(optimizer.coef_, optimizer.intercept_))
    assert drawn.max() <= 1 / 8
    assert drawn.max() > 0.95 / 8
    assert drawn.mean() == pytest.approx(1 / 16, rel=0.1)


def test_the_same_seed_gives_the_same_result_and_the_global_generator_rests(digits):
    X, y = digits
    state = torch.random.get_rng_state()
    runs = [quick(batch_size=32, random_state=seed).fit_transform(X, y) for seed in (0, 0, 1)]
    quick("sliced_dispersion", constraint="sphere", monitor=None).fit(X)
    np.testing.assert_array_equal(runs[0], runs[1])
    assert (runs[0] != runs[2]).any()
    assert torch.equal(torch.random.get_rng_state(), state)


def test_random_directions_come_from_the_seed(digits):
    objective = partial(partition_isotropy, directions="random")
    runs = [quick(objective, monitor=None, random_state=seed).fit_transform(digits[0]) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert (runs[0] != runs[2]).any()


def test_a_name_alone_gets_better_and_weights_of_a_dict_are_taken_as_they_are(digits):
    X, y = digits
    assert quick("isoscore").fit(X).history_["isoscore"][-1] > isoscore(X) + 0.01
    assert quick({"isoscore": 1.0}).fit(X).history_["isoscore"][-1] < isoscore(X) - 0.01
    history = quick({"cross_entropy": 0.5, "isoscore": -2.0, squares_to_one: 3.0}).fit(X, y).history_
    assert history.terms == ("cross_entropy", "isoscore_term", "squares_to_one")
    total = 0.5 * history["cross_entropy"] - 2 * history["isoscore_term"] + 3 * history["squares_to_one"]
    np.testing.assert_allclose(history.loss, total, rtol=1e-12)
    np.testing.assert_allclose(history["isoscore_term"], history["isoscore"], rtol=1e-9)


def test_losses_of_the_package_can_be_partial():
    X = np.random.default_rng(0).normal(size=(30, 3))
    history = quick(partial(uniformity, t=4), monitor=None).fit(X).history_
    assert history["uniformity"][0] == pytest.approx(uniformity(torch.tensor(X), t=4).item())


@pytest.mark.parametrize("parameters", [{}, {"parametrization": "linear"}, {"monitor_sample": 100}])
def test_a_monitor_that_writes_into_its_rows_changes_nothing_else(parameters):
    def overwrite(z):
        z[:] = 0
        return 0.0

    X = np.random.default_rng(0).normal(size=(120, 3))
    fit = lambda *monitors: quick("uniformity", **parameters, monitor=[*monitors, "isoscore"]).fit(X)
    np.testing.assert_array_equal(fit(overwrite).history_["isoscore"], fit().history_["isoscore"])
    np.testing.assert_array_equal(fit(overwrite).fit_transform(X), fit().fit_transform(X))


def test_functions_without_a_signature_take_the_rows():
    X = np.random.default_rng(0).normal(size=(6, 2))
    history = quick(torch.mean, monitor=np.max).fit(X).history_
    assert history["mean"][0] == pytest.approx(X.mean())
    assert history["max"][0] == X.max()


def test_a_monitor_that_returns_no_number_is_named():
    with pytest.raises(TypeError, match=r"The monitor 'rows' must return one number, got shape \(6, 2\)"):
        quick("uniformity", monitor=rows).fit(np.random.default_rng(0).normal(size=(6, 2)))


def test_random_monitors_draw_the_same_each_time():
    X = np.random.default_rng(0).normal(size=(30, 3))
    fit = lambda: quick("retention", monitor=["lloyd", "uniformity"], max_iter=3).fit(X).history_["lloyd"]
    assert np.ptp(fit()) < 1e-12  # nothing moves the rows
    assert_allclose(fit(), fit(), rtol=0)


def test_every_measure_of_rows_is_a_monitor_and_every_differentiable_one_an_objective():
    X, y = np.random.default_rng(0).normal(size=(30, 3)) + 0.2, np.arange(30) % 3
    names = [name for name, row in MEASURES.items() if row.needs in ("cloud", "labels")]
    history = quick("retention", monitor=names, max_iter=1).fit(X, y).history_
    assert history.monitors == tuple(names)
    for name in names:
        row = MEASURES[name]
        seed = {"random_state": 0} if row.is_random else {}
        assert_allclose(history[name][0], row(X, *row.besides(labels=y), **seed), rtol=1e-9)
    for name, row in MEASURES.items():
        if row.differentiable and row.direction:
            target = {"labels": y, "partners": X[::-1] + 0.1, "clouds": X[::-1] + 0.1}.get(row.needs)
            values = quick(name, monitor=None, max_iter=2, learning_rate=1e-6).fit(X, target).history_[name]
            assert row.direction * (values[-1] - values[0]) >= 0 or row.is_random, name


@pytest.mark.parametrize("name", ["alignment_loss", "clip_loss"])
def test_target_embeddings_attract(digits, name):
    X, _ = digits
    target = np.roll(X, 1, axis=1)
    optimizer = quick(name, monitor="isoscore", batch_size=50, max_iter=30).fit(X, target)
    assert optimizer.history_.loss[-1] < 0.95 * optimizer.history_.loss[0]
    with pytest.raises(ValueError, match=f"pairs can only be used with labels of pairs, but {name} compares"):
        quick(name).fit(X, target, pairs=[[0, 1]])


def test_retention_holds_the_rows_where_they_started(digits):
    X, y = digits
    free, held = (quick({"cross_entropy": 1, "retention": w}, max_iter=50).fit(X, y) for w in (0, 100))
    assert np.abs(held.embedding_ - X).max() < 0.2 * np.abs(free.embedding_ - X).max()


def test_callables_get_y_if_they_ask_for_it(digits):
    X, y = digits
    seen = {}

    def objective(embedding, y):
        seen["objective"] = y
        return squares_to_one(embedding)

    def monitor(embedding, y):
        seen["monitor"] = y
        return len(embedding)

    history = quick(objective, monitor=[monitor, lambda z: 1.5, np.max]).fit(X, y.astype(str)).history_
    assert history.monitors == ("monitor", "<lambda>", "max")
    assert history["monitor"].tolist() == [200] * 6
    assert seen["monitor"].dtype.kind == "U"
    np.testing.assert_array_equal(seen["objective"], y)


def test_measures_of_labels_are_left_out_where_y_has_none(digits):
    X, _ = digits
    for y in (None, np.linspace(0, 1, 200)):
        assert quick("uniformity").fit(X, y).history_.monitors == ("isoscore",)


def test_a_linear_map_starts_from_the_identity_and_maps_new_rows(digits):
    X, y = digits
    optimizer = quick(parametrization="linear")
    with pytest.raises(NotFittedError):
        optimizer.transform(X)
    Z = optimizer.fit_transform(X[:100], y[:100])
    assert 0 < np.abs(optimizer.map_ - np.eye(64)).max() < 0.1
    np.testing.assert_allclose(Z, X[:100] @ optimizer.map_)
    np.testing.assert_allclose(optimizer.transform(X[100:]), X[100:] @ optimizer.map_)
    assert optimizer.history_["silhouette"][0] == pytest.approx(silhouette_score(X[:100], y[:100]), abs=1e-9)
    assert not hasattr(optimizer, "embedding_")
    frame = optimizer.set_output(transform="pandas").transform(X)
    assert list(frame.columns) == [f"embeddingoptimizer{i}" for i in range(64)]


def test_points_have_no_transform_and_say_so(digits):
    X, y = digits
    optimizer = quick()
    Z = optimizer.set_output(transform="pandas").fit_transform(X, y)
    np.testing.assert_array_equal(Z.to_numpy(), optimizer.embedding_)
    assert not hasattr(optimizer, "transform")
    with pytest.raises(AttributeError, match="has no attribute 'transform'") as raised:
        optimizer.transform(X)
    assert "use fit_transform" in str(raised.value.__cause__)


def test_before_another_step_points_are_refused_without_an_update_and_a_map_works(digits):
    X, y = digits
    calls = []
    points = make_pipeline(quick(monitor=calls.append), LogisticRegression())
    with pytest.raises(TypeError, match="implement fit and transform"):
        points.fit(X, y)
    assert calls == []
    by_default = make_pipeline(EmbeddingOptimizer(max_iter=20, monitor=None, random_state=0), LogisticRegression())
    assert by_default.fit(X[:150], y[:150]).score(X[150:], y[150:]) > 0.7


@pytest.mark.parametrize("parametrization", ["points", "linear"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_constraints_hold_the_norms(digits, parametrization, optimizer):
    X, y = digits
    norms = np.linalg.norm(X, axis=1)
    for constraint, expected in (("sphere", np.ones(200)), ("fixed_norm", norms)):
        moved = quick(parametrization=parametrization, optimizer=optimizer, constraint=constraint).fit(X, y)
        Z = moved.embedding_ if parametrization == "points" else moved.transform(X)
        np.testing.assert_allclose(np.linalg.norm(Z, axis=1), expected, rtol=1e-12)
        assert moved.history_.loss[-1] < moved.history_.loss[0]
    np.testing.assert_allclose(cross_entropy(Z, moved, y), moved.loss_, rtol=1e-9)


def test_batches_take_every_row_once_an_epoch():
    seen = []

    def objective(embedding):
        seen.extend(embedding[:, 0].round().int().tolist())
        return (embedding * 1e-9).mean()

    quick(objective, batch_size=4, max_iter=4, monitor=None).fit(np.arange(20.0).reshape(10, 2) / 2)
    assert len(seen) == 20
    assert len(set(seen[:8])) == len(set(seen[8:16])) == 8


def test_objectives_of_labels_see_the_labels_of_the_batch(digits):
    X, y = digits
    optimizer = quick("classifier_objective", constraint="sphere", batch_size=32, learning_rate=0.1, max_iter=40)
    silhouettes = optimizer.fit(X, y).history_["silhouette"]
    assert silhouettes[-1] > silhouettes[0] + 0.05


def test_tol_stops_early_or_says_that_it_could_not(digits):
    X, y = digits
    early = quick(max_iter=300, tol=1e-2, learning_rate=0.05).fit(X, y)
    assert 10 < early.n_iter_ < 300
    assert early.history_.iteration[-1] == early.n_iter_
    with pytest.warns(ConvergenceWarning, match="Increase max_iter"):
        quick(max_iter=3, tol=1e-6).fit(X, y)


def test_an_interrupt_keeps_the_best_state_and_the_history(digits):
    X, _ = digits
    with pytest.warns(ConvergenceWarning, match="after 3 updates because it was interrupted"):
        optimizer = quick(Failing(4, interrupt)).fit(X)
    assert optimizer.was_interrupted_
    assert optimizer.n_iter_ == 3
    assert optimizer.history_.iteration.tolist() == [0, 1, 2]
    assert optimizer.loss_ == optimizer.history_.loss[-1]
    assert squares_to_one(torch.tensor(optimizer.embedding_)).item() == pytest.approx(optimizer.loss_, rel=1e-12)


@pytest.mark.parametrize(
    ("objective", "reason"),
    [
        (Failing(4, lambda z: (z * np.nan).mean()), "the loss became nan"),
        (Failing(4, lambda z: z.mean() * -np.inf), "the loss became -?inf"),
        (Failing(4, lambda z: (z * np.inf).square().sum()), "the loss became inf, and its gradient is not finite"),
    ],
    ids=["nan", "minus inf", "inf"],
)
def test_a_loss_that_breaks_down_keeps_the_best_state(digits, objective, reason):
    X, _ = digits
    with pytest.warns(ConvergenceWarning, match=reason):
        optimizer = quick(objective).fit(X)
    assert not optimizer.was_interrupted_
    assert squares_to_one(torch.tensor(optimizer.embedding_)).item() == pytest.approx(optimizer.loss_, rel=1e-12)
    assert optimizer.loss_ == optimizer.history_.loss.min()


def test_a_loss_that_rises_keeps_the_best_state():
    X = np.random.default_rng(0).normal(size=(20, 3))
    with pytest.warns(ConvergenceWarning, match=r"the loss rose from .* to .* The state after 0 updates"):
        optimizer = quick(squares_to_one, optimizer="sgd", learning_rate=100.0).fit(X)
    np.testing.assert_array_equal(optimizer.embedding_, X)
    assert len(optimizer.history_.loss) == 6


@pytest.mark.parametrize("seed", range(8))
def test_a_random_loss_that_wavers_has_not_risen(seed):
    icosahedron = spherical_code(12, 3, random_state=0).points
    optimizer = quick("lloyd", constraint="sphere", learning_rate=1e-4, max_iter=3, random_state=seed)
    optimizer.fit(icosahedron)
    assert optimizer.n_iter_ == 3
    assert optimizer.history_.loss[-1] != optimizer.history_.loss[0]


def test_warm_start_goes_on(digits):
    X, y = digits
    for parametrization in ("points", "linear"):
        optimizer = quick(parametrization=parametrization, warm_start=True).fit(X, y)
        first = optimizer.loss_
        assert optimizer.fit(X, y).history_.loss[0] == pytest.approx(first, rel=1e-12)
    with pytest.raises(ValueError, match="warm_start=True continues from coef_ of shape"):
        optimizer.fit(X, y % 2)


@pytest.mark.parametrize("before", [None, "sphere", "fixed_norm"])
@pytest.mark.parametrize("constraint", ["sphere", "fixed_norm"])
def test_a_warm_start_has_the_norms_of_its_own_constraint(digits, before, constraint):
    X, _ = digits
    optimizer = quick("uniformity", constraint=before, warm_start=True, monitor=None).fit(X)
    Z = optimizer.set_params(constraint=constraint).fit_transform(3 * X)
    expected = np.ones(len(X)) if constraint == "sphere" else np.linalg.norm(3 * X, axis=1)
    np.testing.assert_allclose(np.linalg.norm(Z, axis=1), expected, rtol=1e-12)


def test_a_fit_that_ends_by_itself_keeps_its_last_state():
    X = np.random.default_rng(0).normal(size=(20, 3))
    optimizer = quick(squares_to_one, learning_rate=0.5, max_iter=7, monitor=None).fit(X)
    assert optimizer.history_.loss.min() < optimizer.loss_ == optimizer.history_.loss[-1]
    assert squares_to_one(torch.tensor(optimizer.embedding_)).item() == pytest.approx(optimizer.loss_, rel=1e-12)


def test_points_that_are_renamed_to_a_map_are_not_fitted(digits):
    X, _ = digits
    optimizer = quick("uniformity", monitor=None).fit(X).set_params(parametrization="linear")
    with pytest.raises(NotFittedError):
        optimizer.transform(X)


def test_a_second_fit_forgets_the_first(digits):
    X, y = digits
    optimizer = quick().fit(X, y).set_params(parametrization="linear", objective="isoscore")
    assert not {"embedding_", "coef_", "classes_"} & set(vars(optimizer.fit(X)))


def test_history_is_a_table_of_numbers(digits):
    X, y = digits
    history = quick(monitor=["silhouette", "effective_rank"]).fit(X, y).history_
    frame = history.to_frame()
    assert list(frame) == list(history) == ["iteration", "loss", "cross_entropy", "silhouette", "effective_rank"]
    np.testing.assert_array_equal(frame["loss"], history.loss)
    assert {type(column) for column in history.values()} == {np.ndarray}
    assert repr(history) == "History(iteration, loss, cross_entropy, silhouette, effective_rank; 6 records)"


def test_what_comes_in_comes_out(backend, digits):
    X, y = digits
    for dtype in ("float32", "float64"):
        x = backend.asarray(X, dtype)
        Z = quick().fit_transform(x, y)
        mapped = quick(parametrization="linear").fit(x, y).transform(x)
        for z in (Z, mapped):
            assert type(z) is type(x)
            assert (z.dtype, z.shape) == (x.dtype, x.shape)
            assert getattr(z, "device", None) == getattr(x, "device", None)
        np.testing.assert_array_equal(X.astype(dtype), load_digits().data[:200].astype(dtype) / 16)


def test_it_is_a_step_of_a_grid_search(digits):
    X, y = digits
    model = make_pipeline(
        StandardScaler(), quick(parametrization="linear", monitor=None), LogisticRegression(max_iter=1000)
    )
    grid = {"embeddingoptimizer__objective": [{"cross_entropy": 1, "isoscore": -w} for w in (0.0, 1.0)]}
    search = GridSearchCV(model, grid, cv=3, n_jobs=2).fit(X, y)
    assert (search.cv_results_["mean_test_score"] > 0.8).all()


def test_clones_and_pickles_are_equal(digits):
    X, y = digits
    for parametrization in ("points", "linear"):
        optimizer = quick(parametrization=parametrization)
        again = pickle.loads(pickle.dumps(optimizer.fit(X, y)))
        np.testing.assert_array_equal(again.history_.loss, optimizer.history_.loss)
        np.testing.assert_array_equal(clone(optimizer).fit(X, y).coef_, again.coef_)


def test_a_pickled_linear_optimiser_transforms_without_torch(digits, without_torch):
    X, y = digits
    optimizer = quick(parametrization="linear", constraint="sphere").fit(X, y)
    code = "import pickle; o, X = pickle.load(sys.stdin.buffer); print(repr(float(o.transform(X).sum())))"
    total = without_torch(code, pickle.dumps((optimizer, X)))
    assert float(total) == pytest.approx(optimizer.transform(X).sum(), rel=1e-12)


@pytest.mark.parametrize("use", ["EmbeddingOptimizer().fit([[1.0], [2.0]], [0, 1])", "RiemannianAdam"])
def test_without_torch_the_message_says_what_to_install(use, without_torch):
    code = f"import skgeom.optim\ntry: skgeom.optim.{use}\nexcept ImportError as error: print(error)"
    assert 'pip install "scikit-embedding-geometry[torch]"' in without_torch(code)


def test_verbose_says_how_it_goes(digits, capsys):
    X, y = digits
    quick(max_iter=40, verbose=1).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 11
    assert lines[-1].startswith("[EmbeddingOptimizer] iteration 40 of 40: loss ")
    assert "silhouette" in lines[0]


def test_collapsing_classes_stay_above_the_bound(digits):
    X, y = digits
    history = quick(max_iter=200, monitor_every=50, learning_rate=0.02).fit(X, y % 2).history_
    assert (np.diff(history["silhouette"]) > 0).all()
    assert history["isoscore"][-1] < 0.2 * history["isoscore"][0]
    assert history["isoscore"].min() > collapse_bound(2, 64)


@pytest.mark.parametrize(
    ("parameters", "error", "match"),
    [
        ({"objective": "entropy"}, ValueError, "objective must be one of 'cross_entropy'"),
        ({"objective": {}}, ValueError, "empty"),
        ({"objective": ["cross_entropy"]}, TypeError, "a name, a callable or a dict"),
        ({"objective": 3}, TypeError, "a name or a callable"),
        ({"objective": {"isoscore": np.nan}}, ValueError, "The weight of 'isoscore' must be a finite number"),
        ({"objective": {"isoscore": "much"}}, TypeError, "The weight of 'isoscore' must be a number"),
        ({"objective": {"cross_entropy": 1, "alignment_loss": 1}}, ValueError, "different kinds of y"),
        ({"objective": "conformity", "monitor": "conformity"}, ValueError, r"\{'conformity': 1.0\} to lower it"),
        ({"objective": lambda z: z.sum(0)}, TypeError, r"0-d tensor, got a tensor of shape \(64,\)"),
        ({"objective": lambda z: z.detach().sum()}, ValueError, "has no gradient"),
        ({"monitor": "isotropy"}, ValueError, "monitor must be one of"),
        ({"monitor": [1]}, TypeError, "monitor must be a name or a callable"),
        ({"monitor": ["isoscore", "isoscore"]}, ValueError, "the same entry twice"),
        ({"monitor_every": 0}, ValueError, "monitor_every must be at least 1"),
        ({"parametrization": "mlp"}, ValueError, "parametrization must be one of"),
        ({"constraint": "ball"}, ValueError, "constraint must be one of"),
        ({"optimizer": "lbfgs"}, ValueError, "optimizer must be one of"),
        ({"learning_rate": 0}, ValueError, "learning_rate must be greater than 0"),
        ({"max_iter": 0}, ValueError, "max_iter must be at least 1"),
        ({"batch_size": 1}, ValueError, "batch_size must be at least 2"),
        ({"tol": -1}, ValueError, "tol must be"),
        ({"warm_start": 1}, TypeError, "warm_start must be True or False"),
        ({"fit_intercept": None}, TypeError, "fit_intercept must be True or False"),
        ({"device": "tpu"}, ValueError, "device must be"),
        ({"verbose": -1}, ValueError, "verbose must be at least 0"),
    ],
)
def test_parameters_out_of_range_are_refused(digits, parameters, error, match):
    with pytest.raises(error, match=match):
        quick(**parameters).fit(*digits)


@pytest.mark.parametrize(
    ("objective", "y", "pairs", "error", "match"),
    [
        ("cross_entropy", None, None, ValueError, "requires y to be passed.*'cross_entropy'"),
        ("silhouette_objective", None, None, ValueError, "requires y to be passed"),
        ("silhouette", None, None, ValueError, "'silhouette' cannot be computed without it"),
        ("alignment_loss", None, None, ValueError, "requires y to be passed"),
        ("silhouette_objective", np.linspace(0, 1, 6), None, ValueError, "continuous"),
        ("silhouette_objective", np.linspace(0, 1, 12).reshape(6, 2), None, ValueError, r"shape \(6, 2\)"),
        ("cross_entropy", np.zeros(6), None, ValueError, "only one class, 0.0"),
        ("cross_entropy", np.linspace(0, 1, 6), None, ValueError, "continuous"),
        ("cross_entropy", [0, 1], None, ValueError, "2 classes for 6 rows"),
        ("cross_entropy", [0, 0, 1, 1, 1, None], None, ValueError, "NaN, None"),
        ("binary_cross_entropy", [0, 1, 0, 1, 0, 1], None, ValueError, "multi-label indicator"),
        ("binary_cross_entropy", np.full((6, 2), 2), None, ValueError, "only zeros and ones"),
        ("binary_cross_entropy", np.ones((5, 2)), None, ValueError, "y has 5 rows, expected 6"),
        ("alignment_loss", np.ones((5, 2)), None, ValueError, "X has 6 rows and y has 5"),
        ("cross_entropy", [0, 1], [[0, 1], [2, 6]], ValueError, "refers to row 6 of X"),
        ("cross_entropy", [0, 1], [[0, 1], [2, -1]], ValueError, "refers to row -1 of X"),
        ("cross_entropy", [0, 1], [0, 1], ValueError, r"expected \(n_pairs, 2\)"),
        ("cross_entropy", [0, 1], [[0.5, 1], [1, 2]], TypeError, "integers"),
        ("cross_entropy", [0, 1, 0], [[0, 1], [1, 2]], ValueError, "3 classes for 2 rows"),
    ],
)
def test_y_of_the_wrong_kind_is_refused(objective, y, pairs, error, match):
    X = np.random.default_rng(0).normal(size=(6, 2))
    with pytest.raises(error, match=match):
        quick(objective).fit(X, y, pairs=pairs)


@pytest.mark.parametrize("X", [np.array([[1.0, 2.0], [np.nan, 0.0]]), np.ones((1, 3)), np.ones(3), [["a"], ["b"]]])
def test_rows_that_are_no_finite_matrix_are_refused(X):
    with pytest.raises(ValueError):
        quick("isoscore").fit(X)


@pytest.mark.parametrize("parameters", [{"constraint": "sphere"}, {"monitor": "average_cosine"}])
def test_zero_rows_are_refused_where_directions_count(parameters):
    with pytest.raises(ValueError, match="X has 1 zero row"):
        quick("isoscore", **parameters).fit(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))


def test_a_gpu_that_is_not_there_is_an_error(digits, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RuntimeError, match="no GPU is visible to Torch"):
        quick(device="cuda").fit(*digits)
    assert quick(device="auto").fit(*digits).n_iter_ == 5
    with pytest.raises(ValueError, match="is for data on the host"):
        quick(device="cpu").fit(torch.tensor(digits[0]), digits[1])
