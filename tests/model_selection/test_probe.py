import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from skgeom.model_selection._probe import PENALTIES, fit, hits, predicted


def planted(n_classes, n=400, d=12):
    """White columns, the deviations they have in z, classes, and z, which is turned."""
    rng = np.random.default_rng(n_classes)
    y = rng.integers(0, n_classes, n)
    x = rng.normal(size=(n, d)) + rng.normal(size=(n_classes, d))[y]
    white = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)[0] * np.sqrt(n)
    spread, turn = np.geomspace(1, 1e-3, d), np.linalg.qr(rng.normal(size=(d, d)))[0]
    return white, spread, y, white * spread @ turn


def loss(weights, rows, y, C):
    """The objective of scikit-learn over C and n, by its definition; the intercept is the last weight."""
    logits = rows @ weights[:, :-1].T + weights[:, -1]
    if len(weights) == 1:
        logits = np.column_stack([np.zeros(len(y)), logits])
    own = logits[np.arange(len(y)), y]
    return np.mean(np.log(np.exp(logits).sum(axis=1)) - own) + (weights[:, :-1] ** 2).sum() / (2 * C * len(y))


@pytest.mark.parametrize("C", PENALTIES)
@pytest.mark.parametrize("n_classes", [2, 3, 7])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fit_reaches_the_optimum_of_scikit_learn_also_from_that_of_another_penalty(n_classes, C, dtype):
    white, spread, y, z = planted(n_classes)
    best = LogisticRegression(C=C, tol=1e-10, max_iter=20_000).fit(z, y)
    least = loss(np.column_stack([best.coef_, best.intercept_]), z, y, C)
    cold = fit(white.astype(dtype), spread, y, n_classes, C)
    weaker = fit(white.astype(dtype), spread, y, n_classes, C / 10)
    for weights in (cold, fit(white.astype(dtype), spread, y, n_classes, C, weaker)):
        unscaled = weights / np.append(spread, 1.0)
        assert loss(unscaled, white * spread, y, C) == pytest.approx(least, abs=1e-5)
        assert np.mean(predicted(weights, white) == best.predict(z)) > 0.99


def test_penalty_is_chosen_on_rows_that_the_fit_has_not_seen():
    white, spread, y, z = planted(2, n=600)
    models = [LogisticRegression(C=C, tol=1e-8, max_iter=9999) for C in PENALTIES]
    scores = [model.fit(z[:360], y[:360]).score(z[360:480], y[360:480]) for model in models]
    best = models[int(np.argmax(scores))].fit(z[:480], y[:480])
    np.testing.assert_array_equal(hits(white, spread, y, 360, 480), best.predict(z[480:]) == y[480:])


def test_class_without_a_row_to_fit_is_never_predicted():
    white, spread, y, _ = planted(3, n=600)
    y = np.where(np.arange(600) < 480, y % 2, 2)
    assert not hits(white, spread, y, 360, 480).any()
    y[400:420] = 2
    assert hits(white, spread, y, 360, 480).dtype == bool
