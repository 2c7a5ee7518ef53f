"""The figure of a report. It draws what has been computed, and imports matplotlib when it is called."""

from __future__ import annotations

from typing import Any

import numpy as np

from skgeom._report._grid import Row

_BLUE, _ORANGE, _GREY, _LIGHT = "#2563a8", "#d9722e", "#5f6b76", "#d5dbe1"
_STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _GREY,
    "axes.labelcolor": _GREY,
    "xtick.color": _GREY,
    "ytick.color": _GREY,
    "axes.grid": True,
    "grid.color": _LIGHT,
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
}
_PANEL = (5.2, 3.7)
_HEAD = 0.3
_LEFT, _RIGHT, _BOTTOM, _TOP = 0.8, 0.15, 0.6, 0.4
"""Margins of a panel, in inches: a layout that looks for them takes longer than all else in the figure."""

_CLOSEST_TICKS = 1.3
_FEW = 30


def draw(title: str, eigenvalues: np.ndarray, rank: int, conformity: np.ndarray, rows: list[Row]) -> Any:
    """Draw a space: spectrum, conformity and, where there is a grid, its scores against the number of columns.

    Parameters
    ----------
    title : str
        What the space is called.
    eigenvalues : array of shape (r,)
        Variances of the principal directions, in descending order.
    rank : int
        How many of them are more than rounding.
    conformity : array of shape (n_samples,)
        Mean cosine of each row to all others.
    rows : list of Row
        The grid, "as is" first; it may be empty.

    Returns
    -------
    matplotlib.figure.Figure
        The figure, which belongs to no window.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    panels = [lambda ax: _spectrum(ax, eigenvalues[:rank])] * (rank > 0) + [lambda ax: _conformity(ax, conformity)]
    if rows:
        panels += [lambda ax: _accuracy(ax, rows)] if rows[0].folds[0].hits.size else []
        panels += [lambda ax: _shape(ax, rows)]
    n_columns = 2 if len(panels) % 2 == 0 else len(panels)
    n_lines = len(panels) // n_columns
    width, height = _PANEL[0] * n_columns, _PANEL[1] * n_lines + _HEAD
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height))
        figure.suptitle(title, x=0.1 / width, y=1 - 0.1 / height, ha="left", va="top", fontsize=11, color=_GREY)
        for i, panel in enumerate(panels):
            panel(figure.add_axes(_place(i, n_columns, width, height)))
    return figure


def _place(i: int, n_columns: int, width: float, height: float) -> tuple[float, float, float, float]:
    """Return left, bottom, width and height of the axes of a panel, as shares of the figure."""
    line, column = divmod(i, n_columns)
    left, bottom = column * _PANEL[0] + _LEFT, height - _HEAD - (line + 1) * _PANEL[1] + _BOTTOM
    return left / width, bottom / height, (_PANEL[0] - _LEFT - _RIGHT) / width, (_PANEL[1] - _BOTTOM - _TOP) / height


def _spectrum(ax: Any, eigenvalues: np.ndarray) -> None:
    ranks = np.arange(1, len(eigenvalues) + 1)
    ax.plot(ranks, eigenvalues / eigenvalues.sum(), color=_BLUE, marker="o" if ranks.size < _FEW else None)
    ax.axhline(1 / ranks.size, color=_GREY, linewidth=1, linestyle="--", label="isotropic")
    ax.legend(loc="lower left")
    ax.set(xscale="log", yscale="log", xlabel="principal direction", ylabel="share of the variance")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.set_title(f"Spectrum: {ranks.size} directions")


def _conformity(ax: Any, conformity: np.ndarray) -> None:
    ax.hist(conformity, bins=40, color=_BLUE, alpha=0.85)
    ax.axvline(float(conformity.mean()), color=_ORANGE, label=f"mean {conformity.mean():.3f}")
    ax.grid(axis="x", visible=False)
    ax.set(xlabel="mean cosine to all other rows", ylabel="rows")
    ax.legend()
    ax.set_title("Conformity of the rows")


def _accuracy(ax: Any, rows: list[Row]) -> None:
    mean, deviation = rows[0].mean("accuracy"), rows[0].deviation("accuracy")
    ax.axhspan(mean - deviation, mean + deviation, color=_LIGHT, alpha=0.6, linewidth=0)
    ax.axhline(mean, color=_GREY, linestyle="--", linewidth=1.2, label="as is (± sd over folds)")
    path = _path(rows)
    errors = [row.deviation("accuracy") for row in path]
    ax.errorbar(_widths(path), _means(path, "accuracy"), errors, color=_BLUE, marker="o", capsize=2, label="whitening")
    for row in rows[-1:]:
        if row not in path:
            ax.plot(row.n_features, row.mean("accuracy"), "D", color=_ORANGE, label=row.name)
    _columns_axis(ax, rows)
    ax.set_ylabel("accuracy on held-out rows")
    ax.set_title("Linear probe")
    ax.legend()


def _shape(ax: Any, rows: list[Row]) -> None:
    path = _path(rows)
    lines = [("isoscore", "IsoScore", _BLUE), ("silhouette", "silhouette", _ORANGE)]
    for measure, name, colour in lines:
        if np.isfinite(rows[0].mean(measure)):
            ax.plot(_widths(path), _means(path, measure), color=colour, marker="o", label=name)
            ax.axhline(rows[0].mean(measure), color=colour, linestyle="--", linewidth=1.2, label=f"{name}, as is")
    _columns_axis(ax, rows)
    ax.set_ylabel("score on held-out rows")
    ax.set_title("Shape after whitening")
    ax.legend()


def _columns_axis(ax: Any, rows: list[Row]) -> None:
    *widths, last = _widths(_path(rows))
    ticks = [width for width in widths if width * _CLOSEST_TICKS < last] + [last]
    ax.set_xscale("log", base=2)
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.minorticks_off()
    ax.set_xlabel("columns kept")


def _path(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row.name.startswith("Whitening")]


def _widths(rows: list[Row]) -> list[int]:
    return [row.n_features for row in rows]


def _means(rows: list[Row], measure: str) -> list[float]:
    return [row.mean(measure) for row in rows]
