"""TrajectoryDisplay: columns of a history over the updates, or against one another."""

import numpy as np
import pytest

from skgeom.inspection import TrajectoryDisplay
from skgeom.optim import History, SphereDispersion
from skgeom.preprocessing import Whitening


@pytest.fixture
def history():
    rows = [(0, 3.0, 3.0, 0.2, 0.1, 0.01), (5, 2.0, 2.0, np.nan, 0.2, 0.02), (9, 1.5, 1.5, 0.4, 0.5, 0.01)]
    rows += [(12, 1.0, 1.0, 0.5, 0.4, 0.01)]
    return History(["cross_entropy"], ["isoscore", "silhouette"], rows, ["silhouette_se"])


def test_each_panel_holds_a_column_over_the_updates(history):
    display = history.plot()
    assert isinstance(display, TrajectoryDisplay)
    assert list(display.lines_) == ["loss", "isoscore", "silhouette"]
    np.testing.assert_array_equal(display.lines_["loss"].get_xydata().T, [history.iteration, history.loss])
    np.testing.assert_array_equal(display.lines_["isoscore"].get_xdata(), [0, 9, 12])  # one was not measured
    assert [ax.get_ylabel() for ax in display.axes_] == ["loss", "isoscore", "silhouette"]
    assert display.ax_.get_xlabel() == "update"
    assert not display.bounds_


def test_bands_are_intervals_of_95_percent(history):
    bands = history.plot("silhouette", "loss").bands_
    assert list(bands) == ["silhouette"]
    low, high = bands["silhouette"].get_datalim(bands["silhouette"].axes.transData).intervaly
    assert low == pytest.approx(0.1 - 1.96 * 0.01, abs=1e-6)
    assert high == pytest.approx(0.5 + 1.96 * 0.01, abs=1e-6)


def test_one_against_the_other_has_its_correlations_its_ends_and_the_bound(history):
    display = history.plot("silhouette", x="isoscore", bound=0.3)
    line = display.lines_["silhouette"]
    np.testing.assert_array_equal(line.get_xydata(), [[0.2, 0.1], [0.4, 0.5], [0.5, 0.4]])
    r, rho = history.correlation("isoscore", "silhouette"), 0.5
    assert line.get_label() == f"r = {r:.2f}, ρ = {rho:.2f}"
    first, last = display.ends_["silhouette"]
    np.testing.assert_array_equal(first.get_xydata(), [[0.2, 0.1]])
    np.testing.assert_array_equal(last.get_xydata(), [[0.5, 0.4]])
    assert first.get_markerfacecolor() == "white" != last.get_markerfacecolor()
    assert display.bounds_[0].get_xdata()[0] == 0.3
    assert list(history.plot(x="isoscore").lines_) == ["silhouette"]


def test_panels_do_not_repeat_the_entries_of_the_legend(history):
    display = history.plot("loss", "silhouette", x="isoscore", bound=0.3)
    loss, silhouette = ([text.get_text() for text in axes.get_legend().get_texts()] for axes in display.axes_)
    assert loss[1:] == ["start", "end", "collapse bound"]
    assert len(silhouette) == 1
    assert silhouette[0].startswith("r = ")
    assert len(display.bounds_) == len(display.ends_) == 2


def test_the_bound_lies_across_isoscore_over_the_updates(history):
    display = history.plot(bound=0.3)
    (bound,) = display.bounds_
    assert bound.axes is display.axes_[1]
    assert bound.get_ydata()[0] == 0.3


def test_panels_can_be_the_callers(history, pyplot):
    _, panels = pyplot.subplots(2)
    assert list(history.plot("loss", "isoscore", ax=panels).axes_) == list(panels)
    assert history.plot("loss", ax=panels[0]).ax_ is panels[0]
    with pytest.raises(ValueError, match="3 panels, but ax holds 2"):
        history.plot(ax=panels)


def test_a_fitted_optimiser_is_drawn():
    fitted = SphereDispersion(max_iter=5, polish=False, random_state=0).fit(np.eye(3) + 0.1)
    display = TrajectoryDisplay.from_estimator(fitted)
    np.testing.assert_array_equal(display.lines_["loss"].get_ydata(), fitted.history_.loss)


def test_what_has_no_history_or_no_such_column_is_refused(history):
    with pytest.raises(ValueError, match="Whitening has no history_"):
        TrajectoryDisplay.from_estimator(Whitening())
    with pytest.raises(ValueError, match="A column must be one of 'iteration', 'loss'"):
        history.plot("accuracy")
    with pytest.raises(ValueError, match="No column to draw"):
        History([], [], [(0, 1.0)]).plot(x="loss")
    with pytest.raises(ValueError, match=r"loss must have shape \(2\), got \(3,\)"):
        TrajectoryDisplay([0, 1], {"loss": [1, 2, 3]})
    with pytest.raises(ValueError, match="bound must be a finite number from 0 to 1"):
        history.plot(bound=2)
