import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from skgeom import metrics
from skgeom._report import _grid
from skgeom._report._grid import evaluate, split, transforms
from skgeom._report._probe import PENALTIES
from skgeom._report._space import Space
from skgeom._report._verdict import best, difference, verdict
from skgeom.preprocessing import AllButTheTop, Whitening


def hidden_signal(n=300, d=8):
    """Two classes apart in a direction of little variance, which a penalised probe cannot see."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, n)
    X = rng.normal(size=(n, d)) * np.r_[np.full(d - 1, 1000.0), 1.0]
    X[:, -1] += 3.0 * y
    return X, y


def signal_on_top(n=200, d=64):
    """Two classes apart in the first direction, among many directions of little variance."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, n)
    X = rng.normal(size=(n, d)) * np.r_[1.0, np.full(d - 1, 0.3)]
    X[:, 0] += 4.0 * y
    return X, y


def grid(X, y=None):
    folds = split(Space("planted", X, y))
    return folds, list(evaluate(folds))


def test_whitening_that_uncovers_the_signal_is_best():
    folds, rows = grid(*hidden_signal())
    assert best(rows).name == "Whitening(8)"
    assert best(rows).mean("accuracy") > 0.85
    assert verdict(rows, folds).startswith("Yes: Whitening(8) gains ")


def test_whitening_that_raises_noise_loses():
    folds, rows = grid(*signal_on_top())
    full = next(row for row in rows if row.name == "Whitening(64)")
    loss = difference(full, rows[0], folds)
    assert loss.mean < 0
    assert loss.is_measurable


def test_noise_makes_no_measurable_difference():
    rng = np.random.default_rng(0)
    folds, rows = grid(rng.normal(size=(200, 6)), rng.integers(0, 2, 200))
    assert "no measurable loss" in verdict(rows, folds) or verdict(rows, folds).startswith("No measurable difference")


def test_a_loss_is_called_one():
    folds, rows = grid(*signal_on_top())
    rows = [rows[0], next(row for row in rows if row.name == "Whitening(64)")]
    assert verdict(rows, folds).startswith(
        "No: nothing beats the space as it is, and the best whitening, Whitening(64)"
    )


def test_without_labels_only_the_shape_is_measured():
    folds, rows = grid(hidden_signal()[0])
    assert np.isnan(rows[0].mean("accuracy"))
    assert np.isnan(rows[0].mean("silhouette"))
    assert best(rows) is None
    assert verdict(rows, folds).startswith("Only labels can say")


def test_rows_of_the_grid():
    names = [row.name for row in transforms(381, 384)]
    assert names == [
        *("as is", "centred", "Whitening(16)", "Whitening(32)", "Whitening(64)", "Whitening(128)", "Whitening(256)"),
        *("Whitening(381)", "AllButTheTop(4)"),
    ]
    assert [row.n_features for row in transforms(8, 8)] == [8, 8, 2, 4, 8, 8]
    assert [row.name for row in transforms(1, 1)] == ["as is", "centred", "Whitening(1)"]


@pytest.mark.parametrize("shape", [(100, 40), (50, 60)])
def test_transforms_are_those_of_the_estimators(shape):
    X = np.random.default_rng(0).normal(size=shape) * np.arange(1, shape[1] + 1) + 5
    folds = split(Space("planted", X))
    train = X[folds.fold != 0]
    expected = {
        "as is": X,
        "centred": X - train.mean(axis=0),
        "Whitening(16)": Whitening(16).fit(train).transform(X),
        f"Whitening({folds.rank})": Whitening(folds.rank).fit(train).transform(X),
        "AllButTheTop(1)": AllButTheTop(1).fit(train).transform(X),
    }
    found = {row.name: row.apply(X, *folds.maps[0]) for row in transforms(folds.rank, shape[1])}
    for name, z in expected.items():
        np.testing.assert_allclose(found[name], z, atol=1e-7 * np.abs(z).max(), err_msg=name)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_probe_is_a_logistic_regression_on_the_mapped_rows(n_classes):
    rng = np.random.default_rng(n_classes)
    X = rng.normal(size=(300, 6)) * np.arange(1, 7) + 4
    y = np.argmax(X[:, :n_classes] / np.arange(1, n_classes + 1) + rng.normal(size=(300, n_classes)), axis=1)
    folds, rows = grid(X, y)
    test, inner = folds.fold == 0, folds.fold == 1
    for transform, row in zip(transforms(folds.rank, 6), rows, strict=True):
        z = transform.apply(X, *folds.maps[0])
        z = z / np.linalg.norm(z[~test], axis=1).mean()
        models = [LogisticRegression(C=C, tol=1e-8, max_iter=9999) for C in PENALTIES]
        scores = [model.fit(z[~test & ~inner], y[~test & ~inner]).score(z[inner], y[inner]) for model in models]
        expected = models[int(np.argmax(scores))].fit(z[~test], y[~test]).predict(z[test]) == y[test]
        np.testing.assert_array_equal(row.folds[0].hits, expected, err_msg=transform.name)


def test_shape_is_measured_on_held_out_rows():
    X, _ = hidden_signal()
    folds, rows = grid(X)
    held_out = [X[folds.fold == f] for f in range(5)]
    assert rows[0].mean("isoscore") == pytest.approx(np.mean([metrics.isoscore(x, debias=True) for x in held_out]))
    assert rows[0].mean("conformity") == pytest.approx(np.mean([metrics.average_cosine(x) for x in held_out]))


def test_equal_rows_share_a_fold_and_classes_are_in_all():
    X, y = hidden_signal(60)
    folds = split(Space("planted", np.repeat(X, 3, axis=0), np.repeat(y, 3)))
    assert (folds.fold.reshape(60, 3) == folds.fold[::3, None]).all()
    assert all(set(folds.codes[folds.fold == f]) == {0, 1} for f in range(5))


def test_copies_of_rows_are_no_new_evidence():
    X, y = hidden_signal(100)
    folds, rows = grid(X, y)
    copied = folds._replace(groups=np.repeat(folds.groups, 4), fold=np.repeat(folds.fold, 4))
    repeated = [row._replace(folds=tuple(s._replace(hits=np.repeat(s.hits, 4)) for s in row.folds)) for row in rows]
    assert difference(repeated[4], repeated[0], copied) == pytest.approx(difference(rows[4], rows[0], folds))


def test_difference_of_a_row_to_itself_is_zero():
    folds, rows = grid(*hidden_signal(100))
    assert difference(rows[2], rows[2], folds) == (0.0, 0.0)


def test_more_comparisons_widen_the_interval():
    folds, rows = grid(*hidden_signal(100))
    one, many = (difference(rows[4], rows[0], folds, n) for n in (1, 10))
    assert one.mean == many.mean
    assert one.margin < many.margin


@pytest.mark.parametrize(
    ("X", "y"),
    [
        (np.arange(38.0).reshape(19, 2), None),
        (np.ones((50, 3)), None),
        (np.repeat(np.arange(10.0), 5)[:, None], None),
    ],
    ids=["few rows", "no spread", "few different rows"],
)
def test_too_few_rows_for_folds(X, y):
    assert split(Space("small", X, y)) is None


def test_one_row_for_each_class_in_a_fold_has_no_silhouette():
    X, _ = hidden_signal(20)
    _, rows = grid(X, np.arange(20) % 4)
    assert np.isnan(rows[0].mean("silhouette"))
    assert np.isfinite(rows[0].mean("accuracy"))


def test_large_spaces_are_sampled(monkeypatch):
    monkeypatch.setattr(_grid, "MAX_ROWS", 100)
    folds = split(Space("planted", *hidden_signal()))
    assert folds.is_sample
    assert len(folds.x) == 100


def test_grid_is_reproducible():
    X, y = hidden_signal(100)
    first, second = (grid(X, y)[1] for _ in range(2))
    assert [row.mean("accuracy") for row in first] == [row.mean("accuracy") for row in second]


def test_progress_counts_to_the_end():
    steps = []
    list(evaluate(split(Space("planted", hidden_signal(100)[0])), lambda done, total: steps.append((done, total))))
    assert steps == [(i, 30) for i in range(1, 31)]
