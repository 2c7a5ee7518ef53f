"""WhiteningPathDisplay: the scores that a judge finds for whitenings of each width and power."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Self

from skgeom.inspection._display import LOOKS, REFERENCE, Display, legend_above, mark
from skgeom.inspection._numbers import check_table
from skgeom.model_selection import Judged, Judgement

_SCORES = {
    "accuracy": "accuracy of a linear probe",
    "mrr": "mean reciprocal rank",
    "cosine_spearman": "Spearman's correlation",
    "adjusted_rand": "adjusted Rand index",
    "silhouette": "silhouette of the clusters",
    "overlap": "share of ten neighbours kept",
}

_CLOSEST_TICKS = 1.3


class WhiteningPathDisplay(Display):
    """Held-out score of whitenings against the number of columns they keep, one line per power, with bands.

    The dashed line is the score of the rows as they are. Bands are intervals of the difference from it, which hold for
    all transforms at once: if a band excludes the line, the difference is measurable. The diamond is the best of the
    other transforms.

    Parameters
    ----------
    paths : dict from float to array of shape (n_widths, 3)
        For each power of whitening, columns kept, score and half the width of the band.
    baseline : float
        Score of the rows as they are. Values that are not finite are not drawn.
    other : tuple (name, (columns, score, margin)), default=None
        A transform that is not a whitening.
    n_features : int, default=None
        Columns of the rows as they are.
    score_name : str, default="score"
        Name of the score.

    Attributes
    ----------
    lines_ : dict from float to matplotlib Line2D
        The scores of each power.
    bands_ : dict from float to matplotlib FillBetweenPolyCollection
        Their bands.
    baseline_ : matplotlib Line2D
        The score of the rows as they are.
    other_ : matplotlib ErrorbarContainer or None
        The other transform.
    ax_, figure_
        The axes and the figure.

    Raises
    ------
    ValueError
        If there are more than four paths, or one is not a matrix of three columns.
    TypeError
        If anything other than a `Judgement` is passed to `from_judgement`.

    See Also
    --------
    skgeom.model_selection.judge_classes : The numbers; there is a judge for each kind of task.

    Examples
    --------
    .. plot::
       :context: close-figs

       >>> from sklearn.datasets import load_digits
       >>> from skgeom.inspection import WhiteningPathDisplay
       >>> from skgeom.model_selection import judge_classes
       >>> X, y = load_digits(return_X_y=True)
       >>> display = WhiteningPathDisplay.from_judgement(judge_classes(X[:600], y[:600]))
       >>> list(display.lines_)
       [0.25, 0.5, 1.0]
    """

    def __init__(
        self,
        paths: Mapping[float, Any],
        *,
        baseline: float,
        other: tuple[str, Any] | None = None,
        n_features: int | None = None,
        score_name: str = "score",
    ) -> None:
        self.paths = {
            power: check_table(path, f"paths[{power!r}]", (None, 3), finite=False) for power, path in paths.items()
        }
        if len(self.paths) > len(LOOKS):
            raise ValueError(f"Expected at most {len(LOOKS)} paths, one for each style, got {len(self.paths)}.")
        self.baseline = float(baseline)
        self.other = None if other is None else (other[0], check_table(other[1], "other", (3,), finite=False))
        self.n_features, self.score_name = n_features, score_name

    @classmethod
    def from_judgement(cls, judgement: Judgement, *, ax: Any = None) -> Self:
        """Draw the result of a judge.

        Parameters
        ----------
        judgement : Judgement
            The result of a judge of `skgeom.model_selection`. Whitenings are recognised by their names,
            ``"Whitening(64, power=0.5)"``.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        WhiteningPathDisplay
            The Display, after drawing.
        """
        if not isinstance(judgement, Judgement):
            raise TypeError(f"Expected a Judgement, got {type(judgement).__name__}: pass the result of a judge.")
        first, *others = judgement.transforms
        powers = {one.name: power for one in others if (power := _power(one)) is not None}
        paths = {
            power: sorted(map(_point, (one for one in others if powers.get(one.name) == power)))
            for power in sorted(set(powers.values()))
        }
        best = max((one for one in others if one.name not in powers), key=lambda one: one.score, default=None)
        return cls(
            paths,
            baseline=first.score,
            other=None if best is None else (best.name, _point(best)),
            n_features=first.n_features,
            score_name=_SCORES.get(judgement.score_name, judgement.score_name),
        ).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the scores.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        WhiteningPathDisplay
            The Display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        with self._drawing(ax) as axes:
            self.baseline_ = axes.axhline(self.baseline, **REFERENCE, label="as is")
            self.lines_, self.bands_, self.other_ = {}, {}, None
            for (power, path), (color, line, marker, _) in zip(self.paths.items(), LOOKS, strict=False):
                widths, scores, margins = path.T
                style = {"color": color, "linestyle": line, "marker": marker}
                self.lines_[power] = mark(axes.plot(widths, scores, **style, label=f"power {power:g}")[0])
                self.bands_[power] = axes.fill_between(
                    widths, scores - margins, scores + margins, color=color, alpha=0.15, linewidth=0
                )
            if self.other is not None:
                name, (width, score, margin) = self.other
                style = {"color": LOOKS[3].color, "marker": LOOKS[3].marker, "linestyle": ""}
                self.other_ = axes.errorbar(width, score, margin, **style, capsize=3, label=name)
            self._draw_columns(axes)
            axes.set_ylabel(self.score_name)
            legend_above(axes, 3)
        return self

    def _draw_columns(self, axes: Any) -> None:
        """Write the numbers of columns, except those too close to the largest."""
        widths = {int(width) for path in self.paths.values() for width in path[:, 0]}
        widths |= {int(self.other[1][0])} if self.other else set()
        *small, last = sorted(widths | ({self.n_features} if self.n_features else set())) or [1]
        ticks = [width for width in small if width * _CLOSEST_TICKS < last] + [last]
        axes.set_xscale("log", base=2)
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel("columns kept")


def _power(one: Judged) -> float | None:
    """Return the power of a whitening, None for another transform."""
    found = re.match(r"Whitening\(\d+, power=([\d.]+)", one.name)
    return None if found is None else float(found[1])


def _point(one: Judged) -> tuple[float, float, float]:
    return float(one.n_features), one.score, one.margin
