"""TrajectoryDisplay: the records of an optimisation over its updates or against each other."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import fill
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from skgeom._validation import check_choice, check_real
from skgeom.inspection._display import LOOKS, PALE, REFERENCE, Display, mark
from skgeom.inspection._numbers import check_table

if TYPE_CHECKING:
    from skgeom.optim import History

_PANEL = 1.35
_LABEL = 14
"""Characters of a line beside a panel."""

_NORMAL = 1.959964
"""Standard errors in half of an interval of 95 %."""


class TrajectoryDisplay(Display):
    """Columns of a history over the updates, one panel for each, or against another column.

    Over the updates, bands are 95 % intervals of measures estimated from samples. Against another column, the path
    leads from the open dot to the filled dot, and the legend has the correlations over the records, Pearson's r and
    Spearman's ρ, as in the experiment of [1]_. The dashed line is the collapse bound, the largest IsoScore of classes
    that have shrunk to points.

    Parameters
    ----------
    x : array of shape (n_records,)
        The horizontal coordinate.
    columns : dict from str to array of shape (n_records,)
        The vertical coordinates; records with NaN or infinity are left out.
    x_name : str, default="iteration"
        Name of `x`; "iteration" draws lines over the updates, any other name a path.
    errors : dict from str to array of shape (n_records,), default=None
        Standard errors of some columns.
    correlations : dict from str to (float, float), default=None
        Pearson's r and Spearman's ρ of columns with `x`.
    bound : float, default=None
        The collapse bound, drawn where "isoscore" is an axis.

    Attributes
    ----------
    lines_ : dict from str to matplotlib Line2D
        Each column.
    bands_ : dict from str to matplotlib FillBetweenPolyCollection
        The intervals of columns that have errors.
    ends_ : dict from str to tuple of two matplotlib Line2D
        First and last record of each column; empty over the updates.
    bounds_ : list of matplotlib Line2D
        The collapse bound.
    axes_ : array of matplotlib Axes
        One panel for each column.
    ax_, figure_
        The lowest panel, and the figure.

    Raises
    ------
    ValueError
        If `columns` is empty, or a column does not have one entry per record.

    See Also
    --------
    skgeom.optim.History : The numbers; `History.plot` is a shortcut.
    skgeom.metrics.collapse_bound : The bound.

    References
    ----------
    .. [1] Mickus, Grönroos & Attieh 2024, Isotropy, clusters, and classifiers, arXiv:2402.03191.

    Examples
    --------
    .. plot::
       :context: close-figs

       >>> from skgeom.datasets import make_anisotropic_clusters
       >>> from skgeom.inspection import TrajectoryDisplay
       >>> from skgeom.metrics import collapse_bound
       >>> from skgeom.optim import EmbeddingOptimizer
       >>> X, y = make_anisotropic_clusters(300, 8, n_classes=3, random_state=0)
       >>> optimizer = EmbeddingOptimizer(
       ...     parametrization="points", learning_rate=0.02, max_iter=100, monitor_every=4, random_state=0
       ... )
       >>> fitted = optimizer.fit(X, y)
       >>> display = TrajectoryDisplay.from_estimator(fitted, bound=collapse_bound(3, 8))
       >>> list(display.lines_)
       ['loss', 'isoscore', 'silhouette']
    """

    def __init__(
        self,
        x: Any,
        columns: Mapping[str, Any],
        *,
        x_name: str = "iteration",
        errors: Mapping[str, Any] | None = None,
        correlations: Mapping[str, tuple[float, float]] | None = None,
        bound: float | None = None,
    ) -> None:
        self.x, self.x_name = check_table(x, x_name, (None,), finite=False), x_name
        n = self.x.size
        if not columns:
            raise ValueError("No column to draw: pass at least one.")
        self.columns = {name: check_table(column, name, (n,), finite=False) for name, column in columns.items()}
        self.errors = {
            name: check_table(e, f"errors[{name!r}]", (n,), finite=False) for name, e in (errors or {}).items()
        }
        self.correlations = dict(correlations or {})
        self.bound = None if bound is None else check_real(bound, "bound", 0, 1)

    @classmethod
    def from_history(
        cls, history: History, *y: str, x: str = "iteration", bound: float | None = None, ax: Any = None
    ) -> Self:
        """Draw columns of a history.

        Parameters
        ----------
        history : History
            The records of an optimiser.
        *y : str
            Names of columns. By default the loss and all monitors, or, against another column, all other monitors.
        x : str, default="iteration"
            Column to draw them against.
        bound : float, default=None
            The collapse bound of the data, `skgeom.metrics.collapse_bound`.
        ax : matplotlib.axes.Axes or sequence of them, default=None
            Axes to draw on, one for each column; None makes a new figure.

        Returns
        -------
        TrajectoryDisplay
            The Display, after drawing.

        Raises
        ------
        ValueError
            If a column is unknown, or nothing is left to draw.
        """
        for name in (x, *y):
            check_choice(name, history, "A column")
        others = ["loss", *history.monitors] if x == "iteration" else history.monitors
        names = y or [name for name in others if name != x]
        return cls(
            history[x],
            {name: history[name] for name in names},
            x_name=x,
            errors={name: history[f"{name}_se"] for name in names if f"{name}_se" in history.errors},
            correlations={
                name: (history.correlation(x, name), history.correlation(x, name, method="spearman")) for name in names
            },
            bound=bound,
        ).plot(ax)

    @classmethod
    def from_estimator(
        cls, estimator: Any, *y: str, x: str = "iteration", bound: float | None = None, ax: Any = None
    ) -> Self:
        """Draw columns of the history of a fitted optimiser.

        Parameters
        ----------
        estimator : EmbeddingOptimizer or SphereDispersion
            A fitted optimiser.
        *y, x, bound, ax
            As in `from_history`.

        Returns
        -------
        TrajectoryDisplay
            The Display, after drawing.

        Raises
        ------
        ValueError
            If the estimator has no history, or as `from_history`.
        """
        history = getattr(estimator, "history_", None)
        if history is None:
            raise ValueError(f"{type(estimator).__name__} has no history_: pass a fitted optimiser of skgeom.optim.")
        return cls.from_history(history, *y, x=x, bound=bound, ax=ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the columns.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or sequence of them, default=None
            Axes to draw on, one for each column; None makes a new figure.

        Returns
        -------
        TrajectoryDisplay
            The Display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If the number of axes differs from the number of columns.
        """
        self.lines_: dict[str, Any] = {}
        self.bands_: dict[str, Any] = {}
        self.ends_: dict[str, tuple[Any, Any]] = {}
        self.bounds_: list[Any] = []
        draw = self._draw_over_updates if self.x_name == "iteration" else self._draw_path
        with self._drawing_panels(ax, len(self.columns), height=_PANEL if self.x_name == "iteration" else 3) as panels:
            for axes, (name, column) in zip(panels, self.columns.items(), strict=True):
                known = np.isfinite(self.x) & np.isfinite(column)
                draw(axes, name, self.x[known], column[known], known)
                self._draw_bound(axes, name)
                axes.set_ylabel(fill(name.replace("_", " "), _LABEL))
                if axes.get_legend_handles_labels()[0]:
                    axes.legend(loc="best")
            panels[-1].set_xlabel("update" if self.x_name == "iteration" else self.x_name.replace("_", " "))
            panels[0].figure.align_ylabels(list(panels))
        return self

    def _draw_over_updates(self, axes: Any, name: str, x: np.ndarray, y: np.ndarray, known: np.ndarray) -> None:
        look = LOOKS[0]
        if name in self.errors:
            half = _NORMAL * self.errors[name][known]
            self.bands_[name] = axes.fill_between(x, y - half, y + half, color=PALE, linewidth=0)
        self.lines_[name] = mark(axes.plot(x, y, color=look.color)[0])

    def _draw_path(self, axes: Any, name: str, x: np.ndarray, y: np.ndarray, known: np.ndarray) -> None:
        look, label = LOOKS[0], None
        if name in self.correlations:
            label = "r = {:.2f}, ρ = {:.2f}".format(*self.correlations[name]).replace("-", "−")
        self.lines_[name] = mark(axes.plot(x, y, color=look.color, label=label)[0])
        dot = {"color": look.color, "linestyle": "", "marker": "o", "markersize": 9, "zorder": 4}
        named = ("start", "end") if not self.ends_ else (None, None)
        first = axes.plot(x[:1], y[:1], **dot, markerfacecolor="white", label=named[0])[0]
        self.ends_[name] = first, axes.plot(x[-1:], y[-1:], **dot, label=named[1])[0]

    def _draw_bound(self, axes: Any, name: str) -> None:
        if self.bound is None or "isoscore" not in (self.x_name, name):
            return
        line = axes.axvline if self.x_name == "isoscore" else axes.axhline
        self.bounds_.append(line(self.bound, **REFERENCE, label=None if self.bounds_ else "collapse bound"))
