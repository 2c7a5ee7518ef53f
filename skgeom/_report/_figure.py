"""The figure of a report: the pictures of `skgeom.inspection` side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from skgeom._report._space import Space
from skgeom._report._text import printable
from skgeom.inspection import ConformityDisplay, SpectrumDisplay, WhiteningPathDisplay
from skgeom.inspection._display import GREY, styled
from skgeom.model_selection import Judgement

_PANEL = (5.2, 3.7)
_HEAD = 0.3
_LEFT, _RIGHT, _BOTTOM, _TOP = 0.9, 0.15, 0.6, 0.4
"""Margins of a panel, in inches: a layout that looks for them takes longer than all else in the figure."""


def draw(space: Space, judgements: Sequence[Judgement]) -> Any:
    """Draw a space: spectrum, conformity and, for each judge, the score against the number of columns.

    Parameters
    ----------
    space : Space
        The space.
    judgements : sequence of Judgement
        What the judges found; it may be empty.

    Returns
    -------
    matplotlib.figure.Figure
        The figure, which belongs to no window.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    panels: list[tuple[str, Callable[..., Any]]] = [
        ("Conformity of the rows", ConformityDisplay(space.conformity).plot),
        *((f"Held out: {one.task}", partial(WhiteningPathDisplay.from_judgement, one)) for one in judgements),
    ]
    if space.rank:
        spectrum = partial(SpectrumDisplay.from_embedding, space.cloud)
        panels.insert(0, (f"Spectrum: {space.rank} directions", spectrum))
    n_columns = 2 if len(panels) % 2 == 0 else len(panels)
    n_lines = len(panels) // n_columns
    width, height = _PANEL[0] * n_columns, _PANEL[1] * n_lines + _HEAD
    with styled():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(width, height))
        head = {"x": 0.1 / width, "y": 1 - 0.1 / height, "ha": "left", "va": "top", "fontsize": 11, "color": GREY}
        figure.suptitle(printable(space.title), **head)
        for i, (title, plot) in enumerate(panels):
            axes = figure.add_axes(_place(i, n_columns, width, height))
            plot(ax=axes)
            axes.set_title(title, loc="left", fontsize=10.5, fontweight="bold")
            axes.legend(loc="best")
    return figure


def _place(i: int, n_columns: int, width: float, height: float) -> tuple[float, float, float, float]:
    """Return left, bottom, width and height of the axes of a panel, as shares of the figure."""
    line, column = divmod(i, n_columns)
    left, bottom = column * _PANEL[0] + _LEFT, height - _HEAD - (line + 1) * _PANEL[1] + _BOTTOM
    return left / width, bottom / height, (_PANEL[0] - _LEFT - _RIGHT) / width, (_PANEL[1] - _BOTTOM - _TOP) / height
