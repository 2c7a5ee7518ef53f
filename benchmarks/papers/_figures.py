"""The figure that the scripts on isotropy and clusters have in common."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Curves = Mapping[str, Sequence[Mapping[str, Any]]]
"""The runs under each label, of which isoscore and silhouette are drawn."""


def draw_conflict(panels: Mapping[str, Curves], path: str, *, columns: int, same_axes: bool = False) -> str:
    """Draw silhouette against IsoScore, a panel for each title, and return a sentence that says so.

    Runs under one label share a colour; a dot is where they begin. An empty label has no place in the legend, and its
    runs have colours of their own.
    """
    if importlib.util.find_spec("matplotlib") is None:
        return "No figure: matplotlib is not installed."
    from matplotlib.figure import Figure

    n_rows = -(-len(panels) // columns)
    n_columns = min(columns, len(panels))
    figure = Figure(figsize=(3.2 * n_columns, 3 * n_rows), layout="constrained")
    grid = figure.subplots(n_rows, n_columns, squeeze=False, sharex=same_axes, sharey=same_axes).ravel()
    for axes, (title, curves) in zip(grid, panels.items(), strict=False):
        for number, (label, runs) in enumerate(curves.items()):
            for i, run in enumerate(runs):
                style = {"color": f"C{number}", "label": label if i == 0 else None} if label else {}
                axes.plot(run["isoscore"], run["silhouette"], lw=1, marker="o", ms=3, markevery=[0], **style)
        axes.set(xlabel="IsoScore", ylabel="silhouette", title=title)
        if any(curves):
            axes.legend(fontsize="x-small")
    for axes in grid[len(panels) :]:
        axes.remove()
    figure.savefig(path, dpi=80)
    return f"Drawn: {Path(path).name}."
