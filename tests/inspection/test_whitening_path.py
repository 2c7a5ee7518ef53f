"""WhiteningPathDisplay: scores, bands and baseline of a judgement."""

import numpy as np
import pytest

from skgeom.inspection import WhiteningPathDisplay
from skgeom.model_selection import Judged, Judgement, judge_neighbours


def judged(name, width, score, margin):
    return Judged(name, width, score, score - 0.6, margin, {})


@pytest.fixture
def judgement():
    rows = (
        judged("as is", 300, 0.6, 0.0),
        judged("centred", 300, 0.5, 0.05),
        judged("Whitening(64, power=0.5)", 64, 0.75, 0.02),
        judged("Whitening(16, power=0.5)", 16, 0.7, 0.01),
        judged("Whitening(16, power=1, shrinkage='ledoit_wolf')", 16, 0.65, 0.03),
        judged("AllButTheTop(1)", 300, 0.62, 0.04),
    )
    return Judgement("classes", "accuracy", rows, "yes", "Yes.", "passthrough", 0.95, 100, 5)


def test_each_power_is_a_line_by_width(judgement):
    display = WhiteningPathDisplay.from_judgement(judgement)
    np.testing.assert_array_equal(display.lines_[0.5].get_xydata(), [[16, 0.7], [64, 0.75]])
    np.testing.assert_array_equal(display.lines_[1.0].get_xydata(), [[16, 0.65]])
    assert display.baseline_.get_ydata()[0] == 0.6
    assert display.ax_.get_ylabel() == "accuracy of a linear probe"
    assert [tick.get_text() for tick in display.ax_.get_xticklabels()] == ["16", "64", "300"]


def test_bands_are_as_wide_as_the_margins(judgement):
    display = WhiteningPathDisplay.from_judgement(judgement)
    corners = display.bands_[0.5].get_paths()[0].vertices
    assert {tuple(corner) for corner in corners.round(9)} == {(16, 0.69), (16, 0.71), (64, 0.73), (64, 0.77)}


def test_the_diamond_is_the_best_of_the_others(judgement):
    other = WhiteningPathDisplay.from_judgement(judgement).other_
    assert other.get_label() == "AllButTheTop(1)"
    np.testing.assert_allclose(other.lines[0].get_xydata(), [[300, 0.62]])
    np.testing.assert_allclose(other.lines[2][0].get_segments(), [[[300, 0.58], [300, 0.66]]])


def test_lines_differ_without_colour(judgement):
    one, other = WhiteningPathDisplay.from_judgement(judgement).lines_.values()
    assert one.get_marker() != other.get_marker()
    assert one.get_linestyle() != other.get_linestyle()


def test_a_judgement_of_real_rows_is_drawn_whole():
    judgement = judge_neighbours(np.random.default_rng(0).normal(size=(80, 20)))
    display = WhiteningPathDisplay.from_judgement(judgement)
    drawn = sum(line.get_xdata().size for line in display.lines_.values())
    assert drawn == sum(one.name.startswith("Whitening") for one in judgement.transforms) > 0


def test_what_is_no_judgement_is_refused():
    with pytest.raises(TypeError, match="Expected a Judgement, got dict: pass the result of a judge"):
        WhiteningPathDisplay.from_judgement({})
    with pytest.raises(ValueError, match=r"paths\[0.5\] must have shape \(n, 3\)"):
        WhiteningPathDisplay({0.5: [[16, 0.5]]}, baseline=0.5)
    with pytest.raises(ValueError, match="at most 4 paths"):
        WhiteningPathDisplay({power: [[1, 1, 1]] for power in range(5)}, baseline=0.5)
