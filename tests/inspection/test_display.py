"""What all Displays share."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from skgeom.inspection import ConformityDisplay, SpaceDisplay, SpectrumDisplay, SphereDisplay
from skgeom.preprocessing import Whitening


@pytest.fixture
def display():
    return SpectrumDisplay([3, 2, 1], n_samples=9, n_features=3)


def test_without_matplotlib_one_line_says_what_to_install(display, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'^Displays need matplotlib.* "scikit-embedding-geometry\[plot\]"$'):
        display.plot()


def test_importing_loads_no_matplotlib():
    code = "import sys, skgeom.inspection; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_settings_of_the_caller_are_as_they_were(display, pyplot):
    before = dict(pyplot.rcParams)
    display.plot()
    assert dict(pyplot.rcParams) == before


def test_axes_of_the_caller_are_drawn_on(display, pyplot):
    figure, ax = pyplot.subplots()
    assert display.plot(ax) is display
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert pyplot.get_fignums() == [figure.number]


def test_each_display_on_one_axes_has_the_next_look(display):
    ax = display.plot().ax_
    styles = [display.line_.get_linestyle()] + [display.plot(ax).line_.get_linestyle() for _ in range(4)]
    assert styles == ["-", "--", "-.", ":", "-"]


def test_cleared_axes_are_new_axes(display, pyplot):
    ax = display.plot().ax_
    look = display.line_.get_linestyle()
    ax.clear()
    assert display.plot(ax).line_.get_linestyle() == look
    assert display.isotropic_ is not None


def test_ticks_share_no_power_of_ten_that_the_legend_hides():
    display = ConformityDisplay([0.999999, 1.0, 0.9999995], name="a narrow cone").plot()
    display.figure_.canvas.draw()
    assert display.ax_.yaxis.get_offset_text().get_text() == ""
    heights = [float(label.get_text()) for label in display.ax_.get_yticklabels()]
    assert max(heights) > 1e6
    np.testing.assert_allclose(heights, display.ax_.get_yticks())


def two_clouds(names):
    X, Y = np.random.default_rng(0).normal(size=(2, 40, 6))
    return SpaceDisplay([X[:, :2], Y[:, :2]], shares=(0.5, 0.3), names=names)


@pytest.mark.parametrize(
    ("draw", "columns"),
    [
        (lambda: two_clouds(["image embeddings", "text embeddings"]), 3),
        (lambda: two_clouds(["images", "texts"]), 4),
        (lambda: SphereDisplay(np.linspace(5, 60, 50), n_features=20), 1),
        (lambda: ConformityDisplay(np.linspace(-1, 1, 50), name="all sentences of the corpus"), 1),
    ],
)
def test_a_legend_has_the_columns_that_fit_over_the_axes(draw, columns):
    display = draw().plot()
    figure, legend = display.figure_, display.ax_.get_legend()
    figure.draw_without_rendering()
    box = figure.get_tightbbox()
    assert min(box.x0, box.y0, figure.get_figwidth() - box.x1, figure.get_figheight() - box.y1) > 0.02
    assert display.ax_.get_window_extent().width > 0.7 * figure.bbox.width
    assert legend._ncols == columns


def test_an_estimator_that_is_not_fitted_is_refused():
    with pytest.raises(NotFittedError):
        SpectrumDisplay.from_estimator(Whitening(), np.eye(3))
