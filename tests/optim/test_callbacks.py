"""Callbacks of scikit-learn 1.9 see each update as a task, and can stop the fit."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skgeom.metrics import isoscore, isoscore_scorer
from skgeom.optim import EmbeddingOptimizer

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn before 1.9 has no callbacks")


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    return rng.normal(size=(30, 4)), rng.integers(2, size=30)


class Recorder:
    """Notes every call, and stops after some updates."""

    def __init__(self, stop_after=None):
        self.calls = []
        self.embeddings = []
        self.stop_after = stop_after

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.calls.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.calls.append(f"end {context.task_name}")
        self.embeddings.append(getattr(fitted_estimator, "embedding_", None))
        return context.task_name == "update" and len(self.calls) >= 2 * (self.stop_after or np.inf)


def test_each_update_is_a_task_with_the_embedding_of_its_end(rows):
    recorder = Recorder()
    optimizer = (
        EmbeddingOptimizer(parametrization="points", max_iter=3, random_state=0).set_callbacks(recorder).fit(*rows)
    )
    assert recorder.calls == ["setup", "begin fit", *["begin update", "end update"] * 3, "end fit", "teardown"]
    np.testing.assert_array_equal(recorder.embeddings[2], optimizer.embedding_)
    assert (recorder.embeddings[0] != recorder.embeddings[1]).all()


def test_a_callback_stops_the_fit(rows):
    optimizer = EmbeddingOptimizer(max_iter=50).set_callbacks(Recorder(stop_after=5)).fit(*rows)
    assert 0 < optimizer.n_iter_ < 10
    assert optimizer.history_.iteration[-1] == optimizer.n_iter_


def test_callbacks_are_torn_down_when_the_data_are_refused(rows):
    X, _ = rows
    recorder = Recorder()
    optimizer = EmbeddingOptimizer(lambda z: z.detach().sum()).set_callbacks(recorder)
    with pytest.raises(ValueError, match="has no gradient"):
        optimizer.fit(X)
    assert recorder.calls[-1] == "teardown"


def test_scoring_monitor_scores_each_update_of_a_linear_map(rows):
    X, y = rows
    monitor = callback.ScoringMonitor(scoring={"isoscore": isoscore_scorer})
    optimizer = EmbeddingOptimizer(parametrization="linear", max_iter=3).set_callbacks(monitor).fit(X, y)
    scores = [row["isoscore"] for row in monitor.get_logs().data if row["task_name"] == "update"]
    np.testing.assert_allclose(scores, optimizer.history_["isoscore"][1:], rtol=1e-9)
    assert scores[-1] == pytest.approx(isoscore(optimizer.transform(X)), rel=1e-9)


def test_progress_bars_nest_in_a_search(rows, capsys, monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setenv("COLUMNS", "150")
    model = make_pipeline(EmbeddingOptimizer(parametrization="linear", max_iter=3), LogisticRegression())
    search = GridSearchCV(
        model,
        {"embeddingoptimizer__learning_rate": [0.01, 0.1]},
        cv=2,
        scoring={"accuracy": "accuracy"},
        refit="accuracy",
    )
    search.set_callbacks(callback.ProgressBar(max_propagation_depth=None)).fit(*rows)
    bars = [line for line in capsys.readouterr().out.splitlines() if "EmbeddingOptimizer - fit" in line]
    assert len(bars) == 5
    assert all("100%" in bar and bar.startswith("    ") for bar in bars)
