"""OffsetDisplay: loss and divergence along the means."""

import numpy as np
import pytest

from skgeom.datasets import make_double_ellipsoid
from skgeom.inspection import OffsetDisplay
from skgeom.multimodal import divergence_along_offset, loss_along_offset

ALPHAS = np.linspace(-0.5, 1.2, 5)


@pytest.fixture(scope="module")
def pair():
    return make_double_ellipsoid(200, random_state=0)


def test_the_curves_hold_loss_and_divergence(pair):
    display = OffsetDisplay.from_embedding(*pair, ALPHAS, temperature=0.1, batch_size=100, move="X")
    loss = loss_along_offset(*pair, ALPHAS, temperature=0.1, batch_size=100)
    divergence = divergence_along_offset(*pair, ALPHAS, move="X")
    np.testing.assert_array_equal(display.loss_.get_xydata().T, [ALPHAS, loss])
    np.testing.assert_array_equal(display.divergence_.get_xydata().T, [ALPHAS, divergence])
    assert display.loss_.axes is display.axes_[0]
    assert display.divergence_.axes is display.axes_[1]


def test_the_dots_are_the_minima_and_infinity_is_left_out():
    display = OffsetDisplay([0, 1, 2], loss=[3, 2, 4], divergence=[np.inf, 2, 1]).plot()
    assert [dot.get_xydata().tolist() for dot in display.minima_] == [[[1, 2]], [[2, 1]]]
    np.testing.assert_array_equal(display.divergence_.get_xydata(), [[1, 2], [2, 1]])


def test_what_does_not_fit_is_refused(pair, pyplot):
    with pytest.raises(ValueError, match="ascending"):
        OffsetDisplay([1, 0], loss=[1, 1], divergence=[1, 1])
    with pytest.raises(ValueError, match=r"loss must have shape \(2\)"):
        OffsetDisplay([0, 1], loss=[1], divergence=[1, 1])
    with pytest.raises(ValueError, match="2 panels, but ax holds 1"):
        OffsetDisplay([0, 1], loss=[1, 1], divergence=[1, 1]).plot(pyplot.subplots()[1])
