"""isotropy_cluster_frontier: points, front and bound."""

from functools import partial

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import silhouette_score

from skgeom.metrics import collapse_bound, isoscore
from skgeom.metrics._measure import MEASURES
from skgeom.optim import EmbeddingOptimizer, isotropy_cluster_frontier


def optimizer(**parameters):
    return EmbeddingOptimizer(
        **{
            "parametrization": "points",
            "learning_rate": 0.05,
            "max_iter": 60,
            "monitor": None,
            "random_state": 0,
            **parameters,
        }
    )


@pytest.fixture(scope="module")
def parity():
    X, y = load_digits(return_X_y=True)
    return X[:150] / 16, y[:150] % 2


def test_points_are_the_fits_and_the_start_is_the_data(parity):
    X, y = parity
    frontier = isotropy_cluster_frontier(X, y, [0, 0.1], estimator=optimizer(monitor="isoscore"))
    assert frontier.start == pytest.approx((isoscore(X), silhouette_score(X, y)), abs=1e-9)
    fit = optimizer(objective={"cross_entropy": 1, "isoscore": -0.1}).fit_transform(X, y)
    assert frontier.isoscore[1] == pytest.approx(isoscore(fit), rel=1e-9)
    assert frontier.score[1] == pytest.approx(silhouette_score(fit, y), abs=1e-9)
    assert [h["isoscore"][-1] for h in frontier.histories] == pytest.approx(frontier.isoscore)


@pytest.mark.parametrize(
    "score", ["silhouette", "accuracy", lambda z, y: z[y == 0, 0].mean()], ids=["silhouette", "accuracy", "function"]
)
@pytest.mark.parametrize("frame", ["pandas", "polars"])
def test_a_setting_of_scikit_learn_for_frames_changes_no_point(parity, score, frame):
    pytest.importorskip(frame)
    given = {"estimator": optimizer(parametrization="linear", max_iter=3), "score": score, "test": parity}
    expected = isotropy_cluster_frontier(*parity, [0.1], **given)
    with sklearn.config_context(transform_output=frame):
        found = isotropy_cluster_frontier(*parity, [0.1], **given)
    assert (found.start, found.isoscore, found.score) == (expected.start, expected.isoscore, expected.score)


def test_two_classes_trade_isotropy_for_clusters_above_the_bound(parity):
    frontier = isotropy_cluster_frontier(*parity, [0, 0.01, 1], estimator=optimizer())
    assert (np.diff(frontier.isoscore) > 0).all()
    assert (np.diff(frontier.score) < 0).all()
    assert frontier.is_optimal.all()
    assert frontier.bound == collapse_bound(2, 64) == 0
    assert frontier.isoscore.min() > frontier.bound


def test_more_classes_than_dimensions_can_have_both():
    rng = np.random.default_rng(0)
    y = np.arange(180) % 9
    X = rng.normal(size=(180, 8)) + rng.normal(size=(9, 8))[y]
    sphere = optimizer(constraint="sphere", max_iter=150)
    frontier = isotropy_cluster_frontier(X, y, [0, 180**2], objective="silhouette_objective", estimator=sphere)
    assert frontier.bound == 1
    assert frontier.isoscore[0] < 0.9
    assert frontier.isoscore[1] > 0.98
    assert frontier.score[1] > 0.98


def test_front_leaves_out_what_another_point_beats():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), np.arange(60) % 3
    frontier = isotropy_cluster_frontier(X, y, [0, -1, 0.1, 1, 10], estimator=optimizer(max_iter=20))
    points = np.stack([frontier.isoscore, frontier.score], axis=1)
    for i, point in enumerate(points):
        beaten = any((other >= point).all() and (other > point).any() for other in points)
        assert frontier.is_optimal[i] == (not beaten)


def test_a_score_that_writes_into_its_rows_leaves_those_of_the_caller(parity):
    def overwrite(Z, y):
        Z[:] = 0
        return 0.0

    X, y = parity
    before = X.copy()
    isotropy_cluster_frontier(X, y, [0], estimator=optimizer(), score=overwrite)
    np.testing.assert_array_equal(X, before)


def test_a_score_of_nan_is_not_on_the_front(parity):
    scores = iter([0.1, np.nan, 0.3, 0.2])
    frontier = isotropy_cluster_frontier(*parity, [0, 0, 0], estimator=optimizer(), score=lambda Z, y: next(scores))
    assert frontier.is_optimal.tolist() == [False, True, False]


def test_accuracy_of_a_probe_can_take_the_place_of_the_silhouette(parity):
    frontier = isotropy_cluster_frontier(*parity, [0], score="accuracy", estimator=optimizer())
    assert frontier.score_name == "accuracy"
    assert 0.5 < frontier.start[1] < frontier.score[0] <= 1


def test_every_measure_of_labels_is_a_score_turned_by_its_direction(parity):
    fit = optimizer(objective={"cross_entropy": 1, "isoscore": 0.0}, max_iter=3).fit_transform(*parity)
    for name, row in MEASURES.items():
        if row.needs != "labels":
            continue
        frontier = isotropy_cluster_frontier(*parity, [0], score=name, estimator=optimizer(max_iter=3))
        for found, Z in ((frontier.start[1], parity[0]), (frontier.score[0], fit)):
            assert found == pytest.approx(row.direction * row(Z, parity[1]), rel=1e-9), name
        assert frontier.score_name == ("neg_" if row.direction < 0 else "") + name


def test_a_function_gets_the_rows_and_y(parity):
    X, y = parity
    labels = np.array(["even", "odd"])[y]

    def gap(embedding, y):
        return np.linalg.norm(embedding[y == "odd"].mean(axis=0) - embedding[y == "even"].mean(axis=0))

    frontier = isotropy_cluster_frontier(X, labels, [0], score=gap, estimator=optimizer())
    assert frontier.score_name == "gap"
    assert frontier.start[1] == pytest.approx(gap(X, labels))
    assert frontier.score[0] > 2 * frontier.start[1]


def test_a_score_named_as_a_column_has_a_column_of_its_own(parity):
    def weight(embedding, y):
        return 7.0

    frontier = isotropy_cluster_frontier(*parity, [0, 1], score=weight, estimator=optimizer(max_iter=3))
    frame = frontier.to_frame()
    assert frame["weight"].tolist() == [0, 1]
    assert frame["weight_2"].tolist() == [7, 7]


def test_held_out_rows_are_mapped_and_judged(parity):
    X, y = parity
    train, test = (X[:100], y[:100]), (X[100:], y[100:])
    linear = optimizer(parametrization="linear", max_iter=20)
    weighted = clone(linear).set_params(objective={"cross_entropy": 1, "isoscore": -0.1})
    Z = weighted.fit(*train).transform(test[0])
    frontier = isotropy_cluster_frontier(*train, [0.1], test=test, estimator=linear)
    assert frontier.start == pytest.approx((isoscore(test[0]), silhouette_score(*test)), abs=1e-9)
    assert frontier.isoscore[0] == pytest.approx(isoscore(Z), rel=1e-9)
    assert frontier.score[0] == pytest.approx(silhouette_score(Z, test[1]), abs=1e-9)
    probed = isotropy_cluster_frontier(*train, [0.1], score="accuracy", test=test, estimator=linear)
    probe = LogisticRegression(max_iter=1000).fit(weighted.transform(train[0]), train[1])
    assert probed.score[0] == probe.score(Z, test[1])
    with pytest.raises(ValueError, match='test needs an estimator with parametrization="linear"'):
        isotropy_cluster_frontier(*train, [0], test=test, estimator=optimizer())


def test_table_and_frame_hold_every_point(parity):
    frontier = isotropy_cluster_frontier(*parity, [0, 1], estimator=optimizer(max_iter=3))
    frame = frontier.to_frame()
    assert list(frame) == ["weight", "isoscore", "silhouette", "is_optimal"]
    np.testing.assert_array_equal(frame["isoscore"], frontier.isoscore)
    lines = str(frontier).splitlines()
    assert [line.split()[0] for line in lines] == ["weight", "start", "0", "1", "Collapse"]
    assert lines[-1].startswith("Collapse bound: 2 classes in 64 dimensions")
    wide = isotropy_cluster_frontier(*parity, [0], score="davies_bouldin", estimator=optimizer(max_iter=3))
    header, start = str(wide).splitlines()[:2]
    assert len(header) == len(start)


def test_an_interrupt_ends_the_sweep_with_the_points_so_far(parity):
    calls = []

    def interrupted_later(embedding):
        calls.append(1)
        if len(calls) > 8:
            raise KeyboardInterrupt
        return 0.0

    with pytest.warns(ConvergenceWarning, match="interrupted"):
        frontier = isotropy_cluster_frontier(
            *parity, [0, 1, 2, 3], estimator=optimizer(max_iter=4, monitor=interrupted_later)
        )
    assert frontier.weight.tolist() == [0, 1]
    assert len(frontier.isoscore) == len(frontier.histories) == 2


@pytest.mark.parametrize("kind", [ValueError, MemoryError, KeyboardInterrupt, SystemExit])
def test_an_exception_carries_the_points_so_far(parity, kind):
    left = [100]

    def failing(embedding, y):
        left[0] -= 1
        if left[0] == 0:
            raise kind("no more")
        return silhouette_score(embedding, y)

    whole = isotropy_cluster_frontier(*parity, [0, 1], score=failing, estimator=optimizer(max_iter=4))
    left[0] = 4  # the start, and the third point
    with pytest.raises(kind, match="no more") as caught:
        isotropy_cluster_frontier(*parity, [0, 1, 2], score=failing, estimator=optimizer(max_iter=4))
    assert "first 2 weights" in caught.value.__notes__[0]
    assert str(caught.value.frontier) == str(whole)
    assert len(caught.value.frontier.histories) == 2


def test_an_exception_before_the_first_point_carries_none(parity):
    with pytest.raises(ValueError, match="learning_rate") as caught:
        isotropy_cluster_frontier(*parity, [0, 1], estimator=optimizer(learning_rate=-1.0))
    assert not hasattr(caught.value, "frontier")


@pytest.mark.parametrize(
    ("y", "weights", "options", "error", "match"),
    [
        (np.arange(20) % 2, [np.nan], {}, ValueError, "weights must be"),
        (np.arange(20) % 2, "many", {}, TypeError, "weights must be"),
        (np.arange(20) % 2, [1], {"score": "isoscore"}, ValueError, "score must be one of"),
        (np.arange(20) % 2, [1], {"score": 3}, TypeError, "score must be a name or a callable"),
        (np.arange(20) % 2, [1], {"test": np.ones((4, 3))}, TypeError, "test must be a tuple"),
        (
            np.arange(20) % 2,
            [1],
            {"test": (np.ones((4, 3)), [0, 0, 0, 0])},
            ValueError,
            "Number of classes is 1|labels",
        ),
        (
            np.arange(20) % 2,
            [1],
            {"test": (np.eye(4, 2), [0, 0, 1, 1])},
            ValueError,
            "X_test has 2 features, but X has 3",
        ),
        (np.arange(20) % 2, [1], {"objective": "isoscore"}, ValueError, "leave it out there"),
        (np.arange(20) % 2, [1], {"objective": {"cross_entropy": 1, "isoscore": -1}}, ValueError, "leave it out there"),
        (np.arange(20) % 2, [1], {"objective": isoscore}, ValueError, "leave it out there"),
        (np.arange(20) % 2, [1], {"objective": {partial(isoscore): -1}}, ValueError, "leave it out there"),
        (np.arange(20) % 2, [1], {"objective": "clusters"}, ValueError, "objective must be one of"),
        (np.zeros(20), [1], {}, ValueError, "Number of labels is 1"),
        (np.arange(20), [1], {}, ValueError, "Number of labels is 20"),
        (np.linspace(0, 1, 20), [1], {}, ValueError, "continuous"),
    ],
)
def test_bad_input_is_refused(y, weights, options, error, match):
    X = np.random.default_rng(0).normal(size=(20, 3))
    with pytest.raises(error, match=match):
        isotropy_cluster_frontier(X, y, weights, **options)
