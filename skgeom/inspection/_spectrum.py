"""SpectrumDisplay: how a cloud spreads its variance over its principal directions."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from skgeom._array import to_float, to_numpy
from skgeom._core.sums import _rank
from skgeom._core.sums._spectrum import covariance_eigenvalues, isotropic_shares
from skgeom._validation import check_count, check_ranked_moments, check_real, check_spread
from skgeom.inspection._display import GREY, REFERENCE, CloudDisplay, is_first, mark, next_look, plain_ticks
from skgeom.inspection._numbers import check_table

_MARKS = (0.5, 0.9, 0.99)
"""Shares of the variance that are marked on the curve."""

_ROUNDING = 1e-12
"""Tolerance of a cumulative share, for rounding."""

_MANY = 0.1
"""The level of the rounding is drawn only if it hides more than this share of the directions: it is far below all
others."""

_LIMIT: Any = {"linewidth": 1.2, "linestyle": ":"}
_AT_THE_RIGHT: Any = {
    "xycoords": ("axes fraction", "data"),
    "xytext": (0, 2),
    "textcoords": "offset points",
    "ha": "right",
    "fontsize": 9,
}


class SpectrumDisplay(CloudDisplay):
    r"""Variance of each principal direction, compared with an isotropic cloud of as many rows.

    Both axes are logarithmic: a straight line is a power law. Dots mark where 50, 90 and 99 % of the variance are
    reached. The dashed line is the null: the spectrum of isotropic rows according to Marchenko and Pastur [1]_, which
    is not flat if there are few rows. If rounding hides some directions, the legend states the rank and a dotted line
    of the cloud's colour marks it; if it hides many, a second line shows the level of the rounding. Pass ``ax=`` to
    draw a second cloud on the same axes.

    Parameters
    ----------
    variances : array of shape (n_directions,)
        Variances of the principal directions, in descending order: at most min(n_samples - 1, n_features).
    n_samples, n_features : int
        The shape of the rows, which determines the null.
    rank : int, default=None
        Number of variances above the rounding; None for all that are not 0.
    noise : float, default=None
        Variance of the rounding in one direction.
    name : str, default=None
        Name of the cloud in the legend.

    Attributes
    ----------
    shares : array of shape (n_directions,)
        The variances over their sum.
    line_ : matplotlib Line2D
        The shares against 1, 2, ..., n_directions, with the dots.
    isotropic_ : matplotlib Line2D or None
        The null; None if another cloud has drawn it on the same axes.
    rank_, noise_ : matplotlib Line2D or None
        The rank, and the share of the variance that rounding contributes to a direction; None if no direction is hidden
        by rounding.
    ax_, figure_
        The axes and the figure.

    Raises
    ------
    ValueError
        If the variances are negative, not in descending order or all 0, or if there are more of them than the shape
        allows.

    See Also
    --------
    skgeom.metrics.variance_explained : The cumulative shares.
    skgeom.metrics.isoscore, skgeom.metrics.participation_ratio : The spectrum in a number.

    References
    ----------
    .. [1] Marchenko & Pastur 1967, Distribution of eigenvalues for some sets of random matrices.

    Examples
    --------
    .. plot::
       :context: close-figs

       >>> from skgeom.datasets import load_reverse_dictionary
       >>> from skgeom.inspection import SpectrumDisplay
       >>> X = load_reverse_dictionary().data
       >>> display = SpectrumDisplay.from_embedding(X)
       >>> display.rank, display.line_.get_label().splitlines()[1]
       (381, '50, 90, 99 % in 42, 180, 308')
    """

    def __init__(
        self,
        variances: Any,
        *,
        n_samples: int,
        n_features: int,
        rank: int | None = None,
        noise: float | None = None,
        name: str | None = None,
    ) -> None:
        values = check_table(variances, "variances", (None,))
        self.n_samples, self.n_features = check_count(n_samples, "n_samples", 2), check_count(n_features, "n_features")
        if values.min() < 0 or np.any(np.diff(values) > 0):
            raise ValueError("variances must be at least 0 and in descending order.")
        check_spread(values.sum())
        check_count(values.size, "The number of variances", 1, min(self.n_samples - 1, self.n_features))
        positive = int(np.count_nonzero(values))
        self.variances, self.shares = values, values / values.sum()
        self.rank = positive if rank is None else check_count(rank, "rank", 1, values.size)
        self.noise = None if noise is None else check_real(noise, "noise", 0)
        self.name = name

    @classmethod
    def from_embedding(cls, X: Any, *, name: str | None = None, ax: Any = None) -> Self:
        """Draw the spectrum of rows.

        Parameters
        ----------
        X : array of shape (n_samples, n_features), or iterator of blocks of rows
            The embeddings, one per row.
        name : str, default=None
            Name of the cloud in the legend.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        SpectrumDisplay
            The Display, after drawing.

        Raises
        ------
        ValueError
            If X is not a finite matrix of at least two rows, or all its rows are equal.
        """
        m = check_ranked_moments(X)
        n, d = int(m.n), m.mean.shape[0]
        values = covariance_eigenvalues(m)[: min(n - 1, d)]
        check_spread(to_float(values[0]))
        noise = max(float(np.mean(to_numpy(_rank.noise(m)) ** 2)), _rank.TELLABLE * to_float(values[0]))
        rank = max(_rank.rank(m, values), 1)
        return cls(to_numpy(values), n_samples=n, n_features=d, rank=rank, noise=noise, name=name).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the spectrum.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        SpectrumDisplay
            The Display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        with self._drawing(ax) as axes:
            first, directions = is_first(axes), np.arange(1, self.shares.size + 1)
            self.isotropic_ = self._null(axes) if first else None
            reached = np.searchsorted(np.cumsum(self.shares) * (1 + _ROUNDING), _MARKS).clip(max=self.shares.size - 1)
            label = (self.name or "this cloud") + (f", rank {self.rank:,}" if self.rank < self.shares.size else "")
            label += "\n50, 90, 99 % in " + ", ".join(f"{1 + i:,}" for i in reached)
            color, line, marker, _ = next_look(axes)
            style = {"color": color, "linestyle": line, "marker": marker, "markevery": reached.tolist()}
            self.line_ = mark(axes.plot(directions, self.shares, **style, label=label)[0])
            has_floor = self.noise is not None and self.rank < (1 - _MANY) * self.shares.size
            self.rank_ = self.noise_ = None
            if self.rank < self.shares.size:
                self.rank_ = axes.axvline(self.rank, **_LIMIT, color=color)
            if has_floor:
                self.noise_ = axes.axhline(self.noise / self.variances.sum(), **_LIMIT, color=GREY)
                axes.annotate("rounding", (0.99, self.noise / self.variances.sum()), **_AT_THE_RIGHT)
            axes.set(xscale="log", yscale="log", xlabel="principal direction", ylabel="share of the variance")
            lowest = (self.noise / self.variances.sum() / 30) if has_floor else self.shares[self.rank - 1] / 3
            low, high = axes.get_ylim()
            axes.set_ylim(lowest if first else min(low, lowest), max(high, 2 * self.shares[0]))
            plain_ticks(axes.xaxis)
            plain_ticks(axes.yaxis, percent=True)
            axes.legend(loc="lower left")
        return self

    def _null(self, axes: Any) -> Any:
        shares = isotropic_shares(self.n_samples, self.n_features)
        label = f"isotropic, {self.n_samples:,} rows"
        return axes.plot(np.arange(1, shares.size + 1), shares, **REFERENCE, label=label)[0]
