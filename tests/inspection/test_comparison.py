"""ComparisonDisplay: the values of all pairs, and which could be chance."""

import numpy as np
import pytest

from skgeom.comparison import compare
from skgeom.inspection import ComparisonDisplay


@pytest.fixture
def comparison():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 8))
    return compare({"first": X, "second": X[:, :6], "other": rng.normal(size=(60, 5))})


def test_the_picture_holds_the_values_and_the_names(comparison):
    display = ComparisonDisplay.from_comparison(comparison)
    np.testing.assert_array_equal(display.image_.get_array(), comparison.cka.clip(min=0))
    assert [text.get_text() for text in display.texts_] == [f"{value:.2f}" for value in comparison.cka.ravel()]
    assert [tick.get_text() for tick in display.ax_.get_yticklabels()] == ["first", "second", "other"]
    assert display.image_.get_clim() == (0, 1)


def test_cells_that_could_be_chance_are_hatched(comparison):
    display = ComparisonDisplay.from_comparison(comparison, alpha=0.02)
    cells = {(cell.get_x() + 0.5, cell.get_y() + 0.5) for cell in display.hatched_}
    assert cells == {(0, 2), (2, 0)}
    assert all(cell.get_hatch() for cell in display.hatched_)
    unknown = np.full((3, 3), np.nan)
    assert len(ComparisonDisplay(comparison.cka, pvalues=unknown).plot().hatched_) == 6
    assert not ComparisonDisplay(comparison.cka).plot().hatched_


def test_many_layers_have_no_numbers_and_few_names():
    layers = np.random.default_rng(0).normal(size=(25, 30, 4))
    display = ComparisonDisplay.from_embedding(layers)
    assert not display.texts_
    assert len(display.ax_.get_xticks()) <= 12
    np.testing.assert_array_equal(display.image_.get_array(), compare(layers).cka.clip(min=0))


def test_long_names_keep_their_ends_and_leave_room_for_the_cells():
    display = ComparisonDisplay(np.eye(2), names=["twelve chars", "encoder.layer.11"]).plot()
    for labels in (display.ax_.get_xticklabels(), display.ax_.get_yticklabels()):
        assert [label.get_text() for label in labels] == ["twelve chars", "encode…er.11"]


def test_nothing_touches_the_edge_of_the_figure(comparison):
    display = ComparisonDisplay.from_comparison(comparison)
    figure = display.figure_
    figure.draw_without_rendering()
    box = figure.get_tightbbox()
    assert min(box.x0, box.y0, figure.get_figwidth() - box.x1, figure.get_figheight() - box.y1) > 0.02


def test_values_just_below_0_have_no_sign():
    display = ComparisonDisplay([[1, -0.001], [-0.001, 1]]).plot()
    assert [text.get_text() for text in display.texts_] == ["1.00", "0.00", "0.00", "1.00"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cka": [[1, 0.5], [0.4, 1]]}, "symmetric"),
        ({"cka": [[1, 0.5]]}, r"must have shape \(1, 1\)"),
        ({"cka": np.eye(2), "pvalues": [0.1, 0.2]}, "pvalues must have shape"),
        ({"cka": np.eye(2), "names": ["a"]}, "1 names for 2 spaces"),
        ({"cka": np.eye(2), "alpha": 2}, "alpha must be"),
    ],
)
def test_what_is_no_comparison_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ComparisonDisplay(**arguments)
