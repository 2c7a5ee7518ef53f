"""The records of an optimisation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from skgeom._core import _correlation
from skgeom._frames import frame_of
from skgeom._validation import check_choice
from skgeom.optim._checks import check_records

if TYPE_CHECKING:
    from skgeom.inspection import TrajectoryDisplay


class History(Mapping[str, np.ndarray]):
    """Columns of numbers, one row for each recorded iteration: the `history_` of the optimisers.

    A mapping from the name of a column to its values, and the two columns that every history has as attributes
    ``iteration`` and ``loss``.

    Parameters
    ----------
    terms, monitors : sequence of str
        Names of the columns of the terms of the loss, and of the monitors.
    rows : sequence of sequences of float
        Iteration, loss, terms, monitors and errors of each recorded iteration.
    errors : sequence of str, default=()
        Names of the columns of standard errors.

    Raises
    ------
    ValueError
        If two columns have the same name, or a row does not have one number for each.

    Attributes
    ----------
    iteration : array of shape (n_records,), int64
        Number of updates done before the row was recorded: 0 is the start.
    loss : array of shape (n_records,)
        The minimised total.
    terms : tuple of str
        Names of the columns that hold the terms of the loss, not weighted.
    monitors : tuple of str
        Names of the columns that hold the monitors.
    errors : tuple of str
        Names of the columns that hold the standard errors of measures of samples: "isoscore_se" of "isoscore".

    Examples
    --------
    >>> from skgeom.optim import History
    >>> history = History(["uniformity"], ["isoscore"], [(0, -1.0, -1.0, 0.2), (1, -1.5, -1.5, 0.3)])
    >>> history["isoscore"], list(history)
    (array([0.2, 0.3]), ['iteration', 'loss', 'uniformity', 'isoscore'])
    """

    def __init__(
        self,
        terms: Sequence[str],
        monitors: Sequence[str],
        rows: Sequence[Sequence[float]],
        errors: Sequence[str] = (),
    ) -> None:
        self.terms = tuple(terms)
        self.monitors = tuple(monitors)
        self.errors = tuple(errors)
        names = ("iteration", "loss", *self.terms, *self.monitors, *self.errors)
        check_records(names, rows)
        values = np.array(rows, dtype=np.float64).reshape(len(rows), len(names))
        self._columns = {name: np.ascontiguousarray(values[:, i]) for i, name in enumerate(names)}
        self._columns["iteration"] = self._columns["iteration"].astype(np.int64)

    @property
    def iteration(self) -> np.ndarray:
        """Number of updates done before each row was recorded."""
        return self._columns["iteration"]

    @property
    def loss(self) -> np.ndarray:
        """The minimised total."""
        return self._columns["loss"]

    def __getitem__(self, name: str) -> np.ndarray:
        """Return a column."""
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        """Return the number of columns."""
        return len(self._columns)

    def __repr__(self) -> str:
        return f"History({', '.join(self)}; {self.iteration.size} records)"

    def correlation(self, x: str, y: str, *, method: Literal["pearson", "spearman"] = "pearson") -> float:
        """Return the correlation of two columns over the records, as in the published experiment.

        Parameters
        ----------
        x, y : str
            Names of columns.
        method : {"pearson", "spearman"}, default="pearson"
            Of the values, or of their ranks.

        Returns
        -------
        float
            In [-1, 1]; NaN where fewer than three records have both values, or one of them never changes. Records where
            one is NaN or infinite are left out.

        Raises
        ------
        KeyError
            If there is no such column.
        ValueError
            If the method is unknown.

        References
        ----------
        Mickus, Grönroos & Attieh 2024, Isotropy, clusters, and classifiers, arXiv:2402.03191.
        """
        check_choice(method, ("pearson", "spearman"), "method")
        both = np.stack([self[x], self[y]]).astype(np.float64)
        first, second = both[:, np.isfinite(both).all(axis=0)]
        if first.size < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
            return float("nan")
        correlation = _correlation.pearson if method == "pearson" else _correlation.spearman
        return float(correlation(first, second, np.ones((1, first.size)))[0])

    def plot(self, *y: str, x: str = "iteration", bound: float | None = None, ax: Any = None) -> TrajectoryDisplay:
        """Draw columns over the updates, or against another.

        Parameters
        ----------
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
        skgeom.inspection.TrajectoryDisplay
            The Display, after drawing.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If a column is unknown, or nothing is left to draw.
        """
        from skgeom.inspection import TrajectoryDisplay

        return TrajectoryDisplay.from_history(self, *y, x=x, bound=bound, ax=ax)

    def to_frame(self) -> Any:
        """Return the columns as a pandas frame.

        Returns
        -------
        pandas.DataFrame
            One row for each recorded iteration.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        return frame_of(self._columns)
