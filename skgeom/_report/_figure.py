"""The figure of a report. It draws what has been computed, and imports matplotlib when it is called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from skgeom.model_selection import Judged, Judgement

_BLUE, _ORANGE, _GREY, _LIGHT = "#2563a8", "#d9722e", "#5f6b76", "#d5dbe1"
_POWERS = ((_BLUE, "o", "-"), ("#2a9d8f", "s", "--"), (_ORANGE, "^", "-."))
"""Colour, marker and line of each power of whitening: legible without colour."""

_AXIS = {
    "accuracy": "accuracy of a linear probe",
    "mrr": "mean reciprocal rank",
    "cosine_spearman": "Spearman's correlation",
    "adjusted_rand": "adjusted Rand index",
    "silhouette": "silhouette of the clusters",
    "overlap": "share of ten neighbours kept",
}
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


def draw(
    title: str, eigenvalues: np.ndarray, rank: int, conformity: np.ndarray, judgements: Sequence[Judgement]
) -> Any:
    """Draw a space: spectrum, conformity and, for each judge, the score against the number of columns.

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
    import matplotlib as mpl
    from matplotlib.figure import Figure

    panels = [partial(_spectrum, eigenvalues=eigenvalues[:rank])] * (rank > 0)
    panels += [partial(_conformity, conformity=conformity)]
    panels += [partial(_judgement, judgement=judgement) for judgement in judgements]
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


def _judgement(ax: Any, judgement: Judgement) -> None:
    first, *others = judgement.transforms
    ax.axhline(first.score, color=_GREY, linestyle="--", linewidth=1.2, label=first.name)
    paths = _paths(others)
    for (power, path), (colour, marker, line) in zip(paths.items(), _POWERS, strict=False):
        widths, margins = [one.n_features for one in path], [one.margin for one in path]
        style = {"color": colour, "marker": marker, "linestyle": line}
        ax.errorbar(widths, [one.score for one in path], margins, **style, capsize=2, label=f"power {power}")
    rest = [one for one in others if not any(one in path for path in paths.values())]
    best = max(rest, key=lambda one: one.score, default=None)
    if best is not None:
        ax.errorbar(best.n_features, best.score, best.margin, color=_GREY, marker="D", capsize=2, label=best.name)
    _columns_axis(ax, [first, *others])
    ax.set_ylabel(_AXIS[judgement.score_name])
    ax.set_title(f"Held out: {judgement.task}")
    ax.legend()


def _paths(transforms: list[Judged]) -> dict[str, list[Judged]]:
    """Return the whitenings of each power, by width."""
    found: dict[str, list[Judged]] = {}
    for one in transforms:
        if power := re.match(r"Whitening\(\d+, power=([\d.]+)", one.name):
            found.setdefault(power[1], []).append(one)
    return found


def _columns_axis(ax: Any, transforms: list[Judged]) -> None:
    *widths, last = sorted({one.n_features for one in transforms})
    ticks = [width for width in widths if width * _CLOSEST_TICKS < last] + [last]
    ax.set_xscale("log", base=2)
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.minorticks_off()
    ax.set_xlabel("columns kept")
