"""monitor_sample: what is measured of samples, its standard errors, and that training does not notice."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

torch = pytest.importorskip("torch")

from skgeom.metrics import isoscore, silhouette_score  # noqa: E402
from skgeom.optim import EmbeddingOptimizer  # noqa: E402


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:600] / 16, y[:600]


def quick(**parameters):
    return EmbeddingOptimizer(
        **{"parametrization": "points", "max_iter": 3, "learning_rate": 0.01, "random_state": 0, **parameters}
    )


class Rows:
    """A monitor that keeps what it sees."""

    def __init__(self):
        self.seen = []

    def __call__(self, embedding, y):
        self.seen.append((embedding.copy(), y))
        return 0.0


@pytest.mark.parametrize("parametrization", ["points", "linear"])
def test_monitors_are_the_measures_of_one_fresh_sample_of_the_rows(digits, parametrization):
    X, y = digits
    rows = Rows()
    optimizer = quick(
        parametrization=parametrization, monitor=[rows, "isoscore", "silhouette"], monitor_sample=200
    ).fit(X, y)
    history = optimizer.history_
    assert history.errors == ("isoscore_se", "silhouette_se")
    assert list(history)[-2:] == ["isoscore_se", "silhouette_se"]
    for i, (z, labels) in enumerate(rows.seen):
        assert z.shape == (200, 64)
        assert history["isoscore"][i] == pytest.approx(isoscore(z, debias=True), rel=1e-12)
        assert history["silhouette"][i] == pytest.approx(silhouette_score(z, labels), rel=1e-9)
        blocks = [(z[j : j + 10], labels[j : j + 10]) for j in range(0, 200, 10)]
        of_blocks = np.std([isoscore(b, debias=True) for b, _ in blocks], ddof=1)
        assert history["isoscore_se"][i] == pytest.approx(of_blocks * np.sqrt((1 - 200 / 600) / 20), rel=1e-9)
    first, labels = rows.seen[0]
    at = [np.flatnonzero((row == X).all(axis=1))[0] for row in first]
    assert len(set(at)) == 200
    np.testing.assert_array_equal(labels, y[at])
    assert (rows.seen[0][1] != rows.seen[1][1]).any()


@pytest.mark.parametrize("sampled", [None, 100, 500])
def test_training_is_the_same_to_the_last_bit_with_and_without_monitors(digits, sampled):
    X, y = digits
    fit = lambda **parameters: quick(batch_size=64, max_iter=20, **parameters).fit(X, y)
    plain, watched = fit(monitor=None), fit(monitor_sample=sampled)
    np.testing.assert_array_equal(watched.embedding_, plain.embedding_)
    np.testing.assert_array_equal(watched.history_.loss, plain.history_.loss)


def test_a_sample_of_all_rows_is_the_measure_of_all(digits):
    X, y = digits
    sampled, whole = (quick(monitor_sample=size).fit(X, y).history_ for size in (600, None))
    for name in ("isoscore", "silhouette"):
        np.testing.assert_array_equal(sampled[name], whole[name])
        np.testing.assert_array_equal(sampled[f"{name}_se"], 0.0)
    assert whole.errors == ()


def test_of_pairs_measures_of_labels_see_pairs_and_all_others_rows():
    rng = np.random.default_rng(0)
    X, pairs = rng.normal(size=(500, 4)), rng.integers(500, size=(400, 2))
    y = (X[pairs[:, 0], 0] > 0).astype(int)
    optimizer = quick(monitor_sample=300, max_iter=1).fit(X, y, pairs=pairs)
    generator = np.random.default_rng([np.random.RandomState(0).randint(2**31 - 1), 0])
    rows, items = generator.choice(500, 300, replace=False), generator.choice(400, 300, replace=False)
    joint = np.hstack([X[pairs[items, 0]], X[pairs[items, 1]]])
    assert optimizer.history_["isoscore"][0] == pytest.approx(isoscore(X[rows], debias=True), rel=1e-12)
    assert optimizer.history_["silhouette"][0] == pytest.approx(silhouette_score(joint, y[items]), rel=1e-9)
    for size in (450, 500):  # all pairs, of some rows; all of both
        joint = np.hstack([X[pairs[:, 0]], X[pairs[:, 1]]])
        history = quick(monitor_sample=size, max_iter=1).fit(X, y, pairs=pairs).history_
        assert history["silhouette"][0] == pytest.approx(silhouette_score(joint, y), rel=1e-9)
        assert history["silhouette_se"][0] == 0
        assert (history["isoscore_se"][0] == 0) == (size == 500)
    with pytest.raises(ValueError, match="take y, which belongs to pairs"):
        quick(monitor_sample=300, monitor=Rows()).fit(X, y, pairs=pairs)


def test_standard_errors_are_the_spread_over_samples():
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=4000)
    X = rng.normal(size=(4000, 10)) * np.arange(1, 11) ** -0.5 + rng.normal(size=(3, 10))[y]
    still = quick(optimizer="sgd", learning_rate=1e-30, max_iter=150, monitor_sample=1000).fit(X, y).history_
    for name, exact in (("isoscore", isoscore(X, debias=True)), ("silhouette", silhouette_score(X, y))):
        assert still[name].mean() == pytest.approx(exact, abs=4 * still[name].std() / np.sqrt(150))
        assert np.sqrt((still[f"{name}_se"] ** 2).mean()) == pytest.approx(still[name].std(), rel=0.25)


def test_measures_of_the_number_of_rows_have_no_error():
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=2000)
    X = rng.normal(size=(2000, 10)) + 3 * rng.normal(size=(3, 10))[y]
    names = ["calinski_harabasz", "dunn", "silhouette_objective", "davies_bouldin", "silhouette", "participation_ratio"]
    history = quick(monitor=names, monitor_sample=1000, max_iter=1).fit(X, y).history_
    assert np.isnan([history[f"{name}_se"] for name in names[:3]]).all()
    assert np.isfinite([history[f"{name}_se"] for name in names[3:]]).all()


@pytest.mark.parametrize("sampled", [True, False])
def test_a_function_named_as_an_error_has_a_column_of_its_own(digits, sampled):
    def isoscore_se(embedding):
        return 7.0

    size = {"monitor_sample": 100} if sampled else {}
    history = quick(objective="retention", monitor=[isoscore_se, "isoscore"], **size).fit(*digits).history_
    assert history.errors == (("isoscore_se",) if sampled else ())
    assert history.monitors == ("isoscore_se_2" if sampled else "isoscore_se", "isoscore")
    assert (history[history.monitors[0]] == 7).all()
    assert not sampled or (history["isoscore_se"] != 7).all()


def test_infinite_values_have_no_error():
    y = np.arange(400) % 2
    history = quick(monitor="davies_bouldin", monitor_sample=200, max_iter=1).fit(np.ones((400, 3)), y).history_
    assert history["davies_bouldin"][0] == np.inf
    assert np.isnan(history["davies_bouldin_se"][0])


def test_samples_go_on_after_a_checkpoint(digits, tmp_path):
    X, y = digits
    left = [7]

    def stop_once(embedding):
        left[0] -= 1
        if left[0] == 0:
            raise SystemExit
        return 0.0

    job = quick(
        max_iter=12, monitor=["isoscore", stop_once], monitor_sample=100, checkpoint=tmp_path / "c", checkpoint_every=4
    )
    with pytest.raises(SystemExit):
        job.fit(X, y)
    whole = quick(max_iter=12, monitor="isoscore", monitor_sample=100).fit(X, y)
    np.testing.assert_array_equal(job.fit(X, y).history_["isoscore"], whole.history_["isoscore"])
    np.testing.assert_array_equal(job.history_["isoscore_se"], whole.history_["isoscore_se"])


def test_blocks_without_two_classes_have_no_error(digits):
    X, _ = digits
    rare = (np.arange(600) < 60).astype(int)
    history = quick(monitor_sample=100, max_iter=1).fit(X, rare).history_
    assert np.isnan(history["silhouette_se"]).all()
    assert np.isfinite([history["silhouette"], history["isoscore_se"]]).all()


@pytest.mark.parametrize(("size", "error"), [(99, ValueError), (1e3, TypeError), ("all", TypeError)])
def test_sizes_of_no_use_are_refused(digits, size, error):
    with pytest.raises(error, match="monitor_sample must be"):
        quick(monitor_sample=size).fit(*digits)
