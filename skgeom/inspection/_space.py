"""SpaceDisplay: one or two clouds in the plane of their first two directions, with the origin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from skgeom._array import to_numpy
from skgeom._core.sums._moments import Moments, moments
from skgeom._validation import (
    check_cloud,
    check_clouds,
    check_directed,
    check_directed_clouds,
    check_flag,
    check_plane,
    check_positive,
    check_spread,
    check_squares,
)
from skgeom.inspection._display import GREY, INK, LOOKS, CloudDisplay, Look, legend_above, mark
from skgeom.inspection._numbers import check_table

_MOST_INK = 16_000.0
"""Area of all dots of a cloud together, in points²: with many rows they get smaller."""


class SpaceDisplay(CloudDisplay):
    """One or two clouds in the plane of their first two singular directions, with the origin and the means.

    Without centring, the plane contains the origin and nearly the mean: a cone is a cloud away from the origin, with a
    long arrow to its mean, and a modality gap separates two clouds. With centring, it is the plane of largest variance,
    and the origin is projected into it. Both axes have the same scale. Unit rows (``normalize=True``) are inside a
    circle, of which the picture shows the part near the rows.

    Parameters
    ----------
    clouds : sequence of one or two arrays of shape (n_samples, 2)
        The rows of each cloud in the plane.
    origin : array of shape (2,)
        The origin of the space in the plane.
    shares : array of shape (2,)
        Share of the squared length of the rows, or of the variance, along each axis.
    names : sequence of str, default=None
        Names of the clouds, in the legend.
    centered : bool, default=False
        Whether the shares are of the variance.
    radius : float, default=None
        Largest distance that a row can have from the origin; None if there is none.

    Attributes
    ----------
    points_ : list of matplotlib PathCollection
        The rows of each cloud.
    means_ : list of matplotlib Line2D
        The mean of each cloud.
    arrows_ : list of matplotlib Annotation
        From the origin to each mean.
    origin_ : matplotlib Line2D
        The origin.
    gap_ : matplotlib Line2D or None
        From mean to mean; None for one cloud.
    circle_ : matplotlib Circle or None
        The circle of the given radius.
    ax_, figure_
        The axes and the figure.

    Raises
    ------
    ValueError
        If there are neither one nor two clouds, or one is not a finite matrix of two columns.

    See Also
    --------
    skgeom.metrics.average_cosine : How narrow the cone is.
    skgeom.metrics.modality_gap : The distance of the means of unit rows, in the whole space.

    Notes
    -----
    O(n d min(n, d)) time. The plane shows part of all distances: the labels of the axes show how much of the
    squared length it holds.

    Examples
    --------
    .. plot::
       :context: close-figs

       >>> from skgeom.datasets import load_reverse_dictionary
       >>> from skgeom.inspection import SpaceDisplay
       >>> nouns = load_reverse_dictionary()
       >>> display = SpaceDisplay.from_embedding(
       ...     nouns.data, nouns.lemma, names=["definitions", "nouns"], normalize=True
       ... )
       >>> display.shares.round(2)
       array([0.14, 0.03])
    """

    def __init__(
        self,
        clouds: Sequence[Any],
        *,
        origin: Any = (0.0, 0.0),
        shares: Any,
        names: Sequence[str] | None = None,
        centered: bool = False,
        radius: float | None = None,
    ) -> None:
        self.clouds = [check_table(cloud, "A cloud", (None, 2)) for cloud in clouds]
        if len(self.clouds) not in (1, 2):
            raise ValueError(f"Expected one or two clouds, got {len(self.clouds)}.")
        self.origin = check_table(origin, "origin", (2,))
        self.shares = check_table(shares, "shares", (2,))
        default = ("rows",) if len(self.clouds) == 1 else ("X", "Y")
        self.names: tuple[str, ...] = default if names is None else tuple(names)
        if len(self.names) != len(self.clouds):
            raise ValueError(f"Found {len(self.names)} names for {len(self.clouds)} clouds: pass one for each.")
        check_flag(centered, "centered")
        self.centered, self.radius = centered, None if radius is None else check_positive(radius, "radius")

    @classmethod
    def from_embedding(
        cls,
        X: Any,
        Y: Any = None,
        *,
        center: bool = False,
        normalize: bool = False,
        names: Sequence[str] | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw one or two clouds.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            The embeddings, one per row.
        Y : array of shape (m_samples, n_features), default=None
            A second cloud in the same space, such as another modality.
        center : bool, default=False
            Whether to use the plane of largest variance about the mean of all rows, instead of the largest squared
            length about the origin.
        normalize : bool, default=False
            Whether to divide rows by their norms first.
        names : sequence of str, default=None
            Names of the clouds, in the legend.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        SpaceDisplay
            The Display, after drawing.

        Raises
        ------
        ValueError
            If X or Y is not a finite matrix of at least two rows and two columns, the two differ in width, library or
            device, all rows are equal (all zero, if not centred), a row is zero (with `normalize`), or the squares of
            magnitudes leave the range of float64 (without).
        """
        check_flag(center, "center")
        check_flag(normalize, "normalize")
        clouds = [to_numpy(x) for x in _rows(X, Y, normalize)]
        check_plane(clouds[0])
        m: Moments = moments(clouds[0]) if Y is None else moments(clouds[0]).merge(moments(clouds[1]))
        found = (m if center else m.about_origin()).axes()
        variances = to_numpy(found.variances)
        check_spread(float(variances.sum()))
        plane = found.directions(2)
        shift = m.mean if center else np.zeros_like(m.mean)
        return cls(
            [(x - shift) @ plane.T for x in clouds],
            origin=-shift @ plane.T,
            shares=variances[:2] / variances.sum(),
            names=names,
            centered=center,
            radius=1.0 if normalize and not center else None,
        ).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the clouds.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        SpaceDisplay
            The Display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        with self._drawing(ax) as axes:
            looks = LOOKS[: len(self.clouds)]
            self.points_ = [
                mark(axes.scatter(*cloud.T, **_dots(look, len(cloud)), label=name))
                for cloud, look, name in zip(self.clouds, looks, self.names, strict=True)
            ]
            means = [cloud.mean(axis=0) for cloud in self.clouds]
            self.arrows_ = [_arrow(axes, self.origin, mean) for mean in means]
            self.means_ = [_mean(axes, mean, look) for mean, look in zip(means, looks, strict=True)]
            self.means_[0].set_label("mean" if len(means) == 1 else "means")
            self.gap_ = axes.plot(*np.transpose(means), ":", color=INK)[0] if len(means) == 2 else None
            (self.origin_,) = axes.plot(*self.origin, "+", color=INK, markersize=12, mew=2, label="origin", zorder=4)
            self.circle_ = None
            if self.radius is not None:
                self.circle_ = axes.add_artist(_circle(self.origin, self.radius))
            what = "variance" if self.centered else "squared length"
            axes.set_xlabel(f"direction 1: {self.shares[0]:.0%} of the {what}".replace("%", " %"))
            axes.set_ylabel(f"direction 2: {self.shares[1]:.0%}".replace("%", " %"))
            axes.set_aspect("equal", adjustable="datalim")
            legend = legend_above(axes, len(self.clouds) + 2)
            for handle in legend.legend_handles[: len(self.clouds)]:
                handle.set(sizes=[25], alpha=1)
        return self


def _rows(X: Any, Y: Any, normalize: bool) -> list[Any]:
    if normalize:
        return [rows.unit() for rows in ([check_directed(X)] if Y is None else check_directed_clouds(X, Y))]
    clouds = [check_cloud(X)] if Y is None else list(check_clouds(X, Y))
    for x, name in zip(clouds, "XY", strict=False):
        check_squares(x, name)
    return clouds


def _dots(look: Look, n: int) -> dict[str, Any]:
    """Return the style of n dots: filled for the first cloud, open for the others."""
    filled = look is LOOKS[0]
    return {
        "marker": look.marker,
        "s": float(np.clip(_MOST_INK / n, 3, 25)),
        "facecolors": look.color if filled else "none",
        "edgecolors": "none" if filled else look.color,
        "linewidths": 0.6,
        "alpha": 0.5,
        "rasterized": True,
    }


def _arrow(axes: Any, origin: np.ndarray, mean: np.ndarray) -> Any:
    arrow = {"arrowstyle": "-|>", "color": INK, "linewidth": 1.6, "shrinkA": 0, "shrinkB": 4}
    return axes.annotate("", tuple(mean), tuple(origin), arrowprops=arrow)


def _mean(axes: Any, mean: np.ndarray, look: Look) -> Any:
    style = {"markersize": 10, "markeredgecolor": "white", "markeredgewidth": 1.5, "zorder": 5}
    return axes.plot(*mean, look.marker, color=look.color, **style)[0]


def _circle(origin: np.ndarray, radius: float) -> Any:
    from matplotlib.patches import Circle

    return Circle(tuple(origin), radius, fill=False, edgecolor=GREY, linewidth=0.8)
