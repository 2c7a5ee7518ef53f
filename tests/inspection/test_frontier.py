"""FrontierDisplay: points, front, start and bound."""

from dataclasses import replace

import numpy as np
import pytest

from skgeom.inspection import FrontierDisplay
from skgeom.optim import Frontier


@pytest.fixture
def frontier():
    return Frontier(
        weight=np.array([1, 0, 0.01, 0.5, 0.9]),
        isoscore=np.array([0.9, 0.1, 0.101, 0.5, 0.4]),
        score=np.array([0.1, 0.8, 0.799, 0.5, 0.3]),
        is_optimal=np.array([True, True, True, True, False]),
        score_name="neg_davies_bouldin",
        start=(0.3, 0.2),
        bound=0.05,
        n_classes=2,
        n_features=8,
        histories=(),
    )


def test_the_artists_hold_the_points_the_front_the_start_and_the_bound(frontier):
    display = frontier.plot()
    assert isinstance(display, FrontierDisplay)
    np.testing.assert_array_equal(display.points_.get_xydata().T, [frontier.isoscore, frontier.score])
    np.testing.assert_array_equal(display.front_.get_xdata(), [0.1, 0.101, 0.5, 0.9])
    np.testing.assert_array_equal(display.front_.get_ydata(), [0.8, 0.799, 0.5, 0.1])
    assert display.front_.get_drawstyle() == "steps-pre"
    np.testing.assert_array_equal(display.start_.get_xydata(), [frontier.start])
    assert display.bound_.get_xdata()[0] == frontier.bound
    assert display.ax_.get_ylabel() == "neg davies bouldin"


def test_points_that_nearly_coincide_share_a_label(frontier, pyplot):
    ax = pyplot.subplots()[1]
    texts = {text.get_text(): text.xy for text in frontier.plot(ax).weights_}
    assert list(texts) == ["1", "0, 0.01", "0.5", "0.9"]
    np.testing.assert_array_equal(texts["0, 0.01"], [0.1, 0.8])


def test_an_infinite_score_is_left_out(frontier):
    endless = replace(frontier, score=np.array([0.1, -np.inf, 0.799, 0.5, 0.3]))
    display = endless.plot()
    assert [text.get_text() for text in display.weights_] == ["1", "0.01", "0.5", "0.9"]


def test_without_a_known_score_the_start_and_the_bound_are_drawn(frontier):
    display = replace(frontier, score=np.full(5, np.nan)).plot()
    assert not display.weights_
    assert display.bound_.get_xdata()[0] == frontier.bound


def test_what_is_no_frontier_is_refused():
    with pytest.raises(ValueError, match=r"score must have shape \(2\), got \(1,\)"):
        FrontierDisplay([0, 1], [0.1, 0.2], [0.5], is_optimal=[True, True], start=(0, 0), bound=0)
    with pytest.raises(ValueError, match="bound must be a finite number from 0 to 1"):
        FrontierDisplay([0], [0.1], [0.5], is_optimal=[True], start=(0, 0), bound=2)
