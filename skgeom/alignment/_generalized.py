"""Generalised Procrustes: several spaces rotated onto each other at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, Self

from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted

from skgeom._array import asarray_like, detached, is_on_host
from skgeom._core._threads import one_thread
from skgeom._core.sums._consensus import consensus
from skgeom._core.sums._cross import CrossMoments, cross_moments
from skgeom._core.sums._maps import centred_product, exact_product
from skgeom._core.sums._moments import copied_to_host
from skgeom._estimator import GeometryTransformer, KeepsMoments, all_at_once
from skgeom._typing import Array
from skgeom._validation import (
    check_count,
    check_flag,
    check_paired,
    check_real,
    check_same_kind,
    check_squares,
    check_weights,
)
from skgeom._warnings import warn
from skgeom.alignment._checks import check_space_width, check_spaces


class GeneralizedProcrustes(KeepsMoments, GeometryTransformer):
    r"""Rotate several spaces onto each other at once, learnt from rows that belong together.

    With :math:`X_k` the rows of space k, of which row i belongs to row i of all others,

    .. math:: \min_{Q_1, \dots, Q_K} \sum_{k < l} \lVert X_k Q_k - X_l Q_l \rVert^2,
       \qquad Q_k Q_k^\top = I, \qquad Q_{\text{pivot}} = [I \; 0],

    so that no space is the target of the others. Angles and distances within each space are kept.

    Use it for pairs of spaces of which neither is a pivot, such as two languages that would otherwise meet in English.
    For maps into one space, `ProcrustesAligner` towards that space is better (see Notes).

    Parameters
    ----------
    pivot : int, default=0
        The space whose axes the common space uses. It has no other effect.
    center : bool, default=False
        Subtract the means first; the maps then take the mean of each space to that of the pivot.
    n_init : int, default=3
        Number of starts, of which the best is kept: the leading eigenvectors of all sums, the spaces rotated towards
        the pivot, then random rotations.
    max_iter : int, default=100
        Maximum number of sweeps over the spaces from each start.
    tol : float, default=1e-9
        A fit ends when a sweep gains less than this share of :math:`\sum_{k<l} \langle X_k Q_k, X_l Q_l \rangle`.
    random_state : int, RandomState or None, default=None
        Seed of the random rotations.
    device : {None, "cpu", "cuda", "cuda:<index>", "auto"}, default=None
        Where host data are computed; results and attributes come back as NumPy. None stays where the spaces are.

    Attributes
    ----------
    rotations_ : list of arrays of shape (n_features of the space, n_features_out), float64
        The :math:`Q_k`, with orthonormal rows; n_features_out is the largest number of features of a space.
    means_ : list of arrays of shape (n_features of the space,), float64
        The means that were subtracted: zero without `center`.
    offset_ : array of shape (n_features_out,), float64
        The image of these means: the mean of the pivot, or zero without `center`.
    loss_ : float
        The minimum that was found: the sum over pairs of spaces of their squared residuals.
    n_iter_ : int
        Number of sweeps of the best start.
    n_samples_seen_ : float
        Number of rows of each space, or their total weight.

    Raises
    ------
    TypeError
        If n_init, max_iter or pivot is not an integer, or `center` is not True or False.
    ValueError
        At fit, if there are fewer than two spaces, one is not a finite matrix of at least two rows or has magnitudes
        whose squares leave the range of float64, the numbers of rows differ, or a parameter is out of range; after fit,
        if rows have another width, library or device than those of their space.
    RuntimeError
        If a GPU is requested and none is visible.

    Warns
    -----
    ConvergenceWarning
        If the best start gained more than `tol` in its last sweep.
    UserWarning
        If a space has directions that the others do not determine (dead features, fewer rows than features): its
        rotation is then not unique, and the one nearest to the identity is taken.

    See Also
    --------
    ProcrustesAligner : One space onto another.
    CCAAligner : Shared coordinates of two spaces.

    Notes
    -----
    Each sweep rotates one space after another towards the sum of the others, by a singular value decomposition; the
    loss never rises. It has local minima. If the noise of the spaces is not larger than their shared part, all starts
    find the same one; with more noise the minima differ by a few thousandths of the loss, and no start is always the
    best.

    *Unequal numbers of features.* Narrower spaces are embedded isometrically, as if zeros were appended to their rows.
    Reduce wider ones first (`Whitening` with ``power=0`` and `n_components`) if the common space should be narrow.

    *Cost.* Fit takes O(K² n d²) time for the sums, always in float64, and O(K² d³) for a sweep, whatever the number of
    rows. Five noisy spaces of 384 features stop at `max_iter`, after a minute on one core; with ``tol=1e-6`` and
    ``n_init=1`` they take 14 sweeps and five seconds, and the loss is larger by a factor of 1 + 1e-5. O(K² d²) memory
    beyond a block of rows. The sweeps run on the host, wherever the rows are. `partial_fit` equals `fit` on all rows up
    to the choice between starts; `sample_weight` counts rows.

    *When it helps.* Sentences in five languages (MiniLM, 384 features, 2,692 for the fit), the share of 2,693 others
    whose nearest is their translation, over the 12 pairs without English: .370 with each language rotated onto English
    by `ProcrustesAligner`, .462 all at once, .475 with each pair by itself. From the others into English: .417, .400,
    .508 and .349 by `ProcrustesAligner`, .405, .392, .488 and .341 all at once.

    References
    ----------
    .. [1] Gower 1975, Generalized Procrustes analysis, doi:10.1007/BF02291478.
    .. [2] ten Berge 1977, Orthogonal Procrustes rotation for two or more matrices, doi:10.1007/BF02294053.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.alignment import GeneralizedProcrustes
    >>> rng = np.random.default_rng(0)
    >>> Z = rng.normal(size=(100, 3))
    >>> X, Y = Z[:, [1, 2, 0]], Z * [1, -1, 1]
    >>> aligner = GeneralizedProcrustes().fit([Z, X, Y])
    >>> bool(np.allclose(aligner.transform(Y, space=2), Z)), round(aligner.loss_, 9)
    (True, 0.0)
    >>> into_x = aligner.inverse_transform(aligner.transform(Y, space=2), space=1)
    >>> bool(np.allclose(into_x, X))
    True
    """

    rotations_: list[Array]
    means_: list[Array]
    offset_: Array
    _moments: dict[tuple[int, int], CrossMoments]

    def __init__(
        self,
        *,
        pivot: int = 0,
        center: bool = False,
        n_init: int = 3,
        max_iter: int = 100,
        tol: float = 1e-9,
        random_state: Any = None,
        device: str | None = None,
    ) -> None:
        self.pivot = pivot
        self.center = center
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.device = device

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = False, True
        return tags

    @all_at_once
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn the rotations.

        Parameters
        ----------
        X : sequence of arrays of shape (n_samples, n_features of the space), or array (n_spaces, n_samples, n_features)
            The embeddings of each space: row i of all of them belongs together.
        y : ignored
            For the API.
        sample_weight : array of shape (n_samples,), default=None
            How often each row counts.

        Returns
        -------
        self
            The fitted aligner.
        """
        self._check_parameters()
        return self._learn(_summed(*self._receive_spaces(X, sample_weight, min_samples=2)))

    @all_at_once
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Add rows of all spaces to those seen, and learn from the sums of all of them.

        Parameters
        ----------
        X : sequence of arrays of shape (n_samples, n_features of the space), or array (n_spaces, n_samples, n_features)
            More rows of each space; a first batch of at least two.
        y : ignored
            For the API.
        sample_weight : array of shape (n_samples,), default=None
            How often each row counts.

        Returns
        -------
        self
            The fitted aligner.
        """
        self._check_parameters()
        if not self._goes_on():
            return self._learn(_summed(*self._receive_spaces(X, sample_weight, min_samples=2)))
        spaces, weights = self._receive_spaces(X, sample_weight, min_samples=1)
        check_spaces(spaces, [q.shape[0] for q in self.rotations_])
        new = _summed(spaces, weights)
        seen = {
            pair: m.map_arrays(lambda a: self._bring(a, spaces[0], "partial_fit")) for pair, m in self._moments.items()
        }
        return self._learn({pair: m.merge(new[pair]) for pair, m in seen.items()})

    def fit_transform(self, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Learn the rotations, and map the rows of all spaces.

        Parameters
        ----------
        X : sequence of arrays of shape (n_samples, n_features of the space), or array (n_spaces, n_samples, n_features)
            The embeddings of each space: row i of all of them belongs together.
        y : ignored
            For the API.
        sample_weight : array of shape (n_samples,), default=None
            How often each row counts.

        Returns
        -------
        list of arrays of shape (n_samples, n_features_out)
            The mapped rows of each space.
        """
        self.fit(X, sample_weight=sample_weight)
        return [self.transform(rows, space=k) for k, rows in enumerate(X)]

    def transform(self, X: Any, *, space: int) -> Array:
        """Map rows of one space to the common one.

        Parameters
        ----------
        X : array of shape (n_samples, n_features of the space)
            Embeddings of one space.
        space : int
            Which space: its position at fit.

        Returns
        -------
        array of shape (n_samples, n_features_out)
            The mapped rows, in the dtype of X (float32 for halves).
        """
        x, rotation, mean, offset = self._map(X, space, "transform")
        check_space_width(x, rotation.shape[0], f"space {space}")
        return self._leave(centred_product(x, mean, rotation, offset))

    def inverse_transform(self, X: Any, *, space: int) -> Array:
        """Map rows of the common space back to one space.

        Parameters
        ----------
        X : array of shape (n_samples, n_features_out)
            Rows of the common space.
        space : int
            Which space: its position at fit.

        Returns
        -------
        array of shape (n_samples, n_features of the space)
            Rows of the space, of which the images come closest to X.
        """
        z, rotation, mean, offset = self._map(X, space, "inverse_transform")
        check_space_width(z, rotation.shape[1], "the common space")
        return self._leave(exact_product(z, offset, rotation.T, mean))

    def _map(self, X: Any, space: Any, method: str) -> tuple[Array, Array, Array, Array]:
        """Return rows, and the rotation, the mean and the offset of a space, on the device."""
        check_is_fitted(self)
        k = check_count(space, "space", 0, len(self.rotations_) - 1)
        x = self._placed(self._cloud(X))
        rotation, mean, offset = (self._bring(a, x, method) for a in (self.rotations_[k], self.means_[k], self.offset_))
        return x, rotation, mean, offset

    def _receive_spaces(self, X: Any, sample_weight: Any, min_samples: int) -> tuple[list[Array], Array | None]:
        """Check the rows of all spaces, move them to the device, and leave out those of weight 0."""
        given = check_spaces(X)
        check_count(self.pivot, "pivot", 0, len(given) - 1)
        names = [f"X[{k}]" for k in range(len(given))]
        spaces = [
            self._cloud(detached(rows) if hasattr(rows, "dtype") else rows, name=name, min_samples=min_samples)
            for rows, name in zip(given, names, strict=True)
        ]
        for rows, name in zip(spaces, names, strict=True):
            check_same_kind(spaces[0], rows, (names[0], name), same_width=False)
            check_paired(spaces[0], rows, (names[0], name))
            check_squares(rows, name)
        kept = [check_weights(sample_weight, self._placed(rows), minimum=0.0) for rows in spaces]
        return [rows for rows, _ in kept], kept[0][1]

    def _learn(self, crosses: dict[tuple[int, int], CrossMoments]) -> Self:
        """Set the fitted attributes, and keep the moments for later batches."""
        about, like = {pair: m if self.center else m.about_origin() for pair, m in crosses.items()}, crosses[0, 1].xy
        if not is_on_host(like):  # every decomposition decides the next: an accelerator would wait for each
            about = dict(zip(about, copied_to_host(list(about.values())), strict=True))
        with one_thread(about[0, 1].xy):
            found = consensus(
                about,
                pivot=self.pivot,
                n_init=self.n_init,
                max_iter=self.max_iter,
                tol=self.tol,
                rng=check_random_state(self.random_state),
            )
        means = [about[0, 1].x_mean, *(about[0, k].y_mean for k in range(1, len(found.rotations)))]
        offset = means[self.pivot] @ found.rotations[self.pivot]
        self.rotations_ = [self._leave(asarray_like(q, like)) for q in found.rotations]
        self.means_ = [self._leave(asarray_like(mean, like)) for mean in means]
        self.offset_ = self._leave(asarray_like(offset, like))
        self.loss_, self.n_iter_ = found.loss, found.n_iter
        self._moments = {pair: m.map_arrays(self._leave) for pair, m in crosses.items()}
        self.n_samples_seen_ = crosses[0, 1].n
        if most := max(found.n_open):
            where = ", ".join(str(k) for k, n_open in enumerate(found.n_open) if n_open)
            warn(
                f"Up to {most} directions of space {where} have no partner in the others, and are rotated by a fixed "
                "rule. Look for dead features, or pass more rows than features."
            )
        if not found.converged:
            warn(
                f"The last of {found.n_iter} sweeps still gained more than tol={self.tol:g} of the inner products: "
                "raise max_iter or tol.",
                ConvergenceWarning,
            )
        return self

    def _check_parameters(self) -> None:
        check_flag(self.center, "center")
        check_count(self.n_init, "n_init")
        check_count(self.max_iter, "max_iter")
        check_real(self.tol, "tol", low=0)


def _summed(spaces: Sequence[Array], weights: Array | None) -> dict[tuple[int, int], CrossMoments]:
    """Return the moments of the pairs of each two spaces."""
    return {(k, j): cross_moments(spaces[k], spaces[j], weights) for k, j in combinations(range(len(spaces)), 2)}
