"""What all Displays share: axes, styles that need no colour, and the message if matplotlib is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Self
from weakref import WeakSet

import numpy as np

from skgeom.metrics._representation import Step, representation


class Look(NamedTuple):
    """The style of one of several artists on the same axes. Each of the four properties identifies it."""

    color: str
    linestyle: str
    marker: str
    hatch: str


BLUE, ORANGE, GREEN, VERMILION, PURPLE = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7"
"""From the palette of Okabe and Ito, which people with colour blindness can distinguish."""

INK, GREY, PALE = "#222222", "#5f6b76", "#dfe3e7"

LOOKS = (
    Look(BLUE, "-", "o", ""),
    Look(VERMILION, "--", "s", "////"),
    Look(GREEN, "-.", "^", "...."),
    Look(PURPLE, ":", "D", "xxxx"),
)

_STYLE: Any = {
    "font.size": 10,
    "legend.fontsize": 9,
    "legend.frameon": True,
    "legend.framealpha": 0.85,
    "legend.edgecolor": "none",
    "legend.borderpad": 0.2,
    "legend.handlelength": 2.4,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": PALE,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "hatch.linewidth": 0.7,
    "figure.constrained_layout.w_pad": 0.08,
    "figure.constrained_layout.h_pad": 0.08,
}

REFERENCE: Any = {"color": GREY, "linestyle": (0, (4, 2)), "linewidth": 1.2, "marker": ""}
"""The line of a chance level or a bound, grey and dashed in every picture."""

_WIDTH, _HEIGHT = 4.8, 3.4
"""Inches of a figure: text of ten points is legible where this is shown 400 pixels wide."""

_NARROWEST = 1e-6
"""Minimum width of all bins of a histogram of cosines."""

_WIDEST_LEGEND = 1.05
"""Width of a legend in units of that of the axes below, which the layout of a new figure widens by as much."""

_drawn: WeakSet[Any] = WeakSet()
"""The artists that each represent one Display: how many the axes hold decides the next look."""


class Display:
    """The axes of a picture.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        The axes and the figure.
    figure_ : matplotlib.figure.Figure
        The figure of the axes.
    """

    ax_: Any
    figure_: Any

    @contextmanager
    def _drawing(self, ax: Any, *, height: float = _HEIGHT) -> Iterator[Any]:
        """Yield the axes to draw on, new ones for None."""
        with styled():
            self.ax_ = _new_axes(height) if ax is None else ax
            self.figure_ = self.ax_.figure
            yield self.ax_

    @contextmanager
    def _drawing_panels(self, ax: Any, n: int, *, height: float) -> Iterator[np.ndarray]:
        """Yield n axes that share their x axis, one above the other."""
        with styled():
            self.axes_ = _new_axes(max(_HEIGHT, n * height), n) if ax is None else _given_axes(ax, n)
            self.ax_ = self.axes_[-1]
            self.figure_ = self.ax_.figure
            yield self.axes_


class CloudDisplay(Display):
    """A picture of rows, or of the output of an estimator for them."""

    from_embedding: Any

    @classmethod
    def from_estimator(cls, estimator: Any, X: Any, *args: Any, step: Step = "auto", **kwargs: Any) -> Self:
        """Draw the output of a fitted estimator, as `from_embedding` draws rows.

        Parameters
        ----------
        estimator : estimator
            A fitted transformer, or a Pipeline or search that ends in one. If the last step is a classifier or a
            regressor, its input is drawn.
        X : array of shape (n_samples, n_features)
            Rows for the estimator.
        *args
            Further arguments of `from_embedding`.
        step : str or callable, default="auto"
            Representation to draw, as in `skgeom.metrics.make_embedding_scorer`: the name of a step of a
            Pipeline, or a function ``f(estimator, X)``.
        **kwargs
            Keyword arguments of `from_embedding`.

        Returns
        -------
        display
            The Display, after drawing.

        Raises
        ------
        ValueError
            As in `from_embedding`, or if the estimator has no representation.
        """
        return cls.from_embedding(representation(estimator, X, step, {}), *args, **kwargs)


@contextmanager
def styled() -> Iterator[None]:
    """Apply the style of the Displays to everything drawn inside, and restore the settings of the caller afterwards.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
    except ImportError as error:
        raise ImportError(
            'Displays need matplotlib, which is not installed: pip install "scikit-embedding-geometry[plot]"'
        ) from error
    with rc_context(_STYLE):
        yield


def next_look(ax: Any) -> Look:
    """Return the style for the next Display on axes that may hold others."""
    return LOOKS[_n_drawn(ax) % len(LOOKS)]


def is_first(ax: Any) -> bool:
    """Return whether axes hold no Display yet, so that the references have not been drawn."""
    return _n_drawn(ax) == 0


def mark(artist: Any) -> Any:
    """Record that an artist shows the data of a Display, and return it."""
    _drawn.add(artist)
    return artist


def bin_edges(samples: Sequence[np.ndarray], n: int) -> np.ndarray:
    """Return the edges of n bins for all samples; wide enough to be told apart where only rounding separates values."""
    low, high = min(map(np.min, samples)), max(map(np.max, samples))
    beyond = max(0.0, _NARROWEST - (high - low)) / 2
    return np.linspace(low - beyond, high + beyond, n + 1)


def histogram(ax: Any, values: np.ndarray, edges: np.ndarray, look: Look, *, sign: int = 1, **kwargs: Any) -> Any:
    """Add the density of values as filled steps, upwards or downwards."""
    from matplotlib.colors import to_rgba

    heights = sign * np.histogram(values, edges, density=True)[0]
    style = {"facecolor": to_rgba(look.color, 0.3), "edgecolor": look.color, "linestyle": look.linestyle}
    return ax.stairs(heights, edges, fill=True, linewidth=1.3, hatch=look.hatch, **style, **kwargs)


def legend_above(ax: Any, columns: int) -> Any:
    """Add the legend above the axes, outside the data, in at most some columns, as many as fit over the axes.

    The ticks then share no power of ten, which it would hide.
    """
    from matplotlib.ticker import ScalarFormatter

    if isinstance(ax.yaxis.get_major_formatter(), ScalarFormatter):
        ax.ticklabel_format(axis="y", style="plain", useOffset=False)
    style = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.2, "columnspacing": 1.2}
    room = _WIDEST_LEGEND * ax.get_window_extent().width
    legend = ax.legend(ncols=columns, **style)
    while columns > 1 and legend.get_window_extent().width > room:
        columns -= 1
        legend = ax.legend(ncols=columns, **style)
    return legend


def plain_ticks(axis: Any, *, percent: bool = False) -> None:
    """Write the ticks of a logarithmic axis as numbers or percentages where they are short, else as powers of ten."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    factor, unit = (100, " %") if percent else (1, "")

    def text(value: float, _: int) -> str:
        number = factor * value
        if 1e-3 < number < 1e6:
            return f"{number:,.15g}{unit}"
        return f"$10^{{{round(np.log10(number))}}}${unit}" if number > 0 else ""

    axis.set_major_formatter(FuncFormatter(text))
    axis.set_minor_formatter(NullFormatter())


def _n_drawn(ax: Any) -> int:
    return sum(artist in _drawn for artist in ax.get_children())


def _new_axes(height: float, n: int | None = None) -> Any:
    from matplotlib.pyplot import subplots

    rows = 1 if n is None else n
    axes = subplots(rows, sharex=True, squeeze=False, figsize=(_WIDTH, height), layout="constrained")[1][:, 0]
    return axes[0] if n is None else axes


def _given_axes(ax: Any, n: int) -> np.ndarray:
    axes = np.array(list(ax) if isinstance(ax, Sequence | np.ndarray) else [ax], dtype=object).ravel()
    if len(axes) != n:
        raise ValueError(f"This picture has {n} panels, but ax holds {len(axes)} axes: pass a list of {n}, or None.")
    return axes
