"""SimilarityDisplay: two densities, before and after."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from skgeom.alignment import ProcrustesAligner
from skgeom.inspection import SimilarityDisplay
from skgeom.metrics import pair_cosines
from skgeom.preprocessing import Whitening


@pytest.fixture
def pairs():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 8)) * np.arange(1, 9) + 2
    return X, X + 3 * rng.normal(size=X.shape)


def density(steps):
    data = steps.get_data()
    return data.values, data.edges


def test_the_steps_are_the_densities_of_the_cosines(pairs):
    display = SimilarityDisplay.from_embedding(*pairs, random_state=0)
    cosines = pair_cosines(*pairs, random_state=0)
    for steps, sample in ((display.matching_, cosines.matching), (display.other_, cosines.other)):
        heights, edges = density(steps)
        np.testing.assert_allclose(heights, np.histogram(sample, edges, density=True)[0])
        assert (heights * np.diff(edges)).sum() == pytest.approx(1)


def test_equal_cosines_have_a_density():
    display = SimilarityDisplay([1.0, 1.0], [1.0, 1.0 - 2**-53]).plot()
    for steps in (display.matching_, display.other_):
        heights, edges = density(steps)
        assert (heights * np.diff(edges)).sum() == pytest.approx(1)
    assert display.auc == 0.75


def test_auc_is_that_of_scikit_learn_with_ties():
    matching, other = [0.5, 0.1, 0.9, 0.5], [0.5, 0.0, 0.1]
    display = SimilarityDisplay(matching, other)
    assert display.auc == pytest.approx(roc_auc_score([1] * 4 + [0] * 3, matching + other))


def test_before_hangs_below_the_axis(pairs):
    white = Whitening(power=0.5).fit(pairs[0])
    display = SimilarityDisplay.from_estimator(white, *pairs, random_state=0)
    before, after = pair_cosines(*pairs, random_state=0), pair_cosines(*map(white.transform, pairs), random_state=0)
    np.testing.assert_allclose(display.matching, after.matching)
    np.testing.assert_allclose(display.other, after.other)
    np.testing.assert_allclose(display.before[0], before.matching)
    heights, edges = density(display.other_before_)
    np.testing.assert_allclose(heights, -np.histogram(before.other, edges, density=True)[0])
    texts = [text.get_text() for text in display.ax_.texts]
    assert texts == [f"after: AUC {display.auc:.3f}", f"before: AUC {display.auc_before:.3f}"]


def test_an_aligner_maps_one_side_alone(pairs):
    aligner = ProcrustesAligner().fit(*pairs)
    display = SimilarityDisplay.from_estimator(aligner, *pairs, random_state=0)
    expected = pair_cosines(aligner.transform(pairs[0]), pairs[1], random_state=0)
    np.testing.assert_allclose(display.matching, expected.matching)


def test_labels_say_what_belongs_together(pairs):
    labels = np.arange(300) % 3
    white = Whitening().fit(pairs[0])
    display = SimilarityDisplay.from_estimator(white, pairs[0], labels=labels, n_pairs=500, random_state=0)
    expected = pair_cosines(white.transform(pairs[0]), labels=labels, n_pairs=500, random_state=0)
    np.testing.assert_allclose(display.matching, expected.matching)
    assert display.matching.size == display.other.size == 500


@pytest.mark.parametrize("d", [3, 50])
def test_the_band_holds_95_percent_of_isotropic_cosines(d):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(2, 400, d))
    display = SimilarityDisplay.from_embedding(X, Y, random_state=0)
    low, width = display.isotropic_.get_x(), display.isotropic_.get_width()
    assert low == -width / 2
    assert np.mean(np.abs(display.other) < -low) == pytest.approx(0.95, abs=0.005)


def test_each_half_has_the_band_of_its_own_dimension(pairs):
    white = Whitening(4).fit(pairs[0])
    display = SimilarityDisplay.from_estimator(white, *pairs, random_state=0)
    after, before = display.isotropic_, display.isotropic_before_
    assert after.get_width() > before.get_width()
    assert after.get_height() > 0 > before.get_height()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([2.0], [0.1]), "matching must hold cosines, from -1 to 1, got 2"),
        (([0.2], []), "other is empty"),
        (([0.2], [[0.1]]), r"other must have shape \(n\)"),
    ],
)
def test_what_are_no_cosines_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SimilarityDisplay(*arguments)


def test_before_is_two_samples():
    with pytest.raises(ValueError, match=r"before must be \(matching, other\), got 1"):
        SimilarityDisplay([0.1], [0.2], before=([0.1],))
