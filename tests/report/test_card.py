import numpy as np
import pytest

from skgeom import metrics
from skgeom._validation import check_moments
from skgeom.calibration import CosineCalibrator
from skgeom.report._card import card, dead_coordinates
from skgeom.report._space import Space


def planted(n=120, d=12):
    """Rows with an offset, a dead coordinate (5), two copies of row 0 and a zero row (7)."""
    X = np.random.default_rng(0).normal(size=(n, d)) * np.arange(1, d + 1) + 2
    X[:, 5] = 0.0
    X[[3, 9]] = X[0]
    X[7] = 0.0
    return X


def entries(space):
    return {entry.name: entry for section in card(space) for entry in section.entries}


@pytest.fixture
def labels():
    return np.arange(120) % 3


@pytest.fixture
def shown(labels):
    return entries(Space("planted", planted(), labels, planted()[::-1] + 1))


def test_rows_are_counted(shown):
    assert shown["shape"].value == "120 × 12"
    assert shown["zero rows"].value == 1
    assert shown["repeated rows"].value == 2


def test_norms_are_those_of_the_rows_as_stored(shown):
    norms = np.linalg.norm(planted(), axis=1)
    assert shown["norm"].value == pytest.approx(np.median(norms))
    assert (shown["norm"].low, shown["norm"].high) == pytest.approx((0, norms.max()))


def test_dead_coordinates_are_named(shown):
    assert shown["dead coordinates"].value == 1
    assert shown["dead coordinates"].hint.endswith(": 5")
    assert shown["numerical rank"].value == 11


@pytest.mark.parametrize(
    ("name", "measure"),
    [
        ("IsoScore", metrics.isoscore),
        ("IsoScore, debiased", lambda X: metrics.isoscore(X, debias=True)),
        ("participation ratio", metrics.participation_ratio),
        ("effective rank", metrics.effective_rank),
        ("stable rank", metrics.stable_rank),
        ("spectrum slope", metrics.spectrum_slope),
    ],
)
def test_spread_agrees_with_the_metrics(shown, name, measure):
    assert shown[name].value == pytest.approx(measure(planted()))


@pytest.mark.parametrize(
    ("name", "measure"),
    [
        ("average cosine", metrics.average_cosine),
        ("I1, unit rows", lambda X: metrics.partition_isotropy(X, normalize=True)),
        ("I2, unit rows", lambda X: metrics.partition_dispersion(X, normalize=True)),
        ("conformity", lambda X: np.median(metrics.conformity(X))),
    ],
)
def test_cosines_leave_zero_rows_out(shown, name, measure):
    assert shown[name].value == pytest.approx(measure(np.delete(planted(), 7, axis=0)))


def test_variance_shares_agree_with_the_metric(shown):
    shares = metrics.variance_explained(planted())
    assert shown["variance, top 1"].value == f"{100 * shares[0]:.1f} %"
    assert shown["variance, top 10"].value == f"{100 * shares[9]:.1f} %"


def test_classes_agree_with_the_metrics(labels, shown):
    X = planted()
    assert shown["classes"].value == 3
    assert shown["silhouette"].value == pytest.approx(metrics.silhouette_score(X, labels))
    assert shown["Caliński-Harabasz"].value == pytest.approx(metrics.calinski_harabasz_score(X, labels))
    assert shown["collapse bound"].value == pytest.approx(metrics.collapse_bound(3, 12))
    assert "silhouette, cosine" not in shown  # a zero row has no direction


def test_cosine_silhouette_is_there_without_zero_rows(labels):
    X = planted() + 0.5
    found = entries(Space("planted", X, labels))["silhouette, cosine"].value
    assert found == pytest.approx(metrics.silhouette_score(X, labels, metric="cosine"))


def test_the_largest_class_is_what_a_probe_must_beat(labels):
    shown = entries(Space("planted", planted(), np.where(labels == 2, 1, labels)))
    assert shown["largest class"].value == pytest.approx(2 / 3)


def test_classes_with_fewer_rows_than_folds_are_left_out(labels):
    rare = np.where(np.arange(120) >= 117, 9, labels)
    shown = entries(Space("planted", planted(), rare))
    assert shown["classes"].value == 4
    assert shown["classes left out"].value == 1
    assert shown["classes left out"].hint == "of fewer than 5 different rows, 3 in all"
    assert shown["silhouette"].value == pytest.approx(metrics.silhouette_score(planted()[:117], labels[:117]))


def test_copies_do_not_make_a_class_large_enough(labels):
    X = planted()
    X[110:] = X[110]
    space = Space("planted", X, np.where(np.arange(120) >= 110, 9, labels))
    assert space.in_large_classes.max() == 109


def test_pairs_agree_with_the_definitions(shown):
    keep = np.arange(120) != 7
    u, v = (rows[keep] / np.linalg.norm(rows[keep], axis=1)[:, None] for rows in (planted(), planted()[::-1] + 1))
    assert shown["paired cosine"].value == pytest.approx(np.mean(np.sum(u * v, axis=1)))
    assert shown["centroid gap"].value == pytest.approx(np.linalg.norm(u.mean(axis=0) - v.mean(axis=0)))
    assert shown["conformity, x to pair"].value == pytest.approx(np.median(u @ v.mean(axis=0)))
    nearest = (u @ v.T).argmax(axis=1)
    assert shown["recall@1, x to pair"].value == pytest.approx(np.mean(nearest == np.arange(119)))


def test_ties_count_at_their_expectation():
    shown = entries(Space("equal", np.ones((4, 2)), pair=np.ones((4, 2))))
    assert shown["recall@1, x to pair"].value == shown["recall@1, pair to x"].value == 0.25


def test_values_lie_within_their_bounds(shown):
    corrected = "IsoScore, debiased"
    for entry in shown.values():
        if entry.low is not None and entry.name != corrected:
            assert entry.low <= entry.value <= entry.high, entry


def test_words_of_the_extremes_are_shown():
    X = planted()
    words = np.array([f"w{i}" for i in range(120)], dtype=object)
    least = entries(Space("planted", X, words=words))["least conforming"].hint.split(", ")
    rest = np.delete(X, 7, axis=0)
    assert least[0] == np.delete(words, 7)[metrics.conformity(rest).argmin()]


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_scale_changes_norms_only(scale):
    plain, scaled = (entries(Space("planted", X)) for X in (planted(), planted() * scale))
    assert scaled["norm"].value == pytest.approx(plain["norm"].value * scale)
    for name in ("IsoScore", "effective rank", "average cosine", "I1, unit rows", "zero rows", "dead coordinates"):
        assert scaled[name].value == pytest.approx(plain[name].value), name


def test_constant_rows_give_numbers():
    shown = entries(Space("constant", np.ones((30, 4))))
    assert (shown["numerical rank"].value, shown["IsoScore"].value, shown["dead coordinates"].value) == (0, 0, 4)
    assert not any(np.isnan(e.value) for e in shown.values() if not isinstance(e.value, str))


def test_dead_coordinates_of_few_wide_rows():
    X = planted()[10:16]
    assert dead_coordinates(check_moments(Space("thin", X).cloud)).tolist() == [5]


def test_equal_rows_point_to_the_first():
    space = Space("planted", np.array([[1.0, 0.0], [2.0, 1.0], [1.0, -0.0], [2.0, 1.0]]))
    assert space.equal_rows.tolist() == [0, 1, 0, 1]


def test_rogue_dimensions_are_named():
    X = np.random.default_rng(0).normal(size=(300, 20))
    X[:, [13, 4, 8]] += [9, 3, 5]
    shown = entries(Space("planted", X))["rogue dimensions"]
    shares = metrics.cosine_shares(X)
    assert shown.value == f"{100 * np.sort(shares)[-3:].sum():.1f} %"
    assert shown.hint == "of the average cosine: coordinates 13, 8, 4; 15.0 % if even"
    assert entries(Space("centred", X - X.mean(axis=0)))["rogue dimensions"].value == "not available"


def test_the_cosine_of_a_match_is_that_of_the_calibrator():
    X = np.random.default_rng(0).normal(size=(250, 8)) + 0.5
    X[[3, 9]], X[7] = X[0], 0
    shown = entries(Space("planted", X))["cosine of a match"]
    found = CosineCalibrator(1e-3).fit(np.delete(X, 7, axis=0))
    assert (shown.value, shown.low, shown.high) == (found.threshold_, *found.threshold_interval_)
    assert shown.hint == "exceeded by 1 in 1,000 pairs; 95 % interval"


@pytest.mark.parametrize("rows", [planted(), np.ones((300, 4))])
def test_too_few_different_rows_have_no_cosine_of_a_match(rows):
    assert entries(Space("few", rows))["cosine of a match"].value == "not available"


def test_errors_keep_equal_rows_together():
    x = np.repeat(np.random.default_rng(0).normal(size=(40, 6)), 3, axis=0)
    error = entries(Space("x", x))["IsoScore"].error
    assert error == pytest.approx(metrics.estimate("isoscore", x[::3]).standard_error, rel=0.5)
    assert metrics.estimate("isoscore", x).standard_error < 0.8 * error


def test_few_different_rows_have_values_without_errors():
    x = np.repeat(np.random.default_rng(0).normal(size=(9, 6)), 3, axis=0)
    shown = entries(Space("x", x))["IsoScore"]
    assert shown.value == metrics.isoscore(x)
    assert np.isnan(shown.error)
