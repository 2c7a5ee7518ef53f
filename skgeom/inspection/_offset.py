"""OffsetDisplay: how a shift of two modalities along their means changes the loss and the conformities."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from skgeom.inspection._display import LOOKS, REFERENCE, Display, legend_above, mark
from skgeom.inspection._numbers import check_table
from skgeom.multimodal import divergence_along_offset, loss_along_offset
from skgeom.multimodal._offset import Movers

_PANEL = 1.7
_ALPHAS = np.linspace(-1, 1.5, 51)


class OffsetDisplay(Display):
    """Contrastive loss of two modalities that move along their means, and the divergence of their conformities.

    At α = 0, the dashed line, the modalities are unchanged; at α = 1, the dotted line, each is centred. Dots mark the
    minima. If the loss has its minimum at 0, training has favoured the offset.

    Parameters
    ----------
    alphas : array of shape (n_alphas,)
        Shifts, in units of the means, ascending.
    loss, divergence : arrays of shape (n_alphas,)
        What `skgeom.multimodal.loss_along_offset` and `skgeom.multimodal.divergence_along_offset` return.

    Attributes
    ----------
    loss_, divergence_ : matplotlib Line2D
        The two curves; infinite divergences are left out.
    minima_ : list of two matplotlib Line2D
        The minimum of each.
    axes_ : array of two matplotlib Axes
        The panels.
    ax_, figure_
        The lower panel, and the figure.

    Raises
    ------
    ValueError
        If the arrays differ in length, or the shifts are not ascending.

    See Also
    --------
    skgeom.multimodal.double_ellipsoid : Whether the minimum is at 0, with its uncertainty.

    References
    ----------
    Levi & Gilboa 2025, The double-ellipsoid geometry of CLIP, arXiv:2411.14517.

    Examples
    --------
    .. plot::
       :context: close-figs

       >>> import numpy as np
       >>> from skgeom.datasets import make_double_ellipsoid
       >>> from skgeom.inspection import OffsetDisplay
       >>> X, Y = make_double_ellipsoid(1000, random_state=0)
       >>> display = OffsetDisplay.from_embedding(X, Y, np.linspace(-1, 1.5, 26), batch_size=500)
       >>> [round(float(dot.get_xdata()[0]), 1) for dot in display.minima_]
       [0.0, 1.1]
    """

    def __init__(self, alphas: Any, *, loss: Any, divergence: Any) -> None:
        self.alphas = check_table(alphas, "alphas", (None,))
        if np.any(np.diff(self.alphas) <= 0):
            raise ValueError("alphas must be ascending.")
        n = self.alphas.size
        self.loss = check_table(loss, "loss", (n,))
        self.divergence = check_table(divergence, "divergence", (n,), finite=False)

    @classmethod
    def from_embedding(
        cls,
        X: Any,
        Y: Any,
        alphas: Any = None,
        *,
        temperature: float = 0.01,
        batch_size: int | None = None,
        move: Movers = "both",
        ax: Any = None,
    ) -> Self:
        """Draw loss and divergence of two modalities along their means.

        Parameters
        ----------
        X, Y : arrays of shape (n_samples, n_features)
            Raw embeddings of the two modalities; row i of one belongs to row i of the other.
        alphas : array of shape (n_alphas,), default=None
            Shifts, in units of the means, ascending; None takes 51 from -1 to 1.5.
        temperature, batch_size
            Of the loss, as in `skgeom.multimodal.loss_along_offset`.
        move : {"X", "Y", "both"}, default="both"
            The modality that moves for the divergence, as in `skgeom.multimodal.divergence_along_offset`.
        ax : sequence of two matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        OffsetDisplay
            The Display, after drawing.

        Raises
        ------
        ValueError
            As in these two functions.
        """
        steps = _ALPHAS if alphas is None else alphas
        return cls(
            steps,
            loss=loss_along_offset(X, Y, steps, temperature=temperature, batch_size=batch_size),
            divergence=divergence_along_offset(X, Y, steps, move=move),
        ).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the two curves.

        Parameters
        ----------
        ax : sequence of two matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        OffsetDisplay
            The Display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `ax` does not hold two axes.
        """
        with self._drawing_panels(ax, 2, height=_PANEL) as panels:
            curves = (self.loss, "contrastive loss\n(nats)"), (self.divergence, "KL of the\nconformities (nats)")
            drawn = [self._draw(axes, *curve) for axes, curve in zip(panels, curves, strict=True)]
            (self.loss_, first), (self.divergence_, second) = drawn
            self.minima_ = [first, second]
            panels[-1].set_xlabel("shift α along the means")
            panels[0].figure.align_ylabels(list(panels))
            legend_above(panels[0], 3)
        return self

    def _draw(self, axes: Any, values: np.ndarray, label: str) -> tuple[Any, Any]:
        color, line, marker, _ = LOOKS[0]
        known = np.isfinite(values)
        curve = mark(axes.plot(self.alphas[known], values[known], color=color, linestyle=line)[0])
        axes.axvline(0, **REFERENCE, label="as they came")
        axes.axvline(1, **REFERENCE | {"linestyle": ":"}, label="centred")
        lowest = int(np.argmin(np.where(known, values, np.inf)))
        dot = axes.plot(self.alphas[lowest], values[lowest], marker, color=color, markersize=8, label="minimum")[0]
        axes.set_ylabel(label)
        return curve, dot
