"""SimilarityDisplay: cosines of pairs that belong together beside those of pairs that do not."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from scipy.stats import beta

from skgeom._array import to_numpy
from skgeom._core._correlation import mid_ranks
from skgeom._validation import check_cloud, check_count
from skgeom.inspection._display import GREY, LOOKS, PALE, Display, bin_edges, histogram, legend_above, mark
from skgeom.inspection._numbers import check_table
from skgeom.metrics import pair_cosines
from skgeom.metrics._representation import Step, ends_in_regressor, mapped, representation

_BINS = 60
_CONFIDENCE = 0.95
_CORNER: Any = {"xycoords": "axes fraction", "ha": "right"}


class SimilarityDisplay(Display):
    r"""Cosines of pairs that belong together beside those of pairs that do not, before and after a transform.

    Where the two densities overlap, no threshold on the cosine separates the pairs. The AUC measures how far
    they are apart: the probability that a pair that belongs together has the larger cosine of two, ½ by chance.
    The grey band holds 95 % of the cosines of independent directions in an isotropic space. The densities before the
    transform are drawn below the axis.

    Parameters
    ----------
    matching, other : arrays of shape (n_matching,) and (n_other,)
        Cosines of pairs that belong together, and of others, as `skgeom.metrics.pair_cosines` returns them.
    before : tuple of two arrays, default=None
        The same before the transform.
    n_features, n_features_before : int, default=None
        Dimension of the space after and before the transform, from which the grey bands follow; None leaves them out.
    names : tuple of two str, default=("after", "before")
        Names of the pairs above and below the axis.

    Attributes
    ----------
    auc : float
        Area under the ROC curve of the cosines, in [0, 1], best = 1; ties count half.
    auc_before : float or None
        The same before the transform.
    matching_, other_ : matplotlib StepPatch
        The densities.
    matching_before_, other_before_ : matplotlib StepPatch or None
        Those before the transform, as negative numbers.
    isotropic_, isotropic_before_ : matplotlib Rectangle or None
        The grey bands.
    ax_, figure_
        The axes and the figure.

    Raises
    ------
    ValueError
        If the cosines are not numbers in [-1, 1].

    See Also
    --------
    skgeom.metrics.pair_cosines : The numbers.
    skgeom.calibration.CosineCalibrator : The threshold for a rate of false matches.

    Examples
    --------
    .. plot::
       :context: close-figs

       >>> from skgeom.datasets import load_reverse_dictionary
       >>> from skgeom.inspection import SimilarityDisplay
       >>> from skgeom.preprocessing import Whitening
       >>> nouns = load_reverse_dictionary()
       >>> whitening = Whitening(128, power=0.5).fit(nouns.data)
       >>> display = SimilarityDisplay.from_estimator(whitening, nouns.data, nouns.lemma, random_state=0)
       >>> round(display.auc_before, 3), round(display.auc, 3)
       (0.961, 0.962)
    """

    def __init__(
        self,
        matching: Any,
        other: Any,
        *,
        before: tuple[Any, Any] | None = None,
        n_features: int | None = None,
        n_features_before: int | None = None,
        names: tuple[str, str] = ("after", "before"),
    ) -> None:
        self.matching, self.other = _cosines(matching, "matching"), _cosines(other, "other")
        self.auc, self.auc_before, self.before = _auc(self.matching, self.other), None, None
        if before is not None:
            if len(before) != 2:
                raise ValueError(f"before must be (matching, other), got {len(before)} values.")
            self.before = _cosines(before[0], "before[0]"), _cosines(before[1], "before[1]")
            self.auc_before = _auc(*self.before)
        self.n_features = None if n_features is None else check_count(n_features, "n_features", 2)
        self.n_features_before = n_features_before
        if n_features_before is not None:
            check_count(n_features_before, "n_features_before", 2)
        self.names = names

    @classmethod
    def from_embedding(
        cls,
        X: Any,
        Y: Any = None,
        *,
        labels: Any = None,
        n_pairs: int = 100_000,
        random_state: Any = None,
        ax: Any = None,
    ) -> Self:
        """Draw the cosines of pairs of rows.

        Parameters
        ----------
        X, Y, labels, n_pairs, random_state
            As in `skgeom.metrics.pair_cosines`: Y holds the partner of each row of X, or labels are equal for rows that
            belong together.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        SimilarityDisplay
            The Display, after drawing.

        Raises
        ------
        ValueError
            As `skgeom.metrics.pair_cosines`.
        """
        matching, other = _sampled(X, Y, labels, n_pairs, random_state)
        return cls(matching, other, n_features=check_cloud(X).shape[1]).plot(ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        Y: Any = None,
        *,
        labels: Any = None,
        step: Step = "auto",
        n_pairs: int = 100_000,
        random_state: Any = None,
        ax: Any = None,
    ) -> Self:
        """Draw the cosines of pairs of rows before and after a fitted transform.

        Parameters
        ----------
        estimator : estimator
            A fitted transformer, which maps both rows of a pair, or an aligner, which maps X to Y.
        X, Y, labels, n_pairs, random_state
            As in `skgeom.metrics.pair_cosines`. Pass an integer as `random_state` to compare the same pairs before and
            after.
        step : str or callable, default="auto"
            Representation to draw, as in `skgeom.metrics.make_embedding_scorer`.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        SimilarityDisplay
            The Display, after drawing.

        Raises
        ------
        ValueError
            As `skgeom.metrics.pair_cosines`, or if the estimator has no representation.
        """
        Z: Any = mapped(estimator, X, step, {})
        W = Y if Y is None or ends_in_regressor(estimator) else representation(estimator, Y, step, {})
        matching, other = _sampled(Z, W, labels, n_pairs, random_state)
        before = _sampled(X, Y, labels, n_pairs, random_state)
        return cls(
            matching,
            other,
            before=before,
            n_features=check_cloud(Z).shape[1],
            n_features_before=check_cloud(X).shape[1],
        ).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the densities.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        SimilarityDisplay
            The Display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        with self._drawing(ax) as axes:
            samples = [self.matching, self.other, *(self.before or ())]
            edges = bin_edges(samples, _BINS)
            good, bad = LOOKS[:2]
            self.matching_ = mark(histogram(axes, self.matching, edges, good, label="matching pairs"))
            self.other_ = histogram(axes, self.other, edges, bad, label="other pairs")
            self.matching_before_ = self.other_before_ = None
            if self.before is not None:
                self.matching_before_ = histogram(axes, self.before[0], edges, good, sign=-1)
                self.other_before_ = histogram(axes, self.before[1], edges, bad, sign=-1)
            self._finish(axes)
        return self

    def _finish(self, axes: Any) -> None:
        low, high = (1.05 * limit for limit in axes.get_ylim())
        self.isotropic_ = _band(axes, self.n_features, high, label="isotropic")
        self.isotropic_before_ = _band(axes, self.n_features_before, low) if self.before is not None else None
        axes.set(ylim=(low, high), xlabel="cosine (−1 to 1)", ylabel="density")
        axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
        axes.axhline(0, color=GREY, linewidth=1)
        if self.auc_before is None:
            axes.annotate(f"AUC {self.auc:.3f}", (0.99, 0.97), **_CORNER, va="top")
        else:
            axes.annotate(f"{self.names[0]}: AUC {self.auc:.3f}", (0.99, 0.97), **_CORNER, va="top")
            axes.annotate(f"{self.names[1]}: AUC {self.auc_before:.3f}", (0.99, 0.03), **_CORNER, va="bottom")
        legend_above(axes, 3)


def _band(axes: Any, n_features: int | None, height: float, **kwargs: Any) -> Any:
    from matplotlib.patches import Rectangle

    if n_features is None:
        return None
    half = beta.ppf(_CONFIDENCE, 0.5, (n_features - 1) / 2) ** 0.5
    return axes.add_artist(Rectangle((-half, 0), 2 * half, height, color=PALE, linewidth=0, zorder=0, **kwargs))


def _cosines(values: Any, name: str) -> np.ndarray:
    found = check_table(values, name, (None,))
    if np.abs(found).max() > 1:
        raise ValueError(f"{name} must hold cosines, from -1 to 1, got {found[np.abs(found).argmax()]:g}.")
    return found


def _sampled(X: Any, Y: Any, labels: Any, n_pairs: int, random_state: Any) -> tuple[np.ndarray, np.ndarray]:
    found = pair_cosines(X, Y, labels=labels, n_pairs=n_pairs, random_state=random_state)
    return to_numpy(found.matching).clip(-1, 1), to_numpy(found.other).clip(-1, 1)


def _auc(matching: np.ndarray, other: np.ndarray) -> float:
    """Return the probability that a value of the first sample exceeds one of the second; ties count half."""
    both = np.concatenate([matching, other])
    ranks = mid_ranks(both, np.ones((1, both.size)))[0, : matching.size]
    return float((ranks.mean() - (matching.size + 1) / 2) / other.size)
