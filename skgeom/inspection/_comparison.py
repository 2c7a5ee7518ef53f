"""ComparisonDisplay: debiased CKA of every two representations of the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from skgeom._validation import check_real
from skgeom.comparison import SpaceComparison, compare
from skgeom.inspection._display import Display, mark
from skgeom.inspection._numbers import check_table

_MOST_NUMBERS = 12
"""Spaces up to which the value is written into each cell."""

_MOST_NAMES = 12

_NAME = 12
"""Characters up to which a name is written in full; of a longer one the middle is left out."""

_HATCH, _HATCHING = "////", "#b3bbc2"


class ComparisonDisplay(Display):
    """Debiased CKA of each pair of spaces, such as the layers of a model: 1 for equal geometry, 0 by chance.

    Hatched cells could be chance: unrelated spaces reach such a value with a probability above `alpha`, or the
    probability is not known. The numbers of up to twelve spaces are written into the cells. Names of more than twelve
    characters are shortened in the middle.

    Parameters
    ----------
    cka : array of shape (n_spaces, n_spaces)
        Debiased CKA of each pair.
    pvalues : array of shape (n_spaces, n_spaces), default=None
        Probability that unrelated spaces reach the value; with None no cell is hatched.
    names : sequence of str, default=None
        Names of the spaces; None numbers them from 0.
    alpha : float, default=0.01
        Probability above which a cell is hatched.

    Attributes
    ----------
    image_ : matplotlib AxesImage
        The values, from 0 to 1; below 0 as 0.
    texts_ : list of matplotlib Text
        The numbers, row by row; empty for more than twelve spaces.
    hatched_ : list of matplotlib Rectangle
        The cells that could be chance.
    colorbar_ : matplotlib Colorbar
        The scale.
    ax_, figure_
        The axes and the figure.

    Raises
    ------
    ValueError
        If the values are not a symmetric matrix, or the p-values or the names do not fit them.

    See Also
    --------
    skgeom.comparison.compare : The numbers.
    skgeom.comparison.relation_test : The p-value of one pair, from random orders of the rows.

    Examples
    --------
    .. plot::
       :context: close-figs

       >>> from skgeom.datasets import load_reverse_dictionary
       >>> from skgeom.inspection import ComparisonDisplay
       >>> from skgeom.preprocessing import Whitening
       >>> nouns = load_reverse_dictionary()
       >>> gloss, lemma = nouns.data[:1000], nouns.lemma[:1000]
       >>> spaces = {
       ...     "definitions": gloss,
       ...     "whitened": Whitening(64).fit_transform(gloss),
       ...     "nouns": lemma,
       ...     "reversed": lemma[::-1],
       ... }
       >>> display = ComparisonDisplay.from_embedding(spaces)
       >>> len(display.hatched_)
       6
    """

    def __init__(
        self, cka: Any, *, pvalues: Any = None, names: Sequence[str] | None = None, alpha: float = 0.01
    ) -> None:
        n = len(cka)
        self.cka = check_table(cka, "cka", (n, n))
        if not np.allclose(self.cka, self.cka.T, atol=1e-8):
            raise ValueError("cka must be symmetric: the value of each pair of spaces, in both orders.")
        self.pvalues = None if pvalues is None else check_table(pvalues, "pvalues", (n, n), finite=False)
        self.names = [str(i) for i in range(n)] if names is None else list(names)
        if len(self.names) != n:
            raise ValueError(f"Found {len(self.names)} names for {n} spaces: pass one for each.")
        self.alpha = check_real(alpha, "alpha", 0, 1)

    @classmethod
    def from_comparison(cls, comparison: SpaceComparison, *, alpha: float = 0.01, ax: Any = None) -> Self:
        """Draw the result of `skgeom.comparison.compare`.

        Parameters
        ----------
        comparison : SpaceComparison
            The result to draw.
        alpha : float, default=0.01
            Probability above which a cell is hatched.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        ComparisonDisplay
            The Display, after drawing.
        """
        return cls(comparison.cka, pvalues=comparison.pvalues, names=comparison.names, alpha=alpha).plot(ax)

    @classmethod
    def from_embedding(cls, spaces: Any, *, alpha: float = 0.01, ax: Any = None) -> Self:
        """Compare several representations of the same rows and draw the result.

        Parameters
        ----------
        spaces : sequence of arrays of shape (n_samples, n_features), dict of them, or array of that depth
            The representations, as in `skgeom.comparison.compare`.
        alpha : float, default=0.01
            Probability above which a cell is hatched.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        ComparisonDisplay
            The Display, after drawing.

        Raises
        ------
        ValueError
            As `skgeom.comparison.compare`.
        """
        return cls.from_comparison(compare(spaces), alpha=alpha, ax=ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the values.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        ComparisonDisplay
            The Display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        with self._drawing(ax, height=4.0) as axes:
            n = len(self.names)
            self.image_ = mark(axes.imshow(self.cka.clip(min=0), vmin=0, vmax=1, cmap="Blues"))
            self.hatched_ = [self._hatch(axes, i, j) for i, j in zip(*self._could_be_chance(), strict=True)]
            self.texts_ = [self._write(axes, i, j) for i in range(n) for j in range(n)] if n <= _MOST_NUMBERS else []
            step = -(-n // _MOST_NAMES)
            slant: Any = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
            names = [_shortened(name) for name in self.names[::step]]
            axes.set_xticks(range(0, n, step), names, **slant)
            axes.set_yticks(range(0, n, step), names)
            axes.tick_params(length=0)
            axes.grid(visible=False)
            axes.spines[:].set_visible(False)
            self.colorbar_ = self.figure_.colorbar(self.image_, ax=axes, label="debiased CKA (0 by chance, 1 equal)")
            self.colorbar_.outline.set_visible(False)
        return self

    def _could_be_chance(self) -> tuple[np.ndarray, ...]:
        if self.pvalues is None:
            return np.empty(0, int), np.empty(0, int)
        told_apart = self.pvalues <= self.alpha
        np.fill_diagonal(told_apart, True)
        return np.nonzero(~told_apart)

    def _hatch(self, axes: Any, i: int, j: int) -> Any:
        from matplotlib.patches import Rectangle

        look: Any = {"fill": False, "hatch": _HATCH, "edgecolor": _HATCHING, "linewidth": 0}
        return axes.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, **look))

    def _write(self, axes: Any, i: int, j: int) -> Any:
        value = self.cka[i, j]
        text = f"{value + 0.0:.2f}".replace("-0.00", "0.00").replace("-", "−")
        color = "white" if value > 0.55 else "black"
        return axes.text(j, i, text, ha="center", va="center", color=color, fontsize=10 if len(self.names) < 8 else 7)


def _shortened(name: str) -> str:
    return name if len(name) <= _NAME else f"{name[: _NAME // 2]}…{name[1 - _NAME // 2 :]}"
