"""SphereDisplay: how far points on the sphere are from their nearest neighbours."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from scipy.special import betainc

from skgeom._array import to_numpy
from skgeom._core.pairs._bounds import tammes_bound
from skgeom._validation import check_cloud, check_count
from skgeom.inspection._display import GREY, REFERENCE, CloudDisplay, is_first, legend_above, mark, next_look
from skgeom.inspection._numbers import check_table
from skgeom.metrics import k_nearest

_POINTS = 2_000
_UNSEEN = 1e-3


class SphereDisplay(CloudDisplay):
    r"""Angles of points on the sphere to their nearest neighbours, compared with chance and with the bound.

    The curve shows the share of points that have a neighbour within an angle. The dashed curve is the null: as many
    independent uniform directions, whose angle exceeds θ with probability

    .. math:: (1 - F(\theta))^{n - 1}, \qquad F(\theta) = \tfrac12 I_{\sin^2 \theta}\big(\tfrac{d - 1}{2}, \tfrac12\big)

    for θ up to a right angle, F being the share of the sphere within θ. The dotted line is `tammes_bound`: no
    arrangement has a larger minimum angle. The curve of crowded points is left of the dashed one; the curve of well
    spread points rises steeply near the dotted line. Pass ``ax=`` to draw a second cloud on the same axes.

    Parameters
    ----------
    angles : array of shape (n_samples,)
        Angle of each point to its nearest neighbour, in degrees.
    n_features : int
        Dimension d of the space, at least 2.
    name : str, default=None
        Name of the points in the legend.

    Attributes
    ----------
    line_ : matplotlib Line2D
        The share of points against the angle.
    uniform_ : matplotlib Line2D or None
        The null; None if another cloud has drawn it on the same axes.
    bound_ : matplotlib Line2D or None
        The bound of the minimum angle; None if another cloud has drawn it on the same axes.
    ax_, figure_
        The axes and the figure.

    Raises
    ------
    ValueError
        If the angles are not at least two numbers from 0 to 180.

    See Also
    --------
    skgeom.metrics.min_angle : The smallest of the angles.
    skgeom.optim.SphereDispersion : Spreads points.
    skgeom.optim.tammes_bound : The bound.

    Examples
    --------
    .. plot::
       :context: close-figs

       >>> import numpy as np
       >>> from skgeom.inspection import SphereDisplay
       >>> from skgeom.optim import SphereDispersion
       >>> X = np.random.default_rng(0).normal(size=(100, 3))
       >>> display = SphereDisplay.from_embedding(X, name="random")
       >>> spread = SphereDispersion(polish=False, max_iter=300, random_state=0).fit(X)
       >>> after = SphereDisplay.from_estimator(spread, X, name="spread", ax=display.ax_)
       >>> bool(after.angles.min() > np.median(display.angles))
       True
    """

    def __init__(self, angles: Any, *, n_features: int, name: str | None = None) -> None:
        self.angles = check_table(angles, "angles", (None,))
        if self.angles.size < 2 or self.angles.min() < 0 or self.angles.max() > 180:
            raise ValueError("angles must be at least two, from 0 to 180 degrees.")
        self.n_features, self.name = check_count(n_features, "n_features", 2), name

    @classmethod
    def from_embedding(cls, X: Any, *, name: str | None = None, ax: Any = None) -> Self:
        """Draw the angles of rows to their nearest neighbours.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            The points, one per row, none of them zero; only their directions count.
        name : str, default=None
            Name of the points in the legend.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        SphereDisplay
            The Display, after drawing.

        Raises
        ------
        ValueError
            If X is not a finite matrix of at least two rows and two columns, or a row is zero.
        """
        distances, _ = k_nearest(X, k=1)
        angles = 2 * np.arcsin(np.sqrt((to_numpy(distances)[:, 0] / 2).clip(0, 1)))
        return cls(np.degrees(angles), n_features=check_cloud(X).shape[1], name=name).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the shares, the null and the bound.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        SphereDisplay
            The Display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        n, ordered = self.angles.size, np.sort(self.angles)
        with self._drawing(ax) as axes:
            look = next_look(axes)
            self.uniform_ = self.bound_ = None
            if is_first(axes):
                bound = np.degrees(tammes_bound(n, self.n_features))
                self.uniform_ = axes.plot(*_uniform(n, self.n_features), **REFERENCE, label="uniform")[0]
                style = {"color": GREY, "linestyle": ":", "linewidth": 1.6}
                self.bound_ = axes.axvline(bound, **style, label=f"largest minimum: {bound:.1f}°")
            label = f"{self.name or 'these points'}: from {ordered[0]:.1f}°"
            style = {"color": look.color, "linestyle": look.linestyle, "drawstyle": "steps-post", "label": label}
            self.line_ = mark(axes.plot(ordered, np.arange(1, n + 1) / n, **style)[0])
            axes.set(xlabel="angle to the nearest neighbour (degrees)", ylabel="share of the points", ylim=(0, 1.02))
            axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f} %")
            legend_above(axes, 2)
        return self


def _uniform(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Return angles in degrees, and the share of n uniform directions that have another within each."""
    angles = np.linspace(0, np.pi, _POINTS + 1)
    within = betainc((d - 1) / 2, 0.5, np.sin(angles) ** 2) / 2
    within = np.where(angles > np.pi / 2, 1 - within, within)
    shares = 1 - (1 - within) ** (n - 1)
    seen = slice(None, int(np.argmax(shares > 1 - _UNSEEN)) + 1)
    return np.degrees(angles)[seen], shares[seen]
