"""SilhouetteDisplay: a bar for each row, by class."""

from itertools import pairwise

import numpy as np
import pytest

from skgeom.inspection import SilhouetteDisplay
from skgeom.metrics import silhouette_samples
from skgeom.preprocessing import Whitening


@pytest.fixture
def labelled():
    rng = np.random.default_rng(0)
    labels = np.repeat(["b", "c", "a"], [30, 10, 3])
    return rng.normal(size=(43, 4)) + np.repeat([[0.0], [1.0], [4.0]], [30, 10, 3], axis=0), labels


def bars(display):
    """Return the values of the bars of each class, and where they are."""
    parts = zip(display.bars_, display.negative_, strict=True)
    return [(up.get_data().values + down.get_data().values, up.get_data().edges) for up, down in parts]


def test_the_bars_of_a_class_are_its_silhouettes_in_descending_order(labelled):
    X, labels = labelled
    display = SilhouetteDisplay.from_embedding(X, labels)
    values = silhouette_samples(X, labels)
    assert list(display.classes) == ["a", "b", "c"]
    for label, mean, (heights, edges) in zip("abc", display.means, bars(display), strict=True):
        np.testing.assert_array_equal(heights, np.sort(values[labels == label])[::-1])
        np.testing.assert_allclose(np.diff(edges), 1)
        assert mean == pytest.approx(values[labels == label].mean())
    assert display.mean_.get_xdata()[0] == pytest.approx(values.mean())
    assert all((one.get_data().values >= 0).all() for one in display.bars_)
    assert all((one.get_data().values <= 0).all() and one.get_hatch() for one in display.negative_)


def test_names_are_beside_their_bars_and_have_room(labelled):
    display = SilhouetteDisplay.from_embedding(*labelled, names=["A", "B", "C"])
    texts = display.ax_.get_yticklabels()
    assert [text.get_text() for text in texts] == ["A", "B", "C"]
    for text, (_, edges) in zip(texts, bars(display), strict=True):
        assert text.get_position()[1] == pytest.approx((edges[0] + edges[-1]) / 2)
    ends = [(edges[0], edges[-1]) for _, edges in bars(display)]
    assert all(one[1] < other[0] for one, other in pairwise(ends))


@pytest.mark.parametrize("n_classes", [3, 40])
def test_names_do_not_overlap(n_classes):
    rng = np.random.default_rng(0)
    labels = np.concatenate([np.arange(n_classes), np.arange(n_classes), np.zeros(500, dtype=int)])
    display = SilhouetteDisplay.from_embedding(rng.normal(size=(labels.size, 3)), labels)
    display.figure_.draw_without_rendering()
    boxes = [text.get_window_extent() for text in display.ax_.get_yticklabels()]
    assert all(upper.y0 >= lower.y1 - 1 for upper, lower in pairwise(boxes))


def test_an_estimator_and_a_metric_are_passed_on(labelled):
    X, labels = labelled
    white = Whitening().fit(X)
    display = SilhouetteDisplay.from_estimator(white, X, labels, metric="cosine")
    np.testing.assert_allclose(display.silhouettes, silhouette_samples(white.transform(X), labels, metric="cosine"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.1, 0.2, 2.0], [0, 0, 1]), r"in \[-1, 1\]"),
        (([0.1, 0.2, 0.3], [0, 0, 0]), "Number of labels is 1"),
        (([0.1, 0.2, 0.3], [0, 1]), "2 labels for 3 rows"),
    ],
)
def test_what_are_no_silhouettes_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SilhouetteDisplay(*arguments)


def test_names_are_one_for_each_class():
    with pytest.raises(ValueError, match="1 names for 2 classes"):
        SilhouetteDisplay([0.1, 0.2, 0.3], [0, 0, 1], names=["a"])
