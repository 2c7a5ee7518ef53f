"""A transformer that moves two modalities towards each other."""

from __future__ import annotations

from functools import partial
from typing import Any, Self

import numpy as np
from sklearn.base import OneToOneFeatureMixin

from skgeom._array import asarray_like, float64, namespace, where
from skgeom._core._rows import mean_at, norms, unit_or_zero
from skgeom._core._threads import map_rows
from skgeom._estimator import RowwiseTransformer, all_at_once, chunk_by_chunk
from skgeom._typing import Array
from skgeom._validation import check_groups, check_known_groups, check_real
from skgeom._warnings import warn


class GapShift(OneToOneFeatureMixin, RowwiseTransformer):
    r"""Move two modalities on the sphere along the gap between their centres.

    With :math:`\Delta = \bar u - \bar v` the difference of the means of the unit rows of the first and of the second
    group,

    .. math:: \tilde u = \frac{u - \lambda \Delta}{\lVert u - \lambda \Delta \rVert}, \qquad
       \tilde v = \frac{v + \lambda \Delta}{\lVert v + \lambda \Delta \rVert}.

    Each cloud keeps its shape, except for the final normalisation. To remove the means altogether, centre each
    modality: that is `skgeom.preprocessing.GroupCentering`, which with a final `sklearn.preprocessing.Normalizer` is
    GR-CLIP.

    Parameters
    ----------
    lam : float, default=0.5
        Distance that each modality moves, in units of the gap: 0 keeps the unit rows, 0.5 makes the centres meet (up to
        the final normalisation), 1 swaps them, and negative numbers widen the gap.
    device : {None, "cpu", "cuda", "cuda:<index>", "auto"}, default=None
        Where host data are computed; results and attributes come back as NumPy. None stays where X is.

    Attributes
    ----------
    groups_ : list
        The groups, sorted: two, or one.
    gap_ : array of shape (n_features,)
        Δ, from the centre of the second group to that of the first, in float64; its length is the modality gap.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Raises
    ------
    TypeError
        If `lam` is not a number.
    ValueError
        If X is not a finite matrix, `groups` does not have one entry per row, there are more than two of them, a group
        at transform was not seen at fit, or no groups are given at transform after two at fit.

    Warns
    -----
    UserWarning
        If no groups are given at fit: rows are only normalised then.

    See Also
    --------
    modality_gap : The length of `gap_`.
    skgeom.preprocessing.GroupCentering : Subtracts from each modality its mean.

    Notes
    -----
    Groups are routed as in `GroupCentering`. Without groups, or with one, the gap is undefined, and rows are only
    normalised. Zero rows stay zero, as in `sklearn.preprocessing.Normalizer`, and count as zero in the centres. The
    code of [1]_ divides Δ by its length before it shifts; the formula here is that of its text.

    References
    ----------
    .. [1] Liang et al. 2022, Mind the gap, arXiv:2203.02053.
    .. [2] Li et al. 2025, Closing the modality gap for mixed modality search, arXiv:2507.19054 (GR-CLIP).

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import modality_gap
    >>> from skgeom.multimodal import GapShift
    >>> rng = np.random.default_rng(0)
    >>> X = np.vstack([rng.normal([3, 0, 0], size=(200, 3)), rng.normal([0, 3, 0], size=(200, 3))])
    >>> groups = np.repeat(["image", "text"], 200)
    >>> Z = GapShift().fit_transform(X, groups=groups)
    >>> round(modality_gap(X[:200], X[200:]), 1), round(modality_gap(Z[:200], Z[200:]), 1)
    (1.3, 0.2)
    """

    def __init__(self, lam: float = 0.5, *, device: str | None = None) -> None:
        self.lam = lam
        self.device = device

    @all_at_once
    def fit(self, X: Any, y: Any = None, *, groups: Any = None) -> Self:
        """Learn the gap.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Embeddings of both modalities, one per row.
        y : ignored
            For the API.
        groups : array of shape (n_samples,), default=None
            Modality of each row; None makes them one, without a gap.

        Returns
        -------
        self
            The fitted transformer.
        """
        check_real(self.lam, "lam")
        x = self._receive(X, reset=True)
        if groups is None:
            warn(
                "GapShift was fitted without groups: there is no gap, and rows are only normalised. Pass groups=, one "
                "per row; in a Pipeline, with set_fit_request(groups=True).set_transform_request(groups=True) and "
                "sklearn.set_config(enable_metadata_routing=True)."
            )
        self.groups_, codes = check_groups(groups, x.shape[0])
        _check_two_groups(self.groups_)
        rows_of_groups = [np.flatnonzero(codes == g) for g in range(len(self.groups_))]
        centres = [mean_at(x, rows, lambda block: unit_or_zero(float64(block))) for rows in rows_of_groups]
        self.gap_ = self._leave(centres[0] - centres[-1])
        return self

    def fit_transform(self, X: Any, y: Any = None, *, groups: Any = None) -> Array:
        """Learn the gap of the rows and move them.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Embeddings of both modalities, one per row.
        y : ignored
            For the API.
        groups : array of shape (n_samples,), default=None
            Modality of each row.

        Returns
        -------
        array of shape (n_samples, n_features)
            Unit rows and zero rows, in the dtype of X (float32 for halves).
        """
        return self.fit(X, y, groups=groups).transform(X, groups=groups)

    @chunk_by_chunk
    def transform(self, X: Any, *, groups: Any = None) -> Array:
        """Move each row along the gap of its modality.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Embeddings of the same space.
        groups : array of shape (n_samples,), default=None
            Modality of each row; may be left out if there was one at fit.

        Returns
        -------
        array of shape (n_samples, n_features)
            Unit rows and zero rows, in the dtype of X (float32 for halves).
        """
        return self._rows_of(X, groups=groups)

    def _beside(self, n: int, groups: Any = None) -> tuple[np.ndarray]:
        return (check_known_groups(groups, n, self.groups_),)

    def _transformed(self, x: Array, codes: Array, *, out: np.ndarray | None = None) -> Array:
        gap = self._here("gap_", x)
        steps = self.lam * (2 * asarray_like(codes, x)[:, None] - 1)
        return map_rows(partial(_shifted, namespace(x).astype(gap, x.dtype)), x, steps, out=out)


def _shifted(gap: Array, x: Array, steps: Array) -> Array:
    """Return the unit rows moved along the gap by their steps (n, 1), as unit rows again; zero rows stay."""
    u = unit_or_zero(x)
    return unit_or_zero(u + where(norms(u)[:, None] > 0, steps, 0.0) * gap)


def _check_two_groups(groups: list[Any]) -> None:
    """Check that there are at most two groups."""
    if len(groups) > 2:
        listed = ", ".join(map(repr, groups))
        raise ValueError(f"A gap needs two groups, got {len(groups)}: {listed}. Pass the rows of two of them.")
